"""The config of a stack: one schema, from which everything else about config is made.

The fields of `StackConfig` are the keys. Their types, constraints, defaults and descriptions make
the reading of `pulumi.Config`, its errors, and the `config:` block of `Pulumi.yaml`.
"""

import re
from collections.abc import Collection, Mapping
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, get_args

import msgspec
import pulumi
from msgspec import Meta, Struct
from pulumi.runtime.config import is_config_secret

from components.log_destinations import EXAMPLE, SERVICES, problem
from components.models import MODELS
from components.providers import PROVIDERS
from functions.endpoint import BaseUrl, ContextTokens, Endpoint, Price, Rung
from stacks import names
from stacks.errors import ConfigError, StackNameError

Variant = Literal["integrated", "split", "local"]

OWN_CONTEXT_TOKENS = 8192
"""Context of an endpoint at `inference_url`, unless the config has it."""

PROVIDER: Mapping[Variant, str] = {"integrated": "digitalocean", "split": "fireworks"}
"""Default inference provider of each variant that uses one."""


def _one_of(allowed: Collection[str]) -> Meta:
    pattern = rf"^({'|'.join(map(re.escape, allowed))})\Z"
    return Meta(pattern=pattern, extra_json_schema={"errorMessage": f"one of {', '.join(allowed)}"})


_ENDPOINT_FIELDS = msgspec.structs.fields(Endpoint)
_REQUIRED = ", ".join(field.name for field in _ENDPOINT_FIELDS if field.required)
_OPTIONAL = ", ".join(field.name for field in _ENDPOINT_FIELDS if not field.required)

Secret = pulumi.Output[str] | None
"""A value that must be encrypted in the stack's file. None: not set."""


class StackConfig(Struct, frozen=True, kw_only=True):
    """Everything that can be set for a stack. An empty text or None takes the variant's default."""

    variant: Annotated[
        Variant,
        Meta(
            description="Where the parts run: integrated (DigitalOcean), split (AWS and an "
            "inference provider) or local (this machine)."
        ),
    ] = "local"
    environment: Annotated[
        Literal["dev", "prod"],
        Meta(
            description="Size and retention. prod has larger machines, standbys where the cloud "
            "has them, and longer retention of logs and backups."
        ),
    ] = "dev"
    protect: Annotated[
        bool | None,
        Meta(
            description="true or false: refuse to delete documents, database and a cluster's "
            "weights. It changes no size. Empty: true in prod, false in dev.",
            examples=["true"],
        ),
    ] = None
    inference_mode: Annotated[
        Rung,
        Meta(description="serverless, dedicated or cluster. local does not offer cluster."),
    ] = "serverless"
    inference_provider: Annotated[
        str,
        _one_of(PROVIDERS),
        Meta(
            description=f"Provider of serverless inference: {', '.join(PROVIDERS)}. Empty: "
            f"{', '.join(f'{name} for {variant}' for variant, name in PROVIDER.items())}.",
            examples=list(PROVIDERS),
        ),
    ] = ""
    inference_url: Annotated[
        BaseUrl,
        Meta(
            description="Base URL of an OpenAI-compatible endpoint, ending in /v1, that replaces "
            "the variant's own. Empty: the variant's own."
        ),
    ] = ""
    inference_model: Annotated[
        str, Meta(description="Model name for requests. Empty: the provider's gpt-oss-120b.")
    ] = ""
    inference_api_key: Annotated[
        Secret,
        Meta(
            description="Key of inference_url or of the provider, set with --secret. For an "
            "endpoint without authentication, any text."
        ),
    ] = None
    inference_context_tokens: (
        Annotated[
            ContextTokens,
            Meta(
                description="Limit of prompt and answer together, in tokens. Empty: the "
                f"provider's, or {OWN_CONTEXT_TOKENS} at inference_url."
            ),
        ]
        | None
    ) = None
    inference_input_usd_per_million: (
        Annotated[Price, Meta(description="US dollars per million prompt tokens. Empty: unknown.")]
        | None
    ) = None
    inference_output_usd_per_million: (
        Annotated[Price, Meta(description="US dollars per million answer tokens. Empty: unknown.")]
        | None
    ) = None
    inference_endpoints: Annotated[
        tuple[Endpoint, ...],
        Meta(
            description="Further endpoints in order of preference, each with "
            f"{_REQUIRED}; optional are {_OPTIONAL}: "
            "pulumi config set --path 'inference_endpoints[0].name' spare."
        ),
    ] = ()
    inference_endpoint_keys: Annotated[
        Secret,
        Meta(
            description="Keys of the further endpoints by name: "
            "pulumi config set --secret --path 'inference_endpoint_keys.spare'.",
            extra_json_schema={"type": "object"},
        ),
    ] = None
    fallback: Annotated[
        Literal["none", "serverless"],
        Meta(
            description="Endpoint that is called when a dedicated or cluster endpoint fails: "
            "none, or serverless (the variant's own)."
        ),
    ] = "none"
    gpu_model: Annotated[
        str,
        _one_of(MODELS),
        Meta(
            description="Model on own GPUs (cluster, and dedicated at DigitalOcean): a name of "
            "docs/sizing.md."
        ),
    ] = "gpt-oss-120b"
    gpu_type: Annotated[
        str, Meta(description="GPU or machine for the model. Empty: the cheapest that fits.")
    ] = ""
    gpu_context_tokens: Annotated[
        ContextTokens, Meta(description="Limit of prompt and answer together, in tokens.")
    ] = 32_768
    gpu_concurrency: Annotated[
        int,
        Meta(
            ge=1,
            le=4096,
            description="Requests of gpu_context_tokens that one replica holds at once; more wait.",
        ),
    ] = 8
    gpu_minimum: Annotated[
        int,
        Meta(ge=0, le=64, description="Replicas that always run. 0: scale to zero when idle."),
    ] = 1
    gpu_maximum: Annotated[int, Meta(ge=1, le=64, description="Replicas that run at most.")] = 2
    gpu_headroom: Annotated[
        int,
        Meta(
            ge=0,
            le=64,
            description="Replicas for which a GPU is kept free, and paid, for a start without "
            "waiting for a node.",
        ),
    ] = 0
    gpu_sharing: Annotated[
        str,
        Meta(
            description="How pods share a GPU of the cluster: exclusive, mig:PROFILE, mps:N, "
            "time-slicing:N, dra, or amd-partition:MODE."
        ),
    ] = "exclusive"
    gpu_device_group: Annotated[
        int,
        Meta(
            ge=0,
            le=65_535,
            description="Group ID that may open the GPU devices on a node (docs/traps.md, AMD). "
            "0: none.",
        ),
    ] = 0
    gpu_model_revision: Annotated[
        str,
        Meta(
            description="Commit of the weights at Hugging Face. Empty: the one of the model "
            "catalogue, if it has one."
        ),
    ] = ""
    hugging_face_token: Annotated[
        Secret,
        Meta(
            description="Token of an account that accepted the licence of a gated model, set "
            "with --secret."
        ),
    ] = None
    kubernetes_version: Annotated[
        str,
        Meta(description="Minor version of the cluster, such as 1.35. Empty: the tested version."),
    ] = ""
    cluster_prometheus: Annotated[
        str,
        Meta(
            description="URL of a Prometheus of the Prometheus operator that the cluster already "
            "has. Empty: one is installed."
        ),
    ] = ""
    notebook_people: Annotated[
        int,
        Meta(
            ge=0,
            le=1000,
            description="Concurrent users of JupyterHub on the cluster. 0: not installed.",
        ),
    ] = 0
    cluster_region: Annotated[
        str,
        Meta(
            description="integrated: region of the cluster, which may differ from that of the "
            "functions. Empty: atl1."
        ),
    ] = ""
    cluster_api_cidrs: Annotated[
        tuple[IPv4Network, ...],
        Meta(
            description="split: IPv4 CIDRs, separated by commas, that may reach the cluster's API "
            "over the internet. Empty: only from inside the network.",
            examples=["192.0.2.7/32"],
        ),
    ] = ()
    region: Annotated[
        str,
        Meta(description="Region of the cloud. Empty: tor1 for integrated, us-east-1 for split."),
    ] = ""
    bucket_name: Annotated[
        str,
        Meta(
            pattern=names.BUCKET,
            description="Globally unique name of the bucket in a cloud. Empty: a generated name.",
            examples=[""],
            extra_json_schema={"errorMessage": names.BUCKET_RULE},
        ),
    ] = ""
    network_cidr: Annotated[
        str,
        Meta(
            description="split: private IPv4 CIDR of the network, from /16 to /20. "
            "Empty: 10.20.0.0/16."
        ),
    ] = ""
    network_peers: Annotated[
        tuple[IPv4Network, ...],
        Meta(
            description="split: IPv4 CIDRs, separated by commas, of networks that will be peered "
            "with this one; network_cidr must not overlap them.",
            examples=["10.0.0.0/16,172.31.0.0/16"],
        ),
    ] = ()
    monthly_budget_usd: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="split: monthly cost in US dollars above which a budget alarm is raised. "
            "integrated: no effect, since no API of DigitalOcean creates a billing alert.",
        ),
    ] = 200
    alert_email: Annotated[str, Meta(description="Receives alarms. Empty: no receiver.")] = ""
    log_destinations: Annotated[
        Secret,
        Meta(
            description="integrated: where the functions' logs are forwarded, as a JSON list, set "
            f"with --secret: {', '.join(SERVICES)}. Empty: not forwarded."
        ),
    ] = None
    data_folder: Annotated[
        str,
        Meta(
            description="local: folder for documents, database and logs, relative to the project. "
            "Empty: .seamless/stacks/STACK."
        ),
    ] = ""
    page_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65_535,
            description="local: port of the page and the API on 127.0.0.1. 0: a free port, chosen "
            "at the first up and kept.",
        ),
    ] = 0

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
        """True when a serverless endpoint answers for the mode's own."""
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
        return _resolved(_DEFINITIONS[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return _resolved(schema["anyOf"][0]) | schema
    return schema


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
    return {key: _project_key(schema) for key, schema in KEYS.items()}


def _project_key(schema: Schema) -> dict[str, Any]:
    kind, default = schema.get("type", "string"), schema["default"]
    described = {"description": schema["description"]}
    if _is_list(schema):
        return {"type": "array", "items": {"type": "object"}, **described, "default": []}
    if kind == "object":
        return {"type": kind, **described, "default": {}}
    if default is None or kind == "array":
        return {"type": "string", **described, "default": ""}
    return {"type": kind, **described, "default": default}


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
    return [str(row.get("name")) for row in rows if isinstance(row, dict)]


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
        rule, most = "it must not be above gpu_maximum", config.gpu_maximum
        raise ConfigError(
            "gpu_minimum", repr(config.gpu_minimum), f"{rule}, which is {most}", str(most)
        )
    if (text := secrets.get("log_destinations")) and (wrong := problem(text)):
        raise ConfigError("log_destinations", "not valid", wrong, EXAMPLE, secret=True)
    taken = list(get_args(Rung))
    keys = secrets.get("inference_endpoint_keys")
    for place, endpoint in enumerate(config.inference_endpoints):
        if endpoint.name in taken:
            rule = (
                f"a name is unique, and the modes' own endpoints have {', '.join(get_args(Rung))}"
            )
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
