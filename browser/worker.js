/* The model, away from the page, so that the page stays alive.

     takes  {kind: "load"}, {kind: "solve", run, problem, calculator}, {kind: "stop", run}
     gives  {kind: "loading", done, total}, {kind: "waking"}, {kind: "ready", threads}, {kind: "failed"},
            {kind: "piece", run, piece}: see engine.js; a run that breaks down ends with the finish "failed"

   Nothing is fetched but the files beside this one. */

import { Pocket } from "./engine.js";

const MOST_THREADS = 4; // a model of this size gains nothing from more
let pocket = null;
let stopped = 0; // the last run that is to end

self.onmessage = ({ data }) => {
  if (data.kind === "load") load();
  else if (data.kind === "solve") solve(data);
  else if (data.kind === "stop") stopped = data.run;
};

async function load() {
  try {
    const sizes = await (await fetch("model/sizes.json")).json();
    const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
    const done = {};
    const read = (name) =>
      bytesOf(name, (count) => {
        done[name] = count;
        self.postMessage({ kind: "loading", done: Object.values(done).reduce((sum, size) => sum + size, 0), total });
      });
    const [wasm, weights, words, settings, ort, { Tokenizer }] = await Promise.all([
      read("runtime/ort-wasm-simd-threaded.wasm"),
      read("model/model.onnx"),
      read("model/tokenizer.json"),
      bytesOf("model/tokenizer_config.json", () => {}),
      import("./runtime/ort.wasm.min.mjs"),
      import("./runtime/tokenizers.min.mjs"),
    ]);
    self.postMessage({ kind: "waking" });
    // Threads share memory, which browsers allow only to a page that is served with COOP and COEP headers.
    const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, Math.ceil((navigator.hardwareConcurrency || 1) / 2)) : 1;
    ort.env.wasm.numThreads = threads;
    ort.env.wasm.wasmBinary = wasm.buffer;
    ort.env.wasm.wasmPaths = new URL("runtime/", self.location.href).href;
    const session = await ort.InferenceSession.create(weights, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
    const json = (bytes) => JSON.parse(new TextDecoder().decode(bytes));
    pocket = new Pocket(ort, session, new Tokenizer(json(words), json(settings)));
    self.postMessage({ kind: "ready", threads });
  } catch (error) {
    console.error(error);
    self.postMessage({ kind: "failed" });
  }
}

/** A file whole; `onCount` hears how many bytes of it are there. */
async function bytesOf(name, onCount) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  const parts = [];
  let count = 0;
  const reader = answer.body.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    parts.push(value);
    count += value.length;
    onCount(count);
  }
  const bytes = new Uint8Array(count);
  parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  return bytes;
}

async function solve({ run, problem, calculator }) {
  const onPiece = (piece) => self.postMessage({ kind: "piece", run, piece });
  try {
    await pocket.reply(problem, { calculator, onPiece, isStopped: () => stopped >= run });
  } catch (error) {
    console.error(error);
    onPiece({ text: "", numTokens: 0, computed: false, finish: "failed" });
  }
}
