"""`spt bench` asks as told, and says how fast it was answered."""

import json

import pytest

from clients.__main__ import main
from tests.unit.clients.fake_service import over_http


@pytest.fixture
def url(service):
    with over_http(service) as url:
        yield url


@pytest.fixture
def words(url, tmp_path):
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    return ["bench", str(tmp_path), "--url", url, "--seconds", "0.3"]


def figures(words, capsys):
    code = main([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_closed_load_measures_each_task_and_all(words, service, capsys):
    code, found = figures([*words, "--task", "digits=3", "--task", "shapes"], capsys)
    assert code == 0
    assert list(found["tasks"]) == ["digits", "shapes", "all"]
    for row in found["tasks"].values():
        assert row["requests_per_s"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["failed"] == 0
    assert {request.content for request in service.requests} == {b"a.jpg", b"b.png"}
    asked = [request.url.params["task"] for request in service.requests]
    assert asked.count("digits") > asked.count("shapes") > 0


def test_an_open_load_sends_at_its_rate(words, service, capsys):
    code, found = figures([*words, "--task", "digits", "--rate", "50"], capsys)
    assert code == 0
    assert len(service.requests) == 15
    assert found["late"] == 0
    assert list(found["tasks"]) == ["digits"]


def test_the_table_is_for_people_and_says_why_requests_failed(words, capsys):
    assert main([*words, "--task", "digits", "--task", "pets"]) == 0
    out = capsys.readouterr().out
    for text in ("requests/s", "p50 ms", "p99 ms", "failed", "digits", "pets", "all"):
        assert text in out
    assert "failed: pets: no such task" in out


def test_a_load_that_nobody_answers_fails(words, capsys):
    code, found = figures([*words, "--task", "pets"], capsys)
    assert code == 1
    assert found["tasks"]["pets"]["p50_ms"] is None
    assert found["failures"] == {"pets: no such task": found["tasks"]["pets"]["failed"]}


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--task", "digits=0"],
        ["--task", "digits=many"],
        ["--task", "a,b"],
        ["--task", "digits", "--rate", "-1"],
        ["--task", "digits", "--rate", "1", "--callers", "2"],
        ["--task", "digits", "--callers", "0"],
        ["--task", "digits", "--seconds", "inf"],
    ],
)
def test_wrong_usage_exits_2(words, more):
    with pytest.raises(SystemExit) as caught:
        main([*words, *more])
    assert caught.value.code == 2


def test_a_folder_without_images_is_wrong_usage(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", str(tmp_path), "--task", "digits"])
    assert caught.value.code == 2
    assert "found none" in capsys.readouterr().err
