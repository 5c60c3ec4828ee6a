"""Look at the problem bank and check it.

    python -m pipeline.bank check                      # every family, 300 instances each; exit 1 on a defect
    python -m pipeline.bank check --file assets/bank/time.yaml -n 1000
    python -m pipeline.bank sample --family ID -n 3    # what a family says
    python -m pipeline.bank check --stories            # every question of every story, 20 times each
    python -m pipeline.bank sample --story ID -n 3     # what a story says, each question
    python -m pipeline.bank compose --depth 4 -n 3     # problems composed from a random graph
    python -m pipeline.bank stats                      # families, topics, held out
    python -m pipeline.bank unsaid --family ID         # words that a hint says and a wording does not (to be read: see pipeline/unsaid.py)
    python -m pipeline.bank raw -n 230 --seed 3 --out raw.jsonl   # 230 problems of every family, unfiltered, for `pipeline.overlap`
    python -m pipeline.bank raw --source stories -n 50000 --seed 3 --out raw-stories.jsonl   # 50,000 rows of the stories, or composed ones
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
from mathtutor.bank.families import FOLDER, NUMBER, first_value, load_lexicon, read_files
from mathtutor.bank.stories import Story, Telling, load_stories
from mathtutor.chat import render_target
from mathtutor.io import write_rows
from mathtutor.maths.answers import read_answer
from mathtutor.maths.checks import State, verify
from mathtutor.tutoring.hints import as_fractions, numbers_in
from pipeline.alike import LIMIT, pairs_alike
from pipeline.reading import PARTS_OF_SOMEONE, UNSAFE, reading_grade
from pipeline.standards import is_code, misfit
from pipeline.teachers import composed
from pipeline.teachers import stories as stories_teacher
from pipeline.unsaid import Texts, unsaid

READING_MARGIN = 6.0  # grades that a family's language may lie above its grade: the formula is rough with short texts
# Each pattern is a slip that a reader would stumble over.
GRAMMAR = {
    "leftover markup": re.compile(r"[{}\[\]|@]|\bNone\b"),
    "a before a vowel": re.compile(r"\ba (?:[aeio]|hour|u(?!n[ia]|s[ei]|ti|ku))", re.I),
    "a before eight": re.compile(r"\ba (?:8\d*|11|18)\b(?![.,]\d)"),
    "an before a consonant": re.compile(r"\ban (?![aeiouAEIOUx8]|11|18|hour|honest|heir)[A-Za-z0-9]"),
    "one with a plural": re.compile(
        r"(?<![\d.,/$])\b(?:1|one) (?!of|is|less|was|has|plus|times|minus|hours? is|by)"
        r"(?:(?!bus\b|gas\b|glass\b|class\b|dress\b|address\b|chess\b)[a-z]{3,}s)\b(?! (?:of|than|is))",
        re.I,
    ),
    "a repeated word": re.compile(r"\b([a-z]+) \1\b(?<!that that)(?<!had had)", re.I),
    "a space before a mark": re.compile(r"\s[.,?!;](?!\d)"),
    "two marks": re.compile(r"[.?!,]{2,}"),
    "zero money": re.compile(r"\$0(?:\.00)?(?![.\d])"),
    "people counted with it": re.compile(r"\bit (?:is|was) \d+ (?:boys?|girls?|children|pupils?|students?|people|adults?|guests?)\b"),  # there are 3 boys
    "a comma after if and a day": re.compile(r"\bIf (?:on [A-Z][a-z]+day|in the [a-z]+), "),
    "every other, which may be every second": re.compile(r"\bevery other (?!day\b|week\b|month\b|year\b)", re.I),
    "equally much": re.compile(r"\bequally much\b", re.I),  # the same amount
    "among two": re.compile(r"\bamong (?:two|2) (?!or\b|and\b|to\b)", re.I),  # between
    "together said twice": re.compile(r"\btogether\b[^.?!,;:]*\btogether\b", re.I),
    "week number": re.compile(r"\b(?:day|week|month|year)s? number \d"),  # week 19
    "a comparison in the way": re.compile(r"\bmore [a-z -]+ than (?!at\b)[A-Z][a-z]+ (?:does|did|will|has) (?:[A-Z][a-z]+|she|he) "),  # more sums does A do than B
    "equally many": re.compile(r"\bequally many\b", re.IGNORECASE),  # the same number of
    "you need how many": re.compile(r"\byou need how (?:many|much|old|often|far|long)\b", re.IGNORECASE),  # you need the number of
    "a noun before the comparison": re.compile(  # 84 pillows more than that: 84 more pillows than that
        r"\d (?!dollars|[ck]?m\b|k?g\b|walk\b|kilo(?:gram|meter)?s?\b|cents|euros|degrees|percent|points of|\w*(?:meters|grams|liters|miles|inches|feet|yards|pounds|ounces|gallons|tons)\b|"
        r"(?:seconds|minutes|hours|days|nights|weeks|months|years|steps|pieces|parts|times)\b)[a-z]+ (?:more|fewer) than\b(?! (?:half|twice|an? |\w+ times))"
    ),
    "money counted in plural": re.compile(r"\bthere (?:are|were) \$\d"),
    "in this story": re.compile(r"\bin this (?:story|problem)\b", re.IGNORECASE),
    "a raised unknown": re.compile(r"(?:^|[.?!:] |[“\"(])[B-HJ-Z] ?[-+=*/×÷−]"),  # Y - 4 for y - 4
}
# No day has more hours than that, and no clock shows a later one.
LATEST = [
    (re.compile(rf"\b(\d+(?:\.\d+)?) {unit}\b"), limit)
    for unit, limit in [
        (r"hours? (?:a|per|each|every|in one) (?:day|night)", 24),
        (r"days? (?:a|per|each|every|in one) week", 7),
        (r"o'clock", 12),
    ]
]

QUOTED = re.compile(r"[\"“]([^\"”]+)[\"”]|\b[Tt]he word (\w+)")  # words that a hint tells a child to look for
PLACES = {"tens": 10, "hundreds": 100, "thousands": 1000}  # no digit stands there below this number
UNKNOWN = re.compile(r"(?<![A-Za-z'’])[b-hj-z](?![A-Za-z'’])")  # the letter of a number, not a word such as "a"
OTHER_SOURCES = {"composed": composed.write_rows, "stories": stories_teacher.write_rows}
NAMES = {person.name for person in load_lexicon()["person"]} - {"Mark"}  # a word too


def text_defects(texts: dict[str, str]) -> Iterator[str]:
    """What a reader would stumble over, in texts by the name of their place."""
    for where, text in texts.items():
        for name, pattern in GRAMMAR.items():
            if match := pattern.search(text):
                yield f"{where}: {name}: {text[max(0, match.start() - 20) : match.end() + 20]!r}"
        for pattern, limit in LATEST:
            for match in pattern.finditer(text):
                if float(match[1]) > limit:
                    yield f"{where}: more than {limit}: {match[0]!r}"
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
    secrets = {"the answer": instance.answer, "what the first step finds": first_value(instance.steps[0])}
    read = as_fractions if instance.as_fraction else str  # "3 / 4 = ▢" gives 3/4 away and not 0.75
    for where in ("asked", "understand", "plan"):
        yield from giveaways(where, read(getattr(instance, where)), secrets)
    if "▢" not in instance.set_up:
        yield f"set up: has no ▢ for the unknown value: {instance.set_up!r}"
    if "?" in instance.set_up:
        yield f"set up: shows a given number as unknown: {instance.set_up!r}"
    yield from giveaways("set up", read(instance.set_up), secrets)
    if re.search(r"\d", instance.plan):
        yield f"plan: contains a number: {instance.plan!r}"
    if instance.answer < 0 and not (instance.topic in ("weather", "equations") or "negative" in family.skill):
        yield f"answer: {instance.answer} is below zero"

    told = set(re.findall(r"\w+", instance.problem))
    letters = set(UNKNOWN.findall(instance.problem))
    for where, text in {**texts, "asked": instance.asked}.items():
        if strangers := (NAMES & set(re.findall(r"\w+", text))) - told:
            yield f"{where}: names {', '.join(strangers)}, whom the problem does not mention: {text!r}"
        if where != "problem" and (strangers := set(UNKNOWN.findall(text)) - letters):
            yield f"{where}: uses the letter {', '.join(strangers)}, which the problem does not: {text!r}"

        if where != "problem" and (missing := {word for pair in QUOTED.findall(text) if (word := max(pair)).lower() not in instance.problem.lower()}):
            yield f"{where}: quotes {', '.join(missing)}, which the problem does not say: {text!r}"

    yield from solution_defects(instance.steps, instance.answer, instance.shown_answer)
    largest = max((Fraction(number) for step in instance.steps for number in NUMBER.findall(step)), default=Fraction(0))
    for number, mistake in enumerate(instance.mistakes, 1):
        for place, least in PLACES.items():
            if largest < least and re.search(rf"\b{place}\b", mistake.says):
                yield f"mistake {number}: speaks of {place}, and no number reaches {least}: {mistake.says!r}"
        if mistake.value == instance.answer:
            yield f"mistake {mistake.kind} equals the answer"
        yield from giveaways(f"mistake {number}", read(mistake.says), {"the answer": instance.answer})


def giveaways(where: str, text: str, secrets: dict[str, Fraction | int | None]) -> Iterator[str]:
    """Which of the numbers a text gives away, in digits or in words."""
    said = {abs(value) for _, _, value in numbers_in(text)}
    for name, secret in secrets.items():
        if secret is not None and abs(secret) in said:
            yield f"{where}: gives {name} away, {secret}: {text!r}"


def check(families: dict[str, Family], count: int) -> int:
    """Print the defects of every family, at most four a family; returns the number of bad families."""
    num_bad = 0
    for family in families.values():
        found: Counter[str] = Counter()
        examples: dict[str, str] = {}
        problems, decimals = set(), False
        try:
            for index in range(count):
                instance = family.instantiate(seed=1, index=index)
                problems.add(instance.problem)
                decimals = decimals or any(re.search(r"\d\.\d", step) for step in instance.steps)
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
        elif reason := misfit(family.standard, len(family.steps), decimals):
            found["standard"] += 1
            examples["standard"] = reason
        for one, other, likeness in pairs_alike(family.sources):
            kind = f"wordings {one + 1} and {other + 1}"
            found[kind] += 1
            examples[kind] = f"{kind} are nearly the same ({likeness:.2f}, the limit is {LIMIT}): tell one in another order and structure"
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


def list_unsaid(texts: dict[str, Texts]) -> None:
    """Print, by family and wording, each sentence of its hints, steps and feedback with the words that the wording lacks."""
    lexicon, pairs = load_lexicon(), 0
    for family in texts.values():
        for wording, found in unsaid(family, lexicon):
            print(f"{family.id}, wording {wording + 1}: {family.wordings[wording]}")
            for (place, sentence), words in found.items():
                print(f"    {place}: {sentence} <{' '.join(words)}>")
            pairs += len(found)
    print(f"{len(texts)} families, {pairs} sentences beside a wording that lacks a word of theirs")


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
    parser.add_argument("command", choices=["check", "sample", "compose", "stats", "raw", "unsaid"])
    parser.add_argument("--file", help="one bank file instead of the whole bank")
    parser.add_argument("--family", help="one family's id")
    parser.add_argument("--stories", action="store_true", default=None, help="of `check`: the stories instead of the families")
    parser.add_argument("--story", help="of `sample`: one story's id")
    parser.add_argument("-n", type=int, help="instances a family (check: 300, sample: 1, raw: 1) or a question of a story (check: 20), or composed problems (3)")
    parser.add_argument("--seed", type=int, help="of `sample`, `compose` and `raw`; default: another each time")
    parser.add_argument("--source", choices=["bank", *OTHER_SOURCES], help="of `raw`: the families (default), or the teacher of composed problems or of stories, -n rows of it")
    parser.add_argument("--out", type=Path, help="of `raw`: the file of rows (JSON lines)")
    parser.add_argument("--depth", type=int, help="of `compose`: sums to the answer, 1 to 8 (default: 3)")
    args = parser.parse_args()
    unread = {
        "check": ("seed", "depth", "story", "source", "out", *(("family",) if args.stories else ())),
        "sample": ("depth", "stories", "source", "out", *(("family",) if args.story else ())),
        "compose": ("file", "family", "story", "stories", "source", "out"),
        "stats": ("n", "seed", "depth", "family", "story", "stories", "source", "out"),
        "raw": ("depth", "story", "stories", *(("file", "family") if args.source in OTHER_SOURCES else ())),
        "unsaid": ("n", "seed", "depth", "story", "stories", "source", "out"),
    }
    if given := [name for name in unread[args.command] if getattr(args, name) is not None]:
        command = f"raw --source {args.source}" if args.command == "raw" and args.source else args.command
        parser.error(f"{command} does not read {', '.join(('-' if name == 'n' else '--') + name for name in given)}")
    if args.command == "raw" and args.out is None:
        parser.error("raw needs --out FILE")
    if args.n is not None and args.n < 1:
        parser.error("-n must be at least 1")
    seed = random.SystemRandom().randrange(10**6) if args.seed is None else args.seed
    if args.source in OTHER_SOURCES:
        rows = OTHER_SOURCES[args.source](args.n or 1, seed)
        write_rows(args.out, tqdm(({"id": r.id, "source": r.source, "family": r.family, "problem": r.problem} for r in rows), total=args.n, unit="row", disable=None))
        return
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
        elif args.command == "unsaid":
            families = load_bank(args.file or FOLDER)  # a broken family is named here
            texts = read_files(args.file or FOLDER, Texts.of_fields)
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
    if args.command == "unsaid":
        list_unsaid({family: texts[family] for family in families})
        return
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
        splits = {split: [family for family in families if split_of(family) == split] for split in ("train", "validation", "held-out")}
        print(f"{len(families)} families, {sum(len(f.wordings) for f in families.values())} wordings, {len(topics)} topics")
        print(", ".join(f"{split} {len(ids)}" for split, ids in splits.items()))
        print("\n".join(f"  {topic:12} {number}" for topic, number in sorted(topics.items())))
        print(f"held out ({len(splits['held-out'])}): " + ", ".join(splits["held-out"]))


if __name__ == "__main__":
    main()
