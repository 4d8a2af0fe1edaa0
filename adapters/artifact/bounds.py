"""What an artifact may ask of those who load it: every number, and the check of them all.

What is beyond them is refused when it is published and when it is loaded, so that no task costs
its neighbours more than a share of their time. Knows what an artifact says, not its tensors.
"""

from typing import Final

from adapters.artifact.meta import AdapterMeta
from adapters.artifact.preprocessing import Preprocessing
from adapters.artifact.samples import samples_fault
from adapters.errors import ArtifactMismatch

MAX_BYTES: Final = 256_000_000
"""Of one artifact."""

MAX_PROMPTS: Final = 1024
"""Per block; every row of a forward is filled up to its longest one."""

MAX_PROMPTS_PUBLISHED: Final = 256
"""Per block of what is published, by default; the paper uses 20 deep and 100 shallow ones."""

MAX_CLASSES: Final = 50_000

MAX_RESIZE: Final = 4
"""Times the width of the backbone's images; the resized image grows with its square."""

MAX_MEAN: Final = 10.0
"""Of pixels, whose values are 0 to 1, on either side of 0."""

MIN_STD: Final = 1e-4
MAX_STD: Final = 1e4


def check_bounds(meta: AdapterMeta, num_bytes: int) -> None:
    """Refuse an artifact of that size which asks for more than any adapter needs.

    Raises:
        ArtifactMismatch: naming what is too much, and the limit.
    """
    task = meta.task.id
    _check_at_most(f"{task}: its artifact", num_bytes, MAX_BYTES, "bytes")
    _check_at_most(f"{task}: its head", len(meta.task.class_names), MAX_CLASSES, "classes")
    check_pixels(task, meta.preprocessing, meta.backbone.image_size)
    fault = samples_fault(meta.samples)
    if fault is not None:
        raise ArtifactMismatch(f"{task}: {fault}; train it again")


def check_prompts(task: str, num_prompts: int, limit: int = MAX_PROMPTS) -> None:
    """Refuse more prompts per block than `limit`.

    Raises:
        ArtifactMismatch: naming both numbers.
    """
    _check_at_most(f"{task}: every block", num_prompts, limit, "prompts")


def check_pixels(task: str, rule: Preprocessing, image_size: int) -> None:
    """Refuse a rule for pixels that no backbone of this image size needs.

    Raises:
        ArtifactMismatch: naming what is too much, and the limit.
    """
    what = f"{task}: its resized image"
    _check_at_most(what, rule.resize_size, MAX_RESIZE * image_size, "pixels on its shorter side")
    # a NaN is in no range
    if not all(-MAX_MEAN <= mean <= MAX_MEAN for mean in rule.mean):
        raise ArtifactMismatch(
            f"{task}: the mean of its pixels is {rule.mean}, expected numbers within "
            f"±{MAX_MEAN:g}; train it again"
        )
    if not all(MIN_STD <= std <= MAX_STD for std in rule.std):
        raise ArtifactMismatch(
            f"{task}: the std of its pixels is {rule.std}, expected numbers from {MIN_STD:g} to "
            f"{MAX_STD:g}; train it again"
        )


def _check_at_most(what: str, found: int, limit: int, unit: str) -> None:
    if found > limit:
        raise ArtifactMismatch(
            f"{what} has {found:,} {unit}, the limit is {limit:,}; train it again with fewer"
        )
