"""A launch's configuration: the shipped TorchServe files with this launch's changes.

Knows how TorchServe is told things; starts nothing.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from adapters.ports import free_ports
from serving.config import ServingConfig
from serving.errors import ConfigError
from serving.java.home import java_home
from serving.java.memory import (
    FrontMemory,
    front_memory,
    least_memory,
    memory_of_machine,
    usual_front_memory,
)
from serving.launch.launch import (
    SETTINGS,
    Launch,
    config_of,
    environment,
    section_of,
)
from serving.launch.running import LOGS
from serving.torchserve.probes import HEALTH_VARIABLE
from serving.tracing.lines import LogFormat

SHIPPED = Path(__file__).parent

_LOG_FORMATS: Final[Mapping[LogFormat, str]] = {"text": "log4j2.xml", "json": "log4j2-json.xml"}


def write_configuration(launch: Launch) -> Path:
    """Write the shipped configuration with this launch's changes; return config.properties.

    Raises:
        ConfigError: one of the launch's settings is unknown or wrong.
    """
    folder = launch.folder.resolve()
    shutil.copytree(SHIPPED / "model_store", folder / "model_store", dirs_exist_ok=True)
    config = _write_model_config(launch, folder / SETTINGS)
    shutil.copy(SHIPPED / _LOG_FORMATS[config.log_format], folder / "log4j2.xml")
    memory = _front_memory(config, launch.batch_size)
    api, management, metrics = launch.ports
    grpc, grpc_management, workers = free_ports(3, launch.ports)
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
    path = properties_of(folder)
    path.write_text(
        _changed((SHIPPED / "config.properties").read_text(encoding="utf-8"), changes, memory)
    )
    return path


def properties_of(folder: Path) -> Path:
    """Return where a launch's config.properties is."""
    return folder.resolve() / "config.properties"


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
        usual = max(usual_front_memory(), least_memory(body_bytes, batch_size))
        wanted = min(usual, machine)
    return front_memory(wanted, body_bytes, batch_size)


def _write_model_config(launch: Launch, path: Path) -> ServingConfig:
    settings: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    workers = max(1, launch.front_workers)
    settings |= {"minWorkers": workers, "maxWorkers": workers}
    settings |= {"batchSize": launch.batch_size, "maxBatchDelay": launch.max_batch_delay_ms}
    config = config_of(launch)
    settings["spt"] = section_of(launch, config)
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


def torchserve_environment(launch: Launch, scratch: Path) -> dict[str, str]:
    """Return the environment of one TorchServe: that of the launch, with its logs and its Java.

    TorchServe's own variables are left out: they would overrule the launch's configuration, and
    with it the addresses that it listens on.
    """
    logs = str(launch.folder.resolve() / LOGS)
    common = environment(launch, scratch)
    inherited = {key: value for key, value in common.items() if not key.startswith("TS_")}
    own = {"LOG_LOCATION": logs, "METRICS_LOCATION": logs, "JAVA_HOME": str(java_home())}
    if not _speaks_utf8(inherited):
        own["LC_ALL"] = "C.UTF-8"  # else Java finds no path with an é
    if launch.health_port is not None:
        own[HEALTH_VARIABLE] = str(launch.health_port)
    return inherited | own


def _speaks_utf8(variables: Mapping[str, str]) -> bool:
    """Return whether the locale that these variables name writes UTF-8."""
    named = (variables.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return "utf" in next(filter(None, named), "").lower()
