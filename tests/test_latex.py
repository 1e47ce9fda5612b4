"""What is written for a paper compiles there and fits: all tables of ours, and tables that nobody wants."""

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from actlab.activations import CATALOGUE
from actlab.analysis import escaping, layout
from actlab.analysis.latex import plan, shortened, unsaid, widths, writing
from actlab.analysis.layout import Table
from tests.test_outputs import STRANGE

RESULTS = Path(__file__).parents[1] / "results"
PREAMBLE = "\\documentclass{article}\n\\usepackage{array,booktabs,longtable}\n"
FITS = 345.0


def typeset(folder, body, passes=1):
    """Compile an article; return what it complains of: boxes too wide by more than a point, characters that miss."""
    if not shutil.which("pdflatex"):
        why = "no pdflatex here: Debian's texlive-latex-base"
        assert not os.environ.get("ACTLAB_LATEX"), why
        pytest.skip(why)
    (folder / "paper.tex").write_text(f"{PREAMBLE}\\begin{{document}}\n{body}\n\\end{{document}}\n", encoding="ascii")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"]
    for _ in range(passes):
        done = subprocess.run(words, cwd=folder, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]
    log = (folder / "paper.log").read_text(errors="replace")
    wide = [one for one in re.findall(r"Overfull \\hbox \(([\d.]+)pt.*", log) if float(one) > 1]
    tall = re.findall(r"Float too large.*|Overfull \\vbox.*|Missing character.*", log)
    return wide + tall


def test_every_committed_table_fits_an_article(tmp_path):
    paths = sorted(RESULTS.glob("*/tables/*.tex"))
    assert len(paths) > 20
    names = [f"{path.parts[-3]}-{path.name}" for path in paths]
    for path, name in zip(paths, names, strict=True):
        shutil.copy(path, tmp_path / name)
    body = "\n".join(rf"\typeout{{{name}}}\input{{{name}}}\clearpage" for name in names)
    assert typeset(tmp_path, body) == []


LONG = "a_label(of=a,reader=who+knows.no-end)" * 6
NAMES = [
    *map(escaping.code, CATALOGUE),
    *map(escaping.plain, STRANGE),
    *map(escaping.code, STRANGE),
    *(escaping.code(one) for one in (LONG, "x" * 300, "лебедь" * 30, "αβσφ−×√₀₁₉⁻³′″∂∞", "a|b", "e5 1e5 1.5e−300")),
    *(escaping.plain(one) for one in (LONG, "x" * 300, "σ_w²/√n × 10⁻³ − |φ′(z₁₂)| ≥ ½ ∈ ℝ", "1e5 file1e5 1.5e−300")),
]


def strange(columns, rows, keys, name="strange"):
    """Make a table with names that nobody chose for it, in cells, heads, title and note."""
    named = [NAMES[i % len(NAMES)] for i in range(rows * keys)]
    heads = [f"key {i}" for i in range(keys)] + [f"{NAMES[7 * i % len(NAMES)]} {i}" for i in range(columns)]
    cells = ["0.972 [0.970, 0.974]", "18 of 20 trained: 1.1e−19 (−2e−20 to 0.897)", "−3.2e−9 [−4.0e−9, 1.5e6] †", ""]
    body = [
        [*named[i * keys : (i + 1) * keys], *(cells[(i + j) % len(cells)] for j in range(columns))] for i in range(rows)
    ]
    wide = pd.DataFrame(body, columns=heads)
    frame = pd.DataFrame(columns=[*heads[:keys], "mean", "low"])
    return Table(f"A table {NAMES[-2]}", " ".join(NAMES), frame, wide, name)


def of_settings(columns):
    """Make a table that is very long, and wide: four keys, of which the first ones stay for many rows."""
    keys = [
        (f"`leaky_relu(negative_slope={slope})`", f"`{start}`", str(width), str(rate))
        for slope in (0.1, 0.2, 0.3)
        for start in ("he_normal", "constant(value=-0.5)")
        for width in (64, 256, 512)
        for rate in ("0.001", "1e-05", "0.1")
    ]
    heads = ["activation", "weight init", "width", "learning rate", *(f"depth {i}{more}" for i, more in columns)]
    body = [[*key, *(f"−0.{i:04d} [−0.9999, 1.2e−{i % 300}]" for i, _ in columns)] for key in keys]
    frame = pd.DataFrame(columns=["activation", "weight_init", "width", "learning_rate", "mean", "low"])
    return Table("Slopes", "95 % intervals over 5 seeds.", frame, pd.DataFrame(body, columns=heads), "slopes")


ODD = [
    strange(1, len(NAMES), 1),
    strange(12, 30, 3),
    strange(40, 4, 1),
    strange(0, 5, 1),
    strange(3, 0, 2),
    of_settings([(i, more) for i in range(12) for more in ("", ", predicted", ", deviation")]),
    of_settings([(3, "")]),
]


def test_the_note_of_a_table_that_breaks_stands_above_it_and_a_very_long_one_below(texts):
    """No page is a note alone: within the table's first head no page break falls."""
    broken = {text: table for table, text in zip(ODD, texts, strict=True) if r"\begin{longtable}" in text}
    assert broken
    seen = set()
    for text, table in broken.items():
        above = text.partition(r"\endfirsthead")[0]
        note = widths.broken(escaping.tex(table.note), plan.WORD)
        short = widths.lines(note, plan.TEXT_WIDTH) <= writing.MOST_ABOVE
        assert (note[-40:] in above, text.count(note[-40:])) == (short, 1)
        assert not short or text.rstrip().endswith("\\end{longtable}\n\\endgroup")
        seen.add(short)
    assert seen == {True, False}


@pytest.fixture(scope="module")
def texts():
    """Write them all, once."""
    return [layout.to_latex(table) for table in ODD]


def test_tables_that_nobody_wants_compile_and_fit(tmp_path, texts):
    for i, text in enumerate(texts):
        (tmp_path / f"t{i}.tex").write_text(text, encoding="ascii")
    assert typeset(tmp_path, "\n".join(rf"\input{{t{i}}}\clearpage" for i in range(len(texts)))) == []


MARKS = r"\def\head{\write16{head \thepage}}\def\row{\write16{row \thepage}}"
"""Written when their page is: so pages are told whose first row stands there without a head."""


def marked(text):
    """Let heads and rows of tables that break say on which page they are."""
    lines, inside = [], False
    for line in text.splitlines():
        if line == r"\midrule":
            lines[-1] = rf"\head {lines[-1]}"
        inside = (inside or line == r"\endlastfoot" or line == r"\endfoot") and line != r"\end{longtable}"
        is_row = inside and re.search(r"\\\\\*?$", line) and not line.startswith(r"\multicolumn")
        lines.append(rf"\row {line}" if is_row else line)
    return "\n".join(lines)


@pytest.mark.parametrize("cell", ["0.5", "a sentence that takes two lines at least wherever it stands " * 3])
def test_wherever_a_table_begins_no_page_has_rows_without_a_head_nor_one_alone(tmp_path, cell):
    """At its end longtable makes room for one row more or less; here each height of a last page is tried."""
    rows = [[f"{i}.25", cell, str(i)] for i in range(64)]
    text = writing.document("Long", "A note.", ["rate", "what", "which"], rows, "long", 1)
    (tmp_path / "long.tex").write_text(marked(text), encoding="ascii")
    body = "\n".join(rf"\clearpage\vspace*{{{at}pt}}\par Words.\par\input{{long}} Words." for at in range(0, 540, 3))
    typeset(tmp_path, f"{MARKS}\n{body}")
    log = (tmp_path / "paper.log").read_text(errors="replace")
    said = re.findall(r"^(head|row) (\d+)$", log, re.MULTILINE)
    pages = [[word for word, _ in some] for _, some in itertools.groupby(said, key=lambda one: one[1])]
    assert len(pages) > 2 * 180
    assert {page[0] for page in pages} == {"head"}
    assert all(page.count("head") == 1 for page in pages)
    assert min(page.count("row") for page in pages) >= writing.TOGETHER


def test_tables_of_two_studies_have_labels_of_their_own_and_onecolumn_helps(tmp_path):
    """In an article of two columns, as its documentation says."""
    for study in ("one", "two"):
        text = layout.to_latex(of_settings([(3, "")]), study)
        assert rf"\label{{tab:{study}:slopes}}" in text
        (tmp_path / f"{study}.tex").write_text(text, encoding="ascii")
    body = r"\twocolumn Words.\onecolumn\input{one}\clearpage\input{two}"
    assert typeset(tmp_path, body) == []
    assert "multiply defined" not in (tmp_path / "paper.log").read_text(errors="replace")


def long_table(widths, depths, columns=2):
    """Make a table of 500 rows or so: activations by width and depth."""
    names = ["`relu`", "`elu`", "`tanh`", "`selu`"]
    keys = [(name, str(width), str(depth)) for name in names for width in widths for depth in depths]
    heads = ["activation", "width", "depth", *(f"measure {i}" for i in range(columns))]
    body = [[*key, *(f"0.{i:04d}" for i in range(columns))] for key in keys]
    return heads, body


def test_a_table_of_many_pages_is_shortened_and_says_so():
    def lines(heads, rows):
        return len(rows) * len(heads)

    heads, body = long_table((64, 256), (2, 5))
    assert shortened.shortened(heads, body, 3, lambda *_: 5.0) == (heads, body, [])
    left, rows, said = shortened.shortened(*long_table((64, 128, 256, 512), range(2, 20)), 3, lines)
    assert {row[1] for row in rows} == {"64", "256", "512"}
    assert {row[2] for row in rows} == {"2", "11", "19"}
    assert said == ["of 4 values of width 64, 256 and 512", "of 18 values of depth 2, 11 and 19"]
    _, rows, said = shortened.shortened(*long_table((64, 128, 256, 512), range(2, 20), 30), 3, lines)
    assert {(row[1], row[2]) for row in rows} == {("512", "19")}
    assert said == ["of width 512 alone", "of depth 19 alone"]
    left, rows, said = shortened.shortened(*long_table((64,), (5,), 300), 3, lines)
    assert said == [f"the first {len(left) - 3} of 300 columns"]
    assert lines(left, rows) <= shortened.MOST_LINES
    _, rows, said = shortened.shortened(*long_table((64,), (5,), 1), 3, lambda heads, rows: 200.0 * len(rows))
    assert (len(rows), said) == (1, ["the first 1 of 4 rows"])


def test_what_says_next_to_nothing_takes_a_line_of_the_note_and_no_row_or_column():
    lost = "20 of 20 diverged"
    rows = [[name, "0.1", "", "0.3"] for name in ("`relu`", "`gelu`", "`swish`", "`mish`")]
    rows[1][2] = "outside theory"
    heads, body = ["activation", "died", "predicted", "weak"], [*rows, ["`elu`", lost, "", lost]]
    left, kept, said = unsaid.unsaid(heads, body, 1)
    assert left == ["activation", "died", "weak"]
    assert lost not in str(kept)
    assert said == [
        "Every run of 1 row diverged, which is left out: activation `elu`.",
        "Of predicted one row alone has a value, outside theory: activation `gelu`.",
    ]
    assert unsaid.unsaid(heads, [["`elu`", lost, lost, lost]], 1)[1:] == ([["`elu`", lost, lost, lost]], [])
    assert unsaid.unsaid(heads[:2], [["`elu`", ""], ["`relu`", ""]], 1) == (
        heads[:2],
        [["`elu`", ""], ["`relu`", ""]],
        [],
    )
    text = writing.document("Deaths", "A note.", heads, body, "death", 1, "one")
    assert text.count("20 of 20 diverged") == 0
    assert r"Every run of 1 row diverged, which is left out: activation \texttt{elu}" in text


def test_a_note_behind_a_long_table_says_whose_it_is():
    heads, body = long_table((64, 128), range(2, 20))
    text = writing.document("Long", "A sentence of a note. " * 200, heads, body, "long", 3)
    assert r"\textbf{Note to Table~\thetable.} A sentence" in text


def test_a_key_that_does_not_vary_stands_in_the_caption():
    text = layout.to_latex(
        Table(
            "Loss",
            "",
            pd.DataFrame(columns=["activation", "depth", "mean", "low"]),
            pd.DataFrame({"activation": ["`relu`"] * 2, "depth": ["2", "5"], "loss": ["0.1", "0.2"]}),
            "loss",
        )
    )
    assert r"\caption{Loss (activation \texttt{relu})}" in text
    assert text.count("relu") == 2  # and in the comment


def test_no_text_is_wider_than_it_is_reckoned_to_be(tmp_path):
    """Widths are added up without TeX; here TeX measures them."""
    texts = [writing.in_cell(name, 1e6) for name in NAMES]
    texts += [writing.in_cell(writing.Formula(one.latex)) for one in CATALOGUE.values() if one.latex]
    texts += [
        *map(escaping.tex, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
        *escaping.SPECIAL.values(),
    ]
    texts += [*(rf"\texttt{{{one}}}" for one in texts[-30:]), *(rf"\textbf{{{one}}}" for one in texts[: len(NAMES)])]
    body = "\n".join(
        rf"\setbox0\hbox{{{writing.SMALL} {one}}}\typeout{{width {i}: \the\wd0}}" for i, one in enumerate(texts)
    )
    typeset(tmp_path, body)
    log = (tmp_path / "paper.log").read_text(errors="replace")
    true = {int(i): float(width) for i, width in re.findall(r"^width (\d+): ([\d.]+)pt", log, re.MULTILINE)}
    assert len(true) == len(texts)
    short = {
        text: (true[i], widths.natural(text))
        for i, text in enumerate(texts)
        if true[i] > 1.01 * widths.natural(text) + 0.05
    }
    assert not short
    assert sum(map(widths.natural, texts)) < 1.2 * sum(true.values())


def test_blocks_hold_every_column_once_and_none_is_too_wide():
    for table in ODD:
        keys = max(layout.keys_of(table), 1)
        columns = [
            plan.column(writing.in_cell(head, 75.0), [writing.in_cell(one) for one in table.wide[head]])
            for head in table.wide.columns
        ]
        cut = plan.plan(columns, keys)
        for one in cut.blocks:
            assert sum(one.widths) + plan.GAP * (len(one.widths) - 1) <= plan.TEXT_WIDTH + 1e-9
            assert list(one.columns[: keys - cut.lifted]) == list(range(cut.lifted, keys))
        values = [i for one in cut.blocks for i in one.columns if i >= keys]
        assert values == list(range(keys, len(columns))) or not cut.blocks


def test_a_table_says_what_it_is_what_it_needs_and_all_that_its_cells_say(texts):
    for table, text in zip(ODD, texts, strict=True):
        what, needs, *_ = text.splitlines()
        assert what.startswith("% ")
        assert what.endswith(rf"\input{{{table.name}}}.")
        named = re.search(r"\\usepackage\{([a-z,]+)\}", needs)[1].split(",")
        assert ("longtable" in named) == (r"\begin{longtable}" in text)
        assert ("array" in named) == (r"\arraybackslash" in text)
        assert text.isascii()
        assert text.count(r"\label{") == 1
        assert text.count(r"\toprule") == text.count(r"\bottomrule")
    text = layout.to_latex(of_settings([(i, "") for i in range(9)]))
    for i in range(9):
        assert text.count(rf"$-$0.{i:04d} [$-$0.9999,~") == 54
    assert all(text.count(rf"\texttt{{leaky\_relu(negative\_slope={one})}}") for one in (0.1, 0.2, 0.3))
