"""The proofs to be graded, and answers to be compared, each with the texts that a judge needs.

    python -m eval.grade --proofs evals/mine ...          the folder of a run of a proof benchmark
    python -m eval.grade --proofs gradingbench.csv ...    any CSV or JSON lines, a proof a row

Columns of a file, any one name of each (as IMO-GradingBench, ProofBench and our own results call them):

    proof       Response, model_solution, proof, reply
    problem     Problem, problem, question
    solution    Solution, reference_solution, solution            may be missing
    rubric      Grading guidelines, grading_scheme, rubric        may be missing
    id          Grading ID, id                                    the row's number where it is missing
    problem_id  Problem ID, problem_id                            groups the proofs of one problem; the id where missing
    human       Points, score, points, human                      what people gave, 0 to 7: for calibration, never shown

Human grades of proofs that a run wrote lie in a file of their own, with id, sample (0 where missing) and human.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

from eval.proofs.marks import MAX_POINTS
from eval.tables import read_table
from mathtutor.maths.answers import split_thinking

COLUMNS = {
    "proof": ("Response", "model_solution", "proof", "reply"),
    "problem": ("Problem", "problem", "question"),
    "solution": ("Solution", "reference_solution", "solution"),
    "rubric": ("Grading guidelines", "grading_guidelines", "grading_scheme", "rubric"),
    "id": ("Grading ID", "id"),
    "problem_id": ("Problem ID", "problem_id"),
    "human": ("Points", "score", "points", "human"),
}
CONTROLS = ("reference", "swapped")


@dataclass(frozen=True)
class Work:
    """One proof, or one answer. `state`: "written", "cut off" (a proof that met a limit), "none" (no proof at all) or "failed"."""

    id: str
    sample: int
    problem_id: str
    problem: str
    proof: str
    solution: str | None = None
    rubric: str | None = None
    gold: str | None = None
    human: int | None = None
    state: str = "written"
    decided: str | None = None  # of an answer, where no judge is asked: "same" or "different"
    group: str = ""  # a level or category, for the summary

    @property
    def key(self) -> str:
        return f"{self.id}/{self.sample}"


def proof_of(row: dict) -> tuple[str, str]:
    """(proof, state) of a reply: all that stands after the thinking, whole. A heading "Evaluation" is no reason to cut."""
    if row.get("finish") == "failed":
        return "", "failed"
    _, rest, cut_off = split_thinking(row["reply"])
    if cut_off or not rest.strip():
        return "", "none"
    return rest.strip(), "cut off" if row.get("cut_off") else "written"


def of_run(rows: Iterable[dict], problems: Iterable, readings: dict | None = None) -> list[Work]:
    """The proofs of a run with its benchmark's references; with `readings`, its answers, those settled that are.

    Raises ValueError where a row is of no problem of the benchmark.
    """
    known = {problem.id: problem for problem in problems}
    works = []
    for row in rows:
        problem = known.get(row["id"])
        if problem is None or row.get("question", problem.question) != problem.question:
            raise ValueError(f"{row['id']} is not a problem of this benchmark as it is now: run the evaluation again")
        proof, state = proof_of(row)
        meta = problem.meta
        group = str(meta.get("level") or meta.get("Level") or meta.get("category") or "")
        work = Work(row["id"], row.get("sample", 0), row["id"], problem.question, proof, state=state, group=group)
        if readings is None:
            works.append(replace(work, solution=meta.get("solution"), rubric=meta.get("rubric")))
            continue
        reading = readings.get((row["id"], row.get("sample", 0)))
        # math-verify first: what it finds equal is equal. What it does not may be written in a way that it cannot parse.
        same = bool(reading and reading["math_verify"])
        nothing = state in ("none", "failed") or row["cut_off"]
        decided = "same" if same else "different" if nothing and state != "failed" else None
        works.append(replace(work, gold=problem.gold, decided=decided))
    return works


def of_file(path: Path) -> list[Work]:
    """The proofs of a CSV or JSON-lines file. Raises ValueError naming the column or the row."""
    rows = read_table(path)
    names = _names(path, rows, needed=("proof", "problem"))
    works, seen = [], set()
    for number, row in enumerate(rows, start=1):
        texts = {key: _text(row[name], key, name, path, number) for key, name in names.items() if row.get(name) not in (None, "")}
        if not texts.get("problem", "").strip():
            raise ValueError(f"{path}: row {number} has no problem")
        proof, state = proof_of({"reply": texts.get("proof", "")})
        id = texts.get("id", str(number))
        work = Work(
            id, 0, texts.get("problem_id", id), texts["problem"], proof, texts.get("solution"), texts.get("rubric"),
            human=_human(texts.get("human"), path, number), state=state,
        )  # fmt: skip
        if id in seen:
            raise ValueError(f"{path}: the id {id!r} stands twice, again in row {number}")
        seen.add(id)
        works.append(work)
    if not works:
        raise ValueError(f"{path} holds no rows")
    return works


def with_humans(works: Sequence[Work], path: Path) -> list[Work]:
    """`works` with the grades of people from a file. Raises ValueError where it grades none of them."""
    rows = read_table(path)
    names = _names(path, rows, needed=("id", "human"))
    grades = {}
    for number, row in enumerate(rows, start=1):
        key = f"{row[names['id']]}/{row.get('sample') or 0}"
        if key in grades:
            raise ValueError(f"{path}: {key} is graded twice, again in row {number}")
        grades[key] = _human(row.get(names["human"]), path, number)
    if not grades.keys() & {work.key for work in works}:
        raise ValueError(f"{path} grades none of these proofs: its ids are {', '.join(list(grades)[:3])}, ...")
    return [replace(work, human=grades.get(work.key, work.human)) for work in works]


def control(works: Sequence[Work], kind: str) -> list[Work]:
    """Proofs whose grade is known: a judge that cannot grade these grades nothing.

    reference   the reference solution itself, once a problem: 7 points
    swapped     each problem with a proof of another: 0 points
    """
    firsts = {work.problem_id: work for work in reversed(works)}
    if kind == "reference":
        found = [replace(w, id=w.problem_id, sample=0, proof=w.solution or "", human=MAX_POINTS, state="written") for w in firsts.values()]
        found = [work for work in found if work.proof.strip()]
        if not found:
            raise ValueError("these proofs come without reference solutions: --control reference has nothing to grade")
        return sorted(found, key=lambda work: work.id)
    written = [work for work in sorted(works, key=lambda work: work.key) if work.proof]
    # The next proof in order that is of another problem.
    found = []
    for place, work in enumerate(written):
        others = (written[(place + step) % len(written)] for step in range(1, len(written)))
        other = next((other for other in others if other.problem_id != work.problem_id), None)
        if other is None:
            raise ValueError("--control swapped needs proofs of two problems at least")
        found.append(replace(work, proof=other.proof, human=0, state="written"))
    return found


def _text(value: object, key: str, name: str, path: Path, number: int) -> str:
    """A cell as text: a number may name or grade a proof, but what a judge reads must be a text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, str) and not (is_number and key in ("id", "problem_id", "human")):
        raise ValueError(f"{path}: row {number}: {name} must be a text, not {value!r:.40}")
    return str(value)


def _names(path: Path, rows: Sequence[dict], needed: Sequence[str]) -> dict[str, str]:
    """The columns of a file by what they mean."""
    there = set().union(*(row.keys() for row in rows[:100])) if rows else set()
    names = {key: name for key, known in COLUMNS.items() if (name := next((n for n in known if n in there), None))}
    for key in needed:
        if key not in names:
            raise ValueError(
                f"{path} has no column for the {key} ({', '.join(COLUMNS[key])}); its columns are {', '.join(sorted(map(str, there)))}"
            )
    return names


def _human(text: object, path: Path, number: int) -> int | None:
    if text in (None, ""):
        return None
    try:
        value = float(str(text))
    except ValueError:
        value = -1.0
    if not isfinite(value) or value != int(value) or not 0 <= value <= MAX_POINTS:
        raise ValueError(f"{path}: row {number}: a human grade is a whole number from 0 to {MAX_POINTS}, not {text!r:.40}")
    return int(value)
