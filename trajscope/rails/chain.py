"""The chain: every check of a proposal, in one order, the first refusal wins.

It never raises and never waves through: a check that fails is a refusal that says which one failed and how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from trajscope.errors import HistoryError, TrajscopeError
from trajscope.menu import Menu
from trajscope.pair import Change, Configs, canon, pair
from trajscope.rails.checks import CODE, Checks
from trajscope.rails.proposal import Proposal, Proposals
from trajscope.verdict import Level, Verdict

if TYPE_CHECKING:
    from trajscope.rails.budget import Budget
    from trajscope.rails.history import History
    from trajscope.rails.lint import Edits
    from trajscope.rails.repeat import Repeat


class Answer(NamedTuple):
    """What the chain says, and the proposal as it was understood, where it was."""

    verdict: Verdict
    proposal: Proposal | None = None

    @property
    def passed(self) -> bool:
        """Whether the proposal may run."""
        return self.verdict.level is Level.PASS

    def __bool__(self) -> bool:
        """The same: an answer that refuses must not count as true."""
        return self.passed


class Rails:
    """The checks of proposals under one menu, one history and one base.

    `base` is the whole configuration that proposals change; after a keep, make new rails with the new one.
    """

    def __init__(
        self,
        menu: Menu | None,
        history: History,
        *,
        base: Mapping[str, object] | None = None,
        evaluator: str | None = None,
        data: str | None = None,
        parent: str | None = None,
        budget: Budget | None = None,
        edits: Edits | None = None,
        repeat: Repeat | None = None,
    ) -> None:
        if repeat is None:
            from trajscope.rails.repeat import Repeat

            repeat = Repeat(history, menu, base=base)
        self.menu, self.history = menu, history
        self._edits, self._budget, self._repeat = edits, budget, repeat
        self._proposals = Proposals(menu)
        self._checks = Checks(menu, base, code=edits is not None)
        self._configs = None if base is None else Configs(base, evaluator, data, parent)
        self._base = None if self._configs is None else self._configs.after()
        self._order: tuple[tuple[str, Callable[[Proposal], Proposal | Verdict | None]], ...] = (
            ("menu", lambda p: self._checks.on_menu(p.pair)),
            ("range", lambda p: self._checks.in_range(p.pair)),
            ("constraint", lambda p: self._checks.constraints(p.pair)),
            ("edit", self._edit),
            ("noop", lambda p: self._checks.no_op(p.pair)),
            ("repeat", self._repeats),
            ("budget", self._costs),
        )

    def check(self, raw: object) -> Verdict:
        """The verdict alone; compare its level, a verdict by itself is always true."""
        return self.ask(raw).verdict

    def ask(self, raw: object) -> Answer:
        """The first refusal of a proposal (JSON text, its bytes, a mapping, or one that was read before), or PASS."""
        rule, found, new = "schema", None, ""
        try:
            read = raw if isinstance(raw, Proposal) else self._proposals.read(raw)
            if not isinstance(read, Proposal):
                return Answer(read)
            found = read
            for name, check in self._order:
                rule = name
                said = check(found)
                if isinstance(said, Proposal):
                    found = said
                elif said is not None:
                    if not _passes(said):
                        return Answer(said, found)
                    new = said.reason
        except HistoryError as error:
            return Answer(Verdict("history", Level.UNKNOWN, _message(error)), found)
        except Exception as error:  # noqa: BLE001  # the surface where whatever fails is a refusal
            failed = f"the {rule} check failed ({_message(error)}), so the proposal is refused unjudged; mend the check"
            return Answer(Verdict(rule, Level.UNKNOWN, failed), found)
        return Answer(Verdict("rails", Level.PASS, f"{found.pair.label} {new}"), found)

    def _edit(self, proposal: Proposal) -> Proposal | Verdict | None:
        """The diff lint; what comes back is the proposal with the hash of its code, where it left that to us."""
        named = [c for c in proposal.pair.changes if self._is_code(c)]
        if proposal.diff is None:
            if not named:
                return None
            return _fails(f"{named[0].knob[:60]!r} is an edit of code and brings no diff; send it as `diff`")
        if self._edits is None:
            why = "nobody declared which files may be edited; give the rails Edits, or leave the diff out"
            return Verdict("edit", Level.UNKNOWN, f"the proposal brings a diff, and {why}")
        from trajscope.rails.code import names_code

        judged = self._edits.judge(proposal.diff)
        if judged.refusal is not None:
            return judged.refusal
        if judged.same:
            return Verdict("noop", Level.FAIL, "the edit changes only layout, comments or docstrings; change what runs")
        for c in named:
            if judged.print is None and c.value is None:
                why = "brings no hash, and without the files none can be worked out; give Edits a root"
                return Verdict("edit", Level.UNKNOWN, f"{c.knob[:60]!r} {why}")
            if judged.print is not None and c.value is not None and not names_code(c.value, judged.hashes):
                return _fails(
                    f"{c.knob[:60]!r} is said to become {c.value!s:.16}, and the diff makes it {judged.print[:16]}; "
                    "send the hash of what comes out, or null"
                )
        if not any(c.value is None for c in named):
            return None
        whole = [canon(c.knob, judged.print, known=c.known) if self._is_code(c) else c for c in proposal.pair.changes]
        return proposal._replace(pair=pair(whole))

    def _is_code(self, change: Change) -> bool:
        knob = self.menu.find(change.knob) if self.menu is not None else None
        return change.knob.startswith(CODE) or (knob is not None and knob.type == "code")

    def _repeats(self, proposal: Proposal) -> Verdict:
        self.history.refresh()
        config = None if self._configs is None else self._configs.after(proposal.pair.changes)
        said = self._repeat.check(proposal, self._base, config)
        _passes(said)  # it has to say something: None means nothing against it only in our own checks
        return said

    def _costs(self, proposal: Proposal) -> Verdict | None:
        return None if self._budget is None else self._budget.check(self.history.spent)


def _passes(said: object) -> bool:
    """Whether a check let the proposal through; what is no verdict is a fault of the check."""
    if not isinstance(said, Verdict) or not isinstance(said.level, Level):
        raise TrajscopeError(f"it answered {type(said).__name__} and no verdict")
    return said.level in (Level.PASS, Level.WARN)


def _fails(why: str) -> Verdict:
    return Verdict("edit", Level.FAIL, why)


def _message(error: Exception) -> str:
    """What an error says, whatever its text does."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # an error whose text fails is still an error
        text = ""
    return text[:300] if isinstance(error, TrajscopeError) else f"{type(error).__name__}: {text[:200]}".rstrip(": ")
