"""The models at hand: the page's own two, and those of assets/models.yaml, loaded when they are first chosen.

    shelf = Shelf({"base": base, "tuned": tuned})
    shelf.titles()                  ->  {"base": "pocket-base", "tuned": "pocket", "qwen3-4b": "Qwen3 4B", ...}
    shelf.take(["tuned", "qwen3-4b"])   both, loading where they are not; what is not needed makes room

A download ends when nobody waits for it any more; whole files stay for whoever asks next.
The page's own two always stay. Of the others the least recently taken goes first, and only when there is too little memory.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from mathtutor.engines import Engine
from mathtutor.engines.models import Machine, Model, TooLarge, fit, load_models, this_machine
from ui.streams import LazyEngine


class Shelf:
    """Engines by name. `machine` tells what memory is free now; safe to use from several threads."""

    def __init__(
        self,
        own: dict[str, Engine],
        models: dict[str, Model] | None = None,
        machine: Callable[[], Machine] = this_machine,
        load: Callable[[str], LazyEngine] = partial(LazyEngine, may_stop=True),
    ):
        self.own = own
        self._models = load_models() if models is None else models
        self._machine, self._load = machine, load
        self._loaded: OrderedDict[str, LazyEngine] = OrderedDict()
        self._lock = threading.Lock()

    def titles(self) -> dict[str, str]:
        """What stands in the lists, by name: the page's own two, then all others, with their size where they must be fetched."""
        shown = {name: engine.name for name, engine in self.own.items()}
        for name, model in self._models.items():
            if name not in shown.values():
                size = "" if model.is_here else f" ({model.download / 1e9:.1f} GB)"
                shown[name] = model.title + size
        return shown

    def model(self, name: str) -> Model | None:
        """The entry behind a name; None for an engine that has none."""
        return self._models.get(self.own[name].name if name in self.own else name)

    def take(self, names: Sequence[str]) -> dict[str, Engine]:
        """The engines of `names`, which begin to load. Raises KeyError for an unknown one, TooLarge where one does not fit.

        A failed one is tried again.
        """
        with self._lock:
            for name in names:
                if name in self.own:
                    continue
                if name not in self._models:
                    raise KeyError(name)
                if name in self._loaded and self._loaded[name].failure is None:
                    self._loaded.move_to_end(name)
                    continue
                self._make_room(self._models[name], keep=names)
                self._loaded[name] = self._load(name).start()
            return {name: self.own[name] if name in self.own else self._loaded[name] for name in names}

    def _make_room(self, model: Model, keep: Sequence[str]) -> None:
        while model.engine.startswith("hf:"):  # a server has its own memory
            try:
                fit(model, self._machine())
                return
            except TooLarge:
                spare = next((name for name in self._loaded if name not in keep), None)
                if spare is None:
                    raise
                del self._loaded[spare]
                _give_memory_back()


def _give_memory_back() -> None:
    gc.collect()
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()
