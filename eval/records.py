"""The record of a run: a folder of files from which every figure can be computed again, without the model.

    run = load_run("evals/pocket-svamp")
    run.rows[0]["reply"], run.stamp["mode"]["name"], run.summary["accuracy"]

A folder holds one run, and these files:

    run.json        what was asked of what: the identity of the run, written before the first question
    results.jsonl   a row a reply, in the order in which they came; each on disk before the next is waited for
    readings.jsonl  a row a reply, under the readings that are not ours; made from `results.jsonl` at the end
    votes.jsonl     a row a problem whose answer is an expression: which replies mean the same; likewise
    summary.json    figures of all rows; made from these at the end, and made again by `python -m eval.run` alone

run.json
    engine          its spec, as given to --engine
    revision        hash or commit of its weights; "" where a server keeps that to itself
    benchmark       its name, or file:PATH
    problems        sha256 over ids, questions and gold answers, in their order
    data            {"hub", "revision", "file", "sha256", "rows", "skipped"}: where the problems came from
    mode            the prompt mode whole, as it stands in prompts.yaml: name, system, user, demonstrations, ...
    samples         replies a problem
    sampling        max_tokens, temperature, top_p, top_k, seed, calculator, thinking, think_budget, think_stop, logprobs
Folders from before a key existed are read with its default: mode "tuned", samples 1.

results.jsonl, a row
    run             12 hex digits over engine, revision, mode and sampling: a row of another run is refused (R19)
    id, sample      the problem, and which of its replies (from 0): together they are the row's key
    seed            what this reply was drawn from: a function of the run's seed, id and sample; null when greedy
    question        the problem's text
    prompt          all that the model was given, verbatim, template included
    reply           all that it wrote after that
    answer          the number it gives (as people write it), or null
    rule            by which rule of the robust reading: "answer is", "####", "boxed", ...
    gold            the gold answer; `gold_text` is there too where the answer is no number
    correct         robust: exact equality. Where the gold answer is no number, null until readings.jsonl is made;
                    of a proof always null: it is graded by other means
    correct_strict  the benchmark's own reading, "#### N"
    cut_off         it met a limit, went in circles, or never closed its reasoning: no answer, whatever it ends on
    finish          "stop" | "length" | "repeating" | "failed" (no reply came; asked again by the same command)
    first_wrong_step, wrong_sums
                    number of the first step with a sum that is wrong, or null; how many steps have one
    steps           how many steps the reply has
    tokens, seconds tokens of the reply; its share of the time that the engine took
    logprob         mean log-probability of the model's own tokens, where it was asked for
    meta            what the benchmark says of the problem: steps, topic, type, family, ...

readings.jsonl, a row
    id, sample, reply   the key, and sha256 (16 digits) of the reply that was read
    robust, strict      as in results.jsonl
    math_verify         true | false: the library math-verify, told nothing of ours; null: it found no answer,
                        or (`error`) raised, or was ended for taking too long: then the same command asks it again

votes.jsonl, a row
    id, votes       the problem; of each reply its `sample`, hash (`reply`), what it says (`answer`), and as its `vote`
                    the place of the first reply that means the same; null: it says nothing
    error           where the library came to no end: then the votes are those of equal texts

summary.json: see `eval.metrics.summarize`. Of a run with k > 1 samples, n counts problems and `correct` is that
of the majority vote.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mathtutor.engines import Sampling
from mathtutor.io import Damaged, read_json, read_rows, sha256_json

# What the figures are computed from; older rows have no more than these
RESULT_KEYS = {"id", "answer", "correct", "correct_strict", "cut_off", "finish", "first_wrong_step", "tokens", "seconds"}
IDENTITY = ("engine", "revision", "benchmark", "problems", "sampling", "mode", "samples")


@dataclass(frozen=True)
class Run:
    """One folder, read. `rows` without repeats, in the file's order; `readings` by (id, sample)."""

    folder: Path
    stamp: dict
    rows: list[dict]
    summary: dict | None = None
    readings: dict[tuple[str, int], dict] = field(default_factory=dict)
    stale: int = 0  # readings of replies that are not these: left out

    @property
    def name(self) -> str:
        return self.folder.name

    def by_problem(self) -> dict[str, list[dict]]:
        """The rows of each problem, in order of sample."""
        return by_problem(self.rows)


def key_of(row: dict) -> tuple[str, int]:
    return row["id"], row.get("sample", 0)


def by_problem(rows: Iterable[dict]) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        found[row["id"]].append(row)
    return {name: sorted(group, key=key_of) for name, group in found.items()}


def seed_of(seed: int, problem: str, sample: int) -> int:
    """The seed of one reply, below 2**31 as servers want it: no two replies of a run share their draws."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{problem}/{sample}".encode()).digest()[:8], "big") % 2**31


def hash_of_reply(reply: str) -> str:
    return hashlib.sha256(reply.encode("utf-8", "replace")).hexdigest()[:16]


def is_unfinished(reading: dict) -> bool:
    """Whether a reading ended because time or a process did, which says nothing of the reply."""
    return str(reading.get("error", "")).startswith(("took longer", "ProcessExpired", "BrokenProcessPool"))


def with_votes(readings: dict[tuple[str, int], dict], votes: Iterable[dict], rows: Iterable[dict]) -> dict[tuple[str, int], dict]:
    """The readings with what each reply votes for, of the replies that are still those of `rows`."""
    hashes = {name: [hash_of_reply(row["reply"]) for row in group] for name, group in by_problem(rows).items()}
    found = dict(readings)
    for row in votes:
        if hashes.get(row["id"]) != [vote["reply"] for vote in row["votes"]]:
            continue
        for vote in row["votes"]:
            key = row["id"], vote["sample"]
            if key in found:
                found[key] = found[key] | {"vote": vote["vote"], "answer": vote["answer"]} | ({"vote_error": row["error"]} if "error" in row else {})
    return found


def with_defaults(stamp: dict) -> dict:
    """A stamp with what older ones lack. Anything that is no stamp comes back as it is."""
    if not isinstance(stamp, dict) or not isinstance(stamp.get("sampling"), dict):
        return stamp
    known = {name: stamp["sampling"][name] for name in Sampling.__dataclass_fields__ if name in stamp["sampling"]}
    try:
        sampling = asdict(Sampling(**known))
    except (TypeError, ValueError):
        return stamp
    return {"samples": 1, "mode": {"name": "tuned"}} | stamp | {"sampling": sampling}


def differences(old: dict, new: dict) -> list[str]:
    """The names under IDENTITY in which two stamps differ; a mode that an older one only names is that mode."""
    old, new = with_defaults(old), with_defaults(new)
    old, new = ({**stamp, "engine": without_key(str(stamp.get("engine")))} for stamp in (old, new))
    different = [key for key in IDENTITY if key in new and old.get(key) != new[key]]
    if set(old.get("mode") or ()) == {"name"} and old["mode"]["name"] == new.get("mode", {}).get("name"):
        different = [key for key in different if key != "mode"]
    return different


def without_key(word: str) -> str:
    """An engine spec or a word of a command without what a URL in it keeps secret: its user, its password, its query."""
    scheme, mark, rest = word.partition("://")
    if not mark:
        return word
    address, hash_, model = rest.partition("#")
    return scheme + mark + address.partition("?")[0].rpartition("@")[2] + hash_ + model


def is_old(stamp: dict) -> bool:
    """Whether a record is from before rows bore the hash of their run."""
    return "mode" not in stamp and "data" not in stamp


def run_hash(stamp: dict) -> str:
    """What each row of a run bears: model, prompt and decoding in 12 hex digits."""
    return sha256_json([stamp.get(key) for key in ("engine", "revision", "mode", "sampling")])[:12]


def load_run(folder: str | Path) -> Run:
    """Read a folder. Raises Damaged, ValueError or OSError with the fix; a missing summary is None."""
    folder = Path(folder)
    if not (folder / "results.jsonl").exists():
        hint = "its rows were not kept: run the command of its summary.json again" if (folder / "summary.json").exists() else "it holds no run"
        raise ValueError(f"{folder} has no results.jsonl: {hint}")
    stamp = read_json(folder / "run.json")
    if not isinstance(stamp, dict):
        raise Damaged(f"{folder / 'run.json'} is no record of a run")
    bears, rows = run_hash(stamp), {}
    for number, row in enumerate(read_rows(folder / "results.jsonl"), start=1):
        if not isinstance(row.get("id"), str) or not RESULT_KEYS <= row.keys():
            raise Damaged(f"{folder / 'results.jsonl'}: row {number} is no result of a run: remove it")
        if row.get("run", bears if is_old(stamp) else None) != bears:
            raise Damaged(f"{folder / 'results.jsonl'}: row {number} is of another run than {folder / 'run.json'}: remove it and run that command again")
        rows[key_of(row)] = row
    summary = read_json(folder / "summary.json") if (folder / "summary.json").exists() else None
    readings: dict[tuple[str, int], dict] = {}
    stale = 0
    if (folder / "readings.jsonl").exists():
        found = {key_of(row): row for row in read_rows(folder / "readings.jsonl")}
        readings = {key: row for key, row in found.items() if key in rows and row.get("reply") == hash_of_reply(rows[key].get("reply", ""))}
        stale = len(found) - len(readings)
        votes = read_rows(folder / "votes.jsonl") if (folder / "votes.jsonl").exists() else ()
        readings = with_votes(readings, votes, rows.values())
    return Run(folder, with_defaults(stamp), list(rows.values()), summary, readings, stale)


def as_json(value: Any) -> Any:
    """Fractions and tuples as JSON has them."""
    if isinstance(value, dict):
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(part) for part in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
