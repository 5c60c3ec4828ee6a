"""How likely a reply is right, told from what it did with the numbers of its problem: no model is asked.

    chance("Kira earns $8 a lawn and $2 a dog. She mowed 5 lawns and walked 6 dogs. How much?", reply)    # 0.05: it used 8 and 5 alone

A small model's commonest fault is to stop too early: half of the story is never used. Named signs of that kind, weighed
by logistic regression on replies to problems of our own (`verifier_weights`), say which of several tries to believe:
each votes with its chance in place of 1. What the words mean is not looked at.

Chances are asked for by `chances_of`, which gives none for replies of a kind that the weights were not learned from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import exp, log1p

from mathtutor.chat import split_reply
from mathtutor.engines import Engine, Generation, Sampling
from mathtutor.maths.answers import read_answer
from mathtutor.maths.checks import State, verify
from mathtutor.tutoring.hints import numbers_in, sums_of
from mathtutor.tutoring.verifier_weights import BIAS, ENGINE, TRUSTED, WEIGHTS

MOST = 6  # sums, and things counted, that tell apart
FREE = frozenset(map(Fraction, (1, 2, 3, 4, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000)))  # of units, halves and shares


def signs_of(problem: str, reply: str) -> dict[str, float]:
    """The named signs of a reply, each from 0 to 1. Never raises on text."""
    given = Counter(abs(value) for *_, value in numbers_in(problem))
    verdict, answer = verify(reply), read_answer(reply)
    sums = [each for check in verdict.steps for each in sums_of(check)]
    operands = [[abs(value) for *_, value in numbers_in(each.left)] for each in sums]
    used = Counter(value for part in operands for value in part)
    results = [abs(each.value) for each in sums]
    unused = sum((given - used).values())
    reached: set[Fraction] = set()
    from_nowhere = 0
    for part, result in zip(operands, results, strict=True):
        from_nowhere += sum(value not in given and value not in reached and value not in FREE for value in part)
        reached.add(result)
    value = None if answer.cut_off else answer.value
    signs = {
        "share of the numbers that are used": sum((given & used).values()) / max(1, given.total()),
        "every number is used": not unused,
        "one number is not used": unused == 1,
        "numbers that are not used": min(unused, MOST) / MOST,
        "numbers in the problem": min(given.total(), MOST) / MOST,
        "sums": min(len(sums), MOST) / MOST,
        "no sum": not sums,
        "one sum": len(sums) == 1,
        "one sum of two numbers": len(sums) == 1 and given.total() == 2,
        "operands from nowhere": min(from_nowhere, MOST) / MOST,
        "results that are not used": min(sum(not used[result] for result in results[:-1]), MOST) / MOST,
        "a sum is wrong": any(check.state is State.WRONG for check in verdict.steps),
        "words": min(len(split_reply(reply).reasoning.split()), 100) / 100,
        "no answer": value is None,
        "the answer is a given number": value is not None and abs(value) in given,
        "the answer is not the last result": value is not None and bool(results) and abs(value) != results[-1],
        "the answer is no whole number": value is not None and value.denominator > 1,
        "the answer is below zero": value is not None and value < 0,
    }
    return {name: float(there) for name, there in signs.items() if there}


def chance(problem: str, reply: str) -> float:
    """How likely the reply is right, from 0 to 1: what its signs were worth on the replies that the weights come from."""
    return exp(log_chance(signs_of(problem, reply)))


def chances_of(engine: Engine, sampling: Sampling, problem: str, replies: Sequence[Generation]) -> tuple[float, ...] | None:
    """The chance of each reply, in their order; None where the weights say nothing of such replies and tries are only counted.

    The weights were learned from one model's replies (ENGINE), written with the calculator: another model, and this one
    without it, goes wrong in other ways. Nor are there chances where no mean chance was found from which answers may be
    trusted (TRUSTED is None). An engine that is loaded later shows a name for people: what it loads is its `spec`.
    """
    if TRUSTED is None or getattr(engine, "spec", engine.name) != ENGINE or not sampling.calculator:
        return None
    return tuple(chance(problem, reply.text) for reply in replies)


def log_chance(signs: Mapping[str, float], bias: float = BIAS, weights: Mapping[str, float] = WEIGHTS) -> float:
    """The natural logarithm of the chance that signs stand for, at least -30."""
    score = bias + sum(weights.get(name, 0.0) * there for name, there in signs.items())
    return -log1p(exp(-max(-30.0, min(30.0, score))))
