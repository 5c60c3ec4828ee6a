"""One number as people write it: "$1,234.50", "3 1/2 cups", "twenty-five", or the reason why it is not one.

Exact and bounded: a number with an unclear comma, a range, a calculation or two numbers that disagree are refused,
and a refusal has a name. Where in a reply the number stands is for `answers` to find.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction

from mathtutor.maths.arithmetic import MAX_DIGITS, MAX_EXPONENT, VULGAR, plain


@dataclass(frozen=True)
class Answer:
    """What was read, or why nothing was.

    value     exact; None with a refusal
    rule      what found it: "answer is", "####", "boxed", "bold", "last number", "typed", "time", "none", or
              the name of the reading
    cut_off   the reply opened <think> and never closed it
    text      the characters that were read as the number (for a refusal: that were refused)
    refusal   one of the REFUSALS, or None
    crashed   the published code behind this reading raises on this reply
    """

    value: Fraction | None
    rule: str
    cut_off: bool = False
    text: str = ""
    refusal: str | None = None
    crashed: bool = False


NO_NUMBER = "no number"
EMPTY = "empty"
LONG = "too long"
CUT_OFF = "cut off before the answer"
TWO_ANSWERS = "two different answers"
RANGE = "a range or a subtraction, not one number"
CALCULATION = "a calculation, not its result"
NOT_FINITE = "not a finite number"
ZERO_DIVISION = "division by zero"
SEPARATORS = "unclear comma or point"
DIGITS = "too many digits"
EXPONENT = "exponent too large"
COMPOUND = "compound units, not one number"
CLOCK = "a time of day, not a number"
REFUSALS = (NO_NUMBER, EMPTY, LONG, CUT_OFF, TWO_ANSWERS, RANGE, CALCULATION, NOT_FINITE, ZERO_DIVISION,
            SEPARATORS, DIGITS, EXPONENT, COMPOUND, CLOCK)  # fmt: skip


# --- in digits ----------------------------------------------------------------------------------------------

_VULGAR = "[" + "".join(VULGAR) + "]"
_NUMBER = re.compile(
    rf"""
    (?P<sign>(?<![\w.)])[-+](?:\s?[$€£]\s?)?)?                        # -5, -$5, and not the hyphen of 10-5
    (?:
        (?P<digits>\d{{1,3}}(?:[ ]\d{{3}})+(?![,.]?\d|/\d)
                 | \d[\d,.]{{0,200}}\d | \d | \.\d{{1,200}})          # anything number-like: judged in _magnitude
        (?P<exp>[eE][+-]?\d{{1,9}}(?!\w|\.\d))?
        (?P<fraction>\s?{_VULGAR} | \s+(?:and\s+)?\d{{1,60}}\s?/\s?\d{{1,60}}(?![\d/]|\.\d)
                   | \s?/\s?\d{{1,60}}(?![\d/]|\.\d))?
        (?P<minutes>:[0-5]\d(?![\d:]))?
      | (?P<vulgar>{_VULGAR})
    )
    """,
    re.VERBOSE,
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?: \d{3})+|\d*(?:\.\d+)?")
_SCALES = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
}  # fmt: skip
_SCALE = re.compile(rf"\s?({'|'.join(_SCALES)})\b", re.IGNORECASE)
_NOT_FINITE = re.compile(r"\b(?:nan|infinity|infinite|inf)\b|∞", re.IGNORECASE)


class _Refused(Exception):
    pass


def _value(match: re.Match[str], text: str) -> tuple[Fraction, int]:
    """The exact value of one written number and the place where it ends; raises _Refused with the reason."""
    value, end = _magnitude(match), match.end()
    if scale := _SCALE.match(text, end):
        value *= _SCALES[scale[1].lower()]
        end = scale.end()
    elif text[end : end + 1] == "%":
        end += 1
    return (-value if (match["sign"] or "").startswith("-") else value), end


def _magnitude(match: re.Match[str]) -> Fraction:
    value = Fraction(VULGAR[match["vulgar"]] if match["vulgar"] else 0)
    if digits := match["digits"]:
        if sum(map(str.isdigit, digits)) > MAX_DIGITS:
            raise _Refused(DIGITS)
        if not _GROUPED.fullmatch(digits):
            raise _Refused(SEPARATORS)
        value = Fraction(digits.replace(",", "").replace(" ", ""))
    if match["exp"]:
        power = int(match["exp"][1:])
        if abs(power) > MAX_EXPONENT:
            raise _Refused(EXPONENT)
        value *= Fraction(10) ** power
    if part := (match["fraction"] or "").strip().removeprefix("and").strip():
        above, _, below = VULGAR.get(part, part).partition("/")
        if not int(below):
            raise _Refused(ZERO_DIVISION)
        value = value + Fraction(int(above), int(below)) if above else value / int(below)  # 3 1/2, or 3/4
    if match["minutes"]:
        value += Fraction(int(match["minutes"][1:]), 60)
    return value


def _is_again(value: Fraction, text: str, start: int) -> bool:
    """Is the next number the same one: "1/2 or 0.5"?"""
    match = _NUMBER.search(text, start)
    try:
        return match is not None and _value(match, text)[0] == value
    except _Refused:
        return False


# --- without its wrapping -----------------------------------------------------------------------------------

_FRAC = re.compile(r"\\[dt]?frac\s?\{\s?(-?[\d,.]{1,60})\s?\}\s?\{\s?([\d,.]{1,60})\s?\}")
_LATEX = re.compile(
    r"\\(?:text|mathrm|mathbf|textbf|boxed)\s?\{|\\(?:left|right)(?![a-z])|\\[,;:! ()\[\]]|\\(?=[$%])"
)
_WRAPPERS = str.maketrans({"{": " ", "}": " ", "`": " ", "<": " ", ">": " "})


def _unwrapped(text: str) -> str:
    """Without LaTeX and brackets of markup: "3\\frac{1}{2}" is "3 1/2"."""
    if "\\" in text:
        text = _FRAC.sub(r" \1/\2", text)
        text = _LATEX.sub(" ", text)
    return plain(text.replace("{,}", ",")).translate(_WRAPPERS)


# --- the first number, and what follows it ------------------------------------------------------------------

_NEXT = r"\s?(?=[$€£(]?\s?[-+]?[\d.])"
_OPERATES = r"(?:plus|minus|times|(?:divided|multiplied)\s+by|mod)"
_UNITS_OF_A_KIND = (
    "years?|months?|weeks?|days?|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s",
    "miles?|yards?|yds?|feet|foot|ft|inch(?:es)?|in|'|′|\"|″",
    "kilometers?|kilometres?|km|meters?|metres?|m|centimeters?|centimetres?|cm|millimeters?|millimetres?|mm",
    "pounds?|lbs?|ounces?|oz|tons?|kilograms?|kg|grams?|g",
    "gallons?|quarts?|pints?|cups?|liters?|litres?|l|milliliters?|millilitres?|ml",
    "dollars?|cents?|quarters?|dimes?|nickels?|penn(?:y|ies)",
)
_AMOUNT = r"(?:\d[\d,.]*|[a-z]+(?:-[a-z]+)?)"
# 3 hours and 20 minutes: one unit, then a number of another of its kind (of the same one: 3 hours or 4 hours).
_COMPOUND = re.compile(
    "|".join(
        rf"[\s*]*(?P<u{i}>{units})(?![a-z]),?\s*(?:and\s+)?(?=\S){_AMOUNT}\s*"
        rf"(?!(?P=u{i})(?![a-z]))(?:{units})(?![a-z])"
        for i, units in enumerate(_UNITS_OF_A_KIND)
    ),
    re.IGNORECASE,
)
_FOLLOWED_BY = (
    (_COMPOUND, COMPOUND),
    (re.compile(r"\s*[⁰¹²³⁴-⁹]|\s+(?:squared|cubed)\b", re.IGNORECASE), CALCULATION),
    (re.compile(rf"\s+{_OPERATES}\s+(?=[$€£(]?[-+]?[\d.])", re.IGNORECASE), CALCULATION),
    (re.compile(r"\s*-" + _NEXT + r"|\s+to\s+(?=[$€£]?\d)"), RANGE),
    (re.compile(r"\s*(?:[*+/÷^]|\bx\b)" + _NEXT), CALCULATION),
    (
        re.compile(r"[^.\d;\n]{0,40}?\bor\s+(?=[$€£]?[-\d.])|\s+and\s+(?=[$€£]?[-\d.])", re.IGNORECASE),
        TWO_ANSWERS,
    ),
)
_OTHER = re.compile(rf"(?<![A-Za-z\d^])(?:\d|{_VULGAR})")  # but not the 2 of "5 cm2" and "5 m^2"
_SUM = re.compile(r"[-+*/÷^]|\bx\b")
_REASON = re.compile(r"[,;]|[^-+*/÷^x(\s]\s*\(|\b(?:because|since|as|so|from|where|for|if)\b", re.IGNORECASE)


def read_number(text: str, rule: str, alone: bool = False) -> Answer | None:
    """The first number of a short text, or None where it holds none.

    "5 * 3 = 15" is 15. alone: a second, different number anywhere makes two answers.
    """
    text = _unwrapped(text).strip()
    if text.startswith("- "):
        text = "-" + text[2:].lstrip()
    match = _NUMBER.search(text)
    infinite = _NOT_FINITE.search(text)
    if infinite and (match is None or infinite.start() < match.start()):
        return Answer(None, rule, text=infinite.group(), refusal=NOT_FINITE)
    if match is None:
        return None
    match = _result(match, text)
    try:
        value, end = _value(match, text)
    except _Refused as refused:
        return Answer(None, rule, text=match.group().strip(), refusal=str(refused))
    start = match.start()
    if _ROOT.search(text, max(0, start - 8), start):
        return Answer(None, rule, text=text[:80], refusal=CALCULATION)
    if (minus := _MINUS_BEFORE.search(text[max(0, start - 40) : start])) and value > 0:
        value, start = -value, start - len(minus["minus"])
    elif whole := _words_before(text, match, alone):
        if whole.refusal:
            return replace(whole, rule=rule)
        if value.denominator > 1 and 0 < value < 1:
            value, start = value + whole.value, 0
    for pattern, refusal in _FOLLOWED_BY:
        more = pattern.match(text, end)
        if more and not (refusal == TWO_ANSWERS and _is_again(value, text, more.end())):
            return Answer(None, rule, text=text[start : more.end() + 20].strip(), refusal=refusal)
    more = _OTHER.search(text, end) if alone else None
    if more and not (text[end : more.start()].strip() and _is_again(value, text, more.start())):
        return Answer(None, rule, text=text[:80], refusal=TWO_ANSWERS)
    rule = "time" if match["minutes"] and alone else rule
    return Answer(value, rule, text=text[start:end].strip())


_ROOT = re.compile(r"(?:[√∛]|sqrt)\s?\(?\s?$")
_MINUS_BEFORE = re.compile(
    r"(?:^|[:=,(*]|\b(?:is|was|be|are|to|of|at|answer|approximately|about|now))[\s*_]*"
    r"(?P<minus>(?:minus|negative)\s+[$€£]?\s?)$",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(?:half|quarter)\s+(?:past|to|after)\b|\bo['’]?clock\b", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+$", re.IGNORECASE)
_CHANGES = re.compile(r"\b(?:half|halves|twice|double|triple|thirds?|quarters?|fifths?)\b", re.IGNORECASE)


def _words_before(text: str, match: re.Match[str], alone: bool) -> Answer | None:
    """The five of "five and 3/4"; or, in a text that is nothing but the number, why words before it refuse it."""
    before = text[: match.start()]
    if joined := _AND.search(before):
        words = read_words(before[: joined.start()], "")
        if (
            words is not None
            and words.value.denominator == 1
            and words.text == before[: joined.start()].strip()
        ):
            return words
    if alone and _CLOCK.search(before):
        return Answer(None, "", text=text[:80], refusal=CLOCK)
    return (
        Answer(None, "", text=text[:80], refusal=CALCULATION) if alone and _CHANGES.search(before) else None
    )


def _result(match: re.Match[str], text: str) -> re.Match[str]:
    """The 15 of "5 * 3 = 15", for its 5; but the 5 itself in "5, because 2 + 4 = 6", whose sum only explains."""
    equals = text.rfind("=")
    if equals <= match.end():
        return match
    between = "5" + text[match.end() : equals]
    result = _NUMBER.search(text, equals)
    is_sum = result is not None and _SUM.search(between) and not _REASON.search(between)
    return result if is_sum else match


def holds_number(text: str) -> bool:
    return _NUMBER.search(text) is not None


_UNFINISHED = re.compile(r"[\d)]\s?([-+*/÷])\s?$")


def read_last_number(text: str, rule: str) -> Answer | None:
    """The last number of a text of any length, or None where it holds none."""
    text = _unwrapped(text)
    last = next(iter(deque(_NUMBER.finditer(text), maxlen=1)), None)
    if last is None:
        return None
    if before := _UNFINISHED.search(text, max(0, last.start() - 4), last.start()):  # "x = 10-3"
        refusal = RANGE if before[1] == "-" else CALCULATION
        return Answer(None, rule, text=text[before.start() : last.end()], refusal=refusal)
    try:
        value, end = _value(last, text)
    except _Refused as refused:
        return Answer(None, rule, text=last.group().strip(), refusal=str(refused))
    before = text[max(0, last.start() - 40) : last.start()]
    if (number := next(iter(deque(_NUMBER.finditer(before), maxlen=1)), None)) is not None:
        both = before[number.end() :] + text[last.start() : end + 20]
        if (more := _COMPOUND.match(both)) and more.end() > len(before) - number.end():
            return Answer(
                None, rule, text=(before[number.start() :] + text[last.start() : end]), refusal=COMPOUND
            )
    if (minus := _MINUS_BEFORE.search(before)) and value > 0:
        return Answer(-value, rule, text=minus["minus"] + text[last.start() : end].strip())
    return Answer(value, rule, text=text[last.start() : end].strip())


# --- in words -----------------------------------------------------------------------------------------------

_UNITS = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty".split())}  # fmt: skip
_TENS = {word: 10 * value for value, word in enumerate(
    "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}  # fmt: skip
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fifth": 5, "fifths": 5,
}  # fmt: skip
_MINUS = ("minus", "negative")
_NUMBER_WORDS = {*_UNITS, *_TENS, *_PARTS, "a", "hundred", "dozen", "thousand"}
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_MAX_WORDS = 16


def read_words(text: str, rule: str) -> Answer | None:
    """Number words at the beginning: "five apples", "twenty-five", "two and a half", "minus three"."""
    matches = list(_WORD.finditer(text[:200]))[:_MAX_WORDS]
    words = [match.group().lower() for match in matches]
    signs = next((index for index, word in enumerate(words) if word not in _MINUS), len(words))
    value, used = _sum_of_words(words[signs:])
    if not used or text[: matches[0].start()].strip(" \t*_$:,\"'("):
        return None
    end = matches[signs + used - 1].end()
    written = text[matches[0].start() : end]
    if _CLOCK.match(written[written.rfind(" ") + 1 :] + text[end : end + 12]):  # half past three
        return Answer(None, rule, text=text[:80], refusal=CLOCK)
    if _COMPOUND.match(text, end):
        return Answer(None, rule, text=text[:80], refusal=COMPOUND)
    return Answer(-value if signs else value, rule, text=written)


def _sum_of_words(words: list[str]) -> tuple[Fraction, int]:
    """The value of the number words that a list begins with, and how many of its words they take."""
    total, group, used = Fraction(0), Fraction(0), 0  # group: what a "thousand" that follows would multiply
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        if word == "and" and used and following in _UNITS and _PARTS.keys() & words[index + 2 : index + 3]:
            total, group = total + group, Fraction(0)  # two and three quarters
            continue
        if word in _PARTS and (used or word == "half" or words[:index] == ["a"]):
            part = Fraction(1, _PARTS[word])
            if used and index >= 2 and words[index - 1] in ("a", "one"):  # two and a half
                total += part
                group -= words[index - 1] == "one"
            else:  # three quarters
                group = (group or 1) * part
            if words[index + 1 : index + 3] == ["a", "dozen"]:  # half a dozen
                return total + group * 12, index + 3
            return total + group, index + 1
        if word in _UNITS or word in _TENS:
            group += _UNITS.get(word, _TENS.get(word, 0))
        elif word in ("hundred", "dozen"):
            group = (group or 1) * _SCALES[word]
        elif word in _SCALES and used:
            total, group = total + group * _SCALES[word], Fraction(0)
        elif (word == "a" or (word == "and" and used)) and following in _NUMBER_WORDS:
            continue  # taken only together with what follows
        else:
            break
        used = index + 1
    return total + group, used
