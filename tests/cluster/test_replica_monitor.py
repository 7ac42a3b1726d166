"""On a real API server a replica with wrong answers leaves its Service and is replaced.

The replica monitor is the program of its ConfigMap, with the rights of its account; the replicas
are fakes at addresses of this machine.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.kubernetes.programs.replica_monitor import SERVES
from functions.inference.canary_prompt import CODE
from tests.cluster.test_flows import in_pool, serving
from tests.support.cluster.control_plane import Api, free_ports
from tests.support.local import until

pytestmark = pytest.mark.cluster

KEY = "key-of-the-model"
MONITOR = "tested-replica-monitor-00000000"

Pod = dict[str, Any]


class Replicas:
    """Fake model servers at addresses of this machine; drifted ones give wrong answers."""

    def __init__(self, api: Api, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._at: dict[str, str] = {}
        self.drifted: set[str] = set()
        (self.port,) = free_ports(1)

    def serve(self, pod: Pod) -> None:
        """Give a pod an address of this machine."""
        name = pod["metadata"]["name"]
        address = f"127.0.0.{len(self._at) + 2}"
        self._at[address] = name
        # KWOK sets addresses that do not exist.
        self._api.patch(
            f"/api/v1/namespaces/{self._namespace}/pods/{name}/status",
            {"status": {"podIP": address, "podIPs": [{"ip": address}]}},
        )

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Listen at every address."""
        replicas = self

        class Server(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                name = replicas._at[self.connection.getsockname()[0]]
                text = "!!!!!!!!" if name in replicas.drifted else CODE
                choice = {"message": {"content": text}, "finish_reason": "stop"}
                body = json.dumps({"choices": [choice]}).encode()
                self.send_response(200 if self.headers["Authorization"] == f"Bearer {KEY}" else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        with ThreadingHTTPServer(("", self.port), Server) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            try:
                yield
            finally:
                server.shutdown()


class Place:
    """The replica monitor as in its pod: files, token and environment."""

    def __init__(self, api: Api, namespace: str, replicas: Replicas, folder: Path) -> None:
        space = f"/api/v1/namespaces/{namespace}"
        spec = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{MONITOR}")["spec"]
        pod = spec["template"]["spec"]
        (container,), (volume,) = pod["containers"], pod["volumes"]
        (mount,) = container["volumeMounts"]
        data = api.get(f"{space}/configmaps/{volume['configMap']['name']}")["data"]
        for item in volume["configMap"]["items"]:
            file = folder / item["path"]
            file.parent.mkdir(exist_ok=True)
            file.write_text(data[item["key"]])
        account = folder / "account"
        account.mkdir()
        token = api.post(f"{space}/serviceaccounts/{pod['serviceAccountName']}/token", {"spec": {}})
        self.token = token["status"]["token"]
        (account / "token").write_text(self.token)
        (account / "namespace").write_text(namespace)
        (account / "ca.crt").write_text(api.authority.read_text())
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        python, script = container["command"]
        assert python == "python3"
        self._command = [sys.executable, script.replace(mount["mountPath"], str(folder))]
        self._environment = {
            variable["name"]: variable.get("value", KEY) for variable in container["env"]
        } | {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(api.port),
            "SERVICE_ACCOUNT": str(account),
            "MODEL_PORT": str(replicas.port),
            "PORT": str(port),
        }

    @contextmanager
    def started(self) -> Iterator[dict[str, dict[str, Any]]]:
        """The verdicts of the first round, by replica."""
        process = subprocess.Popen(
            self._command, env=self._environment, cwd=os.sep, stdout=subprocess.PIPE, text=True
        )
        try:
            yield {row["name"]: row for row in until(self._verdicts, seconds=30)}
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=20)
            print(output)  # pytest shows it when a test fails
        assert process.returncode == 0, output

    def _verdicts(self) -> list[dict[str, Any]] | None:
        key = {"Authorization": f"Bearer {KEY}"}
        try:
            answer = httpx.get(f"{self.url}/replicas", headers=key, timeout=5)
        except httpx.TransportError:
            return None
        rows: list[dict[str, Any]] | None = answer.json()["replicas"] if answer.is_success else None
        return rows


def served(api: Api, namespace: str) -> set[str]:
    """The pods that the Service selects."""
    service = api.get(f"/api/v1/namespaces/{namespace}/services/tested-server-00000000")
    selector = ",".join(f"{key}={value}" for key, value in service["spec"]["selector"].items())
    found = api.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")["items"]
    return names([pod for pod in found if "deletionTimestamp" not in pod["metadata"]])


def states(verdicts: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: row["state"] for name, row in verdicts.items()}


def names(pods: list[Pod]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods}


def test_a_drifted_replica_leaves_the_service_and_is_replaced(api: Api, tmp_path: Path) -> None:
    namespace = in_pool(api, "tested", nodes=2)
    replicas = Replicas(api, namespace)
    before = serving(api, namespace, 2)
    first, second = sorted(names(before))
    for pod in before:
        replicas.serve(pod)
    place = Place(api, namespace, replicas, tmp_path)

    with replicas.answering():
        with place.started() as verdicts:
            assert states(verdicts) == {first: "ok", second: "ok"}
            until(lambda: served(api, namespace) == {first, second} or None, seconds=30)

        replicas.drifted.add(first)
        with place.started() as verdicts:
            assert states(verdicts) == {first: "out", second: "ok"}
            assert verdicts[first]["good_seconds_ago"] > 0
            until(lambda: first not in served(api, namespace) or None, seconds=30)
            until(lambda: first not in names(serving(api, namespace, 2)) or None, seconds=30)
        (new,) = [pod for pod in serving(api, namespace, 2) if pod["metadata"]["name"] != second]
        third = new["metadata"]["name"]
        replicas.serve(new)

        # The next replica is not deleted so soon after the first, but leaves the Service.
        replicas.drifted.add(second)
        with place.started() as verdicts:
            assert states(verdicts) == {first: "out", second: "out", third: "ok"}
            until(lambda: served(api, namespace) == {third} or None, seconds=30)
        assert names(serving(api, namespace, 2)) == {second, third}


def test_a_replica_without_the_label_leaves_the_service_and_stays(api: Api) -> None:
    namespace = in_pool(api, "unlabelled", nodes=2)
    first, second = sorted(names(serving(api, namespace, 2)))
    selector = "labelSelector=kubernetes.io/service-name=unlabelled-server-00000000"

    def endpoints() -> set[str]:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?{selector}"
        return {
            endpoint["targetRef"]["name"]
            for piece in api.get(path)["items"]
            for endpoint in piece["endpoints"] or ()
        }

    until(lambda: endpoints() == {first, second} or None, seconds=30)
    change = {"metadata": {"labels": {SERVES: "no"}}}
    api.patch(f"/api/v1/namespaces/{namespace}/pods/{first}", change)
    until(lambda: endpoints() == {second} or None, seconds=30)
    assert names(serving(api, namespace, 2)) == {first, second}


def test_the_account_of_the_replica_monitor_has_no_other_rights(api: Api, tmp_path: Path) -> None:
    namespace = in_pool(api, "confined", nodes=0)
    space = f"https://127.0.0.1:{api.port}/api/v1/namespaces/{namespace}"
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/confined-replica-monitor-00000000"
    token = api.post(f"{account}/token", {"spec": {}})["status"]["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"}
    with httpx.Client(verify=False, headers=headers) as client:  # noqa: S501
        own = f"{space}/configmaps/confined-replica-monitor-state-00000000"
        assert client.get(f"{space}/pods").status_code == 200
        assert client.patch(own, json={"data": {"replicas.json": "[]"}}).status_code == 200
        refused = [
            client.get(f"{space}/secrets"),
            client.get(f"{space}/configmaps"),
            client.patch(f"{space}/configmaps/confined-gateway-00000000", json={"data": {}}),
            client.post(f"{space}/pods", json={}),
            client.get(f"https://127.0.0.1:{api.port}/api/v1/namespaces/default/pods"),
            client.get(f"https://127.0.0.1:{api.port}/api/v1/nodes"),
        ]
    assert [answer.status_code for answer in refused] == [403] * 6
