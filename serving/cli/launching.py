"""What `start` and `run` share: their options, and a service that is started and announced."""

import argparse
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore
from serving.cli.folder import add_folder_option
from serving.errors import ConfigError
from serving.torchserve.configure import Launch
from serving.torchserve.launch import check_folder, start
from serving.torchserve.running import REDIS_FILE, Running, adopt

_BOUNDED = ("maxmemory 256mb", "maxmemory-policy allkeys-lru")
"""What our own Redis may keep: all of it is disposable, so what was used least recently goes."""

_DRAIN_S = Launch.model_fields["drain_s"].default


def add_launch_options(parser: argparse.ArgumentParser) -> None:
    """Declare what `started` reads."""
    add_folder_option(parser)
    parser.add_argument("--store", type=Path, default=Path("runs/store"), help="the store's folder")
    parser.add_argument("--backbone", default=EMBEDDED, help="timm name of a plain ViT")
    parser.add_argument("--weights", type=Path, help="local checkpoint of the backbone")
    parser.add_argument(
        "--port", type=int, default=8080, help="the next three: management, metrics, probes"
    )
    parser.add_argument("--no-redis", action="store_true", help="start no Redis")
    parser.add_argument(
        "--no-token", action="store_true", help="for development: anyone at the port may ask"
    )
    parser.add_argument(
        "--drain-s",
        type=float,
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
    """Start the service, and a Redis for it if REDIS_URL names none; say how to call it."""
    DirectoryStore(args.store).require_folder()
    url, redis = os.environ.get("REDIS_URL") or None, None
    check_folder(args.folder)
    try:
        if url is None and not args.no_redis:
            password = None if args.no_token else secrets.token_urlsafe()
            redis = RedisServer(args.folder, password=password, options=_BOUNDED)
            redis.start()
            url = redis.url
        print(f"loading {args.backbone} …", flush=True)
        launch = _launch(args, url)
        running = start(launch)
        if redis is not None and redis.pid is not None:
            adopt(args.folder, redis.pid)
    except BaseException:
        if redis is not None:
            redis.stop()
        raise
    print(f"ready: {_call_of(running)}")
    if url is not None:
        from adapters.redis.address import public_address  # slow to import

        address = public_address(url)
        print(
            f"redis: {address}; publishers: REDIS_URL=$(cat {quote(str(args.folder / REDIS_FILE))})"
        )
    print(f"logs: {args.folder / 'logs'}", flush=True)
    yield running, launch


def _launch(args: argparse.Namespace, redis_url: str | None) -> Launch:
    return Launch(
        folder=args.folder,
        store=args.store,
        backbone=args.backbone,
        weights=args.weights,
        ports=(args.port, args.port + 1, args.port + 2),
        health_port=args.port + 3,
        redis_url=redis_url,
        settings=_settings(args.set),
        token=not args.no_token,
        drain_s=args.drain_s,
    )


def _settings(pairs: list[str]) -> dict[str, Any]:
    """Parse `key=value` pairs, each value as YAML."""
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError(f"--set: expected KEY=VALUE, found {pair!r}")
    try:
        return {key: yaml.safe_load(value) for key, _, value in (p.partition("=") for p in pairs)}
    except yaml.YAMLError as error:
        raise ConfigError(f"--set: a value is not YAML ({error})") from error


def _call_of(running: Running) -> str:
    """Return a command that asks the service something."""
    token = running.token_file
    header = "" if token is None else f' -H "Authorization: Bearer $(cat {quote(str(token))})"'
    return f"curl{header} -T photo.jpg '{running.url}/spt/predict?task=<task>'"
