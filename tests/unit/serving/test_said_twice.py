"""What TorchServe's own reader would forget of a call is there for the handler to refuse."""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from serving.handler import keep_what_is_said_twice


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchServe leaves a file open
        service = import_module("ts.service").Service
    original = service.retrieve_data_for_inference
    monkeypatch.setattr(service, "retrieve_data_for_inference", staticmethod(original))
    keep_what_is_said_twice()
    return service.retrieve_data_for_inference


def request(*parameters: tuple[str, bytes]) -> dict[str, Any]:
    """Return a request as TorchServe's protocol has it."""
    return {
        "requestId": b"an id",
        "parameters": [
            {"name": name, "value": value, "contentType": "text/plain"}
            for name, value in parameters
        ],
    }


def test_a_parameter_that_is_given_twice_is_a_tuple_in_its_own_row_alone(
    read: Callable[..., Any],
) -> None:
    twice = request(("task", b"a"), ("body", b"1"), ("task", b"b"))
    once = request(("task", b"a"), ("body", b"2"))
    headers, rows, ids = read([twice, once])
    assert rows == [{"task": (b"a", b"b"), "body": b"1"}, {"task": b"a", "body": b"2"}]
    assert ids == {0: "an id", 1: "an id"}
    assert len(headers) == 2
