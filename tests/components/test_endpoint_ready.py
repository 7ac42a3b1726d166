"""An endpoint is ready when its response has the code of the canary."""

import json
from collections.abc import Iterator

import pytest

from components.endpoint_ready import NoAnswerError, wait_for_answer
from functions.inference.canary_prompt import CODE
from tests.support import inference_servers

KEY = "key-of-a-test"


def completion(text: str) -> tuple[int, str]:
    return 200, json.dumps({"choices": [{"message": {"content": text}}]})


RIGHT, WRONG, LOADING = completion(f"`{CODE}`"), completion("kestrel"), (503, "{}")


def calls(*answers: tuple[int, str], patience: float = 60) -> int:
    """Wait for an endpoint with these answers, the last repeated; return its number of calls."""
    requests: list[str] = []
    rest: Iterator[tuple[int, str]] = iter(answers)

    def answer(call: str, authorization: str, _: bytes) -> tuple[int, str]:
        assert (call, authorization) == ("POST /v1/chat/completions", f"Bearer {KEY}")
        requests.append(call)
        return next(rest, answers[-1])

    with inference_servers.answering(answer) as url:
        wait_for_answer(f"{url}/v1", model="a/model", api_key=KEY, patience=patience, pause=0.01)
    return len(requests)


def test_an_endpoint_with_the_right_response_is_called_once() -> None:
    assert calls(RIGHT) == 1


def test_the_calls_continue_while_the_model_is_loaded() -> None:
    assert calls(LOADING, (404, ""), (200, "{}"), (200, "soon"), WRONG, LOADING, WRONG, RIGHT) == 8


def test_two_wrong_responses_in_a_row_fail_at_once() -> None:
    with pytest.raises(NoAnswerError) as failed:
        calls(LOADING, WRONG, WRONG, RIGHT)

    assert "gave 2 wrong answers in a row for model a/model: they lack" in str(failed.value)
    assert "The functions still use the previous endpoint" in str(failed.value)
    assert KEY not in str(failed.value)


def test_the_error_for_a_timeout_has_the_last_response() -> None:
    with pytest.raises(NoAnswerError) as failed:
        calls((404, "{}"), patience=0)

    assert "did not answer for model a/model within 0 seconds" in str(failed.value)
    assert "last response: status 404" in str(failed.value)
    assert KEY not in str(failed.value)


def test_an_unreachable_endpoint_fails_after_the_timeout() -> None:
    with pytest.raises(NoAnswerError, match="last response: ConnectError"):
        wait_for_answer("http://127.0.0.1:9/v1", model="a/model", api_key=KEY, patience=0)
