"""What the three figures must show, whoever wrote the run, and that the files are whole."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from trajscope import charts, figures
from trajscope.errors import TrajscopeError
from trajscope.staircase import BINS, KINDS, staircase

if TYPE_CHECKING:
    from pathlib import Path

# The amnesiac's 50 values: + kept, * a pair tried before.
AMNESIAC = [
    "10.9524", "10.9362", "10.9448", "10.8722+", "10.9373*", "10.8713+*", "10.9245*", "10.9347*", "10.9504*",
    "10.9401", "10.9385*", "10.9125", "11.0791", "10.9299", "11.1329*", "10.9350*", "10.9566", "10.9371*",
    "10.9767*", "10.9616", "10.9524", "10.9618*", "10.8575+*", "10.9479*", "10.9335", "10.9593*", "10.9422*",
    "10.9504*", "10.9460*", "10.9393*", "10.8873+*", "10.9236*", "10.8692+*", "10.9127*", "10.9374*", "10.9571*",
    "10.9469*", "13.7575", "10.9487*", "10.9405*", "10.9667*", "11.1193*", "10.8989+*", "10.9686*", "10.8534+*",
    "10.8885+*", "10.9398*", "10.9337", "10.9334*", "10.9601*",
]  # fmt: skip
EVIL = '</script><script>alert(1)</script>\nnext\u202eline\x07 "q" &amp; <b>' + "long" * 500
COLUMNS = {"seq": pl.Int64, "value": pl.Float64, "kept": pl.Boolean, "repeat": pl.Boolean}
KNOB_COLUMNS = {"knob": pl.String, "family": pl.String, "proposed": pl.Int64, "kept": pl.Int64, "touched": pl.Boolean}
WINDOW_COLUMNS = {"first": pl.Int64, "last": pl.Int64, "n": pl.Int64, "rate": pl.Float64, "expected": pl.Float64}


def trials(tokens: list[str]) -> pl.DataFrame:
    """Trials from tokens such as `10.8722+` (kept), `10.9245*` (a repeat) and `-` (no value)."""
    rows = [(i, None if t == "-" else float(t.rstrip("+*")), "+" in t, "*" in t) for i, t in enumerate(tokens, 1)]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def knobs(*rows: tuple[str, str | None, int, int, bool]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=KNOB_COLUMNS, orient="row").with_row_index("order")


def windows(*rows: tuple[int, int, int, float, float | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=WINDOW_COLUMNS, orient="row")


def amnesiac() -> dict[str, alt.LayerChart]:
    menu = knobs(
        ("n_layer", "capacity", 0, 0, False),
        ("d_model", "capacity", 24, 6, True),
        ("lr", "optimiser", 3, 0, True),
        ("precision", "numerics", 0, 0, False),
    )
    rates, expected = (0.5, 0.5, 0.8, 0.9, 0.9), (0.33, 0.70, 0.82, 0.87, 0.89)
    tens = [(10 * i + 1, 10 * i + 10, 10, rates[i], expected[i]) for i in range(5)]
    return {
        "best_so_far": charts.best_so_far(
            trials(AMNESIAC), metric="val_bpb", goal="minimize", baseline=10.9554, noise_sd=0.0198
        ),
        "knob_coverage": charts.knob_coverage(menu),
        "repeat_rate": charts.repeat_rate(windows(*tens)),
    }


def subtitle(chart: alt.LayerChart) -> str:
    return " ".join(chart.to_dict()["title"]["subtitle"])


def drawn(chart: alt.LayerChart, mark: str) -> list[dict[str, Any]]:
    """The rows behind every layer of one mark; `to_dict` also holds the specification against Vega-Lite's schema."""
    spec = chart.to_dict()
    layers = [layer for layer in spec["layer"] if layer["mark"]["type"] == mark]
    return [row for layer in layers for row in spec["datasets"][layer["data"]["name"]]]


def svg(chart: alt.LayerChart) -> str:
    text: str = vl_convert.vegalite_to_svg(chart.to_dict(), allowed_base_urls=[])
    return text


def texts(chart: alt.LayerChart) -> list[str]:
    """Every line of text in the picture, as a reader of the SVG gets it."""
    elements = ET.fromstring(svg(chart)).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314  # our own SVG
    return [line for e in elements for line in ([span.text or "" for span in e] or [e.text or ""])]


def points(chart: alt.LayerChart) -> dict[int, str]:
    return {row["seq"]: row["kind"] for row in drawn(chart, "point")}


def test_the_staircase_of_the_amnesiac_has_one_step_and_its_noise() -> None:
    run = staircase(trials(AMNESIAC), goal="minimize", baseline=10.9554, noise_sd=0.0198)
    assert run is not None
    steps = [(0.5, 10.9554), (4, 10.8722), (6, 10.8713), (23, 10.8575), (45, 10.8534), (50.5, 10.8534)]
    assert run.corners.rows() == steps
    # (10.9554 - 10.8534) / 0.0198 = 5.15; the largest of 50 normal draws is expected at 2.249.
    assert "5.2 noise sd" in run.notes[0]
    assert "luckiest would show about 2.2" in run.notes[0]


def test_outliers_leave_the_scale_and_are_marked_and_counted() -> None:
    chart = amnesiac()["best_so_far"]
    outside = {seq for seq, kind in points(chart).items() if kind == "above the scale"}
    assert outside == {13, 15, 38, 42}
    scale = next(layer for layer in chart.to_dict()["layer"] if layer["mark"]["type"] == "point")["encoding"]
    low, high = scale["y"]["scale"]["domain"]
    assert 10.80 < low < 10.8534
    assert 10.9767 < high < 11.0
    assert all(low < row["y"] < high for row in drawn(chart, "point"))
    assert "4 trials beyond the scale: triangles at the edge, as far as 13.7575." in subtitle(chart)
    assert charts.INKS["above the scale"][0] == "triangle-up"


def test_a_kept_step_never_leaves_the_scale_however_far_it_was() -> None:
    later = [f"{10 - i / 100}+" for i in range(38)]
    kept = staircase(trials(["1000+", "100+", *later]), goal="minimize", baseline=None, noise_sd=None)
    lucky = staircase(trials(["1000", "100", *later]), goal="minimize", baseline=None, noise_sd=None)
    assert kept is not None
    assert kept.high > 1000
    assert lucky is not None
    assert lucky.high < 11


def test_a_repeat_is_hollow_and_a_keep_differs_by_shape_as_well_as_colour() -> None:
    kinds = points(amnesiac()["best_so_far"])
    assert (kinds[4], kinds[45], kinds[1], kinds[50]) == KINDS[:4]
    fills = {kind: fill for kind, (_, fill, _, _) in charts.INKS.items()}
    assert fills["kept, a repeat"] == fills["not kept, a repeat"] == "white"
    assert charts.INKS["kept, a repeat"][0] != charts.INKS["not kept, a repeat"][0]


def test_a_run_with_one_kind_of_trial_still_draws_its_points() -> None:
    # A size left to a point scale is NaN here, and the points vanish.
    picture = svg(charts.best_so_far(trials(["3", "2", "1"]), metric="loss", goal="minimize"))
    assert "NaN" not in picture
    assert picture.count('stroke="#8a8a8a" stroke-width="1.6"') >= 3


def test_what_is_not_known_is_said() -> None:
    chart = charts.best_so_far(trials(["3+", "-", "1"]), metric="loss", goal="minimize", baseline=float("nan"))
    assert "There is no baseline to compare it with." in subtitle(chart)
    assert "The noise is not known" in subtitle(chart)
    assert "1 trial without a value: not drawn." in subtitle(chart)
    assert not drawn(chart, "area")


values = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 1.5, 2.0, 50.0, -50.0, float("inf"), float("nan"), 1e305]))
rows_of = st.lists(st.tuples(values, st.booleans(), st.booleans()), max_size=12)
known = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 40.0, float("inf")]))


@given(rows_of, known, known)
def test_every_trial_with_a_value_is_drawn_and_the_best_and_the_baseline_are_on_the_scale(
    rows: list[tuple[float | None, bool, bool]], baseline: float | None, noise_sd: float | None
) -> None:
    frame = pl.DataFrame([(i, *row) for i, row in enumerate(rows)], schema=COLUMNS, orient="row")
    run = staircase(frame, goal="maximize", baseline=baseline, noise_sd=noise_sd)
    finite = [(v, kept) for v, kept, _ in rows if v is not None and abs(v) < 1e300]
    if run is None:
        assert not finite
        return
    assert run.points.height == len(finite)
    assert run.best == max(v for v, kept in finite if kept or not any(k for _, k in finite))
    assert run.low < run.best < run.high
    assert run.corners["best"][-1] == run.best
    if run.baseline is not None:
        assert run.low < run.baseline < run.high
    mirrored = frame.with_columns(-pl.col("value"))
    twin = staircase(mirrored, goal="minimize", baseline=None if baseline is None else -baseline, noise_sd=noise_sd)
    assert twin is not None
    assert (twin.best, twin.best_seq, twin.low, twin.high) == (-run.best, run.best_seq, -run.high, -run.low)


def test_an_untried_knob_is_there_in_words_and_by_a_cross() -> None:
    chart = amnesiac()["knob_coverage"]
    assert texts(chart).count("never tried") == 2
    assert {row["name"] for row in drawn(chart, "point")} == {"n_layer", "precision"}
    assert {"n_layer", "precision", "numerics", "24 proposed, 6 kept", "3 proposed, none kept"} <= set(texts(chart))
    assert "2 of 4 knobs were never tried, nor any knob of 1 of the 3 families." in subtitle(chart)


def test_a_knob_whose_proposals_were_all_refused_was_never_tried() -> None:
    chart = charts.knob_coverage(knobs(("lr", None, 3, 0, False)))
    assert {"lr", "no family", "never tried, 3 refused"} <= set(texts(chart))


def test_five_hundred_knobs_show_both_tried_and_untried_and_say_what_is_left_out() -> None:
    chart = charts.knob_coverage(knobs(*((f"k{i}", "f", i % 2, 0, i % 2 == 1) for i in range(500))))
    assert texts(chart).count("never tried") == texts(chart).count("1 proposed, none kept") == 40
    assert "Drawn: 80 of 500" in subtitle(chart)
    mostly_untried = charts.knob_coverage(knobs(*((f"k{i}", "f", int(i < 3), 0, i < 3) for i in range(500))))
    assert texts(mostly_untried).count("1 proposed, none kept") == 3


def test_every_window_shows_its_rate_its_expectation_and_its_n() -> None:
    chart = amnesiac()["repeat_rate"]
    assert [row["expected"] for row in drawn(chart, "rule")] == [0.33, 0.70, 0.82, 0.87, 0.89]
    assert [row["rate"] for row in drawn(chart, "rect")] == [0.5, 0.5, 0.8, 0.9, 0.9]
    assert {"5 of 10", "8 of 10", "9 of 10", "1–10", "41–50"} <= set(texts(chart))
    assert "36 of 50 proposals (72%)" in subtitle(chart)


def test_a_short_window_shows_its_n_however_narrow_its_bar() -> None:
    tens = [(10 * i + 1, 10 * i + 10, 10, 0.5, 0.5) for i in range(29)]
    assert "n = 3" in texts(charts.repeat_rate(windows(*tens, (291, 293, 3, 1.0, 0.9))))


def test_merged_windows_weigh_by_n_and_an_unknown_expectation_stays_unknown() -> None:
    tens = [(10 * i + 1, 10 * i + 10, 10, 0.5, None if i == 7 else 0.4) for i in range(120)]
    tens[1] = (11, 20, 30, 0.9, 0.8)
    chart = charts.repeat_rate(windows(*tens))
    bars = drawn(chart, "rect")
    assert len(bars) == 60
    # (10 * 0.5 + 30 * 0.9) / 40 and (10 * 0.4 + 30 * 0.8) / 40
    assert (bars[0]["rate"], bars[0]["expected"]) == (pytest.approx(0.8), pytest.approx(0.7))
    assert bars[3]["expected"] is None
    assert len(drawn(chart, "rule")) == 59
    assert "120 windows are drawn, 2 to a bar." in subtitle(chart)


def test_nothing_to_draw_is_said_in_words() -> None:
    none = charts.best_so_far(trials([]), metric="loss", goal="minimize")
    assert "No trial has been evaluated." in texts(none)
    null = charts.best_so_far(trials(["-", "nan", "inf"]), metric="loss", goal="minimize")
    assert "None of the 3 evaluated trials has a value." in texts(null)
    assert "No knob is declared and none was proposed." in texts(charts.knob_coverage(knobs()))
    assert "No proposal has been evaluated." in texts(charts.repeat_rate(windows()))
    assert "What a shuffled order would repeat is not known." in subtitle(
        charts.repeat_rate(windows((1, 1, 1, 0, None)))
    )


def test_a_hundred_thousand_trials_are_thinned_but_keep_their_extremes() -> None:
    frame = pl.DataFrame({"seq": range(100_000)}).with_columns(
        value=2.0 - pl.col("seq") / 100_000 + (pl.col("seq") * 7919 % 1000) / 1000,
        kept=pl.col("seq") % 5 == 0,
        repeat=pl.col("seq") % 3 == 0,
    )
    chart = charts.best_so_far(frame, metric="loss", goal="minimize", baseline=3.0, noise_sd=0.1)
    seen = drawn(chart, "point")
    assert BINS < len(seen) <= 8 * BINS
    assert min(row["value"] for row in seen) == frame["value"].min()
    assert max(row["value"] for row in seen) == frame["value"].max()
    assert "Thinned: of 100,000 trials, the lowest and highest of each kind in every 400 are drawn." in subtitle(chart)
    assert all(len(rows) <= 5_000 for rows in chart.to_dict()["datasets"].values())
    assert svg(chart).startswith("<svg")


def test_hostile_names_stay_text_on_one_line_and_inside_the_picture() -> None:
    menu = knobs((EVIL, EVIL, 0, 0, False), (EVIL + "2", EVIL, 1, 1, True), ("\u202ea\nb\x07", "", 0, 0, False))
    for chart in (
        charts.best_so_far(trials(["1+", "2"]), metric=EVIL, unit=EVIL, goal="maximize"),
        charts.knob_coverage(menu),
    ):
        picture = svg(chart)
        assert "<script" not in picture.lower()
        assert "\u202e" not in picture
        assert "\x07" not in picture
        assert "\n" not in "".join(texts(chart))
        assert any("</script>" in text or "</scr" in text for text in texts(chart))
        assert max(map(len, texts(chart))) <= 130
        assert ET.fromstring(picture).attrib["width"] == "900"  # noqa: S314  # our own SVG
    assert "\ufffda b\ufffd" in texts(charts.knob_coverage(menu))


def test_figures_are_whole_files_and_the_same_every_time(tmp_path: Path) -> None:
    once, twice = tmp_path / "a" / "b", tmp_path / "c"
    written = figures.write(once, amnesiac())
    assert [path.name for path in written] == [
        f"{name}.{kind}" for name in ("best_so_far", "knob_coverage", "repeat_rate") for kind in ("svg", "png")
    ]
    assert sorted(once.iterdir()) == sorted(written)
    figures.write(twice, amnesiac())
    for path in written:
        content = path.read_bytes()
        assert content == (twice / path.name).read_bytes()
        assert b"clip-path" not in content  # its numbers clash where two pictures stand in one page
        assert content.startswith(b"\x89PNG\r\n\x1a\n" if path.suffix == ".png" else b"<svg")


def test_a_figure_that_cannot_be_written_leaves_no_part_behind(tmp_path: Path) -> None:
    (tmp_path / "repeat_rate.png").mkdir()
    with pytest.raises(TrajscopeError, match="name another directory"):
        figures.write(tmp_path, {"repeat_rate": charts.repeat_rate(windows())})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repeat_rate.png", "repeat_rate.svg"]


def test_drawing_never_fetches_anything(tmp_path: Path) -> None:
    away = alt.Chart("http://127.0.0.1:9/rows.json").mark_point().encode(x="a:Q")
    with pytest.raises(ValueError, match=r"(?i)allowed"):
        figures.write(tmp_path, {"away": away})


def test_importing_the_charts_imports_nothing_heavy() -> None:
    heavy = "{'altair', 'polars', 'vl_convert', 'numpy'}"
    code = f"import sys, trajscope.charts, trajscope.figures; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_trial_that_may_not_be_the_best_is_drawn_and_is_not_the_best() -> None:
    # Planted: the column is not looked at. Where nothing was kept the best is taken over what may be it.
    rows = {"seq": [1, 2, 3], "value": [0.7, 0.5, 0.6], "kept": [False] * 3, "repeat": [False] * 3}
    frame = pl.DataFrame({**rows, "eligible": [True, False, True]})
    run = staircase(frame, goal="minimize", baseline=None, noise_sd=None)
    assert run is not None
    assert (run.best, run.best_seq, run.points.height) == (0.6, 3, 3)
    of_all = staircase(frame.drop("eligible"), goal="minimize", baseline=None, noise_sd=None)
    assert of_all is not None
    assert of_all.best == 0.5
