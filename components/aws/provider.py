"""The AWS provider of a stack, with its region and default tags."""

import pulumi
import pulumi_aws as aws


def in_region(region: str, *, stack: str, environment: str) -> pulumi.ResourceOptions:
    """Resource options with a provider for a region that tags every resource."""
    tags = {"project": pulumi.get_project(), "stack": stack, "environment": environment}
    return pulumi.ResourceOptions(
        provider=aws.Provider(
            "aws", region=region, default_tags=aws.ProviderDefaultTagsArgs(tags=tags)
        )
    )
