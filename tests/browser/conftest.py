"""A real Chromium for the tests of the page, and a watch over what it complains of."""

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.local import Application
from tools.programs import chromium

Open = Callable[..., Page]
"""Opens the page in a browser profile of its own; takes Playwright's context options."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A running Chromium. Where there is none, CI fails, and a person is told what was skipped.

    Not for the whole session: Playwright holds the event loop that asynchronous tests need.
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
    """Open the page signed in; at the end the console must have been silent."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(*, token: str | None = application.token, **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]  # Playwright's own names
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{application.url}/" + (f"#token={token}" if token else ""))
        return page

    yield open_
    for context in contexts:
        context.close()
    # A browser reports every answer of 401 or 409 as an error of its own; the page handles them.
    assert [line for line in complaints if "Failed to load resource" not in line] == []
