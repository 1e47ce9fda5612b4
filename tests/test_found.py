"""What reports begin with: each rule says what the numbers of its table say, and nothing that they do not."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from actlab.analysis import doubts, findings, report
from actlab.analysis.claims import AT_LEAST, AT_MOST, as_table, judge
from actlab.analysis.document import document
from actlab.analysis.figures import FIGURES
from actlab.analysis.findings import decided, gradients, outcomes, units
from actlab.analysis.findings.learned import learned
from actlab.analysis.judging import judge_law
from actlab.analysis.layout import Table, records
from actlab.analysis.making import Made, make_shipped
from actlab.analysis.outscored import how_far
from actlab.analysis.sections import Items, markdown
from actlab.analysis.tables import TABLES
from actlab.measures import about
from tests.synthetic import frames

RULE = {"report": {"select": {"over": "train.learning_rate", "by": "validation_loss"}}}
ALL: dict = {"report": {"select": None}}
KNOWN = {"n": 20, "runs": 20, "diverged": 0, "missing": 0, "method": "made", "median": math.nan}


def table(*rows, **constant):
    """A table of such estimates."""
    frame = pd.DataFrame([KNOWN | constant | row for row in rows])
    return Table("made", "", frame, frame)


def estimate(mean, half=0.01, **more):
    return {"mean": mean, "low": mean - half, "high": mean + half} | more


@pytest.fixture(scope="module")
def cells():
    """Return the cells of a study in which activation, depth and learning rate vary, and nothing is selected."""
    return report.study_cells(ALL, {}, *frames(("sigmoid", "relu", "elu"), (2, 5), (1e-3, 1e-2), seeds=2, steps=100))


@pytest.fixture(scope="module")
def selected():
    three = frames(("sigmoid", "relu", "elu"), (2, 5), (1e-3, 3e-3, 1e-2), seeds=5, steps=50, every=50)
    return report.study_cells(RULE, {}, *three)


@pytest.fixture(scope="module")
def made(selected, tmp_path_factory):
    """Return the tables that are read, and a figure, of a study with a selection, without a place for each."""
    tables = [*(name for name in findings.READ if name != findings.STANDING), "selection"]
    return make_shipped(tmp_path_factory.mktemp("made"), selected, tables, ["trained_by_depth"])


def test_what_was_learned_is_said_of_the_deepest_networks():
    """Least and greatest over layers, of each activation that learns; of a run without a value nothing is known."""
    known = {"measure": "alpha", "depth": 5, "runs": 20}
    rows = [estimate(mean, activation="prelu", layer=layer) | known for layer, mean in ((1, 0.2), (2, 0.4), (3, 0.1))]
    rows += [estimate(0.9, activation="prelu", layer=1) | known | {"depth": 2}]
    rows += [estimate(0.0, activation="prelu", layer=2) | known | {"measure": "alpha_min"}]
    cells = report.study_cells(ALL, {}, *frames(("relu", "prelu"), (2, 5), (1e-2,), seeds=2, steps=50))
    assert said(learned, cells, learned_parameters=table(*rows)) == (
        "Learned at depth 5: `prelu` ends with `alpha` from 0.100 [0.090, 0.110] (layer 3) to 0.400 [0.390, 0.410] "
        "(layer 2)."
    )
    assert said(learned, cells, learned_parameters=table(*(row | {"n": 19} for row in rows))) is None
    assert said(learned, cells, performance=table(*rows)) is None


def test_the_template_of_an_own_activation_asks_for_the_tables_that_answer_it():
    """It asks which trains deeper, and what is learned: both are said first, in the report and on the terminal."""
    text = (Path(report.__file__).parents[1] / "templates" / "own-activation.yaml").read_text(encoding="utf-8")
    tables = YAML(typ="safe").load(text)["report"]["tables"]
    assert {"trained", "learned_parameters"} <= {*tables} & {*findings.READ}


def shares(activation, *by_depth):
    """Rows of the table of shares: (depth, share) each, the deepest as the table has it."""
    deep = [depth for depth, share in by_depth if share >= 0.8]
    last = max(depth for depth, _ in by_depth)
    return [
        estimate(share, activation=activation, depth=depth, deepest_trained_depth=max(deep, default=math.nan))
        | {"at_grid_end": max(deep, default=math.nan) == last, "measure": "trained"}
        for depth, share in by_depth
    ]


def said(rule, cells, **tables):
    """What a rule says; the table that it names has the numbers."""
    one = rule(cells, tables)
    if one is not None:
        assert one.table in tables
    return " ".join(part.text for part in one.each()) if one else None


def test_how_deep_networks_train(selected):
    some = table(
        *shares("relu", (2, 1.0), (5, 1.0), (10, 1.0)),
        *shares("elu", (2, 1.0), (5, 0.9), (10, 0.25)),
        *shares("sigmoid", (2, 0.5), (5, 0.0), (10, 0.0)),
    )
    assert said(outcomes.trained, selected, trained=some) == (
        "At depth 10, the deepest here, networks still train with `relu` (20 of 20 runs [0.99, 1.01]). With `elu` they "
        "train up to depth 5: at depth 10 5 of 20 runs [0.24, 0.26]. With `sigmoid` they train at no depth: at depth 2 "
        "10 of 20 runs [0.49, 0.51]. Counted is a depth at which at least 80 % of the runs trained."
    )
    none = table(*shares("relu", (2, 1.0), (5, 0.5)), *shares("elu", (2, 1.0), (5, 0.25)))
    text = said(outcomes.trained, selected, trained=none)
    assert text.startswith(
        "With `relu` and `elu` networks train up to depth 2: at depth 5 10 of 20 runs [0.49, 0.51] with `relu` and 5 of"
    )
    uneven = table(*shares("relu", (2, 1.0), (5, 0.5)), *shares("elu", (2, 1.0), (3, 0.25)))
    assert "next 10 of 20 runs [0.49, 0.51] with `relu` (depth 5) and 5 of" in said(
        outcomes.trained, selected, trained=uneven
    )
    later = table(*shares("relu", (2, 0.0), (5, 1.0)), *shares("elu", (2, 0.0), (5, 0.5)))
    text = said(outcomes.trained, selected, trained=later)  # neither "still", nor the worse of elu's depths
    assert text.startswith("At depth 5, the deepest here, networks train with `relu` (20 of 20 runs [0.99, 1.01]).")
    assert "With `elu` they train at no depth: at depth 5 10 of 20 runs" in text
    shallow = table(*shares("relu", (2, 1.0)), *shares("elu", (2, 1.0)), *shares("sigmoid", (2, 0.1)))
    assert said(outcomes.trained, selected, trained=shallow) == (
        "Trained at depth 2: 20 of 20 runs [0.99, 1.01] each of `relu` and `elu`; 2 of 20 runs [0.09, 0.11] of "
        "`sigmoid`."
    )
    several = table(*shares("relu", (2, 1.0), (5, 0.9)), *shares("elu", (2, 1.0), (5, 0.8)))
    assert "(at the least 16 of 20 runs [0.79, 0.81])" in said(outcomes.trained, selected, trained=several)


def performances(*rows):
    """Rows of the table of final performance: (activation, depth, accuracy, trained, what is said of its rank)."""
    unmarked = {"best": False, "as_good": False, "undecided": False, "behind": math.nan}
    return table(
        *(
            estimate(mean, activation=name, depth=depth, n_trained=n) | unmarked | rank
            for name, depth, mean, n, rank in rows
        ),
        measure="test_accuracy",
    )


BEST = {"best": True}
BEHIND = {"behind": 0.1, "behind_low": 0.05, "behind_high": 0.15}


def test_without_shares_cells_are_counted(selected):
    mixed = performances(
        ("relu", 2, 0.9, 20, {}), ("relu", 5, 0.8, 20, {}), ("elu", 2, 0.9, 7, {}), ("elu", 5, 0.1, 0, {})
    )
    assert said(outcomes.trained, selected, performance=mixed) == (
        "Every run trained in 2 of the 2 cells of `relu` and 0 of the 2 cells of `elu`; in 1 some runs trained and "
        "others did not, and in 1 none did."
    )
    every = performances(("relu", 2, 0.9, 20, {}), ("elu", 2, 0.9, 20, {}))
    assert said(outcomes.trained, selected, performance=every) == "Every run of every cell trained."
    lame = performances(("relu", 2, 0.9, 0, {}), ("elu", 2, 0.9, 3, {}))
    assert said(outcomes.trained, selected, performance=lame) == (
        "In none of 2 cells did every run train; in 1 some runs trained and others did not, and in 1 none did."
    )


def test_the_best_and_what_the_ties_rule_says_of_the_others(selected):
    both = performances(
        ("relu", 2, 0.99, 20, BEST),
        ("elu", 2, 0.90, 20, BEHIND),
        ("relu", 5, 0.90, 20, BEST),
        ("elu", 5, 0.89, 20, BEHIND | {"as_good": True}),
        ("sigmoid", 5, 0.80, 20, BEHIND),
    )
    assert said(outcomes.best, selected, performance=both) == (
        "Of the 3 cells at depth 5 in which every run trained, the highest mean test accuracy is 0.900 [0.890, 0.910] "
        "with `relu`. As good (within ±0.02): `elu`. Worse: `sigmoid`, by 0.100 [0.0500, 0.150]."
    )
    open_ = performances(("relu", 5, 0.90, 20, BEST), ("elu", 5, 0.89, 20, BEHIND | {"undecided": True}))
    text = said(outcomes.best, selected, performance=open_)
    assert text.endswith("Not decided: `elu`.")
    assert "Worse" not in text
    assert "As good" not in text
    assert said(outcomes.best, selected, performance=performances(("relu", 5, 0.9, 20, {}))) is None


def slope(activation, mean, half=0.005, depth=10, **more):
    more = {"measure": "vanishing_slope", "at": "init", "activation": activation, "depth": depth} | more
    return estimate(mean, half, **more)


def test_a_signal_vanishes_grows_or_keeps_its_size_where_the_interval_says_so(selected):
    rows = [slope("sigmoid", -0.6), slope("sigmoid", -0.9, depth=5), slope("relu", 0.0), slope("elu", 0.1)]
    assert said(gradients.slopes, selected, vanishing_slopes=table(*rows)) == (
        "Before training, at depth 10, the gradient on its way back to the input shrinks: −0.6000 [−0.6050, −0.5950] "
        "decades per layer with `sigmoid`; it grows: 0.1000 [0.0950, 0.1050] decades per layer with `elu`; it keeps "
        "its size with `relu`. To shrink or grow is by more than a factor of 2 in ten layers; a decade is a factor of "
        "10."
    )
    # The threshold lies within the interval: on neither side.
    open_ = said(gradients.slopes, selected, vanishing_slopes=table(slope("relu", -0.03), slope("elu", 0.0)))
    assert "shrinks" not in open_
    assert "it may shrink, grow or keep its size with `relu`, which is not decided." in open_
    lone = {"n": 3, "runs": 3, "low": math.nan, "high": math.nan, "median": -0.6, "least": -0.7, "greatest": -0.5}
    few = table(slope("sigmoid", -0.6) | lone, slope("relu", -0.6) | lone | {"median": 0.0})
    text = said(gradients.slopes, selected, vanishing_slopes=few)
    assert "has slopes from −0.600 (−0.700 to −0.500) decades per layer with `sigmoid` to 0 (" in text
    assert "below 0 it shrinks. Medians and ranges: so few runs give no interval." in text
    assert said(gradients.slopes, selected, vanishing_slopes=table(slope("relu", 0.0) | {"at": "final"})) is None
    lost = said(gradients.slopes, selected, vanishing_slopes=table(*rows, slope("gelu", math.nan) | {"n": 0}))
    assert "with `relu`; it has no slope in 1 further cell, where no run has a defined one. To shrink" in lost


def test_what_differs_in_its_training_alone_begins_as_one_network(cells):
    rows = [slope(name, mean, learning_rate=rate) for name, mean in (("elu", 0.0), ("relu", 0.1)) for rate in (1, 2)]
    frame, keys = gradients.slopes_at_init(cells, {"vanishing_slopes": table(*rows)})
    assert (len(frame), keys) == (2, ["activation", "depth"])
    rows[0] |= {"mean": 0.5}
    assert len(gradients.slopes_at_init(cells, {"vanishing_slopes": table(*rows)})[0]) == 4


def test_what_theory_says_of_the_slopes(selected):
    near, off = {"predicted": -0.59, "standard_errors": 1.0}, {"predicted": 0.05, "standard_errors": -8.0}
    rows = [slope("sigmoid", -0.6) | near, slope("relu", 0.0) | off, slope("elu", 0.0) | {"predicted": math.nan}]
    assert said(gradients.predicted, selected, vanishing_slopes=table(*rows)) == (
        "Mean-field theory predicts the gradient's slope before training in 2 of 3 cells of depth 3 or more. In 1 of "
        "these the measured mean is within 3 standard errors of what is predicted (those that theory gives a mean of "
        "so many networks of that width), and in 1 it is not; the furthest off, by 8 of them, is "
        "`relu`: 0.0000 [−0.0050, 0.0050] decades per layer measured, 0.0500 predicted."
    )
    noisy = slope("elu", 0.5) | {"predicted": 0.1, "standard_errors": 2.0}  # the most decades, and next to no errors
    assert "by 8 of them, is `relu`" in said(gradients.predicted, selected, vanishing_slopes=table(*rows, noisy))
    assert "(theory −0.590) decades per layer" in said(gradients.slopes, selected, vanishing_slopes=table(*rows))
    assert said(gradients.predicted, selected, vanishing_slopes=table(slope("relu", 0.0))) is None
    lost = table(slope("relu", 0.0) | near, slope("elu", 0.0) | near | {"n": 19})
    assert "In all of the 1 in which every run has a slope" in said(
        gradients.predicted, selected, vanishing_slopes=lost
    )


def dead(activation, mean, rate=1e-3, measure="dead_fraction", **more):
    more = {"activation": activation, "depth": 5, "learning_rate": rate, "measure": measure} | more
    return estimate(mean, min(0.01, mean), **more)


def test_whose_units_die_and_at_which_rates(cells):
    rows = [dead("relu", 0.1), dead("relu", 0.4, 1e-2), dead("elu", 0.0), dead("elu", 0.0, 1e-2)]
    assert said(units.deaths, cells, dead_units=table(*rows)) == (
        "Units are dead at the end: in the worst cell the mean share is 0.400 [0.390, 0.410] with `relu` (learning "
        "rate 0.01). With `relu` the worst cell has 0.100 [0.090, 0.110] at the lowest learning rate (0.001). None is "
        "with `elu` in any run."
    )
    diverged = [*rows, dead("relu", 0.9, 1e-1, n=3, diverged=17)]
    text = said(units.deaths, cells, dead_units=table(*diverged))
    assert "0.400 [0.390, 0.410] with `relu` (learning rate 0.01) (cells with a diverged run are left out)" in text
    assert "None is with `elu` in any run that did not diverge" in text
    assert said(units.deaths, cells, dead_units=table(*rows[2:])) == "No unit is dead at the end in any run."
    ever = table(dead("relu", 0.2, measure="ever_dead_fraction"))
    assert said(units.deaths, cells, death=ever).startswith(
        "Units were dead at some evaluation: in the worst cell the mean share is 0.2"
    )
    only = table(dead("relu", 0.2, n=3), dead("elu", 0.0))
    assert said(units.deaths, cells, dead_units=only) == (
        "Units are dead at the end with `relu`. None is with `elu` in any run that did not diverge."
    )


def test_the_worst_cell_is_no_cell_that_begins_dead_and_is_named(cells):
    rows = [dead("relu", 0.3, depth=2), dead("relu", 0.9), dead("relu", 0.4, 1e-2, depth=2), dead("relu", 0.9, 1e-2)]
    of_run = cells.steps["run"].map(cells.runs.set_index("run")[["depth", "seed"]].apply(tuple, axis=1))
    lost = of_run.isin([(5, 0)])  # one of two networks of depth 5
    some = replace(cells, steps=cells.steps.assign(network_dead=lost.astype(float)))
    text = said(units.deaths, some, dead_units=table(*rows))
    assert text == (
        "Units are dead at the end: in the worst cell the mean share is 0.400 [0.390, 0.410] with `relu` (depth 2, "
        "learning rate 0.01) (cells that begin with a dead layer in at least half of the runs are left out). With "
        "`relu` the worst cell has 0.300 [0.290, 0.310] at the lowest learning rate (0.001, depth 2)."
    )
    assert "0.900" in said(units.deaths, cells, dead_units=table(*rows))


def test_a_finding_points_to_a_figure_only_where_that_draws_it(cells):
    at_end, ever = table(dead("relu", 0.2)), table(dead("relu", 0.2, measure="ever_dead_fraction"))
    assert units.deaths(cells, {"dead_units": at_end}).figures == units.FIGURES
    assert units.deaths(cells, {"death": ever}).figures == ()
    assert units.revived(cells, {"death": table(dead("relu", 0.2, measure="revival_rate"))}).figures == ()


def test_of_cells_that_tie_none_is_the_least_and_none_the_greatest(cells):
    rows = [dead("relu", 0.25, rate, measure="revival_rate") for rate in (1e-3, 1e-2)]
    assert said(units.revived, cells, death=table(*rows)) == (
        "Of the units that were dead at some evaluation, this mean share is alive again at the end: 0.250 in each cell "
        "(in the 2 cells in which every run had dead units)."
    )


def test_how_many_come_back(cells):
    rows = [dead("relu", 0.1, measure="revival_rate"), dead("relu", 0.5, 1e-2, measure="revival_rate")]
    assert said(units.revived, cells, death=table(*rows, dead("elu", 0.9, measure="revival_rate", n=4))) == (
        "Of the units that were dead at some evaluation, this mean share is alive again at the end: from 0.100 [0.090, "
        "0.110] with `relu` (learning rate 0.001) to 0.500 [0.490, 0.510] with `relu` (learning rate 0.01) (in the 2 "
        "cells in which every run had dead units)."
    )
    none = table(dead("relu", 0.0, measure="revival_rate"))
    assert said(units.revived, cells, death=none).endswith(
        "is alive at the end (in the one cell in which every run had dead units)."
    )
    assert said(units.revived, cells, death=table(dead("relu", 0.5, measure="revival_rate", n=2))) is None


def test_units_are_weak_where_none_is_dead_and_that_is_known(cells):
    rows = [dead("relu", 0.1), dead("elu", 0.0), dead("sigmoid", math.nan, n=0)]
    weak = [dead(name, 0.3, measure="weak_fraction") for name in ("relu", "elu", "sigmoid")]
    text = said(units.weak, cells, dead_units=table(*rows, *weak))
    assert text.endswith(
        "derivative is next to 0 on every row: in the worst cell the mean share is 0.300 [0.290, 0.310] with `elu`."
    )
    assert said(units.weak, cells, dead_units=table(rows[0], weak[0])) is None


def test_networks_born_dead_are_counted_with_what_becomes_of_them(cells):
    rows = [
        estimate(share, activation="relu", depth=depth, learning_rate=1e-3, at="init", measure="network_dead")
        | {"born_dead": round(20 * share), "stayed_dead": round(20 * share), "born_trained": 0}
        for depth, share in ((2, 0.1), (5, 0.5))
    ]
    assert said(units.born_dead, cells, dead_networks=table(*rows)) == (
        "12 of 40 networks with `relu` are born dead, that is, have a hidden layer that is dead before training (in "
        "the worst cell, depth 5: 10 of 20 runs [0.49, 0.51]). Of these 12, all are still dead at the end, and none "
        "trained."
    )
    tied = table(*({**row, "mean": 0.5} for row in rows))
    assert "(in the 2 worst cells, depth 2; depth 5: 10 of 20 runs [0.09, 0.11] each)" in said(
        units.born_dead, cells, dead_networks=tied
    )
    alive = table(*({**row, "mean": 0.0, "born_dead": 0} for row in rows))
    assert said(units.born_dead, cells, dead_networks=alive) is None


def test_the_table_of_dead_networks_follows_each_run():
    runs, steps, layers = frames(("relu",), (2, 5), (1e-3,), seeds=5)
    first, last = runs["run"].iloc[[0, -1]]  # dead at both ends; alive at first
    steps["network_dead"] = ((steps["run"] == first) | ((steps["run"] == last) & (steps["step"] > 0))).astype(float)
    frame = TABLES["dead_networks"].make(report.study_cells(ALL, {}, runs, steps, layers)).frame
    by = frame.set_index(["depth", "at"])
    assert by["mean"].to_dict() == {(2, "init"): 0.2, (2, "final"): 0.2, (5, "init"): 0.0, (5, "final"): 0.2}
    assert by.loc[(slice(None), "init"), ["born_dead", "stayed_dead"]].to_numpy().tolist() == [[1, 1], [0, 0]]
    steps["network_dead"] = 0.0
    assert TABLES["dead_networks"].make(report.study_cells(ALL, {}, runs, steps, layers)) is None


def verdicts():
    large, open_ = [0.9, 0.91, 0.92, 0.9, 0.92], [0.1, 0.9, 0.5, 0.2, 0.8]
    samples = {"A1": large, "A2": [-one for one in large], "A3": open_}
    made = [judge(id, "relu", f"`{id}` is *large*", AT_LEAST, 0.5, values, "size") for id, values in samples.items()]
    return as_table(made, [], 0, 30)


def test_claims_come_first_with_those_that_are_contradicted(cells):
    text = said(decided.claims, cells, claims=verdicts())
    assert text.startswith(
        "Of 3 claims 1 is supported, 1 is contradicted and 1 is inconclusive. Contradicted is A2, `relu`: "
        r"\`A2\` is \*large\*; claimed is at least 0.5, found −0.910 [−0.9"
    )
    assert text.index("Contradicted is A2, ") < text.index("Inconclusive is A3, ") < text.index("Supported is A1, ")
    lone = verdicts()
    lone = replace(lone, frame=lone.frame.head(1))
    assert said(decided.claims, cells, claims=lone).startswith("The one claim of this study is supported. A1, `relu`: ")
    tables = {"claims": verdicts(), "trained": table(*shares("relu", (2, 1.0), (5, 1.0)))}
    assert [one.table for one in findings.found_in(cells, tables)] == [*["claims"] * 4, "trained"]
    assert doubts.undecided(cells, tables) == r"Claims that these runs do not decide: A3 (\`A3\` is \*large\*)."


def test_a_claim_is_said_in_one_sentence_with_its_unit_its_exceptions_and_why_nothing_is_decided(cells):
    slopes = [-0.3, -0.31, -0.3, -0.32, -0.31]
    both = {"A": slopes, "B (2 left out)": [-one for one in slopes]}
    made = [
        judge("U", "", "vanishes (fast)", AT_MOST, -0.03, slopes, "slope", "vanishing_slope"),
        judge("C", "", "vanishes", AT_MOST, -0.03, both, "slope", "vanishing_slope"),
        judge("E", "", "comes back", AT_LEAST, 0.01, [0.0] * 20, "share", "revival_rate"),
        judge("F", "", "comes back", AT_LEAST, 0.01, [0.1, 0.2], "share", "revival_rate"),
        judge_law("L", "", "keeps", 1.0, [1.0, 0.0, 1.0], "whether", "network", ["star_relu"]),
    ]
    unit = "decades per layer"
    rows = records(as_table(made, [], 0, 30).frame)
    assert [decided.in_words(row, one.under) for row, one in zip(rows, made, strict=True)] == [
        f"U: vanishes (fast); claimed is at most −0.03, found −0.308 [−0.321, −0.298] {unit}",
        f"C: vanishes; claimed is at most −0.03 {unit}; supported at A: −0.308 [−0.325, −0.295]; contradicted at B: "
        "0.308 [0.295, 0.325]",
        "E: comes back; claimed is at least 0.01, found 0 in all 20 seeds: equal values have no interval, and decide "
        "nothing",
        "F: comes back; claimed is at least 0.01, found 0.150 in 2 seeds: too few for an interval; it takes 5 seeds",
        "L: keeps; claimed is exactly 1 of every case, found 0 to 1.00; not so in 1 of 3 networks: star_relu",
    ]
    many = as_table([*made, *made], [], 0, 30)
    assert said(decided.claims, cells, claims=many).startswith("Of 10 claims ")
    first, *others = (one.text for one in findings.found_in(cells, {"claims": many}))
    assert first.endswith(". Here are 4; all are in the table.")
    assert all(len(re.findall(r"\b[UCEFL]: ", one)) == 1 for one in others)
    assert len(others) == 4


def test_stored_verdicts_are_those_that_were_decided(tmp_path):
    made = verdicts()
    made.frame.to_csv(tmp_path / "claims.csv", index=False)
    read = decided.stored_verdicts(tmp_path)
    pd.testing.assert_frame_equal(read.frame, made.frame)
    pd.testing.assert_frame_equal(read.wide, made.wide)
    assert decided.stored_verdicts(tmp_path / "none") is None


def test_where_nothing_can_be_said_that_is_said(cells, tmp_path):
    assert findings.found_in(cells, {"trained": None}) == ()
    page = markdown(document({"study": "s"}, {}, cells, Made(tmp_path, {"selection": None}, {})))
    assert f'## What was found\n\n{findings.nothing(cells)}\n\n<a id="doubts"></a>\n\n## What to doubt\n' in page
    assert f"- {findings.nothing(cells)}" in report.answer_lines(*report.answer(cells, {}))


def test_of_no_fresh_seed_nothing_is_found_yet(selected):
    none = replace(selected, selected=selected.selected.head(0))
    assert "No fresh seed is trained yet" in findings.nothing(none)
    assert doubts.doubts_about(none, {}, ["2 runs are missing."]) == ("2 runs are missing.",)


def test_numbers_are_those_of_the_tables(selected, made):
    """Whatever estimate a finding prints stands in its table, as it stands there."""
    said_of = findings.found_in(selected, made.tables)
    assert [one.table for one in said_of][:3] == ["trained", "performance", "vanishing_slopes"]
    seen = 0
    for one in said_of:
        page = " ".join(map(str, made.tables[one.table].wide.to_numpy().ravel()))
        for number in re.findall(r"(?<!by )(?<!runs )−?\d+\.\d+ \[[^]]+\]", one.text):
            assert number in page, (number, one.text)
            seen += 1
    assert seen >= 3


def test_a_report_answers_first_and_its_links_lead_somewhere(selected, made):
    sections = document({"study": "s"}, {}, selected, made, ["3 runs are missing."])
    heads = [one.heading for one in sections if one.level == 2]
    assert heads[:4] == ["What was found", "What to doubt", "Figures", "Tables"]
    assert heads[4:] == ["How to read", "What was run", "How it was made"]
    found = next(one for one in sections if one.heading == "What was found").blocks[0]
    assert isinstance(found, Items)
    assert 3 <= len(found.items) <= 6
    anchors = [one.anchor for one in sections if one.anchor]
    assert len(set(anchors)) == len(anchors)
    links = [link.anchor for _, each, _ in found.lines() for link in each]
    assert {"table-trained", "figure-trained_by_depth"} <= set(links) <= set(anchors)
    page = markdown(sections)
    assert all(page.count(f'<a id="{one}"></a>') == 1 for one in [*links, "doubts", "reading"])
    lifted = next(one for one in sections if one.heading == "How to read").blocks[0].items
    assert lifted
    for number, text in (re.fullmatch(r"\((\d+)\) (.*)", one).groups() for one in lifted):
        assert page.count(text) == 1
        assert len(re.findall(rf"\[How to read\]\(#reading\):[\d, ]*\b{number}\b", page)) >= 3
    assert next(one for one in sections if one.heading == "What to doubt").blocks[0].items[0] == "3 runs are missing."


def test_the_terminal_says_the_same_plainly(selected, made):
    text = " ".join(" ".join(report.answer_lines(*report.answer(selected, made.tables))).split())
    for one in findings.found_in(selected, made.tables):
        assert one.text.replace("`", "") in text
    assert "`" not in text


# What to doubt.


def doubted(rule, cells, **tables):
    return rule(cells, tables)


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (1, "One run per cell: nothing has an interval"),
        (3, "Runs differ in initialisation and batch order (3 seeds), on one split. 3 seeds can miss an outcome that "
            "up to 56 % of all seeds have, and give no mean an interval."),
        (5, "Intervals speak of initialisation and batch order (5 seeds), on one split. 5 seeds can miss an outcome "
            "that up to 43 % of all seeds have."),
    ],
)  # fmt: skip
def test_few_seeds_and_one_split_are_doubted(seeds, text):
    few = report.study_cells({}, {}, *frames(("relu", "elu"), (2,), (1e-3,), seeds=seeds))
    assert doubts.repeats(few, {}).startswith(text)


def test_splits_count_where_they_are_fewer():
    two = report.study_cells({}, {}, *frames(("relu",), (2,), (1e-3,), seeds=3, data_seed=(0, 1)))
    assert "2 splits can miss an outcome" in doubts.repeats(two, {})


def test_what_has_one_value_is_named(cells):
    assert doubts.scope(cells, {}).startswith("All runs have data digits, width 64, optimizer `adam`")
    both = report.study_cells({}, {}, *frames(("relu",), (2,), (1e-3,), seeds=1, width=(32, 64)))
    assert "width" not in doubts.scope(both, {})


def test_a_rate_that_nobody_chose_is_named_and_a_selected_one_is_not():
    one = frames(("relu",), (2,), (1e-2,), seeds=1, bias_init="zeros", weight_gain=2.0, norm="layer")
    text = doubts.scope(report.study_cells({}, {}, *one), {})
    for part in ("depth 2", "learning rate 0.01", "weight gain 2", "norm layer"):
        assert part in text, text
    assert "bias" not in text  # zeros, as usual
    chosen = report.study_cells(RULE, {}, *frames(("relu",), (2,), (1e-3, 1e-2), seeds=1))
    fresh = replace(chosen, runs=chosen.runs[chosen.runs["learning_rate"] == 1e-2])  # as of seeds that chose nothing
    assert "learning rate" not in doubts.scope(fresh, {})


def at_rate(cells_frames, best, trains):
    """A study in which the rate ``best`` has the lowest validation loss, and runs train at the rates ``trains``."""
    runs, steps, layers = cells_frames
    loss = np.where(runs["learning_rate"] == best, 0.1, 1.0)
    runs = runs.assign(validation_loss=loss, status="ok", trained=runs["learning_rate"].isin(trains))
    return report.study_cells(RULE, {}, runs, steps, layers)


def test_a_rate_at_the_end_of_its_grid_is_doubted_where_some_rate_trains():
    made = frames(("relu",), (2,), (1e-3, 3e-3, 1e-2), seeds=2)
    text = doubts.ends_of_grid(at_rate(made, 1e-2, [3e-3]), {})  # another rate trains: that is enough
    assert text == (
        "Some learning rate trains in 1 cell, and in 1 of these the selected one is an end of its grid (0.001 to "
        "0.01): a better one may lie beyond, for the only cell."
    )
    several = frames(("relu", "elu"), (2,), (1e-3, 3e-3, 1e-2), seeds=2)
    both = at_rate(several, 1e-2, [3e-3])
    one = replace(both, runs=both.runs.assign(trained=both.runs["trained"] & (both.runs["activation"] == "relu")))
    assert "trains in 1 of 2 cells, and in 1 of these" in doubts.ends_of_grid(one, {})
    assert doubts.ends_of_grid(at_rate(made, 3e-3, [3e-3]), {}) == ""
    assert doubts.ends_of_grid(at_rate(made, 1e-2, []), {}) == ""
    two = frames(("relu",), (2,), (1e-3, 1e-2), seeds=2)
    assert "Of two values of learning rate, either is an end" in doubts.ends_of_grid(at_rate(two, 1e-2, [1e-2]), {})
    assert doubts.ends_of_grid(report.study_cells(ALL, {}, *two), {}) == ""
    assert "best of 3 values on the seeds that are shown" in doubts.lucky(at_rate(made, 3e-3, [3e-3]), {})


def scored(made, best, scores):
    """A study whose rule chooses the rate ``best``; ``scores`` are the test accuracies by rate, a seed each."""
    runs, steps, layers = made
    place = runs.groupby("learning_rate").cumcount()
    accuracy = [scores[rate][i] for rate, i in zip(runs["learning_rate"], place, strict=True)]
    loss = np.where(runs["learning_rate"] == best, 0.1, 1.0)
    runs = runs.assign(validation_loss=loss, status="ok", trained=True, test_accuracy=accuracy)
    return report.study_cells(RULE, {}, runs, steps, layers)


def test_a_rate_that_scores_better_than_the_selected_one_is_said_with_both_numbers():
    made = frames(("relu",), (2,), (1e-3, 1e-2), seeds=7, steps=100)
    low, high = [0.80, 0.81, 0.83, 0.82, 0.80, 0.81, 0.82], [0.95, 0.97, 0.95, 0.96, 0.97, 0.96, 0.95]
    drawing = FIGURES["accuracy_by_depth"].make(scored(made, 1e-3, {1e-3: low, 1e-2: high}))
    assert drawing.frame["outscored_by"].tolist() == ["learning rate"]
    alike = FIGURES["accuracy_by_depth"].make(scored(made, 1e-2, {1e-3: low, 1e-2: high}))
    assert "outscored_by" not in alike.frame
    text = doubts.outscored(scored(made, 1e-3, {1e-3: low, 1e-2: high}), {})
    assert text.startswith(
        "Selected by validation loss, not by what is shown: in 1 of 1 cell another learning rate has a clearly better "
        "test accuracy: the only cell 0.959 ["
    )
    assert re.search(r"at 0.01 \(7 runs\), 0.813 \[\S+ \S+ at the selected 0.001\.", text)
    assert doubts.outscored(scored(made, 1e-3, {1e-3: high, 1e-2: low}), {}) == ""  # the selected one is the better
    near = [x + 0.01 for x in low]  # for certain, and no difference that matters
    assert doubts.outscored(scored(made, 1e-3, {1e-3: low, 1e-2: near}), {}) == ""
    wide = [0.5, 0.99, 0.7, 0.99, 0.99, 0.8, 0.99]  # better by much in the mean, and by luck
    assert doubts.outscored(scored(made, 1e-3, {1e-3: low, 1e-2: wide}), {}) == ""
    assert doubts.outscored(report.study_cells(ALL, {}, *made), {}) == ""


def test_of_few_runs_all_must_score_better_and_be_so_many_that_luck_would_not_do_it():
    def rows(values):
        return pd.DataFrame({"seed": range(len(values)), "value": values, "status": "ok"})

    accuracy, loss = about("test_accuracy"), about("test_loss")
    twenty = np.linspace(0.85, 0.90, 20)
    assert how_far(rows([0.95, 0.96, 0.97]), rows(twenty), accuracy) == pytest.approx(0.085)
    assert math.isnan(how_far(rows([0.95, 0.96, 0.89]), rows(twenty), accuracy))  # one is not better
    assert math.isnan(how_far(rows([0.95, 0.96, 0.97]), rows(twenty[:3]), accuracy))  # 1 in 20 by luck
    assert math.isnan(how_far(rows([0.901, 0.902, 0.903]), rows([0.9] * 20), accuracy))  # no difference that matters
    assert how_far(rows([0.1, 0.1, 0.1]), rows(1 - twenty + 0.1), loss) == pytest.approx(math.log(2.25))
    lost = rows([0.95, 0.96, 0.97]).assign(status=["ok", "ok", "diverged"])
    assert math.isnan(how_far(lost, rows(twenty), accuracy))


def test_diverged_and_censored_runs_are_counted(cells, selected):
    lost = selected.runs["status"].where(selected.runs.index >= 2, "diverged")
    some = replace(selected, runs=selected.runs.assign(status=lost))
    assert doubts.diverged(some, {}).startswith(f"2 of {len(some.runs)} runs diverged, in ")
    assert "none of them at selected values" in doubts.diverged(some, {})
    sound = report.study_cells({}, {}, *frames(("relu",), (2,), (1e-3,), seeds=2))
    assert doubts.diverged(sound, {}) == ""
    times = table({"measure": "steps_to_target", "n": 15}, {"measure": "target_reached"})
    assert doubts.censored(sound, {"convergence": times}).startswith("5 of 20 runs did not reach the target loss")
    met = table({"measure": "steps_to_target"})
    assert doubts.censored(sound, {"convergence": met}) == doubts.censored(sound, {}) == ""


def test_cells_of_which_some_runs_trained_are_named(selected):
    mixed = performances(("relu", 2, 0.9, 20, {}), ("elu", 2, 0.5, 7, {}), ("elu", 5, 0.5, 7, {}))
    assert doubts.uneven(selected, {"performance": mixed}) == (
        "In 2 cells some runs trained and others did not, and the mean describes neither of them: `elu` (depth 2, 5)."
    )
    assert doubts.uneven(selected, {"performance": performances(("relu", 2, 0.9, 20, {}))}) == ""


def test_that_extremes_were_picked_is_said_of_many_cells():
    names = ("sigmoid", "relu", "elu", "selu", "gelu")
    many = report.study_cells({}, {}, *frames(names, (2, 3, 4, 5), (1e-3,), seeds=5, steps=50, every=50))
    assert "one time in twenty: of the 20 cells of a table about 1." in doubts.picked(many, {})
    few = report.study_cells({}, {}, *frames(names, (2,), (1e-3,), seeds=5, steps=50))
    assert doubts.picked(few, {}) == ""


def test_cells_outside_theory_are_counted_with_their_reasons(cells):
    of_theory = {"measure": ["", "act_mean"], "layer": [0, 1], "value": 0.0, "numerical_error": 0.0, "spread": 1.0}
    made = pd.DataFrame(
        {"cell": ["a", "b"], "activation": ["relu", "elu"], "assumption": ["outside theory: dropout", ""]}
    )
    there = replace(cells, predictions=made.assign(**of_theory))
    said_so = (
        "Mean-field theory of signals and gradients predicts nothing of 1 of the 2 different networks before training"
    )
    assert doubts.outside(there, {}).startswith(said_so)
    assert doubts.outside(there, {}).endswith(": dropout.")
    deep = [f"outside theory: depth/width is {ratio}; theory is drawn up to 0.5" for ratio in (0.8, 1)]
    both = replace(cells, predictions=made.assign(**of_theory | {"measure": "", "assumption": deep}))
    assert doubts.outside(both, {}).endswith(
        "2 of the 2 different networks before training: too deep for their width (theory is drawn up to a depth of "
        "0.5 × width)."
    )
    born = table({"born_dead": 3})
    assert doubts.outside(both, {"dead_networks": born}).endswith("to be born dead is another theory's matter.")
    assert doubts.outside(cells, {}) == ""
