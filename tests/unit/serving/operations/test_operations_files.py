"""The files of operations: written out whole; and what they call exists."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.__main__ import main
from serving.errors import LaunchError
from serving.launch.launch import Launch
from serving.operations.write import contents, write
from tests.documents.console import Command
from tests.documents.programs import check
from tests.operations.tools import FILES, ROOT

CHART = FILES / "helm" / "spt"
DRAIN_S = Launch.model_fields["drain_s"].default


def test_all_files_are_written_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["spt", "operations", str(tmp_path / "new")])
    assert main() == 0
    written = {path for path in (tmp_path / "new").rglob("*") if path.is_file()}
    assert {str(path) for path in written} == set(capsys.readouterr().out.splitlines())
    ours = {path for path in FILES.rglob("*") if path.is_file() and "py" not in path.suffix}
    assert {str(path.relative_to(FILES)) for path in ours} == contents().keys()
    for path in written:
        assert path.read_bytes() == (FILES / path.relative_to(tmp_path / "new")).read_bytes()


def test_what_somebody_has_changed_is_kept_unless_it_is_forced(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path)
    changed, missing = tmp_path / "prometheus" / "alerts.yaml", tmp_path / "systemd/spt.service"
    changed.write_text("mine")
    missing.unlink()
    with pytest.raises(LaunchError, match=re.escape(str(changed))):
        write(tmp_path)
    assert changed.read_text() == "mine"
    assert not missing.exists()
    write(tmp_path, force=True)
    assert changed.read_text() == contents()["prometheus/alerts.yaml"]


def test_the_unit_starts_the_service_and_gives_it_time_to_answer() -> None:
    unit = (FILES / "systemd" / "spt.service").read_text()
    (start,) = re.findall(r"^ExecStart=/opt/spt/bin/(spt .+)$", unit, re.MULTILINE)
    words = shlex.split(start)
    check(Command(tuple(words)))
    drain_s = float(words[words.index("--drain-s") + 1])
    (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert float(stop_s) >= drain_s + 10
    assert "\nKillMode=mixed\n" in unit


def test_the_container_starts_the_service_where_others_reach_it() -> None:
    words = entry_point()
    check(Command(tuple(words)))
    assert "--host 0.0.0.0" in " ".join(words)


def test_what_the_chart_tells_the_service_can_be_typed() -> None:
    text = (CHART / "templates" / "deployment.yaml").read_text()
    block = text[text.index("args:") : text.index("ports:")]
    told = re.findall(r"^ +- (--[^\n]+)$", block, re.MULTILINE)
    assert len(told) >= 5
    check(Command((*entry_point(), *(re.sub(r"\{\{.+?\}\}", "1", word) for word in told))))


def entry_point() -> list[str]:
    text = (FILES / "container" / "Containerfile").read_text()
    (found,) = re.findall(r"^ENTRYPOINT (\[.+\])$", text, re.MULTILINE)
    words: list[str] = json.loads(found)
    return words


def test_the_container_and_the_chart_have_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    container = (FILES / "container" / "Containerfile").read_text()
    assert f"\nARG VERSION={version}\n" in container
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == version


def test_the_chart_waits_as_long_for_open_requests_as_the_service_does() -> None:
    assert values()["drainS"] == DRAIN_S


def test_a_value_of_the_chart_is_used_and_what_is_used_is_a_value_with_a_schema() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    used = set(re.findall(r"\.Values\.([\w.]+)", templates))
    known = set(leaves(values()))
    assert {name for name in used if not any(_within(one, name) for one in known)} == set()
    assert {name for name in known if not any(_within(name, one) for one in used)} == set()
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(leaves_of_schema(schema)) - {"global"} == known


def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


FREE = {"requests", "limits", "strategy"}
"""Values with keys that belong to Kubernetes."""


def leaves(found: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in found.items():
        if isinstance(value, dict) and value and name not in FREE:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def leaves_of_schema(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, one in schema["properties"].items():
        if "properties" in one:
            yield from leaves_of_schema(one, f"{prefix}{name}.")
        else:
            yield prefix + name


def _within(one: str, other: str) -> bool:
    """Return whether one value is the other, or a part of it."""
    return f"{one}.".startswith(f"{other}.")
