"""What the report says, in which order, and of any run; the amnesiac's numbers are worked out by hand.

Planted and seen to fail: the interval without the square root, a doubt that warns above one that fails, a text that is
not escaped, clip paths that the engine numbers by all it ever drew, a pause that a long trial explains, a replay that
stops on the way, every rail asked without a menu, a moment for each time that an alarm came back, an empty picture
that is drawn.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from clirun import Cli
from reportfield import AMNESIAC, EVIL, SAMPLES, hostile, made, source
from runfiles import start

import trajscope
from benchmarks.opening import native
from trajscope.report import distil
from trajscope.report.brief import brief, markdown
from trajscope.report.facts import clock
from trajscope.report.page import PARTS, held
from trajscope.report.story import keeps, moments

RUNS = sorted(p for p in SAMPLES.glob("*/*.jsonl") if not p.name.endswith(".holdout.jsonl"))


@pytest.fixture(scope="module")
def amnesiac() -> Any:
    return made(AMNESIAC)


# Every element that a page may hold.
OURS = frozenset(
    "html head meta title style body main article header section nav footer figure figcaption div p span strong h1 h2 "
    "h3 h4 a code data dl dt dd ol ul li details summary table thead tbody tr th td script svg g path text rect line "
    "defs clippath".split()
)


class Elements(HTMLParser):
    """What elements a page is made of, and which of them would act or lead somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.acting: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            if (
                name.startswith("on")
                or name in ("src", "srcdoc")
                or (name == "href" and not (value or "").startswith("#"))
            ):
                self.acting.append(f"<{tag} {name}={value}>")


def shown(html: str, path: str) -> list[str]:
    """What the page shows of a number."""
    return re.findall(rf'<data value="[^"]*" data-path="{re.escape(path)}">([^<]*)</data>', html)


def test_the_best_is_claimed_believed_and_bounded_as_worked_out_by_hand(amnesiac: Any) -> None:
    # Seven evaluations of d_model=768: 10.8722 10.9373 10.8713 10.8575 10.8873 10.8692 10.8534, mean 10.8783; the
    # pooled sd is 0.019764 on 37 degrees of freedom, Student's 97.5% is 2.0262: 2.0262 * 0.019764 / sqrt(7) = 0.015136.
    assert shown(amnesiac.html, "best.value")[0] == "10.8534"
    assert shown(amnesiac.html, "best.shrunk")[0] == "10.8783"
    best = amnesiac.accounts[0]["facts"]["best"]
    assert (best["low"], best["high"]) == pytest.approx((10.863179, 10.893450), abs=2e-6)
    # Against two evaluations of the baseline: 2.0262 * 0.019764 * sqrt(1/7 + 1/2) = 0.032107 around 0.077086.
    assert (best["gain_low"], best["gain_high"]) == pytest.approx((0.044978, 0.109193), abs=2e-6)
    assert best["luck"] == pytest.approx(1 - 0.0770857 / 0.102, abs=1e-6)
    assert [seq for seq, _ in best["evaluations"]] == [4, 5, 6, 23, 31, 33, 45]


def test_what_to_distrust_comes_before_anything_else_and_the_parts_in_their_order(amnesiac: Any) -> None:
    places = [amnesiac.html.index(f'id="r0-{name}"') for name, _ in PARTS]
    assert places == sorted(places)
    assert amnesiac.html.index("FLAILING</span>") < places[0]


def test_doubts_stand_by_level_then_by_what_they_make_of_a_run(amnesiac: Any) -> None:
    found = brief(amnesiac.accounts[0])
    assert found.word == "FLAILING"
    assert [d.level for d in found.doubts] == ["FAIL"] * 5 + ["WARN"] * 9
    assert [d.rule for d in found.doubts][:3] == ["flailing", "repeats", "excess"]
    assert len(found.actions) == 3
    assert "37 of 50 trials" in found.actions[0]
    assert "n_layer" in found.actions[1]
    assert "claim 10.8783, not 10.8534" in found.actions[2]
    assert {"divergence", "integrity"} <= {d.rule for d in found.blind}


def test_no_holdout_is_said_in_words_and_a_gate_that_was_not_asked_too(amnesiac: Any) -> None:
    assert "<strong>No holdout: </strong>" in amnesiac.html
    assert "Not asked: whether a model may be trained" in amnesiac.html


def test_what_the_gate_says_stands_in_the_page(tmp_path: Path) -> None:

    from trajscope.report import build

    check = {
        "check": "label share",
        "split": "train",
        "outcome": "fail",
        "value": 0.2,
        "bound": 0.1,
        "n": 50,
        "reason": EVIL,
    }
    made_with = build(
        [(source(AMNESIAC), None)], {"amnesiac": {"outcome": "fail", "sentence": "no", "checks": [check]}}
    )
    assert "<code>label share</code>" in made_with.html
    assert "Not asked" not in made_with.html
    assert EVIL not in made_with.html


def test_the_gate_is_asked_of_every_way_to_split_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def others() -> list[str] | None:
        found = distil.answers(source(AMNESIAC), None, {"amnesiac": 50}, "default")["amnesiac"]["splits"]
        return found and [f"{x['split']}: {x['sentence']}" for x in found]

    told = others()
    assert told is not None
    for name, said in zip(("stratified", "tail"), told, strict=True):
        asked = trajscope.gate(AMNESIAC, split=name)
        assert said.startswith(f"{asked.split_in_words}: {len(asked.of('fail'))} checks fail, ")
    page = trajscope.load(AMNESIAC).report().html
    assert "leakage: insufficient, shift: fail" in page
    monkeypatch.setattr(distil, "ALL_WAYS", 49)
    assert others() is None
    assert "Of other splits it was not asked" in trajscope.load(AMNESIAC).report().html


def test_the_story_tells_when_alarms_began_and_what_was_kept(amnesiac: Any) -> None:
    told = moments(amnesiac.accounts[0])
    assert [m.seq for m in told] == sorted(m.seq for m in told)
    assert any(m.seq == 30 and m.text.startswith("FLAILING") for m in told)
    assert any(m.seq == 4 and "first keep: d_model=768" in m.text for m in told)
    contributed = {k.seq: k for k in keeps(amnesiac.accounts[0])}
    assert sorted(contributed) == [4, 6, 23, 31, 33, 43, 45, 46]
    assert contributed[45].in_sd == pytest.approx(0.102 / 0.0197635, rel=1e-4)


def test_what_there_is_nothing_to_draw_of_is_said_in_words(amnesiac: Any) -> None:
    page = made(SAMPLES / "linter" / "linter.jsonl").html
    assert "<strong>Would a blind walker have seen more?</strong> How many knobs there are is not known" in page
    assert page.count('<svg role="img"') == 3
    assert "without a menu nobody knows which others there are" in page
    assert amnesiac.html.count('<svg role="img"') == 4
    assert "80 of 94 tiles were never tried; 7 of 13 knobs not at all." in amnesiac.html


def test_what_came_and_went_is_told_once_with_how_often(amnesiac: Any) -> None:
    def turn(seq: int, rule: str, level: str) -> dict[str, Any]:
        return {"seq": seq, "after": seq, "rule": rule, "level": level, "reason": f"{rule} {level} at {seq}"}

    turns = [turn(s, "repeats", "FAIL" if s % 2 else "WARN") for s in (11, 12, 13, 14, 15, 16)]
    words = [turn(s, "", w) for s, w in ((10, "RESEARCHING"), (20, "FLAILING"), (30, "RESEARCHING"))]
    told = [(m.seq, m.text) for m in moments({**amnesiac.accounts[0], "turns": [*turns, *words], "events": []})]
    assert [x for x in told if "repeats" in x[1]] == [
        (11, "repeats begins to fail: repeats FAIL at 11 (3 times in all, last from trial 15)"),
        (16, "repeats no longer fails"),
    ]
    assert [x for x in told if "RESEARCHING" in x[1]] == [
        (10, "RESEARCHING:  RESEARCHING at 10 (twice in all, last from trial 30)"),
        (30, "RESEARCHING once more, to the end"),
    ]


def test_other_metrics_of_the_keeps_have_columns_of_their_own() -> None:
    html = made(SAMPLES / "linter" / "linter.jsonl").html
    table = html[html.index("What each keep contributed") :]
    assert '<th scope="col">peak_mem_gb</th>' in table
    assert "<td>\u221218.1</td>" in table
    assert "<td>the same</td>" in table
    assert "in noise sd" not in table.partition("</table>")[0]  # there is none to measure it in


def test_a_keep_is_held_against_the_one_before_it_where_nothing_says_what_it_was_built_on(tmp_path: Path) -> None:
    path = tmp_path / "results.tsv"
    rows = ("a1\t32.5\tkeep\tbaseline", "b1\t31.0\tdiscard\tlr=1", "c1\t27.25\tkeep\tlr=2", "d1\t27.0\tkeep\tlr=3")
    path.write_text("\n".join(("commit\tval_rmse\tstatus\tdescription", *rows, "e1\t0.5\tkeep\tlr=4")) + "\n")
    account = made(path).accounts[0]
    assert [(k.value, k.step, k.gain) for k in keeps(account)] == [
        (27.25, 5.25, 5.25),
        (27.0, 0.25, 5.5),
        (0.5, 26.5, 32.0),
    ]
    table = made(path).html.partition("What each keep contributed")[2].partition("</table>")[0]
    assert re.findall(r"over the [a-z ]+", table) == ["over the keep before", "over the baseline"]
    assert "What a keep was built on is not recorded" in table
    known = made(AMNESIAC).html.partition("What each keep contributed")[2].partition("</table>")[0]
    assert ">gain</th>" in known
    assert "over the" not in known


def test_of_a_file_without_a_trial_the_first_advice_is_to_look_at_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    start(path, metric={"name": "m", "goal": "minimize"}, run_id="none").close()
    path.write_bytes(path.read_bytes() + b"Traceback (most recent call last):\n  File x, line 3\n")
    (account,) = made(path).accounts
    assert brief(account).actions[0] == "Look at the 2 lines that could not be read: no number here counts them."


def test_the_rails_are_asked_of_every_trial_however_long_the_run() -> None:

    from trajscope import sources
    from trajscope.rails.backtest import replay
    from trajscope.report.gather import gather

    path = native(2_500)
    (account,) = gather(source(path), None, sources.read(path))
    whole, said, rows = replay(source(path)), account["replay"], account["rows"]
    assert said["trials"] == whole.trials > 2_400
    by_rule = {
        rule: tuple(s for s, r in zip(rows["seq"], rows["rail"], strict=True) if r == i)
        for i, rule in enumerate(account["rails"])
    }
    assert by_rule == dict(whole.blocked)
    assert {rule: x["n"] for rule, x in said["by_rule"].items()} == {k: len(v) for k, v in whole.blocked.items()}
    assert said["keeps_blocked"]["n"] == len(whole.keeps_blocked) > 8
    assert said["keeps_blocked"]["first"] == list(whole.keeps_blocked[:8])


def test_without_a_menu_only_the_rail_against_repeats_is_asked_and_the_page_says_so(tmp_path: Path) -> None:
    bare = tmp_path / "bare.jsonl"
    bare.write_bytes(AMNESIAC.read_bytes())
    report = made(bare)
    # 36 of the 50 proposals had been proposed before: counted with json and a set.
    assert report.accounts[0]["replay"]["by_rule"] == {"repeat": {"n": 36, "first": [5, 6, 7, 8, 9, 11, 15, 16]}}
    assert "Only the rail against repeats was asked: no menu is known" in report.html


def test_what_else_moved_with_a_keep_is_told() -> None:
    (linter,) = made(SAMPLES / "linter" / "linter.jsonl").accounts
    first = keeps(linter)[0]
    assert dict(first.also) == {"peak_mem_gb": pytest.approx(-18.1)}


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_every_sample_run_has_a_report(path: Path) -> None:
    report = made(path)
    assert held(report.html)["sources"][0]["sha256"]
    for account in report.accounts:
        assert f">{account['doc']['verdict']['word']}</span>" in report.html
        assert markdown(account).count("### ") == 1


def test_the_same_run_makes_the_same_bytes() -> None:
    assert made(AMNESIAC).html == made(AMNESIAC).html


def test_many_runs_stand_in_one_file_behind_an_index(tmp_path: Path) -> None:
    report = made(AMNESIAC, SAMPLES / "several" / "several.jsonl", SAMPLES / "linter" / "linter.jsonl")
    runs = len(report.accounts)
    assert report.html.count("<article ") == runs >= 3
    assert [f'href="#r{i}"' in report.html for i in range(runs)] == [True] * runs
    assert report.html.count('<script type="module">') == 2


def test_a_report_of_1000_trials_is_under_2_mb_and_its_rows_without_a_script_are_few() -> None:
    report = made(native(1000))
    assert len(report.html.encode()) < 2_000_000
    assert 100 < report.html.count('id="r0-t') <= 200
    assert " of them: what this page points at, and the last ones." in report.html


def test_nothing_from_a_file_ends_an_element_or_opens_one(tmp_path: Path) -> None:
    html = made(hostile(tmp_path / "run.jsonl")).html
    assert html.count("<script") == html.count("</script>") == 3
    found = Elements()
    found.feed(html)
    assert found.names <= OURS
    assert found.acting == []
    data = held(html)
    assert data["sources"][0]["blobs"]  # the long reasons and diffs that lay beside the run


def test_the_policy_names_the_scripts_and_the_style_and_allows_nothing_else(amnesiac: Any) -> None:
    import base64
    import hashlib

    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', amnesiac.html)
    assert policy
    said = policy[1].replace("&#x27;", "'")
    bodies = re.findall(r'<(?:script type="module"|style)>(.*?)</(?:script|style)>', amnesiac.html, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(b.encode()).digest()).decode()}'" for b in bodies]
    assert len(hashes) == 3
    assert all(h in said for h in hashes)
    assert "unsafe" not in said
    assert said.startswith("default-src 'none';")


def test_markdown_of_a_hostile_run_holds_no_link_tag_or_table_of_its_own(tmp_path: Path) -> None:
    (account,) = made(hostile(tmp_path / "run.jsonl")).accounts
    said = markdown(account)
    assert not re.search(r"(?<!\\)[<>]|(?<!\\)\[|javascript:window[^\\]*\)", said)
    assert said.count("| trials | kept | gain | tried before |") == 1


def test_a_pause_that_no_trial_explains_is_a_gap() -> None:
    minute = 60_000
    times = [0, minute, 2 * minute, 3 * minute, 63 * minute, 64 * minute]
    assert clock(times, [60.0] * 6) == {"known": True, "gaps": 1, "longest_s": 3600 - 60.0}
    # The trial that began or ended there took the whole hour.
    assert clock(times, [60.0, 60.0, 60.0, 3600.0, 60.0, 60.0])["gaps"] == 0
    assert clock(times, [60.0, 60.0, 60.0, 60.0, 3600.0, 60.0])["gaps"] == 0
    assert clock([None, None], [1.0, 1.0])["known"] is False


def test_overrides_and_self_tests_are_on_the_page(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    run = start(path)
    for i in range(4):
        run.trial({"lr": i}, value=1.0 - i / 10, kept=True)
    run.event("override", reason="I know better")
    run.event("selftest", passed=True)
    run.close()
    html = made(path).html
    assert "1 override on record." in html
    assert "I know better" in html
    assert shown(html, "facts.proofs") == ["1 self-test", "1"]


def test_the_command_writes_the_page_the_figures_and_the_brief(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    done = cli("report", AMNESIAC, "-o", "night.html", "--figures", "pictures")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("FLAILING  amnesiac: ")
    names = {p.name for p in (cli.here / "pictures").iterdir()}
    assert names == {f"{n}.{kind}" for n in ("believed", "tiles", "walkers", "history") for kind in ("svg", "png")}
    done = cli("report", AMNESIAC, "--markdown")
    assert done.stdout.startswith("### ✗ FLAILING: amnesiac\n")
    assert not list(cli.here.glob("*.report.html"))


def test_a_notebook_shows_a_run_as_its_brief_and_a_report_in_a_frame_of_its_own() -> None:
    run = trajscope.load(AMNESIAC)
    assert repr(run) == f"trajscope.load({str(AMNESIAC)!r})"
    assert "FLAILING" in run._repr_html_()
    assert "<script" not in run._repr_html_()
    assert re.fullmatch(r"<report, [\d,]{7,9} letters: amnesiac FLAILING>", repr(run.report()))
    frame = run.report()._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts" srcdoc="&lt;!doctype html&gt;')
    trials = run.trials()
    assert trials.height == 50
    assert trials.filter(trials["kept"])["seq"].to_list() == [4, 6, 23, 31, 33, 43, 45, 46]
    assert run.sql("SELECT count(*) AS n FROM trials WHERE k > 1")["n"].to_list() == [36]
    assert json.loads(json.dumps(run.documents[0]))["verdict"]["word"] == "FLAILING"
