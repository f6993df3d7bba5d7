"""Every exception the loop raises on purpose.

TrajscopeError
└── LoopError          a campaign cannot go on as it was asked to
    ├── ProposerError  a proposer gave no proposal, or cannot be asked
    ├── DomainError    a domain is declared wrongly, or a candidate of it cannot be made or measured
    ├── ExecutorError  jobs cannot be run where they were to run
    └── CampaignError  a campaign's folder or state is not what it must be
"""

from __future__ import annotations

from trajscope import TrajscopeError


class LoopError(TrajscopeError):
    """A campaign cannot go on as it was asked to."""


class ProposerError(LoopError):
    """A proposer gave no proposal, or cannot be asked. Its text holds no key."""


class DomainError(LoopError):
    """A domain is declared wrongly, or a candidate of it cannot be made or measured."""


class ExecutorError(LoopError):
    """Jobs cannot be run where they were to run."""


class CampaignError(LoopError):
    """A campaign's folder or state is not what it must be."""
