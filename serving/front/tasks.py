"""`GET /spt/tasks`: which tasks a caller may ask. The store may be slow, so threads look."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from serving.dialects.oip.models import ModelLook
from serving.door.admission import Admission
from serving.door.fields import row_of
from serving.door.listing import is_listing, listed, listing_reply
from serving.door.replies import Reply, refusal
from serving.errors import ServiceBusy
from serving.front.entrance import Entrance
from serving.front.exchange import Exchange
from serving.protocol import KEY_HEADER, LIST_PARAMETER, LIST_TASKS, TaskPage
from serving.rows.listing import Listing

TASKS_ROUTE: Final = "/spt/tasks"

_THREADS: Final = 2
_MOST_WAITING: Final = 64

_Found = TypeVar("_Found")


class Tasks:
    """The route, as an ASGI app; and `GET /spt/predict?list=tasks`, which TorchServe has as well.

    Args:
        list_tasks: the engine's; blocks.
        entrance: lets callers in.
        admission: says which tasks each may know of.
    """

    def __init__(
        self, list_tasks: Callable[[Listing], TaskPage], entrance: Entrance, admission: Admission
    ) -> None:
        self._list_tasks = list_tasks
        self._entrance = entrance
        self._admission = admission
        self._threads = ThreadPoolExecutor(_THREADS, "tasks")
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send)
        with suppress(ClientDisconnect):
            await exchange.reply(await self._reply(exchange, scope["path"]))

    async def look(self, exchange: Exchange, look: ModelLook) -> Reply:
        """Return the reply to a call that asks about one task, in another contract."""
        try:
            self._entrance.check_token(exchange)
            self._entrance.check_unread(exchange)
            row, key = look.listing(exchange.query()), exchange.header(KEY_HEADER)
            asked = partial(listed, row, key, self._admission, self._list_tasks)
            return look.reply(await self._in_thread(asked))
        except Exception as error:  # belongs to this call alone
            return look.refusal(error)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown()

    async def _reply(self, exchange: Exchange, path: str) -> Reply:
        try:
            row = row_of(exchange.query())
            if path == TASKS_ROUTE:
                row = {LIST_PARAMETER: LIST_TASKS} | row
            elif not is_listing(row):
                raise HTTPException(405, headers={"Allow": "POST, PUT"})
            self._entrance.check_token(exchange)
            self._entrance.check_head(exchange)
            key = exchange.header(KEY_HEADER)
            asked = partial(listing_reply, row, key, self._admission, self._list_tasks)
            return await self._in_thread(asked)
        except HTTPException:
            raise
        except Exception as error:  # belongs to this call alone
            return refusal(error)

    async def _in_thread(self, asked: Callable[[], _Found]) -> _Found:
        if self._waiting >= _MOST_WAITING:
            raise ServiceBusy("the service holds as many requests as it may; ask again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, copy_context().run, asked
            )
        finally:
            self._waiting -= 1
