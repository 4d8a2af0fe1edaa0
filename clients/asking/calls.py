"""What both clients are told when they are made, and the conversations that both can have."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from clients.asking.batch import Batch, BatchItem
from clients.asking.conversation import (
    Conversation,
    Question,
    ask,
    ask_list,
    ask_many,
    list_tasks,
    show_task,
    wait_ready,
)
from clients.asking.retries import Retries
from clients.images.content import Image
from clients.images.sources import Sources
from clients.wire import (
    BatchInfo,
    Options,
    build_show,
    check_tasks,
    parse_answer_and_batch,
    task_name,
)
from serving.protocol import Answer, MultiAnswer, TaskInfo

OnItem = Callable[[BatchItem], None]

_WITHOUT_END: Final = 1_000_000


class Calls:
    """Makes conversations.

    Args:
        model: its name in the service.
        retries: how often a call is asked again.
        deadline_s: for all attempts of a call together.

    Raises:
        ValueError: a number makes no sense.
    """

    def __init__(self, model: str, retries: int, deadline_s: float) -> None:
        if retries < 0 or deadline_s <= 0:
            raise ValueError(
                f"expected 0 retries or more, and a deadline above 0 s, found {retries} and "
                f"{deadline_s}"
            )
        self._model = model
        self._most_retries = retries
        self._deadline_s = deadline_s

    def one(
        self, image: Image, task: str, version: str | None, options: Options
    ) -> Conversation[tuple[Answer, BatchInfo | None]]:
        """Ask one task about one image."""
        question = Question(self._model, (task_name(task),), options, version)
        parse = partial(parse_answer_and_batch, task=task)
        return ask(question, image, parse, self._retries())

    def many(
        self, image: Image, tasks: Sequence[str], options: Options
    ) -> Conversation[MultiAnswer]:
        """Ask several tasks about one image."""
        return ask_many(self._question(tasks, None, options), image, self._retries())

    def images(
        self, images: Sequence[Image], tasks: Sequence[str], options: Options
    ) -> Conversation[tuple[MultiAnswer, ...]]:
        """Ask about several images in one call.

        Raises:
            ValueError: there is none, or one in place of a list.
        """
        if isinstance(images, str | bytes) or not len(images):
            raise ValueError(
                f"images: expected a list of at least one image, found {images[:80]!r}"
            )
        return ask_list(self._question(tasks, None, options), images, self._retries())

    def batch(
        self,
        sources: Sources,
        task: str | Sequence[str],
        version: str | None,
        options: Options,
        *on_item: Callable[[BatchItem], object],
    ) -> Batch:
        """Ask about many images; nothing of a batch is about how many at a time."""
        tasks = [task] if isinstance(task, str) else task

        def tell(item: BatchItem) -> None:
            for told in on_item:
                told(item)

        return Batch(self._question(tasks, version, options), sources, self._deadline_s, tell)

    def tasks(self) -> Conversation[list[TaskInfo]]:
        """Ask which tasks there are."""
        return list_tasks(self._model, self._retries)

    def task(self, name: str, *, samples: bool, card: bool) -> Conversation[TaskInfo]:
        """Ask for one of them, with its classes."""
        call = build_show(self._model, task_name(name), samples=samples, card=card)
        return show_task(call, name, self._retries())

    def ready(self, patience_s: float) -> Conversation[None]:
        """Wait until the service answers."""
        return wait_ready(self._model, Retries(_WITHOUT_END, patience_s))

    def _question(self, tasks: Sequence[str], version: str | None, options: Options) -> Question:
        return Question(self._model, check_tasks(tasks), options, version)

    def _retries(self) -> Retries:
        return Retries(self._most_retries, self._deadline_s)
