"""Strangers who send what they like, between callers who do not: nobody else is touched."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from pydantic import TypeAdapter, ValidationError

from clients.load.closed import Ask
from serving.protocol import Answer, Failure, MultiAnswer
from tests.faults.row import Row
from tests.faults.scene.memory import megabytes
from tests.faults.scene.scene import HOUSE, Scene
from tests.faults.scene.truth import Said
from tests.faults.sizes import Sizes
from tests.faults.strangers.raw import Reply, exchange, let_in
from tests.faults.strangers.requests import Sent, good, traffic

FLAT: Final = 0.05
"""Share by which memory may grow between the end of the warm-up and that of the row."""

_log = logging.getLogger(__name__)

_AT_ONCE: Final = 16
_SEED: Final = 20
_PATIENCE_S: Final = 0.2
"""With a request that is not whole: TorchServe may wait for the rest."""

_SECRETS: Final = (b"Traceback", b".py", b"object at 0x")
CRASHES, BROKEN, WRONG, OTHER, SILENT, TELLING = (
    "crashes",
    "5xx",
    "answers that are not their version's",
    "refusals with another status or code",
    "whole requests without an answer",
    "answers that tell of this machine",
)
_Body: Final[TypeAdapter[Answer | MultiAnswer | Failure]] = TypeAdapter(
    Answer | MultiAnswer | Failure
)


def run(scene: Scene, sizes: Sizes) -> Row:
    """Send it all, and look at every answer; the first third is warm-up for the memory."""
    sent = list(_mixed(sizes.hostile))
    third = len(sent) // 3
    before = scene.processes()
    replies = asyncio.run(_send(scene, sent[:third]))
    warm_mb = megabytes(before)
    replies += asyncio.run(_send(scene, sent[third:]))
    after = scene.processes()
    must_be_0 = Counter(dict.fromkeys((CRASHES, BROKEN, WRONG, OTHER, SILENT, TELLING), 0))
    must_be_0[CRASHES] = sum(before[name] != after[name] for name in before)
    secrets = (*_SECRETS, str(scene.source.store.root).encode())
    forms, said = 0, list[Said]()
    for one, reply in zip(sent, replies, strict=True):
        fault = _fault(one, reply, secrets)
        if fault == BROKEN and one.is_form:
            forms += 1
        elif fault:
            must_be_0[fault] += 1
            _log.warning("%s: %.500r was answered %.500r", fault, one.request, reply)
        elif reply is not None and reply.status == 200 and one.image is not None:
            said += _said(one, reply)
    must_be_0[WRONG] = len(scene.truth.wrong(said))
    end_mb = megabytes(after)
    growth = {name: end_mb[name] / warm_mb[name] - 1 for name in warm_mb}
    shown = ", ".join(f"{name} {share:+.1%}" for name, share in growth.items())
    return Row(
        fault=f"{sizes.hostile:,} hostile requests among {len(sent) - sizes.hostile:,} good ones",
        goal="0 crashes, 0 5xx that are not deliberate, 0 wrong answers, memory flat",
        figure=f"{must_be_0[CRASHES]} crashes, {must_be_0[BROKEN]} 5xx (and {forms} of "
        "TorchServe's, to forms that it cannot read), "
        f"{must_be_0[WRONG]} wrong of {len(said):,} answers; "
        f"memory {shown}",
        must_be_0=must_be_0,
        in_bounds=max(growth.values()) <= FLAT,
        conditions={
            "hostile": sizes.hostile,
            "good": len(sent) - sizes.hostile,
            "at_once": _AT_ONCE,
            "seed": _SEED,
            "megabytes_after_warm_up": {name: round(mb, 1) for name, mb in warm_mb.items()},
            "megabytes_at_the_end": {name: round(mb, 1) for name, mb in end_mb.items()},
        },
    )


def _mixed(hostile: int) -> Iterator[Sent]:
    """Yield the hostile requests, and a good one after every second."""
    well_meant = iter(good(hostile // 2))
    for i, one in enumerate(traffic(hostile, _SEED)):
        yield one
        if i % 2:
            yield next(well_meant)


async def _send(scene: Scene, sent: Sequence[Sent]) -> list[Reply | None]:
    replies: list[Reply | None] = [None] * len(sent)
    queue, token, key = enumerate(sent), scene.token, scene.keys[HOUSE]

    async def sender() -> None:
        for i, one in queue:
            request = let_in(one.request, token, key)
            patience = {} if one.is_whole else {"patience_s": _PATIENCE_S}
            replies[i] = await exchange(scene.running.url, request, **patience)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(sender())
    return replies


def _fault(sent: Sent, reply: Reply | None, secrets: Sequence[bytes]) -> str | None:
    """Return what is wrong with a reply, as far as it shows without knowing the answer."""
    if reply is None:
        return SILENT if sent.is_whole else None
    if reply.status >= 500:
        return BROKEN
    if _tells(reply.body, sent.request, secrets):
        return TELLING
    if sent.status not in {None, reply.status} or sent.code not in {None, _code(reply)}:
        return OTHER
    return None


def _tells(body: bytes, request: bytes, secrets: Sequence[bytes]) -> bool:
    """Return whether a body tells a secret that the caller did not say first."""
    said = unquote_to_bytes(request)
    return any(secret in body and secret not in said for secret in secrets)


def _code(reply: Reply) -> str | None:
    try:
        return Failure.model_validate_json(reply.body).error.code
    except ValidationError:
        return None


def _said(sent: Sent, reply: Reply) -> list[Said]:
    """Return what was answered, beside what must have been asked."""
    body = _Body.validate_json(reply.body)
    entries = body.answers if isinstance(body, MultiAnswer) else (body,)
    assert sent.image is not None
    return [
        Said(sent.ask or Ask(sent.image, one.task, top_k=len(one.predictions)), one)
        for one in entries
        if isinstance(one, Answer)
    ]
