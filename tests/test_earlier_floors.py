"""What earlier versions stored of rounding noise is not shown: on reading it is NaN, as it is when stored today."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from actlab.engine.frames import explode
from actlab.engine.store import load

DEPTH_STUDY = Path(__file__).parents[1] / "results" / "depth"
FLOORED = ("act_var", "act_var_within", "constant_fraction")


@pytest.fixture(scope="module")
def depth_study():
    return load(DEPTH_STUDY)


def frames_of_activation(results, name, depth, rate=None):
    of = (results.runs["activation"] == name) & (results.runs["depth"] == depth)
    runs = results.runs.loc[of if rate is None else of & (results.runs["learning_rate"] == rate), "run"]
    return (frame[frame["run"].isin(runs)] for frame in (results.steps, results.layers))


def test_a_deep_sigmoid_has_no_spread_over_rows_that_rounding_made(depth_study):
    steps, layers = frames_of_activation(depth_study, "sigmoid", 50)
    deep = layers["layer"] >= 16
    assert layers.loc[deep, ["act_var_within", "constant_fraction"]].isna().all(axis=None)
    assert steps[["act_var_within", "constant_fraction"]].isna().all(axis=None)
    assert layers.loc[layers["layer"] <= 2, list(FLOORED)].notna().all(axis=None)
    assert layers[["act_var", "act_mean", "correlation"]].notna().all(axis=None)  # between units h is spread


def test_what_rounding_does_not_decide_is_as_it_was_stored(depth_study):
    for name in ("relu", "leaky_relu", "elu"):
        steps, layers = frames_of_activation(depth_study, name, 10, rate=1e-3)
        assert len(layers) > 0
        assert layers[list(FLOORED)].notna().all(axis=None), name
        assert steps[["act_var_within", "constant_fraction"]].notna().all(axis=None), name


def part(**columns):
    """Return a part of two records of two layers, of an earlier version unless columns say otherwise."""
    row = {"run": "a", "width": 8, "probe_rows": 4, "residual": False, "dtype": "float32", "steps.step": [0, 5]}
    row |= {"layers.layer": [1, 2], "layers.act_mean": [0.5] * 4, "layers.act_var": [0.1] * 4}
    row |= {"layers.act_var_within": [0.1, 1e-15, 0.1, 1e-3], "layers.constant_fraction": [0.0, 0.5, 0.0, 0.5]}
    row |= {"steps.act_var_within": [0.05, 0.05], "steps.constant_fraction": [0.25, 0.25]} | columns
    return pa.table({name: pa.array([value]) for name, value in row.items() if value is not None})


@pytest.mark.parametrize(
    ("columns", "undefined"),
    [
        ({}, [1]),
        ({"dtype": "float64"}, []),
        ({"steps.log10_act_var_within": [-1.0, -1.0]}, []),  # stored with its floors
        ({"layers.act_mean": None}, []),  # cannot be judged
        ({"layers.dead_fraction": [0.0, 1.0, 0.0, 0.0]}, []),  # constant by definition
        ({"layers.dead_fraction": [0.0, 1.0, 0.0, 1.0]}, []),  # dead on two pieces, and no constant
        ({"layers.act_var_within": [1e-15, 0.1, 0.1, 0.1]}, [0, 1]),
        ({"layers.act_var_within": [1e-15, 0.1, 0.1, 0.1], "residual": True}, [0, 1]),
    ],
)
def test_floors_of_an_earlier_version(columns, undefined):
    _, steps, layers = explode(part(**columns))
    for name in ("act_var_within", "constant_fraction"):
        assert np.flatnonzero(layers[name].isna()).tolist() == undefined, name
        assert steps[name].isna().tolist() == [bool(undefined), False], name


def test_a_run_of_today_beside_one_of_an_earlier_version_keeps_its_values():
    today = part(run="b", **{"steps.log10_act_var_within": [-1.0, -1.0]})
    _, _, layers = explode(pa.concat_tables([part(), today], promote_options="permissive"))
    assert layers.loc[layers["run"] == "b", "act_var_within"].notna().all()
    assert layers.loc[layers["run"] == "a", "act_var_within"].isna().sum() == 1
