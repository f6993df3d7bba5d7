"""The report in a real browser: nothing in a run can make it act, it loads nothing, and everything draws.

Planted and seen to fail: a text that is put into the page without being escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from reportfield import AMNESIAC, hostile, made

from benchmarks.opening import native

pytestmark = [pytest.mark.needs_program("chromium"), pytest.mark.needs_module("playwright", "axe_playwright_python")]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync".split()
)
LONG = 10_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    import shutil

    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        found = p.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of each kind, made once."""
    folder = tmp_path_factory.mktemp("reports")
    runs = {"amnesiac": AMNESIAC, "hostile": hostile(folder / "run.jsonl"), "long": native(LONG)}
    return {name: made(run).write(folder / f"{name}.html") for name, run in runs.items()}


class Opened:
    """A page, and what it did that it should not."""

    def __init__(self, browser: Any, path: Path, **context: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.on("console", lambda m: self.complaints.extend([m.text] if m.type == "error" else []))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        own = path.as_uri()

        def route(route: Any) -> None:
            if route.request.url.partition("#")[0] == own:
                route.continue_()
            else:
                self.requests.append(route.request.url)
                route.abort()

        self.context.route("**/*", route)
        self.page.goto(own)
        if context.get("java_script_enabled", True):
            self.page.wait_for_selector("html[data-ready=yes]", state="attached", timeout=30_000)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def ask(self, what: str) -> Any:
        return self.page.evaluate(what)


@pytest.mark.parametrize("name", ["amnesiac", "hostile", "long"])
def test_everything_draws_nothing_runs_and_nothing_is_fetched(browser: Any, files: dict[str, Path], name: str) -> None:
    with Opened(browser, files[name]) as opened:
        page = opened.page
        assert (
            opened.ask("[...document.querySelectorAll('.picture')].map(p => !!p.querySelector('svg.marks'))")
            == [True] * 4
        )
        assert opened.ask("document.querySelectorAll('.picture.drawn').length") == 4
        assert opened.ask("document.documentElement.scrollWidth <= innerWidth")
        for button in page.locator(".live tbody button").all()[:3]:
            button.click()
        page.locator("tr.more pre").first.wait_for()
        for summary in page.locator("summary").all():
            summary.click()
        tile = opened.ask(
            "(() => { document.querySelector('#r0-ground .picture').scrollIntoView({behavior: 'instant'});"
            " scrollBy({top: -120, behavior: 'instant'});"
            " const b = document.querySelector('#r0-ground .mark-rect.role-mark path').getBoundingClientRect();"
            " return [b.x + 3, b.y + 3] })()"
        )
        page.mouse.move(*tile)
        assert "proposed: " in page.locator("#tip").inner_text()
        assert opened.ask("window.RAN") is None
        assert opened.requests == []
        assert opened.complaints == []


def test_a_diff_and_the_line_of_a_hostile_trial_are_shown_as_text(browser: Any, files: dict[str, Path]) -> None:
    with Opened(browser, files["hostile"]) as opened:
        page = opened.page
        page.get_by_role("button", name="trial 6, its line in full").click()  # it was kept: its diff is in the page
        diff = page.locator("pre[aria-label=diff]")
        diff.wait_for()
        assert "<script>window.RAN=1</script>" in diff.inner_text()
        assert diff.locator("span.plus").count() == 1
        assert page.locator("tr.more pre").nth(1).inner_text().endswith("letters more")
        assert (
            opened.ask("document.querySelectorAll('tr.more script, tr.more img, main a[href^=javascript]').length") == 0
        )
        assert opened.ask("window.RAN") is None


def test_a_doubt_leads_to_its_rows_and_a_brush_chooses_trials_in_every_view(
    browser: Any, files: dict[str, Path]
) -> None:
    with Opened(browser, files["amnesiac"], viewport={"width": 1100, "height": 900}) as opened:
        page, shown = opened.page, "[...document.querySelectorAll('.live tbody th')].map(x => x.textContent)"
        doubt = page.locator(".doubts li", has_text="took 6 of 8 keeps")
        doubt.locator("a.seq").nth(2).click()
        assert opened.ask(shown) == ["4", "6", "23", "31", "33", "45"]
        assert page.locator("tr.chosen th").inner_text() == "23"
        page.locator("button", has_text="show all").click()
        assert len(opened.ask(shown)) == 50
        page.locator("#r0-history .picture").scroll_into_view_if_needed()
        # The grey ground of the plot: from a fifth to a quarter of its width.
        plot = opened.ask(
            "(() => { const b = document.querySelector('#r0-history .picture').getBoundingClientRect();"
            " return [b.left + 12 + 170, b.right - 30, b.top] })()"
        )
        left, right, top = plot
        x = [left + share * (right - left) for share in (0.2, 0.5)]
        page.mouse.move(x[0], top + 160)
        page.mouse.down()
        page.mouse.move(x[1], top + 200, steps=4)
        page.mouse.up()
        page.locator(".live [role=status]", has_text="(of 50 trials)").wait_for()
        seqs = [int(s) for s in opened.ask(shown)]
        assert seqs == list(range(seqs[0], seqs[-1] + 1))
        assert 8 <= seqs[0] <= 14
        assert 22 <= seqs[-1] <= 28
        page.locator('#r0-ground .picture path[stroke-width="2.5"]').first.wait_for(state="attached")
        # The points of the score are dimmed outside of it, and so are those of the lanes below.
        assert opened.ask("document.querySelectorAll('#r0-history path[opacity=\"0.25\"]').length") > 20
        assert opened.ask("document.querySelectorAll('#r0-history path[opacity=\"0.2\"]').length") > 20
        assert opened.complaints == []


def test_all_that_a_rail_would_have_refused_can_be_looked_at(browser: Any, files: dict[str, Path]) -> None:
    from trajscope.rails.backtest import replay
    from trajscope.readers import Source

    blocked = replay(Source(str(native(LONG))))
    with Opened(browser, files["long"]) as opened:
        page, said = opened.page, opened.page.locator(".controls [role=status]")
        for rule, seqs in blocked.blocked.items():
            page.locator("#r0-rail tr", has=page.locator("code", has_text=rule)).locator("a.seqs").click()
            assert said.inner_text() == f"1 to 100 of {len(seqs):,} (of 10,000 trials)"
        page.locator("#r0-rail p", has_text="Refused wrongly").locator("a.seqs").click()
        assert said.inner_text() == f"1 to 100 of {len(blocked.keeps_blocked):,} (of 10,000 trials)"
        assert opened.complaints == []


def test_rows_are_sorted_filtered_and_paged_with_their_totals(browser: Any, files: dict[str, Path]) -> None:
    with Opened(browser, files["long"]) as opened:
        page = opened.page
        said = page.locator(".controls [role=status]")
        assert said.inner_text() == "1 to 100 of 10,000 trials"
        page.get_by_role("button", name="next").click()
        assert said.inner_text() == "101 to 200 of 10,000 trials"
        page.get_by_label("status").select_option(label="crashed")
        crashed = sum('"status": "crashed"' in line for line in native(LONG).read_text().splitlines())
        assert said.inner_text() == f"1 to 100 of {crashed:,} (of 10,000 trials)"
        page.get_by_role("button", name="show all").click()
        page.get_by_role("button", name="value").click()
        lines = map(json.loads, native(LONG).read_text().splitlines())
        values = sorted(line["value"] for line in lines if line["type"] == "trial" and line.get("value") is not None)
        shown = opened.ask(
            "[...document.querySelectorAll('.live tbody tr td:nth-child(6)')].map(x => Number(x.textContent))"
        )
        assert shown == pytest.approx(values[:100], rel=1e-5)
        page.get_by_label("find").fill("no such pair")
        assert said.inner_text() == "no such trial"


@pytest.mark.parametrize(("name", "scheme"), [("hostile", "light"), ("amnesiac", "dark")])
def test_no_serious_fault_of_accessibility(browser: Any, files: dict[str, Path], name: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with Opened(browser, files[name], color_scheme=scheme, bypass_csp=True) as opened:
        opened.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
        found = Axe().run(opened.page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in serious] == []


def test_without_a_script_the_numbers_the_pictures_and_the_rows_are_there(browser: Any, files: dict[str, Path]) -> None:
    with Opened(browser, files["amnesiac"], java_script_enabled=False) as opened:
        page = opened.page
        assert page.locator(".lead").inner_text().startswith("✗ FLAILING")
        assert page.locator("data[data-path='best.shrunk']").first.inner_text() == "10.8783"
        assert page.locator(".picture svg").count() == 4
        assert page.locator(".static tbody tr").count() == 50
        assert page.locator(".static").is_visible()
        assert page.locator(".live").is_hidden()
        page.locator(".doubts a.seq", has_text="45").first.click()
        assert page.url.endswith("#r0-t45")


def test_on_a_phone_nothing_is_wider_than_the_screen_and_pictures_fit_it(browser: Any, files: dict[str, Path]) -> None:
    with Opened(browser, files["amnesiac"], viewport={"width": 390, "height": 844}, is_mobile=True) as opened:
        assert opened.ask("document.documentElement.scrollWidth") == 390
        widths = opened.ask(
            "[...document.querySelectorAll('.picture.drawn')].map(p => p.scrollWidth <= p.clientWidth + 1)"
        )
        # Tiles and lanes keep the width at which they can be read, and scroll in their own box.
        assert widths == [True, False, True, False]


def test_on_paper_the_rows_stand_as_a_table_and_the_controls_are_gone(browser: Any, files: dict[str, Path]) -> None:
    with Opened(browser, files["amnesiac"], viewport={"width": 794, "height": 1123}) as opened:
        opened.page.emulate_media(media="print")
        assert opened.ask("document.documentElement.scrollWidth <= innerWidth")
        assert opened.page.locator(".static tbody tr").first.is_visible()
        assert not opened.page.locator("nav").is_visible()
        assert not opened.page.locator(".live").is_visible()
