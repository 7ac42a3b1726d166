"""`MODEL_SERVER_API_KEY=… python -m components.local.model_server --port 8080` serves it."""

import argparse
import os
import signal
import sys
from collections.abc import Mapping

import uvicorn

from components.local.model_server.app import Settings, create_app


def main() -> None:
    """Serve until SIGTERM or SIGINT, then stop within two seconds with exit status 0."""
    parser = argparse.ArgumentParser(
        prog="python -m components.local.model_server",
        description="An OpenAI-compatible endpoint that answers with extractive summaries.",
        epilog="Environment: MODEL_SERVER_API_KEY (required), MODEL_SERVER_MODEL,"
        " MODEL_SERVER_CONTEXT_TOKENS, MODEL_SERVER_REQUESTS_PER_MINUTE,"
        " MODEL_SERVER_MAX_CONCURRENCY, MODEL_SERVER_DELAY_SECONDS.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, required=True, help="port; 0 takes a free one")
    arguments = parser.parse_args()
    try:
        settings = settings_from(os.environ)
    except ValueError as error:
        parser.error(str(error))
    # uvicorn stops on the signal and then raises it again; this handler makes that a clean exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        create_app(settings),
        host=arguments.host,
        port=arguments.port,
        timeout_graceful_shutdown=1,
    )


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the settings from environment variables.

    Raises:
        ValueError: A variable breaks its rule; the message names both.
    """
    key = environment.get("MODEL_SERVER_API_KEY", "")
    if not key:
        raise ValueError(
            "MODEL_SERVER_API_KEY is not set: set it to the key that callers must send."
        )
    defaults = Settings(api_key=key)
    per_minute = _number(environment, "MODEL_SERVER_REQUESTS_PER_MINUTE", least=1)
    concurrency = _number(environment, "MODEL_SERVER_MAX_CONCURRENCY", least=1)
    context = _number(environment, "MODEL_SERVER_CONTEXT_TOKENS", least=1)
    delay = _number(environment, "MODEL_SERVER_DELAY_SECONDS", least=0)
    return Settings(
        api_key=key,
        model=environment.get("MODEL_SERVER_MODEL") or defaults.model,
        context_tokens=context or defaults.context_tokens,
        requests_per_minute=per_minute,
        max_concurrency=concurrency,
        delay_seconds=delay or defaults.delay_seconds,
    )


def _number(environment: Mapping[str, str], name: str, *, least: int) -> int | None:
    """Read an integer; None if the variable is missing or empty."""
    text = environment.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or int(text) < least:
        raise ValueError(
            f"{name} is {text!r}: set a whole number of at least {least}, or unset it."
        )
    return int(text)


if __name__ == "__main__":
    main()
