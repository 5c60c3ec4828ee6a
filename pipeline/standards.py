"""The codes of the Common Core State Standards for Mathematics, grades 1 to 8: "4.OA.A.3", "6.RP.A.3c".

Source: Common Core State Standards for Mathematics, 2010 (National Governors Association, CCSSO).
"""

from __future__ import annotations

import re

# grade -> "domain.cluster first-last" of its numbered standards
_CLUSTERS = {
    1: "OA.A 1-2 OA.B 3-4 OA.C 5-6 OA.D 7-8 NBT.A 1-1 NBT.B 2-3 NBT.C 4-6 MD.A 1-2 MD.B 3-3 MD.C 4-4 G.A 1-3",
    2: "OA.A 1-1 OA.B 2-2 OA.C 3-4 NBT.A 1-4 NBT.B 5-9 MD.A 1-4 MD.B 5-6 MD.C 7-8 MD.D 9-10 G.A 1-3",
    3: "OA.A 1-4 OA.B 5-6 OA.C 7-7 OA.D 8-9 NBT.A 1-3 NF.A 1-3 MD.A 1-2 MD.B 3-4 MD.C 5-7 MD.D 8-8 G.A 1-2",
    4: "OA.A 1-3 OA.B 4-4 OA.C 5-5 NBT.A 1-3 NBT.B 4-6 NF.A 1-2 NF.B 3-4 NF.C 5-7 MD.A 1-3 MD.B 4-4 MD.C 5-7 G.A 1-3",
    5: "OA.A 1-2 OA.B 3-3 NBT.A 1-4 NBT.B 5-7 NF.A 1-2 NF.B 3-7 MD.A 1-1 MD.B 2-2 MD.C 3-5 G.A 1-2 G.B 3-4",
    6: "RP.A 1-3 NS.A 1-1 NS.B 2-4 NS.C 5-8 EE.A 1-4 EE.B 5-8 EE.C 9-9 G.A 1-4 SP.A 1-3 SP.B 4-5",
    7: "RP.A 1-3 NS.A 1-3 EE.A 1-2 EE.B 3-4 G.A 1-3 G.B 4-6 SP.A 1-2 SP.B 3-4 SP.C 5-8",
    8: "NS.A 1-2 EE.A 1-4 EE.B 5-6 EE.C 7-8 F.A 1-3 F.B 4-5 G.A 1-5 G.B 6-8 G.C 9-9 SP.A 1-4",
}

CODES = frozenset(
    f"{grade}.{cluster}.{number}"
    for grade, text in _CLUSTERS.items()
    for cluster, first, last in re.findall(r"(\S+) (\d+)-(\d+)", text)
    for number in range(int(first), int(last) + 1)
)


def is_code(code: str) -> bool:
    """Whether `code` is a standard of grades 1 to 8, with or without the letter of a part."""
    return re.sub(r"(?<=\d)[a-e]$", "", code) in CODES


# Standards that speak of several steps, and those of whole numbers alone
_MULTISTEP = {"3.OA.D.8", "4.OA.A.3"}
_WHOLE = {"3.OA.D.8", "4.OA.A.3", "3.NBT.A.2", "4.NBT.B.4", "4.NBT.B.5", "4.NBT.B.6", "5.NBT.B.5"}


def misfit(code: str, num_steps: int, has_decimals: bool) -> str | None:
    """Why a standard is not that of a family with so many steps, with or without decimals in them; None where it may be."""
    if code in _MULTISTEP and num_steps < 2:
        return f"{code} is of problems with two steps or more, and there is one"
    if code in _WHOLE and has_decimals:
        return f"{code} is of whole numbers, and the steps hold decimals: 4.MD.A.2 and 5.NBT.B.7 do not"
    return None
