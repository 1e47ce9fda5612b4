"""One run on one page: its settings and numbers as text, four panels, and histograms where it has some."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from actlab.analysis import style
from actlab.analysis.axes import curve
from actlab.analysis.axis_scales import decades_scale, log_scale
from actlab.analysis.binned import CUT, axis_of, both_ends, shares
from actlab.analysis.cells import settings_in
from actlab.analysis.drawings import evenly
from actlab.analysis.estimates import natural
from actlab.analysis.formats import Formats
from actlab.analysis.layout import number, setting, words
from actlab.analysis.looks import LineStyle
from actlab.analysis.ridges import ridge, scale
from actlab.measures import HISTOGRAMS, LOG10, about
from actlab.naming import drawn_name
from actlab.study.settings import UNSTATED, Setting

SPLITS = {"train": "#0072B2", "validation": "#E69F00", "test": "#009E73"}
MOST_LINES = 8
TALL, LONG = 6.4, 10  # inches of the four panels; letters of a name of which three stand side by side
WORST_R2 = -1.0  # before training it may be anything: what is below would leave no room for the rest


def run_summary(
    run: str,
    runs: pd.DataFrame,
    steps: pd.DataFrame,
    layers: pd.DataFrame,
    folder: Path,
    settings: Sequence[Setting] = UNSTATED,
    histograms: pd.DataFrame | None = None,
    formats: Formats | None = None,
) -> tuple[str, Path]:
    """Write the text of one run, and its figure as ``run-<run>.png`` and ``.svg``, or as what the study asks for.

    Args:
        run: the run's hash, in full.
        runs, steps, layers: the study's frames.
        folder: where the figure goes.
        settings: what is known of the columns that are settings.
        histograms: the study's, where it has some: the figure has a row of those of the run.
        formats: what the study asks of its figures.

    Returns:
        the text, and the path of the figure.

    Raises:
        KeyError: there is no such run.
    """
    own = runs[runs["run"] == run]
    if own.empty:
        raise KeyError(run)
    row = {str(name): value for name, value in own.iloc[0].items()}
    by_step = steps[steps["run"] == run].sort_values("step")
    by_layer = natural(layers[layers["run"] == run].sort_values(["step", "layer"]))
    with style.apply():
        counts = pd.DataFrame() if histograms is None else both_ends(histograms, by_step, own)
        binned = pd.DataFrame() if counts.empty else shares(counts, [])
        picture = all_panels(row, by_step, by_layer, binned)
        picture.suptitle(f"{drawn_name(row['activation'])}, depth {row['depth']}, seed {row['seed']} (run {run})")
        formats = formats or Formats()
        first, *_ = style.save(picture, folder / f"run-{run}", formats.suffixes, formats.dpi)
    return text(row, [one.column for one in settings_in(runs, settings)]), first


def text(row: dict[str, Any], keys: Iterable[str]) -> str:
    """List settings, status and final numbers, a line each; what the run does not have is left out."""
    status = "ok" if row["status"] == "ok" else f"diverged at step {row['diverged_step']:g}"
    head = {"run": row["run"], "status": status, "seed": row["seed"]}
    lines = [f"{name:<34} {value}" for name, value in head.items()]
    lines.append("")
    lines += [f"{words(key):<34} {setting(as_typed(row[key]))}" for key in keys if str(row[key]) != ""]
    lines.append("")
    names = list(row)
    for name in names[names.index("status") + 2 :]:
        value = row[name]
        if isinstance(value, bool | np.bool_):
            lines.append(f"{words(name):<34} {'yes' if value else 'no'}")
        elif isinstance(value, int | float | np.number) and not math.isnan(value):
            lines.append(f"{words(name):<34} {number(float(value), 4)}")
    return "\n".join(lines)


def as_typed(value: Any) -> Any:
    """Round a number to as many digits as people type.

    >>> as_typed(0.24999999999999997), as_typed(0.100000001), as_typed("relu")
    (0.25, 0.100000001, 'relu')
    """
    return float(f"{value:.12g}") if isinstance(value, float) and math.isfinite(value) else value


OF_HISTOGRAMS = "grey: at initialisation; blue: at the end; beside each row the share at 0, in %"


def all_panels(row: dict[str, Any], steps: pd.DataFrame, layers: pd.DataFrame, binned: pd.DataFrame) -> Figure:
    """Draw the four panels of a run, and below them its histograms, where there are any."""
    names = [name for name in HISTOGRAMS if len(binned) and (binned["measure"] == name).any()]
    kept = evenly(sorted(set(binned["layer"])), MOST_LINES) if names else []
    below = (0.55 + 0.2 * len(kept)) if names else 0.0
    figure = style.new_figure(style.WIDEST, TALL + below)
    if not names:
        four_panels(figure, row, steps, layers)
        return figure
    parts: Any = figure.subfigures(2, 1, height_ratios=(TALL, below))
    above, rest = parts
    four_panels(above, row, steps, layers)
    for axes, name in zip(rest.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        shown = binned[(binned["measure"] == name) & binned["layer"].isin(kept)]
        axis = axis_of(shown)
        ridge(axes, shown, kept, axis, SPLITS["train"], said=True)
        scale(axes, axis, kept)
        axes.set(xlabel=about(name).axis, ylabel="layer")
    rest.supxlabel(f"{OF_HISTOGRAMS}; a triangle: {100 * CUT:g} % or more beyond", fontsize=7.5)
    return figure


def four_panels(figure: Figure | SubFigure, row: dict[str, Any], steps: pd.DataFrame, layers: pd.DataFrame) -> None:
    """Draw over training losses, accuracy (or R², or update ratio), gradient norms, dead (or weak) units by layer."""
    grid = figure.subplots(2, 2)
    splits(grid[0, 0], steps, "loss")
    log_scale(grid[0, 0], pd.concat([steps[f"{split}_loss"] for split in SPLITS if f"{split}_loss" in steps]))
    if "train_accuracy" in steps and steps["train_accuracy"].notna().any():
        splits(grid[0, 1], steps, "accuracy")
    elif "train_r2" in steps and steps["train_r2"].notna().any():
        splits(grid[0, 1], steps, "r2")
        grid[0, 1].set(ylabel="R²", ylim=(max(grid[0, 1].get_ylim()[0], WORST_R2), 1.02))
    else:
        over_training(grid[0, 1], layers, "update_ratio", "update ratio by layer", log=True)
    gradients(grid[1, 0], layers)
    dies = "dead_fraction" in layers and bool((layers["dead_fraction"] > 0).any())
    which = "dead_fraction" if dies or "weak_fraction" not in layers else "weak_fraction"
    over_training(grid[1, 1], layers, which, f"{about(which).axis} by layer")
    for axes in grid.flat:
        if axes.get_legend_handles_labels()[0]:
            longest = max(map(len, axes.get_legend_handles_labels()[1]))
            columns = 3 if longest <= LONG else 2
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=columns, fontsize=7, columnspacing=1.2)


def splits(axes: Axes, steps: pd.DataFrame, metric: str) -> None:
    """Draw one metric over steps, one line per split."""
    for split, colour in SPLITS.items():
        name = f"{split}_{metric}"
        if name in steps and steps[name].notna().any():
            draw(axes, steps, "step", name, colour, split)
    axes.set_xlabel("step")
    axes.set_ylabel(metric)


def gradients(axes: Axes, layers: pd.DataFrame) -> None:
    """Draw signal (solid) and weight (dashed) gradient norms by layer: at init, half way and at the end."""
    names = ("signal_grad_norm", "weight_grad_norm")
    logs = pd.concat([layers[LOG10 + name] for name in names if LOG10 + name in layers] or [pd.Series(dtype=float)])
    beyond = bool((logs[np.isfinite(logs)].abs() > 300).any())  # of float64: then log10 itself is drawn
    recorded = sorted(layers["step"].unique())
    chosen = list(dict.fromkeys((recorded[0], recorded[len(recorded) // 2], recorded[-1])))
    drawn = []
    for step, colour in style.sequence(chosen).items():
        at = layers[layers["step"] == step]
        for name, dash in zip(names, ("solid", "dashed"), strict=True):
            if (LOG10 + name if beyond else name) not in at:
                continue
            values = at[LOG10 + name].where(np.isfinite(at[LOG10 + name])) if beyond else at[name].where(at[name] > 0)
            if values.notna().any():
                label = f"{name.partition('_')[0]}, step {step:g}"
                draw(axes, at.assign(**{name: values}), "layer", name, colour, label, dash)
                drawn.append(values)
    if drawn and beyond:
        decades_scale(axes, pd.concat(drawn), 3.0)
    elif drawn:
        log_scale(axes, pd.concat(drawn), 3.0)
    axes.set_xlabel("layer")
    axes.set_ylabel("gradient norm")


def over_training(axes: Axes, layers: pd.DataFrame, name: str, what: str, log: bool = False) -> None:
    """Draw a layer measure over steps, one line per layer, at most eight of them."""
    axes.set_xlabel("step")
    axes.set_ylabel(what)
    if name not in layers or layers[name].isna().all():
        return
    for layer, colour in style.sequence(evenly(sorted(set(layers["layer"])), MOST_LINES)).items():
        draw(axes, layers[layers["layer"] == layer], "step", name, colour, f"layer {layer:g}")
    if log:
        log_scale(axes, layers[name])
    else:
        axes.set_ylim(-0.02, 1.02)


def draw(axes: Axes, rows: pd.DataFrame, x: str, name: str, colour: str, label: str, dash: str = "solid") -> None:
    """Draw one line of one run, without an interval; records without a value are passed over."""
    line = rows[[x, name]].dropna().rename(columns={name: "mean"}).assign(low=np.nan, high=np.nan)
    curve(axes, line, x, LineStyle(colour, "o" if len(line) < 12 else "", dash), label=label, markersize=2.5)
