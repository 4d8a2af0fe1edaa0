"""Whom to trust for what, and whether a version is signed by them.

What is checked: the version and the task that it is asked for, in the statement that a trusted key
has signed. That needs no byte of the artifact, so whoever reads the bytes afterwards, and finds
that their sha256 is the version, knows them before they are parsed. A signature inside the artifact
(`adapters.trust.embedded`) is looked at last, where its key may still be used so.

It is not said that a version is the newest: who can write to a store can still bring back an old
signed one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.artifact.codec import read_contents, short
from adapters.artifact.task import matches_any
from adapters.errors import SignatureInvalid
from adapters.shown import shown
from adapters.trust import embedded
from adapters.trust.envelope import PAYLOAD_TYPE, Envelope, key_id, parse_envelope
from adapters.trust.statement import statement, subject_of

_MAX_NAMED: Final = 5


@dataclass(frozen=True)
class TrustedKey:
    """A key, and what its word is good for.

    Attributes:
        key: whoever holds its private half is trusted.
        tasks: patterns of their ids, of which '*' stands for any characters.
        embedded: whether its signatures inside artifacts count, too.
    """

    key: Ed25519PublicKey
    tasks: tuple[str, ...] = ("*",)
    embedded: bool = True


class Signers(NamedTuple):
    """Who has signed a version, as was checked.

    Attributes:
        keys: ids of trusted keys, one or more, sorted.
        are_embedded: whether it is inside the artifact alone that they have.
    """

    keys: tuple[str, ...]
    are_embedded: bool


class Trust:
    """Refuses versions that no trusted key has signed for their task; safe for many threads.

    Args:
        keys: a key may be there several times, for tasks of several kinds.
    """

    def __init__(self, keys: Iterable[TrustedKey]) -> None:
        self._keys = tuple((key_id(one.key), one) for one in keys)

    def check(
        self, task: str, version: str, envelope: bytes | None, read: Callable[[], bytes]
    ) -> Signers:
        """Return which trusted keys have signed a version for a task.

        Args:
            task: its id.
            version: all 64 hex digits.
            envelope: what lies next to the version, None for nothing.
            read: returns the version's bytes; called only where nothing else is left to look at.

        Raises:
            SignatureInvalid: none has, and why not.
            SptError: as `read`, or what it returns is not whole.
        """
        try:
            return Signers(self._check_envelope(task, version, envelope), False)
        except SignatureInvalid:
            keys = self._keys_of(task, embedded=True)
            found = self._embedded_signer(task, read(), keys) if keys else None
            if found is None:
                raise
            return Signers((found,), True)

    def _check_envelope(self, task: str, version: str, envelope: bytes | None) -> tuple[str, ...]:
        keys, name = self._keys_of(task), f"{task} {short(version)}"
        if not keys:
            raise SignatureInvalid(
                f"{task}: no key is trusted for this task ({self._known()}); trust one for it"
            )
        expected = f"expected a signature by a key that is trusted for it ({', '.join(keys)})"
        way_out = (
            f"'spt sign {task} --version {short(version)} --key KEY' adds one, and "
            "'spt sign FILE --key KEY' does so before it is published"
        )
        if envelope is None:
            raise SignatureInvalid(f"{name}: {expected}, found none; {way_out}")
        found = check_subject(parse_envelope(envelope, f"signatures of {name}"), task, version)
        signers = found.signers(keys)
        if not signers:
            named = ", ".join(self._described(one, keys) for one in found.key_ids[:_MAX_NAMED])
            raise SignatureInvalid(f"{name}: {expected}, found {named or 'none'}; {way_out}")
        return tuple(sorted(signers))

    def _embedded_signer(
        self, task: str, data: bytes, keys: Mapping[str, Ed25519PublicKey]
    ) -> str | None:
        contents = read_contents(data)
        found = embedded.signer(contents, keys)
        if found is not None and contents.meta.task.id != task:
            raise SignatureInvalid(
                f"expected an artifact of {task}, found one that was signed as an adapter of "
                f"{contents.meta.task.id}; somebody moved it: remove it and publish {task} again"
            )
        return found

    def _keys_of(self, task: str, *, embedded: bool = False) -> dict[str, Ed25519PublicKey]:
        return {
            name: one.key
            for name, one in self._keys
            if matches_any(task, one.tasks) and (one.embedded or not embedded)
        }

    def _described(self, claimed: str, keys: Mapping[str, Ed25519PublicKey]) -> str:
        """Say of the key that a signature names why it did not count."""
        tasks = [task for name, one in self._keys if name == claimed for task in one.tasks]
        if claimed in keys:
            return f"one that names {claimed} and is not its signature"
        if tasks:
            return f"one of {claimed}, which is trusted for {', '.join(tasks)} alone"
        return f"one of {shown(claimed[:16]) or 'an unnamed key'}, which is not trusted"

    def _known(self) -> str:
        listed = (f"{name} is for {', '.join(one.tasks)}" for name, one in self._keys)
        return "; ".join(listed) or "no key is trusted at all"


def check_subject(envelope: Envelope, task: str, version: str) -> Envelope:
    """Return an envelope that is about this version of this task.

    Raises:
        SignatureInvalid: it is about something else.
    """
    if (envelope.payload_type, envelope.payload) == (PAYLOAD_TYPE, statement(task, version)):
        return envelope
    raise SignatureInvalid(
        f"{task} {short(version)}: expected signatures of this version, found those of "
        f"{subject_of(envelope.payload)}; delete them and sign it again"
    )
