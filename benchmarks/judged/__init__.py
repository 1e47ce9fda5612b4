"""Made-up measurements for the judge: ``judged/NAME.py`` has those of the claims in ``experiments/NAME.py``."""

from benchmarks.judged import (
    alphas,
    bias_shift,
    breaches,
    centred,
    complexity,
    dying_relu,
    equal_rates,
    equal_shift,
    equal_speed,
    frozen_slopes,
    normalising,
    regularised,
    same,
    saturation,
    slopes,
    small_data,
    tasks,
    trainable,
)

CASES = (
    *(*slopes.CASES, *centred.CASES, *trainable.CASES, *complexity.CASES, *tasks.CASES, *dying_relu.CASES),
    *(*normalising.CASES, *breaches.CASES, *alphas.CASES, *saturation.CASES, *bias_shift.CASES),
    *(*equal_shift.CASES, *equal_speed.CASES),
    *(*small_data.CASES, *frozen_slopes.CASES, *regularised.CASES, *equal_rates.CASES, *same.CASES),
)
