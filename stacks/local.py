"""local: the application on one machine, without an account."""

from collections.abc import Sequence

from components.contracts import Inference
from components.local.database import Database
from components.local.functions import Functions
from components.local.inference import LocalInference
from components.local.store import Store
from stacks.endpoints import LAST
from stacks.outputs import Outputs
from stacks.settings import Settings, SettingsError

FREE = True
"""The resources cost nothing, so `./seamless up` asks for no confirmation."""

STATEFUL = frozenset(
    {"pulumi-python:dynamic/local:Folder", "pulumi-python:dynamic/local:PostgresServer"}
)
"""Types of the resources that hold data which cannot be recreated."""

PREFLIGHT = ()
"""No checks: the variant uses no account."""


def deploy(settings: Settings) -> Outputs:
    """Run the summarizer on this machine."""
    folder = settings.data_folder
    store = Store("store", folder=folder / "documents", protect=settings.protect)
    database = Database("database", folder=folder, protect=settings.protect)
    inference = _inference(settings)
    functions = Functions(
        "functions",
        store=store,
        database=database,
        inference=inference,
        rung=settings.inference,
        folder=folder,
        port=settings.page_port,
    )
    return Outputs(
        page_url=functions.page_url,
        api_token=functions.api_token,
        bucket=store.bucket,
        database_host=database.host,
        inference_url=inference[0].base_url,
        inference_model=inference[0].model,
        rung=settings.inference,
        arrangement=settings.arrangement,
    )


def _inference(settings: Settings) -> Sequence[Inference]:
    """The endpoint of the inference mode (a local server or the configured one), and the others."""
    if settings.inference == "cluster":
        raise SettingsError(
            "inference",
            "'cluster'",
            "one machine offers no GPU node pool: local has serverless and dedicated",
            "serverless",
        )
    if configured := settings.own_inference:
        return settings.endpoints(configured)
    folder = settings.data_folder
    return settings.endpoints(
        LocalInference(settings.inference, folder=folder),
        fallback=LocalInference("serverless", folder=folder, order=LAST)
        if settings.falls_back
        else None,
    )
