"""Expert iteration: let the model solve training problems k times, and keep what is verified as new rows.

    python -m training.rft --rows data/pocket/clean.jsonl --source gsm8k-train --engine hf:runs/pocket/tuned --samples 8 --out runs/rft
    python -m training.sft --recipe training/recipes/pocket.yaml --base runs/pocket/tuned --out runs/pocket-rft \\
        --set data.rows=data/pocket/clean.jsonl,runs/rft/clean.jsonl

The first command asks, checks and writes; the second trains on the old rows and the new ones. A reply is kept
when it ended by itself, is in the tutor's format to the byte, gives the row's answer, no sum of it is wrong, at
least one was checked, the last one arrives at the answer, and every word of it occurs in the rows: a small model
that is sampled makes words up. Replies to one problem that do the same sums in the same order are one solution,
and the row's own is known already: of these nothing is written again. Every number that goes into a sum must be in
the problem, in figures or in words, or be the result of a sum before it, or count what everybody knows (CONSTANTS):
right answers come by chance as well.

OUT holds samples.jsonl (every reply, on disk before the next is awaited), clean.jsonl (rows, source "rft") and
report.json, which accounts for every sample. Stop it at will and run the same command again: what was answered
is not asked again, and the files end as those of an unbroken run. `--samples` and `--limit` may grow.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from tqdm import tqdm

from mathtutor.chat import END, conversation, render_target, split_reply
from mathtutor.engines import Engine, Sampling, display_name, load_engine
from mathtutor.engines.openai import EngineError
from mathtutor.io import (
    Busy,
    Damaged,
    Journal,
    hold_folder,
    read_json,
    sha256_file,
    told,
    write_json,
    write_rows,
)
from mathtutor.maths.answers import read_gold
from mathtutor.maths.checks import verify
from mathtutor.maths.claims import find_claims
from mathtutor.problem import Row
from training.run import read_data_rows
from training.tuning.recipe import TEST

# Days of a week, months, hours, weeks of a year, minutes, percent, ...: a sum may use them untold.
CONSTANTS = frozenset(map(Fraction, (1, 2, 7, 12, 24, 30, 52, 60, 100, 365, 1000)))
WORDS = {word: Fraction(number) for number, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty".split())} | {word: Fraction(number) for word, number in {
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "half": 2,
    "twice": 2, "double": 2, "thrice": 3, "triple": 3, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4,
    "fourths": 4, "fifth": 5, "fifths": 5, "sixth": 6, "eighth": 8, "tenth": 10, "dozen": 12, "hundred": 100,
    "thousand": 1000, "decade": 10, "decades": 10}.items()}  # fmt: skip
_FIGURE = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_]+")
SAMPLE = {"id": str, "sample": int, "finish": str, "reply": str}  # what a line of samples.jsonl holds at least
CHUNK = 64  # problems handed to the engine at once: it keeps its slots full and reads each problem once


def steps_of(reply: str) -> tuple[str, ...]:
    """The lines inside `<think>`, without their "Step 1: "."""
    lines = split_reply(reply).reasoning.split("\n")
    return tuple(line.removeprefix(f"Step {number}: ") for number, line in enumerate(lines, start=1))


def sums_of(steps: Sequence[str]) -> tuple[str, ...]:
    """The equations of a solution in their order: what makes two solutions the same."""
    return tuple(f"{claim.left}={claim.right}" for step in steps for claim in find_claims(step))


def words_of(*texts: str) -> set[str]:
    """Their words, in small letters."""
    return {word.lower() for text in texts for word in _WORD.findall(text)}


def vocabulary_of(rows: Iterable[Row]) -> set[str]:
    """All words of the rows, and those of the reply's own frame."""
    known = words_of(render_target(("",), ""))
    for row in rows:
        known |= words_of(row.problem, *row.steps)
    return known


def numbers_of(text: str) -> set[Fraction]:
    """The numbers in a text, in figures and in single words."""
    found = {Fraction(figure.replace(",", "")) for figure in _FIGURE.findall(text)}
    return found | {WORDS[word] for word in words_of(text) if word in WORDS}


def uses_a_number_from_nowhere(steps: Sequence[str], problem: str) -> bool:
    """Whether a sum takes a number that neither the problem, nor a sum before it, nor common knowledge gives."""
    known = numbers_of(problem) | CONSTANTS
    for claim in (claim for step in steps for claim in find_claims(step)):
        if numbers_of(claim.left) - known:
            return True
        known |= numbers_of(claim.right)
    return False


def fault_of(sample: dict, row: Row, known: set[str]) -> str | None:
    """Why a reply is not kept; None for one that is verified. `known`: the words that it may use."""
    if sample["finish"] != "stop":
        return f"did not end by itself ({sample['finish']})"
    reply = sample["reply"]
    verdict = verify(reply, read_gold(row.answer))
    if not verdict.correct:
        return "wrong answer" if verdict.answer.value is not None else "no answer"
    if verdict.first_wrong_step is not None:
        return "a sum is wrong"
    if not verdict.num_checked:
        return "no sum that can be checked"
    if not verdict.answer_matches_last_step:
        return "the last sum does not arrive at the answer"
    if reply + END != render_target(steps_of(reply), row.answer):
        return "not in the tutor's format"
    if words_of(*steps_of(reply)) - known:
        return "a word that no row has"
    if uses_a_number_from_nowhere(steps_of(reply), row.problem):
        return "a number from nowhere"
    return None


def sift(rows: Sequence[Row], samples: dict[str, dict[int, dict]], most: int, words: set[str]) -> tuple[list[Row], Counter, int]:
    """(new rows, reason -> samples that are not kept, problems solved at least once)."""
    kept, dropped, solved = [], Counter(), 0
    for row in rows:
        seen, new, right = {sums_of(row.steps)}, 0, False
        for number, sample in sorted(samples.get(row.id, {}).items()):
            fault = fault_of(sample, row, words)
            right |= fault is None
            steps = steps_of(sample["reply"])
            if fault is None and (sums := sums_of(steps)) in seen:
                fault = "the row's own solution" if sums == sums_of(row.steps) else "the same sums as another sample"
            elif fault is None and new == most:
                fault = f"more than {most} solutions of one problem"
            if fault is not None:
                dropped[fault] += 1
                continue
            seen.add(sums)
            new += 1
            kept.append(
                Row(f"{row.id}-rft-{number}", row.problem, steps, row.answer, "rft", row.family, row.topic, row.grade, row.asked)
            )
        solved += right
    return kept, dropped, solved


def seed_of(seed: int, row: Row, number: int) -> int:
    """Of one sample: a function of these alone, whatever is sampled beside it."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{row.id}:{number}".encode()).digest()[:7])


def ask(engine: Engine, sampling: Sampling, rows: Sequence[Row], samples: int, done: set, seed: int) -> Iterator[dict]:
    """The samples that are missing, as they are finished. A reply that failed is none: the next run asks again."""
    for start in range(0, len(rows), CHUNK):
        wanted = [(row, k) for row in rows[start : start + CHUNK] for k in range(samples) if (row.id, k) not in done]
        if not wanted:
            continue
        conversations = [conversation(row.problem) for row, _ in wanted]
        seeds = [seed_of(seed, row, k) for row, k in wanted]
        for i, generation in engine.replies(conversations, sampling, seeds=seeds):
            row, k = wanted[i]
            if generation.finish != "failed":
                # A server may send half a character, which no file can hold.
                text = generation.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                yield {"id": row.id, "sample": k, "finish": generation.finish, "tokens": generation.num_tokens, "reply": text}


def choose_rows(path: Path, every: Sequence[Row], source: str | None, limit: int | None) -> list[Row]:
    """The rows whose problems are asked. Ends with a sentence if there is none, one of a test, or one without a number for answer."""
    rows = [row for row in every if source is None or row.source == source][:limit]
    if not rows:
        sources = ", ".join(sorted({row.source for row in every})) or "none"
        raise SystemExit(f"{path} has no row of the source {source}: its sources are {sources}")
    if tests := sorted({name for name in (path.name, *(row.source for row in rows)) if TEST.search(name)}):
        raise SystemExit(f"{path}: {', '.join(tests)} names a test split: never train on one, name other rows with --rows or --source")
    ids = Counter(row.id for row in rows)
    if double := next((name for name, count in ids.items() if count > 1), None):
        raise SystemExit(f"{path}: two rows have the id {double!r:.80}: build the data set again")
    if bad := next((row for row in rows if read_gold(row.answer) is None), None):
        raise SystemExit(f"{path}: the answer of row {bad.id!r:.80} is no number: {bad.answer!r:.60}")
    return rows


def decontamination_of(path: Path) -> dict:
    """What the report beside the rows says of test problems: the new rows tell the same problems."""
    report_path = path.with_name("report.json")
    report = read_json(report_path) if report_path.exists() else {}
    if isinstance(report, dict) and report.get("sha256") == sha256_file(path) and "decontamination" in report:
        return report["decontamination"]
    return {"tests": "not compared: no report stands beside the rows", "clean_rows_with_overlap": None}


def write_report(args, rows: list[Row], samples: dict[str, dict[int, dict]], stamp: dict, known: set[str]) -> dict:
    """Write clean.jsonl and report.json from all samples that are there; returns the report."""
    kept, dropped, solved = sift(rows, samples, args.per_problem, known)
    count = sum(map(len, samples.values()))
    assert count == len(kept) + dropped.total()
    write_rows(args.out / "clean.jsonl", (row.to_dict() for row in kept))
    tries = [len(samples.get(row.id, {})) for row in rows]
    report = {
        "command": "python -m training.rft " + shlex.join(sys.argv[1:]),
        **stamp,
        "problems": len(rows),
        "problems_solved": solved,
        "samples_a_problem": sum(tries) / len(rows),
        "candidates": count,
        "clean": len(kept),
        "dropped": dropped.total(),
        "dropped_for": dict(dropped.most_common()),
        "problems_with_new_rows": len({row.problem for row in kept}),
        "steps": dict(sorted(Counter(str(len(row.steps)) for row in kept).items())),
        "sources": {"rft": len(kept)},
        "decontamination": args.decontamination,
        "sha256": sha256_file(args.out / "clean.jsonl"),
    }
    write_json(args.out / "report.json", report)
    return report


def stamp_of(args, engine: Engine) -> dict:
    """What must stay the same between the runs that fill one folder."""
    return {
        "engine": display_name(args.engine),
        "revision": getattr(engine, "revision", ""),
        "rows": sha256_file(args.rows),
        "source": args.source,
        "temperature": args.temperature,
        "top_p": args.top_p,
        "max_tokens": args.max_tokens,
        "calculator": bool(engine.calculates and not args.no_calculator),
        "seed": args.seed,
    }


def check_stamp(folder: Path, stamp: dict) -> None:
    path = folder / "run.json"
    if not path.exists():
        write_json(path, stamp)
    found = read_json(path)
    if not isinstance(found, dict):
        raise Damaged(f"{path} is no record of this command: choose a new --out")
    if changed := [key for key in stamp if found.get(key) != stamp[key]]:
        raise SystemExit(f"{folder} was begun with another {', '.join(changed)}: choose a new --out, or put it back as it was")


def check_samples(path: Path, found: Sequence[dict]) -> None:
    """Raises Damaged at the first that this command has not written."""
    for number, sample in enumerate(found, start=1):
        if wrong := [key for key, kind in SAMPLE.items() if not isinstance(sample.get(key), kind)]:
            raise Damaged(f"{path}:{number} is no sample of this command (look at {', '.join(wrong)}): remove the line, and it is asked for again")


def run(args, engine: Engine) -> dict:
    """Ask what is missing, then write rows and report."""
    every = read_data_rows(args.rows)
    rows, known = choose_rows(args.rows, every, args.source, args.limit), vocabulary_of(every)
    args.decontamination = decontamination_of(args.rows)  # now, not after hours of sampling
    stamp = stamp_of(args, engine)
    sampling = Sampling(args.max_tokens, args.temperature, args.top_p, calculator=stamp["calculator"])
    with hold_folder(args.out):
        check_stamp(args.out, stamp)
        with Journal(args.out / "samples.jsonl") as journal:
            names = {row.id: row for row in rows}
            samples: dict[str, dict[int, dict]] = {}
            check_samples(journal.path, journal.rows)
            for sample in journal.rows:
                if sample["id"] in names and sample["sample"] < args.samples:
                    samples.setdefault(sample["id"], {})[sample["sample"]] = sample
            done = {(name, number) for name, found in samples.items() for number in found}
            right = sum(fault_of(samples[name][number], names[name], known) is None for name, number in done)
            with tqdm(total=len(rows) * args.samples, initial=len(done), unit="sample", disable=None) as bar:
                for sample in ask(engine, sampling, rows, args.samples, done, args.seed):
                    journal.append(sample)
                    samples.setdefault(sample["id"], {})[sample["sample"]] = sample
                    right += fault_of(sample, names[sample["id"]], known) is None
                    bar.set_postfix(verified=right, refresh=False)
                    bar.update()
        return write_report(args, rows, samples, stamp, known)


def share(text: str) -> float:
    try:
        value = float(Fraction(text)) if "/" in text else float(text)
    except ZeroDivisionError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must lie above 0 and be at most 1")
    return value


def whole(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="rows of pipeline.build whose problems are asked (never a test set)")
    parser.add_argument("--source", help="only rows of this source, e.g. gsm8k-train")
    parser.add_argument("--engine", default="pocket", help="the current model: pocket, hf:PATH or openai:URL#MODEL")
    parser.add_argument("--samples", type=whole, default=8, help="solutions of each problem (default: 8)")
    parser.add_argument("--temperature", type=float, default=0.7, help="(default: 0.7)")
    parser.add_argument("--top-p", type=share, default=1.0)
    parser.add_argument("--max-tokens", type=whole, default=320)
    parser.add_argument("--per-problem", type=whole, default=4, help="new rows of one problem at most (default: 4)")
    parser.add_argument("--limit", type=whole, help="only the first so many rows")
    parser.add_argument("--no-calculator", action="store_true", help="let the model do its own sums")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.temperature <= 0:
        parser.error("--temperature must be above 0: greedy samples would all be one")
    if not args.rows.exists():
        parser.error(f"{args.rows} does not exist: build it with pipeline.build")
    try:
        report = run(args, load_engine(args.engine))
    except (ValueError, OSError, Busy, EngineError) as error:
        raise SystemExit(told(error)) from error
    except KeyboardInterrupt:
        raise SystemExit("stopped: every reply so far is kept; run the same command again to go on") from None
    print(f"{report['problems_solved']:,} of {report['problems']:,} problems solved at least once in {report['candidates']:,} samples")
    for reason, count in report["dropped_for"].items():
        print(f"  not kept {count:,}: {reason}")
    print(f"{args.out / 'clean.jsonl'}: {report['clean']:,} new rows of {report['problems_with_new_rows']:,} problems")
    missing = report["problems"] * args.samples - report["candidates"]
    if missing:
        raise SystemExit(f"{missing:,} samples failed: run the same command again to ask for them")


if __name__ == "__main__":
    main()
