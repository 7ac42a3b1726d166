"""The Helm charts that we install, each at one version: one tested set.

`./seamless test cluster` renders those that a Go module holds, with our values, and has every
object admitted; `tools/programs/cluster_parts.py` says which.
"""

from catalog import Row, Table


class Chart(Row, frozen=True, kw_only=True):
    """One chart.

    Attributes:
        repository: URL of a chart repository, or of the chart itself where it is an OCI image.
    """

    name: str
    repository: str
    version: str

    @property
    def is_image(self) -> bool:
        """True where a registry of images has it."""
        return self.repository.startswith("oci://")


CHARTS = Table("charts", Chart)
