"""The page on DigitalOcean Functions, whose host serves pages of other customers, too.

Uploads go to a bucket that checks signatures and the component's CORS rule.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from functions.handlers.asgi import Answer
from tests.browser.conftest import WAIT_MILLISECONDS
from tests.support import local
from tests.support.contract.model import modelled
from tests.support.hosts.bucket import CorsRule
from tests.support.hosts.functions_host import FunctionsHost, functions_host
from tests.support.plans import plan

pytestmark = pytest.mark.browser

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
STRANGER = "/api/v1/web/fn-00000000-0000-4000-8000-000000000000/default/page"

STORED = """async () => ({
    local: {...localStorage},
    session: {...sessionStorage},
    cookie: document.cookie,
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
    name: window.name,
})"""
"""Everything that a page can read of what other pages of its origin have stored."""

NOTHING = {
    "local": {},
    "session": {},
    "cookie": "",
    "databases": [],
    "caches": [],
    "workers": 0,
    "name": "",
}


def _answer(kind: str, body: str) -> Answer:
    return Answer(status=200, headers={"content-type": kind}, body=body.encode())


@pytest.fixture(scope="module", autouse=True)
def host(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server, s3: str
) -> Iterator[FunctionsHost]:
    """The application, a stranger's page and script, and the CORS rule of the component.

    It is started before the browser, since Playwright blocks the event loop that plans.
    """
    folder = tmp_path_factory.mktemp("functions")
    with modelled() as model, functions_host(folder, postgres.database(), model, s3) as host:
        (resource,) = (r for r in plan("integrated").resources if r.name == "store-cors")
        (rule,) = resource.inputs["corsRules"]
        host.bucket.cors.append(
            CorsRule(
                origins=[host.url], methods=rule["allowedMethods"], headers=rule["allowedHeaders"]
            )
        )
        host.strangers[STRANGER] = _answer("text/html", "<!doctype html><title>stranger</title>")
        host.strangers[f"{STRANGER}.js"] = _answer("text/javascript", "export const loaded = true;")
        yield host


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile."""
    context = browser.new_context()
    context.set_default_timeout(WAIT_MILLISECONDS)
    yield context
    context.close()


@pytest.fixture
def stranger(context: BrowserContext, host: FunctionsHost) -> Page:
    """A page of another customer in the same browser."""
    page = context.new_page()
    page.goto(f"{host.url}{STRANGER}")
    return page


def _opened(context: BrowserContext, host: FunctionsHost) -> Page:
    """Our page after login by the form."""
    page = context.new_page()
    page.goto(host.page_url)
    expect(page.locator("#entry-memory")).to_be_visible()
    page.get_by_label("Token", exact=True).fill(host.token)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#drop")).to_be_visible()
    return page


def test_a_page_of_a_stranger_finds_nothing_stored(
    context: BrowserContext, stranger: Page, host: FunctionsHost
) -> None:
    page = _opened(context, host)

    assert page.evaluate(STORED) == NOTHING
    assert stranger.evaluate(STORED) == NOTHING
    assert page.get_by_label("Token", exact=True).input_value() == ""
    assert host.token not in page.content()


def test_a_reload_asks_for_the_token_again(context: BrowserContext, host: FunctionsHost) -> None:
    page = context.new_page()
    page.goto(f"{host.page_url}#token={host.token}")
    expect(page.locator("#drop")).to_be_visible()
    assert page.url == host.page_url

    page.reload()

    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    expect(page.locator("#drop")).to_be_hidden()


def test_a_token_that_an_earlier_version_stored_is_deleted(
    context: BrowserContext, stranger: Page, host: FunctionsHost
) -> None:
    stranger.evaluate("token => localStorage.setItem('seamless.token', token)", host.token)

    page = context.new_page()
    page.goto(host.page_url)

    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    assert stranger.evaluate(STORED) == NOTHING


def test_a_page_of_a_stranger_cannot_embed_the_page(stranger: Page, host: FunctionsHost) -> None:
    shown = stranger.evaluate(
        """async url => {
            const frame = document.createElement('iframe');
            frame.src = url;
            const loaded = new Promise(resolve => frame.onload = resolve);
            document.body.append(frame);
            await loaded;
            return frame.contentDocument?.getElementById('token') ?? null;
        }""",
        host.page_url,
    )

    assert shown is None


def test_the_page_loads_no_script_of_a_stranger(
    context: BrowserContext, host: FunctionsHost
) -> None:
    page = _opened(context, host)
    imported = "path => import(path).then(() => 'loaded', () => 'refused')"

    assert page.evaluate(imported, f"{host.page_url}page/format.js") == "loaded"
    assert page.evaluate(imported, f"{host.url}{STRANGER}.js") == "refused"


def test_an_upload_passes_the_signature_and_the_cors_rule(
    context: BrowserContext, host: FunctionsHost
) -> None:
    page = _opened(context, host)
    name = f"{secrets.token_hex(3)}.md"
    text = (SAMPLES / "incident-review.md").read_bytes()
    file: FilePayload = {"name": name, "mimeType": "text/markdown", "buffer": text}

    page.get_by_label("Choose files").set_input_files(file)

    card = page.locator("li.card", has=page.get_by_role("heading", name=name, exact=True))
    expect(card.locator("[data-part=state]")).to_have_text("Done")
