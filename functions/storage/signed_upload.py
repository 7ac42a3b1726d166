"""Upload URLs: each stores one object of the announced size, once, within 15 minutes."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import quote, urlencode, urlsplit

EXPIRES = timedelta(minutes=15)

CORS_HEADERS = ("if-none-match",)
"""Headers of an upload for which a browser needs the store's permission."""


@dataclass(frozen=True, kw_only=True)
class SignedUpload:
    """A PUT that needs no further credentials.

    Attributes:
        headers: Signed, so that a request without one of them, or with another value, is refused.
    """

    url: str
    headers: Mapping[str, str]


class Signer(Protocol):
    """Turns a key and the size of its object into an upload."""

    def __call__(self, key: str, size: int) -> SignedUpload: ...


def _headers(size: int) -> dict[str, str]:
    """The store refuses another size, and a key that has an object already."""
    return {"content-length": f"{size}", "if-none-match": "*"}


@dataclass(frozen=True, kw_only=True)
class BucketSigner:
    """Presigned uploads of a bucket, by Signature Version 4 in the query.

    obstore signs the header `host` only. The algorithm is that of
    docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html.
    """

    endpoint: str
    bucket: str
    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    def __call__(self, key: str, size: int) -> SignedUpload:
        headers = _headers(size)
        signed = {**headers, "host": urlsplit(self.endpoint).netloc}
        path = quote(f"/{self.bucket}/{key}", safe="/-_.~")
        now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key_id}/{scope}",
            "X-Amz-Date": now,
            "X-Amz-Expires": f"{EXPIRES.total_seconds():.0f}",
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
        if self.session_token:
            query["X-Amz-Security-Token"] = self.session_token
        parameters = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        request = "\n".join(
            [
                "PUT",
                path,
                parameters,
                *(f"{name}:{value}" for name, value in sorted(signed.items())),
                "",
                query["X-Amz-SignedHeaders"],
                "UNSIGNED-PAYLOAD",
            ]
        )
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = f"{query['X-Amz-Algorithm']}\n{now}\n{scope}\n{digest}"
        signing_key = f"AWS4{self.secret_access_key}".encode()
        for part in scope.split("/"):
            signing_key = hmac.digest(signing_key, part.encode(), "sha256")
        signature = hmac.new(signing_key, text.encode(), "sha256").hexdigest()
        url = f"{self.endpoint}{path}?{parameters}&X-Amz-Signature={signature}"
        return SignedUpload(url=url, headers=headers)


class FolderSigner:
    """Presigned uploads for a folder, by an HMAC over key, size and expiry.

    The URL is relative to the application's root, which serves it and checks `allows`.
    """

    def __init__(self, secret: str) -> None:
        # A derived key, so that a signature reveals nothing about the API token.
        self._key = hmac.digest(secret.encode(), b"seamless folder uploads v2", "sha256")

    def __call__(self, key: str, size: int) -> SignedUpload:
        headers = _headers(size)
        expires = f"{int(time.time() + EXPIRES.total_seconds())}"
        query = urlencode({"expires": expires, "signature": self._signature(key, expires, headers)})
        return SignedUpload(url=f"uploads/{quote(key)}?{query}", headers=headers)

    def allows(self, key: str, expires: str, signature: str, *, headers: Mapping[str, str]) -> bool:
        """True when the signature fits the key and the headers, and the URL has not expired."""
        ours = self._signature(key, expires, headers)
        if not hmac.compare_digest(ours.encode(), signature.encode()):
            return False
        return int(expires) >= time.time()  # the signature is valid, so it is a number

    def _signature(self, key: str, expires: str, headers: Mapping[str, str]) -> str:
        signed = [f"{name}:{headers.get(name, '')}" for name in _headers(0)]
        text = "\n".join([expires, *signed, key])
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
