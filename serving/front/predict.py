"""Predictions: who may ask is decided first, then the image comes, then the engine is asked.

The engine's calls block, so threads run them; each request is a call of its own, and the rows of
all of them meet at the device.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Final, NamedTuple, Protocol, runtime_checkable

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from serving.dialects.dialect import Dialect, Turn
from serving.dialects.spt import SptTurn
from serving.door.admission import Admitted
from serving.door.replies import Reply, batch_headers, refusals_of
from serving.front.entrance import Entrance
from serving.front.exchange import Exchange
from serving.front.room import Loan, Room
from serving.health.vitals import Vitals
from serving.observing.observers import OBSERVERS
from serving.rows.query import Outcome, Query

METHODS: Final = ("POST", "PUT")
"""Of HTTP, by which images come; PUT is curl's `-T`."""


@runtime_checkable
class Predicts(Protocol):
    """Whatever answers queries."""

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        """Answer every query; blocks until then."""


class Bounds(NamedTuple):
    """What one process of the front may hold.

    Attributes:
        body_bytes: of one body.
        memory_bytes: of all bodies.
        threads: calls of the engine at the same time.
    """

    body_bytes: int
    memory_bytes: int
    threads: int


class Predict:
    """Calls of one process, in every contract; as an ASGI app, those of `/spt/predict`.

    Args:
        engine: answers.
        entrance: lets callers in.
        vitals: learn from what the engine answers.
        bounds: what may be held at once.
        is_stopping: whether callers should come back to another service.
    """

    def __init__(
        self,
        engine: Predicts,
        entrance: Entrance,
        vitals: Vitals,
        bounds: Bounds,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._entrance = entrance
        self._vitals = vitals
        self._is_stopping = is_stopping
        self._most_bytes = bounds.body_bytes
        self._room = Room(bounds.memory_bytes, bounds.body_bytes)
        self._threads = ThreadPoolExecutor(bounds.threads, "predict")
        self._numbers = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.answer(Exchange(scope, receive, send), SptTurn)

    async def answer(self, exchange: Exchange, dialect: Dialect) -> None:
        """Answer one request in a contract."""
        begin_s, turn = time.monotonic(), dialect(exchange.path, exchange.header)
        with suppress(ClientDisconnect):
            reply = await self._reply(exchange, turn)
            OBSERVERS.replied(begin_s, reply.status)
            await exchange.reply(reply)

    async def probe(self) -> None:
        """Have the vitals learn from a row of nothing, which waits as callers' rows do."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._vitals.probe)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown()

    async def _reply(self, exchange: Exchange, turn: Turn) -> Reply:
        queries: list[Query] = []
        try:
            self._entrance.check_token(exchange)
            with self._room.loan() as loan:
                row, queries = await self._asked(exchange, turn, loan)
                outcomes = await self._outcomes(exchange, queries) if queries else []
            begin_s = time.monotonic()
            reply = turn.reply(row, iter(outcomes))
            OBSERVERS.phase("answer", begin_s, queries)
            OBSERVERS.refused(refusals_of(row))
        except ClientDisconnect:
            raise
        except Exception as error:  # belongs to this call alone
            if not queries:
                OBSERVERS.refused([error])
            reply = turn.refusal(error)
        more = batch_headers(f"{os.getpid()}-{next(self._numbers)}", queries)
        if self._is_stopping():
            more["connection"] = "close"  # the next request comes over a new one, or not at all
        return reply._replace(headers=more | reply.headers)

    async def _asked(
        self, exchange: Exchange, turn: Turn, loan: Loan
    ) -> tuple[Admitted | Exception, list[Query]]:
        """Return a request as it was admitted, and what it asks of the engine."""
        if not turn.is_image:
            return await self._asked_in_body(exchange, turn, loan)
        row, _ = await self._entrance.admit(exchange, turn)
        rows = len(turn.queries(row, [b""]))
        if not rows:
            return row, []
        loan.add(num_bytes=exchange.promised_bytes, num_rows=rows)
        return row, turn.queries(row, [await exchange.body(loan, self._most_bytes)])

    async def _asked_in_body(
        self, exchange: Exchange, turn: Turn, loan: Loan
    ) -> tuple[Admitted | Exception, list[Query]]:
        """Do the same for a body that has to be read before it is known what is asked.

        To read a large one takes milliseconds, so threads do.
        """
        self._entrance.check_unread(exchange)
        loan.add(num_bytes=exchange.promised_bytes)
        body = await exchange.body(loan, self._most_bytes)
        loan.add(num_bytes=await asyncio.to_thread(turn.cost, body))
        fields = await asyncio.to_thread(turn.fields, body)
        row, images = await self._entrance.admit(exchange, turn, fields)
        queries = turn.queries(row, images)
        loan.add(num_rows=len(queries))
        return row, queries

    async def _outcomes(self, exchange: Exchange, queries: Sequence[Query]) -> list[Outcome]:
        """Ask the engine; a caller who goes before its turn has come is not asked for.

        Raises:
            ClientDisconnect: the caller has gone.
        """
        working = copy_context()
        call = self._threads.submit(working.run, self._predict, queries, time.monotonic())
        OBSERVERS.waiting(len(queries))
        answered = asyncio.wrap_future(call)
        gone = asyncio.ensure_future(exchange.gone())
        try:
            await asyncio.wait((answered, gone), return_when=asyncio.FIRST_COMPLETED)
            if call.cancel():
                OBSERVERS.waiting(-len(queries))
                raise ClientDisconnect
            return await answered
        finally:
            gone.cancel()

    def _predict(self, queries: Sequence[Query], asked_s: float) -> list[Outcome]:
        OBSERVERS.waiting(-len(queries))
        OBSERVERS.phase("queue", asked_s, queries)
        found = self._engine.predict(queries)
        self._vitals.judge(found)
        return found
