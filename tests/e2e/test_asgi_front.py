"""The ASGI front as processes of its own: killed, told to end under load, and asked meanwhile."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from adapters.vit.backbone import load_backbone
from clients.client import Client
from clients.connection import blocking_http, transport_errors
from clients.errors import BadKey, ClientError, ServiceUnreachable
from serving.launch.launch import free_ports
from tests.fakes import hostile
from tests.fakes.artifacts import make_adapter
from tests.fakes.waiting import wait_until

IMAGE = hostile.jpeg(hostile.photo())
CALLERS = 8
LOADS_S = 240.0


class Front:
    """What runs in a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.token_file = folder / "token"
        command = [sys.executable, "-m", "serving.asgi", str(folder), "--port", str(port)]
        command += ["--token-file", str(self.token_file), "--drain-s", "60"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def is_ready(self) -> bool:
        assert self.process.poll() is None
        try:
            with blocking_http(self.url, 5) as http, transport_errors(self.url):
                return http.get("/readyz").status_code == 200
        except ServiceUnreachable:
            return False

    def worker(self) -> psutil.Process:
        """Return the process that answers: it has loaded the backbone, the other child has not."""
        children = psutil.Process(self.process.pid).children()
        return max(children, key=lambda child: child.memory_info().rss)

    def kill(self) -> None:
        """End what is left of it."""
        if self.process.poll() is None:
            for process in psutil.Process(self.process.pid).children(recursive=True):
                process.kill()
            self.process.kill()
            self.process.wait()

    def client(self) -> Client:
        return Client(self.url, timeout_s=120, token_file=self.token_file)


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    adapter = make_adapter("pets", backbone=load_backbone(EMBEDDED).spec)
    DirectoryStore(tmp_path / "store").publish(encode(adapter))
    config = tmp_path / "model_store" / "spt" / "model-config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"spt": {"store": str(tmp_path / "store")}}))
    (tmp_path / "token").write_text("secret")
    front = Front(tmp_path, free_ports(1)[0])
    try:
        wait_until("it is ready", front.is_ready, timeout_s=LOADS_S)
        yield front
    finally:
        front.kill()


@pytest.mark.timeout(900)
def test_a_process_that_is_killed_is_followed_by_another(front: Front) -> None:
    with front.client() as client:
        before = client.predict(IMAGE, task="pets")
    with Client(front.url) as stranger, pytest.raises(BadKey):
        stranger.predict(IMAGE, task="pets")
    front.worker().kill()
    wait_until("it is not ready", lambda: not front.is_ready())
    wait_until("another one is", front.is_ready, timeout_s=LOADS_S)
    with front.client() as client:
        assert client.predict(IMAGE, task="pets") == before


@pytest.mark.timeout(900)
def test_told_to_end_under_load_it_answers_whoever_was_let_in(front: Front) -> None:
    told = Counter[str]()
    ends = threading.Event()

    def ask() -> None:
        with front.client() as client:
            while not ends.is_set():
                try:
                    client.predict(IMAGE, task="pets")
                    told["answered"] += 1
                except ServiceUnreachable as error:
                    told["refused" if "refused" in str(error) else str(error)] += 1
                    return
                except ClientError as error:
                    told[str(error)] += 1

    callers = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    wait_until("all have been answered", lambda: told["answered"] > 4 * CALLERS)
    front.process.terminate()
    assert front.process.wait(120) == 0
    for caller in callers:
        caller.join(120)
    ends.set()
    assert told.keys() == {"answered", "refused"}
    assert told["refused"] == CALLERS
