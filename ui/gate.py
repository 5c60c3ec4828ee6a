"""What a request must pass before Gradio sees it, and what every reply carries.

    POST /gradio_api/queue/join  with 17 KB            ->  413
    POST /gradio_api/queue/join  {"fn_index": 999}     ->  400
    POST /gradio_api/queue/join  the 13th in a second  ->  429, for what asks a model; the 121st for what does not
    POST /gradio_api/mcp/        a tool's call         ->  counted as the run that it starts
    POST /gradio_api/upload                            ->  404
    GET  /                                             ->  200 + Content-Security-Policy, ...

Gradio's own limits do not hold at the door: a text box's `max_length` is checked in the browser only,
a JSON body may have any size, uploads are open even where no component takes a file, a run goes on
where nobody listens. This is plain ASGI middleware; `launch(app_kwargs={"middleware": [Middleware(Gate)]})`
puts it inside the server that `launch` starts, on a laptop and on a Space alike.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

MAX_BODY = 16 * 1024  # bytes; the longest problem is 2,000 characters, 8 KB at most
BURST = 12  # runs that one address may ask for at once
RATE = 30 / 60  # and, after those, per second
QUICK = 10  # as often what asks no model: a hint, a twin, the next exercise. A whole class sits behind one address
RUNS = "model"  # Gradio's `concurrency_id` of everything that asks a model
MAX_ADDRESSES = 4096  # remembered, and only in memory

# Gradio's page starts from inline scripts and compiles its templates, hence the two unsafe words. What
# they leave open is closed by script-src-attr: no attribute such as onerror= ever runs.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "script-src-attr 'none'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self' https://huggingface.co",  # a Space is shown inside the hub's page
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

# For what is typed and answered: a browser keeps whatever it may in its cache, on disk, an event stream too.
NO_STORE = (b"cache-control", b"no-store")
_PRIVATE = re.compile(r"/gradio_api/(?:queue|call|cancel|mcp)\b.*")

# What the page and `gradio_client` use, and nothing else. `tests/test_gate.py` holds the page to it.
ALLOWED = {
    "GET": re.compile(
        r"/|/config/?|/info|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/pwa_icon(?:/\d+)?"
        r"|/(?:assets|static|svelte)/.*"
        r"|/gradio_api/(?:info|app_id|startup-events|theme\.css|queue/data|heartbeat/[\w-]+|call/\w+/\w+)/?"
    ),
    "POST": re.compile(r"/gradio_api/(?:queue/join|cancel|reset|call/\w+|mcp)/?"),
}
ALLOWED["HEAD"] = ALLOWED["GET"]

_CALL = re.compile(r"/gradio_api/call/(\w+?)(?:/(\w+))?/?")
_JOIN = re.compile(r"/gradio_api/queue/join/?")
_MCP = re.compile(r"/gradio_api/mcp/?")
_SESSION = re.compile(r"[\w-]{1,64}", re.ASCII)

# Gradio answers a tool's call by a request to itself, with the headers of the call: so this one, which nobody else can
# know, tells that the run is counted already, for the address that it came from and not for our own.
COUNTED = (b"x-counted", secrets.token_hex(16).encode())

Receive = Callable[[], Awaitable[dict]]
Send = Callable[[dict], Awaitable[None]]


class Listeners:
    """Who is read: the sessions (or events, for a plain `call`) with an open stream of results."""

    def __init__(self):
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()  # the gate writes on the event loop, runs read in their threads

    @contextmanager
    def listening(self, key: str) -> Iterator[None]:
        """`key` is listened to while the block runs."""
        with self._lock:
            self._open[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._open


LISTENERS = Listeners()  # of this process; `wiring` asks it whether a run is still wanted


class Buckets:
    """A bucket of `burst` tokens for each address, refilled with `rate` tokens a second.

    Holds at most `max_addresses`; the one that was silent longest is forgotten first.
    """

    def __init__(self, burst: int = BURST, rate: float = RATE, max_addresses: int = MAX_ADDRESSES):
        self.burst, self.rate, self.max_addresses = burst, rate, max_addresses
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> tokens, at what time

    def __len__(self) -> int:
        return len(self._left)

    def take(self, address: str, now: float | None = None) -> bool:
        """Take one token; False where the bucket is empty. `now` is in seconds, on a clock that never goes back."""
        now = time.monotonic() if now is None else now
        tokens, since = self._left.pop(address, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - since) * self.rate)
        passes = tokens >= 1
        self._left[address] = (tokens - passes, now)
        if len(self._left) > self.max_addresses:
            self._left.popitem(last=False)
        return passes


def client_address(scope: dict) -> str:
    """Whom a request is counted for; an IPv6 address counts with its whole /64.

    A Space stands behind proxies with private addresses, so there the last public address of
    X-Forwarded-For counts: those before it can be written by anybody. Elsewhere the header means nothing.
    """
    client = scope.get("client")
    candidates = [client[0]] if client else []
    if "SPACE_ID" in os.environ:
        hops = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        candidates = [hop for hop in hops.decode("latin-1").split(",") if _is_public(hop)][-1:] or candidates
    address = _parsed(candidates[0]) if candidates else None
    if address is None:
        return "unknown"
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_public(text: str) -> bool:
    address = _parsed(text)
    return address is not None and address.is_global


class Gate:
    """ASGI middleware: an allow-list of routes, bounds on bodies and runs, security headers on every reply."""

    def __init__(self, app: Callable, max_body: int = MAX_BODY, burst: int = BURST, rate: float = RATE):
        self.app = app
        self.max_body = max_body
        self.runs = Buckets(burst, rate)
        self.quick = Buckets(burst * QUICK, rate * QUICK)

    async def __call__(self, scope: dict, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # the page opens no web sockets
            return await send({"type": "websocket.close", "code": 1008})

        method, path = scope["method"], scope["path"]
        ours = (*HEADERS, NO_STORE) if _PRIVATE.fullmatch(path) else HEADERS

        async def send_with_headers(message: dict) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in ours}
                kept = [
                    (name, value) for name, value in message.get("headers", ()) if name.lower() not in names
                ]
                message = {**message, "headers": [*kept, *ours]}
            await send(message)

        if method == "OPTIONS":
            return await self.app(scope, receive, send_with_headers)
        if method == "GET" and _MCP.fullmatch(path):  # of its two ways to answer, we have the one without an open stream
            return await _refuse(send_with_headers, 405, b"POST only")
        allowed = ALLOWED.get(method)
        if allowed is None or not allowed.fullmatch(path):
            return await _refuse(send_with_headers, 404, b"Not found")
        if method == "POST":
            body = await self._body(scope, receive)
            if body is None:
                return await _refuse(send_with_headers, 413, b"Too long")
            request = _read(scope, path, body)
            if not self._may(scope, request):
                return await _refuse(send_with_headers, 429, b"Too many problems at once. Wait a few seconds.")
            if request.fault:
                return await _refuse(send_with_headers, 400, request.fault.encode())
            if request.is_tool:
                scope = {**scope, "headers": [*(pair for pair in scope["headers"] if pair[0] != COUNTED[0]), COUNTED]}
            receive = _replay(body, receive)
        listener = _listener(scope, path) if method == "GET" else None
        if listener is None:
            return await self.app(scope, receive, send_with_headers)
        with LISTENERS.listening(listener):
            await self.app(scope, receive, send_with_headers)

    def _may(self, scope: dict, request: Posted) -> bool:
        """Take a token for what is asked, of the bucket for its kind; Stop and the like need none."""
        if not request.starts or COUNTED in scope["headers"]:
            return True
        buckets = self.runs if request.asks_a_model else self.quick
        return buckets.take(client_address(scope))

    async def _body(self, scope: dict, receive: Receive) -> bytes | None:
        """The whole body, or None where it is too long, whatever length it claims to have."""
        for name, value in scope["headers"]:
            if name == b"content-length" and (not value.isdigit() or int(value) > self.max_body):
                return None
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":  # the client has gone
                return body
            body += message.get("body", b"")
            if len(body) > self.max_body:
                return None
            if not message.get("more_body"):
                return body


def _listener(scope: dict, path: str) -> str | None:
    """Whose results a GET wants to read, if any."""
    if path.rstrip("/") == "/gradio_api/queue/data":
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        return query.get("session_hash", [None])[0]
    call = _CALL.fullmatch(path)
    return call[2] if call else None


@dataclass(frozen=True)
class Posted:
    """What a POST asks for. `fault` says what is wrong with it, where Gradio would break on it rather than refuse it."""

    starts: bool = False  # a run or a quick move
    asks_a_model: bool = False
    is_tool: bool = False  # a tool's call by MCP
    fault: str = ""


def _read(scope: dict, path: str, body: bytes) -> Posted:
    """The request as far as the gate must know it."""
    if path.rstrip("/") == "/gradio_api/reset":
        return Posted()
    starts = path.rstrip("/") != "/gradio_api/cancel"
    try:
        posted = json.loads(body)
    except (ValueError, RecursionError):
        return Posted(starts, fault="The body must be JSON")
    if not isinstance(posted, dict):
        return Posted(starts, fault="The body must be a JSON object")
    if _MCP.fullmatch(path):
        calls = posted.get("method") == "tools/call"
        return Posted(starts, asks_a_model=calls, is_tool=calls)
    session = posted.get("session_hash")
    if session is not None and not (isinstance(session, str) and _SESSION.fullmatch(session)):
        return Posted(starts, fault="session_hash must be a short word")
    functions = _functions(scope)
    call = _CALL.fullmatch(path)
    if call:
        if session is not None:  # such a call is listened to by its event alone
            return Posted(starts, fault="a call takes no session_hash")
        public = (each for each in functions.values() if each.api_visibility == "public" and each.api_name == call[1])
        function = next(public, None)
    elif _JOIN.fullmatch(path):
        index = posted.get("fn_index")
        function = functions.get(index) if type(index) is int else None
        if posted.get("batched"):
            return Posted(starts, fault="batched is not for this app")
    else:
        return Posted()
    if function is None:
        return Posted(starts, fault="There is no such function")
    fault = "" if isinstance(posted.get("data"), list) else "data must be a list"
    return Posted(starts, asks_a_model=function.concurrency_id == RUNS, fault=fault)


def _functions(scope: dict) -> dict[int, Any]:
    """The app's functions by index, as Gradio keeps them."""
    return scope["app"].get_blocks().fns


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives the body once and then listens on."""
    given = False

    async def replayed() -> dict:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(send: Send, status: int, words: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(words)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words})
