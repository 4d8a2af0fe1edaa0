"""What all pictures read of a record: rows in groups, names for people, who measured it when."""

import re
from collections import defaultdict
from collections.abc import Iterable
from textwrap import shorten
from typing import Any

Row = dict[str, Any]
Record = dict[str, Any]

_MODELS = {"tiny": "Ti", "small": "S", "base": "B", "large": "L", "huge": "H"}


def by(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Return rows by what they have in common, in the order of the record."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return groups


def model_name(name: str) -> str:
    """Return a model as papers call it: `vit_base_patch16_224` is ViT-B/16."""
    _, size, patch, *_ = [*name.split("_"), "", ""]
    return f"ViT-{_MODELS[size]}/{patch.removeprefix('patch')}" if size in _MODELS else name


def sentence(note: str) -> str:
    """Return a note as a sentence, models called as papers call them."""
    told = re.sub(r"vit_[a-z]+_patch\d+_\d+", lambda match: model_name(match[0]), note)
    return f"{told[:1].upper()}{told[1:]}."


def source(record: Record) -> str:
    """Return on what it was measured, and when."""
    told = record["conditions"]
    processor = f"{shorten(told['cpu'], 60)}, {told['cores']} cores"
    machine = f"{told['accelerator']}; {processor}" if told["accelerator"] else processor
    short = " A short run: its numbers mean little." if told["short"] else ""
    return f"Measured on {machine}, {told['measured_at'][:10]}.{short}"
