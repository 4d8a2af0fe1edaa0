"""The routes that answer about images: parameters, forms of the body, replies."""

from typing import Final

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
    failure,
    parameter,
    refusals,
    reply,
    schema_of,
)
from serving.openapi.tasks import LIST_TASKS_OPERATION
from serving.protocol import (
    EMBED_PARAMETER,
    ENCODING_PARAMETER,
    IMAGES_FIELD,
    LOGITS_PARAMETER,
    MAX_ROWS_PER_CALL,
    MAX_TASKS_PER_CALL,
    TASK_HEADER,
    TASK_PARAMETER,
    TOP_K_PARAMETER,
    VERSION_PARAMETER,
    Answer,
    ErrorCode,
    Failure,
    ImagesAnswer,
    MultiAnswer,
)

_BODIES: Final = (Answer, MultiAnswer, ImagesAnswer)

_FIELDS: Final[dict[str, tuple[Json, str]]] = {
    TASK_PARAMETER: (
        {"type": "string", "examples": [EXAMPLE_TASK, f"{EXAMPLE_TASK},shapes"]},
        f"the task, or up to {MAX_TASKS_PER_CALL} of them with commas between",
    ),
    TOP_K_PARAMETER: (TOP_K, "how many labels, best first"),
    VERSION_PARAMETER: (
        FIRST_DIGITS,
        "this version of the one task, by its first hex digits, not the current one",
    ),
    EMBED_PARAMETER: ({"type": "boolean", "default": False}, "the feature, too"),
    LOGITS_PARAMETER: ({"type": "boolean", "default": False}, "all logits, too, and their names"),
    ENCODING_PARAMETER: (
        {"type": "string", "enum": ["base64", "list"], "default": "base64"},
        "numbers as base64 of little-endian float32, or as JSON lists",
    ),
}
"""What may be said in the query, in a form, or next to images in JSON."""

_PARAMETERS: Final = [
    *(parameter(name, *said) for name, said in _FIELDS.items()),
    parameter(TASK_HEADER, {"type": "string"}, "the same as `task`", place="header"),
    {"$ref": "#/components/parameters/request-id"},
    {"$ref": "#/components/parameters/traceparent"},
]

_ANSWER: Final[Json] = {
    "task": EXAMPLE_TASK,
    "version": EXAMPLE_VERSION,
    "predictions": [
        {"label": "three", "index": 3, "score": 0.9961},
        {"label": "two", "index": 2, "score": 0.0023},
    ],
}
_EXAMPLES: Final[dict[str, Json]] = {
    "one task": _ANSWER,
    "several tasks": {"answers": [_ANSWER, failure(ErrorCode.TASK_NOT_FOUND)]},
    "a list of images": {"results": [_ANSWER, failure(ErrorCode.BAD_IMAGE)]},
}


def _fields(image: Json, more: Json) -> Json:
    """Return the schema of a body with named fields."""
    named = {name: schema | {"description": text} for name, (schema, text) in _FIELDS.items()}
    images = {"type": "array", "items": image, "minItems": 1, "maxItems": MAX_ROWS_PER_CALL}
    return {"type": "object", "properties": named | {IMAGES_FIELD: images} | more}


def _body() -> Json:
    kinds = ("application/octet-stream", "image/jpeg", "image/png", "image/webp")
    by_name = {
        "schema": _fields({"type": "string", "contentEncoding": "base64"}, {}),
        "example": {"task": EXAMPLE_TASK, "top_k": 2, "images": ["/9j/4AAQ", "iVBORw0K"]},
    }
    form = {"data": BINARY | {"description": f"the one image, where there are no {IMAGES_FIELD}"}}
    return {
        "description": "the bytes of a JPEG, PNG, WebP or PPM; or a list of images",
        "required": True,
        "content": {
            **{kind: {"schema": BINARY} for kind in kinds},
            "multipart/form-data": {"schema": _fields(BINARY, form)},
            "application/json": by_name,
        },
    }


def _operation(name: str) -> Json:
    answered = reply("At least one task answered", schema_of(*_BODIES), _EXAMPLES, BATCH_HEADERS)
    return {
        "operationId": name,
        "summary": "Classify an image, or a list of them, by one or more tasks",
        "security": SECURITY,
        "parameters": _PARAMETERS,
        "requestBody": _body(),
        "responses": {"200": answered}
        | refusals(ErrorCode, models=(Failure, MultiAnswer, ImagesAnswer), headers=BATCH_HEADERS),
    }


ROUTES: Final = Routes(
    {
        "/spt/predict": {
            "post": _operation("predict"),
            "put": _operation("predict_put"),
            "get": LIST_TASKS_OPERATION,
        },
        "/predictions/spt": {
            "post": _operation("predictions"),
            "put": _operation("predictions_put"),
        },
    },
    (*_BODIES, Failure),
)
