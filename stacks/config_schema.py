"""Reading and checking of a stack's config by its schema, `stacks.config.StackConfig`.

The types, constraints, defaults and texts of the fields make the reading of `pulumi.Config`, its
errors, and the `config:` block of `Pulumi.yaml`.
"""

import ast
import inspect
import json
import re
from collections.abc import Collection, Mapping
from ipaddress import IPv4Network
from itertools import pairwise
from typing import Any, get_args

import msgspec
import pulumi
from pulumi.runtime.config import is_config_secret

from components.digitalocean.log_destinations import EXAMPLE, problem
from functions.inference.endpoint import InferenceMode, bearer
from stacks import names
from stacks.config import StackConfig
from stacks.errors import ConfigError, StackNameError

Schema = Mapping[str, Any]
"""A JSON schema; `writeOnly` marks a secret, `errorMessage` has the rule in words."""

(_ROOT,), _DEFINITIONS = msgspec.json.schema_components(
    [StackConfig], schema_hook=lambda kind: {"writeOnly": kind is pulumi.Output}
)


def _resolved(schema: Schema) -> Schema:
    """The schema without references, and of an optional type that of its value."""
    if "$ref" in schema:
        schema = _DEFINITIONS[schema["$ref"].rpartition("/")[2]]
    return {**schema["anyOf"][0], **schema} if "anyOf" in schema else schema


KEYS: Mapping[str, Schema] = {
    key: _resolved(schema) for key, schema in _resolved(_ROOT)["properties"].items()
}
"""The schema of each key."""


def project_config() -> dict[str, dict[str, Any]]:
    """The `config:` block of `Pulumi.yaml`.

    Pulumi writes its defaults into the config of every stack, and demands a default for each key,
    since all are optional. It has no optional types, and its `secret: true` makes a key required.
    So a key whose default is "not set", a secret among them, is a `string` with the default "".
    """
    lines = ast.parse(inspect.getsource(StackConfig)).body[0].body  # type: ignore[attr-defined]
    return {
        (key := ast.unparse(line.target)): _project_key(
            KEYS[key], " ".join(text.value.value.split())
        )
        for line, text in pairwise(lines)
        if isinstance(line, ast.AnnAssign)
    }


def _project_key(schema: Schema, text: str) -> dict[str, Any]:
    kind, default = schema.get("type", "string"), schema["default"]
    if "enum" in schema or "one of" in schema.get("errorMessage", ""):
        text += f" {_rule(schema).capitalize()}."
    if _is_list(schema):
        items = _resolved(schema["items"])
        optional = [name for name in items["properties"] if name not in items["required"]]
        text += f" Each has {', '.join(items['required'])}; optional: {', '.join(optional)}."
        return {"type": kind, "items": {"type": "object"}, "description": text, "default": []}
    if kind == "object":
        default = {}
    elif default is None or kind == "array":
        kind, default = "string", ""
    return {"type": kind, "description": text, "default": default}


def _is_list(schema: Schema) -> bool:
    """True for a list of objects; a list of texts is one text, separated by commas."""
    return "$ref" in schema.get("items", {})


def read(config: pulumi.Config) -> StackConfig:
    """Read and check every value.

    Raises:
        ConfigError: for the first value that breaks its rule.
    """
    if rule := names.broken_by_stack(pulumi.get_stack()):
        raise StackNameError(pulumi.get_stack(), rule)
    values = {
        key: value
        for key, schema in KEYS.items()
        if (value := _parsed((config.get(key) or "").strip(), schema)) not in ("", [], {})
    }
    for key in values:
        if KEYS[key].get("writeOnly") and not is_config_secret(config.full_key(key)):
            raise ConfigError(key, "in plain text", "it must be encrypted", "", secret=True)
    secrets = {key: values[key] for key in values if is_config_secret(config.full_key(key))}
    given = values | {
        key: config.require_secret(key).apply(str.strip)
        for key in secrets
        if "writeOnly" in KEYS[key]
    }
    try:
        found = msgspec.convert(given, StackConfig, strict=False, dec_hook=_custom)
    except msgspec.ValidationError as error:
        raise _refused(str(error), given, secrets) from None
    _check(found, secrets)
    return found


def _parsed(text: str, schema: Schema) -> Any:
    """The value as data; a text that should be JSON and is not stays a text."""
    if _is_list(schema) or schema.get("type") == "object":
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return text
        if isinstance(value, list):  # an endpoint without an order follows the one before it
            return [
                {"order": n} | row if isinstance(row, dict) else row
                for n, row in enumerate(value, 1)
            ]
        return value
    return text.replace(",", " ").split() if schema.get("type") == "array" else text


def endpoint_names(text: str) -> list[str]:
    """The names in a text of `inference_endpoints`, whatever else is wrong with it."""
    rows = _parsed(text, KEYS["inference_endpoints"])
    known = rows if isinstance(rows, list) else []
    return [str(row.get("name")) for row in known if isinstance(row, dict)]


def _custom(kind: type, value: Any) -> Any:
    if kind is not IPv4Network:
        return value
    try:
        network = IPv4Network(value)
    except ValueError:
        network = None
    if str(network) != value:  # the clouds take no other form
        raise ValueError("each must be an IPv4 CIDR without host bits")
    return network


def _check(config: StackConfig, secrets: Mapping[str, Any]) -> None:
    """Check the rules between keys, and the form of secrets."""
    if config.gpu_minimum > config.gpu_maximum:
        most = str(config.gpu_maximum)
        rule = f"it must not be above gpu_maximum, which is {most}"
        raise ConfigError("gpu_minimum", str(config.gpu_minimum), rule, most)
    if (text := secrets.get("log_destinations")) and (wrong := problem(text)):
        raise ConfigError("log_destinations", "not valid", wrong, EXAMPLE, secret=True)
    for key in ("inference_api_key", "hugging_face_token"):
        _check_header(key, secrets.get(key))
    taken = list(get_args(InferenceMode))
    keys = secrets.get("inference_endpoint_keys")
    for place, endpoint in enumerate(config.inference_endpoints):
        if endpoint.name in taken:
            rule = f"names are unique, and {', '.join(get_args(InferenceMode))} are taken"
            key = f"inference_endpoints[{place}].name"
            raise ConfigError(key, repr(endpoint.name), rule, f"spare-{place + 1}")
        taken.append(endpoint.name)
        if not isinstance(keys, dict) or not keys.get(endpoint.name):
            key, rule = f"inference_endpoint_keys.{endpoint.name}", "the endpoint needs a key"
            raise ConfigError(key, "not set", rule, "", secret=True)
        _check_header(f"inference_endpoint_keys.{endpoint.name}", keys[endpoint.name])


def _check_header(key: str, value: Any) -> None:
    """Check that a header can carry a secret, if it is set."""
    try:
        bearer(str(value or "unset"))
    except ValueError as error:
        raise ConfigError(key, "not valid", f"it {error}", "", secret=True) from None


def _refused(message: str, values: Mapping[str, Any], secrets: Collection[str]) -> ConfigError:
    """The error for a message of msgspec, such as "Expected `int` <= 64 - at `$.gpu_minimum`"."""
    problem, _, path = message.removesuffix("`").rpartition(" - at `$.")
    key, value, schema = "", values, {"properties": KEYS}  # type: str, Any, Schema
    for name, place in re.findall(r"(\w+)|\[(\d+)\]", path):
        value = value[name or int(place)]
        if name:
            key, schema = f"{key}.{name}".lstrip("."), _resolved(schema["properties"][name])
        elif _is_list(schema) or "errorMessage" in schema["items"]:
            key, schema = f"{key}[{place}]", _resolved(schema["items"])
    fields = schema.get("properties", {})
    if unknown := re.fullmatch("(?s)Object contains unknown field `(.*)`", problem):
        name, rule = unknown[1], f"an endpoint has only {', '.join(fields)}"
        below = f".{name}" if re.fullmatch(r"[\w-]+", name) else f"[{json.dumps(name)}]"
        return ConfigError(f"{key}{below}", "set", rule, None)
    if missing := re.fullmatch("Object missing required field `(.+)`", problem):
        key, value, schema = f"{key}.{missing[1]}", None, _resolved(fields[missing[1]])
    shown = "not set" if value is None else repr(value)
    if path.split("[")[0] in secrets:
        shown = "not valid"
    if (name := problem.partition(" ")[0]) in fields:  # the struct's own check
        return ConfigError(f"{key}.{name}", "not valid", problem, None)
    if "properties" in schema or _is_list(schema):  # no path below it can be set
        rule = f"{key} must be {_rule(schema)}"
        return ConfigError(key.partition("[")[0], "not valid", rule, None)
    rule = problem if problem.startswith("each must") else f"it must be {_rule(schema)}"
    return ConfigError(key, shown, rule, _example(schema))


def _rule(schema: Schema) -> str:
    """What a value of this schema must be, in words."""
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    bounds = ""
    if "minimum" in schema:
        highest = schema.get("maximum") or f"below {schema['exclusiveMaximum']}"
        bounds = f" from {schema['minimum']} to {highest}"
    words = {
        "array": "a list",
        "boolean": "true or false",
        "integer": f"a whole number{bounds}",
        "number": f"a number{bounds}",
        "object": "an object",
        "string": "a text that is not empty" if "minLength" in schema else "a text",
    }
    rule: str = schema.get("errorMessage") or words[schema["type"]]
    return rule


def _example(schema: Schema) -> str | None:
    """A value that keeps the rule; None where only an unset key does."""
    default = schema.get("default", "")
    (example, *_) = schema.get("examples") or [default or schema.get("minimum", default)]
    return None if example is None else str(example)
