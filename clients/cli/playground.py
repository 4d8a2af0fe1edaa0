"""`spt playground`: a page in the browser that asks a running service."""

import argparse
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.program import UsageError
from clients.cli.service_options import add_service_options

if TYPE_CHECKING:
    from clients.playground.relay import Relay

STOPPED: Final = "the playground is closed"
_PORTS: Final = 65_536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    add_service_options(parser)
    parser.add_argument(
        "--port", type=_port, default=0, help="where the page is, on loopback; 0 takes a free one"
    )
    parser.add_argument(
        "--store",
        type=Path,
        metavar="FOLDER",
        help="the service's store: show who changed what, and let the page promote and roll back",
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        OSError: the port is taken, or the token's file cannot be read.
    """
    from clients.playground.commands import StoreCommands
    from clients.playground.guard import Guard
    from clients.playground.playground import Playground
    from clients.playground.server import HOST, LoopbackServer

    if args.store is not None and not args.store.is_dir():
        raise UsageError(f"--store: expected the folder of a store, found no folder {args.store}")
    with closing(_relay(args)) as relay, LoopbackServer(args.port) as server:
        guard = Guard(server.server_port)
        store = None if args.store is None else StoreCommands(args.store)
        server.answer = Playground(relay, guard, store).answer
        address = f"http://{HOST}:{server.server_port}/"
        if store is not None:
            address += f"#key={guard.key}"
        _greet(address, args)
        server.serve_forever()
    return 0


def _greet(address: str, args: argparse.Namespace) -> None:
    print(f"playground: {address}", flush=True)
    print(f"it asks {args.url}; Ctrl-C closes it", flush=True)
    if args.store is not None:
        print("the address lets its holder change which versions answer", flush=True)
    if args.open:
        import webbrowser

        webbrowser.open(address)


def _relay(args: argparse.Namespace) -> "Relay":
    from clients.playground.relay import Relay

    try:
        return Relay(
            args.url,
            model=args.model,
            api_key=args.api_key or os.environ.get("SPT_API_KEY") or None,
            token_file=args.token_file or os.environ.get("SPT_TOKEN_FILE") or None,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number < _PORTS:
        raise argparse.ArgumentTypeError(f"expected 0 to {_PORTS - 1:,}, found {number}")
    return number
