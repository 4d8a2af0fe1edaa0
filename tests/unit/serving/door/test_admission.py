"""Who is let in, and in which order he is asked what."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.redis.shared_limit import SharedLimit
from serving.door.admission import Admission, Admitted
from serving.door.rate_limit import RateLimit
from serving.door.request import Request
from serving.door.tenants import Tenant, digest_of
from serving.door.tenants_file import TenantsFile
from serving.errors import BadKey, BadParameter, Forbidden, RateLimited

KEY_A, KEY_B = "key of a", "key of b"
TENANTS = [
    {
        "name": "team-a",
        "keys": [digest_of(KEY_A)],
        "tasks": ["pets", "a-*"],
        "requests_per_s": 2,
        "burst": 3,
    },
    {
        "name": "team-b",
        "keys": [digest_of(KEY_B), digest_of("new key of b")],
        "tasks": ["pets"],
        "requests_per_s": 1000,
        "burst": 1000,
    },
]


class CountingLimit(RateLimit):
    """Notes what it is asked."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: 100.0)
        self.asked: list[tuple[str, int]] = []

    def take(self, wanted: Mapping[Tenant, int]) -> Any:
        self.asked += [(tenant.name, rows) for tenant, rows in wanted.items()]
        return super().take(wanted)


@pytest.fixture
def limit() -> CountingLimit:
    return CountingLimit()


@pytest.fixture
def admission(tmp_path: Path, limit: CountingLimit) -> Iterator[Admission]:
    path = tmp_path / "tenants.json"
    path.write_text(json.dumps({"tenants": TENANTS}))
    admission = Admission(TenantsFile(path, period_s=3600.0), limit)
    yield admission
    admission.close()


def asking(*tasks: str) -> Request:
    return Request(tasks, 5, None)


def kinds(rows: list[Admitted | Exception]) -> list[Any]:
    """Return the class of each row's error, or of each of its tasks' errors."""
    return [type(row) if isinstance(row, Exception) else classes(row) for row in rows]


def classes(row: Admitted) -> list[Any]:
    return [refusal and type(refusal) for refusal in row.refusals]


def test_without_tenants_everybody_may_ask_everything() -> None:
    bad = BadParameter("top_k")
    rows = Admission(None, RateLimit()).admit([asking("pets", "x"), bad], ["any key", None])
    assert kinds(rows) == [[None, None], BadParameter]
    assert rows[1] is bad


@pytest.mark.parametrize("key", [None, "", "wrong", KEY_A + " ", digest_of(KEY_A)])
def test_without_a_tenants_key_nothing_is_told_but_that(admission: Admission, key: Any) -> None:
    rows = admission.admit([asking("pets"), asking("unknown"), BadParameter("top_k")], [key] * 3)
    assert kinds(rows) == [BadKey] * 3
    assert len({str(row) for row in rows}) == 1
    assert "X-Api-Key" in str(rows[0])


def test_a_key_may_be_asked_for_before_anything_else(admission: Admission) -> None:
    admission.check_key(KEY_A)
    Admission(None, RateLimit()).check_key(None)
    for key in (None, "wrong"):
        with pytest.raises(BadKey, match="X-Api-Key"):
            admission.check_key(key)


def test_only_a_limit_that_is_shared_is_waited_for(admission: Admission) -> None:
    shared = RateLimit(SharedLimit.from_url("redis://127.0.0.1:1"))
    assert (admission.may_wait, Admission(None, shared).may_wait) == (False, True)
    shared.close()


def test_a_wrong_key_is_not_repeated(admission: Admission) -> None:
    (row,) = admission.admit([asking("pets")], ["almost-the-key"])
    assert "almost" not in str(row)


def test_a_good_key_lets_its_own_tasks_through(admission: Admission) -> None:
    rows = admission.admit(
        [asking("pets"), asking("a-birds"), asking("pets")], [KEY_A, KEY_A, KEY_B]
    )
    assert kinds(rows) == [[None]] * 3


def test_another_tenants_task_is_forbidden_in_the_same_words_as_one_that_nobody_has(
    admission: Admission,
) -> None:
    rows = admission.admit([asking("a-birds"), asking("no-such-task")], [KEY_B] * 2)
    assert kinds(rows) == [[Forbidden], [Forbidden]]
    words = [str(row.refusals[0]) for row in rows if isinstance(row, Admitted)]
    assert words[0].replace("a-birds", "?") == words[1].replace("no-such-task", "?")


def test_every_task_of_a_call_is_asked_about_on_its_own(admission: Admission) -> None:
    (row,) = admission.admit([asking("pets", "b-cars", "a-birds")], [KEY_A])
    assert kinds([row]) == [[None, Forbidden, None]]


def test_a_malformed_call_with_a_good_key_hears_what_is_wrong_and_costs_nothing(
    admission: Admission, limit: CountingLimit
) -> None:
    rows = admission.admit([BadParameter("top_k")], [KEY_A])
    assert kinds(rows) == [BadParameter]
    assert limit.asked == []


def test_beyond_the_rate_the_last_rows_of_a_batch_wait(admission: Admission) -> None:
    rows = admission.admit([asking("pets")] * 5, [KEY_A] * 5)
    assert kinds(rows) == [[None]] * 3 + [[RateLimited]] * 2
    (refusal,) = rows[-1].refusals if isinstance(rows[-1], Admitted) else ()
    assert isinstance(refusal, RateLimited)
    assert refusal.retry_after_s == pytest.approx(0.5)
    assert "2 rows a second, 3 at once; ask again in 0.500 s" in str(refusal)


def test_a_call_for_more_tasks_than_are_left_gets_the_first_ones(admission: Admission) -> None:
    (row,) = admission.admit([asking("pets", "a-1", "other", "a-2", "a-3")], [KEY_A])
    assert kinds([row]) == [[None, None, Forbidden, None, RateLimited]]


def test_a_tenant_that_floods_takes_nothing_from_another(admission: Admission) -> None:
    rows = admission.admit([asking("pets")] * 20, [KEY_A, KEY_B] * 10)
    assert kinds(rows)[1::2] == [[None]] * 10
    assert kinds(rows)[0::2].count([RateLimited]) == 7


def test_a_batch_asks_for_each_tenant_once_for_all_its_rows_and_keys(
    admission: Admission, limit: CountingLimit
) -> None:
    keys = [KEY_B, "new key of b", KEY_A, None, "wrong", KEY_B]
    admission.admit([asking("pets", "pets")] * 6, keys)
    assert sorted(limit.asked) == [("team-a", 2), ("team-b", 6)]


def test_forbidden_tasks_cost_nothing(admission: Admission, limit: CountingLimit) -> None:
    admission.admit([asking("a-birds")] * 5, [KEY_B] * 5)
    assert limit.asked == []


def test_no_rows_are_no_rows(admission: Admission) -> None:
    assert admission.admit([], []) == []


def test_a_limit_that_fails_costs_the_rows_it_is_about_and_no_others(
    admission: Admission, limit: CountingLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = RuntimeError("a fault of ours")

    def fail(_: Any) -> Any:
        raise fault

    monkeypatch.setattr(limit, "take", fail)
    rows = admission.admit(
        [asking("pets", "other"), asking("pets"), BadParameter("top_k")], [KEY_A, "wrong", KEY_A]
    )
    assert kinds(rows) == [[RuntimeError, Forbidden], BadKey, BadParameter]
