"""One battery, fed by the catalogue: every activation against an independent closed form, its own record, and NaN."""

import math
import re
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab.activations import CATALOGUE, STORY, Activation, ActivationError, check
from actlab.activations.base import activation
from actlab.activations.cost import operations
from actlab.activations.properties import curves, describe, disagreements, examine, saturation_points, table
from actlab.nn.initializers import INITIALIZERS
from tests.closed_forms import ALPHA, CLOSED_FORMS, LAMBDA
from tests.thinned import thinned

RECORDS_BY_NAME = list(CATALOGUE.values())
each = pytest.mark.parametrize("record", RECORDS_BY_NAME, ids=lambda record: record.name)


def one_in(many, first):
    """Of the catalogue, one in so many; each test keeps others, so that all of them are in some."""
    return pytest.mark.parametrize("record", thinned(RECORDS_BY_NAME, many, first), ids=lambda record: record.name)


# Every kink of the catalogue is one of these points.
GRID = np.linspace(-12.0, 12.0, 481).round(12)


def grad(phi, z):
    """Compute φ' by reverse mode, the way that training takes it."""
    return jax.vjp(phi, z)[1](jnp.ones_like(z))[0]


def test_every_activation_has_a_closed_form_here():
    assert set(CLOSED_FORMS) == set(CATALOGUE)


@each
def test_value_and_derivative_are_those_of_the_papers(record: Activation):
    value, derivative = CLOSED_FORMS[record.name]
    assert set(record.kinks) <= set(GRID)
    with jax.enable_x64(True):
        z = jnp.asarray(GRID)
        np.testing.assert_allclose(record.function(z), value(GRID), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(record.derivative(z), derivative(GRID), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(grad(record.function, z), derivative(GRID), rtol=1e-12, atol=1e-13)


@one_in(4, 0)
def test_float32_is_float64_rounded(record: Activation):
    value, derivative = CLOSED_FORMS[record.name]
    z = jnp.asarray(GRID, jnp.float32)
    exact = np.asarray(z, np.float64)
    assert record.function(z).dtype == record.derivative(z).dtype == grad(record.function, z).dtype == jnp.float32
    np.testing.assert_allclose(record.function(z), value(exact), rtol=1e-6, atol=2e-6)
    np.testing.assert_allclose(grad(record.function, z), derivative(exact), rtol=1e-6, atol=2e-6)


@one_in(4, 3)
def test_nothing_breaks_at_large_inputs(record: Activation):
    z = jnp.concatenate([sign * jnp.geomspace(1e-30, 1e4, 500) for sign in (-1.0, 1.0)])
    phi = lambda z, parameters: record.function(z, **parameters)
    parameters = {name: jnp.float32(value) for name, value in record.parameters.items()}
    value, pull = jax.vjp(phi, z, parameters)
    slope, in_parameters = pull(jnp.ones_like(value))
    assert bool(jnp.isfinite(value).all() and jnp.isfinite(slope).all() and jnp.isfinite(record.derivative(z)).all())
    assert all(bool(jnp.isfinite(gradient)) for gradient in in_parameters.values())


@each
def test_a_nan_passes_through(record: Activation):
    # A select on `z > 0` would turn a diverged network's NaN into a 0, and its loss into that of an untrained one.
    assert bool(jnp.isnan(record.function(jnp.array(jnp.nan))))


@one_in(4, 0)
def test_the_record_says_what_the_function_shows(record: Activation):
    assert disagreements(record) == []


@one_in(4, 2)
def test_flat_is_where_the_derivative_is_zero_by_definition(record: Activation):
    with jax.enable_x64(True):
        z = jnp.linspace(-6.5, 6.5, 1001) + 0.00123  # off every kink and turning point, and before any underflow
        np.testing.assert_array_equal(record.flat(z), record.derivative(z) == 0)
        kinks = jnp.asarray(record.kinks).reshape(-1)
        np.testing.assert_array_equal(record.flat(kinks), record.derivative(kinks) == 0)


@pytest.mark.parametrize(
    ("name", "parameters", "flat"),
    [
        ("leaky_relu", {"negative_slope": 0.0}, [True, True, False]),
        ("leaky_relu", {"negative_slope": 0.2}, [False, False, False]),
        ("prelu", {"alpha": 0.0}, [True, True, False]),
        ("elu", {"alpha": 0.0}, [True, True, False]),
        ("star_relu", {"scale": 0.0}, [True, True, True]),
        ("softshrink", {"threshold": 3.0}, [True, True, True]),
    ],
)
def test_the_flat_set_follows_the_parameters(name, parameters, flat):
    assert CATALOGUE.find(name).flat(jnp.array([-2.0, 0.0, 2.0]), **parameters).tolist() == flat


@one_in(4, 1)
def test_parameters_may_be_one_a_unit(record: Activation):
    z = jnp.linspace(-3.0, 3.0, 12).reshape(4, 3)
    per_unit = {name: value * jnp.array([[1.0, 1.1, 1.2]]) for name, value in record.parameters.items()}
    value, flat = record.function(z, **per_unit), record.flat(z, **per_unit)
    for unit in range(3):
        own = {name: parameter[0, unit] for name, parameter in per_unit.items()}
        np.testing.assert_allclose(value[:, unit], record.function(z[:, unit], **own), rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(flat[:, unit], record.flat(z[:, unit], **own))


@one_in(4, 1)
def test_the_record_is_complete(record: Activation):
    for field in ("formula", "derivative_formula", "latex", "range", "smoothness", "saturates", "reference"):
        assert getattr(record, field), field
    assert record.weight_init in INITIALIZERS
    assert record.he_slope is None or record.he_slope in record.parameters
    assert set(record.learnable) <= set(record.parameters)
    assert (record.function.__doc__ or "").count(">>>")
    check(record)


def test_the_story_comes_first():
    assert tuple(CATALOGUE)[: len(STORY)] == STORY
    assert [record.order for record in RECORDS_BY_NAME] == list(range(1, len(CATALOGUE) + 1))


def test_families_share_their_properties():
    with jax.enable_x64(True):
        z = jnp.asarray(GRID)
        phi = {name: record.function for name, record in CATALOGUE.items()}
        close = partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)
        close(phi["swish"](z, beta=1.7), phi["swish"](1.7 * z) / 1.7)
        close(phi["swish"](z, beta=1.702), phi["quick_gelu"](z))
        close(phi["leaky_relu"](z, negative_slope=0.0), phi["relu"](z))
        close(phi["leaky_relu"](z, negative_slope=2.0), jnp.where(z > 0, z, 2.0 * z))  # not max(αz, z)
        close(phi["celu"](z, alpha=2.0), 2.0 * phi["elu"](z / 2.0))
        close(phi["selu"](z), LAMBDA * phi["elu"](z, alpha=ALPHA))
        close(phi["hard_swish"](z), z * phi["hard_sigmoid"](z))
        close(phi["squareplus"](z, b=0.0), phi["relu"](z))
        close(phi["sine"](z, omega=2.0), phi["sine"](2.0 * z))
        close(phi["snake"](z, alpha=3.0), phi["snake"](3.0 * z) / 3.0)


def test_mish_agrees_with_its_textbook_form_and_costs_less():
    textbook = lambda z: z * jnp.tanh(jax.nn.softplus(z))
    z = jnp.linspace(-30.0, 30.0, 601)
    np.testing.assert_allclose(CATALOGUE.find("mish").function(z), textbook(z), rtol=2e-6, atol=1e-7)
    assert operations(CATALOGUE.find("mish").function) < operations(textbook)


def test_tiny_signals_survive_elu():
    # e^z − 1 would be 0 here, in float32.
    assert float(CATALOGUE.find("elu").function(jnp.float32(-1e-8))) == pytest.approx(-1e-8)


@pytest.mark.parametrize(
    ("name", "parameters", "property_", "value"),
    [
        ("elu", {"alpha": 0.5}, "smoothness", "C0"),
        ("celu", {"alpha": 0.5}, "smoothness", "C1"),
        ("leaky_relu", {"negative_slope": 0.0}, "flat_set", "(−∞, 0]"),
        ("leaky_relu", {"negative_slope": 2.0}, "convex", False),
        ("leaky_relu", {"negative_slope": -0.5}, "extremum", (0.0, 0.0)),
        ("swish", {"beta": 0.0}, "saturates", "none"),
        ("sine", {"omega": 3.0}, "max_slope", 3.0),
    ],
)
def test_properties_follow_the_parameters(name, parameters, property_, value):
    actual = getattr(examine(CATALOGUE.find(name), parameters), property_)
    assert actual == value if not isinstance(value, float) else actual == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", (0.0, math.inf)),
        ("relu6", (0.0, 6.0)),
        ("leaky_relu", (-math.inf, math.inf)),
        ("linear", (-math.inf, math.inf)),
        ("sine", (-math.inf, math.inf)),
        ("softshrink", (-math.inf, math.inf)),
        ("sigmoid", (-math.acosh(1 / (2 * 0.04) - 1), math.acosh(1 / (2 * 0.04) - 1))),
        ("tanh", (-math.acosh(0.04**-0.5), math.acosh(0.04**-0.5))),
        ("softsign", (-4.0, 4.0)),
        ("arctan", (-(24**0.5), 24**0.5)),
        ("softplus", (math.log(0.04 / 0.96), math.inf)),
        ("elu", (math.log(0.04), math.inf)),
        ("relu_squared", (0.02, math.inf)),
    ],
)
def test_saturation_points(name, expected):
    assert saturation_points(CATALOGUE.find(name).function, 0.04) == pytest.approx(expected, abs=1e-9)


def test_saturation_is_the_outermost_point():
    # GELU's slope passes through 0 at its minimum; that is not where it saturates.
    low, _ = saturation_points(CATALOGUE.find("gelu").function, 0.04)
    assert low < -2.0
    assert abs(float(CATALOGUE.find("gelu").derivative(jnp.float32(low)))) == pytest.approx(0.04, rel=1e-4)


def test_relu_is_the_cheapest_nonlinearity():
    assert operations(CATALOGUE.find("relu").function) == 2
    cost = {record.name: operations(record.function) for record in RECORDS_BY_NAME if record.family != "control"}
    assert min(cost, key=cost.__getitem__) == "relu"


def test_what_is_not_needed_costs_nothing():
    def wasteful(z):
        jnp.exp(z)
        return z + 1.0

    assert operations(wasteful) == 1


def test_frames_and_cards():
    records = [CATALOGUE.find("relu"), CATALOGUE.find("gelu")]
    rows = table(records)
    assert rows["activation"].tolist() == ["relu", "gelu"]
    assert rows.loc[1, "extremum_z"] == pytest.approx(-0.751792, abs=1e-6)
    points = curves(records)
    at_zero = points[points["z"] == 0].set_index("activation")
    assert at_zero.loc["relu", "derivative"] == 0.0
    assert at_zero.loc["gelu", "derivative"] == 0.5
    assert re.search(r"E φ\(Z\)² +0\.5\n", describe(CATALOGUE.find("relu"), {"E φ(Z)²": 0.5}))


# A user's own file.


def user_file(folder, text):
    path = folder / "mine.py"
    path.write_text(f"import jax\nimport jax.numpy as jnp\nimport numpy as np\n{text}\n")
    return path


def test_a_plain_function_is_enough(tmp_path):
    path = user_file(
        tmp_path, "def tanhexp(z, *, beta=1.0):\n    return z * jnp.tanh(jnp.exp(jnp.minimum(beta * z, 5.0)))"
    )
    record = CATALOGUE.load(path, "tanhexp")
    assert (record.name, dict(record.parameters), record.learnable) == ("tanhexp", {"beta": 1.0}, ())
    assert "tanhexp" not in CATALOGUE
    check(record, {"beta": 0.5})
    assert not bool(record.flat(jnp.array([-5.0])).any())
    np.testing.assert_allclose(record.derivative(jnp.zeros(1)), math.tanh(1.0), rtol=1e-6)


def test_a_plain_functions_flat_set_is_found(tmp_path):
    path = user_file(tmp_path, "def capped(z):\n    return jnp.where(z > 20.5, 20.5, jnp.where(z < 0, 0.0, z))")
    record = CATALOGUE.load(path, "capped")
    assert record.flat_set == "(−∞, 0] ∪ [20.5, ∞)"
    assert record.flat(jnp.array([-1.0, 0.0, 1.0, 20.0, 21.0])).tolist() == [True, True, False, False, True]
    # Underflow is not flatness: in float64 too, this slope is exactly 0 beyond |z| = 4.
    path = user_file(tmp_path, "def steep(z):\n    return jnp.tanh(5.0 * z)")
    assert CATALOGUE.load(path, "steep").flat_set == "∅"


def test_a_decorated_function_says_more(tmp_path):
    path = user_file(
        tmp_path,
        "from actlab.activations import activation\n"
        "@activation(learnable=('beta',), weight_init='he_normal', flat=lambda z, *, beta=1.0: z < -9)\n"
        "def mine(z, *, beta=1.0):\n    return jax.nn.relu(beta * (z + 9))",
    )
    record = CATALOGUE.load(path, "mine")
    assert (record.learnable, record.weight_init) == (("beta",), "he_normal")
    assert record.flat(jnp.array([-10.0, 0.0])).tolist() == [True, False]
    check(record)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("def tanhexp(z):\n    return z", "tanhexpp", "no function 'tanhexpp'; did you mean 'tanhexp'"),
        ("def f(z):\n    return z", "qqqqqqq", "no function 'qqqqqqq'; choose from f"),
        ("x = 1\ny = undefined_name\ndef f(z):\n    return z", "f", "mine.py, line 5: cannot be imported: NameError"),
        ("def f(z)\n    return z", "f", "mine.py, line 4: cannot be imported: SyntaxError"),
        ("def f(z, beta=1.0):\n    return beta * z", "f", "beta must be keyword-only"),
        ("def f(z, *, beta):\n    return beta * z", "f", "beta needs a float as its default"),
        ("def f(z, *, on=True):\n    return z", "f", "on needs a float as its default"),
        ("def f():\n    return 1.0", "f", "f: expected a function f(z, *, option=1.0)"),
        (
            "from actlab.activations import activation\n@activation(learnable=('gamma',))\n"
            "def f(z, *, beta=1.0):\n    return beta * z",
            "f",
            "line 5: cannot be imported: ActivationError: f: learnable names 'gamma'",
        ),
    ],
)
def test_what_load_refuses(tmp_path, text, name, message):
    with pytest.raises(ActivationError, match=re.escape(message)) as caught:
        CATALOGUE.load(user_file(tmp_path, text), name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ActivationError, match=r"nowhere\.py: no such file"):
        CATALOGUE.load(tmp_path / "nowhere.py", "f")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return jnp.sum(z)", "gives shape ()"),
        ("return (z, z)", "must return one array"),
        ("return z > 0", "gives bool"),
        ("return z.astype(jnp.float16)", "z of float32 gives float16"),
        ("return z.astype(jnp.float32)", "z of float64 gives float32"),
        ("return z if z > 0 else 0.0 * z", "use jnp.where instead of `if`"),
        ("return z * np.exp(z)", "jax.numpy instead of numpy"),
        ("return jnp.where(z > 0, z, jnp.exp(z) - 1.0)", "derivative in z at z = 100 is nan"),
        ("return z * jnp.tanh(jnp.log(1.0 + jnp.exp(z)))", "derivative in z at z = 100 is nan"),
        ("return jnp.log(z)", "value at z = 0 is -inf"),
        ("return 1.0 / z", "value at z = 0 is inf"),
        ("return jnp.sqrt(jnp.abs(z))", "derivative in z at z = 0 is"),
        ("return z.no_such_method()", "fails on an array: AttributeError"),
    ],
)
def test_what_check_refuses(tmp_path, text, message):
    with pytest.raises(ActivationError, match=re.escape(message)) as caught:
        check(CATALOGUE.load(user_file(tmp_path, f"def f(z):\n    {text}"), "f"))
    assert "\n" not in str(caught.value)


def test_check_tries_the_learnable_parameters_too(tmp_path):
    text = (
        "from actlab.activations import activation\n@activation(learnable=('p',))\n"
        "def f(z, *, p=2.0):\n    return jnp.sqrt(p) * z"
    )
    with pytest.raises(ActivationError, match="derivative in p at z = 0"):
        check(CATALOGUE.load(user_file(tmp_path, text), "f"), {"p": 0.0})


def test_unknown_parameters_and_names_are_refused():
    with pytest.raises(
        ActivationError, match="leaky_relu: no parameter 'negative_slop'; did you mean 'negative_slope'"
    ):
        check(CATALOGUE.find("leaky_relu"), {"negative_slop": 0.1})
    with pytest.raises(ActivationError, match="relu: no parameter 'alpha'; there is none"):
        check(CATALOGUE.find("relu"), {"alpha": 0.1})
    with pytest.raises(ActivationError, match="did you mean 'sigmoid'"):
        CATALOGUE.find("sigmoyd")


def test_a_declaration_that_is_wrong_is_found():
    @activation(range="[0, ∞)", monotonic=True, convex=True, odd=False, smoothness="C1", kinks=(0.5,), saturates="low")
    def bent(z):
        return jnp.where(z <= 0.5, 0.0, z - 0.5)

    message = disagreements(CATALOGUE.declared[bent])
    assert message == [
        "bent: smoothness is declared 'C1', found 'C0'",
        "bent: flat_set is declared '∅', found '(−∞, 0.5]'",
    ]


SHAPES = {
    # function: range, extremum, monotonic, convex, odd, smoothness, kinks, saturates
    "jnp.exp(z)": ("(0, ∞)", None, True, True, False, "C∞", (), "low"),
    "jnp.expm1(z)": ("(−1, ∞)", None, True, True, False, "C∞", (), "low"),
    "z**3": ("(−∞, ∞)", None, True, False, True, "C∞", (), "none"),
    "jnp.sinh(z)": ("(−∞, ∞)", None, True, False, True, "C∞", (), "none"),
    "jnp.cosh(z)": ("[1, ∞)", (0.0, 1.0), False, True, False, "C∞", (), "none"),
    "jnp.exp(z) - 2 * z": ("[0.61371, ∞)", (np.log(2.0), 2 - 2 * np.log(2.0)), False, True, False, "C∞", (), "none"),
    "jnp.where(z > 0, jnp.exp(z) - 1, 0.0)": ("[0, ∞)", None, True, True, False, "C0", (0.0,), "low"),
    "1e6 * jnp.tanh(z)": ("(−1e+06, 1e+06)", None, True, False, True, "C∞", (), "both"),
    "1e6 * jnp.arctan(z)": ("(−1.5708e+06, 1.5708e+06)", None, True, False, True, "C∞", (), "both"),
    "1e-6 * jnp.tanh(z)": ("(−1e−06, 1e−06)", None, True, False, True, "C∞", (), "both"),
    "1e-6 * jnp.maximum(z, 0)": ("[0, ∞)", None, True, True, False, "C0", (0.0,), "low"),
    "1e-7 * z**2": ("[0, ∞)", (0.0, 0.0), False, True, False, "C∞", (), "none"),
    "jax.nn.softplus(50 * z)": ("(0, ∞)", None, True, True, False, "C∞", (), "low"),
    "jnp.abs(z) ** 1.5": ("[0, ∞)", (0.0, 0.0), False, True, False, "C1", (0.0,), "none"),
    "jnp.abs(z) ** 1.1": ("[0, ∞)", (0.0, 0.0), False, True, False, "C1", (0.0,), "none"),
    "z * jnp.abs(z)": ("(−∞, ∞)", None, True, False, True, "C1", (0.0,), "none"),
    "jnp.where(z > 0.3, z + 1, z)": ("(−∞, ∞)", None, True, False, False, "discontinuous", (0.3,), "none"),
}


def test_properties_of_large_small_and_steep_functions_are_true():
    for text, expected in SHAPES.items():
        phi = eval(f"lambda z: {text}", {"jnp": jnp, "jax": jax})
        found = examine(SimpleNamespace(function=phi, parameters={}))
        kinks = tuple(np.round(found.kinks, 6) + 0.0)
        said = (found.monotonic, found.convex, found.odd, found.smoothness, kinks, found.saturates)
        assert (found.range, *said) == (expected[0], *expected[2:]), text
        assert found.extremum == (expected[1] and pytest.approx(expected[1], abs=1e-6)), text


def test_describe_names_few_of_many_kinks(tmp_path):
    (tmp_path / "act.py").write_text("import jax.numpy as jnp\ndef stairs(z):\n    return jnp.floor(z)\n")
    stairs = describe(CATALOGUE.load(tmp_path / "act.py", "stairs"))
    assert "and 59 more" in stairs
    assert max(map(len, stairs.splitlines())) < 160
