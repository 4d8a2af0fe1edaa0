"""A console block as steps: what is typed, and what is shown to come back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.documents.markdown import Block

_PROMPT = "$ "
_ASSIGNMENT = re.compile(r"([A-Z_]+)=((?:\$\([^()]*\)|\S)*)\s+")
_LOOSE = re.compile(r"…|\b[0-9a-f]{12,64}\b|\d+\.\d{3,}(?:e-\d+)?|\s+")


@dataclass(frozen=True)
class Step:
    """One line that is typed.

    Attributes:
        line: as it is typed, on one line.
        output: what the document shows of its output; empty if it shows none.
    """

    line: str
    output: str = ""

    @property
    def assignments(self) -> dict[str, str]:
        """Variables that are set for this line alone, each with what the shell has to expand."""
        return dict(_leading(self.line)[0])

    @property
    def command(self) -> str:
        """The line without its variables."""
        return _leading(self.line)[1]

    @property
    def program(self) -> str:
        """Its first word."""
        return self.command.split()[0]


def steps(block: Block) -> list[Step]:
    """Return a console block's lines, each with the output that follows it."""
    found: list[Step] = []
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith(_PROMPT):
            found.append(Step(line.removeprefix(_PROMPT)))
        else:
            found[-1] = Step(found[-1].line, f"{found[-1].output}{line}\n")
    return found


def matches(shown: str, printed: str) -> bool:
    """Tell whether a command printed what a document shows.

    `…` stands for anything, one long number for another, one version for another, and white space
    for white space.
    """
    return re.fullmatch("".join(_parts(shown.strip())), printed.strip(), re.DOTALL) is not None


def _parts(shown: str) -> Iterator[str]:
    place = 0
    for loose in _LOOSE.finditer(shown):
        yield re.escape(shown[place : loose.start()])
        yield _pattern(loose[0])
        place = loose.end()
    yield re.escape(shown[place:])


def _pattern(loose: str) -> str:
    if loose == "…":
        return ".*"
    if loose.isspace():
        return r"\s+"
    return r"[0-9a-f]+" if "." not in loose else r"\d+(?:\.\d+)?(?:e-\d+)?"


def _leading(line: str) -> tuple[list[tuple[str, str]], str]:
    found = []
    while match := _ASSIGNMENT.match(line):
        found.append((match[1], match[2]))
        line = line[match.end() :]
    return found, line
