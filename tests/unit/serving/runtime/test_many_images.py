"""Batches with more images than there are slots go to the device in turns, and never block."""

import threading
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np

from adapters.artifact.preprocessing import ImageLimits
from adapters.images.crop import Picture
from serving.deadline import Deadline
from serving.decoding.decoder import DecoderSettings
from serving.protocol import Answer, LabelScore
from serving.rows.query import Query
from serving.runtime.connection import SLOTS, Connection
from serving.runtime.front_engine import MOST_IMAGES, FrontEngine
from serving.runtime.slots import Slots
from tests.fakes.artifacts import make_adapter
from tests.fakes.tiny import image_bytes, tiny_backbone

RULE = make_adapter("pets", backbone=tiny_backbone().spec).meta.preprocessing


def answer(task: str) -> Answer:
    label = LabelScore(label="x", index=0, score=1.0)
    return Answer(task=task, version="0" * 64, predictions=(label,))


def test_no_call_of_the_device_has_more_images_than_it_may() -> None:
    sizes: list[int] = []

    def compute(seats, pictures, deadline):
        sizes.append(len({id(picture) for picture in pictures.values()}))
        return {place: answer(seats.queries[place].task) for place in pictures}

    device = Mock()
    device.seat.side_effect = lambda queries, _: SimpleNamespace(
        queries=queries, rows=[RULE] * len(queries)
    )
    device.compute.side_effect = compute
    engine = FrontEngine(device, DecoderSettings(ImageLimits(), threads=2), 60.0)
    images = [bytes(bytearray(image_bytes(0))) for _ in range(2 * MOST_IMAGES + 1)]
    queries = [Query(image, f"{i}-{j}") for i, image in enumerate(images) for j in range(2)]
    found = engine.predict(queries)
    engine.close()
    assert [outcome.task for outcome in found] == [query.task for query in queries]
    assert sizes == [MOST_IMAGES, MOST_IMAGES, 1]


def test_calls_that_together_want_more_slots_than_there_are_wait_for_each_other_in_turn() -> None:
    connection = Connection.__new__(Connection)
    connection._slots, connection._placing = Slots(SLOTS, 3), threading.Lock()
    connection._lent = {}
    placed: list[int] = []

    def place(call: int) -> None:
        pictures = {i: Picture(np.zeros((1, 1, 3), np.uint8), is_whole=False) for i in range(100)}
        found = connection._place(pictures, Deadline.after(60.0))
        connection._lent[call] = {one.slot for one in found.values()}
        placed.append(len(found))
        connection._take_back(call)

    threads = [threading.Thread(target=place, args=[call]) for call in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert placed == [100] * 8
