"""Measures of one layer on fixed rows: probes, norms of gradients, and unit death.

A probe is a function of one hidden layer's values, named as its arguments: ``z_MxW`` (pre-activations of M probe rows),
``h_MxW`` (what the layer passes on), ``u_MxW`` (φ's own argument: z, or what a normalisation makes of it),
``slope_MxW`` (φ'(u)), and the thresholds ``weak_threshold``, ``saturation_low``, ``saturation_high``. What it is,
whether it is a default and what it costs stands in its record in ``actlab.measures``, which names it. Where any z of a
layer is not finite, all its probes are NaN.
"""

import inspect
import logging
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import Array

from actlab import sources
from actlab.measures import MEASURES, named
from actlab.nn.walk import weight_gradient

log = logging.getLogger("actlab.probes")

# Below this share of the layer's mean a unit counts as dormant (Sokar et al. 2023) or constant.
DORMANT = 0.025
# Above this correlation a unit duplicates another.
DUPLICATE = 0.99
# Within so many ulps a unit's φ is one number.
SAME = 64


def scaled(values: Array) -> Array:
    """Divide values by the largest magnitude, so that their squares leave float32 neither below nor above.

    >>> scaled(jnp.array([1e-30, -2e-30])), scaled(jnp.zeros(1))
    (Array([ 0.5, -1. ], dtype=float32), Array([0.], dtype=float32))
    """
    largest = jnp.max(jnp.abs(values))
    return values / jnp.where(largest > 0, largest, 1.0)


def brought_down(values: Array) -> tuple[Array, Array]:
    """Divide values by the power of two that brings the largest magnitude below 2, if it is above; return that, too.

    A sum over many rows and units leaves float32 long before its mean does: 65,536 squares of 1e17. A power of two
    changes no digit.

    >>> brought_down(jnp.array([6.0, -1.0]))
    (Array([ 1.5 , -0.25], dtype=float32), Array(4., dtype=float32))
    """
    _, exponent = jnp.frexp(jnp.max(jnp.abs(values)))
    power = jnp.ldexp(jnp.ones((), values.dtype), jnp.maximum(exponent - 1, 0))
    return values / power, power


def centred(h_MxW: Array) -> Array:
    """Subtract h's mean over rows, exactly zero where rows are equal: a deep sigmoid network makes them so.

    The mean of equal numbers is not their value in floating point, and what is left would look like a spread; the
    difference to the first row is exact.

    >>> centred(jnp.full((3, 1), 0.1)).ravel()
    Array([0., 0., 0.], dtype=float32)
    """
    shifted = h_MxW - h_MxW[:1]
    return shifted - jnp.mean(shifted, axis=0, keepdims=True)


def weak_fraction(slope_MxW: Array, weak_threshold: Array) -> Array:
    """Share of units with max over rows of |φ'(u)| ≤ .05·√E φ'(Z)², Z standard normal (the threshold is passed in).

    The same question as death, for activations that are nowhere exactly flat.
    """
    return jnp.mean(jnp.max(jnp.abs(slope_MxW), axis=0) <= weak_threshold, dtype=slope_MxW.dtype)


def saturated_low(u_MxW: Array, saturation_low: Array) -> Array:
    """Share of (unit, row) at or below the lower point beyond which |φ'| stays weak (−∞: never)."""
    return jnp.mean(u_MxW <= saturation_low, dtype=u_MxW.dtype)


def saturated_high(u_MxW: Array, saturation_high: Array) -> Array:
    """Share of (unit, row) at or above the upper point beyond which |φ'| stays weak (∞: never)."""
    return jnp.mean(u_MxW >= saturation_high, dtype=u_MxW.dtype)


def dormant_fraction(h_MxW: Array) -> Array:
    """Share of units with mean|h_j| ≤ τ·(mean over units of mean|h|), τ = .025; an all-zero layer is wholly dormant.

    Reference: Sokar et al. 2023, arXiv:2302.12902.
    """
    size_W = jnp.mean(jnp.abs(h_MxW), axis=0)
    return jnp.mean(size_W <= DORMANT * jnp.mean(size_W), dtype=h_MxW.dtype)


def constant_fraction(h_MxW: Array) -> Array:
    """Share of units whose standard deviation over rows is at most τ = .025 of the layer's mean standard deviation."""
    std_W = jnp.sqrt(jnp.mean(scaled(centred(h_MxW)) ** 2, axis=0))
    return jnp.mean(std_W <= DORMANT * jnp.mean(std_W), dtype=h_MxW.dtype)


def act_mean(h_MxW: Array) -> Array:
    """Mean of h over units and rows."""
    h_MxW, power = brought_down(h_MxW)
    return jnp.mean(h_MxW) * power


def act_var(h_MxW: Array) -> Array:
    """Variance of h over units and rows, pooled."""
    h_MxW, power = brought_down(h_MxW)
    return jnp.var(h_MxW) * power * power


def act_var_within(h_MxW: Array) -> Array:
    """Variance of h over rows for each unit, then averaged: pooled variance hides a collapse to constant units."""
    h_MxW, power = brought_down(h_MxW)
    return jnp.mean(centred(h_MxW) ** 2) * power * power


def preact_second_moment(z_MxW: Array) -> Array:
    """Mean z² over units and rows."""
    z_MxW, power = brought_down(z_MxW)
    return jnp.mean(z_MxW**2) * power * power


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
    singular = jnp.linalg.svd(centred(h_MxW), full_matrices=False, compute_uv=False)
    total = jnp.sum(singular)
    p = singular / jnp.where(total > 0, total, 1.0)
    entropy = -jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0))
    return jnp.where(total > 0, jnp.exp(entropy), 0.0)


def stable_rank(h_MxW: Array) -> Array:
    """‖h‖_F² / ‖h‖₂²; 0 for an all-zero layer.

    Reference: Rudelson & Vershynin 2007, J. ACM 54(4).
    """
    return jnp.sum(scaled(jnp.linalg.svd(h_MxW, full_matrices=False, compute_uv=False)) ** 2)


Probe = Callable[..., Array]
GRADIENTS, DEATH = named("gradients"), named("death")
PROBES: dict[str, Probe] = {name: globals()[str(MEASURES[name].function)] for name in named("activations")}


def measure_layer(
    names: tuple[str, ...],
    z_MxW: Array,
    h_MxW: Array,
    u_MxW: Array,
    slope_MxW: Array,
    thresholds: Mapping[str, Array],
    own: Mapping[str, Probe] | None = None,
    report: Callable[[str, str], None] | None = None,
) -> dict[str, Array]:
    """Evaluate the named probes on one layer.

    Args:
        names: of measures: keys of ``PROBES``, or of ``own``.
        z_MxW, h_MxW, u_MxW, slope_MxW: z, h, φ's argument u and φ'(u) of the M probe rows.
        thresholds: ``weak_threshold``, ``saturation_low``, ``saturation_high``.
        own: the user's measures. One that cannot be evaluated is NaN: it ends no run.
        report: called with the name and the reason of each such measure, while the program is traced; by default a
            warning in the log.

    Returns:
        {name: scalar}, NaN where a z is not finite.

    >>> z = jnp.array([[-1.0, 2.0], [3.0, -4.0]])
    >>> measure_layer(("preact_second_moment",), z, jnp.tanh(z), z, 1 - jnp.tanh(z) ** 2, {})
    {'preact_second_moment': Array(7.5, dtype=float32)}
    """
    values = {"z_MxW": z_MxW, "h_MxW": h_MxW, "u_MxW": u_MxW, "slope_MxW": slope_MxW, **thresholds}
    finite = all_finite(z_MxW)

    def value(result: Array) -> Array:
        return jnp.where(finite, result.astype(z_MxW.dtype), jnp.nan)

    measured = {}
    for name in names:
        if name in PROBES:
            measured[name] = value(evaluate(PROBES[name], values))
        else:
            result, reason = evaluate_own((own or {})[name], values)
            measured[name] = value(result)
            if reason:
                (report or warn)(name, reason)
    return measured


def evaluate(probe: Probe, values: Mapping[str, Array]) -> Array:
    """Evaluate a probe of those values that its arguments name.

    >>> evaluate(act_mean, {"h_MxW": jnp.ones((2, 3)), "z_MxW": jnp.zeros((2, 3))})
    Array(1., dtype=float32)
    """
    return probe(**{name: values[name] for name in inspect.signature(probe).parameters})


def evaluate_own(probe: Probe, values: Mapping[str, Array]) -> tuple[Array, str]:
    """Evaluate a user's probe: its value and the empty string, or NaN and the reason where it cannot be had.

    >>> evaluate_own(lambda z_MxW: z_MxW.max(axis=0), {"z_MxW": jnp.zeros((2, 3))})
    (Array(nan, dtype=float32, weak_type=True), 'gives float32 of shape (3,); expected one real number per layer')
    """
    missing = jnp.full((), jnp.nan)
    try:
        result = jnp.asarray(evaluate(probe, values))
    except Exception as error:
        return missing, f"{type(error).__name__}: {sources.first_line(error)}"
    if result.shape != () or jnp.iscomplexobj(result):
        return missing, f"gives {result.dtype} of shape {result.shape}; expected one real number per layer"
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


def signal_norm(rows: int, delta_MxW: Array) -> Array:
    """√(Σ δ² / M): the root mean square over rows of ‖∂ℓ_x/∂z‖, δ of each row's own loss.

    >>> signal_norm(1, jnp.array([[3.0, 4.0]]))
    Array(5., dtype=float32)
    """
    return jnp.max(jnp.abs(delta_MxW)) * jnp.linalg.norm(scaled(delta_MxW)) / rows**0.5


def log2_median_norm(delta_MxW: Array, exponents_M: Array, exponent: Array) -> Array:
    """log2 of the median over rows of ‖∂ℓ_x/∂z‖, less an exponent: the median row's signal, however small it is.

    The root mean square over rows is that of the rows with the largest norms: few rows may carry it where most vanish.
    Of an even number of rows it is the mean of the two logs in the middle. −∞ where half of the rows have no signal.

    Args:
        delta_MxW: each row's δ but for a power of two.
        exponents_M: these powers.
        exponent: what to leave out: that of all rows together (see ``walk.in_one_scale``), lest float32 round.

    >>> float(log2_median_norm(jnp.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]]), jnp.array([0, -2000, 0]), 0))
    -2000.0
    """
    relative_M = (exponents_M - exponent).astype(delta_MxW.dtype)
    ordered_M = jnp.sort(jnp.log2(jnp.linalg.norm(delta_MxW, axis=1)) + relative_M)
    rows = ordered_M.shape[0]
    return (ordered_M[(rows - 1) // 2] + ordered_M[rows // 2]) / 2


def weight_norm(rows: int, h_MxI: Array, delta_MxO: Array) -> Array:
    """‖hᵀδ‖_F / M: of the mean loss's gradient in the weights. As large or small as h, its squares may leave float32.

    >>> weight_norm(1, jnp.array([[2.0]]), jnp.array([[3.0, 4.0]]))
    Array(10., dtype=float32)
    """
    gradient = weight_gradient(h_MxI, delta_MxO)
    return jnp.max(jnp.abs(gradient)) * jnp.linalg.norm(scaled(gradient)) / rows


def same(low: Array, high: Array) -> Array:
    """Whether the least and the greatest of a flat unit's φ are one number, but for the rounding of its formula.

    Flat pieces are told apart by their height: two that are equally high leave a unit constant all the same.

    >>> same(jnp.array([1.0, -1.0]), jnp.array([1.0, 1.0]))
    Array([ True, False], dtype=bool)
    """
    size = jnp.maximum(jnp.abs(low), jnp.abs(high))
    return high - low <= SAME * float(jnp.finfo(size.dtype).eps) * size


def death_record(
    dead_LxW: Array,
    finite_L: Array,
    masks: Mapping[str, Array],
    is_first: Array,
    dtype: jnp.dtype,
    *,
    flat_LxW: Array | None = None,
) -> tuple[dict[str, Array], Array, dict[str, Array]]:
    """Compute the fractions of units dead, without gradient, born dead, died, revived and ever dead; masks to carry on.

    Args:
        dead_LxW: dead now, on the whole training split: all rows on one and the same flat piece; there may be an axis
            of runs between L and W.
        finite_L: whether all of a layer's z are finite; the fractions are NaN where not.
        masks: {dead_at_init, ever_dead}: units dead at step 0, and dead at any earlier evaluation.
        is_first: 1 at the evaluation at step 0, else 0.
        dtype: of the fractions.
        flat_LxW: units whose rows all lie on some flat piece; by default the dead ones, as where there is one piece.

    Returns:
        {name in ``DEATH``: [L]}; ``network_dead`` (1 where some hidden layer is wholly dead, NaN if any z is not
        finite); and the new masks.
    """
    at_init_LxW = jnp.where(is_first == 1, dead_LxW, masks["dead_at_init"])
    earlier_LxW = jnp.where(is_first == 1, False, masks["ever_dead"])
    ever_dead_LxW = earlier_LxW | dead_LxW
    by_name = {
        "dead_fraction": dead_LxW,
        "no_gradient_fraction": dead_LxW if flat_LxW is None else flat_LxW,
        "born_dead_fraction": at_init_LxW,
        "died_fraction": dead_LxW & ~at_init_LxW,
        "revived_fraction": earlier_LxW & ~dead_LxW,
        "ever_dead_fraction": ever_dead_LxW,
    }
    fractions = {
        name: jnp.where(finite_L, jnp.mean(mask.astype(dtype), axis=-1), jnp.nan) for name, mask in by_name.items()
    }
    some_layer = jnp.any(jnp.all(dead_LxW, axis=-1), axis=0).astype(dtype)
    network_dead = jnp.where(jnp.all(finite_L, axis=0), some_layer, jnp.nan)
    return fractions, network_dead, {"dead_at_init": at_init_LxW, "ever_dead": ever_dead_LxW}
