"""No comparison averages over what it does not say; differences from one activation are by pairs of one seed."""

import io
import itertools
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab.analysis import stats
from actlab.analysis.against import differences
from actlab.analysis.cells import build_cells, varying
from actlab.analysis.compare import CompareError, Study, compare, format
from actlab.analysis.compared_runs import Request, choose, refuse_unseen
from actlab.analysis.intervals import FEWEST, Quantity
from actlab.study.selection import Select
from actlab.where import WhereError
from tests.synthetic import frames
from tests.typed import typed

ROOT = Path(__file__).parents[1]
SWEPT = ("activation", "depth", "learning_rate", "width")


@pytest.fixture(scope="module")
def study():
    """Three activations, two depths, two rates at which some deep runs diverge, two widths; six seeds."""
    return frames(("relu", "elu", "leaky_relu(negative_slope=0.2)"), (2, 5), seeds=6, width=(8, 16), steps=100)


def one(study, metric="test_accuracy", by=("activation", "depth"), rule=None, **options):
    return compare([Study("one", *study, rule=rule)], metric, by, **options)


def refused(*arguments, **options):
    with pytest.raises(CompareError) as caught:
        one(*arguments, **options)
    return str(caught.value)


def test_what_varies_and_is_not_said_is_named_with_its_values_and_three_ways_on(study):
    said = refused(study)
    assert "width (8, 16), learning_rate (0.001, 0.01) vary" in said
    ways = [line.strip() for line in said.splitlines()[1:]]
    assert [re.sub("activation,depth,?", "", way.partition("--by ")[2]) for way in ways] == [
        "width,learning_rate",
        " --where width=8,learning_rate=0.001",
        " --over width,learning_rate",
    ]


def test_no_group_mixes_runs_that_differ_in_what_is_not_said(study):
    """Whatever is asked for: either it is refused, or every group is alike in all that is not averaged on purpose."""
    wheres = [(), ("activation=relu",), ("learning_rate=1e-3",), ("depth=2,learning_rate=..1e-3",), ("width=8..",)]
    shown = [keys for n in range(1, 4) for keys in itertools.combinations(SWEPT, n)]
    overs = [(), ("width",), ("depth", "width"), ("learning_rate",)]
    asked = [*itertools.product(shown, wheres, overs, [None, Select()], ["study", "none"])]
    mixed_ones = 0
    for i in np.random.default_rng(0).permutation(len(asked))[:80]:
        by, where, over, rule, select = asked[i]
        if {*by} & {*over}:
            continue
        request = Request(by, where, over, select)
        compared = choose([Study("one", *study, rule=rule)], request)
        (left,) = compared.studies
        silent = [key for key in SWEPT if key not in (*by, *over, *compared.chosen)]
        mixed = [key for key in silent if left.runs[key].nunique() > 1]
        named = "learning_rate" in (*by, *over) or "learning_rate" in "".join(where)
        assert bool(compared.chosen) == bool(rule and select == "study" and not named), request
        if compared.chosen:  # one rate in each cell
            assert left.runs.groupby(["activation", "depth", "width"])["learning_rate"].nunique().max() == 1
        mixed_ones += bool(mixed)
        if mixed:
            with pytest.raises(CompareError) as caught:
                refuse_unseen(compared, request)
            assert all(f"{key} (" in str(caught.value) for key in mixed)
        else:
            refuse_unseen(compared, request)
    assert 10 < mixed_ones < 70


def test_the_commands_that_an_error_prints_work(capsys, monkeypatch, pytestconfig):
    """On the comparison that was wrong by five: ReLU alone has .72 where the mean of five activations has .14."""
    monkeypatch.chdir(ROOT)
    thorough = pytestconfig.getoption("thorough")
    wrong = ["compare", "results/dying_relu", "--by", "weight_init,depth,learning_rate"]
    for words, number in (
        (wrong, 3),
        *([([*wrong[:2], "--preset", "dying"], 3)] if thorough else []),
        (["compare", "results/depth", "--select", "none"], 4),
    ):
        code, printed, said = typed(capsys, *words)
        assert (code, printed) == (2, ""), words
        ways = [shlex.split(line) for line in said.splitlines() if line.startswith("  actlab ")]
        assert len(ways) == number
        for way in ways if thorough else ways[-1:]:
            code, printed, said = typed(capsys, *way[1:], "--format", "csv")
            assert code == 0, (way, said)
            assert len(pd.read_csv(io.StringIO(printed))) > 0
    fixed = "activation=relu,bias_init=zeros,optimizer=adam"
    runs = actlab.load("results/dying_relu").where(f"{fixed},learning_rate=0.1,depth=20").runs
    asked = ["--where", fixed, "--format", "json"]
    rows = json.loads(typed(capsys, *wrong, *asked)[1])
    steps = actlab.load("results/dying_relu").steps
    last = steps[steps["step"] == steps["step"].max()].set_index("run")["dead_fraction"]
    (row,) = [row for row in rows if (row["weight_init"], row["depth"], row["learning_rate"]) == ("he_normal", 20, 0.1)]
    assert row["mean"] == pytest.approx(last[runs.loc[runs["weight_init"] == "he_normal", "run"]].mean(), rel=1e-6)


def test_conditions_are_those_of_runs_and_are_told(study):
    runs, steps, layers = study
    options = {"by": ["activation", "learning_rate"], "over": ["width"]}
    frame = one(study, where=["depth=2,activation=relu,elu"], **options)
    kept = runs[(runs["depth"] == 2) & runs["activation"].isin(["relu", "elu"])]
    pd.testing.assert_frame_equal(frame, one((kept, steps, layers), **options))
    assert "Only runs with `depth=2` and `activation=relu,elu`: 48 of 144." in format(frame)
    by_key = Study("one", *study, settings=actlab.study.settings.UNSTATED)
    keyed = compare(
        [by_key], "test_accuracy", options["by"], where=["model.depth=2,activation=relu,elu"], over=["width"]
    )
    pd.testing.assert_frame_equal(frame, keyed)
    with pytest.raises(WhereError, match="the nearest is 2"):
        one(study, where=["depth=3"])
    assert "of 144 runs none fits all conditions; alone: depth=2 72, depth=5 72" in refused(
        study, where=["depth=2", "depth=5"]
    )


def test_a_condition_on_what_came_of_runs_is_said_to_be_one(study):
    lost = int((study[0]["status"] != "ok").sum())
    assert lost > 0
    text = format(one(study, where=["status=ok"], over=["learning_rate", "width"]))
    assert f"`status=ok` chooses runs by what came of them, and leaves out {lost} runs that diverged" in text
    assert "by what came of them" not in format(one(study, where=["seed=0..4"], over=["learning_rate", "width"]))


def test_what_is_averaged_on_purpose_is_said_with_how_many_values(study):
    runs, steps, layers = study
    frame = one(study, over=["learning_rate", "width"])
    text = format(frame)
    assert "Averaged within each seed over learning rate (2 values), width (2 values); n counts seeds." in text
    assert frame.attrs["pooled"] == ["learning_rate", "width"]
    assert "Not every group" not in text
    own = runs[(runs["activation"] == "relu") & (runs["depth"] == 2)]
    row = frame[(frame["activation"] == "relu") & (frame["depth"] == 2)].iloc[0]
    assert row["mean"] == pytest.approx(own.groupby("seed")["test_accuracy"].mean().mean())
    assert (row["n"], row["runs"]) == (6, 24)
    fewer = runs[~((runs["activation"] == "elu") & (runs["width"] == 16))]
    assert "Not every group has runs of the same values" in format(
        one((fewer, steps, layers), over=["learning_rate", "width"])
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"over": ["widht"]}, "--over: unknown key 'widht'; did you mean 'width'"),
        ({"over": ["seed"]}, "--over seed: seeds are what every mean is over"),
        ({"over": ["data.seed"]}, "--over data_seed: splits are repeats, as seeds are"),
        ({"over": ["layer"]}, "--over layer: layers are averaged unless"),
        ({"by": ["target_loss"]}, "--by target_loss: that came of a run, and is no setting to group by"),
        (
            {"preset": "dying"},
            "a preset is a choice of metrics: give --preset dying or --metric test_accuracy, not both",
        ),
        ({"over": ["depth"]}, "'depth' is in --by, which shows it, and in --over"),
        ({"select": "nnoe"}, "unknown selection 'nnoe'; did you mean 'none'"),
        ({"against": "rel"}, "--against: no run has the activation 'rel'; did you mean 'relu'"),
        ({"against": "leaky_relu"}, "did you mean 'leaky_relu:negative_slope=0.2'"),
        ({"against": "relu", "where": ["activation=relu"]}, "there is no other activation"),
    ],
)
def test_a_wrong_request_is_answered_with_the_right_one(study, options, message):
    assert message in refused(study, **options)


def test_the_studys_own_rule_selects_as_in_its_report(study):
    rule = Select()
    selected = build_cells(*study, rule).selected
    frame = one(study, rule=rule, by=["activation", "depth", "width"])
    alone = one(
        (study[0][study[0]["run"].isin(selected["run"])], *study[1:]),
        by=["activation", "depth", "width", "learning_rate"],
    )
    pd.testing.assert_frame_equal(frame, alone)
    assert frame["runs"].sum() == len(selected) < len(study[0])
    text = format(frame)
    assert "lowest mean final validation loss" in text
    assert "This is the rule of the study; `--select none` turns it off." in text
    assert "learning rate (selected)" in text
    told = "report.select"
    for options in (
        {"by": ["activation", "learning_rate"], "over": ["depth", "width"]},
        {"over": ["learning_rate", "width"]},
    ):
        assert told not in format(one(study, rule=rule, **options))
    assert told not in format(one(study, rule=rule, where=["learning_rate=1e-3"], over=["width"]))
    assert "learning_rate (0.001, 0.01) varies" in refused(study, rule=rule, over=["width"], select="none")
    ranged = refused(study, rule=rule, over=["width"], where=["learning_rate=1e-3.."])
    assert "own rule does not choose learning_rate, which is in --where" in ranged
    by_rate = one(study, rule=rule, by=["activation", "learning_rate"], over=["depth", "width"], select="none")
    assert "is turned off" not in format(by_rate)  # it would not have chosen anyway
    few = one(study, rule=rule, where=["seed=0..2"], by=["activation", "depth", "width"])
    assert few["learning_rate"].tolist() == frame["learning_rate"].tolist()  # chosen among all runs


def test_a_setting_that_goes_along_with_another_has_to_be_shown(study):
    runs, steps, layers = study
    tied = runs[(runs["width"] == 8) == (runs["activation"] == "relu")]
    assert "width (8, 16) varies" in refused((tied, steps, layers), over=["learning_rate"])
    assert len(one((tied, steps, layers), by=["activation", "width", "depth"], over=["learning_rate"])) == 6


def test_what_follows_from_settings_needs_no_mention_and_may_stand_for_them(study):
    runs, steps, layers = study
    named = runs.assign(
        activation_name=runs["activation"].str.partition("(")[0],
        activation_family="any",
        weight_init_used=np.where(runs["activation"] == "elu", "other", "he_normal"),
        platform=["a", "b"] * 72,
    )
    named = (named, steps, layers)
    options = {"over": ["learning_rate", "width", "depth"]}
    assert (
        one(named, by=["activation"], **options)["mean"].tolist()
        == one(study, by=["activation"], **options)["mean"].tolist()
    )
    assert "made on a and b" in format(one(named, by=["activation"], **options))  # no setting, and yet told
    assert len(one(named, by=["activation_name"], **options)) == 3
    assert "activation (" in refused(named, by=["activation_family"], **options)
    assert "activation (" in refused(named, by=["weight_init_used"], **options)


def test_each_of_several_studies_has_its_own_rule(study):
    runs, steps, layers = study
    small = runs[(runs["width"] == 8)]
    one_rate = runs[(runs["width"] == 16) & (runs["learning_rate"] == 1e-3)].assign(steps=999)
    several = [
        Study("a", small, steps, layers, rule=Select()),
        Study("b", one_rate, steps, layers),
        Study("c", small, steps, layers),
    ]
    frame = compare(several[:2], "test_accuracy")
    assert set(frame.loc[frame["study"] == "b", "learning_rate"]) == {1e-3}
    text = format(frame)
    assert "This is the rule of the study of a; `--select none` turns it off" in text
    assert "The studies differ also in width (8 in a, 16 in b); steps (100 in a, 999 in b)." in text
    with pytest.raises(CompareError, match=r"learning_rate \(0.001, 0.01\) varies among the runs compared in c"):
        compare(several, "test_accuracy")
    alone = compare(several[:2], "test_accuracy", where=["steps=999"])
    assert set(alone["study"]) == {"b"}
    assert "No run is left of: a." in format(alone)


# Differences from one activation


def by_hand(study, metric, activation, **cell):
    runs = study[0]
    at = runs[(runs[list(cell)] == pd.Series(cell)).all(axis=1)]
    return tuple(at[at["activation"] == name].set_index("seed")[metric] for name in (activation, "relu"))


def test_differences_are_those_of_pairs_of_one_seed(study):
    frame = one(study, by=["activation", "depth"], where=["width=8,learning_rate=1e-2"], against="relu")
    assert set(frame["activation"]) == {"elu", "leaky_relu(negative_slope=0.2)"}
    assert set(frame["against"]) == {"relu"}
    for _, row in frame.iterrows():
        a, b = by_hand(study, "test_accuracy", row["activation"], depth=row["depth"], width=8, learning_rate=1e-2)
        known = a.notna() & b.notna()
        expected = stats.difference(a[known], b[known], quantity=Quantity(0.0, 1.0)).interval
        assert row["mean"] == pytest.approx((a - b)[known].mean())
        assert (row["n"], row["dropped_pairs"], row["lost_pairs"]) == (known.sum(), *[(~known).sum()] * 2)
        bounds = [expected.low, expected.high] if known.all() else [np.nan, np.nan]  # the rest are no sample of all
        np.testing.assert_allclose([row["low"], row["high"]], bounds)
        assert (row["runs"], row["diverged"], row["diverged_against"]) == (6, a.isna().sum(), b.isna().sum())
    assert frame["diverged"].sum() + frame["diverged_against"].sum() > 0
    assert frame["dropped_pairs"].sum() > 0
    text = format(frame)
    for words in (
        "minus that of `relu` in the same cell: above 0 it is larger than that of `relu`, which is better",
        "n counts pairs of one seed",
        f"Pairs of runs left out: {frame['dropped_pairs'].sum()}, since a run has no value",
        "difference from relu",
        "diverged of relu",
    ):
        assert words in text


def test_of_what_has_geometric_means_it_is_the_ratio(study):
    options = {"where": ["width=8,learning_rate=1e-3"], "by": ["activation", "depth"]}
    means = one(study, "signal_grad_norm", **options).set_index(["activation", "depth"])["mean"]
    frame = one(study, "signal_grad_norm", against="relu", **options)
    for _, row in frame.iterrows():
        assert row["mean"] == pytest.approx(means[row["activation"], row["depth"]] / means["relu", row["depth"]])
        assert 0 < row["low"] < row["mean"] < row["high"]
    assert set(frame["scale"]) == {"ratio"}
    assert set(frame["method"]) == {"skew-extended t of log10"}
    assert "divided by that of `relu` in the same cell: above 1" in format(frame)
    tiny = study[2].assign(signal_grad_norm=np.nan)
    runs = study[0]
    low = runs.set_index("run")["activation"].eq("elu")
    tiny["log10_signal_grad_norm"] = np.where(tiny["run"].map(low), -900.0, -1.0) + tiny["run"].map(
        runs.set_index("run")["seed"]
    )
    beyond = one(
        (
            runs,
            study[1]
            .drop(columns="signal_grad_norm")
            .merge(tiny.groupby(["run", "step"])["log10_signal_grad_norm"].mean().reset_index()),
            tiny.drop(columns="signal_grad_norm"),
        ),
        "signal_grad_norm",
        against="relu",
        **options,
    )
    row = beyond[beyond["activation"] == "elu"].iloc[0]
    assert (row["mean"], row["log10_mean"]) == (0, pytest.approx(-899))
    assert "1.0e−899" in format(beyond)


def made(values):
    """Runs of some activations by {(activation, seed, width): value}: NaN where one diverged."""
    rows = [
        {"run": str(i), "activation": a, "seed": s, "width": w, "depth": 2, "value": value}
        for i, ((a, s, w), value) in enumerate(values.items())
    ]
    runs = pd.DataFrame(rows).assign(status=lambda frame: np.where(frame["value"].isna(), "diverged", "ok"))
    return runs[["run", "value"]].assign(measure="test_accuracy"), runs.drop(columns="value")


def test_seeds_are_paired_only_where_both_have_the_same_settings(study):
    values = {("relu", s, w): 0.5 + w / 100 + s / 100 for s in range(6) for w in (8, 16)}
    values |= {("elu", s, w): 0.6 + w / 100 + s / 50 for s in range(6) for w in (8, 16)}
    values["elu", 3, 16] = np.nan  # width 16 is better: without its pair, relu must not count it either
    (row,) = differences(*made(values), ["activation", "depth"], "relu", ["width"]).to_dict("records")
    assert row["mean"] == pytest.approx(0.1 + 0.01 * 2.5)
    assert (row["n"], row["dropped_pairs"], row["runs"], row["diverged"]) == (6, 1, 12, 1)
    disjoint = {("relu", s, 8): 0.5 + s / 99 for s in range(6)} | {("elu", s, 8): 0.6 + s / 50 for s in range(6, 12)}
    (row,) = differences(*made(disjoint), ["activation"], "relu").to_dict("records")
    assert (row["n"], row["dropped_pairs"]) == (0, 12)
    assert np.isnan(row["mean"])


def test_below_five_pairs_stands_what_stands_there_otherwise(study):
    for n in (1, FEWEST - 1, FEWEST):
        values = {("relu", s, 8): 0.5 for s in range(n)} | {("elu", s, 8): 0.5 + s / 100 for s in range(n)}
        (row,) = differences(*made(values), ["activation"], "relu").to_dict("records")
        assert np.isfinite(row["low"]) == (n >= FEWEST)
    few = one(study, where=["width=8,learning_rate=1e-3,seed=0..3"], against="relu")
    assert (few["n"] == 4).all()
    assert few["low"].isna().all()
    assert re.search(r"\| −?0\.\d+ \(−?0\.\d+ to −?0\.\d+\)", format(few))


def test_differences_by_layer_of_presets_and_of_shares(study):
    where = {"where": ["width=8,learning_rate=1e-3"], "against": "relu"}
    by_layer = one(study, "dead_fraction", ["activation", "depth", "layer"], **where)
    assert set(by_layer.loc[by_layer["depth"] == 5, "layer"]) == {1, 2, 3, 4, 5}
    assert (by_layer["mean"] <= 0).all()  # the synthetic relu alone dies
    dying = one(study, None, ["activation", "depth"], preset="dying", **where)
    head, *_ = format(dying).splitlines()
    assert [word.strip() for word in head.strip("|").split("|")][2:] == [
        "born dead",
        "died",
        "revived",
        "ever dead",
        "weak",
        "n",
    ]
    shares = one(study, "trained", **where)
    assert shares["low"].between(-1, 1).all()
    assert set(shares["method"]) == {"Newcombe"}


def test_the_activation_is_named_as_tables_have_it_or_in_one_word_and_need_not_be_in_by(study):
    where = ["width=8,learning_rate=1e-3"]
    first, second = (
        one(study, where=where, by=["depth"], against=label)
        for label in ("leaky_relu:negative_slope=0.2", "leaky_relu(negative_slope=0.2)")
    )
    pd.testing.assert_frame_equal(first, second)
    assert list(first)[:2] == ["activation", "depth"]
    turned = one(study, where=where, against="elu").set_index(["activation", "depth"])
    there = one(study, where=where, against="relu").set_index(["activation", "depth"])
    for depth in (2, 5):
        assert turned.loc[("relu", depth), "mean"] == pytest.approx(-there.loc[("elu", depth), "mean"])


def test_a_cell_without_the_activation_is_shown_as_empty(study):
    runs, steps, layers = study
    without = runs[~((runs["activation"] == "relu") & (runs["depth"] == 5))]
    frame = one((without, steps, layers), where=["width=8,learning_rate=1e-3"], against="relu")
    assert (frame["n"] > 0).tolist() == (frame["depth"] == 2).tolist()
    assert "no run of `relu`" in format(frame)


def test_every_format_has_the_differences(study):
    frame = one(study, where=["width=8,learning_rate=1e-3"], against="relu")
    back = pd.read_csv(io.StringIO(format(frame, "csv")))
    np.testing.assert_allclose(back["mean"], frame["mean"], rtol=1e-9)
    assert [row["dropped_pairs"] for row in json.loads(format(frame, "json"))] == frame["dropped_pairs"].tolist()
    assert r"difference from relu" in format(frame, "latex")


def test_the_columns_of_csv_and_json_are_documented(study):
    page = (ROOT / "docs" / "comparing.md").read_text(encoding="utf-8").partition("## Columns")[2]
    told = {
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    for frame in (
        one(study, where=["width=8"], over=["learning_rate"]),
        one(study, None, preset="dying", over=["width", "learning_rate"]),
        one(study, over=["width", "learning_rate"], against="relu"),
    ):
        assert {name for name in frame if name not in (*varying(study[0]),)} <= told


def test_python_takes_lists_and_texts_alike(monkeypatch):
    monkeypatch.chdir(ROOT)
    asked = {"metric": "test_accuracy", "where": "depth=50"}
    first = actlab.compare("results/depth", by="activation, depth", select=None, over="learning_rate", **asked)
    second = actlab.compare("results/depth", by=["activation", "depth"], select="none", over=["learning_rate"], **asked)
    pd.testing.assert_frame_equal(first, second)
    with pytest.raises(ValueError, match="learning_rate"):
        actlab.compare("results/depth", select=None, **asked)
    twice = actlab.compare("results/depth", "results/depth", **asked)
    assert set(twice["study"]) == {"depth", "depth (2)"}


# What came of the runs: those that diverged, did not train, or never reached the target


def with_outcome(frame, which, diverged=False, **values):
    """Set what came of the runs of the activation relu on some seeds, in runs and at the last step."""
    runs, steps, layers = (part.copy() for part in frame)
    these = (runs["activation"] == "relu") & which(runs)
    runs.loc[these, list(values)] = list(values.values())
    if diverged:
        runs.loc[these, ["status", "diverged_step", "trained"]] = ["diverged", 100.0, False]
    last = steps["run"].isin(runs.loc[these, "run"]) & (steps["step"] == steps["step"].max())
    for name in set(values) & set(steps):
        steps.loc[last, name] = values[name]
    return runs, steps, layers


def cells_of(frame, head):
    """The column of a printed comparison whose head begins so, without its note."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in format(frame).splitlines() if "|" in line]
    at = next(i for i, name in enumerate(rows[0]) if name.startswith(head))
    return [row[at] for row in rows[2:]]


TWO = {"activations": ("relu", "elu"), "depths": (2,), "rates": (3e-3,)}


def test_a_cell_of_which_some_trained_has_no_interval_and_says_how_many():
    some = with_outcome(frames(**TWO, seeds=5), lambda runs: runs["seed"] < 2, test_accuracy=0.1, trained=False)
    means, pairs = one(some), one(some, against="elu")
    relu, elu = cells_of(means, "test accuracy")
    assert relu.startswith("3 of 5 trained: 0.8")
    assert "[" in elu
    assert "*k of n trained*" in format(means)
    (row,) = pairs.to_dict("records")
    assert np.isnan(row["low"])
    assert row["least"] < -0.7 < row["median"]
    assert (cells_of(pairs, "trained"), cells_of(pairs, "trained of elu")) == (["3 of 5"], ["5 of 5"])
    assert "the mean of the differences is that of two kinds" in format(pairs)
    for told in (one(some, "dead_fraction"), one(some, at=100), one(some, "trained")):  # not of how well they ended
        assert "n_trained" not in told


def test_a_difference_has_no_interval_where_a_pair_was_lost():
    diverged = {"diverged": True, "test_accuracy": np.nan, "test_loss": np.nan}
    six = with_outcome(frames(**TWO, seeds=6), lambda runs: runs["seed"] == 0, **diverged)
    for metric in ("test_accuracy", "network_dead"):
        (row,) = one(six, metric, against="elu").to_dict("records")
        assert (row["n"], row["lost_pairs"], row["method"]) == (5, 1, "none")
        assert np.isnan(row["low"])
    assert np.isfinite(one(six, "trained", against="elu")["low"]).all()  # a run that diverged has not trained
    assert np.isfinite(one(six, "dead_fraction", at="init", against="elu")["low"]).all()
    two = frames(**TWO | {"rates": (1e-3, 1e-2)}, seeds=6)
    lost = with_outcome(two, lambda runs: (runs["seed"] < 3) & (runs["learning_rate"] == 1e-2), **diverged)
    frame = one(lost, None, preset="dying", over=["learning_rate"], against="elu")
    assert frame["low"].isna().all()
    assert "Pairs of runs left out: 3, since a run has no value." in format(frame)  # not 15, for five measures
    runs = two[0]
    fewer = runs[~((runs["activation"] == "relu") & (runs["seed"] < 3) & (runs["learning_rate"] == 1e-2))]
    assert one((fewer, *two[1:]), over=["learning_rate"], against="elu")["low"].isna().all()
    whole = runs[
        ~((runs["activation"] == "relu") & (runs["seed"] == 5))
    ]  # a seed that one of them lacks chooses nothing
    (row,) = one((whole, *two[1:]), over=["learning_rate"], against="elu").to_dict("records")
    assert np.isfinite(row["low"])
    assert (row["dropped_pairs"], row["lost_pairs"]) == (2, 0)


def test_differences_over_splits_and_seeds_say_what_they_need():
    few = one(frames(**TWO, seeds=5, data_seed=(0, 1)), against="relu")
    assert few[["n", "splits", "seeds"]].to_numpy().tolist() == [[10, 2, 5]]
    text = format(few)
    for words in (
        "n counts pairs of one split and seed.",
        "2 splits or seeds: too few for an interval",
        "2 splits or seeds can miss an outcome that up to 66 % of them have",
        "An interval needs 5 splits and 5 seeds",
    ):
        assert words in text
    assert "n counts their pairs" not in text
    each = one(frames(**TWO, seeds=5, data_seed=(0, 1)), by=["activation", "data_seed"], against="relu")
    assert "n counts pairs of one seed." in format(each)
    assert each["low"].notna().all()


def test_the_steps_to_a_target_never_come_for_some_runs():
    never = {"steps_to_target": np.nan, "target_reached": False}
    some = with_outcome(frames(**TWO, seeds=6), lambda runs: runs["seed"] < 4, **never)
    frame = one(some, "steps_to_target")
    assert cells_of(frame, "steps to target") == ["2 of 6 reached", "6 of 6 reached: ≤ 100"]
    assert (frame["n"].tolist(), frame["median"].tolist()) == ([2, 6], [np.inf, 100.0])
    assert json.loads(format(frame, "json"))[0]["median"] is None
    assert "a diverged run never did" in format(frame)


def test_the_status_may_be_a_key(study):
    frame = one(study, by=["activation", "depth", "status"], over=["learning_rate", "width"])
    assert frame.groupby("status")["diverged"].sum().to_dict() == {
        "diverged": int((study[0]["status"] != "ok").sum()),
        "ok": 0,
    }


def test_what_a_rule_selected_has_its_confounds_named():
    grid = frames(("relu", "tanh"), (2, 5), (1e-4, 1e-3, 3e-3), seeds=5)
    found = format(one(grid, rule=Select()))
    assert "It is the best of 3 values on the seeds that are shown" in found
    assert re.search(r"The selected learning rate is the \w+ of its grid for .*: a better one may lie beyond it", found)
    assert "best of 3 values" not in format(one(grid, rule=Select(), by=["activation", "depth", "learning_rate"]))
    averaged = format(one(grid, by=["depth", "learning_rate"], over=["activation"]))
    assert (
        "Averaged over different initialisations, by `auto`: `glorot_normal` for `tanh`; `he_normal` for `relu`"
        in averaged
    )


def test_few_seeds_are_told_how_to_become_more():
    for seeds, told in ((1, True), (4, True), (5, False)):
        text = format(compare([Study("one", *frames(**TWO, seeds=seeds), folder="my/one")], "test_accuracy"))
        assert ("more seeds: `actlab run my/one/study.yaml sweep.seeds=5 --out my/one`." in text) == told
