"""What we know about a public task whose images we may not ship."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["fgvc", "vtab-natural", "vtab-specialized", "vtab-structured", "large"]


@dataclass(frozen=True)
class Archive:
    """One file of a task's official download.

    Attributes:
        url: where it is; the last part is the file's name.
        megabytes: its size, roughly (10⁶ bytes).
        md5: as its publisher gives it; None where no digest is published.
    """

    url: str
    megabytes: int
    md5: str | None = None

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class PublicTask:
    """One public task: its facts, and what to tell somebody whose folder for it is empty.

    Attributes:
        title: what people call it.
        group: the table of the paper that it belongs to.
        num_classes: as in Table S1.
        sizes: images in train, validation and test: Table S1; for `large` tasks, which it lacks,
            the official training list divided by our 90/10 split, and the official validation
            list as test.
        files: what its folder holds.
        source: where that is to be had.
        terms: what its publisher asks of users, where it is known.
        archives: the official files, where they need neither account nor form; else empty.
        unpacked: the folder that the official archive unpacks to, below the task's own.
        missing_classes_ok: the official training list has no image of some classes.
    """

    title: str
    group: Group
    num_classes: int
    sizes: tuple[int, int, int]
    files: str
    source: str
    terms: str = ""
    archives: tuple[Archive, ...] = ()
    unpacked: str = ""
    missing_classes_ok: bool = False
