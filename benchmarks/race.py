"""What all benchmarks share: workers that run at once, medians over rounds; a table, a CSV and a figure at the end."""

import argparse
import textwrap
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from actlab.analysis import style

RESULTS = Path(__file__).parent / "results"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
MARKERS = "osD^vP<"
WHISKERS = "Whiskers: from the lowest to the highest round"


def parser(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """Make a parser of the arguments that every benchmark takes."""
    command = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--rounds", type=int, default=rounds, help=f"rounds of the race [default: {rounds}]")
    command.add_argument("--stored", action="store_true", help="no race: table and figure of the rounds that --out has")
    command.add_argument("--out", type=Path, default=RESULTS, help="folder for the CSV and the figure")
    return command


def together(pool: Executor, workers: int, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Call a function in every worker at once; return what each returns."""
    return [future.result() for future in [pool.submit(function, *arguments) for _ in range(workers)]]


def rounds(
    name: str, arguments: argparse.Namespace, measured: Callable[[argparse.Namespace], pd.DataFrame]
) -> pd.DataFrame:
    """Measure, or read what was measured before; a row for each round."""
    if not arguments.stored:
        return measured(arguments)
    return pd.read_csv(arguments.out / f"{name}.csv")


def medians(frame: pd.DataFrame, by: Sequence[str], values: Sequence[str], digits: int = 2) -> pd.DataFrame:
    """Compute each value's median over rounds, with the lowest and the highest, as text."""

    def median_and_range(column: pd.Series) -> str:
        return f"{column.median():.{digits}f} ({column.min():.{digits}f}–{column.max():.{digits}f})"

    grouped = frame.groupby(list(by), sort=False)
    return pd.DataFrame({name: grouped[name].apply(median_and_range) for name in values}).reset_index()


def finish(name: str, title: str, frame: pd.DataFrame, table: pd.DataFrame, figure: Figure | None, out: Path) -> None:
    """Print a table, and write every round as CSV, the table as Markdown, and the figure."""
    out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(out / f"{name}.csv", index=False, float_format="%.5g")
    text = table.to_markdown(index=False, disable_numparse=True)
    (out / f"{name}.md").write_text(f"{title}\n\n{text}\n", encoding="utf-8")
    print(f"\n{title}\n\n{text}")
    if figure is not None:
        figure.suptitle(textwrap.fill(title, 70), fontsize=9)
        style.save(figure, out / name)


def lines(
    frame: pd.DataFrame,
    x: str,
    values: Sequence[str] | Mapping[str, str],
    ylabel: str,
    log: bool = False,
    goals: Sequence[float] = (),
) -> Figure:
    """Draw medians over rounds against ``x``, whiskers from the lowest to the highest round.

    Args:
        frame: a row for each round.
        x: the column along the axis.
        values: the columns that have a line each; what the legend calls them, where that is not their name.
        ylabel: of the axis.
        log: whether it is logarithmic.
        goals: heights to draw a line at.
    """
    called = values if isinstance(values, Mapping) else {name: in_words(name) for name in values}
    with style.apply():
        many = len(values) > 3
        figure = style.new_figure(style.WIDEST if many else 4.2, 2.9)
        axes = figure.subplots()
        for name, colour, marker in zip(called, COLOURS, MARKERS, strict=False):
            grouped = frame.groupby(x)[name]
            middle = grouped.median()
            whiskers = [middle - grouped.min(), grouped.max() - middle]
            look: dict[str, Any] = {"color": colour, "marker": marker, "capsize": 2}
            axes.errorbar(middle.index, middle, yerr=whiskers, label=called[name], **look)
        for goal in goals:
            axes.axhline(goal, color="#888888", linewidth=0.7, linestyle="--")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(frame[x].unique()), [str(value) for value in sorted(frame[x].unique())])
        if log:
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.08 * max(axes.dataLim.y1, *goals, 0))
        axes.set(xlabel=in_words(x), ylabel=ylabel)
        figure.legend(loc="outside right center") if many else axes.legend()
        figure.supxlabel(WHISKERS, fontsize=7)
        return figure


def bars(names: Sequence[str], frame: pd.DataFrame, by: str, value: str, xlabel: str) -> Figure:
    """Draw one bar per name: the median over rounds, whiskers from the lowest to the highest; of ratios a line at 1."""
    with style.apply():
        figure = style.new_figure(4.6, 0.9 + 0.22 * len(names))
        axes = figure.subplots()
        grouped = frame.groupby(by)[value]
        middle, low, high = (getattr(grouped, how)().loc[list(names)] for how in ("median", "min", "max"))
        places = list(range(len(names)))[::-1]
        axes.barh(places, middle, color=COLOURS[0], height=0.62)
        axes.errorbar(middle, places, xerr=[middle - low, high - middle], fmt="none", ecolor="#333333", capsize=2)
        axes.set_yticks(places, names if by == "activation" else [in_words(name) for name in names])
        axes.axvline(1.0, color="#333333", linewidth=0.8, linestyle=style.DASHES["dashed"])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(xlabel)
        figure.supxlabel(WHISKERS, fontsize=7)
        return figure


def in_words(name: str) -> str:
    """Write a column's name in words."""
    return name.replace("_", " ")
