"""The S3 API with the checks that moto lacks: signatures of requests and URLs, expiry, CORS.

Rules:
- docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html: the signature covers method,
  path, query, each header of X-Amz-SignedHeaders and the text UNSIGNED-PAYLOAD; `host` and every
  `x-amz-*` header of the request must be signed; X-Amz-Expires is 1 to 604800.
- docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: codes and statuses.
- docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html: `If-None-Match: *` answers
  412 PreconditionFailed for a key that has an object. moto does this itself.
- docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html: a preflight is allowed by one rule with
  its origin, its method and each of its headers, else the status is 403.

botocore, which AWS maintains, computes the signatures. Ceph's gateway, on which Spaces is said to
be built, compares a signed `content-length` too (ceph/ceph, src/rgw/rgw_auth_s3.cc at 00997f57).
The wording of messages is not verified.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote, urlencode

import httpx
from botocore.auth import S3SigV4QueryAuth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]

from functions.handlers.asgi import Answer, Request
from tests.support.hosts.web import serving

ALGORITHM = "AWS4-HMAC-SHA256"
MAX_EXPIRES = 604_800

_OF_THE_CONNECTION = {"connection", "transfer-encoding", "content-encoding", "content-length"}


@dataclass(frozen=True, kw_only=True)
class Key:
    """An access key; temporary ones have a session token."""

    id: str
    secret: str
    session_token: str = ""


@dataclass(frozen=True, kw_only=True)
class CorsRule:
    """A rule of a bucket; the names of headers are in lower case."""

    origins: Sequence[str]
    methods: Sequence[str]
    headers: Sequence[str]


class Refused(Exception):  # noqa: N818  # an answer of S3, not a defect
    """An error response of S3."""

    def __init__(self, *, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code

    def answer(self) -> Answer:
        """As XML."""
        body = f"<Error><Code>{self.code}</Code><Message>refused by the double</Message></Error>"
        return Answer(
            status=self.status, headers={"content-type": "application/xml"}, body=body.encode()
        )


@dataclass(kw_only=True)
class CheckedBucket:
    """An S3 endpoint in front of another that checks nothing."""

    behind: str
    keys: Sequence[Key]
    region: str
    cors: list[CorsRule] = field(default_factory=list)
    url: str = ""

    def respond(self, request: Request) -> Answer:
        """Check a request, pass it on and return the answer."""
        origin = request.headers.get("origin", "")
        if request.method == "OPTIONS":
            return self._preflight(request, origin)
        try:
            self._check(request)
        except Refused as refused:
            answer = refused.answer()
        else:
            answer = self._pass_on(request)
        allowed = any(
            origin in rule.origins and request.method in rule.methods for rule in self.cors
        )
        cors = {"access-control-allow-origin": origin} if allowed else {}
        return Answer(status=answer.status, headers={**answer.headers, **cors}, body=answer.body)

    def _preflight(self, request: Request, origin: str) -> Answer:
        method = request.headers.get("access-control-request-method", "")
        wanted = request.headers.get("access-control-request-headers", "").lower()
        names = {name.strip() for name in wanted.split(",") if name.strip()}
        for rule in self.cors:
            if origin in rule.origins and method in rule.methods and names <= set(rule.headers):
                headers = {
                    "access-control-allow-origin": origin,
                    "access-control-allow-methods": ", ".join(rule.methods),
                    "access-control-allow-headers": ", ".join(sorted(names)),
                }
                return Answer(status=200, headers=headers, body=b"")
        return Refused(status=403, code="AccessForbidden").answer()

    def _check(self, request: Request) -> None:
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        if "X-Amz-Signature" in query:
            self._check_query(request, query)
        elif request.headers.get("authorization", "").startswith(f"{ALGORITHM} "):
            self._check_header(request)
        else:
            raise Refused(status=403, code="AccessDenied")

    def _check_query(self, request: Request, query: Mapping[str, str]) -> None:
        needed = {f"X-Amz-{n}" for n in ("Algorithm", "Credential", "Date", "Expires")}
        expires = query.get("X-Amz-Expires", "")
        if (
            not needed | {"X-Amz-SignedHeaders"} <= query.keys()
            or query["X-Amz-Algorithm"] != ALGORITHM
            or not expires.isdecimal()
            or not 1 <= int(expires) <= MAX_EXPIRES
        ):
            raise Refused(status=400, code="AuthorizationQueryParametersError")
        age = datetime.now(UTC) - _time(query["X-Amz-Date"])
        if not timedelta(minutes=-15) <= age <= timedelta(seconds=int(expires)):
            raise Refused(status=403, code="AccessDenied")  # "Request has expired"
        self._compare(
            request,
            credential=query["X-Amz-Credential"],
            date=query["X-Amz-Date"],
            signed=query["X-Amz-SignedHeaders"].split(";"),
            token=query.get("X-Amz-Security-Token", ""),
            signature=query["X-Amz-Signature"],
            payload="UNSIGNED-PAYLOAD",
        )

    def _check_header(self, request: Request) -> None:
        text = request.headers["authorization"].removeprefix(f"{ALGORITHM} ")
        parts = dict(part.strip().split("=", 1) for part in text.split(","))
        self._compare(
            request,
            credential=parts["Credential"],
            date=request.headers["x-amz-date"],
            signed=parts["SignedHeaders"].split(";"),
            token=request.headers.get("x-amz-security-token", ""),
            signature=parts["Signature"],
            payload=request.headers["x-amz-content-sha256"],
        )

    def _compare(
        self,
        request: Request,
        *,
        credential: str,
        date: str,
        signed: Sequence[str],
        token: str,
        signature: str,
        payload: str,
    ) -> None:
        id_, _, scope = credential.partition("/")
        key = next((key for key in self.keys if key.id == id_), None)
        if key is None:
            raise Refused(status=403, code="InvalidAccessKeyId")
        if token != key.session_token:
            raise Refused(status=400, code="InvalidToken")
        if scope != f"{date[:8]}/{self.region}/s3/aws4_request":
            raise Refused(status=400, code="AuthorizationQueryParametersError")
        unsigned = {n for n in request.headers if n.startswith("x-amz-")} - set(signed)
        if "host" not in signed or unsigned - {"x-amz-content-sha256"}:
            raise Refused(status=403, code="AccessDenied")  # "headers … which were not signed"
        path = quote(unquote(request.path), safe="/-_.~")
        rest = [
            (name, value)
            for name, value in parse_qsl(request.query, keep_blank_values=True)
            if name != "X-Amz-Signature"
        ]
        names = [name for name in signed if name != "host"]
        checked = AWSRequest(
            method=request.method,
            url=f"http://{request.headers['host']}{path}?{urlencode(rest, quote_via=quote)}",
            headers={name: request.headers.get(name, "") for name in names},
        )
        checked.context["timestamp"] = date
        checked.context["payload_signing_enabled"] = False
        oracle = _Oracle(Credentials(key.id, key.secret), "s3", self.region, MAX_EXPIRES)
        oracle.hash = payload
        text = oracle.string_to_sign(checked, oracle.canonical_request(checked))
        if not hmac.compare_digest(oracle.signature(text, checked), signature):
            raise Refused(status=403, code="SignatureDoesNotMatch")

    def _pass_on(self, request: Request) -> Answer:
        query = f"?{request.query}" if request.query else ""
        answer = httpx.request(
            request.method,
            f"{self.behind}{request.path}{query}",
            content=request.body,
            headers={n: v for n, v in request.headers.items() if n != "origin"},
        )
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name not in _OF_THE_CONNECTION and not name.startswith("access-control-")
        }
        if request.method == "HEAD":
            headers["content-length"] = answer.headers.get("content-length", "0")
        return Answer(status=answer.status_code, headers=headers, body=answer.content)


class _Oracle(S3SigV4QueryAuth):  # type: ignore[misc]  # botocore has no types
    """botocore's algorithm with the payload hash of the request."""

    hash = ""

    def payload(self, request: AWSRequest) -> str:
        return self.hash


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused(status=400, code="AuthorizationQueryParametersError") from None


@contextmanager
def checked_bucket(behind: str, *keys: Key, region: str) -> Iterator[CheckedBucket]:
    """The endpoint, with these keys and no CORS rule."""
    bucket = CheckedBucket(behind=behind, keys=keys, region=region)
    with serving(bucket.respond) as bucket.url:
        yield bucket
