"""Dying ReLU: when do units die, do they come back, and do the successors prevent it?

Predictions. A high learning rate and a negative bias push pre-activations of whole units below zero for every row; with
no gradient there they stay (unless the layers below move them). Leaky ReLU, PReLU, ELU and GELU are nowhere flat, so no
unit of theirs can die; whether their units still pass a useful gradient is what the weak fraction asks.

Why units come back has a control, a study of its own: ``revival.py``.

What was changed when. R3a's and R3b's effects are from before the first results; R3b was widened from one learning
rate to all before these were committed. L1 first asked, as L1a does, whether at most 0.05 of leaky ReLU's units are
weak; the first results contradicted it (0.584 [0.571, 0.596]). L1b and L1c, comparisons with ReLU, came after that,
and their effect of 0.01 when effects had to be stated (they had asked for any difference above 0). R3b was *true only
if* the rate is 0.1 while intervals were Student's t; the logit's reaches 0.0509 there, beyond the 0.05 of the claim.

Before the study was trained anew, with SGD beside Adam: R3a was of all units and is of those
alive at the start, and is asked of each optimizer at one high rate (SGD's is 0.3: in a pilot of three seeds most runs
at 1 diverged); R3b is asked of each optimizer and rate. L1a to L1c were means over
depths; most of L1c's gain was that of two layers, so that they are asked of each depth. L1a's statement was "a small
negative slope prevents dying", which is not what it measures: that is now L1d, and L1a says weak. A seed's numbers were
means over the runs that did not diverge, whichever they were; now they are means over the same cells for each seed. No
effect was changed.

With the results of both optimizers known: R3a was a mean over depths, *supported*, under SGD by that of ten layers; it
is asked of each depth since. L1c compared accuracies also where next to no network of either kind trains: since then
starts at which neither does in most of the pairs decide nothing. No effect was changed. R3c came last, with R3b's
effect, since of the units that were ever dead a half or more at most rates were so before training, and had not lived.
"""

from collections.abc import Mapping

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, AT_MOST, Verdict, judge
from actlab.analysis.estimates import records_at
from actlab.analysis.judging import judge_law
from actlab.analysis.under import Condition
from actlab.naming import counted

HARSH = {"adam": 1e-1, "sgd": 3e-1}  # the learning rates at which ReLU's units are expected to die
RARE = 0.05  # of the units that were ever dead, or of all units
SOME = 0.01  # of the units, or of the test rows
START = ["weight_init", "bias_init"]
CELL = ["depth", "learning_rate", *START]  # what a seed's numbers are averaged over
REVIVAL = ["revived_fraction", "ever_dead_fraction", "born_dead_fraction", "dead_fraction", "died_fraction"]
WHOLE_CELL = ["activation", "optimizer", *CELL]
PAIR = ["seed", *CELL]  # what two runs that are compared have in common


def some(cells: Cells, activation: str, **settings: object) -> pd.DataFrame:
    """Runs of an activation with some settings."""
    chosen = cells.runs["activation"] == activation
    for name, value in settings.items():
        chosen &= cells.runs[name] == value
    return cells.runs[chosen]


def final(
    cells: Cells, runs: pd.DataFrame, *measures: str, frame: str = "steps", at: str = "final", all_cells: bool = False
) -> pd.DataFrame:
    """Measures at the end beside the runs' settings; a diverged run has no such numbers, and is left out.

    So is a whole cell of which more than half diverged, unless ``all_cells``: what is left is no sample of it.
    """
    last = records_at(getattr(cells, frame), runs, at, measures)
    kept = runs[runs["status"] == "ok"]
    if not all_cells:
        kept = kept[~kept["run"].isin(lost_cells(runs)["run"])]
    return last.merge(kept[["run", *PAIR, "optimizer"]], on="run")


def lost_cells(runs: pd.DataFrame) -> pd.DataFrame:
    """Find the runs of the cells of which more than half diverged."""
    of = [runs[key] for key in WHOLE_CELL]
    return runs[(runs["status"] != "ok").groupby(of).transform("mean") > 0.5]


def by_seed(values: pd.DataFrame, column: str) -> pd.Series:
    """One number a seed: the mean over cells, of the same cells for each.

    A seed that has no value in some, since that run diverged, is compared with the others in those that it has: its
    mean deviation from the cells' means is added to the mean of these.
    """
    of_cell = values.groupby(CELL)[column]
    deviation = values[column] - of_cell.transform("mean")
    return deviation.groupby(values["seed"]).mean() + of_cell.mean().mean()


def share_by_seed(values: pd.DataFrame, part: str, whole: str | pd.Series) -> pd.Series:
    """One share a seed, pooled over its networks: the mean of the part by the mean of the whole; none without a whole.

    Every network has the same weight, so a unit of a deep one has less.
    """
    both = values.assign(whole=values[whole] if isinstance(whole, str) else whole)
    means = pd.DataFrame({name: by_seed(both, name) for name in (part, "whole")})
    return (means[part] / means["whole"].where(means["whole"] > 0)).dropna()


def optimizers(cells: Cells) -> list[str]:
    """The study's optimizers."""
    return sorted(cells.runs["optimizer"].unique())


def over(runs: pd.DataFrame, depths: bool = True) -> str:
    """Say over what a seed's number is averaged, over depths as well or not, and how many of the runs diverged."""
    if runs.empty:
        return "no such runs"
    pairs = sorted(set(zip(*(runs[key] for key in START), strict=True)))
    starts = " / ".join(f"{weights}, {biases}" for weights, biases in pairs)
    all_depths = ", ".join(str(depth) for depth in sorted(runs["depth"].unique()))
    lost, cells_lost = int((runs["status"] != "ok").sum()), len(lost_cells(runs)[WHOLE_CELL].drop_duplicates())
    averaged = [
        *([f"{'depths' if ', ' in all_depths else 'depth'} {all_depths}"] if depths else []),
        f"{counted(len(pairs), 'start')} ({starts})",
    ]
    return (
        f"a seed's mean over {' and '.join(averaged)}; {lost or 'none'} of {len(runs)} runs diverged"
        f"{' and are left out' * bool(lost)}"
        + (f", with {counted(cells_lost, 'cell')} of which more than half did" if cells_lost else "")
    )


def place(optimizer: str, depth: object, more: str = "") -> Condition:
    """Make a condition: a depth at the high rate of an optimizer, alike for all claims, so that they can be compared.

    >>> place("adam", 5)
    'adam at 0.1, depth 5'
    """
    rate = HARSH[optimizer]
    name = f"{optimizer} at {rate:g}, depth {depth}{more}"
    return Condition(name, optimizer=optimizer, learning_rate=rate, depth=depth)


def where_lost(runs: pd.DataFrame) -> str:
    """Say in which cells runs diverged, of how many each; empty where none did."""
    cells = [
        f"{lost} of {len(some)} at {place(str(optimizer), depth)}, {weights}, {biases}"
        for (optimizer, depth, weights, biases), some in runs.groupby(["optimizer", "depth", *START])
        if (lost := int((some["status"] != "ok").sum()))
    ]
    return f" ({'; '.join(cells)})" * bool(cells)


def relu_units_die(cells: Cells) -> Verdict:
    """R3, first half: units that were alive at the start are dead at the end, at a high rate of each optimizer."""
    died, looked, none = {}, [], []
    for optimizer in (name for name in HARSH if name in optimizers(cells)):
        runs = some(cells, "relu", optimizer=optimizer, learning_rate=HARSH[optimizer])
        ended = final(cells, runs, "died_fraction", "born_dead_fraction")
        for depth, rows in ended.groupby("depth"):
            alive = 1 - rows["born_dead_fraction"]
            died[place(optimizer, depth)] = share_by_seed(rows, "died_fraction", alive)
            if (rows["died_fraction"] == 0).all():
                none.append(f"at {place(optimizer, depth)} no unit died in any of {len(rows)} networks")
        looked.append(runs)
    runs = pd.concat(looked) if looked else cells.runs.head(0)
    without = f"; {'; '.join(none)}: equal values have no interval" * bool(none)
    evidence = f"dead at the end / alive at the start, by depth, {over(runs, depths=False)}{where_lost(runs)}{without}"
    return judge("R3a", "relu", "units die", AT_LEAST, SOME, died, evidence, "died_fraction", figure="dying")


def dead_stay_dead(cells: Cells) -> Verdict:
    """R3, second half: of all units that were ever dead, nearly none is alive at the end, at any learning rate."""
    revival, looked = revived(cells)
    evidence = f"revived / ever dead at an evaluation, those born dead among them (without these R3c), {over(looked)}"
    return judge("R3b", "relu", "dead units do not come back", AT_MOST, RARE, revival, evidence, "revival_rate")


def died_stay_dead(cells: Cells) -> Verdict:
    """R3, second half, of units that once lived: of those that training killed nearly none is alive at the end."""
    revival, looked = revived(cells, born_dead=False)
    statement = "units that die in training do not come back"
    evidence = f"revived / dead at an evaluation but not at the start, {over(looked)}"
    return judge("R3c", "relu", statement, AT_MOST, RARE, revival, evidence, "revival_rate")


def revived(cells: Cells, born_dead: bool = True) -> tuple[dict[Condition, pd.Series], pd.DataFrame]:
    """Of the units that were ever dead, the share that is alive at the end, one number a seed; and the runs seen.

    Args:
        cells: the study's.
        born_dead: whether units that were dead before training count.
    """
    revival, looked = {}, []
    for optimizer in optimizers(cells):
        for rate in sorted(cells.runs["learning_rate"].unique()):
            runs = some(cells, "relu", optimizer=optimizer, learning_rate=rate)
            ended = final(cells, runs, *REVIVAL, "network_dead")
            back, dead = ended["revived_fraction"], ended["ever_dead_fraction"]
            if not born_dead:  # of those born dead, the ones that are dead at the end did not die in training
                still = ended["dead_fraction"] - ended["died_fraction"]
                back, dead = back - (ended["born_dead_fraction"] - still), dead - ended["born_dead_fraction"]
            share = share_by_seed(ended.assign(back=back.clip(lower=0)), "back", dead)
            looked.append(runs)
            if len(share) > 1:  # a rate without a death says nothing
                wholly = f"{(ended['network_dead'] > 0).sum()} of {len(ended)} networks have a wholly dead layer"
                name = f"{optimizer} at {rate:g} ({wholly})"
                revival[Condition(name, optimizer=optimizer, learning_rate=rate)] = share
    return revival, pd.concat(looked)


def harsh(cells: Cells, activation: str) -> pd.DataFrame:
    """Runs of an activation where ReLU's units are expected to die, with Adam."""
    return some(cells, activation, optimizer="adam", learning_rate=HARSH["adam"])


def by_depth(values: pd.DataFrame, column: str) -> Mapping[str, pd.Series]:
    """One number a seed at each depth, with Adam: the mean over the starts."""
    return {place("adam", depth): by_seed(rows, column) for depth, rows in values.groupby("depth")}


def against_relu(cells: Cells, measure: str) -> pd.DataFrame:
    """Leaky ReLU minus ReLU: pairs of runs that differ in nothing else, with whether either of them trained.

    A pair of which one run diverged is left out.
    """
    leaky, relu = (final(cells, harsh(cells, name), measure) for name in ("leaky_relu", "relu"))
    both = leaky.merge(relu, on=PAIR, suffixes=("", "_relu"))
    trained = cells.runs.loc[cells.runs["trained"].astype(bool), "run"]
    leaky_trains, relu_trains = both["run"].isin(trained), both["run_relu"].isin(trained)
    both = both.assign(leaky_trains=leaky_trains, relu_trains=relu_trains, either=leaky_trains | relu_trains)
    return both.assign(difference=both[measure] - both[f"{measure}_relu"])


def decisive(both: pd.DataFrame) -> pd.DataFrame:
    """Take the pairs of the starts at which either network trained in half of the pairs at least."""
    return both[both.groupby(CELL)["either"].transform("mean") >= 0.5]


def trains_more_often(both: pd.DataFrame) -> str:
    """Say at each depth that decides which of the two trains more often: a gain in accuracy need not be that."""
    said = []
    for depth, pairs in decisive(both).groupby("depth"):
        leaky, relu = int(pairs["leaky_trains"].sum()), int(pairs["relu_trains"].sum())
        name = "leaky_relu" if leaky > relu else "relu"
        more = "both train equally often" if leaky == relu else f"{name} trains more often"
        more += " by the rule on its training loss, which need not follow accuracy"
        counts = f"(of {len(pairs)} pairs leaky_relu in {leaky}, relu in {relu})"
        said.append(f"; at {place('adam', depth)} {more} {counts}")
    return "".join(said)


def where_either_trains(both: pd.DataFrame) -> Mapping[str, pd.Series]:
    """One difference a seed at each depth, over the starts at which either trained in half of the pairs at least.

    Elsewhere failures are compared with failures, which decides nothing: a depth that has such starts alone has no
    number.
    """
    found = by_depth(decisive(both), "difference")
    names = {depth: place("adam", depth) for depth in sorted(both["depth"].unique())}
    share = both.groupby("depth")["either"].agg(["sum", "size"])
    return {
        name
        if name in found
        else place(
            "adam", depth, f" (one of the two trains in {share['sum'][depth]} of {share['size'][depth]} pairs)"
        ): found.get(name, pd.Series(dtype=float))
        for depth, name in names.items()
    }


def where_relu_dies(cells: Cells, what: str, *activations: str) -> str:
    """Say where leaky ReLU is asked: at which rate, and over what a seed's number is averaged at each depth."""
    runs = pd.concat([harsh(cells, name) for name in activations])
    return f"{what}, adam at {HARSH['adam']:g}, by depth, {over(runs, depths=False)}"


def leaky_is_hardly_weak(cells: Cells) -> Verdict:
    """L1, as it is meant: where ReLU's units die, hardly any of leaky ReLU's is weak.

    A slope of 0.01 is below the threshold of weakness (.05·√½ = .035): a leaky unit is weak when every row is negative,
    just as a ReLU unit is dead then. The comparison is fair; the slope is what is small.
    """
    weak = by_depth(final(cells, harsh(cells, "leaky_relu"), "weak_fraction"), "weak_fraction")
    statement = "where ReLU dies, next to no unit is weak (passes next to no gradient)"
    evidence = where_relu_dies(cells, "weak fraction", "leaky_relu")
    return judge("L1a", "leaky_relu", statement, AT_MOST, RARE, weak, evidence, "weak_fraction")


def leaky_reduces(cells: Cells) -> Verdict:
    """L1, weaker: where ReLU's units die, fewer of leaky ReLU's are weak."""
    return judge(
        "L1b",
        "leaky_relu",
        "where ReLU dies, fewer units are weak than ReLU's",
        AT_MOST,
        -SOME,
        by_depth(against_relu(cells, "weak_fraction"), "difference"),
        where_relu_dies(cells, "weak fraction, leaky minus relu, paired by seed", "leaky_relu", "relu"),
        "weak_fraction",
        difference=True,
    )


def leaky_performs(cells: Cells) -> Verdict:
    """L1, its use: where ReLU's units die, leaky ReLU classifies better."""
    both = against_relu(cells, "test_accuracy")
    what = "test accuracy at pairs of starts at which either trains in half of the pairs, leaky minus relu, by seed"
    return judge(
        "L1c",
        "leaky_relu",
        "and it classifies better there",
        AT_LEAST,
        SOME,
        where_either_trains(both),
        where_relu_dies(cells, what, "leaky_relu", "relu") + trains_more_often(both),
        "test_accuracy",
        difference=True,
    )


def leaky_never_dies(cells: Cells) -> Verdict:
    """L1, to the letter: a function that is nowhere flat has no dead unit: so by definition, which tells little."""
    runs = some(cells, "leaky_relu")
    dead = final(cells, runs, "ever_dead_fraction", at="max", all_cells=True)["ever_dead_fraction"]
    statement = "a small negative slope prevents dying (by definition: no piece of it is flat; see L1a)"
    evidence = "share of units that were dead at any evaluation, of every run that did not diverge"
    return judge_law("L1d", "leaky_relu", statement, 0.0, dead, evidence, "run")


CLAIMS = [
    relu_units_die,
    dead_stay_dead,
    died_stay_dead,
    leaky_is_hardly_weak,
    leaky_reduces,
    leaky_performs,
    leaky_never_dies,
]
