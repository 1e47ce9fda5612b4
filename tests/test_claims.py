"""Claims: a verdict follows the whole interval, and a study's claims file travels with its measurements."""

import functools
import itertools
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab.analysis import claims, claims_file, judging, report
from actlab.analysis.cells import build_cells
from actlab.analysis.claims import (
    AT_LEAST,
    AT_MOST,
    CONTRADICTED,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    WITHIN,
    judge,
)
from actlab.analysis.conditions import interval_of, measured, remark, told_apart, where, would_be
from actlab.analysis.findings.decided import with_its_number
from actlab.analysis.intervals import Interval
from actlab.analysis.judging import computed
from actlab.analysis.layout import with_interval
from actlab.analysis.parts import ReportError
from actlab.analysis.seeds import RACES
from actlab.analysis.stages import Tuning
from actlab.analysis.stats import mean_interval
from actlab.measures import Measure
from actlab.study.selection import Select
from experiments import cost, depth, dying_relu, of_study, revival
from tests.synthetic import frames

RESULTS = Path(__file__).parents[1] / "results"
FILE = """
from actlab.analysis.claims import AT_MOST, across, judge


def loss_is_small(cells):
    return judge("T1", "relu", "the loss is small", AT_MOST, 1e9, cells.selected["test_loss"], "test loss")


@across("s", "other")
def both_are_small(cells_by_study):
    losses = {name: cells.selected["test_loss"] for name, cells in cells_by_study.items()}
    return judge("T2", "", "both losses are small", AT_MOST, 1e9, losses, "test loss")


CLAIMS = [loss_is_small, both_are_small]
"""
OLD = """
from actlab.analysis.claims import Verdict


def old(runs, steps, layers):
    return Verdict("T1", "the loss is small", "test loss", None, "supported")


CLAIMS = [old]
"""


@pytest.mark.parametrize(
    ("low", "high", "least", "most", "inside"),
    [
        (0.1, 0.2, CONTRADICTED, SUPPORTED, SUPPORTED),
        (0.6, 0.7, SUPPORTED, CONTRADICTED, CONTRADICTED),
        (0.4, 0.6, INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE),
        (0.5, 0.6, SUPPORTED, INCONCLUSIVE, INCONCLUSIVE),
        (0.4, 0.5, INCONCLUSIVE, SUPPORTED, SUPPORTED),
        (-0.7, -0.6, CONTRADICTED, SUPPORTED, CONTRADICTED),
        (-0.5, 0.5, INCONCLUSIVE, SUPPORTED, SUPPORTED),
        (math.nan, math.nan, INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE),
    ],
)
def test_the_whole_interval_decides(low, high, least, most, inside):
    interval = Interval((low + high) / 2, low, high, 5, "log t")
    assert claims.at_least(0.5, interval) == least
    assert claims.at_most(0.5, interval) == most
    assert claims.within(0.5, interval) == inside


ABOVE, BELOW, WIDE = [0.9, 0.91, 0.92, 0.9, 0.92], [0.1, 0.11, 0.12, 0.1, 0.12], [0.1, 0.9, 0.5, 0.2, 0.8]


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        ({"A": ABOVE, "B": ABOVE}, SUPPORTED),
        ({"A": BELOW, "B": BELOW}, CONTRADICTED),
        ({"A": ABOVE, "B": BELOW, "C": WIDE}, ONLY_IF),
        ({"A": BELOW, "B": WIDE}, CONTRADICTED),  # it is said of all conditions
        ({"A": ABOVE, "B": WIDE}, INCONCLUSIVE),
        ({"A": ABOVE, "B": []}, INCONCLUSIVE),
        ({}, INCONCLUSIVE),
        ([0.9], INCONCLUSIVE),
        (ABOVE[:4], INCONCLUSIVE),
        ([0.9] * 5, INCONCLUSIVE),
        ([math.nan, *ABOVE], SUPPORTED),
        ([], INCONCLUSIVE),
    ],
)
def test_several_conditions_make_one_verdict(samples, verdict):
    one = judge("T", "relu", "it is large", AT_LEAST, 0.5, samples, "size")
    assert one.verdict == verdict
    conditions = list(samples) if isinstance(samples, dict) and len(samples) > 1 else []
    assert [name for name in "ABC" if f"{name}: " in one.condition] == conditions  # each with its interval
    interval = r"–|−?[\d.]+ \[−?[\d.]+, −?[\d.]+\]"
    assert len(re.findall(rf"[ABC]: ({interval})", one.condition)) == len(conditions)
    assert one.condition.startswith("A: ") == (verdict == ONLY_IF)


def test_a_condition_without_numbers_hides_no_other():
    one = judge("T", "relu", "it is large", AT_LEAST, 0.5, {"A": [], "B": ABOVE}, "size")
    assert (one.verdict, one.evidence) == (INCONCLUSIVE, "size; least favourable: B")
    assert one.estimate == pytest.approx(0.91)


@pytest.mark.parametrize(
    ("form", "opens", "estimate"),
    [
        (AT_LEAST, [0.95, 3.0, -0.9], 3.05 / 3),  # three numbers have no interval, and are larger than what supports it
        (AT_LEAST, [0.2, 4.0, -1.0, 2.0, 0.0, 3.0], 8.2 / 6),  # a wide interval
        (AT_MOST, [-3.0, -0.9, 1.5], -0.8),
        (WITHIN, [0.01, 0.0, -0.01], 0.0),
    ],
)
def test_the_number_of_an_open_claim_is_one_that_leaves_it_open(form, opens, estimate):
    """What supports it, however narrowly, says nothing of why it is open."""
    held = {AT_LEAST: ABOVE, AT_MOST: BELOW, WITHIN: [0.3, 0.31, 0.29, 0.3, 0.3]}[form]
    one = judge("T", "relu", "it is", form, 0.5, {"A": held, "B": opens, "C": []}, "size")
    assert (one.verdict, one.evidence) == (INCONCLUSIVE, "size; least favourable: B")
    assert one.estimate == pytest.approx(estimate)
    assert measured(one).startswith(with_interval(interval_of(one.under[1])))
    table = claims.as_table([one], [], 0, 3)
    assert "it is that of a condition that leaves it open" in table.note
    said = with_its_number(one)
    assert "supported at A: 0" in said or "supported at A: −" in said or "supported at 1 of 3 conditions" in said
    assert "not decided at B: " in said


def test_an_open_condition_without_a_number_says_so_beside_the_one_that_has():
    one = judge("T", "relu", "it is large", AT_LEAST, 0.5, {"A": [], "B": ABOVE, "C": []}, "size")
    assert measured(one).endswith(", n = 5; no number at A and 1 condition more, which leaves it open")
    assert with_its_number(one).endswith("; not decided at A: no number; C: no number")
    none = judge("T", "relu", "it is large", AT_LEAST, 0.5, {"A": [], "B": []}, "size")
    assert measured(none) == "–, n = 0"
    assert with_its_number(none).endswith("; not decided at A: no number; B: no number")


def test_a_capped_condition_leaves_its_claim_open_and_is_shown():
    one = judge("T", "relu", "it is", AT_LEAST, 0.5, {"A": ABOVE, "B": [x + 5 for x in ABOVE]}, "size")
    held = judging.of_capped(one, ["B"])
    assert (held.verdict, held.evidence) == (INCONCLUSIVE, "size; least favourable: B")
    assert interval_of(held).mean == held.under[1].estimate
    assert held.method == one.method
    assert judging.of_capped(one, []) == one


def test_a_claim_under_k_conditions_has_wider_intervals_and_shows_the_least_favourable():
    one = judge("T", "relu", "it is large", AT_LEAST, 0.5, {"A": ABOVE, "B": BELOW}, "size")
    wider = mean_interval(BELOW, 0.975)
    assert (one.estimate, one.low, one.high, one.n) == (wider.mean, wider.low, wider.high, 5)
    assert one.method == "skew-extended t, 97.5 %"
    assert one.condition.startswith("A: 0.910 [")
    assert one.evidence == "size; least favourable: B"
    assert judge("T", "relu", "it is small", AT_MOST, 0.5, {"A": ABOVE, "B": BELOW}, "size").evidence.endswith("A")
    assert judge("T", "relu", "it is 0", WITHIN, 0.5, {"A": [-2, -2.1], "B": [1, 1.1]}, "size").evidence.endswith("A")


@pytest.mark.parametrize("form", [AT_LEAST, AT_MOST])
def test_true_only_if_shows_the_number_where_it_holds_and_the_other_beside_it(form):
    """The first number is one that supports the claim; the contradicting one is never shown alone."""
    one = judge("T", "relu", "it is", form, 0.5, {"A": ABOVE, "B": BELOW, "C": ABOVE}, "size")
    held, not_held = ("A", "B") if form == AT_LEAST else ("B", "A")
    by_name = {row.condition: with_interval(interval_of(row)) for row in one.under}
    for text in (told_apart(one), measured(one), claims.as_table([one], [], 0, 3).wide["estimate"].iloc[0]):
        holds, _, fails = text.partition("; it does not at ")
        assert holds.startswith(f"it holds at {held}: {by_name[held]}")
        assert fails.startswith(f"{not_held}: {by_name[not_held]}")
    assert told_apart(replace(one, condition="as one likes")) == told_apart(one)  # of the numbers, not of a text
    assert told_apart(judge("T", "", "it is", AT_LEAST, 0.5, {"A": ABOVE, "B": ABOVE}, "size")) == ""


@pytest.mark.parametrize("samples", [{"A": ABOVE, "B": BELOW}, {"A": ABOVE, "B": ABOVE}, {"A": ABOVE, "B": []}, ABOVE])
def test_what_caps_a_verdict_is_told_apart_from_what_was_found_under_each_condition(samples):
    one = judge("T", "relu", "it is", AT_LEAST, 0.5, samples, "size")
    assert would_be(one) == one.verdict
    assert remark(one) == ""
    why = f"would be '{one.verdict}', but for selected values (at an end): a; b"
    held = replace(one, verdict=INCONCLUSIVE, condition=f"({why}) {one.condition}".strip())
    assert would_be(held) == one.verdict
    if one.verdict != INCONCLUSIVE:
        assert remark(held) == why


def test_conditions_are_named_by_what_was_found_under_them():
    one = judge("T", "relu", "it is", AT_LEAST, 0.5, {"A": BELOW, "B; at C": ABOVE, "D": []}, "size")
    assert where(one) == "true at B; at C; contradicted at A; open at D"


def test_what_is_computed_is_written_as_a_number_alone():
    """It is no estimate: an interval from x to x, or an n, would say that it were one."""
    samples = {"A": computed(0.5), "B": computed(0.1)}
    for one in (
        judge("T", "", "s", AT_LEAST, 0.3, samples, "e"),
        judge("T", "", "s", AT_LEAST, 0.3, computed(0.5), "e"),
    ):
        assert one.method == "computed"
        row = claims.as_table([one], [], 0, 3).wide.iloc[0]
        texts = (measured(one), one.condition, told_apart(one), row["estimate"], row["verdict"])
        assert not re.search(r"\[|n = ", " ".join(texts))
        assert "0.500, computed" in row["estimate"]


def test_what_is_measured_in_races_is_not_said_to_need_seeds():
    interval = Interval(1.02, 0.98, 1.06, 20, f"Student t, all of 3 {RACES}")
    one = judge("T", "", "it is dear", AT_LEAST, 1.01, {"A": interval, "B": interval}, "size")
    assert one.verdict == INCONCLUSIVE
    assert "rounds" in one.condition
    assert "seeds" not in one.condition
    assert cost.ratios(races(), "mish", "gelu").method.endswith(RACES)


def test_a_race_is_decided_on_each_platform_and_kind_of_code():
    """What costs twice as much on one platform, and nothing more on the other, costs more on the one alone."""
    frames = [
        races(times=1 if platform == cost.ACCELERATOR else 2).assign(platform=platform, machine=machine, code=code)
        for platform, machine in ((cost.ACCELERATOR, "G 1"), (cost.PROCESSOR, "C 2"))
        for code in cost.CODES
    ]
    one = cost.raced(pd.concat(frames), "T", "mish", "gelu", "costs more", AT_LEAST, cost.DEARER)
    assert one.verdict == ONLY_IF
    assert {row.condition: row.verdict for row in one.under} == {
        "accelerator, catalogue": CONTRADICTED,
        "accelerator, textbook": CONTRADICTED,
        "processor, catalogue": SUPPORTED,
        "processor, textbook": SUPPORTED,
    }
    assert "98.8 %" in one.method
    assert "16,384 × 4,096 float32 on G 1; 256 × 256 float32 on C 2" in one.evidence


def races(times=1):
    rows = itertools.product(("mish", "gelu"), (1, 2), range(6))
    seconds = lambda name, i: (1 + 0.01 * i) * (times if name == "mish" else 1)
    columns = ["activation", "race", "round", "seconds"]
    return pd.DataFrame([(*row, seconds(row[0], i)) for i, row in enumerate(rows)], columns=columns)


def test_a_claim_has_the_interval_of_its_measures_kind():
    x = [0.9, 1.0, 0.99, 1.0, 0.7]
    free, bounded = (judge("T", "", "it is large", AT_LEAST, 0.5, x, "size", of) for of in ("", "test_accuracy"))
    assert free.high > 1 >= bounded.high
    assert (free.method, bounded.method) == ("skew-extended t", "logit t")
    own = judge("T", "", "it is large", AT_LEAST, 0.5, x, "size", Measure("own", range=(0.0, 1.0)))
    assert (own.low, own.high) == (bounded.low, bounded.high)
    apart = [-1.0, -1.0, -0.9, -1.0, 0.5]
    assert judge("T", "", "it is less", AT_MOST, 0, apart, "size", "test_accuracy", difference=True).low >= -1
    assert judge("T", "", "it is less", AT_MOST, 0, [-1.0] * 5, "size", "trained", difference=True).verdict == SUPPORTED


def test_a_verdict_without_an_interval_says_so():
    cells = build_cells(*frames())
    claim = lambda cells: judge("T", "", "it is large", AT_LEAST, 0.5, [0.9, 0.8, 0.7], "size")
    table = claims.decide([claim], cells)
    assert table.wide["estimate"].tolist() == ["0.800, no interval, n = 3"]
    assert "has no interval and decides nothing" in table.note


# The shipped claims, on frames made for each verdict that they may come to.


@functools.cache
def made_once(*grid, **settings):
    return frames(*grid, **settings)


def again(*grid, **settings):
    """Return such frames to be altered: making them takes the time."""
    return tuple(frame.copy() for frame in made_once(*grid, **settings))


def at_init(runs, steps, activation, by_seed):
    """Return the frames with the vanishing slope of an activation at initialisation, by seed."""
    chosen = runs[runs["activation"] == activation].set_index("run")["seed"]
    there = steps["run"].isin(chosen.index) & (steps["step"] == 0)
    steps.loc[there, "vanishing_slope"] = steps.loc[there, "run"].map(chosen).map(dict(enumerate(by_seed)))


NEAR_0 = [0.001, -0.001, 0.002, 0.0, -0.002]
SLOPES = {
    depth.sigmoid_vanishes: {
        SUPPORTED: [-0.6, -0.61, -0.62, -0.6, -0.6],
        CONTRADICTED: NEAR_0,
        INCONCLUSIVE: [-0.6, 0.6, -0.6, 0.6, -0.6],
    },
    depth.relu_survives: {
        SUPPORTED: NEAR_0,
        CONTRADICTED: [0.6, 0.61, 0.62, 0.6, 0.6],
        INCONCLUSIVE: [-0.6, 0.6, -0.6, 0.6, -0.6],
    },
}


@pytest.mark.parametrize(("claim", "verdict"), [(claim, verdict) for claim in SLOPES for verdict in SLOPES[claim]])
def test_depth_claims_on_slopes(claim, verdict):
    runs, steps, layers = again(("sigmoid", "relu"), (2, 10, 12), seeds=5)
    activation = claim.__name__.partition("_")[0]
    at_init(runs, steps, activation, SLOPES[claim][verdict])
    shallow = steps["run"].isin(runs.loc[runs["depth"] == 2, "run"])
    steps.loc[shallow, "vanishing_slope"] = 99.0  # is not looked at
    one = claim(build_cells(runs, steps, layers, Select()))
    assert one.verdict == verdict
    assert one.estimate == pytest.approx(np.mean(SLOPES[claim][verdict]))


ALL, NONE, SOME = [True] * 20, [False] * 20, [True] * 4 + [False] * 16
# {verdict: (of sigmoid, relu, elu)}
ANY_PAIR = {SUPPORTED: (NONE, ALL, ALL), CONTRADICTED: (ALL * 2,) * 3, INCONCLUSIVE: (NONE, SOME, NONE)}
NAMED = {SUPPORTED: (NONE, ALL, NONE), CONTRADICTED: (ALL, ALL, NONE), INCONCLUSIVE: (NONE, SOME, ALL)}
TRAINED = {depth.activation_decides_depth: ANY_PAIR, depth.relu_trains_deeper: NAMED}


def training(by_seed):
    """Make cells in which the deepest networks trained as said."""
    runs, steps, layers = again(("sigmoid", "relu", "elu"), (2, 10), (1e-3, 1e-2), len(by_seed[0]), 50, 50, 50)
    chosen = build_cells(runs, steps, layers, Select()).selected["run"]
    runs["trained"] = runs["activation"] == "relu"  # so it is at the rates that were not selected
    for activation, trained in zip(("sigmoid", "relu", "elu"), by_seed, strict=True):
        here = runs["run"].isin(chosen) & (runs["activation"] == activation) & (runs["depth"] == 10)
        runs.loc[here, "trained"] = runs.loc[here, "seed"].map(dict(enumerate(trained)))
    return build_cells(runs, steps, layers, Select())


@pytest.mark.parametrize(("claim", "verdict"), [(claim, verdict) for claim in TRAINED for verdict in TRAINED[claim]])
def test_depth_claims_on_training(claim, verdict):
    one = claim(training(TRAINED[claim][verdict]))
    assert (one.verdict, one.n) == (verdict, len(TRAINED[claim][verdict][0]))
    assert "selected on the same seeds" in one.evidence


def test_the_best_and_the_worst_of_many_alike_differ_by_chance_only():
    """What D1 did until now: of ten alike the best minus the worst, tested as if both had been named before."""
    rng = np.random.default_rng(1)
    wrong = {"all pairs": 0, "best minus worst": 0}
    for _ in range(12):
        values = pd.DataFrame((rng.random((20, 10)) < 0.5).astype(float))
        one = judging.judge_any_pair("D", "", 0.02, values, "share", "trained")
        best, worst = values.mean().idxmax(), values.mean().idxmin()
        chosen = values[best] - values[worst]
        wrong["all pairs"] += one.verdict == SUPPORTED
        wrong["best minus worst"] += (
            judge("D", "", "", AT_LEAST, 0.02, chosen, "", "trained", difference=True).verdict == SUPPORTED
        )
        assert one.estimate == pytest.approx(chosen.mean())
    assert wrong["all pairs"] <= 2 < 4 < wrong["best minus worst"]  # of 12; of 2,000 the former are 2 %


def test_pairs_without_an_interval_leave_the_largest_difference_open():
    values = pd.DataFrame({"a": [0.1, 0.2, 0.3, 0.2, 0.1], "b": [0.1, 0.21, 0.3, 0.2, 0.11], "c": [math.nan] * 5})
    assert judging.largest_difference(values).high == math.inf
    assert judging.judge_any_pair("D", "", 5.0, values, "").verdict == INCONCLUSIVE
    assert judging.judge_any_pair("D", "", 5.0, values[["a", "b"]], "").verdict == CONTRADICTED
    assert math.isnan(judging.largest_difference(values[["a"]]).mean)
    assert judging.largest_difference(values[["a", "c"]]).n == 0


def test_to_which_depth_each_activation_trains_stands_in_the_evidence():
    evidence = depth.activation_decides_depth(training((NONE, ALL, ALL))).evidence
    assert evidence.endswith("≥ 10 (the grid's end): relu, elu; no depth: sigmoid")
    # relu's share is 1 at depth 2 as well, by `training`; elu's and sigmoid's are 0 there


def test_a_claim_says_on_which_seeds_the_rates_were_selected_and_what_diverged():
    cells = training((NONE, ALL, ALL))
    tuned = replace(cells, tuning=Tuning((1000000, 1000001)))
    assert "selected on 2 other seeds" in depth.relu_trains_deeper(tuned).evidence
    assert "diverged" not in depth.relu_trains_deeper(tuned).evidence
    last = cells.selected.query("depth == 10 and activation in ('relu', 'sigmoid')").index[:3]
    lost = replace(
        cells,
        selected=cells.selected.assign(
            status=cells.selected["status"].mask(cells.selected.index.isin(last), "diverged")
        ),
    )
    for claim, number in ((depth.relu_trains_deeper, 40), (depth.activation_decides_depth, 60)):
        assert f"3 of these {number} runs diverged and count as not trained" in claim(lost).evidence


def test_the_note_says_what_becomes_of_shares_and_of_diverged_runs():
    """Three equal shares have an interval, and decide; means at initialisation count runs that diverged later."""
    cells = build_cells(*frames())
    share = lambda cells: judge("T", "", "all train", AT_LEAST, 0.2, [1.0] * 3, "", "trained")
    mean = lambda cells: judge("T", "", "all train", AT_LEAST, 0.2, [1.0] * 3, "", "test_accuracy")
    both, alone = claims.decide([share, mean], cells), claims.decide([mean], cells)
    assert both.frame["verdict"].tolist() == [SUPPORTED, INCONCLUSIVE]
    assert "a share of runs has one all the same (Wilson's" in both.note
    assert "a share of runs has one" not in alone.note
    assert (cells.runs["status"] != "ok").any()
    assert "at the start they have one, and *trained* is false of them" in alone.note
    assert "enter none of these means" not in alone.note
    sound = replace(cells, runs=cells.runs.assign(status="ok"))
    assert f"None of the {len(cells.runs)} runs that claims are asked of diverged." in claims.decide([mean], sound).note


def test_a_law_is_broken_by_one_exception():
    law = lambda samples: judging.judge_law("R", "relu", "none comes back", 0.0, samples, "revived", "run")
    assert [law(x).verdict for x in ([0.0] * 3, [0.0, 1e-9], [], [math.nan, 0.0])] == [
        *(SUPPORTED, CONTRADICTED, INCONCLUSIVE, SUPPORTED)
    ]
    one = law([0.0, 0.25, 0.0])
    assert (one.low, one.high, one.n, one.condition) == (0.0, 0.25, 3, "(not so in 1 of 3 runs)")
    table = claims.decide([lambda cells: one], build_cells(*frames()))
    assert table.wide["claimed"].tolist() == ["exactly 0"]
    assert "*Exactly*: of every value" in table.note


def test_a_claims_bound_stands_in_its_row_wherever_it_is_written(tmp_path):
    study = with_claims(tmp_path, FILE)
    report.write(tmp_path, study, {}, *frames())
    row = pd.read_csv(tmp_path / "tables" / "claims.csv").iloc[0]
    assert (row["form"], row["effect"]) == ("at most", 1e9)
    for file in ("tables/claims.md", "tables/claims.tex", "report.md"):
        written = r"at most $10^{9}$" if file.endswith(".tex") else "at most 1e+09"
        assert written in (tmp_path / file).read_text(), file


SPREAD = np.array([0.001, -0.001, 0.002, 0.0, -0.002])
MIXED = np.array([0.3, -0.3, 0.3, -0.3, 0.0])
SEEDS = 15
RELU, LEAKY, COLD = (("relu", 0.1), ("leaky_relu", 0.1), ("relu", 0.01))


def back(by_seed, dead=0.5, at_start=0.2):
    """Records of units that were ever dead, of which some come back: none of those that were so at the start."""
    shares = {"revived_fraction": by_seed, "ever_dead_fraction": dead, "dead_fraction": dead - by_seed}
    return shares | {"born_dead_fraction": at_start * dead, "died_fraction": dead - by_seed - at_start * dead}


# {claim: {verdict: {(activation, learning rate): {measure: by seed}}}}
DYING = {
    dying_relu.relu_units_die: {
        SUPPORTED: {RELU: {"died_fraction": 0.5 + SPREAD, "born_dead_fraction": 0.2}},
        CONTRADICTED: {RELU: {"died_fraction": 0.1 * abs(SPREAD), "born_dead_fraction": 0.2}},
        INCONCLUSIVE: {RELU: {"died_fraction": 0.0, "born_dead_fraction": 0.2}},  # equal values have no interval
    },
    dying_relu.dead_stay_dead: {
        SUPPORTED: {one: back(0.004 + SPREAD) for one in (RELU, COLD)},
        CONTRADICTED: {one: back(0.3 + SPREAD) for one in (RELU, COLD)},
        INCONCLUSIVE: {one: back(0.0, 0.0) for one in (RELU, COLD)},
        ONLY_IF: {RELU: back(0.004 + SPREAD), COLD: back(0.3 + SPREAD)},
    },
    dying_relu.died_stay_dead: {  # half of the units were born dead, and stay so
        SUPPORTED: {one: back(0.004 + SPREAD, at_start=0.5) for one in (RELU, COLD)},
        CONTRADICTED: {one: back(0.02 + SPREAD, at_start=0.5) for one in (RELU, COLD)},  # 0.08 of those that lived
        INCONCLUSIVE: {one: back(0.0, 0.0) for one in (RELU, COLD)},
        ONLY_IF: {RELU: back(0.004 + SPREAD, at_start=0.5), COLD: back(0.02 + SPREAD, at_start=0.5)},
    },
    dying_relu.leaky_is_hardly_weak: {
        SUPPORTED: {LEAKY: {"weak_fraction": 0.02 + SPREAD}},
        CONTRADICTED: {LEAKY: {"weak_fraction": 0.5 + SPREAD}},
        INCONCLUSIVE: {LEAKY: {"weak_fraction": 0.1 * (0.3 + MIXED)}},
    },
    dying_relu.leaky_reduces: {
        SUPPORTED: {LEAKY: {"weak_fraction": 0.2 + SPREAD}, RELU: {"weak_fraction": 0.7}},
        CONTRADICTED: {LEAKY: {"weak_fraction": 0.7 + SPREAD}, RELU: {"weak_fraction": 0.7}},
        INCONCLUSIVE: {LEAKY: {"weak_fraction": 0.5 + MIXED}, RELU: {"weak_fraction": 0.5}},
    },
    dying_relu.leaky_performs: {
        SUPPORTED: {LEAKY: {"test_accuracy": 0.4 + SPREAD}, RELU: {"test_accuracy": 0.2}},
        CONTRADICTED: {LEAKY: {"test_accuracy": 0.4 + SPREAD}, RELU: {"test_accuracy": 0.4}},
        INCONCLUSIVE: {LEAKY: {"test_accuracy": 0.5 + MIXED}, RELU: {"test_accuracy": 0.5}},
    },
    dying_relu.leaky_never_dies: {
        SUPPORTED: {LEAKY: {"ever_dead_fraction": 0.0}, ("leaky_relu", 0.01): {"ever_dead_fraction": 0.0}},
        CONTRADICTED: {LEAKY: {"ever_dead_fraction": 0.1}},
    },
}


def fill(frame, runs, where, values, step=200):
    """Put values by seed into a frame, at the end of the runs that are meant."""
    chosen = runs[where].set_index("run")["seed"]
    there = frame["run"].isin(chosen.index) & (frame["step"] == step)
    for measure, by_seed in values.items():
        by = dict(enumerate(np.resize(by_seed, SEEDS)))
        frame.loc[there, measure] = frame.loc[there, "run"].map(chosen).map(by)


@pytest.mark.parametrize(("claim", "verdict"), [(claim, verdict) for claim in DYING for verdict in DYING[claim]])
def test_dying_claims(claim, verdict):
    runs, steps, layers = again(("relu", "leaky_relu"), (2, 5), (1e-2, 1e-1), seeds=SEEDS)
    assert (runs["status"] == "diverged").any()  # and such a run counts nowhere
    for (activation, rate), measures in DYING[claim][verdict].items():
        fill(steps, runs, (runs["activation"] == activation) & (runs["learning_rate"] == rate), measures)
    one = claim(build_cells(runs, steps, layers))
    assert one.verdict == verdict
    if verdict == ONLY_IF:
        assert one.condition.startswith("adam at 0.1 (")
        assert "contradicted at adam at 0.01 (" in one.condition
    if claim is not dying_relu.leaky_never_dies:
        assert re.search(r"of \d+ runs diverged", one.evidence)


def test_a_share_is_of_the_units_that_were_alive_at_the_start():
    runs, steps, layers = frames(("relu",), (2,), (1e-2, 1e-1), seeds=SEEDS)
    values = {"died_fraction": 0.3 + SPREAD, "born_dead_fraction": 0.4}
    fill(steps, runs, runs["learning_rate"] == 0.1, values)
    one = dying_relu.relu_units_die(build_cells(runs, steps, layers))
    assert one.estimate == pytest.approx(0.5)
    assert one.evidence.startswith("dead at the end / alive at the start, by depth, a seed's mean over 1 start (auto")


def test_a_diverged_run_does_not_move_its_seeds_mean():
    """Every seed's number is of the same cells: here all runs of a depth are alike, and one of them is gone."""
    values = pd.DataFrame({"seed": [0, 1, 0, 1], "depth": [2, 2, 5, 5], "x": [0.1, 0.1, 0.9, 0.9]})
    values = values.assign(learning_rate=0.1, weight_init="he_normal", bias_init="zeros")
    assert dying_relu.by_seed(values, "x").tolist() == pytest.approx([0.5, 0.5])
    assert dying_relu.by_seed(values[:3], "x").tolist() == pytest.approx([0.5, 0.5])


def test_a_cell_of_which_most_runs_diverged_is_left_out_and_counted():
    runs, steps, layers = frames(("relu",), (2, 5), (1e-2, 1e-1), seeds=SEEDS)
    values = {"died_fraction": 0.3 + SPREAD, "born_dead_fraction": 0.0}
    fill(steps, runs, runs["depth"] == 2, values)
    for lost, depths in ((7, {2, 5}), (8, {2})):  # of 15
        there = (runs["depth"] == 5) & (runs["learning_rate"] == 0.1)
        runs["status"] = np.where(there & (runs["seed"] < lost), "diverged", "ok")
        cells = build_cells(runs, steps, layers)
        kept = dying_relu.final(cells, dying_relu.some(cells, "relu", learning_rate=0.1), "died_fraction")
        assert set(kept["depth"]) == depths
        evidence = dying_relu.relu_units_die(cells).evidence
        assert f"{lost} of 30 runs diverged and are left out" in evidence
        assert ("with 1 cell of which more than half did" in evidence) == (lost == 8)


def test_claims_on_what_a_study_does_not_have_are_not_decided():
    cells = build_cells(*frames(("elu",), (2,), (1e-3, 1e-2), 5, 50, 50, 50))
    for claim in (*dying_relu.CLAIMS, depth.sigmoid_vanishes, depth.relu_survives, depth.relu_trains_deeper):
        one = claim(cells)
        assert (one.verdict, one.n) == (INCONCLUSIVE, 0), claim


def test_leaky_is_asked_of_each_depth():
    """A gain at one depth alone is not one at all: until now the mean over depths was."""
    runs, steps, layers = again(("relu", "leaky_relu"), (2, 5), (1e-2, 1e-1), seeds=SEEDS)
    for activation, there in (("relu", 2), ("leaky_relu", 2), ("relu", 5), ("leaky_relu", 5)):
        gain = 0.5 if (activation, there) == ("leaky_relu", 2) else 0.0
        where = (runs["activation"] == activation) & (runs["depth"] == there)
        fill(steps, runs, where, {"test_accuracy": 0.2 + gain + SPREAD * (1 + (activation == "relu"))})
    one = dying_relu.leaky_performs(build_cells(runs, steps, layers))
    assert one.verdict == ONLY_IF
    assert re.match(
        r"adam at 0\.1, depth 2: 0\.5000 \[.*\], n = 15; contradicted at adam at 0\.1, depth 5: .* \[.*\], n = \d+$",
        one.condition,
    )


# What revives units: {claim: {verdict: (revived of the ever dead in layer 2: where frozen, where not)}}
FROZEN = {
    revival.units_come_back: {SUPPORTED: (0.0, 0.3 + SPREAD), CONTRADICTED: (0.0, 0.1 * abs(SPREAD))},
    revival.frozen_stay_dead: {SUPPORTED: (0.0, 0.3), CONTRADICTED: (0.01, 0.3), INCONCLUSIVE: None},
    revival.moving_layer_revives: {
        SUPPORTED: (0.0, 0.3 + SPREAD),
        CONTRADICTED: (0.2, 0.2 + SPREAD),
        INCONCLUSIVE: (0.2, 0.2 + MIXED / 2),
    },
    revival.adam_moves_dead_units: {SUPPORTED: (0.3 + SPREAD, 0.0), INCONCLUSIVE: (0.0, 0.3)},
}


def freezing(values):
    """Make cells with the first layer frozen and not, of four settings."""
    grid = (("relu",), (2, 3, 4, 5), (1e-1,), SEEDS)
    runs, steps, layers = again(*grid, optimizer=("adam", "sgd"), freeze_layers=(0, 1))
    assert (runs["status"] == "ok").all()
    layers[["revived_fraction", "ever_dead_fraction"]] = np.nan  # elsewhere: is not looked at
    above = layers[layers["layer"] == 2].copy()
    for frozen in (0, 1):
        ever = 0.0 if values is None else 0.5
        revived = 0.0 if values is None else values[1 - frozen]
        fill(above, runs, runs["freeze_layers"] == frozen, back(np.asarray(revived) * ever, ever))
    layers[layers["layer"] == 2] = above
    return build_cells(runs, steps, layers)


@pytest.mark.parametrize(("claim", "verdict"), [(claim, verdict) for claim in FROZEN for verdict in FROZEN[claim]])
def test_what_revives_units_has_its_control(claim, verdict):
    one = claim(freezing(FROZEN[claim][verdict]))
    assert one.verdict == verdict
    if claim is revival.moving_layer_revives:
        assert "paired by seed" in one.evidence
    if claim is revival.frozen_stay_dead and verdict != INCONCLUSIVE:
        assert one.n == 4 * SEEDS


def test_a_diverged_run_does_not_change_what_a_seeds_share_is_of():
    """All settings of layer 2 but one have the same share: a seed that lacks a run of that one had another number."""
    cells = freezing((0.0, 0.3 + SPREAD))
    sgd, free = cells.runs["optimizer"] == "sgd", cells.runs["freeze_layers"] == 0
    odd = (cells.runs["depth"] == 5) & sgd & free
    where = cells.layers["run"].isin(cells.runs.loc[odd, "run"]) & (cells.layers["layer"] == 2)
    cells.layers.loc[where, "revived_fraction"] = 0.0
    for number, seeds, left_out in ((0, 15, 0), (1, 14, 0), (7, 8, 0), (8, 15, 1)):
        lost = cells.runs[odd & (cells.runs["seed"] < number)].index
        now = replace(cells, runs=cells.runs.assign(status=np.where(cells.runs.index.isin(lost), "diverged", "ok")))
        kept = revival.same_cells(revival.units(now, "sgd", 0))
        assert (kept["seed"].nunique(), len(kept)) == (seeds, seeds * (4 - left_out))
        assert revival.share(kept).max() - revival.share(kept).min() < 0.01  # until now 0.3 and 0.225
        condition = revival.units_come_back(now).condition
        said = f"{len(kept)} of 60 runs" + f", {seeds} seeds ({number} diverged; " * bool(number)
        assert f"sgd, {said}" in condition
        assert f"{left_out} setting{'s' * (left_out != 1)} left out" in condition or not number
        if number:
            assert f"sgd, {len(kept)} of 60 pairs of runs, {seeds} seeds" in revival.moving_layer_revives(now).condition


def test_cells_that_are_lost_are_counted_of_each_optimizer():
    runs = frames(("relu",), (2,), (1e-1,), seeds=5, optimizer=("adam", "sgd"))[0]
    said = dying_relu.over(runs.assign(status="diverged"))
    assert "10 of 10 runs diverged and are left out, with 2 cells of which" in said


def test_a_rate_at_which_no_unit_dies_says_nothing():
    runs, steps, layers = frames(("relu",), (2,), (1e-2, 1e-1), seeds=5)
    deadly = steps["run"].isin(runs.loc[runs["learning_rate"] == 1e-1, "run"])
    steps["ever_dead_fraction"] = np.where(deadly, 0.5, 0.0)
    by_run = dict(zip(runs["run"], 1e-3 * (1 + runs["seed"]), strict=True))
    steps["revived_fraction"] = np.where(deadly, steps["run"].map(by_run), 0.0)
    one = dying_relu.dead_stay_dead(build_cells(runs, steps, layers))
    assert (one.verdict, one.n) == (SUPPORTED, 5)
    assert one.estimate == pytest.approx(2 * 3e-3)


def test_every_shipped_claim_is_tried():
    tried = {*SLOPES, *TRAINED, *DYING, *FROZEN}
    assert tried == {*depth.CLAIMS, *dying_relu.CLAIMS, *revival.CLAIMS}


# A claims file in a study's folder.


def with_claims(folder, text):
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / "mine.py").write_text(text)
    return {"study": "s", "claims": "sources/mine.py", "report": {"tables": [], "figures": []}}


def test_verdicts_stand_in_the_report(tmp_path):
    study, (runs, steps, layers) = with_claims(tmp_path, FILE), frames()
    report.write(tmp_path, study, {}, runs, steps, layers)
    frame = pd.read_csv(tmp_path / "tables" / "claims.csv")
    chosen = build_cells(runs, steps, layers, Select()).selected
    assert frame["estimate"].tolist() == [pytest.approx(chosen["test_loss"].mean())]
    assert frame["verdict"].tolist() == ["supported"]
    text = (tmp_path / "report.md").read_text()
    assert "the loss is small" in text
    assert "Not decided, for want of another study: both_are_small (other)" in text


def test_a_claim_on_several_studies_gets_the_cells_of_each(tmp_path):
    study, measured = with_claims(tmp_path, FILE), frames()
    other = build_cells(*frames(("elu",)))
    report.write(tmp_path, study, {}, *measured, find={"other": other}.get)
    frame = pd.read_csv(tmp_path / "tables" / "claims.csv")
    assert frame["id"].tolist() == ["T1", "T2"]
    means = [build_cells(*measured, Select()).selected["test_loss"].mean(), other.selected["test_loss"].mean()]
    assert frame["estimate"][1] == pytest.approx(max(means))


ACROSS = """
from actlab.analysis.claims import AT_LEAST, across, judge


@across("depth", "dying_relu")
def both(cells_by_study):
    sizes = {name: [len(cells.runs), len(cells.runs) + 1] for name, cells in cells_by_study.items()}
    return judge("T", "", "there are many runs", AT_LEAST, 1, sizes, "runs")


CLAIMS = [both]
"""


def test_the_other_studies_of_a_claim_are_sought_beside_the_first(tmp_path):
    for name in ("depth", "dying_relu"):
        shutil.copytree(RESULTS / name, tmp_path / name, ignore=shutil.ignore_patterns("figures", "tables"))
    (tmp_path / "depth" / "sources" / "depth.py").write_text(ACROSS)
    results = actlab.load(tmp_path / "depth")
    short = replace(results, study=results.study | {"report": {"tables": [], "figures": []}})
    sizes = []
    for _ in range(2):
        actlab.write_report(short, lambda done, pages: None, None, trust=True)
        sizes.append(pd.read_csv(tmp_path / "depth" / "tables" / "claims.csv")["estimate"].tolist())
        shutil.rmtree(tmp_path / "dying_relu", ignore_errors=True)
    assert sizes == [[len(of_study.cells_of(results).runs) + 0.5], []]


def test_a_report_whose_claims_cannot_be_used_says_so(tmp_path):
    study = with_claims(tmp_path, OLD)
    with pytest.raises(ReportError, match="a claim is a function of the study's cells"):
        report.write(tmp_path, study, {}, *frames())
    assert pd.read_csv(tmp_path / "tables" / "claims.csv")["verdict"].tolist() == ["failed"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "CLAIMS"),
        ("CLAIMS = [1\n", "SyntaxError"),
        ("import nonsense\n", "nonsense"),
        ("CLAIMS = [1]\n", "1 is no function"),
    ],
)
def test_bad_files(text, message, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(claims.ClaimsError, match=message):
        claims_file.load(tmp_path / "mine.py")


@pytest.mark.parametrize("text", [OLD, "from actlab.analysis.cells import measured\n"])
def test_a_file_of_an_earlier_version_is_told_what_a_claim_is_now(text, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(claims.ClaimsError) as caught:
        claims_file.load(tmp_path / "mine.py")
    assert str(caught.value).count("def claim(cells: actlab.analysis.cells.Cells)") == 1
    assert "`actlab run CONFIG`" in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(claims.ClaimsError, match="no such"):
        claims_file.load(tmp_path / "mine.py")


@pytest.mark.parametrize("given", [None, "supported", 0.3])
def test_a_claim_that_gives_no_verdict_is_named(given):
    def claim(cells):
        return given

    row = claims.decide([claim], build_cells(*frames())).frame.iloc[0]
    assert (row["id"], row["verdict"]) == ("claim", "failed")
    assert f"claim: gives {type(given).__name__}, not a Verdict" in row["condition"]
