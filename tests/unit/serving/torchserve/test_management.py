"""Nobody gets a description of the service through the inference API."""

import pytest

from serving.torchserve.management import is_description_call

CURL = {"Host": "127.0.0.1:8081", "Accept": "*/*", "describe": "True"}


@pytest.mark.parametrize(
    ("row", "headers", "is_one"),
    [
        ({}, CURL, True),
        ({}, CURL | {"X-Task": "pets"}, True),
        ({"body": b""}, CURL, False),
        ({"task": b"pets", "body": b"x"}, CURL, False),
        ({}, CURL | {"Content-Type": "multipart/form-data; boundary=x"}, False),
        ({}, CURL | {"content-type": "application/x-www-form-urlencoded"}, False),
        ({}, CURL | {"describe": "False"}, False),
        ({}, {}, False),
    ],
)
def test_only_torchserves_own_call_is_taken_for_one(row, headers, is_one):
    assert is_description_call(row, headers) is is_one
