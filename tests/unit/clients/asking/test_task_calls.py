"""Which tasks there are, what one of them is, and whether anybody answers."""

import httpx
import pytest

from clients.errors import BadKey, NotReady, TaskNotFound, UnexpectedAnswer
from serving.protocol import ErrorCode, TaskInfo, TaskPage
from tests.unit.clients.fake_service import VERSION, failure


@pytest.fixture
def many(service):
    service.tasks = {f"task{i}": ("a", "b") for i in range(5)}
    return service


def test_all_tasks_are_asked_for_page_by_page(many, call):
    found = call(many, "tasks")
    assert [task.task for task in found] == [f"task{i}" for i in range(5)]
    assert found[0] == TaskInfo(task="task0", version=VERSION)
    assert [(request.method, request.url.path) for request in many.requests] == [
        ("GET", "/spt/predict")
    ] * 3
    pages = [request.url.params.get("after") for request in many.requests]
    assert pages == [None, "task1", "task3"]


def test_a_list_that_does_not_go_on_is_no_list(many, call):
    page = TaskPage(tasks=(), next="task1")
    many.reply = httpx.Response(200, content=page.model_dump_json())
    with pytest.raises(UnexpectedAnswer, match="does not go on after 'task1'"):
        call(many, "tasks")


def test_one_task_has_its_classes(service, call):
    found = call(service, "task", "digits")
    assert found.class_names == ("zero", "one", "two")
    assert "digits @ 3f2a3f2a3f2a" in repr(found)
    with pytest.raises(TaskNotFound):
        call(service, "task", "pets")


def test_samples_and_the_card_of_a_task_are_asked_for_by_name(service, call):
    found = call(service, "task", "digits", samples=True, card=True)
    assert [(one.label, one.jpeg) for one in found.samples] == [("zero", "/9j/")]
    assert found.card == "# A card"
    params = [dict(request.url.params) for request in service.requests]
    assert params == [{"list": "tasks", "task": "digits", "samples": "true", "card": "true"}]


def test_another_task_than_asked_is_unexpected(service, call):
    page = TaskPage(tasks=(TaskInfo(task="shapes", version=VERSION),))
    service.reply = httpx.Response(200, content=page.model_dump_json())
    with pytest.raises(UnexpectedAnswer, match="expected task 'digits' alone"):
        call(service, "task", "digits")


def test_a_feature_is_numbers(service, call):
    assert call(service, "embed", b"x", task="digits") == (1.0, -2.0)
    service.reply = httpx.Response(200, content=service.entry("digits", 1).model_dump_json())
    with pytest.raises(UnexpectedAnswer, match="expected an embedding"):
        call(service, "embed", b"x", task="digits")


class Starting:
    """Refuses, is not ready, and then is."""

    def __init__(self, service, *replies):
        self.replies = [*replies]
        self.service = service

    def transport(self):
        return httpx.MockTransport(self.handle)

    def handle(self, request):
        self.service.reply = self.replies.pop(0) if self.replies else None
        return self.service.handle(request)


def refused(status, code):
    return httpx.Response(status, content=failure(code, "no").model_dump_json())


def test_who_waits_is_told_once_the_worker_answers(service, call):
    not_ready = refused(503, ErrorCode.NOT_READY)
    starting = Starting(service, httpx.ConnectError("refused"), not_ready)
    call(starting, "wait_ready")
    assert len(service.requests) == 3
    assert service.requests[0].url.params["limit"] == "1"


def test_who_waits_in_vain_is_told_why(service, call):
    service.reply = refused(503, ErrorCode.NOT_READY)
    with pytest.raises(NotReady):
        call(service, "wait_ready", 0.1)
    service.reply = refused(401, ErrorCode.BAD_KEY)
    with pytest.raises(BadKey):
        call(service, "wait_ready")


def test_an_earlier_service_that_knows_no_list_is_ready(service, call):
    service.reply = refused(400, ErrorCode.BAD_PARAMETER)
    call(service, "wait_ready")
