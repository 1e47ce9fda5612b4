"""An activation's graph on a page: φ and φ′ in Vega-Lite, with a slider for each parameter and one for z.

No formula is evaluated by a page: what a slider chooses among was computed beforehand, and is embedded as numbers.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from actlab.activations.parameter_grids import Curve, Slider
from actlab.analysis.catalogue import short

DECIMALS = 5  # of what is drawn
PHI, SLOPE = "φ", "φ′"
CURVES = (PHI, SLOPE)
INK = "currentColor"  # dashes in it are seen on φ where both are 0
MARGIN = 0.08
BEYOND = 1.03  # the axis by its reach: room for half a dot
STATED = re.compile(r"(\w+) (?:= |learned from )[-−]?[0-9.]+")
CONSTANT = re.compile(r"\w+ = [-−]?[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True)
class Entry:
    """An activation as the page shows it.

    Attributes:
        name: its label.
        family: what it is kin to.
        formula, latex, cases, derivative_formula, derivative_latex: as its record has them; "" what it has not.
        reference, weight_init: likewise.
        parameters: {parameter: value}.
        learnable: those that training may change.
        z: the points [N] of its graph.
        sliders: {parameter: what it takes}.
        curves: φ and φ' at each combination of those.
        colour: that of the activation in every figure: φ is drawn in it.
        closed_form: whether its record states the derivative, which else is found by automatic differentiation.
    """

    name: str
    family: str
    formula: str
    latex: str
    cases: str
    derivative_formula: str
    derivative_latex: str
    reference: str
    weight_init: str
    parameters: Mapping[str, float]
    learnable: Sequence[str]
    z: np.ndarray = field(repr=False)
    sliders: Mapping[str, Slider] = field(default_factory=dict)
    curves: Sequence[Curve] = field(default=(), repr=False)
    colour: str = INK
    closed_form: bool = True


def about(entry: Entry) -> str:
    """Say what a graph shows, for who does not see it."""
    reach = short(float(entry.z[-1]))
    moved = f" Sliders change {', '.join(entry.sliders)}." if entry.sliders else ""
    return f"Graph of {entry.name} (φ) and of its derivative (φ′) for z from −{reach} to {reach}.{moved}"


def symbols(entry: Entry) -> dict[str, str]:
    """Name each parameter as the formula does, where that states one symbol for each of them.

    >>> entry = Entry("f", "", "αz, α = 1", *[""] * 6, {"alpha": 1.0}, (), np.zeros(1), {"alpha": Slider(0, 2, 1, 1)})
    >>> symbols(entry)
    {'alpha': 'α (alpha)'}
    """
    stated = STATED.findall(entry.formula.partition(", ")[2])
    named = stated if len(stated) == len(entry.parameters) else list(entry.parameters)
    return {
        name: name if name == symbol else f"{symbol} ({name})"
        for name, symbol in zip(entry.parameters, named, strict=True)
        if name in entry.sliders
    }


def constants(entry: Entry) -> str:
    """Say which numbers of a formula nothing can change, where the function takes no parameter at all.

    >>> from dataclasses import replace
    >>> entry = Entry("f", "", "az + b, a = 2, b = −1.5", *[""] * 6, {}, (), np.zeros(1))
    >>> constants(entry), constants(replace(entry, parameters={"a": 2.0, "b": -1.5}))
    ('a = 2, b = −1.5: fixed by the definition, so they have no slider', '')
    """
    stated = [] if entry.parameters else CONSTANT.findall(entry.formula.partition(", ")[2])
    return f"{', '.join(stated)}: fixed by the definition, so they have no slider" if stated else ""


def points(entry: Entry) -> list[dict[str, Any]]:
    """Write an activation's curves as a chart's rows, one for each stretch without a jump or a gap.

    Returns:
        of φ and φ′ the parameters' values ``p0``, ``p1``, …, ``curve``, ``from`` (a position in z), and ``y`` (the
        values from there on); of a flat stretch ``low`` and ``high`` instead of the last two.
    """
    rows: list[dict[str, Any]] = []
    for curve in entry.curves:
        at = {f"p{i}": value for i, value in enumerate(curve.parameters.values())}
        for what, y, jumps in zip(CURVES, (curve.value, curve.derivative), curve.jumps, strict=True):
            rows += [
                at | {"curve": what, "from": begin, "y": [rounded(one) for one in y[begin:end]]}
                for begin, end in stretches(y, jumps)
            ]
        rows += [at | {"curve": "flat", "low": low, "high": high} for low, high in curve.flat]
    return rows


def rounded(x: float) -> float | int:
    """Round a number to what is drawn, in as few characters as that takes.

    >>> rounded(0.123456), rounded(-0.0), rounded(2.0)
    (0.12346, 0, 2)
    """
    value = round(float(x), DECIMALS) + 0.0
    return int(value) if value.is_integer() else value


def stretches(y: np.ndarray, jumps: Sequence[int]) -> list[tuple[int, int]]:
    """Find the index ranges in which a curve is drawn as one line: between gaps and jumps.

    >>> stretches(np.array([0.0, 0.0, 0.0, 1.0, 1.0, np.nan, 1.0]), [3])
    [(0, 3), (3, 5), (6, 7)]
    """
    there = np.isfinite(y)
    cuts = [0, *(i for i in range(1, len(y)) if i in jumps or there[i] != there[i - 1]), len(y)]
    return [(begin, end) for begin, end in itertools.pairwise(cuts) if there[begin]]


def limits(entry: Entry) -> tuple[float, float]:
    """Choose the range of a graph's vertical axis: of all its curves, the same whatever is chosen, and no higher than
    wide.
    """
    reach = float(entry.z[-1])
    values = np.concatenate([np.concatenate([one.value, one.derivative]) for one in entry.curves])
    values = values[np.isfinite(values)]
    low, high = max(values.min(initial=0.0), -reach), min(values.max(initial=0.0), reach)
    margin = MARGIN * ((high - low) or 1.0)
    return round(low - margin, 3), round(high + margin, 3)


def chart(entry: Entry) -> dict[str, Any]:
    """Specify an activation's graph in Vega-Lite: φ and φ′, a slider for each parameter, one for the z to read off."""
    reach = float(entry.z[-1])
    names, at = symbols(entry), "at"
    sliders = [
        bound(f"p{i}", names[name], one.low, one.high, one.step, one.value)
        for i, (name, one) in enumerate(entry.sliders.items())
    ]
    chosen = [
        {"filter": f"abs(datum.p{i} - p{i}) < {one.step / 2:.9g}"} for i, one in enumerate(entry.sliders.values())
    ]
    edge = round(reach * BEYOND, 3)
    step = round(float(entry.z[1] - entry.z[0]), 9)
    x = {"field": "z", "type": "quantitative", "title": "z", "scale": {"domain": [-edge, edge], "nice": False}}
    y = {"field": "y", "type": "quantitative", "title": None, "scale": {"domain": limits(entry), "nice": False}}
    domain = {"domain": list(CURVES)}
    curve = {"field": "curve", "type": "nominal"}
    colour = curve | {"scale": domain | {"range": [entry.colour, INK]}, "legend": None}
    dash = curve | {"scale": domain | {"range": [[1, 0], [6, 4]]}, "legend": None}
    width = {"condition": {"test": f"datum.curve === '{PHI}'", "value": 3}, "value": 1.4}
    values = [
        {"filter": "datum.curve !== 'flat'"},
        {"calculate": "slice(grid, datum.from, datum.from + length(datum.y))", "as": "z"},
        {"flatten": ["z", "y"]},
    ]
    near = [*values, {"filter": f"abs(datum.z - {at}) < {step / 2:.9g}"}]
    line = f"(datum.curve === '{PHI}' ? '——  ' : '- - -  ')"  # as the curve is drawn
    said = f"{line} + datum.curve + '(' + {written('z', '~')} + ') = ' + {written('y', '.4~f')}"
    read = {"calculate": said, "as": "said"}
    return {
        "width": "container",
        "height": 300,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "description": about(entry),
        "params": [
            {"name": "grid", "value": [rounded(one) for one in entry.z]},
            *sliders,
            bound(at, "z", -reach, reach, step, 1.0),
        ],
        "data": {"values": points(entry)},
        "transform": chosen,
        "layer": [
            {
                "transform": [{"filter": "datum.curve === 'flat'"}],
                "mark": {"type": "rect", "color": "currentColor", "opacity": 0.1, "clip": True},
                "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}},
            },
            axis("y"),
            axis("x"),
            {
                "transform": values,
                "mark": {"type": "line", "clip": True},
                "encoding": {
                    **{"x": x, "y": y, "color": colour, "strokeDash": dash, "strokeWidth": width},
                    "detail": {"field": "from"},
                },
            },
            {
                "transform": near,
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "clip": True},
                "encoding": {"x": x, "y": y, "color": colour},
            },
            *(
                {
                    "transform": [*near, {"filter": f"datum.curve === '{what}'"}, read],
                    "mark": {"type": "text", "align": "left", "baseline": "top", "fontSize": 14, "fontWeight": 600},
                    "encoding": {
                        "text": {"field": "said", "type": "nominal"},
                        "x": {"value": 0},
                        "y": {"value": 20 * i - 46},
                    },
                }
                for i, what in enumerate(CURVES)
            ),
        ],
    }


def written(name: str, how: str) -> str:
    """Return Vega's expression for a number as people write it, with a typographic minus.

    >>> written("y", ".4~f")
    "replace(format(datum.y, '.4~f'), '-', '−')"
    """
    return f"replace(format(datum.{name}, '{how}'), '-', '−')"


def axis(which: str) -> dict[str, Any]:
    """Specify the line on which a coordinate is 0."""
    return {
        "data": {"values": [{which: 0}]},
        "mark": {"type": "rule", "color": "currentColor", "opacity": 0.4},
        "encoding": {which: {"field": which, "type": "quantitative"}},
    }


def bound(name: str, label: str, low: float, high: float, step: float, value: float) -> dict[str, Any]:
    """Specify a parameter of a chart that a slider of the page sets."""
    return {
        "name": name,
        "value": rounded(value),
        "bind": {
            "input": "range",
            "min": rounded(low),
            "max": rounded(high),
            "step": rounded(step),
            "name": label,
        },
    }
