"""From settings to a warm engine: the one place where the parts are put together."""

import logging
from typing import Any

import torch

from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.signed_source import ArtifactSource, SignedSource
from adapters.store.directory import DirectoryStore
from adapters.trust.keys import load_public_key
from adapters.trust.policy import Trust, TrustedKey
from adapters.vit.backbone import Backbone, choose_device, load_backbone
from serving.build_front import decoder_settings
from serving.config import ServingConfig
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine
from serving.rounding.backend import Fp8Backend
from serving.rounding.fp8 import require_fp8
from serving.rounding.measurement import read_measurement
from serving.trunk.backend import Backend
from serving.trunk.choose import torch_backend

_log = logging.getLogger(__name__)


def build_engine(config: ServingConfig) -> Engine:
    """Make all that answers queries within this process; takes seconds to minutes.

    Raises:
        SptError: backbone, weights, export or a trusted key are wrong, or the device has no fp8.
    """
    return Engine(
        build_core(config),
        decoding=decoder_settings(config),
        max_batch=config.max_batch,
        patience_s=config.load_patience_s,
    )


def build_core(config: ServingConfig) -> Core:
    """Load the backbone and what is to be resident, and warm up; errors as `build_engine`."""
    torch.set_float32_matmul_precision("highest")
    device = choose_device()
    config = config.decided(on_gpu=device.type != "cpu")
    if config.precision == "fp8":
        require_fp8(device)
    dtype = torch.bfloat16 if config.precision in {"bfloat16", "fp8"} else torch.float32
    backbone = load_backbone(config.backbone, config.weights, device=device, dtype=dtype)
    _log.info(
        "the trunk runs in %s on %s, %s, %s",
        *(config.backend, device.type, config.precision, "compiled" if config.compile else "eager"),
    )
    cache = AdapterCache.from_url(config.redis_url) if config.redis_url else None
    source = CachedStore(
        DirectoryStore(config.store), cache, artifacts_in_redis=config.artifacts_in_redis
    )
    bank = AdapterBank(backbone, _trusted(config, source), config.bank_bytes)
    core = Core(_backend(config, backbone), source, bank, config.pinned)
    source.watch()
    core.warm_up(source.tasks() if config.preload == "all" else config.preload)
    return core


def _trusted(config: ServingConfig, source: CachedStore) -> ArtifactSource:
    if not config.trusted_keys:
        return source
    keys = [
        TrustedKey(load_public_key(one.key), one.tasks, one.embedded) for one in config.trusted_keys
    ]
    return SignedSource(source, Trust(keys))


def _backend(config: ServingConfig, backbone: Backbone) -> Backend:
    if config.onnx is not None and config.backend == "onnx":
        from serving.onnx.backend import OnnxBackend  # noqa: PLC0415 (a heavy import)

        return OnnxBackend(backbone, config.onnx, config.precision)
    made: dict[str, Any] = {
        "compiled": config.compile is True,
        "kernels": config.kernels,
        "max_batch": config.max_batch,
    }
    if config.fp8 is not None and config.precision == "fp8":
        found = read_measurement(config.fp8, backbone.spec)
        return Fp8Backend(backbone, found.doubt, found.backbone, **made)
    return torch_backend(backbone, **made)
