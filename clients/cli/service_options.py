"""Where the service is and what callers show at its door, as options; and the client they make."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from adapters.program import UsageError
from clients.defaults import DEFAULT_MODEL, DEFAULT_URL, RETRIES

if TYPE_CHECKING:
    from clients.client import AsyncClient, Client

AnyClient = TypeVar("AnyClient", "Client", "AsyncClient")


def add_service_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `client_of` reads."""
    parser.add_argument("--url", type=_url, default=DEFAULT_URL, help="the service's address")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="the model's name in the service")
    parser.add_argument(
        "--api-key",
        help="a tenant's key; better in SPT_API_KEY, because others can see this command line",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        help="a file with the service's token (default: SPT_TOKEN_FILE)",
    )


def client_of(
    args: argparse.Namespace, kind: type[AnyClient], *, retries: int = RETRIES
) -> AnyClient:
    """Return a client of that kind; what the command line lacks, the environment may say.

    Args:
        args: what `add_service_options` has declared.
        kind: blocking or async.
        retries: as the client takes them.

    Raises:
        UsageError: the options make no client.
        OSError: the token's file cannot be read.
    """
    try:
        return kind(
            args.url,
            model=args.model,
            retries=retries,
            api_key=args.api_key or os.environ.get("SPT_API_KEY") or None,
            token_file=args.token_file or os.environ.get("SPT_TOKEN_FILE") or None,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def one_task(text: str) -> str:
    """Return a task's name, for `add_argument`."""
    from clients.wire import task_name

    return _checked(task_name, text)


def at_least_one(text: str) -> int:
    """Return a whole number above 0, for `add_argument`."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


def _url(text: str) -> str:
    from clients.connection import http_url

    return _checked(http_url, text)


def _checked(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
