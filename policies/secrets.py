"""Detection of secrets by known prefix, by randomness, and by the name of their property."""

import math
import re
from collections import Counter

_KNOWN = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a DigitalOcean token": r"\bdo[opr]_v1_[a-f0-9]{64}\b",
    "a DigitalOcean model access key": r"\bsk-do-[\w-]{16,}",
    "an OpenAI-style key": r"\bsk-[\w-]{20,}",
    "a Fireworks key": r"\bfw_[A-Za-z0-9]{16,}",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,})",
    "a GitLab token": r"\bglpat-[\w-]{20,}",
    "a Hugging Face token": r"\bhf_[A-Za-z]{30,}",
    "a Pulumi token": r"\bpul-[a-f0-9]{40}\b",
    "a secret of this project": r"\bsmls_[\w-]{20,}",  # components/generated_secret.py
    "a Slack token": r"\bxox[abprs]-[\w-]{10,}",
    "a Google API key": r"\bAIza[\w-]{35}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a signed web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "a URL with a password": r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/:@]+@",
}
"""Prefixes that issuers chose for secret scanners (the rules of gitleaks 8, 2026-11)."""

_NAME = re.compile(
    r"(?:passwords?|passwd|passphrase|\w[_-]?(?<!existing)secret|token|(?:api|private|access)_?keys?"
    r"|credentials?)$",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_SHOWN = re.compile(
    r"-----BEGIN (CERTIFICATE(?: REQUEST)?|PUBLIC KEY)-----.*?-----END \1-----", re.DOTALL
)
"""Public data that is as random as a key."""

_HASH = re.compile(r"hash|sha256|digest|fingerprint|checksum|etag", re.IGNORECASE)
_BITS = 4.3
"""Bits per character above which a text counts as random; 32 random base64 characters have 4.6."""


def kind_of_secret(key: str, text: str) -> str | None:
    """The kind of secret that a text looks like, or None. A hash may be random."""
    text = _SHOWN.sub("", text)
    for kind, pattern in _KNOWN.items():
        if re.search(pattern, text):
            return kind
    if not _HASH.search(key) and any(map(_is_random, _RANDOM.findall(text))):
        return "random text"
    return None


def names_secret(key: str) -> bool:
    """True if a property of this name holds a secret: `DATABASE_PASSWORD`, not `TOKENS_MAX`.

    The `existingSecret` of a Helm chart is the name of a Kubernetes object.
    """
    return bool(_NAME.search(key))


def is_reference(text: str) -> bool:
    """True for an empty text or an ARN, which only refers to a secret."""
    return not text or text.startswith("arn:")


def _is_random(word: str) -> bool:
    classes = [any(map(test, word)) for test in (str.isupper, str.islower)]
    if not all(classes) or sum(map(str.isdigit, word)) < 2 or word.startswith("/"):
        return False
    shares = [count / len(word) for count in Counter(word).values()]
    return -sum(share * math.log2(share) for share in shares) >= _BITS
