"""The catalogue of errors: every class that a person can meet, its cause, its cure, its messages.

Cause and cure stand in the docstring of the class. Messages are read from the places in the code
where the class is made.
"""

import ast
import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from adapters.errors import SptError
from clients.errors import CLASS_OF, ClientError
from serving.errors import CODES, Refused
from serving.protocol import HTTP_STATUS, ErrorCode
from trainer.errors import TrainerError

ROOT = Path(__file__).parent.parent.parent
PACKAGES: Final = ("adapters", "trainer", "serving", "clients")
HOMES: Final = (
    "adapters.errors",
    "trainer.errors",
    "serving.errors",
    "clients.errors",
    "clients.demo.errors",
    "adapters.program:UsageError",
)
"""Where the classes are that a person can meet."""

ROOTS: Final = (SptError, TrainerError, ClientError, Refused)
"""Classes that are never raised themselves, or have the words of another one."""

_PARTS = re.compile(r"^(Cause|Cure): (.*?)(?=\n(?:Cause|Cure|Attributes):|\n\n|\Z)", re.M | re.S)
_WORD = re.compile(r"[a-z]{2,}", re.IGNORECASE)
_FEWEST_WORDS: Final = 3
"""A text of fewer only joins others, and nobody could search for it."""

_UNFORESEEN = "Anything else."
_FAULT = "A fault of ours, that nobody foresaw."
_FAULT_CURE = "The service's log has its traceback, at the time of the answer. Tell us of it."


class Said(NamedTuple):
    """What a docstring says of an error: one sentence, a cause, a cure."""

    what: str
    cause: str
    cure: str


class Made(NamedTuple):
    """A place where an error is made: its class as written there, its message, its file."""

    name: str
    message: str
    package: str


def classes() -> list[type[Exception]]:
    """Return every class that a person can meet, package by package, in the order of the files."""
    return [kind for home in HOMES for kind in _classes_of(home) if kind not in ROOTS]


def said(kind: type[Exception]) -> Said:
    """Return what the docstring of a class says.

    Raises:
        KeyError: it has no cause or no cure.
    """
    text = ast.get_docstring(ast.parse(f"class _:\n    {(kind.__doc__ or '')!r}").body[0]) or ""
    parts = {name: " ".join(words.split()) for name, words in _PARTS.findall(text)}
    return Said(text.splitlines()[0], parts["Cause"], parts["Cure"])


def messages(kind: type[Exception]) -> list[str]:
    """Return a class's messages, `…` for what differs, each once, in the order of the alphabet."""
    inside = kind.__module__.partition(".")[0]
    clients = inside == "clients"
    return sorted(
        {
            made.message
            for made in _made()
            if made.name == kind.__name__ and (made.package == "clients") == clients
        }
    )


def over_http() -> str:
    """Return a heading for each code, with the status, the client's class, causes and cures."""
    kinds: dict[ErrorCode, list[type[Exception]]] = {code: [] for code in ErrorCode}
    for kind, code in CODES.items():
        kinds[code].append(kind)
    return "\n\n".join(_code(code, kinds[code]) for code in ErrorCode)


def at_the_command_line() -> str:
    """Return a heading for each class of the command line, with cause, cure and messages."""
    return "\n\n".join(_class(kind) for kind in classes() if not issubclass(kind, ClientError))


def of_clients() -> str:
    """Return the same for the classes that `from clients import …` has."""
    return "\n\n".join(_class(kind) for kind in classes() if issubclass(kind, ClientError))


def _classes_of(home: str) -> list[type[Exception]]:
    module, _, only = home.partition(":")
    found = vars(import_module(module)).values()
    return [
        kind
        for kind in found
        if isinstance(kind, type)
        and issubclass(kind, Exception)
        and kind.__module__ == module
        and only in ("", kind.__name__)
    ]


def _code(code: ErrorCode, kinds: list[type[Exception]]) -> str:
    head = f"### {code}\n\n{HTTP_STATUS[code]}; in Python `{CLASS_OF[code].__name__}`.\n"
    told = [said(kind) for kind in kinds] or [Said(_UNFORESEEN, _FAULT, _FAULT_CURE)]
    return head + "\n" + _table(("what", "cause", "cure"), (map(_linked, one) for one in told))


def _class(kind: type[Exception]) -> str:
    what, cause, cure = said(kind)
    lines = [f"### {kind.__name__}", f"{what} {_code_of(kind)}".strip()]
    lines.append(_table(("cause", "cure"), [(_linked(cause), _linked(cure))]))
    if found := messages(kind):
        lines.append(_table(("message",), ([_plain(one)] for one in found)))
    return "\n\n".join(lines)


def _code_of(kind: type[Exception]) -> str:
    code = CODES.get(kind)
    return "" if code is None else f"Over HTTP: [`{code}`](#{code})."


def _linked(text: str) -> str:
    return re.sub(r"`docs/(\w+)\.md`", r"[\1](\1.md)", text)


def _plain(message: str) -> str:
    for sign, written in (("<", "&lt;"), (">", "&gt;"), ("*", r"\*"), ("|", r"\|")):
        message = message.replace(sign, written)
    return message


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@cache
def _trees() -> dict[Path, ast.Module]:
    """Return every module of ours, read once."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {path: ast.parse(path.read_text()) for path in files}


@cache
def _made() -> tuple[Made, ...]:
    return tuple(
        Made(ast.unparse(node.func).rpartition(".")[2], message, path.relative_to(ROOT).parts[0])
        for path, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and node.args and (message := _text(node.args[0]))
    )


def _text(node: ast.expr) -> str:
    """Return a text as it is written, with `…` for what is put into it; empty for no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = ("…" if isinstance(one, ast.FormattedValue) else _text(one) for one in node.values)
    text = "".join(parts)
    return text if len(_WORD.findall(text)) >= _FEWEST_WORDS else ""


@cache
def raised() -> tuple[tuple[str, str], ...]:
    """Return the name of each class that our code raises by name or by a function, and where."""
    return tuple(
        (makers.get(name, name), f"{path.relative_to(ROOT)}:{node.lineno}")
        for path, tree in _trees().items()
        for makers in [_makers(tree)]
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        for name in [ast.unparse(node.exc.func).rpartition(".")[2]]
    )


def _makers(tree: ast.Module) -> dict[str, str]:
    """Return what each function of a module returns, as it is written."""
    return {
        node.name: ast.unparse(node.returns).strip("'\"")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.returns is not None
    }
