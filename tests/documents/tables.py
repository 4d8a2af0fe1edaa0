"""Tables of the documents, made from the code and from what it was seen to do."""

import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, IPvAnyAddress
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from adapters.program import Table
from clients.cli.spt import PACKAGES
from serving.config import ServingConfig, TrustedKeyFile
from serving.door.tenants import Tenant
from serving.errors import CODES
from serving.launch.launch import Launch
from serving.metrics.table import METRICS, Entry
from serving.protocol import HTTP_STATUS, ErrorCode
from trainer.methods.table import EVERY_METHOD, METHODS
from trainer.recipe import Recipe

_FAULTS = Path(__file__).parent.parent / "faults" / "results" / "summary.json"
_KINDS = {
    str: "text",
    Path: "path",
    int: "whole number",
    float: "number",
    TrustedKeyFile: "trusted key",
    IPvAnyAddress: "IP address",
}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def settings() -> str:
    """Return every setting of a service."""
    return _fields(ServingConfig)


def launch() -> str:
    """Return every setting of one start."""
    return _fields(Launch)


def tenants() -> str:
    """Return every field of a tenant."""
    return _fields(Tenant)


def trusted() -> str:
    """Return every field of a trusted key."""
    return _fields(TrustedKeyFile)


def recipe() -> str:
    """Return every setting of a recipe that `--set` takes."""
    rows = [line for line in _rows(Recipe) if line[0] != "`task`"]
    return _table(("setting", "value", "default", "meaning"), rows)


def statuses() -> str:
    """Return every code, its status, and the first sentence of each error that has it."""
    causes: dict[ErrorCode, list[str]] = {code: [] for code in ErrorCode}
    for error, code in CODES.items():
        causes[code].append((error.__doc__ or "").splitlines()[0].rstrip("."))
    causes[ErrorCode.INTERNAL].append("Anything else; the log says why")
    rows = (
        (HTTP_STATUS[code], f"[`{code}`](errors.md#{code})", "; or: ".join(said))
        for code, said in causes.items()
        if said
    )
    return _table(("status", "code", "when"), sorted(rows))


def metrics() -> str:
    """Return every metric, its kind and its labels."""
    rows = (
        (f"`{_with_labels(name, entry)}`", entry.kind, entry.meaning)
        for name, entry in METRICS.items()
    )
    return _table(("metric", "kind", "says"), rows)


def _with_labels(name: str, entry: Entry) -> str:
    return f"{name}{{{','.join(entry.labels)}}}" if entry.labels else name


def methods() -> str:
    """Return every method: what it trains, its source, and whether it is served."""
    rows = (
        (f"`{name}`", method.parts, method.source, method.serving)
        for name, method in METHODS.items()
    )
    return _table(("method", "trained, with the head", "source", "served"), rows)


def differences() -> str:
    """Return of every method what is not as in its authors' code, those with the same together."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {("", EVERY_METHOD): ["all of them"]}
    for name, method in METHODS.items():
        alike.setdefault((method.code, method.differences), []).append(f"`{name}`")
    rows = (
        (*((", ".join(named), code) if i == 0 else ("", "")), *_difference(one))
        for (code, found), named in alike.items()
        for i, one in enumerate(found)
    )
    return _table(("method", "compared with", "what differs by default", "as there"), rows)


def _difference(text: str) -> tuple[str, str]:
    """Return what differs, and the settings behind it."""
    what, colon, settings = text.partition(": `")
    return what, f"`{settings}" if colon else ""


def commands() -> str:
    """Return every command of `spt`, and what it does."""
    rows = (
        (f"`spt {name}`", command.summary, table.title)
        for table in command_tables()
        for name, command in table.commands.items()
    )
    return _table(("command", "does", "part"), rows)


def faults() -> str:
    """Return what was broken, what was seen of it, and whether that was as hoped for."""
    rows = (
        (row["fault"], _seen(row), "yes" if row["holds"] else "**no**")
        for row in json.loads(_FAULTS.read_text())
    )
    return _table(("fault", "seen", "held"), rows)


def _seen(row: dict[str, Any]) -> str:
    happened = [
        f"{count:,} {what}" for what, count in row["conditions"]["must_be_0"].items() if count
    ]
    return "; ".join([row["figure"], *happened])


def command_tables() -> list[Table]:
    """Return the commands of `spt`, package by package."""
    return [import_module(f"{package}.cli").TABLE for package in PACKAGES]


def _fields(model: type[BaseModel]) -> str:
    return _table(("setting", "value", "default", "meaning"), _rows(model))


def _rows(
    model: type[BaseModel], prefix: str = "", given: BaseModel | None = None
) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row per field; `given` has the values that take the place of the model's defaults."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _rows(kind, f"{prefix}{name}.", field.default)
        else:
            default = _default(field, field.default if given is None else getattr(given, name))
            yield f"`{prefix}{name}`", _value(field), default, field.description or ""


def _value(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(limit, key):,}"
        for limit in field.metadata
        for key, sign in _BOUNDS.items()
        if hasattr(limit, key)
    ]
    return " ".join([_kind(field.annotation), ", ".join(bounds)]).strip()


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is bool:
        return "`true`, `false`"
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in args)
    if origin in (Union, UnionType):
        return " or ".join(_kind(arg) for arg in args if arg is not type(None))
    if origin is tuple and args[-1] is Ellipsis:
        return f"list of {_kind(get_args(args[0])[0] if get_args(args[0]) else args[0])}s"
    if origin is tuple:
        return f"{len(args)} {_kind(args[0])}s"
    return "keys and values" if origin is dict else _KINDS[annotation]


def _default(field: FieldInfo, default: Any) -> str:
    if field.default_factory is not None:
        return "see meaning"
    if default is PydanticUndefined:
        return "required"
    if default is None or default in ((), {}):
        return "none"
    if isinstance(default, tuple):
        return ", ".join(f"`{one}`" for one in default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
