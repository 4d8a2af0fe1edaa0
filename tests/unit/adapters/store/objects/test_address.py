from pathlib import Path

import pytest

from adapters.errors import StoreUnavailable
from adapters.store.directory import DirectoryStore
from adapters.store.objects.address import Address, read_address
from adapters.store.objects.opened import store_at
from adapters.store.objects.store import ObjectStore

WHOLE = "s3://models/spt/store?endpoint=http://127.0.0.1:9000&region=eu&cache=/var/spt&cache_mib=9"


@pytest.mark.parametrize("place", [WHOLE, Path(WHOLE)])
def test_an_address_is_read_as_text_and_as_a_path(place: str | Path) -> None:
    found = Address("models", "spt/store", "http://127.0.0.1:9000", "eu", Path("/var/spt"), 9)
    assert read_address(place) == found
    assert found.name == "s3://models/spt/store"


def test_a_bucket_alone_is_an_address() -> None:
    assert read_address("s3://models") == Address("models", "")
    assert read_address("s3://models/").name == "s3://models"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("s3://", "name of a bucket"),
        ("s3://UPPER/x", "name of a bucket"),
        ("s3://models/a b", "in the prefix"),
        ("s3://models/..", "in the prefix"),
        ("s3://models?secret=hidden", "found secret; keys are read from AWS_ACCESS_KEY_ID"),
        ("s3://models?cache_mib=0", "cache_mib"),
        ("s3://models?endpoint=ftp://host", "as endpoint"),
        ("s3://models?endpoint=http://me:hidden@host", "as endpoint"),
    ],
)
def test_a_wrong_address_says_what_is_wrong_and_repeats_no_secret(
    place: str, expected: str
) -> None:
    with pytest.raises(StoreUnavailable, match=expected) as caught:
        read_address(place)
    assert "hidden" not in str(caught.value)


def test_a_place_is_a_folder_or_a_bucket(tmp_path: Path) -> None:
    assert isinstance(store_at(tmp_path), DirectoryStore)
    assert isinstance(store_at(Path(WHOLE)), ObjectStore)


def test_a_server_that_is_not_there_is_named_soon() -> None:
    store = store_at(Path("s3://models/store?endpoint=http://127.0.0.1:9"))
    with pytest.raises(StoreUnavailable, match=r"s3://models/store: .*cannot be reached"):
        store.current("pets")
