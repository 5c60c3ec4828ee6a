"""Lessons as HTML. Pure text in, text out; no Gradio here.

    step_list(lesson)  ->  <ol ...><li><details open><summary>Step 1 ... sums check</summary>...</details></li></ol>

Everything that a model or a student wrote passes through `as_html`, which escapes, and nothing else does: the page's
component inserts what it is given as it is. No `$` ever becomes mathematics. Our own words come from `strings`, in the
reader's language; elements with the English of a problem or a model say that it is English.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import State, check_claim
from mathtutor.maths.claims import find_claims
from mathtutor.maths.markup import as_printed
from mathtutor.strings import ENGLISH, Strings, as_html
from mathtutor.tutoring.diagnosis import Diagnosis, Mark, Verdict
from mathtutor.tutoring.hints import BLANK, Hint, Rung
from mathtutor.tutoring.lesson import Card, Lesson, Phase

# state -> icon; icon AND words, never colour alone
ICONS = {State.OK: "✓", State.WRONG: "✗", State.NOTHING: "–"}


def _marked(text: str, spans: tuple[tuple[int, int], ...], strings: Strings) -> str:
    """`text` escaped, with each span marked as written by the calculator."""
    parts, cursor = [], 0
    for start, end in spans:
        number = text[start:end]
        stripped = number.strip()
        if start < cursor or not stripped:
            continue
        start += len(number) - len(number.lstrip())
        parts.append(as_html(text[cursor:start]))
        parts.append(
            f'<span class="mt-computed" title="{strings.BY_CALCULATOR}">{as_html(stripped)}'
            f'<span class="mt-unseen"> {strings.BY_CALCULATOR_SHORT}</span></span>'
        )
        cursor = start + len(stripped)
    parts.append(as_html(text[cursor:]))
    return "".join(parts)


def _badge(name: str, icon: str, words: str) -> str:
    return f'<span class="mt-check mt-{name}"><span aria-hidden="true">{icon}</span> {words}</span>'


def _check_badge(state: State, strings: Strings) -> str:
    return _badge(state.value, ICONS[state], strings.CHECK_WORDS[state])


def _wrong_sums(card: Card, strings: Strings) -> str:
    """What each wrong sum should be. The value comes from our own arithmetic, not from the model."""
    lines = []
    for claim in card.check.claims:
        if claim.state is State.WRONG and claim.left is not None:
            left = as_printed(claim.claim.left)
            said, value = f"{left} = {claim.claim.right}", show(claim.left)
            fix = strings.BUT_MAKES.format(sum=left, value=value)
            lines.append(f'<p class="mt-fix"><q>{as_html(said)}</q> {as_html(fix)}</p>')
    return "".join(lines)


def step_card(card: Card, mark: str = "", strings: Strings = ENGLISH) -> str:
    """One finished step, open until the student closes it. `mark` is a word of ours beside its number."""
    marked = f'<span class="mt-differs">{as_html(mark)}</span>' if mark else ""
    return (
        f'<li class="mt-step"><details open><summary><span class="mt-num">{strings.STEP.format(step=card.number)}</span>{marked}'
        f"{_check_badge(card.check.state, strings)}</summary>"
        f'<div class="mt-body"><p{strings.of_english}>{_marked(as_printed(card.text), card.computed, strings)}</p>'
        f"{_wrong_sums(card, strings)}</div></details></li>"
    )


def step_list(
    lesson: Lesson, label: str = ENGLISH.STEPS_LABEL, mark: tuple[int, str] | None = None, strings: Strings = ENGLISH
) -> str:  # fmt: skip
    """All finished steps as cards, then the line still being written as plain text with a caret.

    `mark` is (position of a card from 1, word to put on it).
    """
    position, word = mark or (0, "")
    items = [
        step_card(card, word if index == position else "", strings) for index, card in enumerate(lesson.cards, start=1)
    ]
    if lesson.phase is Phase.THINKING:
        # An unfinished line is shown from the start of the reply on: the wait for a step is not silence.
        items.append(
            f'<li class="mt-step mt-growing{"" if lesson.growing else " mt-blank"}" aria-hidden="true">'
            f"<p{strings.of_english}>{as_html(lesson.growing)}"
            '<span class="mt-caret"></span></p></li>'
        )
    elif lesson.growing:
        items.append(f'<li class="mt-step mt-growing"><p{strings.of_english}>{as_html(lesson.growing)}</p></li>')
    if not items:
        return ""
    return f'<ol class="mt-steps" aria-label="{as_html(label)}">{"".join(items)}</ol>'


def sums_line(lesson: Lesson, strings: Strings = ENGLISH) -> str:
    """How many sums were checked, in words that never say the answer is right."""
    if not lesson.num_claims:
        return strings.SUMS_NONE
    wrong = sum(claim.state is State.WRONG for card in lesson.cards for claim in card.check.claims)
    checked, total = lesson.num_checked, lesson.num_claims
    if not checked:
        words = strings.counted(strings.SUMS_UNCHECKED, total)
    elif wrong:
        words = strings.SUMS_WRONG_ALONE if total == 1 else strings.counted(strings.SUMS_WRONG, wrong)
    elif checked == total:
        words = strings.counted(strings.SUMS_ALL, total)
    else:
        words = strings.counted(strings.SUMS_SOME, checked)
    return words.format(wrong=wrong, checked=checked, total=total)


def answer_text(lesson: Lesson) -> str:
    """The answer as people write it ("5", never "5.0"), or ""."""
    return show(lesson.answer.value) if lesson.answer is not None and lesson.answer.value is not None else ""


def answer_card(
    lesson: Lesson, notes: tuple[str, ...] = (), label: str = "", heading: str = "", strings: Strings = ENGLISH
) -> str:  # fmt: skip
    """The final answer with what was checked; "" without one. `notes` are our own words, as are
    `label` and `heading` where others than the usual ones are wanted."""
    if lesson.phase is not Phase.ANSWERED:
        return ""
    more = "".join(f"<p>{as_html(note)}</p>" for note in notes)
    tone = "mt-wrong" if lesson.first_wrong is not None else "mt-plain"
    return (
        f'<section class="mt-answer {tone}" aria-label="{as_html(label or strings.ANSWER_LABEL)}">'
        f'<p class="mt-answer-label">{as_html(heading or strings.MY_ANSWER)}</p>'
        f'<p class="mt-answer-value">{as_html(answer_text(lesson))}</p><p class="mt-sums">{as_html(sums_line(lesson, strings))}</p>'
        f"{more}</section>"
    )


def raw(lesson: Lesson, summary: str, strings: Strings = ENGLISH) -> str:
    """All the model wrote, letter for letter, one click away."""
    if not lesson.text:
        return ""
    return (
        f'<details class="mt-raw"><summary>{as_html(summary)}</summary>'
        f'<pre tabindex="0"{strings.of_english}>{as_html(lesson.text)}</pre></details>'
    )


def notice(words: str, kind: str = "plain") -> str:
    """A status sentence of our own. `kind` names its look: plain, busy, warn."""
    return f'<p class="mt-notice mt-{as_html(kind)}">{as_html(words)}</p>' if words else ""


# --- a student's own lines ----------------------------------------------------------------------------------

# mark -> (icon, class)
MARKS = {Mark.FINE: ("✓", "ok"), Mark.DOUBT: ("◆", "look"), Mark.NOTHING: ("–", "nothing"), Mark.NOT_READ: ("–", "nothing")}


def work_list(lines: Sequence[str], found: Diagnosis, label: str = ENGLISH.YOUR_STEPS, strings: Strings = ENGLISH) -> str:
    """A student's lines, each with its mark; the first doubtful one with the question about it."""
    items = []
    for at, (line, mark) in enumerate(zip(lines, found.marks, strict=False)):
        (icon, name), words = MARKS[mark], strings.MARKS[mark]
        if mark is Mark.FINE and found.verdict is Verdict.SUMS_CHECK:
            if any(check_claim(claim).state is State.OK for claim in find_claims(line)):
                words = strings.CHECK_WORDS[State.OK]
            else:
                (icon, name), words = MARKS[Mark.NOTHING], strings.NO_SUM
        question = f'<p class="mt-question">{as_html(found.question)}</p>' if at == found.at else ""
        items.append(
            f'<li class="mt-line mt-line-{name}"><div class="mt-line-head">'
            f'<span class="mt-num">{strings.LINE.format(line=at + 1)}</span>{_badge(name, icon, words)}</div>'
            f'<p class="mt-line-text">{as_html(line)}</p>{question}</li>'
        )
    return f'<ol class="mt-lines" aria-label="{as_html(label)}">{"".join(items)}</ol>' if items else ""


# --- the ladder of hints -----------------------------------------------------------------------------------


def rung_name(hint: Hint, strings: Strings = ENGLISH) -> str:
    """ "Plan", "Set up step 2": a rung as the page calls it."""
    return strings.RUNG_OF_STEP[hint.rung].format(step=hint.step) if hint.step else strings.RUNGS[hint.rung]


def hint_ladder(
    hints: tuple[Hint, ...], label: str, doubtful: bool = False, words: Mapping[str, str] | None = None, strings: Strings = ENGLISH
) -> str:  # fmt: skip
    """The rungs that were asked for, the newest last and open. `words` is our own sentence for each kind of rung."""
    words = words or {}
    items = [_rung(hint, words.get(hint.rung, ""), hint is hints[-1], strings) for hint in hints]
    tone = " mt-doubtful" if doubtful else ""
    return f'<ol class="mt-steps mt-ladder{tone}" aria-label="{as_html(label)}">{"".join(items)}</ol>' if items else ""


def _rung(hint: Hint, words: str, newest: bool, strings: Strings) -> str:
    body = f'<p class="mt-ask-you">{as_html(words)}</p>' if words else ""
    if hint.equation:
        blank = f'<span class="mt-blank-box" aria-hidden="true">▢</span><span class="mt-unseen">{strings.BLANK_SPOKEN}</span>'
        body = f'<p class="mt-equation">{as_html(hint.equation).replace(BLANK, blank)}</p>{body}'
    if hint.rung is Rung.UNDERSTAND:
        asked = f'<p class="mt-asked"{strings.of_english}>{as_html(hint.lines[0])}</p>' if hint.lines else ""
        known = "".join(f"<li>{as_html(line)}</li>" for line in hint.lines[1:])
        body += asked + (f'<ul class="mt-given"{strings.of_english}>{known}</ul>' if known else "")
    elif hint.rung is Rung.PLAN and len(hint.lines) > 1:
        body += f'<ol class="mt-plan"{strings.of_english}>{"".join(f"<li>{as_html(line)}</li>" for line in hint.lines)}</ol>'
    elif hint.lines:
        body += "".join(f"<p{strings.of_english}>{as_html(as_printed(line))}</p>" for line in hint.lines)
    badge = _check_badge(hint.check.state, strings) if hint.check else ""
    return (
        f'<li class="mt-step mt-rung{" mt-newest" if newest else ""}"><details open><summary>'
        f'<span class="mt-num">{as_html(rung_name(hint, strings))}</span>{badge}</summary><div class="mt-body">{body}</div></details></li>'
    )


def feedback(words: str, kind: str) -> str:
    """What is said of a student's number, announced once. `kind`: right, part, other, hint."""
    icon = {"right": "✓", "part": "◐", "other": "?", "hint": "→"}[kind]
    return (
        f'<p class="mt-feedback mt-says-{as_html(kind)}" role="status"><span aria-hidden="true">{icon}</span> {as_html(words)}</p>' if words else ""
    )
