"""The sample runs: figures that were worked out without trajscope, against every way that trajscope reads a file.

What a sample's expected.json leaves out was not reckoned (sample_runs/README.md), so only what it holds is compared.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trajscope import analysis, cache, menu, pipeline, sources
from trajscope.metrics import METRICS
from trajscope.pipeline import Feed
from trajscope.readers import Source, find
from trajscope.rules import NOT_EVALUABLE

ROOT = Path(__file__).resolve().parents[1]
RUNS = (".jsonl", ".tsv", ".csv")
SAMPLES = sorted((ROOT / "sample_runs").glob("*/*.expected.json"))
BESIDE = (".expected.json", ".menu.json", ".map.toml")
FREE = ("by", "beside", "detectors")  # not of the document


def source(expected: Path) -> Source:
    """The sample beside its figures, with the menu that lies beside it."""
    name = expected.name.removesuffix(".expected.json")
    (path,) = (
        p for p in expected.parent.glob(f"{name}*") if p.name.split(".")[0] == name and not p.name.endswith(BESIDE)
    )
    beside = pipeline.menu_beside(path)
    return Source(str(path), menu=menu.load(beside) if beside else None)


def reckoned(expected: Path) -> list[dict[str, Any]]:
    """The figures of a sample, one document for each run that its file holds."""
    found = json.loads(expected.read_text())
    return found if isinstance(found, list) else [found]


def differences(want: Any, got: Any, path: str = "") -> list[str]:
    """Where a document differs from what was reckoned; floats were rounded to six digits."""
    if isinstance(want, dict) and isinstance(got, dict):
        found = [f"{path}.{k} is missing" for k in want if k not in got]
        return found + [d for k in want if k in got for d in differences(want[k], got[k], f"{path}.{k}")]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [d for i, (a, b) in enumerate(zip(want, got, strict=True)) for d in differences(a, b, f"{path}[{i}]")]
    if isinstance(want, float) and isinstance(got, int | float) and not isinstance(got, bool):
        return [] if got == pytest.approx(want, rel=5.1e-6, abs=1e-9) else [f"{path}: {want} was reckoned, not {got}"]
    return [] if want == got and type(want) is type(got) else [f"{path}: {want!r} was reckoned, not {got!r}"]


def in_pieces(source: Source) -> list[dict[str, Any]]:
    """The documents of a file that was fed in pieces of any size."""
    data = b"".join(sources.read(source.path))
    dice = random.Random(len(data))
    feed = Feed(source, find(source.path, data[:65536]), METRICS)
    at = 0
    while at < len(data):
        size = dice.choice((1, 7, 100, 3000))
        feed.feed(data[at : at + size])
        at += size
    feed.close()
    return [analysis.analyze(run, file=source.path, format=feed.format) for run in feed.runs]


@pytest.fixture(params=SAMPLES, ids=lambda p: f"{p.parent.name}/{p.name.split('.')[0]}")
def sample(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def test_the_figures_are_those_that_were_reckoned(sample: Path) -> None:
    wanted = [{k: x for k, x in one.items() if k not in FREE} for one in reckoned(sample)]
    docs = analysis.of_file(source(sample))
    assert len(docs) == len(wanted)
    assert [differences(want, doc) for want, doc in zip(wanted, docs, strict=True)] == [[]] * len(docs)


def test_the_detectors_say_what_was_reckoned(sample: Path) -> None:
    want = reckoned(sample)[0].get("detectors", {})
    found = {v["rule"]: v for v in analysis.of_file(source(sample))[0]["verdicts"]}
    levels = {rule: None if found[rule]["reason"].startswith(NOT_EVALUABLE) else found[rule]["level"] for rule in want}
    assert levels == want


def test_a_gamed_run_sets_off_every_detector_and_an_honest_one_none() -> None:
    for name, level in (("gamed", "FAIL"), ("honest", "PASS")):
        found = json.loads((ROOT / f"sample_runs/{name}/{name}.expected.json").read_text())["detectors"]
        assert set(found.values()) == {level}, name


def test_pieces_duckdb_and_the_cache_say_what_a_plain_read_says(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = analysis.of_file(source(sample))
    assert in_pieces(source(sample)) == whole
    monkeypatch.setattr(cache, "WORTH", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert analysis.of_file(source(sample)) == approximately(whole), "through DuckDB"
    assert len(list(tmp_path.rglob("*.parquet"))) == (len(whole) == 1), "only a file of one run is cached"
    if len(whole) > 1:
        return
    monkeypatch.setattr(pipeline, "read", None)  # from here on nothing reads the file whole
    assert analysis.of_file(source(sample)) == approximately(whole), "from the cache"


def approximately(x: Any) -> Any:
    """The same document, floats to 1e-12: DuckDB may add them up in another order."""
    if isinstance(x, dict):
        return {k: approximately(v) for k, v in x.items()}
    if isinstance(x, list):
        return [approximately(v) for v in x]
    return pytest.approx(x, rel=1e-12, abs=1e-12) if isinstance(x, float) else x


@pytest.mark.parametrize("script", ["make.py", "reckon.py", "evolved.py"])
def test_the_samples_on_disk_are_those_that_their_scripts_make(script: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "sample_runs" / script), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_sample_has_figures() -> None:
    runs = {p.with_suffix("") for p in (ROOT / "sample_runs").glob("*/*") if p.suffix in RUNS}
    assert runs <= {p.with_name(p.name.removesuffix(".expected.json")) for p in SAMPLES}


# --- the amnesiac, by hand: 50 iterations published as facts, figures recomputed from its table --------------------


@pytest.fixture(scope="module")
def amnesiac() -> dict[str, Any]:
    return analysis.of_file(source(ROOT / "sample_runs" / "amnesiac" / "amnesiac.expected.json"))[0]


def test_the_amnesiac_kept_eight_of_fifty(amnesiac: dict[str, Any]) -> None:
    assert (amnesiac["trials"], amnesiac["evaluated"]) == (50, 50)
    assert (amnesiac["status"]["kept"], amnesiac["status"]["reverted"]) == (8, 42)
    assert [k["seq"] for k in amnesiac["contributions"]] == [4, 6, 23, 31, 33, 43, 45, 46]


def test_the_amnesiac_touched_six_of_thirteen_knobs(amnesiac: dict[str, Any]) -> None:
    seven = ["n_layer", "lr_warmup", "grad_clip", "weight_decay", "batch_size", "seq_len", "precision"]
    cover = amnesiac["coverage"]
    assert (cover["knobs_touched"], cover["knobs_total"], cover["untouched"]) == (6, 13, seven)
    assert cover["fraction"] == 6 / 13
    # Cells: 94 in ten bins each, less the defaults of the six knobs with choices; 14 pairs less the no-op touch 13.
    assert (cover["cells"]["total"], cover["cells"]["touched"]) == (94 - 6, 14 - 1)
    # n_head 3 of 3, d_model 4 of 5, d_ff 2 of 4, lr and beta1 1 bin, beta2 2 bins of ten; seven knobs none.
    assert cover["per_knob_mean"] == pytest.approx((1 + 0.8 + 0.5 + 0.1 + 0.1 + 0.2) / 13)
    assert amnesiac["nulls"]["uniform_knobs_expected"] == pytest.approx(13 * (1 - (12 / 13) ** 50))


def test_the_amnesiac_gave_most_proposals_to_two_knobs_of_one_family(amnesiac: dict[str, Any]) -> None:
    knobs = amnesiac["coverage"]["by_knob"]
    assert (knobs["d_model"]["counted"], knobs["n_head"]["counted"]) == (24, 15)  # 39 of 50
    assert knobs["d_model"]["family"] == knobs["n_head"]["family"] == "capacity"
    assert "78% went to d_model and n_head, both capacity" in amnesiac["verdict"]["sentence"]


def test_the_amnesiac_repeated_itself_thirty_six_times(amnesiac: dict[str, Any]) -> None:
    pairs = amnesiac["pairs"]
    assert (pairs["repeats"], pairs["repeat_rate"], pairs["unique"]) == (36, 0.72, 14)
    assert [w["rate"] for w in pairs["windows"]] == [0.5, 0.5, 0.8, 0.9, 0.9]
    # Expected under shuffling, per window of ten: 3.3 7.0 8.2 8.7 8.9.
    assert [round(10 * w["expected"], 1) for w in pairs["windows"]] == [3.3, 7.0, 8.2, 8.7, 8.9]
    assert pairs["contextual_repeats"] == 36  # the base never moved
    assert pairs["no_ops"] == [48]  # d_ff=4096 is the default
    assert (pairs["singletons"], pairs["good_turing"]) == (5, 0.1)
    assert pairs["chao1"] == pytest.approx(14 + 49 / 50 * 5 * 4 / (2 * (2 + 1)))  # 5 seen once, 2 seen twice
    assert pairs["excess_repeats"] == pytest.approx(36 - (50 - 88 * (1 - (87 / 88) ** 50)))


def test_the_amnesiac_kept_one_pair_and_proposed_another(amnesiac: dict[str, Any]) -> None:
    assert amnesiac["dominance"]["proposed"] == {"n": 10, "share": 0.2, "pair": "d_model=1536"}
    assert amnesiac["dominance"]["kept"] == {"n": 6, "share": 0.75, "pair": "d_model=768"}  # 6 of 8
    pairs, keeps = amnesiac["diversity"]["pairs"], amnesiac["diversity"]["keeps"]
    assert (round(pairs["effective"], 4), round(keeps["effective"], 2)) == (10.4517, 2.09)
    assert round(pairs["simpson_effective"], 3) == 8.681
    # Counts 10 7 6 6 6 3 3 2 2: 90 + 42 + 3*30 + 2*6 + 2*2 = 238 ordered pairs of equals of 50*49.
    assert pairs["simpson_unbiased"] == pytest.approx(238 / 2450)


def test_the_amnesiacs_best_is_luck_on_top_of_one_idea(amnesiac: dict[str, Any]) -> None:
    best = amnesiac["best"]
    assert (amnesiac["first_keep"], best["iter"], best["value"]) == (4, 45, 10.8534)
    assert best["gain"] == pytest.approx(10.9554 - 10.8534)
    assert best["gain_fraction"] == pytest.approx(0.009310, abs=1e-6)
    seven = [10.8722, 10.9373, 10.8713, 10.8575, 10.8873, 10.8692, 10.8534]  # every draw of d_model=768
    assert best["shrunk"] == pytest.approx(sum(seven) / 7)
    assert best["shrunk_gain"] / 10.9554 == pytest.approx(0.00704, abs=1e-5)


def test_the_amnesiac_stood_still_for_forty_six_trials(amnesiac: dict[str, Any]) -> None:
    plateau = amnesiac["plateau"]
    assert plateau["since_best"] == 50 - 45
    assert plateau["longest"] == {"length": 21, "first": 24, "last": 44}
    # Only iteration 4 beats the incumbent by more than 1.645 sqrt(2) sd = .046: 50 - 4.
    assert plateau["beyond_noise"] == plateau["length"] == 46


def test_the_amnesiacs_noise_is_read_from_its_repeats(amnesiac: dict[str, Any]) -> None:
    noise = amnesiac["noise"]
    assert (round(noise["sd"], 4), noise["df"]) == (0.0198, 37)  # 36 repeats and the no-op beside the baseline
    assert noise["sources"] == {"repeat": 36, "noop": 1}
    assert noise["flip_flops"] == [
        {"pair": "d_model=768", "kept": 6, "reverted": 1},
        {"pair": "d_ff=6144", "kept": 1, "reverted": 1},
        {"pair": "d_ff=8192", "kept": 1, "reverted": 1},
    ]
    assert noise["unconfirmed_keeps"] == [43, 46]
    assert noise["min_detectable"] == pytest.approx((1.6449 + 0.8416) * noise["sd"] * 2**0.5, rel=1e-4)


def test_the_amnesiac_burned_three_quarters_of_its_time_on_repeats(amnesiac: dict[str, Any]) -> None:
    cost = amnesiac["cost"]
    assert (cost["wall_s"], cost["repeat_wall_s"]) == (pytest.approx(4406.2), pytest.approx(3266.5))
    assert round(cost["repeat_share"], 3) == 0.741


def test_the_amnesiac_avoids_what_it_still_sees(amnesiac: dict[str, Any]) -> None:
    memory = amnesiac["nulls"]["memory"]
    assert memory["window"] == 5
    assert memory["leak"] == pytest.approx(11 / 36)
    five = memory["lags"][4]
    assert (five["lag"], five["observed"], round(five["expected"], 1)) == (5, 11, 18.3)
    assert five["p"] < 0.003  # 7e-4 by 200,000 shuffles
    assert amnesiac["pairs"]["visible"]["n"] is None, "the file does not say how much the proposer was shown"


def test_the_amnesiac_shown_five_trials_saw_eleven_of_its_repeats() -> None:
    plain = source(ROOT / "sample_runs" / "amnesiac" / "amnesiac.expected.json")
    told = Source(plain.path, menu=plain.menu, history=5)
    assert analysis.of_file(told, quick=True)[0]["pairs"]["visible"] == {"window": 5, "n": 11}


def test_the_amnesiacs_record_doubts_itself(amnesiac: dict[str, Any]) -> None:
    audit = amnesiac["audit"]
    assert audit["keeps_not_composing"] == [4, 6, 23, 31, 33, 43, 45, 46]  # the base never moved
    assert audit["new_best_mismatches"] == []
    assert audit["baseline_bias"]["p"] == pytest.approx(9.36e-4, rel=1e-3)  # 37 of 50 beat it
    assert audit["seed_ineffective"] is True  # d_model=1536 begins at 11.075 to 11.220 with seed 0
    assert audit["counts_reconcile"] is True


def test_the_amnesiac_is_flailing(amnesiac: dict[str, Any]) -> None:
    assert amnesiac["verdict"]["word"] == "FLAILING"
    levels = {v["rule"]: v["level"] for v in amnesiac["verdicts"]}
    assert levels == {
        "integrity": "WARN", "guards": "WARN", "staircase": "PASS", "flailing": "FAIL", "repeats": "FAIL",
        "dominance": "PASS", "coverage": "WARN", "unconfirmed": "WARN", "flips": "WARN", "baseline": "WARN",
        "seed": "WARN", "composition": "WARN", "record": "WARN",
        # Decisions, knobs and times are there to be judged; holdouts, seeds, diffs and other measures are not.
        "unchanged_gain": "PASS", "seed_edit": "PASS", "shortcut": "PASS", "grader": "WARN", "divergence": "WARN",
        "gain_share": "WARN", "guard_margin": "WARN", "variance_collapse": "WARN", "predictions": "WARN",
        "ablation": "WARN", "confirmation": "WARN", "too_good": "WARN", "perfect": "PASS",
        # 36 repeats of 50; d_model=768 in 6 of 8 keeps; 44 of 50 changes in 4 of 13 knobs; a new cell 12 trials ago, a
        # keep 4; no budget is declared, and flailing speaks of the plateau.
        "excess": "FAIL", "kept_dominance": "FAIL", "family_dominance": "FAIL", "stuck": "PASS", "zero_keeps": "PASS",
        "crashes": "PASS", "budget": "WARN", "dry_search": "PASS",
    }  # fmt: skip
    sentence = amnesiac["verdict"]["sentence"]
    assert "no best beyond noise for 46 of 50 trials (bound 15)" in sentence
    assert "36 of 50 proposals had been tried before, 9 of the last 10" in sentence
    assert "7 of 13 knobs were never touched" in sentence
    assert sentence.endswith("no guard and no holdout")
