"""The front as a command: what is wrong is said in one line, and nothing is left behind."""

import socket
from pathlib import Path

import pytest

from serving import asgi
from serving.front.processes import Service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = tmp_path / "model_store" / "spt" / "model-config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("spt: {front_workers: 3, max_batch: 4}")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, port: int) -> None:
    monkeypatch.setattr("sys.argv", ["serving.asgi", str(folder), "--port", str(port)])
    asgi.main()


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "expected the folder of a launch"), ("spt: {batch_sise: 2}", "batch_sise")],
)
def test_a_wrong_configuration_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, folder: Path, text: str | None, told: str
) -> None:
    config = folder / "model_store" / "spt" / "model-config.yaml"
    config.unlink()
    if text is not None:
        config.write_text(text)
    with pytest.raises(SystemExit, match=told):
        run(monkeypatch, folder, 1)
    assert [path.name for path in folder.iterdir()] == ["model_store"]


def test_a_taken_port_is_told_and_nothing_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"port {port}: Address already in use"):
            run(monkeypatch, folder, port)
    assert [path.name for path in folder.iterdir()] == ["model_store"]


def test_as_many_processes_as_front_workers_take_callers(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    served: list[Service] = []
    monkeypatch.setattr(asgi, "serve", served.append)
    run(monkeypatch, folder, 1234)
    assert [(one.port, one.processes) for one in served] == [(1234, 3)]
    assert [path.name for path in folder.iterdir()] == ["model_store"]


def test_a_process_that_cannot_load_tells_uvicorn_that_another_one_would_fail_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = folder / "model_store" / "spt" / "model-config.yaml"
    config.write_text("spt: {backbone: resnet50}")
    with pytest.raises(SystemExit) as caught:
        asgi.create_app(folder, None)
    assert caught.value.code == 3
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "resnet50" in said
