r"""One reading instead of many: a pattern that finds a text in which any of several patterns would find something.

    gate_of(r"\b(?:wait|hold on)\b", r"\bwho\b")      # \b(?:w(?:ait\b|ho\b)|hold on\b), compiled

The patterns of a rule are lists of phrases, hundreds in all, and nearly no row holds one. Python tries each phrase at
each place of a text; here phrases that begin alike share their beginning, which costs a tenth of the time. A gate says
only whether: what was found, and which phrase comes first, is for the patterns themselves to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

DEPTH = 2  # of shared beginnings; more makes the gate longer and no faster
_ATOM = re.compile(r"\\.|\[\]?(?:\\.|[^\]\\])*\]|[^()|]", re.DOTALL)  # but a group
_TIMES = re.compile(r"(?:[*+?]|\{\d*,?\d*\})[?+]?")
# Letters that are one of a to z to whoever reads without regard to case, and that str.lower does not turn into it.
_ODD = str.maketrans({"İ": "i", "ı": "i", "ſ": "s", "\N{KELVIN SIGN}": "k"})


def lowered(text: str) -> str:
    """The text in small letters, of the same length, as a pattern without regard to case reads it."""
    return (text if text.isascii() else text.translate(_ODD)).lower()


def gate_of(*patterns: str, ignore_case: bool = True) -> re.Pattern[str]:
    """Finds what one of the patterns finds; ^ and $ mean a line. With ignore_case it is for `lowered` texts, at a fifth of
    what re.IGNORECASE costs; a part that minds the case, (?-i:...), may then find too much, never too little.

    For patterns of literals, classes, groups and looks around; no flags at their head, no named groups or references.
    """
    source = "|".join(patterns)
    if ignore_case:
        source = re.sub(r"(\\.)|([A-Z])", lambda match: match[1] or match[2].lower(), source)
    return re.compile(_shared(_alternatives(source), DEPTH), re.MULTILINE)


def _shared(alternatives: list[str], depth: int) -> str:
    """The alternatives as one pattern, those that begin alike together."""
    if not depth:
        return "|".join(alternatives)
    rests: dict[str, dict[str, None]] = {}  # first atom -> what may follow it, in order and without repeats
    for alternative in alternatives:
        for first, rest in _heads(alternative):
            rests.setdefault(first, {})[rest] = None
    return "|".join(
        first + (next(iter(found)) if len(found) == 1 else f"(?:{_shared(list(found), depth - 1)})")
        for first, found in rests.items()
    )


def _heads(alternative: str) -> Iterator[tuple[str, str]]:
    """(first atom, the rest) for each way in which it can begin: "(?:a|b)?c" begins with a, b or c."""
    if not alternative:
        yield "", ""
        return
    end = _atom_end(alternative, 0)
    times = _TIMES.match(alternative, end)
    atom, rest = alternative[:end], alternative[times.end() if times else end :]
    if not atom.startswith("(?:") or (times and times[0] != "?"):
        yield atom + (times[0] if times else ""), rest
        return
    for inner in _alternatives(atom[3:-1]):
        yield from _heads(inner + rest)
    if times:
        yield from _heads(rest)


def _alternatives(source: str) -> list[str]:
    """Cut at the bars that stand outside all brackets."""
    cuts, at = [0], 0
    while at < len(source):
        if source[at] == "|":
            cuts.append(at + 1)
        at = at + 1 if source[at] == "|" else _atom_end(source, at)
    return [source[start : end - 1] for start, end in zip(cuts, [*cuts[1:], len(source) + 1], strict=True)]


def _atom_end(source: str, at: int) -> int:
    """Behind the literal, class or group that begins here."""
    if source[at] != "(":
        return _ATOM.match(source, at).end()
    at += 1
    while source[at] != ")":
        at = at + 1 if source[at] == "|" else _atom_end(source, at)
    return at + 1
