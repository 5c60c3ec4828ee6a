"""The page and the card say what the report says, to everybody, and nothing that the report does not say."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import fields
from html.parser import HTMLParser

import pytest
import yaml

from mathtutor.io import write_json
from mathtutor.problem import Row
from pipeline import card, report
from pipeline.card import FIELDS, LICENCES, SYNTHETIC, data_card, fenced, header_of, licence_of
from pipeline.figures import (
    GSM8K_STEPS,
    balance_of,
    clusters_line,
    is_on,
    measure,
    number,
    percent,
    stages_of,
    words,
)
from pipeline.report import SECTIONS, page, write_html
from tests.browser import chromium, open_browser


def row_of(name: str) -> dict:
    row = Row(name, f"Ana has 3 boxes with 4 pens ({name}). How many pens?", ("Ana has 3 * 4 = 12 pens.",), "12")
    return {"stage": "", "reason": "", "twin": "bank-0000007", **row.to_dict()}


REPORT = {
    "command": "python -m pipeline.build --recipe pipeline/recipes/synth-test.yaml",
    "bank_sha256": "b" * 64,
    "recipe": {
        "name": "synth-test",
        "seed": 0,
        "sources": {"bank": 90, "composed": 30, "gsm8k": True, "files": ""},
        "limits": {"max_words": 200, "max_answer": 1e9},
        "corpus": {"exact": True, "fuzzy": 0.85, "skeleton_cap": None},
    },
    "candidates": 120,
    "clean": 100,
    "dropped": 20,
    "dropped_by_stage": {
        "structure": {"control_token": 1},
        "math_verification": {"step_2_does_not_add_up": 3, "no_sum_to_check": 2},
        "fuzzy_duplicate": {"cosine_of_0.85_or_more": 10},
        "test_overlap": {"shares_a_8_gram_with_a_test_set": 4},
    },
    "stages": [
        {"stage": "structure", "in": 120, "dropped": 1, "out": 119, "also_would_fail": 0},
        {"stage": "math_verification", "in": 119, "dropped": 5, "out": 114, "also_would_fail": 1},
        {"stage": "fuzzy_duplicate", "in": 114, "dropped": 10, "out": 104, "also_would_fail": None},
        {"stage": "test_overlap", "in": 104, "dropped": 4, "out": 100, "also_would_fail": None},
    ],
    "sources": {"bank": 70, "composed": 25, "gsm8k-train": 5},
    "families": 41,
    "topics": {f"topic {n}": 20 - n for n in range(20)},
    "grades": {"2": 40, "3": 60},
    "steps": {"1": 20, "2": 50, "3": 25, "12": 5},
    "operations": {"+": 80, "-": 40, "*": 60, "/": 20},
    "answers": {"kinds": {"integer": 90, "decimal": 7, "fraction": 3, "negative": 2}, "sizes": {"under 1": 10, "1 to 9": 90}},
    "mean_words": 33.3,
    "lengths": {"20 to 29": 40, "30 to 39": 60},
    "clusters": {"2": 3, "3": 1, "14": 1, "250": 1},
    "decontamination": {
        "tests": ["gsm8k/test", "svamp/test"],
        "test_problems": 2319,
        "dropped_for_overlap": {"13_gram": 1, "8_gram": 3},
        "clean_rows_with_overlap": {"13_gram": 0, "8_gram": 0, "masked_10_gram": 6},
    },
    "samples": {
        "math_verification": {"step_2_does_not_add_up": [row_of("sample-wrong-step")]},
        "test_overlap": {"shares_a_8_gram_with_a_test_set": [row_of("sample-test-item")]},
    },
    "audit": {
        "labelled": 1139,
        "sha256": "a" * 64,
        "filters": {
            "math_verification": {"labelled": 55, "found": 54, "false_alarms": 2, "precision": 0.9643, "recall": 0.9818},
            "skeleton_cap": {"labelled": 28, "found": 28, "false_alarms": 0, "precision": 1.0, "recall": 1.0},  # which did not run
            "test_overlap": {"labelled": 0, "found": 0, "false_alarms": 0, "precision": None, "recall": None},
            "all": {"labelled": 1083, "found": 1082, "false_alarms": 2, "precision": 0.9982, "recall": 0.9991},
        },
    },
    "example": {name: value for name, value in row_of("bank-0000001").items() if name in FIELDS},
    "train": 98,
    "validation": {"rows": 2, "rule": "clusters of the clean rows"},
    "teachers": {
        "claude/raw.jsonl": {
            "plan": {"model": "claude-haiku-4-5"},
            "problems": {"asked": 10, "rows": 9},
            "tokens": {"billed": [12345, 6789]},
            "usd": {"billed": 1.5},
        },
        "mine/raw.jsonl": {
            "plan": {"model": "my-model"},
            "problems": {"asked": 10, "rows": 8},
            "tokens": {"billed": None},
            "usd": {"billed": None},
        },
    },
    "sha256": "c" * 64,
    "files": {"clean.jsonl": {"sha256": "c" * 64}, "validation.jsonl": {"sha256": "d" * 64}},
}
# What builds wrote before there were recipes.
OLD = {
    key: REPORT[key]
    for key in (
        "command", "bank_sha256", "candidates", "clean", "dropped", "dropped_by_stage", "sources", "families", "topics", "steps",
        "mean_words", "decontamination", "sha256",
    )
}  # fmt: skip
REPORTS = {"full": REPORT, "old": OLD}


class Page(HTMLParser):
    """What a reader of the page meets: elements, tables as lists of rows, text."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.headings: list[str] = []
        self._rows: list[list[str]] = []
        self._into = self._caption = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append("")
            self._into = "cell"
        elif tag in ("caption", "h2"):
            self._into = tag
            self.headings += [""] * (tag == "h2")

    def handle_endtag(self, tag):
        if tag == "table":
            assert self._caption not in self.tables, f"two tables are called {self._caption}"
            self.tables[self._caption] = self._rows
        if tag in ("th", "td", "caption", "h2"):
            self._into = ""

    def handle_data(self, data):
        if self._into == "cell":
            self._rows[-1][-1] += data
        elif self._into == "caption":
            self._caption += data
        elif self._into == "h2":
            self.headings[-1] += data


def card_tables(text: str) -> dict[str, list[list[str]]]:
    """The rows of the first table of each section, its head first."""
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    found = {}
    for title, body in sections.items():
        block = re.search(r"(?:^\|.*\n)+", body, re.M)
        lines = block[0].splitlines() if block else []
        found[title] = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| ---")]
    return found


# --- the page


def test_the_funnel_of_the_page_is_the_reports():
    head, *rows = Page(page(REPORT)).tables["Stages in order"]
    assert head == ["stage", "rows in", "dropped", "share", "fail too"]
    assert [row[1:] for row in rows] == [
        ["120", "1", "0.8%", "0"],
        ["119", "5", "4.2%", "1"],
        ["114", "10", "8.8%", ""],
        ["104", "4", "3.8%", ""],
    ]
    assert [row[0].startswith(words(s["stage"])) for row, s in zip(rows, REPORT["stages"], strict=True)] == [True] * 4


def test_without_stages_the_funnel_is_worked_out_from_the_reasons():
    stages = stages_of(OLD)
    assert [(s.name, s.given, s.dropped, s.out, s.also) for s in stages] == [
        (s["stage"], s["in"], s["dropped"], s["out"], None) for s in REPORT["stages"]
    ]


@pytest.mark.parametrize(
    "caption, rows",
    [
        ("Where the clean rows come from", [["bank", "70", "70.0%"], ["composed", "25", "25.0%"], ["gsm8k-train", "5", "5.0%"]]),
        ("Kinds", [["integer", "90", "90.0%"], ["decimal", "7", "7.0%"], ["fraction", "3", "3.0%"], ["below nought, one of the above as well", "2", "2.0%"]]),
        ("Operations in the steps", [["+ addition", "80", "40.0%"], ["- subtraction", "40", "20.0%"], ["* multiplication", "60", "30.0%"], ["/ division", "20", "10.0%"]]),
        ("Words a problem", [["20 to 29", "40", "40.0%"], ["30 to 39", "60", "60.0%"]]),
        ("Clusters of near-duplicates", [["2", "3", "50.0%"], ["3", "1", "16.7%"], ["10-19", "1", "16.7%"], ["100+", "1", "16.7%"]]),
        ("Rows that share text with a test set", [["13 words in a row", "1", "0"], ["8 words in a row", "3", "0"], ["10 words in a row, masked", "", "6"]]),
        ("Corpus", [["exact", "on"], ["fuzzy", "0.85"], ["skeleton cap", "off"]]),
        ("Limits", [["max words", "200"], ["max answer", "1,000,000,000"]]),
        ("Hashes", [["problem bank", "b" * 64], ["clean.jsonl", "c" * 64], ["validation.jsonl", "d" * 64]]),
    ],
)  # fmt: skip
def test_a_table_of_the_page_holds_the_figures_of_the_report(caption, rows):
    assert Page(page(REPORT)).tables[caption][1:] == rows


def test_no_count_of_steps_is_left_out_between_the_shortest_and_the_longest():
    rows = Page(page(REPORT)).tables["Steps of a solution"][1:]
    assert [row[0] for row in rows] == [str(n) for n in range(1, 13)]
    assert [row[1] for row in rows] == ["20", "50", "25", *["0"] * 8, "5"]


def test_a_long_table_is_folded_and_nothing_of_it_is_lost():
    tables = Page(page(REPORT)).tables
    assert [row[0] for part in ("Topics", "Topics: the rest") for row in tables[part][1:]] == list(REPORT["topics"])


@pytest.mark.parametrize(
    "lacking, title",
    [
        ("sources", "Sources"), ("steps", "Steps"), ("operations", "Operations"), ("answers", "Answers"), ("lengths", "Words a problem"),
        ("topics", "Topics"), ("grades", "Grades"), ("clusters", "Near-duplicates"), ("decontamination", "Decontamination"),
        ("samples", "Dropped rows"), ("audit", "Filters measured"), ("recipe", "Thresholds"),
    ],
)  # fmt: skip
def test_a_section_without_figures_is_left_out(lacking, title):
    full = Page(page(REPORT))
    assert full.headings == [title for title in SECTIONS if title not in ("Input", "Agreement")]
    for poorer in ({k: v for k, v in REPORT.items() if k != lacking}, REPORT | {lacking: {}}):
        found = Page(page(poorer))
        assert found.headings == [heading for heading in full.headings if heading != title]
        links = [a["href"] for tag, a in found.elements if tag == "a"]
        targets = {a["id"] for _, a in found.elements if "id" in a}
        assert {link.removeprefix("#") for link in links} <= targets


@pytest.mark.parametrize(
    "change, stage, runs",
    [
        ({}, "fuzzy_duplicate", True),
        ({}, "units", True),  # an older recipe, without the switch
        ({"corpus": {"fuzzy": None}}, "fuzzy_duplicate", False),
        ({"corpus": {"exact": False}}, "exact_duplicate", False),
        ({"corpus": {"skeleton_cap": 3}}, "skeleton_cap", True),
        ({"limits": {"child_safe": False}}, "child_safety", False),
        ({"limits": {"max_reading_grade": None, "min_reading_grade": 2}}, "reading_level", True),
        ({"limits": {"max_reading_grade": None, "min_reading_grade": None}}, "reading_level", False),
        ({}, "structure", True),
        ({}, "agreement", True),
    ],
)
def test_a_stage_that_the_recipe_switches_off_is_not_claimed(change, stage, runs):
    given = REPORT | {"recipe": REPORT["recipe"] | change, "stages": [{"stage": stage, "in": 120, "dropped": 20, "out": 100}]}
    assert is_on(given, stage) is runs
    assert ("not run" in Page(page(given)).tables["Stages in order"][1][0]) is not runs
    assert (card_tables(data_card(given))["What the filters dropped"][1][1] == "not run") is not runs
    assert f"what {int(runs)} filters left" in data_card(given)
    assert (f"Not run: {words(stage)}." in data_card(given)) is not runs


@pytest.mark.parametrize("stage", ["test_overlap", "seed_overlap"])
def test_without_test_sets_no_comparison_is_claimed(stage):
    assert is_on(REPORT, stage) and not is_on(REPORT | {"decontamination": {"tests": "not compared"}}, stage)


INPUT = {
    "files": [{"name": "theirs.jsonl.gz", "sha256": "f" * 64, "notes": ["a byte order mark", "2 blank lines"]}],
    "columns": {"problem=question, solution=long_answer": 120},
    "lines": 123,
    "rows": 120,
    "further_rows": 1,
    "turns_left_out": 0,
    "unreadable": 4,
    "unreadable_by_reason": {"not_json": 3, "no_answer": 1},
}


def test_what_was_read_of_others_is_told():
    given = REPORT | {"input": INPUT}
    sentence = "123 (lines) + 1 (further problems of conversations) = 120 (candidates) + 4 (unreadable lines)"
    assert sentence in page(given) and sentence in data_card(given)
    tables = Page(page(given)).tables
    assert tables["Files"][1:] == [["theirs.jsonl.gz", "a byte order mark; 2 blank lines"]]
    assert tables["Columns as they were read"][1:] == [["problem=question, solution=long_answer", "120"]]
    assert tables["Lines that are no rows"][1:] == [["not json", "3", "75.0%"], ["no answer", "1", "25.0%"]]
    assert ["theirs.jsonl.gz (input)", "f" * 64] in tables["Hashes"]
    assert "Lines that are no rows" not in Page(page(REPORT | {"input": INPUT | {"unreadable_by_reason": {}}})).tables


AGREEMENT = {
    "engine": "my_model",
    "samples": 3,
    "asked": 60,
    "not_asked": 40,
    "agreeing_samples": {"0": 6, "2": 24, "3": 30},
    "command": "python -m pipeline.resolve --data data/mine --engine my_model --samples 3",
}


def test_a_second_solver_is_told_with_what_it_was_not_asked():
    given = REPORT | {"agreement": AGREEMENT}
    assert "my_model solved 60 problems anew, 3 times each; 40 were not asked." in page(given)
    assert Page(page(given)).tables["Solutions that agree"][1:] == [["0", "6", "10.0%"], ["2", "24", "40.0%"], ["3", "30", "50.0%"]]
    assert r"my\_model solved 60 problems anew" in data_card(given) and "no second solver" not in data_card(given)
    assert f"{REPORT['command']}\n{AGREEMENT['command']}\n" in data_card(given)
    assert "no second solver was asked" in data_card(REPORT)


def test_a_report_of_an_older_build_gives_a_page_of_what_it_holds():
    found = Page(page(OLD))
    assert found.headings == ["Funnel", "Sources", "Steps", "Topics", "Balance", "Decontamination", "Make it again"]
    assert found.tables["Stages in order"][0] == ["stage", "rows in", "dropped", "share"]


def test_a_set_that_was_not_compared_says_so():
    alone = REPORT | {"decontamination": {"tests": "not compared", "test_problems": 0, "clean_rows_with_overlap": None}}
    assert "Not compared with any test set" in page(alone)
    assert "Not compared with any test set" in data_card(alone)
    assert "Not compared with any test set" not in page(REPORT) + data_card(REPORT)


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\u202e\x00\ud800"


def spoiled(value):
    """`value` with every text in it, keys as well, made hostile."""
    if isinstance(value, dict):
        return {
            (EVIL if k in ("bank", "integer", "topic 0", "no_sum_to_check", "not_json", "seed") else k): spoiled(v)
            for k, v in value.items()
        }
    if isinstance(value, list):
        return [spoiled(item) for item in value]
    return EVIL + value if isinstance(value, str) and not value.isdigit() else value


def test_text_of_strangers_never_becomes_part_of_the_page(tmp_path):
    theirs = REPORT | {"input": INPUT, "agreement": AGREEMENT}
    hostile = spoiled(theirs)
    write_html(hostile, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    harmless, found = (Counter(tag for tag, _ in Page(t).elements) for t in (page(theirs), text))
    # A stage that is not ours has no explanation, and a twin that is cut no more of it.
    assert found - harmless == Counter()
    assert not any(name.startswith("on") or name == "src" for _, attributes in Page(text).elements for name in attributes)
    assert "\u202e" not in text.partition("<main")[2].partition('id="dropped-rows"')[2].partition("</section>")[0]


def test_a_sample_of_a_megabyte_is_cut():
    long = row_of("long") | {"problem": "word " * 200_000, "steps": ["1 + 1 = 2"] * 5000}
    text = page(REPORT | {"samples": {"structure": {"problem_over_200_words": [long]}}})
    assert len(text) < 100_000
    assert "(1,000,000 characters)" in text


def test_the_page_needs_nothing_but_itself():
    text = page(REPORT)
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#hatch"}
    assert not re.search(r"<script|<link|<iframe|@import|https?:", text)
    assert all(a["href"].startswith("#") for tag, a in Page(text).elements if "href" in a)


def test_the_same_report_gives_the_same_bytes_read_back_or_not(tmp_path):
    in_memory = REPORT | {key: {int(n): c for n, c in REPORT[key].items()} for key in ("steps", "grades", "clusters")}
    assert page(in_memory) == page(json.loads(json.dumps(REPORT)))
    assert data_card(in_memory) == data_card(json.loads(json.dumps(REPORT)))


@pytest.mark.parametrize("name", REPORTS)
def test_every_picture_has_words_and_every_table_a_caption_and_headers(name):
    text = page(REPORTS[name])
    elements = Page(text).elements
    for tag, attributes in elements:
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or attributes.get("role") == "img" and attributes["aria-label"]
        if tag == "th":
            assert attributes.get("scope") in ("row", "col")
    count = Counter(tag for tag, _ in elements)
    assert count["table"] == count["caption"] == len(Page(text).tables) and count["h1"] == 1
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.skipif(
    chromium() is None and os.environ.get("CI") != "true", reason="no chromium on the PATH: the page was not looked at"
)
def test_axe_finds_nothing_and_nothing_sticks_out_of_a_phone(tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    write_html(REPORT, tmp_path / "report.html")
    with open_browser() as browser:
        for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light")):
            view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            asked = []
            view.on("request", lambda request, asked=asked: asked.append(request.url))
            view.goto((tmp_path / "report.html").as_uri())
            assert view.evaluate("document.documentElement.scrollWidth") <= width
            view.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert view.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(view).response["violations"]
            assert not found, [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found]
            assert len(asked) == 1, asked
            view.close()


# --- words and figures


@pytest.mark.parametrize(
    "part, whole, shown",
    [
        (0, 5, "0%"),
        (5, 5, "100%"),
        (1, 3, "33.3%"),
        (1, 100_000, "<0.1%"),
        (99_999, 100_000, ">99.9%"),
        (0, 0, "0%"),
        (0.1 + 0.2 + 0.7, 1, "100%"),
        (1e-17, 1, "0%"),
    ],
)
def test_a_share_never_rounds_to_none_or_all(part, whole, shown):
    assert percent(part, whole) == shown


@pytest.mark.parametrize(
    "value, shown",
    [(True, "on"), (False, "off"), (None, "off"), (3, "3"), (50_000, "50,000"), (1e9, "1,000,000,000"), (0.85, "0.85"), (2.0, "2"), ("", "none"), ("a", "a")],
)  # fmt: skip
def test_a_setting_is_said_as_people_say_it(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    "name, shown",
    [
        ("8_gram", "8 words in a row"),
        ("8_gram_numbers_masked", "8 words in a row, numbers masked"),
        ("masked_10_gram", "10 words in a row, masked"),
        ("masked_cosine_0.6", "masked cosine 0.6"),
        ("gram", "gram"),
    ],
)
def test_a_measure_of_overlap_is_said_in_words(name, shown):
    assert measure(name) == shown


def test_balance_is_told_beside_what_people_wrote():
    lines = {line.measure: line for line in balance_of(REPORT)}
    assert lines["steps of a solution, on average"][1:] == ("2.5", "3.6")  # (20 + 100 + 75 + 60) / 100
    assert lines["solutions of one step"][1:] == ("20.0%", "0%")
    assert lines["grades"].here == "2" and lines["grades that would be as varied were all equally common"].here == "2.0"
    same = {line.measure: line for line in balance_of({"steps": GSM8K_STEPS})}
    assert same["distance of the steps from GSM8K train (0%: the same shares)"].here == "0%"
    apart = {line.measure: line for line in balance_of({"steps": {"1": 7}})}
    assert apart["distance of the steps from GSM8K train (0%: the same shares)"].here == "100%"


# --- the card


AUDITED = [
    ["math verification", "55", "54", "2", "0.964", "0.982"], ["test overlap", "0", "0", "0", "", ""], ["all", "1,083", "1,082", "2", "0.998", "0.999"],
]  # fmt: skip


def test_the_page_names_the_precision_and_recall_of_the_filters_that_ran():
    found = Page(page(REPORT))
    assert found.tables["The filters measured"][1:] == AUDITED
    for text in (page(REPORT), data_card(REPORT)):
        assert "1,139 rows that were labelled by hand" in text and "on the first rows of a new author they find less" in text


def test_the_funnel_of_the_card_adds_up_to_the_report():
    head, *rows = card_tables(data_card(REPORT))["What the filters dropped"]
    assert head == ["stage", "what passes", "rows in", "dropped", "share"]
    assert [(row[0], row[2], row[3]) for row in rows] == [
        (words(s["stage"]), str(s["in"]), str(s["dropped"])) for s in REPORT["stages"]
    ]
    assert sum(int(row[3]) for row in rows) == REPORT["dropped"]
    assert "120 candidates = 100 clean + 20 dropped." in data_card(REPORT)


@pytest.mark.parametrize(
    "section, rows",
    [
        ("How it was made", [["problem bank", f"`{'b' * 64}`"], ["clean.jsonl", f"`{'c' * 64}`"], ["validation.jsonl", f"`{'d' * 64}`"]]),
        ("Test sets", [["13 words in a row", "1", "0"], ["8 words in a row", "3", "0"], ["10 words in a row, masked", "", "6"]]),
        ("How good the filters are", AUDITED),
        ("What it cost", [["claude/raw.jsonl", "claude-haiku-4-5", "9", "12,345", "6,789", "$1.50"], ["mine/raw.jsonl", "my-model", "8", "not told", "not told", "not told"]]),
    ],
)  # fmt: skip
def test_a_table_of_the_card_holds_the_figures_of_the_report(section, rows):
    assert card_tables(data_card(REPORT))[section][1:] == rows


def test_the_card_shows_a_row_and_what_a_model_sees_of_it():
    text = data_card(REPORT)
    block = re.search(r"```json\n(.*?)\n```", text, re.S)
    assert json.loads(block[1]) == REPORT["example"]
    assert "The answer is 12.<|im_end|>" in text
    assert "```json" not in data_card(OLD)


def test_the_card_names_every_field_of_a_row():
    assert list(FIELDS) == [field.name for field in fields(Row)]


@pytest.mark.parametrize(
    "sources, licence",
    [
        ({"bank": 1, "composed": 1}, "apache-2.0"),
        ({"bank": 1, "gsm8k-train": 1}, ["apache-2.0", "mit"]),
        ({"bank": 1, "anthropic": 1}, "unknown"),  # its terms are not ours to tell
        ({}, "unknown"),
    ],
)
def test_the_licence_is_that_of_the_sources(sources, licence):
    assert licence_of({"sources": sources}) == licence


def test_the_licence_of_every_source_of_ours_is_known():
    assert SYNTHETIC - LICENCES.keys() == set()
    assert licence_of({"sources": dict.fromkeys(["bank", "composed", "stories", "gsm8k-train", "gsm8k-rewritten"], 1)}) == ["apache-2.0", "mit"]


@pytest.mark.parametrize("source", ["bank", "composed", "gsm8k-train"])
def test_what_others_made_has_no_licence_of_ours_whatever_it_calls_itself(source):
    theirs = REPORT | {"sources": {source: 100}, "input": given("theirs.jsonl")}
    card = data_card(theirs)
    assert licence_of(theirs) == "unknown"
    assert "the terms of whoever wrote it hold" in card and "apache-2.0" not in card and "made by a program" not in card


def given(*names: str) -> dict:
    files = [{"name": name, "sha256": "e" * 64, "notes": []} for name in names]
    return {"files": files, "columns": {}, "lines": 120, "rows": 120, "further_rows": 0, "turns_left_out": 0,
            "unreadable": 0, "unreadable_by_reason": {}}  # fmt: skip


@pytest.mark.parametrize(
    "change, is_synthetic",
    [
        ({"sources": {"bank": 1}}, True),
        ({"sources": {"gsm8k-train": 9, "gsm8k-rewritten": 1}}, True),
        ({"sources": {"openai-compatible": 1}}, True),
        ({"sources": {"gsm8k-train": 1}}, False),  # people wrote it
        ({"sources": {"raw.jsonl": 1}}, False),  # nobody knows
        ({"sources": {"bank": 1}, "input": given("theirs.jsonl")}, False),  # it may call itself as it likes
        ({"sources": {}}, False),
    ],
)
def test_only_what_a_program_or_a_model_wrote_is_called_synthetic(change, is_synthetic):
    _, head, _ = data_card(REPORT | change).split("---\n", 2)
    assert ("synthetic" in yaml.safe_load(head)["tags"]) is is_synthetic


@pytest.mark.parametrize(
    "recipe, files, name",
    [
        ("foreign", ["theirs.jsonl.gz"], "theirs"),
        ("foreign", ["part-0.parquet", "part-1.parquet", "b.csv"], "part-0 and 2 more"),
        ("mine", ["theirs.jsonl"], "mine"),
    ],
)
def test_a_filtered_set_is_called_after_its_files_where_no_recipe_names_it(recipe, files, name):
    report = REPORT | {"recipe": {"name": recipe}, "input": given(*files)}
    assert f"\n# {name}\n" in data_card(report) and f"<h1>{name}</h1>" in page(report)


def test_one_row_is_told_in_the_singular():
    card = data_card(REPORT | {"clean": 1})
    assert "**1 row**" in card and "note = {1 row," in card and "1 rows" not in card


@pytest.mark.parametrize("text", [page, data_card])
def test_what_rows_were_not_compared_with_is_told(text):
    away = ["one (MATHTUTOR_DATA has no one/test.jsonl)", "two (on no hub)", "three (MATHTUTOR_DATA has no 3.xml)", "four (a/b could not be loaded from the hub)"]
    found = REPORT["decontamination"] | {"not_compared": [*away, "held-out families"], "verbatim_only": ["bank/known"], "within": {"part": "whole/test"}}
    mark = {page: "<li>", data_card: "\n- "}[text]
    told = text(REPORT | {"decontamination": found})
    for line in (
        "Compared with 2,319 problems of gsm8k/test and svamp/test; what was kept was counted again.",
        "Only an exact copy counts of bank/known: rows may be other problems of the same families.",
        "Not compared by itself: part, as its texts are parts of whole/test.",
        "Not compared, as no file of it was at hand: one and three.",
        "Not compared, as on no hub: two.",
        "Not compared, as it could not be loaded from the hub: four.",
        "Not compared: held-out families.",
    ):
        assert mark + line in told
    assert "MATHTUTOR" not in told and "Not compared" not in text(REPORT)


@pytest.mark.parametrize("text", [page, data_card])
def test_figures_that_would_not_add_up_say_why(text):
    assert "the false alarms of the filters can add up to more than those of all together" in text(REPORT)
    whole = REPORT | {"answers": {"kinds": {"integer": 100, "decimal": 0, "fraction": 0, "negative": 2}, "sizes": {"under 1": 10, "1 to 9": 90}}}
    if text is data_card:
        assert "- answers: integer 90.0%, decimal 7.0%, fraction 3.0% (2.0% of all are below nought), printed" in text(REPORT)
        assert "the smallest under 1, the largest 1 to 9" in text(REPORT) and "the smallest 0, the largest 1 to 9" in text(whole)
    else:
        sizes = [Page(text(given)).tables["Sizes"][1] for given in (REPORT, whole)]
        assert sizes == [["under 1", "10", "10.0%"], ["0", "10", "10.0%"]]


@pytest.mark.parametrize(
    "dropped, cap, sentence",
    [
        ({"exact_duplicate": 2, "fuzzy_duplicate": 7, "skeleton_cap": 1}, 3, "10 rows resembled a row before them and were dropped = 2 (exact duplicate) + 7 (fuzzy duplicate) + 1 (skeleton cap). With that row they make 4 clusters, counted here by their size. Of rows that differ in names and numbers only, the first 3 stay; the others are counted with the first."),
        ({"fuzzy_duplicate": 10}, 3, "10 rows resembled a row before them and were dropped = 10 (fuzzy duplicate). With that row they make 4 clusters, counted here by their size."),
        ({}, None, "10 rows resembled a row before them and were dropped. With that row they make 4 clusters, counted here by their size."),  # of an older build
    ],
)  # fmt: skip
def test_clusters_and_funnel_hang_together(dropped, cap, sentence):
    stages = [{"stage": stage, "in": 100, "dropped": count, "out": 100 - count} for stage, count in dropped.items()]
    report = {"clusters": {"2": 2, "3": 1, "7": 1}, "stages": stages, "recipe": {"corpus": {"skeleton_cap": cap}}}
    assert clusters_line(report) == sentence


@pytest.mark.parametrize("text", [page, data_card])
@pytest.mark.parametrize("limit, said", [(16, "grade 16, a limit that is the same for every row"), (None, "not run")])
def test_what_the_reading_level_asks_is_the_recipes(text, limit, said):
    limits = {"max_reading_grade": limit, "min_reading_grade": None}
    given = REPORT | {"recipe": REPORT["recipe"] | {"limits": limits}, "stages": [{"stage": "reading_level", "in": 120, "dropped": 20, "out": 100}]}
    assert said in text(given)


@pytest.mark.parametrize("text", [page, data_card])
def test_a_count_that_is_not_there_is_not_claimed(text):
    found = REPORT["decontamination"] | {"clean_rows_with_overlap": {}}
    assert "counted again" in text(REPORT)
    assert "counted again" not in text(REPORT | {"decontamination": found})


@pytest.mark.parametrize(
    "rows, category",
    [
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (50_000, "10K<n<100K"),
        (315_715, "100K<n<1M"),
        (2 * 10**6, "1M<n<10M"),
        (10**7, "10M<n<100M"),
    ],
)
def test_the_size_category_is_the_hubs(rows, category):
    assert header_of({"clean": rows})["size_categories"] == [category]


@pytest.mark.parametrize(
    "name, splits", [("full", {"train": "clean.jsonl", "validation": "validation.jsonl"}), ("old", {"train": "clean.jsonl"})]
)
def test_the_hub_reads_the_cards_head(name, splits):
    text = data_card(REPORTS[name])
    head = yaml.safe_load(text.split("---\n")[1])
    assert (
        text.startswith("---\n")
        and {"pretty_name", "license", "language", "task_categories", "size_categories", "tags"} <= head.keys()
    )
    assert {file["split"]: file["path"] for file in head["configs"][0]["data_files"]} == splits


def test_a_card_without_figures_has_no_empty_sections():
    bare = {"candidates": 3, "clean": 2, "dropped": 1, "sha256": "e" * 64}
    titles = re.findall(r"^## (.+)$", data_card(bare), re.M)
    assert titles == ["How it was made", "A row", "How to use it", "Known limits", "Citation"]
    assert "not compared" in data_card(bare).lower()
    assert page(bare).count("<h2") == 1  # the hashes


def test_no_text_breaks_out_of_the_card():
    name = "x\n---\n# Free | `money` <b>"
    text = data_card(REPORT | {"sources": {name: 100}, "recipe": {"name": name}, "command": "a\n```\n# out"})
    head, body = text.split("---\n", 2)[1:]
    assert yaml.safe_load(head)["pretty_name"] == "x --- # Free | `money` <b>"
    outside = re.sub(r"^(`{3,}).*?^\1$", "", body, flags=re.M | re.S)
    assert [line for line in outside.splitlines() if line.startswith("# ")] == [r"# x --- \# Free \| \`money\` \<b\>"]
    assert "# out" not in outside


def test_a_block_is_closed_by_its_own_fence_alone():
    assert fenced("a\n```\nb") == ["````", "a", "```", "b", "````"]


# --- the commands


@pytest.mark.parametrize("module, file", [(report, "report.html"), (card, "README.md")])
def test_a_command_writes_the_file_anew(tmp_path, capsys, module, file):
    write_json(tmp_path / "report.json", REPORT)
    module.main(["--data", str(tmp_path)])
    made = {"report.html": page, "README.md": data_card}[file](REPORT)
    assert (tmp_path / file).read_text(encoding="utf-8") == made
    assert capsys.readouterr().out.strip() == str(tmp_path / file)


@pytest.mark.parametrize("module", [report, card])
@pytest.mark.parametrize(
    "content, sentence",
    [(None, "is missing"), ("[]", "is not the report"), ("{", "is not JSON"), ('{"clean": 1}', "is not the report")],
)
def test_a_folder_without_a_report_is_refused(tmp_path, module, content, sentence):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(SystemExit, match=sentence):
        module.main(["--data", str(tmp_path)])
