"""Runs that differ in anything but the seed, and where they were executed, never share a cell of a table."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

import actlab
from actlab.analysis import panels
from actlab.analysis.cells import build_cells
from actlab.analysis.drawings import NAMED_LINES, Spec, drawing
from actlab.analysis.figures import FIGURES
from actlab.analysis.layout import to_csv, to_markdown
from actlab.analysis.tables import TABLES
from actlab.engine import frames, worker_pools
from actlab.study import columns
from actlab.study import plan as planning
from actlab.study.reading import StudyError, read
from actlab.study.sections import SWEPT
from tests import synthetic
from tests.serial import SerialExecutor
from tests.thinned import thinned

BASE = """
study: s
data: {name: iris}
model: {depth: 2, width: 4, weight_init: he_normal}
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 2}
"""
NEAR = 1.0 + 1e-9  # prints alike in six digits

# For every key that a sweep may have: values that make different experiments, numbers that print alike among them.
DIFFERENT = {
    "data.name": ["iris", "one/rows.csv", "two/rows.csv", "v1.py:iris", "v2.py:iris"],
    "data.seed": [0, 1],
    "data.standardize": [True, False],
    "data.train_rows": [20, 30],
    "data.label_noise": [0.0, 0.1, 0.1 * NEAR],
    "data.target": ["a", "b"],
    "data.task": ["classification", "regression"],
    "data.target_loss": [0.1, 0.1 * NEAR, None],
    "data.drop": [[], ["y"], ["x"], ["x", "a"]],
    "data.keep": [[], ["x"]],
    "data.separator": [None, ","],
    "data.decimal": [None, "."],
    "data.header": [None, True],
    "data.categorical": ["refuse", "one_hot"],
    "data.missing": ["refuse", "mean", "drop_rows"],
    "data.na_values": [None, ["?"], [], ["?, !"], ["?", "!"]],
    "model.activation": [
        *("relu", "v1.py:relu", "v2.py:relu", "leaky_relu", "prelu", {"name": "prelu", "per": "unit"}),
        *({"name": "prelu", "alpha": [0.2, slope]} for slope in (0.3, 0.3 * NEAR)),
        *({"name": "leaky_relu", "negative_slope": slope} for slope in (0.2, 0.2 * NEAR)),
        *({"name": f"{file}.py:bent", "slope": slope} for file in ("v1", "v2") for slope in (0.2, 0.2 * NEAR)),
    ],
    "model.depth": [2, 3],
    "model.width": [4, 5],
    "model.weight_init": [
        *("he_normal", "he_uniform", "v1.py:he_normal", "v2.py:he_normal"),
        *({"name": "gaussian", "sigma_w": sigma} for sigma in (1.5, 1.5 * NEAR)),
    ],
    "model.weight_gain": [1.0, NEAR],
    "model.bias_init": ["zeros", "v1.py:zeros", "v2.py:zeros", {"name": "constant", "value": 0.1 * NEAR}, "constant"],
    "model.dtype": ["float32", "float64"],
    "model.norm": ["none", "layer"],
    "model.residual": [False, True],
    "model.dropout": [{"rate": 0.0}, {"rate": 0.1}, {"rate": 0.1 * NEAR}, {"rate": 0.1, "kind": "alpha"}],
    "train.freeze_layers": [0, 1],
    "train.optimizer": ["sgd", "v1.py:sgd", "v2.py:sgd", "adam", {"name": "adam", "b1": 0.9 * NEAR}],
    "train.learning_rate": [1e-3, 1e-3 * NEAR],
    "train.schedule": ["constant", "cosine", {"name": "cosine", "warmup_steps": 2}],
    "train.batch_size": [8, 9],
    "train.steps": [4, 6],
    "train.clip_norm": [None, 1.0, NEAR],
    "train.weight_decay": [0.0, 0.1, 0.1 * NEAR],
    "train.decay_activation_parameters": [False, True],
    "train.learn_activation_parameters": [True, False],
}
FILE = """
import numpy as np
import jax.numpy as jnp
from actlab import bias_initializer, dataset, initializer, optimizer


def relu(z):
    return z * {n}


def bent(z, *, slope=0.1):
    return jnp.where(z > 0, {n} * z, slope * z)


@dataset(task="classification")
def iris():
    x = np.random.default_rng({n}).normal(size=(60, 3))
    return x, (x[:, 0] > 0).astype(int)


@initializer("normal")
def he_normal(fan_in, fan_out):
    return {n}.0


@bias_initializer("constant")
def zeros(fan_in):
    return {n}.0, 0.0


def keep(g, memory):
    return {"g": g}


@optimizer(memory=("g",), remember=keep)
def sgd(memory, t):
    return {n} * memory["g"]
"""


@pytest.fixture
def planned(tmp_path):
    """A plan in a folder with two of each of the user's own things, by the same names."""
    for n, folder in ((1, "one"), (2, "two")):
        (tmp_path / folder).mkdir()
        rows = "".join(f"{i * n},{i * i % 7},{i % 2},{(i + n) // 2 % 2}\n" for i in range(60))
        (tmp_path / folder / "rows.csv").write_text("x,y,a,b\n" + rows)
        (tmp_path / f"v{n}.py").write_text(FILE.replace("{n}", str(n)))

    def plan(key, values, base=BASE):
        sweep = f"sweep: {{matrix: {{{key}: {json.dumps(values)}}}, seeds: 2}}\nreport: {{select: null}}\n"
        (tmp_path / "s.yaml").write_text(base + sweep)
        return planning.plan(read(tmp_path / "s.yaml"))

    return plan


def cells_of(plan):
    """Cells of a plan's runs, as if they had been trained: each setting has outcomes of its own."""
    rows = [dict(run.labels) for run in plan.runs.values()]
    runs = frames.told_apart(frames.one_name(pd.DataFrame(rows)), plan.prefixes)
    groups = [run.labels["seed"] for run in plan.runs.values()].count(0)
    outcome = np.repeat(np.arange(groups) / 100, 2)  # the plan has a cell's seeds one after another
    runs = runs.assign(status="ok", diverged_step=np.nan, test_accuracy=outcome, test_loss=outcome, trained=True)
    runs = runs.assign(validation_loss=0.0)
    steps = pd.DataFrame({"run": runs["run"], "step": 0})
    return build_cells(runs, steps, steps.assign(layer=1), settings=columns.settings()), groups


def test_every_key_that_a_sweep_may_have_is_tried():
    assert set(DIFFERENT) == set(SWEPT)


def test_splits_are_repeats(planned):
    cells, groups = cells_of(planned("data.seed", DIFFERENT["data.seed"]))
    assert groups == len(DIFFERENT["data.seed"])
    assert len(TABLES["performance"].make(cells).frame) == 1


@pytest.mark.parametrize("key", thinned([key for key in SWEPT if key != "data.seed"], 6))
def test_what_differs_in_one_key_has_rows_of_its_own(planned, key):
    of_files = key.startswith("data.") and key not in ("data.name", "data.seed")
    base = BASE.replace("iris", "one/rows.csv") if of_files else BASE
    if key.endswith("_activation_parameters"):
        base = base.replace("he_normal", "he_normal, activation: prelu")
    cells, groups = cells_of(planned(key, DIFFERENT[key], base))
    assert groups == len(DIFFERENT[key])
    table = TABLES["performance"].make(cells)
    assert len(table.frame) == groups
    shown = [tuple(row) for row in table.frame[[*cells.keys]].astype(str).to_numpy()]
    assert len(set(shown)) == groups
    heads = list(table.wide.columns)
    printed = {
        (tuple(row[: heads.index("depth 2")]), head)
        for row in table.wide.to_numpy().tolist()
        for head, text in zip(heads, row, strict=True)
        if head.startswith("depth ") and text
    }
    assert len(printed) == groups, to_markdown(table)
    keys = [name for name in table.frame if name in cells.keys]
    rows = {line.rsplit(",", 11)[0] for line in to_csv(table.frame).splitlines()[1:]}
    assert len(rows) == groups, (keys, rows)


def test_labels_are_told_apart_by_the_least_that_does_it(planned):
    def labels(key, values, column):
        plan = planned(key, values)
        return [plan.label(run, column) for run in plan.runs.values() if run.labels["seed"] == 0]

    assert labels("model.activation", ["v1.py:relu"], "activation") == ["relu"]
    assert labels("model.activation", ["relu", "v2.py:relu"], "activation") == ["relu", "v2.py:relu"]
    assert labels("data.name", ["one/rows.csv"], "data") == ["rows.csv"]
    assert labels("data.name", ["one/rows.csv", "two/rows.csv"], "data") == ["one/rows.csv", "two/rows.csv"]
    bent = [{"name": f"v{n}.py:bent", "slope": 0.2} for n in (1, 2)]
    assert labels("model.activation", bent, "activation") == ["v1.py:bent(slope=0.2)", "v2.py:bent(slope=0.2)"]


def test_a_targets_best_is_sought_among_its_own(planned):
    cells, _ = cells_of(planned("data.target", ["a", "b"], BASE.replace("iris", "one/rows.csv")))
    frame = TABLES["performance"].make(cells).frame
    assert not frame["best"].any()
    assert not frame["as_good"].any()


def test_one_content_under_two_names_is_one(tmp_path, planned):
    (tmp_path / "two").mkdir(exist_ok=True)
    plan = planned("model.activation", ["v1.py:relu"])
    (tmp_path / "v3.py").write_text((tmp_path / "v1.py").read_text())
    assert len(plan.runs) == len(planned("model.activation", ["v1.py:relu", "v3.py:relu"]).runs)


def test_a_setting_by_another_name_is_still_refused(planned):
    """Two spellings of one experiment would be averaged as if they were two."""
    for key, values in (("data.task", ["auto", "classification"]), ("train.weight_decay", [None, 0])):
        with pytest.raises(StudyError, match=rf"(?s)s\.yaml:\d+: {key}: .*{values[1]} would be told apart in no table"):
            planned(key, values)


def test_pictures_of_two_settings_never_have_one_name(planned):
    cells, _ = cells_of(planned("data.name", ["one/rows.csv", "two/rows.csv"]))
    frame = TABLES["performance"].make(cells).frame
    frame["data"] = ["ä.csv", "ö.csv"]
    pages = drawing(cells, frame, Spec(NAMED_LINES, x="depth", lines="activation", looks=cells.looks), "t", "c").pages
    assert len(pages) == 2


@pytest.mark.parametrize("first", thinned(["v1.py:relu", "relu"], 2))
def test_a_study_that_gets_a_namesake_later_names_both(tmp_path, planned, first, monkeypatch):
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    planned("model.activation", [first])
    quick = ["report.figures=[]", "measure.probes=signal_grad_norm"]  # the fewer, the sooner compiled
    alone = actlab.run(tmp_path / "s.yaml", quick, out=tmp_path / "r")
    assert set(alone.runs["activation"]) == {"relu"}
    planned("model.activation", [first, "v2.py:relu"])
    both = actlab.run(tmp_path / "s.yaml", quick, out=tmp_path / "r")
    assert set(both.runs["activation"]) == {first, "v2.py:relu"}
    assert both.manifest["activations"].keys() == {first, "v2.py:relu"}
    by_label = both.runs.groupby("activation")["run"].agg(set)
    assert by_label[first] == set(alone.runs["run"])
    by_name = actlab.compare(tmp_path / "r", metric="test_loss", by=["activation_name"])
    assert set(by_name["activation_name"]) == {first, "v2.py:relu"}
    one = both.runs[both.runs["activation"] == "v2.py:relu"]["test_loss"].mean()
    assert by_name.set_index("activation_name")["mean"]["v2.py:relu"] == pytest.approx(one)


@pytest.mark.parametrize(
    "swept", thinned([{"clip_norm": (None, 1.0)}, {"clip_norm": (None, 1.0, 2.0), "width": (8, 16)}], 2)
)
@pytest.mark.parametrize("names", thinned([(("relu", "tanh"),), (("relu",),)], 2))
def test_what_has_no_value_is_drawn_too(swept, names):
    """No limit to the norm is a setting like others: a missing number equals nothing, itself included."""
    cells = build_cells(*synthetic.frames(names, (2, 5), seeds=2, rates=(1e-3,), **swept))
    for figure in FIGURES.values():
        drawn = figure.make(cells)
        shown: set[str] = set(drawn.pages) if drawn else {"none"}
        for page in drawn.pages.values() if drawn else ():
            for column in {drawn.spec.lines, drawn.spec.panels, drawn.spec.x} & set(page):
                assert page[column].notna().all(), (drawn.name, column)
            picture = panels.render(drawn.spec, page)
            shown |= {text.get_text() for text in picture.findobj(Text)}
            plt.close(picture)
        of_networks = drawn is not None and drawn.name == "gradient_by_layer"  # as they are drawn, before training
        assert of_networks or any("none" in text for text in shown), drawn.name
