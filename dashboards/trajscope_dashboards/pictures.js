// Pictures that move: what changed is put into the picture that stands, and only where its shape is another one is it
// drawn anew.
import { brushed, embed, make, named } from "/embed.js";

// A value with its changes is the next value; what did not change is shared between both.
const put = (value, [key, ...path], make) => {
  if (key === undefined) return make(value);
  const own = Array.isArray(value) ? value.slice() : { ...value };
  own[key] = put(value[key], path, make);
  return own;
};
export const changed = (value, changes) => changes.reduce((v, [path, x, ...more]) => put(v, path, (old) => (more.length ? old.slice(0, x).concat(more[0]) : x)), value);

// The limits of its scales become signals, so that they can be moved: all else makes the shape.
const loosened = (spec) => {
  const { datasets = {}, usermeta, description, ...shape } = spec, limits = new Map();
  const loose = (x) => {
    if (Array.isArray(x)) return x.map(loose);
    if (x === null || typeof x !== "object") return x;
    return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, k === "scale" && v && Array.isArray(v.domain) && v.domain.length === 2 && v.domain.every(Number.isFinite) ? { ...v, domain: limit(v.domain) } : loose(v)]));
  };
  const limit = (domain) => {
    const key = domain.join();
    if (!limits.has(key)) limits.set(key, { name: `limit${limits.size}`, domain });
    const { name } = limits.get(key);
    return [{ expr: `${name}[0]` }, { expr: `${name}[1]` }];
  };
  const own = loose(shape), signals = [...limits.values()];
  own.params = [...signals.map((s) => ({ name: s.name, value: s.domain })), ...(own.params ?? [])];
  // Not the limits themselves: they move. Not the rows: they come.
  const key = JSON.stringify({ ...own, params: own.params.map((p) => (p.name.startsWith("limit") ? p.name : p)), rows: Object.keys(datasets) });
  return { key, signals, spec: { ...own, datasets, usermeta, description } };
};
const chosen = (spec, range) => {
  const part = spec.params?.find((p) => p.name === "brush");
  return range && part ? { ...spec, params: spec.params.map((p) => (p === part ? { ...p, value: { x: range } } : p)) } : spec;
};

// Rows out and others in, at once: of two changes before it runs, a view takes only the second.
const exchange = (view, name, out, rows) => {
  const one = Object.create(view);
  one.pulse = (op, changes) => view.pulse(op, changes.remove(out));
  one.insert(name, rows);
};

export class Picture {
  constructor(box, tell) { Object.assign(this, { box, tell, spec: null, drawn: null, width: 0, seen: false, busy: false, range: null }); }
  take(spec) { this.spec = spec; return this.draw(); }
  clear() {
    if (!this.range) return;
    Object.assign(this, { range: null, shape: null, drawn: null });
    this.draw();
  }
  // Answers whether it had the one before.
  move({ from, changes }) {
    if (this.spec?.usermeta.version !== from) return false;
    this.take(changed(this.spec, changes));
    return true;
  }
  get due() { return this.spec && this.box.clientWidth && (this.seen || !this.drawn) && (this.drawn !== this.spec || this.width !== this.box.clientWidth); }
  // One drawing at a time; what came meanwhile is drawn next, and only the newest of it. What nobody sees is drawn once,
  // and anew only when it comes into sight: drawing is most of what a row costs here.
  async draw() {
    if (this.spec) this.say(this.spec.usermeta.notes.join(" "));
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.due) await this.once(this.spec, this.box.clientWidth);
    } catch (error) {
      Object.assign(this, { drawn: this.spec, width: this.box.clientWidth, shape: null });
      this.say("This picture cannot be drawn.");
      console.error(error);
    } finally {
      this.busy = false;
    }
  }
  async once(spec, width) {
    const loose = loosened(spec), stands = this.view && this.shape === loose.key && this.width === width;
    if (spec.usermeta.empty) this.word(spec.usermeta.empty);
    else if (stands) await this.shift(spec, loose.signals);
    else await this.anew(loose.spec, width);
    Object.assign(this, { drawn: spec, width, shape: spec.usermeta.empty ? null : loose.key });
    if (spec.usermeta.trials) this.box.dataset.trials = spec.usermeta.trials;
    this.box.dataset[stands ? "moved" : "drawn"] = String(Number(this.box.dataset[stands ? "moved" : "drawn"] ?? 0) + 1);
  }
  // Nothing to draw, and why.
  word(why) {
    this.view?.finalize();
    this.view = null;
    this.box.replaceChildren(make("p", { class: "aside", text: why }));
  }
  async anew(spec, width) {
    const { stage, view } = await embed(chosen(spec, this.range), width);
    this.box.replaceChildren(stage);
    this.view?.finalize();
    this.view = view;
    this.fresh?.(view);
    brushed(view, (a, b) => { this.range = a === null ? null : [a, b]; this.tell(a, b); });
  }
  async shift(spec, signals) {
    const view = this.view, before = this.drawn.datasets ?? {};
    signals.forEach((s) => view.signal(s.name, s.domain));
    for (const [name, rows] of Object.entries(spec.datasets ?? {})) {
      const old = before[name];
      if (old === rows) continue;
      let kept = 0;
      while (kept < old.length && old[kept] === rows[kept]) kept++;
      const stand = view.data(name), fresh = structuredClone(rows.slice(kept)); // the engine writes into what it is given
      if (stand.length !== old.length) view.data(name, structuredClone(rows));
      else exchange(view, name, stand.slice(kept), fresh);
    }
    await view.runAsync();
    named(this.box.querySelector("svg"), spec.usermeta.question);
  }
  say(text) {
    const notes = this.box.closest("figure").querySelector(".notes");
    if (notes.textContent !== text) notes.textContent = text;
  }
}
