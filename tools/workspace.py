"""A stack of this project on a real engine: backend, passphrase and working directory."""

import json
import os
import runpy
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from pulumi import automation

from stacks import variant
from stacks.errors import ConfigError
from stacks.names import full_key
from tools.engine.installation import Engine, ensure

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".seamless"
"""State, workspace, passphrase and, by default, local data of this clone."""

_SALT = "encryptionsalt"


class CommandError(Exception):
    """A command failed; the message has the cause and the remedy."""


@dataclass
class Program:
    """The Pulumi program as a function; keeps a config error for the error message."""

    problem: ConfigError | None = field(default=None, init=False)

    def __call__(self) -> None:
        """Run `__main__.py`, as a plain `pulumi up` does."""
        try:
            runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")
        except ConfigError as error:
            self.problem = error
            raise


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A selected stack, with the engine that runs it."""

    stack: automation.Stack
    program: Program
    engine: Engine
    own_backend: bool
    """Whether the state is in `.seamless`, because no other backend is configured."""

    def resources(self) -> list[dict[str, Any]]:
        """Resources in the state, with decrypted secrets: do not print them."""
        deployment = self.stack.export_stack().deployment or {}
        return deployment.get("resources") or []

    def config(self) -> dict[str, str]:
        """Every config value by full key, with decrypted secrets."""
        return {key: value.value for key, value in self.stack.get_all_config().items()}


def stack_names(project: Path = ROOT) -> list[str]:
    """Every stack with a file in the project's `stacks/`."""
    files = (project / "stacks").glob("Pulumi.*.yaml")
    return sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)


def stack_config(stack: str) -> dict[str, object]:
    """The `config:` section of a stack's file, by full key.

    Raises:
        CommandError: there is no such file.
    """
    file = ROOT / "stacks" / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        raise CommandError(
            f"There is no stack {stack!r}. Stacks: {', '.join(stack_names())}. "
            f"To add it: cp stacks/Pulumi.local.yaml stacks/Pulumi.{stack}.yaml"
        )
    content = yaml.safe_load(file.read_text()) or {}
    config: dict[str, object] = content.get("config") or {}
    return {full_key(project_name(), key): value for key, value in config.items()}


def variant_of(stack: str) -> ModuleType:
    """The module of the variant that a stack's file names."""
    return variant(str(stack_config(stack).get(f"{project_name()}:variant", "local")))


def create_workspace(stack: str, report: Callable[[str], None]) -> Workspace:
    """Get an engine, create the stack if it is new, and select it.

    Raises:
        CommandError: the stack has no file.
        EngineError: no engine is available.
    """
    return _workspace(stack, report, automation.create_or_select_stack)


def open_workspace(stack: str, report: Callable[[str], None]) -> Workspace | None:
    """Like `create_workspace`, but None if the stack does not exist."""
    try:
        return _workspace(stack, report, automation.select_stack)
    except automation.StackNotFoundError:
        return None


def _workspace(
    stack: str, report: Callable[[str], None], select: Callable[..., automation.Stack]
) -> Workspace:
    stack_config(stack)
    engine = ensure(report)
    environment, own_backend = engine_environment(engine)
    program = Program()
    command = automation.PulumiCommand(root=str(engine.directory)) if engine.directory else None
    selected = select(
        stack,
        project_name=project_name(),
        program=program,
        opts=automation.LocalWorkspaceOptions(
            work_dir=str(_work_dir(stack)), env_vars=environment, pulumi_command=command
        ),
    )
    return Workspace(stack=selected, program=program, engine=engine, own_backend=own_backend)


def engine_environment(
    engine: Engine, *, language_host: bool = False
) -> tuple[dict[str, str], bool]:
    """The engine's environment variables, and whether the backend is our own.

    A configured backend (PULUMI_BACKEND_URL, or `pulumi login`) is used; otherwise the state is in
    `.seamless/state`, with secrets encrypted by a passphrase that this clone generates once.
    """
    environment = engine.environment(language_host=language_host)
    own_backend = not (os.environ.get("PULUMI_BACKEND_URL") or _logged_in())
    if own_backend:
        state = HOME / "state"
        state.mkdir(parents=True, exist_ok=True)
        environment["PULUMI_BACKEND_URL"] = state.as_uri()
        if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & os.environ.keys():
            environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase())
    return environment, own_backend


def forget_backend() -> None:
    """Delete our own backend with history and backups, once it has no stack."""
    stacks = HOME / "state" / ".pulumi" / "stacks"
    if not any(stacks.rglob("*.json")):
        for folder in (HOME / "state", HOME / "workspace"):
            shutil.rmtree(folder, ignore_errors=True)
    data = HOME / "stacks"
    if data.is_dir() and not any(data.iterdir()):
        data.rmdir()


def project_name() -> str:
    """The project's name, from `Pulumi.yaml`."""
    name: str = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"]
    return name


def _logged_in() -> bool:
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return bool(json.loads((home / "credentials.json").read_text()).get("current"))
    except FileNotFoundError:
        return False


def _passphrase() -> Path:
    file = HOME / "passphrase"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_urlsafe(32))
    return file


def _work_dir(stack: str) -> Path:
    """The engine's working directory: copies of the project file and the stack's file.

    The engine writes its encryption salt into the stack's file, which would make a fresh clone
    look edited.
    """
    folder = HOME / "workspace"
    source = ROOT / "stacks" / f"Pulumi.{stack}.yaml"
    copy = folder / "stacks" / source.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "Pulumi.yaml", folder / "Pulumi.yaml")
    salt = (yaml.safe_load(copy.read_text()) or {}).get(_SALT) if copy.exists() else None
    content = source.read_text()
    if salt and _SALT not in (yaml.safe_load(content) or {}):
        content = f"{content.rstrip()}\n{_SALT}: {salt}\n"
    copy.write_text(content)
    return folder
