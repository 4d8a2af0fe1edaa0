"""Where a backbone comes from, as far as timm knows it."""

from typing import NamedTuple

import timm

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.vit.families import architecture_of


class Origin(NamedTuple):
    """What is known of a checkpoint by its name; None where nothing is.

    Attributes:
        licence: as its publisher names it.
        hub: its repository on Hugging Face's hub.
    """

    licence: str | None
    hub: str | None


def origin_of(name: str) -> Origin:
    """Return the origin of a backbone by its name; the embedded one has this package's licence."""
    if name == EMBEDDED:
        return Origin("apache-2.0", None)
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:  # timm has the architecture, and no such checkpoint
        config = None
    if config is None or architecture_of(name) == name:  # its weights may be anybody's
        return Origin(None, None)
    is_timms = str(config.hf_hub_id or "").rstrip("/") == "timm"
    return Origin(config.license, f"timm/{name}" if is_timms else config.hf_hub_id)
