"""The worked example: a network of two hidden neurons, small enough to follow every number by hand.

    z = w·x + b,   h = φ(z),   y = v·h + c,   L = ½(t − y)²

At x = 0.5 its second neuron starts at z₂ = 0 exactly, on ReLU's kink: whether it ever learns depends on the convention
for φ'(0).
Everything is float64. Learnable activation parameters stay at their defaults.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from actlab.activations.closed_form import automatic

Phi = Callable[[Array], Array]
Parameters = dict[str, Array]  # w, b, v: [2]; c: scalar

INPUT = 0.5
LARGEST_INPUT = 100.0
TARGET = 1.0
START = {"w": (0.6, -0.4), "b": (0.1, 0.2), "v": (0.3, 0.3), "c": 0.0}
LEARNING_RATE = 0.1
STEPS = 50


def forward(phi: Phi, parameters: Parameters, shift: Array | float = 0.0, x: float = INPUT) -> dict[str, Array]:
    """Compute z, h [2], y and loss at input x; ``shift`` [2] moves z, so that a derivative in it is ∂L/∂z.

    >>> start = {name: jnp.asarray(value) for name, value in START.items()}
    >>> round(float(forward(lambda z: jnp.where(z > 0, z, 0.0), start)["y"]), 6)
    0.12
    """
    z = parameters["w"] * x + parameters["b"] + shift
    h = phi(z)
    y = jnp.vdot(parameters["v"], h) + parameters["c"]
    return {"z": z, "h": h, "y": y, "loss": 0.5 * (TARGET - y) ** 2}


def gradients_by_hand(
    derivative: Phi, parameters: Parameters, seen: Mapping[str, Array], x: float = INPUT
) -> dict[str, Array]:
    """Backpropagate, written out: with δ = ∂L/∂y = y − t and ∂L/∂z = δ·v·φ'(z),

        ∂L/∂w = ∂L/∂z·x,   ∂L/∂b = ∂L/∂z,   ∂L/∂v = δ·h,   ∂L/∂c = δ.

    Args:
        derivative: φ'.
        parameters: w, b, v [2] and c.
        seen: what ``forward`` returned for them.
        x: the input that it was given.
    """
    error = seen["y"] - TARGET
    dz = error * parameters["v"] * derivative(seen["z"])
    return {"y": error, "z": dz, "w": dz * x, "b": dz, "v": error * seen["h"], "c": error}


def gradients_by_autodiff(phi: Phi, parameters: Parameters, x: float = INPUT) -> dict[str, Array]:
    """Compute the same by automatic differentiation of the loss, φ included, but for ∂L/∂y, which is ∂L/∂c."""
    loss = lambda parameters, shift: forward(automatic(phi), parameters, shift, x)["loss"]
    gradients, dz = jax.grad(loss, argnums=(0, 1))(parameters, jnp.zeros(2))
    return {"y": gradients["c"], "z": dz, **gradients}


def rows(records: Iterable[Any], x: float = INPUT) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run the example for many activations; what it gives are the rows of two tables.

    Args:
        records: with ``name``, ``function`` φ and ``derivative`` φ'.
        x: the input.

    Returns:
        example: one row per activation: z, h, y, loss and all gradients at the start (``dz1`` is ∂L/∂z₁), those in z by
            automatic differentiation too, and ``largest_difference`` between the two ways over all gradients.
        descent: one row per activation and step 0..50 of gradient descent at learning rate 0.1: loss, y, z, h and the
            parameters.

    >>> from types import SimpleNamespace
    >>> example, descent = rows([SimpleNamespace(name="linear", function=lambda z: z, derivative=jnp.ones_like)])
    >>> [(row["activation"], round(row["y"], 6)) for row in example], len(descent)
    ([('linear', 0.12)], 51)
    """
    examples, descents = [], []
    with jax.enable_x64(True):
        for record in records:
            phi, derivative = record.function, record.derivative
            parameters = {key: jnp.asarray(value, jnp.float64) for key, value in START.items()}
            seen = forward(phi, parameters, x=x)
            by_hand = gradients_by_hand(derivative, parameters, seen, x)
            by_autodiff = gradients_by_autodiff(phi, parameters, x)
            differences = [jnp.abs(by_hand[key] - by_autodiff[key]).max() for key in by_hand]
            examples.append(
                {
                    "activation": record.name,
                    **numbered(seen),
                    **numbered({f"d{key}": value for key, value in by_hand.items()}),
                    **numbered({"autodiff_dz": by_autodiff["z"]}),
                    "largest_difference": float(max(differences)),
                }
            )
            for step in range(STEPS + 1):
                seen = forward(phi, parameters, x=x)
                descents.append({"activation": record.name, "step": step, **numbered(seen), **numbered(parameters)})
                gradients = gradients_by_hand(derivative, parameters, seen, x)
                parameters = {key: value - LEARNING_RATE * gradients[key] for key, value in parameters.items()}
    return examples, descents


def numbered(values: Mapping[str, Array]) -> dict[str, float]:
    """Write pairs as two numbers: {z: [a, b]} becomes {z1: a, z2: b}; scalars keep their name.

    >>> numbered({"z": jnp.array([1.0, 2.0]), "y": jnp.array(3.0)})
    {'z1': 1.0, 'z2': 2.0, 'y': 3.0}
    """
    flat = {}
    for key, value in values.items():
        if value.ndim == 0:
            flat[key] = float(value) + 0.0  # no negative zeros
        else:
            flat |= {f"{key}{i}": float(entry) + 0.0 for i, entry in enumerate(value, start=1)}
    return flat
