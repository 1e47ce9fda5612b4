"""The runs of a study on a page: a list to filter, and of each its curves and the YAML that makes it again."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from actlab.analysis.cells import Cells
from actlab.analysis.layout import number, setting, words
from actlab.analysis.pages import dark
from actlab.analysis.pages.explore import Part, opening
from actlab.analysis.pages.thinning import Rule, as_plain, rounded, spread
from actlab.analysis.stages import but_for
from actlab.later import Later, pd
from actlab.naming import counted
from actlab.study.settings import Setting

alt = Later("altair")

OUTCOMES = ("train_loss", "validation_loss", "test_loss", "test_accuracy", "vanishing_slope")
CURVES = {"train_loss": "training", "validation_loss": "validation", "test_loss": "test"}
COLOURS = ("#0072B2", "#D55E00", "#009E73")


def run_list(study: Mapping[str, Any], cells: Cells, rule: Rule) -> Part:
    """Make the part on single runs.

    Its data, for ``runs.js``: ``heads``; ``filters``, how many of these are settings; ``rows`` of texts; ``first``,
    which of them is shown at first; ``curves``, {name: one array a run}; pieces of ``yaml``, and the ``slots`` between.
    """
    runs = cells.runs.sort_values(["seed", "run"], kind="stable")
    total = len(runs)
    runs = runs.head(rule.runs)
    varied = [one for one in cells.settings if one.column in cells.keys]
    columns = ["status", *(one.column for one in varied), "seed"]
    outcomes = [name for name in OUTCOMES if name in runs and runs[name].notna().any()]
    runs = runs.sort_values(
        [*cells.keys, "seed"], key=lambda one: one.map(cells.ranks) if one.name == "activation" else one, kind="stable"
    )
    texts = [runs["run"].astype(str), *(runs[name].map(setting) for name in columns)]
    texts += [runs[name].map(lambda x: number(float(x))) for name in outcomes]
    steps, curves = curves_of(cells.steps, list(runs["run"]), rule.points)
    swept = [one for one in cells.settings if one in varied or len(said_of(study, one.key)) > 1]
    pieces, slots = yaml_of(study, swept, runs)
    first = shown_first(cells, runs)
    data = {
        "first": first,
        "heads": ["run", *map(words, [*columns, *outcomes])],
        "filters": len(columns) + 1,
        "rows": [list(row) for row in zip(*texts, strict=True)],
        "steps": steps,
        "curves": curves,
        "yaml": pieces,
        "slots": slots,
        "diverged": diverged_at(runs),
    }
    kept = f" {counted(len(runs), 'run')} of {total}, those with the lowest seeds, are kept here." * (len(runs) < total)
    losses = (
        '<figure><div class="chart" id="curves"></div>'
        "<figcaption>Loss at the recorded steps; between evaluations that of the minibatches.</figcaption></figure>"
    )
    shows = "its YAML: nothing was trained, so that it has no curves" if cells.untrained else "its curves and its YAML"
    there_are = f" Listed are {total:,} runs{but_for(cells)}." * bool(but_for(cells))
    body = (
        f"{dark.style(COLOURS)}<p>A click on a run shows {shows}.{there_are}{kept}</p>\n"
        f'<p class="paper">The list of {counted(len(runs), "run")} is left out on paper.</p>\n'
        '<div class="scroll" tabindex="0"><table id="run-table"><thead><tr></tr></thead><tbody></tbody></table></div>\n'
        f'<section id="run" aria-live="polite"><h3></h3>{"" if cells.untrained else losses}'
        '<details><summary>Its YAML</summary><pre tabindex="0"><code></code></pre></details></section>'
    )
    charts = {} if cells.untrained else {"curves": loss_curves(steps, curves, first, diverged_at(runs)[first])}
    return Part(body, charts, data={"run-data": data})


def diverged_at(runs: pd.DataFrame) -> list[int | None]:
    """List the step at which each run diverged; None of one that did not, or of which that is not known."""
    if "diverged_step" not in runs:
        return [None] * len(runs)
    return [int(one) if one == one else None for one in runs["diverged_step"].astype(float)]


def shown_first(cells: Cells, runs: pd.DataFrame) -> int:
    """Choose the run that is shown at first: of the deepest that trained, at the selected value of what was swept.

    Args:
        cells: the study's.
        runs: those that are listed.

    Returns:
        its place among these.
    """
    selected = runs[runs["run"].isin(cells.selected["run"])]
    if selected.empty:
        return 0
    depth, _, _ = opening(selected, [])
    there = selected[selected["depth"] == depth]
    trained = there[there["trained"].astype(bool)] if "trained" in there else there.iloc[:0]
    return list(runs["run"]).index((there if trained.empty else trained)["run"].iloc[0])


def curves_of(steps: pd.DataFrame, runs: Sequence[str], most: int) -> tuple[list[list[int]], dict[str, list[Any]]]:
    """Take each run's curves, thinned; steps that many runs share are written once.

    Returns:
        the different lists of steps; and {curve: one array a run, ``at``: which list of steps it has}.
    """
    names = [name for name in CURVES if name in steps]
    there = steps[steps["run"].isin(runs)].drop_duplicates(["run", "step"])
    values = {name: rounded(there[name]) for name in names}
    at, ends = there["step"].tolist(), there["run"].value_counts(sort=False).cumsum().tolist()
    where = dict(zip(there["run"].unique(), zip([0, *ends], ends, strict=False), strict=True))
    shared: dict[tuple[int, ...], int] = {}
    curves: dict[str, list[Any]] = {"at": [], **{name: [] for name in names}}
    for run in runs:
        begin, end = where.get(run, (0, 0))
        kept = spread(range(begin, end), most)
        curves["at"].append(shared.setdefault(tuple(at[i] for i in kept), len(shared)))
        for name in names:
            curves[name].append([values[name][i] for i in kept])
    return [list(one) for one in shared], curves


def yaml_of(
    study: Mapping[str, Any], varied: Sequence[Setting], runs: pd.DataFrame
) -> tuple[list[str], list[list[Any]]]:
    """Write a study of one run, as pieces of YAML and what stands between them.

    Returns:
        the pieces; and for each run the values between them, of which JSON is YAML.
    """
    from actlab.study.yaml_text import dumped

    one = {key: copy.deepcopy(value) for key, value in study.items() if key not in ("sweep", "report", "claims")}
    keyed = [setting_ for setting_ in varied if setting_.key and has(one, setting_.key)]
    for i, setting_ in enumerate(keyed):
        put(one, setting_.key, f"@{i}@")
    one["sweep"] = {"seeds": [f"@{len(keyed)}@"]}
    text = dumped(one)
    pieces, order = [""], []
    while text:
        found = [(text.find(f"'@{i}@'"), i) for i in range(len(keyed) + 1) if f"'@{i}@'" in text]
        if not found:
            pieces[-1] += text
            break
        at, i = min(found)
        pieces[-1] += text[:at]
        pieces.append("")
        order.append(i)
        text = text[at + len(f"'@{i}@'") :]
    columns = [[specified(study, one.key, as_plain(value)) for value in runs[one.column]] for one in keyed]
    columns.append([int(seed) for seed in runs["seed"]])
    return pieces, [[columns[i][row] for i in order] for row in range(len(runs))]


def has(study: Mapping[str, Any], key: str) -> bool:
    """Whether a study says something at a dotted key."""
    section, _, name = key.partition(".")
    return isinstance(study.get(section), dict) and "." not in name


def put(study: dict[str, Any], key: str, value: Any) -> None:
    """Say something at a dotted key."""
    section, _, name = key.partition(".")
    study[section][name] = value


def specified(study: Mapping[str, Any], key: str, label: Any) -> Any:
    """Return what the study says where its runs say ``label``: a name with its options, a path, or the value itself."""
    return next((one for one in said_of(study, key) if label_of(one) == label), label)


def said_of(study: Mapping[str, Any], key: str) -> list[Any]:
    """List all that a study says of a key."""
    sweep = study.get("sweep") or {}
    section, _, name = key.partition(".")
    said = [(study.get(section) or {}).get(name), *((sweep.get("matrix") or {}).get(key) or ())]
    return [*said, *(one[key] for one in sweep.get("include") or () if key in one)] if key else []


def order_of(study: Mapping[str, Any], cells: Cells) -> dict[str, list[str]]:
    """List of each setting of a study what it says of that, in its own order, as it is written."""
    said = {one.column: [setting(label_of(value)) for value in said_of(study, one.key)[1:]] for one in cells.settings}
    return {column: values for column, values in said.items() if values}


def label_of(said: Any) -> Any:
    """Return what the runs call what a study says, as far as that can be seen from it.

    >>> label_of("sources/mine.py:bent"), label_of({"name": "leaky_relu", "negative_slope": 0.2})
    ('bent', 'leaky_relu(negative_slope=0.2)')
    """
    if isinstance(said, Mapping):
        inner = ", ".join(f"{key}={setting(value)}" for key, value in said.items() if key != "name")
        return f"{label_of(said.get('name'))}({inner})" if inner else label_of(said.get("name"))
    return said.rpartition(":")[2] if isinstance(said, str) and ".py:" in said else said


def loss_curves(
    steps: Sequence[Sequence[int]], curves: Mapping[str, list[Any]], first: int, diverged: int | None = None
) -> dict[str, Any]:
    """Draw the losses of one run, the ``first``, until ``runs.js`` gives those of another.

    Its second data set, ``end``, has the last step, to which the axis reaches, and where the run ``diverged``.
    """
    rows = [
        {"of": of, "step": step, "loss": loss}
        for name, of in CURVES.items()
        for step, loss in zip(steps[curves["at"][first]], curves[name][first] if name in curves else (), strict=False)
        if loss is not None
    ]
    end = alt.Chart(alt.NamedData("end")).encode(x=alt.X("step:Q"))
    seen = {"condition": {"test": "datum.diverged", "value": 1}, "value": 0}
    said = end.transform_calculate(said="'diverged at step ' + datum.step").encode(text="said:N", y=alt.value(2))
    drawn = (
        alt.Chart(alt.NamedData("curve"))
        .mark_line(point=True, strokeWidth=2)
        .encode(
            x=alt.X("step:Q"),
            y=alt.Y("loss:Q").scale(zero=False),
            color=alt.Color("of:N", title=None)
            .scale(domain=list(CURVES.values()), range=list(COLOURS))
            .legend(orient="bottom"),
            tooltip=["of:N", "step:Q", alt.Tooltip("loss:Q", format=".4~g")],
        )
    )
    chart = alt.layer(
        drawn,
        end.mark_rule(strokeDash=[5, 3], color="currentColor").encode(opacity=seen),
        said.mark_text(align="right", baseline="top", dx=-5, fontSize=12).encode(opacity=seen),
    ).properties(width="container", height=240, description="The losses of one run by step")
    ends = [{"step": step} for step in steps[curves["at"][first]][-1:]]
    ends += [{"step": diverged, "diverged": True}] if diverged is not None else []
    return dict(chart.to_dict()) | {"datasets": {"curve": rows, "end": ends}}
