"""Marks: what is as good as the best, what is undecided, and what is not compared."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import scipy.stats as sps

from actlab.analysis import documents, layout, marking, notes, report, ties
from actlab.analysis.cells import build_cells
from actlab.analysis.figures import FIGURES
from actlab.analysis.tables import TABLES
from actlab.analysis.tables.standing import PLACE, SPEED
from actlab.measures import about
from benchmarks import ties as simulated
from tests.synthetic import frames
from tests.test_coverage import PAGE

ACCURACY, LOSS, R2 = (about(f"test_{name}") for name in ("accuracy", "loss", "r2"))
BASE = np.array([0.90, 0.92, 0.91, 0.93, 0.94, 0.92, 0.91, 0.90])
NOISE = np.array([1, -2, 0, 1, -1, 2, -1, 0]) / 1000


def marks(cells, record=ACCURACY):
    """Mark a column of {cell: values, in the order of their seeds}."""
    samples = {name: pd.Series(np.asarray(values, float)) for name, values in cells.items()}
    return ties.mark({name: one.mean() for name, one in samples.items()}, samples, record)


def verdicts(cells, record=ACCURACY):
    return {name: next((mark for mark in ties.MARKS if one[mark]), "") for name, one in marks(cells, record).items()}


def made(values, seeds=8, depths=(2,), task="classification", **columns):
    """A study's frames in which activations have these final values, by seed, and these further columns."""
    runs, steps, layers = frames(tuple(values), depths, (1e-3,), seeds=seeds, task=task)
    name = "test_accuracy" if task == "classification" else "test_loss"
    runs["trained"] = True
    for activation, numbers in values.items():
        runs.loc[runs["activation"] == activation, name] = np.tile(numbers, len(depths))
    for column, by_activation in columns.items():
        for activation, numbers in by_activation.items():
            runs.loc[runs["activation"] == activation, column] = numbers
    return runs, steps, layers


def table_of(study):
    return TABLES["performance"].make(build_cells(*study))


def test_a_cell_is_as_good_undecided_or_apart():
    cells = {
        "best": BASE,
        "as good, and below 0 for certain": BASE - 0.005 + NOISE / 10,
        "undecided": BASE - 0.01 + 20 * NOISE,
        "apart": BASE - 0.1 + NOISE,
        "apart, and perhaps as good": BASE - 0.02 + NOISE,
    }
    assert list(verdicts(cells).values()) == ["best", "as_good", "undecided", "", ""]
    found = marks(cells)["as good, and below 0 for certain"]
    assert 0 < found["behind_low"] < found["behind_high"] < ties.NEAR


def extended(d, level):
    """Student's t of SciPy, with Johnson's correction on the side of the longer tail."""
    n, t = len(d), sps.t.ppf((1 + level) / 2, len(d) - 1)
    further = sps.skew(d, bias=False) * d.std(ddof=1) * (1 + 2 * t**2) / (6 * n)
    reach = t * sps.sem(d)
    return d.mean() - reach + min(further, 0), d.mean() + reach + max(further, 0)


@pytest.mark.parametrize("cells", [2, 3, 7])
def test_an_interval_is_the_extended_t_at_bonferronis_level(cells):
    rng = np.random.default_rng(cells)
    column = {i: 0.9 + 0.001 * rng.normal(size=9) for i in range(cells)}
    found = marks(column)
    best = next(name for name, one in found.items() if one["best"])
    pairs = cells * (cells - 1) / 2
    for name, one in found.items():
        if name == best:
            continue
        expected = extended(column[best] - column[name], 1 - 0.05 / pairs)
        assert (one["behind_low"], one["behind_high"]) == pytest.approx(expected, rel=1e-9)


def test_losses_are_compared_by_the_ratio_of_their_means():
    """A ratio's bounds do not change with the losses' scale, and R² says the same of the same runs."""
    rng = np.random.default_rng(1)
    a, b = np.exp(rng.normal(0, 0.1, (2, 12)))
    a, b = sorted((a, b), key=np.mean)
    first, scaled = (marks({"a": scale * a, "b": scale * b}, LOSS)["b"] for scale in (1, 1e-7))
    for name in ties.BEHIND:
        assert first[name] == pytest.approx(scaled[name])
    assert first["behind"] == pytest.approx(b.mean() / a.mean())
    low, high = extended(b / b.mean() - a / a.mean(), 0.95)
    assert first["behind_low"] == pytest.approx(b.mean() / a.mean() * math.exp(low))
    assert first["behind_high"] == pytest.approx(b.mean() / a.mean() * math.exp(high))
    r2 = marks({"a": 1 - a / 40, "b": 1 - b / 40}, R2)["b"]
    for name in (*ties.MARKS, *ties.BEHIND):
        assert r2[name] == pytest.approx(first[name])
    near = marks({"a": a, "b": 1.01 * a + 1e-4 * b}, LOSS)["b"]
    assert near["as_good"]


def test_equal_means_are_all_the_best_and_the_others_face_each_of_them():
    cells = {"one": BASE, "other": BASE + 20 * NOISE, "near one": BASE - 0.001 + NOISE / 10}
    assert verdicts(cells) == {"one": "best", "other": "best", "near one": "undecided"}
    assert verdicts({name: cells[name] for name in ("one", "near one")}) == {"one": "best", "near one": "as_good"}
    table = table_of(made({"relu": BASE, "elu": BASE.copy(), "gelu": BASE - 0.2 + NOISE}))
    assert table.wide.to_string().count("**") == 4


def test_pairs_that_all_differ_alike_are_undecided():
    study = made({"relu": BASE, "elu": BASE - 0.01, "gelu": BASE - 0.2 + NOISE})
    table = table_of(study)
    assert table.frame.set_index("activation")["undecided"].to_dict() == {"relu": False, "elu": True, "gelu": False}
    assert table.frame["seeds_to_decide"].isna().all()
    assert "or there is none since all pairs differ alike." in table.note


@pytest.mark.parametrize("spread", [0.003, 0.01, 0.05])
def test_as_many_seeds_as_the_note_says_decide(spread):
    """At that number an interval is no wider than δ, and one seed fewer leaves it wider; then nothing is undecided."""
    n = int(ties.seeds_to_decide(spread, 0.02, 6))
    t = [sps.t.ppf(1 - 0.05 / 15 / 2, k - 1) * spread / math.sqrt(k) for k in (n, n - 1)]
    assert t[0] <= 0.01
    assert t[1] > 0.01 or n == 5
    noise = np.random.default_rng(0).normal(size=n)
    noise = spread * (noise - noise.mean()) / noise.std(ddof=1)
    base = np.full(n, 0.5)
    others = {i: base - 0.3 - i / 100 for i in range(4)}
    for away in (1e-4, 0.005, 0.0099, 0.0101, 0.03):
        assert verdicts({"best": base, "other": base - away + noise, **others})["other"] != "undecided"


def test_the_note_says_how_many_seeds_and_what_is_no_difference():
    study = made({"relu": BASE, "elu": BASE - 0.004 + 20 * NOISE, "gelu": BASE - 0.003 + NOISE})
    table = table_of(study)
    frame = table.frame.set_index("activation")
    assert frame.loc["elu", "undecided"]
    assert frame.loc["gelu", "as_good"]
    spread = (20 * NOISE).std(ddof=1)
    assert frame.loc["elu", "seeds_to_decide"] == ties.seeds_to_decide(spread, 0.02, 3)
    assert f"about {frame.loc['elu', 'seeds_to_decide']:.0f} seeds would decide it: t·s/√n ≤ δ/2." in table.note
    assert "lies within ±0.02" in table.note
    assert r"$^\dagger$" in layout.to_latex(table)
    losses = {"relu": BASE, "elu": BASE + 0.001 + NOISE / 10}
    assert "within a factor of 1.1" in table_of(made(losses, task="regression")).note


def test_only_cells_of_which_all_runs_trained_are_compared():
    better = BASE + 0.03
    trained = {"elu": [True] * 7 + [False], "gelu": [False] * 8}
    study = made({"relu": BASE, "tanh": BASE + NOISE, "elu": better, "gelu": better, "mish": better}, trained=trained)
    lost = study[0].index[(study[0]["activation"] == "mish") & (study[0]["seed"] == 0)]
    study[0].loc[lost, ["status", "test_accuracy", "trained"]] = ["diverged", math.nan, False]
    frame = table_of(study).frame.set_index("activation")
    assert frame["best"].to_dict() == {"relu": True, "tanh": True} | dict.fromkeys(("elu", "gelu", "mish"), False)
    assert not frame.loc[["elu", "gelu", "mish"], list(ties.MARKS)].any(axis=None)
    assert frame.loc[["elu", "gelu", "mish"], "behind"].isna().all()
    assert frame["n_trained"].to_dict() == {"relu": 8, "tanh": 8, "elu": 7, "gelu": 0, "mish": 7}
    none = table_of(made({"relu": BASE, "elu": better}, trained={"relu": trained["elu"], "elu": trained["elu"]}))
    assert not none.frame[list(ties.MARKS)].any(axis=None)
    assert marking.NOT_COMPARED.format(enough="5 seeds") in none.note
    alone = table_of(made({"relu": BASE, "elu": better}, trained={"elu": trained["elu"]}))
    assert not alone.frame["best"].any()  # it was compared with nothing


def test_the_share_that_trained_stands_first_then_median_and_range_of_those():
    values = np.array([0.1, 0.2, 0.8, 0.91, 0.9, 0.92, 0.93, 0.9])
    study = made(
        {"relu": values, "gelu": np.full(8, 0.1), "elu": BASE, "mish": BASE - 0.1 + NOISE},
        trained={"relu": values > 0.5, "gelu": [False] * 8},
    )
    table = table_of(study)
    text = dict(zip(table.wide["activation"], table.wide["depth 2"], strict=True))
    good = values[values > 0.5]
    assert text["`relu`"] == f"6 of 8 trained: {np.median(good):.3f} ({good.min():.3f} to {good.max():.3f})"
    assert text["`gelu`"].startswith("0 of 8 trained: 0.100")
    row = table.frame.set_index("activation").loc["relu"]
    assert row["mean"] == pytest.approx(values.mean())
    assert math.isnan(row["low"])
    assert (row["median"], row["trained_median"]) == (np.median(values), np.median(good))
    assert "*k of n trained*" in table.note
    shown = report.headline({}, {}, *study)
    assert "6 of 8 trained: 0.905" in shown
    assert "k of n trained" in shown
    assert "*k of n" not in shown
    drawing = FIGURES["accuracy_by_depth"].make(build_cells(*study))
    assert "no line leads through what lies between" in drawing.caption
    assert not {*ties.COLUMNS, "n_trained", "trained_median"} & set(drawing.frame)


def test_one_run_a_setting_has_no_mark_and_no_interval():
    study = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=1)
    cells = build_cells(*study)
    for name, part in TABLES.items():
        table = part.make(cells)
        if table is None or not {"low", "high"} <= set(table.frame) or name == "ranks":
            continue
        means = table.frame
        means = means[~means["measure"].isin([PLACE, SPEED])] if "measure" in means else means
        assert means[["low", "high"]].isna().all(axis=None), name
        assert not table.frame.reindex(columns=list(ties.MARKS)).eq(True).any(axis=None), name
        assert not re.search(r"\[|\*\*|†|\?", table.wide.to_string()), name
    for name, part in FIGURES.items():
        drawing = part.make(cells)
        if drawing is not None and "low" in drawing.frame:
            assert drawing.frame[["low", "high"]].isna().all(axis=None), name
    note = table_of(study).note
    assert "One run per cell: nothing is marked as best." in note
    assert note.endswith("`actlab run study.yaml sweep.seeds=5 --out .` in this study's folder.")


def test_seeds_are_added_to_those_that_there_are():
    frame = pd.DataFrame({"runs": [1, 1], "n": [1, 1]})
    assert "run r/study.yaml sweep.seeds=5 --out r" in marking.advice(frame, pd.DataFrame({"seed": [0]}), "r")
    assert "'sweep.seeds=[3,7,0,1,2]'" in marking.advice(frame, pd.DataFrame({"seed": [7, 3, 3]}), "r")
    assert marking.advice(pd.DataFrame({"runs": [1, 5], "n": 1}), pd.DataFrame({"seed": range(5)}), "r") == ""


@pytest.mark.parametrize(
    ("splits", "seeds", "said"),
    [
        (3, 1, "more splits: `actlab run study.yaml data.seed=0,1,2,3,4 --out .`"),
        (3, 5, "more splits: `actlab run study.yaml data.seed=0,1,2,3,4 --out .`"),
        (6, 2, "more seeds: `actlab run study.yaml sweep.seeds=5 --out .`"),
        (2, 2, "more splits and seeds: `actlab run study.yaml data.seed=0,1,2,3,4 sweep.seeds=5 --out .`"),
    ],
)
def test_what_is_added_where_splits_vary_leads_to_intervals_and_marks(splits, seeds, said):
    study = frames(("relu", "elu"), (2,), (1e-3,), seeds=seeds, data_seed=tuple(range(splits)))
    study[0]["trained"] = True
    note = table_of(study).note
    assert said in note
    assert "no column has two cells" not in note
    more = {"seeds": 5 if "sweep.seeds" in said else seeds, "data_seed": tuple(range(max(5, splits)))}
    then = frames(("relu", "elu"), (2,), (1e-3,), **more)
    then[0]["trained"] = True
    table = table_of(then)
    assert table.frame["low"].notna().all()
    assert table.frame["best"].any()
    assert "more splits" not in table.note


def test_pairs_are_of_what_varies_and_said_to_be_none_where_nothing_is_shared():
    alone = table_of(frames(("relu", "elu"), (2,), (1e-3,), seeds=1, data_seed=tuple(range(6))))
    assert "by pairs of one split; 95 %" in alone.note
    apart = table_of(made({"relu": BASE, "elu": BASE - 0.2 + NOISE}))
    assert "by pairs of one seed; 95 %" in apart.note
    study = made({"relu": BASE, "elu": BASE - 0.2 + NOISE})
    study[0].loc[study[0]["activation"] == "elu", "seed"] += 100
    assert "of independent means, since cells share no seed; 95 %" in table_of(study).note


def test_as_many_splits_as_the_note_says_decide_and_seeds_are_not_asked_for_alone():
    """What the split makes of a difference no number of seeds averages away."""
    rng = np.random.default_rng(0)
    made_by_split = 0.02 * rng.normal(size=200)

    def pair(splits, seeds):
        index = pd.MultiIndex.from_product([range(splits), range(seeds)], names=["data_seed", "seed"])
        by_split = made_by_split[:splits] - made_by_split[:splits].mean()
        by_split = 0.02 * by_split / by_split.std(ddof=1)
        a, b = (0.8 + 0.002 * rng.normal(size=splits * seeds) for _ in range(2))
        cells = {"a": pd.Series(a, index), "b": pd.Series(b - 0.004 + np.repeat(by_split, seeds), index)}
        found = ties.mark({name: one.mean() for name, one in cells.items()}, cells, ACCURACY)
        return next(one for one in found.values() if not one["best"])

    few, many = pair(5, 5), pair(5, 80)
    assert few["undecided"]
    assert many["undecided"]
    assert many["seeds_to_decide"] == pytest.approx(few["seeds_to_decide"], rel=0.2)  # the splits that it takes
    assert not pair(int(few["seeds_to_decide"]), 5)["undecided"]
    said = pd.DataFrame([few | {"splits": 5, "seeds": 5}])
    assert "splits, and at most as many seeds, would decide it" in marking.seeds_wanted(said)


def test_no_ratio_is_to_a_best_loss_of_exactly_0():
    study = made({"relu": np.zeros(8), "elu": BASE}, task="regression")
    note = table_of(study).note
    assert "no ratio is to a best of exactly 0" in note
    assert "differ alike" not in note


def test_pairs_that_lost_a_partner_are_counted():
    study = made({"relu": BASE, "elu": BASE - 0.01 + NOISE, "gelu": BASE - 0.2 + NOISE})
    runs = study[0]
    away = runs["run"][(runs["activation"] == "elu") & (runs["seed"] == 3)]
    table = table_of(tuple(frame[~frame["run"].isin(away)] for frame in study))
    assert table.frame.set_index("activation")["dropped_pairs"].to_dict() == {"relu": 0, "elu": 1, "gelu": 0}
    assert "Pairs dropped, since one side has no value: 1." in table.note


# Coverage

COLUMNS = 400


def test_the_page_has_the_numbers_of_the_simulation():
    text = PAGE.read_text(encoding="utf-8")
    assert documents.rewrite(text, simulated.tables_of(pd.read_csv(simulated.RESULTS))) == text
    assert "<!-- begin ties " in text
    assert "<!-- begin ties_candidates" in text


def test_the_rule_is_the_narrowest_that_holds_and_holds_what_is_printed():
    printed = pd.read_csv(simulated.RESULTS)
    held = printed[printed["held"]]
    for kind, rows in held.groupby("kind"):
        names = [name for name in simulated.CANDIDATES if rows[name].notna().all()]
        enough = [name for name in names if rows[name].min() >= simulated.NEEDED]
        alike = rows[(rows["population"] == rows["population"].iloc[0]) & (rows["cells"] == 12)]
        width = {name: alike[f"width of {name}"].max() for name in enough}
        assert simulated.RULE[kind] in enough
        assert width[simulated.RULE[kind]] <= 1.02 * min(width.values())
    index = ["population", "n", "cells"]
    few = simulated.simulate(sizes=(5, 20), cells=(2, 6), columns=COLUMNS, candidates=set(simulated.RULE.values()))
    both = few.merge(printed.rename(columns=lambda name: name if name in index else f"{name} printed"), on=index)
    for kind, rule in simulated.RULE.items():
        rows = both[both["kind"] == kind]
        expected, count = rows[f"{rule} printed"], 1 / COLUMNS + 1 / simulated.COLUMNS
        error = np.sqrt(np.maximum(expected * (1 - expected), 0.01) * count)
        assert ((rows[rule] - expected).abs() < 4.5 * error).all()


def test_what_is_simulated_is_what_tables_do():
    for one in simulated.POPULATIONS:
        x = simulated.columns_of(one, 7, 3, 2)
        record = LOSS if one.ratio else ACCURACY
        low, high = simulated.CANDIDATES[simulated.RULE[simulated.kind_of(one)]](simulated.all_pairs(x, one.ratio))
        for column, lows, highs in zip(x, low, high, strict=True):
            for a, b, *bounds in zip(*simulated.pairs_of(3), lows, highs, strict=True):
                pair = (pd.Series(column[i]) for i in ((b, a) if one.ratio else (a, b)))
                found = ties.gap(*pair, record, ties.family_level(ties.LEVEL, 3)).interval
                assert (found.low, found.high) == pytest.approx(tuple(bounds), abs=1e-9), one.name


def test_a_note_speaks_of_no_mark_that_is_not_there():
    text = notes.marks_note(table_of(made({"relu": BASE, "elu": BASE - 0.2 + NOISE})).frame)
    assert "**Bold**" in text
    assert "†" not in text
    assert "?" not in text
