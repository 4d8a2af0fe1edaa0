"""What is asked of the engine, and what comes of it. Knows no tensors."""

from dataclasses import dataclass
from typing import Final, Literal

from serving.protocol import DEFAULT_TOP_K, Answer, Encoding

Outcome = Answer | Exception

Role = Literal["current", "canary"]
"""Of a version, in a task that has a canary now."""


@dataclass(frozen=True)
class Extras:
    """What an answer holds beside labels.

    Attributes:
        embed: whether it has the row's feature.
        logits_bytes: most that logits and the names of their classes may take; 0 where none are
            asked for.
        encoding: how numbers are written.
    """

    embed: bool = False
    logits_bytes: int = 0
    encoding: Encoding = "base64"

    @property
    def has_numbers(self) -> bool:
        """Whether there are any."""
        return self.embed or self.logits_bytes > 0


LABELS_ALONE: Final = Extras()


@dataclass(frozen=True)
class Query:
    """One image asked about one task.

    Attributes:
        image: encoded; queries that share the object share its decoding.
        task: task id.
        top_k: how many labels are answered, at most.
        version: hex digits of the version to use, or None for the current one.
        extras: what is answered beside labels.
        trace: of whoever asks, as W3C's `traceparent`; None where nobody traces it.
    """

    image: bytes
    task: str
    top_k: int = DEFAULT_TOP_K
    version: str | None = None
    extras: Extras = LABELS_ALONE
    trace: str | None = None
