"""Each artifact of a fleet is published as it comes, signed if there is a key."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.artifact.codec import version_of
from adapters.cache.cached_store import CachedStore
from adapters.cache.publishing import publish
from adapters.trust.envelope import sign
from adapters.trust.statement import statement


@dataclass(frozen=True)
class StorePublisher:
    """Publishes to one store.

    Attributes:
        opened: the store.
        folder: where it lies.
        key: signs; None for no signature.
    """

    opened: CachedStore
    folder: Path
    key: Ed25519PrivateKey | None = None

    @property
    def store(self) -> str:
        """Where to, as it is written down."""
        return str(self.folder.resolve())

    def publish(self, task: str, artifact: bytes) -> str:
        """Publish; return what is to be said of it, in one line."""
        envelope = None
        if self.key is not None:
            envelope = sign(statement(task, version_of(artifact)), self.key)
        _, compared = publish(self.opened, artifact, envelope=envelope)
        warning = compared.warning(task)
        return "published" + (f"; {warning}" if warning else "")
