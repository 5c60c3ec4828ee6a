"""Text of models and files for a page: what cannot be seen, or turns the order of reading around, is spelled out."""

from __future__ import annotations

import unicodedata

# Controls and formats (bidi marks, tags, soft hyphens), private and half characters, line and paragraph separators
_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and marks that draw nothing


def mark(text: object) -> str:
    """`text` with each mark that cannot be seen as [U+202E]; half a character is replaced. Line ends and tabs stay.

    What was marked is not changed when it is marked again.
    """
    text = str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(f"[U+{ord(char):04X}]" if _is_hidden(char) else char for char in text) if any(map(_is_hidden, text)) else text


def _is_hidden(char: str) -> bool:
    return not " " <= char <= "~" and char not in "\n\t" and (char in _BLANKS or unicodedata.category(char) in _CATEGORIES)
