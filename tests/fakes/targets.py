"""Adapters of every kind of target, and what they must answer, by plain formulas."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.artifact.meta import AdapterMeta
from adapters.artifact.target import MultiLabel, Ordinal, Regression
from adapters.vit.adapter import Adapter
from tests.fakes.artifacts import make_adapter

SEVERAL = MultiLabel(thresholds=(0.5, 0.2, 0.9, 0.01))
NUMBER = Regression(mean=-3.5, scale=12.25)
ORDERED = Ordinal(values=(-1.0, 0.0, 2.5))
GROUPS = ("animal", "plant", "animal")


def with_meta(adapter: Adapter, **changes: object) -> Adapter:
    """Return the adapter with other fields in its meta, checked."""
    meta = adapter.meta.model_dump() | changes
    return replace(adapter, meta=AdapterMeta.model_validate(meta))


def adapters_of_targets(spec: BackboneSpec) -> dict[str, Adapter]:
    """Return an adapter of each kind by its task, of all forms of prompts."""

    def made(task: str, classes: int, seed: int, **more: Any) -> Adapter:
        return make_adapter(task, classes=classes, seed=seed, backbone=spec, **more)

    return {
        "several": with_meta(
            made("several", 4, 1, temperature=2.0), target=SEVERAL, schema_version=2
        ),
        "number": with_meta(made("number", 1, 2, method="linear"), target=NUMBER, schema_version=2),
        "ordered": with_meta(
            made("ordered", 3, 3, method="spt-shallow", temperature=0.5),
            target=ORDERED, schema_version=2, class_groups=GROUPS,
        ),
        "grouped": with_meta(made("grouped", 3, 4, temperature=3.0), class_groups=GROUPS),
    }  # fmt: skip


def expected_of(adapter: Adapter, logits: Sequence[float]) -> dict[str, Any]:
    """Return what an answer must say, by name: scores of all classes and what else there is."""
    meta = adapter.meta
    divided = [logit / meta.temperature for logit in logits]
    powers = [math.exp(one) for one in divided]
    scores = [power / sum(powers) for power in powers]
    found: dict[str, Any] = {"target": "single-label", "scores": scores}
    match meta.target:
        case MultiLabel():
            scores = [1 / (1 + math.exp(-one)) for one in divided]
            over = zip(scores, meta.target.thresholds, meta.task.class_names, strict=True)
            names = {name for score, threshold, name in over if score >= threshold}
            found |= {"target": "multi-label", "scores": scores, "labels": names}
        case Regression():
            value = meta.target.mean + meta.target.scale * logits[0]
            found |= {"target": "regression", "scores": [], "value": value}
        case Ordinal():
            value = sum(p * v for p, v in zip(scores, meta.target.values, strict=True))
            found |= {"target": "ordinal", "value": value}
    if meta.class_groups is not None:
        pairs = list(zip(meta.class_groups, scores, strict=True))
        found["groups"] = {
            group: sum(score for own, score in pairs if own == group) for group in meta.class_groups
        }
    return found
