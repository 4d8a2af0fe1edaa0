"""What names may do to a terminal: nothing."""

import pytest

from adapters.artifact.changes import class_changes
from adapters.cli.rows import in_words
from adapters.cli.tables import show_fields, show_rows
from adapters.shown import is_hidden, shown

WILD = "a\x1b[31mb"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WILD, r"a\x1b[31mb"),
        ("tab\tline\nend\r", r"tab\tline\nend\r"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\udce9", r"\udce9"),
        ("\u2028", r"\u2028"),
        ("caf\u00e9 \u732b\u3000\U0001f468\u200d\U0001f469", None),
        ("[red] back\\slash", None),
    ],
)
def test_hidden_characters_are_spelled_out_and_no_others(text: str, expected: str | None):
    assert shown(text) == (text if expected is None else expected)
    assert not any(map(is_hidden, shown(text)))


def test_tables_and_warnings_show_names_spelled_out(capsys: pytest.CaptureFixture[str]):
    show_rows([{"field": "class", "value": WILD, "list": [WILD], "tree": {WILD: WILD}}])
    told = capsys.readouterr().out + class_changes(["a"], [WILD]).described() + in_words(WILD)
    assert "\x1b" not in told
    assert told.count(r"a\x1b[31mb") == 6


def test_a_line_break_in_a_name_breaks_no_line():
    assert in_words({"names": ["a\nb"]}) == r"names a\nb"


def test_fields_that_list_objects_have_a_line_for_each_and_none_for_a_name(
    capsys: pytest.CaptureFixture[str],
):
    show_fields({"history": [{"sequence": 1}, {"sequence": 2}], "class": "a\nb"})
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[2:] == [["history", "sequence", "1"], ["sequence", "2"], ["class", r"a\nb"]]
