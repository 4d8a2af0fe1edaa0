"""What became of a task's classes from one version to the next.

A client that stored label indices, or matches labels by name, is broken by such changes.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from adapters.shown import shown


class Renamed(BaseModel):
    """A place whose name is another one; neither name is among the other version's classes."""

    model_config = ConfigDict(frozen=True)

    index: int
    before: str
    after: str


class Moved(BaseModel):
    """A name whose place is another one."""

    model_config = ConfigDict(frozen=True)

    name: str
    before: int
    after: int


class ClassChanges(BaseModel):
    """Every class that is not what and where it was; together with one version, the other."""

    model_config = ConfigDict(frozen=True)

    removed: tuple[str, ...]
    added: tuple[str, ...]
    renamed: tuple[Renamed, ...]
    moved: tuple[Moved, ...]

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.removed or self.added or self.renamed or self.moved)

    def described(self, most: int = 5) -> str:
        """Return the changes in words, `most` names of each kind."""
        kinds = {
            "removed": self.removed,
            "added": self.added,
            "renamed": [f"{one.index} {one.before} -> {one.after}" for one in self.renamed],
            "moved": [f"{one.name} {one.before} -> {one.after}" for one in self.moved],
        }
        return "; ".join(_listed(kind, found, most) for kind, found in kinds.items() if found)


def class_changes(before: Sequence[str], after: Sequence[str]) -> ClassChanges:
    """Compare the class names of two versions, each in label order and without repetitions.

    A class of another name at the same place is renamed, unless either name is somewhere else
    in the other version.
    """
    old = {name: index for index, name in enumerate(before)}
    new = {name: index for index, name in enumerate(after)}
    renamed = tuple(
        Renamed(index=index, before=one, after=other)
        for index, (one, other) in enumerate(zip(before, after, strict=False))
        if one not in new and other not in old
    )
    gone, come = {one.before for one in renamed}, {one.after for one in renamed}
    return ClassChanges(
        removed=tuple(name for name in before if name not in new and name not in gone),
        added=tuple(name for name in after if name not in old and name not in come),
        renamed=renamed,
        moved=tuple(
            Moved(name=name, before=old[name], after=index)
            for name, index in new.items()
            if name in old and old[name] != index
        ),
    )


def _listed(kind: str, found: Sequence[str], most: int) -> str:
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return f"{len(found)} {kind}: {', '.join(map(shown, found[:most]))}{more}"
