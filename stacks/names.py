"""The names that a person gives, and the rules of those who take them."""

import re

LONGEST_STACK = 100
"""Pulumi refuses longer ones (pulumi/pulumi, sdk/go/common/tokens/stacks.go, read 2026-11-22).

What we make of a stack's name is then 109 characters at most, less than what takes it allows: a tag
at DigitalOcean 255 (digitalocean/openapi, tags.yml), a tag's value at AWS 256, a dashboard 255.
"""

_STACK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Pulumi takes dots as well, but tags at DigitalOcean do not (digitalocean/openapi, tags.yml)."""

FREE_BUCKET = '""'
"""In the place of a bucket's name: one that is made up."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3")
"""Source: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html (2026-11-22)."""


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


def broken_by_bucket(name: str) -> str:
    """The rule that a bucket's name breaks, whichever cloud takes it; empty for none.

    Dots, which S3 would take, are left out: no certificate covers a host name with them.
    """
    if not 3 <= len(name) <= 63:
        return f"it must have 3 to 63 characters, and has {len(name)}"
    if not _BUCKET.fullmatch(name):
        return (
            "it may have lower-case letters, digits and hyphens, and must begin and end with a "
            "letter or a digit"
        )
    if name.startswith(_RESERVED_STARTS) or name.endswith(_RESERVED_ENDS):
        reserved = ", ".join(
            [*(f"{s}…" for s in _RESERVED_STARTS), *(f"…{e}" for e in _RESERVED_ENDS)]
        )
        return f"S3 keeps {reserved} for itself"
    return ""
