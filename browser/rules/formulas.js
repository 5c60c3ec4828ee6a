/* Is a written number all that is written there, or a part of something larger that was not worked out?
   As mathtutor/maths/formulas.py: what is not understood beside a number makes it a part. */

import { plain } from "./arithmetic.js";
import { endOf, pattern } from "./patterns.js";
import { CALCULATION, CLOCK, COMPOUND, DATE, RANGE, SEPARATORS, TWO_ANSWERS } from "./refusals.js";
import { TENS, UNITS } from "./words.js";

// --- without its wrapping -------------------------------------------------------------------------------

const PART = String.raw`(?:\{\s?(-?[\d,.]{1,60})\s?\}|\s?(\d))`;
const FRAC = pattern(String.raw`(-?)\s?\\[dt]?frac\s?${PART}\s?${PART}(?!\d)`); // \frac12 is 1/2, \frac123 is not 1/23
const POWER_OF_TEN = pattern(
  String.raw`(?<=\d)\s?(?:\\(?:times|cdot)|[x×*·⋅])\s?10\s?\^\s?(?:\{\s?([+-]?\d{1,9})\s?\}|(-?\d{1,9}))(?!\d)`,
);
const REPEATING = pattern(String.raw`(\d{0,9})\.(\d{0,9})\\(?:overline|bar|dot)\s?\{?\s?(\d{1,9})\s?\}?`);
const TIMES = pattern(String.raw`\\(?:times|cdot|ast)(?![a-z])`);
const OVER = pattern(String.raw`\\div(?![a-z])`);
const ABOUT = pattern(String.raw`\\(?:approx|simeq|cong|sim)(?![a-z])`);
const DEGREES = pattern(String.raw`\s?(?:\^\s?\{?\s?)?\\(?:circ|degree|textdegree)(?![a-z])`);
const LATEX = pattern(
  String.raw`\\(?:text|textrm|textbf|textit|texttt|textnormal|math(?:rm|bf|it|sf|tt)|boxed|fbox|mbox|operatorname|emph|underline` +
    String.raw`|boldsymbol|bm|(?:text)?color)\s?\{` +
    String.raw`|\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|q?quad|bf|rm|[lL]arge|LARGE|[hH]uge|[lc]?dots|checkmark|square` +
    String.raw`|blacksquare|implies|[Rr]ightarrow|therefore|pounds|euro|textdollar|[nt])(?![a-z])` +
    String.raw`|\\(?:begin|end)\s?\{(?:align(?:ed)?|equation|gather(?:ed)?|split)\*?\}|\\[,;:! ()\[\]]|\\(?=[$%#&])`,
);
const SCRIPT = pattern(String.raw`([_^])\s?\{\s*`); // of "\text{ cm}^{2}" and "12_{5}" the index stays beside what it belongs to
const SCRIPT_BEHIND_BRACE = pattern(String.raw`\}\s?(?=[_^])`);
const SQUARED_UNIT = pattern(
  String.raw`(?<=[\d\s])((?:[ckdm]?m|in|ft|yd)|(?:units?|feet|inches|met(?:er|re)s)(?=\s?\^))(?:\s?\^)?([23])(?![\d,.]*\d)`,
);
// x > 3, 2<3, but not <b>3</b> nor <3>
const COMPARED = pattern(String.raw`((?<![A-Za-z</\\])[A-Za-z]\s?|[^<>\n]\s|\d)[<>](=?)\s?(?=[-+$]{0,2}\d)(?![-+$\d,.]{1,60}>)`);
const STRUCK = pattern(String.raw`~~[^~\n]{1,80}~~`);

/** 0.1\overline{6} is 15/90. */
function asFraction(match, whole, fixed, again) {
  return `${BigInt(whole + fixed + again) - BigInt(whole + fixed)}/${"9".repeat(again.length)}${"0".repeat(fixed.length)}`;
}

/** Without LaTeX and brackets of markup: "3\frac{1}{2}" is "3 1/2", "1.5 \times 10^{4}" is "1.5e4", "5 cm^2" is "5 cm²". */
export function unwrapped(written) {
  let text = written;
  if (text.includes("^")) text = POWER_OF_TEN.replace(text, "e$1$2");
  if (text.includes("\\")) {
    text = FRAC.replace(REPEATING.replace(text.replaceAll(",\\!", ",").replaceAll("\\infty", "∞"), asFraction), " $1$2$3/$4$5");
    text = DEGREES.replace(ABOUT.replace(OVER.replace(TIMES.replace(text, "*"), "÷"), "≈"), "°");
    text = SCRIPT_BEHIND_BRACE.replace(LATEX.replace(text, " "), "");
  }
  text = COMPARED.replace(text, "$1≶$2 ");
  if (text.includes("~~")) text = STRUCK.replace(text, " ");
  if (text.includes("^") || text.includes("_")) text = SCRIPT.replace(text, "$1");
  text = plain(text.replaceAll("{,}", ",")).replace(/[{}`<>]/g, " ");
  return SQUARED_UNIT.replace(text, (match, unit, power) => unit + { 2: "²", 3: "³" }[power]);
}

// --- what stands before a number ------------------------------------------------------------------------

const INSIDE = pattern(
  // \lfloor 2.5, \frac{\pi}{2}, log 8, π/2
  String.raw`(?:(?:\\[A-Za-z]+|^[\s$]*(?:log|ln|sin|cos|tan)(?![a-z])|π|(?<![A-Za-z])pi(?=\s?[/*^]))` +
    String.raw`(?:[\s(\[{|_^*/+-]|\\?pi(?![a-z])|(?<![A-Za-z])[A-Za-z](?![A-Za-z])){0,12}` +
    String.raw`|(?:[√∛∜]|sqrt)\s?\(?\s?|\^[\s(+-]{0,4}|[A-Za-z\d)\]]_\(?|\d:|[A-Za-z]['′]?\(\s?` + // √2, e^2, x_1, 5:3, f(2)
    String.raw`|[±∓∂∆∑∏∫⌊⌈‖]\s?|\+\s?/\s?-?\s?|\bplus or minus\s|(?:^|[^\w)])-\s?\(\s?` + // ±5, ⌊2.5⌋, +/-5, -(5)
    String.raw`|[A-Za-z)](?:[ ][+*/^÷][ ]|[+*/^÷])|(?<![A-Za-z'’])(?![aAI])[A-Za-z][ ]?-[ ]?|\)-` + // x + 5, half + 5, (x + 1)*5
    // half of 20, twice 7
    String.raw`|\b(?:(?:twice|double|triple)(?:[ ]of)?|(?:half|thirds?|quarters?|fourths?|fifths?|sixths?|eighths?|tenths?|square|cube` +
    String.raw`|(?:square|cube)[ ]root)[ ]of)[ ](?:the[ ]|a[ ])?[$€£]?|(?:^|\b(?:is|be)[ ])half[ ][$€£]?` +
    String.raw`|\b(?:negative|opposite|reciprocal|inverse|root|sum|product|difference)[ ]of[ ][$€£]?` +
    String.raw`|\b(?:half|twice|times|thirds?|quarters?)[ ]as[ ][a-z]{1,12}[ ]as[ ](?:the[ ])?[$€£]?|\ball[ ]but[ ](?:the[ ])?[$€£]?` +
    // 5x = 18, x + 2 = 18, 20 - x = 18: an equation says what is unknown, and not what it is
    String.raw`|(?:\d[ ]?\([ ]?[xyzn][ ]?\)|\d[ ]?[xyzn](?![A-Za-z]|\s?[$€£(\d.])|\d[ ]?[-+/][ ]?[xyzn](?![A-Za-z])|(?<![A-Za-z])[xyzn](?:[ ]?[-+/^][ ]?\d|[²³]))` +
    String.raw`[^=\n]{0,20}=\s?[$€£]?)$`,
  { ignoreCase: true },
);
// Tom's age plus 18, three times 18, one over 18; but "is minus 18" has a sign
const OPERATED = pattern(
  String.raw`[ ](?:plus|minus|times|over|mod|div|(?:divided|multiplied)[ ]by|to[ ]the[ ]power[ ]of)[ ][$€£]?$`,
  { ignoreCase: true },
);
export const MINUS_BEFORE = pattern(
  String.raw`(?:(?:^|[:=,(*]|['’]s|\b(?:is|was|be|are|to|of|at|answer|approximately|about|now))[\s*_$]*` +
    String.raw`(?P<minus>(?:minus|negative)\s+[$€£]?\s?)|(?:[=≈]|\b(?:is|was|be|are))[\s$]{0,3}(?P<sign>-\s+))$`,
  { ignoreCase: true },
);
const VARIABLE_BEFORE = pattern(String.raw`(?<![A-Za-z'’])(?![aAI])[A-Za-z][ ]$`);
const BOUND = pattern(
  String.raw`(?:\b(?:(?:more|greater|less|fewer|larger|smaller|other) than|at (?:least|most)|under|above|below|exceed(?:s|ing)?)\s` +
    String.raw`|(?:^|\b(?:is|be)\s)(?:up to|over)\s|(?:[≶≤≥≠]=?|!=)\s{0,2})[$€£]?$`,
  { ignoreCase: true },
);
// "18 - 3", where words stand for the 18: "total - 3"; in prose those of a line of its own, and behind "is" or "=" (a list has "Total - 3")
const LESS = String.raw`[\s$*(]*(?:the )?[a-z]{2,12}(?: [a-z]{1,12}){0,2} - [$€£]?`;
const WORDS_LESS = pattern(LESS);
const PROSE_LESS = pattern(String.raw`(?:[\n=]|\b(?:is|was|be|are|equals|makes|gives|have|has|had)\b)${LESS}$`);
const COMPARES = String.raw`(?:[<>≤≥≠]=?|!=|\\(?:[gl](?:eq?|eqslant|t)|neq?)(?![a-z]))\s?[-+$]{0,2}\d`;
const INEQUALITY = pattern(
  String.raw`[^\d=]{0,40}(?<![A-Za-z</\\])[A-Za-z]\s?${COMPARES}|[\s$]{0,4}(?!<[^<>\n]{0,40}>)${COMPARES}`,
);
const MONTH =
  String.raw`(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?` +
  String.raw`|Nov(?:ember)?|Dec(?:ember)?)`;
const MERIDIEM = pattern(String.raw`\s?[ap]\.?m\b`, { ignoreCase: true });
const ENDS = pattern(String.raw`(?:st|nd|rd|th)?\s*(?:[^\w\s]|\Z)`);
const MONTH_BEFORE = pattern(String.raw`\b${MONTH}\.?[ ](?:the[ ])?$`);
// P(X = 3) = 0.2, x_1 = 3, Total cost ≈ 5: a name, whose numbers are its own
const NAME = pattern(
  String.raw`[\s$*(]*[A-Za-z\\∠△|][A-Za-z\\∠△{} |]{0,40}(?:_\s?\w{1,8}\s?)?['′]?(?:\s?\([^()\n]{0,30}\))?\s*(?:=|≈)(?=[^=\n]*\d)`,
);

export const inequality = (text) => INEQUALITY.match(text);

/** Where the name ends that a text gives a value to, with its equals sign; 0 where it gives none. */
export const endOfName = (text) => NAME.match(text)?.[0].length ?? 0;

/** Why a number that starts there belongs to what stands before it: f(2), x + 5 = 7, "more than 5". signed: it has a sign of its own.
    strict: the text is prose, not a statement. Of bars only those right beside the number count, as spaced ones are those of a table. */
export function refusalBefore(text, start, signed, strict = false) {
  const before = text.slice(Math.max(0, start - 40), start);
  const bars = strict ? before : before.trimEnd();
  const less = WORDS_LESS.match(text);
  const isPart =
    (OPERATED.search(before) && !MINUS_BEFORE.search(before)) ||
    INSIDE.search(before) ||
    (signed && (bars.endsWith("|") || before.endsWith("-") || VARIABLE_BEFORE.search(before))) ||
    (strict ? PROSE_LESS.search(start > 40 ? before : `\n${before}`) : less && endOf(less) === start);
  if (isPart) return CALCULATION;
  return BOUND.search(before) ? RANGE : null;
}

/** March 5 is a date, and so is no number; 3:30 is read as hours, 3:30 pm is none of them. */
export function refusalOfTime(before, text, end, minutes) {
  if (MONTH_BEFORE.search(before) && ENDS.match(text, end)) return DATE; // but "in May 25 books were sold"
  return minutes && MERIDIEM.match(text, end) ? CLOCK : null;
}

// --- what stands behind it ------------------------------------------------------------------------------

const NUMERAL = String.raw`[$€£(|]{0,2}\s?[-+]?(?:\.?\d|[√∛π]|\\[a-z])`;
const NEXT = String.raw`\s?(?=${NUMERAL}|\.|\(?(?![aAI]\b)[A-Za-z](?![A-Za-z]))`; // a number, a command or a variable
const OPERATES =
  String.raw`(?:plus|minus|times|less|take\s+away|added\s+to|(?:divided|multiplied|shared|split|increased|reduced|decreased)\s+(?:by|among)` +
  String.raw`|to\s+the\s+power\s+of|mod|div|choose|nCr|nPr|vs\.?|versus)`;
const UNITS_OF_A_KIND = [
  "years?|months?|weeks?|days?|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s",
  "miles?|yards?|yds?|feet|foot|ft|inch(?:es)?|in|'|′|\"|″",
  "kilometers?|kilometres?|km|meters?|metres?|m|centimeters?|centimetres?|cm|millimeters?|millimetres?|mm",
  "pounds?|lbs?|ounces?|oz|tons?|kilograms?|kg|grams?|g",
  "gallons?|quarts?|pints?|cups?|liters?|litres?|l|milliliters?|millilitres?|ml",
  "dollars?|pounds?|euros?|cents?|pence|quarters?|dimes?|nickels?|penn(?:y|ies)",
];
const WORD = String.raw`(?:${[...new Set([...UNITS.keys(), ...TENS.keys()])].join("|")})\b`;
const AMOUNT = String.raw`(?:\d[\d,.]*|${WORD}(?:[- ]${WORD})?)`;
// 3 hours and 20 minutes: one unit, then a number of another of its kind (of the same one: 3 hours or 4 hours).
export const COMPOUND_UNITS = pattern(
  UNITS_OF_A_KIND.map(
    (units, i) =>
      String.raw`[\s*]*(?P<u${i}>${units})(?![a-z]),?\s*(?:and\s+)?(?=\S)${AMOUNT}\s*(?!(?P=u${i})(?![a-z]))(?:${units})(?![a-z])`,
  ).join("|") +
    String.raw`|\s+[a-z]{1,12}\s+and\s+(?:a|one)\s+(?:half|quarter)\b` + // 2 hours and a half
    String.raw`|,?[ ](?:and[ ])?\d\d?[ ](?:cents|pence)\b|[ ]?(?:ft|feet|foot|hours?|hrs?|°)[ ]?\d{1,2}['′]?[\s.$*)]*\Z`, // $5, 50 cents; 5 ft 6
  { ignoreCase: true },
);
// A letter that multiplies (2x, 3i, 1.5K), a constant, a command: the number is a part of a formula. 5m and 5L are amounts.
export const FACTOR = pattern(
  String.raw`(?![mglhsdcptLCFVWJN](?![A-Za-z]))[A-Za-z](?![A-Za-z])|(?![mM])[A-Za-z]\d|\s{0,3}(?:±|\+\s?/)` +
    String.raw`|\s{0,3}\*?\s{0,3}(?:\\[A-Za-z]|pi(?![A-Za-z])|π|[√∛]|sqrt)|\s?[⌋⌉]|_[A-Za-z\d\\]|\*\*(?=\d)|\s?\^(?!\s?(?:th|st|nd|rd)\b)` +
    String.raw`|[ ]{0,4}(?:bn|mn|tn|mil|grand|[kK])\b|\.?\(\s?[-+]?(?:\d|[xyn]\b)|[\u0304\u0305\u0307]|[₀-₉]`,
);
// 18 out of 20, 18 per 20, 18 with 3 left over, 18 more than 20: with a unit behind it a number counts something (12 liters per 100 km,
// 18 boxes with 3 eggs left over), without one it is a part of what two numbers say. "42 in 2024" has a year.
const BESIDE = String.raw`(?=[$€£]?(?:\d|${WORD}))`;
const LINE_END = String.raw`[\s)\].$*]*\Z`;
const NO_VERB = String.raw`(?!(?:is|are|was|were|which|that|being|so|and|but|it)\b)[A-Za-z]{1,12}`;
const COMPARATIVE =
  String.raw`(?:more|less|fewer|(?:great|old|young|long|short|tall|high|low|larg|small|bigg|heavi|light|fast|slow|furth|farth)er)`;
const RATIO = pattern(
  String.raw`\s+(?:out\s+)?of\s+(?:every\s+|each\s+)?${BESIDE}|\s+(?:per|(?:for|in|to)\s+every)\s+(?!(?:1(?![\d,.]*\d)|one)\b)${BESIDE}` +
    String.raw`|(?:\s+degrees)?\s+below\s+(?:zero|0)\b` +
    String.raw`|\s+by\s+(?=\d[\d,.]*\s(?:feet|foot|ft|inch(?:es)?|in|yards?|yd|cm|mm|m|meters?|metres?)(?![a-z]))` +
    String.raw`|\s+in\s+(?!(?:1[89]|20)\d\d(?!\d))(?=\d[\d,]*${LINE_END})` +
    String.raw`|,?\s+with\s+(?:only\s+)?(?=\d[\d,.]*(?:\s+[a-z]{1,12}){0,2}?\s+(?:left|remaining|over|to\s+spare)\b)` +
    String.raw`|(?:[ ]+${NO_VERB}){0,2}?\s+${COMPARATIVE}\s+than\s+(?=[$€£]?\d|[xyzn]\b)|\s+times\s+as\s+[a-z]{1,12}\s+as\s+${BESIDE}`,
  { ignoreCase: true },
);
const FOLLOWED_BY = [
  [COMPOUND_UNITS, COMPOUND],
  [RATIO, CALCULATION],
  [pattern(String.raw`\s*(?:[≶≤≥≠]|!=)=?\s?(?=[-+$€£]{0,2}\d)`), RANGE],
  // Tom 18, Ann 20
  [pattern(String.raw`\s*[,;]\s*(?:and\s+)?[A-Z][a-z]{1,15}(?:\s?:\s?|[ ])(?=[$€£]?\d[\d,.]*(?:[ ][a-z]{1,12})?${LINE_END})`), TWO_ANSWERS],
  [FACTOR, CALCULATION],
  [pattern(String.raw`['’]\d{3}(?!\d)|[ ]\d{3}[,.]\d`), SEPARATORS],
  [pattern(String.raw`(?:st|nd|rd|th)?[ ](?:of[ ])?${MONTH}\b(?!\s[a-z])`), DATE],
  [
    pattern(
      String.raw`\s*[⁰¹²³⁴-⁹]|\s+(?:squared|cubed|factorial|doubled|halved|halves|thirds` +
        String.raw`|(?:twelf|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)tie|four|fif|six|seven|eigh|nin|ten` +
        String.raw`|hundred|thousand|million)ths|tens|hundreds|thousands)\b`,
      { ignoreCase: true },
    ),
    CALCULATION,
  ],
  [
    pattern(
      String.raw`(?:[ ]+[A-Za-z]{1,12}){0,3}?\s+${OPERATES}\s+(?=[$€£(]?[-+]?[\d.]|${WORD}|(?!a\b|i\b)[a-z](?![A-Za-z]))` +
        String.raw`|\s+(?:over|per\s?cent\s+of(?:\s+the)?)\s+(?=[$€£]?\d|${WORD})`,
      { ignoreCase: true },
    ),
    CALCULATION,
  ],
  [
    pattern(
      String.raw`,?\s+(?:with\s+)?(?:an?\s+)?(?:[Rr]\s?|rem(?:ainder)?\s+(?:of\s+)?|\(?(?:in\s+)?base[\s-])(?=\d)` +
        String.raw`|(?<=%)\s?(?=\d)|[ ]?//[ ]?(?=\d)`,
    ),
    CALCULATION,
  ],
  [pattern(String.raw`(?:[ ]+[A-Za-z]{1,12})?[ ]+(?:or|and)[ ]+(?:more|less|fewer|greater|higher|lower|above|below|over|under|up)\b`), RANGE],
  [pattern(String.raw`(?::|\s:\s)(?=\d)|(?<=(?<![\d.,/])1)\s+in\s+(?:every\s+)?(?=\d)`), CALCULATION], // 5:3, 1 in 5
  [pattern(String.raw`\s*-${NEXT}|\s*[~…→]\s?(?=\d)|\s*,\s?[-+]?∞|\s+(?:to|through)\s+(?=[$€£]?\d)`), RANGE],
  [
    pattern(
      String.raw`\s*(?:[+÷^]|\bx\b)${NEXT}|(?:[ ]+[A-Za-z]{1,12}){1,3}[ ]+[-+*/÷x][ ]+(?=[$€£]?\d)|\s*\*\s?(?=${NUMERAL}|(?![aAI]\b)[A-Za-z](?![A-Za-z]))` +
        String.raw`|\s*/\s?(?=${NUMERAL}|\(?[xyzn](?![A-Za-z]))`,
    ),
    CALCULATION,
  ],
  [
    pattern(
      String.raw`[^.\d;\n]{0,40}?\bor\s+(?=[$€£]?[-\d.])|[^.,\d;\n]{0,40}?\band\s+(?=[$€£]?[-\d.])|\s*&\s*(?=\d)` +
        String.raw`|(?:\s*[,;]\s*(?:and\s+)?[-+$€£]{0,2}\d+(?:\.\d+)?)+[\s)\].$*]*\Z` +
        String.raw`|[ ]+[a-z]{1,12}\s?[,;]\s?(?:and\s+)?[$€£]?\d[\d,.]*(?:[ ][a-z]+)?[\s)\].$*]*\Z` +
        String.raw`|[ ]+(?=\d+(?:\.\d+)?(?:[ ]+\d+(?:\.\d+)?)*[\s)\].$*]*\Z)` +
        String.raw`|(?:\s*[,;]|\s+(?:and|or))\s+[A-Za-z](?:_\w+)?\s?=\s?(?=[-\d])` +
        // 18 for Tom, 20 for Ann; 18 each, 54 in total; 18, then 20
        String.raw`|(?:[ ]+[a-z]{1,12}){0,2}?[ ]+(?:for|to|by)[ ]+(?:the[ ]+)?[a-z]{1,20}\s*[,;]\s*(?:and[ ]+)?` +
        String.raw`(?=[$€£]?\d[\d,.]*(?:[ ]+[a-z]{1,12}){0,2}?[ ]+(?:for|to|by)\b)` +
        String.raw`|[^.,\d;\n(]{0,40}?[,;]\s*(?:and\s+)?(?=[$€£]?\d[\d,.]*(?:[ ]+[a-z]{1,12}){0,2}?[ ]+(?:in\s+total|altogether|in\s+all|total|combined)\b)` +
        String.raw`|[^.\d;\n(]{0,40}?\b(?:each|apiece)\b,?[ ](?:for|with|making)[ ]a[ ]total[ ]of[ ](?=[$€£]?\d)` +
        String.raw`|[,;]?\s+(?:and\s+)?then\s+(?=[$€£]?\d[\d,.]*${LINE_END})`,
      { ignoreCase: true },
    ),
    TWO_ANSWERS,
  ],
];
const ALSO = pattern(String.raw`\s*[,;]\s*(?=[$€£]?[-+]?[\d.])`);
// In a box a letter or two behind a number are variables, where they are no unit.
const VARIABLE_BEHIND = pattern(
  String.raw`\s(?![amglhsdLCFVWJN](?![A-Za-z]))[A-Za-z](?![A-Za-z])|[abcnxyz]{2,3}(?![A-Za-z])`,
);
const FOLLOWED_IN_A_BOX = [...FOLLOWED_BY, [ALSO, TWO_ANSWERS], [VARIABLE_BEHIND, CALCULATION]];
export const COMMAND = pattern(String.raw`\\[A-Za-z]`);

/** [match, refusal] for each way in which a number that ends there goes on. isWhole: the text is the answer and no more. */
export function refusalsBehind(text, end, isWhole) {
  return (isWhole ? FOLLOWED_IN_A_BOX : FOLLOWED_BY).map(([known, refusal]) => [known.match(text, end), refusal]).filter(([match]) => match);
}
