"""Local models: streams for the app, batches for evaluation.

    engine = HFEngine("assets/models/pocket/tuned")

Weights are read from safetensors only and no code of a model is ever run. A model with ChatML tokens
is prompted in the project's chat format (`mathtutor.chat`); any other by its own chat template.

A Qwen3 on a processor, as Pocket is one, is decoded by the lean loop here over `qwen3.py`, several times
faster than by transformers' `generate`, which decodes every other model. Both go through the same rows
(`rows.py`) and write the same replies.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

# A spinning OpenMP pool costs up to eight times the time when two replies are decoded at once.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from mathtutor.chat import (  # noqa: E402
    END,
    NO_THINKING,
    START,
    Conversation,
    defuse,
    encode_conversation,
    open_reply,
    render_conversation,
)
from mathtutor.engines import Delta, Generation, Sampling  # noqa: E402
from mathtutor.engines.models import ADAPTER, no_model  # noqa: E402
from mathtutor.engines.qwen3 import Cache, Qwen3, is_supported  # noqa: E402
from mathtutor.engines.rows import Row, Rules, draw  # noqa: E402
from mathtutor.io import hash_of_weights  # noqa: E402

CACHE_BYTES = 2 * 2**30  # what the slots of one call may take: a larger model gets fewer
WORTH_SHARING = 32  # tokens of a common beginning; a shorter one is read again for each prompt

# transformers' loader is not safe in two threads at once: the second model can keep weights without data.
_LOADING = threading.Lock()


def has_bitsandbytes() -> bool:
    return importlib.util.find_spec("bitsandbytes") is not None


def _four_bit() -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
    )  # fmt: skip


class HFEngine:
    """One model in memory. Safe to use from several threads, which then share the processor."""

    calculates = True

    def __init__(self, path: str, name: str | None = None, device: str = "auto", batch_size: int = 64, bits: int | None = None, waits: bool = False):
        """`bits` a weight: 4 asks for NF4, which needs bitsandbytes; None: 16 on a graphics card, 32 on a processor.

        `waits`: the weights stay in memory until `arrive` (`zero.py`).
        """
        path = os.path.expanduser(path)  # no shell does it behind "hf:"
        self.name, self.path = name or f"hf:{path}", path
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.batch_size = batch_size
        if reason := no_model(path):
            raise ValueError(f"the model {path} could not be loaded: {reason}")
        try:
            with _LOADING:
                self._tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, padding_side="left")
                self._model = AutoModelForCausalLM.from_pretrained(
                    path,
                    trust_remote_code=False,
                    use_safetensors=True,
                    # Processors without 16-bit units compute in 32 bit several times faster.
                    dtype="auto" if self.device == "cuda" else torch.float32,
                    **({"quantization_config": _four_bit(), "device_map": {"": self.device}} if bits == 4 else {}),
                )
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"the model {path} could not be loaded: {reason}") from error
        if getattr(self._model, "_hf_peft_config_loaded", False):  # our own forward pass would leave it out without a word
            raise ValueError(f"the model {path} could not be loaded: {ADAPTER}")
        self._may_move = bits != 4  # bitsandbytes puts its weights where they belong
        self._model.eval()
        if not waits:
            self.arrive()
        # What was loaded, for the records: the file's hash of a folder, the commit of a hub model.
        folder = Path(path)
        if folder.parent.name == "snapshots":  # of the hub's cache: its name is the commit
            self.revision = folder.name
        else:
            self.revision = hash_of_weights(folder)
        if bits == 4:  # other replies than those of the same weights in 16
            self.revision += "+nf4"
        added = {token.content for token in self._tokenizer.added_tokens_decoder.values()}
        self._is_chatml = {START, END} <= added
        if not self._is_chatml and not self._tokenizer.chat_template:
            raise ValueError(f"the model {path} has no chat template: it cannot be asked a problem")
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        ends = self._model.generation_config.eos_token_id
        self._ends = set(ends if isinstance(ends, list) else [ends]) | {self._tokenizer.eos_token_id}
        if self._is_chatml:
            self._ends.add(self._tokenizer.convert_tokens_to_ids(END))
        self._ends.discard(None)
        self._rules = Rules(self._tokenizer, self._ends, self._model.config.vocab_size)
        self._lean: tuple | None = None
        self._making = threading.Lock()
        self._beginnings: dict[tuple, list[int]] = {}

    def arrive(self) -> None:
        """Put the weights where they are computed with; nothing where they are there."""
        if self._may_move:
            self._model.to(self.device)

    @property
    def rows_are_independent(self) -> bool:
        """Whether a reply depends on nothing that is decoded beside it, but for what the number of rows does to rounding."""
        return self._forward is not None

    @property
    def _forward(self) -> Qwen3 | None:
        """The lean forward pass, made of the weights at its first use; None for a model that it does not know."""
        with self._making:
            if self._lean is None or self._lean[0] is not self._model:
                self._lean = (self._model, Qwen3(self._model) if is_supported(self._model) else None)
            return self._lean[1]

    def _encode(self, conversation: Conversation, sampling: Sampling) -> list[int]:
        turns, prefill = open_reply(conversation)
        if self._is_chatml:
            return encode_conversation(turns, self._tokenizer, _opening(prefill, sampling))
        control = [token.content for token in self._tokenizer.added_tokens_decoder.values()]
        safe = [{**message, "content": defuse(message["content"], control)} for message in turns]
        thinking = {} if sampling.thinking is None else {"enable_thinking": sampling.thinking}
        ids = self._tokenizer.apply_chat_template(safe, add_generation_prompt=True, return_dict=False, **thinking)
        return ids + (self._tokenizer.encode(prefill, add_special_tokens=False) if prefill else [])

    def _prompt_text(self, conversation: Conversation, ids: list[int], sampling: Sampling) -> str:
        if not self._is_chatml:
            return self._tokenizer.decode(ids)
        turns, prefill = open_reply(conversation)
        return render_conversation(turns, _opening(prefill, sampling))

    def _shared(self, conversation: Conversation, ids: list[int], sampling: Sampling) -> int:
        """How many of the ids stand before the last user's turn: demonstrations, which other prompts have too."""
        turns, _ = open_reply(conversation)
        key = (sampling.thinking, *((turn["role"], turn["content"]) for turn in turns[:-1]))
        if len(key) == 1 or self._forward is None:
            return 0
        if key not in self._beginnings:
            self._beginnings[key] = self._encode([*turns[:-1], {"role": "user", "content": ""}], sampling)
        length = len(os.path.commonprefix([self._beginnings[key], ids[:-1]]))  # it compares any sequences
        return length if length >= WORTH_SHARING else 0

    def _generate(
        self, prompts: Sequence[list[int]], rows: Sequence[Row], sampling: Sampling, stop, on_token=lambda token: None
    ) -> None:
        """Finish all rows together with transformers' `generate`, in the calling thread."""
        longest = max(map(len, prompts))
        ids = torch.full((len(prompts), longest), self._tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):  # padded on the left
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        writing = _Writing(rows, sampling, stop, on_token)
        with torch.inference_mode():
            self._model.generate(
                input_ids=ids.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=sampling.max_tokens,
                logits_processor=LogitsProcessorList([writing.choose]),
                stopping_criteria=StoppingCriteriaList([writing]),
                eos_token_id=sorted(self._ends),
                pad_token_id=self._tokenizer.pad_token_id,
                do_sample=False,  # the rows have drawn
                temperature=None,
                top_p=None,
                top_k=None,
            )

    def _decode(
        self, prompts: Sequence[list[int]], shared: Sequence[int], rows: Sequence[Row], sampling: Sampling, stop
    ) -> Iterator[tuple[int, int]]:
        """Finish all rows with the lean forward pass: (row, token) as the tokens come, each row once a step.

        A finished row's slot goes to the next prompt at once. The longest prompts come first: what is left at
        the end, with ever fewer slots, is short.
        """
        forward = self._forward
        length = max(map(len, prompts)) + sampling.max_tokens
        slots = max(1, min(self.batch_size, len(prompts), CACHE_BYTES // (forward.bytes_per_place() * length)))
        cache = forward.cache(slots, length, spare=_Reader.SPARE)
        reader = _Reader(forward, cache)
        waiting = deque(sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), prompts[i])))
        active: list[int] = []  # the row in each slot from 0 on
        tokens: list[int] = []  # the last one of each
        while (waiting or active) and not stop.is_set():
            started = time.monotonic()
            if waiting and len(active) < slots:
                asked = [waiting.popleft()]
                (i,) = asked
                again = bool(waiting) and prompts[waiting[0]] == prompts[i]
                scores = reader.read(prompts[i], shared[i], len(active), again)[None]
                active.append(i)
                tokens.append(0)
            else:
                asked = list(active)
                scores = forward.step(tokens, [len(prompts[i]) + len(rows[i].ids) - 1 for i in active], cache)
            drawn = _draw(scores, [rows[i] for i in asked], sampling)
            tokens[len(tokens) - len(drawn) :] = drawn
            share = (time.monotonic() - started) / len(asked)
            for i in asked:
                rows[i].seconds += share
            yield from zip(asked, drawn, strict=True)
            for slot in reversed(range(len(active))):
                if rows[active[slot]].finish is None:
                    continue
                last, last_token = active.pop(), tokens.pop()
                if slot < len(active):  # the last slot moves into the gap
                    cache.copy(len(active), slot, len(prompts[last]) + len(rows[last].ids))
                    active[slot], tokens[slot] = last, last_token

    def _tokens(self, prompt: list[int], row: Row, sampling: Sampling, stop: threading.Event) -> Iterator[int]:
        """The tokens of one row as they come. Leaving the loop early ends the computing too."""
        if self._forward is not None:
            yield from (token for _, token in self._decode([prompt], [0], [row], sampling, stop))
            return
        tokens: queue.Queue = queue.Queue()
        abandoned = _AnyOf(stop)

        def work():
            try:
                self._generate([prompt], [row], sampling, abandoned, tokens.put)
                tokens.put(None)
            except BaseException as error:  # it belongs to the thread that reads the stream
                tokens.put(error)

        worker = threading.Thread(target=work, daemon=True, name="generate")
        worker.start()
        try:
            while (token := tokens.get()) is not None:
                if isinstance(token, BaseException):
                    raise token
                yield token
        finally:
            abandoned.set()
            worker.join()

    def stream(
        self, conversation: Conversation, sampling: Sampling = Sampling(), stop: threading.Event | None = None
    ) -> Iterator[Delta]:
        """Deltas as the tokens come. Leaving the loop early ends the computing too."""
        prompt = self._encode(conversation, sampling)
        row = Row(self._rules, sampling, (sampling.seed, 0), prompt)
        ids: list[int] = []
        text, shown = "", 0
        waiting, all_computed = 0, True  # tokens not shown yet: half a character, say
        for token in self._tokens(prompt, row, sampling, stop or threading.Event()):
            if token in self._ends:
                yield Delta("", 1, finish="stop")
                return
            ids.append(token)
            waiting += 1
            all_computed &= len(ids) - 1 in row.computed
            text = self._tokenizer.decode(ids)
            if text.endswith("\ufffd"):
                continue
            yield Delta(text[shown:], waiting, computed=all_computed)
            shown, waiting, all_computed = len(text), 0, True
        yield Delta(text[shown:], waiting, finish=row.finish or "stopped")

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        """As they finish; `seconds` is the time of each step, or batch, shared among its rows.

        Row i is drawn from (`sampling.seed`, i), or from `seeds[i]`, and from nothing else.
        """
        prompts = [self._encode(conversation, sampling) for conversation in conversations]
        keys = [(sampling.seed, i) for i in range(len(prompts))] if seeds is None else [(seed, 0) for seed in seeds]
        rows = [Row(self._rules, sampling, key, ids) for key, ids in zip(keys, prompts, strict=True)]
        halt = stop or threading.Event()
        for i in self._finished(conversations, prompts, rows, sampling, halt):
            row = rows[i]
            own = row.log_probabilities
            yield (
                i,
                Generation(
                    text=self._tokenizer.decode(row.ids),
                    num_tokens=len(row.ids) + (row.finish == "stop"),
                    seconds=row.seconds,
                    finish=row.finish,
                    prompt=self._prompt_text(conversations[i], prompts[i], sampling),
                    computed=self._spans(row.ids, row.computed),
                    logprob=sum(own) / len(own) if own else None,
                ),
            )

    @torch.inference_mode()
    def log_probability(self, conversation: Conversation, reply: str, sampling: Sampling = Sampling()) -> float:
        """The mean log-probability of the tokens of `reply`, its end included, after `conversation`."""
        prompt = self._encode(conversation, sampling)
        ids = self._tokenizer.encode(reply, add_special_tokens=False)
        ids.append(self._tokenizer.convert_tokens_to_ids(END) if self._is_chatml else self._tokenizer.eos_token_id)
        scores = self._model(torch.tensor([prompt + ids], device=self.device)).logits[0, len(prompt) - 1 : -1]
        return scores.float().log_softmax(-1)[range(len(ids)), ids].mean().item()

    def _finished(self, conversations, prompts, rows, sampling: Sampling, halt) -> Iterator[int]:
        """The rows as they finish; half-written ones, after a halt, are not results."""
        if not prompts:
            return
        if self._forward is not None:
            shared = [self._shared(c, ids, sampling) for c, ids in zip(conversations, prompts, strict=True)]
            for i, _ in self._decode(prompts, shared, rows, sampling, halt):
                if rows[i].finish is not None:
                    yield i
            return
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))  # like lengths: little padding
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            started = time.monotonic()
            self._generate([prompts[i] for i in batch], [rows[i] for i in batch], sampling, halt)
            if halt.is_set():
                return
            for i in batch:
                rows[i].seconds = (time.monotonic() - started) / len(batch)
            yield from batch

    def _spans(self, ids: list[int], computed: set[int]) -> tuple[tuple[int, int], ...]:
        """Character spans of the computed tokens; each run of neighbours is one span."""
        spans: list[tuple[int, int]] = []
        for place in sorted(p for p in computed if p < len(ids)):
            start = len(self._tokenizer.decode(ids[:place]))
            end = len(self._tokenizer.decode(ids[: place + 1]))
            if spans and spans[-1][1] == start:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return tuple(spans)


class _AnyOf:
    """Set when the caller's event is, or when the reader has left."""

    def __init__(self, event: threading.Event | None):
        self._event, self._left = event, threading.Event()

    def set(self) -> None:
        self._left.set()

    def is_set(self) -> bool:
        return self._left.is_set() or (self._event is not None and self._event.is_set())


def _opening(prefill: str, sampling: Sampling) -> str:
    """What a ChatML reply begins with."""
    return (NO_THINKING if sampling.thinking is False else "") + prefill


@torch.inference_mode()
def _draw(scores: torch.Tensor, rows: Sequence[Row], sampling: Sampling) -> list[int]:
    """The next token of each row, which takes it. `scores` (rows, vocabulary) are changed in place."""
    own = scores.float().log_softmax(-1) if sampling.logprobs else None
    for row, out in zip(rows, scores, strict=True):
        row.steer(out)
    tokens = draw(scores, sampling, rows)
    for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
        row.take(token, None if own is None else own[place, token].item())
    return tokens


class _Reader:
    """Reads prompts into slots; what prompts have in common is read once and copied."""

    SPARE = 2  # slots for the last beginning and the last whole prompt

    def __init__(self, forward: Qwen3, cache: Cache):
        self._forward, self._cache = forward, cache
        self._at_beginning, self._at_whole = cache.slots - 2, cache.slots - 1
        self._beginning: list[int] = []
        self._whole: tuple[list[int], torch.Tensor] | None = None

    def read(self, prompt: list[int], shared: int, slot: int, again: bool) -> torch.Tensor:
        """The scores after `prompt`, the first `shared` ids of which others may have; `again`: it comes next too."""
        if self._whole is not None and self._whole[0] == prompt:
            self._cache.copy(self._at_whole, slot, len(prompt))
            return self._whole[1].clone()
        if shared:
            if self._beginning != prompt[:shared]:
                self._beginning = prompt[:shared]
                self._forward.prefill(self._beginning, self._cache, self._at_beginning)
            self._cache.copy(self._at_beginning, slot, shared)
        scores = self._forward.prefill(prompt[shared:], self._cache, slot, shared)
        if again:
            self._cache.copy(slot, self._at_whole, len(prompt))
            self._whole = (prompt, scores.clone())
        return scores


class _Writing(StoppingCriteria):
    """Lets rows choose the tokens inside transformers' `generate`, and ends those that are finished."""

    def __init__(self, rows: Sequence[Row], sampling: Sampling, stop, on_token: Callable[[int], None]):
        self._rows, self._sampling, self._stop, self._on_token = rows, sampling, stop, on_token

    def choose(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """A logits processor: all scores but that of the chosen token are -inf."""
        live = [i for i, row in enumerate(self._rows) if row.finish is None]
        tokens = _draw(scores[live], [self._rows[i] for i in live], self._sampling)
        chosen = torch.full_like(scores, -torch.inf)
        chosen[:, 0] = 0.0  # finished rows: generate pads them whatever we say
        chosen[live, 0] = -torch.inf
        chosen[live, tokens] = 0.0
        for token in tokens:
            self._on_token(token)
        return chosen

    def __call__(self, input_ids: torch.Tensor, scores, **_) -> torch.Tensor:
        done = [row.finish is not None or self._stop.is_set() for row in self._rows]
        return torch.tensor(done, device=input_ids.device)
