"""What one image may cost us; a setting, so it loads neither torch nor a decoder."""

from pydantic import BaseModel, ConfigDict, Field


class ImageLimits(BaseModel):
    """What one image may cost us."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_bytes: int = Field(20_000_000, ge=1, description="encoded size")
    max_pixels: int = Field(50_000_000, ge=1, description="width times height")
