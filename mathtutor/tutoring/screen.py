r"""What may go to the model, decided before it is asked.

    screen("Ana has 3 apples and buys 4 more. How many?")  ->  Screening(problem="Ana has ...", finding=Finding.OK)
    screen("call me on 555-123-4567")                      ->  Screening(problem="", finding=Finding.PERSONAL)

Takes any object, for a request need not come from our page. Rules refuse only what is certain: real
word problems hold the words "kill", "die", "write" and long numbers, so single words decide nothing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

MAX_CHARS = 2000
PRIVATE = "[private]"  # what the page puts in place of an e-mail address or phone number before sending


class Finding(StrEnum):
    OK = "ok"
    EMPTY = "empty"
    TOO_LONG = "too long"
    TOO_SHORT = "too short"  # or without a number
    PICTURE = "picture"
    NOT_A_PROBLEM = "not a problem"
    NO_QUESTION = "no question"  # a story that asks for nothing
    LANGUAGE = "language"  # not English, as far as its small words tell
    NO_VALUE = "no value"  # a bare sum that divides by zero
    WORRY = "worry"
    PERSONAL = "personal"


@dataclass(frozen=True)
class Screening:
    """`problem` is the cleaned text where `finding` is OK, else empty: refused text goes nowhere."""

    problem: str
    finding: Finding


_WORRY = re.compile(
    r"""\b(?:
      (?:kill|hurt|harm|cut|cutting|hurting|killing) \s+ my \s? sel(?:f|ves)
    | (?:want|wanna|going|gonna|like|wish (?:ed)?) \s+ (?:to\s+|i\s+(?:could|would)\s+)?
      (?:die|be\s+dead) (?!\s+of\s+laughter)
    | wish \s+ i \s+ (?:was|were) \s+ (?:dead|never\s+born)
    | (?:end|ending|take|taking) \s+ my \s+ (?:own\s+)? life
    | (?:do\s+not|don'?t|dont) \s+ want \s+ to \s+ (?:live|be\s+alive|wake\s+up)
    | suicid(?:e|al) | self[\s-]?harm(?:ing|ed)?
    | beats \s+ me \s+ (?:up|with|when|until|if|because|every)
    | (?:want|going|need|like|about|trying|have) \s+ to \s+ kms | (?:gonna|wanna|gotta|will|'?ll|should|might|just) \s+ kms
    | hits \s+ me (?!\s+ with \s+ (?:a\s+)? (?:\w+\s+)? (?:snowballs?|water\s+balloons?|pillows?|balls?)\b)
    | (?<!\bit\s) hurts \s+ me
    | (?:touches|touched|abuses|abused|abusing|molests?|molested|rapes?|raped) \s+ me
    | (?:being|been|am|was) \s+ (?:sexually\s+)? (?:abused|molested|raped)
    | afraid \s+ (?:to\s+go|of\s+going) \s+ home
    | (?:nobody|no\s+one) \s+ (?:would|will) \s+ (?:miss \s+ me | care \s+ if \s+ i)
    # in Spanish, for the page speaks it
    | (?:me\s+)? quiero \s+ (?:morir(?:me)? (?!\s+de\s+risa) | matar(?:me)? | estar \s+ muert[oa])
    | (?:a|quiero|quisiera|ganas\s+de) \s+ (?:matarme | morirme (?!\s+de\s+risa)) | suicid(?:arme|io|arse)
    | no \s+ quiero \s+ (?:vivir|seguir\s+viv(?:iendo|[oa])|despertar(?:me)?) (?!\s+(?:en|con|cerca|lejos|a)\b)
    | (?:quitarme \s+ la | acabar \s+ con \s+ mi) \s+ vida | hacerme \s+ da[ñn]o
    | mi \s+ (?:pap[áa]|padre|padrastro|mam[áa]|madre|madrastra|hermano|t[íi]o|t[íi]a|abuelo|primo)
      \s+ me \s+ (?:pega|golpea|viola|maltrata)
    | (?:abusa(?:ron)?|abus[óo]) \s+ de \s+ m[íi]
    )\b
    # kms, "kill myself", is a distance too: alone, or with a will before it, it is none
    | ^ \W* kms \b (?! \s* (?:=|\w*\s*\d) )""",
    re.IGNORECASE | re.VERBOSE,
)

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u02b9\u00b4\u2032\uff07`", "'"))

_PERSONAL = re.compile(
    r"""
      [\w.+-]{1,64} @ [\w-]{1,64} \. [a-z]{2,}
    | (?<![\d.,]) (?:\+\d{1,3}[\s.-]?)? (?:\(\d{3}\)\s?|\d{3}[.-]) \d{3}[.-]\d{4} (?![\d.,]\d)
    | (?<![\d.,)]) \+\d{1,3}[\s.-]?\d{2,4}(?:[\s.-]?\d{2,4}){2,3} (?!\d)           # not the second number of a sum
    | \b my \s+ (?:full\s+|real\s+|last\s+)? name (?:\s+is|\s*'s) \s+ \w
    | \b my \s+ (?:home\s+)? (?:phone(?:\s+number)?|telephone|mobile|cell|address|e-?mail|password) \s* (?:is|:) \s*
      (?! \d{1,3} \s* (?:[.?!]|$)) \S                                    # a bare house number is in many a riddle
    | \b (?:call|text|phone) \s+ me \s+ (?:at|on) \s+ \+?\(?\d (?:[\s().-]*\d){4}
    | \b i \s+ live \s+ (?:at|on) \s+ \d+ \s+ \w+
    """,
    re.IGNORECASE | re.VERBOSE,
)

_PICTURE = re.compile(
    r"\b(?:see|look at|in|from|use|using) the (?:picture|figure|diagram|image|photo|graph|chart)\b"
    r"|\b(?:figure|diagram|picture|graph) (?:below|above)\b",
    re.IGNORECASE,
)

_ASKS_FOR_A_NUMBER = re.compile(
    r"\bhow (?:many|much|long|far|old|tall|fast|often|big|heavy|wide|high|deep|late|soon)\b"
    r"|\bwhat (?:is|are|was|were|will|would|percent\w*|fraction|number|time|age)\b|\bsolve\b|\bcalculate\b|\bfind\b",
    re.IGNORECASE,
)

# Any way to ask for something: not one problem of GSM8K, SVAMP, the typed ones, the bank's or the proof benchmark is without it.
_ASKS = re.compile(
    r"\?|=\s*$|\b(?:how|what|which|who|whose|when|where|find|solve|calculate|compute|determine|work (?:it )?out|figure (?:it )?out|give|tell|"
    r"estimate|simplify|evaluate|convert|change|write|show|express|count|name|state|list|add|subtract|multiply|divide|round|decide|compare|"
    r"prove|disprove|verify|explain|justify|deduce|factori[sz]e|expand|arrange|choose|complete|describe|"
    r"(?:needs?|wants?|like) to know|wonder\w*|help)\b",
    re.IGNORECASE,
)
# "12 + 5" and "3x + 7 = 22" are whole; "5" and "apples 5" are not.
_IS_A_SUM = re.compile(
    r"\d\s*[a-z)]?\s*[-+*/=×÷^−]|\d\s*%\s*of\s*\d|\d\s+(?:x|plus|minus|times|multiplied by|divided by)\s+\d", re.IGNORECASE
)

_OFF_SCOPE = re.compile(
    r"""\b(?:ignore|forget|disregard) \s+ (?:\w+\s+){0,3} (?:instructions?|prompts?|rules)\b
    | ^\W* (?:please\s+|can\s+you\s+|could\s+you\s+|will\s+you\s+)?
      (?:write|tell|make|sing|draw|translate|summari[sz]e|generate|compose|create)
      \s+ (?:\w+\s+){0,4} (?:essay|poem|story|joke|song|code|program|script|e-?mail|letter|rap|recipe|picture|homework)s?\b
    | ^\W* (?:who|what) \s+ are \s+ you\b
    | \b(?:system \s+ prompt|jailbreak|pretend \s+ (?:to\s+be|you\s+are))\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

# Small words that are common in one language and no words in the other.
_ENGLISH = re.compile(
    r"\b(?:the|of|and|to|is|are|have|had|how|what|if|for|at|she|they|it|we|you|each|more|many|much|from|with|by|find|than|that|"
    r"this|there|does|did|buys?|has|altogether|left|now|solve|answer|equals?|plus|minus|times)\b",
    re.IGNORECASE,
)
_FOREIGN = re.compile(
    r"\b(?:el|la|los|las|un|una|y|que|tiene|compra|cu[aá]ntas?|cu[aá]ntos?|m[aá]s|le|les|des|et|combien|possède|lui|reste|il|ils|elle|"
    r"der|das|und|ist|sind|wie|viele|hat|noch|liegen|kauft|nimmt|von|den|einem|einer|gli|sono|quanti|quante|ogni|che|ha|het|een|"
    r"hoeveel|heeft|os|um|uma|quantos|quantas|tem)\b",
    re.IGNORECASE,
)

_NUMBER_WORD = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    r"seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|dozens?|"
    r"half|halves|third|quarters?|twice|double|triple|pairs?)\b",
    re.IGNORECASE,
)


# "5/0", "What is (3 + 4) ÷ 0?": nothing but a sum. A story in which somebody gets 0 of something is a story.
_DIVIDES_BY_ZERO = re.compile(
    r"(?:what(?:'s|\s+is)|how much is|calculate|solve|find)?[\s:]*(?=\S)[\d\s.+*()x×−-]+(?:[/÷]|divided by)\s*0(?:\.0*)?[\s)=?.!]*",
    re.IGNORECASE,
)


def clean(text: object) -> str:
    """`text` as one plain string: NFC, ASCII digits, no control or direction-changing characters.

    Anything but a string is no problem at all, hence "". Emoji and every letter stay.
    """
    if not isinstance(text, str):
        return ""
    kept = []
    for char in unicodedata.normalize("NFC", text[: 4 * MAX_CHARS].replace("\r\n", "\n").replace("\r", "\n")):
        category = unicodedata.category(char)
        if char == "\n" or char == "\t":
            kept.append(char)
        elif category in ("Cc", "Cs", "Cn", "Co") or char in _DIRECTION:
            continue
        elif category == "Nd":
            kept.append(str(unicodedata.decimal(char)))
        else:
            kept.append(char)
    return "".join(kept).strip()


# Marks that reorder or hide the text around them. The joiner U+200D stays: emoji are built with it.
_DIRECTION = frozenset("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def screen(text: object) -> Screening:
    """Clean what was typed and say whether the model may be asked."""
    if isinstance(text, str) and len(text) > MAX_CHARS:
        return Screening("", Finding.TOO_LONG)
    problem = clean(text)
    finding = _finding(problem)
    return Screening(problem if finding is Finding.OK else "", finding)


def screen_answer(typed: object) -> Finding:
    """WORRY or PERSONAL where a box for an answer holds such words, OK for all else: from that only a number is read."""
    finding = screen(typed[:MAX_CHARS]).finding if isinstance(typed, str) else Finding.OK
    return finding if finding in (Finding.WORRY, Finding.PERSONAL) else Finding.OK


def _finding(problem: str) -> Finding:
    if not any(char.isalnum() for char in problem):
        return Finding.EMPTY
    if _WORRY.search(problem.translate(_APOSTROPHES)):
        return Finding.WORRY
    if PRIVATE in problem or _PERSONAL.search(problem.translate(_APOSTROPHES)):
        return Finding.PERSONAL
    asks = _ASKS_FOR_A_NUMBER.search(problem) is not None
    if _OFF_SCOPE.search(problem) and not asks:
        return Finding.NOT_A_PROBLEM
    has_number = any(char.isnumeric() for char in problem) or _NUMBER_WORD.search(problem) is not None
    if not has_number:
        return Finding.PICTURE if _PICTURE.search(problem) else Finding.TOO_SHORT
    is_sum = _IS_A_SUM.search(problem) is not None
    if len(_FOREIGN.findall(problem)) >= max(3, 2 * len(_ENGLISH.findall(problem))):
        return Finding.LANGUAGE
    if _DIVIDES_BY_ZERO.fullmatch(problem):
        return Finding.NO_VALUE
    if len(problem.split()) < 5 and not is_sum:
        return Finding.TOO_SHORT
    if not is_sum and not _ASKS.search(problem):
        return Finding.NO_QUESTION
    return Finding.OK
