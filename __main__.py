"""The Pulumi program: the config names a variant, whose outputs are the stack's."""

import pulumi

from stacks import deploy
from stacks.config_schema import read

for name, value in deploy(read(pulumi.Config())).exports().items():
    pulumi.export(name, value)
