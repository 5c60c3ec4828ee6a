"""Every sentence that people read, by language: assets/words/en.yaml, es.yaml, ... as objects.

    ENGLISH.STEP.format(step=2)                  "Step 2"
    strings = strings_of("es")                   strings.STEP.format(step=2)    "Paso 2"
    strings.counted(strings.AHEAD, 3)            the form of a sentence that goes with three
    strings.english("Ana has 3 pens.")           English inside a sentence of another language: `as_html` says so to a reader

Who makes a sentence for somebody gets that person's `Strings` as an argument; nothing remembers a language. Problems,
what a model wrote, hints and the bank's answers to mistakes are English in every language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import yaml

WORDS = Path(__file__).resolve().parents[1] / "assets" / "words"
LANGUAGES = tuple(sorted(path.stem for path in WORDS.glob("*.yaml")))
DEFAULT = "en"

# Signs of no alphabet that stand around English in a text, through `escape`, until `as_html` makes elements of them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_PART = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")


@dataclass(frozen=True, eq=False)
class Strings:
    """The words of one language, each an attribute by its name in the catalogue; an unknown name is an AttributeError."""

    language: str
    words: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name.isupper() and name in self.words:  # names of Python's own are asked for before there are any words
            return self.words[name]
        raise AttributeError(f"there are no words for {name}")

    def counted(self, forms: Mapping[str, str], count: int) -> str:
        """The form that goes with a count: "one", "two" where the language has it, else "other"."""
        return forms.get({1: "one", 2: "two"}.get(count, "other"), forms["other"])

    def listed(self, parts: Sequence[str]) -> str:
        """ "3, 4 and 12"."""
        return f" {self.AND} ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))

    def english(self, text: str) -> str:
        """`text`, which is English, to stand in a sentence of this language."""
        return text if self.language == DEFAULT or not text else f"{_OPEN}{text}{_CLOSE}"

    @property
    def of_english(self) -> str:
        """The attribute of an element whose text is English; "" on an English page."""
        return "" if self.language == DEFAULT else f' lang="{DEFAULT}"'


def as_html(text: str) -> str:
    """`text` escaped, its English parts as elements that say so."""
    return unmarked(_PART.sub(rf'<span lang="{DEFAULT}">\1</span>', escape(text, quote=True)))


def unmarked(text: str) -> str:
    """`text` without the signs around its English parts."""
    return text.replace(_OPEN, "").replace(_CLOSE, "")


@cache
def strings_of(language: str) -> Strings:
    """The words of one of LANGUAGES."""
    return Strings(language, yaml.safe_load((WORDS / f"{language}.yaml").read_text(encoding="utf-8")))


ENGLISH = strings_of(DEFAULT)
