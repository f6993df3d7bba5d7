"""Random rows, expressions, metrics, runs and files, from domains so small that ties, empties and nulls happen.

Also the slow way to the same columns (`looked_back`): quadratic, one line per definition, no state of its own.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import strategies as st

from trajscope import analysis
from trajscope.columns import SQL_TYPES, Row
from trajscope.expr import ALWAYS, ONE, Expr, c
from trajscope.fold import FOLDS, SPREAD, Metric
from trajscope.menu import Menu, parse
from trajscope.metrics import METRICS
from trajscope.pair import canon, config_hash, pair
from trajscope.run import Run
from trajscope.trial import (
    STATUSES,
    Break,
    Drift,
    End,
    Event,
    Header,
    Item,
    Measure,
    MetricSpec,
    Seed,
    Trial,
    Unreadable,
)

MENU_JSON: dict[str, Any] = {
    "knobs": {
        "a": {"type": "int", "choices": [1, 2, 3], "default": 1, "family": "x"},
        "b": {"type": "float", "range": [0.0, 1.0], "default": 0.5, "family": "y"},
        "d": {"type": "str", "choices": ["u", "v"], "default": "u", "family": "x"},
    }
}
BASE = {"a": 1, "b": 0.5, "d": "u"}
# 0.51 is near 0.5 and 0.9 is not. `z` is no knob of the menu.
CHANGES = [("a", 1), ("a", 2), ("a", 2), ("b", 0.5), ("b", 0.51), ("b", 0.9), ("d", "v"), ("z", 7)]
VALUES = st.sampled_from([None, 0.0, 0.25, 1.0, 1.0, 1.5, 2.0, -1.0])
ROLES = ("primary", "guard", "holdout", "degenerate", "monitor")
DIFFS = (
    "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-SEED = 1\n+SEED = 2\n",
    "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-lr = 1\n+lr = 2\n",
    "--- a/score.py\n+++ b/score.py\n@@ -1 +1 @@\n-x\n+y\n",
    "no diff at all",
)


def menu() -> Menu:
    """The small menu."""
    return parse(MENU_JSON)


# --- rows, expressions, metrics -------------------------------------------------------------------------------------

_INTS = ("iter", "k", "gap", "kept_k", "knob_k", "since_best", "attempts", "tokens_in", "status", "e")
_FLOATS = ("value", "best", "wall_s")
_BOOLS = ("evaluated", "counted", "kept", "near", "eligible", "new_best")
_ABOVE_ZERO = ("k", "kept_k", "knob_k")


def _cell(name: str) -> st.SearchStrategy[Any]:
    kind = SQL_TYPES[name]
    if kind == "BOOLEAN":
        return st.booleans()
    if kind == "DOUBLE":
        return st.sampled_from([None, -1.5, 0.0, 0.1, 0.1, 2.0, 1e9])
    if name in ("iter", "gap", "tokens_in", "tokens_out", "time_ms"):
        return st.sampled_from([None, 0, 1, 1, 2, 10**12 if kind == "BIGINT" else 10**9])
    return st.integers(0, 3)


@st.composite
def rows(draw: st.DrawFn, most: int = 6) -> list[Row]:
    """Rows that no run would make: every column on its own."""
    out = []
    seq = 0
    for _ in range(draw(st.integers(0, most))):
        seq += draw(st.integers(1, 2))
        out.append(Row(**{n: draw(_cell(n)) for n in Row._fields if n != "seq"}, seq=seq))
    return out


_numbers: st.SearchStrategy[Expr] = st.one_of(
    st.sampled_from([getattr(c, n) for n in (*_INTS, *_FLOATS)]),
    st.sampled_from([ONE, c.tokens_in + c.iter, c.value + c.wall_s, c.k + c.gap]),
)
_tests: st.SearchStrategy[Expr] = st.recursive(
    st.one_of(
        st.just(ALWAYS),
        st.sampled_from([getattr(c, n) for n in _BOOLS]),
        st.builds(
            lambda a, op, b: getattr(a, f"__{op}__")(b),
            _numbers,
            st.sampled_from(["lt", "le", "gt", "ge", "eq", "ne"]),
            st.one_of(_numbers, st.sampled_from([0, 1, 2, 0.1, -1.5])),
        ),
    ),
    lambda t: st.one_of(t.map(lambda x: ~x), st.tuples(t, t).map(lambda p: p[0] & p[1] | ~p[1])),
    max_leaves=4,
)


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    """Any metric one could declare."""
    fold = draw(st.sampled_from(FOLDS))
    where = draw(_tests)
    if fold is SPREAD:  # over occurrence numbers, which begin at 1
        name = draw(st.sampled_from(_ABOVE_ZERO))
        return Metric("m", "", fold, getattr(c, name), where & (getattr(c, name) > 0))
    return Metric("m", "", fold, draw(_numbers), where)


def folded(metric: Metric, some: Iterable[Row]) -> Any:
    """The state of a metric after these rows."""
    state = metric.zero()
    for row in some:
        state = metric.step(state, row)
    return state


# --- runs -----------------------------------------------------------------------------------------------------------


@st.composite
def headers(draw: st.DrawFn, goal: str | None = "any", *, placed: bool = False) -> Header:
    """A run's header, with as much or as little as headers know."""
    base = draw(st.sampled_from([None, BASE])) if not placed else BASE
    bound = draw(st.sampled_from([None, 0.0, 1.0]))
    return Header(
        run_id="r",
        metric="loss",
        goal=draw(st.sampled_from([None, "minimize", "maximize"])) if goal == "any" else goal,  # type: ignore[arg-type]  # one of the two
        metrics=tuple(
            MetricSpec("loss", role) if role == "primary" else MetricSpec(role, role, floor=bound)
            for role in draw(st.lists(st.sampled_from(ROLES), max_size=2, unique=True))
        ),
        menu=draw(st.sampled_from([None, menu()])),
        base=base,
        base_id=config_hash(base) if base else None,
        baseline=draw(st.sampled_from([None, 0.0, 1.0])),
        history=draw(st.sampled_from([None, 0, 2])),
        chained=draw(st.booleans()),
        has_keeps=draw(st.sampled_from([True, True, False])),
    )


@st.composite
def trials(draw: st.DrawFn, seq: int, known: Menu | None, *, placed: bool = False) -> Trial:
    """One trial, recorded well or badly."""

    def some(values: Sequence[Any]) -> Any:
        return draw(st.sampled_from(values))

    def proposal() -> dict[str, Any]:
        return dict([some(CHANGES)] if some([True, True, True, False]) else [some(CHANGES), some(CHANGES)])

    def named(changes: dict[str, Any]) -> Any:
        if known is not None:
            return known.pair(changes)
        return pair(canon(k, v) for k, v in changes.items())

    changes = proposal() if placed or some([True, True, True, False]) else None
    status = some([*STATUSES, *["reverted"] * 5, *["kept"] * 3])
    under = some([{}, {}, {"a": 2}])  # what was carried into its base
    is_placed = changes is not None and (placed or some([True, True, False]))
    after = {**BASE, **under, **(changes or {})}
    reads = some([(), (), (0, 1, 1), (0, 0, None)])
    value = draw(VALUES)
    p = named(changes) if changes is not None else None
    return Trial(
        seq=seq,
        at=seq * 100,
        status=status,
        pair=p,
        iter=some([None, seq, seq, 1]),
        value=value,
        wall_s=some([None, 0.0, 0.1, 2.5]),
        tokens_in=some([None, 0, 7]),
        tokens_out=some([None, 3]),
        usd=some([None, 0.25]),
        base=config_hash({**BASE, **under}) if is_placed else None,
        based=is_placed and some([True, False]),
        config=config_hash(after) if is_placed else None,
        moved=named({**under, **(changes or {})}) if is_placed else None,
        noop=config_hash(after) == config_hash({**BASE, **under}) if is_placed else None,
        intent=some([*[None] * 5, "replicate", "revisit"]),
        provenance=some(["native", "diff"]),
        confidence=some([None, 0.7, 0.1]),
        attempts=some([1, 1, 3]),
        refused=some([(), (), ("menu", "repeat")]),
        refused_pairs=tuple(named(dict([x])) for x in draw(st.lists(st.sampled_from(CHANGES), max_size=1))),
        metrics=some([None, {"guard": 0.5, "loss": value, "other": 1.0}, {"guard": None},
                      {r: some([0.0, 0.5, 2.0]) for r in ("holdout", "degenerate", "loss/one", "loss/two")}]),
        seeds=tuple(
            Seed(s, v, first_step=float(s), metrics={"guard": 0.5}, predictions_sha=some([None, "p", "q"]),
                 data_sha=some([None, "d", "d", "e"]))
            for s, v in zip((0, 1, 2), reads, strict=False)
        ),
        seed=some([None, 0]),
        first_step=some([None, 1.0, 2.0]),
        claimed_best=some([None, True, False]),
        drift=some([(), (), (), (), (), (Drift(None, "a", 2, 3),)]),
        fingerprinted=some([True, False]),
        diff=some([None, None, *DIFFS]),
        holdout=some([None, None, True, False]),
        reason_code=some([None, None, "nan"]),
        faults=some([(), (), ("value is not what it should be",)]),
    )  # fmt: skip


@st.composite
def items(draw: st.DrawFn, header: Header, most: int = 12, *, placed: bool = False, plain: bool = False) -> list[Item]:
    """What a reader may yield after a header, in order of `seq`."""
    out: list[Item] = []
    for seq in range(1, draw(st.integers(0, most)) + 1):
        kind = draw(st.sampled_from(["trial"] * 9 + ["measure", "other"])) if not plain else "trial"
        if kind == "trial":
            out.append(draw(trials(seq, header.menu, placed=placed)))
        elif kind == "measure":
            what = draw(st.sampled_from(["baseline", "baseline", "confirm", "confirm", "degenerate"]))
            config = draw(st.sampled_from([None, config_hash(BASE), config_hash({**BASE, "a": 2})]))
            out.append(Measure(seq=seq, what=what, value=draw(VALUES), config=config, metrics={"degenerate": 0.5}))
        else:
            others: list[Item] = [
                Event(seq=seq, kind="pause"),
                Unreadable(seq=seq, at=seq * 100, why="not JSON"),
                Break(seq=seq, why="`prev` differs"),
                End(seq=seq, counts={"kept": 1}),
            ]
            out.append(draw(st.sampled_from(others)))
    return out


@st.composite
def runs(
    draw: st.DrawFn, *, goal: str | None = "any", placed: bool = False, plain: bool = False
) -> tuple[Header, list[Item]]:
    """A header and what came after it: `placed` where every configuration is known, `plain` where all are trials."""
    header = draw(headers(goal, placed=placed))
    return header, draw(items(header, placed=placed, plain=plain))


def pushed(header: Header, some: Iterable[Item]) -> tuple[Run, list[Row]]:
    """A run that has taken these items, and the rows it made of its trials."""
    run = Run(header, METRICS)
    return run, [row for item in some if (row := run.take(item)) is not None]


def made(*some: Any, header: Header | None = None, placed: bool = True, **every: Any) -> Run:
    """A run of rows `(knob, value, status, score)`, perhaps with a dict of more fields, or of items as they stand.

    Each trial runs on the base, with what `under` says carried into it; `every` is said of all of them.
    """
    head = header or Header(run_id="r", metric="loss", goal="minimize", baseline=1.0, base=BASE)
    home = head.base or {}
    run = Run(msgspec.structs.replace(head, base_id=config_hash(home)), METRICS)
    for seq, x in enumerate(some, 1):
        if not isinstance(x, tuple):
            run.take(x)
            continue
        knob, value, status, score, more = x if len(x) == 5 else (*x, {})
        fields = {**every, **more}
        under = fields.pop("under", {})
        change = head.menu.change(knob, value) if head.menu else canon(knob, value)
        before, after = {**home, **under}, {**home, **under, knob: value}
        moved = pair([*(canon(k, v) for k, v in under.items() if k != knob), change])
        at: dict[str, Any] = {"base": config_hash(before), "config": config_hash(after), "moved": moved,
                              "noop": config_hash(before) == config_hash(after)}  # fmt: skip
        run.push(Trial(**{"seq": seq, "at": 0, "status": status, "value": score, "pair": pair((change,)),
                          **(at if placed else {}), **fields}))  # fmt: skip
    return run


def analyzed(run: Run, *, quick: bool = True) -> dict[str, Any]:
    """Everything that is known of a run, as its document."""
    return analysis.analyze(run, file="f", format="native", quick=quick)


# --- files ----------------------------------------------------------------------------------------------------------


def linked(objects: Iterable[dict[str, Any] | bytes]) -> bytes:
    """A native file of these lines, numbered and chained; raw bytes stand as they are."""
    out, prev = b"", "0" * 16
    for seq, obj in enumerate(objects):
        line = obj if isinstance(obj, bytes) else _line({"v": 1, **obj, "seq": seq, "prev": prev})
        prev = hashlib.sha256(line).hexdigest()[:16]
        out += line + b"\n"
    return out


def _line(obj: dict[str, Any]) -> bytes:
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()


@st.composite
def files(draw: st.DrawFn, most: int = 10) -> bytes:
    """A native file as a loop may leave it: with odd lines, and perhaps torn."""

    def some(values: Sequence[Any]) -> Any:
        return draw(st.sampled_from(values))

    head: dict[str, Any] = {"type": "run", "run_id": "r"}
    head["metric"] = {"name": "loss", "goal": some(["minimize", "maximize"])}
    head |= some([{}, {"menu": MENU_JSON}, {"menu": MENU_JSON}])
    head |= some([{}, {"base": {"config": BASE, "hash": config_hash(BASE)}}])
    head |= some([{}, {"metrics": [{"name": "g", "role": "guard", "floor": 0.0}]}])
    body: list[dict[str, Any] | bytes] = [head]
    for i in range(1, draw(st.integers(0, most)) + 1):
        kind = some(["trial"] * 8 + ["measure", "event", "é\r", "not json", "{}"])
        if kind == "trial":
            k, v = some(CHANGES)
            body.append(
                {
                    "type": "trial", "iter": i, "status": some(STATUSES[:-1]), "value": draw(VALUES),
                    "attempts": [{"changes": [{"knob": k, "value": v}], "intent": some([None, "replicate"])}],
                    "metrics": {"g": some([0.5, -1.0, None]), "é☃": 1.0}, "cost": {"wall_s": some([None, 1.5])},
                }
            )  # fmt: skip
        elif kind == "measure":
            body.append({"type": "measure", "what": "baseline", "value": draw(VALUES)})
        elif kind == "event":
            body.append({"type": "event", "kind": "pause", "data": {}})
        else:
            body.append(kind.encode())
    if some([True, False]):
        body.append({"type": "end", "reason": "done", "counts": {"kept": 1}})
    whole = linked(body)
    return whole[: len(whole) - draw(st.integers(1, 30))] if some([False, False, True]) else whole


def cut(data: bytes, at: Iterable[int]) -> list[bytes]:
    """The bytes in pieces."""
    ends = sorted({0, len(data), *(x % (len(data) + 1) for x in at)})
    return [data[a:b] for a, b in pairwise(ends)]


# --- the slow way ---------------------------------------------------------------------------------------------------


def looked_back(header: Header, some: Sequence[Item]) -> list[dict[str, Any]]:
    """The columns that look back, worked out anew for every trial from all items up to it."""
    return [_columns(header, some[: i + 1], item) for i, item in enumerate(some) if isinstance(item, Trial)]


def _columns(header: Header, upto: Sequence[Item], t: Trial) -> dict[str, Any]:
    better = {"minimize": -1.0, "maximize": 1.0}.get(header.goal or "", 0.0)
    past = [x for x in upto if isinstance(x, Trial)]
    scored = [x for x in past if evaluated(x)]
    ideas = [x for x in scored if x.pair is not None and x.intent != "replicate"]
    mine = [x for x in ideas if t.pair is not None and x.pair is not None and x.pair.label == t.pair.label]
    keeps = [x for x in past if x.status == "kept" and t.pair is not None and x.pair == t.pair]
    counted = t in ideas
    k = len(mine) if counted else 0
    context = [x for x in ideas if x.config == t.config] if counted and t.config is not None else []
    records, start = _records(header, upto, better)
    out: dict[str, Any] = {
        "e": len(scored),
        "c": len(ideas),
        "evaluated": evaluated(t),
        "counted": counted,
        "k": k,
        "gap": len(ideas) - 1 - ideas.index(mine[-2]) if k > 1 else None,
        "kept_k": len(keeps) if t.status == "kept" and t.pair is not None else 0,
        "knob_k": sum(x.pair.knob == t.pair.knob for x in ideas if x.pair) if counted and t.pair else 0,
        "context_k": len(context),
        "revisit": k > 1 and len(context) == 1,
        "replicate": evaluated(t) and t.intent == "replicate",
        "eligible": _eligible(t, better),
        "new_best": t in records,
        "since_best": len(scored) - (scored.index(records[-1]) + 1 if records else 0),
        "since_keep": len(scored) - max((i + 1 for i, x in enumerate(scored) if x.status == "kept"), default=0),
        "best": None if start is None else start * better,
    }  # fmt: skip
    out["near"] = k == 1 and any(_near(x, t) for x in ideas[:-1] if x.base == t.base)
    return out


def _near(a: Trial, b: Trial) -> bool:
    """Two pairs of the same knobs whose words agree and whose numbers lie within 2%."""
    assert a.pair is not None
    assert b.pair is not None
    if a.pair == b.pair or [x.knob for x in a.pair.changes] != [x.knob for x in b.pair.changes]:
        return False
    places = [(x.position, y.position, x.text == y.text) for x, y in zip(a.pair.changes, b.pair.changes, strict=True)]
    return any(x is not None for x, _, _ in places) and all(
        same if x is None or y is None else abs(x - y) <= 0.02 + 1e-9 for x, y, same in places
    )


def evaluated(t: Trial) -> bool:
    """It was scored, whatever came out."""
    return t.status in ("kept", "reverted", "ineligible") or (t.status == "aborted" and t.value is not None)


def _eligible(t: Trial, better: float) -> bool:
    return evaluated(t) and t.status != "ineligible" and t.value is not None and better != 0.0


def _records(header: Header, upto: Sequence[Item], better: float) -> tuple[list[Trial], float | None]:
    """The strict bests in order, and the best of all; a baseline may be best, but is no trial."""
    best = header.baseline * better if header.baseline is not None and better else None
    found = []
    for x in upto:
        if isinstance(x, Measure) and x.what == "baseline" and x.value is not None and better:
            best = x.value * better if best is None else max(best, x.value * better)
        if isinstance(x, Trial) and _eligible(x, better):
            assert x.value is not None
            if best is None or x.value * better > best:
                best = x.value * better
                found.append(x)
    return found, best


def pooled(header: Header, some: Sequence[Item]) -> tuple[float | None, int]:
    """The pooled sd of repeated evaluations of one configuration, by definition: sd and degrees of freedom."""
    better = header.goal is not None
    home = header.base_id if header.base_id is not None else "\0home"
    groups: dict[str, list[float]] = {home: [header.baseline] if header.baseline is not None else []}
    for x in some:
        if isinstance(x, Measure) and x.value is not None:
            where = (x.config or home) if x.what == "baseline" else x.config if x.what != "degenerate" else None
            if where is not None:
                groups.setdefault(where, []).append(x.value)
        elif isinstance(x, Trial) and x.config is not None and x.pair is not None and better and _eligible(x, 1.0):
            groups.setdefault(x.config, []).append(x.value or 0.0)
    squares = math.fsum((v - math.fsum(g) / len(g)) ** 2 for g in groups.values() if g for v in g)
    df = sum(len(g) - 1 for g in groups.values() if g)
    return (math.sqrt(squares / df) if df else None), df


def leaves(doc: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Every leaf of a document by its path."""
    if isinstance(doc, dict) and doc:
        for k, x in doc.items():
            yield from leaves(x, f"{path}.{k}" if path else str(k))
    elif isinstance(doc, list) and doc:
        for i, x in enumerate(doc):
            yield from leaves(x, f"{path}.{i}")
    else:
        yield path, doc
