"""The examples in the clients' docstrings run, as they stand."""

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import clients
from tests.unit.clients.fake_service import FakeService, over_http

FOLDER = Path(clients.__file__).parent
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def examples() -> Iterator[object]:
    for path in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for text in EXAMPLE.findall(ast.get_docstring(node, clean=True) or ""):
                    name = getattr(node, "name", "module")
                    yield pytest.param(textwrap.dedent(text), id=f"{path.stem}:{name}")


def test_there_are_examples():
    assert len(list(examples())) >= 5


@pytest.mark.parametrize("text", list(examples()))
def test_an_example_runs(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"an image")
    token = tmp_path / "runs" / "serve" / "inference.token"
    token.parent.mkdir(parents=True)
    token.write_text("a-token")
    service = FakeService()
    with over_http(service) as url:
        exec(text.replace("http://127.0.0.1:8080", url), {})
    assert service.requests[0].headers["Authorization"] == "Bearer a-token"
    assert "zero" in capsys.readouterr().out
