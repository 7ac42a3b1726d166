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
    help="Deploy one document-summarization application in comparable variants.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

StackName = Annotated[
    str, typer.Argument(metavar="STACK", help="A stack with a file stacks/Pulumi.STACK.yaml.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

DEVELOPERS = "For developers of this repository"
"""Second group of commands in `--help`."""


@app.command()
def up(stack: StackName = "local", yes: Yes = False) -> None:
    """Deploy a stack. Installs or builds a Pulumi engine if there is none."""
    from tools.deploy import lifecycle
    from tools.deploy.samples import summarize_samples

    found = lifecycle.up(console, stack, yes=yes)
    page, token = found["page_url"], found["api_token"]
    if lifecycle.is_free(stack):
        summarize_samples(console, page, token)
    console.print(f"\nPage: [bold]{page}[/]")
    console.print(
        f"Open it signed in: {lifecycle.write_sign_in(stack, page, token).as_uri()}", soft_wrap=True
    )


@app.command()
def down(stack: StackName = "local", yes: Yes = False) -> None:
    """Destroy a stack with its documents, after confirmation. Lists what remains."""
    from tools.deploy import lifecycle

    lifecycle.down(console, stack, yes=yes)


@app.command()
def preview(
    stack: StackName = "local",
    drift: Annotated[
        bool, typer.Option("--drift", help="Refresh first. Exit code 1 if anything differs.")
    ] = False,
) -> None:
    """Preview what `up` would change, with the real engine and the policies."""
    from tools.deploy import lifecycle

    lifecycle.preview(console, stack, drift=drift)


@app.command()
def plan(
    stack: StackName = "local",
    config: Annotated[
        Optional[list[str]],  # noqa: UP045  # typer reads this form
        typer.Option("--config", "-c", metavar="KEY=VALUE", help="Override a config value."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every stack in every inference mode.")
    ] = False,
    as_json: Json = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
    against: Annotated[
        str,
        typer.Option(
            metavar="REF|FILE", help="With --markdown: show the changes since this commit or file."
        ),
    ] = "",
) -> None:
    """Show a stack's resources, policy violations and cost, without an account or an engine.

    Exit code 0 even if a policy is violated; 1 with --all.
    """
    from analysis.render.terminal import tree
    from tools.ci import plans
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
            console.print(tree(each))
    if every and plans.breaks_a_mandatory_rule(made):
        raise typer.Exit(1)


@app.command()
def summarize(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Documents to summarize.")],
    stack: Annotated[str, typer.Option("--stack", "-s", help="The running stack.")] = "local",
    as_json: Json = False,
) -> None:
    """Upload files to the running application and print their summaries."""
    from tools.deploy import lifecycle
    from tools.deploy.samples import summarize_files

    found = lifecycle.outputs(stack)
    page, token = found["page_url"][0], found["api_token"][0]
    if not summarize_files(console, page, token, files, as_json=as_json):
        raise typer.Exit(1)


@app.command()
def outputs(stack: StackName = "local", as_json: Json = False) -> None:
    """Print the stack's outputs. Secrets are hidden; --json includes them."""
    from tools.deploy import lifecycle

    found = lifecycle.outputs(stack)
    if as_json:
        print(lifecycle.as_json(found))
        return
    table = Table(box=None, show_header=False)
    for name, (value, secret) in sorted(found.items()):
        table.add_row(name, "[dim]secret; --json shows it[/]" if secret else escape(str(value)))
    console.print(table)


@app.command()
def doctor(
    stack: Annotated[
        str,
        typer.Option("--stack", "-s", help="Also check the accounts of this stack (read-only)."),
    ] = "",
) -> None:
    """Check this machine's prerequisites. Prints the command that fixes each problem."""
    from tools.doctor import examine

    findings = examine()
    if stack:
        from tools.deploy import preflight
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


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def pulumi(context: typer.Context) -> None:
    """Run the Pulumi CLI with the engine, state and passphrase of this clone.

    The stack is that of --stack or PULUMI_STACK, default `local`. `config` also works on a stack
    that was never deployed.
    """
    from tools.engine.installation import ensure
    from tools.workspace import ROOT, create_workspace, engine_environment, stack_names

    stack = _stack_of(context.args)
    if stack in stack_names() and context.args[:1] == ["config"]:
        create_workspace(stack, _progress)
    engine = ensure(_progress)
    environment, _ = engine_environment(engine, language_host=True)
    environment = {"PULUMI_STACK": stack, **os.environ, **environment}
    command = [str(engine.command), *context.args]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


@app.command(rich_help_panel=DEVELOPERS)
def check() -> None:
    """Check format, lint, types, workflows and generated documentation."""
    from tools.ci import quality

    raise typer.Exit(quality.check(console))


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
    rich_help_panel=DEVELOPERS,
)
def test(
    context: typer.Context,
    part: Annotated[
        str,
        typer.Argument(
            metavar="PART",
            help="all, unit, contract, engine, browser, nightly, cluster or live (costs money).",
        ),
    ] = "all",
) -> None:
    """Run the tests. Arguments after PART go to pytest; `test live --help` explains a live run."""
    from tools.ci import quality

    if "--help" in (part, *context.args):
        if part == "live":
            quality.explain_live(console)
        else:
            console.print(context.get_help())
        return
    raise typer.Exit(quality.test(console, part, context.args))


@app.command(rich_help_panel=DEVELOPERS)
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help="One benchmark; default all.")] = "",
    as_json: Json = False,
) -> None:
    """Run the benchmarks."""
    from benchmarks import run

    raise typer.Exit(run(console, name, as_json=as_json))


@app.command(rich_help_panel=DEVELOPERS)
def docs() -> None:
    """Generate the reference parts of the documentation."""
    from tools.docs import generate

    for path in generate.write():
        console.print(f"wrote {path}")


@app.command(rich_help_panel=DEVELOPERS)
def rename(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and hyphens.")],
) -> None:
    """Rename the project, for a fork. Refused while a stack of this clone is deployed.

    A state outside this clone is not checked.
    """
    from tools.rename import rename as give
    from tools.workspace import ROOT

    changed = give(ROOT, name)
    for path in changed:
        console.print(f"wrote {path}")
    if not changed:
        console.print(f"The project's name is already {name}.")


@app.command(rich_help_panel=DEVELOPERS)
def comment(
    file: Annotated[Path, typer.Argument(help="Output of `plan --markdown`.")],
    repository: Annotated[str, typer.Option(metavar="OWNER/NAME", help="GitHub repository.")],
    head: Annotated[str, typer.Option(metavar="OWNER:BRANCH", help="Branch of the pull request.")],
    commit: Annotated[str, typer.Option(metavar="SHA", help="Commit that was planned.")],
) -> None:
    """Create or update the pull-request comment with the plan. Needs GITHUB_TOKEN."""
    from tools.ci import comment as commenting

    console.print(commenting.put(file, repository=repository, head=head, commit=commit))


def _progress(line: str) -> None:
    errors.print(escape(line), soft_wrap=True)


def _stack_of(arguments: list[str]) -> str:
    """The stack that a Pulumi command line selects."""
    for flag, value in pairwise([*arguments, ""]):
        if flag in ("--stack", "-s"):
            return value
        if flag.startswith("--stack="):
            return flag.removeprefix("--stack=")
    return os.environ.get("PULUMI_STACK", "local")


def main() -> None:
    """Run a command. Errors of users end without a traceback, with exit code 1."""
    # The clouds' SDKs make half a million objects that stay. With Python's default threshold of
    # 700, collecting them took a third of a command's time.
    gc.set_threshold(50_000)
    from catalog import CatalogError

    expected: tuple[type[Exception], ...] = (CatalogError,)
    try:
        # These imports read the catalogue.
        from analysis import PlanError
        from stacks.errors import ConfigError
        from tools.deploy.client import ClientError
        from tools.engine.installation import EngineError
        from tools.workspace import CommandError

        expected += (ClientError, CommandError, ConfigError, EngineError, PlanError)
        app(prog_name="./seamless")
    except expected as error:
        errors.print(f"[red]seamless:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
