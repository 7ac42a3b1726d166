"""The AWS regions where the split arrangement can run."""

DEFAULT = "us-east-1"

REGIONS = frozenset(
    {
        "af-south-1",
        "ap-east-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-south-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ca-central-1",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "me-central-1",
        "me-south-1",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-2",
    }
)
"""Where Lambda runs on arm64.

Source: the deployment matrix of aws-powertools/powertools-lambda-python,
.github/workflows/reusable_deploy_v3_layer_stack.yml at commit 03c5cb36ec69 (read 2026-11-22).
Left out are ap-northeast-1 and us-west-1, where not every account has the zones a and b, and
ca-west-1 and il-central-1, whose database authority is not in `functions/handlers/aws_rds.pem`.
"""


def zones(region: str) -> tuple[str, str]:
    """Two availability zones of a region, known without asking AWS."""
    return f"{region}a", f"{region}b"
