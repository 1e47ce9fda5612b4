"""What theory predicts of the measures of Jacobians: each layer's partial norm, and the whole network's spectrum."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from actlab.theory.jacobian import NORMAL, ORTHOGONAL, predict_jacobian
from actlab.theory.kernels import Layer
from actlab.theory.spreads import UNITS, Units, growth_of, reach_of

if TYPE_CHECKING:
    from actlab.theory.finite_depth import Setting

Row = tuple[str, int, float, float, float, str]
"""Column, layer, value, numerical error, spread, assumption: as a ``Prediction`` has them."""

WIDE = "infinite width"
RELATIVE_ERROR = 1e-6
"""Of what is interpolated, of one row: an upper bound for the catalogue, held against adaptive quadrature in
``tests/test_kernels.py`` at variances from 1e−6 to 1e5 (found: 5e−8). Where a variance holds many kinks or periods, as
of sine above 300, up to ``series.MOST_OFF`` is let through, and more is refused."""


def of_partial_norms(layers: Sequence[Layer], units: Sequence[Units], width: int, outputs: int) -> Iterator[Row]:
    """Predict log10 of each layer's averaged partial Jacobian norm, which the next weights W [N, O] finish.

        J_l = (1/O) Σ_j s_j ‖W_j‖²  →  σ_w² s,     s_j = mean of φ'(z_j)² over rows, s = E s_j

    To first order in 1/N, ln J_l varies by (Var s_j + (2/O) E s_j²)/(N s²), the second for ‖W_j‖² of Gaussian weights,
    and by what s feels of the second moments below: Σ_x ∂s/∂q_x times their noise.

    Args:
        layers, units: of the network, all with slopes.
        width: N, units of a hidden layer.
        outputs: of the readout, whose σ_w² is 1.

    Yields:
        the rows, layer by layer.

    Reference: Doshi, He & Gromov 2023, arXiv:2111.12143.
    """
    growth_LxM, reach_LxLxM = growth_of(layers), reach_of(layers)
    for l, layer in enumerate(layers):
        slope_M, s = layer.slope_second_moment_M, float(np.mean(layer.slope_second_moment_M))
        sigma_w2, fan_out = (layers[l + 1].sigma_w2, width) if l + 1 < len(layers) else (1.0, outputs)
        own_T = np.mean(units[l].slope_MxT ** 2, axis=0)
        variance = np.mean((own_T - s) ** 2) + 2.0 / fan_out * np.mean(own_T**2)
        for j in range(l):
            of_square_M = slope_M * growth_LxM[l] * reach_LxLxM[j, l] / len(slope_M)
            noise_T = of_square_M @ (units[j].h_MxT ** 2 - layers[j].second_moment_M[:, None])
            variance += noise_T @ noise_T / UNITS
        spread = math.sqrt(variance / width) / s / math.log(10.0)
        value = math.log10(sigma_w2 * s)
        yield "log10_partial_jacobian_norm", l + 1, value, RELATIVE_ERROR / math.log(10.0), spread, WIDE


def of_singular_values(setting: Setting) -> list[Row]:
    """Predict the network's singular values, of functions with one slope on each side of 0 (``predict_jacobian``).

    Weights that are neither Gaussian nor orthogonal are taken for Gaussian: the expected mean square, which takes their
    variance and symmetry alone, is exact of them too.

    Args:
        setting: the network and its data.

    Returns:
        At most two rows, of the mean and of the variance of s²; none of an activation with more slopes.

    Raises:
        TheoryError: see ``predict_jacobian``.
    """
    own = ORTHOGONAL if setting.weight_distribution == ORTHOGONAL else NORMAL
    sizes = setting.x_MxF.shape[1], setting.width, setting.outputs
    return predict_jacobian(setting.phi, setting.weight_std, setting.bias_mean, *sizes, own)
