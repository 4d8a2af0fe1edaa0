"""One way to train that a study compares with others, and what it reached on one task."""

from dataclasses import dataclass, field
from typing import Any

from trainer.recipe import Recipe, overlay
from trainer.recipe_file import PUBLISHED, load_recipe, table_settings
from trainer.reproduce.pixels import pixels_of
from trainer.sweeping.grid import Grid, at_edge


@dataclass(frozen=True)
class Variant:
    """One row of a table or line of a figure.

    Attributes:
        name: as it is printed, and as its folder is called.
        settings: a tree of recipe fields over the study's.
        grid: what is tried on the validation split before the seeds are trained.
        like: name of an earlier variant whose chosen settings this one takes instead of a sweep.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    grid: Grid = field(default_factory=Grid)
    like: str | None = None

    def recipe(self, common: dict[str, Any], task: str, seed: int) -> Recipe:
        """Return the variant's recipe before anything is chosen, with the task's rule for pixels.

        What its recipe file says of the method's own options under the backbone is taken, too.
        Under the published protocol the rule is the authors', and the task's table is under it
        all.

        Args:
            common: fields of all variants of the study.
            task: what is trained.
            seed: of this run.
        """
        asked = overlay(common, self.settings)
        if asked.get("protocol") == PUBLISHED:
            tree = table_settings(task, asked)
        else:
            names = {name: asked[name] for name in ("backbone", "method") if name in asked}
            tuning = load_recipe(task, **names).tuning.model_dump(exclude_defaults=True)
            tree = overlay(pixels_of(task) | {"tuning": tuning}, asked)
        return Recipe.model_validate(tree | {"task": task, "seed": seed})


@dataclass(frozen=True)
class Cell:
    """What a variant reached on a task.

    Attributes:
        task: id.
        variant: name.
        chosen: the optimiser's settings that the validation split chose, or the variant's own.
        trials: validation accuracy of every setting tried, in [0, 1].
        val_accuracies: one per seed, from 0; where the seeds are trained on the validation images,
            that of the setting chosen, if one was.
        test_accuracies: one per seed.
        parts: trainable parameters by part.
        seconds: of training, one per seed.
        init: facts of the first prompts, of seed 0.
        observed: what observers found between the epochs of seed 0.
        device: that computed it.
        versions: of the packages that did, by name.
        train_images: how many each seed was trained on; None in cells of before.
    """

    task: str
    variant: str
    chosen: dict[str, float]
    trials: list[dict[str, Any]]
    val_accuracies: list[float]
    test_accuracies: list[float]
    parts: dict[str, int]
    seconds: list[float]
    init: dict[str, Any]
    observed: dict[str, list[Any]]
    device: str = "unknown"
    versions: dict[str, str] = field(default_factory=dict)
    train_images: int | None = None


def edges_of(cell: Cell) -> list[str]:
    """Return of which settings the chosen value lies at the edge of those tried on validation."""
    return at_edge(cell.chosen, [trial["settings"] for trial in cell.trials])
