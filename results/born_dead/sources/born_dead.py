"""Born dead: how often is a ReLU network constant before training, and what becomes of it?

Lu, Shin, Su & Karniadakis 2019 (arXiv:1903.06733) state that a ReLU network with symmetric weights is born dead with
a probability that goes to 1 with depth, bounded from both sides for one input and no biases; that such a network learns
a constant, the mean of its targets under the squared error; that of their ten-layer networks of width 2 more than 90 %
collapse so on |x|; and that randomised asymmetric initialisation, a Beta(2, 1) number among each unit's weights and
bias, has far fewer born dead.

What is run here is narrower than theirs: 200 steps of Adam at one rate, 100 networks of a setting. Networks of one seed
share their first layers at all depths, so that the settings are not independent of each other; those of one are.

Predictions, from before the first results. B1, a law: on one ray (a sine's x ≥ 0) every setting's count of networks
born dead under He is one that 1 − (1 − 2^−N)^H makes likely: within the binomial interval that holds for all settings
at once with 95 %. B2, a law: on both sides of 0 (|x|) likewise, for some probability between the bounds. B3: fewer are
born dead under randomised asymmetric initialisation. B4, a law: what is born dead is dead at the end. B5: and its
training loss is the best constant's. B6: more than 90 % of the ten-layer networks of width 2 do not learn |x| under He.
"""

import numpy as np
import pandas as pd
from scipy import stats

import actlab
from actlab.analysis.cells import Cells, sort_rows
from actlab.analysis.claims import AT_LEAST, WITHIN, Verdict, judge
from actlab.analysis.drawings import GRID, Drawing, Spec, drawing
from actlab.analysis.escaping import plain
from actlab.analysis.estimates import long, records_at, summarise
from actlab.analysis.judging import judge_law
from actlab.analysis.layout import Table, lay_out, number
from actlab.theory import born_dead as theory

HE, ASYMMETRIC = "he_normal", "randomized_asymmetric"
RAY, LINE = "sine", "absolute"  # data on one side of 0, and on both
SETTING = ["data", "width", "depth"]
DEAD = "network_dead"
FEWER = 0.1  # of all networks
NEAR = 0.01  # of the best constant predictor's loss
COLLAPSED = 0.9
NAMES = {HE: "He", ASYMMETRIC: "randomised asymmetric"}


def networks(cells: Cells, at: str = "init") -> pd.DataFrame:
    """Take one row per run: its setting, ``init`` (its initializer), its seed, and whether the network is dead."""
    runs = cells.runs.assign(init=cells.runs["weight_init"].str.partition("(")[0])
    dead = records_at(cells.steps, runs, at, [DEAD])
    return runs[["run", *SETTING, "init", "seed", "train_loss"]].merge(dead, on="run")


def predicted(data: str, width: int, depth: int) -> theory.Bounds:
    """What theory says of one setting under weights that are symmetric about 0: on one ray both bounds are one."""
    widths = [int(width)] * int(depth)
    if data == RAY:
        exact = theory.on_one_ray(widths)
        return theory.Bounds(exact, exact)
    return theory.on_a_line(widths)


def likely(counted: pd.DataFrame, data: str) -> dict[str, bool]:
    """Say of each setting under He whether as many born dead are likely by theory, all settings at once with 95 %."""
    rows = counted[(counted["data"] == data) & (counted["init"] == HE)]
    settings = rows.groupby(["width", "depth"])[DEAD].agg(["sum", "size"]).reset_index()
    tail = 0.05 / max(len(settings), 1) / 2
    found = {}
    for width, depth, dead, n in settings.itertuples(index=False):
        bounds = predicted(data, width, depth)
        least, most = stats.binom.ppf(tail, n, bounds.lower), stats.binom.isf(tail, n, bounds.upper)
        found[f"width {width}, depth {depth}"] = bool(least <= dead <= most)
    return found


def law(id: str, cells: Cells, data: str, statement: str, what: str) -> Verdict:
    """Judge that theory makes every setting's count likely."""
    found = likely(networks(cells), data)
    unlikely = [name for name, is_likely in found.items() if not is_likely]
    evidence = (
        f"whether a setting's count of networks born dead is within the binomial interval of {what}, which holds for "
        "all settings at once with 95 %"
    )
    return judge_law(id, "relu", statement, 1.0, [*map(float, found.values())], evidence, "setting", unlikely)


def as_computed_on_a_ray(cells: Cells) -> Verdict:
    """B1, a law: the exact probability on one ray."""
    statement = "inputs on one ray: networks are born dead with 1 − (1 − 2^−N)^H"
    return law("B1", cells, RAY, statement, "the exact probability")


def within_bounds_on_a_line(cells: Cells) -> Verdict:
    """B2, a law: the bounds on a line."""
    statement = "one input of either sign: networks are born dead with a probability between the bounds"
    return law("B2", cells, LINE, statement, "a probability between the bounds")


def asymmetric_has_fewer(cells: Cells) -> Verdict:
    """B3: fewer under randomised asymmetric initialisation, all widths and depths together."""
    rows, found = networks(cells), {}
    for data in sorted(rows["data"].unique()):
        by_seed = rows[rows["data"] == data].pivot_table(index="seed", columns="init", values=DEAD)
        found[data] = (by_seed[HE] - by_seed[ASYMMETRIC]).dropna()
    evidence = "share of networks born dead, He minus randomised asymmetric; mean over all widths and depths, by seed"
    statement = "fewer networks are born dead under randomised asymmetric initialisation than under He"
    return judge("B3", "relu", statement, AT_LEAST, FEWER, found, evidence, DEAD, difference=True)


def born_dead_stay_dead(cells: Cells) -> Verdict:
    """B4, a law: none comes back."""
    born = networks(cells)
    end = networks(cells, "final").set_index("run")[DEAD]
    at_the_end = born.loc[born[DEAD] == 1, "run"].map(end)
    evidence = f"whether a network is dead at the end, of each that was born dead, of all {len(born)} runs"
    return judge_law("B4", "relu", "a network that is born dead stays dead", 1.0, at_the_end, evidence, "run")


def born_dead_learn_the_mean(cells: Cells) -> Verdict:
    """B5: their loss is the best constant's, which is 1 in units of the targets' variance."""
    born = networks(cells)
    born = born[born[DEAD] == 1]
    excess = {str(data): rows.groupby("seed")["train_loss"].mean() - 1.0 for data, rows in born.groupby("data")}
    evidence = "training loss at the end minus the best constant predictor's, of networks born dead, by seed"
    return judge("B5", "relu", "a network that is born dead learns the mean", WITHIN, NEAR, excess, evidence)


def narrow_networks_collapse(cells: Cells) -> Verdict:
    """B6: of ten layers, readout included, and width 2 nearly all fail on |x|."""
    rows = networks(cells)
    rows = rows[(rows["data"] == LINE) & (rows["init"] == HE) & (rows["width"] == 2) & (rows["depth"] == 9)]
    collapsed = (rows["train_loss"] > 1 - NEAR).astype(float)
    evidence = (
        "share of networks of 9 hidden layers of 2 units whose training loss on |x| is the best constant predictor's "
        f"at the end, or within {NEAR:.0%} of it; {rows[DEAD].mean():.0%} of all were born dead"
    )
    statement = "ten-layer networks of width 2 learn a constant on |x| under He, nearly always"
    return judge("B6", "relu", statement, AT_LEAST, COLLAPSED, collapsed, evidence, DEAD)


CLAIMS = [
    as_computed_on_a_ray,
    within_bounds_on_a_line,
    asymmetric_has_fewer,
    born_dead_stay_dead,
    born_dead_learn_the_mean,
    narrow_networks_collapse,
]


def shares(cells: Cells) -> pd.DataFrame:
    """Estimate the share of networks born dead of each setting and initializer, by Wilson's interval."""
    rows = networks(cells)
    runs = cells.runs.assign(init=cells.runs["weight_init"].str.partition("(")[0])
    frame = summarise(long(rows[["run", DEAD]], [DEAD]), runs, [*SETTING, "init"])
    bounds = [predicted(*setting) for setting in frame[SETTING].itertuples(index=False)]
    symmetric = frame["init"] == HE
    frame["lower_bound"] = np.where(symmetric, [one.lower for one in bounds], np.nan)
    frame["upper_bound"] = np.where(symmetric, [one.upper for one in bounds], np.nan)
    return sort_rows(frame, [*SETTING, "init"], cells.ranks)


@actlab.table
def networks_born_dead(cells: Cells) -> Table:
    """Share of networks born dead by width and depth, beside what theory says."""
    frame = shares(cells)
    texts = []
    for data, init in ((data, init) for data in frame["data"].unique() for init in (HE, ASYMMETRIC)):
        rows = frame[(frame["data"] == data) & (frame["init"] == init)]
        texts.append(
            rows[SETTING].assign(networks=f"{NAMES[init]}, measured", text=[share(row) for _, row in rows.iterrows()])
        )
        if init == HE:
            said = [
                number(row.lower_bound) if data == RAY else f"{number(row.lower_bound)} to {number(row.upper_bound)}"
                for row in rows.itertuples()
            ]
            name = "He, exact" if data == RAY else "He, bounds"
            texts.append(rows[SETTING].assign(networks=name, text=said))
    rows = pd.concat(texts, ignore_index=True).sort_values(["data", "width"], kind="stable")
    wide = lay_out(rows, ["data", "width", "networks"], ["depth"])
    note = (
        f"Share of {int(frame['n'].max())} networks with a hidden layer that is 0 on the whole training split before "
        "training, with Wilson's 95 % interval, beside the probability that theory gives for weights that are "
        "symmetric about 0: exact on one ray (sine, x ≥ 0), between two bounds on both sides of 0 (absolute). Depth "
        "counts hidden layers. Of randomised asymmetric initialisation, whose biases are not 0, the bounds say nothing."
    )
    return Table("Networks born dead", note, frame, wide)


@actlab.table
def against_the_source(cells: Cells) -> Table:
    """What Lu et al. 2019 say, what was found here, and whether the two agree."""
    frame = shares(cells)
    ten = frame[(frame["data"] == LINE) & (frame["width"] == 2) & (frame["depth"] == 9)]
    he, asymmetric = (ten[ten["init"] == init].iloc[0] for init in (HE, ASYMMETRIC))
    hardest = frame[frame["init"] == ASYMMETRIC]["mean"].max()
    fewer, collapsed = asymmetric_has_fewer(cells), narrow_networks_collapse(cells)
    laws = [as_computed_on_a_ray(cells), within_bounds_on_a_line(cells)]
    learned, stayed = born_dead_learn_the_mean(cells), born_dead_stay_dead(cells)
    rows = [
        (
            "The probability of being born dead has bounds, and goes to 1 with depth",
            f"ten layers of width 2 (9 hidden): {share(he)} of {he['n']}, bounds {number(he['lower_bound'])} to "
            f"{number(he['upper_bound'])}; settings whose count is likely by theory: "
            f"{sum(round(one.estimate * one.n) for one in laws)} of {sum(one.n for one in laws)}",
            " and ".join(dict.fromkeys(one.verdict for one in laws)),
            "counts scatter about the probability, also beyond a bound",
        ),
        (
            "More than 90 % of ten-layer networks of width 2 collapse on |x|",
            f"{number(collapsed.estimate)} [{number(collapsed.low)}, {number(collapsed.high)}]",
            collapsed.verdict,
            "more than are born dead: others die in training, here 200 steps of Adam",
        ),
        (
            "A network that is born dead learns a constant, the mean",
            f"{stayed.n} networks, of which {round(stayed.estimate * stayed.n)} were dead at the end; loss beyond the "
            f"best constant's: {number(learned.estimate)}",
            learned.verdict,
            "under He, whose biases are 0, only the readout's bias gets a gradient; under the other initialiser what "
            "is above the dead layer may get some, but sees no input",
        ),
        (
            "Randomised asymmetric initialisation prevents it",
            f"ten layers of width 2: {share(asymmetric)}; in the worst setting {number(hardest)}",
            f"fewer: {fewer.verdict}",
            "rarer by far, and not prevented: where networks are deep enough for their width it is the rule again",
        ),
    ]
    frame = pd.DataFrame(rows, columns=["source", "here", "verdict", "why"])
    wide = frame.rename(columns={"source": "Lu et al. 2019", "here": "found here"}).map(plain)
    note = (
        "Fewer networks than theirs, of other widths and depths besides, trained for fewer steps; the sine on [0, 1] "
        "is not theirs: it has one ray, where the probability is exact."
    )
    return Table("What the source says", note, frame, wide)


def share(row: pd.Series) -> str:
    """Write a share with its interval."""
    return f"{number(row['mean'])} [{number(row['low'])}, {number(row['high'])}]"


@actlab.figure
def born_dead_by_depth(cells: Cells) -> Drawing:
    """Share of networks born dead by depth, a panel for each width, with theory's bounds."""
    frame = shares(cells)
    exact = frame["lower_bound"] == frame["upper_bound"]
    drawn = frame.assign(
        initialiser=frame["init"].map(NAMES),
        predicted=frame["lower_bound"].where(exact),
        predicted_low=frame["lower_bound"].mask(exact),
        predicted_high=frame["upper_bound"].mask(exact),
    ).drop(columns=["init", "lower_bound", "upper_bound"])
    labels = {LINE: "share of networks,\nx of either sign", RAY: "share of networks,\nx ≥ 0"}
    spec = Spec(GRID, x="depth", lines="initialiser", panels="data", columns="width", labels=labels)
    caption = (
        "Share of networks with a hidden layer that is 0 on the whole training split before training. Points: "
        "measured, with Wilson's 95 % interval. Dashed: predicted for He's weights, which are symmetric about 0: the "
        "probability on a single ray (x ≥ 0), and on both sides of 0 the two bounds that it lies between, shaded."
    )
    return drawing(cells, drawn, spec, "Networks born dead", caption, [*SETTING, "weight_init"])
