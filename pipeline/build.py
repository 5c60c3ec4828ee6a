"""Build a data set: teachers write candidates, filters judge them, and every row is accounted for.

    python -m pipeline.build --recipe pipeline/recipes/synth-50k.yaml --out data/synth-50k
    python -m pipeline.build --recipe pipeline/recipes/pocket.yaml --out runs/try --set sources.bank=4000 --no-tests

writes to the folder what the head of `pipeline/outputs.py` lists: clean.jsonl, dropped.jsonl with stage and
reason, report.json whose counts add up, and more. The same recipe gives the same bytes. A build that was
killed is simply run again: candidates are made from (seed, index) alone, files appear whole, and a folder with
a report holds the rows it is of.
"""

from __future__ import annotations

import argparse
import itertools
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mathtutor.bank import BankError
from mathtutor.bank.families import FOLDER
from mathtutor.io import (
    NO_SPACE,
    Busy,
    Damaged,
    hold_folder,
    need_space,
    number_rows,
    sha256_file,
    sha256_json,
    speak_any_text,
    status_of,
    told,
)
from mathtutor.problem import Row
from mathtutor.progress import say
from pipeline.chain import load_references, report_of, sift
from pipeline.corpus import References
from pipeline.figures import name_of, read_report
from pipeline.outputs import described, need_names, need_parquet, write_data_set
from pipeline.places import need_place_for_data, read_bill
from pipeline.recipe import Recipe, Sources, load_recipe
from pipeline.split import split
from pipeline.teachers import gsm8k, procedural, rewritten
from pipeline.teachers.draws import Draw, draws
from pipeline.workers import Workers, add_arguments, make_workers

BYTES = 1500  # that a candidate takes in all files together
ROOT = Path(__file__).resolve().parents[1]
OWN = ("bank", "composed", "stories", "gsm8k-train", "gsm8k-rewritten")  # sources that only this command and pipeline.teach may claim


def files_of(sources: Sources) -> list[Path]:
    """The files of `sources.files`, which parts them by commas."""
    return [Path(path.strip()) for path in sources.files.split(",") if path.strip()]


def read_teacher(path: Path) -> dict | None:
    """The report of pipeline.teach beside a file; None where there is none. Raises ValueError when it is of other rows."""
    beside = path.with_name("report.json")
    report = read_bill(beside)
    if report is not None and report.get("sha256") != sha256_file(path):
        raise ValueError(f"{path} is not the file that {beside} stands for: teach again, or take the file to a folder of its own")
    return report


def read_teachers(sources: Sources) -> dict[str, dict]:
    """What the teachers of `sources.files` were asked and paid, by file: "raw.jsonl", "raw.jsonl (2)"."""
    told: dict[str, dict] = {}
    for path in files_of(sources):
        if report := read_teacher(path):
            number = sum(name.split(" (")[0] == path.name for name in told)
            told[f"{path.name} ({number + 1})" if number else path.name] = {
                key: report[key] for key in ("plan", "problems", "tokens", "usd")
            }
    return told


def read_file(path: Path) -> Iterator[Row]:
    """The rows of a file that a teacher wrote. Raises ValueError with `file:line` at one that is none.

    A row that claims a source of ours without pipeline.teach's word for it gets the file's name for a source.
    """
    report = read_teacher(path)
    is_ours = report is not None and report["plan"].get("teacher") == "procedural"
    for number, given in number_rows(path):
        try:
            row = Row.from_dict(given)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from error
        yield row if is_ours or row.source not in OWN else replace(row, source=path.name)


def write_candidates(sources: Sources, seed: int) -> tuple[Iterator[Row | Draw], int]:
    """(candidates of all sources, their number). What may fail for want of data fails here."""
    human = list(gsm8k.write_rows()) if sources.gsm8k else []
    if sources.gsm8k_variants:
        human += rewritten.write_rows(sources.gsm8k_variants, seed)
    taught = [row for path in files_of(sources) for row in read_file(path)]
    counts = {"bank": sources.bank, "composed": sources.composed, "stories": sources.stories}
    made = itertools.chain.from_iterable(draws(teacher, count, seed) for teacher, count in counts.items())
    return itertools.chain(made, human, taught), sum(counts.values()) + len(human) + len(taught)


def command_of(args: argparse.Namespace) -> str:
    """The command that builds the same set again; of files outside the repository only the name is told."""
    recipe = args.recipe.resolve()
    recipe = recipe.relative_to(ROOT) if recipe.is_relative_to(ROOT) else recipe.name
    words = ["--recipe", str(recipe)]
    words += [word for override in args.set for word in ("--set", without_folders(override))]
    words += ["--no-tests"] * args.no_tests
    words += ["--against", *(path.name for path in args.against)] * bool(args.against)
    return f"python -m pipeline.build {shlex.join(words)}"


def without_folders(override: str) -> str:
    """ "sources.files=/home/ana/raw.jsonl" as "sources.files=raw.jsonl"."""
    key, _, value = override.partition("=")
    return f"{key}={','.join(Path(path.strip()).name for path in value.split(','))}" if "/" in value else override


def standing_in(folder: Path, command: str) -> str:
    """What data set the folder holds that another command made, in words; "" where there is none."""
    try:
        report = read_report(folder)
    except ValueError:  # none, or none that stands
        return ""
    made = report.get("command", "")
    return "" if made == command else f"the data set {name_of(report)} ({report['clean']:,} rows), made by: {made}"


def build(args: argparse.Namespace) -> dict:
    """Run the whole build; the report."""
    need_parquet()
    workers = make_workers(args.engine, args.workers, args.address)
    recipe: Recipe = load_recipe(args.recipe, args.set)
    inputs = [*files_of(recipe.sources), *args.against]
    need_names(inputs)
    need_place_for_data(args.out, inputs)
    candidates, total = write_candidates(recipe.sources, recipe.seed)
    if not total:
        raise ValueError(f"{args.recipe} names no source of candidates: set sources.bank, say")
    need_space(args.out, total * BYTES)
    references = load_references(recipe, args.against, args.no_tests, say)
    with hold_folder(args.out), workers:
        if standing := standing_in(args.out, command_of(args)):
            say(f"{args.out} holds {standing}: it is replaced when this build ends (another --out keeps it)")
        return _build(args, recipe, candidates, total, references, workers)


def _build(
    args: argparse.Namespace, recipe: Recipe, candidates: Iterator[Row | Draw], total: int, references: References, workers: Workers
) -> dict:
    """From the candidates to the files."""
    sifted = sift(candidates, recipe, references, workers=workers, total=total, say=say)
    if len(sifted.clean) + len(sifted.dropped) != total:
        raise RuntimeError(f"{total} candidates became {len(sifted.clean)} + {len(sifted.dropped)} rows: a fault in the build")
    judged = report_of(sifted, recipe, references, workers)
    say(f"{len(sifted.clean):,} clean rows counted: parting them and writing the files ...")
    validation, rule = [], "none"
    train = sifted.clean
    if recipe.corpus.validation:
        train, validation = split(sifted.clean, recipe.corpus.validation, recipe.seed)
        rule = "clusters of the clean rows"
    elif recipe.sources.bank_validation:
        validation = list(procedural.write_rows(recipe.sources.bank_validation, recipe.seed, split="validation"))
        rule = "families of the bank, beside the candidates"
    report = {
        "command": command_of(args),
        "bank_sha256": sha256_json({path.name: sha256_file(path) for path in sorted(FOLDER.rglob("*.y*ml"))}),
        **judged,
        "train": len(train),
        "validation": {"rows": len(validation), "rule": rule},
        **({"teachers": teachers} if (teachers := read_teachers(recipe.sources)) else {}),
        **({"inputs": inputs} if (inputs := described([*files_of(recipe.sources), *args.against])) else {}),
    }
    return write_data_set(args.out, train, validation, sifted.dropped, report)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True, type=Path, help="a file such as pipeline/recipes/synth-50k.yaml")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe: sources.bank=1000")
    add_arguments(parser)
    parser.add_argument(
        "--against", nargs="+", type=Path, default=[], metavar="FILE", help="more files of test problems to keep clear of"
    )
    parser.add_argument(
        "--no-tests", action="store_true", help="skip the comparison with test sets and seeds (no data at hand); the report says so"
    )
    args = parser.parse_args(arguments)
    if args.against and args.no_tests:
        raise SystemExit("--against compares with test problems and --no-tests does not: give one of them")
    started = time.monotonic()
    speak_any_text()
    try:
        report = build(args)
    except (Busy, Damaged, OSError, ValueError, BankError) as error:
        given = shlex.join(sys.argv[1:] if arguments is None else arguments)
        alone = f", or build without the comparison: python -m pipeline.build {given} --no-tests"
        hint = alone if "MATHTUTOR_DATA" in str(error) and not args.no_tests else ""
        if status_of(error) == NO_SPACE:
            print(told(error), file=sys.stderr)
            raise SystemExit(NO_SPACE) from error
        raise SystemExit(f"{error}{hint}") from error
    say(
        f"{report['candidates']:,} candidates = {report['clean']:,} clean + {report['dropped']:,} dropped, "
        f"in {time.monotonic() - started:.0f} s"
    )
    say(f"{args.out / 'clean.jsonl'}: {report['train']:,} rows, sha256 {report['sha256'][:16]}")


if __name__ == "__main__":
    main()
