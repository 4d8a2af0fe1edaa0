import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from adapters.program import Parser
from tests.unit.trainer.replicas import make_cars, make_cub, make_folders, make_vtab
from trainer.cli import data as command
from trainer.data.known import BUILTIN_NAMES
from trainer.data.public.task import Archive
from trainer.data.public.tasks import PUBLIC_TASKS
from trainer.errors import DataError
from trainer.experiment.materials import prepare
from trainer.recipe import Recipe


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def act(*arguments: str | Path) -> None:
    parser = Parser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args([*map(str, arguments)])) == 0


def test_check_prints_classes_sizes_against_table_s1_and_digests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_cub(tmp_path / "cub200" / "CUB_200_2011")
    act("check", "cub200", "--data", tmp_path)
    shown = capsys.readouterr().out
    assert "cub200: CUB-200-2011" in shown
    assert re.search(r"found +Table S1", shown)
    assert re.search(r"classes +2 +200 +differs", shown)
    assert re.search(r"train +9 +5,394 +differs", shown)
    assert re.search(r"test +2 +5,794 +differs", shown)
    assert len(re.findall(r"sha256 of the (?:train|val|test) list [0-9a-f]{64}\n", shown)) == 3
    assert "0 of 12 images cannot be read" in shown


def test_check_prints_the_same_digests_at_another_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for root in (tmp_path / "a", tmp_path / "b" / "c"):
        make_vtab(root)
        act("check", "svhn", "--data", root)
        shown.append(capsys.readouterr().out.partition("warning: ")[0])  # copies have their places
    assert shown[0] == shown[1]


def test_check_of_a_folder_of_ones_own_compares_with_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folders(tmp_path, {"cat": 10, "dog": 10})
    act("check", "pets", "--data", tmp_path)
    shown = capsys.readouterr().out
    assert re.search(r"train +16 *\n", shown)
    assert "Table S1" not in shown


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("devkit/cars_meta.mat", r"cars_meta\.mat is missing"),
        ("cars_test/00002.jpg", r"00002\.jpg is missing, named by cars_test_annos_withlabels\.mat"),
    ],
)
def test_check_names_what_is_missing_and_where_it_is_to_be_had(
    tmp_path: Path, name: str, missing: str
) -> None:
    (make_cars(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=rf"{missing}.*Obtain: the Stanford Cars arch") as caught:
        act("check", "stanford_cars", "--data", tmp_path)
    assert "\n" not in str(caught.value)


def test_check_of_an_absent_task_names_its_files_and_source_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        act("check", "nabirds")
    message = str(caught.value)
    assert message.startswith("nabirds: data/nabirds does not exist; expected there: images.txt")
    assert message.count(PUBLIC_TASKS["nabirds"].source) == 1


def test_check_counts_unreadable_images_and_ends_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_vtab(tmp_path)
    (tmp_path / "images/test/000001.jpg").write_bytes(b"")
    (tmp_path / "images/val200/000000.jpg").write_text("not an image")
    with pytest.raises(
        DataError, match=r"val200/000000\.jpg: the 12 bytes are not .* 2 of 9 images"
    ):
        act("check", "svhn", "--data", tmp_path)
    assert "2 of 9 images cannot be read" in capsys.readouterr().out


def test_ls_lists_every_task_with_its_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    act("ls")
    shown = capsys.readouterr().out
    for name in PUBLIC_TASKS:
        assert re.search(rf"^ *{name} ", shown, re.MULTILINE)
    assert re.search(r"oxford_flowers +Oxford 102 Flowers, whole .* 1,020 +1,020 +6,149", shown)
    assert re.search(r"nabirds .* 555 .* by hand", shown)
    assert re.search(r"stanford_dogs .* command", shown)
    assert re.search(r"digits +needs no download", shown)
    for group in ("built-in", "fgvc", "vtab-natural", "large"):
        assert len(re.findall(rf"^ *{group} *$", shown, re.MULTILINE)) == 1


def test_ls_and_check_are_json_for_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    act("ls", "--json")
    rows = {row["task"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == [*BUILTIN_NAMES, *PUBLIC_TASKS]
    assert rows["cub200"]["classes"] == 200
    assert (rows["nabirds"]["fetch"], rows["cub200"]["fetch"]) == ("by hand", "command")
    make_cub(tmp_path / "cub200" / "CUB_200_2011")
    act("check", "cub200", "--data", tmp_path, "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["found"] == {"classes": 2, "train": 9, "val": 1, "test": 2}
    assert found["expected"]["train"] == 5394
    assert [len(digest) for digest in found["sha256"].values()] == [64, 64, 64]
    assert (found["images"], found["unreadable"]) == (12, [])


@pytest.mark.parametrize("words", [["data", "ls"], ["data", "--help"], ["reproduce", "ls"]])
def test_tasks_and_studies_are_listed_without_torch_and_numpy(words: list[str]) -> None:
    code = (
        "import sys\nfrom trainer.__main__ import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'timm', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("task", "complaint"),
    [
        ("nabirds", "nabirds cannot be fetched by a command, only by hand: nabirds.tar.gz, from"),
        ("svhn", "only by hand: Street View House Numbers as VTAB-1k samples it"),
        ("digits", "digits is a built-in task"),
        ("mushrooms", "mushrooms is not a public task that we know"),
        ("oxford_flower", r"'spt data ls' lists them; did you mean 'oxford_flowers'"),
    ],
)
def test_fetch_of_what_it_cannot_have_says_what_to_do(
    tmp_path: Path, task: str, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        act("fetch", task, "--data", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fetch_gets_every_archive_into_the_tasks_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched: list[tuple[str, Path]] = []

    def pretend(archive: Archive, folder: Path, watch: object) -> str:
        fetched.append((archive.name, folder))
        return "md5 0, as published"

    monkeypatch.setattr("trainer.data.public.fetch.fetch", pretend)
    act("fetch", "oxford_flowers", "--data", tmp_path)
    folder = tmp_path / "oxford_flowers"
    names = ["102flowers.tgz", "imagelabels.mat", "setid.mat"]
    assert fetched == [(name, folder) for name in names]
    shown = capsys.readouterr().out
    assert "oxford_flowers: 3 files, about 347 MB" in shown
    assert f"spt data check oxford_flowers --data {tmp_path}" in shown


def test_check_finds_what_training_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folders(tmp_path, {"cat": 10, "dog": 10})
    (tmp_path / "cat" / "IMG.HEIC").write_bytes(b"another format")
    damaged = tmp_path / "dog" / "000.jpg"
    Image.effect_noise((64, 64), 50).save(damaged)
    damaged.write_bytes(damaged.read_bytes()[:-800])
    with pytest.raises(DataError) as of_check:
        act("check", "pets", "--data", tmp_path)
    shown = capsys.readouterr().out
    assert "pets: incomplete" in shown
    assert f"{damaged}: the image is damaged" in shown
    assert "IMG.HEIC: its name ends in .heic" in shown
    with pytest.raises(DataError) as of_training:
        prepare(Recipe(task="pets"), tmp_path)
    assert str(of_training.value) == str(of_check.value)
