"""What a report says, in figures and words: what the page and the card of a data set have in common.

    report = read_report(Path("data/pocket"))       # ValueError with the fix where there is none
    stages_of(report)[0]                            # Stage("structure", given=83000, dropped=12, out=82988, also=0)

Nothing here is marked up: `pipeline.report` makes HTML of it, `pipeline.card` Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import exp, log
from pathlib import Path
from typing import NamedTuple

from mathtutor.io import read_json

# What each stage looks for, in the words of the page and of the card.
STAGES = {
    "structure": "a problem with words, steps that are single lines, no control tokens, not too long",
    "answer_range": "an answer that is a number of believable size",
    "solution_quality": "no boilerplate, cut text, repeated steps or numbers out of the blue",
    "ai_detection": "no residue of an assistant: greetings, apologies, second thoughts, prompts, markup",
    "math_verification": "every sum that can be read adds up, at least one is there, and the last result is the answer",
    "wrong_step": "every sum adds up, and at least one is there",
    "answer_from_steps": "the answer is the last result",
    "reads_back": "the answer reads back from the text a model is trained on",
    "units": "whole people and things, money in cents, no negative counts",
    "child_safety": "nothing that does not belong in a child's exercise book",
    "personal_data": "no address, telephone number, card number or link",
    "reading_level": "sentences no harder to read than a limit that is the same for every row",
    "exact_duplicate": "a problem not seen before, letters, digits and sums compared",
    "fuzzy_duplicate": "a problem unlike all kept before it (TF-IDF cosine)",
    "seed_overlap": "a problem unlike the seeds shown to the teacher",
    "test_overlap": "a problem that shares no run of words with a test set and does not retell one",
    "skeleton_cap": "not one more copy of a story with other names and numbers",
    "agreement": "more than half of a second solver's solutions give the answer, where it was asked",
}
# What people wrote, counted over the 7,473 rows of pipeline.teachers.gsm8k.write_rows().
GSM8K_STEPS = {2: 1961, 3: 2149, 4: 1659, 5: 955, 6: 419, 7: 227, 8: 90, 9: 13}
GSM8K_WORDS = 45.1  # a problem, on average
OFF = "not run"
FOREIGN = "foreign"  # the recipe of pipeline.filter, which is for any data
# stage -> (section of the recipe, settings): with all of them off, the stage drops nothing
SWITCHES = {
    "ai_detection": ("limits", "assistant_residue"),
    "units": ("limits", "whole_units"),
    "child_safety": ("limits", "child_safe"),
    "personal_data": ("limits", "no_personal_data"),
    "reading_level": ("limits", "max_reading_grade", "min_reading_grade"),
    "exact_duplicate": ("corpus", "exact"),
    "fuzzy_duplicate": ("corpus", "fuzzy"),
    "seed_overlap": ("corpus", "seed_overlap"),
    "skeleton_cap": ("corpus", "skeleton_cap"),
}
NEEDS_TESTS = ("seed_overlap", "test_overlap")  # stages that a build without references skips


class Stage(NamedTuple):
    """Rows that came to a stage, were dropped there, and went on; `also`: rows dropped before that would fail here too."""

    name: str
    given: int
    dropped: int
    out: int
    also: int | None = None


def is_on(report: Mapping, stage: str) -> bool:
    """Whether a stage looked at rows at all, by the recipe in the report; True where that does not tell."""
    if stage in NEEDS_TESTS and "decontamination" in report and not was_compared(report):
        return False
    section, *settings = SWITCHES.get(stage, ("",))
    recipe = report.get("recipe")
    values = recipe.get(section, {}) if isinstance(recipe, Mapping) else {}
    return any(values.get(setting, True) not in (None, False) for setting in settings) or not settings


def looks_for(report: Mapping, stage: str) -> str:
    """What a stage lets pass, "not run" where it looked at no row, "" for a stage of no known name."""
    if not is_on(report, stage):
        return OFF
    recipe = report.get("recipe")
    grade = recipe.get("limits", {}).get("max_reading_grade") if isinstance(recipe, Mapping) else None
    said = STAGES.get(stage, "")
    return said.replace("a limit that is", f"grade {number(grade)}, a limit that is") if stage == "reading_level" and grade is not None else said


def was_compared(report: Mapping) -> bool:
    """Whether rows were compared with test sets."""
    return isinstance(report.get("decontamination", {}).get("tests"), list)


def stages_of(report: Mapping) -> list[Stage]:
    """The funnel in running order, from `stages`, or worked out from `dropped_by_stage`."""
    if "stages" in report:
        return [Stage(s["stage"], s["in"], s["dropped"], s["out"], s.get("also_would_fail")) for s in report["stages"]]
    drops = {stage: sum(reasons.values()) for stage, reasons in report.get("dropped_by_stage", {}).items()}
    left = list(accumulate(drops.values(), int.__sub__, initial=report["candidates"]))
    return [Stage(name, left[i], dropped, left[i + 1]) for i, (name, dropped) in enumerate(drops.items())]


def read_report(folder: Path) -> dict:
    """The report of the data set in `folder`. Raises ValueError with the fix where there is none."""
    path = folder / "report.json"
    if not path.exists():
        raise ValueError(f"{path} is missing: build the data set to its end (python -m pipeline.build)")
    report = read_json(path)
    if isinstance(report, dict) and {"plan", "problems", "usd"} <= report.keys():
        raise ValueError(
            f"{path} tells of rows that a teacher wrote and no filter has judged: make a data set of them first (python -m "
            f"pipeline.build --recipe pipeline/recipes/foreign.yaml --set sources.files={folder / 'raw.jsonl'} --out FOLDER)"
        )
    if not isinstance(report, dict) or not {"candidates", "clean", "dropped", "sha256"} <= report.keys():
        raise ValueError(f"{path} is not the report of a data set: name a folder that pipeline.build or pipeline.filter wrote")
    return report


def name_of(report: Mapping) -> str:
    """The name of the recipe; older reports have none. Data of others that no recipe names is called after its files."""
    recipe = report.get("recipe")
    name = recipe.get("name") if isinstance(recipe, Mapping) else recipe
    if "input" in report and name == FOREIGN:
        first, *more = (file["name"].split(".")[0] for file in report["input"]["files"])
        name = f"{first} and {len(more)} more" if more else first
    return " ".join(str(name or "Data set").split())


def key_figures(report: Mapping) -> list[tuple[str, str]]:
    """(what, figure) of the summary."""
    found = [
        ("candidates", f"{report['candidates']:,}"),
        ("clean rows", f"{report['clean']:,}"),
        ("dropped", f"{report['dropped']:,}"),
        ("kept", percent(report["clean"], report["candidates"])),
        *((f"rows for {split}", f"{count:,}") for split, count in splits_of(report).items() if "validation" in splits_of(report)),
    ]
    if steps := {int(n): count for n, count in report.get("steps", {}).items()}:
        found.append(("steps, on average", f"{sum(n * count for n, count in steps.items()) / sum(steps.values()):.1f}"))
    if "mean_words" in report:
        found.append(("words, on average", f"{report['mean_words']:.1f}"))
    return found


def splits_of(report: Mapping) -> dict[str, int]:
    """Rows of each split that the folder holds; older reports tell the rows to train on only."""
    validation = report.get("validation", {}).get("rows", 0)
    return {"train": report.get("train", report["clean"])} | ({"validation": validation} if validation else {})


def hashes_of(report: Mapping) -> dict[str, str]:
    """SHA-256 by file, and of the problem bank."""
    found = {"problem bank": report.get("bank_sha256"), "clean.jsonl": report.get("sha256")}
    found |= {name: file["sha256"] for name, file in report.get("files", {}).items()}
    found |= {f"{file['name']} (input)": file["sha256"] for file in report.get("inputs", ())}
    found |= {f"{file['name']} (input)": file["sha256"] for file in report.get("input", {}).get("files", ())}
    return {name: value for name, value in found.items() if value}


def input_line(found: Mapping) -> str:
    """What pipeline.filter read, as a sentence."""
    further = f" + {found['further_rows']:,} (further problems of conversations)" if found["further_rows"] else ""
    return f"{found['lines']:,} (lines){further} = {found['rows']:,} (candidates) + {found['unreadable']:,} (unreadable lines)"


def agreement_line(found: Mapping) -> str:
    """What pipeline.resolve did, as a sentence."""
    return (
        f"{found['engine']} solved {found['asked']:,} problems anew, {found['samples']} times each; "
        f"{found['not_asked']:,} were not asked. A row stayed when more than half of its solutions gave its answer."
    )


AUDIT_HEAD = ("filter", "labelled", "found", "false alarms", "precision", "recall")


def audit_line(found: Mapping) -> str:
    """What pipeline.audit measured, as a sentence, and how far it carries."""
    return (
        f"Each filter was asked about {found['labelled']:,} rows that were labelled by hand, at the default thresholds"
        + (f", test overlap at {found['test_grams']} words in a row" if "test_grams" in found else "")
        + " (python -m pipeline.audit). Recall is the share of its faults that it finds, precision the share of its finds that are faults. "
        "A row may have several faults: a find that is none by a filter's own name may still be rightly dropped, so the false alarms of the "
        "filters can add up to more than those of all together, which are good rows that were dropped and no others. "
        "The rules were tuned on such rows: on the first rows of a new author they find less (assets/labelled/README.md)."
    )


def audit_rows(report: Mapping) -> list[tuple[str, ...]]:
    """The cells below AUDIT_HEAD, for the stages that ran and for all together."""
    ran = {stage.name for stage in stages_of(report) if is_on(report, stage.name)} | {"all"}
    return [
        (words(stage), *(f"{found[key]:,}" for key in ("labelled", "found", "false_alarms")),
         *("" if found[key] is None else f"{found[key]:.3f}" for key in ("precision", "recall")))
        for stage, found in report["audit"]["filters"].items()
        if stage in ran
    ]  # fmt: skip


TWINS = ("exact_duplicate", "fuzzy_duplicate", "skeleton_cap")  # stages that drop a row for another that came before it


def clusters_line(report: Mapping) -> str:
    """How the clusters of near-duplicates and the funnel hang together, as a sentence; "" where the report has none."""
    sizes = {int(size): count for size, count in report.get("clusters", {}).items()}
    gone = {stage.name: stage.dropped for stage in stages_of(report) if stage.name in TWINS and stage.dropped}
    dropped = sum((size - 1) * count for size, count in sizes.items())
    if not dropped:
        return ""
    adds_up = " = " + " + ".join(f"{count:,} ({words(name)})" for name, count in gone.items()) if sum(gone.values()) == dropped else ""
    cap = report["recipe"]["corpus"].get("skeleton_cap") if isinstance(report.get("recipe"), Mapping) and "corpus" in report["recipe"] else None
    capped = f" Of rows that differ in names and numbers only, the first {cap} stay; the others are counted with the first." if cap and "skeleton_cap" in gone else ""
    return (
        f"{dropped:,} rows resembled a row before them and were dropped{adds_up}. With that row they make {sum(sizes.values()):,} "
        f"clusters, counted here by their size.{capped}"
    )


def kinds_of(report: Mapping) -> dict[str, int]:
    """Clean rows by the kind of their answer, which add up, and among them those below nought, called so."""
    kinds = report.get("answers", {}).get("kinds", {})
    return {"below nought, one of the above as well" if kind == "negative" else kind: count for kind, count in kinds.items()}


def sizes_of(report: Mapping) -> dict[str, int]:
    """Clean rows by the size of their answer without its sign; of whole numbers those under 1 are called 0."""
    answers = report.get("answers", {})
    whole = answers.get("kinds", {})
    only_whole = bool(whole) and not whole.get("decimal") and not whole.get("fraction")
    return {"0" if name == "under 1" and only_whole else name: count for name, count in answers.get("sizes", {}).items()}


def compared_lines(report: Mapping) -> list[str]:
    """What the rows were compared with and what not, a sentence each; of sets that are not at hand those of one reason together."""
    found = report["decontamination"]
    lines = [f"Compared with {found.get('test_problems', 0):,} problems of {listed(found['tests'])}" + ("; what was kept was counted again." if found.get("clean_rows_with_overlap") else ".")]
    if names := found.get("verbatim_only"):
        lines.append(f"Only an exact copy counts of {listed(names)}: rows may be other problems of the same families.")
    lines += [f"Not compared by itself: {name}, as its texts are parts of {other}." for name, other in found.get("within", {}).items()]
    missing: dict[str, list[str]] = {}
    for entry in found.get("not_compared", ()):
        name, _, reason = entry.partition(" (")
        reason = reason.removesuffix(")")
        reason = "no file of it was at hand" if reason.startswith("MATHTUTOR_DATA has no ") else reason
        reason = "it could not be loaded from the hub" if reason.endswith(" could not be loaded from the hub") else reason
        missing.setdefault(reason, []).append(name)
    lines += [f"Not compared{f', as {reason}' if reason else ''}: {listed(names)}." for reason, names in missing.items()]
    return lines


class Line(NamedTuple):
    """A measure of difficulty or variety, of this set and of GSM8K train ("" where it has none)."""

    measure: str
    here: str
    people: str = ""


def balance_of(report: Mapping) -> list[Line]:
    """Difficulty and variety in figures, each only where the report holds what it needs."""
    lines = []
    if report.get("steps"):
        here, people = ({int(n): count / sum(c.values()) for n, count in c.items()} for c in (report["steps"], GSM8K_STEPS))
        for name, value in (
            ("steps of a solution, on average", lambda shares: f"{sum(n * share for n, share in shares.items()):.1f}"),
            ("solutions of one step", lambda shares: percent(shares.get(1, 0), 1)),
            ("solutions of five steps or more", lambda shares: percent(sum(s for n, s in shares.items() if n >= 5), 1)),
        ):
            lines.append(Line(name, value(here), value(people)))
        apart = sum(abs(here.get(n, 0) - people.get(n, 0)) for n in here | people) / 2
        lines.append(Line("distance of the steps from GSM8K train (0%: the same shares)", percent(apart, 1)))
    if "mean_words" in report:
        lines.append(Line("words of a problem, on average", f"{report['mean_words']:.1f}", f"{GSM8K_WORDS}"))
    for key in ("topics", "grades", "operations"):
        if counts := report.get(key):
            whole, (most, count) = sum(counts.values()), max(counts.items(), key=lambda item: item[1])
            # exp of the entropy: how many classes of the same size would be as varied.
            equal = exp(-sum(n / whole * log(n / whole) for n in counts.values() if n))
            lines.append(Line(key, f"{len(counts)}"))
            lines.append(Line(f"{key} that would be as varied were all equally common", f"{equal:.1f}"))
            lines.append(Line(f"largest share of the {key}", f"{words(most)}, {percent(count, whole)}"))
    if "families" in report:
        lines.append(Line("families of the bank", number(report["families"])))
    return lines


# --- words and numbers


def words(name: object) -> str:
    """A name of the report as people write it: "ai_detection" -> "AI detection"."""
    return re.sub(r"\bai\b", "AI", str(name).replace("_", " "))


def listed(items: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def measure(name: str) -> str:
    """A measure of overlap: "8_gram_numbers_masked" -> "8 words in a row, numbers masked"."""
    size, gram, rest = name.partition("_gram")
    if not gram or not size.rpartition("_")[2].isdigit():
        return words(name)
    masked, _, size = size.rpartition("_")
    notes = [words(part) for part in (masked, rest.strip("_")) if part]
    return ", ".join([f"{size} words in a row", *notes])


def percent(part: float, whole: float) -> str:
    """ "12.3%", with "<" and ">" where rounding would say none or all."""
    value = round(100 * part / whole, 7) if whole else 0  # sums of shares are a hair off
    if value in (0, 100):
        return f"{value:.0f}%"
    return "<0.1%" if value < 0.1 else ">99.9%" if value > 99.9 else f"{value:.1f}%"


def number(value: object) -> str:
    """A figure with commas; text, yes, no and nothing as they are said."""
    if isinstance(value, bool) or value is None:
        return {True: "on", False: "off", None: "off"}[value]
    if isinstance(value, int) or isinstance(value, float) and value.is_integer() and abs(value) >= 1000:
        return f"{int(value):,}"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"
