"""A problem with its gold answer, and the row of a data set that teaches one.

    Problem(id="svamp-17", question="Ana has 3 apples ...", answer=Fraction(7), source="svamp")
    Row(id="bank-0000017", problem="Ana has 3 apples ...", steps=("Ana has 3 + 4 = 7 apples.",), answer="7", ...)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction


@dataclass(frozen=True)
class Problem:
    """One item of a benchmark. `answer` is exact; `gold` is the text it was read from."""

    id: str
    question: str
    answer: Fraction | None
    gold: str = ""
    source: str = ""
    meta: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One line of `clean.jsonl`. `steps` come without "Step 1: "; `answer` is shown as people write it."""

    id: str
    problem: str
    steps: tuple[str, ...]
    answer: str
    source: str = "bank"  # "bank", "gsm8k-train", ...
    family: str = ""
    topic: str = ""
    grade: int = 0
    asked: str = ""  # what is asked, in words and without numbers
    plan: str = ""

    def to_dict(self) -> dict:
        return asdict(self) | {"steps": list(self.steps)}

    @classmethod
    def from_dict(cls, row: dict) -> Row:
        """Raises ValueError naming the missing keys; unknown keys are ignored."""
        missing = {"id", "problem", "steps", "answer"} - row.keys()
        if missing:
            raise ValueError(f"row {row.get('id', '?')} lacks {', '.join(sorted(missing))}")
        known = {f.name for f in fields(cls)}
        return cls(**{k: tuple(v) if k == "steps" else v for k, v in row.items() if k in known})
