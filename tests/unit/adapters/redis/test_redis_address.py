from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import OutOfMemoryError, ResponseError
from redis.sentinel import MasterNotFoundError

from adapters.redis.address import client_for, public_address, reason

SECRET = "hunter2"


def test_user_password_database_and_options_are_taken_from_the_url() -> None:
    url = f"redis://spt:{SECRET}%40x@redis.example:7000/3?socket_timeout=2.5"
    options = client_for(url, 0.05).connection_pool.connection_kwargs
    assert (options["username"], options["password"]) == ("spt", f"{SECRET}@x")
    assert (options["host"], options["port"], options["db"]) == ("redis.example", 7000, 3)
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (2.5, 0.05)


def test_tls_is_asked_for_and_its_files_have_to_be_there(tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    url = f"rediss://h/0?ssl_ca_certs={authority}"
    with pytest.raises(ValueError, match=r"ssl_ca_certs .* no file .*authority\.pem"):
        client_for(url, 0.05)
    authority.touch()
    pool = client_for(url, 0.05).connection_pool
    assert pool.connection_class.__name__ == "SSLConnection"
    assert pool.connection_kwargs["ssl_ca_certs"] == str(authority)


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"http://:{SECRET}@127.0.0.1",
        f"{SECRET}",
        f"redis://:{SECRET}/x@127.0.0.1:6379/0",
        f"redis://:12/{SECRET}@127.0.0.1:6379/0",
        f"redis://:1?{SECRET}@127.0.0.1:6379/0",
        f"redis://:1#{SECRET}@127.0.0.1:6379/0",
        f"redis://:{SECRET}#x@127.0.0.1:6379/0",
        f"redis://:{SECRET}@127.0.0.1:port/0",
        f"redis://:{SECRET}",
        f"redis://:{SECRET}@[::1/0",
        f"redis://:{SECRET}@127.0.0.1/x",
        f"redis://:{SECRET}@127.0.0.1/1/2",
        f"rediss://:{SECRET}@127.0.0.1/-1",
        f"redis://:{SECRET}@127.0.0.1/0?no_such_option=1",
        f"redis://:{SECRET}@127.0.0.1/0?socket_timeout=soon",
        f"redis://:{SECRET}@127.0.0.1/0?protocol=3",
        f"rediss://:{SECRET}@127.0.0.1/0?ssl_cert_reqs={SECRET}",
    ],
)
def test_a_wrong_address_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="expected redis://") as refused:
        client_for(url, 0.05)
    assert SECRET not in str(refused.value)
    assert refused.value.__suppress_context__
    assert SECRET not in public_address(url)


@given(st.text(max_size=60))
def test_no_text_makes_anything_but_a_client_or_a_refusal(text: str) -> None:
    for url in (text, f"redis://{text}", f"rediss://:{text}@h/{text}"):
        public_address(url)
        with suppress(ValueError):
            client_for(url, 0.05)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        (f"redis://spt:{SECRET}@127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        (f"rediss://:{SECRET}@h/0?password={SECRET}", "rediss://h/0"),
        (f"unix://:{SECRET}@/run/redis.sock?db=1", "unix:///run/redis.sock"),
        ("redis://[::1]:7/0", "redis://[::1]:7/0"),
        (f"redis://:1/{SECRET}@h", "an address that is not one"),
    ],
)
def test_the_public_address_has_no_secrets(url: str, public: str) -> None:
    assert public_address(url) == public


def test_a_reason_is_one_short_line_without_the_password() -> None:
    client = client_for(f"redis://:{SECRET}@127.0.0.1", 0.05)
    text = f"a\r\nline\x1b[31m '{SECRET}' {'x' * 1000}"
    told = reason(ResponseError(text), client)
    assert told.startswith("ResponseError: a line?[31m '***' xxx")
    assert len(told) == 200
    full = OutOfMemoryError("command not allowed", status_code="OOM")
    assert reason(full, client) == "OOM: command not allowed"


def test_sentinels_are_asked_for_the_master() -> None:
    url = f"redis+sentinel://spt:{SECRET}%40x@one:26380,two/mymaster/3?socket_timeout=2.5"
    pool: Any = client_for(url, 0.05).connection_pool
    sentinels = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in sentinels] == [("one", 26380), ("two", 26379)]
    assert {one["socket_timeout"] for one in sentinels} == {0.05}
    assert pool.service_name == "mymaster"
    options = pool.connection_kwargs
    assert (options["username"], options["password"]) == ("spt", f"{SECRET}@x")
    assert (options["db"], options["socket_timeout"]) == (3, 2.5)
    assert public_address(url) == "redis+sentinel://one:26380,two/mymaster/3"


@pytest.mark.parametrize(
    "rest", ["", "one", "one/", "one:x/m", "/m", "one,,two/m", "one/m/x", f"a:{SECRET}/x@one/m"]
)
def test_sentinels_without_a_host_or_a_name_are_no_address(rest: str) -> None:
    with pytest.raises(ValueError, match="not the address of a Redis") as caught:
        client_for(f"redis+sentinel://{rest}", 0.05)
    assert SECRET not in str(caught.value)


def test_a_missing_master_is_told_without_the_insides_of_redis_py() -> None:
    client = client_for("redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster", 0.05)
    with pytest.raises(MasterNotFoundError) as caught:
        client.ping()
    assert "Connection" in str(caught.value)
    assert reason(caught.value, client) == "MasterNotFoundError: No master found for 'mymaster'"
