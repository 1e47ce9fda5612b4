"""A learned parameter has a column of its own, whatever it is called."""

import re

import numpy as np
import pytest

import actlab
from actlab.activations import CATALOGUE, ActivationError
from actlab.engine import worker_pools
from actlab.study.columns import learned_column, learned_columns, taken
from actlab.study.plan import plan
from actlab.study.reading import StudyError
from tests.serial import SerialExecutor

MINE = """
import jax.numpy as jnp
import actlab


@actlab.activation(learnable=("act_mean", "step", "layer", "alpha", "seed"))
def odd(z, *, act_mean=2.0, step=0.5, layer=3.0, alpha=0.25, seed=4.0, depth=1.0):
    return jnp.where(z > 0, layer / 3.0 * z, alpha * z) * act_mean / 2.0 + depth * (step - 0.5) + 0.0 * seed


def depth(z_MxW):
    return jnp.mean(z_MxW)


def learned_step(z_MxW):
    return jnp.mean(z_MxW)
"""
STUDY = """
study: odd
data: {name: iris}
model: {depth: 2, width: 3}
train: {steps: 4, learning_rate: 0.05, batch_size: 16}
measure: {every: 2, evaluate_every: 2, probe_rows: 16, probes: [act_mean]}
sweep:
  matrix:
    model.activation: [mine.py:odd, {name: mine.py:odd, per: unit, depth: 2, seed: 7}, prelu]
    model.depth: [1, 2]
  seeds: [5]
report: {figures: []}
"""
OWN = ["act_mean", "step", "layer", "seed"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    (folder / "mine.py").write_text(MINE)
    (folder / "odd.yaml").write_text(STUDY)
    return folder


@pytest.fixture(scope="module")
def results(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        return actlab.run(folder / "odd.yaml", ["model.depth=2"], out=folder / "out")


def test_names():
    assert learned_columns("alpha") == ("alpha", "alpha_min", "alpha_max")
    names = ["act_mean", "step", "layer", "run", "seed", "train_loss", "depth", "width", "learning_rate", "measure"]
    names += ["value", "status", "learned", "jax", "log10_act_var", "alpha_min", "learned_step", "mean", "study"]
    assert [learned_column(name) for name in names] == [f"learned_{name}" for name in names]
    every = [column for name in ("alpha", *names) for column in learned_columns(name)]
    assert len({*every}) == len(every)
    assert not {*every} & taken()
    for record in CATALOGUE.values():  # stored results have them so
        assert [learned_column(name) for name in record.learnable] == list(record.learnable)


def test_each_has_a_column_beside_what_is_measured(results):
    layers = results.layers.merge(results.runs[["run", "activation"]], on="run")
    first = layers[(layers["step"] == 0) & layers["activation"].str.startswith("odd")]
    assert set(layers["step"]) == {0, 2, 4}
    assert set(layers["layer"]) == {1, 2}
    for name, start in (("act_mean", 2.0), ("step", 0.5), ("layer", 3.0)):
        np.testing.assert_allclose(first[f"learned_{name}"], start)
    assert sorted(first["learned_seed"].unique()) == [4.0, 7.0]
    np.testing.assert_allclose(first["alpha"], 0.25)
    assert (layers["act_mean"] != layers["learned_act_mean"]).all()
    units = layers[layers["activation"].str.contains("unit") & (layers["step"] == 4)]
    assert (units["learned_step_min"] <= units["learned_step"]).all()
    assert set(results.runs["seed"]) == {5}
    assert set(results.runs["depth"]) == {2}
    known = {column for name in ("alpha", *OWN) for column in learned_columns(learned_column(name))[:1]}
    others = {column for frame in (results.runs, results.steps, results.layers) for column in frame}
    spread = re.compile("(_min|_max)$")
    others = {column for column in others - taken() if not column.startswith("log10_")}
    assert {spread.sub("", column) for column in others} <= {"alpha", *(f"learned_{n}" for n in OWN)}, known


def test_tables_and_compare_show_them(results):
    table = (results.path / "tables" / "learned_parameters.csv").read_text(encoding="utf-8")
    assert "learned_act_mean" in table
    assert ",alpha," in table
    frame = actlab.compare(results.path, metric="learned_step", by=["activation"])
    assert len(frame) == 3
    assert "odd(depth=2, per=unit, seed=7)" in set(frame["activation"])


def test_a_swept_parameter_is_no_setting_of_the_run(folder):
    runs = plan(actlab.study_of(folder / "odd.yaml", ())).runs.values()
    labels = {(run.labels["activation"], run.labels["depth"], run.labels["seed"]) for run in runs}
    assert labels == {(name, d, 5) for name in ("odd", "odd(depth=2, per=unit, seed=7)", "prelu") for d in (1, 2)}


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ("depth", "'depth' is the name of another column; rename the function"),
        ("learned_step", "'learned_step' would share its column with what odd learns as step; rename one of them"),
    ],
)
def test_a_measure_of_the_name_of_a_column_is_refused(folder, probe, message):
    with pytest.raises(StudyError, match=re.escape(message)):
        plan(actlab.study_of(folder / "odd.yaml", [f"measure.probes=[default,{folder}/mine.py:{probe}]"]))


@pytest.mark.parametrize("name", ["name", "options", "per"])
def test_what_a_studys_file_says_of_an_activation_is_no_parameter(tmp_path, name):
    (tmp_path / "mine.py").write_text(f"def f(z, *, {name}=1.0):\n    return {name} * z\n")
    with pytest.raises(ActivationError, match=f"f: a study's file has another use for '{name}'; rename that parameter"):
        CATALOGUE.load(tmp_path / "mine.py", "f")


def test_a_parameter_may_be_called_z(tmp_path):
    (tmp_path / "mine.py").write_text("def f(x, *, z=1.0):\n    return z * x\n")
    record = CATALOGUE.load(tmp_path / "mine.py", "f")
    assert record.function(np.ones(2), z=3.0).tolist() == [3.0, 3.0]
    assert not record.flat(np.ones(2), z=3.0).any()
    assert record.derivative(np.ones(2), z=3.0).tolist() == [3.0, 3.0]
