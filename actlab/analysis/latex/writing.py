r"""A table as LaTeX to ``\input``: booktabs rules, a caption, what its numbers are below it, breaks over pages.

The preamble needs what a file's second line names, at most ``\usepackage{array,booktabs,longtable}``, which every
installation of LaTeX has. Sizes are stated in points, so that a table fits a single column of an article of 10, 11 and
12 pt alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from actlab.analysis.escaping import plain, tex
from actlab.analysis.latex import widths
from actlab.analysis.latex.plan import GAP, TEXT_WIDTH, WORD, Block, Column, Plan, column, groups, plan, records_widths
from actlab.analysis.latex.shortened import constant_keys, shortened
from actlab.analysis.latex.unsaid import unsaid

SMALL = r"\fontsize{8}{9.5}\selectfont\frenchspacing"
LINES_OF_A_FLOAT = 46
"""What does not fit on a page breaks over several."""
MOST_ABOVE = 24
"""Lines of a note that stands above a table which breaks: it is not parted itself."""
TOGETHER, MOST_TOGETHER = 3, 12
"""Rows at either end of a table that no page break parts, where they have no more lines than this: none is alone."""
LOOSE = 0.27
"""Between two rows that wrap, in lines."""
INTERVAL = re.compile(r"([\[(])([\d$][^\s\[\](),]*), ([\d$][^\s\[\](),]*)([\])])")
COUNT = re.compile(r"\bn = (?=\d)")
LONG_NUMBER = re.compile(r"^(\d+\.\d{7})(\d{4,})$")
"""A setting with all its digits, which may be broken where no word may."""
FOOT = (r"\bottomrule", r"\noalign{\vskip\maxdepth}", r"\endfoot", r"\bottomrule", r"\endlastfoot")
"""Of a table that breaks. Without a last foot longtable keeps no room for the foot on the last page, and what reaches
below its last row it never counts: what then overflows is broken once more, after its output routine, without a head.
The foot of other pages is by as much higher as that may reach down."""
PACKAGES = {"array": r"\arraybackslash", "booktabs": r"\toprule", "longtable": r"\begin{longtable}"}


@dataclass(frozen=True)
class Formula:
    """A cell that is a formula, in LaTeX already."""

    latex: str


def in_cell(content: object, most: float = WORD) -> str:
    r"""Write a cell: an interval and n stay on their lines, a word too wide for any column may be broken.

    >>> print(in_cell("0.972 [0.970, 0.974]"), in_cell(Formula(r"z \text{ if } z \geq 0, \quad \alpha = 1")))
    0.972 [0.970,~0.974] $z$ if $z \geq 0$, $\alpha = 1$
    """
    if isinstance(content, Formula):
        return in_words(content.latex)
    text = tex(str(content))
    return widths.broken(COUNT.sub("n~=~", INTERVAL.sub(r"\1\2,~\3\4", text)), most)


def in_words(formula: str) -> str:
    r"""Write a formula so that it breaks at its words, and needs no package for them."""
    formula = formula.replace(r"\operatorname", r"\mathrm")
    text, depth, at = "$", 0, 0
    for match in re.finditer(r"\\text\{([^{}]*)\}|,\s*\\quad\s*|\\[{}]|[{}]", formula):
        text += formula[at : match.start()]
        at = match.end()
        token = match[0]
        depth += {"{": 1, "}": -1}.get(token, 0)
        if token.startswith((r"\text", ",")) and depth == 0:
            text = text.rstrip() + ("$, $" if token.startswith(",") else f"${match[1]}$")
        else:
            text += token.replace(r"\text{", r"\mbox{")
    parts = f"{text}{formula[at:]}$".split("$")  # every second one is a formula
    parts = [f"${part.strip()}$" if i % 2 and part.strip() else part for i, part in enumerate(parts)]
    return "".join(parts).strip()


def document(
    title: str, note: str, heads: Sequence[str], rows: Sequence[Sequence[object]], name: str, keys: int, study: str = ""
) -> str:
    r"""Write a table; of one that would fill many pages, a part, and which.

    Args:
        title: Markdown, of the caption.
        note: Markdown, below the table.
        heads: Markdown, a column each.
        rows: Markdown or ``Formula``, a cell each.
        name: of the file, and of the label, ``tab:<study>:<name>``.
        keys: how many of the first columns say what a row is of.
        study: whose table it is; without one the label is ``tab:<name>``.

    Returns:
        ASCII, to ``\input``.
    """
    every = [list(row) for row in rows]
    heads, kept, left_out = shortened(heads, every, keys, lambda *some: tall(*laid_out(some[0], some[1], keys)))
    heads, kept, said = unsaid(heads, kept, keys)
    shown = f"Shown are {'; '.join(left_out)}; all {len(every)} rows are in {plain(name)}.csv." if left_out else ""
    note = " ".join(filter(None, [shown, *said, note]))
    title, heads, kept, keys = constant_keys(title, heads, kept, keys)
    columns, keys, cut = laid_out(heads, kept, keys)
    caption = widths.broken(tex(title), WORD)
    label = "tab:" + re.sub(r"[^\w.:-]", "-", f"{study}:{name}" if study else name, flags=re.ASCII)
    below = widths.broken(tex(note), WORD)
    over_rows = 1.6 * groups(columns, cut.lifted)
    height = sum(heights(one) + over_rows for one in cut.blocks) if cut.blocks else cut.cost
    height += widths.lines(below, TEXT_WIDTH)
    write = in_a_float if height <= LINES_OF_A_FLOAT else over_pages
    body = write(caption, label, below, columns, keys, cut)
    text = "\n".join(body)
    packages = ",".join(package for package, command in PACKAGES.items() if command in text)
    first = rf"% {one_comment(caption)}: a table of actlab, for \input{{{one_comment(name)}}}."
    return f"{first}\n% It needs \\usepackage{{{packages}}} in the preamble.\n{text}\n"


def laid_out(heads: Sequence[str], rows: Sequence[Sequence[object]], keys: int) -> tuple[list[Column], int, Plan]:
    """Measure the columns of a table and choose its cut; gives how many keys it has, too."""
    texts = [[LONG_NUMBER.sub(r"\1\\allowbreak{}\2", in_cell(cell)) for cell in row] for row in rows]
    columns = [column(in_cell(head, 75.0), [row[i] for row in texts]) for i, head in enumerate(heads)]
    keys = enough(texts, keys, len(columns) - 1)
    return columns, keys, plan(columns, keys)


def tall(columns: Sequence[Column], keys: int, cut: Plan) -> float:
    """Count the lines of a table, with the space between rows that wrap."""
    between = sum(LOOSE * len(columns[0].cells) for one in cut.blocks if any(one.wraps))
    over_rows = 1.6 * groups(columns, cut.lifted)
    return between + (sum(heights(one) + over_rows for one in cut.blocks) if cut.blocks else cut.cost)


def enough(rows: Sequence[Sequence[str]], keys: int, most: int) -> int:
    """Count the first columns that tell all rows apart, at least so many: a block that repeats them is understood.

    >>> enough([["He", "2", "a"], ["He", "3", "a"]], 1, 2), enough([["He", "2", "a"], ["He", "2", "b"]], 1, 2)
    (2, 1)
    """
    keys = max(1, min(keys, most))
    apart = (k for k in range(keys, most + 1) if len({tuple(row[:k]) for row in rows}) == len(rows))
    return next(apart, keys)


def one_comment(text: str) -> str:
    """Write what may stand in a comment: ASCII on one line."""
    return re.sub(r"[^ -~]", "-", text)


def heights(one: Block) -> float:
    """Count a block's lines, with its head and rules."""
    return sum(one.lines) + one.head_lines + 3


def in_a_float(caption: str, label: str, note: str, columns: Sequence[Column], keys: int, cut: Plan) -> list[str]:
    """Write a table that fits on a page, its blocks below each other."""
    lines = [r"\begin{table}", r"\sloppy\centering", rf"\caption{{{caption}}}", rf"\label{{{label}}}"]
    lines += [r"\vspace{4pt}", rf"{SMALL}\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}"]
    for i, part in enumerate(parts(columns, keys, cut)):
        lines += [r"\par\medskip"] * bool(i)
        body = [rf"\begin{{tabular}}{{{part.shape}}}", r"\toprule", *part.head, *part.rows, r"\bottomrule"]
        lines += [*body, r"\end{tabular}"]
    lines += [rf"\par\vspace{{4pt}}\parbox{{\linewidth}}{{\raggedright {note}}}"] * bool(note)
    return [*lines, r"\end{table}"]


def over_pages(caption: str, label: str, note: str, columns: Sequence[Column], keys: int, cut: Plan) -> list[str]:
    """Write a table that breaks over pages, each block by itself under the same number.

    What its columns are stands below its caption, where no page break parts them; a note too long for that follows it.
    """
    above = bool(note) and widths.lines(note, TEXT_WIDTH) <= MOST_ABOVE
    lines = [
        r"\begingroup",
        rf"\sloppy{SMALL}\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}\setlength{{\LTcapwidth}}{{\textwidth}}",
    ]
    for i, part in enumerate(parts(columns, keys, cut)):
        again = rf"\caption[]{{{caption} (continued)}}\\"
        first = again if i else rf"\caption{{{caption}}}\label{{{label}}}\\"
        lines += [r"\addtocounter{table}{-1}"] * bool(i)
        said = [noted(note, part.across), r"\addlinespace[4pt]"] * (above and not i)
        lines += [rf"\begin{{longtable}}{{{part.shape}}}", first, *said, r"\toprule", *part.head, r"\endfirsthead"]
        lines += [again, r"\toprule", *part.head, r"\endhead", *FOOT]
        lines += [*together(part), r"\end{longtable}"]
    whose = r"\textbf{Note to Table~\thetable.} "  # which is known on its last page, where the text goes on
    lines += [rf"\par\vspace{{4pt}}\noindent{{\raggedright {whose}{note}\par}}"] * bool(note and not above)
    return [*lines, r"\endgroup"]


def together(part: Part) -> list[str]:
    r"""Write a block's rows so that its first ones stay on one page, and its last ones, unless they are tall.

    >>> print(*together(Part("l", 1, [], [rf"{one} \\" for one in "abcdefg"], (1,) * 7)))
    a \\* b \\* c \\ d \\ e \\* f \\* g \\
    """
    ends = [at for at, line in enumerate(part.rows) if line.endswith(r"\\")]
    first, last = (sum(some) <= MOST_TOGETHER for some in (part.lines[:TOGETHER], part.lines[-TOGETHER:]))
    kept = {*ends[: (TOGETHER - 1) * first], *(ends[-TOGETHER:-1] if last else ())}
    return [f"{line}*" if at in kept else line for at, line in enumerate(part.rows)]


def noted(note: str, across: int) -> str:
    """Write a note as a line of a table, as wide as the text whatever the columns are, as its caption is."""
    box = rf"\makebox[0pt]{{\parbox[t]{{\textwidth}}{{\raggedright\strut {note}\strut}}}}"
    return rf"\multicolumn{{{across}}}{{@{{}}c@{{}}}}{{{box}}} \\"


@dataclass(frozen=True)
class Part:
    """A block in LaTeX: the shapes of its columns, how many there are, its head with the rule below, its rows.

    ``lines`` counts those of each row, of as many of the last ones as are kept together.
    """

    shape: str
    across: int
    head: list[str]
    rows: list[str]
    lines: Sequence[int]


def parts(columns: Sequence[Column], keys: int, cut: Plan) -> list[Part]:
    """Write a table's blocks."""
    return [of_block(columns, one, keys, cut.lifted) for one in cut.blocks] or [of_records(columns, keys)]


def of_block(columns: Sequence[Column], one: Block, keys: int, lifted: int) -> Part:
    """Write a block: heads that stand on the rule, rows that have something to say here, lifted keys over theirs."""
    chosen = [columns[i] for i in one.columns]
    values = [i for i in one.columns if i >= keys]
    shape = "".join(paragraph(width) if wraps else "l" for width, wraps in zip(one.widths, one.wraps, strict=True))
    heads = [wrapped(column.head, width) for column, width in zip(chosen, one.widths, strict=True)]
    tall = max(map(len, heads))
    stacked = zip(*([""] * (tall - len(head)) + head for head in heads), strict=True)
    rows: list[str] = []
    lines: list[int] = []
    before: tuple[str, ...] = ()
    loose = any(one.wraps)
    empty = [not any(columns[k].cells[i] for k in values) for i in range(len(chosen[0].cells))] if values else []
    for i in range(len(chosen[0].cells)):
        if empty and empty[i] and not all(empty):
            continue
        key = tuple(column.cells[i] for column in columns[:lifted])
        if key != before:
            rows += [r"\addlinespace"] * bool(rows) + [over(columns[:lifted], key, len(chosen))]
        elif loose and rows:
            rows.append(r"\addlinespace[2.5pt]")
        before = key
        rows.append(row([column.cells[i] for column in chosen]))
        lines.append(one.lines[i])
    return Part(f"@{{}}{shape}@{{}}", len(chosen), [*(row(line) for line in stacked), r"\midrule"], rows, lines)


def over(columns: Sequence[Column], key: Sequence[str], across: int) -> str:
    """Write the line of lifted keys, which stays with the row below it."""
    said = ", ".join(f"{column.head} {value}" for column, value in zip(columns, key, strict=True))
    shape = "l" if widths.natural(said) < TEXT_WIDTH else paragraph(TEXT_WIDTH)
    return rf"\multicolumn{{{across}}}{{@{{}}{shape}@{{}}}}{{{said}}} \\*"


def of_records(columns: Sequence[Column], keys: int) -> Part:
    """Write a list of records: the keys of each, then a line for each field."""
    names, contents = records_widths(columns, keys)
    rows: list[str] = []
    lines: list[int] = []
    for i in range(len(columns[0].cells)):
        said = ", ".join(f"{column.head} {column.cells[i]}" for column in columns[:keys])
        rows += [r"\addlinespace[5pt]"] * bool(rows)
        rows.append(rf"\multicolumn{{2}}{{@{{}}{paragraph(TEXT_WIDTH)}@{{}}}}{{\bfseries {said}}} \\*")
        fields = [(column.head, column.cells[i]) for column in columns[keys:] if column.cells[i]]
        rows += [row(field) for field in fields]
        lines += [max(widths.lines(head, names), widths.lines(cell, contents)) for head, cell in fields]
    return Part(f"@{{}}{paragraph(names)}{paragraph(contents)}@{{}}", 2, [], rows, lines)


def paragraph(width: float) -> str:
    """Write the shape of a column whose cells wrap."""
    return rf">{{\raggedright\arraybackslash}}p{{{width:.1f}pt}}"


def wrapped(head: str, width: float) -> list[str]:
    r"""Part a head into lines, as ``widths.lines`` counts them; fonts go on in the next line.

    >>> print(*wrapped(r"vanishing slope, \texttt{a b}", 10.0), sep="|")
    vanishing|slope,|\texttt{a}|\texttt{b}
    """
    out, now, word, token_before, at, size = [], "", "", "", 0.0, 0.0
    fonts: list[str] = []
    opened: list[str] = []  # those that are open where the word begins
    for token, wide in [*widths.measured(head), (" ", 0.0)]:
        if token not in (" ", r"\allowbreak{}"):
            word, size = word + token, size + wide
            if token.endswith("{") and token != r"\{":
                fonts.append(token)
            elif token == "}" and fonts:
                fonts.pop()
            continue
        if at and at + widths.SPACE + size > width:
            out.append(now + "}" * len(opened))
            now, at = "".join(opened) + word, size
        else:
            now, at = (
                f"{now} {word}" if now and token_before == " " else now + word,
                at + widths.SPACE * bool(at) + size,
            )
        word, size, opened, token_before = "", 0.0, list(fonts), token
    return [*out, now]


def row(cells: Sequence[str]) -> str:
    r"""Write a row; what begins one must not be taken for an argument of the line break before it.

    >>> print(row(["[0, 1]", "a"]))
    {}[0, 1] & a \\
    """
    text = " & ".join(cells)
    return f"{'{}' * text.startswith(('[', '*'))}{text} \\\\"
