/* The equations that stand in a sentence: "5 apples * $2 = $10, so 10 / 4 = 2.5" claims 5 * 2 = 10 and 10 / 4 = 2.5.
   As mathtutor/maths/claims.py. A claim is {left, right, start, end, rounding, remainder, loose}. */

import { evaluate, plain } from "./arithmetic.js";
import { MAX_GAP, fold } from "./folding.js";
import { withoutMarkup } from "./markup.js";
import { endOf, pattern, words } from "./patterns.js";
import { Run } from "./runs.js";
import { tokenize } from "./tokens.js";

const MAX_TEXT = 10_000; // characters of one line that findClaims reads

// How far a side may be from the exact value, from the words that stand beside it.
export const ABOUT = "about"; // about, approximately, rounded to, ≈: trailing zeros too (2468 / 2 = about 1200)
export const NEAR = "near"; // almost, nearly, around: one of the two whole numbers beside it
export const WHOLE = "whole"; // 2 full boxes, 2 with some left over: the same, but of a division only
export const DOTS = "dots"; // 0.666...: cut off, not rounded
export const ELSEWHERE = "elsewhere"; // the sentence speaks of rounding, but not here: such a mismatch proves nothing

const NOTE = pattern(String.raw`<<([^<>\n]{0,200})>>`);

/** Every pair of sides with an equals sign between them, in order of appearance; [] for text without one. */
export function findClaims(whole) {
  const text = whole.slice(0, MAX_TEXT);
  if (!text.includes("=") && !text.includes("≈")) return [];
  const [bare, origin] = withoutMarkup(text);
  let claims = claimsOf(bare);
  if (origin) claims = claims.map((claim) => ({ ...claim, start: origin[claim.start], end: origin[claim.end - 1] + 1 }));
  const said = new Set(claims.map((claim) => `${claim.left}\n${claim.right}`));
  for (const note of NOTE.all(text)) {
    const shift = note.index + 2;
    for (const claim of claimsOf(plain(note[1]))) {
      if (!said.has(`${claim.left}\n${claim.right}`)) claims.push({ ...claim, start: claim.start + shift, end: claim.end + shift });
    }
  }
  return claims.sort((a, b) => a.start - b.start);
}

// --- pairs of sides -------------------------------------------------------------------------------------

const HINTS = words("about approximately approx roughly rounded to around nearly almost only just exactly a total of usd rs");
const ABOUT_WORDS = pattern(String.raw`[≈≅~]|\b(?:about|approx\w*|roughly|rounded to)\b`, { ignoreCase: true });
const NEAR_WORDS = pattern(String.raw`\b(?:around|nearly|almost)\b`, { ignoreCase: true });
const UNIT = String.raw`(?:[ ]?[^\W\d_]++){0,3}?`; // the unit and a little more
const ROUNDED = pattern(
  String.raw`[ ]?%?${UNIT}[ ]?[,(–-]?[ ]?(?:(?:when|which|if|is|was|and|after|to|the)[ ]){0,3}` +
    String.raw`(?:round(?:ed|ing)|rounds?[ ](?:up|down|to)|nearest|(?:approx\w*|roughly)(?=[ ]?(?:[.,;)]|$)))\b`,
  { ignoreCase: true },
);
const CUT = pattern(
  String.raw`[ ]?(?:full|whole|complete)\b|${UNIT},?[ ]?\b(?:left[ -]?over|remain(?:s|ing|der)?)\b`,
  { ignoreCase: true },
);
const SPEAKS_OF_ROUNDING = pattern(String.raw`\bround(?:s|ed|ing)?\b|\bnearest\b|\bestimat\w+`, { ignoreCase: true });
const END_OF_SENTENCE = pattern(String.raw`[.!?;]\s|\n`);
const SENTENCE = 200; // characters of a sentence before and after a claim that are read
const REMAINDER = pattern(
  String.raw`[ ]?R[ ]?(?P<r>\d{1,9})(?![\w.]*\d)` +
    String.raw`|${UNIT},?[ ](?:and[ ]|with[ ])?(?:a[ ])?(?:remainder|rem\.?)[ ](?:of[ ]|is[ ])?(?P<named>\d{1,9})(?!\.?\d)` +
    String.raw`|(?:[ ]?[^\W\d_]++){0,5}?,?[ ](?:and|with)[ ](?P<left>\d{1,9})(?:[ ][^\W\d_]++){0,2}?` +
    String.raw`[ ](?:left|over|remain(?:s|ing)?)\b`,
  { ignoreCase: true },
);

/** How the words beside the right side let it be rounded; "" where they do not. */
function roundingOf(text, left, right) {
  const before = text.slice(left.end, right.start);
  const behind = text.slice(right.end, right.end + 80);
  if (ABOUT_WORDS.search(before) || ROUNDED.match(behind)) return ABOUT;
  if (NEAR_WORDS.search(before)) return NEAR;
  const written = text.slice(right.start, right.end);
  if (written.includes("…") || written.includes("..")) return DOTS;
  if (CUT.match(behind)) return WHOLE;
  let begin = Math.max(0, left.start - SENTENCE);
  for (const mark of END_OF_SENTENCE.all(text, begin, left.start)) begin = endOf(mark);
  const mark = END_OF_SENTENCE.search(text, right.end, right.end + SENTENCE);
  return SPEAKS_OF_ROUNDING.search(text, begin, mark ? mark.index : right.end + SENTENCE) ? ELSEWHERE : "";
}

/** The 1 of "10 / 3 = 3 R1", and of "10 / 3 = 3 with 1 left over" where the division does not go even. */
function remainderOf(text, claim) {
  const match = REMAINDER.match(text, claim.end);
  if (!match || !/^[0-9]+$/.test(claim.right)) return "";
  const { r, named, left } = match.groups;
  if (left && agree(evaluate(claim.left).value, evaluate(claim.right).value)) return ""; // 8 / 4 = 2 each, and 3 left
  return r || named || left;
}

/** Whether two values are the same; two that are missing are the same too, as None is None. */
export const agree = (a, b) => (a && b ? a.equals(b) : a === b);

/** The run on either side of each equals sign that has both. */
function sides(tokens) {
  const pairs = [];
  let first = 0;
  let beforeSign = null;
  for (let index = 0; index <= tokens.length; index++) {
    const kind = index < tokens.length ? tokens[index].kind : "stop";
    if (kind !== "=" && kind !== "stop") continue;
    const afterSign = first > 0 && tokens[first - 1].kind === "=";
    const runs = afterSign || kind === "=" ? fold(tokens, first, index) : [];
    if (beforeSign && runs.length) pairs.push([beforeSign, runs[0]]);
    const last = runs.at(-1);
    beforeSign = kind === "=" && last && !last.wantsValue() && last.gap <= MAX_GAP ? last : null;
    first = index + 1;
  }
  return pairs;
}

function claimsOf(text) {
  const claims = [];
  for (const pair of sides(tokenize(text))) {
    // In a chain one run is the right side of a pair and the left of the next: cut copies of it.
    const [left, right] = pair.map((run) => run.copy());
    if (!right.lead.every((word) => HINTS.has(word.toLowerCase()))) continue; // "= the price, which was 5"
    right.trim();
    left.balance();
    right.balance();
    if (!left.parts.length || !right.parts.length || left.isBareName || right.isBareName) continue;
    const side = (run) => (run.isUnknown ? text.slice(run.start, run.end) : run.expression());
    const claim = { left: side(left), right: side(right), start: left.start, end: right.end, rounding: "", remainder: "", loose: false };
    claim.remainder = remainderOf(text, claim);
    claims.push(settleMismatch(claim, left, right, text));
  }
  return claims;
}

// --- what else a mismatch could mean --------------------------------------------------------------------

const SCALE = pattern(String.raw`\b(?:hundred|thousand|million|billion|dozen)s?\b`, { ignoreCase: true });
const SCALES = new Set([12n, 100n, 1000n, 10n ** 6n, 10n ** 9n]);
const COINS_WORTH = new Set([4n, 5n, 10n, 20n, 25n]); // cents, and coins to the dollar; 3 quarters may also be 3/4
// from one unit to another
const FACTORS = new Set([3n, 4n, 7n, 8n, 10n, 12n, 16n, 24n, 28n, 30n, 36n, 52n, 60n, 100n, 365n, 1000n, 3600n, 5280n, 10000n]);

/** The claim as it is where its sides agree or cannot be read; else what its words allow it to be. */
function settleMismatch(claim, left, right, text) {
  const value = evaluate(claim.left).value;
  const other = evaluate(claim.right).value;
  if (!value || !other || value.equals(other)) return claim;
  // "5 * 60 = 300 + 58 = 358" runs on: the first equals sign speaks of 300 only.
  if (right.hasOperator && !right.isTightFraction && right.parts[0].kind === "value") {
    const first = new Run([], right.parts.slice(0, 1));
    if (agree(evaluate(first.expression()).value, value)) return { ...claim, right: first.expression(), end: first.end };
  }
  const loose =
    namesAThing(left, right) || mayBeMisread(left, right) || left.isPortion(value) || isConversion(value, other, left, right, text);
  return { ...claim, loose, rounding: roundingOf(text, left, right) };
}

/** "3 weeks = 3 * 7 days" and "the cost of 3 apples = 5 * 3" do not say that 3 is 21, or 15. */
function namesAThing(left, right) {
  return left.isSingle && right.hasOperator && (left.lead.length > 0 || left.hasUnits || left.isPercent);
}

/** Is a side perhaps not what was meant: 5m, 2:30, a product without a sign, "1/3 of 60 + 5"? */
function mayBeMisread(left, right) {
  return (
    left.isUnknown || right.isUnknown || left.letters || right.letters || left.cut || right.of ||
    (left.of && left.parts.some((part) => part.text === "+" || part.text === "-"))
  );
}

/** Could other units explain the mismatch: $1 / 2 = 50 cents, 5 * 3 = 15,000 (thousand dollars)? */
function isConversion(value, other, left, right, text) {
  if (value.n === 0n || other.n === 0n) return false;
  const [there, back] = [value.over(other), other.over(value)];
  const ratio = there.isBelow(back) ? back : there;
  const isOneOf = (known) => ratio.isWhole() && known.has(ratio.n);
  if (isOneOf(SCALES) && SCALE.search(text)) return true;
  if ((left.hasCoins || right.hasCoins) && isOneOf(COINS_WORTH)) return true;
  return left.unitsOfAKind(right) && (isOneOf(FACTORS) || left.isSum);
}
