"""A store's history and its changes, by our own commands in processes of their own.

So a change is checked, logged and announced exactly as if it were typed. Knows no store itself.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clients.playground.messages import Refused

_TASK: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PATIENCE_S: Final = 120.0
_WHY: Final = ("--why", "from the playground")


class Move(BaseModel):
    """A change that a person has confirmed, and the sequence of the task that they saw."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Literal["promote", "rollback", "end canary"]
    task: Annotated[str, Field(pattern=f"^{_TASK.pattern}$")]
    sequence: Annotated[int, Field(ge=1)]
    version: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None


class StoreCommands:
    """Runs the commands of one store.

    Args:
        folder: of the store.
    """

    def __init__(self, folder: Path) -> None:
        self._options = ("--store", str(folder), "--json")

    def about(self, task: str) -> dict[str, Any]:
        """Return `{"log": …, "shown": …}`: what `spt log` and `spt show` print of a task.

        Raises:
            Refused: there is no such task, or the store cannot be read.
        """
        if not _TASK.fullmatch(task):
            raise Refused(400, "bad_parameter", f"expected a task's id, found {task[:80]!r}")
        with self._begin("log", task) as log, self._begin("show", task) as shown:
            return {"log": _end(log)[0], "shown": _end(shown)[0]}

    def make(self, body: bytes) -> dict[str, Any]:
        """Make a change, and return `{"pointer": …, "note": …}`: which versions answer now.

        Args:
            body: a `Move` as JSON.

        Raises:
            Refused: it is none, or the command has refused it; what it said.
        """
        try:
            move = Move.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "body"
            raise Refused(400, "bad_parameter", f"{where}: {first['msg']}") from error
        pointer, note = _end(self._begin(*_words(move), *_WHY))
        return {"pointer": pointer, "note": note}

    def _begin(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "adapters", *words, *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C ends the playground, not a change that is being made
        )


def _words(move: Move) -> tuple[str, ...]:
    expected = ("--expect-sequence", str(move.sequence))
    if move.what == "rollback":
        return "rollback", move.task, *expected
    if move.what == "end canary":
        return "canary", move.task, "--end", *expected
    return "promote", move.task, *(() if move.version is None else (move.version,)), *expected


def _end(process: "subprocess.Popen[str]") -> tuple[Any, str]:
    """Wait for a command; return what it printed for programs, and what it said to people.

    Raises:
        Refused: it printed nothing for programs, because of what it said; or it takes too long.
    """
    try:
        printed, said = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise Refused(
            504, "command_slow", f"the command did not end within {_PATIENCE_S:.0f} s"
        ) from error
    said = said.strip()
    try:
        return json.loads(printed), said
    except ValueError as error:
        reason = said.rpartition("error: ")[2] or f"the command ended with {process.returncode}"
        raise Refused(409, "command_refused", reason) from error
