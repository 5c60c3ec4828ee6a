/* The lines of a reasoning, whole or still being written. As mathtutor/maths/steps.py. A step is {number, text, done, claims}. */

import { evaluate } from "./arithmetic.js";
import { agree, findClaims } from "./claims.js";
import { MAX_GAP, fold } from "./folding.js";
import { withoutMarkup } from "./markup.js";
import { endOf, pattern } from "./patterns.js";
import { tokenize } from "./tokens.js";

const LOOK_BACK = 200; // characters of the current line that openExpression reads

const BULLET = pattern(String.raw`(?:#{1,6}\s{1,4}|>\s{1,4})?(?:[-*+•]\s{1,4})?`);
const LABEL = pattern(
  String.raw`(?:\*\*|__)?\s?(?:step\s{0,4}#?(?P<step>\d{1,3})\s?(?:\*\*|__)?\s?(?:[:.)\-–—]+(?!\d)|$)` +
    String.raw`|(?P<item>\d{1,3})[.)](?=\s|$))\s{0,4}(?:\*\*|__)?\s{0,4}`,
  { ignoreCase: true },
);
// What may stand after the right side of a claim once it is complete: "8" may become 85, 8.5 or 8 * 2.
const SETTLED = pattern(String.raw`[\s*]*(?:[.,;:!?)]+\s|[^\W\d_]{2,}[^\w]|=|>>|<<)`);

/** The non-empty lines of a reasoning as numbered steps. finished: false: the last line may still be growing; it is not
    done, and of its claims only those are given whose right side can no longer change. */
export function parseSteps(reasoning, finished = true) {
  const steps = [];
  const lines = reasoning.split("\n");
  let stated = 0; // a "Step 2:" that stands alone names the line below it
  for (const [index, written] of lines.entries()) {
    const done = finished || index < lines.length - 1;
    let line = written.replace(/^\r+|\r+$/g, "").trimStart();
    line = line.slice(endOf(BULLET.match(line)));
    const label = LABEL.match(line);
    if (label) {
      stated = Number(label.groups.step ?? label.groups.item);
      line = line.slice(endOf(label));
    }
    const text = line.trimEnd();
    if (!/[\p{L}\p{N}]/u.test(text) && (done || !label)) continue;
    let claims = findClaims(text);
    if (!done) claims = claims.filter((claim) => SETTLED.match(line, claim.end) && sidesAgree(claim));
    const last = steps.at(-1)?.number ?? 0;
    steps.push({ number: stated > last ? stated : last + 1, text, done, claims });
    stated = 0;
  }
  return steps;
}

/** Do its sides agree as they stand? Those that do not may still be followed by "rounded" or "remainder 1". */
function sidesAgree(claim) {
  return !claim.remainder && agree(evaluate(claim.left).value, evaluate(claim.right).value);
}

const OPEN_END = pattern(String.raw`=\s*(?:\\?[$€£]\s*)?$`);

/** The arithmetic that a text ending in "=" has just left open: "so 15 / 3 =" gives "15 / 3"; null where there is none, or
    where its value cannot be trusted to be what comes next (mathtutor/maths/steps.py tells which). */
export function openExpression(text) {
  const end = OPEN_END.search(text, Math.max(0, text.length - 8));
  if (!end || end[0].includes("\n")) return null;
  const begin = Math.max(text.lastIndexOf("\n", end.index - 1) + 1, end.index - LOOK_BACK);
  const [line] = withoutMarkup(text.slice(begin, end.index));
  if (["=", "<", ">", "!"].includes(line.slice(-1))) return null; // ==, >=
  const tokens = tokenize(line);
  const first = tokens.reduce((found, token, index) => (token.kind === "=" || token.kind === "stop" ? index + 1 : found), 0);
  const runs = fold([...tokens, { kind: "=", text: "=", start: line.length, end: line.length + 1 }], first, tokens.length);
  const run = runs.at(-1);
  if (!run || run.wantsValue() || run.gap > MAX_GAP) return null;
  const reachesBack = begin > 0 && text[begin - 1] !== "\n" && run.start === tokens[0].start;
  run.balance();
  if (reachesBack || run.cut || !run.hasOperator || run.isUnknown || run.letters) return null;
  if (run.isSum && run.unitsOfAKind()) return null; // 2 hours + 30 minutes
  const isNote = first > 0 && tokens[first - 1].text === "<<";
  if (run.isPercentages || (run.isSingle && run.isTightFraction && !isNote)) return null;
  const expression = run.expression();
  const { value } = evaluate(expression);
  return value && !run.isPortion(value) ? expression : null;
}
