"""Names of stacks and buckets, and the rules of Pulumi and the clouds for them."""

import re

from msgspec import Meta

LONGEST_STACK = 100
"""Pulumi refuses longer ones (pulumi/pulumi, sdk/go/common/tokens/stacks.go, read 2026-11-22).

What we make of a stack's name is then 109 characters at most, less than what takes it allows: a tag
at DigitalOcean 255 (digitalocean/openapi, tags.yml), a tag's value at AWS 256, a dashboard 255.
"""

_STACK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Pulumi takes dots as well, but tags at DigitalOcean do not (digitalocean/openapi, tags.yml)."""

BUCKET = Meta(
    pattern=r"^(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|--x-s3|--table-s3)\Z)"
    r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z",
    examples=[""],
    extra_json_schema={
        "errorMessage": "3 to 63 of a-z, 0-9 and -, with a letter or a digit at both ends, not "
        "beginning with xn--, sthree- or amzn-s3-demo-, and not ending with -s3alias, --ol-s3, "
        "--x-s3 or --table-s3"
    },
)
"""A bucket's name at either cloud. Dots, which S3 allows, are left out: no certificate covers them.

Source: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html (2026-11-22).
"""


def full_key(project: str, key: str) -> str:
    """A key of a stack's file with its project before it.

    Pulumi takes one without as the project's own (pulumi/pulumi, loaders.go of
    sdk/go/common/workspace, read 2026-11-22), so that the files need not repeat the project's name.
    """
    return key if ":" in key else f"{project}:{key}"


def broken_by_stack(name: str) -> str:
    """The rule that a stack's name breaks; empty for none."""
    if len(name) > LONGEST_STACK:
        return f"it may have {LONGEST_STACK} characters, and has {len(name)}"
    if not _STACK.fullmatch(name):
        return (
            "it becomes a tag, a label and a title, so it may have letters, digits, - and _, "
            "and must begin with a letter or a digit"
        )
    return ""
