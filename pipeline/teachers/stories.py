"""The story teacher: every question of every story in turn, with other numbers and names each time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from mathtutor.bank.stories import Story, load_stories
from mathtutor.problem import Row


@cache
def _stories() -> dict[str, Story]:
    """Read once: a stream that is made in many parts would read them for each."""
    return load_stories()


def write_rows(count: int, seed: int, stories: dict[str, Story] | None = None, first: int = 0) -> Iterator[Row]:
    """`count` rows from row `first` on; row i can be made alone from (seed, i). Raises ValueError when there are no stories."""
    asked = [(story, question) for _, story in sorted((stories or _stories()).items()) for question in range(story.num_questions)]
    if count and not asked:
        raise ValueError("there are no stories: assets/bank/stories holds none")
    for number in range(first, first + count):
        story, question = asked[number % len(asked)]
        telling = story.tell(seed, number // len(asked), question)
        yield Row(
            id=f"stories-{number:07d}",
            problem=telling.problem,
            steps=telling.steps,
            answer=telling.shown_answer,
            source="stories",
            family=story.id,
        )
