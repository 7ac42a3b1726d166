"""Checks the key and the model of an inference endpoint against its list of models."""

import difflib
from collections.abc import Iterator
from typing import Any

import httpx

from catalog.providers import PROVIDERS
from functions.inference.endpoint import bearer
from preflight.checks import SECONDS, Finding, StackContext


def check(context: StackContext) -> Iterator[Finding]:
    """Check the key and the model, unless the stack itself creates the endpoint."""
    url, model = context.outputs["inference_url"], context.outputs["inference_model"]
    if not str(url).startswith("http"):  # created by the stack, so not known yet
        return
    key = next((v for k, v in context.config.items() if k.endswith(":inference_api_key")), "")
    key = key.strip()  # as the stack reads it
    if not key:
        yield Finding(
            name="inference_api_key",
            ok=False,
            found=f"Config inference_api_key is not set, but {url} needs a key",
            remedy=context.set_line("inference_api_key", "", secret=True),
        )
        return
    try:
        bearer(key)
    except ValueError as error:
        yield Finding(
            name="inference_api_key",
            ok=False,
            found=f"Config inference_api_key is not valid, but it {error}",
            remedy=context.set_line("inference_api_key", "", secret=True),
        )
        return
    try:
        answer = httpx.get(
            f"{url}/models", headers={"Authorization": f"Bearer {key}"}, timeout=SECONDS
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        yield _unknown(f"{url} did not answer ({type(error).__name__})")
        return
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        yield Finding(
            name="inference_api_key",
            ok=False,
            found=f"Config inference_api_key is [secret], but {url} refuses it (401): it is wrong, "
            "expired, or of another provider",
            remedy=context.set_line("inference_api_key", "", secret=True),
        )
    elif models := _models(answer):
        yield Finding(name="inference_api_key", ok=True, found=f"{url} accepts it")
        yield _model(context, url, model, models)
    else:
        yield _unknown(f"{url}/models answered {answer.status_code} without a list of models")


def _model(context: StackContext, url: str, model: str, models: list[str]) -> Finding:
    # Ollama lists a model with its tag.
    if model in models or f"{model}:latest" in models:
        return Finding(name="inference_model", ok=True, found=f"{url} has {model}")
    closest = difflib.get_close_matches(model, models, n=5, cutoff=0.0)
    successor = _successor(context, url, model)
    if successor in models:
        return Finding(
            name="inference_model",
            ok=None,
            found=f"{url} does not list {model}; its successor {successor} is listed and takes "
            "over",
            remedy=context.set_line("inference_model", successor),
        )
    listed = f"{url} does not list it; the closest of its {len(models)} are {', '.join(closest)}"
    if context.outputs["inference_mode"] != "serverless":
        # The list may lack a model that is deployed for one account.
        found = f"unknown whether {model} works: {listed}"
        return Finding(name="inference_model", ok=None, found=found)
    return Finding(
        name="inference_model",
        ok=False,
        found=f"Config inference_model is {model!r}, but {listed}",
        remedy=context.set_line("inference_model", closest[0]),
    )


def _successor(context: StackContext, url: str, model: str) -> str:
    """The model that follows when the model retires, by config or catalogue; empty if none."""
    key = ":inference_successor"
    if configured := next((v for k, v in context.config.items() if k.endswith(key)), ""):
        return configured
    served = (row for row in PROVIDERS.values() if row.serves(url, model))
    return next((row.successor_model for row in served), "")


def _models(answer: httpx.Response) -> list[str]:
    """The names in a list of models: OpenAI's format, or the plain array of some providers."""
    try:
        body: Any = answer.json() if answer.is_success else None
    except ValueError:
        return []
    rows = body.get("data") if isinstance(body, dict) else body
    if not isinstance(rows, list) or (isinstance(body, dict) and body.get("has_more")):
        return []
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _unknown(why: str) -> Finding:
    return Finding(name="inference_model", ok=None, found=f"unknown whether it works: {why}")
