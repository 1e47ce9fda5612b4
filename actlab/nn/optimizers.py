"""Optimizers as two formulas for one array: what it remembers of gradients, and the direction that it takes from that.

    memory ← remember(g, memory),   θ ← θ − η_t·(direction(memory, t) + λ·θ),   t = 1, 2, ...

Each hyperparameter is a number in the compiled program. The formulas stand apart because the training loop works on a
stack of layers in place: walking down it renews the memory of each layer as soon as its gradient is there, and then it
moves the parameters. A formula that wrote parameters and memory at once would make XLA copy whole stacks at each layer.
A rule that needs the gradient itself remembers it.

Optax's rules are the same by test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actlab.later import Array, ArrayLike, jax, jnp

Numbers = Mapping[str, Any]
Memory = Mapping[str, Array]


@dataclass(frozen=True)
class Optimizer:
    """An update rule, elementwise in θ.

    Attributes:
        remember: (g, memory, numbers) -> memory; what is remembered starts at zero.
        direction: (memory, t, numbers, **switches) -> the direction in which θ descends.
        memory: the names of what is remembered: as many arrays of θ's shape.
        settings: its numbers and their defaults.
        switches: its options that change the code, and their defaults.
        weight_decay: the default λ.
        reference: where it comes from.
    """

    remember: Callable[[Array, Memory, Numbers], dict[str, Array]]
    direction: Callable[..., Array]
    memory: tuple[str, ...]
    settings: Mapping[str, float] = field(default_factory=dict)
    switches: Mapping[str, bool] = field(default_factory=dict)
    weight_decay: float = 0.0
    reference: str = ""

    @property
    def options(self) -> dict[str, float | bool | str]:
        """Every option with its default."""
        return {**self.settings, **self.switches}


def gradient(g: Array, memory: Memory, numbers: Numbers) -> dict[str, Array]:
    """The gradient itself."""
    return {"g": g}


def descend(memory: Memory, t: ArrayLike, numbers: Numbers) -> Array:
    """Plain gradient descent: g."""
    return memory["g"]


def accumulate(g: Array, memory: Memory, numbers: Numbers) -> dict[str, Array]:
    """m ← μ·m + g."""
    return {"m": numbers["momentum"] * memory["m"] + g, "g": g}


def heavy_ball(memory: Memory, t: ArrayLike, numbers: Numbers, *, nesterov: bool = False) -> Array:
    """Heavy-ball momentum: m; Nesterov's form: g + μ·m."""
    return memory["g"] + numbers["momentum"] * memory["m"] if nesterov else memory["m"]


def average_moments(g: Array, memory: Memory, numbers: Numbers) -> dict[str, Array]:
    """m ← β₁·m + (1 − β₁)·g,   v ← β₂·v + (1 − β₂)·g²."""
    b1, b2 = numbers["b1"], numbers["b2"]
    return {"m": b1 * memory["m"] + (1 - b1) * g, "v": b2 * memory["v"] + (1 - b2) * g**2}


def adaptive(memory: Memory, t: ArrayLike, numbers: Numbers) -> Array:
    """m̂ / (√v̂ + ε), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ)."""
    t = jnp.asarray(t, memory["m"].dtype)
    m, v = memory["m"] / (1 - numbers["b1"] ** t), memory["v"] / (1 - numbers["b2"] ** t)
    return m / (jnp.sqrt(v) + numbers["eps"])


def average_squares(g: Array, memory: Memory, numbers: Numbers) -> dict[str, Array]:
    """v ← ρ·v + (1 − ρ)·g²."""
    return {"v": numbers["decay"] * memory["v"] + (1 - numbers["decay"]) * g**2, "g": g}


def normalised(memory: Memory, t: ArrayLike, numbers: Numbers) -> Array:
    """g / (√v + ε), ε outside the root."""
    return memory["g"] / (jnp.sqrt(memory["v"]) + numbers["eps"])


_ADAM = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(gradient, descend, ("g",), reference="Robbins & Monro 1951"),
    "momentum": Optimizer(
        accumulate,
        heavy_ball,
        ("m", "g"),
        {"momentum": 0.9},
        {"nesterov": False},
        reference="Polyak 1964; Sutskever et al. 2013 (Nesterov's form)",
    ),
    "adam": Optimizer(average_moments, adaptive, ("m", "v"), _ADAM, reference="Kingma & Ba 2015, arXiv:1412.6980"),
    # Decay is decoupled for every optimizer here; the default is that of the paper's authors' code.
    "adamw": Optimizer(
        average_moments,
        adaptive,
        ("m", "v"),
        _ADAM,
        weight_decay=1e-2,
        reference="Loshchilov & Hutter 2019, arXiv:1711.05101",
    ),
    "rmsprop": Optimizer(
        average_squares,
        normalised,
        ("v", "g"),
        {"decay": 0.9, "eps": 1e-8},
        reference="Tieleman & Hinton 2012, lecture 6.5",
    ),
}


def decays(path: tuple[Any, ...], decay_activation_parameters: bool) -> bool:
    """Whether weight decay pulls on the parameter at a path: kernels, and if wanted PReLU's α and its like; no biases.

    >>> kernel, bias = ((jax.tree_util.DictKey(name),) for name in ("kernel", "bias"))
    >>> decays(kernel, False), decays(bias, True)
    (True, False)
    """
    keys = [entry.key for entry in path]
    return keys[-1] == "kernel" or ("activation" in keys and decay_activation_parameters)


def learning_rate(t: ArrayLike, numbers: Numbers) -> Array:
    """η_t at step t = 0, 1, ...: linear warm-up over its first steps, then constant or a half cosine down to 0.

        η_t = η · min(1, (t + 1)/(T_w + 1)) · (1 + cos(π·(t − T_w)/(T − T_w)))/2   (the last factor if ``cosine`` is 1)

    ``numbers``: ``learning_rate`` η, ``warmup_steps`` T_w, ``cosine`` (0 or 1), ``schedule_steps`` T. A constant rate
    is η to the last bit. The first step is not lost to a rate of 0. With init_value = η/(T_w + 1), peak_value = η,
    warmup_steps = T_w and decay_steps = T it is Optax's ``warmup_cosine_decay_schedule``, and without the cosine its
    ``warmup_constant_schedule``.

    >>> numbers = {"learning_rate": 1.0, "warmup_steps": 4.0, "cosine": 0.0, "schedule_steps": 10.0}
    >>> [round(float(learning_rate(t, numbers)), 6) for t in (0, 1, 4, 9)]
    [0.2, 0.4, 1.0, 1.0]

    Reference: Loshchilov & Hutter 2017, arXiv:1608.03983 (cosine); Goyal et al. 2017, arXiv:1706.02677 (warm-up).
    """
    t = jnp.asarray(t, jnp.result_type(numbers["learning_rate"], float))
    warmup, cosine, steps = (numbers[name] for name in ("warmup_steps", "cosine", "schedule_steps"))
    rise = jnp.where(t < warmup, (t + 1) / (warmup + 1), 1.0)
    passed = jnp.clip((t - warmup) / jnp.maximum(steps - warmup, 1.0), 0.0, 1.0)
    fall = jnp.where(cosine > 0, 0.5 * (1.0 + jnp.cos(jnp.pi * passed)), 1.0)
    return numbers["learning_rate"] * rise * fall


def remember(name: str, gradients: Any, memory: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    """The memory of a tree of parameters after one more gradient: {name: tree}."""
    rule = OPTIMIZERS[name]
    renewed = jax.tree.map(
        lambda g, *kept: rule.remember(g, dict(zip(rule.memory, kept, strict=True)), numbers),
        gradients,
        *(memory[kept] for kept in rule.memory),
    )
    return jax.tree.transpose(jax.tree.structure(gradients), jax.tree.structure(dict.fromkeys(rule.memory, 0)), renewed)


def move(
    name: str,
    switches: Mapping[str, bool],
    parameters: Any,
    memory: Mapping[str, Any],
    t: ArrayLike,
    numbers: Numbers,
    decay_activation_parameters: bool = False,
) -> Any:
    """A tree of parameters after one step: θ − η_t·(direction + λ·θ), λ only where weight decay applies.

    Args:
        name: a key of ``OPTIMIZERS``.
        switches: the rule's options that change the code (``nesterov``).
        parameters: a tree.
        memory: as renewed by ``remember``.
        t: steps taken before this one: 0, 1, ...
        numbers: what ``learning_rate`` takes, ``weight_decay`` λ and the rule's own; may be traced.
        decay_activation_parameters: whether λ also pulls on PReLU's α and its like. Biases are always spared.

    >>> numbers = {"learning_rate": 0.5, "weight_decay": 0.0, "warmup_steps": 0.0, "cosine": 0.0, "schedule_steps": 1.0}
    >>> theta = {"kernel": jnp.ones(1)}
    >>> move("sgd", {}, theta, {"g": theta}, 0, numbers)["kernel"]
    Array([0.5], dtype=float32)
    """
    rule, rate = OPTIMIZERS[name], learning_rate(t, numbers)

    def of_leaf(path: tuple[Any, ...], theta: Array, *kept: Array) -> Array:
        step = rule.direction(dict(zip(rule.memory, kept, strict=True)), t + 1, numbers, **switches)
        if decays(path, decay_activation_parameters):
            step = step + numbers["weight_decay"] * theta
        return theta - rate.astype(theta.dtype) * step

    return jax.tree_util.tree_map_with_path(of_leaf, parameters, *(memory[kept] for kept in rule.memory))


def clip_factor(squared_norm: ArrayLike, most: ArrayLike) -> Array:
    """By what to multiply all gradients so that their joint norm is at most ``most``.

    >>> float(clip_factor(4.0, 1.0)), float(clip_factor(4.0, 3.0))
    (0.5, 1.0)

    Reference: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063.
    """
    norm = jnp.sqrt(jnp.asarray(squared_norm))
    return jnp.where(norm <= most, jnp.ones_like(norm), most / norm)
