/* A lesson is a reply, seen by the student while it is being written: cards, the growing line, the answer, the phase.
   As mathtutor/tutoring/lesson.py. `computed` holds [start, end] offsets into the text that the calculator wrote. */

import { evaluate, show } from "./arithmetic.js";
import { readAnswer, readTyped, statesAnswer } from "./answers.js";
import { splitReply } from "./chat.js";
import { NOTHING, OK, SPACED_OPERATOR, WRONG, checkStep } from "./checks.js";
import { whole } from "./exact.js";
import { pattern } from "./patterns.js";
import { clean } from "./screen.js";
import { parseSteps } from "./steps.js";

export const [THINKING, ANSWERED, STOPPED, CUT_OFF] = ["thinking", "answered", "stopped", "cut off"];
export const [REPEATING, NO_ANSWER, FAILED] = ["repeating", "no answer", "failed"];

const LABEL_SO_FAR = pattern(String.raw`\W*(?:S|St|Ste|Step\s*\d*:?)?`, { ignoreCase: true });

export class Lesson {
  constructor(text = "", computed = [], numTokens = 0, finish = null) {
    Object.assign(this, { text, computed, numTokens, finish });
    const parts = splitReply(text);
    const thinks = parts.reasoning.trim() !== "";
    this.working = thinks ? parts.reasoning : parts.tail.split("\n").map((line) => (statesAnswer(line) ? "" : line)).join("\n");
    const steps = parseSteps(this.working, finish !== null || (parts.closed && thinks));
    this.cards = this.cardsOf(steps.filter((step) => step.done));
    const last = steps.at(-1);
    this.growing = !last || last.done || LABEL_SO_FAR.fullmatch(last.text) ? "" : last.text;
    const read = finish === "stop" ? readAnswer(text) : null;
    this.answer = read?.value && !read.cutOff ? read : null;
    this.phase = this.phaseOf(read);
  }

  /** The finished steps, each {number, text, check, computed} with its sums checked. */
  cardsOf(steps) {
    let cursor = 0;
    return steps.map((step) => {
      const start = this.text.indexOf(step.text, cursor);
      if (start < 0) return { number: step.number, text: step.text, check: checkStep(step), computed: [] };
      cursor = start + step.text.length;
      const spans = this.computed
        .map(([a, b]) => [Math.max(a, start) - start, Math.min(b, cursor) - start])
        .filter(([a, b]) => a < b);
      return { number: step.number, text: step.text, check: checkStep(step), computed: spans };
    });
  }

  phaseOf(read) {
    if (this.finish === null) return THINKING;
    const ends = { failed: FAILED, stopped: STOPPED, length: CUT_OFF, repeating: REPEATING };
    if (ends[this.finish]) return ends[this.finish];
    return this.answer ? ANSWERED : read.cutOff ? CUT_OFF : NO_ANSWER;
  }

  get claims() {
    return this.cards.flatMap((card) => card.check.claims);
  }

  /** Number of the first step with a sum that does not add up, or null. */
  get firstWrong() {
    return this.cards.find((card) => card.check.state === WRONG)?.number ?? null;
  }

  /** Is the answer what the last sum arrives at (10% is matched by 10 and by 0.1)? null where one of the two is missing. */
  get answerMatchesLastStep() {
    const last = this.claims.filter((check) => check.state !== NOTHING).at(-1);
    const value = this.answer?.value;
    if (!last || !value) return null;
    if (last.right && value.equals(last.right)) return true;
    const side = last.claim.right;
    const points = side.includes("%") && !SPACED_OPERATOR.search(side) ? evaluate(side, { points: true }).value : null;
    return Boolean(points && value.equals(points));
  }
}

/** The lesson after one more piece {text, numTokens, computed, finish}. What follows a finish is ignored. */
export function feed(lesson, piece) {
  if (lesson.finish !== null) return lesson;
  const computed = [...lesson.computed];
  if (piece.computed && piece.text) {
    const begin = computed.at(-1)?.[1] === lesson.text.length ? computed.pop()[0] : lesson.text.length; // one result may come in several pieces
    computed.push([begin, lesson.text.length + piece.text.length]);
  }
  return new Lesson(lesson.text + piece.text, computed, lesson.numTokens + piece.numTokens, piece.finish);
}

/** How many sums were checked: {total, checked, wrong}. */
export function sums(lesson) {
  const states = lesson.claims.map((check) => check.state);
  return { total: states.length, checked: states.filter((state) => state !== NOTHING).length, wrong: states.filter((state) => state === WRONG).length };
}

/** The answer as people write it ("5", never "5.0"), or "". */
export const answerText = (lesson) => (lesson.answer ? show(lesson.answer.value) : "");

const OPERATES = pattern(String.raw`[-+*/^%]`);

/** The sums of a step that hold, each {left, value}: one for a chain "40 - 10 = 15 * 2 = 30". As mathtutor/tutoring/hints.py. */
export function sumsOf(check) {
  const found = [];
  let chain = [];
  for (const claim of [...check.claims, null]) {
    const goesOn = claim && chain.length && claim.claim.left === chain.at(-1).claim.right;
    if (chain.length && !goesOn) {
      const [first, last] = [chain[0], chain.at(-1)];
      if (chain.every((each) => each.state === OK) && OPERATES.search(first.claim.left.replace(/^-+/, ""))) {
        found.push({ left: first.claim.left, value: last.right });
      }
      chain = [];
    }
    if (claim) chain.push(claim);
  }
  return found.filter((each) => each.value);
}

/** What a student's number says about where the student stands, beside a finished lesson with an answer:
    {says: "nothing" | "unreadable" | "same" | "partway" | "other", value, step}. As mathtutor/tutoring/replies.py. */
export function judge(typed, lesson) {
  const text = clean(typed);
  if (!text) return { says: "nothing", value: null, step: 0 };
  const { value } = readTyped(text);
  if (!value) return { says: "unreadable", value: null, step: 0 };
  const values = text.includes("%") ? [value, value.over(whole(100))] : [value];
  const has = (other) => values.some((each) => each.equals(other));
  if (has(lesson.answer.value)) return { says: "same", value: lesson.answer.value, step: 0 };
  for (const card of lesson.cards) {
    const sum = sumsOf(card.check).find((each) => has(each.value));
    if (sum) return { says: "partway", value: sum.value, step: card.number };
  }
  return { says: "other", value, step: 0 };
}
