"""Rows of any adapters → features → logits → answers, on the device.

Knows residents and pixels; nothing of lookups, decoding or HTTP.
Axis letters: B batch, D width, C classes, H W pixels.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from adapters.backbone import Backbone
from adapters.codec import short
from adapters.errors import ArtifactCorrupt
from adapters.prompting import DeepPrompts, Prompts, ShallowPrompts, features
from serving.bank import AdapterKey
from serving.protocol import Answer, LabelScore
from serving.resident import Form, Resident

Outcome = Answer | Exception
_Group = TypeVar("_Group", bound=Hashable)


@dataclass(frozen=True, eq=False)
class Row:
    """One image under one adapter, and its place among the outcomes."""

    position: int
    top_k: int
    key: AdapterKey
    resident: Resident
    pixels: Float[Tensor, "3 H W"]


def answer_rows(backbone: Backbone, rows: Sequence[Row], max_batch: int) -> dict[int, Outcome]:
    """Answer rows of any mix of adapters; rows of one form share a forward.

    Args:
        backbone: frozen.
        rows: whose residents stay leased until this returns.
        max_batch: rows of one forward, at most.

    Returns:
        each row's outcome by its position; a forward that fails gives its error to its rows.
    """
    outcomes: dict[int, Outcome] = {}
    for form, alike in _grouped((row.resident.form, row) for row in rows).items():
        for start in range(0, len(alike), max_batch):
            chunk = alike[start : start + max_batch]
            try:
                outcomes |= _answer(backbone, form, chunk)
            except Exception as error:  # one forward's failure stays with its rows
                outcomes |= {row.position: error for row in chunk}
    return outcomes


@torch.inference_mode()
def _answer(backbone: Backbone, form: Form, rows: list[Row]) -> dict[int, Outcome]:
    spec = backbone.spec.model_copy(update={"pooling": form.pooling, "final_norm": form.final_norm})
    pixels = torch.stack([row.pixels for row in rows]).to(backbone.device, backbone.dtype)
    pooled = features(backbone.trunk, spec, pixels, _stack_prompts(form, rows))
    outcomes: dict[int, Outcome] = {}
    for indices in _grouped((row.key, i) for i, row in enumerate(rows)).values():
        resident = rows[indices[0]].resident
        logits = pooled[indices] @ resident.head_weight.T + resident.head_bias
        exact = torch.promote_types(logits.dtype, torch.float32)
        scores = logits.softmax(dim=1, dtype=exact).cpu()
        for index, row_scores in zip(indices, scores, strict=True):
            outcomes[rows[index].position] = _outcome(rows[index], row_scores)
    return outcomes


def _stack_prompts(form: Form, rows: list[Row]) -> Prompts:
    prefixes = [row.resident.prefix for row in rows if row.resident.prefix is not None]
    tokens = [row.resident.tokens for row in rows if row.resident.tokens is not None]
    if form.kind == "deep":
        return DeepPrompts(torch.stack(prefixes), torch.stack(tokens) if tokens else None)
    if form.kind == "shallow":
        return ShallowPrompts(torch.stack(tokens))
    return None


def _outcome(row: Row, scores: Float[Tensor, " C"]) -> Outcome:
    names = row.resident.meta.task.class_names
    best = scores.topk(min(row.top_k, len(names)))
    if not bool(best.values.isfinite().all()):
        return ArtifactCorrupt(
            f"{row.key.task}: version {short(row.key.version)} gives scores that are not numbers; "
            "train it again"
        )
    return Answer(
        task=row.key.task,
        version=row.key.version,
        predictions=tuple(
            LabelScore(label=names[index], index=index, score=score)
            for index, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ),
    )


_Item = TypeVar("_Item")


def _grouped(pairs: Iterable[tuple[_Group, _Item]]) -> dict[_Group, list[_Item]]:
    groups: dict[_Group, list[_Item]] = defaultdict(list)
    for group, item in pairs:
        groups[group].append(item)
    return groups
