"""The OpenAPI document is whole, names every route, and real answers are what it promises."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.__main__ import main
from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.errors import CODES, RateLimited
from serving.front.app import build_app, page_route
from serving.front.predict import Bounds
from serving.front.token import TokenFile
from serving.health.heartbeat import Heartbeat
from serving.health.probes import Page
from serving.health.vitals import Vitals
from serving.metrics.table import ROUTE
from serving.openapi.document import document
from serving.protocol import HTTP_STATUS, Answer, CanaryInfo, LabelScore, TaskInfo, TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query

VERSION = "0" * 64
ERRORS = {
    code.value.replace("_", "-"): RateLimited("too many", retry_after_s=1.5)
    if error is RateLimited
    else error("why")
    for error, code in CODES.items()
} | {"internal": RuntimeError("a fault of ours")}
"""For each code a task that is answered with it."""


class Engine:
    """Answers in every shape that there is; a task named after a code is answered with that."""

    def predict(self, queries: list[Query]) -> list[Outcome]:
        return [ERRORS.get(query.task) or self.answer(query) for query in queries]

    def answer(self, query: Query) -> Answer:
        label = LabelScore(label="x", index=0, score=0.5)
        numbers = (1.0, -2.0) if query.extras.encoding == "list" else "AACAPwAAAMA="
        return Answer(
            task=query.task,
            version=VERSION,
            predictions=(label,),
            unknown=True if query.task == "strange" else None,
            value=1.5 if query.task == "ordinal" else None,
            target="ordinal" if query.task == "ordinal" else "single-label",
            embedding=numbers if query.extras.embed else None,
            logits=numbers if query.extras.logits_bytes else None,
            class_names=("x", "y") if query.extras.logits_bytes else None,
        )

    def list_tasks(self, listing: Listing) -> TaskPage:
        if listing.task in ERRORS:
            raise ERRORS[listing.task]
        canary = CanaryInfo(version=VERSION, share=0.1)
        named = {"class_names": ("x", "y"), "num_classes": 2, "versions": (VERSION,)}
        alone = named if listing.task else {}
        return TaskPage(tasks=(TaskInfo(task="pets", version=VERSION, canary=canary, **alone),))

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Starlette:
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text("secret")
    app = build_app(
        Engine(),
        Admission(None, RateLimit()),
        Vitals(Heartbeat(None), lambda: None),
        Bounds(10_000, 1 << 20, threads=2),
        token=TokenFile(token),
    )
    app.routes.append(page_route(ROUTE, Page("text/plain", lambda: b"up 1")))
    return app


@pytest.fixture(scope="module")
def http(app: Starlette) -> Iterator[TestClient]:
    with TestClient(app, headers={"Authorization": "Bearer secret"}) as client:
        yield client


def test_it_is_an_openapi_document() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_it_names_every_route_of_the_app_and_no_other(app: Starlette) -> None:
    routes = [route for route in app.routes if isinstance(route, Route)]
    served = {
        (route.path, method.lower())
        for route in routes
        for method in (route.methods or ()) - {"HEAD"}
    }
    named = {(path, method) for path, item in document()["paths"].items() for method in item}
    assert named == served


def test_its_examples_are_what_their_schemas_say() -> None:
    examples = [
        (content["schema"], example["value"])
        for item in document()["paths"].values()
        for operation in item.values()
        for reply in operation["responses"].values()
        for content in reply.get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]
    assert len(examples) > 50
    for schema, value in examples:
        check(schema, value)


def test_every_status_of_the_wire_is_promised_where_images_are_asked_about() -> None:
    promised = document()["paths"]["/spt/predict"]["post"]["responses"]
    assert promised.keys() == {"200", *map(str, HTTP_STATUS.values())}
    codes = [code for reply in promised.values() for code in examples_of(reply)]
    assert set(HTTP_STATUS) <= set(codes)


def examples_of(reply: dict[str, Any]) -> list[str]:
    return list(reply["content"]["application/json"]["examples"])


QUERIES = ["?task=pets", "?task=strange,ordinal", "?task=pets&embed=true&logits=true", ""]
FAILING = [f"?task={task}" for task in ERRORS]
ROUTES = ["/spt/predict", "/predictions/spt"]


@pytest.mark.parametrize(
    ("route", "query"),
    [*product(ROUTES, QUERIES + FAILING)],
)
def test_what_is_said_of_images_is_what_it_promises(
    http: TestClient, route: str, query: str
) -> None:
    images = [("images", b"x"), ("images", b"y")]
    for method in ("POST", "PUT"):
        as_promised(http, method, route, query, content=b"x")
        as_promised(http, method, route, query, files=images)
        as_promised(http, method, route, query, json={"images": ["eA==", 7]})
        as_promised(http, method, route, query, content=b"x" * 20_000)


@pytest.mark.parametrize(
    "path",
    [
        "/spt/tasks",
        "/spt/tasks?task=pets",
        "/spt/tasks?limit=0",
        *(f"/spt/tasks?task={name}" for name in ("internal", "store-unavailable")),
        "/spt/predict?list=tasks",
        "/spt/predict",
        "/livez",
        "/readyz",
        "/ping",
        "/openapi.json",
    ],
)
def test_what_is_said_of_all_else_is_what_it_promises(http: TestClient, path: str) -> None:
    as_promised(http, "GET", *path.partition("?")[::2])


IMAGE = {"name": "image", "datatype": "BYTES", "shape": [1]}
INFER = {"inputs": [IMAGE | {"data": ["eA=="]}]}
PACKED = {"Inference-Header-Content-Length": "0"}
OTHERS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v2", {}),
    ("GET", "/v2/health/live", {}),
    ("GET", "/v2/health/ready", {}),
    *(("GET", f"/v2/models/{{task}}{end}", {}) for end in ("", "/ready")),
    *(("GET", f"/v2/models/{{task}}/versions/{{version}}{end}", {}) for end in ("", "/ready")),
    *(
        (method, f"/v2/models/{{task}}{version}/infer", sent)
        for method in ("POST", "PUT")
        for version in ("", "/versions/{version}")
        for sent in (
            {"json": INFER | {"id": "a call"}},
            {"json": INFER | {"inputs": []}},
            {"json": INFER | {"parameters": {"binary_data_output": True}}},
            {"content": b"x", "headers": PACKED},
            {"content": b"x" * 20_000},
        )
    ),
    *(
        (method, "/hf/{task}", sent)
        for method in ("POST", "PUT")
        for sent in ({"content": b"x"}, {"json": {"inputs": "eA=="}}, {"json": []})
    ),
]


OF_IMAGES = {"body-too-slow", "out-of-memory", "bad-image"}
"""What no list of tasks meets."""


@pytest.mark.parametrize("task", ["pets", "strange", "ordinal", "NO", *ERRORS])
def test_what_other_protocols_say_is_what_it_promises(http: TestClient, task: str) -> None:
    for method, template, sent in OTHERS:
        if method == "GET" and task in OF_IMAGES:
            continue
        path = template.format(task=task, version=VERSION[:8])
        as_promised(http, method, path, "", template=template, **sent)
    as_promised(http, "GET", "/v2/models/pets", "x=y", template="/v2/models/{task}")


@pytest.mark.parametrize("path", ["/spt/predict", "/spt/tasks"])
def test_who_shows_no_token_is_told_as_promised(http: TestClient, path: str) -> None:
    method = "GET" if path == "/spt/tasks" else "POST"
    answer = as_promised(http, method, path, "", headers={"Authorization": ""})
    assert answer.status_code == 401


def test_the_command_prints_what_the_service_answers(
    http: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["openapi"]) == 0
    assert json.loads(capsys.readouterr().out) == http.get("/openapi.json").json() == document()


def as_promised(
    http: TestClient, method: str, path: str, query: str, template: str | None = None, **sent: Any
) -> Any:
    """Return an answer whose status, headers and body are among those of the document."""
    answer = http.request(method, path + ("?" + query.removeprefix("?") if query else ""), **sent)
    promised = document()["paths"][template or path][method.lower()]["responses"]
    assert str(answer.status_code) in promised, answer.text
    reply = promised[str(answer.status_code)]
    kind = answer.headers["content-type"]
    schema = reply["content"][kind]["schema"]
    if kind == "application/json":
        check(schema, answer.json())
    headers = {name for name in document()["components"]["headers"] if name in answer.headers}
    assert "X-Request-Id" in headers
    assert headers <= reply["headers"].keys()
    return answer


def check(schema: dict[str, Any], value: Any) -> None:
    """Raise if a body is not what a schema of the document says."""
    Draft202012Validator(schema | {"components": document()["components"]}).validate(value)
