"""A list of images is answered by every front as its images would be, each in its place."""

from typing import Any

import pytest

from serving.protocol import ErrorCode, floats
from tests.fakes.tiny import image_bytes
from tests.unit.serving import test_contract as contract
from tests.unit.serving.test_contract import KEYS, Ask, Call, json_call, listed

ask, config, tiny = contract.ask, contract.config, contract.tiny


def test_each_image_of_a_list_is_answered_in_its_place_as_it_would_be_alone(ask: Ask) -> None:
    images = [image_bytes(1), b"no image", image_bytes(2), image_bytes(1)]
    for tasks in ("cars", "cars,nope,pets"):
        params = [("task", tasks), ("embed", "true"), ("logits", "true")]
        form = [("images", image) for image in images]
        _, _, body = ask(Call("a list", 200, params=params, form=form))
        alone = [ask(Call("alone", 200, params=params, body=image))[2] for image in images]
        for found, expected in zip(body["results"], alone, strict=True):
            assert rounded(found) == rounded(expected)


def rounded(body: Any) -> Any:
    """Return a body whose numbers may differ in their last bits: they are of other batches."""
    if isinstance(body, dict):
        numbers = {name: floats(body[name]) for name in ("embedding", "logits") if name in body}
        return {name: rounded(value) for name, value in (body | numbers).items()}
    if isinstance(body, list | tuple):
        return [rounded(value) for value in body]
    return pytest.approx(body, abs=1e-5) if isinstance(body, float) else body


def test_a_list_in_json_is_answered_as_one_in_a_form(ask: Ask) -> None:
    images = [image_bytes(1), b"x", image_bytes(2)]
    form = [("task", b"pets"), *(("images", image) for image in images)]
    bodies = [
        ask(call)[2]
        for call in (
            Call("form", 200, params=(), form=form),
            json_call("json", 200, task="pets", images=images),
        )
    ]
    assert rounded(bodies[0]) == rounded(bodies[1])
    assert [next(iter(one)) for one in bodies[0]["results"]] == ["task", "error", "task"]


def test_each_image_of_a_list_counts_at_the_rate(ask: Ask) -> None:
    key = {"X-Api-Key": KEYS["three"].key}
    status, _, body = ask(Call("rate", 200, form=listed(5, 0), headers=key))
    codes = [one.get("error", {}).get("code") for one in body["results"]]
    assert (status, codes) == (200, [ErrorCode.BAD_IMAGE, None, None, *["rate_limited"] * 2])
    assert body["results"][-1]["error"]["retry_after_s"] > 0
    assert ask(Call("rate", 429, form=listed(2), headers=key))[0] == 429
