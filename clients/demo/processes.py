"""The other parts as child processes: started, watched and ended, whatever happens.

Knows nothing of what they do. Each child is in its own session, so that Ctrl-C reaches only
the demo, which then ends its children in order.
"""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from rich.console import Console

from clients.demo.errors import DemoError

_PATIENCE_S: Final = 40.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_child(console: Console, *words: str) -> None:
    """Run `python -m <words>`; what it prints goes straight to this terminal.

    Raises:
        DemoError: it ended with another status than 0.
    """
    _announce(console, words)
    process = subprocess.Popen(_command(words), **_settings())
    with _ended_on_error(process):
        _check(words, process.wait())


def relay_child(console: Console, waiting: str, *words: str) -> None:
    """Run `python -m <words>`; print its lines below a sign that it is still at work.

    Raises:
        DemoError: it ended with another status than 0.
    """
    _announce(console, words)
    process = subprocess.Popen(_command(words), stdout=subprocess.PIPE, text=True, **_settings())
    with _ended_on_error(process), console.status(waiting):
        for line in process.stdout or ():
            console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
        _check(words, process.wait())


async def child_output(*words: str, redis_url: str | None = None) -> str:
    """Run `python -m <words>` next to the event loop and return what it printed.

    Args:
        words: the module and its arguments.
        redis_url: where it announces what it publishes.

    Raises:
        DemoError: it ended with another status than 0.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(words), stdout=asyncio.subprocess.PIPE, **_settings(redis_url)
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    _check(words, process.returncode or 0)
    return output.decode()


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Let a request to end, or a terminal that closes, do what Ctrl-C does; once, then be deaf.

    What is ignored here, as Ctrl-C is in the background, stays so, but children do not inherit
    it: they must hear when the demo ends them.
    """
    heard: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        heard.append(number)
        if len(heard) == 1:
            raise KeyboardInterrupt

    ignored = tuple(n for n in _SIGNALS if signal.getsignal(n) is signal.SIG_IGN)
    others = tuple(n for n in _SIGNALS if n not in ignored)
    with _handled(interrupt, others), _handled(_go_on, ignored):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Go on through signals: what runs here leaves nothing behind."""
    with _handled(_go_on, _SIGNALS):
        yield


def _go_on(_: int, __: FrameType | None) -> None:
    """Ignore a signal without children inheriting that."""


@contextmanager
def _handled(handler: Any, numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def _ended_on_error(process: subprocess.Popen[Any]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with undisturbed():
            _end(process)
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()


def _end(process: subprocess.Popen[Any]) -> None:
    """Interrupt first: a command that is interrupted ends what it started itself."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _announce(console: Console, words: tuple[str, ...]) -> None:
    line = shlex.join(["python", "-m", *words])
    console.print(f"$ {line}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _command(words: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", *words]


def _settings(redis_url: str | None = None) -> dict[str, Any]:
    environment = {k: v for k, v in os.environ.items() if k != "REDIS_URL"}  # never a person's own
    if redis_url is not None:
        environment["REDIS_URL"] = redis_url
    return {"env": environment, "stdin": subprocess.DEVNULL, "start_new_session": True}


def _check(words: tuple[str, ...], status: int) -> None:
    if status:
        raise DemoError(
            f"python -m {shlex.join(words)}: expected exit status 0, found {status}; "
            "its own message is above"
        )
