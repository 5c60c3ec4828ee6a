"""Whether a reply goes round in circles: a small model that has lost the thread never ends by itself.

    goes_in_circles("Step 4: 2 + 2 = 4\\nStep 5: 4 + 2 = 6\\nStep 6: 6 + 2 = 8\\nStep 7: 8 + 2 = 10\\n")   # True

Numbers are left out of the comparison, since they grow from round to round.
"""

from __future__ import annotations

import re

ROUNDS = 4  # as often must the same words stand at the end
SHORTEST, LONGEST = 8, 200  # characters of one round, numbers left out
TAIL_TOKENS = 400
EVERY = 16  # tokens between two looks


def goes_in_circles(text: str) -> bool:
    """Whether `text` ends with the same words ROUNDS times in a row, numbers aside. Linear in a short tail."""
    words = re.sub(r"[\d.,]+", "", text[-ROUNDS * LONGEST * 2 :])
    for length in range(SHORTEST, min(LONGEST, len(words) // ROUNDS) + 1):
        last = words[-length:]
        if last.strip() and words.endswith(last * ROUNDS):
            return True
    return False
