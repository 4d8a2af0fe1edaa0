"""What a task's logits say, as the fields of its answer: one function for each kind of target.

The forward is the same for all. Axis letters: C classes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.artifact.meta import AdapterMeta
from adapters.artifact.target import MultiLabel, Ordinal, Regression, group_scores, softmax
from serving.protocol import GroupScore, LabelScore

Logits = NDArray[np.floating[Any]]
Labels = tuple[LabelScore, ...]
Fields = dict[str, object]


def fields_of(meta: AdapterMeta, best: Labels, logits: Logits) -> Fields:
    """Return the fields in which an answer differs from the best classes of the softmax.

    Args:
        meta: of the adapter that answers.
        best: those classes, best first, as many as are asked for.
        logits: of its own classes `[C]`, finite.
    """
    match meta.target:
        case None:
            found = _single_label(meta, logits)
        case MultiLabel() as target:
            found = _multi_label(meta, target, logits, len(best))
        case Ordinal() as target:
            found = _ordinal(meta, target, logits)
        case Regression() as target:
            found = _regression(target, logits)
    return found if meta.target is None else found | {"target": meta.target.kind}


def _single_label(meta: AdapterMeta, logits: Logits) -> Fields:
    return _groups(meta, logits)


def _ordinal(meta: AdapterMeta, target: Ordinal, logits: Logits) -> Fields:
    return _groups(meta, logits) | {"value": float(target.value(logits, meta.temperature))}


def _regression(target: Regression, logits: Logits) -> Fields:
    return {"predictions": (), "value": float(target.value(logits))}


def _multi_label(meta: AdapterMeta, target: MultiLabel, logits: Logits, count: int) -> Fields:
    names = meta.task.class_names
    scores = target.probabilities(logits, meta.temperature)
    has, order = target.has(scores), np.argsort(-scores, kind="stable").tolist()
    return {
        "predictions": tuple(
            LabelScore(label=names[index], index=index, score=float(scores[index]))
            for index in order[:count]
        ),
        "labels": tuple(names[index] for index in order if has[index]),
    }


def _groups(meta: AdapterMeta, logits: Logits) -> Fields:
    if meta.class_groups is None:
        return {}
    scores = group_scores(meta.class_groups, softmax(logits, meta.temperature))
    return {"groups": tuple(GroupScore(group=name, score=one) for name, one in scores.items())}
