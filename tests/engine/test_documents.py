"""A reader's path: every command that the documents show, tried in order in one clean clone.

A line is in the story of its document, with what it has to print, or in the table of those that
are not executed, with the reason; the first test holds that, and needs no engine.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests import documents
from tests.conftest import GONE
from tests.documents import PAGES, Line
from tests.engine import clone as clones
from tests.engine.clone import PROJECT, Clone

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(GONE), reason="a fork's documents are its own"),
]

KEY = "a-key-that-somebody-typed"

NOT_EXECUTED = {
    ("*", "*…*"): "it is the name of a command, not one to type",
    ("*", "./seamless test*"): "it runs tests, this one among them",
    ("*", "./seamless check"): "tests/test_workflows.py runs it in a clean clone",
    ("*", "./seamless bench scaling"): "tests/test_scaling_simulation.py shows the same in parts",
    ("*", "./seamless rename *"): "tests/tools/test_rename.py, and a copy in test_template.py",
    ("*", "./seamless doctor --stack *"): "it needs an account; tests/tools/test_preflight.py",
    ("*", "./seamless preview *"): "it needs an account; test_clouds.py, at simulated clouds",
    ("*", "./seamless up *"): "it needs an account; test_clouds.py, at simulated clouds",
    ("*", "./seamless outputs integrated*"): "it needs an account; test_clouds.py",
    ("*", "./seamless down integrated*"): "it needs an account; test_clouds.py",
    ("*", "./seamless down split"): "it needs an account; test_clouds.py",
    ("docs/fork.md", "*"): "test_template.py does it with a template of its own",
    ("docs/new.md", "*"): "test_template.py does it, in a terminal that answers",
    ("docs/preview-in-ci.md", "*--against HEAD^1"): "tests/test_workflows.py runs it",
    ("docs/preview-in-ci.md", "*--against origin/main"): "README's line with another commit",
    ("docs/preview-in-ci.md", "*--all --json"): "the plans are those of README's line",
    ("docs/upgrading.md", "*--against ORIG_HEAD"): "README's line with another commit",
    ("docs/tear-down.md", "./seamless pulumi destroy"): "it says what not to do in prod",
    ("docs/tear-down.md", "aws *"): "it needs an account",
    ("docs/tear-down.md", "doctl *"): "it needs an account",
    ("docs/tear-down.md", "./seamless pulumi * integrated*"): "test_tear_down.py and test_template",
}
"""Document and line, as shell patterns, and why. A command of ours is also parsed
(tests/tools/test_documentation.py), whether it is executed or not."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A line that is executed.

    Attributes:
        text: The line; one of `pulumi` is typed as README says where there is no such program.
        prints: Words that it has to print, whatever is between them.
        sample: How the block of the document begins that it has to print, but for numbers.
        answer: What is typed when it asks.
        status: What it ends with.
    """

    text: str
    prints: tuple[str, ...] = ()
    sample: str = ""
    answer: str = ""
    status: int = 0


def plans(text: str, *prints: str) -> Ran:
    """A plan, which needs no account."""
    return Ran(text=text, prints=prints)


def sets(*texts: str, answer: str = "") -> list[Ran]:
    """Config values; Pulumi says nothing when it has taken one."""
    return [Ran(text=text, answer=answer) for text in texts]


ELSEWHERE = "pulumi config set-all --plaintext inference_url="
SPARE = "pulumi config set --path 'inference_endpoints[0]"

STORIES: dict[str, list[Ran]] = {
    "README.md": [
        Ran(text="./seamless up", sample="Deploying stack local"),
        plans("./seamless plan --all --markdown --against main", "local", "Plans: 7"),
        plans("./seamless plan integrated", "integrated: integrated, serverless", "store-bucket"),
        Ran(
            text="./seamless summarize report.pdf minutes.docx",
            prints=("✓ report.pdf", "✓ minutes.docx"),
        ),
        Ran(
            text="./seamless outputs --json", prints=('"page_url": "http://127.0.0.1:', "api_token")
        ),
        *sets("./seamless pulumi config set inference dedicated"),
        Ran(text="./seamless up", prints=("+ dedicated-server", "- serverless-server")),
        Ran(
            text="./seamless down",
            prints=("This deletes all 13 resources", "Nothing was changed"),
            answer="n",
            status=1,
        ),
        *sets(
            f"{ELSEWHERE}http://127.0.0.1:11434/v1 --plaintext inference_model=llama3.2",
            f"{ELSEWHERE}http://127.0.0.1:8000/v1 --plaintext inference_model=SERVED_MODEL_NAME",
            f"{ELSEWHERE}https://inference.do-ai.run/v1 "
            "--plaintext inference_model=openai-gpt-oss-120b",
            f"{ELSEWHERE}https://api.fireworks.ai/inference/v1 "
            "--plaintext inference_model=accounts/fireworks/models/gpt-oss-120b",
        ),
        *sets("pulumi config set --secret inference_api_key", answer=KEY),
    ],
    "docs/clusters.md": sets("pulumi config set cluster_api_cidrs 192.0.2.7/32"),
    "docs/endpoints.md": [
        *sets(
            f"{SPARE}.name' spare",
            f"{SPARE}.url' https://inference.do-ai.run/v1",
            f"{SPARE}.model' openai-gpt-oss-120b",
            f"{SPARE}.context_tokens' 131072",
        ),
        *sets("pulumi config set --secret --path 'inference_endpoint_keys.spare'", answer=KEY),
        *sets(
            f"{SPARE}.input_usd_per_million' 0.15",
            f"{SPARE}.order' 0",
            f"{SPARE}.weight' 3",
            "pulumi config set fallback serverless",
        ),
    ],
    "docs/integrated.md": [
        *sets("pulumi config set --secret inference_api_key --stack integrated", answer=KEY),
        plans("./seamless plan integrated", "integrated: integrated, serverless", "functions-api"),
        *sets(
            "pulumi config set --secret log_destinations "
            """'[{"name": "logs", "logtail": {"token": "TOKEN"}}]' --stack integrated"""
        ),
    ],
    "docs/ladder.md": [
        plans(
            "./seamless plan integrated --config inference=cluster",
            "integrated: integrated, cluster",
            "model-gateway",
        ),
        *sets("./seamless pulumi config set inference cluster --stack integrated"),
    ],
    "docs/preview-in-ci.md": sets(
        "pulumi config set --secret inference_api_key --stack split", answer=KEY
    ),
    "docs/split.md": [
        plans("./seamless plan split", "split: split, serverless", "database-instance"),
        *sets("pulumi config set --secret inference_api_key --stack split", answer=KEY),
        *sets(
            "pulumi config set inference_provider baseten --stack split",
            "pulumi config set region eu-central-1 --stack split",
            "pulumi config set bucket_name our-documents --stack split",
            "pulumi config set network_peers 10.0.0.0/16,172.31.0.0/16 --stack split",
            "pulumi config set alert_email you@example.com --stack split",
            "pulumi config set environment prod --stack split",
        ),
    ],
    "docs/tear-down.md": [
        Ran(text="./seamless down local", sample="This deletes", answer="y"),
        *sets("./seamless pulumi config set environment dev --stack split"),
        Ran(text="./seamless down local", prints=("Stack local has no resources",)),
        Ran(text="./seamless pulumi stack ls", prints=("split",)),
        Ran(text="rm .seamless/passphrase"),
    ],
}
"""What is executed, in the order in which the documents are read; `local` is up once."""

SET_TOGETHER = {
    "README.md": "local",
    "docs/endpoints.md": "local",
    "docs/integrated.md": "integrated",
    "docs/split.md": "split",
}
"""Documents whose values a plan has to take together, and the stack that they are set for."""


def why_not(line: Line) -> list[tuple[str, str]]:
    """The rows of the table that say why a line is not executed."""
    return [
        row
        for row in NOT_EXECUTED
        if fnmatchcase(line.document, row[0])
        and fnmatchcase(line.text.replace("[", "("), row[1].replace("[", "("))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_is_executed_in_its_place_or_says_why_not(page: Path) -> None:
    """A new line of a document needs a row here: in its story, or in the table."""
    found = documents.lines(page)

    executed = [line.text for line in found if not why_not(line)]

    story = STORIES.get(page.relative_to(PROJECT).as_posix(), [])
    assert executed == [ran.text for ran in story]


def test_no_row_is_about_a_line_that_no_document_shows_any_more() -> None:
    matched = {row for page in PAGES for line in documents.lines(page) for row in why_not(line)}

    assert matched == NOT_EXECUTED.keys()
    assert STORIES.keys() <= {page.relative_to(PROJECT).as_posix() for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_without_a_language_holds_commands_only(page: Path) -> None:
    """What is no command says what it is, ```text or ```json, so that nothing is overlooked."""
    others = [
        line
        for language, content in documents.blocks(page)
        if not language
        for line in content.splitlines()
        if line and line.split()[0] not in documents.PROGRAMS
    ]

    assert others == []


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clean clone with a history, two documents of the reader's, and its packages installed."""
    with clones.clone(tmp_path_factory.mktemp("reader"), "local") as copy:
        _install(copy)
        shutil.copy2(copy.root / "samples" / "river-report.pdf", copy.root / "report.pdf")
        shutil.copy2(copy.root / "samples" / "general-meeting.docx", copy.root / "minutes.docx")
        author = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
        for words in (
            ["init", "--quiet", "--initial-branch=main"],
            ["add", "--all"],
            [*author, "commit", "--quiet", "--message=Everything"],
        ):
            subprocess.run(["git", *words], cwd=copy.root, check=True)
        yield copy


def _install(copy: Clone) -> None:
    """Give the clone a `.venv` that `./seamless` takes for its own, so that it fetches nothing."""
    venv = copy.root / ".venv"
    venv.unlink()
    venv.mkdir()
    for part in ("bin", "lib", "include", "pyvenv.cfg"):
        (venv / part).symlink_to(PROJECT / ".venv" / part)
    made_from = [copy.root / "pyproject.toml", copy.root / "uv.lock"]
    (venv / "seamless.stamp").write_bytes(
        f"{copy.root}\n".encode() + b"".join(file.read_bytes() for file in made_from)
    )


@pytest.mark.engine
@pytest.mark.parametrize("document", STORIES)
def test_what_a_document_shows_works_in_its_order(reader: Clone, document: str) -> None:
    """Each line in a shell; the values that it sets are taken together, and then taken back."""
    for ran in STORIES[document]:
        printed = _typed(reader, ran)
        for words in ran.prints:
            assert words in printed, printed
        if ran.sample:
            for line in _sample(document, ran.sample, reader):
                assert line.search(printed), f"{line.pattern} is not in\n{printed}"
    if document in SET_TOGETHER:
        _typed(reader, plans(f"./seamless plan {SET_TOGETHER[document]}"))
    subprocess.run(["git", "checkout", "--quiet", "stacks"], cwd=reader.root, check=True)


def _typed(reader: Clone, ran: Ran) -> str:
    """Type a line in a shell; all that it printed, with single spaces."""
    text = f"./seamless {ran.text}" if ran.text.startswith("pulumi ") else ran.text
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "PYTHON"))}
    done = subprocess.run(
        ["sh", "-c", text],
        cwd=reader.root,
        env=environment | {"PULUMI_HOME": str(reader.root / "home"), "COLUMNS": "250"},
        input=f"{ran.answer}\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == ran.status, f"{ran.text}\n{done.stdout}"
    assert "Traceback" not in done.stdout
    assert KEY not in done.stdout
    return " ".join(done.stdout.split())


def _sample(document: str, begin: str, reader: Clone) -> Iterator[re.Pattern[str]]:
    """The lines of a block of a document, as they are on this machine; numbers are any numbers."""
    (block,) = [
        content
        for language, content in documents.blocks(PROJECT / document)
        if language == "text" and content.startswith(begin)
    ]
    for line in block.replace("/home/you/seamless", str(reader.root)).splitlines():
        words = " ".join(line.removesuffix("...").split())
        yield re.compile(re.sub(r"\d+", r"\\d+", re.escape(words)))
