"""What a signature says: this version is an adapter of this task. One text for each version.

An in-toto Statement, version 1, without a predicate: the signer vouches for its one subject.

```json
{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"pets","digest":{"sha256":"…"}}],
"predicateType":"urn:x-spt-serving:adapter:1"}
```

It stands on one line, without spaces and in this order. So a verifier never has to understand a
statement: it makes its own and compares.
"""

import json
from typing import Final

from adapters.artifact.codec import short
from adapters.shown import shown

TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:x-spt-serving:adapter:1"


def statement(task: str, version: str) -> bytes:
    """Return the statement of a version: the same bytes whoever makes it.

    Args:
        task: its id.
        version: all 64 hex digits.
    """
    fields = {
        "_type": TYPE,
        "subject": [{"name": task, "digest": {"sha256": version}}],
        "predicateType": PREDICATE_TYPE,
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def subject_of(payload: bytes) -> str:
    """Return in a few words what a statement is about; it may be anything."""
    try:
        subject = json.loads(payload)["subject"][0]
        return shown(f"{str(subject['name'])[:64]} {short(str(subject['digest']['sha256']))}")
    except (ValueError, LookupError, TypeError, RecursionError):
        return "something else"
