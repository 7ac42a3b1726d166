"""docs/perpetual-differences.md has a row for each type of the clouds that a stack creates."""

import re

from analysis.plan import make
from tests.stacks import inventories
from tests.support.plans import CASES
from tools.workspace import ROOT

PAGE = ROOT / "docs" / "perpetual-differences.md"

OPTIONS = {
    "integrated": {"alert_email": "you@example.com"},
    "split": {
        "alert_email": "you@example.com",
        "cluster_admins": "arn:aws:iam::123456789012:role/deploy",
    },
}
"""Config that adds types to those of the inventories."""


def row(token: str) -> str:
    """The name of a type in the table, such as `ec2 Vpc` for `aws:ec2/vpc:Vpc`."""
    cloud, module, name = token.split(":")
    return f"{module.partition('/')[0]} {name}" if cloud == "aws" else name


def test_each_type_of_a_cloud_has_a_row_of_its_own() -> None:
    tokens = {token for stack, mode in CASES for token in inventories.load(stack, mode)["counts"]}
    for stack, options in OPTIONS.items():
        for mode in ("serverless", "cluster"):
            config = {**options, "inference_mode": mode, "environment": "prod"}
            planned = make(stack, config).resources
            tokens |= {resource.type for resource in planned}
    rows = {row(token) for token in tokens if token.startswith(("aws:", "digitalocean:"))}

    listed = re.findall(r"^\| ([^|,]+?)(?:,[^|]*)? \|", PAGE.read_text(), re.MULTILINE)

    assert set(listed) - {"type", "all types"} == rows
