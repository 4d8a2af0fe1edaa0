"""The whole document: what all routes share, and each route by its module."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from pydantic.json_schema import models_json_schema

from serving.openapi import other_protocols, predict, probes, tasks
from serving.openapi.parts import Json
from serving.protocol import (
    BATCH_ID_HEADER,
    BATCH_ROWS_HEADER,
    BATCH_TASKS_HEADER,
    KEY_HEADER,
    REQUEST_ID_HEADER,
    RETRY_HEADER,
    TRACEPARENT_HEADER,
)

_ROUTES: Final = (predict.ROUTES, tasks.ROUTES, probes.ROUTES, other_protocols.ROUTES)
"""A module with more routes is named here."""

_TEXT: Final[Json] = {"type": "string"}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}

_HEADERS: Final = {
    REQUEST_ID_HEADER: (_TEXT, "the caller's id of the request, or a new one; it is in the log"),
    BATCH_ID_HEADER: (_TEXT, "which batch answered"),
    BATCH_ROWS_HEADER: (_COUNT, "rows of that batch"),
    BATCH_TASKS_HEADER: (_COUNT, "distinct tasks of that batch"),
    RETRY_HEADER: (_COUNT, "seconds after which asking again helps, where that is known"),
    "WWW-Authenticate": (_TEXT, "what the caller must show: Bearer or ApiKey"),
    "Allow": (_TEXT, "methods that the route has"),
}

_PARAMETERS: Final[Json] = {
    "request-id": {
        "name": REQUEST_ID_HEADER,
        "in": "header",
        "description": "1 to 128 letters, digits and ._:/+=@-; what is anything else is not used",
        "schema": _TEXT,
    },
    "traceparent": {
        "name": TRACEPARENT_HEADER,
        "in": "header",
        "description": "of W3C Trace Context; a malformed one is ignored",
        "schema": _TEXT,
        "example": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
}

_SCHEMES: Final[Json] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "the service's token, unless it was started without one",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": KEY_HEADER,
        "description": "a tenant's key, where the service has tenants",
    },
}


@cache
def document() -> Json:
    """Return the document, for OpenAPI 3.1; nobody changes what is returned."""
    models = list(dict.fromkeys(model for routes in _ROUTES for model in routes.models))
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "spt-serving",
            "description": "One frozen ViT answers for many image tasks, mixed in one batch.",
            "version": _version(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {path: item for routes in _ROUTES for path, item in routes.paths.items()},
        "components": {
            "schemas": schemas["$defs"],
            "headers": {
                name: {"description": text, "schema": schema}
                for name, (schema, text) in _HEADERS.items()
            },
            "parameters": _PARAMETERS,
            "securitySchemes": _SCHEMES,
        },
    }


def _version() -> str:
    try:
        return version("spt-serving")
    except PackageNotFoundError:  # run from a folder that is not installed
        return "0"
