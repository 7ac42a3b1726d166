"""Wait until a new endpoint answers correctly, before the functions use it."""

import time
from typing import Any

import httpx
import pulumi
from pulumi import dynamic

from components.dynamic_provider import DynamicProvider
from functions.inference.canary_prompt import WRONG_IN_A_ROW, canary_prompt, contains_code

PATIENCE_SECONDS = 1800.0
"""Longest wait from the status `active` to the first correct answer."""
PAUSE_SECONDS = 10.0


class NoAnswerError(Exception):
    """The endpoint did not answer the canary correctly in time; the functions do not use it."""


class _Provider(DynamicProvider):
    inputs = ("base_url", "model", "api_key")

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(props["base_url"], self._wait(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(self._wait(news))

    def _wait(self, props: dict[str, Any]) -> dict[str, Any]:
        wait_for_answer(props["base_url"], model=props["model"], api_key=props["api_key"])
        return {name: props[name] for name in self.inputs}


class EndpointReady(dynamic.Resource, module="seamless", name="EndpointReady"):
    """A new endpoint after it has answered the canary prompt; `base_url` is known only then."""

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
    """Send the canary prompt until the answer is correct.

    No answer and an error status mean that the model is still loading, so the prompt is sent again.
    Several wrong answers in a row mean that the model is broken, and end the wait at once.

    Args:
        patience: Longest wait in seconds.
        pause: Seconds between two prompts.

    Raises:
        NoAnswerError: No correct answer in time, or too many wrong ones; names the last response,
            never the key.
    """
    deadline, wrong = time.monotonic() + patience, 0
    with httpx.Client(headers={"Authorization": f"Bearer {api_key}"}, timeout=60) as client:
        while True:
            try:
                answer = client.post(f"{base_url}/chat/completions", json=canary_prompt(model))
                last = f"status {answer.status_code}"
                text = _text(answer) if answer.is_success else ""
                if contains_code(text):
                    return
                wrong = wrong + 1 if text else 0
            except httpx.HTTPError as error:
                last, wrong = type(error).__name__, 0
            if wrong == WRONG_IN_A_ROW:
                raise _failed(
                    base_url,
                    f"gave {wrong} wrong answers in a row for model {model}: they lack the code "
                    "that the prompt asks to copy",
                )
            if time.monotonic() + pause > deadline:
                raise _failed(
                    base_url,
                    f"did not answer for model {model} within {patience:g} seconds; last response: "
                    f"{last}",
                )
            time.sleep(pause)


def _failed(base_url: str, why: str) -> NoAnswerError:
    return NoAnswerError(
        f"{base_url} {why}. The functions still use the previous endpoint. Read the log of the new "
        "endpoint, then run the command again."
    )


def _text(answer: httpx.Response) -> str:
    """The text of a chat completion; empty for any other response."""
    try:
        return str(answer.json()["choices"][0]["message"]["content"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
