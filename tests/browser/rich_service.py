"""A service with a task of every kind, two versions, a canary, attention, samples and cards."""

import base64
import io
import json
from dataclasses import dataclass, field
from struct import pack
from typing import Any

import httpx
from PIL import Image, ImageDraw

from tests.unit.clients.fake_service import FakeService, failure

OLD, NEW = "3f2a90c1" * 8, "b7d1e504" * 8
ATTENTION = {
    "grid": [8, 8],
    "values": base64.b64encode(pack("<64f", *[(i % 8 == 3) / 8 for i in range(64)])).decode(),
    "prompts": 0.4,
    "resize": "squash",
    "crop": 1.0,
}
CARD = """---
tags: [vit]
---

# digits

An adapter of `ten` classes.

## Data

- images: 900
"""


def picture(colour: str = "#c26a12", side: int = 96) -> bytes:
    """Return a JPEG with a disc on it."""
    image = Image.new("RGB", (side, side), "#e2dfd8")
    ImageDraw.Draw(image).ellipse((12, 12, side - 12, side - 12), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, "jpeg")
    return buffer.getvalue()


def scores(*found: tuple[str, float]) -> list[dict[str, Any]]:
    """Return classes as an answer has them."""
    return [{"label": label, "index": i, "score": score} for i, (label, score) in enumerate(found)]


KINDS: dict[str, dict[str, Any]] = {
    "digits": {"predictions": scores(("three", 0.91), ("eight", 0.06), ("two", 0.02))},
    "shapes": {"predictions": scores(("disc", 0.8), ("square", 0.2))},
    "scenes": {
        "predictions": scores(("beach", 0.93), ("people", 0.71), ("night", 0.04)),
        "target": "multi-label",
        "labels": ["beach", "people"],
    },
    "ages": {"predictions": [], "target": "regression", "value": 41.7312345},
    "birds": {
        "predictions": scores(
            ("a bird whose name is quite long, as they are", 0.41), ("wren", 0.3)
        ),
        "unknown": True,
        "groups": [{"group": "songbirds", "score": 0.71}],
    },
}


@dataclass
class RichService(FakeService):
    """Answers by `KINDS`; `looks` says whether it knows of attention."""

    looks: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer as the service does."""
        query = dict(request.url.params)
        self.asked.append(query)
        if self.reply is not None:
            return super().handle(request)
        if "list" in query:
            return httpx.Response(200, json=page(query.get("task")))
        if "attention" in query and not self.looks:
            return refused("bad_parameter", "unknown parameter 'attention'")
        if not request.content.startswith((b"\xff\xd8", b"\x89PNG")):
            return refused("bad_image", "the bytes are not an image that we take")
        entries = [answer(task, query) for task in query["task"].split(",")]
        return httpx.Response(200, json=entries[0] if len(entries) == 1 else {"answers": entries})


def refused(code: str, message: str) -> httpx.Response:
    """Return a refusal of the whole call."""
    return httpx.Response(400, json=json.loads(failure(code, message).model_dump_json()))


def answer(task: str, query: dict[str, str]) -> dict[str, Any]:
    """Return what a task says; the older version of digits sees another one."""
    version = query.get("version", NEW)
    found = {"task": task, "version": version, **KINDS[task]}
    if version == OLD:
        found["predictions"] = scores(("eight", 0.55), ("three", 0.4))
    return found | ({"attention": ATTENTION} if "attention" in query else {})


def page(task: str | None) -> dict[str, Any]:
    """Return the list of the tasks, or all about one."""
    names = sorted(KINDS) if task is None else [task]
    found = [{"task": name, "version": NEW} for name in names]
    for one in found:
        if one["task"] == "digits":
            one["canary"] = {"version": OLD, "share": 0.1}
    if task is not None:
        labels = [f"class {i}" for i in range(10)]
        jpeg = base64.b64encode(picture(side=48)).decode()
        found[0] |= {
            "class_names": labels,
            "num_classes": 10,
            "method": "spt-deep",
            "versions": [NEW, OLD],
            "metrics": {"test_accuracy": 0.953, "epochs": 20.0},
            "samples": [{"label": label, "jpeg": jpeg} for label in labels[:4]],
            "card": CARD,
        }
    return {"tasks": found, "next": None}
