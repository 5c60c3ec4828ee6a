"""Votes on comparisons: which side is right and which is clearer, counted apart, kept in this visit alone.

    votes = Votes().add({"left": "pocket", "right": "pocket-base"}, "Left", None)
    votes.counts["pocket", "right"]  ->  1
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html import escape

from mathtutor.strings import ENGLISH, Strings

# What can be voted for; `strings.VOTE_CHOICES` has the words for each.
LEFT_SIDE, RIGHT_SIDE, BOTH = "Left", "Right", "Both"
RIGHT = (LEFT_SIDE, RIGHT_SIDE, BOTH, "Neither")
CLEARER = (LEFT_SIDE, RIGHT_SIDE, "No difference")
SIDE_OF = {LEFT_SIDE: "left", RIGHT_SIDE: "right"}


@dataclass(frozen=True)
class Votes:
    """How often each model was called right and clearer: counts by (model, question), and of rounds by model."""

    rounds: Counter = field(default_factory=Counter)
    counts: Counter = field(default_factory=Counter)

    def add(self, titles: dict[str, str], right: object, clearer: object) -> Votes:
        """With a round's votes added; the same object where neither was given."""
        if right not in RIGHT and clearer not in CLEARER:
            return self
        rounds, counts = Counter(self.rounds), Counter(self.counts)
        models = set(titles.values())  # one where both sides are the same: no model is right twice in a round
        rounds.update(models)
        if right == BOTH:
            counts.update((title, "right") for title in models)
        elif right in SIDE_OF:
            counts[titles[SIDE_OF[right]], "right"] += 1
        if clearer in SIDE_OF:
            counts[titles[SIDE_OF[clearer]], "clearer"] += 1
        return Votes(rounds, counts)

    def table(self, strings: Strings = ENGLISH) -> str:
        """The counts as a table; "" before the first vote."""
        if not self.rounds:
            return ""
        heads = "".join(f'<th scope="col">{head}</th>' for head in strings.VOTE_HEADS)
        rows = "".join(
            f'<tr><th scope="row">{escape(title)}</th><td>{count}</td><td>{self.counts[title, "right"]}</td>'
            f"<td>{self.counts[title, 'clearer']}</td></tr>"
            for title, count in sorted(self.rounds.items())
        )
        return (
            f'<div class="mt-scroll"><table class="mt-table"><caption>{strings.VOTES}</caption>'
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )
