"""A local AWS account with the read calls of the checks of zones and of clusters.

Forms of calls and answers: botocore 1.44.8, the models of ec2, rds, service-quotas, logs, lambda
and sts.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import filter as filter_names
from urllib.parse import parse_qs

import pytest

from tests.support.inference_servers import answering


@dataclass(kw_only=True)
class Account:
    """The responses, which tests change.

    Attributes:
        zones: ID by letter, of the zones of every region.
        sold: Letters of the zones by machine type; other types are sold in all zones.
        database: Letters of the zones of the database's class.
        standby: Letters of the zones in which this class can have a standby in another zone.
        quotas: vCPUs by quota code.
        concurrency: Calls of Lambda at a time that are reserved for no function.
        log_groups: Names of the log groups that exist.
        refuses: Error code by the API's action.
    """

    arn: str = "arn:aws:sts::123456789012:assumed-role/creator/session"
    zones: dict[str, str] = field(
        default_factory=lambda: {"a": "use1-az1", "b": "use1-az2", "c": "use1-az4"}
    )
    sold: dict[str, str] = field(default_factory=dict)
    database: str = "abc"
    standby: str = "abc"
    quotas: dict[str, float] = field(default_factory=dict)
    concurrency: int = 1000
    log_groups: list[str] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def answer(self, call: str, signed: str, sent: bytes) -> tuple[int, str]:
        """Answer one call; the signature of a call has the region."""
        if call == "GET /2016-08-19/account-settings":
            return self._account_settings()
        if sent.startswith(b"{"):
            return self._json(json.loads(sent))
        form = {key: values[0] for key, values in parse_qs(sent.decode()).items()}
        action, region = form["Action"], signed.split("/")[2]
        if code := self.refuses.get(action):
            error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
            return 403, f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"
        return 200, getattr(self, f"_{action}")(form, region)

    def _account_settings(self) -> tuple[int, str]:
        if code := self.refuses.get("GetAccountSettings"):
            return 403, json.dumps({"__type": code})
        limits = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": self.concurrency}
        return 200, json.dumps({"AccountLimit": limits})

    def _json(self, call: dict[str, str]) -> tuple[int, str]:
        if "QuotaCode" in call:
            if code := self.refuses.get("GetServiceQuota"):
                return 400, json.dumps({"__type": code})
            value = self.quotas.get(call["QuotaCode"], 1000.0)
            return 200, json.dumps({"Quota": {"QuotaCode": call["QuotaCode"], "Value": value}})
        names = [n for n in self.log_groups if n.startswith(call["logGroupNamePrefix"])]
        return 200, json.dumps({"logGroups": [{"logGroupName": name} for name in names]})

    def _GetCallerIdentity(self, _: dict[str, str], __: str) -> str:  # noqa: N802  # the API's name
        found = f"<Arn>{self.arn}</Arn><Account>123456789012</Account>"
        return (
            f"<GetCallerIdentityResponse><GetCallerIdentityResult>{found}"
            "</GetCallerIdentityResult></GetCallerIdentityResponse>"
        )

    def _DescribeAvailabilityZones(  # noqa: N802  # the API's name
        self, form: dict[str, str], region: str
    ) -> str:
        assert form["Filter.1.Name"] == "zone-type"  # without it, local zones are listed, too
        items = "".join(
            f"<item><zoneName>{region}{letter}</zoneName><zoneId>{id_}</zoneId>"
            "<zoneState>available</zoneState></item>"
            for letter, id_ in self.zones.items()
        )
        return (
            f"<DescribeAvailabilityZonesResponse><availabilityZoneInfo>{items}"
            "</availabilityZoneInfo></DescribeAvailabilityZonesResponse>"
        )

    def _DescribeInstanceTypeOfferings(  # noqa: N802  # the API's name
        self, form: dict[str, str], region: str
    ) -> str:
        assert form["LocationType"] == "availability-zone"
        assert form["Filter.1.Name"] == "instance-type"
        asked = [value for key, value in form.items() if key.startswith("Filter.1.Value.")]
        types = {name for value in asked for name in filter_names(self.sold, value)}
        types |= {value for value in asked if "*" not in value}
        items = "".join(
            f"<item><instanceType>{type_}</instanceType>"
            f"<locationType>availability-zone</locationType>"
            f"<location>{region}{letter}</location></item>"
            for type_ in sorted(types)
            for letter in self.sold.get(type_, "".join(self.zones))
        )
        return (
            f"<DescribeInstanceTypeOfferingsResponse><instanceTypeOfferingSet>{items}"
            "</instanceTypeOfferingSet></DescribeInstanceTypeOfferingsResponse>"
        )

    def _DescribeOrderableDBInstanceOptions(  # noqa: N802  # the API's name
        self, form: dict[str, str], region: str
    ) -> str:
        options = "".join(
            f"<OrderableDBInstanceOption><DBInstanceClass>{form['DBInstanceClass']}"
            f"</DBInstanceClass><MultiAZCapable>{capable}</MultiAZCapable><AvailabilityZones>"
            + "".join(
                f"<AvailabilityZone><Name>{region}{letter}</Name></AvailabilityZone>"
                for letter in letters
            )
            + "</AvailabilityZones></OrderableDBInstanceOption>"
            # A row for each version and storage: not all rows can have a standby.
            for capable, letters in (
                ("false", self.database),
                ("true", [letter for letter in self.database if letter in self.standby]),
            )
        )
        return (
            "<DescribeOrderableDBInstanceOptionsResponse><DescribeOrderableDBInstanceOptionsResult>"
            f"<OrderableDBInstanceOptions>{options}</OrderableDBInstanceOptions>"
            "</DescribeOrderableDBInstanceOptionsResult></DescribeOrderableDBInstanceOptionsResponse>"
        )


@contextmanager
def running() -> Iterator[Account]:
    """An account in which everything is there, served on this machine."""
    account = Account()
    with answering(lambda *call: account.answer(*call)) as url:
        account.url = url
        yield account


@contextmanager
def signed_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """The same account, with its credentials in the environment."""
    with running() as account:
        monkeypatch.setenv("AWS_ENDPOINT_URL", account.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield account
