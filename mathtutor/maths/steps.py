"""The lines of a reasoning, and the equations that stand in them.

    Step 1: Subtract 7 from both sides: 3x = 22 - 7 = 15      Step 1 claims  3x = 22 - 7  and  22 - 7 = 15
    Step 2: 5 apples * $2 = $10, so 10 / 4 = 2.5 each         Step 2 claims  5 * 2 = 10   and  10 / 4 = 2.5

A claim is one adjacent pair of a chain: "a = b = c" makes two. Its sides are rewritten as plain arithmetic
("5 * 2"), units and currency signs dropped, so `arithmetic.evaluate` can read them; a side with a variable keeps its
own words ("3x"). A bare name ("x = 12 / 4", "Total = 5 + 3") states no equation that could be false, so that pair
is no claim at all.

How a side is found: between two marks (an equals sign, a comma, the end of a sentence) the tokens are folded into
*runs*, in which values and operators alternate and words are passed over. Two values with no operator between them
end one run and begin the next. The last run before the equals sign is the left side, the first after it the right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from mathtutor.maths.arithmetic import VULGAR, evaluate, plain

MAX_TEXT = 10_000  # characters of one line that find_claims reads
LOOK_BACK = 200  # characters of the current line that open_expression reads
MAX_GAP = 12  # words between a value and the operator or equals sign that still belongs to it


@dataclass(frozen=True)
class Claim:
    """One side equals the next: the pair, and where it stands in the step text (start, end) in characters."""

    left: str
    right: str
    start: int
    end: int
    about: bool = False  # the sentence says "about", "rounded", or writes an approximate sign
    loose: bool = False  # a mismatch would prove nothing: cents and dollars, "3m", "3 weeks = 3 * 7 days"


@dataclass(frozen=True)
class Step:
    """One line of a reasoning, without its "Step 1:" label; done is False while the line may still grow."""

    number: int
    text: str
    done: bool
    claims: tuple[Claim, ...]


# --- steps --------------------------------------------------------------------------------------------------

_BULLET = re.compile(r"(?:#{1,6}\s{1,4}|>\s{1,4})?(?:[-*+•]\s{1,4})?")
_LABEL = re.compile(
    r"(?:\*\*|__)?\s?(?:step\s{0,4}#?(?P<step>\d{1,3})\s?(?:\*\*|__)?\s?(?:[:.)\-–—]+(?!\d)|$)"
    r"|(?P<item>\d{1,3})[.)](?=\s|$))\s{0,4}(?:\*\*|__)?\s{0,4}",
    re.IGNORECASE,
)


def parse_steps(reasoning: str, finished: bool = True) -> list[Step]:
    """The non-empty lines of a reasoning as numbered steps.

    A step carries the number that its line states where that is larger than the one before, else the next free
    one, so numbers always increase. finished=False: the last line may still be growing; it is not done, and of its
    claims only those are given whose right side can no longer change.
    """
    steps: list[Step] = []
    lines = reasoning.split("\n")
    stated = 0  # a "Step 2:" that stands alone names the line below it
    for index, line in enumerate(lines):
        done = finished or index < len(lines) - 1
        line = line.strip("\r").lstrip()
        line = line[_BULLET.match(line).end() :]
        label = _LABEL.match(line)
        if label:
            stated = int(label["step"] or label["item"])
            line = line[label.end() :]
        text = line.rstrip()
        if not any(map(str.isalnum, text)) and (done or not label):
            continue
        claims = find_claims(text)
        if not done:
            claims = [claim for claim in claims if _SETTLED.match(line, claim.end)]
        last = steps[-1].number if steps else 0
        steps.append(Step(stated if stated > last else last + 1, text, done, tuple(claims)))
        stated = 0
    return steps


# What may stand after the right side of a claim once it is complete: "8" may become 85, 8.5 or 8 * 2.
_SETTLED = re.compile(r"[\s*]*(?:[.,;:!?)]+\s|[^\W\d_]{2,}[^\w]|=|>>|<<)")


# --- tokens -------------------------------------------------------------------------------------------------


class Token(NamedTuple):
    kind: str  # number, vulgar (½), name (10:30, D3), word, op, (, ), %, $, =, stop
    text: str
    start: int
    end: int


_TOKEN = re.compile(
    r"""
      (?P<time>\d{1,2}:\d{2}(?!\d))
    | (?P<ordinal>\d+(?:st|nd|rd|th)\b)
    | (?P<label>(?<!\w)(?![xX])[^\W\d_]\d+(?![\w.]) | 0\d{2,} | \d+(?:,\d+)*,(?!\d{3}(?!\d))\d+)
    | (?P<number>(?: (?: \d{1,3}(?:,\d{3})+(?!\d) | \d{1,3}(?:[ ]\d{3})+(?!,?\d|/\d{3}|-[a-z]) | \d+ )
          (?:\.\d+)? | \.\d+ ) (?:\.{2,}|…)?)
    | (?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])
    | (?P<compare>[<>!=]=+|<<|>>|[-=]>|[<>≠≤≥→⇒])
    | (?P<equals>[=≈≅])
    | (?P<hyphen>(?<=[\w%])-[^\W\d_A-Z]{2,}(?:[-'’][^\W\d_]+)*)
    | (?P<op>\*\*|[-+*/÷^])
    | (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<percent>%)
    | (?P<currency>[$€£¥₹¢])
    | (?P<word>[^\W\d_]+(?:[-'’][^\W\d_]+)*)
    | (?P<stop>[\n,;:?!…—|"“”]|\.)
    """,
    re.VERBOSE,
)
_KINDS = {
    "time": "name", "label": "name", "ordinal": "word", "hyphen": "word", "compare": "stop", "equals": "=",
    "open": "(", "close": ")", "percent": "%", "currency": "$",
}  # fmt: skip
_TITLES = {"mr", "mrs", "ms", "dr", "st"}
_OPERAND_STARTS = ("number", "vulgar", "(", "$")
_OPERATOR_WORDS = {"times": "*", "plus": "+", "minus": "-", "x": "*"}
_UNIT_LETTERS = set("mglLhskKMcCF")  # 5m and 3g may be metres and grams, or variables
_ARTICLES = {"a", "A", "I"}  # words, unless an operator stands beside them
_NUMBERED = re.compile(
    r"(?:day|week|month|year|step|grade|room|level|round|game|team|group|class|part|page|box|bus)s?$", re.I
)
_BREAKS = set("because so then thus therefore since which if when while but gives means".split())
_BEFORE_A_SIGN = set("to is was are be at from by and or".split())
_DETERMINERS = set("the these those his her their its my our all this that a an".split())


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        kind, word, start, end = match.lastgroup, match.group(), match.start(), match.end()
        if word == "." and not _ends_sentence(text, end, tokens):
            continue
        if kind == "word" and word.lower() in ("percent", "per-cent"):
            kind = "%"
        if kind == "number":
            word = word.rstrip(".…").replace(",", "").replace(" ", "")
            if tokens and tokens[-1].kind == "word" and _NUMBERED.match(tokens[-1].text):
                if tokens[-1].text[0].isupper() or tokens[-2:][0].text == "on":
                    # Week 1 + Week 2: these are names, not numbers
                    tokens[-1] = Token("name", word, tokens[-1].start, end)
                    continue
        tokens.append(Token(_KINDS.get(kind, kind), word, start, end))
    return tokens


def _ends_sentence(text: str, after: int, tokens: list[Token]) -> bool:
    """False for the points of "5 sq. ft. * 3" and "Mr. Lee"."""
    rest = text[after : after + 3].lstrip(" ")
    if rest and (rest[0].islower() or rest[0] in "+-*/÷^=%)"):
        return False
    return not (tokens and tokens[-1].end == after - 1 and tokens[-1].text.lower() in _TITLES)


# --- markup: LaTeX, bold and <<annotations>> are rewritten, with a map back to the places in the original ---

_MARKUP = re.compile(
    r"""
      (?P<note><<[^<>\n]{0,200}>>)
    | \\[dt]?frac\s?\{(?P<above>(?:[^{}\n]|\{[^{}\n]{0,60}\}){1,120})\}
               \s?\{(?P<below>(?:[^{}\n]|\{[^{}\n]{0,60}\}){1,120})\}
    | \\(?:text|mathrm|mathbf|textbf)\s?\{(?P<words>[^{}\n]{0,80})\}
    | (?P<power>(?<=[\d)])(?:\*\*(?=[\d(-])|[ ]\*\*[ ](?=[\d(-])))
    | (?P<sign>\\times|\\cdot|\\div|\\approx|\\[$%]|\{,\})
    | (?P<gone>\*\*|\\[,;:!]|\\(?:left|right|boxed)(?![A-Za-z])|[{}`])
    | (?P<space>\\[()\[\] ]|\$\$|\\[A-Za-z]+|\\\\)
    """,
    re.VERBOSE,
)
_SIGNS = {"\\times": "*", "\\cdot": "*", "\\div": "÷", "\\approx": "≈", "\\$": "$", "\\%": "%", "{,}": ","}


def _cleaned(text: str) -> tuple[str, list[int] | None]:
    """The text without markup, and the original place of each of its characters (None: nothing moved)."""
    text = plain(text)
    if not any(mark in text for mark in ("\\", "<<", "**", "$$", "`", "{", "}")):
        return text, None
    chars: list[str] = []
    origin: list[int] = []
    _rewrite(text, 0, len(text), chars, origin)
    return "".join(chars), origin


def _rewrite(text: str, start: int, end: int, chars: list[str], origin: list[int]) -> None:
    def put(piece: str, at: int) -> None:
        chars.append(piece)
        origin.extend([at] * len(piece))

    def keep(first: int, last: int) -> None:
        chars.append(text[first:last])
        origin.extend(range(first, last))

    at = start
    for match in _MARKUP.finditer(text, start, end):
        keep(at, match.start())
        at = match.end()
        if match["above"]:
            numbers = (match["above"] + match["below"]).isdigit()
            mixed = numbers and match.start() > 0 and text[match.start() - 1].isdigit()  # 3\frac{1}{2}
            put(" " if mixed else "(" if numbers else "((", match.start())
            _rewrite(text, match.start("above"), match.end("above"), chars, origin)
            put("/" if numbers else ")/(", match.end("above"))
            _rewrite(text, match.start("below"), match.end("below"), chars, origin)
            put("" if mixed else ")" if numbers else "))", at - 1)
        elif match["words"]:
            put(" ", match.start())
            keep(match.start("words"), match.end("words"))
            put(" ", at - 1)
        elif match["power"]:
            put("^", match.start())
        elif match["sign"]:
            put(_SIGNS[match["sign"]], match.start())
        elif match["space"]:
            put(" ", match.start())
    keep(at, end)


# --- runs ---------------------------------------------------------------------------------------------------


@dataclass
class _Run:
    """Values and operators in turn: parts are (kind, text, start, end).

    kind is one of value, name, op, sign, (, ) and %. A name is a variable, a time of day, or a word where a value
    should stand.
    """

    parts: list[tuple[str, str, int, int]] = field(default_factory=list)
    lead: list[str] = field(default_factory=list)  # words between the mark before and this run
    units: list[str] = field(default_factory=list)  # words and currency signs inside and after it
    gap: int = 0  # words since the last part
    letters: bool = False  # "5m": metres, or five times m
    of: bool = False  # "1/3 of 60"
    of_thing: bool = False  # "1/3 of the cake"
    cut: bool = False  # perhaps part of more: a bracket that closes elsewhere, or a value straight before it

    def wants_value(self) -> bool:
        return not self.parts or self.parts[-1][0] in ("op", "sign", "(")

    def add(self, kind: str, text: str, token: Token) -> None:
        self.parts.append((kind, text, token.start, token.end))
        self.gap = 0

    @property
    def start(self) -> int:
        return self.parts[0][2]

    @property
    def end(self) -> int:
        return self.parts[-1][3]

    @property
    def has_operator(self) -> bool:
        return any(kind == "op" for kind, *_ in self.parts)

    @property
    def is_unknown(self) -> bool:
        return any(kind == "name" for kind, *_ in self.parts)

    @property
    def is_single(self) -> bool:
        """One number: 5, 25%, 1/2."""
        kinds = [kind for kind, *_ in self.parts if kind in ("value", "op", "name")]
        return kinds == ["value"] or kinds == ["value", "op", "value"] and self.is_tight_fraction

    @property
    def has_units(self) -> bool:
        return any(unit != "$" for unit in self.units)

    @property
    def is_percent(self) -> bool:
        return self.parts[-1][0] == "%"

    def is_portion(self, value: Fraction) -> bool:
        """1/2 cup, or 1/3 of the cake: an amount of something, not a division."""
        return self.of_thing or (self.is_single and self.has_operator and self.has_units and abs(value) < 1)

    def units_of_a_kind(self, other: _Run | None = None) -> bool:
        """Do two units of one kind meet here: hours and minutes, dollars and cents?"""
        names = self.units + (other.units if other else [])
        units = {
            _UNIT_KINDS[key] for name in names if (key := name.lower().lstrip("/").rstrip("s")) in _UNIT_KINDS
        }
        return len({kind for kind, _ in units}) < len(units)

    @property
    def is_sum(self) -> bool:
        return not any(text in ("*", "/", "^") for kind, text, *_ in self.parts if kind == "op")

    @property
    def is_tight_fraction(self) -> bool:
        """Ends in a fraction written without spaces: 3/5."""
        if len(self.parts) < 3 or self.parts[-2][1] != "/" or self.parts[-3][0] != "value":
            return False
        return self.parts[-3][3] == self.parts[-2][2] and self.parts[-2][3] == self.parts[-1][2]

    def balance(self) -> None:
        """Cut at a bracket whose other half stands elsewhere: "(48 / 2" is "48 / 2", "24)" is "24"."""
        opened: list[int] = []
        for index, (kind, *_) in enumerate(self.parts):
            if kind == "(":
                opened.append(index)
            elif kind == ")" and opened:
                opened.pop()
            elif kind == ")":
                del self.parts[index:]
                break
        if opened:
            self.cut = self.cut or opened[-1] > 0
            del self.parts[: opened[-1] + 1]

    def trim(self) -> None:
        """Drop an unfinished end: "24 -" and "24 - leaving" are "24"."""
        while self.parts and self.wants_value():
            self.parts.pop()
        while len(self.parts) > 2 and self.parts[-1][0] == "name" and self.parts[-2][1] == "-":
            word = self.parts[-1][1]
            if len(word) == 1 or not word.islower():  # 24 - x
                break
            del self.parts[-2:]

    def expression(self) -> str:
        pieces: list[str] = []
        for kind, text, *_ in self.parts:
            if kind == "op":
                pieces.append(f" {text} ")
            elif kind == "value" and "/" in text and text[0] != "(" and len(self.parts) > 1:
                pieces.append(f"({text})")
            else:
                pieces.append(text)
        return "".join(pieces)


class _Fold:
    """Folds the tokens between two marks into runs."""

    def __init__(self, tokens: list[Token], first: int, last: int):
        self.tokens, self.at, self.last = tokens, first, last
        self.runs: list[_Run] = []
        self.run = _Run()
        self.lead: list[str] = []  # words since the mark
        self.previous: Token | None = None
        self.spaced_slash = False  # the last operator was a division with space around it
        while self.at < last:
            token = tokens[self.at]
            self.at += 1
            getattr(self, "on_" + _HANDLERS.get(token.kind, token.kind))(token)
            self.previous = token
        self.close()

    def close(self) -> None:
        if self.run.parts:
            self.runs.append(self.run)
        self.run = _Run(lead=self.lead)

    def next_to_value(self) -> None:
        """A value follows a value. With no word between, as in "1/2 (68) + 10", they may mean a product."""
        adjacent = self.run.gap == 0
        self.close()
        self.run.cut = adjacent

    def peek(self, ahead: int = 0) -> Token | None:
        return self.tokens[self.at + ahead] if self.at + ahead < self.last else None

    def value_within(self, words: int) -> bool:
        """Does a value follow, at most this many words on?"""
        for ahead in range(words + 1):
            token = self.peek(ahead)
            if token is not None and token.kind == "$":
                token = self.peek(ahead + 1)
            if token is None or token.kind != "word" or token.text.lower() in _BREAKS:
                return token is not None and token.kind in _OPERAND_STARTS
        return False

    def variable(self, token: Token) -> None:
        if not self.run.wants_value() and self.run.end < token.start:  # unlike 3x
            self.close()
        self.run.add("name", token.text, token)

    # one method a kind of token

    def on_currency(self, token: Token) -> None:
        self.run.units.append("$")

    def on_number(self, token: Token) -> None:
        text = token.text
        if not self.run.wants_value():
            if self.mixed(token):
                return
            self.next_to_value()
        below = self.fraction_below(token)
        if below is not None and self.spaced_slash and self.run.parts and self.run.parts[-1][1] == "/":
            self.at += 2  # 60 / 3/4
            self.run.add("value", f"{text}/{below.text}", Token("number", "", token.start, below.end))
        else:
            self.run.add("value", text, token)

    def fraction_below(self, above: Token) -> Token | None:
        """The 4 of a tightly written 3/4."""
        slash, below = self.peek(), self.peek(1)
        if slash is None or below is None or slash.text != "/" or below.kind != "number":
            return None
        return below if above.end == slash.start and slash.end == below.start else None

    def mixed(self, token: Token) -> bool:
        """2 1/2 and "1 and 1/4": a whole number, then a tight fraction below one."""
        kind, whole, _, _ = self.run.parts[-1]
        below = self.fraction_below(token)
        if kind != "value" or below is None or not (whole + token.text + below.text).isdigit():
            return False
        following = self.peek(2)
        if self.run.gap and following is not None and following.text == "of":  # 25 and 1/2 of 50
            return False
        if (self.run.gap and not (self.run.gap == 1 and "and" in self.run.units[-2:])) or not (
            (len(token.text), token.text) < (len(below.text), below.text)
        ):
            return False
        self.at += 2
        start = self.run.parts.pop()[2]
        self.run.add("value", f"({whole} {token.text}/{below.text})", Token("number", "", start, below.end))
        return True

    def on_vulgar(self, token: Token) -> None:
        text = VULGAR[token.text]
        if not self.run.wants_value():
            kind, whole, start, end = self.run.parts[-1]
            if kind == "value" and whole.isdigit() and token.start - end <= 1:
                self.run.parts.pop()
                self.run.add("value", f"({whole} {text})", Token("number", "", start, token.end))
                return
            self.close()
        self.run.add("value", text, token)

    def on_name(self, token: Token) -> None:
        if not self.run.wants_value():
            self.close()
        self.run.add("name", token.text, token)

    def on_percent(self, token: Token) -> None:
        if not self.run.wants_value() and self.run.gap == 0:
            self.run.add("%", "%", token)

    def on_open(self, token: Token) -> None:
        inside = self.inside_bracket()
        factor = not self.run.wants_value() and self.run.end == token.start
        if inside and inside[0].kind == "word" and len(inside[0].text) > 1:
            if factor:  # 4(number of tickets)
                self.run.add("op", "*", token)
                self.run.add("name", inside[0].text, inside[0])
            if factor or not self.run.wants_value() or all(part.kind == "word" for part in inside):
                self.run.units += [part.text for part in inside if part.kind == "word"]
                self.at += len(inside) + 1  # (who has 5 oranges): a remark
                return
        if factor and (
            self.value_within(0) or inside and inside[0].kind in ("word", "op")
        ):  # 3(4), 3(x), 3(-4)
            self.run.add("op", "*", token)
        elif not self.run.wants_value():
            self.next_to_value()
        self.run.add("(", "(", token)

    def inside_bracket(self) -> list[Token]:
        """The tokens up to the matching bracket; [] where it does not close between the two marks."""
        depth = 1
        for ahead in range(MAX_GAP * 2):
            token = self.peek(ahead)
            if token is None:
                break
            depth += (token.kind == "(") - (token.kind == ")")
            if depth == 0:
                return self.tokens[self.at : self.at + ahead]
        return []

    def on_close(self, token: Token) -> None:
        opened = sum((kind == "(") - (kind == ")") for kind, *_ in self.run.parts)
        if opened and not self.run.wants_value():
            self.run.add(")", ")", token)
        elif self.run.parts:
            if not self.run.wants_value():
                self.run.add(")", ")", token)  # balance() cuts here
            self.close()

    def on_op(self, token: Token) -> None:
        following = self.peek()
        text = {"**": "^", "÷": "/"}.get(token.text, token.text)
        if (
            text == "/"
            and following is not None
            and following.kind == "word"
            and not self.is_variable(following)
        ):
            self.at += 1  # miles/hour
            self.run.units.append("/" + following.text)
            return
        if text == "^" and self.run.gap and following is not None and following.kind == "number":
            self.at += 1  # m^2
            return
        if (
            text == "-"
            and self.run.gap
            and self.previous.text in _BEFORE_A_SIGN
            and self.previous.end < token.start
        ):
            if following is not None and following.start == token.end:
                self.close()  # it fell from 3 to -6 + 2
        if self.run.wants_value():
            tight = (
                following is not None and following.start == token.end and following.kind in _OPERAND_STARTS
            )
            before = self.previous
            if (
                text in "+-"
                and tight
                and (self.run.parts or before is None or before.end < token.start or before.kind == "$")
            ):
                self.run.add("sign", text if text == "-" else "", token)
            elif text in "+-" and not self.run.parts and self.previous is None and self.value_within(0):
                self.run.add("sign", text if text == "-" else "", token)
            else:  # price * 5: a word stands where a value should
                before = (
                    self.previous if self.previous is not None and self.previous.kind == "word" else token
                )
                self.run.add("name", before.text, before)
                self.run.add("op", text, token)
        elif self.run.gap > MAX_GAP:
            self.close()
            self.variable(self.previous)
            self.run.add("op", text, token)
        else:
            self.run.add("op", text, token)
        self.spaced_slash = token.text == "÷" or (
            text == "/"
            and (
                (self.previous is not None and self.previous.end < token.start)
                or (following is not None and following.start > token.end)
            )
        )

    def is_variable(self, token: Token) -> bool:
        return len(token.text) == 1 and token.text not in _ARTICLES and token.text not in _UNIT_LETTERS

    def on_word(self, token: Token) -> None:
        lower = token.text.lower()
        if lower in _BREAKS and not self.run.wants_value():
            self.word(token)
            self.close()
        elif self.run.wants_value():
            self.word_for_value(token)
        elif lower in _OPERATOR_WORDS and self.value_within(0):
            self.run.add("op", _OPERATOR_WORDS[lower], token)
        elif lower in ("divided", "multiplied") and self.peek() is not None and self.peek().text == "by":
            self.at += 1
            if self.value_within(0):
                self.run.add("op", "/" if lower == "divided" else "*", token)
        elif lower == "of" and self.run.gap == 0 and self.is_share():
            self.of(token)
        elif len(token.text) == 1 and self.run.gap == 0:
            self.letter(token)
        elif len(token.text) == 1 and self.beside_operator():
            self.variable(token)
        else:
            self.word(token)

    def of(self, token: Token) -> None:
        """25% of the 80: "of" multiplies when a number follows, and else names a thing."""
        ahead = 0
        while (word := self.peek(ahead)) is not None and word.text.lower() in _DETERMINERS and ahead < 2:
            ahead += 1
        if word is not None and word.kind in _OPERAND_STARTS:
            self.at += ahead
            self.run.of = True
            self.run.add("op", "*", token)
        else:
            self.run.of_thing = True
            self.word(token)

    def letter(self, token: Token) -> None:
        """A letter straight after a value: 3x and 5 t are products; 5m and 5 m may be metres."""
        attached = self.run.end == token.start
        if token.text in _UNIT_LETTERS:
            self.run.letters = self.run.letters or attached
            self.word(token)
        elif attached or self.is_variable(token):
            self.run.add("name", token.text, token)
        elif self.beside_operator():
            self.variable(token)
        else:
            self.word(token)

    def word(self, token: Token) -> None:
        self.lead = [*self.lead, token.text][-6:]
        self.run.gap += 1
        self.run.units.append(token.text)

    def word_for_value(self, token: Token) -> None:
        if not self.run.parts:
            if len(token.text) == 1 and self.beside_operator():
                self.variable(token)
            else:
                self.lead = [*self.lead, token.text][-6:]
                self.run.lead = self.lead
        elif (len(token.text) > 1 or token.text in _ARTICLES) and self.value_within(2):
            pass  # 5 + another 3
        else:
            self.variable(token)

    def beside_operator(self) -> bool:
        following = self.peek()
        return (following is None and self.at < len(self.tokens) and self.tokens[self.at].kind == "=") or (
            following is not None and following.kind in ("op", ")")
        )

    def is_share(self) -> bool:
        """Is the last value a share (25%, 1/2, 0.4), so that "of" multiplies?"""
        parts = self.run.parts
        kind, text, _, _ = parts[-1]
        return kind in ("%", ")") or "/" in text or text.startswith(("0.", ".")) or self.run.is_tight_fraction


_HANDLERS = {"(": "open", ")": "close", "%": "percent", "$": "currency"}

_HINTS = set(
    "about approximately approx roughly around nearly almost only just exactly a total of usd rs".split()
)
_ABOUT = re.compile(
    r"\b(?:about|approx\w*|roughly|around|nearly|almost|round(?:s|ed|ing)?|nearest|closest|estimat\w+"
    r"|remain\w*|left\s?over|full|whole)\b|[≈~≅…]|\.\.",
    re.IGNORECASE,
)
_ABOUT_WITHIN = 60  # characters before and after a claim in which such a word counts


def _sides(tokens: list[Token]) -> Iterator[tuple[_Run, _Run]]:
    """The run on either side of each equals sign that has both."""
    first = 0
    before_sign: _Run | None = None
    for index in range(len(tokens) + 1):
        kind = tokens[index].kind if index < len(tokens) else "stop"
        if kind not in ("=", "stop"):
            continue
        after_sign = first > 0 and tokens[first - 1].kind == "="
        runs = _Fold(tokens, first, index).runs if after_sign or kind == "=" else []
        if before_sign is not None and runs:
            yield before_sign, runs[0]
        before_sign = None
        if kind == "=" and runs and not runs[-1].wants_value() and runs[-1].gap <= MAX_GAP:
            before_sign = runs[-1]
        first = index + 1


def _claims(text: str) -> Iterator[Claim]:
    for left, right in _sides(_tokens(text)):
        left, right = replace(left, parts=list(left.parts)), replace(right, parts=list(right.parts))
        if not all(word.lower() in _HINTS for word in right.lead):
            continue
        right.trim()
        left.balance()
        right.balance()
        if not left.parts or not right.parts or len(left.parts) == 1 and left.is_unknown:
            continue
        if len(right.parts) == 1 and right.is_unknown:
            continue
        about = _ABOUT.search(text, max(0, left.start - _ABOUT_WITHIN), right.end + _ABOUT_WITHIN) is not None
        claim = Claim(
            text[left.start : left.end] if left.is_unknown else left.expression(),
            text[right.start : right.end] if right.is_unknown else right.expression(),
            left.start,
            right.end,
            about,
        )
        yield _settle_mismatch(claim, left, right, text)


def _settle_mismatch(claim: Claim, left: _Run, right: _Run, text: str) -> Claim:
    """The claim as it is where its sides agree or cannot be read; else what its words allow it to be."""
    value, other = evaluate(claim.left).value, evaluate(claim.right).value
    if value is None or other is None or value == other:
        return claim
    # "5 * 60 = 300 + 58 = 358" runs on: the first equals sign speaks of 300 only.
    if right.has_operator and not right.is_tight_fraction and right.parts[0][0] == "value":
        first = _Run(parts=right.parts[:1])
        if evaluate(first.expression()).value == value:
            return replace(claim, right=first.expression(), end=first.end)
    # "3 weeks = 3 * 7 days" and "the cost of 3 apples = 5 * 3" name a thing; they do not say that 3 is 21.
    names_a_thing = left.is_single and right.has_operator and (left.lead or left.has_units or left.is_percent)
    loose = (
        names_a_thing
        or left.is_unknown
        or right.is_unknown
        or left.is_portion(value)
        or (left.of and any(part[1] in ("+", "-") for part in left.parts))
        or left.letters
        or right.letters
        or left.cut
        or right.of
        or _is_conversion(value, other, left, right, text)
    )
    return replace(claim, loose=bool(loose))


_UNIT_KINDS = {
    name: (kind, name)
    for kind, names in {
        "money": "$ cent dollar",
        "time": "second minute hour day week month year",
        "length": "inch inche foot feet yard mile m cm km meter metre centimeter kilometer",
        "amount": "ounce oz pound lb ton gram g kilogram kg milliliter ml liter litre l cup pint quart gallon",
    }.items()
    for name in names.split()
}
_SCALE = re.compile(r"\b(?:hundred|thousand|million|billion|dozen)s?\b", re.IGNORECASE)
_FACTORS = {
    Fraction(factor)
    for factor in (3, 4, 7, 8, 12, 16, 24, 28, 30, 36, 52, 60, 100, 365, 1000, 3600, 5280, 10000)
}


def _is_conversion(value: Fraction, other: Fraction, left: _Run, right: _Run, text: str) -> bool:
    """Could other units explain the mismatch: $1 / 2 = 50 cents, 5 * 3 = 15,000 (thousand dollars)?"""
    if value == 0 or other == 0:
        return False
    ratio = max(value / other, other / value)
    if ratio in (100, 1000, 10**6, 10**9, 12) and _SCALE.search(text):
        return True
    return left.units_of_a_kind(right) and (ratio in _FACTORS or left.is_sum)


def find_claims(text: str) -> list[Claim]:
    """Every pair of sides with an equals sign between them, in order of appearance; [] for text without one.

    A GSM8K annotation (<<48/2=24>>) is read where the sentence around it does not already say the same.
    """
    text = text[:MAX_TEXT]
    if "=" not in text and "≈" not in text:
        return []
    cleaned, origin = _cleaned(text)
    claims = list(_claims(cleaned))
    if origin is not None:
        claims = [
            replace(claim, start=origin[claim.start], end=origin[claim.end - 1] + 1) for claim in claims
        ]
    said = {(claim.left, claim.right) for claim in claims}
    for note in _NOTE.finditer(text):
        for claim in _claims(plain(note[1])):
            if (claim.left, claim.right) not in said:
                claims.append(
                    replace(claim, start=claim.start + note.start(1), end=claim.end + note.start(1))
                )
    return sorted(claims, key=lambda claim: claim.start)


_NOTE = re.compile(r"<<([^<>\n]{0,200})>>")
_OPEN_END = re.compile(r"=\s*(?:\\?[$€£]\s*)?$")


def open_expression(text: str) -> str | None:
    """The arithmetic that a text ending in "=" has just left open: "so 15 / 3 =" gives "15 / 3".

    None unless it has an operator, no variable, and a value. Reads at most LOOK_BACK characters of the line. Also
    None where the value cannot be trusted to be what comes next: 1/2 cup =, 2 hours + 30 minutes =.
    """
    end = _OPEN_END.search(text, max(0, len(text) - 8))
    if end is None or "\n" in end.group():
        return None
    begin = max(text.rfind("\n", 0, end.start()) + 1, end.start() - LOOK_BACK)
    line, _ = _cleaned(text[begin : end.start()])
    tokens = _tokens(line)
    first = max((index + 1 for index, token in enumerate(tokens) if token.kind in ("=", "stop")), default=0)
    if line[-1:] in ("=", "<", ">", "!"):
        return None
    runs = _Fold([*tokens, Token("=", "=", len(line), len(line) + 1)], first, len(tokens)).runs
    if not runs or runs[-1].wants_value() or runs[-1].gap > MAX_GAP:
        return None
    run = runs[-1]
    cut = begin > 0 and text[begin - 1] != "\n" and run.start == tokens[0].start
    run.balance()
    if cut or run.cut or not run.has_operator or run.is_unknown or run.letters:
        return None
    if run.is_sum and run.units_of_a_kind():  # 2 hours + 30 minutes
        return None
    expression = run.expression()
    value = evaluate(expression).value
    return expression if value is not None and not run.is_portion(value) else None
