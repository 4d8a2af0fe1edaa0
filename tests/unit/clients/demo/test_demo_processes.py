"""Children are told what they need, heard, and never left behind."""

import asyncio
import os
import signal
import threading
import time

import pytest
from rich.console import Console

from clients.demo.errors import DemoError
from clients.demo.plan import TaskPlan, make_plan
from clients.demo.processes import child_output, relay_child, run_child, signals_interrupt
from clients.demo.scenario import _prepare
from clients.demo.service import publish
from clients.demo.trained import read_trained

SPEAK = "import os, sys; print(os.environ.get('REDIS_URL'), *sys.argv[1:])"
WAIT = """
import pathlib, time
pathlib.Path("started").touch()
try:
    time.sleep(60)
finally:
    pathlib.Path("ended").touch()
"""


@pytest.fixture(autouse=True)
def _signals_as_at_a_terminal():
    """Undo what a test runner in the background may have inherited: ignored signals."""
    usual = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://a-persons-own")
    for name, text in {"speak": SPEAK, "fail": "raise SystemExit(3)", "wait": WAIT}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_a_child_prints_on_the_same_terminal(folder, capfd):
    run_child(Console(), "speak", "[red]hello")
    out = capfd.readouterr().out
    assert "$ python -m speak '[red]hello'" in out
    assert "None [red]hello" in out


def test_a_relayed_child_is_heard_too(folder, capfd):
    relay_child(Console(), "waiting", "speak", "[red]hello")
    assert "None [red]hello" in capfd.readouterr().out


def test_only_the_demos_own_redis_is_told(folder):
    assert asyncio.run(child_output("speak")) == "None\n"
    assert asyncio.run(child_output("speak", redis_url="redis://ours")) == "redis://ours\n"


@pytest.mark.parametrize(
    "run",
    [
        lambda: run_child(Console(), "fail"),
        lambda: relay_child(Console(), "waiting", "fail"),
        lambda: asyncio.run(child_output("fail")),
    ],
)
def test_a_failing_child_is_named(folder, run):
    with pytest.raises(DemoError, match="python -m fail: expected exit status 0, found 3"):
        run()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_lets_its_child_clean_up(folder, number):
    def interrupt():
        while not (folder / "started").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), signals_interrupt():
        run_child(Console(), "wait")
    thread.join()
    assert (folder / "ended").exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_demo_in_the_background_is_deaf_but_its_children_are_not(folder):
    def end_the_child(number=signal.SIGTERM):
        while not (folder / "started").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)  # as a terminal does to everything
        time.sleep(0.05)
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # an impatient person

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        thread = threading.Thread(target=end_the_child)
        thread.start()
        with pytest.raises(KeyboardInterrupt), signals_interrupt():
            run_child(Console(), "wait")
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (folder / "ended").exists()


def test_a_publication_that_tells_no_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adapters.py").write_text("print('[]')")
    trained = type("Trained", (), {"artifact": tmp_path / "a"})
    with pytest.raises(DemoError, match="expected JSON with a version, found"):
        asyncio.run(publish(make_plan(tmp_path, quick=True), trained))


def test_a_plan_tells_training_no_more_than_it_must():
    assert TaskPlan("digits").settings("spt-deep") == []
    assert TaskPlan("digits", probe_epochs=None).settings("linear") == []
    quick = make_plan("out", quick=True).tasks[0]
    assert quick.settings("spt-deep") == ["optim.epochs=1", "optim.warmup_epochs=0"]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(DemoError, match="choose another --out"):
        _prepare(Console(), make_plan(tmp_path, quick=True))
    assert (tmp_path / "thesis.tex").exists()


def test_an_earlier_demo_is_cleared_away(tmp_path):
    plan = make_plan(tmp_path / "out", quick=True)
    _prepare(Console(), plan)
    (plan.out / "summary.json").write_text("{}")
    _prepare(Console(), plan)
    assert not (plan.out / "summary.json").exists()


def test_a_folder_that_training_did_not_fill_is_named(tmp_path):
    with pytest.raises(DemoError, match="expected the trained adapter"):
        read_trained(tmp_path, "digits")
    (tmp_path / "digits.safetensors").touch()
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(DemoError, match=r"metrics\.json: not what training leaves"):
        read_trained(tmp_path, "digits")
