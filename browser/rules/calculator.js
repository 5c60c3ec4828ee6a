/* The calculator inside decoding: after an expression and "=", the exact result is written for the model.
   As mathtutor/engines/calculator.py: it acts only between an "=" and the number that follows, and steps back where the model
   begins anything but a number. */

import { evaluate, show } from "./arithmetic.js";
import { openExpression } from "./steps.js";

const TAIL_TOKENS = 512; // more than any line with an expression that is read; longer lines get no result

/** The result that must come next in a reply that reads `text` so far, or null. A result whose decimals do not end is left to the model. */
export function due(text) {
  const line = text.slice(text.lastIndexOf("\n") + 1);
  if (!line.replace(/[ $]+$/, "").endsWith("=")) return null;
  const expression = openExpression(line);
  const value = expression ? evaluate(expression).value : null;
  const shown = value ? show(value) : null;
  return shown === null || shown.includes("/") ? null : shown;
}

/** What is known of a tokenizer's pieces; `new Row(calculator)` is the calculator of one reply. */
export class Calculator {
  /** `decode` and `encode` turn ids into text and back; `size` is the number of pieces. */
  constructor(decode, encode, size) {
    Object.assign(this, { decode, encode });
    const pieces = Array.from({ length: size }, (_, id) => decode([id]));
    const starts = pieces.map((piece) => piece.replace(/^ +| +$/g, "").slice(0, 1));
    const where = (test) => new Set([...pieces.keys()].filter(test));
    this.mayPrecede = where((i) => pieces[i].includes("=") || pieces[i].replace(/^[ $]+|[ $]+$/g, "") === "");
    this.newlines = where((i) => pieces[i].includes("\n"));
    this.points = where((i) => pieces[i] === "." || pieces[i] === ",");
    this.digits = [...where((i) => /^\p{Nd}/u.test(starts[i]))];
    this.numbers = [...where((i) => /^[\p{Nd}−-]/u.test(starts[i]))];
  }
}

/** The calculator of one reply: asked before each of its tokens, in turn. */
export class Row {
  constructor(calculator) {
    this.known = calculator;
    this.computed = new Set(); // places of forced tokens in the reply
    this.queue = []; // tokens still to be forced
    this.closed = false; // a result stands at the end: no digit may follow
  }

  /** Change `scores` for the token after the ids of `reply`, in place. */
  steer(reply, scores) {
    if (!reply.length) return;
    const { known, queue, computed } = this;
    const place = reply.length;
    const last = reply[place - 1];
    if (!queue.length && computed.has(place - 1)) this.closed = true;
    else if (this.closed && !known.points.has(last)) this.closed = false;
    if (!queue.length && !this.closed && known.mayPrecede.has(last)) {
      const line = this.lastLine(reply);
      const result = line.length ? due(known.decode(line)) : null;
      if (result !== null) {
        if (share(scores, known.numbers) >= 0.5) queue.push(...known.encode(result));
        else for (const id of known.numbers) scores[id] = -Infinity;
      }
    }
    if (queue.length) {
      scores.fill(-Infinity);
      scores[queue.shift()] = 0;
      computed.add(place);
    } else if (this.closed) {
      for (const id of known.digits) scores[id] = -Infinity;
    }
  }

  /** The ids from the last newline on; [] where it is further back than TAIL_TOKENS: half a sum is another sum. */
  lastLine(reply) {
    const tail = reply.slice(-TAIL_TOKENS);
    const place = tail.findLastIndex((id) => this.known.newlines.has(id));
    if (place >= 0) return tail.slice(place);
    return tail.length === reply.length ? tail : [];
  }
}

/** The share of the probability that these tokens hold. */
function share(scores, ids) {
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
  return ids.reduce((sum, id) => sum + Math.exp(scores[id] - most), 0) / total;
}
