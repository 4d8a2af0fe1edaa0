"""The first lines of a card, which Hugging Face's hub reads: YAML, its strings as in JSON."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from trainer.card.origin import Origin
from trainer.recipe import Recipe

_METRICS: Final = {
    "test_accuracy": ("accuracy", "accuracy"),
    "test_mean_class_accuracy": ("accuracy", "mean accuracy over classes"),
    "test_macro_f1": ("f1", "macro-F1"),
    "test_calibration_error": ("expected_calibration_error", "expected calibration error"),
}
"""Of the test images: the hub's type, and what people read."""


def front_matter(recipe: Recipe, found: Mapping[str, Any], origin: Origin) -> str:
    """Return it between its lines of dashes.

    Args:
        recipe: of the run.
        found: its numbers; those that are absent are left out.
        origin: of the backbone.
    """
    return "\n".join(["---", *_lines(recipe, found, origin), "---"])


def _lines(recipe: Recipe, found: Mapping[str, Any], origin: Origin) -> Iterator[str]:
    yield f"license: {recipe.report.licence or 'unknown'}"
    yield "library_name: spt-serving"
    yield "pipeline_tag: image-classification"
    yield "tags:"
    yield from (f"- {tag}" for tag in ("image-classification", "visual-prompt-tuning", "spt"))
    if origin.hub:
        yield f"base_model: {origin.hub}"
    measured = {key: names for key, names in _METRICS.items() if found.get(key) is not None}
    if not measured:
        return
    yield "metrics:"
    yield from (f"- {kind}" for kind in dict.fromkeys(kind for kind, _ in measured.values()))
    yield from _results(recipe, found, measured)


def _results(
    recipe: Recipe, found: Mapping[str, Any], measured: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    """Yield the results in the hub's form of a model index."""
    task = json.dumps(recipe.task)
    yield "model-index:"
    yield f"- name: {task}"
    yield "  results:"
    yield "  - task:"
    yield "      type: image-classification"
    yield "    dataset:"
    yield f"      name: {task}"
    yield f"      type: {task}"
    yield "      split: test"
    yield "    metrics:"
    for key, (kind, name) in measured.items():
        yield f"    - type: {kind}"
        yield f"      name: {name}"
        yield f"      value: {found[key]:.6g}"
