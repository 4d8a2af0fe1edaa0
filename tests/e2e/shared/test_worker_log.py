"""What the worker warns of, and why it failed, is in the log that its launch names."""

import json
from pathlib import Path

import pytest

from adapters.ports import free_ports
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from clients.errors import ServerFault
from serving.errors import LaunchError
from serving.launch.launch import Launch
from serving.launch.running import is_recorded
from serving.service import start
from tests.e2e.service import IMAGES, REDIS_PASSWORD, TASKS, Service
from tests.fakes.artifacts import make_adapter
from tests.fakes.waiting import wait_until

LINE = "ERROR serving.errors: task spoilt: "


def test_the_log_says_why_a_request_met_500(service: Service) -> None:
    store = service.source.store
    pointer = store.publish(encode(make_adapter("spoilt", backbone=service.backbone.spec)))
    artifact = store.files.artifact("spoilt", pointer.version)
    artifact.chmod(0o600)
    artifact.write_bytes(artifact.read_bytes()[:-1])
    with service.client() as client, pytest.raises(ServerFault, match="damaged") as caught:
        client.predict(IMAGES[0], task="spoilt")
    wait_until("the log says so", lambda: LINE in service.log.read_text())
    assert str(artifact) in service.log.read_text()
    assert f"[request {caught.value.request_id}]" in service.log.read_text()


def test_the_log_says_that_redis_is_gone_and_back_without_its_password(
    service: Service,
) -> None:
    begin = len(service.log.read_text())
    service.redis.stop()
    with service.client() as client:
        client.predict(IMAGES[0], task=TASKS[0])
    wait_until("Redis is missed", lambda: "going on" in service.log.read_text()[begin:])
    service.redis.start()
    wait_until("Redis is found", lambda: "again" in service.log.read_text()[begin:])
    assert REDIS_PASSWORD not in service.log.read_text()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_worker_that_cannot_load_ends_the_start_with_its_reason(
    tmp_path: Path, log_format: str
) -> None:
    launch = Launch(
        folder=tmp_path / "serve",
        store=tmp_path / "store",
        ports=free_ports(3),
        settings={
            "backend": "onnx",
            "onnx": str(tmp_path / "nothing"),
            "log_format": log_format,
        },
    )
    DirectoryStore(launch.store)
    with pytest.raises(LaunchError, match=r"cannot load: .*nothing.*torchserve\.log"):
        start(launch)
    assert not is_recorded(launch.folder)
    if log_format == "json":
        lines = (launch.folder / "logs" / "torchserve.log").read_text().splitlines()
        assert all(json.loads(line)["message"] for line in lines)
