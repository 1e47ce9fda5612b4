"""What a table may say of outcomes: nothing of those runs alone that happened to get there."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats as sps

from actlab.analysis import censored, report
from actlab.analysis.cells import build_cells
from actlab.analysis.tables import TABLES
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
    columns = (pd.DataFrame(rng.choice([100.0, 200, 300, NEVER], (9, 4))) for _ in range(150))
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
    assert not table.frame[["best", "open"]].any(axis=None)
    assert said in table.note
    assert table.note.count("95 % intervals over seeds: Wilson") == 1  # of the share in the CSV: no mean has any


def test_what_is_not_told_apart_from_the_soonest_says_so():
    soon, slow = [100.0, 100, 100, 100, 100, 100, 100, 200], [400.0] * 7 + [NEVER]
    frame = TABLES["convergence"].make(timed({"relu": soon, "elu": [*soon[:6], 200.0, 200.0], "gelu": slow})).frame
    frame = frame[frame["measure"] == "steps_to_target"].set_index("activation")
    assert frame["best"].to_dict() == {"relu": True, "elu": False, "gelu": False}
    assert frame["open"].to_dict() == {"relu": False, "elu": True, "gelu": False}


def test_repeats_of_a_split_are_not_independent():
    """Eight seeds of one split each tell two cells apart; two splits with four seeds each cannot."""
    times = {"relu": [100.0] * 8, "elu": [200.0] * 8}
    cells = timed(times)
    assert TABLES["convergence"].make(cells).frame["best"].any()
    two = replace(cells, made={}, selected=cells.selected.assign(data_seed=cells.selected["seed"] % 2))
    assert not TABLES["convergence"].make(two).frame["best"].any()
