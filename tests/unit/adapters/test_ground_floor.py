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
MODULES = [
    (f"adapters.{floor}.{path.stem}", heavy)
    for floor, heavy in FLOORS.items()
    for path in sorted((ROOT / "adapters" / floor).glob("*.py"))
    if path.stem != "__init__"
]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


def test_every_floor_has_modules():
    assert {module.split(".")[1] for module, _ in MODULES} == FLOORS.keys()


@pytest.mark.parametrize(("module", "heavy"), MODULES, ids=[module for module, _ in MODULES])
def test_a_module_of_the_ground_floor_loads_nothing_heavy(module: str, heavy: set[str]):
    code = f"import sys, {module}; print(*sorted({heavy!r} & sys.modules.keys()))"
    assert run("-c", code).stdout.split() == []


def loaded(*arguments: str) -> set[str]:
    """Return the packages that a process imports until its end."""
    lines = run("-X", "importtime", *arguments).stderr.splitlines()
    found = (
        re.fullmatch(r"import time: +\d+ \| +\d+ \| +([a-zA-Z_]\w*).*", line) for line in lines
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
