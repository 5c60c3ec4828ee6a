"""The number that a reply gives as its answer: "<think>...</think> The answer is $1,234." is Fraction(1234).

After the thinking, the last "the answer is" counts, else the last "####", else the last \\boxed{} (two of these that
disagree are refused), else the last bold number, else the last number; and nothing counts that is taken back ("Wait, that's wrong"). That is the reading called robust, ours; the
published ones (strict, synth, q06) are in `readings`. Answers that students type and gold answers are read here too.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from mathtutor.maths.formulas import unwrapped
from mathtutor.maths.numerals import holds_number, read_last_number, read_number, read_words
from mathtutor.maths.readings import PUBLISHED, agrees_as_float, read_published
from mathtutor.maths.refusals import CALCULATION, CUT_OFF, EMPTY, LONG, NO_NUMBER, TWO_ANSWERS, Answer
from mathtutor.maths.words import SCALES

READINGS = ("robust", *PUBLISHED)
TAIL_CHARS = 4000  # an answer is stated at the end: no more than this is ever searched
MAX_STATEMENTS = 12  # and of the statements in it, no more than the last ones
MAX_BARE = 500  # characters of an answer without a reply around it: typed, or gold


@dataclass(frozen=True)
class Score:
    correct: bool
    answer: Answer
    gold: Fraction | None


# --- what the rest of the project calls ---------------------------------------------------------------------


def read_answer(reply: str, reading: str = "robust") -> Answer:
    """The answer that a reply gives, under one of READINGS. Raises for an unknown reading only."""
    if reading not in READINGS:
        raise ValueError(f"unknown reading {reading!r}: choose one of {', '.join(READINGS)}")
    return _robust(reply) if reading == "robust" else read_published(reply, reading)


def read_typed(text: str) -> Answer:
    """The number that a student typed: "$5", "3 1/2", "five", "5 apples", "1,234.5", "50%", "2:30" (2 1/2).

    rule is "typed", or "time" for hours and minutes. A percent sign stays in Answer.text: whether 50% means 50
    (its value here) or 0.5 depends on the question. Two different numbers, a range and a calculation are refused,
    never guessed at.
    """
    if not text.strip():
        return Answer(None, "none", refusal=EMPTY)
    if len(text) > MAX_BARE:
        return Answer(None, "none", refusal=LONG)
    text = text.strip().rstrip(".!")
    _, equals, result = text.rpartition("=")
    if equals and holds_number(result):  # x = 5
        text = result
    if "√" in text or "sqrt" in text:
        return Answer(None, "typed", text=text[:80], refusal=CALCULATION)
    answer = read_number(text, "typed", alone=True) or read_words(text, "typed")
    return answer or Answer(None, "none", text=text[:80], refusal=NO_NUMBER)


# In a gold answer a letter at a number or a sign makes a formula: 2x, 2m, 3 y, x + 2. Units of two letters (5cm) do not.
_ALGEBRA = re.compile(
    r"\d(?![eE][+-]?\d)(?!(?:th|st|nd|rd|am|pm|cm|mm|km|kg|mg|ml|hrs?|mins?|secs?|ft|in|lbs?|oz|yds?|mph|cents?)(?![A-Za-z]))[A-Za-z]"
    r"|\d\s(?![amglhsLCF](?![A-Za-z]))[A-Za-z](?![A-Za-z])"
    r"|(?<![A-Za-z])[A-Za-z]\s?[-+*/^]|[-+*/^]\s?[A-Za-z](?![A-Za-z])"
)


def read_gold(text: str | int | float | Fraction) -> Fraction | None:
    """The gold answer of a row: a GSM8K rationale ("... #### 1,234"), or one bare number; None if unreadable."""
    if isinstance(text, (int, Fraction)):
        return Fraction(text)
    if isinstance(text, float):
        return Fraction(repr(text)) if math.isfinite(text) else None
    answer = find_gold(text)
    return answer.value if answer else None


def find_gold(text: str) -> Answer | None:
    """The gold answer that a text gives, with the characters that were read as the number."""
    text = text.rpartition("####")[2][:MAX_BARE].strip()
    if _ALGEBRA.search(text):
        return None
    return read_number(text, "gold", alone=True) or read_words(text, "gold")


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
    exact = reading in ("robust", "strict")
    correct = same_answer(answer, value) if exact else agrees_as_float(answer, gold, value)
    return Score(correct, answer, value)


# --- the parts of a reply -----------------------------------------------------------------------------------

_STATEMENT_LINE = re.compile(
    r"[\s*_#>-]*(?:####|(?:(?:so|thus|hence|therefore)\b,?\s*)?(?:the\s+)?(?:final\s+)?answer\b)", re.I
)


_TAGS = re.compile("(<think>|</think>)")


def split_thinking(reply: str) -> tuple[str, str, bool]:
    """(thinking, rest, cut_off) of a whole reply, by the rule of chat.split_reply, which also knows growing text.

    Thinking is what has <think> before it or </think> after it (a prompt may have opened the first block, and some
    models think twice); the blocks are joined by line breaks. The rest follows the last </think>.
    """
    pieces = _TAGS.split(reply)
    texts, tags = pieces[::2], pieces[1::2]
    if not tags:
        return "", reply, False
    cut_off = tags[-1] == "<think>"
    blocks = [
        text.strip("\n")
        for text, before, after in zip(texts, ["", *tags], [*tags, ""], strict=True)
        if (before == "<think>" or after == "</think>") and text.strip()
    ]
    return "\n".join(blocks), "" if cut_off else texts[-1], cut_off


def states_answer(line: str) -> bool:
    """Is this line the statement of the answer ("The answer is 5.", "#### 5") and not a step?"""
    return _STATEMENT_LINE.match(line) is not None


# --- robust -------------------------------------------------------------------------------------------------

# "To answer this: 3 + 4 = 7" is a step: there it is a verb
_STATED = re.compile(
    r"<answer>\s{0,4}|(?<!\bto )(?<!\blet['’]s )(?<!\blet us )(?<!\bcan )(?<!['’]ll )(?:\b|_)(?:answers(?=[ ]are\b|:)|answer\b)(?:[^.\d\n:=]{0,40}?|[ ](?:for|to|of|in|after)[ ][^.\n:=]{0,40}?)"
    r"(?:\b(?:is|(?<=answers )are|(?:would|should|will|must) be|equals|(?:comes?|came)(?: out)? to)\b|:|=)[\s*_:]{0,10}",
    re.IGNORECASE,
)
# What speaks of an answer without stating it: "To find the answer: ...", "Checking the answer = ...", "The answer to the first part"
_ASIDE = re.compile(
    r"(?:^|[.!?:]\s|\n)[\s*_#>\d.)-]{0,8}to\s+(?:[\w'-]{1,15}\s+){1,4}\Z"
    r"|\b(?:verify|check|confirm|validat|express|convert|round|simplif)(?:e|es|s|y|ies|ing|ying)?\s+(?:the|our|this|your|my)\s+(?:\w{1,10}\s+)?\Z",
    re.IGNORECASE,
)
_OF_A_PART = re.compile(r"answers?[ ](?:for|to|of|in)[ ](?:the[ ]|this[ ])?(?:first|previous)\b", re.IGNORECASE)
_LISTED = re.compile(r"\n\s*\d{1,2}[.)][ ]+\S")
# "After 3 days, Tom has 18": the 3 says when
_LEAD = re.compile(
    r"\W{0,4}(?:that\s+)?(?:after|in|within|during|each\s+of)\s+(?:(?:the|these|those)\s+)?\d[\d,]{0,9}\s+[a-z]{1,12}"
    r"(?:,\s*|\s+(?=[a-z])(?!(?:and|or|to|until|of|per|for|is|are|at)\b))(?=[^.\n]*\d)",
    re.IGNORECASE,
)
# A sentence that takes back what stands before it
_WITHDRAWN = re.compile(
    r"(?:[.!?…]|\n)[\s*_]{0,4}(?:(?:wait|hmm+|oh|no|oops|actually|sorry|but|hold on)\b[\s,.!…-]{0,4}){0,3}"
    r"(?:(?:that|this)(?:['’]s| is)(?: \w{1,12})? (?:wrong|incorrect|not (?:right|correct))\b|I(?:['’]ve| have)? (?:just )?made an? (?:\w{1,12} )?(?:mistake|error)\b)"
    r"|(?:\.\.\.|…)\s{0,3}no,",
    re.IGNORECASE,
)
# What is said of an answer that is no number. "The answer is not 5. It is 6." says more.
_NO_ANSWER = re.compile(
    r"\W{0,4}(?:that )?(?:there (?:is|are|exists?) )?(?:no (?:\w+ ){0,2}(?:solutions?|answer|numbers?|values?)\b|neither\b|infinitely many\b|undefined\b"
    r"|indeterminate\b|impossible\b|unknown\b|not (?:possible|enough|defined)\b|cannot\b|can't\b|DNE\b|none\b|(?:yes|no|true|false|\(?[A-F]\)?)\W*\Z)",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\n]{0,300}")
_SENTENCE_END = re.compile(r"[.!?]\s+")
_LAST_HASHES = re.compile(r"\n[\s*_]*####[^\n#]*\d[^\n#]*\Z")
_LAST_BOX = re.compile(r"\\boxed\{(?=[^\n]*\d)[^\n]*(?:\n[\s$\\\])]*)?\Z")
_SENTENCE = re.compile(r".*?[.!]+(?=[\s*]|$)")
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*")
_HEADING = re.compile(r"[\s*_]*(?:step|question|problem|part)\s*#?\d{1,3}\b[\s*_]*[:.)-]?", re.IGNORECASE)


# How other models write <think> and </think>
_OTHER_THINKING = re.compile(r"(\[THINK\]|<thinking>|◁think▷)|\[/THINK\]|</thinking>|◁/think▷")


def _robust(reply: str) -> Answer:
    _, rest, cut_off = split_thinking(reply)
    if tag := next(iter(deque(_OTHER_THINKING.finditer(rest), maxlen=1)), None):
        rest, cut_off = rest[tag.end() :], bool(tag[1])
    if cut_off:
        return Answer(None, "none", cut_off=True, refusal=CUT_OFF)
    tail = rest[-TAIL_CHARS:].strip().removesuffix("<|im_end|>")
    if not tail.strip():
        return Answer(None, "none", refusal=EMPTY)
    if taken_back := next(iter(deque(_WITHDRAWN.finditer(tail), maxlen=1)), None):
        tail = tail[taken_back.end() :]
    # "... to express the answer as a percentage: 32 / 96 = 33.3, so 33" is a step: below it, a last line "#### 33" answers.
    is_marked = _LAST_HASHES.search(tail) or _LAST_BOX.match(tail, max(0, tail.rfind("\\boxed{")))
    finds = (_stated_alone if is_marked else _stated, _hashes, _boxed)
    marked = [answer for find in finds if (answer := find(tail)) is not None]
    read = [answer for answer in marked if answer.value is not None]
    if len({answer.value for answer in read}) > 1:  # "The answer is 5." and then "#### 6"
        return Answer(
            None, read[0].rule, text=" / ".join(answer.text for answer in read), refusal=TWO_ANSWERS
        )
    if marked:
        return (read or marked)[0]
    return _bold(tail) or read_last_number(tail, "last number") or Answer(None, "none", refusal=NO_NUMBER)


def _no_answer(text: str, rule: str) -> Answer | None:
    none = _NO_ANSWER.match(text)
    return Answer(None, rule, text=none.group(), refusal=NO_NUMBER) if none else None


def _number(text: str, rule: str) -> Answer | None:
    lead = _LEAD.match(text)
    return read_number(text[lead.end() :] if lead else text, rule)


def _stated_alone(tail: str) -> Answer | None:
    return _stated(tail, alone=True)


def _stated(tail: str, alone: bool = False) -> Answer | None:
    """The last statement that can be read; with `alone` only those that begin a sentence."""
    for match in list(_STATED.finditer(tail))[: -MAX_STATEMENTS - 1 : -1]:
        before = tail[tail.rfind("\n", 0, match.start()) + 1 : match.start()]
        if alone and not states_answer(_SENTENCE_END.split(before)[-1] + match.group()):
            continue
        marked = match.group().rstrip(" *_")
        if (marked[-1:] in ":=" and _ASIDE.search(before[-120:])) or _OF_A_PART.match(match.group()) or _LISTED.match(tail, match.start() + len(marked.rstrip())):
            continue
        line = _LINE.match(tail, match.end()).group()
        if none := _no_answer(line, "answer is"):
            return none
        shown = [bold for bold in _BOLD.finditer(line) if holds_number(bold[1])]
        if ":" in marked and len(shown) == 1 and holds_number(line[: shown[0].start()]):  # Answer: She sells 9 eggs and makes **$18**.
            if (answer := read_number(shown[0][1], "answer is")) and answer.value is not None:
                return answer
        sentence = _SENTENCE.match(line)
        for text in (sentence.group() if sentence else line, line):
            answer = _number(text, "answer is") or read_words(text, "answer is")
            if answer is not None and answer.refusal != NO_NUMBER:  # "The answer is not 5. It is 6."
                return answer
    return None


_ANSWER_HEADING = re.compile(r"(?:\W|_){0,20}(?:the\s+)?(?:final\s+)?(?:answer|result)(?:\W|_){0,20}\Z", re.IGNORECASE)


def _hashes(tail: str) -> Answer | None:
    """What stands in the line of the last "####", or below it where it only says "Answer". Another heading gives no answer."""
    pieces = [piece for piece in tail.split("####")[1:] if piece.strip()]
    head, _, below = pieces[-1].strip().partition("\n") if pieces else ("", "", "")
    line = below.lstrip().partition("\n")[0] if _ANSWER_HEADING.match(head) else head
    said = _HEADING.sub("", line[:300], count=1)
    return _no_answer(said, "####") or _number(said, "####") or read_words(said, "####")


# \boxed{18}^2 and \boxed{18}x, but not \boxed{18}^\circ; \boxed{18} million
_GOES_ON = re.compile(r"\s?\^(?!\s?\{?\s?\\circ)|\s?[xyzn](?![A-Za-z])")
_SCALE_BEHIND = re.compile(rf"[\s$]{{0,3}}(?:\\text\s?\{{\s?)?({'|'.join(SCALES)})\b", re.IGNORECASE)


def _boxed(tail: str) -> Answer | None:
    start = tail.rfind("\\boxed{")
    if start < 0:
        return None
    negative = tail[:start].endswith("-")
    start = end = start + len("\\boxed{")
    depth = 1
    while end < len(tail) and depth:
        depth += (tail[end] == "{") - (tail[end] == "}")
        end += 1
    said = ("-" if negative else "") + tail[start : end if depth else end - 1]
    if _GOES_ON.match(tail, end):
        return Answer(None, "boxed", text=tail[start : end + 8], refusal=CALCULATION)
    if scale := _SCALE_BEHIND.match(tail, end):
        said += " " + scale[1]
    answer = read_number(said, "boxed") or read_words(unwrapped(said), "boxed")
    # "no solution" is an answer: no number of the reply may stand for it. An empty box, or "...", is none.
    return answer or (Answer(None, "boxed", text=said[:80], refusal=NO_NUMBER) if re.search(r"\w", unwrapped(said)) else None)


def _bold(tail: str) -> Answer | None:
    for match in list(_BOLD.finditer(tail))[: -MAX_STATEMENTS - 1 : -1]:
        if _HEADING.match(match[1]) or match[1].rstrip().endswith(":"):
            continue
        scale = _SCALE_BEHIND.match(tail, match.end())
        answer = _number(match[1] + (" " + scale[1] if scale else ""), "bold")
        if answer is not None:
            return answer
    return None
