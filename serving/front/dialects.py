"""The routes of contracts of others: the Open Inference Protocol, and Hugging Face's shape."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serving.dialects.dialect import Dialect
from serving.dialects.hugging_face import HuggingFaceTurn
from serving.dialects.oip.models import ModelLook, server_metadata
from serving.dialects.oip.turn import OipTurn
from serving.dialects.plain import plain_refusal
from serving.door.replies import Reply
from serving.errors import ServiceStopping, to_wire
from serving.front.entrance import Entrance
from serving.front.exchange import Exchange
from serving.front.predict import METHODS, Predict
from serving.front.tasks import Tasks

LIVE: Final = "/v2/health/live"
READY: Final = "/v2/health/ready"

_HUGGING_FACE: Final = "/hf/{task}"
_MODELS: Final = ("/v2/models/{task}", "/v2/models/{task}/versions/{version}")

WhyNot = Callable[[], str | None]
"""Says why the service does not live, or takes no callers; None where it does."""


class Dialects:
    """What answers in other contracts than ours.

    Args:
        predict: answers calls about images.
        tasks: answers calls about tasks.
        entrance: lets callers in.
        why_not_alive: see `WhyNot`.
        why_not_ready: likewise.
    """

    def __init__(
        self,
        predict: Predict,
        tasks: Tasks,
        entrance: Entrance,
        why_not_alive: WhyNot,
        why_not_ready: WhyNot,
    ) -> None:
        self._predict = predict
        self._tasks = tasks
        self._entrance = entrance
        self._why_not_alive = why_not_alive
        self._why_not_ready = why_not_ready

    def routes(self, most_bytes: int) -> list[Route]:
        """Return the routes.

        Args:
            most_bytes: that a body may have, unpacked.
        """
        oip = _Spoken(self._predict, partial(OipTurn, most_bytes))
        return [
            _told("/v2", self._about),
            _told(LIVE, partial(self._health, "live", self._why_not_alive)),
            _told(READY, partial(self._health, "ready", self._why_not_ready)),
            *(_told(path, self._model) for path in _MODELS),
            *(_told(f"{path}/ready", self._model_ready) for path in _MODELS),
            *(Route(f"{path}/infer", oip, methods=METHODS) for path in _MODELS),
            Route(_HUGGING_FACE, _Spoken(self._predict, HuggingFaceTurn), methods=METHODS),
        ]

    async def _about(self, exchange: Exchange) -> Reply:
        try:
            self._entrance.check_token(exchange)
        except Exception as error:  # belongs to this call alone
            return plain_refusal(to_wire(error, None))
        return Reply(200, {}, server_metadata().model_dump_json().encode())

    async def _health(self, word: str, why_not: WhyNot, _: Exchange) -> Reply:
        reason = why_not()
        if reason is not None:
            return plain_refusal(to_wire(ServiceStopping(reason), None))
        return Reply(200, {}, b'{"%s": true}' % word.encode())

    async def _model(self, exchange: Exchange) -> Reply:
        return await self._tasks.look(exchange, ModelLook(exchange.path, only_ready=False))

    async def _model_ready(self, exchange: Exchange) -> Reply:
        reason = self._why_not_ready()
        if reason is not None:
            return plain_refusal(to_wire(ServiceStopping(reason), None))
        return await self._tasks.look(exchange, ModelLook(exchange.path, only_ready=True))


class _Spoken:
    """Calls about images in one contract, as an ASGI app."""

    def __init__(self, predict: Predict, dialect: Dialect) -> None:
        self._predict = predict
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._predict.answer(Exchange(scope, receive, send), self._dialect)


Replies = Callable[[Exchange], Awaitable[Reply]]


def _told(path: str, reply: Replies) -> Route:
    return Route(path, _Told(reply), methods=["GET"])


class _Told:
    """Calls without a body, as an ASGI app."""

    def __init__(self, reply: Replies) -> None:
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        await exchange.reply(await self._reply(exchange))
