"""What theory predicts of a finite depth, against random networks: NumPy's own, and those that actlab trains."""

import math
from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab import data
from actlab.activations import CATALOGUE
from actlab.data.spec import DataSpec
from actlab.measures import LOG10
from actlab.nn.blocks import Function
from actlab.theory import chains
from actlab.theory.backward import backward, output_errors
from actlab.theory.bounds import MOST_DEPTH_PER_WIDTH
from actlab.theory.finite_depth import Setting, layers_of, outside, predict
from tests.core import Runs, a_program, go, network, of_run, some_numbers
from tests.own_networks import drawn, measured

FEATURES, OUTPUTS = 8, 3
RUNS = 6
C = 1.0
"""Decades, and shares of a mean z², that a depth/width of 1 may add to the standard error."""
# φ' is 0 nearly everywhere on one side, or grows: under He's weights the second moments leave every bound at depth 20.
GROWING = ("relu_squared", "star_relu")


@cache
def rows(count=64, seed=0):
    """Make rows whose norms differ as those of standardised digits do, of labels that a direction tells."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, FEATURES)) * np.exp(0.5 * rng.standard_normal((count, 1)))
    return x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0)


def setting(name="relu", depth=6, width=100, sigma_w2=2.0, bias_mean=0.0, bias_std=0.0, task="classification"):
    record, (x, y) = CATALOGUE[name], rows()
    stds = (math.sqrt(sigma_w2 / FEATURES),) + (math.sqrt(sigma_w2 / width),) * (depth - 1)
    y = y if task == "classification" else np.stack([np.sin(x[:, 0]), x[:, 1], x[:, 2]], axis=1)
    biases = (bias_mean,) * depth, (bias_std,) * depth
    return Setting(record.exact, record.flat, stds, *biases, width, task, OUTPUTS, x, y, rows(200, 1)[0])


def networks_of(one, runs, seed=3):
    """Measure so many random networks of a setting: {column: [run, layer] or [run]}."""
    rng, depth = np.random.default_rng(seed), len(one.weight_std)
    found = []
    for _ in range(runs):
        drawn_one = drawn(one.weight_std, one.bias_mean, one.bias_std, FEATURES, one.width, one.outputs, rng)
        found.append(measured(one.phi, drawn_one, one.x_MxF, one.y_M, one.task))
    assert depth == len(found[0]["correlation"])
    return {name: np.array([one[name] for one in found]) for name in found[0]}


def compared(one, runs, seed=3):
    """Yield each prediction with what networks measured of it [run]."""
    found = networks_of(one, runs, seed)
    for prediction in predict(one):
        if prediction.measure in found:
            values = found[prediction.measure]
            yield prediction, values[:, prediction.layer - 1] if prediction.layer else values


def test_a_prediction_names_its_measure_layer_errors_and_assumption():
    predictions = predict(setting(depth=4))
    assert len({(one.measure, one.layer) for one in predictions}) == len(predictions)
    assert {one.layer for one in predictions} == {0, 1, 2, 3, 4}
    assert {one.measure for one in predictions if one.layer == 0} == {
        "log10_jacobian_mean_square",
        "log10_jacobian_square_variance",
        "vanishing_slope",
        "vanishing_slope_median",
        "weight_slope",
    }
    for one in predictions:
        assert np.isfinite([one.value, one.numerical_error, one.spread]).all(), one
        assert one.numerical_error >= 0
        assert one.spread >= 0
        of_jacobian = one.measure.startswith(LOG10 + "jacobian")
        assert one.assumption.startswith("exact moments at this width" if of_jacobian else "infinite width")
    assert not [one for one in predict(setting("tanh", depth=2)) if one.layer == 0]  # two layers have no slope


@pytest.mark.parametrize("name", ["linear", "gelu"])
def test_few_terms_are_enough_where_phi_is_nearly_a_polynomial(name):
    # Of a linear function one; that half of it were none says nothing of how far the sum is off.
    of_weights = [
        one for one in predict(setting(name, depth=6, sigma_w2=0.5)) if one.measure == "log10_weight_grad_norm"
    ]
    assert all(0 < one.numerical_error < 0.02 for one in of_weights)


def test_he_preserves_relu_and_lecun_halves_it():
    for sigma_w2, per_layer in ((2.0, 0.0), (1.0, math.log10(0.5) / 2)):
        by_name = {(one.measure, one.layer): one.value for one in predict(setting(depth=4, sigma_w2=sigma_w2))}
        # The outputs of networks of several scales differ; the slope does not feel them.
        assert by_name["vanishing_slope", 0] == pytest.approx(per_layer, abs=1e-6)
        moments = [by_name["preact_second_moment", l] for l in (1, 4)]
        assert moments[1] / moments[0] == pytest.approx((sigma_w2 / 2) ** 3, rel=1e-6)


@pytest.mark.parametrize(
    "case",
    [
        {"name": "relu"},
        {"name": "tanh", "bias_mean": 0.3, "bias_std": 0.2},
        pytest.param({"name": "gelu", "task": "regression"}, marks=pytest.mark.thorough),
    ],
    ids=lambda case: case["name"],
)
def test_random_networks_are_as_predicted_and_as_far_about_it(case):
    runs, one = 60, setting(depth=5, width=80, **case)
    spreads = []
    for prediction, values in compared(one, runs):
        spread = values.std(ddof=1)
        scale = max(1.0, abs(prediction.value)) if prediction.layer else 1.0 / len(one.weight_std)
        allowed = 4 * spread / math.sqrt(runs) + prediction.numerical_error + C * scale * 5 / 80
        assert values.mean() == pytest.approx(prediction.value, abs=allowed), prediction
        assert 0.4 < spread / prediction.spread < 2.5, (prediction, spread)
        spreads.append(math.log(spread / prediction.spread))
    assert abs(np.mean(spreads)) < 0.2  # on the whole they are right


def test_spreads_are_those_of_networks_whose_loss_moves_with_the_size_of_their_outputs():
    # Of targets 0 the loss's error is as large as the outputs; many of them hardly vary but with the layer below.
    runs, one = 50, setting("relu", depth=4, width=160)
    one = replace(one, task="regression", outputs=40, x_MxF=one.x_MxF[:16], y_M=np.zeros((16, 40)))
    for prediction, values in compared(one, runs):
        if prediction.measure in ("log10_signal_grad_norm", "log10_weight_grad_norm"):
            ratio = values.std(ddof=1) / prediction.spread
            # A standard deviation of so many is known to 1/√(2 runs). (Where errors stayed the ratio is 1.4 to 1.6.)
            assert ratio == pytest.approx(1.0, abs=3 / math.sqrt(2 * runs)), (prediction, ratio)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_what_pools_feel_of_the_size_of_outputs_is_their_derivative(task):
    one = setting(depth=3, task=task)
    layers, step = layers_of(one), 1e-5
    data_of = one.x_MxF, one.y_M, task, OUTPUTS, one.width
    larger = replace(
        layers[-1],
        H_MxM=layers[-1].H_MxM * (1 + step),
        second_moment_M=layers[-1].second_moment_M * (1 + step),
    )
    here, there = backward(layers, *data_of), backward([*layers[:-1], larger], *data_of)
    for pool, by_H_LxM in (("signal_SxL", here.signal_by_H_LxM), ("weight_SxL", here.weight_by_H_LxM)):
        moved_L = np.mean(getattr(there, pool) - getattr(here, pool), axis=0) / step
        np.testing.assert_allclose(by_H_LxM @ layers[-1].second_moment_M, moved_L, rtol=1e-3, atol=1e-5)
    e, by_log_H = output_errors(layers[-1].H_MxM, one.y_M, task, OUTPUTS, 8)
    np.testing.assert_allclose(
        (output_errors(larger.H_MxM, one.y_M, task, OUTPUTS, 8)[0] - e) / step, by_log_H, rtol=1e-3, atol=1e-4
    )


def deviations(name, width, depth, runs, sigma_w2, **case):
    """Return the deviation of the mean over networks from what is predicted, with its standard error, by column."""
    one = setting(name, depth=depth, width=width, sigma_w2=sigma_w2, **case)
    assert not outside(one)
    found = {}
    for prediction, values in compared(one, runs):
        if prediction.measure in ("log10_signal_grad_norm", "preact_second_moment", "vanishing_slope"):
            logged = np.log10(values) if prediction.measure == "preact_second_moment" else values
            value = math.log10(prediction.value) if prediction.measure == "preact_second_moment" else prediction.value
            # So few networks may by chance lie closer together than they should.
            expected = prediction.spread / (abs(prediction.value) * math.log(10) if logged is not values else 1.0)
            error = max(logged.std(ddof=1), expected) / math.sqrt(runs) + prediction.numerical_error
            found[prediction.measure, prediction.layer] = logged.mean() - value, error
    return found


def of_unit_gain(name):
    """Return the σ_w² that keeps E z² = 1, or He's where that is larger than any in use."""
    from actlab.theory.gaussian import second_moment

    return 1.0 / second_moment(CATALOGUE[name].exact)


def check_against_width(name, runs):
    depth, sigma_w2 = 20, of_unit_gain(name)
    if outside(setting(name, depth=depth, width=400, sigma_w2=sigma_w2)):
        return  # no finite prediction
    by_width = {width: deviations(name, width, depth, runs, sigma_w2) for width in (400, 800)}
    for key, (deviation, error) in by_width[400].items():
        assert abs(deviation) < 3 * error + C * depth / 400, (name, key, deviation, error)
        if abs(deviation) > 3 * error + 0.01:
            half, half_error = by_width[800][key]
            assert abs(half - deviation / 2) < 3 * math.hypot(half_error, error), (name, key, deviation, half)


@pytest.mark.parametrize("name", ["gelu", pytest.param("selu", marks=pytest.mark.thorough)])
def test_at_depth_20_and_width_400_networks_are_as_predicted(name):
    depth, runs = 20, 2
    for key, (deviation, error) in deviations(name, 400, depth, runs, of_unit_gain(name)).items():
        assert abs(deviation) < 4 * error + C * depth / 400, (name, key, deviation, error)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in GROWING])
def test_at_depth_20_every_activation_is_as_predicted_the_more_so_the_wider(name):
    check_against_width(name, RUNS)


# As measured in eight networks of NumPy's of width 400, drawn as in tests/own_networks.py.
@pytest.mark.parametrize(
    ("name", "of_mean", "of_median"),
    [
        pytest.param("gelu", -0.008, -0.115, marks=pytest.mark.thorough),
        ("swish", -0.019, -0.142),
        pytest.param("mish", -0.008, -0.040, marks=pytest.mark.thorough),
    ],
)
def test_the_mean_over_rows_and_the_median_row_differ_where_the_norms_of_rows_do(name, of_mean, of_median):
    digits = data.load(DataSpec("digits")).train
    size = np.sum(digits.x**2, axis=1)
    assert (size / size.mean()).min() < 0.4
    assert (size / size.mean()).max() > 30
    he = (math.sqrt(2 / digits.x.shape[1]),) + (math.sqrt(2 / 400),) * 29
    x, y = digits.x[:256], digits.y[:256]
    one = replace(setting(name, depth=30, width=400), weight_std=he, x_MxF=x, y_M=y, x_train_NxF=x, outputs=10)
    slopes = {found.measure: found for found in predict(one) if found.layer == 0}
    assert slopes["vanishing_slope"].value == pytest.approx(of_mean, abs=0.005)
    assert slopes["vanishing_slope_median"].value == pytest.approx(of_median, abs=0.005)


def test_records_of_actlab_are_pooled_as_the_witness_is():
    # One network, by actlab's own programs and by NumPy: every column that is predicted is the same number.
    relu = CATALOGUE["relu"]
    x, y = rows()
    columns = ("act_mean", "act_var", "act_var_within", "preact_second_moment", "preact_mean_share", "correlation")
    program = a_program(Function(relu.exact, lambda z: z <= 0), width=40, dtype="float64", probes=columns)
    with jax.enable_x64(True):
        check_pooling(program, relu.exact, x, y)


def check_pooling(program, phi, x, y):
    numbers = [some_numbers(3, seed=1, bias_mean=0.1)]
    split = (x, y.astype(np.int32))
    columns = program.spec.probes
    runs = Runs(program, numbers, dict.fromkeys(("train", "validation", "test", "probe"), split))
    _, records = go(runs, [(0, False)])
    weights = network(runs.begin().state["training"]["parameters"], 0, 3)
    hidden = list(
        zip(
            [weights["input"]["kernel"], *weights["layers"]["kernel"][1:]],
            weights["layers"]["bias"],
            strict=True,
        )
    )
    expected = measured(phi, (hidden, weights["readout"]["kernel"]), x, y, "classification")
    found = of_run(records, 0)
    for name in columns:
        np.testing.assert_allclose(found["layers"][name][0][:3], expected[name], rtol=1e-9)
    exponent = found["exponent"][0][:3] * math.log10(2)
    for name in ("signal_grad_norm", "weight_grad_norm"):
        norm = np.log10(found["gradients"][name][0][:3]) + exponent
        np.testing.assert_allclose(norm, expected[f"log10_{name}"], atol=1e-9)
    median = found["log2_median"][0][:3] * math.log10(2) + exponent
    np.testing.assert_allclose(median, expected["log10_median"], atol=1e-9)


def test_width_moves_the_spread_alone():
    narrow, wide = (
        {(one.measure, one.layer): one for one in predict(setting("tanh", depth=3, width=width))}
        for width in (100, 400)
    )
    for key, one in narrow.items():
        if key[0] not in ("log10_weight_grad_norm", "weight_slope", "vanishing_slope_median", "preact_mean_share"):
            assert wide[key].value == pytest.approx(one.value, abs=1e-9)
        assert wide[key].spread < one.spread
    spreads = [by_key["act_mean", 2].spread for by_key in (narrow, wide)]
    assert spreads[1] == pytest.approx(spreads[0] / 2)
    # A sum over as many inputs as the layer below has.
    weights = [by_key["log10_weight_grad_norm", 2].value for by_key in (narrow, wide)]
    assert weights[1] - weights[0] == pytest.approx(math.log10(4) / 2, abs=1e-9)


@pytest.mark.parametrize(
    ("distribution", "says"),
    [
        ("normal", ""),
        ("orthogonal", "orthogonal ones vary less"),
        ("uniform", "many inputs; spread of Gaussian weights"),
    ],
)
def test_what_is_assumed_names_how_weights_are_drawn(distribution, says):
    own = predict(replace(setting(depth=3), weight_distribution=distribution))
    for one, of_normal in zip(own, predict(setting(depth=3)), strict=True):
        if one.measure.startswith(LOG10 + "jacobian"):
            assert (one != of_normal) == (distribution == "orthogonal")
        else:
            assert (one.value, one.spread) == (of_normal.value, of_normal.spread)
            assert one.assumption.endswith(says)
            assert (one.assumption == of_normal.assumption) == (distribution == "normal")


def test_death_is_predicted_where_there_is_a_flat_piece():
    predicted = [one for one in predict(setting("relu", depth=3)) if one.measure == "dead_fraction"]
    assert [one.layer for one in predicted] == [1, 2, 3]
    assert all(0 <= one.value <= 1 and one.numerical_error > 0 for one in predicted)
    assert not [one for one in predict(setting("leaky_relu", depth=3)) if "dead" in one.measure]


def test_a_function_without_slopes_has_no_predicted_gradients():
    steps = replace(setting(depth=3), phi=jnp.sign, flat=None)
    measures = {one.measure for one in predict(steps)}
    assert "preact_second_moment" in measures
    assert not any("grad" in name or "slope" in name for name in measures)


def test_outside_theory_has_a_reason_and_no_predictions():
    deep = setting("tanh", depth=60, width=100)
    for one, reason in (
        (deep, f"depth/width is 0.6; theory is drawn up to {MOST_DEPTH_PER_WIDTH:g}"),
        (setting("relu_squared", depth=40), "overflows"),
        (replace(setting(), phi=lambda z: jnp.exp(z * z)), "no finite Gaussian second moment"),
        (replace(setting(), x_MxF=rows()[0] * np.inf), "the data are not finite"),
        (replace(setting(), x_MxF=0 * rows()[0]), "have no variance in layer 1"),
        (replace(setting(), x_MxF=rows()[0][:1]), "one probe row"),
    ):
        assert reason in outside(one)
        assert predict(one) == []
    assert outside(setting()) == ""


def test_a_users_function_goes_through_everything():
    own = replace(setting(depth=4), phi=lambda z: z * jnp.tanh(jnp.exp(z)), flat=None)
    assert {one.measure for one in predict(own)} >= {"vanishing_slope", "correlation", "log10_weight_grad_norm"}


def test_the_same_setting_is_predicted_the_same_whatever_was_before():
    one = setting("gelu", depth=4)
    chains.kept.clear()
    alone = predict(one)
    chains.kept.clear()
    predict(setting("gelu", depth=9))
    assert predict(one) == alone


def test_spreads_are_those_of_all_rows_in_any_order():
    # One row of a hundred is nearly all of what is pooled; among the first few it is in one order only.
    x, y = rows(100, 5)
    x[90] *= 12.0
    stds = (1.0 / math.sqrt(x.shape[1]), *[1.0 / math.sqrt(200)] * 5)
    zeros = (0.0,) * 6
    one = Setting(CATALOGUE["gelu"].exact, None, stds, zeros, zeros, 200, "classification", OUTPUTS, x, y, x)
    other = replace(one, x_MxF=x[::-1], y_M=y[::-1])
    for here, there in zip(predict(one), predict(other), strict=True):
        assert there.spread == pytest.approx(here.spread, rel=0.1), here
    spread = next(p.spread for p in predict(one) if (p.measure, p.layer) == ("preact_second_moment", 6))
    measured = networks_of(one, 60)["preact_second_moment"][:, 5].std(ddof=1)
    assert spread == pytest.approx(measured, rel=0.35)


def test_what_shrinks_to_nothing_underflows_and_lacks_no_moment():
    # Softshrink is 0 up to 1/2: of a small variance all of its moment lies far out, and there is hardly any.
    assert "have no variance in layer 3" in outside(setting("softshrink", depth=6, sigma_w2=0.5))
    assert "all activations are 0 in layer" in outside(setting("softshrink", depth=6, sigma_w2=0.5, bias_std=0.02))
