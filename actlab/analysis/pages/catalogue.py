"""The catalogue as a page: of each activation its formula by cases, its graph with sliders, its properties and story.

No formula is evaluated by the page: what a slider chooses among was computed beforehand, and is embedded as numbers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from actlab.activations.parameter_grids import Curve, Slider
from actlab.analysis import initial_weights, story
from actlab.analysis.catalogue import comparison, file_stems, intervals, short
from actlab.analysis.escaping import bare
from actlab.analysis.pages.mathml import FormulaError, by_cases, mathml, parts
from actlab.analysis.pages.shell import environment, html_page
from actlab.analysis.story import CHECKED, NOT_YET, Row
from actlab.naming import show

TITLE = "Activation functions: what each is, what it is said to repair, and what was measured"
DECIMALS = 5  # of what is drawn
PHI, SLOPE = "φ", "φ′"
COLOURS = {PHI: "#3b82f6", SLOPE: "#d9730d"}  # three times as light or dark as a page's ground, be that white or black
MARGIN = 0.08
STATED = re.compile(r"(\w+) (?:= |learned from )[-−]?[0-9.]+")
VERDICTS = ("supported", "contradicted", "inconclusive")


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


def page(
    entries: Sequence[Entry],
    properties: pd.DataFrame,
    theory: pd.DataFrame,
    rows: Mapping[str, Row],
    chain: Row,
    known: pd.DataFrame,
    out: Path,
) -> str:
    """Write the page.

    Args:
        entries: the activations.
        properties: a row for each, as ``activations.properties.table`` makes it, with the three moments.
        theory: a row for each, as ``initial_weights.table`` takes them.
        rows: {activation: its row of the story}, of those that have one.
        chain: the claims about all of them, as a row with the name "".
        known: what studies found, as ``story.verdicts`` returns it.
        out: the folder that the page stands in: links to verdicts begin there.
    """
    names = [entry.name for entry in entries]
    stems = dict(zip(names, file_stems(names), strict=True))
    table = comparison(properties).wide
    weights = initial_weights.table(theory)
    shown = [
        {
            "entry": entry,
            "id": stems[entry.name],
            "formulas": formulas(entry),
            "facts": facts(entry, one_of(table, i), one_of(weights.wide, i)),
            "row": rows.get(entry.name),
            "steps": [step | {"math": typeset(step["latex"])} for step in rows.get(entry.name, {}).get("steps", ())],
            "findings": findings(rows.get(entry.name, {"name": entry.name, "claims": {}}), known, out),
            "about": about(entry),
        }
        for i, entry in enumerate(entries)
    ]
    told = [one for one in shown if one["row"]]
    others: dict[str, list[Any]] = {}
    for one in shown:
        if not one["row"]:
            others.setdefault(one["entry"].family, []).append(one)
    body = (
        environment()
        .get_template("catalogue.html.j2")
        .render(
            title=TITLE,
            intro=inline(story.INTRO) if told else "",
            told=told,
            others=others,
            counts={one["id"]: story.summary(one["row"], known) for one in told},
            chain=findings(chain, known, out),
            table=[[bare(str(cell)) for cell in row] for row in table.to_numpy().tolist()],
            head=list(table),
            note=comparison(properties).note,
            ids=[stems[name] for name in names],
            weights_note=weights.note,
            legend=inline(story.LEGEND),
            decimals=DECIMALS,
            checked=CHECKED,
            inline=inline,
        )
    )
    return html_page(TITLE, body, {f"graph-{stems[entry.name]}": chart(entry) for entry in entries})


def one_of(table: pd.DataFrame, i: int) -> dict[str, str]:
    """Return a row of a table for people as plain texts."""
    return {str(name): bare(str(cell)) for name, cell in table.iloc[i].items()}


def formulas(entry: Entry) -> list[tuple[str, str]]:
    """Set φ and φ′, (what stands before it, HTML) each; in the record's Unicode where there is no LaTeX that is one."""
    found = []
    for head, text, latex, cases in (
        (r"\varphi(z)", entry.formula, entry.latex, entry.cases),
        (r"\varphi'(z)", entry.derivative_formula, entry.derivative_latex, ""),
    ):
        formula, comma, rest = latex.partition(r", \quad")
        lines = f"{head} = {by_cases(formula)}" + (rf" \quad = {by_cases(cases)}" if cases else "")
        stated = "" if latex else inline(text) if text else "not stated"
        found.append((mathml(head), stated or typeset(lines + comma + rest)))
    return found


def typeset(latex: str) -> str:
    r"""Set a formula in pieces, between which a narrow screen may begin a line; as code where it is none.

    >>> typeset(r"\frac{")
    '<code>\\frac{</code>'
    """
    try:
        return "".join(mathml(piece) for piece in parts(latex))
    except FormulaError:
        return f"<code>{escaped(latex)}</code>"


def escaped(text: str) -> str:
    """Write a text as HTML shows it."""
    from markupsafe import escape

    return str(escape(text))


def inline(text: str) -> str:
    """Write a sentence in HTML: what stands between backticks as code, an index of one letter below its line.

    >>> inline("χ = σ_w²/2 < α^k, see `describe leaky_relu`, <b>")
    'χ = σ<sub>w</sub>²/2 &lt; α<sup>k</sup>, see <code>describe leaky_relu</code>, &lt;b&gt;'
    """
    pieces = re.split(r"`([^`]*)`", text)
    for i, piece in enumerate(pieces):
        piece = escaped(piece)
        if i % 2:
            pieces[i] = f"<code>{piece}</code>"
        else:
            piece = re.sub(r"(?<![\w])([^\W\d_])_(\w)(?!\w)", r"\1<sub>\2</sub>", piece.replace("²", "\0"))
            pieces[i] = re.sub(r"(?<=\w)\^(−?\w)(?!\w)", r"<sup>\1</sup>", piece).replace("\0", "²")
    return "".join(pieces)


def facts(entry: Entry, found: Mapping[str, str], weights: Mapping[str, str]) -> dict[str, str]:
    """List an activation's properties, as texts."""
    shape = [name for name in ("monotonic", "convex", "odd") if found[name] == "yes"]
    moments = [f"{head} = {found[head]}" for head in ("E φ", "E φ²", "E φ′²") if head in found]
    critical = weights["critical σ_w"]
    at = f"σ_w = {critical}, σ_b = {weights['σ_b']} (q {'any' if weights['q'] == 'any' else '= ' + weights['q']}): "
    listed = {
        "parameters": ", ".join(
            f"{name} = {show(value).replace('-', '−')}{' (learnable)' if name in entry.learnable else ''}"
            for name, value in entry.parameters.items()
        ),
        "range": found["range"],
        "turns at": found["turns at"],
        "shape": ", ".join(shape) or "not monotonic, not convex",
        "smoothness": found["smoothness"] + (f"; kinks at {found['kinks']}" if found["kinks"] else ""),
        "flat on": "nowhere" if found["flat on"] == "∅" else found["flat on"],
        "saturates": found["saturates"],
        "largest |φ′|": found["max |φ′|"],
        "operations": f"{found['operations']}; {found['with derivative']} with derivative",
        "at Z ~ N(0, 1)": ", ".join(moments),
        "keeps q = 1": f"σ_w = {weights['keeps q = 1: σ_w']}, V′(1) = {weights['V′(1)']}",
        "critical": ("" if critical == "–" else at) + weights["stability, or why there is none"],
        "weight init": entry.weight_init,
        "reference": entry.reference,
    }
    return {head: inline(text) for head, text in listed.items() if text}


def findings(row: Row, known: pd.DataFrame, out: Path) -> list[dict[str, str]]:
    """List what studies found on a row's claims: id, statement, verdict, what was measured, study, link."""
    lines = []
    for claim, said, ones in story.judged(row, known):
        if not ones:
            lines.append({"id": claim, "said": said, "verdict": NOT_YET, "rest": "", "study": "", "link": ""})
        for one in ones:
            verdict, _, rest = story.measured(one).partition(": ")
            kind = verdict if verdict in VERDICTS else "true only if"
            lines.append(
                {
                    "id": str(one["id"]),
                    "said": str(one["statement"]),
                    "verdict": kind,
                    "rest": rest if kind == verdict else story.measured(one).removeprefix(kind).strip(),
                    "study": str(one["study"]),
                    "link": story.link(one, out),
                }
            )
    return lines


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


def points(entry: Entry) -> list[dict[str, Any]]:
    """Write an activation's curves as a chart's rows, one for each stretch without a jump or a gap.

    Returns:
        of φ and φ′ the parameters' values ``p0``, ``p1``, …, ``curve``, ``from`` (a position in z), and ``y`` (the
        values from there on); of a flat stretch ``low`` and ``high`` instead of the last two.
    """
    rows: list[dict[str, Any]] = []
    for curve in entry.curves:
        at = {f"p{i}": value for i, value in enumerate(curve.parameters.values())}
        for what, y in ((PHI, curve.value), (SLOPE, curve.derivative)):
            rows += [
                at | {"curve": what, "from": begin, "y": [rounded(one) for one in y[begin:end]]}
                for begin, end in stretches(y)
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


def stretches(y: np.ndarray) -> list[tuple[int, int]]:
    """Find the index ranges in which a curve is drawn as one line: between gaps and jumps.

    >>> stretches(np.array([0.0, 0.0, 0.0, 1.0, 1.0, np.nan, 1.0]))
    [(0, 3), (3, 5), (6, 7)]
    """
    there = np.concatenate([[False], np.isfinite(y), [False]]).astype(int)
    edges = np.flatnonzero(np.diff(there)).reshape(-1, 2).tolist()
    return [(begin + a, begin + b) for begin, end in edges for a, b in intervals(y[begin:end])]


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
    step = round(float(entry.z[1] - entry.z[0]), 9)
    x = {"field": "z", "type": "quantitative", "title": "z", "scale": {"domain": [-reach, reach], "nice": False}}
    y = {"field": "y", "type": "quantitative", "title": None, "scale": {"domain": limits(entry), "nice": False}}
    domain = {"domain": list(COLOURS)}
    legend = {"title": None, "orient": "top", "symbolType": "stroke", "symbolSize": 400, "labelFontSize": 14}
    curve = {"field": "curve", "type": "nominal"}
    colour = curve | {"scale": domain | {"range": list(COLOURS.values())}, "legend": legend}
    dash = curve | {"scale": domain | {"range": [[1, 0], [6, 4]]}, "legend": legend}
    values = [
        {"filter": "datum.curve !== 'flat'"},
        {"calculate": "slice(grid, datum.from, datum.from + length(datum.y))", "as": "z"},
        {"flatten": ["z", "y"]},
    ]
    near = [*values, {"filter": f"abs(datum.z - {at}) < {step / 2:.9g}"}]
    read = {
        "calculate": "datum.curve + '(' + replace(format(datum.z, '~'), '-', '−') + ') = ' + "
        "replace(format(datum.y, '.4~f'), '-', '−')",
        "as": "said",
    }
    shown = curve | {"scale": colour["scale"]}
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
                "mark": {"type": "line", "clip": True, "strokeWidth": 2.5},
                "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash, "detail": {"field": "from"}},
            },
            {
                "transform": near,
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "clip": True},
                "encoding": {"x": x, "y": y, "color": shown},
            },
            *(
                {
                    "transform": [*near, {"filter": f"datum.curve === '{what}'"}, read],
                    "mark": {"type": "text", "align": "left", "baseline": "top", "fontSize": 13, "fontWeight": 600},
                    "encoding": {
                        "text": {"field": "said", "type": "nominal"},
                        "x": {"value": 8},
                        "y": {"value": 6 + 18 * i},
                        "color": shown,
                    },
                }
                for i, what in enumerate(COLOURS)
            ),
        ],
    }


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


def write_page(text: str, at: Path) -> Path:
    """Write the page into a folder; return the file."""
    path = at / "index.html"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
