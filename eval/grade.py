"""Have a judge grade the proofs of a run from 0 to 7, or compare its answers with the reference.

    python -m eval.grade --proofs evals/mine --judge anthropic:claude-sonnet-4-6 --graders 3 --max-usd 5 --out evals/mine-graded
    python -m eval.grade --proofs evals/mine --judge openai:http://127.0.0.1:8000/v1#gpt-oss-20b --dry-run
    python -m eval.grade --proofs gradingbench.csv --judge anthropic:claude-sonnet-4-6 --max-usd 20 --out evals/judge
    python -m eval.grade --proofs evals/mine --control swapped --judge anthropic:claude-sonnet-4-6 --out evals/judge-swapped
    python -m eval.grade --answers evals/my-answers --judge anthropic:claude-haiku-4-5 --out evals/my-answers-judged

--proofs takes the folder of a run of imo-proofbench or proofbench, or a file (eval/proofs/sources.py names its columns). A
file with the grades of people, or --human FILE, measures the judge: agreement, mean error, quadratic kappa. So do the two
controls: reference solutions must get 7 points, and proofs of another problem 0. --answers takes a run of
imo-answerbench or math-500: what math-verify finds equal is right, and the judge is asked about the rest.

`grades.jsonl` gets a row the moment a grade comes; after a kill the same command asks only what is missing. An answer
without a mark that can be read is asked again, up to --tries times, then stands as not graded: never as 0. Every prompt
lies in `prompts.jsonl` as it was sent. The judge never sees who wrote a proof, nor any other grade of it.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.benchmarks import kind_of, load_benchmark
from eval.proofs.grading import CHARS_A_TOKEN, Ask, Grading, Plan, Stopped
from eval.proofs.judges import Judge, load_judge
from eval.proofs.marks import MAX_POINTS
from eval.proofs.prompts import Prompt, prompt_of, templates
from eval.proofs.sources import CONTROLS, Work, control, of_file, of_run, with_humans
from eval.proofs.votes import calibration, settle, summarize, summarize_answers, verdict_of
from eval.records import WITHHELD, load_run, without_key
from mathtutor.io import Busy, Damaged, Journal, read_json, sha256_file, write_json, write_rows

USUAL_TOKENS = {"grade": 2000, "equivalence": 400}  # of a judge's answer, before any has come
IDENTITY = {"task": "task", "of": "set of proofs", "control": "control", "judge": "judge"}


def parser_of_grade() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.grade", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--proofs", type=Path, help="folder of a run of a proof benchmark, or a .csv or .jsonl file")
    what.add_argument("--answers", type=Path, help="folder of a run of a benchmark with expressions for answers")
    parser.add_argument("--judge", required=True, metavar="SPEC", help="anthropic:MODEL or openai:URL#MODEL")
    parser.add_argument("--out", type=Path, help="folder of this grading")
    parser.add_argument("--graders", type=int, default=3, metavar="N", help="grades a proof, each given without the others (default: 3)")
    parser.add_argument("--tries", type=int, default=3, help="askings of a grade until a mark can be read (default: 3)")
    parser.add_argument("--again", action="store_true", help="ask once more, --tries times, what got no mark")
    parser.add_argument("--max-tokens", type=int, default=16_000, help="of a judge's answer, its thinking included (default: 16000)")
    parser.add_argument("--settings", default="{}", metavar="JSON", help='further keys of each request: \'{"temperature": 0.2}\'')
    parser.add_argument("--price-in", type=float, metavar="USD", help="per million tokens, instead of eval/proofs/prices.yaml")
    parser.add_argument("--price-out", type=float, metavar="USD", help="likewise, of what the judge writes")
    parser.add_argument("--max-usd", type=float, help="never spend more; needed where the judge has a price")
    parser.add_argument("--concurrency", type=int, default=8, help="requests at once (default: 8)")
    parser.add_argument("--limit", type=int, help="only the first so many proofs")
    parser.add_argument("--human", type=Path, help="grades of people: .csv or .jsonl with id, human and perhaps sample")
    parser.add_argument("--control", choices=CONTROLS, help="grade reference solutions (7), or proofs of another problem (0)")
    parser.add_argument("--dry-run", action="store_true", help="send nothing: show the first prompt, tokens and cost")
    return parser


def load_works(args: argparse.Namespace) -> tuple[list[Work], dict]:
    """(what is to be judged, where it is from). Raises ValueError, Damaged or OSError."""
    path = args.proofs or args.answers
    if path.is_file() and path.name not in ("results.jsonl", WITHHELD):
        if args.answers:
            raise ValueError("--answers takes the folder of a run")
        works, origin = of_file(path), {"file": path.name, "sha256": sha256_file(path)}
    else:
        run = load_run(path.parent if path.is_file() else path)
        benchmark = run.stamp["benchmark"]
        kind, wanted = kind_of(benchmark), "expression" if args.answers else "proof"
        if kind != wanted:
            other = {"proof": "--proofs", "expression": "--answers"}.get(kind)
            raise ValueError(f"{benchmark} is a benchmark of answers that are of kind {kind}: " + (f"use {other}" if other else "they need no judge"))
        if args.answers and len(run.readings) < len(run.rows):
            raise ValueError(f"{path} has no readings by math-verify: run its eval.run command again (pip install -e '.[eval]')")
        works = of_run(run.rows, load_benchmark(benchmark), run.readings if args.answers else None)
        origin = {key: run.stamp.get(key) for key in ("engine", "revision", "benchmark", "problems", "mode", "sampling", "samples")}
    works.sort(key=lambda work: (work.id, work.sample))
    if args.limit is not None:
        works = works[: args.limit]
    if args.human:
        works = with_humans(works, args.human)
    if args.control:
        works = control(works, args.control)
    return works, origin


def prompt_for(work: Work, task: str) -> Prompt:
    if task == "grade":
        return prompt_of(task, problem=work.problem, solution=work.solution, rubric=work.rubric, proof=work.proof)
    return prompt_of(task, problem=work.problem, gold=work.gold, proof=work.proof)


def asks_for(works: Sequence[Work], task: str, graders: int) -> tuple[list[Ask], dict[str, Prompt]]:
    """Every grade that is wanted, all first graders before the second; and the prompts by work."""
    prompts = {w.key: prompt_for(w, task) for w in works if w.proof and w.decided is None}
    return [Ask(key, prompt, grader) for grader in range(graders) for key, prompt in prompts.items()], prompts


def check_folder(out: Path, stamp: dict) -> None:
    """Raises Damaged on a folder that holds another grading."""
    record = out / "run.json"
    if not record.exists():
        if (out / "grades.jsonl").exists() and (out / "grades.jsonl").stat().st_size:
            raise Damaged(f"{out} holds grades without a run.json: choose a new --out, or remove the folder")
        return
    old = read_json(record)
    different = [said for key, said in IDENTITY.items() if not isinstance(old, dict) or old.get(key) != stamp[key]]
    if different:
        raise Damaged(f"{out} holds a run with another {', '.join(different)}: choose a new --out, or remove the folder")


def check_graders(out: Path, journal: Journal, graders: int) -> None:
    """Raises Damaged where the folder holds grades of more graders: those beyond `graders` would count for nothing, unsaid."""
    there = max((row["grader"] + 1 for row in journal.rows), default=0)
    if there > graders:
        raise Damaged(f"{out} holds grades of {there} graders: ask for --graders {there} or more, or choose a new --out")


def keep_prompts(out: Path, prompts: Mapping[str, Prompt]) -> None:
    """Every prompt as it is sent, once each."""
    with Journal(out / "prompts.jsonl") as journal:
        known = {row["prompt"] for row in journal.rows}
        new = {prompt.sha256: prompt for prompt in prompts.values() if prompt.sha256 not in known}
        journal.extend([{"prompt": key, "system": prompt.system, "user": prompt.user} for key, prompt in new.items()])


def foresee(grading: Grading, task: str) -> dict:
    """Tokens and dollars of what is still to be asked: as it usually goes, and at most."""
    missing = grading.missing()
    written = [row["usage"]["output"] for ask in grading.asks for row in grading.results(ask) if (row.get("usage") or {}).get("output")]
    usual = sum(written) / len(written) if written else USUAL_TOKENS[task]
    tokens_in = sum(ask.prompt.num_chars for ask in missing) / CHARS_A_TOKEN
    return {
        "asks": len(missing),
        "input_tokens": round(tokens_in),
        "output_tokens": round(len(missing) * usual),
        "usd": grading.judge.price.cost(tokens_in, len(missing) * usual),
        "usd_at_most": sum(grading.worst_usd(ask) for ask in missing) * grading.plan.tries,
    }


def summary_of(works: Sequence[Work], grading: Grading, stamp: dict, prompts: Mapping[str, Prompt]) -> tuple[dict, list[dict]]:
    """(summary.json, rows of proofs.jsonl), from the journal alone."""
    task, graders = stamp["task"], stamp["graders"]
    by_work: dict[str, list] = {key: [None] * graders for key in prompts}
    reasons, retried, unsettled = Counter(), 0, 0
    tokens = {"input": 0.0, "output": 0}
    for ask in grading.asks:
        by_work[ask.proof][ask.grader] = grading.mark(ask)
        results = grading.results(ask)
        unread = [row for row in results if row["mark"] is None]
        reasons.update(row["why"] for row in unread)
        retried += bool(unread) and grading.mark(ask) is not None
        unsettled += bool(results) and grading.mark(ask) is None
        for row in results:
            for name in tokens:
                tokens[name] += (row.get("usage") or {}).get(name) or 0
    figures = summarize(works, by_work) if task == "grade" else summarize_answers(works, by_work)
    rows = []
    for work in works:
        marks = by_work.get(work.key, ())
        row = settle(work, marks) if task == "grade" else {"id": work.id, "sample": work.sample, "verdict": verdict_of(work, marks), "by": "math-verify" if work.decided == "same" else "judge" if marks else "nothing to compare", "marks": list(marks)}
        rows.append(row | ({"prompt": prompts[work.key].sha256} if work.key in prompts else {}))
    compared = [row for row in rows if row.get("human") is not None and row.get("points") is not None]
    summary = {
        **{key: stamp[key] for key in ("task", "judge", "graders", "control")},
        **figures,
        "calibration": calibration(
            [row["problem_id"] for row in compared], [row["human"] for row in compared], [row["points"] for row in compared]
        ),
        "unreadable": {"answers": sum(reasons.values()), "reasons": dict(reasons.most_common()), "read_when_asked_again": retried, "given_up": unsettled},
        "tokens": tokens,
        "usd": {
            "at_most": round(grading.usd, 4),
            "of_it_without_an_answer": round(max(0.0, grading.lost_usd), 4),
            "price_known": grading.judge.price.is_known,
        },
        "command": stamp["command"],
    }
    return summary, rows


def main(argv: list[str] | None = None) -> None:
    args = parser_of_grade().parse_args(argv)
    for name in ("graders", "tries", "max_tokens", "concurrency", "limit"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise SystemExit(f"--{name.replace('_', '-')} must be at least 1")
    if args.out is None and not args.dry_run:
        raise SystemExit("--out is missing: the folder of this grading")
    if args.answers and (args.control or args.human):
        raise SystemExit("--control and --human belong to --proofs")
    task = "equivalence" if args.answers else "grade"
    try:
        settings = json.loads(args.settings)
    except ValueError as error:
        raise SystemExit(f"--settings is not JSON: {error}") from error
    try:
        judge = load_judge(args.judge, settings, args.price_in, args.price_out, needs_key=not args.dry_run)
        works, origin = load_works(args)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    if args.max_usd is None and judge.price.cost(1, 1) and not args.dry_run:
        raise SystemExit("--max-usd is missing: this judge costs money (--dry-run says how much)")
    plan = Plan(task, args.max_tokens, float("inf") if args.max_usd is None else args.max_usd, args.tries, args.concurrency, args.again)
    asks, prompts = asks_for(works, task, args.graders)
    stamp = {
        "task": task,
        "of": origin,
        "control": args.control,
        "judge": judge.name,
        "graders": args.graders,
        "tries": args.tries,
        "max_tokens": args.max_tokens,
        "price": {"input": judge.price.input, "output": judge.price.output},
        "template": templates()[task],
        "command": "python -m eval.grade " + shlex.join(map(without_key, argv if argv is not None else sys.argv[1:])),
    }
    try:
        if args.dry_run:
            dry_run(args, judge, asks, plan, prompts)
            return
        if (args.out / "results.jsonl").exists():
            raise Damaged(f"{args.out} holds a run itself: choose another folder for its grades")
        args.out.mkdir(parents=True, exist_ok=True)
        with Journal(args.out / "grades.jsonl") as journal:
            check_folder(args.out, stamp)
            check_graders(args.out, journal, args.graders)
            write_json(args.out / "run.json", stamp)
            keep_prompts(args.out, prompts)
            grading = Grading(judge, asks, journal, plan)
            if grading.missing():
                (args.out / "summary.json").unlink(missing_ok=True)  # of the grades as they were
            stopped = ""
            try:
                grading.go()
            except Stopped as error:
                stopped = str(error)
            summary, rows = summary_of(works, grading, stamp, prompts)
            if not stopped:
                write_rows(args.out / "proofs.jsonl", rows)
                write_json(args.out / "summary.json", summary)
    except (Busy, Damaged) as error:
        raise SystemExit(str(error)) from error
    except OSError as error:
        raise SystemExit(f"{error}\nWhat was graded is kept: run the same command to go on.") from error
    except KeyboardInterrupt:
        print("\nStopped. What was graded is kept: run the same command to go on.", file=sys.stderr)
        raise SystemExit(130) from None
    if stopped:
        raise SystemExit(f"{stopped}{'' if stopped.endswith('?') else '.'}\nWhat was graded is kept ({sum(grading.mark(a) is not None for a in asks):,} of {len(asks):,}).")
    report(summary)


def dry_run(args: argparse.Namespace, judge: Judge, asks: Sequence[Ask], plan: Plan, prompts: Mapping[str, Prompt]) -> None:
    """Say what the command would do. The journal of the folder is read, and nothing is written or sent."""
    rows: list[dict] = []
    if args.out is not None and (args.out / "grades.jsonl").exists():
        with Journal(args.out / "grades.jsonl") as journal:
            rows = list(journal.rows)
    grading = Grading(judge, asks, _Known(rows), plan)
    seen = foresee(grading, plan.task)
    if prompts:
        first = next(iter(prompts.values()))
        print(f"--- system\n{first.system}\n\n--- user\n{first.user}\n")
    print(f"{len(prompts):,} {'proofs' if plan.task == 'grade' else 'answers'} to ask {judge.name} about, {args.graders} graders each; nothing was sent.")
    print(f"{seen['asks']:,} grades missing: about {seen['input_tokens']:,} tokens in and {seen['output_tokens']:,} out.")
    if judge.price.is_known:
        print(f"About ${seen['usd']:.2f}; ${seen['usd_at_most']:.2f} if every answer ran to its limit and came {plan.tries} times.")
        if args.max_usd is not None and grading.usd + seen["usd"] > args.max_usd:
            print(f"--max-usd {args.max_usd:.2f} would stop this on the way (up to ${grading.usd:.4f} are billed so far).")
    else:
        print("No price is known: taken to cost nothing (--price-in, --price-out).")


class _Known:
    """Rows that are read and not added to."""

    path = Path("grades.jsonl")

    def __init__(self, rows: list[dict]):
        self.rows = rows


def report(summary: dict) -> None:
    """The figures that must not be read apart, in a few lines."""
    if summary["task"] == "grade":
        interval = "" if summary["interval"] is None else f" (95% interval {summary['interval'][0]:.1%} to {summary['interval'][1]:.1%})"
        score = "none" if summary["score"] is None else f"{summary['score']:.1%} of {MAX_POINTS} points{interval}"
        print(f"{summary['n']} proofs of {summary['problems']} problems: {score}, {summary['solved']} of {summary['graded']} solved.")
        print(f"{summary['cut_off']} proofs cut off or never begun, {summary['ungraded']} not graded.")
    else:
        low, high = summary["interval"]
        settled = summary["n"] - summary["undecided"]
        of = f"{summary['correct']} of {settled} right" if settled == summary["n"] else f"{summary['correct']} right of the {settled} that {'is' if settled == 1 else 'are'} settled"
        print(
            f"{summary['n']} answers: {of} = {summary['accuracy']:.1%} (95% interval {low:.1%} to {high:.1%}); math-verify alone {summary['correct_math_verify']} of {summary['n']} = "
            f"{summary['accuracy_math_verify']:.1%}, {summary['changed_by_judge']} more by the judge, {summary['undecided']} undecided."
        )
    if summary.get("ungraded") or summary.get("undecided"):
        low, high = summary["bounds"]
        print(f"With what is not settled at worst and at best: {low:.1%} to {high:.1%}. --again asks it once more.")
    if graders := summary["graders"]:
        print(f"Graders agree with one another on {graders['unanimous']} of {graders['n']}.")
    unreadable = summary["unreadable"]
    if unreadable["answers"]:
        said = ", ".join(f"{count} {why}" for why, count in list(unreadable["reasons"].items())[:4])
        print(f"{unreadable['answers']} answers of the judge held no mark ({said}); {unreadable['read_when_asked_again']} grades came when asked again.")
    if found := summary["calibration"]:
        kappa = "not defined" if found["quadratic_kappa"] is None else f"{found['quadratic_kappa']:.2f}"
        known = {"reference": "7 for each reference solution", "swapped": "0 for each proof of another problem"}.get(summary["control"], "people")
        print(
            f"Against {known}, n = {found['n']}: same points {found['agree']:.1%}, mean absolute error {found['mean_absolute_error']:.2f}, "
            f"quadratic kappa {kappa}, judge kinder by {found['bias']:+.2f}."
        )
    money = summary["usd"]
    if money["price_known"]:
        lost = f", ${money['of_it_without_an_answer']:.4f} of it for requests whose answer never came" if money["of_it_without_an_answer"] else ""
        print(f"Up to ${money['at_most']:.4f} billed{lost}.")


if __name__ == "__main__":
    main()
