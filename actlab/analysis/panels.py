"""Drawing with Matplotlib: from a specification and a frame of estimates to a figure.

Nothing here computes a statistic. Every kind of figure has its function; ``render`` knows which. NaN leaves a gap.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from actlab.analysis import style
from actlab.analysis.axes import (
    AT_END,
    AT_INIT,
    BAND,
    EACH_SEED,
    MARKED,
    arrangement,
    curve,
    each_seed,
    is_predicted,
    line_label,
    looks_of,
    name_edges,
    of_shares,
    panel_title,
    points,
    predicted,
    start_of,
    title,
    unknown_between,
    width_of,
)
from actlab.analysis.axis_scales import bar_of_places, decades_scale, depth_axis, layer_axis, log_scale, pressed_scale
from actlab.analysis.cuts import CUT, cut_at, mark_cut
from actlab.analysis.deviations import reaches_not
from actlab.analysis.drawings import (
    DOTS,
    FACETS,
    GRID,
    LINEAR_TO_1,
    MAP,
    MULTIPLES,
    NAMED_LINES,
    PROFILE,
    RIDGES,
    SCALE,
    SCATTER,
    TILES,
    Spec,
    as_drawn,
    in_order,
)
from actlab.analysis.estimates import LOGS
from actlab.analysis.layout import setting, words
from actlab.analysis.legends import keys_of_starts, keys_of_theory, keys_of_times, legend
from actlab.analysis.looks import LineStyle
from actlab.analysis.maps import share_map, tiles
from actlab.analysis.multiples import OWN, own_or_shared, small_multiples
from actlab.analysis.named_lines import (
    BESIDE,
    FEW_BESIDE,
    UNDER,
    UNDER_POINT,
    WIDER,
    beneath,
    draw_beside,
    key_of_under,
    named_lines,
)
from actlab.analysis.of_trained import TRAINED, untrained
from actlab.analysis.point_intervals import point_intervals, why_no_line
from actlab.analysis.point_marks import half_filled, keys_of_ranges, told_apart
from actlab.analysis.profiles import profile
from actlab.analysis.reaches import drawn, far_out, padded
from actlab.analysis.ridges import ridges
from actlab.analysis.scatter import scatter
from actlab.analysis.underflows import mark_underflows
from actlab.measures import LOG10, about


def render(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw a frame as the specification says: medians and ranges where means have no interval."""
    return told_apart(KINDS[spec.kind](spec, as_drawn(frame)))


def facets(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw small multiples, one for each of ``panels``: a measure against ``x``, a line for each of ``lines``.

    Where the frame has ``at``, the end is a solid line with its interval and init a dotted one without. Where it has
    predictions, these are dashed, and init is points; if nothing else is drawn, with its interval, and the predictions
    with their spread. All panels have one scale; on a log axis a few that would flatten all others have their own.
    Few layers lie upon many: the shallowest network is drawn last.
    """
    x, lines = spec.x, spec.lines
    measure = str(frame["measure"].iloc[0])
    log = measure in spec.log
    beyond = log and LOGS[0] in frame  # of float64, as gradients of a thousand layers are
    if beyond:
        logs = [str(name) for name in frame if str(name).startswith(LOG10)]
        frame = frame.assign(**{name.removeprefix(LOG10): frame[name] for name in logs})
    theory, alone = is_predicted(frame), set(frame.get("at", [])) == {"init"}
    kept = frame[frame["runs"] > 0] if "runs" in frame else frame  # of other layers theory alone speaks
    gaps = x == "layer" and any(unknown_between(line[x].to_numpy()) for _, line in kept.groupby([spec.panels, lines]))
    hollow = AT_INIT if gaps and not alone else {}
    values = list(dict.fromkeys(frame[spec.panels]))
    colours = style.sequence(frame[lines].unique())
    own = looks_of(spec.panels, values, spec.looks) if len(colours) == 1 and spec.panels == "activation" else {}
    rows, columns = arrangement(len(values))
    figure = style.new_figure(width_of(rows, columns, 2.15), 1.7 * rows + 0.75)
    share = about(measure).range == (0.0, 1.0)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=share)
    heights = {value: heights_shown(frame[frame[spec.panels] == value], theory, alone) for value in values}
    decades = {value: of if beyond else np.log10(of.where(of > 0)) for value, of in heights.items()}
    far = set() if share else far_out(decades) if log else far_out(heights, WIDE_BAND)
    for i, (axes, value) in enumerate(zip(grid.flat, values, strict=False)):
        panel = frame[frame[spec.panels] == value]
        for name, line in reversed(list(panel.groupby(lines))):
            colour = own[value].colour if own else colours[name]
            look = LineStyle(colour, AT_END if gaps and not alone else "o" if line[x].nunique() == 1 else "")
            if "at" in line:
                init = line[line["at"] == "init"]
                if theory:
                    predicted(axes, init, x, look.colour, BAND if alone else 0.0)
                    points(axes, init, x, LineStyle(colour, "o"), 3.0 if gaps else 2.0, **hollow)
                else:
                    dotted = {"linewidth": 1.2, "linestyle": style.DASHES["dotted"]}
                    curve(axes, init, x, look, False, **dotted | ({"markersize": 3.0} | hollow if hollow else {}))
                line = line[line["at"] == "final"]
            if "each" in line:
                each_seed(axes, line, x, look, **SEED_ALONE)
            elif len(line):
                single = bool(some_of(line, lines, False)) and line["n"].max() == 1
                curve(axes, line, x, look, linewidth=0.6 if single else 1.2)
        if lines == "layer":
            start_of(axes, panel, x)
        head = panel_title(spec.panels, value)
        head = f"{head} ({OWN})" if value in far else head
        axes.set_title("\n".join([head, *some_of(panel, lines, len(colours) > 1)]))
        shown = pd.concat([of for one, of in heights.items() if (one == value if value in far else one not in far)])
        if beyond:
            decades_scale(axes, shown, 3.0)
        elif log:
            log_scale(axes, shown, 1.0 if alone else 3.0)
        elif not share and shown.notna().any():
            axes.set_ylim(*padded([(float(shown.min()), float(shown.max()))]))
        if not share:
            own_or_shared(axes, value, far, values[i - i % columns : i])
    of_shares(grid.flat[0], measure)
    if x == "layer":
        layer_axis(grid.flat[0], int(frame[x].max()))
    else:
        grid.flat[0].xaxis.set_major_locator(MaxNLocator(5, integer=True))
    name_edges(grid, len(values), about(x).axis, about(measure).axis)
    handles = [Line2D([], [], color=colour, label=setting(value), linewidth=2) for value, colour in colours.items()]
    handles = [] if own else handles
    if "each" in frame and frame["runs"].max() > 1:
        handles.append(Line2D([], [], label="each seed", color="#444444", **EACH_SEED | SEED_ALONE))
    dotted = {"linestyle": style.DASHES["dotted"]}
    end = {"marker": AT_END, **dotted} if gaps else {}
    if theory:
        handles += keys_of_theory(not alone, end, hollow, reaches_not(frame))
        handles += keys_of_ranges(figure)
    elif "at" in frame:
        handles += keys_of_times(end, {**hollow, **dotted})[alone:]
    handles += keys_of_starts(figure)
    legend(figure, handles, "" if own else words(lines))
    return figure


def heights_shown(panel: pd.DataFrame, theory: bool, alone: bool) -> pd.Series:
    """List the heights that a panel's lines reach, and its bars: those at init only where these have any."""
    bars = panel.index[(panel["at"] != "init") | theory] if "at" in panel else panel.index
    return drawn(panel.assign(low=panel["low"].loc[bars], high=panel["high"].loc[bars]), alone)


def some_of(panel: pd.DataFrame, lines: str, several: bool) -> list[str]:
    """Say of which lines not all runs are drawn: those that trained, or that have a value; once, if of all the same.

    >>> row = {"at": "final", "depth": 30, "mean": 1.0, "n": 1, "runs": 3}
    >>> some_of(pd.DataFrame([row]), "depth", False), some_of(pd.DataFrame([row]), "depth", True)
    (['1 of 3 runs'], ['depth 30: 1 of 3 runs'])
    >>> some_of(pd.DataFrame([row | {"layer": layer} for layer in (1, 2)]), "layer", True)
    ['1 of 3 runs']
    """
    panel = panel[panel["mean"].notna() & ((panel["at"] != "init") if "at" in panel else True)]
    texts: dict[str, str] = {}
    if not {"n", "runs"} <= set(panel):
        return []
    for value, line in panel.groupby(lines):
        numbers = sorted({int(line["n"].min()), int(line["n"].max())})
        runs = int(line["runs"].max())
        text = str(line[TRAINED].iloc[0]) if TRAINED in line else ""
        text = "none trained" if untrained(line).any() else text
        if not text and numbers[0] < runs:
            text = f"{' to '.join(map(str, numbers))} of {runs} runs"
        texts[f"{words(lines)} {setting(value)}"] = text
    if not several or (len(texts) > 1 and len(set(texts.values())) == 1):
        return list(dict.fromkeys(filter(None, texts.values())))
    return [f"{name}: {text}" for name, text in texts.items() if text]


def grid_of_lines(spec: Spec, frame: pd.DataFrame) -> Figure:
    """Draw rows (``panels``) by ``columns``, in each panel a measure against ``x``, a line for each of ``lines``.

    Layers are coloured in the order of those that a panel has, from the input (dark) to the output (light). Where
    theory is drawn, it alone is dashed: lines of what was measured are solid, and told apart by markers.
    """
    lines, theory = spec.lines, is_predicted(frame)
    down, across = list(dict.fromkeys(frame[spec.panels])), list(dict.fromkeys(frame[spec.columns]))
    values = list(dict.fromkeys(frame[lines]))
    looks = looks_of(lines, values, spec.looks)
    if theory:
        looks = {value: replace(look, dash="solid") for value, look in looks.items()}
    ticks = in_order(frame[spec.x]) if spec.x == "depth" else []
    rows_of_key = math.ceil((len(values) + 3 * theory) / 6)
    below = 0.5 + 0.19 * rows_of_key if lines != "layer" else 1.0
    alpha = min(BAND, 0.6 / len(values))  # many bands must not bury the lines
    folds, columns = arrangement(len(across))
    width = min(max(2.2 * columns + 0.5, 3.8), style.WIDEST)
    figure = style.new_figure(width, 1.8 * len(down) * folds + below)
    places = figure.subplots(len(down) * folds, columns, squeeze=False)
    grid = np.array(
        [[places[i * folds + j // columns, j % columns] for j in range(len(across))] for i in range(len(down))]
    )
    for axes in set(places.flat) - set(grid.flat):
        axes.set_visible(False)
    panel_of: Any
    far = [far_in_row(spec, frame[frame[spec.panels] == one]) for one in down]
    for (i, j), panel_of in np.ndenumerate(grid):
        first = next(place for place, other in enumerate(across) if other not in far[i])
        if across[j] not in far[i] and j != first:
            panel_of.sharey(grid[i, first])
        if i:
            panel_of.sharex(grid[0, j])
    cut = crowded = False
    keys: dict[str, dict[str, Any]] = {}
    many = len(values) > MOST_WIDE and lines != "layer"
    for i, one in enumerate(down):
        of_row = with_range_of_seeds(frame[frame[spec.panels] == one])
        log, said = of_row["measure"].iloc[0] in spec.log, ""
        top = cut_at(drawn(of_row)) if log and spec.x == "step" else math.inf
        shared = next(grid[i, j] for j, other in enumerate(across) if other not in far[i])
        if log:
            log_scale(shared, drawn(of_row[~of_row[spec.columns].isin(far[i])]).clip(upper=top))
            shared.set_ylim(top=top if math.isfinite(top) else None)
            for other in far[i]:
                log_scale(grid[i, across.index(other)], drawn(of_row[of_row[spec.columns] == other]))
        else:
            of_shares(shared, str(of_row["measure"].iloc[0]), drawn(frame) if spec.fitted else None)
        if SCALE[0] in of_row and not log and of_row[list(SCALE)].notna().all(axis=None):
            shared.set_ylim(*padded([(float(of_row[SCALE[0]].min()), float(of_row[SCALE[1]].max()))]))
        if not log and pressed_scale(shared, drawn(of_row)):  # last: it sets limits of its own
            said = f" ({LINEAR_TO_1})"
        for j, other in enumerate(across):
            axes = grid[i, j]
            panel = of_row[of_row[spec.columns] == other]
            if lines == "layer" and len(panel):
                looks = looks_of(lines, sorted(panel[lines].unique()), spec.looks)
            under = beneath(axes, panel, spec.x, lines) if lines != "layer" and panel["mean"].notna().any() else {}
            crowded |= many and bool(under)
            under = {} if many else under
            # Of few layers, and beside theory, points are drawn, and no lines that could be wide.
            dotted = is_predicted(of_row) or (spec.x == "layer" and unknown_between(panel["layer"].to_numpy()))
            keys |= {UNDER_POINT if dotted else UNDER: key_of_under(dotted)} if under else {}
            for k, value in enumerate(values):
                line = panel[panel[lines] == value]
                if len(line):
                    marker = "o" if lines == "layer" else looks[value].marker
                    small: dict[str, Any] = {"markersize": 2.6, "linewidth": 1.1, "marker": marker}
                    small |= {"markerfacecolor": "white"} if untrained(line).any() and lines != "layer" else {}
                    small |= {"markevery": 1 if theory else max(len(line) // MARKED, 1)} if lines != "layer" else {}
                    small |= seen_beneath(under.get(value, 0), small) | (THIN if many else {})
                    if spec.x == "depth" and is_predicted(of_row) and len(values) <= FEW_BESIDE:
                        small["aside"] = BESIDE * (k - (len(values) - 1) / 2)
                    cut |= mark_cut(axes, line, spec.x, top, looks[value].colour)
                    keys |= mark_underflows(axes, line, spec.x, looks[value].colour) if log else {}
                    if "each" in line:
                        each_seed(axes, line, spec.x, looks[value])
                        line = line.assign(low=np.nan, high=np.nan)
                    draw_beside(axes, line, spec.x, looks[value], is_predicted(of_row), alpha, **small)
                    if spec.x != "step":
                        keys |= half_filled(axes, line, spec.x, looks[value], 4.2, small.get("aside", 0.0))
            if len(panel) and not panel["mean"].notna().any():
                in_middle: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center", "fontsize": 7}
                axes.text(0.5, 0.5, why_no_line(panel), color="#555555", **in_middle)
            if lines == "layer" and len(panel):
                start_of(axes, panel, spec.x)
                at = {"transform": axes.transAxes, "ha": "right", "va": "top", "fontsize": 7, "color": "#555555"}
                some = "none trained" if untrained(panel).any() else panel[TRAINED].iloc[0] if TRAINED in panel else ""
                axes.text(0.98, 0.98, some, **at)
            told = (i == 0 or folds > 1) and (len(across) > 1 or lines != "layer")
            head = [f"{words(spec.columns)} {setting(other)}"] * told + [OWN] * (other in far[i])
            axes.set_title(" – ".join(head))
            if ticks:
                depth_axis(axes, ticks, spec.x)
            elif spec.x == "layer" and len(panel):
                layer_axis(axes, int(panel["layer"].max()), 4)
            else:
                axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            last = i == len(down) - 1 and j + columns >= len(across)
            axes.set_xlabel(about(spec.x).axis if last else "")
            own_or_shared(axes, other, far[i], across[j - j % columns : j])
            axes.tick_params(labelbottom=last or (spec.x == "layer" and folds > 1))
            if j % columns == 0:
                axes.set_ylabel(spec.labels.get(one, title(one)) + said)
    if lines == "layer":
        bar_of_places(figure, list(grid.flat))
        legend(figure, keys_of_starts(figure), "")
        return figure
    ends = not theory or ("at" in frame and bool((frame["at"] == "final").any()))
    line_of: dict[str, Any] = {"markersize": 4, **({} if ends else {"linestyle": "none"})}
    handles = [Line2D([], [], label=line_label(lines, one), **{**style.line(looks[one]), **line_of}) for one in values]
    if crowded:
        handles.append(Line2D([], [], color="#444444", marker="o", label=CROWDED, **THIN))
    handles += [Line2D([], [], label=text, **look) for text, look in keys.items()]
    if untrained(frame).any():
        handles.append(Line2D([], [], **UNTRAINED))
    if cut:
        handles.append(Line2D([], [], color="#444444", **CUT))
    if "each" in frame:
        handles.append(Line2D([], [], label="each seed", color="#444444", **EACH_SEED))
    if theory:
        layers = frame[frame["runs"] > 0] if "runs" in frame else frame
        by_depth = layers.groupby(spec.columns)[spec.x]
        gaps = spec.x == "layer" and any(unknown_between(one.to_numpy()) for _, one in by_depth)
        handles += keys_of_theory(ends, {"linestyle": style.DASHES["dotted"]} if gaps else {}, some=reaches_not(frame))
        handles += keys_of_ranges(figure)
    legend(figure, handles, "" if lines == "activation" else words(lines), rows_of_key)
    return figure


def far_in_row(spec: Spec, of_row: pd.DataFrame) -> set[Any]:
    """Choose the panel of a row whose layers lose so many decades that its scale would press all others flat."""
    if spec.x != "layer" or of_row["measure"].iloc[0] not in spec.log:
        return set()
    heights = {other: drawn(panel) for other, panel in of_row.groupby(spec.columns)}
    return far_out({other: np.log10(of.where(of > 0)) for other, of in heights.items()}, few=2)


def seen_beneath(upon: int, look: Mapping[str, Any]) -> dict[str, Any]:
    """Choose width and markers of a line such that so many that lie upon all of it leave it seen.

    >>> seen_beneath(1, {"markersize": 2.0, "linewidth": 1.0})
    {'markersize': 3.4, 'linewidth': 3.2, 'zorder': 1.9}
    """
    if not upon:
        return {}
    more = upon**0.6  # of eight lines one on another the lowest must not fill the panel
    size, width = look["markersize"] + 1.4 * more, look["linewidth"] + WIDER * more
    return {"markersize": size, "linewidth": width, "zorder": 2 - 0.1 * upon}


def with_range_of_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Let heights reach as far as the seeds do, where each is drawn."""
    if "each" not in rows:
        return rows
    each = [[float(one) for one in str(texts).split()] for texts in rows["each"]]
    return rows.assign(low=[min(one) for one in each], high=[max(one) for one in each])


UNTRAINED: dict[str, Any] = {
    **{"label": "hollow: no run trained", "color": "#444444", "linestyle": "none"},
    **{"marker": "o", "markersize": 4, "markerfacecolor": "white"},
}
SEED_ALONE: dict[str, Any] = {"linewidth": 0.9, "alpha": 0.85}
"""The line of a seed where no mean is drawn beside it."""
MOST_WIDE = 5
"""Of so many lines those are wide on which others lie: of more, wide ones leave nothing to see."""
THIN: dict[str, Any] = {"markersize": 2.0, "linewidth": 0.75}
CROWDED = "thin: many lines, some on one another"
WIDE_BAND = 2.0
"""How many times as high as all others together a panel of an axis of equal steps is that has a scale of its own."""


KINDS: dict[str, Callable[[Spec, pd.DataFrame], Figure]] = {
    NAMED_LINES: named_lines,
    FACETS: facets,
    GRID: grid_of_lines,
    MAP: share_map,
    SCATTER: scatter,
    PROFILE: profile,
    TILES: tiles,
    RIDGES: ridges,
    DOTS: point_intervals,
    MULTIPLES: small_multiples,
}
