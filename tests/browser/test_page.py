"""The page in a real browser, against the real application."""

import re
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.browser.conftest import Open
from tests.support.functions import files
from tests.support.local import Application

pytestmark = pytest.mark.browser

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def named(path: Path) -> FilePayload:
    """A file with a unique name."""
    return payload(f"{secrets.token_hex(3)}-{path.name}", path.read_bytes())


def payload(name: str, content: bytes) -> FilePayload:
    """A file as Playwright takes it."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def card(page: Page, name: str, state: str) -> Locator:
    """The card of a document, once it has a state."""
    found = page.locator("li.card", has=page.get_by_role("heading", name=name, exact=True))
    expect(found.locator("[data-part=state]")).to_have_text(state)
    return found


def choose(page: Page, *chosen: FilePayload) -> None:
    """Choose files by the button."""
    page.get_by_label("Choose files").set_input_files(list(chosen))


def test_three_real_files_become_three_summaries(open_page: Open, application: Application) -> None:
    """A DOCX, a PDF and Markdown; the page shows the data of the API."""
    page = open_page()
    chosen = [named(SAMPLES / n) for n in ("general-meeting.docx", "river-report.pdf")]
    chosen.append(named(SAMPLES / "incident-review.md"))

    choose(page, *chosen)

    with application.client() as client:
        for file in chosen:
            shown = card(page, file["name"], "Done")
            documents = client.get("/api/documents").json()["documents"]
            (document,) = (d for d in documents if d["name"] == file["name"])
            summary = shown.locator("[data-part=summary]")
            assert len(document["summary"].split()) > 40
            assert summary.inner_text().split() == document["summary"].split()
            facts = shown.locator("[data-part=facts]")
            expect(facts).to_contain_text("extractive")
            expect(facts).to_contain_text("serverless")
            expect(facts).to_contain_text("$0")
            expect(facts).to_contain_text(f"{document['usage']['prompt_tokens']:,} in")
    expect(page.locator("#local-model")).to_contain_text("This stack uses no language model.")


def test_files_can_be_dropped_anywhere(open_page: Open) -> None:
    page = open_page()
    expect(page.locator("#drop")).to_be_visible()
    name = f"{secrets.token_hex(3)}.txt"
    transfer = page.evaluate_handle(
        """([name, text]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], name));
            return transfer;
        }""",
        [name, (SAMPLES / "incident-review.md").read_text()],
    )

    for event in ("dragenter", "dragover", "drop"):
        page.locator("#documents-title").dispatch_event(event, {"dataTransfer": transfer})

    card(page, name, "Done")


def test_an_error_is_shown_with_its_remedy_and_can_be_retried(open_page: Open) -> None:
    """A picture with the name of a PDF."""
    page = open_page()
    name = f"{secrets.token_hex(3)}.pdf"

    choose(page, payload(name, files.PNG))

    shown = card(page, name, "Failed")
    expect(shown.locator("[data-part=code]")).to_have_text("UNSUPPORTED_TYPE")
    expect(shown.locator("[data-part=message]")).to_contain_text("PNG")
    expect(shown.locator("[data-part=remedy]")).not_to_be_empty()
    shown.get_by_role("button", name="Retry").click()
    expect(shown.locator("[data-part=facts]")).to_contain_text("Attempts2")
    expect(shown.locator("[data-part=state]")).to_have_text("Failed")


def test_an_empty_file_is_an_error_before_the_upload(open_page: Open) -> None:
    page = open_page()
    name = f"{secrets.token_hex(3)}.txt"

    choose(page, payload(name, b""))

    shown = card(page, name, "Not uploaded")
    expect(shown.locator("[data-part=message]")).to_have_text(f"{name} is empty: 0 bytes.")


def test_a_reload_loses_no_document(open_page: Open) -> None:
    page = open_page()
    done, queued = named(SAMPLES / "river-report.pdf"), named(SAMPLES / "general-meeting.docx")
    choose(page, done)
    summary = card(page, done["name"], "Done").locator("[data-part=summary]").inner_text()
    with page.expect_response(lambda r: r.url.endswith("/complete")):
        choose(page, queued)

    page.reload()

    expect(card(page, done["name"], "Done").locator("[data-part=summary]")).to_have_text(
        re.sub(r"\s+", " ", summary)
    )
    card(page, queued["name"], "Done")


def test_after_a_reload_an_interrupted_upload_can_be_repeated(open_page: Open) -> None:
    page = open_page()
    file = named(SAMPLES / "incident-review.md")
    page.route("**/uploads/**", lambda route: None)  # never answered
    with page.expect_response(lambda r: r.url.endswith("/api/uploads")):
        choose(page, file)

    page.reload()
    page.unroute_all(behavior="ignoreErrors")

    shown = card(page, file["name"], "Upload unfinished")
    with page.expect_file_chooser() as chooser:
        shown.get_by_role("button", name="Choose the file again").click()
    chooser.value.set_files([file])
    card(page, file["name"], "Done")


def test_an_upload_whose_answer_is_lost_is_completed(open_page: Open) -> None:
    """The second attempt finds that the object is there."""
    page = open_page()
    file = named(SAMPLES / "incident-review.md")
    statuses: list[int] = []

    def upload(route: Route) -> None:
        answer = route.fetch()
        statuses.append(answer.status)
        if len(statuses) == 1:
            route.abort()
        else:
            route.fulfill(response=answer)

    page.route("**/uploads/**", upload)
    choose(page, file)

    card(page, file["name"], "Done")
    assert statuses == [200, 412]


def test_the_token_is_removed_from_the_address_and_kept_after_a_reload(
    open_page: Open, application: Application
) -> None:
    page = open_page()

    expect(page.locator("#drop")).to_be_visible()
    assert page.url == f"{application.url}/"
    page.reload()
    expect(page.locator("#drop")).to_be_visible()


def test_a_wrong_token_can_be_replaced_and_a_token_can_be_deleted(
    open_page: Open, application: Application
) -> None:
    """Without a token no document is shown."""
    page = open_page(token="wrong")

    expect(page.locator("#entry-error")).not_to_be_empty()
    expect(page.locator("#drop")).to_be_hidden()
    page.get_by_label("Token", exact=True).fill(application.token)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#drop")).to_be_visible()

    page.get_by_role("button", name="Forget token").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
    expect(page.locator("li.card")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()


def test_a_summary_can_be_copied_by_keyboard(open_page: Open) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    file = named(SAMPLES / "incident-review.md")
    choose(page, file)
    shown = card(page, file["name"], "Done")
    page.locator("body").click(position={"x": 1, "y": 1})
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if page.evaluate("e => e.contains(document.activeElement)", shown.element_handle()):
            break

    page.keyboard.press("Enter")

    assert "files" in reached
    expect(shown.locator("[data-part=copy-label]")).to_have_text("Copied")
    expect(page.locator("#announcements")).to_contain_text(f"Copied the summary of {file['name']}")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split() == shown.locator("[data-part=summary]").inner_text().split()


def test_a_lost_connection_is_shown_until_it_is_back(open_page: Open) -> None:
    page = open_page()
    expect(page.locator("#drop")).to_be_visible()
    page.route("**/api/documents**", lambda route: route.abort())
    choose(page, named(SAMPLES / "incident-review.md"))

    expect(page.locator("#banner")).not_to_be_empty()
    page.unroute_all(behavior="ignoreErrors")
    expect(page.locator("#banner")).to_be_empty()


@pytest.mark.parametrize("width", [360, 390, 768, 1600])
def test_nothing_scrolls_sideways_at_any_width(open_page: Open, width: int) -> None:
    """Also with a long name."""
    page = open_page(viewport={"width": width, "height": 800})
    name = f"{secrets.token_hex(3)}-{'a-very-long-name' * 8}.md"
    choose(page, payload(name, (SAMPLES / "incident-review.md").read_bytes()))
    card(page, name, "Done")

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_both_color_schemes_have_enough_contrast(open_page: Open, scheme: str, light: bool) -> None:
    page = open_page(color_scheme=scheme)
    expect(page.locator("#drop")).to_be_visible()

    background, text = (
        _luminance(page.evaluate(f"getComputedStyle(document.body).{name}"))
        for name in ("backgroundColor", "color")
    )

    assert (background > text) is light
    bright, dim = max(background, text), min(background, text)
    assert (bright + 0.05) / (dim + 0.05) >= 7  # WCAG 2.2, contrast (enhanced)


def test_every_control_has_a_name_and_every_state_is_announced(open_page: Open) -> None:
    page = open_page()
    file = named(SAMPLES / "incident-review.md")
    choose(page, file)
    card(page, file["name"], "Done")

    snapshot = page.locator("body").aria_snapshot()

    controls = re.findall(r"- (?:button|textbox|progressbar|link)(.*)", snapshot)
    assert controls
    assert [control for control in controls if not control.strip().startswith('"')] == []
    assert f'heading "{file["name"]}"' in snapshot
    expect(page.locator("#announcements")).to_contain_text(file["name"])


def test_the_text_of_a_document_is_never_markup(open_page: Open) -> None:
    page = open_page()
    markup = "<img src=x onerror=alert(1)>"
    text = f"This is a sentence about {markup} which a page must show as it is. " * 3
    name = f"{secrets.token_hex(3)} {markup}.txt"

    choose(page, payload(name, text.encode()))

    shown = card(page, name, "Done")
    assert shown.locator("img").count() == 0


def _luminance(color: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
