"""A wrong JAVA_HOME is named before anything starts."""

from pathlib import Path

import pytest

from serving.errors import LaunchError
from serving.java.home import java_home
from serving.java.paths import make_scratch


def test_the_callers_java_is_used_where_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_home() == tmp_path


@pytest.mark.parametrize("value", [None, ""])
def test_the_packages_java_is_used_where_it_is_not(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("JAVA_HOME", value)
    assert (java_home() / "bin" / "java").exists()


@pytest.mark.parametrize("kind", ["missing", "empty", "a folder", "not to be run", "a file"])
def test_a_java_home_without_a_java_is_refused_by_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "java"
    java = home / "bin" / "java"
    if kind == "a file":
        home.write_text("")
    elif kind != "missing":
        java.parent.mkdir(parents=True)
    if kind == "a folder":
        java.mkdir()
    if kind == "not to be run":
        java.write_text("")
        java.chmod(0o644)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(LaunchError, match="JAVA_HOME is") as refused:
        java_home()
    assert str(java) in str(refused.value)


@pytest.mark.parametrize("length", [20, 200])
def test_the_path_of_a_workers_socket_is_never_too_long(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tmp_path / ("x" * length)
    usual.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(usual))
    scratch = make_scratch()
    try:
        assert len(bytes(scratch / ".ts.sock.65535")) < 108
    finally:
        scratch.rmdir()
