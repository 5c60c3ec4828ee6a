"""The gate before Gradio: which requests pass, how large they may be, what every reply carries."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from ui.gate import (
    BURST,
    COUNTED,
    HEADERS,
    LISTENERS,
    MAX_BODY,
    QUICK,
    RATE,
    RUNS,
    Buckets,
    Gate,
    client_address,
)

JOIN = "/gradio_api/queue/join"
CALL = "/gradio_api/call/solve"
GOOD = b'{"data": ["3 + 4", true], "fn_index": 5, "session_hash": "a1b2", "event_data": null, "trigger_id": 7}'
RUN = {"concurrency_id": RUNS, "api_visibility": "public"}
MOVE = {"concurrency_id": "quick", "api_visibility": "private"}
BLOCKS = SimpleNamespace(
    fns={
        5: SimpleNamespace(api_name="solve", **RUN),
        6: SimpleNamespace(api_name=False, **MOVE),
        7: SimpleNamespace(api_name="learn_hint", **MOVE),
    }
)
GRADIO = SimpleNamespace(get_blocks=lambda: BLOCKS)


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
    method: str,
    path: str,
    chunks: tuple[bytes, ...] = (b"",),
    headers: tuple = (),
    gate: Gate | None = None,
    client: str = "192.0.2.1",
) -> tuple[int, dict, bytes]:
    """Status, headers and body of one request through the gate, a new one if none is given."""
    messages = [
        {"type": "http.request", "body": c, "more_body": i + 1 < len(chunks)} for i, c in enumerate(chunks)
    ]
    sent = []

    async def receive():
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "headers": list(headers), "app": GRADIO, "client": (client, 5),
    }  # fmt: skip
    asyncio.run((gate or Gate(app))(scope, receive, send))
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return start["status"], dict(start["headers"]), body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("HEAD", "/"), ("GET", "/config"), ("GET", "/theme.css"), ("GET", "/assets/index-a1B2.js"),
        ("GET", "/static/img/logo.svg"), ("GET", "/gradio_api/queue/data"), ("GET", "/gradio_api/heartbeat/a1b2c3"),
        ("GET", "/gradio_api/startup-events"), ("GET", "/gradio_api/info"), ("GET", "/gradio_api/call/solve/a1b2"),
    ],
)  # fmt: skip
def test_lets_the_page_through(method, path):
    assert ask(method, path)[0] == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (JOIN, GOOD),
        (CALL, b'{"data": ["3 + 4", true]}'),
        ("/gradio_api/cancel", b'{"session_hash": "a1b2", "fn_index": 5, "event_id": "c3"}'),
        ("/gradio_api/reset", b""),
        ("/gradio_api/mcp", b'{"method": "initialize"}'),
        ("/gradio_api/mcp/", b'{"method": "tools/call"}'),
    ],
)
def test_lets_the_page_post(path, body):
    assert ask("POST", path, (body,))[0] == 200


def changed(**fields) -> bytes:
    return json.dumps({**json.loads(GOOD), **fields}).encode()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (JOIN, b""), (JOIN, b"x"), (JOIN, b"[]"), (JOIN, b"null"), (JOIN, b"\xff"), (JOIN, b"[" * 15_000), (JOIN, b"{}"),
        (JOIN, changed(fn_index=999)), (JOIN, changed(fn_index=-1)), (JOIN, changed(fn_index=None)),
        (JOIN, changed(fn_index="5")), (JOIN, changed(fn_index=True)), (JOIN, changed(fn_index=[5])),
        (JOIN, changed(fn_index=1e999)), (JOIN, changed(data=None)), (JOIN, changed(data={"a": 1})),
        (JOIN, changed(data="3 + 4")), (JOIN, changed(session_hash=5)), (JOIN, changed(session_hash="a" * 65)),
        (JOIN, changed(session_hash="a b")), (JOIN, changed(batched=True)),
        (CALL, b'{"data": 5}'), (CALL, b'{"data": [], "session_hash": "a1b2"}'), (CALL + "s", b'{"data": []}'),
        ("/gradio_api/call/False", b'{"data": []}'), ("/gradio_api/call/learn_hint", b'{"data": []}'),
        ("/gradio_api/mcp/", b"[]"), ("/gradio_api/mcp/", b"x"), ("/gradio_api/cancel", b"x"), ("/gradio_api/cancel", b"[]"),
    ],
)  # fmt: skip
def test_refuses_a_body_that_gradio_would_break_on(path, body):
    assert ask("POST", path, (body,))[0] == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/upload"), ("GET", "/gradio_api/upload_progress"), ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1/"), ("GET", "/gradio_api/deep_link"), ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/openapi.json"), ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"), ("POST", "/gradio_api/vibe-edit"), ("POST", "/gradio_api/run-history/connect"),
        ("POST", "/gradio_api/process_recording"), ("POST", "/gradio_api/component_server"), ("POST", "/login"),
        ("POST", "/gradio_api/run/predict"), ("POST", "/gradio_api/api/predict"), ("POST", "/gradio_api/call/v2/solve"),
        ("POST", "/"), ("PUT", "/"), ("DELETE", "/"), ("PATCH", JOIN), ("GET", "/gradio_api/call/solve/../../file=x"),
        ("GET", "//"), ("GET", "/gradio_api/mcp/sse"), ("POST", "/gradio_api/mcp/messages/"), ("GET", "/gradio_api/mcp/schema"),
        ("DELETE", "/gradio_api/mcp/"), ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"),
    ],
)  # fmt: skip
def test_keeps_everything_else_out(method, path):
    assert ask(method, path)[0] == 404


@pytest.mark.parametrize("size", [len(GOOD), 2000, MAX_BODY])
def test_passes_a_body_on_whole(size):
    half, sent = size // 2, GOOD.ljust(size)
    status, _, body = ask("POST", JOIN, (sent[:half], sent[half:]))
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


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/gradio_api/queue/data", False), ("/gradio_api/call/solve/a1b2", False), ("/assets/index-a1B2.js", True)],
)
def test_no_browser_may_keep_what_was_answered(path, kept):
    assert ask("GET", path)[1].get(b"cache-control") == (None if kept else b"no-store")


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


def test_one_address_may_ask_so_often_and_no_more():
    gate = Gate(app)
    statuses = [ask("POST", JOIN, (GOOD,), gate=gate)[0] for _ in range(BURST + 3)]
    assert statuses == [200] * BURST + [429] * 3
    status, headers, words = ask("POST", CALL, (b'{"data": []}',), gate=gate)
    assert status == 429 and words.startswith(b"Too many") and dict(HEADERS).items() <= headers.items()
    assert ask("POST", JOIN, (GOOD,), gate=gate, client="192.0.2.2")[0] == 200  # somebody else
    assert ask("POST", "/gradio_api/cancel", (b"{}",), gate=gate)[0] == 200  # Stop is never refused
    assert ask("GET", "/", gate=gate)[0] == 200


def test_a_move_that_asks_no_model_leaves_the_runs_of_a_class_alone():
    gate = Gate(app, rate=0.0)
    move = changed(fn_index=7)
    assert [ask("POST", JOIN, (move,), gate=gate)[0] for _ in range(BURST * QUICK + 1)] == [200] * BURST * QUICK + [429]
    assert [ask("POST", JOIN, (GOOD,), gate=gate)[0] for _ in range(BURST + 1)] == [200] * BURST + [429]


def test_what_is_refused_counts_as_a_move():
    gate = Gate(app, burst=1, rate=0.0)
    assert [ask("POST", JOIN, (b"x",), gate=gate)[0] for _ in range(QUICK + 1)] == [400] * QUICK + [429]
    assert ask("POST", JOIN, (GOOD,), gate=gate)[0] == 200


MCP = "/gradio_api/mcp/"


def test_a_tools_call_counts_once_and_for_its_caller():
    passed = []

    async def seen(scope, receive, send):
        passed.append(scope["headers"])
        await app(scope, receive, send)

    gate = Gate(seen, burst=1, rate=0.0)
    made_up = (COUNTED[0], b"0" * 32)
    assert ask("POST", MCP, (b'{"method": "tools/list"}',), gate=gate)[0] == 200 and COUNTED not in passed[-1]
    assert ask("POST", MCP, (b'{"method": "tools/call"}',), headers=(made_up,), gate=gate)[0] == 200
    assert passed[-1] == [COUNTED]
    here = {"gate": gate, "client": "127.0.0.1"}
    assert [ask("POST", JOIN, (GOOD,), headers=(COUNTED,), **here)[0] for _ in range(3)] == [200] * 3  # to ourselves
    assert [ask("POST", JOIN, (GOOD,), headers=(made_up,), **here)[0] for _ in range(2)] == [200, 429]
    assert ask("POST", MCP, (b'{"method": "tools/call"}',), gate=gate)[0] == 429


def test_tools_are_asked_by_post_alone():
    assert ask("GET", MCP)[0] == 405


def test_a_bucket_fills_again_and_the_table_of_them_is_bounded():
    buckets = Buckets(burst=2, rate=RATE, max_addresses=3)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [True, True, False]
    assert not buckets.take("a", 0.9 / RATE) and buckets.take("a", 1.1 / RATE)
    assert [buckets.take("a", 1e6) for _ in range(3)] == [True, True, False]  # it never holds more than its burst
    for address in "bcdefgh":
        buckets.take(address, 1e6)
    assert len(buckets) == 3


@pytest.mark.parametrize(
    ("client", "forwarded", "at_home", "on_a_space"),
    [
        ("192.0.2.1", None, "192.0.2.1", "192.0.2.1"),
        ("10.1.2.3", "8.8.8.8", "10.1.2.3", "8.8.8.8"),
        ("10.1.2.3", "1.1.1.1, 8.8.8.8, 10.9.9.9", "10.1.2.3", "8.8.8.8"),  # the first was written by the client
        ("10.1.2.3", "nonsense, 127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("2a00:1450:4001:81b::200e", None, "2a00:1450:4001:81b::/64", "2a00:1450:4001:81b::/64"),
        ("::ffff:192.0.2.1", None, "192.0.2.1", "192.0.2.1"),
        ("testclient", "\xff", "unknown", "unknown"),
    ],
)
def test_counts_the_address_that_cannot_be_made_up(monkeypatch, client, forwarded, at_home, on_a_space):
    headers = [(b"x-forwarded-for", forwarded.encode("latin-1"))] if forwarded else []
    scope = {"client": (client, 5), "headers": headers}
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert client_address(scope) == at_home
    monkeypatch.setenv("SPACE_ID", "ana/tutor")
    assert client_address(scope) == on_a_space


@pytest.mark.parametrize(
    ("path", "query", "key"),
    [
        ("/gradio_api/queue/data", b"session_hash=a1b2", "a1b2"),
        ("/gradio_api/queue/data/", b"x=1&session_hash=a1b2", "a1b2"),
        ("/gradio_api/call/solve/c3d4", b"", "c3d4"),
    ],
)
def test_knows_who_is_listened_to_while_the_stream_is_open(path, query, key):
    seen = []

    async def stream(scope, receive, send):
        seen.append(key in LISTENERS)
        raise ConnectionError("the reader has gone")

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": query}
    with pytest.raises(ConnectionError):
        asyncio.run(Gate(stream)(scope, None, None))
    assert seen == [True] and key not in LISTENERS
