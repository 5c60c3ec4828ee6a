/* Whether a reply goes round in circles. As mathtutor/engines/cycles.py: numbers are left out, since they grow from round to round. */

const ROUNDS = 6; // as often must the same words stand at the end
const [SHORTEST, LONGEST] = [8, 200]; // characters of one round, numbers left out
export const TAIL_TOKENS = 400;
export const EVERY = 16; // tokens between two looks

export function goesInCircles(text) {
  const words = text.slice(-ROUNDS * LONGEST * 2).replace(/[\p{Nd}.,]+/gu, "");
  const longest = Math.min(LONGEST, Math.floor(words.length / ROUNDS));
  for (let length = SHORTEST; length <= longest; length++) {
    const last = words.slice(-length);
    if (words.endsWith(last.repeat(ROUNDS)) && /\p{L}/u.test(last)) return true;
  }
  return false;
}
