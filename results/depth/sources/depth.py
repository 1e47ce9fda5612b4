"""Depth: which activations still train as the network gets deeper?

Predictions. σ' ≤ ¼, so under Glorot initialisation a sigmoid's backpropagated signal loses a constant factor per layer
and deep sigmoid networks do not train. He's variance keeps ReLU's signal at initialisation, layer after layer. So the
activation decides the depth.

Which learning rate each activation has, ``cells.selected`` says: the one that the study's rule selected.

What was changed when. S3's and R2's effects are from before the first results. D1 first asked for the share of
activations that train to the end of the grid; with results known it became best minus worst, and asked for any
difference above 0 until effects had to be stated (0.2, one seed of five). Best minus worst was chosen after the fact.
Before the study was trained anew it became D1a, the largest difference of any two with intervals of all pairs at once,
and D1b, of two activations that were named before those runs: sigmoid and ReLU, of which S3 and R2 speak. The effect
stayed at 0.2. S3's and R2's statements were then given the words of what is measured: at initialisation.
"""

import math

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, AT_MOST, WITHIN, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.judging import judge_any_pair
from actlab.naming import counted

DEEP = 10  # slopes are judged from this depth on: on a few layers the ends dominate
KEPT = math.log10(2) / 10  # a slope that halves or doubles the signal every ten layers, in decades per layer
MATTERS = 0.2  # a difference in the share of seeds that trained
MOST = 0.8  # of the seeds: an activation trains at a depth where so many did
NAMED = ("relu", "sigmoid")  # compared by name, before these runs were made


def slope_at_init(cells: Cells, activation: str) -> pd.Series:
    """Vanishing slope at initialisation, by seed: the mean over depths (learning rates share their init)."""
    deep = cells.runs[(cells.runs["activation"] == activation) & (cells.runs["depth"] >= DEEP)]
    first = records_at(cells.steps, deep, "init", ["vanishing_slope"]).merge(deep[["run", "seed"]], on="run")
    return first.groupby("seed")["vanishing_slope"].mean()


def slope_of(cells: Cells) -> str:
    """Say what the slopes are, and which depths they are averaged over."""
    deep = sorted(int(depth) for depth in cells.runs["depth"].unique() if depth >= DEEP)
    depths = f"vanishing slope at initialisation, decades per layer, mean over depths {', '.join(map(str, deep))}"
    if cells.tuning is None:
        return depths
    tuning = counted(len(cells.tuning.seeds), "seed")
    return f"{depths}; of the shown seeds and of the {tuning} that chose: at initialisation no rate matters yet"


def sigmoid_vanishes(cells: Cells) -> Verdict:
    """S3: a sigmoid's signal loses at least half in ten layers."""
    slopes = slope_at_init(cells, "sigmoid")
    statement = "gradients vanish with depth (the signal at initialisation, Glorot's: halved in ten layers at least)"
    return judge("S3", "sigmoid", statement, AT_MOST, -KEPT, slopes, slope_of(cells), "vanishing_slope")


def relu_survives(cells: Cells) -> Verdict:
    """R2: a ReLU's signal under He initialisation neither halves nor doubles in ten layers."""
    slopes = slope_at_init(cells, "relu")
    statement = "gradients survive the depth (the signal at initialisation, He's: not halved or doubled in ten layers)"
    return judge("R2", "relu", statement, WITHIN, KEPT, slopes, slope_of(cells), "vanishing_slope")


def trained_by_seed(cells: Cells) -> pd.DataFrame:
    """Whether the deepest networks trained: one row per seed, one column per activation; a diverged run has not."""
    deepest = cells.selected[cells.selected["depth"] == cells.selected["depth"].max()]
    return deepest.assign(trained=deepest["trained"].astype(float)).pivot_table("trained", "seed", "activation")


def trained_depths(cells: Cells) -> str:
    """Say to which depth each activation trains: the deepest of which at least 80 % of seeds did, or the grid's end."""
    share = cells.selected.groupby(["activation", "depth"])["trained"].mean().reset_index()
    enough = share[share["trained"] >= MOST].groupby("activation")["depth"].max()
    end = cells.selected["depth"].max()
    names: dict[float, list[str]] = {}
    for name in sorted(cells.selected["activation"].unique(), key=lambda name: cells.ranks[name]):
        names.setdefault(float(enough.get(name, 0)), []).append(name)
    words = {0.0: "no depth", float(end): f"≥ {end} (the grid's end)"}
    texts = [f"{words.get(depth, f'{depth:g}')}: {', '.join(names[depth])}" for depth in sorted(names, reverse=True)]
    return f"deepest network of which at least {MOST:.0%} of seeds trained: {'; '.join(texts)}"


def rates_from(cells: Cells) -> str:
    """Say on which seeds the learning rates were selected."""
    if cells.select is None:
        return "every learning rate"
    seeds = "the same seeds" if cells.tuning is None else counted(len(cells.tuning.seeds), "other seed")
    return f"each at its selected {cells.over.replace('_', ' ')}, selected on {seeds}"


def of_diverged(runs: pd.DataFrame) -> str:
    """Say how many of the runs whose shares are compared diverged: they count as not trained."""
    lost = int((runs["status"] != "ok").sum())
    return f"; {lost} of these {len(runs)} runs diverged and count as not trained" if lost else ""


def activation_decides_depth(cells: Cells) -> Verdict:
    """D1a: some two activations differ in the share of seeds that train at the deepest network.

    None is chosen as the best or the worst: all pairs have an interval at once. To say of each whether at least 80 % of
    its seeds train takes more seeds than to tell two apart; so the depths stand in the evidence, the test is of shares.
    """
    trained = trained_by_seed(cells)
    deepest = cells.selected[cells.selected["depth"] == cells.selected["depth"].max()]
    depth, count = int(cells.selected["depth"].max()), trained.shape[1]
    evidence = (
        f"share of seeds trained at {depth} layers, the largest difference between any two of {count} activations, "
        f"paired by seed, {rates_from(cells)}{of_diverged(deepest)}; {trained_depths(cells)}"
    )
    statement = "how deep a plain MLP trains depends on its activation (share of seeds at the deepest)"
    return judge_any_pair("D1a", statement, MATTERS, trained, evidence, "trained")


def relu_trains_deeper(cells: Cells) -> Verdict:
    """D1b: of two activations that were named beforehand, one trains more seeds of the deepest network."""
    trained = trained_by_seed(cells).reindex(columns=NAMED)
    better, worse = NAMED
    share = {name: f"{trained[name].sum():.0f} of {trained[name].count()} seeds" for name in NAMED}
    depth = int(cells.selected["depth"].max())
    deepest = cells.selected[(cells.selected["depth"] == depth) & cells.selected["activation"].isin(NAMED)]
    return judge(
        "D1b",
        better,
        f"trains deeper than {worse} (share of seeds at the deepest)",
        AT_LEAST,
        MATTERS,
        trained[better] - trained[worse],
        f"share of seeds trained at {depth} layers, {better} ({share[better]}) minus {worse} ({share[worse]}), paired "
        f"by seed, {rates_from(cells)}{of_diverged(deepest)}",
        "trained",
        difference=True,
    )


CLAIMS = [sigmoid_vanishes, relu_survives, activation_decides_depth, relu_trains_deeper]
