"""The thirteen promises of the page, and the lines that tell what was measured of each.

    @pytest.mark.promises(2)
    def test_a_closed_tab_ends_the_compute(site, measured):
        ...
        measured(f"the last word came {late:.2f} s after the tab was closed")

`python -m pytest -m promises` runs these tests alone and prints thirteen lines, numbers and all. docs/PROMISES.md has
them as last seen, and says what of a promise no test holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

PROMISES = {
    1: "Compare: both sides move within 1 s, Stop ends both within 0.3 s",
    2: "a closed tab ends the compute within 1 s",
    3: "money, markup and mathematics come out as typed, and no script runs",
    4: "a reply is read alike wherever it is cut",
    5: "nothing that was typed is kept, and no request leaves the origin",
    6: "axe finds nothing, on any tab, in any state, light and dark, wide and narrow",
    7: "everything can be done with the keyboard alone",
    8: "each finished step is said once, and no word by itself",
    9: "360 pixels suffice: no sideways scroll, letters of 16 px, targets of 44 px",
    10: "hints give nothing away, first wrong lines are found, right work is left alone",
    11: "every fault has its sentence, work is kept, examples stay open",
    12: "30 students at once: a first hint within 10 s at the 95th percentile, no text crosses",
    13: "what Evidence claims is what was measured",
}


def lines(reports: Iterable) -> Iterator[str]:
    """A line for each promise; none at all where no test of a promise ran. `reports` are pytest's, of calls and of faults."""
    outcomes: dict[int, Counter] = {number: Counter() for number in PROMISES}
    numbers: dict[int, list[str]] = {number: [] for number in PROMISES}
    for report in reports:
        told = getattr(report, "user_properties", [])
        for number in (value for name, value in told if name == "promise"):
            outcomes[number][report.outcome] += 1
            numbers[number] += [value for name, value in told if name == "measured"]
    if not any(outcomes.values()):
        return
    for number, promise in PROMISES.items():
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes[number].items()))
        said = "; ".join(dict.fromkeys(numbers[number]))
        yield f"promise {number:2}: {promise} [{counts or 'not run'}]" + (f" - {said}" if said else "")
