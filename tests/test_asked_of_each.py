"""Claims of the trial by what they are asked of: each depth or task, some of them, the order alone, all networks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actlab.analysis import scopes
from actlab.analysis.cells import build_cells
from actlab.analysis.claims import AT_LEAST, CONTRADICTED, INCONCLUSIVE, ONLY_IF, SUPPORTED, judge
from actlab.analysis.under import AT, Condition
from benchmarks.judged import complexity as patterns
from benchmarks.judged import dying_relu as on_dying
from benchmarks.judged import equal_shift as on_rates
from benchmarks.judged import tasks as on_tasks
from benchmarks.judged.made import TWO, cells_of, first_records, named, runs_of
from experiments import bias_shift, complexity, dying_relu, equal_shift, normalising, tasks
from tests.synthetic import frames

ROOT = Path(__file__).parents[1]
SPREAD = np.array([0.001, -0.001, 0.002, 0.0, -0.002])
SEEDS = 15
MET = ("momentum (one of the two meets the target in 9", "adam (one of the two meets the target in 12")
DEAD = ("died_fraction", "born_dead_fraction", "weak_fraction", "test_accuracy")

NO_VALUE = "no number of seeds like these would, since none has a value"
BY_LOSS = "by the rule on its training loss, which need not follow accuracy"


def spread(runs):
    """Small differences between seeds, so that means have intervals."""
    return np.resize(SPREAD, int(runs["seed"].max()) + 1)[runs["seed"]]


def words_of(one):
    """{condition: what was found under it}."""
    return {row.condition: row.verdict for row in one.under}


def dying_at(died):
    """Cells of ReLU at its harsh rate; {depth: share that died}."""
    runs, steps, layers = frames(("relu",), (2, 5), (0.01, 0.1), SEEDS, 50, 50, 50, optimizer="adam")
    at_end = steps.groupby("run")["step"].transform("max") == steps["step"]
    own = steps["run"].map(runs.set_index("run")["depth"]).map(died)
    noise = steps["run"].map(pd.Series(spread(runs), runs["run"]))
    steps = steps.assign(died_fraction=np.where(at_end, own + noise, 0.0), born_dead_fraction=0.0)
    return build_cells(runs.assign(status="ok"), steps, layers)


def test_that_units_die_is_asked_of_each_depth():
    """Its mean over depths was 0.1, ten times what is claimed, all of it one depth's."""
    one = dying_relu.relu_units_die(dying_at({2: 0.002, 5: 0.2}))
    assert words_of(one) == {"adam at 0.1, depth 5": SUPPORTED, "adam at 0.1, depth 2": CONTRADICTED}
    assert one.verdict == ONLY_IF
    assert dying_relu.relu_units_die(dying_at({2: 0.2, 5: 0.2})).verdict == SUPPORTED


@pytest.mark.parametrize(("trains", "word"), [(0.0, INCONCLUSIVE), (0.4, INCONCLUSIVE), (0.6, SUPPORTED)])
def test_where_next_to_none_trains_accuracies_decide_nothing(trains, word):
    """Failures beside failures: of five layers so many pairs have a network that trained."""
    runs, steps, layers = frames(("relu", "leaky_relu"), (2, 5), (0.01, 0.1), SEEDS, 50, 50, 50, optimizer="adam")
    runs = runs.assign(status="ok", trained=(runs["depth"] == 2) | (runs["seed"] < trains * SEEDS))
    gain = 0.3 * (runs["activation"] == "leaky_relu") + spread(runs) * (1 + (runs["activation"] == "relu"))
    steps = steps.assign(test_accuracy=0.2 + steps["run"].map(pd.Series(gain.to_numpy(), runs["run"])))
    one = dying_relu.leaky_performs(build_cells(runs, steps, layers))
    found = words_of(one)
    assert found.pop("adam at 0.1, depth 2", one.verdict) == SUPPORTED
    if word == INCONCLUSIVE:
        assert found == {
            f"adam at 0.1, depth 5 (one of the two trains in {trains * SEEDS:.0f} of 15 pairs)": INCONCLUSIVE
        }
    assert one.verdict == word
    alike = f"both train equally often {BY_LOSS} (of 15 pairs leaky_relu in 15, relu in 15)"
    assert f"; at adam at 0.1, depth 2 {alike}" in one.evidence
    assert ("; at adam at 0.1, depth 5" in one.evidence) == (word == SUPPORTED)


@pytest.mark.parametrize(("leaky", "relu", "said"), [(9, 12, "relu"), (12, 9, "leaky_relu")])
def test_which_of_two_trains_more_often_is_said_where_their_accuracies_decide(leaky, relu, said):
    both = pd.DataFrame(
        {"depth": 2, "seed": range(15), "learning_rate": 0.1, "weight_init": "he", "bias_init": "zeros"}
    )
    both = both.assign(leaky_trains=both["seed"] < leaky, relu_trains=both["seed"] < relu, either=both["seed"] < 12)
    counts = f"(of 15 pairs leaky_relu in {leaky}, relu in {relu})"
    assert (
        dying_relu.trains_more_often(both) == f"; at adam at 0.1, depth 2 {said} trains more often {BY_LOSS} {counts}"
    )


def test_what_dies_and_what_is_weak_are_asked_under_conditions_of_one_name():
    """So that the chain finds both numbers of one condition."""
    runs = runs_of(on_dying.AT_HIGH, 20)
    by_claim = [
        words_of(claim(cells_of(runs, steps=first_records(runs, **dict.fromkeys(DEAD, 0.3 + spread(runs))))))
        for claim in (dying_relu.relu_units_die, dying_relu.leaky_is_hardly_weak, dying_relu.leaky_performs)
    ]
    assert [list(one) for one in by_claim] == [[f"adam at 0.1, depth {depth}" for depth in (2, 5, 10)]] * 3


def test_where_no_unit_dies_and_where_runs_diverged_is_said():
    cells = dying_at({2: 0.0, 5: 0.2})
    shallow = cells.steps["run"].isin(cells.runs.loc[cells.runs["depth"] == 2, "run"])
    cells.steps.loc[shallow, "died_fraction"] = 0.0
    lost = (cells.runs["depth"] == 5) & (cells.runs["seed"] < 7) & (cells.runs["learning_rate"] == 0.1)
    cells.runs.loc[lost, "status"] = "diverged"
    one = dying_relu.relu_units_die(cells)
    assert "at adam at 0.1, depth 2 no unit died in any of 15 networks: equal values have no interval" in one.evidence
    assert "7 of 30 runs diverged and are left out (7 of 15 at adam at 0.1, depth 5, " in one.evidence


def test_gradient_flow_is_asked_of_each_task_and_pairs_without_a_number_are_said():
    """Its mean over tasks was below what is claimed, and hid a task on which mish's slope is the nearer to 0."""
    runs = runs_of(named("mish", "swish") | on_tasks.ON_TASKS, 20)
    there = (runs["data"] == "wine") & (runs["optimizer"] == "adam")
    size = 0.1 + spread(runs) + np.where(runs["activation"] == "swish", np.where(there, 0.03, -0.005) + spread(runs), 0)
    own = runs.assign(test_accuracy=np.nan, test_r2=np.nan)
    steps = first_records(runs, vanishing_slope=-size)
    one = tasks.mish_flows_better_than_swish(cells_of(own, runs=own, steps=steps))
    words = words_of(one)
    assert (len(words), one.verdict) == (20, ONLY_IF)
    assert {name for name, word in words.items() if word == SUPPORTED} == {"wine, adam"}
    assert "; no network diverged; " in one.evidence
    gone = (own["activation"] == "mish") & there & (own["seed"] < 4)
    lost = own.assign(status=np.where(gone, "diverged", "ok"))
    one = tasks.mish_flows_better_than_swish(cells_of(lost, runs=lost, steps=steps))
    assert "4 of 400 pairs are left out, as networks diverged (4 of mish): 4 of 20 at wine under adam" in one.evidence
    assert {row.condition: row.n for row in one.under}["wine, adam"] == 16


def test_who_meets_the_target_first_is_asked_of_each_task_on_which_some_do():
    """Its mean over tasks was supported, with the ties of networks that never meet it; where most do not, none is."""
    runs = runs_of(named("prelu", "elu") | on_tasks.ON_TASKS, 20)
    elu, wine, teacher = runs["activation"] == "elu", runs["data"] == "wine", runs["data"] == "teacher"
    met = ~teacher | (elu & (runs["seed"] < 9))
    met |= teacher & elu & (runs["optimizer"] == "adam") & (runs["seed"] < 12)
    steps = np.where(
        elu, np.where(wine, 100.0, 50.0), np.where((runs["data"] == "digits") & (runs["seed"] < 5), 50, 75)
    )
    own = runs.assign(target_reached=met, steps_to_target=steps, test_accuracy=np.nan, test_r2=np.nan)
    one = tasks.elu_is_faster_than_prelu(cells_of(own, runs=own))
    rows = {row.condition: row for row in one.under}
    assert (len(rows), one.verdict) == (20, ONLY_IF)
    assert {rows[f"wine, {name}"].verdict for name in TWO} == {CONTRADICTED}  # the mean over tasks was above δ
    late, some = (rows[f"teacher, {at} of 20 pairs)"] for at in MET)
    assert (late.n, late.verdict, late.more) == (0, INCONCLUSIVE, NO_VALUE)
    assert (some.n, some.estimate) == (20, (12 + 0.5 * 8) / 20)  # a tie of two that never do counts half
    assert rows["digits, adam"].estimate == pytest.approx((15 + 0.5 * 5) / 20)
    assert rows["mnist1d, adam"].verdict == SUPPORTED  # all alike: shares have an interval
    assert "(18 of 380 pairs, as losses" in one.evidence
    assert one.evidence.partition("; least")[0].endswith("no number (1 of 20)")


def test_alpha_is_to_leave_its_start_on_each_task():
    """One task on which it stays is named; the mean over tasks hid it."""
    runs = runs_of(named("prelu") | on_tasks.ON_TASKS, 20)
    moved = np.where(runs["data"] == "wine", 0.01, 0.3) + spread(runs)
    layers = first_records(runs, layer=1, alpha=0.25 + moved)
    one = tasks.prelu_moves(cells_of(runs.assign(test_accuracy=np.nan, test_r2=np.nan), layers=layers))
    words = words_of(one)
    assert len(words) == 20
    assert {name for name, word in words.items() if word == CONTRADICTED} == {"wine, adam", "wine, momentum"}


@pytest.mark.parametrize(("gain", "verdict"), [(0.05, SUPPORTED), (0.0, CONTRADICTED)])
def test_some_tasks_are_one_at_least_under_either_optimizer(gain, verdict):
    """A gain on one task under one optimizer alone is what "some" says; of each optimizer was asked until now."""
    runs = runs_of(named("swish", "gelu") | on_tasks.ON_TASKS, 20)
    there = (runs["activation"] == "swish") & (runs["data"] == "wine") & (runs["optimizer"] == "momentum")
    noise = np.random.default_rng(0).normal(scale=0.002, size=len(runs))
    one = tasks.swish_beats_gelu_somewhere(cells_of(runs.assign(test_accuracy=0.8 + gain * there + noise, test_r2=0.0)))
    assert one.verdict == verdict
    assert one.method.endswith("99.75 %, all 20 tasks and optimizers")
    assert one.evidence.endswith("wine, momentum") == (gain > 0)


def test_gains_that_rise_and_fall_are_not_in_order():
    """A hump has a slope, and no order; what rises has both."""
    hump, rise = (pd.DataFrame([gains, gains], columns=range(1, 6)) for gains in ([0, 2, 5, 4, 1], [0, 1, 2, 5, 9]))
    assert complexity.in_order(rise).tolist() == [1.0, 1.0]
    assert complexity.in_order(hump).tolist() == pytest.approx([0.2, 0.2])
    assert complexity.furthest({"rise": pd.DataFrame([[0.0, 1, 2]], columns=[1, 2, 4])}) == pytest.approx(0, abs=1e-12)
    assert complexity.furthest({"hump": pd.DataFrame([[0.0, 3, 0]], columns=[1, 2, 4])}) == pytest.approx(2)
    orders = [patterns.reversing(k, 4) for k in range(7)]
    reversed_pairs = [sum(a > b for i, a in enumerate(one) for b in one[i:]) for one in orders]
    assert reversed_pairs == list(range(7))


def test_with_as_many_units_as_inputs_glorots_weights_break_nothing_and_that_is_said():
    residual = {"residual": True, "standardize": True, "weight_init": "lecun_normal"}
    same = residual | {"residual": False, "weight_init": "glorot_normal"}
    runs = runs_of(named("selu") | {"width": (64, 256), "conditions": (residual, same)}, 20)
    variance = 1e33 * (1 + np.abs(spread(runs)))
    one = normalising.each_condition_is_needed(
        cells_of(runs, layers=first_records(runs, layer=100, act_mean=0.0, act_var=variance))
    )
    assert one.verdict == SUPPORTED
    assert [row.condition for row in one.under] == [
        "Glorot weights, width 256",
        "residual, width 64",
        "residual, width 256",
    ]
    assert "Glorot's weights are LeCun's, and no breach (width 64)" in one.evidence


def test_a_verdict_is_on_what_its_numbers_are_of_and_not_on_all_that_its_study_has():
    """A claim's own settings narrow the scope that stands in its row; one condition alone can say them, too."""
    study = {
        "data": {"name": "digits", "seed": 0},
        "train": {"steps": 400},
        "sweep": {"matrix": {"train.optimizer": ["adam", "sgd"], "model.depth": [2, 5]}, "seeds": 20},
    }
    values = [0.3, 0.31, 0.32, 0.3, 0.31]
    harsh = {Condition(f"depth {depth}", optimizer="adam", depth=depth): values for depth in (2, 5)}
    one = judge("L1a", "", "s", AT_LEAST, 0.1, harsh, "e")
    assert (
        scopes.scope_of(study, scopes.used(one.under)) == "digits; depth 2, 5; adam; steps 400; 20 seeds on one split"
    )
    drawn = judge("S2a", "", "s", AT_LEAST, 0.1, {Condition("as drawn", evaluation="init"): values}, "e")
    assert (len(drawn.under), drawn.condition, drawn.evidence) == (1, "", "e")
    assert (
        scopes.scope_of(study, scopes.used(drawn.under)) == "digits; depth 2, 5; before training; 20 seeds on one split"
    )
    plain = judge("S2a", "", "s", AT_LEAST, 0.1, values, "e")
    assert scopes.scope_of(study, scopes.used(plain.under)) == scopes.scope_of(study)


def test_conditions_of_the_trials_studies_are_settings_and_not_words_alone():
    rows = pd.read_csv(ROOT / "results/claims/tables/claims-conditions.csv")
    settings = [name for name in rows if name.startswith(AT)]
    bare = rows[rows[settings].isna().all(axis=1)]
    assert set(bare["study"]) <= {"shape", "cost"}


def test_at_one_rate_the_shift_is_compared_at_each():
    """What a higher rate of ReLU's does is no part of it: here the shift is the rate's alone."""
    runs = runs_of(named("relu", "leaky_relu", "elu") | {"optimizer": TWO, "learning_rate": (1e-3, 1e-2)}, 20)
    shift = np.where(runs["learning_rate"] == 1e-3, 0.3, 0.6) + spread(runs) * (1 + (runs["activation"] == "elu"))
    layers = first_records(runs, layer=2, preact_mean_share=shift)
    one = equal_shift.less_than_relu_at_equal_rates(cells_of(runs, layers=layers))
    assert one.verdict == CONTRADICTED
    assert set(words_of(one)) == {f"{name} at {rate:g}" for name in TWO for rate in (1e-3, 1e-2)}
    low = np.where(runs["activation"] == "elu", 0.4, 1.0) * shift
    assert (
        equal_shift.less_than_leaky_at_equal_rates(cells_of(runs, layers=layers.assign(preact_mean_share=low))).verdict
        == SUPPORTED
    )
    assert (equal_shift.LESS, equal_shift.OF) == (bias_shift.LESS, "preact_mean_share")


def test_at_one_rate_mean_activations_are_compared_too_and_relus_shift_is_the_fault_at_each():
    """Under conditions of one name and settings: the chain finds both numbers of each."""
    runs = runs_of(on_rates.AT_RATES, 20)
    elu = runs["activation"] == "elu"
    mean = np.where(elu, 0.2, 0.6) + spread(runs) * (1 + elu)
    own = {"act_mean": -mean, "act_var": 1 - mean**2, "preact_mean_share": mean}
    cells = cells_of(runs, layers=first_records(runs, layer=2, **own))
    nearer, less, fault = (
        claim(cells)
        for claim in (
            equal_shift.means_are_nearer_at_equal_rates,
            equal_shift.less_than_relu_at_equal_rates,
            equal_shift.relu_shifts_at_each_rate,
        )
    )
    assert [one.verdict for one in (nearer, less, fault)] == [SUPPORTED] * 3
    assert nearer.estimate == pytest.approx(0.4, abs=0.01)
    assert fault.estimate == pytest.approx(0.6, abs=0.01)
    assert [row.settings for row in fault.under] == [row.settings for row in less.under]
    assert less.under[0].at == {"optimizer": "adam", "learning_rate": "0.0003"}
