"""The steps of a change of each config value: a row for every key of `Pulumi.yaml`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Steps = Mapping[str, set[str]]
"""Logical names by step: created, updated, replaced or deleted."""

EVERYTHING = "(everything)"
REGIONAL = "(everything that lies in a region)"
TAGGED = "(everything with tags)"
EGRESS_RULE = "(the egress rule of the inference endpoint, which has another port than 443)"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A value for a key, and the steps of each stack: of an `up` for BY_A_MOVE, else of a preview.

    A text instead of steps is a part of the error.
    """

    to: str | Sequence[Mapping[str, str]] | Mapping[str, str]
    """The value, or one for each stack."""
    split: Steps | str = field(default_factory=dict)
    integrated: Steps | str = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    """Required values of other keys."""
    below: str = ""
    """The key within the value of a key that is an object."""
    secret: bool = False


def names(prefix: str, *suffixes: str) -> set[str]:
    """Logical names of resources of one component."""
    return {f"{prefix}-{suffix}" for suffix in suffixes}


FUNCTIONS: Steps = {"updated": names("functions", "api", "summarize", "sweep")}
POLICIES = names("functions", "api-policy", "summarize-policy", "sweep-policy")
ELSEWHERE: Steps = {
    **FUNCTIONS,
    "created": {"functions-inference-127-0-0-1-9"},
    "deleted": {EGRESS_RULE},
}
"""At AWS an endpoint on another port than 443 has its own egress rule."""
LOCAL: Steps = {
    "deleted": {EVERYTHING},
    "created": {
        *("database", "functions", "store", "store-folder"),
        *names("database", "admin-password", "password", "server"),
        *names("functions", "host", "token"),
    },
}

CHANGES: dict[str, Change] = {
    "variant": Change(to="local", split=LOCAL, integrated=LOCAL),
    "environment": Change(
        to="prod",
        split={
            "created": {"network-flow", *names("network-flow", "logs", "policy", "role")},
            "updated": {TAGGED, "store-lifecycle"},
        },
        integrated={
            "replaced": {"database-pool"},
            "updated": {"database-cluster", "store-bucket", "monitoring-project"},
        },
    ),
    "protect": Change(
        to="true",
        # Only resources that the cloud itself can protect.
        split={
            "updated": {
                *("store-bucket", "database-instance", "database-role-secret"),
                *names("functions", "api-token-secret", "inference-key-secret"),
            }
        },
        integrated={"updated": {"store-bucket"}},
    ),
    "inference_mode": Change(
        to="dedicated",
        needs={"inference_model": "accounts/mine/deployments/one"},
        # The name of an endpoint is the name of its key; the mode's own endpoint has the mode's.
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
    "inference_successor": Change(to="later/model", split=FUNCTIONS, integrated=FUNCTIONS),
    "inference_api_key": Change(
        to="another-key-of-a-test",
        secret=True,
        # Lambda reads it from Secrets Manager; a new version restarts the functions.
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
    # Keys of other modes.
    "fallback": Change(to="serverless"),
    "gpu_model": Change(to="gpt-oss-20b"),
    "gpu_type": Change(to="H200"),
    "gpu_context_tokens": Change(to="16384"),
    "gpu_concurrency": Change(to="4"),
    "gpu_minimum": Change(to="2"),
    "gpu_maximum": Change(to="3"),
    "gpu_headroom": Change(to="1"),
    "gpu_sharing": Change(to="mps:4"),
    "gpu_device_group": Change(to="106"),
    "gpu_model_revision": Change(to="a-commit"),
    "hugging_face_token": Change(to="token-of-a-test", secret=True),
    "kubernetes_version": Change(to="1.34"),
    "cluster_region": Change(to="nyc2"),
    "cluster_prometheus": Change(to="http://prometheus.example:9090"),
    "notebook_people": Change(to="5"),
    "cluster_api_cidrs": Change(to="192.0.2.7/32"),
    "cluster_admins": Change(to="arn:aws:iam::123456789012:role/deploy"),
    "region": Change(
        to={"split": "us-west-2", "integrated": "ams3"},
        # The named resources have the data, which is not moved.
        split={
            "replaced": {REGIONAL, "store-bucket", "store-key", "database-instance"},
            "updated": {"monitoring-budget", "functions-database-owner-policy", *POLICIES},
        },
        # The database cluster moves with its data, the bucket does not.
        integrated={
            "replaced": {
                *FUNCTIONS["updated"],
                *names("functions", "every-five-minutes", "key", "namespace"),
                *names("store", "bucket", "cors"),
            },
            "updated": {"database-cluster", "store-key", "monitoring-check", "monitoring-project"},
        },
    ),
    "bucket_name": Change(
        to="documents-of-a-test",
        split={
            "replaced": {
                *names("store", "bucket", "cors", "encryption", "lifecycle", "notification"),
                *names("store", "ownership", "policy", "private", "versioning"),
            },
            "updated": {*FUNCTIONS["updated"], *POLICIES, "store-arrivals-policy"},
        },
        integrated={
            "replaced": {"store-bucket"},
            "updated": {*FUNCTIONS["updated"], "store-cors", "store-key", "monitoring-project"},
        },
    ),
    "network_cidr": Change(
        to="10.30.0.0/16",
        split="the deployed network has 10.20.0.0/16, and its database cannot move",
    ),
    "network_zones": Change(
        to="a,c",
        split="the deployed network has us-east-1a, us-east-1b, and its database cannot move",
    ),
    "network_peers": Change(to="10.40.0.0/16"),
    "monthly_budget_usd": Change(
        to="50",
        split={"updated": {"monitoring-budget"}},  # DigitalOcean's API has no billing alarms
    ),
    "alert_email": Change(
        to="you@example.com",
        split={"created": {"monitoring-email"}},
        integrated={
            "created": names("monitoring", "down", *names("database", "cpu", "disk", "memory"))
        },
    ),
    "page_url": Change(
        to="https://docs.example.org/",
        integrated={"updated": {*FUNCTIONS["updated"], "store-cors", "monitoring-check"}},
    ),
    "log_destinations": Change(
        to='[{"name": "logs", "logtail": {"token": "token-of-a-test"}}]',
        secret=True,
        integrated=FUNCTIONS,
    ),
    "data_folder": Change(to="elsewhere"),
    "page_port": Change(to="8123"),
}

ON_THE_ENGINE = (
    # No resource is in two rows of one preview.
    ("monthly_budget_usd", "alert_email", "bucket_name", "hugging_face_token"),
    ("inference_endpoints", "inference_endpoint_keys"),  # valid only together
    ("inference_api_key",),
    ("region",),
    ("network_cidr",),
    ("network_zones",),
)
"""Keys whose steps only an engine can show, in groups of one preview.

A plan has no values of secrets, and no replacements that follow from another one.
"""

BY_A_MOVE = {"environment", "protect", "inference_mode"}
"""Keys whose steps an `up` of test_clouds.py and test_inference_modes.py makes."""

ON_THE_PLAN = [
    key for key in CHANGES if key not in BY_A_MOVE | {k for keys in ON_THE_ENGINE for k in keys}
]
"""Keys whose steps a plan shows; tests/stacks/test_changes.py makes it."""
