"""Two files of outputs that others published, problem by problem: `eval.compare A.jsonl B.jsonl`.

    compare_files("a.jsonl", "b.jsonl", Columns())["fixed"]

There is no record of what was asked of what, so no more is said than what each file's own ids and gold answers bear: they must
be the same in both, with one reply to each problem.
"""

from __future__ import annotations

from eval.intervals import compare_pairs
from eval.metrics import compare_templates
from eval.outputs import Columns, Row
from eval.score import verdicts
from mathtutor.maths.answers import read_gold
from mathtutor.problem import Problem


def compare_files(a: str, b: str, columns: Columns) -> dict:
    """McNemar's test on the rows of two files under the robust reading. Raises ValueError where they are no pair."""
    ours, theirs = _by_name(a, columns), _by_name(b, columns)
    if ours.keys() != theirs.keys():
        raise ValueError(
            f"{a} and {b} do not hold the same problems: {len(ours.keys() - theirs.keys())} ids only in the first, {len(theirs.keys() - ours.keys())} only in the second"
        )
    for name, (row, _) in ours.items():
        if (_gold(row), row.question) != (_gold(other := theirs[name][0]), other.question):
            raise ValueError(f"{a} and {b} ask something else under the id {name!r}: their gold answers or questions differ")
    pairs = {name: (ours[name][1] == "right", theirs[name][1] == "right") for name in ours}
    known = [Problem(name, "", None, meta={} if row.template is None else {row.template[0]: row.template[1]}) for name, (row, _) in ours.items()]
    sides = {
        side: {"file": path, "columns": ", ".join(dict.fromkeys(row.columns for row, _ in rows.values())), "cut_off": sum(said == "cut off" for _, said in rows.values())}
        for side, path, rows in (("a", a, ours), ("b", b, theirs))
    }
    return {
        **sides,
        **compare_pairs(list(pairs.values())),
        "templates": compare_templates(pairs, known),
        "fixed_items": [name for name, pair in pairs.items() if pair == (False, True)],
        "broken_items": [name for name, pair in pairs.items() if pair == (True, False)],
    }


def _gold(row: Row) -> object:
    return row.gold if row.is_expression else read_gold(row.gold)


def _by_name(path: str, columns: Columns) -> dict[str, tuple[Row, str]]:
    found: dict[str, tuple[Row, str]] = {}
    for row, said in zip(*verdicts(path, "robust", columns), strict=True):
        if found.setdefault(row.name, (row, said))[0] is not row:
            raise ValueError(f"{path} has two rows under the id {row.name!r}: files are compared where each problem has an id and one reply")
    return found


def print_files(found: dict, verdict: str, listed: int) -> None:
    """`verdict`: the sentence of `eval.compare` on what the two may be said to differ in."""
    for place, side in enumerate("ab"):
        part, right = found[side], found["correct"][place]
        print(f"{side.upper()}  {part['file']}: {right} of {found['n']} right = {right / found['n']:.1%}; {part['cut_off']} cut off; {part['columns']}")
    print(verdict)
    print(f"Fixed {found['fixed']}, broken {found['broken']}, both right {found['both_right']}, both wrong {found['both_wrong']}.")
    for kind in ("fixed", "broken"):
        if items := found[f"{kind}_items"]:
            more = f" and {len(items) - listed} more: --json lists them all" if len(items) > listed else ""
            print(f"  {kind}: {', '.join(items[:listed])}{more}")
