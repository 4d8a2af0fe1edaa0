import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import pytest

from trainer.data.public.fetch import fetch
from trainer.data.public.task import Archive
from trainer.errors import DataError


class Server(TCPServer):
    """Serves one file; `ranges`: from where it is asked; `cut`: the bytes it stops after."""

    def __init__(self, content: bytes, ranges: bool = True, cut: int | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.cut = content, ranges, cut
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if self.server.ranges else 0
        body = self.server.content[start:]
        if self.path.endswith("/gone.tar"):
            self.send_error(404)
        elif start and not body:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(self.server.content)}")
            self.end_headers()
        else:
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: self.server.cut])

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(content: bytes, **options: Any) -> Iterator[tuple[Server, str]]:
    with Server(content, **options) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


BIRDS = packed({"birds/images.txt": b"1 a.jpg\n", "birds/images/a.jpg": bytes(3000)})
MD5 = hashlib.md5(BIRDS).hexdigest()


def ignore(done: int, total: int | None) -> None:
    pass


def test_an_archive_is_downloaded_verified_and_unpacked(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with serving(BIRDS) as (_, url):
        digest = fetch(
            Archive(f"{url}/birds.tgz", 1, MD5),
            tmp_path / "new",
            lambda *bytes_: seen.append(bytes_),
        )
    assert digest == f"md5 {MD5}, as published"
    assert seen[-1] == (len(BIRDS), len(BIRDS))
    assert (tmp_path / "new/birds/images.txt").read_text() == "1 a.jpg\n"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["birds", "birds.tgz"]


def test_without_a_published_digest_the_sha256_is_reported(tmp_path: Path) -> None:
    with serving(b"a list") as (_, url):
        digest = fetch(Archive(f"{url}/setid.mat", 1), tmp_path, ignore)
    assert digest == f"sha256 {hashlib.sha256(b'a list').hexdigest()}, none is published"
    assert (tmp_path / "setid.mat").read_bytes() == b"a list"


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on_or_starts_over(tmp_path: Path, ranges: bool) -> None:
    with serving(BIRDS, ranges=ranges, cut=100) as (server, url):
        archive = Archive(f"{url}/birds.tgz", 1, MD5)
        with pytest.raises(DataError, match=r"closed after 100 of .* run it again to go on"):
            fetch(archive, tmp_path, ignore)
        assert [p.name for p in tmp_path.iterdir()] == ["birds.tgz.partial"]
        server.cut = None
        fetch(archive, tmp_path, ignore)
    assert server.asked == ["bytes=0-", "bytes=100-"]
    assert (tmp_path / "birds.tgz").read_bytes() == BIRDS


def test_a_partial_file_that_is_whole_is_taken(tmp_path: Path) -> None:
    (tmp_path / "birds.tgz.partial").write_bytes(BIRDS)
    with serving(BIRDS) as (_, url):
        fetch(Archive(f"{url}/birds.tgz", 1, MD5), tmp_path, ignore)
    assert (tmp_path / "birds/images.txt").is_file()


def test_an_archive_that_is_there_is_verified_and_not_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "birds.tgz").write_bytes(BIRDS)
    with serving(b"") as (server, url):
        fetch(Archive(f"{url}/birds.tgz", 1, MD5), tmp_path, ignore)
    assert server.asked == []
    assert (tmp_path / "birds/images.txt").is_file()


def test_a_wrong_digest_is_refused_and_nothing_is_unpacked(tmp_path: Path) -> None:
    with (
        serving(packed({"evil.txt": b"?"})) as (_, url),
        pytest.raises(DataError, match=f"expected md5 {MD5}, found .*birds.tgz.wrong"),
    ):
        fetch(Archive(f"{url}/birds.tgz", 1, MD5), tmp_path, ignore)
    assert [p.name for p in tmp_path.iterdir()] == ["birds.tgz.wrong"]


def test_an_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    with (
        serving(packed({"../outside.txt": b"?"})) as (_, url),
        pytest.raises(DataError, match="cannot be unpacked"),
    ):
        fetch(Archive(f"{url}/birds.tgz", 1), tmp_path / "in", ignore)
    assert not (tmp_path / "outside.txt").exists()


def test_an_answer_that_is_no_archive_is_named(tmp_path: Path) -> None:
    with (
        serving(b"<html>please log in</html>") as (_, url),
        pytest.raises(DataError, match=r"birds\.tgz cannot be unpacked .* delete it") as caught,
    ):
        fetch(Archive(f"{url}/birds.tgz", 1), tmp_path, ignore)
    assert "\n" not in str(caught.value)


def test_a_server_that_lacks_the_file_is_quoted(tmp_path: Path) -> None:
    with (
        serving(b"") as (_, url),
        pytest.raises(DataError, match=r"gone\.tar: the server answered 404 Not Found; fetch it"),
    ):
        fetch(Archive(f"{url}/gone.tar", 1), tmp_path, ignore)


def test_without_a_network_the_message_says_so(tmp_path: Path) -> None:
    with serving(b"") as (_, url):
        pass
    with pytest.raises(DataError) as caught:
        fetch(Archive(f"{url}/birds.tgz", 1), tmp_path, ignore)
    message = str(caught.value)
    assert "birds.tgz is not downloaded" in message
    assert "this command needs the network" in message
    assert "\n" not in message
