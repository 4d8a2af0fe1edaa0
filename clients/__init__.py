"""People and programs that ask the service over HTTP.

```python
from clients import Client

with Client("http://127.0.0.1:8080", token_file="runs/serve/inference.token") as client:
    print(client.predict("photo.jpg", task="digits"))
```

What is exported here is imported when it is first used, so that `spt --help` does not pay for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clients.client import AsyncClient, Client
    from clients.errors import (
        BadKey,
        BadRequest,
        BodyTooSlow,
        ClientError,
        Forbidden,
        ImageNotFetched,
        ImageTooLarge,
        NotReady,
        RateLimited,
        ServerFault,
        ServiceUnreachable,
        TaskNotFound,
        UnexpectedAnswer,
        VersionNotFound,
        WrongBackbone,
    )
    from serving.protocol import floats

__all__ = [
    "AsyncClient",
    "BadKey",
    "BadRequest",
    "BodyTooSlow",
    "Client",
    "ClientError",
    "Forbidden",
    "ImageNotFetched",
    "ImageTooLarge",
    "NotReady",
    "RateLimited",
    "ServerFault",
    "ServiceUnreachable",
    "TaskNotFound",
    "UnexpectedAnswer",
    "VersionNotFound",
    "WrongBackbone",
    "floats",
]

_HOMES = {
    "AsyncClient": "clients.client",
    "Client": "clients.client",
    "floats": "serving.protocol",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "clients.errors")), name)
