"""The live page in a real browser, while real processes write: it moves, nothing in a run acts, nothing else is asked.

Planted and seen to fail: rows that stay in a picture when others take their place; a picture in sight that is not drawn
anew; a table that keeps the trials of a run that was replaced; a field without a name.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from clirun import AMNESIAC
from reportfield import RUNS, hostile
from servefield import PATIENCE_S, Served, begun, command, environment, trial

pytestmark = [
    pytest.mark.needs_program("chromium"),
    pytest.mark.needs_module("playwright", "axe_playwright_python", "starlette", "uvicorn"),
]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync".split()
)
PICTURES = ("history", "believed", "tiles", "walkers", "repeats")
# What a picture shows, without the names that the engine gives to what it clips, and in no order.
SHOWS = """name => [...document.querySelectorAll(`[data-chart=${name}] svg :is(path, text, rect)`)]
  .filter(e => !e.closest("defs"))
  .map(e => [e.tagName, ...["d", "transform", "fill", "stroke", "opacity"].map(a => e.getAttribute(a)),
             e.parentElement.closest("[transform]")?.getAttribute("transform"),
             e.tagName === "text" ? e.textContent : ""].join("|")).sort()"""
WRITER = """
import sys
from pathlib import Path
from servefield import begun, trial
with begun(Path(sys.argv[1]), 12) as run:
    for i, _ in enumerate(sys.stdin, 12):
        trial(run, i)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        found = p.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """A server, and the folder that it serves: the amnesiac, and a run that is hostile in every field and its name."""
    tmp = tmp_path_factory.mktemp("browsed")
    runs = tmp / "runs"
    runs.mkdir()
    (runs / "amnesiac.jsonl").write_bytes(AMNESIAC.read_bytes())
    (runs / "amnesiac.menu.json").write_bytes(AMNESIAC.with_name("amnesiac.menu.json").read_bytes())
    hostile(runs / "hostile.jsonl").rename(runs / f"x{RUNS.replace('/', '-')}.jsonl")
    with Served(tmp, runs) as served:
        yield served, runs
        assert served.end() == (130, "")


class Looking:
    """A page of the server, and what it did that it should not."""

    def __init__(self, browser: Any, served: Served, path: str, **context: Any) -> None:
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(**context)
        self.context.set_default_timeout(PATIENCE_S * 1000)
        self.page = self.context.new_page()
        self.page.on("console", lambda m: self.complaints.extend([m.text] if m.type == "error" else []))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", lambda r: self.elsewhere.extend([] if r.url.startswith(served.url) else [r.url]))
        self.page.goto(served.url.rstrip("/") + path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def ask(self, what: str) -> Any:
        return self.page.evaluate(what)

    def drawn(self) -> None:
        """Wait until all pictures stand, or the words where there is nothing to draw."""
        for name in PICTURES:
            self.page.locator(f"[data-chart={name}][data-drawn] :is(svg.marks, p.aside)").wait_for()

    def rows(self) -> list[int]:
        """The trials in the table."""
        found: list[int] = self.ask("[...document.querySelectorAll('#rows tr:not(.more) th')].map(x => +x.textContent)")
        return found


def _named(served: Served, part: str) -> str:
    with served.events("/api/events") as heard:
        while True:
            for r in heard.next().data["runs"]:
                if part in r["name"]:
                    return str(r["id"])


def test_a_run_that_a_process_writes_moves_on_the_page_and_its_alarms_stand_on_top(
    browser: Any, place: tuple[Served, Path]
) -> None:
    served, runs = place
    path = runs / "moves.jsonl"
    call = [sys.executable, "-c", WRITER, str(path)]
    with (
        Looking(browser, served, "/") as fleet,
        subprocess.Popen(call, stdin=subprocess.PIPE, text=True, env=environment(served.tmp)) as writer,
    ):
        assert writer.stdin is not None
        line = fleet.page.locator("#runs tr", has_text="moves.jsonl")
        line.locator("td", has_text="12").first.wait_for()
        with Looking(browser, served, f"/runs/{served.run('moves.jsonl')}") as looking:
            page = looking.page
            looking.drawn()
            assert looking.rows() == list(range(13, 1, -1))
            for _ in range(60):
                writer.stdin.write("\n")
            writer.stdin.flush()
            page.locator("#rows tr[id='t73']").wait_for()
            page.locator("[data-chart=history]").scroll_into_view_if_needed()
            page.locator("[data-chart=history][data-trials='72']").wait_for()
            assert looking.rows() == list(range(73, 1, -1))
            page.locator("#alarms", has_text="alarm").wait_for()
            assert page.locator("#alarms").inner_text().startswith("✗ ")
            page.locator("#failing a").first.click()
            page.locator("tr.chosen + tr.more pre").first.wait_for()
            assert page.url.endswith(f"#t{page.locator('tr.chosen th').inner_text()}")
            line.locator("td", has_text="72").first.wait_for()
            writer.stdin.close()
            page.locator("#life", has_text="ended").wait_for()
            assert (looking.complaints, looking.elsewhere) == ([], [])
        assert (fleet.complaints, fleet.elsewhere) == ([], [])


def test_the_pictures_show_the_trial_that_came_last(browser: Any, place: tuple[Served, Path]) -> None:
    served, runs = place
    with (
        begun(runs / "drawn.jsonl", 11) as run,
        Looking(browser, served, f"/runs/{served.run('drawn.jsonl')}") as looking,
    ):
        looking.drawn()
        trial(run, 11)
        looking.page.locator("[data-chart=repeats] svg text", has_text="11-13").or_(
            looking.page.locator("[data-chart=repeats] .notes", has_text="of 12")
        ).or_(looking.page.locator("figure:has([data-chart=repeats]) .notes", has_text="12 proposals")).wait_for()
        run.trial({"lr": 0.05}, value=1.0, kept=True)
        notes = looking.page.locator("figure:has([data-chart=history]) .notes", has_text="Best: 1 at trial 14")
        notes.wait_for()
        assert looking.complaints == []


def test_where_there_is_nothing_to_draw_the_reason_stands_in_words_until_there_is(
    browser: Any, place: tuple[Served, Path]
) -> None:
    served, runs = place
    with (
        begun(runs / "words.jsonl", 0) as run,
        Looking(browser, served, f"/runs/{served.run('words.jsonl')}") as looking,
    ):
        run.trial({"depth": 1}, status="crashed", wall_s=10.0)
        repeats = looking.page.locator("[data-chart=repeats]")
        repeats.locator("p.aside").wait_for()
        assert repeats.locator("svg").count() == 0
        for i in range(12):
            trial(run, i)
        repeats.scroll_into_view_if_needed()
        repeats.locator("svg.marks").wait_for()
        assert repeats.locator("p.aside").count() == 0
        assert (looking.complaints, looking.elsewhere) == ([], [])


def test_a_picture_that_was_moved_is_the_picture_that_is_drawn_whole(browser: Any, place: tuple[Served, Path]) -> None:
    served, runs = place
    with (
        begun(runs / "moved.jsonl", 130) as run,
        Looking(browser, served, f"/runs/{served.run('moved.jsonl')}") as looking,
    ):
        looking.drawn()
        page = looking.page
        page.locator("[data-chart=history]").scroll_into_view_if_needed()
        for i in range(130, 134):
            trial(run, i)
            page.locator(f"[data-chart=history][data-trials='{i + 1}']").wait_for()
        run.trial({"lr": 0.05}, value=0.5, kept=True)
        page.locator("[data-chart=history][data-trials='135']").wait_for()
        page.locator("figure:has([data-chart=repeats]) .notes", has_text="of 135 proposals").wait_for()
        history = page.locator("[data-chart=history]")
        # The last trial has a pair of its own, for which there is another lane: the one shape that is drawn anew.
        assert [history.get_attribute(f"data-{how}") for how in ("drawn", "moved")] == ["2", "4"]
        with Looking(browser, served, f"/runs/{served.run('moved.jsonl')}") as fresh:
            fresh.drawn()
            fresh.page.locator("[data-chart=history][data-trials='135']").wait_for()
            for name in PICTURES:
                looking.page.locator(f"[data-chart={name}]").scroll_into_view_if_needed()
                fresh.page.locator(f"[data-chart={name}]").scroll_into_view_if_needed()
                until = time.monotonic() + PATIENCE_S
                # Both may still be moved: what was drawn when the page was opened need not be the last.
                while (one := looking.page.evaluate(SHOWS, name)) != (two := fresh.page.evaluate(SHOWS, name)):
                    assert time.monotonic() < until, (name, set(one) ^ set(two))
                    looking.page.wait_for_timeout(100)
        assert looking.complaints == []


def test_what_is_brushed_is_chosen_in_the_table_and_in_the_tiles_and_stays_while_rows_come(
    browser: Any, place: tuple[Served, Path]
) -> None:
    served, runs = place
    with (
        begun(runs / "brushed.jsonl", 40) as run,
        Looking(browser, served, f"/runs/{served.run('brushed.jsonl')}") as looking,
    ):
        looking.drawn()
        page = looking.page
        squares = "document.querySelectorAll('[data-chart=tiles] path[stroke-width=\"2.5\"]').length"
        page.locator("[data-chart=history]").scroll_into_view_if_needed()
        box = page.locator("[data-chart=history] svg").bounding_box()
        left, width = box["x"] + 12 + 170, box["width"] - 24 - 170 - 24
        at = [left + width * x for x in (0.25, 0.5)]
        page.mouse.move(at[0], box["y"] + 200)
        page.mouse.down()
        page.mouse.move(at[1], box["y"] + 200, steps=4)
        page.mouse.up()
        page.locator("#shown", has_text=re.compile("^(8|9|10|11|12) trials found .* chosen above")).wait_for()
        chosen = looking.rows()
        assert 8 <= len(chosen) <= 12
        assert chosen == list(range(chosen[0], chosen[-1] - 1, -1))
        assert looking.ask(squares) > 0
        for i in range(40, 43):
            trial(run, i)
            page.locator(f"[data-chart=history][data-trials='{i + 1}']").wait_for()
        assert looking.rows() == chosen
        page.set_viewport_size({"width": 900, "height": 900})
        page.locator("[data-chart=history][data-drawn='2']").wait_for()
        page.wait_for_function(f"() => {squares} > 0")
        assert looking.rows() == chosen
        page.get_by_role("button", name="show all").click()
        page.locator("#shown", has_text="the latest 43 of 43 trials").wait_for()
        page.wait_for_function(f"() => {squares} === 0")
        assert looking.complaints == []


def test_a_holdout_is_drawn_where_there_is_one_and_missed_in_words_where_there_is_none(
    browser: Any, place: tuple[Served, Path]
) -> None:
    served, runs = place
    held = [{"name": "held", "role": "holdout", "goal": "minimize"}]
    with begun(runs / "held.jsonl", 4, metrics=held) as run:
        with Looking(browser, served, f"/runs/{served.run('held.jsonl')}") as looking:
            looking.drawn()
            page = looking.page
            page.locator("#no-holdout", has_text="A holdout is declared").wait_for()
            assert not page.locator("[data-chart=holdout]").is_visible()
            run.trial({"lr": 0.01}, value=1.5, kept=True, metrics={"held": 1.75})
            page.locator("[data-chart=holdout][data-drawn] svg.marks").wait_for()
            assert not page.locator("#no-holdout").is_visible()
        with Looking(browser, served, f"/runs/{served.run('held.jsonl')}", java_script_enabled=False) as bare:
            image = bare.page.locator("figure:has([data-chart=holdout]) img")
            image.scroll_into_view_if_needed()
            assert image.evaluate("async i => { await i.decode(); return i.naturalWidth }") > 300
    with Looking(browser, served, f"/runs/{_named(served, 'amnesiac')}") as looking:
        looking.drawn()
        looking.page.locator("#no-holdout", has_text="No holdout").wait_for()
        assert not looking.page.locator("[data-chart=holdout]").is_visible()
        assert served.ask(f"/runs/{_named(served, 'amnesiac')}/holdout.svg").status == 404


def test_nothing_in_a_hostile_run_acts_and_everything_draws(browser: Any, place: tuple[Served, Path]) -> None:
    served, _ = place
    run = _named(served, "window.RAN")
    for path in ("/", f"/runs/{run}", f"/runs/{run}/trials/4"):
        with Looking(browser, served, path) as looking:
            page = looking.page
            if path.endswith(run):
                looking.drawn()
                for link in page.locator("#rows th a").all()[:3]:
                    link.click()
                page.locator("tr.more pre").nth(2).wait_for()
                assert "<script>window.RAN=1</script>" in page.locator("tr.more").nth(1).inner_text()
                for summary in page.locator("summary").all():
                    summary.click()
                box = page.locator("[data-chart=tiles] path").nth(5).bounding_box()
                page.mouse.move(box["x"] + 2, box["y"] + 2)
            else:
                page.locator("text=window.RAN").first.wait_for()
            assert looking.ask("document.documentElement.scrollWidth <= innerWidth")
            assert looking.ask("window.RAN") is None
            assert (
                looking.ask("document.querySelectorAll('main script, main img, main [onerror], main [onload]').length")
                == 0
            )
            assert (looking.complaints, looking.elsewhere) == ([], [])


@pytest.mark.parametrize(("run", "scheme"), [(None, "light"), ("amnesiac", "dark"), ("window.RAN", "light")])
def test_no_serious_fault_of_accessibility(
    browser: Any, place: tuple[Served, Path], run: str | None, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    served, _ = place
    path = "/" if run is None else f"/runs/{_named(served, run)}"
    with Looking(browser, served, path, color_scheme=scheme, bypass_csp=True) as looking:
        if run:
            looking.drawn()
            looking.page.locator("#rows th a").first.click()
            looking.page.locator("tr.more pre").first.wait_for()
            looking.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
        else:
            looking.page.locator("#link[data-state=on]").wait_for()
        found = Axe().run(looking.page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in serious] == []


def test_without_a_script_the_state_and_the_pictures_are_there_with_a_link_that_asks_again(
    browser: Any, place: tuple[Served, Path]
) -> None:
    served, _ = place
    run = _named(served, "amnesiac")
    with Looking(browser, served, f"/runs/{run}", java_script_enabled=False) as looking:
        page = looking.page
        assert page.locator("#lead").inner_text().startswith("✗ FLAILING")
        assert page.locator("#four dd").nth(2).inner_text() == "6 of 13"
        assert page.locator("#rows tr").count() == 50
        assert page.locator("#alarms").is_visible()
        for picture in page.locator("figure:not([hidden]) noscript img").all():
            picture.scroll_into_view_if_needed()
            assert picture.evaluate("async i => { await i.decode(); return i.naturalWidth }") > 300
        page.locator("#failing a", has_text="45").first.click()
        assert page.url.endswith(f"/runs/{run}/trials/45")
        page.go_back()
        page.get_by_role("link", name="Ask again").click()
        assert page.locator("#rows tr").count() == 50


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Any, place: tuple[Served, Path]) -> None:
    served, _ = place
    run = _named(served, "amnesiac")
    for path in ("/", f"/runs/{run}", f"/runs/{run}/trials/45"):
        with Looking(browser, served, path, viewport={"width": 390, "height": 844}, is_mobile=True) as looking:
            if path.endswith(run):
                looking.drawn()
            assert looking.ask("document.documentElement.scrollWidth") == 390


def test_a_deep_link_opens_its_trial_and_one_of_a_trial_long_gone_says_so(
    browser: Any, place: tuple[Served, Path]
) -> None:
    served, _ = place
    run = _named(served, "amnesiac")
    with Looking(browser, served, f"/runs/{run}#t23") as looking:
        looking.page.locator("tr.chosen + tr.more pre").wait_for()
        assert looking.page.locator("tr.chosen th").inner_text() == "23"
        looking.ask("location.hash = '#t999'")
        looking.page.locator("text=There is no trial 999").wait_for()


def test_a_run_that_is_replaced_leaves_nothing_of_the_old_one_on_the_page(
    browser: Any, place: tuple[Served, Path], tmp_path: Path
) -> None:
    served, runs = place
    begun(runs / "turned.jsonl", 9).close()
    with Looking(browser, served, f"/runs/{served.run('turned.jsonl')}") as looking:
        looking.drawn()
        begun(tmp_path / "other.jsonl", 2, run_id="another").close()
        (tmp_path / "other.jsonl").replace(runs / "turned.jsonl")
        looking.page.locator("#shown", has_text="of 2 trials").wait_for()
        assert looking.rows() == [3, 2]
        looking.page.locator("figure:has([data-chart=repeats]) .notes", has_text="of 2 proposals").wait_for()
        assert looking.complaints == []


def test_a_page_whose_server_was_killed_says_so_and_goes_on_where_it_was(browser: Any, tmp_path: Path) -> None:
    with (
        begun(tmp_path / "run.jsonl", 4) as run,
        Served(tmp_path, tmp_path) as served,
        Looking(browser, served, f"/runs/{served.run('run.jsonl')}") as looking,
    ):
        page = looking.page
        page.locator("#link[data-state=on]").wait_for()
        looking.drawn()
        served.end(signal.SIGKILL)
        page.locator("#link", has_text="no connection").wait_for()
        trial(run, 4)
        with Served(tmp_path, tmp_path, port=served.port):
            page.locator("#link", has_text="live").wait_for()
            page.locator("#shown", has_text="of 5 trials").wait_for()
            assert looking.rows() == [6, 5, 4, 3, 2]


def test_a_token_is_typed_once_and_the_page_then_lives(browser: Any, tmp_path: Path) -> None:
    begun(tmp_path / "run.jsonl", 4).close()
    token = "x" * 40
    with (
        Served(tmp_path, tmp_path / "run.jsonl", TRAJSCOPE_TOKEN=token) as served,
        Looking(browser, served, "/") as looking,
    ):
        looking.page.locator("input[name=token]").fill(token)
        looking.page.get_by_role("button", name="enter").click()
        looking.page.locator("#rows tr").nth(3).wait_for()
        looking.page.locator("#link[data-state=on]").wait_for()
        assert looking.ask("document.cookie") == ""


def test_a_real_campaign_of_the_loop_is_followed_until_it_asks_for_a_person(browser: Any, tmp_path: Path) -> None:
    night = tmp_path / "night"
    night.mkdir()
    call = [*command(), "loop", "run", "perturbation", "-o", str(night), "--iterations", "6"]
    with (
        Served(tmp_path, night) as served,
        Looking(browser, served, "/") as looking,
        subprocess.Popen(
            call, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as campaign,
    ):
        link = looking.page.locator("#runs a").first
        link.wait_for()
        link.click()
        looking.page.locator("#rows tr.kept").first.wait_for()
        said = campaign.communicate(timeout=50)[0]
        assert "paused: uncalibrated" in said
        looking.page.locator("#waits", has_text="asks for a person").wait_for()
        looking.drawn()
        assert (looking.complaints, looking.elsewhere) == ([], [])
