"""A report as data: sections of text, tables and pictures; and the same as Markdown.

Texts are Markdown. A table and a picture come with their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

from actlab.analysis.drawings import Spec
from actlab.analysis.pipe_tables import pipe_table
from actlab.later import pd
from actlab.naming import counted

# Longer tables are folded: the report stays readable, and everything is in it.
FOLD_FROM = 24


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
        text: what it says.
        numbers: the file that has the numbers it is about, if there is one.
        fold: what it is called where it is folded, which a long one is that few need; such a one is not printed.
        paper: whether it is for paper alone, and says where the rest is.
    """

    text: str
    numbers: str = ""
    fold: str = ""
    paper: bool = False


@dataclass(frozen=True)
class Link:
    """A pointer to another section of the same document: its anchor, and what the pointer is called."""

    words: str
    anchor: str


@dataclass(frozen=True)
class Items:
    """A list of short texts.

    Attributes:
        items: the texts.
        links: the sections that each points to, where it does.
        under: which stand below the one before.
        printed: how many of the first are printed; by default all.
    """

    items: tuple[str, ...]
    links: tuple[tuple[Link, ...], ...] = ()
    under: tuple[bool, ...] = ()
    printed: int | None = None

    def lines(self) -> list[tuple[str, tuple[Link, ...], bool]]:
        """Pair the texts with their links, and with whether they stand below another."""
        links, under = chain(self.links, repeat(())), chain(self.under, repeat(False))
        return list(zip(self.items, links, under, strict=False))


@dataclass(frozen=True)
class Grid:
    """A table for people.

    Attributes:
        frame: Markdown strings.
        name: what it is called where it is folded.
        fold: whether a long one is.
        first: the column that stands first where a phone shows each row as a list; such a table is none without it.
        filtered: whether its settings filter it.
        screen: the columns that are not printed.
        folded: whether even a short one is.
    """

    frame: pd.DataFrame = field(repr=False)
    name: str = "the table"
    fold: bool = True
    first: str = ""
    filtered: bool = True
    screen: tuple[str, ...] = ()
    folded: bool = False


@dataclass(frozen=True)
class Picture:
    """One page of a drawing: what it shows, its file, what it is drawn from, and whether its file is linked."""

    title: str
    file: str
    spec: Spec
    frame: pd.DataFrame = field(repr=False)
    linked: bool = False


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Attributes:
        level: of the heading, 1 the report's own.
        heading: its text.
        blocks: what stands below it.
        anchor: by which name links find it, if any do.
        brief: whether it is one of many alike, of which paper has the first lines and the first picture, two a row.
        screen: whether it is not printed, as links are not.
    """

    level: int
    heading: str
    blocks: tuple[Text | Items | Grid | Picture, ...] = ()
    anchor: str = ""
    brief: bool = False
    screen: bool = False


def pointers(links: Sequence[Link]) -> str:
    """Write links in parentheses, after a text.

    >>> pointers([Link("table", "table-trained")]), pointers([])
    (' ([table](#table-trained))', '')
    """
    each = ", ".join(f"[{one.words}](#{one.anchor})" for one in links)
    return f" ({each})" if each else ""


def markdown(sections: Sequence[Section]) -> str:
    """Render a report as one Markdown page."""
    parts = []
    for section in sections:
        parts.append(f'<a id="{section.anchor}"></a>' if section.anchor else "")
        parts.append(f"{'#' * section.level} {section.heading}")
        for block in section.blocks:
            match block:
                case Text(text, fold=fold) if fold:
                    parts.append(f"<details><summary>{fold}</summary>\n\n{text}\n\n</details>")
                case Text(text, numbers, paper=paper):
                    parts.append("" if paper else f"{text} [CSV]({numbers})" if numbers else text)
                case Items():
                    lines = [f"{'  ' * under}- {item}{pointers(links)}" for item, links, under in block.lines()]
                    parts.append("\n".join(lines))
                case Grid(frame, name, folded=always):
                    rows, body = len(frame), pipe_table(frame)
                    folded = f"<details><summary>{counted(rows, 'row')}: show {name}</summary>\n\n{body}\n\n</details>"
                    parts.append(folded if always or rows >= FOLD_FROM else body)
                case Picture(title, file):  # a PDF is shown by few, and opened by all
                    parts.append(f"{'!' * (not file.endswith('.pdf'))}[{title}]({file})")
    return "\n\n".join(part for part in parts if part) + "\n"
