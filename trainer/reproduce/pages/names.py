"""How variants are called in pictures, and which of them are ours."""

from typing import Final

from trainer.page.palette import Kind

_METHODS: Final = {
    "linear": "linear probe",
    "full": "full fine-tuning",
    "vpt-shallow": "VPT-Shallow",
    "vpt-deep": "VPT-Deep",
    "spt-shallow": "SPT-Shallow",
    "spt-deep": "SPT-Deep",
    "gate-vpt": "GateVPT",
    "e2vpt": "E2VPT",
    "kmeans": "k-means",
}
_FROZEN: Final = "-frozen"


def plain_name(variant: str) -> str:
    """Return a variant's name in words: `spt-deep-kmeans-frozen` is SPT-Deep, k-means, frozen."""
    name, frozen = variant.removesuffix(_FROZEN), ", frozen" if variant.endswith(_FROZEN) else ""
    for method, words in _METHODS.items():
        if name == method:
            return words + frozen
        if name.startswith(f"{method}-"):
            return f"{words}, {plain_name(name.removeprefix(f'{method}-'))}{frozen}"
    return name + frozen


def is_ours(variant: str) -> bool:
    """Return whether it is a form of self-prompt tuning, or a way to start one."""
    return not variant.startswith(("linear", "full", "vpt", "gate", "e2vpt"))


def kind_of(variant: str) -> Kind:
    """Return its colour: ours, or a rival's."""
    return "ours" if is_ours(variant) else "reference"
