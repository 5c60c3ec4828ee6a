"""Figures computed from result rows alone; pure functions.

    summarize(rows)["accuracy"]

How far they can be believed: `intervals`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from statistics import mean, median

from eval.faults import steps_of
from eval.intervals import interval_of_groups, rate, wilson
from eval.records import by_problem, is_unfinished, key_of
from eval.tables import ALIKE
from mathtutor.maths.answers import read_gold
from mathtutor.problem import Problem

MAX_CUT_OFF = 0.02  # a run with more replies cut off is marked
BUDGETS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)  # tokens
MOST_LISTED = 50  # rows with other readings named in a summary; `eval.score --all` shows them all
KINDS_OF_ERROR = ("no reply", "loop", "cut off", "no answer", "arithmetic", "missing step", "reading")
SIZES = ((0, 9, "1 digit"), (10, 99, "2 digits"), (100, 999, "3 digits"), (1000, None, "4 digits or more"))


# --- one run


def is_right(row: dict, readings: Mapping | None = None) -> bool:
    """The verdict on a reply: ours where the gold answer is a number, math-verify's where it is an expression."""
    if row["correct"] is not None:
        return row["correct"]
    return bool(readings and (reading := readings.get(key_of(row))) and reading["math_verify"])


def why_unscored(rows: Sequence[dict], readings: Mapping | None, kind: str = "number") -> str:
    """Why nothing may be said of what is right in a run, with the fix; "" where something may."""
    if kind == "proof":
        return "proofs are right or wrong when a judge has graded them: python -m eval.grade --proofs FOLDER"
    open_ = [row for row in rows if row["correct"] is None]
    lacking = sum(key_of(row) not in (readings or {}) for row in open_)
    if lacking:
        return f"{lacking} of {len(rows)} replies were not read by math-verify, which decides here: run its eval.run command again (pip install -e '.[eval]')"
    if any(row.get("sample", 0) for row in open_) and any("vote" not in readings[key_of(row)] for row in open_):
        return "it is not on record which of its replies mean the same: run its eval.run command again (pip install -e '.[eval]')"
    return ""


def answer_of(row: dict, readings: Mapping | None = None) -> str | None:
    """What a reply votes for: its number, or where answers are expressions all that means the same (a name without meaning)."""
    if row["correct"] is not None:
        return row["answer"]
    reading = (readings or {}).get(key_of(row), {})
    vote = reading.get("vote", 0 if reading.get("math_verify") is not None else None)
    return None if vote is None else f"as reply {vote}"


def shown_answer(row: dict, readings: Mapping | None = None) -> str | None:
    """What a reply answers, as people write it."""
    return row["answer"] if row["correct"] is not None else (readings or {}).get(key_of(row), {}).get("answer")


def is_unread(row: dict, readings: Mapping | None = None) -> bool:
    """Whether a reply that ended by itself gives no answer."""
    if row["cut_off"] or row["finish"] == "failed":
        return False
    if row["correct"] is not None or not readings:
        return row["answer"] is None
    reading = readings.get(key_of(row), {})
    return reading.get("math_verify") is None and not reading.get("error")


def majority(rows: Sequence[dict], readings: Mapping | None = None) -> tuple[str | None, int]:
    """(answer, how many gave it) of the samples of one problem; of a tie, the answer that came first. None: none gave one."""
    votes = Counter(answer for row in rows if (answer := answer_of(row, readings)) is not None)
    return votes.most_common(1)[0] if votes else (None, 0)


def speaker(rows: Sequence[dict], readings: Mapping | None = None) -> dict:
    """The reply that stands for the samples of one problem: the first that gives the majority's answer."""
    answer, _ = majority(rows, readings)
    return next((row for row in rows if answer is not None and answer_of(row, readings) == answer), rows[0])


def vote(rows: Sequence[dict], readings: Mapping | None = None) -> tuple[bool, int]:
    """(whether the majority is right, how many agree with it)."""
    if len(rows) == 1:
        return is_right(rows[0], readings), int(answer_of(rows[0], readings) is not None)
    answer, agree = majority(rows, readings)
    return answer is not None and is_right(speaker(rows, readings), readings), agree


def summarize(
    rows: Sequence[dict], readings: Mapping | None = None, kind: str = "number", problems: Sequence[Problem] = ()
) -> dict:
    """Figures of `results.jsonl` rows. `n` counts problems; of several samples the majority answers.

    Where nothing may be said of what is right (`why_unscored`), `correct`, `accuracy` and `interval` are None, and what
    follows from them is left out. Each reply is right or one of the rest: `cut_off` ones hit a limit, `failed` ones never came, `unparsed` ones
    ended without an answer. These three count replies.
    """
    groups = by_problem(rows)
    is_scored = not why_unscored(rows, readings, kind)
    votes = {name: vote(group, readings) for name, group in groups.items()}
    n, correct = len(groups), sum(right for right, _ in votes.values())
    samples = max(map(len, groups.values()), default=1)
    cut_off = sum(row["cut_off"] for row in rows)
    tokens = [row["tokens"] for row in rows]
    summary = {
        **(rate(correct, n) if is_scored else {"n": n, "correct": None, "accuracy": None, "interval": None}),
        "correct_strict": sum(row["correct_strict"] for row in rows),
        "cut_off": cut_off,
        "cut_off_rate": round(cut_off / len(rows), 4) if rows else 0.0,
        "too_many_cut_off": cut_off > MAX_CUT_OFF * len(rows),
        "failed": sum(row["finish"] == "failed" for row in rows),
        "unparsed": (unparsed := sum(is_unread(row, readings) for row in rows)),
        "unparsed_rate": round(unparsed / len(rows), 4) if rows else 0.0,
        "wrong_sums": sum(row["first_wrong_step"] is not None for row in rows),
        "tokens": sum(tokens),
        "mean_tokens": round(mean(tokens), 1) if tokens else 0.0,
        "median_tokens": median(tokens) if tokens else 0,
        "seconds": round(sum(row["seconds"] for row in rows), 2),
        "correct_math_verify": None,
    }
    if readings is not None:
        ours = [row for row in rows if row["correct"] is not None and key_of(row) in readings]
        differ = [row for row in ours if row["correct"] != bool(readings[key_of(row)]["math_verify"])]
        read = [reading["math_verify"] for row in rows if (reading := readings.get(key_of(row)))]
        summary |= {
            "correct_math_verify": sum(value is True for value in read),
            "unread_math_verify": sum(value is None for value in read),
            "unfinished_math_verify": sum(is_unfinished(reading) for row in rows if (reading := readings.get(key_of(row)))),
            "votes_by_text": len({row["id"] for row in rows if "vote_error" in readings.get(key_of(row), {})}),
            "disagreements": len(differ),
            "disagree_on": [f"{row['id']}/{row.get('sample', 0)}" for row in sorted(differ, key=key_of)[:MOST_LISTED]],
        }
    if samples > 1:
        summary["samples"] = samples
    if samples > 1 and is_scored:
        summary |= {
            "sample_accuracy": sum(is_right(row, readings) for row in rows) / len(rows),
            "any_right": sum(any(is_right(row, readings) for row in group) for group in groups.values()),
            "agreement": calibration(votes.values()),
            "coverage": coverage(list(votes.values())),
        }
    if is_scored:
        summary |= {
            "budgets": budgets(rows, readings),
            "errors": errors(rows, readings, problems),
            "by": breakdown(groups, votes, problems),
        }
        if alike := grouped(votes, problems):
            summary["groups"] = alike
    return summary


def grouped(votes: Mapping[str, tuple[bool, int]], problems: Sequence[Problem]) -> dict | None:
    """{"by", "n", "interval"} where problems are instances of fewer templates; None where each stands for itself."""
    for name in ALIKE:
        groups = templates(problems, name)
        if 1 < len(groups) < sum(map(len, groups.values())) == len(votes):
            rights = [[votes[id][0] for id in ids] for ids in groups.values()]
            return {"by": name, "n": len(groups), "interval": list(interval_of_groups(rights))}
    return None


def templates(problems: Sequence[Problem], by: str) -> dict[str, list[str]]:
    """The ids of problems by the template that they are made from, where they say it."""
    groups: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        if problem.meta.get(by) is not None:
            groups[str(problem.meta[by])].append(problem.id)
    return groups


def calibration(votes) -> list[dict]:
    """The accuracy where 5 of 5 agree, where 4 do, and so on."""
    found: dict[int, list[bool]] = defaultdict(list)
    for right, agree in votes:
        found[agree].append(right)
    return [{"agree": agree, **rate(sum(found[agree]), len(found[agree]))} for agree in sorted(found, reverse=True)]


def coverage(votes: Sequence[tuple[bool, float]], shares: Sequence[float] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)) -> list[dict]:
    """The accuracy on the share of problems with the highest scores (agreement, say).

    Among equals that only partly belong to it, each counts with its chance of being taken, so that their order
    says nothing; the interval is of the rounded count.
    """
    ordered = sorted(votes, key=lambda pair: -pair[1])
    curve = []
    for share in shares:
        take = max(1, round(share * len(ordered))) if ordered else 0
        edge = ordered[take - 1][1] if take else 0
        above = [right for right, score in ordered if score > edge]
        level = [right for right, score in ordered if score == edge]
        right = sum(above) + (sum(level) * (take - len(above)) / len(level) if level else 0.0)
        low, high = wilson(round(right), take)
        curve.append({"coverage": share, "n": take, "accuracy": right / take if take else 0.0, "interval": [low, high]})
    return curve


def budgets(rows: Sequence[dict], readings: Mapping | None = None) -> list[dict]:
    """The accuracy if every reply longer than so many tokens were cut off: a curve without new runs."""
    longest = max((row["tokens"] for row in rows), default=0)
    points = [budget for budget in BUDGETS if budget < longest] + [next((b for b in BUDGETS if b >= longest), longest)]
    done = sorted((row["tokens"], is_right(row, readings)) for row in rows)
    return [
        {"tokens": budget, "accuracy": sum(right for tokens, right in done if tokens <= budget) / len(done) if done else 0.0}
        for budget in points
    ]


# --- why a reply is wrong


def error_kind(row: dict, gold_steps: int | None = None, readings: Mapping | None = None) -> str:
    """Which of KINDS_OF_ERROR a wrong reply is; the first that fits.

    "missing step": all its sums hold and it has fewer steps than the gold solution; "reading": all its sums hold and
    no step is missing by that count, so it is the problem that was misread.
    """
    if row["finish"] == "failed":
        return "no reply"
    if row["finish"] == "repeating":
        return "loop"
    if row["cut_off"]:
        return "cut off"
    if is_unread(row, readings):
        return "no answer"
    if row["first_wrong_step"] is not None:
        return "arithmetic"
    steps = row.get("steps")
    return "missing step" if gold_steps and steps is not None and steps < gold_steps else "reading"


def errors(rows: Sequence[dict], readings: Mapping | None, problems: Sequence[Problem]) -> dict[str, int]:
    """How many wrong replies are of each kind."""
    steps = {problem.id: steps_of(problem) for problem in problems}
    found = Counter(error_kind(row, steps.get(row["id"]), readings) for row in rows if not is_right(row, readings))
    return {kind: found[kind] for kind in KINDS_OF_ERROR}


def problem_of(row: dict) -> Problem:
    """What a row tells of its problem."""
    gold = row.get("gold_text", row.get("gold") or "")
    return Problem(row["id"], row.get("question", ""), read_gold(gold) if gold else None, gold, "", row.get("meta", {}))


TOPICS = ("topic", "type", "perturbation_type", "solution_type", "subject", "category")


def topic_of(problem: Problem) -> str | None:
    return next((str(problem.meta[name]) for name in TOPICS if problem.meta.get(name)), None)


def size_of(answer: Fraction | None) -> str | None:
    """What kind of number an answer is: "negative", "no whole number", or its digits."""
    if answer is None:
        return None
    if answer < 0:
        return "negative"
    if answer.denominator != 1:
        return "no whole number"
    return next(name for low, high, name in SIZES if answer >= low and (high is None or answer <= high))


def breakdown(
    groups: Mapping[str, Sequence[dict]], votes: Mapping[str, tuple[bool, int]], problems: Sequence[Problem]
) -> dict[str, dict[str, dict]]:
    """{"steps" | "topic" | "answer": {value: rate}}: where a model is strong, as far as the benchmark tells."""
    known = {problem.id: problem for problem in problems}
    found: dict[str, dict[str, list[bool]]] = {name: defaultdict(list) for name in ("steps", "topic", "answer")}
    for name in groups:
        problem = known.get(name)
        values = (
            {"steps": steps_of(problem), "topic": topic_of(problem), "answer": size_of(problem.answer)}
            if problem
            else {"answer": size_of(read_gold(groups[name][0]["gold"]))}
        )
        for cut, value in values.items():
            if value is not None:
                found[cut][str(value)].append(votes[name][0])
    return {
        cut: {value: rate(sum(rights), len(rights)) for value, rights in sorted(parts.items(), key=lambda part: _natural(part[0]))}
        for cut, parts in found.items()
        if len(parts) > 1
    }


def _natural(text: str) -> list:
    return [(0, int(piece), "") if piece.isdigit() else (1, 0, piece) for piece in re.split(r"(\d+)", text) if piece]


# --- two runs on the same problems


def compare_templates(pairs: Mapping[str, tuple[bool, bool]], problems: Sequence[Problem]) -> dict | None:
    """{"n", "better", "worse", "p"}: in how many templates B solves more than A, in how many fewer, and the exact sign test of the two.

    None where each problem stands for itself. Instances of one template are right or wrong together, and McNemar's test
    takes them for independent; here each template has one voice.
    """
    from scipy.stats import binomtest

    groups = next((found for by in ALIKE if 1 < len(found := templates(problems, by)) < sum(map(len, found.values())) == len(pairs)), None)
    if groups is None:
        return None
    gains = [sum(pairs[id][1] - pairs[id][0] for id in ids) for ids in groups.values()]
    better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    return {"n": len(groups), "better": better, "worse": worse, "p": float(binomtest(better, better + worse).pvalue) if better + worse else 1.0}
