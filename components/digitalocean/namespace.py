"""A namespace of DigitalOcean Functions, as a resource."""

from typing import Any

import pulumi
from pulumi import dynamic

from components.digitalocean.functions_api import FunctionsApi, NamespaceInfo, token
from components.digitalocean.regions import FUNCTIONS

_INPUTS = ("label", "region", "package")


class _Provider(dynamic.ResourceProvider):
    # The class is pickled by name and holds nothing, so there is nothing to hide in it.
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        token()  # in a preview already, not when half is deployed
        failures = []
        if not news["label"]:
            failures.append(dynamic.CheckFailure("label", "must not be empty"))
        if news["region"] not in FUNCTIONS:
            rule = f"is {news['region']!r}, but Functions run only in {', '.join(FUNCTIONS)}"
            failures.append(dynamic.CheckFailure("region", rule))
        return dynamic.CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        with FunctionsApi.open() as api:
            made = api.create_namespace(label=props["label"], region=props["region"])
            try:
                with api.actions(made.id) as actions:
                    actions.put_package(props["package"])
            except BaseException:
                api.delete_namespace(made.id)  # half a namespace is nobody's
                raise
        return dynamic.CreateResult(made.id, _outputs(made, props["package"]))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with FunctionsApi.open() as api:
            found = api.namespace(id_)
            if found is None:
                return dynamic.ReadResult("", {})  # tells the engine that it is gone
            with api.actions(id_) as actions:
                there = actions.package(props["package"]) is not None
        return dynamic.ReadResult(id_, _outputs(found, props["package"] if there else ""))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = [name for name in _INPUTS if olds.get(name) != news.get(name)]
        mended = olds.get("package") == "" and changed == ["package"]
        return dynamic.DiffResult(
            changes=bool(changed),
            replaces=[] if mended else changed,
            delete_before_replace=True,  # a label is unique
        )

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        with FunctionsApi.open() as api, api.actions(id_) as actions:
            actions.put_package(news["package"])
        return dynamic.UpdateResult({**olds, "package": news["package"]})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        with FunctionsApi.open() as api:
            api.delete_namespace(id_)


class Namespace(dynamic.Resource, module="digitalocean", name="Namespace"):
    """A namespace with one package. Deleting it deletes every function in it.

    Its own key stays at DigitalOcean: whoever changes its functions asks for it anew, so that it
    is never in the state.
    """

    api_host: pulumi.Output[str]
    """URL of the host that its functions are reached at, without a slash at the end."""
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
        package: Made in it; the default package cannot carry parameters.
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
