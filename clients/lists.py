"""Calls about a list of images: one form, and one `MultiAnswer` for each image."""

from collections.abc import Sequence
from typing import Final

import httpx

from clients.errors import UnexpectedAnswer
from clients.wire import Call, Options, check_answers, params_of, parse_body, path_of
from serving.protocol import IMAGES_FIELD, ImagesAnswer, MultiAnswer

_CONTENT_TYPE: Final = "Content-Type"


def build_list_call(
    model: str, contents: Sequence[bytes], tasks: Sequence[str], options: Options
) -> Call:
    """Return the request that asks `tasks` about each of some images; see `build_call`."""
    files = [(IMAGES_FIELD, content) for content in contents]
    form = httpx.Request("POST", "http://form", files=files)
    headers = {_CONTENT_TYPE: form.headers[_CONTENT_TYPE]}
    return Call(path_of(model), params_of(tasks, options), form.read(), headers=headers)


def parse_list(
    response: httpx.Response, num_images: int, tasks: Sequence[str]
) -> tuple[MultiAnswer, ...]:
    """Return one entry per image, in the order sent, each with one per task.

    Raises:
        ClientError: not one row was answered (the first failure), or the body is not the answer to
            this call.
    """
    results = parse_body(response, ImagesAnswer).results
    if len(results) != num_images:
        raise UnexpectedAnswer(
            f"{response.url}: expected {num_images} results, found {len(results)}",
            status=response.status_code,
        )
    found = [
        one if isinstance(one, MultiAnswer) else MultiAnswer(answers=(one,)) for one in results
    ]
    for one in found:
        check_answers(response, one, tasks)
    return tuple(found)
