"""What a study is: who is compared, on what, and how it is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.suggestions import did_you_mean
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.errors import RecipeError
from trainer.reproduce.document import Section
from trainer.reproduce.measure import Bench
from trainer.reproduce.published import Published
from trainer.reproduce.results import Results
from trainer.reproduce.variant import Variant

MAE: Final = "vit_base_patch16_224.mae"
MOCO: Final = "vit_base_patch16_224.mocov3"
SUPERVISED: Final = "vit_base_patch16_224.augreg_in21k"
"""The paper's backbones; the supervised one is the checkpoint that the official code loads."""


def tasks_of_group(start: str) -> tuple[str, ...]:
    """Return the public tasks whose group begins so, such as `fgvc` or `vtab`, in order."""
    return tuple(name for name, task in PUBLIC_TASKS.items() if task.group.startswith(start))


@dataclass(frozen=True)
class Asked:
    """What the command line says of a study.

    Attributes:
        tasks: None for the paper's.
        backbones: None for the paper's.
        data: holds a folder per task that is not built in.
        smoke: as little as shows that everything works.
    """

    tasks: tuple[str, ...] | None = None
    backbones: tuple[str, ...] | None = None
    data: Path | None = None
    smoke: bool = False

    def tasks_or(self, *paper: str, smoke: tuple[str, ...] = ("shapes",)) -> tuple[str, ...]:
        """Return the tasks asked for, else the paper's, or those of a smoke run."""
        return self.tasks or (smoke if self.smoke else paper)

    def backbones_or(self, *paper: str) -> tuple[str, ...]:
        """Return the backbones asked for, else the paper's, or the embedded one for smoke."""
        return self.backbones or ((EMBEDDED,) if self.smoke else paper)


@dataclass(frozen=True)
class Study:
    """One table or figure.

    Attributes:
        name: as the command line takes it.
        title: what is studied, in words.
        tasks: on which.
        backbones: on which.
        variants: who is compared; one that takes another's settings comes after it.
        layout: from what was measured to what is shown.
        paper: the paper's numbers.
        source: the paper's name of it; empty for our own comparison.
        claims: what the paper says in words, and what a reader must know to compare.
        epochs: of every run, unless asked otherwise.
        common: further recipe fields of all variants.
        extra: measures what is no training run.
        runs: the study whose default folder this one shares, because runs are the same.
    """

    name: str
    title: str
    tasks: tuple[str, ...]
    backbones: tuple[str, ...]
    variants: tuple[Variant, ...]
    layout: Callable[["Study", Results], list[Section]]
    paper: Published = field(default_factory=Published)
    source: str = ""
    claims: tuple[str, ...] = ()
    epochs: int = 100
    common: dict[str, Any] = field(default_factory=dict)
    extra: Callable[["Study", Bench], None] | None = None
    runs: str | None = None

    @property
    def variant_names(self) -> tuple[str, ...]:
        """The variants by name."""
        return tuple(variant.name for variant in self.variants)

    def only(self, names: Sequence[str]) -> "Study":
        """Return the study with some of its variants alone.

        Raises:
            RecipeError: it has no variant of such a name.
        """
        unknown = sorted(set(names) - set(self.variant_names))
        if unknown:
            raise RecipeError(
                f"--variants {' '.join(unknown)}: {self.name} has no such variant; expected some "
                f"of {', '.join(self.variant_names)}{did_you_mean(unknown[0], self.variant_names)}"
            )
        return replace(self, variants=tuple(one for one in self.variants if one.name in names))
