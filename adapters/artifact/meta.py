"""What an artifact states about its adapter: task, backbone, pixels and provenance."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from adapters.artifact.backbone_spec import BackboneSpec, Sha256
from adapters.artifact.calibration import Calibration
from adapters.artifact.preprocessing import Preprocessing
from adapters.artifact.samples import SampleImage
from adapters.artifact.target import MultiLabel, Ordinal, Regression, Target
from adapters.artifact.task import SINGLE_LABEL, TargetKind, Task
from adapters.artifact.unknown import UnknownRule
from adapters.errors import ArtifactMismatch


class AdapterMeta(BaseModel):
    """Everything about an adapter that is not a tensor; one JSON document in the artifact.

    Readers ignore fields that they do not know, but not those of the backbone, the preprocessing
    and the target, which decide what the adapter computes and what its logits stand for. Version 2
    is of artifacts with a target: readers of before it would take their softmax, and so refuse it.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Literal[1, 2] = 1
    task: Task
    method: str = Field(min_length=1, description="such as spt-deep, spt-shallow, linear")
    init: str | None = Field(description="how the first prompts were made; None without prompts")
    first_block: int = Field(
        0,
        ge=0,
        exclude_if=lambda block: block == 0,  # the bytes of other adapters stay as they are
        description="with deep prompts: how many blocks come before the first that has any",
    )
    backbone: BackboneSpec
    preprocessing: Preprocessing
    recipe: dict[str, Any] = Field(description="the resolved recipe of the training run")
    metrics: dict[str, float] = Field(description="such as test_accuracy")
    calibration: Calibration | None = Field(
        None,
        exclude_if=lambda found: found is None,  # the bytes of other adapters stay as they are
        description="None: scores are the plain softmax",
    )
    unknown: UnknownRule | None = Field(
        None,
        exclude_if=lambda rule: rule is None,  # likewise
        description="None: every image is taken for one of the classes",
    )
    target: Target | None = Field(
        None,
        exclude_if=lambda target: target is None,  # likewise
        description="None: single-label, every image has one class",
    )
    class_groups: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(
        None,
        exclude_if=lambda groups: groups is None,  # likewise
        description="of each class, in label order: the group that its probability counts for",
    )
    card: str | None = Field(
        None,
        exclude_if=lambda card: card is None,  # likewise
        description="model card, in Markdown",
    )
    samples: tuple[SampleImage, ...] = Field(
        (),
        exclude_if=lambda samples: not samples,  # likewise
        description="small training images, each of another class, for people to look at",
    )
    data_sha256: Sha256 = Field(
        description="digest of the training list and its images; of a head that was trained "
        "elsewhere, of its file"
    )
    seed: int
    created_at: str | None = Field(None, description="UTC, ISO 8601; our trainer leaves it out")
    code_version: str

    @model_validator(mode="after")
    def _has_blocks_with_prompts(self) -> "AdapterMeta":
        most = 0 if self.init is None else max(0, self.backbone.depth - 2)
        if self.first_block > most:
            raise ValueError(
                f"first_block is {self.first_block}, at most {most} leaves two blocks with prompts"
            )
        return self

    @model_validator(mode="after")
    def _has_a_fitting_target(self) -> "AdapterMeta":
        target, classes = self.target, len(self.task.class_names)
        if self.schema_version != schema_of(target):
            raise ValueError(
                f"schema_version is {self.schema_version}, expected {schema_of(target)} for "
                f"target {self.target_kind}"
            )
        match target:
            case MultiLabel():
                _check_count("thresholds", len(target.thresholds), classes)
            case Ordinal():
                _check_count("values", len(target.values), classes)
            case Regression():
                _check_count("outputs", 1, classes)
        if target is not None and self.unknown is not None:
            raise ValueError(
                f"there is a rule for unknown images, and the target is {self.target_kind}"
            )
        return self

    @model_validator(mode="after")
    def _has_a_group_for_each_class(self) -> "AdapterMeta":
        if self.class_groups is not None:
            if isinstance(self.target, MultiLabel | Regression):
                raise ValueError(
                    f"there are groups of classes, and the target is {self.target_kind}"
                )
            _check_count("groups", len(self.class_groups), len(self.task.class_names))
        return self

    @property
    def target_kind(self) -> TargetKind:
        """What is learned of an image."""
        return SINGLE_LABEL if self.target is None else self.target.kind

    @property
    def needs_logits(self) -> bool:
        """Whether an answer needs all logits, not the best classes of the softmax alone."""
        return any(part is not None for part in (self.unknown, self.target, self.class_groups))

    @property
    def temperature(self) -> float:
        """What logits are divided by before the softmax or sigmoid; 1 without a calibration."""
        return 1.0 if self.calibration is None else self.calibration.temperature

    def check_fits(self, backbone: BackboneSpec) -> None:
        """Refuse what was not trained on exactly this trunk.

        Raises:
            ArtifactMismatch: naming every field that differs, with both values.
        """
        name, trained_on = self.task.id, self.backbone.name
        differences = self.backbone.mismatches(backbone)
        if differences:
            raise ArtifactMismatch(
                f"{name}: trained on backbone {trained_on}, this service runs {backbone.name} "
                f"({'; '.join(differences)}); ask the service of {trained_on} or train {name} on "
                f"{backbone.name}"
            )
        if self.preprocessing.crop != backbone.image_size:
            raise ArtifactMismatch(
                f"{name}: its pixels are {self.preprocessing.crop} wide, backbone "
                f"{backbone.name} takes {backbone.image_size}; train it again"
            )


def schema_of(target: Target | None) -> Literal[1, 2]:
    """Return the schema version of an artifact with this target."""
    return 1 if target is None else 2


def _check_count(what: str, found: int, classes: int) -> None:
    if found != classes:
        raise ValueError(f"{found} {what} for {classes} classes")
