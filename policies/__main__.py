"""Entry point of the policy pack: `pulumi preview --policy-pack policies`."""

import sys
from pathlib import Path

# The engine starts this file inside its folder, so the repository is not on the search path.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.pack import start

start()
