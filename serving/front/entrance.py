"""Who is let in, by the head of a request alone or the fields of its form; nothing is decoded."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from serving.dialects.dialect import Turn
from serving.door.admission import Admission, Admitted
from serving.door.call import parse_call
from serving.door.fields import Pairs, row_of
from serving.door.request import Request
from serving.errors import ServiceStopping
from serving.front.exchange import Exchange, too_large
from serving.front.token import TokenFile
from serving.health.vitals import Vitals
from serving.protocol import KEY_HEADER, TASK_HEADER

_BODY: Final[Pairs] = (("body", b""),)


class Entrance:
    """Decides who goes on.

    Args:
        admission: who may ask what, and how much.
        vitals: whether there is still a device.
        most_bytes: that a body may have.
        token: that callers must show; None if they need none.
    """

    def __init__(
        self, admission: Admission, vitals: Vitals, most_bytes: int, token: TokenFile | None = None
    ) -> None:
        self._admission = admission
        self._vitals = vitals
        self._most_bytes = most_bytes
        self._token = token

    def check_token(self, exchange: Exchange) -> None:
        """Let a caller of the service pass.

        Raises:
            BadToken: it has no token, or another one.
        """
        if self._token is not None:
            self._token.check(exchange.header("authorization"))

    def check_unread(self, exchange: Exchange) -> None:
        """Let a form or JSON come in, whose tasks are in its body.

        Raises:
            BadKey: it has no tenant's key.
            ServiceStopping: the device is lost.
            ImageTooLarge: it is longer than any may be.
        """
        self._admission.check_key(exchange.header(KEY_HEADER))
        self.check_head(exchange)

    def check_head(self, exchange: Exchange) -> None:
        """Let a request go on, as far as its head says.

        Raises:
            ServiceStopping: the device is lost.
            ImageTooLarge: its body is longer than any may be.
        """
        if self._vitals.is_ending:
            raise ServiceStopping("the service is stopping; ask again in a moment")
        if exchange.promised_bytes > self._most_bytes:
            raise too_large(self._most_bytes)

    async def admit(
        self, exchange: Exchange, turn: Turn, fields: Pairs = _BODY
    ) -> tuple[Admitted | Exception, Sequence[bytes]]:
        """Return what becomes of a request, and the images among its fields.

        Args:
            exchange: its head.
            turn: what its contract makes of that.
            fields: of its body; of one that is an image, and has not come, its name.
        """
        request: Request | Exception
        images: Sequence[bytes] = ()
        try:
            self.check_head(exchange)
            row = row_of([*turn.head(exchange.query()), *fields])
            request, images = parse_call(row, exchange.header(TASK_HEADER))
        except Exception as error:  # told to holders of a good key alone
            request = error
        return await self._admitted(request, exchange.header(KEY_HEADER)), images

    async def _admitted(
        self, request: Request | Exception, key: str | None
    ) -> Admitted | Exception:
        asked = partial(self._admission.admit, [request], [key])
        (row,) = await asyncio.to_thread(asked) if self._admission.may_wait else asked()
        return row
