"""Two processes train what one does: real processes, real gradients over gloo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.ports import free_ports
from tests.unit.trainer.training import two_processes
from trainer.errors import TrainingError
from trainer.training import distributed

SCRIPT = Path(two_processes.__file__)


def launch(out: Path, world: int) -> None:
    """Run the script as `torchrun` would, in `world` processes."""
    (port,) = free_ports(1)
    places = os.pathsep.join([str(Path.cwd()), str(SCRIPT.parent)])
    address = {
        "PYTHONPATH": places,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(out)],
            env=os.environ
            | address
            | {"WORLD_SIZE": str(world), "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(world)
    ]
    assert [process.wait(timeout=600) for process in processes] == [0] * world


def crops_in(folder: Path) -> list[list[str]]:
    """Return the digests of the crops that each process drew."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("crops-*.json"))]


def test_two_processes_have_the_gradients_the_losses_and_the_parameters_of_one(tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    two_processes.main(tmp_path / "one")
    launch(tmp_path / "two", 2)
    one, two = (json.loads((tmp_path / name / "found.json").read_text()) for name in ("one", "two"))
    assert two["gradients"] == pytest.approx(one["gradients"], rel=1e-9, abs=1e-12)
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-9)
    assert two["parameters"] == pytest.approx(one["parameters"], rel=1e-7, abs=1e-10)
    assert two["val_accuracies"] == one["val_accuracies"]
    assert one["shares"] == [8, 8]
    assert two["shares"] == [4, 4]
    assert len(list((tmp_path / "two").glob("state*.pt"))) == 1
    (alone,), shares = (crops_in(tmp_path / name) for name in ("one", "two"))
    assert [crop for pair in zip(*shares, strict=True) for crop in pair] == alone


@pytest.mark.parametrize("world_size", ["", "1"])
def test_an_empty_variable_means_one_process(world_size: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORLD_SIZE", world_size)
    with distributed.joined():
        assert (distributed.rank(), distributed.size()) == (0, 1)


@pytest.mark.parametrize("world_size", ["2", "many"])
def test_processes_that_are_not_there_are_one_line(
    world_size: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", world_size)
    with pytest.raises(TrainingError, match=r"no such processes .*torchrun"), distributed.joined():
        pass
