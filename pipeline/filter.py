"""Clean a data set that others made: the same filters as for our own, and every line is accounted for.

    python -m pipeline.filter --in theirs.jsonl --out data/theirs
    python -m pipeline.filter --in part-0.parquet part-1.parquet --out data/theirs --columns problem=Q,answer=A --max-bad 20

reads JSON lines, a JSON list, CSV or Parquet, plain, .gz or .zst, under most names that people give to columns
(the head of `pipeline/foreign.py` lists them), and writes to the folder what the head of `pipeline/outputs.py`
lists, and

    unreadable.jsonl    the lines that are no rows, each with the file, the line, the reason and what was expected

clean + dropped + unreadable = lines (and the further problems of conversations that hold several). With more than
--max-bad unreadable lines everything is written all the same, and the command ends with status 2, as it does
for whatever else it refuses. The same input gives the same bytes; a run that was killed is simply run again.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from mathtutor.io import (
    Busy,
    hold_folder,
    json_lines,
    need_space,
    sha256_file,
    speak_any_text,
    status_of,
    told,
)
from mathtutor.problem import Row
from mathtutor.progress import say
from pipeline.card import LICENCES
from pipeline.chain import load_references, report_of, sift
from pipeline.corpus import References
from pipeline.figures import name_of, read_report
from pipeline.foreign import NAMES, Tally, read_foreign, source_name
from pipeline.outputs import FILES, described, need_names, need_parquet, write_data_set, write_reasons
from pipeline.places import need_place_for_data
from pipeline.reasons import most_frequent
from pipeline.recipe import Recipe, load_recipe
from pipeline.records import Unreadable
from pipeline.split import split
from pipeline.unstated import Unstated, unstated_line
from pipeline.workers import Workers, add_arguments, make_workers

RECIPE = Path(__file__).parent / "recipes" / "foreign.yaml"
UNREADABLE = "unreadable.jsonl"
OUTPUTS = (*FILES, UNREADABLE)
FEW = 1  # clean rows for each that was dropped: with fewer the log says why


def read_columns(text: str) -> dict[str, str]:
    """ "problem=Q,answer=A" as {"problem": "Q", "answer": "A"}; a column's name may hold commas. Raises ValueError."""
    parts = re.split(rf",(?=(?:{'|'.join(NAMES)})=)", text) if text else []
    columns = dict(part.split("=", 1) for part in parts if "=" in part)
    if len(columns) != len(parts):
        raise ValueError(f"--columns {text!r:.80}: write it as problem=NAME,answer=NAME, each once")
    return columns


def rows_of(paths: list[Path], columns: dict[str, str], tally: Tally, unreadable: list[dict]) -> Iterator[Row]:
    """The rows of all files; the lines that are none go to `unreadable`."""
    for path in paths:
        for item in read_foreign(path, columns, tally):
            if isinstance(item, Unreadable):
                unreadable.append({"file": path.name, **item.to_dict()})
            elif item.source.strip().lower() in LICENCES:  # whoever claims to be our bank would get its licence
                yield replace(item, source=f"file {source_name(path)}")
            else:
                yield item


def need_files(paths: list[Path]) -> None:
    """Raises ValueError for what is given in the place of a file: a pattern that nothing fits, or a name on the hub."""
    for path in paths:
        if path.exists():
            continue
        if set("*?[") & set(str(path)):
            raise ValueError(f"no file fits {path}: patterns are the shell's, which left this one as it stands; name files that are there")
        if re.fullmatch(r"[\w.-]+/[\w-]+", str(path)) and not path.parent.exists():
            raise ValueError(
                f"there is no file {path}: of a data set on the hub, fetch the files first "
                f"(hf download {path} --repo-type dataset --local-dir FOLDER) and give one of them to --in"
            )


def expected_bytes(path: Path) -> int:
    """What the rows of a file may take in all our files; what is packed unpacks to some eight times its size."""
    is_packed = path.suffix.lower() in (".gz", ".zst", ".parquet")
    return path.stat().st_size * (8 if is_packed else 1) * 2


def command_of(args: argparse.Namespace) -> str:
    """The command that does the same again; of files outside the repository only the name is told."""
    recipe = args.recipe.name if args.recipe.is_absolute() or ".." in args.recipe.parts else args.recipe
    words = ["--in", *(path.name for path in args.inputs)]
    words += ["--recipe", str(recipe)] * (args.recipe != RECIPE)
    words += [word for override in args.set for word in ("--set", override)]
    words += ["--columns", args.columns] * bool(args.columns)
    words += ["--max-bad", str(args.max_bad)] * bool(args.max_bad)
    words += ["--no-tests"] * args.no_tests
    words += ["--against", *(path.name for path in args.against)] * bool(args.against)
    return f"python -m pipeline.filter {shlex.join(words)}"


def describe_input(paths: list[Path], tally: Tally, clean: list[Row]) -> dict:
    """What was read, for the report; `clean` are the rows that passed."""
    return {
        "files": [{"name": path.name, "sha256": sha256_file(path), "notes": tally.notes[str(path)]} for path in paths],
        "columns": dict(tally.readings.most_common()),
        "lines": tally.lines,
        "rows": tally.rows,
        "further_rows": tally.further,
        "turns_left_out": tally.asides,
        "no_answer_stated": {"rows": tally.unstated, "clean": sum(isinstance(row, Unstated) for row in clean)},
        "unreadable": tally.unreadable.total(),
        "unreadable_by_reason": dict(tally.unreadable.most_common()),
    }


def filter_files(args: argparse.Namespace) -> None:
    """Read, sift, write and tell. Raises ValueError or OSError with what to do."""
    need_parquet()
    columns, recipe = read_columns(args.columns), load_recipe(args.recipe, args.set)
    if any(override.startswith("sources") for override in args.set):
        raise ValueError("--set sources...: the rows come from --in, no teacher writes any: leave it out")
    need_names([*args.inputs, *args.against])
    need_files([*args.inputs, *args.against])
    inputs = [Path(os.path.realpath(path)) for path in args.inputs]  # resolve() raises where links go in a circle
    if len(set(inputs)) < len(inputs):
        raise ValueError("--in names a file twice")
    need_place_for_data(args.out, [*args.inputs, *args.against], [UNREADABLE])
    need_space(args.out, sum(expected_bytes(path) for path in args.inputs if path.is_file()))
    references = load_references(recipe, args.against, args.no_tests, say)
    workers = make_workers(args.engine, args.workers, args.address)
    with hold_folder(args.out), workers:
        if standing := standing_in(args.out, args.inputs):
            say(f"{args.out} holds {standing}: it is replaced when this run ends (another --out keeps it)")
        sift_into(args, columns, recipe, references, workers)


def sift_into(
    args: argparse.Namespace, columns: dict[str, str], recipe: Recipe, references: References, workers: Workers
) -> None:
    """Sift the inputs into the folder, which is held."""
    tally, unreadable = Tally(), []
    rows = rows_of(args.inputs, columns, tally, unreadable)
    sifted = sift(rows, recipe, references, workers=workers, say=say)
    bad = tally.unreadable.total()
    if len(sifted.clean) + len(sifted.dropped) + bad != tally.lines + tally.further:
        raise RuntimeError(f"{tally.lines} lines became {tally.rows} rows and {bad} unreadable: a fault in the reader")
    more = {UNREADABLE: json_lines(unreadable)}
    if not tally.rows:  # there are lines: a file without any was refused
        write_reasons(args.out, more)
        lines = "the only line is" if tally.lines == 1 else f"all {tally.lines:,} lines are"
        raise ValueError(f"no rows: {lines} unreadable, {describe_first(unreadable)}")
    judged = report_of(sifted, recipe, references, workers)
    judged["recipe"] = {key: value for key, value in judged["recipe"].items() if key != "sources"}
    train, validation = split(sifted.clean, recipe.corpus.validation, recipe.seed)
    report = {
        "command": command_of(args),
        "input": describe_input(args.inputs, tally, sifted.clean),
        **({"inputs": described(args.against)} if args.against else {}),
        **judged,
        "train": len(train),
        "validation": {"rows": len(validation), "rule": "clusters of the clean rows" if validation else "none"},
    }
    print_summary(report)
    if sifted.clean and len(sifted.clean) < FEW * len(sifted.dropped):
        print("most went for", *most_frequent(sifted.dropped, recipe.limits), sep="\n  ")
    report = write_data_set(args.out, train, validation, sifted.dropped, report, more)
    say(f"{args.out / 'clean.jsonl'}: {len(train):,} rows, sha256 {report['sha256'][:16]}")
    if bad > args.max_bad:
        raise ValueError(
            f"{bad:,} unreadable {'line' if bad == 1 else 'lines'}, {describe_first(unreadable)}. {args.out / UNREADABLE} has all. "
            f"The files are written; --max-bad {bad} makes that a success"
        )


def standing_in(folder: Path, paths: list[Path]) -> str:
    """What data set the folder holds that is not of these files as they are, in words; "" where there is none."""
    try:
        report = read_report(folder)
    except ValueError:  # none, or none that stands
        return ""
    files = report.get("input", {}).get("files", [])
    if [file["sha256"] for file in files] == [sha256_file(path) for path in paths if path.is_file()]:
        return ""
    return f"the data set {name_of(report)} ({report['clean']:,} rows), made of " + (
        ", ".join(file["name"] for file in files) or "other sources"
    )


def describe_first(unreadable: list[dict]) -> str:
    first = unreadable[0]
    where = ":".join(str(first[key]) for key in ("file", "line", "column") if key in first)
    return f"the first at {where}: {first['reason']} ({first['detail']})"


def print_summary(report: dict) -> None:
    given = report["input"]
    for reading, count in given["columns"].items():
        say(f"{count:,} lines read as {reading}")
    for file in given["files"]:
        if file["notes"]:
            say(f"{file['name']}: {', '.join(file['notes'])}")
    if told := unstated_line(given):
        say(told)
    further = f" + {given['further_rows']:,} further rows of conversations" if given["further_rows"] else ""
    say(
        f"{given['lines']:,} lines{further} = {report['clean']:,} clean + {report['dropped']:,} dropped "
        f"+ {given['unreadable']:,} unreadable"
    )


def stop(message: str, status: int = 2) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(status)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in", dest="inputs", required=True, nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="thresholds (default: pipeline/recipes/foreign.yaml)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one of them: corpus.fuzzy=null")
    parser.add_argument("--columns", default="", metavar="ROLE=NAME,...", help=f"which column is what: {', '.join(NAMES)}")
    parser.add_argument("--max-bad", type=int, default=0, metavar="N", help="unreadable lines that are no failure (default: 0)")
    add_arguments(parser)
    parser.add_argument(
        "--against", nargs="+", type=Path, default=[], metavar="FILE", help="more files of test problems to keep clear of"
    )
    parser.add_argument(
        "--no-tests", action="store_true", help="skip the comparison with test sets (no data at hand); the report says so"
    )
    args = parser.parse_args(arguments)
    if args.workers < 1 or args.max_bad < 0:
        parser.error("--workers must be at least 1, --max-bad at least 0")
    if args.against and args.no_tests:
        parser.error("--against compares with test problems and --no-tests does not: give one of them")
    started = time.monotonic()
    speak_any_text()
    try:
        filter_files(args)
    except (Busy, ValueError, OSError) as error:
        hint = " (or --no-tests to go without the comparison)" if "MATHTUTOR_DATA" in str(error) and not args.no_tests else ""
        stop(f"{told(error)}{hint}", status_of(error))
    except KeyboardInterrupt:
        stop("stopped: run the same command again")
    say(f"in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
