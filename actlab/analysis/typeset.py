"""The numbers within a text as they are printed: programs write them in ASCII."""

from __future__ import annotations

import re

POWER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?e)([+-]?)0*(\d+)(?!\w)")
LONG = re.compile(r"(?<![\w.,])\d{5,}(?![\w.])")
MINUS = re.compile(r"(?<![\w)\]])-(?=\d)")


def in_print(text: str) -> str:
    """Write the numbers of a text as they are printed: a minus sign, powers of ten without noughts, thousands apart.

    >>> in_print("z = ∓1e-06, -0.5, 10000 and 1500"), in_print("he_normal, adam-like 2e+06")
    ('z = ∓1e−6, −0.5, 10,000 and 1500', 'he_normal, adam-like 2e6')
    """
    text = POWER.sub(lambda power: power[1] + power[2].replace("+", "").replace("-", "−") + power[3], text)
    text = LONG.sub(lambda whole: f"{int(whole[0]):,}", text)
    return MINUS.sub("−", text)
