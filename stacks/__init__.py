"""What can be deployed: one file per variant, with the same steps in the same order."""

from importlib import import_module
from types import ModuleType

from stacks.outputs import Outputs
from stacks.settings import Settings


def deploy(settings: Settings) -> Outputs:
    """Run the variant that the settings name."""
    outputs: Outputs = arrangement(settings.arrangement).deploy(settings)
    return outputs


def arrangement(name: str) -> ModuleType:
    """The module of a variant: `deploy`, `FREE`, `STATEFUL` and `PREFLIGHT`.

    Imported by name, so that a stack loads only the SDK of its own cloud. The SDKs of Kubernetes
    and TLS are loaded in the inference mode `cluster` only (`stacks.ladder`).
    """
    return import_module(f"stacks.{name}")
