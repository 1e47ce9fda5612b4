"""Every shipped measure: its record, in the order of the columns."""

from collections.abc import Mapping

from actlab.measures.base import (
    BIN,
    FRACTION,
    GEOMETRIC,
    LAYER,
    LOG10,
    MINIBATCH,
    ON_TRAINING_SPLIT,
    POSITIVE,
    RUN,
    Facts,
    Measure,
)
from actlab.measures.jacobians import LAYER_JACOBIANS, OUTPUT_JACOBIANS
from actlab.measures.of_runs import RUNS

# What is positive and spans decades. Its arithmetic mean is that of the largest alone.
MAGNITUDE: Facts = {"over_layers": GEOMETRIC, "over_seeds": GEOMETRIC, **POSITIVE}
GRADIENT: Facts = {"group": "gradients", "default": True, **MAGNITUDE}
DEATH: Facts = {"group": "death", "default": True, "function": "death_record", **ON_TRAINING_SPLIT, **FRACTION}
ACTIVATION: Facts = {"group": "activations", "default": True}
ON_REQUEST: Facts = {"group": "activations"}

LAYERS = (
    Measure(
        "signal_grad_norm",
        "√(mean over x in X of ‖∂ℓ_x/∂z_l‖²), ℓ_x one example's loss; carried with a binary exponent, so that it does "
        "not underflow at any depth",
        label="signal gradient norm",
        short="signal gradient",
        log10=True,
        function="signal_norm",
        **GRADIENT,
    ),
    Measure(
        "weight_grad_norm",
        "‖∂L/∂W_l‖_F of the mean loss on X",
        label="weight gradient norm",
        short="weight gradient",
        log10=True,
        function="weight_norm",
        **GRADIENT,
    ),
    Measure("weight_grad_rms", "`weight_grad_norm` divided by √(number of weights)", log10=True, **GRADIENT),
    Measure("update_ratio", "‖ΔW_l‖_F / ‖W_l‖_F of the update about to be applied", on=MINIBATCH, **GRADIENT),
    Measure(
        "dead_fraction",
        "share of units for which every training row lies on one and the same flat piece of the activation, so that "
        "the unit is constant",
        label="dead units",
        short="dead",
        **DEATH,
    ),
    Measure(
        "no_gradient_fraction",
        "share of units for which every training row lies on some flat piece of the activation, so that no gradient "
        "passes the unit, constant or not",
        label="units without gradient",
        short="no gradient",
        **DEATH,
    ),
    Measure("born_dead_fraction", "share of units dead at step 0", label="units born dead", short="born dead", **DEATH),
    Measure(
        "died_fraction",
        "share of units alive at step 0 and dead now",
        label="units that died",
        short="died",
        **DEATH,
    ),
    Measure(
        "revived_fraction",
        "share of units dead at an earlier evaluation and alive now",
        label="revived units",
        short="revived",
        **DEATH,
    ),
    Measure(
        "ever_dead_fraction",
        "share of units dead at any evaluation so far",
        label="units ever dead",
        short="ever dead",
        **DEATH,
    ),
    Measure(
        "weak_fraction",
        "share of units with max over rows of |φ'(z)| ≤ .05·√E φ'(Z)², Z standard normal",
        label="weak units",
        short="weak",
        function="weak_fraction",
        **ACTIVATION,
        **FRACTION,
    ),
    Measure(
        "saturated_low",
        "share of (unit, row) at or below the lowest point past which |φ'| stays under the weak threshold, on a side "
        "where φ' → 0",
        function="saturated_low",
        **ACTIVATION,
        **FRACTION,
    ),
    Measure(
        "saturated_high",
        "share of (unit, row) at or above the highest point past which |φ'| stays under the weak threshold, on a side "
        "where φ' → 0",
        function="saturated_high",
        **ACTIVATION,
        **FRACTION,
    ),
    Measure(
        "dormant_fraction",
        "share of units with mean|h_j| ≤ .025·(mean over units of mean|h|); an all-zero layer is wholly dormant",
        label="dormant units",
        short="dormant",
        function="dormant_fraction",
        reference="Sokar et al. 2023",
        **ACTIVATION,
        **FRACTION,
    ),
    Measure(
        "constant_fraction",
        "share of units with a standard deviation over rows ≤ .025·(its mean over units)",
        label="constant units",
        short="constant",
        function="constant_fraction",
        floor="rounding may make more than a tenth of that threshold",
        **ACTIVATION,
        **FRACTION,
    ),
    Measure("act_mean", "mean of h over units and rows", label="mean of h", function="act_mean", **ACTIVATION),
    Measure(
        "act_var",
        "variance of h over units and rows",
        label="variance of h",
        function="act_var",
        floor="rounding may make more than a hundredth of it",
        **ACTIVATION,
        **MAGNITUDE,
    ),
    Measure(
        "act_var_within",
        "variance of h over rows for each unit, then averaged: the pooled one hides a collapse to constant units",
        label="variance of h within units",
        function="act_var_within",
        floor="rounding may make more than a hundredth of it",
        **ACTIVATION,
        **MAGNITUDE,
    ),
    Measure(
        "preact_second_moment",
        "mean z² over units and rows",
        label="mean z²",
        function="preact_second_moment",
        **ACTIVATION,
        **MAGNITUDE,
    ),
    Measure(
        "preact_mean_share",
        "share of mean z² that is variance between units of their mean over rows",
        label="bias shift",
        function="preact_mean_share",
        **ACTIVATION,
        **FRACTION,
    ),
    Measure(
        "correlation",
        "mean cosine of z over pairs of different rows",
        function="correlation",
        range=(-1.0, 1.0),
        **ACTIVATION,
    ),
    Measure(
        "zero_fraction",
        "share of (unit, row) with h exactly 0",
        label="zero activations",
        short="zero",
        function="zero_fraction",
        **ON_REQUEST,
        **FRACTION,
    ),
    Measure(
        "effective_rank",
        "exp of the entropy of the normalised singular values of the centred h",
        expensive=True,
        function="effective_rank",
        floor="rounding may move it by more than a tenth",
        reference="Roy & Vetterli 2007",
        **ON_REQUEST,
        **POSITIVE,
    ),
    Measure(
        "stable_rank",
        "‖h‖_F²/‖h‖₂²",
        expensive=True,
        function="stable_rank",
        reference="Rudelson & Vershynin 2007",
        **ON_REQUEST,
        **POSITIVE,
    ),
    Measure(
        "duplicate_fraction",
        "share of units whose h has |correlation over rows| > .99 with that of another unit of the layer; a constant "
        "unit duplicates none",
        label="duplicate units",
        short="duplicate",
        expensive=True,
        function="duplicate_fraction",
        floor="rounding may make more than a thousandth of the variance of h over rows",
        **ON_REQUEST,
        **FRACTION,
    ),
)

OF_BINS: Facts = {"group": "histograms", "per": BIN, "over_layers": "", **POSITIVE}
BINNED = (
    Measure(
        "hist_z",
        "number of (unit, row) with z in each bin",
        label="pre-activations z",
        function="hist_z",
        **OF_BINS,
    ),
    Measure("hist_h", "number of (unit, row) with h in each bin", label="activations h", function="hist_h", **OF_BINS),
    Measure(
        "hist_delta",
        "number of (unit, row) with log10|∂ℓ_x/∂z_l| in each bin, computed with the carried exponent",
        label="signal gradients |∂ℓ/∂z|",
        function="hist_delta",
        **OF_BINS,
    ),
)


MEASURES: Mapping[str, Measure] = {
    one.name: one for one in (*LAYERS, *LAYER_JACOBIANS, *BINNED, *OUTPUT_JACOBIANS, *RUNS)
}
"""Name -> record, of everything that is measured, in the order of the columns."""


def named(*groups: str, per: str = LAYER) -> tuple[str, ...]:
    """Return the names of the measures of some groups that have one number for each layer (or ``run``, or ``bin``).

    >>> named("gradients"), named("death", per="run")
    (('signal_grad_norm', 'weight_grad_norm', 'weight_grad_rms', 'update_ratio'), ('network_dead',))
    """
    return tuple(name for name, one in MEASURES.items() if one.group in groups and one.per == per)


PROBES = named("gradients", "death", "activations")
"""The columns of ``layers`` that ``measure.probes`` may name; ``all`` is all of them."""

DEFAULT_PROBES = tuple(name for name in PROBES if MEASURES[name].default)

PROBE_SETS = {"default": DEFAULT_PROBES, "all": PROBES}
"""The words that stand for several of them."""

HISTOGRAMS = named("histograms", per=BIN)
"""What ``measure.probes`` may name besides: rows of a frame of their own."""

JACOBIANS = (*named("jacobian"), *named("jacobian", per=RUN))
"""What it may name besides, too: ``all`` means what it meant before there were these, and costs no more."""


def about(name: str, own: Mapping[str, Measure] | None = None) -> Measure:
    """Return the record of a column, also of one that holds log10: a study's own (``own``), or a shipped one.

    A column that is in neither (a learned parameter, say) has a record that knows only its name.

    >>> about("act_var").over_seeds, about("log10_act_var").name, about("alpha").over_seeds
    ('geometric', 'act_var', 'arithmetic')
    """
    records = {**MEASURES, **(own or {})}
    logged = records.get(name.removeprefix(LOG10))
    if name not in records and logged is not None and logged.over_seeds == GEOMETRIC:
        return logged
    return records.get(name, Measure(name, group=""))
