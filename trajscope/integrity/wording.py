"""The words that carry a rule, and which changes of wording leave a sentence as strong as it was.

A table of words, no grammar. What it does not know it does not call harmless.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Kind = Literal["asks", "forbids", "permits", "demands", "declared", "undoes"]

# One spelling for what means the same.
_SAME = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), same)
    for pattern, same in (
        (r"cannot|can't|can not", "can not"),
        (r"won't", "will not"),
        (r"shan't", "must not"),
        (r"(\w+)n't", r"\1 not"),
        (r"(?:has|have|needs?|is required|are required|is obliged|are obliged) to|shall", "must"),
        (r"(?:is|are) (?:mandatory|obligatory|compulsory)", "is required"),
        (r"(?:is|are) (?:forbidden|prohibited|disallowed|not allowed|not permitted)", "is forbidden"),
        (r"prior to", "before"),
    )
)
_EMPHASIS = re.compile(r"`|(?<![^\W_])[*_]+(?=[^\W_])|(?<=[^\W_])[*_]+(?![^\W_])")
_WORD = re.compile(r"[^\W_]+(?:[-_./:@#'][^\W_]+)*|[<>=]+|\$|%|\*")

NEGATIONS = frozenset(
    "not no never none neither nor without nicht kein keine keinen nie niemals ne pas jamais aucun nunca ningun".split()
)
MODALS = frozenset(
    "must should may might can could will would allowed permitted forbidden required muss müssen darf dürfen soll "
    "sollte doit doivent peut debe deben puede".split()
)
SCOPE = frozenset(
    "only always all any every each unless except until before after if when whenever while once first and or "
    "but either both instead least most more less than at immer nur bevor vor toujours seulement avant siempre "
    "antes".split()
)
ACTS = frozenset(
    "ask asks asking asked confirm confirms confirmation confirmed confirming approve approves approval approved "
    "permission permissions consent sign-off signoff review reviewed verify verifies check checks warn refuse stop "
    "halt wait pause abort reject prohibit forbid forbids ban disallow deny avoid refrain allow allows permit permits "
    "grant grants require requires mandatory ensure sure caution careful escalate decide decides go-ahead hold yes "
    "fragen frage bestätigen bestätigung erlaubnis genehmigung demander confirmer autorisation preguntar confirmar "
    "permiso".split()
)
# Who is named in an instruction is mostly named because something is theirs to decide.
PEOPLE = frozenset(
    "user users human humans person people somebody someone owner owners maintainer maintainers operator reviewer "
    "supervisor admin colleague manager team on-call finance legal".split()
)
# What is to be handled with care, and the words for doing so.
CARE = frozenset(
    "nothing nobody nowhere outside inside within stay stays alone untouched intact hands off-limits limit limits "
    "limited restrict restricted preserve protect protected stable dry-run back-up backup rollback irreversible "
    "destructive dangerous risky secret secrets credential credentials password passwords private confidential "
    "sensitive production prod read-only readonly budget dollars dollar eur usd spend free manual manually "
    "eyes doubt warning rights licence license".split()
)
CONTROL = NEGATIONS | MODALS | SCOPE | ACTS
# Words that may come and go: they carry nothing.
IDLE = frozenset(
    "a an the please kindly just also then so very really simply that which your you it its is are be".split()
)
# One of these alone makes no rule: "when it can run" guards nothing, "ask when it can run" does.
_WEAK = SCOPE | frozenset(
    "can could may might will would should check checks review reviewed sure soll peut puede".split()
)
_GUARDING = (CONTROL - _WEAK) | PEOPLE | CARE
_RULES = re.compile(
    r"""\b(?: (?:may|can|could) \s (?:you|i|only|be|run|use|read|write|edit|delete|call|access|push|send|not)
    | should | only \s (?:if|when|after|once|with|use|read|edit|run|the)
    | at \s (?:most|least) | no \s more \s than | before | unless | until | except
    | make \s sure | double.check | check \s (?:in \s )?with | review \w* \s (?:by|with|from) | back \s up | dry \s run
    | (?:off|no) \s limits | read \s only | go \s ahead | green \s light | ahead \s of | (?:prompt|let) \s the
    | leave \s .* \s alone )\b
    | 不要 | 禁止 | 必须 | 不得 | 确认 | 询问 | してはいけない | 確認 | нельзя | \bне\b | подтверд""",
    re.VERBOSE,
)
KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "forbids",
        re.compile(
            r"\b(?:(?:do|does|must|may|can|should|will|are|is) not|never|avoid|no)\b|\b(?:forbid|prohibit|disallow)"
        ),
    ),
    ("asks", re.compile(r"\b(?:ask|confirm|approv|consent|sign-?off|wait|pause|check with)")),
    ("permits", re.compile(r"\b(?:permi|allow|grant|may\b|can\b)")),
    ("demands", re.compile(r"\b(?:must|always|requir|before|ensure|verif|should|only)")),
)
# What a sentence says that takes another one back.
UNDOES = re.compile(
    r"""\b(?: (?:ignore|skip|bypass|disregard|override|overrule|omit) | no \s longer
    | auto-?(?:approve|confirm|accept)\w*
    | without \s (?:asking|confirm\w*|approval|permission|review\w*|waiting|consent)
    | (?:not|never) \s (?:(?:need \s to|must|have \s to) \s)? (?:ask|confirm|wait|check)
    | no \s need \s (?:to|for)
    | (?:confirmation|approval|permission|review) \s is \s (?:not|optional|unnecessary) | optional(?:ly)?
    | assume \s (?:yes|approval|permission|consent) | regardless \s of | except \s (?:when|if|for) | yolo )\b""",
    re.VERBOSE,
)


def words(text: str) -> tuple[str, ...]:
    """The words of a sentence in one spelling, without emphasis, punctuation and contractions."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    text = _EMPHASIS.sub("", text)
    for pattern, same in _SAME:
        text = pattern.sub(same, text)
    return tuple(_WORD.findall(text))


def control(own: tuple[str, ...]) -> bool:
    """Whether a sentence asks, confirms, forbids, demands or permits."""
    return any(w in _GUARDING for w in own) or _RULES.search(" ".join(own)) is not None


def harmless(old: tuple[str, ...], new: tuple[str, ...]) -> bool:
    """Whether two wordings differ only in words that carry nothing, a mended typo, or a stronger `should`."""
    a, b = ([w for w in side if w not in IDLE] for side in (old, new))
    if len(a) != len(b) or not a:
        return False
    return all(x == y or _same_word(x, y) for x, y in zip(a, b, strict=True))


def _same_word(old: str, new: str) -> bool:
    if (old, new) == ("should", "must"):
        return True
    if old in CONTROL or any(not c.isalpha() for c in old + new):
        return False
    if sorted(old) == sorted(new):
        return len(old) > 2  # two letters the wrong way round
    short, long = sorted((old, new), key=len)
    if new in CONTROL or len(short) < 4:
        return False
    return long in {short + "s", short + "es"} or _one_slip(short, long)


def _one_slip(short: str, long: str) -> bool:
    """Whether one letter too many, missing or wrong tells two long words apart, and not their first one."""
    if len(short) < 6 or short[0] != long[0] or len(long) - len(short) > 1:
        return False
    at = next((i for i, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    return short[at:] == long[at + 1 :] or (len(short) == len(long) and short[at + 1 :] == long[at + 1 :])
