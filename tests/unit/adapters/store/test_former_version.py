"""What is said of the version that a publish took the place of."""

from pathlib import Path

from adapters.store.directory import DirectoryStore
from adapters.store.former_version import Comparison, compare_with_former
from adapters.vit.adapter import encode
from tests.fakes.artifacts import make_adapter, make_spec
from tests.fakes.targets import SEVERAL, with_meta


def test_a_version_of_another_target_is_warned_of(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    plain = make_adapter("several", classes=4, backbone=make_spec())
    several = with_meta(plain, target=SEVERAL, schema_version=2)

    def publish(data: bytes) -> Comparison:
        return compare_with_former(store, data, store.publish(data))

    assert publish(encode(plain)).warning("several") is None
    warning = publish(encode(several)).warning("several") or ""
    assert warning.startswith("warning: several: its target is multi-label, that of ")
    assert warning.endswith(" is single-label")
    again = make_adapter("several", classes=4, backbone=make_spec(), seed=1)
    after = with_meta(again, target=SEVERAL, schema_version=2)
    assert publish(encode(after)).warning("several") is None
