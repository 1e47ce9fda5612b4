"""Names and numbers as people read them: the end of the message where a name is unknown, lists, all digits.

Whatever a message quotes of a request goes through ``brief`` or ``shortened``: it may be of any length.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable
from reprlib import Repr
from typing import Any

from actlab.aliases import close, same

MOST_SHOWN = 100
"""Characters of a value in a message."""
MOST_NAME = 60
"""Characters of each of several names."""
MOST_LINES, MOST_LINE, MOST_MESSAGE = 20, 1000, 2000
"""Lines of a message; characters of each, where a path may be longer than a value, and of all."""
MOST_LISTED = 12
MOST_DRAWN = 40  # letters of a name in a picture: longer ones leave no room for the panels
LONGEST = 110  # bytes of a file's name that is made of settings: file systems take 255, some that encrypt names 143

PRINTER = Repr()
PRINTER.maxstring = PRINTER.maxlong = PRINTER.maxother = MOST_SHOWN


def nearest(name: object, valid: Iterable[object]) -> str:
    """End an error message about an unknown name: with the valid one that is nearest, else with all of them.

    Case, hyphens and what others call the same thing are seen through (see ``aliases``); a valid name that begins with
    the unknown one is near, however much longer it is.

    >>> nearest("reulu", ["relu", "tanh"]), nearest("x", ["relu", "tanh"]), nearest("z", ["z_MxW"]), nearest("x", [])
    ("; did you mean 'relu'?", '; choose from relu, tanh', "; did you mean 'z_MxW'?", '; there is none')
    """
    text, names = str(name)[:MOST_SHOWN], list(dict.fromkeys(map(str, valid)))
    ends = [one for one in names if one.endswith(f"_{text.lower()}")]  # of several by that word, none is nearer
    if found := same(text, names) or (len(ends) < 2 and close(text, names)):
        return f"; did you mean '{shortened(found)}'?"
    names = ends or names
    if not names:
        return "; there is none"
    more = f", ... ({len(names)} in all)" if len(names) > MOST_LISTED else ""
    return f"; choose from {', '.join(shortened(one, MOST_NAME) for one in names[:MOST_LISTED])}{more}"


def shortened(text: str, most: int = MOST_SHOWN) -> str:
    """Leave out the middle of a long text, and write what a terminal would obey, or cannot encode, as an escape.

    >>> shortened("relu"), shortened("x" * 5000, 30), shortened("a\\x1bb\\n")
    ('relu', 'xxxx[4,992 characters]xxxx', 'a\\\\x1bb\\\\n')
    """
    if len(text) > most:
        kept = max((most - 22) // 2, 0)
        text = f"{text[:kept]}[{len(text) - 2 * kept:,} characters]{text[len(text) - kept :]}"
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def brief(value: Any) -> str:
    """Write a value as Python does, at most ``MOST_SHOWN`` characters of it.

    >>> brief("fast"), brief([1, 2]), brief("x" * 5000)[30:60]
    ("'fast'", '[1, 2]', 'xxxxxxxxxx[4,922 characters]xx')
    >>> len(brief([["x" * 99] * 99] * 99)) <= MOST_SHOWN
    True
    """
    if isinstance(value, str):
        value = shortened(value)
        return f"'{value}'" if "'" not in value else f'"{value}"'
    try:
        return shortened(PRINTER.repr(value))
    except ValueError:  # a whole number of more digits than Python writes
        return "a number of thousands of digits"


def message(text: str) -> str:
    """Fit a whole message on one screen, line by line; escapes as in ``shortened``.

    >>> message("a\\nb"), message("\\n".join("x" * 30)).splitlines()[-1]
    ('a\\nb', '... and 10 more lines')
    """
    lines = [shortened(line, MOST_LINE) for line in text.split("\n")]
    sizes = itertools.accumulate(len(line) + 1 for line in lines)
    fits = sum(size <= MOST_MESSAGE and number < MOST_LINES for number, size in enumerate(sizes))
    kept, hidden = lines[:fits], len(lines) - fits
    return "\n".join([*kept, *([f"... and {counted(hidden, 'more line')}"] if hidden else [])])


def file_stem(name: str) -> str:
    """Shorten a name that a file is to have, where it is longer than file systems take: its beginning, and a hash.

    >>> file_stem("dead-depth=2"), file_stem("a" * 300)[95:], file_stem("a" * 301)[95:]
    ('dead-depth=2', 'aa-9835fa6bf4e2', 'aa-eb22b48c636c')
    """
    content = name.encode()
    if len(content) <= LONGEST:
        return name
    begin = content[: LONGEST - 13].decode(errors="ignore")
    return f"{begin}-{hashlib.sha256(content).hexdigest()[:12]}"


def drawn_name(name: str, most: int = MOST_DRAWN) -> str:
    """Write a name as a picture has room for, without what Matplotlib would take for a formula; parameters are kept.

    >>> drawn_name("relu"), drawn_name("a$b"), drawn_name("long" * 20 + "er")
    ('relu', 'a\\\\$b', 'longlonglonglonglo…nglonglonglonger')
    >>> drawn_name("act.py:" + "long" * 20 + "(slope=0.25)")
    'act.py:longl…nglonglong(slope=0.25)'
    """
    head, bracket, parameters = name.partition("(")
    kept = bracket + parameters if len(parameters) <= most // 2 else ""
    head = head if kept else name
    if len(name) > most:
        room = most - 6 - len(kept)
        head = f"{head[: room - room // 2 + 1]}…{head[len(head) - room // 2 + 1 :]}" if len(head) > room else head
    return " ".join((head + (kept if head != name else "")).replace("$", r"\$").split("\n"))


def few_digits(name: str) -> str:
    """Round the numbers of a name to four digits.

    >>> few_digits("leaky_relu(negative_slope=0.3333333333333333)"), few_digits("f(a=1e-07,b=1.23456e-07)")
    ('leaky_relu(negative_slope=0.3333)', 'f(a=1e-07,b=1.235e-07)')
    """
    return re.sub(r"(?<==)-?\d+\.\d{4,}(?:e[-+]?\d+)?", lambda number: f"{float(number[0]):.4g}", name)


def in_brief(texts: Iterable[str]) -> dict[str, str]:
    """Write settings with four digits of their numbers, or with all where these would not tell them apart.

    >>> in_brief(["0.3333333333333333", "0.1"]), in_brief(["1.00001", "1.00002"])
    ({'0.3333333333333333': '0.3333', '0.1': '0.1'}, {'1.00001': '1.00001', '1.00002': '1.00002'})
    """
    full = list(dict.fromkeys(texts))
    short = [few_digits(f"={one}").removeprefix("=") for one in full]
    return dict(zip(full, short if len(set(short)) == len(full) else full, strict=True))


def show(value: Any) -> str:
    """Write a number as a person would, all of its digits; several, one a layer, between slashes.

    >>> show(0.2), show(2.0), show(1 / 3), show(True), show("unit"), show((0.3, 0.25))
    ('0.2', '2', '0.3333333333333333', 'true', 'unit', '0.3/0.25')
    """
    if isinstance(value, tuple) and value and all(type(one) is float for one in value):
        return "/".join(map(show, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def listed(names: Iterable[object], most: int = 5, longest: int = MOST_NAME) -> str:
    """Name some things, the first ones where they are many, each shortened where it is longer than so.

    >>> listed("abc"), listed("abcdefg", 3)
    ('a, b, c', 'a, b, c and 4 more')
    """
    texts = [shortened(str(name), longest) for name in names]
    hidden = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + hidden


def counted(number: int, thing: str, things: str = "") -> str:
    """Write how many there are of something: one run, two runs.

    Args:
        number: how many.
        thing: what one is called.
        things: what several are called, if not by an s at the end.

    >>> counted(1, "run"), counted(0, "run"), counted(2, "batch", "batches"), counted(1200, "row")
    ('1 run', '0 runs', '2 batches', '1200 rows')
    """
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


def as_yaml(text: str) -> str:
    """Write a text as it stands in a YAML file: quoted where it would be something else without.

    >>> print(as_yaml("id"), as_yaml("#"), as_yaml("Unnamed: 0"), as_yaml("\\t"), as_yaml("null"))
    id "#" "Unnamed: 0" "\\t" "null"
    """
    plain = re.fullmatch(r"[^\W\d][\w.-]*", text) and text.lower() not in (
        "null",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
    )
    return text if plain else json.dumps(text, ensure_ascii=False)


def in_units(number: float) -> str:
    """Write a number of bytes as a person would.

    >>> in_units(300), in_units(2_345_678), in_units(3e12)
    ('300 bytes', '2.3 MB', '3 TB')
    """
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:.2g} {unit}" if number < 100 * factor else f"{number / factor:,.0f} {unit}"
    return f"{number:.0f} bytes"
