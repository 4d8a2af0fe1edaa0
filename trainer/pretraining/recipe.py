"""Everything that decides one pre-training run of the embedded backbone."""

from pydantic import BaseModel, ConfigDict, Field


class PretrainRecipe(BaseModel):
    """Everything that decides one pre-training run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(18, ge=1, description="passes over the training images")
    batch_size: int = Field(256, ge=1)
    lr: float = Field(1.5e-3, gt=0, description="peak learning rate of AdamW")
    weight_decay: float = Field(0.05, ge=0)
    warmup_epochs: float = Field(1.0, ge=0)
    mask_ratio: float = Field(0.75, gt=0, lt=1)
    min_crop: float = Field(0.3, gt=0, le=1, description="least side of a random crop")
    seed: int = 0
