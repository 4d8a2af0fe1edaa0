"""The routes of the Open Inference Protocol, and of Hugging Face's shape."""

from collections.abc import Iterable
from typing import Any, Final

from serving.dialects.hugging_face import ClassificationCall, Classified
from serving.dialects.oip.shapes import (
    BINARY_EXTENSION,
    JSON_BYTES_HEADER,
    Failed,
    InferCall,
    InferReply,
    ModelMetadata,
    ModelReady,
    ServerMetadata,
)
from serving.openapi.parts import (
    BATCH_HEADERS,
    BINARY,
    EXAMPLE_TASK,
    EXAMPLE_VERSION,
    FIRST_DIGITS,
    SECURITY,
    TOP_K,
    Json,
    Routes,
    cause_of,
    parameter,
    refusals,
    reply,
    schema_of,
)
from serving.protocol import (
    TOP_K_PARAMETER,
    VERSION_PARAMETER,
    ErrorCode,
)

_TEXT: Final[Json] = {"type": "string"}
_IMAGES: Final[Json] = {
    kind: {"schema": BINARY}
    for kind in ("application/octet-stream", "image/jpeg", "image/png", "image/webp")
}

_TASK: Final = parameter("task", _TEXT, "the task", place="path") | {"required": True}
_VERSION: Final = parameter(
    VERSION_PARAMETER, FIRST_DIGITS, "this version, by its first hex digits", place="path"
) | {"required": True}
_TOP_K: Final = parameter(TOP_K_PARAMETER, TOP_K, "how many labels, best first")
_JSON_BYTES: Final = parameter(
    JSON_BYTES_HEADER,
    {"type": "integer", "minimum": 0},
    "length of the JSON that bytes follow; 0 where the body is one image",
    place="header",
)
_PACKED: Final = parameter(
    "Content-Encoding", {"type": "string", "enum": ["gzip", "deflate"]}, "of the body",
    place="header",
)  # fmt: skip
_ANY_CALL: Final[list[Json]] = [
    {"$ref": "#/components/parameters/request-id"},
    {"$ref": "#/components/parameters/traceparent"},
]

_LOOKS: Final = (
    *(ErrorCode.BAD_PARAMETER, ErrorCode.BAD_KEY, ErrorCode.BAD_TOKEN, ErrorCode.FORBIDDEN),
    *(ErrorCode.TASK_NOT_FOUND, ErrorCode.VERSION_NOT_FOUND, ErrorCode.WRONG_BACKBONE),
    *(ErrorCode.IMAGE_TOO_LARGE, ErrorCode.RATE_LIMITED, ErrorCode.ADAPTER_DAMAGED),
    *(ErrorCode.ADAPTER_NOT_TRUSTED, ErrorCode.INTERNAL, ErrorCode.NOT_READY),
    ErrorCode.STORE_UNAVAILABLE,
)

_TENSOR: Final[Json] = {"name": "image", "datatype": "BYTES", "shape": [1]}
_CALL: Final[Json] = {
    "id": "a call",
    "parameters": {"top_k": 2},
    "inputs": [_TENSOR | {"data": ["/9j/4AAQ"]}],
}
_OUTPUTS: Final[list[Json]] = [
    {"name": "labels", "datatype": "BYTES", "shape": [1, 2], "data": ["three", "two"]},
    {"name": "scores", "datatype": "FP32", "shape": [1, 2], "data": [0.9961, 0.0023]},
    {"name": "indices", "datatype": "INT64", "shape": [1, 2], "data": [3, 2]},
    {"name": "version", "datatype": "BYTES", "shape": [1], "data": [EXAMPLE_VERSION]},
]
_ANSWER: Final[Json] = {
    "model_name": EXAMPLE_TASK,
    "model_version": EXAMPLE_VERSION,
    "id": "a call",
    "outputs": _OUTPUTS,
}
_MODEL: Final[Json] = {
    "name": EXAMPLE_TASK,
    "versions": [EXAMPLE_VERSION],
    "platform": "spt-serving",
    "inputs": [_TENSOR | {"shape": [-1]}],
    "outputs": [
        {key: value for key, value in one.items() if key != "data"}
        | {"shape": [-1] * len(one["shape"])}
        for one in _OUTPUTS
    ],
}
_SERVER: Final[Json] = {
    "name": "spt-serving",
    "version": "0.1.0",
    "extensions": [BINARY_EXTENSION],
}
_LABELS: Final = [{"label": "three", "score": 0.9961}, {"label": "two", "score": 0.0023}]


def _failed(code: ErrorCode) -> Json:
    return {"error": cause_of(code)}


def _refusals(codes: Iterable[ErrorCode], headers: tuple[str, ...] = ()) -> dict[str, Json]:
    return refusals(codes, models=(Failed,), headers=headers, example=_failed)


def _told(name: str, summary: str, parameters: list[Json], answered: Json) -> Json:
    """Return a route that tells what is."""
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "security": SECURITY,
            "parameters": [*parameters, *_ANY_CALL],
            "responses": {"200": answered} | _refusals(_LOOKS),
        }
    }


def _health(name: str, word: str, summary: str) -> Json:
    schema = {"type": "object", "required": [word], "properties": {word: {"const": True}}}
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "security": [],
            "responses": {"200": reply("Yes", schema, {"yes": {word: True}})}
            | _refusals((ErrorCode.NOT_READY,)),
        }
    }


def _asked(name: str, parameters: list[Json], content: Json, answered: Json) -> Json:
    """Return a route that answers about images, by both of its methods."""
    operation = {
        "summary": "Classify images by one task",
        "security": SECURITY,
        "parameters": [*parameters, *_ANY_CALL],
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answered} | _refusals(ErrorCode, BATCH_HEADERS),
    }
    return {
        "post": operation | {"operationId": name},
        "put": operation | {"operationId": f"{name}_put"},
    }


def _inferred() -> Json:
    answered = reply("The outputs", schema_of(InferReply), {"labels": _ANSWER}, BATCH_HEADERS)
    binary: Json = {"schema": BINARY, "examples": {}}
    return answered | {
        "content": answered["content"] | {"application/octet-stream": binary},
    }


def _models(path: str, name: str, parameters: list[Json]) -> dict[str, Any]:
    """Return the routes of a task, or of one of its versions."""
    ready = {"name": EXAMPLE_TASK, "ready": True}
    content = {
        "application/json": {"schema": schema_of(InferCall), "example": _CALL},
        "application/octet-stream": {"schema": BINARY},
    }
    asked = [*parameters, _TOP_K, _JSON_BYTES, _PACKED]
    return {
        path: _told(
            name, "Tell what a task is", parameters,
            reply("The task", schema_of(ModelMetadata), {"a task": _MODEL}),
        ),
        f"{path}/ready": _told(
            f"{name}_ready", "Whether a task can be asked", parameters,
            reply("Yes", schema_of(ModelReady), {"yes": ready}),
        ),
        f"{path}/infer": _asked(f"{name}_infer", asked, content, _inferred()),
    }  # fmt: skip


def _classified() -> Json:
    schema = {"type": "array", "items": schema_of(Classified)}
    by_name = {
        "schema": schema_of(ClassificationCall),
        "example": {"inputs": "/9j/4AAQ", "parameters": {"top_k": 2}},
    }
    version = parameter(VERSION_PARAMETER, FIRST_DIGITS, "this version, by its first hex digits")
    return _asked(
        "hugging_face",
        [_TASK, _TOP_K, version],
        {**_IMAGES, "application/json": by_name},
        reply("The labels, best first", schema, {"two labels": _LABELS}, BATCH_HEADERS),
    )


ROUTES: Final = Routes(
    {
        "/v2": _told(
            "server_metadata", "Tell what this service is", [],
            reply("The service", schema_of(ServerMetadata), {"the service": _SERVER}),
        ),
        "/v2/health/live": _health("server_live", "live", "Whether a process of the service lives"),
        "/v2/health/ready": _health("server_ready", "ready", "Whether the service can answer"),
        **_models("/v2/models/{task}", "model", [_TASK]),
        **_models("/v2/models/{task}/versions/{version}", "model_version", [_TASK, _VERSION]),
        "/hf/{task}": _classified(),
    },
    (
        *(Failed, InferCall, InferReply, ModelMetadata, ModelReady, ServerMetadata),
        *(ClassificationCall, Classified),
    ),
)  # fmt: skip
