"""A Functions namespace, as a resource."""

from typing import Any

import pulumi
from pulumi import dynamic

from components.digitalocean.functions_api.client import FunctionsApi, NamespaceInfo, token
from components.digitalocean.regions import FUNCTIONS
from components.dynamic_provider import DynamicProvider


class _Provider(DynamicProvider):
    inputs = replacing = ("label", "region", "package")
    delete_before_replace = True  # a label is unique

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        token()  # fails in the preview, and not in the middle of a deployment
        failures = []
        if not news["label"]:
            failures.append(dynamic.CheckFailure("label", "must not be empty"))
        if news["region"] not in FUNCTIONS:
            rule = f"is {news['region']!r}, but Functions run only in {', '.join(FUNCTIONS)}"
            failures.append(dynamic.CheckFailure("region", rule))
        return dynamic.CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        with FunctionsApi.open() as api:
            created = api.create_namespace(label=props["label"], region=props["region"])
            try:
                api.actions(created.id).put_package(props["package"])
                api.require_triggers(created.id)
            except BaseException:
                api.delete_namespace(created.id)
                raise
        return dynamic.CreateResult(created.id, _outputs(created, props["package"]))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with FunctionsApi.open() as api:
            namespace = api.namespace(id_)
            if namespace is None:
                return dynamic.ReadResult("", {})  # an empty id: the resource does not exist
            exists = api.actions(id_).package(props["package"]) is not None
        return dynamic.ReadResult(id_, _outputs(namespace, props["package"] if exists else ""))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        diff = super().diff(_id, olds, news)
        if olds.get("package") == "" and diff.replaces == ["package"]:
            diff.replaces = []  # `update` creates the missing package again
        return diff

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        with FunctionsApi.open() as api:
            api.actions(id_).put_package(news["package"])
        return dynamic.UpdateResult({**olds, "package": news["package"]})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        with FunctionsApi.open() as api:
            api.delete_namespace(id_)


class Namespace(dynamic.Resource, module="digitalocean", name="Namespace"):
    """A namespace with one package. Deleting it deletes every function in it.

    Each operation creates a short-lived access key and deletes it at its end, so no key with which
    packages and functions are deployed is in the state. The creation fails, and deletes the
    namespace again, if the token may not create keys, or if scheduled triggers are not open to the
    account.
    """

    api_host: pulumi.Output[str]
    """URL of the host that serves its functions, without a slash at the end."""
    label: pulumi.Output[str]
    package: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        label: str,
        region: str,
        package: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        label: Unique in the account.
        region: One of `regions.FUNCTIONS`.
        package: Name of its package; the default package cannot have parameters.
        """
        super().__init__(
            _Provider(),
            name,
            {"label": label, "region": region, "package": package, "api_host": None},
            opts,
        )


def _outputs(info: NamespaceInfo, package: str) -> dict[str, Any]:
    return {
        "label": info.label,
        "region": info.region,
        "package": package,
        "api_host": info.api_host,
    }
