"""Ask an engine every problem of a benchmark and keep the evidence.

    python -m eval.run --engine pocket --benchmark svamp --out evals/pocket-svamp
    python -m eval.run --engine hf:Qwen/Qwen3-0.6B --mode thinking --benchmark gsm8k --out evals/qwen-thinking
    python -m eval.run --engine pocket --benchmark gsm8k --samples 5 --temperature 0.7 --out evals/pocket-gsm8k-5
    python -m eval.run --engine openai:http://127.0.0.1:8000/v1#qwen3 --benchmark file:mine.jsonl --out evals/mine

`results.jsonl` gets a row a reply (eval/records.py says what is in it), on disk as soon as the engine hands it over;
after a kill the same command asks only what is missing. Each reply is drawn from a seed of its own, so a resumed run
ends as an unbroken one, up to the rounding of scores: on some processors it depends on how many rows are decoded at once,
and where two tokens are equally likely to the last bits another may be chosen. With a local model that the lean loop does
not know, whose replies depend on the padding of their batch too, batches (64 problems) are asked whole. A problem that a server failed on is a row with
`finish` "failed", counted as wrong, and asked again by the same command.

A folder holds one run: another engine, benchmark, prompt mode or setting is refused. At the end every reply is read
again by two readings that are not ours (`readings.jsonl`), and `summary.json` is computed from the rows.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from eval.benchmarks import kind_of, load_with_origin, tolerance_of
from eval.faults import digest_of, gold_of, malformed, meta_of
from eval.metrics import MAX_CUT_OFF, summarize
from eval.modes import DEFAULT, Mode, load_mode, mode_names
from eval.readings import NotInstalled, read_all
from eval.records import (
    ROW_KEY,
    differences,
    foreign,
    is_old,
    key_of,
    run_hash,
    seed_of,
    told_differences,
    without_key,
)
from eval.verdicts import differing, told, verdict_of
from mathtutor.chat import conversation, open_reply
from mathtutor.engines import Engine, Generation, Sampling, load_engine
from mathtutor.engines.openai import EngineError
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.io import Busy, Damaged, Journal, read_json, write_json
from mathtutor.io import told as in_words
from mathtutor.problem import Problem
from mathtutor.progress import progress

SEEDS = 1_000_003  # batches of two seeds never share a draw


def result_row(
    problem: Problem, generation: Generation, sample: int = 0, seed: int | None = None, run: str = "", kind: str = "number"
) -> dict:
    """One line of evidence: everything needed to argue the verdict again without the model."""
    # A server may send half a character, which no file can hold.
    reply = generation.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    verdict = verdict_of(reply, problem.answer, generation.finish, kind, problem.meta.get("tolerance"))
    meta = meta_of(problem)
    return {
        "id": problem.id,
        "sample": sample,
        "run": run,
        "seed": seed,
        "question": problem.question,
        "prompt": generation.prompt,
        "reply": reply,
        "answer": verdict["answer"],
        "rule": verdict["rule"],
        "gold": gold_of(problem),
        **({"gold_text": problem.gold} if kind == "expression" else {}),
        "correct": verdict["correct"],
        "correct_strict": verdict["correct_strict"],
        "cut_off": verdict["cut_off"],
        "finish": generation.finish,
        "first_wrong_step": verdict["first_wrong_step"],
        "wrong_sums": verdict["wrong_sums"],
        "steps": verdict["steps"],
        "tokens": generation.num_tokens,
        **({"pieces": True} if generation.pieces else {}),
        "seconds": round(generation.seconds, 4),
        **({"logprob": round(generation.logprob, 5)} if generation.logprob is not None else {}),
        **({"meta": meta} if meta else {}),
    }


Asked = tuple[Problem, int]  # a problem, and which of its replies


def plan(
    engine: Engine, asked: Sequence[Asked], sampling: Sampling, done: Collection[tuple[str, int]]
) -> Iterator[tuple[list[Asked], Sampling]]:
    """What to hand to the engine at once.

    The last bits of a row's scores depend on the whole batch where an engine decodes in batches that are not
    independent: these are cut from all that is asked, whatever is done, and one with a missing row is asked whole.
    """
    size = getattr(engine, "batch_size", None)
    if size is None or getattr(engine, "rows_are_independent", False):
        yield [pair for pair in asked if (pair[0].id, pair[1]) not in done], sampling
        return
    ordered = sorted(asked, key=lambda pair: (pair[1], len(pair[0].question)))  # like lengths: little padding
    for number, start in enumerate(range(0, len(ordered), size)):
        batch = ordered[start : start + size]
        if any((problem.id, sample) not in done for problem, sample in batch):
            yield batch, replace(sampling, seed=sampling.seed * SEEDS + number)


def run(
    engine: Engine,
    problems: Sequence[Problem],
    sampling: Sampling,
    journal: Journal,
    mode: Mode | None = None,
    samples: int = 1,
    stamp: str = "",
    kind: str = "number",
) -> None:
    """Ask what the journal does not hold yet, and again what failed."""
    journal.retain(lambda row: row["finish"] != "failed")
    done = {key_of(row) for row in journal.rows}
    asked = [(problem, sample) for problem in problems for sample in range(samples)]
    if done:
        print(f"{len(done)} of {len(asked)} are there already")
    ask = mode.conversation if mode else conversation
    draws = sampling.temperature > 0
    with progress(len(asked), len(done), "replies") as advance:
        for batch, drawn in plan(engine, asked, sampling, frozenset(done)):
            seeds = [seed_of(sampling.seed, problem.id, sample) for problem, sample in batch]
            more = {"seeds": seeds} if draws else {}
            for index, generation in engine.replies([ask(problem.question) for problem, _ in batch], drawn, **more):
                problem, sample = batch[index]
                if (problem.id, sample) not in done:
                    row = result_row(problem, generation, sample, seeds[index] if draws else None, stamp, kind)
                    journal.append(row)
                    advance()


def check_folder(out: Path, stamp: dict, journal: Journal, problems: Sequence[Problem]) -> dict:
    """Write `run.json` into an empty folder; raise Damaged on a folder that is not of this very run.

    Returns the stamp that the rows bear the hash of: that of the folder where there is one, even if it says less.
    """
    kept = same_run(out, stamp)
    if kept is stamp and journal.rows:
        raise Damaged(f"{out} holds results without a run.json: choose a new --out, or remove the folder")
    bears, known = run_hash(kept), {problem.id: problem for problem in problems}
    for number, row in enumerate(journal.rows, start=1):
        why = malformed(row, kind_of(kept["benchmark"]), stamp["samples"]) or ("" if row["id"] in known else f"nothing was asked under {row['id']!r:.60}")
        if why or row.get("run", bears if is_old(kept) else None) != bears:
            raise Damaged(f"{journal.path}: row {number} is no result of this run{f' ({why})' if why else ''}: remove it, or the folder")
        different = differing(row, kind_of(kept["benchmark"]), tolerance_of(kept["benchmark"]))
        if why := f"says {told(different)}" if different else foreign(row, known):
            raise Damaged(f"{journal.path}: row {number} {why}: remove it, and the same command asks it again")
    if kept is stamp:
        write_json(out / "run.json", stamp)
    return kept


def same_run(out: Path, stamp: dict) -> dict:
    """The stamp of a folder, or `stamp` where there is none yet. Raises Damaged on that of another run; writes nothing."""
    record = out / "run.json"
    if not record.exists():
        return stamp
    old = read_json(record)
    if not isinstance(old, dict):
        raise Damaged(f"{record} is no record of a run: choose a new --out, or remove the folder")
    if differences(old, stamp):
        said = {"problems": "choice of problems (--limit, or a set that was changed)", "mode": "prompt mode"}
        names = ", ".join(said.get(key, key) for key in told_differences(old, stamp))
        raise Damaged(f"{out} holds a run with another {names}: choose a new --out, or remove the folder")
    return old


def parser_of_run() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", required=True, help="pocket, pocket-base, hf:..., openai:URL#MODEL, scripted:FILE")
    parser.add_argument("--benchmark", required=True, help="gsm8k, svamp, bank, ... (see eval/benchmarks.py) or file:PATH.jsonl")
    parser.add_argument("--limit", type=int, help="only the first so many problems")
    parser.add_argument("--out", required=True, type=Path, help="folder of this run")
    parser.add_argument("--mode", default=DEFAULT, help=f"prompt mode (default: {DEFAULT}): {', '.join(mode_names())}, or file:PATH.yaml for one of your own")
    parser.add_argument("--shots", type=int, help="few_shot, and files with demonstrations: how many examples")
    parser.add_argument("--samples", type=int, default=1, metavar="K", help="replies a problem; the majority answers (self-consistency)")
    parser.add_argument("--max-tokens", type=int, help="new tokens a reply (default: the mode's)")
    parser.add_argument("--temperature", type=float, help="0 is greedy (default: the mode's)")
    parser.add_argument("--top-p", type=float, help="(default: the mode's)")
    parser.add_argument("--top-k", type=int, help="0 is no limit (default: the mode's)")
    parser.add_argument("--seed", type=int, default=0, help="of sampling")
    parser.add_argument("--thinking", choices=("on", "off", "default"), help="as Qwen3's template has it (default: the mode's)")
    parser.add_argument("--think-budget", type=int, default=0, metavar="N", help="end the reasoning after so many tokens")
    parser.add_argument("--no-calculator", action="store_true", help="local engines: let the model do its own sums")
    parser.add_argument("--logprobs", action="store_true", help="keep each reply's mean log-probability, for eval.rerank")
    parser.add_argument("--batch-size", type=int, help="local engines: replies decoded together (default: 64)")
    parser.add_argument("--concurrency", type=int, help="servers: requests at once (default: 8)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="servers: longest wait for the next piece of a reply (default: 60); more where requests queue")
    return parser


def sampling_of(args: argparse.Namespace, mode: Mode) -> Sampling:
    """The mode's decoding, with what the command says otherwise."""

    def choose(name: str, default):
        given = getattr(args, name)
        return mode.sampling.get(name, default) if given is None else given

    thinking = {"on": True, "off": False, "default": None, None: mode.thinking}[args.thinking]
    temperature = choose("temperature", 0.0)
    greedy = temperature == 0
    if greedy and (given := [name for name, value in (("--top-p", args.top_p), ("--top-k", args.top_k)) if value is not None]):
        raise ValueError(f"{' and '.join(given)} mean nothing to greedy decoding: add --temperature, or leave out what it has no use for")
    return Sampling(
        max_tokens=mode.max_tokens if args.max_tokens is None else args.max_tokens,
        temperature=temperature,
        top_p=1.0 if greedy else choose("top_p", 1.0),
        top_k=0 if greedy else int(choose("top_k", 0)),
        seed=args.seed,
        calculator=not args.no_calculator,
        thinking=thinking,
        think_budget=args.think_budget,
        logprobs=args.logprobs,
    )


def tune(engine: Engine, args: argparse.Namespace) -> None:
    """Set what changes the speed and not the run. Raises ValueError where the engine has no such thing."""
    for option, name in (("batch_size", "--batch-size"), ("concurrency", "--concurrency"), ("timeout", "--timeout")):
        value = getattr(args, option)
        if value is None:
            continue
        if not value >= 1:
            raise ValueError(f"{name} must be at least 1")
        if not hasattr(engine, option):
            raise ValueError(f"{name} means nothing to {args.engine}: leave it out")
        setattr(engine, option, value)


def summary_of(
    args: argparse.Namespace, argv: list[str] | None, engine: Engine, sampling: Sampling, stamp: dict, figures: dict
) -> dict:
    """What a run found, and the command that found it."""
    return {
        "engine": stamp["engine"],
        "benchmark": args.benchmark,
        **figures,
        "mode": stamp["mode"]["name"],
        "calculator": sampling.calculator and engine.calculates,
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "thinking": sampling.thinking,
        "think_budget": sampling.think_budget,
        "batch_size": getattr(engine, "batch_size", None),
        "revision": stamp["revision"],
        "command": "python -m eval.run " + shlex.join(map(without_key, argv if argv is not None else sys.argv[1:])),
    }


def main(argv: list[str] | None = None) -> None:
    args = parser_of_run().parse_args(argv)
    if args.limit is not None and args.limit < 1:
        raise SystemExit("--limit must be at least 1")
    if not 0 <= args.seed < 2**32:
        raise SystemExit(f"--seed must lie in 0 to {2**32 - 1}")
    if args.samples < 1:
        raise SystemExit("--samples must be at least 1")
    try:
        problems, origin = load_with_origin(args.benchmark, args.limit)
        mode = load_mode(args.mode, args.shots)
        sampling = sampling_of(args, mode)
        if args.samples > 1 and sampling.temperature == 0:
            raise ValueError("greedy decoding gives the same reply every time: add --temperature, or leave --samples out")
        engine = load_engine(args.engine)
        tune(engine, args)
        if isinstance(engine, ScriptedEngine):
            engine.require(open_reply(mode.conversation(problem.question))[0][-1]["content"] for problem in problems)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    kind = kind_of(args.benchmark)
    stamp = {
        "engine": without_key(args.engine),
        "revision": getattr(engine, "revision", ""),
        "benchmark": args.benchmark,
        "problems": digest_of(problems),
        "data": origin,
        "mode": mode.to_dict(),
        "samples": args.samples,
        "sampling": asdict(sampling),
        "row_key": list(ROW_KEY),
    }
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        same_run(args.out, stamp)  # before a journal is begun: a folder of figures alone must stay one
        with Journal(args.out / "results.jsonl") as journal:
            order = {problem.id: place for place, problem in enumerate(problems)}
            kept = check_folder(args.out, stamp, journal, problems)
            if sum(row["finish"] != "failed" for row in journal.rows) < len(problems) * args.samples:
                # Of the rows as they were; the new one comes with the last row.
                (args.out / "summary.json").unlink(missing_ok=True)
            run(engine, problems, sampling, journal, mode, args.samples, run_hash(kept), kind)
            rows = sorted(journal.rows, key=lambda row: (order[row["id"]], row.get("sample", 0)))
            readings, missing = None, ""
            try:
                readings = read_all(rows, args.out / "readings.jsonl", {p.id: p.gold for p in problems}) if kind != "proof" else None
            except NotInstalled as error:
                missing = str(error)
            figures = summarize(rows, readings, kind, problems)
            if pieces := sum(row.get("pieces", False) for row in rows):
                figures["counted_in_pieces"] = pieces
            summary = summary_of(args, argv, engine, sampling, stamp, figures)
            write_json(args.out / "summary.json", summary)
    except (Busy, Damaged) as error:
        raise SystemExit(str(error)) from error
    except (EngineError, OSError) as error:
        raise SystemExit(f"{in_words(error)}\nWhat was answered is kept: run the same command to go on.") from error
    except KeyboardInterrupt:
        print("\nStopped. What was answered is kept: run the same command to go on.", file=sys.stderr)
        raise SystemExit(130) from None
    report(args, summary, kind)
    if pieces := summary.get("counted_in_pieces"):
        print(f"The server did not tell how many tokens {pieces} replies took: what it sent in one piece counts as one, and may be several.")
    if missing:
        print(missing)


def _share(summary: dict, what: str) -> str:
    """How many replies, and which part of all."""
    return f"{summary[what]} ({summary[f'{what}_rate']:.1%})" if summary[what] else "0"


def report(args: argparse.Namespace, summary: dict, kind: str) -> None:
    """The figures that must not be read apart, in a few lines."""
    if kind == "proof":
        print(
            f"{args.benchmark}: {summary['n']} proofs, {summary['cut_off']} cut off, {summary['tokens']:,} tokens. "
            f"They are not graded yet."
        )
        return
    if summary["accuracy"] is None:
        print(f"{args.benchmark}: {summary['n']} problems, {summary['cut_off']} cut off, {summary['tokens']:,} tokens. They are not scored yet.")
        return
    low, high = summary["interval"]
    by = f" by the majority of {args.samples}" if args.samples > 1 else ""
    print(
        f"{args.benchmark}: {summary['correct']} of {summary['n']} right{by} = {summary['accuracy']:.1%} "
        f"(95% interval {low:.1%} to {high:.1%}), {_share(summary, 'cut_off')} cut off, {_share(summary, 'unparsed')} without an answer"
    )
    if groups := summary.get("groups"):
        print(f"The problems are made from {groups['n']} templates: an interval that knows it is {groups['interval'][0]:.1%} to {groups['interval'][1]:.1%}")
    of = f" of {summary['n'] * args.samples} replies" if args.samples > 1 else ""
    # Of expressions math-verify is the verdict: strict reads numbers only, and there is no reading of ours to disagree with.
    other = [f"strict {summary['correct_strict']}{of}"] if kind == "number" else []
    if summary.get("correct_math_verify") is not None and kind == "number":
        other.append(f"math-verify {summary['correct_math_verify']}{of}, of which it disagrees with ours on {summary['disagreements']}")
    print(f"Other readings of the same replies: {', '.join(other)}" if other else "math-verify decides: the answers are expressions, which no other reading can read.")
    if args.samples > 1:
        shares = ", ".join(
            f"{a['agree']}/{args.samples}: {a['accuracy']:.0%} of {a['n']} ({a['interval'][0]:.0%} to {a['interval'][1]:.0%})" for a in summary["agreement"]
        )
        print(f"Single replies: {summary['sample_accuracy']:.1%} of {summary['n'] * args.samples} right. Right where so many agree (95% intervals): {shares}")
        at = next(point for point in summary["coverage"] if point["coverage"] == 0.8)
        print(f"Without the fifth that agrees least: {at['accuracy']:.1%} of {at['n']} (95% interval {at['interval'][0]:.1%} to {at['interval'][1]:.1%})")
    if summary.get("unfinished_math_verify"):
        counted = " and count as wrong" if kind == "expression" else ""
        print(f"{summary['unfinished_math_verify']} replies kept math-verify busy too long{counted}: run the same command to have them read again.")
    if summary.get("votes_by_text"):
        print(f"{summary['votes_by_text']} problems were voted on by what is written, not by what it means: run the same command to try again.")
    if summary["failed"]:
        print(f"{summary['failed']} failed and count as wrong: run the same command to ask them again.")
    if summary["too_many_cut_off"]:
        loops = (summary.get("errors") or {}).get("loop", 0)
        of_them = f" ({loops} of them went in circles, which no limit mends)" if loops else ""
        print(f"More than {MAX_CUT_OFF:.0%} of the replies were cut off{of_them}: " + ("raise --max-tokens before quoting this figure." if loops < summary["cut_off"] else "say so beside this figure."))


if __name__ == "__main__":
    main()
