r"""The solutions of others as our steps, and the answers that they state.

    to_steps("Step 1: He has 3 × 4 = <<3*4=12>>12 pens.\nStep 2: 12 - 2 = **10**\n#### 10")
                                    ->  ("He has 3 * 4 = 12 pens.", "12 - 2 = 10")
    to_steps(r"There are \(3 \times 4 = 12\) pens. 2 go. So 12 - 2 = 10. The answer is \boxed{10}.")
                                    ->  ("There are 3 * 4 = 12 pens.", "2 go. So 12 - 2 = 10.")

A solution with labels ("Step 1:", "1.") has a step for each label, one of plain lines a step for each line. In
one that is laid out (Markdown, LaTeX, paragraphs) or stands in a single line, a step is an equation with what
leads up to it. Neither the statement of the answer nor a first sentence that only announces a solution ("Let's think
step by step.") is a step. Nothing that anybody wrote raises here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mathtutor.chat import split_reply
from mathtutor.maths.answers import find_gold, read_answer, states_answer
from mathtutor.maths.arithmetic import VULGAR, show
from mathtutor.maths.claims import find_claims
from mathtutor.maths.markup import without_markup
from mathtutor.maths.numerals import read_words
from mathtutor.maths.refusals import Answer
from pipeline.phrases import BOILERPLATE, RESIDUE
from pipeline.strays import written_numbers
from pipeline.teachers.gsm8k import tidy

DISPLAY = re.compile(
    r"\$\$.{0,2000}?\$\$|\\\[.{0,2000}?\\\]|\\begin\{([a-z]{1,20}\*?)\}.{0,2000}?\\end\{\1\}", re.DOTALL
)
ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[a-z]{1,20}\*?\}|&")
NEXT_ROW = re.compile(r"\\\\(\s*&?\s*=)?")
LAID_OUT = re.compile(r"\*\*|\\[a-zA-Z(\[]|\$\$|\n[ \t]*\n|^[ \t]*(?:#{1,3} |[-*•] )", re.MULTILINE)

# "Step 1: ... Step 2: ..." in one line
INLINE_LABEL = re.compile(r"(?<=[.!?:;)*])[ \t]+(?=(?:\*\*)?step ?\d{1,3} ?[:.)])", re.IGNORECASE)
INLINE_MARK = re.compile(r"(?<=[^\s#])[ \t]*####(?!#)(?=[^\n#=]{0,80}$)", re.MULTILINE)  # "3 + 4 = 7 #### 7"
STEP_LABEL = re.compile(
    r"[\s#>*_-]{0,12}step\s{0,4}#?\d{1,3}\b\s?(?:\*\*|__)?\s?(?:[:.)–—-]{1,3}(?!\d)|$)(?:\*\*|__)?", re.IGNORECASE
)
ITEM_LABEL = re.compile(r"[\s>*_]{0,12}\(?\d{1,2}[.)](?=\s|\*|$)")
MARK = re.compile(r"\s*(?:>\s{1,4})?(?:[-*+•]\s+|#{1,6}\s+)?")
HEADING = re.compile(r"\s*#{1,6}\s|\s*\*\*[^*]+\*\*[\s:]*$")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(\"'“$\\*])")
ANNOUNCEMENT = re.compile(
    r"[^\d=]*\b(?:step[- ]by[- ]step|break (?:it|this|that) down|let['’]?s (?:solve|calculate|begin|start))\b[^\d=]*",
    re.IGNORECASE,
)
HEAD_OF_ALL = re.compile(r"\W*(?:step[- ]by[- ]step )?(?:solution|explanation|reasoning)\W*", re.IGNORECASE)
# The end of a sentence or of an introduction, where the next one begins
PART = re.compile(r".*?(?:[.!:][*_]{0,2}(?=\s)\s*|$)", re.DOTALL)
LETTER = re.compile(r"(?<!['’])\b[b-hj-zB-HJ-Z]\b(?!['’])")  # that may stand for a number
MAX_PART = 300  # characters of a sentence that announces; a longer one says more
ONLY_NUMBER = re.compile(r"[\W_]*+\d[\d,]*+(?:[./]\d++)?+[\W_]*+")
GOES_ON = re.compile(r"\$\$|\\\[|\\begin|[a-z=]")
BARE_DIVISOR = re.compile(r"/ \((\d+(?:\.\d+)?)\)")  # of \frac{8 + 4}{2}
LOOSE_POINT = re.compile(r"\s+([.,;:!?])(?=\s|$)")  # "24 ."


def to_steps(solution: str) -> tuple[str, ...]:
    """The steps of a solution in plain text: no label, markup, currency sign or statement of the answer."""
    text = DISPLAY.sub(lambda match: _one_line(match.group()), _body(solution))
    lines = _without_announcement(_without_statement(INLINE_MARK.sub("\n####", INLINE_LABEL.sub("\n", text)).split("\n")))
    filled = [line for line in lines if line.strip()]
    label = next((label for label in (STEP_LABEL, ITEM_LABEL) if _is_list(filled, label)), None)
    if label:
        units = _labelled(lines, label)
    elif len(filled) == 1:
        units = _led_up_to(_without_statement(SENTENCE_END.split(filled[0])))
    else:
        units = _led_up_to(filled) if LAID_OUT.search(text) else filled
    return tuple(step for step in map(plain_step, units) if any(map(str.isalnum, step)))


def read_stated(solution: str) -> tuple[str, bool]:
    """(the answer of a solution as a worksheet prints it, is it stated). Where it is not, the last number stands for it; "" where there is none."""
    if "####" in solution and (gold := as_written(find_gold(solution))):
        return gold, True
    answer = read_answer(solution)
    return as_written(answer), answer.rule not in ("last number", "bold")


def stated_answer(solution: str) -> str:
    """The answer that a solution states, else its last number, as a worksheet prints it; "" where there is none."""
    return read_stated(solution)[0]


def as_written(answer: Answer | None) -> str:
    """A number that was read, as a worksheet prints it; "" for none. A fraction stays one, in lowest terms: "2 3/4" is 11/4."""
    if answer is None or answer.value is None:
        return ""
    is_fraction = answer.value.denominator > 1 and any(mark in answer.text for mark in ("/", *VULGAR))
    return f"{answer.value.numerator}/{answer.value.denominator}" if is_fraction else show(answer.value)


def plain_step(text: str) -> str:
    """One step in the plain text of our rows: "- **Cost**: \\(4 \\times $1,200\\)" is "Cost: 4 * 1200"."""
    text = tidy(without_markup(MARK.sub("", text, count=1))[0])
    text = BARE_DIVISOR.sub(r"/ \1", text).replace("( ", "(").replace(" )", ")")
    return LOOSE_POINT.sub(r"\1", text).strip(" *_>#")


def _body(solution: str) -> str:
    """The part that holds the steps: what follows the thinking where it has an equation, else the thinking."""
    parts = split_reply(solution.replace("\r\n", "\n").replace("\r", "\n"))
    return parts.reasoning if parts.reasoning.strip() and not _has_equation(parts.tail) else parts.tail


def _has_equation(text: str) -> bool:
    lines = text.split("\n") if "=" in text or "equals" in text else []
    return any(find_claims(tidy(line) if "equals" in line else line) for line in lines)


def _one_line(display: str) -> str:
    return ENVIRONMENT.sub(" ", NEXT_ROW.sub(lambda row: " = " if row[1] else ", ", display)).replace("\n", " ")


def _without_statement(lines: Iterable[str]) -> list[str]:
    """The lines without the statement of the answer and what follows it, equations aside."""
    kept, stated = [], False
    for line in lines:
        stated = stated or _is_statement(line)
        is_rule = line.strip() and not any(map(str.isalnum, line))  # ---
        if not is_rule and (not stated or _has_equation(line)):
            kept.append(line)
    while kept and (not kept[-1].strip() or ONLY_NUMBER.fullmatch(without_markup(kept[-1])[0])):  # \boxed{10}
        kept.pop()
    if kept:
        *before, last = SENTENCE_END.split(kept[-1])
        if before and _is_statement(last) and not _has_equation(last):
            kept[-1] = kept[-1][: -len(last)]
    return kept


def _is_statement(line: str) -> bool:
    if STEP_LABEL.match(line) or not states_answer(line):
        return False
    return "answer" in line.lower() or any(map(str.isdigit, line)) or _is_number_in_words(line)  # "#### Costs" is a heading


def _is_number_in_words(line: str) -> bool:
    """ "#### twenty-four", but not the heading "#### Two boxes"."""
    said = line.strip(" \t\r*_#>.!")
    number = read_words(said, "gold")
    return number is not None and number.text == said


def _without_announcement(lines: list[str]) -> list[str]:
    """The lines without the sentences at their head that announce a solution and hold no number; all of them where nothing else is left."""
    for number, line in enumerate(lines):
        start = 0
        while start < len(line) and _announces(part := PART.match(line, start)[0]):
            start += len(part)
        if line[start:].strip():
            return [line[start:], *lines[number + 1 :]]
    return lines


def _announces(part: str) -> bool:
    text = plain_step(part[: MAX_PART + 1])
    if len(part) > MAX_PART or (part.strip() and not text):
        return False
    if not text or HEAD_OF_ALL.fullmatch(text):
        return True
    is_announcement = BOILERPLATE.search(text) or RESIDUE["opener"].search(text)
    return bool(is_announcement) and "=" not in text and not LETTER.search(text) and not any(True for _ in written_numbers(text))


def _is_list(lines: list[str], label: re.Pattern[str]) -> bool:
    """Whether lines have such labels; a number alone, further down, is none: "he has\\n12. Then"."""
    labelled = [label.match(line) is not None for line in lines]
    return any(labelled[:1]) or sum(labelled) > (label is ITEM_LABEL)


def _labelled(lines: list[str], label: re.Pattern[str]) -> list[str]:
    """A unit for each label. What stands before the first one, or behind a list, is a unit where it calculates."""
    units: list[list[str]] = [[]]
    inside = blank = False  # a label's own text; a blank line came before
    for line in lines:
        match = label.match(line)
        if match:
            units.append(["### " * ("#" in match.group()) + line[match.end() :]])
            inside = True
        elif line.strip():
            if inside and blank and label is ITEM_LABEL and not line[0].isspace():
                units.append([])
                inside = False
            units[-1].append(line)
            if not inside and _has_equation(line):
                units.append([])
        blank = not line.strip()
    if not inside and len(units) > 1:  # words after the last equation
        units[-2:] = [units[-2] + units[-1]]
    return [_joined(unit) for unit in units[not _has_equation("\n".join(units[0])) :]]


def _led_up_to(pieces: list[str]) -> list[str]:
    """A unit for each piece with an equation, the pieces before it included; the last unit ends with what is left."""
    units: list[str] = []
    waiting: list[str] = []
    for piece in pieces:
        if not ANNOUNCEMENT.fullmatch(piece):
            waiting.append(piece)
        if waiting and _has_equation(piece):
            units.append(_joined(waiting))
            waiting = []
    return [*units[:-1], _joined([*units[-1:], *waiting])] if units else waiting


def _joined(pieces: list[str]) -> str:
    """The pieces as one line, with the points that their line ends stood for."""
    text = before = ""
    for piece in pieces:
        line = MARK.sub("", piece, count=1).strip()
        if text and text.rstrip("*_ ")[-1:] not in ".!?:;,=":
            goes_on = "=" not in before and GOES_ON.match(line)
            text += ":" if HEADING.match(before) else "" if goes_on else "."
        text, before = f"{text} {line}".strip(), piece
    return text
