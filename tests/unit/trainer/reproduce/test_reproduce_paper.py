"""The paper's numbers are those that it prints, each where it belongs."""

from pathlib import Path

import pytest

from trainer.reproduce.published import published
from trainer.reproduce.results import read_results
from trainer.reproduce.studies.by_name import STUDIES
from trainer.reproduce.study import MAE, MOCO, SUPERVISED, Asked, tasks_of_group

SHAPES = {
    "table1": (1, 4, 5),
    "table2": (2, 6, 9),
    "table3": (1, 12, 7),
    "table4": (2, 10, 2),
    "tableS2": (2, 8, 1),
    "tableS3": (3, 3, 19),
    "tableS4": (1, 12, 6),
}
"""Backbones, rows and columns."""


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_a_table_has_the_papers_backbones_rows_and_columns(name: str, shape: tuple[int, int, int]):
    table = published(name)
    assert table.source.lower().replace("table ", "table") == name.lower()
    rows = {len(rows) for rows in table.values.values()}
    assert (len(table.values), rows, len(table.columns)) == (shape[0], {shape[1]}, shape[2])


@pytest.mark.parametrize(
    ("name", "backbone", "row", "column", "text"),
    [
        ("table1", MAE, "kmeans", "100%", "27.30d"),
        ("table1", MAE, "max", "30%", "19.93s"),
        ("table2", MAE, "spt-deep", "fgvc", "83.26"),
        ("table2", MAE, "vpt-deep", "vtab-structured", "26.57"),
        ("table2", MOCO, "gate-vpt", "stanford_cars", "79.02"),
        ("table3", SUPERVISED, "moment-probing", "fgvc", "89.38"),
        ("table3", SUPERVISED, "spt-deep", "params:fgvc", "0.36"),
        ("table4", MAE, "spt-deep-kmeans-frozen", "cub200", "39.2"),
        ("table4", SUPERVISED, "spt-deep-mean", "caltech101", "92.5"),
        ("tableS2", MAE, "last-layer-deep", "cub200", "76.8"),
        ("tableS3", MOCO, "spt-deep", "kitti", "77.3"),
        ("tableS3", MAE, "full", "smallnorb_ele", "33.0"),
        ("tableS4", SUPERVISED, "lora", "vtab-structured", "59.77"),
    ],
)
def test_a_number_is_printed_as_in_the_paper(
    name: str, backbone: str, row: str, column: str, text: str
):
    assert published(name).text(backbone, row, column) == text


def test_what_the_paper_does_not_print_is_absent():
    assert published("tableS4").text(SUPERVISED, "lora", "fgvc") is None
    assert published("table2").text("vit_micro_patch8_64", "full", "cub200") is None
    assert published("fig2").values == {}


@pytest.mark.parametrize("backbone", [MAE, MOCO])
@pytest.mark.parametrize("row", ["full", "spt-shallow", "spt-deep"])
@pytest.mark.parametrize("group", ["vtab-natural", "vtab-specialized", "vtab-structured"])
def test_the_means_of_table_2_are_those_of_table_s3(backbone: str, row: str, group: str):
    tasks = tasks_of_group(group)
    per_task = [float(published("tableS3").values[backbone][row][task]) for task in tasks]
    printed = float(published("table2").values[backbone][row][group])
    assert sum(per_task) / len(tasks) == pytest.approx(printed, abs=0.03)


@pytest.mark.parametrize("row", ["full", "vpt-deep", "spt-deep", "linear", "e2vpt"])
def test_the_mean_of_table_3_is_that_of_its_tasks(row: str):
    values = published("table3").values[SUPERVISED][row]
    mean = sum(float(values[task]) for task in tasks_of_group("fgvc")) / 5
    assert mean == pytest.approx(float(values["fgvc"]), abs=0.06)


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("table")])
def test_every_row_of_the_paper_is_a_row_of_the_study(name: str, tmp_path: Path):
    study = STUDIES[name](Asked())
    rows = {
        row
        for section in study.layout(study, read_results(tmp_path))
        if section.table is not None
        for row, _ in section.table.rows
    }
    for backbone in study.paper.values.values():
        assert set(backbone) <= rows
