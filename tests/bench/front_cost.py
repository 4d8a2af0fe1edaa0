"""`python -m tests.bench.front_cost`: what the ASGI front itself costs per request.

The engine answers at once, so what is left is HTTP, admission, the body and the reply. Processor
time of the front's process alone, with four callers that keep their connections.
"""

import argparse
import http.client
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Sequence

import psutil
from uvicorn import Config, Server

from serving.door.admission import Admission
from serving.door.rate_limit import RateLimit
from serving.front.app import build_app
from serving.front.predict import Bounds
from serving.front.protocol import BoundedProtocol
from serving.health.heartbeat import Heartbeat
from serving.health.vitals import Vitals
from serving.protocol import Answer, LabelScore, TaskPage
from serving.rows.listing import Listing
from serving.rows.query import Outcome, Query

CALLERS = 4
WARM_UP = 200
LABEL = LabelScore(label="a label", index=0, score=1.0)


class NoEngine:
    """Answers at once, and always the same."""

    def predict(self, queries: Sequence[Query]) -> list[Outcome]:
        return [Answer(task=q.task, version="0" * 64, predictions=(LABEL,) * 5) for q in queries]

    def list_tasks(self, _: Listing) -> TaskPage:
        return TaskPage(tasks=())

    def close(self) -> None:
        pass


def serve(ear: socket.socket) -> None:
    """Serve the front until the process is ended."""
    vitals = Vitals(Heartbeat(None), lambda: None)
    app = build_app(
        NoEngine(), Admission(None, RateLimit()), vitals, Bounds(10_000_000, 1 << 30, 64)
    )
    Server(Config(app, http=BoundedProtocol, ws="none", access_log=False, log_level="warning")).run(
        [ear]
    )


def ask(port: int, requests: int, body: bytes) -> None:
    """Ask one request after the other over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(requests):
        connection.request("POST", "/spt/predict?task=pets", body)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--body-bytes", type=int, default=60_000)
    args = parser.parse_args()
    body = os.urandom(args.body_bytes)
    ear = socket.create_server(("127.0.0.1", 0))
    port = ear.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(ear,))
    process.start()
    ask(port, WARM_UP, body)
    front = psutil.Process(process.pid)
    before, began = front.cpu_times(), time.perf_counter()
    each = args.requests // CALLERS
    callers = [threading.Thread(target=ask, args=(port, each, body)) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    seconds, after = time.perf_counter() - began, front.cpu_times()
    process.terminate()
    process.join()
    spent_s = after.user + after.system - before.user - before.system
    print(f"{spent_s / (each * CALLERS) * 1000:.2f} ms of processor time per request")
    print(f"{each * CALLERS / seconds:.0f} requests a second, {CALLERS} callers")


if __name__ == "__main__":
    main()
