/* Python's regular expressions, read by a browser.

     const WORD = pattern(String.raw`(?P<word>[^\W\d_]+)`, { ignoreCase: true });
     WORD.search("12 apples").groups.word     // "apples"

   The rules beside this file are those of mathtutor/, module by module and name by name, and their patterns stand here
   letter for letter. What the two languages read differently is translated: \w, \d, \s and \b know all scripts, `$`
   stands before a last line break, groups are named with ?P, and `verbose` allows space and comments. Offsets count
   UTF-16 units here and characters there: they differ only behind an emoji. */

const SPACES = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const UNICODE = { d: "\\p{Nd}", w: "\\p{L}\\p{N}_", s: SPACES, letter: "[\\p{L}\\p{Nl}\\p{No}]" };
const ASCII = { d: "0-9", w: "A-Za-z0-9_", s: "\\t-\\r\\x20", letter: "[A-Za-z]" };
const LETTERS = "[^\\W\\d_"; // "[^\W\d_]": any letter; what follows in the class is left out too
const END = "(?![^])";

function translate(source, verbose, ascii) {
  const known = ascii ? ASCII : UNICODE;
  let out = "";
  let inside = false; // a class
  for (let at = 0; at < source.length; at++) {
    const char = source[at];
    if (char === "\\") {
      out += escaped(source[++at], inside, known);
    } else if (inside) {
      inside = char !== "]";
      out += char;
    } else if (source.startsWith(LETTERS, at)) {
      const close = source.indexOf("]", at);
      const left = source.slice(at + LETTERS.length, close);
      const letter = left ? `(?:(?![${left}])${known.letter})` : known.letter;
      at = close;
      // "++" gives nothing back: of one class that is a greedy "+" behind which no more of it follows.
      const possessive = source.startsWith("++", at + 1);
      out += possessive ? `${letter}+(?!${letter})` : letter;
      at += possessive ? 2 : 0;
    } else if (char === "[") {
      inside = true;
      out += char;
    } else if (verbose && /\s/.test(char)) {
      continue;
    } else if (verbose && char === "#") {
      at = source.indexOf("\n", at) < 0 ? source.length : source.indexOf("\n", at);
    } else if (source.startsWith("(?P<", at)) {
      out += "(?<";
      at += 3;
    } else if (source.startsWith("(?P=", at)) {
      const close = source.indexOf(")", at);
      out += `\\k<${source.slice(at + 4, close)}>`;
      at = close;
    } else if (char === "$") {
      out += `(?=\\n?${END})`;
    } else {
      out += char === "." ? "[^\\n]" : char;
    }
  }
  return out;
}

function escaped(char, inside, known) {
  if (known[char]) return inside ? known[char] : `[${known[char]}]`;
  if (char === "W" || char === "D" || char === "S") return `[^${known[char.toLowerCase()]}]`; // never inside a class here
  if (char === "b") return `(?:(?<![${known.w}])(?=[${known.w}])|(?<=[${known.w}])(?![${known.w}]))`;
  if (char === "Z") return END;
  if (/[A-Za-z0-9]/.test(char) || "^$\\.*+?()[]{}|/".includes(char)) return `\\${char}`;
  return char === "-" && inside ? "\\-" : char; // unicode patterns allow no needless backslash
}

class Pattern {
  constructor(source, { ignoreCase = false, verbose = false, ascii = false, places = false } = {}) {
    const flags = `u${ignoreCase ? "i" : ""}${places ? "d" : ""}`;
    const body = translate(source, verbose, ascii);
    this.sticky = new RegExp(body, `${flags}y`);
    this.moving = new RegExp(body, `${flags}g`);
    this.whole = new RegExp(`(?:${body})${END}`, `${flags}y`);
  }

  /** The match that begins at `at`, or null. */
  match(text, at = 0) {
    return run(this.sticky, text, at);
  }

  /** The first match from `from` on that ends at or before `end`, or null. What stands before `from` is seen by lookbehinds. */
  search(text, from = 0, end = text.length) {
    return run(this.moving, end < text.length ? text.slice(0, end) : text, from);
  }

  fullmatch(text) {
    return run(this.whole, text, 0);
  }

  /** All matches, one behind the other. */
  all(text, from = 0, end = text.length) {
    const found = [];
    const read = end < text.length ? text.slice(0, end) : text;
    for (let match = run(this.moving, read, from); match; ) {
      found.push(match);
      match = run(this.moving, read, match[0] ? endOf(match) : endOf(match) + 1);
    }
    return found;
  }

  replace(text, by) {
    return text.replace(this.moving, by);
  }
}

function run(regexp, text, at) {
  regexp.lastIndex = Math.max(0, at);
  return regexp.exec(text);
}

export const pattern = (source, options) => new Pattern(source, options);
export const endOf = (match) => match.index + match[0].length;
/** The words of a text, as a set: for the tables of the rules. */
export const words = (text) => new Set(text.split(" "));
export const isDigits = (text) => /^\p{Nd}+$/u.test(text);
/** "3" of any script as "3"; the digits of a script stand together in tens. */
export function decimalOf(char) {
  let place = 0;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(char.codePointAt(0) - place - 1))) place++;
  return String(place % 10);
}
