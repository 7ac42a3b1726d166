"""An endpoint that has answered: what waits for it is pointed at nothing that does not work yet."""

import time
from typing import Any

import httpx
import pulumi
from pulumi import dynamic

from functions.question import WRONG_IN_A_ROW, canary_prompt, contains_code

PATIENCE_SECONDS = 1800.0
"""The longest time from `active` to the first answer that we wait for."""
PAUSE_SECONDS = 10.0

_INPUTS = ("base_url", "model", "api_key")


class NoAnswerError(Exception):
    """The endpoint did not answer the canary in time; nothing was pointed at it."""


class _Provider(dynamic.ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        wait_for_answer(props["base_url"], model=props["model"], api_key=props["api_key"])
        return dynamic.CreateResult(props["base_url"], {name: props[name] for name in _INPUTS})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        return dynamic.DiffResult(changes=any(olds.get(n) != news.get(n) for n in _INPUTS))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        wait_for_answer(news["base_url"], model=news["model"], api_key=news["api_key"])
        return dynamic.UpdateResult({name: news[name] for name in _INPUTS})


class Answering(dynamic.Resource, module="inference", name="Answering"):
    """A new endpoint, once it has answered a question with a known answer."""

    base_url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        base_url: pulumi.Input[str],
        model: pulumi.Input[str],
        api_key: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: api_key: Secret."""
        super().__init__(
            _Provider(),
            name,
            {"base_url": base_url, "model": model, "api_key": pulumi.Output.secret(api_key)},
            opts,
        )


def wait_for_answer(
    base_url: str,
    *,
    model: str,
    api_key: str,
    patience: float = PATIENCE_SECONDS,
    pause: float = PAUSE_SECONDS,
) -> None:
    """Ask the canary until it is answered rightly.

    Silence and refusals are those of a model that is still being loaded, and are waited out; wrong
    answers in a row are those of one that is up and broken, and end the wait at once.

    Args:
        patience: Seconds after which it has failed.
        pause: Seconds between two questions.

    Raises:
        NoAnswerError: It was not; says what came instead, never the key.
    """
    deadline, wrong = time.monotonic() + patience, 0
    with httpx.Client(headers={"Authorization": f"Bearer {api_key}"}, timeout=60) as client:
        while True:
            try:
                answer = client.post(f"{base_url}/chat/completions", json=canary_prompt(model))
                heard = f"status {answer.status_code}"
                text = _text(answer) if answer.is_success else ""
                if contains_code(text):
                    return
                wrong = wrong + 1 if text else 0
            except httpx.HTTPError as error:
                heard, wrong = type(error).__name__, 0
            if wrong == WRONG_IN_A_ROW:
                raise _failed(
                    base_url,
                    f"answers for model {model}, but {wrong} times in a row without the code that "
                    "it was asked to copy",
                )
            if time.monotonic() + pause > deadline:
                raise _failed(
                    base_url,
                    f"did not answer for model {model} within {patience:g} seconds; the last was "
                    f"{heard}",
                )
            time.sleep(pause)


def _failed(base_url: str, why: str) -> NoAnswerError:
    return NoAnswerError(
        f"{base_url} {why}. The functions still use the endpoint from before. Look at the new "
        "one's own log, then run the command again."
    )


def _text(answer: httpx.Response) -> str:
    """What it said; empty where it is no chat completion."""
    try:
        return str(answer.json()["choices"][0]["message"]["content"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
