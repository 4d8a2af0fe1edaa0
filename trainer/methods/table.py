"""The methods by name: what each trains, who proposed it, and what serving it takes.

Facts only, so that a recipe can be read without building a model. Letters in formulas: L layers,
P prompts, D width, C classes, r rank or bottleneck; they hold for trunks whose heads are D wide
together and whose MLPs are 4·D wide.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

_PROMPTS = "served: in one batch with every other task"
_BIASED = "served: in one forward with other tasks that have biases"
_RETUNED = "not served: its weights differ in every block, so each task would need its own pass"


@dataclass(frozen=True)
class Method:
    """One way to adapt the backbone.

    Attributes:
        parts: the formula of each trainable part, besides the head's `C·(D+1)`.
        prompts: before every block, before the first alone, or none.
        source: the paper it comes from.
        serving: what answering requests takes.
        options: keys of a recipe that are of this method and few others.
        needs_classes: whether its loss compares prompts with what the images' classes look like.
        defaults: recipe fields that differ for this method.
    """

    parts: str
    source: str
    serving: str
    prompts: Literal["deep", "shallow"] | None = None
    options: tuple[str, ...] = ()
    needs_classes: bool = False
    defaults: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def is_served(self) -> bool:
        """Whether its artifact is one that the service answers from."""
        return self.serving in (_PROMPTS, _BIASED)

    @property
    def can_begin_later(self) -> bool:
        """Whether its prompts may leave out the first blocks, see `prompt.first_block`."""
        return self.prompts == "deep" and self.serving == _PROMPTS


METHODS = {
    "spt-deep": Method(
        parts="prompts L·P·D",
        source="Wang et al. 2024, SPT-Deep",
        serving=_PROMPTS,
        prompts="deep",
        defaults={"prompt": {"num_tokens": 20}},
    ),
    "spt-shallow": Method(
        parts="prompts P·D",
        source="Wang et al. 2024, SPT-Shallow",
        serving=_PROMPTS,
        prompts="shallow",
        defaults={"prompt": {"num_tokens": 100}},
    ),
    "vpt-deep": Method(
        parts="prompts L·P·D",
        source="Jia et al. 2022, VPT-Deep",
        serving=_PROMPTS,
        prompts="deep",
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "vpt-shallow": Method(
        parts="prompts P·D",
        source="Jia et al. 2022, VPT-Shallow",
        serving=_PROMPTS,
        prompts="shallow",
        defaults={"prompt": {"num_tokens": 100, "init": "uniform"}},
    ),
    "linear": Method(
        parts="nothing",
        source="a linear probe",
        serving=_PROMPTS,
        defaults={"optim": {"lr": 1e-2}},
    ),
    "full": Method(
        parts="trunk: every parameter of the backbone",
        source="full fine-tuning",
        serving=_RETUNED,
        defaults={"optim": {"lr": 1e-4, "weight_decay": 5e-2}},
    ),
    "bias": Method(
        parts="biases: every bias of the backbone",
        source="Zaken et al. 2021, BitFit",
        serving=_RETUNED,
        defaults={"optim": {"lr": 1e-3}},
    ),
    "adapter": Method(
        parts="adapters L·(2·D·r + D + r), r = D/64",
        source="Houlsby et al. 2019, in the form of Jia et al. 2022",
        serving="not served: each block would need two small products a row, by the row's task",
        options=("tuning.zero_start",),
        defaults={"optim": {"lr": 1e-3}},
    ),
    "lora": Method(
        parts="updates 4·L·r·D, r = 8",
        source="Hu et al. 2021, as in NOAH (Zhang et al. 2022)",
        serving="not served: each block would need two small products a row, by the row's task",
        options=("tuning.dropout",),
        defaults={"optim": {"lr": 1e-3}},
    ),
    "ssf": Method(
        parts="scales 11·L·D + 2·D, shifts 11·L·D + 2·D",
        source="Lian et al. 2022",
        serving="not served: each layer's outputs would be scaled and shifted by the row's task",
        defaults={"optim": {"lr": 5e-3}},
    ),
    "snf": Method(
        parts="flows 2·L·(2·D + k·(2·D + 1)), k = 1",
        source="Wang et al. 2023, SNF",
        serving="not served: each shortcut would need products and sums by the row's task",
        options=("tuning.num_flows",),
        defaults={"optim": {"lr": 5e-3}},
    ),
    "gate-vpt": Method(
        parts="prompts P·D, gates L-1, temperatures L",
        source="Yoo et al. 2023",
        serving="not served: blocks would need gates and temperatures by the row's task",
        prompts="shallow",
        defaults={"prompt": {"num_tokens": 100, "init": "uniform"}},
    ),
    "e2vpt": Method(
        parts="prompts L·P·D, keys_values 5·L·D",
        source="Cheng et al. 2023, without pruning",
        serving=_PROMPTS,
        prompts="deep",
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "vfpt-deep": Method(
        parts="prompts L·P·D",
        source="Zeng et al. 2024, VFPT, half of the prompts transformed",
        serving=_PROMPTS,
        prompts="deep",
        options=("prompt.fourier_share",),
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "vfpt-shallow": Method(
        parts="prompts P·D",
        source="Zeng et al. 2024, VFPT, likewise",
        serving=_PROMPTS,
        prompts="shallow",
        options=("prompt.fourier_share",),
        defaults={"prompt": {"num_tokens": 100, "init": "uniform"}},
    ),
    "pae": Method(
        parts="prompts L·P·D, koopman D·k + 2·k·k, k = 256 (in training alone)",
        source="Wang et al. 2026, PAE on VPT-Deep",
        serving=_PROMPTS,
        prompts="deep",
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "da-vpt": Method(
        parts="prompts L·P·D",
        source="Ren et al. 2025, DA-VPT",
        serving=_PROMPTS,
        prompts="deep",
        needs_classes=True,
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "da-vpt-plus": Method(
        parts="prompts L·P·D, value_biases L·D",
        source="Ren et al. 2025, DA-VPT+",
        serving=_BIASED,
        prompts="deep",
        needs_classes=True,
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "attention-bias": Method(
        parts="biases L·D",
        source="Zaken et al. 2021, BitFit, the biases after attention",
        serving=_BIASED,
        defaults={"optim": {"lr": 1e-3}},
    ),
    "moment-probing": Method(
        parts="moments 512·D + 930 + 2884·C",
        source="Gao et al. 2023, MP without MP+",
        serving="not served: needs every token of the last block and a second head by task",
        options=("tuning.uncentred",),
        defaults={"optim": {"lr": 1e-3}},
    ),
}
"""Every method by the name that the command line takes."""

DEFAULT_METHOD = "spt-deep"
