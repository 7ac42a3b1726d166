"""Whether an inference endpoint takes the key and has the model: its list of models says so."""

import difflib
from collections.abc import Iterator
from typing import Any

import httpx

from components.preflight import SECONDS, Finding, StackContext


def ask(intent: StackContext) -> Iterator[Finding]:
    """Ask for the list, where the endpoint is one that somebody else runs."""
    url, model = intent.outputs["inference_url"], intent.outputs["inference_model"]
    if not str(url).startswith("http"):  # the stack makes it
        return
    key = next((v for k, v in intent.config.items() if k.endswith(":inference_api_key")), "")
    if not key:
        yield Finding(
            name="inference_api_key",
            ok=False,
            found=f"Config inference_api_key is not set, but {url} needs a key",
            remedy=intent.set_line("inference_api_key", "", secret=True),
        )
        return
    if not (key.isascii() and key.isprintable()):
        yield Finding(
            name="inference_api_key",
            ok=False,
            found="Config inference_api_key has a character that no HTTP header may carry, "
            "such as a line's end",
            remedy=intent.set_line("inference_api_key", "", secret=True),
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
            "expired, or another provider's",
            remedy=intent.set_line("inference_api_key", "", secret=True),
        )
    elif models := _models(answer):
        yield Finding(name="inference_api_key", ok=True, found=f"{url} takes it")
        yield _model(intent, url, model, models)
    else:
        yield _unknown(f"{url}/models answered {answer.status_code} without a list of models")


def _model(intent: StackContext, url: str, model: str, models: list[str]) -> Finding:
    # Ollama lists the tag that it adds by itself.
    if model in models or f"{model}:latest" in models:
        return Finding(name="inference_model", ok=True, found=f"{url} has {model}")
    closest = difflib.get_close_matches(model, models, n=5, cutoff=0.0)
    said = f"{url} has no such model; of its {len(models)} the closest are {', '.join(closest)}"
    if intent.outputs["rung"] != "serverless":
        # A model that is deployed for one account alone need not be on everybody's list.
        found = f"unknown whether {model} answers: {said}"
        return Finding(name="inference_model", ok=None, found=found)
    return Finding(
        name="inference_model",
        ok=False,
        found=f"Config inference_model is {model!r}, but {said}",
        remedy=intent.set_line("inference_model", closest[0]),
    )


def _models(answer: httpx.Response) -> list[str]:
    """The names in a list of models: OpenAI's form, or the bare list of some providers."""
    try:
        body: Any = answer.json() if answer.is_success else None
    except ValueError:
        return []
    rows = body.get("data") if isinstance(body, dict) else body
    if not isinstance(rows, list) or (isinstance(body, dict) and body.get("has_more")):
        return []
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _unknown(why: str) -> Finding:
    return Finding(name="inference_model", ok=None, found=f"unknown whether it answers: {why}")
