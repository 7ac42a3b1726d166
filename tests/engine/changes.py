"""What a change of each config value does to the stacks: a row for every key of `Pulumi.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Steps = Mapping[str, set[str]]
"""Logical names by what happens to them: created, updated, replaced or deleted."""

EVERYTHING = "(everything)"
REGIONAL = "(everything that lies in a region)"
TAGGED = "(everything with tags)"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A value for a key, and what a preview of each stack says of it.

    A text instead of steps is what the refusal says.
    """

    to: str | Mapping[str, str]
    """The value, or one for each stack."""
    split: Steps | str
    integrated: Steps | str
    needs: Mapping[str, str] = field(default_factory=dict)
    """Values of other keys without which this one is refused."""
    secret: bool = False


NOTHING: Steps = {}
FUNCTIONS: Steps = {"updated": {"functions-api", "functions-summarize", "functions-sweep"}}
LOCAL: Steps = {
    "deleted": {EVERYTHING},
    "created": {
        "database",
        "database-admin-password",
        "database-password",
        "database-server",
        "functions",
        "functions-host",
        "functions-token",
        "serverless",
        "serverless-key",
        "serverless-server",
        "store",
        "store-folder",
    },
}

CHANGES: dict[str, Change] = {
    "arrangement": Change(to="local", split=LOCAL, integrated=LOCAL),
    "environment": Change(
        to="prod",
        split={
            "created": {
                "network-flow",
                "network-flow-logs",
                "network-flow-policy",
                "network-flow-role",
            },
            "updated": {TAGGED, "store-lifecycle"},
        },
        integrated={
            "replaced": {"database-pool"},
            "updated": {
                *FUNCTIONS["updated"],
                "database-cluster",
                "store-bucket",
                "watching-project",
            },
        },
    ),
    "inference": Change(
        to="dedicated",
        needs={"inference_model": "accounts/mine/deployments/one"},
        split=FUNCTIONS,
        integrated="integrated has only serverless so far",
    ),
    "inference_provider": Change(to="baseten", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_url": Change(
        to="https://example.com/v1",
        needs={"inference_model": "a/model"},
        split=FUNCTIONS,
        integrated=FUNCTIONS,
    ),
    "inference_model": Change(to="another/model", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_api_key": Change(
        to="another-key-that-nobody-may-read",
        secret=True,
        # Lambda reads it from Secrets Manager; its version is named so that functions start anew.
        split={**FUNCTIONS, "replaced": {"functions-inference-key-version"}},
        integrated=FUNCTIONS,
    ),
    "inference_context_tokens": Change(to="16384", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_input_usd_per_million": Change(to="0.5", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_output_usd_per_million": Change(to="0.5", split=FUNCTIONS, integrated=FUNCTIONS),
    "region": Change(
        to={"split": "us-west-2", "integrated": "ams3"},
        # What is named is the data, which a move does not take along.
        split={
            "replaced": {REGIONAL, "store-bucket", "store-key", "database-instance"},
            "updated": {
                "functions-api-policy",
                "functions-summarize-policy",
                "functions-sweep-policy",
                "watching-budget",
            },
        },
        # The cluster moves with what it holds, the bucket does not.
        integrated={
            "replaced": {
                "functions-api",
                "functions-every-five-minutes",
                "functions-key",
                "functions-namespace",
                "functions-summarize",
                "functions-sweep",
                "store-bucket",
                "store-cors",
            },
            "updated": {"database-cluster", "store-key", "watching-check", "watching-project"},
        },
    ),
    "monthly_budget_usd": Change(
        to="50",
        split={"updated": {"watching-budget"}},
        integrated=NOTHING,  # no API of DigitalOcean makes the alarm of a bill
    ),
    "alert_email": Change(
        to="you@example.com",
        split={"created": {"watching-email"}},
        integrated={
            "created": {
                "watching-down",
                "watching-database-cpu",
                "watching-database-disk",
                "watching-database-memory",
            }
        },
    ),
    "log_destinations": Change(
        to='[{"name": "logs", "logtail": {"token": "token-that-nobody-may-read"}}]',
        secret=True,
        split=NOTHING,
        integrated=FUNCTIONS,
    ),
    "data_folder": Change(to="elsewhere", split=NOTHING, integrated=NOTHING),
    "page_port": Change(to="8123", split=NOTHING, integrated=NOTHING),
}

AT_ONCE = ("monthly_budget_usd", "alert_email", "data_folder", "page_port")
"""Keys that no resource has in common: one preview shows what each of them does."""
