"""A formula means what NumPy makes of it, goes the way of a user's own file, and nothing but a formula is read."""

import math
import re

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlab.activations.base import CATALOGUE
from actlab.activations.formulas import FUNCTIONS, LARGEST, MOST_CHARACTERS, FormulaError, in_its_words, read
from actlab.activations.loading import check
from actlab.activations.overflow import Step, instead
from tests.typed import typed

X = np.linspace(-6.0, 6.0, 25) + 0.013
ERF = np.vectorize(math.erf)
WITNESS = {
    **{name: getattr(np, name) for name in ("exp", "expm1", "sinh", "cosh", "log", "log1p", "sqrt", "abs", "tanh")},
    **{name: getattr(np, name) for name in ("sin", "cos", "arctan", "arcsinh")},
    "erf": ERF,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "relu": lambda x: np.where(x > 0, x, 0.0),
    "min": np.minimum,
    "max": np.maximum,
    "pi": math.pi,
    "e": math.e,
}


def test_every_function_has_a_witness():
    assert set(FUNCTIONS) == set(WITNESS) - {"pi", "e"}


def function_of(formula, folder, name="f"):
    """Load a formula's file, as any other of a user's."""
    path = folder / "formula.py"
    path.write_text(formula.source(name))
    return CATALOGUE.load(path, name)


PARTS = st.recursive(
    st.sampled_from(["x", "a", "0.5", "2", "pi"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(["tanh", "sigmoid", "arctan", "erf", "softplus", "sin", "relu"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
        inner.map(lambda one: f"-{one}"),
        inner.map(lambda one: f"tanh({one})**3"),
        inner.map(lambda one: f"exp(-abs({one}))"),
    ),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(text=PARTS)
def test_a_formula_means_what_numpy_makes_of_it(text):
    formula = read(f"{text} + a*x, a=0.75")
    with jax.enable_x64(True), jax.disable_jit():
        names = {"jnp": jax.numpy, "jax": jax, "FAR": 80.0, "z": jax.numpy.asarray(X), "a": 0.75}
        ours = np.asarray(eval(formula.code, names))
    witness = eval(f"{text} + a*x", {"x": X, "a": 0.75, **WITNESS})
    np.testing.assert_allclose(ours, witness, rtol=1e-9, atol=1e-9)
    assert eval(formula.text, {"z": X, "a": 0.75, **WITNESS}) == pytest.approx(witness, rel=1e-12, abs=1e-12)


def test_its_file_is_a_users_own_activation(tmp_path):
    """The slope of tanh(e^x) is finite wherever it is asked for: written plainly it is 0 times infinity at x = 100."""
    record = function_of(read("x * tanh(exp(x))"), tmp_path)
    check(record)
    assert not record.learnable


def test_a_formula_is_described_as_the_function_that_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "act.py").write_text("import jax\n\n\ndef f(z):\n    return z * jax.nn.sigmoid(z)\n")
    told = [typed(capsys, "describe", word)[1] for word in ("x * sigmoid(x)", "act.py:f")]
    shape = [re.findall(r"(?m)^  ((?:range|turns at|shape|E φ|variance|critical).*)$", text) for text in told]
    assert len(shape[0]) >= 7
    assert shape[0] == shape[1]
    code, _, problem = typed(capsys, "describe", "x * sigmoidd(x)")
    assert code == 2
    assert "did you mean 'sigmoid'" in problem


def test_its_parameters_are_learned(tmp_path):
    learned = function_of(read("a*x*sigmoid(b*x), a=1.5, b=2"), tmp_path, "g")
    assert (learned.learnable, dict(learned.parameters)) == (("a", "b"), {"a": 1.5, "b": 2.0})
    z = np.float32([-3.0, 0.5, 2.0])
    witness = 1.5 * z / (1 + np.exp(-2 * z))
    np.testing.assert_allclose(learned.function(z, a=1.5, b=2.0), witness, rtol=1e-6)


@pytest.mark.thorough
def test_a_file_with_parameters_is_a_users_own_activation(tmp_path):
    check(function_of(read("a*x*sigmoid(b*x), a=1.5, b=2"), tmp_path, "g"))


@pytest.mark.parametrize(
    ("text", "why"),
    {
        "__import__('os').system('true')": "not of the form",
        "eval(x)": "'eval'",
        "sinn(x)": "did you mean 'sin'",
        "x.real": "a dot",
        "x[0]": "an index",
        "x if x > 0 else 0": "`if`",
        "(lambda x: x)(x)": "not of the form",
        "[x for x in x]": "listcomp",
        "x > 0": "comparison",
        "f'{x}'": "a string",
        "'x'": "no real number",
        "1j * x": "no real number",
        "True * x": "no real number",
        "x ^ 2": "**",
        "x // 2": "`//`",
        "a * x": "'..., a=0.25'",
        "x, a=1": "not in the formula",
        "a * x, a=b": "begins with a number",
        "a * x, a=1, a=2": "two values",
        "exp * x, exp=2": "cannot be the name",
        "exp * x": "is a function",
        "x * z": "one input",
        "3": "one input",
        "x, x": "not one formula",
        "": "not one formula",
        "x);(y": "no formula",
        "x\0": "no formula",
        "exp(x, 2)": "takes 1 argument, not 2",
        "exp(x, a=2)": "not of the form",
        "exp(*x)": "a star",
        "x, **{}": "**",
        "9**9**9 * x": "'9 ** 9': is 3.87e+08",
        "x ** 9**9": "3.87e+08",
        "x ** 65": "an exponent",
        "1e999 * x": "infinity",
        "x / (1 - 1)": "divides by 0",
        "9" * 400 + "* x": "no number",
        "-" * 60 + "x": "deep",
        "x" + " " * MOST_CHARACTERS: "characters",
    }.items(),
)
def test_nothing_else_is_read(text, why):
    with pytest.raises(FormulaError) as raised:
        read(text)
    assert why in str(raised.value)
    assert len(str(raised.value)) < 500


def test_what_is_at_a_limit_is_read():
    assert read(f"{LARGEST:.0f} * x").code == "1000000.0 * z"
    assert read("x ** 64 + x ** -64").code == "z ** 64 + z ** (-64)"


def test_comments_and_line_ends_do_not_reach_the_file():
    assert read('x # """\n').source("f") == read("x").source("f")


@pytest.mark.parametrize("name", ["log", "sqrt", "log1p", "exp", "sinh", "pow"])
def test_what_is_advised_of_a_formula_is_one(name):
    """Each advice of ``overflow`` is a call of functions that formulas have."""
    said = in_its_words(instead(Step(name, "too much"), 0.0))
    assert "jnp" not in said
    for text in re.findall(r"\w+\(.*?\)+(?= for|$)", said):
        read(text)
