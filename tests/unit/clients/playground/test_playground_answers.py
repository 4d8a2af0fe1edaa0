"""What the page gets from the service, and who else gets nothing."""

import json

import httpx
import pytest

from clients.playground.commands import StoreCommands
from clients.playground.guard import SAFE_HEADERS, Guard
from clients.playground.messages import Request
from clients.playground.playground import Playground
from clients.playground.relay import TIME_HEADER, Relay
from tests.unit.clients.fake_service import VERSION, failure

PORT = 4711
HOST = f"127.0.0.1:{PORT}"
OURS = {"host": HOST, "origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}
TOKEN = "the-token-of-the-service"
TORCHSERVES_REFUSAL = {"code": 400, "type": "InvalidKeyException", "message": "Token is wrong"}


@pytest.fixture
def guard():
    return Guard(PORT)


@pytest.fixture
def relay(service, tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    url = "http://127.0.0.1:8080"
    return Relay(url, model="spt", token_file=token, transport=service.transport())


@pytest.fixture
def page(relay, guard):
    return Playground(relay, guard)


def get(path, headers=OURS, **query):
    return Request("GET", path, query, headers)


def post(path, headers=OURS, body=b"\xff\xd8", **query):
    return Request("POST", path, query, headers, body)


def told(reply):
    return json.loads(reply.body)


def test_an_image_is_asked_about_with_a_token_that_the_page_never_sees(page, service):
    reply = page.answer(post("/api/predict", task="digits"))
    assert reply.status == 200
    assert told(reply)["predictions"][0]["label"] == "zero"
    assert float(reply.headers[TIME_HEADER]) >= 0
    asked = service.requests[0]
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.content == b"\xff\xd8"
    state = page.answer(get("/api/state"))
    assert TOKEN not in f"{reply} {state} {page.answer(get('/'))}"


def test_each_task_has_its_own_word_also_where_none_answers(page):
    reply = page.answer(post("/api/predict", task="digits,nonsense"))
    assert [sorted(entry) for entry in told(reply)["answers"]][1] == ["error"]
    reply = page.answer(post("/api/predict", task="gone,nonsense"))
    assert reply.status == 200
    codes = [entry["error"]["code"] for entry in told(reply)["answers"]]
    assert codes == ["task_not_found"] * 2


def test_the_tasks_are_told_and_what_a_newer_service_says_of_them_comes_along(page, service):
    assert [task["task"] for task in told(page.answer(get("/api/tasks")))["tasks"]] == [
        "digits",
        "shapes",
    ]
    document = {"tasks": [{"task": "digits", "version": VERSION, "samples": [{"label": "one"}]}]}
    service.reply = httpx.Response(200, json=document)
    reply = page.answer(get("/api/tasks", task="digits", samples="true", card="true"))
    assert told(reply) == document


def refusal(status, code):
    return httpx.Response(status, content=failure(code, "why", retry_after_s=2).model_dump_json())


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (httpx.ConnectError("refused"), 502, "service_away"),
        (httpx.Response(503), 503, "not_ready"),
        (httpx.Response(200, content=b"<html>"), 502, "unexpected_answer"),
        (httpx.Response(400, json=TORCHSERVES_REFUSAL), 400, "bad_token"),
        (refusal(401, "bad_key"), 401, "bad_key"),
        (refusal(429, "rate_limited"), 429, "rate_limited"),
        (refusal(400, "bad_image"), 400, "bad_image"),
    ],
)
def test_every_refusal_has_a_code_and_is_no_error_of_the_page(page, service, reply, status, code):
    service.reply = reply
    answered = page.answer(post("/api/predict", task="digits"))
    assert answered.status == 200
    body = told(answered)
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    assert body["status"] == status


@pytest.mark.parametrize("path", ["/api/predict", "/api/tasks"])
def test_nothing_else_reaches_the_service(page, service, path):
    method = post if path == "/api/predict" else get
    assert told(page.answer(method(path, list="tasks", x="1")))["error"]["code"] == "bad_parameter"
    assert page.answer(get("/predictions/spt")).status == 404
    assert page.answer(get("/../messages.py")).status == 404
    assert service.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": f"evil.example:{PORT}"},
        {"host": "127.0.0.1"},
        {"host": HOST, "origin": "http://evil.example"},
        {"host": HOST, "origin": "null"},
        {"host": HOST, "origin": f"https://{HOST}"},
        {"host": HOST, "sec-fetch-site": "cross-site"},
        {"host": HOST, "sec-fetch-site": "same-site"},
    ],
)
def test_another_sites_page_gets_nothing(page, service, headers):
    for request in (get("/", headers), get("/api/tasks", headers), post("/api/predict", headers)):
        assert page.answer(request).status == 403
    assert service.requests == []


def test_a_post_without_an_origin_is_refused(page):
    assert page.answer(post("/api/predict", {"host": HOST}, task="digits")).status == 403
    assert page.answer(get("/api/tasks", {"host": HOST})).status == 200


def test_a_change_needs_the_key_and_a_store(relay, guard, page, tmp_path):
    state = get("/api/state", OURS | {"x-playground-key": guard.key})
    assert told(page.answer(state))["may_change"] is False
    assert told(page.answer(post("/api/change")))["error"]["code"] == "no_store"
    with_store = Playground(relay, guard, StoreCommands(tmp_path))
    assert told(with_store.answer(state))["may_change"] is True
    assert told(with_store.answer(get("/api/state")))["may_change"] is False
    for key in ("", "é", guard.key[:-1]):
        headers = OURS | {"x-playground-key": key}
        reply = told(with_store.answer(post("/api/change", headers)))
        assert (reply["status"], reply["error"]["code"]) == (403, "no_key")


def test_the_page_runs_its_own_files_alone(page):
    policy = SAFE_HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    html = page.answer(get("/")).body.decode()
    assert "<script>" not in html
    assert "style=" not in html
    assert "//" not in html.replace("<!doctype html>", "")


def test_every_file_that_the_page_names_is_there(page):
    files = ["/index.html", "/main.js", "/style.css", "/icon.svg"]
    replies = [page.answer(get(path)) for path in files]
    assert [reply.status for reply in replies] == [200] * 4
    assert [reply.content_type.split(";")[0] for reply in replies] == [
        "text/html",
        "text/javascript",
        "text/css",
        "image/svg+xml",
    ]
