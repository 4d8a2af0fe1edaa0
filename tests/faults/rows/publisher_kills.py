"""A publisher killed at every step of every change: the store is as it was or as it was to be."""

from pathlib import Path
from typing import Final

from adapters.store.directory import DirectoryStore
from tests.fakes.crashes import End, crashes
from tests.faults.row import Row
from tests.faults.sizes import Sizes
from tests.unit.adapters.store.test_store_crashes import CHANGES, an_hour_ago, state

_WORDS: Final = {
    End.KILLED: "killed",
    End.REFUSED: "refused by a full disk",
    End.TORN: "killed within a write",
}


def run(folder: Path, sizes: Sizes) -> Row:
    """Stop each change at each of its steps; look at what it leaves."""
    steps: dict[str, int] = {}
    neither = damaged = 0
    for end in sizes.ends:
        for name in sizes.stopped or CHANGES:
            found = _stop_everywhere(folder / end.name.lower() / name.replace(" ", "-"), name, end)
            steps[f"{name}, {_WORDS[end]}"] = len(found)
            neither += found.count("neither")
            damaged += found.count("damaged")
    total = sum(steps.values())
    must_be_0 = {"damaged stores": damaged, "neither the old state nor the new": neither}
    return Row(
        fault=f"a publisher that dies at each step of: {', '.join(sizes.stopped or CHANGES)}",
        goal="0 damaged stores: the old state or the new one each time",
        figure=f"{total:,} deaths, each at another step or in another way: {damaged} damaged "
        f"stores, {neither} in between",
        must_be_0=must_be_0,
        conditions={"steps": steps},
    )


def _stop_everywhere(folder: Path, name: str, end: End) -> list[str]:
    """Return what each death left: "old", "new", "neither" or "damaged"."""
    prepare, change = CHANGES[name]
    before = an_hour_ago(prepare, folder / "before")
    after = an_hour_ago(prepare, folder / "after")
    change(DirectoryStore(after.root))
    old, new = state(before), state(after)
    return [
        _left(DirectoryStore(crash.root), old, new)
        for crash in crashes(change, before.root, folder / "crashes", end)
    ]


def _left(store: DirectoryStore, old: object, new: object) -> str:
    try:
        found = state(store)
    except Exception:  # whatever it is, the store cannot be read
        return "damaged"
    return "old" if found == old else "new" if found == new else "neither"
