"""What theory predicts of a network at initialisation, layer by layer, from its data, initialiser and depth.

Each probe row's own second moment and each pair's own correlation are propagated (``kernels``), and then pooled exactly
as the measures pool. Everything holds at step 0, without normalisation, residual connections or dropout.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from actlab.theory.backward import Signals, backward
from actlab.theory.bounds import MOST_DEPTH_PER_WIDTH, MOST_ROWS, too_deep
from actlab.theory.chains import Parameters
from actlab.theory.dead_units import dead_units, has_flat_piece
from actlab.theory.jacobian import NORMAL
from actlab.theory.kernels import Layer, correlations, propagate
from actlab.theory.of_jacobians import RELATIVE_ERROR, WIDE, of_partial_norms, of_singular_values
from actlab.theory.series import off_diagonal_mean
from actlab.theory.spreads import (
    Pooled,
    Units,
    noise_of,
    representative,
    sample_units,
    signal_covariance,
    weight_covariance,
)

ONE_ROW = "infinite width; of one row's logarithm, first order in 1/width"
MANY_INPUTS = " and many inputs; spread of Gaussian weights"
SPREAD_OF = {
    "orthogonal": "; spread of Gaussian weights, orthogonal ones vary less",
    "uniform": MANY_INPUTS,
    "truncated_normal": MANY_INPUTS,
    "normalized_columns": MANY_INPUTS,
}
"""What is said of the spread of weights that are no independent Gaussians: orthogonal ones keep norms, which then
do not vary; of the others the fourth moment enters where inputs are few. How much networks show: docs/theory.md."""
AS_GAUSSIAN = "; uniform biases taken for Gaussian"
"""Where z is hardly more than its bias that is not so: tanhshrink's E φ'², that of z⁴ near 0, is 3/5 of it then."""
OVER_PAIRS = ("correlation", "preact_mean_share", "act_var_within")
LOG10_OF_SQUARE = 0.5 / math.log(10.0)
"""What makes log10 of a norm of ln of its square."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What a prediction depends on, as plain values.

    Attributes:
        phi: the activation, its parameters filled in.
        flat: where it is constant by definition, likewise; None where nowhere.
        weight_std: standard deviation of the entries of each hidden layer's weights.
        bias_mean, bias_std: of each hidden layer's biases.
        width: units of a hidden layer.
        task: ``classification`` or ``regression``.
        outputs: C, classes or targets.
        x_MxF, y_M: the probe rows, standardised, and their labels (or targets [M, C]).
        x_train_NxF: the training split, on which death is judged.
        weight_distribution: of the hidden layers' weights: ``normal``, or another with the same limit of width.
        bias_distribution: of their biases, ``constant`` where they have no spread.
    """

    phi: Callable[[Any], Any]
    flat: Callable[[Any], Any] | None
    weight_std: tuple[float, ...]
    bias_mean: tuple[float, ...]
    bias_std: tuple[float, ...]
    width: int
    task: str
    outputs: int
    x_MxF: np.ndarray
    y_M: np.ndarray
    x_train_NxF: np.ndarray
    weight_distribution: str = NORMAL
    bias_distribution: str = NORMAL


@dataclass(frozen=True)
class Prediction:
    """One number that theory predicts.

    Attributes:
        measure: the column that it is a prediction of.
        layer: the hidden layer, from 1; 0 of the whole network.
        value: what an infinitely wide network has, in the measure's unit.
        numerical_error: of that value's computation, likewise.
        spread: the standard deviation of one network of this width about it, to first order in 1/width.
        assumption: under which it holds.
    """

    measure: str
    layer: int
    value: float
    numerical_error: float
    spread: float
    assumption: str


def outside(setting: Setting) -> str:
    """Say why theory predicts nothing of a setting.

    Args:
        setting: the network and its data.

    Returns:
        The reason: too deep for its width, data that are not finite, a single row, or a layer whose moments are not
        finite or have no variance; the empty string where theory predicts something.

    Raises:
        TheoryError: φ is no function of one number.

    >>> from actlab.later import jnp
    >>> x, nine = np.eye(4), (0.1,) * 9
    >>> outside(Setting(jnp.tanh, None, nine, nine, nine, 10, "classification", 2, x, np.zeros(4), x))
    'depth/width is 0.9; theory is drawn up to 0.5'
    """
    depth, rows = len(setting.weight_std), len(setting.x_MxF)
    if too_deep(depth, setting.width):
        return f"depth/width is {depth / setting.width:.2g}; theory is drawn up to {MOST_DEPTH_PER_WIDTH:g}"
    if not (np.isfinite(setting.x_MxF).all() and np.isfinite(setting.x_train_NxF).all()):
        return "the data are not finite"
    if rows < 2:
        return "there is one probe row, and no pair of rows"
    return next((one for one in layers_of(setting) if isinstance(one, str)), "")


def layers_of(setting: Setting) -> list[Layer | str]:
    """Propagate the probe rows of a setting: what they are in each hidden layer, or why that is not known.

    Raises:
        TheoryError: see ``propagate``.
    """
    return propagate(setting.phi, probed(setting)[0], parameters_of(setting))


def probed(setting: Setting) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take the first ``MOST_ROWS`` probe rows, those that stand for all before the others; see ``representative``.

    Returns:
        The rows [M, F], their labels or targets [M] or [M, C], and how many rows each of the first ones stands for [R].
    """
    x_MxF = setting.x_MxF[:MOST_ROWS]
    order_M, counts_R = representative(x_MxF)
    return x_MxF[order_M], setting.y_M[:MOST_ROWS][order_M], counts_R


def parameters_of(setting: Setting) -> list[Parameters]:
    """List what the layers' weights and biases are drawn with.

    They are rounded, so that networks of several widths have the same.

    Returns:
        σ_w² = fan-in · variance of a weight, the biases' mean and their standard deviation, of each hidden layer.

    >>> x = np.eye(4)
    >>> two = Setting(abs, None, (0.5, 0.2), (0.0, 0.0), (0.1, 0.1), 100, "classification", 2, x, np.zeros(4), x)
    >>> parameters_of(two)
    [(1.0, 0.0, 0.1), (4.0, 0.0, 0.1)]
    """
    fan_in = (setting.x_MxF.shape[1], *[setting.width] * (len(setting.weight_std) - 1))
    of_weights = (float(f"{std**2 * n:.12g}") for std, n in zip(setting.weight_std, fan_in, strict=True))
    return list(zip(of_weights, setting.bias_mean, setting.bias_std, strict=True))


def predict(setting: Setting) -> list[Prediction]:
    """Predict every measure that theory reaches, layer by layer, at step 0.

    Args:
        setting: the network and its data.

    Returns:
        The predictions, with numerical errors and the spread of networks of that width; none where ``outside`` names a
        reason.

    Raises:
        TheoryError: φ is no function of one number; or a layer's weights are all 0 (see ``predict_jacobian``).

    >>> from actlab.later import jnp
    >>> x, y = 2.0 * np.eye(4), np.array([0, 1, 0, 1])
    >>> setting = Setting(jnp.abs, None, (1.0,), (0.0,), (0.0,), 10, "classification", 2, x, y, x)
    >>> {one.measure: round(one.value, 6) for one in predict(setting)}["preact_second_moment"]
    4.0

    Reference: Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232; Hanin & Nica 2020,
    arXiv:1812.05994 (spreads of order depth/width).
    """
    if outside(setting):
        return []
    x_MxF, y_M, counts_R = probed(setting)
    layers = [one for one in layers_of(setting) if isinstance(one, Layer)]
    units = [sample_units(setting.phi, layer, l) for l, layer in enumerate(layers)]
    predictions = [*of_activations(layers, units, setting.width, counts_R), *of_death(setting)]
    if all(np.all(layer.slope_second_moment_M > 0) for layer in layers):
        signals = backward(layers, x_MxF, y_M, setting.task, setting.outputs, setting.width)
        predictions += of_gradients(layers, units, signals, x_MxF, counts_R, setting.width)
        predictions += [Prediction(*one) for one in of_partial_norms(layers, units, setting.width, setting.outputs)]
    more = SPREAD_OF.get(setting.weight_distribution, "")
    if setting.bias_distribution == "uniform" and any(setting.bias_std):
        more += AS_GAUSSIAN
    predictions = [replace(one, assumption=one.assumption + more) for one in predictions]
    return predictions + [Prediction(*one) for one in of_singular_values(setting)]


def of_death(setting: Setting) -> Iterator[Prediction]:
    """Count units that are flat on all training rows; nothing of a function that has no flat piece.

    Of N units a share p has the spread √(p(1 − p)/N).

    Yields:
        ``dead_fraction``, ``no_gradient_fraction`` and ``born_dead_fraction``, layer by layer.

    Raises:
        TheoryError: see ``dead_units``.
    """
    if setting.flat is None or not has_flat_piece(setting.flat):
        return
    parameters = parameters_of(setting)
    for l, one in enumerate(dead_units(setting.phi, setting.flat, setting.x_train_NxF, parameters), 1):
        if isinstance(one, str):
            return
        for name, share in (
            ("dead_fraction", one.dead),
            ("no_gradient_fraction", one.no_gradient),
            ("born_dead_fraction", one.dead),
        ):
            yield Prediction(name, l, share, one.error, math.sqrt(max(share * (1 - share), 0.0) / setting.width), WIDE)


def of_activations(
    layers: Sequence[Layer], units: Sequence[Units], width: int, counts_R: np.ndarray
) -> Iterator[Prediction]:
    """Pool what the rows are in each layer as the measures of activations do.

    Args:
        layers, units: of the network.
        width: N, units of a layer.
        counts_R: how many rows each of the first ones stands for.

    Yields:
        Predictions, from the last layer to the first.
    """
    share_R = counts_R / counts_R.sum()
    measured = {
        (l, name): one
        for l in reversed(range(len(layers)))
        for name, one in (
            measures_of_z(l, layers[l], units[l], width, share_R) | measures_of_h(l, layers[l], units[l], share_R)
        ).items()
    }
    of_pairs_L = pair_errors(layers)
    noise_NxLxT = noise_of(layers, units, [pooled for _, pooled in measured.values()], share_R)
    spread_N = np.sqrt(np.sum(np.var(noise_NxLxT, axis=2), axis=1) / width)
    for ((l, name), (value, _)), spread in zip(measured.items(), spread_N, strict=True):
        if name == "preact_mean_share":  # what is taken off it, the units' mean squared, is chi-squared of one unit
            spread = math.hypot(spread, math.sqrt(2.0) * value / width)
        scale = {"act_var_within": float(np.mean(layers[l].second_moment_M))}.get(name, 1.0)
        error = RELATIVE_ERROR * abs(value) + (scale * float(of_pairs_L[l]) if name in OVER_PAIRS else 0.0)
        yield Prediction(name, l + 1, value, error, float(spread), WIDE)


def pair_errors(layers: Sequence[Layer]) -> np.ndarray:
    """Add up how far sums over pairs may be off in the layers so far, as shares of E φ² [L]."""
    return np.cumsum([layer.H_error / float(np.mean(layer.second_moment_M)) for layer in layers])


def measures_of_z(
    l: int, layer: Layer, units: Units, width: int, share_R: np.ndarray
) -> dict[str, tuple[float, Pooled]]:
    """Pool pre-activations of layer l: {measure: (value, how it varies)}; the first rows stand for so much of all.

    E z² = mean of K_xx + m²,   share = (1 − 1/N)·mean of K_xx'/E z²,   correlation = mean cosine of x ≠ x'
    """
    C_MxM, z_MxT = layer.K_MxM + layer.mean**2, units.z_MxT
    rows, few = len(C_MxM), len(share_R)
    square, covariance = float(np.mean(np.diagonal(C_MxM))), float(np.mean(layer.K_MxM))
    share = covariance / square
    square_T, mean_T = np.mean(z_MxT**2, axis=0) - square, np.mean(z_MxT - layer.mean, axis=0)
    each_RxR, both_RxR = np.diag(share_R), np.multiply.outer(share_R, share_R)
    of_share_RxR = (both_RxR - share * each_RxR) / square

    cosine_MxM = correlations(C_MxM)
    pairs = max(rows * rows - rows, 1)
    with_others_M = np.sum(cosine_MxM, axis=1) - 1.0
    unit_MxT = z_MxT / np.sqrt(np.diagonal(C_MxM))[:, None]
    cosine_T = np.sum(unit_MxT, axis=0) ** 2 - np.sum(unit_MxT**2, axis=0) - with_others_M @ unit_MxT**2
    root_R = np.sqrt(np.diagonal(C_MxM)[:few])
    apart_RxR = both_RxR * (1.0 - np.eye(few))
    of_cosine_RxR = apart_RxR / apart_RxR.sum() / np.multiply.outer(root_R, root_R)
    of_cosine_RxR -= np.diag(np.sum(of_cosine_RxR * C_MxM[:few, :few], axis=1) / root_R**2)
    return {
        "preact_second_moment": (square, Pooled(l, square_T, of_K_RxR=each_RxR)),
        "preact_mean_share": (
            share * (1.0 - 1.0 / width),
            Pooled(l, (mean_T**2 - covariance - share * square_T) / square, of_K_RxR=of_share_RxR),
        ),
        "correlation": (off_diagonal_mean(cosine_MxM), Pooled(l, cosine_T / pairs, of_K_RxR=of_cosine_RxR)),
    }


def measures_of_h(l: int, layer: Layer, units: Units, share_R: np.ndarray) -> dict[str, tuple[float, Pooled]]:
    """Pool activations of layer l: {measure: (value, how it varies)}.

    mean = E φ,   variance = E φ² − (E φ)²,   within = E φ² − mean of H_xx',   H = E φ(u_x) φ(u_x')
    """
    h_MxT = units.h_MxT
    mean, square = float(np.mean(layer.mean_M)), float(np.mean(layer.second_moment_M))
    mean_T, square_T = np.mean(h_MxT, axis=0), np.mean(h_MxT**2, axis=0)
    each_RxR, both_RxR = np.diag(share_R), np.multiply.outer(share_R, share_R)
    of_var = Pooled(l, square_T - 2.0 * mean * mean_T, of_H_RxR=each_RxR, of_mean=-2.0 * mean)
    return {
        "act_mean": (mean, Pooled(l, mean_T, of_mean=1.0)),
        "act_var": (square - mean**2, of_var),
        "act_var_within": (
            square - float(np.mean(layer.H_MxM)),
            Pooled(l, square_T - mean_T**2, of_H_RxR=each_RxR - both_RxR),
        ),
    }


def of_gradients(
    layers: Sequence[Layer],
    units: Sequence[Units],
    signals: Signals,
    x_MxF: np.ndarray,
    counts_R: np.ndarray,
    width: int,
) -> Iterator[Prediction]:
    """Pool the signals as the measures of gradients do, and fit their slopes, per layer towards the input.

    Yields:
        log10 of the norms of each layer; from depth 3 on the slopes, of the whole network.
    """
    depth = len(layers)
    of_signal = signal_covariance(layers, units, signals, signals.signal_share_LxM, signals.signal_by_H_LxM)
    of_median = signal_covariance(layers, units, signals, signals.median_share_LxM, signals.median_by_H_LxM)
    of_weights = weight_covariance(layers, units, signals, x_MxF, counts_R)
    of_one_row_L = np.array(
        [np.mean(3.0 * layer.slope_fourth_moment_M / layer.slope_second_moment_M**2 - 1.0) for layer in layers]
    )
    below_L = -0.5 / width * np.cumsum(of_one_row_L[::-1])[::-1]
    towards_input = np.arange(depth, 0, -1.0)
    towards_input -= towards_input.mean()
    fit_L = towards_input / max(float(towards_input @ towards_input), 1.0)
    of_pairs_L = np.concatenate([[0.0], pair_errors(layers)[:-1]])
    of_pairs_L += np.cumsum([layer.S_error / np.mean(layer.slope_second_moment_M) for layer in layers[::-1]])[::-1]
    of_rows_L = np.full(depth, depth * RELATIVE_ERROR)
    for name, slope, log_SxL, hidden_LxL, of_terms_L, assumption in (
        ("log10_signal_grad_norm", "vanishing_slope", signals.signal_SxL, of_signal, of_rows_L, WIDE),
        ("", "vanishing_slope_median", signals.median_SxL + below_L, of_median, of_rows_L, ONE_ROW),
        ("log10_weight_grad_norm", "weight_slope", signals.weight_SxL, of_weights, of_pairs_L, WIDE),
    ):
        norm_SxL = LOG10_OF_SQUARE * log_SxL
        if not np.isfinite(norm_SxL).all():  # a sum over rows that cancels to nothing has no logarithm
            continue
        of_outputs_LxL = np.atleast_2d(np.cov(norm_SxL.T))
        covariance_LxL = of_outputs_LxL + LOG10_OF_SQUARE**2 / width * hidden_LxL
        mean_L, draws = np.mean(norm_SxL, axis=0), len(norm_SxL)
        for l in range(depth if name else 0):
            error = math.sqrt(of_outputs_LxL[l, l] / draws) + LOG10_OF_SQUARE * float(of_terms_L[l])
            spread = math.sqrt(covariance_LxL[l, l])
            yield Prediction(name, l + 1, float(mean_L[l]), error, spread, assumption)
        if depth >= 3:
            of_outputs, whole = (max(float(fit_L @ one @ fit_L), 0.0) for one in (of_outputs_LxL, covariance_LxL))
            error = math.sqrt(of_outputs / draws) + LOG10_OF_SQUARE * float(np.abs(fit_L) @ of_terms_L)
            yield Prediction(slope, 0, float(fit_L @ mean_L), error, math.sqrt(whole), assumption)
