"""What a proposal is applied to, worked out from the record of a run, or why that cannot be told.

A guess would let a known configuration pass for a new one, so a base is only taken from a record that leaves no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from trajscope.menu import Menu
from trajscope.pair import Pair, config_hash
from trajscope.trial import Header

REMEDY = "say it with --base"


class Base(NamedTuple):
    """The configuration a proposal changes; where `config` is None, `why` says what is in doubt."""

    config: Mapping[str, Any] | None
    why: str | None = None


class Tried(Protocol):
    """What is asked of a trial; `trial.Trial` is one."""

    @property
    def seq(self) -> int:
        """Its line in the file."""
        ...

    @property
    def status(self) -> str:
        """What came of it."""
        ...

    @property
    def pair(self) -> Pair | None:
        """What it changed."""
        ...

    @property
    def base(self) -> str | None:
        """The identity of what it changed, recorded or inferred."""
        ...

    @property
    def based(self) -> bool:
        """Whether that was recorded."""
        ...

    @property
    def config(self) -> str | None:
        """The identity of what ran."""
        ...


class Incumbent:
    """The base of the next proposal of one run, followed trial by trial."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self._doubt: str | None = None  # about what was kept: it stays
        self._strayed: Tried | None = None  # the latest trial, if it stood elsewhere: the next one may be back
        self._config = header.base
        self._ids = {header.base_id}
        if header.base is None:
            self._doubt = "the run does not record the configuration it starts from"
        else:
            self._ids.add(self._named(header.base))

    def push(self, trial: Tried) -> None:
        """Take in the next trial of the run."""
        if trial.base is not None:
            self._strayed = None if trial.base in self._ids else trial
        if trial.status == "kept" and self._doubt is None:
            self._keep(trial)

    def base(self) -> Base:
        """What the next proposal is applied to."""
        doubt = self._doubt or self._stray()
        return Base(self._config) if doubt is None else Base(None, f"{doubt}; {REMEDY}")

    def _stray(self) -> str | None:
        t = self._strayed
        return None if t is None else f"trial {t.seq} stood on another base ({t.base}) than the latest keep"

    def _keep(self, trial: Tried) -> None:
        """The kept trial's configuration, if the record vouches for it twice: by its base, and by its own hash."""
        assert self._config is not None  # or there was a doubt from the start
        if not trial.based or trial.config is None or trial.pair is None:
            self._doubt = f"trial {trial.seq} was kept, and does not record its base, its changes and its configuration"
        elif self._strayed is not None:
            self._doubt = self._stray()
        else:
            config = {**self._config, **{c.knob: c.value for c in trial.pair.changes}}
            if trial.config != self._named(config):
                self._doubt = (
                    f"trial {trial.seq} was kept as {trial.config}, which is not what its changes make of its base"
                )
            self._config, self._ids = config, {trial.config}

    def _named(self, config: Mapping[str, Any]) -> str:
        return config_hash(config, self.header.evaluator, self.header.data)


def of_menu(menu: Menu) -> Base:
    """The defaults of a menu, for a campaign without history; every knob must have one."""
    missing = [k for k in menu.knobs if k not in menu.defaults]
    if not missing:
        return Base(menu.defaults)
    return Base(None, f"the menu has no default for {', '.join(missing[:4])}{', ...' * (len(missing) > 4)}; {REMEDY}")
