import logging
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cache.cached_store import CachedStore
from adapters.cache.redis_cache import AdapterCache
from adapters.redis.server import RedisServer
from adapters.store.directory import DirectoryStore
from adapters.store.identity import give_identity
from tests.fakes.artifacts import make_artifact
from tests.fakes.foreign_server import ForeignServer
from tests.fakes.proxy import Proxy
from tests.fakes.waiting import wait_until

FIRST, SECOND = (make_artifact(seed=seed) for seed in range(2))
SECRET = "hunter2/#@:%"
QUOTED = "hunter2%2F%23%40%3A%25"
LEAST = "+publish +subscribe +ping +set +getrange +unlink +exists +eval +get +time"
"""All that a service and a publisher need to be allowed."""


@pytest.fixture(scope="module")
def locked(running: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with a password, and a user that may do the least."""
    folder = tmp_path_factory.mktemp("locked")
    user = f"user spt on >{SECRET} ~spt:* &spt:* -@all {LEAST}"
    deaf = f"user deaf on >{SECRET} ~spt:* resetchannels -@all {LEAST}"
    with RedisServer(
        folder, binary=running.binary, password=SECRET, options=[user, deaf]
    ) as server:
        yield server


def cache_of(server: RedisServer, login: str) -> AdapterCache:
    url = f"redis://{login}127.0.0.1:{server.port}/0?socket_timeout=5"
    return AdapterCache.from_url(url, retry_after_s=0.05)


@pytest.mark.parametrize("login", [f":{QUOTED}@", f"spt:{QUOTED}@"])
def test_with_the_password_of_the_url_everything_works(
    locked: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, login: str
) -> None:
    cache = cache_of(locked, login)
    give_identity(tmp_path)
    process = CachedStore(DirectoryStore(tmp_path), cache, artifacts_in_redis=True)
    process.watch()
    wait_until("it hears", lambda: process.hears_publishes)
    for data in (FIRST, SECOND):
        pointer = process.publish(data)
        assert process.current("pets") == pointer
        assert cache.get_artifact(pointer.version) == data
    process.close()
    assert caplog.records == []


@pytest.mark.parametrize("login", ["", ":wrong@", "spt:wrong@", f"nobody:{QUOTED}@"])
def test_a_wrong_password_is_one_clear_line_and_no_stall(
    locked: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, login: str
) -> None:
    caplog.set_level(logging.DEBUG)
    process = CachedStore(DirectoryStore(tmp_path), cache_of(locked, login), pointer_ttl_s=0.0)
    process.watch()
    pointer = process.publish(FIRST)
    start = time.monotonic()
    while time.monotonic() < start + 1.5:
        assert process.current("pets") == pointer
    process.close()
    (line,) = (r.getMessage() for r in caplog.records if r.name.startswith("adapters.redis"))
    assert line.startswith("Redis refuses the user or password of REDIS_URL (")
    assert line.endswith("); going on from the store")
    assert not any(secret in caplog.text for secret in (SECRET, QUOTED, "wrong@"))


def test_a_password_that_is_put_right_in_redis_is_noticed(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer(tmp_path / "redis", binary=server.binary, password="old") as locked:
        give_identity(tmp_path)
        process = CachedStore(DirectoryStore(tmp_path), cache_of(locked, ":new@"))
        process.watch()
        wait_until("it is refused", lambda: not process.cache or not process.cache.is_up)
        locked.stop()
        with RedisServer(
            tmp_path / "redis", port=locked.port, binary=server.binary, password="new"
        ):
            wait_until("it hears", lambda: process.hears_publishes)
        process.close()
    lines = [r.getMessage() for r in caplog.records if r.name == "adapters.redis.breaker"]
    assert lines[0].startswith("Redis refuses the user or password of REDIS_URL (")
    assert "Redis is up again" in lines


def test_a_user_that_may_not_listen_goes_on_with_the_feed_and_says_so_once(
    locked: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there = CachedStore(DirectoryStore(tmp_path), cache_of(locked, f"spt:{QUOTED}@"))
    here = CachedStore(DirectoryStore(tmp_path), cache_of(locked, f"deaf:{QUOTED}@"))
    here.watch()
    there.publish(FIRST)
    here.current("pets")
    time.sleep(1.5)
    second = there.publish(SECOND)
    wait_until("it is seen", lambda: here.current("pets") == second)
    assert not here.hears_publishes
    assert here.cache is not None
    assert here.cache.is_up
    for one in (here, there):
        one.close()
    (line,) = (r.getMessage() for r in caplog.records if r.name.startswith("adapters"))
    assert line.startswith("Redis cannot announce publishes (NOPERM")


def test_a_server_that_repeats_the_password_does_not_put_it_into_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def repeat(_: bytes) -> bytes:
        return f"-ERR unknown command 'AUTH', with args: '{SECRET}'\r\n".encode()

    with ForeignServer(repeat) as server:
        url = f"redis://spt:{QUOTED}@127.0.0.1:{server.port}/0?socket_timeout=5"
        process = CachedStore(DirectoryStore(tmp_path), AdapterCache.from_url(url))
        process.watch()
        process.publish(FIRST)
        time.sleep(1.2)
        process.close()
    assert "unknown command 'AUTH', with args: '***'" in caplog.text
    assert SECRET not in caplog.text


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key of 127.0.0.1 and its certificate, which is its own authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on the PATH to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, "req", "-x509", *kind, *name, *files], check=True, capture_output=True)
    return key, certificate


@pytest.fixture
def tls_proxy(server: RedisServer, certificate: tuple[Path, Path]) -> Iterator[Proxy]:
    """TLS in front of a server, because the embedded one is built without."""
    key, chain = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with Proxy(server.port, tls=context) as proxy:
        yield proxy


def test_through_tls_everything_works(
    tls_proxy: Proxy, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    options = f"socket_timeout=5&socket_connect_timeout=5&ssl_ca_certs={certificate[1]}"
    cache = AdapterCache.from_url(f"rediss://127.0.0.1:{tls_proxy.port}/0?{options}")
    give_identity(tmp_path)
    process = CachedStore(DirectoryStore(tmp_path), cache, artifacts_in_redis=True)
    process.watch()
    wait_until("it hears", lambda: process.hears_publishes)
    pointer = process.publish(FIRST)
    assert cache.get_artifact(pointer.version) == FIRST
    process.close()


def test_a_server_whose_certificate_nobody_vouches_for_is_not_believed(
    tls_proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = "socket_timeout=5&socket_connect_timeout=5"
    cache = AdapterCache.from_url(f"rediss://127.0.0.1:{tls_proxy.port}/0?{options}")
    pointer = CachedStore(DirectoryStore(tmp_path), cache).publish(FIRST)
    assert not cache.answers()
    assert not cache.is_up
    assert DirectoryStore(tmp_path).current("pets") == pointer
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
    cache.close()
