"""Claims: a verdict follows the whole interval, and a study's claims file travels with its measurements."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab.analysis import claims, report
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
from actlab.analysis.intervals import Interval
from actlab.analysis.parts import ReportError
from actlab.analysis.stats import mean_interval
from actlab.measures import Measure
from actlab.study.selection import Select
from experiments import depth, dying_relu
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
    mixed = isinstance(samples, dict) and samples == {"A": BELOW, "B": WIDE}
    assert (one.condition != "") == (verdict == ONLY_IF or mixed)
    assert one.condition.startswith("(inconclusive at B: ") == mixed


def test_a_condition_without_numbers_hides_no_other():
    one = judge("T", "relu", "it is large", AT_LEAST, 0.5, {"A": [], "B": ABOVE}, "size")
    assert (one.verdict, one.evidence) == (INCONCLUSIVE, "size; least favourable: B")
    assert one.estimate == pytest.approx(0.91)


def test_a_claim_under_k_conditions_has_wider_intervals_and_shows_the_least_favourable():
    one = judge("T", "relu", "it is large", AT_LEAST, 0.5, {"A": ABOVE, "B": BELOW}, "size")
    wider = mean_interval(BELOW, 0.975)
    assert (one.estimate, one.low, one.high, one.n) == (wider.mean, wider.low, wider.high, 5)
    assert one.method == "skew-extended t, 97.5 %"
    assert one.condition.startswith("A: 0.910 [")
    assert one.evidence == "size; least favourable: B"
    assert judge("T", "relu", "it is small", AT_MOST, 0.5, {"A": ABOVE, "B": BELOW}, "size").evidence.endswith("A")
    assert judge("T", "relu", "it is 0", WITHIN, 0.5, {"A": [-2, -2.1], "B": [1, 1.1]}, "size").evidence.endswith("A")


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
    assert "have no interval and decide nothing" in table.note


# The shipped claims, on frames made for each verdict that they may come to.


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
    runs, steps, layers = frames(("sigmoid", "relu"), (2, 10, 12), seeds=5)
    activation = claim.__name__.partition("_")[0]
    at_init(runs, steps, activation, SLOPES[claim][verdict])
    shallow = steps["run"].isin(runs.loc[runs["depth"] == 2, "run"])
    steps.loc[shallow, "vanishing_slope"] = 99.0  # is not looked at
    one = claim(build_cells(runs, steps, layers, Select()))
    assert one.verdict == verdict
    assert one.estimate == pytest.approx(np.mean(SLOPES[claim][verdict]))


TRAINED = {
    SUPPORTED: ([True] * 5, [False] * 5),
    CONTRADICTED: ([True] * 20, [True] * 20),  # of five, equal shares may yet differ by 0.4
    INCONCLUSIVE: ([True] * 2 + [False] * 3, [False] * 5),
}


@pytest.mark.parametrize("verdict", TRAINED)
def test_depth_claim_on_training(verdict):
    runs, steps, layers = frames(("sigmoid", "relu"), (2, 10), seeds=len(TRAINED[verdict][0]))
    chosen = build_cells(runs, steps, layers, Select()).selected["run"]
    runs["trained"] = runs["activation"] == "relu"  # so it is at the rates that were not selected
    for activation, by_seed in zip(("sigmoid", "relu"), TRAINED[verdict], strict=True):
        here = runs["run"].isin(chosen) & (runs["activation"] == activation) & (runs["depth"] == 10)
        runs.loc[here, "trained"] = runs.loc[here, "seed"].map(dict(enumerate(by_seed)))
    assert depth.activation_decides_depth(build_cells(runs, steps, layers, Select())).verdict == verdict


SPREAD = np.array([0.001, -0.001, 0.002, 0.0, -0.002])
MIXED = np.array([0.3, -0.3, 0.3, -0.3, 0.0])
# {claim: {verdict: {(activation, learning rate): {measure: by seed}}}}
DYING = {
    dying_relu.relu_units_die: {
        SUPPORTED: {("relu", 0.1): {"died_fraction": 0.5 + SPREAD}},
        CONTRADICTED: {("relu", 0.1): {"died_fraction": 0.1 * abs(SPREAD)}},
        INCONCLUSIVE: {("relu", 0.1): {"died_fraction": 0.0}},  # equal values have no interval
    },
    dying_relu.dead_stay_dead: {
        SUPPORTED: {("relu", r): {"revived_fraction": 0.002 + SPREAD, "ever_dead_fraction": 0.5} for r in (0.01, 0.1)},
        CONTRADICTED: {("relu", r): {"revived_fraction": 0.3 + SPREAD, "ever_dead_fraction": 0.5} for r in (0.01, 0.1)},
        INCONCLUSIVE: {("relu", r): {"revived_fraction": 0.0, "ever_dead_fraction": 0.0} for r in (0.01, 0.1)},
        ONLY_IF: {
            ("relu", 0.01): {"revived_fraction": 0.3 + SPREAD, "ever_dead_fraction": 0.5},
            ("relu", 0.1): {"revived_fraction": 0.002 + SPREAD, "ever_dead_fraction": 0.5},
        },
    },
    dying_relu.leaky_prevents: {
        SUPPORTED: {("leaky_relu", 0.1): {"weak_fraction": 0.02 + SPREAD}},
        CONTRADICTED: {("leaky_relu", 0.1): {"weak_fraction": 0.5 + SPREAD}},
        INCONCLUSIVE: {("leaky_relu", 0.1): {"weak_fraction": 0.1 * (0.3 + MIXED)}},
    },
    dying_relu.leaky_reduces: {
        SUPPORTED: {("leaky_relu", 0.1): {"weak_fraction": 0.2 + SPREAD}, ("relu", 0.1): {"weak_fraction": 0.7}},
        CONTRADICTED: {("leaky_relu", 0.1): {"weak_fraction": 0.7 + SPREAD}, ("relu", 0.1): {"weak_fraction": 0.7}},
        INCONCLUSIVE: {("leaky_relu", 0.1): {"weak_fraction": 0.5 + MIXED}, ("relu", 0.1): {"weak_fraction": 0.5}},
    },
    dying_relu.leaky_performs: {
        SUPPORTED: {("leaky_relu", 0.1): {"test_accuracy": 0.4 + SPREAD}, ("relu", 0.1): {"test_accuracy": 0.2}},
        CONTRADICTED: {("leaky_relu", 0.1): {"test_accuracy": 0.4 + SPREAD}, ("relu", 0.1): {"test_accuracy": 0.4}},
        INCONCLUSIVE: {("leaky_relu", 0.1): {"test_accuracy": 0.5 + MIXED}, ("relu", 0.1): {"test_accuracy": 0.5}},
    },
}


@pytest.mark.parametrize(("claim", "verdict"), [(claim, verdict) for claim in DYING for verdict in DYING[claim]])
def test_dying_claims(claim, verdict):
    runs, steps, layers = frames(("relu", "leaky_relu"), (2, 5), (1e-2, 1e-1), seeds=5)
    assert (runs["status"] == "diverged").any()  # and such a run counts nowhere
    for (activation, rate), measures in DYING[claim][verdict].items():
        chosen = runs[(runs["activation"] == activation) & (runs["learning_rate"] == rate)].set_index("run")["seed"]
        there = steps["run"].isin(chosen.index) & (steps["step"] == 200)
        for measure, by_seed in measures.items():
            values = dict(enumerate(np.broadcast_to(by_seed, 5)))
            steps.loc[there, measure] = steps.loc[there, "run"].map(chosen).map(values)
    one = claim(build_cells(runs, steps, layers))
    assert one.verdict == verdict
    assert ("learning rate 0.1" in one.condition) == (verdict == ONLY_IF)


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
    tried = [*SLOPES, depth.activation_decides_depth, *DYING]
    assert tried == [*depth.CLAIMS, *dying_relu.CLAIMS]


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
    assert sizes == [[len(results.runs) + 0.5], []]


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
        claims.load(tmp_path / "mine.py")


@pytest.mark.parametrize("text", [OLD, "from actlab.analysis.cells import measured\n"])
def test_a_file_of_an_earlier_version_is_told_what_a_claim_is_now(text, tmp_path):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(claims.ClaimsError) as caught:
        claims.load(tmp_path / "mine.py")
    assert str(caught.value).count("def claim(cells: actlab.analysis.cells.Cells)") == 1
    assert "`actlab run CONFIG`" in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(claims.ClaimsError, match="no such"):
        claims.load(tmp_path / "mine.py")


@pytest.mark.parametrize("given", [None, "supported", 0.3])
def test_a_claim_that_gives_no_verdict_is_named(given):
    def claim(cells):
        return given

    row = claims.decide([claim], build_cells(*frames())).frame.iloc[0]
    assert (row["id"], row["verdict"]) == ("claim", "failed")
    assert f"claim: gives {type(given).__name__}, not a Verdict" in row["condition"]
