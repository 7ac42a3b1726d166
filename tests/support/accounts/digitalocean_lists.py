"""A local DigitalOcean account that lists the resources of a simulated cloud.

The lists have the form of digitalocean/openapi at 7c1300c (2026-08-07). A page has two items, so
that a test fails if only the first page is read.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from tests.support.accounts.digitalocean import Cloud, Json, Refusal
from tests.support.accounts.digitalocean_sizes import (
    dedicated_sizes,
    droplet_sizes,
    model_configs,
)
from tests.support.clouds.world import World

PAGE = 2

_LISTS = {
    "/v2/databases": ("databases", "digitalocean:index/databaseCluster:DatabaseCluster"),
    "/v2/projects": ("projects", "digitalocean:index/project:Project"),
    "/v2/spaces/keys": ("keys", "digitalocean:index/spacesKey:SpacesKey"),
    "/v2/uptime/checks": ("checks", "digitalocean:index/uptimeCheck:UptimeCheck"),
}


_IN_CLUSTER = {
    "dbs": "digitalocean:index/databaseDb:DatabaseDb",
    "pools": "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool",
    "users": "digitalocean:index/databaseUser:DatabaseUser",
}
"""Lists of a database cluster, which have no pages; only the names are here."""


class Account(Cloud):
    """Functions, and lists of all other resources.

    Attributes:
        world: The other resources.
        tags: Names of tags, which stay after the deletion of their resources.
        before: Called once before a call, by a pattern of `METHOD /path`.
        allotted: GPU sizes that DigitalOcean allotted to the account, with their regions.
        dedicated: Sizes of Dedicated Inference beside the default one, with their regions.
        models: Models that Dedicated Inference lists, with their sizes.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.tags: set[str] = set()
        self.before: dict[str, Callable[[], None]] = {}
        self.allotted: dict[str, tuple[str, ...]] = {}
        self.dedicated: dict[str, tuple[str, ...]] = {}
        self.models: dict[str, tuple[str, ...]] = {}

    def answer(self, method: str, target: str, authorization: str, body: Json) -> tuple[int, Json]:
        """The response of the API; `Refusal` if it is no success."""
        url = urlsplit(target)
        for pattern in list(self.before):
            if re.fullmatch(pattern, f"{method} {url.path}"):
                self.before.pop(pattern)()
        for item in self._items(_LISTS["/v2/databases"][1]):
            self.tags |= set(item.get("tags") or [])
        own = ("/v2/tags", "/v2/databases/", "/v2/dedicated-inferences")
        mine = url.path in _LISTS or url.path.startswith(own)
        self.lists["sizes"] = {"sizes": droplet_sizes(self.allotted)}
        if mine:
            self.authorize(method, url.path.split("/")[2:], authorization)
        page = int(parse_qs(url.query).get("page", ["1"])[0])
        match method, url.path.split("/")[2:]:
            case "GET", ["tags"]:
                return 200, _page("tags", [{"name": name} for name in sorted(self.tags)], page)
            case "DELETE", ["tags", name]:
                self.tags.discard(name)
                return 204, {}
            case "GET", ["dedicated-inferences", "sizes"]:
                return 200, dedicated_sizes(self.dedicated)
            case "GET", ["dedicated-inferences", "gpu-model-config"]:
                return 200, model_configs(self.models)
            case "GET", ["databases", id_, kind] if kind in _IN_CLUSTER:
                if not self.has_cluster(id_):
                    raise Refusal(404, "not_found", "cluster not found")
                items = self._items(_IN_CLUSTER[kind])
                named = [{"name": i["name"]} for i in items if i["clusterId"] == id_]
                return 200, {kind: named}
            case "GET", _ if url.path in _LISTS:
                key, token = _LISTS[url.path]
                return 200, _page(key, self._items(token), page)
        return super().answer(method, target, authorization, body)

    def has_cluster(self, id_: str) -> bool:
        """Whether the world has a database cluster with this id."""
        return id_ in {item["id"] for item in self._items(_LISTS["/v2/databases"][1])}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Block calls to the Functions."""
        with self._lock:
            yield

    def _items(self, token: str) -> list[Json]:
        return [
            {**found["outputs"], "id": found["id"], "access_key": found["outputs"].get("accessKey")}
            for found in self.world.resources().values()
            if found["type"] == token
        ]


def _page(key: str, items: list[Json], page: int) -> Json:
    shown = items[(page - 1) * PAGE : page * PAGE]
    pages = {"next": "of the same"} if page * PAGE < len(items) else {}
    return {key: shown, "links": {"pages": pages}, "meta": {"total": len(items)}}
