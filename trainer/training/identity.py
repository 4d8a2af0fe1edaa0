"""What a run is of, so that one run never passes for another, and how two of them differ.

Knows neither files nor tensors.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.artifact.changes import class_changes

Identity = Mapping[str, Any]
"""A JSON document: settings by name, `class_names`, digests, and lists of images as `IMAGES`."""

CLASSES = "class_names"
IMAGES = frozenset({"count", "names", "content"})
"""The keys of one list of images: how many, and the digests of its names and its bytes."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST = 4
"""Differences that are spelled out."""


def described(before: Identity, now: Identity) -> str:
    """Say in one short line what an earlier run had and this one has not; empty for the same.

    The line completes "this run was trained with".
    """
    found = list(_differences(before, now))
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(found[:_MOST]) + more


def _differences(before: Identity, now: Identity, above: str = "") -> Iterator[str]:
    for key in dict.fromkeys((*before, *now)):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            if old.keys() == new.keys() == IMAGES:
                yield _other_images(key.replace("_", " "), old, new)
            else:
                yield from _differences(old, new, f"{above}{key}.")
        elif key == CLASSES and old and new:
            yield f"other classes ({class_changes(old, new).described(3)})"
        else:
            yield f"{above}{key} {_brief(old)}, now {_brief(new)}"


def _other_images(what: str, before: Identity, now: Identity) -> str:
    if before["count"] != now["count"]:
        return f"{before['count']:,} {what}, now {now['count']:,}"
    is_listed_alike = before["names"] == now["names"]
    return f"other {what} ({'content or order' if is_listed_alike else 'names or labels'} changed)"


def _brief(value: object) -> str:
    text = str(value)
    return text[:12] if _DIGEST.fullmatch(text) else text[:40]
