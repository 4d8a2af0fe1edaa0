"""How images become pixels, as an artifact states it, and what one image may cost us.

Values alone: knows neither a decoder nor tensors.

The rule for pixels, version 1: decode to upright 8-bit RGB; resize in integers, one axis after the
other (`adapters.images.weights` has the numbers, `adapters.images.crop` the order); cut the centre;
`(x / 255 - mean) / std` in float32.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

_Positive = Annotated[float, Field(gt=0)]

DecoderName = Literal["pillow", "draft"]
"""pillow: every pixel of the file; draft: of a JPEG, pixels from half, a quarter or an eighth of
its resolution, the least that is no smaller than the resized image."""

FIRST_RULE: Final = 1
WHOLE: Final = "pillow"


class Preprocessing(BaseModel):
    """How an upright RGB image becomes the backbone's input.

    What an artifact of before these fields does not say has their default, and is not written, so
    that its bytes stay what they are. A reader that does not know a rule or a decoder refuses it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resize: Literal["squash", "shorter"] = Field(
        description="squash: both sides to resize_size; shorter: the shorter side, keeping aspect"
    )
    resize_size: int = Field(ge=1, description="pixels")
    crop: int = Field(ge=1, description="side of the centre crop, in pixels")
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    mean: tuple[float, float, float] = Field(description="per channel, of pixels in [0, 1]")
    std: tuple[_Positive, _Positive, _Positive]
    rule_version: Literal[1] = Field(
        FIRST_RULE, description="of the rule for pixels", exclude_if=lambda v: v == FIRST_RULE
    )
    decoder: DecoderName = Field(
        WHOLE, description="whose pixels a file has", exclude_if=lambda v: v == WHOLE
    )


class ImageLimits(BaseModel):
    """What one image may cost us."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(20_000_000, ge=1, description="encoded size")
    max_pixels: int = Field(16_000_000, ge=1, description="width times height")
