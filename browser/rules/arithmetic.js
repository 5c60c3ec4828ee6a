/* `evaluate("12/60 * 50").value` is exactly 10; `evaluate("9^9^9")` is a refusal, at once. As mathtutor/maths/arithmetic.py,
   where the grammar and the two readings that follow the page (60 / 3/4 is 80, 200 - 15% is 170) are told. */

import { Fraction, whole } from "./exact.js";
import { decimalOf, endOf, pattern } from "./patterns.js";

const MAX_CHARS = 500;
const MAX_NODES = 200; // numbers and operators
const MAX_DEPTH = 32; // open brackets, stacked signs and stacked powers
export const MAX_DIGITS = 50; // in one written number
export const MAX_EXPONENT = 64;
const MAX_BITS = 4096; // of numerator and of denominator, after every single operation

class Refused extends Error {}

export const VULGAR = {
  "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5",
  "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅑": "1/9", "⅒": "1/10",
};

const LOOKALIKES = new Map(
  [
    ["−–‒‐‑﹣－", "-"], ["×✕✖·⋅∙•∗＊", "*"], ["∕⁄／", "/"], ["\u00a0\u2007\u2009\u200a\u202f\u3000\t", " "],
    ["＋", "+"], ["％", "%"], ["＝", "="], ["（", "("], ["）", ")"], ["，", ","], ["．", "."], ["＄", "$"], ["＾", "^"], ["٫", "."], ["٬", ","], ["٪", "%"],
  ].flatMap(([chars, plain]) => [...chars].map((char) => [char, plain])),
);

/** The text with lookalike digits, signs and spaces made ASCII; every character keeps its place. */
export function plain(text) {
  if (!/[^\x00-\x08\x0a-\x7f]/.test(text)) return text;
  return text.replace(/[^]/gu, (char) => LOOKALIKES.get(char) ?? (/[^0-9\P{Nd}]/u.test(char) ? decimalOf(char) : char));
}

const TOKEN = pattern(
  String.raw`\s*(?:
      (?P<mixed>\d{1,60}\s+\d{1,60}/\d{1,60}(?![\d.]))
    | (?P<number>(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d{1,3}(?:[ ]\d{3})+(?!\d|/\d)|\d+)(?:\.\d+)?|\.\d+)
      (?P<power>[eE][+-]?\d+(?![\w.]))?
    | (?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])
    | (?P<op>\*\*|[-+*/÷^%()])
    | (?P<times>[xX](?=\s*[\d.(½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒]))
    | (?P<word>[^\W\d_]+)
    )`,
  { verbose: true, ascii: true },
);
const NUMBERS = ["two numbers in a row", "unbalanced brackets"];

/** {value} exactly, or {value: null, refusal} that names why not; never throws on any text.

    points: read 15% as 15 percentage points and not as 15/100; refused where a percentage meets a plain number in a sum. */
export function evaluate(expression, { points = false } = {}) {
  try {
    return { value: new Parser(expression, points).result(), refusal: null };
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    return { value: null, refusal: refused.message };
  }
}

function number(text) {
  const digits = text.replace(/[, ]/g, "");
  if (digits.replaceAll(".", "").length > MAX_DIGITS) throw new Refused("too many digits");
  return Fraction.of(digits);
}

const isSpace = (text, at) => at < text.length && /\s/.test(text[at]);

/* Values are computed while parsing: [value, true where it is a bare percentage]. */
class Parser {
  constructor(expression, points) {
    if (!expression.trim()) throw new Refused("empty");
    if (expression.length > MAX_CHARS) throw new Refused("too long");
    this.points = points;
    this.tokens = lex(plain(expression.trim()).trim());
    this.at = 0;
    this.depth = 0;
  }

  result() {
    const [value] = this.sum();
    if (this.at < this.tokens.length) {
      const { kind } = this.tokens[this.at];
      throw new Refused({ number: NUMBERS[0], ")": NUMBERS[1] }[kind] ?? "incomplete");
    }
    return value;
  }

  peek(ahead = 0) {
    return this.tokens[this.at + ahead]?.kind ?? null;
  }

  down() {
    if (++this.depth > MAX_DEPTH) throw new Refused("too deep");
  }

  sum() {
    let [left, isPercent] = this.product();
    while (this.peek() === "+" || this.peek() === "-") {
      const adds = this.peek() === "+";
      this.at++;
      let [right, rightIsPercent] = this.product();
      if (rightIsPercent && !isPercent) {
        if (this.points) throw new Refused("percentage of what");
        right = bounded(right.times(left));
      }
      left = bounded(adds ? left.plus(right) : left.minus(right));
      isPercent = isPercent && rightIsPercent;
    }
    return [left, isPercent];
  }

  product() {
    let [left, isPercent] = this.signed();
    for (;;) {
      const kind = this.peek();
      if (kind === "(") {
        // 3(4): a bracket straight after a value multiplies
        left = bounded(left.times(this.signed()[0]));
      } else if (kind === "*" || kind === "/" || kind === "÷") {
        let right = this.tightFraction();
        if (right === null) {
          this.at++;
          [right] = this.signed();
        }
        left = kind === "*" ? bounded(left.times(right)) : divide(left, right);
      } else {
        return [left, isPercent];
      }
      isPercent = false;
    }
  }

  /** The 3/4 of "60 / 3/4": a spaced division, then a division without any space. */
  tightFraction() {
    if (this.at + 3 >= this.tokens.length) return null;
    const [sign, top, slash, bottom] = this.tokens.slice(this.at, this.at + 4);
    const spaced = sign.kind === "÷" || (sign.kind === "/" && (sign.before || sign.after));
    if (!spaced || slash.kind !== "/" || slash.before || slash.after || !top.value || !bottom.value) return null;
    if (this.peek(4) === "^" || this.peek(4) === "%") return null;
    this.at += 4;
    return divide(top.value, bottom.value);
  }

  signed() {
    if (this.peek() !== "+" && this.peek() !== "-") return this.power();
    const negative = this.peek() === "-";
    this.at++;
    this.down();
    const [value, isPercent] = this.signed();
    this.depth--;
    return [negative ? value.negated() : value, isPercent];
  }

  power() {
    const [base, isPercent] = this.percent();
    if (this.peek() !== "^") return [base, isPercent];
    this.at++;
    this.down();
    const [exponent] = this.signed();
    this.depth--;
    return [power(base, exponent), false];
  }

  percent() {
    let value = this.atom();
    let isPercent = false;
    while (this.peek() === "%") {
      this.at++;
      if (!this.points) value = bounded(value.over(whole(100)));
      isPercent = true;
    }
    return [value, isPercent];
  }

  atom() {
    if (this.at >= this.tokens.length) throw new Refused("incomplete");
    const { kind, value: found } = this.tokens[this.at++];
    if (found) return found;
    if (kind !== "(") throw new Refused(kind === ")" ? NUMBERS[1] : "incomplete");
    this.down();
    const [value] = this.sum();
    this.depth--;
    if (this.peek() !== ")") throw new Refused(this.peek() === "number" ? NUMBERS[0] : NUMBERS[1]);
    this.at++;
    return value;
  }
}

/** Tokens {kind, value of a number or null, space before, space after}; kind is "number" or the operator. */
function lex(text) {
  const tokens = [];
  for (let at = 0; at < text.length; ) {
    const match = TOKEN.match(text, at);
    if (!match) throw new Refused("unknown symbol");
    const { mixed, number: digits, power: exponent, vulgar, op, times, word } = match.groups;
    const before = isSpace(text, at);
    at = endOf(match);
    const put = (kind, value) => tokens.push({ kind, value, before, after: isSpace(text, at) });
    const last = tokens.at(-1);
    if (word) {
      throw new Refused(word.length === 1 ? "variable" : "words");
    } else if (times) {
      if (!last || !(last.value || last.kind === ")" || last.kind === "%")) throw new Refused("variable");
      put("*", null);
    } else if (op) {
      put(op === "**" ? "^" : op, null);
    } else if (mixed) {
      const [, one, above, below] = mixed.match(/^(\d+)\s+(\d+)\/(\d+)$/);
      const [top, bottom] = [number(above), number(below)];
      if (!top.isBelow(bottom)) throw new Refused(NUMBERS[0]);
      put("number", number(one).plus(top.over(bottom)));
    } else if (vulgar) {
      const [above, below] = VULGAR[vulgar].split("/");
      let value = new Fraction(BigInt(above), BigInt(below));
      if (last?.value?.isWhole()) value = value.plus(tokens.pop().value); // 2½
      put("number", value);
    } else {
      let value = number(digits);
      if (exponent) value = value.times(power(whole(10), whole(Number(exponent.slice(1, 7)))));
      put("number", value);
    }
    if (tokens.length > MAX_NODES) throw new Refused("too many parts");
  }
  return tokens;
}

const bits = (number) => (number === 0n ? 0 : (number < 0n ? -number : number).toString(2).length);

function bounded(value) {
  if (bits(value.n) > MAX_BITS || bits(value.d) > MAX_BITS) throw new Refused("result too large");
  return value;
}

function divide(left, right) {
  if (right.n === 0n) throw new Refused("division by zero");
  return bounded(left.over(right));
}

function power(base, exponent) {
  if (!exponent.isWhole()) throw new Refused("fractional power");
  if (whole(MAX_EXPONENT).isBelow(exponent.size())) throw new Refused("exponent too large");
  if (base.n === 0n && exponent.n <= 0n) throw new Refused(exponent.n === 0n ? "zero to the power zero" : "division by zero");
  // Checked before the power is taken: 4096 bits to the 64th would cost the time that the bound is to save.
  if (Math.max(bits(base.n), bits(base.d)) * Number(exponent.size().n) > MAX_BITS + MAX_EXPONENT) throw new Refused("result too large");
  return bounded(base.power(exponent.n));
}

/** How a worksheet prints it: "5", "-2.5", "1/3". A decimal if it ends within 6 places, else a fraction. */
export function show(value) {
  if (value.isWhole()) return String(value.n);
  const scaled = value.times(whole(10 ** 6));
  if (!scaled.isWhole()) return `${value.n}/${value.d}`;
  const digits = String(scaled.size().n).padStart(7, "0");
  return `${value.n < 0n ? "-" : ""}${digits.slice(0, -6)}.${digits.slice(-6).replace(/0+$/, "")}`;
}
