"""Compare: any two models, with their names or without, votes, and problems with a known answer."""

from __future__ import annotations

import random

import pytest

from mathtutor.engines.models import Machine, Model
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.strings import ENGLISH as strings
from mathtutor.tutoring.proofs import as_markdown, proof_markdown
from ui import items
from ui.compare import Choice, Round, Side, begin, compare, reveal, where_they_differ
from ui.desk import Desk
from ui.items import Item, draw
from ui.shelf import Shelf
from ui.streams import Limits, WaitingLine
from ui.votes import Votes

APPLES = "Ana has 3 apples and buys 4 more. How many has she now?"
PROVE = "Prove that the sum of 2 odd numbers is even."
STEPS = "<think>\nStep 1: {} buys 3 + 4 = 7 apples.\n</think>\n\nThe answer is 7."
MODELS = {
    "prover": Model("Prover", "hf:A/prover", 600, "MIT", view="proof", max_tokens=900),
    "huge": Model("Huge", "hf:A/huge", 90_000, "MIT"),
}


def desk(**limits) -> Desk:
    own = {side: ScriptedEngine({APPLES: STEPS.format(side), PROVE: "<think>\nStep 1: 1 + 1 = 2\n</think>\n\nThe answer is 2."}, name=side) for side in ("base", "tuned")}

    class Ready(ScriptedEngine):
        failure = None

        def start(self):
            return self

    def load(name: str) -> Ready:
        return Ready({PROVE: r"<think>odd</think> Let $a=2k+1$. <b>Then</b> \(a+b<4\) [ok](http://x)."}, name=name)

    return Desk(own, Limits(**limits), WaitingLine(), Shelf(own, MODELS, lambda: Machine(0, 8e9), load))


def last(views):
    *_, view = views
    return view


def test_two_models_are_named_and_their_round_may_be_voted_on():
    view = last(compare(APPLES, True, desk()))
    assert "base buys" in view.left and "tuned buys" in view.right and strings.BASE_NAME in view.left
    assert strings.SAME_ANSWER.format(answer=7) in view.summary and view.round is not None


def test_without_names_nothing_tells_who_is_who_until_the_vote():
    seen = set()
    for seed in range(8):
        view = last(compare(APPLES, True, desk(), Choice(blind=True), rng=random.Random(seed)))
        plain = view.left.replace("base buys", "").replace("tuned buys", "") + view.right.replace("base buys", "").replace("tuned buys", "")
        assert "base" not in plain and "tuned" not in plain and "tokens" not in plain and view.summary == ""
        assert strings.SIDE_NAMES["left"] in view.left
        seen.add("base buys" in view.left)
        named, votes = reveal(view.round, "Left", "Right", Votes())
        left, right = ("base", "tuned") if "base buys" in view.left else ("tuned", "base")
        assert left in named.left and "tokens" in named.left and named.summary
        assert votes.counts == {(left, "right"): 1, (right, "clearer"): 1} and votes.rounds == {left: 1, right: 1}
    assert seen == {True, False}  # the sides do change places


@pytest.mark.parametrize(
    ("right", "clearer", "expected"),
    [
        ("Left", None, {("a", "right"): 1}),
        ("Both", "No difference", {("a", "right"): 1, ("b", "right"): 1}),
        ("Neither", "Right", {("b", "clearer"): 1}),
        (None, None, {}),
        ("Middle", 7, {}),
    ],
)
def test_votes_for_right_and_for_clearer_are_counted_apart(right, clearer, expected):
    votes = Votes().add({"left": "a", "right": "b"}, right, clearer)
    assert votes.counts == expected and bool(votes.rounds) == (bool(expected) or right == "Neither")
    assert ("<table" in votes.table()) == bool(votes.rounds)


@pytest.mark.parametrize("right", ["Left", "Right", "Both", "Neither"])
@pytest.mark.parametrize("clearer", ["Left", "Right", "No difference"])
def test_one_model_on_both_sides_is_right_and_clearer_at_most_once_a_round(right, clearer):
    votes = Votes().add({"left": "Pocket", "right": "Pocket"}, right, clearer)
    assert votes.rounds == {"Pocket": 1}
    assert votes.counts["Pocket", "right"] == (right != "Neither") and votes.counts["Pocket", "clearer"] == (clearer != "No difference")


def test_a_table_of_votes_escapes_the_names():
    assert "<img" not in Votes().add({"left": "<img>", "right": "b"}, "Left", None).table()


def test_a_round_is_counted_once():
    view = last(compare(APPLES, True, desk()))
    _, votes = reveal(view.round, "Both", None, Votes())
    said, again = reveal(None, "Both", None, votes)
    assert again is votes and strings.VOTE_FIRST in said.status


def test_a_known_answer_is_told_at_the_end_and_only_for_its_own_problem():
    item = Item(APPLES, "7", "SVAMP")
    told = strings.ON_RECORD.format(answer="7", name="SVAMP")
    assert told in last(compare(APPLES, True, desk(), item=item)).summary
    assert told not in last(compare(PROVE, True, desk(), item=item)).summary
    blind = last(compare(APPLES, True, desk(), Choice(blind=True), item=item))
    assert told not in blind.summary and told in reveal(blind.round, None, None, Votes())[0].summary


def test_a_model_that_does_not_fit_is_one_sentence_and_nothing_runs():
    view = last(compare(APPLES, True, desk(), Choice("huge", "tuned")))
    assert "Huge needs a graphics card" in view.status and not view.busy and view.round is None


def test_a_proof_is_shown_as_mathematics_and_not_checked():
    view = last(compare(PROVE, True, desk(), Choice("prover", "tuned")))
    assert view.left_proof == r"Let $a=2k+1$. &lt;b&gt;Then&lt;/b&gt; \(a+b\lt 4\) &#91;ok&#93;(http://x)." and view.right_proof == ""
    assert "Prover" in view.left and "mt-step" not in view.left and strings.PROOFS_UNCHECKED in view.summary


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("$x<y$ and <script>", r"$x\lt y$ and &lt;script&gt;"),
        ("![p](http://x/p.png)", "!&#91;p&#93;(http://x/p.png)"),
        (r"\[a[1] > 2\] so", r"\[a[1] \gt  2\] so"),
        ("**Proof.** half a formula $x + ", "**Proof.** half a formula $x + "),
        ("$$\nx\n$$", "$$\nx\n$$"),
        ("`code` | a ~ b & c", "&#96;code&#96; &#124; a &#126; b &amp; c"),
    ],
)
def test_only_mathematics_and_emphasis_work_in_a_proof(text, shown):
    assert as_markdown(text) == shown


def test_a_proof_is_what_follows_the_reasoning_and_hostile_text_is_read_in_no_time():
    assert proof_markdown("<think>maybe $x$") == "maybe $x$"
    assert proof_markdown("<think>maybe</think>Yes.") == "Yes."
    for text in ("$" * 50_000, r"\(" * 25_000, r"\[" + "x" * 50_000, "$x" * 25_000):
        as_markdown(text)


@pytest.mark.parametrize("named", [False, True])
def test_problems_are_drawn_from_the_sets_that_are_here(monkeypatch, tmp_path, named):
    """Those that come with the page, where no folder is named, as on a Space, and where an empty one is."""
    items.sets.cache_clear()
    if named:
        monkeypatch.setenv("MATHTUTOR_DATA", str(tmp_path))
    else:
        monkeypatch.delenv("MATHTUTOR_DATA", raising=False)
    assert items.sets() == ("typed", "bank")
    for name in items.sets():
        item = draw(name, random.Random(1))
        assert item.question and item.gold and item.source == name
        assert item == draw(name, random.Random(1)) and item != draw(name, random.Random(2))
    with pytest.raises(KeyError):
        draw("GSM8K test", random.Random(1))
    items.sets.cache_clear()


@pytest.mark.parametrize(
    ("parting", "words"),
    [
        (None, strings.SAME_STEPS),
        ((2, 2), strings.FIRST_DIFFERENCE.format(step=2)),
        ((1, 3), strings.FIRST_DIFFERENCES.format(left=1, right=3)),
        ((None, 2), strings.MORE_STEPS.format(longer="right", step=2)),
        ((2, None), strings.MORE_STEPS.format(longer="left", step=2)),
    ],
)
def test_where_two_solutions_part_is_told_in_words(parting, words):
    assert where_they_differ(parting) == words


def test_a_round_starts_with_the_models_in_their_places():
    now = begin(desk(), Choice("prover", "base"), random.Random(0))
    assert isinstance(now, Round) and now.names == {"left": "prover", "right": "base"}
    assert now.proof == {"left": True, "right": False} and now.sides["left"] == Side()
