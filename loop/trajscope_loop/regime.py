"""Under which rules a campaign runs: its gate, its rails, and the header that tells everybody.

What is left out on purpose stands in the header in words; nothing is left out in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from msgspec.structs import replace

from trajscope import Menu, config_hash
from trajscope.keep import GateSettings, published
from trajscope.keep.settings import Part
from trajscope.rails import History, Rails
from trajscope.rails.ledger import Seen
from trajscope_loop.plan import Plan
from trajscope_loop.seams import Domain, Proposer
from trajscope_loop.view import NOT_RUN, Known

# What a published gate came to ask later, on the same seeds each time; it stood beside .05 and .3 in its own words.
PAIRED_ALPHA, PAIRED_D = 0.10, 0.15
OPEN = "left out on purpose: this campaign shows what happens without it"


def gate(plan: Plan, domain: Domain) -> GateSettings:
    """The gate that the plan asks for."""
    ours = domain.gate
    settings = ours
    if plan.gate == "published":
        settings = published(ours.primary, guards=ours.guards, margins=ours.margins, without=_gone(ours))
    elif plan.gate in ("open", "paired"):
        gone = cast("tuple[Part, ...]", ("guards", "margins", "integrity", "fingerprints"))
        settings = published(ours.primary, without=dict.fromkeys(gone, OPEN))
        if plan.gate == "paired":
            settings = replace(settings, test="paired", alpha=PAIRED_ALPHA, min_d=PAIRED_D)
    if plan.seeds is not None:
        settings = replace(settings, n=plan.seeds)
    if plan.integrity == "off" and "integrity" not in settings.without:
        settings = replace(settings, without={**settings.without, "integrity": OPEN})
    return settings


def _gone(ours: GateSettings) -> dict[Part, str]:
    """What a domain's own gate goes without stays gone, with its reason."""
    return {
        part: why for part, why in ours.without.items() if part in ("guards", "margins", "integrity", "fingerprints")
    }


def header(
    plan: Plan,
    domain: Domain,
    proposer: Proposer,
    settings: GateSettings,
    hashes: Mapping[str, str],
    files: Mapping[str, str],
) -> dict[str, Any]:
    """What `open_run` is given; the same again when the campaign is taken up."""
    rails: dict[str, Any] = {
        "mode": plan.rails,
        "retries": plan.retries,
        "integrity": plan.integrity,
        "pauses": list(plan.pauses),
    }
    rails |= {"window": plan.window} if plan.window else {}
    rails |= {"budget": plan.budget} if plan.budget else {}
    own: dict[str, Any] = {"metric": dict(domain.metric), "domain": domain.name, "base": dict(domain.base)}
    own |= {"evaluator_hash": hashes.get("evaluator"), "data_hash": hashes.get("data")}
    if plan.campaign is not None:
        own["campaign"] = plan.campaign
    if domain.menu is not None:
        own["menu"] = domain.menu.to_json()
    if not settings.guards:
        own["unguarded_because"] = str(settings.without.get("guards", "the gate declares none"))
    return own | {
        "metrics": _metrics(domain, settings),
        "settings": {"gate": {"kind": plan.gate, **settings.table()}, "rails": rails},
        "settings_hash": config_hash({"gate": settings.hash, "rails": rails}),
        "proposer": proposer.header(),
        "executor": plan.executor,
        "seeds": list(range(settings.n)),
        "files": dict(files),
    }


def _metrics(domain: Domain, settings: GateSettings) -> list[dict[str, Any]]:
    """Every metric with the role it has under this gate: a guard that is not asked is only looked at.

    One that tells a model from one that ignores its input is looked at as that.
    """
    ours = domain.gate
    tells = {m.metric for m in ours.margins} | {g.metric for g in ours.guards if g.kind == "diversity"}
    guards = {g.metric for g in settings.guards}
    held = settings.holdout.metric if settings.holdout else None
    out = []
    for m in domain.metrics:
        role = m.get("role")
        gone = (role == "guard" and m["name"] not in guards) or (role == "holdout" and m["name"] != held)
        seen = "degenerate" if m["name"] in tells and role == "guard" else "diagnostic"
        out.append({**m, "role": seen} if gone else dict(m))
    return out


def hidden(domain: Domain) -> frozenset[str]:
    """The metrics that no proposer may see, whatever the gate asks."""
    held = domain.gate.holdout
    names = {str(m["name"]) for m in domain.metrics if m.get("role") == "holdout"}
    return frozenset(names | ({held.metric} if held else set()))


def rails(
    plan: Plan,
    domain: Domain,
    base: Mapping[str, Any],
    history: History,
    trials: Sequence[Known],
    hashes: Mapping[str, str],
) -> Rails:
    """The rails as they stand on this base. Switched off they only read a proposal, and nobody heeds them."""
    return Rails(
        domain.menu,
        history if plan.rails == "on" else _recent(domain.menu, trials[-plan.window :] if plan.window else ()),
        base=base,
        evaluator=hashes.get("evaluator"),
        data=hashes.get("data"),
        budget=plan.limits if plan.rails == "on" else None,
        edits=domain.edits,
    )


def _recent(menu: Menu | None, trials: Sequence[Known]) -> History:
    """A history that remembers a few trials and no more."""
    found = History.none(menu)
    for p, changes in trials:
        if changes and p.status not in NOT_RUN:
            pair = (menu or Menu({})).pair(changes)
            found.add(pair, Seen("", p.iter, p.iter, p.iter, p.status, p.value, None, None, pair.label))
    return found
