"""The header `traceparent` of W3C Trace Context: which span of which trace a call belongs to."""

import re
from typing import Final

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED: Final = 1


def parse_traceparent(text: str | None) -> str | None:
    """Return the header as version 00 writes it; None where it has to be ignored.

    A later version is read as far as 00 goes. Of the flags only the one for "sampled" is known.
    """
    found = _FORM.fullmatch(text or "")
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    is_known = version != "ff" and (version != "00" or more is None)
    if not is_known or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return f"00-{trace_id}-{span_id}-{int(flags, 16) & _SAMPLED:02x}"
