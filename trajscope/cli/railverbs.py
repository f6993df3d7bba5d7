"""`trajscope rail selftest` and `trajscope rail replay`: read their words, call the library, show what came.

Wrong calls and failures end as with every other verb: 2 for a wrong call, 3 for a fault of our own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from trajscope.cli import streams, words
from trajscope.cli.text import clean, duration, json_line, number, paint, plural, short, table, warn, wide, wrapped

if TYPE_CHECKING:
    import argparse

    from trajscope.rails.backtest import Replay
    from trajscope.rails.proof import Plant, Selftest

SCHEMA = 1


def main(verb: str, args: list[str], *, debug: bool) -> int:
    """The exit code of a verb, whatever happens in it."""
    from trajscope.errors import TrajscopeError

    try:
        if verb not in VERBS:
            warn(words.unknown_verb(verb))
            return 2
        made, call = VERBS[verb]
        if "--help" in args:
            made().print_help()
            return 0
        code = call(made().read(args))
        sys.stdout.flush()
        return code
    except words.MisuseError as e:
        print(f"{e.parser.format_usage().strip()}  ({e.parser.prog} --help says more)", file=sys.stderr)
        warn(str(e))
        return 2
    except TrajscopeError as e:
        if debug:
            raise
        warn(str(e))
        return 2
    except BrokenPipeError:
        streams.mute()
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as e:
        if debug:
            raise
        warn(f"trajscope itself failed ({type(e).__name__}: {e}); run it again with --debug and report that")
        return 3


def _selftest(said: argparse.Namespace) -> int:
    from trajscope.errors import LockedError, TrajscopeError
    from trajscope.menu import load
    from trajscope.rails import proof

    found = proof.selftest(menu=load(said.menu) if said.menu else None, timeout_s=said.timeout)
    passed, where, trouble = found.passed, None, None
    if said.run:
        try:
            where = proof.record(said.run, found)
        except LockedError as e:
            trouble = f"{e}. A loop that is running records it itself: rails.selftest(run), with its own writer"
        except (TrajscopeError, OSError) as e:
            trouble = str(e)
    if said.json:
        recorded = None if where is None else f"{said.run}:{where + 1}"
        print(json_line({"schema": SCHEMA, **found.data(), "recorded": recorded}))
    else:
        print("\n".join(_plants(found, wide())))
        if where is not None:
            print(f" recorded in {clean(said.run)}:{where + 1}")
    if trouble:
        warn(f"the self-test is not recorded: {trouble}")
    return 0 if passed and not trouble else 1


def _plants(found: Selftest, width: int) -> list[str]:
    """Every plant: what it was, what came, whether that was right."""
    out = [f" asked: {clean(found.command)}", ""]
    for p in found.plants:
        out += _plant(p, width)
    failed = [p for p in found.plants if not p.held]
    if failed:
        last = f"{plural(len(failed), 'plant')} of {len(found.plants)} did not hold; do not rely on these brakes"
        return [*out, "", f" {paint('✗', 'red')} {last}"]
    faults = sum(p.wanted == "refused" for p in found.plants)
    rest = len(found.plants) - faults
    last = f"{plural(faults, 'fault')} planted, all refused; {plural(rest, 'right thing')} asked, all passed"
    return [*out, "", f" {paint('●', 'green')} {last}"]


def _plant(p: Plant, width: int) -> list[str]:
    mark = paint("●", "green") if p.held else paint("✗", "red")
    word = p.wanted if p.held else f"not {p.wanted}"
    return [f" {mark} {word:<13}{clean(p.name)}", *(line for line in wrapped("", p.said, width, indent=16))]


def _replay(said: argparse.Namespace) -> int:
    from trajscope import maps, pipeline
    from trajscope import menu as menus
    from trajscope.rails.backtest import Rail, replay
    from trajscope.readers import Source
    from trajscope.trial import Trial

    if said.only is not None and said.only not in get_args(Rail):
        raise words.MisuseError(f"{said.only!r} is none of {', '.join(get_args(Rail))}", words.replay())
    known = said.menu or pipeline.menu_beside(said.run)
    mapped = pipeline.map_beside(said.run)
    layout = maps.load(mapped) if mapped else None
    source = Source(said.run, menu=menus.load(known) if known else None, layout=layout)
    found = replay(source, said.reader, said.only, said.window)
    if said.json:
        asked = {"file": said.run, "only": said.only, "window": said.window}
        print(json_line({"schema": SCHEMA, **asked, **found._asdict()}))
        return 0
    trials: dict[int, Trial] = {}
    pipeline.read(source, said.reader, sink=lambda _, item, __: _note(trials, item))
    width = wide()
    print("\n".join([*wrapped("", said.run, width, indent=1), *wrapped("", found.sentence, width, indent=1)]))
    if found.blocked:
        print("\n".join(["", *_by_rail(found, trials)]))
    if said.rows and found.blocked:
        print("\n".join(["", *_rows(found, trials)]))
    elif found.blocked:
        print(f"\n {plural(found.trials - found.passed, 'trial')} in full with --rows")
    return 0


def _note(trials: dict[int, Any], item: object) -> None:
    from trajscope.trial import Trial

    if isinstance(item, Trial):
        trials[item.seq] = item


def _by_rail(found: Replay, trials: Mapping[int, Any]) -> list[str]:
    """One line for each rail that would have blocked something."""
    rows = []
    for rule, seqs in found.blocked.items():
        these = [trials[s] for s in seqs]
        keeps = sum(t.status == "kept" for t in these)
        spent = sum(t.wall_s or 0 for t in these) if any(t.wall_s is not None for t in these) else None
        rows.append([f" {rule}", f"{len(seqs):,}", f"{keeps:,}", duration(spent)])
        if found.total_usd:
            rows[-1].append(f"{sum(t.usd or 0 for t in these):,.2f}")
    head = (" rail", "blocked", "of them kept", "time back", "USD back")
    return table(rows, head[: len(rows[0])], right=range(1, len(rows[0])))


def _rows(found: Replay, trials: Mapping[int, Any]) -> list[str]:
    """The trials that would have been blocked, in order."""
    rules = {seq: rule for rule, seqs in found.blocked.items() for seq in seqs}
    rows = []
    for seq in sorted(rules):
        t = trials[seq]
        told = (str(seq), "" if t.iter is None else str(t.iter), t.status, rules[seq], short(t.pair.label, 40))
        rows.append((*told, number(t.value), duration(t.wall_s)))
    return table(rows, ("trial", "iter", "status", "blocked by", "pair", "value", "took"), right=(0, 1, 5, 6))


VERBS: dict[str, tuple[Callable[[], words.Parser], Callable[[Any], int]]] = {
    "selftest": (words.selftest, _selftest),
    "replay": (words.replay, _replay),
}
