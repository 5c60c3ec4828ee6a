"""How much each sign of `verifier` says that a reply is right: see `verifier.chance`.

ENGINE wrote the replies; TRUSTED is the mean chance from which an answer is given as one's own, None where there is none.
Written by `python -m eval.verify RUNS --fit mathtutor/tutoring/verifier_weights.py`; not to be edited by hand.
"""

ENGINE = "pocket"
TRUSTED = 0.35
BIAS = -3.24
WEIGHTS: dict[str, float] = {
    "share of the numbers that are used": 2.701,
    "every number is used": 2.122,
    "no sum": 1.324,
    "one number is not used": 1.322,
    "one sum of two numbers": 0.652,
    "numbers in the problem": 0.289,
    "a sum is wrong": 0.078,
    "the answer is no whole number": -0.048,
    "one sum": -0.064,
    "numbers that are not used": -0.103,
    "the answer is a given number": -0.215,
    "no answer": -0.725,
    "operands from nowhere": -0.775,
    "results that are not used": -0.826,
    "the answer is not the last result": -2.129,
    "sums": -2.48,
    "words": -2.867,
}
