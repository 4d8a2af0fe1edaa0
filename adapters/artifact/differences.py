"""What differs between two artifacts of a task, as fields with both values."""

from typing import Any, NamedTuple

from adapters.artifact.codec import Contents


class Difference(NamedTuple):
    """One field; None where an artifact does not have it."""

    field: str
    before: Any
    after: Any


def differences(before: Contents, after: Contents) -> list[Difference]:
    """Return every field of the metas and the shapes of tensors, where they differ.

    Class names are left to `class_changes`, and the card repeats what the fields say. Nested
    fields have names such as `recipe.optim.lr`; values are those of JSON.
    """
    old, new = _fields(before), _fields(after)
    return [
        Difference(field, old.get(field), new.get(field))
        for field in dict.fromkeys((*old, *new))
        if old.get(field) != new.get(field)
    ]


def _fields(contents: Contents) -> dict[str, Any]:
    shapes = {name: list(one.shape) for name, one in contents.tensors.items()}
    return {
        **{name: shapes.get(name) for name in ("prompts", "keys_values", "biases")},
        "num_parameters": sum(tensor.size for tensor in contents.tensors.values()),
        "num_samples": len(contents.meta.samples),
        **_flat(contents.meta.model_dump(mode="json", exclude={"task", "card", "samples"})),
    }


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in document.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {}
        fields |= inner or {f"{prefix}{key}": value}
    return fields
