"""Theory's predictions in a study's folder: one frame, written beside the measurements, and never by training."""

import json
import shutil
from concurrent.futures import BrokenExecutor

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import actlab
from actlab.analysis.predictions import beside, outside
from actlab.cli import app
from actlab.engine import handover, predicting, prediction_cells, prediction_files, store, worker_pools
from actlab.engine.control import Progress
from actlab.engine.files import DamageError
from actlab.engine.manifest import PREDICTIONS, read_manifest, write_manifest
from actlab.study import memory
from actlab.study import plan as planning
from actlab.study.columns import settings
from actlab.study.reading import read
from actlab.theory import finite_depth
from tests.moving import write_rows
from tests.serial import SerialExecutor
from tests.thinned import thinned

ACT = """
import jax.numpy as jnp

def bent(z, *, slope=0.1):
    return jnp.where(z > 0, z, slope * z)
"""
STUDY = """
study: small
data: {name: rows.csv}
model: {depth: 2, width: 8}
train: {steps: 2, batch_size: 8}
measure: {every: 2, evaluate_every: 2, probes: [preact_second_moment, signal_grad_norm]}
sweep:
  matrix:
    model.activation: [relu, act.py:bent]
    model.depth: [2, 3]
    train.learning_rate: [0.01, 0.1]
  seeds: 2
report: {tables: [performance], figures: []}
"""
OVER = "sweep.matrix={model.activation: [relu, act.py:bent], model.depth: [2, 3], train.learning_rate: [0.01, 0.1]}"
ONE = "sweep.matrix={model.activation: [relu], model.depth: [2]}"


@pytest.fixture(scope="module", autouse=True)
def predicted_here():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        patch.setattr(predicting, "computed", predicting.computed.__wrapped__)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A study with all that it names, and ``r``, its trained folder."""
    folder = tmp_path_factory.mktemp("home")
    rows = "".join(f"{i % 17},{i * i % 7},{'ab'[i % 3 % 2]}\n" for i in range(60))
    (folder / "rows.csv").write_text("x,z,y\n" + rows)
    (folder / "act.py").write_text(ACT)
    (folder / "s.yaml").write_text(STUDY)
    actlab.run(folder / "s.yaml", out=folder / "r")
    return folder


@pytest.fixture
def copy(home, tmp_path):
    return shutil.copytree(home / "r", tmp_path / "r")


def run_again(home, folder, monkeypatch, overrides=(), trains=False, **options):
    """Run a study again; a run that is trained fails the test."""

    def forbidden(*job):
        raise AssertionError("nothing is left to train")

    with monkeypatch.context() as patch:
        if not trains:
            patch.setattr(handover, "run_job", forbidden)
            patch.setattr("actlab.engine.scheduling.run_job", forbidden)
        return actlab.run(home / "s.yaml", overrides, out=folder, **options)


def without_predictions(folder):
    """Make a folder as a version wrote it that did not predict."""
    (folder / prediction_files.FILE).unlink()
    write_manifest(folder, {key: value for key, value in read_manifest(folder).items() if key != PREDICTIONS})


def content(folder):
    return (folder / prediction_files.FILE).read_bytes()


def test_every_network_is_predicted_once_however_it_is_trained(home):
    results = actlab.load(home / "r")
    frame = results.predictions
    assert set(frame["activation"]) == {"relu", "bent"}
    assert frame["cell"].nunique() == 4  # of 16 runs: seeds and learning rates share them
    assert "learning_rate" not in frame
    assert "seed" not in frame
    assert not frame.duplicated(["cell", "measure", "layer"]).any()
    for (_, depth), rows in frame.groupby(["cell", "depth"]):
        layers = rows.loc[rows["measure"] == "log10_signal_grad_norm", "layer"]
        assert layers.tolist() == list(range(1, depth + 1))
    assert np.isfinite(frame[["value", "numerical_error", "spread"]].to_numpy()).all()
    assert frame["assumption"].str.len().min() > 0
    assert read_manifest(home / "r")[PREDICTIONS]["versions"]["actlab"] == store.versions()["actlab"]


def test_a_prediction_is_theorys_of_what_the_run_begins_with(home):
    results = actlab.load(home / "r")
    run = results.runs[(results.runs["activation"] == "bent") & (results.runs["depth"] == 3)].iloc[0]
    rows, x = results.data(run), results.data(run)["probe"].x.astype(float)
    std = [np.sqrt(1 / (fan * second_moment(0.1))) for fan in (2, 8, 8)]
    setting = finite_depth.Setting(
        lambda z: jnp.where(z > 0, z, 0.1 * z),
        None,
        tuple(std),
        (0.0,) * 3,
        (0.0,) * 3,
        8,
        "classification",
        2,
        x,
        rows["probe"].y,
        rows["train"].x.astype(float),
    )
    frame = results.where("activation=bent,depth=3").predictions
    found = {(one.measure, one.layer): one.value for one in frame.itertuples()}
    expected = {(one.measure, one.layer): one.value for one in finite_depth.predict(setting)}
    for place in (("preact_second_moment", 3), ("log10_signal_grad_norm", 1), ("vanishing_slope", 0)):
        assert found[place] == pytest.approx(expected[place], rel=1e-6, abs=1e-9)
    # Layer 1 by hand: a linear map of the rows.
    assert found["preact_second_moment", 1] == pytest.approx(std[0] ** 2 * np.mean(np.sum(x**2, axis=1)), rel=1e-6)


def second_moment(slope):
    """E φ(Z)² of max(z, 0) + slope·min(z, 0)."""
    return (1 + slope**2) / 2


def test_measured_stands_beside_predicted_of_each_network_once(home):
    results = actlab.load(home / "r")
    table = beside(results.layers, results.steps, results.runs, results.predictions)
    assert len(table) == len(results.predictions)
    some = table[table["measure"] == "preact_second_moment"]
    assert (some["n"] == 2).all()  # seeds, not the four runs of both learning rates
    one = some[(some["activation"] == "bent") & (some["depth"] == 3) & (some["layer"] == 2)].iloc[0]
    runs = results.runs[(results.runs["activation"] == "bent") & (results.runs["depth"] == 3)]
    begun = results.layers[(results.layers["step"] == 0) & (results.layers["layer"] == 2)]
    values = begun[begun["run"].isin(runs["run"])].merge(runs[["run", "seed"]], on="run")
    by_seed = values.groupby("seed")["preact_second_moment"].first()
    assert one["measured"] == pytest.approx(by_seed.mean())
    assert one["standard_error"] == pytest.approx(by_seed.std(ddof=1) / np.sqrt(2))
    assert one["deviation"] == pytest.approx((one["measured"] - one["predicted"]) / one["spread"])
    slopes = table[(table["layer"] == 0) & (table["measure"] == "vanishing_slope")]
    assert len(slopes) == 2
    assert np.isfinite(slopes["measured"]).all()
    unmeasured = table[table["measure"] == "correlation"]
    assert (unmeasured["n"] == 0).all()
    assert unmeasured["measured"].isna().all()


def test_conditions_choose_predictions_too(home):
    results = actlab.load(home / "r").where("activation=relu,depth=3")
    assert set(results.predictions["activation"]) == {"relu"}
    assert set(results.predictions["depth"]) == {3}
    assert actlab.load(home / "r").where("learning_rate=0.1").predictions["cell"].nunique() == 4


def test_a_study_from_before_has_none_until_it_is_run_and_nothing_is_trained(home, copy, monkeypatch):
    without_predictions(copy)
    before = actlab.load(copy)
    assert before.predictions.empty
    assert list(before.predictions) == list(actlab.load(home / "r").predictions)
    assert beside(before.layers, before.steps, before.runs, before.predictions).empty
    actlab.report(copy)
    assert not (copy / prediction_files.FILE).exists()
    parts = {path.name: path.read_bytes() for path in (copy / "parts").iterdir()}
    run_again(home, copy, monkeypatch)
    assert content(copy) == content(home / "r")
    assert {path.name: path.read_bytes() for path in (copy / "parts").iterdir()} == parts
    written = (copy / prediction_files.FILE).stat().st_mtime_ns
    run_again(home, copy, monkeypatch)
    assert (copy / prediction_files.FILE).stat().st_mtime_ns == written  # nothing to add


def flipped(folder):
    path = folder / prediction_files.FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def unlisted(folder):
    flipped(folder)
    write_manifest(folder, {key: value for key, value in read_manifest(folder).items() if key != PREDICTIONS})


DAMAGE = {
    "altered": (flipped, "altered or cut short"),
    "cut short": (lambda folder: (folder / prediction_files.FILE).write_bytes(content(folder)[:99]), "cut short"),
    "gone": (lambda folder: (folder / prediction_files.FILE).unlink(), "is gone"),
    "not listed": (unlisted, "predictions.parquet"),
    "a folder": (
        lambda folder: [(folder / prediction_files.FILE).unlink(), (folder / prediction_files.FILE).mkdir()],
        "",
    ),
    "of something else": (
        lambda folder: [
            unlisted(folder),
            shutil.copy(next((folder / "parts").iterdir()), folder / prediction_files.FILE),
        ],
        "other columns",
    ),
}


@pytest.mark.parametrize("kind", thinned(DAMAGE, 3))
def test_damage_is_named_and_mended_without_training(kind, home, copy, monkeypatch):
    spoil, said = DAMAGE[kind]
    spoil(copy)
    with pytest.raises(DamageError, match=prediction_files.FILE) as raised:
        actlab.load(copy)
    assert said in str(raised.value)
    partly = actlab.load(copy, partial=True)
    assert partly.predictions.empty
    assert len(partly.runs) == 16
    assert prediction_files.FILE in partly.damage[0]
    notes = []
    run_again(home, copy, monkeypatch, note=notes.append)
    assert any(prediction_files.FILE in line and "without training" in line for line in notes)
    assert content(copy) == content(home / "r")


def test_damaged_predictions_stop_only_what_needs_them_and_are_not_called_lost_runs(home, copy, tmp_path):
    DAMAGE["cut short"][0](copy)
    mends = f"`actlab run {copy}/study.yaml --out {copy}` "
    with pytest.raises(DamageError, match="theory's predictions") as raised:
        actlab.report(copy)
    assert mends + "trains nothing, and computes again" in str(raised.value)
    with pytest.raises(DamageError, match="theory's predictions") as raised:
        actlab.merge(copy, home / "r", out=tmp_path / "both")
    assert mends + "computes them again, without training; then merge" in str(raised.value)
    results = store.load(copy, predictions=False)
    assert len(results.runs) == 16
    assert not results.damage
    assert mends in results.notes[0]
    table = actlab.compare(copy, metric="train_loss", over="learning_rate")
    assert "theory's predictions" in table.attrs["notes"][0]
    for command in (["runs", str(copy)], ["show", str(copy), results.runs["run"][0]]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0
        assert "without training" in done.output + done.stderr
    done = CliRunner().invoke(app, ["plan", str(home / "s.yaml"), "--out", str(copy)])
    assert "computes them, without training" in " ".join(done.stderr.split())
    assert "trains again" not in done.stderr


def test_a_plan_counts_what_settings_put_outside_theory_and_computes_nothing(home, monkeypatch):
    monkeypatch.setattr(finite_depth, "predict", None)
    monkeypatch.setattr(finite_depth, "outside", None)
    over = "sweep.matrix={model.norm: [none, layer], model.depth: [2, 3, 5]}"
    plan = planning.plan(read(home / "s.yaml", [over, "sweep.seeds=1"]))
    assert prediction_cells.outside_by_settings(plan) == {"normalisation": 3, "depth/width above 0.5": 1}
    done = CliRunner().invoke(app, ["plan", str(home / "s.yaml"), over, "--json"])
    assert json.loads(done.stdout)["outside_theory"] == {"normalisation": 3, "depth/width above 0.5": 1}
    done = CliRunner().invoke(app, ["plan", str(home / "s.yaml"), over])
    assert "normalisation (3 cells); depth/width above 0.5 (1 cell)" in " ".join(done.stdout.split())


def test_no_more_processes_predict_than_fit_in_memory(home, copy, monkeypatch):
    sizes = [memory.prediction_bytes(*one) for one in ((2, 8), (50, 8), (50, 512), (100, 512), (100, 512, 10**8))]
    assert sizes == sorted(set(sizes))
    monkeypatch.setattr(predicting, "cores", lambda: 8)
    each = sizes[2]
    found = [predicting.most_processes(each, one) for one in (None, 1e15, 4.5 * each, 0.5 * each)]
    assert found == [8, 8, 4, 1]
    given = []

    def computed(cells, folder, processes, tell, done, most):
        given.append(most)
        done |= {name: prediction_files.rows_of(name, "", ()) for name in cells}

    monkeypatch.setattr(predicting, "computed", computed)
    plan = planning.plan(read(home / "s.yaml", [ONE]))
    without_predictions(copy)
    predicting.bring_up_to_date(plan, store.Stored(copy), None, None, memory=3e9)
    assert given == [int(0.9 * 3e9 / prediction_cells.bytes_of(plan))]


def test_a_run_that_was_killed_before_it_noted_them_loses_nothing(home, copy, monkeypatch):
    write_manifest(copy, {key: value for key, value in read_manifest(copy).items() if key != PREDICTIONS})
    assert len(actlab.load(copy).predictions) == len(actlab.load(home / "r").predictions)


def test_merged_folders_have_the_predictions_of_one(home, tmp_path, monkeypatch):
    for i, activation in enumerate(("relu", f"{home / 'act.py'}:bent")):
        folder = shutil.copytree(home / "r", tmp_path / f"m{i}")
        run_again(home, folder, monkeypatch, [f"model.activation={activation}"], prune=True)
    one, other = tmp_path / "m0", tmp_path / "m1"
    assert actlab.load(one).predictions["cell"].nunique() == 2
    actlab.merge(one, other, out=tmp_path / "both")
    assert content(tmp_path / "both") == content(home / "r")
    assert actlab.load(tmp_path / "both").manifest[PREDICTIONS] == read_manifest(home / "r")[PREDICTIONS]
    without_predictions(one)
    actlab.merge(one, other, out=tmp_path / "some")
    assert set(actlab.load(tmp_path / "some").predictions["activation"]) == {"bent"}
    without_predictions(other)
    actlab.merge(one, other, out=tmp_path / "none")
    assert actlab.load(tmp_path / "none").predictions.empty


def test_what_is_not_asked_for_any_more_is_kept_until_it_is_pruned(home, copy, monkeypatch):
    whole = content(copy)
    run_again(home, copy, monkeypatch, ["model.activation=relu"])
    assert set(actlab.load(copy).predictions["activation"]) == {"relu"}
    assert content(copy) == whole
    run_again(home, copy, monkeypatch, ["model.activation=relu"], prune=True)
    assert len(content(copy)) < len(whole)
    assert actlab.load(copy).predictions["cell"].nunique() == 2


def test_a_copied_folder_keeps_them_and_a_fresh_one_computes_the_same(home, copy, monkeypatch):
    monkeypatch.setattr(predicting, "computed", lambda *_: pytest.fail("nothing is missing"))
    actlab.run(copy / "study.yaml", out=copy)
    assert content(copy) == content(home / "r")
    monkeypatch.undo()


def test_an_interrupted_run_keeps_the_cells_that_are_done(home, copy, monkeypatch):
    whole = content(copy)
    (copy / "predictions.parquet").unlink()
    real, asked = prediction_cells.predicted, []

    def until_interrupted(cell, *where):
        asked.append(cell)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(cell, *where)

    monkeypatch.setattr(prediction_cells, "predicted", until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        actlab.run(copy / "study.yaml", out=copy)
    kept = prediction_files.by_cell(prediction_files.read(copy, read_manifest(copy))[0])
    assert kept
    actlab.run(copy / "study.yaml", out=copy)
    assert content(copy) == whole
    cells = prediction_files.by_cell(prediction_files.read(copy, read_manifest(copy))[0])
    assert len(asked) == 3 + len(cells) - len(kept)


@pytest.mark.thorough
def test_more_cells_are_added_and_no_other_is_computed_again(home, tmp_path, monkeypatch):
    folder, asked = tmp_path / "r", []
    run_again(home, folder, monkeypatch, [ONE], trains=True)
    real = prediction_cells.predicted
    monkeypatch.setattr(prediction_cells, "predicted", lambda cell, *where: asked.append(cell) or real(cell, *where))
    run_again(home, folder, monkeypatch, [ONE.replace("[2]", "[2, 3]")], trains=True)
    assert [len(cell.weight_std) for cell in asked] == [3]
    run_again(home, folder, monkeypatch, [ONE.replace("[2]", "[2, 3]"), "sweep.seeds=3"], trains=True)
    assert len(asked) == 1  # another seed is another draw of the same
    runs = actlab.load(folder).runs
    cells = prediction_files.by_cell(prediction_files.read(folder, read_manifest(folder))[0])
    assert sorted(run for rows in cells.values() for run in prediction_files.runs_of(rows)) == sorted(runs["run"])


def test_a_cell_tells_how_weights_are_drawn(home):
    texts, names = {}, set()
    for init in ("lecun_normal", "lecun_uniform", "normalized_columns"):
        plan = planning.plan(read(home / "s.yaml", [ONE, f"model.weight_init={init}", "sweep.seeds=1"]))
        ((name, (cell, _)),) = prediction_cells.cells_of(plan).items()
        frame = prediction_cells.predicted(cell, name, home / "r" / "sources").to_pandas()
        names.add(name)
        texts[init] = set(frame.loc[frame["measure"] == "act_mean", "assumption"])
    assert len(names) == 3
    assert texts["lecun_normal"] == {"infinite width"}
    assert texts["lecun_uniform"] == {"infinite width and many inputs; spread of Gaussian weights"}
    assert texts["normalized_columns"] == texts["lecun_uniform"]


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("model.norm=layer", "normalisation"),
        ("model.residual=true", "residual connections"),
        ("sweep.matrix={model.depth: [5]}", "depth/width is 0.62"),
    ],
)
def test_outside_theory_the_row_says_why(override, reason, home):
    plan = planning.plan(read(home / "s.yaml", [ONE, override, "sweep.seeds=1"]))
    ((name, (cell, _)),) = prediction_cells.cells_of(plan).items()
    rows = prediction_cells.predicted(cell, name, home / "r" / "sources")
    assert prediction_files.why_not(rows).startswith(f"outside theory: {reason}")
    runs = pd.DataFrame({"run": list(plan.runs), "depth": [len(cell.weight_std)]})
    frame = prediction_files.frame_of(prediction_files.of_runs(rows, plan.runs), runs, settings())
    assert frame["measure"].tolist() == [""]
    assert outside(frame)["assumption"].tolist() == [prediction_files.why_not(rows)]


def test_what_fails_in_theory_ends_no_run_and_is_tried_again(home, copy, monkeypatch):
    without_predictions(copy)
    with monkeypatch.context() as patch:
        patch.setattr(finite_depth, "predict", lambda setting: 1 / 0)
        frame = run_again(home, copy, monkeypatch).predictions
    assert set(frame["assumption"]) == {"could not be computed: ZeroDivisionError: division by zero"}
    run_again(home, copy, monkeypatch)
    assert content(copy) == content(home / "r")


def test_a_worker_that_dies_costs_one_cell(home, copy, monkeypatch):
    class Dies(SerialExecutor):
        def submit(self, function, /, *args, **kwargs):
            job = getattr(function, "func", None), *getattr(function, "args", ())
            if job[0] is prediction_cells.predicted and len(job[1].weight_std) == 3:
                raise BrokenExecutor("killed")
            return super().submit(function, *args, **kwargs)

    without_predictions(copy)
    monkeypatch.setattr(worker_pools, "local", lambda *_: Dies())
    frame = run_again(home, copy, monkeypatch).predictions
    assert frame[frame["depth"] == 3]["assumption"].str.startswith("could not be computed: its process died").all()
    assert (frame[frame["depth"] == 2]["measure"] != "").all()


@pytest.mark.thorough
def test_tuned_and_fresh_runs_share_a_network(home, tmp_path, monkeypatch):
    sweep = (
        "sweep={matrix: {train.learning_rate: [0.01, 0.1]}, seeds: 1, select: {over: train.learning_rate, seeds: 1}}"
    )
    results = run_again(home, tmp_path / "r", monkeypatch, [sweep], trains=True)
    assert set(results.runs["stage"]) == {"tuning", "fresh"}
    assert results.predictions["cell"].nunique() == 1
    (rows,) = prediction_files.by_cell(prediction_files.read(tmp_path / "r", results.manifest)[0]).values()
    assert sorted(prediction_files.runs_of(rows)) == sorted(results.runs["run"])


def test_neither_loading_nor_planning_nor_comparing_computes_any(home, copy, monkeypatch):
    without_predictions(copy)
    monkeypatch.setattr(prediction_cells, "cells_of", lambda plan: pytest.fail("asked for"))
    monkeypatch.setattr(finite_depth, "predict", lambda setting: pytest.fail("asked for"))
    actlab.load(copy)
    actlab.report(copy)
    actlab.compare(copy, by=["activation", "depth"], over="learning_rate", metric="preact_second_moment")
    planning.plan(read(home / "s.yaml"))


def test_how_far_it_is_is_told_where_it_takes_a_while(home, copy, monkeypatch):
    without_predictions(copy)
    monkeypatch.setattr(predicting, "PATIENCE", -1.0)
    told = []
    run_again(home, copy, monkeypatch, progress=told.append)
    counts = [(one.predicted, one.to_predict) for one in told if one.phase == "predicting"]
    assert counts == sorted(counts)
    assert counts[-1] == (4, 4)
    assert Progress(1.0, 1, 1, 1, 1, {}, predicted=1, to_predict=2, written=1, to_write=2).phase == "writing"


def test_settings_without_a_value_are_no_columns():
    runs = pd.DataFrame({"run": ["a"], "depth": [2], "target": [None], "optimizer": ["adam"]})
    assert list(prediction_files.frame_of(None, runs, settings()))[:2] == ["cell", "depth"]


def test_rows_of_another_parts_folder_are_not_taken(home, copy):
    write_rows(copy, lambda row: row["activation"] == "relu")
    frame = actlab.load(copy, partial=True).predictions
    assert set(frame["activation"]) == {"relu"}


def test_spreads_of_the_smallest_numbers_have_squares():
    rows = [("preact_second_moment", 1, 7.6e-24, 1e-30, 4e-25, "infinite width")]
    table = prediction_files.of_runs(prediction_files.rows_of("cell", "", rows), ["a"])
    runs = pd.DataFrame({"run": ["a"], "activation": ["tanh"]})
    frame = prediction_files.frame_of(table, runs, settings())
    assert (frame["spread"] ** 2).min() > 0
