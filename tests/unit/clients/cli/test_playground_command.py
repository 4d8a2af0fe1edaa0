"""`spt playground` as it is typed."""

import subprocess
import sys

import pytest

from clients.__main__ import main
from clients.connection import blocking_http
from tests.unit.clients.fake_service import over_http


@pytest.fixture
def playground(service, tmp_path):
    """Yield the service's address, and the command, which has just begun."""
    with over_http(service) as url:
        words = ["playground", "--url", url, "--store", str(tmp_path)]
        command = [sys.executable, "-m", "clients", *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            yield url, process
            process.kill()


def test_the_printed_address_has_the_page_and_lets_its_holder_change(playground):
    url, process = playground
    said, _, key = process.stdout.readline().strip().partition("#key=")
    with blocking_http(said.removeprefix("playground: "), 30.0) as http:
        assert "<title>Playground</title>" in http.get("/").text
        state = http.get("/api/state", headers={"X-Playground-Key": key}).json()
        assert state == {"service": url, "has_store": True, "may_change": True}
        assert http.get("/api/tasks").json()["tasks"][0]["task"] == "digits"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--store", "no-such-folder"], "no-such-folder"),
        (["--port", "65536"], "65,535"),
        (["--url", "nonsense"], "nonsense"),
    ],
)
def test_what_makes_no_playground_is_said_at_once(words, reason, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["playground", *words])
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_port_that_is_taken_is_an_error_in_one_line(service, capsys):
    with over_http(service) as url:
        port = url.rpartition(":")[2]
        assert main(["playground", "--port", port]) == 1
    complaint = capsys.readouterr().err
    assert complaint.startswith(f"error: 127.0.0.1:{port}: ")
    assert len(complaint.splitlines()) == 1
