"""What a change of each config value does to the stacks: a row for every key of `Pulumi.yaml`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Steps = Mapping[str, set[str]]
"""Logical names by what happens to them: created, updated, replaced or deleted."""

EVERYTHING = "(everything)"
REGIONAL = "(everything that lies in a region)"
TAGGED = "(everything with tags)"
EGRESS_RULE = "(the egress rule of the inference endpoint, which has another port than 443)"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A value for a key, and the steps of each stack: of an `up` for BY_A_MOVE, else of a preview.

    A text instead of steps is a part of the refusal.
    """

    to: str | Sequence[Mapping[str, str]] | Mapping[str, str]
    """The value, or one for each stack."""
    split: Steps | str
    integrated: Steps | str
    needs: Mapping[str, str] = field(default_factory=dict)
    """Values of other keys without which this one is refused."""
    below: str = ""
    """Where the value belongs in the key's own, of a key that is an object."""
    secret: bool = False


NOTHING: Steps = {}
FUNCTIONS: Steps = {"updated": {"functions-api", "functions-summarize", "functions-sweep"}}
ELSEWHERE: Steps = {
    **FUNCTIONS,
    "created": {"functions-inference-127-0-0-1-9"},
    "deleted": {EGRESS_RULE},
}
"""At AWS an endpoint on another port than 443 has an egress rule of its own."""
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
        "store",
        "store-folder",
    },
}

CHANGES: dict[str, Change] = {
    "variant": Change(to="local", split=LOCAL, integrated=LOCAL),
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
            "updated": {"database-cluster", "store-bucket", "monitoring-project"},
        },
    ),
    "protect": Change(
        to="true",
        # What has a protection of the cloud's own; what only Pulumi protects has no step.
        split={
            "updated": {
                "store-bucket",
                "database-instance",
                "database-role-secret",
                "functions-api-token-secret",
                "functions-inference-key-secret",
            }
        },
        integrated={"updated": {"store-bucket"}},
    ),
    "inference_mode": Change(
        to="dedicated",
        needs={"inference_model": "accounts/mine/deployments/one"},
        # Keys go by the names of their endpoints, and the mode's own endpoint is named as the mode.
        split={**FUNCTIONS, "replaced": {"functions-inference-key-version"}},
        integrated={**FUNCTIONS, "created": {"dedicated", "dedicated-ready"}},
    ),
    "inference_provider": Change(
        to="baseten",
        needs={"inference_url": "", "inference_model": ""},
        split={**FUNCTIONS, "deleted": {EGRESS_RULE, "functions-inference"}},
        integrated=FUNCTIONS,
    ),
    "inference_url": Change(to="http://127.0.0.1:9/v1", split=ELSEWHERE, integrated=FUNCTIONS),
    "inference_model": Change(to="another/model", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_api_key": Change(
        to="another-key-of-a-test",
        secret=True,
        # Lambda reads it from Secrets Manager; its version is named so that functions start anew.
        split={**FUNCTIONS, "replaced": {"functions-inference-key-version"}},
        integrated=FUNCTIONS,
    ),
    "inference_context_tokens": Change(to="16384", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_input_usd_per_million": Change(to="0.5", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_output_usd_per_million": Change(to="0.5", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_endpoints": Change(
        to=[
            {
                "name": "spare",
                "url": "https://example.com/v1",
                "model": "a/model",
                "context_tokens": "8192",
            }
        ],
        split=FUNCTIONS,
        integrated=FUNCTIONS,
    ),
    "inference_endpoint_keys": Change(
        to="key-of-the-spare-endpoint",
        below="spare",
        secret=True,
        split={**FUNCTIONS, "replaced": {"functions-inference-key-version"}},
        integrated=FUNCTIONS,
    ),
    # Of modes that these stacks are not in.
    "fallback": Change(to="serverless", split=NOTHING, integrated=NOTHING),
    "gpu_model": Change(to="gpt-oss-20b", split=NOTHING, integrated=NOTHING),
    "gpu_type": Change(to="H200", split=NOTHING, integrated=NOTHING),
    "gpu_context_tokens": Change(to="16384", split=NOTHING, integrated=NOTHING),
    "gpu_concurrency": Change(to="4", split=NOTHING, integrated=NOTHING),
    "gpu_minimum": Change(to="2", split=NOTHING, integrated=NOTHING),
    "gpu_maximum": Change(to="3", split=NOTHING, integrated=NOTHING),
    "gpu_headroom": Change(to="1", split=NOTHING, integrated=NOTHING),
    "gpu_sharing": Change(to="mps:4", split=NOTHING, integrated=NOTHING),
    "gpu_device_group": Change(to="106", split=NOTHING, integrated=NOTHING),
    "gpu_model_revision": Change(to="a-commit", split=NOTHING, integrated=NOTHING),
    "hugging_face_token": Change(
        to="token-of-a-test", secret=True, split=NOTHING, integrated=NOTHING
    ),
    "kubernetes_version": Change(to="1.34", split=NOTHING, integrated=NOTHING),
    "cluster_region": Change(
        to={"split": "us-west-2", "integrated": "ams3"}, split=NOTHING, integrated=NOTHING
    ),
    "cluster_prometheus": Change(
        to="http://prometheus.example:9090", split=NOTHING, integrated=NOTHING
    ),
    "notebook_people": Change(to="5", split=NOTHING, integrated=NOTHING),
    "cluster_api_cidrs": Change(to="192.0.2.7/32", split=NOTHING, integrated=NOTHING),
    "region": Change(
        to={"split": "us-west-2", "integrated": "ams3"},
        # What is named is the data, which a move does not take along.
        split={
            "replaced": {REGIONAL, "store-bucket", "store-key", "database-instance"},
            "updated": {
                "functions-api-policy",
                "functions-database-owner-policy",
                "functions-summarize-policy",
                "functions-sweep-policy",
                "monitoring-budget",
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
            "updated": {"database-cluster", "store-key", "monitoring-check", "monitoring-project"},
        },
    ),
    "bucket_name": Change(
        to="documents-of-a-test",
        split={
            "replaced": {
                "store-bucket",
                "store-cors",
                "store-encryption",
                "store-lifecycle",
                "store-notification",
                "store-ownership",
                "store-policy",
                "store-private",
                "store-versioning",
            },
            "updated": {
                *FUNCTIONS["updated"],
                "functions-api-policy",
                "functions-summarize-policy",
                "functions-sweep-policy",
                "store-arrivals-policy",
            },
        },
        integrated={
            "replaced": {"store-bucket"},
            "updated": {*FUNCTIONS["updated"], "store-cors", "store-key", "monitoring-project"},
        },
    ),
    "network_cidr": Change(
        to="10.30.0.0/16",
        split="the deployed network has 10.20.0.0/16, and its database cannot move",
        integrated=NOTHING,
    ),
    "network_peers": Change(to="10.40.0.0/16", split=NOTHING, integrated=NOTHING),
    "monthly_budget_usd": Change(
        to="50",
        split={"updated": {"monitoring-budget"}},
        integrated=NOTHING,  # no API of DigitalOcean makes the alarm of a bill
    ),
    "alert_email": Change(
        to="you@example.com",
        split={"created": {"monitoring-email"}},
        integrated={
            "created": {
                "monitoring-down",
                "monitoring-database-cpu",
                "monitoring-database-disk",
                "monitoring-database-memory",
            }
        },
    ),
    "log_destinations": Change(
        to='[{"name": "logs", "logtail": {"token": "token-of-a-test"}}]',
        secret=True,
        split=NOTHING,
        integrated=FUNCTIONS,
    ),
    "data_folder": Change(to="elsewhere", split=NOTHING, integrated=NOTHING),
    "page_port": Change(to="8123", split=NOTHING, integrated=NOTHING),
}

ON_THE_ENGINE = (
    # No resource is in two of these rows.
    ("monthly_budget_usd", "alert_email", "bucket_name", "hugging_face_token"),
    ("inference_endpoints", "inference_endpoint_keys"),  # refused without each other
    ("inference_api_key",),
    ("region",),
    ("network_cidr",),
)
"""Keys of which only an engine knows the steps, each with those that one preview shows with it.

A plan has no value of a secret, and does not know that a resource is replaced because another is.
"""

BY_A_MOVE = {"environment", "protect", "inference_mode"}
"""Keys whose steps an `up` of test_clouds.py and test_inference_modes.py makes."""

ON_THE_PLAN = [
    key for key in CHANGES if key not in BY_A_MOVE | {k for keys in ON_THE_ENGINE for k in keys}
]
"""Keys whose steps a plan shows; tests/stacks/test_changes.py makes it."""
