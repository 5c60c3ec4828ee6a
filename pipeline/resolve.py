"""Ask an engine for every problem again, and keep the rows on whose answer independent solutions agree.

    python -m pipeline.resolve --data data/claude-clean --engine openai:http://127.0.0.1:8000/v1#qwen3 --samples 3
    python -m pipeline.resolve --data data/pocket --engine pocket --samples 5 --limit 200      # the first 200 rows only

That every sum of a solution adds up does not mean that it fits the story; a second solver finds that out. The
engine sees the problem alone. A row stays when more than half of its samples give its answer; otherwise it goes
to dropped.jsonl with the stage "agreement" and the votes. A sample without a readable answer is a vote for none.

The folder is that of `pipeline.build` or `pipeline.filter`, and it changes at the end only, when every vote is in:
clean.jsonl, dropped.jsonl and report.json (whose counts still add up) are written anew. What they were stays in
resolve/before, the votes with the replies in resolve/votes.jsonl. Stop it at will and run the same command again:
what was answered is not asked again, and the files end as those of an unbroken run.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

from mathtutor.chat import conversation
from mathtutor.engines import Engine, Generation, Sampling, display_name, load_engine
from mathtutor.engines.openai import EngineError
from mathtutor.engines.scripted import ScriptedEngine
from mathtutor.io import (
    Busy,
    Damaged,
    Journal,
    hold_folder,
    read_json,
    read_rows,
    sha256_file,
    write_atomic,
    write_json,
    write_rows,
)
from mathtutor.maths.answers import read_answer, read_gold
from mathtutor.maths.arithmetic import show
from mathtutor.problem import Row
from mathtutor.progress import progress
from pipeline.chain import References, Sifted, report_of
from pipeline.figures import read_report
from pipeline.outputs import need_parquet, write_data_set
from pipeline.recipe import Recipe

STAGE = "agreement"
TEMPERATURE = 0.7  # samples of a greedy decoder would all be one
CHUNK = 512  # problems handed at once to an engine without batches of its own
SAMPLES_SHOWN = 3  # rows of each reason in the report
MAX_SAMPLES = 100
BATCHES = 1_000_003  # so that no two batches, samples or seeds share a draw

# What the report says of clean rows alone.
BALANCE = ("sources", "families", "topics", "grades", "steps", "operations", "answers", "mean_words", "lengths")
FILES = ("clean.jsonl", "validation.jsonl", "dropped.jsonl", "report.json")


def disagreement(answer: str, votes: Sequence[str | None]) -> str | None:
    """Why these votes (numbers as text, None for no answer) do not confirm `answer`; None when most of them give it."""
    counts = Counter(None if vote is None else Fraction(vote) for vote in votes)
    winner, most = counts.most_common(1)[0]
    if 2 * most <= len(votes):
        return "no_majority"
    if winner is None:
        return "majority_gives_no_answer"
    return None if winner == read_gold(answer) else "majority_gives_another_answer"


def vote_of(generation: Generation) -> dict:
    """What is kept of one sample."""
    # A server may send half a character, which no file can hold.
    reply = generation.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    answer = None if generation.finish in ("length", "repeating") else read_answer(reply).value
    return {"answer": None if answer is None else show(answer), "finish": generation.finish, "reply": reply}


# --- the folder


@dataclass
class DataSet:
    """A data set as it was before. `beside`: its validation rows are no part of the clean rows."""

    train: list[Row]
    validation: list[Row]
    dropped: list[dict]
    report: dict

    def __post_init__(self):
        ids = Counter(row.id for row in self.rows)
        if double := next((id for id, count in ids.items() if count > 1), None):
            raise ValueError(f"two clean rows have the id {double!r:.80}: build the data set again")
        if len(self.rows) != self.report["clean"] or len(self.dropped) != self.report["dropped"]:
            raise ValueError("report.json does not count the rows beside it: build the data set again")

    @property
    def beside(self) -> bool:
        return self.report["clean"] == len(self.train)

    @property
    def rows(self) -> list[Row]:
        """All clean rows."""
        return self.train if self.beside else self.train + self.validation


def read_data_set(folder: Path) -> DataSet:
    """Raises ValueError or Damaged where the folder holds no whole data set."""
    report = read_report(folder)
    if sha256_file(folder / "clean.jsonl") != report["sha256"]:
        raise ValueError(f"{folder / 'clean.jsonl'} is not the file that report.json stands for: build the data set again")
    validation = folder / "validation.jsonl"
    return DataSet(
        [Row.from_dict(row) for row in read_rows(folder / "clean.jsonl")],
        [Row.from_dict(row) for row in read_rows(validation)] if validation.exists() else [],
        list(read_rows(folder / "dropped.jsonl")),
        report,
    )


class Workplace:
    """DATA/resolve: the rows as they were, the settings, and every clean.jsonl that was written from them."""

    def __init__(self, data: Path, stamp: dict):
        """Raises ValueError when it is of other settings, or the data set has been built anew since."""
        self.data, self.folder, self.record = data, data / "resolve", data / "resolve" / "run.json"
        self.before = self.folder / "before"
        anew = f"remove {self.folder} to begin anew with the rows as they stand"
        if not self.record.exists():
            for name in FILES:
                if (data / name).exists():
                    write_atomic(self.before / name, (data / name).read_bytes())
            write_json(self.record, {"settings": stamp, "clean": [sha256_file(self.before / "clean.jsonl")]})
        found = read_json(self.record)
        if not isinstance(found, dict) or not {"settings", "clean"} <= found.keys():
            raise Damaged(f"{self.record} is no record of this command: {anew}")
        self.clean: list[str] = found["clean"]
        self.stamp = stamp
        if changed := [key for key in stamp if found["settings"].get(key) != stamp[key]]:
            raise ValueError(f"{data} is being re-solved with another {', '.join(changed)}: repeat its options, or {anew}")
        stands = data / "clean.jsonl"  # missing where no row was left
        if stands.exists() and sha256_file(stands) not in self.clean:
            raise ValueError(f"{stands} is not what was re-solved: {anew}")

    def announce(self, sha256: str) -> None:
        """A clean.jsonl of this hash is about to be written."""
        if sha256 not in self.clean:
            self.clean.append(sha256)
            write_json(self.record, {"settings": self.stamp, "clean": self.clean})


# --- asking


def plan(engine: Engine, rows: Sequence[Row], samples: int, sampling: Sampling) -> Iterator[tuple[int, list[Row], Sampling]]:
    """(sample, rows, how they are sampled): what to hand to the engine at once.

    A sampled reply of an engine that decodes in batches depends on the whole batch, so these are the same
    whatever is answered already.
    """
    size = getattr(engine, "batch_size", CHUNK)
    ordered = sorted(rows, key=lambda row: len(row.problem))  # like lengths: little padding
    for sample in range(samples):
        for number, start in enumerate(range(0, len(ordered), size)):
            seed = (sampling.seed * MAX_SAMPLES + sample) * BATCHES + number
            yield sample, ordered[start : start + size], replace(sampling, seed=seed)


def ask(engine: Engine, rows: Sequence[Row], samples: int, sampling: Sampling, journal: Journal) -> int:
    """Ask what the journal does not hold yet; how many samples failed."""
    done = {(id, sample) for id, votes in read_votes(journal).items() for sample in votes}
    wanted = {(row.id, sample) for row in rows for sample in range(samples)}
    batched, failed = hasattr(engine, "batch_size"), 0
    with progress(len(wanted), len(done & wanted), "samples") as advance:
        for sample, chunk, drawn in plan(engine, rows, samples, sampling):
            missing = [row for row in chunk if (row.id, sample) not in done]
            asked = chunk if batched and missing else missing
            for index, generation in engine.replies([conversation(row.problem) for row in asked], drawn) if asked else ():
                if generation.finish == "failed":
                    failed += 1
                elif (asked[index].id, sample) not in done:
                    journal.append({"id": asked[index].id, "sample": sample, **vote_of(generation)})
                    advance()
    return failed


def read_votes(journal: Journal) -> dict[str, dict[int, str | None]]:
    """Row id -> sample -> answer or None. Raises Damaged for a line that is no vote."""
    votes: dict[str, dict[int, str | None]] = {}
    for number, row in enumerate(journal.rows, start=1):
        try:
            answer = None if row["answer"] is None else show(Fraction(row["answer"]))
            votes.setdefault(row["id"], {})[row["sample"]] = answer
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise Damaged(f"{journal.path}:{number} is no vote: remove the line") from error
    return votes


# --- what comes of it


class _Line(dict):
    """A row of dropped.jsonl as it stands there."""

    def to_dict(self) -> dict:
        return self


def judge(rows: Sequence[Row], votes: Mapping[str, list[str | None]]) -> dict[str, _Line]:
    """What goes to dropped.jsonl, by id."""
    reasons = {row.id: disagreement(row.answer, votes[row.id]) for row in rows if row.id in votes}
    return {
        row.id: _Line(stage=STAGE, reason=reasons[row.id], twin="", votes=votes[row.id], **row.to_dict())
        for row in rows
        if reasons.get(row.id)
    }


def report_after(before: DataSet, train: list[Row], validation: list[Row], gone: list[_Line], facts: dict) -> dict:
    """The report of the rows that stay. Whatever was dropped before is told as it was."""
    old = before.report
    clean = train if before.beside else train + validation
    counts = {"clean": len(clean), "dropped": old["dropped"] + len(gone)}
    if sum(counts.values()) != old["clean"] + old["dropped"]:
        raise RuntimeError(f"{old['clean']} clean rows became {len(clean)} + {len(gone)}: a fault in the judging")
    now = report_of(Sifted(clean, [], Counter()), Recipe(name=STAGE), References())
    reasons = Counter(line["reason"] for line in gone)
    samples = {reason: [line for line in gone if line["reason"] == reason][:SAMPLES_SHOWN] for reason in reasons}
    stages = old.get("dropped_by_stage", {})
    report = old | counts | {key: now[key] for key in BALANCE if key in old}
    report["dropped_by_stage"] = stages | {STAGE: dict((reasons + Counter(stages.get(STAGE))).most_common())}
    if "stages" in old:
        step = {"stage": STAGE, "in": old["clean"], "dropped": len(gone), "out": len(clean)}
        report["stages"] = [*old["stages"], step]
    if "samples" in old and samples:
        report["samples"] = old["samples"] | {STAGE: samples}
    if "train" in old:
        report["train"] = len(train)
    if isinstance(old.get("validation"), dict):
        report["validation"] = old["validation"] | {"rows": len(validation)}
    if isinstance(kept := old.get("decontamination", {}).get("clean_rows_with_overlap"), dict):
        # The tests are not at hand. Where no row shared anything none does now; any other count is of rows that may be gone.
        kept = {measure: count for measure, count in kept.items() if not (gone and count)}
        report["decontamination"] = old["decontamination"] | {"clean_rows_with_overlap": kept}
    if clean and "example" in old and old["example"].get("id") not in {row.id for row in clean}:
        report["example"] = clean[0].to_dict()
    return report | {STAGE: facts}


def apply(place: Workplace, votes: Mapping[str, list[str | None]], facts: dict) -> dict:
    """Write the data set anew from what it was and the votes; the report."""
    before = read_data_set(place.before)
    gone = judge(before.rows, votes)
    train = [row for row in before.train if row.id not in gone]
    validation = before.validation if before.beside else [row for row in before.validation if row.id not in gone]
    answers = {row.id: read_gold(row.answer) for row in before.rows if row.id in votes}
    agreeing = Counter(sum(vote is not None and Fraction(vote) == answers[id] for vote in votes[id]) for id in answers)
    facts = facts | {
        "asked": len(answers),
        "not_asked": len(before.rows) - len(answers),
        "agreeing_samples": {str(count): rows for count, rows in sorted(agreeing.items())},
    }
    report = report_after(before, train, validation, list(gone.values()), facts)
    scratch = place.folder / "clean.jsonl"
    write_rows(scratch, [row.to_dict() for row in train])
    place.announce(sha256_file(scratch))
    scratch.unlink()
    return write_data_set(place.data, train, validation, [*map(_Line, before.dropped), *gone.values()], report)


def command_of(data: Path, stamp: dict, limit: int | None) -> str:
    """The command that does the same again; of folders outside the repository only the name is told, and no URL."""
    sampling = stamp["sampling"]
    data = data.name if data.is_absolute() or ".." in data.parts else data
    options = {"data": data, "engine": stamp["engine"], "samples": stamp["samples"]}
    options |= {name: sampling[name.replace("-", "_")] for name in ("temperature", "max-tokens", "seed")}
    options |= {} if limit is None else {"limit": limit}
    return "python -m pipeline.resolve " + shlex.join(word for name, value in options.items() for word in (f"--{name}", str(value)))


def resolve(data: Path, spec: str, samples: int, sampling: Sampling, limit: int | None) -> dict:
    """The whole command; the report. Raises what reading, engines and files raise, and ValueError for failed samples."""
    need_parquet()
    if not (data / "resolve" / "run.json").exists():
        read_data_set(data)  # before anything is made or loaded
    engine = load_engine(spec)
    stamp = {
        "engine": display_name(spec),
        "revision": getattr(engine, "revision", ""),
        "samples": samples,
        "sampling": asdict(sampling),
    }
    with hold_folder(data), Journal(data / "resolve" / "votes.jsonl") as journal:  # held first: one process at a time
        place = Workplace(data, stamp)
        rows = read_data_set(place.before).rows[:limit]
        if isinstance(engine, ScriptedEngine):
            engine.require(row.problem for row in rows)
        failed = ask(engine, rows, samples, sampling, journal)
        if failed:
            raise ValueError(
                f"{failed:,} samples brought no reply, and nothing was changed: see to the engine and run the same command again"
            )
        whole = {id: given for id, given in read_votes(journal).items() if given.keys() >= set(range(samples))}
        votes = {id: [given[sample] for sample in range(samples)] for id, given in whole.items()}
        return apply(place, votes, {**stamp, "command": command_of(data, stamp, limit)})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.resolve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, type=Path, help="folder of a data set: clean.jsonl, dropped.jsonl, report.json")
    parser.add_argument("--engine", required=True, help="pocket, hf:..., openai:URL#MODEL, scripted:FILE")
    parser.add_argument("--samples", type=int, default=3, help="independent solutions of each problem (default: 3)")
    parser.add_argument("--temperature", type=float, help=f"default: {TEMPERATURE}, and 0 (greedy) for one sample")
    parser.add_argument("--max-tokens", type=int, default=512, help="new tokens a solution (default: 512)")
    parser.add_argument("--seed", type=int, default=0, help="of sampling")
    parser.add_argument("--limit", type=int, help="only the first so many rows; the others stay as they are")
    args = parser.parse_args(arguments)
    if not 1 <= args.samples <= MAX_SAMPLES:
        raise SystemExit(f"--samples must lie in 1 to {MAX_SAMPLES}")
    if args.limit is not None and args.limit < 1:
        raise SystemExit("--limit must be at least 1")
    if not 0 <= args.seed < 2**32:
        raise SystemExit(f"--seed must lie in 0 to {2**32 - 1}")
    temperature = args.temperature if args.temperature is not None else TEMPERATURE if args.samples > 1 else 0.0
    if args.samples > 1 and temperature == 0:
        raise SystemExit("greedy samples are all the same: give --temperature above 0, or --samples 1")
    if not args.data.is_dir():
        raise SystemExit(f"{args.data} is no folder: name one that pipeline.build or pipeline.filter wrote")
    try:
        sampling = Sampling(args.max_tokens, temperature, seed=args.seed)
        report = resolve(args.data, args.engine, args.samples, sampling, args.limit)
    except (Busy, Damaged, ValueError) as error:
        raise SystemExit(str(error)) from error
    except (EngineError, OSError) as error:
        raise SystemExit(f"{error}\nWhat was answered is kept: run the same command to go on.") from error
    except KeyboardInterrupt:
        print("stopped; what was answered is kept: run the same command to go on", file=sys.stderr)
        raise SystemExit(130) from None
    found, dropped = report[STAGE], report["dropped_by_stage"][STAGE]
    print(f"{found['asked']:,} rows asked {args.samples} times each, {found['not_asked']:,} not asked")
    for count, rows in found["agreeing_samples"].items():
        print(f"  {count} of {args.samples} samples agree with the row: {rows:,}")
    print("dropped: " + (", ".join(f"{count:,} {reason}" for reason, count in dropped.items()) or "none"))
    print(f"{report['candidates']:,} candidates = {report['clean']:,} clean + {report['dropped']:,} dropped")


if __name__ == "__main__":
    main()
