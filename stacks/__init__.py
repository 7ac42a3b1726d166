"""What can be deployed: one file per arrangement, the same steps in the same order."""

from importlib import import_module
from types import ModuleType

from stacks.outputs import Outputs
from stacks.settings import Settings


def deploy(settings: Settings) -> Outputs:
    """Run the arrangement that the settings name."""
    outputs: Outputs = arrangement(settings.arrangement).deploy(settings)
    return outputs


def arrangement(name: str) -> ModuleType:
    """The module of an arrangement: `deploy`, `FREE` and `PREFLIGHT`.

    Imported by name, so that a stack never loads the SDK of a cloud that it does not use.
    """
    return import_module(f"stacks.{name}")
