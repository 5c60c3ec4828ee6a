"""The README says what the records say, and names only what is there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from mathtutor.io import hash_of_weights, read_json
from training.card import data_lines, of_weights, read_summaries, refill, results_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
POCKET = ROOT / "assets" / "models" / "pocket"


RESULTS = results_table(of_weights(read_summaries(ROOT / "evals"), POCKET))


@pytest.mark.skipif(not (POCKET / "tuned").exists(), reason="Pocket is not exported yet")
def test_there_are_results_and_a_data_report_of_a_model_that_is_there():
    """The tests below run over what is on record: nothing on record would pass them all."""
    assert of_weights(read_summaries(ROOT / "evals"), POCKET) and data_lines(POCKET)


def test_marked_lines_are_refilled_and_nothing_else():
    text = "a\n<!-- results -->\nold\nolder\n<!-- /results -->\nb"
    assert refill(text, {"results": ["new"]}) == "a\n<!-- results -->\nnew\n<!-- /results -->\nb"
    with pytest.raises(ValueError, match="has no lines <!-- funnel -->"):
        refill(text, {"funnel": ["new"]})
    assert refill(README, {"results": RESULTS, "funnel": data_lines(POCKET)}) == README


@pytest.mark.parametrize("line", RESULTS)
def test_every_result_is_the_one_on_record(line):
    assert line in README


@pytest.mark.parametrize("line", data_lines(POCKET))
def test_the_data_funnel_is_the_one_on_record(line):
    assert line in README


DATASET = read_json(ROOT / "assets" / "datasets" / "synth-50k.json")


@pytest.mark.parametrize("stage", DATASET["stages"], ids=lambda stage: stage["stage"])
def test_the_funnel_of_the_data_set_is_the_one_on_record(stage):
    assert f"| {stage['stage']} | {stage['in']:,} | {stage['dropped']:,} | {stage['out']:,} |" in README
    assert f"{DATASET['candidates']:,} candidates and keeps {DATASET['clean']:,} ({DATASET['train']:,} to train on" in README


def test_what_the_filters_cost_and_do_not_see_is_what_the_audit_counted():
    audit = read_json(ROOT / "assets" / "labelled" / "audit.json")
    gold, false = audit["gsm8k_train_in_all"], audit["out_of_sight"]
    eight = audit["gsm8k_train_overlap_at_test_grams"]["8"]
    cut, sentence, other = (false[way] for way in ("last step cut off", "false last sentence", "under the next row's problem"))
    told = [
        f"all together {gold['dropped']:,} of {gold['rows']:,}, {gold['dropped'] / gold['rows']:.1%}",
        f"with the 8 words of our own recipes the comparison alone drops {eight}, {eight / gold['rows']:.1%}",
        f"put under the next row's problem {other['pass']} pass",
        f"of {cut['told']} whose last step was cut off and whose answer was set to the result of the step before, {cut['pass']}.",
        f"behind a right 350) {sentence['pass']} pass",
    ]
    assert [words for words in told if words not in " ".join(README.split())] == []


@pytest.mark.parametrize(("run", "n"), [("bank", 966), ("gsm8k", 1319), ("svamp", 1000)])
def test_what_the_verifier_gains_is_on_record(run, n):
    found = read_json(ROOT / "evals" / f"pocket-{run}-5" / "rerank.json")
    assert found["scorer"] == "verifier" and found["majority"]["n"] == n
    assert f"{found['weighted']['accuracy']:.1%} against {found['majority']['accuracy']:.1%} ({n:,};" in README
    assert f"{found['any_right']['accuracy']:.1%}" in README


def of_right(part: dict) -> str:
    low, high = part["interval"]
    return f"{part['correct']:,} of {part['n']:,} right = {part['accuracy']:.1%} ({100 * low:.1f} to {100 * high:.1f})"


@pytest.mark.parametrize(
    ("run", "record", "words"),
    [
        ("typed", "verify", "typed problems, each fold by the threshold of the others,"),
        ("svamp", "rerank", "SVAMP"),
        ("bank", "rerank", "held-out families"),
        ("gsm8k", "rerank", "GSM8K test"),
    ],
)
def test_how_much_of_what_learn_gives_as_its_own_is_right_is_on_record(run, record, words):
    found = read_json(ROOT / "evals" / f"pocket-{run}-5" / f"{record}.json")
    assert f"{words} {of_right(found['chosen_on_other_folds'] if record == 'verify' else found['trust']['at_trusted'])}" in " ".join(README.split())


def test_how_often_the_first_wrong_line_is_found_is_on_record():
    folds, fitted, own = (read_json(ROOT / "evals" / f"locate-stepverify{name}" / "summary.json") for name in ("-folds", "", "-pocket"))
    (low, high), (own_low, own_high) = folds["exact_interval"], own["exact_interval"]
    told = [
        f"succeeds in {folds['exact_rate']:.1%} of {folds['n']} wrong solutions ({100 * low:.1f} to {100 * high:.1f}; `{folds['command']}`, gold solution at hand)",
        f"on the {fitted['n']} that its weights were fitted to it is {fitted['exact_rate']:.1%}",
        f"There, but with Pocket's own solution beside the work where it is right ({own['own_solutions']} of {own['n']}), "
        f"it is {own['exact_rate']:.1%} ({100 * own_low:.1f} to {100 * own_high:.1f}; `{own['command']}`).",
    ]
    assert [words for words in told if words not in " ".join(README.split())] == []


@pytest.mark.parametrize("size", ["10000", "83000", "300000", "1000000"])
def test_the_growth_of_the_filters_is_the_one_on_record(size):
    near, chain = (read_json(ROOT / "benchmarks" / "records" / f"{name}.json") for name in ("fuzzy-curve", "chain"))
    join, whole = near["teachers"][size]["join"], chain["local, 2 workers"].get(size)
    assert f"| {int(size):,} | {join['cpu_seconds']:.1f} s, {join['peak_megabytes']['after']:,} MB |" in README
    if whole:
        assert f"{whole['seconds']['all']['here'] + whole['seconds']['all']['workers']:.0f} s, {whole['peak_megabytes']:,} MB |" in README


def test_the_figures_of_the_page_without_a_server_are_those_on_record():
    record = read_json(ROOT / "benchmarks" / "records" / "static.json")
    size = {name: f"{count / 1e6:.1f} MB" for name, count in record["bytes"].items()}
    told = [
        f"`build/static`, {size['all']}", f"weights ({size['model/model.onnx']})", f"WebAssembly ({size['runtime/ort-wasm-simd-threaded.wasm']})",
        f"{record['replies that are the same text']} of {record['typed problems compared with Python']} typed problems",
        f"ready in {record['seconds until it is ready']} s", f"{record['tokens a second, median']} tokens a second", record["command"].split(" --out")[0],
        f"first step after {record['seconds to the first step, median']} s (at most {record['seconds to the first step, most']})",
    ]  # fmt: skip
    unfolded = " ".join(README.split())
    assert [words for words in told if words not in unfolded] == []


def test_an_export_on_record_is_of_the_shipped_weights_or_the_text_says_of_which():
    record = read_json(ROOT / "benchmarks" / "records" / "gguf-f32.json")
    weights, shipped = record["llama.cpp"]["revision"], hash_of_weights(POCKET / "tuned")
    assert record.get("weights", weights) == weights and "--model assets/models/pocket/tuned" in record["command"]
    told = f"[{record['llama.cpp']['same reply']:,} of {record['llama.cpp']['problems']:,} replies the same text](benchmarks/records/gguf-f32.json)"
    before, found, after = " ".join(README.split()).partition(told)
    assert found
    older = f"weights `{weights}`, which are no longer those that are shipped"
    assert (older in before[-200:]) is (weights != shipped)


def test_the_card_of_the_shipped_model_holds_the_same_results():
    card = (POCKET / "README.md").read_text(encoding="utf-8")
    assert all(line in card for line in RESULTS)


RUNS = [path for path in sorted((ROOT / "evals").glob("*/summary.json")) if "benchmark" in read_json(path)]


@pytest.mark.parametrize("summary", RUNS, ids=lambda p: p.parent.name)
def test_every_summary_was_measured_on_the_weights_that_are_shipped(summary):
    from mathtutor.io import sha256_file

    record = read_json(summary)
    weights = POCKET / {"pocket": "tuned", "pocket-base": "base"}[record["engine"]] / "model.safetensors"
    assert record["revision"] == sha256_file(weights)[:16]


@pytest.mark.skipif(not (POCKET / "tuned").exists(), reason="Pocket is not exported yet")
def test_pocket_solves_the_examples_that_the_page_offers_and_its_tries_agree():
    from mathtutor.chat import conversation
    from mathtutor.engines import Sampling, load_engine
    from mathtutor.maths.answers import read_answer
    from mathtutor.tutoring.tries import TEMPERATURE, K, Standing, tries_of
    from mathtutor.tutoring.verifier import chances_of
    from ui.examples import EXAMPLES

    engine, talks = load_engine("pocket"), [conversation(text) for text in EXAMPLES.values()]
    replies = dict(engine.replies(talks))
    found = {name: read_answer(replies[i].text).value for i, name in enumerate(EXAMPLES)}
    assert found == {"Toy cars": 54, "Bus": 34, "Pencils": 43, "Cookies": 6, "Sale": 30, "Secret number": 8}
    sampling = Sampling(max_tokens=320, temperature=TEMPERATURE)
    for talk, (name, answer) in zip(talks, found.items(), strict=True):
        replies = dict(engine.replies([talk] * K, sampling))
        ordered = [replies[i] for i in range(K)]
        tries = tries_of(ordered, K, chances_of(engine, sampling, EXAMPLES[name], ordered), EXAMPLES[name])
        assert (name, tries.agreement.answer, tries.agreement.is_enough) == (name, answer, True)
        assert (name, tries.standing) == (name, Standing.AGREED)


@pytest.mark.skipif(not (POCKET / "tuned").exists(), reason="Pocket is not exported yet")
def test_the_transcripts_are_what_pocket_says():
    from mathtutor.chat import conversation
    from mathtutor.engines import load_engine
    from mathtutor.maths.answers import read_answer

    shown = re.findall(r"^((?:> [^\n]*\n)+)\n```\n(<think>.*?)\n```", README, re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    problems = [re.sub(r"^> |\n> |\n", " ", quote).strip() for quote, _ in shown]
    right = re.findall(r'"((?:Maya|Solve 4x)[^"]*)"', README)
    asked = problems + [re.sub(r"\s+", " ", text) for text in right]
    replies = dict(load_engine("pocket").replies([conversation(text) for text in asked]))
    assert [replies[i].text for i in range(2)] == [reply for _, reply in shown]
    assert [read_answer(replies[i].text).value for i in (2, 3)] == [22, 8]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_linked_file_exists(target):
    assert (ROOT / target).exists()


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", README))))
def test_every_command_exists(module):
    assert importlib.util.find_spec(module) is not None


def test_the_makefile_has_every_target_that_is_named():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`(?:[A-Z_]+=\S+ )*make ([a-z-]+)", README)) <= targets


def test_the_bank_has_as_many_families_as_the_readme_says():
    from mathtutor.bank import load_bank

    assert re.search(rf"\b{len(load_bank())} hand-written families", README)


def test_the_space_header_pins_the_gradio_that_the_requirements_pin():
    pinned = re.search(r"^gradio\[mcp\]==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[1]
    assert f"sdk_version: {pinned}" in README


def test_the_weights_stay_within_their_budget():
    assert sum(file.stat().st_size for file in POCKET.rglob("*") if file.is_file()) < 64 * 2**20
