"""The config of a stack: one schema, from which everything else about config is made.

The fields of `StackConfig` are the keys. Their types, constraints, defaults and texts make the
reading of `pulumi.Config`, its errors, and the `config:` block of `Pulumi.yaml`.
"""

import ast
import inspect
import re
from collections.abc import Collection, Mapping
from ipaddress import IPv4Network
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

import msgspec
import pulumi
from msgspec import Meta, Struct
from pulumi.runtime.config import is_config_secret

from catalog.providers import PROVIDERS
from components.digitalocean.log_destinations import EXAMPLE, problem
from functions.inference.endpoint import BaseUrl, ContextTokens, Endpoint, InferenceMode, Price
from sizing.models import MODELS
from stacks import names
from stacks.errors import ConfigError, StackNameError

Variant = Literal["integrated", "split", "local"]

PROVIDER: Mapping[Variant, str] = {"integrated": "digitalocean", "split": "fireworks"}
"""Default inference provider of each variant that uses one."""


def _one_of(allowed: Collection[str]) -> Meta:
    pattern = rf"^({'|'.join(map(re.escape, allowed))})\Z"
    return Meta(pattern=pattern, extra_json_schema={"errorMessage": f"one of {', '.join(allowed)}"})


Secret = pulumi.Output[str] | None
"""A value that must be encrypted in the stack's file. None: not set."""


class StackConfig(Struct, frozen=True, kw_only=True):
    """Everything that can be set for a stack; the text below a key is its description.

    An empty text or None takes the variant's default.
    """

    variant: Variant = "local"
    """Where the parts run: integrated (DigitalOcean), split (AWS and an inference provider) or
    local (this machine)."""
    environment: Literal["dev", "prod"] = "dev"
    """Size and retention. prod has larger machines, standbys where the cloud has them, and longer
    retention of logs and backups."""
    protect: Annotated[bool | None, Meta(examples=["true"])] = None
    """true or false: refuse to delete documents, database and a cluster's weights. It changes no
    size. Empty: true in prod, false in dev."""
    inference_mode: InferenceMode = "serverless"
    """Where inference runs: at a provider, on GPUs that a provider runs for us, or on a cluster of
    our own (not offered by local)."""
    inference_provider: Annotated[str, _one_of(PROVIDERS)] = ""
    """Provider of serverless inference. Empty: digitalocean for integrated, fireworks for split."""
    inference_url: BaseUrl = ""
    """Base URL of an OpenAI-compatible endpoint, ending in /v1, that replaces the variant's own.
    Empty: the variant's own."""
    inference_model: str = ""
    """Model name for requests. Empty: the provider's gpt-oss-120b."""
    inference_api_key: Secret = None
    """Key of inference_url or of the provider, set with --secret. For an endpoint without
    authentication, any text."""
    inference_context_tokens: ContextTokens | None = None
    """Limit of prompt and answer together, in tokens. Empty: the provider's, or 8192 at
    inference_url."""
    inference_input_usd_per_million: Price | None = None
    """US dollars per million prompt tokens. Empty: the provider's, or unknown at inference_url."""
    inference_output_usd_per_million: Price | None = None
    """US dollars per million answer tokens. Empty: the provider's, or unknown at inference_url."""
    inference_endpoints: tuple[Endpoint, ...] = ()
    """Further endpoints in order of preference:
    pulumi config set --path 'inference_endpoints[0].name' spare."""
    inference_endpoint_keys: Annotated[Secret, Meta(extra_json_schema={"type": "object"})] = None
    """Keys of the further endpoints by name:
    pulumi config set --secret --path 'inference_endpoint_keys.spare'."""
    fallback: Literal["none", "serverless"] = "none"
    """Endpoint that is called when a dedicated or cluster endpoint fails; serverless is the
    variant's own. With dedicated at split, and at local with inference_url, use
    inference_endpoints instead: there the configured URL is the primary endpoint."""
    gpu_model: Annotated[str, _one_of(MODELS)] = "gpt-oss-120b"
    """Model on your own GPUs (cluster, and dedicated at DigitalOcean)."""
    gpu_type: str = ""
    """GPU or machine for the model. Empty: the cheapest that fits."""
    gpu_context_tokens: ContextTokens = 32_768
    """Limit of prompt and answer together, in tokens."""
    gpu_concurrency: Annotated[int, Meta(ge=1, le=4096)] = 8
    """Requests of gpu_context_tokens that one replica holds at once; more wait."""
    gpu_minimum: Annotated[int, Meta(ge=0, le=64)] = 1
    """Replicas that always run. 0: scale to zero when idle."""
    gpu_maximum: Annotated[int, Meta(ge=1, le=64)] = 2
    """Replicas that run at most."""
    gpu_headroom: Annotated[int, Meta(ge=0, le=64)] = 0
    """Replicas for which a GPU is kept free, and paid, for a start without waiting for a node."""
    gpu_sharing: str = "exclusive"
    """How pods share a GPU of the cluster: exclusive, mig:PROFILE, mps:N, time-slicing:N, dra, or
    amd-partition:MODE."""
    gpu_device_group: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Group ID that may open the GPU devices on a node (docs/traps.md, AMD). 0: none."""
    gpu_model_revision: str = ""
    """Commit of the weights at Hugging Face. Empty: the one of the catalogue, if it has one."""
    hugging_face_token: Secret = None
    """Token of an account that accepted the licence of a gated model, set with --secret."""
    kubernetes_version: str = ""
    """Minor version of the cluster, such as 1.35. Empty: the tested version."""
    cluster_prometheus: str = ""
    """URL of a Prometheus of the Prometheus operator that the cluster already has. Empty: one is
    installed."""
    notebook_people: Annotated[int, Meta(ge=0, le=1000)] = 0
    """Concurrent users of JupyterHub on the cluster. 0: not installed."""
    cluster_region: str = ""
    """integrated: region of the cluster, which may be another than that of the functions. Empty:
    atl1."""
    cluster_api_cidrs: Annotated[tuple[IPv4Network, ...], Meta(examples=["192.0.2.7/32"])] = ()
    """split: IPv4 CIDRs, separated by commas, that may reach the cluster's API over the internet.
    Empty: only from inside the network."""
    region: str = ""
    """Region of the cloud. Empty: tor1 for integrated, us-east-1 for split."""
    bucket_name: Annotated[str, names.BUCKET] = ""
    """Globally unique name of the bucket in a cloud. Empty: a generated name."""
    network_cidr: str = ""
    """split: private IPv4 CIDR of the network, from /16 to /20. Empty: 10.20.0.0/16."""
    network_peers: Annotated[tuple[IPv4Network, ...], Meta(examples=["10.0.0.0/16"])] = ()
    """split: IPv4 CIDRs, separated by commas, of networks that will be peered with this one;
    network_cidr must not overlap them."""
    monthly_budget_usd: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """split: monthly cost in US dollars above which a budget alarm is raised. integrated: no
    effect, since no API of DigitalOcean creates a billing alert."""
    alert_email: str = ""
    """Receives alarms. Empty: no receiver."""
    log_destinations: Secret = None
    """integrated: where the functions' logs are forwarded, as a JSON list, set with --secret:
    datadog, logtail or papertrail. Empty: not forwarded."""
    data_folder: str = ""
    """local: folder for documents, database and logs, relative to the project. Empty:
    .seamless/stacks/STACK."""
    page_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """local: port of the page and the API on 127.0.0.1. 0: a free port, chosen at the first up and
    kept."""

    @property
    def production(self) -> bool:
        """True for the environment prod."""
        return self.environment == "prod"

    @property
    def protected(self) -> bool:
        """True when data must not be deleted by mistake."""
        return self.production if self.protect is None else self.protect

    @property
    def falls_back(self) -> bool:
        """True when a serverless endpoint is called after the primary one fails."""
        return self.fallback == "serverless" and self.inference_mode != "serverless"

    def region_among(self, offered: Collection[str], default: str, rule: str) -> str:
        """The region, or the variant's default.

        Args:
            rule: The beginning of a sentence that ends with the offered regions.

        Raises:
            ConfigError: the region is not offered.
        """
        region = self.region or default
        if region not in offered:
            raise ConfigError("region", repr(region), f"{rule} {', '.join(offered)}", default)
        return region


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
        key: config.require_secret(key) for key in secrets if "writeOnly" in KEYS[key]
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
        except msgspec.DecodeError:
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


def _refused(message: str, values: Mapping[str, Any], secrets: Collection[str]) -> ConfigError:
    """The error for a message of msgspec, such as "Expected `int` <= 64 - at `$.gpu_minimum`"."""
    problem, _, path = message.removesuffix("`").rpartition(" - at `$.")
    key, value, schema = "", values, {"properties": KEYS}  # type: str, Any, Schema
    for name, place in re.findall(r"(\w+)|\[(\d+)\]", path):
        value = value[name or int(place)]
        if name:
            key, schema = f"{key}.{name}".lstrip("."), _resolved(schema["properties"][name])
        elif _is_list(schema):
            key, schema = f"{key}[{place}]", _resolved(schema["items"])
    fields = schema.get("properties", {})
    if unknown := re.fullmatch("Object contains unknown field `(.+)`", problem):
        rule = f"an endpoint has only {', '.join(fields)}"
        return ConfigError(f"{key}.{unknown[1]}", "set", rule, None)
    if missing := re.fullmatch("Object missing required field `(.+)`", problem):
        key, value, schema = f"{key}.{missing[1]}", None, _resolved(fields[missing[1]])
    shown = "not set" if value is None else repr(value)
    if path.split("[")[0] in secrets:
        shown = "not valid"
    if (name := problem.partition(" ")[0]) in fields:  # the struct's own check
        return ConfigError(f"{key}.{name}", "not valid", problem, None)
    rule = problem if problem.startswith("each must") else f"it must be {_rule(schema)}"
    below, example = _example(schema)
    return ConfigError(key, shown, rule, example, below=below)


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


def _example(schema: Schema) -> tuple[str, str]:
    """The path below a key that is set first, and a value that keeps its rule."""
    if _is_list(schema):
        below, example = _example(_resolved(schema["items"]))
        return f"[0]{below}", example
    if "properties" in schema:
        name, field = next(iter(schema["properties"].items()))
        return f".{name}", _example(_resolved(field))[1]
    examples = schema.get("examples") or [schema.get("default") or schema.get("minimum", "")]
    return "", str(examples[0])
