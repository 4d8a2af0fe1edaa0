import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adapters.cache.pointer_memory import MAX_UNKNOWN_TASKS, RENEWED_AFTER, PointerMemory
from adapters.errors import StoreUnavailable, TaskNotFound
from adapters.store.record import Pointer

OLD, NEW = (Pointer(version=f"{i:064x}", sequence=i) for i in (1, 2))
LIFETIME_S, ABSENCE_S = 5.0, 0.5


class Memory(PointerMemory):
    """One whose clock stands still until it is moved, asked as a CachedStore asks it."""

    def __init__(self) -> None:
        self.now = 100.0
        super().__init__(lambda: self.now)

    def look_up(self, task: str, find: Callable[[], Pointer], *, renew: bool = False) -> Pointer:
        look_up = self.begin(task, renew=renew)
        if look_up.is_mine:
            try:
                self.learn(look_up, find(), LIFETIME_S)
            except BaseException as error:
                self.give_up(look_up, error, ABSENCE_S)
        return look_up.pointer.result()

    def renew(self, task: str, find: Callable[[], Pointer]) -> Pointer:
        return self.look_up(task, find, renew=True)


class Finder:
    """A way to look up that waits to be let go on, and counts how often it was asked."""

    def __init__(self, outcome: Pointer | Exception) -> None:
        self.outcome = outcome
        self.asked = 0
        self.is_looking = threading.Event()
        self.may_go_on = threading.Event()

    def __call__(self) -> Pointer:
        self.asked += 1
        self.is_looking.set()
        assert self.may_go_on.wait(10)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def absent() -> Pointer:
    raise TaskNotFound("pets")


def fail() -> Pointer:
    raise AssertionError("looked up")


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(32)


def test_a_pointer_is_fresh_for_its_lifetime_and_known_for_ever(memory: Memory) -> None:
    assert memory.fresh("pets") is None
    assert memory.last("pets") is None
    memory.look_up("pets", lambda: OLD)
    memory.now += LIFETIME_S - 0.01
    assert memory.look_up("pets", fail) == memory.fresh("pets") == OLD
    memory.now += 0.01
    assert memory.fresh("pets") is None
    assert memory.last("pets") == OLD


def test_in_the_second_half_of_its_life_one_is_told_to_renew_a_pointer(memory: Memory) -> None:
    assert not memory.should_be_renewed("pets")
    memory.look_up("pets", lambda: OLD)
    memory.now += RENEWED_AFTER * LIFETIME_S - 0.01
    assert not memory.should_be_renewed("pets")
    memory.now += 0.01
    assert [memory.should_be_renewed("pets") for _ in range(3)] == [True, False, False]
    assert memory.renew("pets", lambda: NEW) == memory.fresh("pets") == NEW
    memory.now += LIFETIME_S - 0.01
    assert memory.fresh("pets") == NEW
    assert memory.should_be_renewed("pets")


@pytest.mark.parametrize("forget", [lambda m: m.expire("pets"), lambda m: m.expire_all()])
def test_what_is_out_of_date_is_not_renewed_but_looked_up(memory: Memory, forget: Any) -> None:
    memory.look_up("pets", lambda: OLD)
    memory.now += RENEWED_AFTER * LIFETIME_S
    forget(memory)
    assert not memory.should_be_renewed("pets")
    assert memory.look_up("pets", lambda: NEW) == NEW


@pytest.mark.parametrize("outcome", [OLD, StoreUnavailable("gone"), TaskNotFound("pets")])
def test_many_threads_that_ask_for_a_task_look_it_up_once(
    memory: Memory, pool: ThreadPoolExecutor, outcome: Pointer | Exception
) -> None:
    finder = Finder(outcome)
    jobs = [pool.submit(memory.look_up, "pets", finder) for _ in range(32)]
    assert finder.is_looking.wait(10)
    finder.may_go_on.set()
    found = [job.exception() or job.result() for job in jobs]
    if outcome is OLD:
        assert found == [OLD] * 32
    else:
        assert {type(error) for error in found} == {type(outcome)}
    assert finder.asked == 1 or isinstance(outcome, StoreUnavailable)
    pool.shutdown()


def test_other_tasks_do_not_wait_for_a_slow_look_up(
    memory: Memory, pool: ThreadPoolExecutor
) -> None:
    finder = Finder(OLD)
    slow = pool.submit(memory.look_up, "pets", finder)
    assert finder.is_looking.wait(10)
    assert memory.look_up("dogs", lambda: NEW) == NEW
    finder.may_go_on.set()
    assert slow.result() == OLD
    pool.shutdown()


def test_a_failed_look_up_is_tried_again_by_the_next(memory: Memory) -> None:
    memory.look_up("pets", lambda: OLD)
    memory.expire("pets")
    with pytest.raises(StoreUnavailable):
        memory.look_up("pets", unavailable)
    assert memory.last("pets") == OLD
    assert memory.look_up("pets", lambda: NEW) == NEW


def unavailable() -> Pointer:
    raise StoreUnavailable("gone")


EXPIRIES: list[Callable[[Memory], None]] = [
    lambda memory: memory.expire("pets"),
    lambda memory: memory.expire("pets", newest=NEW),
    lambda memory: memory.expire_all(),
]


@pytest.mark.parametrize("expire", EXPIRIES)
def test_what_is_expired_is_looked_up_again(
    memory: Memory, expire: Callable[[Memory], None]
) -> None:
    memory.look_up("pets", lambda: OLD)
    expire(memory)
    assert memory.fresh("pets") is None
    assert memory.last("pets") is not None
    assert memory.look_up("pets", lambda: NEW) == NEW


@pytest.mark.parametrize("expire", EXPIRIES)
@pytest.mark.parametrize("was_known", [True, False])
def test_a_look_up_that_news_overtook_never_hides_them(
    memory: Memory, pool: ThreadPoolExecutor, expire: Callable[[Memory], None], was_known: bool
) -> None:
    if was_known:
        memory.look_up("pets", lambda: OLD)
        memory.expire("pets")
    finder = Finder(OLD)
    slow = pool.submit(memory.look_up, "pets", finder)
    assert finder.is_looking.wait(10)
    expire(memory)
    assert memory.look_up("pets", lambda: NEW) == NEW
    finder.may_go_on.set()
    assert slow.result() == OLD
    assert memory.fresh("pets") == NEW
    pool.shutdown()


def test_a_look_up_that_was_overtaken_is_remembered_where_nothing_else_is(
    memory: Memory, pool: ThreadPoolExecutor
) -> None:
    finder = Finder(OLD)
    slow = pool.submit(memory.look_up, "pets", finder)
    assert finder.is_looking.wait(10)
    memory.expire_all()
    finder.may_go_on.set()
    assert slow.result() == OLD
    assert memory.fresh("pets") is None
    assert memory.last("pets") == OLD
    pool.shutdown()


def test_the_newest_pointer_stays_known_whatever_is_announced_after_it(memory: Memory) -> None:
    memory.expire("pets", newest=NEW)
    memory.expire("pets", newest=OLD)
    memory.expire("pets")
    assert memory.last("pets") == NEW


def test_what_the_look_up_finds_goes_before_what_was_known(memory: Memory) -> None:
    memory.expire("pets", newest=NEW)
    memory.look_up("pets", lambda: OLD)
    assert memory.last("pets") == OLD


def test_an_absent_task_is_remembered_briefly_and_its_pointer_forgotten(memory: Memory) -> None:
    memory.expire("pets", newest=OLD)
    with pytest.raises(TaskNotFound):
        memory.look_up("pets", absent)
    for ask in (lambda: memory.fresh("pets"), lambda: memory.look_up("pets", fail)):
        with pytest.raises(TaskNotFound, match="a moment ago"):
            ask()
    assert memory.last("pets") is None
    memory.now += ABSENCE_S
    assert memory.look_up("pets", lambda: NEW) == NEW


@pytest.mark.parametrize("expire", EXPIRIES)
def test_an_absent_task_of_which_news_come_is_looked_up(
    memory: Memory, expire: Callable[[Memory], None]
) -> None:
    with pytest.raises(TaskNotFound):
        memory.look_up("pets", absent)
    expire(memory)
    assert memory.look_up("pets", lambda: OLD) == OLD


def test_more_absent_tasks_than_the_limit_cost_bounded_memory(memory: Memory) -> None:
    for i in range(MAX_UNKNOWN_TASKS + 50):
        with pytest.raises(TaskNotFound):
            memory.look_up(f"task{i}", absent)
    assert len(memory._unknown) == MAX_UNKNOWN_TASKS


def test_threads_that_ask_and_expire_at_random_leave_nothing_behind(
    memory: Memory, pool: ThreadPoolExecutor
) -> None:
    def ask(i: int) -> None:
        for _ in range(200):
            assert memory.look_up("pets", lambda: OLD) == OLD
            if i % 2:
                memory.expire("pets")
            elif i % 5 == 0:
                memory.expire_all()

    for job in [pool.submit(ask, i) for i in range(16)]:
        job.result()
    assert memory._look_ups == {}
    assert memory.last("pets") == OLD
    pool.shutdown()
