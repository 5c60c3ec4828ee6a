"""Number words: ["two", "and", "a", "half", "million"] is 2,500,000, and all five words are taken."""

from __future__ import annotations

from fractions import Fraction

UNITS = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty".split())}  # fmt: skip
TENS = {word: 10 * value for value, word in enumerate(
    "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}  # fmt: skip
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth"
PARTS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4}
PARTS |= {word + s: value for value, word in enumerate(_ORDINALS.split(), 3) for s in ("", "s")}
SCALES = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "dozen": 12,
    "lakh": 10**5, "crore": 10**7,
}  # fmt: skip
_NUMBER_WORDS = {*UNITS, *TENS, *PARTS, *SCALES, "a"}


def sum_of_words(words: list[str]) -> tuple[Fraction, int]:
    """The value of the number words that a list begins with, and how many of its words they take."""
    total, group, used = Fraction(0), Fraction(0), 0  # group: what a "thousand" that follows would multiply
    for index, word in enumerate(words):
        before, following = words[index - 1] if index else "", words[index + 1] if index + 1 < len(words) else ""
        if word == "and" and used and following in UNITS and PARTS.keys() & words[index + 2 : index + 3]:
            total, group = total + group, Fraction(0)  # two and three quarters
            continue
        # Of several parts only the plural: the "third" of "two third graders" is no part.
        is_part = word in PARTS and (word.endswith("s") or before in ("a", "one", "and", "") or word in ("half", "quarter"))
        if is_part and (used or word == "half" or words[:index] == ["a"]):
            part = Fraction(1, PARTS[word])
            if before == "and" or (used and index >= 2 and before in ("a", "one")):  # two and a half
                total += part
                group -= before == "one"
            else:  # three quarters
                group = (group or 1) * part
            rest = words[index + 1 : index + 3]
            rest = rest[1:] if rest[:1] == ["a"] else rest[:1]
            if rest and rest[0] in SCALES:  # half a dozen, two and a half million
                return (total + group) * SCALES[rest[0]], index + 2 + (following == "a")
            return total + group, index + 1
        if word in UNITS or word in TENS:
            if group % (10 if UNITS.get(word, 10) < 10 else 100) or group % 100 == 10:  # nineteen eighty
                break
            group += UNITS.get(word, TENS.get(word, 0))
        elif word in ("hundred", "dozen"):
            group = (group or 1) * SCALES[word]
        elif word in SCALES and (used or before == "a"):
            total, group = total + (group or 1) * SCALES[word], Fraction(0)
        elif (word == "a" or (word == "and" and used)) and following in _NUMBER_WORDS:
            continue  # taken only together with what follows
        else:
            break
        used = index + 1
    return total + group, used
