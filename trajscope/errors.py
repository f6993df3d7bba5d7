"""Every exception trajscope raises on purpose.

TrajscopeError
├── SourceError      a file cannot be read as a trajectory
│   └── ForeignError no reader knows its content: among many files it is somebody else's, alone it is a mistake
├── MenuError        a menu contradicts itself or cannot be understood
├── RecordError      a record breaks the file contract (writing only: reading never raises on foreign bytes)
├── LockedError      somebody else is writing this run
├── SettingsError    a setting is unknown or has the wrong type
├── DiffError        a text is no unified diff, or one that cannot be understood whole
├── HistoryError     the history of a campaign cannot be trusted, so a rail refuses everything
├── GateError        a keep gate is declared so that it could not refuse: said before anything is paid for
│   └── GuardVacuousError  a guard that lets a known-bad predictor pass
├── IntegrityError   what runs cannot be shown to be what was proposed
├── CASConflict      a file is not what its writer thought to replace; nothing was written
├── CorpusError      no corpus can be made of these runs in this way
│   ├── PolicyError  a policy lacks a threshold, or names one that there is not
│   └── RefusedError the gate does not let this corpus be built
└── QueryError       a SQL query is not allowed or does not run
"""

from __future__ import annotations

from typing import Any


class TrajscopeError(Exception):
    """What happened, where, and what to do about it, in one line."""


class SourceError(TrajscopeError):
    """A file cannot be read as a trajectory."""


class ForeignError(SourceError):
    """No reader knows the content of a file."""


class MenuError(TrajscopeError):
    """A menu contradicts itself or cannot be understood."""


class RecordError(TrajscopeError):
    """A record breaks the file contract."""


class LockedError(TrajscopeError):
    """Somebody else is writing this run."""


class SettingsError(TrajscopeError):
    """A setting is unknown or has the wrong type."""


class QueryError(TrajscopeError):
    """A SQL query is not allowed or does not run."""


class CorpusError(TrajscopeError):
    """No corpus can be made of these runs in this way."""


class PolicyError(CorpusError):
    """A policy lacks a threshold, or names one that there is not."""


class RefusedError(CorpusError):
    """The gate does not let this corpus be built. `gate` is its answer."""

    gate: Any = None


class DiffError(TrajscopeError):
    """A text is no unified diff, or one that cannot be understood whole."""


class HistoryError(TrajscopeError):
    """The history of a campaign cannot be trusted."""


class GateError(TrajscopeError):
    """A keep gate is declared so that it could not refuse."""


class GuardVacuousError(GateError):
    """A guard that lets a known-bad predictor pass."""


class IntegrityError(TrajscopeError):
    """What runs cannot be shown to be what was proposed."""


class CASConflict(TrajscopeError):  # noqa: N818  # the word everybody knows it by
    """A file is not what its writer thought to replace; nothing was written."""
