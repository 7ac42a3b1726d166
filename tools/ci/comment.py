"""Create or update the plan comment of a pull request, from the output of `plan --markdown`.

The text comes from unreviewed code, so it is untrusted: its length is limited, and mentions, tags
and links are disabled. GitHub, not the text, determines the pull request.
"""

import os
import re
from pathlib import Path
from typing import Any

import httpx

from tools.workspace import CommandError

API = "https://api.github.com"
MARKER = "<!-- seamless plan -->"
LONGEST = 60_000
"""Characters of the text; GitHub accepts 65,536 in a comment (docs.github.com, 2026-11-22)."""

_AUTHOR = "github-actions[bot]"
_LARGEST = 1_000_000
"""Maximum size of the file in bytes."""
_PAGES = 20
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAGS = re.compile(r"<(?!/?(?:details|summary)>)")
_LIVELY = re.compile(r"@|\]|:(?=//)|\bwww(?=\.)|#(?=\d)", re.IGNORECASE)
"""Characters that mentions, links, images, addresses and issue references need."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069]")


def put(
    file: Path,
    *,
    repository: str,
    head: str,
    commit: str,
    transport: httpx.BaseTransport | None = None,
) -> str:
    """Create or update the comment of a branch's open pull request; return a report.

    Args:
        head: `OWNER:BRANCH`.
        commit: Planned commit; a pull request with a newer head is not changed.
        transport: For tests.

    Raises:
        CommandError: if an argument is malformed, or if GitHub refuses.
    """
    token = os.environ.get("GITHUB_TOKEN", "")
    for name, fine in {
        f"--repository {repository!r}: it must be OWNER/NAME": _REPOSITORY.fullmatch(repository),
        f"--commit {commit!r}: it must be a full SHA": _COMMIT.fullmatch(commit),
        "GITHUB_TOKEN is not set: it must be a token that may write pull requests": token,
    }.items():
        if not fine:
            raise CommandError(f"{name}.")
    body = _body(_text(file), commit)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    url = f"{API}/repos/{repository}"
    with httpx.Client(headers=headers, timeout=30, transport=transport) as github:
        try:
            number = _pull_request(github, url, head, commit)
            if number is None:
                return f"No open pull request of {head} is at {commit}: nothing to comment on."
            known = _comment(github, f"{url}/issues/{number}/comments")
            if known is None:
                path, call = f"{url}/issues/{number}/comments", github.post
            else:
                path, call = f"{url}/issues/comments/{known}", github.patch
            call(path, json={"body": body}).raise_for_status()
        except httpx.HTTPError as error:
            raise CommandError(f"GitHub refused: {error}") from error
    return f"{'Wrote' if known is None else 'Renewed'} the comment under #{number}."


def harmless(text: str) -> str:
    """Markdown without active content except tables, emphasis and folded parts."""
    text = _TAGS.sub("&lt;", _CONTROL.sub("", text))
    # A zero-width space after each: the text looks the same, and GitHub does not link it.
    return _LIVELY.sub("\\g<0>\u200b", text)


def _text(file: Path) -> str:
    size = file.stat().st_size
    if size > _LARGEST:
        raise CommandError(f"{file} has {size} bytes; the maximum is {_LARGEST}.")
    return file.read_text(encoding="utf-8", errors="replace")


def _body(text: str, commit: str) -> str:
    shown = harmless(text)
    if len(shown) > LONGEST:
        shown = f"{shown[:LONGEST].rpartition(chr(10))[0]}\n\n… The rest is in the job's summary."
    return f"{MARKER}\nPlan of {commit[:12]}, made by its own code.\n\n{shown}"


def _pull_request(github: httpx.Client, url: str, head: str, commit: str) -> int | None:
    answer = github.get(f"{url}/pulls", params={"state": "open", "head": head})
    found: list[dict[str, Any]] = answer.raise_for_status().json()
    return next((int(pull["number"]) for pull in found if pull["head"]["sha"] == commit), None)


def _comment(github: httpx.Client, url: str) -> int | None:
    """The id of this tool's comment. Comments of people are ignored, even with the marker."""
    for page in range(1, _PAGES + 1):
        answer = github.get(url, params={"per_page": 100, "page": page})
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        for one in found:
            if one["user"]["login"] == _AUTHOR and one["body"].startswith(MARKER):
                return int(one["id"])
        if len(found) < 100:
            return None
    return None
