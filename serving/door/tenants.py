"""Who may ask: tenants, their keys and their tasks, read from one JSON file.

```json
{"tenants": [{"name": "team-a", "keys": ["sha256:…"], "tasks": ["cub200", "team-a-*"],
              "requests_per_s": 50, "burst": 100}]}
```

The file holds digests, never keys. A key is 256 random bits, which nobody can guess from its
sha256 however fast they hash; the slow, salted hashes that passwords need would only cost us.
Knows nothing of HTTP.
"""

import hashlib
import secrets
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.artifact.task import TaskPattern, matches_any
from serving.errors import ConfigError

_KEY_BYTES: Final = 32
_MAX_REPORTED = 5


class Tenant(BaseModel):
    """Somebody who holds a key: which tasks are theirs, and how much they may ask."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="in the log, and where rates are counted"
    )
    keys: tuple[Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")], ...] = Field(
        description="digests of keys; several while one replaces another, none to lock them out"
    )
    tasks: tuple[TaskPattern, ...] = Field(description="task ids; '*' stands for any characters")
    requests_per_s: float = Field(gt=0, le=100_000, description="rows per second, on average")
    burst: int = Field(ge=1, le=1_000_000, description="rows at once after a pause")

    def may_ask(self, task: str) -> bool:
        """Return whether a task is theirs, whether or not it exists."""
        return matches_any(task, self.tasks)


class TenantList(BaseModel):
    """All tenants of a service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenants: tuple[Tenant, ...]

    @model_validator(mode="after")
    def _are_distinct(self) -> "TenantList":
        for what, values in (
            ("name", [tenant.name for tenant in self.tenants]),
            ("key", [key for tenant in self.tenants for key in tenant.keys]),
        ):
            twice = sorted(value for value, count in Counter(values).items() if count > 1)
            if twice:
                raise ValueError(f"each {what} must be there once, found twice: {twice[:3]}")
        return self

    def holder_of(self, key: str) -> Tenant | None:
        """Return whose key it is.

        Found by its digest, in a time that tells nothing: to choose what is looked up, one would
        have to turn sha256 around.
        """
        return self._holders.get(digest_of(key))

    @cached_property
    def _holders(self) -> dict[str, Tenant]:
        return {key: tenant for tenant in self.tenants for key in tenant.keys}


class NewKey(NamedTuple):
    """A key, to be told to its holder and kept nowhere else, and what stands in the file."""

    key: str
    digest: str


def make_key() -> NewKey:
    """Return a new key: 32 random bytes in base64url, 43 characters."""
    key = secrets.token_urlsafe(_KEY_BYTES)
    return NewKey(key, digest_of(key))


def digest_of(key: str) -> str:
    """Return what stands in the file for a key: `sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(key.encode(errors='replace')).hexdigest()}"


def parse_tenants(data: bytes, path: Path) -> TenantList:
    """Parse a file of tenants.

    Args:
        data: what the file holds.
        path: named in errors.

    Raises:
        ConfigError: naming each field that is missing, unknown or wrong.
    """
    try:
        return TenantList.model_validate_json(data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        shown = [
            f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}"
            for fault in faults[:_MAX_REPORTED]
        ]
        more = f" and {len(faults) - len(shown)} more" if len(faults) > len(shown) else ""
        raise ConfigError(
            f"tenants {path}: {'; '.join(shown)}{more}; see serving/door/tenants.py for an example"
        ) from error
