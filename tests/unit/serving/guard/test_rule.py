"""A canary is called worse only where that is certain: by errors, or by the latency's quantile."""

import math
import random
from collections import Counter

import pytest
from pydantic import ValidationError

from serving.guard.counts import FAULTS, faults_of, rows_of
from serving.guard.rule import (
    Rule,
    lower_bound,
    quantile_at_most,
    quantile_near,
)
from serving.metrics.table import VERSION_SECONDS
from serving.protocol import HTTP_STATUS, ErrorCode

USUAL_S = 0.04


def series(ok: int, seconds: list[float] | None = None, **errors: int) -> Counter[str | float]:
    """Return counts as metrics tell them: cumulative below bounds."""
    times = [USUAL_S] * ok if seconds is None else seconds
    found: Counter[str | float] = Counter(ok=ok, **errors)
    for bound in (*VERSION_SECONDS, math.inf):
        found[bound] = sum(one <= bound for one in times)
    return found


def drawn(count: int, middle_s: float, seed: int = 0) -> list[float]:
    generator = random.Random(seed)
    return [middle_s * generator.lognormvariate(0.0, 0.4) for _ in range(count)]


@pytest.mark.parametrize(
    ("count", "of", "bound"),
    [(0, 0, 0.0), (0, 100, 0.0), (21, 412, 0.0271), (500, 1000, 0.4527), (100, 100, 0.9174)],
)
def test_the_lower_bound_is_wilsons(count: int, of: int, bound: float) -> None:
    assert lower_bound(count, of) == pytest.approx(bound, abs=1e-4)


def test_a_canary_that_certainly_fails_too_often_is_told_with_its_numbers() -> None:
    found = Rule().breach(series(391, adapter_damaged=21), series(3700))
    assert found == "5.1% errors of 412 rows, limit 2%"
    assert Rule().breach(series(403, adapter_damaged=9), series(3700)) is None


def test_nothing_is_decided_of_few_rows() -> None:
    bad = series(0, [], adapter_damaged=199)
    assert Rule().breach(bad, series(1000)) is None
    assert Rule(min_rows=100).breach(bad, series(1000)) == "100.0% errors of 199 rows, limit 2%"


def test_what_fails_alike_under_the_current_version_is_no_fault_of_the_canarys() -> None:
    assert Rule().breach(series(300, out_of_memory=30), series(2700, out_of_memory=300)) is None
    assert Rule().breach(series(300, out_of_memory=30), series(0)) is not None


def test_errors_of_callers_stores_and_services_say_nothing_of_a_version() -> None:
    others = {code.value: 500 for code in ErrorCode if code not in FAULTS}
    found = series(300, **others)
    assert (rows_of(found), faults_of(found)) == (300, 0)
    assert Rule().breach(found, series(3000)) is None
    assert {HTTP_STATUS[code] for code in FAULTS} == {404, 409, 500, 507}


def test_a_canary_that_is_certainly_slower_is_told() -> None:
    current = series(2000, drawn(2000, USUAL_S))
    found = Rule().breach(series(400, drawn(400, 3 * USUAL_S)), current)
    assert found is not None
    assert "of 400 rows took longer than 0.1 s" in found
    assert "limit 1.5 times" in found


@pytest.mark.parametrize("times", [1.0, 1.2, 1.45])
def test_a_canary_within_the_limit_is_never_called_slow(times: float) -> None:
    for seed in range(20):
        current = series(2000, drawn(2000, USUAL_S, seed))
        canary = series(300, drawn(300, times * USUAL_S, seed + 1000))
        assert Rule().breach(canary, current) is None


def test_a_slow_tail_is_seen_by_its_quantile_alone() -> None:
    current = series(2000, drawn(2000, USUAL_S))
    tail = series(500, [*drawn(470, USUAL_S), *[5.0] * 30])
    assert Rule().breach(tail, current) is None
    found = Rule(quantile=0.99).breach(tail, current)
    assert found is not None
    assert found.startswith("6.0% of 500 rows took longer than")


def test_a_few_loads_at_the_beginning_do_not_make_a_canary_slow() -> None:
    canary = series(250, [*drawn(240, USUAL_S), *[2.0] * 10])
    assert Rule().breach(canary, series(2000, drawn(2000, USUAL_S))) is None


def test_without_a_current_version_to_compare_with_nothing_is_slow() -> None:
    assert Rule().breach(series(300, [9.0] * 300), series(0)) is None
    assert Rule().breach(series(300, [9.0] * 300), series(5)) is None


def test_beyond_the_last_bound_it_is_certain_that_a_row_is_slow() -> None:
    found = Rule().breach(series(300, [60.0] * 300), series(300, [10.0] * 300))
    assert found is not None
    assert "took longer than 15 s" in found


def test_quantiles_are_bounds_and_the_certain_one_is_no_smaller() -> None:
    times = series(100, [0.02] * 50 + [0.06] * 50)
    assert quantile_near(times, 0.5) == 0.022
    assert quantile_at_most(times, 0.5) == 0.068
    assert quantile_near(series(0), 0.5) is None
    assert quantile_at_most(series(0), 0.5) is None


@pytest.mark.parametrize(
    "wrong", [{"errors": 1.0}, {"errors": -0.1}, {"latency": 0.5}, {"quantile": 1.0}, {"rows": 1}]
)
def test_a_rule_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Rule(**wrong)


def test_a_canary_as_good_as_the_current_version_is_hardly_ever_ended() -> None:
    generator, ended = random.Random(0), 0
    for _ in range(300):
        faults = sum(generator.random() < 0.02 for _ in range(400))
        ended += Rule().breach(series(400 - faults, internal=faults), series(4000)) is not None
    assert ended <= 2
