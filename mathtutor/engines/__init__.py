"""Engines turn a conversation into a reply, in pieces or in batches.

    engine = load_engine("pocket")
    for delta in engine.stream(conversation("Ana has 3 apples and buys 4 more. How many?")):
        print(delta.text, end="")

An engine spec is a string:

    pocket              the tuned model that ships with this repository
    pocket-base         the model it was tuned from
    qwen3-4b, ...       any other name of assets/models.yaml, held as this machine can (`mathtutor.engines.models.fit`)
    hf:ORG/NAME         a model on the hub (safetensors only, no remote code)
    hf:PATH             the same from a local folder
    openai:URL#MODEL    any OpenAI-compatible server, e.g. openai:http://127.0.0.1:8000/v1#qwen3
    scripted:FILE       replies read from a JSON file: tests and interface work
"""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mathtutor.chat import Conversation
from mathtutor.engines.models import Model, fit, load_models, this_machine


class UsedUp(RuntimeError):
    """The machine is lent, and whoever asks has no more time on it now."""


OnBytes = Callable[[int, int], None]  # of a download: (bytes done, bytes in all)
MODELS = Path(__file__).resolve().parents[2] / "assets" / "models"
SHIPPED = {"pocket": MODELS / "pocket" / "tuned", "pocket-base": MODELS / "pocket" / "base"}


@dataclass(frozen=True)
class Sampling:
    """How a reply is decoded. `temperature` 0 is greedy; `max_tokens` counts new tokens."""

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0  # 0: no limit
    seed: int = 0
    calculator: bool = True  # local engines only: results after "=" are computed, see `calculator.py`
    thinking: bool | None = None  # asked for, or turned off, as Qwen3's template does; None: as the model does by itself
    think_budget: int = 0  # tokens after which the reasoning is ended by `think_stop`; 0: no limit
    think_stop: str = "\n</think>\n\n"
    logprobs: bool = False  # whether replies come with their mean log-probability

    def __post_init__(self):
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be 0 (greedy) or more, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1], not {self.top_p}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (no limit) or more, not {self.top_k}")
        if self.think_budget < 0:
            raise ValueError(f"think_budget must be 0 (no limit) or more, not {self.think_budget}")


@dataclass(frozen=True)
class Delta:
    """The next piece of a reply. Only the last one has a `finish`, and it may carry no text."""

    text: str
    num_tokens: int = 1
    computed: bool = False  # written by the calculator, not by the model
    # "stop": the model ended; "length": the limit did; "repeating": it went in circles and was ended;
    # "stopped": the caller did; "failed": the engine did; "used up": the caller has no more time on a lent machine
    finish: str | None = None
    logprobs: tuple[float, ...] = ()  # of the piece's tokens, where a server was asked for them
    pieces: bool = False  # the server told no number of tokens: the pieces of its stream were counted


@dataclass(frozen=True)
class Generation:
    """A whole reply and how it came about.

    Finish "failed": this one conversation got no reply, where others of the same call may have; text is "".
    """

    text: str
    num_tokens: int
    seconds: float
    finish: str  # as in Delta
    prompt: str = ""  # the exact text that the model was given
    computed: tuple[tuple[int, int], ...] = ()  # (start, end) character spans written by the calculator
    logprob: float | None = None  # mean over the tokens that the model chose itself, where `Sampling.logprobs` asks
    pieces: bool = False  # num_tokens counts pieces of a stream, of which each may hold several tokens


class Engine(Protocol):
    """What every engine offers. `stop`, once set, ends all work within one token.

    A conversation that ends with an assistant's turn is gone on with from there: the reply is what follows it.
    """

    name: str
    calculates: bool  # whether `Sampling.calculator` has an effect here
    # Engines that decode several conversations together have a `batch_size`: the last bits of a row's scores
    # depend on the whole batch; where `rows_are_independent`, on nothing or on the number of its rows alone. Those that know what they answer with have a
    # `revision`, a hash or commit.

    def stream(
        self, conversation: Conversation, sampling: Sampling = Sampling(), stop: threading.Event | None = None
    ) -> Iterator[Delta]: ...

    def replies(
        self,
        conversations: Sequence[Conversation],
        sampling: Sampling = Sampling(),
        stop: threading.Event | None = None,
        seeds: Sequence[int] | None = None,
    ) -> Iterator[tuple[int, Generation]]:
        """(index, generation) in the order in which they finish; indices are of `conversations`.

        `seeds`: one for each conversation, in the place of `sampling.seed`.
        """
        ...


def gather(deltas: Iterable[Delta], seconds: float = 0.0, prompt: str = "") -> Generation:
    """Fold a stream into one Generation."""
    text, num_tokens, finish, spans = "", 0, "stopped", []
    logprobs: list[float] = []
    pieces = False
    for delta in deltas:
        if delta.computed:
            # A number comes digit by digit: neighbours are one span.
            start = spans.pop()[0] if spans and spans[-1][1] == len(text) else len(text)
            spans.append((start, len(text) + len(delta.text)))
        text += delta.text
        num_tokens += delta.num_tokens
        finish = delta.finish or finish
        logprobs += delta.logprobs
        pieces = pieces or delta.pieces
    logprob = sum(logprobs) / len(logprobs) if logprobs else None
    return Generation(text, num_tokens, seconds, finish, prompt, tuple(spans), logprob, pieces)


def where(error: BaseException) -> str:
    """An error's kind and place, for the log. Its message is left out: it may quote the problem."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place


_URL = re.compile(r"\w+://[^\s'\"<>#]*")


def without_urls(text: str) -> str:
    """`text` with every URL cut down to its host: the rest of one may hold a key."""

    def host(match: re.Match) -> str:
        return match.group().partition("://")[2].split("/")[0].split("?")[0].rpartition("@")[2] or "a server"

    return _URL.sub(host, text)


def display_name(spec: str) -> str:
    """What may be shown and logged of an engine spec.

    pocket                                          pocket
    openai:https://ana:key@example.org/v1#qwen3     qwen3 at example.org
    hf:ORG/NAME, hf:/home/ana/models/NAME           ORG/NAME, NAME
    scripted:replies/FILE.json                      scripted
    """
    kind, _, rest = spec.partition(":")
    if kind == "openai":
        url, _, model = rest.rpartition("#")
        host = without_urls(url if "://" in url else f"http://{url}")
        return f"{_model_name(model)} at {host}" if url and model else "an unnamed server"
    if kind == "hf":
        return _model_name(rest)
    return "scripted" if kind == "scripted" else without_urls(spec)


def is_served(spec: str) -> bool:
    """Whether a spec names a server, which lays out its prompts by a template of its own."""
    model = load_models().get(spec)
    return (model.engine if model else spec).partition(":")[0] == "openai"


def calculates(spec: str) -> bool:
    """Whether `Sampling.calculator` has an effect with the engine of a spec, without loading it: servers decode by themselves."""
    model = load_models().get(spec)
    return (model.engine if model else spec).partition(":")[0] not in ("openai", "scripted")


def _model_name(name: str) -> str:
    """ORG/NAME as it is; of anything else, a folder for example, the last part."""
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else re.split(r"[/\\]", name.rstrip("/\\"))[-1]


def load_engine(spec: str, on_bytes: OnBytes | None = None, stop: threading.Event | None = None) -> Engine:
    """The engine that `spec` names; raises ValueError with the known forms on anything else.

    `on_bytes` hears of a download, which `stop` ends (a ValueError). Heavy libraries are imported here, not at the top: the app's page opens before
    torch is loaded.
    """
    from mathtutor.engines import zero

    kind, _, rest = spec.partition(":")
    if spec in SHIPPED:
        from mathtutor.engines.hf import HFEngine

        if not (SHIPPED[spec] / "config.json").exists():
            raise ValueError(f"{spec} is not built yet: run `make pocket`, or choose another engine")
        # A lent card is not worth asking for: it answers on a processor before one is there.
        return HFEngine(str(SHIPPED[spec]), name=spec, **({"device": "cpu"} if zero.is_on() else {}))
    if model := load_models().get(spec):
        return _load_named(spec, model, on_bytes, stop)
    if kind == "hf" and rest:
        return _local(_fetched(rest, on_bytes, stop), name=spec)
    if kind == "openai" and rest:
        from mathtutor.engines.openai import OpenAIEngine

        url, _, model = rest.rpartition("#")
        if not url or not model:
            raise ValueError(f"{without_urls(spec)!r} names no model: write openai:URL#MODEL")
        return OpenAIEngine(url, model)
    if kind == "scripted" and rest:
        from mathtutor.engines.scripted import ScriptedEngine

        return ScriptedEngine.from_file(rest)
    raise ValueError(
        f"unknown engine {without_urls(spec)!r}: use a name of assets/models.yaml ({', '.join(load_models())}), hf:ORG/NAME, "
        "hf:PATH, openai:URL#MODEL or scripted:FILE"
    )


def _load_named(name: str, model: Model, on_bytes: OnBytes | None, stop: threading.Event | None) -> Engine:
    """A model of assets/models.yaml; raises TooLarge (a ValueError) before anything of it is fetched."""
    kind, _, rest = model.engine.partition(":")
    if kind != "hf":
        return load_engine(model.engine)
    from mathtutor.engines import zero
    from mathtutor.engines.hf import has_bitsandbytes

    held = fit(model, this_machine(), has_bitsandbytes() and not zero.is_on())  # there nothing is short of room, and 4 bit needs the card at once
    return _local(_fetched(rest, on_bytes, stop), name=name, device=held.device, bits=held.bits)


def _local(path: str, **options) -> Engine:
    """A model of a folder, on this machine's own card or processor, or on the card that a ZeroGPU Space lends."""
    from mathtutor.engines import zero
    from mathtutor.engines.hf import HFEngine

    return zero.ZeroEngine(HFEngine(path, **options, waits=zero.is_elsewhere())) if zero.is_on() else HFEngine(path, **options)


def _fetched(path: str, on_bytes: OnBytes | None, stop: threading.Event | None) -> str:
    """A folder as it is; ORG/NAME as a folder of the hub's cache, fetched where it is not there yet.

    Without the network, and with all files there, the cache is enough.
    """
    if Path(path).is_dir() or not re.fullmatch(r"[\w.-]+/[\w.-]+", path):
        return path
    from huggingface_hub import constants, snapshot_download

    from mathtutor.engines.hub import WANTED, fetch

    if constants.HF_HUB_OFFLINE:
        try:
            return snapshot_download(path, allow_patterns=list(WANTED), local_files_only=True)
        except OSError as error:
            raise ValueError(f"the model {path} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it") from error
    return fetch(path, on_bytes, stop)
