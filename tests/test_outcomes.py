"""What a table may say of outcomes: nothing of those runs alone that happened to get there."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from actlab.analysis import censored, compare, confounds, doubts, panels, report
from actlab.analysis.cells import build_cells
from actlab.analysis.figures import FIGURES
from actlab.analysis.stages import Tuning, but_for, of_stages
from actlab.analysis.tables import TABLES
from actlab.study.selection import Select
from tests.synthetic import frames
from tests.typed import typed

FEW = frames(("relu", "elu"), (2, 5), (1e-3,), seeds=2)


def test_a_table_that_there_is_no_more_is_refused_in_a_study_and_left_out_of_stored_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("study: s\ndata: {name: iris}\nreport:\n  tables: [performance, ranks]\n")
    code, _, err = typed(capsys, "plan", "s.yaml")
    assert code == 2
    assert "s.yaml:4: report.tables: there is no table 'ranks' any more" in " ".join(err.split())
    assert "take it out of the list" in err
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "ranks.csv").write_text("of an earlier version")
    wanted = {"study": "s", "report": {"tables": ["performance", "ranks"], "figures": []}}
    report.write(tmp_path, wanted, {}, *FEW)
    assert "There is no table `ranks` any more: mean ranks over the settings" in (tmp_path / "report.md").read_text()
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == {"performance"}


# Times to a target


def timed(times, diverged=(), seeds=None, every=100):
    """A study of one depth: {activation: steps to the target of each seed}, ∞ where it never got there."""
    seeds = seeds or len(next(iter(times.values())))
    runs, steps, layers = frames(tuple(times), (2,), (1e-3,), seeds=seeds, every=every, evaluate_every=every)
    for name, values in times.items():
        mine = runs["activation"] == name
        runs.loc[mine, "steps_to_target"] = [math.nan if math.isinf(value) else value for value in values]
        runs.loc[mine, "target_reached"] = np.isfinite(values)
    for name, seed in diverged:
        runs.loc[(runs["activation"] == name) & (runs["seed"] == seed), ["status", "diverged_step"]] = ["diverged", 900]
    return build_cells(runs, steps, layers)


NEVER = math.inf


def test_the_median_of_times_is_kaplan_and_meiers():
    rng = np.random.default_rng(0)
    for n in (1, 4, 5, 8, 20):
        times = rng.choice([250, 500, 750, 1000, NEVER], n, p=[0.3, 0.2, 0.1, 0.1, 0.3])
        reached = np.isfinite(times)
        seen = sps.CensoredData(uncensored=times[reached], right=np.full((~reached).sum(), 1000))
        survival = sps.ecdf(seen).sf
        half = survival.quantiles[survival.probabilities <= 0.5 + 1e-9]
        assert censored.median_time(times) == (half.min() if half.size and reached.any() else NEVER)


def test_the_p_value_counts_every_exchange_of_the_pairs():
    rng = np.random.default_rng(1)
    for n in (6, 8):
        a, b = rng.integers(0, 4, (2, n)).astype(float)
        means = [np.mean((a - b) * signs) for signs in itertools.product((1, -1), repeat=n)]
        share = np.mean(np.abs(means) >= abs(np.mean(a - b)) - 1e-12)
        assert censored.exchange_p_value(a, b) == pytest.approx(share)


def test_chance_tells_apart_no_more_often_than_it_is_said_to():
    """The best is chosen from the same times: without the correction one in six such columns would have a verdict."""
    rng = np.random.default_rng(2)
    columns = (pd.DataFrame(rng.choice([100.0, 200, 300, NEVER], (9, 4))) for _ in range(100))
    assert np.mean([bool(censored.soonest(one).later) for one in columns]) <= 0.05


def test_who_never_got_there_is_last_and_no_mean_is_of_the_others_alone():
    got, lost = [100.0, 100, 200, 100, 200, 100, 100], [100.0, NEVER, NEVER, 100, NEVER, NEVER, NEVER]
    table = TABLES["convergence"].make(timed({"relu": got, "elu": lost}, diverged=[("elu", 3)]))
    frame = table.frame.set_index(["activation", "measure"])
    time, share = frame.loc[("elu", "steps_to_target")], frame.loc[("elu", "target_reached")]
    assert (time["n"], time["runs"], time["diverged"], time["censored"]) == (1, 7, 1, 5)
    assert (share["n"], share["mean"]) == (7, pytest.approx(1 / 7))
    assert math.isinf(time["median"])
    assert frame.xs("steps_to_target", level=1)["mean"].isna().all()
    assert table.wide.iloc[:, -1].tolist() == [
        "**7 of 7 reached: ≤ 100 (≤ 100 to 200)**",
        "1 of 7 reached (1 diverged)",
    ]
    assert "a diverged run never did" in table.note
    assert "enter no mean" not in table.note
    assert "Evaluated every 100 steps: a time is known to within them, and of 1 of 2 cells" in table.note
    assert time["p_value"] == 2 / 2**7 * 2  # of seven pairs two are equal in rank: 2 of 2⁵
    assert not {"*", "†"} & set(TABLES["convergence"].make(timed({"relu": got[:5], "elu": lost[:5]})).wide.to_string())


@pytest.mark.parametrize(
    ("times", "said"),
    {
        "too few": ({"a": [100.0] * 5, "b": [200.0] * 5}, "fewer than 6 pairs of one seed can tell none apart; it"),
        "too many": (
            {name: [100.0 + 100 * (name != "a")] * 7 for name in "abcde"},
            "7 pairs of one seed can tell none apart once it is corrected for 10 comparisons; it takes 9 seeds",
        ),
        "equal": ({"a": [100.0] * 9, "b": [100.0] * 9}, "No cell is the soonest: several are the first at this"),
        "alike": (
            {"a": [100.0, 200] * 4, "b": [200.0, 100] * 3 + [200, 300]},
            "No cell is told apart from the",
        ),
        "nobody": ({"a": [NEVER] * 6, "b": [NEVER] * 6}, "No run reached it."),
    }.values(),
)
def test_no_mark_where_no_cell_is_told_apart(times, said):
    table = TABLES["convergence"].make(timed(times))
    assert not {"*", "†", "?", "‡"} & set(table.wide.to_string())
    assert not table.frame[["best", "undecided"]].any(axis=None)
    assert said in table.note
    assert table.note.count("95 % intervals of the share that reached, in the CSV, over seeds: Wilson") == 1
    assert table.note.count("95 % intervals") == 1  # no time has any


def test_what_is_not_told_apart_from_the_soonest_says_so():
    soon, slow = [100.0, 100, 100, 100, 100, 100, 100, 200], [400.0] * 7 + [NEVER]
    frame = TABLES["convergence"].make(timed({"relu": soon, "elu": [*soon[:6], 200.0, 200.0], "gelu": slow})).frame
    frame = frame[frame["measure"] == "steps_to_target"].set_index("activation")
    assert frame["best"].to_dict() == {"relu": True, "elu": False, "gelu": False}
    assert frame["undecided"].to_dict() == {"relu": False, "elu": True, "gelu": False}


def test_repeats_of_a_split_are_not_independent():
    """Eight seeds of one split each tell two cells apart; two splits with four seeds each cannot."""
    times = {"relu": [100.0] * 8, "elu": [200.0] * 8}
    cells = timed(times)
    assert TABLES["convergence"].make(cells).frame["best"].any()
    two = replace(cells, made={}, selected=cells.selected.assign(data_seed=cells.selected["seed"] % 2))
    assert not TABLES["convergence"].make(two).frame["best"].any()


# What some runs have no value of


def test_a_number_of_the_runs_that_have_one_is_not_printed_as_the_cells():
    runs, steps, layers = frames(("relu", "elu", "gelu"), (2,), (1e-3,), seeds=7)
    runs.loc[runs["activation"] == "relu", "test_accuracy"] = [0.9, 0.8, 0.7, 0.95, 0.91, math.nan, math.nan]
    lost = (runs["activation"] == "elu") & (runs["seed"] == 0)
    runs.loc[lost, ["status", "test_accuracy"]] = ["diverged", math.nan]
    table = TABLES["performance"].make(build_cells(runs, steps, layers))
    text = dict(zip(table.wide["activation"], table.wide.iloc[:, -1], strict=True))
    assert text["`relu`"] == "5 of 7 defined: 0.900 (0.700 to 0.950)"
    assert text["`elu`"].startswith("6 of 7 trained: ")
    assert "[" in text["`gelu`"]
    row = table.frame.set_index("activation").loc["relu"]
    assert (row["n"], row["missing"], row["method"], row["median"]) == (5, 2, "none", 0.9)
    assert math.isnan(row["low"])
    assert "Where some runs of a cell have no value, how many have one stands first" in table.note
    assert "Fewer than 5 values" not in table.note  # that is not why
    assert "how many have one stands first" in " ".join(report.headline({}, {}, runs, steps, layers).split("\n"))
    runs.loc[runs["activation"] == "relu", "steps_to_target"] = [100, 200, 300, 400, 500, math.nan, math.nan]
    runs["target_reached"] = runs["steps_to_target"].notna()
    text = compare.format(compare.compare([("s", runs, steps, layers)], "steps_to_target", ["activation"]))
    assert "5 of 7 reached: 400 (≤ 100 to never)" in text
    assert "6 of 7 reached: " in text


def test_a_share_of_those_that_did_not_diverge_has_no_interval_and_norms_keep_their_scale():
    runs, steps, layers = frames(("relu", "elu"), (3,), (1e-3,), seeds=6)
    lost = runs["run"][(runs["activation"] == "relu") & (runs["seed"] < 2)]
    runs.loc[runs["run"].isin(lost), ["status", "diverged_step"]] = ["diverged", 100]
    cells = build_cells(runs, steps, layers)
    dead = TABLES["dead_units"].make(cells).frame
    row = dead[(dead["measure"] == "network_dead") & (dead["activation"] == "relu")].iloc[0]
    assert (row["n"], row["mean"], row["method"]) == (4, 0.0, "none")
    norms = TABLES["gradient_norms"].make(cells).frame
    final = norms[(norms["activation"] == "relu") & (norms["at"] == "final")]
    assert final[["low", "high"]].isna().all(axis=None)
    assert (final["least"] <= final["mean"]).all()
    assert (final["mean"] <= final["greatest"]).all()
    assert norms.loc[norms["at"] == "init", "low"].notna().all()  # there all runs had a value


# Confounds


def test_confounds_are_named_where_they_are_shown_and_only_there():
    rates = (1e-4, 1e-3, 1e-2)
    runs, steps, layers = frames(("tanh", "relu", "prelu"), (2, 7), rates, seeds=2)
    runs["status"] = "ok"
    best = {("tanh", 7): 1e-4, ("relu", 2): 1e-2, ("prelu", 7): 1e-4}
    wanted = [best.get(cell, 1e-3) for cell in zip(runs["activation"], runs["depth"], strict=True)]
    runs["validation_loss"] = np.where(runs["learning_rate"] == wanted, 0.1, 0.5)
    runs["trained"] = runs["activation"] != "prelu"
    lost = (runs["activation"] == "relu") & (runs["depth"] == 7) & (runs["seed"] == 1) & (runs["learning_rate"] == 1e-3)
    cells = build_cells(runs, steps, layers, Select())
    note = TABLES["performance"].make(cells).note
    assert "Compared at different initialisations, by `auto`: `glorot_normal` for `tanh`; `he_normal` for" in note
    assert "More parameters: `prelu` learns alpha, the others none." in note
    ends = (
        "is the lowest of its grid for `tanh` (depth 7) and the highest of its grid for `relu` (depth 2), which train"
    )
    assert f"The selected learning rate {ends}: a better one may lie beyond it." in note  # prelu does not train at all
    assert "best of 3 values on the seeds that are shown" in note
    assert ends in TABLES["selection"].make(cells).note
    terminal = " ".join(report.headline({}, {}, runs, steps, layers).split())
    assert "the selected one is an end of its grid (0.0001 to 0.01): a better one may lie beyond, for tanh" in terminal
    assert [terminal.count(once) for once in ("its grid", "Compared at", "More parameters", "on the seeds")] == [1] * 4
    assert "Left out" not in note
    every = build_cells(runs.assign(status=np.where(lost, "diverged", "ok")), steps, layers)
    note = TABLES["performance"].make(every).note
    assert "Left out, since they diverged: of `relu` (depth 7, learning rate 0.001) 1 of 2." in note
    assert "Left out" not in TABLES["trained"].make(every).note  # there they count
    assert "its grid" not in note
    assert "seeds that are shown" not in note
    alike = runs[runs["activation"] == "relu"].assign(weight_init="he_normal")
    note = TABLES["performance"].make(build_cells(alike, steps, layers)).note
    assert "Compared at" not in note
    assert "More parameters" not in note


def test_values_that_were_selected_on_other_seeds_flatter_nobody():
    runs, steps, layers = frames(("tanh", "relu"), (2,), (1e-4, 1e-3, 1e-2), seeds=4)
    runs["validation_loss"] = np.where(runs["learning_rate"] == 1e-3, 0.1, 0.5)
    fresh = runs[(runs["learning_rate"] == 1e-3) == (runs["seed"] < 2)]  # the others were run on other seeds
    assert "seeds that are shown" not in TABLES["performance"].make(build_cells(fresh, steps, layers, Select())).note
    some = runs[(runs["activation"] == "relu") | (runs["learning_rate"] != 1e-4)]
    note = TABLES["performance"].make(build_cells(some, steps, layers, Select())).note
    assert "best of 2 to 3 values on the seeds that are shown" in note
    assert "cells with more values had the better chance" in note


def tuned_on_other_seeds(diverged=False):
    """A study in two stages: three rates on three tuning seeds, four fresh seeds at the one that they chose."""
    runs, steps, layers = frames(("relu", "prelu"), (2, 5), (1e-4, 1e-3, 1e-2), seeds=7)
    runs = runs.assign(status="ok", seed=np.where(runs["seed"] < 4, runs["seed"], runs["seed"] + 999_996))
    runs["validation_loss"] = np.where(runs["learning_rate"] == 1e-3, 0.1, 0.5)
    tuning = runs["seed"] >= 1_000_000
    chosen = frozenset(runs.loc[tuning & (runs["learning_rate"] == 1e-3), "run"])
    runs = runs[tuning | (runs["learning_rate"] == 1e-3)]
    if diverged:
        runs = runs.assign(status=np.where((runs["depth"] == 2) & (runs["seed"] < 2), "diverged", "ok"))
    return build_cells(
        runs, steps, layers, Select(), tuning=Tuning((1_000_000, 1_000_001, 1_000_002), frozenset(chosen))
    )


def test_there_is_one_count_of_the_runs_of_two_stages():
    cells = tuned_on_other_seeds(diverged=True)
    all_of = int(cells.selection["runs"].sum()) + len(cells.selected)
    tuning = re.match(r"(\d+) tuning runs: .* (\d+) fresh runs", of_stages(cells))
    assert sum(map(int, tuning.groups())) == all_of
    assert f" of {all_of} runs diverged, in " in doubts.diverged(cells, {})
    assert f"(all but the {all_of - len(cells.runs)} tuning runs at selected values)" == but_for(cells).strip()


def test_a_cell_that_trains_at_its_selected_rate_alone_is_one_that_trains():
    """Its tuning runs there are not shown, once fresh ones are; these say that it trains."""
    runs, steps, layers = frames(("relu",), (2,), (1e-4, 1e-3, 1e-2), seeds=5)
    runs = runs.assign(status="ok", seed=np.where(runs["seed"] < 3, runs["seed"], runs["seed"] + 999_997))
    runs["validation_loss"] = np.where(runs["learning_rate"] == 1e-2, 0.1, 0.5)
    runs["trained"] = runs["learning_rate"] == 1e-2
    tuning = runs["seed"] >= 1_000_000
    chosen = frozenset(runs.loc[tuning & runs["trained"], "run"])
    staged = Tuning((1_000_000, 1_000_001), chosen)
    cells = build_cells(runs[tuning | runs["trained"]], steps, layers, Select(), tuning=staged)
    assert "trains in 1 cell, and in 1 of these" in doubts.ends_of_grid(cells, {})


def test_fresh_seeds_of_cells_that_a_table_leaves_out_did_not_choose():
    cells = tuned_on_other_seeds()
    for name in ("vanishing_slopes", "learned_parameters", "performance", "selection"):
        table = TABLES[name].make(cells)
        assert "seeds that are shown" not in table.note, name
        assert "4 fresh seeds, none of which chose" in table.note


def test_what_diverged_is_counted_of_the_cells_that_a_table_has():
    cells = tuned_on_other_seeds(diverged=True)
    slopes = TABLES["vanishing_slopes"].make(cells)  # from depth 3 on
    assert set(slopes.frame["depth"]) == {5}
    assert "None of these 8 runs diverged; 4 of the others did." in slopes.note
    assert "2 of 8 runs diverged" in TABLES["learned_parameters"].make(cells).note  # of prelu's
    assert "4 of 16 runs diverged" in TABLES["performance"].make(cells).note


def test_cells_are_named_in_their_order_three_of_them():
    runs, steps, layers = frames(("relu", "prelu", "elu", "tanh", "gelu"), (2,), (1e-3,), seeds=2)
    runs.loc[runs["seed"] == 1, ["status", "test_accuracy"]] = ["diverged", math.nan]
    inits = {"tanh": "glorot_normal", "relu": "he_normal", "prelu": "he(0.25)", "elu": "variance", "gelu": "he_normal"}
    runs["weight_init_used"] = runs["activation"].map(inits)
    note = TABLES["performance"].make(build_cells(runs, steps, layers)).note
    assert "of `tanh` 1 of 2, of `relu` 1 of 2, of `prelu` 1 of 2, and some of 2 further cells." in note
    assert (
        "`glorot_normal` for `tanh`; `he_normal` for `relu`, `gelu`; `he(0.25)` for `prelu`; 1 other for 1 further"
        " activation."
    ) in note


def test_only_few_runs_are_said_to_be_few():
    """Where some of a cell trained its median is theirs, however many there are."""
    runs, steps, layers = frames(("relu", "elu", "tanh"), (2,), (1e-3,), seeds=7)
    runs["trained"] = runs["activation"] == "elu"
    runs.loc[runs["activation"].eq("tanh") & (runs["seed"] > 2), "trained"] = True
    lost = runs["activation"].eq("relu") & (runs["seed"] < 2)
    runs.loc[lost, ["status", "test_accuracy"]] = ["diverged", math.nan]
    table = TABLES["performance"].make(build_cells(runs, steps, layers))
    terminal = " ".join(report.headline({}, {}, runs, steps, layers).split("\n"))
    assert "0 of 7 trained: " in table.wide.to_string()
    for text in (table.note.replace("*", ""), terminal):
        assert "Fewer than" not in text
        assert "fewer than" not in text
        assert "how many have one stands first" not in text  # how many trained does
        assert "is of all runs" not in text
        assert "where none trained and some diverged, what follows is the median (least to greatest)" in text


def test_at_init_what_diverged_later_is_left_out_at_the_end_alone():
    runs, steps, layers = frames(("relu", "elu"), (3,), (1e-3,), seeds=6)
    runs.loc[runs.index[:2], ["status", "diverged_step"]] = ["diverged", 200]
    note = TABLES["vanishing_slopes"].make(build_cells(runs, steps, layers)).note
    assert "at init, before they diverged, they do enter" in note
    assert "Left out at the end, since they diverged: of `relu` 2 of 6." in note


def test_equal_steps_are_not_equal_epochs():
    few, many = (frames(("relu",), (2,), (1e-3,), seeds=1 + i) for i in range(2))
    runs = pd.concat([few[0].assign(train_rows=64), many[0].assign(train_rows=640, seed=[7, 8])])
    both = runs, pd.concat([few[1], many[1]]), pd.concat([few[2], many[2]])
    frame = compare.compare([("s", *both)], "test_accuracy", ["activation", "train_rows"])
    assert (
        "All train for 200 steps, which are 20 to 200 epochs: their numbers of training rows differ."
        in compare.format(frame)
    )
    assert "epochs" not in compare.format(compare.compare([("s", *few)], "test_accuracy", ["activation", "train_rows"]))
    rest = pd.DataFrame({"steps": 20, "batch_size": 64, "train_rows": [100, 1000]})  # what is left of them is dropped
    assert "which are 1.33 to 20 epochs" in confounds.epochs(rest)
    assert confounds.epochs(rest.assign(train_rows=[100, 127])) == ""


def test_compare_names_confounds_too():
    runs, steps, layers = frames(("tanh", "relu"), (2,), (1e-3,), seeds=3)
    runs.loc[runs.index[0], ["status", "diverged_step"]] = ["diverged", 100]
    text = compare.format(compare.compare([("s", runs, steps, layers)], "train_loss", ["activation"]))
    assert "Compared at different initialisations" in text
    assert "Left out, since they diverged: of `tanh` 1 of 3." in text
    assert "Left out" not in compare.format(compare.compare([("s", runs, steps, layers)], "trained", ["activation"]))


@pytest.mark.parametrize("width", [60, 80, 110])
def test_the_answer_fits_the_terminal_and_loses_no_number(width):
    study = frames(("relu", "elu", "tanh"), (2, 10, 30, 50), (1e-3,), seeds=7)
    wide = TABLES["performance"].make(build_cells(*study)).wide
    cells = build_cells(*study)
    shown = report.headline_text({}, cells, TABLES["performance"].make(cells), width=width)
    assert max(map(len, shown.splitlines())) <= width
    for number in wide.iloc[:, 1:].to_numpy().ravel():
        assert number.replace("**", "").split()[0] in shown


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_gap_by_rows_is_that_of_the_table_at_each_number_of_rows(task):
    runs, steps, layers = frames(("relu", "prelu"), (3,), (1e-3,), seeds=5, task=task, train_rows=(50, 200))
    name = "generalization_gap_error" if task == "classification" else "generalization_gap_loss"
    runs[name] = runs["seed"] * 0.01 + 10 / runs["train_rows"]
    made = FIGURES["gap_by_rows"].make(build_cells(runs, steps, layers, Select()))
    frame = made.frame[made.frame["measure"] == name].set_index(["activation", "train_rows"])
    for (activation, rows), one in runs.groupby(["activation", "train_rows"]):
        assert frame.loc[(activation, rows), "mean"] == pytest.approx(one[name].mean())
    assert set(frame["measure"]) == {name}
    lines = [line for axes in panels.render(made.spec, made.pages[""]).axes for line in axes.get_ylabel().splitlines()]
    assert 0 < max(map(len, lines)) <= 32  # what is longer leaves its panel
    alike = runs["train_rows"] == 50
    assert FIGURES["gap_by_rows"].make(build_cells(runs[alike], steps, layers, Select())) is None
