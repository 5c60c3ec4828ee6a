"""The record of a run: a folder of files from which every figure can be computed again, without the model.

    run = load_run("evals/pocket-svamp")
    run.rows[0]["reply"], run.stamp["mode"]["name"], run.summary["accuracy"]

A folder holds one run, and these files:

    run.json        what was asked of what: the identity of the run, written before the first question
    results.jsonl   a row a reply, in the order in which they came; each on disk before the next is waited for
    replies.jsonl   the same without the texts of the problems, to be published: eval/withheld.py; read where the other is not
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
    row_key         of which of these `run` of a row is the hash
    sampling        max_tokens, temperature, top_p, top_k, seed, calculator, thinking, think_budget, think_stop, logprobs
Folders from before a key existed are read with its default: mode "tuned", samples 1.

results.jsonl, a row
    run             12 hex digits over engine, revision, mode, sampling, benchmark and problems: a row of another run is refused (R19)
    id, sample      the problem, and which of its replies (from 0): together they are the row's key
    seed            what this reply was drawn from: a function of the run's seed, id and sample; null when greedy
    question        the problem's text
    prompt          all that a local model was given, verbatim, template included; of a server the turns that it was sent, laid out
                    as ChatML by us, for its own template is not told
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
    pieces          true where a server told no number of tokens: `tokens` counts pieces of its stream
    logprob         mean log-probability of the model's own tokens, where it was asked for
    meta            what the benchmark says of the problem: steps, topic, type, family, ...
`answer`, `rule`, `correct`, `correct_strict`, `cut_off`, `first_wrong_step`, `wrong_sums` and `steps` follow from `reply`, `gold` and
`finish`: who reads a run works them out again, and a row that says otherwise is refused. So is one whose `question`, `gold` or `meta`
is not that of its benchmark, where this lies on the machine and `problems` is its hash (`Run.held` says whether). Nothing can work out
again what was asked in fact (`prompt`, `seed`, `engine`, `revision`, `sampling`), what the model did (`reply`, `finish`, `tokens`,
`seconds`, `logprob`), nor what math-verify said, without asking anew.

readings.jsonl, a row
    id, sample, reply   the key, and sha256 (16 digits) of the reply that was read
    robust, strict      as in results.jsonl
    math_verify         true | false: the library math-verify, which reads reply and gold text by itself; null: no answer found,
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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eval.benchmarks import kind_of, tolerance_of
from eval.faults import malformed, part_asked, unlike
from eval.verdicts import differing, told
from eval.withheld import FILE as WITHHELD
from eval.withheld import at_hand, read_replies
from mathtutor.engines import Sampling
from mathtutor.io import Damaged, read_json, read_rows, sha256_json
from mathtutor.problem import Problem

# What a row's "run" is the hash of; runs from before run.json said so told the problems of two benchmarks apart by id alone
ROW_KEY = ("engine", "revision", "mode", "sampling", "benchmark", "problems")
OLD_ROW_KEY = ROW_KEY[:4]
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
    held: bool = False  # whether questions and gold answers are those of the benchmark as it lies here

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


def told_differences(old: dict, new: dict) -> list[str]:
    """The same for people, with what of the sampling differs: "sampling (calculator)"."""
    one, other = (with_defaults(stamp).get("sampling") for stamp in (old, new))
    names = differences(old, new)
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return names
    settings = ", ".join(key for key in one if one[key] != other.get(key))
    return [f"sampling ({settings})" if name == "sampling" else name for name in names]


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
    """What each row of a run bears: model, prompt, decoding and problems in 12 hex digits."""
    key = stamp.get("row_key")
    return sha256_json([stamp.get(name) for name in (key if isinstance(key, list) else OLD_ROW_KEY)])[:12]


def rows_file(folder: Path) -> Path | None:
    """Where the rows of a run lie: whole, else without their questions; None where they were not kept."""
    return next((folder / name for name in ("results.jsonl", WITHHELD) if (folder / name).exists()), None)


def load_run(folder: str | Path) -> Run:
    """Read a folder. Raises Damaged, ValueError or OSError with the fix; a missing summary is None."""
    folder = Path(folder)
    path = rows_file(folder)
    if path is None:
        hint = "its rows were not kept: run the command of its summary.json again" if (folder / "summary.json").exists() else "it holds no run (files of others' outputs: python -m eval.score FILE ..., python -m eval.compare A.jsonl B.jsonl)"
        raise ValueError(f"{folder} has no results.jsonl: {hint}")
    bare = read_json(folder / "run.json")
    stamp = checked_stamp(folder, bare)
    benchmark, bears, rows = stamp["benchmark"], run_hash(bare), {}
    problems = part_asked(at_hand(benchmark), str(stamp.get("problems")))
    known = {problem.id: problem for problem in problems or ()}
    for number, row in enumerate(read_replies(path, benchmark) if path.name == WITHHELD else read_rows(path), start=1):
        if why := malformed(row, kind_of(benchmark), stamp["samples"]):
            raise Damaged(f"{path}: row {number} is no result of a run ({why}): remove it")
        if row.get("run", bears if is_old(bare) else None) != bears:
            raise Damaged(f"{path}: row {number} is of another run than {folder / 'run.json'}: remove it and run that command again")
        if (first := rows.setdefault(key_of(row), row)) is not row and first.get("reply") != row.get("reply"):
            raise Damaged(f"{path}: row {number} is another reply to {row['id']!r} than the row before it: remove one of them")
        if different := differing(row, kind_of(benchmark), tolerance_of(benchmark)):
            raise Damaged(
                f"{path}: row {number} says {told(different)}: it was changed, or another version read it. Remove it and run that run's command "
                f"again; python -m eval.score {path} scores the replies as they stand"
            )
        if known and (why := foreign(row, known)):
            raise Damaged(f"{path}: row {number} {why}: it was changed. Remove it and run that run's command again")
    summary = summary_of(folder)
    readings: dict[tuple[str, int], dict] = {}
    stale = 0
    if (folder / "readings.jsonl").exists():
        found = {key_of(row): row for row in _whole(folder / "readings.jsonl", is_reading)}
        readings = {key: row for key, row in found.items() if key in rows and row.get("reply") == hash_of_reply(rows[key]["reply"])}
        stale = len(found) - len(readings)
        votes = _whole(folder / "votes.jsonl", is_vote) if (folder / "votes.jsonl").exists() else ()
        readings = with_votes(readings, votes, rows.values())
    return Run(folder, stamp, list(rows.values()), summary, readings, stale, bool(known))


def foreign(row: dict, known: Mapping[str, Problem]) -> str:
    """In what a row is not of the problems that its run asked; "" where it is."""
    problem = known.get(row["id"])
    if problem is None:
        return f"is of a problem {row['id']!r:.60} that the run did not ask"
    return "" if not (other := unlike(row, problem)) else "says " + ", ".join(
        f"{name} {said!r:.60} where its benchmark has {holds!r:.60}" for name, (said, holds) in other.items()
    )


def checked_stamp(folder: Path, stamp: Any) -> dict:
    """A run.json with its defaults. Raises Damaged where figures could not be told of what."""
    stamp = with_defaults(stamp)
    texts = ("engine", "benchmark")
    is_whole = isinstance(stamp, dict) and all(isinstance(stamp.get(key), str) for key in texts) and isinstance(stamp.get("sampling"), dict)
    if not is_whole or not isinstance(stamp.get("mode"), dict) or not isinstance(stamp["mode"].get("name"), str):
        raise Damaged(f"{folder / 'run.json'} is no record of a run")
    if type(stamp["samples"]) is not int or stamp["samples"] < 1:
        raise Damaged(f"{folder / 'run.json'}: samples must be a whole number from 1, not {stamp['samples']!r:.60}")
    return stamp


def summary_of(folder: Path) -> dict | None:
    path = folder / "summary.json"
    summary = read_json(path) if path.exists() else None
    if summary is not None and not isinstance(summary, dict):
        raise Damaged(f"{path} is no summary: remove it and run that run's command again")
    return summary


def is_reading(row: dict) -> bool:
    is_key = isinstance(row.get("id"), str) and type(row.get("sample", 0)) is int
    return is_key and "math_verify" in row and (row["math_verify"] is None or isinstance(row["math_verify"], bool))


def is_vote(row: dict) -> bool:
    votes = row.get("votes")
    return isinstance(row.get("id"), str) and isinstance(votes, list) and all(isinstance(vote, dict) and {"sample", "reply", "vote", "answer"} <= vote.keys() for vote in votes)


def _whole(path: Path, holds: Callable[[dict], bool]) -> list[dict]:
    """The rows of a file that was made from the results. Raises Damaged at the first that is none of them."""
    rows = list(read_rows(path))
    for number, row in enumerate(rows, start=1):
        if not holds(row):
            raise Damaged(f"{path}: row {number} was not written by eval.run: remove the file and run that run's command again")
    return rows


def as_json(value: Any) -> Any:
    """Fractions and tuples as JSON has them."""
    if isinstance(value, dict):
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(part) for part in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
