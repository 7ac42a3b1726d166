"""A mock of Pulumi's engine that records every resource a program registers in a preview."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import configure, get_project, get_stack
from pulumi.runtime.stack import run_in_stack

from analysis import PlanError
from policies.resource import Resource, from_wire, make_urn


class Monitor(mocks.MockMonitor):
    """Records every registration and answers like a preview.

    Inputs are known, what a provider would compute is unknown. No provider runs.
    """

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # no mocks: every call is answered below
        self.planned: list[Resource] = []
        self.stack_outputs: dict[str, Any] = {}
        self._stack_urn = ""

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN as the engine makes it; the SDK's own mock leaves out most ancestors."""
        stack, project = get_stack(), get_project()
        return make_urn(stack, project, type_, name, self._below_stack(parent))

    def _below_stack(self, parent: str) -> str | None:
        return parent if parent and parent != self._stack_urn else None

    def Invoke(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        raise PlanError(
            f"The program calls the provider function {request.tok}, and a plan has no provider. "
            "Pass the value as an argument or as config."
        )

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        answer = resource_pb2.RegisterResourceResponse(
            urn=self.make_urn(request.parent, request.type, request.name), object=request.object
        )
        if request.type == "pulumi:pulumi:Stack":
            self._stack_urn = answer.urn
            return answer
        if request.type.startswith("kubernetes:"):
            _name_object(answer.object, request.name)
        for name, value in request.object.items():
            if isinstance(value, Struct) and "Statement" in value:
                # A policy document given as an object: the AWS provider answers with its JSON text.
                answer.object[name] = rpc.UNKNOWN
        for name in request.additionalSecretOutputs:
            answer.object[name] = {
                rpc._special_sig_key: rpc._special_secret_sig,
                "value": rpc.UNKNOWN,
            }
        inputs = MessageToDict(request.object)
        inputs.pop("__provider", None)
        self.planned.append(
            Resource(
                urn=answer.urn,
                parent=self._below_stack(request.parent),
                inputs=from_wire(inputs),
                protect=request.protect,
                uses={
                    key: sorted(made_from.urns)
                    for key, made_from in sorted(request.propertyDependencies.items())
                    if made_from.urns
                },
                ignores=list(request.ignoreChanges),
                replaced_by=list(request.replaceOnChanges),
                aliases=[alias.urn for alias in request.aliases],
            )
        )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        if request.urn == self._stack_urn:
            self.stack_outputs = from_wire(MessageToDict(request.outputs))
        return empty_pb2.Empty()


def observe(
    program: Callable[[], None],
    *,
    project: str,
    stack: str,
    config: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
) -> Monitor:
    """Run a program as a preview does and return the monitor with its resources and outputs.

    Args:
        config: Values by full key: `project:key`.
        secrets: The full keys in `config` that are secret.
    """
    monitor = Monitor()

    async def run() -> None:
        # `set_mocks` would register a second root stack, which would receive the outputs.
        features = set(monitor.GetDeploymentInfo(None).supportedFeatures)  # type: ignore[no-untyped-call]
        configure(
            mocks.MockSettings(  # type: ignore[no-untyped-call]
                monitor=monitor,
                monitor_features=features,
                engine=mocks.MockEngine(None),
                project=project,
                stack=stack,
                dry_run=True,
            )
        )
        set_all_config(dict(config or {}), list(secrets))
        await run_in_stack(program)

    asyncio.run(run())
    return monitor


def _name_object(answered: Struct, name: str) -> None:
    """Name a Kubernetes object, as its provider does before it creates the object."""
    metadata = answered.get_or_create_struct("metadata")
    if "name" not in metadata:
        metadata["name"] = f"{name}-{'0' * 8}"
