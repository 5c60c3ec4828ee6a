"""Sums that the judge of `mathtutor.maths` does not read as claims, brought into a form that it reads.

    as_equations("3 plus 4 is 8, and half of 10 is 7.")    ->  "3 + 4 = 8, and 10 / 2 = 7."
    as_equations("5! = 100 and √9 = 4")                    ->  "120 * 1 = 100 and 3 * 1 = 4"
    unread(find_claims("3 / 0 = 0")[0])                    ->  "divides_by_zero"

The app is lenient to what a student writes; a row that is to teach may hold nothing that nobody can check.
"""

from __future__ import annotations

import math
import re

from mathtutor.maths.arithmetic import evaluate, plain
from mathtutor.maths.claims import Claim

_NUMBER = r"(?:\d[\d,]{0,20}(?:\.\d{1,20})?|\.\d{1,20})(?![\d.,]*\d)"
_UNIT = r"(?: (?!(?:is|are|and|or|more|less|of|for|to|in|per)\b)[a-z]{2,20}){0,2}"
_IS = r"(?:is|are|equals?|makes?|gives?(?: us| you)?|(?:is|are) equal to|comes? to)"
_ENDS = r"(?! ?[-+*/^%=:(]|[\d.,]*\d| (?:and \d|\d|more|less|fewer|times|plus|minus|percent|dozen|hundred|thousand|million|half|hundredths?)\b|[a-z])"
_NOT_PART = r"(?<![\w.,/$^%)+*=-])(?<![-+*/=^%(:] )"
_ALONE = r"(?<!\d )(?<!and )(?<!and a )(?<!and one )(?<!than )(?<!plus )(?<!minus )(?<!times )(?<![-+*/=(] )"  # not "3 more than half of 10"
_OPERATIONS = {"plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/", "divided into": "/"}
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}

_WORDED = re.compile(rf"(?<=\d)( (?!and\b)[a-z]+)? ({'|'.join(_OPERATIONS)}) (?=\d)", re.IGNORECASE)
_SUM = re.compile(rf"{_NOT_PART}({_NUMBER}(?:{_UNIT} ?[-+*/^] ?{_NUMBER}){{1,6}})({_UNIT}) {_IS} (?=\$?{_NUMBER}{_ENDS})", re.IGNORECASE)
_SUM_ARROW = re.compile(rf"{_NOT_PART}({_NUMBER}(?:{_UNIT} ?[-+*/^] ?{_NUMBER}){{1,6}})({_UNIT}) ?(?:→|⇒|=>|->) ?(?=\$?{_NUMBER})", re.IGNORECASE)
_PART_OF = re.compile(
    rf"{_ALONE}\b(?:(?:a|one) )?(half|third|quarter|fourth|fifth|sixth|eighth|tenth) of ({_NUMBER})(?!%)({_UNIT}) {_IS} "
    rf"(?=\$?{_NUMBER}{_ENDS})", re.IGNORECASE
)  # fmt: skip
_TWICE = re.compile(rf"{_ALONE}\b(?:twice|double) ({_NUMBER})(?!%)({_UNIT}) {_IS} (?=\$?{_NUMBER}{_ENDS})", re.IGNORECASE)
_PERCENT_OF = re.compile(rf"{_NOT_PART}({_NUMBER})(?:%| percent) of ({_NUMBER})(?!%)({_UNIT}) {_IS} (?=\$?{_NUMBER}{_ENDS})", re.IGNORECASE)
_IS_PART = re.compile(r"[1-9] ?/ ?[2-9] is equal to ")  # "3 / 4 is equal to 15": of the whole
_AND_HALF_OF = re.compile(r"(?<=\d) and (?=(?:a |one )?half of\b)", re.IGNORECASE)  # "4 and half of that" is no 4 1/2
_ROOT = re.compile(r"(?:√|\bsqrt ?)\(?(\d{1,12})\)?(?![\d.,]*\d)")
_FACTORIAL = re.compile(r"(?<![\w.])(\d{1,2})!(?= ?[-+*/=),])")


# What the others look for, in part; most steps have none of it.
_MAY_BE_TOLD = re.compile(rf"\d!|√|sqrt|→|⇒|[=-]>|\d(?: [a-z]+)?(?: [a-z]+)? {_IS} \$?[\d.]| (?:{'|'.join(_OPERATIONS)}) \d", re.IGNORECASE)


def as_equations(step: str) -> str:
    """The step with roots and factorials worked out and sums that are told in words written with signs."""
    if not _MAY_BE_TOLD.search(step):
        return step
    text = _FACTORIAL.sub(lambda match: f"{math.factorial(int(match[1]))} * 1", _ROOT.sub(_root, plain(step)))
    text = _WORDED.sub(lambda match: f"{match[1] or ''} {_OPERATIONS[match[2].lower()]} ", text)
    text = _AND_HALF_OF.sub(", ", text)
    text = _PART_OF.sub(lambda match: f"{match[2]}{match[3]} / {_PARTS[match[1].lower()]} = ", text)
    text = _TWICE.sub(r"2 * \1\2 = ", text)
    text = _PERCENT_OF.sub(r"\1% * \2\3 = ", text)
    text = _SUM_ARROW.sub(r"\1\2 = ", text)
    return _SUM.sub(lambda match: match[0] if _IS_PART.match(match[0]) else f"{match[1]}{match[2]} = ", text)


def _root(match: re.Match[str]) -> str:
    root = math.isqrt(int(match[1]))
    return f"{root} * 1" if root * root == int(match[1]) else match[0]


_MEANINGLESS = {"division by zero": "divides_by_zero", "zero to the power zero": "sum_not_checked"}
_UNCHECKED = {"exponent too large", "result too large", "too many digits", "fractional power", "too deep", "too many parts"}


def unread(claim: Claim) -> str | None:
    """Why a claim without letters means nothing, or cannot be worked out; None for all others."""
    for side in (claim.left, claim.right):
        refusal = evaluate(side).refusal
        if refusal in _MEANINGLESS:
            return _MEANINGLESS[refusal]
        if refusal in _UNCHECKED or (refusal == "unknown symbol" and re.search(r"[√!]", side)):
            return "sum_not_checked"
    return None
