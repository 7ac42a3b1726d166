"""A local AWS account with the calls of the preflight to the Query APIs of STS, EC2 and IAM.

moto 5.2 has no SimulatePrincipalPolicy.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tests.support.inference_servers import answering

Decision = tuple[str, str]
"""IAM's name of the decision, and the missing condition key, if there is one."""


@dataclass(kw_only=True)
class Account:
    """The responses, which tests change, and what was called.

    Attributes:
        refuses: Error code by the API's action.
        decides: The decision by action, resource and region.
        principals: Principals of simulations.
    """

    arn: str = "arn:aws:iam::123456789012:user/deployer"
    opted_in: str = "opt-in-not-required"
    role_path: str = "/"
    refuses: dict[str, str] = field(default_factory=dict)
    decides: Callable[[str, str, str], Decision] = lambda *_: ("allowed", "")
    principals: set[str] = field(default_factory=set)
    simulations: int = 0
    url: str = ""

    def answer(self, _: str, __: str, sent: bytes) -> tuple[int, str]:
        """Answer one call of a Query API."""
        form = {key: values[0] for key, values in parse_qs(sent.decode()).items()}
        action = form["Action"]
        if code := self.refuses.get(action):
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>"
            return 403, f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"
        return 200, getattr(self, f"_{action}")(form)

    def _GetCallerIdentity(self, _: dict[str, str]) -> str:  # noqa: N802  # the API's name
        return _result(
            "GetCallerIdentity",
            f"<Arn>{self.arn}</Arn><UserId>AID</UserId><Account>123456789012</Account>",
        )

    def _DescribeRegions(self, form: dict[str, str]) -> str:  # noqa: N802  # the API's name
        item = (
            f"<regionName>{form['RegionName.1']}</regionName>"
            f"<optInStatus>{self.opted_in}</optInStatus>"
        )
        return (
            f"<DescribeRegionsResponse><requestId>1</requestId><regionInfo><item>{item}</item>"
            "</regionInfo></DescribeRegionsResponse>"
        )

    def _GetRole(self, form: dict[str, str]) -> str:  # noqa: N802  # the API's name
        arn = f"arn:aws:iam::123456789012:role{self.role_path}{form['RoleName']}"
        return _result("GetRole", f"<Role><Arn>{arn}</Arn></Role>")

    def _SimulatePrincipalPolicy(self, form: dict[str, str]) -> str:  # noqa: N802  # the API's name
        self.simulations += 1
        self.principals.add(form["PolicySourceArn"])
        assert form["ContextEntries.member.1.ContextKeyName"] == "aws:RequestedRegion"
        region = form["ContextEntries.member.1.ContextKeyValues.member.1"]
        (resource,) = _members(form, "ResourceArns")
        rows = ""
        for action in _members(form, "ActionNames"):
            decision, missing = self.decides(action, resource, region)
            keys = f"<member>{missing}</member>" if missing else ""
            rows += (
                f"<member><EvalActionName>{action}</EvalActionName>"
                f"<EvalDecision>{decision}</EvalDecision>"
                f"<MissingContextValues>{keys}</MissingContextValues></member>"
            )
        return _result(
            "SimulatePrincipalPolicy",
            f"<IsTruncated>false</IsTruncated><EvaluationResults>{rows}</EvaluationResults>",
        )


def reads_only(action: str, *_: str) -> Decision:
    """The decisions for AWS's managed policy ReadOnlyAccess, and GetSecretValue.

    Its v178 of 2026-02-12 has these verbs for every service of the stack (zoph-io/MAMIP,
    policies/ReadOnlyAccess, commit 0387244e).
    """
    verb = action.partition(":")[2]
    reads = ("Describe", "Get", "GET", "List", "Simulate", "View")
    return ("allowed" if verb.startswith(reads) else "implicitDeny"), ""


def _result(action: str, content: str) -> str:
    return (
        f"<{action}Response><{action}Result>{content}</{action}Result>"
        f"<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )


def _members(form: dict[str, str], name: str) -> list[str]:
    found: list[str] = []
    while value := form.get(f"{name}.member.{len(found) + 1}"):
        found.append(value)
    return found


@contextmanager
def running() -> Iterator[Account]:
    """An account that allows everything, served on this machine."""
    account = Account()
    with answering(lambda *call: account.answer(*call)) as url:
        account.url = url
        yield account
