"""Where activations are flat, at the parameters in force, and what is counted as dead and as without gradient."""

from math import inf

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab
from actlab import cli
from actlab.activations import CATALOGUE, ActivationError
from actlab.activations.flatness import MOST_PIECES, POINTS, FoundFlat, flat_intervals, within
from actlab.activations.loading import check
from actlab.engine import worker_pools
from actlab.engine.loading import function_of
from actlab.study.plan import plan
from tests.core import Runs, a_program, network, own, some_data, some_numbers
from tests.serial import SerialExecutor
from tests.thinned import thinned

MINE = """
import jax.numpy as jnp
import actlab


def trec(z, *, theta=1.0):
    return jnp.where(z > theta, z, 0.0)


def leaky0(z, *, a=0.0):
    return jnp.where(z > 0, z, a * z)


def stairs(z):
    return jnp.floor(z)


@actlab.activation(learnable=("theta",))
def moving(z, *, theta=0.5):
    return jnp.maximum(z - theta, 0.0)


@actlab.activation(learnable=("theta",), flat=lambda z, *, theta=0.5: z <= theta)
def declared(z, *, theta=0.5):
    return jnp.maximum(z - theta, 0.0)


@actlab.activation(learnable=("a",))
def leaky(z, *, a=0.25):
    return jnp.where(z > 0, z, a * z)


@actlab.activation(learnable=("a",))
def begins_flat(z, *, a=0.0):
    return jnp.where(z > 0, z, a * z)


@actlab.activation(learnable=("height",))
def capped(z, *, height=1.0):
    return height * jnp.clip(z, 0.0, 1.0)
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(MINE)
    return path


# Found by looking


@pytest.mark.parametrize(
    ("name", "parameters", "intervals"),
    [
        ("trec", {"theta": 1.0}, [(-inf, 1.0)]),
        ("trec", {"theta": 3.0}, [(-inf, 3.0)]),
        ("trec", {"theta": -2.5}, [(-inf, -2.5)]),
        ("trec", {"theta": 40.0}, [(-inf, 40.0)]),
        ("trec", {"theta": -1e4}, [(-inf, -1e4)]),
        ("leaky0", {"a": 0.0}, [(-inf, 0.0)]),
        ("leaky0", {"a": 0.3}, []),
        ("leaky0", {"a": -0.3}, []),
        ("leaky0", {"a": 1e-6}, []),
        ("stairs", {}, [(-inf, inf)]),
    ],
)
def test_a_users_function_is_flat_where_its_parameters_in_force_say(mine, name, parameters, intervals):
    record = CATALOGUE.load(mine, name)
    z = np.linspace(-60.0, 60.0, 997) + 0.0017
    expected = np.any([(z >= low) & (z <= high) for low, high in [*intervals, (inf, -inf)]], axis=0)
    np.testing.assert_array_equal(record.flat(z, **parameters), expected)
    assert list(record.flat.pieces(parameters)) == intervals


@pytest.mark.parametrize(
    ("phi", "intervals"),
    [
        (lambda z: jnp.clip(z, -100.0, 100.0), [(-inf, -100.0), (100.0, inf)]),
        (lambda z: jnp.where(jnp.abs(z) < 0.003, 0.0, z), [(-0.003, 0.003)]),
        (lambda z: 0.5 * (jnp.abs(z + 1.0) - jnp.abs(z - 1.0)), [(-inf, -1.0), (1.0, inf)]),
        (lambda z: jnp.maximum(0.0, 1.0 - jnp.abs(z - 2.0)), [(-inf, 1.0), (3.0, inf)]),
        (lambda z: 1e-6 * jnp.where(z > 0, z**3, 0.0), [(-inf, 0.0)]),
        (lambda z: jnp.round(4.0 * z) / 4.0, [(-inf, inf)]),
        # Underflow, and what 1 + ... rounds away, is not flatness.
        (jnp.tanh, []),
        (lambda z: jnp.tanh(1e4 * z), []),
        (jax.nn.sigmoid, []),
        (jax.nn.gelu, []),
        (lambda z: z + jnp.sqrt(z**2 + 4.0), []),
        (lambda z: jnp.sinh(z) / jnp.cosh(z), []),  # NaN far out
    ],
)
def test_flat_intervals(phi, intervals):
    assert flat_intervals(phi) == intervals


@pytest.mark.parametrize(
    ("name", "factor"),
    [(name, f) for name, one in CATALOGUE.items() for f in (1.0, -1.0, 0.0, 0.3, 7.0)[: 5 if one.parameters else 1]],
)
def test_the_catalogue_declares_what_is_found_at_any_parameters(name, factor):
    record = CATALOGUE[name]
    parameters = {key: factor * value for key, value in record.parameters.items()}
    z = POINTS[np.abs(POINTS) < 1e3]
    found = np.asarray(within(z, tuple(flat_intervals(record.function, parameters))))
    np.testing.assert_array_equal(record.flat(z, **parameters), found)


def test_what_is_learned_and_moves_the_flat_set_must_declare_it(mine):
    flat = CATALOGUE.load(mine, "moving").flat
    assert flat.pieces({}) is None
    assert flat.why_unknown({}) == (
        "where it is flat moves with theta, which is learned; declare it: @actlab.activation(..., flat=lambda z, *, "
        "theta=0.5: ...), true where it is constant"
    )
    assert CATALOGUE.load(mine, "begins_flat").flat.pieces({}) is None  # training leaves slope 0 at once
    assert CATALOGUE.load(mine, "begins_flat").flat.pieces({"a": 0.25}) == ()
    assert CATALOGUE.load(mine, "leaky").flat.pieces({}) == ()  # flat at slope 0 alone, which training does not hit
    assert CATALOGUE.load(mine, "capped").flat.pieces({}) == ((-inf, 0.0), (1.0, inf))  # its height moves no bound


def test_more_pieces_than_a_run_has_room_for_must_be_declared():
    flat = FoundFlat(lambda z: jnp.where(jnp.floor(z) % 2 == 0, 0.0, z), {}, ())
    assert flat.pieces({}) is None
    assert f"flat pieces; a run has room for {MOST_PIECES}" in flat.why_unknown({})


# Counted


PIECES = {  # the number of the flat piece, 0 on none
    "hard_tanh": lambda z: np.where(z <= -1, 1, np.where(z >= 1, 2, 0)),
    "hard_sigmoid": lambda z: np.where(z <= -3, 1, np.where(z >= 3, 2, 0)),
    "relu6": lambda z: np.where(z <= 0, 1, np.where(z >= 6, 2, 0)),
    "relu": lambda z: np.where(z <= 0, 1, 0),
    "tanh": lambda z: np.zeros_like(z, int),
    "stairs": lambda z: np.floor(z) + 1e6,
    "hat": lambda z: np.where(np.abs(z - 2) >= 1, 1, 0),  # two at one height: one and the same
}
VALUES = {
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "relu6": lambda z: np.clip(z, 0, 6),
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "stairs": np.floor,
    "hat": lambda z: np.maximum(0, 1 - np.abs(z - 2)),
}
OWN = {"stairs": jnp.floor, "hat": lambda z: jnp.maximum(0.0, 1.0 - jnp.abs(z - 2.0))}


def record_of(name):
    if name not in OWN:
        return CATALOGUE[name]
    actlab.activation()(OWN[name])
    return CATALOGUE.own(OWN[name], name, None)


# That an evaluation at once finds the same is in tests/test_training.py and tests/test_probes.py.
@pytest.fixture(scope="module", params=[pytest.param(1, marks=pytest.mark.thorough), 3], ids=["at once", "in chunks"])
def program(request):
    functions = [function_of(record_of(name)) for name in PIECES]
    return a_program(*functions, dtype="float64", optimizer="sgd", eval_chunks=request.param)


def evaluated(program, name, gain, bias=0.0):
    """Evaluate a network of three layers at step 0: what the program says, and what NumPy does of the same weights."""
    data = some_data("float64")
    flat = record_of(name).flat
    pieces = flat.pieces({}) if isinstance(flat, FoundFlat) else ()
    numbers = some_numbers(3, gain=gain, bias_mean=bias, flat_pieces=pieces)
    runs = Runs(program, [numbers], data, 3, list(PIECES).index(name))
    state = runs.begin().state
    p = network(own(state["training"]["parameters"]), 0, 3)
    _, record = runs.record(state, 0, evaluated=True)
    h, layers = data["train"][0], []
    for l in range(3):
        kernel = p["input"]["kernel"] if l == 0 else p["layers"]["kernel"][l]
        z = h @ kernel + p["layers"]["bias"][l]
        piece, h = PIECES[name](z), VALUES[name](z)
        units = [set(piece[:, j]) for j in range(piece.shape[1])]
        flat = np.array([0 not in pieces for pieces in units])
        layers.append((np.mean(flat), np.mean(flat & np.array([len(pieces) == 1 for pieces in units]))))
    x, y = data["test"]
    for l in range(3):
        x = VALUES[name](x @ (p["input"]["kernel"] if l == 0 else p["layers"]["kernel"][l]) + p["layers"]["bias"][l])
    accuracy = np.mean((x @ p["readout"]["kernel"] + p["readout"]["bias"]).argmax(1) == y)
    return record, np.array(layers).T, accuracy


@pytest.mark.parametrize("bias", [0.0, -2.0])
@pytest.mark.parametrize("gain", thinned([1.0, 1e5], 2))
@pytest.mark.parametrize("name", thinned(PIECES, 2))
def test_dead_is_constant_and_without_gradient_is_flat(program, name, gain, bias):
    with jax.enable_x64(True):
        record, (no_gradient, dead), accuracy = evaluated(program, name, gain, bias * gain)
    np.testing.assert_allclose(record["layers"]["dead_fraction"][0, 0, :3], dead)
    np.testing.assert_allclose(record["layers"]["no_gradient_fraction"][0, 0, :3], no_gradient)
    assert record["network_dead"][0, 0] == float((dead == 1).any())
    assert record["test_accuracy"][0, 0] == pytest.approx(accuracy)
    if name == "relu":
        np.testing.assert_array_equal(dead, no_gradient)


def test_a_steep_hard_tanh_has_no_gradient_and_is_not_dead(program):
    """Its last layer is ±1 of every row: it was called dead, and its network's output constant."""
    with jax.enable_x64(True):
        record, (no_gradient, dead), _ = evaluated(program, "hard_tanh", 1e5)
    assert record["layers"]["no_gradient_fraction"][0, 0, 0] == no_gradient[0] > 0.9
    assert record["layers"]["dead_fraction"][0, 0, 0] == dead[0] < 0.5
    assert record["network_dead"][0, 0] == 0.0


def test_flat_pieces_are_numbers_of_a_run(mine):
    """Two runs of one call, of one program, whose functions are flat elsewhere."""
    trec = CATALOGUE.load(mine, "trec")
    program = a_program(function_of(trec), dtype="float64", optimizer="sgd", runs_per_call=2)
    data = some_data("float64")
    thetas = (0.3, 1.4)
    numbers = [some_numbers(2, fixed={"theta": t}, flat_pieces=trec.flat.pieces({"theta": t})) for t in thetas]
    with jax.enable_x64(True):
        runs = Runs(program, numbers, data, 2)
        state = runs.begin().state
        parameters = own(state["training"]["parameters"])
        _, record = runs.record(state, 0, evaluated=True)
    for run, theta in enumerate(thetas):
        p = network(parameters, run, 2)
        z = data["train"][0] @ p["input"]["kernel"] + p["layers"]["bias"][0]
        expected = np.mean(np.all(z <= theta, axis=0))
        assert record["layers"]["dead_fraction"][run, 0, 0] == pytest.approx(expected)
    first = record["layers"]["dead_fraction"][:, 0, 0]
    assert first[0] < first[1]


# In a study


STUDY = """
study: flat
data: {name: iris}
model: {depth: 2, width: 5, weight_init: lecun_normal, bias_init: {name: constant, value: -0.7}}
train: {steps: 4, learning_rate: 0.05, batch_size: 16}
measure:
  every: 2
  evaluate_every: 2
  probe_rows: 16
  probes: [act_mean, preact_second_moment, dead_fraction, no_gradient_fraction, born_dead_fraction, ever_dead_fraction]
sweep:
  matrix:
    model.activation:
      - {name: mine.py:trec, theta: 3}
      - {name: mine.py:trec, theta: 1}
      - {name: mine.py:leaky0, a: 0.3}
      - mine.py:moving
      - mine.py:declared
      - {name: mine.py:declared, per: unit}
  seeds: 1
report: {tables: [], figures: []}
"""


@pytest.fixture(scope="module")
def study_file(mine):
    path = mine.with_name("flat.yaml")
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="module")
def results(study_file, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        return actlab.run(study_file, out=tmp_path_factory.mktemp("flat") / "out")


def test_a_sweep_over_a_flat_sets_parameter_has_one_program(study_file):
    planned = plan(actlab.study_of(study_file, ()))
    shapes = {job.shape.programs for job in planned.groups}
    assert len(shapes) == 2  # one for layers' own parameters, one for units'
    pieces = {run.labels["activation"]: run.numbers["flat_pieces"] for run in planned.runs.values()}
    assert pieces == {
        "trec(theta=3)": ((-inf, 3.0),),
        "trec": ((-inf, 1.0),),
        "leaky0(a=0.3)": (),
        "moving": None,
        "declared": (),
        "declared(per=unit)": (),
    }
    assert list(planned.unknown_death) == ["moving"]


def final(results, activation):
    runs = results.runs[results.runs["activation"] == activation]
    last = results.layers[results.layers["step"] == results.layers["step"].max()]
    return last[last["run"].isin(runs["run"])]


def test_death_follows_the_parameters_in_force(results):
    dead = {name: final(results, name)["dead_fraction"].mean() for name in results.runs["activation"]}
    assert dead["leaky0(a=0.3)"] == 0
    assert dead["trec(theta=3)"] > dead["trec"] >= 0
    # What moves and what is declared are one function, so they trained alike; of the one, death is known.
    for name in ("act_mean", "preact_second_moment"):
        np.testing.assert_array_equal(final(results, "moving")[name], final(results, "declared")[name])
    assert final(results, "declared")["dead_fraction"].notna().all()
    assert final(results, "declared(per=unit)")["dead_fraction"].notna().all()


def test_unknown_death_is_nan_and_said_so(results):
    rows = final(results, "moving")
    for name in ("dead_fraction", "no_gradient_fraction", "born_dead_fraction", "ever_dead_fraction"):
        assert rows[name].isna().all(), name
    run = results.runs.set_index("activation").loc["moving"]
    assert run["status"] == "ok"
    assert results.steps.loc[results.steps["run"] == run["run"], "network_dead"].isna().all()
    why = results.manifest["activations"]["moving"]["unknown_death"]
    assert "declare it" in why
    text = (results.path / "report.md").read_text(encoding="utf-8").replace("\\", "")  # escapes of Markdown
    assert f"Unit death of `moving` is not known: {why}." in text
    assert "Unit death of `declared`" not in text


def test_plan_says_what_to_declare(study_file, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["actlab", "plan", str(study_file)])
    with pytest.raises(SystemExit):
        cli.main()
    said = capsys.readouterr().out
    assert "Unit death of moving will not be known: where it is flat moves with theta" in said
    assert "Unit death of declared" not in said


def declared_flat(learnable, flat):
    @actlab.activation(learnable=learnable, flat=flat)
    def thresholded(z, *, theta=0.5):
        return jnp.maximum(z - theta, 0.0)

    return CATALOGUE.declared[thresholded]


@pytest.mark.parametrize(
    ("flat", "message"),
    thinned(
        [
            (
                lambda z, *, theta=0.5: z < theta + 100,
                r"constant, and its derivative is 1 \(at z = 0\.5\d*, theta = 0\.5\)",
            ),
            (lambda z, *, theta=0.5: z <= theta + 1, "constant, and its derivative is 1"),
            (lambda z, *, theta=0.5: z <= theta - 1, "not constant, and it is on a whole interval"),
            (lambda z, *, theta=0.5: z <= 0.5, r"not constant, and it is .*theta = 1\.11"),  # right at the start alone
            (lambda z, *, theta=0.5: z >= theta, "constant, and its derivative is 1"),
        ],
        2,
    ),
)
def test_a_declared_flat_set_that_is_not_the_functions_is_refused(flat, message):
    with pytest.raises(ActivationError, match=f"its `flat` says that it is {message}"):
        check(declared_flat(("theta",), flat))


@pytest.mark.parametrize(
    "flat", [lambda z, *, theta=0.5: z <= theta, lambda z, *, theta=0.5: z < theta], ids=["closed", "open"]
)
@pytest.mark.parametrize("learnable", thinned([(("theta",),), ((),)], 2))
def test_a_kink_itself_may_count_or_not(learnable, flat):
    check(declared_flat(learnable, flat), {"theta": 0.3})


SMOOTH = {
    "z to the 5th": lambda z: jnp.maximum(z, 0.0) ** 5,
    "z to the 10th": lambda z: jnp.maximum(z, 0.0) ** 10,
    "(1 - exp(-z)) to the 8th": lambda z: jnp.where(z > 0, (1 - jnp.exp(-jnp.abs(z))) ** 8, 0.0),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_a_flat_piece_may_end_smoothly(name):
    assert flat_intervals(SMOOTH[name]) == [(-inf, 0.0)]


def test_a_flat_piece_that_may_be_underflow_is_not_known():
    def cut(z):
        return jnp.where(z > 0, jnp.exp(-1.0 / jnp.where(z > 0, z, 1.0)), 0.0)

    found = FoundFlat(cut, {}, ())
    assert found.pieces({}) is None
    assert "whether it is flat on [-inf, 0.00141] or underflows there cannot be told; declare it" in found.why_unknown(
        {}
    )
    for phi in (jnp.tanh, jax.nn.sigmoid, lambda z: jnp.exp(-(z**2)), lambda z: jnp.tanh(1e4 * z)):
        assert FoundFlat(phi, {}, ()).pieces({}) == ()
