"""What the ASGI front answers in the Open Inference Protocol, against its own contract."""

import gzip
import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest
from httpx import Response
from starlette.testclient import TestClient

from adapters.artifact.codec import version_of
from adapters.artifact.unknown import UnknownRule
from adapters.vit.adapter import Adapter, encode
from serving.door.tenants import make_key
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.targets import adapters_of_targets
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.tiny_front import tiny_front

BACKBONE = tiny_backbone()


def suspicious() -> Adapter:
    adapter = make_adapter("cars", classes=9, backbone=BACKBONE.spec, prompts=2, seed=1)
    rule = UnknownRule(score="energy", threshold=1e9, images=100, false_reject_rate=0.05)
    return replace(adapter, meta=adapter.meta.model_copy(update={"unknown": rule}))


PETS = make_adapter("pets", classes=3, backbone=BACKBONE.spec)
ADAPTERS = [
    PETS,
    suspicious(),
    make_adapter("foreign", backbone=make_spec(name="another")),
    make_adapter("moving", classes=3, backbone=BACKBONE.spec, seed=5),
    make_adapter("moving", classes=3, backbone=BACKBONE.spec, seed=6),
    *adapters_of_targets(BACKBONE.spec).values(),
]
VERSION = version_of(encode(PETS))
IMAGES = [image_bytes(i) for i in range(3)]
KEYS = {name: make_key() for name in ("all", "pets", "three")}
RATES = {"all": 10_000, "pets": 10_000, "three": 3}
TENANTS = [
    {
        "name": name,
        "tasks": ["pets"] if name == "pets" else ["*"],
        "requests_per_s": 10_000 if name != "three" else 0.01,
        "burst": burst,
        "keys": [KEYS[name].digest],
    }
    for name, burst in RATES.items()
]
GOOD = {"X-Api-Key": KEYS["all"].key}
JSON_BYTES = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = tiny_front(tmp_path_factory.mktemp("oip"), BACKBONE, ADAPTERS, tenants=TENANTS)
    with TestClient(app) as http:
        yield http


Ask = Callable[..., Response]


@pytest.fixture(scope="module")
def ask(http: TestClient) -> Ask:
    """Returns what asks in JSON."""

    def asked(
        path: str = "pets", *images: bytes, headers: Mapping[str, str] = GOOD, **more: Any
    ) -> Response:
        body = said([b64encode(one).decode() for one in images or IMAGES], **more)
        return http.post(f"/v2/models/{path}/infer", json=body, headers=dict(headers))

    return asked


def said(data: list[Any], shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    image = {"name": "image", "datatype": "BYTES", "shape": shape or [len(data)], "data": data}
    return {"inputs": [image]} | more


def in_bytes(*images: bytes, **more: Any) -> tuple[bytes, dict[str, str]]:
    """Return a body with its images behind the JSON, and its headers."""
    behind = b"".join(struct.pack("<I", len(one)) + one for one in images)
    image = {
        "name": "image",
        "datatype": "BYTES",
        "shape": [len(images), 1],
        "parameters": {"binary_data_size": len(behind)},
    }
    text = json.dumps({"inputs": [image]} | more).encode()
    return text + behind, GOOD | {JSON_BYTES: str(len(text))}


def ours(http: TestClient, task: str, image: bytes, **params: str) -> dict[str, Any]:
    """Return the answer of `/spt/predict`."""
    answer = http.post("/spt/predict", params={"task": task} | params, content=image, headers=GOOD)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def outputs(answer: Response) -> dict[str, Any]:
    """Return an answer's outputs in JSON, nested by their shapes."""
    assert answer.status_code == 200, answer.text
    found = {}
    for one in answer.json()["outputs"]:
        width = one["shape"][1] if len(one["shape"]) > 1 else None
        data = one["data"]
        rows = data if width is None else [data[i : i + width] for i in range(0, len(data), width)]
        assert len(rows) == one["shape"][0]
        found[one["name"]] = rows
    return found


def test_every_image_has_the_answer_that_it_has_elsewhere(http: TestClient, ask: Ask) -> None:
    answer = ask("pets", id="seven")
    body, found = answer.json(), outputs(answer)
    assert (body["model_name"], body["model_version"]) == ("pets", VERSION)
    assert body["id"] == "seven"
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["x-batch-rows"], answer.headers["x-batch-tasks"]) == ("3", "1")
    assert found.keys() == {"labels", "scores", "indices", "version"}
    for i, image in enumerate(IMAGES):
        expected = ours(http, "pets", image)
        assert found["labels"][i] == [one["label"] for one in expected["predictions"]]
        assert found["indices"][i] == [one["index"] for one in expected["predictions"]]
        scores = [one["score"] for one in expected["predictions"]]
        assert found["scores"][i] == pytest.approx(scores, abs=1e-5)
        assert found["version"][i] == VERSION


def test_images_and_outputs_as_bytes_say_the_same(http: TestClient, ask: Ask) -> None:
    wanted = [
        {"name": "scores", "parameters": {"binary_data": True}},
        {"name": "labels"},
        {"name": "indices"},
    ]
    body, headers = in_bytes(
        *IMAGES, outputs=wanted, parameters={"binary_data_output": True, "top_k": 2}
    )
    answer = http.post("/v2/models/pets/infer", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers[JSON_BYTES])
    told, behind = json.loads(answer.content[:length]), answer.content[length:]
    sizes = {one["name"]: one["parameters"]["binary_data_size"] for one in told["outputs"]}
    assert list(sizes) == ["scores", "labels", "indices"]
    assert [one["shape"] for one in told["outputs"]] == [[3, 2]] * 3
    assert sum(sizes.values()) == len(behind)
    expected = outputs(ask("pets", parameters={"top_k": 2}))
    scores = struct.unpack("<6f", behind[: sizes["scores"]])
    assert scores == pytest.approx([*chain(*expected["scores"])], abs=1e-6)
    assert struct.unpack("<6q", behind[-48:]) == (*chain(*expected["indices"]),)


def test_a_body_may_be_one_image_alone(http: TestClient) -> None:
    answer = http.post(
        "/v2/models/pets/infer?top_k=1", content=IMAGES[0], headers=GOOD | {JSON_BYTES: "0"}
    )
    (best,) = ours(http, "pets", IMAGES[0], top_k="1")["predictions"]
    assert outputs(answer)["labels"] == [[best["label"]]]


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_body_says_the_same(
    http: TestClient, ask: Ask, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    body, headers = in_bytes(*IMAGES)
    answer = http.post(
        "/v2/models/pets/infer",
        content=pack(body),
        headers=headers | {"Content-Encoding": encoding},
    )
    assert outputs(answer)["labels"] == outputs(ask("pets"))["labels"]


def test_numbers_are_those_of_our_contract(http: TestClient, ask: Ask) -> None:
    wanted = [{"name": "embedding"}, {"name": "logits"}]
    found = outputs(ask("cars", outputs=wanted))
    expected = ours(http, "cars", IMAGES[1], embed="true", logits="true", encoding="list")
    for name in ("embedding", "logits"):
        assert found[name][1] == pytest.approx(expected[name], abs=1e-4)
    assert found.keys() == {"embedding", "logits"}


def test_targets_have_outputs_of_their_kinds(http: TestClient, ask: Ask) -> None:
    several, expected = outputs(ask("several", IMAGES[0])), ours(http, "several", IMAGES[0])
    has = zip(several["labels"][0], several["present"][0], strict=True)
    assert {label for label, is_present in has if is_present} == set(expected["labels"])
    for task in ("number", "ordered"):
        (value,) = outputs(ask(task, IMAGES[0]))["values"]
        assert value == pytest.approx(ours(http, task, IMAGES[0])["value"], abs=1e-3)
    assert outputs(ask("number")).keys() == {"values", "version"}
    assert outputs(ask("cars"))["unknown"] == [True] * 3


def test_where_a_canary_answers_of_some_images_each_has_its_version(ask: Ask) -> None:
    answer = ask("moving", *(image_bytes(i) for i in range(20)))
    versions = outputs(answer)["version"]
    assert set(versions) == {version_of(encode(one)) for one in ADAPTERS[3:5]}
    assert "model_version" not in answer.json()
    one = ask(f"moving/versions/{versions[0][:8]}")
    assert set(outputs(one)["version"]) == {versions[0]}


def test_what_is_null_is_not_there(http: TestClient) -> None:
    body = said([GOOD_TEXT], parameters=None, outputs=None, id=None)
    body["inputs"][0] |= {"parameters": {"content_type": "base64"}}
    answer = http.post("/v2/models/pets/infer", json=body, headers=GOOD)
    assert outputs(answer)["version"] == [VERSION]


BAD = b64encode(b"no image").decode()
GOOD_TEXT = b64encode(IMAGES[0]).decode()
IMAGE = said([GOOD_TEXT])["inputs"][0]
REFUSED: dict[str, tuple[str, Any, int, str]] = {
    "no such task": ("nope", said([GOOD_TEXT]), 404, "no adapter is published for task 'nope'"),
    "no task id": ("NO", said([GOOD_TEXT]), 400, "is not a task id"),
    "two tasks": ("pets,cars", said([GOOD_TEXT]), 400, "is not a task id"),
    "no such version": ("pets/versions/000000", said([GOOD_TEXT]), 404, "has no version"),
    "no version": ("pets/versions/1", said([GOOD_TEXT]), 400, "expected 6 to 64 hex digits"),
    "other backbone": ("foreign", said([GOOD_TEXT]), 409, "another"),
    "one bad image": (
        "pets", said([GOOD_TEXT, BAD]), 400, "image 2 of 2: the 8 bytes are not an image",
    ),
    "no base64": ("pets", said(["?", GOOD_TEXT]), 400, "image 1 of 2: the image is not the base64"),
    "all bad": ("pets", said(["?", "?"]), 400, "the image is not the base64"),
    "alone and bad": ("pets", said([BAD]), 400, "8 bytes are not an image"),
    "no inputs": ("pets", {"inputs": []}, 400, "expected one tensor called image, found []"),
    "two inputs": ("pets", {"inputs": [IMAGE, IMAGE]}, 400, "expected one tensor"),
    "another input": ("pets", {"inputs": [IMAGE | {"name": "x"}]}, 400, "found ['x']"),
    "numbers": ("pets", {"inputs": [IMAGE | {"datatype": "FP32"}]}, 400, "expected datatype BYTES"),
    "no shape": ("pets", said([GOOD_TEXT], [1, 2]), 400, "expected shape [n] or [n, 1]"),
    "nothing": ("pets", said([], [0]), 400, "n at least 1"),
    "too many": ("pets", said(["x"] * 33), 400, "33 images in one call, the limit is 32"),
    "more than said": ("pets", said([GOOD_TEXT] * 2, [1]), 400, "says 1 images, its data are 2"),
    "no data": ("pets", {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1]}]}, 400,
                "its data are 0"),
    "odd data": ("pets", said([7]), 400, "inputs.0.data"),
    "odd top_k": ("pets", said([GOOD_TEXT], parameters={"top_k": 0}), 400, "top_k: expected"),
    "odd parameter": ("pets", said([GOOD_TEXT], parameters={"topk": 1}), 400, "parameters.topk"),
    "shared memory": (
        "pets", {"inputs": [IMAGE | {"parameters": {"shared_memory_region": "x"}}]}, 400,
        "shared_memory_region",
    ),
    "classification": (
        "pets",
        said([GOOD_TEXT], outputs=[{"name": "scores", "parameters": {"classification": 2}}]),
        400, "classification",
    ),
    "no such output": ("pets", said([GOOD_TEXT], outputs=[{"name": "x"}]), 400, "found 'x'"),
    "not of this task": (
        "pets", said([GOOD_TEXT], outputs=[{"name": "values"}]), 400, "task pets has no values",
    ),
    "no object": ("pets", [], 400, "the inference request: the body"),
    "size without bytes": (
        "pets", {"inputs": [IMAGE | {"parameters": {"binary_data_size": 5}}]}, 400,
        "in the header Inference-Header-Content-Length",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "told"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_says_what_is_wrong(
    http: TestClient, path: str, body: Any, status: int, told: str
) -> None:
    answer = http.post(f"/v2/models/{path}/infer", json=body, headers=GOOD)
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    assert told in answer.json()["error"]


@pytest.mark.parametrize(
    ("length", "told"),
    [
        ("x", "expected a whole number"),
        ("-1", "expected a whole number"),
        ("99999999", "found 99,999,999"),
        ("100", "the inference request"),
    ],
)
def test_a_wrong_length_of_the_json_is_told(http: TestClient, length: str, told: str) -> None:
    body, headers = in_bytes(*IMAGES)
    answer = http.post(
        "/v2/models/pets/infer", content=body, headers=headers | {JSON_BYTES: length}
    )
    assert (answer.status_code, told in answer.json()["error"]) == (400, True), answer.text


@pytest.mark.parametrize("change", [lambda body: body + b"x", lambda body: body[:-1]])
def test_a_body_of_another_length_than_it_says_is_told(
    http: TestClient, change: Callable[[bytes], bytes]
) -> None:
    body, headers = in_bytes(*IMAGES)
    answer = http.post("/v2/models/pets/infer", content=change(body), headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the body: expected")


def test_an_odd_parameter_of_the_address_is_told(http: TestClient) -> None:
    answer = http.post("/v2/models/pets/infer?embed=true", json=said([GOOD_TEXT]), headers=GOOD)
    assert (answer.status_code, "'embed'" in answer.json()["error"]) == (400, True)


def test_who_may_ask_is_decided_as_elsewhere(ask: Ask) -> None:
    nobody = ask("pets", headers={})
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "ApiKey")
    forbidden = ask("cars", headers={"X-Api-Key": KEYS["pets"].key})
    assert (forbidden.status_code, forbidden.headers["x-batch-rows"]) == (403, "0")
    three = {"X-Api-Key": KEYS["three"].key}
    assert ask("pets", *IMAGES[:2], headers=three).status_code == 200
    beyond = ask("pets", *IMAGES[:2], headers=three)
    assert (beyond.status_code, beyond.headers["x-batch-rows"]) == (429, "0")
    assert "image 2 of 2" in beyond.json()["error"]
    assert int(beyond.headers["retry-after"]) > 0


def test_the_service_and_its_tasks_are_told(http: TestClient) -> None:
    def told(path: str, key: str | None = "all") -> tuple[int, Any]:
        headers = {} if key is None else {"X-Api-Key": KEYS[key].key}
        answer = http.get(f"/v2{path}", headers=headers)
        return answer.status_code, answer.json()

    assert told("/health/live", None) == (200, {"live": True})
    assert told("/health/ready", None) == (200, {"ready": True})
    status, server = told("", None)
    assert (status, server["name"], server["extensions"]) == (
        *(200, "spt-serving", ["binary_tensor_data"]),
    )
    status, pets = told("/models/pets")
    assert (status, pets["name"], pets["versions"]) == (200, "pets", [VERSION])
    assert pets["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    assert {"name": "scores", "datatype": "FP32", "shape": [-1, -1]} in pets["outputs"]
    assert told(f"/models/pets/versions/{VERSION[:6]}")[0] == 200
    number = told("/models/number")[1]["outputs"]
    assert [one["name"] for one in number] == ["values", "version", "embedding", "logits"]
    assert told("/models/pets/ready") == (200, {"name": "pets", "ready": True})
    assert told(f"/models/pets/versions/{VERSION}/ready")[0] == 200
    refused = {
        "/models/pets/versions/000000": 404,
        "/models/pets/versions/000000/ready": 404,
        "/models/pets/versions/1": 400,
        "/models/nope": 404,
        "/models/nope/ready": 404,
        "/models/NO": 400,
        "/models/foreign/ready": 409,
        "/models/pets?x=y": 400,
        "/models/pets/config": 404,
        "/repository/index": 404,
    }
    for path, expected in refused.items():
        status, body = told(path)
        assert (status, body.keys()) == (expected, {"error"}), path
        assert isinstance(body["error"], str)
    assert told("/models/pets", None)[0] == 401
    assert told("/models/cars", "pets")[0] == 403
