/* Number words: ["two", "and", "a", "half", "million"] is 2,500,000, and all five words are taken. As mathtutor/maths/words.py. */

import { Fraction, whole } from "./exact.js";
import { words as setOf } from "./patterns.js";

const numbered = (text, value) => text.split(" ").map((word, i) => [word, value(i)]);
export const UNITS = new Map(
  numbered(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " +
      "eighteen nineteen twenty",
    (i) => i,
  ),
);
export const TENS = new Map(numbered("twenty thirty forty fifty sixty seventy eighty ninety", (i) => 10 * (i + 2)));
const ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth";
export const PARTS = new Map([
  ["half", 2], ["halves", 2], ["quarter", 4], ["quarters", 4],
  ...numbered(ORDINALS, (i) => i + 3).flatMap(([word, value]) => [[word, value], [`${word}s`, value]]),
]);
export const SCALES = new Map(
  Object.entries({
    hundred: 100, thousand: 10 ** 3, million: 10 ** 6, billion: 10 ** 9, trillion: 10 ** 12, dozen: 12, lakh: 10 ** 5, crore: 10 ** 7,
  }),
);
const NUMBER_WORDS = new Set([...UNITS.keys(), ...TENS.keys(), ...PARTS.keys(), ...SCALES.keys(), "a"]);
const BEFORE_ONE_PART = setOf("a one and");

/** [value of the number words that a list begins with, how many of its words they take]. */
export function sumOfWords(words) {
  let [total, group, used] = [whole(0), whole(0), 0]; // group: what a "thousand" that follows would multiply
  const orOne = (value) => (value.n === 0n ? whole(1) : value);
  for (const [index, word] of words.entries()) {
    const before = words[index - 1] ?? "";
    const following = words[index + 1] ?? "";
    if (word === "and" && used && UNITS.has(following) && PARTS.has(words[index + 2])) {
      [total, group] = [total.plus(group), whole(0)]; // two and three quarters
      continue;
    }
    // Of several parts only the plural: the "third" of "two third graders" is no part.
    const isPart = PARTS.has(word) && (word.endsWith("s") || !before || BEFORE_ONE_PART.has(before) || word === "half" || word === "quarter");
    if (isPart && (used || word === "half" || (index === 1 && words[0] === "a"))) {
      const part = new Fraction(1n, BigInt(PARTS.get(word)));
      if (before === "and" || (used && index >= 2 && ["a", "one"].includes(before))) {
        total = total.plus(part); // two and a half
        if (before === "one") group = group.minus(whole(1));
      } else {
        group = orOne(group).times(part); // three quarters
      }
      const scale = SCALES.get(following === "a" ? words[index + 2] : following);
      if (scale) return [total.plus(group).times(whole(scale)), index + (following === "a" ? 3 : 2)]; // half a dozen, two and a half million
      return [total.plus(group), index + 1];
    }
    if (UNITS.has(word) || TENS.has(word)) {
      const isUnit = (UNITS.get(word) ?? 10) < 10;
      if (group.n % (isUnit ? 10n : 100n) || group.n % 100n === 10n) break; // nineteen eighty
      group = group.plus(whole(UNITS.get(word) ?? TENS.get(word)));
    } else if (word === "hundred" || word === "dozen") {
      group = orOne(group).times(whole(SCALES.get(word)));
    } else if (SCALES.has(word) && (used || before === "a")) {
      [total, group] = [total.plus(orOne(group).times(whole(SCALES.get(word)))), whole(0)];
    } else if ((word === "a" || (word === "and" && used)) && NUMBER_WORDS.has(following)) {
      continue; // taken only together with what follows
    } else {
      break;
    }
    used = index + 1;
  }
  return [total.plus(group), used];
}
