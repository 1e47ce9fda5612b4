"""Colours on dark paper: the same hue and chroma, and as much lighter as it takes to be seen there.

Lightness, chroma and hue are those of OKLCH (Ottosson 2020, https://bottosson.github.io/posts/oklab/).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PAPER = "#14181d"  # as in page.css
CONTRAST = 3.0
"""Of lines and marks to what they are drawn on, at least (WCAG 2.1, 1.4.11)."""
TO_CONES = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566]])
TO_CONES = np.vstack([TO_CONES, [0.0883024619, 0.2817188376, 0.6299787005]])
TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099]])
TO_LAB = np.vstack([TO_LAB, [0.0259040371, 0.7827717662, -0.8086757660]])
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def style(colours: Iterable[str]) -> str:
    """Write a style sheet that lightens in charts, on dark paper, those colours that are too dark there."""
    lighter = {one: in_dark(one) for one in sorted({one for one in colours if one.startswith("#")})}
    rules = "".join(
        f'.chart [{what}="{old}" i] {{ {what}: {new}; }}'
        for old, new in lighter.items()
        if new != old.lower()
        for what in ("stroke", "fill")
    )
    return f"<style>@media screen and (prefers-color-scheme: dark) {{ {rules} }}</style>" if rules else ""


def in_dark(colour: str) -> str:
    """Return the colour, or the least lighter one of its hue that has the contrast; chroma gives way at the gamut.

    >>> in_dark("#53B6EC"), contrast(in_dark("#2D1F86")) >= CONTRAST
    ('#53b6ec', True)
    """
    if contrast(colour) >= CONTRAST:
        return colour.lower()
    lightness, *ab = TO_LAB @ np.cbrt(TO_CONES @ linear(colour))
    for raised in np.arange(lightness, 1.0, 0.005):
        within = (from_lab(np.array([raised, *(share * np.array(ab))])) for share in np.arange(1.0, 0.0, -0.05))
        light = next((one for one in within if one.min() >= -1e-6 and one.max() <= 1 + 1e-6), None)
        if light is not None and contrast(new := written(light)) >= CONTRAST:
            return new
    return "#ffffff"


def contrast(colour: str) -> float:
    """Return a colour's contrast to dark paper: (L₁ + .05)/(L₂ + .05) of their luminances (WCAG 2.1)."""
    low, high = sorted(float(LUMINANCE @ linear(one)) + 0.05 for one in (colour, PAPER))
    return high / low


def linear(colour: str) -> np.ndarray:
    """Take ``#RRGGBB`` (sRGB) to linear light [3]."""
    part = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def from_lab(lab: np.ndarray) -> np.ndarray:
    """Take OKLab [3] to linear light [3], also beyond what a screen shows."""
    return np.linalg.solve(TO_CONES, np.linalg.solve(TO_LAB, lab) ** 3)


def written(light: np.ndarray) -> str:
    """Write linear light [3] as ``#rrggbb``."""
    light = np.clip(light, 0.0, 1.0)
    part = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * one):02x}" for one in part.tolist())
