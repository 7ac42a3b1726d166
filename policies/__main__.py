"""What Pulumi's engine starts: `pulumi preview --policy-pack policies`."""

import sys
from pathlib import Path

# The engine starts this file in its own folder, where nothing says that it is a package.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policies.pack import start

start()
