"""A recipe: everything that decides one training run. Defaults are the paper's (4.1)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from adapters.artifact.backbone_spec import EMBEDDED, FinalNorm, Pooling
from adapters.artifact.bounds import MAX_PROMPTS_PUBLISHED
from adapters.artifact.preprocessing import WHOLE, DecoderName
from adapters.artifact.task import SINGLE_LABEL, TargetKind, TaskId
from adapters.artifact.unknown import ScoreName
from adapters.vit.families import Triple
from trainer.methods.table import DEFAULT_METHOD, METHODS

_Positive = Annotated[float, Field(gt=0)]
_Value = TypeVar("_Value")


def _added(default: _Value, **rules: Any) -> _Value:
    """Return a field that is left out at its default: recipes of before it stay as they were."""
    field: _Value = Field(default, exclude_if=lambda value: value == default, **rules)
    return field


def overlay(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return a tree of settings with those of `over` in place of those under them."""
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(under.get(key), dict)
        merged[key] = overlay(under[key], value) if both else value
    return merged


def flat_settings(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of a nested document under its dotted key."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat_settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _check_method(name: str) -> str:
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}; expected one of {', '.join(METHODS)}")
    return name


PromptInit = Literal[
    "random",
    "kmeans",
    "mean",
    "max",
    "uniform",
    "first-layer",
    "last-layer",
    "rescaled",
    "vipamin",
    "mpa",
]
"""How the first prompts are made, see `trainer/inits/`."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PromptRecipe(_Part):
    """The prompts and how they start (paper 3.3, 3.4)."""

    num_tokens: int = Field(
        20, ge=1, le=MAX_PROMPTS_PUBLISHED, description="P; the paper's 20 deep, 100 shallow"
    )
    first_block: int = Field(
        0,
        ge=0,
        exclude_if=lambda block: block == 0,  # what is of earlier recipes stays as it is
        description="deep prompts begin at this block, from 0; those before it are not changed",
    )
    init: PromptInit = Field("random", description="how the first prompts are made")
    init_images: int | None = Field(
        None, ge=1, description="training images to start from; None is 64, or all for kmeans"
    )
    init_proportion: float | None = Field(
        None, gt=0, le=1, description="the same as a share of the training images"
    )
    init_task: TaskId | None = Field(None, description="start from another task's images")
    init_data: Path | None = Field(None, description="where that task's images are")
    layer0_position: bool = Field(
        True,
        description="layer 0 tokens carry the position embedding (paper), or not (code)",
    )
    pool_over: Literal["batch", "image"] = Field(
        "batch", description="mean and max over the whole batch (paper), or per image (code)"
    )
    outliers: Literal["keep", "leave-out"] = Field(
        "keep", description="tokens of outlying norm in k-means, see OUTLIER_NORM"
    )
    match_tokens: int = Field(
        8,
        ge=1,
        exclude_if=lambda count: count == 8,  # what is of earlier recipes stays as it is
        description="vipamin: patch tokens that a prompt starts as the mean of",
    )
    orthogonal_share: float = Field(
        0.1,
        ge=0,
        le=1,
        exclude_if=lambda share: share == 0.1,  # likewise
        description="vipamin: share of the directions that no token has",
    )
    frozen: bool = Field(False, description="only the head is trained (paper, Table 4a)")
    fourier_share: float = Field(
        0.5,
        ge=0,
        le=1,
        exclude_if=lambda share: share == 0.5,  # likewise
        description="VFPT: how many of a block's prompts are transformed",
    )
    dropout: float = _added(
        0.0,
        ge=0,
        lt=1,
        description="share of the prompts' numbers that are 0 in a training step, drawn for each "
        "image (VPT)",
    )

    @model_validator(mode="after")
    def _one_amount(self) -> "PromptRecipe":
        if self.init_images is not None and self.init_proportion is not None:
            raise ValueError("expected init_images or init_proportion, found both; drop one")
        return self


class OptimRecipe(_Part):
    """The optimiser, with one weight decay for the method's parts and another for the head."""

    name: Literal["adamw", "sgd"] = _added(
        "adamw", description="sgd: with momentum, its decay added to the gradient, as in torch"
    )
    momentum: float = _added(0.9, ge=0, lt=1, description="of sgd")
    epochs: int = Field(100, ge=1, description="passes over the training images")
    patience: int | None = _added(
        None,
        ge=1,
        description="stop after as many epochs without a better validation accuracy; None: never",
    )
    warmup_epochs: float = Field(10, ge=0, description="linear warm-up from 0")
    batch_size: int = Field(32, ge=1, description="images of a step")
    lr: float = Field(5e-3, gt=0, description="peak learning rate")
    head_lr: float | None = Field(
        None, gt=0, description="peak learning rate of the head alone; None is lr"
    )
    weight_decay: float = Field(1e-2, ge=0, description="of prompts, or what else is trained")
    head_weight_decay: float = Field(0.5, ge=0, description="of head.weight; never of its bias")
    logit_adjustment: float = Field(
        0.0,
        ge=0,
        exclude_if=lambda tau: tau == 0,  # what is of earlier recipes stays as it is
        description="tau: in the loss, tau times the log share of its class is added to each "
        "logit, for classes of very unequal size; 0 is off, 1 usual (Menon et al. 2021)",
    )
    head_start: Literal["random", "fitted"] = Field(
        "random", description="fitted: logistic regression under the first prompts"
    )
    label_smoothing: float = _added(
        0.0, ge=0, lt=1, description="share of each label that is spread over all classes"
    )
    clip_norm: float | None = _added(
        None, gt=0, description="largest norm of all gradients together; None: any"
    )
    drop_path: float = _added(
        0.0,
        ge=0,
        lt=1,
        description="how often the last block's branches are left out for an image in a training "
        "step; growing from 0 in the first block",
    )
    ema: float | None = _added(
        None,
        gt=0,
        lt=1,
        description="decay of an average of the weights over steps, which is scored and published "
        "in their place; None: no average",
    )

    @model_validator(mode="after")
    def _momentum_is_of_sgd(self) -> "OptimRecipe":
        if self.name != "sgd" and self.momentum != 0.9:
            raise ValueError(
                f"optim.momentum is for sgd, found optim.name={self.name}; leave it out, or set "
                "optim.name=sgd"
            )
        return self


class PixelRecipe(_Part):
    """How training and test images become pixels."""

    resize: Literal["squash", "shorter"] = Field("squash", description="see Preprocessing")
    resize_size: int | None = Field(None, ge=1, description="pixels; None is the backbone's size")
    mean: Triple | None = Field(
        None, description="of each channel; None is the checkpoint family's"
    )
    std: tuple[_Positive, _Positive, _Positive] | None = Field(None, description="likewise")
    decoder: DecoderName = Field(
        WHOLE, description="draft decodes a JPEG at the least resolution that is enough"
    )
    augment: Literal["none", "crop-flip"] = Field(
        "none", description="crop-flip: random resized crop and horizontal flip, training only"
    )


class DataRecipe(_Part):
    """Which images are trained and scored on."""

    skip_unreadable: bool = Field(
        False, description="leave out files that cannot be read, in place of refusing them"
    )
    shots: int | None = Field(
        None,
        ge=1,
        exclude_if=lambda shots: shots is None,  # what is of earlier recipes stays as it is
        description="training images of each class, drawn by the seed; None is all",
    )
    sampling: Literal["uniform", "balanced"] = Field(
        "uniform",
        exclude_if=lambda sampling: sampling == "uniform",  # likewise
        description="balanced: an epoch draws every class as often, with replacement",
    )
    label_separator: str | None = Field(
        None,
        min_length=1,
        exclude_if=lambda text: text is None,  # likewise
        description="multi-label: between the names of a label; None is '|'",
    )
    class_order: tuple[str, ...] = Field(
        (),
        exclude_if=lambda names: not names,  # likewise
        description="ordinal: the classes from the lowest to the highest; none if all are numbers",
    )
    class_groups: Path | None = Field(
        None,
        exclude_if=lambda path: path is None,  # likewise
        description="CSV with the columns class and group; answers have the groups' scores",
    )


class UnknownRecipe(_Part):
    """Whether the task says of images that they are none of its classes, and when."""

    score: Literal["off"] | ScoreName = Field(
        "off", description="what is compared with a threshold"
    )
    share: float = Field(
        0.05, ge=0, lt=1, description="of validation images that the threshold rejects"
    )
    other_task: TaskId | None = Field(
        None, description="the report tells how well its test images are told from this task's"
    )
    other_data: Path | None = Field(None, description="where that task's images are")

    @model_validator(mode="after")
    def _has_a_score(self) -> "UnknownRecipe":
        if self.other_task is not None and self.score == "off":
            raise ValueError("expected a score for other_task, found off; set unknown.score")
        return self


class ComputeRecipe(_Part):
    """How the same training is computed."""

    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: products in bfloat16 by autocast, sums in float32"
    )
    compile: bool = Field(False, description="compile the forward pass first")
    accumulate: int = _added(
        1,
        ge=1,
        description="parts of a batch that are computed one after the other, for less memory; "
        "their gradients add up to those of the batch",
    )
    checkpoint: bool = _added(
        False,
        description="compute each block again on the way back, for less memory; methods with "
        "prompts that are served",
    )


class ReportRecipe(_Part):
    """What is measured while training, besides the loss; none of it changes the result."""

    nmi_images: int = Field(0, ge=0, description="validation images for NMI after each epoch")
    test_each_epoch: bool = Field(
        False, description="also score the test set each epoch, as the official code does"
    )
    tensorboard: bool = Field(False, description="log to the run folder's tensorboard/")
    wandb: str | None = _added(
        None, min_length=1, description="project of Weights & Biases that is told of the run"
    )
    mlflow: str | None = _added(
        None, min_length=1, description="experiment of MLflow that is told of the run"
    )
    licence: str | None = _added(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description="of the adapter, as its card names it, such as apache-2.0; None: not stated",
    )


class Recipe(_Part):
    """Everything that decides one training run."""

    task: TaskId
    backbone: str = Field(EMBEDDED, description="timm name of a ViT, see `spt backbones`")
    weights: Path | None = Field(None, description="local checkpoint of the backbone")
    image_size: int | None = Field(
        None, ge=1, description="side of the backbone's input in pixels; None is its own"
    )
    pooling: Pooling | None = Field(None, description="None is the checkpoint family's")
    final_norm: FinalNorm | None = Field(None, description="None is the checkpoint family's")
    method: Annotated[str, AfterValidator(_check_method)] = Field(
        DEFAULT_METHOD, description="what is trained besides the head"
    )
    select: Literal["last", "best-validation"] = Field(
        "last", description="which epoch's weights are kept; the test set never decides"
    )
    target: TargetKind = Field(
        SINGLE_LABEL,
        exclude_if=lambda kind: kind == SINGLE_LABEL,  # what is of earlier recipes stays as it is
        description="what is learned of an image: one class, any number of them, a number, or one "
        "of ordered classes",
    )
    seed: int = Field(0, ge=0, description="of first weights, order and other draws")
    data_proportion: float = Field(1.0, gt=0, le=1, description="share of the training images")
    data: DataRecipe = DataRecipe()
    prompt: PromptRecipe = PromptRecipe()
    optim: OptimRecipe = OptimRecipe()
    pixels: PixelRecipe = PixelRecipe()
    unknown: UnknownRecipe = Field(
        UnknownRecipe(),
        exclude_if=lambda part: part == UnknownRecipe(),  # what is of earlier recipes stays
    )
    compute: ComputeRecipe = ComputeRecipe()
    report: ReportRecipe = ReportRecipe()

    @model_validator(mode="before")
    @classmethod
    def _start_from_the_method(cls, tree: dict[str, Any]) -> dict[str, Any]:
        method = METHODS.get(str(tree.get("method", DEFAULT_METHOD)))
        return tree if method is None else overlay(method.defaults, tree)

    @model_validator(mode="after")
    def _one_way_for_long_tails(self) -> "Recipe":
        if self.optim.logit_adjustment and self.data.sampling == "balanced":
            raise ValueError(
                "expected optim.logit_adjustment or data.sampling=balanced, found both, which "
                "would favour rare classes twice; drop one"
            )
        return self

    @model_validator(mode="after")
    def _first_block_of_deep_prompts(self) -> "Recipe":
        method = METHODS[self.method]
        if self.prompt.first_block and not method.can_begin_later:
            able = ", ".join(name for name, one in METHODS.items() if one.can_begin_later)
            raise ValueError(
                f"prompt.first_block is for {able}, found method {self.method}; "
                "leave it out, or choose one of them"
            )
        return self

    @model_validator(mode="after")
    def _fits_the_target(self) -> "Recipe":
        has_classes = self.target in (SINGLE_LABEL, "ordinal")
        is_asked = {
            f"method={self.method}": (METHODS[self.method].needs_classes, has_classes),
            "unknown.score": (self.unknown.score != "off", self.target == SINGLE_LABEL),
            "data.label_separator": (
                self.data.label_separator is not None, self.target == "multi-label",
            ),
            "data.class_order": (bool(self.data.class_order), self.target == "ordinal"),
            "data.class_groups": (self.data.class_groups is not None, has_classes),
            "data.shots": (self.data.shots is not None, has_classes),
            "data.sampling": (self.data.sampling != "uniform", has_classes),
            "optim.logit_adjustment": (self.optim.logit_adjustment > 0, has_classes),
            "optim.label_smoothing": (self.optim.label_smoothing > 0, has_classes),
            "optim.head_start": (self.optim.head_start != "random", has_classes),
            "report.test_each_epoch": (self.report.test_each_epoch, has_classes),
        }  # fmt: skip
        for key, (is_set, does_fit) in is_asked.items():
            if is_set and not does_fit:
                raise ValueError(
                    f"{key} is not for target {self.target}; leave it as it is by default, or "
                    "choose another target"
                )
        return self

    @model_validator(mode="after")
    def _prompts_act_in_the_trunks_own_blocks(self) -> "Recipe":
        method = METHODS[self.method]
        asked = {
            "prompt.dropout": self.prompt.dropout > 0,
            "compute.checkpoint": self.compute.checkpoint,
        }
        key = next((key for key, is_asked in asked.items() if is_asked), None)
        if key is not None and not (method.prompts and method.is_served):
            raise ValueError(
                f"{key} is for methods with prompts that are served, such as spt-deep, found "
                f"{self.method}; leave it out, or choose one of them"
            )
        return self

    @property
    def num_prompts(self) -> int:
        """P, the number of prompt tokens of a block; 0 for a method without prompts."""
        return self.prompt.num_tokens if METHODS[self.method].prompts else 0

    def provenance(self) -> dict[str, Any]:
        """Return what an artifact says of its training: all but the places of files."""
        return self.model_dump(
            mode="json",
            exclude={
                "weights": True,
                "prompt": {"init_data"},
                "unknown": {"other_data"},
                "data": {"class_groups"},
            },
        )
