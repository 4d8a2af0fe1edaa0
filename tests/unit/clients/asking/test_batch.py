"""Many images: each has its own outcome, in order, whatever the service does meanwhile."""

import sys
import time
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from clients.errors import ImageNotFetched, NotReady, ServiceUnreachable, TaskNotFound
from serving.protocol import ErrorCode, MultiAnswer
from tests.unit.clients.fake_service import failure
from tests.unit.clients.flaky_service import FlakyService

NAMES = [f"image {i}" for i in range(1000)]


def test_a_thousand_images_are_answered_in_order_by_a_service_that_fails_and_restarts(call):
    service = FlakyService(share=0.05, restarts_at=500)
    images = (name.encode() for name in NAMES)
    result = call(service, "predict_batch", images, task="pets", concurrency=32)
    assert [item.top.label for item in result] == NAMES
    assert not result.failed
    assert service.num_failed > 20


@pytest.fixture
def photos(tmp_path):
    for name in ("b.jpg", "a.PNG", "deep/c.webp", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_folders_patterns_files_and_bytes_are_images_and_have_names(service, call, photos):
    given = [photos, str(photos / "*.txt"), photos / "b.jpg", b"bytes"]
    result = call(service, "predict_batch", given, task="digits", concurrency=1)
    paths = ["a.PNG", "b.jpg", "deep/c.webp", "notes.txt", "b.jpg"]
    assert [item.image for item in result] == [*(str(photos / one) for one in paths), "#5"]
    assert [request.content for request in service.requests] == [
        *(one.encode() for one in paths),
        b"bytes",
    ]


@pytest.mark.parametrize("image", ["b.jpg", b"bytes", "."])
def test_one_image_is_a_batch_too(service, call, photos, monkeypatch, image):
    monkeypatch.chdir(photos)
    result = call(service, "predict_batch", image, task="digits")
    assert len(result) == (3 if image == "." else 1)


def test_an_array_of_images_is_a_batch(service, call):
    pixels = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    for given in (pixels, list(pixels)):
        assert len(call(service, "predict_batch", given, task="digits", concurrency=1)) == 2
        first, second = (request.content for request in service.requests[-2:])
        assert (first, second) == tuple(b"P6 5 4 255\n" + one.tobytes() for one in pixels)
    assert len(call(service, "predict_batch", pixels[0], task="digits")) == 1


@pytest.mark.parametrize("place", ["empty", "*.jpg"])
def test_a_place_without_images_is_told_at_once(service, call, tmp_path, place):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected JPEG, PNG or WebP images, found none"):
        call(service, "predict_batch", [str(tmp_path / place)], task="digits")


@pytest.mark.parametrize("wrong", [{"task": []}, {"task": "a,b"}, {"concurrency": 0}])
def test_arguments_that_make_no_batch_are_told(service, call, wrong):
    with pytest.raises(ValueError, match=r"task|concurrency"):
        call(service, "predict_batch", [b"x"], **{"task": "digits"} | wrong)
    assert not service.requests


def test_an_image_that_fails_is_an_item_like_the_others(service, call, photos):
    given = [photos / "b.jpg", photos / "none.jpg", 7, "http://127.0.0.1:1/x.jpg"]
    result = call(service, "predict_batch", given, task="digits")
    assert [type(item.errors.get("digits")) for item in result] == [
        type(None),
        FileNotFoundError,
        ValueError,
        ImageNotFetched,
    ]
    assert result[0].ok
    assert len(result.failed) == 3
    assert str(result) == "BatchResult(4 images, 3 failed)"
    with pytest.raises(FileNotFoundError):
        _ = result.answers
    with pytest.raises(FileNotFoundError):
        _ = result[1].top
    assert [answer.top.label for answer in result[:1].answers] == ["zero"]


def test_several_tasks_are_one_call_and_fail_one_by_one(service, call):
    result = call(service, "predict_batch", [b"x"], task=["digits", "pets", "shapes"])
    assert len(service.requests) == 1
    (item,) = result
    assert (item["digits"].top.label, item["shapes"].top.label) == ("zero", "disc")
    with pytest.raises(TaskNotFound, match="pets"):
        _ = item["pets"]
    assert "pets: TaskNotFound" in repr(item)


def test_a_task_that_is_not_ready_is_asked_again_alone(service, call):
    first = MultiAnswer(
        answers=(service.entry("digits", 1), failure(ErrorCode.NOT_READY, "cold", "shapes"))
    )
    replies = [httpx.Response(200, content=first.model_dump_json()), None, None]
    handle = service.handle

    def answer(request):
        service.reply = replies.pop(0)
        return handle(request)

    service.handle = answer
    (item,) = call(service, "predict_batch", [b"x"], task=["digits", "shapes"])
    assert item.ok
    assert [one.url.params["task"] for one in service.requests] == ["digits,shapes", "shapes"]


def test_once_nothing_is_answered_the_rest_is_tried_once(service, call):
    service.reply = httpx.ConnectError("Connection refused")
    began = time.perf_counter()
    options = {"deadline_s": 0.2}
    result = call(service, "predict_batch", [b"x"] * 200, task="digits", with_=options)
    assert {type(item.errors["digits"]) for item in result} == {ServiceUnreachable}
    assert time.perf_counter() - began < 10  # each by itself would be 200 times 0.2 s, over 8
    assert len(service.requests) < 400


def test_an_image_that_breaks_the_service_is_given_up(service, call, monkeypatch):
    monkeypatch.setattr("clients.asking.retries.FIRST_S", 0.0)
    body = failure(ErrorCode.NOT_READY, "it is being started again").model_dump_json()
    service.reply = httpx.Response(503, content=body)
    (item,) = call(service, "predict_batch", [b"x"], task="digits")
    assert type(item.errors["digits"]) is NotReady
    assert len(service.requests) == 13


def test_items_are_told_in_order_and_images_taken_as_they_are_needed(service, call):
    told, ahead = [], []

    def images():
        for i in range(60):
            ahead.append(i - len(told))
            yield b"x"

    on_item = lambda item: told.append(item.image)  # noqa: E731
    call(service, "predict_batch", images(), task="digits", concurrency=1, on_item=on_item)
    assert told == [f"#{i}" for i in range(60)]
    assert max(ahead) == 0


def test_an_error_of_the_callers_own_ends_the_batch(service, call):
    def images():
        yield b"x"
        raise RuntimeError("a fault of the caller")

    with pytest.raises(RuntimeError, match="a fault of the caller"):
        call(service, "predict_batch", images(), task="digits")


def test_a_frame_has_a_row_for_each_class_and_each_failure(service, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    result = call(service, "predict_batch", [b"x"], task=["digits", "pets"], top_k=2)
    zero, one, failed = result.to_frame()
    assert (zero["image"], zero["task"], zero["rank"], zero["label"]) == ("#0", "digits", 1, "zero")
    assert (one["rank"], one["label"], one["score"], one["error"]) == (2, "one", 0.5, None)
    assert failed == {"image": "#0", "task": "pets", "error": "pets: no such task"}
    assert len(result[0].outcomes["digits"].to_frame()) == 2


def test_without_pandas_a_frame_says_what_to_install(service, call, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    result = call(service, "predict_batch", [b"x"], task="digits")
    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_frame()


def test_a_bar_counts_what_is_done(service, call, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    call(service, "predict_batch", [b"x"] * 3, task="digits", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
