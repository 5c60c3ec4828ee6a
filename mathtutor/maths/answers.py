"""The number that a reply gives as its answer: "<think>...</think> The answer is $1,234." is Fraction(1234).

Four readings of one reply:
    robust   ours: after the thinking, the last "the answer is", else the last "####", else the last \\boxed{}
             (two of these that disagree are refused), else the last bold number, else the last number; exact,
             bounded, and a refusal has a name
    strict   the benchmark's own: "#### " and a plain number, compared as text with the gold answer's
    synth    the extractor printed on the Synth model cards, floats and crashes included
    q06      the scorer of the Qwen3-0.6B experiments: the last number after the last "####"

The last three reproduce published behaviour, mistakes and all, so that published figures can be checked.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from mathtutor.maths.arithmetic import MAX_DIGITS, MAX_EXPONENT, VULGAR, plain

READINGS = ("robust", "strict", "synth", "q06")
TAIL_CHARS = 4000  # an answer is stated at the end: no more than this is ever searched
MAX_STATEMENTS = 12  # and of the statements in it, no more than the last ones


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


@dataclass(frozen=True)
class Score:
    correct: bool
    answer: Answer
    gold: Fraction | None


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
REFUSALS = (NO_NUMBER, EMPTY, LONG, CUT_OFF, TWO_ANSWERS, RANGE, CALCULATION, NOT_FINITE, ZERO_DIVISION,
            SEPARATORS, DIGITS, EXPONENT)  # fmt: skip


def split_thinking(reply: str) -> tuple[str, str, bool]:
    """(thinking, rest, cut_off). A reply may begin inside a <think> that its prompt opened."""
    close = reply.rfind("</think>")
    opened = reply.rfind("<think>")
    if opened > close:
        return reply[opened + len("<think>") :], "", True
    if close < 0:
        return "", reply, False
    return reply[:close].lstrip().removeprefix("<think>"), reply[close + len("</think>") :], False


# --- one number ---------------------------------------------------------------------------------------------

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


_VULGAR = "[" + "".join(VULGAR) + "]"
_NUMBER = re.compile(
    rf"""
    (?P<sign>(?<![\w.)])[-+](?:\s?[$€£]\s?)?)?                        # -5, -$5, and not the hyphen of 10-5
    (?:
        (?P<digits>\d{{1,3}}(?:[ ]\d{{3}})+(?![,.]?\d|/\d)
                 | \d[\d,.]{{0,200}}\d | \d | \.\d{{1,200}})          # anything number-like: judged in _value
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
_SCALE = re.compile(r"\s?(hundred|thousand|million|billion|trillion|dozen)\b", re.IGNORECASE)
_SCALES = {
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
}
_NOT_FINITE = re.compile(r"\b(?:nan|infinity|infinite|inf)\b|∞", re.IGNORECASE)


class _Refused(Exception):
    pass


def _last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)


def _value(match: re.Match[str], text: str) -> tuple[Fraction, int]:
    """The exact value of one written number and the place where it ends; raises _Refused with the reason."""
    value, end = Fraction(VULGAR[match["vulgar"]] if match["vulgar"] else 0), match.end()
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
        above, slash, below = VULGAR.get(part, part).partition("/")
        if not int(below):
            raise _Refused(ZERO_DIVISION)
        value = value + Fraction(int(above), int(below)) if above else value / int(below)
    if match["minutes"]:
        value += Fraction(int(match["minutes"][1:]), 60)
    if scale := _SCALE.match(text, end):
        value *= _SCALES[scale[1].lower()]
        end = scale.end()
    elif text[end : end + 1] == "%":
        end += 1
    return (-value if (match["sign"] or "").startswith("-") else value), end


_NEXT = r"\s?(?=[$€£(]?\s?[-+]?[\d.])"
_FOLLOWED_BY = (
    (re.compile(r"\s*-" + _NEXT + r"|\s+to\s+(?=[$€£]?\d)"), RANGE),
    (re.compile(r"\s*(?:[*+/÷^]|\bx\b)" + _NEXT), CALCULATION),
    (
        re.compile(r"[^.\d;\n]{0,40}?\bor\s+(?=[$€£]?[-\d.])|\s+and\s+(?=[$€£]?[-\d.])", re.IGNORECASE),
        TWO_ANSWERS,
    ),
)
_OTHER = re.compile(
    rf"(?<![A-Za-z\d^])(?:\d|{_VULGAR})"
)  # a second number, but not the 2 of "5 cm2" and "5 m^2"
_SUM = re.compile(r"[-+*/÷^]|\bx\b")
_REASON = re.compile(r"[,;]|[^-+*/÷^x(\s]\s*\(|\b(?:because|since|as|so|from|where|for|if)\b", re.IGNORECASE)


def _read_number(text: str, rule: str, alone: bool = False) -> Answer | None:
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
    equals = text.rfind("=")
    if equals > match.end():
        between = "5" + text[match.end() : equals]
        result = _NUMBER.search(text, equals)
        if result is not None and _SUM.search(between) and not _REASON.search(between):
            match = result
    try:
        value, end = _value(match, text)
    except _Refused as refused:
        return Answer(None, rule, text=match.group().strip(), refusal=str(refused))
    for pattern, refusal in _FOLLOWED_BY:
        if (more := pattern.match(text, end)) and not (
            refusal == TWO_ANSWERS and _is_again(value, text, more.end())
        ):
            return Answer(None, rule, text=text[match.start() : more.end() + 20].strip(), refusal=refusal)
    if alone and (more := _OTHER.search(text, end)) and not _is_again(value, text, more.start()):
        return Answer(None, rule, text=text[:80], refusal=TWO_ANSWERS)
    return Answer(
        value, "time" if match["minutes"] and alone else rule, text=text[match.start() : end].strip()
    )


def _is_again(value: Fraction, text: str, start: int) -> bool:
    """Is the next number the same one: "1/2 or 0.5"?"""
    match = _NUMBER.search(text, start)
    try:
        return match is not None and _value(match, text)[0] == value
    except _Refused:
        return False


_UNITS = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty".split())}  # fmt: skip
_TENS = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "thirds": 3,
    "quarter": 4,
    "quarters": 4,
    "fifth": 5,
    "fifths": 5,
}
_NUMBER_WORDS = {*_UNITS, *_TENS, *_PARTS, "a", "hundred", "dozen", "thousand"}
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)


def _read_words(text: str, rule: str) -> Answer | None:
    """Number words at the beginning: "five apples", "twenty-five", "two and a half", "minus three"."""
    total, group, seen, end, negative = Fraction(0), Fraction(0), False, 0, False
    words = list(_WORD.finditer(text[:200]))[:16]
    for index, match in enumerate(words):
        word = match.group().lower()
        following = words[index + 1].group().lower() if index + 1 < len(words) else ""
        if word in ("minus", "negative") and not seen:
            negative = True
            continue
        if word in _PARTS and (seen or word == "half"):
            if seen and words[index - 1].group().lower() in ("a", "one") and index >= 2:
                total += Fraction(1, _PARTS[word])  # two and a half
                group -= words[index - 1].group().lower() == "one"
            else:
                group = (group or 1) / Fraction(_PARTS[word])  # three quarters
            seen, end = True, match.end()
            if [later.group().lower() for later in words[index + 1 : index + 3]] == ["a", "dozen"]:
                group, end = group * 12, words[index + 2].end()
            break
        if word in _UNITS or word in _TENS:
            group += _UNITS.get(word, _TENS.get(word, 0))
        elif word == "hundred" or word == "dozen":
            group = (group or 1) * _SCALES[word]
        elif word in _SCALES and seen:
            total, group = total + group * _SCALES[word], Fraction(0)
        elif (word == "and" and seen or word == "a") and following in _NUMBER_WORDS:
            continue
        else:
            break
        seen, end = True, match.end()
    if not seen or text[: words[0].start()].strip(" \t*_$:,\"'("):
        return None
    value = total + group
    return Answer(-value if negative else value, rule, text=text[words[0].start() : end])


# --- robust -------------------------------------------------------------------------------------------------

_STATED = re.compile(
    r"\banswer\b[^.\d\n:=]{0,40}?(?:\b(?:is|would be|should be|equals)\b|:|=)[\s*_:]{0,10}", re.IGNORECASE
)
_LINE = re.compile(r"[^\n]{0,300}")
_SENTENCE = re.compile(r".*?[.!?]+(?=[\s*]|$)")
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*")
_HEADING = re.compile(r"[\s*_]*(?:step|question|problem|part)\s*#?\d{1,3}\b[\s*_]*[:.)-]?", re.IGNORECASE)
_STATEMENT_LINE = re.compile(
    r"[\s*_#>-]*(?:####|(?:(?:so|thus|hence|therefore)\b,?\s*)?(?:the\s+)?(?:final\s+)?answer\b)", re.I
)


def _robust(reply: str) -> Answer:
    _, rest, cut_off = split_thinking(reply)
    if cut_off:
        return Answer(None, "none", cut_off=True, refusal=CUT_OFF)
    tail = rest[-TAIL_CHARS:].strip().removesuffix("<|im_end|>")
    if not tail.strip():
        return Answer(None, "none", refusal=EMPTY)
    marked = [answer for find in (_stated, _hashes, _boxed) if (answer := find(tail)) is not None]
    read = [answer for answer in marked if answer.value is not None]
    if len({answer.value for answer in read}) > 1:  # "The answer is 5." and then "#### 6"
        return Answer(
            None, read[0].rule, text=" / ".join(answer.text for answer in read), refusal=TWO_ANSWERS
        )
    if marked:
        return (read or marked)[0]
    return _bold(tail) or _last_number(tail) or Answer(None, "none", refusal=NO_NUMBER)


def _stated(tail: str) -> Answer | None:
    for match in list(_STATED.finditer(tail))[: -MAX_STATEMENTS - 1 : -1]:
        line = _LINE.match(tail, match.end()).group()
        if line.lower().startswith("not "):
            continue
        sentence = _SENTENCE.match(line)
        for text in (sentence.group() if sentence else line, line):
            answer = _read_number(text, "answer is") or _read_words(text, "answer is")
            if answer is not None:
                return answer
    return None


def _hashes(tail: str) -> Answer | None:
    pieces = [piece for piece in tail.split("####")[1:] if piece.strip()]
    for line in pieces[-1].strip().split("\n", 8)[:8] if pieces else ():
        answer = _read_number(_HEADING.sub("", line[:300], count=1), "####")
        if answer is not None:
            return answer
    return None


def _boxed(tail: str) -> Answer | None:
    start = tail.rfind("\\boxed{")
    if start < 0:
        return None
    start = end = start + len("\\boxed{")
    depth = 1
    while end < len(tail) and depth:
        depth += (tail[end] == "{") - (tail[end] == "}")
        end += 1
    return _read_number(tail[start : end if depth else end - 1], "boxed")


def _bold(tail: str) -> Answer | None:
    for match in list(_BOLD.finditer(tail))[: -MAX_STATEMENTS - 1 : -1]:
        if _HEADING.match(match[1]) or match[1].rstrip().endswith(":"):
            continue
        answer = _read_number(match[1], "bold")
        if answer is not None:
            return answer
    return None


_UNFINISHED = re.compile(r"[\d)]\s?([-+*/÷])\s?$")


def _last_number(tail: str) -> Answer | None:
    text = _unwrapped(tail)
    last = _last_match(_NUMBER, text)
    if last is None:
        return None
    if before := _UNFINISHED.search(text, max(0, last.start() - 4), last.start()):  # "x = 10-3"
        refusal = RANGE if before[1] == "-" else CALCULATION
        return Answer(None, "last number", text=text[before.start() : last.end()], refusal=refusal)
    try:
        value, end = _value(last, text)
    except _Refused as refused:
        return Answer(None, "last number", text=last.group().strip(), refusal=str(refused))
    return Answer(value, "last number", text=text[last.start() : end].strip())


def states_answer(line: str) -> bool:
    """Is this line the statement of the answer ("The answer is 5.", "#### 5") and not a step?"""
    return _STATEMENT_LINE.match(line) is not None


# --- the published scorers ----------------------------------------------------------------------------------

_STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
_SYNTH_STATED = re.compile(r"answer\s*(?:is|:)\s*([-\d,]+\.?\d*)", re.IGNORECASE)
# Their fallback, [-\d,]+\.?\d+, takes quadratic time on a row of commas. These two find the same matches in
# linear time: a run of digits, commas and dashes with its decimals, and the part of such a run that ends in a digit.
_SYNTH_RUN = re.compile(r"([-\d,]+)(\.\d+)?")
_SYNTH_DIGITS = re.compile(r"[-\d,]+\d")
_Q06 = re.compile(r"[-+]?\d{1,3}(?:,\d{3})*(?:\.\d*|\d*)|\.\d+")
_MAX_FLOAT_TEXT = 400  # a longer text is infinite, or zero, as a float; as a Fraction it would be slow


def _strict_text(reply: str) -> str | None:
    match = _STRICT.search(reply)
    return match[1].replace(",", "") if match else None


def _q06_text(reply: str) -> str | None:
    last = _last_match(_Q06, reply.rpartition("####")[2].strip())
    return last.group().replace(",", "") if last else None


def _synth_text(reply: str) -> str | None:
    stated = _SYNTH_STATED.search(reply)
    if stated:
        return stated[1].replace(",", "")
    found = None
    for run in _SYNTH_RUN.finditer(reply):
        if run[2]:
            found = run.group()
        elif digits := _SYNTH_DIGITS.match(run[1].rstrip("-,")):
            found = digits.group()
    return found.replace(",", "") if found is not None else None


_PUBLISHED = {"strict": _strict_text, "synth": _synth_text, "q06": _q06_text}


def _published(reply: str, reading: str) -> Answer:
    text = _PUBLISHED[reading](reply)
    if text is None:
        return Answer(None, reading, refusal=NO_NUMBER)
    try:
        number = float(text)
    except ValueError:
        # The cards' function raises here; OpenAI's compares text and never converts it.
        return Answer(None, reading, text=text, refusal=SEPARATORS, crashed=reading == "synth")
    if not math.isfinite(number) or len(text) > _MAX_FLOAT_TEXT:
        return Answer(None, reading, text=text, refusal=NOT_FINITE if not math.isfinite(number) else DIGITS)
    return Answer(Fraction(text), reading, text=text)


# --- what the rest of the project calls ---------------------------------------------------------------------


def read_answer(reply: str, reading: str = "robust") -> Answer:
    """The answer that a reply gives, under one of READINGS. Raises for an unknown reading only."""
    if reading not in READINGS:
        raise ValueError(f"unknown reading {reading!r}: choose one of {', '.join(READINGS)}")
    return _robust(reply) if reading == "robust" else _published(reply, reading)


def read_typed(text: str) -> Answer:
    """The number that a student typed: "$5", "3 1/2", "five", "5 apples", "1,234.5", "50%", "2:30" (2 1/2).

    rule is "typed", or "time" for hours and minutes. A percent sign stays in Answer.text: whether 50% means 50
    (its value here) or 0.5 depends on the question. Two different numbers, a range and a calculation are refused,
    never guessed at.
    """
    if not text.strip():
        return Answer(None, "none", refusal=EMPTY)
    if len(text) > 500:
        return Answer(None, "none", refusal=LONG)
    text = text.strip().rstrip(".!")
    _, equals, result = text.rpartition("=")
    if equals and _NUMBER.search(result):  # x = 5
        text = result
    if "√" in text or "sqrt" in text:
        return Answer(None, "typed", text=text[:80], refusal=CALCULATION)
    answer = _read_number(text, "typed", alone=True) or _read_words(text, "typed")
    return answer or Answer(None, "none", text=text[:80], refusal=NO_NUMBER)


def read_gold(text: str | int | float | Fraction) -> Fraction | None:
    """The gold answer of a row: a GSM8K rationale ("... #### 1,234"), or one bare number; None if unreadable."""
    if isinstance(text, (int, Fraction)):
        return Fraction(text)
    if isinstance(text, float):
        return Fraction(repr(text)) if math.isfinite(text) else None
    answer = _read_number(text.rpartition("####")[2][:500], "gold", alone=True)
    return answer.value if answer else None


def same_answer(a: Answer | Fraction | int | None, b: Answer | Fraction | int | None) -> bool:
    """Exact equality of rationals; an answer that is missing equals nothing, not even another missing one."""
    a, b = (side.value if isinstance(side, Answer) else side for side in (a, b))
    return a is not None and b is not None and Fraction(a) == Fraction(b)


def is_correct(reply: str, gold: str | int | float | Fraction, reading: str = "robust") -> Score:
    """Score a reply against a gold answer.

    robust and strict compare exact rationals ("#### 18.00" is 18, which OpenAI's comparison of texts would
    refuse); synth and q06 compare floats to within 1e-4, as their authors do.
    """
    answer = read_answer(reply, reading)
    value = read_gold(gold)
    if reading in ("robust", "strict"):
        correct = same_answer(answer, value)
    else:
        wanted = _q06_text(str(gold)) if reading == "q06" else value
        correct = (
            bool(answer.text) and not answer.crashed and wanted is not None and _close(answer.text, wanted)
        )
    return Score(correct, answer, value)


def _close(text: str, wanted: str | Fraction) -> bool:
    return abs(float(text) - float(wanted)) < 1e-4
