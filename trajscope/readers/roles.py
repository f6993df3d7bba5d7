"""Roles: which field of a JSON row is its metric, its verdict, its configuration; found by name and by content.

Knows no line: a row goes in, a layout and the reasons for it come out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from trajscope.layout import Layout
from trajscope.readers.cells import missing, numeric
from trajscope.readers.fields import goal_of
from trajscope.readers.objects import at, is_number, leaves
from trajscope.readers.specs import goal
from trajscope.readers.statuses import RAN, Statuses
from trajscope.trial import Goal

# Names, the surest first. A name may also stand inside one of the objects that hold results.
RESULTS = ("results", "result", "objective", "metrics", "outcome", "evaluation", "eval", "scores", "summary")
ID = (
    *("experiment_num", "trial_number", "experiment_id", "candidate_id", "exp_id", "trial_id", "exp", "id", "num"),
    *("iteration", "iter", "trial", "experiment", "run", "run_id", "name"),
)
COMMIT = ("commit", "commit_hash", "git_commit", "head_commit", "sha", "hash")
PARENT = ("parent_candidate_id", "parent_id", "parent", "parent_exp")
VERDICT = ("kept", "decision", "verdict", "accepted", "is_kept", "keep", "decision_status")
STATUS = ("status", "outcome", "state", "result", "exit_code", "return_code", "returncode", "success", "ok")
REASON = ("gate_reason", "reject_reason", "reason", "error")
DESCRIPTION = ("description", "desc", "change", "hypothesis", "idea", "title", "summary", "notes", "note", "name")
CONFIG = (
    "config",
    "params",
    "hyperparameters",
    "hyperparams",
    "hparams",
    "candidate_cfg",
    "cfg",
    "knobs",
    "hpps",
    "env",
)
OVERRIDES = (
    *("env_overrides", "mutation_payload.env_overrides", "overrides", "extra_env", "changes", "changed_params"),
)
KNOB = ("knob", "param_changed", "proposal.knob")
VALUE = ("new_value", "value", "proposal.new_value")
OLD = ("old_value", "proposal.old_value")
TIME = ("timestamp", "time", "ts", "created_at", "finished_at", "ended_at", "ended", "datetime", "date")
WALL = (
    *("wall_s", "wall_time_s", "iter_wall_s", "seconds_elapsed", "elapsed_s", "elapsed_seconds", "duration_s"),
    *("runtime_s", "train_seconds", "training_time_s", "training_seconds", "duration", "elapsed", "seconds"),
)
TOKENS_IN = ("tokens_in", "prompt_tokens", "input_tokens")
TOKENS_OUT = ("tokens_out", "completion_tokens", "output_tokens")
USD = ("cost_usd", "usd", "price_usd", "cost")
SEED = ("seed", "random_seed", "config.seed", "params.seed")
# What is optimised, where several numbers could be.
PRIMARY = (
    *("val_bpb", "val_primary", "val_loss", "val_rmse", "val_fvu", "val_score", "val_metric", "objective"),
    *(
        "objective_score",
        "combined_score",
        "primary_metric",
        "composite",
        "score",
        "fitness",
        "metric",
        "final_score",
        "proxy_score",
        "trial_metric",
    ),
)
_DIRECTION = ("higher_is_better", "greater_is_better", "maximize", "bestDirection", "metric_direction", "direction")
# Words of a name that make it no metric to be optimised: what was spent, what was declared, what was learnt from.
_BESIDE = frozenset(
    "time wall seconds sec secs ms elapsed duration latency timestamp mem memory vram mib mb gb bytes size params "
    "parameters steps step tok tokens epoch epochs seed iters iter train training test holdout std sd stderr delta gap "
    "prev previous baseline best improvement ahead_of rank id num count n k d prequant lr version index fold folds usd "
    "cost gpu pid port exit code ts round seq line attempt attempts generation at trial experiment".split()
)
_WORDS = re.compile(r"[a-z]+")
_STATUSES = (*VERDICT, *STATUS, *(f"{r}.{s}" for r in RESULTS for s in STATUS))
_SEEN = Statuses()


class Roles(NamedTuple):
    """What the fields of a row are for, and what had to be guessed."""

    layout: Layout
    has_keeps: bool
    rivals: tuple[str, ...] = ()  # other numbers that could be the metric
    by_name: bool = False  # the direction is that of the metric's name
    reason: str | None = None  # the field that says why nothing was kept


def roles(row: Mapping[str, Any], said: Layout | None = None) -> Roles | None:
    """The roles of the fields of a row, as somebody said or as they are found; None where it is no experiment."""
    said = said or Layout()
    status, has_keeps = _status(row, (said.status,) if said.status else _STATUSES)
    metric, rivals = _metric(row) if said.metric is None else (said.metric, ())
    config = _held(row, CONFIG, dict)
    overrides = next((k for k in OVERRIDES if isinstance(_at(row, k), dict | list)), None)
    knob = _first(row, KNOB) or ("messages" if isinstance(row.get("messages"), list) else None)
    if status is None and config is None and overrides is None and knob is None:
        return None
    own = overrides or (config if not has_keeps else None)
    name = _first(row, ID)
    stated = _direction(row)
    layout = Layout(
        id=name,
        commit=_first(row, COMMIT),
        parent=_first(row, PARENT),
        metric=metric,
        goal=stated or goal_of(metric),
        status=status,
        description=_first(row, [k for k in DESCRIPTION if isinstance(row.get(k), str)]),
        knob=knob or own,
        value=_first(row, VALUE) if knob and knob != "messages" else None,
        old_value=_first(row, OLD) if knob else None,
        config=config or (overrides if not has_keeps and isinstance(_at(row, str(overrides)), dict) else None),
        time=_first(row, TIME),
        wall_s=_first(row, (*WALL, *(f"{r}.{w}" for r in RESULTS for w in WALL))),
        tokens_in=_first(row, TOKENS_IN),
        tokens_out=_first(row, TOKENS_OUT),
        usd=_first(row, USD),
        seed=_first(row, SEED),
    )
    reason = _first(row, REASON) if status is not None and isinstance(_at(row, status), bool) else None
    return Roles(layout, has_keeps, rivals, (said.goal or stated) is None and layout.goal is not None, reason)


def short(path: str) -> str:
    """A result by its own name, without that of the object that holds it."""
    head, _, rest = path.partition(".")
    return rest if rest and head in RESULTS else path


def within(path: str) -> Callable[[Any], Any]:
    """What stands under a path, or under it inside one of the objects that hold results."""
    direct, inner = at(path), [at(f"{r}.{path}") for r in RESULTS]

    def get(row: Any) -> Any:
        found = direct(row)
        return found if found is not None else next((x for g in inner if (x := g(row)) is not None), None)

    return get


def _first(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The first of these names that the row has; a path may lead into an object."""
    return next((n for n in names if n in row or ("." in n and _at(row, n) is not None)), None)


def _at(row: Mapping[str, Any], path: str) -> Any:
    found: Any = row
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _held(row: Mapping[str, Any], names: Iterable[str], kind: type) -> str | None:
    return next((n for n in names if isinstance(row.get(n), kind)), None)


def _status(row: Mapping[str, Any], names: Iterable[str]) -> tuple[str | None, bool]:
    """The field that says what became of it, and whether that is a verdict."""
    for name in names:
        said, verdict = _at(row, name), name in VERDICT
        if isinstance(said, bool) or (isinstance(said, int) and not verdict):
            return name, verdict
        if isinstance(said, str) and said:
            word = _SEEN.of(said)
            # `failed` and `server_failed` are what machinery says of a run, `crash` stands beside keep and discard.
            odd = word.status == "crashed" and "crash" not in said.lower()
            return name, verdict or (word.known and word.status != RAN and not odd)
    return None, False


def _metric(row: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """The number that is optimised, and the others that could be; None where nothing tells which of them it is."""
    within = (*RESULTS, "")
    places = {f"{r}.{n}" if r else n: n for n in PRIMARY for r in within}
    held = [p for p in places if _is_measured(_at(row, p), p, row)]
    loose = [p for p, x in leaves(row) if p not in held and _could(p, x)]
    if held:
        best = min(held, key=lambda p: (PRIMARY.index(places[p]), p))
        return short(best), tuple(short(p) for p in (*held, *loose) if p != best and _is_metric(p))
    named = [p for p in loose if goal_of(p.rpartition(".")[2]) is not None]
    if len(named) == 1 or (not named and len(loose) == 1):
        return short((named or loose)[0]), ()
    return None, tuple(short(p) for p in named or loose)


def _is_measured(value: Any, path: str, row: Mapping[str, Any]) -> bool:
    if is_number(value) or isinstance(value, float):
        return True
    if isinstance(value, str):
        return numeric(value) is not None or missing(value)
    head, _, last = path.rpartition(".")
    inner = _at(row, head) if head else row
    return value is None and isinstance(inner, Mapping) and last in inner


def _could(path: str, value: Any) -> bool:
    """Whether a number could be what is optimised."""
    head = path.partition(".")[0]
    return is_number(value) and ("." not in path or head in RESULTS) and _is_metric(path)


def _is_metric(path: str) -> bool:
    last = path.rpartition(".")[2].lower()
    return not _BESIDE.intersection(_WORDS.findall(last)) and last not in ID and last not in STATUS


def _direction(row: Mapping[str, Any]) -> Goal | None:
    """The direction that a row states of its metric."""
    for path, value in leaves(row):
        last = path.rpartition(".")[2]
        if last not in _DIRECTION:
            continue
        if isinstance(value, bool):
            return "maximize" if value else "minimize"
        if (found := goal(str(value).lower())) is not None:
            return found
    return None
