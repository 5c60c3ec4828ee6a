"""Choose among the samples of a run by a scorer, against the majority and chance.

    python -m eval.run --engine pocket --benchmark svamp --samples 8 --temperature 0.7 --logprobs --out evals/svamp-8
    python -m eval.rerank evals/svamp-8                              # by the logprob each reply was written with
    python -m eval.rerank evals/svamp-8 --scorer hf:ORG/VERIFIER     # by another model's mean log-probability of it
    python -m eval.rerank evals/svamp-8 --scorer verifier            # by what a reply does with the problem's numbers: tutoring.verifier

A scorer gives each reply a number, higher where it is better: anything with `scores(items)` will do, so a trained
verifier can take the place of a language model. Two ways of choosing are measured: the reply with the highest score,
and the answer whose replies weigh most together (each weighs exp(score): a vote weighted by the scorer). Scores are
kept in `scores-*.jsonl`, one journal a scorer, and are not computed again; `rerank.json` holds the figures. By the verifier,
they say too which answers the page would give as its own (`trust`), where the run is of the engine that its weights come from.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import exp, isfinite
from pathlib import Path
from typing import Protocol

from eval.benchmarks import kind_of
from eval.intervals import rate
from eval.metrics import answer_of, coverage, is_right, vote, why_unscored
from eval.modes import Mode
from eval.records import Run, hash_of_reply, key_of, load_run
from eval.trust import cases_of, told_trust, trust
from mathtutor.chat import Conversation
from mathtutor.engines import Sampling
from mathtutor.io import Busy, Damaged, Journal, write_json
from mathtutor.progress import progress
from mathtutor.tutoring import verifier
from mathtutor.tutoring.tries import TEMPERATURE, K
from mathtutor.tutoring.verifier_weights import ENGINE, TRUSTED

OWN, VERIFIER = "logprob", "verifier"


class Scorer(Protocol):
    """Whatever tells a good reply from a bad one. `name` and `revision` say with what."""

    name: str
    revision: str

    def scores(self, items: Sequence[tuple[Conversation, str]]) -> Iterator[float]:
        """A finite number for each (conversation, reply), in their order; higher is better."""
        ...


class LanguageModelScorer:
    """The mean log-probability that a local model gives to a reply; `thinking` as the run asked for it, since the prompt differs."""

    def __init__(self, spec: str, thinking: bool | None = None):
        from mathtutor.engines import load_engine

        self._engine = load_engine(spec)
        if not hasattr(self._engine, "log_probability"):
            raise ValueError(f"{spec} cannot score a reply: use pocket, pocket-base, hf:ORG/NAME or hf:PATH")
        self.name, self._sampling = spec, Sampling(thinking=thinking)
        self.revision = getattr(self._engine, "revision", "") + ("" if thinking is None else f", thinking {'on' if thinking else 'off'}")

    def scores(self, items: Sequence[tuple[Conversation, str]]) -> Iterator[float]:
        for conversation, reply in items:
            yield self._engine.log_probability(conversation, reply, self._sampling)


def mode_of(run: Run) -> Mode:
    """The prompt mode on record. Raises ValueError for a run from before modes were kept."""
    data = dict(run.stamp["mode"])
    if "user" not in data:
        raise ValueError(f"{run.folder} does not say how it was prompted: run it again")
    known = {key: value for key, value in data.items() if key in Mode.__dataclass_fields__}
    return Mode(**known | {"shown": tuple(tuple(pair) for pair in data.get("shown", ()))})


def own_scores(run: Run) -> dict[tuple[str, int], float]:
    """The log-probability each reply was written with."""
    lacking = [row for row in run.rows if "logprob" not in row and row["finish"] != "failed"]
    if lacking:
        raise ValueError(f"{run.folder}: {len(lacking)} replies have no logprob: make another run with --logprobs, in an --out of its own, or name a --scorer")
    return {key_of(row): row.get("logprob", -1e9) for row in run.rows}


def verifier_scores(run: Run) -> dict[tuple[str, int], float]:
    """The log of the chance that `tutoring.verifier` gives each reply."""
    if lacking := sum(not row.get("question") for row in run.rows):
        raise ValueError(_NO_QUESTIONS.format(run=run.folder, count=lacking, benchmark=run.stamp["benchmark"]))
    return {key_of(row): verifier.log_chance(verifier.signs_of(row["question"], row["reply"])) for row in run.rows}


_NO_QUESTIONS = "{run} holds {count} rows without their questions: let MATHTUTOR_DATA name a folder with {benchmark}"


def score_all(run: Run, scorer: Scorer) -> dict[tuple[str, int], float]:
    """The scorer's numbers for all replies; those that are on disk are not asked for again."""
    mode = mode_of(run)
    mark = hashlib.sha256(f"{scorer.name}/{scorer.revision}".encode()).hexdigest()[:8]
    if lacking := sum(not row.get("question") for row in run.rows):
        raise ValueError(_NO_QUESTIONS.format(run=run.folder, count=lacking, benchmark=run.stamp["benchmark"]))
    with Journal(run.folder / f"scores-{mark}.jsonl") as journal:
        current = {key_of(row): hash_of_reply(row["reply"]) for row in run.rows}
        journal.retain(lambda row: current.get(key_of(row)) == row.get("reply"))
        done = {key_of(row) for row in journal.rows}
        missing = [row for row in run.rows if key_of(row) not in done]
        items = [(mode.conversation(row["question"]), row["reply"]) for row in missing]
        with progress(len(run.rows), len(done), "replies") as advance:
            for row, score in zip(missing, scorer.scores(items), strict=True):
                if not isfinite(score):
                    raise ValueError(f"{scorer.name} gives {row['id']} the score {score}: a score must be a finite number")
                journal.append({"id": row["id"], "sample": row.get("sample", 0), "reply": hash_of_reply(row["reply"]), "scorer": scorer.name, "score": score})
                advance()
        return {key_of(row): row["score"] for row in journal.rows}


Choice = Callable[[Sequence[dict], Mapping, Mapping | None], tuple[str | None, float]]


def best(rows: Sequence[dict], scores: Mapping, readings: Mapping | None = None) -> tuple[str | None, float]:
    """(answer, score) of the reply with the highest score among those with an answer; the earlier one of equals."""
    answering = [row for row in rows if answer_of(row, readings) is not None]
    if not answering:
        return None, float("-inf")
    row = max(answering, key=lambda row: scores[key_of(row)])
    return answer_of(row, readings), scores[key_of(row)]


def weighted(rows: Sequence[dict], scores: Mapping, readings: Mapping | None = None) -> tuple[str | None, float]:
    """(answer, its share of the weight) of the answer whose replies weigh most together."""
    weights: dict[str, float] = defaultdict(float)
    highest = max((scores[key_of(row)] for row in rows), default=0.0)
    for row in rows:
        if (answer := answer_of(row, readings)) is not None:
            weights[answer] += exp(scores[key_of(row)] - highest)
    if not weights:
        return None, float("-inf")
    answer = max(weights, key=weights.get)
    return answer, weights[answer] / sum(weights.values())


def check_run(run: Run) -> None:
    """Raises ValueError where nobody has said what is right."""
    if why := why_unscored(run.rows, run.readings, kind_of(run.stamp["benchmark"])):
        raise ValueError(f"{run.folder} cannot be reranked: {why}")
    if len({row["id"] for row in run.rows}) == len(run.rows):
        raise ValueError(f"{run.folder} has one reply a problem: there is nothing to choose from. Make another run with --samples 8 --temperature 0.7 --logprobs")


def rerank(run: Run, scores: Mapping, name: str) -> dict:
    """Figures of each way to choose one answer from a problem's samples."""
    groups = run.by_problem()
    votes = [vote(group, run.readings) for group in groups.values()]
    chosen = {"best": [], "weighted": []}
    for group in groups.values():
        for way, choose in (("best", best), ("weighted", weighted)):
            answer, score = choose(group, scores, run.readings)
            right = answer is not None and any(is_right(row, run.readings) for row in group if answer_of(row, run.readings) == answer)
            chosen[way].append((right, score))
    rows = run.rows
    return {
        "run": run.name,
        "scorer": name,
        "samples": max(map(len, groups.values())),
        "one_sample": {"accuracy": sum(is_right(row, run.readings) for row in rows) / len(rows)},
        "majority": rate(sum(right for right, _ in votes), len(votes)) | {"coverage": coverage(votes)},
        **{way: rate(sum(right for right, _ in found), len(found)) | {"coverage": coverage(found)} for way, found in chosen.items()},
        "any_right": rate(sum(any(is_right(row, run.readings) for row in group) for group in groups.values()), len(groups)),
    }


def is_weighed(run: Run) -> bool:
    """Whether the page weighs such tries: the engine that the weights come from, with the calculator, as many tries as it makes, as warm."""
    sampling = run.stamp["sampling"]
    return (run.stamp["engine"], sampling["calculator"], run.stamp["samples"], sampling["temperature"]) == (ENGINE, True, K, TEMPERATURE)


def scores_of(run: Run, scorer: str) -> dict[tuple[str, int], float]:
    """Each reply's score by a scorer of the command line. Raises ValueError."""
    if scorer == OWN:
        return own_scores(run)
    return verifier_scores(run) if scorer == VERIFIER else score_all(run, LanguageModelScorer(scorer, run.stamp["sampling"].get("thinking")))


def describe(found: Mapping, num_replies: int) -> str:
    """The figures of `rerank` as lines for people."""
    lines = [f"{found['run']}, {found['majority']['n']} problems, {found['samples']} samples each, scored by {found['scorer']}"]
    lines.append(f"  one sample    {found['one_sample']['accuracy']:.1%} of {num_replies} replies")
    for way, title in (("majority", "majority"), ("best", "best score"), ("weighted", "weighted vote"), ("any_right", "any right")):
        part = found[way]
        low, high = part["interval"]
        curve = next((point for point in part.get("coverage", ()) if point["coverage"] == 0.8), None)
        at = f"; at 80% coverage {curve['accuracy']:.1%}" if curve else ""
        lines.append(f"  {title:<14}{part['accuracy']:.1%} (95% interval {low:.1%} to {high:.1%}){at}")
    if "trust" in found:
        lines += ["answers that the page would give as its own (most tries arrive at them, all where few numbers are given; their sums check)", *told_trust(found["trust"])]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m eval.rerank", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="folder of a run with several samples a problem")
    parser.add_argument("--scorer", default=OWN, help=f"{OWN} (default), {VERIFIER}, pocket, hf:ORG/NAME or hf:PATH")
    args = parser.parse_args(argv)
    try:
        run = load_run(args.run)
        check_run(run)
        scores = scores_of(run, args.scorer)
        found = rerank(run, scores, args.scorer)
        if args.scorer == VERIFIER and is_weighed(run):
            found["trust"] = trust(cases_of(run, scores), TRUSTED)
    except (ValueError, Damaged, Busy, OSError) as error:
        raise SystemExit(str(error)) from error
    write_json(Path(args.run) / "rerank.json", found)
    print(describe(found, len(run.rows)))


if __name__ == "__main__":
    main()
