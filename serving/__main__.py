"""Command line of the service: `python -m serving start | stop | export | link`."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any, get_args

import yaml

from adapters.errors import AdapterError
from adapters.redis_server import RedisServer, find_server
from adapters.spec import EMBEDDED, Pooling
from serving.config import LEAST_AGREEMENT
from serving.configure import Launch, java_home
from serving.errors import ConfigError
from serving.launch import adopt, start, stop


def main() -> int:
    """Run one sub-command; 0 is success, 1 an error of ours in one line, 2 wrong usage."""
    args = _parser().parse_args()
    try:
        args.act(args)
    except AdapterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def _start(args: argparse.Namespace) -> None:
    args.folder.mkdir(parents=True, exist_ok=True)
    url, redis = os.environ.get("REDIS_URL"), None
    try:
        if url is None and not args.no_redis:
            redis = RedisServer(args.folder)
            redis.start()
            url = redis.url
        running = start(_launch(args, url))
        if redis is not None and redis.pid is not None:
            adopt(args.folder, redis.pid)
    except BaseException:
        if redis is not None:
            redis.stop()
        raise
    print(f"ready: curl -T photo.jpg '{running.url}/spt/predict?task=<task>'")
    print(f"redis: {url or 'none'}; logs: {args.folder / 'logs'}")
    print(f"stop with: python -m serving --folder {args.folder} stop, or make stop for the default")


def _launch(args: argparse.Namespace, redis_url: str | None) -> Launch:
    print(f"loading {args.backbone} …", flush=True)
    return Launch(
        folder=args.folder,
        store=args.store,
        backbone=args.backbone,
        weights=args.weights,
        ports=(args.port, args.port + 1, args.port + 2),
        redis_url=redis_url,
        settings=_settings(args.set),
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


def _stop(args: argparse.Namespace) -> None:
    print("stopped" if stop(args.folder) else f"nothing was started in {args.folder}")


def _export(args: argparse.Namespace) -> None:
    """Write the trunk as ONNX; torch and ONNX are loaded only for this."""
    from adapters.backbone import load_backbone  # noqa: PLC0415
    from serving.export import export_trunk  # noqa: PLC0415
    from serving.int8 import export_int8, in_words  # noqa: PLC0415
    from serving.samples import read_samples  # noqa: PLC0415

    backbone = load_backbone(args.backbone, args.weights, pooling=args.pooling)
    if args.precision == "float32":
        export = export_trunk(backbone, args.out)
        print(f"largest relative difference from torch: {max(export.errors.values()):.1e}")
    else:
        samples = read_samples(backbone, args.store, args.images)
        export = export_int8(backbone, args.out, samples, args.floor)
        print(f"same best class as in float32: {in_words(export.agreement or {})}")
    print(
        f"wrote {args.out}; serve it with --set backend=onnx --set onnx={args.out} "
        f"--set precision={args.precision}"
    )


def _link(args: argparse.Namespace) -> None:
    """Make plain `torchserve --start` and `redis-server` work in the activated environment."""
    programs = {"java": Path(java_home()) / "bin" / "java", "redis-server": find_server()}
    for name, program in programs.items():
        link = args.bin / name
        if program is not None and not link.exists():
            link.symlink_to(program.resolve())
            print(f"{link} -> {program}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/serve"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    begin = commands.add_parser("start", help="start Redis and TorchServe, wait until ready")
    begin.add_argument("--store", type=Path, default=Path("runs/store"))
    begin.add_argument("--backbone", default=EMBEDDED)
    begin.add_argument("--weights", type=Path)
    begin.add_argument(
        "--port", type=int, default=8080, help="the next two are management, metrics"
    )
    begin.add_argument("--no-redis", action="store_true")
    begin.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of serving/config.py, such as precision=bfloat16 or compile=true",
    )
    begin.set_defaults(act=_start)
    end = commands.add_parser("stop", help="stop what start started")
    end.set_defaults(act=_stop)
    export = commands.add_parser(
        "export", help="write the frozen trunk as ONNX, compared with torch"
    )
    export.add_argument("--backbone", default=EMBEDDED)
    export.add_argument("--weights", type=Path)
    export.add_argument(
        "--pooling", choices=get_args(Pooling), help="the backbone's own unless told"
    )
    export.add_argument("--precision", choices=["float32", "int8"], default="float32")
    export.add_argument("--out", type=Path, default=Path("runs/onnx"))
    export.add_argument("--store", type=Path, default=Path("runs/store"), help="tasks to compare")
    export.add_argument("--images", type=Path, default=Path("data"), help="with a folder per task")
    export.add_argument(
        "--floor", type=float, default=LEAST_AGREEMENT, help="least agreement of any task"
    )
    export.set_defaults(act=_export)
    link = commands.add_parser("link", help="put Java and Redis on an environment's PATH")
    link.add_argument("bin", type=Path)
    link.set_defaults(act=_link)
    return parser


if __name__ == "__main__":
    sys.exit(main())
