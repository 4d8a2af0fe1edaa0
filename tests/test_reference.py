"""The reference of names for programs: it can be made, and says what each of them does."""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pdoc.doc
import pytest

import clients
from tests.documents import reference
from tests.documents.errors import classes


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return reference.write(tmp_path_factory.mktemp("reference"))


def functions(module: str) -> Iterator[ast.FunctionDef]:
    """Yield a module's public functions and methods."""
    tree = ast.parse(inspect.getsource(import_module(module)))
    bodies = [tree.body] + [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    for body in bodies:
        for node in body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield node


def raises(function: ast.FunctionDef) -> bool:
    """Tell whether a function itself makes an error of the catalogue, and raises it."""
    names = {kind.__name__ for kind in classes()}
    return any(
        isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and ast.unparse(node.exc.func).rpartition(".")[2] in names
        for node in ast.walk(function)
    )


def test_its_first_page_leads_to_every_module(page: Path) -> None:
    text = page.read_text()
    for module in reference.PUBLIC:
        assert f"{module.replace('.', '/')}.html" in text
        assert page.with_name(module.split(".")[0]).exists() or module == "clients"


def test_what_clients_export_is_in_it_with_its_words(page: Path) -> None:
    text = page.with_name("clients.html").read_text()
    assert all(f'id="{name}"' in text for name in clients.__all__)
    assert "No adapter is published under this task id." in text
    assert "predict_batch" in text


def test_it_asks_nothing_of_the_network(page: Path) -> None:
    for one in page.parent.rglob("*.html"):
        text = one.read_text()
        assert 'src="http' not in text
        assert 'rel="stylesheet" href="http' not in text


@pytest.mark.parametrize("module", reference.PUBLIC)
def test_every_public_name_says_what_it_is(module: str) -> None:
    documented = pdoc.doc.Module(import_module(module))
    silent = [
        member.fullname
        for one in (documented, *documented.classes)
        for member in one.own_members
        if not isinstance(member, pdoc.doc.Variable)
        and member.name != "__init__"
        and not member.name.startswith("_")
        and not member.docstring
    ]
    assert silent == []


@pytest.mark.parametrize("module", reference.PUBLIC)
def test_whoever_raises_an_error_says_so(module: str) -> None:
    silent = [
        f"{module}.{function.name}"
        for function in functions(module)
        if raises(function) and "Raises:" not in (ast.get_docstring(function) or "")
    ]
    assert silent == []
