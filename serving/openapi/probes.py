"""The routes that tell how the service is; and the document's own."""

from typing import Final

from serving.openapi.parts import Json, Routes, reply
from serving.protocol import REQUEST_ID_HEADER

OPENAPI_ROUTE: Final = "/openapi.json"
METRICS_ROUTE: Final = "/metrics"

_SCHEMA: Final[Json] = {
    "type": "object",
    "required": ["ok", "reason"],
    "properties": {"ok": {"type": "boolean"}, "reason": {"type": ["string", "null"]}},
}
_WELL: Final[Json] = {"ok": True, "reason": None}
_ILL: Final[Json] = {"ok": False, "reason": "it is being started"}


def _probe(name: str, summary: str) -> Json:
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "security": [],
            "responses": {
                "200": reply("Yes", _SCHEMA, {"yes": _WELL}),
                "503": reply("No; the reason says why", _SCHEMA, {"no": _ILL}),
            },
        }
    }


_DOCUMENT: Final[Json] = {
    "operationId": "openapi",
    "summary": "Return this document",
    "security": [],
    "responses": {"200": reply("This document", {"type": "object"}, {})},
}

_HEADERS: Final[Json] = {REQUEST_ID_HEADER: {"$ref": f"#/components/headers/{REQUEST_ID_HEADER}"}}
_METRICS: Final[Json] = {
    "operationId": "metrics",
    "summary": "Return the metrics of all processes, for Prometheus",
    "security": [],
    "responses": {
        "200": {
            "description": "The text format of Prometheus",
            "headers": _HEADERS,
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        "503": {"description": "The service is stopping", "headers": _HEADERS},
    },
}

ROUTES: Final = Routes(
    {
        "/livez": _probe("livez", "Whether a process of the service lives"),
        "/readyz": _probe("readyz", "Whether the service can answer"),
        "/ping": _probe("ping", "The same, by TorchServe's name"),
        METRICS_ROUTE: {"get": _METRICS},
        OPENAPI_ROUTE: {"get": _DOCUMENT},
    }
)
