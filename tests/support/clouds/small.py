"""A stack with a program of a test, on a real engine and simulated clouds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation
from pulumi.automation.errors import CommandError

from tests.support.clouds.world import World
from tools.engine import installation


@dataclass
class Small:
    """A stack with a program of a test, and its clouds."""

    folder: Path
    environment: dict[str, str]
    changes: dict[str, int] = field(default_factory=dict)
    _opened: automation.Stack | None = None

    def world(self, cloud: str = "aws") -> World:
        """The resources of a cloud."""
        return World(folder=self.folder, cloud=cloud)

    def names(self, cloud: str = "aws") -> set[str]:
        """Logical names of the resources of a cloud."""
        return {resource["name"] for resource in self.world(cloud).resources().values()}

    def outputs(self, name: str, cloud: str = "aws") -> dict[str, Any]:
        """The outputs of the resource with this logical name."""
        (found,) = [r for r in self.world(cloud).resources().values() if r["name"] == name]
        outputs: dict[str, Any] = found["outputs"]
        return outputs

    def up(self, program: Callable[[], None]) -> dict[str, Any]:
        """Deploy a program, count its changes in `changes`, and return its outputs."""
        done = self._stack(program).up(show_secrets=False)
        self.changes = {
            str(op): count for op, count in (done.summary.resource_changes or {}).items()
        }
        return {name: output.value for name, output in done.outputs.items()}

    def refused(self, program: Callable[[], None]) -> str:
        """The engine's error for a program that fails."""
        with pytest.raises(CommandError) as caught:
            self._stack(program).up()
        return str(caught.value)

    def destroy(self) -> None:
        """Delete everything."""
        self._stack(lambda: None).destroy(show_secrets=False)

    def close(self) -> None:
        """Release the stack and its objects of the SDK."""
        self._opened = None

    def _stack(self, program: Callable[[], None]) -> automation.Stack:
        """The stack with this program; it is kept, since selecting it takes long."""
        self._opened = self._opened or self._made()
        self._opened.workspace.program = program
        return self._opened

    def _made(self) -> automation.Stack:
        found = installation.find()
        assert found, "there is no engine: ./seamless up local gets one"
        variables = {
            "PULUMI_BACKEND_URL": (self.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "of-a-test",
            "PULUMI_HOME": str(self.folder / "home"),
        }
        (self.folder / "state").mkdir(exist_ok=True)
        return automation.create_stack(
            "small",
            project_name="small",
            program=lambda: None,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(self.folder),
                env_vars=found.environment() | self.environment | variables,
                pulumi_command=automation.PulumiCommand(root=str(found.directory))
                if found.directory
                else None,
                project_settings=automation.ProjectSettings(name="small", runtime="python"),
            ),
        )
