"""What says that the device is lost for this process, and one row of nothing to find out."""

import logging
import threading
from typing import Final

import torch

from serving.errors import DeviceLost
from serving.trunk.backend import Backend, Example
from serving.trunk.blank import blank_prompts

_WORDS: Final = ("cuda error:", "cuda failure ")
"""What an error says of it that has no class of its own for it."""

_MEMORY: Final = "out of memory"
"""Passes when something is evicted; it is `serving.inference.out_of_memory` that does it."""

_told = threading.Event()
_log = logging.getLogger(__name__)


def named(error: Exception) -> Exception:
    """Return `DeviceLost` for an error that says so, and any other as it is.

    The first is logged with its traceback; those that follow say the same.
    """
    if not _is_lost(error):
        return error
    if not _told.is_set():
        _told.set()
        _log.critical("the device is lost: %s", error, exc_info=error)
    return DeviceLost("the device is lost and the service begins anew; ask again in a moment")


def probe(backend: Backend, example: Example) -> None:
    """Compute one row of nothing, and wait for it.

    Args:
        backend: whose device is asked.
        example: a kind of batch that it is warm for.

    Raises:
        DeviceLost: the device is.
        Exception: whatever else the forward met.
    """
    backbone, size = backend.backbone, backend.backbone.spec.image_size
    try:
        with torch.inference_mode():
            prompts = blank_prompts(
                backbone, example.form, 1, example.num_prompts, backend.key_alignment
            )
            backend.features(example.form, torch.zeros(1, 3, size, size), prompts).tolist()
    except Exception as error:
        raise named(error) from error


def _is_lost(error: Exception) -> bool:
    said = str(error).lower()
    if not isinstance(error, RuntimeError) or _MEMORY in said:
        return False
    return isinstance(error, torch.AcceleratorError) or any(word in said for word in _WORDS)
