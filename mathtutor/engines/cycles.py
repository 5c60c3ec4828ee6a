"""Whether a reply goes round in circles: a small model that has lost the thread never ends by itself.

    goes_in_circles("so we have to find out " * 6)   # True

Numbers are left out of the comparison, since they grow from round to round.
"""

from __future__ import annotations

import re

ROUNDS = 6  # as often must the same words stand at the end; right solutions may have four like steps, year by year
SHORTEST, LONGEST = 8, 200  # characters of one round, numbers left out
TAIL_TOKENS = 400
EVERY = 16  # tokens between two looks


def goes_in_circles(text: str) -> bool:
    """Whether `text` ends with the same words ROUNDS times in a row, numbers aside. Linear in a short tail."""
    words = re.sub(r"[\d.,]+", "", text[-ROUNDS * LONGEST * 2 :])
    for length in range(SHORTEST, min(LONGEST, len(words) // ROUNDS) + 1):
        last = words[-length:]
        if words.endswith(last * ROUNDS) and any(char.isalpha() for char in last):
            return True
    return False
