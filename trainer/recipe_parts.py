"""The parts of a recipe: data, prompts, optimiser, pixels and the rest, each with its rules."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from adapters.artifact.bounds import MAX_PROMPTS_PUBLISHED
from adapters.artifact.preprocessing import WHOLE, DecoderName
from adapters.artifact.samples import MAX_SAMPLES
from adapters.artifact.task import TaskId
from adapters.artifact.unknown import ScoreName
from adapters.vit.families import Triple

Positive = Annotated[float, Field(gt=0)]
_Value = TypeVar("_Value")


def added(default: _Value, **rules: Any) -> _Value:
    """Return a field that is left out at its default: recipes of before it stay as they were."""
    field: _Value = Field(default, exclude_if=lambda value: value == default, **rules)
    return field


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


class Part(BaseModel):
    """Frozen settings; a key that is none is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PromptRecipe(Part):
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
    replacement: bool = added(False, description="a token may be drawn more than once (code)")
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
    dropout: float = added(
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


class TuningRecipe(Part):
    """What some methods without prompts may do in another way."""

    num_flows: int = added(
        1, ge=0, le=64, description="snf: planar flows of a shortcut, after its affine map"
    )
    dropout: float = added(
        0.0,
        ge=0,
        lt=1,
        description="lora: share of the numbers before `down` that are 0 in a training step; "
        "0.1 in NOAH",
    )
    uncentred: bool = added(
        False,
        description="moment-probing: moments about one mean a head (code), not about each "
        "channel's (paper)",
    )
    zero_start: bool = added(
        False,
        description="adapter: both matrices start at zero (VPT's code), from where only a bias a "
        "block ever learns",
    )


class OptimRecipe(Part):
    """The optimiser, with one weight decay for the method's parts and another for the head."""

    name: Literal["adamw", "sgd"] = added(
        "adamw", description="sgd: with momentum, its decay added to the gradient, as in torch"
    )
    momentum: float = added(0.9, ge=0, lt=1, description="of sgd")
    epochs: int = Field(100, ge=1, description="passes over the training images")
    patience: int | None = added(
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
    decay: Literal["matrices", "all"] = added(
        "matrices",
        description="all: vectors decay as the rest of the method's parts, but the head's bias",
    )
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
    head_std: float = added(
        0.02, gt=0, description="deviation of the head's first weights, where they are random"
    )
    label_smoothing: float = added(
        0.0, ge=0, lt=1, description="share of each label that is spread over all classes"
    )
    clip_norm: float | None = added(
        None, gt=0, description="largest norm of all gradients together; None: any"
    )
    drop_path: float = added(
        0.0,
        ge=0,
        lt=1,
        description="how often the last block's branches are left out for an image in a training "
        "step; growing from 0 in the first block",
    )
    ema: float | None = added(
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


class PixelRecipe(Part):
    """How training and test images become pixels."""

    resize: Literal["squash", "shorter"] = Field("squash", description="see Preprocessing")
    resize_size: int | None = Field(None, ge=1, description="pixels; None is the backbone's size")
    interpolation: Literal["bilinear", "bicubic"] = added(
        "bicubic", description="how images are resized"
    )
    mean: Triple | None = Field(
        None, description="of each channel; None is the checkpoint family's"
    )
    std: tuple[Positive, Positive, Positive] | None = Field(None, description="likewise")
    decoder: DecoderName = Field(
        WHOLE, description="draft decodes a JPEG at the least resolution that is enough"
    )
    augment: Literal["none", "crop-flip", "shift-flip"] = Field(
        "none",
        description="training only; crop-flip: random resized crop and horizontal flip; "
        "shift-flip: a random place of the crop in the resized image, and the flip",
    )


class DataRecipe(Part):
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
    train_on: Literal["train", "train-and-val"] = added(
        "train",
        description="train-and-val: the validation images are training images, too, once nothing "
        "is left to choose, as the papers train on VTAB's 1,000",
    )
    class_groups: Path | None = Field(
        None,
        exclude_if=lambda path: path is None,  # likewise
        description="CSV with the columns class and group; answers have the groups' scores",
    )


class UnknownRecipe(Part):
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


class ComputeRecipe(Part):
    """How the same training is computed."""

    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="bfloat16: products in bfloat16 by autocast, sums in float32"
    )
    compile: bool = Field(False, description="compile the forward pass first")
    accumulate: int = added(
        1,
        ge=1,
        description="parts of a batch that are computed one after the other, for less memory; "
        "their gradients add up to those of the batch",
    )
    checkpoint: bool = added(
        False,
        description="compute each block again on the way back, for less memory; methods with "
        "prompts that are served",
    )


class ReportRecipe(Part):
    """What is measured while training, besides the loss; none of it changes the result."""

    nmi_images: int = Field(0, ge=0, description="validation images for NMI after each epoch")
    test_each_epoch: bool = Field(
        False, description="also score the test set each epoch, as the official code does"
    )
    tensorboard: bool = Field(False, description="log to the run folder's tensorboard/")
    wandb: str | None = added(
        None, min_length=1, description="project of Weights & Biases that is told of the run"
    )
    mlflow: str | None = added(
        None, min_length=1, description="experiment of MLflow that is told of the run"
    )
    licence: str | None = added(
        None,
        pattern=r"^[a-z0-9][a-z0-9.-]*$",
        description="of the adapter, as its card names it, such as apache-2.0; None: not stated",
    )
    samples: int = added(
        0,
        ge=0,
        le=MAX_SAMPLES,
        description="small training images in the artifact, each of another class; anyone who may "
        "ask the task can see them",
    )
