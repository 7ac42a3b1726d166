"""The front door: `./seamless COMMAND`."""

import gc
import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

app = typer.Typer(
    name="seamless",
    help="One document-summarization application, in arrangements that are meant to be compared.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

StackName = Annotated[
    str, typer.Argument(metavar="[STACK]", help="A stack of stacks/Pulumi.*.yaml.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
def up(stack: StackName = "local", yes: Yes = False) -> None:
    """Deploy a stack, with a Pulumi engine that is fetched or built when there is none."""
    from tools import deploy
    from tools.samples import summarize_samples

    found = deploy.up(console, stack, yes=yes)
    page, token = found["page_url"], found["api_token"]
    if deploy.is_free(stack):
        summarize_samples(console, page, token)
    console.print(f"\nPage: [bold]{page}[/]")
    console.print(
        f"Open it signed in: {deploy.write_sign_in(stack, page, token).as_uri()}", soft_wrap=True
    )


@app.command()
def down(stack: StackName = "local", yes: Yes = False) -> None:
    """Destroy a stack with its documents, after asking; say what is left."""
    from tools import deploy

    deploy.down(console, stack, yes=yes)


@app.command()
def preview(
    stack: StackName = "local",
    drift: Annotated[
        bool, typer.Option("--drift", help="Ask the cloud first; end with 1 if anything differs.")
    ] = False,
) -> None:
    """Show what `up` would change, by the real engine."""
    from tools import deploy

    deploy.preview(console, stack, drift=drift)


@app.command()
def comment(
    file: Annotated[Path, typer.Argument(help="What `plan --markdown` printed.")],
    repository: Annotated[str, typer.Option(metavar="OWNER/NAME", help="At GitHub.")],
    head: Annotated[str, typer.Option(metavar="OWNER:BRANCH", help="Where the change lies.")],
    commit: Annotated[str, typer.Option(metavar="SHA", help="Which commit was planned.")],
) -> None:
    """Show a plan under its pull request, in one comment that is kept; takes GITHUB_TOKEN."""
    from tools import comment as commenting

    console.print(commenting.put(file, repository=repository, head=head, commit=commit))


@app.command()
def plan(
    stack: StackName = "local",
    config: Annotated[
        Optional[list[str]],  # noqa: UP045  # typer reads this form
        typer.Option("--config", "-c", metavar="KEY=VALUE", help="Take this value instead."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every stack on every rung.")] = False,
    as_json: Json = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
    against: Annotated[
        str,
        typer.Option(metavar="REF|FILE", help="With --markdown: show what changes since then."),
    ] = "",
) -> None:
    """Show what a stack consists of and which rules it breaks: no account, no engine, in a second.

    It ends with 0 also when a rule is broken; `preview` and `up` refuse what is mandatory. With
    --all it ends with 1 then.
    """
    from analysis import plan as planning
    from tools import plans
    from tools.workspace import CommandError

    if against and not as_markdown:
        raise CommandError(f"--against {against} needs --markdown: only that shows changes.")
    began = time.monotonic()
    made, refused = plans.make_all(config or []) if every else plans.make_one(stack, config or [])
    if as_markdown:
        print(plans.as_markdown(made, refused, config or [], against=against, every=every))
        print(f"Plans: {len(made)}, in {time.monotonic() - began:.1f} s.")
    elif as_json:
        dicts = [each.as_dict() for each in made]
        print(json.dumps(dicts if every else dicts[0], indent=2))
    else:
        for each in made:
            console.print(planning.tree(each))
    if every and plans.breaks_a_mandatory_rule(made):
        raise typer.Exit(1)


@app.command()
def summarize(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Documents to summarize.")],
    stack: Annotated[str, typer.Option("--stack", "-s", help="The running stack.")] = "local",
    as_json: Json = False,
) -> None:
    """Send files to the running application, follow them, print the summaries."""
    from tools import deploy
    from tools.samples import summarize_files

    found = deploy.outputs(stack)
    page, token = found["page_url"][0], found["api_token"][0]
    if not summarize_files(console, page, token, files, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def outputs(stack: StackName = "local", as_json: Json = False) -> None:
    """Print the stack's outputs: for people without secrets, with --json for scripts with them."""
    from tools import deploy

    found = deploy.outputs(stack)
    if as_json:
        print(deploy.as_json(found))
        return
    table = Table(box=None, show_header=False)
    for name, (value, secret) in sorted(found.items()):
        table.add_row(name, "[dim]secret; --json shows it[/]" if secret else escape(str(value)))
    console.print(table)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def pulumi(context: typer.Context) -> None:
    """Run the plain Pulumi CLI with the engine, state and passphrase of this clone.

    It works on the stack that --stack or PULUMI_STACK names, else on `local`; a stack that has a
    file but was never up is made, so that its config can be set.
    """
    from tools.engine import ensure
    from tools.workspace import ROOT, create_workspace, engine_environment, stack_names

    stack = _stack_of(context.args)
    if stack in stack_names() and context.args[:1] == ["config"]:
        create_workspace(stack, _progress)
    engine = ensure(_progress)
    environment, _ = engine_environment(engine, language_host=True)
    environment = {"PULUMI_STACK": stack, **os.environ, **environment}
    command = [str(engine.command), *context.args]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


@app.command()
def doctor(
    stack: Annotated[
        str, typer.Option("--stack", "-s", help="Ask its accounts, too, read-only.")
    ] = "",
) -> None:
    """List what this machine has and lacks, with the command that mends each lack."""
    from tools.doctor import examine

    findings = examine()
    if stack:
        from tools import preflight
        from tools.workspace import create_workspace

        findings += preflight.look(create_workspace(stack, _progress))
    marks = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
    table = Table(box=None, show_header=False)
    for finding in findings:
        table.add_row(marks[finding.ok], finding.name, escape(finding.found))
        if finding.remedy:
            table.add_row("", "", f"[bold]{escape(finding.remedy)}[/]")
    console.print(table)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(1)


@app.command()
def check() -> None:
    """Check format, lint, types, workflows and the freshness of generated documentation."""
    from tools import quality

    raise typer.Exit(quality.check(console))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(
    context: typer.Context,
    part: Annotated[
        str,
        typer.Argument(
            metavar="[PART]",
            help="unit, contract, cluster, engine, browser, nightly, live (costs money), or all.",
        ),
    ] = "all",
) -> None:
    """Run the tests; what stands after PART goes to pytest."""
    from tools import quality

    raise typer.Exit(quality.test(console, part, context.args))


@app.command()
def bench(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="One benchmark, or scaling; default all.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Measure speed as ratios, side by side in one run."""
    from benchmarks import run

    raise typer.Exit(run(console, name, as_json=as_json))


@app.command()
def rename(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and hyphens.")],
) -> None:
    """Give the project another name, everywhere that it stands; refused while a stack is up.

    A state that lies elsewhere than in this clone is not looked at.
    """
    from tools.rename import rename as give
    from tools.workspace import ROOT

    changed = give(ROOT, name)
    for path in changed:
        console.print(f"wrote {path}")
    if not changed:
        console.print(f"The project is called {name} already.")


@app.command()
def docs() -> None:
    """Write the generated parts of the documentation."""
    from tools import documentation

    for path in documentation.write():
        console.print(f"wrote {path}")


def _progress(line: str) -> None:
    errors.print(escape(line), soft_wrap=True)


def _stack_of(arguments: list[str]) -> str:
    """The stack that a command line of Pulumi's names, as Pulumi reads it."""
    for flag, value in pairwise([*arguments, ""]):
        if flag in ("--stack", "-s"):
            return value
        if flag.startswith("--stack="):
            return flag.removeprefix("--stack=")
    return os.environ.get("PULUMI_STACK", "local")


def main() -> None:
    """Run a command; an error that is meant for people ends without a traceback."""
    # Not at every 700 new objects: the clouds' SDKs are half a million that stay, and going over
    # them again and again took a third of a command's time.
    gc.set_threshold(50_000)
    from analysis.plan import PlanError
    from stacks.settings import SettingsError
    from tools.client import ClientError
    from tools.engine import EngineError
    from tools.workspace import CommandError

    try:
        app(prog_name="./seamless")
    except (ClientError, CommandError, EngineError, PlanError, SettingsError) as error:
        errors.print(f"[red]seamless:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
