"""The worked example's tables and figure: drawn from plain frames."""

import math
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tabulate import tabulate

from actlab.analysis import style
from actlab.analysis.catalogue import Looks, all_looks, short, write
from actlab.analysis.escaping import code
from actlab.analysis.fitting import in_blocks
from actlab.analysis.layout import Table, number
from actlab.analysis.looks import LineStyle
from actlab.analysis.notes import listed
from actlab.analysis.point_marks import told_apart

STORY = 9  # the example's figure draws the first nine activations, which are the story's: more lines cover each other


def example_table(example: pd.DataFrame, x: float = 0.5) -> Table:
    """Tabulate the worked example at its start: forward, then backward by hand and by automatic differentiation.

    Args:
        example: the rows that ``nn.worked_example.rows`` makes.
        x: its input.
    """
    frame = example.drop(columns="largest_difference").round(10)
    frame["autodiff_agrees"] = example["largest_difference"] <= 1e-12
    heads = {"h1": "h₁", "h2": "h₂", "y": "y", "dy": "∂L/∂y", "dz1": "∂L/∂z₁", "dz2": "∂L/∂z₂"}
    heads |= {"autodiff_dz1": "autodiff ∂L/∂z₁", "autodiff_dz2": "autodiff ∂L/∂z₂"}
    heads |= {"dw1": "∂L/∂w₁", "dw2": "∂L/∂w₂", "dv1": "∂L/∂v₁", "dv2": "∂L/∂v₂"}
    columns = {head: [fixed(x) for x in example[name]] for name, head in heads.items()}
    wide = pd.DataFrame({"activation": [code(name) for name in example["activation"]], **columns})
    first = example.iloc[0]
    error = example.loc[example["activation"] == "relu", "dy"]
    sentences = [
        f"x = {short(x, 12)}; w = (0.6, −0.4), b = (0.1, 0.2), v = (0.3, 0.3), c = 0; t = 1; z = wx + b, h = φ(z), "
        f"y = v·h + c, L = ½(t − y)²; so z₁ = {short(first['z1'], 12)} and z₂ = {short(first['z2'], 12)}"
        f"{' exactly' if first['z2'] == 0 else ''}. "
        "∂L/∂b = ∂L/∂z and ∂L/∂c = ∂L/∂y. A plain 0 is exactly 0."
    ]
    if len(error) and first["z2"] < 0:
        sentences.append("ReLU's second unit receives nothing because z₂ < 0, where φ′ = 0.")
    if len(error) and first["z2"] == 0:
        sentences.append(
            "ReLU's second unit receives nothing because φ′(0) = 0 by convention: with φ′(0) = 1 it would receive "
            f"∂L/∂z₂ = {fixed(error.iloc[0] * 0.3)}."
        )
    return Table("The worked example", " ".join(sentences), frame, wide, "worked_example")


def fixed(x: float) -> str:
    """Write four decimals, but a plain 0 for an exact one, and few digits of what is large.

    >>> fixed(-0.0483197), fixed(0.0), fixed(-1.5e7), fixed(math.nan)
    ('−0.0483', '0', '−1.5e+07', '–')
    """
    if not math.isfinite(x):
        return "–"
    return "0" if x == 0 else f"{x:.4f}".replace("-", "−") if abs(x) < 1e6 else f"{x:.4g}".replace("-", "−", 1)


def learns(descent: pd.DataFrame) -> dict[str, bool]:
    """Tell whether descent ever moves the second unit, by activation."""
    moves = descent.groupby("activation", sort=False)["z2"].agg(lambda z: (z != z.iloc[0]).any())
    return {str(name): bool(moved) for name, moved in moves.items()}


def left_out(descent: pd.DataFrame) -> str:
    """Say how many activations the figure leaves out, where they are, and of which the second unit never moves.

    >>> names = [f"act_{i}" for i in range(11)]
    >>> descent = pd.DataFrame([(name, step, step * (name != "act_9")) for name in names for step in (0, 1)])
    >>> left_out(descent.set_axis(["activation", "step", "z2"], axis=1))
    'Drawn: the first 9 of 11. The other 2 are in the tables; of these the second unit never moves with act_9.'
    >>> left_out(descent.set_axis(["activation", "step", "z2"], axis=1).head(6))
    ''
    """
    moves = learns(descent)
    others = list(moves)[STORY:]
    if not others:
        return ""
    still = [name for name in others if not moves[name]]
    text = f"Drawn: the first {STORY} of {len(moves)}. The other {len(others)} are in the tables"
    return f"{text}; of these the second unit never moves with {listed(still)}." if still else f"{text}."


def fate(moved: bool, loss: float) -> str:
    """Say what became of the second unit."""
    return "never moves" if not moved else "learns" if math.isfinite(loss) else "diverged"


def tiny(loss: float) -> str:
    """Write a loss, down to where rounding takes over, and up to where there is none.

    >>> tiny(0.3872), tiny(2.5e-5), tiny(1e-21), tiny(math.inf)
    ('0.387', '2.5e−5', '< 1e−12', 'diverged')
    """
    if not math.isfinite(loss):
        return "diverged"
    return number(loss) if loss >= 1e-12 else "< 1e−12"


def descent_table(descent: pd.DataFrame) -> Table:
    """Tabulate gradient descent on the example: the loss on the way, and what became of the second unit."""
    frame = descent.round(10).assign(loss=descent["loss"].round(16))  # a loss of 1e−10 still has its digits
    last = int(descent["step"].max())
    steps = sorted({0, min(10, last), min(25, last), last})
    by_step = descent.pivot(index="activation", columns="step", values="loss")
    ends = descent[descent["step"] == last].set_index("activation")
    names = list(dict.fromkeys(descent["activation"]))
    moved = learns(descent)
    wide = pd.DataFrame(
        {
            "activation": [code(name) for name in names],
            **{f"loss, step {step}": [tiny(by_step.loc[name, step]) for name in names] for step in steps},
            f"z₂, step {last}": [fixed(ends.loc[name, "z2"]) for name in names],
            f"h₂, step {last}": [fixed(ends.loc[name, "h2"]) for name in names],
            "second unit": [fate(moved[name], ends.loc[name, "loss"]) for name in names],
        }
    )
    kept = "keep their defaults" if not any("(" in name for name in names) else "stay as they are"
    note = f"Plain gradient descent on the one example, learning rate 0.1; activation parameters {kept}."
    return Table("The worked example under gradient descent", note, frame, wide, "worked_example_descent")


def write_worked_example(
    example: pd.DataFrame, descent: pd.DataFrame, looks: Looks, out: Path, x: float = 0.5
) -> list[Path]:
    """Write the worked example's two tables and its figure.

    Args:
        example, descent: the rows that ``nn.worked_example.rows`` makes.
        looks: the looks that the activations' records have.
        out: the folder; ``tables/`` and ``figures/`` arise in it.
        x: the example's input.

    Returns:
        The files written.
    """
    both = (example_table(example, x), descent_table(descent))
    tables = [path for table in both for path in write(table, out / "tables")]
    with style.apply():
        return [*tables, *style.save(descent_figure(descent, all_looks(looks)), out / "figures" / "worked_example")]


def worked_example_text(example: pd.DataFrame, descent: pd.DataFrame, x: float = 0.5, width: int | None = None) -> str:
    """Write the worked example's two tables as text, with what a reader needs to follow them.

    On a terminal of a ``width`` a table that is wider stands in blocks, one below the other; None: any width.
    """
    texts = []
    for table in (example_table(example, x), descent_table(descent)):
        wide = table.wide.assign(activation=[name.strip("`") for name in table.wide["activation"]])
        text = tabulate(wide.to_numpy().tolist(), headers=list(wide.columns), disable_numparse=True)
        if width is not None and text.find("\n") > width:
            text = in_blocks([(str(head), *map(str, wide[head])) for head in wide], width)
        texts.append(f"{table.title}\n\n{text}\n\n{table.note}")
    return "\n\n\n".join(texts)


def descent_figure(descent: pd.DataFrame, styles: Mapping[str, LineStyle]) -> Figure:
    """Draw the loss of each activation and, right, the second unit's pre-activation, which ReLU leaves at its kink."""
    more = left_out(descent)
    descent = descent[descent["activation"].isin(descent["activation"].unique()[:STORY])]
    names = list(dict.fromkeys(descent["activation"]))
    figure = style.new_figure(style.WIDEST, 4.0 if more else 3.6)
    loss, unit = figure.subplots(1, 2)
    for name in reversed(names):
        curve = descent[descent["activation"] == name]
        line = style.line(styles[name]) | {"markevery": (names.index(name) % 5, 10)}
        loss.semilogy(curve["step"], curve["loss"], label=name, **line)
        unit.plot(curve["step"], curve["z2"], **line)
    last = descent["step"].max()
    top = max(1.0, min(descent["loss"].where(np.isfinite(descent["loss"])).max(), 1e12))
    loss.set(xlabel="step", ylabel="loss", title="Loss", xlim=(0, last), ylim=(1e-12, top))
    unit.set(xlabel="step", ylabel="z₂", title="Pre-activation of the second unit", xlim=(0, last))
    still = [name for name in names if not learns(descent)[name]]
    if still:
        text = textwrap.fill(f"never moves: {', '.join(still)}", 44)
        unit.annotate(text, (last, 0.0), (0, 5), textcoords="offset points", ha="right", va="bottom", fontsize=7)
    handles, labels = loss.get_legend_handles_labels()
    title = {"title": textwrap.fill(more, 110), "title_fontsize": 8} if more else {}
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=5, **title)
    return told_apart(figure)
