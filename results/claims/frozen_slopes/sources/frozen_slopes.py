"""Frozen slopes: is it learning the slopes that makes PReLU overfit, or having them?

The control that ``small_data.py`` lacks: leaky ReLU with a slope for each layer, those that PReLU's α reached there,
held from the first step to the last. Beside it stand PReLU itself and leaky ReLU at α = 0.25, on the same rows, rates
and seeds; each number of training rows has slopes of its own, under each optimizer. The study's file is written, from
what ``small_data`` measured (means over seeds at the selected rate, to three decimals), by

    python -m experiments.frozen_slopes results/claims/small_data configs/trial/frozen_slopes.yaml

Prediction. Five numbers are next to nothing beside 20,000 weights: PReLU's gap is within 0.02 of that of leaky ReLU
frozen at its final slopes, at every number of rows.

What was decided when: effects and conditions are those of ``small_data.py``, and from before the first results of this
study; momentum was added when ``small_data`` had found that PReLU overfits under it, and not under Adam. The slopes
are from runs of the same splits and seeds: they are read off training, no test row has a say in them. The prediction
was a claim of its own, P2e (within ±0.02), decided by the numbers of P2d: supported at the five conditions at which
P2d is contradicted, contradicted at the sixth. It is left out since.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import actlab
from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, Verdict, judge
from actlab.analysis.judging import capped
from actlab.analysis.report import study_cells
from actlab.analysis.under import Condition

MATTERS = 0.02  # of the error rate
PRELU, OF = "prelu", "generalization_gap_error"
At = tuple[int, str]
"""Where PReLU reached its slopes: training rows and optimizer."""

STUDY = """\
# yaml-language-server: $schema=../../actlab/study.schema.json
# P2: learning PReLU's slopes beside having them from the start, layer by layer.
# Written by: python -m experiments.frozen_slopes results/claims/small_data configs/trial/frozen_slopes.yaml
study: frozen_slopes
question: Is it learning its slopes that makes PReLU overfit where data are few?
data: {{name: digits, standardize: true, seed: 0}}
model: {{depth: 5, width: 64, weight_init: he_normal}}
train: {{batch_size: 32, steps: 400, learn_activation_parameters: false}}
measure: {{every: 40, evaluate_every: 40, keep_layers: all, probes: [signal_grad_norm]}}
sweep:
  matrix:
    data.train_rows: [{rows}]
    model.activation:
      - {{name: leaky_relu, negative_slope: 0.25}}
      - prelu
{frozen}
    train.optimizer: [{optimizers}]
    train.learning_rate: [{rates}]
  exclude: # slopes that were reached elsewhere
{exclude}
  include:
    - {{model.activation: prelu, train.learn_activation_parameters: true}}
  select: {{over: train.learning_rate, by: validation_loss, seeds: 3}}
  seeds: 20
claims: ../../experiments/frozen_slopes.py
report:
  tables: [performance, learned_parameters, selection]
  figures: [learned_parameters]
  figure_format: [png]
"""


BETWEEN = ("activation", "learn_activation_parameters")


def is_frozen(activation: str) -> bool:
    """Whether a label is that of PReLU with slopes by layer.

    >>> is_frozen("prelu(alpha=0.3/0.25)"), is_frozen("prelu")
    (True, False)
    """
    return activation.startswith("prelu(alpha=")


def more_than_frozen(cells: Cells) -> dict[str, pd.Series]:
    """How much larger PReLU's gap is than with its final slopes frozen, pairs of one seed, by rows and optimizer."""
    out: dict[str, pd.Series] = {}
    for (rows, optimizer), some in cells.selected.astype({"train_rows": int}).groupby(["train_rows", "optimizer"]):
        frozen = some[some["activation"].map(is_frozen)].set_index("seed")[OF]
        at = Condition(f"{rows} rows, {optimizer}", train_rows=rows, optimizer=optimizer)
        out[at] = some[some["activation"] == PRELU].set_index("seed")[OF] - frozen
    return out


def learning_overfits(cells: Cells) -> Verdict:
    """P2d: a larger gap than the same function with the slopes that it ends with from the start."""
    statement = "overfits more than leaky relu frozen at its final slopes, layer by layer"
    evidence = (
        "gap in error rate at the end, prelu minus leaky relu frozen at its final slopes by layer, paired by seed; "
        "beside leaky relu at one rate see P2f"
    )
    gaps = more_than_frozen(cells)
    verdict = judge("P2d", PRELU, statement, AT_LEAST, MATTERS, gaps, evidence, OF, difference=True)
    activations = cells.selected["activation"]
    return capped(verdict, cells, cells.selected[(activations == PRELU) | activations.map(is_frozen)], between=BETWEEN)


CLAIMS = [learning_overfits]


# The study's file


def final_slopes(cells: Cells) -> dict[At, list[float]]:
    """Return PReLU's α by layer at the end: means over seeds at the selected rate, to three decimals."""
    selected = cells.selected[(cells.selected["activation"] == PRELU) & (cells.selected["status"] == "ok")]
    layers = cells.layers.merge(selected[["run", "train_rows", "optimizer"]].astype({"train_rows": int}), on="run")
    at_end = layers[layers["step"] == layers.groupby("run")["step"].transform("max")]
    means = at_end.astype({"alpha": float}).groupby(["train_rows", "optimizer", "layer"])["alpha"].mean().round(3)
    reached: dict[At, list[float]] = {}
    for (rows, optimizer), own in means.groupby(["train_rows", "optimizer"]):
        reached[int(str(rows)), str(optimizer)] = own.tolist()
    return reached


def study_of(slopes: dict[At, list[float]], rates: Sequence[float]) -> str:
    """Write the study's file: of slopes by layer for each number of training rows and optimizer, and learning rates.

    >>> made = study_of({(50, "adam"): [0.3, 0.2], (200, "adam"): [0.4, 0.1]}, [0.01])
    >>> [line for line in made.splitlines() if "0.4" in line][1]
    '    - {data.train_rows: 50, model.activation: {name: prelu, alpha: [0.4, 0.1]}}'
    """
    frozen = {at: f"{{name: prelu, alpha: {own}}}" for at, own in slopes.items()}
    all_rows, optimizers = ([*dict.fromkeys(at[i] for at in slopes)] for i in (0, 1))
    elsewhere = [
        f"    - {{{key}: {other}, model.activation: {one}}}"
        for (rows, optimizer), one in frozen.items()
        for key, others, own in (("data.train_rows", all_rows, rows), ("train.optimizer", optimizers, optimizer))
        for other in others
        if other != own
    ]
    return STUDY.format(
        rows=", ".join(map(str, all_rows)),
        optimizers=", ".join(map(str, optimizers)),
        rates=", ".join(f"{rate:g}" for rate in rates),
        frozen="\n".join(f"      - {one}" for one in frozen.values()),
        exclude="\n".join(elsewhere),
    )


def main(results: str, file: str) -> None:
    """Write the study's file from what ``small_data`` measured."""
    found = actlab.load(results)
    cells = study_cells(found.study, found.manifest, found.runs, found.steps, found.layers, found.lacking)
    rates = found.study["sweep"]["matrix"]["train.learning_rate"]
    Path(file).write_text(study_of(final_slopes(cells), rates), encoding="utf-8", newline="\n")


def asked(words: Sequence[str]) -> tuple[str, str]:
    """Take the folder of results and the file to write.

    Raises:
        SystemExit: there are more or fewer.
    """
    if len(words) != 2:
        raise SystemExit("expected two words: the folder of small_data's results, and the file to write")
    return words[0], words[1]


if __name__ == "__main__":
    main(*asked(sys.argv[1:]))
