"""Clients of others, unmodified, against the front on a socket: they learn what ours learns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from clients import Client
from clients.errors import TaskNotFound
from serving.protocol import Answer, floats
from tests.fakes.artifacts import make_adapter
from tests.fakes.targets import adapters_of_targets
from tests.fakes.tiny import image_bytes, tiny_backbone
from tests.fakes.tiny_front import listening_app, tiny_front

BACKBONE = tiny_backbone()
ADAPTERS = [
    make_adapter("pets", classes=3, backbone=BACKBONE.spec),
    make_adapter("moving", classes=3, backbone=BACKBONE.spec, seed=5),
    make_adapter("moving", classes=3, backbone=BACKBONE.spec, seed=6),
    *adapters_of_targets(BACKBONE.spec).values(),
]
IMAGES = [image_bytes(i) for i in range(4)]
TOKEN = "a-secret"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("others")
    token = folder / "token"
    token.write_text(TOKEN)
    with listening_app(tiny_front(folder, BACKBONE, ADAPTERS, token=token)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, token=TOKEN) as client:
        yield client


@pytest.fixture
def triton(url: str) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(url.removeprefix("http://")) as triton:
        yield triton


def shown() -> dict[str, str]:
    """Return headers with the token; tritonclient adds to those it is given."""
    return {"Authorization": f"Bearer {TOKEN}"}


def tensor(*images: bytes, binary: bool = True, column: bool = False) -> InferInput:
    """Return images as tritonclient sends them."""
    data = np.array(images, dtype=np.object_)
    data = data[:, None] if column else data
    made = InferInput("image", list(data.shape), "BYTES")
    made.set_data_from_numpy(data, binary_data=binary)
    return made


def assert_same(found: Any, answers: list[Answer]) -> None:
    """Assert that the usual outputs say what our client was told."""
    assert found.as_numpy("version").tolist() == [answer.version.encode() for answer in answers]
    for name, expected in (
        ("labels", [[one.label.encode() for one in answer.predictions] for answer in answers]),
        ("indices", [[one.index for one in answer.predictions] for answer in answers]),
    ):
        assert found.as_numpy(name).tolist() == expected
    scores = [[one.score for one in answer.predictions] for answer in answers]
    np.testing.assert_allclose(found.as_numpy("scores"), scores, atol=1e-6)
    assert found.as_numpy("scores").dtype == np.float32


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_triton_is_told_what_our_client_is_told(
    triton: InferenceServerClient, client: Client, column: bool, packing: str | None
) -> None:
    found = triton.infer(
        "pets",
        [tensor(*IMAGES, column=column)],
        request_id="a call",
        headers=shown(),
        request_compression_algorithm=packing,
        response_compression_algorithm=packing,
    )
    assert_same(found, [client.predict(image, task="pets") for image in IMAGES])
    told = found.get_response()
    assert (told["id"], told["model_name"]) == ("a call", "pets")


def test_triton_may_ask_for_a_version_labels_and_numbers(
    triton: InferenceServerClient, client: Client
) -> None:
    versions = client.task("moving").versions or ()
    for version in versions:
        expected = client.predict(
            IMAGES[0], task="moving", version=version, top_k=2, embed=True, logits=True
        )
        names = ("labels", "scores", "indices", "version", "embedding", "logits")
        wanted = [
            InferRequestedOutput(name, binary_data=i % 2 == 0) for i, name in enumerate(names)
        ]
        found = triton.infer(
            "moving",
            [tensor(IMAGES[0])],
            version[:8],
            wanted,
            headers=shown(),
            parameters={"top_k": 2},
        )
        labels = found.as_numpy("labels").tolist()
        assert labels == [[one.label.encode() for one in expected.predictions]]
        for name in ("embedding", "logits"):
            numbers = floats(getattr(expected, name))
            np.testing.assert_allclose(found.as_numpy(name)[0], numbers, atol=1e-5)
        assert found.get_response()["model_version"] == expected.version


def test_triton_is_told_what_kinds_of_targets_say(
    triton: InferenceServerClient, client: Client
) -> None:
    found = triton.infer("number", [tensor(*IMAGES)], headers=shown())
    values = [client.predict(image, task="number").value for image in IMAGES]
    np.testing.assert_allclose(found.as_numpy("values"), values, rtol=1e-5)
    assert found.as_numpy("labels") is None
    several = triton.infer("several", [tensor(IMAGES[0])], headers=shown())
    chosen = several.as_numpy("labels")[several.as_numpy("present")].tolist()
    assert chosen == [
        one.encode() for one in client.predict(IMAGES[0], task="several").labels or ()
    ]


def test_triton_asks_whether_the_service_and_its_tasks_are_ready(
    triton: InferenceServerClient,
) -> None:
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("pets", headers=shown())
    assert not triton.is_model_ready("nope", headers=shown())
    assert not triton.is_model_ready("pets", "000000", headers=shown())
    assert triton.get_server_metadata(headers=shown())["name"] == "spt-serving"
    told = triton.get_model_metadata("pets", headers=shown())
    assert told["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]


def test_triton_understands_why_it_is_refused(triton: InferenceServerClient) -> None:
    for asked, status, words in (
        (lambda: triton.infer("pets", [tensor(IMAGES[0])]), "401", "the service's token"),
        (lambda: triton.infer("nope", [tensor(IMAGES[0])], headers=shown()), "404", "'nope'"),
        (
            lambda: triton.infer("pets", [tensor(IMAGES[0], b"x")], headers=shown()),
            *("400", "image 2 of 2: the 1 bytes are not an image"),
        ),
        (lambda: triton.get_model_config("pets", headers=shown()), "404", "GET /v2/models/<task>"),
    ):
        with pytest.raises(InferenceServerException, match=words) as told:
            asked()
        assert told.value.status() == status


def test_hugging_faces_client_is_told_what_our_client_is_told(
    url: str, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(IMAGES[0])
    theirs = InferenceClient(f"{url}/hf/pets", token=TOKEN)
    for image in (IMAGES[0], path, str(path)):
        for top_k in (None, 2):
            found = theirs.image_classification(image, top_k=top_k)
            expected = client.predict(IMAGES[0], task="pets", top_k=top_k or 5).predictions
            assert [one.label for one in found] == [one.label for one in expected]
            assert [one.score for one in found] == pytest.approx([one.score for one in expected])
    scored = theirs.image_classification(IMAGES[0], function_to_apply="sigmoid")
    assert [one.label for one in scored] == [one.label for one in expected] + [scored[-1].label]


def test_hugging_faces_client_understands_why_it_is_refused(url: str, client: Client) -> None:
    with pytest.raises(HfHubHTTPError) as told:
        InferenceClient(f"{url}/hf/nope", token=TOKEN).image_classification(IMAGES[0])
    assert told.value.response.status_code == 404
    assert "no adapter is published for task 'nope'" in str(told.value)
    with pytest.raises(TaskNotFound):
        client.predict(IMAGES[0], task="nope")
