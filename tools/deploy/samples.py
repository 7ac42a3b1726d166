"""Summaries on the command line, of given files or of the samples."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from functions.api.schema import Document
from tools.deploy.client import Client, ClientError
from tools.workspace import ROOT

SAMPLES = ROOT / "samples"
PATIENCE_SECONDS = 1800.0


def summarize_files(
    console: Console, page_url: str, token: str, files: Sequence[Path], *, as_json: bool = False
) -> bool:
    """Upload files, wait for their summaries and print them; False if one failed.

    Raises:
        ClientError: a file is missing or empty, or the application does not answer.
    """
    for path in files:
        if not path.is_file():
            raise ClientError(f"File {path} does not exist.")
        if path.stat().st_size == 0:
            raise ClientError(f"File {path} is empty.")
    with Client(page_url, token) as client:
        sent: dict[Path, Document] = {}
        for path in files:
            sent[path] = client.send(path)
        ended: dict[Path, Document] = {}
        for followed in client.follow(sent, seconds=PATIENCE_SECONDS):
            if followed.document.status in ("done", "failed"):
                ended[followed.path] = followed.document
                if not as_json:
                    _print(console, followed.path, followed.document)
    if as_json:
        print(json.dumps([msgspec.to_builtins(ended[path]) for path in sent], indent=2))
    return all(document.status == "done" for document in ended.values())


def summarize_samples(console: Console, page_url: str, token: str) -> None:
    """Summarize the sample documents, unless the application already has documents."""
    with Client(page_url, token) as client:
        present = client.documents().documents
    if present:
        console.print(
            f"The application already has {len(present)} or more documents; no sample was uploaded."
        )
        return
    samples = sorted(SAMPLES.iterdir())
    console.print(f"Summarizing {len(samples)} sample documents from {SAMPLES.name}/")
    summarize_files(console, page_url, token, samples)


def _print(console: Console, path: Path, document: Document) -> None:
    if document.error:
        console.print(f"\n[red]✗[/] [bold]{escape(path.name)}[/] {document.error.code}")
        console.print(Padding(escape(f"{document.error.message} {document.error.remedy}"), (0, 4)))
        return
    facts = [document.kind, document.model, document.inference_mode]
    if usage := document.usage:
        calls = "1 call" if usage.calls == 1 else f"{usage.calls} calls"
        facts.append(f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens in {calls}")
    facts.append("cost unknown" if document.cost_usd is None else f"${document.cost_usd:.4f}")
    shown = escape(" · ".join(fact for fact in facts if fact))
    console.print(f"\n[green]✓[/] [bold]{escape(path.name)}[/] [dim]{shown}[/]", soft_wrap=True)
    console.print(Padding(escape(document.summary or ""), (0, 4)))
