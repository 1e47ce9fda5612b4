"""Optimizers as two formulas for one array: what it remembers of gradients, and the direction that it takes from that.

    memory ← remember(g, memory),   θ ← θ − η_t·(direction(memory, t) + λ·θ),   t = 1, 2, ...

Each hyperparameter is a number in the compiled program. The formulas stand apart because the training loop works on a
stack of layers in place: walking down it renews the memory of each layer as soon as its gradient is there, and then it
moves the parameters. A formula that wrote parameters and memory at once would make XLA copy whole stacks at each layer.
A rule that needs the gradient itself remembers it.

Optax's rules are the same by test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from actlab import docstrings, sources
from actlab.errors import ActlabError
from actlab.later import Array, ArrayLike, jax, jnp
from actlab.registry import Registry, options_of

Numbers = Mapping[str, Any]
Memory = Mapping[str, Array]
Remember = Callable[..., Mapping[str, Array]]
Direction = Callable[..., Array]
D = TypeVar("D", bound=Direction)

SCHEDULED = ("learning_rate", "weight_decay", "warmup_steps", "cosine", "schedule_steps")
"""Numbers that every rule's step has, and no rule's own may be named after."""


class OptimizerError(ActlabError, ValueError):
    """An optimizer that cannot be used; the message says what to change."""


@dataclass(frozen=True, eq=False)
class Optimizer:
    """An update rule, elementwise in θ.

    Attributes:
        name: what a study writes.
        remember: (g, memory, **settings) -> memory; what is remembered starts at zero.
        direction: (memory, t, **settings, **switches) -> the direction in which θ descends.
        memory: the names of what is remembered: as many arrays of θ's shape.
        settings: its numbers and their defaults.
        switches: its options that change the code, and their defaults.
        takes: which settings each of the two functions takes.
        weight_decay: the default λ.
        reference: where it comes from.
        summary: one line for lists.
    """

    name: str
    remember: Remember
    direction: Direction
    memory: tuple[str, ...]
    settings: Mapping[str, float]
    switches: Mapping[str, bool]
    takes: Mapping[str, tuple[str, ...]]
    weight_decay: float = 0.0
    reference: str = ""
    summary: str = ""

    @property
    def options(self) -> dict[str, float | bool | str]:
        """Every option with its default."""
        return {**self.settings, **self.switches}

    def renewed(self, g: Array, memory: Memory, numbers: Numbers) -> dict[str, Array]:
        """Compute what is remembered after one more gradient."""
        return dict(self.remember(g, memory, **{name: numbers[name] for name in self.takes["remember"]}))

    def descent(self, memory: Memory, t: ArrayLike, numbers: Numbers, switches: Mapping[str, bool]) -> Array:
        """Compute where θ descends."""
        return self.direction(memory, t, **{name: numbers[name] for name in self.takes["direction"]}, **switches)


def own_optimizer(function: Any, name: str, declared: Optimizer | None) -> Optimizer | None:
    """Return the record of a user's own rule, tried out."""
    if declared is not None:
        check_optimizer(declared)
    return declared


def first_steps(rule: Optimizer) -> list[Any]:
    """Return a rule's defaults and its first directions, as plain values."""
    memory: Memory = {name: jnp.zeros(6) for name in rule.memory}
    steps: list[Any] = [dict(rule.settings), dict(rule.switches), rule.weight_decay]
    for t in (1, 2):
        memory = rule.renewed(t * jnp.linspace(-2.0, 3.0, 6), memory, rule.settings)
        steps.append(rule.descent(memory, t, rule.settings, rule.switches).tolist())
    return steps


OPTIMIZERS: Registry[Optimizer] = Registry("optimizer", OptimizerError, own_optimizer, gives=first_steps)
"""Name -> record."""


def optimizer(
    *,
    memory: tuple[str, ...],
    remember: Remember,
    weight_decay: float = 0.0,
    reference: str = "",
    name: str | None = None,
) -> Callable[[D], D]:
    """Declare an update rule: decorate the function that turns what is remembered into a direction of descent.

    Both functions take their hyperparameters as keyword-only arguments with defaults: a float is a number in the
    compiled program, ``True`` or ``False`` a switch that changes its code.

    Args:
        memory: the names of what is remembered: as many arrays of θ's shape, zero before the first gradient.
        remember: (g, memory, **settings) -> {name: array}, all of ``memory`` after one more gradient.
        weight_decay: the default λ of decoupled weight decay.
        reference: where it comes from.
        name: of a shipped rule, where the function has another; a user's own goes by its function's.

    Raises:
        OptimizerError: a hyperparameter is not a keyword-only float or truth value, or has a taken name.

    >>> __name__ = "mine"  # a file of one's own
    >>> @optimizer(memory=("m",), remember=lambda g, memory, *, mu=0.9: {"m": mu * memory["m"] + g})
    ... def heavy(memory, t):
    ...     return memory["m"]
    >>> OPTIMIZERS.declared[heavy].settings
    {'mu': 0.9}
    """

    def declare(direction: D) -> D:
        called = name or str(getattr(direction, "__name__", direction))
        parts = {
            "remember": hyperparameters(called, remember, ("g", "memory")),
            "direction": hyperparameters(called, direction, ("memory", "t")),
        }
        both = {key: value for part in parts.values() for key, value in part.items()}
        if any(part[key] != both[key] for part in parts.values() for key in part):
            raise OptimizerError(f"{called}: its two functions give one hyperparameter two defaults")
        if any(isinstance(value, bool) for value in parts["remember"].values()):
            raise OptimizerError(f"{called}: a switch must be an argument of the direction, not of what is remembered")
        settings = {key: float(value) for key, value in both.items() if not isinstance(value, bool)}
        record = Optimizer(
            name=called,
            remember=remember,
            direction=direction,
            memory=tuple(memory),
            settings=settings,
            switches={key: value for key, value in both.items() if isinstance(value, bool)},
            takes={part: tuple(key for key in own if key in settings) for part, own in parts.items()},
            weight_decay=weight_decay,
            reference=reference,
            summary=docstrings.summary(direction),
        )
        OPTIMIZERS.declare(direction, record, called)
        return direction

    return declare


def hyperparameters(called: str, function: Callable[..., Any], positional: tuple[str, ...]) -> dict[str, float | bool]:
    """Return the keyword-only arguments of one of a rule's functions, with their defaults.

    Raises:
        OptimizerError: its signature is not ``function(*positional, *, name=default)``.
    """
    options = options_of(called, function, positional, OptimizerError)
    for name, default in options.items():
        if default is None:
            raise OptimizerError(f"{called}: {name} needs a number, or a truth value, as its default")
        if name in SCHEDULED:
            raise OptimizerError(f"{called}: every rule has a {name}; give its own number another name")
    return {name: default for name, default in options.items() if default is not None}


def check_optimizer(rule: Optimizer) -> None:
    """Try a rule on a few gradients, as training will use it.

    Raises:
        OptimizerError: it cannot be traced, remembers something else than it declares, changes a shape or dtype, or is
            not elementwise.
    """
    for dtype in (jnp.float32, jnp.float64):
        with jax.enable_x64(dtype is jnp.float64):
            try_out(rule, jnp.linspace(-2.0, 3.0, 6, dtype=dtype).reshape(2, 3))


def try_out(rule: Optimizer, g: Array) -> None:
    """Take the first steps of a rule on a gradient, whole and each element by itself.

    Raises:
        OptimizerError: it fails, gives what is not finite or another shape, or is not elementwise.
    """
    numbers = {key: jnp.asarray(value, g.dtype) for key, value in rule.settings.items()}

    def steps(g: Array) -> tuple[Any, list[Array]]:
        memory: Any = dict.fromkeys(rule.memory, jnp.zeros_like(g))
        directions = []
        for t in (1, 2):
            memory = rule.remember(t * g, memory, **{name: numbers[name] for name in rule.takes["remember"]})
            if not isinstance(memory, Mapping):
                declared = ", ".join(f"{name}: ..." for name in rule.memory)
                given = "an array" if isinstance(memory, jax.Array) else type(memory).__name__
                raise OptimizerError(f"{rule.name}: remembers {given}; expected {{{declared}}}")
            directions.append(rule.descent(memory, jnp.int32(t), numbers, rule.switches))
        if directions[0] is None:
            raise OptimizerError(f"{rule.name}: gives no direction; it must return one")
        return dict(memory), directions

    try:
        memory, directions = jax.jit(steps)(g)
    except OptimizerError:
        raise
    except KeyError as error:
        raise OptimizerError(f"{rule.name}: its memory has no {error}; it declares {', '.join(rule.memory)}") from error
    except Exception as error:
        raise OptimizerError(f"{rule.name}: {sources.failure(error) or type(error).__name__}") from error
    if set(memory) != set(rule.memory):
        raise OptimizerError(f"{rule.name}: remembers {', '.join(memory)}; it declares {', '.join(rule.memory)}")
    for what, array in {**memory, "the direction": directions[0]}.items():
        if jnp.shape(array) != g.shape or jnp.result_type(array) != g.dtype:
            raise OptimizerError(
                f"{rule.name}: {what} has shape {jnp.shape(array)} and dtype {jnp.result_type(array)}; "
                f"expected those of the gradient, {g.shape} and {g.dtype}"
            )
    for t, direction in enumerate(directions, 1):
        if not jnp.all(jnp.isfinite(direction)):
            where = float(g[~jnp.isfinite(direction)][0])
            raise OptimizerError(f"{rule.name}: the direction at t = {t} after a gradient of {where:g} is not finite")
    alone = jnp.stack([steps(one[None, None])[1][-1][0, 0] for one in g.ravel()]).reshape(g.shape)
    if not jnp.allclose(directions[-1], alone, rtol=1e-4, atol=1e-6):
        raise OptimizerError(f"{rule.name}: is not elementwise: a gradient's direction depends on the other gradients")


def gradient(g: Array, memory: Memory) -> dict[str, Array]:
    """Remember the gradient itself."""
    return {"g": g}


def accumulate(g: Array, memory: Memory, *, momentum: float = 0.9) -> dict[str, Array]:
    """m ← μ·m + g."""
    return {"m": momentum * memory["m"] + g, "g": g}


def average_moments(g: Array, memory: Memory, *, b1: float = 0.9, b2: float = 0.999) -> dict[str, Array]:
    """m ← β₁·m + (1 − β₁)·g,   v ← β₂·v + (1 − β₂)·g²."""
    return {"m": b1 * memory["m"] + (1 - b1) * g, "v": b2 * memory["v"] + (1 - b2) * g**2}


def average_squares(g: Array, memory: Memory, *, decay: float = 0.9) -> dict[str, Array]:
    """v ← ρ·v + (1 − ρ)·g²."""
    return {"v": decay * memory["v"] + (1 - decay) * g**2, "g": g}


@optimizer(memory=("g",), remember=gradient, reference="Robbins & Monro 1951")
def sgd(memory: Memory, t: ArrayLike) -> Array:
    """Plain gradient descent: g."""
    return memory["g"]


@optimizer(
    memory=("m", "g"),
    remember=accumulate,
    reference="Polyak 1964; Sutskever et al. 2013 (Nesterov's form)",
    name="momentum",
)
def heavy_ball(memory: Memory, t: ArrayLike, *, momentum: float = 0.9, nesterov: bool = False) -> Array:
    """Heavy-ball momentum: m; Nesterov's form: g + μ·m."""
    return memory["g"] + momentum * memory["m"] if nesterov else memory["m"]


# Decay is decoupled for every optimizer here; AdamW's default is that of the paper's authors' code.
@optimizer(
    memory=("m", "v"),
    remember=average_moments,
    weight_decay=1e-2,
    reference="Loshchilov & Hutter 2019, arXiv:1711.05101",
    name="adamw",
)
@optimizer(memory=("m", "v"), remember=average_moments, reference="Kingma & Ba 2015, arXiv:1412.6980")
def adam(memory: Memory, t: ArrayLike, *, b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Array:
    """m̂ / (√v̂ + ε), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ)."""
    t = jnp.asarray(t, memory["m"].dtype)
    m, v = memory["m"] / (1 - b1**t), memory["v"] / (1 - b2**t)
    return m / (jnp.sqrt(v) + eps)


@optimizer(memory=("v", "g"), remember=average_squares, reference="Tieleman & Hinton 2012, lecture 6.5")
def rmsprop(memory: Memory, t: ArrayLike, *, eps: float = 1e-8) -> Array:
    """g / (√v + ε), ε outside the root."""
    return memory["g"] / (jnp.sqrt(memory["v"]) + eps)


def decays(path: tuple[Any, ...], decay_activation_parameters: bool) -> bool:
    """Whether weight decay pulls on the parameter at a path: kernels, and if wanted PReLU's α and its like; no biases.

    >>> kernel, bias = ((jax.tree_util.DictKey(name),) for name in ("kernel", "bias"))
    >>> decays(kernel, False), decays(bias, True)
    (True, False)
    """
    keys = [entry.key for entry in path]
    return keys[-1] == "kernel" or ("activation" in keys and decay_activation_parameters)


def learning_rate(t: ArrayLike, numbers: Numbers) -> Array:
    """Compute η_t at step t = 0, 1, ...: linear warm-up over its first steps, then constant or a half cosine down to 0.

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


def remember(rule: Optimizer, gradients: Any, memory: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    """Compute the memory of a tree of parameters after one more gradient: {name: tree}."""
    renewed = jax.tree.map(
        lambda g, *memories: rule.renewed(g, dict(zip(rule.memory, memories, strict=True)), numbers),
        gradients,
        *(memory[name] for name in rule.memory),
    )
    return jax.tree.transpose(jax.tree.structure(gradients), jax.tree.structure(dict.fromkeys(rule.memory, 0)), renewed)


def move(
    rule: Optimizer,
    switches: Mapping[str, bool],
    parameters: Any,
    memory: Mapping[str, Any],
    t: ArrayLike,
    numbers: Numbers,
    decay_activation_parameters: bool = False,
) -> Any:
    """Compute a tree of parameters after one step: θ − η_t·(direction + λ·θ), λ only where weight decay applies.

    Args:
        rule: the optimizer.
        switches: the rule's options that change the code (``nesterov``).
        parameters: a tree.
        memory: as renewed by ``remember``.
        t: steps taken before this one: 0, 1, ...
        numbers: what ``learning_rate`` takes, ``weight_decay`` λ and the rule's own; may be traced.
        decay_activation_parameters: whether λ also pulls on PReLU's α and its like. Biases are always spared.

    >>> numbers = {"learning_rate": 0.5, "weight_decay": 0.0, "warmup_steps": 0.0, "cosine": 0.0, "schedule_steps": 1.0}
    >>> theta = {"kernel": jnp.ones(1)}
    >>> move(OPTIMIZERS["sgd"], {}, theta, {"g": theta}, 0, numbers)["kernel"]
    Array([0.5], dtype=float32)
    """
    rate = learning_rate(t, numbers)

    def of_leaf(path: tuple[Any, ...], theta: Array, *memories: Array) -> Array:
        step = rule.descent(dict(zip(rule.memory, memories, strict=True)), t + 1, numbers, switches)
        if decays(path, decay_activation_parameters):
            step = step + numbers["weight_decay"] * theta
        return theta - rate.astype(theta.dtype) * step

    return jax.tree_util.tree_map_with_path(of_leaf, parameters, *(memory[name] for name in rule.memory))


def clip_factor(squared_norm: ArrayLike, most: ArrayLike) -> Array:
    """Compute by what to multiply all gradients so that their joint norm is at most ``most``.

    >>> float(clip_factor(4.0, 1.0)), float(clip_factor(4.0, 3.0))
    (0.5, 1.0)

    Reference: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063.
    """
    norm = jnp.sqrt(jnp.asarray(squared_norm))
    return jnp.where(norm <= most, jnp.ones_like(norm), most / norm)
