"""Analysis: everything known of a run under the names of `analyze --json`, with the reason for every unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from trajscope import cache, leaves, pipeline, rules, shape, sources
from trajscope.errors import SourceError
from trajscope.fold import Unknown
from trajscope.metrics import FORMULAS, HIDDEN, METRICS, finish
from trajscope.readers import Source
from trajscope.review import Review, gain, ground, trust
from trajscope.run import Run
from trajscope.verdict import plain

if TYPE_CHECKING:
    from trajscope.store import Store

SCHEMA = 1
REVIEWS: tuple[Review, ...] = (*gain.REVIEWS[:1], *ground.REVIEWS, *gain.REVIEWS[1:], *trust.REVIEWS)
NOT_ASKED = Unknown("needs simulation; left out because a quick answer was asked for")


class Key(NamedTuple):
    """One leaf of the document: its path, what it means, its unit."""

    path: str
    doc: str
    unit: str = ""


IDENTITY = (
    Key("schema", "Version of this document."),
    Key("file", "The file as it was named."),
    Key("format", "The reader that understood it."),
    Key("run_id", "The run's own name, or the file's."),
    Key("campaign", "The campaign it belongs to."),
    Key("metric.name", "The metric it optimises."),
    Key("metric.goal", "minimize or maximize."),
    Key("lines.total", "Lines with content.", "lines"),
    Key("lines.unreadable", "Lines that hold no record.", "lines"),
    Key("lines.torn", "Last lines without an end that hold no record.", "lines"),
    Key("rail.by_rule", "Refused attempts by rail."),
    Key("alarms.bounds", "Bounds of rules that a user set, by name; empty where all are the defaults."),
    Key("alarms.off", "Rules that a user switched off: none of them was asked."),
)
CLOSING = (
    Key("verdict.word", "TAMPERED, SUSPECT, STALLED, FLAILING, UNKNOWN or RESEARCHING."),
    Key("verdict.sentence", "Why, in words."),
    Key("verdicts", "Every rule's answer: rule, level, reason, and the trials (seq) that show it."),
    Key("unknown", "For every null above, why it cannot be known."),
)
ORDER = tuple(
    "schema file format run_id campaign metric baseline trials evaluated status lines coverage pairs rail dominance "
    "diversity best contributions first_keep plateau noise nulls audit cost integrity alarms verdict verdicts "
    "unknown".split()
)


def glossary() -> list[Key]:
    """Every leaf there is, in the order of the document."""
    found = [
        *IDENTITY,
        *(Key(m.name, m.doc, m.unit) for m in METRICS if m.name not in HIDDEN),
        *(Key(f.name, f.doc, f.unit) for f in FORMULAS),
        *(Key(f"{r.name}.{p.name}", p.doc, p.unit) for r in REVIEWS for p in r.parts),
        *(Key(r.name, r.doc, r.unit) for r in REVIEWS if not r.parts),
        *CLOSING,
    ]
    return sorted(found, key=lambda k: ORDER.index(k.path.split(".")[0]))


def glance(run: Run, states: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values that cost no more the longer the run: all that rules and screens ask for after each trial."""
    return values(run, states, quick=True, walk=False)


def values(
    run: Run, states: Mapping[str, Any] | None = None, *, quick: bool = False, walk: bool = True
) -> dict[str, Any]:
    """Every value by its path. `states` come from SQL where the run itself stepped no metrics."""
    t = run.tally
    v = finish(states if states is not None else run.states)
    v["lines.total"] = t.lines
    v["lines.unreadable"] = run.evidence("unreadable").n
    v["lines.torn"] = run.evidence("torn").n
    v["rail.by_rule"] = dict(t.rules)
    # Where only some trials say what they ran, a count of the others would be too small, and look like a count.
    if t.unplaced or (not t.placed and t.e):
        which = "some trials" if t.placed else "each trial"
        why = Unknown(f"which configuration {which} ran is not recorded")
        v.update(dict.fromkeys(("pairs.contextual_repeats", "pairs.revisits"), why))
    if not run.scores.sign:
        v.update(dict.fromkeys(("plateau.since_best", "plateau.longest.length"), gain.NO_GOAL))
    for r in REVIEWS:
        if r.slow and quick:
            v.update((f"{r.name}.{p.name}", NOT_ASKED) for p in r.parts)
        else:
            v.update(r.values(run, v, walk=walk))
    return v


def document(run: Run, v: Mapping[str, Any], *, file: str, format: str) -> dict[str, Any]:
    """The values as the nested document that `analyze --json` prints."""
    h = run.header
    verdicts = rules.judge(run, v)
    said = rules.word(run, v, verdicts)
    flat: dict[str, Any] = {
        "schema": SCHEMA,
        "file": file,
        "format": format,
        "run_id": h.run_id,
        "campaign": h.campaign or Unknown("the file names no campaign"),
        "metric.name": h.metric or Unknown("the file names no metric; give --metric"),
        "metric.goal": h.goal or gain.NO_GOAL,
        **v,
        "alarms.bounds": run.alarms.bounds(),
        "alarms.off": list(run.alarms.off),
        "verdict.word": said.word,
        "verdict.sentence": said.sentence,
        "verdicts": [plain(x) for x in verdicts],
    }
    return nested(flat, dict.fromkeys(ORDER))


def nested(flat: Mapping[str, Any], doc: dict[str, Any] | None = None) -> dict[str, Any]:
    """Values by their paths as a document, with the reasons for what is null under `unknown`."""
    out = {} if doc is None else doc
    unknown: dict[str, str] = {}
    for path, value in flat.items():
        _place(out, path, _known(value, path, unknown))
    out["unknown"] = unknown
    return out


def analyze(run: Run, *, file: str, format: str, quick: bool = False) -> dict[str, Any]:
    """The document of a run that stepped its own metrics."""
    return document(run, values(run, quick=quick), file=file, format=format)


def _known(value: Any, path: str, unknown: dict[str, str]) -> Any:
    """The value with every Unknown in it turned to null, and its reason written down."""
    if isinstance(value, Unknown):
        unknown[path] = value.why
        return None
    if isinstance(value, Mapping):
        return {k: _known(x, f"{path}.{k}", unknown) for k, x in value.items()}
    if isinstance(value, list):
        return [_known(x, f"{path}.{i}", unknown) if isinstance(x, Mapping) else x for i, x in enumerate(value)]
    return value


def _place(doc: dict[str, Any], path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    for p in parents:
        if not isinstance(doc.get(p), dict):
            doc[p] = {}
        doc = doc[p]
    doc[leaf] = value


def of_file(
    source: Source,
    reader: str | None = None,
    *,
    quick: bool = False,
    cached: bool = True,
    progress: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """The document of every run in a file. A large file goes through DuckDB, and is read once only."""
    if str(source.path) == "-" or sources.size(source.path) < cache.WORTH:
        feed = pipeline.read(source, reader, METRICS, progress=progress)
        return [analyze(run, file=source.path, format=feed.format, quick=quick) for run in feed.runs]
    name = cache.key(source, reader) if cached else None
    if name and (snapshot := cache.load(name)) and (doc := _from_cache(source, reader, name, snapshot, quick=quick)):
        return [doc]
    from trajscope.store import Store

    store = Store()
    feed = pipeline.read(source, reader, sink=store.sink, progress=progress, columns=store.take_columns)
    docs = []
    for run in feed.runs:
        v = values(run, store.states(METRICS, run), quick=quick)
        docs.append(document(run, v, file=source.path, format=feed.format))
    if name and len(feed.runs) == 1:
        cache.save(name, store, feed.runs[0])
    return docs


def into_store(
    store: Store, source: Source, reader: str | None = None, progress: Callable[[int], None] | None = None
) -> list[dict[str, Any]]:
    """Read a file into a store; answers with the documents of its runs, for `Store.tell`."""
    feed = pipeline.read(source, reader, METRICS, store.sink, progress)
    return [analyze(run, file=source.path, format=feed.format, quick=True) for run in feed.runs]


def _from_cache(
    source: Source, reader: str | None, name: str, snapshot: bytes, *, quick: bool
) -> dict[str, Any] | None:
    """The document from a cached run; None where the cache cannot be believed, and the file is to be read again."""
    import duckdb
    import msgspec

    from trajscope.store import connect, states

    try:
        run, format_ = pipeline.header(source, reader)
        run.restore(snapshot)
        found = states(connect(), METRICS, cache.table([name]))
    except (SourceError, msgspec.MsgspecError, ValueError, LookupError, duckdb.Error):
        return None
    if found["trials"] != run.tally.trials:
        return None
    return document(run, values(run, found, quick=quick), file=source.path, format=format_)


def schema() -> dict[str, Any]:
    """The document's JSON Schema: every key required, every value that may be unknown nullable."""
    return part("One run, as `trajscope analyze --json` prints it", [k.path for k in glossary()], SCHEMA)


def part(title: str, paths: Iterable[str], number: int) -> dict[str, Any]:
    """The JSON Schema of a document that holds these leaves, and why those of them that are null are."""
    root = shape.record({})
    wanted = {*paths, "schema", "unknown"}
    for key in (k for k in glossary() if k.path in wanted):
        *parents, leaf = key.path.split(".")
        node = root
        for name in parents:
            node = _inner(node, name, shape.record({}))
        about = key.doc + (f" Unit: {key.unit}." if key.unit else "")
        kind = {"const": number} if key.path == "schema" else leaves.LEAVES[key.path]
        _inner(node, leaf, shape.told(kind, about))
    return shape.titled(
        title,
        root,
        "A null means that the value cannot be known; `unknown` holds the reason under its path.",
    )


def _inner(node: dict[str, Any], name: str, part: dict[str, Any]) -> dict[str, Any]:
    """A part of an object under a name that is then required in it."""
    node["required"] = sorted({*node["required"], name})
    found: dict[str, Any] = node["properties"].setdefault(name, part)
    return found
