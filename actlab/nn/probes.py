"""Measurements of a network on fixed rows: per-layer probes, the backward walk that cannot underflow, and unit death.

A probe is a function of one hidden layer's values, named as its arguments: ``z_MxW`` (pre-activations of M probe rows),
``h_MxW`` (activations), ``slope_MxW`` (φ'(z)), and the thresholds ``weak_threshold``, ``saturation_low``,
``saturation_high``. What it is, whether it is a default and what it costs stands in its record in ``actlab.measures``,
which names it. Where any z of a layer is not finite, all its probes are NaN.
"""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from actlab.measures import MEASURES, named
from actlab.nn.model import Activation, Parameters, apply, example_losses, per_layer, preactivations, weight_gradient

log = logging.getLogger("actlab.probes")

# Below this share of the layer's mean a unit counts as dormant (Sokar et al. 2023) or constant.
DORMANT = 0.025
# Above this correlation a unit duplicates another.
DUPLICATE = 0.99


def scaled(values: Array) -> Array:
    """Values divided by the largest magnitude, so that their squares leave float32 neither below nor above.

    >>> scaled(jnp.array([1e-30, -2e-30])), scaled(jnp.zeros(1))
    (Array([ 0.5, -1. ], dtype=float32), Array([0.], dtype=float32))
    """
    largest = jnp.max(jnp.abs(values))
    return values / jnp.where(largest > 0, largest, 1.0)


def centred(h_MxW: Array) -> Array:
    """h minus its mean over rows, exactly zero where rows are equal: a deep sigmoid network makes them so.

    The mean of equal numbers is not their value in floating point, and what is left would look like a spread; the
    difference to the first row is exact.

    >>> centred(jnp.full((3, 1), 0.1)).ravel()
    Array([0., 0., 0.], dtype=float32)
    """
    shifted = h_MxW - h_MxW[:1]
    return shifted - jnp.mean(shifted, axis=0, keepdims=True)


def weak_fraction(slope_MxW: Array, weak_threshold: Array) -> Array:
    """Share of units with max over rows of |φ'(z)| ≤ .05·√E φ'(Z)², Z standard normal (the threshold is passed in).

    The same question as death, for activations that are nowhere exactly flat.
    """
    return jnp.mean(jnp.max(jnp.abs(slope_MxW), axis=0) <= weak_threshold, dtype=slope_MxW.dtype)


def saturated_low(z_MxW: Array, saturation_low: Array) -> Array:
    """Share of (unit, row) at or below the lower point beyond which |φ'| stays weak (−∞: never)."""
    return jnp.mean(z_MxW <= saturation_low, dtype=z_MxW.dtype)


def saturated_high(z_MxW: Array, saturation_high: Array) -> Array:
    """Share of (unit, row) at or above the upper point beyond which |φ'| stays weak (∞: never)."""
    return jnp.mean(z_MxW >= saturation_high, dtype=z_MxW.dtype)


def dormant_fraction(h_MxW: Array) -> Array:
    """Share of units with mean|h_j| ≤ τ·(mean over units of mean|h|), τ = .025; an all-zero layer is wholly dormant.

    Reference: Sokar et al. 2023, arXiv:2302.12902.
    """
    size_W = jnp.mean(jnp.abs(h_MxW), axis=0)
    return jnp.mean(size_W <= DORMANT * jnp.mean(size_W), dtype=h_MxW.dtype)


def constant_fraction(h_MxW: Array) -> Array:
    """Share of units whose standard deviation over rows is at most τ = .025 of the layer's mean standard deviation."""
    spread_W = jnp.sqrt(jnp.mean(scaled(centred(h_MxW)) ** 2, axis=0))
    return jnp.mean(spread_W <= DORMANT * jnp.mean(spread_W), dtype=h_MxW.dtype)


def act_mean(h_MxW: Array) -> Array:
    """Mean of h over units and rows."""
    return jnp.mean(h_MxW)


def act_var(h_MxW: Array) -> Array:
    """Variance of h over units and rows, pooled."""
    return jnp.var(h_MxW)


def act_var_within(h_MxW: Array) -> Array:
    """Variance of h over rows for each unit, then averaged: pooled variance hides a collapse to constant units."""
    return jnp.mean(centred(h_MxW) ** 2)


def preact_second_moment(z_MxW: Array) -> Array:
    """Mean z² over units and rows."""
    return jnp.mean(z_MxW**2)


def preact_mean_share(z_MxW: Array) -> Array:
    """Share of mean z² that is variance between units of their mean over rows: the bias shift; NaN where z = 0."""
    z_MxW = scaled(z_MxW)
    return jnp.var(jnp.mean(z_MxW, axis=0)) / jnp.mean(z_MxW**2)


def correlation(z_MxW: Array) -> Array:
    """Mean cosine of z over pairs of different rows, (‖Σ ẑ_x‖² − M)/(M² − M); NaN where a row is zero."""
    z_MxW = jax.vmap(scaled)(z_MxW)
    unit = z_MxW / jnp.linalg.norm(z_MxW, axis=1, keepdims=True)
    rows = float(z_MxW.shape[0])  # as a whole number, the pairs of 60,000 rows would be beyond int32
    return (jnp.sum(jnp.sum(unit, axis=0) ** 2) - rows) / (rows**2 - rows)


def zero_fraction(h_MxW: Array) -> Array:
    """Share of (unit, row) with h exactly 0: how sparse a layer is."""
    return jnp.mean(h_MxW == 0, dtype=h_MxW.dtype)


def duplicate_fraction(h_MxW: Array) -> Array:
    """Share of units whose h has |Pearson correlation over rows| > .99 with that of another unit of the layer.

    A unit that is constant over rows has no correlation, and duplicates none. Every unit is centred and scaled first:
    whatever its size, its squares stay within float32.
    """
    h_MxW = jax.vmap(scaled, in_axes=1, out_axes=1)(centred(h_MxW))
    norm_1xW = jnp.linalg.norm(h_MxW, axis=0, keepdims=True)
    unit_MxW = h_MxW / jnp.where(norm_1xW > 0, norm_1xW, 1.0)
    correlation_WxW = jnp.matmul(unit_MxW.T, unit_MxW, precision="highest")
    others_WxW = jnp.where(jnp.eye(h_MxW.shape[1], dtype=bool), 0.0, jnp.abs(correlation_WxW))
    share = jnp.mean(jnp.max(others_WxW, axis=0) > DUPLICATE, dtype=h_MxW.dtype)
    return jnp.where(all_finite(correlation_WxW), share, jnp.nan)


def effective_rank(h_MxW: Array) -> Array:
    """exp of the entropy of the normalised singular values of the centred h; 0 for a constant layer.

    Reference: Roy & Vetterli 2007, EUSIPCO.
    """
    singular = jnp.linalg.svd(centred(h_MxW), compute_uv=False)
    total = jnp.sum(singular)
    p = singular / jnp.where(total > 0, total, 1.0)
    entropy = -jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0))
    return jnp.where(total > 0, jnp.exp(entropy), 0.0)


def stable_rank(h_MxW: Array) -> Array:
    """‖h‖_F² / ‖h‖₂²; 0 for an all-zero layer.

    Reference: Rudelson & Vershynin 2007, J. ACM 54(4).
    """
    return jnp.sum(scaled(jnp.linalg.svd(h_MxW, compute_uv=False)) ** 2)


def depth_slope(log10_norm_RxL: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares slope per layer of log10 of a norm *towards the input*, and its residual standard deviation.

    Negative is vanishing, 0 preserved, positive exploding; the residual is in decades, √(Σ r² / (L − 2)). NaN below
    depth 3, and where a norm is zero or not finite. Over float64 records on the host, hence NumPy.

    Args:
        log10_norm_RxL: log10 of the norms by record and hidden layer; a norm itself may be too small for float64.

    Returns:
        slope [R] and residual [R].

    >>> slope, residual = depth_slope(np.array([[-3.0, -2.0, -1.0]]))
    >>> float(round(slope[0], 12)), bool(residual[0] < 1e-12)
    (-1.0, True)
    """
    records, depth = log10_norm_RxL.shape
    if depth < 3:
        return np.full(records, np.nan), np.full(records, np.nan)
    usable = np.isfinite(log10_norm_RxL)
    log_norm = np.where(usable, log10_norm_RxL, 0.0)
    towards_input = np.arange(depth, 0, -1.0)
    towards_input -= towards_input.mean()
    centred_RxL = log_norm - log_norm.mean(axis=1, keepdims=True)
    slope = centred_RxL @ towards_input / (towards_input @ towards_input)
    residual = np.sqrt(np.sum((centred_RxL - slope[:, None] * towards_input) ** 2, axis=1) / (depth - 2))
    whole = usable.all(axis=1)
    return np.where(whole, slope, np.nan), np.where(whole, residual, np.nan)


Probe = Callable[..., Array]
GRADIENTS, DEATH = named("gradients"), named("death")
PROBES: dict[str, Probe] = {name: globals()[str(MEASURES[name].function)] for name in named("activations")}


def measure_layers(
    names: tuple[str, ...],
    z_LxMxW: Array,
    h_LxMxW: Array,
    slope_LxMxW: Array,
    thresholds: Mapping[str, Array],
    own: Mapping[str, Probe] | None = None,
    report: Callable[[str, str], None] | None = None,
) -> dict[str, Array]:
    """Evaluate the named probes on every layer, one layer after the other.

    Args:
        names: of measures: keys of ``PROBES``, or of ``own``.
        z_LxMxW, h_LxMxW, slope_LxMxW: z, φ(z) and φ'(z) of the M probe rows, by hidden layer.
        thresholds: ``weak_threshold``, ``saturation_low``, ``saturation_high``.
        own: the user's measures. One that cannot be evaluated is NaN: it ends no run.
        report: told the name and the reason of each such measure, while the program is traced; a warning in the log
            by default.

    Returns:
        {name: [L]}, NaN in layers with a non-finite z.

    >>> z = jnp.array([[[-1.0, 2.0], [3.0, -4.0]]])
    >>> measure_layers(("preact_second_moment",), z, jnp.tanh(z), 1 - jnp.tanh(z) ** 2, {})
    {'preact_second_moment': Array([7.5], dtype=float32)}
    """
    probes = {name: PROBES[name] if name in PROBES else (own or {})[name] for name in names}
    failures: dict[str, str] = {}

    def layer(row: tuple[Array, Array, Array]) -> dict[str, Array]:
        z_MxW, h_MxW, slope_MxW = row
        values = {"z_MxW": z_MxW, "h_MxW": h_MxW, "slope_MxW": slope_MxW, **thresholds}
        finite = all_finite(z_MxW)

        def value(name: str, probe: Probe) -> Array:
            if name in PROBES:
                result = evaluate(probe, values)
            else:
                result, reason = evaluate_own(probe, values)
                failures.update({name: reason} if reason else {})
            return jnp.where(finite, result.astype(z_MxW.dtype), jnp.nan)

        return {name: value(name, probe) for name, probe in probes.items()}

    measured = jax.lax.map(layer, (z_LxMxW, h_LxMxW, slope_LxMxW))
    for name, reason in failures.items():
        (report or warn)(name, reason)
    return measured


def evaluate(probe: Probe, values: Mapping[str, Array]) -> Array:
    """A probe of those values that its arguments name.

    >>> evaluate(act_mean, {"h_MxW": jnp.ones((2, 3)), "z_MxW": jnp.zeros((2, 3))})
    Array(1., dtype=float32)
    """
    return probe(**{name: values[name] for name in inspect.signature(probe).parameters})


def evaluate_own(probe: Probe, values: Mapping[str, Array]) -> tuple[Array, str]:
    """A user's probe, and the empty string; NaN and the reason where it cannot be had.

    >>> evaluate_own(lambda z_MxW: z_MxW.max(axis=0), {"z_MxW": jnp.zeros((2, 3))})
    (Array(nan, dtype=float32, weak_type=True), 'gives float32 of shape (3,); expected one real number a layer')
    """
    missing = jnp.full((), jnp.nan)
    try:
        result = jnp.asarray(evaluate(probe, values))
    except Exception as error:
        return missing, f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    if result.shape != () or jnp.iscomplexobj(result):
        return missing, f"gives {result.dtype} of shape {result.shape}; expected one real number a layer"
    return result, ""


def warn(name: str, reason: str) -> None:
    """Log that a user's measure is NaN, and why."""
    log.warning("measure '%s' is NaN: %s", name, reason)


def all_finite(z: Array) -> Array:
    """Whether no number is NaN or infinite, by the largest magnitude: XLA is slow at reducing truth values.

    >>> bool(all_finite(jnp.array([1.0, -2.0]))), bool(all_finite(jnp.array([jnp.nan, 1.0])))
    (True, False)
    """
    return jnp.isfinite(jnp.max(jnp.abs(z)))


def value_and_slope(phi: Activation, z: Array, parameters: Mapping[str, Array]) -> tuple[Array, Array]:
    """φ(z) and φ'(z), elementwise.

    >>> value_and_slope(jnp.square, jnp.array([3.0]), {})
    (Array([9.], dtype=float32), Array([6.], dtype=float32))
    """
    return jax.jvp(lambda z: phi(z, **parameters), (z,), (jnp.ones_like(z),))


def gradient_norms(
    parameters: Parameters, x_MxF: Array, y: Array, phi: Activation, fixed: Mapping[str, Array], task: str
) -> tuple[dict[str, Array], Array, tuple[Array, Array, Array]]:
    """Norms of the backpropagated signal and of the weight gradients at any depth, without underflow.

    Walks backward layer by layer, δ_l = (δ_{l+1} W_{l+1}ᵀ) ∘ φ'(z_l), and divides δ by a power of two after each layer;
    the exponents are carried as integers. In float32 automatic differentiation a sigmoid network of depth 100 is all
    zeros from layer 41 down.

    Args:
        parameters: the network's tree of arrays.
        x_MxF, y: the probe rows and their targets.
        phi, fixed: the activation and its parameters that are not learned.
        task: ``classification`` or ``regression``.

    Returns:
        {``signal_grad_norm``, ``weight_grad_norm``: mantissas [L]}, their common binary exponents [L] (the norm is
        mantissa · 2^exponent), and what they were computed from: z, φ(z) and φ'(z) [L, M, W]. The signal is
        √(mean over rows of ‖∂ℓ_x/∂z_l‖²), ℓ_x one example's loss; the weight gradient ‖∂L/∂W_l‖_F is of the mean loss.
    """
    outputs_MxC, z_LxMxW = apply(parameters, x_MxF, phi, fixed, preactivations)
    rows = x_MxF.shape[0]
    h_LxMxW, slope_LxMxW = jax.vmap(lambda z, learned: value_and_slope(phi, z, {**fixed, **learned}))(
        z_LxMxW, per_layer(parameters["activation"])
    )
    error_MxC = jax.grad(lambda outputs: jnp.sum(example_losses(outputs, y, task)))(outputs_MxC)

    def norms(delta_MxW: Array, h_below: Array) -> dict[str, Array]:
        # As small or large as h: its squares may leave float32, unlike those of δ.
        gradient = weight_gradient(h_below, delta_MxW)
        return {
            "signal_grad_norm": jnp.sqrt(jnp.sum(delta_MxW**2) / rows),
            "weight_grad_norm": jnp.max(jnp.abs(gradient)) * jnp.linalg.norm(scaled(gradient)) / rows,
        }

    def backward(carry: tuple[Array, Array], layer: tuple[Array, Array, Array]) -> tuple[Any, Any]:
        delta_MxW, exponent = carry
        kernel_WxW, h_below, slope_below = layer
        measured = (norms(delta_MxW, h_below), exponent)
        return rescale((delta_MxW @ kernel_WxW.T) * slope_below, exponent), measured

    top = rescale((error_MxC @ parameters["readout"]["kernel"].T) * slope_LxMxW[-1], jnp.int32(0))
    below = (parameters["hidden"]["kernel"], h_LxMxW[:-1], slope_LxMxW[:-1])
    (delta_MxW, exponent), (upper, exponents) = jax.lax.scan(backward, top, below, reverse=True)
    first = norms(delta_MxW, x_MxF)
    mantissas = {name: jnp.concatenate([first[name][None], upper[name]]) for name in first}
    return mantissas, jnp.concatenate([exponent[None], exponents]), (z_LxMxW, h_LxMxW, slope_LxMxW)


def rescale(delta: Array, exponent: Array) -> tuple[Array, Array]:
    """Move δ's magnitude into a binary exponent: (δ·2^−e, exponent + e) with max|δ|·2^−e in [½, 1).

    >>> rescale(jnp.array([6.0]), jnp.int32(0))
    (Array([0.75], dtype=float32), Array(3, dtype=int32))
    """
    _, shift = jnp.frexp(jnp.max(jnp.abs(delta)))
    half = shift // 2  # 2^−e itself may be beyond float32, its two halves are not
    one = jnp.ones((), delta.dtype)
    return delta * jnp.ldexp(one, -half) * jnp.ldexp(one, half - shift), exponent + shift


def death_observer(
    flat: Callable[..., Array], fixed: Mapping[str, Array], rows: int
) -> Callable[[Array, Mapping[str, Array]], tuple[Array, Array]]:
    """Observe which units lie in the activation's flat set on all of the first ``rows`` rows, and whether z is finite.

    Args:
        flat: the activation's predicate, ``flat(z, **parameters)``: where it is constant by definition.
        fixed: activation parameters that are not learned.
        rows: the training rows, on which death is judged; other splits may follow.

    >>> observe = death_observer(lambda z: z <= 0, {}, rows=2)
    >>> observe(jnp.array([[-1.0, 2.0], [-3.0, -4.0], [5.0, 5.0]]), {})
    (Array([ True, False], dtype=bool), Array(True, dtype=bool))
    """

    def observe(z_NxW: Array, learned: Mapping[str, Array]) -> tuple[Array, Array]:
        z_NxW = z_NxW[:rows]
        return jnp.all(flat(z_NxW, **fixed, **learned), axis=0), all_finite(z_NxW)

    return observe


def death_record(
    dead_LxW: Array, finite_L: Array, born_LxW: Array, ever_LxW: Array, is_first: Array, dtype: jnp.dtype
) -> tuple[dict[str, Array], Array, Array, Array]:
    """Fractions of units born dead, died, revived and ever dead, and the masks to carry on.

    Args:
        dead_LxW: dead now, on the whole training split.
        finite_L: whether all of a layer's z are finite; the fractions are NaN where not.
        born_LxW, ever_LxW: masks of units dead at step 0, and dead at any earlier evaluation.
        is_first: whether this is the evaluation at step 0.
        dtype: of the fractions.

    Returns:
        {name in ``DEATH``: [L]}; ``network_dead`` (1 where some hidden layer is wholly dead, NaN if any z is not
        finite); and the new masks.
    """
    born_LxW = jnp.where(is_first, dead_LxW, born_LxW)
    earlier_LxW = jnp.where(is_first, False, ever_LxW)
    ever_LxW = earlier_LxW | dead_LxW
    masks = {
        "dead_fraction": dead_LxW,
        "born_dead_fraction": born_LxW,
        "died_fraction": dead_LxW & ~born_LxW,
        "revived_fraction": earlier_LxW & ~dead_LxW,
        "ever_dead_fraction": ever_LxW,
    }
    fractions = {
        name: jnp.where(finite_L, jnp.mean(mask.astype(dtype), axis=1), jnp.nan) for name, mask in masks.items()
    }
    some_layer = jnp.any(jnp.all(dead_LxW, axis=1)).astype(dtype)
    return fractions, jnp.where(jnp.all(finite_L), some_layer, jnp.nan), born_LxW, ever_LxW
