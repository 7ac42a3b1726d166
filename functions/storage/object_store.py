"""The object store: a folder or an S3-compatible bucket, through one client."""

import hashlib
import hmac
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlencode, urlsplit

import obstore
from obstore.exceptions import BaseError, InvalidPathError, NotFoundError
from obstore.store import LocalStore, S3Store

from functions.errors import Code, Failure
from functions.settings import Settings

if TYPE_CHECKING:
    from obstore import ObjectMeta  # exists for type checkers only

log = logging.getLogger(__name__)

INCOMING = "incoming/"
SUMMARIES = "summaries/"
UPLOAD_EXPIRES = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """One object at one version.

    Attributes:
        key: Unescaped.
        size: In bytes.
        version: The entity tag: the only version that listing, reading and events all have.
    """

    key: str
    size: int
    version: str


@dataclass(frozen=True, kw_only=True)
class SignedUpload:
    """An upload request that needs no further credentials until it expires."""

    url: str
    headers: dict[str, str]


class Signer(Protocol):
    """Turns a key into an upload URL."""

    async def __call__(self, key: str) -> SignedUpload: ...


class Store:
    """Objects under `incoming/` and `summaries/`.

    Every method raises `Failure`: OBJECT_MISSING when the object does not exist, STORE_UNAVAILABLE
    (retryable) when the store does not answer.
    """

    def __init__(self, client: LocalStore | S3Store, sign: Signer, origin: str | None) -> None:
        self._client = client
        self._sign = sign
        self.origin = origin
        """Scheme and host of upload URLs; None when uploads go to the application itself."""

    async def head(self, key: str) -> StoredObject:
        """Describe the newest version of an object."""
        with _failures(key):
            return _stored(await obstore.head_async(self._client, key))

    async def get(self, key: str, *, expect: str | None = None) -> tuple[StoredObject, bytes]:
        """Read an object whole.

        Raises:
            Failure: OBJECT_CHANGED when its version is no longer the expected one.
        """
        with _failures(key):
            answer = await obstore.get_async(self._client, key)
            stored = _stored(answer.meta)
            if expect is not None and stored.version != expect:
                raise Failure(
                    Code.OBJECT_CHANGED,
                    f"The object {key!r} was overwritten: its version is {stored.version}, but "
                    f"{expect} was queued.",
                    "No action is needed: the new version is summarized as its own document.",
                )
            data = bytes(await answer.bytes_async())
        if len(data) != stored.size:
            raise Failure(
                Code.STORE_UNAVAILABLE,
                f"Only {len(data)} of {stored.size} bytes of {key!r} were received.",
                "It is retried automatically.",
                retryable=True,
            )
        return stored, data

    async def put(self, key: str, data: bytes) -> None:
        """Write an object; an existing one is replaced."""
        with _failures(key):
            # One request: obstore 0.12.1's multipart path can abort the interpreter at exit.
            await obstore.put_async(self._client, key, data, use_multipart=False)

    async def list(self, prefix: str = INCOMING) -> AsyncIterator[StoredObject]:
        """Every object under a prefix.

        A name that the client cannot address is logged and skipped; in a bucket, the objects that
        are listed after it are skipped, too.
        """
        # An error discards the other objects of its chunk.
        chunk = 1 if isinstance(self._client, LocalStore) else 1000
        pages = obstore.list(self._client, prefix, chunk_size=chunk)
        with _failures(prefix):
            while True:
                try:
                    page = await anext(pages)
                except StopAsyncIteration:
                    return
                except InvalidPathError as error:
                    log.warning("not listed: %r", str(error).partition("\n\nDebug")[0])
                    continue
                for meta in page:
                    if meta["path"].startswith(prefix):  # an object that marks a "folder" does not
                        yield _stored(meta)

    async def sign_upload(self, key: str) -> SignedUpload:
        """A presigned PUT for this key, valid for 15 minutes."""
        with _failures(key):
            return await self._sign(key)


class FolderSigner:
    """Presigned uploads for a folder, by an HMAC over key and expiry.

    The URL is relative to the application's root, which serves it and checks `allows`.
    """

    def __init__(self, secret: str) -> None:
        # A derived key, so that a signature reveals nothing about the API token.
        self._key = hmac.digest(secret.encode(), b"seamless folder uploads v1", "sha256")

    async def __call__(self, key: str) -> SignedUpload:
        expires = int(time.time() + UPLOAD_EXPIRES.total_seconds())
        query = urlencode({"expires": expires, "signature": self._signature(key, f"{expires}")})
        return SignedUpload(url=f"uploads/{quote(key)}?{query}", headers={})

    def allows(self, key: str, expires: str, signature: str) -> bool:
        """True when the signature fits the key and the URL has not expired."""
        ours = self._signature(key, expires)
        if not hmac.compare_digest(ours.encode(), signature.encode()):
            return False
        return int(expires) >= time.time()  # the signature is valid, so it is a number

    def _signature(self, key: str, expires: str) -> str:
        return hmac.new(self._key, f"{expires}\n{key}".encode(), hashlib.sha256).hexdigest()


def open_store(settings: Settings) -> Store:
    """Open the store that the settings name.

    Raises:
        ValueError: when `store_url` is neither `file://` nor `s3://`.
    """
    url = urlsplit(settings.store_url)
    if url.scheme == "file":
        folder = Path(unquote(url.path))
        return Store(
            LocalStore(prefix=folder, mkdir=True), FolderSigner(settings.api_token), origin=None
        )
    if url.scheme == "s3":
        region = settings.store_region or "us-east-1"
        client = _s3(settings, bucket=url.netloc, region=region)

        async def sign(key: str) -> SignedUpload:
            signed = await obstore.sign_async(client, "PUT", key, UPLOAD_EXPIRES)
            return SignedUpload(url=signed, headers={})

        endpoint = settings.store_endpoint or f"https://s3.{region}.amazonaws.com"
        return Store(client, sign, origin=endpoint)
    raise ValueError(f"STORE_URL={settings.store_url!r} must begin with file:// or s3://.")


def _s3(settings: Settings, *, bucket: str, region: str) -> S3Store:
    options: dict[str, str] = {}
    if settings.store_endpoint:
        options["endpoint"] = settings.store_endpoint
    if settings.store_access_key_id:
        options["access_key_id"] = settings.store_access_key_id
        options["secret_access_key"] = settings.store_secret_access_key
    return S3Store(
        bucket,
        region=region,
        client_options={
            "allow_http": settings.store_endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(seconds=60),  # the largest document needs 14 Mbit/s
        },
        # Longer retries are the ledger's: it queues the document again and frees the worker.
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
        **options,  # type: ignore[arg-type]  # the stub wants a TypedDict; the keys are its own
    )


def _stored(meta: "ObjectMeta") -> StoredObject:
    return StoredObject(
        key=meta["path"],
        size=meta["size"],
        version=(meta["e_tag"] or "").strip('"'),
    )


class _failures:  # noqa: N801  # reads as a statement: `with _failures(key):`
    """Turns errors of the client into `Failure`."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        gone = isinstance(error, FileNotFoundError | NotFoundError)
        if gone and "NoSuchBucket" not in str(
            error
        ):  # a missing bucket is an outage and fails no document
            raise Failure(
                Code.OBJECT_MISSING,
                f"The object {self._key!r} does not exist in the store.",
                "Upload the document again.",
            ) from error
        if gone or isinstance(error, BaseError):
            raise Failure(
                Code.STORE_UNAVAILABLE,
                f"The object store did not serve {self._key!r} ({type(error).__name__}).",
                "It is retried automatically; if it lasts, check the store's address and key.",
                retryable=True,
            ) from error
