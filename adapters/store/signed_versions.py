"""Signatures next to the versions of a store: kept, added to, and asked for.

A signature never changes its version, so any number of keys may sign one, before and after it is
published.
"""

from adapters.store.files import StoreFiles
from adapters.store.reader import StoreReader
from adapters.trust.envelope import MAX_BYTES, Envelope, parse_envelope
from adapters.trust.policy import Signers, Trust, check_subject


class SignedVersions(StoreReader):
    """A store whose versions can be signed.

    Args:
        files: where it keeps what.

    Attributes:
        trust: whose signature a version needs before this object makes it current, or the canary;
            None for nobody's.
    """

    def __init__(self, files: StoreFiles) -> None:
        super().__init__(files)
        self.trust: Trust | None = None

    def check_trusted(self, task: str, version: str) -> Signers | None:
        """Return who of those whom this store trusts has signed a version; None if it asks nobody.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            SignatureInvalid: none of them has.
        """
        if self.trust is None:
            return None
        envelope = self.envelope(task, version)
        return self.trust.check(task, version, envelope, lambda: self.read(task, version))

    def add_signatures(self, task: str, version: str, envelope: Envelope) -> Envelope:
        """Keep signatures of a version, next to those that it has, and return them all.

        Raises:
            TaskNotFound, VersionNotFound: there is no such version.
            SignatureInvalid: they are about something else, or what is there is no envelope.
        """
        self.files.require(task)
        with self.files.writing(task):
            found = self._joined(task, version, self.envelope(task, version), envelope)
            self._write_envelope(task, version, found)
        return found

    def _checked_envelope(
        self, task: str, version: str, data: bytes, added: Envelope | None
    ) -> Envelope | None:
        """Return the signatures to write with a version that is about to answer, if there are any.

        Args:
            task: its id.
            version: there already, or not yet.
            data: its bytes.
            added: signatures next to those that it has.

        Raises:
            SignatureInvalid: they are about something else, or whom this store trusts is not among
                those who have signed.
        """
        held = self.files.read_envelope(task, version, MAX_BYTES + 1)
        found = None if added is None else self._joined(task, version, held, added)
        if self.trust is not None:
            signed = held if found is None else found.to_json()
            self.trust.check(task, version, signed, lambda: data)
        return found

    def _write_envelope(self, task: str, version: str, envelope: Envelope) -> None:
        self.files.write_envelope(task, version, envelope.to_json())

    def _joined(self, task: str, version: str, held: bytes | None, added: Envelope) -> Envelope:
        added = check_subject(added, task, version)
        if held is None:
            return added
        found = parse_envelope(held, str(self.files.envelope(task, version)))
        return check_subject(found, task, version).joined_with(added)
