"""What the findings say in words of results that surprise: each sentence follows the numbers, and is left out without.

None of these comparisons was named before the runs were made: they are exploratory, and the text says so.
"""

import pandas as pd

from actlab.analysis.cells import Cells
from actlab.analysis.claims import CONTRADICTED
from actlab.analysis.estimates import records_at
from actlab.analysis.intervals import FLAG, quantity_of
from actlab.analysis.notes import listed
from actlab.analysis.stats import difference, mean_interval
from actlab.measures import about
from actlab.naming import counted, show
from experiments import dying_relu, revival
from experiments.phrases import code, mean_of, say

AFTERWARDS = "named after the results were seen, so no test of them"


def by_seed_at(cells: Cells, column: str, depth: int) -> pd.DataFrame:
    """Values of the selected runs at a depth: one row per seed, one column per activation."""
    rows = cells.selected[cells.selected["depth"] == depth]
    return rows.assign(value=rows[column].astype(float)).pivot_table("value", "seed", "activation")


def deep_surprises(cells: Cells) -> str:
    """Compare ReLU at the deepest with tanh, which saturates, and with those that are said to improve on it."""
    depth = int(cells.selected["depth"].max())
    trained, accuracy = (by_seed_at(cells, name, depth) for name in ("trained", "test_accuracy"))
    if "relu" not in trained:
        return ""
    fewer = [
        (name, difference(trained["relu"], trained[name], quantity=FLAG).interval)
        for name in map(str, trained)
        if name not in ("relu", "sigmoid", "tanh")
    ]
    fewer = sorted((pair for pair in fewer if pair[1].low > 0), key=lambda pair: cells.ranks[pair[0]])
    texts = []
    if fewer:
        names, by = code([name for name, _ in fewer]), listed([say(one) for _, one in fewer])
        verb = "are said to improve on `relu`, train" if len(fewer) > 1 else "is said to improve on `relu`, trains"
        texts.append(f"{names}, which {verb} a smaller share of the seeds (by {by})")
    if "tanh" in accuracy and trained[["relu", "tanh"]].to_numpy().all():
        quantity = quantity_of(about("test_accuracy"))
        gain = difference(accuracy["tanh"], accuracy["relu"], quantity=quantity).interval
        if gain.known and gain.low > 0:
            texts.append(
                f"`tanh`, which saturates, classifies better than `relu`: {say(gain)} in test accuracy, each at its "
                "usual initialisation and selected rate"
            )
    text = "; ".join(texts)
    return f"Against what is often said, at {depth} layers {text} (paired by seed; {AFTERWARDS})." if texts else ""


def by_accuracy(cells: Cells, tuned: pd.DataFrame) -> str:
    """Say in how many cells validation accuracy would select another rate, and how much of it that gives at most."""
    if cells.select is None or cells.select.by != "validation_loss" or "validation_accuracy" not in tuned:
        return ""
    keys = cells.selected_keys
    means = tuned.groupby([*keys, cells.over], dropna=False)["validation_accuracy"].mean().reset_index()
    best = means.loc[means.groupby(keys, dropna=False)["validation_accuracy"].idxmax()]
    chosen = cells.selected[[*keys, cells.over]].drop_duplicates().merge(means, on=[*keys, cells.over])
    both = chosen.merge(best, on=keys, suffixes=("", "_best"))
    both["gain"] = both["validation_accuracy_best"] - both["validation_accuracy"]
    other = both[both["gain"] > 0]
    if other.empty:
        return ""
    most = other.sort_values("gain", kind="stable").iloc[-1]
    over = cells.over
    return (
        "The rate of the lowest loss need not be that of the highest accuracy: on the seeds of the selection "
        f"another rate has a higher validation accuracy in {len(other)} of {counted(len(both), 'cell')}, by "
        f"{most['gain']:.3f} at most (`{most['activation']}` at {most['depth']} layers: {show(most[over])} was "
        f"selected, {show(most[f'{over}_best'])} is more accurate), which may be chance in part. So a cell here "
        "says what this rule gives, not the most that an activation can do."
    )


def at_the_start(cells: Cells) -> str:
    """Say how many of ReLU's units are dead before training, of each start."""
    runs = dying_relu.some(cells, "relu")
    born = "born_dead_fraction"
    first = records_at(cells.steps, runs, "init", [born]).merge(runs[["run", *dying_relu.PAIR]], on="run")
    texts = [
        f"{mean_of(dying_relu.by_seed(rows, born), born)} with {' and '.join(map(str, start))}"
        for start, rows in first.groupby(dying_relu.START)
    ]
    return f"Before any training this share of ReLU's units is dead (weights and bias): {'; '.join(texts)}."


def revival_in_words(cells: Cells) -> str:
    """Say at how many settings dead units came back more often than the claim allows."""
    one = dying_relu.dead_stay_dead(cells)
    shares, _ = dying_relu.revived(cells)
    level = 1 - 0.05 / max(len(shares), 1)  # of all at once, as in the claim
    quantity = quantity_of(about("revival_rate"))
    found = {name: mean_interval(share, level, quantity) for name, share in shares.items()}
    above = [name for name, interval in found.items() if interval.known and interval.low > dying_relu.RARE]
    if not above:
        return ""
    most = max((found[name] for name in above), key=lambda interval: interval.mean)
    how = "is contradicted" if one.verdict == CONTRADICTED else "holds at some of these settings only"
    return (
        f"That dead ReLU units stay dead, as is widely said, {how} (R3b below): at {len(above)} of {len(found)} pairs "
        f"of optimizer and rate more than {dying_relu.RARE:.0%} of the units that were ever dead are alive at the end, "
        f"up to {say(most)}."
    )


def control_in_words(cells: Cells) -> str:
    """Say how many units came back with the first layer trained and with it frozen, at any evaluation."""
    width = int(cells.runs["width"].iloc[0])
    texts, frozen_back, frozen_dead = [], 0, 0
    for optimizer in revival.optimizers(cells):
        back, dead = revival.counts(revival.sound(revival.units(cells, optimizer, 0)), width)
        most = revival.sound(revival.units(cells, optimizer, 1, at="max"))
        back_then, dead_then = revival.counts(most, width)
        frozen_back, frozen_dead = frozen_back + back_then, frozen_dead + dead_then
        texts.append(f"{back:,} of {dead:,} with {optimizer}")
    none = frozen_back == 0
    text = (
        f"Of the units of layer {revival.LAYER} that were ever dead, in all runs that did not diverge, "
        f"{' and '.join(texts)} are alive at the end while the first layer trains; while it is frozen "
        f"{'none' if none else f'{frozen_back:,}'} of {frozen_dead:,} {'is' if none else 'are'} found alive again at "
        "any evaluation."
    )
    if not none:
        return text
    return (
        f"{text} So what brings a dead unit of this layer back is that the layer below it moves. For plain SGD that is "
        "arithmetic: a unit without a gradient keeps its weights. For Adam it was not to be expected: what it "
        "remembers from before a death moves a unit's weights on for some steps, and V4 predicted that this would "
        "revive some. No unit did so; V4 is called inconclusive all the same, since equal numbers have no interval."
    )


def leaky_in_words(cells: Cells) -> str:
    """Say what a small slope is worth where ReLU dies, and of how many networks that trained."""
    rows = pd.concat([dying_relu.harsh(cells, name) for name in ("relu", "leaky_relu")])
    deep = rows[rows["depth"] > rows["depth"].min()]
    weak = dying_relu.leaky_is_hardly_weak(cells)
    if weak.verdict != CONTRADICTED or deep.empty:
        return ""
    trained = {name: int(deep.loc[deep["activation"] == name, "trained"].sum()) for name in ("relu", "leaky_relu")}
    number = {name: int((deep["activation"] == name).sum()) for name in trained}
    least = min(rows["depth"])
    gains = dying_relu.by_depth(dying_relu.against_relu(cells, "test_accuracy"), "difference")
    gain = mean_of(gains[dying_relu.place("adam", least)], "test_accuracy", True)
    return (
        "So a small negative slope keeps units from being dead in name; many pass next to no gradient all the same. "
        f"In accuracy leaky ReLU differs from ReLU by {gain} at {least} layers; at more, hardly any network trains at "
        f"this rate (`relu` {trained['relu']} of {number['relu']}, `leaky_relu` {trained['leaky_relu']} of "
        f"{number['leaky_relu']}), and differences in accuracy there are between networks that failed."
        if sum(trained.values()) < 0.05 * sum(number.values())
        else ""
    )
