"""AWS in one region, where everything says whose it is."""

import pulumi
import pulumi_aws as aws


def in_region(region: str, *, stack: str, environment: str) -> pulumi.ResourceOptions:
    """Options with which a component and its children lie in a region, tagged."""
    tags = {"project": pulumi.get_project(), "stack": stack, "environment": environment}
    return pulumi.ResourceOptions(
        provider=aws.Provider(
            "aws", region=region, default_tags=aws.ProviderDefaultTagsArgs(tags=tags)
        )
    )
