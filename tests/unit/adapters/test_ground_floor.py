"""What deals with artifacts, stores and Redis never loads torch: commands start at once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.artifacts import make_artifact

ROOT = Path(__file__).parents[3]
TENSORS = {"torch", "torchvision", "timm"}
FLOORS = {
    "artifact": TENSORS | {"redis"},
    "store": TENSORS | {"redis"},
    "redis": TENSORS,
    "cache": TENSORS,
}
WHO_LOADS = """
import importlib, sys
for module in sys.argv[1].split():
    importlib.import_module(module)
    if found := HEAVY & sys.modules.keys():
        sys.exit(f"{module} loads {sorted(found)}")
"""


def modules_of(floor: str) -> list[str]:
    files = sorted((ROOT / "adapters" / floor).glob("*.py"))
    return [f"adapters.{floor}.{file.stem}" for file in files if file.stem != "__init__"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("floor", "heavy"), FLOORS.items())
def test_no_module_of_the_ground_floor_loads_anything_heavy(floor: str, heavy: set[str]):
    """In one process: the first of its modules that does is named."""
    modules = modules_of(floor)
    assert modules
    done = run("-c", WHO_LOADS.replace("HEAVY", repr(heavy)), " ".join(modules))
    assert (done.returncode, done.stderr) == (0, "")


def loaded(*arguments: str) -> set[str]:
    """Return the packages that a process imports until its end."""
    done = run("-X", "importtime", *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    found = (
        re.fullmatch(r"import time: +\d+ \| +\d+ \| +([a-zA-Z_]\w*).*", line)
        for line in done.stderr.splitlines()
    )
    return {match[1] for match in found if match}


def test_publishing_and_listing_load_neither_torch_nor_what_draws_or_decodes(tmp_path: Path):
    heavy = TENSORS | {"scipy", "PIL", "matplotlib", "sklearn", "jaxtyping"}
    file, store = tmp_path / "pets.safetensors", str(tmp_path / "store")
    file.write_bytes(make_artifact())
    published = loaded("-m", "adapters", "publish", str(file), "--store", store)
    listed = loaded("-m", "adapters", "ls", "--store", store)
    for packages in (published, listed):
        assert "numpy" in packages
        assert packages & heavy == set()
