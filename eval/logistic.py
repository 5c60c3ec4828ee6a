"""Logistic regression over named signs, and its weights as a module of Python.

    bias, weights = fit([{"one sum": 1.0}, {}], [True, False], ridge=1.0)
    write_weights(path, "What the weights are.", bias, weights, {"TRUSTED": 0.4})
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mathtutor.io import write_atomic


def fit(signs: Sequence[Mapping[str, float]], right: Sequence[bool], ridge: float) -> tuple[float, dict[str, float]]:
    """(bias, weights) by Newton's method, to three digits; `ridge` pulls the weights towards zero, a sign that is absent is 0."""
    import numpy as np

    names = sorted({name for each in signs for name in each})
    x = np.array([[each.get(name, 0.0) for name in names] + [1.0] for each in signs])
    y = np.array(right, float)
    w, pull = np.zeros(len(names) + 1), np.array([ridge] * len(names) + [0.01])
    for _ in range(25):
        p = 1 / (1 + np.exp(-x @ w))
        w += np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + np.diag(pull), x.T @ (y - p) - pull * w)
    return round(float(w[-1]), 3), {name: round(float(value), 3) for name, value in zip(names, w, strict=False)}


def write_weights(path: Path, doc: str, bias: float, weights: Mapping[str, float], more: Mapping[str, str | float | None] = {}) -> None:
    """`more` are names and values that stand before the weights: what else was learned with them."""
    head = "".join(f"{name} = {'None' if value is None else json.dumps(value)}\n" for name, value in more.items())
    lines = "".join(f'    "{name}": {weight},\n' for name, weight in sorted(weights.items(), key=lambda pair: -pair[1]))
    write_atomic(path, f'"""{doc}"""\n\n{head}BIAS = {bias}\nWEIGHTS: dict[str, float] = {{\n{lines}}}\n')
