"""Decoding: the lean loop writes what transformers' `generate` writes, whatever stands beside a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from mathtutor.bank import load_bank
from mathtutor.chat import NO_THINKING, conversation, encode_conversation, open_reply, render_conversation
from mathtutor.engines import Sampling, gather, hf, load_engine
from mathtutor.engines.calculator import CalculatorProcessor
from mathtutor.engines.hf import HFEngine
from mathtutor.engines.qwen3 import ROWS, Qwen3, is_supported
from mathtutor.engines.rows import Row, Rules, draw

FAMILIES = [family for _, family in sorted(load_bank().items())]
PROBLEMS = [FAMILIES[i * 7 % len(FAMILIES)].instantiate(11, i).problem for i in range(20)]
TALKS = [conversation(problem) for problem in PROBLEMS]


@pytest.fixture(scope="module")
def tiny(tiny_model_folder) -> HFEngine:
    return HFEngine(str(tiny_model_folder), device="cpu")


@pytest.fixture(scope="module")
def pocket() -> HFEngine:
    return load_engine("pocket")


def texts(engine: HFEngine, sampling: Sampling, talks=TALKS, **more) -> list[str]:
    replies = dict(engine.replies(talks, sampling, **more))
    assert sorted(replies) == list(range(len(talks)))
    return [replies[i].text for i in range(len(talks))]


def plain_replies(engine: HFEngine, talks, calculator: bool, max_tokens: int) -> list[str]:
    """One prompt at a time through transformers' `generate` and none of our decoding."""
    tokenizer, model, replies = engine._tokenizer, engine._model, []
    for talk in talks:
        ids = torch.tensor([encode_conversation(talk, tokenizer)])
        processors = [CalculatorProcessor(tokenizer, ids.shape[1], 1, len(tokenizer))] if calculator else []
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids, max_new_tokens=max_tokens, do_sample=False, logits_processor=LogitsProcessorList(processors),
                eos_token_id=sorted(engine._ends), pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        reply = output[0, ids.shape[1] :].tolist()
        end = next((n for n, token in enumerate(reply) if token in engine._ends), len(reply))
        replies.append(tokenizer.decode(reply[:end]))
    return replies


@pytest.mark.parametrize("calculator", [False, True])
def test_the_lean_loop_writes_what_generate_writes(pocket, calculator):
    assert pocket.rows_are_independent
    sampling = Sampling(max_tokens=48, calculator=calculator)
    replies = texts(pocket, sampling)
    assert replies[:8] == plain_replies(pocket, TALKS[:8], calculator, 48)
    assert len(set(replies)) > 15 and any("=" in reply for reply in replies[:8])


def without_lean(engine: HFEngine) -> HFEngine:
    """The same model, decoded as one that the lean loop does not know."""
    other = HFEngine(engine.path, device="cpu", batch_size=6)
    other._lean = (other._model, None)
    assert not other.rows_are_independent
    return other


@pytest.mark.parametrize("sampling", [
    Sampling(24), Sampling(24, temperature=1.0, seed=5), Sampling(24, temperature=0.7, top_p=0.8, top_k=20),
    Sampling(24, temperature=1.0, calculator=False, think_budget=6), Sampling(24, logprobs=True),
], ids=["greedy", "sampled", "top-k", "budget", "logprobs"])  # fmt: skip
def test_both_ways_of_decoding_write_the_same(tiny, sampling):
    plain = without_lean(tiny)
    talks = [talk + [{"role": "assistant", "content": "<think>\n"}] for talk in TALKS[:8]] if sampling.think_budget else TALKS[:8]
    one, other = dict(tiny.replies(talks, sampling)), dict(plain.replies(talks, sampling))
    assert [replace(one[i], seconds=0, logprob=None) for i in range(8)] == [
        replace(other[i], seconds=0, logprob=None) for i in range(8)
    ]
    assert [one[i].logprob for i in range(8)] == pytest.approx([other[i].logprob for i in range(8)], abs=1e-4)
    streams = [gather(engine.stream(talks[0], replace(sampling, seed=9))) for engine in (tiny, plain)]
    assert replace(streams[0], computed=()) == replace(streams[1], computed=()) and streams[0].num_tokens > 8


# --- rows do not see each other


def test_a_rows_scores_do_not_depend_on_what_stands_beside_it(pocket):
    forward = Qwen3(pocket._model)
    prompts = [encode_conversation(talk, pocket._tokenizer) for talk in TALKS]

    def scores(numbers: list[int], length: int) -> dict[int, torch.Tensor]:
        cache = forward.cache(len(numbers), length)
        first = {i: forward.prefill(prompts[i], cache, slot) for slot, i in enumerate(numbers)}
        tokens = [int(first[i].argmax()) for i in numbers]
        return dict(zip(numbers, forward.step(tokens, [len(prompts[i]) for i in numbers], cache), strict=True))

    together = scores(list(range(20)), 640)
    for numbers, length in ((list(reversed(range(20))), 256), ([3], 256), ([7, 3, 12], 400), (list(range(9)), 300)):
        for i, row in scores(numbers, length).items():
            # To the last bit on one processor, not on another, whose library sums in another order: LAB.md, 2026-11-30.
            assert torch.allclose(row, together[i], rtol=0, atol=1e-4) and row.argmax() == together[i].argmax(), (i, numbers)


@pytest.mark.parametrize("temperature", [0.0, 1.2])
def test_replies_do_not_depend_on_the_batch_its_size_or_order(tiny, tiny_model_folder, temperature):
    sampling = Sampling(max_tokens=20, temperature=temperature)
    seeds = [100 + i for i in range(20)]
    expected = texts(tiny, sampling, seeds=seeds)
    for size in (1, 3, ROWS, 17):
        assert texts(HFEngine(str(tiny_model_folder), device="cpu", batch_size=size), sampling, seeds=seeds) == expected
    order = [7, 3, 19, 0]
    assert texts(tiny, sampling, [TALKS[i] for i in order], seeds=[seeds[i] for i in order]) == [expected[i] for i in order]
    assert (texts(tiny, sampling, seeds=[seed + 1 for seed in seeds]) == expected) is (temperature == 0)


def test_samples_of_one_prompt_differ_and_read_it_once(tiny, monkeypatch):
    read = []
    prefill = Qwen3.prefill
    monkeypatch.setattr(Qwen3, "prefill", lambda self, ids, *rest: (read.append(ids), prefill(self, ids, *rest))[1])
    sampling = Sampling(max_tokens=12, temperature=1.0)
    samples = texts(tiny, sampling, [TALKS[0]] * 5 + [TALKS[1]], seeds=[1, 2, 3, 4, 5, 6])
    assert len(read) == 2 and len(set(samples)) == 6
    assert texts(tiny, sampling, [TALKS[0]], seeds=[4]) == [samples[3]]


def test_demonstrations_are_read_once_and_change_nothing(pocket, monkeypatch):
    shown = [{"role": "user", "content": PROBLEMS[18]}, {"role": "assistant", "content": "<think>\nStep 1: 2 + 2 = 4\n</think>\n\nThe answer is 4."}]
    talks = [shown + talk for talk in TALKS[:6]]
    sampling, read = Sampling(max_tokens=20), []
    prefill = Qwen3.prefill
    monkeypatch.setattr(Qwen3, "prefill", lambda self, ids, *rest: (read.append(len(ids)), prefill(self, ids, *rest))[1])
    together = texts(pocket, sampling, talks)
    alone = [texts(pocket, sampling, [talk])[0] for talk in talks]
    assert together == alone and len(read) == 7 + 12
    whole = len(encode_conversation(talks[0], pocket._tokenizer))
    assert max(read) < whole
    monkeypatch.setattr(hf, "WORTH_SHARING", 10_000)
    assert texts(pocket, sampling, talks) == together and max(read) >= whole


def test_a_small_memory_gives_fewer_slots_and_the_same_replies(tiny, monkeypatch):
    sampling = Sampling(max_tokens=10)
    expected = texts(tiny, sampling)
    widths = []
    step = Qwen3.step
    monkeypatch.setattr(Qwen3, "step", lambda self, tokens, *rest: (widths.append(len(tokens)), step(self, tokens, *rest))[1])
    assert texts(tiny, sampling) == expected and max(widths) == 20
    widths.clear()
    monkeypatch.setattr(hf, "CACHE_BYTES", 1)
    assert texts(tiny, sampling) == expected and max(widths) == 1


def test_what_the_lean_loop_does_not_know_is_left_to_generate(tiny_model_folder):
    model = HFEngine(str(tiny_model_folder), device="cpu")._model
    assert is_supported(model)
    assert not is_supported(model.to(torch.bfloat16))
    model.to(torch.float32).config.rope_parameters = {"rope_type": "yarn"}
    assert not is_supported(model)


# --- drawing


@pytest.mark.parametrize("temperature, top_k, top_p", [(0.6, 20, 0.95), (1.0, 0, 0.9), (1.0, 0, 0.3), (1.3, 5, 1.0), (1.0, 0, 1.0)])
def test_tokens_are_drawn_as_transformers_weighs_them(tiny, temperature, top_k, top_p):
    torch.manual_seed(1)
    scores = torch.randn(1, 600) * 1.5
    kept = TemperatureLogitsWarper(temperature)(None, scores)
    kept = TopKLogitsWarper(top_k)(None, kept) if top_k else kept
    kept = (TopPLogitsWarper(top_p)(None, kept) if top_p < 1 else kept)[0].softmax(-1)
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    rows = [Row(tiny._rules, sampling, (seed, 0)) for seed in range(4000)]
    drawn = Counter(draw(scores.expand(4000, -1), sampling, rows))
    assert all(kept[token] > 0 for token in drawn)
    # Pearson's statistic over the likely tokens: as large as this once in a hundred thousand runs.
    likely = [token for token in range(600) if kept[token] * 4000 >= 10]
    statistic = sum((drawn[t] - 4000 * kept[t].item()) ** 2 / (4000 * kept[t].item()) for t in likely)
    assert statistic < len(likely) + 4.3 * (2 * len(likely)) ** 0.5 + 10


def test_a_row_draws_from_its_seed_alone(tiny):
    numbers = [Row(tiny._rules, Sampling(), seed).random() for seed in ((1, 0), (1, 0), (1, 1), (2, 0), (-1, 0))]
    assert numbers[0] == numbers[1] and len(set(numbers)) == 4


# --- thinking


def test_a_thinking_budget_closes_the_reasoning_once(tiny):
    opened = TALKS[0] + [{"role": "assistant", "content": "<think>\n"}]
    stop = "\nTime is up.\n</think>\n\n"
    sampling = Sampling(max_tokens=40, temperature=1.0, think_budget=7, think_stop=stop, calculator=False)
    ((_, reply),) = tiny.replies([opened], sampling)
    begun = texts(tiny, replace(sampling, think_budget=0, max_tokens=7), [opened])[0]
    assert reply.text.startswith(begun + stop) and reply.text.count(stop) == 1
    assert reply.num_tokens == 40
    # A reply that does not think is left alone.
    assert texts(tiny, sampling, [TALKS[0]]) == texts(tiny, replace(sampling, think_budget=0), [TALKS[0]])


def test_a_budget_for_a_model_that_cannot_think_is_refused(tiny):
    rules = Rules(tiny._tokenizer, set(), 600)
    rules.think = None
    with pytest.raises(ValueError, match="no <think> token"):
        Row(rules, Sampling(think_budget=5))


@pytest.mark.parametrize("thinking, prefill, opening", [
    (None, "", ""), (True, "", ""), (False, "", NO_THINKING), (None, "<think>\nLet", "<think>\nLet"), (False, "So", NO_THINKING + "So"),
])  # fmt: skip
def test_a_prompt_ends_as_it_was_asked_to(tiny, thinking, prefill, opening):
    talk = TALKS[0] + ([{"role": "assistant", "content": prefill}] if prefill else [])
    ((_, reply),) = tiny.replies([talk], Sampling(max_tokens=3, thinking=thinking))
    assert reply.prompt == render_conversation(TALKS[0], opening)
    assert tiny._tokenizer.decode(tiny._encode(talk, Sampling(thinking=thinking))) == reply.prompt


def test_the_last_turn_of_an_assistant_is_a_reply_begun():
    talk = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>"}]
    assert open_reply(talk) == (talk[:1], "<think>")
    assert open_reply(talk[:1]) == (talk[:1], "") and open_reply([]) == ([], "")


def test_the_mean_log_probability_is_the_models_own(pocket):
    """Of the tokens that the model chose, under the model: scored here again in one pass."""
    sampling = Sampling(max_tokens=30, calculator=False, logprobs=True)
    ((_, reply),) = pocket.replies([TALKS[0]], sampling)
    prompt = encode_conversation(TALKS[0], pocket._tokenizer)
    ids = pocket._tokenizer.encode(reply.text, add_special_tokens=False)
    ids += [pocket._tokenizer.convert_tokens_to_ids("<|im_end|>")] if reply.finish == "stop" else []
    with torch.inference_mode():
        scores = pocket._model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    assert reply.logprob == pytest.approx(scores[range(len(ids)), ids].mean().item(), abs=1e-4)
    ((_, silent),) = pocket.replies([TALKS[0]], replace(sampling, logprobs=False))
    assert silent.logprob is None and silent.text == reply.text
