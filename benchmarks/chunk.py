"""Splitting a text by tokens, against splitting by characters alone, which is the lower bound."""

from semantic_text_splitter import TextSplitter

from benchmarks import corpus
from benchmarks.measure import SEED, Result, Side, compare
from functions.summary.summarize import plan

CONTEXT_TOKENS = 8192


def measure(*, size: int = 1_000_000, rounds: int = 9) -> list[Result]:
    """Split a text of `size` characters; both sides must keep everything but white space."""
    text = corpus.text(size, seed=SEED)

    def ours() -> list[str]:
        return plan(text, context_tokens=CONTEXT_TOKENS).parts

    characters = max(map(len, ours()))

    def peer() -> list[str]:
        return TextSplitter(characters).chunks(text)

    return [
        compare(
            "chunk",
            ours=Side(label=f"plan for a window of {CONTEXT_TOKENS:,} tokens", run=ours),
            peer=Side(label=f"semantic-text-splitter, {characters:,} characters", run=peer),
            digest=_without_blanks,
            rounds=rounds,
        )
    ]


def _without_blanks(pieces: list[str]) -> str:
    return "".join("".join(pieces).split())
