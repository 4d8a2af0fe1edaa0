"""Several images in one call, as they come through TorchServe's own reading of forms and JSON."""

from base64 import b64encode

from clients.load.closed import Ask
from serving.protocol import Answer, Failure, ImagesAnswer
from tests.e2e.service import IMAGES, TASKS, Service


def test_a_list_of_images_is_answered_in_its_order_in_a_form_and_in_json(service: Service) -> None:
    images = [IMAGES[1], b"no image", IMAGES[0], IMAGES[1]]
    with service.client() as client:
        in_a_form = client.predict_images(images, tasks=TASKS[:2])
    encoded = [b64encode(image).decode() for image in images]
    with service.plain_http() as http:
        reply = http.post("/spt/predict", json={"task": ",".join(TASKS[:2]), "images": encoded})
    in_json = ImagesAnswer.model_validate_json(reply.content).results
    for results in (in_a_form, in_json):
        for image, result in zip(images, results, strict=True):
            for task, entry in zip(TASKS[:2], result.answers, strict=True):
                if image == b"no image":
                    assert isinstance(entry, Failure)
                else:
                    assert isinstance(entry, Answer)
                    service.assert_right(Ask(image, task), entry)


def test_an_empty_list_and_one_that_is_too_long_are_refused(service: Service) -> None:
    with service.plain_http() as http:
        for images in ([], ["eA=="] * 33):
            reply = http.post("/spt/predict", json={"task": TASKS[0], "images": images})
            assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_parameter")
        parts = [("images", IMAGES[0])] * 33
        assert http.post(f"/spt/predict?task={TASKS[0]}", files=parts).status_code == 400
