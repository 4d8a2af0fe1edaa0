"""A call, checked: what is asked, and about which images. Nothing is decoded."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from serving.door.images import images_of
from serving.door.request import Request, parse_request
from serving.errors import BadParameter
from serving.protocol import MAX_ROWS_PER_CALL


class Call(NamedTuple):
    """What one caller sent.

    Attributes:
        request: what is asked.
        images: encoded, in their order.
    """

    request: Request
    images: Sequence[bytes]


def parse_call(row: Mapping[str, Any], task_header: str | None) -> Call:
    """Check everything that a caller can get wrong, but what is in the images.

    Args:
        row: query parameters or form fields, with the body; a tuple where one was given more than
            once.
        task_header: tasks named in the header.

    Raises:
        BadParameter: as `parse_request` and `images_of`; or images times tasks are too many.
        BadImage: the body is not bytes.
    """
    request, images = parse_request(row, task_header), images_of(row)
    num_images, num_tasks = len(images.encoded), len(request.tasks)
    if num_images * num_tasks > MAX_ROWS_PER_CALL:
        raise BadParameter(
            f"{num_images} images times {num_tasks} tasks in one call, the limit is "
            f"{MAX_ROWS_PER_CALL} of both together; split it"
        )
    extras = replace(
        request.extras,
        logits_bytes=request.extras.logits_bytes // num_images,
        attention_bytes=request.extras.attention_bytes // num_images,
    )
    asked = replace(
        request,
        extras=extras,
        faults=tuple(images.faults),
        is_list=images.is_list,
    )
    return Call(asked, images.encoded)
