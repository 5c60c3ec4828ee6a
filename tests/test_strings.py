"""The words of the page: every language whole, every word from the catalogue, every sentence in the language of who asks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter
from types import SimpleNamespace

import pytest

from mathtutor.bank.families import TOPICS
from mathtutor.maths.checks import State
from mathtutor.strings import ENGLISH, LANGUAGES, as_html, strings_of, unmarked
from mathtutor.tutoring.diagnosis import Kind, Mark, Verdict
from mathtutor.tutoring.hints import Rung
from mathtutor.tutoring.lesson import Phase
from mathtutor.tutoring.screen import MAX_CHARS, Finding
from training.static import words as written_words
from training.static import words_named
from ui import practice, votes
from ui.conformance import CRITERIA
from ui.examples import EXAMPLES
from ui.language import Page, language_of, plain_message, spoken, tell
from ui.records import ORDER

ROOT = Path(__file__).resolve().parents[1]
OTHERS = [language for language in LANGUAGES if language != "en"]
SPEAKING = [
    ROOT / "app.py",
    *sorted((ROOT / "ui").glob("*.py")),
    *(ROOT / "mathtutor" / "tutoring" / f"{name}.py" for name in ("render", "diagnosis")),
]


def leaves(words, path: tuple = ()) -> Iterator[tuple[tuple, str]]:
    """(path, text) of every text in a catalogue."""
    if isinstance(words, str):
        yield path, words
    else:
        for key, below in words.items() if isinstance(words, dict) else enumerate(words):
            yield from leaves(below, (*path, key))


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


# --- the catalogues -----------------------------------------------------------------------------------------

# Words that are the same in both languages, and why.
SAME = {
    "es": {
        ("TITLE",): "the name of the app",
        ("BENCHMARKS", "svamp"): "the name of a data set",
        ("BENCHMARKS", "gsm8k"): "the name of a data set",
        ("FIGURES",): "tokens are called so in Spanish",
    }
}
# Words of English that no Spanish sentence holds.
ENGLISH_WORDS = re.compile(
    r"\b(?:the|and|of|is|are|your|you|with|not|this|that|it|to|for|step|answer|problem|hint|try)\b",
    re.IGNORECASE,
)
# What stands in a Spanish text in English, said to be so or read by no one.
IN_ENGLISH = re.compile(r'<span lang="en">.*?</span>|<code>.*?</code>|\{\w+\}|`[^`]*`|\ue000.*?\ue001')


def test_there_is_english_and_one_more():
    assert {"en", "es"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_has_the_same_keys_and_placeholders_as_english(language):
    english, other = (dict(leaves(strings_of(each).words)) for each in ("en", language))
    assert list(other) == list(english)
    for path, text in english.items():
        assert placeholders(other[path]) == placeholders(text), path
        assert ("…" in other[path]) is ("…" in text), (
            path
        )  # what stands before it is spoken, the clock after it is not
        assert other[path] or not text, path


@pytest.mark.parametrize("language", OTHERS)
def test_no_english_is_left_in_it(language):
    english = dict(leaves(ENGLISH.words))
    same = {
        path
        for path, text in leaves(strings_of(language).words)
        if text == english[path] and re.search(r"[^\W\d_]{2}", re.sub(r"\{\w+\}", "", text))
    }
    assert same == set(SAME[language])
    for path, text in leaves(strings_of(language).words):
        if path not in SAME[language]:
            assert not ENGLISH_WORDS.search(IN_ENGLISH.sub("", text)), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_case_has_its_words(language):
    strings = strings_of(language)
    assert set(strings.FINDINGS) == set(Finding) - {Finding.OK, Finding.WORRY}
    assert set(strings.PHASES) == set(Phase) - {Phase.THINKING}
    assert set(strings.COMPARE_PHASES) == set(Phase) - {Phase.THINKING, Phase.ANSWERED}
    assert set(strings.CHECK_VERDICTS) == set(Verdict) - {Verdict.DOUBT}
    assert (
        set(strings.QUESTIONS) == set(Kind)
        and set(strings.MARKS) == set(Mark)
        and set(strings.CHECK_WORDS) == set(State)
    )
    assert set(strings.RUNGS) == set(strings.RUNG_WORDS) == set(Rung) and set(strings.RUNG_OF_STEP) == {
        Rung.SET_UP,
        Rung.WORKED,
    }
    assert (
        set(strings.TOPICS) == set(TOPICS)
        and set(strings.BENCHMARKS) == set(ORDER)
        and set(strings.EXAMPLE_NAMES) == set(EXAMPLES)
    )
    assert set(strings.VOTE_CHOICES) == {*votes.RIGHT, *votes.CLEARER} and {
        each.standing for each in CRITERIA
    } <= set(strings.STANDINGS)
    assert len(strings.PRACTICE_LEVELS) == len(practice.LEVELS) and len(strings.PRACTICE_HINTS) == len(
        practice.HINTS
    )
    # a comma between thousands is a decimal point to a child in Spain or Argentina: Spanish writes 2000
    assert str(MAX_CHARS) in strings.FINDINGS[Finding.TOO_LONG].replace(",", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_of_a_question_is_english_and_says_so(language):
    words = strings_of(language).FINDINGS[Finding.NO_QUESTION]
    asked = "How many are left?"
    assert f"“{asked}”" in unmarked(words)
    assert language == "en" or f'<span lang="en">{asked}</span>' in as_html(words)
    assert unmarked(written_words()) == written_words()  # of the page without a server, which knows no such signs


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_button_that_a_sentence_names_is_called_so(language):
    strings = strings_of(language)
    for words, button in (
        (strings.OTHER_PROBLEM, strings.HELP_ME), (strings.EMPTY_DESK, strings.HELP_ME), (strings.PHASES[Phase.NO_ANSWER], strings.AGAIN),
        (strings.COMPARE_VOTE, strings.VOTE), (strings.PRACTICE_START, strings.PRACTICE_NEW), (strings.STRONGER, strings.ABOUT_TAB),
        (strings.ABOUT, strings.CHECK_WORDS[State.OK]), (strings.ABOUT_CLASS, strings.WATCH),
    ):  # fmt: skip
        assert f"“{button}”" in words


# --- the code -----------------------------------------------------------------------------------------------


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_every_key_is_used_and_every_used_key_is_there():
    used = {
        node.attr
        for path in SPEAKING
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr.isupper() and ast.unparse(node.value).split(".")[-1].split("(")[0] in
        ("strings", "page", "ENGLISH", "strings_of", "spoken")
    } | {"AND"}  # of `Strings.listed`  # fmt: skip
    named = set(words_named())  # by the page without a server
    assert used | named == set(ENGLISH.words)
    assert not named - used or all(name.startswith("STATIC_") for name in named - used)


def speakers() -> dict[str, dict[str, int]]:
    """module -> its functions and methods that take `strings`, with the place of that argument."""
    found: dict[str, dict[str, int]] = {}
    for path in SPEAKING:
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                names = [each.arg for each in node.args.args if each.arg != "self"]
                if "strings" in names:
                    found.setdefault(module, {})[node.name] = names.index("strings")
    return found


def names_in(path: Path) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """What a file calls other modules' functions, name -> (module, function), and modules, name -> module."""
    functions, modules = {}, {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                functions[alias.asname or alias.name] = (node.module, alias.name)
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return functions, modules


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.stem)
def test_who_makes_a_sentence_is_told_the_language(path):
    """`strings` has a default for tests and programs; a page that forgot it would speak English to everybody."""
    known, (functions, modules) = speakers(), names_in(path)
    own = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            module, name = functions.get(node.func.id, (own, node.func.id))
        elif isinstance(node.func, ast.Attribute):
            module, name = modules.get(ast.unparse(node.func.value), ""), node.func.attr
        else:
            continue
        place = known.get(module, {}).get(name)
        if place is None:
            continue
        told = len(node.args) > place or any(each.arg in ("strings", None) for each in node.keywords)
        assert told or any(isinstance(each, ast.Starred) for each in node.args), (
            f"{path.name}:{node.lineno}: {ast.unparse(node)}"
        )


# Literals that look like words and are none that a reader of the page sees, by file, and why.
PROGRAMS = "read by programs and whoever writes them"
ALLOWED = {
    "app.py": {
        "PORT must be": "the terminal of whoever starts the app",
        "MATHTUTOR_HOST must be": "the terminal of whoever starts the app",
        "cannot be used; set PORT": "the terminal of whoever starts the app",
        "(Ctrl-C ends it)": "the terminal of whoever starts the app",
    },
    "__init__.py": {"False": "a setting of Gradio"},
    "practice.py": {"read the bank": "the name of a thread"},
    "diagnosis.py": {
        each: "a value; its words are in the catalogue"
        for each in ("not read", "right so far", "sums check", "sum out")
    },
    "gate.py": {"": "refusals of the door, in plain HTTP: the page shows its own sentence"},
    "conformance.py": {"": "a record of criteria and tests, in English; the page says so and marks it"},
    "examples.py": {"": "problems are English"},
    "records.py": {"": "names of files and fields"},
    "streams.py": {"": "logs, and errors that no page shows"},
    "api.py": {"": PROGRAMS},
    "theme.py": {"": "names of fonts and colours"},
    "language.py": {"": "the door of the page: no words of its own"},
    "votes.py": {
        "Left": "a value; its words are VOTE_CHOICES",
        "Right": "a value",
        "Both": "a value",
        "Neither": "a value",
        "No difference": "a value",
    },
    "items.py": {"GSM8K test": "the name of a data set", "SVAMP": "the name of a data set"},
}
OF_CODE = re.compile(r"=>|document\.|\bconst\b|mt-|^\W*[\w.-]+\W*$|^[#.\[]|^<!--", re.ASCII)
OF_A_TAG = re.compile(r"<[^<>]*>")
OF_AN_ATTRIBUTE = re.compile(r'\b(?:aria-label|title|alt|placeholder)="([^"]*)"')
WORD = re.compile(r"[^\W\d_]{2,}")


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every literal that is no docstring and goes into no log or error, with a space for each value."""
    quiet = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            quiet.add(node.value)
        if (
            isinstance(node, ast.Raise)
            or isinstance(node, ast.Call)
            and re.match(r"log\.|logging\.|re\.", ast.unparse(node.func))
        ):
            quiet.update(ast.walk(node))
        if isinstance(node, ast.JoinedStr):
            quiet.update(each for each in node.values if isinstance(each, ast.Constant))
    for node in ast.walk(tree(path)):
        if node in quiet:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(each.value if isinstance(each, ast.Constant) else " " for each in node.values),
            )


def visible(text: str) -> str:
    """What of a literal a reader would see: of HTML the words between its tags and in labels, of other text a sentence or a name."""
    if "<" in text and ">" in text:
        return " ".join(
            filter(WORD.search, [*OF_AN_ATTRIBUTE.findall(text), OF_A_TAG.sub(" ", text)])
        ).strip()
    if re.search(r"[^\W\d_]{2,}[,.:]? [^\W\d_]{2,}", text) and not OF_CODE.search(text):
        return text
    return text if re.fullmatch(r"[A-Z][a-z]+[.:!?]?", text) else ""


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.stem)
def test_no_word_of_the_page_stands_in_the_code(path):
    allowed = ALLOWED.get(path.name, {})
    found = [
        (line, text)
        for line, text in literals(path)
        if visible(text) and not any(known in text for known in allowed)
    ]
    assert found == []


def test_a_word_in_the_code_would_be_seen():
    assert (
        visible("Solve")
        and visible("Type your answer first.")
        and visible('<p class="mt-x">Hello</p>')
        and visible('<nav aria-label="Language">')
    )
    assert (
        not visible('<p class="mt-x"> </p>')
        and not visible("learn-solve")
        and not visible("#learn-status .mt-busy")
    )


# --- which language -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "es-ES,es;q=0.9,en;q=0.8", "es"),
        (None, "en-US,en;q=0.9,es;q=0.8", "en"),
        (None, "fr-FR,fr;q=0.9", "en"),
        (None, "fr,es;q=0.4,en;q=0.6", "en"),
        (None, "de, ES-mx;q=0.5", "es"),
        (None, "es;q=0, de", "en"),
        (None, "es;q=much", "en"),
        (None, ";;,,=q", "en"),
        ("es", "en", "es"),
        ("en", "es", "en"),
        ("xx", "es", "es"),
        ("../en", "", "en"),
    ],
)
def test_the_address_decides_and_then_the_browser(asked, accepted, language):
    assert language_of(asked, accepted) == language
    request = SimpleNamespace(
        query_params={"lang": asked} if asked else {}, headers={"accept-language": accepted}
    )
    assert spoken(request) is strings_of(language)


def test_a_program_without_a_request_is_spoken_to_in_english():
    assert spoken(None) is ENGLISH and spoken(SimpleNamespace(query_params={})) is ENGLISH


def test_the_served_page_says_its_language():
    from gradio.routes import STATIC_TEMPLATE_LIB

    served = (Path(STATIC_TEMPLATE_LIB) / "frontend" / "index.html").read_bytes()
    told = tell(served, "es").decode()
    assert re.match(r'<!doctype html>\s*<html\s+lang="es"', told) and 'lang="en"' not in told
    assert re.search(
        r'<head><script>Object.defineProperty\(navigator, "language", \{value: "es"\}\)</script>', told
    )


def test_a_text_of_the_page_is_kept_for_every_language():
    page = Page()
    sign = page(lambda strings: f"<p>{strings.STOP}</p>")
    assert (
        "mt_word_0" in sign and page.i18n.translations["es"]["mt_word_0"] == f"<p>{strings_of('es').STOP}</p>"
    )
    assert page.i18n.translations["en"] == {"mt_word_0": "<p>Stop</p>"}
    with pytest.raises(AttributeError):
        _ = page.NO_SUCH_WORD
    assert plain_message("it's {x}") == "it''s '{'x'}'"
    assert plain_message("<p>it's {x}</p>") == "<p>it&#39;s &#123;x&#125;</p>"


# --- English inside another language ------------------------------------------------------------------------


def test_english_in_a_sentence_says_that_it_is_english():
    spanish = strings_of("es")
    sentence = f"{spanish.PRACTICE_NOT_YET} {spanish.english('Did you <add>?')}"
    assert (
        as_html(sentence) == 'Todavía no. <span lang="en">Did you &lt;add&gt;?</span>'
        and unmarked(sentence) == "Todavía no. Did you <add>?"
    )
    assert (
        ENGLISH.english("Ana") == "Ana"
        and spanish.english("") == ""
        and (ENGLISH.of_english, spanish.of_english) == ("", ' lang="en"')
    )
    assert as_html("\ue001a\ue000<b>") == "a&lt;b&gt;"  # what somebody typed opens no element


@pytest.mark.parametrize(
    ("language", "count", "form"),
    [
        ("en", 1, "The sum checks."),
        ("en", 2, "Both sums check."),
        ("es", 1, "La cuenta sale bien."),
        ("es", 5, "Las {total} cuentas salen bien."),
    ],
)
def test_a_count_chooses_the_form(language, count, form):
    strings = strings_of(language)
    assert (
        strings.counted(strings.SUMS_ALL, count) == form
        and strings.listed(["3"]) == "3"
        and strings.listed([]) == ""
    )
    assert strings.listed(["3", "4", "12"]) == {"en": "3, 4 and 12", "es": "3, 4 y 12"}[language]
