"""A problem with its gold answer, and the row of a data set that teaches one.

    Problem(id="svamp-17", question="Ana has 3 apples ...", answer=Fraction(7), source="svamp")
    Row(id="bank-0000017", problem="Ana has 3 apples ...", steps=("Ana has 3 + 4 = 7 apples.",), answer="7", ...)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction

MAX_GRADE = 12  # the last year of school; 0 where none is known


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
    grade: int = 0  # 0 to MAX_GRADE
    asked: str = ""  # what is asked, in words and without numbers
    plan: str = ""

    def to_dict(self) -> dict:
        return asdict(self) | {"steps": list(self.steps)}

    @classmethod
    def from_dict(cls, row: dict) -> Row:
        """Raises ValueError naming the missing keys, or the key of a wrong value; unknown keys are ignored."""
        missing = {"id", "problem", "steps", "answer"} - row.keys()
        if missing:
            raise ValueError(f"row {row.get('id', '?')} lacks {', '.join(sorted(missing))}")
        values = {f.name: row[f.name] for f in fields(cls) if f.name in row}
        for key, value in values.items():
            wanted = {"steps": (list, tuple), "grade": int}.get(key, str)
            if not isinstance(value, wanted) or isinstance(value, bool):
                name = {"steps": "a list of texts", "grade": "a whole number"}.get(key, "a text")
                raise ValueError(f"row {row['id']!r:.40}: {key} must be {name}, not {value!r:.60}")
        if not all(isinstance(step, str) for step in values["steps"]):
            raise ValueError(f"row {row['id']!r:.40}: steps must be a list of texts, not {values['steps']!r:.60}")
        if not 0 <= values.get("grade", 0) <= MAX_GRADE:
            raise ValueError(f"row {row['id']!r:.40}: grade must be 0 to {MAX_GRADE}, not {values['grade']!r:.60}")
        return cls(**values | {"steps": tuple(values["steps"])})
