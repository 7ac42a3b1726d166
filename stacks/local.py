"""local: the application on one machine, without an account."""

from collections.abc import Sequence
from pathlib import Path

import pulumi

from components.contracts import Inference
from components.local.database import Database
from components.local.functions import Functions
from components.local.inference import LocalInference
from components.local.object_store import Store
from components.local.server import PROJECT
from stacks.config import StackConfig
from stacks.endpoints import LAST, as_primary, in_order
from stacks.errors import ConfigError, ModeNotOfferedError
from stacks.outputs import Outputs

FREE = True
"""The resources cost nothing, so `./seamless up` asks for no confirmation."""

PREFLIGHT = ()
"""No checks: the variant uses no account."""


def deploy(config: StackConfig) -> Outputs:
    """Run the summarizer on this machine."""
    folder = _folder(config)
    store = Store("store", folder=folder / "documents", protect=config.protected)
    database = Database("database", folder=folder, protect=config.protected)
    inference = _inference(config, folder)
    functions = Functions(
        "functions",
        store=store,
        database=database,
        inference=inference,
        inference_mode=config.inference_mode,
        folder=folder,
        port=config.page_port,
    )
    return Outputs.of(
        config, store=store, database=database, inference=inference, functions=functions
    )


def _folder(config: StackConfig) -> Path:
    folder = Path(config.data_folder or f".seamless/stacks/{pulumi.get_stack()}")
    try:
        return (PROJECT / folder.expanduser()).resolve()
    except RuntimeError:
        rule = "there is no such user"
        raise ConfigError("data_folder", repr(config.data_folder), rule, "") from None


def _inference(config: StackConfig, folder: Path) -> Sequence[Inference]:
    """The mode's endpoint, a server of its own or the configured one, and the others."""
    mode = config.inference_mode
    if mode == "cluster":
        rule = "local has no GPU node pool: it has serverless and dedicated"
        raise ModeNotOfferedError("inference_mode", "'cluster'", rule, "serverless")
    if configured := as_primary(config):
        return in_order(config, configured)
    fallback = (
        LocalInference("serverless", folder=folder, order=LAST) if config.falls_back else None
    )
    return in_order(config, LocalInference(mode, folder=folder), fallback=fallback)
