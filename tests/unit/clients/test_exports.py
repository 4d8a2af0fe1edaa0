"""`from clients import Client`: all that a program needs, and paid for only when it is used."""

import inspect
import subprocess
import sys

import pytest

import clients
from clients import client, errors
from serving import protocol


def test_the_clients_and_every_error_are_exported():
    kinds = {
        name
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.ClientError)
    }
    assert set(clients.__all__) == kinds | {"AsyncClient", "Client", "floats"}
    assert clients.__all__ == sorted(clients.__all__)


def test_what_is_exported_is_the_thing_itself():
    assert clients.Client is client.Client
    assert clients.AsyncClient is client.AsyncClient
    assert clients.floats is protocol.floats
    assert all(getattr(clients, name) for name in clients.__all__)


def test_there_is_nothing_else():
    with pytest.raises(AttributeError, match="Nobody"):
        clients.Nobody  # noqa: B018


def test_the_package_alone_loads_neither_httpx_nor_pydantic():
    code = "import sys, clients; print(sorted({'httpx', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
