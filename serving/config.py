"""What the service is told, parsed once from TorchServe's model-config.yaml and the environment."""

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.preprocess import ImageLimits
from adapters.spec import EMBEDDED
from serving.errors import ConfigError


class ServingConfig(BaseModel):
    """Settings of one service: one backbone, one store, one device."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = EMBEDDED
    weights: Path | None = Field(None, description="local checkpoint of the backbone")
    store: Path = Field(Path("runs/store"), description="folder of the adapter store")
    redis_url: str | None = Field(None, description="from REDIS_URL; None serves without Redis")
    bank_bytes: int = Field(1 << 30, ge=1, description="memory for resident adapters")
    max_batch: int = Field(32, ge=1, description="rows of one forward; larger batches are split")
    decode_threads: int = Field(2, ge=1)
    image_limits: ImageLimits = ImageLimits()


def load_config(settings: dict[str, Any], folder: Path) -> ServingConfig:
    """Parse the `spt:` section of model-config.yaml.

    Args:
        settings: the section; unknown keys are refused.
        folder: where the file lies; relative paths in it start there.

    Raises:
        ConfigError: naming each wrong key.
    """
    try:
        config = ServingConfig(**settings, redis_url=os.environ.get("REDIS_URL"))
    except (ValidationError, TypeError) as error:
        raise ConfigError(
            f"model-config.yaml, section spt: {error}; see serving/config.py for the keys"
        ) from error
    paths = {
        name: (folder / value).resolve()
        for name in ("store", "weights")
        if (value := getattr(config, name)) is not None
    }
    return config.model_copy(update=paths)
