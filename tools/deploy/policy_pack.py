"""Policy violations that the engine reports, for the terminal."""

from dataclasses import dataclass, field

from pulumi.automation.events import EngineEvent
from rich.console import Console
from rich.markup import escape

from policies.catalogue import RULES
from policies.evaluation import Environment
from tools.deploy.progress import logical_name
from tools.workspace import ROOT

PACK = ROOT / "policies"

_SEVERITY = {rule.id: rule.severity for rule in RULES}


@dataclass(frozen=True, kw_only=True)
class ReportedViolation:
    """One violation of a rule, reported by the engine."""

    id: str
    resource: str
    message: str
    remedy: str
    mandatory: bool

    def __str__(self) -> str:
        severity = _SEVERITY.get(self.id.removesuffix("-waived"), "")
        return f"{self.id} {severity}: {self.resource}: {self.message}\n  remedy: {self.remedy}"


@dataclass
class Violations:
    """Collects the violations in the engine's events, without duplicates."""

    found: dict[ReportedViolation, None] = field(default_factory=dict)

    def __call__(self, event: EngineEvent) -> None:
        """Take one event of the engine."""
        if not (reported := event.policy_event):
            return
        # The rule's title, then what `policies.pack` reports: the message and the remedy.
        _, message, remedy = [*reported.message.strip().splitlines(), "", ""][:3]
        violation = ReportedViolation(
            id=reported.policy_name,
            resource=logical_name(reported.resource_urn or "the stack"),
            message=message,
            remedy=remedy,
            mandatory=reported.enforcement_level == "mandatory",
        )
        self.found[violation] = None

    @property
    def refusal(self) -> str:
        """The mandatory violations as text; empty if there are none."""
        return "\n".join(str(violation) for violation in self.found if violation.mandatory)

    def show(self, console: Console) -> None:
        """Print the advisory violations."""
        for violation in self.found:
            if not violation.mandatory:
                console.print(f"[yellow]advisory[/] {escape(str(violation))}", soft_wrap=True)


def pack_options(environment: Environment) -> dict[str, list[str]]:
    """Arguments of `preview` and `up` that apply the policy pack."""
    configs = [] if environment == "prod" else [str(PACK / f"{environment}.json")]
    return {"policy_packs": [str(PACK)], "policy_pack_configs": configs}
