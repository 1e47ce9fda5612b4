"""The shipped measures that have one number for a whole network: slopes, losses and accuracies, what a run came to."""

from actlab.measures.base import (
    DECADES_PER_LAYER,
    END,
    EVALUATIONS,
    FRACTION,
    ON_TRAINING_SPLIT,
    POSITIVE,
    RUN,
    SHARE,
    Facts,
    Measure,
)

OF_RUN: Facts = {"per": RUN, "over_layers": ""}
SLOPE: Facts = {"group": "slopes", **OF_RUN}
OUTCOME: Facts = {"group": "outcomes", "on": "", "at": END, **OF_RUN}


def of_split(split: str) -> tuple[Measure, Measure, Measure]:
    """Make the records of one split's loss, accuracy and R².

    A loss is a risk, an expectation: its mean over seeds is that of a network with a random seed.
    """
    taken: Facts = {"group": "splits", "on": f"{split} split", "at": EVALUATIONS, **OF_RUN}
    between = ""
    if split == "train":
        taken |= ON_TRAINING_SPLIT
        between = "; between evaluations of the minibatches since the last record"
    right = f"share of rows put into their class, undefined for regression{between}"
    return (
        Measure(f"{split}_loss", f"mean loss{between}", better="lower", **taken, **POSITIVE),
        Measure(f"{split}_accuracy", right, better="higher", **taken, **FRACTION),
        Measure(
            f"{split}_r2",
            "R² = 1 − loss / variance of the split's targets about their mean: 1 is perfect, 0 what that mean would "
            f"score; of regression alone, undefined where the targets do not vary{between}",
            label=f"{split} R²",
            range=(None, 1.0),
            better="higher",
            **taken,
        ),
    )


def gap(in_: str, what: str) -> tuple[Measure, Measure]:
    """Make the records of a generalisation gap at the end and at equal training loss."""
    ends = (-1.0, 1.0) if in_ == "error" else (None, None)
    return (
        Measure(
            f"generalization_gap_{in_}",
            f"{what} of the test split − that of the training split",
            label=f"generalization gap in {what}",
            short=f"gap in {in_}",
            range=ends,
            **OUTCOME,
        ),
        Measure(
            f"generalization_gap_{in_}_at_target",
            f"the gap in {what} at the first evaluation whose training loss is at most the data set's target",
            label=f"generalization gap in {what} at target",
            short=f"gap in {in_} at target",
            range=ends,
            **OUTCOME,
        ),
    )


RUNS = (
    Measure(
        "network_dead",
        "whether a hidden layer is wholly dead, so that the output is constant (with residual connections: the first)",
        group="death",
        over_seeds=SHARE,
        function="death_record",
        **ON_TRAINING_SPLIT,
        **OF_RUN,
        **FRACTION,
    ),
    Measure(
        "revival_rate",
        "revived / ever dead, undefined where no unit was ever dead",
        group="derived",
        **ON_TRAINING_SPLIT,
        **OF_RUN,
        **FRACTION,
    ),
    Measure(
        "vanishing_slope",
        "least-squares slope per layer of log10 `signal_grad_norm` towards the input: negative vanishes, positive "
        "explodes; undefined below depth 3 and where a norm is exactly 0",
        label="signal slope",
        short="vanishing slope",
        unit=DECADES_PER_LAYER,
        **SLOPE,
    ),
    Measure(
        "vanishing_slope_residual",
        "residual standard deviation about the line of `vanishing_slope`",
        label="residual of the signal slope",
        short="residual",
        unit="decades",
        **SLOPE,
        **POSITIVE,
    ),
    Measure(
        "vanishing_slope_median",
        "the same slope of the median over rows x of log10 ‖∂ℓ_x/∂z_l‖, where `signal_grad_norm` follows the rows with "
        "the largest norms; undefined where half of the rows have no signal",
        label="signal slope of the median row",
        short="median slope",
        unit=DECADES_PER_LAYER,
        **SLOPE,
    ),
    Measure("weight_slope", "the same slope of log10 `weight_grad_norm`", unit=DECADES_PER_LAYER, **SLOPE),
    Measure(
        "weight_slope_residual",
        "residual standard deviation about the line of `weight_slope`",
        label="residual of the weight slope",
        short="weight residual",
        unit="decades",
        **SLOPE,
        **POSITIVE,
    ),
    *of_split("train"),
    *of_split("validation"),
    *of_split("test"),
    *gap("loss", "loss"),
    *gap("error", "error rate"),
    Measure(
        "steps_to_target",
        "first evaluation with validation loss at most the data set's target; missing where it is never reached, and "
        "counted as such",
        better="lower",
        **OUTCOME,
        **POSITIVE,
    ),
    Measure(
        "target_reached",
        "whether an evaluation had a validation loss at most the target",
        over_seeds=SHARE,
        better="higher",
        **OUTCOME,
        **FRACTION,
    ),
    Measure(
        "trained",
        "whether the final training loss is at most half of the best constant predictor's",
        label="share of runs trained",
        short="trained",
        over_seeds=SHARE,
        better="higher",
        **OUTCOME,
        **FRACTION,
    ),
    Measure(
        "diverged_step",
        "first step whose minibatch loss, or evaluation at which a loss or any z, is not finite; missing where none is",
        **OUTCOME,
        **POSITIVE,
    ),
    Measure("target_loss", "the data set's target for the validation loss", **OUTCOME, **POSITIVE),
    Measure("constant_loss", "training loss of the best constant predictor", **OUTCOME, **POSITIVE),
)
