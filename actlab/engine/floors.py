"""Where measures of h's spread over rows are decided by rounding, and so are not defined: the floor of each.

Let ρ_l be the share of the variance over rows that rounding in layer l may be (``actlab.nn.rounding``). What rounding
put into lower layers is passed on as their spread is, so the shares add up: r_l² = Σ_{k ≤ l} ρ_k, the relative size of
all rounding in layer l's spread. With V the variance within units and δ² = r²V, a measure is NaN where rounding may
move it by more than is stated:

- ``act_var_within`` is V + δ²: where δ² is more than 1/100 of it; ``act_var`` likewise.
- ``constant_fraction``: where δ > 1/10 of the threshold, .025 of the mean standard deviation: √(1 + 1/100) moves a unit
  across it only from within half a percent.
- ``effective_rank``: the singular values move by at most ‖N‖_* ≤ √K·‖N‖_F in all (Mirsky 1960), K = min(rows, units),
  and their sum is at least ‖h‖_F: of their distribution that is a part t ≤ √K·r. Its entropy then moves by at most
  t·ln(K − 1) − t·ln t − (1 − t)·ln(1 − t) (Audenaert 2007): where that is more than ln 1.1.
- ``duplicate_fraction``: rounding divides a correlation by 1 + δ²/V; where that is more than 1/10 of the .01 that is
  left above .99.

A layer that is constant by definition (every unit on one flat piece) is not rounded: its measures are those of a
constant, and without residual connections so are those of all layers above.
"""

from collections.abc import Mapping

import numpy as np

DIGITS = 0.1  # what rounding may be of what a measure looks at
CONSTANT = {"act_var_within": 0.0, "constant_fraction": 1.0, "effective_rank": 0.0, "duplicate_fraction": 0.0}
"""What a layer measures that is constant by definition."""


def with_floors(
    layers: Mapping[str, np.ndarray], rounding: Mapping[str, np.ndarray], residual: bool, largest_rank: int
) -> dict[str, np.ndarray]:
    """Return measures with NaN where rounding decides them.

    Args:
        layers: {measure: [R, L]}.
        rounding: see ``actlab.nn.rounding.spread_and_noise``, [R, L] each; empty where nothing asks for it.
        residual: whether layers have residual connections.
        largest_rank: the lesser of the numbers of probe rows and of units.

    >>> rounding = {"noise": [[1e-16, 1e-16]], "within": [[1e-3, 2e-16]], "whole": [[1e-3, 2e-16]]}
    >>> rounding |= {"typical": rounding["within"], "exact": [[0, 0]]}
    >>> with_floors({"act_var_within": np.array([[1e-3, 2e-16]])}, rounding, False, 64)
    {'act_var_within': array([[0.001,   nan]])}
    """
    if not rounding:
        return dict(layers)
    names = ("noise", "within", "whole", "typical", "exact")
    noise, within, whole, typical, exact = (np.asarray(rounding[name], np.float64) for name in names)
    constant = exact > 0
    if not residual:
        constant = np.logical_or.accumulate(constant, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(constant | (noise == 0), 0.0, noise / within)
        relative2 = np.cumsum(share, axis=1)
        off2 = np.maximum(np.minimum(relative2, 1.0) * within, noise)  # what is measured as spread has it in
        floors = {
            "act_var_within": relative2 > DIGITS**2,
            "act_var": off2 > DIGITS**2 * whole,
            "constant_fraction": np.sqrt(off2) > DIGITS * 0.025 * np.sqrt(typical),
            "effective_rank": entropy_error(np.sqrt(largest_rank * relative2), largest_rank) > np.log(1 + DIGITS),
            "duplicate_fraction": relative2 > DIGITS * (1 - 0.99),
        }
    floored = {}
    for name, value in layers.items():
        value = np.asarray(value)
        if name in CONSTANT:
            value = np.where(constant & ~np.isnan(value), value.dtype.type(CONSTANT[name]), value)
        if name in floors:
            value = np.where(floors[name] & ~constant, value.dtype.type(np.nan), value)
        floored[name] = value
    return floored


def entropy_error(part: np.ndarray, values: int) -> np.ndarray:
    """Bound how far the entropy of so many shares moves if a part of them is moved: ln(values − 1)·t + H(t).

    >>> entropy_error(np.array([0.0, 0.5]), 2).round(4).tolist()
    [0.0, 0.6931]
    """
    t = np.clip(part, 0.0, 1 - 1 / values)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = -np.where(t > 0, t * np.log(t), 0.0) - (1 - t) * np.log1p(-t)
    return t * np.log(max(values - 1, 1)) + own
