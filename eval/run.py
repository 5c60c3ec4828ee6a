"""Ask an engine every problem of a benchmark and keep the evidence.

    python -m eval.run --engine pocket --benchmark svamp --out evals/pocket-svamp
    python -m eval.run --engine openai:http://127.0.0.1:8000/v1#qwen3 --benchmark file:mine.jsonl --out evals/mine

`results.jsonl` gets a row a problem: prompt, reply, answer, gold, verdict, tokens, seconds, cut off.
Each is on disk as soon as the engine hands it over; after a kill the same command asks only what is
missing, with a local model one batch (64 problems) at most over again. Batches are cut from the whole
benchmark and each is sampled from (seed, its number), so a resumed run ends as an unbroken one.
A problem that a server failed on is a row with `finish` "failed", counted as wrong, and asked again by
the same command. `summary.json` is computed from the rows. A folder holds one run: another engine,
benchmark or setting is refused.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from eval.benchmarks import load_benchmark
from eval.metrics import summarize
from mathtutor.chat import conversation
from mathtutor.engines import Engine, Generation, Sampling, load_engine
from mathtutor.engines.openai import EngineError
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.io import Busy, Damaged, Journal, read_json, sha256_json, write_json
from mathtutor.maths.answers import is_correct, same_answer
from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import verify
from mathtutor.problem import Problem

SEEDS = 1_000_003  # batches of two seeds never share a draw
# What the summary is computed from
RESULT_KEYS = {"id", "answer", "correct", "correct_strict", "cut_off", "finish", "first_wrong_step", "tokens", "seconds"}


def result_row(problem: Problem, generation: Generation) -> dict:
    """One line of evidence: everything needed to argue the verdict again without the model."""
    # A server may send half a character, which no file can hold.
    reply = generation.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    failed = generation.finish == "failed"
    verdict = verify(reply, gold=problem.answer)
    cut_off = not failed and (generation.finish in ("length", "repeating") or verdict.answer.cut_off)
    answer = None if cut_off or failed else verdict.answer.value
    return {
        "id": problem.id,
        "question": problem.question,
        "prompt": generation.prompt,
        "reply": reply,
        "answer": None if answer is None else show(answer),
        "rule": verdict.answer.rule,
        "gold": show(problem.answer),
        "correct": answer is not None and same_answer(answer, problem.answer),
        "correct_strict": not failed and is_correct(reply, show(problem.answer), "strict").correct,
        "cut_off": cut_off,
        "finish": generation.finish,
        "first_wrong_step": verdict.first_wrong_step,
        "tokens": generation.num_tokens,
        "seconds": round(generation.seconds, 4),
        **({"meta": problem.meta} if problem.meta else {}),
    }


def plan(
    engine: Engine, problems: list[Problem], sampling: Sampling, done: set[str]
) -> Iterator[tuple[list[Problem], Sampling]]:
    """What to hand to the engine at once.

    A sampled reply of an engine that decodes in batches depends on the whole batch: these are cut from
    all problems, whatever is done, and one with a missing row is asked whole.
    """
    size = getattr(engine, "batch_size", None)
    if size is None:
        yield [problem for problem in problems if problem.id not in done], sampling
        return
    ordered = sorted(problems, key=lambda problem: len(problem.question))  # like lengths: little padding
    for number, start in enumerate(range(0, len(ordered), size)):
        batch = ordered[start : start + size]
        if any(problem.id not in done for problem in batch):
            yield batch, replace(sampling, seed=sampling.seed * SEEDS + number)


def run(engine: Engine, problems: list[Problem], sampling: Sampling, journal: Journal) -> None:
    """Ask what the journal does not hold yet, and again what failed."""
    journal.retain(lambda row: row["finish"] != "failed")
    done = {row["id"] for row in journal.rows}
    if done:
        print(f"{len(done)} of {len(problems)} are there already")
    with tqdm(total=len(problems), initial=len(done), unit="problem", disable=None) as bar:
        for batch, drawn in plan(engine, problems, sampling, frozenset(done)):
            for index, generation in engine.replies([conversation(problem.question) for problem in batch], drawn):
                if batch[index].id not in done:
                    journal.append(result_row(batch[index], generation))
                    bar.update()


def check_folder(out: Path, stamp: dict, journal: Journal, known: Collection[str]) -> None:
    """Write `run.json` into an empty folder; raise Damaged on a folder that is not of this very run."""
    record = out / "run.json"
    if record.exists():
        old = read_json(record)
        if not isinstance(old, dict):
            raise Damaged(f"{record} is no record of a run: choose a new --out, or remove the folder")
        if old != stamp:
            different = [key for key in stamp if old.get(key) != stamp[key]] or ["version"]
            names = ", ".join({"problems": "choice of problems (--limit)"}.get(key, key) for key in different)
            raise Damaged(f"{out} holds a run with another {names}: choose a new --out, or remove the folder")
    elif journal.rows:
        raise Damaged(f"{out} holds results without a run.json: choose a new --out, or remove the folder")
    for number, row in enumerate(journal.rows, start=1):
        if not isinstance(row.get("id"), str) or row["id"] not in known or not RESULT_KEYS <= row.keys():
            raise Damaged(f"{journal.path}: row {number} is no result of this run: remove it, or the folder")
    write_json(record, stamp)


def summary_of(
    args: argparse.Namespace, argv: list[str] | None, engine: Engine, sampling: Sampling, stamp: dict, rows: list[dict]
) -> dict:
    """What a run found, and the command that found it."""
    return {
        "engine": args.engine,
        "benchmark": args.benchmark,
        **summarize(rows),
        "calculator": sampling.calculator and engine.calculates,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "revision": stamp["revision"],
        "command": "python -m eval.run " + shlex.join(argv if argv is not None else sys.argv[1:]),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", required=True, help="pocket, pocket-base, hf:..., openai:URL#MODEL, scripted:FILE")
    parser.add_argument("--benchmark", required=True, help="gsm8k, svamp, bank, bank-known or file:PATH.jsonl")
    parser.add_argument("--limit", type=int, help="only the first so many problems")
    parser.add_argument("--out", required=True, type=Path, help="folder of this run")
    parser.add_argument("--max-tokens", type=int, default=512, help="new tokens a reply (default: 512)")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default)")
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="of sampling")
    parser.add_argument("--no-calculator", action="store_true", help="local engines: let the model do its own sums")
    args = parser.parse_args(argv)
    if args.limit is not None and args.limit < 1:
        raise SystemExit("--limit must be at least 1")
    if not 0 <= args.seed < 2**32:
        raise SystemExit(f"--seed must lie in 0 to {2**32 - 1}")
    try:
        problems = load_benchmark(args.benchmark, args.limit)
        sampling = Sampling(
            args.max_tokens, args.temperature, args.top_p, seed=args.seed, calculator=not args.no_calculator
        )
        engine = load_engine(args.engine)
        if isinstance(engine, ScriptedEngine):
            engine.require(problem.question for problem in problems)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    stamp = {
        "engine": args.engine,
        "revision": getattr(engine, "revision", ""),
        "benchmark": args.benchmark,
        "problems": sha256_json([[p.id, p.question, show(p.answer)] for p in problems]),
        "sampling": asdict(sampling),
    }
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        with Journal(args.out / "results.jsonl") as journal:
            order = {problem.id: place for place, problem in enumerate(problems)}
            check_folder(args.out, stamp, journal, order)
            if sum(row["finish"] != "failed" for row in journal.rows) < len(problems):
                # Of the rows as they were; the new one comes with the last row.
                (args.out / "summary.json").unlink(missing_ok=True)
            run(engine, problems, sampling, journal)
            rows = sorted(journal.rows, key=lambda row: order[row["id"]])
            summary = summary_of(args, argv, engine, sampling, stamp, rows)
            write_json(args.out / "summary.json", summary)
    except (Busy, Damaged) as error:
        raise SystemExit(str(error)) from error
    except (EngineError, OSError) as error:
        raise SystemExit(f"{error}\nWhat was answered is kept: run the same command to go on.") from error
    low, high = summary["interval"]
    print(
        f"{args.benchmark}: {summary['correct']} of {summary['n']} right = {summary['accuracy']:.1%} "
        f"(95% interval {low:.1%} to {high:.1%}), {summary['cut_off']} cut off, {summary['unparsed']} without an answer"
    )
    if summary["failed"]:
        print(f"{summary['failed']} failed and count as wrong: run the same command to ask them again.")
    if summary["cut_off"] > 0.02 * summary["n"]:
        print("More than 2% of the replies were cut off: raise --max-tokens before quoting this figure.")


if __name__ == "__main__":
    main()
