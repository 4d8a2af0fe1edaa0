"""What is asked of the engine that is about no image: which tasks there are. Knows no tensors."""

from dataclasses import dataclass

from serving.protocol import DEFAULT_LIST_LIMIT


@dataclass(frozen=True)
class Listing:
    """A page of tasks, or one task.

    Attributes:
        task: the one that is asked for, with its classes; None for a page.
        after: the page begins with the next task, by name.
        limit: most tasks of the page.
        patterns: of the tasks that the caller may ask; None for all.
        samples: whether the one task's sample images are told, too.
        card: whether its model card is.
    """

    task: str | None = None
    after: str = ""
    limit: int = DEFAULT_LIST_LIMIT
    patterns: tuple[str, ...] | None = None
    samples: bool = False
    card: bool = False
