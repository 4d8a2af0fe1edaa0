"""TorchServe's management API in a few lines: keys, workers, and a queue that can be slow."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.fakes.listening import listening


class FakeManagement:
    """Answers as TorchServe does; its keys are in `folder`, as TorchServe writes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = {"inference": "inference-0", "management": "management-0", "API": "api-0"}
        self.statuses = ["READY"]
        self.asks_for_token = True
        self.flush_s = 0.0
        self.flush_status = 200
        self.paths: list[str] = []
        self.tasks: list[str | None] = []
        self.write_keys()

    def write_keys(self) -> None:
        times = {"expiration time": "2036-01-01T00:00:00Z"}
        found = {kind: {"key": key} | times for kind, key in self.keys.items()}
        (self.folder / "key_file.json").write_text(json.dumps(found))

    def answer(self, path: str, token: str | None) -> tuple[int, object]:
        self.paths.append(path)
        needed = "API" if path.startswith("/token") else "management"
        if self.asks_for_token and token != f"Bearer {self.keys[needed]}":
            return 400, {"code": 400, "type": "InvalidKeyException", "message": "Token failed"}
        if path.startswith("/token?type="):
            kind = path.partition("=")[2]
            self.keys[kind] = f"{kind}-{len(self.paths)}"
            self.write_keys()
            return 200, ""
        if "customized=true" in path:
            time.sleep(self.flush_s)
            return self.flush_status, [{"modelName": "spt"}]
        return 200, [{"modelName": "spt", "workers": [{"status": s} for s in self.statuses]}]


@contextmanager
def served(fake: FakeManagement) -> Iterator[str]:
    """Listen on a free port of loopback; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.tasks.append(self.headers.get("X-Task"))
            status, body = fake.answer(self.path, self.headers.get("Authorization"))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with suppress(BrokenPipeError):  # the caller lost patience
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with listening(Handler) as address:
        yield address
