"""The shipped measures of Jacobians, all on request: the network's singular values, and each layer's norm."""

from actlab.measures.base import GEOMETRIC, POSITIVE, RUN, Facts, Measure

JACOBIAN_ROWS = 16
"""Of how many probe rows the network's Jacobian is taken. With ten outputs that is a walk back of 160 gradients, less
than that of the 256 probe rows, and singular values vary much less from row to row than from network to network."""

JACOBIAN: Facts = {"group": "jacobian", "over_seeds": GEOMETRIC, "log10": True, **POSITIVE}
ON_ROWS: Facts = {"on": f"first {JACOBIAN_ROWS} probe rows", "expensive": True}
OF_OUTPUTS: Facts = {"per": RUN, "over_layers": "", **ON_ROWS, **JACOBIAN}
PENNINGTON = "Pennington, Schoenholz & Ganguli 2017"

LAYER_JACOBIANS = (
    Measure(
        "partial_jacobian_norm",
        "‖∂z_{l+1}/∂z_l‖_F² / (number of z_{l+1}), averaged over rows; z_{L+1} are the outputs; of the layer's own "
        "branch, where a residual connection passes it by; at infinite width σ_w²·E φ'(z)²",
        label="averaged partial Jacobian norm",
        short="partial Jacobian",
        over_layers=GEOMETRIC,
        function="log10_partial_norm",
        reference="Doshi, He & Gromov 2023",
        **JACOBIAN,
    ),
)

OUTPUT_JACOBIANS = (
    Measure(
        "jacobian_mean_square",
        "mean of s² over rows and over the min(inputs, width, outputs) largest singular values s of ∂outputs/∂x; like "
        "all of these carried with a binary exponent, so that it does not underflow at any depth",
        label="mean squared singular value of the Jacobian",
        short="Jacobian s², mean",
        function="of_singular_values",
        reference=PENNINGTON,
        **OF_OUTPUTS,
    ),
    Measure(
        "jacobian_square_variance",
        "variance of s² within a row's Jacobian, averaged over rows; undefined where it has a single singular value",
        label="variance of squared singular values of the Jacobian",
        short="Jacobian s², variance",
        function="of_singular_values",
        reference=PENNINGTON,
        **OF_OUTPUTS,
    ),
    Measure(
        "jacobian_largest",
        "largest singular value of ∂outputs/∂x at any of the rows",
        label="largest singular value of the Jacobian",
        short="Jacobian, largest s",
        function="of_singular_values",
        **OF_OUTPUTS,
    ),
    Measure(
        "jacobian_smallest",
        "smallest of its min(inputs, width, outputs) singular values at any of the rows",
        label="smallest singular value of the Jacobian",
        short="Jacobian, smallest s",
        floor="rounding may make more than a tenth of it",
        function="of_singular_values",
        **OF_OUTPUTS,
    ),
)
