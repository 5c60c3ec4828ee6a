/* One number as people write it: "$1,234.50", "3 1/2 cups", "twenty-five", or the reason why it is not one.
   As mathtutor/maths/numerals.py. */

import { MAX_DIGITS, MAX_EXPONENT, VULGAR } from "./arithmetic.js";
import { Fraction, whole } from "./exact.js";
import {
  COMMAND, COMPOUND_UNITS, MINUS_BEFORE, endOfName, inequality, refusalBefore, refusalOfTime, refusalsBehind, unwrapped,
} from "./formulas.js";
import { endOf, pattern } from "./patterns.js";
import {
  CALCULATION, CLOCK, COMPOUND, DIGITS, EXPONENT, NO_NUMBER, NOT_FINITE, RANGE, SEPARATORS, TWO_ANSWERS, ZERO_DIVISION, answer,
} from "./refusals.js";
import { PARTS, SCALES, TENS, UNITS, sumOfWords } from "./words.js";

// --- in digits ------------------------------------------------------------------------------------------

const VULGARS = `[${Object.keys(VULGAR).join("")}]`;
const WRITTEN_NUMBER = String.raw`
    (?P<sign>(?<![\w.)])[-+](?:\s?[$€£]\s?)?)?                        # -5, -$5, and not the hyphen of 10-5
    (?:
        (?P<digits>\d{1,3}(?:[ ]\d{3})+(?![,.]?\d|/\d)
                 | \d[\d,.]{0,200}\d | \d | \.\d{1,200})              # anything number-like: judged in magnitude
        (?P<exp>[eE][+-]?\d{1,9}(?!\w|\.\d))?
        (?P<fraction>\s?${VULGARS} | \s+(?:and\s+)?\d{1,60}\s?/\s?\d{1,60}(?![\d/]|\.\d)
                   | \s?/\s?\d{1,60}(?![\d/]|\.\d))?
        (?P<minutes>:[0-5]\d(?![\d:]))?
      | (?P<vulgar>${VULGARS})
    )
    `;
const NUMBER = pattern(WRITTEN_NUMBER, { verbose: true });
// "not 18", "isn't **18**", "rather than 18"; "18? No"
const DENIED = pattern(
  String.raw`
    (?:(?:\b(?:not|never|cannot|no\ longer|anything\ but|rather\ than|instead\ of|different\ from|unequal\ to)|n['’]t)\b
       (?:[\s*_]{1,4}(?:be|equal\ to|exactly|just|simply))?[\s*_$"“(]{1,6})
    ${WRITTEN_NUMBER}
    | (?<![\d.,])\d[\d,.]{0,20}(?=\?\s+(?:no|wait)\b|(?:\.\.\.|,)\s+wait\b|\ is\ (?:wrong|incorrect|too)\b)
    `,
  { verbose: true, ignoreCase: true },
);
const STRUCK = "∄";
const CORRECTED = pattern(String.raw`\b(?:but|is|rather|so|instead|no|wait)\b|['’]s\b|=`, { ignoreCase: true });
const GROUPED = pattern(String.raw`\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?: \d{3})+|\d*(?:\.\d+)?`);
const SCALE = pattern(String.raw`(?:\s?|[ ~]{2,6})(${[...SCALES.keys()].join("|")})\b`, { ignoreCase: true });
// 5 and a half
const AND_A_PART = pattern(
  String.raw`[ ]{1,4}and[ ]{1,4}(?:an?[ ]|(?P<n>one|two|three|four)[ ])?(?P<part>${[...PARTS.keys()].join("|")})\b(?![ ](?:of[ ]|dozen))`,
  { ignoreCase: true },
);
const PERCENT = pattern(String.raw`[ ]{0,2}%`);
const NOT_FINITE_WORDS = pattern(String.raw`\b(?:nan|infinity|infinite(?:ly)?|inf)\b|∞`, { ignoreCase: true });

class Refused extends Error {}

/** What `read` gives, or `otherwise` of the reason where the number is refused. */
function unlessRefused(read, otherwise) {
  try {
    return read();
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    return otherwise(refused.message);
  }
}

/** [exact value of one written number, the place where it ends]; throws Refused with the reason. */
function valueOf(match, text) {
  let value = magnitude(match);
  let end = endOf(match);
  const part = value.isWhole() ? AND_A_PART.match(text, end) : null;
  if (part) {
    value = value.plus(new Fraction(BigInt(UNITS.get((part.groups.n ?? "").toLowerCase()) ?? 1), BigInt(PARTS.get(part.groups.part.toLowerCase()))));
    end = endOf(part);
  }
  const scale = SCALE.match(text, end);
  if (scale) {
    value = value.times(whole(SCALES.get(scale[1].toLowerCase())));
    end = endOf(scale);
  } else {
    end += PERCENT.match(text, end)?.[0].length ?? 0;
  }
  return [match.groups.sign?.startsWith("-") ? value.negated() : value, end];
}

function magnitude({ groups }) {
  const ratio = (above, below) => {
    if (BigInt(below) === 0n) throw new Refused(ZERO_DIVISION);
    return new Fraction(BigInt(above), BigInt(below));
  };
  let value = groups.vulgar ? ratio(...VULGAR[groups.vulgar].split("/")) : whole(0);
  if (groups.digits) {
    if (groups.digits.replace(/\P{Nd}/gu, "").length > MAX_DIGITS) throw new Refused(DIGITS);
    if (!GROUPED.fullmatch(groups.digits)) throw new Refused(SEPARATORS);
    value = Fraction.of(groups.digits.replace(/[, ]/g, ""));
  }
  if (groups.exp) {
    const power = Number(groups.exp.slice(1));
    if (Math.abs(power) > MAX_EXPONENT) throw new Refused(EXPONENT);
    value = value.times(whole(10).power(BigInt(power)));
  }
  const part = (groups.fraction ?? "").trim().replace(/^and/, "").trim();
  if (part) {
    const [above, below] = (VULGAR[part] ?? part).split("/").map((side) => side.trim());
    value = above ? value.plus(ratio(above, below)) : value.times(ratio("1", below)); // 3 1/2, or 3/4
  }
  return groups.minutes ? value.plus(ratio(groups.minutes.slice(1), "60")) : value;
}

/** Is the next number the same one: "1/2 or 0.5"? */
function isAgain(value, text, start) {
  const match = NUMBER.search(text, start);
  return match !== null && unlessRefused(() => valueOf(match, text)[0].equals(value), () => false);
}

// --- the first number, and what stands around it -----------------------------------------------------------

const OTHER = pattern(String.raw`(?<![A-Za-z\d^])(?:\d|${VULGARS})`); // but not the 2 of "5 cm2" and "5 m^2"
const SUM = pattern(String.raw`[-+*/÷^]|\bx\b`);
const VALUE_OF_X = pattern(String.raw`\bx\s*\Z`); // of "2 or x = 3", where nothing is multiplied
const SHARE = pattern(String.raw`(?:%|/\s?\d+)\s+of\b`);
const UNKNOWN = pattern(String.raw`\s?[xyz](?![A-Za-z]|\s?\d)`);
const VARIABLE = pattern(String.raw`(?<![A-Za-z'’\\])[b-zB-HJ-Z](?![A-Za-z])`);
const OF_A_NUMBER = pattern(String.raw`[ ]?\$?\s+of\s+(?:(?:the|those|these|all|her|his|their)\s+)?(?=[$€£]?\d)`);
const WHOLE = ["boxed", "gold"]; // rules whose text is the answer and no more: "5!" is no exclamation there, "1, 2" are two answers
const REASON = pattern(String.raw`[,;]|[^-+*/÷^x(\s]\s*\(|\b(?:because|since|as|so|from|where|for|if)\b`, { ignoreCase: true });
const EQUALS = pattern(String.raw`\s*=`);
const BRACKETED = pattern(String.raw`[(\[]\d{1,3},\d{3}[)\]]`);
const SPACED_MINUS = pattern(String.raw`^([\s$(]*)-\s+(?=[$€£]?[\d.])`);

/** The first number of a short text, or null where it holds none. "5 * 3 = 15" is 15, "x_1 = 3" is 3, and "f(2)" is refused.
    alone: a second, different number anywhere makes two answers; so it does in a box, and in a gold answer. */
export function readNumber(written, rule, alone = false) {
  const bound = inequality(written);
  if (bound) return answer(null, rule, { text: bound[0].slice(-80).trim(), refusal: RANGE });
  let text = unwrapped(written);
  text = SPACED_MINUS.replace(text.slice(endOfName(text)).trim(), "$1-");
  text = withoutDenied(text);
  if (text.includes(STRUCK)) return besideDenied(text, rule, alone);
  const found = firstNumber(text, rule, alone);
  if (found?.refusal === CALCULATION) { // |-5| = 5
    const equals = text.lastIndexOf("=");
    const formula = text.slice(0, Math.max(0, equals));
    if (equals >= 0 && !REASON.search(formula.replaceAll("(", "")) && !VARIABLE.search(formula)) {
      return firstNumber(text.slice(equals + 1).trim(), rule, alone) ?? found;
    }
  }
  return found;
}

/** The text with a mark in the place of each number that it denies: "20, not 18". */
const withoutDenied = (text) => DENIED.replace(text, STRUCK);

/** The 20 of "20, not 18" and "not 18 but 20"; where nothing says what it is instead, no number. */
function besideDenied(text, rule, alone) {
  const pieces = text.split(STRUCK);
  const [before, after] = [pieces[0], pieces.at(-1)];
  const corrected = CORRECTED.search(after);
  let found = firstNumber(before, rule, alone) ?? readWords(before, rule);
  if (!found && corrected && !alone) found = firstNumber(after.slice(corrected.index), rule, alone);
  return found ?? answer(null, rule, { text: text.slice(0, 80), refusal: NO_NUMBER });
}

function firstNumber(text, rule, alone) {
  const first = NUMBER.search(text);
  const infinite = NOT_FINITE_WORDS.search(text);
  if (infinite && (!first || infinite.index < first.index)) return answer(null, rule, { text: infinite[0], refusal: NOT_FINITE });
  if (!first) return null;
  const match = resultOf(first, text);
  const read = unlessRefused(() => valueOf(match, text), (refusal) => refusal);
  if (typeof read === "string") return answer(null, rule, { text: match[0].trim(), refusal: read });
  let [value, end] = read;
  let start = match.index;
  const refused = (refusal) => answer(null, rule, { text: text.slice(0, 80), refusal });
  const about = text.indexOf("≈", end);
  const before = text.slice(Math.max(0, start - 40), start);
  const ends = rule === "boxed" && EQUALS.match(text, end) ? end : about; // 5 = 2 + 3
  const exact = ends >= 0 ? text.slice(0, ends) : text;
  const isWhole = WHOLE.includes(rule);
  const part = isWhole && COMMAND.search(exact) ? CALCULATION : refusalBefore(text, start, Boolean(match.groups.sign));
  if (part) return refused(part);
  if (isWhole && BRACKETED.fullmatch(text)) return refused(SEPARATORS); // (2,500): a point, or 2500?
  const refusal = rule !== "typed" && refusalOfTime(before, text, end, match.groups.minutes);
  if (refusal) return refused(refusal);
  const minus = MINUS_BEFORE.search(before);
  const words = minus && value.n > 0n ? null : wordsBefore(text, match, alone);
  if (minus && value.n > 0n) {
    value = value.negated();
    start -= (minus.groups.minus ?? minus.groups.sign).length;
  } else if (words) {
    if (words.refusal) return { ...words, rule };
    if (value.d > 1n && value.n > 0n && value.isBelow(whole(1))) {
      value = value.plus(words.value);
      start = 0;
    }
  }
  const ofNumber = (value.d > 1n || text[end - 1] === "%") && OF_A_NUMBER.match(text, end);
  if (ofNumber || (isWhole && text[end] === "!")) return refused(CALCULATION); // 20% of 50, 5!
  for (const [more, why] of refusalsBehind(text, end, isWhole)) {
    if (!(why === TWO_ANSWERS && isAgain(value, text, endOf(more)))) {
      return answer(null, rule, { text: text.slice(start, endOf(more) + 20).trim(), refusal: why });
    }
  }
  const more = alone || isWhole ? OTHER.search(exact, end) : null;
  if (more && !(text.slice(end, more.index).trim() && isAgain(value, text, more.index))) return refused(TWO_ANSWERS);
  return answer(value, match.groups.minutes && alone ? "time" : rule, { text: text.slice(start, end).trim() });
}

const CLOCK_WORDS = pattern(String.raw`\b(?:half|quarter)\s+(?:past|to|after)\b|\bo['’]?clock\b`, { ignoreCase: true });
const AND = pattern(String.raw`\s+and\s+$`, { ignoreCase: true });
const CHANGES = pattern(String.raw`\b(?:half|halves|twice|double|triple|thirds?|quarters?|fifths?)\b`, { ignoreCase: true });

/** The five of "five and 3/4"; or, in a text that is nothing but the number, why words before it refuse it. */
function wordsBefore(text, match, alone) {
  const before = text.slice(0, match.index);
  const joined = AND.search(before);
  if (joined) {
    const words = readWords(before.slice(0, joined.index), "");
    if (words?.value?.isWhole() && words.text === before.slice(0, joined.index).trim()) return words;
  }
  if (alone && CLOCK_WORDS.search(before)) return answer(null, "", { text: text.slice(0, 80), refusal: CLOCK });
  return alone && CHANGES.search(before) ? answer(null, "", { text: text.slice(0, 80), refusal: CALCULATION }) : null;
}

/** The 15 of "5 * 3 = 15", for its 5; but the 5 itself in "5, because 2 + 4 = 6", whose sum only explains. */
function resultOf(match, text) {
  const equals = text.lastIndexOf("=");
  if (equals <= endOf(match)) return match;
  const between = `5${VALUE_OF_X.replace(text.slice(endOf(match), equals), "")}`;
  const result = NUMBER.search(text, equals);
  const isSum = !UNKNOWN.match(text, endOf(match)) && (SUM.search(between) || SHARE.search(text.slice(match.index, equals)));
  return result && isSum && !REASON.search(between) ? result : match;
}

export const holdsNumber = (text) => NUMBER.search(text) !== null;

/** The last number of a text of any length, or null where it holds none: refused for what readNumber would refuse it for. */
export function readLastNumber(written, rule) {
  const text = withoutDenied(unwrapped(written));
  const [match, previous] = NUMBER.all(text).slice(-2).reverse();
  const denied = text.lastIndexOf(STRUCK);
  if (!match || (denied > endOf(match) && SENTENCE_END.search(text, endOf(match), denied))) { // "2 + 3 = 5. It is not 6."
    return denied >= 0 ? answer(null, rule, { text: text.slice(Math.max(0, denied - 40), denied + 1).trim(), refusal: NO_NUMBER }) : null;
  }
  const start = match.index;
  const read = unlessRefused(() => valueOf(match, text), (refusal) => refusal);
  if (typeof read === "string") return answer(null, rule, { text: match[0].trim(), refusal: read });
  const [value, end] = read;
  const before = text.slice(Math.max(0, start - 40), start);
  let refusal =
    refusalBefore(text, start, Boolean(match.groups.sign), true) ??
    refusalOfTime(before, text, end, match.groups.minutes) ??
    refusalsBehind(text, end, false)[0]?.[1];
  if (!refusal && previous && start - endOf(previous) <= 40) { // "x = 10-3", "5 hours 20 minutes", "20% of 50"
    const behind = text.slice(previous.index, end + 20);
    const first = NUMBER.match(behind);
    refusal = first && goesOn(first, behind, start - previous.index);
  }
  if (refusal) return answer(null, rule, { text: text.slice(Math.max(0, start - 20), endOf(match) + 20).trim(), refusal });
  const minus = MINUS_BEFORE.search(before);
  if (minus && value.n > 0n) return answer(value.negated(), rule, { text: (minus.groups.minus ?? minus.groups.sign) + text.slice(start, end).trim() });
  return answer(value, rule, { text: text.slice(start, end).trim() });
}

const SENTENCE_END = pattern(String.raw`[.!?]\s|\n`);

/** Why the number that begins a text goes on into the one at `start`, or null where it does not. */
function goesOn(first, text, start) {
  const read = unlessRefused(() => valueOf(first, text), () => null);
  if (!read) return null;
  const [value, end] = read;
  const share = value.d > 1n || text[end - 1] === "%" ? OF_A_NUMBER.match(text, end) : null;
  if (share && endOf(share) >= start) return CALCULATION;
  return refusalsBehind(text, end, false).find(([match, refusal]) => refusal !== TWO_ANSWERS && endOf(match) >= start)?.[1] ?? null;
}

// --- in words -------------------------------------------------------------------------------------------

const MINUS = ["minus", "negative"];
const WORD = pattern(String.raw`[a-z]+`, { ignoreCase: true });
const MAX_WORDS = 16;
const WRITTEN = String.raw`(?:[$€£]?[-\d.]|(?:${[...new Set([...UNITS.keys(), ...TENS.keys()])].join("|")})\b)`;
const WORDS_GO_ON = [
  [COMPOUND_UNITS, COMPOUND],
  [pattern(String.raw`[^.\d;\n]{0,40}?\bor\s+(?=${WRITTEN})|[\s-]+(?:and\s+)?(?=${WRITTEN})|\s+[a-z]{1,12}\s+and\s+(?=${WRITTEN})`, { ignoreCase: true }), TWO_ANSWERS],
  [pattern(String.raw`\s+to\s+(?=${WRITTEN})`, { ignoreCase: true }), RANGE],
  [
    pattern(
      String.raw`\s+(?:of(?:\s+the)?|plus|minus|times|point|over|out\s+of|per|(?:for|in|of)\s+every|(?:more|less|fewer)\s+than)\s+(?=${WRITTEN})` +
        String.raw`|\s+(?:squared|cubed|doubled|halved)\b|\s+(?:hundredth|thousandth|twentieth|sixteenth|twelfth)s?\b` +
        String.raw`|(?<=\bone)\s+in\s+(?=${WRITTEN})|\s*[-+*/^]\s?(?=\d)`,
      { ignoreCase: true },
    ),
    CALCULATION,
  ],
];

/** Number words at the beginning: "five apples", "twenty-five", "two and a half", "minus three". */
export function readWords(text, rule) {
  const matches = WORD.all(text.slice(0, 200)).slice(0, MAX_WORDS);
  const words = matches.map((match) => match[0].toLowerCase());
  const signs = words.findIndex((word) => !MINUS.includes(word));
  const begin = signs < 0 ? words.length : signs;
  const [value, used] = sumOfWords(words.slice(begin));
  if (!used || /[^ \t*_$:,"'(]/.test(text.slice(0, matches[0].index))) return null;
  const end = endOf(matches[begin + used - 1]);
  const written = text.slice(matches[0].index, end);
  const lastWord = written.slice(written.lastIndexOf(" ") + 1);
  if (CLOCK_WORDS.match(lastWord + text.slice(end, end + 12))) {
    return answer(null, rule, { text: text.slice(0, 80), refusal: CLOCK }); // half past three
  }
  const more = WORDS_GO_ON.find(([known]) => known.match(text, end));
  if (more) return answer(null, rule, { text: text.slice(0, 80), refusal: more[1] });
  return answer(begin ? value.negated() : value, rule, { text: written });
}
