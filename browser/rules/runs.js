/* One side of an equation as it was written: "(5 apples * 2" is the run 5 * 2, with apples for a unit.
   As mathtutor/maths/runs.py. A part is {kind, text, start, end}; kinds are value, name, op, sign, (, ) and %. */

import { whole } from "./exact.js";
import { words } from "./patterns.js";

export class Run {
  constructor(lead = [], parts = []) {
    this.parts = parts;
    this.lead = lead; // words between the mark before and this run
    this.units = []; // words and currency signs inside and after it
    this.gap = 0; // words since the last part
    this.letters = false; // "5m": metres, or five times m
    this.of = false; // "1/3 of 60"
    this.ofThing = false; // "1/3 of the cake"
    this.cut = false; // perhaps part of more: a bracket that closes elsewhere, or a value straight before it
  }

  copy() {
    return Object.assign(new Run(), this, { parts: [...this.parts] });
  }

  add(kind, text, { start, end }) {
    this.parts.push({ kind, text, start, end });
    this.gap = 0;
  }

  /** Take a word into the run that changes its value in a way that is not read: it has none from now on. */
  doubt(text, { start, end }) {
    const place = this.parts.filter((part) => part.start < start).length;
    this.parts.splice(place, 0, { kind: "name", text, start, end });
  }

  wantsValue() {
    return !this.parts.length || ["op", "sign", "("].includes(this.parts.at(-1).kind);
  }

  openBrackets() {
    return this.parts.reduce((open, { kind }) => open + (kind === "(") - (kind === ")"), 0);
  }

  get start() {
    return this.parts[0].start;
  }

  get end() {
    return this.parts.at(-1).end;
  }

  // --- its shape ---

  get hasOperator() {
    return this.parts.some((part) => part.kind === "op");
  }

  get isUnknown() {
    return this.parts.some((part) => part.kind === "name");
  }

  /** x, Total: states nothing that could be false. */
  get isBareName() {
    return this.parts.length === 1 && this.isUnknown;
  }

  /** One number: 5, 25%, 1/2. */
  get isSingle() {
    const kinds = this.parts.map((part) => part.kind).filter((kind) => ["value", "op", "name"].includes(kind)).join(" ");
    return kinds === "value" || (kinds === "value op value" && this.isTightFraction);
  }

  get isSum() {
    return !this.parts.some((part) => part.kind === "op" && ["*", "/", "^"].includes(part.text));
  }

  get isPercent() {
    return this.parts.at(-1).kind === "%";
  }

  /** Ends in a fraction written without spaces: 3/5. */
  get isTightFraction() {
    if (this.parts.length < 3) return false;
    const [above, slash, below] = this.parts.slice(-3);
    return above.kind === "value" && slash.text === "/" && above.end === slash.start && slash.end === below.start;
  }

  /** Every value is a percentage: 100% - 30%. */
  get isPercentages() {
    const after = this.parts.filter((part) => part.kind === "value").map((part) => this.parts[this.parts.indexOf(part) + 1]);
    return after.length > 0 && after.every((part) => part?.kind === "%");
  }

  // --- its units ---

  get hasCoins() {
    return this.units.some((unit) => COINS.has(unit.toLowerCase()));
  }

  get hasUnits() {
    return this.units.some((unit) => unit !== "$");
  }

  /** 1/2 cup, or 1/3 of the cake: an amount of something, not a division. */
  isPortion(value) {
    return this.ofThing || (this.isSingle && this.hasOperator && this.hasUnits && value.size().isBelow(whole(1)));
  }

  /** Do two units of one kind meet here: hours and minutes, dollars and cents? */
  unitsOfAKind(other = null) {
    const kinds = [...this.units, ...(other?.units ?? [])].map(unitKind).filter(Boolean);
    const different = new Set(kinds.map(([kind, name]) => `${kind} ${name}`));
    return new Set(kinds.map(([kind]) => kind)).size < different.size;
  }

  // --- what is left of it as a side ---

  /** Cut at a bracket whose other half stands elsewhere: "(48 / 2" is "48 / 2", "24)" is "24". */
  balance() {
    const opened = [];
    for (const [index, part] of this.parts.entries()) {
      if (part.kind === "(") {
        opened.push(index);
      } else if (part.kind === ")" && opened.length) {
        opened.pop();
      } else if (part.kind === ")") {
        this.parts.splice(index);
        break;
      }
    }
    if (opened.length) {
      this.cut = this.cut || opened.at(-1) > 0;
      this.parts.splice(0, opened.at(-1) + 1);
    }
  }

  /** Drop an unfinished end: "24 -" and "24 - leaving" are "24", but "24 - x" stays. */
  trim() {
    while (this.parts.length && this.wantsValue()) this.parts.pop();
    while (this.parts.length > 2 && this.parts.at(-1).kind === "name" && this.parts.at(-2).text === "-") {
      const word = this.parts.at(-1).text;
      if ([...word].length === 1 || word !== word.toLowerCase() || word === word.toUpperCase()) break;
      this.parts.splice(-2);
    }
  }

  /** Plain arithmetic: operators stand between spaces, and "2 1/2" and "3/4" in brackets beside an operator. */
  expression() {
    return this.parts
      .map(({ kind, text }) => {
        if (kind === "op") return ` ${text} `;
        return kind === "value" && text.includes("/") && text[0] !== "(" && this.parts.length > 1 ? `(${text})` : text;
      })
      .join("");
  }
}

export const COINS = words("penny pennies nickel nickels dime dimes quarter quarters");

const SPELLINGS = { inche: "inch", feet: "foot", ft: "foot", yd: "yard", hr: "hour", min: "minute", sec: "second" };
const UNIT_KINDS = new Map(
  Object.entries({
    money: "$ cent dollar",
    time: "second sec minute min hour hr day week month year",
    length:
      "inch inche foot feet ft yard yd mile m mm cm km meter metre millimeter millimetre centimeter centimetre kilometer kilometre",
    amount: "ounce oz pound lb ton gram g kilogram kg milliliter ml liter litre l cup pint quart gallon",
  }).flatMap(([kind, names]) => names.split(" ").map((name) => [name, kind])),
);

/** ["length", "foot"] for feet: what a unit measures, and which one it is; null for apples. */
export function unitKind(unit) {
  const bare = unit.toLowerCase().replace(/^\/+/, "").replace(/s+$/, "");
  const name = Object.hasOwn(SPELLINGS, bare) ? SPELLINGS[bare] : bare;
  return UNIT_KINDS.has(name) ? [UNIT_KINDS.get(name), name] : null;
}
