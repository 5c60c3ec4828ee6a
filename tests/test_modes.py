"""Prompt modes: data, verbatim, the published ones to the letter."""

from __future__ import annotations

import pytest
import yaml

from eval import modes
from eval.modes import Mode, as_file, load_mode, main, mode_names
from mathtutor.chat import conversation, open_reply, render_conversation, render_prompt
from mathtutor.maths.answers import read_answer
from mathtutor.problem import Problem

QUESTION = "Ana has 3 apples and buys 4 more. How many has she?"
DEMANDED = ["direct", "cot", "few_shot", "thinking", "think_prefill", "tuned", "proof"]
SEEDS = ["q06_zero_shot", "q06_cot", "q06_few_shot", "q06_thinking", "q06_think_prefill"]


def text_of(name: str) -> str:
    return render_conversation(*open_reply(load_mode(name).conversation(QUESTION)))


@pytest.fixture
def train(monkeypatch):
    rows = [Problem(f"t{n}", f"q{n}?", n, f"It is <<{n}+0={n}>>{n}.\n#### {n}") for n in range(5)]
    monkeypatch.setattr(modes, "load_source", lambda name, split: {("gsm8k", "train"): rows}[name, split])


def test_all_modes_are_there():
    assert set(mode_names()) == {*DEMANDED, *SEEDS}


@pytest.mark.parametrize("name", mode_names())
def test_every_mode_is_whole_and_none_has_a_silent_cap(train, name):
    mode = load_mode(name)
    assert mode.title and mode.answer and text_of(name).count(QUESTION) == 1
    assert mode.max_tokens >= {"direct": 64}.get(name, 512)
    assert mode.to_dict()["user"] == mode.user and mode.to_dict()["name"] == name
    yaml.safe_dump(mode.to_dict())  # it goes into a record as it is


@pytest.mark.parametrize("name", SEEDS)
def test_a_published_mode_names_its_flaw_and_the_mode_that_mends_it(train, name):
    mode = load_mode(name)
    assert mode.of.startswith("Qwen3-0.6B-GSM8K-Experiments, ") and mode.flaw and mode.sister in DEMANDED
    sister = load_mode(mode.sister)
    assert sister.max_tokens != 512 and "####" not in sister.answer


def test_the_tuned_mode_is_the_training_format():
    assert load_mode("tuned").conversation(QUESTION) == conversation(QUESTION) and text_of("tuned") == render_prompt(QUESTION)


COT_SYSTEM = "Provide a step-by-step explanation, then on a new line the final numerical answer as '#### <answer>' with no symbols or units."


@pytest.mark.parametrize("name, prompt", [
    ("q06_zero_shot", "<|im_start|>system\nYou are a helpful assistant that solves math problems. Just provide the final numerical answer in the format '#### <answer>' without any units, symbols or explanations.<|im_end|>\n"
     f"<|im_start|>user\n{QUESTION}\n\nProvide only the numerical answer after '####': #### <|im_end|>\n<|im_start|>assistant\n"),
    ("q06_cot", f"<|im_start|>system\nYou are a detailed math assistant. {COT_SYSTEM}<|im_end|>\n<|im_start|>user\n{QUESTION}\n\nPlease think step-by-step and then write the final numerical answer, "
     "with no symbols or units, in the format '#### <answer>'.<|im_end|>\n<|im_start|>assistant\n"),
    ("q06_few_shot", f"<|im_start|>system\nYou are a math assistant. {COT_SYSTEM}\n\n### Examples ###\nQuestion: q0?\nAnswer: It is <<0+0=0>>0.\n#### 0\n\nQuestion: q1?\nAnswer: It is <<1+0=1>>1.\n#### 1\n\n"
     f"Question: q2?\nAnswer: It is <<2+0=2>>2.\n#### 2\n<|im_end|>\n<|im_start|>user\nQuestion: {QUESTION}\nAnswer:<|im_end|>\n<|im_start|>assistant\n"),
    ("q06_thinking", f"<|im_start|>system\nYou are a math assistant. {COT_SYSTEM}<|im_end|>\n<|im_start|>user\nQuestion: {QUESTION}<|im_end|>\n<|im_start|>assistant\n"),
    ("q06_think_prefill", f"<|im_start|>system\nYou are a detailed math assistant. {COT_SYSTEM} The answer format is very important.<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n<think>"),
], ids=SEEDS)  # fmt: skip
def test_a_published_mode_is_reproduced_to_the_letter(train, name, prompt):
    assert text_of(name) == prompt


def test_demonstrations_are_turns_of_the_chat_and_their_answers_can_be_read():
    talk = load_mode("few_shot", shots=8).conversation(QUESTION)
    assert [turn["role"] for turn in talk] == ["system", *["user", "assistant"] * 8, "user"]
    answers = yaml.safe_load(modes.OWN.read_text())
    assert [read_answer(turn["content"]).value for turn in talk[2:-1:2]] == [int(row["answer"]) for row in answers]
    assert len(load_mode("few_shot").shown) == 4 and load_mode("few_shot").to_dict()["shown"][0][0] == talk[1]["content"]


def test_the_sums_of_our_demonstrations_hold():
    from mathtutor.maths.checks import verify

    for question, answer in load_mode("few_shot", shots=8).shown:
        verdict = verify(answer)
        assert verdict.first_wrong_step is None and verdict.num_checked >= 1 and verdict.answer_matches_last_step, question


def test_thinking_is_said_and_not_left_to_a_default():
    assert [load_mode(name).thinking for name in ("direct", "cot", "few_shot", "thinking")] == [False, False, False, True]
    assert load_mode("thinking").sampling == {"temperature": 0.6, "top_p": 0.95, "top_k": 20}
    assert load_mode("think_prefill").prefill == "<think>\n"


@pytest.mark.parametrize("name, shots, says", [
    ("fewshot", None, "unknown prompt mode 'fewshot': use .*few_shot.* Did you mean few_shot?"),
    ("zzz", None, "use tuned, direct"),
    ("cot", 3, "mode cot shows no examples"),
    ("few_shot", 0, "--shots must be at least 1"),
    ("few_shot", 99, "there are 8 examples, not 99"),
    ("mine.yaml", None, "or file:PATH.yaml for one of your own. Did you mean file:mine.yaml?"),
])  # fmt: skip
def test_a_wrong_mode_is_answered_with_the_right_ones(name, shots, says):
    with pytest.raises(ValueError, match=says):
        load_mode(name, shots)


@pytest.mark.parametrize("fields, says", [
    ({"user": "Solve this."}, "must hold {question}"),
    ({"user": "{question}", "sampling": {"temprature": 1}}, "not temprature"),
    ({"user": "{question}", "demonstrations": {"count": 1, "source": "own", "place": "footer"}}, "need a place of"),
])  # fmt: skip
def test_a_mode_that_cannot_work_is_refused(fields, says):
    with pytest.raises(ValueError, match=says):
        Mode(name="x", title="x", max_tokens=5, answer="x", **fields)


def test_modes_can_be_read_verbatim(capsys):
    main(["tuned", "q06_think_prefill"])
    printed = capsys.readouterr().out
    assert "<|im_start|>assistant\n<think>" in printed and "mended in think_prefill" in printed


OWN_MODE = """
system: You are a patient teacher.
user: |-
  {question}

  Write it for a child of {eight}. End with: The answer is N.
max_tokens: 256
thinking: false
sampling: {temperature: 0.6}
demonstrations:
  place: turns
  source: given
  examples:
    - {question: "1 + 1?", answer: The answer is 2.}
    - {question: "2 + 2?", answer: The answer is 4.}
"""


@pytest.fixture
def own(tmp_path):
    def write(text: str):
        (tmp_path / "mine.yaml").write_text(text)
        return f"file:{tmp_path / 'mine.yaml'}"

    return write


def test_a_mode_of_ones_own_asks_and_decodes_as_its_file_says(own):
    mode = load_mode(own(OWN_MODE))
    asks = "\n\nWrite it for a child of {eight}. End with: The answer is N."
    assert [turn["content"] for turn in mode.conversation(QUESTION)] == [
        "You are a patient teacher.", "1 + 1?" + asks, "The answer is 2.", "2 + 2?" + asks, "The answer is 4.", QUESTION + asks,
    ]  # fmt: skip
    assert (mode.name, mode.max_tokens, mode.thinking, mode.sampling) == ("file:mine.yaml", 256, False, {"temperature": 0.6})
    assert mode.to_dict()["shown"] == [["1 + 1?", "The answer is 2."], ["2 + 2?", "The answer is 4."]] and mode.to_dict()["system"] == mode.system
    assert len(load_mode(own(OWN_MODE), shots=1).shown) == 1
    with pytest.raises(ValueError, match="there are 2 examples, not 3"):
        load_mode(own(OWN_MODE), shots=3)


@pytest.mark.parametrize("name", [name for name in mode_names() if name != "q06_few_shot"])
def test_a_mode_written_as_yaml_and_read_back_is_that_mode(own, capsys, name):
    main([name, "--yaml"])
    assert load_mode(own(capsys.readouterr().out)).to_dict() == load_mode(name).to_dict() | {"name": "file:mine.yaml"}


def test_a_mode_with_examples_of_its_own_is_written_whole(own):
    mode = load_mode(own(OWN_MODE))
    assert load_mode(own(yaml.safe_dump(as_file(mode)))) == mode


@pytest.mark.parametrize("text, says", [
    (None, "mine.yaml: there is no such file; `python -m eval.modes cot --yaml > .*mine.yaml` writes one"),
    ("user: [", "mine.yaml is no YAML .*put texts between quotes"),
    ("just words", "must hold keys and values, user and max_tokens at least"),
    ("sytem: x\nuser: '{question}'\nmax_tokens: 9", "knows no 'sytem' .did you mean system.*it takes title, system, user"),
    ("name: cot\nuser: '{question}'\nmax_tokens: 9", "knows no 'name'"),
    ("system: x", "lacks user and max_tokens"),
    ("user: {question}\nmax_tokens: 9", "user must be text: put it between quotes"),  # what YAML makes of braces
    ("user: Solve this.\nmax_tokens: 9", "the user's text must hold {question}"),
    ("user: '{question}'\nmax_tokens: many", "max_tokens must be a whole number from 1, not 'many'"),
    ("user: '{question}'\nmax_tokens: true", "max_tokens must be a whole number"),
    ("user: '{question}'\nmax_tokens: 9\nthinking: maybe", "thinking must be true, false or null"),
    ("user: '{question}'\nmax_tokens: 9\nsampling: hot", "sampling must hold numbers"),
    ("user: '{question}'\nmax_tokens: 9\nsampling: {heat: 1}", "knows temperature, top_p and top_k, not heat"),
    ("user: '{question}'\nmax_tokens: 9\ndemonstrations: 4", "must hold place, source and count"),
    ("user: '{question}'\nmax_tokens: 9\ndemonstrations: {place: turns, source: own}", "need a count"),
    ("user: '{question}'\nmax_tokens: 9\ndemonstrations: {place: turns, source: given, count: 2}", "need examples, each with question and answer"),
    ("user: '{question}'\nmax_tokens: 9\ndemonstrations: {place: turns, source: given, examples: [{question: q}]}", "need examples, each with"),
    ("user: '{question}'\nmax_tokens: 9\ndemonstrations: {place: turns, source: own, count: 1, examples: []}", "need source: given"),
    ("user: '{question}'\nmax_tokens: 9\ndemonstrations: {place: system, source: own, count: 1}", "need a system text, a heading and an each"),
])  # fmt: skip
def test_a_file_that_is_no_mode_is_refused_with_what_to_mend(own, tmp_path, text, says):
    name = f"file:{tmp_path / 'mine.yaml'}" if text is None else own(text)
    with pytest.raises(ValueError, match=says):
        load_mode(name)


def test_a_mode_whose_examples_are_out_of_reach_hides_no_other(monkeypatch, capsys):
    def gone(name, split):
        raise ValueError("set MATHTUTOR_DATA to a local folder")

    monkeypatch.setattr(modes, "load_source", gone)
    with pytest.raises(SystemExit, match="^q06_few_shot is not shown: set MATHTUTOR_DATA"):
        main([])
    assert capsys.readouterr().out.count("\n== ") == len(mode_names()) - 2  # all but the first of a text, and that one
