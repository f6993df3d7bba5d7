"""Keys: found in the environment, never recorded, taken out of every text that leaves a proposer.

Knows names of variables and no provider. What looks like a secret in the environment is redacted wherever it turns up,
whether a proposer uses it or not: a server may echo a header, a command may print what it was given.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from trajscope_loop.errors import ProposerError

GONE = "[redacted]"
NONE = "none"  # what is sent where a server asks for no key, since the SDK wants one
LEAST = 8  # letters of a value that is taken for a secret; a shorter one would blank out ordinary words
WORD = 16  # letters from which a plain word is taken for one: RAY_TOKEN_MODE=disabled names no secret
# Words of a variable's name: KEY is one, the KEY of KEYBOARD is none.
_SECRET = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)S?(?:_|$|\d)", re.IGNORECASE)
_ALWAYS = re.compile(r"SECRET|PASSW", re.IGNORECASE)  # people choose words for these
# What keys look like that no variable of ours holds: another's, or one that a server shows in part. Only for sentences:
# in code it would hit names.
_LOOKS = re.compile(
    r"\b(?:sk|nvapi|hf|xai|gsk|AIza|ghp|github_pat)[-_][A-Za-z0-9_\-*.]{6,}|(?<=Bearer )[^\s\"'\\,;]{4,}"
)


def found(name: str, what: str) -> str:
    """The key in this variable of the environment."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise ProposerError(f"{what}: the environment holds no {name}; export it, or name another variable by key_env")
    return value


def secrets() -> tuple[str, ...]:
    """Every value of the environment that is taken for a secret."""
    named = ((k, v.strip()) for k, v in os.environ.items() if _SECRET.search(k))
    return tuple(v for k, v in named if len(v) >= LEAST and (not v.isalpha() or len(v) >= WORD or _ALWAYS.search(k)))


def redacted(text: str, also: Iterable[str] = (), *, sentence: bool = False) -> str:
    """The text without keys, also where they are spelt for an address or for JSON.

    In a `sentence`, which nothing is built from, what merely looks like a key goes too.
    """
    for secret in sorted({*secrets(), *also}, key=len, reverse=True):  # the longest first: one may begin with another
        if len(secret) < LEAST:
            continue
        for spelt in (secret, quote(secret, safe=""), secret.replace("\\", "\\\\").replace('"', '\\"')):
            text = text.replace(spelt, GONE)
    return _LOOKS.sub(GONE, text) if sentence else text


def address(url: str, what: str) -> str:
    """The address of a server, which is recorded and so may hold no password."""
    try:
        parts = urlsplit(url)
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        right = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        plain, right = True, False
    if not plain:
        raise ProposerError(
            f"{what}: base_url may hold no user, password or query; it is recorded. Name a key by key_env"
        )
    if not right:
        raise ProposerError(f"{what}: base_url is no address of a server; write http://HOST:PORT/v1, or https://")
    return url.rstrip("/")
