"""A playground with a rich service and a real store, and a browser that reaches nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from adapters.store.directory import DirectoryStore
from clients.playground.commands import StoreCommands
from clients.playground.guard import Guard
from clients.playground.playground import Playground
from clients.playground.relay import Relay
from clients.playground.server import LoopbackServer
from tests.browser.chromium import found
from tests.browser.rich_service import RichService
from tests.fakes.artifacts import make_artifact

PHONE, DESKTOP = (390, 844), (1280, 900)
Open = Callable[..., Page]

expect.set_options(timeout=60_000)  # a command is a process, and machines are busy


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def service() -> RichService:
    return RichService()


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    store = DirectoryStore(tmp_path / "store")
    for task in ("digits", "ages", "birds", "scenes", "shapes"):
        store.publish(make_artifact(task, seed=0))
    store.publish(make_artifact("digits", seed=1))
    store.publish(make_artifact("digits", seed=2), canary=0.25)
    return store


@contextmanager
def served(service: RichService, store: DirectoryStore | None) -> Iterator[str]:
    """Yield the address that the command would print."""
    relay = Relay("http://127.0.0.1:8080", model="spt", transport=service.transport())
    with LoopbackServer(0) as server:
        guard = Guard(server.server_port)
        commands = None if store is None else StoreCommands(store.root)
        server.answer = Playground(relay, guard, commands).answer
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/"
        yield address if store is None else f"{address}#key={guard.key}"
        server.shutdown()
        thread.join()


@pytest.fixture
def open_page(chromium: Browser, service: RichService, store: DirectoryStore) -> Iterator[Open]:
    """Open the page; at the end nothing was asked elsewhere, and the console is empty."""
    complaints: list[str] = []
    strangers: list[str] = []
    open_ones = []

    def open_one(
        size: tuple[int, int] = DESKTOP, scheme: str = "light", *, with_store: bool = False
    ) -> Page:
        server = served(service, store if with_store else None)
        address = server.__enter__()
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
        )
        context.set_default_timeout(60_000)

        def pass_on(route: Route) -> None:
            url = route.request.url
            if url.startswith((address.partition("#")[0], "blob:", "data:")):
                route.continue_()
            else:
                strangers.append(url)
                route.abort()

        context.route("**/*", pass_on)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        open_ones.append((server, context))
        page.goto(address)
        page.locator("#choices label").first.wait_for()
        return page

    yield open_one
    for server, context in open_ones:
        context.close()
        server.__exit__(None, None, None)
    assert strangers == []
    assert complaints == []
