"""Changes at the command line: retried, raced, and told of afterwards."""

import getpass
import json
import socket
from pathlib import Path

import pytest

from adapters.artifact.codec import version_of
from tests.fakes.artifacts import make_artifact
from tests.unit.adapters.cli.test_cli_life import Shell

FIRST, SECOND, THIRD = (make_artifact(seed=seed) for seed in range(3))
A, B, C = (version_of(data) for data in (FIRST, SECOND, THIRD))


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    monkeypatch.delenv("REDIS_URL", raising=False)
    shell = Shell(tmp_path, capsys)
    shell.store.publish(FIRST)
    shell.store.publish(SECOND)
    return shell


def test_the_sequence_is_printed_and_can_be_expected(shell: Shell) -> None:
    for found in (shell.json("ls")[0], shell.json("show", "pets")):
        assert found["sequence"] == 2
    shell.store.publish(THIRD, canary=0.1)
    before = shell.store.current("pets")
    for words in (
        ("publish", shell.file(FIRST)),
        ("promote", "pets"),
        ("promote", "pets", A),
        ("rollback", "pets"),
        ("canary", "pets", "--end"),
    ):
        code, out, err = shell(*words, "--expect-sequence", "2")
        assert (code, out) == (1, "")
        assert "pets: expected sequence 2, found 3; 'spt log pets'" in err
    assert shell.store.current("pets") == before
    assert shell.json("canary", "pets", "--end", "--expect-sequence", "3")["sequence"] == 4
    new = shell.file(make_artifact("dogs"))
    assert shell("publish", new, "--expect-sequence", "1")[0] == 1
    assert shell("publish", new, "--expect-sequence", "0")[0] == 0


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "\u0663", "9" * 20])
def test_a_sequence_that_is_no_number_is_wrong_usage(shell: Shell, text: str) -> None:
    with pytest.raises(SystemExit):
        shell("rollback", "pets", f"--expect-sequence={text}")


def test_a_change_that_is_tried_again_under_its_id_is_done_once(shell: Shell) -> None:
    shell.store.publish(THIRD)
    first = shell.json("rollback", "pets", "--change-id", "deploy-7", "--expect-sequence", "3")
    assert (first["version"], first["sequence"]) == (B, 4)
    again = ("rollback", "pets", "--change-id", "deploy-7", "--expect-sequence", "3")
    assert shell.json(*again) == first
    assert shell.json("rollback", "pets", "--change-id", "deploy-8")["version"] == A
    assert shell.json(*again) == first
    assert shell.store.current("pets").sequence == 5
    code, _, err = shell("promote", "pets", C, "--change-id", "deploy-7")
    assert code == 1
    assert "the change deploy-7 is known as 'rollback' with sequence 4" in err


def test_a_rollback_that_is_repeated_with_what_it_expected_is_refused(shell: Shell) -> None:
    shell.store.publish(THIRD, canary=0.1)
    assert shell("rollback", "pets", "--expect", B)[0] == 0
    code, _, err = shell("rollback", "pets", "--expect", B)
    assert code == 1
    assert f"expected {B} to be current, found {A}" in err


def test_somebody_elses_canary_is_not_promoted(shell: Shell) -> None:
    shell.store.publish(FIRST, canary=0.1)
    shell.store.publish(THIRD, canary=0.1)
    for expected in (A, B):
        code, _, err = shell("promote", "pets", "--expect", expected)
        assert code == 1
        assert f"expected {expected} to be the canary, found {C}" in err
    assert shell.json("promote", "pets", "--expect", C[:8])["version"] == C


def test_a_rollback_during_a_canary_says_that_the_canary_goes_on(shell: Shell) -> None:
    shell.store.publish(THIRD, canary=0.1)
    code, out, err = shell("rollback", "pets", "--json")
    assert (code, json.loads(out)["version"]) == (0, A)
    assert json.loads(out)["canary"] == {"version": C, "share": 0.1}
    assert err == f"the canary {C[:12]} goes on; 'spt canary pets --end' ends it\n"
    assert shell.json("canary", "pets", "--end", "--expect", C[:6])["canary"] is None
    with pytest.raises(SystemExit):
        shell("canary", "pets")


def test_the_log_tells_what_changed_by_whom_and_why_and_rollback_erases_nothing(
    shell: Shell,
) -> None:
    words = ("--why", "accuracy fell", "--by", "night shift", "--change-id", "inc-12")
    shell("rollback", "pets", *words)
    shell("publish", shell.file(THIRD), "--canary", "0.1")
    shell("canary", "pets", "--end")
    log = shell.json("log", "pets")
    assert [(row["sequence"], row["what"], row["current"]) for row in log] == [
        (1, "publish", A),
        (2, "publish", B),
        (3, "rollback", A),
        (4, "canary", A),
        (5, "end canary", A),
    ]
    assert log[2]["by"] == "night shift"
    assert (log[2]["why"], log[2]["change"], log[2]["subject"]) == ("accuracy fell", "inc-12", B)
    assert log[3]["by"] == f"{getpass.getuser()}@{socket.gethostname()}"
    assert log[3]["canary"] == {"version": C, "share": 0.1}
    assert len({row["change"] for row in log}) == 5
    assert "accuracy fell" in shell("log", "pets")[1]


def test_a_shadow_is_published_listed_told_of_and_ended(shell: Shell) -> None:
    shadow = {"version": C, "share": 1.0}
    found = shell.json("publish", shell.file(THIRD), "--shadow", "1", "--expect", B[:8])
    assert (found["version"], found["shadow"], found["compared_with"]) == (B, shadow, B)
    assert shell.json("ls")[0]["shadow"] == shell.json("show", "pets")["shadow"] == shadow
    assert (shell.json("diff", "pets")["before"], shell.json("diff", "pets")["after"]) == (B, C)
    assert shell("shadow", "pets", "--end", "--expect", A)[0] == 1
    ended = shell.json("shadow", "pets", "--end", "--expect", C[:8], "--why", "seen enough")
    assert (ended["version"], ended["shadow"]) == (B, None)
    told = [(row["what"], row["shadow"], row["why"]) for row in shell.json("log", "pets")[2:]]
    assert told == [("shadow", shadow, None), ("end shadow", None, "seen enough")]
    for words in (("--shadow", "1.5"), ("--canary", "1"), ("--shadow", "0.1", "--canary", "0.1")):
        with pytest.raises(SystemExit):
            shell("publish", shell.file(THIRD), *words)


def test_an_unknown_task_has_no_log(shell: Shell) -> None:
    code, _, err = shell("log", "pet")
    assert code == 1
    assert err.endswith("did you mean 'pets'?\n")
