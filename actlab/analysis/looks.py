"""A look for each activation of a study, as plain data that any renderer can draw.

A look belongs to an activation's *name*, never to its place in a study, so that two figures can be laid side by side.
It stands in the activation's record, and ``run`` notes it in the manifest. What has none gets one from a palette.
"""

import colorsys
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

MARKERS = "osD^vP<>Xph*d8"
DASHES = ("solid", "dashed", "dotted", "dashdot")
# Told apart from one another and from the story's in every colour vision: see tests/test_colours.py.
PALETTE = ("#5F421F", "#477C57", "#FF99AA", "#318BFC", "#755700", "#4B32E4", "#CC2344", "#3B8C85")


@dataclass(frozen=True)
class LineStyle:
    """Colour, marker and dash of a line.

    Attributes:
        colour: ``#RRGGBB``.
        marker: as Matplotlib names it; empty for none.
        dash: one of ``DASHES``.
    """

    colour: str
    marker: str
    dash: str = "solid"


def looks_of(orders: Mapping[str, int], given: Mapping[str, Sequence[str]]) -> dict[str, LineStyle]:
    """Give each activation of a study a look of its own.

    Args:
        orders: {label: the activation's place in the story}; of two that would look alike, the first is served first.
        given: {label: colour, marker and dash from the activation's record}, of those that have one.

    Returns:
        ``{label: LineStyle}``, no two alike. A label with parameters has its name's hue, shaded by their first number.

    >>> looks = looks_of({"relu": 2, "relu(x=0.2)": 2, "mine": 0}, {"relu": ("#0072B2", "s", "solid")})
    >>> looks["relu"]
    LineStyle(colour='#0072B2', marker='s', dash='solid')
    """
    by_name: dict[str, LineStyle] = {}
    for label, (colour, marker, dash) in given.items():
        by_name.setdefault(name_of(label), LineStyle(colour, marker, dash))
    for label, order in orders.items():
        if name_of(label) not in by_name:
            free = (one for one in map(from_palette, count(order)) if one not in by_name.values())
            by_name[name_of(label)] = next(free)
    looks: dict[str, LineStyle] = {}
    for label in sorted(orders, key=lambda label: ("(" in label, label not in given)):  # the names' own looks first
        look = variant(by_name[name_of(label)], label)
        free = (one for one in others_of(look) if one not in looks.values())
        looks[label] = next(free, look)
    return {label: looks[label] for label in orders}


def name_of(label: str) -> str:
    """An activation's name, without its parameters."""
    return label.partition("(")[0]


def from_palette(i: int) -> LineStyle:
    """Take the i-th look of the palette; each differs from the 55 before."""
    return LineStyle(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)], DASHES[i // len(PALETTE) % len(DASHES)])


def others_of(look: LineStyle) -> list[LineStyle]:
    """List a look, and then those of the same colour."""
    m, d = MARKERS.find(look.marker), DASHES.index(look.dash)
    same = [
        LineStyle(look.colour, MARKERS[(m + i) % len(MARKERS)], DASHES[(d + i // len(MARKERS)) % len(DASHES)])
        for i in range(1, len(MARKERS) * len(DASHES))
    ]
    return [look, *same]


def variant(look: LineStyle, label: str) -> LineStyle:
    """Vary a look for an activation with parameters: shaded, marker and dash by a checksum of the label.

    >>> variant(LineStyle("#0072B2", "s"), "relu")
    LineStyle(colour='#0072B2', marker='s', dash='solid')
    """
    _, _, parameters = label.partition("(")
    if not parameters:
        return look
    mark = zlib.crc32(label.encode())
    return LineStyle(shade(look.colour, parameters), MARKERS[mark % len(MARKERS)], DASHES[mark // 16 % len(DASHES)])


def shade(colour: str, parameters: str) -> str:
    """Shade a colour by the first number in ``parameters``: the same hue, dark for small, light for large.

    The scale is fixed (10⁻³ to 10, by decades), so that a value has the same shade in every study.

    >>> shade("#0072B2", "x=0)"), shade("#0072B2", "x=10)")
    ('#004870', '#66c8ff')
    """
    number = re.search(r"=\s*(-?[\d.]+(?:e[-+]?\d+)?)", parameters)
    value = abs(float(number[1])) if number else (zlib.crc32(parameters.encode()) % 97) / 97
    t = 0.0 if value == 0 else min(max((math.log10(value) + 3) / 4, 0.0), 1.0)
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    rgb = colorsys.hls_to_rgb(hue, 0.22 + 0.48 * t, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
