"""A recipe: everything that decides one training run. Defaults are the paper's (4.1)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from adapters.artifact.backbone_spec import EMBEDDED, FinalNorm, Pooling
from adapters.artifact.task import SINGLE_LABEL, TargetKind, TaskId
from trainer.methods.table import DEFAULT_METHOD, METHODS
from trainer.recipe_parts import (
    ComputeRecipe,
    DataRecipe,
    OptimRecipe,
    Part,
    PixelRecipe,
    PromptRecipe,
    ReportRecipe,
    TuningRecipe,
    UnknownRecipe,
    added,
)


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


class Recipe(Part):
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
    protocol: Literal["own", "published"] = added(
        "own",
        description="published: what the method's authors trained with on a public task, as far "
        "as it is had, under what else is set",
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
    tuning: TuningRecipe = Field(
        TuningRecipe(),
        exclude_if=lambda part: part == TuningRecipe(),  # what is of earlier recipes stays
    )
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
    def _nothing_chosen_by_images_trained_on(self) -> "Recipe":
        chosen = {
            "select=best-validation": self.select != "last",
            "optim.patience": self.optim.patience is not None,
            "unknown.score": self.unknown.score != "off",
        }
        key = next((key for key, is_set in chosen.items() if is_set), None)
        if key is not None and self.data.train_on != "train":
            raise ValueError(
                f"{key} chooses by the validation images, which data.train_on={self.data.train_on} "
                "trains on; drop one"
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
            "prompt.init=mpa": (self.prompt.init == "mpa", has_classes),
            "unknown.score": (self.unknown.score != "off", self.target == SINGLE_LABEL),
            "data.label_separator": (
                self.data.label_separator is not None, self.target == "multi-label",
            ),
            "data.class_order": (bool(self.data.class_order), self.target == "ordinal"),
            "data.class_groups": (self.data.class_groups is not None, has_classes),
            "data.shots": (self.data.shots is not None, has_classes),
            "data.sampling": (self.data.sampling != "uniform", has_classes),
            "data.train_on": (self.data.train_on != "train", self.target == SINGLE_LABEL),
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

    @model_validator(mode="after")
    def _tuning_is_of_the_method(self) -> "Recipe":
        for name in sorted(self.tuning.model_dump(exclude_defaults=True)):
            key = f"tuning.{name}"
            able = ", ".join(one for one, method in METHODS.items() if key in method.options)
            if key not in METHODS[self.method].options:
                raise ValueError(
                    f"{key} is for method {able}, found {self.method}; leave it out, or choose it"
                )
        return self

    @property
    def method_options(self) -> dict[str, Any]:
        """What the method alone takes, by the last word of its key."""
        keys = (key.split(".") for key in METHODS[self.method].options)
        return {name: getattr(getattr(self, part), name) for part, name in keys}

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
