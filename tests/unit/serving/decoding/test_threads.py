"""A job that nobody waits for any longer costs no thread, up to a number of them."""

import threading

import pytest

from serving.decoding.threads import Threads
from tests.fakes.waiting import wait_until


@pytest.fixture
def doors():
    made = []
    yield lambda: made.append(threading.Event()) or made[-1]
    for door in made:
        door.set()


@pytest.fixture
def threads():
    pool = Threads(1, most_stuck=2)
    yield pool
    pool.close()


def stuck_job(threads, door):
    began = threading.Event()

    def job():
        began.set()
        door.wait(60)

    future = threads.submit(job)
    assert began.wait(60)
    return future


def test_a_jobs_result_or_error_is_its_own(threads):
    def fail():
        raise ValueError("no")

    good, bad = threads.submit(lambda: 7), threads.submit(fail)
    assert good.result(60) == 7
    assert str(bad.exception(60)) == "no"


def test_a_stuck_thread_is_replaced_and_ends_with_its_job(threads, doors):
    door = doors()
    stuck = stuck_job(threads, door)
    behind = threads.submit(threading.current_thread)
    threads.write_off(stuck)
    replacement = behind.result(60)
    door.set()
    wait_until("the stuck thread has ended", lambda: threads.num_stuck == 0)
    assert threads.submit(threading.current_thread).result(60) is replacement


def test_the_number_of_stuck_threads_is_bounded(threads, doors):
    for _ in range(2):
        threads.write_off(stuck_job(threads, doors()))
    last = doors()
    third = stuck_job(threads, last)
    threads.write_off(third)
    assert threads.num_stuck == 2
    behind = threads.submit(lambda: 7)
    assert not behind.done()
    last.set()
    assert behind.result(60) == 7


def test_a_job_that_has_not_begun_is_dropped(threads, doors):
    door, ran = doors(), []
    stuck_job(threads, door)
    waiting = threads.submit(lambda: ran.append(1))
    threads.write_off(waiting)
    door.set()
    assert threads.submit(lambda: 7).result(60) == 7
    assert (waiting.cancelled(), ran, threads.num_stuck) == (True, [], 0)


def test_giving_up_what_is_done_changes_nothing(threads):
    done = threads.submit(lambda: 7)
    assert done.result(60) == 7
    threads.write_off(done)
    assert threads.num_stuck == 0
