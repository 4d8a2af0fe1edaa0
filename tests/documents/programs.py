"""Whether a command of a document can be typed: read by the program's own parser, never run."""

import io
import re
import subprocess
import sys
import tomllib
from argparse import REMAINDER, ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

from adapters.errors import SptError
from serving.door.listing import parse_listing
from serving.door.request import parse_request
from serving.metrics.table import ROUTE
from tests.documents.console import Command

ROOT = Path(__file__).parent.parent.parent
MANAGEMENT = ("/models/spt", {"customized"})
_OTHER_PROTOCOLS = re.compile("/hf/[a-z0-9_-]+|/v2/models/[a-z0-9_-]+/infer")

_READ_BY_TORCHSERVE = """
from pathlib import Path
from ts.arg_parser import ArgParser
config = ArgParser.ts_parser().parse_args().ts_config
assert config is None or Path(config).is_file(), f"there is no {config}"
"""


class _Read(BaseException):
    """All words have been read. No Exception, so that no program of ours handles it."""


def read(entry: str, words: Sequence[str]) -> None:
    """Have a program read words as its command line, and stop there.

    Args:
        entry: what begins the program, such as `trainer.__main__:main`.
        words: what stands behind the program's name.

    Raises:
        ValueError: the program refused them; what it printed.
    """
    parse_args = ArgumentParser.parse_args

    def stop(parser: ArgumentParser, *args: Any, **kwargs: Any) -> Namespace:
        found = parse_args(parser, *args, **kwargs)
        if any(action.nargs == REMAINDER for action in parser._actions):
            return found  # it hands the rest on to the parser of one command
        raise _Read

    module, _, name = entry.partition(":")
    printed = io.StringIO()
    with (
        patch.object(ArgumentParser, "parse_args", stop),
        patch("sys.argv", [entry, *words]),
        redirect_stderr(printed),
        redirect_stdout(printed),
    ):
        try:
            getattr(import_module(module), name)()
        except _Read:
            return
        except SystemExit:
            pass
    raise ValueError(printed.getvalue().strip() or f"{entry} read nothing")


def console_scripts() -> dict[str, str]:
    """Return what `pip install` puts on the path: name and entry."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return dict(project.get("scripts", {}))


def check(command: Command) -> None:
    """Check that a command can be typed.

    Raises:
        ValueError: what is wrong with it.
    """
    for variable in command.variables:
        check_variable(variable)
    program, *words = command.words
    if program in console_scripts():
        read(console_scripts()[program], words)
    elif program in _PROGRAMS:
        _PROGRAMS[program](words)
    else:
        raise ValueError(f"{program}: expected one of {sorted({*console_scripts(), *_PROGRAMS})}")


def check_variable(name: str) -> None:
    """Check that something of ours reads a variable of the environment."""
    sources = [path for folder in ("adapters", "clients", "serving") for path in _code(folder)]
    if not any(f'"{name}"' in path.read_text() for path in sources):
        raise ValueError(f"{name}: nothing reads this variable")


def _code(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _python(words: list[str]) -> None:
    if words[:1] != ["-m"]:
        raise ValueError(f"python: expected -m, found {words[:1]}")
    module = words[1]
    face = module.replace(".", "/")
    runs = module if not (ROOT / face / "__main__.py").exists() else f"{module}.__main__"
    read(f"{runs}:main", words[2:])


def _torchrun(words: list[str]) -> None:
    from torch.distributed.run import get_args_parser  # noqa: PLC0415 (takes a second)

    asked = get_args_parser().parse_args(words)
    _python(["-m", asked.training_script, *asked.training_script_args])


def _make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        name, is_set, _ = word.partition("=")
        line = rf"^{name} \?=" if is_set else rf"^{name}:.*## "
        if not re.search(line, makefile, re.MULTILINE):
            raise ValueError(f"make {word}: the Makefile has no {name}")


def _curl(words: list[str]) -> None:
    url = urlsplit(next(word for word in words if word.startswith("http")))
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    if url.port == 8081:
        if (url.path, set(query)) != MANAGEMENT:
            raise ValueError(f"{url.path}?{url.query}: expected {MANAGEMENT}")
        return
    if url.path == ROUTE:
        return
    if url.path == "/spt/predict" and "list" in query:
        _parsed(parse_listing, query)
        return
    if _OTHER_PROTOCOLS.fullmatch(url.path) and not query.keys() - {"top_k"} and "-T" in words:
        return
    if url.path != "/spt/predict" or "-T" not in words:
        raise ValueError(f"{url.path}: expected -T and /spt/predict")
    _parsed(partial(parse_request, task_header=None), {**query, "body": b"an image"})


def _parsed(parse: Callable[[dict[str, Any]], object], row: dict[str, Any]) -> None:
    try:
        parse(row)
    except SptError as error:
        raise ValueError(str(error)) from error


def _torchserve(words: list[str]) -> None:
    # in another process: TorchServe leaves a file open when it is imported
    command = [sys.executable, "-c", _READ_BY_TORCHSERVE, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"torchserve: {done.stderr.strip()}")


def _export(words: list[str]) -> None:
    for word in words:
        check_variable(word.partition("=")[0])


_PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "curl": _curl,
    "export": _export,
    "make": _make,
    "python": _python,
    "torchrun": _torchrun,
    "torchserve": _torchserve,
}
