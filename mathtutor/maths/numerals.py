"""One number as people write it: "$1,234.50", "3 1/2 cups", "twenty-five", or the reason why it is not one.

Exact and bounded: a number with an unclear comma, a range, a calculation, a part of a formula or two numbers that disagree
are refused, and a refusal has a name. Where in a reply the number stands is for `answers` to find.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from fractions import Fraction

from mathtutor.maths.arithmetic import MAX_DIGITS, MAX_EXPONENT, VULGAR
from mathtutor.maths.formulas import (
    COMMAND,
    COMPOUND_UNITS,
    MINUS_BEFORE,
    end_of_name,
    inequality,
    refusal_before,
    refusal_of_time,
    refusals_behind,
    unwrapped,
)
from mathtutor.maths.refusals import (
    CALCULATION,
    CLOCK,
    COMPOUND,
    DIGITS,
    EXPONENT,
    NO_NUMBER,
    NOT_FINITE,
    RANGE,
    SEPARATORS,
    TWO_ANSWERS,
    ZERO_DIVISION,
    Answer,
)
from mathtutor.maths.words import PARTS, SCALES, TENS, UNITS, sum_of_words

# --- in digits ----------------------------------------------------------------------------------------------

_VULGAR = "[" + "".join(VULGAR) + "]"
_WRITTEN_NUMBER = rf"""
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
    """
_NUMBER = re.compile(_WRITTEN_NUMBER, re.VERBOSE)
# "not 18", "isn't **18**", "rather than 18"; "18? No"
_DENIED = re.compile(
    rf"""
    (?:(?:\b(?:not|never|cannot|no\ longer|anything\ but|rather\ than|instead\ of|different\ from|unequal\ to)|n['’]t)\b
       (?:[\s*_]{{1,4}}(?:be|equal\ to|exactly|just|simply))?[\s*_$"“(]{{1,6}})
    {_WRITTEN_NUMBER}
    | (?<![\d.,])\d[\d,.]{{0,20}}(?=\?\s+(?:no|wait)\b|(?:\.\.\.|,)\s+wait\b|\ is\ (?:wrong|incorrect|too)\b)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_STRUCK, _CORRECTED = "∄", re.compile(r"\b(?:but|is|rather|so|instead|no|wait)\b|['’]s\b|=", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?: \d{3})+|\d*(?:\.\d+)?")
_SCALE = re.compile(rf"(?:\s?|[ ~]{{2,6}})({'|'.join(SCALES)})\b", re.IGNORECASE)
# 5 and a half
_AND_A_PART = re.compile(rf"[ ]{{1,4}}and[ ]{{1,4}}(?:an?[ ]|(?P<n>one|two|three|four)[ ])?(?P<part>{'|'.join(PARTS)})\b(?![ ](?:of[ ]|dozen))", re.IGNORECASE)
_PERCENT = re.compile(r"[ ]{0,2}%")
_NOT_FINITE = re.compile(r"\b(?:nan|infinity|infinite(?:ly)?|inf)\b|∞", re.IGNORECASE)


class _Refused(Exception):
    pass


def _value(match: re.Match[str], text: str) -> tuple[Fraction, int]:
    """The exact value of one written number and the place where it ends; raises _Refused with the reason."""
    value, end = _magnitude(match), match.end()
    if value.denominator == 1 and (part := _AND_A_PART.match(text, end)):
        value += Fraction(UNITS.get((part["n"] or "").lower(), 1), PARTS[part["part"].lower()])
        end = part.end()
    if scale := _SCALE.match(text, end):
        value *= SCALES[scale[1].lower()]
        end = scale.end()
    elif percent := _PERCENT.match(text, end):
        end = percent.end()
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


# --- the first number, and what stands around it ------------------------------------------------------------

_OTHER = re.compile(rf"(?<![A-Za-z\d^])(?:\d|{_VULGAR})")  # but not the 2 of "5 cm2" and "5 m^2"
_SUM = re.compile(r"[-+*/÷^]|\bx\b")
_VALUE_OF_X = re.compile(r"\bx\s*\Z")  # of "2 or x = 3", where nothing is multiplied
_SHARE = re.compile(r"(?:%|/\s?\d+)\s+of\b")
_UNKNOWN = re.compile(r"\s?[xyz](?![A-Za-z]|\s?\d)")
_VARIABLE = re.compile(r"(?<![A-Za-z'’\\])[b-zB-HJ-Z](?![A-Za-z])")
_OF_A_NUMBER = re.compile(r"[ ]?\$?\s+of\s+(?:(?:the|those|these|all|her|his|their)\s+)?(?=[$€£]?\d)")
_WHOLE = ("boxed", "gold")  # rules whose text is the answer and no more: "5!" is no exclamation there, "1, 2" are two answers
_REASON = re.compile(r"[,;]|[^-+*/÷^x(\s]\s*\(|\b(?:because|since|as|so|from|where|for|if)\b", re.IGNORECASE)
_EQUALS = re.compile(r"\s*=")
_BRACKETED = re.compile(r"[(\[]\d{1,3},\d{3}[)\]]")
_SPACED_MINUS = re.compile(r"^([\s$(]*)-\s+(?=[$€£]?[\d.])")


def read_number(text: str, rule: str, alone: bool = False) -> Answer | None:
    """The first number of a short text, or None where it holds none.

    "5 * 3 = 15" is 15, "x_1 = 3" is 3, and "f(2)" is refused: a part of a formula does not stand for it. alone: a second,
    different number anywhere makes two answers; so it does in a box, and in a gold answer.
    """
    if bound := inequality(text):
        return Answer(None, rule, text=bound.group()[-80:].strip(), refusal=RANGE)
    text = unwrapped(text)
    text = _SPACED_MINUS.sub(r"\1-", text[end_of_name(text) :].strip())
    if _STRUCK in (text := without_denied(text)):
        return _beside_denied(text, rule, alone)
    answer = _first_number(text, rule, alone)
    if answer is not None and answer.refusal == CALCULATION:  # |-5| = 5
        formula, equals, result = text.rpartition("=")
        if equals and not _REASON.search(formula.replace("(", "")) and not _VARIABLE.search(formula):
            return _first_number(result.strip(), rule, alone) or answer
    return answer


def without_denied(text: str) -> str:
    """The text with a mark in the place of each number that it denies: "20, not 18"."""
    return _DENIED.sub(_STRUCK, text)


def _beside_denied(text: str, rule: str, alone: bool) -> Answer:
    """The 20 of "20, not 18" and "not 18 but 20"; where nothing says what it is instead, no number."""
    before, after = text.split(_STRUCK)[:: text.count(_STRUCK)]
    answer = _first_number(before, rule, alone) or read_words(before, rule)
    if answer is None and _CORRECTED.search(after) and not alone:
        answer = _first_number(after[_CORRECTED.search(after).start() :], rule, alone)
    return answer or Answer(None, rule, text=text[:80], refusal=NO_NUMBER)


def _first_number(text: str, rule: str, alone: bool) -> Answer | None:
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
    start, is_whole = match.start(), rule in _WHOLE
    before, exact = text[max(0, start - 40) : start], text[: about if (about := text.find("≈", end)) >= 0 else None]
    if rule == "boxed" and _EQUALS.match(text, end):  # 5 = 2 + 3
        exact = text[:end]
    if refusal := (is_whole and COMMAND.search(exact) and CALCULATION) or refusal_before(text, start, bool(match["sign"])):
        return Answer(None, rule, text=text[:80], refusal=refusal)
    if _BRACKETED.fullmatch(text) and is_whole:  # (2,500): a point, or 2500?
        return Answer(None, rule, text=text[:80], refusal=SEPARATORS)
    if refusal := rule != "typed" and refusal_of_time(before, text, end, match["minutes"]):
        return Answer(None, rule, text=text[:80], refusal=refusal)
    if (minus := MINUS_BEFORE.search(before)) and value > 0:
        value, start = -value, start - len(minus["minus"] or minus["sign"])
    elif whole := _words_before(text, match, alone):
        if whole.refusal:
            return replace(whole, rule=rule)
        if value.denominator > 1 and 0 < value < 1:
            value, start = value + whole.value, 0
    of_a_number = (value.denominator > 1 or text[end - 1] == "%") and _OF_A_NUMBER.match(text, end)
    if of_a_number or (is_whole and text[end : end + 1] == "!"):  # 20% of 50, 5!
        return Answer(None, rule, text=text[:80], refusal=CALCULATION)
    for more, refusal in refusals_behind(text, end, is_whole):
        if not (refusal == TWO_ANSWERS and _is_again(value, text, more.end())):
            return Answer(None, rule, text=text[start : more.end() + 20].strip(), refusal=refusal)
    more = _OTHER.search(exact, end) if alone or is_whole else None
    if more and not (text[end : more.start()].strip() and _is_again(value, text, more.start())):
        return Answer(None, rule, text=text[:80], refusal=TWO_ANSWERS)
    rule = "time" if match["minutes"] and alone else rule
    return Answer(value, rule, text=text[start:end].strip())


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
            and words.value is not None
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
    between = "5" + _VALUE_OF_X.sub("", text[match.end() : equals])
    result = _NUMBER.search(text, equals)
    is_sum = (
        result is not None
        and not _UNKNOWN.match(text, match.end())
        and (_SUM.search(between) or _SHARE.search(text[match.start() : equals]))
        and not _REASON.search(between)
    )
    return result if is_sum else match


def holds_number(text: str) -> bool:
    return _NUMBER.search(text) is not None


def read_last_number(text: str, rule: str) -> Answer | None:
    """The last number of a text of any length, or None where it holds none: refused for what `read_number` would refuse it for."""
    text = without_denied(unwrapped(text))
    last = deque(_NUMBER.finditer(text), maxlen=2)
    denied = text.rfind(_STRUCK)
    if not last or (denied > last[-1].end() and _SENTENCE_END.search(text, last[-1].end(), denied)):  # "2 + 3 = 5. It is not 6."
        return Answer(None, rule, text=text[max(0, denied - 40) : denied + 1].strip(), refusal=NO_NUMBER) if denied >= 0 else None
    match = last[-1]
    start, shown = match.start(), text[max(0, match.start() - 20) : match.end() + 20].strip()
    try:
        value, end = _value(match, text)
    except _Refused as refused:
        return Answer(None, rule, text=match.group().strip(), refusal=str(refused))
    before = text[max(0, start - 40) : start]
    if (refusal := refusal_before(text, start, bool(match["sign"]), strict=True) or refusal_of_time(before, text, end, match["minutes"])) is None:
        refusal = next((refusal for _, refusal in refusals_behind(text, end, False)), None)
    if refusal is None and len(last) > 1 and start - last[0].end() <= 40:  # "x = 10-3", "5 hours 20 minutes", "20% of 50"
        behind = text[last[0].start() : end + 20]
        first = _NUMBER.match(behind)
        refusal = _goes_on(first, behind, start - last[0].start()) if first else None
    if refusal:
        return Answer(None, rule, text=shown, refusal=refusal)
    if (minus := MINUS_BEFORE.search(before)) and value > 0:
        return Answer(-value, rule, text=(minus["minus"] or minus["sign"]) + text[start:end].strip())
    return Answer(value, rule, text=text[start:end].strip())


_SENTENCE_END = re.compile(r"[.!?]\s|\n")


def _goes_on(first: re.Match[str], text: str, start: int) -> str | None:
    """Why the number that begins a text goes on into the one at `start`, or None where it does not."""
    try:
        value, end = _value(first, text)
    except _Refused:
        return None
    if (value.denominator > 1 or text[end - 1] == "%") and (share := _OF_A_NUMBER.match(text, end)) and share.end() >= start:
        return CALCULATION
    return next((refusal for match, refusal in refusals_behind(text, end, False) if refusal != TWO_ANSWERS and match.end() >= start), None)


# --- in words -----------------------------------------------------------------------------------------------

_MINUS = ("minus", "negative")
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_MAX_WORDS = 16
_WRITTEN = rf"(?:[$€£]?[-\d.]|(?:{'|'.join({**UNITS, **TENS})})\b)"
_WORDS_GO_ON = (
    (re.compile(rf"[^.\d;\n]{{0,40}}?\bor\s+(?={_WRITTEN})|[\s-]+(?:and\s+)?(?={_WRITTEN})|\s+[a-z]{{1,12}}\s+and\s+(?={_WRITTEN})", re.IGNORECASE), TWO_ANSWERS),
    (re.compile(rf"\s+to\s+(?={_WRITTEN})", re.IGNORECASE), RANGE),
    (
        re.compile(rf"\s+(?:of(?:\s+the)?|plus|minus|times|point|over|out\s+of|per|(?:for|in|of)\s+every|(?:more|less|fewer)\s+than)\s+(?={_WRITTEN})|\s+(?:squared|cubed|doubled|halved)\b|\s+(?:hundredth|thousandth|twentieth|sixteenth|twelfth)s?\b|(?<=\bone)\s+in\s+(?={_WRITTEN})|\s*[-+*/^]\s?(?=\d)", re.IGNORECASE),
        CALCULATION,
    ),
)


def read_words(text: str, rule: str) -> Answer | None:
    """Number words at the beginning: "five apples", "twenty-five", "two and a half", "minus three"."""
    matches = list(_WORD.finditer(text[:200]))[:_MAX_WORDS]
    words = [match.group().lower() for match in matches]
    signs = next((index for index, word in enumerate(words) if word not in _MINUS), len(words))
    value, used = sum_of_words(words[signs:])
    if not used or text[: matches[0].start()].strip(" \t*_$:,\"'("):
        return None
    end = matches[signs + used - 1].end()
    written = text[matches[0].start() : end]
    if _CLOCK.match(written[written.rfind(" ") + 1 :] + text[end : end + 12]):  # half past three
        return Answer(None, rule, text=text[:80], refusal=CLOCK)
    for pattern, refusal in ((COMPOUND_UNITS, COMPOUND), *_WORDS_GO_ON):
        if pattern.match(text, end):
            return Answer(None, rule, text=text[:80], refusal=refusal)
    return Answer(-value if signs else value, rule, text=written)
