"""Networks measured as they were drawn: ``train.steps: 0`` is the first record of any training, and is told as such."""

import pandas as pd
import pytest

import actlab
from actlab.analysis import report
from actlab.analysis.parts import OF_TRAINING
from actlab.engine import worker_pools
from tests.serial import SerialExecutor
from tests.synthetic import frames
from tests.typed import typed

STUDY = """
study: drawn
question: What do networks look like before they are trained?
data: {name: iris}
model: {activation: tanh, depth: 3, width: 8}
train: {optimizer: sgd, batch_size: 16}
measure: {keep_layers: all, probes: [signal_grad_norm, dead_fraction, act_mean]}
sweep: {matrix: {train.steps: [0, 3]}, seeds: 2}
report: {tables: [], figures: [], html: false}
"""


def test_it_is_the_first_record_of_a_run_that_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    (tmp_path / "drawn.yaml").write_text(STUDY)
    results = actlab.run(tmp_path / "drawn.yaml", out=tmp_path / "drawn")
    steps = results.runs.set_index("run")["steps"]
    of_drawn, of_trained = (sorted(steps.index[steps == most], key=key(results)) for most in (0, 3))
    for frame in (results.steps, results.layers):
        drawn, trained = (
            pd.concat([frame[(frame["run"] == run) & (frame["step"] == 0)] for run in runs])
            for runs in (of_drawn, of_trained)
        )
        assert len(drawn) == len(trained) > 0
        assert (frame.loc[frame["run"].isin(of_drawn), "step"] == 0).all()
        pd.testing.assert_frame_equal(
            drawn.drop(columns="run").reset_index(drop=True), trained.drop(columns="run").reset_index(drop=True)
        )


def key(results):
    return results.runs.set_index("run")["seed"].get


@pytest.fixture
def of_drawn():
    runs, steps, layers = frames(("relu", "tanh"), (3, 5), (1e-3,), seeds=5)
    return (
        runs.assign(steps=0),
        *(frame[frame["step"] == 0].reset_index(drop=True) for frame in (steps, layers)),
    )


def test_its_report_says_nothing_of_training(tmp_path, of_drawn):
    report.write(tmp_path, {"study": "drawn", "report": {"figures": [], "html": False}}, {}, *of_drawn)
    text = (tmp_path / "report.md").read_text()
    assert "No network was trained: nothing here speaks of what training does to them." in text
    assert "Intervals speak of initialisation (5 seeds)" in text
    for word in ("Trained at", "target loss", "batch order", "final", "at the end", "At the end"):
        assert word not in text
    assert not {path.stem for path in (tmp_path / "tables").iterdir()} & set(OF_TRAINING)
    slopes = pd.read_csv(tmp_path / "tables" / "vanishing_slopes.csv")
    assert set(slopes["at"]) == {"init"}


def test_what_is_asked_for_by_name_is_there(tmp_path, of_drawn):
    asked = {"tables": ["performance"], "figures": [], "html": False}
    report.write(tmp_path, {"study": "drawn", "report": asked}, {}, *of_drawn)
    assert (tmp_path / "tables" / "performance.csv").exists()


def test_the_terminal_has_no_table_of_performance(of_drawn):
    shown = report.headline({"question": "Why?"}, {}, *of_drawn)
    assert "No network was trained" in shown
    assert "accuracy" not in shown


def test_a_warm_up_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    schedule = "train: {schedule: {name: cosine, warmup_steps: 5}, optimizer: sgd,"
    (tmp_path / "drawn.yaml").write_text(STUDY.replace("train: {optimizer: sgd,", schedule))
    code, _, err = typed(capsys, "plan", "drawn.yaml")
    assert code == 2
    assert "warmup_steps: expected fewer than the 0 steps" in " ".join(err.split())
