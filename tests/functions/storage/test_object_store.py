"""The store: one contract for a folder and for buckets with the S3 API.

The S3 API is moto's server, behind a check of signatures (`tests.support.hosts.bucket`).
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from functions.errors import Code, Failure
from functions.settings import Settings
from functions.storage.object_store import Store, open_store
from functions.storage.signed_upload import FolderSigner, SignedUpload
from tests.support import local
from tests.support.hosts.bucket import CheckedBucket, Key, checked_bucket

pytestmark = pytest.mark.anyio

KEYS = [
    "incoming/plain.txt",
    "incoming/with space.txt",
    "incoming/Übergrößenträger.pdf",
    "incoming/日本語.md",
    "incoming/🗿.txt",
    "incoming/a+b=c&d.txt",
    "incoming/50%.txt",
    "incoming/50%25 %2F.txt",
    "incoming/why?.txt",
    "incoming/.hidden",
    "incoming/a/b/c/deep.txt",
    "incoming/'quoted' (1) [2] {3} ~!$,;@.txt",
]

Bucket = Callable[[bool], Settings]


KEY = Key(id="access-of-a-test", secret="secret-of-a-test")
TEMPORARY = Key(id="role-of-a-test", secret="secret-of-a-test", session_token="session/of+a=test")


@pytest.fixture(scope="module")
def checked(s3: str) -> Iterator[CheckedBucket]:
    """The S3 API, with both keys."""
    with checked_bucket(s3, KEY, TEMPORARY, region="us-east-1") as checked:
        yield checked


@pytest.fixture
def bucket(s3: str, checked: CheckedBucket) -> Bucket:
    """A function that makes a bucket and returns its settings."""

    def make(versioned: bool) -> Settings:
        name = f"documents-{secrets.token_hex(4)}"
        httpx.put(f"{s3}/{name}").raise_for_status()
        if versioned:
            state = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
            httpx.put(f"{s3}/{name}?versioning", content=state).raise_for_status()
        return _bucket_settings(checked.url, name)

    return make


@pytest.fixture(params=["folder", "bucket", "versioned bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "folder":
        return open_store(local.settings(store_url=tmp_path.as_uri()))
    make: Bucket = request.getfixturevalue("bucket")
    return open_store(make(request.param == "versioned bucket"))


# ---------------------------------------------------------------- the contract


@pytest.mark.parametrize("key", KEYS)
async def test_get_head_and_list_return_the_object_that_was_put(store: Store, key: str) -> None:
    data = f"content of {key}".encode()

    await store.put(key, data)

    stored, got = await store.get(key)
    assert got == data
    assert (stored.key, stored.size) == (key, len(data))
    assert stored.version
    assert await store.head(key) == stored
    assert [found async for found in store.list()] == [stored]


async def test_an_overwritten_object_has_a_new_version_and_no_old_one(store: Store) -> None:
    await store.put("incoming/a.txt", b"one")
    first = await store.head("incoming/a.txt")
    await store.put("incoming/a.txt", b"two")

    with pytest.raises(Failure) as refused:
        await store.get("incoming/a.txt", expect=first.version)

    assert refused.value.code is Code.OBJECT_CHANGED
    assert not refused.value.retryable
    assert first.version in refused.value.message
    second = await store.head("incoming/a.txt")
    assert await store.get("incoming/a.txt", expect=second.version) == (second, b"two")


async def test_a_missing_object_is_a_failure(store: Store) -> None:
    for look in (store.head, store.get):
        with pytest.raises(
            Failure, match=r"The object 'incoming/none\.txt' does not exist"
        ) as refused:
            await look("incoming/none.txt")

        assert refused.value.code is Code.OBJECT_MISSING
        assert not refused.value.retryable


async def test_an_empty_object_is_an_object(store: Store) -> None:
    await store.put("incoming/empty.txt", b"")

    stored, data = await store.get("incoming/empty.txt")
    assert (stored.size, data) == (0, b"")


async def test_only_objects_with_the_prefix_are_listed(store: Store) -> None:
    await store.put("incoming/a.txt", b"a")
    await store.put("incoming-too/b.txt", b"b")
    await store.put("summaries/c.json", b"c")

    assert [found.key async for found in store.list()] == ["incoming/a.txt"]
    assert [found.key async for found in store.list("summaries/")] == ["summaries/c.json"]


async def test_a_store_without_documents_lists_nothing(store: Store) -> None:
    assert [found async for found in store.list()] == []


# ---------------------------------------------------------------- a folder


async def test_a_folder_lists_more_than_a_thousand_files_once_each(tmp_path: Path) -> None:
    names = {f"{number:04}.txt" for number in range(1_100)}
    (tmp_path / "incoming").mkdir()
    for name in names:
        (tmp_path / "incoming" / name).touch()
    store = open_store(local.settings(store_url=tmp_path.as_uri()))

    listed = [found.key async for found in store.list()]

    assert len(listed) == 1_100
    assert set(listed) == {f"incoming/{name}" for name in names}


async def test_a_file_with_an_invalid_name_is_skipped_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for name in ("a.txt", "line\nend.txt", "m.txt", "latin-1-\udcfc.txt", "z.txt"):
        (incoming / name).touch()
    store = open_store(local.settings(store_url=tmp_path.as_uri()))

    with caplog.at_level(logging.WARNING, "functions.storage.object_store"):
        listed = {found.key async for found in store.list()}

    assert listed == {"incoming/a.txt", "incoming/m.txt", "incoming/z.txt"}
    assert len(caplog.records) == 2
    assert "line\\nend.txt" in caplog.text


async def test_a_folder_with_odd_characters_in_its_own_path_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "Meine Dokumente 50% +ü#1"
    store = open_store(local.settings(store_url=folder.as_uri()))

    await store.put("incoming/a.txt", b"one")

    assert (folder / "incoming" / "a.txt").read_bytes() == b"one"


async def test_a_file_in_place_of_a_folder_is_an_outage(tmp_path: Path) -> None:
    store = open_store(local.settings(store_url=tmp_path.as_uri()))
    (tmp_path / "incoming").write_text("in the way")

    with pytest.raises(Failure) as refused:
        await store.put("incoming/a.txt", b"one")

    assert refused.value.code is Code.STORE_UNAVAILABLE
    assert refused.value.retryable


# ---------------------------------------------------------------- a bucket


async def test_a_bucket_lists_more_than_a_thousand_objects_once_each(bucket: Bucket) -> None:
    from moto.s3.models import s3_backends

    settings = bucket(False)
    # The API would take ten seconds.
    backend = s3_backends["123456789012"]["aws"]
    for number in range(1_100):
        backend.put_object(urlsplit(settings.store_url).netloc, f"incoming/{number:04}", b"x")

    listed = [found.key async for found in open_store(settings).list()]

    assert len(listed) == 1_100
    assert set(listed) == {f"incoming/{number:04}" for number in range(1_100)}


async def test_an_object_that_marks_a_folder_is_not_listed(bucket: Bucket, s3: str) -> None:
    settings = bucket(False)
    name = urlsplit(settings.store_url).netloc
    assert await _put(f"{s3}/{name}/incoming/", b"") == 200  # as the consoles of clouds do
    store = open_store(settings)
    await store.put("incoming/a.txt", b"a")

    assert [found.key async for found in store.list()] == ["incoming/a.txt"]


@pytest.mark.parametrize("key", KEYS)
async def test_a_presigned_url_of_a_bucket_needs_no_key(bucket: Bucket, key: str) -> None:
    store = open_store(bucket(False))

    upload = store.sign_upload(key, size=8)

    assert await _put(upload.url, b"uploaded", upload.headers) == 200
    assert (await store.get(key))[1] == b"uploaded"


@pytest.mark.parametrize("versioned", [False, True])
async def test_a_presigned_url_of_a_bucket_stores_one_object(
    bucket: Bucket, versioned: bool
) -> None:
    store = open_store(bucket(versioned))
    upload = store.sign_upload("incoming/a.txt", size=3)

    results = [await _put(upload.url, data, upload.headers) for data in (b"one", b"two")]

    assert results == [200, 412]
    assert (await store.get("incoming/a.txt"))[1] == b"one"


async def test_a_temporary_key_signs_with_its_session_token(bucket: Bucket) -> None:
    settings = bucket(False)
    name = urlsplit(settings.store_url).netloc
    store = open_store(_bucket_settings(settings.store_endpoint, name, key=TEMPORARY))

    upload = store.sign_upload("incoming/a.txt", size=3)

    assert await _put(upload.url, b"one", upload.headers) == 200
    assert (await store.get("incoming/a.txt"))[1] == b"one"


async def test_a_presigned_url_has_its_expiry_and_no_secret(bucket: Bucket) -> None:
    upload = open_store(bucket(False)).sign_upload("incoming/a.txt", size=3)

    query = parse_qs(urlsplit(upload.url).query)
    assert query["X-Amz-Expires"] == ["900"]
    assert query["X-Amz-SignedHeaders"] == ["content-length;host;if-none-match"]
    assert upload.headers == {"content-length": "3", "if-none-match": "*"}
    assert "secret-of-a-test" not in upload.url


async def test_a_bucket_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^STORE_ACCESS_KEY_ID is empty"):
        open_store(_bucket_settings("", "documents", key=Key(id="", secret="")))


async def test_an_object_is_created_once(store: Store) -> None:
    assert await store.create("incoming/a.txt", b"one")
    assert not await store.create("incoming/a.txt", b"two")

    assert (await store.get("incoming/a.txt"))[1] == b"one"


async def test_the_beginning_of_its_uploads_is_known(
    bucket: Bucket, checked: CheckedBucket
) -> None:
    for settings, origin in (
        (bucket(False), checked.url),
        (_bucket_settings("", "documents", region=""), "https://s3.us-east-1.amazonaws.com"),
        (
            _bucket_settings("", "documents", region="sa-east-1"),
            "https://s3.sa-east-1.amazonaws.com",
        ),
    ):
        store = open_store(settings)
        upload = store.sign_upload("incoming/a.txt", size=1)

        name = urlsplit(settings.store_url).netloc
        assert store.uploads == f"{origin}/{name}/incoming/"
        assert upload.url.startswith(store.uploads)


async def test_an_unreachable_bucket_is_an_outage() -> None:
    store = open_store(_bucket_settings("http://127.0.0.1:9", "documents"))

    problems = await asyncio.gather(
        store.head("incoming/a.txt"),
        store.get("incoming/a.txt"),
        store.put("incoming/a.txt", b""),
        anext(store.list()),
        return_exceptions=True,
    )

    for problem in problems:
        assert isinstance(problem, Failure)
        assert problem.code is Code.STORE_UNAVAILABLE
        assert problem.retryable
        assert "secret-of-a-test" not in str(problem)


async def test_a_bucket_that_closes_connections_is_called_four_times() -> None:
    calls = 0

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        store = open_store(_bucket_settings(f"http://{host}:{port}", "documents"))
        with pytest.raises(Failure) as refused:
            await store.head("incoming/a.txt")

    assert refused.value.code is Code.STORE_UNAVAILABLE
    assert calls == 4


async def test_a_missing_bucket_is_an_outage_and_no_missing_object(s3: str) -> None:
    store = open_store(_bucket_settings(s3, "there-is-no-such-bucket"))

    for call in (anext(store.list()), store.get("incoming/a.txt"), store.put("a.txt", b"")):
        with pytest.raises(Failure) as refused:
            await call
        assert refused.value.code is Code.STORE_UNAVAILABLE
        assert refused.value.retryable


def test_another_scheme_of_the_store_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^STORE_URL='gs://b' must begin with file:// or s3://\.$"
    ):
        open_store(local.settings(store_url="gs://b"))


# ---------------------------------------------------------------- signatures of a folder's uploads


@pytest.mark.parametrize("key", KEYS)
def test_a_signature_is_valid_for_its_key_size_expiry_and_secret_only(key: str) -> None:
    sign = FolderSigner("token")
    upload = sign(key, 5)
    expires, signature = _signed(upload)

    def allows(key: str = key, expires: str = expires, by: FolderSigner = sign) -> bool:
        return by.allows(key, expires, signature, headers=upload.headers)

    assert allows()
    assert not allows(f"{key}x")
    assert not allows("summaries/a.json")
    assert not allows(expires=f"{int(expires) + 1}")
    assert not allows(by=FolderSigner("another"))
    for headers in (
        {**upload.headers, "content-length": "6"},
        {**upload.headers, "if-none-match": "other"},
        {"content-length": "5"},
    ):
        assert not sign.allows(key, expires, signature, headers=headers)


def test_a_signature_ends_after_fifteen_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    sign = FolderSigner("token")
    before = time.time()
    upload = sign("incoming/a.txt", 5)
    expires, signature = _signed(upload)
    assert 895 <= int(expires) - before <= 900

    monkeypatch.setattr(time, "time", lambda: before + 901)

    assert not sign.allows("incoming/a.txt", expires, signature, headers=upload.headers)


@pytest.mark.parametrize("expires", ["", "soon", "-1", "٣", "9" * 5000, "1e9", "1\n2"])
@pytest.mark.parametrize("signature", ["", "00", "ü", "\0", "f" * 64])
def test_an_unsigned_upload_is_refused(expires: str, signature: str) -> None:
    headers = FolderSigner("token")("incoming/a.txt", 5).headers
    assert not FolderSigner("token").allows("incoming/a.txt", expires, signature, headers=headers)


def _signed(upload: SignedUpload) -> tuple[str, str]:
    query = parse_qs(urlsplit(upload.url).query)
    return query["expires"][0], query["signature"][0]


def _bucket_settings(
    endpoint: str, name: str, *, region: str = "us-east-1", key: Key = KEY
) -> Settings:
    return local.settings(
        store_url=f"s3://{name}",
        store_endpoint=endpoint,
        store_region=region,
        store_access_key_id=key.id,
        store_secret_access_key=key.secret,
        store_session_token=key.session_token,
    )


async def _put(url: str, content: bytes, headers: Mapping[str, str] | None = None) -> int:
    async with httpx.AsyncClient() as client:
        return (await client.put(url, content=content, headers=headers)).status_code
