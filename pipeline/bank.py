"""Look at the problem bank and check it.

    python -m pipeline.bank check                      # every family, 300 instances each; exit 1 on a defect
    python -m pipeline.bank check --file assets/bank/time.yaml -n 1000
    python -m pipeline.bank sample --family ID -n 3    # what a family says
    python -m pipeline.bank check --stories            # every question of every story, 20 times each
    python -m pipeline.bank sample --story ID -n 3     # what a story says, each question
    python -m pipeline.bank compose --depth 4 -n 3     # problems composed from a random graph
    python -m pipeline.bank stats                      # families, topics, held out
    python -m pipeline.bank raw -n 230 --seed 3 --out raw.jsonl   # 230 problems of every family, unfiltered, for `pipeline.overlap`
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from tqdm import tqdm

from mathtutor.bank import BankError, Family, Instance, load_bank, split_of
from mathtutor.bank.compose import compose
from mathtutor.bank.families import NUMBER, first_value, load_lexicon
from mathtutor.bank.stories import Story, Telling, load_stories
from mathtutor.chat import render_target
from mathtutor.io import write_rows
from mathtutor.maths.answers import read_answer
from mathtutor.maths.checks import State, verify
from pipeline.reading import PARTS_OF_SOMEONE, UNSAFE, reading_grade
from pipeline.standards import is_code

READING_MARGIN = 6.0  # grades that a family's language may lie above its grade: the formula is rough with short texts
# Each pattern is a slip that a reader would stumble over.
GRAMMAR = {
    "leftover markup": re.compile(r"[{}\[\]|@]|\bNone\b"),
    "a before a vowel": re.compile(r"\ba (?:[aeio]|hour|u(?!n[ia]|s[ei]|ti|ku))", re.I),
    "a before eight": re.compile(r"\ba (?:8\d*|11|18)\b(?![.,]\d)"),
    "an before a consonant": re.compile(r"\ban (?![aeiouAEIOUx8]|11|18|hour|honest|heir)[A-Za-z0-9]"),
    "one with a plural": re.compile(
        r"(?<![\d.,/$])\b(?:1|one) (?!of|is|less|was|has|plus|times|minus|hours? is|by)"
        r"(?:(?!bus\b|gas\b|glass\b|class\b|dress\b|address\b)[a-z]{3,}s)\b(?! (?:of|than|is))",
        re.I,
    ),
    "a repeated word": re.compile(r"\b([a-z]+) \1\b(?<!that that)(?<!had had)", re.I),
    "a space before a mark": re.compile(r"\s[.,?!;](?!\d)"),
    "two marks": re.compile(r"[.?!,]{2,}"),
    "zero money": re.compile(r"\$0(?:\.00)?(?![.\d])"),
}

NAMES = {person.name for person in load_lexicon()["person"]} - {"Mark"}  # a word too


def text_defects(texts: dict[str, str]) -> Iterator[str]:
    """What a reader would stumble over, in texts by the name of their place."""
    for where, text in texts.items():
        for name, pattern in GRAMMAR.items():
            if match := pattern.search(text):
                yield f"{where}: {name}: {text[max(0, match.start() - 20) : match.end() + 20]!r}"
        if match := UNSAFE.search(text):
            yield f"{where}: not for children: {match[0]!r}"
        if match := PARTS_OF_SOMEONE.search(text):
            yield f"{where}: a part of somebody: {match[0]!r}"
    if not re.search(r"[.?!)\"”]$", texts["problem"]):
        yield f"problem: no mark at the end: {texts['problem'][-30:]!r}"


def solution_defects(steps: tuple[str, ...], answer: Fraction, shown: str) -> Iterator[str]:
    """What is wrong with the sums of a solution, or with the way they are written."""
    reply = render_target(steps, shown)
    if read_answer(reply).value != answer:
        yield f"answer: reads back as {read_answer(reply).value}, not {answer}"
    verdict = verify(reply, gold=answer)
    for check in verdict.steps:
        if check.state is not State.OK:
            yield f"step {check.step.number}: {check.state.value}: {check.step.text!r}"
        elif re.search(r"\$|%|\d,\d{3}", check.step.text):
            yield f"step {check.step.number}: has $ , or %: {check.step.text!r}"
    if verdict.answer_matches_last_step is False:
        yield f"last step does not give the answer {shown}: {steps[-1]!r}"


def story_defects(telling: Telling) -> Iterator[str]:
    """Everything that is wrong with one telling of a story, each as a short sentence."""
    yield from text_defects({"problem": telling.problem} | {f"step {n}": step for n, step in enumerate(telling.steps, 1)})
    yield from solution_defects(telling.steps, telling.answer, telling.shown_answer)


def defects(family: Family, instance: Instance) -> Iterator[str]:
    """Everything that is wrong with one instance, each as a short sentence."""
    texts = {"problem": instance.problem, "understand": instance.understand, "plan": instance.plan}
    texts |= {f"step {n}": step for n, step in enumerate(instance.steps, 1)}
    texts |= {f"mistake {n}": mistake.says for n, mistake in enumerate(instance.mistakes, 1)}
    yield from text_defects(texts)
    if not any(ch.isdigit() for ch in instance.problem) and not re.search(r"\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|half)\b", instance.problem, re.I):
        yield "problem: has no number"
    if len(instance.problem.split()) > 110:
        yield f"problem: {len(instance.problem.split())} words is too long"
    for rung in ("understand", "plan"):
        if re.search(rf"(?<![\d.]){re.escape(instance.shown_answer)}(?![\d.]*\d)", getattr(instance, rung)):
            yield f"{rung}: gives the answer {instance.shown_answer} away"
    if "▢" not in instance.set_up:
        yield f"set up: has no ▢ for the unknown value: {instance.set_up!r}"
    if any(Fraction(n) in (instance.answer, first_value(instance.steps[0])) for n in NUMBER.findall(instance.set_up)):
        yield f"set up: gives a value away that it asks for: {instance.set_up!r}"
    if re.search(r"\d", instance.plan):
        yield f"plan: contains a number: {instance.plan!r}"
    if instance.answer < 0 and not (instance.topic in ("weather", "equations") or "negative" in family.skill):
        yield f"answer: {instance.answer} is below zero"

    told = set(re.findall(r"\w+", instance.problem))
    for where, text in {**texts, "asked": instance.asked}.items():
        if strangers := (NAMES & set(re.findall(r"\w+", text))) - told:
            yield f"{where}: names {', '.join(strangers)}, whom the problem does not mention: {text!r}"

    yield from solution_defects(instance.steps, instance.answer, instance.shown_answer)
    for mistake in instance.mistakes:
        if mistake.value == instance.answer:
            yield f"mistake {mistake.kind} equals the answer"


def check(families: dict[str, Family], count: int) -> int:
    """Print the defects of every family, at most four a family; returns the number of bad families."""
    num_bad = 0
    for family in families.values():
        found: Counter[str] = Counter()
        examples: dict[str, str] = {}
        problems = set()
        try:
            for index in range(count):
                instance = family.instantiate(seed=1, index=index)
                problems.add(instance.problem)
                for defect in defects(family, instance):
                    kind = ":".join(defect.split(":")[:2])
                    found[kind] += 1
                    examples.setdefault(kind, defect)
        except BankError as error:
            found["error"] += 1
            examples["error"] = str(error)
        if not is_code(family.standard):
            found["standard"] += 1
            examples["standard"] = f"{family.standard} is no Common Core code: see pipeline/standards.py"
        reading = sum(map(reading_grade, problems)) / max(1, len(problems))
        if reading > family.grade + READING_MARGIN:
            found["reading age"] += 1
            examples["reading age"] = f"reads like grade {reading:.1f}, {family.grade} is said: shorter sentences, or a higher grade"
        if len(problems) < count // 2:
            found["variety"] += 1
            examples["variety"] = f"only {len(problems)} different problems in {count}"
        if found:
            num_bad += 1
            print(f"{family.id}")
            for kind, number in found.most_common(4):
                print(f"    {number:4d} x {examples[kind]}")
    print(f"{len(families)} families x {count} instances: {num_bad} with defects")
    return num_bad


def check_stories(stories: dict[str, Story], count: int) -> int:
    """Print the defects of every story, at most four a question; returns the number of bad stories."""
    bad = set()
    for story in stories.values():
        for question in range(story.num_questions):
            found: dict[str, None] = {}
            try:
                for index in range(count):
                    found |= dict.fromkeys(story_defects(story.tell(1, index, question)))
            except BankError as error:
                found[str(error)] = None
            if found:
                bad.add(story.id)
                print(f"{story.id}, question {question + 1}")
                for defect in list(found)[:4]:
                    print(f"    {defect}")
    print(f"{len(stories)} stories, {sum(s.num_questions for s in stories.values())} questions x {count}: {len(bad)} stories with defects")
    return len(bad)


def show_telling(telling: Telling) -> None:
    """Print one question of a story as a teacher would read it."""
    print(f"\n[{telling.story}] question {telling.question + 1}\n  {telling.problem}")
    for number, step in enumerate(telling.steps, 1):
        print(f"    Step {number}: {step}")
    print(f"    The answer is {telling.shown_answer}.")


def show(instance: Instance, note: str = "") -> None:
    """Print an instance as a teacher would read it."""
    print(f"\n[{instance.family}] {instance.topic}, grade {instance.grade}, {instance.skill}{note}")
    print(f"  {instance.problem}")
    for number, step in enumerate(instance.steps, 1):
        print(f"    Step {number}: {step}")
    print(f"    The answer is {instance.shown_answer}. ({instance.unit}; asked: {instance.asked})")
    print(f"    understand: {instance.understand}\n    plan: {instance.plan}\n    set up: {instance.set_up}")
    for mistake in instance.mistakes:
        print(f"    if {mistake.value} ({mistake.kind}): {mistake.says}")


def raw_rows(families: dict[str, Family], count: int, seed: int) -> Iterator[dict[str, str]]:
    """`count` problems of every family of every split, held-out ones too, as no filter has seen them: one of each family in turn."""
    for index in range(count):
        for family in families.values():
            yield {
                "id": f"{family.id}-{index:06d}",
                "source": "bank",
                "family": family.id,
                "problem": family.instantiate(seed, index).problem,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["check", "sample", "compose", "stats", "raw"])
    parser.add_argument("--file", help="one bank file instead of the whole bank")
    parser.add_argument("--family", help="one family's id")
    parser.add_argument("--stories", action="store_true", default=None, help="of `check`: the stories instead of the families")
    parser.add_argument("--story", help="of `sample`: one story's id")
    parser.add_argument("-n", type=int, help="instances a family (check: 300, sample: 1, raw: 1) or a question of a story (check: 20), or composed problems (3)")
    parser.add_argument("--seed", type=int, help="of `sample`, `compose` and `raw`; default: another each time")
    parser.add_argument("--out", type=Path, help="of `raw`: the file of rows (JSON lines)")
    parser.add_argument("--depth", type=int, help="of `compose`: sums to the answer, 1 to 8 (default: 3)")
    args = parser.parse_args()
    unread = {
        "check": ("seed", "depth", "story", "out", *(("family",) if args.stories else ())),
        "sample": ("depth", "stories", "out", *(("family",) if args.story else ())),
        "compose": ("file", "family", "story", "stories", "out"),
        "stats": ("n", "seed", "depth", "family", "story", "stories", "out"),
        "raw": ("depth", "story", "stories"),
    }
    if given := [name for name in unread[args.command] if getattr(args, name) is not None]:
        parser.error(f"{args.command} does not read {', '.join(('-' if name == 'n' else '--') + name for name in given)}")
    if args.command == "raw" and args.out is None:
        parser.error("raw needs --out FILE")
    if args.n is not None and args.n < 1:
        parser.error("-n must be at least 1")
    seed = random.SystemRandom().randrange(10**6) if args.seed is None else args.seed
    if args.command == "compose":
        try:
            for index in range(args.n or 3):
                show(compose(seed, index, 3 if args.depth is None else args.depth))
        except ValueError as error:
            sys.exit(str(error))
        return
    try:
        if args.stories or args.story:
            stories = load_stories(args.file) if args.file else load_stories()
        else:
            families = load_bank(args.file) if args.file else load_bank()
    except (BankError, OSError) as error:
        sys.exit(str(error))
    if args.stories:
        sys.exit(1 if check_stories(stories, args.n or 20) else 0)
    if args.story:
        if args.story not in stories:
            sys.exit(f"no story {args.story!r} in {args.file or 'assets/bank/stories'}")
        story = stories[args.story]
        for index in range((args.n or 1) * story.num_questions):
            show_telling(story.tell(seed, index // story.num_questions, index % story.num_questions))
        return
    if args.family:
        if args.family not in families:
            sys.exit(f"no family {args.family!r}; `python -m pipeline.bank stats` lists them")
        families = {args.family: families[args.family]}
    if args.command == "raw":
        rows = raw_rows(dict(sorted(families.items())), args.n or 1, seed)
        write_rows(args.out, tqdm(rows, total=len(families) * (args.n or 1), unit="row", disable=None))
        return
    if args.command == "check":
        sys.exit(1 if check(families, args.n or 300) else 0)
    if args.command == "sample":
        for family in families.values():
            for index in range(args.n or 1):
                show(family.instantiate(seed, index), f", {split_of(family.id)}")
    else:
        topics = Counter(family.topic for family in families.values())
        held_out = [family.id for family in families.values() if split_of(family.id) == "held-out"]
        print(f"{len(families)} families, {sum(len(f.wordings) for f in families.values())} wordings, {len(topics)} topics")
        print("\n".join(f"  {topic:12} {number}" for topic, number in sorted(topics.items())))
        print(f"held out ({len(held_out)}): " + ", ".join(held_out))


if __name__ == "__main__":
    main()
