"""A request meets the current version or, by its image, the canary; a named version is fixed."""

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import serving.inference.lookup
from adapters.cache.cached_store import CachedStore
from adapters.errors import TaskNotFound, VersionNotFound
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.deadline import Deadline
from serving.inference.bank import AdapterBank, AdapterKey
from serving.inference.lookup import Lookup
from serving.rows.draws import digest_of, draw
from serving.rows.query import Query
from serving.rows.row import Row
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import tiny_backbone

SHARE = 0.1


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone()


@pytest.fixture(scope="module")
def source(backbone, tmp_path_factory):
    source = CachedStore(DirectoryStore(tmp_path_factory.mktemp("store")), pointer_ttl_s=1e9)
    for task in ("canaried", "plain"):
        source.publish(encode(make_adapter(task, seed=1, backbone=backbone.spec)))
    source.publish(encode(make_adapter("canaried", seed=2, backbone=backbone.spec)), canary=SHARE)
    return source


@pytest.fixture
def bank(backbone, source):
    bank = AdapterBank(backbone, source, 1 << 20)
    yield bank
    bank.close()


@pytest.fixture
def lookup(source, bank):
    return Lookup(source, bank, pinned=["canaried"])


def images(count: int) -> list[bytes]:
    generator = random.Random(0)
    return [generator.randbytes(64) for _ in range(count)]


def looked_up(lookup, *queries):
    """Return the key that each query's row gets, or the error that it ends with."""
    rows = [Row(query) for query in queries]
    lookup.choose(rows, Deadline.after(60.0))
    return [row.key if row.is_pending else row.outcome for row in rows]


def versions(lookup, sent, task="canaried"):
    return [key.version for key in looked_up(lookup, *(Query(image, task) for image in sent))]


def test_the_canary_answers_its_share_of_the_images(lookup, source):
    sent = images(10_000)
    found = versions(lookup, sent).count(source.current("canaried").canary.version)
    four_deviations = 4 * (SHARE * (1 - SHARE) / len(sent)) ** 0.5
    assert found / len(sent) == pytest.approx(SHARE, abs=four_deviations)


def test_an_image_always_meets_the_same_version(lookup):
    sent = images(200)
    assert versions(lookup, sent) == versions(lookup, sent[::-1])[::-1]
    assert len(set(versions(lookup, sent))) == 2


def test_a_larger_share_takes_more_images_and_gives_none_back(lookup, source):
    pointer = source.current("canaried")
    more = pointer.model_copy(update={"canary": pointer.canary.model_copy(update={"share": 0.5})})
    for digest in map(digest_of, images(300)):
        if pointer.chosen(draw(digest, "salt")) == pointer.canary.version:
            assert more.chosen(draw(digest, "salt")) == pointer.canary.version


def test_two_canaries_draw_apart_from_each_other():
    sent = [digest_of(image) for image in images(4000)]
    first, second = ({n for n, digest in enumerate(sent) if draw(digest, salt) < SHARE}
                     for salt in ("task-a 1", "task-b 2"))  # fmt: skip
    both = len(first & second) / len(sent)
    assert both == pytest.approx(SHARE**2, abs=4 * (SHARE**2 / len(sent)) ** 0.5)


@given(st.binary(max_size=200))
def test_a_draw_lies_in_its_range_and_depends_on_the_bytes_alone(image):
    drawn = draw(digest_of(image), "pets")
    assert 0 <= drawn < 1
    assert draw(digest_of(bytes(bytearray(image))), "pets") == drawn


def test_an_image_is_hashed_once_a_batch_and_only_where_there_is_a_canary(lookup, monkeypatch):
    hashed = []
    monkeypatch.setattr(
        serving.inference.lookup,
        "digest_of",
        lambda data: hashed.append(data) or digest_of(data),
    )
    image = images(1)[0]
    looked_up(lookup, *[Query(image, "plain")] * 3)
    assert hashed == []
    looked_up(lookup, *[Query(image, "canaried")] * 3)
    assert hashed == [image]


def test_a_named_version_is_met_whatever_the_image(lookup, source):
    current = source.current("canaried").version
    asked = [Query(image, "canaried", version=current[:12]) for image in images(100)]
    assert set(looked_up(lookup, *asked)) == {AdapterKey("canaried", current)}


def test_the_canary_is_never_the_one_that_is_pinned(lookup, source, bank):
    versions(lookup, images(100))
    assert bank.pins == {AdapterKey("canaried", source.current("canaried").version)}


def test_what_is_not_there_is_an_error_at_its_own_place(lookup):
    missing = Query(b"", "plain", version="0" * 64)
    found = looked_up(lookup, Query(b"", "nobody"), Query(b"", "plain"), missing)
    assert isinstance(found[0], TaskNotFound)
    assert isinstance(found[1], AdapterKey)
    assert isinstance(found[2], VersionNotFound)


def test_each_distinct_task_is_looked_up_once_a_batch(lookup, source, monkeypatch):
    seen = []
    real = source.current
    monkeypatch.setattr(source, "current", lambda task, _: seen.append(task) or real(task))
    looked_up(lookup, *(Query(b"x", ("plain", "canaried")[i % 2]) for i in range(8)))
    assert sorted(seen) == ["canaried", "plain"]


def test_images_are_hashed_side_by_side_and_not_in_the_thread_that_asks(lookup, monkeypatch):
    threads = set()

    def note(data):
        threads.add(threading.current_thread())
        return digest_of(data)

    monkeypatch.setattr(serving.inference.lookup, "digest_of", note)
    versions(lookup, images(50))
    assert threads
    assert threading.current_thread() not in threads
