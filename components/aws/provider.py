"""The AWS provider of a stack, and the regions where the split variant can run."""

import pulumi
import pulumi_aws as aws

from catalog.regions import offering

DEFAULT_REGION = "us-east-1"

REGIONS = frozenset(offering("aws", "lambda-arm64"))


def in_region(region: str, *, stack: str, environment: str) -> pulumi.ResourceOptions:
    """Resource options with a provider for a region that tags every resource."""
    tags = tags_of(stack=stack, environment=environment)
    return pulumi.ResourceOptions(
        provider=aws.Provider(
            "aws", region=region, default_tags=aws.ProviderDefaultTagsArgs(tags=tags)
        )
    )


def tags_of(*, stack: str, environment: str) -> dict[str, str]:
    """The tags of every resource of a stack."""
    return {"project": pulumi.get_project(), "stack": stack, "environment": environment}
