r"""How wide our LaTeX is in Computer Modern at the size of the tables, and where it may be broken.

Tables are laid out without TeX at hand, so widths are added up here. Only what ``escaping.tex`` and the catalogue's
formulas write is known: ASCII, accents, and a few commands. A width may be too large by a little, never too small.
"""

from __future__ import annotations

import re
from functools import lru_cache

QUAD = 8.5
"""The quad of cmr8, in points: widths are thousandths of it."""
SPACE = 0.354 * QUAD

# cmr8's widths, in thousandths of its quad, by width; other characters are as wide as a digit.
LETTERS = {
    354: " ",
    279: "il.,:;!'`|",
    308: "[]fj",
    334: "-",
    362: "I",
    396: "()trs",
    446: "cez",
    502: "ago/*0123456789?\"'\\^~$",
    557: "bdhnpquvkxyS",
    654: "FL",
    685: "EPJ",
    786: "ABCDRTUVXYZGHKNOQ+=<>w@&",
    840: "m%#",
    920: "M",
    1030: "W",
}
LETTER = {one: width for width, ones in LETTERS.items() for one in ones}
COMMAND = {"_": 400, "{": 501, "}": 501, "textless": 778, "textgreater": 778, "textbar": 278, "allowbreak": 0}
FONTS = {"textbf": 1.19, "emph": 1.14, "texttt": 1.0}
TYPEWRITER = 501

TOKEN = re.compile(
    r"\\allowbreak\{\}|\\(?P<accent>['`^\"~=.]|[Hurdcbv](?=\{))\{(?:[^{}]|\{[^{}]*\})*\}|\\(?P<font>textbf|texttt|emph)\{"
    r"|\\(?P<command>[A-Za-z]+)(?:\{\})?|\\(?P<escaped>.)|\$(?P<maths>[^$]*)\$|(?P<other>.)",
    re.DOTALL,
)
OPENERS = re.compile(r"(?<=[\[(]) | (?=[\])])")


@lru_cache(maxsize=65536)
def pieces(latex: str) -> tuple[float, ...]:
    r"""Measure what TeX does not break: the words of a text, in points.

    >>> [round(width) for width in pieces(r"0 of 20 trained: \texttt{relu} $1.1\times10^{-19}$")]
    [4, 7, 9, 29, 17, 46]
    """
    found, now = [], 0.0
    for token, width in measured(latex):
        if token in (" ", r"\allowbreak{}"):
            found.append(now)
            now = max(width - SPACE, 0.0)  # a typewriter's space is wider
        else:
            now += width
    return tuple(one for one in (*found, now) if one) or (0.0,)


def lines(latex: str, width: float) -> int:
    """Count the lines of a text in a column of some width.

    >>> lines("0.972 [0.970,~0.974]", 50.0), lines("0.972 [0.970,~0.974]", 90.0)
    (2, 1)
    """
    count, at = 1, 0.0
    for piece in pieces(latex):
        if at and at + SPACE + piece > width:
            count, at = count + 1, piece
        else:
            at = at + SPACE + piece if at else piece
    return count


def natural(latex: str) -> float:
    """Measure a text on one line, in points."""
    return sum(pieces(latex)) + SPACE * (len(pieces(latex)) - 1)


def measured(latex: str) -> list[tuple[str, float]]:
    """Cut a text into what TeX sets as one, each with its width in points; a brace that closes a font has none."""
    fonts: list[str] = []
    found = []
    for match in TOKEN.finditer(latex):
        token, kind = match[0], match.lastgroup
        scale = QUAD / 1000
        for font in fonts:
            scale *= FONTS.get(font, 1.0)
        if kind == "font":
            fonts.append(match["font"])
            found.append((token, 0.0))
        elif token in "{}":
            if token == "{":
                fonts.append("")
            elif fonts:
                fonts.pop()
            found.append((token, 0.0))
        elif kind == "maths":
            found.append((token, of_maths(match["maths"])))
        elif kind is None:
            found.append((token, 0.0))
        else:
            known = COMMAND.get(match["command"] or match["escaped"] or "")
            width = (
                known if known is not None else LETTER.get(match["escaped"] or token, 557 if kind == "accent" else 502)
            )
            if "texttt" in fonts:
                width = max(TYPEWRITER, known or 0)
            found.append((token, width * scale))
    return found


def broken(latex: str, most: float) -> str:
    r"""Allow breaks in words that are wider than so: behind punctuation, and where that is not enough anywhere.

    >>> print(broken(r"\texttt{leaky\_relu(negative\_slope=0.2)}", 60.0))
    \texttt{leaky\_\allowbreak{}relu(\allowbreak{}negative\_\allowbreak{}slope=\allowbreak{}0.\allowbreak{}2)}
    """
    if max(pieces(latex)) <= most:
        return latex
    out, word = "", []
    for token, width in [*measured(latex), (" ", 0.0)]:
        if token != " ":
            word.append((token, width))
            continue
        out += in_parts(word, most) + " "
        word = []
    return out[:-1]


def in_parts(word: list[tuple[str, float]], most: float) -> str:
    """Allow breaks in one word where it is wider than so."""
    if sum(width for _, width in word) <= most:
        return "".join(token for token, _ in word)
    text, run = "", 0.0
    for i, (token, width) in enumerate(word):
        if run + width > most and run:
            text, run = text + r"\allowbreak{}", 0.0
        text, run = text + token, run + width
        inside = i + 1 < len(word) and word[i + 1][0] not in ("}", r"\allowbreak{}")
        if token in (r"\_", *"(=,/.:-;") and inside:
            text, run = text + r"\allowbreak{}", 0.0
        elif token == r"\allowbreak{}":
            run = 0.0
    return text


# Between what stands at both sides of a sign in a formula there is as much space again as a letter or two.
SIGNS = re.compile(r"\\(?:times|geq|leq|le|ge|to|pm|mp|cdot|in|approx|equiv)$|^[=<>+-]$")
NAMES = ["max", "min", "exp", "tanh", "log", "ln", "sin", "cos", "sinh", "cosh", "erf", "arctan"]
WIDE = (r"\to",)
MATHS = {r"\infty": 950, r"\surd": 800, r"\sqrt": 800} | {
    rf"\{one}": 800 for one in ["Delta", "Theta", "Pi", "Upsilon", "Psi", "Sigma", "Phi", "Omega", "sim"]
}
PART = re.compile(r"\\[A-Za-z]+|\\.|[^\s]")


def of_maths(formula: str) -> float:
    r"""Measure a formula in points.

    >>> round(of_maths("-")), round(of_maths(r"\frac{1}{1+e^{-z}}"))
    (7, 29)
    """
    parts = PART.findall(formula)
    return group(parts, alone=len(parts) == 1)


def group(parts: list[str], alone: bool = False) -> float:
    """Measure the parts of a formula, and take them away."""
    total = 0.0
    while parts:
        part = parts.pop(0)
        if part == "{":
            parts.insert(0, part)
            total += group(argument(parts))
        elif part in "^_" and parts:
            total += 0.52 + 0.87 * group([parts.pop(0)] if parts[0] != "{" else argument(parts), alone=True)
        elif part in (r"\frac", r"\tfrac", r"\dfrac"):
            both = [group(argument(parts)) for _ in range(2)]
            total += 0.87 * max(both) + 3.0
        elif part in (r"\mathrm", r"\operatorname", r"\mbox", r"\mathbf"):
            total += group(argument(parts), alone=True) + 2.0
        elif part in (r"\quad",):
            total += QUAD
        elif part in ("}", "'", r"\,", r"\;", r"\!", r"\left", r"\right"):
            total += 2.8
        elif part[1:] in NAMES:
            total += 4.6 * len(part) + 1.5
        elif SIGNS.search(part):
            total += (1.0 if part in WIDE else 0.78) * QUAD + (0.0 if alone else 4.8)
        else:
            total += (
                LETTER.get(part, MATHS.get(part, 660 if part.startswith("\\") else 502))
                * (1.14 if part.isalpha() else 1.06)
                * QUAD
                / 1000
            )
    return total


def argument(parts: list[str]) -> list[str]:
    """Take what stands in braces, or the one part that comes, and leave what follows."""
    if not parts or parts[0] != "{":
        return [parts.pop(0)] if parts else []
    depth, taken = 0, []
    while parts:
        part = parts.pop(0)
        depth += {"{": 1, "}": -1}.get(part, 0)
        taken.append(part)
        if not depth:
            break
    return taken[1:-1]
