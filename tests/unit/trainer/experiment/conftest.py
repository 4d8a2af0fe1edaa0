"""Runs are trained on the tiny backbone, and most of them on images that no test changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.trainer.toy import BACKBONE, make_toy_folder
from trainer.experiment import materials


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(materials, "load_backbone", lambda *_, **__: BACKBONE)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the toy task's folder: who changes it takes a copy."""
    return make_toy_folder(tmp_path_factory.mktemp("data") / "toy")
