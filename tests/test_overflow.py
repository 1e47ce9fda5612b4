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
        ["exp(100) is inf", "jnp.minimum(..., 80)"],
        ["jnp.where"],
        "z * jnp.tanh(jnp.exp(jnp.minimum(z, 80)))",
    ),
    "sech": (
        "z / jnp.cosh(z)",
        ["cosh(-100) is inf", "jnp.clip(..., -80, 80)"],
        ["jnp.where"],
        "z / jnp.cosh(jnp.clip(z, -80, 80))",
    ),
    "branch": (
        "jnp.where(z > 0, z, 0.7 * (jnp.exp(z) - 1))",
        ["exp(100) is inf", "both branches of a jnp.where"],
        [],
        "jnp.where(z > 0, z, 0.7 * (jnp.exp(jnp.where(z > 0, -1.0, z)) - 1))",
    ),
    "root": (
        "jnp.sqrt(z)",
        ["sqrt(-0.1) is nan", "jnp.maximum(..., 1e-6)"],
        ["jnp.where"],
        "jnp.sqrt(jnp.maximum(z, 1e-6))",
    ),
    "logarithm": (
        "z * jnp.log(jnp.abs(z))",
        ["log(0) is -inf", "jnp.maximum(..., 1e-6)"],
        ["jnp.where"],
        "z * jnp.log(jnp.maximum(jnp.abs(z), 1e-6))",
    ),
}


@pytest.mark.parametrize("name", thinned(CASES, 4))
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
