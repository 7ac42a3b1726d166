"""A cold start of the bundle in AWS Lambda's runtime, against a handler that does nothing.

CPU time of the function's process, from its start to its first response. The processor is this
machine's, so only the ratio says something about Lambda.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Result, Side, compare
from tests.support.hosts.lambda_emulator import Image, function, image

_OURS, _ALONE = "functions.handlers.aws.api", "nothing.handler"


@dataclass(kw_only=True)
class _Starts:
    """Cold starts, and the CPU time that they took.

    Attributes:
        seconds: CPU time of all processes so far.
    """

    image: Image
    folder: Path
    seconds: float = 0.0

    def run(self, handler: str, count: int) -> list[int]:
        """Start `count` functions one after the other; the status of each first response."""
        statuses = []
        for _ in range(count):
            log = self.folder / "log"
            with function(self.image, handler, {}, seconds=30, log=log) as started:
                statuses.append(started.invoke({}).status)
                self.seconds += started.cpu_seconds()
        return statuses


def measure(*, size: int = 1, rounds: int = 6) -> list[Result]:
    """Start `size` functions per sample; the event is empty, so that only the start is measured."""
    with tempfile.TemporaryDirectory() as folder:
        starts = _Starts(image=image(Path(folder)), folder=Path(folder))
        (starts.image.code / "nothing.py").write_text(
            "def handler(_event, _context):\n    return []\n"
        )
        return [
            compare(
                "cold_start",
                ours=Side(label=f"Lambda runtime, {_OURS}", run=lambda: starts.run(_OURS, size)),
                peer=Side(label="Lambda runtime alone", run=lambda: starts.run(_ALONE, size)),
                digest=str,
                per="start",
                count=size,
                rounds=rounds,
                cpu_clock=lambda: starts.seconds,
            )
        ]
