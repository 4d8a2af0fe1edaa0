"""The worker's way into TorchServe's log, and what that log says of a worker that died."""

import json
import logging
import re
from itertools import pairwise
from pathlib import Path
from typing import Final

from serving.launch.processes import lines_since, size_of
from serving.launch.running import CONSOLE, LOGS
from serving.tracing.lines import LogFormat, lines_of

_DEATH: Final = "Backend worker process died."
"""What TorchServe's worker logs, above the traceback, when loading failed."""

_LOGGER: Final = "MODEL_LOG"
_FROM_WORKER: Final = f" {_LOGGER} - "

_ALWAYS_SAID: Final = "Warning: TorchServe is using non-default JVM parameters"

_FAULT: Final = re.compile(r"(?i)^(error|exception in|caused by|\S*(error|exception):)|not found")
"""How the console's line begins, or what it says, that names why Java did not begin."""

_UNFIT: Final = re.compile(r"start java frontend failed: .*?Error\(\d+, '([^']*)'")
"""How TorchServe says that the system does not run what is called java."""

_FEW: Final = 4
"""Lines that Java says when an option of it is wrong."""


class ServiceLog:
    """A launch's log, from now on.

    Args:
        folder: of the launch.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOGS / "torchserve.log"
        self._console = folder / CONSOLE
        self._begin = size_of(self.path)
        self._console_begin = size_of(self._console)

    @property
    def places(self) -> str:
        """Where a person reads on: the log, and what Java said before it began."""
        return f"{self.path} and {self._console}"

    def deaths(self) -> list[str]:
        """Return the error that each worker died of while it loaded, the oldest first."""
        lines = lines_since(self.path, self._begin)
        said = [text for line in lines for text in _said_by_worker(line)]
        starts = [i for i, line in enumerate(said) if line.endswith(_DEATH)]
        errors = [_error(said[start:end]) for start, end in pairwise([*starts, len(said)])]
        return [error for error in errors if error is not None]

    def console_fault(self) -> str:
        """Return what the console says of why Java did not begin.

        All of it if that is little, for the first lines name the option or variable at fault; else
        the first line that names a fault, or the last line.
        """
        said = lines_since(self._console, self._console_begin)
        lines = [
            line.strip() for line in said if line.strip() and not line.startswith(_ALWAYS_SAID)
        ]
        if not lines:
            return "Java said nothing; does 'java -version' run, that of JAVA_HOME if it is set?"
        if unfit := _UNFIT.search(" ".join(lines)):
            return f"Java is no program for this machine ({unfit[1]}); correct or unset JAVA_HOME"
        if len(lines) <= _FEW:
            return "; ".join(lines)
        return next((line for line in lines if _FAULT.search(line)), lines[-1])


def _said_by_worker(line: str) -> list[str]:
    """Return what a worker says by a line of the log: one line as a rule, a traceback as several.

    In a log of JSON a worker's own lines stay as they are, and what else it says is quoted.
    """
    if not line.startswith("{"):
        return [line.partition(_FROM_WORKER)[2]] if _FROM_WORKER in line else []
    try:
        said = json.loads(line)
    except ValueError:  # not all of it is written yet
        return []
    if "exception" in said:
        return [said["message"], *said["exception"].splitlines()]
    return [said["message"]] if said.get("logger") == _LOGGER else []


def _error(said: list[str]) -> str | None:
    """Return the line that names the error of a traceback, of the last if several are chained.

    None until it is written: the log may be read in the middle of a traceback.
    """
    error, in_traceback = None, False
    for line in said:
        if line.startswith("Traceback "):
            in_traceback = True
        elif in_traceback and line and not line.startswith(" "):
            error, in_traceback = line, False
    return error


def log_warnings(log_format: LogFormat = "text") -> None:
    """Send warnings and errors of the whole process to standard error, too.

    TorchServe's worker sends every record to standard output, which TorchServe writes down as
    information, and our log4j2.xml drops; standard error it writes down as warnings, line by
    line, tracebacks included.
    """
    handler = logging.lastResort
    if handler is not None:
        handler.setFormatter(lines_of(log_format))
        logging.getLogger().addHandler(handler)
