"""The one class TorchServe sees: rows in, bytes and statuses out. No logic of its own.

TorchServe demands that this module define exactly one class.
"""

import itertools
import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from serving.build import build_engine
from serving.config import load_config
from serving.engine import Query
from serving.errors import to_wire
from serving.forward import Outcome
from serving.memory import keep_freed_memory
from serving.protocol import (
    BATCH_ID_HEADER,
    BATCH_ROWS_HEADER,
    BATCH_TASKS_HEADER,
    HTTP_STATUS,
    TASK_HEADER,
    Answer,
    ErrorCode,
    Failure,
    MultiAnswer,
)
from serving.request import Request, parse_request


class Handler:
    """TorchServe's entry point: builds one engine, then answers batches with it."""

    def initialize(self, context: Any) -> None:
        """Load and warm up; only then does TorchServe call the worker READY.

        Raises:
            AdapterError: configuration, backbone or weights are wrong; the worker stops.
        """
        torch.set_float32_matmul_precision("highest")
        folder = Path(context.system_properties["model_dir"]).resolve()
        config = load_config(context.model_yaml_config.get("spt", {}), folder)
        keep_freed_memory()
        self._engine = build_engine(config)
        self._batches = itertools.count()

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[bytes]:
        """Answer a batch; every row has its own status and body."""
        requests = [_parse(row, context, i) for i, row in enumerate(data)]
        queries = [
            Query(request.image, task, request.top_k, request.version)
            for request in requests
            if isinstance(request, Request)
            for task in request.tasks
        ]
        outcomes = iter(self._engine.predict(queries))
        batch = {
            BATCH_ID_HEADER: f"{os.getpid()}-{next(self._batches)}",
            BATCH_ROWS_HEADER: str(len(queries)),
            BATCH_TASKS_HEADER: str(len({query.task for query in queries})),
        }
        bodies = []
        for i, request in enumerate(requests):
            status, body = _reply(request, outcomes)
            context.set_response_status(status, HTTPStatus(status).phrase, i)
            context.set_response_content_type(i, "application/json")
            for name, value in batch.items():
                context.set_response_header(i, name, value)
            bodies.append(body.model_dump_json().encode())
        return bodies


def _parse(row: dict[str, Any], context: Any, index: int) -> Request | Exception:
    try:
        return parse_request(row, context.get_request_header(index, TASK_HEADER))
    except Exception as error:  # belongs to this row alone, whatever it is
        return error


def _reply(request: Request | Exception, outcomes: Any) -> tuple[int, BaseModel]:
    if isinstance(request, Exception):
        failure = Failure(error=to_wire(request, None))
        return _status(failure), failure
    entries = [_entry(next(outcomes), task) for task in request.tasks]
    if len(entries) == 1:
        return _status(entries[0]), entries[0]
    good = any(isinstance(entry, Answer) for entry in entries)
    return 200 if good else _status(entries[0]), MultiAnswer(answers=tuple(entries))


def _entry(outcome: Outcome, task: str) -> Answer | Failure:
    return outcome if isinstance(outcome, Answer) else Failure(error=to_wire(outcome, task))


def _status(entry: Answer | Failure) -> int:
    return 200 if isinstance(entry, Answer) else HTTP_STATUS[ErrorCode(entry.error.code)]
