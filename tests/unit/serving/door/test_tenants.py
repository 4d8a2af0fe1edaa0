"""Who holds a key, and what is his."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.door import tenants
from serving.door.tenants import Tenant, TenantList, digest_of, make_key, parse_tenants
from serving.errors import ConfigError

PATH = Path("/srv/tenants.json")


def entry(name: str = "team-a", **changes: Any) -> dict[str, Any]:
    fields = {
        "name": name,
        "keys": [digest_of(f"key of {name}")],
        "tasks": ["pets"],
        "requests_per_s": 50,
        "burst": 100,
    }
    return fields | changes


def parsed(*entries: Any) -> TenantList:
    return parse_tenants(json.dumps({"tenants": entries}).encode(), PATH)


def test_a_key_is_32_random_bytes_and_its_digest_is_a_plain_sha256() -> None:
    made = {make_key() for _ in range(100)}
    assert len(made) == 100
    for key, digest in made:
        assert len(key) == 43
        assert key.isascii()
        assert digest == f"sha256:{hashlib.sha256(key.encode()).hexdigest()}" == digest_of(key)


def test_a_key_opens_its_own_tenant_and_no_other() -> None:
    found = parsed(entry("team-a"), entry("team-b"))
    assert [tenant.name for tenant in found.tenants] == ["team-a", "team-b"]
    for tenant in found.tenants:
        assert found.holder_of(f"key of {tenant.name}") == tenant


@pytest.mark.parametrize(
    "key", ["", "key of team-c", "key of team-a ", digest_of("key of team-a"), "é", "\ud800", "\0"]
)
def test_any_other_text_opens_nothing(key: str) -> None:
    assert parsed(entry("team-a"), entry("team-b")).holder_of(key) is None


def test_several_keys_open_one_tenant_while_one_replaces_the_other() -> None:
    found = parsed(entry(keys=[digest_of("old"), digest_of("new")]))
    assert found.holder_of("old") == found.holder_of("new") == found.tenants[0]


def test_a_tenant_without_keys_is_locked_out() -> None:
    assert parsed(entry(keys=[])).holder_of("key of team-a") is None


def test_a_key_is_found_among_ten_thousand_as_fast_as_among_ten() -> None:
    found = parsed(*(entry(f"team-{i}") for i in range(10_000)))
    found.holder_of("key of team-0")
    began = time.process_time()
    for i in range(1000):
        assert found.holder_of(f"key of team-{i}") == found.tenants[i]
    assert time.process_time() - began < 0.5


def tenant_of(*tasks: str) -> Tenant:
    return parsed(entry(tasks=tasks)).tenants[0]


@pytest.mark.parametrize(
    ("patterns", "task", "may"),
    [
        (["cub200"], "cub200", True),
        (["cub200"], "cub2000", False),
        (["cub200"], "cub20", False),
        (["team-a-*"], "team-a-birds", True),
        (["team-a-*"], "team-a-", True),
        (["team-a-*"], "team-a", False),
        (["team-a-*"], "team-ab-birds", False),
        (["*-birds"], "team-a-birds", True),
        (["a*c"], "abc", True),
        (["a*c"], "abcd", False),
        (["*"], "anything", True),
        (["x", "y"], "y", True),
        ([], "cub200", False),
    ],
)
def test_a_pattern_means_what_it_says(patterns: list[str], task: str, may: bool) -> None:
    assert tenant_of(*patterns).may_ask(task) is may


@given(st.from_regex(r"[a-z0-9_-]{1,20}", fullmatch=True), st.text(max_size=20))
def test_a_task_id_matches_itself_and_nothing_else(task: str, other: str) -> None:
    tenant = tenant_of(task)
    assert tenant.may_ask(task)
    assert tenant.may_ask(other) is (other == task)


def test_a_pattern_of_many_stars_is_fast_on_the_longest_task() -> None:
    assert not tenant_of("*a" * 31).may_ask("a" * 30 + "b" * 34)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "Team A"}, "tenants.0.name"),
        ({"name": ""}, "tenants.0.name"),
        ({"name": "a/b"}, "tenants.0.name"),
        ({"keys": ["secret-key-itself"]}, "tenants.0.keys.0"),
        ({"keys": ["sha256:abc"]}, "tenants.0.keys.0"),
        ({"keys": ["sha256:" + "A" * 64]}, "tenants.0.keys.0"),
        ({"keys": "sha256:" + "a" * 64}, "tenants.0.keys"),
        ({"tasks": ["pets?"]}, "tenants.0.tasks.0"),
        ({"tasks": ["[a-z]"]}, "tenants.0.tasks.0"),
        ({"tasks": [""]}, "tenants.0.tasks.0"),
        ({"tasks": "pets"}, "tenants.0.tasks"),
        ({"requests_per_s": 0}, "tenants.0.requests_per_s"),
        ({"requests_per_s": -5}, "tenants.0.requests_per_s"),
        ({"requests_per_s": "many"}, "tenants.0.requests_per_s"),
        ({"burst": 0}, "tenants.0.burst"),
        ({"burst": 1.5}, "tenants.0.burst"),
        ({"admin": True}, "tenants.0.admin"),
    ],
)
def test_a_wrong_field_is_named_with_its_place_and_no_secret(
    change: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(entry(**change))
    assert str(caught.value).startswith(f"tenants {PATH}: {says}")
    assert "secret-key-itself" not in str(caught.value)


def test_a_missing_field_is_named() -> None:
    fields = entry()
    del fields["burst"]
    with pytest.raises(ConfigError, match=r"tenants\.0\.burst: Field required"):
        parsed(fields)


def test_no_more_than_five_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match="and 5 more"):
        parsed(*(entry(f"team-{i}", burst=0) for i in range(10)))


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([entry("a"), entry("a", keys=[])], "each name must be there once"),
        ([entry("a"), entry("b", keys=[digest_of("key of a")])], "each key must be there once"),
    ],
)
def test_names_and_keys_are_there_once(entries: list[Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parsed(*entries)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"tenant": []}'])
def test_what_is_no_file_of_tenants_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"tenants /srv/tenants\.json: "):
        parse_tenants(data, PATH)


def test_the_example_in_the_docstring_is_right() -> None:
    text = (tenants.__doc__ or "").split("```json")[1].split("```")[0]
    (tenant,) = parse_tenants(text.replace("sha256:…", digest_of("x")).encode(), PATH).tenants
    assert (tenant.name, tenant.tasks) == ("team-a", ("cub200", "team-a-*"))
