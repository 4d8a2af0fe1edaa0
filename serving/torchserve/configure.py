"""A launch's configuration: the shipped TorchServe files with this launch's changes.

Knows how TorchServe is told things; starts nothing.
"""

import os
import re
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from adapters.artifact.backbone_spec import EMBEDDED
from serving.config import ServingConfig, load_config
from serving.errors import ConfigError
from serving.java.home import java_home
from serving.java.memory import (
    FRONT_MEMORY_BYTES,
    FrontMemory,
    front_memory,
    least_memory,
    memory_of_machine,
)
from serving.torchserve.readiness import HEALTH_VARIABLE
from serving.torchserve.stop_mark import FOLDER_VARIABLE

SHIPPED = Path(__file__).parent

TEN_YEARS = 10 * 365 * 24 * 60
"""In minutes: a token ends when it is replaced, not while it is in use."""


class Launch(BaseModel):
    """How one service is started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Field(description="configuration, logs and the record of what runs")
    store: Path = Field(Path("runs/store"), description="folder of the adapter store")
    backbone: str = Field(EMBEDDED, description="timm name of a plain ViT")
    weights: Path | None = Field(None, description="local checkpoint of the backbone")
    ports: tuple[int, int, int] = Field((8080, 8081, 8082), description="API, management, metrics")
    health_port: int | None = Field(
        None, description="port of `/livez` and `/readyz`; without it nothing answers them"
    )
    redis_url: str | None = Field(None, description="address of Redis; without it there is none")
    settings: dict[str, Any] = Field({}, description="further keys of serving/config.py")
    batch_size: int = Field(32, ge=1, description="rows that TorchServe hands over at most")
    max_batch_delay_ms: int = Field(
        5, ge=1, description="milliseconds that a first row waits for others"
    )
    token: bool = Field(False, description="callers must send TorchServe's token")
    token_minutes: float = Field(
        TEN_YEARS, gt=0, description="minutes after which a token ends; default ten years"
    )
    drain_s: float = Field(
        30, ge=0, description="longest wait in seconds for open requests at the end"
    )

    @property
    def front_workers(self) -> int:
        """Processes that decode beside the one that owns the device; 0 if all is in one."""
        return int(self.settings.get("front_workers") or 0)


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` TCP ports of the loopback that nobody listens on right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(one.getsockname()[1] for one in sockets)
    finally:
        for one in sockets:
            one.close()


def write_configuration(launch: Launch) -> Path:
    """Write the shipped configuration with this launch's changes; return config.properties.

    Raises:
        ConfigError: one of the launch's settings is unknown or wrong.
    """
    folder = launch.folder.resolve()
    model = folder / "model_store" / "spt"
    shutil.copytree(SHIPPED / "model_store" / "spt", model, dirs_exist_ok=True)
    shutil.copy(SHIPPED / "log4j2.xml", folder / "log4j2.xml")
    config = _write_model_config(launch, model / "model-config.yaml")
    memory = _front_memory(config, launch.batch_size)
    api, management, metrics = launch.ports
    grpc, grpc_management, workers = free_ports(3)
    changes = {
        "inference_address": f"http://127.0.0.1:{api}",
        "management_address": f"http://127.0.0.1:{management}",
        "metrics_address": f"http://127.0.0.1:{metrics}",
        "grpc_inference_port": str(grpc),
        "grpc_management_port": str(grpc_management),
        "initial_worker_port": str(workers),
        "model_store": "model_store",
        "disable_token_authorization": str(not launch.token).lower(),
        "token_expiration_min": str(launch.token_minutes),
        "max_request_size": str(config.image_limits.max_bytes),
        "job_queue_size": str(memory.queue),
    }
    path = folder / "config.properties"
    path.write_text(
        _changed((SHIPPED / "config.properties").read_text(encoding="utf-8"), changes, memory)
    )
    return path


def _front_memory(config: ServingConfig, batch_size: int) -> FrontMemory:
    """Return what the front may hold at once, on this machine.

    Raises:
        ConfigError: the settings do not go together, or ask for more than the machine has.
    """
    machine, body_bytes = memory_of_machine(), config.image_limits.max_bytes
    wanted = config.front_memory_bytes
    if wanted is not None and wanted > machine:
        raise ConfigError(
            f"front_memory_bytes is {wanted:,}, but this machine has {machine:,} bytes; lower it"
        )
    if wanted is None:
        usual = max(min(FRONT_MEMORY_BYTES, machine // 2), least_memory(body_bytes, batch_size))
        wanted = min(usual, machine)
    return front_memory(wanted, body_bytes, batch_size)


def config_of(launch: Launch) -> ServingConfig:
    """Return what the launch's worker is told.

    Raises:
        ConfigError: one of the launch's settings is unknown or wrong.
    """
    # a launch's relative paths start here, those of the file that is written would start there
    return load_config(_told(launch), Path.cwd())


def _told(launch: Launch) -> dict[str, Any]:
    told: dict[str, Any] = {"backbone": launch.backbone, "store": str(launch.store)}
    if launch.weights is not None:
        told["weights"] = str(launch.weights)
    return told | launch.settings


def _write_model_config(launch: Launch, path: Path) -> ServingConfig:
    settings: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    workers = max(1, launch.front_workers)
    settings |= {"minWorkers": workers, "maxWorkers": workers}
    settings |= {"batchSize": launch.batch_size, "maxBatchDelay": launch.max_batch_delay_ms}
    config = config_of(launch)
    checked = config.model_dump(mode="json")
    settings["spt"] = {key: checked[key] for key in _told(launch)}
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return config


def _changed(shipped: str, changes: dict[str, str], memory: FrontMemory) -> str:
    """Return config.properties with a launch's changes.

    Files are named from the launch's folder, in which TorchServe runs: what Java is told is split
    at spaces, its properties are Latin-1, and a folder may have both.
    """
    moved = shipped.replace("serving/torchserve/log4j2.xml", "log4j2.xml")
    for flag in memory.flags:
        name = re.match(r"-Xmx|-XX:\w+=", flag)
        assert name is not None
        moved = re.sub(rf"{re.escape(name[0])}\S+", flag, moved)
    lines = [line for line in moved.splitlines() if line.partition("=")[0] not in changes]
    return "\n".join(lines + [f"{key}={value}" for key, value in changes.items()]) + "\n"


def environment(launch: Launch, scratch: Path) -> dict[str, str]:
    """Return the environment of one TorchServe: its folders, its Java, its Redis.

    TorchServe's own variables are left out: they would overrule the launch's configuration, and
    with it the addresses that it listens on.
    """
    folder = launch.folder.resolve()
    logs = str(folder / "logs")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("TS_")}
    own = {
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        "LOG_LOCATION": logs,
        "METRICS_LOCATION": logs,
        "JAVA_HOME": str(java_home()),
        FOLDER_VARIABLE: str(folder),
    }
    if not _speaks_utf8(inherited):
        own["LC_ALL"] = "C.UTF-8"  # else Java finds no path with an é
    if launch.health_port is not None:
        own[HEALTH_VARIABLE] = str(launch.health_port)
    if launch.redis_url is not None:
        own["REDIS_URL"] = launch.redis_url
    return inherited | own


def _speaks_utf8(variables: Mapping[str, str]) -> bool:
    """Return whether the locale that these variables name writes UTF-8."""
    named = (variables.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return "utf" in next(filter(None, named), "").lower()
