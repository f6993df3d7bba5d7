// The page without this script is whole: tables and drawn pictures. It adds pictures that answer, and all the rows.
// Text from the file reaches the page through textContent alone; nothing is fetched. What puts pictures into it stands
// before this, in the same module.
const MARKS = ["kept", "new_best", "noop", "near", "revisit", "replicate", "drifted", "evaluated", "eligible"];
const STATUSES = ["kept", "reverted", "blocked", "crashed", "aborted", "ineligible", "proposer error", "other"];
const NOT_RUN = new Set(["blocked", "proposer error"]);
const PER_PAGE = 100, LONGEST = 20000;
const held = JSON.parse(document.getElementById("trajscope-data").textContent);

const bytes = async (packed) => {
  const raw = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};
const unpacked = async (packed) => JSON.parse(new TextDecoder().decode(await bytes(packed)));
const show = (x, digits = 6) => (x === null || x === undefined ? "" : String(Number(x.toPrecision(digits))));
const ordinal = (n) => `${n}${n % 100 > 10 && n % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th")}`;

// --- the rows -------------------------------------------------------------------------------------------------------
class Rows {
  constructor(box, run, source) {
    Object.assign(this, { box, run, source, rows: run.rows, sort: "seq", down: false, page: 0, only: null, open: null });
    this.n = this.rows.seq.length;
    this.names = run.pairs.map(clean);
    this.build();
    this.draw();
    box.hidden = false;
  }
  build() {
    this.find = make("input", { type: "search", placeholder: "pair, status or sign" });
    this.status = make("select", {}, make("option", { value: "", text: "every status" }));
    [...new Set(this.rows.status)].sort((a, b) => a - b).forEach((s) => this.status.append(make("option", { value: s, text: STATUSES[s] })));
    this.said = make("span", { role: "status" });
    this.all = make("button", { type: "button", text: "show all" });
    this.before = make("button", { type: "button", text: "previous" });
    this.after = make("button", { type: "button", text: "next" });
    const again = () => { this.page = 0; this.draw(); };
    this.find.addEventListener("input", again);
    this.status.addEventListener("change", again);
    this.all.addEventListener("click", () => { this.only = null; this.find.value = ""; this.status.value = ""; this.chosen = null; again(); });
    this.before.addEventListener("click", () => { this.page--; this.draw(); });
    this.after.addEventListener("click", () => { this.page++; this.draw(); });
    const controls = make("div", { class: "controls" }, make("label", {}, "find", this.find), make("label", {}, "status", this.status), this.all, this.before, this.after, this.said);
    const heads = [["seq", "trial"], ["iter", "iter"], ["status", "status"], ["pair", "pair"], ["k", "tried"], ["value", "value"], ["best", "best kept"], ["wall_s", "took"], ["marks", ""]];
    this.heads = heads.map(([key, text]) => {
      const th = make("th", { scope: "col" });
      if (!text) return th;
      const b = make("button", { type: "button", text });
      b.addEventListener("click", () => { this.down = this.sort === key && !this.down; this.sort = key; again(); });
      th.dataset.key = key;
      th.append(b);
      return th;
    });
    this.body = make("tbody");
    const table = make("table", { "aria-label": "all trials" }, make("thead", {}, make("tr", {}, ...this.heads)), this.body);
    this.box.append(controls, make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "all trials" }, table));
  }
  signs(i) { return MARKS.filter((m, b) => SIGNS[m] && (this.rows.marks[i] >> b) & 1).map((m) => SIGNS[m]).join(", "); }
  order() {
    const r = this.rows, find = this.find.value.trim().toLowerCase(), status = this.status.value;
    const found = [];
    for (let i = 0; i < this.n; i++) {
      if (this.only && !this.only(r.seq[i], i)) continue;
      if (status !== "" && r.status[i] !== Number(status)) continue;
      if (find) {
        const text = `${r.seq[i]} ${r.pair[i] < 0 ? "" : this.names[r.pair[i]]} ${STATUSES[r.status[i]]} ${this.signs(i)}`.toLowerCase();
        if (!text.includes(find)) continue;
      }
      found.push(i);
    }
    const key = this.sort, down = this.down ? -1 : 1;
    const value = key === "pair" ? (i) => (r.pair[i] < 0 ? null : this.names[r.pair[i]]) : (i) => r[key][i];
    if (key !== "seq" || this.down) found.sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === null || y === null) return (x === null) - (y === null) || a - b;
      return (x < y ? -1 : x > y ? 1 : 0) * down || a - b;
    });
    return found;
  }
  draw() {
    const found = this.order(), pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
    this.page = Math.min(Math.max(0, this.page), pages - 1);
    const from = this.page * PER_PAGE, part = found.slice(from, from + PER_PAGE);
    const total = this.run.rows_total, count = (n) => n.toLocaleString("en");
    this.said.textContent = found.length ? `${count(from + 1)} to ${count(from + part.length)} of ${count(found.length)}${found.length < total ? ` (of ${count(total)} trials)` : " trials"}` : "no such trial";
    this.before.disabled = this.page === 0;
    this.after.disabled = this.page >= pages - 1;
    this.heads.forEach((h) => h.dataset.key && (h.dataset.key === this.sort ? h.setAttribute("aria-sort", this.down ? "descending" : "ascending") : h.removeAttribute("aria-sort")));
    this.body.replaceChildren(...part.map((i) => this.line(i)));
  }
  line(i) {
    const r = this.rows, b = make("button", { type: "button", "aria-expanded": "false", text: r.seq[i] });
    b.setAttribute("aria-label", `trial ${r.seq[i]}, its line in full`);
    const k = r.k[i], cell = (text) => make("td", { text });
    const tr = make("tr", { class: r.seq[i] === this.chosen ? "chosen" : null }, make("th", { scope: "row" }, b), cell(r.iter[i] ?? ""), cell(STATUSES[r.status[i]]),
      make("td", {}, make("code", { text: r.pair[i] < 0 ? "" : this.names[r.pair[i]].slice(0, 200) })), cell(!k ? "" : k === 1 ? "new" : `${ordinal(k)}, first ${r.first[i]}`),
      cell(show(r.value[i])), cell(show(r.best[i])), cell(took(r.wall_s[i])), cell(this.signs(i)));
    b.addEventListener("click", async () => {
      const open = b.getAttribute("aria-expanded") === "true";
      b.setAttribute("aria-expanded", String(!open));
      if (open) return void tr.nextElementSibling.remove();
      const td = make("td", { colspan: 9 });
      tr.after(make("tr", { class: "more" }, td));
      td.append(...(await this.full(i)));
    });
    return tr;
  }
  async full(i) {
    if (!this.source.gz) return [make("p", { text: "The file is too large to be held here; trajscope trials FILE --seq " + this.rows.seq[i] + " shows this line." })];
    this.source.raw ??= bytes(this.source.gz);
    const raw = await this.source.raw, at = this.rows.at[i], end = raw.indexOf(10, at);
    const text = new TextDecoder().decode(raw.subarray(at, end < 0 ? raw.length : end));
    let line;
    try { line = JSON.parse(text); } catch { return [make("pre", { text: clean(text).slice(0, LONGEST) })]; }
    const out = [], rest = line && typeof line === "object" ? { ...line } : line;
    if (rest && rest.diff) {
      const diff = rest.diff.blob ? this.source.blobs[rest.diff.blob] ?? `(lies beside the run, as ${rest.diff.blob})` : rest.diff;
      delete rest.diff;
      if (typeof diff === "string") out.push(this.diff(diff));
    }
    const whole = clean(JSON.stringify(rest, null, 1));
    out.push(make("pre", { text: whole.slice(0, LONGEST) + (whole.length > LONGEST ? `\n... and ${whole.length - LONGEST} letters more` : "") }));
    return out;
  }
  diff(text) {
    const pre = make("pre", { "aria-label": "diff" });
    const lines = clean(text.slice(0, LONGEST)).split("\n");
    pre.append(...lines.flatMap((l) => [make("span", { class: /^\+(?!\+\+ )/.test(l) ? "plus" : /^-(?!-- )/.test(l) ? "minus" : null, text: l }), "\n"]));
    if (text.length > LONGEST) pre.append(`... and ${text.length - LONGEST} letters more`);
    return pre;
  }
  refused(rail) {
    const { rail: by, marks, pair, status } = this.rows, which = this.run.rails.indexOf(rail);
    if (rail === "kept") return (_seq, i) => by[i] >= 0 && marks[i] & 1;
    if (rail === "silent") return (_seq, i) => pair[i] < 0 && !NOT_RUN.has(STATUSES[status[i]]);
    return (_seq, i) => by[i] === which;
  }
  show(only, chosen = null) {
    this.only = only;
    this.chosen = chosen;
    this.page = 0;
    this.draw();
  }
}

// --- the pictures ---------------------------------------------------------------------------------------------------
const views = {};
const draw = async (box, spec) => {
  const width = box.clientWidth, still = box.firstElementChild;
  if (!width || box.dataset.width === String(width)) return;
  box.dataset.width = width;
  try {
    const { stage, view } = await embed(spec, width);
    box.replaceChildren(stage);
    box.classList.add("drawn");
    views[box.dataset.chart]?.finalize();
    views[box.dataset.chart] = view;
    listen(box.dataset.chart, view);
  } catch (error) {
    box.replaceChildren(still);
    console.error(error);
  }
};
const tables = {};
const listen = (name, view) => {
  const at = name.split("-")[0];
  if (name.endsWith("-history")) brushed(view, (a, b) => {
    tables[at]?.show(a === null ? null : (seq) => seq >= a && seq <= b);
    outline(views[`${at}-tiles`], a, b);
  });
};

const begin = async () => {
  document.documentElement.classList.add("scripted");
  const specs = await unpacked(held.charts);
  const boxes = [...document.querySelectorAll(".picture[data-chart]")];
  const all = () => Promise.all(boxes.map((box) => draw(box, specs[box.dataset.chart])));
  await all();
  for (const run of held.runs) {
    const box = document.querySelector(`.live[data-rows="${run.at}"]`);
    tables[run.at] = new Rows(box, await unpacked(run.gz), held.sources[run.source]);
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-seq], a.seqs");
    if (!link) return;
    const at = link.hash.slice(1).split("-")[0], proof = link.closest(".proof");
    if (!tables[at]) return;
    event.preventDefault();
    const seqs = new Set((proof?.dataset.seqs ?? link.dataset.seq ?? "").split(" ").map(Number));
    const only = proof?.dataset.rail ? tables[at].refused(proof.dataset.rail) : (seq) => seqs.has(seq);
    tables[at].show(only, Number(link.dataset.seq ?? NaN));
    document.getElementById(`${at}-rows`).scrollIntoView();
  });
  let waiting = 0;
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(all, 200); });
  document.documentElement.dataset.ready = "yes";
};
begin().catch((error) => {
  // A browser without what this needs shows the page as it stands.
  document.documentElement.classList.remove("scripted");
  document.documentElement.dataset.ready = "no";
  console.error(error);
});
