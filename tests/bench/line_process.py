"""Processes that are told what to do by lines, and answer each with a number."""

import subprocess
import sys
from collections.abc import Callable, Mapping

import psutil


class LineProcess:
    """A module that runs as a process of its own, until it is closed.

    Args:
        module: its name; it calls `answer_lines`.
        arguments: of its command line.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._times = psutil.Process(self._process.pid)
        self.name = " ".join([module, *arguments])

    @property
    def cpu_s(self) -> float:
        """Processor seconds of all its threads until now."""
        used = self._times.cpu_times()
        return used.user + used.system

    def tell(self, line: str) -> None:
        """Tell it to do something; `read` has the answer."""
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)

    def read(self) -> float:
        """Wait for the answer to the oldest line that has none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended; it said why above")
        return float(line)

    def ask(self, line: str) -> float:
        """Tell it to do something, and wait for the answer."""
        self.tell(line)
        return self.read()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def answer_lines(answers: Mapping[str, Callable[..., float]]) -> None:
    """Answer lines of the standard input until it ends.

    Args:
        answers: by a line's first word; the other words are what they are called with.
    """
    for line in sys.stdin:
        word, *arguments = line.split()
        print(answers[word](*arguments), flush=True)
