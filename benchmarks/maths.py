"""How much of GSM8K's own arithmetic do the checks read, and how often do they call a gold solution wrong?

    python -m benchmarks.maths --data DATA        (or MATHTUTOR_DATA=DATA)

Prints JSON. Every figure carries its n. "signs" are the equals signs of all solutions; each is just one of:

    ok, wrong      checked (wrong counts true human errors too: --wrong lists them)
    nothing        both sides are numbers, and no operation or a difference of units makes them uncheckable
    variable       3x = 12
    name           x = 12 / 4, Total = 5 + 3: a side without any number, so nothing that could be false
    unread         the rest

read = (ok + wrong + nothing) / (signs - variable - name). faults: one number of one checked claim is replaced
in a solution; caught = a claim of that solution is then WRONG.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mathtutor.maths.answers import READINGS, is_correct, read_answer
from mathtutor.maths.arithmetic import evaluate
from mathtutor.maths.checks import State, check_claim
from mathtutor.maths.claims import find_claims
from mathtutor.maths.steps import open_expression

_NOTE = re.compile(r"<<[^>\n]*>>")
_LEFT = re.compile(r"(?:[^=\n.,;:?!]|[.,:](?=\d))*$")
_RIGHT = re.compile(r"(?:[^=\n.,;:?!]|[.,:](?=\d))*")


def solutions(path: Path, notes: bool) -> list[str]:
    rows = [json.loads(line)["answer"].partition("\n####")[0] for line in path.open(encoding="utf-8")]
    return rows if notes else [_NOTE.sub("", row) for row in rows]


def claims_of(solution: str) -> Iterator[tuple[str, list]]:
    for line in solution.split("\n"):
        yield line, [check_claim(claim) for claim in find_claims(line)]


def gold(path: Path, notes: bool) -> tuple[dict, list[str]]:
    counts: Counter[str] = Counter()
    wrong_lines, solutions_wrong, rows = [], 0, solutions(path, notes)
    begin = time.process_time()
    for solution in rows:
        any_wrong = False
        for line, checks in claims_of(solution):
            # An annotation repeats the equation around it; where nothing else is written, it is the equation.
            counts["signs"] += max(_NOTE.sub("", line).count("="), len(checks))
            for check in checks:
                if check.state is State.WRONG:
                    any_wrong = True
                    wrong_lines.append(f"{check.claim.left} = {check.claim.right}   in: {line}")
                known = check.left is not None and check.right is not None
                counts[check.state.value if check.state is not State.NOTHING or known else "variable"] += 1
            bare = _NOTE.sub("", line)
            places = {match.start() for match in re.finditer("=", bare)}
            names = sum(
                not re.search(r"\d", _LEFT.search(bare[:at]).group())
                or not re.search(r"\d", _RIGHT.match(bare, at + 1).group())
                for at in places
            )
            counts["name"] += min(names, max(0, len(places) - len(checks)))
        solutions_wrong += any_wrong
    seconds = time.process_time() - begin
    counts["unread"] = counts["signs"] - sum(
        counts[key] for key in ("ok", "wrong", "nothing", "variable", "name")
    )
    readable = counts["signs"] - counts["variable"] - counts["name"]
    return {
        "n_solutions": len(rows),
        **{key: counts[key] for key in ("signs", "ok", "wrong", "nothing", "variable", "name", "unread")},
        "read": round((counts["ok"] + counts["wrong"] + counts["nothing"]) / readable, 5),
        "checked": round((counts["ok"] + counts["wrong"]) / readable, 5),
        "wrong_share": round(counts["wrong"] / counts["signs"], 5),
        "solutions_with_a_wrong": solutions_wrong,
        "solutions_per_cpu_second": round(len(rows) / seconds),
    }, wrong_lines


def faults(path: Path, every: int) -> dict:
    """Replace one result, or one operand, in every n-th solution that is clean to begin with."""
    rng = random.Random(0)
    result = {}
    for kind in ("result", "operand"):
        planted = caught = 0
        for solution in solutions(path, notes=False)[::every]:
            sites = [
                (line, check.claim)
                for line, checks in claims_of(solution)
                for check in checks
                if check.state is State.OK and not any(other.state is State.WRONG for other in checks)
            ]
            if not sites:
                continue
            line, claim = rng.choice(sites)
            numbers = [match.span() for match in re.finditer(r"\d+", line[claim.start : claim.end])]
            sign = line[claim.start : claim.end].rfind("=")
            numbers = [span for span in numbers if (span[0] > sign) == (kind == "result")]
            if not numbers:
                continue
            first, last = rng.choice(numbers)
            first, last = first + claim.start, last + claim.start
            number = int(line[first:last])
            other = rng.choice(
                [
                    value
                    for value in (number + 1, number + 10, number * 2 + 1, max(0, number - 1))
                    if value != number
                ]
            )
            planted += 1
            caught += any(
                check.state is State.WRONG
                for _, checks in claims_of(line[:first] + str(other) + line[last:])
                for check in checks
            )
        result[kind] = {"n": planted, "caught": caught, "share": round(caught / planted, 4)}
    return result


def published(folder: Path) -> dict:
    result = {}
    for path in sorted(folder.glob("*.jsonl")):
        rows = [json.loads(line) for line in path.open(encoding="utf-8")]
        result[path.stem] = {"n": len(rows)}
        for reading in READINGS:
            scores = [is_correct(row["model_output"], row["ground_truth_answer"], reading) for row in rows]
            result[path.stem][reading] = {
                "correct": sum(score.correct for score in scores),
                "crashed": sum(score.answer.crashed for score in scores),
            }
    return result


def speed() -> dict:
    """Best of 5: milliseconds of CPU time on 100 KB of hostile text, microseconds a call while decoding."""
    size = 100_000
    hostile = {
        name: (piece * (size // len(piece) + 1))[:size]
        for name, piece in {
            "digits": "1", "commas": ",", "dashes": "-", "answer is": "answer is ", "hashes": "#### ",
            "boxed": "\\boxed{", "bold": "**1:**", "spaces": " ", "1e": "1e", "open brackets": "(",
            "thinks": "<think>", "sentences": "the answer is a. ",
        }.items()
    }  # fmt: skip
    worst = {
        name: round(1e3 * best(lambda text=text: read_answer(text)), 3) for name, text in hostile.items()
    }
    expressions = [
        "(" * 30 + "1" + ")" * 30,
        "+".join(["1/" + "9" * 40] * 11),
        "9^64^1",
        "*".join(["9" * 9] * 50),
        "1 " * 250,
    ]
    line = "Step 4: together they have 12 apples * $3 + 15 pears / 5 ="
    return {
        "robust_ms_at_100KB": worst,
        "robust_ms_at_100KB_worst": max(worst.values()),
        "evaluate_ms_worst": round(
            1e3 * max(best(lambda text=text: evaluate(text)) for text in expressions), 3
        ),
        "open_expression_us": round(1e6 * best(lambda: open_expression(line)), 1),
    }


def best(call, times: int = 5) -> float:
    seconds = []
    for _ in range(times):
        begin = time.process_time()
        call()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("MATHTUTOR_DATA"), help="folder that holds gsm8k/"
    )
    parser.add_argument("--split", default="train", choices=("train", "test"))
    parser.add_argument(
        "--every", type=int, default=2, help="plant a fault in every n-th solution (default 2)"
    )
    parser.add_argument(
        "--wrong", action="store_true", help="list the claims of gold solutions that were called wrong"
    )
    options = parser.parse_args()
    if options.data is None:
        parser.error("say where the data is: --data FOLDER or MATHTUTOR_DATA")
    path = Path(options.data) / "gsm8k" / f"{options.split}.jsonl"
    stripped, wrong = gold(path, notes=False)
    report = {
        "split": options.split,
        "gold": {"annotations_stripped": stripped, "annotations_kept": gold(path, notes=True)[0]},
        "faults": faults(path, options.every),
        "published_scorers": published(Path(options.data) / "qwen3-0.6b-gsm8k-outputs"),
        "speed": speed(),
    }
    if options.wrong:
        report["called_wrong"] = wrong
    print(json.dumps(report, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
