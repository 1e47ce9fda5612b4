"""What is an activation and what is not: φ of each element is a function of that element alone."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab
from actlab.activations import CATALOGUE, ActivationError, check
from actlab.activations.dependence import mixed
from actlab.activations.elementwise import by_structure, by_values, check_elementwise
from tests.thinned import thinned

HEAD = "import jax\nimport jax.numpy as jnp\nimport numpy as np\nimport actlab\n"


def loaded(folder, text, name="f"):
    path = folder / "mine.py"
    path.write_text(HEAD + text)
    return CATALOGUE.load(path, name)


def refusal(folder, text):
    """Return why a function is refused as elementwise, without what else is tried of it: that is compiled."""
    record = loaded(folder, text)
    with pytest.raises(ActivationError) as caught:
        check_elementwise(record, record.parameters)
    assert "\n" not in str(caught.value)
    return str(caught.value)


OTHERS = {  # body of f(z): of what the first element depends, whatever the values
    "a softmax": "return jax.nn.softmax(z)",
    "a softmax over rows": "return jax.nn.softmax(z, axis=0)",
    "a softmax over everything": "return jax.nn.softmax(z, axis=None)",
    "a softmax where z is large": "return jnp.where(z > 777.0, jax.nn.softmax(z), z)",
    "a softmax in float32": "return jax.nn.softmax(z) if z.dtype == jnp.float32 else z",
    "z/‖z‖": "return z / jnp.sqrt(jnp.sum(z**2) + 1e-6)",
    "z/‖row‖": "return z / jnp.sqrt(jnp.sum(z**2, -1, keepdims=True) + 1e-6)",
    "relu − mean": "h = jnp.where(z > 0, z, 0.0)\n    return h - jnp.mean(h)",
    "layer normalisation": "return (z - z.mean(-1, keepdims=True)) / jnp.sqrt(z.var(-1, keepdims=True) + 1e-5)",
    "batch normalisation": "return (z - z.mean(0, keepdims=True)) / jnp.sqrt(z.var(0, keepdims=True) + 1e-5)",
    "scaled by its largest": "return jnp.clip(z / jnp.max(jnp.abs(z) + 1e-3), -1, 1)",
    "another branch where some z is huge": "return jnp.where(z.max() > 1e9, 0.5 * z, z)",
    "the same by lax.cond": "return jax.lax.cond(jnp.any(z > 1e9), lambda z: 2 * z, lambda z: z, z)",
    "the place of the largest": "return z * (jnp.argmax(z) == 3)",
    "a sum": "return jnp.cumsum(z, -1)",
    "a running maximum": "return jax.lax.cummax(z, 0)",
    "sorted": "return jnp.sort(z, -1)",
    "rolled": "return jnp.roll(z, 1, -1)",
    "reversed": "return z[..., ::-1]",
    "its neighbour": "return z + 0.1 * jnp.concatenate([z[..., 1:], z[..., :1]], -1)",
    "maxout with the reverse": "return jnp.maximum(z, z[..., ::-1])",
    "a matrix product": "return z + 0.1 * z @ jnp.ones((z.shape[-1],) * 2, z.dtype)",
    "a mean without a gradient": "return z - jax.lax.stop_gradient(z.mean())",
    "a mean of no weight": "return z + jnp.mean(z * 0)",
    "a hundredth of a mean's millionth": "return z + 1e-8 * jnp.mean(z)",
    "a scan over rows": "return jax.lax.scan(lambda c, row: (c + row.sum(), row + c), jnp.zeros((), z.dtype), z)[1]",
}


@pytest.mark.parametrize("what", thinned(OTHERS, 3))
def test_one_element_depends_on_another(what, tmp_path):
    message = refusal(tmp_path, f"def f(z):\n    {OTHERS[what]}\n")
    places = r"element \(\d, \d\) of its value depends on element \(\d, \d\) of z \(here of shape \(3, 4\)\)"
    assert re.fullmatch(rf"f: {places}; each element must depend on that element of z alone", message)


PLACES = {
    "its width": "return z / z.shape[-1]",
    "its height": "return z / z.shape[0]",
    "its axes": "return z * z.ndim",
    "a softmax of wide ones": "return jax.nn.softmax(z) if z.shape[-1] > 100 else z",
    "a mask beyond the 131st unit": "return jnp.where(jnp.arange(z.shape[-1]) < 131, z, 0.0 * z)",
    "a factor of many rows": "return z if z.shape[0] <= 2000 else 2 * z",
    "its place": "return z + jax.lax.broadcasted_iota(z.dtype, z.shape, z.ndim - 1)",
    "its place where it is large": "return jnp.where(z > 500, z + jax.lax.broadcasted_iota(z.dtype, z.shape, 0), z)",
    "noise of a fixed key": "return z + 0.01 * jax.random.normal(jax.random.key(0), z.shape, z.dtype)",
    "a mask of a fixed key": "return z * jax.random.bernoulli(jax.random.key(1), 0.5, z.shape)",
    "NumPy's random numbers": "return z * jnp.asarray(np.random.rand(*z.shape), z.dtype)",
    "one of NumPy's random numbers": "return z * np.random.rand()",
    "the largest few": "return jnp.where(z >= jax.lax.top_k(z, 1)[0], z, 0)",
    "a Fourier transform": "return z + jnp.abs(jnp.fft.fft(z)).astype(z.dtype)",
}


@pytest.mark.parametrize("what", thinned(PLACES, 5))
def test_an_element_depends_on_shape_or_place_or_luck(what, tmp_path):
    message = refusal(tmp_path, f"def f(z):\n    {PLACES[what]}\n")
    assert re.match(r"f: its value at z = \S+ is \S+ in an array of shape \(48,\) and \S+ as element ", message)


RELU = "def f(z):\n    return jnp.where(z <= 0, 0.0, z)\n"
OWN_RULE = """
@jax.custom_jvp
def g(z):
    return jnp.where(z <= 0, 0.0, z)
@g.defjvp
def rule(primals, tangents):
    return g(*primals), {}
def f(z):
    return g(z)
"""
DECLARED = {
    "a derivative": (
        "@actlab.activation(derivative=lambda z: jnp.where(z > 0, 1.0, 0.0) * (1 + 0 * z.mean()))\n" + RELU
    ),
    "a rule that mixes tangents": OWN_RULE.format("tangents[0].mean() * jnp.where(primals[0] > 0, 1.0, 0.0)"),
    "a rule that mixes z": OWN_RULE.format("tangents[0] * jnp.where(primals[0] > primals[0].mean(), 1.0, 0.0)"),
    "a flat set": "@actlab.activation(flat=lambda z: jnp.broadcast_to(z.max() <= 0, z.shape))\n" + RELU,
}


@pytest.mark.parametrize("what", DECLARED)
def test_what_is_declared_is_elementwise_too(what, tmp_path):
    message = refusal(tmp_path, DECLARED[what])
    part = "flat set" if what == "a flat set" else "derivative"
    assert f"element (0, 0) of its {part} depends on element (0, 1) of z" in message


def test_a_derivative_of_a_shape(tmp_path):
    text = "@actlab.activation(derivative=lambda z: jnp.where(z > 0, 1.0, 0.0) * z.ndim / 2)\n" + RELU
    assert "its derivative at z = " in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("jnp.where(z > 0, z, jnp.mean(a) * z)", "depends on element (0, 1) of z or of a"),
        ("jnp.where(z > 0, z, a * z) * (1 + jnp.ndim(a))", "in an array of shape (48,)"),
        (
            "a * z if jnp.shape(a) != (1, 4) else jnp.max(a) * z",
            "its value for unit 0 depends on a parameter of unit 1",
        ),
    ],
)
def test_units_parameters_are_their_own(body, message, tmp_path):
    text = f"@actlab.activation(learnable=('a',))\ndef f(z, *, a=0.25):\n    return {body}\n"
    assert message in refusal(tmp_path, text)


def test_a_width_that_it_cannot_take(tmp_path):
    pairs = "pairs = z.reshape(*z.shape[:-1], -1, 2).max(-1)\n    return jnp.repeat(pairs, 2, -1)"
    with pytest.raises(ActivationError, match="f: fails on an array: TypeError: cannot reshape"):
        check(loaded(tmp_path, f"def f(z):\n    {pairs}\n"))


def test_a_flat_set_that_cannot_be_evaluated(tmp_path):
    text = "@actlab.activation(flat=lambda z: z <= 0)\ndef f(z, *, a=1.0):\n    return jnp.where(z <= 0, 0.0, a * z)\n"
    with pytest.raises(ActivationError, match="f: its `flat` fails on an array: TypeError"):
        check(loaded(tmp_path, text))


LEGAL = """
def greatest(z):
    return jnp.stack([z, 0.1 * z, -z]).max(0)
def selected(z):
    return jnp.select([z < -1, z < 1], [-jnp.ones_like(z), z], jnp.ones_like(z))
def piecewise(z):
    return jnp.piecewise(z, [z < 0, z >= 0], [lambda z: -z, lambda z: 2 * z])
def interpolated(z):
    knots = jnp.linspace(-3, 3, 13, dtype=z.dtype)
    return jnp.interp(z, knots, jnp.tanh(knots))
def powers(z):
    z = jnp.clip(z, -3, 3)
    return jnp.stack([z, z**2, z**3], axis=-1) @ jnp.array([1.0, 0.2, 0.1], z.dtype)
def mapped(z):
    return jax.lax.map(jnp.tanh, z) + jax.vmap(jnp.tanh)(z)
def flattened(z):
    return jnp.tanh(z.reshape(-1)).reshape(z.shape)
def newton(z):
    return jax.lax.scan(lambda x, _: (x - (x + x**3 - z) / (1 + 3 * x**2), None), z, None, length=80)[0]
def iterated(z):
    return jax.lax.fori_loop(0, 5, lambda i, x: 0.5 * jnp.tanh(x) + 0.1 * z, z)
def library(z):
    return jax.nn.gelu(z) + jax.nn.relu(z) + jax.scipy.special.i0e(z)
def straight_through(z):
    return z + jax.lax.stop_gradient(jnp.round(z) - z)
def fast(z):
    return jnp.sin(1e4 * z)
def chaotic(z):
    x = jax.nn.sigmoid(z)
    for _ in range(20):
        x = 3.9 * x * (1 - x)
    return x
@actlab.activation(learnable=("p",))
def spline(z, *, p=1.0):
    knots = jnp.array([-2.0, -1.0, 0.0, 1.0, 2.0], z.dtype).reshape(-1, *[1] * z.ndim)
    return p * jnp.sum(jnp.maximum(0, 1 - jnp.abs(z[None] - knots)) * jnp.sin(knots), 0) + z
@actlab.activation(learnable=("a",), flat=lambda z, *, a=0.25, c=1.0: (z <= 0) & (a == 0))
def declared(z, *, a=0.25, c=1.0):
    return jnp.where(z > 0, c * z, a * z)
"""


@pytest.mark.parametrize("name", thinned(re.findall(r"^def (\w+)", LEGAL, re.MULTILINE), 4, 3))
def test_what_is_elementwise_however_it_is_written(name, tmp_path):
    record = loaded(tmp_path, LEGAL, name)
    check_elementwise(record, record.parameters)


@pytest.mark.parametrize("name", thinned(CATALOGUE, 4))
def test_the_catalogue_is_elementwise(name):
    record = CATALOGUE[name]
    assert by_structure(record) == ""
    if name in ("relu", "gelu", "prelu", "softshrink"):  # each is compiled
        assert by_values(record, record.parameters) == ""


def test_structure_sees_what_no_values_show():
    own = np.arange(3)
    z = jax.ShapeDtypeStruct((3,), "float32")
    assert mixed(lambda z: jnp.where(z.sum() == 1.2345, 0.0, z), [z], [own], own).label == 1
    assert mixed(lambda z: z + jnp.arange(3), [z], [own], own) is None  # its place is by values
    assert mixed(lambda z: jnp.fft.fft(z).real, [z], [own], own) is None  # not known: by values


def test_a_study_refuses_it_and_names_the_place(tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + "def f(z):\n    return jax.nn.softmax(z)\n")
    path = tmp_path / "s.yaml"
    path.write_text("study: s\ndata: {name: iris}\nmodel: {activation: mine.py:f, depth: 1, width: 2}\n")
    with pytest.raises(ValueError, match=r"s.yaml:3: model.activation: f: element \(0, 0\) of its value depends"):
        actlab.run(path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
