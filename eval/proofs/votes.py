"""Figures of grades: pure functions. What nobody graded is counted, and is no zero.

    summary = summarize(works, marks)           # marks: {work.key: [6, 7, None]}, a grader each
    calibration([(7, 6), (0, 0)], [...])        # (people, judge): agreement, mean error, kappa

One rule for a run of any number of graders: a proof's points are the mean of the graders that gave some; it is solved
when more than half of these gave SOLVED points or more. Intervals are of problems, not of proofs, since the proofs of one
problem are not independent: RESAMPLES bootstrap draws of whole problems for means and kappa; for the share that is solved
Wilson's with as many trials as there are problems, which is as wide as if their proofs all went alike, and honest at 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from statistics import mean, median

import numpy as np

from eval.intervals import wilson
from eval.proofs.marks import MAX_POINTS, SOLVED
from eval.proofs.sources import Work

RESAMPLES = 2000
Values = Sequence[int | str | None]


def settle(work: Work, marks: Values) -> dict:
    """One proof under all its graders, as `proofs.jsonl` has it."""
    given = [mark for mark in marks if mark is not None]
    if work.state == "none":
        given, state = [0], "no proof"
    elif work.state == "failed":
        given, state = [], "failed"
    else:
        state = "ungraded" if not given else "graded" if len(given) == len(marks) else "partly graded"
    return {
        "id": work.id,
        "sample": work.sample,
        "problem_id": work.problem_id,
        "group": work.group,
        "state": state,
        "cut_off": work.state == "cut off",
        "marks": list(marks),
        "points": mean(given) if given else None,
        "median": median(given) if given else None,
        "solved": sum(mark >= SOLVED for mark in given) * 2 > len(given) if given else None,
        "human": work.human,
    }


def summarize(works: Sequence[Work], marks: Mapping[str, Values]) -> dict:
    """Figures of a grading. Scores are shares of 7 points; `bounds` are the score with what is not graded at 0 and at 7."""
    found = [settle(work, marks.get(work.key, ())) for work in works]
    graded = [proof for proof in found if proof["points"] is not None]
    points = [proof["points"] / MAX_POINTS for proof in graded]
    solved = sum(proof["solved"] for proof in graded)
    n = len(found)
    states = Counter(proof["state"] for proof in found)
    return {
        "n": n,
        "problems": len({proof["problem_id"] for proof in found}),
        "graded": len(graded),
        "ungraded": n - len(graded),
        "states": dict(states),
        "cut_off": sum(proof["cut_off"] for proof in found) + states["no proof"],
        "score": mean(points) if points else None,
        "interval": _interval([proof["problem_id"] for proof in graded], points),
        "bounds": [sum(points) / n, (sum(points) + n - len(graded)) / n] if n else [0.0, 1.0],
        "solved": solved,
        "solved_interval": list(_of_problems(solved, graded)),
        "histogram": {str(mark): count for mark, count in sorted(Counter(_all(graded)).items())},
        "by": {
            name: {"n": len(part), "score": mean(part)}
            for name, part in sorted(_parts(graded).items())
            if name and len(_parts(graded)) > 1
        },
        "graders": noise([proof["marks"] for proof in found if proof["state"] != "no proof"]),
    }


def _interval(problems: Sequence[str], shares: Sequence[float]) -> list[float] | None:
    """Of a mean share: the bootstrap over problems, and never narrower at the edge than Wilson's for as many problems.

    Drawn again and again, proofs that all have the same points would be certain; three problems are not.
    """
    found = bootstrap(problems, shares, _weighted_mean)
    if found is None:
        return None
    n = len(set(problems))
    low, high = wilson(mean(shares) * n, n)
    return [min(found[0], low), max(found[1], high)] if found[0] == found[1] else found


def _of_problems(solved: int, graded: Sequence[dict]) -> tuple[float, float]:
    problems = len({proof["problem_id"] for proof in graded})
    return wilson(solved / len(graded) * problems, problems) if graded else (0.0, 1.0)


def _all(proofs: Sequence[dict]) -> list[int]:
    return [mark for proof in proofs for mark in (proof["marks"] or [0]) if mark is not None]


def _parts(proofs: Sequence[dict]) -> dict[str, list[float]]:
    parts = defaultdict(list)
    for proof in proofs:
        parts[proof["group"]].append(proof["points"] / MAX_POINTS)
    return parts


def noise(marks: Sequence[Values]) -> dict | None:
    """How far graders differ on the same proof: over all pairs of them. None where nothing was graded twice."""
    given = [[mark for mark in one if mark is not None] for one in marks]
    pairs = [pair for one in given for pair in combinations(one, 2)]
    if not pairs:
        return None
    twice = [one for one in given if len(one) > 1]
    return {
        "pairs": len(pairs),
        "agree": sum(a == b for a, b in pairs) / len(pairs),
        "mean_difference": mean(abs(a - b) for a, b in pairs),
        "unanimous": sum(len(set(one)) == 1 for one in twice),
        "split_on_solved": sum(len({mark >= SOLVED for mark in one}) == 2 for one in twice),
        "n": len(twice),
    }


# --- against people


def calibration(problems: Sequence[str], people: Sequence[int], judge: Sequence[float]) -> dict | None:
    """How a judge's points compare with people's on the same proofs; None where there are none.

    The error is of the judge's points as they are, agreement and kappa of the points rounded to whole ones (halves
    down). Quadratic kappa (Cohen 1968) is that of scikit-learn; None where it is not defined, as when all is one grade.
    """
    if not people:
        return None
    rounded = [int(np.ceil(points - 0.5)) for points in judge]
    pairs = list(zip(people, rounded, strict=True))
    errors = [points - human for human, points in zip(people, judge, strict=True)]
    table = [[sum(pair == (human, given) for pair in pairs) for given in range(MAX_POINTS + 1)] for human in range(MAX_POINTS + 1)]
    return {
        "n": len(pairs),
        "problems": len(set(problems)),
        "agree": sum(a == b for a, b in pairs) / len(pairs),
        "within_one": sum(abs(a - b) <= 1 for a, b in pairs) / len(pairs),
        "agree_on_solved": sum((a >= SOLVED) == (b >= SOLVED) for a, b in pairs) / len(pairs),
        "too_kind": sum(b >= SOLVED > a for a, b in pairs),
        "too_strict": sum(a >= SOLVED > b for a, b in pairs),
        "mean_absolute_error": mean(map(abs, errors)),
        "mean_absolute_error_interval": bootstrap(problems, [abs(error) for error in errors], _weighted_mean),
        "bias": mean(errors),
        "quadratic_kappa": quadratic_kappa(*np.array(pairs).T),
        "quadratic_kappa_interval": bootstrap(problems, pairs, fast_kappa),
        "table": table,
    }


def quadratic_kappa(people: Sequence[int], judge: Sequence[int]) -> float | None:
    from sklearn.metrics import cohen_kappa_score

    if len(set(people) | set(judge)) < 2:
        return None
    value = float(cohen_kappa_score(people, judge, labels=range(MAX_POINTS + 1), weights="quadratic"))
    return None if np.isnan(value) else value


def fast_kappa(pairs: Sequence[tuple[int, int]]) -> float | None:
    """The kappa of `quadratic_kappa` for the draws of a bootstrap, where the library's checks of each call take a second in all."""
    size = MAX_POINTS + 1
    people, judge = np.array(pairs).T
    table = np.bincount(people * size + judge, minlength=size * size).reshape(size, size)
    weights = np.subtract.outer(np.arange(size), np.arange(size)) ** 2
    by_chance = (weights * np.outer(table.sum(1), table.sum(0))).sum() / len(pairs)
    return 1 - float((weights * table).sum() / by_chance) if by_chance else None


def _weighted_mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def bootstrap(groups: Sequence[str], values: Sequence, of: Callable[[Sequence], float | None]) -> list[float] | None:
    """The 95% percentile interval of `of(values)`, whole groups drawn with replacement; None below two groups."""
    members = defaultdict(list)
    for group, value in zip(groups, values, strict=True):
        members[group].append(value)
    if len(members) < 2:
        return None
    parts, random = list(members.values()), np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        value = of([value for place in random.integers(len(parts), size=len(parts)) for value in parts[place]])
        if value is not None:
            found.append(value)
    return [float(bound) for bound in np.percentile(found, [2.5, 97.5])] if found else None


# --- answers


def summarize_answers(works: Sequence[Work], marks: Mapping[str, Values]) -> dict:
    """Right answers by math-verify alone, and with the judge's majority where math-verify finds no equality.

    `bounds` are the shares with what nobody settled taken as wrong and as right.
    """
    verdicts = {work.key: verdict_of(work, marks.get(work.key, ())) for work in works}
    n, right = len(works), sum(verdict == "same" for verdict in verdicts.values())
    by_library = sum(work.decided == "same" for work in works)
    open_ = sum(verdict is None for verdict in verdicts.values())
    settled = n - open_
    return {
        "n": n,
        "correct": right,
        "accuracy": right / settled if settled else 0.0,
        "interval": list(wilson(right, settled)),
        "correct_math_verify": by_library,
        "accuracy_math_verify": by_library / n if n else 0.0,
        "asked": sum(work.decided is None and work.state != "failed" for work in works),
        "changed_by_judge": right - by_library,
        "undecided": open_,
        "failed": sum(work.state == "failed" for work in works),
        "bounds": [right / n, (right + open_) / n] if n else [0.0, 1.0],
        "graders": noise_of_verdicts([marks[work.key] for work in works if work.key in marks]),
    }


def verdict_of(work: Work, marks: Values) -> str | None:
    """ "same" or "different", by more than half of the graders; None where they did not settle it."""
    if work.decided:
        return work.decided
    given = Counter(mark for mark in marks if mark is not None)
    verdict, votes = given.most_common(1)[0] if given else (None, 0)
    return verdict if votes * 2 > given.total() else None


def noise_of_verdicts(marks: Sequence[Values]) -> dict | None:
    given = [[mark for mark in one if mark is not None] for one in marks]
    twice = [one for one in given if len(one) > 1]
    if not twice:
        return None
    return {"n": len(twice), "unanimous": sum(len(set(one)) == 1 for one in twice)}
