"""Routes that tell of the service itself, and ask nobody who comes for anything."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.health.probes import Page


def page_route(path: str, page: Page) -> Route:
    """Return a route that shows a page; a thread makes it."""

    async def show(_: Request) -> Response:
        try:
            text = await asyncio.to_thread(page.text)
        except OSError:  # what it is made of is gone: the service is stopping
            return Response(status_code=503)
        return Response(text, headers={"content-type": page.content_type})

    return Route(path, show, methods=["GET"])
