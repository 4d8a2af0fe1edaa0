"""Who may ask the playground: its own page in this machine's browser, and nobody else.

Another site's page can send requests to loopback from the same browser, and can give loopback a
name of its choice. `Host`, `Origin` and `Sec-Fetch-Site` tell such requests from those of our page.
A change needs a key, too, which is made at each start and is in the address that the command
prints. So nobody else with an account on this machine can make one.
"""

import secrets
from collections.abc import Mapping
from typing import Final

from clients.playground.messages import Refused, Request

KEY_HEADER: Final = "x-playground-key"

SAFE_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every reply: the page runs our files alone, and speaks to nobody but us."""


class Guard:
    """Lets our own page in.

    Args:
        port: where the playground listens.
    """

    def __init__(self, port: int) -> None:
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self.key = secrets.token_urlsafe(24)

    def check(self, request: Request) -> None:
        """Let a request pass.

        Raises:
            Refused: it is for another host's name, or another site's page sends it.
        """
        host = request.headers.get("host", "")
        if host not in self._hosts:
            raise Refused(
                403, "foreign_host", f"expected the host {sorted(self._hosts)[0]}, found {host!r}"
            )
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin")
        is_ours = origin == f"http://{host}" or (origin is None and request.method == "GET")
        if site not in {"same-origin", "none"} or not is_ours:
            raise Refused(
                403, "foreign_page", "expected a request of the playground's page, found another's"
            )

    def may_change(self, request: Request) -> bool:
        """Return whether a request shows the key."""
        shown = request.headers.get(KEY_HEADER, "")
        return secrets.compare_digest(shown.encode(), self.key.encode())
