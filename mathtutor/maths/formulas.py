r"""Is a written number all that is written there, or a part of something larger that was not worked out?

    unwrapped(r"3\frac{1}{2}")                       # "3 1/2"
    refusal_before("so it is f(2)", 11, signed=False)  # "a calculation, not its result": the 2 of f(2) is not what f(2) is
    refusals_behind("12_5", 2, whole=False)          # the "_5", and the same refusal

One rule: what is not understood beside a number makes it a part. So a LaTeX command that does not merely wrap or space
is a part of a formula whichever it is, and nobody has to have thought of \lfloor.
"""

from __future__ import annotations

import re

from mathtutor.maths.arithmetic import plain
from mathtutor.maths.refusals import CALCULATION, CLOCK, COMPOUND, DATE, RANGE, SEPARATORS, TWO_ANSWERS
from mathtutor.maths.words import TENS, UNITS

# --- without its wrapping -----------------------------------------------------------------------------------

_PART = r"(?:\{\s?(-?[\d,.]{1,60})\s?\}|\s?(\d))"
_FRAC = re.compile(rf"(-?)\s?\\[dt]?frac\s?{_PART}\s?{_PART}(?!\d)")  # \frac12 is 1/2, \frac123 is not 1/23
_POWER_OF_TEN = re.compile(r"(?<=\d)\s?(?:\\(?:times|cdot)|[x×*·⋅])\s?10\s?\^\s?(?:\{\s?([+-]?\d{1,9})\s?\}|(-?\d{1,9}))(?!\d)")
_REPEATING = re.compile(r"(\d{0,9})\.(\d{0,9})\\(?:overline|bar|dot)\s?\{?\s?(\d{1,9})\s?\}?")
_TIMES, _OVER = re.compile(r"\\(?:times|cdot|ast)(?![a-z])"), re.compile(r"\\div(?![a-z])")
_ABOUT = re.compile(r"\\(?:approx|simeq|cong|sim)(?![a-z])")
_DEGREES = re.compile(r"\s?(?:\^\s?\{?\s?)?\\(?:circ|degree|textdegree)(?![a-z])")
_LATEX = re.compile(
    r"\\(?:text|textrm|textbf|textit|texttt|textnormal|math(?:rm|bf|it|sf|tt)|boxed|fbox|mbox|operatorname|emph|underline|boldsymbol|bm|(?:text)?color)\s?\{"
    r"|\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|q?quad|bf|rm|[lL]arge|LARGE|[hH]uge|[lc]?dots|checkmark|square|blacksquare|implies|[Rr]ightarrow|therefore|pounds|euro|textdollar|[nt])"
    r"(?![a-z])|\\(?:begin|end)\s?\{(?:align(?:ed)?|equation|gather(?:ed)?|split)\*?\}|\\[,;:! ()\[\]]|\\(?=[$%#&])"
)
_SCRIPT = re.compile(r"([_^])\s?\{\s*")  # of "\text{ cm}^{2}" and "12_{5}" the index stays beside what it belongs to
_SCRIPT_BEHIND_BRACE = re.compile(r"\}\s?(?=[_^])")
_SQUARED_UNIT = re.compile(r"(?<=[\d\s])((?:[ckdm]?m|in|ft|yd)|(?:units?|feet|inches|met(?:er|re)s)(?=\s?\^))(?:\s?\^)?([23])(?![\d,.]*\d)")
# x > 3, 2<3, but not <b>3</b> nor <3>
_COMPARED = re.compile(r"((?<![A-Za-z</\\])[A-Za-z]\s?|[^<>\n]\s|\d)[<>](=?)\s?(?=[-+$]{0,2}\d)(?![-+$\d,.]{1,60}>)")
_STRUCK = re.compile(r"~~[^~\n]{1,80}~~")
_WRAPPERS = str.maketrans({"{": " ", "}": " ", "`": " ", "<": " ", ">": " "})


def _as_fraction(match: re.Match[str]) -> str:
    r"""0.1\overline{6} is 15/90."""
    whole, fixed, again = match.groups()
    return f"{int(whole + fixed + again) - int(whole + fixed or 0)}/{'9' * len(again)}{'0' * len(fixed)}"


def unwrapped(text: str) -> str:
    """Without LaTeX and brackets of markup: "3\\frac{1}{2}" is "3 1/2", "1.5 \\times 10^{4}" is "1.5e4", "5 cm^2" is "5 cm²"."""
    if "^" in text:
        text = _POWER_OF_TEN.sub(r"e\1\2", text)
    if "\\" in text:
        text = _FRAC.sub(r" \1\2\3/\4\5", _REPEATING.sub(_as_fraction, text.replace(",\\!", ",").replace("\\infty", "∞")))
        text = _DEGREES.sub("°", _ABOUT.sub("≈", _OVER.sub("÷", _TIMES.sub("*", text))))
        text = _SCRIPT_BEHIND_BRACE.sub("", _LATEX.sub(" ", text))
    text = _COMPARED.sub(r"\1≶\2 ", text)
    if "~~" in text:
        text = _STRUCK.sub(" ", text)
    if "^" in text or "_" in text:
        text = _SCRIPT.sub(r"\1", text)
    return _SQUARED_UNIT.sub(_raised, plain(text.replace("{,}", ",")).translate(_WRAPPERS))


def _raised(match: re.Match[str]) -> str:
    return match[1] + "²³"[int(match[2]) - 2]


# --- what stands before a number ----------------------------------------------------------------------------

_INSIDE = re.compile(
    # \lfloor 2.5, \frac{\pi}{2}, log 8, π/2
    r"(?:(?:\\[A-Za-z]+|^[\s$]*(?:log|ln|sin|cos|tan)(?![a-z])|π|(?<![A-Za-z])pi(?=\s?[/*^]))"
    r"(?:[\s(\[{|_^*/+-]|\\?pi(?![a-z])|(?<![A-Za-z])[A-Za-z](?![A-Za-z])){0,12}"
    r"|(?:[√∛∜]|sqrt)\s?\(?\s?|\^[\s(+-]{0,4}|[A-Za-z\d)\]]_\(?|\d:|[A-Za-z]['′]?\(\s?"  # √2, e^2, x_1, 5:3, f(2)
    r"|[±∓∂∆∑∏∫⌊⌈‖]\s?|\+\s?/\s?-?\s?|\bplus or minus\s|(?:^|[^\w)])-\s?\(\s?"  # ±5, ⌊2.5⌋, +/-5, -(5)
    r"|[A-Za-z)](?:[ ][+*/^÷][ ]|[+*/^÷])|(?<![A-Za-z'’])(?![aAI])[A-Za-z][ ]?-[ ]?|\)-"  # x + 5, half + 5, (x + 1)*5
    # half of 20, twice 7
    r"|\b(?:(?:twice|double|triple)(?:[ ]of)?|(?:half|thirds?|quarters?|fourths?|fifths?|sixths?|eighths?|tenths?|square|cube|(?:square|cube)[ ]root)[ ]of)"
    r"[ ](?:the[ ]|a[ ])?[$€£]?|(?:^|\b(?:is|be)[ ])half[ ][$€£]?"
    r"|\b(?:negative|opposite|reciprocal|inverse|root|sum|product|difference)[ ]of[ ][$€£]?"
    r"|\b(?:half|twice|times|thirds?|quarters?)[ ]as[ ][a-z]{1,12}[ ]as[ ](?:the[ ])?[$€£]?|\ball[ ]but[ ](?:the[ ])?[$€£]?"
    # 5x = 18, x + 2 = 18, 20 - x = 18: an equation says what is unknown, and not what it is
    r"|(?:\d[ ]?\([ ]?[xyzn][ ]?\)|\d[ ]?[xyzn](?![A-Za-z]|\s?[$€£(\d.])|\d[ ]?[-+/][ ]?[xyzn](?![A-Za-z])|(?<![A-Za-z])[xyzn](?:[ ]?[-+/^][ ]?\d|[²³]))[^=\n]{0,20}=\s?[$€£]?)$",
    re.IGNORECASE,
)
# Tom's age plus 18, three times 18, one over 18; but "is minus 18" has a sign
_OPERATED = re.compile(r"[ ](?:plus|minus|times|over|mod|div|(?:divided|multiplied)[ ]by|to[ ]the[ ]power[ ]of)[ ][$€£]?$", re.IGNORECASE)
MINUS_BEFORE = re.compile(
    r"(?:(?:^|[:=,(*]|['’]s|\b(?:is|was|be|are|to|of|at|answer|approximately|about|now))[\s*_$]*"
    r"(?P<minus>(?:minus|negative)\s+[$€£]?\s?)|(?:[=≈]|\b(?:is|was|be|are))[\s$]{0,3}(?P<sign>-\s+))$",
    re.IGNORECASE,
)
_VARIABLE_BEFORE = re.compile(r"(?<![A-Za-z'’])(?![aAI])[A-Za-z][ ]$")
_BOUND = re.compile(
    r"(?:\b(?:(?:more|greater|less|fewer|larger|smaller|other) than|at (?:least|most)|under|above|below|exceed(?:s|ing)?)\s|(?:^|\b(?:is|be)\s)(?:up to|over)\s|(?:[≶≤≥≠]=?|!=)\s{0,2})[$€£]?$",
    re.IGNORECASE,
)
# "18 - 3", where words stand for the 18: "total - 3"; in prose those of a line of its own, and behind "is" or "=" (a list has "Total - 3")
_LESS = r"[\s$*(]*(?:the )?[a-z]{2,12}(?: [a-z]{1,12}){0,2} - [$€£]?"
_WORDS_LESS = re.compile(_LESS)
_PROSE_LESS = re.compile(rf"(?:[\n=]|\b(?:is|was|be|are|equals|makes|gives|have|has|had)\b){_LESS}$")
_INEQUALITY = re.compile(
    r"[^\d=]{0,40}(?<![A-Za-z</\\])[A-Za-z]\s?(?:[<>≤≥≠]=?|!=|\\(?:[gl](?:eq?|eqslant|t)|neq?)(?![a-z]))\s?[-+$]{0,2}\d"
    r"|[\s$]{0,4}(?!<[^<>\n]{0,40}>)(?:[<>≤≥≠]=?|!=|\\(?:[gl](?:eq?|eqslant|t)|neq?)(?![a-z]))\s?[-+$]{0,2}\d"
)
_MONTH = r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
_MERIDIEM = re.compile(r"\s?[ap]\.?m\b", re.IGNORECASE)
_ENDS = re.compile(r"(?:st|nd|rd|th)?\s*(?:[^\w\s]|\Z)")
_MONTH_BEFORE = re.compile(rf"\b{_MONTH}\.?[ ](?:the[ ])?$")
# P(X = 3) = 0.2, x_1 = 3, Total cost ≈ 5: a name, whose numbers are its own
_NAME = re.compile(r"[\s$*(]*[A-Za-z\\∠△|][A-Za-z\\∠△{} |]{0,40}(?:_\s?\w{1,8}\s?)?['′]?(?:\s?\([^()\n]{0,30}\))?\s*(?:=|≈)(?=[^=\n]*\d)")


def inequality(text: str) -> re.Match[str] | None:
    return _INEQUALITY.match(text)


def end_of_name(text: str) -> int:
    """Where the name ends that a text gives a value to, with its equals sign; 0 where it gives none."""
    match = _NAME.match(text)
    return match.end() if match else 0


def refusal_before(text: str, start: int, signed: bool, strict: bool = False) -> str | None:
    """Why a number that starts there belongs to what stands before it: f(2), x + 5 = 7, "more than 5". signed: it has a sign of its own.

    strict: the text is prose, not a statement. Of bars only those right beside the number count, as spaced ones are those of a table.
    """
    before = text[max(0, start - 40) : start]
    bars = before if strict else before.rstrip()
    less = _WORDS_LESS.match(text)
    is_less = _PROSE_LESS.search(before if start > 40 else "\n" + before) if strict else less and less.end() == start
    if (_OPERATED.search(before) and not MINUS_BEFORE.search(before)) or _INSIDE.search(before) or (signed and (bars.endswith("|") or before.endswith("-") or _VARIABLE_BEFORE.search(before))) or is_less:
        return CALCULATION
    return RANGE if _BOUND.search(before) else None


def refusal_of_time(before: str, text: str, end: int, minutes: str | None) -> str | None:
    """March 5 is a date, and so is no number; 3:30 is read as hours, 3:30 pm is none of them."""
    if _MONTH_BEFORE.search(before) and _ENDS.match(text, end):  # but "in May 25 books were sold"
        return DATE
    return CLOCK if minutes and _MERIDIEM.match(text, end) else None


# --- what stands behind it ----------------------------------------------------------------------------------

_NUMERAL = r"[$€£(|]{0,2}\s?[-+]?(?:\.?\d|[√∛π]|\\[a-z])"
_NEXT = rf"\s?(?={_NUMERAL}|\.|\(?(?![aAI]\b)[A-Za-z](?![A-Za-z]))"  # a number, a command or a variable
_OPERATES = r"(?:plus|minus|times|less|take\s+away|added\s+to|(?:divided|multiplied|shared|split|increased|reduced|decreased)\s+(?:by|among)|to\s+the\s+power\s+of|mod|div|choose|nCr|nPr|vs\.?|versus)"
_UNITS_OF_A_KIND = (
    "years?|months?|weeks?|days?|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s",
    "miles?|yards?|yds?|feet|foot|ft|inch(?:es)?|in|'|′|\"|″",
    "kilometers?|kilometres?|km|meters?|metres?|m|centimeters?|centimetres?|cm|millimeters?|millimetres?|mm",
    "pounds?|lbs?|ounces?|oz|tons?|kilograms?|kg|grams?|g",
    "gallons?|quarts?|pints?|cups?|liters?|litres?|l|milliliters?|millilitres?|ml",
    "dollars?|pounds?|euros?|cents?|pence|quarters?|dimes?|nickels?|penn(?:y|ies)",
)
_WORD = rf"(?:{'|'.join({**UNITS, **TENS})})\b"
_AMOUNT = rf"(?:\d[\d,.]*|{_WORD}(?:[- ]{_WORD})?)"
# 3 hours and 20 minutes: one unit, then a number of another of its kind (of the same one: 3 hours or 4 hours).
COMPOUND_UNITS = re.compile(
    "|".join(
        rf"[\s*]*(?P<u{i}>{units})(?![a-z]),?\s*(?:and\s+)?(?=\S){_AMOUNT}\s*"
        rf"(?!(?P=u{i})(?![a-z]))(?:{units})(?![a-z])"
        for i, units in enumerate(_UNITS_OF_A_KIND)
    )
    + r"|\s+[a-z]{1,12}\s+and\s+(?:a|one)\s+(?:half|quarter)\b"  # 2 hours and a half
    r"|,?[ ](?:and[ ])?\d\d?[ ](?:cents|pence)\b|[ ]?(?:ft|feet|foot|hours?|hrs?|°)[ ]?\d{1,2}['′]?[\s.$*)]*\Z",  # $5, 50 cents; 5 ft 6
    re.IGNORECASE,
)
# A letter that multiplies (2x, 3i, 1.5K), a constant, a command: the number is a part of a formula. 5m and 5L are amounts.
FACTOR = re.compile(
    r"(?![mglhsdcptLCFVWJN](?![A-Za-z]))[A-Za-z](?![A-Za-z])|(?![mM])[A-Za-z]\d|\s{0,3}(?:±|\+\s?/)|\s{0,3}\*?\s{0,3}(?:\\[A-Za-z]|pi(?![A-Za-z])|π|[√∛]|sqrt)"
    r"|\s?[⌋⌉]|_[A-Za-z\d\\]|\*\*(?=\d)|\s?\^(?!\s?(?:th|st|nd|rd)\b)|[ ]{0,4}(?:bn|mn|tn|mil|grand|[kK])\b|\.?\(\s?[-+]?(?:\d|[xyn]\b)|[\u0304\u0305\u0307]|[₀-₉]"
)
# 18 out of 20, 18 per 20, 18 with 3 left over, 18 more than 20: with a unit behind it a number counts something (12 liters per 100 km,
# 18 boxes with 3 eggs left over), without one it is a part of what two numbers say. "42 in 2024" has a year.
_BESIDE = rf"(?=[$€£]?(?:\d|{_WORD}))"
_LINE_END = r"[\s)\].$*]*\Z"
_NO_VERB = r"(?!(?:is|are|was|were|which|that|being|so|and|but|it)\b)[A-Za-z]{1,12}"
_COMPARATIVE = r"(?:more|less|fewer|(?:great|old|young|long|short|tall|high|low|larg|small|bigg|heavi|light|fast|slow|furth|farth)er)"
_RATIO = re.compile(
    rf"\s+(?:out\s+)?of\s+(?:every\s+|each\s+)?{_BESIDE}|\s+(?:per|(?:for|in|to)\s+every)\s+(?!(?:1(?![\d,.]*\d)|one)\b){_BESIDE}"
    r"|(?:\s+degrees)?\s+below\s+(?:zero|0)\b|\s+by\s+(?=\d[\d,.]*\s(?:feet|foot|ft|inch(?:es)?|in|yards?|yd|cm|mm|m|meters?|metres?)(?![a-z]))"
    rf"|\s+in\s+(?!(?:1[89]|20)\d\d(?!\d))(?=\d[\d,]*{_LINE_END})|,?\s+with\s+(?:only\s+)?(?=\d[\d,.]*(?:\s+[a-z]{{1,12}}){{0,2}}?\s+(?:left|remaining|over|to\s+spare)\b)"
    rf"|(?:[ ]+{_NO_VERB}){{0,2}}?\s+{_COMPARATIVE}\s+than\s+(?=[$€£]?\d|[xyzn]\b)|\s+times\s+as\s+[a-z]{{1,12}}\s+as\s+{_BESIDE}",
    re.IGNORECASE,
)
_FOLLOWED_BY = (
    (COMPOUND_UNITS, COMPOUND),
    (_RATIO, CALCULATION),
    (re.compile(r"\s*(?:[≶≤≥≠]|!=)=?\s?(?=[-+$€£]{0,2}\d)"), RANGE),
    # Tom 18, Ann 20
    (re.compile(rf"\s*[,;]\s*(?:and\s+)?[A-Z][a-z]{{1,15}}(?:\s?:\s?|[ ])(?=[$€£]?\d[\d,.]*(?:[ ][a-z]{{1,12}})?{_LINE_END})"), TWO_ANSWERS),
    (FACTOR, CALCULATION),
    (re.compile(r"['’]\d{3}(?!\d)|[ ]\d{3}[,.]\d"), SEPARATORS),
    (re.compile(rf"(?:st|nd|rd|th)?[ ](?:of[ ])?{_MONTH}\b(?!\s[a-z])"), DATE),
    (re.compile(r"\s*[⁰¹²³⁴-⁹]|\s+(?:squared|cubed|factorial|doubled|halved|halves|thirds|(?:twelf|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)tie|four|fif|six|seven|eigh|nin|ten|hundred|thousand|million)ths|tens|hundreds|thousands)\b", re.IGNORECASE), CALCULATION),
    (re.compile(rf"(?:[ ]+[A-Za-z]{{1,12}}){{0,3}}?\s+{_OPERATES}\s+(?=[$€£(]?[-+]?[\d.]|{_WORD}|(?!a\b|i\b)[a-z](?![A-Za-z]))|\s+(?:over|per\s?cent\s+of(?:\s+the)?)\s+(?=[$€£]?\d|{_WORD})", re.IGNORECASE), CALCULATION),
    (re.compile(r",?\s+(?:with\s+)?(?:an?\s+)?(?:[Rr]\s?|rem(?:ainder)?\s+(?:of\s+)?|\(?(?:in\s+)?base[\s-])(?=\d)|(?<=%)\s?(?=\d)|[ ]?//[ ]?(?=\d)"), CALCULATION),
    (re.compile(r"(?:[ ]+[A-Za-z]{1,12})?[ ]+(?:or|and)[ ]+(?:more|less|fewer|greater|higher|lower|above|below|over|under|up)\b"), RANGE),
    (re.compile(r"(?::|\s:\s)(?=\d)|(?<=(?<![\d.,/])1)\s+in\s+(?:every\s+)?(?=\d)"), CALCULATION),  # 5:3, 1 in 5
    (re.compile(rf"\s*-{_NEXT}|\s*[~…→]\s?(?=\d)|\s*,\s?[-+]?∞|\s+(?:to|through)\s+(?=[$€£]?\d)"), RANGE),
    (re.compile(rf"\s*(?:[+÷^]|\bx\b){_NEXT}|(?:[ ]+[A-Za-z]{{1,12}}){{1,3}}[ ]+[-+*/÷x][ ]+(?=[$€£]?\d)|\s*\*\s?(?={_NUMERAL}|(?![aAI]\b)[A-Za-z](?![A-Za-z]))|\s*/\s?(?={_NUMERAL}|\(?[xyzn](?![A-Za-z]))"), CALCULATION),
    (
        re.compile(
            r"[^.\d;\n]{0,40}?\bor\s+(?=[$€£]?[-\d.])|[^.,\d;\n]{0,40}?\band\s+(?=[$€£]?[-\d.])|\s*&\s*(?=\d)"
            r"|(?:\s*[,;]\s*(?:and\s+)?[-+$€£]{0,2}\d+(?:\.\d+)?)+[\s)\].$*]*\Z"
            r"|[ ]+[a-z]{1,12}\s?[,;]\s?(?:and\s+)?[$€£]?\d[\d,.]*(?:[ ][a-z]+)?[\s)\].$*]*\Z|[ ]+(?=\d+(?:\.\d+)?(?:[ ]+\d+(?:\.\d+)?)*[\s)\].$*]*\Z)"
            r"|(?:\s*[,;]|\s+(?:and|or))\s+[A-Za-z](?:_\w+)?\s?=\s?(?=[-\d])"
            # 18 for Tom, 20 for Ann; 18 each, 54 in total; 18, then 20
            r"|(?:[ ]+[a-z]{1,12}){0,2}?[ ]+(?:for|to|by)[ ]+(?:the[ ]+)?[a-z]{1,20}\s*[,;]\s*(?:and[ ]+)?(?=[$€£]?\d[\d,.]*(?:[ ]+[a-z]{1,12}){0,2}?[ ]+(?:for|to|by)\b)"
            r"|[^.,\d;\n(]{0,40}?[,;]\s*(?:and\s+)?(?=[$€£]?\d[\d,.]*(?:[ ]+[a-z]{1,12}){0,2}?[ ]+(?:in\s+total|altogether|in\s+all|total|combined)\b)"
            r"|[^.\d;\n(]{0,40}?\b(?:each|apiece)\b,?[ ](?:for|with|making)[ ]a[ ]total[ ]of[ ](?=[$€£]?\d)"
            rf"|[,;]?\s+(?:and\s+)?then\s+(?=[$€£]?\d[\d,.]*{_LINE_END})",
            re.IGNORECASE,
        ),
        TWO_ANSWERS,
    ),
)
_ALSO = re.compile(r"\s*[,;]\s*(?=[$€£]?[-+]?[\d.])")
# In a box a letter or two behind a number are variables, where they are no unit.
_VARIABLE_BEHIND = re.compile(
    r"\s(?![amglhsdLCFVWJN](?![A-Za-z]))[A-Za-z](?![A-Za-z])"
    r"|[abcnxyz]{2,3}(?![A-Za-z])"
)
COMMAND = re.compile(r"\\[A-Za-z]")


def refusals_behind(text: str, end: int, whole: bool):
    """(match, refusal) for each way in which a number that ends there goes on. whole: the text is the answer and no more."""
    more = ((_ALSO, TWO_ANSWERS), (_VARIABLE_BEHIND, CALCULATION)) if whole else ()
    for pattern, refusal in (*_FOLLOWED_BY, *more):
        if match := pattern.match(text, end):
            yield match, refusal
