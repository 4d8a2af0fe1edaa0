"""The ASGI front as a launch's front: begun, asked whether it is ready, told to end."""

import json
import secrets
import sys
import tempfile
import time
import urllib.error
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

import psutil
import yaml

from serving.errors import LaunchError
from serving.health.stop_mark import StopMark
from serving.launch.front import Begun
from serving.launch.launch import SETTINGS, Launch, config_of, environment, section_of
from serving.launch.loopback import ask
from serving.launch.private_file import write_private
from serving.launch.processes import leave_behind, lines_since, size_of
from serving.launch.running import LOGS, Running, created
from serving.launch.token_file import Kind, token_file

LOG: Final = "front.log"
"""Among a launch's logs: what its front says."""

_CRASHES_ENOUGH: Final = 2
"""A process that ended once while it loaded may have met a passing trouble; another one begins."""

_ERROR: Final = "error: "
_PATIENCE_S: Final = 5.0
_LEAVE_S: Final = 2.0
"""What the front takes to send callers away, before it waits for those who have asked."""


class AsgiFront:
    """A `Front`."""

    def ports(self, launch: Launch) -> list[int]:
        """Return the one port, for callers and probes."""
        return [launch.ports[0]]

    def configure(self, launch: Launch) -> None:
        """Write the launch's settings."""
        section = {"spt": section_of(launch, config_of(launch))}
        path = launch.folder / SETTINGS
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(section, sort_keys=False), encoding="utf-8")

    def begin(self, launch: Launch) -> Begun:
        """Start the process that starts and watches the others."""
        folder, port = launch.folder.resolve(), launch.ports[0]
        host = str(launch.host)
        token = _make_token(folder) if launch.token else None
        command = [sys.executable, "-P", "-m", "serving.asgi", str(folder), "--port", str(port)]
        command += ["--host", host, "--drain-s", str(launch.drain_s)]
        if token is not None:
            command += ["--token-file", str(token)]
        scratch, log = Path(tempfile.mkdtemp(prefix="spt-")), folder / LOGS / LOG
        said = size_of(log)
        pid = leave_behind(command, log, environment(launch, scratch))
        running = Running(
            url=f"http://{_reached(launch.host)}:{port}",
            front="asgi",
            front_process=pid,
            processes={pid: created(pid)},
            scratch=scratch,
            redis_url=launch.redis_url,
            token_file=token,
            drain_s=launch.drain_s,
        )
        return Begun(running, partial(_check, running, log, said))

    def preloaded(self, launch: Launch) -> tuple[str, ...]:
        """Return what the device process imports, where there is one."""
        return ("serving.device.process",) if launch.front_workers else ()

    def why_not_ready(self, folder: Path, running: Running) -> str | None:
        """Return what the front says of itself."""
        try:
            ask(f"{running.url}/readyz", {}, _PATIENCE_S)
        except urllib.error.HTTPError as error:
            return _reason(error.read())
        except (OSError, ValueError):
            return "no front answers"
        return None

    def drain(self, running: Running, mark: StopMark) -> None:
        """Tell the front to end, and wait until it has: it answers whoever has asked."""
        limit_s = running.drain_s + _LEAVE_S
        began_at = time.monotonic()
        for process in running.alive():
            if process.pid == running.front_process:
                process.terminate()
                psutil.wait_procs([process], timeout=limit_s + _PATIENCE_S)
        if time.monotonic() - began_at > limit_s:
            raise TimeoutError(f"not all requests were answered in {running.drain_s:g} s")

    def rotate(self, folder: Path, running: Running, kind: Kind) -> Path:
        """Replace the token that callers send."""
        if kind != "inference":
            raise LaunchError(f"the ASGI front has no {kind} token; rotate that of inference")
        try:
            return _make_token(folder)
        except OSError as error:
            raise LaunchError(
                f"{token_file(folder)}: no new token is made ({error.strerror}); make room on the "
                "disk, or check whose folder it is"
            ) from error

    def forget(self, folder: Path) -> None:
        """Delete the token."""
        token_file(folder).unlink(missing_ok=True)


def _reached(host: IPv4Address | IPv6Address) -> str:
    """Return where this machine reaches a service that listens there, as a URL has it."""
    if host.is_unspecified:
        return "127.0.0.1" if host.version == 4 else "[::1]"
    return str(host) if host.version == 4 else f"[{host}]"


def _make_token(folder: Path) -> Path:
    path = token_file(folder)
    write_private(path, secrets.token_urlsafe())
    return path


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["reason"])
    except (ValueError, KeyError, TypeError):
        return "something else answers at its port"


def _check(running: Running, log: Path, begin: int) -> None:
    """Raise LaunchError, with what the log tells since then, if it is in vain to wait."""
    lines = [line for line in lines_since(log, begin) if line.strip()]
    crashes = sum(line.startswith("Traceback ") for line in lines)
    if running.alive() and crashes < _CRASHES_ENOUGH:
        return
    errors = [line.removeprefix(_ERROR) for line in lines if line.startswith(_ERROR)]
    said = [*errors, *lines[-1:], "it said nothing"][0]
    raise LaunchError(f"the front cannot begin: {said}; see {log}")
