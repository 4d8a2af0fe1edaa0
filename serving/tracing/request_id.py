"""The id of a request: the caller's, if it is fit for headers and logs, or a new one."""

import re
from typing import Final
from uuid import uuid4

_FIT: Final = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""What UUIDs, base64 and the ids of balancers are made of; no spaces, quotes or line breaks."""


def checked_id(text: str | None) -> str | None:
    """Return an id of 1 to 128 characters that are fit for headers and logs; None if it is none."""
    return text if text is not None and _FIT.fullmatch(text) else None


def new_id() -> str:
    """Return an id that no other request has."""
    return str(uuid4())
