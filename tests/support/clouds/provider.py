"""A provider plugin for the engine that manages a simulated cloud."""

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import Any, NoReturn

import grpc  # type: ignore[import-untyped]  # it ships no types
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from pulumi.runtime.rpc import UNKNOWN

from tests.support.clouds.kinds import Facts, Kind, at, fill
from tests.support.clouds.schema import Schema, UnknownTypeError, schema, sdk
from tests.support.clouds.world import Operation, World

Properties = dict[str, Any]


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Checks, creates, updates, deletes and reads resources of the types in one table."""

    SUFFIX = 7
    """Length of the suffix of a generated name."""

    def __init__(self, package: str, kinds: Mapping[str, Kind], region: str) -> None:
        self._package = package
        self._kinds = kinds
        self._region = region
        self._tags: Properties = {}
        self.world = World.here(package)

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Report the features: autonaming, no secrets; the engine marks secrets itself."""
        return provider_pb2.ProviderHandshakeResponse(supports_autonaming_configuration=True)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Report the version that the installed SDK requires."""
        info = json.loads((sdk(self._package) / "pulumi-plugin.json").read_text())
        return plugin_pb2.PluginInfo(version=info["version"])

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Accept every configuration."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Never replace a provider; its resources get another region or other tags."""
        changes = provider_pb2.DiffResponse.DiffChanges
        changed = _plain(request.old_inputs) != _plain(request.news)
        return provider_pb2.DiffResponse(
            changes=changes.DIFF_SOME if changed else changes.DIFF_NONE
        )

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Store the configuration; there are no credentials."""
        self.configured(_plain(request.args))
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Generate a missing name, and reject invalid inputs."""
        token = _type(request.urn)
        kind, known = self.kind(token, context)
        olds = _plain(request.olds)
        given = {key: _document_as_text(value) for key, value in _plain(request.news).items()}
        suffix = hashlib.sha256(request.randomSeed).hexdigest()[: self.SUFFIX]
        fresh = request.autonaming.proposed_name or f"{_name(request.urn)}-{suffix}"
        news = self.named(kind, known, fresh, olds, given)
        failures = [
            provider_pb2.CheckFailure(property=name, reason=reason)
            for name, reason in self.refusals(token, kind, known, olds, news)
        ]
        return provider_pb2.CheckResponse(inputs=_struct(news), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Compare inputs, the provider's tags and its region; an immutable input replaces."""
        kind, known = self.kind(_type(request.urn), context)
        olds, news = _plain(request.old_inputs), _plain(request.news)
        outputs = _plain(request.olds)
        ignored = set(request.ignoreChanges)
        changed = {
            key for key in (olds.keys() | news.keys()) - ignored if olds.get(key) != news.get(key)
        }
        stored = kind.stored(news).items()
        changed |= {key for key, value in stored if value != news.get(key)} - ignored
        changed |= {key for key in kind.waits if key in news and outputs.get(key) != news[key]}
        fixed = {path.split(".")[0] for path in kind.replace if at(olds, path) != at(news, path)}
        for key, value in self._of_provider(known, news).items():
            if outputs.get(key) != value:
                changed.add(key)
                fixed |= {key} if key == "region" else set()
        changes = provider_pb2.DiffResponse.DiffChanges
        replaces = sorted(changed & fixed)
        return provider_pb2.DiffResponse(
            changes=changes.DIFF_SOME if changed else changes.DIFF_NONE,
            diffs=sorted(changed),
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and self.deletes_first(olds, news),
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Create a resource; in a preview the computed outputs are unknown."""
        token, name, inputs = _type(request.urn), _name(request.urn), _plain(request.properties)
        kind, known = self.kind(token, context)
        if request.preview:
            unknown = dict.fromkeys(self._computed(kind, known, inputs), UNKNOWN)
            return provider_pb2.CreateResponse(properties=_struct(unknown | inputs))
        self._fail_if_planned(token, name, "create", context)
        facts = Facts(token=token, logical=name, region=self._region, inputs=inputs)
        with self.world.change() as resources:
            if refused := self.refused(token, inputs, resources):
                abort(context, grpc.StatusCode.INVALID_ARGUMENT, refused)
            if lacking := self.lacking(facts, resources):
                abort(context, grpc.StatusCode.NOT_FOUND, lacking)
            identity = ""
            for salt in count():
                facts = replace(facts, salt=salt)
                again, identity = identity, self.identity(kind, facts)
                if f"{token} {identity}" not in resources:
                    break
                if again == identity:
                    abort(context, grpc.StatusCode.ALREADY_EXISTS, f"{identity} exists already")
            outputs = self.made(kind, known, facts, identity)
            outputs |= kind.stored(inputs) | self.world.answers(token, name)
            row = {"type": token, "name": name, "id": identity, "outputs": outputs}
            resources[f"{token} {identity}"] = row
        self._fail_if_planned(token, name, "create", context, after=True)
        return provider_pb2.CreateResponse(id=identity, properties=_struct(outputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Update a resource in place; computed outputs stay."""
        token, name, news = _type(request.urn), _name(request.urn), _plain(request.news)
        kind, known = self.kind(token, context)
        olds = _plain(request.old_inputs)
        before = _plain(request.olds)
        outputs = self.changed(token, known, before, olds, news) | kind.stored(news)
        if not news.get("applyImmediately"):
            outputs |= {key: before[key] for key in kind.waits if key in before}
        if not request.preview:
            if refused := self.refused(token, news, self.world.resources()):
                abort(context, grpc.StatusCode.INVALID_ARGUMENT, refused)
            self._fail_if_planned(token, name, "update", context)
            for key, order in kind.sizes.items():
                if order.index(news[key]) < order.index(olds[key]):
                    smaller = f"{key} {olds[key]} cannot become {news[key]}, which is smaller"
                    abort(context, grpc.StatusCode.FAILED_PRECONDITION, smaller)
            with self.world.change() as resources:
                found = resources.get(f"{token} {request.id}")
                if found is None:
                    abort(context, grpc.StatusCode.NOT_FOUND, f"{token} {request.id} is gone")
                found["outputs"] = outputs
        return provider_pb2.UpdateResponse(properties=_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete a resource, or nothing when it does not exist."""
        token = _type(request.urn)
        self._fail_if_planned(token, _name(request.urn), "delete", context)
        with self.world.change() as resources:
            found = resources.get(f"{token} {request.id}", {"outputs": {}})
            if found["outputs"].get("deletionProtection"):
                protected = f"{request.id} is not deleted: deletionProtection is on"
                abort(context, grpc.StatusCode.FAILED_PRECONDITION, protected)
            resources.pop(f"{token} {request.id}", None)
        return empty_pb2.Empty()

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the current resource, or nothing when it does not exist."""
        token = _type(request.urn)
        _, known = self.kind(token, context)
        found = self.world.resources().get(f"{token} {request.id}")
        if found is None:
            return provider_pb2.ReadResponse()
        outputs = found["outputs"]
        given = _plain(request.inputs) or dict.fromkeys(known.inputs)
        return provider_pb2.ReadResponse(
            id=request.id, properties=_struct(outputs), inputs=_struct(_of_shape(outputs, given))
        )

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Reject: the stacks call no functions."""
        abort(context, grpc.StatusCode.UNIMPLEMENTED, f"{request.tok} is not simulated")

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Do nothing: every operation is short."""
        return empty_pb2.Empty()

    def configured(self, given: Properties) -> None:
        """Store the region and the default tags."""
        self._region = str(given.get("region") or self._region)
        # Bridged providers receive nested values as JSON.
        tags = given.get("defaultTags") or "{}"
        self._tags = (json.loads(tags) if isinstance(tags, str) else tags).get("tags") or {}

    def kind(self, token: str, context: Any) -> tuple[Kind, Schema]:
        """Row and schema of a type, or an error for the engine."""
        try:
            return self._kinds[token], schema(token)
        except (KeyError, UnknownTypeError):
            file = f"tests/support/clouds/{self._package}.py"
            missing = f"{token} is not simulated: add a row to {file}"
            abort(context, grpc.StatusCode.UNIMPLEMENTED, missing)

    def named(
        self, kind: Kind, known: Schema, fresh: str, olds: Properties, news: Properties
    ) -> Properties:
        """The inputs with a name, which an update keeps."""
        has_name = kind.name in news or f"{kind.name}Prefix" in news
        if has_name or kind.name not in known.inputs - known.required:
            return news
        return news | {kind.name: olds.get(kind.name) or fresh}

    def refusals(
        self, token: str, kind: Kind, known: Schema, olds: Properties, news: Properties
    ) -> Iterator[tuple[str, str]]:
        """Properties that the cloud would reject, with reasons."""
        for name in sorted(known.required - news.keys()):
            yield name, "is required and missing"
        for name in sorted(news.keys() - known.inputs):
            yield name, "is no input of this type"
        for name, allowed in kind.choices.items():
            if name in news and news[name] not in (*allowed, UNKNOWN):
                yield name, f"{news[name]!r} is none of {', '.join(allowed)}"
        for name, (low, high) in kind.between.items():
            if name in news and news[name] != UNKNOWN and not low <= news[name] <= high:
                yield name, f"{news[name]:g} is not between {low} and {high}"
        yield from kind.refused(news).items()
        if kind.unique and (value := news.get(kind.name)) != olds.get(kind.name):
            if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", str(value)):
                yield kind.name, f"{value!r} is no bucket name: 3 to 63 of a-z, 0-9, . and -"
            elif self.world.is_taken(str(value)):
                yield kind.name, f"{value!r} is taken by another account"

    def deletes_first(self, olds: Properties, news: Properties) -> bool:
        """True when a replacement requires that the old resource is deleted first."""
        return False

    def refused(self, token: str, inputs: Properties, resources: Mapping[str, Any]) -> str:
        """The cloud's error for inputs, at a creation and at an update; a preview has none."""
        return ""

    def lacking(self, facts: Facts, resources: Mapping[str, Any]) -> str:
        """The cloud's error when a required resource does not exist."""
        return ""

    def identity(self, kind: Kind, facts: Facts) -> str:
        """The id of a new resource."""
        return str(fill(kind.id, facts.words()))

    def made(self, kind: Kind, known: Schema, facts: Facts, identity: str) -> Properties:
        """The outputs of a new resource."""
        words = facts.words() | {"id": identity}
        outputs = {
            # An input that was not given is empty unless a row has a value.
            name: known.filler(name, "" if name in known.inputs else f"{name}-{words['hex']}")
            for name in known.always
            if not name.endswith("Prefix")
        }
        for template in [
            kind.outputs,
            *(more for when, more in kind.given.items() if facts.inputs.get(when)),
        ]:
            outputs |= fill(template, words)
        if "namePrefix" in facts.inputs:
            outputs["name"] = words["name"]
        given = {name: _over(outputs.get(name), value) for name, value in facts.inputs.items()}
        return outputs | given | self._of_provider(known, facts.inputs)

    def changed(
        self, token: str, known: Schema, outputs: Properties, olds: Properties, news: Properties
    ) -> Properties:
        """The outputs of a resource after a change of its inputs."""
        dropped = olds.keys() - news.keys() - known.always.keys()
        kept = {key: value for key, value in outputs.items() if key not in dropped}
        given = {name: _over(kept.get(name), value) for name, value in news.items()}
        return kept | given | self._of_provider(known, news)

    def _computed(self, kind: Kind, known: Schema, inputs: Properties) -> set[str]:
        """Names of the computed outputs."""
        conditional = {k for when, more in kind.given.items() if inputs.get(when) for k in more}
        conditional |= {"name"} if "namePrefix" in inputs else set()
        return (known.always.keys() | kind.outputs.keys() | conditional) - inputs.keys()

    def _of_provider(self, known: Schema, inputs: Mapping[str, Any]) -> Properties:
        """Outputs from the provider's configuration."""
        found: Properties = {}
        if "tagsAll" in known.always:
            found["tagsAll"] = self._tags | (inputs.get("tags") or {})
        if "region" in known.always and self._package == "aws":
            found["region"] = inputs.get("region") or self._region
        return found

    def _fail_if_planned(
        self, token: str, name: str, what: Operation, context: Any, *, after: bool = False
    ) -> None:
        if message := self.world.failure(token, name, what, after=after):
            abort(context, grpc.StatusCode.INTERNAL, message)


def serve(provider: Provider) -> None:
    """Print the port for the engine, and serve until the engine ends this process."""
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


def abort(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    """Answer the engine with an error."""
    context.abort(code, message)
    raise AssertionError("abort raises")


def _document_as_text(value: Any) -> Any:
    """A policy document as text, like the bridged provider; unknown if a part is."""
    if not isinstance(value, dict) or "Statement" not in value:
        return value
    text = json.dumps(value, sort_keys=True)
    return UNKNOWN if UNKNOWN in text else text


def _plain(properties: struct_pb2.Struct) -> Properties:
    found: Properties = json_format.MessageToDict(properties)
    return {key: value for key, value in found.items() if not key.startswith("__")}


def _over(live: Any, given: Any) -> Any:
    """The given value with the fields that the cloud added, at any depth."""
    if isinstance(live, dict) and isinstance(given, dict):
        return live | {key: _over(live.get(key), value) for key, value in given.items()}
    return given


def _of_shape(live: Any, given: Any) -> Any:
    """The current value without the fields that the cloud added, at any depth."""
    if isinstance(live, dict) and isinstance(given, dict):
        return {key: _of_shape(live[key], given[key]) for key in given if key in live}
    return live


def _struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(dict(properties), struct_pb2.Struct())


def _type(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", 1)[-1]


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]
