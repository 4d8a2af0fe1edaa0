"""Why a worker died is read from TorchServe's log, as that writes it."""

import json
from pathlib import Path

import pytest

from serving.torchserve.logs import ServiceLog

BEFORE = "2026-11-26T19:00:12,323 [WARN ] MetricCollector - worker pid is not available yet.\n"


def said(*lines: str) -> str:
    return "".join(f"2026-11-26T19:00:22,209 [WARN ] MODEL_LOG - {line}\n" for line in lines)


def death(*errors: str) -> str:
    """Return what a worker leaves that dies of the last of some chained errors."""
    lines = ["ERROR root: Backend worker process died."]
    for error in errors:
        lines += ["Traceback (most recent call last):", '  File "x.py", line 3, in f', "    g()"]
        lines += [error, "", "During handling of the above exception, another occurred:", ""]
    return said(*lines[:-3])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "logs" / "torchserve.log"
    path.parent.mkdir()
    return path


def test_each_death_is_told_by_its_error(path: Path, tmp_path: Path) -> None:
    log = ServiceLog(tmp_path)
    assert log.deaths() == []
    path.write_text(BEFORE + death("adapters.errors.WeightsError: no such file"))
    assert log.deaths() == ["adapters.errors.WeightsError: no such file"]
    warned = said("WARNING adapters.vit.weights: weights hold more")
    path.write_text(path.read_text() + BEFORE + warned + death("KeyError: 1", "OSError: full"))
    assert log.deaths() == ["adapters.errors.WeightsError: no such file", "OSError: full"]


def test_what_an_earlier_launch_left_does_not_count(path: Path, tmp_path: Path) -> None:
    path.write_text(death("OSError: full"))
    log = ServiceLog(tmp_path)
    assert log.deaths() == []
    path.write_text(path.read_text() + death("MemoryError"))
    assert log.deaths() == ["MemoryError"]


def test_an_error_of_a_living_worker_is_no_death(path: Path, tmp_path: Path) -> None:
    log = ServiceLog(tmp_path)
    path.write_text(said("ERROR serving.errors: task pets: oh", "Traceback (most", "OSError: oh"))
    assert log.deaths() == []


def test_a_death_counts_once_its_error_is_written(path: Path, tmp_path: Path) -> None:
    log = ServiceLog(tmp_path)
    whole = death("OSError: full")
    path.write_text(whole[: whole.index("2026", whole.rindex("g()"))])
    assert log.deaths() == []
    path.write_text(whole)
    assert log.deaths() == ["OSError: full"]


NO_PROGRAM = (
    "start java frontend failed: (<class 'OSError'>, OSError(8, 'Exec format error'), "
    "<traceback object at 0x7fea87d36980>)"
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("WARNING: x\nError: Could not find or load main class a.b\nCaused by: y\n", "main class"),
        (
            "Unrecognized VM option 'x'\nError: Could not create the JVM.\n",
            "VM option 'x'; Error: C",
        ),
        (
            "Picked up JAVA_TOOL_OPTIONS: -XX:Bad\nUnrecognized VM option 'Bad'\n",
            "_OPTIONS: -XX:Bad",
        ),
        (f"{NO_PROGRAM}\n", "no program for this machine (Exec format error); correct or unset"),
        (f"info\n{'more' * 20}\nlines\nof\nError: it\nstops\n", "Error: it"),
        ("java not found, please make sure JAVA_HOME is set properly.\n", "java not found"),
        ("java.net.BindException: Address already in use\n\tat a.b\n", "Address already in use"),
        ("just this\n", "just this"),
        ("", "Java said nothing"),
        ("Warning: TorchServe is using non-default JVM parameters: -Xm\n", "Java said nothing"),
    ],
)
def test_the_console_tells_why_java_did_not_begin(said: str, told: str, tmp_path: Path) -> None:
    console = tmp_path / "console.log"
    console.write_text("Error: what an earlier launch met\n")
    log = ServiceLog(tmp_path)
    console.write_text(console.read_text() + said)
    assert told in log.console_fault()


def test_a_death_is_read_from_a_log_of_json(path: Path, tmp_path: Path) -> None:
    quoted = [
        {"time": "", "level": "WARN", "logger": "MODEL_LOG", "message": line.partition(" - ")[2]}
        for line in death("OSError: full").splitlines()
    ]
    own = {
        "time": "",
        "level": "ERROR",
        "logger": "root",
        "message": "Backend worker process died.",
        "exception": 'Traceback (most recent call last):\n  File "x.py"\nKeyError: 1',
    }
    javas = {"time": "", "level": "WARN", "logger": "MetricCollector", "message": "Traceback "}
    log = ServiceLog(tmp_path)
    path.write_text("".join(json.dumps(line) + "\n" for line in [javas, *quoted, own, javas]))
    assert log.deaths() == ["OSError: full", "KeyError: 1"]
    path.write_text('{"time": "", "mess')
    assert log.deaths() == []
