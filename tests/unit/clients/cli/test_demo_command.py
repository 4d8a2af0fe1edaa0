"""How the command `demo` ends, and what it leaves."""

import json

import pytest

from clients.__main__ import main
from clients.demo import scenario
from clients.demo.errors import DemoError
from tests.unit.clients.demo.demo_evidence import evidence


@pytest.fixture
def tells(monkeypatch, tmp_path):
    """Let the scenario end as told; returns the words of the command."""

    def choose(end):
        def run(_console, plan):
            plan.out.mkdir()
            if isinstance(end, BaseException):
                raise end
            return end

        monkeypatch.setattr(scenario, "run", run)
        return ["demo", "--quick", "--out", str(tmp_path / "out")]

    return choose


def test_a_demo_that_went_well_leaves_three_files(tells, tmp_path, capsys):
    assert main(tells(evidence(tmp_path))) == 0
    out = tmp_path / "out"
    assert json.loads((out / "summary.json").read_text())["served"]["failed"] == 0
    assert len(json.loads((out / "requests.json").read_text())) == 4
    assert (out / "report.html").read_text().startswith("<!doctype html>")
    assert capsys.readouterr().err == ""


def test_a_broken_promise_is_one_line_after_the_files(tells, tmp_path, capsys):
    found = evidence(tmp_path)
    served = found.summary.served.model_copy(update={"failed": 1})
    broken = found.summary.model_copy(update={"served": served})
    assert main(tells(type(found)(broken, found.runs, found.records))) == 1
    assert (tmp_path / "out" / "summary.json").exists()
    assert capsys.readouterr().err == "error: 1 of 4 requests failed, expected 0\n"


@pytest.mark.parametrize(
    ("end", "status", "text"),
    [(DemoError("no Java"), 1, "error: no Java\n"), (KeyboardInterrupt(), 130, "stopped, with")],
)
def test_a_demo_that_did_not_end_says_so_in_one_line(tells, capsys, end, status, text):
    assert main(tells(end)) == status
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1
