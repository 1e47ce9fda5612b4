"""A swept data.seed is a repeat: no cells of its own, intervals over splits and seeds, and words that say so."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special
from scipy import stats as sps

import actlab
from actlab.analysis import compare, documents, report, stats
from actlab.analysis.cells import build_cells, varying
from actlab.analysis.claims import AT_LEAST, judge
from actlab.analysis.estimates import summarise
from actlab.analysis.intervals import FEWEST, FLAG, UNBOUNDED, Quantity, share_difference_bounds
from actlab.analysis.tables import TABLES
from actlab.analysis.variation import of_what, repeats_of
from actlab.study.schema import SelectConfig
from actlab.study.selection import Select
from benchmarks import coverage_of_splits as coverage
from tests.synthetic import frames, study
from tests.typed import typed

PAGE = Path(__file__).parents[1] / "docs" / "measures.md"
RNG = np.random.default_rng(0)
FRACTION, POSITIVE = Quantity(0.0, 1.0), Quantity(0.0)
SMALL = {"activations": ("relu", "tanh"), "depths": (2,), "rates": (1e-3, 1e-2)}


def sample(values, splits=None, seeds=None):
    """A sample that is indexed by split and seed, from a table with a row for each split."""
    values = np.asarray(values, float)
    splits = range(values.shape[0]) if splits is None else splits
    seeds = range(values.shape[1]) if seeds is None else seeds
    index = pd.MultiIndex.from_product([splits, seeds], names=["data_seed", "seed"])
    return pd.Series(values.ravel(), index)


def witness(y, quantity=UNBOUNDED, level=0.95):
    """The interval by the mean squares of a two-way analysis of variance, for a complete table."""
    d, s = y.shape
    mean, by_split, by_seed = y.mean(), y.mean(axis=1), y.mean(axis=0)
    ms_split, ms_seed = s * by_split.var(ddof=1), d * by_seed.var(ddof=1)
    variance = (ms_split + ms_seed) / (d * s)
    df = (ms_split + ms_seed) ** 2 / (ms_split**2 / (d - 1) + ms_seed**2 / (s - 1))
    t = sps.t.ppf((1 + level) / 2, df)
    reach = t * math.sqrt(variance)
    if quantity == FRACTION:
        step = reach / (mean * (1 - mean))
        return [special.expit(special.logit(mean) + side * step) for side in (-1, 1)]
    if quantity == POSITIVE:
        return [mean * math.exp(side * reach / mean) for side in (-1, 1)]
    third = sum(sps.skew(m, bias=False) * m.std(ddof=1) ** 3 / len(m) ** 2 for m in (by_split, by_seed))
    further = third / (6 * variance) * (1 + 2 * t * t)
    return [mean - reach + min(further, 0), mean + reach + max(further, 0)]


# The numbers


@pytest.mark.parametrize("quantity", [UNBOUNDED, FRACTION, POSITIVE])
@pytest.mark.parametrize("shape", [(5, 5), (7, 5), (6, 12)])
def test_a_complete_table_has_the_interval_of_the_analysis_of_variance(quantity, shape):
    y = 0.5 + 0.1 * (RNG.gamma(2, 0.5, (shape[0], 1)) + RNG.normal(size=(1, shape[1])) + RNG.normal(size=shape))
    y = np.clip(y, 0.01, 0.99)
    found = stats.mean_interval(sample(y), quantity=quantity)
    assert found.n == y.size
    assert found.method.startswith("crossed ")
    np.testing.assert_allclose([found.low, found.high], witness(y, quantity), rtol=1e-10)
    shuffled = sample(y).sample(frac=1, random_state=0)
    assert repr(stats.mean_interval(shuffled, quantity=quantity)) == repr(found)


def test_the_variance_is_that_of_both_means_whichever_decides():
    """Of what the split alone decides the interval is that of the splits' values; of the seed alone likewise."""
    once = RNG.normal(size=6)
    alone = stats.mean_interval(once)
    for y in (np.repeat(once[:, None], 8, axis=1), np.repeat(once[None, :], 8, axis=0)):
        found = stats.mean_interval(sample(y))
        np.testing.assert_allclose([found.low, found.high], [alone.low, alone.high], rtol=1e-9)


def test_where_values_are_missing_the_sums_of_splits_and_seeds_take_their_place():
    y = RNG.normal(size=(6, 7))
    y[1, 2] = y[4, 4] = y[5, 0] = np.nan
    found = stats.mean_interval(sample(y), quantity=POSITIVE)  # some are negative: no end
    e, n = y - np.nanmean(y), 39
    a, b = (np.nansum(e, axis=axis) for axis in (1, 0))
    v = [(a**2).sum() * 6 / 5 / n**2, (b**2).sum() * 7 / 6 / n**2]
    third = [(a**3).sum() * 36 / 20 / n**3, (b**3).sum() * 49 / 30 / n**3]
    t = sps.t.ppf(0.975, sum(v) ** 2 / (v[0] ** 2 / 5 + v[1] ** 2 / 6))
    further = sum(third) / (6 * sum(v)) * (1 + 2 * t * t)
    low, high = (np.nanmean(y) + side * t * math.sqrt(sum(v)) for side in (-1, 1))
    assert found.n == n
    np.testing.assert_allclose([found.low, found.high], [low + min(further, 0), high + max(further, 0)], rtol=1e-10)


def test_an_interval_is_never_narrower_than_that_of_independent_values():
    latin = np.array([[(i + j) % 5 for j in range(5)] for i in range(5)], float)  # equal means of splits, and of seeds
    found = stats.mean_interval(sample(latin))
    assert found.high - found.low >= 2 * 1.96 * latin.std(ddof=1) / 5


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (2, 2)])
def test_both_need_as_many_as_any_mean_or_one_of_either(shape):
    y = RNG.beta(5, 2, shape)
    few = stats.mean_interval(sample(y), quantity=FRACTION)
    assert (few.known, few.n, few.median) == (False, y.size, np.median(y))
    row = y.ravel()[:6]
    if len(row) < FEWEST:
        return
    plain = stats.mean_interval(row, quantity=FRACTION)
    for one in (sample(row[:, None]), sample(row[None, :])):
        assert repr(stats.mean_interval(one, quantity=FRACTION)) == repr(plain)


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (6, 6)])
def test_a_share_has_wilsons_interval_for_the_fewer_of_both(shape):
    y = (RNG.random(shape) < 0.7) * 1.0
    found = stats.mean_interval(sample(y), quantity=FLAG)
    few, z = min(shape), sps.norm.ppf(0.975)
    centre, half = y.mean() + z * z / 2 / few, z * math.sqrt(y.mean() * (1 - y.mean()) / few + (z / 2 / few) ** 2)
    np.testing.assert_allclose(
        [found.low, found.high], [(centre + side * half) / (1 + z * z / few) for side in (-1, 1)]
    )
    assert found.method == "crossed Wilson"
    pairs = stats.difference(sample(y), sample(1 - y), quantity=FLAG).interval
    assert pairs.method == "crossed Newcombe"
    plus = np.array(y.mean()), np.array(1 - y.mean())
    expected = share_difference_bounds(*plus, np.array(few), 0.95)
    np.testing.assert_allclose([pairs.low, pairs.high], expected)


def test_differences_are_paired_by_split_and_seed_and_are_over_both():
    """The splits' parts are common to both and go; without pairs they would hide the difference."""
    split = RNG.normal(size=(6, 1))
    a, b = split + 0.1 * RNG.normal(size=(6, 5)) + 0.3, split + 0.1 * RNG.normal(size=(6, 5))
    found = stats.difference(sample(a), sample(b).sample(frac=1, random_state=1))
    np.testing.assert_allclose([found.interval.low, found.interval.high], witness(a - b), rtol=1e-9)
    assert found.interval.low > 0
    lost = a.copy()
    lost[2, 3] = np.nan
    assert (
        stats.difference(sample(lost), sample(b)).dropped,
        stats.difference(sample(lost), sample(b)).interval.n,
    ) == (
        1,
        29,
    )
    few = stats.difference(sample(a[:3, :3]), sample(a[:3, :3]))
    assert (few.interval.mean, few.interval.known) == (0, False)


def test_a_claim_is_judged_over_both():
    y = 0.5 + 0.2 * RNG.normal(size=(6, 1)) + 0.01 * RNG.normal(size=(6, 5))
    said = judge("X", "", "", AT_LEAST, 0.1, sample(y), "")
    np.testing.assert_allclose([said.low, said.high], witness(y), rtol=1e-9)
    alone = judge("X", "", "", AT_LEAST, 0.1, y.ravel(), "")
    assert said.high - said.low > 2 * (alone.high - alone.low)


# Cells


def test_one_split_has_the_numbers_that_seeds_alone_have():
    runs, steps, layers = frames(**SMALL, seeds=6)
    for seed in (0, 7):
        for names in (["test_accuracy", "trained"], ["test_loss"]):
            values = runs.melt("run", names, "measure", "value").astype({"value": float})
            with_it = summarise(values, runs.assign(data_seed=seed), ["activation"])
            without = summarise(values, runs.drop(columns="data_seed"), ["activation"])
            pd.testing.assert_frame_equal(with_it, without, check_exact=True)
    assert list(build_cells(runs, steps, layers).runs) == list(runs)


def test_a_swept_split_makes_no_cells_and_neither_does_what_follows_from_it():
    runs, steps, layers = frames(**SMALL, seeds=2, data_seed=(0, 1, 2))
    runs["train_rows"] = 1000 + runs["data_seed"]  # splits are stratified: their sizes may differ by a row
    assert varying(runs) == ["activation", "learning_rate"]
    swept = pd.concat([runs, runs.assign(train_rows=runs["train_rows"] - 500)])
    assert varying(swept) == ["train_rows", "activation", "learning_rate"]
    cells = build_cells(runs, steps, layers, Select())
    assert cells.selected_keys == ["activation"]
    assert repeats_of(cells.runs) == ["data_seed", "seed"]
    assert cells.selected.groupby("activation").size().tolist() == [6, 6]


def test_a_rate_is_selected_over_all_splits_and_the_test_split_never_chooses():
    runs, steps, layers = frames(**SMALL, seeds=2, data_seed=(0, 1, 2))
    relu = runs["activation"] == "relu"
    runs.loc[relu, "validation_loss"] = np.where(runs["learning_rate"] == 1e-2, 0.6, 0.5)[relu]
    # Better on two splits of three, and worse by more on the third: over all splits it is worse.
    at = relu & (runs["learning_rate"] == 1e-3) & (runs["data_seed"] == 2)
    runs.loc[at, "validation_loss"] = 1.0
    chosen = [
        build_cells(one, steps, layers, Select()).selected.groupby("activation")["learning_rate"].unique().to_dict()
        for one in (runs, runs.assign(test_loss=-runs["test_loss"], test_accuracy=0.0))
    ]
    assert chosen[0]["relu"].tolist() == [1e-2]
    assert str(chosen[0]) == str(chosen[1])


def test_tables_count_splits_and_seeds_and_say_what_varied():
    made = frames(**SMALL, seeds=5, data_seed=(0, 1, 2, 3, 4))
    about = {"data": [{"rows": {"test": 359}}]}
    cells = report.study_cells({}, about, *made)
    table = TABLES["performance"].make(cells)
    assert table.frame[["n", "splits", "seeds"]].drop_duplicates().to_numpy().tolist() == [[25, 5, 5]]
    of_relu = cells.selected[cells.selected["activation"] == "relu"].set_index(["data_seed", "seed"])["test_accuracy"]
    row = table.frame.set_index("activation").loc["relu"]
    np.testing.assert_allclose([row["low"], row["high"]], witness(of_relu.unstack().to_numpy(), FRACTION))
    said = (
        "Intervals speak of the split with its probe rows (5 splits with 359 test rows each) and of initialisation and"
    )
    assert said in table.note
    assert "by pairs of one split and seed" in table.note
    for name in ("trained", "death", "gradient_norms", "convergence"):
        one = TABLES[name].make(cells)
        assert {"splits", "seeds"} <= set(one.frame)
        assert "(5 splits with 359 test rows each)" in one.note
    few = TABLES["performance"].make(report.study_cells({}, about, *frames(**SMALL, seeds=3, data_seed=(0, 1, 2))))
    assert "3 splits or seeds: too few for an interval" in few.note
    assert "An interval needs 5 splits and 5 seeds, or one of either." in few.note
    shares = TABLES["trained"].make(report.study_cells({}, about, *frames(**SMALL, seeds=3, data_seed=(0, 1, 2))))
    assert shares.frame["low"].notna().all()
    assert "An interval needs" not in shares.note
    plain = TABLES["performance"].make(report.study_cells({}, about, *frames(**SMALL, seeds=5)))
    assert "Intervals speak of initialisation and batch order (5 seeds), on one split with 359 test rows." in plain.note
    assert "splits" not in plain.frame


def test_what_varied_is_what_the_runs_say():
    estimates = pd.DataFrame({"n": [5], "low": [0.1]})
    runs = pd.DataFrame({"data_seed": 0, "seed": range(5), "depth": 2})
    assert of_what(runs, [], estimates) == "Intervals speak of initialisation and batch order (5 seeds), on one split."
    assert "batch order and dropout (5 seeds)" in of_what(runs.assign(dropout=0.1), [], estimates)
    assert of_what(runs, [], estimates.assign(low=np.nan)).startswith("Runs differ in initialisation")
    assert of_what(runs, [], estimates.assign(n=1)) == ""
    more = pd.concat([runs, runs.head(3).assign(depth=5)])
    assert "(3 to 5 seeds), on one split with 36 to 359 test rows" in of_what(more, ["depth"], estimates, [36, 359])
    turned = runs.rename(columns={"data_seed": "seed", "seed": "data_seed"})
    assert "(5 splits), at one seed" in of_what(turned, [], estimates)
    every = pd.concat([runs, runs.assign(data_seed=1)])
    assert "(5 seeds, the same in each split)" in of_what(every, ["depth"], estimates)
    assert "(10 seeds);" in of_what(pd.concat([runs, runs.assign(data_seed=1, seed=range(5, 10))]), [], estimates)


def test_times_are_judged_by_pairs_of_one_split():
    for splits, seeds, said in (
        (3, 12, "fewer than 6 pairs of one split can tell none apart; it takes 6 splits at the least."),
        (8, 3, "permutation test of the ranks in pairs of one split ("),
    ):
        runs, steps, layers = frames(("relu", "tanh"), (2,), (1e-3,), seeds=seeds, data_seed=tuple(range(splits)))
        runs["steps_to_target"] = np.where(runs["activation"] == "relu", 100.0, 700.0)
        runs["target_reached"] = True
        table = TABLES["convergence"].make(build_cells(runs, steps, layers))
        assert said in table.note
        assert table.frame["best"].any() == (splits == 8)


def test_a_comparison_is_over_splits_or_shows_each():
    made = [("made", *frames(**SMALL, seeds=5, data_seed=(0, 1, 2, 3, 4)))]
    over = compare.compare(made, "test_accuracy", ["activation", "learning_rate"])
    assert over["n"].tolist() == [25] * 4
    assert "(5 splits) and of initialisation and batch order (5 seeds, the same in each split)" in compare.format(over)
    assert "| splits" not in compare.format(over)
    assert (
        compare.format(over, "csv").splitlines()[0].startswith("activation,learning_rate,mean,low,high,n,splits,seeds")
    )
    each = compare.compare(made, "test_accuracy", ["activation", "learning_rate", "data_seed"])
    assert (len(each), set(each["n"]), "splits" in each) == (20, {5}, False)


def test_the_report_and_the_list_of_runs_name_splits(tmp_path, monkeypatch, capsys, undrawn):
    monkeypatch.chdir(tmp_path)
    options = {"activations": ("relu", "tanh"), "depths": (5,), "rates": (1e-3, 1e-2), "seeds": 3}
    study(tmp_path / "made", **options, data_seed=(0, 1))
    actlab.report("made")
    text = (tmp_path / "made" / "report.md").read_text(encoding="utf-8")
    assert "4 cells and 3 seeds × 2 splits." in text
    assert "of split 0" in text  # the diverged ones
    code, printed, _ = typed(capsys, "runs", "made")
    assert (code, "data_seed" in printed or "data seed" in printed) == (0, True)


def test_a_split_is_not_selected():
    with pytest.raises(ValueError, match="splits are repeats, as seeds are"):
        SelectConfig(over="data.seed")


# Coverage


def test_the_page_has_the_numbers_of_the_simulation():
    text = PAGE.read_text(encoding="utf-8")
    assert documents.rewrite(text, coverage.tables_of(pd.read_csv(coverage.RESULTS))) == text
    assert "<!-- begin splits " in text
    assert "<!-- begin splits_candidates " in text


def test_the_rule_covers_wherever_it_makes_an_interval_of_a_mean_and_no_other_candidate_does():
    frame = pd.read_csv(coverage.RESULTS)
    means = frame[~frame["kind"].str.contains("share")]
    enough = means[["splits", "seeds"]].min(axis=1) >= FEWEST
    assert (means.loc[enough, "printed"] > 0.9).all()  # all but equal values
    assert (means.loc[~enough, "printed"] == 0).all()
    assert means.loc[enough, "rule"].min() >= coverage.NEEDED
    least = means.loc[enough, list(coverage.CANDIDATES)].min()
    assert least[least >= coverage.NEEDED].index.tolist() == ["crossed"]
    assert means.loc[~enough, "crossed"].min() < coverage.NEEDED
    shares = frame[frame["kind"].str.contains("share")]
    assert (shares["printed"] == 1).all()
    assert shares.loc[shares[["splits", "seeds"]].min(axis=1) >= FEWEST, "rule"].min() >= coverage.NEEDED


def test_the_rule_covers_what_is_printed():
    printed = pd.read_csv(coverage.RESULTS).set_index(["kind", "population", "source", "splits", "seeds"])
    samples = 600
    frame = coverage.simulate(sizes=[(5, 5), (10, 5)], samples=samples, candidates=False)
    for _, row in frame.iterrows():
        expected = printed.loc[tuple(row[list(printed.index.names)]), "rule"]
        error = math.sqrt(max(expected * (1 - expected), 1e-3) * (1 / samples + 1 / coverage.SAMPLES))
        assert abs(row["rule"] - expected) < 4 * error, row.to_dict()
