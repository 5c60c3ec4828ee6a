/* LaTeX, bold and <<annotations>> rewritten into plain arithmetic, and where each character stood.
   As mathtutor/maths/markup.py: `**\frac{1}{2} \times 50** = 25` is "(1/2) * 50 = 25". */

import { plain } from "./arithmetic.js";
import { endOf, isDigits, pattern } from "./patterns.js";

const MARKUP = pattern(
  String.raw`
      (?P<note><<[^<>\n]{0,200}>>)           # repeats the equation around it: findClaims reads it on its own
    | \\[dt]?frac\s?\{(?P<above>(?:[^{}\n]|\{[^{}\n]{0,60}\}){1,120})\}
               \s?\{(?P<below>(?:[^{}\n]|\{[^{}\n]{0,60}\}){1,120})\}
    | \\(?:text|mathrm|mathbf|textbf)\s?\{(?P<words>[^{}\n]{0,80})\}
    | (?P<power>(?<=[\d)])(?:\*\*(?=[\d(-])|[ ]\*\*[ ](?=[\d(-])))    # 2**3, before ** can be bold
    | (?P<sign>\\times|\\cdot|\\div|\\approx|\\[$%]|\{,\})
    | (?P<unreadable>\\(?:sqrt|log|ln|sin|cos|tan|binom|sum|prod|pi|pm|[bp]?mod)(?![A-Za-z]))
    | (?P<gone>\*\*|\\[,;:!]|\\(?:left|right|boxed)(?![A-Za-z])|[{}\x60])
    | (?P<space>\\[()\[\] ]|\$\$|\\[A-Za-z]+|\\\\)                      # last: any other command
    `,
  { verbose: true, places: true },
);
const SIGNS = { "\\times": "*", "\\cdot": "*", "\\div": "÷", "\\approx": "≈", "\\$": "$", "\\%": "%", "{,}": "," };
const HINTS = ["\\", "<<", "**", "$$", "`", "{", "}"];

const PRINTED = /(?<=[\p{Nd})%$])\*(?=[\p{Nd}($])|(?<=[\p{L}\p{N}_)%$] )\*(?= [\p{Nd}($])|(?<=[\p{Nd})%] )[/-](?= [\p{Nd}($])/gu;
const PRINTS = { "*": "×", "/": "÷", "-": "−" };

/** "6 * 2 - 3" as a school book prints it, "6 × 2 − 3": one character for each, so that places stay. */
export const asPrinted = (text) => text.replace(PRINTED, (sign) => PRINTS[sign]);

/** [text without markup, the original place of each of its characters, or null where nothing moved]. */
export function withoutMarkup(written) {
  const text = plain(written);
  if (!HINTS.some((mark) => text.includes(mark))) return [text, null];
  const rewriter = new Rewriter(text);
  rewriter.rewrite(0, text.length);
  return [rewriter.pieces.join(""), rewriter.origin];
}

class Rewriter {
  constructor(text) {
    this.text = text;
    this.pieces = [];
    this.origin = [];
  }

  /** Write something new, which stands for what was at this place. */
  put(piece, at) {
    this.pieces.push(piece);
    for (let i = 0; i < piece.length; i++) this.origin.push(at);
  }

  keep(first, last) {
    this.pieces.push(this.text.slice(first, last));
    for (let at = first; at < last; at++) this.origin.push(at);
  }

  rewrite(start, end) {
    let at = start;
    for (const match of MARKUP.all(this.text, start, end)) {
      const { above, words, power, sign, unreadable, space } = match.groups;
      this.keep(at, match.index);
      at = endOf(match);
      if (above) {
        this.fraction(match);
      } else if (words) {
        this.put(" ", match.index);
        this.keep(...match.indices.groups.words);
        this.put(" ", at - 1);
      } else if (power) {
        this.put("^", match.index);
      } else if (sign) {
        this.put(SIGNS[sign], match.index);
      } else if (unreadable) {
        this.put(unreadable === "\\sqrt" ? "√" : "∘", match.index);
      } else if (space) {
        this.put(" ", match.index);
      }
    }
    this.keep(at, end);
  }

  /** \frac{1}{2} is (1/2), \frac{8 + 2}{2} is ((8 + 2)/(2)), and 3\frac{1}{2} is 3 1/2, a mixed number. */
  fraction(match) {
    const { above, below } = match.groups;
    const numbers = isDigits(above + below);
    const mixed = numbers && match.index > 0 && isDigits(this.text[match.index - 1]);
    const places = match.indices.groups;
    this.put(mixed ? " " : numbers ? "(" : "((", match.index);
    this.rewrite(...places.above);
    this.put(numbers ? "/" : ")/(", places.above[1]);
    this.rewrite(...places.below);
    this.put(mixed ? "" : numbers ? ")" : "))", endOf(match) - 1);
  }
}
