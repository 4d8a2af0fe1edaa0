"""What is asked of the engine, and what comes of it. Knows no tensors."""

from dataclasses import dataclass

from serving.protocol import DEFAULT_TOP_K, Answer

Outcome = Answer | Exception


@dataclass(frozen=True)
class Query:
    """One image asked about one task.

    Attributes:
        image: encoded; queries that share the object share its decoding.
        task: task id.
        top_k: how many labels are answered, at most.
        version: hex digits of the version to use, or None for the current one.
    """

    image: bytes
    task: str
    top_k: int = DEFAULT_TOP_K
    version: str | None = None
