"""What the ASGI front answers in Hugging Face's shape of image classification."""

import math
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes.artifacts import make_adapter
from tests.fakes.targets import adapters_of_targets
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.tiny_front import tiny_front

BACKBONE = tiny_backbone()
ADAPTERS = [
    make_adapter("pets", classes=7, backbone=BACKBONE.spec),
    *adapters_of_targets(BACKBONE.spec).values(),
]
IMAGE = image_bytes(0)
TEXT = b64encode(IMAGE).decode()


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(tiny_front(tmp_path_factory.mktemp("hf"), BACKBONE, ADAPTERS)) as http:
        yield http


def ours(http: TestClient, task: str, **params: str) -> dict[str, Any]:
    answer = http.post("/spt/predict", params={"task": task} | params, content=IMAGE)
    found: dict[str, Any] = answer.json()
    return found


def ask(http: TestClient, task: str, **parameters: Any) -> Any:
    answer = http.post(f"/hf/{task}", json={"inputs": TEXT, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_image_becomes_its_labels(http: TestClient) -> None:
    expected = ours(http, "pets")
    labels = [
        {"label": one["label"], "score": pytest.approx(one["score"], abs=1e-5)}
        for one in expected["predictions"]
    ]
    assert http.post("/hf/pets", content=IMAGE).json() == labels
    assert http.post("/hf/pets?top_k=2", content=IMAGE).json() == labels[:2]
    version = expected["version"][:8]
    assert http.post(f"/hf/pets?version={version}", content=IMAGE).json() == labels
    assert ask(http, "pets") == labels
    assert ask(http, "pets", top_k=3) == labels[:3]
    assert ask(http, "pets", top_k=None, function_to_apply=None) == labels


def test_a_function_scores_the_logits(http: TestClient) -> None:
    told = ours(http, "pets", logits="true", encoding="list")
    logits = dict(zip(told["class_names"], told["logits"], strict=True))
    best = sorted(logits, key=lambda name: -logits[name])
    none = ask(http, "pets", function_to_apply="none", top_k=7)
    assert [one["label"] for one in none] == best
    assert [one["score"] for one in none] == pytest.approx([logits[one] for one in best], abs=1e-4)
    sigmoid = ask(http, "pets", function_to_apply="sigmoid", top_k=2)
    assert [one["score"] for one in sigmoid] == pytest.approx(
        [1 / (1 + math.exp(-logits[name])) for name in best[:2]], abs=1e-4
    )
    assert ask(http, "pets", function_to_apply="softmax") == [
        {"label": one["label"], "score": pytest.approx(one["score"], abs=1e-5)}
        for one in told["predictions"]
    ]


def test_targets_answer_with_what_makes_their_scores(http: TestClient) -> None:
    (number,) = ask(http, "number")
    assert number["label"] == "value"
    assert number["score"] == pytest.approx(ours(http, "number")["value"], abs=1e-3)
    several = ask(http, "several", function_to_apply="sigmoid")
    assert [one["label"] for one in several] == [
        one["label"] for one in ours(http, "several")["predictions"]
    ]
    total = sum(one["score"] for one in ask(http, "several", function_to_apply="softmax", top_k=9))
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("task", "body", "status", "told"),
    [
        ("nope", {"inputs": TEXT}, 404, "no adapter is published"),
        ("pets,number", {"inputs": TEXT}, 400, "is not a task id"),
        ("pets", {"inputs": "no base64"}, 400, "the image is not the base64"),
        ("pets", {"inputs": "eA=="}, 400, "1 bytes are not an image"),
        ("pets", {"inputs": [TEXT]}, 400, "the classification request: inputs"),
        ("pets", {}, 400, "the classification request: inputs"),
        ("pets", [], 400, "the classification request: the body"),
        ("pets", {"inputs": TEXT, "parameters": {"topk": 1}}, 400, "parameters.topk"),
        ("pets", {"inputs": TEXT, "parameters": {"top_k": 0}}, 400, "top_k: expected a number"),
        (
            *("pets", {"inputs": TEXT, "parameters": {"function_to_apply": "x"}}, 400),
            "parameters.function_to_apply",
        ),
        (
            *("number", {"inputs": TEXT, "parameters": {"function_to_apply": "softmax"}}, 400),
            "task number answers with a number",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong(
    http: TestClient, task: str, body: Any, status: int, told: str
) -> None:
    answer = http.post(f"/hf/{task}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    assert told in answer.json()["error"]


def test_what_is_no_image_is_told_and_what_is_no_route(http: TestClient) -> None:
    assert http.post("/hf/pets", content=b"no image").json()["error"].startswith("the 8 bytes")
    assert http.post("/hf/pets?embed=true", content=IMAGE).status_code == 400
    away = http.get("/hf/pets")
    assert (away.status_code, "POST /hf/<task>" in away.json()["error"]) == (405, True)
