"""What can be deployed: one file per variant, with the same parts under the same names."""

from importlib import import_module
from types import ModuleType

from stacks.config import StackConfig
from stacks.outputs import Outputs


def deploy(config: StackConfig) -> Outputs:
    """Create the resources of the variant."""
    outputs: Outputs = variant(config.variant).deploy(config)
    return outputs


def variant(name: str) -> ModuleType:
    """The module of a variant: `deploy`, `FREE` and `PREFLIGHT`.

    Imported by name, so that a stack loads only the SDK of its own cloud. The SDKs of Kubernetes
    and TLS are loaded in the inference mode `cluster` only (`stacks.inference`).
    """
    return import_module(f"stacks.{name}")
