/* The number that a reply gives as its answer, and the number that a student types. As the robust reading of
   mathtutor/maths/answers.py: the last "the answer is", else "####", else \boxed{}, else the last bold number, else the last number. */

import { unwrapped } from "./formulas.js";
import { holdsNumber, readLastNumber, readNumber, readWords } from "./numerals.js";
import { endOf, pattern } from "./patterns.js";
import { CALCULATION, CUT_OFF, EMPTY, LONG, NO_NUMBER, TWO_ANSWERS, answer } from "./refusals.js";

const TAIL_CHARS = 4000; // an answer is stated at the end: no more than this is ever searched
const MAX_STATEMENTS = 12; // and of the statements in it, no more than the last ones
const MAX_BARE = 500; // characters of an answer without a reply around it

/** The number that a student typed: "$5", "3 1/2", "five", "5 apples", "50%". Two different numbers, a range and a calculation
    are refused, never guessed at. */
export function readTyped(typed) {
  if (!typed.trim()) return answer(null, "none", { refusal: EMPTY });
  if (typed.length > MAX_BARE) return answer(null, "none", { refusal: LONG });
  let text = typed.trim().replace(/[.!]+$/, "");
  const equals = text.lastIndexOf("=");
  if (equals >= 0 && holdsNumber(text.slice(equals + 1))) text = text.slice(equals + 1); // x = 5
  if (text.includes("√") || text.includes("sqrt")) return answer(null, "typed", { text: text.slice(0, 80), refusal: CALCULATION });
  return readNumber(text, "typed", true) ?? readWords(text, "typed") ?? answer(null, "none", { text: text.slice(0, 80), refusal: NO_NUMBER });
}

// --- the parts of a reply -------------------------------------------------------------------------------

const STATEMENT_LINE = pattern(
  String.raw`[\s*_#>-]*(?:####|(?:(?:so|thus|hence|therefore)\b,?\s*)?(?:the\s+)?(?:final\s+)?answer\b)`,
  { ignoreCase: true },
);

/** Is this line the statement of the answer ("The answer is 5.", "#### 5") and not a step? */
export const statesAnswer = (line) => STATEMENT_LINE.match(line) !== null;

/** [what follows the last </think>, whether the last tag opens]. */
function afterThinking(reply) {
  const pieces = reply.split(/(<think>|<\/think>)/);
  const cutOff = pieces.at(-2) === "<think>";
  return [cutOff ? "" : pieces.at(-1), cutOff];
}

// --- robust ---------------------------------------------------------------------------------------------

const STATED = pattern(
  String.raw`<answer>\s{0,4}|(?:\b|_)answer\b(?:[^.\d\n:=]{0,40}?|[ ](?:for|to|of|in|after)[ ][^.\n:=]{0,40}?)` +
    String.raw`(?:\b(?:is|(?:would|should|will|must) be|equals|(?:comes?|came)(?: out)? to)\b|:|=)[\s*_:]{0,10}`,
  { ignoreCase: true },
);
// What is said of an answer that is no number. "The answer is not 5. It is 6." says more.
const NO_ANSWER = pattern(
  String.raw`\W{0,4}(?:that )?(?:there (?:is|are|exists?) )?(?:no (?:\w+ ){0,2}(?:solutions?|answer|numbers?|values?)\b|neither\b` +
    String.raw`|infinitely many\b|undefined\b|indeterminate\b|impossible\b|unknown\b|not (?:possible|enough|defined)\b|cannot\b|can't\b` +
    String.raw`|DNE\b|none\b|(?:yes|no|true|false|\(?[A-F]\)?)\W*\Z)`,
  { ignoreCase: true },
);
const ANY_WORD = pattern(String.raw`\w`);
const LINE = pattern(String.raw`[^\n]{0,300}`);
const SENTENCE_END = pattern(String.raw`[.!?]\s+`);
const LAST_HASHES = pattern(String.raw`\n[\s*_]*####[^\n#]*\d[^\n#]*\Z`);
const SENTENCE = pattern(String.raw`.*?[.!]+(?=[\s*]|$)`);
const BOLD = pattern(String.raw`\*\*([^*\n]{1,120})\*\*`);
const HEADING = pattern(String.raw`[\s*_]*(?:step|question|problem|part)\s*#?\d{1,3}\b[\s*_]*[:.)-]?`, { ignoreCase: true });
const withoutHeading = (line) => {
  const heading = HEADING.search(line);
  return heading ? line.slice(0, heading.index) + line.slice(endOf(heading)) : line;
};

// How other models write <think> and </think>
const OTHER_THINKING = pattern(String.raw`(\[THINK\]|<thinking>|◁think▷)|\[/THINK\]|</thinking>|◁/think▷`);

/** The answer that a reply gives. */
export function readAnswer(reply) {
  let [rest, cutOff] = afterThinking(reply);
  const tag = OTHER_THINKING.all(rest).at(-1);
  if (tag) [rest, cutOff] = [rest.slice(endOf(tag)), Boolean(tag[1])];
  if (cutOff) return answer(null, "none", { cutOff: true, refusal: CUT_OFF });
  const tail = rest.slice(-TAIL_CHARS).trim().replace(/<\|im_end\|>$/, "");
  if (!tail.trim()) return answer(null, "none", { refusal: EMPTY });
  // "... to express the answer as a percentage: 32 / 96 = 33.3, so 33" is a step: below it, a last line "#### 33" answers.
  const alone = LAST_HASHES.search(tail) !== null;
  const marked = [stated(tail, alone), hashes(tail), boxed(tail)].filter(Boolean);
  const read = marked.filter((found) => found.value);
  if (read.some((found) => !found.value.equals(read[0].value))) {
    return answer(null, read[0].rule, { text: read.map((found) => found.text).join(" / "), refusal: TWO_ANSWERS });
  }
  if (marked.length) return read[0] ?? marked[0];
  return bold(tail) ?? readLastNumber(tail, "last number") ?? answer(null, "none", { refusal: NO_NUMBER });
}

/** The last statement that can be read; with `alone` only those that begin a sentence. */
function stated(tail, alone) {
  for (const match of STATED.all(tail).slice(-MAX_STATEMENTS).reverse()) {
    const before = tail.slice(tail.lastIndexOf("\n", match.index) + 1, match.index);
    const begins = SENTENCE_END.all(before).at(-1);
    if (alone && !statesAnswer((begins ? before.slice(endOf(begins)) : before) + match[0])) continue;
    const line = LINE.match(tail, endOf(match))[0];
    const none = noAnswer(line, "answer is");
    if (none) return none;
    const sentence = SENTENCE.match(line);
    for (const text of [sentence ? sentence[0] : line, line]) {
      const found = readNumber(text, "answer is") ?? readWords(text, "answer is");
      if (found && found.refusal !== NO_NUMBER) return found; // "The answer is not 5. It is 6."
    }
  }
  return null;
}

function noAnswer(text, rule) {
  const none = NO_ANSWER.match(text);
  return none ? answer(null, rule, { text: none[0], refusal: NO_NUMBER }) : null;
}

const ANSWER_HEADING = pattern(String.raw`(?:\W|_){0,20}(?:the\s+)?(?:final\s+)?(?:answer|result)(?:\W|_){0,20}\Z`, { ignoreCase: true });

/** What stands in the line of the last "####", or below it where it only says "Answer". Another heading gives no answer. */
function hashes(tail) {
  const last = (tail.split("####").slice(1).filter((piece) => piece.trim()).at(-1) ?? "").trim();
  const [head, ...below] = last.split("\n");
  const line = ANSWER_HEADING.match(head) ? below.join("\n").trimStart().split("\n")[0] : head;
  const said = withoutHeading(line.slice(0, 300));
  return noAnswer(said, "####") ?? readNumber(said, "####") ?? readWords(said, "####");
}

function boxed(tail) {
  const opens = tail.lastIndexOf("\\boxed{");
  if (opens < 0) return null;
  const start = opens + "\\boxed{".length;
  let [end, depth] = [start, 1];
  while (end < tail.length && depth) {
    depth += (tail[end] === "{") - (tail[end] === "}");
    end++;
  }
  const said = tail.slice(start, depth ? end : end - 1);
  const found = readNumber(said, "boxed") ?? readWords(unwrapped(said), "boxed");
  if (found) return found;
  // "no solution" is an answer: no number of the reply may stand for it. An empty box, or "...", is none.
  return ANY_WORD.search(unwrapped(said)) ? answer(null, "boxed", { text: said.slice(0, 80), refusal: NO_NUMBER }) : null;
}

function bold(tail) {
  for (const match of BOLD.all(tail).slice(-MAX_STATEMENTS).reverse()) {
    if (HEADING.match(match[1]) || match[1].trimEnd().endsWith(":")) continue;
    const found = readNumber(match[1], "bold");
    if (found) return found;
  }
  return null;
}
