"""Activations are told apart by readers of every colour vision: the story's by colour, all by more than that."""

from itertools import combinations

import numpy as np
import pytest

from actlab.activations import CATALOGUE
from actlab.analysis.looks import PALETTE
from actlab.analysis.pages.dark import contrast, in_dark
from actlab.analysis.verdict_figures import DRAWN_AS

STORY = ("sigmoid", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "swish", "mish", "tanh", "linear")
TOLD_APART = 10.0  # ΔE of CIEDE2000
# Linear RGB as it is seen without the cones of long or of middle waves: Machado, Oliveira and Fernandes (2009),
# Table 1, severity 1. https://doi.org/10.1109/TVCG.2009.113
SEEN = {
    "all": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


def linear(colour: str) -> np.ndarray:
    """Take ``#RRGGBB`` (sRGB) to linear light."""
    part = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """Take linear light to CIELAB."""
    t = XYZ @ light / WHITE
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """ΔE of CIEDE2000 (Sharma, Wu and Dalal 2005, https://doi.org/10.1002/col.20070)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 1 + 0.5 * (1 - np.sqrt(c7 / (c7 + 25.0**7)))
    c1, c2 = np.hypot(a1 * g, b1), np.hypot(a2 * g, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1 * g)) % 360, np.degrees(np.arctan2(b2, a2 * g)) % 360
    turn = (h2 - h1 + 180) % 360 - 180
    hue = (h1 + turn / 2) % 360
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    t = 1 - 0.17 * np.cos(np.radians(hue - 30)) + 0.24 * np.cos(np.radians(2 * hue))
    t += 0.32 * np.cos(np.radians(3 * hue + 6)) - 0.2 * np.cos(np.radians(4 * hue - 63))
    dl = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    bend = np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    turned = -2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7)) * bend
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + turned * dc * dh))


def test_the_difference_is_that_of_the_published_pairs():
    pairs = {
        2.0425: ([50, 2.6772, -79.7751], [50, 0, -82.7485]),
        27.1492: ([50, 2.5, 0], [73, 25, -18]),
        1.2644: ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387]),
    }
    for expected, (one, other) in pairs.items():
        assert difference(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("vision", SEEN)
def test_no_two_activations_of_the_story_have_one_colour_to_any_reader(vision):
    seen = {name: lab(np.clip(SEEN[vision] @ linear(CATALOGUE[name].look[0]), 0, 1)) for name in STORY}
    close = {(a, b): difference(seen[a], seen[b]) for a, b in combinations(STORY, 2)}
    assert min(close.values()) >= TOLD_APART, min(close, key=close.get)


@pytest.mark.parametrize("vision", SEEN)
def test_activations_without_a_look_of_their_own_are_told_apart_from_the_story_and_from_one_another(vision):
    """A user's five beside the known ones: in bands and bars nothing but the colour says whose these are."""
    colours = [*(CATALOGUE[name].look[0] for name in STORY), *PALETTE]
    seen = {colour: lab(np.clip(SEEN[vision] @ linear(colour), 0, 1)) for colour in colours}
    close = {(a, b): difference(seen[a], seen[b]) for a, b in combinations(colours, 2)}
    assert min(close.values()) >= TOLD_APART, min(close, key=close.get)
    assert min(contrast(in_dark(colour)) for colour in PALETTE) >= 3.0


@pytest.mark.parametrize("vision", SEEN)
def test_verdicts_are_told_apart_by_colour_and_by_mark(vision):
    seen = {word: lab(np.clip(SEEN[vision] @ linear(look["color"]), 0, 1)) for word, look in DRAWN_AS.items()}
    assert min(difference(seen[a], seen[b]) for a, b in combinations(seen, 2)) >= TOLD_APART
    assert len({look["marker"] for look in DRAWN_AS.values()}) == len(DRAWN_AS)


def test_on_dark_paper_all_are_seen_and_the_story_is_told_apart():
    on_dark = {name: in_dark(record.look[0]) for name, record in CATALOGUE.items()}
    assert min(map(contrast, on_dark.values())) >= 3.0
    seen = {name: lab(linear(on_dark[name])) for name in STORY}
    assert min(difference(seen[a], seen[b]) for a, b in combinations(STORY, 2)) >= TOLD_APART


def test_what_looks_alike_in_colour_differs_in_marker_and_dash():
    """In the whole catalogue: rotated or cut, a hexagon, an octagon and a circle are one marker at 3 points."""
    looks = {name: record.look for name, record in CATALOGUE.items()}
    alike = dict.fromkeys("hH8", "o") | {"D": "d"}
    close: dict = {}
    for vision in SEEN.values():
        seen = {name: lab(np.clip(vision @ linear(look[0]), 0, 1)) for name, look in looks.items()}
        for a, b in combinations(looks, 2):
            close[a, b] = min(close.get((a, b), np.inf), difference(seen[a], seen[b]))
    confused = [
        (pair, looks[pair[0]], looks[pair[1]])
        for pair in combinations(looks, 2)
        if close[pair] < TOLD_APART
        and any(
            alike.get(one, one) == alike.get(other, other)
            for one, other in zip(*(looks[x][1:] for x in pair), strict=True)
        )
    ]
    assert not confused


def test_dashes_are_left_to_theory():
    assert "dashed" not in {record.look[2] for record in CATALOGUE.values()}
