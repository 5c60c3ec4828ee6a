"""How often is each filter right? Precision and recall on hand-labelled rows, and what it costs on GSM8K train.

    python -m pipeline.audit                                   prints the table; status 1 when a demand is missed
    python -m pipeline.audit --out assets/labelled/audit.json  and records it, with every error by its id
    python -m pipeline.audit --no-tests                        needs no data: without leaks, seeds and GSM8K train

`assets/labelled/retold.jsonl` are problems of GSM8K train that somebody told again with other objects, or freely: how many would the
comparison with test sets find if their originals were test problems?

A row of `assets/labelled/rows.jsonl` is good, or carries the name of the filter that must drop it; `also` names
filters that may drop it too. Leaked items and retold seeds are not in the file: it names their places in the set,
and they are made when the audit runs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from mathtutor.io import Damaged, number_rows, read_rows, sha256_file, write_json
from mathtutor.maths.arithmetic import show
from mathtutor.problem import Row
from mathtutor.sources import load_source
from mathtutor.tutoring.hints import checked, sums_of
from pipeline import corpus
from pipeline.chain import STAGES, load_references
from pipeline.corpus import References
from pipeline.filters import RULES, first_reason
from pipeline.recipe import Corpus, Limits, Recipe, load_recipe
from pipeline.seeds import read_seeds
from pipeline.teachers import gsm8k

ROWS = Path(__file__).resolve().parents[1] / "assets" / "labelled" / "rows.jsonl"
BY_HAND = ROWS.with_name("retold.jsonl")
FOREIGN = Path(__file__).resolve().parent / "recipes" / "foreign.yaml"
GOOD = "good"
LEAST = 0.95  # of precision and of recall, for each filter
SPOILED = 800
DEAREST = 0.01  # share of GSM8K train's gold that a filter may drop
# These say that a row resembles another set, not that anything is wrong with it; test items and seeds retold are for them alone.
COMPARING = ("seed_overlap", "test_overlap")

RETOLD = ("gsm8k/test", "svamp/test")  # sets whose problems are all retold
CHANGES = ("verbatim", "names", "numbers", "names and numbers", "new ending")
NAMES = ("Nkechi", "Torvald", "Ximena", "Baraka", "Soraya", "Lubomir", "Tsering", "Ondine", "Kealoha", "Ruprecht")
# Capitalised because they begin a sentence, or for good.
NO_NAMES = frozenset(
    "a after all also although an and another as at before both but by calculate determine during each every find finally "
    "first for from given he her his how however i if in initially it its last later many mr mrs ms my next now of on one "
    "only out over she since some starting suppose that the their then there these they this three to today together total "
    "twice two until what when where which while who why with you your monday tuesday wednesday thursday friday saturday "
    "sunday january february march april may june july august september october november december".split()
)


@dataclass(frozen=True)
class Labelled:
    """A row with the filter that must drop it (or "good"), and those that may."""

    row: Row
    label: str
    kind: str
    also: tuple[str, ...] = ()


@dataclass
class Score:
    """What one filter did; errors are ids, those of false alarms with the reason given."""

    labelled: int = 0
    found: int = 0
    missed: list[str] = field(default_factory=list)
    false_alarms: dict[str, str] = field(default_factory=dict)

    @property
    def precision(self) -> float | None:
        """None where the filter dropped nothing that counts."""
        dropped = self.found + len(self.false_alarms)
        return self.found / dropped if dropped else None

    @property
    def recall(self) -> float | None:
        """None where no row is labelled with the filter."""
        return self.found / self.labelled if self.labelled else None

    def to_dict(self) -> dict:
        return {
            "labelled": self.labelled,
            "found": self.found,
            "false_alarms": len(self.false_alarms),
            "precision": None if self.precision is None else round(self.precision, 4),
            "recall": None if self.recall is None else round(self.recall, 4),
            "missed_ids": self.missed,
            "false_alarm_ids": self.false_alarms,
        }


# --- the labelled rows


def read_labelled(path: Path, references: References | None) -> list[Labelled]:
    """The rows of the file in order. Those that are made of another set are left out where `references` is None.

    Raises Damaged naming file and line for a row that makes no sense.
    """
    known = {GOOD, *STAGES}
    labelled = []
    for number, line in number_rows(path):
        try:
            is_retold = "set" in line
            if is_retold and references is None:
                continue
            row = _retell(line, references) if is_retold else Row.from_dict({**line, "source": "labelled"})
            also = tuple(line.get("also", ()))
            if not {line["label"], *also} <= known:
                raise ValueError(f"label and also must be among {', '.join(sorted(known))}")
            labelled.append(Labelled(row, line["label"], line["kind"], also))
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise Damaged(f"{path}:{number}: {error}") from error
    return labelled


def _retell(line: dict, references: References) -> Row:
    if line["set"] == "seeds":
        text = references.seeds[line["index"]].question
    else:
        text = (references.tests or {})[line["set"]][line["index"]]
    return Row(id=line["id"], problem=retold(text, line["change"]), steps=("1 + 1 = 2",), answer="2", source="labelled")


def retold(text: str, change: str) -> str:
    """A problem as somebody might hide where it comes from: by other names, other numbers, both, or another ending."""
    if change not in CHANGES:
        raise ValueError(f"change must be one of {', '.join(CHANGES)}, not {change!r:.40}")
    if "names" in change:
        capitals = re.findall(r"\b[A-Z][a-z]+\b", text)
        lower = set(re.findall(r"\b[a-z]+\b", text))
        names = [word for word in dict.fromkeys(capitals) if word.lower() not in NO_NAMES | lower]
        for number, name in enumerate(names):
            text = re.sub(rf"\b{name}\b", NAMES[number % len(NAMES)], text)
    if "numbers" in change:
        text = re.sub(r"\d+", lambda match: str(int(match[0]) + 1 + int(match[0]) % 7), text)
    if change == "new ending":
        words = text.split()
        text = " ".join(words[: max(10, len(words) // 2)]) + ", and so on. How many would that be in half the time?"
    return text


# --- what the filters do


Verdicts = dict[str, dict[str, str]]  # stage -> id of a row -> reason


def judge_alone(rows: Sequence[Row], limits: Limits) -> Verdicts:
    """Every rule asked about every row."""
    found: Verdicts = {stage: {} for stage in RULES}
    for row in tqdm(rows, desc="rules", unit="row", disable=None):
        for stage, rule in RULES.items():
            if reason := rule(row, limits):
                found[stage][row.id] = reason
    return found


def judge_together(rows: Sequence[Row], settings: Corpus, references: References) -> Verdicts:
    """Every stage that compares rows asked about all of them."""
    drops = {name: stage(rows, settings, references) for name, stage in corpus.STAGES.items()}
    return {name: {row.id: drop.reason for row, drop in zip(rows, found, strict=True) if drop} for name, found in drops.items()}


def score(labelled: Sequence[Labelled], recipe: Recipe, references: References) -> dict[str, Score]:
    """A score for each stage, and one for the whole chain under "all": does it drop what is not good?

    The stages that compare see what comes to them when the rules do their work: rows without another fault. Rows that
    are made of another set are for them alone, for their solutions are stand-ins.
    """
    is_sound = [item.label == GOOD or item.label in corpus.STAGES for item in labelled]
    found = judge_alone([item.row for item in labelled if item.label not in COMPARING], recipe.limits)
    found |= judge_together([item.row for item, sound in zip(labelled, is_sound, strict=True) if sound], recipe.corpus, references)
    scores = {stage: Score() for stage in (*STAGES, "all")}
    for item, sound in zip(labelled, is_sound, strict=True):
        asked = [stage for stage in STAGES if (sound if stage in corpus.STAGES else item.label not in COMPARING)]
        reasons = {stage: found[stage][item.row.id] for stage in asked if item.row.id in found[stage]}
        for stage in asked:
            _count(scores[stage], item.row.id, item.label == stage, reasons.get(stage), stage in item.also)
        _count(scores["all"], item.row.id, item.label != GOOD, next(iter(reasons.values()), None), bool(item.also))
    return scores


def _count(score: Score, row_id: str, is_due: bool, reason: str | None, is_allowed: bool) -> None:
    score.labelled += is_due
    if is_due and reason:
        score.found += 1
    elif is_due:
        score.missed.append(row_id)
    elif reason and not is_allowed:
        score.false_alarms[row_id] = reason


def judge_gold(rows: Sequence[Row], recipe: Recipe, references: References, shown: Iterable[str]) -> Verdicts:
    """What every filter says of rows that are taken for good; those in `shown`, being seeds, overlap no seed."""
    verdicts, shown = judge_alone(rows, recipe.limits) | judge_together(rows, recipe.corpus, references), set(shown)
    verdicts["seed_overlap"] = {row_id: reason for row_id, reason in verdicts["seed_overlap"].items() if row_id not in shown}
    return verdicts


def cost(verdicts: Verdicts, rows: Sequence[Row]) -> dict[str, dict]:
    """Stage -> what it drops of rows that are taken for good."""
    return {
        stage: {
            "dropped": len(reasons),
            "share": round(len(reasons) / len(rows), 5),
            "reasons": dict(Counter(re.sub(r"\d+(?=_does)", "n", reason) for reason in reasons.values()).most_common()),
        }
        for stage, reasons in verdicts.items()
    }


def in_all(verdicts: Verdicts, rows: Sequence[Row]) -> dict[str, int]:
    """How many rows that are taken for good any filter drops."""
    return {"rows": len(rows), "dropped": len(set().union(*verdicts.values()))}


def _overlapping(rows: Sequence[Row], settings: Corpus, references: References) -> int:
    return sum(item is not None for item in corpus.Overlap(settings, references)([row.problem for row in rows]))


def found_retellings(settings: Corpus, references: References) -> dict[str, dict[str, dict[str, int]]]:
    """Set -> change -> how many of its problems, so retold, the comparison with test sets finds."""
    find = corpus.Overlap(settings, references)
    return {
        name: {
            change: {"told": len(texts), "found": sum(item is not None for item in find([retold(text, change) for text in texts]))}
            for change in tqdm(CHANGES, desc=f"{name} retold", unit="change", disable=None)
        }
        for name, texts in (references.tests or {}).items()
        if name in RETOLD
    }


def found_by_hand(settings: Corpus, references: References) -> dict[str, dict[str, int]]:
    """Manner -> how many of the problems told again by hand are traced to their originals, were these test problems."""
    lines, train = list(read_rows(BY_HAND)), load_source("gsm8k", "train")
    originals = {"originals": [train[line["index"]].question for line in lines]}
    references = replace(references, tests=(references.tests or {}) | originals)
    items = corpus.Overlap(settings, references)([line["problem"] for line in lines])
    traced = [item is not None and references.names[item[1]] == f"originals#{number}" for number, item in enumerate(items)]
    told = Counter(line["manner"] for line in lines)
    found = Counter(line["manner"] for line, is_traced in zip(lines, traced, strict=True) if is_traced)
    return {manner: {"told": count, "found": found[manner]} for manner, count in told.items()}


def out_of_sight(rows: Sequence[Row], limits: Limits) -> dict[str, dict[str, int]]:
    """How many false rows pass every rule that judges a row alone: what no arithmetic can see.

    Made of the first `SPOILED` right rows with a whole answer, in three ways: the solution of the next row's problem; the last step cut
    off and the result of the step before given as the answer; a false last sentence with the answer that it names.
    """
    right = [row for row in rows if re.fullmatch(r"-?\d+", row.answer) and first_reason(row, limits) is None][: SPOILED + 1]
    pairs = list(zip(right, right[1:], strict=False))
    shorter = [(row, sums_of(checked(row.steps[-2:-1])[0])) for row, _ in pairs if len(row.steps) > 1]
    spoiled = {
        "under the next row's problem": [replace(row, problem=following.problem) for row, following in pairs],
        "last step cut off": [replace(row, steps=row.steps[:-1], answer=show(sums[-1].value)) for row, sums in shorter if sums],
        "false last sentence": [
            replace(row, steps=(*row.steps[:-1], f"{row.steps[-1]} So {int(row.answer) + 1} are there in all."), answer=str(int(row.answer) + 1))
            for row, _ in pairs
        ],
    }  # fmt: skip
    return {way: {"told": len(false), "pass": sum(first_reason(row, limits) is None for row in false)} for way, false in spoiled.items()}


def faults(scores: dict[str, Score], costs: dict[str, dict]) -> list[str]:
    """The demands that are missed, a sentence each."""
    sentences = []
    for stage, s in scores.items():
        for name, value in (("precision", s.precision), ("recall", s.recall)):
            if value is not None and value < LEAST:
                sentences.append(f"{stage}: {name} {value:.3f} is below {LEAST}")
    sentences += [
        f"{stage}: drops {c['share']:.2%} of GSM8K train, more than {DEAREST:.0%}"
        for stage, c in costs.items()
        if c["share"] > DEAREST
    ]
    return sentences


def audit(path: Path, with_data: bool) -> dict:
    """The whole report. Raises ValueError or OSError where a set is missing, Damaged for a labelled row without sense."""
    # The data of others is what is judged; our own is held to fewer words in a row.
    recipe, ours = (Recipe("audit", limits=Limits(), corpus=Corpus(test_grams=n)) for n in (load_recipe(FOREIGN).corpus.test_grams, Corpus().test_grams))
    references = load_references(recipe) if with_data else References()
    labelled = read_labelled(path, references if with_data else None)
    scores, of_ours = (score(labelled, each, references) for each in (recipe, ours))
    gold = list(gsm8k.write_rows()) if with_data else []
    verdicts = judge_gold(gold, recipe, references, (row.id for row in read_seeds())) if with_data else {}
    costs = cost(verdicts, gold)
    return {
        "labelled": len(labelled),
        "sha256": sha256_file(path),
        "kinds": dict(Counter(item.kind for item in labelled).most_common()),
        "demands": {
            "least_precision_and_recall": LEAST,
            "largest_share_of_gsm8k_train": DEAREST,
        },
        "test_grams": recipe.corpus.test_grams,
        "filters": {stage: s.to_dict() for stage, s in scores.items()},
        "filters_at_test_grams": {ours.corpus.test_grams: {stage: of_ours[stage].to_dict() for stage in ("test_overlap", "all")}},
        "gsm8k_train_overlap_at_test_grams": {ours.corpus.test_grams: _overlapping(gold, ours.corpus, references)} if with_data else "not compared",
        "gsm8k_train": costs or "not compared",
        "retellings_found": found_retellings(recipe.corpus, references),
        "retold_by_hand": found_by_hand(recipe.corpus, references) if with_data else "not compared",
        "gsm8k_train_in_all": in_all(verdicts, gold) if with_data else "not compared",
        "out_of_sight": out_of_sight(gold, recipe.limits) if with_data else "not compared",
        "missed_demands": faults(scores, costs) + faults({f"{stage} at {ours.corpus.test_grams} words": of_ours[stage] for stage in ("test_overlap", "all")}, {}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where the record goes (JSON)")
    parser.add_argument("--no-tests", action="store_true", help="only the rows in the file: no leaks, no seeds, no GSM8K train")
    args = parser.parse_args()
    try:
        report = audit(ROWS, with_data=not args.no_tests)
    except (Damaged, OSError, ValueError) as error:
        raise SystemExit(f"{error}{'' if args.no_tests else ' (or --no-tests to leave the comparison out)'}") from error
    if args.out:
        write_json(args.out, report)
    print(f"{report['labelled']} labelled rows")
    print(f"{'filter':20}{'labelled':>9}{'found':>7}{'false':>7}{'precision':>11}{'recall':>8}{'GSM8K train':>13}")
    for stage, s in report["filters"].items():
        c = report["gsm8k_train"].get(stage) if isinstance(report["gsm8k_train"], dict) else None
        share = "" if c is None else f"{c['share']:.2%}"
        precision, recall = ("-" if s[name] is None else f"{s[name]:.3f}" for name in ("precision", "recall"))
        print(f"{stage:20}{s['labelled']:9}{s['found']:7}{s['false_alarms']:7}{precision:>11}{recall:>8}{share:>13}")
    for name, changes in report["retellings_found"].items():
        for change, c in changes.items():
            print(f"{name}, {change}: {c['found']:,} of {c['told']:,} retellings found")
    for manner, c in report["retold_by_hand"].items() if isinstance(report["retold_by_hand"], dict) else ():
        print(f"told again by hand, {'with other objects' if manner == 'objects' else manner}: {c['found']} of {c['told']} found")
    if isinstance(report["out_of_sight"], dict):
        gold = report["gsm8k_train_in_all"]
        print(f"GSM8K train: {gold['dropped']:,} of {gold['rows']:,} rows are dropped by some filter")
        for way, c in report["out_of_sight"].items():
            print(f"made false and not seen, {way}: {c['pass']} of {c['told']}")
    print("\n".join(report["missed_demands"]) or "every demand is met")
    sys.exit(bool(report["missed_demands"]))


if __name__ == "__main__":
    main()
