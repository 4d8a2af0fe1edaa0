"""One store of adapters a process, for services that a test starts itself."""

from collections.abc import Iterator

import pytest

from tests.e2e.service import Published, published_in


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A store for services that use no Redis."""
    with published_in(tmp_path_factory.mktemp("published") / "store") as published:
        yield published
