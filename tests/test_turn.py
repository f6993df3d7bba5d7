"""A proposer that cannot find anything new is not waved through: a cell is drawn, until there is none."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from campaign import HASH, MENU, seen

from trajscope import menu as menus
from trajscope.menu import Menu
from trajscope.pair import config_hash
from trajscope.rails.chain import Answer, Rails
from trajscope.rails.history import History
from trajscope.rails.turn import RETRIES, Turn
from trajscope.rails.untried import cells
from trajscope.verdict import Level, Verdict

THIRTEEN = menus.load(Path(__file__).resolve().parents[1] / "sample_runs" / "amnesiac" / "amnesiac.menu.json")


def ran(history: History, answer: Answer, n: int) -> str:
    assert answer.proposal is not None
    p = answer.proposal.pair
    history.add(p, seen(p, n, config=f"{n:016}"))
    return p.label


def start(menu: Menu) -> tuple[History, Rails]:
    history = History.none(menu)
    return history, Rails(menu, history, base=menu.defaults)


def test_after_five_refusals_the_proposer_is_not_asked_again() -> None:
    history, rails = start(MENU)
    ran(history, rails.ask({"knob": "a", "value": 2}), 1)
    turn = Turn(rails)
    for i in range(RETRIES):
        assert not turn.over
        assert not turn.ask({"knob": "a", "value": 2}).passed
        assert len(turn.attempts) == i + 1
    assert turn.over
    late = turn.ask({"knob": "a", "value": 3})  # which would pass
    assert not late.passed
    assert "was refused 5 times of 5" in late.verdict.reason
    drawn = turn.escape(random.Random(1))
    assert drawn.passed
    assert drawn.proposal is not None
    assert drawn.proposal.pair.label != "a=2"


def test_the_same_random_numbers_draw_the_same_cell() -> None:
    _, rails = start(THIRTEEN)
    drawn = [Turn(rails).escape(random.Random(seed)).proposal for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_cell_is_drawn_about_as_often() -> None:
    # a: 2 or 3, b and c: ten bins each, d: v. 23 cells; 2,300 draws, 100 each, give or take four times its deviation.
    _, rails = start(MENU)
    rng = random.Random(7)
    drawn = Counter(p.pair.changes[0].cell for _ in range(2300) if (p := Turn(rails).escape(rng).proposal))
    assert len(drawn) == 23
    assert all(60 <= n <= 140 for n in drawn.values())


def led(turn: Turn, favourites: list[dict[str, Any]], rng: random.Random) -> Answer:
    """One turn of a proposer that knows nothing but its favourites."""
    while not turn.over:
        if (answer := turn.ask(rng.choice(favourites))).passed:
            return answer
    return turn.escape(rng)


@pytest.mark.parametrize("seed", range(3))
def test_a_proposer_with_two_ideas_is_led_through_the_whole_menu_and_then_stopped(seed: int) -> None:
    # 94 cells, of which 6 are discrete defaults and change nothing, and of lr_warmup the four bins from 30 on break
    # `lr_warmup + 5 <= 30`: 84 can be reached.
    history, rails = start(THIRTEEN)
    rng = random.Random(seed)
    tried: list[str] = []
    favourites: list[dict[str, Any]] = [{"knob": "d_model", "value": 1536}, {"knob": "d_model", "value": 768}]
    while (answer := led(Turn(rails), favourites, rng)).passed:
        tried.append(ran(history, answer, len(tried)))
    assert len(tried) == len(set(tried)) == 84
    assert (answer.verdict.rule, answer.verdict.level, answer.proposal) == ("menu_exhausted", Level.FAIL, None)
    assert "84 of 94 cells were tried" in answer.verdict.reason
    assert "6 would change nothing" in answer.verdict.reason
    assert "4 break a constraint" in answer.verdict.reason
    assert not Turn(rails).escape(rng).passed


def test_a_refusal_that_would_meet_every_cell_is_no_exhausted_menu() -> None:
    class Closed:
        """Rails whose history cannot be read."""

        menu = MENU
        history = History.none(MENU)

        def ask(self, raw: object) -> Answer:
            return Answer(Verdict("history", Level.UNKNOWN, "cannot be read"), None)

    assert Turn(Closed()).escape(random.Random(1)).verdict.rule == "history"


def test_without_a_menu_nothing_can_be_drawn() -> None:
    history = History.none()
    answer = Turn(Rails(Menu({}), history)).escape(random.Random(1))
    assert (answer.verdict.rule, answer.verdict.level) == ("menu_exhausted", Level.UNKNOWN)


def test_what_was_tried_together_leaves_its_cells_open_alone() -> None:
    history, rails = start(MENU)
    p = MENU.pair({"a": 2, "d": "v"})
    history.add(p, seen(p, 1, config=config_hash({**MENU.defaults, "a": 2, "d": "v"})))
    assert len([c for c in cells(MENU) if c.name not in history.cells]) == len(cells(MENU))
    assert rails.ask({"knob": "a", "value": 2}).passed
    assert config_hash(MENU.defaults) == HASH
