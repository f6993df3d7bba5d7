// Puts pictures into a page. Text from a file reaches it through textContent alone, and nothing is fetched.
export const SIGNS = { new_best: "best so far", noop: "no-op", near: "near", revisit: "revisit", replicate: "replicate", drifted: "drifted" };
export const make = (name, attributes = {}, ...inner) => {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) if (v !== null && v !== undefined && v !== false) k === "text" ? (e.textContent = v) : e.setAttribute(k, v === true ? "" : v);
  e.append(...inner.filter((x) => x !== null));
  return e;
};
export const clean = (s) => String(s).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
export const took = (s) => (s === null ? "" : s < 100 ? `${s.toFixed(0)} s` : s < 6000 ? `${(s / 60).toFixed(0)} min` : s < 259200 ? `${(s / 3600).toFixed(1)} h` : `${Math.round(s / 86400).toLocaleString("en")} days`);

const tip = make("div", { id: "tip", hidden: true });
document.body.append(tip);
const tooltip = (_handler, event, _item, value) => {
  tip.hidden = value === null || value === undefined || value === "";
  if (tip.hidden) return;
  tip.textContent = typeof value === "object" ? Object.entries(value).map(([k, v]) => `${k}: ${clean(v)}`).join("\n") : clean(value);
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
};
const nothing = () => Promise.reject(new Error("this page loads nothing"));
const loader = { load: nothing, sanitize: nothing, http: nothing, file: nothing };
const fitted = (spec, width) => {
  const own = structuredClone(spec), plot = Math.max(spec.usermeta.least ?? 300, width) - spec.usermeta.sides;
  (own.vconcat ?? [own]).forEach((part) => (part.width = Math.max(120, plot)));
  return own;
};
// The whole is one picture with one name: the engine names marks that it adds itself.
export const named = (svg, name) => {
  svg.querySelectorAll("[role], [aria-label]").forEach((e) => ["role", "aria-label", "aria-roledescription"].forEach((a) => e.removeAttribute(a)));
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", name);
};
// A picture, drawn as wide as its place has room: the element to put there, and the view that moves in it.
export const embed = async (spec, width) => {
  const stage = make("div"), fits = fitted(spec, width - (spec.vconcat ? 28 : 0));
  const { view } = await window.vegaEmbed(stage, fits, { actions: false, ast: true, renderer: "svg", tooltip, loader, defaultStyle: false });
  named(stage.querySelector("svg"), spec.usermeta.question);
  tip.hidden = true;
  return { stage, view };
};
// What is brushed in one picture is told to whoever listens, as the first and the last trial, or null and null.
export const brushed = (view, tell) => {
  if (!("brush" in view.getState().signals)) return;
  let waiting = 0;
  view.addSignalListener("brush", (_name, brush) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => tell(...(brush.seq ?? [null, null])), 80);
  });
};
export const outline = (view, a, b) => {
  if (view && "from_seq" in view.getState().signals) view.signal("from_seq", a ?? -1).signal("to_seq", b ?? -1).run();
};
