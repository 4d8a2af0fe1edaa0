"""What a list costs, and how soon it knows of what is published."""

import math

import pytest

from adapters.artifact.samples import SampleImage
from adapters.artifact.task import matches_any
from adapters.cache.cached_store import CachedStore
from adapters.errors import StoreUnavailable, TaskNotFound
from adapters.store.directory import DirectoryStore
from adapters.vit.adapter import encode
from serving.inference import listing
from serving.inference.listing import TaskLists
from serving.rows.listing import Listing
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.waiting import wait_until

SPEC = make_spec()


class Counting(DirectoryStore):
    """Counts what it is asked."""

    def __init__(self, root) -> None:
        super().__init__(root)
        self.scans = self.headers = 0

    def folders(self) -> list[str]:
        self.scans += 1
        return super().folders()

    def describe(self, task, version):
        self.headers += 1
        return super().describe(task, version)

    def read(self, task, version):
        raise AssertionError("no artifact is read for a list")


@pytest.fixture
def store(tmp_path):
    store = Counting(tmp_path / "store")
    for i in range(20):
        publish(store, f"task{i:02}")
    return store


def publish(store, name, seed=0):
    store.publish(encode(make_adapter(name, seed=seed, backbone=SPEC)))


@pytest.fixture
def source(store):
    source = CachedStore(store)
    source.watch()
    yield source
    source.close()


def names(page):
    return [task.task for task in page.tasks]


def test_pages_read_no_header_and_names_once(store, source):
    lists = TaskLists(source, SPEC)
    wait_until("the store is followed", lambda: source.feed() is not None)
    found, after = [], ""
    while after is not None:
        page = lists.tell(Listing(after=after, limit=7))
        found += names(page)
        after = page.next
    assert found == store.tasks()
    assert (store.scans, store.headers) == (1, 0)
    lists.tell(Listing(task="task03"))
    assert store.headers == 1


def test_the_feed_tells_of_new_tasks_and_versions(store, source):
    lists = TaskLists(source, SPEC)
    wait_until("the store is followed", lambda: source.feed() is not None)
    before = lists.tell(Listing())
    publish(store, "later")
    publish(store, "task00", seed=1)

    def knows() -> bool:
        now = lists.tell(Listing())
        return "later" in names(now) and now.tasks[1].version != before.tasks[0].version

    wait_until("it knows", knows)
    assert store.scans == 1


def test_without_a_feed_names_are_kept_for_a_moment(store):
    now = [0.0]
    lists = TaskLists(CachedStore(store), SPEC, lambda: now[0])
    assert len(lists.tell(Listing()).tasks) == 20
    publish(store, "later")
    assert "later" not in names(lists.tell(Listing()))
    now[0] += listing.UNFOLLOWED_S
    assert "later" in names(lists.tell(Listing()))


def test_a_task_that_cannot_be_asked_is_left_out_and_others_are_told(store):
    (store.root / "task03" / "current.json").write_text("damaged")
    page = TaskLists(CachedStore(store), SPEC).tell(Listing(limit=4))
    assert names(page) == ["task00", "task01", "task02"]
    assert page.next == "task03"


def test_patterns_are_looked_for_over_all_tasks(store):
    lists = TaskLists(CachedStore(store), SPEC)
    page = lists.tell(Listing(limit=2, patterns=("*3", "task1*")))
    assert (names(page), page.next) == (["task03", "task10"], "task10")
    for patterns in ((), ("*",), ("task0", "0*"), ("*a" * 31, "task07"), ("t*k1", "*5")):
        found = names(lists.tell(Listing(patterns=patterns)))
        assert found == [name for name in store.tasks() if matches_any(name, patterns)]


def test_a_store_that_is_away_is_told_unless_its_names_are_known(store, monkeypatch):
    now = [0.0]
    source = CachedStore(store)
    lists = TaskLists(source, SPEC, lambda: now[0])

    def away(*_):
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(source, "ask_store", away)
        with pytest.raises(StoreUnavailable):
            lists.tell(Listing())
    lists.tell(Listing())
    now[0] += listing.UNFOLLOWED_S
    monkeypatch.setattr(source, "ask_store", away)
    assert len(lists.tell(Listing()).tasks) == 20
    with pytest.raises(TaskNotFound):
        lists.tell(Listing(task="none"))


def test_names_that_no_answer_has_room_for_are_counted(store, monkeypatch):
    monkeypatch.setattr(listing, "MAX_LOGITS_BYTES", 10)
    (task,) = TaskLists(CachedStore(store), SPEC).tell(Listing(task="task00")).tasks
    assert task.class_names is None
    assert task.num_classes is not None


class Odd(Counting):
    """Has a task as a publisher of before wrote it, who knew of none of these bounds."""

    def describe(self, task, version):
        meta, size = super().describe(task, version)
        update = {
            "metrics": {"test_accuracy": 0.5, "other": math.inf},
            "card": "x" * 64_001,
            "samples": (SampleImage(label="cat", jpeg="no JPEG"),),
        }
        return meta.model_copy(update=update), size


def test_what_is_beyond_its_bounds_is_left_out_of_what_is_told_of_a_task(tmp_path):
    store = Odd(tmp_path / "store")
    publish(store, "pets")
    lists = TaskLists(CachedStore(store), SPEC)
    (found,) = lists.tell(Listing(task="pets", samples=True, card=True)).tasks
    assert found.metrics == {"test_accuracy": 0.5}
    assert found.samples == ()
    assert found.card is None
    assert found.method == "spt-deep"
