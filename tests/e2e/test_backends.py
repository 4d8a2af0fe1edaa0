"""A service whose trunk runs in ONNX Runtime answers what the engine of this process answers.

Told to end by the command, it answers everybody it let in, and refuses the others cleanly.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ports import free_ports
from clients.load.closed import Ask
from serving.__main__ import main
from serving.inference.engine import Engine, Query
from serving.launch.launch import Launch
from serving.protocol import Answer
from serving.service import start, stop, why_not_ready
from tests.e2e.service import TASKS, Load, Published, Service, asks, assert_drained
from tests.fakes.waiting import wait_until


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The command's export, and what it said."""
    folder, said = tmp_path_factory.mktemp("exported") / "onnx", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.cli.export.say", said.append)
        assert main(["export", "--out", str(folder)]) == 0
    return folder, "\n".join(said)


@pytest.fixture(scope="module")
def served(published: Published, exported: tuple[Path, str]) -> Iterator[Service]:
    """A service of it; the last test of it stops it."""
    folder, _ = exported
    launch = Launch(
        folder=folder.parent / "serve",
        store=published.source.store.root,
        ports=free_ports(3),
        settings={"backend": "onnx", "onnx": str(folder), "preload": "all"},
    )
    start(launch)
    yield published.served(launch.folder)
    stop(launch.folder)


def test_the_export_says_how_near_it_is_and_how_to_serve_it(exported: tuple[Path, str]) -> None:
    folder, said = exported
    assert "largest relative difference from torch" in said
    assert f"--set onnx={folder}" in said
    report = json.loads((folder / "trunk.json").read_text())
    assert report["backbone"]["pooling"] == "mean-with-prompts"
    assert max(report["errors"].values()) < 1e-5


def test_an_exported_trunk_is_served_with_the_same_answers(served: Service) -> None:
    with served.client() as client:
        for ask in asks(2 * len(TASKS)):
            assert_same(client.predict(ask.image, task=ask.task), ask, served.engine)


def assert_same(found: Answer, ask: Ask, engine: Engine) -> None:
    (expected,) = engine.predict([Query(ask.image, ask.task)])
    assert isinstance(expected, Answer)
    assert [p.index for p in found.predictions] == [p.index for p in expected.predictions]
    for one, other in zip(found.predictions, expected.predictions, strict=True):
        assert abs(one.score - other.score) < 1e-5


def test_callers_who_go_on_asking_see_answers_and_clean_refusals_and_no_cut(
    served: Service,
) -> None:
    """And readiness says no from the beginning of the end."""
    assert served.is_ready()
    command = [sys.executable, "-m", "serving", "--folder", str(served.folder), "stop"]
    with Load(served, asks(48), callers=16) as load:
        load.wait_for_more(64)
        with subprocess.Popen(command) as stopping:
            wait_until("it says that it is stopping", lambda: why_not_ready(served.folder))
            wait_until("nobody new is let in", lambda: not served.is_ready())
        assert stopping.returncode == 0
        load.wait_for_refusals()
    assert_drained(served, load)
