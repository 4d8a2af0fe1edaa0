"""What travels in the protocol, as JSON. What is not named here is ignored, but for parameters."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

IMAGE: Final = "image"
"""The one input."""

BYTES: Final = "BYTES"

JSON_BYTES_HEADER: Final = "Inference-Header-Content-Length"
"""Says how long the JSON is that bytes follow."""

BINARY_EXTENSION: Final = "binary_tensor_data"

Datatype = Literal["BYTES", "FP32", "INT64", "BOOL"]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class _Parameters(_Shape):
    model_config = ConfigDict(extra="forbid")


class InputParameters(_Parameters):
    """Of the input."""

    binary_data_size: Annotated[int | None, Field(ge=0)] = None
    content_type: Literal["base64"] | None = None


class InputTensor(_Shape):
    """The encoded images: base64 in `data`, or bytes behind the JSON."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    parameters: InputParameters | None = None
    data: tuple[str | tuple[str, ...], ...] | None = None

    @property
    def num_bytes(self) -> int | None:
        """How many bytes behind the JSON are the images; None where they are in it."""
        return None if self.parameters is None else self.parameters.binary_data_size


class OutputParameters(_Parameters):
    """Of an output that is asked for."""

    binary_data: bool | None = None


class WantedOutput(_Shape):
    """An output that is asked for."""

    name: str
    parameters: OutputParameters | None = None

    @property
    def is_binary(self) -> bool | None:
        """Whether its bytes are to follow the JSON; None where the call decides."""
        return None if self.parameters is None else self.parameters.binary_data


class CallParameters(_Parameters):
    """Of a call; `priority` and `timeout` are hints, and change nothing."""

    top_k: Annotated[int | None, Field(description="how many labels, best first")] = None
    binary_data_output: bool = False
    priority: Any = None
    timeout: Any = None


class InferCall(_Shape):
    """The body of `…/infer`."""

    id: Annotated[str | None, Field(max_length=1_000)] = None
    parameters: CallParameters | None = None
    inputs: tuple[InputTensor, ...]
    outputs: tuple[WantedOutput, ...] | None = None

    @property
    def top_k(self) -> int | None:
        """How many labels are asked for."""
        return None if self.parameters is None else self.parameters.top_k

    @property
    def is_binary(self) -> bool:
        """Whether the bytes of outputs are to follow the JSON that do not say so themselves."""
        return self.parameters is not None and self.parameters.binary_data_output


class BinarySize(_Shape):
    """Says that a tensor's numbers are behind the JSON."""

    binary_data_size: int


class OutputTensor(_Shape):
    """One output: its numbers in `data`, row by row, or behind the JSON."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    parameters: BinarySize | None = Field(None, exclude_if=lambda found: found is None)
    data: tuple[str | float | int | bool, ...] | None = Field(
        None, exclude_if=lambda found: found is None
    )


class InferReply(_Shape):
    """The body of an answer."""

    model_name: str
    model_version: str | None = Field(
        None,
        exclude_if=lambda found: found is None,
        description="left out where a canary answered of some images",
    )
    id: str | None = Field(None, exclude_if=lambda found: found is None)
    outputs: tuple[OutputTensor, ...]


class TensorMetadata(_Shape):
    """What a tensor is; -1 stands for any length."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


class ModelMetadata(_Shape):
    """What a task is, in the words of the protocol."""

    name: str
    versions: tuple[str, ...] = Field(description="the last that were current, newest first")
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class ServerMetadata(_Shape):
    """What this service is."""

    name: str
    version: str
    extensions: tuple[str, ...]


class ModelReady(_Shape):
    """Whether a task answers."""

    name: str
    ready: bool


class Failed(_Shape):
    """Why there is no answer."""

    error: str
