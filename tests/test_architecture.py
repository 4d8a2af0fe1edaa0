"""The shape of the code: layers, sizes, names, and documents that tell the truth about them."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from adapters import errors

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "trainer", "serving", "clients")
DOCUMENTS = (
    *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"),
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
)
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FILES = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
MAX_LINES = 400
MAX_MODULES = 13


def relative(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def targets() -> dict[str, str | None]:
    """Return the Makefile's targets that people call, and each one's help text."""
    lines = (ROOT / "Makefile").read_text().splitlines()
    found = (re.match(r"([a-z][a-z-]*):(?!=)[^#]*(?:## (.+))?", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_this_trees_and_not_its_namesake_on_the_index(package: str):
    file = importlib.import_module(package).__file__
    assert file is not None
    assert Path(file).parent == ROOT / package


@pytest.mark.parametrize("module", ["clients", "clients.client", "serving.protocol"])
def test_a_client_loads_neither_torch_nor_redis(module: str):
    heavy = {"torch", "redis", "timm", "numpy", "adapters", "trainer"}
    code = f"import sys, {module}; print(*sorted({heavy!r} & sys.modules.keys()))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_command_that_starts_and_stops_the_service_does_not_load_torch():
    code = "import sys, serving.__main__; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_no_file_has_more_than_400_lines():
    lengths = {path: len(path.read_text().splitlines()) for path in FILES}
    assert relative([path for path, length in lengths.items() if length > MAX_LINES]) == []


def test_no_folder_has_more_than_13_modules():
    modules = [path for path in SOURCES if path.name != "__init__.py"]
    crowded = {
        str(folder.relative_to(ROOT)): count
        for folder, count in Counter(path.parent for path in modules).items()
        if count > MAX_MODULES
    }
    assert crowded == {}


def test_every_folder_says_in_a_sentence_what_it_is():
    faces = {path.parent / "__init__.py" for path in SOURCES}
    silent = [path for path in sorted(faces) if not path.exists() or not docstring(path)]
    assert relative(silent) == []


def test_no_file_has_a_name_that_says_nothing():
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert relative([path for path in FILES if path.stem in vague]) == []


def test_no_source_file_imports_pickle():
    guilty = [path for path in SOURCES if imported(path) & {"pickle", "cPickle", "dill", "joblib"}]
    assert relative(guilty) == []


CALLERS = {
    "clients/connection.py": "leaves out the environment's proxy for this machine",
    "serving/launch/loopback.py": "asks this machine alone, past every proxy",
    "trainer/data/public/fetch.py": "downloads data sets, through whatever proxy there is",
    "tests/e2e/service.py": "asks this machine alone, past every proxy",
}
"""The files that may open an HTTP connection by a library that knows of proxies."""

OPENERS = {"urlopen", "build_opener", "urlretrieve"}
HTTPX_OPENERS = {"Client", "AsyncClient", "get", "head", "post", "put", "request", "stream"}


def test_http_is_spoken_where_it_is_decided_whether_a_proxy_is_asked_and_nowhere_else():
    speaking = [path for path in FILES if opens_http(path)]
    assert sorted(set(relative(speaking)) - CALLERS.keys()) == []


def opens_http(path: Path) -> bool:
    """Return whether a file names what opens a connection of httpx or urllib."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).split(".")
            if called[-1] in OPENERS or (called[0] == "httpx" and called[-1] in HTTPX_OPENERS):
                return True
    return False


def imported(path: Path) -> set[str]:
    """Return the top-level names of the packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_every_source_file_says_what_it_is():
    silent = [path for path in SOURCES if path.read_text() and not docstring(path)]
    assert relative(silent) == []


def docstring(path: Path) -> str | None:
    return ast.get_docstring(ast.parse(path.read_text()))


def test_the_handlers_module_defines_the_one_class_that_torchserve_allows():
    tree = ast.parse((ROOT / "serving" / "handler.py").read_text())
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert classes == ["Handler"]


def test_every_error_of_the_adapters_is_in_the_tree_that_its_module_draws():
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    defined = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.SptError)
    ]
    assert sorted(set(drawn) - {"Everything"}) == sorted(defined)


def test_the_architecture_page_has_a_row_for_every_source_folder():
    folders = {f"{path.parent.relative_to(ROOT)}/" for path in SOURCES}
    assert folders - set(rows_of_folders()) == set()


def test_the_architecture_page_has_no_row_for_a_folder_that_does_not_exist():
    rows = rows_of_folders()
    assert len(rows) == len(set(rows))
    assert [folder for folder in rows if not (ROOT / folder).is_dir()] == []


def rows_of_folders() -> list[str]:
    """Return the folders that have a row in ARCHITECTURE's tables of folders."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    tables = page.partition("## Folders\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([\w/]+/)` \|", tables, re.MULTILINE)


def test_every_make_target_has_a_help_text():
    assert {"help", "setup", "demo", "test", "check", "train", "serve", "stop"} <= set(targets())
    assert [name for name, text in targets().items() if not text] == []


def test_the_help_lists_every_target():
    command = ["make", "-s", "help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  make ([a-z-]+) ", done.stdout, re.MULTILINE)
    assert listed == list(targets())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documents_name_no_target_that_does_not_exist(name: str):
    text = (ROOT / name).read_text()
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    named = set(re.findall(r"(?:^|[`$;]) *make +([a-z][a-z-]*)", code, re.MULTILINE))
    assert named - set(targets()) == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documents_name_no_module_that_does_not_exist(name: str):
    modules = re.findall(r"python -m ([a-z_.]+)", (ROOT / name).read_text())
    ours = [module for module in modules if module.split(".")[0] in PACKAGES]
    assert {module for module in ours if not can_be_run(module)} == set()


def can_be_run(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return (path / "__main__.py").exists() or path.with_suffix(".py").exists()
