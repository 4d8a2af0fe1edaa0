"""Studies are measured, and shown beside the paper only where both are of the same thing."""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.program import Parser
from tests.fakes.tiny import tiny_backbone
from tests.unit.trainer.toy import make_toy_folder
from trainer.cli import reproduce as command
from trainer.errors import RecipeError
from trainer.experiment import materials
from trainer.reproduce import run_study
from trainer.reproduce.measured import accuracy_of, over_seeds
from trainer.reproduce.run_study import show_study
from trainer.reproduce.studies.by_name import STUDIES
from trainer.reproduce.studies.compare import compare
from trainer.reproduce.study import MAE, Asked, tasks_of_group
from trainer.reproduce.variant import Cell

BACKBONE = tiny_backbone()
TINY = "vit_micro_patch8_64"
RECORDED = "vit_tiny_patch16_224"
RESULTS = Path(run_study.__file__).parents[1] / "results"
NAMES = [
    *("table1", "table2", "table3", "table4", "tableS2", "tableS3", "tableS4"),
    *("fig2", "fig3a", "fig3b", "fig3c", "fig3d", "fig4", "figS3", "figS4", "compare"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_toy_folder(tmp_path_factory.mktemp("data") / "toy", per_class=50).parent


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials, "load_backbone", lambda *_, **__: BACKBONE)


def parse(*words: object) -> argparse.Namespace:
    parser = Parser()
    command.add_arguments(parser)
    return parser.parse_args([*map(str, words)])


def reproduce(*words: object) -> None:
    assert command.run(parse(*words)) == 0


def save_cell(out: Path, place: tuple[str, str, str], accuracies: Sequence[float]) -> None:
    """Write a cell as `measure` does, made up."""
    backbone, task, variant = place
    cell = Cell(
        task=task,
        variant=variant,
        chosen={"lr": 0.01},
        trials=[],
        val_accuracies=list(accuracies),
        test_accuracies=list(accuracies),
        parts={"prompts": 1_500_000, "head": 500_000},
        seconds=[1.0] * len(accuracies),
        init={"seconds": 2.5},
        observed={},
    )
    recipe = {
        "select": "last",
        "data_proportion": 1.0,
        "optim": {"epochs": 100},
        "compute": {"precision": "float32"},
    }
    folder = out / backbone / task / variant
    folder.mkdir(parents=True)
    content = {"asked": {"recipe": recipe}, "cell": asdict(cell)}
    (folder / "cell.json").write_text(json.dumps(content))


def rendered(name: str, out: Path, *, is_smoke: bool = False) -> dict[str, str]:
    """Return the page by file ending."""
    show_study(STUDIES[name](Asked()), out, "command", is_smoke=is_smoke)
    return {kind: (out / f"{name}.{kind}").read_text() for kind in ("md", "html")}


def row_of(markdown: str, heading: str, name: str) -> list[str]:
    """Return the entries of a row in the section of a heading."""
    section = markdown.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    line = next(line for line in section.splitlines() if line.startswith(f"| {name} |"))
    return [entry.strip() for entry in line.strip("| ").split("|")][1:]


def test_the_command_takes_every_study_by_name():
    assert list(STUDIES) == NAMES
    for name in NAMES:
        assert parse(name).name == name
        study = STUDIES[name](Asked())
        assert (study.name, study.title) == (name, STUDIES[name].title)


def test_a_study_that_is_none_is_answered_with_the_one_that_was_meant(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit) as caught:
        parse("tabel1")
    assert caught.value.code == 2
    assert "there is no study 'tabel1'; did you mean 'table1'" in capsys.readouterr().err


def test_the_studies_are_listed_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]):
    reproduce("ls")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == NAMES
    reproduce("ls", "--json")
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_study_of_which_nothing_is_measured_shows_dashes(name: str, tmp_path: Path):
    page = rendered(name, tmp_path)
    assert "—" in page["md"]
    assert "smoke run" not in page["html"]
    tables = [line for line in page["md"].splitlines() if line.startswith("| ")]
    assert all(len(line.split("|")) > 2 for line in tables)
    assert not list(tmp_path.glob("*.svg"))


@pytest.mark.parametrize("name", NAMES)
def test_an_arm_that_follows_another_comes_after_it(name: str):
    variants = STUDIES[name](Asked()).variants
    seen: set[str] = set()
    for variant in variants:
        assert variant.like is None or variant.like in seen
        seen.add(variant.name)
    assert len(seen) == len(variants)


def test_both_numbers_stand_together_on_the_same_backbone_and_task(tmp_path: Path):
    save_cell(tmp_path, (MAE, "cub200", "spt-deep"), [0.80, 0.81, 0.79])
    save_cell(tmp_path, (TINY, "cub200", "spt-deep"), [0.3])
    markdown = rendered("table2", tmp_path)["md"]
    assert row_of(markdown, MAE, "spt-deep")[1] == "80.13 / 80.0 ± 1.0 (3)"
    assert row_of(markdown, MAE, "spt-deep")[0] == "83.26 / —"
    assert row_of(markdown, MAE, "full")[1] == "80.55 / —"
    assert row_of(markdown, TINY, "spt-deep") == ["— / 2.00", "— / 30.0 (1)"]


def test_a_task_of_a_group_is_shown_until_the_group_is_whole(tmp_path: Path):
    natural = tasks_of_group("vtab-natural")
    for task in natural[:-1]:
        save_cell(tmp_path, (MAE, task, "spt-deep"), [0.5])
    entries = row_of(rendered("table2", tmp_path)["md"], MAE, "spt-deep")
    assert (entries[6], len(entries)) == ("67.19 / —", 9 + len(natural) - 1)
    save_cell(tmp_path, (MAE, natural[-1], "spt-deep"), [0.57])
    entries = row_of(rendered("table2", tmp_path)["md"], MAE, "spt-deep")
    assert (entries[6], len(entries)) == ("67.19 / 51.0 (1)", 9)


def test_the_mean_is_of_variants_that_have_every_task(tmp_path: Path):
    for task, variant, reached in (("digits", "full", 0.5), ("shapes", "full", 0.7)):
        save_cell(tmp_path, (TINY, task, variant), [reached, reached + 0.1])
    save_cell(tmp_path, (TINY, "digits", "linear"), [0.4, 0.4])
    markdown = rendered("table3", tmp_path)["md"]
    assert row_of(markdown, TINY, "full")[1] == "— / 65.0 ± 7.1 (2)"
    assert row_of(markdown, TINY, "linear")[1] == "— / —"


def test_the_deviation_is_that_of_the_seeds(tmp_path: Path):
    assert over_seeds([1.0, 3.0]).text() == "2.0 ± 1.4 (2)"
    assert over_seeds([1.0]).text(2) == "1.00 (1)"


def test_the_time_of_constructing_prompts_stands_beside_the_papers(tmp_path: Path):
    save_cell(tmp_path, (MAE, "cub200", "kmeans-10%"), [0.5])
    markdown = rendered("fig3a", tmp_path)["md"]
    entries = row_of(markdown, f"{MAE}, cub200: time", "kmeans")
    assert entries[:2] == ["0.10d / 2.5s", "0.30d / —"]


def test_the_pages_need_nothing_but_themselves(tmp_path: Path):
    save_cell(tmp_path, (MAE, "cub200", "spt-deep"), [0.8])
    html = rendered("table2", tmp_path)["html"]
    assert html.count("<svg") == 1
    for outside in ("http", 'src="/', "<script", "<link", "@import"):
        assert outside not in html


def test_two_renderings_are_the_same_bytes(tmp_path: Path):
    save_cell(tmp_path, (TINY, "digits", "vpt-deep"), [0.5, 0.6])
    assert rendered("compare", tmp_path) == rendered("compare", tmp_path)


@pytest.mark.parametrize("name", [".", "eight_epochs"])
def test_the_committed_comparison_is_what_its_record_gives(name: str, tmp_path: Path):
    folder = RESULTS / name
    for record in folder.glob("*.json"):
        shutil.copy(record, tmp_path)
    reproduce("compare", "--render-only", "--backbone", RECORDED, "--out", tmp_path)
    drawn = sorted(tmp_path.glob("compare-*.svg"))
    assert [path.name for path in drawn] == sorted(p.name for p in folder.glob("compare-*.svg"))
    for path in (*drawn, tmp_path / "compare.md"):
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_a_comparison_is_drawn_as_points_over_the_linear_probe(tmp_path: Path):
    save_cell(tmp_path, (TINY, "digits", "linear"), [0.50, 0.52])
    save_cell(tmp_path, (TINY, "digits", "vpt-deep"), [0.50, 0.50])
    save_cell(tmp_path, (TINY, "digits", "spt-deep-random"), [0.51, 0.54])
    rendered("compare", tmp_path)
    svg = (tmp_path / f"compare-{TINY}-trained-tasks.svg").read_text()
    assert "on digits, SPT by +1.5, VPT-Deep by \N{MINUS SIGN}1.0" in " ".join(words_of(svg))
    assert "SPT-Deep, random" in words_of(svg)
    assert "SPT-Deep, k-means" not in words_of(svg)
    assert not list(tmp_path.glob("*frozen*.svg"))


def test_ours_is_drawn_in_one_row_with_the_papers_number(tmp_path: Path):
    save_cell(tmp_path, (MAE, "cub200", "spt-deep"), [0.8])
    rendered("table2", tmp_path)
    words = words_of(next(tmp_path.glob("table2-*.svg")).read_text())
    assert "80.13 / 80.0" in words
    assert "points from the paper's" in " ".join(words)


def words_of(svg: str) -> list[str]:
    """Return every line of text of a picture."""
    root = ElementTree.fromstring(svg)
    return ["".join(one.itertext()) for one in root.iter() if one.tag.endswith("}text")]


def test_prompts_of_another_task_are_shaded_by_column(tmp_path: Path):
    tasks = tasks_of_group("fgvc")
    for i, task in enumerate(tasks):
        for k, source in enumerate(tasks):
            save_cell(tmp_path, (TINY, task, f"from-{source}"), [(i + k) / 10])
    markdown = rendered("fig3b", tmp_path)["md"]
    assert row_of(markdown, TINY, f"from-{tasks[1]}")[2] == "— / 30.0 (1)"
    assert (tmp_path / f"fig3b-{TINY}.svg").exists()


@pytest.mark.usefixtures("tiny")
def test_a_smoke_run_measures_and_says_what_it_is(data: Path, tmp_path: Path):
    out = tmp_path / "out"
    reproduce("fig3c", "--smoke", "--tasks", "toy", "--data", data, "--out", out)
    assert {path.parent.name for path in out.glob("*/toy/*/cell.json")} == {
        *("vpt-deep-4", "vpt-deep-16", "spt-deep-4", "spt-deep-16")
    }
    html = (out / "fig3c.html").read_text()
    assert "smoke run" in html
    assert "python -m trainer reproduce fig3c --tasks toy --data DATA --smoke" in html
    assert str(data) not in html
    assert (out / f"fig3c-{TINY}-toy.svg").exists()


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["table1", "fig2", "figS4"])
def test_what_is_no_accuracy_is_measured_once(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    few = {"prompt": {"num_tokens": 2}, "optim": {"epochs": 1, "warmup_epochs": 0}}
    monkeypatch.setattr(run_study, "_SMOKE", few)
    asked = (name, "--smoke", "--tasks", "toy", "--data", data, "--out", tmp_path)
    reproduce(*asked)
    page = (tmp_path / f"{name}.html").read_bytes()
    assert list(tmp_path.glob(f"{name}-*.svg"))
    monkeypatch.setattr(materials, "load_backbone", lambda *_, **__: pytest.fail("measured again"))
    reproduce(*asked)
    assert (tmp_path / f"{name}.html").read_bytes() == page


def test_rendering_alone_measures_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_study, "measure", lambda *_: pytest.fail("measured"))
    reproduce("table4", "--render-only", "--out", tmp_path)
    assert (tmp_path / "table4.html").exists()


def test_the_comparison_leaves_a_record_of_each_backbone(tmp_path: Path):
    save_cell(tmp_path, (TINY, "digits", "vpt-deep"), [0.5, 0.6, 0.7])
    reproduce("compare", "--render-only", "--variants", "linear", "vpt-deep", "--out", tmp_path)
    record: dict[str, Any] = json.loads((tmp_path / f"{TINY}.json").read_text())
    assert (record["backbone"], record["epochs"], record["seeds"]) == (TINY, [100], [3])
    assert " compare --variants linear vpt-deep " in record["command"]
    assert record["date"] is None
    cells = [Cell(**entry["cell"]) for entry in record["cells"]]
    assert accuracy_of(cells).mean == pytest.approx(60)


def test_a_record_alone_renders_the_same_page_and_keeps_its_command(tmp_path: Path):
    measured, committed = tmp_path / "measured", tmp_path / "committed"
    save_cell(measured, (TINY, "digits", "vpt-deep"), [0.5, 0.6, 0.7])
    reproduce("compare", "--render-only", "--tasks", "digits", "--out", measured)
    committed.mkdir()
    shutil.copy(measured / f"{TINY}.json", committed)
    reproduce("compare", "--render-only", "--tasks", "digits", "--out", committed)
    for name in (f"{TINY}.json", "compare.md", "compare.html"):
        assert (committed / name).read_bytes() == (measured / name).read_bytes()
    assert "reproduce compare --tasks digits" in (committed / "compare.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--variants", "nonsense"), "nonsense: table2 has no such variant; expected some of full"),
        (("--weights", "file.pth"), "file.pth: expected NAME=PATH"),
        (("--tasks", "Not A Task"), "--tasks: "),
    ],
)
def test_a_wrong_option_is_named(words: tuple[str, ...], message: str, tmp_path: Path):
    with pytest.raises(RecipeError, match=message):
        reproduce("table2", "--out", tmp_path, *words)


def test_fine_grained_tasks_are_augmented_and_others_are_not():
    study = STUDIES["table2"](Asked())
    variant = study.variants[0]
    assert variant.recipe({}, "cub200", 0).pixels.augment == "crop-flip"
    assert variant.recipe({}, "caltech101", 0).pixels.augment == "none"
    assert variant.recipe({"pixels": {"augment": "none"}}, "cub200", 0).pixels.augment == "none"


def test_averages_are_made_as_the_papers_were():
    """Over an image each, in the paper's table and in our comparison."""
    for study in (STUDIES["table4"](Asked()), STUDIES["compare"](Asked())):
        pooled = {
            variant.name: variant.settings["prompt"].get("pool_over")
            for variant in study.variants
            if "prompt" in variant.settings
        }
        found = {name for name, over in pooled.items() if over == "image"}
        plain = {name: name.removesuffix("-frozen") for name in pooled}
        assert found == {name for name, one in plain.items() if one.endswith(("-mean", "-max"))}


def test_our_own_comparison_has_no_published_protocol(tmp_path: Path):
    with pytest.raises(RecipeError, match="a comparison of our own, which nobody has published"):
        reproduce("compare", "--out", tmp_path, "--protocol", "published")


def test_compare_takes_one_backbone_whose_patches_decide_the_number_of_prompts():
    small, usual = (compare(Asked(backbones=(name,))) for name in (EMBEDDED, "vit_base.mae"))
    tokens = [
        {
            variant.settings["prompt"]["num_tokens"]
            for variant in study.variants
            if "prompt" in variant.settings
        }
        for study in (small, usual)
    ]
    assert tokens == [{8, 32}, {20, 100}]
    with pytest.raises(RecipeError, match="compare takes one at a time"):
        compare(Asked(backbones=("a", "b")))
