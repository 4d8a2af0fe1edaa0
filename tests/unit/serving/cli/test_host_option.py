"""`--host`: where the ASGI front listens, and that no door is open by accident."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from serving import __main__ as command
from serving.cli import launching
from serving.door.tenants import Tenant, TenantList, make_key
from serving.front.launch import _reached
from serving.launch.launch import Launch
from serving.launch.running import Running


@pytest.fixture
def launches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Launch]:
    """Return what would have been started."""
    asked: list[Launch] = []

    def start(launch: Launch) -> Running:
        asked.append(launch)
        return Running(url="http://127.0.0.1:8080", front="asgi", processes={}, scratch=tmp_path)

    monkeypatch.setattr(launching, "start", start)
    monkeypatch.chdir(tmp_path)
    return asked


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    _, digest = make_key()
    path = tmp_path / "tenants.json"
    path.write_text(
        TenantList(
            tenants=(Tenant(name="a", keys=(digest,), tasks=("*",), requests_per_s=9, burst=9),)
        ).model_dump_json()
    )
    return path


def start(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["spt", "start", "--no-redis", *words])
    return command.main()


def test_a_service_is_asked_on_this_machine_alone_unless_it_is_told(
    launches: list[Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert start(monkeypatch) == 0
    assert start(monkeypatch, "--front", "asgi", "--host", "0.0.0.0") == 0
    assert start(monkeypatch, "--front", "asgi", "--host", "::") == 0
    assert start(monkeypatch, "--host", "127.0.0.1", "--no-token") == 0
    assert [str(launch.host) for launch in launches] == ["127.0.0.1", "0.0.0.0", "::", "127.0.0.1"]


def test_others_are_let_near_only_where_somebody_asks_who_they_are(
    launches: list[Launch],
    tenants: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    anyone = ("--front", "asgi", "--host", "0.0.0.0", "--no-token")
    assert start(monkeypatch, *anyone) == 1
    assert "would let anyone on the network ask" in capsys.readouterr().err
    assert start(monkeypatch, "--host", "0.0.0.0") == 1
    assert "choose --front asgi" in capsys.readouterr().err
    assert launches == []
    assert start(monkeypatch, *anyone, "--set", f"tenants={tenants}") == 0


@pytest.mark.parametrize("host", ["localhost", "0.0.0", "127.0.0.1:8080"])
def test_a_host_that_is_no_address_is_refused(
    host: str, launches: list[Launch], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        start(monkeypatch, "--front", "asgi", "--host", host)
    assert ended.value.code == 2
    assert launches == []


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("127.0.0.9", "127.0.0.9"),
    ],
)
def test_this_machine_knows_where_it_reaches_its_service(host: str, reached: str) -> None:
    assert _reached(ip_address(host)) == reached
