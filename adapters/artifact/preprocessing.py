"""How images become pixels, as an artifact states it, and what one image may cost us.

Values alone: knows neither a decoder nor tensors.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Positive = Annotated[float, Field(gt=0)]


class Preprocessing(BaseModel):
    """How an upright RGB image becomes the backbone's input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resize: Literal["squash", "shorter"] = Field(
        description="squash: both sides to resize_size; shorter: the shorter side, keeping aspect"
    )
    resize_size: int = Field(ge=1, description="pixels")
    crop: int = Field(ge=1, description="side of the centre crop, in pixels")
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    mean: tuple[float, float, float] = Field(description="per channel, of pixels in [0, 1]")
    std: tuple[_Positive, _Positive, _Positive]


class ImageLimits(BaseModel):
    """What one image may cost us."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(20_000_000, ge=1, description="encoded size")
    max_pixels: int = Field(16_000_000, ge=1, description="width times height")
