"""Tasks: do ELU, swish and mish converge faster or end better than what they follow, on ten tasks and two optimizers?

A single task decides nothing of "in practice". So there are ten, real and generated, small and away from the ceiling;
each network has a learning rate of its own, which three other seeds selected, and everything is asked under Adam and
under SGD with momentum. *Faster* is the probability of improvement (Agarwal et al. 2021): how often a network meets its
task's target loss before the other of the same seed, a tie counting half, a network that never does coming last.

Predictions. E3: none; reports differ. M2: mish, swish and GELU are within .1 of one another in that probability. P1:
PReLU's α leaves its start. W1: β alone is a scale, since swish_β(z) = swish_1(βz)/β; what may adapt is β·rms(z).

What was decided when: all effects are from before the first results. These had rates selected at the ends of a grid
from 1e-3 to 1e-1, which is why it reaches from 1e-5 to 1 now.
With results known: P1a was a mean over tasks, *supported*, which hid tasks on which α hardly moves; it is asked of each
task since. So are M2d and M2e, whose means over tasks, *contradicted*, hid tasks on which mish's signal does keep its
size better. W3 asked for some task under each optimizer, *inconclusive* under Adam; "some" is one at least, so that all
tasks and both optimizers are asked at once since. P1 and W1 are of networks that trained since (on spirals of 4 turns
none does, and both rested on it); W1b, of β itself and with W1's effect, was added, since rms(z) differs between tasks
whether β is learned or not. E3a and M2c were means over tasks, too, E3a *supported* (0.68 beside PReLU under momentum,
where it fitted least) with 39 of 100 pairs ties of networks that never meet the target. They are asked of each task
since, where neither network meets it in most pairs without a number, and of each rival by itself (E3c, E3d, M2f), as M2
is of its gradients. No effect was changed.

Reference: Agarwal et al. 2021, Deep reinforcement learning at the edge of the statistical precipice, NeurIPS.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, AT_MOST, Verdict, judge
from actlab.analysis.drawings import FACETS, Drawing, Spec, drawing
from actlab.analysis.estimates import records_at
from actlab.analysis.figures.base import intervals
from actlab.analysis.intervals import Interval, Quantity
from actlab.analysis.judging import capped, largest_difference
from actlab.analysis.notes import listed
from actlab.analysis.parts import figure
from actlab.analysis.stats import paired_differences
from actlab.analysis.tables.times import times_of
from actlab.analysis.under import Condition
from actlab.measures import SHARE, Measure

OFTEN = 0.6  # of the pairs: faster where it is so often
STEADIER = 0.8  # times the spread over seeds
BETTER = 0.01  # of accuracy, or of R²
FLOWS = 0.01  # decades per layer, as at initialisation (``slopes.py``)
NEVER = 1e9  # steps to a target that is not met: later than any that is
MOVED = 0.05  # of α, which begins at 0.25
ADAPTED = 0.1  # of β·rms(z), between tasks
PLACE = ["data", "optimizer"]
DRAWN = (
    "Where some trained, these alone are drawn; where none did, all. Each optimizer's picture has a scale of its own."
)
FEWEST = "n is that of the pair of tasks with the fewest"
ALPHA, BEND = "alpha_by_task", "bend_by_task"
FIRST = Measure("probability of meeting the target first", range=(0.0, 1.0), over_seeds=SHARE)
"""On one task it is true or false of a pair, or a tie's half, which varies less: Wilson's interval is for it."""


def optimizers(cells: Cells) -> list[str]:
    """The study's optimizers."""
    return sorted(cells.selected["optimizer"].unique())


def chosen(cells: Cells, *activations: str) -> pd.DataFrame:
    """The selected runs of some activations, with the metric of their task: accuracy, or R²."""
    rows = cells.selected[cells.selected["activation"].isin(activations)]
    is_class = rows["task"] == "classification"
    return rows.assign(metric=rows["test_accuracy"].where(is_class, rows["test_r2"]).astype(float))


def times(cells: Cells, optimizer: str, *activations: str) -> pd.DataFrame:
    """When networks meet the target, ``NEVER`` where they do not: by seed and task, one column an activation."""
    rows = times_of(chosen(cells, *activations))
    rows = rows[rows["optimizer"] == optimizer].assign(time=lambda frame: frame["time"].replace(math.inf, NEVER))
    return rows.pivot_table("time", ["seed", "data"], "activation")


def on_task(task: object, optimizer: object, counts: str = "") -> Condition:
    """One task and optimizer, as a condition."""
    return Condition(f"{task}, {optimizer}{counts}", data=task, optimizer=optimizer)


def first_to_meet(cells: Cells, one: str, other: str) -> dict[str, pd.Series]:
    """Whether one meets the target before the other, a tie counting half: by seed, on each task and by each optimizer.

    Where neither meets it in most of the pairs, failures are compared with failures: such a task has no number.
    """
    found: dict[str, pd.Series] = {}
    for optimizer in optimizers(cells):
        for task, some in times(cells, optimizer, one, other).groupby("data"):
            won = (some[one] < some[other]) + 0.5 * (some[one] == some[other])
            met = int((some[[one, other]] < NEVER).any(axis=1).sum())
            counts = "" if met == len(some) else f" (one of the two meets the target in {met} of {len(some)} pairs)"
            decides = met >= len(some) / 2
            at = on_task(task, optimizer, counts)
            found[at] = won if decides else pd.Series(dtype=float)
    return found


def faster(cells: Cells, id: str, one: str, other: str, statement: str, control: str = "") -> Verdict:
    """Judge that one converges faster than another, on each task and under each optimizer.

    Args:
        cells: the study's.
        id, one, other, statement: see ``Verdict``, and whom it is beside.
        control: the claim that asks the same at one rate, if one does.
    """
    won = first_to_meet(cells, one, other)
    ties = int(sum((some == 0.5).sum() for some in won.values()))
    asked, silent = sum(map(len, won.values())), sum(some.empty for some in won.values())
    evidence = (
        f"probability that {one} meets the task's target validation loss before {other}, pairs of one seed; ties count "
        f"½ ({ties} of {asked} pairs, as losses are looked at every so many steps), and a network that never meets it "
        f"comes last, as {diverged_in(chosen(cells, one, other))}; where neither does in most of the pairs there is no "
        f"number ({silent or 'none'} of {len(won)})"
    ) + f"; at one rate see {control}" * bool(control)
    verdict = judge(id, one, statement, AT_LEAST, OFTEN, won, evidence, FIRST)
    return capped(verdict, cells, chosen(cells, one, other))


def diverged_in(rows: pd.DataFrame) -> str:
    """Say how many of some runs diverged: these never meet a target."""
    return f"the {int((rows['status'] != 'ok').sum())} of {len(rows)} runs that diverged do"


def elu_is_faster(cells: Cells) -> Verdict:
    """E3a, the first half of E3, beside ReLU."""
    return faster(cells, "E3a", "elu", "relu", "converges faster than relu")


def elu_is_faster_than_leaky(cells: Cells) -> Verdict:
    """E3c, beside leaky ReLU."""
    return faster(cells, "E3c", "elu", "leaky_relu", "converges faster than leaky relu")


def elu_is_faster_than_prelu(cells: Cells) -> Verdict:
    """E3d, beside PReLU."""
    return faster(cells, "E3d", "elu", "prelu", "converges faster than prelu")


def elu_is_steadier(cells: Cells) -> Verdict:
    """E3, second half: a smaller spread over seeds than ReLU's, task by task."""
    ratios: dict[str, pd.Series] = {}
    for optimizer in optimizers(cells):
        rows = chosen(cells, "elu", "relu")
        spread = rows[rows["optimizer"] == optimizer].pivot_table("metric", "data", "activation", aggfunc="std")
        ratios[Condition(optimizer, optimizer=optimizer)] = pd.Series(
            np.log10(spread["elu"] / spread["relu"]), spread.index
        )
    statement = "converges more stably than relu (spread of the final metric over seeds)"
    evidence = "log10 of elu's standard deviation over relu's, one number a task"
    verdict = judge("E3b", "elu", statement, AT_MOST, math.log10(STEADIER), ratios, evidence)
    return capped(verdict, cells, chosen(cells, "elu", "relu"))


def mish_is_faster(cells: Cells) -> Verdict:
    """M2c, the second half of M2, beside swish."""
    return faster(cells, "M2c", "mish", "swish", "faster convergence than swish", "M2g")


def mish_is_faster_than_gelu(cells: Cells) -> Verdict:
    """M2f, beside GELU."""
    return faster(cells, "M2f", "mish", "gelu", "faster convergence than gelu", "M2h")


def flows_better(cells: Cells, id: str, other: str) -> Verdict:
    """Judge that mish's signal keeps its size better than another's through the layers of trained networks."""
    rows = chosen(cells, "mish", other)
    ended = records_at(cells.steps, rows[rows["status"] == "ok"], "final", ["vanishing_slope"])
    ended = ended.merge(rows[["run", "seed", "activation", *PLACE]], on="run")
    sizes = ended.assign(size=ended["vanishing_slope"].astype(float).abs())
    wide = sizes.pivot_table("size", [*PLACE, "seed"], "activation")
    gains: Mapping[str, pd.Series] = {
        on_task(task, optimizer): (some[other] - some["mish"]).dropna()
        for (task, optimizer), some in wide.groupby(PLACE)
    }
    statement = f"better gradient flow than {other} (after training)"
    evidence = (
        f"|slope| of {other} minus that of mish, decades per layer, at the end, paired by seed, on each task; "
        f"{pairs_lost(rows)}"
    )
    verdict = judge(id, "mish", statement, AT_LEAST, FLOWS, gains, evidence)
    return capped(verdict, cells, rows)


def pairs_lost(rows: pd.DataFrame) -> str:
    """Say of how many pairs of one seed a network diverged, whose, and where: such a pair has no difference."""
    lost = rows[rows["status"] != "ok"]
    if lost.empty:
        return "no network diverged"
    of, gone = (some.drop_duplicates([*PLACE, "seed"]) for some in (rows, lost))
    every = of.groupby(PLACE)["seed"].size().to_dict()
    where = [f"{len(some)} of {every[at]} at {at[0]} under {at[1]}" for at, some in gone.groupby(PLACE)]
    whose = [f"{k} of {name}" for name, k in lost["activation"].value_counts().items()]
    return f"{len(gone)} of {len(of)} pairs are left out, as networks diverged ({listed(whose)}): {listed(where)}"


def mish_flows_better_than_swish(cells: Cells) -> Verdict:
    """M2d, the first half after training: at initialisation it is a constant of theory (``slopes.py``)."""
    return flows_better(cells, "M2d", "swish")


def mish_flows_better_than_gelu(cells: Cells) -> Verdict:
    """M2e, of GELU."""
    return flows_better(cells, "M2e", "gelu")


def best_gain(cells: Cells, one: str, other: str) -> tuple[Interval, str]:
    """The largest gain over all tasks and optimizers at once, and where: all intervals together hold with 95 %."""
    rows = chosen(cells, one, other)
    wide = rows.pivot_table("metric", "seed", ["data", "optimizer", "activation"])
    places = list(rows[["data", "optimizer"]].drop_duplicates().itertuples(index=False, name=None))
    level = 1 - 0.05 / len(places)
    pairs = [((*place, one), (*place, other)) for place in places if {(*place, one), (*place, other)} <= {*wide}]
    each = paired_differences(wide, pairs, level, Quantity(0.0, 1.0))
    known = {pair[0][:2]: found for pair, found in zip(pairs, each, strict=True) if found.known}
    mean, low, high = (max(getattr(found, end) for found in known.values()) for end in ("mean", "low", "high"))
    method = f"{next(iter(known.values())).method}, {100 * level:.2f} %, all {len(known)} tasks and optimizers"
    (task, optimizer), best = max(known.items(), key=lambda pair: pair[1].low)
    return Interval(mean, low, high, best.n, method), f"{task}, {optimizer}"


def swish_beats_gelu_somewhere(cells: Cells) -> Verdict:
    """W3: more effective on some tasks, under either optimizer, whichever: none is chosen afterwards."""
    largest, where = best_gain(cells, "swish", "gelu")
    statement = "more effective than gelu on some tasks (one at least, under either optimizer)"
    evidence = (
        "the largest gain in accuracy or R² of swish on gelu over ten tasks and two optimizers, paired by seed, all at "
        f"once; the interval furthest above 0: {where}"
    )
    verdict = judge("W3", "swish", statement, AT_LEAST, BETTER, largest, evidence)
    return capped(verdict, cells, chosen(cells, "swish", "gelu"))


def last_layers(cells: Cells, activation: str, *measures: str) -> pd.DataFrame:
    """Layer measures at the end of the selected runs of an activation that trained: others learned no task."""
    rows = chosen(cells, activation)
    rows = rows[rows["trained"].astype(bool)]
    return records_at(cells.layers, rows, "final", list(measures)).merge(
        rows[["run", "seed", "data", "optimizer"]], on="run"
    )


def left_out(cells: Cells, activation: str) -> str:
    """Name the tasks on which no network of an activation trained, or not all did."""
    parts = []
    for optimizer, rows in chosen(cells, activation).groupby("optimizer"):
        share = rows.groupby("data")["trained"].agg(["sum", "count"]).astype(int)
        parts += [f"{k} of {n} at {task}, {optimizer}" for task, (k, n) in share.iterrows() if k < n]
    return f"of networks that trained ({', '.join(parts)})" if parts else "of all networks, which trained"


def by_task(cells: Cells, activation: str, of: tuple[str, ...], name: str, title: str, caption: str) -> Drawing | None:
    """Draw the product of some layer measures over training: a panel for each task, a line for each layer."""
    rows = cells.selected
    runs = rows.loc[(rows["activation"] == activation) & (rows["status"] == "ok"), "run"]
    if not {*of} <= {*cells.layers}:
        return None
    layers = cells.layers[cells.layers["run"].isin(runs)].dropna(subset=list(of))
    values = layers[["run", "step", "layer"]].assign(measure=name, value=layers[list(of)].prod(axis=1))
    frame = intervals(values, cells, ["measure", "layer", "step"], trained=True)
    spec = Spec(FACETS, x="step", lines="layer", panels="data")
    return drawing(cells, frame[frame["activation"] == activation], spec, title, caption) if len(frame) else None


@figure(default=False)
def alpha_by_task(cells: Cells) -> Drawing | None:
    """P1: PReLU's α over training."""
    caption = f"Means over seeds, with intervals; α begins at 0.25. {DRAWN}"
    return by_task(cells, "prelu", ("alpha",), "α", "α of PReLU over training, by task", caption)


@figure(default=False)
def bend_by_task(cells: Cells) -> Drawing | None:
    """W1: swish's β·rms(z) over training."""
    what = "rms(z): over units and probe rows of a layer; β begins at 1."
    caption = f"Means over seeds, with intervals. {what} {DRAWN}"
    if "preact_second_moment" not in cells.layers:
        return None
    layers = cells.layers.assign(rms=np.sqrt(cells.layers["preact_second_moment"].astype(float)))
    title = "β·rms(z) of swish over training, by task"
    return by_task(replace(cells, layers=layers), "swish", ("beta", "rms"), "β·rms(z)", title, caption)


def prelu_moves(cells: Cells) -> Verdict:
    """P1: α leaves its start, on each task."""
    layers = last_layers(cells, "prelu", "alpha")
    moved = layers.assign(moved=(layers["alpha"] - 0.25).abs())
    found: Mapping[str, pd.Series] = {
        on_task(task, optimizer): rows.groupby("seed")["moved"].mean()
        for (task, optimizer), rows in moved.groupby(["data", "optimizer"])
    }
    evidence = f"|α − 0.25| at the end, mean over layers, by seed, on each task, {left_out(cells, 'prelu')}"
    statement = "learns α (it leaves its start)"
    verdict = judge("P1a", "prelu", statement, AT_LEAST, MOVED, found, evidence, figure=ALPHA)
    return capped(verdict, cells, chosen(cells, "prelu"))


def elsewhere(value: pd.Series, layers: pd.DataFrame) -> dict[str, Interval]:
    """Bound by optimizer the largest difference of a value, a mean over layers, between any two tasks."""
    rows = layers.assign(value=value)
    return {
        Condition(str(name), optimizer=name): largest_difference(some.pivot_table("value", "seed", "data"), level=0.975)
        for name, some in rows.groupby("optimizer")
    }


def prelu_learns_from_the_data(cells: Cells) -> Verdict:
    """P1, from the data: α ends elsewhere on another task."""
    layers = last_layers(cells, "prelu", "alpha")
    statement = "learns α from the data (it ends elsewhere on another task)"
    what = "largest difference between any two tasks of α at the end, mean over layers, all pairs at once"
    evidence = f"{what}, {left_out(cells, 'prelu')}; {FEWEST}"
    found = elsewhere(layers["alpha"], layers)
    verdict = judge("P1b", "prelu", statement, AT_LEAST, MOVED, found, evidence, figure=ALPHA)
    return capped(verdict, cells, chosen(cells, "prelu"))


def bend_adapts(cells: Cells) -> Verdict:
    """W1: β·rms(z), which is what a unit sees of β, ends elsewhere on another task."""
    layers = last_layers(cells, "swish", "beta", "preact_second_moment")
    rms = layers["preact_second_moment"].astype(float) ** 0.5
    alone = max(one.mean for one in elsewhere(rms, layers).values())
    statement = "trainable β adapts to the task (β·rms(z) ends elsewhere on another task)"
    what = "largest difference between any two tasks of β·rms(z) at the end, mean over layers, all pairs at once"
    evidence = (
        f"{what}, {left_out(cells, 'swish')}; {FEWEST}; rms(z) of these networks alone differs by {alone:.3g}: see W1b"
    )
    found = elsewhere(layers["beta"] * rms, layers)
    verdict = judge("W1a", "swish", statement, AT_LEAST, ADAPTED, found, evidence, figure=BEND)
    return capped(verdict, cells, chosen(cells, "swish"))


def beta_adapts(cells: Cells) -> Verdict:
    """W1, of β itself: rms(z) differs between tasks also where β is kept."""
    layers = last_layers(cells, "swish", "beta")
    statement = "trainable β itself adapts to the task (β ends elsewhere on another task)"
    what = "largest difference between any two tasks of β at the end, mean over layers, all pairs at once"
    evidence = f"{what}, {left_out(cells, 'swish')}; {FEWEST}"
    found = elsewhere(layers["beta"], layers)
    verdict = judge("W1b", "swish", statement, AT_LEAST, ADAPTED, found, evidence, figure=BEND)
    return capped(verdict, cells, chosen(cells, "swish"))


CLAIMS = [
    elu_is_faster,
    elu_is_faster_than_leaky,
    elu_is_faster_than_prelu,
    elu_is_steadier,
    prelu_moves,
    prelu_learns_from_the_data,
    bend_adapts,
    beta_adapts,
    swish_beats_gelu_somewhere,
    mish_is_faster,
    mish_is_faster_than_gelu,
    mish_flows_better_than_swish,
    mish_flows_better_than_gelu,
]
