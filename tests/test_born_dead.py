"""Born-dead networks: formulas against a simulation written here, theory against what is really drawn and stored."""

import math
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import actlab
from actlab.analysis.cells import build_cells
from actlab.nn import initializers, training
from actlab.nn.blocks import Function
from actlab.study.plan import plan
from actlab.study.reading import StudyError
from actlab.theory import born_dead
from actlab.theory.errors import TheoryError
from experiments import born_dead as study
from tests.core import a_program, nowhere
from tests.thinned import thinned

RESULTS = Path(__file__).parents[1] / "results" / "born_dead"
RELU = Function(jax.nn.relu, nowhere, (), ())


def dead_by_loop(rng, widths, inputs, networks=3000, scale=1.0):
    """Count networks without biases that are 0 on all inputs, one after the other."""
    dead = 0
    for _ in range(networks):
        h = np.asarray(inputs, float)
        for width in widths:
            h = np.maximum(h @ rng.uniform(-scale, scale, (h.shape[1], width)), 0)
        dead += not h.any()
    return dead


def likely(dead, n, low, high=None, level=1e-4):
    """Whether a count is one that some probability between two makes likely."""
    high = low if high is None else high
    return stats.binom.ppf(level / 2, n, low) <= dead <= stats.binom.isf(level / 2, n, high)


@pytest.mark.parametrize("widths", [[2], [2, 2, 2], [3, 1, 4], [5] * 6])
def test_one_ray_is_exact(widths):
    expected = 1 - math.prod(1 - 2.0**-n for n in widths)
    assert born_dead.on_one_ray(widths) == pytest.approx(expected, rel=1e-13)
    # uniform weights: any that are symmetric; and inputs of four numbers on one ray
    rays = np.outer([0.1, 1.0, 7.0], [1.0, -2.0, 0.5, 3.0])
    assert likely(dead_by_loop(np.random.default_rng(0), widths, rays), 3000, expected)
    frequency = born_dead.simulated(widths, rays, networks=20_000)
    assert likely(frequency.dead, frequency.networks, expected)


def test_one_ray_is_accurate_where_it_is_tiny_or_certain():
    assert born_dead.on_one_ray([60] * 3) == pytest.approx(3 * 2.0**-60, rel=1e-14)
    assert born_dead.on_one_ray([5000]) == 0
    assert born_dead.on_one_ray([1] * 5000) == 1
    assert born_dead.on_a_line([5000] * 3) == born_dead.Bounds(0, 0)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("hidden", [1, 2, 9, 40])
def test_the_lower_bound_of_equal_widths_is_the_papers(width, hidden):
    a = 1 - 2.0**-width
    b = 1 - 2.0 ** (1 - width) - (width - 1) * 4.0**-width
    c = (1 - 2.0 ** (1 - width)) * (1 - 2.0**-width) / (1 + (width - 1) * 2.0**-width)
    bounds = born_dead.on_a_line([width] * hidden)
    assert bounds.lower == pytest.approx(1 - a ** (hidden - 1) + c * (b ** (hidden - 1) - a ** (hidden - 1)), abs=1e-14)
    assert bounds.upper == pytest.approx(1 - a ** (hidden - 1), abs=1e-14)
    assert bounds.upper < born_dead.on_one_ray([width] * hidden)  # the paper's upper bound


@pytest.mark.parametrize("widths", [[2], [1, 1], [2, 2], [3] * 5, [2, 5, 3, 2], [5] * 10])
def test_a_line_is_between_its_bounds(widths):
    bounds = born_dead.on_a_line(widths)
    assert 0 <= bounds.lower <= bounds.upper <= 1
    for dead, n in (
        (dead_by_loop(np.random.default_rng(1), widths, [[1.0], [-0.3], [2.0]]), 3000),
        (born_dead.simulated(widths, [[1.0], [-1.0]], networks=20_000).dead, 20_000),
    ):
        assert likely(dead, n, bounds.lower, bounds.upper)
    if len(widths) <= 2:  # nothing is bounded there: one transition, from vectors at a right angle
        assert bounds.lower == pytest.approx(
            0
            if len(widths) == 1
            else 2.0 ** (1 - widths[0] - widths[1]) + (1 - 2.0 ** (1 - widths[0])) * 4.0 ** -widths[1]
        )
        assert likely(born_dead.simulated(widths, [[1.0], [-1.0]], networks=20_000).dead, 20_000, bounds.lower)


def test_deeper_is_worse_and_wider_is_better():
    for question in (
        born_dead.on_one_ray,
        lambda w: born_dead.on_a_line(w).lower,
        lambda w: born_dead.on_a_line(w).upper,
    ):
        by_depth = [question([3] * h) for h in range(1, 60)]
        by_width = [question([n] * 9) for n in range(1, 30)]
        assert np.all(np.diff(by_depth) > 0)
        assert np.all(np.diff(by_width) < 0)
        assert question([3] * 400) == pytest.approx(1)


def test_randomized_asymmetric_networks_are_born_dead_less_often():
    x = np.linspace(-1, 1, 21)[:, None]
    he, asymmetric = (
        born_dead.simulated([2] * 9, x, draw, networks=4000) for draw in (None, born_dead.randomized_asymmetric)
    )
    assert asymmetric.value + 6 * asymmetric.error < he.value - 6 * he.error


def test_the_error_is_that_of_the_count():
    counts = [born_dead.simulated([2] * 3, [[1.0]], networks=200, seed=seed).value for seed in range(300)]
    frequency = born_dead.simulated([2] * 3, [[1.0]], networks=200)
    assert np.std(counts) == pytest.approx(frequency.error, rel=0.15)
    assert born_dead.Frequency(0, 100).error > 0
    assert born_dead.simulated([2] * 3, [[1.0]], networks=200) == frequency


def test_how_many_networks_are_drawn_at_a_time_is_of_no_matter_for_their_law(monkeypatch):
    monkeypatch.setattr(born_dead, "BLOCK", 100)
    frequency = born_dead.simulated([3] * 4, [[1.0]], networks=3000)
    assert likely(frequency.dead, 3000, born_dead.on_one_ray([3] * 4))


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: born_dead.on_one_ray([]), "at least one hidden layer"),
        (lambda: born_dead.on_one_ray(3), "at least one hidden layer"),
        (lambda: born_dead.on_a_line([2, 0]), "whole numbers of at least 1, not 0"),
        (lambda: born_dead.on_a_line([2.5]), "not 2.5"),
        (lambda: born_dead.on_one_ray([True]), "not True"),
        (lambda: born_dead.on_one_ray([math.nan]), "not nan"),
        (lambda: born_dead.simulated([2], [1.0]), r"not an array of shape \(1,\)"),
        (lambda: born_dead.simulated([2], np.empty((0, 2))), r"not an array of shape \(0, 2\)"),
        (lambda: born_dead.simulated([2], [[math.inf]]), "finite"),
        (lambda: born_dead.simulated([2], [[1.0]], networks=0), "networks"),
        (lambda: born_dead.simulated([40] * 3, [[1e-260]], networks=5), "layer 1.*float64"),
    ],
)
def test_what_has_no_answer_says_why(ask, said):
    with pytest.raises(TheoryError, match=said):
        ask()


def drawn_by_the_program(name, widths, networks):
    """Draw networks of one input as training does; He's or the randomised asymmetric ones."""
    width, depth = widths[0], len(widths)
    record = initializers.INITIALIZERS[name]
    stds = [record.std(1, width), *[record.std(width, width)] * (depth - 1)]
    joint = name == "randomized_asymmetric"
    program = a_program(
        RELU,
        depth_bound=depth,
        width=width,
        optimizer="sgd",
        weight_distribution=record.distribution,
        bias_distribution="normal" if joint else "constant",
    )
    numbers = {
        "weight_std": jnp.array(stds),
        "bias_mean": jnp.zeros(depth),
        "bias_std": jnp.array(stds) if joint else jnp.zeros(depth),
        "learnable": jnp.zeros(0),
    }

    def one(seed):
        return training.start(program, numbers | {"seed": seed}, depth, 1, 1)["parameters"]

    return jax.jit(jax.vmap(one))(jnp.arange(networks)), jax.jit(one)


@pytest.mark.parametrize("name", thinned(["randomized_asymmetric", "normalized_columns"], 2))
def test_networks_as_they_are_drawn_are_born_dead_as_theory_says(name):
    widths, n = [3] * 6, 2000
    x = np.linspace(-1, 1, 21)[:, None]
    trees, one = drawn_by_the_program(name, widths, n)
    h = np.broadcast_to(x, (n, *x.shape))
    kernels = [trees["input"]["kernel"], *np.moveaxis(np.asarray(trees["layers"]["kernel"]), 1, 0)[1:]]
    silent = np.zeros(n, bool)  # a later layer's biases may speak again, of nothing
    for l, kernel in enumerate(kernels):
        h = np.maximum(h @ np.asarray(kernel, float) + np.asarray(trees["layers"]["bias"], float)[:, l, None], 0)
        silent |= ~h.any(axis=(1, 2))
    dead = int(np.sum(silent))
    draw = born_dead.randomized_asymmetric if name == "randomized_asymmetric" else None
    theory = born_dead.simulated(widths, x, draw, networks=20_000)
    assert abs(dead / n - theory.value) < 4 * math.hypot(theory.error, theory.error * math.sqrt(20_000 / n))
    if draw is None:
        assert likely(dead, n, *vars(born_dead.on_a_line(widths)).values())
    # one alone is, to the bit, what it is among others
    for a, b in zip(jax.tree.leaves(trees), jax.tree.leaves(one(7)), strict=True):
        assert np.array_equal(a[7], b)


@pytest.mark.parametrize("data", ["absolute", "sine"])
def test_stored_networks_are_born_dead_as_theory_says(data):
    """Of both initializers, also the one of which no formula speaks: against networks drawn by NumPy."""
    results = actlab.load(RESULTS)
    runs = results.runs[results.runs["data"] == data]
    first = results.steps[results.steps["step"] == 0][["run", "network_dead"]]
    x = np.linspace(-1 if data == "absolute" else 0, 1, 21)[:, None]
    for (name, width, depth), rows in runs.merge(first, on="run").groupby(["weight_init", "width", "depth"]):
        draw = born_dead.randomized_asymmetric if name.startswith("randomized") else None
        p = born_dead.simulated([width] * depth, x, draw, networks=2000)
        around = [np.clip(p.value + sign * 4 * p.error, 0, 1) for sign in (-1, 1)]
        assert likely(int(rows["network_dead"].sum()), len(rows), *around), (name, width, depth)


# The study's claims: each on stored cells, and on such as contradict it


@pytest.fixture(scope="module")
def stored():
    results = actlab.load(RESULTS)
    return build_cells(results.runs, results.steps, results.layers)


def changed(cells, *, dead=None, at=None, init=None, loss=None):
    """Return cells of whose networks those of an initializer are, or are not, dead, or have another loss at the end."""
    of = cells.runs["weight_init"].str.startswith(init or "")
    steps, runs = cells.steps.copy(), cells.runs.copy()
    if dead is not None:
        rows = steps["run"].isin(runs.loc[of, "run"]) & ((at is None) | (steps["step"] == at))
        steps.loc[rows, "network_dead"] = float(dead)
    if loss is not None:
        runs.loc[of, "train_loss"] = loss
    return replace(cells, steps=steps, runs=runs)


@pytest.mark.parametrize(
    ("claim", "contradicting"),
    [
        (study.as_computed_on_a_ray, {"dead": 0, "init": "he"}),
        (study.within_bounds_on_a_line, {"dead": 1, "init": "he"}),
        (study.asymmetric_has_fewer, {"dead": 1}),
        (study.born_dead_stay_dead, {"dead": 0, "at": 200}),
        (study.born_dead_learn_the_mean, {"loss": 1.05}),
        (study.narrow_networks_collapse, {"loss": 0.3}),
    ],
)
def test_claims_of_the_study(claim, contradicting, stored):
    assert claim(stored).verdict == "supported"
    contradicted = changed(stored, **contradicting)
    if "loss" in contradicting:  # equal losses have no interval
        contradicted.runs["train_loss"] += 1e-4 * (contradicted.runs["seed"] % 7)
    one = claim(contradicted)
    assert one.verdict == "contradicted"
    if claim in (study.as_computed_on_a_ray, study.within_bounds_on_a_line):
        assert "settings: width 2, depth 2" in one.condition


def test_every_claim_of_the_study_is_tried():
    listed = next(mark for mark in test_claims_of_the_study.pytestmark if mark.name == "parametrize").args[1]
    assert [claim for claim, _ in listed] == study.CLAIMS


# What draws weights and biases together, in a study


PLAN = """
study: s
data: {name: absolute}
model: {depth: 2, width: 3, weight_init: WEIGHTS, bias_init: BIASES}
train: {steps: 10, batch_size: 10}
"""


def planned(tmp_path, weights, biases):
    path = tmp_path / "s.yaml"
    path.write_text(PLAN.replace("WEIGHTS", weights).replace("BIASES", biases))
    return plan(actlab.study_of(path))


@pytest.mark.parametrize("biases", ["zeros", "randomized_asymmetric"])
def test_a_unit_has_one_deviation_for_its_weights_and_its_bias(biases, tmp_path):
    (group,) = planned(tmp_path, "{name: randomized_asymmetric, sigma_w: 0.9}", biases).groups
    (run,) = group.runs
    assert run.numbers["weight_std"] == pytest.approx([0.9, 0.9 / math.sqrt(3)])
    assert run.numbers["bias_std"] == run.numbers["weight_std"]
    assert run.numbers["bias_mean"] == (0, 0)
    assert run.labels["bias_init"] == "randomized_asymmetric"
    assert (group.shape.spec.weight_distribution, group.shape.spec.bias_distribution) == (
        "randomized_asymmetric",
        "normal",
    )


@pytest.mark.parametrize(
    ("weights", "biases", "said"),
    [
        (
            "randomized_asymmetric",
            "constant",
            "does not go with randomized_asymmetric, which draws the biases with the",
        ),
        ("he_normal", "randomized_asymmetric", "draws biases with the weights; write it as model.weight_init"),
    ],
)
def test_biases_of_ones_own_beside_it_are_refused(weights, biases, said, tmp_path):
    with pytest.raises(StudyError, match=said):
        planned(tmp_path, weights, biases)
