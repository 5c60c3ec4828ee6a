"""What a request must pass before Gradio sees it, and what every reply carries.

    POST /gradio_api/queue/join  with 17 KB   ->  413
    POST /gradio_api/upload                   ->  404
    GET  /                                    ->  200 + Content-Security-Policy, X-Content-Type-Options, ...

Gradio's own limits do not hold at the door: a text box's `max_length` is checked in the browser only,
a JSON body may have any size, uploads are open even where no component takes a file. This is plain
ASGI middleware; `launch(app_kwargs={"middleware": [Middleware(Gate)]})` puts it inside the server that
`launch` starts, on a laptop and on a Space alike.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

MAX_BODY = 16 * 1024  # bytes; the longest problem is 2,000 characters, 8 KB at most

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

# What the page and `gradio_client` use, and nothing else. `tests/test_gate.py` holds the page to it.
ALLOWED = {
    "GET": re.compile(
        r"/|/config/?|/info|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/pwa_icon(?:/\d+)?"
        r"|/(?:assets|static|svelte)/.*"
        r"|/gradio_api/(?:info|app_id|startup-events|theme\.css|queue/data|heartbeat/[\w-]+|call/\w+/\w+)/?"
    ),
    "POST": re.compile(r"/gradio_api/(?:queue/join|cancel|reset|run/predict|api/predict|call/(?:v2/)?\w+)/?"),
}
ALLOWED["HEAD"] = ALLOWED["GET"]

Receive = Callable[[], Awaitable[dict]]
Send = Callable[[dict], Awaitable[None]]


class Gate:
    """ASGI middleware: an allow-list of routes, a cap on bodies, security headers on every reply."""

    def __init__(self, app: Callable, max_body: int = MAX_BODY):
        self.app = app
        self.max_body = max_body

    async def __call__(self, scope: dict, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # the page opens no web sockets
            return await send({"type": "websocket.close", "code": 1008})

        async def send_with_headers(message: dict) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS}
                kept = [
                    (name, value) for name, value in message.get("headers", ()) if name.lower() not in ours
                ]
                message = {**message, "headers": [*kept, *HEADERS]}
            await send(message)

        method, path = scope["method"], scope["path"]
        if method == "OPTIONS":
            return await self.app(scope, receive, send_with_headers)
        allowed = ALLOWED.get(method)
        if allowed is None or not allowed.fullmatch(path):
            return await _refuse(send_with_headers, 404, b"Not found")
        if method == "POST":
            body = await self._body(scope, receive)
            if body is None:
                return await _refuse(send_with_headers, 413, b"Too long")
            receive = _replay(body, receive)
        await self.app(scope, receive, send_with_headers)

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
