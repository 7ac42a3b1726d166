"""The text of every document format, and the exact failure of unreadable documents.

`tests/support/functions/files.py` makes the documents; `test_sandbox` has the malicious ones.
"""
# ruff: noqa: RUF001  # quotes and letters of other languages are the point

import codecs
import unicodedata
import zlib
from pathlib import Path

import pytest

from functions.documents.extract import Limits, read
from functions.errors import Code, Failure
from tests.support.functions import files
from tests.support.functions.files import docx, page_pdf, paragraph, pdf, run, table

SAMPLES = Path(__file__).parents[3] / "samples"
TEXT = "The quick brown fox jumps over the lazy dog."

FRENCH = (
    "La forêt était déjà sombre à l’heure où nous sommes arrivés. Le garçon, très étonné, a reçu "
    "une clé, un hôtel, un œuvre d’art et un café à 5 €. « Où êtes-vous né ? » a-t-il demandé. "
    "Après l’été, les élèves étudieront l’économie, la géographie et même le théâtre."
)
GERMAN = (
    "Die Straße führt über eine größere Brücke nach Köln. Für die Prüfung müssen alle Schüler "
    "pünktlich erscheinen; spätere Anmeldungen können wir leider nicht berücksichtigen. "
    "Möglicherweise wäre es schöner, künftig früher aufzubrechen."
)
RUSSIAN = (
    "Совет дома собрался во вторник вечером. Жильцы обсудили ремонт крыши, новые окна и уборку "
    "снега. Решили, что работы начнутся весной, а деньги соберут до конца февраля. Председатель "
    "обещал прислать подробную смету каждому участнику собрания."
)
JAPANESE = (
    "会議は火曜日の午後に開かれました。参加者は来年度の予算と新しい図書館の計画について話し合い、\n"
    "工事は四月から始まることになりました。詳しい日程は来週までに全員に知らせる予定です。\n"
    "次の会議は七月三日です。"
)
QUOTES = "“It’s the board’s decision – not mine,” she said. The repair costs 5 € a day…"


def refusal(data: bytes, limits: Limits | None = None) -> Failure:
    """The failure of reading a document."""
    with pytest.raises(Failure) as caught:
        read(data, limits=limits or Limits())
    return caught.value


# Detection


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pdf([TEXT]), "pdf"),
        (b"\r\n" + pdf([TEXT]), "pdf"),
        (docx([TEXT]), "docx"),
        (f"<!DOCTYPE html><p>{TEXT}</p>".encode(), "html"),
        (f"<!-- a licence -->\n<html><body>{TEXT}".encode(), "html"),
        (f"<?xml version='1.0'?><html><body>{TEXT}</body></html>".encode("utf-16"), "html"),
        (f"<div><p>{TEXT}</p></div>".encode(), "html"),
        (f"# Foxes\n\n{TEXT}\n\n- [one](a.md)\n- two\n".encode(), "markdown"),
        (f"<p align=center>logo</p>\n\n# Foxes\n\n```\n{TEXT}\n```\n".encode(), "markdown"),
        (TEXT.encode(), "text"),
        (f"# a comment\nkey = 1  # {TEXT}\n# another\n".encode(), "text"),
        (f"A PDF begins with %PDF-1.7\nand a program does not. {TEXT}".encode(), "text"),
    ],
)
def test_the_format_is_detected_from_the_content(data: bytes, kind: str) -> None:
    assert read(data).kind == kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (files.PNG, "a PNG image"),
        (files.ELF, "a program (ELF)"),
        (files.RTF, "a Rich Text (RTF) document"),
        (files.OLD_WORD, "an old Word document (.doc)"),
        (files.archive({"xl/workbook.xml": "<a/>"}), "an Excel workbook (.xlsx)"),
        (files.archive({"ppt/presentation.xml": "<a/>"}), "a PowerPoint presentation (.pptx)"),
        (files.archive({"mimetype": "application/epub+zip"}), "an OpenDocument or EPUB file"),
        (files.archive({"readme.txt": TEXT}), "a ZIP archive"),
        (bytes(range(256)) * 20, "binary data of an unknown type"),
        (bytes(1000), "binary data of an unknown type"),
    ],
)
def test_another_file_type_is_refused_with_its_name_and_size(data: bytes, kind: str) -> None:
    failure = refusal(data)

    assert failure.code is Code.UNSUPPORTED_TYPE
    assert failure.message == f"The file is {kind}, {len(data):,} bytes."
    assert failure.remedy
    assert not failure.retryable


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("general-meeting.docx", "docx", "\n\nTask | Who | Until\nRibbons and notices"),
        ("incident-review.md", "markdown", "| Stopped in the depot | 1,406 |"),
        ("river-report.pdf", "pdf", "\n\nHeat and oxygen\n\nBetween 18 July and 9 August"),
        (
            "working-from-home-policy.html",
            "html",
            "\nA | Catalogue, software, accounting, grants |",
        ),
    ],
)
def test_the_samples_are_read_completely(name: str, kind: str, words: str) -> None:
    document = read((SAMPLES / name).read_bytes())

    assert document.kind == kind
    assert words in document.text
    assert 900 < len(document.text.split()) < 1500


# Documents without text


@pytest.mark.parametrize(
    "data",
    [
        b" \n\t\r\n ",
        codecs.BOM_UTF8 * 50,
        b"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21",
        b"nineteen letters as is",
        docx(["", " "]),
        b"<!doctype html><script>const words = 'that no page shows';</script>",
        pdf([""]),
    ],
)
def test_a_file_without_text_is_refused_with_no_text(data: bytes) -> None:
    assert refusal(data).code is Code.NO_TEXT


def test_twenty_letters_are_text() -> None:
    assert read(b"twenty letters of texts").text == "twenty letters of texts"


@pytest.mark.parametrize("stamp", ["", "Digitized by a library, page 7"])
def test_a_scanned_pdf_is_refused_with_its_number_of_images(stamp: str) -> None:
    failure = refusal(files.image_only_pdf(12, stamp=stamp))

    assert failure.code is Code.NO_TEXT
    assert failure.message == "12 of 12 pages of the PDF are images without text."
    assert "OCR" in failure.remedy


# PDF


def test_the_pages_of_a_pdf_are_read_in_order() -> None:
    document = read(pdf(["The first page.\nIts second line.", "The second page."]))

    assert document.text == "The first page.\nIts second line.\n\nThe second page."


def test_paragraphs_and_headings_of_a_pdf_are_separated_and_tables_are_not() -> None:
    text = """The roof

When the board met on Tuesday evening, the members discussed
the repair of the roof. They decided that the work will begin
in spring.

The treasurer collects the money before the end of February,
and the secretary asks three firms for an offer in writing
by the end of May.

Name Sum
Ada 5
Bert 7"""

    assert read(pdf([text.replace("\n\n", "\n")])).text == text


def test_form_fields_of_a_pdf_are_read() -> None:
    assert read(files.form_pdf("Ada Example")).text == "Name of the applicant:\nAda Example"


def test_hyphenated_words_of_a_pdf_are_joined() -> None:
    page = "They read the docu-\nment of the well-known\nFrench-\nGerman board, a well-\nknown one."

    assert read(pdf([page])).text == (
        "They read the document of the well-known\nFrench-German board, a well-known one."
    )


def test_ligatures_and_astral_characters_of_a_pdf_are_read() -> None:
    mapping = (
        b"begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
        b"2 beginbfchar <41> <D835DC65> <42> <FB01> endbfchar endcmap"
    )
    content = b"BT /F 12 Tf 50 700 Td (The letter A, and a Bnal word of text.) Tj ET"

    assert read(page_pdf(content, unicode_map=mapping)).text == (
        "The letter \U0001d465, and a final word of text."
    )


def test_a_pdf_whose_glyphs_have_no_characters_is_undecodable() -> None:
    mapping = (
        b"begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
        b"1 beginbfrange <61> <6F> <E000> endbfrange endcmap"
    )
    content = b"BT /F 12 Tf 50 700 Td (%s) Tj ET" % (TEXT.encode() * 3)
    failure = refusal(page_pdf(content, unicode_map=mapping))

    assert failure.code is Code.UNDECODABLE
    assert "does not map its glyphs to characters" in failure.message


@pytest.mark.parametrize("data", [files.encrypted_pdf(), files.ENCRYPTED_OFFICE])
def test_a_document_with_a_password_is_refused_as_encrypted(data: bytes) -> None:
    failure = refusal(data)

    assert failure.code is Code.ENCRYPTED
    assert f"({len(data):,} bytes)" in failure.message


def test_a_pdf_with_an_owner_password_only_is_read() -> None:
    assert "confidential" in read(files.encrypted_pdf(owner_only=True)).text


def test_a_truncated_pdf_is_damaged() -> None:
    whole = pdf([TEXT] * 20)

    for length in range(100, len(whole) - 10, 500):
        failure = refusal(whole[:length])
        assert failure.code is Code.DAMAGED
        assert f"after {length:,} bytes" in failure.message


def test_bytes_after_the_end_of_a_pdf_are_ignored() -> None:
    assert read(pdf([TEXT]) + b"\0" * 5000 + b"PK\x03\x04").text == TEXT


def test_a_wrong_cross_reference_table_is_repaired() -> None:
    assert read(pdf([TEXT]).replace(b"startxref\n", b"startxref\n9")).text == TEXT


@pytest.mark.parametrize(
    "objects",
    [
        [b"<</Type/Catalog>>"],
        [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"],
        [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 5>>"],
    ],
)
def test_a_pdf_with_a_broken_structure_is_damaged(objects: list[bytes]) -> None:
    assert refusal(files.raw_pdf(objects)).code is Code.DAMAGED


# DOCX


def test_paragraphs_headings_lists_and_tables_of_a_docx_are_read_in_order() -> None:
    styles = (
        '<w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>'
        '<w:style w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="berschrift2"/></w:style>'
        '<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>'
    )
    numbering = (
        '<w:abstractNum w:abstractNumId="7">'
        '<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/>'
        '</w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/>'
        '<w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>'
        '<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/>'
        '<w:lvlText w:val="·"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
    )

    def item(text: str, number: int, level: int = 0) -> str:
        properties = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>'
        return paragraph(text, properties=properties)

    document = read(
        docx(
            [
                paragraph("Minutes of the meeting", properties='<w:pStyle w:val="Titel"/>'),
                "Present were all.",
                paragraph("Decisions", properties='<w:pStyle w:val="Own"/>'),
                item("The roof", 1),
                item("from spring on", 1, 1),
                item("by two firms", 1, 1),
                item("The windows", 1),
                item("a thought", 2),
                table(["Who", "What"], ["Ada", paragraph("calls") + paragraph("writes")], ["", ""]),
                table([paragraph("Alone in a frame.")]),
            ],
            styles=styles,
            numbering=numbering,
        )
    )

    assert document.kind == "docx"
    assert document.text == (
        "# Minutes of the meeting\n\n"
        "Present were all.\n\n"
        "## Decisions\n\n"
        "3. The roof\n"
        "  3.a) from spring on\n"
        "  3.b) by two firms\n"
        "4. The windows\n"
        "- a thought\n\n"
        "Who | What\n"
        "Ada | calls / writes\n\n"
        "Alone in a frame."
    )


def test_tabs_breaks_and_hyperlinks_of_a_docx_are_read() -> None:
    tab_stop = "<w:tabs><w:tab w:val='left' w:pos='720'/></w:tabs>"
    line = paragraph(
        "Amount:",
        "<w:r><w:tab/></w:r>",
        "five",
        "<w:r><w:br/></w:r>",
        f"<w:hyperlink>{run('see the whole list')}</w:hyperlink>",
        "<w:r><w:noBreakHyphen/></w:r>",
        "end",
        properties=tab_stop,
    )

    assert read(docx([line])).text == "Amount:\tfive\nsee the whole list-end"


def test_notes_of_a_docx_are_at_its_end() -> None:
    document = docx(
        [
            paragraph("A claim", "<w:r><w:footnoteReference w:id='5'/></w:r>", " and"),
            paragraph("another one", "<w:r><w:endnoteReference w:id='2'/></w:r>", "."),
        ],
        footnotes=f"<w:footnote w:type='separator' w:id='0'>{paragraph('no')}</w:footnote>"
        f"<w:footnote w:id='5'>{paragraph('Its source.')}</w:footnote>",
        endnotes=f"<w:endnote w:id='2'>{paragraph('Its ground.')}</w:endnote>",
    )

    assert read(document).text == (
        "A claim[1] and\n\nanother one[2].\n\n[1] Its source.\n\n[2] Its ground."
    )


def test_a_text_box_of_a_docx_is_read_once() -> None:
    box = f"<w:txbxContent>{paragraph('In the box.')}</w:txbxContent>"
    line = paragraph(
        "<w:r><mc:AlternateContent><mc:Choice Requires='wps'>"
        f"{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r>",
        "Beside the box.",
    )

    assert read(docx([line])).text == "In the box.\n\nBeside the box."


def test_deleted_and_hidden_text_of_a_docx_is_not_read() -> None:
    line = paragraph(
        "They agreed on ",
        f"<w:del><w:r><w:delText>ninety</w:delText></w:r>{run('ninety')}</w:del>",
        f"<w:ins>{run('seventy')}</w:ins>",
        f"<w:moveFrom>{run('away')}</w:moveFrom>",
        run(" secret", "<w:vanish/>"),
        run(" percent.", "<w:vanish w:val='0'/>"),
        "<w:r><w:instrText>HYPERLINK</w:instrText></w:r>",
    )

    assert read(docx([line])).text == "They agreed on seventy percent."


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE d [<!ENTITY x "and the rest">]><d>&x;</d>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/d.dtd"><d/>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE d><d/>',
    ],
)
def test_a_docx_with_a_doctype_is_refused_as_damaged(content: str) -> None:
    encoded = content.encode("utf-16" if "utf-16" in content else "utf-8")
    failure = refusal(files.archive({"word/document.xml": encoded}))

    assert failure.code is Code.DAMAGED
    assert failure.message == (
        "Part word/document.xml of the document has a DOCTYPE, which attacks use."
    )


@pytest.mark.parametrize("cut", [30, 400, -30])
def test_a_truncated_docx_is_damaged(cut: int) -> None:
    failure = refusal(docx([TEXT])[:cut])

    assert failure.code is Code.DAMAGED
    assert "truncated" in failure.message


def test_a_docx_with_a_damaged_part_is_damaged() -> None:
    data = bytearray(docx([TEXT * 50]))
    position = data.index(b"word/document.xml") + 60
    data[position : position + 8] = bytes(8)

    assert refusal(bytes(data)).code is Code.DAMAGED


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"word/styles.xml": "<a/>"}, "word/document.xml of the document is missing"),
        (
            {"word/document.xml": files.part("document", TEXT)[:-3]},
            "not well-formed XML (line 1)",
        ),
    ],
)
def test_a_docx_without_a_complete_main_part_is_damaged(parts: dict[str, str], reason: str) -> None:
    assert reason in refusal(files.archive(parts)).message


def test_a_docx_that_embeds_another_format_is_refused() -> None:
    assert "altChunk" in refusal(docx([TEXT, "<w:altChunk/>"])).message


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (files.zip_bomb_docx(150_000_000), "times its size; the limit is 100"),
        (files.zip_bomb_docx(210_000_000), "unpacks to 210,000,000 bytes"),
        (files.archive({f"word/{n}.xml": "" for n in range(2001)}), "contains 2,001 entries"),
    ],
)
def test_a_zip_bomb_is_refused_from_its_directory(data: bytes, fact: str) -> None:
    failure = refusal(data)

    assert failure.code is Code.PARSER_LIMIT
    assert fact in failure.message


def test_a_zip_bomb_with_a_false_size_is_damaged() -> None:
    assert refusal(files.lying_zip_bomb_docx()).code is Code.DAMAGED


def test_two_parts_of_the_same_name_are_refused() -> None:
    twice = docx([TEXT]).replace(b"word/_rels/document.xml.rels", b"word/document.xml".ljust(28))
    renamed = files.archive({"word/document.xml": "<a/>", "word/document.xmm": "<b/>"})

    assert refusal(renamed.replace(b"document.xmm", b"document.xml")).message == (
        "Two parts of the DOCX have the same name."
    )
    assert read(twice).text == TEXT


# HTML


def test_the_visible_text_of_an_html_page_is_read() -> None:
    page = """<!DOCTYPE html>
    <html><head><title>The board &amp; the roof</title><style>p { color: red }</style>
    <script>document.write("no")</script></head>
    <body><noscript>no</noscript><template>no</template><p hidden>no</p>
    <div style="display: none">no</div>
    <h2>Deci<b>sions</b><a class=headerlink href=#d>¶</a></h2>
    <p>The roof
       will be <em>repaired</em>,<br>in 10<sup>2</sup> days.</p>
    <ol start="4"><li><p>Call the firm</p></li><li>Wait<ul><li>long</li></ul></li><li></li></ol>
    <table><caption>Who pays</caption>
    <tr><th>Name</th><th>Sum</th></tr><tr><td>Ada</td><td>5&nbsp;€</td></tr></table>
    <pre>
one
  two</pre>
    <select><option>Afghanistan</option></select>
    </body></html>"""

    assert read(page.encode()).text == (
        "The board & the roof\n\n"
        "## Decisions\n\n"
        "The roof will be repaired,\nin 10^2 days.\n\n"
        "4. Call the firm\n\n"
        "5. Wait\n"
        "  - long\n\n"
        "Who pays\n\n"
        "Name | Sum\n"
        "Ada | 5 €\n\n"
        "one\n"
        "  two"
    )


def test_a_layout_table_is_read_as_paragraphs() -> None:
    page = (
        "<html><table><tr><td>Menu</td><td><table><tr><td><p>First words.</p><p>Second words."
        "</p></td></tr></table></td></tr></table>"
    )

    assert read(page.encode()).text == "Menu\n\nFirst words.\n\nSecond words."


def test_a_deeply_nested_page_is_read() -> None:
    assert read(b"<html>" + b"<div>" * 5000 + TEXT.encode()).text == TEXT


@pytest.mark.parametrize(
    "declaration",
    [
        '<meta charset="windows-1251">',
        "<meta http-equiv=Content-Type content='text/html; charset=windows-1251'>",
        "",
    ],
)
def test_the_encoding_of_a_page_is_declared_or_detected(declaration: str) -> None:
    page = f"<html><head>{declaration}</head><body><p>{RUSSIAN}</p></body></html>"

    assert read(page.encode("cp1251")).text == RUSSIAN


def test_utf_8_has_priority_over_a_declaration() -> None:
    page = f'<html><head><meta charset="iso-8859-1"></head><body>{FRENCH}</body></html>'

    assert read(page.encode()).text == FRENCH


# Text and its encodings


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "utf-8"),
        (FRENCH, "utf-8-sig"),
        (FRENCH, "utf-16"),
        (FRENCH, "utf-32"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16-be"),
        (FRENCH, "cp1252"),
        (QUOTES, "cp1252"),
        (GERMAN, "latin-1"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "utf-16-le"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (JAPANESE, "utf-16"),
    ],
)
def test_text_in_common_encodings_is_decoded(text: str, encoding: str) -> None:
    assert read(text.encode(encoding)).text == text


def test_invalid_utf_8_is_refused_with_the_first_invalid_byte() -> None:
    failure = refusal(f"{FRENCH} {FRENCH}".encode() + b" caf\xe9 " + FRENCH.encode())
    place = len(f"{FRENCH} {FRENCH} caf".encode())

    assert failure.code is Code.UNDECODABLE
    assert f"the first is byte {place:,} (0xe9)" in failure.message
    assert "1 of its" in failure.message


@pytest.mark.parametrize(
    ("data", "reason"),
    [(JAPANESE.encode(), ""), (FRENCH.encode("utf-16"), "as its byte order mark says")],
    ids=["utf-8", "utf-16"],
)
def test_a_text_that_ends_within_a_character_is_refused(data: bytes, reason: str) -> None:
    failure = refusal(data[:-1])

    assert failure.code is Code.UNDECODABLE
    assert reason in failure.message


# Normalization


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("one  \t\n\n\n\n\ntwo", "one\n\ntwo"),
        ("one\ftwo", "one\n\ntwo"),
        ("o\0n\x07e\u200b two\ufeff", "one two"),
        ("one\N{NO-BREAK SPACE}two", "one two"),
        ("invi\N{SOFT HYPHEN}sible \U000e0041\U000e0042\u202etags", "invisible tags"),
        ("e\u0301te\u0301", "été"),
        ("Contents . . . . . . . . . . . . 7", "Contents ... 7"),
        ("Heading\n==================", "Heading\n==="),
        ("N\bNA\bAM\bME\bE, \x1b[1mbold\x1b[0m", "NAME, bold"),
        ("👩‍👩‍👧 क्‍ष می‌خواهم", "👩‍👩‍👧 क्‍ष می‌خواهم"),
    ],
)
def test_text_is_normalized(raw: str, normal: str) -> None:
    before = TEXT * 5

    assert read(f"{before}\n{raw}".encode()).text == f"{before}\n{normal}"


def test_text_is_in_unicode_form_c() -> None:
    text = read(unicodedata.normalize("NFD", FRENCH + GERMAN + RUSSIAN).encode()).text

    assert text == FRENCH + GERMAN + RUSSIAN


# Limits


@pytest.mark.parametrize(
    ("data", "limits", "message"),
    [
        (TEXT.encode(), Limits(max_bytes=40), "The file has 44 bytes; the limit is 40."),
        (
            TEXT.encode(),
            Limits(max_characters=40),
            "The text file contains 44 characters; the limit is 40.",
        ),
        (pdf([TEXT] * 3), Limits(max_pages=2), "The PDF has 3 pages; the limit is 2."),
        (
            pdf([TEXT] * 3),
            Limits(max_characters=80),
            "The first 2 of 3 pages of the PDF contain more than 80 characters, the limit.",
        ),
    ],
)
def test_a_document_beyond_a_limit_is_too_large(data: bytes, limits: Limits, message: str) -> None:
    failure = refusal(data, limits)

    assert (failure.code, failure.message) == (Code.TOO_LARGE, message)


def test_a_document_at_its_limits_is_read() -> None:
    limits = Limits(max_bytes=len(TEXT), max_characters=len(TEXT))

    assert read(TEXT.encode(), limits=limits).text == TEXT


def test_a_pdf_stream_that_ends_with_many_blanks_is_read() -> None:
    content = f"BT /F 12 Tf 50 700 Td ({TEXT}) Tj ET".encode().ljust(5_000_000)
    packed = zlib.compress(zlib.compress(content))

    document = read(page_pdf(packed, filters=b"/Filter[/FlateDecode/FlateDecode]"))
    assert document.text == TEXT
