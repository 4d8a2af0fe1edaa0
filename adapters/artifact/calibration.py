"""How a task's logits become scores that mean what they say: one temperature, and what it is worth.

See Guo et al., "On Calibration of Modern Neural Networks", 2017.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

MIN_TEMPERATURE: Final = 0.01
MAX_TEMPERATURE: Final = 100.0

_Error = Annotated[float, Field(ge=0, le=1)]


class Calibration(BaseModel):
    """A temperature that was fitted on a task's validation images.

    The errors are expected calibration errors of those images, in 15 bins of equal width: of the
    best class, or, for a multi-label task, of every class of every image.
    """

    model_config = ConfigDict(frozen=True)

    temperature: float = Field(
        ge=MIN_TEMPERATURE,
        le=MAX_TEMPERATURE,
        description="logits are divided by it before the softmax or sigmoid",
    )
    images: int = Field(ge=1, description="validation images that it was fitted on")
    error_before: _Error = Field(description="of scores without the temperature")
    error_after: _Error = Field(description="of scores with it")
