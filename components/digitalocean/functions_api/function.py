"""A function in a Functions namespace, as a resource."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pulumi
from pulumi import dynamic
from pulumi.runtime.rpc import UNKNOWN

from build.bundle import TARGETS
from components.digitalocean.functions_api.client import FunctionsApi
from components.digitalocean.functions_api.http import ApiError
from components.dynamic_provider import DynamicProvider

RUNTIME = TARGETS["digitalocean"].runtime

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_LIMITS = {
    "timeout_ms": (100, 900_000),
    "memory_mb": (128, 1024),
    "logs_kb": (1, 256),
}
"""docs.digitalocean.com/products/functions/details/limits, 17 January 2025."""

_CODE_KEY = "code-key"
"""Annotation with the bundle's key. Another deployer drops it, which a refresh detects."""


class _Provider(DynamicProvider):
    replacing = ("namespace", "package", "name")
    inputs = (
        *replacing,
        "kind",
        "main",
        "code_key",  # and not code_path, which differs from machine to machine
        "web",
        "timeout_ms",
        "memory_mb",
        "logs_kb",
        "environment",
    )

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        failures = []
        if not _NAME.fullmatch(news["name"]):
            rule = (
                f"is {news['name']!r}, but must have at most 63 lower-case letters, digits and "
                "hyphens, and start with a letter"
            )
            failures.append(dynamic.CheckFailure("name", rule))
        for name, (low, high) in _LIMITS.items():
            if news[name] != UNKNOWN and not low <= news[name] <= high:
                rule = f"is {int(news[name])}, but the limits are {low} to {high}"
                failures.append(dynamic.CheckFailure(name, rule))
        return dynamic.CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        name = f"{props['package']}/{props['name']}"
        action = _action(props)
        with FunctionsApi.open() as api:
            actions = api.actions(props["namespace"])
            try:
                actions.put_action(name, action)
            except ApiError as error:
                if error.unsure:
                    actions.delete_action(name)
                raise
        return dynamic.CreateResult(f"{props['namespace']}/{name}", _outputs(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with FunctionsApi.open() as api:
            if api.namespace(props["namespace"]) is None:
                return dynamic.ReadResult("", {})
            action = api.actions(props["namespace"]).action(f"{props['package']}/{props['name']}")
        if action is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**_outputs(props), **_state(action)})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        with FunctionsApi.open() as api:
            name = f"{news['package']}/{news['name']}"
            api.actions(news["namespace"]).put_action(name, _action(news))
        return dynamic.UpdateResult(_outputs(news))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        with FunctionsApi.open() as api:
            if api.namespace(props["namespace"]) is not None:
                name = f"{props['package']}/{props['name']}"
                api.actions(props["namespace"]).delete_action(name)


class Function(dynamic.Resource, module="digitalocean", name="Function"):
    """A function in a package of a namespace."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Input[str],
        package: pulumi.Input[str],
        function: str,
        code_path: Path | None,
        code_key: str,
        main: str = "main",
        web: Literal["raw", "no"],
        timeout_ms: int,
        memory_mb: int,
        logs_kb: int = 64,
        environment: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        function: Its name in the package.
        code_path: The zip file, read on create and update; None in a plan.
        code_key: Hash of the zip's content.
        main: The handler in the zip's `__main__.py`.
        web: `raw` serves HTTP to everyone; `no` requires an access key.
        timeout_ms: For one call, its cold start included.
        environment: Environment variables; values may be secret.
        """
        super().__init__(
            _Provider(),
            name,
            {
                "namespace": namespace,
                "package": package,
                "name": function,
                "kind": RUNTIME,
                "main": main,
                "code_path": str(code_path or ""),
                "code_key": code_key,
                "web": web,
                "timeout_ms": timeout_ms,
                "memory_mb": memory_mb,
                "logs_kb": logs_kb,
                "environment": dict(environment),
            },
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["environment"])
            ),
        )


def _action(props: Mapping[str, Any]) -> dict[str, Any]:
    """The action in OpenWhisk's form, with the annotations of DigitalOcean's deployer."""
    path = Path(props["code_path"])
    if not path.is_file():
        raise FileNotFoundError(
            f"The bundle of the function {props['name']!r} is missing: {path}. "
            "Run ./seamless up, which builds it."
        )
    web = props["web"] == "raw"
    return {
        "exec": {
            "kind": props["kind"],
            "binary": True,
            "code": base64.b64encode(path.read_bytes()).decode(),
            "main": props["main"],
        },
        "limits": {
            "timeout": int(props["timeout_ms"]),
            "memory": int(props["memory_mb"]),
            "logs": int(props["logs_kb"]),
        },
        "parameters": [
            {"key": key, "value": value, "init": True}
            for key, value in sorted(props["environment"].items())
        ],
        "annotations": [
            {"key": "final", "value": True},
            {"key": "web-export", "value": web},
            {"key": "raw-http", "value": web},
            {"key": "require-whisk-auth", "value": False},
            {"key": _CODE_KEY, "value": props["code_key"]},
        ],
    }


def _state(action: Mapping[str, Any]) -> dict[str, Any]:
    """The deployed action in the form of the inputs."""
    annotations = {item["key"]: item["value"] for item in action["annotations"]}
    raw = annotations.get("web-export") and annotations.get("raw-http")
    return {
        "kind": action["exec"]["kind"],
        "timeout_ms": action["limits"]["timeout"],
        "memory_mb": action["limits"]["memory"],
        "logs_kb": action["limits"]["logs"],
        "web": "raw" if raw else "other" if annotations.get("web-export") else "no",
        "environment": {
            item["key"]: item["value"] for item in action["parameters"] if item.get("init")
        },
        "code_key": annotations.get(_CODE_KEY, ""),
    }


def _outputs(props: Mapping[str, Any]) -> dict[str, Any]:
    return {name: props[name] for name in (*_Provider.inputs, "code_path")}
