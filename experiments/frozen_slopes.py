"""Frozen slopes: is it learning the slopes that makes PReLU overfit, or having them?

The control that ``small_data.py`` lacks: leaky ReLU with a slope for each layer, those that PReLU's α reached there,
held from the first step to the last. Beside it stand PReLU itself and leaky ReLU at α = 0.25, on the same rows, rates
and seeds, all trained by Adam; each number of training rows has slopes of its own. The study's file is written, from
what ``small_data`` measured (means over seeds at the selected rate, to three decimals), by

    python -m experiments.frozen_slopes results/claims/small_data configs/trial/frozen_slopes.yaml

Prediction. Five numbers are next to nothing beside 20,000 weights: PReLU's gap is within 0.02 of that of leaky ReLU
frozen at its final slopes, at every number of rows.

What was decided when: effects and conditions are those of ``small_data.py``, and from before the first results of this
study. The slopes are from runs of the same splits and seeds: they are read off training, no test row has a say in them.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import actlab
from actlab.analysis.cells import Cells
from actlab.analysis.claims import AT_LEAST, WITHIN, Verdict, judge
from actlab.analysis.judging import capped
from actlab.analysis.report import study_cells

MATTERS = 0.02  # of the error rate
PRELU, OF = "prelu", "generalization_gap_error"
OPTIMIZER = "adam"
"""Slopes are those that one optimizer leads to; with another they are others."""

STUDY = """\
# yaml-language-server: $schema=../../actlab/study.schema.json
# P2: learning PReLU's slopes beside having them from the start, layer by layer.
# Written by: python -m experiments.frozen_slopes results/claims/small_data configs/trial/frozen_slopes.yaml
study: frozen_slopes
question: Is it learning its slopes that makes PReLU overfit where data are few?
data: {{name: digits, standardize: true, seed: 0}}
model: {{depth: 5, width: 64, weight_init: he_normal}}
train: {{optimizer: adam, batch_size: 32, steps: 400, learn_activation_parameters: false}}
measure: {{every: 40, evaluate_every: 40, keep_layers: all, probes: [signal_grad_norm]}}
sweep:
  matrix:
    data.train_rows: [{rows}]
    model.activation:
      - {{name: leaky_relu, negative_slope: 0.25}}
      - prelu
{frozen}
    train.learning_rate: [{rates}]
  exclude: # slopes of another number of rows
{exclude}
  include:
    - {{model.activation: prelu, train.learn_activation_parameters: true}}
  select: {{over: train.learning_rate, by: validation_loss, seeds: 3}}
  seeds: 20
claims: ../../experiments/frozen_slopes.py
report:
  tables: [performance, learned_parameters, selection]
  figures: [learned_parameters]
"""


def is_frozen(activation: str) -> bool:
    """Whether a label is that of PReLU with slopes by layer.

    >>> is_frozen("prelu(alpha=0.3/0.25)"), is_frozen("prelu")
    (True, False)
    """
    return activation.startswith("prelu(alpha=")


def more_than_frozen(cells: Cells) -> dict[str, pd.Series]:
    """How much larger PReLU's gap is than that with its final slopes frozen, pairs of one seed, by training rows."""
    out: dict[str, pd.Series] = {}
    for rows, some in cells.selected.astype({"train_rows": int}).groupby("train_rows"):
        frozen = some[some["activation"].map(is_frozen)].set_index("seed")[OF]
        out[f"{rows} rows"] = some[some["activation"] == PRELU].set_index("seed")[OF] - frozen
    return out


def judged(cells: Cells, id: str, statement: str, form: str) -> Verdict:
    """Judge the difference of the two gaps."""
    evidence = (
        "gap in error rate at the end, prelu minus leaky relu frozen at its final slopes by layer, paired by seed, "
        "each at its selected rate"
    )
    verdict = judge(id, PRELU, statement, form, MATTERS, more_than_frozen(cells), evidence, OF, difference=True)
    activations = cells.selected["activation"]
    return capped(verdict, cells, cells.selected[(activations == PRELU) | activations.map(is_frozen)])


def learning_overfits(cells: Cells) -> Verdict:
    """P2d: a larger gap than the same function with the slopes that it ends with from the start."""
    statement = "its overfitting is from learning the slopes (more than leaky relu frozen at its final slopes)"
    return judged(cells, "P2d", statement, AT_LEAST)


def learning_is_as_having(cells: Cells) -> Verdict:
    """P2e, what was predicted: no gap that matters on either side."""
    return judged(cells, "P2e", "generalises as leaky relu frozen at its final slopes does", WITHIN)


CLAIMS = [learning_overfits, learning_is_as_having]


# The study's file


def final_slopes(cells: Cells) -> dict[int, list[float]]:
    """Return PReLU's α by layer at the end, by training rows: means over seeds at the selected rate, three decimals."""
    rows = cells.selected
    selected = rows[(rows["activation"] == PRELU) & (rows["optimizer"] == OPTIMIZER) & (rows["status"] == "ok")]
    layers = cells.layers.merge(selected[["run", "train_rows"]].astype({"train_rows": int}), on="run")
    at_end = layers[layers["step"] == layers.groupby("run")["step"].transform("max")]
    means = at_end.astype({"alpha": float}).groupby(["train_rows", "layer"])["alpha"].mean().round(3)
    return {rows: own.tolist() for rows, own in means.groupby("train_rows")}


def study_of(slopes: dict[int, list[float]], rates: Sequence[float]) -> str:
    """Write the study's file: of slopes by layer for each number of training rows, and learning rates.

    >>> [line for line in study_of({50: [0.3, 0.2], 200: [0.4, 0.1]}, [0.01]).splitlines() if "0.4" in line][1]
    '    - {data.train_rows: 50, model.activation: {name: prelu, alpha: [0.4, 0.1]}}'
    """
    frozen = {rows: f"{{name: prelu, alpha: {own}}}" for rows, own in slopes.items()}
    others = [(rows, one) for of, one in frozen.items() for rows in frozen if rows != of]
    return STUDY.format(
        rows=", ".join(map(str, slopes)),
        rates=", ".join(f"{rate:g}" for rate in rates),
        frozen="\n".join(f"      - {one}" for one in frozen.values()),
        exclude="\n".join(f"    - {{data.train_rows: {rows}, model.activation: {one}}}" for rows, one in others),
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
