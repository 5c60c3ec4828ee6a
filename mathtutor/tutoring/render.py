"""Lessons as HTML. Pure text in, text out; no Gradio here.

    step_list(lesson)  ->  <ol ...><li><details open><summary>Step 1 ... sums check</summary>...</details></li></ol>

Everything that a model or a student wrote passes through `html.escape`, in `_text` or `_marked` and
nowhere else: the page's component inserts what it is given as it is. No `$` ever becomes mathematics.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import State, check_claim
from mathtutor.maths.claims import find_claims
from mathtutor.tutoring.diagnosis import Diagnosis, Mark, Verdict
from mathtutor.tutoring.hints import BLANK, Hint, Rung
from mathtutor.tutoring.lesson import Card, Lesson, Phase

# state -> (icon, words, class); icon AND words, never colour alone
CHECKS = {
    State.OK: ("✓", "sums check", "ok"),
    State.WRONG: ("✗", "does not add up", "wrong"),
    State.NOTHING: ("–", "nothing to check", "nothing"),
}


def _text(text: str) -> str:
    return escape(text, quote=True)


def _marked(text: str, spans: tuple[tuple[int, int], ...]) -> str:
    """`text` escaped, with each span marked as written by the calculator."""
    parts, cursor = [], 0
    for start, end in spans:
        number = text[start:end]
        stripped = number.strip()
        if start < cursor or not stripped:
            continue
        start += len(number) - len(number.lstrip())
        parts.append(_text(text[cursor:start]))
        parts.append(
            f'<span class="mt-computed" title="worked out by the calculator">{_text(stripped)}'
            '<span class="mt-unseen"> (calculator)</span></span>'
        )
        cursor = start + len(stripped)
    parts.append(_text(text[cursor:]))
    return "".join(parts)


def _badge(state: State) -> str:
    icon, words, name = CHECKS[state]
    return f'<span class="mt-check mt-{name}"><span aria-hidden="true">{icon}</span> {words}</span>'


def _wrong_sums(card: Card) -> str:
    """What each wrong sum should be. The value comes from our own arithmetic, not from the model."""
    lines = []
    for claim in card.check.claims:
        if claim.state is State.WRONG and claim.left is not None:
            said, value = f"{claim.claim.left} = {claim.claim.right}", show(claim.left)
            lines.append(
                f'<p class="mt-fix"><q>{_text(said)}</q> but {_text(claim.claim.left)} makes {_text(value)}.</p>'
            )
    return "".join(lines)


def step_card(card: Card, mark: str = "") -> str:
    """One finished step, open until the student closes it. `mark` is a word of ours beside its number."""
    marked = f'<span class="mt-differs">{_text(mark)}</span>' if mark else ""
    return (
        f'<li class="mt-step"><details open><summary><span class="mt-num">Step {card.number}</span>{marked}'
        f"{_badge(card.check.state)}</summary>"
        f'<div class="mt-body"><p>{_marked(card.text, card.computed)}</p>{_wrong_sums(card)}</div></details></li>'
    )


def step_list(lesson: Lesson, label: str = "Solution steps", mark: tuple[int, str] | None = None) -> str:
    """All finished steps as cards, then the line still being written as plain text with a caret.

    `mark` is (position of a card from 1, word to put on it).
    """
    position, word = mark or (0, "")
    items = [
        step_card(card, word if index == position else "") for index, card in enumerate(lesson.cards, start=1)
    ]
    if lesson.phase is Phase.THINKING:
        # An unfinished line is shown from the start of the reply on: the wait for a step is not silence.
        items.append(
            f'<li class="mt-step mt-growing{"" if lesson.growing else " mt-blank"}" aria-hidden="true">'
            f"<p>{_text(lesson.growing)}"
            '<span class="mt-caret"></span></p></li>'
        )
    elif lesson.growing:
        items.append(f'<li class="mt-step mt-growing"><p>{_text(lesson.growing)}</p></li>')
    if not items:
        return ""
    return f'<ol class="mt-steps" aria-label="{_text(label)}">{"".join(items)}</ol>'


def sums_line(lesson: Lesson) -> str:
    """How many sums were checked, in words that never say the answer is right."""
    if not lesson.num_claims:
        return "There were no sums here that I could check."
    wrong = sum(claim.state is State.WRONG for card in lesson.cards for claim in card.check.claims)
    checked, total = lesson.num_checked, lesson.num_claims
    if not checked:
        return f"I could check none of the {total} {_sums(total)}."
    if wrong:
        return f"{wrong} of {total} {_sums(total)} {'does' if wrong == 1 else 'do'} not add up."
    if checked == total:
        return {1: "The sum checks.", 2: "Both sums check."}.get(total, f"All {total} sums check.")
    return f"{checked} of {total} sums could be checked, and {'it checks' if checked == 1 else 'they check'}."


def _sums(count: int) -> str:
    return "sum" if count == 1 else "sums"


def answer_text(lesson: Lesson) -> str:
    """The answer as people write it ("5", never "5.0"), or ""."""
    return show(lesson.answer.value) if lesson.answer is not None and lesson.answer.value is not None else ""


def answer_card(
    lesson: Lesson, notes: tuple[str, ...] = (), label: str = "Answer", heading: str = "My answer"
) -> str:
    """The final answer with what was checked; "" without one. `notes`, `label` and `heading` are our own words."""
    if lesson.phase is not Phase.ANSWERED:
        return ""
    more = "".join(f"<p>{_text(note)}</p>" for note in notes)
    tone = "mt-wrong" if lesson.first_wrong is not None else "mt-plain"
    return (
        f'<section class="mt-answer {tone}" aria-label="{_text(label)}"><p class="mt-answer-label">{_text(heading)}</p>'
        f'<p class="mt-answer-value">{_text(answer_text(lesson))}</p><p class="mt-sums">{_text(sums_line(lesson))}</p>'
        f"{more}</section>"
    )


def raw(lesson: Lesson, summary: str) -> str:
    """All the model wrote, letter for letter, one click away."""
    if not lesson.text:
        return ""
    return (
        f'<details class="mt-raw"><summary>{_text(summary)}</summary>'
        f'<pre tabindex="0">{_text(lesson.text)}</pre></details>'
    )


def notice(words: str, kind: str = "plain") -> str:
    """A status sentence of our own. `kind` names its look: plain, busy, warn."""
    return f'<p class="mt-notice mt-{_text(kind)}">{_text(words)}</p>' if words else ""


# --- a student's own lines ----------------------------------------------------------------------------------

# mark -> (icon, words, class)
MARKS = {
    Mark.FINE: ("✓", "fits", "ok"),
    Mark.DOUBT: ("◆", "look here", "look"),
    Mark.NOTHING: ("–", "no number here", "nothing"),
    Mark.NOT_READ: ("–", "not looked at yet", "nothing"),
}


def work_list(lines: Sequence[str], found: Diagnosis, label: str = "Your steps") -> str:
    """A student's lines, each with its mark; the first doubtful one with the question about it."""
    items = []
    for at, (line, mark) in enumerate(zip(lines, found.marks, strict=False)):
        icon, words, name = MARKS[mark]
        if mark is Mark.FINE and found.verdict is Verdict.SUMS_CHECK:
            words = "sums check" if any(check_claim(claim).state is State.OK for claim in find_claims(line)) else "no sum to check"
            icon, name = ("✓", "ok") if words == "sums check" else ("–", "nothing")
        badge = f'<span class="mt-check mt-{name}"><span aria-hidden="true">{icon}</span> {words}</span>'
        question = f'<p class="mt-question">{_text(found.question)}</p>' if at == found.at else ""
        items.append(
            f'<li class="mt-line mt-line-{name}"><div class="mt-line-head"><span class="mt-num">Line {at + 1}</span>{badge}</div>'
            f'<p class="mt-line-text">{_text(line)}</p>{question}</li>'
        )
    return f'<ol class="mt-lines" aria-label="{_text(label)}">{"".join(items)}</ol>' if items else ""


# --- the ladder of hints -----------------------------------------------------------------------------------

_TITLES = {Rung.UNDERSTAND: "Understand", Rung.PLAN: "Plan", Rung.SET_UP: "Set up", Rung.WORKED: "Worked step"}


def rung_name(hint: Hint) -> str:
    """ "Plan", "Set up step 2": a rung as the page calls it."""
    return _TITLES[hint.rung] + (f" {hint.step}" if hint.rung is Rung.WORKED else f" step {hint.step}" if hint.step else "")


def hint_ladder(hints: tuple[Hint, ...], label: str, doubtful: bool = False, words: dict[Rung, str] | None = None) -> str:
    """The rungs that were asked for, the newest last and open. `words` is our own sentence for each kind of rung."""
    words = words or {}
    items = [_rung(hint, words.get(hint.rung, ""), hint is hints[-1]) for hint in hints]
    tone = " mt-doubtful" if doubtful else ""
    return f'<ol class="mt-steps mt-ladder{tone}" aria-label="{_text(label)}">{"".join(items)}</ol>' if items else ""


def _rung(hint: Hint, words: str, newest: bool) -> str:
    body = f'<p class="mt-ask-you">{_text(words)}</p>' if words else ""
    if hint.equation:
        shown = _text(hint.equation).replace(BLANK, '<span class="mt-blank-box" aria-hidden="true">▢</span><span class="mt-unseen">blank</span>')
        body = f'<p class="mt-equation">{shown}</p>{body}'
    if hint.rung is Rung.UNDERSTAND:
        asked = f'<p class="mt-asked">{_text(hint.lines[0])}</p>' if hint.lines else ""
        known = "".join(f"<li>{_text(line)}</li>" for line in hint.lines[1:])
        body += asked + (f'<ul class="mt-known">{known}</ul>' if known else "")
    elif hint.rung is Rung.PLAN and len(hint.lines) > 1:
        body += f'<ol class="mt-plan">{"".join(f"<li>{_text(line)}</li>" for line in hint.lines)}</ol>'
    elif hint.lines:
        body += "".join(f"<p>{_text(line)}</p>" for line in hint.lines)
    badge = _badge(hint.check.state) if hint.check else ""
    return (
        f'<li class="mt-step mt-rung{" mt-newest" if newest else ""}"><details open><summary>'
        f'<span class="mt-num">{_text(rung_name(hint))}</span>{badge}</summary><div class="mt-body">{body}</div></details></li>'
    )


def feedback(words: str, kind: str) -> str:
    """What is said of a student's number, announced once. `kind`: right, part, other, hint."""
    icon = {"right": "✓", "part": "◐", "other": "?", "hint": "→"}[kind]
    return (
        f'<p class="mt-feedback mt-says-{_text(kind)}" role="status"><span aria-hidden="true">{icon}</span> {_text(words)}</p>' if words else ""
    )
