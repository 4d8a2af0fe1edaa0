"""How the paper prepares the images of each group of tasks (4.1)."""

from typing import Any, Final

from trainer.data.public.tasks import PUBLIC_TASKS

_AUGMENTED: Final = {"resize": "shorter", "resize_size": 256, "augment": "crop-flip"}


def pixels_of(task: str) -> dict[str, Any]:
    """Return the recipe fields that the group of a task decides.

    Fine-grained and large tasks: random resized crops and flips in training; in the test, which
    the paper leaves open, the middle of the image as in the official code. All others: squashed.
    """
    known = PUBLIC_TASKS.get(task)
    augmented = known is not None and known.group in ("fgvc", "large")
    return {"pixels": _AUGMENTED} if augmented else {}
