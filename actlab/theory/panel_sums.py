"""Sums over panels under normal densities: a function's moments for many variances at once, or why there are none."""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from actlab.activations.inspect import evaluate
from actlab.later import jax
from actlab.theory import panels
from actlab.theory.errors import TheoryError

Function = Callable[[Any], Any]

NEGLIGIBLE = 1e-10  # share of an integral that may lie where it is cut off
MOST_ERROR = 1e-4  # share of an integral; one that is known less well is taken for infinite
NOTHING = 1e-60  # of an expectation: the square of 1e-30, of which float32 has nothing
AT_ONCE = 1 << 21  # values of a density in memory
LEAST_Q, LARGEST_Q = (
    2.0**-100,
    2.0**100,
)  # variances that panels resolve functions of size 1 for; beyond, all underflows
SHOWS = 1e-6  # share of E Zφφ'; jumps that add less are left out
SURE = 100.0  # errors: what two ways to compute a number differ by is then no error


def raw_moments(phi: Function, q_Q: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Compute moments at several variances, each with its own reason where it has none.

    Args:
        phi: the activation with its parameters filled in.
        q_Q: variances [Q], positive.

    Returns:
        E φ, E φ², E φ', E φ'², E Zφφ' at √q·Z [5, Q], errors [Q], and {index of a variance: why it has none}.

    Raises:
        TheoryError: a variance is not a positive number; φ is no function of one number.

    >>> values, _, reasons = raw_moments(abs, np.array([1.0, 4.0]))
    >>> values[1].round(12).tolist(), reasons
    ([1.0, 4.0], {})
    """
    function, parameters = parts(phi)
    if q_Q.ndim != 1:
        raise TheoryError(f"expected variances in one row [Q], not an array of shape {q_Q.shape}")
    for q in q_Q:
        require_variance(float(q))
    values_5xQ, errors_5xQ, reasons = integrals(partial(panels_of, function, parameters), q_Q)
    values_5xQ[4] /= np.sqrt(q_Q)
    by_parts_Q, error_Q = by_parts(function, parameters, q_Q, values_5xQ[1], errors_5xQ[1])
    both_Q = errors_5xQ[4] / np.sqrt(q_Q) + error_Q
    least_Q = np.maximum(SURE * both_Q, SHOWS * np.abs(values_5xQ[4]))
    jumps_Q = np.abs(by_parts_Q - values_5xQ[4]) > np.maximum(least_Q, NOTHING)
    values_5xQ[4] = np.where(jumps_Q, by_parts_Q, values_5xQ[4])
    errors_5xQ[4] = np.where(jumps_Q, error_Q, errors_5xQ[4])
    return values_5xQ, errors_5xQ.max(axis=0, initial=0.0), reasons


def by_parts(
    function: Function,
    parameters: tuple[tuple[str, Any], ...],
    q_Q: np.ndarray,
    square_Q: np.ndarray,
    off_Q: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute E Z·φ·φ' = E[(Z² − 1)·φ²] / 2√q without φ', which is 0 beside a jump and misses the jump.

    Args:
        function, parameters: φ.
        q_Q: variances [Q].
        square_Q, off_Q: E φ² at each, and by how much it may be off.

    Returns:
        E Zφφ' [Q], and by how much it may be off [Q].

    Raises:
        TheoryError: see ``components_of``.

    >>> value, _ = by_parts(abs, (), np.array([4.0]), np.array([4.0]), np.array([0.0]))
    >>> value.round(12).tolist()
    [2.0]
    """
    (of_z_Q,), (of_z_off_Q,), _ = integrals(partial(weighted_square, function, parameters), q_Q)
    off_Q = off_Q + of_z_off_Q / q_Q + np.finfo(float).eps * square_Q
    return (of_z_Q / q_Q - square_Q) / (2.0 * np.sqrt(q_Q)), off_Q / (2.0 * np.sqrt(q_Q))


@lru_cache(maxsize=64)
def weighted_square(function: Function, parameters: tuple[tuple[str, Any], ...], k: int) -> panels.Panels:
    """Return z²·φ² on the panels of φ.

    Raises:
        TheoryError: see ``components_of``.
    """
    here = panels_of(function, parameters, k)
    of_square = slice(1, 2)
    square_N = here.z_N**2
    return panels.Panels(
        here.z_N, here.f_KxN[of_square] * square_N, here.error_KxN[of_square] * square_N, here.finite_to
    )


def integrals(
    panels_to: Callable[[int], panels.Panels], variance_Q: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """Sum over panels under normal densities, a density at a time.

    Args:
        panels_to: k -> panels of K functions within |z| < 2^k, cut into rings as by ``panels_of``.
        variance_Q: variances [Q], positive.

    Returns:
        Values [K, Q], errors [K, Q], and {index of a variance: why there is no value}.

    Raises:
        TheoryError: see ``components_of``.

    >>> values, _, reasons = integrals(partial(panels_of, abs, ()), np.array([4.0]))  # of φ, φ², φ', φ'², zφφ'
    >>> (values[:, 0].round(9) + 0.0).tolist(), reasons
    ([1.595769122, 4.0, 0.0, 1.0, 4.0], {})
    """
    reach_Q = np.array([panels.outermost(q) for q in variance_Q], int)
    count = len(panels_to(int(reach_Q[0]) if len(reach_Q) else panels.outermost(1.0)).f_KxN)
    values_KxQ, errors_KxQ = np.full((count, len(reach_Q)), np.nan), np.full((count, len(reach_Q)), np.nan)
    reasons: dict[int, str] = {}
    for k in np.unique(reach_Q):
        here = panels_to(int(k))
        outer_N = np.abs(here.z_N) > 0.875 * min(2.0**k, here.finite_to)
        at = np.flatnonzero(reach_Q == k)
        for some in np.array_split(at, math.ceil(len(at) * len(here.z_N) / AT_ONCE)):
            density_QxN = panels.density(here.z_N, variance_Q[some])
            values_KxQ[:, some] = here.f_KxN @ density_QxN.T
            size_KxQ = here.size_KxN @ density_QxN.T
            errors_KxQ[:, some] = here.error_KxN @ density_QxN.T + np.finfo(float).eps * size_KxQ
            cut_KxQ = here.size_KxN[:, outer_N] @ density_QxN[:, outer_N].T
            for column, index in enumerate(some):
                reasons |= (
                    {index: why}
                    if (
                        why := reason(
                            float(variance_Q[index]),
                            here.finite_to,
                            size_KxQ[:, column],
                            cut_KxQ[:, column],
                            errors_KxQ[:, index],
                        )
                    )
                    else {}
                )
    return values_KxQ, errors_KxQ, dict(sorted(reasons.items()))


def reason(q: float, finite_to: float, size_K: np.ndarray, cut_K: np.ndarray, error_K: np.ndarray) -> str:
    """Say why expectations at a variance have no finite value; nothing if they have.

    Args:
        q: the variance.
        finite_to: |z| from where a function is no finite number.
        size_K, cut_K, error_K: of each integral, that of |f|, what of it lies next to the cut, and its error.

    Returns:
        The reason, or the empty string.

    >>> reason(1.0, math.inf, np.array([1.0]), np.array([0.5]), np.array([0.0]))
    'no finite Gaussian moment ... variance 1: the function grows faster than the normal density falls'
    """
    at = f"for a normal pre-activation of variance {q:.4g}"
    if finite_to < panels.LEAST_REACH * math.sqrt(q):
        return (
            f"no Gaussian moment {at}: the function or its derivative is not a finite number at |z| ≈ {finite_to:.3g}"
        )
    # Of a function that is 0 about 0 all of a small variance's integral lies far out, and is next to nothing.
    if not (cut_K <= np.maximum(NEGLIGIBLE * size_K, NOTHING)).all():
        return f"no finite Gaussian moment {at}: the function grows faster than the normal density falls"
    if not (error_K <= np.maximum(MOST_ERROR * size_K, NOTHING)).all():
        return f"no finite Gaussian moment {at}: its integral does not converge (a pole, or a very rough function)"
    return ""


def require_variance(q: float) -> None:
    """Refuse what is no variance.

    Args:
        q: the number.

    Raises:
        TheoryError: it is not a positive, finite number, or so small or large that floating-point numbers fail.

    >>> require_variance(0.0)
    Traceback (most recent call last):
    actlab.theory.errors.TheoryError: expected a positive, finite variance, not 0
    """
    if not 0.0 < q < math.inf:
        raise TheoryError(f"expected a positive, finite variance, not {q:.4g}")
    if not LEAST_Q <= q <= LARGEST_Q:
        raise TheoryError(f"expected a variance from {LEAST_Q:.2g} to {LARGEST_Q:.2g}, not {q:.4g}: moments underflow")


def parts(phi: Function) -> tuple[Function, tuple[tuple[str, Any], ...]]:
    """Take a partial function apart: two of one function and the same parameters are then the same.

    >>> parts(partial(round, ndigits=2)), parts(abs)
    ((<built-in function round>, (('ndigits', 2),)), (<built-in function abs>, ()))
    """
    if isinstance(phi, partial) and not phi.args:
        return phi.func, tuple(sorted(phi.keywords.items()))
    return phi, ()


@lru_cache(maxsize=64)
def panels_of(function: Function, parameters: tuple[tuple[str, Any], ...], k: int) -> panels.Panels:
    """Resolve φ and φ' within |z| < 2^k.

    Raises:
        TheoryError: see ``components_of``.
    """
    core = panels.innermost(k)
    rings = [ring_of(function, parameters, ring) for ring in range(k, core, -1)]
    return panels.joined([*rings, panels.core(components_of(function, parameters), core)])


@lru_cache(maxsize=2048)
def ring_of(function: Function, parameters: tuple[tuple[str, Any], ...], k: int) -> panels.Panels:
    """Resolve φ and φ' in one ring.

    Raises:
        TheoryError: see ``components_of``.
    """
    return panels.ring(components_of(function, parameters), k)


@lru_cache(maxsize=256)
def components_of(function: Function, parameters: tuple[tuple[str, Any], ...]) -> panels.Components:
    """Return z ↦ (φ, φ², φ', φ'², z·φ·φ').

    Args:
        function: φ.
        parameters: (name, value) of each of its parameters.

    Returns:
        The function, [N] -> [5, N] in float64.

    Raises:
        TheoryError: φ is no elementwise function of one number, or JAX cannot differentiate it.

    >>> components_of(abs, ())(np.array([-3.0])).tolist()
    [[3.0], [9.0], [-1.0], [1.0], [9.0]]
    """
    phi = partial(function, **dict(parameters))
    require_elementwise(phi)

    def components(z_N: np.ndarray) -> np.ndarray:
        value, slope = evaluate(phi, z_N)
        return np.stack([value, value**2, slope, slope**2, z_N * value * slope])

    return components


def require_elementwise(phi: Function) -> None:
    """Refuse what is no function of one number, applied to each by itself.

    Args:
        phi: the activation with its parameters filled in.

    Raises:
        TheoryError: it fails, returns another shape, or its value at a point depends on other points.

    >>> require_elementwise(lambda z: z - z.mean())
    Traceback (most recent call last):
    actlab.theory.errors.TheoryError: theory needs ... φ(z): this one's value at a unit depends on other units
    """
    z_N = np.linspace(-2.0, 2.0, 8)
    try:
        here, among_others = evaluate(phi, z_N), evaluate(phi, np.concatenate([z_N[::-1], [3.0]]))
    except Exception as error:
        reason = (
            other_than_real(phi)
            or f"theory needs a scalar function φ(z) that JAX can differentiate: {first_line(error)}"
        )
        raise TheoryError(reason) from error
    if np.iscomplexobj(here):
        raise TheoryError(other_than_real(phi))
    if here.shape != (2, 8) or not np.allclose(here, among_others[:, 7::-1], rtol=1e-9, atol=1e-12, equal_nan=True):
        raise TheoryError("theory needs a scalar function φ(z): this one's value at a unit depends on other units")


def other_than_real(phi: Function) -> str:
    """Say what a function returns in place of real floating-point numbers; nothing if it does return those.

    >>> other_than_real(lambda z: z > 0)
    'theory needs a scalar function φ(z) of floating-point numbers: this one returns bool'
    """
    try:
        with jax.enable_x64(True):
            kind = jax.eval_shape(lambda z: phi(z), jax.ShapeDtypeStruct((8,), np.float64)).dtype
    except Exception:
        return ""
    if np.issubdtype(kind, np.floating):
        return ""
    return f"theory needs a scalar function φ(z) of floating-point numbers: this one returns {kind}"


def first_line(error: Exception) -> str:
    """Return what an error says before it explains itself.

    >>> first_line(ValueError("too many indices\\nSee https://…"))
    'too many indices'
    """
    return next(iter(str(error).splitlines()), type(error).__name__)


def homogeneous(phi: Function) -> bool:
    """Whether φ(λz) = λφ(z) for every λ > 0: one slope to the left of 0, one to its right.

    Args:
        phi: the activation with its parameters filled in.

    Returns:
        Whether it is so from |z| = 2^−8 to 2^9, to rounding.

    Raises:
        TheoryError: it is no function of one number.

    >>> from actlab.later import jnp
    >>> homogeneous(jnp.abs), homogeneous(jnp.tanh)
    (True, False)
    """
    require_elementwise(phi)
    z = np.outer([-1.0, 1.0], 2.0 ** np.arange(-8.0, 9.0, 0.37))
    slopes = evaluate(phi, z.ravel())[0].reshape(z.shape) / z
    if not np.isfinite(slopes).all():
        return False
    return bool((np.ptp(slopes, axis=1) <= 1e-12 * np.abs(slopes).max()).all())
