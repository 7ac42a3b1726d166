"""A scheduled trigger of a function, as a resource."""

import re
from typing import Any

import pulumi
from pulumi import dynamic

from components.digitalocean.functions_api.client import FunctionsApi
from components.digitalocean.functions_api.http import ApiError
from components.dynamic_provider import DynamicProvider

_CRON = re.compile(r"[\d*/,-]+( [\d*/,-]+){4}")


class _Provider(DynamicProvider):
    replacing = ("namespace", "name", "function")
    inputs = (*replacing, "cron", "enabled")
    delete_before_replace = True

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        failures = []
        if not _CRON.fullmatch(news["cron"]):
            rule = f"is {news['cron']!r}, but must have five fields, as in '*/5 * * * *'"
            failures.append(dynamic.CheckFailure("cron", rule))
        return dynamic.CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        namespace, name = props["namespace"], props["name"]
        with FunctionsApi.open() as api:
            try:
                api.create_trigger(
                    namespace, name=name, function=props["function"], cron=props["cron"]
                )
            except ApiError as error:
                if error.unsure:
                    api.delete_trigger(namespace, name)
                raise
        return dynamic.CreateResult(f"{namespace}/{name}", _outputs(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with FunctionsApi.open() as api:
            trigger = api.trigger(props["namespace"], props["name"])
        if trigger is None:
            return dynamic.ReadResult("", {})
        state = {"function": trigger.function, "cron": trigger.cron, "enabled": trigger.enabled}
        return dynamic.ReadResult(id_, {**_outputs(props), **state})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        with FunctionsApi.open() as api:
            api.update_trigger(news["namespace"], news["name"], cron=news["cron"])
        return dynamic.UpdateResult(_outputs(news))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        with FunctionsApi.open() as api:
            api.delete_trigger(props["namespace"], props["name"])


class Trigger(dynamic.Resource, module="digitalocean", name="Trigger"):
    """Calls a function on a schedule."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Input[str],
        trigger: str,
        function: pulumi.Input[str],
        cron: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        trigger: Its name in the namespace.
        function: `package/name`.
        cron: Five fields, in UTC.
        """
        super().__init__(
            _Provider(),
            name,
            {
                "namespace": namespace,
                "name": trigger,
                "function": function,
                "cron": cron,
                "enabled": True,
            },
            opts,
        )


def _outputs(props: dict[str, Any]) -> dict[str, Any]:
    return {name: props[name] for name in _Provider.inputs}
