"""In which language a page speaks, decided by the server alone, from each request anew.

    http://127.0.0.1:7860/?lang=es      Spanish, else the first of the browser's languages that there are words for, else English
    strings = spoken(request)           the words for who asks, in a handler
    page = Page()
    gr.Button(page.SOLVE)               the same word in every language; the browser shows the page's own
    gr.HTML(page(lambda strings: f"<p>{strings.WORKING}</p>"))
    launch(i18n=page.i18n, app_kwargs={"middleware": [Middleware(Tongue)]})

Gradio translates in the browser, by `navigator.language`, and only what is a component's label, info, placeholder or
value. `Tongue` writes the server's choice into the page that it serves, as `<html lang>` and as that very property, so
that one place decides for both. Gradio's page repeats its address with every request, and a browser its languages. The
choice is kept nowhere but in the address.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

import gradio as gr

from mathtutor.strings import DEFAULT, LANGUAGES, Strings, strings_of

ASKS = "lang"  # the word of the address


def language_of(asked: str | None, accepted: str = "") -> str:
    """One of LANGUAGES: the one `asked` for, else the one liked best in an Accept-Language header, else English."""
    if asked in LANGUAGES:
        return asked
    liked = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, weight = part.partition(";")
        language = tag.strip().lower().split("-")[0]
        try:
            share = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and share > 0:
            liked.append((-share, place, language))
    return min(liked)[2] if liked else DEFAULT


def spoken(request: gr.Request | None) -> Strings:
    """The words for who asks; English for a program that names no language."""
    params: Mapping[str, str] = getattr(request, "query_params", None) or {}
    headers: Mapping[str, str] = getattr(request, "headers", None) or {}
    return strings_of(language_of(params.get(ASKS), headers.get("accept-language") or ""))


def plain_message(text: str) -> str:
    """`text` as a message of Gradio's translations, in which braces and apostrophes are signs of its own.

    Markup that the browser cannot read as such a message is shown as it stands, doubled apostrophes and all (seen with
    Evidence's tables), so markup gets entities for these signs: they mean the same in both readings.
    """
    if text.lstrip().startswith("<"):
        return text.replace("'", "&#39;").replace("{", "&#123;").replace("}", "&#125;")
    return text.replace("'", "''").replace("{", "'{'").replace("}", "'}'")


class Page:
    """The words of one page's components in every language: `page.NAME`, or `page(how to make a text of them)`."""

    def __init__(self):
        self.i18n = gr.I18n(**{language: {} for language in LANGUAGES})

    def __call__(self, make: Callable[[Strings], str]) -> str:
        """The sign for a text, by which the browser finds it: a component may have it for its label, value and the like."""
        texts = self.i18n.translations
        key = f"mt_word_{len(texts[DEFAULT])}"
        for language in LANGUAGES:
            texts[language][key] = plain_message(make(strings_of(language)))
        return str(self.i18n(key))

    def __getattr__(self, name: str) -> str:
        if not name.isupper():
            raise AttributeError(name)
        return self(lambda strings: getattr(strings, name))


def in_browser(make: Callable[[Strings], str]) -> str:
    """A text as an expression of JavaScript that is in the page's language, for what is said before the server hears of it."""
    return f"({json.dumps({language: make(strings_of(language)) for language in LANGUAGES})})[document.documentElement.lang]"


# --- the choice on the page ---------------------------------------------------------------------------------


def choices(strings: Strings) -> str:
    """A link to the page in each language, named in that language."""
    links = "".join(
        f'<li><a href="?{ASKS}={language}" lang="{language}" hreflang="{language}"'
        f"{' aria-current=true' if language == strings.language else ''}>{strings_of(language).LANGUAGE_NAME}</a></li>"
        for language in LANGUAGES
    )
    return f'<nav class="mt-languages" aria-label="{strings.LANGUAGES_LABEL}"><ul>{links}</ul></nav>'


# What else stands in the address, such as the teacher's lock, stays there.
KEEP_THE_REST = f"""
element.querySelectorAll('a[hreflang]').forEach((link) => {{
  const address = new URL(location.href);
  address.searchParams.set('{ASKS}', link.hreflang);
  link.href = address;
}});
"""


# --- the page as it is served -------------------------------------------------------------------------------

Receive = Callable[[], Awaitable[dict]]
Send = Callable[[dict], Awaitable[None]]
_HTML, _HEAD = b'<html\n\tlang="en"', b"<head>"


class Tongue:
    """ASGI middleware: the page at "/" says its language, to readers and to Gradio's own translations."""

    def __init__(self, app: Callable):
        self.app = app

    async def __call__(self, scope: dict, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            return await self.app(scope, receive, send)
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        accepted = b",".join(value for name, value in scope["headers"] if name == b"accept-language").decode("latin-1")
        language = language_of(query.get(ASKS, [None])[-1], accepted)
        start, body = {}, b""

        async def send_told(message: dict) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            told = tell(body, language)
            headers = [pair for pair in start.get("headers", ()) if pair[0].lower() not in (b"content-length", b"vary")]
            length = len(told) if scope["method"] != "HEAD" else None
            sized = [] if length is None else [(b"content-length", str(length).encode())]
            await send({**start, "headers": [*headers, *sized, (b"vary", b"accept-language")]})
            await send({**message, "body": told})

        await self.app(scope, receive, send_told)


def tell(page: bytes, language: str) -> bytes:
    """Gradio's page with its language in `<html lang>` and in `navigator.language`."""
    script = f'<script>Object.defineProperty(navigator, "language", {{value: "{language}"}})</script>'.encode()
    return page.replace(_HTML, f'<html\n\tlang="{language}"'.encode(), 1).replace(_HEAD, _HEAD + script, 1)
