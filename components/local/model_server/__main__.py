"""`MODEL_SERVER_API_KEY=… python -m components.local.model_server --port 8080` serves it."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import uvicorn

from components.local.model_server.app import Settings, create_app

_LEAST = {"context_tokens": 1, "requests_per_minute": 1, "max_concurrency": 1, "delay_seconds": 0}
"""The lowest value of each setting that is a number."""


def main() -> None:
    """Serve until SIGTERM or SIGINT, then stop within two seconds with exit status 0."""
    parser = argparse.ArgumentParser(
        prog="python -m components.local.model_server",
        description="An OpenAI-compatible endpoint that answers with extractive summaries.",
        epilog="Environment: MODEL_SERVER_API_KEY (required), MODEL_SERVER_MODEL, "
        + ", ".join(map(_variable, _LEAST)),
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, required=True, help="port; 0 takes a free one")
    arguments = parser.parse_args()
    try:
        app = create_app(settings_from(os.environ))
    except ValueError as error:
        parser.error(str(error))
    # uvicorn stops on the signal and then raises it again; this handler makes that a clean exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(app, host=arguments.host, port=arguments.port, timeout_graceful_shutdown=1)


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables; an empty one counts as missing.

    Raises:
        ValueError: A variable breaks its rule; the message names both.
    """
    key = environment.get("MODEL_SERVER_API_KEY")
    if not key:
        raise ValueError(
            "MODEL_SERVER_API_KEY is not set: set it to the key that callers must send."
        )
    settings: dict[str, Any] = {"model": environment.get("MODEL_SERVER_MODEL") or Settings.model}
    for setting, least in _LEAST.items():
        name = _variable(setting)
        if text := environment.get(name):
            if not text.isdecimal() or int(text) < least:
                raise ValueError(
                    f"{name} is {text!r}: set a whole number of at least {least}, or unset it."
                )
            settings[setting] = int(text)
    return Settings(api_key=key, **settings)


def _variable(setting: str) -> str:
    return f"MODEL_SERVER_{setting.upper()}"


if __name__ == "__main__":
    main()
