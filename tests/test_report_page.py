"""The report of evaluations: failures first, figures from the rows, one file that fetches nothing and trusts no text."""

from __future__ import annotations

import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

import eval.report
from eval.benchmarks import NOT_PINNED
from eval.charts import esc
from eval.compare import compare
from eval.intervals import rate, wilson
from eval.records import hash_of_reply, load_run, run_hash
from eval.report_data import collect, decoding_of, label
from eval.report_html import percent
from eval.report_hub import model_index
from eval.report_page import SECTIONS, page
from eval.report_text import cell, fence, markdown
from eval.verdicts import verdict_of
from eval.visible import mark
from mathtutor.io import read_json, read_rows, write_json, write_rows
from mathtutor.maths.answers import read_gold
from tests.browser import chromium, open_browser
from tests.test_proofs import command, running, server, write_proofs  # noqa: F401  fixtures

ROOT = Path(__file__).resolve().parents[1]
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202e``` | $x$ &lt;"
SAMPLING = {"max_tokens": 320, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "seed": 0, "calculator": True}


def row(id: str, answer: str | None, gold: str = "5", sample: int = 0, **changes) -> dict:
    right = answer == gold
    reply = f"<think>\nStep 1: 2 + 3 = {'6' if changes.get('first_wrong_step') else '5'}\n</think>\n\nThe answer is {answer}."
    whole = {
        "id": id, "sample": sample, "question": f"Question {id}", "prompt": f"<|im_start|>user\nQuestion {id}<|im_end|>\n", "reply": reply, "answer": answer,
        "rule": "answer is", "gold": gold, "correct": right, "correct_strict": False, "cut_off": False, "finish": "stop", "first_wrong_step": None,
        "wrong_sums": 0, "steps": 1, "tokens": 20, "seconds": 0.1, "meta": {"steps": 1, "topic": "sums"},
    } | changes  # fmt: skip
    return whole | verdict_of(whole["reply"], read_gold(whole["gold"]), whole["finish"], "number") | {"correct_strict": False}


def write_run(folder: Path, rows: list[dict], readings: dict[str, bool | None] | None = None, **stamp) -> Path:
    full = {"engine": "pocket", "revision": "abc", "benchmark": "svamp", "problems": "0" * 64, "samples": 1, "mode": {"name": "tuned", "user": "{question}"}, "sampling": SAMPLING} | stamp
    write_json(folder / "run.json", full)
    rows = [{"run": run_hash(full)} | one for one in rows]
    write_rows(folder / "results.jsonl", rows)
    if readings is not None:
        by_id = {one["id"]: one for one in rows}
        write_rows(folder / "readings.jsonl", [
            {"id": id, "sample": 0, "reply": hash_of_reply(by_id[id]["reply"]), "robust": by_id[id]["correct"], "strict": False, "math_verify": says}
            for id, says in readings.items()
        ])  # fmt: skip
    n = len({one["id"] for one in rows})
    correct = sum(one["correct"] for one in rows if one["sample"] == 0)
    write_json(folder / "summary.json", {"n": n, "correct": correct, "accuracy": correct / n, "command": f"python -m eval.run --out {folder.name}"})
    return folder


@pytest.fixture
def runs(tmp_path) -> list[Path]:
    """Two runs on five problems: both wrong alike on p4, one fixed, one broken, one cut off, one evil."""
    a = [
        row("p0", "5"), row("p1", "7"), row("p2", "5"), row("p3", None, cut_off=True, finish="length", reply="<think>" + "so " * 50),
        row("p4", "6", question=f"What is {EVIL}?", reply=f"{EVIL} The answer is 6."),
    ]  # fmt: skip
    b = [row("p0", "5"), row("p1", "5"), row("p2", "9", first_wrong_step=1), row("p3", "5"), row("p4", "6", question=f"What is {EVIL}?", tokens=90)]
    return [
        write_run(tmp_path / "base", a, {"p0": True, "p1": True, "p2": True, "p3": None, "p4": False}),
        write_run(tmp_path / "tuned", b, engine="openai:https://user:secret@host.example/v1/path#m"),
    ]


# --- what is said


def test_figures_are_counted_from_the_rows(runs):
    run = collect(runs)["runs"][0]
    assert (run["n"], run["correct"], run["cut_off"], run["unparsed"]) == (5, 2, 1, 0)
    assert run["interval"] == pytest.approx(wilson(2, 5), abs=1e-4) and run["mean_tokens"] == 20
    assert run["decoding"] == "greedy, at most 320 tokens, calculator on"


def test_failures_come_first_and_worst_are_those_where_all_replies_agree(runs):
    found = collect(runs)
    assert found["items"][0]["id"] == "p4" and "unanimous" in found["items"][0]["flags"]
    assert [item["id"] for item in found["items"]][-1] == "p0" and found["items"][-1]["flags"] == ["right"]
    names = list(SECTIONS)
    assert names[0] == "Read this first" and names.index("Failures") < names.index("Items")
    text = page(found)
    assert text.index("All 2 replies give the same wrong answer") < text.index("svamp · p1")


def test_samples_of_one_run_can_agree_on_a_wrong_answer_too(tmp_path):
    rows = [row("p", "6", sample=s) for s in range(3)] + [row("q", a, sample=s) for s, a in enumerate(("5", "5", "6"))]
    found = collect([write_run(tmp_path / "sc", rows, samples=3, sampling=SAMPLING | {"temperature": 0.7})])
    assert [item["flags"] for item in found["items"]] == [["unanimous", "wrong"], ["right", "mixed"]]
    run = found["runs"][0]
    assert [(a["agree"], a["n"], a["accuracy"]) for a in run["agreement"]] == [(3, 1, 0.0), (2, 1, 1.0)]
    assert "majority of 3" in run["decoding"] and "right by how many replies agree" in page(found)
    # One problem of two is right, and two replies of six: readings that count replies stand beside those.
    assert (run["correct"], run["n"], run["right_replies"], run["replies"]) == (1, 2, 2, 6)
    assert "0 of 6 replies" in markdown(found)


def test_a_model_that_repeats_itself_does_not_agree_with_anybody(tmp_path):
    """The same model with another setting, or once more without chance, is no second voice."""
    rows = [row("p", "6"), row("q", "5")]
    same = [write_run(tmp_path / "on", rows), write_run(tmp_path / "off", rows, sampling=SAMPLING | {"calculator": False})]
    assert [item["flags"] for item in collect(same)["items"]] == [["wrong"], ["right"]]
    other = write_run(tmp_path / "other", rows, revision="another")
    assert [item["flags"] for item in collect([*same, other])["items"]] == [["unanimous", "wrong"], ["right"]]


def test_the_first_failures_are_not_all_of_one_benchmark(tmp_path):
    folders = [write_run(tmp_path / name, [row(f"{name}{n}", "6") for n in range(3)], benchmark=name) for name in ("svamp", "gsm8k")]
    assert [item["id"] for item in collect(folders)["items"]] == ["svamp0", "gsm8k0", "svamp1", "gsm8k1", "svamp2", "gsm8k2"]


@pytest.mark.parametrize(
    "stamp, says",
    [
        ({"benchmark": "file:mine.jsonl", "data": {"file": "mine.jsonl", "pinned": False}}, "a file of somebody's own"),
        ({"benchmark": "gsm-hard", "data": {"file": "gsm-hard/test.jsonl", "pinned": False}}, "no commit or hash of this set was known"),
        ({"benchmark": "multiarith", "data": {"hub": "ChilleD/MultiArith", "revision": NOT_PINNED}}, "no commit or hash of this set was known"),
        ({"benchmark": "svamp", "data": {"file": "svamp/SVAMP.json", "pinned": True}}, None),
        ({"benchmark": "svamp", "data": {"hub": "ChilleD/SVAMP", "revision": "5e0bf1e5e7c0e9c4bc39180d224f41f3f801b7ef"}}, None),
    ],
)
def test_a_set_that_nobody_checked_is_told(tmp_path, stamp, says):
    text = markdown(collect([write_run(tmp_path / "a", [row("p", "6")], **stamp)]))
    for sentence in ("a file of somebody's own", "no commit or hash of this set was known"):
        assert (sentence in text) is (sentence == says)


def test_several_replies_are_told_with_what_they_cost_together(tmp_path):
    text = markdown(collect([write_run(tmp_path / "sc", [row("p", "6", sample=n) for n in range(3)], samples=3, sampling=SAMPLING | {"temperature": 0.7})]))
    assert "| 20 (60 a problem) |" in text and "majority of 3, calculator on |" in text


def test_warnings_name_what_speaks_against_a_figure(runs, tmp_path):
    write_json(runs[1] / "summary.json", {"n": 5, "correct": 5, "accuracy": 1.0})
    said = {warning["text"]: warning["runs"] for warning in collect(runs)["warnings"]}
    cut = next(text for text in said if "were cut off" in text)
    assert said[cut] == ["base (1 of 5, 20.0%)"]
    assert said[next(t for t in said if "no second reading" in t)] == ["tuned"]
    assert said[next(t for t in said if "does not agree with the rows" in t)] == ["tuned (correct 5 instead of 3)"]
    assert any("fewer than 100 problems" in text for text in said)


def test_runs_are_compared_as_eval_compare_does(runs):
    found = collect(runs)
    pair, direct = found["pairs"][0], compare(load_run(runs[0]), load_run(runs[1]))
    assert all(pair[key] == direct[key] for key in ("fixed", "broken", "difference", "interval", "p"))
    assert (pair["fixed"], pair["broken"]) == (2, 1) and pair["broken_items"][0]["id"] == "p2"
    assert pair["verdict"] in markdown(found) or f"{100 * pair['difference']:+.1f}" in markdown(found)


def test_runs_on_other_problems_are_not_compared_and_that_is_said(runs, tmp_path):
    other = write_run(tmp_path / "other", [row("p0", "5")])
    found = collect([runs[0], other])
    assert found["pairs"] == [] and "do not hold the same problems" in found["remarks"][0]
    assert str(tmp_path) not in found["remarks"][0] and "other" in found["remarks"][0]  # where it lies is nobody's business


def test_disagreements_of_the_readings_are_listed(runs):
    run = collect(runs)["runs"][0]
    assert [(item["id"], item["robust"], item["math_verify"]) for item in run["disagreeing"]] == [("p1", False, True)]
    assert "Readings that disagree (1 of 1)" in markdown(collect(runs)) and "1 of 1 disagreements" in page(collect(runs))


def test_the_prompt_is_shown_verbatim(runs):
    prompt = "<|im_start|>user\nQuestion p0<|im_end|>\n"
    assert prompt in markdown(collect(runs)) and prompt.replace("<", "&lt;").replace(">", "&gt;") in page(collect(runs))


def test_a_prompt_of_each_model_is_shown_and_that_of_a_server_is_called_ours(runs, tmp_path):
    third = write_run(tmp_path / "third", [row("p0", "5", prompt="[INST] Question p0 [/INST]")], engine="hf:ORG/OTHER", sampling=SAMPLING | {"thinking": False})
    found = collect([*runs, third])
    for text in (page(found), markdown(found).replace("\\", "")):
        assert "All that pocket was given for p0, verbatim:" in text and "All that ORG/OTHER was given for p0, verbatim:" in text and "[INST] Question p0 [/INST]" in text
        assert "All that m at host.example" not in text and "What m at host.example was sent for p0, laid out as ChatML by us" in text


def test_one_id_that_asks_two_things_is_two_items(tmp_path):
    folders = [write_run(tmp_path / name, [row("p", "6", question=question, gold=gold)], problems=name * 64) for name, question, gold in (("a", "One?", "5"), ("b", "Two?", "6"))]
    items = collect(folders)["items"]
    assert [(item["question"], item["gold"], [run["run"] for run in item["runs"]], item["flags"][0]) for item in items] == [("One?", "5", ["a"], "wrong"), ("Two?", "6", ["b"], "right")]


def test_no_address_or_key_of_a_server_is_shown(runs):
    found = collect(runs)
    assert found["runs"][1]["engine"] == "m at host.example"
    assert "secret" not in page(found) + markdown(found) + json.dumps(model_index(found["runs"]))


def test_folders_of_the_same_name_are_told_apart(tmp_path):
    folders = [tmp_path / "x" / "svamp", tmp_path / "y" / "svamp"]
    assert list(label(folders).values()) == ["x/svamp", "y/svamp"] and list(label(folders[:1]).values()) == ["svamp"]


def test_the_committed_records_make_a_report(tmp_path, capsys):
    """One has its figures only, and predates prompt modes."""
    folders = [str(ROOT / "evals" / name) for name in ("pocket-base-svamp", "pocket-bank", "pocket-base-bank")]
    eval.report.main([*folders, "--out", str(tmp_path)])
    assert len(capsys.readouterr().out.split()) == 4
    summary, text = read_json(ROOT / "evals" / "pocket-base-svamp" / "summary.json"), (tmp_path / "report.md").read_text()
    assert f"| {summary['correct']:,} | {percent(summary['accuracy'])} |" in text and "rows were not kept" in text
    bank = read_json(ROOT / "evals" / "pocket-bank" / "summary.json")
    assert percent(bank["accuracy"]) in text and "pocket-base-bank" in text
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    eval.report.main([*folders, "--out", str(tmp_path)])
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_grading_is_reported_with_its_bounds_and_its_judge(server, tmp_path):  # noqa: F811
    server.reply = lambda user: "" if "Problem b" in user else f"{EVIL} <points>6</points>"
    proofs = write_proofs(tmp_path / "p.jsonl", a={"points": 7}, c={"points": 6})
    command(server, "openai", proofs, tmp_path / "graded")
    found = collect([tmp_path / "graded"])
    text, plain = page(found), markdown(found)
    assert "61.9" not in text and "57.1% to 90.5%" in text and "no &lt;points&gt; tag" in text
    assert "mean absolute error" in text and "0.50" in text and "Problem a" in text and "<script>document" not in text
    assert "57.1% and 90.5%" in plain and "judged by openai:tiny" in plain
    assert any("some got no mark" in warning["text"] for warning in found["warnings"])
    calibrated = read_json(tmp_path / "graded" / "summary.json")["calibration"]
    assert calibrated["n"] == 2 and calibrated["mean_absolute_error"] == 0.5


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda folder: None, "holds no run"),
        (lambda folder: write_json(folder / "run.json", {"engine": "e", "benchmark": "svamp", "sampling": SAMPLING}), "neither rows nor a summary"),
        (lambda folder: write_json(folder / "run.json", {"task": "grade"}), "a grading without its figures"),
    ],
)
def test_a_folder_that_holds_no_run_is_one_sentence(tmp_path, make, says):
    make(tmp_path / "x")
    with pytest.raises(SystemExit, match=says):
        eval.report.main([str(tmp_path / "x"), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change, says",
    [
        ({}, "greedy, at most 320 tokens, calculator on"),
        ({"temperature": 0.6, "top_p": 0.95, "top_k": 20, "seed": 3}, "temperature 0.6, top-p 0.95, top-k 20, seed 3, at most 320"),
        ({"thinking": False}, "thinking off"),
        ({"thinking": True, "think_budget": 512}, "thinking on, reasoning ended after 512 tokens"),
    ],
)
def test_decoding_is_said_in_words(change, says):
    assert says in decoding_of({"engine": "pocket", "sampling": SAMPLING | change, "samples": 1})


@pytest.mark.parametrize("engine, says", [
    ("pocket", "on"), ("pocket-base", "on"), ("hf:ORG/NAME", "on"), ("openai:http://127.0.0.1:8000/v1#m", "off"), ("scripted:x.json", "off"),
])  # fmt: skip
def test_no_calculator_is_claimed_of_an_engine_that_has_none(tmp_path, engine, says):
    """Whatever its run asked for: the record says what was asked, and the report what was done."""
    found = collect([write_run(tmp_path / "a", [row("p", "5")], engine=engine)])
    index = yaml.safe_dump(model_index(found["runs"]))
    for text in (markdown(found), page(found), index.replace("\n", " ")):
        assert f"calculator {says}" in re.sub(r"\s+", " ", text) and f"calculator {'off' if says == 'on' else 'on'}" not in re.sub(r"\s+", " ", text)


# --- the hub


def test_the_hubs_own_library_reads_the_metadata_back(runs):
    from huggingface_hub.repocard_data import model_index_to_eval_results

    found = collect(runs)
    index = model_index(found["runs"])
    assert index.keys() == {"pocket", "m at host.example"}
    name, results = model_index_to_eval_results(yaml.safe_load(yaml.safe_dump(index["pocket"])))
    assert name == "pocket" and results[0].metric_value == 40.0 and results[0].metric_type == "accuracy"
    assert results[0].dataset_type == "ChilleD/SVAMP" and results[0].verified is None
    assert results[0].metric_args["n"] == 5 and results[0].metric_args["cut_off"] == 1


def test_a_part_of_a_set_is_not_told_as_the_whole(runs):
    (run,) = collect(runs[:1])["runs"]
    part = {**run, "n": 40, "data": {**run["data"], "rows": 1000, "skipped": 0}}
    assert model_index([part])["pocket"][0]["results"][0]["metrics"][0]["name"].endswith(", 40 of 1,000 problems")
    whole = {**part, "n": 990, "data": {**part["data"], "skipped": 10}}
    assert "problems" not in model_index([whole])["pocket"][0]["results"][0]["metrics"][0]["name"]


def test_a_folder_of_runs_stands_for_its_runs(runs, tmp_path):
    shutil.copytree(runs[0], tmp_path / "evals" / "inside")
    assert len(collect([tmp_path / "evals"])["runs"]) == 1
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="holds no run"):
        collect([tmp_path / "none"])


def test_models_that_are_called_the_same_have_a_card_each(runs, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(runs[0], other)
    stamp = read_json(other / "run.json") | {"revision": "another"}
    write_json(other / "run.json", stamp)
    write_rows(other / "results.jsonl", [row | ({"run": run_hash(stamp)} if "run" in row else {}) for row in read_rows(runs[0] / "results.jsonl")])
    found = collect([runs[0], other])
    assert model_index(found["runs"]).keys() == {"pocket 1", "pocket 2"}
    names = [path.name for path in eval.report.write(found, tmp_path / "report", "x")]
    assert names[2:] == ["model-index-pocket-1.yml", "model-index-pocket-2.yml"]


# --- texts that want out


def test_nothing_a_model_wrote_is_markup(runs):
    found = collect(runs)
    scripts: list[dict] = []
    images: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attributes):
            scripts.append(dict(attributes)) if tag == "script" else images.append(tag) if tag == "img" else None

    text = page(found)
    Tags().feed(text)
    assert images == [] and [script.get("type") for script in scripts] == ["application/json", None]
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])
    assert "</script><script>" in data["items"][0]["question"] and "[U+202E]" in data["items"][0]["question"]
    assert "\u202e" not in text and "http:" not in text and "https:" not in re.sub(r"(?s)<pre.*?</pre>|<script type.*?</script>", "", text)


@pytest.mark.parametrize(
    "text, shown",
    [("a|b", r"a\|b"), ("a\nb", "a b"), ("<b>", r"\<b\>"), ("*x* `y`", r"\*x\* \`y\`"), ("[a](b)", r"\[a\](b)"), (5, "5"),
     ("&lt;img &#x202E;", r"\&lt;img \&\#x202E;"), ("https://x.org WWW.x.org 3:4", r"https\://x.org WWW\.x.org 3:4"), ("a@b.c", r"a\@b.c"), ("a\u202eb", r"a\[U+202E\]b")],
)
def test_a_cell_of_markdown_stays_a_cell(text, shown):
    assert cell(text) == shown


def test_a_fence_is_longer_than_the_ticks_in_it():
    assert fence("a ```` b").startswith("`````text\n") and fence("a").startswith("```text\n")


def test_what_cannot_be_seen_is_spelled_out():
    assert mark("a\u202eb\u200bc\x07d\ud83d\n") == "a[U+202E]b[U+200B]c[U+0007]d\ufffd\n"
    assert mark("\u061c\xad\U000e0041\ue000\u2028\u3164") == "[U+061C][U+00AD][U+E0041][U+E000][U+2028][U+3164]"
    assert mark(plain := "é 3 × 4 = 12 €, π → ½\t字 🙂") == plain and mark(mark("\u202e")) == mark("\u202e")
    assert esc("<\u202e") == "&lt;[U+202E]" and "\u202e" not in fence("a\u202e")


def test_names_of_folders_and_files_are_spelled_out_too(runs):
    bad = runs[0].rename(runs[0].with_name("run\u202eb"))
    write_json(bad / "summary.json", read_json(bad / "summary.json") | {"command": "python \u061c"} if (bad / "summary.json").exists() else {"command": "python \u061c"})
    found = collect([bad, *runs[1:]])
    for text in (page(found, "title\u202e"), markdown(found, "title\u202e")):
        assert "\u202e" not in text and "\u061c" not in text and "run[U+202E]b" in text.replace("\\", "")


def test_an_interval_is_rounded_once(runs):
    """17 of 732: its lower end is 1.45497%, which four decimals and then one would make 1.4%."""
    assert rate(17, 732)["interval"] == list(wilson(17, 732)) and percent(rate(17, 732)["interval"][0]) == "1.5%"


@pytest.mark.parametrize("share, shown", [(0, "0%"), (1, "100%"), (1 / 3, "33.3%"), (1e-5, "<0.1%"), (0.99999, ">99.9%"), (None, "")])
def test_a_share_never_rounds_to_none_or_all(share, shown):
    assert percent(share) == shown


@pytest.mark.skipif(
    chromium() is None and os.environ.get("CI") != "true", reason="no chromium on the PATH: the page was not looked at"
)
def test_the_page_in_a_browser(runs, server, tmp_path):  # noqa: F811
    """Items by filter and search, nothing fetched, nothing executed, axe content in light and dark, no sticking out of a phone."""
    from axe_playwright_python.sync_playwright import Axe

    command(server, "openai", write_proofs(tmp_path / "p.jsonl", a={"points": 7}), tmp_path / "graded")
    eval.report.main([*map(str, runs), str(tmp_path / "graded"), "--out", str(tmp_path / "out"), "--title", "A & B <i>"])
    with open_browser() as browser:
        for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light")):
            view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            asked, said = [], []
            view.on("request", lambda request, asked=asked: asked.append(request.url))
            view.on("console", lambda message, said=said: said.append(message.text))
            view.on("pageerror", lambda error, said=said: said.append(str(error)))
            view.goto((tmp_path / "out" / "report.html").as_uri())
            assert view.title() == "A & B <i>" and len(asked) == 1 and said == []
            assert view.locator("#list .item h3").all_inner_texts() == ["svamp · p4"]
            assert "onerror" in view.locator("#list .question").inner_text()
            view.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert view.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(view).response["violations"]
            assert not found, [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found]
            if (width, scheme) == (1280, "light"):
                items = view.locator("#list .item h3")
                view.select_option("#show", "broken")
                assert view.is_visible("#run-a") and items.all_inner_texts() == ["svamp · p2"]
                a, b = view.input_value("#run-a"), view.input_value("#run-b")
                assert view.locator("#list .reply h4").all_inner_texts() == [a, b]  # no third run beside them
                assert len({view.locator(name).bounding_box()["y"] for name in ("#show", "#run-a", "#search")}) == 1
                view.select_option("#run-b", a)
                assert "A and B are the same run" in view.inner_text("#list")
                view.select_option("#run-b", b)
                view.select_option("#show", "all")
                assert items.count() == 5 and "5 of 5 problems" in view.inner_text("#count")
                view.fill("#search", "question P3")
                assert items.all_inner_texts() == ["svamp · p3"] and view.is_hidden("#pair")
                view.fill("#search", "")
                view.select_option("#error", "cut off")
                assert items.all_inner_texts() == ["svamp · p3"]
                view.select_option("#show", "unanimous")
                assert "No problem fits" in view.inner_text("#list")
            assert view.title() == "A & B <i>"
            view.close()
