r"""A proof as Markdown with LaTeX: text in, text out, for a component that sanitises and has KaTeX.

    as_markdown("Let $n$ be odd. <b>Then</b> \\(n^2\\) is [odd](http://x).")
        ->  "Let $n$ be odd. &lt;b&gt;Then&lt;/b&gt; \\(n^2\\) is &#91;odd&#93;(http://x)."

Only what proofs need is left working: paragraphs, lists, emphasis and mathematics. Tags, links and pictures are shown as
they were typed, so that nothing is fetched and nothing can be clicked. An unfinished formula at the end is left as text.
"""

from __future__ import annotations

import re

from mathtutor.chat import split_reply

# What KaTeX is to read: (opening, closing). In a proof a dollar is mathematics, where in a word problem it is money.
DELIMITERS = (("$$", "$$"), (r"\[", r"\]"), (r"\(", r"\)"), ("$", "$"))
MAX_FORMULA = 4000  # characters: anything longer is a run-away
_MATH = re.compile(
    r"\$\$[^$]{1,4000}\$\$|\\\[(?:[^\\]|\\(?!\])){1,4000}\\\]|\\\((?:[^\\]|\\(?!\))){1,4000}\\\)|(?<![\\$])\$[^$\n]{1,4000}\$"
)
_MARKUP = str.maketrans({"<": "&lt;", ">": "&gt;", "[": "&#91;", "]": "&#93;", "&": "&amp;", "`": "&#96;", "|": "&#124;", "~": "&#126;"})


def as_markdown(text: str) -> str:
    """`text` with everything but mathematics, lists and emphasis made harmless."""
    parts, cursor = [], 0
    for match in _MATH.finditer(text):
        parts += [text[cursor : match.start()].translate(_MARKUP), match.group().replace("<", r"\lt ").replace(">", r"\gt ")]
        cursor = match.end()
    parts.append(text[cursor:].translate(_MARKUP))
    return "".join(parts)


def proof_markdown(reply: str) -> str:
    """What a reply proves: the text after its reasoning, or the reasoning while that is all there is."""
    parts = split_reply(reply)
    return as_markdown((parts.tail if parts.closed or not parts.opened else parts.reasoning).strip())
