"""The base of our dynamic providers."""

from typing import Any, ClassVar

from pulumi import dynamic


class DynamicProvider(dynamic.ResourceProvider):
    """A provider whose resource differs where its inputs differ.

    Pulumi stores a dynamic provider in the state, pickled by the name of its class. Such a provider
    has no attributes of its own, so there is nothing secret in it.

    Attributes:
        inputs: Properties that are compared.
        replacing: Those of them that replace the resource instead of updating it.
        delete_before_replace: True where both cannot exist at the same time.
    """

    serialize_as_secret_always = False
    inputs: ClassVar[tuple[str, ...]] = ()
    replacing: ClassVar[tuple[str, ...]] = ()
    delete_before_replace: ClassVar[bool] = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        changed = [name for name in self.inputs if olds.get(name) != news.get(name)]
        return dynamic.DiffResult(
            changes=bool(changed),
            replaces=[name for name in changed if name in self.replacing],
            delete_before_replace=self.delete_before_replace,
        )
