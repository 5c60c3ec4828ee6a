"""The hub's metadata for model cards: `model-index`, a file a model.

    model_index(collect(folders)["runs"])       # {"pocket": [...]}, as huggingface_hub writes and checks it
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from eval.benchmarks import table
from eval.modes import FILE_PREFIX
from mathtutor.sources import SOURCES

PROMPT = ("system", "user", "prefill", "shown")  # what of a prompt mode a model is given


def model_index(runs: Sequence[dict]) -> dict[str, list[dict]]:
    """The `model-index` of a model card, by model, in the hub's own form (huggingface_hub writes and checks it).

    A model is an engine at one revision: models that are called the same have a card each, "NAME 1", "NAME 2" in the
    order of the runs.

    Values are per cent. What a run is, and what it cut off, stands in the metric's arguments, so that no figure travels
    without it; nothing is marked as verified, which is the hub's to say.
    """
    from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index

    by_model: dict[tuple[str, str], list] = defaultdict(list)
    for run in runs:
        if run["accuracy"] is None:
            continue
        hub = hub_of(run)
        by_model[run["engine"], run["model"]].append(
            EvalResult(
                task_type="text-generation",
                task_name="Math word problems",
                dataset_type=hub["id"],
                dataset_name=run["benchmark"],
                dataset_config=hub["config"],
                dataset_split=hub["split"],
                dataset_revision=hub["revision"],
                metric_type="accuracy",
                metric_name=f"accuracy, {run['mode']['name']} prompt, {run['decoding']}{part_of(run)}",
                metric_value=round(100 * run["accuracy"], 2),
                metric_args={
                    "n": run["n"],
                    "correct": run["correct"],
                    "interval_95": [round(100 * bound, 2) for bound in run["interval"]],
                    **({"interval_95_of_templates": [round(100 * bound, 2) for bound in run["interval_of_groups"]]} if run["interval_of_groups"] else {}),
                    "cut_off": run["cut_off"],
                    "unparsed": run["unparsed"],
                    "mode": run["mode"]["name"],
                    # Nobody else has the file of a mode of one's own.
                    **({"prompt": {key: run["mode"][key] for key in PROMPT if key in run["mode"]}} if run["mode"]["name"].startswith(FILE_PREFIX) else {}),
                    "decoding": run["decoding"],
                    "revision": run["revision"],
                    "command": run["command"],
                },
            )
        )
    alike = Counter(engine for engine, _ in by_model)
    cards: dict[str, list[dict]] = {}
    for engine, model in by_model:
        place = [other for other in by_model if other[0] == engine].index((engine, model)) + 1
        cards[engine if alike[engine] == 1 else f"{engine} {place}"] = eval_results_to_model_index(engine, by_model[engine, model])
    return cards


def part_of(run: dict) -> str:
    """", 40 of 1,000 problems" where a run asked fewer than the set has; the hub would show its value as the set's."""
    rows = run["data"].get("rows")
    asked_all = rows is None or run["n"] >= rows - (run["data"].get("skipped") or 0)
    return "" if asked_all else f", {run['n']:,} of {rows:,} problems"


def hub_of(run: dict) -> dict:
    """Where the hub keeps a benchmark: of the record, else of our tables; a set of our own has its name only."""
    data, name = run["data"], run["benchmark"]
    if data.get("hub"):
        return {"id": data["hub"], "config": data.get("config"), "split": data.get("split"), "revision": _commit(data.get("revision"))}
    if (entry := table().get(name)) and entry["hub"]:
        hub = entry["hub"]
        return {"id": hub["id"], "config": hub["config"], "split": hub["split"], "revision": hub["revision"]}
    if source := SOURCES.get((name, "test")):
        repository, configuration, split = source.hub
        return {"id": repository, "config": configuration, "split": split, "revision": _commit(getattr(source, "revision", None))}
    return {"id": name.partition(":")[0] if name.startswith("file:") else name, "config": None, "split": None, "revision": None}


def _commit(revision: str | None) -> str | None:
    return revision if revision and re.fullmatch(r"[0-9a-f]{40}", revision) else None
