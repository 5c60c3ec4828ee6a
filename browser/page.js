/* The page: one problem, solved in a worker, shown one step at a time or as it is written. Nothing typed leaves this file but
   for the worker, and nothing is stored. */

import { show } from "./rules/arithmetic.js";
import { NOTHING, WRONG, checkStep } from "./rules/checks.js";
import { ANSWERED, Lesson, STOPPED, THINKING, feed, judge, sumsOf } from "./rules/lesson.js";
import { OK, PERSONAL, WORRY, clean, screen } from "./rules/screen.js";
import { parseSteps } from "./rules/steps.js";
import * as strings from "./strings.js";
import { words } from "./strings.js";
import { answerCard, element, growingLine, lineCard, notice, raw, setUpCard, stepCard, worry } from "./view.js";

const FRAME = 50; // milliseconds between two pictures of a growing reply
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
const MOST_LINES = 40; // of a student's own steps, as in mathtutor/tutoring/diagnosis.py
const at = (id) => document.getElementById(id);

// "loading", "ready" or "broken": the model
let model = "loading";
// the run that goes on, or null: {number, problem, watch, lesson, started, drawn}
let run = null;
// what lies on the desk when hints are given, or null: {problem, lesson, shown, setUp, tried, isWhole}
let work = null;
let runs = 0;
let worker = null;

// --- what is said ---------------------------------------------------------------------------------------

/** The status line. Where `spoken` is given only that is announced, once, so that no clock is read out. */
function say(sentence, kind = "busy", spoken = sentence) {
  at("status").className = `mt-status mt-${kind}`;
  if (at("words").textContent !== sentence) at("words").textContent = sentence;
  if (at("spoken").textContent !== spoken) at("spoken").textContent = spoken;
}

function sayOf(sentence = "", look = "hint") {
  const line = at("feedback");
  line.hidden = !sentence;
  line.className = `mt-feedback mt-says-${look}`;
  const icon = element("span", "", strings.LOOKS[look]);
  icon.setAttribute("aria-hidden", "true");
  line.replaceChildren(...(sentence ? [icon, ` ${sentence}`] : []));
}

// --- the model ------------------------------------------------------------------------------------------

function start() {
  const isAble = typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(SIMD)) && typeof Worker === "function";
  if (!isAble) return breakDown(words.STATIC_NO_WEBASSEMBLY);
  say(strings.loading(0), "busy", words.STATIC_LOADING_SPOKEN);
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => hear[data.kind](data);
  worker.onerror = () => breakDown(words.STATIC_NOT_LOADED);
  worker.postMessage({ kind: "load" });
}

function breakDown(sentence) {
  model = "broken";
  run = null;
  worker?.terminate(); // what it still fetches would speak up later
  at("loading").hidden = true;
  buttons();
  say(sentence, "retry");
}

const hear = {
  loading({ done, total }) {
    at("loading").value = done / total;
    say(strings.loading(Math.floor((100 * done) / total)), "busy", words.STATIC_LOADING_SPOKEN);
  },
  waking() {
    at("loading").hidden = true;
    say(words.STATIC_WAKING);
  },
  ready({ threads }) {
    model = "ready";
    document.documentElement.dataset.threads = threads; // for who measures
    if (run) ask();
    else say(words.START_LEARN, "done");
  },
  failed() {
    breakDown(words.STATIC_NOT_LOADED);
  },
  piece({ run: number, piece }) {
    if (number !== run?.number) return;
    run.pieces.push(piece);
    if (piece.finish !== null) finish();
    else if (performance.now() - run.drawn >= FRAME) draw();
  },
};

// --- a run ----------------------------------------------------------------------------------------------

function solve() {
  if (run || model === "broken") return;
  clear();
  const { problem, finding } = screen(at("problem").value);
  if (finding === WORRY) {
    say("", "done");
    at("answer").replaceChildren(worry());
    return;
  }
  if (finding !== OK) {
    say(strings.refusal(finding), "hint");
    at("problem").focus();
    return;
  }
  run = { number: ++runs, problem, watch: at("watch").checked, lesson: new Lesson(), pieces: [], started: performance.now(), drawn: 0 };
  buttons();
  at("status").scrollIntoView({ block: "nearest" }); // on a narrow page it lies below
  if (model === "ready") ask();
}

function ask() {
  run.started = performance.now();
  worker.postMessage({ kind: "solve", run: run.number, problem: run.problem, calculator: true });
  tick();
}

/** The clock of the status line; the last step that is ready is what a screen reader hears. */
function tick() {
  if (!run || run.lesson.finish !== null) return;
  const seconds = Math.floor((performance.now() - run.started) / 1000);
  const last = run.lesson.cards.at(-1);
  if (run.watch) say(strings.thinking(seconds), "busy", last ? strings.stepReady(last.number) : words.THINKING);
  else say(strings.trying(seconds), "busy", words.TRYING_SPOKEN);
  clearTimeout(run.clock);
  run.clock = setTimeout(tick, 1000);
}

/** Take in the pieces that have come, and show them where the student watches. */
function draw() {
  const before = run.lesson.cards.length;
  if (run.pieces.length) run.lesson = run.pieces.reduce(feed, run.lesson);
  run.pieces = [];
  run.drawn = performance.now();
  if (!run.watch) return;
  showSteps(run.lesson, run.lesson.cards.length);
  if (run.lesson.cards.length > before) tick();
}

/** The first `count` steps as cards; those that stand there already stay, closed or open, as the student left them. */
function showSteps(lesson, count) {
  const list = at("steps");
  list.querySelectorAll(".mt-growing, .set-up").forEach((line) => line.remove());
  for (const step of lesson.cards.slice(list.children.length, count)) list.append(stepCard(step));
  if (lesson.phase === THINKING) list.append(growingLine(lesson.growing, true));
  else if (run?.watch && lesson.growing) list.append(growingLine(lesson.growing, false));
}

function stop() {
  if (!run) return;
  if (model !== "ready") {
    run = null; // it never began
    buttons();
    at("solve").focus();
    return;
  }
  worker.postMessage({ kind: "stop", run: run.number });
}

function finish() {
  const hadFocus = document.activeElement === at("stop");
  draw();
  clearTimeout(run.clock);
  const { lesson, watch, problem } = run;
  const isDone = lesson.phase === ANSWERED;
  if (watch) {
    at("answer").replaceChildren(...(isDone ? [answerCard(lesson)] : []), ...keyOf(lesson), ...(lesson.text ? [raw(lesson)] : []));
    say(strings.ended(lesson.phase), isDone ? "done" : lesson.phase === STOPPED ? "stopped" : "retry");
  } else if (isDone) {
    work = { problem, lesson, shown: 0, setUp: false, tried: false, isWhole: false };
    at("moves").hidden = false;
    if (isDoubtful(lesson)) at("doubt").replaceChildren(notice(words.STATIC_DOUBTFUL, "warn"));
    say(strings.ready(lesson.cards.length), "done");
  } else {
    say(lesson.phase === STOPPED ? words.STATIC_STOPPED : strings.ended(lesson.phase), lesson.phase === STOPPED ? "stopped" : "retry");
  }
  run = null;
  buttons();
  if (hadFocus) at("solve").focus(); // a disabled button lets it fall
}

const isDoubtful = (lesson) => lesson.firstWrong !== null || lesson.answerMatchesLastStep === false;
const keyOf = (lesson) => (lesson.cards.some((card) => card.computed.length) ? [notice(words.COMPUTED_KEY, "key")] : []);

// --- one step at a time ---------------------------------------------------------------------------------

/** The problem in the box is another one than the work's: say so. */
function isOther() {
  if (!work || screen(at("problem").value).problem === work.problem) return false;
  say(words.OTHER_PROBLEM, "hint");
  return true;
}

/** The next step: its sums with a blank, where it has any that check, then the step as it is worked. */
function next() {
  if (isOther()) return;
  const step = work.lesson.cards[work.shown];
  const found = step.check.state === WRONG ? [] : sumsOf(step.check);
  sayOf();
  if (found.length && !work.setUp) {
    const made = setUpCard(step, found);
    made.classList.add("set-up");
    at("steps").append(made);
    work.setUp = true;
    say(strings.setUpReady(step.number), "done");
  } else {
    work.shown++;
    work.setUp = false;
    showSteps(work.lesson, work.shown);
    say(work.shown === work.lesson.cards.length ? words.STATIC_LAST_STEP : strings.stepReady(step.number), "done");
  }
  buttons();
}

/** All of it, once the student has tried or has seen a worked step. */
function showWhole() {
  if (isOther()) return;
  const { lesson } = work;
  Object.assign(work, { shown: lesson.cards.length, setUp: false, isWhole: true });
  showSteps(lesson, work.shown);
  at("answer").replaceChildren(answerCard(lesson), ...keyOf(lesson), raw(lesson));
  say(words.WHOLE_SHOWN, "done");
  buttons();
}

function check(event) {
  event.preventDefault();
  const { finding } = screen(at("typed").value);
  at("answer").querySelector(".mt-worry")?.remove();
  if (finding === WORRY) {
    sayOf();
    at("answer").prepend(worry());
    return;
  }
  if (finding === PERSONAL) return sayOf(strings.refusal(finding));
  if (isOther()) return;
  const is = judge(at("typed").value, work.lesson);
  work.tried = work.tried || is.value !== null;
  sayOf(...strings.said(is, is.value ? show(is.value) : "", isDoubtful(work.lesson)));
  buttons();
}

// --- steps of one's own ---------------------------------------------------------------------------------

/** Each line of the student's with its sums worked out again, the first that does not add up with a question. No model is asked. */
function checkLines() {
  const text = clean(at("own").value);
  const { finding } = screen(text);
  at("own-lines").replaceChildren();
  if (finding === WORRY) {
    at("own-words").textContent = "";
    at("own-lines").replaceChildren(worry());
    return;
  }
  const checks = text.split("\n").filter((line) => line.trim()).slice(0, MOST_LINES).map((line) => checkStep({ text: line.trim(), claims: parseSteps(line).flatMap((step) => step.claims) }));
  const first = checks.findIndex((check) => check.state === WRONG);
  const hasSums = checks.some((check) => check.state !== NOTHING);
  at("own-words").textContent = first >= 0 ? strings.doubtOf(first + 1) : hasSums ? words.STATIC_SUMS_CHECK : words.CHECK_NO_LINES;
  if (!hasSums) return;
  const list = element("ol", "mt-lines", ...checks.map((check, index) => lineCard(check, index + 1, index === first)));
  list.setAttribute("aria-label", words.CHECK_LINES_LABEL);
  at("own-lines").append(list);
}

// --- the page -------------------------------------------------------------------------------------------

function buttons() {
  at("solve").disabled = run !== null || model === "broken";
  at("solve").textContent = at("watch").checked ? words.STATIC_SOLVE : words.HELP_ME;
  at("stop").disabled = run === null;
  const hadFocus = document.activeElement;
  at("next").disabled = !work || work.shown === work.lesson.cards.length;
  at("whole").disabled = !work || work.isWhole || !(work.tried || work.shown > 0);
  if (hadFocus === at("next") && at("next").disabled) at(at("whole").disabled ? "typed" : "whole").focus();
  if (hadFocus === at("whole") && at("whole").disabled) at("typed").focus();
}

function clear() {
  work = null;
  at("moves").hidden = true;
  at("typed").value = "";
  sayOf();
  for (const id of ["steps", "answer", "doubt"]) at(id).replaceChildren();
}

function dress() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const put = () => document.documentElement.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", put);
  put();
}

/** Every element that names its words gets them in the page's language. */
function speak() {
  document.documentElement.lang = strings.LANGUAGE;
  document.title = words.TITLE;
  for (const each of document.querySelectorAll("[data-words]")) each.textContent = words[each.dataset.words];
  for (const each of document.querySelectorAll("[data-label]")) each.setAttribute("aria-label", words[each.dataset.label]);
  for (const [language, name] of strings.LANGUAGES) {
    const link = element("a", "", name);
    Object.assign(link, { href: `?lang=${language}`, lang: language, hreflang: language });
    if (language === strings.LANGUAGE) link.setAttribute("aria-current", "true");
    at("languages").append(element("li", "", link));
  }
  at("own").placeholder = words.CHECK_WORK_HINT;
  if (words.IN_ENGLISH) at("in-english").append(notice(words.IN_ENGLISH, "key"));
}

function choose(problem) {
  at("problem").value = problem;
  at("problem").focus();
}

dress();
speak();
for (const [name, problem] of Object.entries(strings.EXAMPLES)) {
  const button = element("button", "", strings.exampleName(name));
  button.type = "button";
  button.addEventListener("click", () => choose(problem));
  at("examples").append(button);
}
at("solve").addEventListener("click", solve);
at("stop").addEventListener("click", stop);
at("watch").addEventListener("change", buttons);
at("next").addEventListener("click", next);
at("whole").addEventListener("click", showWhole);
at("try").addEventListener("submit", check);
at("check-own").addEventListener("click", checkLines);
at("problem").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.shiftKey) return;
  event.preventDefault();
  solve();
});
buttons();
start();
