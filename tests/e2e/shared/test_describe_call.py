"""What is served and where it is, told by TorchServe's describe call and by no other."""

import pytest

from tests.e2e.service import FOREIGN, IMAGES, TASKS, Service


def described(service: Service, **headers: str) -> dict[str, object]:
    url = f"{service.process.management_url}/models/spt"
    with service.plain_http() as http:
        response = http.get(url, params={"customized": "true"}, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()[0]["customizedMetadata"]


def test_every_task_is_told_with_its_versions_and_places(service: Service) -> None:
    with service.client() as client:
        answers = {task: client.predict(IMAGES[0], task=task) for task in TASKS}
    found = described(service)
    assert found["backbone"]["weights_sha256"] == service.backbone.spec.weights_sha256
    assert found["redis"]["is_up"]
    assert found["follows_store"]
    assert {*TASKS, FOREIGN} <= found["tasks"].keys()
    for task, answer in answers.items():
        assert found["tasks"][task]["pointer"]["version"] == answer.version
        places = {one["version"]: one["places"] for one in found["tasks"][task]["versions"]}
        assert {"host", "store"} <= set(places[answer.version])


def test_one_task_is_told_when_it_is_named(service: Service) -> None:
    found = described(service, **{"X-Task": TASKS[0]})
    assert list(found["tasks"]) == [TASKS[0]]


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"content": b""},
        {"files": {"nothing": b""}},
        {
            "content": b"--x--\r\n",
            "headers": {"Content-Type": "multipart/form-data; boundary=x"},
        },
        {"headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
)
@pytest.mark.parametrize("route", ["/predictions/spt", "/spt/predict"])
def test_the_inference_api_describes_nothing_to_whoever_asks_as_management_does(
    service: Service, route: str, call: dict[str, object]
) -> None:
    headers = {"describe": "True"} | call.pop("headers", {})
    with service.plain_http() as http:
        response = http.post(route, headers=headers, **call)
    assert 400 <= response.status_code < 600
    assert not [task for task in (*TASKS, FOREIGN) if task in response.text]
