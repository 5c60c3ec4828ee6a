"""The gate before Gradio: which requests pass, how large they may be, what every reply carries."""

from __future__ import annotations

import asyncio

import pytest

from ui.gate import HEADERS, MAX_BODY, Gate

JOIN = "/gradio_api/queue/join"


async def app(scope, receive, send):
    """Answers 200 with the length of the body it was given."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [(b"content-type", b"text/plain"), (b"x-content-type-options", b"sniff")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": str(len(body)).encode()})


def ask(
    method: str, path: str, chunks: tuple[bytes, ...] = (b"",), headers: tuple = ()
) -> tuple[int, dict, bytes]:
    """Status, headers and body of one request through the gate."""
    messages = [
        {"type": "http.request", "body": c, "more_body": i + 1 < len(chunks)} for i, c in enumerate(chunks)
    ]
    sent = []

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    asyncio.run(Gate(app)(scope, receive, send))
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return start["status"], dict(start["headers"]), body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("HEAD", "/"), ("GET", "/config"), ("GET", "/theme.css"), ("GET", "/assets/index-a1B2.js"),
        ("GET", "/static/img/logo.svg"), ("GET", "/gradio_api/queue/data"), ("GET", "/gradio_api/heartbeat/a1b2c3"),
        ("GET", "/gradio_api/startup-events"), ("GET", "/gradio_api/info"), ("GET", "/gradio_api/call/solve/a1b2"),
        ("POST", JOIN), ("POST", "/gradio_api/cancel"), ("POST", "/gradio_api/reset"), ("POST", "/gradio_api/call/solve"),
    ],
)  # fmt: skip
def test_lets_the_page_through(method, path):
    assert ask(method, path)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/upload"), ("GET", "/gradio_api/upload_progress"), ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1/"), ("GET", "/gradio_api/deep_link"), ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/openapi.json"), ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"), ("POST", "/gradio_api/vibe-edit"), ("POST", "/gradio_api/run-history/connect"),
        ("POST", "/gradio_api/process_recording"), ("POST", "/gradio_api/component_server"), ("POST", "/login"),
        ("POST", "/"), ("PUT", "/"), ("DELETE", "/"), ("PATCH", JOIN), ("GET", "/gradio_api/call/solve/../../file=x"),
        ("GET", "//"), ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"),
    ],
)  # fmt: skip
def test_keeps_everything_else_out(method, path):
    assert ask(method, path)[0] == 404


@pytest.mark.parametrize("size", [0, 1, 2000, MAX_BODY])
def test_passes_a_body_on_whole(size):
    half = size // 2
    status, _, body = ask("POST", JOIN, (b"x" * half, b"x" * (size - half)))
    assert (status, body) == (200, str(size).encode())


@pytest.mark.parametrize(
    ("chunks", "headers"),
    [
        ((b"x" * (MAX_BODY + 1),), ()),
        ((b"x" * 1000,) * 17, ()),  # in pieces, with no length stated
        ((b"",), ((b"content-length", str(MAX_BODY + 1).encode()),)),
        ((b"",), ((b"content-length", b"-1"),)),
        ((b"x" * (MAX_BODY + 1),), ((b"content-length", b"5"),)),  # and with a false one
    ],
)
def test_refuses_a_body_that_is_too_long(chunks, headers):
    assert ask("POST", JOIN, chunks, headers)[0] == 413


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/gradio_api/upload"), ("OPTIONS", "/")])
def test_every_reply_carries_the_headers_once(method, path):
    _, headers, _ = ask(method, path)
    assert {name: headers[name] for name, _ in HEADERS} == dict(HEADERS)


def test_the_policy_allows_no_other_site_and_no_inline_handlers():
    policy = dict(HEADERS)[b"content-security-policy"].decode()
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'self'" and directives["connect-src"] == "'self'"
    assert directives["script-src-attr"] == "'none'"
    others = {
        source
        for name, sources in directives.items()
        if name != "frame-ancestors"
        for source in sources.split()
    }
    assert not any("://" in source or source in ("*", "https:", "http:") for source in others)


def test_closes_web_sockets():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(Gate(app)({"type": "websocket", "path": "/"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
