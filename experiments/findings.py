"""What the committed studies found, as the README says it: ``python -m experiments.findings README.md`` writes it.

It stands between ``<!-- begin findings ... -->`` and ``<!-- end findings -->``. Every number comes from the stored
measurements, every mean with its interval, and the words (all, none, supported) follow the numbers: nothing is edited
by hand when the studies are trained anew.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

import actlab
from actlab.analysis.cells import Cells
from actlab.analysis.documents import markdown_table, rewrite
from actlab.analysis.layout import with_bounds
from actlab.analysis.notes import listed
from actlab.analysis.stats import mean_interval
from actlab.analysis.tables.outcomes import performance
from actlab.engine.results import Results
from actlab.naming import counted, show
from experiments import depth, dying_relu, revival
from experiments.notable import (
    at_the_start,
    by_accuracy,
    control_in_words,
    deep_surprises,
    leaky_in_words,
    revival_in_words,
)
from experiments.of_study import cells_of, setup, verdicts
from experiments.phrases import code, mean_of, share_of, span_of
from experiments.surprises import surprises
from experiments.theory_findings import theory_findings

RESULTS = Path(__file__).parents[1] / "results"
BLOCK, OPENING = "findings", "surprises"
TRIAL = "claims"


def by_outcome(cells: Cells, layers: int) -> str:
    """Say which activations train networks of some depth, in how many of their seeds."""
    rows = cells.selected[cells.selected["depth"] == layers]
    groups: dict[tuple[float, str], list[str]] = {}
    for name in sorted(rows["activation"].unique(), key=lambda name: cells.ranks[name]):
        runs = rows[rows["activation"] == name]
        groups.setdefault((-runs["trained"].mean(), share_of(runs["trained"])), []).append(name)
    texts = [f"{code(names)} in {share}{' each' * (len(names) > 1)}" for (_, share), names in sorted(groups.items())]
    if len(groups) == 1:
        return f"all {len(next(iter(groups.values())))} activations in {next(iter(groups))[1]} seeds each"
    return "; ".join(texts)


def accuracy_table(cells: Cells) -> tuple[str, pd.DataFrame]:
    """Take the study's own table of final accuracy, whole, with its marks."""
    table = performance(cells)
    assert table is not None
    wide = table.wide
    return markdown_table(
        [str(name) for name in wide], [[str(cell) for cell in row] for row in wide.itertuples(index=False)]
    ), wide


def marks_of(wide: pd.DataFrame) -> str:
    """Say of each activation at how many depths its cell is marked bold or †; nothing where nothing is marked."""
    cells = wide.set_index(wide.columns[0]).filter(like="depth")
    good = cells.map(lambda text: str(text).startswith("**") or str(text).endswith("†")).sum(axis=1)
    if not good.any():
        return ""
    groups: dict[int, list[str]] = {}
    for name, count in good.items():
        groups.setdefault(int(count), []).append(str(name))
    texts = [f"{listed(groups[count])} at {count or 'none'}" for count in sorted(groups, reverse=True)]
    return f"Bold or †, of {cells.shape[1]} depths: {'; '.join(texts)}."


def tuned(cells: Cells, runs: pd.DataFrame) -> pd.DataFrame:
    """Take the runs of the seeds that every rate of their cell has: those that the selection saw."""
    cell = [*cells.selected_keys, "seed"]
    rates = runs.groupby(cell, dropna=False)[cells.over].transform("nunique")
    return runs[rates == runs[cells.over].nunique()]


def windows(cells: Cells, runs: pd.DataFrame) -> pd.DataFrame:
    """Find of each cell the rates at which all tuning seeds trained, and whether the selected one ends the grid.

    Returns:
        one row per activation and depth: ``rates`` (how many), ``least``, ``greatest``, ``selected``, ``at_end``.
    """
    over = cells.over
    keys = cells.selected_keys
    all_trained = tuned(cells, runs).groupby([*keys, over], dropna=False)["trained"].all().reset_index()
    good = all_trained[all_trained["trained"]].groupby(keys, dropna=False)[over].agg(["count", "min", "max"])
    good = good.set_axis(["rates", "least", "greatest"], axis=1).reset_index()
    chosen = cells.selected[[*keys, over]].drop_duplicates().rename(columns={over: "selected"})
    grid = runs[over].unique()
    out = chosen.merge(good, on=keys, how="left").fillna({"rates": 0})
    return out.assign(at_end=out["selected"].isin([grid.min(), grid.max()]))


def window_table(cells: Cells, runs: pd.DataFrame, layers: int) -> str:
    """Tabulate at one depth how many seeds trained at the selected rate, and at which rates all tuning seeds did."""
    grid = sorted(runs[cells.over].unique())
    seeds = tuned(cells, runs)["seed"].nunique()
    rows = windows(cells, runs)
    rows = rows[rows["depth"] == layers].sort_values("activation", key=lambda names: names.map(cells.ranks))
    lines = []
    for row in rows.to_dict("records"):
        here = cells.selected[(cells.selected["activation"] == row["activation"]) & (cells.selected["depth"] == layers)]
        ends = [show(end) for end in dict.fromkeys((row["least"], row["greatest"]))]
        window = f"{int(row['rates'])} of {len(grid)}: {' to '.join(ends)}" if row["rates"] else f"none of {len(grid)}"
        selected = f"{show(row['selected'])}{' (end of the grid)' * bool(row['at_end'])}"
        lines.append([f"`{row['activation']}`", share_of(here["trained"]), selected, window])
    heads = [
        f"depth {layers}",
        "seeds that train at the selected rate",
        "selected rate",
        f"rates at which all {seeds} seeds of the selection train",
    ]
    return markdown_table(heads, lines)


def grid_ends(cells: Cells, runs: pd.DataFrame) -> str:
    """Say how many of the selected rates lie at an end of the grid, of the cells that train at any rate."""
    cell = windows(cells, runs)
    some, none = cell[cell["rates"] > 0], cell[cell["rates"] == 0]
    at_end = int(some["at_end"].sum())
    edge = f"an end of the grid ({span_of(runs[cells.over])})"
    return (
        f"Of the {counted(len(cell), 'pair')} of activation and depth, {len(some)} train in all of these seeds at some "
        f"rate; {at_end or 'none'} of them {'have' if at_end > 1 else 'has'} {edge} selected"
        + (", beyond which a better one may lie." if at_end else ".")
        + (f" {len(none)} train so at no rate." if len(none) else "")
    )


def slope_sentence(cells: Cells, name: str) -> str:
    """Say how the signal of an activation changes with each layer at initialisation, in the direction that is sure."""
    one = mean_interval(depth.slope_at_init(cells, name))
    if not one.known:
        return ""
    start = listed(
        [f"`{used}`" for used in cells.runs.loc[cells.runs["activation"] == name, "weight_init_used"].unique()]
    )
    sure = "loses" if one.high < 0 else "gains" if one.low > 0 else "changes by"
    sign = -1 if sure == "loses" else 1
    low, high = sorted((sign * one.low, sign * one.high))
    layers = int(cells.runs["depth"].max()) - 1
    total = ""
    if sure == "loses" and layers * one.mean < -3:
        ends = list(dict.fromkeys(f"10^{layers * end:.0f}".replace("-", "−") for end in (one.low, one.high)))
        total = f", which over {layers} layers leaves {' to '.join(ends)} of it"
    return (
        f"At initialisation ({start}) the signal that goes back through `{name}` {sure} "
        f"{with_bounds(sign * one.mean, low, high)} decades per layer{total}."
    )


def depth_findings(results: Results) -> str:
    """Write what the depth study found."""
    cells = cells_of(results)
    deepest, shallowest = int(cells.selected["depth"].max()), int(cells.selected["depth"].min())
    table, wide = accuracy_table(cells)
    counts = sorted(set(cells.selected.groupby(cells.selected_keys, dropna=False)["seed"].nunique()))
    seeds = " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1]))))
    missing = cells.runs["activation"].nunique() - len(wide)
    paragraphs = [
        f"**Depth** (`results/depth`: {setup(cells, results)}). Seeds that train at {deepest} layers: "
        f"{by_outcome(cells, deepest)}. At {shallowest} layers: {by_outcome(cells, shallowest)}. (*Train*: the final "
        "training loss is at most half of the best constant predictor's.) That is at the learning rate selected for "
        "each activation and depth; how many rates there were to select from:",
        window_table(cells, results.runs, deepest),
        grid_ends(cells, results.runs),
        f"Test accuracy at the selected rate, {seeds} seeds per cell"
        f"{f', without {missing} activations' * bool(missing)} "
        "([how intervals are made, and what the marks mean](results/depth/tables/performance.md)):",
        table,
        " ".join(text for text in (marks_of(wide), by_accuracy(cells, tuned(cells, results.runs))) if text),
        deep_surprises(cells),
        " ".join(
            text
            for text in (
                slope_sentence(cells, "sigmoid"),
                slope_sentence(cells, "relu"),
                f"(Means over depths from {depth.DEEP}; [each depth](results/depth/tables/vanishing_slopes.md).)",
            )
            if text
        ),
        verdicts(depth.CLAIMS, cells, "depth"),
    ]
    return "\n\n".join(text for text in paragraphs if text)


def revival_table(cells: Cells) -> str:
    """Tabulate birth, death and revival of ReLU's units by optimizer and rate."""
    lines = []
    for optimizer in dying_relu.optimizers(cells):
        rates = cells.runs.loc[cells.runs["optimizer"] == optimizer, "learning_rate"]
        for rate in sorted(rates.unique()):
            runs = dying_relu.some(cells, "relu", optimizer=optimizer, learning_rate=rate)
            measures = [f"{name}_fraction" for name in ("born_dead", "died", "revived", "ever_dead")]
            ended = dying_relu.final(cells, runs, *measures)
            died = dying_relu.share_by_seed(ended, "died_fraction", 1 - ended["born_dead_fraction"])
            back = dying_relu.share_by_seed(ended, "revived_fraction", "ever_dead_fraction")
            line = [
                f"{optimizer}, {show(rate)}",
                mean_of(died, "died_fraction"),
                mean_of(back, "revival_rate"),
            ]
            lost, cell = int((runs["status"] != "ok").sum()), dying_relu.WHOLE_CELL
            cells_lost = len(dying_relu.lost_cells(runs)[cell].drop_duplicates())
            without = f"; without {cells_lost} of {len(runs[cell].drop_duplicates())} settings" * bool(cells_lost)
            lines.append([*line, f"{lost} of {len(runs)}{without}"])
    heads = ["ReLU at", "dead at the end, of those alive at the start", "alive at the end, of those ever dead"]
    return markdown_table([*heads, "runs that diverged"], lines)


def control_table(cells: Cells) -> str:
    """Tabulate how many dead units of layer 2 come back, with the first layer trained and frozen."""
    lines = []
    width = int(cells.runs["width"].iloc[0])
    for optimizer in revival.optimizers(cells):
        both = revival.pairs(cells, optimizer)
        for rate, every in both.groupby("learning_rate"):
            rows = revival.same_cells(every)
            texts = [back_of(rows, width, end) for end in ("", "_frozen")]
            lines.append([f"{optimizer}, {show(float(str(rate)))}", *texts, f"{len(rows)} of {len(every)}"])
    heads = [f"alive at the end, of the units ever dead in layer {revival.LAYER}", "the same, first layer frozen"]
    return markdown_table(["ReLU at", *heads, "pairs of runs compared"], lines)


def back_of(rows: pd.DataFrame, width: int, end: str) -> str:
    """Write how many units came back, and where any did the mean share with its interval over seeds."""
    back, dead = revival.counts(rows, width, end)
    if not dead:
        return "no unit was dead"
    shares = revival.share(rows, end)
    seeds = f"{dead:,} in {counted(len(shares), 'seed')}"
    return f"{back:,} of {seeds}: {mean_of(shares, 'revival_rate')}" if back else f"none of {seeds}"


def control_findings(results: Results | None) -> str:
    """Write what the control found; that there is none, where it was not run."""
    if results is None:
        return "No control was run: these numbers do not say why units come back, nor why the rate matters."
    cells = cells_of(results)
    return "\n\n".join(
        [
            f"**Why they come back** (`results/revival`: {setup(cells, results)}): with the first layer frozen a dead "
            "unit of the second sees the same inputs for ever. " + control_in_words(cells),
            "By rate, both columns of the same depths and seeds; the share is the mean of the seeds' own. A depth at "
            "which more than half of the pairs have a run that diverged is left out, then a seed that lacks a pair:",
            control_table(cells),
            verdicts(revival.CLAIMS, cells, "revival"),
        ]
    )


def leaky_table(cells: Cells) -> str:
    """Tabulate, at each depth where ReLU dies, the weak units and the accuracy of ReLU and leaky ReLU."""
    columns: dict[str, dict[str, str]] = {}
    for measure, words in (("weak_fraction", "weak units"), ("test_accuracy", "test accuracy")):
        for name in ("relu", "leaky_relu"):
            values = dying_relu.by_depth(dying_relu.final(cells, dying_relu.harsh(cells, name), measure), measure)
            columns[f"{words}, `{name}`"] = {at: mean_of(one, measure) for at, one in values.items()}
        apart = dying_relu.by_depth(dying_relu.against_relu(cells, measure), "difference")
        columns[f"{words}, difference"] = {at: mean_of(one, measure, True) for at, one in apart.items()}
    at = list(next(iter(columns.values())))
    return markdown_table(["", *columns], [[one, *(column.get(one, "–") for column in columns.values())] for one in at])


def dying_findings(results: Results, control: Results | None = None) -> str:
    """Write what the study of dying units found, and its control."""
    cells = cells_of(results)
    relu = dying_relu.some(cells, "relu")
    every = span_of(results.runs["evaluate_every"])
    rate = show(dying_relu.HARSH["adam"])
    paragraphs = [
        f"**Dying ReLU** (`results/dying_relu`: {setup(cells, results)}). A unit is dead if no training row activates "
        f"it, which is judged every {every} steps; it comes back if it was dead at one evaluation and is alive at the "
        f"end. {at_the_start(cells)} {revival_in_words(cells)}",
        f"Every number is {averaged(relu)}. A setting (depth and start) of which more than half of the runs diverged "
        "is left out:",
        revival_table(cells),
        control_findings(control),
        f"Leaky ReLU (slope 0.01) where ReLU dies, with Adam at {rate}, at each depth. None of its units is dead, by "
        "definition; *weak* ones pass next to no gradient. ReLU's dead units are weak too, so that the two compare:",
        leaky_table(cells),
        leaky_in_words(cells),
        verdicts(dying_relu.CLAIMS, cells, "dying_relu"),
    ]
    return "\n\n".join(text for text in paragraphs if text)


def averaged(runs: pd.DataFrame) -> str:
    """Say over what the numbers of the study of dying units are averaged."""
    depths = listed([str(one) for one in sorted(runs["depth"].unique())])
    starts = len(runs[dying_relu.START].drop_duplicates())
    text = f"a mean over depths {depths}" if runs["depth"].nunique() > 1 else f"of depth {depths}"
    return f"{text}{f' and {starts} starts (initialiser and bias)' * (starts > 1)}, with its interval over seeds"


def limits(by_name: Mapping[str, Results]) -> str:
    """Say what some studies of training leave out."""
    names, studies = listed([f"`{name}`" for name in by_name]), list(by_name.values())
    runs = pd.concat([one.runs for one in studies])
    data = listed([f"`{name}`" for name in runs["data"].unique()])
    splits = runs.groupby("data")["data_seed"].nunique().max()
    mixed = runs.groupby("activation")["weight_init_used"].first().nunique() > 1
    texts = [
        f"{counted(runs['data'].nunique(), 'data set')} ({data}, {span_of(runs['train_rows'])} training rows)",
        counted(int(splits), "split"),
        f"{counted(runs['width'].nunique(), 'width')} ({span_of(runs['width'])})",
        f"{listed([show(steps) for steps in sorted(runs['steps'].unique())])} steps",
        listed([str(name) for name in sorted(runs["optimizer"].unique())]),
    ]
    over = f"{'splits and ' * bool(splits > 1)}seeds (initialisation and batch order)"
    return (
        f"**What they do not show.** {names} have {', '.join(texts)}: nothing here says how far the order of "
        f"activations carries over to others. Intervals are over {over} alone."
        + (" Each activation has its usual initialisation: what is compared is both together." if mixed else "")
    )


def findings(folder: Path = RESULTS) -> str:
    """Write what the studies in a folder found, as Markdown."""
    deep, dying = (actlab.load(folder / name) for name in ("depth", "dying_relu"))
    control = actlab.load(folder / "revival") if (folder / "revival").is_dir() else None
    studies = {"depth": deep, "dying_relu": dying} | ({"revival": control} if control else {})
    theory = [theory_findings(*(actlab.load(folder / name) for name in ("gradient_decay", "born_dead")))]
    return "\n\n".join([*theory, depth_findings(deep), dying_findings(dying, control), limits(studies)])


def main(files: Sequence[str]) -> None:
    """Put today's findings into files, between their comments."""
    texts = {BLOCK: findings(), OPENING: surprises(RESULTS / TRIAL, f"results/{TRIAL}")}
    for name in files:
        path = Path(name)
        new = rewrite(path.read_text(encoding="utf-8"), {block: partial(str, text) for block, text in texts.items()})
        path.write_text(new, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
