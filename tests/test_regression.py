"""Regression from the command line to its tables: R² by definition, and what a run says to a program."""

import json

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab import cli, data, interrupts
from actlab.analysis import answers
from actlab.cli.answering import answering, name_of
from actlab.engine import records, worker_pools
from actlab.engine.control import Progress
from actlab.engine.train_study import RunError
from tests import synthetic
from tests.serial import SerialExecutor
from tests.test_records import EVALUATED, row_of, some_records

STUDY = """
study: s
data: {name: diabetes}
model: {depth: 2, width: 4, dtype: float64}
train: {optimizer: sgd, steps: 6, batch_size: 8}
measure: {every: 3, evaluate_every: 6, probes: [act_mean]}
sweep: {matrix: {train.learning_rate: [1e-3, 1e30]}, seeds: 2}
report: {tables: [performance], figures: []}
"""
SPLITS = ("train", "validation", "test")


def call(words):
    """Call the command line in this process: its exit code."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.argv", ["actlab", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
    return stop.value.code


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study of four runs, two of which diverge: its folder, and the path of its YAML."""
    folder = tmp_path_factory.mktemp("regression")
    (folder / "s.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        actlab.run(folder / "s.yaml", ["sweep.seeds=1"], out=folder / "r")
    return folder


def test_r2_is_one_minus_sse_over_sst(trained):
    results = actlab.load(trained / "r")
    rows = data.load("diabetes")
    ok = results.runs[results.runs["status"] == "ok"].iloc[0]
    own = results.steps[results.steps["run"] == ok["run"]]
    for split in SPLITS:
        y = np.asarray(getattr(rows, split).y, np.float64)
        sst = sum((one - y.mean()) ** 2 for one in y.ravel())
        for _, record in own.iterrows():
            sse = record[f"{split}_loss"] * len(y)
            np.testing.assert_allclose(record[f"{split}_r2"], 1 - sse / sst, rtol=1e-12)
        assert ok[f"{split}_r2"] == own[f"{split}_r2"].iloc[-1]
    lost = results.runs[results.runs["status"] == "diverged"]
    assert len(lost) == 1
    assert lost[[f"{split}_r2" for split in SPLITS]].isna().all(axis=None)


def test_a_row_has_r2_from_residuals_and_nan_where_targets_do_not_vary():
    rng = np.random.default_rng(0)
    losses, expected, variances = {}, {}, {}
    for split in SPLITS:
        y, f = rng.normal(2, 3, size=(50, 1)), rng.normal(size=(6, 50, 1))
        there = EVALUATED | (split == "train")
        losses[f"{split}_loss"] = np.where(there, np.mean((y - f) ** 2, axis=(1, 2)), np.nan)
        variances[split] = data.splits.target_variance(y)
        sse, sst = np.sum((y - f) ** 2, axis=(1, 2)), np.sum((y - np.mean(y)) ** 2)
        expected[split] = np.where(there, 1 - sse / sst, np.nan)
    row = row_of(some_records(**losses), target_variances=variances)
    for split in SPLITS:
        np.testing.assert_allclose(row[f"steps.{split}_r2"], expected[split], rtol=1e-12)
        assert row[f"{split}_r2"] == row[f"steps.{split}_r2"][-1]
    constant = row_of(some_records(**losses), target_variances={**variances, "test": float("nan")})
    assert np.isnan(constant["steps.test_r2"]).all()
    assert not np.isnan(constant["steps.train_r2"]).any()
    diverged = row_of(some_records(**losses), target_variances=variances, diverged_step=40)
    assert np.isnan(diverged["test_r2"])
    assert not any(name.endswith("_r2") for name in row_of(some_records()))  # classification has none
    assert np.isnan(records.r_squared(np.array([np.inf, np.nan]), 1.0)).all()


def test_several_targets_are_pooled_and_classification_has_none():
    y = np.random.default_rng(1).normal(size=(30, 3)) * [1.0, 2.0, 5.0] + 7
    f = y + 0.1
    sst, sse = np.sum((y - y.mean(axis=0)) ** 2), np.sum((y - f) ** 2)
    assert records.r_squared(np.mean((y - f) ** 2), data.splits.target_variance(y)) == pytest.approx(1 - sse / sst)
    assert data.load("iris").target_variances == {}
    assert set(data.load("diabetes").target_variances) == set(SPLITS)


def test_tables_runs_and_comparisons_have_it(trained, capsys):
    folder = trained / "r"
    own = actlab.load(folder).runs.set_index("status").loc["ok", "test_r2"]
    table = pd.read_csv(folder / "tables" / "performance.csv")
    assert set(table["measure"]) == {"test_loss", "test_r2"}
    text = (folder / "tables" / "performance.md").read_text()
    assert "test R²" in text
    assert "1 − loss / variance" in text
    assert call(["compare", folder, "--metric", "test_r2", "--by", "learning_rate", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["mean"] for row in rows if row["n"]] == [own]
    assert call(["runs", folder, "--where", "test_r2<2", "--json"]) == 0
    assert [row["test_r2"] for row in json.loads(capsys.readouterr().out)] == [own]
    assert call(["runs", folder]) == 0
    assert "test_r2" in capsys.readouterr().out
    run = actlab.load(folder).runs.set_index("status").loc["ok", "run"]
    assert call(["show", folder, run]) == 0
    assert "test R²" in capsys.readouterr().out


def test_regression_stored_before_it_was_measured_is_named(tmp_path):
    synthetic.study(tmp_path / "old", task="regression", seeds=1)
    results = actlab.load(tmp_path / "old")
    assert {name: results.lacking[name] for name in results.lacking if name.endswith("_r2")} == dict.fromkeys(
        [f"{split}_r2" for split in SPLITS], len(results.runs)
    )
    assert results.runs["test_r2"].isna().all()
    actlab.report(tmp_path / "old", own=False)
    assert "R²" not in (tmp_path / "old" / "tables" / "performance.md").read_text()
    synthetic.study(tmp_path / "digits", seeds=1)
    assert not any(name.endswith("_r2") for name in (actlab.load(tmp_path / "digits").lacking))


# run --json and plan --json


def test_a_run_says_what_it_did_and_nothing_else_on_standard_output(trained, monkeypatch, capsys):
    monkeypatch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    words = ["run", trained / "s.yaml", "--out", trained / "r", "--json"]
    assert call(words) == 0
    out, err = capsys.readouterr()
    said = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert list(said) == list(answers.RunAnswer.model_fields)
    counts = {name: said[name] for name in ("planned", "stored", "trained", "missing", "left_out", "ok", "diverged")}
    assert counts == {
        "planned": 4, "stored": 2, "trained": 2, "missing": 0, "left_out": 0, "ok": 2, "diverged": 2
    }  # fmt: skip
    assert (said["outcome"], said["exit"], said["study"], said["error"]) == ("done", 0, "s", None)
    assert said["folder"] == str(trained / "r")
    assert said["seconds"] > 0
    table = pd.read_csv(trained / "r" / "tables" / "performance.csv")
    assert [row["measure"] for row in said["headline"]["rows"]] == table["measure"].tolist()
    np.testing.assert_allclose(
        [np.nan if row["mean"] is None else row["mean"] for row in said["headline"]["rows"]], table["mean"], rtol=1e-9
    )
    assert {str(trained / "r" / name) for name in ("report.md", "tables/performance.csv", "study.yaml")} <= set(
        said["files"]
    )
    assert "2 of 4 runs were already stored" in err
    assert "4/4 runs" in err
    assert call(words) == 0  # again: nothing is left to train
    said = json.loads(capsys.readouterr().out)
    assert (said["stored"], said["trained"], said["outcome"]) == (4, 0, "done")


def test_a_plan_has_the_documented_fields(trained, capsys):
    for words in (["plan"], ["run", "--dry-run"]):
        assert call([*words, trained / "s.yaml", "--out", trained / "none", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert list(said) == list(answers.PlanAnswer.model_fields)
        assert (said["planned"], said["stored"], said["to_train"], len(said["runs"])) == (4, 0, 4, 4)
        assert {"run", "seed", "learning_rate"} <= set(said["runs"][0])
        assert said["folder"] == str(trained / "none")
    assert not (trained / "none").exists()


def begins(error):
    """Stand for a run that has trained one run of four when something happens."""

    def run(config, overrides, *, progress, note, **_):
        note("part x is damaged")
        progress(Progress(0.25, 1, 4, 1, 4, {"job": "job: no memory"}))
        raise error

    return run


def test_however_a_run_ends_it_says_so(trained, monkeypatch, capsys):
    endings = {
        "incomplete": (RunError(trained, {"job": "job: no memory"}), 1),
        "interrupted": (KeyboardInterrupt(), 130),
    }
    for outcome, (error, code) in endings.items():
        monkeypatch.setattr(actlab, "run", begins(error))
        assert call(["run", trained / "s.yaml", "--json"]) == code
        said = json.loads(capsys.readouterr().out)
        assert (said["outcome"], said["exit"]) == (outcome, code)
        assert said["failures"] == ["job: no memory"]
        assert said["notes"] == ["part x is damaged"]
        assert (said["headline"], said["planned"]) == (None, None)
        assert bool(said["error"]) == (code == 1)


def test_what_is_known_of_a_run_that_fails_is_what_is_stored(trained, monkeypatch, capsys):
    real = actlab.run

    def run(config, overrides, **options):
        real(config, overrides, **options)
        raise RunError(trained / "r", {"job": "job: no memory"})

    monkeypatch.setattr(actlab, "run", run)
    assert call(["run", trained / "s.yaml", "sweep.seeds=2", "--out", trained / "r", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["planned"] == said["stored"] + said["trained"] + said["missing"]
    assert said["folder"] == str(trained / "r")


def test_a_wrong_request_has_no_object(trained, capsys):
    for words in ([trained / "s.yaml", "model.dpeth=3"], [trained / "no.yaml"], [trained / "s.yaml", "--memory", "x"]):
        assert call(["run", *words, "--json", "--out", trained / "none"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err
    assert not (trained / "none").exists()


def test_a_process_that_is_ended_as_it_stands_says_what_it_knows(trained, capfd):
    with answering(True, trained / "s.yaml", (), None, False) as answer:
        answer.watching(lambda state: None)(Progress(0.5, 2, 4, 1, 2, {}))
        while interrupts.wills:
            interrupts.wills.pop()()
    said = json.loads(capfd.readouterr().out)  # one object, although the block then ends as if all were well
    assert (said["outcome"], said["exit"]) == ("interrupted", 130)


def test_a_study_is_named_as_overrides_have_it(trained):
    assert name_of(trained / "s.yaml", ["study=other", "model.depth=3"]) == "other"
    assert name_of(trained / "s.yaml", []) == "s"
