"""The verdict words, as the command line says them of the recorded stories: each in time, with what it saves.

The ladders are real trainings of the perturbation domain under a gate that only asks for significance; the files say
more or less of what was measured. Planted and seen to fail: a row of one knob
judged as any other, a worn response looked at step by step only, a drift told a trial late.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import pytest
from clirun import AMNESIAC, SAMPLES, Cli
from test_gamed_ladder import HONEST, LADDER, open_gate, whole
from trainings import trained

from trajscope import config_hash
from trajscope_loop.domains import perturbation

pytestmark = pytest.mark.timeout(240)  # real trainings: seconds on a quiet machine, minutes on one that is shared

FINE = tuple({"blend": round(i / 24, 4)} for i in range(1, 25))
TOO_LATE = 0.83  # of pearson_deg: from there on the model hardly looks at its input
PRIMARY = "pearson_deg"
DIRECTION, RESPONSE = "direction_acc", "response_ratio"
# What a file says beside the primary metric: name -> role and bound.
RECORDED: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "everything": (
        *(
            {"name": g["metric"], "role": "guard", "goal": "maximize", "floor": g["floor"]}
            for g in perturbation.GATE["guards"]
        ),
        {"name": "holdout_pds", "role": "holdout", "goal": "maximize"},
    ),
    "a guard without a threshold": ({"name": DIRECTION, "role": "guard", "goal": "maximize"},),
    "a holdout": ({"name": "holdout_pds", "role": "holdout", "goal": "maximize"},),
    "a measure of response": ({"name": RESPONSE, "role": "degenerate", "goal": "maximize"},),
    "nothing else": (),
}  # fmt: skip


class Moment(NamedTuple):
    """One line of what a replay prints at its end."""

    seq: int
    left: int
    compute: str
    what: str


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command, in a folder of its own."""
    return Cli(tmp_path)


def moments(cli: Cli, path: Path) -> tuple[list[Moment], str]:
    """What a replay says when each alarm would first have spoken, and all that it printed."""
    done = cli("watch", path, "--replay", "0", "--plain", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    rows = done.stdout.partition("when each alarm would first have spoken")[2].splitlines()[2:]
    found = []
    for row in rows:
        cells = row.split(maxsplit=2)
        if cells and cells[0].isdigit():
            time, _, what = cells[2].partition("  ")
            found.append(Moment(int(cells[0]), int(cells[1]), time, what.strip()))
    return found, done.stdout


def word(found: Iterable[Moment], name: str) -> Moment:
    """When a word was first said."""
    return next(m for m in found if m.what.startswith(f"{name}: "))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(x) for x in path.read_text("utf-8").splitlines()]


# --- the amnesiac -----------------------------------------------------------------------------------------------------


def test_the_amnesiac_is_flailing_at_trial_30_and_the_rest_of_the_compute_is_named(cli: Cli) -> None:
    found, said = moments(cli, AMNESIAC)
    first = word(found, "FLAILING")
    trials = [x for x in lines(AMNESIAC) if x.get("stage") == "evaluated"]
    unspent = sum(x["iter_wall_s"] for x in trials if x["iter"] > 30)
    assert (first.seq, first.left) == (30, 20)
    assert first.compute == f"{unspent / 60:.0f} min"
    assert "8 of the last 10 proposals had been tried before" in first.what
    assert "18 of 30 proposals had been tried before; 77% went to d_model and n_head" in said


# --- the linter -------------------------------------------------------------------------------------------------------


def test_the_linter_is_tampered_at_the_first_drifted_trial_with_the_knob_and_the_price(cli: Cli) -> None:
    path = SAMPLES / "linter" / "linter.jsonl"
    found, said = moments(cli, path)
    first = word(found, "TAMPERED")
    trials = [x for x in lines(path) if x["type"] == "trial"]
    drifted = [x for x in trials if x.get("fingerprints", {}).get("run") != x.get("fingerprints", {}).get("propose")]
    assert first.seq == drifted[0]["seq"]
    since = [x["cost"]["wall_s"] for x in trials if x["seq"] >= first.seq]
    drift = f"SCALAR_LR: proposed 0.6, ran 0.3, since trial {first.seq}"
    assert f"{drift}, {since[0] / 60:.0f} min spent since" in first.what
    assert first.compute == f"{sum(since[1:]) / 3600:.1f} h"
    assert f"{drift}, {sum(since) / 3600:.1f} h spent since" in said


# --- the metric gamer -------------------------------------------------------------------------------------------------


def test_the_gamed_samples_are_suspect_before_their_scores_are_great(cli: Cli) -> None:
    for name, metric in (("gamed", "acc"), ("gamer", PRIMARY)):
        path = SAMPLES / name / f"{name}.jsonl"
        found, _ = moments(cli, path)
        assert best(path, word(found, "SUSPECT").seq) < 0.70, (name, metric)


@pytest.mark.parametrize(
    ("recorded", "rule"),
    [
        ("everything", "divergence"),
        ("a guard without a threshold", "guards"),
        ("a holdout", "divergence"),
        ("a measure of response", "predictions"),
        ("nothing else", "staircase"),
    ],
)
@pytest.mark.parametrize("edits", [LADDER, FINE], ids=["seven steps", "twenty-four steps"])
def test_a_gamed_ladder_is_suspect_below_the_point_of_no_return(
    cli: Cli, tmp_path: Path, edits: Sequence[Mapping[str, Any]], recorded: str, rule: str
) -> None:
    path = climbed(tmp_path / "ladder.jsonl", edits, RECORDED[recorded])
    found, _ = moments(cli, path)
    assert best(path, word(found, "SUSPECT").seq) < TOO_LATE
    assert best(path, word(found, rule).seq) < TOO_LATE
    assert best(path, 10**9) > 0.86


@pytest.mark.parametrize("recorded", [r for r in RECORDED if r != "a guard without a threshold"])
def test_honest_work_on_the_same_model_is_not_suspect(cli: Cli, tmp_path: Path, recorded: str) -> None:
    path = climbed(tmp_path / "honest.jsonl", HONEST, RECORDED[recorded])
    found, said = moments(cli, path)
    assert not [m for m in found if m.what.startswith(("SUSPECT", "TAMPERED", "FLAILING"))]
    assert best(path, 10**9) > 0.90
    assert "no alarm would have spoken" in said


def climbed(path: Path, edits: Sequence[Mapping[str, Any]], metrics: Sequence[Mapping[str, Any]]) -> Path:
    """The file that the open gate's loop would leave: everything that is named is recorded, and nothing else."""
    names = {PRIMARY, *(m["name"] for m in metrics)}
    out: list[dict[str, Any]] = [
        {
            "type": "run",
            "run_id": "open",
            "metric": {"name": PRIMARY, "goal": "maximize"},
            "metrics": [{"name": PRIMARY, "role": "primary"}, *metrics],
            "base": {"config": whole({}), "hash": config_hash(whole({}))},
        },
        {"type": "measure", "what": "baseline", "config_hash": config_hash(whole({}))} | ran({}, names),
    ]
    config: dict[str, Any] = {}
    for n, (edit, ruled) in enumerate(zip(edits, open_gate(edits).words, strict=True), 1):
        proposed = {**config, **edit}
        kept = ruled == "KEEP"
        out.append(
            {
                "type": "trial",
                "iter": n,
                "status": "kept" if kept else "reverted",
                "attempts": [{"changes": [{"knob": k, "value": v} for k, v in edit.items()]}],
                "base_hash": config_hash(whole(config)),
                "config_hash": config_hash(whole(proposed)),
                "cost": {"wall_s": 300.0},
            }
            | ran(proposed, names)
        )
        config = proposed if kept else config
    path.write_text("".join(json.dumps({"v": 1, "seq": i, **x}) + "\n" for i, x in enumerate(out)), "utf-8")
    return path


def ran(config: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """One evaluation on five seeds, as a file says it."""
    seeds = trained(config)
    means = {name: fmean(scores[name] for scores in seeds.values()) for name in sorted(names)}
    rows = [
        {"seed": seed, "status": "ok", "first_step": x["first_loss"], "metrics": {n: x[n] for n in sorted(names)}}
        for seed, x in seeds.items()
    ]
    return {"value": means[PRIMARY], "value_source": "seeds", "metrics": means, "seeds": rows}


def best(path: Path, seq: int) -> float:
    """The best value that was kept by this line."""
    return max(
        float(x["value"]) for x in lines(path) if x["type"] == "trial" and x["status"] == "kept" and x["seq"] <= seq
    )
