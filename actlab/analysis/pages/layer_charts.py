"""Charts of measures by layer, whose signals a reader sets: lines by layer, and maps of layer by step."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from actlab.analysis.drawings import pressed_flat
from actlab.analysis.looks import LineStyle
from actlab.analysis.maps_of_layers import WIDE_DECADE
from actlab.later import Later, pd
from actlab.measures import LOG10

alt = Later("altair")

SHARES = "indexof(shares, measure) >= 0"
"""Whether a share of units is drawn: all can be seen to be between 0 and 1, and it is of all runs."""
MIXED = f"datum.mixed && !({SHARES})"
"""Whether a line is of those runs alone that trained, where others did not."""
SEEN = {"or": [{"param": "pointed", "empty": False}, f"seeds || {MIXED}"]}
"""When the seeds behind a line are seen."""
FEW = f"({MIXED}) || (isValid(datum.n) && isValid(datum.n[measure]) && 2 * datum.n[measure] < datum.of)"
"""Of which lines little can be said: of fewer than half the runs, or of those that trained where others did not."""
RUNS = f"({MIXED} ? datum.trained : isValid(datum.n) && isValid(datum.n[measure]) ? datum.n[measure] : datum.of)"
"""Of how many runs a line is."""
DIM = {"opacity": {"condition": {"test": FEW, "value": 0.4}, "value": 1}}
THIN = {"strokeWidth": {"condition": {"test": FEW, "value": 1}, "value": 2.2}}
OF_DEPTH = "names[measure] + ', depth ' + d"
EVEN = 1e6
"""So much larger than what is shaded that shades are even throughout."""
NOT_KEPT = [2, 3]  # dashes of a line between layers that are no neighbours
STROKES: Mapping[str, list[int]] = {"solid": [1, 0], "dashed": [6, 3], "dotted": [2, 2], "dashdot": [7, 3, 2, 3]}

SHAPES: Mapping[str, str] = {
    "o": "circle",
    "s": "square",
    "D": "diamond",
    "^": "triangle-up",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "P": "cross",
    "+": "cross",
    "X": "M-1,-.5L-.5,-1L0,-.5L.5,-1L1,-.5L.5,0L1,.5L.5,1L0,.5L-.5,1L-1,.5L-.5,0Z",
    "x": "M-1,-.7L-.7,-1L0,-.3L.7,-1L1,-.7L.3,0L1,.7L.7,1L0,.3L-.7,1L-1,.7L-.3,0Z",
    "p": "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z",
    "h": "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z",
    "H": "M-.5,-.87L.5,-.87L1,0L.5,.87L-.5,.87L-1,0Z",
    "*": "M0,-1.2L.28,-.39L1.14,-.37L.46,.15L.71,.97L0,.48L-.71,.97L-.46,.15L-1.14,-.37L-.28,-.39Z",
    "d": "M0,-1L.6,0L0,1L-.6,0Z",
    "8": "M-.4,-1L.4,-1L1,-.4L1,.4L.4,1L-.4,1L-1,.4L-1,-.4Z",
    "|": "M-.25,-1L.25,-1L.25,1L-.25,1Z",
}
"""Marks as Matplotlib names them, in Vega: by its own name, or as a path within a square of side 2."""


def top(values: Mapping[str, Any]) -> list[Any]:
    """Make the signals of a chart, which the controls set."""
    return [alt.param(name=name, value=value) for name, value in values.items()]


def titled(text: str) -> Any:
    """Make a title that says what is set, for who keeps the picture."""
    return alt.TitleParams(text=alt.ExprRef(text), anchor="start", fontWeight="normal")


def chosen(values: Mapping[str, Any], but: Sequence[str] = ()) -> str:
    """Write which rows are drawn: those with the values that are set."""
    names = [
        name for name in values if name not in ("names", "shares", "measure", "seeds", "shown", "edges", "bends", *but)
    ]
    return " && ".join([*(f"datum.{name} === {name}" for name in names), "indexof(shown, datum.a) >= 0"])


def profile(
    values: Mapping[str, Any], looks: Mapping[str, LineStyle], fields: Sequence[str], whole: bool = True
) -> dict[str, Any]:
    """Draw a measure by layer: a line an activation, its seeds where a reader points at it or asks for all.

    Args:
        values: the signals.
        looks: {activation: its look}, in order.
        fields: the measures.
        whole: whether every layer is kept; else dashes are of the layers between, and activations have marks.
    """
    labels = list(looks)
    colour = alt.Color("a:N", title=None).scale(domain=labels, range=[looks[one].colour for one in labels])
    symbols: dict[str, Any] = {"symbolType": "stroke", "symbolStrokeWidth": 3} if whole else {"symbolSize": 90}
    legend = alt.Legend(orient="bottom", columns=4, symbolOpacity=1, values=alt.expr("shown"), **symbols)
    by_look = {
        "strokeDash": alt.StrokeDash("a:N", title=None)
        .scale(domain=labels, range=[STROKES[looks[one].dash] for one in labels])
        .legend(legend)
    }
    by_mark = {"shape": alt.Shape("a:N", title=None).scale(domain=labels, range=shapes(looks)).legend(legend)}
    pointed = alt.selection_point(name="pointed", fields=["a"], on="pointerover", nearest=True, empty=False)
    ticks = {"tickMinStep": 1, "format": "d", "labelExpr": "datum.value % 1 ? '' : datum.label"}  # there is no layer 1½
    across = alt.X("layer:Q", title="layer").scale(nice=False, zero=False).axis(**ticks)
    up = alt.Y("v:Q", title=None).scale(zero=False)
    base = rows(values, fields).encode(x=across, y=up, color=colour.legend(legend))
    ends = {"v": "min(v)", "v2": "max(v)", "layer": "min(layer)", "layer2": "max(layer)"}
    extent = (  # of all that a reader can slide to, so that the axes stand still: it is not seen
        rows(values, fields, but=["d", "s"])
        .transform_aggregate(**ends)
        .transform_calculate(v=f"{SHARES} ? 0 : datum.v", v2=f"{SHARES} ? 1 : datum.v2")
        .mark_rule(opacity=0)
        .encode(x=across, x2="layer2:Q", y=up, y2="v2:Q")
    )
    told = [alt.Tooltip("a:N", title="activation"), alt.Tooltip("layer:Q")]
    behind = {"opacity": {"condition": {"test": SEEN, "value": 0.6}, "value": 0}}
    of_seeds = in_pieces(base.transform_filter("datum.seed >= 0"))
    medians = base.transform_filter("datum.seed < 0")
    pieces = in_pieces(medians)
    seeds = of_seeds.mark_line(strokeWidth=1).encode(detail=["seed:N", "piece:N"], **behind)
    lines = pieces.mark_line().encode(detail="piece:N", **(by_look if whole else {}), **THIN, **DIM)
    between = (
        across_gaps(of_seeds).mark_rule(strokeDash=NOT_KEPT).encode(**behind),
        across_gaps(pieces).mark_rule(strokeDash=NOT_KEPT, strokeWidth=1.4).encode(**DIM),
    )
    points = (
        medians.transform_calculate(runs=f"{RUNS} + ' of ' + datum.of")
        .mark_point(filled=True, size=36 if whole else 60)
        .encode(
            tooltip=[*told, alt.Tooltip("v:Q", title="estimate", format=".4~g"), alt.Tooltip("runs:N")],
            **({} if whole else by_mark),
            **DIM,
        )
        .properties(name="points")
        .add_params(pointed)
    )
    return (
        alt.layer(extent, *(one.encode(x2="layer0:Q", y2="v0:Q") for one in between), seeds, lines, points)
        .add_params(*top(values))
        .properties(
            title=titled(f"{OF_DEPTH} + ', step ' + s"),
            width="container",
            height=340,
            description="A measure by layer, one line an activation",
        )
        .to_dict()
    )


def shapes(looks: Mapping[str, LineStyle]) -> list[str]:
    """Name the marks of some looks as Vega does.

    >>> shapes({"relu": LineStyle("#0072B2", "s"), "elu": LineStyle("#0072B2", "")})
    ['square', 'circle']
    """
    return [SHAPES.get(look.marker, "circle") for look in looks.values()]


def rows(values: Mapping[str, Any], fields: Sequence[str], but: Sequence[str] = ()) -> Any:
    """Make a chart of the rows that are drawn, whatever is set of some signals: ``layer``, and ``v``, its value."""
    return (
        alt.Chart(alt.NamedData("layers"))
        .transform_filter(chosen(values, but))
        .transform_flatten(list(fields))
        .transform_calculate(v="datum[measure]")
        .transform_filter("isValid(datum.v)")
    )


def in_pieces(chart: Any) -> Any:
    """Number the pieces of a line: it is one as long as layers are neighbours."""
    along: dict[str, Any] = {"sort": [alt.SortField("layer")], "groupby": ["a", "seed"], "frame": [None, 0]}
    return (
        chart.transform_window(layer0="lag(layer)", v0="lag(v)", **along)
        .transform_calculate(gap="isValid(datum.layer0) && datum.layer - datum.layer0 > 1 ? 1 : 0")
        .transform_window(piece="sum(gap)", **along)
    )


def across_gaps(chart: Any) -> Any:
    """Lead from piece to piece: to ``layer`` and ``v`` from ``layer0`` and ``v0``, which are the same elsewhere."""
    ends = {f"{name}0": f"datum.gap ? datum.{name}0 : datum.{name}" for name in ("layer", "v")}
    return chart.transform_calculate(**ends)


def layer_maps(
    values: Mapping[str, Any], labels: Sequence[str], fields: Sequence[str], whole: bool = True
) -> dict[str, Any]:
    """Draw maps of a measure by layer and step, one an activation, in one scale; ``charts.js`` makes them fill a row.

    Args:
        values: the signals, with ``edges`` and ``bends``.
        labels: the activations, in order.
        fields: the measures.
        whole: whether every layer is kept; else each that is has its tick.
    """
    told = [alt.Tooltip("a:N", title="activation"), alt.Tooltip("layer:O"), alt.Tooltip("s:O", title="step")]
    ends = {end: alt.expr(f"{SHARES} ? {value} : null") for end, value in (("domainMin", 0), ("domainMax", 1))}
    at = {"labelExpr": "datum.value === 1 || datum.value % (d > 40 ? 10 : d > 10 ? 5 : 1) === 0 ? datum.label : ''"}
    # d3 gives as many again as it is asked for, and a label needs room to be told from the next.
    few_ticks = {"tickCount": 3, "labelOverlap": True, "labelSeparation": 12, "grid": False, "format": "d"}
    shade = alt.Color("v:Q", title=None).scale(
        scheme="viridis", type="symlog", constant=alt.expr("bends[measure]"), **ends
    )
    chart = (
        rows(values, fields, but=["s"])
        .transform_filter("datum.seed < 0")
        .transform_calculate(s0="edges[measure][datum.s][0]", s1="edges[measure][datum.s][1]")
        .mark_rect()
        .encode(
            x=alt.X("s0:Q", title="step").scale(nice=False, zero=False).axis(**few_ticks),
            x2="s1:Q",
            y=alt.Y("layer:O", title="layer", sort="descending").axis(
                labelOverlap=not whole, ticks=False, **(at if whole else {})
            ),
            color=shade.legend(orient="bottom", gradientLength=260, tickCount=6),
            tooltip=[*told, alt.Tooltip("v:Q", title="estimate", format=".4~g")],
        )
        .properties(width=120, height=140, view=alt.ViewBackground(fill="#8f8f8f", fillOpacity=0.55))
        .facet(facet=alt.Facet("a:N", title=None, sort=list(labels)), columns=6)
        .add_params(*top(values))
        .properties(title=titled(OF_DEPTH), description="A measure by layer and step, a map an activation")
    )
    return dict(chart.to_dict())


def edges(steps: Sequence[int]) -> dict[str, list[float]]:
    """Give to each step the edges of its column on an axis of steps: half way to its neighbours.

    >>> edges([0, 10, 40])
    {'0': [0, 5.0], '10': [5.0, 25.0], '40': [25.0, 40]}
    """
    between = [(before + after) / 2 for before, after in itertools.pairwise(steps)]
    sides = zip([*steps[:1], *between], [*between, *steps[-1:]], strict=True)
    return {str(step): list(side) for step, side in zip(steps, sides, strict=True)}


def bend(column: str, values: pd.Series) -> float:
    """Choose up to where shades of a measure are even; beyond, each step up takes the same ratio.

    Of norms as in the figures' maps, in which one that loses many decades must not make all others one shade; of others
    1, as on the figures' axes, where a few values would press all others flat.

    >>> bend("log10_signal_grad_norm", pd.Series([0.0])), bend("act_var", pd.Series([0.5] * 99 + [300.0]))
    (0.5, 1.0)
    """
    return WIDE_DECADE if column.startswith(LOG10) else 1.0 if pressed_flat(values) else EVEN
