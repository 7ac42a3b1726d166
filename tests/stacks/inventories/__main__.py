"""Write the counts of every inventory anew; the chosen values below them stay as they are."""

import re

import yaml

from tests.stacks.inventories import counts, path
from tests.support.plans import CASES, plan

for stack, mode in CASES:
    file = path(stack, mode)
    text = file.read_text() if file.exists() else "counts:\n"
    fresh = yaml.safe_dump({"counts": counts(plan(stack, mode))}, width=1000)
    file.write_text(re.sub(r"^counts:\n(?:  .*\n)*", fresh, text, flags=re.MULTILINE))
