"""TorchServe hands a list's GET to the worker, and the client pages through it."""

from clients.client import Client
from tests.e2e.service import FOREIGN, IMAGES, TASKS, Service


def test_a_client_sees_the_tasks_and_what_each_is(service: Service) -> None:
    with service.client() as client:
        client.wait_ready()
        found = client.tasks()
        assert {task.task for task in found} >= {*TASKS, FOREIGN}
        versions = {task.task: task.version for task in found}
        for task in TASKS:
            whole = client.task(task)
            assert whole.version == versions[task] == client.predict(IMAGES[0], task=task).version
            assert whole.class_names is not None
            assert whole.num_classes == len(whole.class_names)
        assert client.task(FOREIGN).trouble is not None


def test_a_batch_over_http_is_in_order(service: Service) -> None:
    with Client(service.url, token_file=service.process.token_file) as client:
        result = client.predict_batch(IMAGES, task=TASKS)
    assert not result.failed
    with service.client() as client:
        for image, item in zip(IMAGES, result, strict=True):
            for task in TASKS:
                assert item[task].top.index == client.predict(image, task=task).top.index
