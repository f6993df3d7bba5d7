"""What becomes of a job that did not end well: which kind of failure it is, said in one line that holds no key.

Knows no domain. A failure that fits no kind is `crashed`, with the last words of the program.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Mapping

from trajscope_loop.confine import Ended
from trajscope_loop.seams import Job, Result, Status

REFUSED = 97  # the exit code of a child that found other bytes than were hashed
NEAR = 0.8  # of the memory limit: who was killed beyond this share was killed for it
MOST = 400  # letters of an error
_MEMORY = re.compile(
    r"MemoryError|OutOfMemoryError|std::bad_alloc|[Cc]annot allocate memory|can't allocate memory|CUDA out of memory"
)
_IMPORT = re.compile(r"(?:ModuleNotFoundError|ImportError|SyntaxError|IndentationError|TabError)\b")
_MISSING = re.compile(r"No module named '(\w+)")
EXTRAS = {"torch": "torch"}  # what a domain of ours may lack, by the extra that brings it
_NAN = re.compile(r"FloatingPointError\b|(?i:\b(?:nan|infinite|non-?finite)\b)")
_KEY = re.compile(
    r"(?:sk|pk|rk|ak|as|gh[pousr]|github_pat|hf|xox[abp]|AKIA|AIza|nvapi|glpat)[-_]?[A-Za-z0-9_-]{12,}"
    r"|(?i:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"
    r"|(?i:(?:api[_-]?key|token|secret|password|authorization)['\"]?\s*[=:]\s*['\"]?(?:bearer\s+|basic\s+)?)[^\s'\",;]{6,}"
)
_SECRET = re.compile(r"(?i)(?:^|_)(?:(?:api|access|private)?key|token|secret|passw(?:or)?d|credentials?|auth)s?(?:_|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
_TRACE = re.compile(r"^(?:\s|Traceback |During handling|The above exception)")


def of_ended(ended: Ended, timeout_s: float, memory_mb: int | None) -> tuple[Status, str] | None:
    """The failure of a program that ended, None where it ended well."""
    words = last_words(ended.err)
    if ended.timed_out:
        return "timeout", f"not done after {timeout_s:g} s; it was ended with all that it had started"
    if ended.code == 0:
        return None
    if ended.code == REFUSED:
        return "tampered", words or "the child found other bytes than were hashed"
    if ended.code is None:
        return "crashed", f"its supervisor was ended from outside{_after(words)}"
    if _MEMORY.search(words):
        return "oom", _limit(words, memory_mb)
    if ended.code == -signal.SIGKILL and _full(ended.peak_mb, memory_mb):
        return "oom", _limit(f"killed at {ended.peak_mb:.0f} MB", memory_mb)
    if ended.code < 0:
        return "crashed", f"ended by {_signal(-ended.code)}{_after(words)}"
    if _IMPORT.match(words):
        lacks = _MISSING.search(words)
        extra = EXTRAS.get(lacks[1]) if lacks else None
        return "import", f"{words}; pip install 'trajscope[{extra}]'" if extra else words
    if _NAN.search(words):
        return "nan", words
    return "crashed", words or f"ended with exit code {ended.code} and said nothing"


def last_words(err: bytes) -> str:
    """What a program said last: the exception of a Python program, else its last lines; on one line, without keys."""
    lines = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    said = [line for line in lines if not _TRACE.match(line)]
    last = said[-1:] if any(line.startswith("Traceback ") for line in lines) else said[-3:]
    return redacted(" | ".join(line.strip() for line in last))


def redacted(text: str, environment: Mapping[str, str] | None = None) -> str:
    """A text on one short line, without what looks like a key and without the values of the keys in our environment."""
    for name, value in (os.environ if environment is None else environment).items():
        if secret(name) and len(value) >= 8:
            text = text.replace(value, "[removed]")
    text = _KEY.sub("[removed]", _CONTROL.sub(" ", text)).strip()
    return text if len(text) <= MOST else f"{text[: MOST // 2 - 2]} ... {text[-MOST // 2 + 3 :]}"


def secret(name: str) -> bool:
    """Whether an environment variable of this name holds a key."""
    return _SECRET.search(name) is not None


def failed(job: Job, status: Status, error: str, *, wall_s: float = 0.0) -> Result:
    """The result of a job that has none."""
    return Result(
        key=job["key"],
        seed=job["seed"],
        status=status,
        metrics={},
        holdout={},
        wall_s=wall_s,
        code_sha=None,
        effective=None,
        effective_config_sha=None,
        data_sha=None,
        predictions_sha=None,
        first_step=None,
        host=socket.gethostname(),
        error=redacted(error) or status,
    )


def _full(peak_mb: float | None, memory_mb: int | None) -> bool:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return peak_mb is not None and peak_mb >= NEAR * min(memory_mb or total, total)


def _limit(words: str, memory_mb: int | None) -> str:
    return f"{words} (its limit is {memory_mb} MB)" if memory_mb else f"{words} (no limit was set)"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _after(words: str) -> str:
    return f"; it said last: {words}" if words else ""
