/* Every sentence of the page, for readers of about nine. `training.static` writes words.js: of each file in assets/words what is named
   here after "words.", or in index.html. The language is that of `?lang=` in the address, else the browser's, else English. */

import { NO_ANSWER } from "./rules/lesson.js";
import { NOTHING, OK, WRONG } from "./rules/checks.js";
import * as finding from "./rules/screen.js";
import { WORDS } from "./words.js";

const liked = [new URLSearchParams(location.search).get("lang"), ...navigator.languages.map((tag) => tag.split("-")[0].toLowerCase())];
export const LANGUAGES = Object.entries(WORDS).map(([language, words]) => [language, words.LANGUAGE_NAME]);
export const LANGUAGE = liked.find((language) => Object.hasOwn(WORDS, language)) ?? "en";
export const words = WORDS[LANGUAGE];
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
/** The form of a sentence that goes with a count. */
const counted = (forms, count) => forms[{ 1: "one", 2: "two" }[count]] ?? forms.other;

// name, of the button in EXAMPLE_NAMES -> problem
export const EXAMPLES = {
  "Toy cars":
    "Omar has 18 toy cars. Lena has twice as many toy cars as Omar. How many toy cars do they have altogether?",
  Bus: "A bus has 45 people on it. At the first stop 18 people get off and 7 get on. How many people are on the bus now?",
  Pencils: "Priya has 3 boxes with 12 pencils in each box and 7 loose pencils. How many pencils does she have in all?",
  Cookies: "Lisa bakes 36 cookies. She keeps 6 and shares the rest equally among 5 friends. How many cookies does each friend get?",
  Sale: "A shirt costs $40. It is on sale for 25% off. What is the sale price?",
  "Secret number": "I think of a number, multiply it by 4 and add 9. I get 41. What is my number?",
};
export const exampleName = (name) => words.EXAMPLE_NAMES[name];

export const loading = (percent) => fill(words.STATIC_LOADING, { percent });
export const thinking = (seconds) => fill(words.THINKING_FOR, { seconds });
export const stepReady = (step) => fill(words.STEP_READY, { step });
export const trying = (seconds) => fill(words.TRYING, { seconds });
export const stepName = (step) => fill(words.STEP, { step });
export const lineName = (line) => fill(words.LINE, { line });
export const refusal = (found) => (found === finding.EMPTY ? words.START_LEARN : words.FINDINGS[found]);
export const ended = (phase) => (phase === NO_ANSWER ? words.STATIC_NO_ANSWER : words.PHASES[phase]);

// state of a step -> [icon, words, class]; icon AND words, never colour alone
export const CHECKS = {
  [OK]: ["✓", words.CHECK_WORDS.ok, "ok"],
  [WRONG]: ["✗", words.CHECK_WORDS.wrong, "wrong"],
  [NOTHING]: ["–", words.CHECK_WORDS.nothing, "nothing"],
};
// of a student's line likewise
export const MARKS = {
  [OK]: ["✓", words.CHECK_WORDS.ok, "fine"],
  [WRONG]: ["◐", words.MARKS.doubt, "doubt"],
  [NOTHING]: ["–", words.NO_SUM, "nothing"],
};

export const ready = (count) => fill(counted(words.STATIC_READY, count), { count });
export const setUpReady = (step) => fill(words.STATIC_SET_UP_READY, { step });
export const wrongToMeToo = (step) => fill(words.WRONG_TO_ME_TOO, { step });
export const butMakes = (sum, value) => fill(words.BUT_MAKES, { sum, value });
export const doubtOf = (line) => fill(words.CHECK_DOUBT, { line });
export const askAgain = (sum) => fill(words.QUESTIONS.calculation, { sum });

/** How many sums were checked, in words that never say the answer is right. */
export function sumsLine({ total, checked, wrong }) {
  let said = counted(words.SUMS_SOME, checked);
  if (!total) said = words.SUMS_NONE;
  else if (!checked) said = counted(words.SUMS_UNCHECKED, total);
  else if (wrong) said = total === 1 ? words.SUMS_WRONG_ALONE : counted(words.SUMS_WRONG, wrong);
  else if (checked === total) said = counted(words.SUMS_ALL, total);
  return fill(said, { total, checked, wrong });
}

/** [words, look] of what a student's number says; `is` as `judge` gives it. */
export function said(is, value, doubtful) {
  const known = {
    nothing: [words.SAID_NOTHING, "hint"],
    unreadable: [words.SAID_UNREADABLE, "hint"],
    same: doubtful ? [words.STATIC_SAME_DOUBTFUL, "part"] : [words.SAID_SAME, "right"],
    partway: [words.SAID_PARTWAY, "part"],
    other: doubtful ? [words.SAID_OTHER_DOUBTFUL, "other"] : [words.STATIC_OTHER, "other"],
  };
  const [sentence, look] = known[is.says];
  return [fill(sentence, { value, step: is.step }), look];
}
export const LOOKS = { right: "✓", part: "◐", other: "?", hint: "→" };
