"""Every tagged ViT of the installed timm: whether it can carry prompts, and if not, why.

Models are built without memory, and nothing is downloaded.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, get_args
from unittest.mock import patch

import timm
import torch
from torch import Tensor, nn

from adapters.artifact.backbone_spec import FinalNorm, Pooling
from adapters.vit.architecture import why_refused
from adapters.vit.backbone import read_out_of
from adapters.vit.families import architecture_of
from adapters.vit.trunk import Trunk

_MODULES: Final = (
    "beit",
    "deit",
    "eva",
    "naflexvit",
    "vision_transformer",
    "vision_transformer_hybrid",
    "vision_transformer_relpos",
)
"""Where timm has models that are ViTs, or near to them."""


_FILLING: Final = ("add_", "clamp_", "erfinv_", "fill_", "mul_", "normal_", "uniform_", "zero_")
"""What fills a tensor with first values, which takes most of the time and is never read."""

_USUAL_DEPTH: Final = 12
"""Of timm's trunks where an architecture says nothing."""

_BLOCKS: Final = 2


@dataclass(frozen=True)
class Entry:
    """One checkpoint of timm.

    Attributes:
        name: `architecture.tag`.
        accepted: whether it can be a backbone.
        reason: why not, or None.
        parameters: of the trunk, without a classifier.
        image_size: side of its input in pixels, if nothing else is asked for.
        licence: as far as timm knows it.
        pooling: its usual read-out; None where it is not accepted.
        final_norm: on which side of that the last norm is.
    """

    name: str
    accepted: bool
    reason: str | None
    parameters: int
    image_size: int
    licence: str | None
    pooling: Pooling | None
    final_norm: FinalNorm | None


def architectures() -> list[str]:
    """Return the names of timm's models that are ViTs or like them, with or without weights."""
    return sorted({name for module in _MODULES for name in timm.list_models(module=module)})


def catalogue() -> Iterator[Entry]:
    """Yield every tagged checkpoint, in order of their names."""
    names = {n for module in _MODULES for n in timm.list_models(module=module, pretrained=True)}
    built: tuple[str, Any] | None = None
    for name in sorted(names):
        architecture = architecture_of(name)
        if built is None or built[0] != architecture:
            with without_memory():
                built = architecture, _built(architecture)
        yield _entry(name, built[1])


@contextmanager
def without_memory() -> Iterator[None]:
    """Build models whose tensors have shapes and no numbers; no other thread may use torch."""
    with torch.device("meta"), ExitStack() as stack:
        # methods are replaced: a mode would be asked about every call of torch, which takes longer
        for name in _FILLING:
            stack.enter_context(patch.object(Tensor, name, _as_it_is))
        yield


def _as_it_is(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
    return tensor


def _built(architecture: str) -> Any:
    """Build a model, of two blocks where those are enough: blocks take nearly all time."""
    try:
        with _two_blocks():
            return timm.create_model(architecture, num_classes=0)
    except AssertionError:  # some say of each of their blocks how many heads it has
        return timm.create_model(architecture, num_classes=0)


@contextmanager
def _two_blocks() -> Iterator[None]:
    """Build trunks of no more than two blocks, which know how many they should have."""
    with ExitStack() as stack:
        for kind in get_args(Trunk):
            stack.enter_context(patch.object(kind, "__init__", _shallow(kind.__init__)))
        yield


def _shallow(whole: Callable[..., None]) -> Callable[..., None]:
    def init(trunk: Any, *args: Any, depth: int = _USUAL_DEPTH, **more: Any) -> None:
        whole(trunk, *args, depth=min(depth, _BLOCKS), **more)
        trunk.blocks_left_out = depth - len(trunk.blocks)

    return init


def _parameters(model: Any) -> int:
    """Return how many parameters a model has, with those of blocks that were left out."""
    found = _count(model)
    left_out = getattr(model, "blocks_left_out", 0)
    if not left_out:
        return found
    rotations = _count(model.rope) // _BLOCKS if getattr(model, "rope_mixed", False) else 0
    return found + left_out * (_count(model.blocks[-1]) + rotations)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _entry(name: str, model: Any) -> Entry:
    config, reason = timm.get_pretrained_cfg(name), why_refused(model)
    pooling, norm = (None, None) if reason else read_out_of(name, model)
    return Entry(
        name=name,
        accepted=reason is None,
        reason=reason,
        parameters=_parameters(model),
        image_size=config.input_size[-1],
        licence=config.license,
        pooling=pooling,
        final_norm=norm,
    )
