"""A recipe: everything that decides one training run.

Defaults are the paper's (4.1). A file `recipes/<task>.toml` holds only what differs for a task;
`--set optim.lr=1e-3` on the command line comes last.
"""

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.spec import EMBEDDED, Pooling
from adapters.task import TaskId
from trainer.errors import RecipeError

Method = Literal["spt-deep", "spt-shallow", "linear"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PromptRecipe(_Part):
    """The prompts and how they start."""

    num_tokens: int | None = Field(
        None, ge=1, description="P; None takes the paper's 20 deep, 100 shallow"
    )
    init: Literal["random"] = Field("random", description="PromptInit, see inits.py")
    init_images: int = Field(64, ge=1, description="training images whose tokens are sampled")


class OptimRecipe(_Part):
    """AdamW with one weight decay for prompts and another for the head."""

    epochs: int = Field(100, ge=1)
    warmup_epochs: float = Field(10, ge=0, description="linear warm-up from 0")
    batch_size: int = Field(32, ge=1)
    lr: float = Field(5e-3, gt=0, description="peak learning rate")
    prompt_lr: float | None = Field(
        None, gt=0, description="peak learning rate of the prompts alone; None is lr"
    )
    prompt_weight_decay: float = Field(1e-2, ge=0)
    head_start: Literal["random", "fitted"] = Field(
        "random", description="fitted: logistic regression under the first prompts"
    )
    head_weight_decay: float = Field(0.5, ge=0, description="of head.weight; never of its bias")


class PixelRecipe(_Part):
    """How training and test images become pixels."""

    resize: Literal["squash", "shorter"] = Field("squash", description="see Preprocessing")
    resize_size: int | None = Field(None, ge=1, description="pixels; None is the backbone's size")
    augment: Literal["none", "crop-flip"] = Field(
        "none", description="crop-flip: random resized crop and horizontal flip, training only"
    )


class Recipe(_Part):
    """Everything that decides one training run."""

    task: TaskId
    backbone: str = EMBEDDED
    weights: Path | None = Field(None, description="local checkpoint of the backbone")
    pooling: Pooling | None = Field(None, description="None is the checkpoint family's")
    method: Method = "spt-deep"
    select: Literal["last", "best-validation"] = Field(
        "last", description="which epoch's weights are kept; the test set never decides"
    )
    seed: int = Field(0, ge=0)
    prompt: PromptRecipe = PromptRecipe()
    optim: OptimRecipe = OptimRecipe()
    pixels: PixelRecipe = PixelRecipe()

    @property
    def num_prompts(self) -> int:
        """P, the number of prompt tokens of a block; 0 for a bare head."""
        if self.method == "linear":
            return 0
        return self.prompt.num_tokens or (20 if self.method == "spt-deep" else 100)


def load_recipe(task: str, overrides: Iterable[str] = (), **chosen: Any) -> Recipe:
    """Return the recipe of a task: defaults, then its file, then `chosen`, then overrides.

    Args:
        task: task id; `recipes/<task>.toml` need not exist.
        overrides: texts such as `optim.lr=1e-3`.
        chosen: top-level fields; None leaves a field as it is.

    Raises:
        RecipeError: an unknown key or a value out of range, naming it.
    """
    tree = _file_of(task)
    tree |= {key: value for key, value in chosen.items() if value is not None}
    for text in overrides:
        _override(tree, text)
    if "task" in tree:
        raise RecipeError(
            f"recipe of {task}: expected no key 'task', found {tree['task']!r}; the name decides it"
        )
    try:
        return Recipe(task=task, **tree)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise RecipeError(
            f"recipe of {task}: {faults}; see trainer/recipe.py for the keys"
        ) from error


def _file_of(task: str) -> dict[str, Any]:
    file = resources.files("trainer") / "recipes" / f"{task}.toml"
    return tomllib.loads(file.read_text()) if file.is_file() else {}


def _override(tree: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise RecipeError(f"override {text!r}: expected key=value, such as optim.lr=1e-3")
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise RecipeError(f"override {text!r}: {parent} is a value and has no {leaf}")
    tree[leaf] = _parse(value.strip())


def _parse(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
