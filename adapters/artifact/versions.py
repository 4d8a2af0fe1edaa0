"""Versions as people give them: the first digits stand for the one version that begins so."""

from collections.abc import Iterable

from adapters.artifact.codec import short
from adapters.errors import VersionNotFound

MIN_PREFIX = 6
"""Fewest hex digits that may stand for a version."""


def pick_version(task: str, text: str, versions: Iterable[str]) -> str:
    """Return the one version that begins with `text`, in either case.

    Raises:
        VersionNotFound: fewer than `MIN_PREFIX` digits, no version begins so, or several do.
    """
    if len(text) < MIN_PREFIX:
        raise VersionNotFound(
            f"{task}: {text!r} is too short for a version; give {MIN_PREFIX} hex digits or more"
        )
    found = [version for version in versions if version.startswith(text.lower())]
    if len(found) == 1:
        return found[0]
    matches = ", ".join(short(version) for version in found[:3])
    found_text = f"{len(found)} versions begin so ({matches})" if found else "no version does"
    raise VersionNotFound(
        f"{task}: expected {text[:80]!r} to begin one version, {found_text}; "
        f"'spt show {task}' lists them"
    )
