"""A function that overflows is told which of its steps does, and mended as the message says it is accepted."""

import pytest

from actlab.activations import CATALOGUE, ActivationError, check
from tests.thinned import thinned

HEAD = "import jax.numpy as jnp\n\n\n"
# (the function, what the message must say, what it must not, the function mended as it says)
CASES = {
    "softplus": ("jnp.log(1 + jnp.exp(z))", ["exp(100) is inf", "'softplus'"], ["jnp.where"], None),
    "mish": ("z * jnp.tanh(jnp.log(1 + jnp.exp(z)))", ["exp(100) is inf", "'mish'"], ["jnp.where"], None),
    "sigmoid": ("jnp.exp(z) / (1 + jnp.exp(z))", ["exp(100) is inf", "'sigmoid'"], ["jnp.where"], None),
    "tanhexp": (
        "z * jnp.tanh(jnp.exp(z))",
        ["exp(100) is inf", "jnp.exp(jnp.minimum(x, 80))"],
        ["jnp.where"],
        "z * jnp.tanh(jnp.exp(jnp.minimum(z, 80)))",
    ),
    "sech": (
        "z / jnp.cosh(z)",
        ["cosh(-100) is inf", "jnp.cosh(jnp.clip(x, -80, 80))"],
        ["jnp.where"],
        "z / jnp.cosh(jnp.clip(z, -80, 80))",
    ),
    "branch": (
        "jnp.where(z > 0, z, 0.7 * (jnp.exp(z) - 1))",
        ["exp(100) is inf", "both branches of a jnp.where"],
        [],
        "jnp.where(z > 0, z, 0.7 * (jnp.exp(jnp.where(z > 0, 0.5, z)) - 1))",
    ),
    "root in a branch": (
        "jnp.where(z > 0, jnp.sqrt(z), 0.0)",
        ["the slope of sqrt at 0 is inf", "f(jnp.where(c, z, 0.5)) for f(z)"],
        ["maximum"],
        "jnp.where(z > 0, jnp.sqrt(jnp.where(z > 0, z, 0.5)), 0.0)",
    ),
    "power": (
        "jnp.abs(z) ** 0.5",
        ["the slope at 0 to the power 0.5 is inf", "jnp.clip(x, 1e-3, 1e3) for x"],
        ["jnp.where"],
        "jnp.clip(jnp.abs(z), 1e-3, 1e3) ** 0.5",
    ),
    "quotient": (
        "jnp.sin(z) / z",
        ["a division of 0 and 0 is nan", "z = jnp.where(jnp.abs(z) < 0.001, 0.001, z)"],
        ["maximum"],
        "(lambda z: jnp.sin(z) / z)(jnp.where(jnp.abs(z) < 0.001, 0.001, z))",
    ),
    "pole": (
        "1 / (1 + z)",
        ["a division of 1 and 0 is inf", "z = jnp.where(jnp.abs(z + 1) < 0.001, -0.999, z)"],
        ["maximum"],
        "(lambda z: 1 / (1 + z))(jnp.where(jnp.abs(z + 1) < 0.001, -0.999, z))",
    ),
    "logarithm of one more": (
        "jnp.log1p(z)",
        ["log1p(-1) is -inf", "jnp.log1p(jnp.maximum(x, -0.999)) for jnp.log1p(x)"],
        ["positive"],
        "jnp.log1p(jnp.maximum(z, -0.999))",
    ),
    "root": (
        "jnp.sqrt(z)",
        ["sqrt(-0.1) is nan", "jnp.sqrt(jnp.maximum(x, 1e-3)) for jnp.sqrt(x)"],
        ["jnp.where"],
        "jnp.sqrt(jnp.maximum(z, 1e-3))",
    ),
    "logarithm": (
        "z * jnp.log(jnp.abs(z))",
        ["log(0) is -inf", "jnp.log(jnp.maximum(x, 1e-3)) for jnp.log(x)"],
        ["jnp.where"],
        "z * jnp.log(jnp.maximum(jnp.abs(z), 1e-3))",
    ),
}


@pytest.mark.parametrize("name", thinned(CASES, 7))
def test_overflow_is_explained(name, tmp_path):
    body, said, unsaid, mended = CASES[name]
    file = tmp_path / f"{name}.py"
    file.write_text(f"{HEAD}def f(z):\n    return {body}\n")
    with pytest.raises(ActivationError) as refused:
        check(CATALOGUE.find(f"{file}:f"))
    for word in said:
        assert word in str(refused.value)
    for word in unsaid:
        assert word not in str(refused.value)
    if mended is None:
        assert name in CATALOGUE
        return
    file.write_text(f"{HEAD}def f(z):\n    return {mended}\n")
    check(CATALOGUE.find(f"{file}:f"))
