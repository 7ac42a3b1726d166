"""The page in a real browser, against the real application."""

import re
import secrets
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import Open
from tests.support.functions import files
from tests.support.local import Application

pytestmark = pytest.mark.browser

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def named(path: Path) -> FilePayload:
    """A file under a name that no other test uses, because all share one application."""
    return payload(f"{secrets.token_hex(3)}-{path.name}", path.read_bytes())


def payload(name: str, content: bytes) -> FilePayload:
    """A file as Playwright takes it."""
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def card(page: Page, name: str) -> Locator:
    """The card of a document."""
    return page.locator("li.card", has=page.get_by_role("heading", name=name, exact=True))


def choose(page: Page, *chosen: FilePayload) -> None:
    """Choose files as a person does by the button."""
    page.get_by_label("Choose files").set_input_files(list(chosen))


def test_three_real_files_become_three_summaries(open_page: Open, application: Application) -> None:
    """A DOCX, a PDF and Markdown; what the page shows is what the API says."""
    page = open_page()
    chosen = [named(SAMPLES / n) for n in ("general-meeting.docx", "river-report.pdf")]
    chosen.append(named(SAMPLES / "incident-review.md"))

    choose(page, *chosen)

    with application.client() as client:
        for file in chosen:
            shown = card(page, file["name"])
            expect(shown.locator("[data-part=state]")).to_have_text("Done")
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
    """As a person drags them from a folder."""
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

    expect(card(page, name).locator("[data-part=state]")).to_have_text("Done")


def test_an_error_is_shown_with_its_remedy_and_can_be_retried(open_page: Open) -> None:
    """A picture that calls itself a PDF."""
    page = open_page()
    name = f"{secrets.token_hex(3)}.pdf"

    choose(page, payload(name, files.PNG))

    shown = card(page, name)
    expect(shown.locator("[data-part=state]")).to_have_text("Failed")
    expect(shown.locator("[data-part=code]")).to_have_text("UNSUPPORTED_TYPE")
    expect(shown.locator("[data-part=message]")).to_contain_text("PNG")
    expect(shown.locator("[data-part=remedy]")).not_to_be_empty()
    shown.get_by_role("button", name="Retry").click()
    expect(shown.locator("[data-part=facts]")).to_contain_text("Attempts2")
    expect(shown.locator("[data-part=state]")).to_have_text("Failed")


def test_an_empty_file_is_refused_before_it_is_sent(open_page: Open) -> None:
    """The API takes none, and the page says why."""
    page = open_page()
    name = f"{secrets.token_hex(3)}.txt"

    choose(page, payload(name, b""))

    shown = page.locator("li.card", has_text=name)
    expect(shown.locator("[data-part=state]")).to_have_text("Not uploaded")
    expect(shown.locator("[data-part=message]")).to_have_text(f"{name} is empty: 0 bytes.")


def test_a_reload_in_the_middle_loses_nothing(open_page: Open) -> None:
    """What was queued is found again, and so is what is done."""
    page = open_page()
    done, under_way = named(SAMPLES / "river-report.pdf"), named(SAMPLES / "general-meeting.docx")
    choose(page, done)
    expect(card(page, done["name"]).locator("[data-part=state]")).to_have_text("Done")
    summary = card(page, done["name"]).locator("[data-part=summary]").inner_text()
    with page.expect_response(lambda r: r.url.endswith("/complete")):
        choose(page, under_way)

    page.reload()

    expect(card(page, done["name"]).locator("[data-part=summary]")).to_have_text(
        re.sub(r"\s+", " ", summary)
    )
    expect(card(page, under_way["name"]).locator("[data-part=state]")).to_have_text("Done")


def test_an_upload_that_a_reload_cut_off_asks_for_the_file_again(open_page: Open) -> None:
    """Its bytes were never there; choosing the file again ends well."""
    page = open_page()
    file = named(SAMPLES / "incident-review.md")
    page.route("**/uploads/**", lambda route: None)  # never answered
    with page.expect_response(lambda r: r.url.endswith("/api/uploads")):
        choose(page, file)

    page.reload()
    page.unroute_all(behavior="ignoreErrors")

    shown = card(page, file["name"])
    expect(shown.locator("[data-part=state]")).to_have_text("Upload unfinished")
    with page.expect_file_chooser() as chooser:
        shown.get_by_role("button", name="Choose the file again").click()
    chooser.value.set_files([file])
    expect(card(page, file["name"]).locator("[data-part=state]")).to_have_text("Done")


def test_the_token_leaves_the_address_at_once_and_stays_after_a_reload(
    open_page: Open, application: Application
) -> None:
    """Else it lies in the history and on the screen."""
    page = open_page()

    expect(page.locator("#drop")).to_be_visible()
    assert page.url == f"{application.url}/"
    page.reload()
    expect(page.locator("#drop")).to_be_visible()


def test_a_wrong_token_asks_for_the_right_one_and_forget_really_forgets(
    open_page: Open, application: Application
) -> None:
    """Without a token nothing of any document is shown."""
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


def test_a_summary_can_be_copied_by_keyboard_alone(open_page: Open) -> None:
    """Tab to the chooser, tab to Copy, Enter."""
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    file = named(SAMPLES / "incident-review.md")
    choose(page, file)
    shown = card(page, file["name"])
    expect(shown.locator("[data-part=state]")).to_have_text("Done")
    page.locator("body").click(position={"x": 1, "y": 1})
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.id || document.activeElement.innerText")
        )
        if page.evaluate("e => e.contains(document.activeElement)", shown.element_handle()):
            break

    page.keyboard.press("Enter")

    assert "files" in reached
    expect(shown.locator("[data-part=copy-label]")).to_have_text("Copied")
    expect(page.locator("#announcements")).to_contain_text(f"Copied the summary of {file['name']}")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split() == shown.locator("[data-part=summary]").inner_text().split()


def test_a_lost_connection_is_said_and_mended_by_itself(open_page: Open) -> None:
    """The banner comes, and goes when the application is back."""
    page = open_page()
    expect(page.locator("#drop")).to_be_visible()
    page.route("**/api/documents**", lambda route: route.abort())
    choose(page, named(SAMPLES / "incident-review.md"))

    expect(page.locator("#banner")).not_to_be_empty()
    page.unroute_all(behavior="ignoreErrors")
    expect(page.locator("#banner")).to_be_empty()


@pytest.mark.parametrize("width", [360, 390, 768, 1600])
def test_nothing_scrolls_sideways_at_any_width(open_page: Open, width: int) -> None:
    """A long name without a break included."""
    page = open_page(viewport={"width": width, "height": 800})
    name = f"{secrets.token_hex(3)}-{'a-very-long-name' * 8}.md"
    choose(page, payload(name, (SAMPLES / "incident-review.md").read_bytes()))
    expect(card(page, name).locator("[data-part=state]")).to_have_text("Done")

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_light_is_light_and_dark_is_dark(open_page: Open, scheme: str, light: bool) -> None:
    """By what the browser computed, with enough contrast for the text on it."""
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
    """What a screen reader finds in the accessibility tree."""
    page = open_page()
    file = named(SAMPLES / "incident-review.md")
    choose(page, file)
    expect(card(page, file["name"]).locator("[data-part=state]")).to_have_text("Done")

    snapshot = page.locator("body").aria_snapshot()

    controls = re.findall(r"- (?:button|textbox|progressbar|link)(.*)", snapshot)
    assert controls
    assert [control for control in controls if not control.strip().startswith('"')] == []
    assert f'heading "{file["name"]}"' in snapshot
    expect(page.locator("#announcements")).to_contain_text(file["name"])


def test_what_a_document_says_is_text_and_never_markup(open_page: Open) -> None:
    """A name and a text that try."""
    page = open_page()
    evil = "<img src=x onerror=alert(1)>"
    text = f"This is a sentence about {evil} which a page must show as it is written. " * 3
    name = f"{secrets.token_hex(3)} {evil}.txt"

    choose(page, payload(name, text.encode()))

    shown = card(page, name)
    expect(shown.locator("[data-part=state]")).to_have_text("Done")
    assert shown.locator("img").count() == 0


def _luminance(color: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
