"""The routes, and what is told where there is none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol, runtime_checkable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serving.dialects.plain import PLAIN_PATHS, plain_refusal
from serving.door.admission import Admission
from serving.door.replies import Reply, refusal
from serving.errors import BadParameter, to_wire
from serving.front.dialects import LIVE, READY, Dialects
from serving.front.entrance import Entrance
from serving.front.exchange import Exchange
from serving.front.predict import METHODS, Bounds, Predict, Predicts
from serving.front.tasks import TASKS_ROUTE, Tasks
from serving.front.token import TokenFile
from serving.health.heartbeat import IDLE_S
from serving.health.probes import Page
from serving.health.reasons import why_no_callers, why_not_alive
from serving.health.vitals import Vitals
from serving.openapi.document import document
from serving.openapi.probes import METRICS_ROUTE, OPENAPI_ROUTE
from serving.protocol import TaskPage
from serving.rows.listing import Listing
from serving.tracing.asgi import RequestIds

_ALIVE: Final = "/livez"
_READY: Final = ("/readyz", "/ping")
PROBES: Final = (_ALIVE, *_READY, LIVE, READY)
"""Paths that tell whether the service lives and can answer."""

_LOOK_S: Final = 1.0


@runtime_checkable
class Closes(Predicts, Protocol):
    """An engine that can be let go, and says what it answers for."""

    def list_tasks(self, listing: Listing) -> TaskPage:
        """Return a page of the tasks that a caller may ask, or one of them with its classes."""

    def close(self) -> None:
        """Let threads and device go."""


def build_app(
    engine: Closes,
    admission: Admission,
    vitals: Vitals,
    bounds: Bounds,
    *,
    token: TokenFile | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Starlette:
    """Put the front together.

    Args:
        engine: answers; closed with the app.
        admission: who may ask what; closed with the app.
        vitals: whether this process can answer.
        bounds: what it may hold at once.
        token: that callers must show; None lets all in.
        is_stopping: whether the service should get no new callers.
    """
    entrance = Entrance(admission, vitals, bounds.body_bytes, token)
    predict = Predict(engine, entrance, vitals, bounds, is_stopping)
    tasks = Tasks(engine.list_tasks, entrance, admission)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        beating = asyncio.create_task(_keep_beating(predict, vitals))
        yield
        beating.cancel()
        predict.close()
        tasks.close()
        admission.close()
        engine.close()

    def why_not_ready() -> str | None:
        return why_no_callers(vitals, is_stopping=is_stopping())

    alive, ready = _probe(lambda: why_not_alive(vitals)), _probe(why_not_ready)
    dialects = Dialects(predict, tasks, entrance, lambda: why_not_alive(vitals), why_not_ready)
    app = Starlette(
        routes=[
            Route("/spt/predict", predict, methods=METHODS),
            Route("/spt/predict", tasks, methods=["GET"]),
            Route(TASKS_ROUTE, tasks, methods=["GET"]),
            Route("/predictions/spt", predict, methods=METHODS),
            Route(_ALIVE, alive),
            *(Route(path, ready) for path in _READY),
            *dialects.routes(bounds.body_bytes),
            Route(OPENAPI_ROUTE, _openapi, methods=["GET"]),
        ],
        middleware=[Middleware(RequestIds, untraced=(*PROBES, METRICS_ROUTE))],
        exception_handlers={HTTPException: _no_route},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a body would have to be sent again
    return app


async def _keep_beating(predict: Predict, vitals: Vitals) -> None:
    """Ask for a row of nothing when nobody asks for anything."""
    while True:
        await asyncio.sleep(_LOOK_S)
        if vitals.heartbeat.age_s > IDLE_S:
            await predict.probe()


def _probe(why_not: Callable[[], str | None]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_: Request) -> Response:
        reason = why_not()
        body = {"ok": reason is None, "reason": reason}
        return JSONResponse(body, status_code=503 if reason else 200)

    return answer


async def _openapi(_: Request) -> Response:
    return JSONResponse(document())


def page_route(path: str, page: Page) -> Route:
    """Return a route that shows a page to anybody; a thread makes it."""

    async def show(_: Request) -> Response:
        try:
            text = await asyncio.to_thread(page.text)
        except OSError:  # what it is made of is gone: the service is stopping
            return Response(status_code=503)
        return Response(text, headers={"content-type": page.content_type})

    return Route(path, show, methods=["GET"])


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path
    found = f"{request.method[:20]} {path[:80]}"
    if path.startswith(PLAIN_PATHS):
        expected = BadParameter(
            f"{found}: expected GET /v2/models/<task>, POST /v2/models/<task>/infer, or POST "
            "/hf/<task>"
        )
        told = plain_refusal(to_wire(expected, None))
    else:
        told = refusal(
            BadParameter(f"{found}: expected POST /spt/predict?task=<task>, or GET {TASKS_ROUTE}")
        )
    return _NoRoute(told._replace(status=error.status_code, headers=dict(error.headers or {})))


class _NoRoute(Response):
    """What a caller is told who asks for something else; its body is not waited for."""

    def __init__(self, told: Reply) -> None:
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Exchange(scope, receive, send).reply(self._told)
