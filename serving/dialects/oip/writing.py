"""The reply to a call of `…/infer`: outputs in JSON, or with their bytes behind it."""

from collections.abc import Sequence
from typing import Final

from serving.dialects.oip.outputs import tensors_of
from serving.dialects.oip.shapes import JSON_BYTES_HEADER, InferCall, InferReply
from serving.door.replies import Reply
from serving.protocol import Answer

_BINARY_TYPE: Final = "application/octet-stream"


def written(said: InferCall, answers: Sequence[Answer]) -> Reply:
    """Return the reply.

    Args:
        said: which outputs are wanted, and how.
        answers: one for each image.

    Raises:
        BadParameter: see `tensors_of`.
    """
    wanted = {output.name: output.is_binary for output in said.outputs or ()}
    outputs, behind = [], []
    for tensor in tensors_of(answers, list(wanted)):
        chosen = wanted.get(tensor.name)
        if said.is_binary if chosen is None else chosen:
            output, raw = tensor.as_binary()
            behind.append(raw)
        else:
            output = tensor.as_json()
        outputs.append(output)
    versions = {answer.version for answer in answers}
    reply = InferReply(
        model_name=answers[0].task,
        model_version=versions.pop() if len(versions) == 1 else None,
        id=said.id,
        outputs=tuple(outputs),
    )
    text = reply.model_dump_json().encode()
    if not behind:
        return Reply(200, {}, text)
    headers = {"content-type": _BINARY_TYPE, JSON_BYTES_HEADER: str(len(text))}
    return Reply(200, headers, b"".join([text, *behind]))
