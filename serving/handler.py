"""The one class TorchServe sees: rows in, bytes and statuses out. It decides nothing itself.

TorchServe demands that this module define exactly one class.
"""

import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.build_front import build_admission, build_front_engine, trace
from serving.config import ServingConfig, load_config
from serving.door.call import parse_call
from serving.door.fields import fields_of_json, is_json, row_of
from serving.door.listing import is_listing, listing_reply
from serving.door.replies import (
    CONTENT_TYPE,
    Reply,
    batch_headers,
    queries_of,
    refusal,
    refusals_of,
    reply_of,
)
from serving.door.request import Request, read_header
from serving.errors import ServiceStopping
from serving.health.stop_mark import StopMark
from serving.health.vitals import Vitals
from serving.launch.running import METRICS
from serving.metrics.begin import begin_metrics
from serving.metrics.table import ROUTE
from serving.observing.observers import OBSERVERS
from serving.protocol import KEY_HEADER, TASK_HEADER, TASK_SEPARATOR
from serving.rows.query import Query
from serving.runtime.front_engine import FrontEngine
from serving.torchserve.logs import log_warnings
from serving.torchserve.management import PULSE, is_description_call
from serving.torchserve.pulse import watched
from serving.tracing.origin import Origin, about, origin_of
from serving.tracing.requests import REQUESTS, Begun
from serving.trunk.allocator import disable_malloc_trim

if TYPE_CHECKING:
    from serving.inference.engine import Engine

Batch = Sequence[dict[str, Any]]
Read = Callable[[Batch], tuple[list[Any], list[dict[str, Any]], Any]]
_Call = tuple[Request | Exception, Sequence[bytes]]


class Handler:
    """TorchServe's entry point: builds one engine, then answers batches with it."""

    def initialize(self, context: Any) -> None:
        """Load and warm up; only then does TorchServe call the worker READY.

        Raises:
            SptError: configuration, backbone or weights are wrong; the worker stops.
        """
        log_warnings()
        keep_what_is_said_twice()
        folder = Path(context.system_properties["model_dir"]).resolve()
        config = load_config(context.model_yaml_config.get("spt", {}), folder)
        log_warnings(config.log_format)
        self._mark = StopMark.of_this_worker()
        trace(config, "worker")
        self._admission = build_admission(config)
        self._engine = _engine(config, self._mark.folder)
        self._vitals = self._watched(config)
        self._batches = itertools.count()

    def _watched(self, config: ServingConfig) -> Vitals:
        """Return this worker's vitals, told with its metrics where a launch has begun it."""
        if self._mark.folder is None:
            return watched(self._engine.probe, self._mark)
        metrics = begin_metrics(self._mark.folder / METRICS if config.front_workers else None)
        if not isinstance(self._engine, FrontEngine):
            metrics.own_device(self._engine.core.state)
        vitals = watched(self._engine.probe, self._mark, {ROUTE: metrics.page})
        metrics.tell_health(vitals, self._mark.is_stopping)
        return vitals

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[bytes]:
        """Answer a batch; every row has its own status and body."""
        if len(data) == 1 and is_description_call(data[0], context.get_all_request_header(0)):
            return [self._describe(context)]
        with ExitStack() as requests:
            begun = [
                requests.enter_context(REQUESTS.begun("predict", _origin(context, i)))
                for i in range(len(data))
            ]
            return self._answer(data, context, begun)

    def _answer(
        self, data: list[dict[str, Any]], context: Any, begun: Sequence[Begun]
    ) -> list[bytes]:
        begin_s = time.monotonic()
        if self._mark.is_refusing() or self._vitals.is_ending:
            stopping = ServiceStopping("the service is stopping; ask again in a moment")
            calls: list[_Call] = [(stopping, ())] * len(data)
        else:
            calls = [_parse(row, context, i) for i, row in enumerate(data)]
        keys = [_header(context, i, KEY_HEADER) for i in range(len(data))]
        rows = self._admission.admit([request for request, _ in calls], keys)
        queries: list[Query] = []
        for row, (_, images), request in zip(rows, calls, begun, strict=True):
            with about(request.origin):
                queries += queries_of(row, images)
        found = self._engine.predict(queries)
        self._vitals.judge(found)
        answered_s, outcomes = time.monotonic(), iter(found)
        batch = batch_headers(f"{os.getpid()}-{next(self._batches)}", queries)
        bodies: list[bytes] = []
        for i, (asked, key, row) in enumerate(zip(data, keys, rows, strict=True)):
            with about(begun[i].origin):
                listed = is_listing(asked)
                reply = self._listed(asked, key, row) if listed else reply_of(row, outcomes)
            context.set_response_status(reply.status, HTTPStatus(reply.status).phrase, i)
            context.set_response_content_type(i, CONTENT_TYPE)
            for name, value in (batch | reply.headers).items():
                context.set_response_header(i, name, value)
            begun[i].answered(reply.status)
            bodies.append(reply.body)
            if not listed:
                OBSERVERS.refused(refusals_of(row))
                OBSERVERS.replied(begin_s, reply.status)
        OBSERVERS.phase("answer", answered_s, queries)
        return bodies

    def _listed(self, asked: dict[str, Any], key: str | None, row: object) -> Reply:
        """Answer a call for a list, which knows no image and so is no request that is admitted."""
        if isinstance(row, ServiceStopping):
            return refusal(row)
        return listing_reply(asked, key, self._admission, self._engine.list_tasks)

    def _describe(self, context: Any) -> bytes:
        """Answer TorchServe's describe call: all tasks, or those that its header names."""
        named = _header(context, 0, TASK_HEADER)
        if named == PULSE:
            self._vitals.probe()
            return b"{}"
        tasks = None if named is None else named.split(TASK_SEPARATOR)
        context.set_response_content_type(0, CONTENT_TYPE)
        return self._engine.describe(tasks).model_dump_json().encode()


def _engine(config: ServingConfig, folder: Path | None) -> "Engine | FrontEngine[Any]":
    """Return what answers: with the device of another process, or with one of its own."""
    disable_malloc_trim()
    if config.front_workers:
        return build_front_engine(config, folder)
    from serving.build import build_engine  # noqa: PLC0415 (loads torch and timm)

    return build_engine(config)


def keep_what_is_said_twice() -> None:
    """Have rows hold a tuple where a call repeats a parameter: TorchServe keeps the last one."""
    torchserve = sys.modules.get("ts.service")
    if torchserve is not None:  # else no worker of TorchServe runs us
        read = torchserve.Service.retrieve_data_for_inference
        torchserve.Service.retrieve_data_for_inference = staticmethod(_keeping(read))


def _keeping(read: Read) -> Read:
    def read_all(batch: Batch) -> tuple[list[Any], list[dict[str, Any]], Any]:
        headers, rows, ids = read(batch)
        for row, request in zip(rows, batch, strict=True):
            row.update(_repeated(request["parameters"]))
        return headers, rows, ids

    return read_all


def _repeated(parameters: Sequence[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    counts = Counter(one["name"] for one in parameters)
    return {
        name: tuple(one["value"] for one in parameters if one["name"] == name)
        for name, count in counts.items()
        if count > 1
    }


def _parse(row: dict[str, Any], context: Any, index: int) -> _Call:
    try:
        if is_json(_header(context, index, "Content-Type")):
            row = _with_json(row)
        return parse_call(row, _header(context, index, TASK_HEADER))
    except Exception as error:  # any error belongs to this row alone
        return error, ()


def _with_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose body is the fields of the JSON that it is."""
    query = {name: value for name, value in row.items() if name != "body"}
    return row_of([*query.items(), *fields_of_json(row.get("body", b""))])


def _origin(context: Any, index: int) -> Origin:
    """Return who asks; TorchServe's front puts its id into the reply, and no other one."""
    return origin_of(partial(_header, context, index), context.get_request_id(index))


def _header(context: Any, index: int, name: str) -> str | None:
    return read_header(partial(context.get_request_header, index), name)
