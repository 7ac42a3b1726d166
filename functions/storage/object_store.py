"""The object store: a folder or an S3-compatible bucket, through one client."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, InvalidPathError, NotFoundError
from obstore.store import LocalStore, S3Store

from functions.errors import Code, Failure
from functions.settings import Settings
from functions.storage.signed_upload import BucketSigner, FolderSigner, SignedUpload, Signer

if TYPE_CHECKING:
    from obstore import ObjectMeta  # exists for type checkers only

log = logging.getLogger(__name__)

INCOMING = "incoming/"
SUMMARIES = "summaries/"


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


class Store:
    """Objects under `incoming/` and `summaries/`.

    Every method raises `Failure`: OBJECT_MISSING when the object does not exist, STORE_UNAVAILABLE
    (retryable) when the store does not answer.
    """

    def __init__(
        self, client: LocalStore | S3Store, sign: Signer, *, uploads: str | None = None
    ) -> None:
        self._client = client
        self._sign = sign
        self.uploads = uploads
        """The beginning of every upload URL; None when uploads go to the application itself."""

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

    async def create(self, key: str, data: bytes) -> bool:
        """Write an object unless its key has one; return whether it was written."""
        with _failures(key):
            try:
                await obstore.put_async(self._client, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

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

    def sign_upload(self, key: str, *, size: int) -> SignedUpload:
        """A PUT that stores one object of this size once, valid for 15 minutes."""
        return self._sign(key, size)


def open_store(settings: Settings) -> Store:
    """Open the store that the settings name.

    Raises:
        ValueError: when `store_url` is neither `file://` nor `s3://`, or a bucket has no key.
    """
    url = urlsplit(settings.store_url)
    if url.scheme == "file":
        folder = Path(unquote(url.path))
        return Store(LocalStore(prefix=folder, mkdir=True), FolderSigner(settings.api_token))
    if url.scheme == "s3":
        if not settings.store_access_key_id:
            raise ValueError(
                "STORE_ACCESS_KEY_ID is empty, but a bucket's uploads are signed with it. "
                "Set STORE_ACCESS_KEY_ID and STORE_SECRET_ACCESS_KEY."
            )
        region = settings.store_region or "us-east-1"
        signer = BucketSigner(
            endpoint=settings.store_endpoint or f"https://s3.{region}.amazonaws.com",
            bucket=url.netloc,
            region=region,
            access_key_id=settings.store_access_key_id,
            secret_access_key=settings.store_secret_access_key,
            session_token=settings.store_session_token,
        )
        return Store(
            _s3(settings, bucket=url.netloc, region=region),
            signer,
            uploads=f"{signer.endpoint}/{url.netloc}/{INCOMING}",
        )
    raise ValueError(f"STORE_URL={settings.store_url!r} must begin with file:// or s3://.")


def _s3(settings: Settings, *, bucket: str, region: str) -> S3Store:
    options = {
        "endpoint": settings.store_endpoint,
        "access_key_id": settings.store_access_key_id,
        "secret_access_key": settings.store_secret_access_key,
        "session_token": settings.store_session_token,
    }
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
        # The stub wants a TypedDict; the keys are its own.
        **{name: value for name, value in options.items() if value},  # type: ignore[arg-type]
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
