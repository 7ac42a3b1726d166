"""What can be deployed: one file per variant, the same steps in the same order."""

from importlib import import_module
from types import ModuleType

from stacks.config import StackConfig
from stacks.outputs import Outputs


def deploy(config: StackConfig) -> Outputs:
    """Create the resources of the variant."""
    outputs: Outputs = arrangement(config.variant).deploy(config)
    return outputs


def arrangement(name: str) -> ModuleType:
    """The module of an arrangement: `deploy`, `FREE` and `PREFLIGHT`.

    Imported by name, so that a stack does not load the SDK of the other variant's cloud.
    """
    return import_module(f"stacks.{name}")
