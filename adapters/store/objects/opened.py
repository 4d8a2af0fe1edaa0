"""A store by its place: a folder, or the address of a bucket."""

from pathlib import Path

from adapters.errors import StoreUnavailable
from adapters.store.directory import DirectoryStore, Store
from adapters.store.objects.address import is_address, read_address
from adapters.store.objects.disk_cache import DiskCache
from adapters.store.objects.files import ObjectFiles
from adapters.store.objects.store import ObjectStore


def store_at(place: Path, *, for_service: bool = False) -> Store:
    """Return the store in a folder or a bucket; nothing is asked of it yet.

    Args:
        place: a folder, or the address of a bucket.
        for_service: keep what is read in the folder that the address names, if it names one.

    Raises:
        StoreUnavailable: the address is wrong, or what it needs is not installed.
    """
    if not is_address(place):
        return DirectoryStore(place)
    address = read_address(place)
    try:
        from adapters.store.objects.bucket import open_bucket  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise StoreUnavailable(
            f"store {address.name}: a store in a bucket needs obstore; "
            "pip install 'spt-serving[scale]'"
        ) from error
    is_kept = for_service and address.cache is not None
    cache = DiskCache(address.cache, address.cache_mib << 20) if is_kept and address.cache else None
    return ObjectStore(ObjectFiles(open_bucket(address), cache))
