"""Facts about the HTTP API of the application on every host.

A deployed application is tested by `pytest tests/contract -k deployed --outputs FILE`.
"""

from typing import Any
from uuid import uuid4

import httpx

from functions import __version__
from functions.api.routes import MAX_BODY_BYTES, ORIGIN, PAGE, PAGE_SIZE
from functions.documents.extract import MAX_DOCUMENT_BYTES
from functions.errors import Code
from functions.summary.summarize import PROMPT_VERSION
from tests.support.contract.application import Application, Caller, Document

HOSTS = ["local", "lambda", "functions", "deployed"]

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(100)

GUARDED = [
    ("POST", "api/uploads"),
    ("GET", "api/documents"),
    ("GET", f"api/documents/{uuid4()}"),
    ("POST", f"api/documents/{uuid4()}/complete"),
    ("POST", f"api/documents/{uuid4()}/retry"),
    ("GET", "metrics"),
]


def error(answer: httpx.Response, status: int, code: Code) -> dict[str, Any]:
    """Check status, code and form of an error, and return it."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    body: dict[str, dict[str, Any]] = answer.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "remedy"}
    assert body["error"]["code"] == code
    assert all(body["error"].values())
    return body["error"]


def test_health_needs_no_token_and_has_the_versions(caller: Caller) -> None:
    answer = caller.anonymous.get("healthz")

    health = answer.json()
    assert (answer.status_code, health["status"], health["database"]) == (200, "ok", "ok")
    assert (health["version"], health["prompt_version"]) == (__version__, PROMPT_VERSION)
    assert health["variant"]
    assert health["inference_mode"]
    assert health["model"]


def test_every_other_path_requires_the_token(host: Application, caller: Caller) -> None:
    for method, path in GUARDED:
        for authorization in (None, "Bearer wrong", f"Basic {host.token}", host.token):
            headers = {"Authorization": authorization} if authorization else {}
            answer = caller.anonymous.request(method, path, headers=headers)

            error(answer, 401, Code.UNAUTHORIZED)
            assert answer.headers["www-authenticate"] == "Bearer"


def test_an_upload_becomes_a_summary(caller: Caller) -> None:
    document = Document()
    id_ = caller.upload(document.name, document.data)
    assert caller.document(id_)["status"] in ("uploading", "queued", "working", "done")

    caller.complete(id_)

    done = caller.ended(id_)
    assert (done["status"], done["error"], done["attempts"]) == ("done", None, 1)
    assert done["summary"]
    assert (done["name"], done["size"]) == (document.name, len(document.data))
    assert (done["kind"], done["progress"]) == ("text", {"done": 1, "total": 1})
    assert done["model"]
    assert done["inference_mode"] == caller.anonymous.get("healthz").json()["inference_mode"]
    assert done["usage"]["prompt_tokens"] > 0
    assert done["usage"]["completion_tokens"] > 0


def test_repeated_complete_calls_change_nothing(caller: Caller) -> None:
    document = Document()
    id_ = caller.upload(document.name, document.data)

    for _ in range(5):
        caller.complete(id_)
    done = caller.ended(id_)

    assert (done["status"], done["attempts"]) == ("done", 1)
    assert caller.complete(id_) == done


def test_complete_and_retry_of_an_announced_document_are_conflicts(caller: Caller) -> None:
    id_ = caller.announce("early.txt", 1)["document_id"]

    for action, code in (("complete", Code.OBJECT_MISSING), ("retry", Code.CONFLICT)):
        error(caller.http.post(f"api/documents/{id_}/{action}"), 409, code)
    assert caller.document(id_)["status"] == "uploading"


def test_documents_are_listed_in_pages_with_the_newest_first(caller: Caller) -> None:
    announced = [caller.announce("listed.txt", 1)["document_id"] for _ in range(PAGE_SIZE + 1)]

    first = caller.http.get("api/documents").json()
    second = caller.http.get("api/documents", params={"cursor": first["next_cursor"]}).json()

    assert [d["id"] for d in first["documents"]] == announced[:0:-1]
    assert second["documents"][0]["id"] == announced[0]


def test_an_unknown_document_is_not_found(caller: Caller) -> None:
    for method, action in (("GET", ""), ("POST", "/complete"), ("POST", "/retry")):
        for id_ in (uuid4(), "nonsense"):
            answer = caller.http.request(method, f"api/documents/{id_}{action}")

            error(answer, 404, Code.NOT_FOUND)


def test_a_file_that_is_no_document_fails_with_a_remedy_and_can_be_retried(
    host: Application, caller: Caller
) -> None:
    id_ = caller.send("picture.txt", PICTURE)

    failed = caller.ended(id_)
    assert (failed["status"], failed["error"]["code"]) == ("failed", Code.UNSUPPORTED_TYPE)
    assert failed["error"]["message"]
    assert failed["error"]["remedy"]

    assert caller.retry(id_)["status"] == "queued"
    host.later()
    again = caller.ended(id_, attempts=2)
    assert (again["status"], again["error"]) == ("failed", failed["error"])


def test_a_document_without_text_fails(caller: Caller) -> None:
    failed = caller.ended(caller.send("blank.txt", b" \n "))

    assert (failed["status"], failed["error"]["code"]) == ("failed", Code.NO_TEXT)
    assert failed["usage"] is None


def put(announced: dict[str, Any], data: bytes, **changes: str | None) -> int:
    """Upload with the announced headers and these changes, and return the status."""
    headers = {**announced["headers"], **changes}
    return httpx.put(
        announced["upload_url"],
        content=data,
        headers={name: value for name, value in headers.items() if value is not None},
    ).status_code


def test_an_upload_url_stores_one_object_once(caller: Caller) -> None:
    document = Document()
    announced = caller.announce(document.name, len(document.data))
    other = bytes(len(document.data))

    assert put(announced, document.data) == 200
    assert [put(announced, data) for data in (document.data, other)] == [412, 412]

    caller.complete(announced["document_id"])
    done = caller.ended(announced["document_id"])
    assert (done["status"], done["size"]) == ("done", len(document.data))


def test_an_upload_url_takes_only_the_announced_size_and_headers(caller: Caller) -> None:
    announced = caller.announce("a.txt", 5)

    for data, changes in (
        (b"hell", {"content-length": "4"}),
        (b"hello!", {"content-length": "6"}),
        (b"hello", {"if-none-match": None}),
        (b"hello", {"if-none-match": '"another"'}),
    ):
        assert put(announced, data, **changes) in (401, 403)
    conflict = caller.http.post(f"api/documents/{announced['document_id']}/complete")
    error(conflict, 409, Code.OBJECT_MISSING)

    assert put(announced, b"hello") == 200


def test_only_the_signed_url_accepts_an_upload(caller: Caller) -> None:
    announced = caller.announce("a.txt", 5)
    url = announced["upload_url"]

    for other in (url.replace("a.txt", "b.txt"), url.partition("?")[0]):
        assert put({**announced, "upload_url": other}, b"hello") in (401, 403)
    conflict = caller.http.post(f"api/documents/{announced['document_id']}/complete")
    error(conflict, 409, Code.OBJECT_MISSING)


def test_the_page_is_served_with_its_security_headers(caller: Caller) -> None:
    """At a shared origin, the sources and the page's own statement are narrower."""
    page, script = caller.anonymous.get(""), caller.anonymous.get("page/app.js")
    shared = caller.anonymous.get("healthz").json()["variant"] == "integrated"
    here = str(page.url) if shared else "'self'"

    assert (page.status_code, script.status_code) == (200, 200)
    written = (PAGE / "index.html").read_text()
    assert page.text == (
        written if shared else written.replace(ORIGIN.format("shared"), ORIGIN.format("own"))
    )
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert script.text == (PAGE / "app.js").read_text()
    upload = httpx.URL(caller.announce("a.txt", 1)["upload_url"])
    own = upload.netloc == page.url.netloc
    bucket = str(upload).partition("/incoming/")[0]
    store = "" if own else f" {bucket}/incoming/"
    for answer in (page, script):
        policy = answer.headers["content-security-policy"].split("; ")
        files = f"{here}page/" if shared else here
        assert {"default-src 'none'", f"script-src {files}", "frame-ancestors 'none'"} <= {*policy}
        assert f"connect-src {here}{store}" in policy
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_metrics_count_documents(caller: Caller) -> None:
    def uploading() -> int:
        answer = caller.http.get("metrics")
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        counts = dict(line.rsplit(" ", 1) for line in answer.text.splitlines())
        return int(counts.get('seamless_documents{status="uploading"}', "0"))

    before = uploading()
    caller.announce("counted.txt", 1)

    assert uploading() == before + 1


def test_every_error_has_the_same_form(caller: Caller) -> None:
    too_large = caller.http.post("api/uploads", content=b" " * (MAX_BODY_BYTES + 1))
    assert "65,536 bytes" in error(too_large, 413, Code.TOO_LARGE)["message"]
    for size in (0, MAX_DOCUMENT_BYTES + 1):
        answer = caller.http.post("api/uploads", json={"name": "a.txt", "size": size})
        error(answer, 400, Code.BAD_REQUEST)
    for answer, status, code in [
        (caller.http.post("api/uploads", content=b"{"), 400, Code.BAD_REQUEST),
        (caller.http.get("api/documents", params={"cursor": "ü&=+"}), 400, Code.BAD_REQUEST),
        (caller.http.get("nothing"), 404, Code.NOT_FOUND),
        (caller.http.get("page/nothing.js"), 404, Code.NOT_FOUND),
        (caller.http.delete("api/documents"), 405, Code.METHOD_NOT_ALLOWED),
    ]:
        error(answer, status, code)
