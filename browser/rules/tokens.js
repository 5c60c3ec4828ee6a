/* The words and signs of a sentence: "5 apples * $2 = $10." is number, word, op, $, number, =, $, number, stop.
   As mathtutor/maths/tokens.py. A token is {kind, text, start, end}. */

import { endOf, pattern, words } from "./patterns.js";

// In this order: each rule takes what a later one would misread.
const TOKEN = pattern(
  String.raw`
      (?P<time>\d{1,2}:\d{2}(?!\d))                  # not the numbers 10 and 30
    | (?P<ordinal>\d+(?:st|nd|rd|th)\b)               # the 3rd day counts nothing
    | (?P<rest>(?<=\d)\s?[Rr]\s?\d+(?![\w.]))        # 3 R1, before a label
    | (?P<label>(?<!\w)(?![xX])[^\W\d_]\d+(?![\w.])   # D3 (but x4 is "times 4");
        | 0\d{2,}                                    # 0130, a time or a code;
        | \d+(?:,\d+)*,(?!\d{3}(?!\d))\d+)            # 16,0000: nobody knows what number was meant
    | (?P<number>(?: (?: \d{1,3}(?:,\d{3})+(?!\d) | \d{1,3}(?:[ ]\d{3})+(?!,?\d|/\d{3}|-[a-z]) | \d+ )
          (?:\.\d+)? | \.\d+ ) (?:\.{2,}|…)?)         # 3.33... is one number
    | (?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])
    | (?P<compare>[<>!=]=+|<<|>>|[-=]>|[<>≠≤≥→⇒])     # before = and -: >= and => equate nothing
    | (?P<equals>[=≈≅])
    | (?P<hyphen>(?<=[\w%])-[^\W\d_A-Z]{2,}(?:[-'’][^\W\d_]+)*)    # before op: 10-foot is no subtraction
    | (?P<op>\*\*|[-+*/÷^])
    | (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<percent>%)
    | (?P<currency>[$€£¥₹¢])
    | (?P<word>[^\W\d_]+(?:[-'’][^\W\d_]+)*)
    | (?P<stop>[\n,;:?!…—|"“”]|\.)
    | (?P<unknown>_+|[^\s\w'’‘~°])
    `,
  { verbose: true },
);
const KINDS = {
  time: "name", label: "name", ordinal: "word", hyphen: "word", compare: "stop", equals: "=",
  open: "(", close: ")", percent: "%", currency: "$", rest: "word",
};
const TITLES = words("mr mrs ms dr st");
const NUMBERED = pattern(
  String.raw`(?:day|week|month|year|step|grade|room|level|round|game|team|group|class|part|page|box|bus)s?$`,
  { ignoreCase: true },
);

export function tokenize(text) {
  const tokens = [];
  for (const match of TOKEN.all(text)) {
    let kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    let word = match[0];
    let start = match.index;
    const end = endOf(match);
    if (word === "." && !endsSentence(text, end, tokens)) continue;
    if (kind === "word" && ["percent", "per-cent"].includes(word.toLowerCase())) kind = "%";
    if (kind === "unknown" && /^[\p{Cf}\p{Mn}\p{Sk}]/u.test(word)) continue; // without width, or upon another character
    if (kind === "rest") {
      start += /^\s/.test(word) ? 1 : 0;
      word = word.replaceAll(" ", "").toUpperCase();
    }
    if (kind === "number") {
      word = word.replace(/[.…]+$/, "").replace(/[, ]/g, "");
      if (isNumbered(tokens)) {
        tokens.push({ kind: "name", text: word, start: tokens.pop().start, end });
        continue;
      }
    }
    tokens.push({ kind: KINDS[kind] ?? kind, text: word, start, end });
  }
  return tokens;
}

/** Does the number that comes next only name something: Week 1 + Week 2, "on day 2"? */
function isNumbered(tokens) {
  const last = tokens.at(-1);
  if (last?.kind !== "word" || !NUMBERED.match(last.text)) return false;
  return /^\p{Lu}/u.test(last.text) || (tokens.at(-2) ?? last).text === "on";
}

/** False for the points of "5 sq. ft. * 3" and "Mr. Lee". */
function endsSentence(text, after, tokens) {
  const rest = text.slice(after, after + 3).replace(/^ +/, "");
  if (rest && (/^\p{Ll}/u.test(rest) || "+-*/÷^=%)".includes(rest[0]))) return false;
  const last = tokens.at(-1);
  return !(last && last.end === after - 1 && TITLES.has(last.text.toLowerCase()));
}
