"""From settings to a warm engine: the one place where the parts are put together."""

import logging
from importlib.metadata import PackageNotFoundError, version

import torch

from adapters.artifact.backbone_spec import BackboneSpec
from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.signed_source import ArtifactSource, SignedSource
from adapters.store.objects.opened import store_at
from adapters.trust.keys import load_public_key
from adapters.trust.policy import Trust, TrustedKey
from adapters.vit.backbone import choose_device, load_backbone
from serving.build_backend import build_backend
from serving.build_front import decoder_settings
from serving.config import ServingConfig
from serving.inference.bank import AdapterBank
from serving.inference.core import Core
from serving.inference.engine import Engine
from serving.inference.state import Trunk
from serving.rounding.fp8 import require_fp8
from serving.tuning.choice import holding

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
    is_tuned, on_gpu = config.is_tuned, device.type != "cpu"
    config = config.decided(on_gpu=on_gpu)
    if config.precision == "fp8":
        require_fp8(device)
    backbone = load_backbone(
        config.backbone, config.weights, image_size=config.image_size, device=device
    )
    if is_tuned and not on_gpu:
        config = _as_tuned(config, backbone.spec)
    _log.info(
        "the trunk runs in %s on %s, %s, %s",
        *(config.backend, device.type, config.precision, "compiled" if config.compile else "eager"),
    )
    backend = build_backend(config, backbone)
    cache = AdapterCache.from_url(config.redis_url) if config.redis_url else None
    store = store_at(config.store, for_service=True)
    source = CachedStore(store, cache, artifacts_in_redis=config.artifacts_in_redis)
    bank = AdapterBank(backend.backbone, _trusted(config, source), config.bank_bytes)
    core = Core(backend, source, bank, config.pinned, _trunk(config))
    source.watch()
    core.warm_up(source.tasks() if config.preload == "all" else config.preload)
    return core


def _trunk(config: ServingConfig) -> Trunk:
    try:
        installed = version("spt-serving")
    except PackageNotFoundError:  # it runs from its folder
        installed = "unknown"
    return Trunk(installed, config.backbone, config.precision, config.backend)


def _trusted(config: ServingConfig, source: CachedStore) -> ArtifactSource:
    if not config.trusted_keys:
        return source
    keys = [
        TrustedKey(load_public_key(one.key), one.tasks, one.embedded) for one in config.trusted_keys
    ]
    return SignedSource(source, Trust(keys))


def _as_tuned(config: ServingConfig, spec: BackboneSpec) -> ServingConfig:
    """Return the settings with the backend that `spt tune` chose, if what it says holds here."""
    assert config.tuned is not None
    choice, line = holding(config.tuned, spec.name, config.precision, spec)
    if choice is None:
        _log.warning("%s", line)
        return config
    _log.info("%s", line)
    return config.model_copy(
        update={"backend": choice.backend, "compile": choice.compile, "onnx": choice.onnx}
    )
