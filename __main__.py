"""The Pulumi program: settings choose an arrangement, its outputs are the stack's."""

import pulumi

from stacks import deploy
from stacks.settings import Settings

for name, value in deploy(Settings.read(pulumi.Config())).exports().items():
    pulumi.export(name, value)
