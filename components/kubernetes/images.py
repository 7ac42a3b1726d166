"""The container images that we run, each pinned by digest: one tested set."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image.

    Attributes:
        repository: Registry and name.
        version: Tag, for people; the digest decides what runs.
        digest: Of the index of all platforms, or of the one that there is: `sha256:…`.
        user: Numeric user that its processes run as; never 0.
        source: Where the digest was read.
        seen: When.
    """

    repository: str
    version: str
    digest: str
    user: int
    source: str
    seen: date

    @property
    def reference(self) -> str:
        """What a container asks for: tag and digest, of which the digest decides."""
        return f"{self.repository}:{self.version}@{self.digest}"


VLLM = Image(
    repository="docker.io/vllm/vllm-openai",
    version="v0.28.0",
    digest="sha256:61fc8a896b0a4fbbbdc063bc4b0dbc25ce98e02b5050c24aeb7830ac02039b14",
    user=2000,
    source="hub.docker.com/v2/repositories/vllm/vllm-openai/tags/v0.28.0, as pinned in several "
    "public repositories",
    seen=date(2026, 9, 8),
)
"""vLLM's own image for NVIDIA; any numeric user can run it (vllm-project/vllm#40275)."""

VLLM_ROCM = Image(
    repository="docker.io/vllm/vllm-openai-rocm",
    version="v0.28.0",
    digest="sha256:e0a3b2bd3fe7ec563916c3a5d949898d133458c18d6b2f460c906885cfb32032",
    user=2000,
    source="Docker Hub, as pinned in several public repositories",
    seen=date(2026, 9, 2),
)
"""vLLM's own image for AMD. Whether a user other than root may open the GPU's devices depends on
their group on the node, which nobody published for DOKS."""

SERVERS = {"nvidia": VLLM, "amd": VLLM_ROCM}
"""By the vendor of the GPU."""

GATEWAY = Image(
    repository="docker.io/nginxinc/nginx-unprivileged",
    version="1.30.5-alpine",
    digest="sha256:ed04ec1ff34502c339ee5c3ae3f855442398edc1d05591e2b98981dcbbd20b1e",
    user=101,
    source="Docker Hub, as pinned in several public repositories",
    seen=date(2026, 10, 3),
)

ROUTER = Image(
    repository="docker.io/lmcache/lmstack-router",
    version="v0.1.12",
    digest="sha256:d8cfaf022f0179ba3f9d2bbcb95c602bd639b700f7a6ac409626758d1a366483",
    user=1000,
    source="Docker Hub's amd64 manifest, as recorded in one public repository",
    seen=date(2026, 9, 12),
)
"""The router of vLLM's production stack 0.1.12; x86-64 only."""
