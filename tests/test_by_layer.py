"""Activation parameters by layer, learned from there or held there: what trains, how it is drawn, what is refused."""

import itertools
from pathlib import Path

import jax
import numpy as np
import pytest

from actlab.activations import CATALOGUE, ActivationError
from actlab.cli.activations import asked
from actlab.engine import prediction_cells
from actlab.engine.loading import function_of
from actlab.engine.network import parsed
from actlab.nn.initializers import INITIALIZERS
from actlab.study.plan import plan
from actlab.study.reading import StudyError, parse, read
from actlab.where.matching import in_one_word, same_choice
from experiments import frozen_slopes
from tests.core import Runs, a_program, assert_same_bits, go, network, some_data, some_numbers
from tests.test_training import DEPTH, OPTIMIZERS, SCHEDULE, WIDTH, bent_numbers, bent_program, loop, optimized

_, OWN, RULE, DECAYED = OPTIMIZERS["adamw"]  # clipped, decayed, with the parameters of φ
STARTS = ((0.9, 0.5, 0.7), (0.2, 0.8, 0.4), (0.6, 0.6, 0.6))
SLOPES = (0.4, -0.1, 0.25)
HELD = {"learn_activation_parameters": False}


def trained(program, numbers, activation=0):
    """Train runs on float64 rows: parameters as they begin and end, the optimizer's memory, and the records."""
    runs = Runs(program, numbers, some_data("float64"), DEPTH, activation)
    begun = jax.tree.map(np.array, runs.begin().state["training"]["parameters"])
    state, records = go(runs, SCHEDULE)
    return begun, state["training"]["parameters"], state["training"]["memory"], records


def assert_close(one, other):
    for (path, a), b in zip(jax.tree.leaves_with_path(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=str(path))


# What trains


def test_held_parameters_stay_where_they_began_and_all_else_follows_the_obvious_loop():
    """Runs side by side, each with starts by layer of its own: neither moved, decayed, remembered nor clipped with."""
    with jax.enable_x64(True):
        program = bent_program(dtype="float64", runs_per_call=3, **HELD, **OPTIMIZERS["adamw"][0])
        numbers = [bent_numbers(seed=k, beta=start, **OWN) for k, start in enumerate(STARTS)]
        begun, after, memory, _ = trained(program, numbers)
        for k, start in enumerate(STARTS):
            before, end = network(begun, k, DEPTH), network(after, k, DEPTH)
            assert before["layers"]["activation"][:, 0].tolist() == [[own] * WIDTH for own in start]  # of each unit
            assert_same_bits(before["layers"]["activation"], end["layers"]["activation"])
            assert not any(np.any(network(one, k, DEPTH)["layers"]["activation"]) for one in memory.values())
            expected, log = loop(before, numbers[k], some_data("float64"), RULE, DECAYED, still=("activation",))
            assert_close(end, expected)
            assert {norm > OWN["clip_norm"] for *_, norm in log} == {True, False}  # that of the others alone


def test_what_is_learned_from_starts_by_layer_follows_the_obvious_loop():
    with jax.enable_x64(True):
        numbers = bent_numbers(beta=STARTS[0], **OWN)
        begun, after, *_ = trained(optimized("adamw"), [numbers])
        before, end = network(begun, 0, DEPTH), network(after, 0, DEPTH)
        assert_close(end, loop(before, numbers, some_data("float64"), RULE, DECAYED)[0])
        assert np.all(end["layers"]["activation"] != before["layers"]["activation"])
        one_for_all, equal = (trained(optimized("adamw"), [bent_numbers(beta=b, **OWN)]) for b in (0.6, STARTS[2]))
    assert_same_bits(one_for_all, equal)


@pytest.fixture(scope="module")
def rectifiers():
    """Make a program that holds prelu's α, with leaky_relu beside it."""
    functions = [function_of(CATALOGUE[name]) for name in ("prelu", "leaky_relu")]
    return a_program(*functions, dtype="float64", optimizer="adam", **HELD)


def test_prelu_that_is_held_is_leaky_relu(rectifiers):
    with jax.enable_x64(True):
        _, held, _, records = trained(rectifiers, [some_numbers(learnable={"alpha": 0.3})])
        _, leaky, _, its_records = trained(rectifiers, [some_numbers(fixed={"negative_slope": 0.3})], activation=1)
    assert held["layers"].pop("activation")[0, :DEPTH].tolist() == [[0.3]] * DEPTH
    assert np.all(records["layers"].pop("alpha") == 0.3)
    assert not np.any(leaky["layers"].pop("activation"))
    assert_close((held, records), (leaky, its_records))


def test_a_loss_is_that_of_numpy_with_a_slope_for_each_layer(rectifiers):
    x, y = some_data("float64")["train"]
    with jax.enable_x64(True):
        begun, after, _, records = trained(rectifiers, [some_numbers(learnable={"alpha": SLOPES})])
    assert after["layers"]["activation"][0, :DEPTH, 0].tolist() == list(SLOPES)
    weights, h = network(begun, 0, DEPTH), x
    for l, slope in enumerate(SLOPES):
        kernel = weights["layers"]["kernel"][l] if l else weights["input"]["kernel"]
        z = h @ kernel + weights["layers"]["bias"][l]
        h = np.where(z > 0, z, slope * z)
    outputs = h @ weights["readout"]["kernel"] + weights["readout"]["bias"]
    losses = np.log(np.exp(outputs).sum(axis=1)) - outputs[np.arange(len(y)), y]
    assert records["train_loss"][0, 0] == pytest.approx(losses.mean(), rel=1e-12)


# How it is planned

BASE = """
study: s
data: {name: iris}
model: {depth: 3, width: 8, activation: prelu}
train: {steps: 4}
measure: {every: 2, evaluate_every: 4}
"""
LEAKY = "model.activation={name: leaky_relu, negative_slope: [0.3, 0.2, 0.1]}"
LIST = "{name: prelu, alpha: [0.3, 0.2, 0.1]}"


@pytest.fixture
def planned(tmp_path):
    def planned(*overrides, text=BASE):
        (tmp_path / "s.yaml").write_text(text)
        return plan(read(tmp_path / "s.yaml", list(overrides)))

    return planned


def only(plan):
    (run,) = plan.runs.values()
    return run


def test_equal_numbers_are_the_one_number(planned):
    """In all that a run is made of, so that it trains to the same bits; and theory predicts the same of it."""
    scalar, equal = planned("model.activation.alpha=0.3"), planned("model.activation.alpha=[0.3, 0.3, 0.3]")
    assert only(scalar).numbers == only(equal).numbers
    assert only(scalar).labels["weight_init_used"] == only(equal).labels["weight_init_used"]
    assert list(prediction_cells.cells_of(scalar)) == list(prediction_cells.cells_of(equal))


def test_ways_to_write_it_are_one_run_whose_label_reads_back(planned):
    label = "prelu(alpha=0.3/0.2/0.1)"
    words = [f"={LIST}", "=prelu:alpha=.3/.2/.1", ".alpha=[0.3,0.2,0.1]"]
    config = {"study": "s", "data": {"name": "iris"}, "train": {"steps": 4}, "measure": {"every": 2}}
    config["measure"]["evaluate_every"] = 4
    config["model"] = {"depth": 3, "width": 8, "activation": {"name": "prelu", "alpha": np.array([0.3, 0.2, 0.1])}}
    runs = [*(only(planned(f"model.activation{one}")) for one in words), only(plan(read(config)))]
    assert len({run.id for run in runs}) == 1
    assert {run.labels["activation"] for run in runs} == {label}
    assert in_one_word(label) == "prelu:alpha=0.3/0.2/0.1"
    assert same_choice("prelu:alpha=.3/.2/1e-1", label)
    assert not same_choice("prelu:alpha=.3/.2/.2", label)
    assert parsed(label) == {"name": "prelu", "alpha": (0.3, 0.2, 0.1)}


def test_units_of_a_layer_begin_alike(planned):
    run = only(planned("model.activation={name: prelu, alpha: [0.3, 0.2, 0.1], per: unit}"))
    assert run.numbers["learnable"] == {"alpha": (0.3, 0.2, 0.1)}
    assert run.labels["activation"] == "prelu(alpha=0.3/0.2/0.1, per=unit)"


def test_he_takes_the_slope_of_each_layer(planned):
    he = INITIALIZERS["he_normal"].std
    own = only(planned(f"model.activation={LIST}"))
    fans = ((4, 8), (8, 8), (8, 8))
    assert own.numbers["weight_std"] == tuple(
        he(*fan, negative_slope=slope) for fan, slope in zip(fans, (0.3, 0.2, 0.1), strict=True)
    )
    assert own.labels["weight_init_used"] == "he_normal(negative_slope=0.3/0.2/0.1)"
    named = only(planned(f"model.activation={LIST}", "model.weight_init=he_normal"))
    assert named.numbers["weight_std"] == tuple(he(*fan) for fan in fans)


def test_theory_says_why_it_predicts_nothing(planned):
    assert prediction_cells.outside_by_settings(planned(f"model.activation={LIST}")) == {
        "activation parameters by layer": 1
    }


def test_learning_is_the_default_and_no_part_of_what_a_run_is(planned):
    default, said, held = (
        only(planned(*one))
        for one in ([], ["train.learn_activation_parameters=true"], ["train.learn_activation_parameters=false"])
    )
    assert default.id == said.id != held.id
    assert default.numbers == held.numbers


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["model.activation={name: leaky_relu, negative_slope: [0.3, 0.2, 0.1]}"],
            "`prelu` with `train.learn_activation",
        ),
        (["model.activation={name: leaky_relu, negative_slope: [0.3, 0.2, 0.1]}"], "sweep.matrix"),
        (["model.activation={name: prelu, alpha: [0.3, 0.2]}"], "expected 3 numbers, one for each hidden layer"),
        ([f"model.activation={LIST}", "model.depth=3,5"], "expected 5 numbers, one for each hidden layer"),
        (["model.activation={name: prelu, alpha: []}"], "not an empty list"),
        (["model.activation={name: prelu, alpha: [0.3, .nan, 0.1]}"], "expected a number of at most 1e+30, not nan"),
        (["model.activation={name: prelu, alpha: [0.3, .inf, 0.1]}"], "expected a number of at most 1e+30, not inf"),
        (
            ["model.activation={name: prelu, alpha: [0.3, true, 0.1]}"],
            "expected a number, a word, true or false",
        ),
        (["model.weight_init={name: gaussian, sigma_w: [1, 2, 3]}"], "expected a number, a word, true or false"),
        ([f"model.activation={LIST}", "model.weight_init=variance_preserving"], "is of one φ"),
        ([f"model.activation={LIST}", "model.weight_init=critical"], "is of one φ"),
    ],
)
def test_what_cannot_be_is_refused_in_one_message(planned, overrides, words):
    with pytest.raises(StudyError) as refused:
        planned(*overrides)
    assert words in str(refused.value)
    assert str(refused.value).count("\n") == 0


def test_a_command_about_one_function_takes_one_number():
    with pytest.raises(ActivationError, match="alpha by layer is of a network; give it one number here"):
        asked(["prelu:alpha=0.3/0.2"])


def test_the_frozen_study_is_what_its_program_writes_and_trains_as_small_data():
    folder = Path(__file__).parents[1] / "configs" / "trial"
    own, other = (parse(folder / f"{name}.yaml")[0] for name in ("frozen_slopes", "small_data"))
    matrix, control = own["sweep"]["matrix"], other["sweep"]["matrix"]
    slopes = [one["alpha"] for one in matrix["model.activation"] if isinstance(one, dict) and "alpha" in one]
    places = itertools.product(matrix["data.train_rows"], matrix["train.optimizer"])
    written = frozen_slopes.study_of(dict(zip(places, slopes, strict=True)), matrix["train.learning_rate"])
    assert (folder / "frozen_slopes.yaml").read_text(encoding="utf-8") == written
    for key in ("data.train_rows", "train.optimizer", "train.learning_rate"):
        assert matrix[key] == control[key]
    assert own["train"].pop("learn_activation_parameters") is False
    assert [own[key] for key in ("data", "model", "train", "measure")] == [
        other[key] for key in ("data", "model", "train", "measure")
    ]
    assert [own["sweep"][key] for key in ("select", "seeds")] == [other["sweep"][key] for key in ("select", "seeds")]
