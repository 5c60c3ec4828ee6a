/* Tokens into runs: in "48 clips in 2 boxes * 3" the runs are 48 and 2 * 3. As mathtutor/maths/folding.py, where the
   rules are told; the names here are those there. */

import { VULGAR } from "./arithmetic.js";
import { isDigits, words } from "./patterns.js";
import { COINS, Run, unitKind } from "./runs.js";

export const MAX_GAP = 12; // words between a value and the operator or equals sign that still belongs to it
const KEPT_LEAD = 6; // words before a run that are remembered

const OPERAND_STARTS = ["number", "vulgar", "(", "$"];
const OPERATORS = new Map([["**", "^"], ["÷", "/"]]);
const OPERATOR_WORDS = new Map([["times", "*"], ["plus", "+"], ["minus", "-"], ["x", "*"]]);
const UNIT_LETTERS = new Set("mglLhskKMcCF"); // 5m and 3g may be metres and grams, or variables
const ARTICLES = words("a A I"); // words, unless an operator stands beside them
const BREAKS = words("because so then thus therefore since which if when while but gives means");
const BEFORE_A_SIGN = words("to is was are be at from by and or");
const DETERMINERS = words("the these those his her their its my our all this that a an");

// Words that are a number, or make another of the one beside them.
const SCALES = words("dozen dozens hundred hundreds thousand thousands million millions billion billions trillion");
const SHARES = words(
  "half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths seventh sevenths eighth eighths " +
    "ninth ninths tenth tenths",
);
const NUMBER_WORDS = new Set([
  ...SCALES,
  ...SHARES,
  ...words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " +
      "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety ones tens twice thrice double doubled triple " +
      "tripled quadruple halved squared cubed sqrt root mod modulo factorial remainder",
  ),
]);
// "The blue ones number 113 - 46" counts no ones.
const OPERATES_BEFORE = new Set([...NUMBER_WORDS, ...words("times plus minus negative")]);
OPERATES_BEFORE.delete("one");
OPERATES_BEFORE.delete("ones");
const JOINED = new Set([...DETERMINERS, ...words("of as many much sum total difference product quotient result value number")]);
const PER = words("per each every / a an");

/** The runs of tokens[first:last], which holds neither an equals sign nor a stop. */
export function fold(tokens, first, last) {
  return new Fold(tokens, first, last).runs;
}

class Fold {
  constructor(tokens, first, last) {
    Object.assign(this, { tokens, first, last, at: first }); // at: the token after the one being read
    this.runs = [];
    this.run = new Run();
    this.lead = []; // the last words since the mark
    this.previous = null;
    this.spacedSlash = false; // the last operator was a division with space around it
    this.remarks = new Set(); // places of tokens inside brackets that were passed over
    while (this.at < last) {
      const token = tokens[this.at++];
      READERS[token.kind].call(this, token);
      this.previous = token;
    }
    this.close();
  }

  close() {
    if (this.run.parts.length) {
      this.keepWordsThatCalculate();
      this.runs.push(this.run);
    }
    this.run = new Run(this.lead);
  }

  // --- words that change a value ---

  /** Take into the run what makes another number of it: "half of" before, "dozen" inside, "and a half" after. */
  keepWordsThatCalculate() {
    const { run } = this;
    const first = this.tokenAt(run.start);
    const after = this.tokenAt(run.end);
    const found = [];
    for (let at = first; at < after; at++) {
      if (!this.remarks.has(at) && (this.calculates(at) || this.tokens[at].kind === "unknown")) found.push(this.tokens[at]);
    }
    found.push(...[this.wordBefore(first), this.wordAfter(after), this.secondUnit()].filter(Boolean));
    for (const token of found) run.doubt(token.text, token);
    const beforeLast = run.lead.at(-2)?.toLowerCase();
    if (!found.length && ["more", "less", "fewer"].includes(beforeLast) && this.runs.length) {
      run.cut = run.cut || run.lead.at(-1).toLowerCase() === "than"; // 5 more than 3 * 4
    }
  }

  /** The first token that starts here or later in the text. */
  tokenAt(place) {
    let at = this.first;
    while (at < this.last && this.tokens[at].start < place) at++;
    return at;
  }

  calculates(at, known = NUMBER_WORDS) {
    const token = this.tokens[at];
    const lower = token.text.toLowerCase();
    if (token.kind !== "word") return false;
    // "36 quarters" counts them; a sum of coins may mean their worth
    if (COINS.has(lower) && known === NUMBER_WORDS) return this.run.hasOperator && token.text !== "Penny";
    if (!known.has(lower) && !isRest(token)) return false;
    const before = this.tokens[at - 1];
    if (!SCALES.has(lower) || at === 0 || !PER.has(before.text.toLowerCase())) return true;
    // $3 a dozen, 12 per dozen: a unit; but "and a dozen" is 12
    return ["a", "an"].includes(before.text) && (at < 2 || this.tokens[at - 2].text.toLowerCase() === "and");
  }

  /** The "twice" of "twice the 7 + 1"; a bracket that closes behind the mark is a remark: half (48 / 2 = 24). */
  wordBefore(first) {
    for (let at = first - 1; at >= Math.max(this.first, first - 8); at--) {
      const token = this.tokens[at];
      if (token.kind === "unknown") return token;
      if (token.kind !== "word" && token.kind !== "$") return null;
      if (token.kind === "word" && this.calculates(at, OPERATES_BEFORE)) return this.run.openBrackets() > 0 ? null : token;
      const lower = token.text.toLowerCase();
      if (lower === "by" && at && ["divided", "multiplied"].includes(this.tokens[at - 1].text.toLowerCase())) return token;
      if (token.kind === "word" && !JOINED.has(lower)) return null;
    }
    return null;
  }

  /** The "dozen" of "5 + 2 dozen", the half of "5 and a half", the remainder that no number follows. */
  wordAfter(after) {
    if (after >= this.last) return null;
    const token = this.tokens[after];
    if (token.kind === "unknown") return token;
    if (token.kind !== "word") return null;
    if (token.text.toLowerCase() === "and") {
      for (let counts = 0; counts < 2 && after + 1 + counts < this.last; counts++) {
        const next = this.tokens[after + 1 + counts];
        const word = next.text.toLowerCase();
        if (SHARES.has(word)) return next;
        if (!NUMBER_WORDS.has(word) && word !== "a" && word !== "an") break;
      }
      return null;
    }
    if (token.text.toLowerCase() === "remainder" || isRest(token)) {
      const namesRest = isRest(token) || this.tokens.slice(after, this.last).some((word) => word.kind === "number");
      return namesRest ? null : token;
    }
    return this.calculates(after) ? token : null;
  }

  /** The mm of "5 cm + 3 mm": two units of one kind in a sum. */
  secondUnit() {
    if (!this.run.isSum || !this.run.hasOperator) return null;
    const seen = new Map();
    for (const part of this.run.parts) {
      if (part.kind !== "value") continue;
      const at = this.tokenAt(part.start);
      const behind = this.tokenAt(part.end);
      let token = behind < this.last ? this.tokens[behind] : null;
      if (at > 0 && this.tokens[at - 1].kind === "$") token = this.tokens[at - 1];
      const unit = token && (token.kind === "word" || token.kind === "$") ? unitKind(unitOf(token)) : null;
      if (!unit) continue;
      const [kind, name] = unit;
      if (!seen.has(kind)) seen.set(kind, name);
      if (seen.get(kind) !== name) return token;
    }
    return null;
  }

  // --- looking ahead ---

  peek(ahead = 0) {
    return this.at + ahead < this.last ? this.tokens[this.at + ahead] : null;
  }

  /** Does a value follow, at most this many words on? */
  valueWithin(count) {
    for (let ahead = 0; ahead <= count; ahead++) {
      let token = this.peek(ahead);
      if (token?.kind === "$") token = this.peek(ahead + 1);
      if (!token || token.kind !== "word" || BREAKS.has(token.text.toLowerCase())) {
        return token !== null && OPERAND_STARTS.includes(token.kind);
      }
    }
    return false;
  }

  /** Does an operator follow, a closing bracket, or the equals sign that ends these tokens? */
  beforeOperator() {
    const following = this.peek();
    if (!following) return this.at < this.tokens.length && this.tokens[this.at].kind === "=";
    return following.kind === "op" || following.kind === ")";
  }

  // --- values ---

  readNumber(token) {
    if (!this.run.wantsValue()) {
      if (this.completesMixed(token)) return;
      this.nextToValue();
    }
    const below = this.fractionBelow(token);
    if (below && this.spacedSlash && this.run.parts.at(-1)?.text === "/") {
      this.at += 2; // 60 / 3/4 divides by three quarters
      this.run.add("value", `${token.text}/${below.text}`, { start: token.start, end: below.end });
    } else {
      this.run.add("value", token.text, token);
    }
  }

  /** A value follows a value. With no word between, as in "1/2 (68) + 10", they may mean a product. */
  nextToValue() {
    const adjacent = this.run.gap === 0;
    this.close();
    this.run.cut = adjacent;
  }

  /** The 4 of a tightly written 3/4. */
  fractionBelow(above) {
    const slash = this.peek();
    const below = this.peek(1);
    if (!slash || !below || slash.text !== "/" || below.kind !== "number") return null;
    return above.end === slash.start && slash.end === below.start ? below : null;
  }

  /** 2 1/2 and "1 and 1/4": a whole number, then a tight fraction below one. */
  completesMixed(token) {
    const { kind, text: one, start } = this.run.parts.at(-1);
    const below = this.fractionBelow(token);
    if (kind !== "value" || !below || !isDigits(one + token.text + below.text)) return false;
    if (this.run.gap && !(this.run.gap === 1 && this.run.units.slice(-2).includes("and"))) return false;
    if (this.run.gap && this.peek(2)?.text === "of") return false; // 25 and 1/2 of 50
    if (BigInt(token.text) >= BigInt(below.text)) return false; // 5/4
    this.at += 2;
    this.run.parts.pop();
    this.run.add("value", `(${one} ${token.text}/${below.text})`, { start, end: below.end });
    return true;
  }

  readVulgar(token) {
    const text = VULGAR[token.text];
    if (!this.run.wantsValue()) {
      const { kind, text: one, start, end } = this.run.parts.at(-1);
      if (kind === "value" && isDigits(one) && token.start - end <= 1) {
        // 2½
        this.run.parts.pop();
        this.run.add("value", `(${one} ${text})`, { start, end: token.end });
        return;
      }
      this.close();
    }
    this.run.add("value", text, token);
  }

  readCurrency(token) {
    this.run.units.push(unitOf(token));
  }

  readPercent(token) {
    if (!this.run.wantsValue() && this.run.gap === 0) this.run.add("%", "%", token);
  }

  readName(token) {
    if (!this.run.wantsValue()) this.close();
    this.run.add("name", token.text, token);
  }

  variable(token) {
    if (!this.run.wantsValue() && this.run.end < token.start) this.close(); // unlike 3x
    this.run.add("name", token.text, token);
  }

  // --- brackets ---

  readOpen(token) {
    const inside = this.insideBracket();
    const factor = !this.run.wantsValue() && this.run.end === token.start; // 4(
    // Words first: "4(number of tickets)" is a product without a value, "(who has 5 oranges)" a remark.
    if (inside.length && inside[0].kind === "word" && inside[0].text.length > 1) {
      if (factor) {
        this.run.add("op", "*", token);
        this.run.add("name", inside[0].text, inside[0]);
      }
      if (factor || !this.run.wantsValue() || inside.every((part) => part.kind === "word")) {
        this.run.units.push(...inside.filter((part) => part.kind === "word").map((part) => part.text));
        for (let at = this.at; at <= this.at + inside.length; at++) this.remarks.add(at);
        this.at += inside.length + 1;
        return;
      }
    }
    // Then 3(4), 3(x) and 3(-4): they multiply, but "80 (30 + 5)" does not.
    if (factor && (this.valueWithin(0) || (inside.length && ["word", "op"].includes(inside[0].kind)))) {
      this.run.add("op", "*", token);
    } else if (!this.run.wantsValue()) {
      this.nextToValue();
    }
    this.run.add("(", "(", token);
  }

  /** The tokens up to the matching bracket; [] where it does not close between the two marks, or far away. */
  insideBracket() {
    let depth = 1;
    for (let ahead = 0; ahead < MAX_GAP * 2; ahead++) {
      const token = this.peek(ahead);
      if (!token) break;
      depth += (token.kind === "(") - (token.kind === ")");
      if (depth === 0) return this.tokens.slice(this.at, this.at + ahead);
    }
    return [];
  }

  readClose(token) {
    if (!this.run.parts.length) return;
    if (this.run.wantsValue()) {
      this.close(); // 5 + )
      return;
    }
    const opened = this.run.openBrackets();
    this.run.add(")", ")", token);
    if (!opened) this.close(); // "half (48 / 2 = 24)": balance() cuts here
  }

  // --- operators ---

  readOp(token) {
    const text = OPERATORS.get(token.text) ?? token.text;
    if (this.belongsToUnit(text)) {
      this.at++;
      return;
    }
    if (this.beginsNegative(token)) this.close();
    if (!this.run.wantsValue()) {
      if (this.run.gap > MAX_GAP) {
        this.close(); // too far from its value: the word before it must be the operand
        this.variable(this.previous);
      }
      this.run.add("op", text, token);
    } else if (this.isSign(token)) {
      this.run.add("sign", text === "-" ? text : "", token);
    } else {
      // price * 5: a word stands where a value should
      const word = this.previous?.kind === "word" ? this.previous : token;
      this.run.add("name", word.text, word);
      this.run.add("op", text, token);
    }
    this.spacedSlash = token.text === "÷" || (text === "/" && this.hasSpaceAround(token));
  }

  /** miles/hour, m^2: does this operator join a unit to the word or number that follows? */
  belongsToUnit(text) {
    const following = this.peek();
    if (!following) return false;
    if (text === "/" && following.kind === "word" && !this.isVariable(following)) {
      this.run.units.push(`/${following.text}`);
      return true;
    }
    return text === "^" && this.run.gap > 0 && following.kind === "number";
  }

  /** "it fell from 3 to -6 + 2": a dash after such a word and tight before a value subtracts nothing. */
  beginsNegative(token) {
    const following = this.peek();
    return (
      token.text === "-" &&
      this.run.gap > 0 &&
      BEFORE_A_SIGN.has(this.previous.text) &&
      this.previous.end < token.start &&
      following !== null &&
      following.start === token.end
    );
  }

  /** Where a value should stand: -5 and + 5 at the beginning, and -5 after an operator, a space or a $. */
  isSign(token) {
    if (token.text !== "+" && token.text !== "-") return false;
    const following = this.peek();
    const before = this.previous;
    const tight = following !== null && following.start === token.end && OPERAND_STARTS.includes(following.kind);
    if (tight && (this.run.parts.length || !before || before.end < token.start || before.kind === "$")) return true;
    return !this.run.parts.length && !before && this.valueWithin(0);
  }

  hasSpaceAround(token) {
    const following = this.peek();
    return (this.previous !== null && this.previous.end < token.start) || (following !== null && following.start > token.end);
  }

  // --- words ---

  readWord(token) {
    const lower = token.text.toLowerCase();
    // A word that begins another clause comes first: what it ends is complete.
    if (BREAKS.has(lower) && !this.run.wantsValue()) {
      this.word(token);
      this.close();
    } else if (this.run.wantsValue()) {
      this.wordForValue(token);
    } else if (OPERATOR_WORDS.has(lower) && this.valueWithin(0)) {
      // Then the words that calculate, but only before a value: "3 times" alone is an amount.
      this.run.add("op", OPERATOR_WORDS.get(lower), token);
    } else if (["divided", "multiplied"].includes(lower) && this.peek()?.text === "by") {
      this.at++;
      if (this.valueWithin(0)) this.run.add("op", lower === "divided" ? "/" : "*", token);
    } else if (lower === "of" && this.run.gap === 0 && this.isShare()) {
      this.of(token);
    } else if ([...token.text].length === 1 && this.run.gap === 0) {
      // Then single letters, which may be variables. All others are units, or just words.
      this.letter(token);
    } else if ([...token.text].length === 1 && this.beforeOperator()) {
      this.variable(token);
    } else {
      this.word(token);
    }
  }

  remember(token) {
    this.lead = [...this.lead, token.text].slice(-KEPT_LEAD);
  }

  word(token) {
    this.remember(token);
    this.run.gap++;
    this.run.units.push(token.text);
  }

  wordForValue(token) {
    const isLetter = [...token.text].length === 1;
    if (this.run.parts.length) {
      const another = !isLetter || ARTICLES.has(token.text);
      if (!(another && this.valueWithin(2))) this.variable(token); // 5 + another 3
    } else if (isLetter && this.beforeOperator()) {
      this.variable(token);
    } else {
      this.remember(token);
      this.run.lead = this.lead;
    }
  }

  /** Is the last value a share (25%, 1/2, 0.4), so that "of" multiplies? */
  isShare() {
    const { kind, text } = this.run.parts.at(-1);
    return kind === "%" || kind === ")" || text.includes("/") || text.startsWith("0.") || text.startsWith(".") || this.run.isTightFraction;
  }

  /** 25% of the 80: "of" multiplies when a number follows, and else names a thing. */
  of(token) {
    let ahead = 0;
    while (ahead < 2 && this.peek(ahead) && DETERMINERS.has(this.peek(ahead).text.toLowerCase())) ahead++;
    const word = this.peek(ahead);
    if (word && OPERAND_STARTS.includes(word.kind)) {
      this.at += ahead;
      this.run.of = true;
      this.run.add("op", "*", token);
    } else {
      this.run.ofThing = true;
      this.word(token);
    }
  }

  /** A letter straight after a value: 3x and 5 t are products; 5m and 5 m may be metres. */
  letter(token) {
    const attached = this.run.end === token.start;
    if (UNIT_LETTERS.has(token.text)) {
      this.run.letters = this.run.letters || attached;
      this.word(token);
    } else if (attached || this.isVariable(token)) {
      this.run.add("name", token.text, token);
    } else if (this.beforeOperator()) {
      this.variable(token);
    } else {
      this.word(token);
    }
  }

  isVariable(token) {
    return [...token.text].length === 1 && !ARTICLES.has(token.text) && !UNIT_LETTERS.has(token.text);
  }

  readUnknown(token) {
    if (this.run.wantsValue() && this.run.parts.length) {
      this.variable(token); // 5 + □
    } else {
      this.run.gap++;
    }
  }
}

/** The R1 of "3 R1". */
function isRest(token) {
  return token.kind === "word" && token.text[0] === "R" && isDigits(token.text.slice(1));
}

function unitOf(token) {
  if (token.kind !== "$") return token.text;
  return token.text === "¢" ? "cent" : "$";
}

const READERS = {
  number: Fold.prototype.readNumber,
  vulgar: Fold.prototype.readVulgar,
  name: Fold.prototype.readName,
  word: Fold.prototype.readWord,
  op: Fold.prototype.readOp,
  "(": Fold.prototype.readOpen,
  ")": Fold.prototype.readClose,
  "%": Fold.prototype.readPercent,
  $: Fold.prototype.readCurrency,
  unknown: Fold.prototype.readUnknown,
};
