"""What differs between two adapters of a task, as fields with both values."""

from typing import Any, NamedTuple

from adapters.vit.adapter import Adapter


class Difference(NamedTuple):
    """One field; None where an adapter does not have it."""

    field: str
    before: Any
    after: Any


def differences(before: Adapter, after: Adapter) -> list[Difference]:
    """Return every field of the metas and the shape of the prompts, where they differ.

    Class names are left to `class_changes`. Nested fields have names such as
    `recipe.optim.lr`; values are those of JSON.
    """
    old, new = _fields(before), _fields(after)
    return [
        Difference(field, old.get(field), new.get(field))
        for field in dict.fromkeys((*old, *new))
        if old.get(field) != new.get(field)
    ]


def _fields(adapter: Adapter) -> dict[str, Any]:
    prompts = None if adapter.prompts is None else list(adapter.prompts.shape)
    return {
        "prompts": prompts,
        "num_parameters": adapter.num_parameters,
        **_flat(adapter.meta.model_dump(mode="json", exclude={"task"})),
    }


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in document.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {}
        fields |= inner or {f"{prefix}{key}": value}
    return fields
