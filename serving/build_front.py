"""From settings to what a front needs: who may ask, and an engine whose device is elsewhere.

Loads no torch.
"""

from math import ceil
from pathlib import Path

import yaml

from adapters.redis.shared_limit import SharedLimit
from serving.config import ServingConfig, load_config
from serving.decoding.decoder import DecoderSettings
from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.door.tenants_file import TenantsFile
from serving.errors import ConfigError
from serving.launch.launch import SETTINGS
from serving.runtime.device_client import DeviceClient, Seats
from serving.runtime.front_engine import FrontEngine

_DEVICE_START_S = 600.0


def read_config(folder: Path) -> ServingConfig:
    """Return the settings of a launch.

    Args:
        folder: of the launch, with its settings.

    Raises:
        ConfigError: there is none; or naming each wrong key.
    """
    path = folder / SETTINGS
    try:
        settings = yaml.safe_load(path.read_text()).get("spt", {})
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}); expected the folder of a launch, which "
            "`spt serve` writes"
        ) from error
    return load_config(settings, path.parent)


def build_front_engine(config: ServingConfig, folder: Path | None) -> FrontEngine[Seats]:
    """Reach the launch's device process, and wait until it is warm.

    Args:
        config: of the service.
        folder: of the launch.

    Raises:
        ConfigError: there is no launch, so nobody keeps a device process.
        DeviceAway: the device process is not warm after ten minutes.
    """
    if folder is None:
        raise ConfigError(
            "front_workers needs the process that owns the device, which `spt serve` starts; "
            "start the service with it, or leave front_workers out"
        )
    device = DeviceClient(folder, config.load_patience_s)
    device.wait_until_ready(_DEVICE_START_S)
    return FrontEngine(device, decoder_settings(config), config.load_patience_s)


def trace(config: ServingConfig, part: str) -> None:
    """Have this process traced, if the service is; else nothing of OpenTelemetry is loaded.

    Args:
        config: of the service.
        part: what this process is in it.
    """
    if config.trace_endpoint is not None:
        from serving.spans.export import begin_tracing  # noqa: PLC0415

        begin_tracing(config.trace_endpoint, part)


def decoder_settings(config: ServingConfig) -> DecoderSettings:
    """Return what decoding may cost in one process of the service: its share of all of them."""
    processes = max(1, config.front_workers)
    return DecoderSettings(
        config.image_limits,
        ceil(config.decode_threads / processes),
        config.decode_bytes // processes,
        config.decode_patience_s,
        config.device_crop_side,
    )


def build_admission(config: ServingConfig) -> Admission:
    """Read the tenants, if there are any; who may ask, and how much.

    Raises:
        ConfigError: the file of tenants is missing or wrong, or each front would count alone.
    """
    if config.tenants is None:
        return Admission(None, RateLimit())
    if config.redis_url is None and config.front_workers > 1:
        raise ConfigError(
            "tenants with several front_workers need Redis, which counts for all of them; set "
            "REDIS_URL, or front_workers=1"
        )
    shared = SharedLimit.from_url(config.redis_url) if config.redis_url else None
    return Admission(TenantsFile(config.tenants), RateLimit(shared))
