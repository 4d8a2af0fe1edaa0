"""`spt export ARTIFACT --to …`: one task for others, and what makes no sense."""

from pathlib import Path

import pytest

from adapters.vit.adapter import encode
from serving.__main__ import main
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone

BACKBONE = tiny_backbone()


@pytest.fixture
def artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("adapters.vit.backbone.load_backbone", lambda *_, **__: BACKBONE)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pets.safetensors"
    path.write_bytes(encode(make_adapter(backbone=BACKBONE.spec)))
    return path


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("torch", {"program.pt2", "task.json", "predict.py", "README.md"}),
        ("huggingface", {"model.safetensors", "config.json", "README.md"}),
    ],
)
def test_a_task_is_exported_into_a_folder_of_its_own(
    artifact: Path, form: str, files: set[str], capsys: pytest.CaptureFixture[str]
):
    assert main(["export", str(artifact), "--to", form]) == 0
    assert {path.name for path in Path("runs/export/pets").iterdir()} == files
    assert "wrote runs/export/pets" in capsys.readouterr().out
    assert main(["export", str(artifact), "--to", form]) == 1
    assert "runs/export/pets: the folder is not empty" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--to", "torch"], ["pets.safetensors"]])
def test_an_artifact_belongs_to_the_forms_of_one_task(words: list[str]):
    with pytest.raises(SystemExit) as caught:
        main(["export", *words])
    assert caught.value.code == 2


def test_a_file_that_is_no_artifact_is_one_line(artifact: Path, capsys: pytest.CaptureFixture[str]):
    artifact.write_bytes(b"damaged")
    assert main(["export", str(artifact), "--to", "torch"]) == 1
    assert main(["export", "none.safetensors", "--to", "torch"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "none.safetensors: No such file" in errors[1]
