"""A folder in which a reader follows one page: its blocks are run there, one after the other."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from clients.cli import service_options, spt
from clients.defaults import DEFAULT_URL
from tests.documents.markdown import Block
from tests.documents.steps import Step, matches, steps

ROOT = Path(__file__).parent.parent.parent
LONGEST_S = 300.0

PORTS = ("127.0.0.1:8080", "127.0.0.1:8083")
"""Where pages have the service and its probes: with the ASGI front both are one."""

SHORTENED = {
    "bench": ("--seconds", "1"),
    "train": ("--set", "optim.epochs=2", "--set", "data.shots=8"),
}
"""Options that a command of `spt` gets here in place of what a document says."""


@dataclass
class Scene:
    """What stands in for what a reader has.

    Attributes:
        folder: the current one.
        url: of the service that is asked in place of the one on port 8080.
        before: how a command begins, and those that a reader has typed ahead of it on another
            day: once, for the first such command.
        names: what stands in the page, and what it is called here.
        port: that `spt serve` takes.
    """

    folder: Path
    url: str = ""
    before: dict[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    port: int = 0

    def run(self, block: Block) -> None:
        """Run a block.

        Raises:
            AssertionError: a command failed, or printed something else than the page shows.
        """
        if block.language == "python":
            assert self.printed_by(block.text), f"line {block.line}: it printed nothing"
            return
        for step in steps(block):
            for line in self._ahead_of(step.command):
                self._step(Step(line), block.line)
            self._step(step, block.line)

    def printed_by(self, program: str) -> str:
        """Run a program in Python; return what it printed."""
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(self._here(program), {})
        return printed.getvalue()

    def _ahead_of(self, command: str) -> Sequence[str]:
        beginning = next((one for one in self.before if command.startswith(one)), None)
        return () if beginning is None else self.before.pop(beginning)

    def _step(self, step: Step, line: int) -> None:
        code, printed = self._typed(step)
        told = f"line {line}: {step.line}\nprinted: {printed}"
        assert code == 0, f"{told}\nexit code {code}"
        assert not step.output or matches(step.output, printed), f"{told}\nshown: {step.output}"

    def _typed(self, step: Step) -> tuple[int, str]:
        if step.program == "export":
            name, _, value = step.command.partition("  #")[0].split(" ", 1)[1].partition("=")
            os.environ[name] = self._expanded(value)[0]
            return 0, ""
        if step.program == "make":
            return _shell(step.line.replace("make ", "make --dry-run ", 1), ROOT)
        if step.program == "spt" and "|" not in step.line:
            return self._spt(step)
        return _shell(self._here(step.line), self.folder)

    def _spt(self, step: Step) -> tuple[int, str]:
        words = self._expanded(self._here(step.command))[1:]
        variables = {n: self._expanded(raw)[0] for n, raw in step.assignments.items()}
        words += SHORTENED.get(words[0], ())
        if words[0] == "serve":  # it leaves processes behind, and would leave them ours
            return _serve([*words, "--port", str(self.port)], variables)
        printed = io.StringIO()
        with (
            patch.dict(os.environ, variables),
            patch.object(service_options, "DEFAULT_URL", self.url or DEFAULT_URL),
            redirect_stdout(printed),
            redirect_stderr(printed),
        ):
            try:
                code = spt.main(words)
            except SystemExit as left:
                code = int(left.code or 0)
        return code, printed.getvalue()

    def _here(self, text: str) -> str:
        """Return a text of the page with what things are called here."""
        here = self.url.removeprefix("http://")
        addresses = dict.fromkeys(PORTS, here) if here else {}
        for name, real in {**addresses, **self.names}.items():
            text = text.replace(name, real)
        return text

    def _expanded(self, words: str) -> list[str]:
        """Return words as a shell expands them."""
        code, printed = _shell(f"printf '%s\\0' {words}", self.folder)
        assert code == 0, printed
        return printed.removesuffix("\0").split("\0")


@contextlib.contextmanager
def entered(folder: Path) -> Iterator[None]:
    """Be in a folder, in a terminal of a known width; what is exported ends with it."""
    with contextlib.chdir(folder), patch.dict(os.environ, COLUMNS="100"):
        for name in ("REDIS_URL", "SPT_API_KEY", "SPT_TOKEN_FILE"):
            os.environ.pop(name, None)
        yield


def _shell(line: str, folder: Path) -> tuple[int, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=folder,
        env=dict(os.environ) | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _serve(words: Sequence[str], variables: Mapping[str, str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "clients.cli.spt", *words]
    log = Path("serve.txt")
    with log.open("w") as printed:
        code = subprocess.run(
            command,
            env=dict(os.environ) | dict(variables) | {"PYTHONPATH": str(ROOT)},
            stdout=printed,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_S,
            check=False,
        ).returncode
    return code, log.read_text()
