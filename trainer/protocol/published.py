"""The published protocol of a method on a task: recipe fields under the task's table.

Read in the authors' code, see docs/training.md for what each is and what is not had.
"""

from collections.abc import Mapping
from typing import Any, Final

from adapters.vit.families import family_of
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.protocol.optimisers import VPT_CODE, optimiser_of

SPT: Final = ("spt-deep", "spt-shallow")
BEST_TEST_EPOCH: Final = (*SPT, "ssf", "moment-probing")
"""Methods whose papers report the best epoch on the test set."""

_IMAGENET: Final = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_MIDDLE: Final = {"resize": "shorter", "resize_size": 256}
_SQUASHED: Final = ("ssf", *VPT_CODE, "full")
"""Methods whose code squashes VTAB's images bilinearly."""


def published_settings(
    task: str, backbone: str, method: str, prompt: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the recipe fields of a method's authors for a task; few for what is no public task.

    Args:
        task: its id.
        backbone: its name.
        method: a name of `METHODS`.
        prompt: what is asked of the prompts already: the amount of images stays as asked.
    """
    known, family = PUBLIC_TASKS.get(task), family_of(backbone).name
    group = "" if known is None else known.group
    tree: dict[str, Any] = {"optim": optimiser_of(task, method, family)}
    if pixels := _pixels(group, method, family):
        tree["pixels"] = pixels
    if method in SPT:
        tree["prompt"] = _tokens(family, prompt)
    elif method in ("vpt-deep", "vpt-shallow", "e2vpt"):
        tree["prompt"] = {"dropout": 0.1}
    if group.startswith("vtab"):
        tree["data"] = {"train_on": "train-and-val"}
    if method in BEST_TEST_EPOCH:
        tree["report"] = {"test_each_epoch": True}
    return tree


def _pixels(group: str, method: str, family: str) -> dict[str, Any]:
    own = family in ("augreg", "original") and method not in ("ssf", "snf", "moment-probing")
    pixels: dict[str, Any] = dict(_IMAGENET) if own else {}
    if group in ("fgvc", "large"):
        shifted = method in VPT_CODE or method == "full"
        crops = {"augment": "shift-flip", "interpolation": "bilinear"}
        return pixels | _MIDDLE | (crops if shifted else {"augment": "crop-flip"})
    if group.startswith("vtab"):
        if method in SPT:
            return pixels | {"resize": "shorter"}
        return pixels | ({"interpolation": "bilinear"} if method in _SQUASHED else {})
    return pixels


def _tokens(family: str, prompt: Mapping[str, Any]) -> dict[str, Any]:
    """Return how tokens are drawn: from all images, or from one for MoCo."""
    tokens: dict[str, Any] = {"layer0_position": False, "pool_over": "image"}
    if prompt.get("init", "random") != "random":
        return tokens
    tokens["replacement"] = True
    if prompt.get("init_images") is None and prompt.get("init_proportion") is None:
        tokens |= {"init_images": 1} if family == "mocov3" else {"init_proportion": 1.0}
    return tokens
