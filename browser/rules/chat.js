/* The chat format: Qwen's ChatML with the reasoning inside <think>. As mathtutor/chat.py. */

export const [START, END, THINK, END_THINK, ENDOFTEXT] = ["<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|endoftext|>"];
const CONTROL = [ENDOFTEXT, START, END, THINK, END_THINK];
const BREAK = "\u200b"; // invisible: the student's text stays readable, and nothing can close up into a token

/** `text` with every control string broken up. */
export function defuse(text) {
  return CONTROL.reduce((safe, token) => safe.replaceAll(token, token[0] + BREAK + token.slice(1)), text);
}

/** The token ids that ask for one problem. What a student types is encoded alone, so that no merge crosses its border, and
    can never hold a control token: throws where one appears all the same. */
export function encodeProblem(problem, encode, control) {
  const content = encode(defuse(problem));
  if (content.some((id) => control.has(id))) throw new Error("a control token survived in a problem");
  return [...encode(`${START}user\n`), ...content, ...encode(`${END}\n`), ...encode(`${START}assistant\n`)];
}

const PARTIAL = [THINK, END_THINK, END].flatMap((tag) => Array.from({ length: tag.length - 2 }, (_, n) => tag.slice(0, tag.length - 1 - n)));

/** {reasoning, tail, opened, closed} of a reply, also of one still being written; a tag that is still being typed is left out. */
export function splitReply(reply) {
  const pieces = reply.replaceAll(END, "").replaceAll(ENDOFTEXT, "").split(/(<think>|<\/think>)/);
  const partial = PARTIAL.filter((part) => pieces.at(-1).endsWith(part)).sort((a, b) => b.length - a.length)[0];
  if (partial) pieces.push(pieces.pop().slice(0, -partial.length));
  if (pieces.length === 1) {
    const begun = !pieces[0].trim() && reply.trim() !== "" && THINK.startsWith(reply.trim());
    return { reasoning: "", tail: pieces[0].trimStart(), opened: begun, closed: false };
  }
  const closed = pieces.at(-2) === END_THINK;
  const blocks = pieces
    .slice(0, -1)
    .filter((piece, at) => at % 2 === 0 && (pieces[at + 1] === END_THINK || pieces[at - 1] === THINK))
    .map((piece) => piece.replace(/^\n+|\n+$/g, ""))
    .filter((block) => block.trim());
  if (!closed) blocks.push(pieces.at(-1).replace(/^\n+/, "")); // blank or not, it ends the line before it
  return { reasoning: blocks.join("\n"), tail: closed ? pieces.at(-1).trimStart() : "", opened: true, closed };
}
