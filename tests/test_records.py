"""From records to a run's row: what is kept of a diverged run, thinned layers, first times, and norms in log scale."""

import numpy as np
import pyarrow as pa
import pytest

from actlab.engine import records
from actlab.engine.frames import OF_LAYER, explode
from actlab.nn.probes import DEATH, GRADIENTS
from tests.core import frames_of

STEPS = np.array([0, 20, 40, 60, 80, 90])
EVALUATED = np.array([True, False, True, False, True, True])  # at every second record, and at the last
DEPTH = 6


def some_records(rows=6, depth=DEPTH, **changes):
    """Make records as a worker does, of plausible numbers that differ everywhere."""
    t, l = np.arange(rows)[:, None], np.arange(1, depth + 1)[None, :]
    evaluated = EVALUATED[:rows]
    falling = 1.0 / (1 + np.arange(rows))
    recorded = {
        "train_loss": falling,
        "train_accuracy": 1 - 0.5 * falling,
        "network_dead": np.where(evaluated, 0.0, np.nan),
        "exponent": np.broadcast_to(l - depth, (rows, depth)),
        "gradients": {name: (1 + t + l / 10).astype(np.float32) for name in GRADIENTS[:2]},
        "log2_median": (-t - l / 10).astype(np.float32),
        "layers": dict.fromkeys(("act_mean", "update_ratio", *DEATH), t + l / 100),
    }
    for part, extra in (("validation", 0.1), ("test", 0.2)):
        recorded[f"{part}_loss"] = np.where(evaluated, falling + extra, np.nan)
        recorded[f"{part}_accuracy"] = np.where(evaluated, 1 - 0.5 * falling - extra, np.nan)
    return recorded | changes


def row_of(recorded, **changes):
    options = {
        "steps": STEPS,
        "last_step": 90,
        "diverged_step": -1,
        "fan_in": 9,
        "width": 4,
        "keep_layers": "all",
        "columns": ("act_mean", *GRADIENTS, *DEATH),
        "target_loss": 0.4,
        "constant_loss": 1.0,
    }
    return records.run_row({"run": "a", "seed": 1}, recorded, **options | changes)


def test_labels_come_first_and_unchanged():
    row = row_of(some_records())
    assert list(row)[:2] == ["run", "seed"]
    assert row["seed"] == 1


def test_a_run_that_ends_well_keeps_every_record():
    row = row_of(some_records())
    assert (row["status"], row["steps.step"].tolist()) == ("ok", STEPS.tolist())
    assert row["train_loss"] == pytest.approx(1 / 6)
    assert row["layers.act_mean"].shape == (len(STEPS) * DEPTH,)


@pytest.mark.parametrize(
    ("diverged_step", "kept"),
    [(0, [0, 20]), (19, [0, 20]), (20, [0, 20, 40]), (35, [0, 20, 40]), (79, [0, 20, 40, 60, 80]), (89, STEPS)],
)
@pytest.mark.parametrize("recorded", [6, 5, 4])
def test_a_diverged_run_ends_with_its_first_record_after_whatever_its_neighbours_do(diverged_step, kept, recorded):
    if STEPS[recorded - 1] <= diverged_step:
        recorded = 6  # a batch does not stop before that record
    row = row_of(some_records(recorded), diverged_step=diverged_step)
    assert row["status"] == "diverged"
    assert row["diverged_step"] == diverged_step
    assert row["steps.step"].tolist() == list(kept)
    for name, value in row.items():
        if name.startswith("steps."):
            assert len(value) == len(kept), name
        elif name.startswith("layers.") and name not in OF_LAYER:
            assert len(value) == len(kept) * DEPTH, name


def test_no_final_number_of_a_diverged_run_is_a_number():
    row = row_of(some_records(), diverged_step=85)
    for split in ("train", "validation", "test"):
        assert np.isnan([row[f"{split}_loss"], row[f"{split}_accuracy"]]).all()
    for name in ("generalization_gap_loss", "generalization_gap_error", "vanishing_slope", "weight_slope_residual"):
        assert np.isnan(row[name]), name
    assert row["trained"] is False
    assert row["steps_to_target"] == 80  # it had got there before


def test_the_step_after_the_last_does_not_count():
    row = row_of(some_records(), diverged_step=90)  # taken for its size alone
    assert row["status"] == "ok"
    assert np.isnan(row["diverged_step"])


def test_an_overflow_on_the_whole_split_is_a_divergence_at_the_end():
    recorded = some_records()
    recorded["train_loss"] = np.array([*recorded["train_loss"][:-1], np.inf])
    row = row_of(recorded)
    assert (row["status"], row["diverged_step"]) == ("diverged", 90)
    assert row["steps.step"].tolist() == STEPS.tolist()


def test_a_layer_that_is_not_finite_is_a_divergence_even_under_a_finite_loss():
    recorded = some_records()
    recorded["network_dead"] = np.array([0, np.nan, np.nan, np.nan, np.nan, np.nan])  # evaluated at 40, 80, 90
    row = row_of(recorded)
    assert (row["status"], row["diverged_step"]) == ("diverged", 40)
    assert row["steps.step"].tolist() == [0, 20, 40, 60]
    assert row_of(recorded, diverged_step=25)["diverged_step"] == 25
    assert row_of(recorded, diverged_step=70)["diverged_step"] == 40


# First times


def test_steps_to_target_is_the_first_evaluation_with_a_validation_loss_at_most_the_target():
    recorded = some_records()  # validation loss 1.1, -, .433, -, .3, .267
    assert row_of(recorded)["steps_to_target"] == 80
    exactly = row_of(recorded, target_loss=recorded["validation_loss"][2])
    assert exactly["steps_to_target"] == 40
    assert exactly["target_reached"] is True
    never = row_of(recorded, target_loss=0.01)
    assert np.isnan(never["steps_to_target"])
    assert never["target_reached"] is False
    assert never["target_loss"] == 0.01


def test_generalization_gap_at_the_first_evaluated_training_loss_at_most_the_target():
    recorded = some_records()  # training loss 1, .5, .333, .25, .2, .167; minibatch means between evaluations
    row = row_of(recorded, target_loss=0.5)
    assert row["generalization_gap_loss_at_target"] == pytest.approx(0.2)
    assert row["generalization_gap_error_at_target"] == pytest.approx(0.2)
    at = row_of(recorded | {"test_loss": np.arange(6.0)}, target_loss=0.5)
    assert at["generalization_gap_loss_at_target"] == pytest.approx(2 - 1 / 3)  # record 1 is no evaluation
    assert row["generalization_gap_loss"] == pytest.approx(0.2)
    assert row["generalization_gap_error"] == pytest.approx(0.2)
    never = row_of(recorded, target_loss=0.01)
    assert np.isnan([never["generalization_gap_loss_at_target"], never["generalization_gap_error_at_target"]]).all()


@pytest.mark.parametrize(("constant", "trained"), [(1 / 3 + 1e-9, True), (1 / 3 - 1e-9, False)])
def test_trained_is_half_of_the_best_constant_predictors_loss(constant, trained):
    row = row_of(some_records(), constant_loss=constant)  # final training loss 1/6
    assert row["trained"] is trained
    assert row["constant_loss"] == constant


# Layers


@pytest.mark.parametrize(
    ("depth", "which", "layers"),
    [
        (1, "all", [1]),
        (1, "log", [1]),
        (1, "ends", [1]),
        (2, "ends", [1, 2]),
        (5, "all", [1, 2, 3, 4, 5]),
        (7, "log", [1, 2, 4, 7]),
        (8, "log", [1, 2, 4, 8]),
        (9, "log", [1, 2, 4, 8, 9]),
        (100, "log", [1, 2, 4, 8, 16, 32, 64, 100]),
        (100, "ends", [1, 100]),
    ],
)
def test_kept_layers(depth, which, layers):
    assert (records.kept_layers(depth, which) + 1).tolist() == layers


@pytest.mark.parametrize("which", ["log", "ends"])
def test_thinning_keeps_rows_of_layers_and_changes_no_mean(which):
    whole, thinned = row_of(some_records()), row_of(some_records(), keep_layers=which)
    at = thinned["layers.layer"] - 1
    np.testing.assert_array_equal(thinned["layers.weights"], whole["layers.weights"][at])
    for name in [name for name in whole if name.startswith("layers.") and name not in OF_LAYER]:
        expected = whole[name].reshape(len(STEPS), DEPTH)[:, at].ravel()
        np.testing.assert_array_equal(thinned[name], expected, err_msg=name)
    for name in [name for name in whole if name.startswith("steps.")]:
        np.testing.assert_array_equal(thinned[name], whole[name], err_msg=name)


def test_only_asked_measures_are_kept_but_slopes_do_not_need_their_norms():
    whole, few = row_of(some_records()), row_of(some_records(), columns=("act_mean",))
    assert {name for name in few if name.startswith("layers.")} == {"layers.layer", "layers.act_mean"}
    assert few["vanishing_slope"] == whole["vanishing_slope"]
    assert np.isfinite(few["vanishing_slope"])


def test_norms_are_read_as_they_are_and_as_log10_with_as_many_digits_as_were_measured():
    recorded = some_records(train_loss=np.ones(6, np.float32))
    recorded["exponent"] = recorded["exponent"] - 300  # 2^−300 is zero in float32
    row = row_of(recorded, keep_layers="log")
    names = {name for name in row if "_grad_" in name}
    norms = {f"{frame}.log10_{name}" for frame in ("layers", "steps") for name in GRADIENTS[:2]}
    assert names == norms | {"steps.log10_weight_grad_rms"}
    _, steps, layers = frames_of(row)
    at = layers["layer"].to_numpy().reshape(6, -1)[0] - 1
    expected = (recorded["gradients"]["signal_grad_norm"].astype(np.float64) * 2.0 ** recorded["exponent"])[:, at]
    rounded = 2.0**-26 * np.log(10)  # and float32 itself rounds by up to 2^−24
    np.testing.assert_allclose(layers["signal_grad_norm"], expected.ravel(), rtol=rounded + 1e-12)
    np.testing.assert_allclose(10 ** layers["log10_signal_grad_norm"], layers["signal_grad_norm"], rtol=1e-12)
    assert not (layers["log10_signal_grad_norm"] * 2.0**25 % 1).any()
    weights = np.array([9 * 4] + [16] * (DEPTH - 1))
    rms = layers["weight_grad_norm"].to_numpy().reshape(6, -1) / np.sqrt(weights[at])
    np.testing.assert_allclose(layers["weight_grad_rms"], rms.ravel(), rtol=1e-12)
    np.testing.assert_allclose(10 ** layers["log10_weight_grad_rms"], layers["weight_grad_rms"], rtol=1e-12)
    whole = np.log10(recorded["gradients"]["weight_grad_norm"].astype(np.float64)) + np.log10(2) * recorded["exponent"]
    means = {"weight_grad_norm": whole, "weight_grad_rms": whole - np.log10(weights) / 2}
    for name, logs in means.items():
        np.testing.assert_allclose(steps[f"log10_{name}"], logs.mean(axis=1), atol=2.0**-26)
        np.testing.assert_allclose(steps[name], 10 ** steps[f"log10_{name}"], rtol=1e-12)


@pytest.mark.parametrize("asked", GRADIENTS[:3])
def test_one_norm_alone_is_stored_and_read_alone(asked):
    whole, (_, steps, layers) = frames_of(row_of(some_records())), frames_of(row_of(some_records(), columns=(asked,)))
    for frame, other in ((steps, whole[1]), (layers, whole[2])):
        assert {name for name in frame if "grad" in name} == {asked, f"log10_{asked}"}
        np.testing.assert_array_equal(frame[asked], other[asked])


@pytest.mark.parametrize(("sign", "beyond"), [(-1, 0.0), (1, np.inf)])
def test_norms_and_slopes_do_not_end_where_float64_does(sign, beyond):
    recorded, behind = some_records(), DEPTH - np.arange(1, DEPTH + 1)
    recorded["gradients"] = dict.fromkeys(GRADIENTS[:2], np.ones((6, DEPTH), np.float32))
    recorded["exponent"] = np.broadcast_to(sign * 400 * behind, (6, DEPTH))
    recorded["log2_median"] = np.broadcast_to(sign * 100.0 * behind, (6, DEPTH))
    row = row_of(recorded)
    _, steps, layers = frames_of(row)
    assert layers["signal_grad_norm"][0] == beyond
    assert layers["log10_signal_grad_norm"][0] == pytest.approx(sign * 2000 * np.log10(2))
    assert steps["log10_signal_grad_norm"][0] == pytest.approx(sign * 1000 * np.log10(2))
    assert row["vanishing_slope"] == pytest.approx(sign * 400 * np.log10(2))
    assert row["vanishing_slope_median"] == pytest.approx(sign * 500 * np.log10(2))
    assert row["weight_slope_residual"] == pytest.approx(0, abs=1e-9)


def test_a_norm_of_exactly_zero_is_none_that_is_too_small_to_write():
    recorded = some_records()
    recorded["gradients"] = {name: norm.copy() for name, norm in recorded["gradients"].items()}
    recorded["gradients"]["signal_grad_norm"][:, 0] = 0.0
    _, steps, layers = frames_of(row_of(recorded))
    first = layers[layers["layer"] == 1]
    assert (first["log10_signal_grad_norm"] == -np.inf).all()
    assert (first["signal_grad_norm"] == 0).all()
    assert (steps["log10_signal_grad_norm"] == -np.inf).all()
    assert np.isfinite(steps["log10_weight_grad_norm"]).all()


def test_parts_of_an_earlier_version_have_their_norms_in_log_scale_too_where_these_are_known():
    """Which held norms as they are: 0 where float64 had ended, or where the truth is 0."""
    new = row_of(some_records())
    old = {name: value for name, value in new.items() if "grad" not in name and name != "layers.weights"}
    norms = np.where(np.arange(6 * DEPTH) == 3, 0.0, np.arange(6 * DEPTH) + 1.0)
    old |= {f"layers.{name}": norms for name in GRADIENTS[:3]} | {"steps.act_var": np.ones(6), "run": "b"}
    runs, steps, layers = explode(
        pa.table({name: [row.get(name) for row in (new, old)] for name in dict.fromkeys((*new, *old))})
    )
    assert runs["run"].tolist() == ["a", "b"]
    for name in GRADIENTS[:3]:
        of_old = layers[layers["run"] == "b"]
        np.testing.assert_array_equal(of_old[name], norms)
        with np.errstate(divide="ignore"):
            np.testing.assert_array_equal(of_old[f"log10_{name}"], np.log10(np.where(norms == 0, np.nan, norms)))
        of_new, alone = layers[layers["run"] == "a"], frames_of(new)[2]
        for column in (name, f"log10_{name}"):
            np.testing.assert_array_equal(of_new[column], alone[column])
    assert steps.loc[steps["run"] == "a", "signal_grad_norm"].notna().all()
    assert steps.loc[steps["run"] == "b", "signal_grad_norm"].isna().all()


def test_means_over_layers_are_those_of_the_records():
    recorded = some_records()
    values = {"spread": np.exp(np.arange(6.0 * DEPTH)).reshape(6, DEPTH)}
    values |= dict.fromkeys(("update_ratio", "act_var", "act_mean", "alpha"), values["spread"])
    columns = (*values, "dead_fraction")
    row = row_of(recorded | {"layers": recorded["layers"] | values}, columns=columns, geometric=("spread",))
    for name in ("spread", "update_ratio", "act_var"):
        logs = np.log10(values[name]).mean(axis=1)
        np.testing.assert_allclose(row[f"steps.log10_{name}"], logs, rtol=1e-12)
        assert f"steps.{name}" not in row
    for name in ("act_mean", "alpha"):
        np.testing.assert_allclose(row[f"steps.{name}"], values[name].mean(axis=1), rtol=1e-12)


def test_final_slopes_are_the_last_records():
    row = row_of(some_records())
    for name in ("vanishing_slope", "vanishing_slope_median", "vanishing_slope_residual", "weight_slope_residual"):
        assert row[name] == row[f"steps.{name}"][-1]


@pytest.mark.parametrize("depth", [1, 2])
def test_no_slope_below_depth_3(depth):
    slope, residual = records.depth_slope(np.zeros((2, depth)))
    assert np.isnan(slope).all()
    assert np.isnan(residual).all()


@pytest.mark.parametrize("bad", [-np.inf, np.nan, np.inf])
def test_no_slope_through_a_norm_that_has_no_logarithm(bad):
    slope, residual = records.depth_slope(np.array([[0.0, 1.0, 2.0, 3.0], [0.0, bad, 2.0, 3.0]]))
    assert slope[0] == pytest.approx(-1)
    assert residual[0] == pytest.approx(0, abs=1e-12)
    assert np.isnan([slope[1], residual[1]]).all()
