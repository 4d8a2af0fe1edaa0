"""Where artifacts are read, and a reader that refuses those no trusted key has signed.

Knows nothing of tensors, nor of where the bytes lie.
"""

from collections.abc import Callable
from functools import cache
from typing import Final, Protocol, runtime_checkable

from adapters.artifact.codec import decode_meta, short, version_of
from adapters.artifact.meta import AdapterMeta
from adapters.errors import ArtifactCorrupt
from adapters.trust.policy import Trust

_MAX_VOUCHED: Final = 10_000
"""Of how many versions it is remembered that they are signed."""


@runtime_checkable
class ArtifactSource(Protocol):
    """Where artifacts are read: a CachedStore, or a SignedSource in front of one."""

    def read(self, task: str, version: str) -> bytes:
        """Return the artifact's bytes, or raise an SptError."""
        ...

    def describe(self, task: str, version: str) -> AdapterMeta:
        """Return what an artifact says of itself, or raise an SptError."""
        return decode_meta(self.read(task, version))


class EnvelopeSource(ArtifactSource, Protocol):
    """Where signatures are read, too."""

    def envelope(self, task: str, version: str) -> bytes | None:
        """Return the signatures next to an artifact, None if it has none, or raise an SptError."""


class SignedSource(ArtifactSource):
    """Reads from another source what trusted keys have signed; safe for many threads.

    Whatever the source gives, its bytes are parsed only if their sha256 is the version that a
    trusted key has signed for this task. Signatures inside artifacts have to be parsed to be
    checked; that happens only for keys that may still be used so, where no other signature counts.

    Args:
        source: where artifacts and signatures are read.
        trust: knows whom to trust.
    """

    def __init__(self, source: EnvelopeSource, trust: Trust) -> None:
        self._source = source
        self._trust = trust
        # what is signed stays signed: keys do not change while a service runs
        self._vouched: dict[tuple[str, str], None] = {}

    def read(self, task: str, version: str) -> bytes:
        """Return the bytes of one version.

        Raises:
            SignatureInvalid: no trusted key has signed it for this task.
            SptError: the source has not got it, or not whole.
        """
        read = cache(lambda: self._whole(task, version))
        if (task, version) not in self._vouched:
            self._check(task, version, read)
        return read()

    def _check(self, task: str, version: str, read: Callable[[], bytes]) -> None:
        envelope = self._source.envelope(task, version)
        self._trust.check(task, version, envelope, read)
        if len(self._vouched) >= _MAX_VOUCHED:
            self._vouched.clear()
        self._vouched[task, version] = None

    def _whole(self, task: str, version: str) -> bytes:
        data = self._source.read(task, version)
        found = version_of(data)
        if found != version:
            raise ArtifactCorrupt(
                f"{task}: expected the bytes of version {short(version)}, found those of "
                f"{short(found)}; publish the artifact again"
            )
        return data
