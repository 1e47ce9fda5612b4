"""Write down what the first engine measured, for ``tests/test_recorded.py`` to hold today's engine against.

The first engine, last seen in revision 4e41d61, compiled one program for each activation and depth, and had JAX
differentiate the network and φ. Today's is another program throughout. With that revision checked out in FOLDER:

    PYTHONPATH=FOLDER python tests/recorded/make.py tests/recorded/first_engine.csv

``first_engine.csv`` has every activation of that revision's catalogue on iris, 8 units wide, in three studies:

- ``sgd`` and ``adam``: float64, 5 hidden layers, two seeds, at steps 0 and 20; 20 steps are four epochs.
- ``float32``: 5 and 20 hidden layers, one seed, at step 0.

A row is one hidden layer, the first or the last, at one step; or, as layer 0, the means over all hidden layers with the
run's losses and accuracies. Numbers are exact. A comment on the first line names the versions that they are of.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

REVISION = "4e41d61"
KEYS = ["study", "depth", "activation", "seed", "step", "layer"]

# Of these today's ``steps`` have geometric means over layers, where the first engine's had arithmetic ones.
GEOMETRIC = [
    "signal_grad_norm",
    "weight_grad_norm",
    "update_ratio",
    "act_var",
    "act_var_within",
    "preact_second_moment",
]

# What follows from other numbers by a formula of the host's.
DERIVED = ["vanishing_slope", "vanishing_slope_residual", "weight_slope", "weight_slope_residual"]
# What today's engine measures or states besides: nothing to hold it against.
LATER = ["vanishing_slope_median", *(f"log10_{name}" for name in GEOMETRIC)]

# With every probe that both engines know, but weight_grad_rms, which is weight_grad_norm over a constant.
STUDY = """
study: recorded
data: {name: iris}
model: {depth: 5, width: 8, dtype: float64}
train: {steps: 20, batch_size: 16}
measure:
  every: 20
  evaluate_every: 20
  probe_rows: 64
  keep_layers: ends
  probes: [
    signal_grad_norm, weight_grad_norm, update_ratio, dead_fraction, born_dead_fraction, died_fraction,
    revived_fraction, ever_dead_fraction, weak_fraction, saturated_low, saturated_high, dormant_fraction,
    constant_fraction, act_mean, act_var, act_var_within, preact_second_moment, preact_mean_share, correlation,
    effective_rank, stable_rank]
sweep: {seeds: [9, 19]}
report: {tables: [], figures: []}
"""

STUDIES = {  # with rates and seeds at which 20 steps go far, and neither squares nor cubes diverge
    "sgd": ["train.optimizer=sgd", "train.learning_rate=0.05"],
    "adam": ["train.optimizer=adam", "train.learning_rate=0.01"],
    "float32": [
        "model.dtype=float32",
        "model.depth=5,20",
        "train.optimizer=sgd",
        "train.learning_rate=0.05",
        "train.steps=1",
        "sweep.seeds=[9]",
    ],
}


def frame(
    study: str, activations: list[str], folder: Path, workers: int | None = None, today: bool = False
) -> pd.DataFrame:
    """Train one of the studies with the engine at hand: its rows, with ``KEYS`` as their index.

    Args:
        study: its name.
        activations: the names of these.
        folder: where it is trained.
        workers: how many.
        today: whether the engine at hand is today's: then arithmetic means over layers are taken here.
    """
    import actlab

    (folder / "recorded.yaml").write_text(STUDY)
    words = [*STUDIES[study], f"model.activation={','.join(activations)}", *(["measure.keep_layers=all"] * today)]
    results = actlab.run(folder / "recorded.yaml", words, out=folder / study, workers=workers)
    lost = results.runs.loc[results.runs["status"] != "ok", "activation"].tolist()
    assert not lost or study == "float32", f"{study}: {lost} diverged"
    steps, layers = results.steps, results.layers
    if today:
        means = layers.groupby(["run", "step"])[GEOMETRIC].agg(lambda values: values.to_numpy().mean()).reset_index()
        steps = steps.drop(columns=GEOMETRIC).merge(means, on=["run", "step"])
        ends = (layers["layer"] == 1) | (layers["layer"] == layers.groupby("run")["layer"].transform("max"))
        layers = layers[ends]
    rows = pd.concat([steps.assign(layer=0), layers], ignore_index=True)
    rows = rows.merge(results.runs[["run", "depth", "activation", "seed"]], on="run").assign(study=study)
    if study == "float32":
        rows = rows[rows["step"] == 0]
    rows = rows.drop(columns=[name for name in ("run", *DERIVED, *LATER) if name in rows])
    return rows.set_index(KEYS).sort_index().astype(float)


def exact(value: float) -> str:
    """Write a number with as many digits as tell it from its neighbours; those of float32, where it is one.

    >>> exact(0.1), exact(float(np.float32(0.1))), exact(float("nan"))
    ('0.1', '0.1f', '')
    >>> exact(2.0), exact(float("inf"))
    ('2', 'inf')
    """
    if np.isnan(value):
        return ""
    short = str(np.float32(value))
    is_single = float(np.float32(value)) == value and float(short) != value
    return f"{short}f" if is_single else repr(value).removesuffix(".0")


def read(path: Path) -> pd.DataFrame:
    """Read what ``main`` has written, with ``KEYS`` as its index."""
    rows = pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)
    rows = rows.astype({key: int for key in KEYS if key not in ("study", "activation")}).set_index(KEYS)
    return rows.map(number)


def number(text: str) -> float:
    """Read what ``exact`` wrote."""
    if not text:
        return np.nan
    return float(np.float32(text[:-1])) if text.endswith("f") else float(text)


def main(path: Path) -> None:
    """Train all with the first engine, and write the file."""
    # Without it jaxlib 0.10.2 computes some sums wrongly. That engine did not know; today's sets it by itself.
    os.environ["XLA_FLAGS"] = "--xla_cpu_experimental_ynn_fusion_type=-reduce"
    from actlab import activations, load
    from actlab.engine.scheduling import git_revision

    revision = git_revision() or "no known revision"
    assert revision.startswith(REVISION), f"this is the engine of {revision}"
    with tempfile.TemporaryDirectory() as folder:
        frames = [frame(study, list(activations.CATALOGUE), Path(folder), workers=1) for study in STUDIES]
        versions = load(Path(folder) / "sgd").manifest["versions"]
    packages = [f"{name} {versions[name]}" for name in ("jax", "jaxlib", "numpy")]
    header = f"# actlab {REVISION}, {', '.join(packages)}, XLA_FLAGS={os.environ['XLA_FLAGS']}\n"
    path.write_text(header + pd.concat(frames).map(exact).to_csv(lineterminator="\n"), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
