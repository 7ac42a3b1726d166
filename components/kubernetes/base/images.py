"""The container images that we run, each pinned by digest: one tested set."""

from catalog import Row, Table


class Image(Row, frozen=True, kw_only=True):
    """One image.

    Attributes:
        repository: Registry and name.
        version: Tag, for people; the digest decides what runs.
        digest: Of the index of all platforms, or of the one that there is: `sha256:…`.
        user: Numeric user that its processes run as; never 0.
    """

    name: str
    repository: str
    version: str
    digest: str
    user: int

    @property
    def reference(self) -> str:
        """What a container asks for: tag and digest, of which the digest decides."""
        return f"{self.repository}:{self.version}@{self.digest}"


IMAGES = Table("images", Image)
VLLM = IMAGES["vllm"]
VLLM_ROCM = IMAGES["vllm-rocm"]
GATEWAY = IMAGES["gateway"]
ROUTER = IMAGES["router"]
SERVERS = {"nvidia": VLLM, "amd": VLLM_ROCM}
"""By the vendor of the GPU."""
