"""What `start` and `run` share: their options, and a service that is started and announced."""

import argparse
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from shlex import quote
from typing import Any, get_args

import yaml

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.cache.store_calls import StoreCalls
from adapters.errors import StoreUnavailable
from adapters.redis.server import RedisServer
from adapters.store import durable
from adapters.store.objects.opened import store_at
from adapters.streams import say
from serving.cli.folder import add_folder_option
from serving.config import ServingConfig
from serving.door.tenants_file import read_tenants
from serving.errors import ConfigError
from serving.launch.folder import check_folder
from serving.launch.launch import FrontName, Launch, config_of
from serving.launch.running import LOGS, REDIS_FILE, Running, adopt
from serving.service import start, stop
from serving.tuning.choice import TUNED, holding

_BOUNDED = ("maxmemory 256mb", "maxmemory-policy allkeys-lru")
"""What our own Redis may keep: all of it is disposable, so what was used least recently goes."""

_STORE = Path("runs/store")

_STORE_S = 10.0
"""Longest wait for the store's folder: one that is mounted when it is asked for takes seconds."""

_LAST_PORT = 65535 - 3

_DRAIN_S = Launch.model_fields["drain_s"].default


def add_launch_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `started` reads."""
    add_folder_option(parser)
    parser.add_argument(
        "--store", type=Path, default=_STORE, help="the store's folder, or s3://bucket/prefix"
    )
    parser.add_argument(
        "--front",
        choices=get_args(FrontName),
        default=Launch.model_fields["front"].default,
        help="what takes callers: TorchServe, or an ASGI app under uvicorn, without Java",
    )
    parser.add_argument(
        "--backbone", default=EMBEDDED, help="timm name of a ViT, see `spt backbones`"
    )
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="side of its input (default: its own)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8080,
        help="for TorchServe the next three as well: management, metrics, probes",
    )
    parser.add_argument(
        "--host",
        type=ip_address,
        default=Launch.model_fields["host"].default,
        metavar="ADDRESS",
        help="IP address at which the ASGI front listens, such as 0.0.0.0 in a container",
    )
    parser.add_argument("--no-redis", action="store_true", help="start no Redis")
    parser.add_argument(
        "--no-token", action="store_true", help="for development: anyone at the port may ask"
    )
    parser.add_argument(
        "--drain-s",
        type=_seconds,
        default=_DRAIN_S,
        help="longest wait for open requests when it is stopped",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of serving/config.py, such as precision=bfloat16 or compile=true",
    )


@contextmanager
def started(args: argparse.Namespace) -> Iterator[tuple[Running, Launch]]:
    """Start the service, and a Redis for it if REDIS_URL names none; say how to call it.

    Raises:
        StoreUnavailable: the store's folder is not there, or does not answer; an empty one is made
            in the usual place.
        ConfigError, KeyFileInvalid: what it is told is wrong, or a file of that is.
        LaunchError: it did not start.
    """
    _require_store(args.store)
    launch = _launch(args)
    _refuse_unwritable_names(launch)
    config = config_of(launch)
    _check_files(config)
    _refuse_open_door(launch, config)
    url, redis = os.environ.get("REDIS_URL") or None, None
    check_folder(args.folder)
    try:
        if url is None and not args.no_redis:
            password = None if args.no_token else secrets.token_urlsafe()
            redis = RedisServer(args.folder, password=password, options=_BOUNDED)
            redis.start()
            url = redis.url
        say(f"loading {args.backbone} …")
        launch = launch.model_copy(update={"redis_url": url})
        running = start(launch)
        if redis is not None and redis.pid is not None:
            adopt(args.folder, redis.pid)
    except BaseException:
        if redis is not None:
            redis.stop()
        raise
    try:
        _announce(running, args.folder, url)
    except BaseException:  # nobody has heard of it
        stop(args.folder, draining=False)
        raise
    yield running, launch


def _require_store(folder: Path) -> None:
    """Refuse a folder that is not there, which a typing error may have named, but the usual one.

    One that hangs is refused too: nothing could be served, and nobody would know why.
    """
    calls = StoreCalls()
    try:
        calls.ask(partial(_find_store, folder), limit_s=_STORE_S)
    except StoreUnavailable as error:
        if calls.is_late:
            raise StoreUnavailable(f"{folder.absolute()}: {error}") from None
        raise


def _find_store(folder: Path) -> None:
    if folder == _STORE and not folder.exists():
        with durable.reaching(folder):
            durable.make_folder(folder)
        say(f"nothing is published yet: {folder.absolute()} is an empty store now")
    store_at(folder).require_folder()


def _announce(running: Running, folder: Path, redis_url: str | None) -> None:
    say(f"ready: {_call_of(running)}")
    if redis_url is not None:
        from adapters.redis.address import public_address  # slow to import

        address = public_address(redis_url)
        say(f"redis: {address}; publishers: REDIS_URL=$(cat {quote(str(folder / REDIS_FILE))})")
    say(f"logs: {folder / LOGS}")


def _refuse_unwritable_names(launch: Launch) -> None:
    """Refuse paths that no file of ours could hold: those of bytes that are no UTF-8."""
    for name in ("folder", "store", "weights"):
        try:
            str(getattr(launch, name)).encode()
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"{name}: {error.object} has bytes that are no UTF-8, or LANG names a locale "
                "without it; rename it, or set LC_ALL=C.UTF-8"
            ) from error


def _check_files(config: ServingConfig) -> None:
    """Say at once what the worker would find only after it has loaded everything else."""
    for name in ("weights", "onnx", "fp8", "tenants"):
        place = getattr(config, name)
        if place is not None and not place.exists():
            raise ConfigError(f"{name}: {place} is not there; check the path")
    if config.tenants is not None:
        read_tenants(config.tenants)
    if config.trusted_keys:
        from adapters.trust.keys import load_public_key  # slow to import

        for one in config.trusted_keys:
            load_public_key(one.key)


def _refuse_open_door(launch: Launch, config: ServingConfig) -> None:
    """Refuse an address that others reach, where anyone might ask or nobody would answer."""
    if launch.host.is_loopback:
        return
    if launch.front != "asgi":
        raise ConfigError(
            f"--host {launch.host}: TorchServe listens on loopback alone; choose --front asgi"
        )
    if not launch.token and config.tenants is None:
        raise ConfigError(
            f"--host {launch.host} with --no-token would let anyone on the network ask; leave "
            "--no-token out, or say who may: --set tenants=FILE"
        )


def _launch(args: argparse.Namespace) -> Launch:
    return Launch(
        folder=args.folder,
        front=args.front,
        host=args.host,
        store=args.store,
        backbone=args.backbone,
        weights=args.weights,
        image_size=args.image_size,
        ports=(args.port, args.port + 1, args.port + 2),
        health_port=args.port + 3,
        settings=_with_tuning(_settings(args.set), args.backbone),
        token=not args.no_token,
        drain_s=args.drain_s,
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(
            f"expected a number from 1 to {_LAST_PORT}, with room for three more; found {text!r}"
        )
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds from 0, found {text!r}")
    return seconds


def _settings(pairs: list[str]) -> dict[str, Any]:
    """Parse `key=value` pairs, each value as YAML."""
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError(f"--set: expected KEY=VALUE, found {pair!r}")
    try:
        return {key: yaml.safe_load(value) for key, _, value in (p.partition("=") for p in pairs)}
    except yaml.YAMLError as error:
        raise ConfigError(f"--set: a value is not YAML ({error})") from error


def _with_tuning(settings: dict[str, Any], backbone: str) -> dict[str, Any]:
    """Add what `spt tune` left, and say so, unless something is set by name or it does not fit."""
    if {"backend", "compile", "tuned"} & settings.keys() or not TUNED.exists():
        return settings
    precision = settings.get("precision", "auto")
    choice, line = holding(TUNED, backbone, "float32" if precision == "auto" else precision)
    say(line)
    return settings if choice is None else settings | {"tuned": str(TUNED)}


def _call_of(running: Running) -> str:
    """Return a command that asks the service something."""
    token = running.token_file
    header = "" if token is None else f' -H "Authorization: Bearer $(cat {quote(str(token))})"'
    return f"curl{header} -T photo.jpg '{running.url}/spt/predict?task=<task>'"
