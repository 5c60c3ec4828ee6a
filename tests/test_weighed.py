"""Tries that are weighed by the verifier: which answer leads, when it is given as one's own, and what the page says of it."""

from __future__ import annotations

import re
from html import unescape
from types import SimpleNamespace

import pytest

from mathtutor.engines import Generation, Sampling
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from mathtutor.strings import LANGUAGES, strings_of
from mathtutor.tutoring import tries, verifier
from mathtutor.tutoring.tries import Standing, tries_of
from ui import learn
from ui.api import solution_of, twin_of
from ui.desk import Desk
from ui.streams import LazyEngine

APPLES = "Ana has 3 apples and buys 4 more. How many has she now?"
DAYS = "On day 5 Ana has 3 apples and buys 4 more. How many has she now?"  # one number more: most tries may be enough
GOOD = "<think>\nStep 1: 3 + 4 = 7\n</think>\n\nThe answer is 7."
SLIP = "<think>\nStep 1: 3 + 4 = 8\nStep 2: 8 - 1 = 7\n</think>\n\nThe answer is 7."
OTHER = "<think>\nStep 1: 3 * 4 = 12\n</think>\n\nThe answer is 12."
LOST = "<think>\nStep 1: Nobody says.\n</think>\n\nI do not know."
HIGH, LOW = 0.9, 0.1


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """A threshold of these tests' own: the shipped one is settled anew with every Pocket."""
    monkeypatch.setattr(tries, "TRUSTED", 0.5)
    monkeypatch.setattr(verifier, "TRUSTED", 0.5)
    monkeypatch.setattr(verifier, "ENGINE", "pocket")


def weighed(texts, chances, planned=0, problem=DAYS):
    return tries_of([Generation(text, 9, 0.1, "stop") for text in texts], planned, chances, problem)


TABLE = [
    # replies, their chances, planned -> standing, answer, votes, mean chance, hints
    ([GOOD] * 5, [HIGH] * 5, 5, Standing.AGREED, 7, 5, 0.9, True),
    ([GOOD] * 5, [LOW] * 5, 5, Standing.DOUBTFUL, 7, 5, 0.1, True),  # all agree, and are doubted
    ([GOOD] * 4 + [OTHER], [HIGH] * 5, 5, Standing.AGREED, 7, 4, 0.72, True),  # one differs, and the four are likely right
    ([GOOD] * 3 + [OTHER] * 2, [HIGH] * 3 + [LOW] * 2, 5, Standing.AGREED, 7, 3, 0.54, True),
    ([GOOD] * 3 + [OTHER] * 2, [LOW] * 3 + [HIGH] * 2, 5, Standing.DOUBTFUL, 12, 2, 0.36, False),  # the likelier way has no majority
    ([GOOD] * 2 + [OTHER] + [LOST] * 2, [1.0] * 2 + [LOW] * 3, 3, Standing.DOUBTFUL, 7, 2, 0.4, False),
    ([SLIP] * 5, [HIGH] * 5, 5, Standing.DOUBTFUL, 7, 5, 0.9, True),  # likely, and its sums fail
    ([SLIP] * 4 + [GOOD], [HIGH] * 5, 5, Standing.AGREED, 7, 5, 0.9, True),  # the sound way is shown
    ([GOOD] + [SLIP] * 4, [LOW] + [HIGH] * 4, 5, Standing.DOUBTFUL, 7, 5, 0.74, True),  # and must be likely itself
    ([GOOD] * 3 + [SLIP] * 2, [LOW, HIGH, LOW] + [HIGH] * 2, 5, Standing.AGREED, 7, 5, 0.58, True),  # of the sound ones the likeliest
    ([GOOD] * 2, [HIGH] * 2, 5, Standing.DOUBTFUL, 7, 2, 0.36, False),  # a try that never came to an end has no chance
    ([LOST] * 5, [HIGH] * 5, 5, Standing.NONE, None, 0, 0.0, False),
    ([], [], 5, Standing.NONE, None, 0, 0.0, False),
]


@pytest.mark.parametrize(("texts", "chances", "planned", "standing", "answer", "votes", "mean", "hints"), TABLE)
def test_weighed_tries_are_trusted_by_their_mean_chance(texts, chances, planned, standing, answer, votes, mean, hints):
    found = weighed(texts, chances, planned)
    assert (found.standing, found.agreement.answer, found.agreement.votes) == (standing, answer, votes)
    assert found.mean_chance == pytest.approx(mean) and (found.solved("How many?") is not None) is hints
    assert found.best is None or found.best.answer.value == answer
    assert found.best is None or GOOD not in texts or answer != 7 or found.best.text == GOOD


@pytest.mark.parametrize(("texts", "chances", "planned"), [row[:3] for row in TABLE])
def test_without_chances_tries_are_counted_as_ever(texts, chances, planned):
    found = weighed(texts, None, planned)
    is_all = found.best is not None and found.agreement.votes == found.agreement.tries and GOOD in texts
    assert found.mean_chance is None and not found.is_doubted and (found.standing is Standing.AGREED) is is_all


def test_where_nothing_may_be_trusted_no_answer_is_given_for_its_chance(monkeypatch):
    monkeypatch.setattr(tries, "TRUSTED", None)
    assert weighed([GOOD] * 5, [1.0] * 5).standing is Standing.DOUBTFUL


def test_an_answer_without_a_majority_is_not_given_however_likely(monkeypatch):
    monkeypatch.setattr(tries, "TRUSTED", 0.3)
    two, three = weighed([GOOD] * 2 + [OTHER] * 3, [1.0] * 2 + [LOW] * 3), weighed([GOOD] * 3 + [OTHER] * 2, [1.0] * 3 + [LOW] * 2)
    assert (two.mean_chance, two.standing, three.standing) == (pytest.approx(0.4), Standing.DOUBTFUL, Standing.AGREED)


def test_each_try_has_one_chance():
    with pytest.raises(ValueError, match="each try has one"):
        assert weighed([GOOD] * 5, [HIGH] * 4).standing


# --- whose tries are weighed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "calculator", "trusted", "is_weighed"),
    [
        (LazyEngine("pocket"), True, 0.5, True),
        (SimpleNamespace(name="pocket"), True, 0.5, True),
        (LazyEngine("pocket"), False, 0.5, False),  # the weights were learned from replies with the calculator
        (LazyEngine("pocket"), True, None, False),  # nothing was found that may be trusted
        (LazyEngine("pocket-base"), True, 0.5, False),
        (LazyEngine("qwen3-4b"), True, 0.5, False),
        (LazyEngine("hf:/models/pocket"), True, 0.5, False),  # shown as "pocket", and another model
        (SimpleNamespace(name="scripted"), True, 0.5, False),
    ],
)
def test_only_replies_of_the_kind_that_the_weights_come_from_are_weighed(engine, calculator, trusted, is_weighed, monkeypatch):
    monkeypatch.setattr(verifier, "TRUSTED", trusted)
    found = verifier.chances_of(engine, Sampling(calculator=calculator), APPLES, [Generation(GOOD, 9, 0.1, "stop"), Generation("", 0, 0.0, "failed")])
    assert (found is not None) is is_weighed
    assert found is None or found == (verifier.chance(APPLES, GOOD), verifier.chance(APPLES, ""))


# --- what the page says ------------------------------------------------------------------------------------


def desk(texts, monkeypatch, chances=None) -> Desk:
    """A desk whose Pocket plays `texts`; with `chances`, those are what the verifier finds."""
    if chances is not None:
        monkeypatch.setattr(learn, "chances_of", lambda engine, sampling, problem, replies: tuple(chances))
    return Desk({"tuned": ScriptedEngine(texts, name="pocket")})


def told(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("texts", "chances", "is_sure", "words"),
    [
        ([GOOD] * 5, [HIGH] * 5, True, "AGREE"),
        ([GOOD] * 4 + [OTHER], [HIGH] * 5, True, "MOST_AGREE"),
        ([GOOD] * 5, [LOW] * 5, False, "AGREE_DOUBTED"),
        ([GOOD] * 4 + [OTHER], [LOW] * 5, False, "DISAGREE"),
        ([GOOD] * 4 + [LOST], [LOW] * 5, False, "SOME_LOST"),  # no try gives another answer
        ([SLIP] * 5, [HIGH] * 5, False, "SUMS_FAIL"),
        ([SLIP] * 5, [LOW] * 5, False, "SUMS_FAIL"),
        ([GOOD] * 3 + [OTHER] * 2, [LOW] * 3 + [HIGH] * 2, False, "SPLIT"),
        ([LOST] * 5, [LOW] * 5, False, "NO_WAY"),
    ],
)
def test_the_lines_under_an_answer_and_the_doubts_are_literally_true(texts, chances, is_sure, words, language, monkeypatch):
    said = strings_of(language)
    *_, last = learn.coach(DAYS, True, desk(texts, monkeypatch, chances))
    work, expected = last.work, getattr(said, words)
    assert work.is_sure is is_sure
    if is_sure:
        first, second = learn.certainty(work, work.tries.best, said)
        assert first == expected.format(votes=work.tries.agreement.votes, tries=5) and second == said.AGREE_NO_PROOF
        assert learn.doubts(work, said) == ""
    else:
        assert expected.format(tries=5) in told(learn.doubts(work, said)) and said.STRONGER in told(learn.doubts(work, said))
        others = (said.AGREE, said.MOST_AGREE, said.AGREE_DOUBTED, said.DISAGREE, said.SOME_LOST, said.SUMS_FAIL, said.SPLIT)
        assert not any(each.format(votes=5, tries=5) in told(learn.doubts(work, said)) for each in others if each != expected)


@pytest.mark.parametrize(
    ("problem", "texts", "chances", "standing", "votes", "answer", "words", "twin"),
    [
        (DAYS, [GOOD] * 5, [HIGH] * 5, "agreed", 5, "7", strings.AGREE.format(tries=5), True),
        (DAYS, [GOOD] * 4 + [OTHER], [HIGH] * 5, "agreed", 4, "7", strings.MOST_AGREE.format(votes=4, tries=5), False),  # sure, and no twin
        (DAYS, [GOOD] * 5, [LOW] * 5, "doubtful", 5, None, strings.AGREE_DOUBTED.format(tries=5), False),
        (APPLES, [GOOD] * 5, [HIGH] * 5, "agreed", 5, "7", strings.AGREE.format(tries=5), True),
        (APPLES, [GOOD] * 4 + [OTHER], [HIGH] * 5, "doubtful", 4, None, strings.DISAGREE, False),  # 3 + 4 and 3 * 4 are weighed alike
    ],
)
def test_a_program_is_told_the_same(problem, texts, chances, standing, votes, answer, words, twin, monkeypatch):
    now = desk(texts, monkeypatch, chances)
    found = solution_of(problem, now)
    assert (found["agreement"]["standing"], found["agreement"]["votes"], found["answer"]) == (standing, votes, answer)
    made = twin_of(problem, now)
    assert words in found["says"] and (made["problem"] is not None) is twin
    assert made["says"] == (f"{strings.TWIN_READY} {strings.TWIN_ANSWER}" if twin else strings.NO_TWIN)


def test_with_few_numbers_most_tries_are_not_enough_and_nobody_counted_is_few():
    four = [GOOD] * 4 + [OTHER]
    standings = [weighed(four, [HIGH] * 5, problem=problem).standing for problem in (DAYS, APPLES, "3 + 4", "")]
    assert standings == [Standing.AGREED, *[Standing.DOUBTFUL] * 3]
    assert weighed([GOOD] * 5, [HIGH] * 5, problem=APPLES).standing is Standing.AGREED


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("texts", "is_most"), [([GOOD] * 5, False), ([GOOD] * 4 + [OTHER], True), ([GOOD] * 3 + [OTHER] * 2, True), ([GOOD] * 4 + [LOST], True)]
)
def test_being_sure_with_most_tries_is_told_at_the_start(texts, is_most, language, monkeypatch):
    said, votes = strings_of(language), texts.count(GOOD)
    now = Desk(desk(texts, monkeypatch, [HIGH] * votes + [0.5] * (5 - votes)).engines, strings=said)
    *_, last = learn.coach(DAYS, True, now)
    assert last.work.is_sure
    assert told(last.status) == (said.READY_MOST.format(votes=votes, tries=5) if is_most else said.READY_SURE)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("typed", "chances", "words"),
    [
        ("12", [HIGH] * 5, "SAID_RIVAL"),
        ("12 apples", [LOW] * 5, "SAID_RIVAL"),  # unsure as well: most found another number
        ("7", [HIGH] * 5, "SAID_SAME"),
        ("9", [HIGH] * 5, "SAID_OTHER"),
        ("9", [LOW] * 5, "SAID_OTHER_DOUBTFUL"),
    ],
)
def test_a_number_that_other_tries_find_is_not_called_different_from_ours(typed, chances, words, language, monkeypatch):
    said = strings_of(language)
    *_, last = learn.coach(DAYS, True, desk([GOOD] * 3 + [OTHER] * 2, monkeypatch, chances))
    view = learn.checked_view(typed, last.work, said)
    assert getattr(said, words).format(value=typed.split()[0]) in told(view.feedback)
    assert words == "SAID_SAME" or "7" not in told(view.feedback) and "mt-says-other" in view.feedback


def test_the_page_weighs_what_pocket_wrote_and_counts_what_others_did(monkeypatch):
    *_, weighed_view = learn.coach(APPLES, True, desk([GOOD], monkeypatch))
    *_, counted_view = learn.coach(APPLES, True, Desk({"tuned": ScriptedEngine([GOOD])}))
    *_, without = learn.coach(APPLES, False, desk([GOOD], monkeypatch))
    assert weighed_view.work.tries.mean_chance == pytest.approx(verifier.chance(APPLES, GOOD))
    assert counted_view.work.tries.chances is None and without.work.tries.chances is None
