"""`spt predict` for folders, and `spt tasks`: what people see, and what programs read."""

import csv
import io
import json

import pytest

from clients.__main__ import main
from tests.unit.clients.fake_service import FakeService, over_http


@pytest.fixture
def url(service):
    with over_http(service) as url:
        yield url


@pytest.fixture
def photos(tmp_path):
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.fixture
def words(photos, url):
    return ["predict", str(photos), "--task", "digits", "--task", "shapes", "--url", url]


def test_a_folder_is_a_table_with_a_row_for_each_image(words, photos, service, capsys, monkeypatch):
    monkeypatch.chdir(photos)
    words[1] = "."
    assert main(words) == 0
    out, err = capsys.readouterr()
    for text in ("a.jpg", "b.png", "digits", "shapes", "zero 50.0%", "disc 50.0%"):
        assert text in out
    assert err == ""
    assert len(service.requests) == 2


@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_json_has_each_image_with_its_answers(words, photos, capsys, form):
    assert main([*words, form]) == 0
    out = capsys.readouterr().out
    found = json.loads(out) if form == "--json" else [json.loads(one) for one in out.splitlines()]
    assert [item["image"] for item in found] == [str(photos / "a.jpg"), str(photos / "b.png")]
    for item in found:
        assert [answer["predictions"][0]["label"] for answer in item["answers"]] == ["zero", "disc"]


def test_csv_has_a_line_for_each_class(words, photos, capsys):
    assert main([*words, "--csv", "--top-k", "2"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 8
    assert rows[1] | {"version": ""} == {
        "image": str(photos / "a.jpg"), "task": "digits", "rank": "2", "label": "one",
        "score": "0.5", "index": "1", "value": "", "unknown": "", "version": "", "error": "",
    }  # fmt: skip


@pytest.mark.parametrize("form", ["--jsonl", "--csv"])
def test_one_image_has_the_form_of_many(words, photos, capsys, form):
    words[1] = str(photos / "a.jpg")
    assert main([*words, form]) == 0
    assert len(capsys.readouterr().out.splitlines()) == (1 if form == "--jsonl" else 6)


@pytest.mark.parametrize("form", [[], ["--json"], ["--jsonl"], ["--csv"]])
def test_what_fails_is_said_and_the_others_are_answered(words, photos, capsys, form):
    words.insert(2, str(photos / "none.jpg"))
    assert main([*words, "--task", "pets", *form]) == 1
    out, err = capsys.readouterr()
    assert "zero" in out
    assert out.count("pets") >= 2 if form else "TaskNotFound" in out
    lines = err.splitlines()
    assert f"error: {photos / 'a.jpg'}: pets: no such task" in lines
    assert sum("none.jpg" in line for line in lines) == 3  # of each task


@pytest.mark.parametrize(
    "wrong",
    [["--json", "--csv"], ["--concurrency", "0"], ["--embed"], ["--embed", "--csv"], ["*.gif"]],
)
def test_wrong_usage_exits_2(words, wrong):
    with pytest.raises(SystemExit) as caught:
        main([*words, *wrong])
    assert caught.value.code == 2


def test_tasks_are_listed(url, capsys):
    assert main(["tasks", "--url", url]) == 0
    out = capsys.readouterr().out
    assert "digits" in out
    assert "shapes" in out
    assert main(["tasks", "--url", url, "--json"]) == 0
    assert [task["task"] for task in json.loads(capsys.readouterr().out)] == ["digits", "shapes"]


def test_one_task_is_told_with_its_classes(url, capsys):
    assert main(["tasks", "digits", "--url", url]) == 0
    out = capsys.readouterr().out
    for text in ("digits", "linear", "zero, one, two"):
        assert text in out
    assert main(["tasks", "digits", "--url", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["class_names"] == ["zero", "one", "two"]
    assert main(["tasks", "pets", "--url", url]) == 1
    assert capsys.readouterr().err == "error: pets: no such task\n"


def test_what_a_service_says_of_tasks_does_nothing_to_the_terminal(capsys):
    with over_http(FakeService(tasks={"a\x1b[31m": ("b\x1b",)})) as url:
        assert main(["tasks", "--url", url]) == 0
    out = capsys.readouterr().out
    assert r"a\x1b[31m" in out
    assert "\x1b" not in out
