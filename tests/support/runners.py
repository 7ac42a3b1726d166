"""The scripts of CI's jobs on GitHub's and GitLab's runners, without actions."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
GITLAB: dict[str, Any] = yaml.safe_load((ROOT / ".gitlab-ci.yml").read_text())

BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
"""The shell that GitHub starts; GitLab's is as strict."""


def load(path: Path) -> dict[str, Any]:
    """A workflow with the trigger under `on`, which YAML 1.1 reads as True."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in found.items()}


WORKFLOWS = {path.stem: load(path) for path in FILES}


@dataclass(frozen=True, kw_only=True)
class Script:
    """The text and the variables of one shell."""

    shell: tuple[str, ...]
    text: str
    variables: Mapping[str, str]

    def run(self, folder: Path, environment: Mapping[str, str], expect: int = 0) -> str:
        """Run it in a clone, check its status, and return its output."""
        done = subprocess.run(
            [*self.shell, self.text],
            cwd=folder,
            env={**environment, **self.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done.stdout
        return done.stdout


def at_github(workflow: str, job: str, given: Mapping[str, str]) -> Iterator[Script]:
    """The scripts of a job for a pull request, with the values of expressions."""
    for step in WORKFLOWS[workflow]["jobs"][job]["steps"]:
        if "run" in step and "== 'push'" not in step.get("if", ""):
            yield Script(
                shell=BASH,
                text=step["run"],
                variables={
                    name: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: given[found[1]], value)
                    for name, value in step.get("env", {}).items()
                },
            )


def at_gitlab(job: str, given: Mapping[str, str]) -> Iterator[Script]:
    """The script of a job for a merge request, with the variables of GitLab and the matrix."""
    content = GITLAB[job]
    content = {**GITLAB[content["extends"]], **content} if "extends" in content else content
    rules = content.get("rules", [{}])
    declared = [GITLAB["variables"], content.get("variables", {}), rules[0].get("variables", {})]
    yield Script(
        shell=BASH,
        text="\n".join([*content.get("before_script", []), *content["script"]]),
        variables={
            **given,
            **{
                name: Template(value).substitute(given)
                for part in declared
                for name, value in part.items()
            },
        },
    )
