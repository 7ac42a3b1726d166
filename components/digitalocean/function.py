"""One function at DigitalOcean, as a resource."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pulumi
from pulumi import dynamic
from pulumi.runtime.rpc import UNKNOWN

from components.bundle import TARGETS
from components.digitalocean.functions_api import FunctionsApi
from components.digitalocean.http import ApiError

RUNTIME = TARGETS["digitalocean"].runtime

_REPLACING = ("namespace", "package", "name")
_INPUTS = (
    *_REPLACING,
    "kind",
    "main",
    "code_key",
    "web",
    "timeout_ms",
    "memory_mb",
    "logs_kb",
    "environment",
)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_LIMITS = {
    "timeout_ms": (100, 900_000),
    "memory_mb": (128, 1024),
    "logs_kb": (1, 256),
}
"""docs.digitalocean.com/products/functions/details/limits, 17 January 2025."""

_CODE_KEY = "code-key"
"""Annotation of ours: which bundle this is. Whoever deploys past us drops it, and is seen."""


class _Provider(dynamic.ResourceProvider):
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        failures = []
        if not _NAME.fullmatch(news["name"]):
            rule = f"is {news['name']!r}, but must be a lower-case word of up to 63 letters"
            failures.append(dynamic.CheckFailure("name", rule))
        for name, (low, high) in _LIMITS.items():
            if news[name] != UNKNOWN and not low <= news[name] <= high:
                rule = f"is {int(news[name])}, but the platform takes {low} to {high}"
                failures.append(dynamic.CheckFailure(name, rule))
        return dynamic.CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        name = f"{props['package']}/{props['name']}"
        action = _action(props)
        with FunctionsApi.open() as api, api.actions(props["namespace"]) as actions:
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
            with api.actions(props["namespace"]) as actions:
                found = actions.action(f"{props['package']}/{props['name']}")
        if found is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**_outputs(props), **_seen(found)})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [name for name in _REPLACING if olds.get(name) != news.get(name)]
        return dynamic.DiffResult(
            # Not the bundle's path: it is another on every machine.
            changes=any(olds.get(name) != news.get(name) for name in _INPUTS),
            replaces=replaces,
        )

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        with FunctionsApi.open() as api, api.actions(news["namespace"]) as actions:
            actions.put_action(f"{news['package']}/{news['name']}", _action(news))
        return dynamic.UpdateResult(_outputs(news))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        with FunctionsApi.open() as api:
            if api.namespace(props["namespace"]) is not None:
                with api.actions(props["namespace"]) as actions:
                    actions.delete_action(f"{props['package']}/{props['name']}")


class Function(dynamic.Resource, module="digitalocean", name="Function"):
    """One function of a namespace's package."""

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
        code_path: The zip, read when the function is made or changed; a plan has none.
        code_key: Changes when the zip's content does.
        main: The handler in the zip's `__main__.py`.
        web: `raw` answers HTTP from anybody, `no` answers only who has a key.
        timeout_ms: Of one call, its start included.
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
    """The body that OpenWhisk takes, with the annotations that DigitalOcean's deployer sets."""
    path = Path(props["code_path"])
    if not path.is_file():
        raise FileNotFoundError(
            f"The function {props['name']!r} needs its bundle, but {path} is not there. "
            "Run ./seamless up: it builds the bundle first."
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


def _seen(action: Mapping[str, Any]) -> dict[str, Any]:
    """What the platform says it runs, in the words of our inputs."""
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
    return {name: props[name] for name in (*_INPUTS, "code_path")}
