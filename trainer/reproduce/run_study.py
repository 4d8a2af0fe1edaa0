"""Measure what a study needs, then show everything that its folder holds."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from adapters.store import durable
from trainer.experiment.terminal import training_bar
from trainer.recipe import overlay
from trainer.reproduce.document import Page
from trainer.reproduce.measure import Bench, Title, measure
from trainer.reproduce.pages.conditions import conditions_of
from trainer.reproduce.pages.html import html_of
from trainer.reproduce.pages.markdown import markdown_of
from trainer.reproduce.results import read_results
from trainer.reproduce.study import Study
from trainer.sweeping.grid import Grid
from trainer.training.loop import Watch

_SMOKE: Final[dict[str, Any]] = {
    "data_proportion": 0.1,
    "optim": {"epochs": 1, "warmup_epochs": 0},
}


@dataclass(frozen=True)
class StudyOptions:
    """How much is measured, and where it is kept.

    Attributes:
        out: folder of the runs and of the page.
        data: holds a folder per task that is not built in.
        weights: checkpoint file by backbone.
        seeds: 0 to this number are trained.
        epochs: of every run; None for the study's.
        smoke: as little as shows that everything works; overrides seeds and epochs.
        protocol: whose settings are under those of the study, see `Recipe.protocol`.
    """

    out: Path
    data: Path | None
    weights: dict[str, Path]
    seeds: int
    epochs: int | None
    smoke: bool
    protocol: str = "own"


def measure_study(study: Study, options: StudyOptions) -> None:
    """Run what the study's folder does not hold yet.

    Raises:
        TrainerError: as the trainer's `run`.
        SptError: a backbone or its weights cannot be had.
    """
    variants = study.variants
    if options.smoke:
        variants = tuple(replace(variant, grid=Grid()) for variant in variants)
    for backbone in study.backbones:
        common = _common(study, options, backbone)
        with ExitStack() as open_bars:
            seeds = 1 if options.smoke else options.seeds
            bench = Bench(
                common, options.out / backbone, options.data, seeds, _announcer(open_bars)
            )
            for _ in measure(bench, study.tasks, variants):
                pass
            if study.extra is not None:
                study.extra(replace(study, variants=variants), bench)


def show_study(study: Study, out: Path, command: str, *, is_smoke: bool) -> Path:
    """Write `<name>.md`, `<name>.html` and figures; returns the HTML's path."""
    results = read_results(out)
    out.mkdir(parents=True, exist_ok=True)
    page = Page(
        title=study.title,
        source=study.source,
        command="\n".join(results.commands.values()) or command,
        is_smoke=is_smoke,
        claims=study.claims,
        conditions=conditions_of(results, study.variant_names),
        sections=tuple(study.layout(study, results)),
    )
    for picture in (picture for section in page.sections for picture in section.pictures):
        durable.write(out / picture.name, picture.drawing.file().encode())
    durable.write(out / f"{study.name}.md", markdown_of(page).encode())
    path = out / f"{study.name}.html"
    durable.write(path, html_of(page).encode())
    return path


def _common(study: Study, options: StudyOptions, backbone: str) -> dict[str, Any]:
    """Return the recipe fields of all variants on one backbone; the paper warms up for a tenth."""
    epochs = options.epochs or study.epochs
    asked = {
        "backbone": backbone,
        "weights": options.weights.get(backbone),
        "protocol": options.protocol,
        "optim": {"epochs": epochs, "warmup_epochs": epochs / 10},
    }
    common = overlay(asked, study.common)
    return overlay(common, _SMOKE) if options.smoke else common


def _announcer(open_bars: ExitStack) -> Title:
    """Return what shows one bar at a time."""

    def announce(title: str, epochs: int) -> Watch:
        open_bars.close()
        return open_bars.enter_context(training_bar(title, epochs))

    return announce
