"""The plan's comment on a pull request: one per pull request, without active markup."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.ci.comment import LONGEST, MARKER, harmless, put
from tools.workspace import CommandError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class GitHub(httpx.BaseTransport):
    """A fake GitHub API with pull requests and comments; it records writes and requests."""

    def __init__(self, *, at: str = COMMIT, comments: list[dict[str, Any]] | None = None) -> None:
        self.pulls = [{"number": 3, "head": {"sha": "f" * 40}}, {"number": 7, "head": {"sha": at}}]
        self.comments = comments or []
        self.writes: list[tuple[str, str, str]] = []
        self.requests: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer token-of-the-job"
        if request.method != "GET":
            body = json.loads(request.read())["body"]
            self.writes.append((request.method, request.url.path, body))
            return httpx.Response(200, json={})
        self.requests.append(str(request.url))
        if request.url.path == "/repos/owner/name/pulls":
            return httpx.Response(200, json=self.pulls)
        page = int(request.url.params["page"])
        return httpx.Response(200, json=self.comments[100 * (page - 1) : 100 * page])


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "token-of-the-job")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The output of `plan --markdown`."""
    path = tmp_path / "plan.md"
    path.write_text("## Plan\n\nNothing.\n")
    return path


def comment(file: Path, github: GitHub) -> str:
    """Comment on a pull request of a fork whose branch has special characters."""
    head = "fork:--x&state=all"
    return put(file, repository="owner/name", head=head, commit=COMMIT, transport=github)


def test_the_first_plan_is_a_new_comment_on_the_pull_request_of_the_commit(file: Path) -> None:
    github = GitHub()

    assert comment(file, github) == "Wrote the comment under #7."
    assert github.writes == [
        (
            "POST",
            "/repos/owner/name/issues/7/comments",
            f"{MARKER}\nPlan of 0123456789ab, made by its own code.\n\n## Plan\n\nNothing.\n",
        )
    ]
    assert github.requests[0].endswith("/pulls?state=open&head=fork%3A--x%26state%3Dall")


def test_the_next_plan_updates_the_comment_of_the_bot_only(file: Path) -> None:
    """The comment is on the second page; another user has a comment with the marker."""
    forged = {"id": 1, "user": {"login": "other"}, "body": f"{MARKER}\nmine"}
    other = {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "Thank you!"}
    ours = {"id": 9, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\nold"}
    github = GitHub(comments=[forged, *[other] * 120, ours])

    assert comment(file, github) == "Renewed the comment under #7."
    (write,) = github.writes
    assert write[:2] == ("PATCH", "/repos/owner/name/issues/comments/9")


def test_a_pull_request_with_a_newer_commit_gets_no_comment(file: Path) -> None:
    github = GitHub(at="e" * 40)

    assert comment(file, github).startswith("No open pull request of fork:")
    assert github.writes == []


def test_markup_in_a_plan_is_escaped() -> None:
    """A pull request controls the text of the plan."""
    text = (
        "@team [here](https://evil.example) ![x][y] www.evil.example owner/other#1"
        " <img src=x> <!-- seamless plan --> \x1b[31m\u202e<details><summary>2</summary></details>"
    )

    assert harmless(text).replace("\u200b", "•") == (
        "@•team [here]•(https:•//evil.example) ![x]•[y]• www•.evil.example owner/other#•1"
        " &lt;img src=x> &lt;!-- seamless plan --> [31m<details><summary>2</summary></details>"
    )


def test_a_long_plan_is_cut_at_a_line_with_a_note(file: Path) -> None:
    file.write_text("0123456789\n" * 20_000)
    github = GitHub()

    comment(file, github)

    body = github.writes[0][2]
    assert len(body) < LONGEST + 200
    assert body.endswith("\n0123456789\n\n… The rest is in the job's summary.")


def test_a_file_that_is_too_large_is_an_error(file: Path) -> None:
    file.write_bytes(b"x" * 1_000_001)

    with pytest.raises(CommandError, match="has 1000001 bytes; the maximum is 1000000"):
        comment(file, GitHub())


@pytest.mark.parametrize(
    ("repository", "commit", "message"),
    [
        ("owner/name/../../x", COMMIT, "it must be OWNER/NAME"),
        ("owner/name", "main", "it must be a full SHA"),
    ],
)
def test_a_malformed_argument_is_an_error_before_any_request(
    file: Path, repository: str, commit: str, message: str
) -> None:
    github = GitHub()

    with pytest.raises(CommandError, match=message):
        put(file, repository=repository, head="a:b", commit=commit, transport=github)
    assert github.requests == []


def test_a_missing_token_is_an_error_with_the_variable(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")

    with pytest.raises(CommandError, match="GITHUB_TOKEN is not set"):
        comment(file, GitHub())


def test_an_error_of_github_is_shown_without_the_token(file: Path) -> None:
    forbidden = httpx.MockTransport(lambda request: httpx.Response(403))

    with pytest.raises(CommandError, match=r"GitHub refused: .*403") as caught:
        put(file, repository="owner/name", head="a:b", commit=COMMIT, transport=forbidden)
    assert "token-of-the-job" not in str(caught.value)
