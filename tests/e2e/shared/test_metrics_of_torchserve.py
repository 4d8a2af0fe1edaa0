"""TorchServe's worker tells its metrics at the port of its probes, and of Redis what is true."""

import pytest

from clients.errors import TaskNotFound
from tests.e2e.service import IMAGES, TASKS, Service
from tests.fakes.exposed import told_at
from tests.fakes.waiting import wait_until


def test_answers_and_errors_are_counted(service: Service, ports: tuple[int, ...]) -> None:
    url = f"http://127.0.0.1:{ports[3]}"
    before = told_at(url)
    with service.client() as client:
        client.predict(IMAGES[0], task=TASKS[0])
        with pytest.raises(TaskNotFound):
            client.predict(IMAGES[0], task="nobody")
    after = told_at(url)
    series = ('spt_requests_total{status="200"}', 'spt_rows_total{code="task_not_found"}')
    assert [after[one] - before[one] for one in series] == [1, 1]
    assert after["spt_redis_up"] == after["spt_ready"] == 1


def test_a_redis_that_is_gone_is_told(service: Service, ports: tuple[int, ...]) -> None:
    url = f"http://127.0.0.1:{ports[3]}"
    assert service.redis is not None
    service.redis.stop()
    wait_until("it is told", lambda: told_at(url)["spt_redis_up"] == 0)
    assert told_at(url)["spt_redis_failures_total"] > 0
    service.redis.start()
    wait_until("its return is told", lambda: told_at(url)["spt_redis_up"] == 1)
