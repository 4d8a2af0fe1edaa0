"""How one service is started: what is said of it, and what its processes are told."""

import os
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress

from adapters.artifact.backbone_spec import EMBEDDED
from serving.config import ServingConfig, load_config
from serving.health.stop_mark import FOLDER_VARIABLE

FrontName = Literal["torchserve", "asgi"]

SETTINGS: Final = Path("model_store", "spt", "model-config.yaml")
"""In a launch's folder: what its processes are told, in the place where TorchServe wants it."""

TEN_YEARS = 10 * 365 * 24 * 60
"""In minutes: a token ends when it is replaced, not while it is in use."""


class Launch(BaseModel):
    """How one service is started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path = Field(description="configuration, logs and the record of what runs")
    front: FrontName = Field("torchserve", description="what takes callers")
    store: Path = Field(Path("runs/store"), description="folder or address of the adapter store")
    backbone: str = Field(EMBEDDED, description="timm name of a ViT, see `spt backbones`")
    weights: Path | None = Field(None, description="local checkpoint of the backbone")
    image_size: int | None = Field(
        None, ge=1, description="side of the backbone's input in pixels; None is its own"
    )
    ports: tuple[int, int, int] = Field(
        (8080, 8081, 8082), description="API, management, metrics; the ASGI front has the first"
    )
    host: IPvAnyAddress = Field(
        IPv4Address("127.0.0.1"),
        description="address at which the ASGI front listens; TorchServe listens on loopback alone",
    )
    health_port: int | None = Field(
        None,
        description="port of TorchServe's `/livez` and `/readyz`; without it nothing answers them. "
        "The ASGI front has them on its own",
    )
    redis_url: str | None = Field(None, description="address of Redis; without it there is none")
    settings: dict[str, Any] = Field({}, description="further keys of serving/config.py")
    batch_size: int = Field(32, ge=1, description="rows that TorchServe hands over at most")
    max_batch_delay_ms: int = Field(
        5, ge=1, description="milliseconds that a first row waits for others, in TorchServe"
    )
    token: bool = Field(False, description="callers must send the service's token")
    token_minutes: float = Field(
        TEN_YEARS,
        gt=0,
        description="minutes after which a token of TorchServe's ends; default ten years",
    )
    drain_s: float = Field(
        30, ge=0, description="longest wait in seconds for open requests at the end"
    )

    @property
    def front_workers(self) -> int:
        """Processes that decode beside the one that owns the device; 0 if all is in one."""
        return int(self.settings.get("front_workers") or 0)


def config_of(launch: Launch) -> ServingConfig:
    """Return what the launch's processes are told.

    Raises:
        ConfigError: one of the launch's settings is unknown or wrong.
    """
    # a launch's relative paths start here, those of the file that is written would start there
    return load_config(_told(launch), Path.cwd())


def section_of(launch: Launch, config: ServingConfig) -> dict[str, Any]:
    """Return the section `spt` of the launch's settings: what it says itself, as it was checked."""
    checked = config.model_dump(mode="json")
    return {key: checked[key] for key in _told(launch)}


def _told(launch: Launch) -> dict[str, Any]:
    told: dict[str, Any] = {"backbone": launch.backbone, "store": str(launch.store)}
    if launch.weights is not None:
        told["weights"] = str(launch.weights)
    if launch.image_size is not None:
        told["image_size"] = launch.image_size
    return told | launch.settings


def environment(launch: Launch, scratch: Path) -> dict[str, str]:
    """Return the environment of a launch's processes: its folders, its Redis."""
    own = {
        "TMPDIR": str(scratch),
        "TEMP": str(scratch),
        FOLDER_VARIABLE: str(launch.folder.resolve()),
    }
    if launch.redis_url is not None:
        own["REDIS_URL"] = launch.redis_url
    return dict(os.environ) | own
