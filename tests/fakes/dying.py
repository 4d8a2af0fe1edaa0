"""A process that kills itself at one of its messages: each is another step of its work."""

import os
import signal

from serving.runtime.link import Link


def die_at(step: int) -> None:
    """Kill this process before it sends or after it has received its message number `step`."""
    left = [step]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    send, receive = Link.send, Link.receive

    def sending(link: Link, message: bytes) -> None:
        count()
        send(link, message)

    def receiving(link: Link) -> bytes:
        message = receive(link)
        count()
        return message

    Link.send, Link.receive = sending, receiving
