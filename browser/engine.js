/* Pocket in ONNX Runtime: greedy decoding with the calculator, one reply at a time.

     const pocket = new Pocket(ort, session, tokenizer);
     await pocket.reply("Ana has 3 apples ...", { onPiece: (piece) => ..., isStopped: () => false });

   The rules of a reply are those of mathtutor/engines/rows.py. A piece is {text, numTokens, computed, finish}; only the last
   one has a finish: "stop", "length", "repeating" or "stopped". */

import { Calculator, Row } from "./rules/calculator.js";
import { END, encodeProblem } from "./rules/chat.js";
import { EVERY, TAIL_TOKENS, goesInCircles } from "./rules/cycles.js";

const MAX_TOKENS = 512;
const MAX_SECONDS = 60;
const READ_AT_ONCE = 128; // tokens of a problem between two looks whether to stop
const REPLACEMENT = "\ufffd"; // half a character

export class Pocket {
  constructor(ort, session, tokenizer) {
    Object.assign(this, { ort, session });
    this.encode = (text) => tokenizer.encode(text, { add_special_tokens: false }).ids;
    const exact = { skip_special_tokens: false, clean_up_tokenization_spaces: false };
    this.decode = (ids) => (ids.length ? tokenizer.decode(ids, exact) : "");
    const added = tokenizer.get_added_tokens_decoder();
    this.control = new Set([...added.keys()].map(Number));
    this.end = [...added].map(([id, token]) => [Number(id), token.content]).find(([, content]) => content === END)[0];
    const logits = session.outputMetadata.find((output) => output.name === "logits");
    this.calculator = new Calculator(this.decode, this.encode, logits.shape.at(-1));
    this.caches = session.inputMetadata.filter((input) => input.name.startsWith("past_key_values"));
  }

  emptyPast() {
    const empty = ({ name, shape }) => [name, new this.ort.Tensor("float32", new Float32Array(0), [1, shape[1], 0, shape[3]])];
    return Object.fromEntries(this.caches.map(empty));
  }

  /** {scores after the last of `ids`, past}; `place` tokens are in `past`. */
  async scores(ids, place, past) {
    const row = (numbers) => new this.ort.Tensor("int64", BigInt64Array.from(numbers, BigInt), [1, numbers.length]);
    const places = ids.map((_, at) => place + at);
    const out = await this.session.run({
      input_ids: row(ids),
      attention_mask: row(new Array(place + ids.length).fill(1)),
      position_ids: row(places),
      ...past,
    });
    const size = out.logits.dims.at(-1);
    const grown = this.caches.map(({ name }) => [name, out[name.replace("past_key_values", "present")]]);
    return { scores: out.logits.data.slice(-size), past: Object.fromEntries(grown) };
  }

  async reply(problem, { calculator = true, onPiece, isStopped }) {
    const deadline = performance.now() + 1000 * MAX_SECONDS;
    const prompt = encodeProblem(problem, this.encode, this.control);
    const row = calculator ? new Row(this.calculator) : null;
    const ids = [];
    let [place, next, shown, allComputed] = [0, prompt, 0, true]; // shown: how many of `ids` have been handed out
    let step = { scores: null, past: this.emptyPast() };
    const give = (finish) => {
      const text = this.decode(ids.slice(shown));
      if (finish === null && text.endsWith(REPLACEMENT)) return;
      onPiece({ text, numTokens: ids.length - shown + (finish === "stop"), computed: finish === null && allComputed, finish });
      [shown, allComputed] = [ids.length, true];
    };
    for (;;) {
      while (next.length) {
        await pause();
        if (isStopped()) return give("stopped");
        if (performance.now() > deadline) return give("length");
        const piece = next.slice(0, READ_AT_ONCE);
        step = await this.scores(piece, place, step.past);
        place += piece.length;
        next = next.slice(READ_AT_ONCE);
      }
      row?.steer(ids, step.scores);
      const token = best(step.scores);
      if (token === this.end) return give("stop");
      ids.push(token);
      allComputed = allComputed && Boolean(row?.computed.has(ids.length - 1));
      if (ids.length % EVERY === 0 && goesInCircles(this.decode(ids.slice(-TAIL_TOKENS)))) return give("repeating");
      if (ids.length === MAX_TOKENS) return give("length");
      give(null);
      next = [token];
    }
  }
}

function best(scores) {
  let found = 0;
  for (let id = 1; id < scores.length; id++) if (scores[id] > scores[found]) found = id;
  return found;
}

/** Let messages in. A timer would wait four milliseconds each time; a message to oneself does not. */
function pause() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
