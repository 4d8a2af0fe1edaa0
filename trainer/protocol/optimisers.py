"""The optimiser of each method in its authors' code."""

from math import sqrt
from typing import Any, Final

from trainer.data.public.tasks import PUBLIC_TASKS

VPT_CODE: Final = ("vpt-deep", "vpt-shallow", "gate-vpt", "e2vpt", "linear", "bias", "adapter")
"""Methods that VPT's code trains, or code that was made from it: by SGD, at high rates."""

VPT_BASES: Final = (0.1, 1.0, 10.0)
"""Rates of a batch of 256, out of the 0.05 to 50 that VPT's code tries."""

VPT_DECAYS: Final = (1e-2, 1e-3, 1e-4, 0.0)
"""Of all that is trained, as VPT's code tries them."""

VPT_BATCH: Final = 64
_SSF_DROP_PATH: Final = {"oxford_flowers": 0.1, "nabirds": 0.1}
_SSF_EMA: Final = {"oxford_flowers": 0.999}
_SSF_BATCH: Final = {"nabirds": 32}


def scaled(base: float) -> float:
    """Return the rate of a batch of 64 from that of one of 256."""
    return base / 256 * VPT_BATCH


def optimiser_of(task: str, method: str, family: str) -> dict[str, Any]:
    """Return the fields of `optim` that a method's authors set; none where ours are theirs.

    Args:
        task: its id.
        method: a name of `METHODS`.
        family: of the checkpoint.
    """
    if method in VPT_CODE:
        return _vpt(task, method)
    if method == "full":
        decays = {"weight_decay": 1e-2, "head_weight_decay": 1e-2}
        return {"lr": scaled(1e-3), "batch_size": VPT_BATCH} | decays
    if method == "lora":
        decays = {"weight_decay": 1e-4, "head_weight_decay": 1e-4}
        return {"lr": 1e-3, "batch_size": 64} | decays
    if method in ("ssf", "moment-probing"):
        return _timm(task, method)
    if method.startswith("spt-") and family == "mocov3":
        return {"head_std": 0.01}
    return {}


def _vpt(task: str, method: str) -> dict[str, Any]:
    decay = 0.0 if method == "gate-vpt" else 1e-2
    fields = {
        "name": "sgd",
        "batch_size": VPT_BATCH,
        "lr": scaled(0.1),
        "weight_decay": decay,
        "head_weight_decay": decay,
        "decay": "all",
    }
    known = PUBLIC_TASKS.get(task)
    return fields if known is None else fields | {"head_std": round(sqrt(2 / known.num_classes), 6)}


def _timm(task: str, method: str) -> dict[str, Any]:
    """Return what timm's training script adds, which both started from."""
    known = PUBLIC_TASKS.get(task)
    if method == "moment-probing":
        decays = {"weight_decay": 5e-2, "head_weight_decay": 5e-2}
        return {"batch_size": 64, "label_smoothing": 0.1} | decays
    if known is None or known.group != "fgvc":
        return {}
    return {
        "batch_size": _SSF_BATCH.get(task, 64),
        "label_smoothing": 0.1,
        "drop_path": _SSF_DROP_PATH.get(task, 0.0),
        "ema": _SSF_EMA.get(task, 0.9998),
    }
