"""One end of a socket between two processes of ours: messages with their lengths, and a file.

Knows nothing of what the messages say.
"""

import socket
import struct
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from serving.runtime.place import address_in

MAX_BYTES: Final = 1 << 26
"""Of one message: answers of a full batch with all their logits are some fifty megabytes."""

_LENGTH: Final = struct.Struct("!I")


class Link:
    """A connected socket; many threads may send, one receives.

    Args:
        end: a stream socket of the Unix family.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._sending = Lock()

    @classmethod
    def to(cls, folder: Path) -> "Link":
        """Connect to the device process of a launch's folder.

        Raises:
            OSError: nobody listens there.
        """
        end = socket.socket(socket.AF_UNIX)
        try:
            with address_in(folder) as address:
                end.connect(address)
        except OSError:
            end.close()
            raise
        return cls(end)

    def send(self, message: bytes) -> None:
        """Send one message whole.

        Raises:
            OSError: the other end is gone.
        """
        with self._sending:
            self._end.sendall(_LENGTH.pack(len(message)) + message)

    def receive(self) -> bytes:
        """Wait for one message.

        Raises:
            EOFError: the other end is gone, or no end of ours.
            OSError: likewise.
        """
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        if length > MAX_BYTES:
            raise EOFError(f"a message of {length:,} bytes, expected {MAX_BYTES:,} at most")
        return self._read(length)

    def send_file(self, descriptor: int) -> None:
        """Give the other end a file of this process; nothing else may be sent meanwhile."""
        with self._sending:
            socket.send_fds(self._end, [b"f"], [descriptor])

    def receive_file(self) -> int:
        """Wait for a file; return its descriptor here.

        Raises:
            EOFError: the other end is gone, or sent none.
        """
        _, files, _, _ = socket.recv_fds(self._end, 1, 1)
        if len(files) != 1:
            raise EOFError("expected a file, found none")
        return files[0]

    def close(self) -> None:
        """End it, for both; who waits for a message gets an EOFError."""
        with suppress(OSError):  # the other end was first
            self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()

    def _read(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._end.recv(count - len(parts))
            if not part:
                raise EOFError("the other end is gone")
            parts += part
        return bytes(parts)
