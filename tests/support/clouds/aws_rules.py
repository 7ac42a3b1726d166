"""What AWS stores otherwise than it was given, and what it rejects."""

import json
from collections.abc import Mapping
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

_FAMILY_DEFAULTS = {"postgres17": {"rds.force_ssl": "1"}}
"""Default parameters of a family (docs.aws.amazon.com/AmazonRDS/latest/UserGuide,
PostgreSQL.Concepts.General.SSL: "The default value is 1 (on) for RDS for PostgreSQL version 15 and
later")."""


def parameters(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """RDS keeps no method of application for a parameter that has the default of its family.

    It answers `pending-reboot`, so another one is a difference for ever
    (hashicorp/terraform-provider-aws#39252, #18035, #44280; pulumi/pulumi-aws#2442).
    """
    defaults = _FAMILY_DEFAULTS.get(str(inputs.get("family")), {})
    return {
        "parameters": [
            {"applyMethod": "immediate", **given}
            if defaults.get(given["name"]) != given["value"]
            else {**given, "applyMethod": "pending-reboot"}
            for given in inputs.get("parameters", [])
        ]
    }


def encryption(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """S3 blocks SSE-C in a new bucket from March 2026 on, and returns that with the rule.

    A rule that does not say it is a difference for ever in some versions of the provider
    (hashicorp/terraform-provider-aws#47320, closed by #47359 in 6.40; trussworks/
    terraform-aws-logs#333).
    """
    return {
        "rules": [{"blockedEncryptionTypes": ["SSE-C"], **rule} for rule in inputs.get("rules", [])]
    }


def logging(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Lambda returns both levels of a JSON log (hashicorp/terraform-provider-aws#35301)."""
    given = inputs.get("loggingConfig")
    if not given or given.get("logFormat") != "JSON":
        return {}
    levels = {"applicationLogLevel": "INFO", "systemLogLevel": "INFO"}
    return {"loggingConfig": levels | given}


def function_limits(inputs: Mapping[str, Any]) -> dict[str, str]:
    """The quotas of docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html and of
    docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html (read 2026-11-29).

    The error of AWS quotes the variables as JSON ("String measured: {...}"), so it measures them
    so. An unknown value has the length that a preview gives it.
    """
    found = {}
    variables = (inputs.get("environment") or {}).get("variables") or {}
    size = len(json.dumps(variables, separators=(",", ":")).replace(UNKNOWN, "").encode())
    if size > 4096:
        found["environment"] = f"{size} bytes of variables exceed the 4 KB limit"
    network = inputs.get("vpcConfig") or {}
    for name, most in (("securityGroupIds", 5), ("subnetIds", 16)):
        if isinstance(given := network.get(name), list) and len(given) > most:
            found["vpcConfig"] = f"{len(given)} {name} are more than {most}"
    return found
