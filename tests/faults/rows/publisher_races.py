"""Two publishers who expect what both have seen: exactly one of them wins, each time."""

from pathlib import Path

from adapters.store.audit import audit
from adapters.store.directory import DirectoryStore
from tests.fakes.artifacts import make_artifact
from tests.fakes.races import lost_updates, race
from tests.faults.row import Row
from tests.faults.sizes import Sizes


def run(folder: Path, sizes: Sizes) -> Row:
    """Let them race; then read the store back."""
    store = DirectoryStore(folder / "store")
    store.publish(make_artifact(seed=0))
    rounds = race(store.root, sizes.races)
    winners = [one.wins[0].version for one in rounds if one.wins]
    history = [entry.version for entry in store.history("pets")]
    must_be_0 = {
        "lost updates": len(lost_updates(rounds)),
        "changes that the store did not count": sizes.races + 1 - store.current("pets").sequence,
        "differences between history and winners": sum(
            one != other for one, other in zip(reversed(history), reversed(winners), strict=False)
        ),
        "damaged files": sum(finding.damage is not None for finding in audit(store)),
    }
    return Row(
        fault=f"two publishers race {sizes.races:,} times, each expecting what both saw",
        goal="0 lost updates",
        figure=f"{len(rounds):,} rounds, {len(winners):,} with one winner: "
        f"{must_be_0['lost updates']} lost updates",
        must_be_0=must_be_0,
        conditions={"rounds": sizes.races, "publishers": 2, "processes": 2},
    )
