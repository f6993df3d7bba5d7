"""The skills domain: planted regressions are refused and harmless rewrites are not; each finder finds its fault.

Planted and seen to fail: anchors never looked up, tools read from the text alone, ties that trigger the first skill,
the parent's passages taken from the candidate, a protected passage that no rail is told of.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skillfield import FOUND, KNOWN, Inline, folder, measured, quick, replaced

from trajscope import analyze, keep
from trajscope_loop import declaration, domain, scaffold
from trajscope_loop.bench import measure
from trajscope_loop.domains import skills
from trajscope_loop.domains.skills import judge, prepare, route, story, suite
from trajscope_loop.errors import DomainError
from trajscope_loop.parallel import Outcome, Rewrite, Round
from trajscope_loop.seams import Domain
from trajscope_loop.tree import plant

HERE = Path(skills.__file__).parent
PAGE = Path(__file__).resolve().parents[1] / "docs" / "skills.md"
FILES = skills.start()


def kinds(files: dict[str, str]) -> set[str]:
    return {f.kind for f in skills.findings(files, KNOWN)}


# --- the promise -----------------------------------------------------------------------------------------------------


def outcomes(place: Path, wanted: str) -> dict[str, Outcome]:
    """What becomes of rewrites of one sort when each is judged apart; one that clashes was not refused either."""
    round_ = Round(cast("Domain", FOUND), FOUND.workspace(place), folder(place), Inline(), quick, suite.improves)
    parent = round_.workspace.standing()
    sort = [w for w in story.rewrites() if (w.kind if w.kind in ("harmless", "idle") else "worse") == wanted]
    return dict(zip([w.name for w in sort], round_.take([w.propose(parent) for w in sort]), strict=True))


def test_of_twelve_planted_regressions_of_four_kinds_all_are_refused(tmp_path: Path) -> None:
    planted = [w for w in story.rewrites() if w.worse]
    assert Counter(w.kind for w in planted) == {"dead_reference": 3, "lost_tool": 3, "scope": 3, "passage": 3}
    found = outcomes(tmp_path, "worse")
    missed = [name for name, o in found.items() if o.status in ("kept", "stale")]
    assert len(found) == 12
    assert missed == []  # eleven are promised
    undeclared = found["branches without friction"]
    assert undeclared.status == "reverted"
    assert "passage_lost 2" in undeclared.why
    assert found["straight to production"].status == "blocked"


def test_none_of_ten_harmless_rewrites_is_refused_and_they_hold_together(tmp_path: Path) -> None:
    found = outcomes(tmp_path, "harmless")
    assert {name: o.why for name, o in found.items() if o.status != "kept"} == {}
    assert len(found) == 10


def test_a_planted_regression_is_found_for_what_it_is() -> None:
    finders = {"scope": {"case_lost", "overlap"}, "passage": {"passage_lost"}}
    for w in story.rewrites():
        found = kinds({**FILES, w.path: w.of(FILES[w.path])})
        if w.worse:
            assert found & finders.get(w.kind, {w.kind}), w.name
        else:
            assert found == set(), w.name


def test_without_rails_thirteen_of_fifteen_are_kept_and_three_of_them_are_worse(tmp_path: Path) -> None:
    told: list[str] = []
    found = story.tell(folder(tmp_path), rails=False, executor=Inline(), measure=quick, say=told.append)
    assert Counter(o.status for o in found.outcomes) == {"kept": 13, "reverted": 2}
    assert found.worse == ["fewer tools for reports", "logs, precisely", "branches without friction"]
    assert {"lost_tool", "case_lost", "passage_lost"} == {f.kind for f in found.findings}
    assert told[-1].startswith("13 of 15 rewrites kept, 3 of them worse; ")
    document = analyze(found.run)[0]
    assert document["status"]["kept"] == 13
    assert document["verdict"]["word"] == "SUSPECT"


def test_with_rails_the_ten_good_ones_are_kept_and_nothing_is_lost(tmp_path: Path) -> None:
    found = story.tell(folder(tmp_path), rails=True, executor=Inline(), measure=quick)
    assert Counter(o.status for o in found.outcomes) == {"kept": 10, "reverted": 5}
    assert found.worse == []
    assert found.findings == []
    stands = {p: (tmp_path / "work" / p).read_text("utf-8") for p in FILES}
    assert measured(stands)["fixed"] > measured(FILES)["fixed"]


def test_a_rewrite_that_does_not_fit_its_file_is_an_error_and_no_silence() -> None:
    written = story.rewrites()[0]
    with pytest.raises(DomainError, match=r"stands not once in skills/release-notes\.md"):
        written.of("another file")


def test_the_page_prints_what_it_says_and_names_every_metric() -> None:
    page = PAGE.read_text("utf-8")
    (code, said), *more = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, PAGE.name, "exec"), {"__name__": "page"})  # noqa: S102  # our own page
    assert more == []
    assert out.getvalue() == said
    assert {str(m["name"]) for m in FOUND.metrics if f"`{m['name']}`" not in page} == set()


# --- the domain ------------------------------------------------------------------------------------------------------


def test_the_frozen_start_is_what_the_files_are() -> None:
    assert (HERE / "start.json").read_text("utf-8") == prepare.frozen(HERE), "run prepare.py --freeze"
    assert sorted(FILES) == sorted(FOUND.editable)


def test_the_start_has_nothing_to_find_and_room_to_be_better() -> None:
    assert skills.findings(FILES, KNOWN) == []
    assert 0.8 < measured(FILES)["triggered"] < 0.95
    assert measured(FILES)["fixed"] < 1
    everyone = {"plain", "fuzzy", "misspelt"}
    asked = {name.split("/")[2] for name in KNOWN["wanted"] if name.startswith("visible/") and "/none/" not in name}
    assert asked == everyone


def test_a_copy_of_the_domain_is_whole_and_guards_its_own_files(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    scaffold.new("mine", place, "skills")
    deploy = place / "skills/deploy.md"
    deploy.write_text(deploy.read_text("utf-8") + "\nAsk the owner before you restart anything.\n", "utf-8")
    subprocess.run([sys.executable, "prepare.py", "--freeze"], cwd=place, check=True)
    found = domain.load(place)
    start = found.workspace(tmp_path).standing()
    without = plant({**start.files, "skills/deploy.md": FILES["skills/deploy.md"].encode()})
    results = [measure(found.job(tmp_path, t, found.base, 0, "k")) for t in (start, without)]
    assert [r["error"] for r in results] == [None, None]
    assert [r["metrics"]["passage_lost"] for r in results] == [0, 1]


def test_a_child_measures_what_is_measured_here(tmp_path: Path) -> None:
    job = FOUND.job(folder(tmp_path), FOUND.workspace(tmp_path).standing(), FOUND.base, 3, "k")
    result = measure(job)
    assert result["error"] is None
    here = quick(job)
    assert (result["metrics"], result["holdout"]) == (here["metrics"], here["holdout"])


def test_the_queries_that_training_reads_say_no_answers(tmp_path: Path) -> None:
    place = folder(tmp_path) / "data/given"
    given_ = (place / "queries.json").read_text("utf-8")
    assert "none" in given_
    assert ".md" not in given_
    assert [p.name for p in place.iterdir()] == ["queries.json"]


def rows(files: dict[str, str], seeds: Iterable[int]) -> list[dict[str, Any]]:
    """Seeds as the keep gate takes them, without what is hidden."""
    found = {s: measured(files, s) for s in seeds}
    return [{"seed": s, "status": "ok", "metrics": shown(m), "first_step": s + 1.0} for s, m in found.items()]


def shown(metrics: dict[str, float]) -> dict[str, float]:
    return {k: v for k, v in metrics.items() if not k.startswith("holdout_")}


def ranks(files: dict[str, str], seeds: Iterable[int]) -> dict[int, float]:
    return {s: measured(files, s)["holdout_rank"] for s in seeds}


@pytest.mark.parametrize(
    ("name", "word"), [("review says pull request", "KEEP"), ("branches without friction", "REVERT")]
)
def test_the_keep_gate_keeps_what_is_better_and_reverts_what_loses(name: str, word: str) -> None:
    gate = keep.Gate(FOUND.gate)
    written = next(w for w in story.rewrites() if w.name == name)
    files = {**FILES, written.path: written.of(FILES[written.path])}
    hashes = {"evaluator": "e", "data": "d"}
    gate.start(
        baseline=rows(FILES, range(5)),
        degenerates={k: shown(m) for k, m in skills.degenerates().items()},
        config={"code": "a"},
        hashes=hashes,
        holdout=ranks(FILES, range(5)),
    )

    def asked(need: keep.Need) -> Any:
        return ranks(files, need.seeds) if need.what == "holdout" else rows(by_need[need.what], need.seeds)

    by_need = {"confirm": files, "incumbent": FILES}
    config = {"code": "b"}
    ran = keep.Ran(proposed=config, effective=config, parent={"code": "a"}, hashes=hashes, seen=0, shown=())
    decision = gate.decide(rows(files, gate.seeds), ran, measure=asked)
    assert decision.word == word, decision.reason


@pytest.mark.parametrize("guard", [g.metric for g in suite.GATE.guards])
def test_every_guard_stops_a_folder_that_nobody_thought_about(guard: str) -> None:
    assert measured(FILES)[guard] == 0
    assert any(m[guard] > 0 for m in skills.degenerates().values())


def test_what_the_judge_says_of_thoughtless_folders_is_what_the_router_makes_of_them() -> None:
    known = skills.degenerates()
    every = " ".join(route.described(route.read(t)) for t in FILES.values())
    stuffed = dict.fromkeys(FILES, f"---\nname: x\ndescription: {every}\n---\n")
    for name, files in (("empty", dict.fromkeys(FILES, "")), ("every_word", stuffed)):
        assert measured(files)["triggered"] == pytest.approx(known[name]["triggered"], abs=0.001)
    assert max(m["triggered"] for m in known.values()) < 0.1


# --- the finders -----------------------------------------------------------------------------------------------------

STEP = "Fetch, then list with `Bash` the branches that are merged into main."


@pytest.mark.parametrize(
    ("kind", "name", "old", "new"),
    [
        ("dead_reference", "branch-cleanup", STEP, STEP + " See [more](references/more.md)."),
        ("dead_reference", "branch-cleanup", STEP, STEP + " See [above](#nowhere)."),
        ("dead_reference", "branch-cleanup", STEP, STEP + " See `references/more.md`."),
        ("dead_reference", "branch-cleanup", STEP, STEP + " See [it](skills/deploy.md#rolling)."),
        ("dead_reference", "branch-cleanup", STEP, STEP + " Use the `prune` skill."),
        ("dead_reference", "release-notes", "references: references/tone.md", "references: references/voice.md"),
        ("dead_reference", "branch-cleanup", "allowed-tools: Bash", "allowed-tools: Bash, Shell"),
        ("lost_tool", "branch-cleanup", STEP, STEP + " Look them up with `WebFetch`."),
        ("lost_tool", "branch-cleanup", "allowed-tools: Bash\n", ""),
        ("malformed", "branch-cleanup", "---\nname: branch-cleanup", "name: branch-cleanup"),
        ("malformed", "branch-cleanup", "name: branch-cleanup", "name: cleanup"),
        (
            "malformed",
            "branch-cleanup",
            "description: Delete old git branches that were merged or abandoned, locally and on the remote.",
            "description:",
        ),
        ("case_lost", "deploy", "Deploy a service to staging or production, watch it come up, and", "Watch it, and"),
        ("passage_lost", "invoice-check", "Paying is not part of this. ", ""),
    ],
)
def test_a_planted_fault_is_found(kind: str, name: str, old: str, new: str) -> None:
    assert kind in kinds(replaced(name, old, new))


@pytest.mark.parametrize(
    "new",
    [
        STEP + " See [tone](references/tone.md), [again](references/tone.md#for-customers), `references/layout.md`.",
        STEP + " See [below](#cleaning-up-branches), <https://example.org> or [the web](https://example.org/a.md#b).",
        STEP + " See the `deploy` skill and [its end](skills/deploy.md#rolling-back).",
        STEP + " Print them with `git branch`.",
        STEP + "\n\n```\n[no link](nowhere.md)\n```\n",
    ],
)
def test_what_is_there_is_no_dead_reference(new: str) -> None:
    assert kinds(replaced("branch-cleanup", STEP, new)) == set()


def test_settings_may_be_written_as_lists_and_with_their_limits() -> None:
    listed = "allowed-tools:\n  - Read\n  - Bash(git log:*, git tag)\n  - Write\n"
    found = route.read(FILES["skills/release-notes.md"].replace("allowed-tools: Read, Bash, Write\n", listed))
    assert judge.tools(found) == ["Read", "Bash", "Write"]
    assert judge.tools(route.read("---\nallowed-tools: [Read, 'Edit']\n---\n")) == ["Read", "Edit"]


def test_two_headings_of_the_same_words_have_two_anchors() -> None:
    assert judge.headings("# A b\n## A b\n### C: d!\n") == ["a-b", "a-b-1", "c-d"]


def test_two_descriptions_that_say_the_same_are_one_scope() -> None:
    said = "description: Delete old git branches that were merged or abandoned, locally and on the remote."
    copied = replaced(
        "flaky-tests", "description: Repair or quarantine tests that pass and fail on the same commit.", said
    )
    assert "overlap" in kinds(copied)


# --- the router ------------------------------------------------------------------------------------------------------

QUERIES = [q for n, q in KNOWN["queries"].items() if n.startswith("visible/")]
TEXTS = {p: route.described(route.read(t)) for p, t in FILES.items()}


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.sampled_from(sorted(TEXTS)), st.sampled_from(QUERIES))
def test_the_score_of_a_skill_is_its_own(changed: str, other: str, query: str) -> None:
    before = route.Router(TEXTS, QUERIES).scores(query)
    after = route.Router({**TEXTS, changed: "something else"}, QUERIES).scores(query)
    assert changed == other or after[other] == before[other]


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from([0.0, 0.05, 0.2, 0.9])))
def test_a_query_that_is_near_nothing_or_two_alike_triggers_nothing(scores: dict[str, float]) -> None:
    best = sorted(scores.values(), reverse=True)[:2]
    wins = bool(best) and best[0] >= judge.FLOOR and (len(best) < 2 or best[0] > best[1])
    assert (judge.chosen(scores) is not None) == wins


@given(st.sampled_from(QUERIES), st.integers(0, 10_000))
def test_a_misspelling_is_one_slip(query: str, seed: int) -> None:
    found = route.misspelt(query, random.Random(seed))
    assert abs(len(found) - len(query)) <= 1
    assert sum(a != b for a, b in zip(query.split(" "), found.split(" "), strict=True)) <= 1


def test_a_seed_draws_its_own_misspellings_and_always_the_same() -> None:
    values = [measured(FILES, seed)["triggered"] for seed in range(5)]
    assert len(set(values)) > 1
    assert skills.measured(FILES, 1, KNOWN)["triggered"] == values[1]


def test_who_shares_a_place_has_the_last_of_it() -> None:
    assert judge._rank({"a": 0.5, "b": 0.5, "c": 0.1}, "a") == 1 / 2
    assert judge._rank({"a": 0.5, "b": 0.2}, "a") == 1
    assert judge._rank({"a": 0.0, "b": 0.0}, "a") == 0


# --- protected passages in a declaration -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"path": "a.md", "reason": "x", "begn": "^x"}, r"edits.protected.begn` is unknown; did you mean begin\?"),
        ({"path": "b.md", "reason": "x"}, "'b.md', which is not editable"),
        ({"path": "a.md"}, "is protected without a reason"),
        ({"path": "a.md", "reason": "x", "first": "1"}, "`edits.protected.first` is '1'; it is a int"),
        ({"path": "a.md", "reason": "x", "begin": "("}, "is no regular expression"),
        ("a.md", r"write \[\[edits.protected\]\]"),
    ],
)
def test_a_passage_that_would_not_be_protected_is_said_before_anything_runs(said: object, why: str) -> None:
    with pytest.raises(DomainError, match=why):
        declaration.protected({"edits": {"protected": [said]}}, ["a.md"], Path("domain.toml"))


def test_a_protected_passage_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    ran = Inline()
    round_ = Round(cast("Domain", FOUND), FOUND.workspace(tmp_path), folder(tmp_path), ran, quick, suite.improves)
    parent = round_.workspace.standing()
    written = next(w for w in story.rewrites() if w.name == "straight to production")
    only: list[Rewrite | Outcome] = [written.propose(parent)]
    (outcome,) = round_.take(only)
    assert "are protected (a migration once ran on production" in outcome.why
    assert ran.ran == {"parent": 1}
