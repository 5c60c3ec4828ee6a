"""Intervals and tests of shares: how far a figure can be believed.

    wilson(18, 20)                            # of independent problems
    interval_of_groups([[True] * 6, ...])     # of problems that come in groups which are alike
    compare_pairs([(True, False), ...])       # McNemar's exact test and the interval of the difference

The exact tests are SciPy's; what is written out here has its source beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, expm1, pi, sqrt

Z95 = 1.959964  # two-sided 95%
FEWEST_GROUPS = 2  # so many groups' worth of right answers, and of wrong ones, show how groups differ


def wilson(successes: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927): honest at 0 and at n, and for small n."""
    if n == 0:
        return 0.0, 1.0
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def rate(successes: int, n: int) -> dict:
    """{"n", "correct", "accuracy", "interval"}: how a share is written everywhere. Nothing is rounded before it is shown."""
    return {
        "n": n,
        "correct": successes,
        "accuracy": successes / n if n else 0.0,
        "interval": list(wilson(successes, n)),
    }


def interval_of_groups(groups: Sequence[Sequence[bool]]) -> tuple[float, float]:
    """Wilson's interval where problems come in groups that are alike, as instances of one template do.

    Groups of unequal size count as (sum of sizes)² / sum of squared sizes equal ones, rounded up for Student's quantile.
    n is divided by the design effect (Kish 1965) of the ratio estimator: how many times larger the variance between
    groups makes that of the share; and as that variance is known from so many groups alone, Student's quantile stands in
    the place of the normal one. Where fewer than FEWEST_GROUPS' worth of problems are right, or wrong, too little can be
    seen of how groups differ, and n is at most that of the groups: without this, ten groups of 50 with one problem in twenty
    right held the share in 83% of draws. It never narrows an interval.
    """
    n, right, m = sum(map(len, groups)), sum(map(sum, groups)), len(groups)
    if m < 2:
        return wilson(right, n)
    # Groups of unequal size tell as much as so many equal ones
    worth = n**2 / sum(len(group) ** 2 for group in groups)
    p, z = right / n, t95(max(1, ceil(worth - 1e-9) - 1))
    between = m / (m - 1) * sum((sum(group) - p * len(group)) ** 2 for group in groups) / n**2
    effective = n / max(1.0, between / (p * (1 - p) / (n - 1))) if 0 < right < n else worth
    if worth * min(p, 1 - p) < FEWEST_GROUPS:
        effective = min(effective, worth)
    return wilson(p * effective, effective, z)


def t95(freedom: int) -> float:
    """Student's two-sided 95% quantile.

    Exact for one and two degrees of freedom; from three on Hill's expansion (1970, CACM algorithm 396), within 0.01% of the tables.
    """
    if freedom == 1:
        return 12.706205
    if freedom == 2:
        return 4.302653
    tail, v = 0.05, float(freedom)
    a = 1 / (v - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * sqrt(a * pi / 2) * v
    y = (d * tail) ** (2 / v)
    if y > 0.05 + a:
        x = -Z95
        y = x * x
        if freedom < 5:
            c += 0.3 * (v - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = expm1(a * y * y)
    else:
        y = ((1 / (((v + 6) / (v * y) - 0.089 * d - 0.822) * (v + 2) * 3) + 0.5 / (v + 4)) * y - 1) * (v + 1) / (v + 2) + 1 / y
    return sqrt(v * y)


def compare_pairs(pairs: Sequence[tuple[bool, bool]]) -> dict:
    """Of (right in A, right in B) pairs: the difference B - A, its interval, and McNemar's exact test.

    The test is the two-sided binomial one on the problems that only one of them solves (McNemar 1947, exact); the
    interval is the adjusted Wald one for paired shares (Bonett and Price 2012): 1 added to each of those two counts.
    """
    from scipy.stats import binomtest

    n = len(pairs)
    fixed = sum(not a and b for a, b in pairs)
    broken = sum(a and not b for a, b in pairs)
    p_fixed, p_broken = (fixed + 1) / (n + 2), (broken + 1) / (n + 2)
    half = Z95 * sqrt(max(0.0, p_fixed + p_broken - (p_fixed - p_broken) ** 2) / (n + 2))
    centre = p_fixed - p_broken
    return {
        "n": n,
        "correct": [sum(a for a, _ in pairs), sum(b for _, b in pairs)],
        "fixed": fixed,
        "broken": broken,
        "both_right": sum(a and b for a, b in pairs),
        "both_wrong": sum(not a and not b for a, b in pairs),
        "difference": (fixed - broken) / n if n else 0.0,
        "interval": [max(-1.0, centre - half), min(1.0, centre + half)],
        "p": float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0,
    }
