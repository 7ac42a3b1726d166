"""The object store of the local variant: a folder."""

import shutil
from pathlib import Path
from typing import Any

import pulumi
from pulumi import dynamic

from components.dynamic_provider import DynamicProvider
from components.local.process import remove_if_empty


class _Provider(DynamicProvider):
    inputs = replacing = ("path",)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        Path(props["path"]).mkdir(parents=True, exist_ok=True, mode=0o700)
        return dynamic.CreateResult(props["path"], {"path": props["path"]})

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        # An empty id means that the folder does not exist.
        return dynamic.ReadResult(id_ if Path(id_).is_dir() else "", dict(props))

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        diff = super().diff(id_, olds, news)
        diff.changes = diff.changes or not Path(id_).is_dir()
        return diff

    def update(self, id_: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        Path(id_).mkdir(parents=True, exist_ok=True, mode=0o700)
        return dynamic.UpdateResult({"path": news["path"]})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        folder = Path(id_)
        if folder.is_dir():
            shutil.rmtree(folder)
        remove_if_empty(folder.parent)


class Folder(dynamic.Resource, module="local", name="Folder"):
    """A folder that only its owner can read. Deleting it deletes its files."""

    path: pulumi.Output[str]

    def __init__(
        self, name: str, *, path: Path, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(_Provider(), name, {"path": str(path)}, opts)


class Store(pulumi.ComponentResource):
    """A folder as object store (see `components.contracts.Store`).

    Creates:
    - a folder that only its owner can read
    """

    url: pulumi.Output[str]
    bucket: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    region: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        folder: Folder for documents and summaries; created if it does not exist.
        protect: True refuses to delete the documents.
        """
        super().__init__("seamless:local:Store", name, None, opts)
        documents = Folder(
            f"{name}-folder",
            path=folder,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        empty = pulumi.Output.from_input("")
        self.url = documents.path.apply(lambda path: Path(path).as_uri())
        self.bucket = documents.path
        self.endpoint = self.region = self.access_key_id = empty
        self.secret_access_key = pulumi.Output.secret("")
        self.register_outputs({"url": self.url, "bucket": self.bucket})
