"""One export for all tests of this folder, which run in one process: tracing takes seconds."""

import pytest

from serving.onnx.export import export_trunk
from tests.fakes.tiny import tiny_backbone


@pytest.fixture(scope="session")
def cls_written(tmp_path_factory):
    """Where the export lies, and what it told of itself."""
    folder = tmp_path_factory.mktemp("onnx") / "trunk"
    return folder, export_trunk(tiny_backbone(), folder)


@pytest.fixture
def cls_folder(cls_written):
    """A folder that stays as it was made: who damages it takes a copy."""
    return cls_written[0]
