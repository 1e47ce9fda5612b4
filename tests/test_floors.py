"""Measures of h's spread over rows against NumPy's float64: as good as is stated, or not defined."""

import jax
import numpy as np
import pytest

from actlab.activations import CATALOGUE
from actlab.engine import floors
from actlab.engine.loading import function_of
from actlab.nn.blocks import Options
from actlab.nn.programs import blank_scratches
from tests.closed_forms import CLOSED_FORMS
from tests.core import FEATURES, OUTPUTS, Runs, a_program, some_data, some_numbers

DEPTH, WIDTH, ROWS = 24, 48, 64
NAMES = ("sigmoid", "tanh", "relu", "gelu")
ASKED = ("act_var", "act_var_within", "constant_fraction", "effective_rank", "duplicate_fraction", "stable_rank")
STATED = {"act_var": 0.02, "act_var_within": 0.02, "effective_rank": 0.1, "stable_rank": 1e-4}


@pytest.fixture(scope="module")
def measure():
    """A network's measures [L] with their floors, by one program: (activation, parameters, data) -> {name: [L]}."""
    program = a_program(*(function_of(CATALOGUE[name]) for name in NAMES), depth_bound=DEPTH, width=WIDTH, probes=ASKED)
    return lambda name, p, data: measured(program, NAMES.index(name), p, data)


def measured(program, place, p, data, residual=False):
    runs = Runs(program, [some_numbers(DEPTH)], data, DEPTH, place)
    stacks = {**p["layers"], "activation": np.zeros((DEPTH, program.slots), np.float32)}
    parameters = jax.tree.map(lambda leaf: leaf[None], p | {"layers": stacks})
    scratch = blank_scratches(program, parameters, ROWS)["measure"]
    record, _ = runs.programs.measure(parameters, parameters, scratch, runs.numbers, data, *runs.call)
    record = jax.tree.map(np.asarray, record)
    by_layer = floors.with_floors(record["layers"], record["rounding"], residual, min(WIDTH, ROWS))
    return {name: by_layer[name][0].astype(float) for name in ASKED}


def a_network(gain, bias=0.0, seed=2):
    rng = np.random.default_rng(seed)
    p = {
        "input": {"kernel": gain * rng.normal(size=(FEATURES, WIDTH)) / np.sqrt(FEATURES)},
        "layers": {
            "kernel": gain * rng.normal(size=(DEPTH, WIDTH, WIDTH)) / np.sqrt(WIDTH),
            "bias": np.full((DEPTH, WIDTH), bias),
        },
        "readout": {"kernel": rng.normal(size=(WIDTH, OUTPUTS)) / np.sqrt(WIDTH), "bias": np.zeros(OUTPUTS)},
    }
    return jax.tree.map(lambda leaf: leaf.astype(np.float32), p)


def layers_of(name, p, x):
    """Return h of each layer, in NumPy's float64."""
    h, hs = x.astype(float), []
    kernels = [p["input"]["kernel"], *p["layers"]["kernel"][1:]]
    for kernel, bias in zip(kernels, p["layers"]["bias"], strict=True):
        h = CLOSED_FORMS[name][0](h @ kernel.astype(float) + bias)
        hs.append(h)
    return hs


def truth(h):
    centred = h - h.mean(axis=0)
    std, singular = centred.std(axis=0), np.linalg.svd(centred, compute_uv=False)
    shares = singular / singular.sum() if singular.sum() > 0 else np.zeros(1)
    norms = np.linalg.norm(centred, axis=0)
    unit = centred / np.where(norms > 0, norms, 1)
    correlation = np.abs(unit.T @ unit) - np.eye(h.shape[1])
    whole = np.linalg.svd(h, compute_uv=False)
    return {
        "act_var": h.var(),
        "act_var_within": np.mean(std**2),
        "constant_fraction": np.mean(std <= 0.025 * std.mean()),
        "effective_rank": np.exp(-np.sum(shares[shares > 0] * np.log(shares[shares > 0]))) if singular.any() else 0.0,
        "duplicate_fraction": np.mean(correlation.max(axis=0) > 0.99),
        "stable_rank": np.sum(whole**2) / whole[0] ** 2 if whole.any() else 0.0,
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gain", [0.3, 1.0, 1.5])
def test_every_value_is_as_good_as_is_stated_or_not_defined(name, gain, measure):
    p, data = a_network(gain), some_data(probe=ROWS)
    actual = measure(name, p, data)
    for l, h in enumerate(layers_of(name, p, data["probe"][0])):
        for measured, value in truth(h).items():
            found = actual[measured][l]
            if np.isnan(found):
                continue
            off = (
                max(STATED[measured] * abs(value), 1e-30) if measured in STATED else 2.5 / WIDTH
            )  # units at a threshold
            assert found == pytest.approx(value, abs=off), (measured, l)


def test_a_deep_sigmoid_loses_its_measures_one_after_the_other_and_not_too_early(measure):
    p, data = a_network(1.0), some_data(probe=ROWS)
    actual, hs = measure("sigmoid", p, data), layers_of("sigmoid", p, data["probe"][0])
    known = {name: int(np.isfinite(actual[name]).sum()) for name in ASKED}
    for name in ASKED:  # once lost, lost
        assert np.isfinite(actual[name][: known[name]]).all(), name
    assert known["act_var"] == known["stable_rank"] == DEPTH  # between units, h is spread at any depth
    assert 4 <= known["effective_rank"] < known["duplicate_fraction"] < known["act_var_within"] < DEPTH
    assert known["constant_fraction"] == pytest.approx(known["effective_rank"], abs=2)
    spread = [np.sqrt(truth(h)["act_var_within"]) for h in hs]
    assert 1e-8 < spread[known["act_var_within"]] < 3e-6  # h is ½, and float32 rounds it by 3e-8
    assert spread[-1] < 1e-12


def test_units_differ_where_rounding_made_each_of_them_constant():
    """Of three layers the second is left without any spread over rows, the third with that of its rounding."""
    rounding = {"noise": [1e-15] * 3, "within": [1e-2, 0.0, 1e-16], "whole": [1e-1, 1e-1, 1e-1], "exact": [0.0] * 3}
    rounding = {name: np.array([values]) for name, values in (rounding | {"typical": rounding["within"]}).items()}
    values = {"act_var": np.full((1, 3), 0.1), "act_var_within": rounding["within"], "act_mean": np.ones((1, 3))}
    floored = floors.with_floors(values, rounding, False, 8)
    np.testing.assert_array_equal(floored["act_var"], values["act_var"])
    np.testing.assert_array_equal(floored["act_mean"], values["act_mean"])
    np.testing.assert_array_equal(np.isnan(floored["act_var_within"]), [[False, True, True]])


def test_a_dead_layer_is_constant_and_no_noise(measure):
    p, data = a_network(1.5), some_data(probe=ROWS)
    p["layers"]["bias"][3] = -100.0
    p["layers"]["bias"][5] = 0.3
    actual = measure("relu", p, data)
    for name, value in floors.CONSTANT.items():
        assert np.isfinite(actual[name][:3]).all(), name
        np.testing.assert_array_equal(actual[name][3:], value, err_msg=name)


def test_a_saturated_layer_that_rounding_made_constant_is_not(measure):
    p, data = a_network(1.0), some_data(probe=ROWS)
    p["layers"]["bias"][3] = 40.0  # 1 − tanh 40 is 10^−35
    actual = measure("tanh", p, data)
    for name in floors.CONSTANT:
        assert np.isfinite(actual[name][:3]).all(), name
        assert np.isnan(actual[name][3:]).all(), name


def test_weights_of_0_leave_nothing_to_round(measure):
    p, data = a_network(1.0, bias=0.1), some_data(probe=ROWS)
    p["layers"]["kernel"][4] = 0.0
    actual = measure("tanh", p, data)
    for name, value in floors.CONSTANT.items():
        np.testing.assert_array_equal(actual[name][4:], value, err_msg=name)


def test_rows_that_are_all_the_same_have_no_spread(measure):
    data = some_data(probe=ROWS)
    data["probe"][0][:] = data["probe"][0][0]
    actual = measure("tanh", a_network(1.0), data)
    for name, value in floors.CONSTANT.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


def test_residual_connections_pass_by_a_dead_layer():
    options = Options(residual=True)
    program = a_program(function_of(CATALOGUE["relu"]), depth_bound=DEPTH, width=WIDTH, probes=ASKED, options=options)
    p, data = a_network(0.3), some_data(probe=ROWS)
    p["layers"]["bias"][3] = -100.0
    actual = measured(program, 0, p, data, residual=True)
    assert np.isfinite([actual[name] for name in ASKED]).all()
    assert (actual["act_var_within"] > 0).all()
