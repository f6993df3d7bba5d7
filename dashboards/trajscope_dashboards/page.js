// Keeps the page up to date. Text from a run reaches it through textContent alone; it asks nobody but its own server.
import { SIGNS, make, outline, took } from "/embed.js";
import { Picture } from "/pictures.js";

const SHAPES = { TAMPERED: "✗", SUSPECT: "✗", FLAILING: "✗", STALLED: "!", UNKNOWN: "?", RESEARCHING: "●" };
const MARKS = { FAIL: "✗", UNKNOWN: "?", WARN: "!" };
const ORDER = ["TAMPERED", "SUSPECT", "STALLED", "FLAILING", "UNKNOWN", "RESEARCHING"];
const LIVING = ["running", "reading", "waiting", "stalled", "not begun"];
const BELIEFS = { CONFIRMED: "confirmed by other evaluations", UNCONFIRMED: "not confirmed by any other evaluation", UNKNOWN: "gain or luck: not known", DOUBTED: "not to be trusted", NONE: "nothing was kept yet" };
const STEP = 100, HELD = 2000, EVIDENCE = 12, NAMED = 6, AGAIN_MS = 3000, FRESH_MS = 4000;
const kind = document.body.dataset.page, here = document.body.dataset.run;
const $ = (id) => document.getElementById(id);

const write = (e, text) => { if (e.textContent !== text) e.textContent = text; };
const number = (x, digits = 6) => (x === null || x === undefined ? "" : Number.isInteger(x) ? x.toLocaleString("en") : String(Number(x.toPrecision(digits))));
const share = (x) => (x === null ? "not known" : `${(x * 100).toFixed(0)}%`);
const counted = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;
const life = (run) => {
  const w = run.watch, parts = [run.read === null ? w.state : `reading, ${share(run.read)}`];
  if (w.age_s !== null && w.state !== "reading") parts.push(`last sign of life ${took(w.age_s + (Date.now() - run.heard) / 1000)} ago`);
  if (LIVING.includes(w.state) && w.usual_s !== null) parts.push(`usually every ${took(w.usual_s)}`);
  return parts.join(", ");
};
const clauses = (sentence) => { const at = sentence.indexOf("; "); return at < 0 ? [sentence, ""] : [sentence.slice(0, at), sentence.slice(at + 2)]; };
const word = (w) => make("span", { class: ["RESEARCHING", "UNKNOWN"].includes(w) ? "word calm" : "word", text: `${SHAPES[w]} ${w}` });
const touched = (c) => (c.knobs_touched === null ? "" : `${c.knobs_touched}${c.knobs_total ? ` of ${c.knobs_total}` : ""}`);

// --- the server -------------------------------------------------------------------------------------------------------
const link = (state, text) => { $("link").dataset.state = state; write($("link"), text); };
// The browser itself comes back after a cut, with the id of the last event; only after an answer that is no stream it gives up.
const listen = (address, heard) => {
  let last = "", source;
  const begin = () => {
    source = new EventSource(address + (last ? `?last=${encodeURIComponent(last)}` : ""));
    source.onopen = () => link("on", "live");
    source.onerror = () => {
      link("off", "no connection: trying again");
      if (source.readyState === EventSource.CLOSED) setTimeout(begin, AGAIN_MS);
    };
    for (const [name, take] of Object.entries(heard)) source.addEventListener(name, (event) => {
      if (event.lastEventId) last = event.lastEventId;
      const said = JSON.parse(event.data);
      if (said.fault) link("off", said.fault);
      // Who cannot make anything of what came begins anew, from where it is.
      if (take(said) === false) {
        source.close();
        begin();
      }
    });
  };
  begin();
  addEventListener("pagehide", () => source.close());
};

// --- all runs ---------------------------------------------------------------------------------------------------------
const age = (run) => run.read !== null ? `reading, ${share(run.read)}` : run.watch.age_s === null ? run.watch.state : `${run.watch.state}, ${took(run.watch.age_s + (Date.now() - run.heard) / 1000)} ago`;
// A name that a narrow line may break where its parts meet, and not within them.
const broken = (name) => name.split(/(?<=[/_~.+-])/).flatMap((part, i) => (i ? [make("wbr"), part] : [part]));
const named = (r) => {
  const at = r.name.lastIndexOf("/") + 1;
  return make("a", { href: `/runs/${r.id}` }, at ? make("span", { class: "folder" }, ...broken(r.name.slice(0, at))) : null, ...broken(r.name.slice(at)));
};
const scored = (r) => [number(r.watch.best), ...(r.watch.best !== null && r.metric.name ? [make("span", { class: "metric" }, ...broken(r.metric.name))] : [])];
const why = (sentence) => { const [head, rest] = clauses(sentence); return [head, ...(rest ? [make("span", { class: "clauses", text: `; ${rest}` })] : [])]; };
const front = () => {
  const runs = new Map(), body = $("runs"), find = $("find");
  const cells = (r) => [word(r.watch.word), named(r), age(r), number(r.watch.trials), touched(r.coverage),
    r.watch.pair_repeat_rate === null ? "" : share(r.watch.pair_repeat_rate), scored(r), why(r.watch.sentence)];
  const line = (r) => {
    const tr = make("tr", { "data-run": r.id }, ...cells(r).map((c, i) => make(i === 1 ? "th" : "td", i === 1 ? { scope: "row" } : {}, ...[c].flat())));
    tr.hidden = !`${r.name} ${r.watch.word} ${r.watch.state}`.toLowerCase().includes(find.value.trim().toLowerCase());
    return tr;
  };
  const draw = (troubles) => {
    const focused = document.activeElement?.closest?.("tr")?.dataset.run;
    const sorted = [...runs.values()].sort((a, b) => ORDER.indexOf(a.watch.word) - ORDER.indexOf(b.watch.word) || (a.name < b.name ? -1 : 1));
    body.replaceChildren(...sorted.map(line));
    if (focused) body.querySelector(`tr[data-run="${CSS.escape(focused)}"] a`)?.focus();
    const words = {};
    sorted.forEach((r) => (words[r.watch.word] = (words[r.watch.word] ?? 0) + 1));
    write($("tally"), sorted.length ? `${counted(sorted.length, "run")}: ${Object.entries(words).map(([w, n]) => `${n.toLocaleString("en")} ${w}`).join(", ")}` : "No run yet");
    $("empty").hidden = sorted.length > 0;
    if (troubles) $("troubles").replaceChildren(...troubles.map((x) => make("li", { text: x })));
  };
  const take = (said) => {
    for (const r of said.runs) runs.set(r.id, { ...r, heard: Date.now() });
    for (const id of said.gone ?? []) runs.delete(id);
    draw(said.troubles);
  };
  find.addEventListener("input", () => draw());
  setInterval(() => body.querySelectorAll("tr").forEach((tr) => runs.has(tr.dataset.run) && write(tr.children[2], age(runs.get(tr.dataset.run)))), 1000);
  listen("/api/events", { reset: (said) => { runs.clear(); take(said); }, runs: take });
};

// --- one run ----------------------------------------------------------------------------------------------------------
const verdict = (v) => {
  const links = v.evidence.slice(0, EVIDENCE).flatMap((seq, i) => [i ? " " : "", make("a", { href: `/runs/${here}/trials/${seq}`, "data-seq": seq, text: seq })]);
  const more = v.evidence.length > EVIDENCE ? ` and ${(v.evidence.length - EVIDENCE).toLocaleString("en")} more` : "";
  return make("li", {}, make("b", { text: `${MARKS[v.level] ?? "?"} ${v.rule.replaceAll("_", " ")}` }), ` ${v.reason}`, links.length ? make("span", { class: "proof" }, " trials ", ...links, more) : null);
};
const four = (r) => {
  const w = r.watch, c = r.coverage, blind = r.nulls.uniform_knobs_expected, late = r.pairs.trailing_rate;
  let stands = BELIEFS[w.best_belief];
  if (w.best !== null && w.shrunk !== null && w.best_belief !== "DOUBTED") stands += `; would likely score ${number(w.shrunk)}`;
  return [["best", number(w.best) || "none", stands],
    ["knobs touched", touched(c) || "not known", blind === null ? "" : `a blind walker: ${blind.toFixed(1)}`],
    ["proposals tried before", share(w.pair_repeat_rate), `${late === null ? "n<10" : share(late)} of the last ten`],
    ["trials since a best beyond noise", number(w.plateau_length) || "not known", w.plateau_length === null && w.noise_sd === null ? "the noise is not known" : `of ${counted(w.evaluated, "evaluated trial")}`]];
};

class Trials {
  constructor() {
    Object.assign(this, { rows: [], total: 0, shown: STEP, range: null, body: $("rows"), open: new Map() });
    $("more").addEventListener("click", () => { this.shown += STEP; this.draw(); });
    $("find").addEventListener("input", () => this.draw());
    this.body.addEventListener("click", (event) => {
      const a = event.target.closest("a[data-seq]");
      if (!a || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.turn(Number(a.dataset.seq));
    });
  }
  reset(said) {
    this.rows = said.rows;
    this.total = said.total;
    this.draw();
    this.deep();
  }
  more(said) {
    this.rows.push(...said.rows);
    if (this.rows.length > HELD) this.rows.splice(0, this.rows.length - HELD);
    this.total = said.total;
    if ($("find").value.trim() || this.range) return this.draw();
    // Newest first: what came goes on top, and as much leaves below.
    const fresh = said.rows.slice(-this.shown).map((r) => this.line(r, true)).reverse();
    this.body.prepend(...fresh);
    // No animation: it would paint the table sixty times a second for as long as rows come.
    setTimeout(() => fresh.forEach((tr) => tr.classList.remove("new")), FRESH_MS);
    let lines = this.body.querySelectorAll("tr:not(.more)");
    for (let i = lines.length - 1; i >= this.shown; i--) {
      if (lines[i].nextElementSibling?.classList.contains("more")) lines[i].nextElementSibling.remove();
      lines[i].remove();
    }
    this.say(this.rows.length);
  }
  draw() {
    const find = $("find").value.trim().toLowerCase();
    const [a, b] = this.range ?? [-Infinity, Infinity], rows = this.rows.filter((r) => r.seq >= a && r.seq <= b);
    const found = find ? rows.filter((r) => `${r.seq} ${r.pair ?? ""} ${r.status} ${this.signs(r)}`.toLowerCase().includes(find)) : rows;
    this.body.replaceChildren(...found.slice(-this.shown).reverse().flatMap((r) => [this.line(r), ...(this.open.has(r.seq) ? [this.open.get(r.seq)] : [])]));
    this.say(found.length);
  }
  choose(a, b) {
    if (a === null && !this.range) return;
    this.range = a === null ? null : [a, b];
    this.draw();
  }
  say(found) {
    const shown = Math.min(this.shown, found);
    const held = this.rows.length.toLocaleString("en"), [a, b] = this.range ?? [];
    const within = this.range ? `, chosen above: ${Math.ceil(a)} to ${Math.floor(b)}` : "";
    write($("shown"), found < this.rows.length || within ? `${counted(found, "trial")} found of the latest ${held}${within}` : `the latest ${shown.toLocaleString("en")} of ${counted(this.total, "trial")}`);
    $("all").hidden = !this.range;
    $("more").hidden = found <= this.shown;
  }
  signs(r) { return r.signs.filter((s) => SIGNS[s]).map((s) => SIGNS[s]).join(", "); }
  line(r, fresh = false) {
    const cell = (text) => make("td", { text });
    const look = r.signs.includes("kept") ? "kept" : r.k > 1 ? "old" : "";
    const a = make("a", { href: `/runs/${here}/trials/${r.seq}`, "data-seq": r.seq, text: r.seq, "aria-expanded": String(this.open.has(r.seq)) });
    return make("tr", { id: `t${r.seq}`, class: `${look}${fresh ? " new" : ""}` }, make("th", { scope: "row" }, a), cell(r.status.replace("_", " ")),
      make("td", {}, r.pair === null ? "" : make("code", { text: r.pair })), cell(!r.k ? "" : r.k === 1 ? "new" : `${r.k}., first ${r.first}`),
      cell(number(r.value)), cell(number(r.best_kept)), cell(took(r.wall_s)), cell(this.signs(r)));
  }
  async turn(seq, only = false) {
    const tr = $(`t${seq}`), a = tr?.querySelector("a");
    if (!tr) return void location.assign(`/runs/${here}/trials/${seq}`);
    if (this.open.has(seq)) {
      if (only) return;
      this.open.get(seq).remove();
      this.open.delete(seq);
      a.setAttribute("aria-expanded", "false");
      return;
    }
    const td = make("td", { colspan: 8, text: "reading the line" }), row = make("tr", { class: "more" }, td);
    this.open.set(seq, row);
    a.setAttribute("aria-expanded", "true");
    tr.after(row);
    const answer = await fetch(`/api/runs/${here}/trials/${seq}`);
    if (!answer.ok) return void (td.textContent = await answer.text());
    const said = await answer.json(), parts = [];
    if (said.diff) parts.push(make("pre", { "aria-label": "diff", tabindex: "0" }, ...said.diff.split("\n").flatMap((l) => [/^\+(?!\+\+ )/.test(l) ? make("ins", { text: l }) : /^-(?!-- )/.test(l) ? make("del", { text: l }) : l, "\n"])));
    parts.push(make("pre", { text: said.text.join("\n"), tabindex: "0", "aria-label": "the line in full" }));
    td.replaceChildren(...parts, make("a", { href: `/runs/${here}/trials/${seq}`, text: "this trial alone" }));
  }
  deep() {
    const found = /^#t(\d+)$/.exec(location.hash);
    if (!found) return;
    this.body.querySelectorAll(".chosen").forEach((e) => e.classList.remove("chosen"));
    const seq = Number(found[1]);
    const at = this.rows.findIndex((r) => r.seq === seq);
    if (at < 0) return void location.replace(`/runs/${here}/trials/${seq}`);
    if (this.rows.length - at > this.shown) { this.shown = this.rows.length - at + 10; this.draw(); }
    $(`t${seq}`).classList.add("chosen");
    this.turn(seq, true);
    $(`t${seq}`).scrollIntoView({ block: "center" });
  }
}

const one = () => {
  const trials = new Trials();
  let run = null;
  const name = document.querySelector("h1").textContent;
  const show = (said) => {
    run = { ...said, heard: Date.now() };
    const w = run.watch, alarms = w.verdicts.filter((v) => v.level === "FAIL"), others = w.verdicts.filter((v) => v.level !== "FAIL");
    document.title = `${w.word}: ${name}`;
    const [head, rest] = clauses(w.sentence);
    $("lead").replaceChildren(word(w.word), " ", make("span", { id: "sentence", text: head }));
    write($("clauses"), rest);
    $("clauses").hidden = !rest;
    write($("life"), life(run));
    write($("waits"), run.waits);
    $("waits").hidden = !run.waits;
    write($("no-holdout"), run.holdout ?? "");
    $("no-holdout").hidden = !run.holdout;
    $("four").replaceChildren(...four(run).map(([dt, dd, aside]) => make("div", {}, make("dt", { text: dt }), make("dd", { text: dd }), make("dd", { class: "aside", text: aside }))));
    const said_ = JSON.stringify(w.verdicts);
    if (show.last !== said_) {
      show.last = said_;
      write($("alarms-head"), `✗ ${counted(alarms.length, "alarm")}: ${alarms.slice(0, NAMED).map((v) => v.rule.replaceAll("_", " ")).join(", ")}${alarms.length > NAMED ? " and more" : ""}`);
      $("failing").replaceChildren(...alarms.map(verdict));
      $("alarms").hidden = !alarms.length;
      write($("warnings-head"), `${counted(others.length, "warning")} and unknowns`);
      $("warnings").querySelector("ul").replaceChildren(...others.map(verdict));
      $("warnings").hidden = !others.length;
    }
    $("notices").replaceChildren(...w.notices.map((x) => make("li", { text: x })));
  };
  document.addEventListener("click", (event) => {
    const a = event.target.closest?.(".proof a[data-seq]");
    if (!a || event.ctrlKey || event.metaKey || event.shiftKey || !trials.rows.some((r) => r.seq === Number(a.dataset.seq))) return;
    event.preventDefault();
    history.pushState(null, "", `#t${a.dataset.seq}`);
    trials.deep();
  });
  addEventListener("hashchange", () => trials.deep());
  setInterval(() => run && write($("life"), life(run)), 1000);
  let waiting = 0;
  // What is brushed in one picture is chosen in the others and in the table.
  const pictures = new Map();
  let range = [null, null];
  const choose = (a, b) => {
    range = [a, b];
    trials.choose(a, b);
    outline(pictures.get("tiles")?.view, a, b);
  };
  const all = () => {
    pictures.forEach((p) => p.clear());
    choose(null, null);
  };
  $("all").addEventListener("click", all);
  const inSight = new IntersectionObserver((boxes) => boxes.forEach((b) => {
    const p = pictures.get(b.target.dataset.chart);
    p.seen = b.isIntersecting;
    if (p.seen) p.draw();
  }), { rootMargin: "200px" });
  document.querySelectorAll("[data-chart]").forEach((box) => { pictures.set(box.dataset.chart, new Picture(box, choose)); inSight.observe(box); });
  pictures.get("tiles").fresh = (view) => outline(view, ...range);
  addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => pictures.forEach((p) => p.draw()), 200); });
  listen(`/api/runs/${here}/events`, {
    reset: (said) => {
      pictures.get("holdout").box.closest("figure").hidden = true; // until it comes
      all();
      trials.reset(said);
    },
    rows: (said) => trials.more(said),
    run: show,
    charts: (said) => Object.entries(said).forEach(([name, spec]) => {
      pictures.get(name).box.closest("figure").hidden = false;
      pictures.get(name).take(spec);
    }),
    moved: (said) => Object.entries(said).every(([name, next]) => pictures.get(name).move(next)),
    gone: () => link("off", "the file is gone"),
  });
};

document.documentElement.classList.add("scripted");
if (kind === "front") front();
if (kind === "run") one();
