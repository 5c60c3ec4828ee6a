/* Which equations of a step hold. As mathtutor/maths/checks.py, where the concessions to how arithmetic is written are told. */

import { evaluate } from "./arithmetic.js";
import { ABOUT, DOTS, ELSEWHERE, NEAR, WHOLE } from "./claims.js";
import { Fraction, whole } from "./exact.js";
import { pattern } from "./patterns.js";

export const OK = "ok";
export const WRONG = "wrong";
export const NOTHING = "nothing"; // nothing to check, or nothing that can be checked

const ONE_NUMBER = pattern(String.raw`-?(?:\d+(?:\.\d+)?|\.\d+)%?`);
const OPERATOR = pattern(String.raw`[\d.)%] ?[-+*/^] ?[-\d.(]`);
export const SPACED_OPERATOR = pattern(String.raw` [-+*/^] `);
const NOT_HUNDRED = pattern(String.raw`(?<![\d.])(?!100%)[\d.]+%`);
const DIVISION = pattern(String.raw`(\d+|\([^()]*\)) / (\d+|\([^()]*\))`);
const STRONG = pattern(String.raw`[*/^]`);

/** {claim, state, left, right}: NOTHING for variables, for "a = b" without an operation, and for loose mismatches. */
export function checkClaim(claim) {
  const left = evaluate(claim.left).value;
  const right = evaluate(claim.right).value;
  let state = NOTHING;
  if (left && right) {
    if (claim.remainder) {
      const holds = leavesRemainder(claim);
      state = holds === null ? NOTHING : holds ? OK : WRONG;
    } else if (OPERATOR.search(claim.left) || OPERATOR.search(claim.right)) {
      const holds = left.equals(right) || isRounded(claim, left, right) || holdsInPoints(claim);
      const loose = claim.loose || mayBeRounded(claim, left, right);
      state = holds ? OK : loose ? NOTHING : WRONG;
    } else if (left.equals(right) && (claim.left.includes("%") || claim.right.includes("%"))) {
      state = OK; // 25% = 0.25
    }
  }
  return { claim, state, left, right };
}

/** 100 - 40 = 60%, 100% - 40% = 60 and 15 / 90 * 100% = 16.67: the sign stands for percentage points. */
function holdsInPoints(claim) {
  if (!claim.left.includes("%") && !claim.right.includes("%")) return false;
  if (STRONG.search(claim.left) && NOT_HUNDRED.search(claim.left)) return false; // 50 * 20% is not 1000
  const left = evaluate(claim.left, { points: true }).value;
  const right = evaluate(claim.right, { points: true }).value;
  return Boolean(left && right && (left.equals(right) || isRounded(claim, left, right, true)));
}

/** Is dividend = quotient * divisor + remainder? null where the left side is not one division of whole numbers. */
function leavesRemainder(claim) {
  const match = DIVISION.fullmatch(claim.left);
  const [dividend, divisor] = match ? [match[1], match[2]].map((side) => evaluate(side).value) : [null, null];
  if (!dividend || !divisor || !dividend.isWhole() || !divisor.isWhole()) return null;
  const remainder = BigInt(claim.remainder);
  return remainder < divisor.n && BigInt(claim.right) * divisor.n + remainder === dividend.n;
}

/** Is one side a number that the other is rounded to, as far as claim.rounding allows? */
function isRounded(claim, left, right, points = false) {
  for (const [side, exact, other] of [[claim.right, left, claim.left], [claim.left, right, claim.right]]) {
    if (!ONE_NUMBER.fullmatch(side)) continue;
    const digits = side.replace(/^[-%]+|[-%]+$/g, "");
    const places = (digits.split(".")[1] ?? "").length;
    const share = whole(side.includes("%") && !points ? 100 : 1);
    const unit = new Fraction(1n, 10n ** BigInt(places)).over(share);
    const miss = left.minus(right).size();
    const isHalf = (size) => !size.isBelow(miss.times(whole(2)));
    if (places) {
      if (isHalf(unit) || ([ABOUT, DOTS].includes(claim.rounding) && miss.isBelow(unit))) return true;
      continue;
    }
    const zeros = 10n ** BigInt(digits.length - digits.replace(/0+$/, "").length);
    const isCut = miss.isBelow(unit) && !exact.times(share).isWhole(); // to a neighbouring whole number
    if (claim.rounding === ABOUT && (isCut || isHalf(unit.times(new Fraction(zeros))))) return true;
    if (isCut && (claim.rounding === NEAR || (claim.rounding === WHOLE && other.includes("/")))) return true;
  }
  return false;
}

/** Could a mismatch be rounding all the same: "= almost 200" for 197, or rounding that is named elsewhere? */
function mayBeRounded(claim, left, right) {
  return [NEAR, ELSEWHERE].includes(claim.rounding) && isRounded({ ...claim, rounding: ABOUT }, left, right);
}

/** {step, state, claims}: WRONG if any claim is wrong, OK if at least one holds and none is wrong, else NOTHING. */
export function checkStep(step) {
  const claims = step.claims.map(checkClaim);
  const has = (state) => claims.some((check) => check.state === state);
  return { step, state: has(WRONG) ? WRONG : has(OK) ? OK : NOTHING, claims };
}
