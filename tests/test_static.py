"""Pocket in the browser without any server: the folder of `training.static`, opened as a student opens it.

Needs chromium on the PATH and the packages of browser/ (`npm ci --prefix browser`, which `make test` runs). Where one of
them is missing the module says so and is skipped; in CI it fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from fractions import Fraction
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from mathtutor.chat import conversation, split_reply
from mathtutor.engines import SHIPPED, Sampling, load_engine
from mathtutor.engines.calculator import due
from mathtutor.engines.cycles import goes_in_circles
from mathtutor.io import read_rows, sha256_file
from mathtutor.maths.answers import read_answer, read_typed
from mathtutor.maths.arithmetic import evaluate, show
from mathtutor.maths.checks import State, check_step
from mathtutor.maths.markup import as_printed
from mathtutor.maths.steps import parse_steps
from mathtutor.strings import ENGLISH as strings
from mathtutor.strings import strings_of
from mathtutor.tutoring import render
from mathtutor.tutoring.hints import sums_of
from mathtutor.tutoring.lesson import Lesson, Phase, feed
from mathtutor.tutoring.screen import screen
from tests.browser import PATIENCE, chromium, eventually, keeps, new_page, open_browser, serve_files
from training import static
from training.parity import Original, bank_problems
from ui.examples import EXAMPLES

ROOT = Path(__file__).resolve().parents[1]
HAS_PACKAGES = all((static.PAGE / "node_modules" / file).exists() for file in static.RUNTIME)
if os.environ.get("CI") != "true":
    if chromium() is None:
        pytest.skip("no chromium on the PATH: the page without a server was not tested", allow_module_level=True)
    if not HAS_PACKAGES:
        pytest.skip("`npm ci --prefix browser` has not run (is npm there?): the page without a server was not tested", allow_module_level=True)

CANARY = "Zebulon"
CARS = (
    "Omar has 18 toy cars. Lena has twice as many toy cars as Omar. Noah has 7 fewer toy cars than Lena. "
    "How many toy cars do they have altogether?"
)
LONG = f"{CANARY} has 1 pen. " + "He gets 2 more pens from a friend. " * 40 + "How many pens has he now?"
LIMIT = 0.3  # seconds from Stop to the end of all work
TYPED = list(read_rows(ROOT / "assets" / "typed" / "problems.jsonl"))


# --- the folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("static") / "page"
    static.write(static.POCKET, folder)
    return folder


def test_the_folder_is_whole_and_its_weights_are_small_and_the_shipped_ones(built):
    sizes = json.loads((built / "model" / "sizes.json").read_text())
    assert all((built / name).stat().st_size == size for name, size in sizes.items())
    assert sizes["model/model.onnx"] < static.MOST_WEIGHTS == 40_000_000
    card = (built / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n") and "\nsdk: static\n" in card and sha256_file(static.POCKET / "model.safetensors")[:16] in card
    assert not list(built.rglob("node_modules")) and not list(built.rglob("whole.onnx"))


def test_no_file_of_the_page_names_another_origin_or_a_store(built):
    for file in [*built.glob("*.js"), *built.glob("rules/*.js"), *built.glob("*.html"), *built.glob("*.css")]:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"https?://|localStorage|sessionStorage|indexedDB|document\.cookie|innerHTML|insertAdjacentHTML", text), file


def test_too_many_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(static, "MOST_WEIGHTS", 10_000_000)
    monkeypatch.setattr(static, "write_whole", lambda model, path: path.touch())
    monkeypatch.setattr(static, "in_16_bits", lambda whole, path: path.write_bytes(bytes(10_000_001)))
    with pytest.raises(SystemExit, match="takes 10.0 MB as weights of the page, more than 10 MB"):
        static.write(static.POCKET, tmp_path / "page")
    assert not list(tmp_path.iterdir())


def test_weights_that_16_bits_do_not_hold_are_refused(tiny_model_folder, tmp_path):
    with pytest.raises(SystemExit, match="has weights that 16 bits do not hold"):
        static.write(tiny_model_folder, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_missing_packages_are_named(tmp_path, monkeypatch):
    shutil.copy(static.PAGE / "package-lock.json", tmp_path)
    monkeypatch.setattr(static, "PAGE", tmp_path)
    with pytest.raises(SystemExit, match="onnxruntime-web .* is not installed: run `npm ci --prefix browser` first"):
        static.write(static.POCKET, tmp_path / "page")


# --- the page


class Site:
    """The folder on a server, one browser, and all that was asked for or went wrong.

    A worker's requests are seen by no hook of the page. So the server tells what it was asked for, and a proxy for every
    other address what was asked of that.
    """

    def __init__(self, url, browser, proxy, asked, abroad):
        self.url, self.browser = url, browser
        self.proxy = {"server": proxy, "bypass": "127.0.0.1"}
        self.asked: list[str] = asked
        self.abroad: list[str] = abroad
        self.errors: list[str] = []

    def open(self, url: str = "", wait: str = "#status.mt-done", before=lambda page: None, **options):
        page = new_page(self.browser, **({"viewport": {"width": 1280, "height": 900}, "proxy": self.proxy} | options))
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: (self.errors.append("a dialog: " + dialog.message), dialog.dismiss()))
        before(page)
        page.goto(url or self.url)
        page.wait_for_selector(wait)
        return page


@pytest.fixture(scope="module")
def site(built):
    asked, abroad = [], []
    with (
        serve_files(built, asked=asked.append) as url,
        serve_files(built, asked=lambda path: (abroad.append(path), 404)[1]) as proxy,
        open_browser() as browser,
    ):
        yield Site(url, browser, proxy, asked, abroad)


@pytest.fixture(scope="module")
def one(site):
    """A page that is opened once, for the tests that leave it as it was or ask anew."""
    page = site.open()
    yield page
    assert not site.errors
    page.close()


def solve(page, problem: str, watch: bool = True, wait: str | None = None) -> None:
    page.set_checked("#watch", watch)
    page.fill("#problem", problem)
    page.click("#solve")
    page.wait_for_selector(wait or ("#status:not(.mt-busy)"))


@pytest.fixture(scope="module")
def engine():
    return load_engine("pocket")


@pytest.fixture(scope="module")
def replies(engine):
    """(problem, the lesson that the Python engine gives) of 20 typed problems and 8 of the bank."""
    problems = [row["question"] for row in TYPED[::15]] + bank_problems(8)
    found = dict(engine.replies([conversation(problem) for problem in problems], Sampling(max_tokens=512)))
    return [(problem, Lesson(found[i].text, found[i].computed, found[i].num_tokens, found[i].finish)) for i, problem in enumerate(problems)]


def test_the_page_writes_what_the_python_engine_writes(one, replies):
    differ = []
    for problem, lesson in replies:
        solve(one, problem, wait=".mt-raw")
        if one.text_content(".mt-raw pre") != lesson.text:
            differ.append((problem, lesson.text, one.text_content(".mt-raw pre")))
            continue
        assert one.locator("#steps .mt-num").all_text_contents() == [f"Step {card.number}" for card in lesson.cards]
        badges = [f"{render.ICONS[card.check.state]} {strings.CHECK_WORDS[card.check.state]}" for card in lesson.cards]
        assert one.locator("#steps .mt-check").all_text_contents() == badges
        assert one.locator(".mt-computed").count() == sum(len(card.computed) for card in lesson.cards)
        shown = one.locator(".mt-answer-value").all_text_contents()
        assert shown == ([render.answer_text(lesson)] if lesson.phase is Phase.ANSWERED else [])
        if lesson.phase is Phase.ANSWERED:
            assert one.text_content(".mt-answer .mt-sums") == render.sums_line(lesson)
    assert len(differ) <= len(replies) // 10, differ
    # The weights are the same to the last bit, so only the order of sums can turn a reply: where two tokens are nearly alike.
    original = Original(SHIPPED["pocket"])
    encode = original.tokenizer.encode
    for problem, ours, theirs in differ:
        margin = original.margin(problem, encode(ours, add_special_tokens=False), encode(theirs, add_special_tokens=False))
        assert margin is not None and abs(margin) < 0.001, (problem, ours, theirs, margin)


# --- the rules, in two languages

EQUATIONS = """
5 * 2 = 10 | 5 apples * $2 = $10. | 12/60 * 50 = 10 | 60 / 3/4 = 80 | 200 - 15% = 170 | 100 - 40 = 60% | 15 / 90 * 100% = 16.67
2 / 3 = 0.67 | 10 / 3 = 3 R1 | 10 / 3 = 3 with 1 left over | 10 / 4 = 2 full boxes | 2468 / 2 = about 1200 | 50 cents * 4 = $2
1,200 * 3 = 3,600 | 1 200 + 1 = 1 201 | 3 - 8 = -5 | -5 + 3 = -2 | $5 - $8 = -$3 | 7 / 0 = 0 | 0 / 7 = 0 | 2½ + ½ = 3 | 2 1/2 * 2 = 5 | 1/3 + 1/6 = 1/2
2^3 = 8 | -2^2 = -4 | 2 ** 3 = 8 | 9^9^9 = 1 | 3(4) = 12 | 3x + 7 = 22 | x = 15 / 3 = 5 | 25% of 80 = 20 | half of 20 + 5 = 15 | 2 dozen + 5 = 29
2 hours + 30 minutes = 2.5 hours | 5 cm + 3 mm = 53 mm | 3 weeks = 3 * 7 days | 5 * 60 = 300 + 58 = 358 | (48 / 2 = 24) | <<48/2=24>>24
\\frac{1}{2} \\times 50 = 25 | **8 + 4 = 12** | 5 × 3 = 15 | 6 ÷ 2 = 3 | 8 − 3 = 5 | ٣ + ٤ = 7 | 10:30 + 2 = 12:30 | 100% - 30% = 70% | √16 + 2 = 6
5 * 3 = 16 | 12 + 9 = 20 | 7 / 2 = 3 | 0.1 + 0.2 = 0.3 | 1e3 * 2 = 2000 | 5.. + 1 = 6 | 16,0000 / 2 = 8 | Week 1 + Week 2 = 3 | 1/2 cup = 4 oz
"""
ANSWERS = """
The answer is not 18. | So it is 20, not 18. | The answer is 18? No, 20. | 18 apples - 3 apples | three times 18 | 20 - x = 18 | so x > 18. | 18 dollars and fifty cents. | The answer is 2.5  million. | at least 18 | 18, remainder 3 | 18 % 7 | <answer>20</answer> | [THINK]so 18 | #### Solution\\nTom has 18.\\nSo 20 apples. | it is - 18.
The answer is 5. | The answer is $1,234.50. | The answer is 3 1/2 cups. | The answer is -5. | The answer is minus three. | The answer is twenty-five.
The answer is 50%. | The answer is 1/0. | The answer is 3 hours and 20 minutes. | The answer is 5 or 6. | The answer is 5 * 3 = 15. | The answer is x.
\\boxed{\\frac12} | \\boxed{-\\frac1{2}} | \\boxed{\\frac123} | \\boxed{2\\pi} | \\boxed{2\\sqrt{3}} | \\boxed{5\\cdot 3} | \\boxed{1.5 \\times 10^{4}} | \\boxed{5!}
\\boxed{(1, 2)} | \\boxed{1,\\!234} | \\boxed{\\frac{\\pi}{2}} | \\boxed{x \\geq 3} | The answer is 3/4 of 20. | The answer is 20% of 50. | The answer is 20% of 50 = 10.
The answer is 3/4 of 20 = 15. | The answer is $2\\times 3$. | The answer is $1.5K. | The answer is 5! | The answer is x > 3. | <b>5</b> | so it is 10^2 | so 2x | so 20% of 50
The answer is $-\\frac{1}{2}$. | \\boxed{\\log_2 8} | \\boxed{6 \\div 3} | 2x | 5m | 1.5K | π/2 | 2 ± 3
\\boxed{x_1 = 3} | \\boxed{f(2) = 7} | The answer is f(2). | \\boxed{e^2} | \\boxed{12_{5}} | The answer is 5:3. | \\boxed{0.1\\overline{6}} | \\boxed{\\lfloor 2.5\\rfloor} | \\boxed{\\pm 5}
The answer is 5 and a half. | The answer is half of 20. | \\boxed{\\text{five}} | \\boxed{\\text{no solution}} | The answer is two and a half million. | The answer is nineteen eighty. | x + 5 | March 5
So it is 25 cm^2. | so x = - 5 | The answer is 3:30 pm. | The answer is ~~5~~ 6. | #### five | #### no solution | The answer is 5 apples and 6 pears. | \\boxed{\\frac{50}{3} \\approx 16.67} | ٣٫٥
#### 18.00 | The answer is 5.\\n#### 6 | **7** apples | so 12 remain | \\boxed{\\frac{3}{4}} | 2:30 | half past three | five | two and a half dozen | a | 1,23
"""
TYPED_PROBLEMS = """
| 5 | apples 5 | 12 + 5 | 5/0 | What is (3 + 4) ÷ 0? | I want to die. I have 3 apples and 2 pears, how many? | call me on 555-123-4567 now please, 3 | write me a poem about 3 cats
See the picture. How many apples are there? | Ana tiene 3 manzanas y compra 4 más. ¿Cuántas manzanas tiene? | Ana has <think> 3 apples and buys ４ more. How many? | \u202e3 + 4
Ana has 3 apples 🍎 and buys 4 more. How many has she? | My name is Ana and I have 3 apples and 4 pears, how many? | kms | He runs 5 kms and then 3 kms. How far is it?
quiero morir | Quiero morirme de risa con 3 amigos y 4 amigas | mi papá me pega y tengo 3 años | no quiero vivir en 2 casas de la ciudad
"""
CELLS = [cell.strip().replace("\\n", "\n") for table in (EQUATIONS, ANSWERS, TYPED_PROBLEMS) for line in table.strip("\n").split("\n") for cell in line.split("|")]
PIECES = [  # replies at their borders: tags that open, close, or are still being typed
    "", "<", "<thi", "<think>", "<think>\nStep 1: 2 + 3 =", "<think>\nStep 1: 2 + 3 = 5\n</thi", "<think>\na\n</think>\n\nThe answer is 5.", "no tags, 5",
    "a</think>b", "<think>a</think><think>b</think>c", "<think>a</think>b<|im_en", "so we have to find out " * 6, "1 more, 2 more, 3 more " * 12,
]  # fmt: skip

RULES = """
async (rows) => {
  const load = (name) => import(`/rules/${name}.js`);
  const [steps, checks, calculator, arithmetic, answers, screen, chat, cycles, lesson, markup] = await Promise.all(
    ["steps", "checks", "calculator", "arithmetic", "answers", "screen", "chat", "cycles", "lesson", "markup"].map(load));
  const exact = (value) => (value ? `${value.n}/${value.d}` : null);
  const read = {
    steps: ([text, finished]) => steps.parseSteps(text, finished).map((step) => {
      const found = checks.checkStep(step);
      const claims = found.claims.map(({ claim, state, left, right }) =>
        [claim.left, claim.right, claim.start, claim.end, claim.rounding, claim.remainder, claim.loose, state, exact(left), exact(right)]);
      return [step.number, step.text, step.done, found.state, claims, lesson.sumsOf(found).map((sum) => [sum.left, exact(sum.value)])];
    }),
    due: (text) => calculator.due(text),
    answer: (text) => { const found = answers.readAnswer(text); return [exact(found.value), found.rule, found.cutOff, found.text, found.refusal]; },
    typed: (text) => { const found = answers.readTyped(text); return [exact(found.value), found.rule, found.text, found.refusal]; },
    evaluate: (text) => { const found = arithmetic.evaluate(text); return [exact(found.value), found.refusal, found.value && arithmetic.show(found.value)]; },
    screen: (text) => { const found = screen.screen(text); return [found.problem, found.finding]; },
    split: (text) => { const found = chat.splitReply(text); return [found.reasoning, found.tail, found.opened, found.closed]; },
    circles: (text) => cycles.goesInCircles(text),
    printed: (text) => markup.asPrinted(text),
  };
  return rows.map(([rule, text]) => read[rule](text));
}
"""


def exact(value: Fraction | None) -> str | None:
    return None if value is None else f"{value.numerator}/{value.denominator}"


def steps_of(given) -> list:
    found = [check_step(step) for step in parse_steps(*given)]
    return [
        [
            check.step.number, check.step.text, check.step.done, check.state,
            [[c.claim.left, c.claim.right, c.claim.start, c.claim.end, c.claim.rounding, c.claim.remainder, c.claim.loose, c.state, exact(c.left),
              exact(c.right)] for c in check.claims],
            [[each.left, exact(each.value)] for each in sums_of(check)],
        ]
        for check in found
    ]  # fmt: skip


def answer_of(text: str) -> list:
    found = read_answer(text)
    return [exact(found.value), found.rule, found.cut_off, found.text, found.refusal]


def typed_of(text: str) -> list:
    found = read_typed(text)
    return [exact(found.value), found.rule, found.text, found.refusal]


def evaluated(text: str) -> list:
    found = evaluate(text)
    return [exact(found.value), found.refusal, None if found.value is None else show(found.value)]


def split_of(text: str) -> list:
    found = split_reply(text)
    return [found.reasoning, found.tail, found.opened, found.closed]


IN_PYTHON = {
    "steps": steps_of, "due": due, "answer": answer_of, "typed": typed_of, "evaluate": evaluated, "split": split_of, "circles": goes_in_circles,
    "printed": as_printed,
    "screen": lambda text: [screen(text).problem, screen(text).finding],
}  # fmt: skip


def rows_of_rules() -> list[tuple[str, object]]:
    """Every rule beside every text that it could meet: the tables above, Pocket's replies on record, and each beginning of some."""
    written = [row["reply"] for row in read_rows(ROOT / "evals" / "pocket-typed" / "results.jsonl")]
    rows: list[tuple[str, object]] = []
    for text in [*CELLS, *PIECES]:
        rows += [("steps", [text, True]), ("steps", [text, False]), ("answer", text), ("typed", text), ("screen", text), ("split", text), ("printed", text)]
        rows += [("evaluate", text), ("evaluate", text.partition("=")[0]), ("due", text), ("due", text.rpartition("=")[0] + "="), ("circles", text)]
    for text in written:
        rows += [("steps", [text, True]), ("answer", text), ("circles", text), ("printed", text)]
        rows += [("due", text[: match.end()]) for match in re.finditer(r"=[ $]*", text)]
    for text in written[:8]:
        rows += [row for end in range(len(text)) for row in (("split", text[:end]), ("steps", [split_reply(text[:end]).reasoning, False]))]
    return rows + [("screen", row["question"]) for row in TYPED]


def test_the_rules_of_the_page_are_those_of_the_tutor(one):
    rows = rows_of_rules()
    found = one.evaluate(RULES, rows)
    differ = [(rule, text, IN_PYTHON[rule](text), got) for (rule, text), got in zip(rows, found, strict=True) if IN_PYTHON[rule](text) != got]
    assert not differ, f"{len(differ)} of {len(rows)}, the first: {differ[0]}"
    assert len(rows) > 3000


CALCULATOR = [
    ("Step 1: The apples cost 5 * 2 =", "10"), ("They cost 5 * 2 = $", "10"), ("12/60 * 50 = ", "10"), ("1/2 + 1/4 =", "0.75"), ("10 / 3 =", None),
    ("200 - 15% =", "170"), ("25% of 80 =", "20"), ("100% - 30% =", None), ("$40 - $10 = $", "30"), ("1,200 * 3 =", "3600"), ("1 200 + 1 =", "1201"),
    ("3 - 8 =", "-5"), ("-5 + 3 =", "-2"), ("7 / 0 =", None), ("0.1 + 0.2 =", "0.3"), ("2½ + ½ =", "3"), ("5 × 3 =", "15"), ("3 * x =", None),
    ("2 dozen + 5 =", None), ("2 + 3 =\n", None), ("9^9^9 =", None), ("(2 + 3) * 4 =", "20"), ("2^10 =", "1024"), ("1 / 8 =", "0.125"),
]  # fmt: skip


def test_the_calculator_of_the_page_writes_what_python_s_writes(one):
    found = one.evaluate(RULES, [("due", text) for text, _ in CALCULATOR])
    assert found == [result for _, result in CALCULATOR] == [due(text) for text, _ in CALCULATOR]


def test_a_growing_reply_is_read_as_the_tutor_reads_it(one, engine):
    deltas = list(engine.stream(conversation(CARS), Sampling(max_tokens=512)))
    pieces = [{"text": d.text, "numTokens": d.num_tokens, "computed": d.computed, "finish": d.finish} for d in deltas]
    seen = one.evaluate(
        """async (pieces) => {
          const { Lesson, feed } = await import("/rules/lesson.js");
          let lesson = new Lesson();
          return pieces.map((piece) => { lesson = feed(lesson, piece); return [lesson.phase, lesson.growing, lesson.computed, lesson.numTokens,
            lesson.cards.map((card) => [card.number, card.text, card.computed]), lesson.firstWrong, lesson.answerMatchesLastStep]; });
        }""",
        pieces,
    )
    lesson = Lesson()
    for delta, got in zip(deltas, seen, strict=True):
        lesson = feed(lesson, delta)
        matches = lesson.verdict.answer_matches_last_step if lesson.answer else None
        cards = [[card.number, card.text, [list(span) for span in card.computed]] for card in lesson.cards]
        assert got == [lesson.phase, lesson.growing, [list(span) for span in lesson.computed], lesson.num_tokens, cards, lesson.first_wrong, matches]


def test_where_the_app_says_the_same_the_words_are_the_same(one):
    said = one.evaluate(
        """async () => {
          const [strings, lesson, screen] = await Promise.all(["strings", "rules/lesson", "rules/screen"].map((name) => import(`/${name}.js`)));
          return { phases: Object.fromEntries(Object.values(lesson).filter((name) => strings.ended(name)).map((name) => [name, strings.ended(name)])),
            findings: Object.fromEntries(Object.values(screen).filter((name) => strings.refusal(name)).map((name) => [name, strings.refusal(name)])),
            worry: [strings.words.WORRY_TITLE, ...strings.words.WORRY], checks: strings.CHECKS, examples: strings.EXAMPLES };
        }"""
    )
    assert said["phases"] == {name: words for name, words in strings.PHASES.items() if name != "used up"} | {"no answer": strings.STATIC_NO_ANSWER}
    assert said["findings"] == strings.FINDINGS | {"empty": strings.START_LEARN}
    assert said["worry"] == [strings.WORRY_TITLE, *strings.WORRY]
    assert said["checks"] == {state.value: [render.ICONS[state], strings.CHECK_WORDS[state], state.value] for state in State}
    assert said["examples"] == EXAMPLES


# --- hints before answers


def test_one_step_at_a_time_and_the_answer_last(one):
    solve(one, CARS, watch=False, wait="#next:not([disabled])")
    assert one.inner_text("#words") == "I have a way, in 3 steps. Try it yourself first; a step is one click away."
    assert one.is_disabled("#whole") and not one.locator("#steps li").count() and "83" not in one.inner_text("body")
    one.click("#next")
    assert re.match("(18 × 2|2 × 18) = ▢", one.inner_text(".mt-equation")) and "36" not in one.inner_text("#steps") and one.is_disabled("#whole")
    one.click("#next")
    assert "= 36" in one.locator("#steps .mt-step").all_inner_texts()[0]
    assert one.is_enabled("#whole") and not one.locator(".mt-equation").count() and "83" not in one.inner_text("body")
    one.focus("#next")
    for _ in range(4):
        one.keyboard.press("Enter")
    assert one.locator("#steps .mt-step").count() == 3 and one.is_disabled("#next") and not one.locator("#answer > *").count()
    assert one.evaluate("document.activeElement.id") == "whole"  # the focus is not lost with the button
    one.keyboard.press("Enter")
    assert one.text_content(".mt-answer-value") == "83" and one.is_disabled("#whole")


NUMBERS = [
    ("83", "right", "83: that is what I get too."),
    ("$83.00", "right", "83: that is what I get too."),
    ("eighty three cars", "right", "83: that is what I get too."),
    ("36", "part", "36 is what I find in step 1. There is more to do."),
    ("12", "other", "I get a different number from 12. Look at the story again, or take the next step."),
    ("5 or 6", "hint", strings.SAID_UNREADABLE),
    ("", "hint", strings.SAID_NOTHING),
]


def test_a_number_of_one_s_own_is_judged(one):
    solve(one, CARS, watch=False, wait="#next:not([disabled])")
    for typed, look, words in NUMBERS:
        one.fill("#typed", typed)
        one.press("#typed", "Enter")
        assert one.inner_text("#feedback").endswith(words) and one.locator(f"#feedback.mt-says-{look}").count() == 1
    assert one.is_enabled("#whole")  # after a try
    one.fill("#problem", "Another problem with 3 cats and 4 dogs. How many?")
    one.click("#next")
    assert "is not the one I worked on" in one.inner_text("#words") and not one.locator("#steps li").count()


def test_a_cry_for_help_in_the_box_for_an_answer_is_heard_and_not_echoed(one):
    solve(one, CARS, watch=False, wait="#next:not([disabled])")
    one.fill("#typed", "12")
    one.press("#typed", "Enter")
    one.click("#whole")
    answer = one.inner_text("#answer")
    for typed in ("5, and I want to kill myself", "quiero morir"):
        one.fill("#typed", typed)
        one.press("#typed", "Enter")
        assert strings.WORRY_TITLE in one.inner_text("#answer") and one.locator(".mt-worry").count() == 1 and one.is_hidden("#feedback")
        assert "kill" not in one.inner_text("#answer") and answer in one.inner_text("#answer")  # which stays
    one.fill("#typed", "call me on 555-123-4567")
    one.press("#typed", "Enter")
    assert one.inner_text("#feedback").endswith(strings.FINDINGS["personal"]) and not one.locator(".mt-worry").count()


# --- what is said, and when


REFUSED = {"empty": "", "too long": "Ana has 3 apples. " * 200, "too short": "apples 5", "no value": "5/0", "personal": "call me on 555-123-4567, I have 3 apples"}


@pytest.mark.parametrize("finding", REFUSED)
def test_what_may_not_go_to_the_model_is_answered_with_a_sentence(one, finding):
    solve(one, REFUSED[finding], wait="#status.mt-hint")
    words = strings.START_LEARN if finding == "empty" else strings.FINDINGS[finding]
    assert one.inner_text("#words") == one.inner_text("#spoken") == words and one.evaluate("document.activeElement.id") == "problem"


def test_worry_words_are_met_by_people_s_words_and_no_model(one):
    solve(one, "I want to die. I have 3 apples", wait=".mt-worry")
    assert strings.WORRY_TITLE in one.inner_text("#answer") and not one.locator("#steps li").count()


def test_a_reader_hears_whole_steps_and_no_clock(one):
    one.evaluate(
        """() => { window.heard = [];
          new MutationObserver(() => window.heard.push(document.getElementById("spoken").textContent)).observe(
            document.getElementById("spoken"), { childList: true, characterData: true, subtree: true }); }"""
    )
    solve(one, CARS, wait=".mt-answer")
    heard = [words for words in one.evaluate("window.heard") if words]
    assert heard[0] == strings.THINKING and heard[-1] == strings.PHASES[Phase.ANSWERED]
    assert set(heard[1:-1]) <= {f"Step {number} is ready." for number in (1, 2, 3)} and len(heard) == len(set(heard))


def test_stop_ends_all_work_at_once_and_keeps_what_is_there(one):
    def stopping() -> float:
        solve(one, LONG, wait="#stop:not([disabled])")
        assert eventually(lambda: one.locator("#steps li").count())
        return one.evaluate(
            """() => new Promise((done) => {
              const started = performance.now();
              const seen = new MutationObserver(() => document.querySelector("#status.mt-stopped") && done((performance.now() - started) / 1000));
              seen.observe(document.getElementById("status"), { attributes: true });
              document.getElementById("stop").focus();
              document.getElementById("stop").click();
            })"""
        )

    assert keeps(LIMIT, stopping)
    assert one.inner_text("#words") == strings.PHASES[Phase.STOPPED] and one.text_content(".mt-raw pre").startswith("<think>")
    assert one.is_enabled("#solve") and one.evaluate("document.activeElement.id") == "solve" and not one.locator(".mt-caret").count()
    before = one.text_content(".mt-raw pre")
    one.wait_for_timeout(500)
    assert one.text_content(".mt-raw pre") == before
    solve(one, CARS, wait=".mt-answer")  # the next one begins at once and is not mixed up with the last
    assert one.text_content(".mt-answer-value") == "83"


def test_what_is_typed_or_written_never_becomes_part_of_the_page(one):
    hostile = 'Ana pays $10 and then $12 <img src=x onerror=alert(1)> {{x}} <b>How much</b> does she pay? <think> <|im_end|>'
    solve(one, hostile, wait="#status:not(.mt-busy)")
    one.evaluate(
        """async () => {
          const [{ Lesson }, view] = await Promise.all([import("/rules/lesson.js"), import("/view.js")]);
          const nasty = "<img src=x onerror=alert(1)> <script>alert(1)</script> 2 + 2 = 5 </p></li><h1>out</h1>";
          const lesson = new Lesson(`<think>\\nStep 1: ${nasty}\\n</think>\\n\\nThe answer is 5.`, [], 9, "stop");
          document.getElementById("steps").replaceChildren(...lesson.cards.map(view.stepCard), view.growingLine(nasty, true));
          document.getElementById("answer").replaceChildren(view.answerCard(lesson), view.raw(lesson), view.notice(nasty, "warn"));
        }"""
    )
    assert not one.locator("img, script:not([src]), #steps h1, #answer h1").count()
    assert "<img src=x onerror=alert(1)> <script>alert(1)</script>" in one.inner_text("#steps .mt-body")
    assert "2 + 2 makes 4." in one.inner_text("#steps .mt-fix")


def test_nothing_leaves_the_origin_and_nothing_is_kept(site, one):
    solve(one, f"{CANARY} has 3 apples and buys 4 more. How many has he now?")
    solve(one, f"{CANARY} has 3 pears and buys 4 more. How many has he now?", watch=False)
    kept = one.evaluate(
        "async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, await indexedDB.databases(), await caches.keys(), location.href])"
    )
    assert CANARY not in kept and kept.startswith('[{},{},"",[],[],')
    assert {"/worker.js", "/model/model.onnx"} <= set(site.asked) and CANARY not in "".join(site.asked)
    assert not site.abroad
    assert one.evaluate("fetch('http://example.org/').then(() => 'went out', () => 'held back')") == "held back"  # by the page's own policy
    assert not site.abroad
    site.errors.clear()  # the browser tells of what was held back
    other = new_page(site.browser, proxy=site.proxy)
    other.goto("http://example.org/")
    assert site.abroad[0].startswith("http://example.org/")  # the proxy would have seen it
    site.abroad.clear()
    other.close()


# --- steps of one's own, and the other language

OWN = "Ana has 3 + 4 = 7 apples\n7 - 2 = 4\nso she is happy"


def own(page, text: str) -> None:
    page.fill("#own", text)
    page.click("#check-own")


def test_lines_of_one_s_own_have_their_sums_worked_out_and_the_first_wrong_one_is_asked_about(one):
    own(one, OWN)
    marks = [strings.CHECK_WORDS[State.OK], strings.MARKS["doubt"], strings.NO_SUM]
    assert [text.split(" ", 1)[1] for text in one.locator("#own-lines .mt-check").all_text_contents()] == marks
    assert one.inner_text("#own-words") == strings.CHECK_DOUBT.format(line=2)
    assert one.locator("#own-lines .mt-question").all_inner_texts() == [strings.QUESTIONS["calculation"].format(sum="7 - 2 = 4")]
    own(one, "7 - 2 = 5")
    assert one.inner_text("#own-words") == strings.STATIC_SUMS_CHECK and not one.locator("#own-lines .mt-question").count()
    own(one, "happy <img src=x onerror=alert(1)>")
    assert one.inner_text("#own-words") == strings.CHECK_NO_LINES and not one.locator("#own-lines *").count()
    own(one, "1 + 1 = 2\nI want to die")
    assert strings.WORRY_TITLE in one.inner_text("#own-lines") and not one.locator("#own-lines .mt-line").count()


@pytest.mark.parametrize(("query", "options"), [("?lang=es", {}), ("", {"locale": "es-MX"})])
def test_the_page_speaks_spanish_by_its_address_or_the_browser_and_calls_english_so(site, query, options):
    spanish = strings_of("es")
    page = site.open(site.url + "/" + query, **options)
    assert page.get_attribute("html", "lang") == "es" and spanish.IN_ENGLISH in page.inner_text("#in-english")
    assert page.inner_text("#solve") == spanish.HELP_ME and page.inner_text("#words") == spanish.START_LEARN
    solve(page, CARS, wait=".mt-answer")
    assert page.inner_text(".mt-answer-label").lower() == spanish.MY_ANSWER.lower() and page.locator("#steps .mt-body p[lang=en]").count() == 3
    own(page, OWN)
    assert page.inner_text("#own-words") == spanish.CHECK_DOUBT.format(line=2)
    solve(page, "quiero morir", wait=".mt-worry")
    assert spanish.WORRY[2] in page.inner_text("#answer")
    found = Axe().run(page).response["violations"]
    assert not found, [(rule["id"], node["html"][:160]) for rule in found for node in rule["nodes"]]
    assert page.inner_text("#languages [aria-current]") == spanish.LANGUAGE_NAME
    page.close()


# --- pages of their own


@pytest.mark.parametrize("missing", ["/model/model.onnx", "/model/tokenizer.json", "/runtime/ort.wasm.min.mjs", "/worker.js"])
def test_a_tutor_that_cannot_be_fetched_says_so(site, built, missing):
    with serve_files(built, asked=lambda path: 404 if path == missing else None) as url:
        page = site.open(url, wait="#status.mt-retry")
        assert "could not be fetched" in page.inner_text("#words") and page.is_disabled("#solve") and page.is_hidden("#loading")
        page.close()
    site.errors.clear()


def test_a_browser_without_webassembly_is_told_so(site):
    page = site.open(wait="#status.mt-retry", before=lambda page: page.add_init_script("delete globalThis.WebAssembly"))
    assert "it cannot run WebAssembly" in page.inner_text("#words") and page.is_disabled("#solve") and page.is_hidden("#loading")
    page.close()


def test_a_problem_may_be_sent_while_the_tutor_is_fetched(site, built):
    may_go = threading.Event()

    def hold(path: str) -> None:
        if path == "/model/model.onnx":
            may_go.wait(PATIENCE)

    with serve_files(built, asked=hold) as url:
        page = site.open(url, wait="#solve")
        page.check("#watch")
        page.fill("#problem", CARS)
        page.press("#problem", "Shift+Enter")
        assert page.is_visible("#loading") and page.is_enabled("#stop") and "being fetched" in page.inner_text("#words")
        page.click("#stop")
        assert page.is_enabled("#solve")
        page.click("#solve")
        may_go.set()
        page.wait_for_selector(".mt-answer")
        assert page.text_content(".mt-answer-value") == "83" and page.is_hidden("#loading")
        page.close()


def test_with_the_headers_of_isolation_threads_may_be_used(site, built):
    headers = dict(re.findall(r"^  (cross-origin-[a-z-]+): (\S+)$", static.SPACE, re.M))
    assert len(headers) == 3
    with serve_files(built, headers) as url:
        page = site.open(url)
        assert page.evaluate("crossOriginIsolated")
        expected = page.evaluate("Math.min(4, Math.ceil(navigator.hardwareConcurrency / 2))")
        assert int(page.get_attribute("html", "data-threads")) == expected
        solve(page, CARS, wait=".mt-answer")
        assert page.text_content(".mt-answer-value") == "83"
        page.close()


def test_without_them_one_thread_is_enough_and_360_pixels_are(site):
    page = site.open(viewport={"width": 360, "height": 740})
    assert page.get_attribute("html", "data-threads") == "1" and not page.evaluate("crossOriginIsolated")
    solve(page, CARS, wait=".mt-answer")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    small = page.evaluate("""() => [...document.querySelectorAll("button, summary, textarea, #watch + label")].filter((each) => each.checkVisibility())
      .filter((each) => each.getBoundingClientRect().height < 44).map((each) => each.outerHTML)""")
    assert not small
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(site, scheme):
    page = site.open(color_scheme=scheme, reduced_motion="reduce")

    def is_clean(state: str) -> None:
        page.wait_for_timeout(200)
        found = Axe().run(page).response["violations"]
        assert not found, f"{state}: " + "\n".join(f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"])

    is_clean("at rest")
    page.evaluate("() => { Worker.prototype.postMessage = () => {}; }")  # a run that does not end while it is looked at
    solve(page, CARS, wait="#status.mt-busy")
    is_clean("running")
    page.reload()
    page.wait_for_selector("#status.mt-done")
    solve(page, CARS, wait=".mt-answer")
    page.click(".mt-raw summary")
    is_clean("done")
    solve(page, CARS, watch=False, wait="#next:not([disabled])")
    page.click("#next")
    page.fill("#typed", "36")
    page.press("#typed", "Enter")
    own(page, OWN)
    is_clean("a blank and a number, and lines of one's own")
    solve(page, "I want to die", wait=".mt-worry")
    is_clean("worry words")
    solve(page, "5", wait="#status.mt-hint")
    is_clean("refused")
    page.close()
