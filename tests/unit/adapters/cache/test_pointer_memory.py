import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adapters.cache.pointer_memory import (
    FOLLOWED_RENEWAL_S,
    MAX_UNKNOWN_TASKS,
    RENEWED_AFTER,
    SPREAD_S,
    PointerMemory,
)
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
    assert memory.should_be_renewed("pets")
    assert memory.begin("pets", renew=True).is_mine
    assert not memory.should_be_renewed("pets")
    memory.expire("pets", newest=OLD)
    assert memory.renew("pets", lambda: NEW) == memory.fresh("pets") == NEW
    memory.now += LIFETIME_S - 0.01
    assert memory.fresh("pets") == NEW
    assert memory.should_be_renewed("pets")


@pytest.mark.parametrize(
    "forget", [lambda m: m.expire("pets"), lambda m: m.follow(["pets"], {}, 1e9)]
)
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
    lambda memory: memory.follow(["pets"], {}, 0.0),
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
    memory.begin_anew()
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
                memory.begin_anew()

    for job in [pool.submit(ask, i) for i in range(16)]:
        job.result()
    assert memory._look_ups == {}
    assert memory.last("pets") == OLD
    pool.shutdown()


FOREVER = float("inf")


def test_what_is_followed_is_fresh_until_it_moves_however_old_it_is(memory: Memory) -> None:
    memory.follow([], {}, FOREVER)
    for task in ("pets", "dogs"):
        memory.look_up(task, lambda: OLD)
    memory.now += 1e6
    assert memory.fresh("pets") == memory.fresh("dogs") == OLD
    memory.follow(["pets"], {}, FOREVER)
    assert (memory.fresh("pets"), memory.fresh("dogs")) == (None, OLD)
    assert memory.look_up("pets", lambda: NEW) == NEW


def test_what_was_looked_up_before_it_was_followed_is_fresh_for_its_lifetime(
    memory: Memory,
) -> None:
    memory.look_up("pets", lambda: OLD)
    memory.begin_anew()
    memory.follow([], {}, FOREVER)
    memory.now += LIFETIME_S
    assert memory.fresh("pets") is None


def test_a_look_up_that_began_in_the_era_before_is_fresh_for_its_lifetime(memory: Memory) -> None:
    memory.follow([], {}, FOREVER)

    def overtaken() -> Pointer:
        memory.begin_anew()
        memory.follow([], {}, FOREVER)
        return OLD

    memory.look_up("pets", overtaken)
    assert memory.fresh("pets") is None
    assert memory.last("pets") == OLD


def test_what_is_followed_is_renewed_now_and_then_without_anybody_waiting(memory: Memory) -> None:
    memory.follow([], {}, FOREVER)
    memory.look_up("pets", lambda: OLD)
    memory.now += 0.79 * FOLLOWED_RENEWAL_S
    assert not memory.should_be_renewed("pets")
    memory.now += 0.41 * FOLLOWED_RENEWAL_S
    assert memory.fresh("pets") == OLD
    assert memory.should_be_renewed("pets")


def test_a_pointer_that_is_known_to_move_in_a_moment_is_fresh_for_its_lifetime(
    memory: Memory,
) -> None:
    memory.follow(["pets"], {"pets": NEW.sequence}, FOREVER)
    memory.look_up("pets", lambda: OLD)
    memory.now += LIFETIME_S
    assert memory.fresh("pets") is None
    memory.look_up("pets", lambda: NEW)
    memory.now += LIFETIME_S
    assert memory.fresh("pets") == NEW


def test_when_nothing_more_is_told_lifetimes_count_and_when_it_is_again_they_do_not(
    memory: Memory,
) -> None:
    memory.follow([], {}, memory.now + 2 * LIFETIME_S)
    memory.look_up("pets", lambda: OLD)
    memory.look_up("dogs", lambda: OLD)
    memory.now += 2 * LIFETIME_S
    assert memory.fresh("pets") is memory.fresh("dogs") is None
    memory.follow(["dogs"], {}, FOREVER)
    assert (memory.fresh("pets"), memory.fresh("dogs")) == (OLD, None)


def test_after_missed_moves_all_is_looked_up_while_the_old_answers_for_a_moment(
    memory: Memory,
) -> None:
    memory.follow([], {}, FOREVER)
    memory.look_up("pets", lambda: OLD)
    memory.look_up("dogs", lambda: OLD)
    memory.begin_anew()
    memory.follow([], {}, FOREVER)
    memory.now += 0.9 * SPREAD_S
    assert memory.fresh("pets") == OLD
    assert memory.should_be_renewed("pets")
    memory.renew("pets", lambda: NEW)
    memory.now += SPREAD_S
    assert (memory.fresh("pets"), memory.fresh("dogs")) == (NEW, None)


@pytest.mark.parametrize("eras", [1, 2, 3])
def test_moves_that_are_missed_again_and_again_prolong_nothing(memory: Memory, eras: int) -> None:
    memory.follow([], {}, FOREVER)
    memory.look_up("pets", lambda: OLD)
    for _ in range(eras):
        memory.begin_anew()
        memory.follow([], {}, FOREVER)
        memory.now += SPREAD_S / eras
    assert memory.fresh("pets") is None


def test_a_look_up_that_waits_for_its_turn_is_not_begun_twice(memory: Memory) -> None:
    memory._limit_s = 2.0
    mine = memory.begin("pets")
    memory.now += 1000.0
    assert not memory.begin("pets").is_mine
    memory.begun(mine)
    memory.now += 1.9
    assert not memory.begin("pets").is_mine
    memory.now += 0.1
    assert memory.begin("pets").is_mine
