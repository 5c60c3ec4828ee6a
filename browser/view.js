/* Lessons as elements of the page. Everything that a model or a student wrote goes in by textContent, here and nowhere else. */

import { show } from "./rules/arithmetic.js";
import { WRONG } from "./rules/checks.js";
import { answerText, sums } from "./rules/lesson.js";
import { asPrinted } from "./rules/markup.js";
import * as strings from "./strings.js";
import { words } from "./strings.js";

/** An element with a class and children; strings among the children become text. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

const hidden = (made) => {
  made.setAttribute("aria-hidden", "true");
  return made;
};

/** An element whose text is English in every language of the page. */
function english(made) {
  made.lang = "en";
  return made;
}

function badge(state) {
  const [icon, said, name] = strings.CHECKS[state];
  return element("span", `mt-check mt-${name}`, hidden(element("span", "", icon)), ` ${said}`);
}

/** `text` with each span marked as written by the calculator. */
function marked(text, spans) {
  const made = english(element("p"));
  let cursor = 0;
  for (const [from, to] of spans) {
    const number = text.slice(from, to);
    const start = from + number.length - number.trimStart().length;
    if (start < cursor || !number.trim()) continue;
    made.append(text.slice(cursor, start), element("span", "mt-computed", number.trim(), element("span", "mt-unseen", ` ${words.BY_CALCULATOR_SHORT}`)));
    cursor = start + number.trim().length;
  }
  made.append(text.slice(cursor));
  return made;
}

/** What each wrong sum should be: the value comes from the page's own arithmetic, not from the model. */
function fixes(card) {
  return card.check.claims
    .filter((each) => each.state === WRONG && each.left)
    .map(({ claim, left }) => element("p", "mt-fix", element("q", "", `${claim.left} = ${claim.right}`), ` ${strings.butMakes(claim.left, show(left))}`));
}

function card(number, head, ...body) {
  const summary = element("summary", "", element("span", "mt-num", strings.stepName(number)), ...head);
  const details = element("details", "", summary, element("div", "mt-body", ...body));
  details.open = true;
  return element("li", "mt-step", details);
}

/** One finished step, open until the student closes it. */
export function stepCard(step) {
  return card(step.number, [badge(step.check.state)], marked(asPrinted(step.text), step.computed), ...fixes(step));
}

/** A step's sums with a blank for each result. */
export function setUpCard(step, found) {
  const lines = found.map(({ left }) =>
    element("p", "mt-equation", `${left.replaceAll("*", "×").replaceAll("/", "÷")} = `, hidden(element("span", "mt-blank-box", "▢")), element("span", "mt-unseen", words.BLANK_SPOKEN)),
  );
  return card(step.number, [], ...lines, element("p", "", words.STATIC_SET_UP));
}

/** A line of the student's own with what its sums are worth; `isAsked`: the question stands at this one. */
export function lineCard(check, number, isAsked) {
  const [icon, said, name] = strings.MARKS[check.state];
  const wrong = check.claims.find((each) => each.state === WRONG);
  const badge = element("span", `mt-check mt-${name}`, hidden(element("span", "", icon)), ` ${said}`);
  return element(
    "li",
    `mt-line mt-line-${name}`,
    element("div", "mt-line-head", element("span", "mt-num", strings.lineName(number)), badge),
    element("p", "mt-line-text", check.step.text),
    ...(isAsked ? [element("p", "mt-question", strings.askAgain(`${wrong.claim.left} = ${wrong.claim.right}`))] : []),
  );
}

/** The line that is being written. */
export function growingLine(text, isLive) {
  const line = element("li", "mt-step mt-growing", element("p", "", text, ...(isLive ? [element("span", "mt-caret")] : [])));
  return isLive ? hidden(line) : line;
}

export function answerCard(lesson) {
  const wrong = lesson.firstWrong;
  const notes = [
    ...(lesson.answerMatchesLastStep === false ? [words.OTHER_THAN_LAST_STEP] : []),
    wrong === null ? words.NOT_PROOF : strings.wrongToMeToo(wrong),
    words.STATIC_ONCE,
  ];
  const made = element(
    "section",
    `mt-answer ${wrong === null ? "mt-plain" : "mt-wrong"}`,
    element("p", "mt-answer-label", words.MY_ANSWER),
    element("p", "mt-answer-value", answerText(lesson)),
    element("p", "mt-sums", strings.sumsLine(sums(lesson))),
    ...notes.map((note) => element("p", "", note)),
  );
  made.setAttribute("aria-label", words.ANSWER_LABEL);
  return made;
}

/** All the model wrote, letter for letter, one click away. */
export function raw(lesson) {
  const text = english(element("pre", "", lesson.text));
  text.tabIndex = 0;
  return element("details", "mt-raw", element("summary", "", words.RAW), text);
}

export const notice = (sentence, kind) => element("p", `mt-notice mt-${kind}`, sentence);

export function worry() {
  const made = element("section", "mt-worry", element("h2", "", words.WORRY_TITLE), ...words.WORRY.map((line) => element("p", "", line)));
  made.setAttribute("role", "status");
  return made;
}
