"""The paper's tables of accuracies: 2, 3, 4, S2, S3 and S4."""

from typing import Final

from trainer.reproduce.grids import plain, sampled, variant
from trainer.reproduce.pages.accuracy import by_task
from trainer.reproduce.pages.backbone_table import Panel
from trainer.reproduce.published import published
from trainer.reproduce.study import MAE, MOCO, SUPERVISED, Asked, Study, tasks_of_group

_COPIED: Final = (
    "The paper's rows of methods by others are taken from their publications, which load other "
    "checkpoints (VPT's is orig_in21k, SPT's augreg_in21k)."
)
_ADAPTER: Final = (
    "The paper's row of adapter is VPT's, whose code starts both matrices at zero: from there only "
    "one bias a block ever learns. Ours start as Houlsby et al. have them and learn all, so the "
    "two numbers are of two methods; tuning.zero_start=true is VPT's."
)
_PEFT: Final = ("full", "linear", "bias", "adapter", "moment-probing", "ssf", "snf")
_PROMPTS: Final = ("vpt-shallow", "vpt-deep", "e2vpt", "spt-shallow", "spt-deep")


def table2(asked: Asked) -> Study:
    """Return prompt methods and full fine-tuning under self-supervised backbones."""
    return Study(
        name="table2",
        title="Self-supervised backbones",
        tasks=asked.tasks_or(*tasks_of_group("fgvc"), *tasks_of_group("vtab")),
        backbones=asked.backbones_or(MAE, MOCO),
        variants=plain("full", "vpt-shallow", "vpt-deep", "gate-vpt", "spt-shallow", "spt-deep"),
        layout=by_task(),
        paper=published("table2"),
        source="Table 2",
        claims=(
            "SPT gains 10 to 30 points over VPT in the mean of each group under MAE, and is above "
            "full fine-tuning on 19 of 24 tasks.",
        ),
    )


def table3(asked: Asked) -> Study:
    """Return the parameter-efficient methods under the supervised backbone."""
    return Study(
        name="table3",
        title="Parameter-efficient methods, supervised backbone",
        tasks=asked.tasks_or(*tasks_of_group("fgvc")),
        backbones=asked.backbones_or(SUPERVISED),
        variants=plain(*_PEFT, *_PROMPTS),
        layout=by_task(),
        paper=published("table3"),
        source="Table 3",
        claims=(
            "SPT-Deep has the best mean of the five fine-grained tasks (91.40).",
            _COPIED,
            _ADAPTER,
        ),
    )


def table4(asked: Asked) -> Study:
    """Return the sampling strategies, with frozen and with trained prompts."""
    frozen, trained = sampled("-frozen", frozen=True), sampled()
    panels = (
        Panel("(a) prompts frozen", {one.name: one.name for one in frozen}),
        Panel("(b) prompts trained", {one.name: one.name for one in trained}),
    )
    return Study(
        name="table4",
        title="Sampling strategies",
        tasks=asked.tasks_or("cub200", "caltech101"),
        backbones=asked.backbones_or(SUPERVISED, MAE),
        variants=frozen + trained,
        layout=by_task(*panels),
        paper=published("table4"),
        source="Table 4",
        claims=(
            "Every strategy is far above prompts that start at random, also where prompts stay "
            "as they start and only the head is trained.",
        ),
    )


def table_s2(asked: Asked) -> Study:
    """Return the tokens of which layers the prompts start from."""
    shallow = ("vpt-shallow", "first-layer-shallow", "last-layer-shallow", "spt-shallow")
    deep = ("vpt-deep", "first-layer-deep", "last-layer-deep", "spt-deep")
    variants = plain("vpt-shallow", "vpt-deep", "spt-shallow", "spt-deep") + tuple(
        variant(f"{init}-{form}", f"spt-{form}", like=f"spt-{form}", prompt={"init": init})
        for init, form in (
            ("last-layer", "shallow"),
            ("first-layer", "deep"),
            ("last-layer", "deep"),
        )
    )
    panels = (
        Panel("shallow", {n: n.replace("first-layer", "spt") for n in shallow}),
        Panel("deep", {name: name for name in deep}),
    )
    return Study(
        name="tableS2",
        title="Tokens of one layer for all",
        tasks=asked.tasks_or("cub200"),
        backbones=asked.backbones_or(SUPERVISED, MAE),
        variants=variants,
        layout=by_task(*panels),
        paper=published("tableS2"),
        source="Table S2",
        claims=(
            "Tokens of the layer that they are put into are best. Shallow prompts have one layer "
            "only: first-layer and spt are the same runs.",
        ),
    )


def table_s3(asked: Asked) -> Study:
    """Return Table 2 (and supervised) task by task."""
    return Study(
        name="tableS3",
        title="VTAB-1k, task by task",
        tasks=asked.tasks_or(*tasks_of_group("vtab")),
        backbones=asked.backbones_or(MAE, MOCO, SUPERVISED),
        variants=plain("full", "spt-shallow", "spt-deep"),
        layout=by_task(),
        paper=published("tableS3"),
        source="Table S3",
        runs="table2",
    )


def table_s4(asked: Asked) -> Study:
    """Return Table 3 with VTAB-1k and LoRA."""
    return Study(
        name="tableS4",
        title="Parameter-efficient methods on both benchmarks",
        tasks=asked.tasks_or(*tasks_of_group("fgvc"), *tasks_of_group("vtab")),
        backbones=asked.backbones_or(SUPERVISED),
        variants=plain("full", "linear", "bias", "adapter", "lora", "ssf", "snf", *_PROMPTS),
        layout=by_task(),
        paper=published("tableS4"),
        source="Table S4",
        claims=(_COPIED, _ADAPTER),
        runs="table3",
    )
