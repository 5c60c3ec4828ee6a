"""The words and signs of a sentence: "5 apples * $2 = $10." is number, word, op, $, number, =, $, number, stop.

Nothing is judged here but what a thing is when it stands alone: 10:30 and D3 are names and not numbers, "3rd" is a
word, the point of "sq. ft." ends no sentence. What belongs together is for `folding` to say. No character that could
mean something is passed over: the √ of "√16" is a token of the kind unknown.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple


class Token(NamedTuple):
    """text is as written, but for a number, which loses its separators: "1,200" is "1200"."""

    kind: str  # number, vulgar (½), name (10:30, D3), word, op, (, ), %, $, =, stop, unknown (√)
    text: str
    start: int
    end: int


# In this order: each rule takes what a later one would misread.
_TOKEN = re.compile(
    r"""
      (?P<time>\d{1,2}:\d{2}(?!\d))                  # not the numbers 10 and 30
    | (?P<ordinal>\d+(?:st|nd|rd|th)\b)               # the 3rd day counts nothing
    | (?P<rest>(?<=\d)\s?[Rr]\s?\d+(?![\w.]))        # 3 R1, before a label
    | (?P<label>(?<!\w)(?![xX])[^\W\d_]\d+(?![\w.])   # D3 (but x4 is "times 4");
        | 0\d{2,}                                    # 0130, a time or a code;
        | \d+(?:,\d+)*,(?!\d{3}(?!\d))\d+)            # 16,0000: nobody knows what number was meant
    | (?P<number>(?: (?: \d{1,3}(?:,\d{3})+(?!\d) | \d{1,3}(?:[ ]\d{3})+(?!,?\d|/\d{3}|-[a-z]) | \d+ )
          (?:\.\d+)? | \.\d+ ) (?:\.{2,}|…)?)         # 3.33... is one number
    | (?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])
    | (?P<compare>[<>!=]=+|<<|>>|[-=]>|[<>≠≤≥→⇒])     # before = and -: >= and => equate nothing
    | (?P<equals>[=≈≅])
    | (?P<hyphen>(?<=[\w%])-[^\W\d_A-Z]{2,}(?:[-'’][^\W\d_]+)*)    # before op: 10-foot is no subtraction
    | (?P<op>\*\*|[-+*/÷^])
    | (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<percent>%)
    | (?P<currency>[$€£¥₹¢])
    | (?P<word>[^\W\d_]+(?:[-'’][^\W\d_]+)*)
    | (?P<stop>[\n,;:?!…—|"“”]|\.)
    | (?P<unknown>_+|[^\s\w'’‘~°])
    """,
    re.VERBOSE,
)
_KINDS = {
    "time": "name", "label": "name", "ordinal": "word", "hyphen": "word", "compare": "stop", "equals": "=",
    "open": "(", "close": ")", "percent": "%", "currency": "$", "rest": "word",
}  # fmt: skip
_TITLES = {"mr", "mrs", "ms", "dr", "st"}
_NUMBERED = re.compile(
    r"(?:day|week|month|year|step|grade|room|level|round|game|team|group|class|part|page|box|bus)s?$", re.I
)


def tokenize(text: str) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind, word, start, end = match.lastgroup, match.group(), match.start(), match.end()
        if word == "." and not _ends_sentence(text, end, tokens):
            continue
        if kind == "word" and word.lower() in ("percent", "per-cent"):
            kind = "%"
        if kind == "unknown":
            if unicodedata.category(word[0]) in (
                "Cf",
                "Mn",
                "Sk",
            ):  # without width, or upon another character
                continue
        if kind == "rest":
            word = word.replace(" ", "").upper()
            start += match.group()[0].isspace()
        if kind == "number":
            word = word.rstrip(".…").replace(",", "").replace(" ", "")
            if _is_numbered(tokens):
                tokens[-1] = Token("name", word, tokens[-1].start, end)
                continue
        tokens.append(Token(_KINDS.get(kind, kind), word, start, end))
    return tokens


def _is_numbered(tokens: list[Token]) -> bool:
    """Does the number that comes next only name something: Week 1 + Week 2, "on day 2"?"""
    if not tokens or tokens[-1].kind != "word" or not _NUMBERED.match(tokens[-1].text):
        return False
    return tokens[-1].text[0].isupper() or tokens[-2:][0].text == "on"


def _ends_sentence(text: str, after: int, tokens: list[Token]) -> bool:
    """False for the points of "5 sq. ft. * 3" and "Mr. Lee"."""
    rest = text[after : after + 3].lstrip(" ")
    if rest and (rest[0].islower() or rest[0] in "+-*/÷^=%)"):
        return False
    return not (tokens and tokens[-1].end == after - 1 and tokens[-1].text.lower() in _TITLES)
