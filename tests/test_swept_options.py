"""Options swept from a study's file, end to end: cells that tables tell apart; the resolved study reruns itself."""

import itertools

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab.engine import worker_pools
from actlab.study.memory import MOST_EVAL_CHUNKS, PLANNED, CallSize, Size, fit, worker_bytes
from actlab.study.plan import choose_call_sizes, plan
from actlab.study.reading import StudyError, read
from tests.serial import SerialExecutor

BASE = """
study: s
data: {name: iris}
model: {depth: 3, width: 8}
train: {steps: 10, batch_size: 16}
measure: {every: 5, evaluate_every: 5, probes: [signal_grad_norm]}
"""
EVERYTHING = """
sweep:
  matrix:
    model.norm: [none, layer, batch]
    model.residual: [false, true]
    model.dropout: [{rate: 0.0}, {rate: 0.2}, {rate: 0.2, kind: alpha}]
    train.schedule: [constant, cosine, {name: cosine, warmup_steps: 5}]
    train.clip_norm: [null, 1.0]
"""
# What is a number shares programs: schedules, rates of dropout, norms to clip at. What is code is met once each.
TRAINED = """
sweep:
  matrix:
    model.norm: [none]
    train.schedule: [constant, cosine, {name: cosine, warmup_steps: 5}]
  include:
    - {model.norm: layer, model.residual: true, model.dropout.rate: 0.2, model.activation: selu}
    - {model.norm: layer, model.residual: true, model.dropout: {rate: 0.3}, model.activation: relu}
    - {model.norm: batch, model.dropout: {rate: 0.2, kind: alpha}, train.clip_norm: 1.0, train.schedule: constant}
    - {model.norm: batch, model.dropout: {rate: 0.2, kind: alpha}, train.clip_norm: 1.0, train.schedule: cosine}
report: {tables: [performance], figures: []}
"""
KEYS = ["norm", "residual", "dropout", "dropout_kind", "schedule", "clip_norm"]


@pytest.fixture
def studied(tmp_path):
    def read_text(more, overrides=()):
        (tmp_path / "s.yaml").write_text(BASE + more)
        return read(tmp_path / "s.yaml", overrides)

    return read_text


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "s.yaml").write_text(BASE + TRAINED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        return actlab.run(folder / "s.yaml", out=folder / "r")


def test_every_combination_is_a_cell_of_its_own_columns(studied):
    planned = plan(studied(EVERYTHING))
    labels = pd.DataFrame([dict(run.labels) for run in planned.runs.values()])
    assert len(labels) == len(labels.drop_duplicates(KEYS)) == 3 * 2 * 3 * 3 * 2
    kinds = [(0.0, ""), (0.2, "standard"), (0.2, "alpha")]
    schedules = ["constant", "cosine", "cosine(warmup_steps=5)"]
    expected = itertools.product(["none", "layer", "batch"], [False, True], kinds, schedules, [None, 1.0])
    rows = {(*row[:2], row[2:4], *row[4:]) for row in labels[KEYS].astype(object).itertuples(index=False, name=None)}
    assert {tuple(None if one != one else one for one in row) for row in rows} == set(expected)
    # Schedules are numbers of a program, clipping or not is code.
    assert len({group.shape for group in planned.groups}) == 3 * 2 * 3 * 2


def test_options_at_their_defaults_are_no_other_runs(studied):
    text = """
sweep:
  matrix: {model.norm: [none], model.residual: [false], model.dropout: [{rate: 0.0}], train.clip_norm: [null]}
  seeds: 2
"""
    bare = list(plan(studied("sweep: {seeds: 2}\n")).runs)
    assert list(plan(studied(text)).runs) == bare
    assert list(plan(studied("sweep: {seeds: 2}\n", ["train.schedule.name=constant"])).runs) == bare
    for override in ("model.norm=layer", "model.residual=true", "model.dropout.rate=0.1", "train.schedule=cosine"):
        assert not set(plan(studied("sweep: {seeds: 2}\n", [override])).runs) & set(bare)


def test_dropout_of_rate_0_is_of_no_kind(studied):
    crossed = "sweep: {matrix: {model.dropout.rate: [0.0, 0.2], model.dropout.kind: [standard, alpha]}}\n"
    labels = [run.labels for run in plan(studied(crossed)).runs.values()]
    assert [(one["dropout"], one["dropout_kind"]) for one in labels] == [(0, ""), (0.2, "standard"), (0.2, "alpha")]


def test_a_warm_up_ends(studied):
    assert plan(studied("", ["train.schedule={name: constant, warmup_steps: 9}"]))
    with pytest.raises(StudyError, match=r"train\.schedule: warmup_steps: expected fewer than the 10 steps, not 10"):
        plan(studied("", ["train.schedule={name: constant, warmup_steps: 10}"]))


def test_all_runs_train_and_differ(trained):
    runs = trained.runs
    assert len(runs) == 7
    assert (runs["status"] == "ok").all()
    assert runs["train_loss"].nunique() == len(runs)
    before = trained.steps[trained.steps["step"] == 0].merge(runs[["run", *KEYS]], on="run")
    # Rates, clipping and masks are of training: what a run begins with is the same network.
    assert (before[before["norm"] != "layer"].groupby("norm")["train_loss"].nunique() == 1).all()


def test_tables_and_report_tell_cells_apart(trained):
    table = pd.read_csv(trained.path / "tables" / "performance.csv")
    settings = ["activation", "norm", "residual", "dropout", "schedule", "clip_norm"]
    assert set(settings) <= set(table)
    cells = table.drop_duplicates(settings)
    assert len(cells) == 7
    assert (table["n"] == 1).all()
    report = (trained.path / "report.md").read_text()
    lines = {
        line.split("|")[1].strip(): line.split("|")[2].strip() for line in report.splitlines() if line.count("|") == 3
    }
    assert lines["norm"] == "batch, layer, none"
    assert lines["dropout"] == "0, 0.2, 0.3"
    assert lines["dropout kind"] == "–, alpha, standard"
    assert lines["schedule"] == "constant, cosine, cosine(warmup_steps=5)"
    assert lines["clip norm"] == "1, none"


def test_the_resolved_study_plans_the_same_runs(trained):
    again = plan(read(trained.path / "study.yaml"))
    assert set(again.runs) == set(trained.runs["run"])


def test_a_stored_run_gives_its_network(trained):
    row = trained.runs[trained.runs["norm"] == "batch"].iloc[0]
    network = actlab.model(row, study=trained)
    data = actlab.data.load("iris")
    outputs = np.asarray(network(np.float32(data.test.x)), np.float64)
    losses = np.log(np.exp(outputs).sum(1)) - outputs[np.arange(len(outputs)), data.test.y]
    first = trained.steps[(trained.steps["run"] == row["run"]) & (trained.steps["step"] == 0)]
    assert losses.mean() == pytest.approx(first["test_loss"].item(), rel=1e-5)


# Memory


def test_batch_normalisation_is_evaluated_in_one_chunk():
    few, many = (Size(2, 64, 32, 32, 400_000, 16, 2, 4, normed) for normed in (0, 240_000))
    assert worker_bytes(few, CallSize(1, 8)) < worker_bytes(few, CallSize(1, 1)) <= worker_bytes(many, CallSize(1, 1))
    assert worker_bytes(many, CallSize(1, 8)) == worker_bytes(many, CallSize(1, 1))
    enough = worker_bytes(many, CallSize(2, 1)) / PLANNED
    assert fit(many, 16, enough) == CallSize(2, 1)
    too_little = 0.99 * worker_bytes(many, CallSize(1, 1)) / PLANNED
    assert fit(few, 16, too_little).eval_chunks > 1
    with pytest.raises(StudyError, match=r"need about 1\.1 GB per worker, even one run"):
        choose_call_sizes([many], "cpu", too_little, {})
    assert worker_bytes(many, CallSize(1, MOST_EVAL_CHUNKS)) == worker_bytes(many, CallSize(1, 1))


def test_a_width_whose_evaluations_go_in_chunks_leaves_those_of_batch_normalisation_whole(studied):
    study = studied("sweep: {matrix: {model.norm: [none, batch]}}\n")
    shapes = {group.shape.spec.block.norm: group.shape for group in plan(study, begun={8: CallSize(2, 4)}).groups}
    assert {norm: (shape.spec.runs_per_call, shape.spec.eval_chunks) for norm, shape in shapes.items()} == {
        "none": (2, 4),
        "batch": (2, 1),
    }
