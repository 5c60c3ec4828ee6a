"""Two runs on the same problems, pair by pair.

    python -m eval.compare evals/pocket-base-gsm8k evals/pocket-gsm8k
    python -m eval.compare evals/pocket-64 evals/pocket-16 --noise        # the same model twice: what means nothing
    python -m eval.compare theirs-1.jsonl theirs-2.jsonl                  # files of outputs, as eval.score reads them

Says which problems B fixes and which it breaks, whether that could be chance (McNemar's exact test; where problems are
made from templates, an exact sign test over these), the interval of the difference, where the two replies to a problem first part, what they cost, and how right each is within a budget
of tokens: of single replies, where a run has several to a problem. Runs on other problems, or with other gold answers, are refused. `--out` keeps it all as JSON.

`--noise`: both must be the same model, prompt and decoding (another batch size, machine or library): then every flip
is noise. Of f flips a problem, each as likely to fix as to break, two of n problems differ by 1.96 * sqrt(f / n) at most,
19 times of 20: a difference between two models that is no larger means nothing.
"""

from __future__ import annotations

import argparse
import json
from math import sqrt
from pathlib import Path
from statistics import mean

from eval.benchmarks import kind_of
from eval.compare_files import compare_files, print_files
from eval.intervals import Z95, compare_pairs, wilson
from eval.metrics import (
    budgets,
    compare_templates,
    error_kind,
    problem_of,
    shown_answer,
    speaker,
    steps_of,
    vote,
    why_unscored,
)
from eval.outputs import Columns
from eval.readings import NotInstalled
from eval.records import Run, load_run, told_differences, without_key
from eval.withheld import asked
from mathtutor.chat import split_reply
from mathtutor.io import Damaged, write_json
from mathtutor.maths.steps import parse_steps

MOST_LISTED = 10


def steps_of_reply(reply: str) -> list[str]:
    """The lines of a reply that reason or answer, without their numbers."""
    parts = split_reply(reply)
    return [step.text for step in parse_steps(parts.reasoning)] + [line.strip() for line in parts.tail.split("\n") if line.strip()]


def first_difference(a: str, b: str) -> dict | None:
    """{"step", "a", "b"}: the first step, from 1, in which two replies differ; None where they are the same."""
    ours, theirs = steps_of_reply(a), steps_of_reply(b)
    for number in range(max(len(ours), len(theirs))):
        one = ours[number] if number < len(ours) else None
        other = theirs[number] if number < len(theirs) else None
        if one != other:
            return {"step": number + 1, "a": one, "b": other}
    return None


def check_pair(a: Run, b: Run) -> None:
    """Raises ValueError where the two do not answer the same problems, or nobody has said what is right."""
    for run in (a, b):
        if not run.rows:
            raise ValueError(f"{run.folder} holds no row yet: run its eval.run command to its end")
        if why := why_unscored(run.rows, run.readings, kind_of(run.stamp["benchmark"])):
            raise ValueError(f"{run.folder} cannot be compared: {why}")
    ours, theirs = a.by_problem(), b.by_problem()
    if ours.keys() != theirs.keys():
        only_a, only_b = len(ours.keys() - theirs.keys()), len(theirs.keys() - ours.keys())
        raise ValueError(
            f"{a.folder} and {b.folder} do not hold the same problems: {only_a} only in the first, {only_b} only in the "
            "second; finish both runs, or compare runs with the same --benchmark and --limit"
        )
    other = [name for name in ours if (asked(ours[name][0]), ours[name][0]["gold"]) != (asked(theirs[name][0]), theirs[name][0]["gold"])]
    if other:
        raise ValueError(f"{a.folder} and {b.folder} ask something else under the id {other[0]}: they are not of the same benchmark")


def compare(a: Run, b: Run) -> dict:
    """All that is said of two runs. Raises ValueError where they cannot be compared."""
    check_pair(a, b)
    ours, theirs = a.by_problem(), b.by_problem()
    verdicts = {name: (vote(ours[name], a.readings)[0], vote(theirs[name], b.readings)[0]) for name in ours}
    flips: dict[str, list[dict]] = {"fixed": [], "broken": []}
    for name, (was, now) in verdicts.items():
        if was != now:
            one, other = speaker(ours[name], a.readings), speaker(theirs[name], b.readings)
            wrong, its = (other, b.readings) if was else (one, a.readings)
            flips["broken" if was else "fixed"].append({
                "id": name, "question": one["question"], "gold": one["gold"], "answers": [shown_answer(one, a.readings), shown_answer(other, b.readings)],
                "error": error_kind(wrong, steps_of(problem_of(wrong)), its), "first_difference": first_difference(one["reply"], other["reply"]),
                "tokens": [one["tokens"], other["tokens"]], "replies": [one["reply"], other["reply"]],
            })  # fmt: skip
    return {
        "a": side(a),
        "b": side(b),
        **compare_pairs(list(verdicts.values())),
        "templates": compare_templates(verdicts, [problem_of(rows[0]) for rows in ours.values()]),
        "same_replies": sum([row["reply"] for row in ours[name]] == [row["reply"] for row in theirs[name]] for name in ours),
        "differs_in": told_differences(a.stamp, b.stamp),
        "fixed_items": flips["fixed"],
        "broken_items": flips["broken"],
    }


def side(run: Run) -> dict:
    """What one of two runs cost, and what it is worth within a budget."""
    right = [vote(group, run.readings)[0] for group in run.by_problem().values()]
    tokens, seconds = [row["tokens"] for row in run.rows], [row["seconds"] for row in run.rows]
    return {
        "folder": run.name,
        "engine": without_key(str(run.stamp.get("engine"))),
        "revision": run.stamp.get("revision"),
        "mode": run.stamp["mode"]["name"],
        "samples": run.stamp["samples"],
        "tokens": sum(tokens),
        "mean_tokens": round(mean(tokens), 1),
        "tokens_a_problem": round(sum(tokens) / len(right), 1),
        "tokens_a_right_answer": round(sum(tokens) / sum(right), 1) if any(right) else None,
        "seconds": round(sum(seconds), 2),
        "cut_off": sum(row["cut_off"] for row in run.rows),
        "budgets": budgets(run.rows, run.readings),
    }


def verdict_of(found: dict) -> str:
    """One sentence on what the two may be said to differ in."""
    low, high = found["interval"]
    size = f"B - A = {found['difference']:+.1%} (95% interval {low:+.1%} to {high:+.1%}), McNemar's exact test p = {found['p']:.2g}"
    p, points_one_way = found["p"], True
    if alike := found["templates"]:
        p, points_one_way = alike["p"], (alike["better"] > alike["worse"]) == (found["difference"] > 0)
        size += f", which takes instances of one template for independent; of {alike['n']:,} templates B solves more in {alike['better']:,} and fewer in {alike['worse']:,}, exact sign test p = {p:.2g}"
    if p < 0.05 and points_one_way:
        return f"{size}: {'B' if found['difference'] > 0 else 'A'} is better on these problems, and chance alone would rarely do that."
    return f"{size}: no difference that chance would not make."


def print_comparison(found: dict) -> None:
    for name in ("a", "b"):
        part = found[name]
        right = found["correct"][name == "b"]
        a_right = f", {part['tokens_a_right_answer']:,} a right answer" if part["tokens_a_right_answer"] else ""
        a_problem = f", {part['tokens_a_problem']:,} a problem for the majority of {part['samples']}" if part["samples"] > 1 else ""
        print(
            f"{name.upper()}  {part['folder']}: {right} of {found['n']} right = {right / found['n']:.1%}; {part['tokens']:,} tokens "
            f"({part['mean_tokens']:,} a reply{a_problem}{a_right}), {part['seconds']:,} s, {part['cut_off']} cut off"
        )
    print(verdict_of(found))
    print(f"Fixed {found['fixed']}, broken {found['broken']}, both right {found['both_right']}, both wrong {found['both_wrong']}; they differ in {', '.join(found['differs_in']) or 'nothing on record'}.")
    points = sorted({point["tokens"] for name in ("a", "b") for point in found[name]["budgets"]})
    several = [name.upper() for name in ("a", "b") if found[name]["samples"] > 1]
    print(f"Right within so many tokens, single replies ({' and '.join(several)} above: a majority, which costs all of its replies):" if several else "Right within so many tokens:")
    for budget in points:
        print(f"  {budget:>6,}  " + "  ".join(f"{name.upper()} {at_budget(found[name]['budgets'], budget):6.1%}" for name in ("a", "b")))
    for kind in ("fixed", "broken"):
        items = found[f"{kind}_items"]
        for item in items[:MOST_LISTED]:
            parted = item["first_difference"]
            where = f"part at step {parted['step']}: {parted['a']!r:.70} / {parted['b']!r:.70}" if parted else "the same reply"
            print(f"  {kind} {item['id']} (gold {item['gold']}, answers {item['answers'][0]} / {item['answers'][1]}, {item['error']}): {where}")
        if len(items) > MOST_LISTED:
            print(f"  ... and {len(items) - MOST_LISTED} more {kind}: --out keeps them all")


def at_budget(points: list[dict], budget: int) -> float:
    """The last point of a curve at or below `budget`: beyond its end a curve is flat."""
    return max((point["accuracy"] for point in points if point["tokens"] <= budget), default=0.0)


def noise_of(found: dict) -> dict:
    """What a comparison of a run with itself, made again, says of noise; `floor` is a share of accuracy, None without a flip."""
    n, flips = found["n"], found["fixed"] + found["broken"]
    low, high = wilson(flips, n)
    floor = Z95 * sqrt(flips / n / n) if flips else None
    moved = (
        f"the replies to {n - found['same_replies']:,} of {n:,} problems differ, {flips:,} of {n:,} verdicts flip = {flips / n:.1%} "
        f"(95% interval {low:.1%} to {high:.1%}), and the accuracy moves by {abs(found['difference']):.2%}."
    )
    means = (
        f"So many flips move the accuracy by up to {floor:.2%}, 19 times of 20: a difference that is no larger between two models means nothing."
        if flips
        else f"No flip was seen: that so many as {high:.1%} of the verdicts flip is not ruled out."
    )
    return {"n": n, "flips": flips, "interval": [low, high], "same_replies": found["same_replies"], "floor": floor, "moved": moved, "means": means}


def print_noise(found: dict) -> None:
    noise = noise_of(found)
    print(f"{found['a']['folder']} and {found['b']['folder']}: {noise['moved']}\n{noise['means']}")


def main_of_files(args: argparse.Namespace) -> None:
    if args.noise:
        raise SystemExit("--noise needs two folders of runs: files of outputs do not say what made them")
    try:
        found = compare_files(args.a, args.b, Columns(args.reply, args.gold, id=args.id))
    except (ValueError, Damaged, OSError, NotInstalled) as error:
        raise SystemExit(str(error)) from error
    if args.out:
        write_json(args.out, found)
    if args.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print_files(found, verdict_of(found), MOST_LISTED)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", metavar="A", help="folder of a run, or a file of outputs")
    parser.add_argument("b", metavar="B", help="another of the same")
    parser.add_argument("--reply", metavar="NAME", help="of files: the column of the replies, as in eval.score")
    parser.add_argument("--gold", metavar="NAME", help="of files: the column of the gold answers")
    parser.add_argument("--id", metavar="NAME", help="of files: the column that tells problems apart")
    parser.add_argument("--noise", action="store_true", help="both are the same: measure what is noise")
    parser.add_argument("--out", type=Path, help="a JSON file for all of it, the replies to flipped problems included")
    parser.add_argument("--json", action="store_true", help="print that")
    args = parser.parse_args(argv)
    if (are_files := [Path(name).is_file() for name in (args.a, args.b)]) == [True, True]:
        return main_of_files(args)
    if any(are_files) or args.reply or args.gold or args.id:
        raise SystemExit("two folders of runs are compared, or two files of outputs: --reply, --gold and --id are for files alone")
    try:
        if args.noise and Path(args.a).resolve() == Path(args.b).resolve():
            raise ValueError(f"{args.a} is named twice: --noise needs two runs of the same command, each with an --out of its own")
        a, b = load_run(args.a), load_run(args.b)
        found = compare(a, b)
        if args.noise and found["differs_in"]:
            raise ValueError(f"{a.folder} and {b.folder} differ in {', '.join(found['differs_in'])}: --noise is for the same run twice")
    except (ValueError, Damaged, OSError) as error:
        raise SystemExit(str(error)) from error
    if args.out:
        write_json(args.out, found)
    if args.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif args.noise:
        print_noise(found)
    else:
        if Path(args.a).resolve() == Path(args.b).resolve():
            print("A and B are the same folder: whatever follows is nought by construction.")
        print_comparison(found)


if __name__ == "__main__":
    main()
