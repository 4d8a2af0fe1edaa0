"""Where artifacts are read, and a reader that refuses those no trusted key has signed.

Knows nothing of tensors, nor of where the bytes lie.
"""

from typing import Protocol, runtime_checkable

from adapters.artifact.signature import Verifier
from adapters.errors import SignatureInvalid


@runtime_checkable
class ArtifactSource(Protocol):
    """Where artifacts are read: a CachedStore, or a SignedSource in front of one."""

    def read(self, task: str, version: str) -> bytes:
        """Return the artifact's bytes, or raise an SptError."""


class SignedSource:
    """Reads from another source, and checks what it reads.

    Args:
        source: where artifacts are read.
        verifier: knows whom to trust.
    """

    def __init__(self, source: ArtifactSource, verifier: Verifier) -> None:
        self._source = source
        self._verifier = verifier

    def read(self, task: str, version: str) -> bytes:
        """Return the bytes of one version.

        Raises:
            SignatureInvalid: no trusted key has signed them, or signed them for another task.
            SptError: the source has not got them, or not whole.
        """
        data = self._source.read(task, version)
        signed = self._verifier.check(data)
        if signed != task:
            raise SignatureInvalid(
                f"version {version} is in the store as an adapter of {task}, and was signed as one "
                f"of {signed}; somebody moved it: remove it and publish {task} again"
            )
        return data
