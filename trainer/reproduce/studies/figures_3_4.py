"""The figures that vary one number: 3a, 3c, 4 and S3."""

from typing import Any, Final

from trainer.reproduce.grids import variant
from trainer.reproduce.pages.trends import Trend, over
from trainer.reproduce.published import published
from trainer.reproduce.study import MAE, SUPERVISED, Asked, Study
from trainer.reproduce.variant import Variant

_NOT_PRINTED: Final = "The figure prints no values."


def fig3a(asked: Asked) -> Study:
    """Return k-means of more and more of the training images."""
    line: dict[float, Variant] = {}
    for percent in (10, 100) if asked.smoke else (10, 30, 50, 70, 100):
        prompt = {"init": "kmeans", "init_proportion": percent / 100}
        like = "kmeans-10%" if line else None
        line[float(percent)] = variant(f"kmeans-{percent}%", "spt-deep", like=like, prompt=prompt)
    names = {place: one.name for place, one in line.items()}
    trend = Trend("training images clustered, %", {"kmeans": names}, shows_seconds=True)
    return Study(
        name="fig3a",
        title="k-means of more data",
        tasks=asked.tasks_or("cub200"),
        backbones=asked.backbones_or(MAE),
        variants=tuple(line.values()),
        layout=over(trend),
        paper=published("table1"),
        source="Figure 3a",
        claims=(
            "k-means improves with more data, at a cost of up to 27.3 days.",
            f"{_NOT_PRINTED} Times are those of Table 1.",
        ),
    )


def fig3c(asked: Asked) -> Study:
    """Return prompt lengths."""
    lengths = (4, 16) if asked.smoke else (5, 10, 20, 40, 60, 80, 100)
    lines = {
        method: {
            float(length): variant(f"{method}-{length}", method, prompt={"num_tokens": length})
            for length in lengths
        }
        for method in ("vpt-deep", "spt-deep")
    }
    return Study(
        name="fig3c",
        title="Prompt length",
        tasks=asked.tasks_or("cub200"),
        backbones=asked.backbones_or(MAE),
        source="Figure 3c",
        claims=(
            "SPT is robust to the length and gains a little from more prompts; VPT fluctuates by "
            "about 15 points, best at 80 and worst at 100.",
            f"{_NOT_PRINTED} Lengths other than 80 and 100 are ours.",
        ),
        **_varied("prompts of each block", lines),
    )


def fig4(asked: Asked) -> Study:
    """Return shares of ImageNet-1k."""
    return _amounts(asked, "fig4", "imagenet1k", "Figure 4")


def fig_s3(asked: Asked) -> Study:
    """Return shares of iNaturalist 2018."""
    return _amounts(asked, "figS3", "inaturalist2018", "Figure S3")


def _amounts(asked: Asked, name: str, task: str, source: str) -> Study:
    percents = (2, 10) if asked.smoke else (1, 5, 10, 20, 50, 100)
    lines = {
        method: {
            float(percent): variant(f"{method}-{percent}%", method, data_proportion=percent / 100)
            for percent in percents
        }
        for method in ("full", "linear", "vpt-deep", "spt-deep")
    }
    return Study(
        name=name,
        title="Amount of training data",
        tasks=asked.tasks_or(task),
        backbones=asked.backbones_or(MAE, SUPERVISED),
        source=source,
        claims=(
            "SPT and VPT are above full fine-tuning with little data (below some 10%), and below "
            "it with much.",
            f"{_NOT_PRINTED} Shares other than 1% and 10% are ours.",
        ),
        **_varied("training images, %", lines, log_x=True),
    )


def _varied(x: str, lines: dict[str, dict[float, Variant]], *, log_x: bool = False) -> Any:
    """Return variants and layout; each chooses for itself, for its best step depends on it."""
    names = {line: {x: one.name for x, one in variants.items()} for line, variants in lines.items()}
    return {
        "variants": tuple(one for variants in lines.values() for one in variants.values()),
        "layout": over(Trend(x, names, log_x=log_x)),
    }
