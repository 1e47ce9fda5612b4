"""Far out: what is recorded where activations saturate; the catalogue's functions where float32 ends, and at ±∞."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.activations import CATALOGUE, Activation
from actlab.engine import records
from actlab.engine.loading import function_of
from actlab.nn.programs import blank_scratches
from tests.closed_forms import CLOSED_FORMS
from tests.core import FEATURES, OUTPUTS, Runs, a_program, some_data, some_numbers
from tests.thinned import thinned

ALL = list(CATALOGUE.values())
each = pytest.mark.parametrize("record", ALL, ids=lambda record: record.name)


def one_in(many, first):
    """Of the catalogue, one in so many; each test keeps others, so that all of them are in some."""
    return pytest.mark.parametrize("record", thinned(ALL, many, first), ids=lambda record: record.name)


DEPTH, WIDTH = 4, 8
TINY = float(np.finfo(np.float32).tiny)

# What is recorded


@pytest.fixture(scope="module")
def measure():
    """A network's record, by one program of the whole catalogue: (activation, parameters, probe rows) -> record."""
    program = a_program(*map(function_of, ALL), depth_bound=DEPTH, width=WIDTH, probes=("signal_grad_norm",))
    data = some_data(probe=12)

    def of(name, p):
        place = list(CATALOGUE).index(name)
        fixed = {key: CATALOGUE[name].parameters[key] for key in program.functions[place].fixed}
        runs = Runs(
            program, [some_numbers(DEPTH, fixed=fixed, learnable=CATALOGUE[name].parameters)], data, DEPTH, place
        )
        learned = [CATALOGUE[name].parameters[key] for key in program.functions[place].learnable]
        slots = np.zeros((DEPTH, program.slots), np.float32)
        slots[:, : len(learned)] = learned
        stacks = {**p["layers"], "activation": slots}
        parameters = jax.tree.map(lambda leaf: leaf[None], p | {"layers": stacks})
        scratch = blank_scratches(program, parameters, 12)["measure"]
        measured, _ = runs.programs.measure(parameters, parameters, scratch, runs.numbers, data, *runs.call)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[0], measured)

    return of, data["probe"]


def a_network(bias, gain):
    rng = np.random.default_rng(5)
    kernel = gain * rng.normal(size=(DEPTH, WIDTH, WIDTH)) / np.sqrt(WIDTH)
    p = {
        "input": {"kernel": gain * rng.normal(size=(FEATURES, WIDTH)) / np.sqrt(FEATURES)},
        "layers": {"kernel": kernel, "bias": np.full((DEPTH, WIDTH), bias)},
        "readout": {"kernel": rng.normal(size=(WIDTH, OUTPUTS)) / np.sqrt(WIDTH), "bias": np.zeros(OUTPUTS)},
    }
    return jax.tree.map(lambda leaf: leaf.astype(np.float32), p)


def witness(name, p, x, y):
    """Backpropagate in NumPy: log10 of the signal's norm by row [L, M], and the extreme slopes of each layer."""
    phi, slope = CLOSED_FORMS[name]
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.longdouble), p)
    h, zs = x.astype(np.longdouble), []
    kernels = [p["input"]["kernel"], *p["layers"]["kernel"][1:]]
    for kernel, bias in zip(kernels, p["layers"]["bias"], strict=True):
        zs.append(h @ kernel + bias)
        h = np.asarray(phi(zs[-1].astype(float)), np.longdouble)
    outputs = h @ p["readout"]["kernel"] + p["readout"]["bias"]
    outputs -= outputs.max(axis=1, keepdims=True)
    error = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True) - np.eye(OUTPUTS)[y]
    back, norms = error @ p["readout"]["kernel"].T, []
    for z, kernel in zip(zs[::-1], kernels[::-1], strict=True):
        delta = back * slope(z.astype(float))
        norms.insert(0, np.sqrt(np.mean(np.sum(delta**2, axis=1))))
        back = delta @ kernel.T
    return np.array(norms), zs


@one_in(3, 0)
def test_recorded_norms_are_those_of_float64_or_not_known_but_never_0(record: Activation, measure):
    """Over biases and gains of both signs; four digits where the slope is a normal number of float32."""
    of, (x, y) = measure
    compared = 0
    for gain in (0.3, 1.0, -1.5):
        for bias in (-50.0, -17.0, -10.0, -2.7, 0.0, 2.7, 10.0, 17.0, 50.0):
            p = a_network(bias, gain)
            with np.errstate(all="ignore"):
                norms, zs = witness(record.name, p, x, y)
                slopes = [np.abs(CLOSED_FORMS[record.name][1](z.astype(float))) for z in zs]
            if not np.isfinite(norms.astype(float)).all() or max(np.abs(z).max() for z in zs) > 1e15:
                continue  # polynomials that leave float32
            measured = of(record.name, p)
            logs = records.log10_norms(measured, "signal_grad_norm")
            where = (gain, bias)
            for l in reversed(range(DEPTH)):
                if norms[l] == 0:
                    flat = record.flat_set != "∅"  # else float64 has underflowed, too
                    assert np.isneginf(logs[l]) if flat else np.isnan(logs[l]), where
                    continue
                with np.errstate(divide="ignore"):
                    truth = float(np.log10(norms[l]))
                if slopes[l].max() < 1e-33:  # a hundred thousand times the least: what is below may count, too
                    assert np.isnan(logs[l]) or logs[l] == pytest.approx(truth, abs=0.1), where
                    if slopes[l].max() < TINY / 10:
                        assert np.isnan(logs[l]), where
                    break  # nor is anything known of what is below
                periodic = record.saturates == "none" and record.name in ("sine", "snake")
                assert logs[l] == pytest.approx(truth, abs=5e-3 if periodic else 5e-5), (where, l)
                compared += 1
    assert compared > 12


def weight_norms(name, p, x, y):
    """Backpropagate in NumPy: the norm of each upper layer's weight gradient, z and h of each layer."""
    phi, slope = CLOSED_FORMS[name]
    _, zs = witness(name, p, x, y)
    zs = [z.astype(float) for z in zs]
    hs = [np.asarray(phi(z), np.longdouble) for z in zs]
    outputs = hs[-1] @ p["readout"]["kernel"] + p["readout"]["bias"]
    outputs -= outputs.max(axis=1, keepdims=True)
    error = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True) - np.eye(OUTPUTS)[y]
    back, norms = error @ p["readout"]["kernel"].T, []
    for l in reversed(range(1, DEPTH)):
        delta = back * slope(zs[l])
        norms.insert(0, np.sqrt(np.sum((hs[l - 1].T @ delta / len(x)) ** 2)))
        back = delta @ p["layers"]["kernel"][l].T
    return norms, zs, hs


@one_in(3, 2)
def test_recorded_norms_of_weight_gradients_are_those_of_float64(record: Activation, measure):
    """Which hold h itself: of GELU at −5 it was 6 % off, and 0 below −5.5, where float32 reaches to −13."""
    of, (x, y) = measure
    compared = 0
    for bias in (-12.0, -10.0, -8.0, -5.0, -2.7, 0.3, 2.7, 5.0, 10.0):
        p = a_network(bias, 0.3)
        with np.errstate(all="ignore"):
            norms, zs, hs = weight_norms(record.name, p, x, y)
            slopes = [np.abs(CLOSED_FORMS[record.name][1](z)) for z in zs]
        logs = records.log10_norms(of(record.name, p), "weight_grad_norm")
        for l in reversed(range(1, DEPTH)):
            if slopes[l].max() < 1e-33 or np.abs(hs[l - 1]).max() < 1e-33 or not np.isfinite(norms[l - 1]):
                break
            periodic = record.saturates == "none" and record.name in ("sine", "snake")
            truth = float(np.log10(norms[l - 1]))
            assert logs[l] == pytest.approx(truth, abs=5e-3 if periodic else 5e-5), (bias, l)
            compared += 1
    assert compared >= DEPTH - 1


@pytest.mark.parametrize(
    ("name", "bias", "known"), [("gelu", -16.0, False), ("gaussian", 12.0, False), ("relu", -9, True)]
)
def test_a_norm_is_0_only_where_the_truth_is(name, bias, known, measure):
    """Of layer 2 whose input underflowed, or is 0 by definition, and whose own slopes are steep."""
    of, _ = measure
    p = a_network(0.5, 0.3)
    p["layers"]["bias"][0] = bias
    logs = {norm: records.log10_norms(of(name, p), f"{norm}_grad_norm") for norm in ("signal", "weight")}
    assert np.isfinite(logs["signal"][1:]).all()
    assert np.isneginf(logs["weight"][1]) if known else np.isnan(logs["weight"][1])
    assert np.isfinite(logs["weight"][2:]).all()


@pytest.mark.parametrize(("name", "bias"), [("sigmoid", 17.0), ("sigmoid", -17.0), ("tanh", 10.0), ("tanh", -10.0)])
def test_what_was_0_has_a_norm_and_a_slope(name, bias, measure):
    of, (x, y) = measure
    p = a_network(bias, 1.0)
    norms, _ = witness(name, p, x, y)
    logs = records.log10_norms(of(name, p), "signal_grad_norm")
    np.testing.assert_allclose(logs, np.log10(norms).astype(float), rtol=0, atol=5e-5)
    slope, _ = records.depth_slope(logs[None])
    assert slope[0] < -6


# The functions themselves

# To the largest number, and what lies beyond; the limit where there is one, at the default parameters.
SIZES = np.array([1e10, 1e13, 1e16, 1e18, 2e18, 1e19, 2e19, 1e20, 1e25, 1e30, 1e37, 3e38, np.inf], np.float32)
FAR = np.concatenate([-SIZES, SIZES])


def limits(name, z):
    """Compute φ, φ' in NumPy's float64, at ±∞ as they are at ±1e100, with NaN where there is no limit."""
    beyond = np.isinf(z)
    z = z.astype(np.float64)
    at = np.where(beyond, np.copysign(1e100, z), z)
    with np.errstate(all="ignore"):
        value, slope = (np.asarray(f(at), np.float64) for f in CLOSED_FORMS[name])
        value = np.where(beyond & (np.abs(value) > 1e50), np.copysign(np.inf, value), value)
        slope = np.where(beyond & (np.abs(slope) > 1e50), np.copysign(np.inf, slope), slope)
    if name in ("sine", "snake"):
        slope = np.where(beyond, np.nan, slope)
        value = np.where(beyond & (name == "sine"), np.nan, value)
    return value, slope


def single(values):
    with np.errstate(over="ignore", under="ignore"):
        return np.where(np.abs(values) < TINY, 0.0, values).astype(np.float32)


def derivative(phi, z):
    return jax.jit(lambda z: jax.vjp(phi, z)[1](jnp.ones_like(z))[0])(z)


@one_in(3, 1)
def test_values_and_derivatives_far_out(record: Activation):
    value, slope = limits(record.name, FAR)
    actual = {
        "φ": jax.jit(record.function)(FAR),
        "φ'": derivative(record.exact, FAR),
        "declared": record.derivative(jnp.asarray(FAR)),
    }
    finite = np.isfinite(FAR)
    in_training = np.asarray(derivative(record.function, FAR[finite]))
    loose = {"rtol": 1e-5, "atol": 2e-6 if record.name in ("sine", "snake") else 2 * TINY}
    np.testing.assert_allclose(np.asarray(actual["φ"]), single(value), **loose)
    np.testing.assert_allclose(np.asarray(actual["φ'"]), single(slope), **loose)
    np.testing.assert_allclose(np.asarray(actual["declared"]), single(slope), **loose)
    np.testing.assert_allclose(in_training, single(slope)[finite], **loose)


@one_in(3, 0)
def test_measured_values_have_five_digits_wherever_float32_has_such_numbers(record: Activation):
    """In tails and near 0. Its own argument is rounded before: sine and snake far out are those of that argument."""
    z = np.array([1e-6, 1e-3, 0.1, 1, 2, 3, 4, 5, 5.5, 6, 8, 10, 12, 12.5, 13, 17, 20, 50, 85, 1e4], np.float32)
    z = np.concatenate([-z, z])
    with np.errstate(all="ignore"):
        value = np.asarray(CLOSED_FORMS[record.name][0](z.astype(float)), float)
    actual = np.asarray(jax.jit(record.exact)(z))
    normal = np.abs(value) >= TINY
    np.testing.assert_allclose(actual[normal], value[normal], rtol=1e-5)
    np.testing.assert_allclose(actual[~normal], value[~normal], rtol=0, atol=TINY)


@pytest.mark.parametrize(
    ("record", "name"),
    thinned([(one, name) for one in ALL for name in one.parameters], 3),
    ids=lambda one: str(one)[:12],
)
def test_derivatives_in_parameters_far_out(record: Activation, name: str):
    """As float64 has them; at ±∞ what float64 has far out."""
    at = record.parameters[name]
    far = FAR.astype(np.float64)
    far = np.where(np.isinf(far), np.copysign(1e100, far), far)
    with jax.enable_x64(True):
        expected = np.asarray(record.parameter_derivatives[name](jnp.asarray(far)), np.float64)
        nearer = FAR.astype(np.float64)[np.abs(FAR) <= 1e13]
        moved = [np.asarray(record.exact(nearer, **{name: at + d})) for d in (-1e-4, 1e-4)]
    unknown = np.isinf(FAR) if record.name in ("sine", "snake") else np.zeros(len(FAR), bool)
    expected = np.where(np.isinf(FAR) & (np.abs(expected) > 1e50), np.copysign(np.inf, expected), expected)
    actual = np.asarray(jax.jit(record.parameter_derivatives[name])(FAR))
    assert (np.isnan(actual) == unknown).all()
    if record.name not in ("sine", "snake"):  # whose argument float32 rounds by whole periods in αz
        np.testing.assert_allclose(actual, single(expected), rtol=1e-5, atol=2 * TINY)
        size = np.abs(moved[0]).max()
        np.testing.assert_allclose(
            expected[np.abs(FAR) <= 1e13], (moved[1] - moved[0]) / 2e-4, rtol=1e-3, atol=1e-10 * size
        )


@each
def test_a_nan_stays_one_far_out_or_not(record: Activation):
    assert np.isnan(partial(record.function)(jnp.float32(np.nan)))
