"""The report is one file that needs nothing else, and says what the run's files say."""

import json
import os
import random
import re
from html.parser import HTMLParser

import pytest

from tests.unit.trainer.report.report_runs import ANSWERS, MEASURED, add_images, make_run
from trainer.__main__ import main
from trainer.errors import DataError
from trainer.report.page import write_report

_VOID = {"meta", "img", "br"}
_MAX_BYTES = 2_000_000


class Page(HTMLParser):
    """Remembers tags, attributes and text, and that what was opened was closed."""

    def __init__(self, folder):
        super().__init__()
        self.source = write_report(folder).read_text(encoding="utf-8")
        self.tags, self.open, self.text = [], [], ""
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(tmp_path):
    add_images(tmp_path)
    return Page(make_run(tmp_path, **MEASURED))


def words(page):
    return re.sub(r"\s+", " ", page.text)


def test_it_needs_no_network_no_script_and_no_other_file(page):
    assert page.open == []
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not {"href", "srcset", "style"} & attributes.keys()
        assert attributes.get("src", "data:image/").startswith("data:image/")
    assert not re.search(r"https?://|url\(|@import", page.source)


def test_pictures_and_charts_say_what_they_show(page):
    assert len(page.all("img")) == 2
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("svg")) == 6
    assert all(chart["aria-label"] and chart["role"] == "img" for chart in page.all("svg"))


def test_the_accuracy_is_told_with_its_interval(page):
    assert "50.0%" in page.text
    assert "95% interval 15.0% to 85.0%" in page.text


def test_the_matrix_and_the_tables_hold_the_counts(tmp_path):
    answers = [(0, 0, 0.9)] * 5 + [(0, 1, 0.9)] * 3 + [(1, 1, 0.9)] * 7
    page = Page(make_run(tmp_path, answers))
    for title in ("cat taken for cat: 5 of 8", "cat taken for dog: 3 of 8", "dog: 7 of 7"):
        assert title in page.text
    assert "dog taken for cat" not in page.text
    assert "5/8" in page.text
    assert "catdog337.5%" in page.text.replace("\n", "").replace(" ", "")


def test_the_worst_mistakes_are_the_surest_and_in_order(page):
    alts = [image["alt"] for image in page.all("img")]
    assert alts == [
        "test image 3.png, a dog taken for cat",
        "test image 1.png, a cat taken for dog",
    ]


def test_an_image_that_is_gone_is_said_so(tmp_path):
    add_images(tmp_path, 3)
    page = Page(make_run(tmp_path))
    assert page.text.count("the image can no longer be read") == 1
    assert len(page.all("img")) == 1


def test_an_image_whose_name_is_no_utf8_is_shown_spelled_out(tmp_path):
    folder = make_run(tmp_path)
    image = str(tmp_path / os.fsdecode(b"caf\xe9.png"))
    rows = json.loads((folder / "predictions.json").read_text())
    (folder / "predictions.json").write_text(json.dumps([row | {"image": image} for row in rows]))
    assert "caf\\udce9.png" in write_report(folder).read_text()


def test_a_run_without_mistakes_says_that(tmp_path):
    page = Page(make_run(tmp_path, [(0, 0, 0.9), (1, 1, 0.9)]))
    assert "All 2 test images are named right." in page.text


def test_what_newer_runs_measure_is_shown(page):
    for text in (
        "prompts384 parameters",
        "12,345 bytes",
        "ab" * 32,
        "median 3.0 s, 2.0 s to 4.0 s",
        "kept: epoch 2, 75%",
        "10 numbers from 1 to 10, median 5.5",
        "learning rate",
        "block 2",
        "temperature1.75, fitted on 200 validation images",
        "error on test images4.0%, without the temperature 20.0%",
        "error on validation images12.5%, without the temperature 25.0%",
        "on average 50.0%, macro-F1 48.4%",
        "of 200 validation images5.0% rejected",
        "of 40 images of shapes70.0% rejected, AUROC 0.912",
    ):
        assert text in words(page)


def test_a_run_without_a_temperature_says_why(tmp_path):
    told = {"test_calibration_error": 0.2, "uncalibrated": "10 validation images are too few"}
    page = Page(make_run(tmp_path, **told))
    assert "temperaturenone: 10 validation images are too few" in words(page)
    assert "error on test images20.0%" in words(page)


def test_scores_on_the_test_set_in_each_epoch_are_marked_as_the_official_practice(page):
    assert "as the official code does" in page.text
    assert "they select nothing" in page.text


def test_what_older_runs_lack_is_left_out(tmp_path):
    page = Page(make_run(tmp_path))
    for text in (
        *("official code", "NMI", "learning rate", "kept", "bytes"),
        *("How the prompts", "Calibration", "Unknown images"),
    ):
        assert text not in page.text


def test_the_artifact_is_told_by_its_size_and_version(tmp_path):
    (make_run(tmp_path) / "toy.safetensors").write_bytes(b"abc")
    page = Page(tmp_path)
    assert "toy.safetensors, 3 bytes" in page.text
    assert "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" in page.text


def test_a_class_name_is_text_and_never_markup(tmp_path):
    names = ("<script>alert(1)</script>", '" onload="x" \'&amp;')
    page = Page(make_run(tmp_path, names=names))
    assert page.all("script") == []
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert all(name in page.text for name in names)


def test_many_classes_share_cells_and_the_file_stays_small(tmp_path):
    draw = random.Random(0)
    names = tuple(f"bird of quite a long name number {i}" for i in range(555))
    answers = [
        (i % 555, i % 555 if draw.random() < 0.5 else draw.randrange(555), draw.random())
        for i in range(20_000)
    ]
    page = Page(make_run(tmp_path, answers, names))
    assert len(page.source) < _MAX_BYTES
    assert "stands for 12 classes" in page.text
    assert "The other 535 classes" in page.text


def test_the_same_folder_gives_the_same_bytes(tmp_path):
    add_images(make_run(tmp_path, **MEASURED))
    first = write_report(tmp_path).read_bytes()
    assert write_report(tmp_path).read_bytes() == first


def test_a_loss_that_is_not_a_number_does_not_stop_the_report(tmp_path):
    page = Page(make_run(tmp_path, losses=[1.0, float("nan"), 0.5]))
    assert "training loss by epoch: from 1 to 0.5" in [c["aria-label"] for c in page.all("svg")]
    assert "nan" not in page.source.lower().split("<body>")[1]


@pytest.mark.parametrize("name", ["recipe.json", "metrics.json", "predictions.json"])
@pytest.mark.parametrize("content", [None, "{", "[1]", '{"task": 3}', "[]"])
def test_a_missing_or_broken_file_is_named_in_one_line(tmp_path, name, content):
    path = make_run(tmp_path) / name
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DataError, match=re.escape(str(path))) as raised:
        write_report(tmp_path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "report.html").exists()


def test_files_of_different_runs_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected a test accuracy of 0\.9000.*found 0\.5000"):
        write_report(make_run(tmp_path, test_accuracy=0.9))
    with pytest.raises(DataError, match=r"expected classes 0 to 1 .* found 2"):
        write_report(make_run(tmp_path, [*ANSWERS, (0, 2, 0.5)]))


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (make_run(tmp_path) / "report.html").mkdir()
    with pytest.raises(DataError, match=r"report\.html: expected .* to write"):
        write_report(tmp_path)


def test_the_command_writes_a_report_for_every_folder(tmp_path, capsys):
    folders = [make_run(tmp_path / name) for name in ("a", "b")]
    assert main(["report", *map(str, folders)]) == 0
    assert all((folder / "report.html").is_file() for folder in folders)
    assert capsys.readouterr().out.count("report.html") == 2


def test_the_recipe_is_listed_whole(page, tmp_path):
    recipe = json.loads((tmp_path / "recipe.json").read_text())
    for key in ("task", "seed", "prompt.num_tokens", "optim.lr"):
        assert key in page.text
    assert f"--set optim.lr={recipe['optim']['lr']}" in page.text
