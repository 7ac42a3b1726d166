"""The comment under a pull request: the right one, once, and nothing in it that comes to life."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.ci.comment import LONGEST, MARKER, harmless, put
from tools.workspace import CommandError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class GitHub(httpx.BaseTransport):
    """Plays GitHub: the pull requests and comments that it is given, the writes that it got."""

    def __init__(self, *, at: str = COMMIT, comments: list[dict[str, Any]] | None = None) -> None:
        self.pulls = [{"number": 3, "head": {"sha": "f" * 40}}, {"number": 7, "head": {"sha": at}}]
        self.comments = comments or []
        self.writes: list[tuple[str, str, str]] = []
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer token-of-the-job"
        if request.method != "GET":
            body = json.loads(request.read())["body"]
            self.writes.append((request.method, request.url.path, body))
            return httpx.Response(200, json={})
        self.asked.append(str(request.url))
        if request.url.path == "/repos/owner/name/pulls":
            return httpx.Response(200, json=self.pulls)
        page = int(request.url.params["page"])
        return httpx.Response(200, json=self.comments[100 * (page - 1) : 100 * page])


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "token-of-the-job")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """What `plan --markdown` printed."""
    path = tmp_path / "plan.md"
    path.write_text("## Plan\n\nNothing.\n")
    return path


def comment(file: Path, github: GitHub) -> str:
    """Comment on what lies on a fork's branch whose name is no option and no path."""
    return put(
        file,
        repository="owner/name",
        head="somebody:--x&state=all",
        commit=COMMIT,
        transport=github,
    )


def test_the_first_plan_is_a_new_comment_under_the_pull_request_at_that_commit(file: Path) -> None:
    """Also from a fork; the branch's name is a value, whatever it is made of."""
    github = GitHub()

    assert comment(file, github) == "Wrote the comment under #7."
    assert github.writes == [
        (
            "POST",
            "/repos/owner/name/issues/7/comments",
            f"{MARKER}\nPlan of 0123456789ab, made by its own code.\n\n## Plan\n\nNothing.\n",
        )
    ]
    assert github.asked[0].endswith("/pulls?state=open&head=somebody%3A--x%26state%3Dall")


def test_the_next_plan_renews_that_comment_and_nobody_elses(file: Path) -> None:
    """Though it be on the second page, behind one that only looks like ours."""
    forged = {"id": 1, "user": {"login": "somebody"}, "body": f"{MARKER}\nmine"}
    other = {"id": 2, "user": {"login": "github-actions[bot]"}, "body": "Thank you!"}
    ours = {"id": 9, "user": {"login": "github-actions[bot]"}, "body": f"{MARKER}\nold"}
    github = GitHub(comments=[forged, *[other] * 120, ours])

    assert comment(file, github) == "Renewed the comment under #7."
    assert [write[:2] for write in github.writes] == [
        ("PATCH", "/repos/owner/name/issues/comments/9")
    ]


def test_a_pull_request_that_has_moved_on_is_left_alone(file: Path) -> None:
    """Its newer commit has a plan of its own."""
    github = GitHub(at="e" * 40)

    assert comment(file, github).startswith("No open pull request of somebody:")
    assert github.writes == []


def test_nothing_in_a_plan_comes_to_life() -> None:
    """A pull request could say anything in the bot's name."""
    text = (
        "@team [here](https://evil.example) ![x][y] www.evil.example somebody/else#1"
        " <img src=x> <!-- seamless plan --> \x1b[31m\u202e<details><summary>2</summary></details>"
    )

    assert harmless(text).replace("\u200b", "•") == (
        "@•team [here]•(https:•//evil.example) ![x]•[y]• www•.evil.example somebody/else#•1"
        " &lt;img src=x> &lt;!-- seamless plan --> [31m<details><summary>2</summary></details>"
    )


def test_a_long_plan_is_cut_at_a_line_and_says_so(file: Path) -> None:
    """GitHub refuses a comment that is too long."""
    file.write_text("0123456789\n" * 20_000)
    github = GitHub()

    comment(file, github)

    body = github.writes[0][2]
    assert len(body) < LONGEST + 200
    assert body.endswith("\n0123456789\n\n… The rest is in the job's summary.")


def test_a_file_that_is_too_large_is_not_read(file: Path) -> None:
    """It is an artefact of code that nobody has read."""
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
def test_a_malformed_argument_is_refused(
    file: Path, repository: str, commit: str, message: str
) -> None:
    """Before anything is sent."""
    github = GitHub()

    with pytest.raises(CommandError, match=message):
        put(file, repository=repository, head="a:b", commit=commit, transport=github)
    assert github.asked == []


def test_without_a_token_the_variable_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what the token must be allowed to do."""
    monkeypatch.delenv("GITHUB_TOKEN")

    with pytest.raises(CommandError, match="GITHUB_TOKEN is not set"):
        comment(file, GitHub())


def test_a_refusal_of_github_is_an_error_without_the_token(file: Path) -> None:
    """The token never stands in a message."""
    refusing = httpx.MockTransport(lambda request: httpx.Response(403))

    with pytest.raises(CommandError, match=r"GitHub refused: .*403") as caught:
        put(file, repository="owner/name", head="a:b", commit=COMMIT, transport=refusing)
    assert "token-of-the-job" not in str(caught.value)
