"""A listening socket that lets nobody new in, while those who have come are still accepted."""

import ctypes
import socket
import struct
import time
from typing import Final

_SO_ATTACH_FILTER: Final = 26
_RETURN_CONSTANT: Final = 6
_ACCEPT_S: Final = 0.05


def turn_away(listening: socket.socket) -> None:
    """Have the kernel drop what newcomers send, and wait until the others have been accepted.

    A connection that is made but not yet accepted is reset with its listening socket; so first
    nobody new completes a connection, then the queue is worked off, and only then may the socket
    be closed. What is set on a copy of a socket holds for the original.

    Raises:
        OSError: this system has no such filters.
    """
    # of one instruction: keep 0 bytes of every packet
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", _RETURN_CONSTANT, 0, 0, 0))
    program = struct.pack("HL", 1, ctypes.addressof(instruction))
    listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    time.sleep(_ACCEPT_S)
