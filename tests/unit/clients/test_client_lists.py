"""A list of images is one call, and one entry for each comes back."""

import httpx
import numpy as np
import pytest

from clients.errors import BadRequest, UnexpectedAnswer
from serving.dialects.form import parse_form
from serving.protocol import ErrorCode, Failure, ImagesAnswer, MultiAnswer
from tests.unit.clients.fake_service import failure

BAD = failure(ErrorCode.BAD_IMAGE, "no image", "digits")


def answered(*results, status=200):
    body = ImagesAnswer(results=results).model_dump_json()
    return httpx.Response(status, content=body)


def test_a_list_travels_as_a_form_and_is_answered_in_its_order(service, call, tmp_path):
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    one, other = service.entry("digits", 1), service.entry("digits", 2)
    service.reply = answered(one, BAD, other)
    images = [b"\xff\xd8", tmp_path / "cat.jpg", np.zeros((1, 1, 3), np.uint8)]
    found = call(service, "predict_images", images, tasks=["digits"], top_k=2, embed=True)
    assert [entry.answers for entry in found] == [(one,), (BAD,), (other,)]
    (request,) = service.requests
    assert dict(request.url.params) == {"task": "digits", "top_k": "2", "embed": "true"}
    sent = parse_form(request.headers["content-type"], request.content)
    ppm = b"P6 1 1 255\n" + bytes(3)
    assert sent == [("images", b"\xff\xd8"), ("images", b"cat"), ("images", ppm)]


def test_several_tasks_are_answered_of_each_image(service, call):
    both = MultiAnswer(answers=(service.entry("digits", 1), service.entry("nope", 1)))
    service.reply = answered(both, both)
    found = call(service, "predict_images", [b"x", b"y"], tasks=["digits", "nope"])
    assert found == (both, both)
    assert isinstance(found[1].answers[1], Failure)


def test_where_nothing_was_answered_the_first_failure_is_raised(service, call):
    service.reply = answered(MultiAnswer(answers=(BAD, BAD)), status=400)
    with pytest.raises(BadRequest, match="no image"):
        call(service, "predict_images", [b"x"], tasks=["digits", "shapes"])


@pytest.mark.parametrize("images", [[], b"one", "one.jpg"])
def test_what_is_no_list_of_images_is_told_before_anything_is_sent(service, call, images):
    with pytest.raises(ValueError, match="expected a list of at least one image"):
        call(service, "predict_images", images, tasks=["digits"])
    assert not service.requests


def test_an_answer_to_other_images_or_tasks_is_unexpected(service, call):
    service.reply = answered(service.entry("digits", 1))
    with pytest.raises(UnexpectedAnswer, match="expected 2 results, found 1"):
        call(service, "predict_images", [b"x", b"y"], tasks=["digits"])
    with pytest.raises(UnexpectedAnswer, match="shapes"):
        call(service, "predict_images", [b"x"], tasks=["shapes"])
