"""The campaign: propose, run, judge, keep or revert, record; one step at a time, each on disk before it is taken.

A method per phase. Each may be entered again after a kill: what was finished is found, what was not is done. The run
file decides: what it says was kept stands, and the workspace is made equal to it.

    idle -> proposing -> running -> judging -> recording -> settling -> idle
                            ^         |   ^
                            |         v   |
                         (a kill)   confirming
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trajscope import TrajscopeError, config_hash, follow, open_run
from trajscope.keep import Decision, Gate
from trajscope.rails import History
from trajscope_loop import account, asking, regime, tsv, view, watched
from trajscope_loop.alarms import Alarms
from trajscope_loop.errors import CampaignError
from trajscope_loop.evaluate import MARK, Bench, Measure, Stopped
from trajscope_loop.folder import PAUSE, RUN
from trajscope_loop.memory import Memory, Turn
from trajscope_loop.pause import Stop
from trajscope_loop.plan import Plan
from trajscope_loop.seams import Config, Domain, Executor, Proposer, Result
from trajscope_loop.stand import Stand

if TYPE_CHECKING:
    from trajscope import RunWriter

LINES = ("trial", "measure")


class Outcome(NamedTuple):
    """How it left off: an exit code, and a sentence for whoever looks."""

    code: int
    said: str


class Campaign:
    """One campaign in its folder. Whoever makes it holds the folder's lock, and closes it."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        memory: Memory,
        *,
        domain: Domain,
        proposer: Proposer,
        executor: Callable[[], Executor],
        fn: Measure,
        stop: Stop | None = None,
        say: Callable[[str], object] = print,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.folder, self.plan, self.memory, self.state = folder, plan, memory, memory.state
        self.domain, self.proposer, self.stop = domain, proposer, stop or Stop()
        self._say, self._clock, self._now = say, clock, now
        os.environ[MARK] = self.state.token  # every process that is started from here on can be found by it
        self.workspace = domain.workspace(folder)
        self.workspace.restore()
        self.settings = regime.gate(plan, domain)
        self.gate = Gate(self.settings) if self.state.gate is None else Gate.resume(self.settings, self.state.gate)
        self._hidden = regime.hidden(domain)
        bench = Bench(
            folder / "seeds", executor, fn, grace_s=plan.grace_s, asked=lambda: self.stop.asked, bell=self.stop.bell,
            clock=clock,
        )  # fmt: skip
        self._hashes = dict(domain.hashes(folder))
        self._stand = Stand(
            folder, plan, self.state, domain=domain, workspace=self.workspace, settings=self.settings, bench=bench
        )
        self.run = self._open()
        try:
            self._take_in()
        except BaseException:
            self.run.close()
            raise

    # --- around the steps ----------------------------------------------------------------------------------------

    def go_on(self) -> Outcome:
        """Take steps until it ends, pauses or is stopped."""
        while True:
            if self.state.phase == "idle":
                if (outcome := self._idle()) is not None:
                    return outcome
                continue
            if self.stop.asked and self.state.phase in ("starting", "proposing", "running", "confirming"):
                return self._stopped(self.stop.asked)
            try:
                getattr(self, f"_{self.state.phase}")()  # a method for each phase of memory.NEXT
            except Stopped as stopped:
                return self._stopped(str(stopped))

    def close(self) -> None:
        """Let go of everything; the state stays on disk."""
        self._stand.bench.close()
        self._alarms.live.close()
        self._history.close()
        self.run.close()

    def ack(self, by: str, nonce: str, up_to: float | None = None) -> None:
        """A person has looked at the pause, and lets the campaign go on."""
        self._alarms.lift(self.gate, by, nonce, up_to)
        self.memory.save(sync=True)

    # --- the steps -----------------------------------------------------------------------------------------------

    def _starting(self) -> None:
        """Measure what the campaign starts from and what must not pass, and begin the gate with it."""
        state, primary = self.state, self.settings.primary.name
        results = self._stand.measured("baseline", range(self.settings.n), self.workspace.standing(), state.base)
        degenerates = self.domain.degenerates(self.folder)
        state.data_sha = account.agreed(results, "data_sha")
        if state.data_sha is None and any(r["data_sha"] for r in results):
            raise CampaignError("the seeds of the baseline saw different data; make what prepares them deterministic")
        held = self.settings.holdout
        for verdict in self.gate.start(
            baseline=[dict(r) for r in results],
            degenerates=degenerates,
            config=state.base,
            hashes=self._stand.ruler(results),
            holdout={r["seed"]: r["holdout"].get(held.metric) for r in results} if held else None,
            history=self.plan.rates,
            pairing=self._stand.pairing(),
        ):
            self._say(f"       {verdict.level.name} {verdict.rule}: {verdict.reason}")
        lines = [account.measured("baseline", results, self._hidden)]
        for name, found in degenerates.items():
            told = {k: v for k, v in found.items() if k not in self._hidden}
            lines.append(
                {"call": "measure", "what": "degenerate", "name": name, "metrics": told, "value": told.get(primary)}
            )
        state.value = lines[0]["metrics"][primary]
        self._say(f"    0  baseline  {'':<32} {state.value:<22.6g} {len(results)} seeds")
        self._to_record(lines)

    def _idle(self) -> Outcome | None:
        """Begin another trial, or say why there is none."""
        state = self.state
        if state.pause is not None:
            return Outcome(1, f"paused: {state.pause.why}; look at it with `trajscope loop ack {self.folder}`")
        if self.stop.asked:
            return self._stopped(self.stop.asked)
        if (self.folder / PAUSE).exists():
            self.run.event("pause", why=f"the file {PAUSE} is there", after=state.trials)
            return Outcome(0, f"paused: {self.folder / PAUSE} is there; remove it, then resume")
        self._history.refresh()
        limits = self.plan.limits
        if state.stopped is None and state.counted >= self.plan.iterations:
            state.stopped = f"finished: {state.counted} trials"
        if state.stopped is None and limits is not None and (spent := limits.check(self._history.spent)):
            state.stopped = f"finished, since the budget is spent: {spent.reason}"
        if state.stopped is not None:
            if not state.ended:
                self.run.end(state.stopped)
                state.ended = True
                self.memory.save(sync=True)
            return Outcome(0, state.stopped)
        if state.failures >= self.plan.failures:
            why = f"{state.failures} trials in a row came to nothing, the last: {self._known[-1].past.reason}"
            self.run.event("pause", why=why, after=state.trials)
            state.failures = 0  # whoever resumes has read this
            self.memory.save()
            return Outcome(3, f"stopped: {why}; mend it, then `trajscope loop resume {self.folder}`")
        if state.failures:
            self.stop.wait(min(self.plan.backoff_s * 2 ** (state.failures - 1), self.plan.backoff_most_s))
            if self.stop.asked:
                return self._stopped(self.stop.asked)
        state.turn = Turn(iter=state.trials + 1, started=self._time())
        self._stand.clear()
        self.memory.go("proposing")
        return None

    def _proposing(self) -> None:
        """Ask for a proposal that the rails let pass."""
        state, turn, parent = self.state, self._turn, self.workspace.standing()
        rails = regime.rails(self.plan, self.domain, state.base, self._history, self._known, self._hashes)
        attempts = asking.Asking(self.plan, self.domain, rails, parent, turn, self.memory.save)
        ended = attempts.ask(
            self.proposer,
            lambda refusals: view.shown(
                self.domain, self.proposer, base=state.base, tree=parent, best=state.value, trials=self._known,
                history=self._history, refusals=refusals, number=turn.iter,
            ),
        )  # fmt: skip
        self._mark = self._clock()
        if ended.outcome != "passed":
            turn.failed = True
            if ended.reason_code == asking.EXHAUSTED:
                state.stopped = f"finished, since the menu is exhausted: {ended.why}"
            self._to_record([account.unproposed(turn, ended)])
            return
        self._stand.clear(ended.tree)
        turn.seeds = self.gate.seeds
        self.memory.go("running")

    def _running(self) -> None:
        """Put the candidate into the workspace, and measure it under watch."""
        state, turn, tree = self.state, self._turn, self._stand.candidate()
        results: Sequence[Result] = ()
        try:
            self._stand.place(tree)
            trial = watched.begin(self._watchman, tree, turn.changes, number=turn.iter, marked=state.tampered)
        except TrajscopeError as error:  # somebody wrote where only proposals may
            turn.tampered = str(error)
        else:
            with trial:
                if trial.may_run:
                    results = self._stand.measured("screen", turn.seeds, tree, self._stand.config)
                    trial.ran(results)
            turn.watched, turn.tampered, turn.withheld = trial.fields(), trial.tampered, trial.withheld
        if results and turn.tampered is None:
            self._lap()
            self.memory.go("judging")
        else:
            self._conclude(None, results)

    def _judging(self) -> None:
        """Ask the gate, or go on with what it waited for."""
        turn, tree = self._turn, self._stand.candidate()
        screen = self._stand.measured("screen", turn.seeds, tree, self._stand.config)
        if turn.need is None:
            decision = self.gate.decide([dict(r) for r in screen], self._stand.ran(screen, self._seen()))
        else:
            decision = self.gate.more(self._stand.given(turn.need))
        if decision.needs is None:
            self._conclude(decision, screen)
            return
        turn.need = {"what": decision.needs.what, "seeds": list(decision.needs.seeds)}
        turn.asked.append(turn.need)
        self.state.gate = self.gate.state()
        self._lap()
        self.memory.go("confirming")

    def _confirming(self) -> None:
        """Measure what the gate waits for. The holdout was measured with the candidate, and shown to nobody."""
        if (need := self._turn.need) is not None and need["what"] != "holdout":
            self._stand.asked(need)
            self._lap()
        self.memory.go("judging")

    def _recording(self) -> None:
        """Write the lines that the run file lacks; an earlier life may have written some, in the same order."""
        state = self.state
        for line in state.lines[self._written - state.before :]:
            fields = {k: v for k, v in line.items() if k not in ("call", "what")}
            if line["call"] == "measure":
                self.run.measure(line["what"], **fields)
            else:
                self.run.trial(base_config=state.base, **fields)
            self._written += 1
        self.memory.go("settling")

    def _settling(self) -> None:
        """The workspace is made equal to the run file, the trial is counted, alarms are heard."""
        state, turn = self.state, self.state.turn
        if turn is not None:
            self._settle(turn, state.lines[-1])
        self._table(state.lines, state.parent)
        self._stand.bench.forget()
        self._alarms.hear(self.gate)
        state.turn, state.lines = None, []
        self.memory.go("idle")

    # --- how a trial ends ----------------------------------------------------------------------------------------

    def _conclude(self, decision: Decision | None, screen: Sequence[Result]) -> None:
        """The trial is decided: its line, and before it those of what was measured on the way."""
        state, turn = self.state, self._turn
        old, new = self.workspace.standing(), self._stand.candidate()
        stages, lines = [screen], []
        for need in turn.asked:
            if need["what"] != "holdout":
                stages.append(self._stand.asked(need))
                config = state.base if need["what"] == "incumbent" else self._stand.config
                lines.append(account.measured(need["what"], stages[-1], self._hidden, config_hash=self._hash(config)))
        self._lap()
        line = account.judged(
            turn, decision, screen,
            primary=self.settings.primary.name, hidden=self._hidden, change=account.diff(old, new),
            seconds=max(turn.wall_s, account.seconds(stages)), usd=account.usd(stages), tree=new.sha,
            parent=state.parent, base_hash=self._hash(state.base), config_hash=self._hash(self._stand.config),
        )  # fmt: skip
        if decision is not None and decision.word == "KEEP" and line["status"] != "kept":
            # It must not go on from what is not kept, and its seeds are not fresh any more either.
            assert state.gate is not None
            self.gate = Gate.resume(self.settings, state.gate)
        turn.failed = line["status"] == "crashed" or turn.tampered is not None
        if turn.tampered is not None and state.tampered is None and self._watchman is not None:
            state.tampered = f"trial {turn.iter}: {turn.tampered}"
        turn.kept = line["status"] == "kept"
        self._to_record([*lines, line])

    def _to_record(self, lines: list[dict[str, Any]]) -> None:
        self.state.lines, self.state.before, self.state.gate = lines, self._written, self.gate.state()
        self.memory.go("recording", sync=True)

    def _settle(self, turn: Turn, line: Mapping[str, Any]) -> None:
        """Keep or restore, count, and say so."""
        state, before = self.state, self.state.value
        if turn.kept:
            tree = self._stand.candidate()
            state.parent = self.workspace.keep(tree, f"{turn.iter}: {turn.label}")
            state.base, state.tree, state.value = dict(self._stand.config), tree.sha, line["value"]
            if self._watchman is not None:
                self._watchman.config = dict(state.base)
        try:
            self.workspace.restore()
        except TrajscopeError as error:
            state.tampered = state.tampered or str(error)
            turn.tampered = turn.tampered or str(error)
        self._known.append(view.known(line, self.domain.menu, self._hidden))
        state.trials += 1
        state.counted += line["status"] != "proposer_error"
        state.failures = state.failures + 1 if turn.failed else 0
        for name, cost in (line.get("cost") or {}).items():
            state.spent[name] = state.spent.get(name, 0) + cost
        self._say(account.told(line, self._known[-1].past.label, before))
        if turn.tampered is not None and "integrity" in self.plan.pauses:
            self._alarms.pause(
                "integrity", turn.tampered, self.gate, {"verdicts": line.get("verdicts"), "diff": line.get("diff")}
            )

    def _stopped(self, why: str) -> Outcome:
        where = f"in trial {self.state.turn.iter}" if self.state.turn else f"after trial {self.state.trials}"
        said = f"stopped by {why} {where}; `trajscope loop resume {self.folder}` goes on"
        return Outcome(130 if why == "SIGINT" else 0, said)

    @property
    def _turn(self) -> Turn:
        return self._stand.turn

    def _seen(self) -> int:
        """How many earlier trials of the campaign ran this very configuration."""
        before = self._history.ran(self._hash(self._stand.config))
        return 0 if before is None else before.n

    def _hash(self, config: Config) -> str:
        return config_hash(config, self._hashes.get("evaluator"), self._hashes.get("data"))

    def _lap(self) -> None:
        self._turn.wall_s += (now := self._clock()) - self._mark
        self._mark = now

    def _time(self) -> str:
        return f"{self._now():%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"

    # --- how it is taken up --------------------------------------------------------------------------------------

    def _open(self) -> RunWriter:
        """The run file, begun or taken up with the header that it has."""
        state, standing = self.state, self.workspace.standing()
        if not state.parent:
            state.base, state.tree = dict(self.domain.base), standing.sha
            state.parent = self.workspace.keep(standing, "start")
            job = self.domain.job(self.folder, standing, state.base, 0, "files")
            state.files = dict(job["shas"])
            self.memory.save(sync=True)
        head = regime.header(self.plan, self.domain, self.proposer, self.settings, self._hashes, state.files)
        return open_run(self.folder / RUN, resume=True, now=self._now, **head)

    def _take_in(self) -> None:
        """What the run file says, which is what stands."""
        lines = view.lines(self.folder / RUN)
        places = [i for i, x in enumerate(lines) if x["type"] in LINES]
        self._written = len(places)  # lines of trials and measures
        since = lines[places[-1] + 1 :] if places else []
        heard = {(x["kind"], (x.get("data") or {}).get("rule")) for x in since if x["type"] == "event"}
        trials = [x for x in lines if x["type"] == "trial"]
        self._known = [view.known(x, self.domain.menu, self._hidden) for x in trials[: self.state.trials]]
        kept = next((x for x in reversed(trials[: self.state.trials]) if x["status"] == "kept"), None)
        stands = self.workspace.standing().sha
        allowed = {self.state.tree, self.state.turn.tree if self.state.turn and self.state.turn.kept else ""}
        if stands not in allowed or (kept is not None and kept["tree"] != self.state.tree):
            raise CampaignError(
                f"{self.workspace.root}: holds {stands[:12]}, and the last keep that was recorded is "
                f"{(kept['tree'] if kept else self.state.tree)[:12]}; restore the folder trees/ from a copy"
            )
        self._alarms = Alarms(
            self.plan, self.state, run=self.run, live=follow(self.folder / RUN), time=self._time, heard=heard
        )
        self._history = History.of([self.folder / RUN, *self.plan.history], self.domain.menu)
        settled = places[: self.state.before] if self.state.phase in ("recording", "settling") else places
        self._table = tsv.of(self.domain, self.folder, self.workspace, [lines[i] for i in settled])
        on = self.plan.integrity == "on"
        self._watchman = watched.man(self.workspace, self.domain, self.state.base) if on else None
        self._mark = self._clock()
