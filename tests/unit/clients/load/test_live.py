"""A load's live view has the figures of the last seconds, by task."""

import io
import itertools

from rich.console import Console

from clients.errors import NotReady
from clients.load.closed import Outcome
from clients.load.live import WINDOW_S, Window, live_view


def text_of(window: Window) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(window.table())
    return console.file.getvalue()


def test_figures_are_by_task_and_of_the_last_seconds():
    now = [0.0]
    window = Window(itertools.cycle(["digits", "shapes"]), lambda: now[0])
    assert "requests/s" in text_of(window)  # nothing yet
    window.add(Outcome(1, 200, 0.0, 0.5))
    window.add(Outcome(0, 503, 0.0, 0.1, error=NotReady("no")))
    shown = text_of(window)
    assert {"digits", "shapes", "all", "500.0"} <= set(shown.split())
    now[0] = WINDOW_S + 1
    window.add(Outcome(2, 200, 5.0, 0.25))
    shown = text_of(window)
    assert "250.0" in shown
    assert "shapes" not in shown


def test_it_is_shown_on_standard_error_if_it_is_wanted(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    for is_wanted in (True, False):
        with live_view(itertools.repeat("digits"), is_wanted=is_wanted) as see:
            see(Outcome(0, 200, 0.0, 0.5))
        out, err = capsys.readouterr()
        assert out == ""
        assert ("digits" in err) == is_wanted
