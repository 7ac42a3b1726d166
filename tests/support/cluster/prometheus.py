"""A real Prometheus on this machine, with the queries of KEDA."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.cluster.control_plane import free_ports
from tests.support.local import until


class Prometheus:
    """The HTTP interface of a running Prometheus."""

    def __init__(self, port: int) -> None:
        self.port = port

    def numbers(self, query: str) -> list[float]:
        """The values of an instant query's answer."""
        answer = httpx.get(
            f"http://127.0.0.1:{self.port}/api/v1/query", params={"query": query}, timeout=10
        )
        body: dict[str, Any] = answer.json()
        assert body["status"] == "success", body
        return [float(result["value"][1]) for result in body["data"]["result"]]

    def is_ready(self) -> bool:
        """True when it answers queries."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/-/ready").is_success
        except httpx.TransportError:
            return False


@contextmanager
def running(
    programs: Path, folder: Path, *, jobs: list[dict[str, Any]], groups: list[dict[str, Any]]
) -> Iterator[Prometheus]:
    """Run Prometheus with scrape jobs and rules, evaluated every second."""
    (port,) = free_ports(1)
    rules = folder / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": [{**group, "interval": "1s"} for group in groups]}))
    configuration = folder / "prometheus.yaml"
    configuration.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(rules)],
                "scrape_configs": jobs,
            }
        )
    )
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                programs / "prometheus",
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        try:
            prometheus = Prometheus(port)
            until(lambda: prometheus.is_ready() or None, seconds=30)
            yield prometheus
        finally:
            process.kill()
            process.wait()


def promtool(programs: Path, *arguments: str) -> str:
    """Run promtool, check its status, and return its output."""
    outcome = subprocess.run(
        [programs / "promtool", *arguments], capture_output=True, text=True, timeout=60
    )
    output = outcome.stdout + outcome.stderr
    assert outcome.returncode == 0, output
    return output
