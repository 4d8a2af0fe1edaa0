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
        code: the code that it was compared with, and its commit.
        differences: what is not as in that code by default. Where a setting changes that, a colon
            and settings such as `key=value` end it.
        options: keys of a recipe that are of this method and few others.
        needs_classes: whether its loss compares prompts with what the images' classes look like.
        defaults: recipe fields that differ for this method.
    """

    parts: str
    source: str
    serving: str
    prompts: Literal["deep", "shallow"] | None = None
    code: str = ""
    differences: tuple[str, ...] = ()
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


_VPT = "KMnP/vpt 4410440"
_SGD = "AdamW; theirs is SGD with momentum 0.9, rate · batch / 256: `optim.name=sgd`"
_VPT_HEAD = "the head starts normal (std 0.02); theirs by Kaiming's rule, with bias -log 99"
_VPT_PIXELS = "FGVC: random resized crops; theirs are random crops of images of 256 pixels"
_DROPPED = "no dropout of prompts; theirs is 0.1: `prompt.dropout=0.1`"
_SMOOTHED = "no label smoothing; theirs is 0.1: `optim.label_smoothing=0.1`"
_BATCH = "32 images a step; theirs 64: `optim.batch_size=64`"
_SPT_FIRST = (
    "prompts start from 64 images; theirs from as many draws as the training set has images, with "
    "replacement, and under MoCo v3 from one image: `prompt.init_images=1`"
)
_SPT_DIFFERENCES = (
    _SPT_FIRST,
    "tokens of layer 0 carry the position embedding; theirs do not: `prompt.layer0_position=false`",
    "mean and max run over a batch; theirs within an image: `prompt.pool_over=image`",
    "VTAB-1k is squashed; theirs is cropped: `pixels.resize=shorter`",
    "pixels are the checkpoint family's; theirs are ImageNet's for every backbone: "
    "`pixels.mean=[0.485,0.456,0.406]`, `pixels.std=[0.229,0.224,0.225]`",
    "the head starts with std 0.02; theirs under MoCo v3 with 0.01",
)
_VPT_DIFFERENCES = (
    _SGD,
    "as many prompts for every task; theirs are tuned by task",
    _DROPPED,
    _VPT_HEAD,
    _VPT_PIXELS,
    "under MAE the final norm is the checkpoint's; theirs is not loaded, so it is ones and zeros",
)
_GUIDED_DIFFERENCES = (
    "the last block has as many prompts as the others; theirs has half of them",
    "classes are grouped by this package's k-means",
    "the guiding losses weigh 0.05; theirs are tuned by task",
)

EVERY_METHOD = (
    "VTAB-1k: trained on 800 images; the public code trains on these and the 200 of validation",
    "the last epoch is scored on the test set; much of the public code takes the best epoch there",
    "rates change by step; VPT's code and its descendants change them by epoch",
)
"""What differs from the authors' code with each method."""

METHODS = {
    "spt-deep": Method(
        parts="prompts L·P·D",
        source="Wang et al. 2024, SPT-Deep",
        code="WangYZ1608/Self-Prompt-Tuning ce0754f",
        differences=_SPT_DIFFERENCES,
        serving=_PROMPTS,
        prompts="deep",
        defaults={"prompt": {"num_tokens": 20}},
    ),
    "spt-shallow": Method(
        parts="prompts P·D",
        source="Wang et al. 2024, SPT-Shallow",
        code="WangYZ1608/Self-Prompt-Tuning ce0754f",
        differences=_SPT_DIFFERENCES,
        serving=_PROMPTS,
        prompts="shallow",
        defaults={"prompt": {"num_tokens": 100}},
    ),
    "vpt-deep": Method(
        parts="prompts L·P·D",
        source="Jia et al. 2022, VPT-Deep",
        code=_VPT,
        differences=_VPT_DIFFERENCES,
        serving=_PROMPTS,
        prompts="deep",
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "vpt-shallow": Method(
        parts="prompts P·D",
        source="Jia et al. 2022, VPT-Shallow",
        code=_VPT,
        differences=_VPT_DIFFERENCES,
        serving=_PROMPTS,
        prompts="shallow",
        defaults={"prompt": {"num_tokens": 100, "init": "uniform"}},
    ),
    "linear": Method(
        parts="nothing",
        source="a linear probe",
        code=_VPT,
        differences=(
            _SGD,
            "the head decays; theirs does not: `optim.head_weight_decay=0`",
            _VPT_HEAD,
            _VPT_PIXELS,
        ),
        serving=_PROMPTS,
        defaults={"optim": {"lr": 1e-2}},
    ),
    "full": Method(
        parts="trunk: every parameter of the backbone",
        source="full fine-tuning",
        code=_VPT,
        differences=(
            "one rate for all blocks, no mixup; papers of self-supervised backbones lower the rate "
            "with depth (0.65 to 0.75 a block), so under MAE it does not repeat their numbers",
            _VPT_HEAD,
            _VPT_PIXELS,
        ),
        serving=_RETUNED,
        defaults={"optim": {"lr": 1e-4, "weight_decay": 5e-2}},
    ),
    "bias": Method(
        parts="biases: every bias of the backbone",
        source="Zaken et al. 2021, BitFit",
        code=_VPT,
        differences=(_SGD, _VPT_HEAD, _VPT_PIXELS),
        serving=_RETUNED,
        defaults={"optim": {"lr": 1e-3}},
    ),
    "adapter": Method(
        parts="adapters L·(2·D·r + D + r), r = D/64",
        source="Houlsby et al. 2019, in the form of Jia et al. 2022",
        code=_VPT,
        differences=(
            "`down` starts normal; theirs at zero, from where only one bias a block ever learns, "
            "and the paper's number is of such biases: `tuning.zero_start=true`",
            "D/r is 64; theirs is tuned among 8, 64 and 256",
            _SGD,
            _VPT_HEAD,
            _VPT_PIXELS,
        ),
        serving="not served: each block would need two small products a row, by the row's task",
        options=("tuning.zero_start",),
        defaults={"optim": {"lr": 1e-3}},
    ),
    "lora": Method(
        parts="updates 4·L·r·D, r = 8",
        source="Hu et al. 2021, as in NOAH (Zhang et al. 2022)",
        code="ZhangYuanhan-AI/NOAH e9c55f3",
        differences=(
            "no dropout before `down`; theirs is 0.1: `tuning.dropout=0.1`",
            _BATCH,
            "weight decay 0.01, of the head 0.5; theirs is 1e-4 of both: "
            "`optim.weight_decay=1e-4`, `optim.head_weight_decay=1e-4`",
            "pixels are the checkpoint family's; theirs are ImageNet's",
        ),
        serving="not served: each block would need two small products a row, by the row's task",
        options=("tuning.dropout",),
        defaults={"optim": {"lr": 1e-3}},
    ),
    "ssf": Method(
        parts="scales 11·L·D + 2·D, shifts 11·L·D + 2·D",
        source="Lian et al. 2022",
        code="dongzelian/SSF e94e0e7",
        differences=(
            _SMOOTHED,
            "no average of weights; theirs is scored on some tasks: `optim.ema=0.9998`",
            "no drop path; theirs is 0 to 0.2 by task: `optim.drop_path=0.1`",
            _BATCH,
            "VTAB-1k is squashed, bicubic; theirs is cropped, bilinear: `pixels.resize=shorter`",
        ),
        serving="not served: each layer's outputs would be scaled and shifted by the row's task",
        defaults={"optim": {"lr": 5e-3}},
    ),
    "snf": Method(
        parts="flows 2·L·(2·D + k·(2·D + 1)), k = 1",
        source="Wang et al. 2023, SNF",
        code="Wang-Yaoming/SNF a6f85b1",
        differences=(
            "one planar flow, and six on VTAB-1k under AugReg, as the paper's tables count; the "
            "code's own default is 16: `tuning.num_flows=16`",
            "rates, decay and images of a step are this package's",
        ),
        serving="not served: each shortcut would need products and sums by the row's task",
        options=("tuning.num_flows",),
        defaults={"optim": {"lr": 5e-3}},
    ),
    "gate-vpt": Method(
        parts="prompts P·D, gates L-1, temperatures L",
        source="Yoo et al. 2023",
        code="ryongithub/GatedPromptTuning dd7d1ea",
        differences=(
            _SGD,
            _BATCH,
            "weight decay 0.01, of the head 0.5; theirs is none: "
            "`optim.weight_decay=0`, `optim.head_weight_decay=0`",
            "no dropout of prompts; theirs is 0.1",
            "a temperature out of its bounds keeps its gradient; theirs is clamped in place",
            _VPT_HEAD,
            _VPT_PIXELS,
        ),
        serving="not served: blocks would need gates and temperatures by the row's task",
        prompts="shallow",
        defaults={"prompt": {"num_tokens": 100, "init": "uniform"}},
    ),
    "e2vpt": Method(
        parts="prompts L·P·D, keys_values 5·L·D",
        source="Cheng et al. 2023, without pruning",
        code="ChengHan111/E2VPT 7a66e75",
        differences=(
            "no prompt is pruned, and nothing trained anew after it",
            "20 prompts for every task; theirs are 5 to 50 by task: `prompt.num_tokens=5`",
            _SGD,
            _DROPPED,
            _VPT_HEAD,
            _VPT_PIXELS,
        ),
        serving=_PROMPTS,
        prompts="deep",
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "vfpt-deep": Method(
        parts="prompts L·P·D",
        source="Zeng et al. 2024, VFPT, half of the prompts transformed",
        code="runtsang/VFPT 1b3d984",
        differences=(
            "half of the prompts are transformed; theirs a share by task",
            _SGD,
            _VPT_HEAD,
        ),
        serving=_PROMPTS,
        prompts="deep",
        options=("prompt.fourier_share",),
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "vfpt-shallow": Method(
        parts="prompts P·D",
        source="Zeng et al. 2024, VFPT, likewise",
        code="runtsang/VFPT 1b3d984",
        differences=(
            "half of the prompts are transformed; theirs a share by task",
            _SGD,
            _VPT_HEAD,
        ),
        serving=_PROMPTS,
        prompts="shallow",
        options=("prompt.fourier_share",),
        defaults={"prompt": {"num_tokens": 100, "init": "uniform"}},
    ),
    "pae": Method(
        parts="prompts L·P·D, koopman D·k + 2·k·k, k = 256 (in training alone)",
        source="Wang et al. 2026, PAE on VPT-Deep",
        code="the code of its authors",
        differences=("prompts start uniform; theirs by frequency shortcuts: `prompt.init=mpa`",),
        serving=_PROMPTS,
        prompts="deep",
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "da-vpt": Method(
        parts="prompts L·P·D",
        source="Ren et al. 2025, DA-VPT",
        code="Noahsark/DA-VPT 1a5ac60",
        differences=_GUIDED_DIFFERENCES,
        serving=_PROMPTS,
        prompts="deep",
        needs_classes=True,
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "da-vpt-plus": Method(
        parts="prompts L·P·D, value_biases L·D",
        source="Ren et al. 2025, DA-VPT+",
        code="Noahsark/DA-VPT 1a5ac60",
        differences=(
            *_GUIDED_DIFFERENCES,
            "the bias of keys is left out, which softmax ignores",
        ),
        serving=_BIASED,
        prompts="deep",
        needs_classes=True,
        defaults={"prompt": {"num_tokens": 20, "init": "uniform"}},
    ),
    "attention-bias": Method(
        parts="biases L·D",
        source="Zaken et al. 2021, BitFit, the biases after attention",
        code="none: a part of BitFit",
        differences=("BitFit trains every bias; method `bias` does so",),
        serving=_BIASED,
        defaults={"optim": {"lr": 1e-3}},
    ),
    "moment-probing": Method(
        parts="moments 512·D + 930 + 2884·C",
        source="Gao et al. 2023, MP without MP+",
        code="mingzeG/Moment-Probing 0ddc040",
        differences=(
            "each channel is centred; theirs has one mean a head: `tuning.uncentred=true`",
            "both heads start normal (std 0.02); theirs as torch's linear layers",
            "weight decay 0.01, of the heads 0.5; theirs is 0.05 of all: "
            "`optim.weight_decay=0.05`, `optim.head_weight_decay=0.05`",
            _SMOOTHED,
            _BATCH,
            "no average of weights; theirs is scored on Stanford Dogs: `optim.ema=0.9998`",
        ),
        serving="not served: needs every token of the last block and a second head by task",
        options=("tuning.uncentred",),
        defaults={"optim": {"lr": 1e-3}},
    ),
}
"""Every method by the name that the command line takes."""

DEFAULT_METHOD = "spt-deep"
