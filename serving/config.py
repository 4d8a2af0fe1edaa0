"""What the service is told, parsed once from TorchServe's model-config.yaml and the environment."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from adapters.artifact.backbone_spec import EMBEDDED
from adapters.artifact.preprocessing import ImageLimits
from adapters.artifact.task import TaskPattern
from adapters.store.objects.address import is_address
from serving.errors import ConfigError
from serving.tracing.lines import LogFormat

LEAST_AGREEMENT: Final = 0.99
"""Least share of a task's images whose best class rounding must not change, by default."""

DECODE_THREADS: Final = min(os.cpu_count() or 1, 16)
"""One per core, or an accelerator waits for pixels; no machine needs more than 16."""

INSTALL_OPENVINO: Final = "run `pip install 'spt-serving[cpu]'`, or choose another backend"

MAX_BODY_BYTES: Final = 10_000_000
"""Of one request, by default: a photo of 16 megapixels, and what TorchServe's front can hold
hundreds of."""


class TrustedKeyFile(BaseModel):
    """A key that is trusted, and for what; its path alone trusts it for all tasks."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    key: Path = Field(description="public key, PEM")
    tasks: tuple[TaskPattern, ...] = Field(
        ("*",), min_length=1, description="task ids; '*' stands for any characters"
    )
    embedded: bool = Field(
        True,
        description="whether its signatures inside artifacts, of earlier versions, count as well",
    )


def _as_key_file(value: object) -> object:
    return {"key": value} if isinstance(value, str | Path) else value


class ServingConfig(BaseModel):
    """Settings of one service: one backbone, one store, one device.

    Errors do not repeat what they refuse: an address of Redis may hold a password.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    backbone: str = Field(EMBEDDED, description="timm name of a ViT, see `spt backbones`")
    weights: Path | None = Field(None, description="local checkpoint of the backbone")
    image_size: int | None = Field(
        None, ge=1, description="side of the backbone's input in pixels; None is its own"
    )
    store: Path = Field(Path("runs/store"), description="folder or address of the adapter store")
    redis_url: str | None = Field(
        None, description="only by the variable REDIS_URL; without it there is no Redis"
    )
    artifacts_in_redis: bool = Field(
        False, description="keep artifacts in Redis, too; for a store on a slow network"
    )
    backend: Literal["torch", "onnx", "openvino"] = Field(
        "torch", description="what runs the trunk; openvino needs the extra `cpu`"
    )
    precision: Literal["auto", "float32", "bfloat16", "int8", "fp8"] = Field(
        "auto",
        description="of the trunk; auto is bfloat16 on a GPU, else float32; int8 needs an export, "
        "bfloat16 needs torch or openvino, and fp8 torch and a GPU that has it; fp8 is not "
        "measured yet",
    )
    compile: bool | Literal["auto"] = Field(
        "auto",
        description="compile the trunk before the service is ready; auto does so on a GPU alone",
    )
    kernels: bool = Field(
        False,
        description="on a GPU, our own kernels for attention and heads, and a batch as one graph; "
        "not measured yet",
    )
    onnx: Path | None = Field(
        None, description="folder that `spt export` wrote, for backend onnx or openvino"
    )
    fp8: Path | None = Field(
        None, description="folder that `spt export --precision fp8` wrote; precision fp8 needs it"
    )
    tuned: Path | None = Field(
        None,
        description="file that `spt tune` wrote: it decides where neither backend nor compile is "
        "set; `spt serve` takes `runs/tuned.json`",
    )
    bank_bytes: int = Field(
        1 << 30, ge=1, description="bytes of device memory for adapters; default 1 GiB"
    )
    pinned: tuple[str, ...] = Field((), description="tasks whose adapters are never evicted")
    preload: tuple[str, ...] | Literal["all"] = Field((), description="tasks loaded at the start")
    load_patience_s: float = Field(
        2.0, ge=0, description="seconds that a row waits for a cold adapter"
    )
    max_batch: int = Field(32, ge=1, description="rows of one forward; larger batches are split")
    decode_threads: int = Field(
        default_factory=lambda: DECODE_THREADS,
        ge=1,
        description="images decoded at the same time; default one per core, at most 16",
    )
    decode_bytes: int = Field(
        1 << 29, ge=1, description="bytes of images being decoded, at the same time; 512 MiB"
    )
    decode_patience_s: float = Field(
        20.0, gt=0, description="seconds that a batch waits for its images"
    )
    front_workers: int = Field(
        0,
        ge=0,
        le=64,
        description="processes that decode, next to one that owns the device; 0: all in one. "
        "On Linux, by `spt serve`",
    )
    device_crop_side: int = Field(
        0,
        ge=0,
        description="images whose sides have no more pixels are cropped by the device, to the same "
        "pixels; for a GPU with few cores, such as 2048",
    )
    image_limits: ImageLimits = ImageLimits(max_bytes=MAX_BODY_BYTES)
    front_memory_bytes: int | None = Field(
        None,
        ge=1,
        description="most bytes that the front takes, TorchServe's Java or the bodies in ASGI "
        "processes, from which its queue follows; default 8 GiB, or half of the machine's if that "
        "is less",
    )
    log_format: LogFormat = Field(
        "text", description="lines of our own logs; json: each one an object, see docs/tracing.md"
    )
    trace_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description="address of an OpenTelemetry collector, OTLP over HTTP, such as "
        "http://127.0.0.1:4318; needs the extra `trace`; without it nothing is traced",
    )
    tenants: Path | None = Field(None, description="file of tenants; without it anyone may ask")
    trusted_keys: tuple[Annotated[TrustedKeyFile, BeforeValidator(_as_key_file)], ...] = Field(
        (),
        description="public keys, PEM, each its path or `{key, tasks, embedded}`; if any, only "
        "what one has signed for its task is served",
    )

    @model_validator(mode="after")
    def _backend_can(self) -> "ServingConfig":
        """Refuse what the chosen backend, or this system, does not have."""
        if self.front_workers and sys.platform != "linux":
            raise ValueError("front_workers needs Linux; leave it out")
        if self.backend != "torch":
            self._graph_can()
        if self.precision == "int8" and self.backend == "torch":
            raise ValueError("precision int8 needs backend: onnx or openvino; see `spt export`")
        if self.precision == "fp8" and self.fp8 is None:
            raise ValueError(
                "precision fp8 needs fp8: the folder that `spt export --precision fp8` wrote"
            )
        if self.backend == "openvino" and find_spec("openvino") is None:
            raise ValueError(f"backend openvino is not installed; {INSTALL_OPENVINO}")
        return self

    @model_validator(mode="after")
    def _can_trace(self) -> "ServingConfig":
        if self.trace_endpoint and find_spec("opentelemetry") is None:
            raise ValueError(
                "trace_endpoint needs OpenTelemetry; run `pip install 'spt-serving[trace]'`"
            )
        return self

    def _graph_can(self) -> None:
        """Refuse what the runtime of an exported graph does not have."""
        if self.onnx is None:
            raise ValueError(
                f"backend {self.backend} needs onnx: the folder that `spt export` wrote"
            )
        if self.compile is True:
            raise ValueError(
                f"backend {self.backend} compiles nothing; for compile: true choose backend: torch"
            )
        if self.precision == "fp8" or (self.backend, self.precision) == ("onnx", "bfloat16"):
            raise ValueError(
                f"backend {self.backend} does not run {self.precision}; choose backend: torch"
            )

    @property
    def is_tuned(self) -> bool:
        """Whether a file of `spt tune` decides about the backend; what is set by name does."""
        return self.tuned is not None and not {"backend", "compile"} & self.model_fields_set

    def decided(self, *, on_gpu: bool) -> "ServingConfig":
        """Return the settings with everything `auto` decided by the device."""
        fast = on_gpu and self.backend == "torch"
        auto: dict[str, Any] = {"precision": "bfloat16" if fast else "float32", "compile": fast}
        return self.model_copy(
            update={name: value for name, value in auto.items() if getattr(self, name) == "auto"}
        )


def load_config(settings: dict[str, Any], folder: Path) -> ServingConfig:
    """Parse the `spt:` section of model-config.yaml.

    Args:
        settings: the section; unknown keys are refused.
        folder: where the file lies; relative paths in it start there.

    Raises:
        ConfigError: naming each wrong key.
    """
    try:
        config = ServingConfig(**settings, redis_url=os.environ.get("REDIS_URL") or None)
    except (ValidationError, TypeError) as error:
        raise ConfigError(
            f"model-config.yaml, section spt: {error}; see serving/config.py for the keys"
        ) from error
    # by their names alone: a store that hangs would keep whoever looks
    paths: dict[str, Any] = {
        name: Path(os.path.abspath(folder / value))  # noqa: PTH100 (resolve would look)
        for name in ("store", "weights", "onnx", "fp8", "tuned", "tenants")
        if (value := getattr(config, name)) is not None and not is_address(value)
    }
    paths["trusted_keys"] = tuple(
        one.model_copy(update={"key": (folder / one.key).resolve()}) for one in config.trusted_keys
    )
    return config.model_copy(update=paths)
