"""What theory predicts of the networks as they are drawn, beside what was measured of them at step 0."""

from __future__ import annotations

from collections.abc import Sequence

from actlab.later import pd
from actlab.study.settings import OF_PREDICTION


def settings_of(predictions: pd.DataFrame) -> list[str]:
    """List the columns of ``predictions`` that are settings: a run has the predictions of the cell that shares them.

    >>> settings_of(pd.DataFrame(columns=["cell", "activation", "depth", *OF_PREDICTION]))
    ['activation', 'depth']
    """
    return [str(name) for name in predictions if name not in ("cell", *OF_PREDICTION)]


def outside(predictions: pd.DataFrame) -> pd.DataFrame:
    """List the cells of which theory says nothing: ``cell``, the settings, and ``assumption``, which is the reason."""
    without = predictions[predictions["measure"] == ""]
    return without[["cell", *settings_of(predictions), "assumption"]].reset_index(drop=True)


def cells_of_runs(runs: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Say which cell's predictions each run has: ``run``, ``seed``, ``cell``; runs that have none are left out."""
    keys = settings_of(predictions)
    cells = predictions[["cell", *keys]].drop_duplicates()
    return runs[["run", "seed", *keys]].merge(cells, on=keys)[["run", "seed", "cell"]]


def in_spreads(difference: pd.Series, spread: pd.Series, error: pd.Series) -> pd.Series:
    """Divide differences by a spread and a numerical error, which add as squares; NaN where no spread is known.

    >>> in_spreads(pd.Series([1.0, 1.0]), pd.Series([2.0, 0.0]), pd.Series([0.0, 0.1])).tolist()
    [0.5, nan]
    """
    return difference / (spread**2 + error**2).where(spread > 0) ** 0.5


def beside(layers: pd.DataFrame, steps: pd.DataFrame, runs: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Put what was measured at step 0 beside what was predicted.

    Runs of one cell that have one seed begin as one network, whatever they are trained by, and count once.

    Args:
        layers, steps, runs, predictions: a study's frames. A prediction of a hidden layer stands beside the column of
            ``layers`` that its ``measure`` names, one of layer 0, which is the whole network, beside that of ``steps``.

    Returns:
        one row for each prediction: ``cell``, the settings, ``measure``, ``layer``; ``measured``, the mean over the
        networks of which it is a finite number, ``n``, their number, and ``standard_error``, that of the mean (NaN of
        one network); ``predicted``, ``numerical_error``, ``spread`` (the standard deviation that one network is
        expected to have), ``assumption``; and ``deviation`` = (measured − predicted) / √(spread² +
        numerical_error²), as tables have it; NaN where no spread is known.

    >>> runs = pd.DataFrame({"run": ["a", "b"], "activation": "relu", "seed": [0, 1]})
    >>> layers = pd.DataFrame({"run": ["a", "b"], "step": 0, "layer": 1, "act_mean": [0.25, 0.75]})
    >>> one = pd.DataFrame([("c", "relu", "act_mean", 1, 0.375, 0.0, 0.25, "")])
    >>> one.columns = ["cell", "activation", *OF_PREDICTION]
    >>> table = beside(layers, layers[:0][["run", "step"]], runs, one)
    >>> table[["measured", "n", "standard_error", "predicted", "deviation"]].values.tolist()
    [[0.5, 2.0, 0.25, 0.375, 0.5]]
    """
    there = predictions[predictions["measure"] != ""].rename(columns={"value": "predicted"})
    cells = cells_of_runs(runs, predictions)
    names = list(dict.fromkeys(there["measure"]))
    of_layers = long(layers, ["run", "layer"], names)
    measured = pd.concat([of_layers, long(steps, ["run"], names).assign(layer=0)], ignore_index=True)
    place = ["cell", "measure", "layer"]
    networks = measured.merge(cells, on="run").groupby([*place, "seed"], as_index=False)["value"].first()
    found = networks.groupby(place)["value"].agg(["mean", "count", "sem"]).reset_index()
    table = there.merge(
        found.rename(columns={"mean": "measured", "count": "n", "sem": "standard_error"}), "left", place
    )
    table["n"] = table["n"].fillna(0).astype(int)
    table["deviation"] = in_spreads(table["measured"] - table["predicted"], table["spread"], table["numerical_error"])
    own = ["measured", "n", "standard_error", "predicted", "numerical_error", "spread", "deviation", "assumption"]
    return table[["cell", *settings_of(predictions), "measure", "layer", *own]].reset_index(drop=True)


def long(frame: pd.DataFrame, places: Sequence[str], measures: Sequence[str]) -> pd.DataFrame:
    """Return the finite numbers of some measures at step 0 in one column: the places, ``measure``, ``value``."""
    there = [name for name in measures if name in frame]
    rows = frame.loc[frame["step"] == 0, [*places, *there]]
    values = rows.melt([*places], there, var_name="measure").astype({"value": float})
    return values[values["value"].abs() < float("inf")]
