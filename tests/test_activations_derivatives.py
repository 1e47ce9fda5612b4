"""Derivatives in closed form: against other closed forms, automatic differentiation, differences; in every mode."""

import inspect
import re
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.activations import CATALOGUE, Activation, ActivationError, check
from actlab.activations.base import activation
from actlab.activations.closed_form import ClosedForm, automatic
from actlab.activations.cost import operations
from actlab.activations.properties import value_and_pullback
from tests.closed_forms import CLOSED_FORMS
from tests.thinned import thinned

ALL = list(CATALOGUE.values())
each = pytest.mark.parametrize("record", ALL, ids=lambda record: record.name)
PARAMETERS = [(record, name) for record in ALL for name in record.parameters]
each_parameter = pytest.mark.parametrize(
    ("record", "name"), thinned(PARAMETERS, 3), ids=lambda case: getattr(case, "name", case)
)
# Off every kink, turning point and zero of a derivative, on both sides of 0 and near it.
Z = np.array([-7.3, -4.1, -2.2, -1.6, -0.9, -0.31, -0.012, 0.011, 0.33, 0.83, 1.9, 2.7, 4.4, 7.1])
# Small, ordinary, large, and where float32's e^z is no more; on both sides.
SIZES = np.concatenate([np.geomspace(1e-8, 1.0, 100), np.linspace(1.0, 50.0, 700), [1e3, 1e4]])
FLOAT32 = np.concatenate([-SIZES[::-1], [0.0], SIZES]).astype(np.float32)


def one_in(many, first):
    """Of the catalogue, one in so many; each test keeps others, so that all of them are in some."""
    return pytest.mark.parametrize("record", thinned(ALL, many, first), ids=lambda record: record.name)


def reverse(phi, z):
    """Compute φ' by reverse mode, compiled, the way that training takes it."""
    return jax.jit(jax.grad(lambda z: jnp.sum(phi(z))))(z)


def forward(phi, z):
    """Compute φ' by forward mode, compiled."""
    return jax.jit(lambda z: jax.jvp(phi, (z,), (jnp.ones_like(z),))[1])(z)


def with_parameter(phi, name):
    """Return φ as a function of z and one parameter."""
    return lambda z, value: phi(z, **{name: value})


def differences(f, x, step=1e-5):
    """Compute central differences of a function of a NumPy array."""
    return (np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2.0 * step)


@each
def test_the_record_carries_them(record: Activation):
    assert record.closed_form
    assert isinstance(record.exact, ClosedForm)
    assert record.function is record.exact or not isinstance(record.function, ClosedForm)
    signature = inspect.signature(record.function)
    assert {name: p.default for name, p in list(signature.parameters.items())[1:]} == dict(record.parameters)
    assert set(record.parameter_derivatives) == set(record.parameters)
    with pytest.raises(TypeError, match="nonsense"):
        record.exact(1.0, nonsense=1.0)


@one_in(4, 0)
def test_three_ways_to_a_derivative_agree(record: Activation):
    value, derivative = CLOSED_FORMS[record.name]
    with jax.enable_x64(True):
        declared = reverse(record.exact, Z)
        np.testing.assert_allclose(declared, derivative(Z), rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(declared, reverse(automatic(record.exact), Z), rtol=1e-8, atol=1e-14)
        np.testing.assert_allclose(declared, differences(value, Z), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(record.function(Z), record.exact(Z), rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(declared, reverse(record.function, Z), rtol=1e-8, atol=1e-14)


@one_in(4, 2)
def test_forward_mode_is_reverse_mode(record: Activation):
    with jax.enable_x64(True):
        for phi in {record.function, record.exact}:
            np.testing.assert_allclose(forward(phi, Z), reverse(phi, Z), rtol=1e-14)
        np.testing.assert_allclose(jax.jacfwd(record.exact)(Z), np.diag(reverse(record.exact, Z)), rtol=1e-14)
        np.testing.assert_allclose(record.derivative(Z), reverse(record.exact, Z), rtol=1e-14)


@one_in(4, 3)
def test_second_and_third_derivatives(record: Activation):
    # Where it is smooth, at 0 too: that its closed form takes |z| must not show there.
    z = np.append(Z, 0.0) if record.smoothness == "C∞" else Z
    slope = CLOSED_FORMS[record.name][1]
    h = 1e-3
    with jax.enable_x64(True):
        second = partial(forward, partial(forward, record.exact))
        np.testing.assert_allclose(second(z), differences(slope, z, h), rtol=1e-5, atol=1e-5)
        third = jax.jit(jax.vmap(jax.grad(jax.grad(jax.grad(record.exact)))))(z)
        curvature = (slope(z + h) - 2.0 * slope(z) + slope(z - h)) / h**2
        np.testing.assert_allclose(third, curvature, rtol=1e-4, atol=1e-4)
        hessians = jax.jit(jax.vmap(jax.hessian(record.exact)))(z)
        np.testing.assert_allclose(hessians, second(z), rtol=1e-12, atol=1e-14)


@one_in(4, 1)
def test_higher_derivatives_stay_finite_far_out(record: Activation):
    z = jnp.array([-1e4, -300.0, -60.0, 60.0, 300.0, 1e4])
    phi = record.exact
    for order in range(1, 4):
        phi = jax.grad(phi)
        assert bool(jnp.isfinite(jax.jit(jax.vmap(phi))(z)).all()), order


@each_parameter
def test_derivatives_in_parameters(record: Activation, name: str):
    at = record.parameters[name]
    with jax.enable_x64(True):
        moved = with_parameter(record.exact, name)
        total = jax.jit(jax.grad(lambda value, z: moved(z, value)))
        in_parameter = jax.vmap(total, (None, 0))(at, Z)
        plain = jax.vmap(jax.grad(with_parameter(automatic(record.exact), name), 1), (0, None))(Z, at)
        np.testing.assert_allclose(in_parameter, plain, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(in_parameter, differences(lambda value: moved(Z, value), at), rtol=1e-6, atol=1e-9)
        tangent = jax.jvp(lambda value: moved(Z, value), (at,), (1.0,))[1]
        np.testing.assert_allclose(tangent, in_parameter, rtol=1e-14)
        np.testing.assert_allclose(record.parameter_derivatives[name](Z), in_parameter, rtol=1e-12)
        jax.hessian(lambda value: moved(0.7, value))(at).block_until_ready()  # and again


SHAPES = [*(((4, 3), shape) for shape in [(), (1,), (3,), (1, 3), (4, 3)]), ((1, 3), (4, 3)), ((), (3,))]


@pytest.mark.parametrize(
    ("record", "name", "z_shape", "shape"),
    [
        pytest.param(record, name, *shapes, marks=pytest.mark.thorough if (i + j) % 5 else [])
        for (i, (record, name)), (j, shapes) in product(enumerate(PARAMETERS), enumerate(SHAPES))
    ],
    ids=lambda case: getattr(case, "name", str(case)),
)
def test_parameters_of_every_shape(record: Activation, name: str, z_shape, shape):
    rng = np.random.default_rng(0)
    z = jnp.asarray(rng.normal(size=z_shape))
    value = jnp.asarray(record.parameters[name] * rng.uniform(0.9, 1.1, shape))
    weight = jnp.asarray(rng.normal(size=np.broadcast_shapes(z_shape, shape)))

    def gradients(phi):
        loss = lambda z, value: jnp.sum(weight * with_parameter(phi, name)(z, value))
        return jax.jit(lambda z, value: (jax.grad(loss)(z, value), jax.grad(loss, 1)(z, value)))(z, value)

    with jax.numpy_rank_promotion("allow"):
        for gradient, plain in zip(gradients(record.exact), gradients(automatic(record.exact)), strict=True):
            assert gradient.shape == plain.shape
            assert gradient.dtype == jnp.float32
            np.testing.assert_allclose(gradient, plain, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("dtype", "wide"), [("float32", False), ("float32", True), ("float64", True)])
def test_the_dtype_is_kept(dtype, wide):
    with jax.enable_x64(wide):
        z = jnp.asarray(Z.astype(dtype))
        for record in ALL:
            for parameters in ({}, dict.fromkeys(record.parameters, 2), dict(record.parameters)):
                phi = partial(record.exact, **parameters)
                value, slope = jax.eval_shape(lambda z, phi=phi: jax.jvp(phi, (z,), (jnp.ones_like(z),)), z)
                gradient = jax.eval_shape(jax.grad(lambda z, phi=phi: jnp.sum(phi(z))), z)
                assert value.dtype == slope.dtype == gradient.dtype == z.dtype, record.name
                assert jax.eval_shape(record.derivative, z).dtype == z.dtype, record.name
            for name in record.parameters:  # one of a wider type widens value and derivative alike
                phi = partial(record.exact, **{name: np.full(z.shape, 2.0)})
                value, slope = jax.eval_shape(lambda z, phi=phi: jax.jvp(phi, (z,), (jnp.ones_like(z),)), z)
                assert value.dtype == slope.dtype == (jnp.float64 if wide else jnp.float32), record.name


@each
def test_numbers_do_as_well(record: Activation):
    z = 0.7
    slope = jax.grad(record.exact)(z)
    assert float(slope) == pytest.approx(float(CLOSED_FORMS[record.name][1](z)), rel=1e-5)
    assert record.exact(z) == pytest.approx(float(CLOSED_FORMS[record.name][0](z)), rel=1e-5)


@one_in(4, 0)
def test_vmap_over_runs_with_parameters_of_their_own(record: Activation):
    z = jnp.asarray(np.random.default_rng(1).normal(size=(3, 5, 2)), jnp.float32)
    runs = {name: value * jnp.array([0.9, 1.0, 1.1]) for name, value in record.parameters.items()}
    learned = {name: runs[name] for name in record.learnable}
    fixed = {name: value for name, value in runs.items() if name not in learned}

    def gradients(phi, z, learned, fixed):
        return jax.grad(lambda z, learned: jnp.sum(phi(z, **fixed, **learned) ** 2), (0, 1))(z, learned)

    together = jax.jit(jax.vmap(partial(gradients, record.exact)))(z, learned, fixed)
    plain = jax.jit(partial(gradients, automatic(record.exact)))
    for run in range(3):
        alone = plain(z[run], *({name: value[run] for name, value in one.items()} for one in (learned, fixed)))
        for actual, expected in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(actual[run], expected, rtol=2e-5, atol=1e-6)


def test_inside_scan_and_switch():
    """All of the catalogue in one program: layer by layer under a scan, the vjp taken inside the branch."""
    z = jnp.linspace(-3.0, 3.0, 8)
    g = jnp.linspace(0.5, 1.5, 8)
    branches = [partial(value_and_pullback, record.exact) for record in ALL]

    @jax.jit
    def program(i, z):
        def layer(h, scale):
            value, back = jax.lax.switch(i, branches, scale * h, g)
            return 0.1 * back, value

        return jax.lax.scan(layer, z, jnp.array([1.0, 0.7]))

    over_runs = jax.jit(jax.vmap(program, (None, 0)))
    for i, record in enumerate(ALL):
        back, values = program(i, z)
        first = 0.1 * g * record.derivative(z)
        expected = jnp.stack([record.exact(z), record.exact(0.7 * first)])
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(back, 0.1 * g * record.derivative(0.7 * first), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(over_runs(i, jnp.stack([z, z]))[0][1], back, rtol=1e-5, atol=1e-6)


def test_only_what_carries_a_tangent_is_differentiated():
    asked = []

    def plain(z, *, p=2.0, q=0.0):
        return p * z**2 + q

    def in_z(z, *, p, q):
        asked.append("z")
        return 2.0 * p * z

    def in_p(z, *, p, q):
        asked.append("p")
        return z**2

    phi = ClosedForm(plain, {"p": 2.0, "q": 0.0}, in_z, parameter_derivatives={"p": in_p})

    def loss(z, p, q):
        def layer(h, p):
            return phi(h, p=p, q=q), None

        return jnp.sum(jax.lax.scan(layer, z, p)[0])

    z, p = jnp.arange(3.0), jnp.array([2.0, 0.5])
    for argument, expected in ((0, {"z"}), (1, {"z", "p"})):  # later layers carry what the first one's p moved
        asked.clear()
        jax.vmap(jax.jit(jax.grad(loss, argument)), (0, None, None))(z[:, None], p, 1.0)
        assert set(asked) == expected
    asked.clear()
    assert jax.grad(lambda q: jnp.sum(phi(z, q=q)))(0.0) == 3.0  # q has no closed form: automatic
    assert asked == []
    jax.grad(lambda p: jnp.sum(phi(z, p=p)))(2.0)
    assert asked == ["p"]


# Float32: what cancels or overflows in the textbook form.


@one_in(3, 0)
def test_float32_is_accurate_to_the_far_tails(record: Activation):
    z = FLOAT32.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        value, slope = (f(z) for f in CLOSED_FORMS[record.name])
    wobble = 1e-9 if record.saturates == "none" else 0.0  # sine and snake: a zero of φ' is known as well as its z
    beside_turn = abs(z - record.extremum[0]) < 0.05 if record.extremum else np.zeros(len(z), bool)
    # e^z of a gate leaves float32 a little before z·e^z does.
    normal = np.abs(slope) > 1e-35
    for actual in (reverse(record.exact, FLOAT32), forward(record.exact, FLOAT32), record.derivative(FLOAT32)):
        actual = np.asarray(actual, np.float64)
        assert np.isfinite(actual).all()
        ask = normal & ~beside_turn
        np.testing.assert_allclose(actual[ask], slope[ask], rtol=1e-5, atol=wobble)
        np.testing.assert_allclose(actual, slope, rtol=1e-5, atol=1e-6)
        assert not (actual == 0)[normal & ~np.asarray(record.flat(FLOAT32))].any()
    # GELU's Φ takes 1 + erf: its left tail is rounded away at 1e−8, where erfc would slow training.
    rough = 1e-6 if record.name == "gelu" else 1e-38
    normal = np.abs(value) > 1e-35
    np.testing.assert_allclose(np.asarray(record.function(FLOAT32))[normal], value[normal], rtol=1e-5, atol=rough)


@pytest.mark.parametrize(
    ("name", "z", "log10"), [("tanh", 10.0, -8.0838), ("sigmoid", 30.0, -13.0288), ("squareplus", -1e4, -8.0)]
)
def test_what_float32_used_to_lose(name, z, log10):
    assert float(jnp.log10(reverse(CATALOGUE.find(name).exact, jnp.float32(z)))) == pytest.approx(log10, abs=1e-3)


def test_small_signals_pass():
    z = jnp.float32(1e-8)
    assert float(CATALOGUE.find("centred_sigmoid").function(z)) == pytest.approx(2.5e-9)
    assert float(CATALOGUE.find("tanhshrink").function(jnp.float32(1e-3))) == pytest.approx(1e-9 / 3.0, rel=1e-5)
    assert float(CATALOGUE.find("squareplus").function(jnp.float32(-1e4))) == pytest.approx(1e-4, rel=1e-5)


@pytest.mark.parametrize("name", thinned(sorted(set(CATALOGUE) - {"linear"}), 3))  # whose derivative is 1 whatever z is
def test_a_nan_passes_through_the_derivative(name):
    record, z = CATALOGUE.find(name), jnp.array([jnp.nan, 1.0])
    for slope in (record.derivative(z), reverse(record.exact, z), forward(record.exact, z)):
        assert jnp.isnan(slope).tolist() == [True, False]


def test_training_is_exact_too_but_for_four():
    others = {record.name for record in ALL if record.function is not record.exact}
    assert others == {"tanh", "scaled_tanh", "centred_sigmoid", "gelu"}


@pytest.mark.parametrize("name", ["tanh", "scaled_tanh", "centred_sigmoid", "gelu"])
def test_what_training_does_instead_is_cheaper_and_as_good_in_the_middle(name):
    record = CATALOGUE.find(name)
    cost = [operations(partial(value_and_pullback, phi), arguments=2) for phi in (record.function, record.exact)]
    assert cost[0] < cost[1]
    z = jnp.linspace(-3.0, 3.0, 101)
    np.testing.assert_allclose(reverse(record.function, z), record.derivative(z), rtol=1e-5, atol=1e-6)


# A user's own.


def test_a_users_closed_form_is_used_and_a_missing_one_is_automatic():
    @activation(derivative=lambda z, *, p=1.0, q=1.0: p * jnp.cos(z), learnable=("p", "q"))
    def mine(z, *, p=1.0, q=1.0):
        """Doc."""
        return p * jnp.sin(z) + q

    record = CATALOGUE.declared[mine]
    assert (mine.__name__, mine.__doc__, record.closed_form) == ("mine", "Doc.", True)
    assert isinstance(mine, ClosedForm)
    assert record.function is mine
    actual = jax.grad(lambda z, p, q: mine(z, p=p, q=q), (0, 1, 2))(0.5, 2.0, 3.0)
    np.testing.assert_allclose(actual, [2.0 * np.cos(0.5), np.sin(0.5), 1.0], rtol=1e-6)
    check(record)

    @activation(learnable=("p",))
    def plain(z, *, p=1.0):
        return p * z

    assert CATALOGUE.declared[plain].function is plain
    assert not isinstance(plain, ClosedForm)
    assert not CATALOGUE.declared[plain].closed_form


def test_what_cannot_be_differentiated_automatically_may_declare_it():
    @activation(derivative=jnp.cos)
    def opaque(z):
        return jax.pure_callback(np.sin, jax.ShapeDtypeStruct(z.shape, z.dtype), z, vmap_method="sequential")

    check(CATALOGUE.declared[opaque])


def test_a_steep_function_is_not_taken_for_a_wrong_one(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import jax.numpy as jnp\nfrom actlab.activations import activation\n"
        "@activation(derivative=lambda z, *, omega=1e5: omega * jnp.cos(omega * z),\n"
        "            parameter_derivatives={'omega': lambda z, *, omega=1e5: z * jnp.cos(omega * z)})\n"
        "def ripple(z, *, omega=1e5):\n    return jnp.sin(omega * z)\n"
    )
    record = CATALOGUE.load(path, "ripple")
    check(record)
    check(record, {"omega": 1e-9})


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("derivative=lambda z, *, p=1.0: p * jnp.sin(z)", "its derivative in z at z = 0.0137 is declared as 0.0136996"),
        (
            "derivative=lambda z, *, p=1.0: p * jnp.cos(z), parameter_derivatives={'p': lambda z, *, p=1.0: z}",
            "in p at z = -0.0863 is declared as -0.0863, but its values rise there by -0.0861929 for each unit of p",
        ),
        ("derivative=lambda z, *, p=1.0: p / z", "its derivative in z at z = 0 is inf"),
        ("parameter_derivatives={'p': lambda z, *, p=1.0: z}", "declares other closed forms, but no derivative in z"),
        (
            "derivative=jnp.cos, parameter_derivatives={'r': jnp.sin}",
            "parameter_derivatives names 'r', not a parameter",
        ),
        (
            "derivative=jnp.cos, value_and_derivative=lambda z: (z, z)",
            "declares both derivative and value_and_derivative",
        ),
    ],
)
def test_wrong_declarations_are_refused(tmp_path, declared, message):
    path = tmp_path / "mine.py"
    path.write_text(
        "import jax.numpy as jnp\nfrom actlab.activations import activation\n"
        f"@activation({declared})\ndef f(z, *, p=1.0):\n    return p * jnp.sin(z)\n"
    )
    with pytest.raises(ActivationError, match=re.escape(message)) as caught:
        check(CATALOGUE.load(path, "f"))
    assert "\n" not in str(caught.value)
