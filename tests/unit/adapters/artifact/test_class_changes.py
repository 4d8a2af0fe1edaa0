from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.artifact.changes import ClassChanges, Moved, Renamed, class_changes

names = st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True)


def test_the_same_classes_have_not_changed() -> None:
    assert not class_changes(("cat", "dog"), ("cat", "dog"))


def test_another_name_at_the_same_place_is_renamed() -> None:
    changes = class_changes(("cat", "dgo", "cow"), ("cat", "dog", "cow"))
    assert changes.renamed == (Renamed(index=1, before="dgo", after="dog"),)
    assert changes.described() == "1 renamed: 1 dgo -> dog"


def test_a_removed_class_moves_those_behind_it() -> None:
    changes = class_changes(("cat", "dog", "cow"), ("cat", "cow"))
    assert changes.removed == ("dog",)
    assert changes.moved == (Moved(name="cow", before=2, after=1),)
    assert changes.renamed == changes.added == ()


def test_a_new_class_at_the_end_is_added_and_nothing_else() -> None:
    changes = class_changes(("cat", "dog"), ("cat", "dog", "cow"))
    assert changes == ClassChanges(removed=(), added=("cow",), renamed=(), moved=())
    assert changes


def test_many_changes_are_counted_and_some_are_named() -> None:
    changes = class_changes([f"old-{i}" for i in range(9)], ["new"])
    assert changes.described(most=2) == (
        "8 removed: old-1, old-2 and 6 more; 1 renamed: 0 old-0 -> new"
    )


@settings(deadline=None)
@given(names, names)
def test_the_changes_lead_from_one_version_to_the_other(before: list[str], after: list[str]):
    changes = class_changes(before, after)
    places = {name: index for index, name in enumerate(before) if name not in changes.removed}
    for renamed in changes.renamed:
        assert places.pop(renamed.before) == renamed.index
        places[renamed.after] = renamed.index
    for moved in changes.moved:
        assert before.index(moved.name) == moved.before != moved.after
        places[moved.name] = moved.after
    free = [index for index in range(len(after)) if index not in places.values()]
    places |= dict(zip(changes.added, free, strict=True))
    assert sorted(places, key=places.__getitem__) == after


@settings(deadline=None)
@given(names)
def test_a_reordering_is_only_moves(before: list[str]) -> None:
    changes = class_changes(before, before[::-1])
    assert changes.removed == changes.added == changes.renamed == ()
    assert len(changes.moved) == len(before) - len(before) % 2
