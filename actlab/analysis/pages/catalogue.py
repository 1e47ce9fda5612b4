"""The catalogue as a page: of each activation its formula by cases, its graph with sliders, its properties and story.

No formula is evaluated by the page: what a slider chooses among was computed beforehand, and is embedded as numbers.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from actlab.analysis import initial_weights, story
from actlab.analysis.catalogue import JUMPS, comparison, file_stems
from actlab.analysis.escaping import bare
from actlab.analysis.pages import dark
from actlab.analysis.pages.graphs import DECIMALS, Entry, about, chart, constants
from actlab.analysis.pages.mathml import FormulaError, by_cases, mathml, parts
from actlab.analysis.pages.shell import environment, html_page
from actlab.analysis.story import CHECKED, Row, untried
from actlab.naming import show

TITLE = "Activation functions: what each is, what it is said to repair, and what was measured"
ALONE = "{}: what it is, and what is known of it"
HEIGHT, SLIDER = 400, 42  # pixels: room for a graph and for each slider, kept until they are drawn
INDEX = re.compile(r"(?<!\w)([^\W\d_]|[a-z]+(?=_[α-ω]))_(\w)(?!\w)")  # σ_w and swish_β, but not max_b
VERDICTS = ("supported", "contradicted", "inconclusive")


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
        rows: {activation: its row of the story}, of those that have one, in the story's order.
        chain: the claims about all of them, as a row with the name "".
        known: what studies found, as ``story.verdicts`` returns it.
        out: the folder that the page stands in: links to verdicts begin there.
    """
    names = [entry.name for entry in entries]
    stems = dict(zip(names, file_stems(names), strict=True))
    table = comparison(properties).wide
    weights = initial_weights.table(theory)
    shown: list[dict[str, Any]] = [
        {
            "entry": entry,
            "id": stems[entry.name],
            "formulas": formulas(entry),
            "short": typeset(rf"\varphi(z) = {by_cases(entry.latex)}"),
            "at": at_defaults(entry),
            "facts": facts(entry, one_of(table, i), one_of(weights.wide, i)),
            "row": rows.get(entry.name),
            "steps": [step | {"math": typeset(step["latex"])} for step in rows.get(entry.name, {}).get("steps", ())],
            "findings": findings(rows.get(entry.name, {"name": entry.name, "claims": {}}), known, out),
            "about": about(entry),
            "height": HEIGHT + SLIDER * (1 + len(entry.sliders)),
        }
        for i, entry in enumerate(entries)
    ]
    place = {name: i for i, name in enumerate(rows)}
    in_story = sorted((one for one in shown if one["row"]), key=lambda one: place[one["entry"].name])
    others: dict[str, list[Any]] = {}
    for one in shown:
        if not one["row"]:
            others.setdefault(one["entry"].family, []).append(one)
    alone = len(entries) == 1  # then there is no chain, and nothing to stand beside
    title = ALONE.format(names[0]) if alone else TITLE
    body = (
        environment()
        .get_template("catalogue.html.j2")
        .render(
            title=title,
            alone=alone,
            intro=inline(story.NOTATION if alone else story.INTRO) if in_story else "",
            story=in_story,
            others=others,
            counts={one["id"]: story.summary(one["row"], known) for one in in_story},
            chain=findings(chain, known, out),
            table=[[bare(str(cell)) for cell in row] for row in table.to_numpy().tolist()],
            head=list(table),
            note=comparison(properties).note,
            ids=[stems[name] for name in names],
            weights_note=weights.note,
            legend=inline(story.LEGEND),
            computed=computed(entries),
            decimals=DECIMALS,
            checked=CHECKED,
            inline=inline,
        )
    )
    body += dark.style(entry.colour for entry in entries)
    return html_page(title, body, {f"graph-{stems[entry.name]}": chart(entry) for entry in entries})


def computed(entries: Sequence[Entry]) -> str:
    """Say what curves and derivatives were computed by: who writes a function seldom states its derivative."""
    without = [entry.name for entry in entries if not entry.closed_form]
    if len(without) == len(entries):
        return f"your function{'s' * (len(without) > 1)}, the derivative by automatic differentiation"
    apart = f" (of {', '.join(without)} by automatic differentiation)" if without else ""
    return f"the function itself, its derivative by the closed form in its record{apart}"


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
    >>> inline("1 − (1 − p)^H, swish_β(z), leaky_relu")
    '1 − (1 − p)<sup>H</sup>, swish<sub>β</sub>(z), leaky_relu'
    """
    pieces = re.split(r"`([^`]*)`", text)
    for i, piece in enumerate(pieces):
        piece = escaped(piece)
        if i % 2:
            pieces[i] = f"<code>{piece}</code>"
        else:
            piece = INDEX.sub(r"\1<sub>\2</sub>", piece.replace("²", "\0"))
            pieces[i] = re.sub(r"(?<=[\w)])\^(−?\w)(?!\w)", r"<sup>\1</sup>", piece).replace("\0", "²")
    return "".join(pieces)


def at_defaults(entry: Entry) -> str:
    """Say at which values of its sliders the properties of an activation are; nothing of one without a slider."""
    at = ", ".join(f"{name} = {show(value).replace('-', '−')}" for name, value in entry.parameters.items())
    return f"At {at}, the default, wherever the sliders stand:" if entry.sliders else ""


def facts(entry: Entry, properties: Mapping[str, str], weights: Mapping[str, str]) -> dict[str, str]:
    """List an activation's properties, as texts."""
    shape = [name for name in ("monotonic", "convex", "odd") if properties[name] == "yes"]
    jumping = properties[JUMPS].replace(" at ", " jumps at ")
    moments = [
        f"{head} = {properties[head]}".replace(" ", "\u00a0") for head in ("E φ", "E φ²", "E φ′²") if head in properties
    ]
    critical = weights["critical σ_w"]
    at = f"σ_w = {critical}, σ_b = {weights['σ_b']} (q {'any' if weights['q'] == 'any' else '= ' + weights['q']}): "
    listed = {
        "parameters": ", ".join(
            f"{name} = {show(value).replace('-', '−')}{' (learnable)' if name in entry.learnable else ''}"
            for name, value in entry.parameters.items()
        ),
        "constants": constants(entry),
        "range": properties["range"],
        "turns at": properties["turns at"],
        "shape": ", ".join(shape) or "not monotonic, not convex",
        "smoothness": properties["smoothness"] + (f"; {jumping}" if jumping else ""),
        "flat on": "nowhere" if properties["flat on"] == "∅" else properties["flat on"],
        "saturates": properties["saturates"],
        "largest |φ′|": properties["max |φ′|"],
        "operations": f"{properties['operations']}; {properties['with derivative']} with derivative",
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
            lines.append({"id": claim, "said": said, "verdict": untried(known), "rest": "", "study": "", "link": ""})
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


def write_page(text: str, at: Path) -> Path:
    """Write the page into a folder; return the file."""
    path = at / "index.html"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
