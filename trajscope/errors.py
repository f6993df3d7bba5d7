"""Every exception trajscope raises on purpose.

TrajscopeError
├── SourceError      a file cannot be read as a trajectory
│   └── ForeignError no reader knows its content: among many files it is somebody else's, alone it is a mistake
├── MenuError        a menu contradicts itself or cannot be understood
├── RecordError      a record breaks the file contract (writing only: reading never raises on foreign bytes)
├── LockedError      somebody else is writing this run
├── SettingsError    a setting is unknown or has the wrong type
└── QueryError       a SQL query is not allowed or does not run
"""

from __future__ import annotations


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
