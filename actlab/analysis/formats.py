"""What a study's YAML asks of its figures: the files, how fine, and titles of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMATS = ("png", "svg", "pdf")
DPI = 140


@dataclass(frozen=True)
class Formats:
    """How figures are written.

    Attributes:
        suffixes: the kinds of file, some of ``FORMATS``.
        dpi: pixels per inch of a PNG.
        titles: {figure: its title}, of those that are to have another one.
    """

    suffixes: tuple[str, ...] = ("png", "svg")
    dpi: int = DPI
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_pages(self) -> str:
        """The kind of file that a page of text can show."""
        return next((one for one in ("png", "svg") if one in self.suffixes), self.suffixes[0])


def of_report(report: Mapping[str, Any] | None) -> Formats:
    """Read what a resolved study says under ``report``; studies of old say nothing.

    >>> of_report({"figure_format": ["svg"], "dpi": 300}).in_pages, of_report(None).dpi
    ('svg', 140)
    """
    report = report or {}
    asked = report.get("figure_format") or Formats.suffixes
    return Formats(tuple(asked), int(report.get("dpi") or DPI), dict(report.get("titles") or {}))
