"""Trained weights on request: they change no number, are whole or not at all, and give the stored losses again."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import actlab
from actlab.cli import report_error
from actlab.engine import (
    control,
    environment,
    kept,
    run_batch,
    setting_aside,
    store,
    trained_again,
    weight_files,
    worker,
    worker_pools,
)
from actlab.engine.files import DamageError, StoreError
from actlab.engine.train_study import RunError
from actlab.nn import weights as by_name
from actlab.sources import UntrustedError
from actlab.study.reading import StudyError, read
from tests.serial import SerialExecutor

HEAD = """
study: s
data: {name: iris}
train: {steps: 12, batch_size: 16}
measure: {every: 4, evaluate_every: 4, probe_rows: 20, probes: [signal_grad_norm, act_mean]}
report: {tables: [], figures: []}
"""
PLAIN = (
    HEAD
    + """
model: {width: 4, bias_init: {name: normal, std: 0.2}}
sweep:
  matrix: {model.activation: [relu, prelu, selu], model.depth: [2, 5], train.learning_rate: [1e-2, 1e30]}
  exclude:
    - {model.activation: relu, model.depth: 5}
    - {model.activation: prelu, model.depth: 2}
    - {model.activation: selu, model.depth: 2}
    - {model.activation: prelu, train.learning_rate: 1e30}
    - {model.activation: selu, train.learning_rate: 1e30}
  seeds: 2
"""
)
"""Eight runs, two of which diverge beside two that do not; relu is less deep than its programs."""
OWN = (
    HEAD.replace("iris", "diabetes")
    + """
model:
  {width: 4, depth: 3, activation: {name: act.py:bent, per: unit}, norm: batch, residual: true,
   dropout: {rate: 0.2, kind: alpha}}
sweep: {matrix: {model.activation: [{name: act.py:bent, per: unit}, {name: prelu, per: unit}]}}
"""
)
ACT = """import actlab

@actlab.activation(learnable=("slope",))
def bent(z, *, slope=0.1, scale=2.0):
    return z / (scale + z * z) + slope * z
"""


@pytest.fixture(scope="module", autouse=True)
def serial():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        yield


def run(text, at, *overrides):
    """Train a study in a folder, in this process."""
    at.mkdir(parents=True, exist_ok=True)
    (at / "s.yaml").write_text(text)
    said = []
    results = actlab.run(at / "s.yaml", overrides, out=at / "r", note=said.append)
    return results, said


def parts(folder):
    return {path.name: path.read_bytes() for path in (folder / "parts").iterdir()}


def files(folder):
    return sorted(path.name for path in (folder / "weights").glob("*.safetensors"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A study without weights, the same with those at the end, the same with all: each trained by itself.

    Those at the end are had as docs/study.md says.
    """
    made = {which: tmp_path_factory.mktemp(which) for which in ("none", "final", "records")}
    for which in ("none", "records"):
        run(PLAIN, made[which], f"measure.keep_weights={which}")
    (code,) = re.findall("```python\n(.*?)```", section("Trained weights"), re.DOTALL)
    for name in ("s.yaml", "my_depth.yaml"):
        (made["final"] / name).write_text(PLAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made["final"])
        told = {}
        exec(compile(code, "docs/study.md", "exec"), told)
    assert told["outputs"].shape == (30, 3)
    assert all(name.split(".")[0] in ("layers", "readout") for name in told["weights"])
    (made["final"] / "results" / "s").rename(made["final"] / "r")
    return {which: at / "r" for which, at in made.items()}


def section(title):
    """One section of docs/study.md."""
    text = (Path(__file__).parents[1] / "docs" / "study.md").read_text(encoding="utf-8")
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def copy_of(folder, at):
    shutil.copytree(folder, at / "r")
    shutil.copy(folder.parent / "s.yaml", at / "s.yaml")
    return at / "r"


def again(folder, which):
    said = []
    results = actlab.run(folder.parent / "s.yaml", [f"measure.keep_weights={which}"], out=folder, note=said.append)
    return results, said


def no_training(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(worker, "train_batches", fail)


# No number is another


def test_weights_change_no_bit_and_no_name(plain, monkeypatch, tmp_path):
    assert not (plain["none"] / "weights").exists()
    for which in ("final", "records"):
        assert parts(plain[which]) == parts(plain["none"])
        assert (plain[which] / "planned.txt").read_bytes() == (plain["none"] / "planned.txt").read_bytes()
    no_training(monkeypatch)
    for stored, asked in (("final", "final"), ("records", "records"), ("records", "final"), ("final", "none")):
        folder = copy_of(plain[stored], tmp_path / f"{stored}-{asked}")
        _, said = again(folder, asked)
        assert [one for one in said if "the report is up to date" not in one] == []
        assert files(folder) == files(plain[stored])


def test_runs_that_are_stored_without_are_trained_again_for_them(plain, tmp_path):
    folder = copy_of(plain["none"], tmp_path)
    before = parts(folder)
    for which in ("final", "records"):
        results, (said,) = again(folder, which)
        assert f"{len(results.runs)} runs are stored without the weights that measure.keep_weights asks for" in said
        assert parts(folder) == before
        for name in files(plain[which]):
            assert (folder / "weights" / name).read_bytes() == (plain[which] / "weights" / name).read_bytes()
    assert actlab.load(folder).study["measure"]["keep_weights"] == "records"
    assert not list(folder.rglob("*.again"))
    log = (folder / "run.log").read_text()
    assert "take the place" not in log


def test_a_study_that_keeps_weights_can_change(plain, tmp_path, monkeypatch):
    """Runs that it no longer asks for have parts of their own by then, of which none is asked for."""
    folder = copy_of(plain["final"], tmp_path)
    no_training(monkeypatch)
    less = ["measure.keep_weights=final", "sweep.seeds=1"]
    before, said = files(folder), []
    for options in ({}, {}, {"prune": True}):
        results = actlab.run(folder.parent / "s.yaml", less, out=folder, note=said.append, **options)
        assert len(results.runs) == 4
        assert all(results.weights(run) for run in results.runs["run"])
        assert options or files(folder) == before
    assert set(files(folder)) <= set(before)
    kept = {run for file in weight_files.listed(folder) for run in file.runs}
    assert kept >= set(results.runs["run"])
    assert all(set(file.runs) & set(results.runs["run"]) for file in weight_files.listed(folder))


def test_rows_of_another_version_are_replaced_by_those_whose_weights_are_kept(plain, tmp_path, monkeypatch):
    folder = copy_of(plain["none"], tmp_path)
    original = environment.environment_columns
    monkeypatch.setattr(environment, "environment_columns", lambda *given: original(*given) | {"jax": "9.9"})
    one = actlab.load(folder).runs["run"].iloc[0]
    results, _ = again(folder, "final")
    assert set(results.runs["jax"]) == {"9.9"}
    assert sorted(results.runs["run"]) == sorted(actlab.load(plain["none"]).runs["run"])
    assert not results.damage
    assert results.notes == ()
    assert results.weights(one)
    assert "take the place of the old ones" in (folder / "run.log").read_text()
    assert len(parts(folder)) == 1


def test_some_rows_of_a_part_can_be_replaced(plain, tmp_path):
    folder = copy_of(plain["none"], tmp_path)
    stored = store.Stored(folder)
    (whole,) = stored.read().tables.values()
    new = whole.take([0, 3])
    at = new.column_names.index("jax")
    new = new.set_column(at, "jax", [["9.9", "9.9"]])
    assert trained_again.put(stored, whole.take([0, 3])) == 0
    assert trained_again.put(stored, new) == 2
    runs = actlab.load(folder).runs.set_index("run")["jax"]
    assert len(runs) == len(whole)
    assert sorted(runs[runs == "9.9"].index) == sorted(new["run"].to_pylist())


# The network again


def check_network(results, name, step=None):
    """The module gives stored losses again, and the signal gradient of each layer; norms and residuals included."""
    row = results.runs.set_index("run").loc[name]
    of = results.steps[results.steps["run"] == name]
    at = of.iloc[-1] if step is None else of[of["step"] == step].iloc[0]
    data, weights, network = results.data(name), results.weights(name, step), results.model(name, step)

    def losses(shifts, x, y):
        h = x
        for layer, shift in zip(network.hidden, shifts, strict=True):
            passed = layer.activation(layer.normalised(layer.affine(h) + shift, None))
            h = h + passed if layer.residual else passed
        outputs = network.readout(h)
        if row["task"] == "classification":
            return optax.softmax_cross_entropy_with_integer_labels(outputs, y)
        return jnp.mean((outputs - y) ** 2, axis=-1)

    @jax.jit
    def numbers(test, probe):
        blank = [jnp.zeros((len(probe[0]), row["width"]))] * row["depth"]
        pulled = jax.grad(lambda shifts: jnp.sum(losses(shifts, *probe)))(blank)
        norms = [jnp.sqrt(jnp.mean(jnp.sum(g**2, axis=1))) for g in pulled]
        return network(test[0]), jnp.mean(losses([0.0] * row["depth"], *test)), norms

    outputs, value, by_layer = numbers((data["test"].x, data["test"].y), (data["probe"].x, data["probe"].y))
    np.testing.assert_allclose(value, at["test_loss"], rtol=2e-6)
    if step is None:
        assert at["test_loss"] == row["test_loss"]
    if row["task"] == "classification":
        assert np.mean(np.argmax(outputs, axis=1) == data["test"].y) == pytest.approx(at["test_accuracy"])
    own = results.layers[(results.layers["run"] == name) & (results.layers["step"] == at["step"])]
    np.testing.assert_allclose(by_layer, own["signal_grad_norm"], rtol=2e-5, atol=1e-12)
    shapes = by_name.shapes(
        row["depth"],
        row["width"],
        data["test"].x.shape[1],
        len(weights["readout.bias"]),
        [one for one in row["learned"].split(",") if one],
        row["learnable_per"] == "unit",
        row["norm"],
    )
    assert {key: value.shape for key, value in weights.items()} == shapes
    assert list(weights) == sorted(weights, key=weight_files.place_of)
    assert {value.dtype for value in weights.values()} == {np.dtype("float32")}


def test_networks_give_the_stored_numbers_again(plain):
    results, final = actlab.load(plain["records"]), actlab.load(plain["final"])
    fine = results.runs[(results.runs["status"] == "ok") & (results.runs["seed"] == 1)]
    assert set(fine["activation"]) == {"relu", "prelu", "selu"}
    assert set(fine["depth"]) == {2, 5}
    for name in fine["run"]:
        check_network(results, name)
        for key, value in final.weights(name[:9]).items():
            np.testing.assert_array_equal(value, results.weights(name, 12)[key])
    name = fine["run"].iloc[0]
    check_network(results, name, step=4)
    row = results.runs[results.runs["run"] == name].iloc[0]
    assert results.weights(row).keys() == results.weights(dict(row)).keys() == results.weights(name).keys()
    learned = results.layers[(results.layers["step"] == 12) & results.layers["alpha"].notna()]
    learned = learned[learned["run"].isin(fine["run"])]
    assert len(learned) == 5
    for _, row in learned.iterrows():
        assert results.weights(row)[f"layers.{row['layer'] - 1}.activation.alpha"] == np.float32(row["alpha"])


def test_weights_at_step_0_are_those_that_the_run_begins_with(plain):
    results = actlab.load(plain["records"])
    name = results.runs["run"].iloc[-1]
    begun, kept_ = actlab.model(name, study=results), results.model(name, 0)
    for one, other in zip(begun.hidden, kept_.hidden, strict=True):
        np.testing.assert_array_equal(one.affine.kernel[...], other.affine.kernel[...])
        np.testing.assert_array_equal(one.affine.bias[...], other.affine.bias[...])


def test_norms_dropout_residuals_and_a_users_activation_which_runs_only_from_the_studys_own_sources(tmp_path):
    tmp_path.joinpath("act.py").write_text(ACT)
    results, _ = run(OWN, tmp_path, "measure.keep_weights=records")
    own = results.runs.set_index("activation_name")["run"]
    for name in own:
        check_network(results, name)
        assert results.weights(name)["layers.1.norm.var"].min() > 0
    check_network(results, own["bent"], step=8)
    assert results.weights(own["bent"])["layers.2.activation.slope"].shape == (4,)
    network = results.model(own["prelu"])
    network.train()
    with pytest.raises(ValueError, match="dropout in training mode needs rngs"):
        network(results.data(own["prelu"])["test"].x)

    copy = results.path / "sources" / "act.py"
    copy.write_text(ACT + "raise SystemExit('ran')\n")
    altered = actlab.load(results.path)
    assert altered.weights(own["bent"])["layers.2.activation.slope"].shape == (4,)
    for call in (altered.model, altered.data):
        with pytest.raises(UntrustedError, match=r"act\.py"):
            call(own["bent"])
    assert altered.model(own["prelu"]).hidden[0].affine is not None  # the catalogue's: nothing of the folder is run
    copy.write_text(ACT.replace("z / (", "2 * z / ("))
    with pytest.raises(StudyError, match=r"is stored, and today's plan of .* has no such run"):
        altered.model(own["bent"], trust=True)


# Runs that diverge


def test_a_run_that_diverged_has_its_last_weights_whatever_its_neighbours_do(plain):
    results, final = actlab.load(plain["records"]), actlab.load(plain["final"])
    diverged = results.runs[results.runs["status"] == "diverged"]
    assert len(diverged) == 2
    for name in diverged["run"]:
        steps = results.steps["step"][results.steps["run"] == name].tolist()
        assert list(kept.places(results, name)) == steps
        assert list(kept.places(final, name)) == steps[-1:]
        weights = final.weights(name)
        assert any(np.isnan(value).any() for value in weights.values())
        for key, value in results.weights(name).items():
            np.testing.assert_array_equal(value, weights[key])
        assert results.model(name)(results.data(name)["test"].x).shape == (30, 3)
    last = results.steps.groupby("run")["step"].max()
    assert last[diverged["run"]].min() < 12


def test_when_a_runs_weights_are_kept():
    steps, clear = [0, 5, 10, 15], [False] * 4
    pattern = lambda keep, hidden, diverged: [
        kept.wanted(keep, steps[: n + 1], hidden[: n + 1], diverged if diverged < steps[n] + 1 else -1, 15)
        for n in range(4)
    ]
    assert pattern("final", clear, -1) == [False, False, False, True]
    assert pattern("records", clear, -1) == [True] * 4
    assert pattern("final", clear, 5) == [False, False, True, False]  # the step after record 5 diverged
    assert pattern("records", clear, 5) == [True, True, True, False]
    assert pattern("final", clear, 4) == [False, True, False, False]
    assert pattern("final", clear, 15) == [False, False, False, True]  # the step after the last, of which nothing comes
    assert pattern("final", [False, True, True, True], -1) == [False, False, True, False]  # a NaN that the loss hid
    assert pattern("final", [False, False, False, True], -1) == [False, False, False, True]


# Whatever ends a run


def interrupted(folder, which):
    """Stop a study in the middle of a run batch."""
    original = control.write_heartbeat

    def note(at, *given, **more):
        original(at, *given, **more)
        if list((at / "parts").glob("*.checkpoint")):
            control.ask_to_stop(at)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_batch, "SEGMENT_SECONDS", 0.0)
        patch.setattr(worker, "SAVE_SECONDS", 0.0)
        patch.setattr(worker, "LOOK_SECONDS", 0.0)
        patch.setattr(control, "write_heartbeat", note)
        with pytest.raises(KeyboardInterrupt):
            again(folder, which)


def same_weights(folder, other):
    one, two = actlab.load(folder), actlab.load(other)
    for name in one.runs["run"]:
        assert list(kept.places(one, name)) == list(kept.places(two, name))
        for step in kept.places(one, name):
            for key, value in two.weights(name, step).items():
                np.testing.assert_array_equal(one.weights(name, step)[key], value)


def test_interrupted_and_resumed_they_are_the_same(plain, tmp_path):
    (tmp_path / "new").mkdir()
    shutil.copy(plain["none"].parent / "s.yaml", tmp_path / "new" / "s.yaml")
    for folder, which in ((tmp_path / "new" / "r", "records"), (copy_of(plain["none"], tmp_path / "again"), "final")):
        interrupted(folder, which)
        assert list((folder / "parts").glob("*.checkpoint"))
        again(folder, which)
        assert parts(folder) == parts(plain[which])
        same_weights(folder, plain[which])
        assert not list((folder / "weights").glob(".*.tmp"))


def test_a_killed_run_leaves_nothing_that_reading_takes_for_damage(plain, tmp_path, monkeypatch):
    """A worker that is killed after it stored rows that no one has judged yet."""
    folder = copy_of(plain["none"], tmp_path)
    before = parts(folder)

    def die(*_):
        raise StoreError("killed")

    monkeypatch.setattr(store, "AGAIN", "again")
    with monkeypatch.context() as patch:
        from actlab.engine import scheduling

        patch.setattr(scheduling, "replace_rows", die)
        with pytest.raises(RunError, match="killed"):
            again(folder, "final")
    assert list((folder / "parts").glob("*.again"))
    (folder / "weights" / ".x.safetensors.123.tmp").write_bytes(b"half")
    results = actlab.load(folder)
    assert not results.damage
    assert len(results.runs) == 8
    again(folder, "final")
    assert parts(folder) == before
    same_weights(folder, plain["final"])
    assert not list((folder / "weights").glob(".*.tmp"))


def test_a_full_disk_is_told_and_nothing_is_lost(plain, tmp_path, monkeypatch):
    folder = copy_of(plain["none"], tmp_path)
    before = parts(folder)
    original = Path.write_bytes

    def full(self, content):
        if ".safetensors." in self.name:
            raise OSError(28, "No space left on device")
        return original(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(RunError, match=r"weights/.*\.safetensors: cannot be written \(No space left on device\)"):
            again(folder, "final")
    assert {name: content for name, content in parts(folder).items() if name.endswith(".parquet")} == before
    again(folder, "final")
    same_weights(folder, plain["final"])


def test_without_room_for_them_nothing_is_begun(plain, tmp_path, monkeypatch, capsys):
    from actlab.cli.preview import preview

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5000))
    config = plain["none"].parent / "s.yaml"
    with pytest.raises(
        StoreError, match=r"weights would take about [0-9.]+ kB .*records\).*5 kB left; measure.*final would"
    ):
        actlab.run(config, ["measure.keep_weights=records"], out=tmp_path / "r")
    with pytest.raises(StoreError, match=r"final\), and the disk has 5 kB left; make room, or give an --out"):
        actlab.run(config, ["measure.keep_weights=final"], out=tmp_path / "r")
    assert not (tmp_path / "r").exists()
    preview(config, ["measure.keep_weights=final"], tmp_path / "r", 1, None)
    out, err = capsys.readouterr()
    assert re.search(r"Weights: about [0-9.]+ kB on the disk", out)
    assert f"`actlab run {config} measure.keep_weights=final --out {tmp_path / 'r'}` will refuse: " in err
    preview(config, [], tmp_path / "r", 1, None)
    assert "Weights:" not in "".join(capsys.readouterr())
    preview(config, ["measure.keep_weights=final"], plain["none"], 1, None, as_json=True)
    plan = json.loads(capsys.readouterr()[0])
    assert plan["to_train"] == 8
    there = sum(path.stat().st_size for path in (plain["final"] / "weights").glob("*.safetensors"))
    assert 0.7 < plan["weight_bytes"] / there < 1.4


# Files that are not as they were


def test_damaged_and_foreign_files(plain, tmp_path, capsys):
    folder = copy_of(plain["final"], tmp_path)
    results = actlab.load(folder)
    fine = results.runs[results.runs["status"] == "ok"]["run"].tolist()
    ((path, _),) = kept.places(results, fine[0])[12]
    there = path.read_bytes()
    at = folder / "weights"
    (at / "notes.txt").write_text("mine")
    (at / "0123456789abcdef-1.safetensors").mkdir()
    os.mkfifo(at / "0123456789abcdef-2.safetensors")
    weight_files.write(tmp_path, "0123456789abcdef", 12, {})
    shutil.copy(tmp_path / "weights" / "0123456789abcdef-12.safetensors", at)
    (at / "0123456789abcdef-3.safetensors").write_bytes(b"\xff" * 99)
    assert results.weights(fine[0])

    flipped = there[:-3] + bytes([there[-3] ^ 1]) + there[-2:]
    path.write_bytes(flipped)
    broken = [name for name in fine if path in [one for one, _ in kept.places(results, name)[12]]]
    errors = []
    for name in broken:
        try:
            results.weights(name)
        except DamageError as error:
            errors.append(str(error))
    assert len(errors) == 1  # of the run whose bytes they are
    assert f"{path.name}: was altered" in errors[0]
    assert f"remove it, and `actlab run {folder}/study.yaml --out {folder}` trains" in errors[0]
    path.unlink()
    again(folder, "final")
    same_weights(folder, plain["final"])

    path, *_ = [one for one, _ in kept.places(results, broken[0])[12]]
    path.write_bytes(path.read_bytes()[:-3])  # cut short
    whole = re.escape(f"`actlab run {folder}/study.yaml --out {folder}` trains it again")
    with pytest.raises(DamageError, match=rf"no weights at step 12 that can be read.*: weights/{path.name}; {whole}"):
        actlab.load(folder).weights(broken[0])
    with pytest.raises(StoreError, match=r"stored without its weights at step 4[^0-9].*keep_weights=records"):
        actlab.load(folder).weights(broken[0], 4)  # which was never kept
    code = report_error(DamageError("x"))
    assert code == 1
    assert len(actlab.load(folder).runs) == 8  # which needs no weights
    again(folder, "final")
    same_weights(folder, plain["final"])
    assert (at / "notes.txt").read_text() == "mine"
    capsys.readouterr()


def test_a_file_of_another_training_is_not_taken_for_this_ones(plain, tmp_path):
    folder = copy_of(plain["final"], tmp_path)
    results = actlab.load(folder)
    name = results.runs[results.runs["status"] == "ok"]["run"].iloc[0]
    ((path, about),) = kept.places(results, name)[12]
    weights = results.weights(name)
    path.unlink()
    other = {key: value + 1 for key, value in weights.items()}
    weight_files.write(folder, "f" * 16, 12, {name: (other, [*about.numbers[:-1], 0.123])})
    with pytest.raises(StoreError, match=rf"run {name} is stored without its weights at step 12"):
        results.weights(name)
    weight_files.write(folder, "e" * 16, 12, {name: (weights, about.numbers)})
    for key, value in results.weights(name).items():
        np.testing.assert_array_equal(value, weights[key])
    (folder / "weights" / f"{'e' * 16}-12.safetensors").rename(folder / "weights" / f"{'e' * 16}-8.safetensors")
    with pytest.raises(StoreError, match=r"without its weights at step 12|can be read"):
        results.weights(name)


def test_what_is_not_there_is_told_with_the_way_to_have_it(plain, tmp_path):
    final, none = actlab.load(copy_of(plain["final"], tmp_path)), actlab.load(plain["none"])
    name = final.runs[final.runs["status"] == "ok"]["run"].iloc[0]
    for results, given, message in (
        (
            final,
            (name, 4),
            r"without its weights at step 4; those that are kept are of step 12; .*keep_weights=records",
        ),
        (final, (name, 5), r"has no record at step 5; choose from 0, 4, 8, 12"),
        (final, ("", None), r"8 runs begin with ''"),
        (final, ("x", None), r"there is no run 'x'"),
        (final, (7, None), r"expected a run's name, how that begins, or its row of results.runs, not 7"),
        (final, (name, 4.5), r"step: expected a whole number, as in results.steps\['step'\], not 4.5"),
        (final, (name, "4"), r"step: expected a whole number"),
        (final, (name, True), r"step: expected a whole number"),
        (none, (name, None), r"stored without its weights at step 12; `actlab run .*measure.keep_weights=final --out"),
    ):
        with pytest.raises(StoreError, match=message):
            results.weights(*given)
    left = replace(final, left_out={"ffff00000000": {"train.steps": ("9",)}})
    with pytest.raises(StoreError, match=r"ffff00000000 is stored, and left out, since .* any more \(train.steps: 9\)"):
        left.weights("ffff")
    for step in (final.steps["step"].max(), np.int32(12), 12.0, np.float64(12)):  # as frames have them
        assert final.weights(name, step).keys() == final.weights(name).keys()
    assert final.model(name, final.steps["step"].max())
    with pytest.raises(StoreError) as caught:
        final.weights(name, 4)
    words = str(caught.value).partition("`actlab ")[2].partition("`")[0].split()
    assert words[0] == "run"
    actlab.run(words[1], [words[2]], out=words[4])  # the advice, followed
    assert actlab.load(words[4]).weights(name, 4)


def test_show_says_where_they_are(plain, tmp_path, capsys):
    from actlab.cli import show

    for which, message in (("final", "weights at step 12: "), ("records", "weights at steps 0, 4, 8, 12: ")):
        folder = copy_of(plain[which], tmp_path / which)
        results = actlab.load(folder)
        name = results.runs[results.runs["status"] == "ok"]["run"].iloc[0]
        show(folder, name)
        said = " ".join(capsys.readouterr().out.split("\n"))
        assert message in said
        assert kept.whereabouts(results, name).split(": ")[1].split(",")[0] in said
        shutil.rmtree(folder / "weights")
        show(folder, name)
        assert "trains it again for them" in capsys.readouterr().out


def test_they_are_no_part_of_a_repository_nor_of_a_fresh_start(plain, tmp_path):
    folder = copy_of(plain["final"], tmp_path)
    assert (folder / "weights" / ".gitignore").read_text() == "*\n"
    outside = tmp_path / "outside"
    shutil.move(folder / "weights", outside)
    (folder / "weights").symlink_to(outside)
    with pytest.raises(StoreError, match="weights: is a link, and what it leads to is not written"):
        again(folder, "records")
    (folder / "weights").unlink()
    shutil.move(outside, folder / "weights")
    place = setting_aside.place_aside(folder)
    setting_aside.set_aside(folder, place, copies=False)
    assert not (folder / "weights").exists()
    assert list((place / "weights").glob("*.safetensors"))


# Words


def test_what_may_be_asked_for(tmp_path):
    def asked(text):
        (tmp_path / "s.yaml").write_text(PLAIN.replace("every: 4,", f"every: 4, keep_weights: {text},", 1))
        return read(tmp_path / "s.yaml").config.measure.keep_weights

    for text, meant in (("none", "none"), ("null", "none"), ("false", "none"), ("~", "none"), ("final", "final")):
        assert asked(text) == meant
    for text, message in (
        ("true", r"s.yaml:5: measure.keep_weights: expected none, final .* or records .*, not true"),
        ("last", "measure.keep_weights: expected none, final or records, not 'last'"),
        ("[final]", "measure.keep_weights: expected none, final or records"),
        ("no", "measure.keep_weights: expected none, final or records, not 'no'"),
        ("1", "measure.keep_weights: expected none, final or records, not 1"),
    ):
        with pytest.raises(StudyError, match=message):
            asked(text)


def test_named_weights_make_a_network_and_wrong_ones_are_refused():
    rng = np.random.default_rng(0)
    shapes = by_name.shapes(3, 4, 2, 1, ["alpha"], norm="batch")
    weights = {name: np.abs(rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    settings = {"activation": "prelu", "norm": "batch"}
    network = actlab.model(weights=weights, **settings)
    assert len(network.hidden) == 3
    np.testing.assert_array_equal(network.hidden[1].norm.var[...], weights["layers.1.norm.var"])
    assert network(np.ones((5, 2), np.float32)).shape == (5, 1)
    stacks = by_name.stacked(weights, ["alpha"])
    again_ = by_name.named(stacks, 3, ["alpha"], by_name.statistics_of(weights))
    assert again_.keys() == weights.keys()
    for name, value in again_.items():
        np.testing.assert_array_equal(value, weights[name])
    less = {name: value for name, value in weights.items() if name != "layers.2.bias"}
    with pytest.raises(StudyError, match=r"weights: lack layers.2.bias; with norm: batch"):
        actlab.model(weights=less, **settings)
    with pytest.raises(StudyError, match=r"weights: have layers.0.norm.scale; with norm: none"):
        actlab.model(weights=weights, activation="prelu")
    with pytest.raises(StudyError, match=r"weights: .*different shapes"):
        actlab.model(weights=weights | {"layers.2.bias": np.ones(5, np.float32)}, **settings)


def test_weights_and_data_need_no_jax(plain):
    code = (
        "import sys, actlab\n"
        f"results = actlab.load({str(plain['final'])!r})\n"
        "name = results.runs['run'].iloc[0]\n"
        "assert results.weights(name) and results.data(name)['probe'].x.shape == (20, 4)\n"
        "sys.exit('jax' in sys.modules)"
    )
    others = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}  # plans heed those
    done = subprocess.run([sys.executable, "-c", code], env=others, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
