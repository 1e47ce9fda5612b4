"""Properties of histograms: NumPy counts the same, nothing finite is lost, and no depth is too deep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.measures import EDGES, HISTOGRAMS, bounds
from actlab.nn import histograms


def numpy_counts(values, name):
    edges = np.array([-np.inf, *np.asarray(EDGES[name], values.dtype), np.inf])
    return np.histogram(values[~np.isnan(values)], edges)[0]


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_bins_lie_side_by_side_from_minus_to_plus_infinity(name):
    lows, highs = np.array(bounds(name)).T
    assert (lows[0], highs[-1]) == (-np.inf, np.inf)
    assert (lows[1:] == highs[:-1]).all()
    assert (np.diff(np.asarray(EDGES[name], np.float32)) > 0).all()  # float32 tells them apart
    inner = np.array(EDGES[name])[EDGES[name][0] == -1e9 :]
    np.testing.assert_array_equal(inner, -inner[::-1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["hist_z", "hist_h"])
def test_numpy_counts_the_same(name, dtype):
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(64, 33)) * 10.0 ** rng.uniform(-6, 6, size=(64, 33))).astype(dtype)
    values[0] = np.asarray(EDGES[name], dtype)[:33]  # a value on an edge belongs to the bin above it
    values[1] = np.asarray(EDGES[name], dtype)[-33:]
    values[2, :4] = [0.0, -0.0, np.inf, -np.inf]
    with jax.enable_x64(dtype is np.float64):
        counted = np.asarray(jax.jit(getattr(histograms, name))(jnp.asarray(values)))
    assert counted.dtype == np.int32
    np.testing.assert_array_equal(counted, numpy_counts(values, name))
    assert counted.sum() == values.size


def test_what_is_not_a_number_lies_in_no_bin():
    values = np.array([[np.nan, 1.0], [np.nan, np.inf]], np.float32)
    counted = np.asarray(histograms.hist_z(jnp.asarray(values)))
    assert counted.sum() == 2
    assert counted[-1] == 1
    np.testing.assert_array_equal(counted, numpy_counts(values, "hist_z"))


@pytest.mark.parametrize("exponent", [0, -40, -800, 300, -7000])
def test_a_signal_is_counted_by_its_decades_at_any_depth(exponent):
    """As NumPy counts the logarithms in float64, but for one that float32 may not tell from an edge."""
    rng = np.random.default_rng(1)
    delta = (rng.normal(size=(32, 16)) * 10.0 ** rng.uniform(-20, 0, size=(32, 16))).astype(np.float32)
    delta[:, 3] = 0.0
    counted = np.asarray(histograms.hist_delta(jnp.asarray(delta), jnp.full(32, exponent)))
    size = np.abs(delta[delta != 0].astype(np.float64))
    decades = np.log10(size) + exponent * np.log10(2)
    expected = numpy_counts(decades, "hist_delta")
    assert counted[0] == 32  # exactly 0, and nothing else
    expected[0] = 32
    assert counted.sum() == delta.size
    assert np.abs(np.cumsum(counted - expected)).max() <= 1


def test_the_layers_of_a_deep_sigmoid_do_not_share_a_bin():
    """Each layer of a sigmoid loses a factor of four; in float32 layer 100 from the end would be 0."""
    delta = jnp.full((4, 4), 0.5)
    first = [int(np.argmax(histograms.hist_delta(delta, jnp.full(4, -2 * depth)))) for depth in (1, 10, 50, 100, 400)]
    assert len(set(first)) == 5
    assert 0 not in first
    assert first == sorted(first, reverse=True)


def test_batches_of_runs_are_counted_apart():
    values = jnp.asarray(np.random.default_rng(0).normal(size=(3, 8, 5)), jnp.float32)
    together = jax.vmap(histograms.hist_z)(values)
    for one, counts in zip(values, together, strict=True):
        np.testing.assert_array_equal(counts, histograms.hist_z(one))
