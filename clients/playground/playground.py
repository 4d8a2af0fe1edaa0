"""Which request of the page is for whom: a file, the service, or the store's commands.

What the service or a command refuses travels as 200, with the status in the body: of every status
above 399 a browser writes into its console that the page has an error.
"""

from collections.abc import Callable, Mapping
from typing import Final

from clients.playground.commands import StoreCommands
from clients.playground.files import page_files
from clients.playground.guard import Guard
from clients.playground.messages import JSON, Refused, Reply, Request, json_reply, only
from clients.playground.relay import Relay
from serving.protocol import TASK_PARAMETER

_NO_PARAMETERS: Final[frozenset[str]] = frozenset()


class Playground:
    """Answers the page's requests; safe for many threads.

    Args:
        relay: asks the service.
        guard: says who may ask.
        store: shows a task's history and changes what answers; None shows and changes nothing.
    """

    def __init__(self, relay: Relay, guard: Guard, store: StoreCommands | None = None) -> None:
        self._relay = relay
        self._guard = guard
        self._store = store
        self._files = page_files()
        self._routes: Mapping[tuple[str, str], Callable[[Request], Reply]] = {
            ("GET", "/api/state"): self._state,
            ("GET", "/api/tasks"): lambda asked: relay.tasks(dict(asked.query)),
            ("POST", "/api/predict"): lambda asked: relay.predict(dict(asked.query), asked.body),
            ("GET", "/api/about"): self._about,
            ("POST", "/api/change"): self._change,
        }

    def answer(self, request: Request) -> Reply:
        """Return the reply to any request."""
        try:
            self._guard.check(request)
            route = self._route(request)
        except Refused as refused:
            return json_reply(refused.body, refused.status)
        try:
            return route(request)
        except Refused as refused:
            return json_reply(refused.body)

    def _route(self, request: Request) -> Callable[[Request], Reply]:
        if request.method == "GET" and request.path in self._files:
            return lambda asked: self._files[asked.path]
        route = self._routes.get((request.method, request.path))
        if route is None:
            raise Refused(404, "no_route", f"there is no {request.method} {request.path[:80]}")
        return route

    def _state(self, request: Request) -> Reply:
        only(request.query, _NO_PARAMETERS)
        has_store = self._store is not None
        may_change = has_store and self._guard.may_change(request)
        told = {"service": self._relay.url, "has_store": has_store, "may_change": may_change}
        return json_reply(told)

    def _about(self, request: Request) -> Reply:
        query = only(request.query, frozenset({TASK_PARAMETER}))
        return json_reply(self._commands().about(query.get(TASK_PARAMETER, "")))

    def _change(self, request: Request) -> Reply:
        commands = self._commands()
        if not self._guard.may_change(request):
            raise Refused(
                403, "no_key", "a change needs the address that `spt playground` has printed"
            )
        if request.headers.get("content-type") != JSON:
            raise Refused(415, "bad_parameter", f"expected a body of {JSON}")
        return json_reply(commands.make(request.body))

    def _commands(self) -> StoreCommands:
        if self._store is None:
            raise Refused(
                404, "no_store", "this playground has no store; start it with --store FOLDER"
            )
        return self._store
