"""Local models through transformers: streams for the app, sorted batches for evaluation.

    engine = HFEngine("assets/models/pocket/tuned")

Weights are read from safetensors only and no code of a model is ever run. A model with ChatML tokens
is prompted in the project's chat format (`mathtutor.chat`); any other by its own chat template.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

# A spinning OpenMP pool costs up to eight times the time when two replies are decoded at once.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.generation.streamers import BaseStreamer  # noqa: E402

from mathtutor.chat import (  # noqa: E402
    END,
    START,
    Conversation,
    defuse,
    encode_conversation,
    render_conversation,
)
from mathtutor.engines import Delta, Generation, Sampling  # noqa: E402
from mathtutor.engines.calculator import CalculatorProcessor  # noqa: E402
from mathtutor.engines.cycles import EVERY, TAIL_TOKENS, goes_in_circles  # noqa: E402
from mathtutor.io import sha256_file  # noqa: E402

# transformers' loader is not safe in two threads at once: the second model can keep weights without data.
_LOADING = threading.Lock()


class HFEngine:
    """One model in memory. Safe to use from several threads, which then share the processor."""

    calculates = True

    def __init__(self, path: str, name: str | None = None, device: str = "auto", batch_size: int = 64):
        self.name, self.path = name or f"hf:{path}", path
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self.batch_size = batch_size
        try:
            with _LOADING:
                self._tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False, padding_side="left")
                self._model = AutoModelForCausalLM.from_pretrained(
                    path,
                    trust_remote_code=False,
                    use_safetensors=True,
                    # Processors without 16-bit units compute in 32 bit several times faster.
                    dtype="auto" if self.device == "cuda" else torch.float32,
                )
        except (OSError, ValueError, ImportError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"the model {path} could not be loaded: {reason}") from error
        self._model.to(self.device).eval()
        # What was loaded, for the records: the file's hash of a folder, the commit of a hub model.
        weights = Path(path) / "model.safetensors"
        self.revision = sha256_file(weights)[:16] if weights.exists() else getattr(self._model.config, "_commit_hash", "")
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

    def _encode(self, conversation: Conversation) -> list[int]:
        if self._is_chatml:
            return encode_conversation(conversation, self._tokenizer)
        control = [token.content for token in self._tokenizer.added_tokens_decoder.values()]
        safe = [{**message, "content": defuse(message["content"], control)} for message in conversation]
        return self._tokenizer.apply_chat_template(safe, add_generation_prompt=True, return_dict=False)

    def _prompt_text(self, conversation: Conversation, ids: list[int]) -> str:
        return render_conversation(conversation) if self._is_chatml else self._tokenizer.decode(ids)

    def _generate(self, ids, mask, sampling: Sampling, stop: threading.Event, streamer=None):
        """(token ids (rows, time), calculator or None, rows in circles); runs in the calling thread."""
        calculator = None
        cycles = _StopCycles(self._tokenizer, ids.shape[1])
        processors = LogitsProcessorList()
        if sampling.calculator:
            calculator = CalculatorProcessor(self._tokenizer, ids.shape[1], ids.shape[0], self._model.config.vocab_size)
            processors.append(calculator)
            if streamer is not None:
                streamer.computed = calculator.computed[0]
        options = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
            options = {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k or None,
            }
        with torch.inference_mode():
            output = self._model.generate(
                input_ids=ids.to(self.device),
                attention_mask=mask.to(self.device),
                max_new_tokens=sampling.max_tokens,
                logits_processor=processors,
                stopping_criteria=StoppingCriteriaList([_StopWhenSet(stop), cycles]),
                eos_token_id=sorted(self._ends),
                pad_token_id=self._tokenizer.pad_token_id,
                streamer=streamer,
                **options,
            )
        return output, calculator, cycles.found

    def stream(
        self, conversation: Conversation, sampling: Sampling = Sampling(), stop: threading.Event | None = None
    ) -> Iterator[Delta]:
        """Deltas as the tokens come. Leaving the loop early ends the computing too."""
        ids = torch.tensor([self._encode(conversation)])
        abandoned = _AnyOf(stop)
        streamer = _TokenQueue()

        def work():
            try:
                _, _, cycling = self._generate(ids, torch.ones_like(ids), sampling, abandoned, streamer)
                streamer.in_circles = bool(cycling)
            except BaseException as error:  # it belongs to the thread that reads the stream
                streamer.tokens.put(error)
            finally:
                streamer.tokens.put(None)

        worker = threading.Thread(target=work, daemon=True, name="generate")
        worker.start()
        try:
            yield from self._deltas(streamer, abandoned, sampling)
        finally:
            abandoned.set()
            worker.join()

    def _deltas(self, streamer: _TokenQueue, stop: _AnyOf, sampling: Sampling) -> Iterator[Delta]:
        ids: list[int] = []
        text, shown = "", 0
        waiting, all_computed = 0, True  # tokens not shown yet: half a character, say
        while (token := streamer.tokens.get()) is not None:
            if isinstance(token, BaseException):
                raise token
            if token in self._ends:
                yield Delta("", 1, finish="stop")
                return
            ids.append(token)
            waiting += 1
            all_computed &= len(ids) - 1 in streamer.computed
            text = self._tokenizer.decode(ids)
            if text.endswith("\ufffd"):
                continue
            yield Delta(text[shown:], waiting, computed=all_computed)
            shown, waiting, all_computed = len(text), 0, True
        finish = "stopped" if stop.is_set() else "repeating" if streamer.in_circles else "length"
        yield Delta(text[shown:], waiting, finish=finish)

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        """Batches of prompts of like length; `seconds` is a batch's time shared among its rows.

        Each batch is sampled from `sampling.seed` alone: who wants other draws in another batch asks
        for one batch a call, as `eval.run` does.
        """
        encoded = [self._encode(conversation) for conversation in conversations]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        halt = stop or threading.Event()
        for start in range(0, len(order), self.batch_size):
            indices = order[start : start + self.batch_size]
            longest = max(len(encoded[i]) for i in indices)
            ids = torch.full((len(indices), longest), self._tokenizer.pad_token_id)
            mask = torch.zeros_like(ids)
            for row, i in enumerate(indices):  # padded on the left
                ids[row, longest - len(encoded[i]) :] = torch.tensor(encoded[i])
                mask[row, longest - len(encoded[i]) :] = 1
            started = time.monotonic()
            output, calculator, cycling = self._generate(ids, mask, sampling, halt)
            if halt.is_set():
                return  # half-written replies are not results
            seconds = (time.monotonic() - started) / len(indices)
            for row, i in enumerate(indices):
                reply = output[row, longest:].tolist()
                end = next((n for n, token in enumerate(reply) if token in self._ends), None)
                finish = "length" if end is None else "stop"
                if row in cycling and (end is None or cycling[row] <= end):  # what follows is padding
                    end, finish = cycling[row], "repeating"
                kept = reply if end is None else reply[:end]
                computed = calculator.computed[row] if calculator else set()
                yield (
                    i,
                    Generation(
                        text=self._tokenizer.decode(kept),
                        num_tokens=len(kept) + (finish == "stop"),
                        seconds=seconds,
                        finish=finish,
                        prompt=self._prompt_text(conversations[i], encoded[i]),
                        computed=self._spans(kept, computed),
                    ),
                )

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


class _StopWhenSet(StoppingCriteria):
    """Asked after every token."""

    def __init__(self, event):
        self._event = event

    def __call__(self, input_ids, scores, **_):
        return torch.full((input_ids.shape[0],), self._event.is_set(), device=input_ids.device)


class _StopCycles(StoppingCriteria):
    """Ends the rows whose reply goes in circles; `found` maps such a row to its length in tokens."""

    def __init__(self, tokenizer, prompt_length: int):
        self.found: dict[int, int] = {}
        self._tokenizer, self._prompt_length = tokenizer, prompt_length

    def __call__(self, input_ids, scores, **_):
        place = input_ids.shape[1] - self._prompt_length
        if place and place % EVERY == 0:
            pad = self._tokenizer.pad_token_id
            for row, last in enumerate(input_ids[:, -1].tolist()):
                if row not in self.found and last != pad:
                    tail = input_ids[row, max(self._prompt_length, input_ids.shape[1] - TAIL_TOKENS) :]
                    if goes_in_circles(self._tokenizer.decode(tail)):
                        self.found[row] = place
        return torch.tensor([row in self.found for row in range(input_ids.shape[0])], device=input_ids.device)


class _TokenQueue(BaseStreamer):
    """Hands token ids from `generate` to the reader; the first `put` is the prompt."""

    def __init__(self):
        self.tokens: queue.Queue = queue.Queue()
        self.computed: set[int] = set()
        self.in_circles = False
        self._is_prompt = True

    def put(self, value):
        if self._is_prompt:
            self._is_prompt = False
            return
        for token in value.flatten().tolist():
            self.tokens.put(token)

    def end(self):
        pass
