"""The routes that tell which tasks a caller may ask."""

from typing import Final

from serving.openapi.parts import (
    EXAMPLE_TASK,
    EXAMPLE_VERSION,
    SECURITY,
    Json,
    Routes,
    parameter,
    refusals,
    reply,
    schema_of,
)
from serving.protocol import (
    AFTER_PARAMETER,
    DEFAULT_LIST_LIMIT,
    LIMIT_PARAMETER,
    LIST_PARAMETER,
    LIST_TASKS,
    MAX_LIST_LIMIT,
    TASK_PARAMETER,
    ErrorCode,
    Failure,
    TaskPage,
)

_LISTS: Final[Json] = {"type": "string", "enum": [LIST_TASKS]}
_NUMBER: Final[Json] = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_LIST_LIMIT,
    "default": DEFAULT_LIST_LIMIT,
}

_PARAMETERS: Final = [
    parameter(TASK_PARAMETER, {"type": "string"}, "this task alone, with its classes"),
    parameter(AFTER_PARAMETER, {"type": "string"}, "those after this one: a page's `next`"),
    parameter(LIMIT_PARAMETER, _NUMBER, "most tasks of the page"),
    {"$ref": "#/components/parameters/request-id"},
    {"$ref": "#/components/parameters/traceparent"},
]

_CODES: Final = (
    *(ErrorCode.BAD_PARAMETER, ErrorCode.BAD_KEY, ErrorCode.BAD_TOKEN, ErrorCode.FORBIDDEN),
    *(ErrorCode.TASK_NOT_FOUND, ErrorCode.IMAGE_TOO_LARGE, ErrorCode.RATE_LIMITED),
    *(ErrorCode.ADAPTER_DAMAGED, ErrorCode.ADAPTER_NOT_TRUSTED, ErrorCode.INTERNAL),
    *(ErrorCode.NOT_READY, ErrorCode.STORE_UNAVAILABLE),
)

_EXAMPLES: Final[dict[str, Json]] = {
    "a page": {
        "tasks": [
            {"task": EXAMPLE_TASK, "version": EXAMPLE_VERSION},
            {
                "task": "shapes",
                "version": EXAMPLE_VERSION,
                "canary": {"version": EXAMPLE_VERSION[::-1], "share": 0.05},
            },
        ],
        "next": "shapes",
    },
    "one task": {
        "tasks": [
            {
                "task": EXAMPLE_TASK,
                "version": EXAMPLE_VERSION,
                "class_names": ["zero", "one", "two"],
                "num_classes": 3,
                "method": "spt-deep",
                "versions": [EXAMPLE_VERSION],
            }
        ],
        "next": None,
    },
}


def _operation(name: str, parameters: list[Json]) -> Json:
    return {
        "operationId": name,
        "summary": "List the tasks that the caller may ask",
        "security": SECURITY,
        "parameters": parameters,
        "responses": {"200": reply("Some tasks by name", schema_of(TaskPage), _EXAMPLES)}
        | refusals(_CODES),
    }


_LIST: Final = parameter(LIST_PARAMETER, _LISTS, "what is listed") | {"required": True}


def _list_tasks_by_predict() -> Json:
    """Return the route that TorchServe has as well; without `list` it is none."""
    operation = _operation("list_tasks_by_predict", [_LIST, *_PARAMETERS])
    told = refusals((ErrorCode.BAD_PARAMETER,))["400"]
    none = told | {
        "description": "There is no `list`, so it would be about an image, and GET sends none",
        "headers": told["headers"] | {"Allow": {"$ref": "#/components/headers/Allow"}},
    }
    return operation | {"responses": operation["responses"] | {"405": none}}


LIST_TASKS_OPERATION: Final = _list_tasks_by_predict()

ROUTES: Final = Routes(
    {"/spt/tasks": {"get": _operation("list_tasks", _PARAMETERS)}}, (TaskPage, Failure)
)
