"""With tokens on, who has none is refused, and a new token cuts nobody off who reads its file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ports import free_ports
from clients.client import Client
from clients.errors import BadKey
from serving.launch.launch import Launch
from serving.service import rotate, start, stop
from tests.e2e.service import IMAGES, TASKS, Load, Published, Service, asks


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory, published: Published) -> Launch:
    folder = tmp_path_factory.mktemp("guarded")
    api, management, metrics = free_ports(3)
    return Launch(
        folder=folder,
        store=published.source.store.root,
        ports=(api, management, metrics),
        token=True,
    )


@pytest.fixture(scope="module")
def guarded(launch: Launch, published: Published) -> Iterator[Service]:
    """Yield a service that wants tokens."""
    start(launch)
    yield published.served(launch.folder)
    stop(launch.folder)
    assert not [path for path in launch.folder.iterdir() if path.suffix in {".token", ".url"}]
    assert not (launch.folder / "key_file.json").exists()


def test_a_caller_without_the_token_or_with_another_is_refused(guarded: Service) -> None:
    for token in (None, "wrong", token_of(guarded.process.management_token_file)):
        with Client(guarded.url, token=token) as client, pytest.raises(BadKey):
            client.predict(IMAGES[0], task=TASKS[0])


def test_management_wants_its_own_token(guarded: Service) -> None:
    assert guarded.is_ready()
    url = f"{guarded.process.management_url}/models/spt"
    for path in (None, guarded.process.token_file):
        headers = {} if path is None else {"Authorization": f"Bearer {token_of(path)}"}
        with guarded.plain_http() as http:
            assert http.get(url, headers=headers).status_code == 400


def test_a_new_token_cuts_nobody_off_who_reads_its_file(guarded: Service, launch: Launch) -> None:
    before = token_of(guarded.process.token_file)
    with Load(guarded, asks(24), callers=4) as load:
        for _ in range(5):
            load.wait_for_more(8)
            rotate(launch.folder)
        load.wait_for_more(8)
    assert load.errors == []
    with Client(guarded.url, token=before) as client, pytest.raises(BadKey):
        client.predict(IMAGES[0], task=TASKS[0])


def token_of(path: Path | None) -> str:
    assert path is not None
    return path.read_text()
