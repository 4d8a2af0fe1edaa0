"""From settings to a warm engine: the one place where the parts are put together."""

import torch

from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.cache.signed_source import ArtifactSource, SignedSource
from adapters.redis.shared_limit import SharedLimit
from adapters.store.directory import DirectoryStore
from adapters.trust.keys import load_public_key
from adapters.trust.policy import Trust, TrustedKey
from adapters.vit.backbone import Backbone, choose_device, load_backbone
from serving.config import ServingConfig
from serving.decoding.decoder import DecoderSettings
from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.door.tenants_file import TenantsFile
from serving.inference.bank import AdapterBank
from serving.inference.engine import Engine
from serving.trunk.backend import Backend
from serving.trunk.torch_backend import TorchBackend


def build_engine(config: ServingConfig) -> Engine:
    """Load the backbone and what is to be resident, and warm up; takes seconds to minutes.

    Raises:
        SptError: backbone, weights, export or a trusted key are wrong.
    """
    dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    backbone = load_backbone(config.backbone, config.weights, device=choose_device(), dtype=dtype)
    cache = AdapterCache.from_url(config.redis_url) if config.redis_url else None
    source = CachedStore(
        DirectoryStore(config.store), cache, artifacts_in_redis=config.artifacts_in_redis
    )
    engine = Engine(
        _backend(config, backbone),
        source,
        AdapterBank(backbone, _trusted(config, source), config.bank_bytes),
        decoding=DecoderSettings(
            config.image_limits,
            config.decode_threads,
            config.decode_bytes,
            config.decode_patience_s,
            whole_side=config.device_crop_side,
        ),
        max_batch=config.max_batch,
        patience_s=config.load_patience_s,
        pinned=config.pinned,
    )
    source.watch()
    engine.warm_up(source.tasks() if config.preload == "all" else config.preload)
    return engine


def build_admission(config: ServingConfig) -> Admission:
    """Read the tenants, if there are any; who may ask, and how much.

    Raises:
        ConfigError: the file of tenants is missing or wrong.
    """
    if config.tenants is None:
        return Admission(None, RateLimit())
    shared = SharedLimit.from_url(config.redis_url) if config.redis_url else None
    return Admission(TenantsFile(config.tenants), RateLimit(shared))


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
    return TorchBackend(backbone, compiled=config.compile, max_batch=config.max_batch)
