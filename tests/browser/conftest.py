"""A real Chromium for the tests of the page; errors on its console fail a test."""

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.local import Application
from tools.programs import chromium

WAIT_MILLISECONDS = 60_000
"""How long an action or an expectation waits on a busy machine."""

expect.set_options(timeout=WAIT_MILLISECONDS)

Open = Callable[..., Page]
"""Opens the page in its own browser profile, with Playwright's context options."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium; without one the tests are skipped, and fail in CI.

    Its scope is the module, since Playwright blocks the event loop of asynchronous tests.
    """
    program = chromium.find()
    if program is None:
        missing = "no Chromium: apt-get install chromium, or set CHROMIUM to one"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(chromium.ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser, application: Application) -> Iterator[Open]:
    """Open the page with the token; the console must have no errors."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(*, token: str | None = application.token, **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]  # Playwright's own names
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MILLISECONDS)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{application.url}/" + (f"#token={token}" if token else ""))
        return page

    yield open_
    for context in contexts:
        context.close()
    # The browser reports every answer of 401 or 409; the page handles them.
    assert [line for line in complaints if "Failed to load resource" not in line] == []
