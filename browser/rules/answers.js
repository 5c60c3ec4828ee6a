/* The number that a reply gives as its answer, and the number that a student types. As the robust reading of
   mathtutor/maths/answers.py: the last "the answer is", else "####", else \boxed{}, else the last bold number, else the last number. */

import { unwrapped } from "./formulas.js";
import { holdsNumber, readLastNumber, readNumber, readWords } from "./numerals.js";
import { endOf, pattern } from "./patterns.js";
import { CALCULATION, CUT_OFF, EMPTY, LONG, NO_NUMBER, TWO_ANSWERS, answer } from "./refusals.js";
import { SCALES } from "./words.js";

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

// "To answer this: 3 + 4 = 7" is a step: there it is a verb
const STATED = pattern(
  String.raw`<answer>\s{0,4}|(?<!\bto )(?<!\blet['’]s )(?<!\blet us )(?<!\bcan )(?<!['’]ll )(?:\b|_)(?:answers(?=[ ]are\b|:)|answer\b)` +
    String.raw`(?:[^.\d\n:=]{0,40}?|[ ](?:for|to|of|in|after)[ ][^.\n:=]{0,40}?)` +
    String.raw`(?:\b(?:is|(?<=answers )are|(?:would|should|will|must) be|equals|(?:comes?|came)(?: out)? to)\b|:|=)[\s*_:]{0,10}`,
  { ignoreCase: true },
);
// What speaks of an answer without stating it: "To find the answer: ...", "Checking the answer = ...", "The answer to the first part"
const ASIDE = pattern(
  String.raw`(?:^|[.!?:]\s|\n)[\s*_#>\d.)-]{0,8}to\s+(?:[\w'-]{1,15}\s+){1,4}\Z` +
    String.raw`|\b(?:verify|check|confirm|validat|express|convert|round|simplif)(?:e|es|s|y|ies|ing|ying)?\s+(?:the|our|this|your|my)\s+(?:\w{1,10}\s+)?\Z`,
  { ignoreCase: true },
);
const OF_A_PART = pattern(String.raw`answers?[ ](?:for|to|of|in)[ ](?:the[ ]|this[ ])?(?:first|previous)\b`, { ignoreCase: true });
const LISTED = pattern(String.raw`\n\s*\d{1,2}[.)][ ]+\S`);
// "After 3 days, Tom has 18": the 3 says when
const LEAD = pattern(
  String.raw`\W{0,4}(?:that\s+)?(?:after|in|within|during|each\s+of)\s+(?:(?:the|these|those)\s+)?\d[\d,]{0,9}\s+[a-z]{1,12}` +
    String.raw`(?:,\s*|\s+(?=[a-z])(?!(?:and|or|to|until|of|per|for|is|are|at)\b))(?=[^.\n]*\d)`,
  { ignoreCase: true },
);
// A sentence that takes back what stands before it
const WITHDRAWN = pattern(
  String.raw`(?:[.!?…]|\n)[\s*_]{0,4}(?:(?:wait|hmm+|oh|no|oops|actually|sorry|but|hold on)\b[\s,.!…-]{0,4}){0,3}` +
    String.raw`(?:(?:that|this)(?:['’]s| is)(?: \w{1,12})? (?:wrong|incorrect|not (?:right|correct))\b` +
    String.raw`|I(?:['’]ve| have)? (?:just )?made an? (?:\w{1,12} )?(?:mistake|error)\b)|(?:\.\.\.|…)\s{0,3}no,`,
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
const LAST_BOX = pattern(String.raw`\\boxed\{(?=[^\n]*\d)[^\n]*(?:\n[\s$\\\])]*)?\Z`);
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
  let tail = rest.slice(-TAIL_CHARS).trim().replace(/<\|im_end\|>$/, "");
  if (!tail.trim()) return answer(null, "none", { refusal: EMPTY });
  const takenBack = WITHDRAWN.all(tail).at(-1);
  if (takenBack) tail = tail.slice(endOf(takenBack));
  // "... to express the answer as a percentage: 32 / 96 = 33.3, so 33" is a step: below it, a last line "#### 33" answers.
  const alone = Boolean(LAST_HASHES.search(tail) || LAST_BOX.match(tail, Math.max(0, tail.lastIndexOf("\\boxed{"))));
  const marked = [stated(tail, alone), hashes(tail), boxed(tail)].filter(Boolean);
  const read = marked.filter((found) => found.value);
  if (read.some((found) => !found.value.equals(read[0].value))) {
    return answer(null, read[0].rule, { text: read.map((found) => found.text).join(" / "), refusal: TWO_ANSWERS });
  }
  if (marked.length) return read[0] ?? marked[0];
  return bold(tail) ?? readLastNumber(tail, "last number") ?? answer(null, "none", { refusal: NO_NUMBER });
}

function number(text, rule) {
  const lead = LEAD.match(text);
  return readNumber(lead ? text.slice(endOf(lead)) : text, rule);
}

/** The last statement that can be read; with `alone` only those that begin a sentence. */
function stated(tail, alone) {
  for (const match of STATED.all(tail).slice(-MAX_STATEMENTS).reverse()) {
    const before = tail.slice(tail.lastIndexOf("\n", match.index) + 1, match.index);
    const begins = SENTENCE_END.all(before).at(-1);
    if (alone && !statesAnswer((begins ? before.slice(endOf(begins)) : before) + match[0])) continue;
    const marked = match[0].replace(/[ *_]+$/, "");
    if (/[:=]$/.test(marked) && ASIDE.search(before.slice(-120))) continue;
    if (OF_A_PART.match(match[0]) || LISTED.match(tail, match.index + marked.trimEnd().length)) continue;
    const line = LINE.match(tail, endOf(match))[0];
    const none = noAnswer(line, "answer is");
    if (none) return none;
    const shown = BOLD.all(line).filter((found) => holdsNumber(found[1]));
    if (marked.includes(":") && shown.length === 1 && holdsNumber(line.slice(0, shown[0].index))) { // Answer: She sells 9 eggs and makes **$18**.
      const found = readNumber(shown[0][1], "answer is");
      if (found?.value) return found;
    }
    const sentence = SENTENCE.match(line);
    for (const text of [sentence ? sentence[0] : line, line]) {
      const found = number(text, "answer is") ?? readWords(text, "answer is");
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
  return noAnswer(said, "####") ?? number(said, "####") ?? readWords(said, "####");
}

// \boxed{18}^2 and \boxed{18}x, but not \boxed{18}^\circ; \boxed{18} million
const GOES_ON = pattern(String.raw`\s?\^(?!\s?\{?\s?\\circ)|\s?[xyzn](?![A-Za-z])`);
const SCALE_BEHIND = pattern(String.raw`[\s$]{0,3}(?:\\text\s?\{\s?)?(${[...SCALES.keys()].join("|")})\b`, { ignoreCase: true });

function boxed(tail) {
  const opens = tail.lastIndexOf("\\boxed{");
  if (opens < 0) return null;
  const start = opens + "\\boxed{".length;
  let [end, depth] = [start, 1];
  while (end < tail.length && depth) {
    depth += (tail[end] === "{") - (tail[end] === "}");
    end++;
  }
  let said = (tail[opens - 1] === "-" ? "-" : "") + tail.slice(start, depth ? end : end - 1);
  if (GOES_ON.match(tail, end)) return answer(null, "boxed", { text: tail.slice(start, end + 8), refusal: CALCULATION });
  const scale = SCALE_BEHIND.match(tail, end);
  if (scale) said += ` ${scale[1]}`;
  const found = readNumber(said, "boxed") ?? readWords(unwrapped(said), "boxed");
  if (found) return found;
  // "no solution" is an answer: no number of the reply may stand for it. An empty box, or "...", is none.
  return ANY_WORD.search(unwrapped(said)) ? answer(null, "boxed", { text: said.slice(0, 80), refusal: NO_NUMBER }) : null;
}

function bold(tail) {
  for (const match of BOLD.all(tail).slice(-MAX_STATEMENTS).reverse()) {
    if (HEADING.match(match[1]) || match[1].trimEnd().endsWith(":")) continue;
    const scale = SCALE_BEHIND.match(tail, endOf(match));
    const found = number(match[1] + (scale ? ` ${scale[1]}` : ""), "bold");
    if (found) return found;
  }
  return null;
}
