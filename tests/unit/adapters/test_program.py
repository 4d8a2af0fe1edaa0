"""Around every command: what is imported, what is printed, and with which code it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.program import Command, Program, Table

PARTS = {
    "fine": "def run(args):\n    print(args.word)\n    return 0",
    "three": "def run(args): return 3",
    "ours": "from adapters.errors import SptError\ndef run(args): raise SptError('one\\ntwo')",
    "theirs": "class Theirs(Exception): ...\ndef run(args): raise Theirs('by name')",
    "fault": "def run(args): raise KeyError('a fault of ours')",
    "file": "def run(args): open('no/such/file')",
    "usage": "from adapters.program import UsageError\ndef run(args): raise UsageError('not both')",
    "stop": "def run(args): raise KeyboardInterrupt",
    "told": "STOPPED = 'stopped; it goes on'\ndef run(args): raise KeyboardInterrupt",
    "heavy": "import no_such_package.deep",
    "broken": "import adapters.no_such_module",
    "slow": "import time\nprint('importing', flush=True)\ntime.sleep(60)",
    "socket": "def run(args): raise BrokenPipeError(32, 'the other end has gone')",
    "long": "def run(args):\n    for i in range(100_000): print(i)\n    return 0",
    "said": "from adapters.streams import say\ndef run(args):\n    say('word')\n    return 0",
}
ARGUMENTS = """
from pathlib import Path
def add_arguments(parser):
    parser.add_argument("word", nargs="?", default="hello", help="what is printed")
    parser.add_argument("--count", type=int, default=0, help="how often")
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    parser.add_argument("--to", help="a file")
    parser.add_argument("--folder", type=Path, help="a place")
    parser.add_argument("--set", action="append", default=[], help="a setting")
"""
Run = Callable[..., int]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on the path with a module for each part."""
    for name, code in PARTS.items():
        (tmp_path / f"part_{name}.py").write_text(f"{code}\n{ARGUMENTS}")
        monkeypatch.delitem(sys.modules, f"part_{name}", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def program() -> Program:
    commands = {name: Command(f"do what is {name}", f"part_{name}") for name in PARTS}
    table = Table("all parts", commands, extra="train", errors=("part_theirs:Theirs",))
    return Program("spt", "Do something.", (table,), distribution="spt-serving")


@pytest.fixture
def run(folder: Path) -> Run:
    return lambda *words: program().main([*words])


def child(folder: Path, *words: str) -> list[str]:
    code = (
        # tests that run in the background hand down that Ctrl-C is ignored
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        f"from tests.unit.adapters.test_program import program\n"
        f"sys.exit(program().main({[*words]!r}))"
    )
    return [sys.executable, "-c", code]


def test_the_commands_code_is_the_programs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("fine", "word") == 0
    assert capsys.readouterr().out == "word\n"
    assert run("three") == 3


def test_only_the_chosen_command_is_imported(run: Run) -> None:
    run("fine")
    assert [name for name in PARTS if f"part_{name}" in sys.modules] == ["fine"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ours", "error: one two\n"),
        ("theirs", "error: by name\n"),
        ("socket", "error: [Errno 32] the other end has gone\n"),
        ("file", "error: no/such/file: No such file or directory\n"),
        (
            "heavy",
            "error: spt heavy needs the package 'no_such_package', which is not installed: "
            "pip install 'spt-serving[train]'\n",
        ),
    ],
)
def test_an_error_is_one_line_and_exit_1(
    run: Run, capsys: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    assert run(name) == 1
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize(("name", "kind"), [("fault", KeyError), ("broken", ModuleNotFoundError)])
def test_a_fault_of_ours_keeps_its_traceback(run: Run, name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        run(name)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "COMMAND"),
        (("fien",), "there is no command 'fien'; did you mean 'fine' or 'file'?"),
        (("xyzzy",), "there is no command 'xyzzy'\n"),
        (("fine", "--count", "many"), "invalid int value: 'many'"),
        (("usage",), "spt usage: error: not both"),
    ],
)
def test_wrong_usage_exits_2_and_shows_the_usage(
    run: Run, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(*words)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("usage: spt")
    assert said in err


@pytest.mark.parametrize(
    ("name", "line"), [("stop", "stopped\n"), ("told", "stopped; it goes on\n")]
)
def test_ctrl_c_is_one_line_and_exit_130(
    run: Run, capsys: pytest.CaptureFixture[str], name: str, line: str
) -> None:
    assert run(name) == 130
    assert capsys.readouterr() == ("", line)


def test_ctrl_c_while_a_command_is_imported_is_one_line_too(folder: Path) -> None:
    command = child(folder, "slow")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (130, "stopped\n")


def test_a_reader_that_has_gone_ends_it_quietly(folder: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(child(folder, "long"), stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(30) == 1


@pytest.mark.parametrize(
    "words",
    [("fine",), ("said",), ("--help",), ("--version",)],
    ids=" ".join,
)
@pytest.mark.parametrize("buffered", [True, False])
def test_an_output_that_is_full_is_one_line_and_exit_1(
    folder: Path, words: tuple[str, ...], buffered: bool
) -> None:
    unbuffered = "" if buffered else "1"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            child(folder, *words),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            check=False,
        )
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "No space left on device" in line
    assert done.returncode == 1


def test_a_file_on_a_full_disk_is_not_the_output(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "def run(args):\n    with open('/dev/full', 'w') as file: file.write('x')"
    (folder / "part_fine.py").write_text(f"{code}\n{ARGUMENTS}")
    assert run("fine") == 1
    assert capsys.readouterr() == ("", "error: [Errno 28] No space left on device\n")


def test_help_shows_defaults_but_none_that_say_nothing(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run("fine", "--help")
    assert caught.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Do what is fine." in out
    assert "what is printed (default: hello)" in out
    assert "how often (default: 0)" in out
    assert out.count("(default: ") == 2


def test_the_programs_help_lists_every_command(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run("--help")
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "all parts:\n" in out
    assert all(f"    {name:10}  do what is {name}\n" in f"{out}\n" for name in PARTS)


def test_an_option_of_the_program_may_stand_before_or_after_the_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def count(parser: object) -> None:
        parser.add_argument("--count", type=int, default=7, help="how often")

    (folder / "part_fine.py").write_text(f"def run(args): return args.count\n{ARGUMENTS}")
    counting = program()._replace(options=count)
    assert counting.main(["fine"]) == 7
    assert counting.main(["--count", "3", "fine"]) == 3
    assert counting.main(["--count", "3", "fine", "--count", "4"]) == 4


def test_the_version_is_the_distributions(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("--version")
    assert caught.value.code == 0
    name, version = capsys.readouterr().out.split()
    assert name == "spt-serving"
    assert version[0].isdigit()


@pytest.mark.parametrize("option", ["--folder", "--to"])
def test_an_empty_variable_is_neither_the_current_folder_nor_a_name(
    run: Run, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run("fine", option, "")
    assert ended.value.code == 2
    assert f"argument {option}: found nothing; is a variable empty?" in capsys.readouterr().err
