"""A report's sections as HTML, beside the same as Markdown: headings, texts, tables to sort and filter, pictures."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from actlab.analysis.pages.thinning import Rule
from actlab.analysis.sections import FOLD_FROM, Grid, Items, Link, Picture, Section, Text
from actlab.later import pd
from actlab.naming import counted

MARKS = re.compile(r"[\\`*_&<>!]|\]\(")
"""What a line must have for Markdown to make anything of it."""
SHORT = re.compile(r"\*{0,2}[−<≤≥]?\d[^a-z]{0,30}")
"""An estimate that stands on one line."""
LONG, LONGEST = 60, 200
"""Letters of a cell from which on it has a width of its own, and one of which more lines are read with ease."""
POINTS = re.compile(r'<svg[^>]* width="([\d.]+)pt"')
"""How wide a drawing of lines is: pages enlarge it where they have room."""
BROAD = 366
"""Pixels from which on a picture is too wide for a phone of 390: one that is smaller is shrunk to its page, 358.

Its least text, 7.2 pt, is 6 pt there at least: less of a loss than a picture of which a seventh is out of sight.
"""
MOST_PICTURES = 2
"""Of one section; of more, all but the first are folded."""
OF_CLAIMS, VERDICT = ("claim", "verdict"), "verdict"
"""The columns that a table of claims has, which filter it; on a phone its rows are lists, which begin with the verdict.
"""


def html(
    sections: Sequence[Section],
    folder: Path,
    settings: Collection[str] = (),
    below: Mapping[str, str] | None = None,
    most: int = Rule.pictures,
) -> str:
    """Render a report's sections, with a list of contents where there are several.

    Args:
        sections: the document.
        folder: where its pictures and numbers are.
        settings: what settings are called at the head of a table; by these its rows, or its columns, are filtered.
        below: {heading of the second level: HTML that stands below it}.
        most: bytes of all pictures; beyond it the largest are drawings of dots, not of lines.
    """
    files = pictures_of(sections, folder, most)
    bodies: list[str] = []
    for section, name in zip(sections, anchors(sections), strict=True):
        parts = [f'<h{section.level} id="{name}">{inline(section.heading)}</h{section.level}>']
        blocks = [in_html(block, folder, files, settings, section.heading) for block in section.blocks]
        pictures = [i for i, block in enumerate(section.blocks) if isinstance(block, Picture) and blocks[i]]
        if len(pictures) > MOST_PICTURES:
            folded = others("".join(blocks[i] for i in pictures[1:]), len(pictures) - 1)
            blocks = [*(block for i, block in enumerate(blocks) if i not in pictures[1:]), folded]
        parts += beside(blocks, [bool(block) and block.startswith("<figure>") for block in blocks])
        parts += [below[section.heading]] if below and section.level == 2 and section.heading in below else []
        if section.level == 1:
            parts.append(contents(sections))
        bodies.append(framed(section, "\n".join(part for part in parts if part)))
    return "\n".join(in_columns(sections, bodies))


def framed(section: Section, body: str) -> str:
    """Put what paper shows otherwise into an element of its own.

    >>> framed(Section(2, "Find"), "<h2>"), framed(Section(4, "R1", brief=True), "<h4>")
    ('<h2>', '<article>\\n<h4>\\n</article>')
    """
    if section.brief:
        return f"<article>\n{body}\n</article>"
    return f'<section class="screen">\n{body}\n</section>' if section.screen else body


def in_columns(sections: Sequence[Section], bodies: Sequence[str]) -> list[str]:
    """Put each chapter that has cards into an element of its own, which is printed in two columns.

    >>> in_columns([Section(2, "relu"), Section(3, "R1", brief=True), Section(2, "All")], ["a", "b", "c"])
    ['<section class="cards">', 'a', 'b', '</section>', 'c']
    """
    starts = [i for i, one in enumerate(sections) if one.level <= 2]
    out = list(bodies[: starts[0] if starts else None])
    for begin, end in zip(starts, [*starts[1:], len(sections)], strict=True):
        chapter = list(bodies[begin:end])
        cards = any(one.brief for one in sections[begin:end])
        out += ['<section class="cards">', *chapter, "</section>"] if cards else chapter
    return out


def beside(blocks: Sequence[str], drawn: Sequence[bool]) -> list[str]:
    """Put what is said of pictures beside them, where a page has room; what is neither follows.

    >>> beside(["<figure>1</figure>", "<p>2</p>", "<details>3</details>"], [True, False, False])
    ['<div class="beside"><div><figure>1</figure></div><div><p>2</p></div></div>', '<details>3</details>']
    """
    said = [one.startswith("<p>") for one in blocks]
    if not any(drawn) or not any(said):
        return list(blocks)
    left, right = ("".join(one for one, here in zip(blocks, which, strict=True) if here) for which in (drawn, said))
    rest = [one for one, a, b in zip(blocks, drawn, said, strict=True) if not a and not b]
    return [f'<div class="beside"><div>{left}</div><div>{right}</div></div>', *rest]


def others(pictures: str, number: int) -> str:
    """Fold the pictures of a section away, behind its first."""
    return (
        f'<details class="pictures"><summary>{number} more of these: show them</summary><div>{pictures}</div></details>'
    )


def in_html(
    block: Text | Items | Grid | Picture,
    folder: Path,
    files: Mapping[str, Path],
    settings: Collection[str],
    heading: str = "",
) -> str:
    """Render one block; a picture's title is not said again where it is the heading above."""
    match block:
        case Text(text, fold=fold) if fold:
            return f'<details class="screen"><summary>{escape(fold)}</summary>{paragraph(text)}</details>'
        case Text(text, paper=paper) if paper:
            return paragraph(text).replace("<p>", '<p class="paper">')
        case Text(text, named):
            kept = f" {download(folder / named)}</p>" if named and (folder / named).is_file() else "</p>"
            return paragraph(text or " ").removesuffix("</p>") + kept
        case Items():
            return items(block)
        case Grid(frame, name, fold, first, filtered, screen, always):
            stands_first = first or (VERDICT if set(frame) >= {*OF_CLAIMS} else "")
            body = table(frame, settings if filtered else (), stands_first, screen)
            folded = f"<details><summary>{counted(len(frame), 'row')}: show {escape(name)}</summary>{body}</details>"
            return folded if always or (fold and len(frame) >= FOLD_FROM) else body
        case Picture(title, file, linked=linked):
            full = files[file].relative_to(folder).as_posix() if linked and file in files else ""
            return picture(title, files[file], title != heading, full) if file in files else ""


def items(block: Items) -> str:
    """Render a list; those that stand below another are a list within its item."""
    groups: list[list[str]] = []
    for item, to, under in block.lines():
        text = f"{inline(item)}{pointers(to)}"
        if under and groups:
            groups[-1].append(text)
        else:
            groups.append([text])
    printed = len(groups) if block.printed is None else block.printed
    kinds = ["" if i < printed else ' class="screen"' for i in range(len(groups))]
    each = (f"<li{kind}>{head}{within(rest)}</li>" for kind, (head, *rest) in zip(kinds, groups, strict=True))
    return "\n".join(("<ul>", *each, "</ul>"))


def within(texts: Sequence[str]) -> str:
    """Render a list within an item of another; nothing of nothing."""
    return "\n".join(("\n<ul>", *(f"<li>{text}</li>" for text in texts), "</ul>\n")) if texts else ""


@lru_cache(maxsize=1)
def renderer() -> Any:
    """Make the renderer of texts: no HTML passes through it, and no address becomes a link that is none."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False})


def inline(text: str) -> str:
    """Render a line of Markdown.

    >>> print(inline("**`relu`** &lt;b&gt; <script>"))
    <strong><code>relu</code></strong> &lt;b&gt; &lt;script&gt;
    """
    line = " ".join(text.split())
    return str(renderer().renderInline(line)) if MARKS.search(line) else escape(line, quote=False)


def paragraph(text: str) -> str:
    """Render a text of one paragraph or several."""
    return "\n".join(f"<p>{inline(one)}</p>" for one in text.split("\n\n") if one.strip())


def pointers(links: Sequence[Link]) -> str:
    """Render links to other sections, in parentheses after a text."""
    each = ", ".join(f'<a href="#{escape(one.anchor)}">{escape(one.words)}</a>' for one in links)
    return f" ({each})" if each else ""


def anchors(sections: Sequence[Section]) -> list[str]:
    """Name the headings, no two alike.

    >>> anchors([Section(2, "What was run"), Section(2, "北京"), Section(3, "What was run")])
    ['what-was-run', 'section-2', 'what-was-run-3']
    """
    names: list[str] = []
    for i, section in enumerate(sections, 1):
        name = section.anchor or re.sub(r"[^a-z0-9]+", "-", section.heading.lower()).strip("-") or "section"
        names.append(f"{name}-{i}" if name == "section" or name in names else name)
    return names


def contents(sections: Sequence[Section]) -> str:
    """List the headings of the second level, as links."""
    links = [
        f'<li><a href="#{name}">{inline(section.heading)}</a></li>'
        for section, name in zip(sections, anchors(sections), strict=True)
        if section.level == 2
    ]
    return f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav>' if len(links) > 1 else ""


def table(frame: pd.DataFrame, settings: Collection[str] = (), first: str = "", screen: Collection[str] = ()) -> str:
    """Render a table of Markdown strings; columns of settings, and settings in headings, are marked for filters.

    Args:
        frame: the table.
        settings: what settings are called at its head.
        first: of one whose rows a phone shows as lists, the column that stands first there.
        screen: the columns that are not printed.

    >>> "data-filter>depth</th>" in table(pd.DataFrame({"depth": ["2"], "loss": ["0.1"]}), ["depth"])
    True
    """
    columns = [(str(name), str(name) in screen) for name in frame.columns]
    heads = "".join(heading(name, settings, hidden) for name, hidden in columns)
    rows = "\n".join(
        f"<tr>{''.join(cells(row, columns, first))}</tr>" for row in frame.itertuples(index=False, name=None)
    )
    stacked = " stacked" if first else ""
    return (
        f'<div class="scroll" tabindex="0"><table class="sortable{stacked}"><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>"
    )


def cells(row: Sequence[object], columns: Sequence[tuple[str, bool]], first: str) -> list[str]:
    """Render the cells of a row, by the columns' names and whether each is not printed."""
    return [
        cell(str(one), name if first else "", name == first, screen)
        for one, (name, screen) in zip(row, columns, strict=True)
    ]


def cell(text: str, head: str = "", first: bool = False, screen: bool = False) -> str:
    """Render a cell; an estimate is not broken into lines.

    Args:
        text: what it says.
        head: the heading that it repeats where a phone shows rows as lists.
        first: whether it stands first there.
        screen: whether it is not printed.

    >>> cell("0.912 [0.900, 0.921] †")
    '<td class="n">0.912 [0.900, 0.921] †</td>'
    """
    kinds = ["n"] if SHORT.fullmatch(text) else ["long"] * (len(text) > LONG) + ["longest"] * (len(text) > LONGEST)
    kinds += ["first"] * first + ["screen"] * screen
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    said = f' data-head="{escape(head)}"' if head else ""
    return f"<td{kind}{said}>{inline(text)}</td>"


def heading(name: str, settings: Collection[str], screen: bool = False) -> str:
    """Render a column's heading: ``depth`` filters rows, ``depth 10`` stands for the columns of that depth.

    One that is not printed says so.
    """
    kind = ' class="screen"' if screen else ""
    if name in settings:
        return f'<th scope="col"{kind} data-filter>{inline(name)}</th>'
    across = [
        (one, part.removeprefix(f"{one} "))
        for part in name.split(", ")
        for one in settings
        if part.startswith(f"{one} ")
    ]
    data = "".join(f' data-across="{escape(one)}" data-value="{escape(value)}"' for one, value in across[:1])
    return f'<th scope="col"{kind}{data}>{inline(name)}</th>'


def pictures_of(sections: Sequence[Section], folder: Path, most: int) -> dict[str, Path]:
    """Choose for each picture its file: lines (SVG), but dots (PNG) of the largest where all would be too much."""
    files = {}
    for block in (block for section in sections for block in section.blocks if isinstance(block, Picture)):
        dots = folder / block.file
        lines = dots.with_suffix(".svg")
        if lines.is_file() or dots.is_file():
            files[block.file] = lines if lines.is_file() else dots
    for file, lines in sorted(files.items(), key=lambda one: (-one[1].stat().st_size, one[0])):
        if sum(path.stat().st_size for path in files.values()) * 4 / 3 <= most:
            break
        files[file] = folder / file if (folder / file).is_file() else lines
    return files


def picture(title: str, path: Path, titled: bool = True, full: str = "") -> str:
    """Render a picture that the page holds itself, with a button to keep it; of a PDF, which is none, the button.

    Args:
        title: what it shows.
        path: its file.
        titled: whether that is written below it.
        full: a link to its file, if there is one: it is the same at its full size.
    """
    said = f"{escape(title)} " if titled else ""
    if path.suffix == ".pdf":
        return f"<p>{said}{download(path)}</p>"
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[path.suffix]
    data = base64.b64encode(path.read_bytes()).decode()
    name = path.suffix[1:].upper()
    pixels = width_of(path)
    wide = f' style="--wide: {pixels:.0f}px"' if pixels else ""
    broad = ' class="broad"' if pixels > BROAD else ""
    link = f' <a class="full" href="{escape(quote(full))}">full size</a>' if full else ""
    return (
        f'<figure{broad}><div class="wide" tabindex="0"><img alt="{escape(title)}"{wide} '
        f'src="data:{kind};base64,{data}"></div>'
        f'<figcaption>{said}<button class="keep" data-name="{escape(path.name)}">{name}</button>'
        f"{link}</figcaption></figure>"
    )


def width_of(path: Path) -> float:
    """Read how wide a picture is on paper, in pixels of a page (96 an inch); 0 where it does not say."""
    if path.suffix == ".svg":
        size = POINTS.search(path.read_text(encoding="utf-8")[:2000])
        return float(size[1]) * 4 / 3 if size else 0.0
    from PIL import Image

    with Image.open(path) as image:
        dots = float(image.info.get("dpi", (0.0, 0.0))[0])
        return image.width / dots * 96 if dots else 0.0


def download(path: Path) -> str:
    """Render a button that gives a file; the page holds it compressed."""
    packed = base64.b64encode(gzip.compress(path.read_bytes(), mtime=0)).decode()
    kind = path.suffix[1:].upper()
    return f'<button class="keep" data-name="{escape(path.name)}" data-gzip="{packed}">{kind}</button>'
