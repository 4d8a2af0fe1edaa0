"""A console block as the commands that a reader would type; what is no command is output."""

import re
import shlex
from dataclasses import dataclass

from tests.documents.markdown import Block

_PROMPT = "$ "
_SUBSTITUTION = re.compile(r"\$\([^()]*\)")
_VARIABLE = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True)
class Command:
    """One program with its words, and the variables that are set for it alone."""

    words: tuple[str, ...]
    variables: tuple[str, ...] = ()


def commands(block: Block) -> list[Command]:
    """Return a console block's commands, those of a pipe one by one."""
    typed = block.text.replace("\\\n", " ")
    lines = [line.removeprefix(_PROMPT) for line in typed.splitlines() if line.startswith(_PROMPT)]
    return [_command(part) for line in lines for part in _pipe(line)]


def _pipe(line: str) -> list[list[str]]:
    """Return the words of each program of a line; what `$(…)` prints is one word."""
    lexer = shlex.shlex(_SUBSTITUTION.sub("printed", line), posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if word == "|":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _command(words: list[str]) -> Command:
    count = 0
    while count < len(words) and _VARIABLE.match(words[count]):
        count += 1
    return Command(tuple(words[count:]), tuple(word.partition("=")[0] for word in words[:count]))
