"""What the command line prints, and how it ends."""

import json

import httpx
import pytest

from clients.__main__ import main
from tests.unit.clients.fake_service import NUMBERS, FakeService, over_http


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8")
    return str(path)


@pytest.fixture
def url(service):
    with over_http(service) as url:
        yield url


def test_a_table_for_people(url, photo, capsys):
    assert main(["predict", photo, "--task", "digits", "--top-k", "2", "--url", url]) == 0
    out, err = capsys.readouterr()
    assert "digits @ 3f2a3f2a3f2a" in out
    assert "zero" in out
    assert "50.0%" in out
    assert "two" not in out
    assert err == ""


def test_json_for_programs(url, photo, capsys):
    assert main(["predict", photo, "--task", "digits", "--url", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["predictions"][0]["label"] == "zero"


def test_numbers_for_programs(service, url, photo, capsys):
    words = ["predict", photo, "--task", "digits", "--url", url, "--json"]
    assert main([*words, "--embed", "--logits", "--attention"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["embedding"], told["attention"]["grid"]) == (NUMBERS, [1, 2])
    params = service.requests[0].url.params
    assert {params[name] for name in ("embed", "logits", "attention")} == {"true"}


def test_an_unknown_image_is_said_so(service, url, photo, capsys):
    answer = service.entry("digits", 1)
    for unknown in (True, False):
        body = answer.model_copy(update={"unknown": unknown}).model_dump_json()
        service.reply = httpx.Response(200, content=body)
        assert main(["predict", photo, "--task", "digits", "--url", url]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert ("unknown, like none of its classes" in said) == unknown


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"target": "multi-label", "labels": ["zero", "two"]}, ": zero, two"),
        ({"target": "multi-label", "labels": []}, ": none of its classes"),
        ({"target": "regression", "predictions": [], "value": -12.5}, ": -12.5"),
        ({"groups": [{"group": "round", "score": 0.75}]}, "round 75.0% group"),
    ],
)
def test_what_a_target_says_besides_is_printed(service, url, photo, capsys, fields, words):
    body = service.entry("digits", 1).model_dump(mode="json") | fields
    service.reply = httpx.Response(200, json=body)
    assert main(["predict", photo, "--task", "digits", "--url", url]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert words in said


def test_markup_in_a_label_is_printed_as_it_is(photo, capsys):
    with over_http(FakeService(tasks={"digits": ("[red]one[/red]",)})) as url:
        assert main(["predict", photo, "--task", "digits", "--url", url]) == 0
    assert "[red]one[/red]" in capsys.readouterr().out


def test_what_a_service_says_does_nothing_to_the_terminal(photo, capsys):
    wild = "a\x1b[31m\u202eb"
    with over_http(FakeService(tasks={"digits": (wild,)})) as url:
        words = ["predict", photo, "--task", "digits", "--url", url]
        assert main(words) == 0
        assert main([*words, "--task", "pe\x1bts"]) == 1
        assert main(["bench", photo, "--task", "pe\x1bts", "--seconds", "0.1", "--url", url]) == 1
    out, err = capsys.readouterr()
    assert r"a\x1b[31m\u202eb" in out
    assert r"pe\x1bts: no such task" in err
    assert not {"\x1b", "\u202e"} & {*out, *err}


def test_several_tasks_in_one_call(service, url, photo, capsys):
    words = ["predict", photo, "--task", "digits", "--task", "shapes", "--url", url]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "digits @" in out
    assert "shapes @" in out
    assert len(service.requests) == 1


def test_a_task_that_failed_beside_one_that_answered(url, photo, capsys):
    words = ["predict", photo, "--task", "digits", "--task", "pets", "--url", url]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert "digits @" in out
    assert err == "error: pets: no such task\n"
    assert main([*words, "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["answers"]) == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--task", "pets"], "pets: no such task"),
        (["--task", "digits", "--url", "http://127.0.0.1:1"], "is the service running?"),
    ],
)
def test_our_errors_are_one_line_and_exit_1(url, photo, capsys, words, text):
    assert main(["predict", photo, "--url", url, *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert text in err
    assert err.count("\n") == 1


def test_a_missing_file_is_one_line_and_exit_1(capsys):
    assert main(["predict", "none.jpg", "--task", "digits"]) == 1
    err = capsys.readouterr().err
    assert "none.jpg" in err
    assert err.count("\n") == 1


def test_secrets_come_from_the_environment_or_the_command_line(
    service, url, photo, monkeypatch, tmp_path
):
    (tmp_path / "token").write_text("t-1")
    monkeypatch.setenv("SPT_API_KEY", "from-the-environment")
    monkeypatch.setenv("SPT_TOKEN_FILE", str(tmp_path / "token"))
    words = ["predict", photo, "--task", "digits", "--url", url]
    assert main(words) == 0
    assert main([*words, "--api-key", "given"]) == 0
    shown = [(r.headers["X-Api-Key"], r.headers["Authorization"]) for r in service.requests]
    assert shown == [("from-the-environment", "Bearer t-1"), ("given", "Bearer t-1")]


def test_empty_variables_count_as_none(service, url, photo, monkeypatch):
    for name in ("SPT_API_KEY", "SPT_TOKEN_FILE"):
        monkeypatch.setenv(name, "")
    assert main(["predict", photo, "--task", "digits", "--url", url]) == 0
    assert not {"X-Api-Key", "Authorization"} & set(service.requests[0].headers)


def test_a_missing_token_file_is_one_line_and_exit_1(photo, capsys):
    assert main(["predict", photo, "--task", "digits", "--token-file", "none"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["predict"],
        ["predict", "photo.jpg"],
        ["predict", "photo.jpg", "--task", "a,b"],
        ["predict", "photo.jpg", "--task", "a", "--top-k", "many"],
        ["predict", "photo.jpg", "--task", "a", "--url", "nowhere"],
        ["predict", "photo.jpg", "--task", "a", "--api-key", "two words"],
        ["predict", "photo.jpg", "--task", "a", "--task", "b", "--version", "3f2a"],
        ["predict", "photo.jpg", "--task", "a", "--embed"],
        ["predict", "photo.jpg", "--task", "a", "--logits"],
        ["predict", "photo.jpg", "--task", "a", "--attention"],
    ],
)
def test_wrong_usage_exits_2(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: python -m clients" in capsys.readouterr().err
