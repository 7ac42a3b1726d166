"""Checks of DigitalOcean Functions: may the token create access keys, and are triggers open?

The calls only read, as documented in digitalocean/openapi at 7c1300c (2026-08-07),
`specification/resources/functions`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx

from policies.resource import Resource
from preflight.checks import Finding, StackContext

ADMIN = "function:admin"
TOKENS = "cloud.digitalocean.com/account/api/tokens"
TRIGGERS = "scheduled triggers"

_PATH = "/v2/functions/namespaces"
_NOWHERE = "fn-00000000-0000-0000-0000-000000000000"
"""A namespace that no account has."""

_OPEN_TRIGGERS = (
    "Scheduled triggers are a preview: ask for access at cloudsupport.digitalocean.com, or deploy "
    "the variant split"
)


def lacks_scope(context: StackContext, scope: str, call: str, *, needed: bool) -> Finding:
    """The finding for a token without a scope.

    Args:
        call: The call that was refused.
        needed: False if the context's command does without the scope.
    """
    name = "drift check" if context.command == "drift" else "preview"
    return Finding(
        name="DIGITALOCEAN_TOKEN",
        ok=False if needed else None,
        found=f"DIGITALOCEAN_TOKEN lacks the scope {scope}, which {call} needs"
        + ("" if needed else f"; the {name} goes on, but up would fail"),
        remedy=f"Create a token with the scopes of docs/integrated.md at {TOKENS}, then: "
        "export DIGITALOCEAN_TOKEN=…",
    )


def check_functions(
    get: Callable[[str], httpx.Response | str], context: StackContext, namespace: Resource
) -> Iterator[Finding]:
    """Check the scope function:admin and the access to scheduled triggers.

    Listing keys needs this scope, so it proves it. An account without a namespace can refuse, but
    not prove; there `up` finds out right after it has created the namespace. A refresh reads a
    deployed function by an access key, so it needs the scope as well; a preview does not.

    Args:
        get: Makes a call; its response, or what went wrong.
        namespace: The namespace of the stack.
    """
    listed = get(_PATH)
    if _status(listed) == httpx.codes.FORBIDDEN:
        return  # the check of the list has reported it
    ids = [row["namespace"] for row in _rows(listed)]
    own = next((id_ for id_ in ids if not id_.startswith("ap-")), None)  # ap-: of App Platform
    place = f"{_PATH}/{own or _NOWHERE}"
    keys, triggers = get(f"{place}/keys"), get(f"{place}/triggers")
    passed = httpx.codes.OK if own else httpx.codes.NOT_FOUND
    if _status(keys) == httpx.codes.FORBIDDEN and (own or _status(triggers) == passed):
        refreshed = context.command == "drift" and namespace.urn in context.existing
        needed = context.command == "up" or refreshed
        yield lacks_scope(context, ADMIN, f"GET {place}/keys", needed=needed)
    elif own is None:
        yield Finding(
            name=f"{ADMIN}, {TRIGGERS}",
            ok=None,
            found="unknown until the account has a namespace of Functions; up tries both right "
            "after it has created one, and stops if one is missing",
        )
    elif _status(keys) != passed:
        yield Finding(name=ADMIN, ok=None, found=f"unknown: GET {place}/keys {_problem(keys)}")
    else:
        yield Finding(name=ADMIN, ok=True, found="the token manages access keys")
        yield context.for_up(_triggers(triggers, f"GET {place}/triggers"))


def _triggers(answer: httpx.Response | str, call: str) -> Finding:
    status = _status(answer)
    if status == httpx.codes.OK:
        return Finding(name=TRIGGERS, ok=True, found="open to the account")
    if httpx.codes.is_client_error(status) and status != httpx.codes.TOO_MANY_REQUESTS:
        return Finding(
            name=TRIGGERS,
            ok=False,
            found=f"{call} {_problem(answer)}, so scheduled triggers are not open to the account, "
            "and the sweep needs one",
            remedy=_OPEN_TRIGGERS,
        )
    return Finding(name=TRIGGERS, ok=None, found=f"unknown: {call} {_problem(answer)}")


def _status(answer: httpx.Response | str) -> int:
    return 0 if isinstance(answer, str) else answer.status_code


def _problem(answer: httpx.Response | str) -> str:
    return answer if isinstance(answer, str) else f"answered {answer.status_code}"


def _rows(answer: httpx.Response | str) -> list[dict[str, Any]]:
    if isinstance(answer, str) or not answer.is_success:
        return []
    return answer.json().get("namespaces") or []
