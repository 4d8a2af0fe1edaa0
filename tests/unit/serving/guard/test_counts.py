"""Counts of services are summed from the first look on, over their restarts."""

import io
import math
import urllib.error
from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from serving.errors import GuardBlind
from serving.guard import counts
from serving.guard.counts import Counts, Named, faults_of, read, rows_of
from serving.metrics.table import OK
from serving.metrics.versions import Counts as Told
from serving.metrics.versions import families

A, B = "a" * 64, "b" * 64
URLS = ("http://one/metrics", "http://two/metrics")


class Services:
    """What each service tells, as text; None where it is away."""

    def __init__(self) -> None:
        self.told: dict[str, bytes | Exception] = dict.fromkeys(URLS, page())

    def ask(self, url: str, headers: Mapping[str, str], timeout_s: float) -> bytes:
        assert timeout_s < 60
        told = self.told[url]
        if isinstance(told, Exception):
            raise told
        return told


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    services = Services()
    monkeypatch.setattr(counts, "ask", services.ask)
    return services


def page(*versions: tuple[str, str, dict[str, int]], task: str = "pets") -> bytes:
    """Return metrics as a service writes them."""

    class One:
        def collect(self):
            told = []
            for version, role, outcomes in versions:
                one = Told(task, version[:12], role)
                one.outcomes.update(outcomes)
                one.buckets[3] += outcomes.get(OK, 0)
                told.append(one)
            return families(told)

    registry = CollectorRegistry()
    registry.register(One())
    return generate_latest(registry)


def test_what_a_service_writes_is_read(services: Services) -> None:
    services.told[URLS[0]] = page(
        (A, "current", {OK: 90}), (B, "canary", {OK: 8, "internal": 2}), (B, "shadow", {OK: 1})
    )
    found = read(URLS[0], "pets")
    assert set(found) == {
        Named(A[:12], "current"),
        Named(B[:12], "canary"),
        Named(B[:12], "shadow"),
    }
    canary = found[Named(B[:12], "canary")]
    assert (rows_of(canary), faults_of(canary)) == (10, 2)
    assert (canary[0.0022], canary[0.0033], canary[math.inf]) == (0, 8, 8)
    assert read(URLS[0], "dogs") == {}


def test_only_what_comes_after_the_first_look_counts_and_services_are_summed(
    services: Services,
) -> None:
    seen = Counts("pets", URLS)
    for url in URLS:
        services.told[url] = page((A, "current", {OK: 1000}))
    assert seen.look() == []
    assert rows_of(seen.of(A, "current")) == 0
    services.told[URLS[0]] = page((A, "current", {OK: 1090}), (B, "canary", {OK: 10}))
    services.told[URLS[1]] = page((A, "current", {OK: 1090}), (B, "canary", {"internal": 5}))
    assert seen.look() == []
    assert rows_of(seen.of(A, "current")) == 180
    assert (rows_of(seen.of(B, "canary")), faults_of(seen.of(B, "canary"))) == (15, 5)
    assert seen.of(A, "current")[0.0033] == 180
    assert rows_of(seen.of(A, "canary")) == 0


def test_it_does_not_begin_where_no_service_can_be_read(services: Services) -> None:
    services.told[URLS[0]] = ConnectionRefusedError("nobody")
    Counts("pets", URLS).begin()
    services.told[URLS[1]] = ConnectionRefusedError("nobody")
    with pytest.raises(GuardBlind, match=URLS[0]):
        Counts("pets", URLS).begin()


def test_a_service_that_was_started_again_counts_on(services: Services) -> None:
    seen = Counts("pets", URLS[:1])
    for ok in (0, 100, 30, 50):
        services.told[URLS[0]] = page((B, "canary", {OK: ok}))
        assert seen.look() == []
    assert rows_of(seen.of(B, "canary")) == 100 + 30 + 20


def test_a_version_that_a_service_has_forgotten_counts_on(services: Services) -> None:
    seen = Counts("pets", URLS[:1])
    for told in (page(), page((B, "canary", {OK: 10})), page(), page((B, "canary", {OK: 4}))):
        services.told[URLS[0]] = told
        seen.look()
    assert rows_of(seen.of(B, "canary")) == 14


@pytest.mark.parametrize(
    "told",
    [
        b"<html>a page</html>",
        b"\xff\xfe",
        b"up 1.0\n",
        ConnectionRefusedError("nobody"),
        TimeoutError("late"),
        urllib.error.HTTPError("u", 503, "no", {}, io.BytesIO(b"")),  # type: ignore[arg-type]
    ],
)
def test_a_service_that_cannot_be_read_is_named_and_hides_no_other(
    services: Services, told: bytes | Exception
) -> None:
    seen = Counts("pets", URLS)
    services.told = dict.fromkeys(URLS, page((B, "canary", {OK: 1})))
    seen.look()
    services.told = {URLS[0]: told, URLS[1]: page((B, "canary", {OK: 3}))}
    (trouble,) = seen.look()
    assert URLS[0] in trouble
    assert "expected metrics" in trouble
    assert rows_of(seen.of(B, "canary")) == 2
    services.told[URLS[0]] = page((B, "canary", {OK: 5}))
    assert seen.look() == []
    assert rows_of(seen.of(B, "canary")) == 6
    services.told[URLS[0]] = told
    with pytest.raises(GuardBlind):
        read(URLS[0], "pets")
