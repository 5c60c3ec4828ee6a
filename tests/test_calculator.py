"""The calculator inside decoding: when it acts, what it writes, and that nothing slips past it."""

from __future__ import annotations

import copy

import pytest
import torch

from mathtutor.chat import conversation, encode_conversation
from mathtutor.engines import Sampling, gather, load_engine
from mathtutor.engines.calculator import TAIL_TOKENS, CalculatorProcessor, due
from mathtutor.engines.hf import HFEngine

PROBLEM = "Ana has 13 apples and buys 24 more. How many apples has she now?"

# --- when a result is due


@pytest.mark.parametrize(
    "text, result",
    [
        ("Step 1: The apples cost 5 * 2 =", "10"),
        ("Step 1: The apples cost 5 * 2 = ", "10"),
        ("Step 1: The apples cost 5 * 2 = $", "10"),
        ("<think>\nStep 1: 1 + 1 = 2\nStep 2: Ana has 13 + 24 =", "37"),
        ("Half of it is 7 / 2 =", "3.5"),
        ("It falls to 3 - 8 =", "-5"),
        ("(2 + 3) * 4 =", "20"),
        ("x = 15 / 3 =", "5"),
        ("100 * 15 / 100 =", "15"),
        ("1000 * 5 =", "5000"),  # never with a comma
        ("0.1 + 0.2 =", "0.3"),  # exact, not as floats add
        ("10 / 3 =", None),  # no decimal ends it: left to the model
        ("10 / 0 =", None),
        ("5 * 2", None),
        ("5 * 2 = 10", None),
        ("5 * 2 = 1", None),
        ("5 * 2 =\n", None),  # the line is over
        ("x =", None),
        ("12 =", None),  # no operation
        ("3 * x =", None),
        ("So many = ", None),
        ("2 dozen + 5 =", None),  # words that change a number, and are not read
        ("half of 20 + 5 =", None),
        ("two times 3 + 4 =", None),
        ("√16 + 2 =", None),
        ("10 mod 3 + 1 =", None),
        ("17 / 5 remainder =", None),
        ("5 cm + 3 mm =", None),
        ("100% - 30% =", None),  # 70% or 0.7
        ("100 - 30% =", "70"),
        ("3/5 =", None),  # 6/10?
        ("3 / 5 =", "0.6"),
        ("3/5 + 1/5 =", "0.8"),
        ("", None),
        ("=", None),
        ("9" * 400 + " * 9 =", None),  # beyond the arithmetic's bounds
    ],
)
def test_a_result_is_due_after_an_expression_and_an_equals_sign(text, result):
    assert due(text) == result


# --- the processor, driven by hand

PROMPT = 4  # tokens of a prompt that the processor must not read


class Writer:
    """One row of greedy decoding whose next-token scores a test sets by hand."""

    def __init__(self, tokenizer, text: str):
        self.tokenizer = tokenizer
        self.processor = CalculatorProcessor(tokenizer, PROMPT, 1, len(tokenizer))
        self.ids = [0] * PROMPT + tokenizer.encode(text, add_special_tokens=False)

    @property
    def text(self) -> str:
        return self.tokenizer.decode(self.ids[PROMPT:])

    def raw(self, wanted: dict[str, float]) -> torch.Tensor:
        """What the model says: these pieces have these logits, all others -20."""
        scores = torch.full((1, len(self.tokenizer)), -20.0)
        for piece, logit in wanted.items():
            (index,) = self.tokenizer.encode(piece, add_special_tokens=False)
            scores[0, index] = logit
        return scores

    def scores(self, wanted: dict[str, float]) -> torch.Tensor:
        """What the calculator makes of it."""
        return self.processor(torch.tensor([self.ids]), self.raw(wanted))[0]

    def write(self, wanted: dict[str, float]) -> str:
        """Take the best token; returns its text."""
        self.ids.append(int(self.scores(wanted).argmax()))
        return self.tokenizer.decode(self.ids[-1:])


def test_the_result_is_written_whatever_digits_the_model_wants(tiny_tokenizer):
    writer = Writer(tiny_tokenizer, "Step 1: 13 + 24 = ")
    assert writer.write({"9": 5.0}) + writer.write({"9": 5.0}) == "37"
    places = {len(writer.ids) - PROMPT - 2, len(writer.ids) - PROMPT - 1}
    assert writer.processor.computed == [places]


def test_a_forced_token_is_the_only_one_that_can_be_sampled(tiny_tokenizer):
    writer = Writer(tiny_tokenizer, "13 + 24 = ")
    assert int(torch.isfinite(writer.scores({"9": 5.0})).sum()) == 1


@pytest.mark.parametrize(
    "text, result", [("3 - 8 = ", "-5"), ("7 / 2 = ", "3.5"), ("1000 * 5 = ", "5000"), ("5 - 5 = ", "0")]
)
def test_signs_points_and_zeros_are_written_too(tiny_tokenizer, text, result):
    writer = Writer(tiny_tokenizer, text)
    while writer.text != text + result:
        assert (text + result).startswith(writer.text + writer.write({"9": 5.0}))
    assert writer.write({"9": 5.0, " ": 1.0}) == " "


def test_no_further_digit_follows_a_result(tiny_tokenizer):
    writer = Writer(tiny_tokenizer, "5 * 2 = ")
    assert writer.write({"1": 5.0}) + writer.write({"1": 5.0}) == "10"
    assert writer.write({"0": 9.0, ".": 1.0}) == "."  # not 100
    assert writer.write({"5": 9.0, " ": 1.0}) == " "  # and not 10.5
    assert writer.write({"5": 9.0, " ": 1.0}) == "5"  # a new number is the model's own again


def test_nothing_happens_before_the_first_token_and_in_ordinary_text(tiny_tokenizer):
    for text in ("", "Ana has 3 apples and ", "5 * 2 = 1", "10 / 3 = "):
        writer = Writer(tiny_tokenizer, text)
        assert torch.equal(writer.scores({"9": 5.0}), writer.raw({"9": 5.0})[0]), text
        assert writer.processor.computed == [set()]


def test_a_digit_cannot_slip_past_when_the_model_begins_with_a_space(tiny_tokenizer):
    writer = Writer(tiny_tokenizer, "5 * 2 =")
    scores = writer.scores({" ": 2.0, "7": 1.9, "-": -1.0})  # a sampler might well take the 7
    assert all(scores[tiny_tokenizer.encode(piece)[0]] == -float("inf") for piece in "0123456789-")
    assert writer.write({" ": 2.0, "7": 1.9}) == " "
    assert writer.write({"7": 2.0, "x": 1.0}) == "1"
    assert writer.write({"7": 2.0}) == "0"


def test_the_calculator_steps_back_when_the_model_writes_no_number(tiny_tokenizer):
    writer = Writer(tiny_tokenizer, "5 * 2 = ")
    assert writer.write({"7": 1.0, "x": 4.0}) == "x"
    assert writer.write({"7": 5.0}) == "7"
    assert writer.processor.computed == [set()]


def test_the_prompt_is_not_read_as_an_expression(tiny_tokenizer):
    ids = tiny_tokenizer.encode("5 * 2 =", add_special_tokens=False)
    processor = CalculatorProcessor(tiny_tokenizer, len(ids), 1, len(tiny_tokenizer))
    scores = torch.zeros(1, len(tiny_tokenizer))
    assert torch.equal(processor(torch.tensor([ids]), scores), scores)
    space = tiny_tokenizer.encode(" ", add_special_tokens=False)
    assert torch.equal(processor(torch.tensor([ids + space]), scores), scores)


def test_a_sum_of_many_tokens_is_computed_whole(tiny_tokenizer):
    terms = " + ".join(map(str, range(100, 120)))
    writer = Writer(tiny_tokenizer, f"<think>\n{terms} = ")
    assert len(tiny_tokenizer.encode(terms)) > 96  # one token a character
    assert "".join(writer.write({"9": 5.0}) for _ in range(4)) == "2190"


@pytest.mark.parametrize("before, computes", [("\n", True), (" ", False)])
def test_a_line_that_began_too_long_ago_gets_no_result(tiny_tokenizer, before, computes):
    writer = Writer(tiny_tokenizer, "a" * TAIL_TOKENS + before + "13 + 24 = ")
    assert (writer.write({"9": 5.0}) == "3") is computes
    writer = Writer(tiny_tokenizer, "1" * 99 + " + " + "9" * TAIL_TOKENS + " + 1 = ")
    assert writer.write({"4": 5.0}) == "4"


def test_rows_of_a_batch_are_computed_apart(tiny_tokenizer):
    rows = [
        tiny_tokenizer.encode(text, add_special_tokens=False) for text in ("5 * 2 = ", "9 - 2 = ", "5 apple ")
    ]
    length, newline = max(map(len, rows)), tiny_tokenizer.encode("\n")
    processor = CalculatorProcessor(tiny_tokenizer, 1, 3, len(tiny_tokenizer))
    ids = torch.tensor([[0, *newline * (length - len(row)), *row] for row in rows])
    written = [""] * 3
    for _ in range(2):
        scores = torch.full((3, len(tiny_tokenizer)), -20.0)
        scores[:, tiny_tokenizer.encode("4")[0]] = 5.0
        scores[:, tiny_tokenizer.encode("z")[0]] = 1.0
        best = processor(ids, scores).argmax(-1, keepdim=True)
        written = [
            text + tiny_tokenizer.decode(row) for text, row in zip(written, best.tolist(), strict=True)
        ]
        ids = torch.cat([ids, best], dim=1)
    assert written == ["10", "7z", "44"]
    assert processor.computed == [{length, length + 1}, {length}, set()]


# --- in a model that has learned a wrong sum by heart

WRONG = "<think>\nStep 1: Ana has 13 + 24 = 99 apples.\n</think>\n\nThe answer is 99.<|im_end|>"


@pytest.fixture(scope="module")
def parrot(tiny_model_folder) -> HFEngine:
    """An engine whose model says WRONG to PROBLEM, and nothing else."""
    engine = load_engine(f"hf:{tiny_model_folder}")
    engine._model = copy.deepcopy(engine._model)
    prompt = encode_conversation(conversation(PROBLEM), engine._tokenizer)
    reply = engine._tokenizer.encode(WRONG, add_special_tokens=False)
    ids = torch.tensor([prompt + reply])
    labels = torch.tensor([[-100] * len(prompt) + reply])
    torch.manual_seed(0)
    optimizer = torch.optim.AdamW(engine._model.parameters(), lr=1e-2)
    for _ in range(300):
        loss = engine._model(input_ids=ids, labels=labels).loss
        if loss < 0.01:
            break
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.01
    return engine


def test_without_the_calculator_the_model_writes_its_own_wrong_sum(parrot):
    generation = gather(parrot.stream(conversation(PROBLEM), Sampling(64, calculator=False)))
    assert generation.text + "<|im_end|>" == WRONG
    assert generation.computed == ()


@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_with_the_calculator_the_sum_is_right_and_marked_as_computed(parrot, temperature):
    sampling = Sampling(64, temperature=temperature)
    streamed = gather(parrot.stream(conversation(PROBLEM), sampling))
    ((_, batched),) = parrot.replies([conversation(PROBLEM)], sampling)
    for generation in (streamed, batched):
        assert generation.text.startswith("<think>\nStep 1: Ana has 13 + 24 = 37")
        assert not generation.text[len("<think>\nStep 1: Ana has 13 + 24 = 37") :][:1].isdigit()
        assert "".join(generation.text[start:end] for start, end in generation.computed[:2]).startswith("37")
    assert batched.computed[0] == (batched.text.index("37"), batched.text.index("37") + 2)


def test_rows_of_another_length_get_the_same_help(parrot):
    asked = [conversation(PROBLEM), conversation("Ben.")]
    replies = dict(parrot.replies(asked, Sampling(64)))
    assert "13 + 24 = 37" in replies[0].text
