// The browser of items. Every text of a model comes in by textContent: nothing that it wrote is ever markup.
(() => {
  const { items, runs } = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const SIZE = 20;
  let page = 0;

  const make = (tag, kind, text) => {
    const node = document.createElement(tag);
    if (kind) node.className = kind;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const ofRun = (item, name) => item.runs.find((one) => one.run === name);
  const replies = (item) => item.runs.flatMap((one) => one.replies);
  const pairing = () => ["fixed", "broken"].includes(at("show").value);

  const shows = {
    fixed: (item) => both(item, (a, b) => !a.right && b.right),
    broken: (item) => both(item, (a, b) => a.right && !b.right),
    all: () => true,
  };
  function both(item, holds) {
    const a = ofRun(item, at("run-a").value), b = ofRun(item, at("run-b").value);
    return Boolean(a && b && holds(a, b));
  }

  function matches(item) {
    const show = at("show").value, words = at("search").value.trim().toLowerCase();
    if (at("benchmark").value && item.benchmark !== at("benchmark").value) return false;
    const kind = at("error").value;
    if (kind && !replies(item).some((reply) => reply.error === kind)) return false;
    if (!(shows[show] ? shows[show](item) : item.flags.includes(show))) return false;
    if (!words) return true;
    const text = [item.id, item.question, item.gold, ...replies(item).flatMap((r) => [r.reply, r.answer || ""])].join("\n");
    return text.toLowerCase().includes(words);
  }

  function facts(reply) {
    const found = [reply.answer === null ? "no answer" : "answer " + reply.answer, reply.tokens.toLocaleString("en") + " tokens"];
    if (reply.error) found.push(reply.error);
    if (reply.wrong_step !== null) found.push("step " + reply.wrong_step + " does not add up");
    if (reply.finish !== "stop") found.push("ended by: " + reply.finish);
    if (reply.parted) found.push("math-verify says " + (reply.math_verify === null ? "nothing" : reply.math_verify ? "right" : "wrong"));
    return found.join(" · ");
  }

  function card(item) {
    const wrong = item.flags.includes("wrong");
    const node = make("article", "item " + (wrong ? "wrong" : "right"));
    node.append(make("h3", "", item.benchmark + " · " + item.id));
    const question = make("p", "question", item.question || "(the record does not hold the question)");
    question.dir = "auto";
    node.append(question, make("p", "gold", "Gold answer: " + item.gold));
    if (item.flags.includes("unanimous")) {
      node.append(make("p", "", "All " + replies(item).length + " replies give the same wrong answer: see whether the gold answer is right."));
    }
    const grid = make("div", "replies");
    // Two runs set against each other stand side by side, without the rest.
    const shown = pairing() ? [at("run-a").value, at("run-b").value].map((name) => ofRun(item, name)) : item.runs;
    for (const one of shown) {
      for (const reply of one.replies) {
        const box = make("div", "reply");
        const head = make("h4", "", one.run + (one.replies.length > 1 ? " · reply " + (reply.sample + 1) + " of " + one.replies.length : ""));
        const badge = make("span", "badge " + (reply.right ? "right" : "wrong"), reply.right ? "right" : "wrong");
        const line = make("p", "facts");
        line.append(badge, " " + facts(reply));
        const text = make("pre", "", reply.reply || "(nothing)");
        text.dir = "auto";
        text.tabIndex = 0;
        text.setAttribute("role", "region");
        text.setAttribute("aria-label", "Reply of " + one.run + " to " + item.id + ", " + (reply.sample + 1));
        box.append(head, line, text);
        grid.append(box);
      }
    }
    node.append(grid);
    return node;
  }

  function nothing() {
    if (!pairing()) return "No problem fits these filters.";
    const a = at("run-a").value, b = at("run-b").value;
    if (a === b) return "A and B are the same run: choose another.";
    return items.some((item) => ofRun(item, a) && ofRun(item, b)) ? "No problem that both answered fits these filters." : "A and B have no problem in common: choose two runs of one benchmark.";
  }

  function draw() {
    const found = items.filter(matches);
    const pages = Math.max(1, Math.ceil(found.length / SIZE));
    page = Math.min(page, pages - 1);
    at("pair").hidden = !pairing();
    at("count").textContent = found.length.toLocaleString("en") + " of " + items.length.toLocaleString("en") + " problems, page " + (page + 1) + " of " + pages;
    at("before").disabled = page === 0;
    at("after").disabled = page >= pages - 1;
    at("list").replaceChildren(...found.slice(page * SIZE, (page + 1) * SIZE).map(card));
    if (!found.length) at("list").append(make("p", "note", nothing()));
  }

  for (const id of ["show", "benchmark", "error", "run-a", "run-b"]) at(id).addEventListener("change", () => { page = 0; draw(); });
  at("search").addEventListener("input", () => { page = 0; draw(); });
  const turn = (by) => () => { page += by; draw(); at("count").scrollIntoView({ block: "start" }); };
  at("before").addEventListener("click", turn(-1));
  at("after").addEventListener("click", turn(1));
  const first = [...at("show").options].find((option) => option.value !== "all" && items.some((item) => shows[option.value] ? false : item.flags.includes(option.value)));
  if (first) at("show").value = first.value;
  if (runs.length > 1) at("run-b").value = runs[1];
  at("browser").hidden = false;
  draw();
})();
