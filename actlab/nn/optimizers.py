"""Optimizers: optax's rules, every hyperparameter a number in the compiled program, and one decoupled weight decay."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

Numbers = Mapping[str, Any]


def sgd(numbers: Numbers) -> optax.GradientTransformation:
    """Plain gradient descent: direction = gradient."""
    return optax.identity()


def momentum(numbers: Numbers, *, nesterov: bool = False) -> optax.GradientTransformation:
    """Heavy-ball momentum: m ← μ·m + g, direction = m (Polyak 1964; Nesterov's form: Sutskever et al. 2013)."""
    return optax.trace(decay=numbers["momentum"], nesterov=nesterov)


def adam(numbers: Numbers) -> optax.GradientTransformation:
    """Adam: direction = m̂ / (√v̂ + ε) (Kingma & Ba 2015, arXiv:1412.6980)."""
    return optax.scale_by_adam(b1=numbers["b1"], b2=numbers["b2"], eps=numbers["eps"])


def rmsprop(numbers: Numbers) -> optax.GradientTransformation:
    """RMSprop: direction = g / (√v + ε), ε outside the root (Tieleman & Hinton 2012, lecture 6.5)."""
    return optax.scale_by_rms(decay=numbers["decay"], eps=numbers["eps"], eps_in_sqrt=False)


# adamw is adam with another default weight decay: decay is decoupled for every optimizer here.
OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": sgd,
    "momentum": momentum,
    "adam": adam,
    "adamw": adam,
    "rmsprop": rmsprop,
}

# Every rule's own settings and their defaults: floats are numbers in the program, booleans shape it.
SETTINGS: dict[str, dict[str, float | bool]] = {
    "sgd": {},
    "momentum": {"momentum": 0.9, "nesterov": False},
    "adam": {"b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "adamw": {"b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "rmsprop": {"decay": 0.9, "eps": 1e-8},
}
WEIGHT_DECAY = {"adamw": 1e-2}  # the default of the paper's authors' code; 0 for every other rule


def optimizer(
    name: str, options: Mapping[str, bool], numbers: Numbers, decay_activation_parameters: bool
) -> optax.GradientTransformation:
    """The update rule Δθ = −η·(direction + λ·θ), λ only where weight decay applies.

    Args:
        name: a key of ``OPTIMIZERS``.
        options: the rule's static options (``nesterov``).
        numbers: ``learning_rate`` η, ``weight_decay`` λ and the rule's own (``b1``, ``momentum``, ...); may be traced.
        decay_activation_parameters: whether λ also pulls on PReLU's α and its like. Biases are always spared.

    >>> import jax.numpy as jnp
    >>> rule = optimizer("sgd", {}, {"learning_rate": 0.5, "weight_decay": 0.0}, False)
    >>> theta = {"hidden": {"kernel": jnp.ones(1)}}
    >>> rule.update(theta, rule.init(theta), theta)[0]["hidden"]["kernel"]
    Array([-0.5], dtype=float32)

    Reference: Loshchilov & Hutter 2019, arXiv:1711.05101 (decoupled weight decay).
    """

    def decayed(parameters: Any) -> Any:
        def rule(path: tuple[Any, ...], _: Any) -> bool:
            keys = [entry.key for entry in path]
            return keys[-1] == "kernel" or (keys[0] == "activation" and decay_activation_parameters)

        return jax.tree_util.tree_map_with_path(rule, parameters)

    return optax.chain(
        OPTIMIZERS[name](numbers, **options),
        optax.add_decayed_weights(numbers["weight_decay"], mask=decayed),
        optax.scale_by_learning_rate(numbers["learning_rate"]),
    )
