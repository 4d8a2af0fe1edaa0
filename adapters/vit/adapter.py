"""An adapter: what one task adds to the frozen backbone, in memory and immutable.

Knows nothing of files. Axis letters: L layers, P prompts, D width, C classes.
"""

from dataclasses import dataclass
from typing import Any, Literal

from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from adapters.artifact.backbone_spec import BackboneSpec, Sha256
from adapters.artifact.task import Task
from adapters.errors import ArtifactMismatch
from adapters.vit.pixels import Preprocessing


class AdapterMeta(BaseModel):
    """Everything about an adapter that is not a tensor; one JSON document in the artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    task: Task
    method: str = Field(min_length=1, description="such as spt-deep, spt-shallow, linear")
    init: str | None = Field(description="how the first prompts were made; None without prompts")
    backbone: BackboneSpec
    preprocessing: Preprocessing
    recipe: dict[str, Any] = Field(description="the resolved recipe of the training run")
    metrics: dict[str, float] = Field(description="such as test_accuracy, in [0, 1]")
    data_sha256: Sha256 = Field(description="digest of the training list and its images")
    seed: int
    created_at: str | None = Field(None, description="UTC, ISO 8601; our trainer leaves it out")
    code_version: str


@dataclass(frozen=True, eq=False)
class Adapter:
    """Prompts, head and meta of one task.

    Attributes:
        prompts: deep `[L, P, D]`, shallow `[1, P, D]`, or None for a bare linear head.
        head_weight: one row per class.
        head_bias: one number per class.
        meta: task, backbone, preprocessing and provenance.
    """

    prompts: Float[Tensor, "L P D"] | None
    head_weight: Float[Tensor, "C D"]
    head_bias: Float[Tensor, " C"]
    meta: AdapterMeta

    @property
    def num_parameters(self) -> int:
        """Number of trained parameters: prompts and head."""
        prompts = 0 if self.prompts is None else self.prompts.numel()
        return prompts + self.head_weight.numel() + self.head_bias.numel()

    @property
    def is_deep(self) -> bool:
        """Whether every block has prompts of its own."""
        return self.prompts is not None and self.prompts.shape[0] > 1

    def check_fits(self, backbone: BackboneSpec) -> None:
        """Refuse this adapter unless it was trained on exactly this trunk.

        Raises:
            ArtifactMismatch: naming every field that differs, with both values.
        """
        name = self.meta.task.id
        differences = self.meta.backbone.mismatches(backbone)
        if differences:
            raise ArtifactMismatch(
                f"{name}: trained on backbone {self.meta.backbone.name}, this service runs "
                f"{backbone.name} ({'; '.join(differences)}); ask the service of "
                f"{self.meta.backbone.name} or train {name} on {backbone.name}"
            )
        if self.meta.preprocessing.crop != backbone.image_size:
            raise ArtifactMismatch(
                f"{name}: its pixels are {self.meta.preprocessing.crop} wide, backbone "
                f"{backbone.name} takes {backbone.image_size}; train it again"
            )
