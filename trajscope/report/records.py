"""Records: integrity, rail, corpus, rows and provenance of one run as markup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajscope import analysis
from trajscope.readable import duration, number, ordinal, plural, short
from trajscope.report.brief import sentence
from trajscope.report.facts import DEFINED
from trajscope.report.gather import MARKS
from trajscope.report.markup import Html, code, figure, joined, rows, tag, text
from trajscope.report.sections import cost_line, mark, refused, section, trial, trials
from trajscope.trial import STATUSES

Account = Mapping[str, Any]
STATIC_ROWS = 200  # rows that stand in the page without a script
BLOCKS = 20
OUTCOMES = {
    "fail": ("check fails", "checks fail"),
    "insufficient": ("check cannot be told yet", "checks cannot be told yet"),
    "pass": ("check passes", "checks pass"),
}
SIGNS = {"new_best": "best so far", "noop": "no-op", "near": "near", "revisit": "revisit", "replicate": "replicate",
         "drifted": "drifted"}  # fmt: skip


def integrity(at: str, account: Account) -> Html:
    """The reconciliation table: what the record says of itself, held against its own rows."""
    head = ("what was held against what", "", "found")
    lines = [(name, mark(level), said) for name, level, said in _reconciled(at, account)]
    table = rows(head, lines, aria_label="reconciliation", cls="checks")
    return section(at, "integrity", "Integrity", table)


def _reconciled(at: str, account: Account) -> list[tuple[str, str, object]]:
    doc, facts = account["doc"], account["facts"]
    a, lines, i, noise = doc["audit"], doc["lines"], doc["integrity"], doc["noise"]
    unknown = doc["unknown"]
    bad = lines["unreadable"] + lines["torn"]
    out: list[tuple[str, str, object]] = [
        ("lines of the file", "WARN" if bad else "PASS",
         joined((figure("lines.total", lines["total"]), " lines, ", figure("lines.unreadable", lines["unreadable"]),
                 " unreadable, ", figure("lines.torn", lines["torn"]), " torn")))
    ]  # fmt: skip
    out.append(_yes("closing counts equal the rows", a["counts_reconcile"], unknown.get("audit.counts_reconcile")))
    out.append(_list(at, "keeps are in the base of what came next", a["keeps_not_composing"],
                     unknown.get("audit.keeps_not_composing"), "missing"))  # fmt: skip
    out.append(_list(at, "claims of a new best are right", a["new_best_mismatches"],
                     unknown.get("audit.new_best_mismatches"), "wrong"))  # fmt: skip
    out.append(_list(at, "no proposal is what its base already has", doc["pairs"]["no_ops"],
                     unknown.get("pairs.no_ops"), "no-op"))  # fmt: skip
    flips = noise["flip_flops"]
    said = "; ".join(f"{short(f['pair'], 40)}: {f['kept']} kept, {f['reverted']} not" for f in (flips or [])[:6])
    out.append(("one configuration, one verdict", "UNKNOWN" if flips is None else "WARN" if flips else "PASS",
                said or unknown.get("noise.flip_flops") or "none has both"))  # fmt: skip
    out.append(_list(at, "keeps are confirmed by another evaluation", noise["unconfirmed_keeps"],
                     unknown.get("noise.unconfirmed_keeps"), "unconfirmed"))  # fmt: skip
    status = i["status"]
    level = {"verified": "PASS", None: "UNKNOWN"}.get(status, "FAIL")
    ran = "; ".join(_drifted(d) for d in i["drifted"][:5])
    out.append(("what ran is what was proposed", level, ran or (status or "").replace("_", " ")
                or unknown.get("integrity.status", "nothing is recorded that would show it")))  # fmt: skip
    prints = figure("facts.fingerprinted", facts["fingerprinted"])
    fingers = joined((prints, " of ", figure("evaluated", doc["evaluated"]), " evaluated trials"))
    out.append(("fingerprints of what ran", "PASS" if facts["fingerprinted"] else "UNKNOWN", fingers))
    chained = facts["chained"]
    broken = status == "chain_broken"
    out.append(("the hash chain holds", "FAIL" if broken else "PASS" if chained else "UNKNOWN",
                "broken" if broken else "every line" if chained else "no chain in this format"))  # fmt: skip
    out.append(("the rails were proven to fire", "PASS" if facts["proofs"] else "UNKNOWN",
                figure("facts.proofs", facts["proofs"], plural(facts["proofs"], "self-test"))))  # fmt: skip
    seed = a["seed_ineffective"]
    out.append(
        (
            "the recorded seed decides how a trial begins",
            "UNKNOWN" if seed is None else "WARN" if seed else "PASS",
            unknown.get("audit.seed_ineffective") or ("it does not" if seed else "it does"),
        )
    )
    clock = facts["clock"]
    pauses = "no times are recorded that can be compared" if not clock["known"] else (
        f"{plural(clock['gaps'], 'pause')}, the longest {duration(clock['longest_s'])}" if clock["gaps"] else "no pause"
    )  # fmt: skip
    out.append(
        ("the clock has no gaps", "UNKNOWN" if not clock["known"] else "WARN" if clock["gaps"] else "PASS", pauses)
    )
    return out


def _drifted(d: Mapping[str, Any]) -> str:
    ran = f"proposed {short(d['proposed'], 40)}, ran {short(d['ran'], 40)}"
    return f"{short(d['path'] or d['knob'], 60)}: {ran}, since trial {d['from_seq']}"


def _yes(name: str, value: bool | None, why: str | None) -> tuple[str, str, object]:
    if value is None:
        return name, "UNKNOWN", why or "not known"
    return name, "PASS" if value else "WARN", "they do" if value else "they do not"


def _list(at: str, name: str, seqs: list[int] | None, why: str | None, said: str) -> tuple[str, str, object]:
    if seqs is None:
        return name, "UNKNOWN", why or "not known"
    if not seqs:
        return name, "PASS", "all"
    return name, "WARN", joined((f"{len(seqs):,} {said}: ", trials(at, seqs)))


def rail(at: str, account: Account) -> Html:
    """What the rails refused, who overrode them, what they would have saved, and what they would have cost."""
    doc = account["doc"]
    refused = doc["rail"]["by_rule"]
    total = figure("rail.refused", doc["rail"]["refused"])
    every = (" of ", figure("rail.attempts", doc["rail"]["attempts"]), " attempts.")
    parts: list[object] = []
    if refused:
        lines = [(code(rule, 40), f"{n:,}") for rule, n in sorted(refused.items(), key=lambda x: -x[1])]
        parts.append(tag("p", "The rails of this run refused ", total, *every))
        parts.append(rows(("rail", "attempts refused"), lines, aria_label="refusals by rail", cls="plain"))
        if most := account["refused"][:8]:
            parts.append(tag("p", "Refused most: ", *[joined((code(p, 60), f" {n:,} times; ")) for p, n in most]))
    else:
        parts.append(tag("p", "No rail refused anything: ", total, *every))
    overrides = [e for e in account["events"] if e["kind"] == "override"]
    parts.append(tag("p", f"{plural(len(overrides), 'override') if overrides else 'No override'} on record."))
    if overrides:
        parts.append(tag("ul", *(tag("li", f"line {e['seq']}: ", text(_why(e), 200)) for e in overrides[:BLOCKS])))
    parts += [tag("h4", "Had our rails been asked"), *_replayed(at, account)]
    return section(at, "rail", "The rail", *parts)


def _why(e: Mapping[str, Any]) -> str:
    said = e["data"].get("reason") or e["data"].get("why")
    return str(said) if said else "no reason is recorded"


def _replayed(at: str, account: Account) -> list[object]:
    r = account["replay"]
    if "why" in r:
        return [tag("p", sentence(short(r["why"], 300)), ".")]
    blocked, (unsure, why) = r["trials"] - r["passed"], r["unsure"]
    said: list[object] = [
        figure("replay.blocked", blocked), " of ", figure("replay.trials", r["trials"], plural(r["trials"], "trial")),
        " would have been refused",
    ]  # fmt: skip
    if r["total_s"]:
        back, total = (figure(f"replay.{name}", r[name], duration(r[name])) for name in ("returned_s", "total_s"))
        said += [", and ", back, " of ", total, " given back"]
    said.append(". ")
    if not r["total_s"]:
        said.append("How long they took is not recorded. ")
    elif r["unpriced"]:
        said.append(f"How long {r['unpriced']:,} of the refused took is not recorded. ")
    if unsure:
        said.append(f"{unsure:,} of them because it could not be known: {short(why, 200)}. ")
    if r["missing"]:
        said.append(
            f"Only the rail against repeats was asked: no {r['missing']} is known, and without one the others refuse "
            "whatever comes. "
        )
    if (silent := r["silent"])["n"]:
        which = refused(at, silent, "silent", "trials")
        said += [
            f"{plural(silent['n'], 'trial')} could not be asked about, for want of what they changed: ",
            which,
            ".",
        ]
    lines = [(code(rule, 30), f"{x['n']:,}", refused(at, x, rule, "")) for rule, x in r["by_rule"].items()]
    table = rows(("rail", "would refuse", "trials"), lines, aria_label="what the rails would refuse") if lines else ""
    lost, kept = r["keeps_blocked"], r["keeps"]["n"]
    if not kept:
        wrong: object = tag("p", "Nothing was kept, so nothing that was kept would have been lost.")
    elif not lost["n"]:
        wrong = tag("p", "Refused wrongly: none. No keep is among them.")
    else:
        of = f"{lost['n']:,} of {plural(kept, 'keep')}"
        many = f"{of} would have been refused, unless declared as replicates or revisits: "
        wrong = tag("p", tag("strong", "Refused wrongly, perhaps: "), many, refused(at, lost, "kept"), ".")
    return [tag("p", *said), table, wrong]


def corpus(at: str, answer: Mapping[str, Any] | None) -> Html:
    """What the gate says of learning from this run, split by split."""
    if answer is None:
        asked = "Not asked: whether a model may be trained on this run is for the gate to say."
        return section(at, "corpus", "The corpus", tag("p", asked))
    parts: list[object] = [tag("p", tag("strong", text(answer.get("outcome") or "not known", 40)), ": ",
                               text(answer.get("sentence") or "", 400))]  # fmt: skip
    if answer.get("split"):
        parts.append(tag("p", "Split: ", text(answer["split"], 200), "."))
    if remedies := answer.get("remedies"):
        parts.append(tag("p", "What would help:"))
        parts.append(tag("ol", *(tag("li", _ticked(x)) for x in remedies[:5])))
    checks = [c for c in (answer.get("checks") or [])[:200] if isinstance(c, Mapping)]
    groups: dict[str, list[list[Mapping[str, Any]]]] = {}
    own: list[Mapping[str, Any]] = []
    for c in checks:
        if c.get("check") or not own:
            own = [c]
            groups.setdefault(str(c.get("outcome") or ""), []).append(own)
        else:
            own.append(c)  # what the same check found in one split
    for outcome, found in groups.items():
        lines = [_check(c) for parts_of in found for c in parts_of]
        one, many = OUTCOMES.get(outcome, (f"check: {outcome}", f"checks: {outcome}"))
        name = plural(len(found), one, many)
        told = rows(("check", "side", "value", "bound", "n", "why"), lines, aria_label=name, cls="gate")
        # What fails stands open; what could not be told, or is well, is there for whoever asks.
        parts.append(joined((tag("p", tag("strong", name)), told)) if outcome == "fail" else tag(
            "details", tag("summary", name), told))  # fmt: skip
    parts.append(_splits(answer))
    names = [(k, answer[k]) for k in ("policy", "manifest") if answer.get(k)]
    parts += [tag("p", f"{k}: ", code(v, 100)) for k, v in names]
    return section(at, "corpus", "The corpus", *parts)


def _splits(answer: Mapping[str, Any]) -> Html:
    """What the gate says where the same trials are split otherwise."""
    if not answer.get("checks"):
        return Html("")
    others = answer.get("splits")
    if others is None:
        return tag("p", "Of other splits it was not asked: ", code("trajscope gate --split"), " does.")
    lines = [
        (text(x["split"], 80), tag("strong", text(x["outcome"], 40)), text(x["sentence"], 120),
         text(", ".join(x["otherwise"]), 400))
        for x in others
    ]  # fmt: skip
    return joined((
        tag("p", tag("strong", "Split otherwise")),
        rows(("split", "answer", "checks", "otherwise than above"), lines, aria_label="other splits", cls="gate"),
    ))  # fmt: skip


def _ticked(said: object) -> Html:
    """A remedy, with what it puts in backticks as code."""
    pieces = sentence(short(said, 300)).split("`")
    return joined(code(x, 80) if i % 2 else text(x) for i, x in enumerate(pieces))


def _check(c: Mapping[str, Any]) -> tuple[object, ...]:
    """A check, or what it found in one split, as a line."""
    bound = _said(c.get("bound")).replace("<=", "\u2264").replace(">=", "\u2265")
    return (
        code(c["check"], 40) if c.get("check") else "", text(c.get("split") or "", 20), text(_said(c.get("value")), 40),
        text(bound, 40), text(_said(c.get("n")), 40), text(c.get("reason") or "", 240),
    )  # fmt: skip


def _said(x: object) -> str:
    return number(x) if isinstance(x, int | float) and not isinstance(x, bool) else "" if x is None else str(x)


def table(at: str, account: Account, needed: set[int]) -> Html:
    """The rows: all of them by the page's script, and without one those that something points at, and the last."""
    found, names = account["rows"], account["pairs"]
    n, total = len(found["seq"]), account["rows_total"]
    chosen = _chosen(found, needed)
    head = ("trial", "iter", "status", "pair", "tried", "value", "best kept", "took", "")
    lines = []
    for i in chosen:
        seq, k, bits = found["seq"][i], found["k"][i], found["marks"][i]
        pair = names[found["pair"][i]] if found["pair"][i] >= 0 else ""
        signs = ", ".join(said for name, said in SIGNS.items() if bits >> MARKS.index(name) & 1)
        again = "" if not k else "new" if k == 1 else joined((ordinal(k), ", first ", trial(at, found["first"][i])))
        lines.append((
            tag("a", f"{seq}", id=f"{at}-t{seq}"), "" if found["iter"][i] is None else str(found["iter"][i]),
            STATUSES[found["status"][i]].replace("_", " "), code(pair, 60), again,
            number(found["value"][i], 6) if found["value"][i] is not None else "",
            number(found["best"][i], 6) if found["best"][i] is not None else "",
            duration(found["wall_s"][i]) if found["wall_s"][i] is not None else "", signs,
        ))  # fmt: skip
    few = (
        ""
        if len(chosen) == total
        else f" Here stand {len(chosen):,} of them: what this page points at, and the last ones."
    )
    cut = "" if n == total else f" The first and the last {n // 2:,} are in this file."
    static = tag(
        "div", tag("p", plural(total, "trial"), ".", few), rows(head, lines, aria_label="trials"), cls="static"
    )
    live = tag("div", cls="live", hidden=True, data_rows=at)
    return section(at, "rows", "The rows", tag("p", cut) if cut else "", live, static)


def _chosen(found: Mapping[str, list[Any]], needed: set[int]) -> list[int]:
    n = len(found["seq"])
    if n <= STATIC_ROWS:
        return list(range(n))
    wanted = [i for i, seq in enumerate(found["seq"]) if seq in needed][:STATIC_ROWS]
    last = range(max(0, n - (STATIC_ROWS - len(wanted))), n)
    return sorted({*wanted, *last})


def provenance(at: str, account: Account, source: Mapping[str, Any], tool: str) -> Html:
    """Where all this comes from: the file's hash, the version, the settings, and what every number means."""
    doc = account["doc"]
    said = source["said"]
    settings = [
        f"{k} {short(v, 80)}" for k, v in said.items() if v is not None and k not in ("menu", "declared", "alarms")
    ]
    settings += [f"{name} {bound:g}" for name, bound in doc["alarms"]["bounds"].items()]
    settings += [f"{', '.join(off)} off"] if (off := doc["alarms"]["off"]) else []
    held = "It is embedded here whole." if source["held"] else "It is too large to be embedded here."
    facts = [
        ("file", joined((code(doc["file"], 160), f", {source['bytes']:,} bytes. {held}"))),
        ("SHA-256 of what was read", tag("code", source["sha256"], cls="sha")),
        ("read as", text(f"{doc['format']}, run {doc['run_id']}", 160)),
        ("menu", "none" if said["menu"] is None else plural(len(said["menu"]["knobs"]), "knob")),
        ("settings", text("; ".join(settings) or "the defaults", 400)),
        ("made by", f"trajscope {tool}"),
        ("cost of the run", cost_line(doc)),
    ]
    head = rows(("", ""), facts, aria_label="provenance", cls="plain")
    unknown = [(code(path, 80), text(why)) for path, why in doc["unknown"].items()]
    why = tag("details", tag("summary", f"{plural(len(unknown), 'number')} could not be known"),
              rows(("number", "why"), unknown, aria_label="unknown numbers")) if unknown else ""  # fmt: skip
    known = [*analysis.glossary(), *DEFINED, *REPLAY]
    lines = [
        (tag("code", k.path), joined((k.doc, f" ({k.unit})" if k.unit else "")), _at(account, k.path)) for k in known
    ]
    glossary = tag("details", tag("summary", "Every number, what it means and what it is here"),
                   rows(("number", "meaning", "here"), lines, aria_label="definitions"))  # fmt: skip
    check = tag(
        "p", "To count everything again from the data in this file: ", tag("code", "trajscope verify FILE.html"), "."
    )
    return section(at, "provenance", "Where this comes from", head, check, why, glossary)


REPLAY = (
    analysis.Key("pairs.proposals", "Counted proposals: unique pairs and repeats together.", "trials"),
    analysis.Key("replay.trials", "Trials that ran and were put to the rails again.", "trials"),
    analysis.Key("replay.blocked", "How many of them the rails would have refused.", "trials"),
    analysis.Key("replay.returned_s", "Time that those took.", "s"),
    analysis.Key("replay.total_s", "Time that all of them took.", "s"),
    analysis.Key("contributions.gain", "What a keep added over what it was built upon.", "metric"),
    analysis.Key("contributions.gain/noise.sd", "The same in standard deviations of the noise."),
    analysis.Key("facts.fingerprinted", "Evaluated trials with fingerprints of what ran.", "trials"),
)


def _at(account: Account, path: str) -> object:
    """A single number as it is in this run; for lists and tables how long they are."""
    value: Any = account["doc"] if not path.startswith("facts.") else account
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, int | float):
        return figure(path, value, digits=6)
    if isinstance(value, str):
        return text(value, 80)
    return f"{len(value):,} entries" if isinstance(value, list | Mapping) and value else ""
