"""Ask an engine every problem of a benchmark and keep the evidence.

    python -m eval.run --engine pocket --benchmark svamp --out evals/pocket-svamp
    python -m eval.run --engine openai:http://127.0.0.1:8000/v1#qwen3 --benchmark file:mine.jsonl --out evals/mine

`results.jsonl` gets a row a problem: prompt, reply, answer, gold, verdict, tokens, seconds, cut off.
Each is on disk before the next is asked; after a kill the same command asks only what is missing.
`summary.json` is computed from the rows. A folder holds one run: another engine, benchmark or
setting is refused.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from eval.benchmarks import load_benchmark
from eval.metrics import summarize
from mathtutor.chat import conversation
from mathtutor.engines import Engine, Generation, Sampling, load_engine
from mathtutor.engines.openai import EngineError
from mathtutor.io import Busy, Damaged, Journal, read_json, sha256_json, write_json
from mathtutor.maths.answers import is_correct, same_answer
from mathtutor.maths.arithmetic import show
from mathtutor.maths.checks import verify
from mathtutor.problem import Problem

CHUNK = 512  # problems handed to the engine at once: it sorts them by length


def result_row(problem: Problem, generation: Generation) -> dict:
    """One line of evidence: everything needed to argue the verdict again without the model."""
    verdict = verify(generation.text, gold=problem.answer)
    cut_off = generation.finish == "length" or verdict.answer.cut_off
    answer = None if cut_off else verdict.answer.value
    return {
        "id": problem.id,
        "question": problem.question,
        "prompt": generation.prompt,
        "reply": generation.text,
        "answer": None if answer is None else show(answer),
        "rule": verdict.answer.rule,
        "gold": show(problem.answer),
        "correct": answer is not None and same_answer(answer, problem.answer),
        "correct_strict": is_correct(generation.text, show(problem.answer), "strict").correct,
        "cut_off": cut_off,
        "finish": generation.finish,
        "first_wrong_step": verdict.first_wrong_step,
        "tokens": generation.num_tokens,
        "seconds": round(generation.seconds, 4),
        **({"meta": problem.meta} if problem.meta else {}),
    }


def run(engine: Engine, problems: list[Problem], sampling: Sampling, journal: Journal) -> None:
    """Ask what the journal does not hold yet."""
    done = {row["id"] for row in journal.rows}
    todo = [problem for problem in problems if problem.id not in done]
    if done:
        print(f"{len(done)} of {len(problems)} are there already")
    with tqdm(total=len(problems), initial=len(problems) - len(todo), unit="problem", disable=None) as bar:
        for start in range(0, len(todo), CHUNK):
            chunk = todo[start : start + CHUNK]
            asked = [conversation(problem.question) for problem in chunk]
            for index, generation in engine.replies(asked, sampling):
                journal.append(result_row(chunk[index], generation))
                bar.update()


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
    try:
        problems = load_benchmark(args.benchmark, args.limit)
        sampling = Sampling(
            args.max_tokens, args.temperature, args.top_p, seed=args.seed, calculator=not args.no_calculator
        )
        engine = load_engine(args.engine)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    stamp = {
        "engine": args.engine,
        "revision": getattr(engine, "revision", ""),
        "benchmark": args.benchmark,
        "problems": sha256_json([[p.id, p.question, show(p.answer)] for p in problems]),
        "sampling": asdict(sampling),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    record = args.out / "run.json"
    if record.exists() and (old := read_json(record)) != stamp:
        different = ", ".join(key for key in stamp if old.get(key) != stamp[key])
        raise SystemExit(f"{args.out} holds a run with another {different}: choose a new --out, or remove the folder")
    write_json(record, stamp)
    try:
        with Journal(args.out / "results.jsonl") as journal:
            run(engine, problems, sampling, journal)
            order = {problem.id: place for place, problem in enumerate(problems)}
            rows = sorted(journal.rows, key=lambda row: order[row["id"]])
    except (Busy, Damaged) as error:
        raise SystemExit(str(error)) from error
    except EngineError as error:
        raise SystemExit(f"{error}\nWhat was answered is kept: run the same command to go on.") from error
    summary = {
        "engine": args.engine,
        "benchmark": args.benchmark,
        **summarize(rows),
        "calculator": sampling.calculator and engine.calculates,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "revision": stamp["revision"],
        "command": "python -m eval.run " + shlex.join(argv if argv is not None else sys.argv[1:]),
    }
    write_json(args.out / "summary.json", summary)
    low, high = summary["interval"]
    print(
        f"{args.benchmark}: {summary['correct']} of {summary['n']} right = {summary['accuracy']:.1%} "
        f"(95% interval {low:.1%} to {high:.1%}), {summary['cut_off']} cut off, {summary['unparsed']} without an answer"
    )
    if summary["cut_off"] > 0.02 * summary["n"]:
        print("More than 2% of the replies were cut off: raise --max-tokens before quoting this figure.")


if __name__ == "__main__":
    main()
