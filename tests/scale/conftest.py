"""One SeaweedFS for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.fakes.seaweed import KEYS, Seaweed, seaweed


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        with seaweed(tmp_path_factory.mktemp("seaweed")) as started:
            yield started
