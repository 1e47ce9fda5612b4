"""From the records of a compiled program to one row per run: log10 norms, slopes, final numbers, thinned layers."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from actlab.engine.floors import with_floors
from actlab.measures import GEOMETRIC, LOG10, about
from actlab.nn.probes import DEATH, GRADIENTS

SPLIT_METRICS = tuple(f"{split}_{name}" for split in ("train", "validation", "test") for name in ("loss", "accuracy"))


def run_row(
    labels: Mapping[str, Any],
    records: Mapping[str, Any],
    *,
    steps: np.ndarray,
    last_step: int,
    diverged_step: int,
    fan_in: int,
    width: int,
    keep_layers: str,
    columns: tuple[str, ...],
    target_loss: float,
    constant_loss: float,
    target_variances: Mapping[str, float] = MappingProxyType({}),
    geometric: Collection[str] = (),
    residual: bool = False,
    probe_rows: int | None = None,
    death_known: bool = True,
) -> dict[str, Any]:
    """Make one run's row of a part.

    Args:
        labels: the run's identity and settings, plain columns.
        records: what was recorded for this run, leading axis [R].
        steps: the step of each scheduled record; a run batch that diverged stops early and has fewer.
        last_step: the run's number of steps.
        diverged_step: the first step with a non-finite minibatch loss, −1 if none.
        fan_in, width: inputs of the first layer, units of every hidden layer.
        keep_layers: ``all``, ``log`` (1, 2, 4, ... and the last) or ``ends``.
        columns: the measures to keep.
        target_loss, constant_loss: the data set's stated target and the best constant predictor's loss.
        target_variances: of regression, {split: variance of its targets}.
        geometric: those of the user's measures that have geometric means over layers.
        residual: whether layers have residual connections.
        probe_rows: on how many rows measures are taken; by default at least as many as there are units.
        death_known: whether it is known where the activation is flat; without that, all of unit death is NaN.

    Returns:
        ``labels``, status and final numbers as scalars, ``steps.*`` as lists [R], ``layers.*`` as flat lists [R·K]. A
        diverged run's records end with the first one after the divergence, whatever its neighbours went on to do.
        ``steps.<measure>`` is the mean over *all* hidden layers, so that thinning changes no comparison; a geometric
        one is ``steps.log10_<measure>``. Norms are ``layers.log10_<norm>``; the root mean square of a layer's weight
        gradient follows from its norm and from ``layers.weights`` [K], how many weights each kept layer has.
    """
    recorded = len(records["train_loss"])
    steps = steps[:recorded]
    if diverged_step >= last_step:  # the step after the last one is only taken to measure its size
        diverged_step = -1
    # Some activations turn a NaN into 0, and the loss of what is left is finite: no z may be NaN at any evaluation.
    hidden = np.flatnonzero(np.isfinite(records["validation_loss"]) & np.isnan(records["network_dead"]))
    if hidden.size and not 0 <= diverged_step <= steps[hidden[0]]:
        diverged_step = int(steps[hidden[0]])
    if diverged_step < 0 and recorded and not np.isfinite(records["train_loss"][-1]):
        diverged_step = last_step  # finite minibatches, but the whole split overflows
    kept = slice(0, recorded if diverged_step < 0 else int(np.searchsorted(steps, diverged_step, side="right")) + 1)
    steps = steps[kept]
    by_step = {name: np.asarray(records[name])[kept] for name in (*SPLIT_METRICS, "network_dead")}
    digits = np.asarray(records["train_loss"]).dtype  # as many as were measured
    for split, variance in target_variances.items():
        by_step[f"{split}_r2"] = r_squared(by_step[f"{split}_loss"], variance).astype(digits)
    weights = np.array([fan_in * width] + [width * width] * (np.shape(records["exponent"])[1] - 1))
    logged, layers = layer_measures(records, weights, kept)
    rounded = {name: np.asarray(value)[kept] for name, value in records.get("rounding", {}).items()}
    layers = with_floors(layers, rounded, residual, min(probe_rows or width, width))
    if not death_known:
        layers |= {name: np.full_like(layers[name], np.nan) for name in DEATH}
        by_step["network_dead"] = np.full_like(by_step["network_dead"], np.nan)
    for name, norm in (("vanishing_slope", "signal_grad_norm"), ("weight_slope", "weight_grad_norm")):
        slope, deviation = depth_slope(logged[norm])
        by_step |= {name: slope.astype(digits), f"{name}_residual": deviation.astype(digits)}
    median_RxL = np.log10(2) * (np.asarray(records["log2_median"], np.float64) + records["exponent"])
    by_step["vanishing_slope_median"] = depth_slope(median_RxL[kept])[0].astype(digits)
    for name, value in records.get("jacobian", {}).items():
        by_step[LOG10 + name] = in_digits(log10_carried(value["mantissa"], value["exponent"])[kept, 0], digits)
    measures = (*GRADIENTS, *DEATH)
    logged = {name: value for name, value in logged.items() if name in columns}
    layers = {name: value for name, value in layers.items() if name in columns or name not in measures}
    by_step |= means_over_layers(logged, layers, geometric, digits)
    stored = {LOG10 + name: in_digits(value, digits) for name, value in logged.items()} | layers
    depth = len(weights)
    at = kept_layers(depth, keep_layers)
    by_place = {"layer": at.astype(np.int32) + 1}
    if {"weight_grad_norm", "weight_grad_rms"} <= logged.keys():
        del stored[LOG10 + "weight_grad_rms"]
        by_place["weights"] = weights[at]

    row = dict(labels) | final_numbers(by_step, steps, diverged_step, target_loss, constant_loss)
    row |= {f"steps.{name}": value for name, value in {"step": steps, **by_step}.items()}
    row |= {f"layers.{name}": value for name, value in by_place.items()}
    row |= {f"layers.{name}": value[:, at].ravel() for name, value in stored.items()}
    counts = {name: np.asarray(value)[kept][:, at] for name, value in records.get("histograms", {}).items()}
    return row | {f"histograms.{name}": value.ravel() for name, value in counts.items()}


def r_squared(losses: np.ndarray, variance: float) -> np.ndarray:
    """Compute the coefficient of determination, 1 − SSE / SST, of mean squared errors.

    With the N targets y of a split and their mean ȳ, SSE / SST = (Σ (y − f)² / N) / (Σ (y − ȳ)² / N): loss over
    variance. 1 is perfect, 0 what the split's own mean would score, and there is no least. NaN where the loss is not
    finite, or the targets do not vary.

    Args:
        losses: mean squared errors on a split [R].
        variance: of its targets, in the same units.

    >>> r_squared(np.array([0.0, 2.0, 6.0]), 2.0).tolist()
    [1.0, 0.0, -2.0]
    """
    losses = np.asarray(losses, np.float64)
    return np.where(np.isfinite(losses), 1 - losses / variance, np.nan)


def layer_measures(
    records: Mapping[str, Any], weights: np.ndarray, kept: slice
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Compute every per-layer measure [R, L]: the log10 of what is kept in log scale, and the others as they are.

    Args:
        records: of one run.
        weights: how many each layer has [L].
        kept: which records.
    """
    logged = {name: log10_norms(records, name)[kept] for name in records["gradients"]}
    logged["weight_grad_rms"] = logged["weight_grad_norm"] - np.log10(weights) / 2
    logged |= {name: np.asarray(value, np.float64)[kept] for name, value in records.get("log10", {}).items()}
    return logged, {name: np.asarray(value)[kept] for name, value in records["layers"].items()}


def means_over_layers(
    logged: Mapping[str, np.ndarray], layers: Mapping[str, np.ndarray], geometric: Collection[str], digits: np.dtype
) -> dict[str, np.ndarray]:
    """Average over layers, as each measure's record says: {column of ``steps``: [R]}.

    Args:
        logged: log10 of some measures [R, L].
        layers: others as they are [R, L].
        geometric: those of the user's measures that have geometric means.
        digits: the type in which they were measured.
    """
    means = {}
    for name, value in {**logged, **layers}.items():
        if name in logged:
            means[LOG10 + name] = in_digits(value.mean(axis=1), digits)
        elif name in geometric or about(name).over_layers == GEOMETRIC:
            with np.errstate(divide="ignore", invalid="ignore"):
                means[LOG10 + name] = in_digits(np.log10(value, dtype=np.float64).mean(axis=1), digits)
        else:
            means[name] = value.mean(axis=1)
    return means


def in_digits(log10: np.ndarray, measured: np.dtype) -> np.ndarray:
    """Round log10 of numbers to the digits that were measured: what lies beyond is noise, and fills the disk.

    To a multiple of 2^−(m + 2) for numbers with m bits behind the point. That moves a number by at most
    2^−(m + 3)·ln 10 of itself, and rounding it to m bits may move it by 2^−(m + 1).

    >>> float(in_digits(np.array([-31.123456789012345]), np.dtype("float32"))[0])
    -31.12345677614212
    """
    places = 2.0 ** (np.finfo(measured).nmant + 2)
    return np.round(log10 * places) / places


def log10_norms(records: Mapping[str, Any], name: str) -> np.ndarray:
    """log10 of a gradient norm [R, L], also where the norm itself is below float64: −∞ where it is zero.

    >>> records = {"gradients": {"signal_grad_norm": np.array([[1.0, 0.0]])}, "exponent": np.array([[-2000, 0]])}
    >>> log10_norms(records, "signal_grad_norm").round(2).tolist()
    [[-602.06, -inf]]
    """
    return log10_carried(records["gradients"][name], records["exponent"])


def log10_carried(mantissa: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """log10 of mantissa · 2^exponent: −∞ of zero.

    >>> log10_carried(np.array([1.0, 0.0]), np.array([-2000, 0])).round(2).tolist()
    [-602.06, -inf]
    """
    with np.errstate(divide="ignore"):
        return np.log10(mantissa, dtype=np.float64) + np.log10(2) * exponent


def final_numbers(
    by_step: Mapping[str, np.ndarray], steps: np.ndarray, diverged_step: int, target_loss: float, constant_loss: float
) -> dict[str, Any]:
    """Compute the scalar results of a run: its end, NaN where it diverged, and when it first got where."""
    ok = diverged_step < 0
    evaluated = np.isfinite(by_step["validation_loss"])
    metrics = [*SPLIT_METRICS, *(name for name in by_step if name.endswith("_r2"))]
    last = {name: float(by_step[name][-1]) if ok else np.nan for name in metrics}

    def first(metric: str) -> int | None:
        reached = np.flatnonzero(evaluated & (by_step[metric] <= target_loss))
        return int(reached[0]) if reached.size else None

    def gap(index: int | None, name: str) -> float:
        if index is None:
            return np.nan
        difference = float(by_step[f"test_{name}"][index] - by_step[f"train_{name}"][index])
        return difference if name == "loss" else -difference  # the error rate is 1 − accuracy

    at_target, to_target = first("train_loss"), first("validation_loss")
    return {
        "status": "ok" if ok else "diverged",
        "diverged_step": np.nan if ok else float(diverged_step),
        **last,
        "generalization_gap_loss": gap(-1 if ok else None, "loss"),
        "generalization_gap_error": gap(-1 if ok else None, "accuracy"),
        "generalization_gap_loss_at_target": gap(at_target, "loss"),
        "generalization_gap_error_at_target": gap(at_target, "accuracy"),
        "steps_to_target": np.nan if to_target is None else float(steps[to_target]),
        "target_reached": to_target is not None,
        "trained": ok and last["train_loss"] <= 0.5 * constant_loss,
        **{
            f"{name}{part}": float(by_step[f"{name}{part}"][-1]) if ok else np.nan
            for name in ("vanishing_slope", "weight_slope")
            for part in ("", "_residual")
        },
        "vanishing_slope_median": float(by_step["vanishing_slope_median"][-1]) if ok else np.nan,
        "target_loss": target_loss,
        "constant_loss": constant_loss,
    }


def kept_layers(depth: int, keep: str) -> np.ndarray:
    """Indices (from 0) of the hidden layers whose rows are kept.

    >>> (kept_layers(10, "log") + 1).tolist(), (kept_layers(10, "ends") + 1).tolist()
    ([1, 2, 4, 8, 10], [1, 10])
    """
    if keep == "all":
        return np.arange(depth)
    if keep == "ends":
        return np.unique([0, depth - 1])
    return np.unique([*(2**k - 1 for k in range(depth.bit_length())), depth - 1])


def depth_slope(log10_norm_RxL: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit the slope per layer of log10 of a norm *towards the input*, by least squares; with its residual deviation.

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
