"""Values as people write them: powers, suffixes, percents, fractions, tuples. Knows no names."""

from __future__ import annotations

import re

NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
VALUE = rf"{NUMBER}(?:(?:\*\*|\^)[-+]?\d{{1,4}}|(?:/\d{{1,9}}){{1,6}}|[kKMGBx%])?"
TUPLE = r"[(\[][-+0-9.eE_\s]{1,30},[-+0-9.,eE_\s]{0,80}[)\]]"
MOST_BITS = 1024  # of a power

_POWER = re.compile(r"([-+]?\d+(?:\.\d+)?)(?:\*\*|\^)([-+]?\d+)\Z")
_SCALED = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+))([kKMGB%])\Z")
_WHOLE, _PLAIN = re.compile(r"[-+]?\d+\Z"), re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?\Z")
_FACTORS = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9}


def number(text: str, *, binary: bool = False) -> int | float | None:
    """The number that a text means; `binary` where 32K is 2**15, as it is of tokens and batches.

    524K is 2**19 anyway: nobody writes three digits of a power of two by chance.
    """
    text = text.strip().replace("_", "")
    if re.match(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.|\Z)", text):
        text = text.replace(",", "")
    if _WHOLE.match(text):
        return int(text)
    if _PLAIN.match(text):
        return float(text)
    if found := _POWER.match(text):
        return _power(float(found[1]), int(found[2]))
    if (found := _SCALED.match(text)) is None:
        return None
    if found[2] == "%":
        return None if text[0] in "+-" else float(f"{float(found[1]) / 100:.12g}")
    return _scaled(found[1], _FACTORS[found[2]], binary=binary)


def value(text: str, *, binary: bool = False) -> object:
    """The value that a text means: a number, a list of numbers, else the text itself."""
    if text[:1] in "([" and text[-1:] in ")]":
        parts = [number(x) for x in text[1:-1].split(",") if x.strip()]
        return text if any(x is None for x in parts) else parts
    if "/" in text and not text.startswith("/"):
        parts = [number(x) for x in text.split("/")]
        if any(x is None for x in parts):
            return text
        if len(parts) > 2:
            return parts
        over, under = float(parts[0] or 0), float(parts[1] or 0)
        return over / under if under else text
    found = number(text, binary=binary)
    return text if found is None else found


def _power(base: float, exponent: int) -> int | float | None:
    if abs(base) > 64 or abs(exponent) * 6 > MOST_BITS:
        return None
    try:
        found = base**exponent
    except (OverflowError, ZeroDivisionError):
        return None
    return int(found) if found.is_integer() else found


def _scaled(digits: str, factor: int, *, binary: bool) -> int | float:
    plain = float(digits) * factor
    shift = {10**3: 1 << 10, 10**6: 1 << 20, 10**9: 1 << 30}[factor]
    if binary and (float(digits) * shift).is_integer():
        near = int(float(digits) * shift)
        if near > 0 and near & (near - 1) == 0:
            return near
    if len(digits.replace(".", "").lstrip("0")) >= 3:
        power = 1 << round(plain).bit_length() - 1
        places = len(digits.partition(".")[2])
        for near in (power, power * 2):
            exact = near / factor
            if float(digits) in (round(exact, places), int(exact * 10**places) / 10**places):
                return near
    return int(plain) if plain.is_integer() else plain
