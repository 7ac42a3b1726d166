"""A process of a functions platform: `python -m tests.support.hosts.runtime HANDLER NAME`.

Reads calls from standard input and writes results to standard output, as lines of JSON. Output of
the handler goes to standard error.
"""

import importlib
import json
import logging
import os
import sys
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Context:
    """The context of a call."""

    function_name: str
    deadline: float

    def get_remaining_time_in_millis(self) -> int:
        """The method of Lambda."""
        return int((self.deadline - time.monotonic()) * 1000)


def main() -> None:
    """Serve until standard input ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as results:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        module, _, name = sys.argv[1].partition(":")
        handler = getattr(importlib.import_module(module), name)
        for line in sys.stdin:
            call = json.loads(line)
            deadline = time.monotonic() + call["seconds"]
            try:
                context = Context(function_name=sys.argv[2], deadline=deadline)
                answer = {"result": handler(call["event"], context)}
            except Exception as error:  # the platform continues
                log.exception("the handler raised")
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), file=results, flush=True)


if __name__ == "__main__":
    main()
