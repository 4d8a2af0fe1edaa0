"""What goes in over HTTP comes out as the engine alone would have it, whoever asks beside."""

import asyncio

import pytest

from adapters.vit.adapter import encode
from clients.client import AsyncClient
from clients.errors import TaskNotFound, WrongBackbone
from clients.load.closed import Ask, Outcome, run_load
from serving.protocol import Answer, Failure
from tests.e2e.service import FOREIGN, FOREIGN_BACKBONE, IMAGES, TASKS, Service, asks
from tests.fakes.artifacts import make_adapter
from tests.fakes.waiting import wait_until


def test_answers_are_the_engines(service: Service) -> None:
    with service.client() as client:
        for ask in (Ask(image, task, top_k=20) for task in TASKS for image in IMAGES[:4]):
            found = client.predict(ask.image, task=ask.task, top_k=ask.top_k)
            assert found.version == service.source.current(ask.task).version
            service.assert_right(ask, found)


@pytest.mark.parametrize("task", TASKS)
def test_the_feature_and_the_logits_are_the_engines(service: Service, task: str) -> None:
    service.assert_numbers(IMAGES[0], task)


async def burst(service: Service, sent: list[Ask]) -> tuple[Outcome, ...]:
    async with AsyncClient(service.url, timeout_s=60) as client:
        return await run_load(client, sent, concurrency=32)


def test_a_burst_mixes_tasks_in_a_batch_and_every_answer_is_still_right(service: Service) -> None:
    sent = asks(96)
    outcomes = asyncio.run(burst(service, sent))
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    for ask, outcome in zip(sent, outcomes, strict=True):
        assert outcome.answer is not None
        service.assert_right(ask, outcome.answer)
    batches = [outcome.batch for outcome in outcomes if outcome.batch]
    assert len(batches) == len(sent)
    assert max(batch.tasks for batch in batches) >= 2
    assert max(batch.rows for batch in batches) <= 32


def test_one_call_asks_several_tasks_about_one_image(service: Service) -> None:
    with service.client() as client:
        found = client.predict_many(IMAGES[0], tasks=[*TASKS, "no-such-task"])
    *answers, failure = found.answers
    for task, answer in zip(TASKS, answers, strict=True):
        assert isinstance(answer, Answer)
        service.assert_right(Ask(IMAGES[0], task), answer)
    assert isinstance(failure, Failure)
    assert failure.error.code == "task_not_found"


def test_an_adapter_of_another_backbone_is_refused_naming_both(service: Service) -> None:
    with service.client() as client, pytest.raises(WrongBackbone) as caught:
        client.predict(IMAGES[0], task=FOREIGN)
    assert (caught.value.status, caught.value.task) == (409, FOREIGN)
    assert FOREIGN_BACKBONE in str(caught.value)
    assert service.backbone.spec.name in str(caught.value)


def test_an_unknown_task_is_refused_without_a_word_about_the_machine(service: Service) -> None:
    with service.client() as client, pytest.raises(TaskNotFound) as caught:
        client.predict(IMAGES[0], task="no-such-task")
    assert str(caught.value).startswith("no adapter is published for task 'no-such-task'")
    assert "/" not in str(caught.value)


def test_a_task_that_was_missed_is_answered_soon_after_its_first_publish(service: Service) -> None:
    newcomer = make_adapter("newcomer", backbone=service.backbone.spec, seed=5)
    with service.client() as client:
        with pytest.raises(TaskNotFound):
            client.predict(IMAGES[0], task="newcomer")
        service.source.publish(encode(newcomer))

        def answer() -> Answer | None:
            try:
                return client.predict(IMAGES[0], task="newcomer")
            except TaskNotFound:
                return None

        found = wait_until("the newcomer answers", answer)
    service.assert_right(Ask(IMAGES[0], "newcomer"), found)
