"""What a study does not say never refuses what it says; and equal numbers are equal runs, written or not."""

import pytest
from ruamel.yaml import YAML

from actlab.engine.train_study import resolved_text
from actlab.study.defaults import say_followed
from actlab.study.plan import plan
from actlab.study.reading import StudyError, read

BASE = "study: s\ndata: {name: iris}\n"
COLUMNS = ("every", "evaluate_every", "steps", "batch_size")

# (what a study says, the same with what follows written out)
ADAPTED = [
    ("measure: {every: 500}", "measure: {every: 500, evaluate_every: 500}"),
    ("measure: {every: 30}", "measure: {every: 30, evaluate_every: 90}"),
    ("measure: {evaluate_every: 10}", "measure: {evaluate_every: 10, every: 10}"),
    ("measure: {evaluate_every: 60}", "measure: {evaluate_every: 60, every: 30}"),
    ("train: {steps: 5000000}", "train: {steps: 5000000}\nmeasure: {every: 50, evaluate_every: 100}"),
    (
        "train: {steps: 5000000}\nmeasure: {evaluate_every: 1000}",
        "train: {steps: 5000000}\nmeasure: {every: 50, evaluate_every: 1000}",
    ),
    (
        "train: {schedule: {name: cosine, warmup_steps: 1000}}",
        "train: {steps: 2000, schedule: {name: cosine, warmup_steps: 1000}}",
    ),
    ("data: {name: iris, train_rows: 20}", "data: {name: iris, train_rows: 20}\ntrain: {batch_size: 20}"),
    (
        "sweep: {matrix: {data.train_rows: [20]}}",
        "data: {name: iris, train_rows: 20}\ntrain: {batch_size: 20}",
    ),
    ("sweep: {matrix: {train.steps: [5000000]}}", "train: {steps: 5000000}\nmeasure: {every: 50, evaluate_every: 100}"),
    ("train: {optimizer: {b1: 0.8}}", "train: {optimizer: {name: adam, b1: 0.8}}"),
]

# What does go together is left alone: these runs had these names before defaults followed.
UNCHANGED = [
    ("measure: {every: 50}", {"every": 50, "evaluate_every": 100}),
    ("measure: {evaluate_every: 50}", {"every": 25, "evaluate_every": 50}),
    ("train: {schedule: {name: cosine, warmup_steps: 100}}", {"steps": 500}),
    ("model: {depth: 1}\nmeasure: {keep_layers: ends}", {"batch_size": 64}),
    ("report: {select: {over: model.width}}", {"batch_size": 64}),
]


def text_of(said):
    return said if "data:" in said else f"data: {{name: iris}}\n{said}"


@pytest.fixture
def planned(tmp_path):
    def make(said, *overrides):
        (tmp_path / "s.yaml").write_text(f"study: s\n{text_of(said)}\n")
        study = read(tmp_path / "s.yaml", overrides)
        return study, plan(study)

    return make


@pytest.mark.parametrize(("said", "written"), ADAPTED)
def test_a_default_follows(said, written, planned, tmp_path):
    study, adapted = planned(said)
    assert set(adapted.runs) == set(planned(written)[1].runs)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "study.yaml").write_text(resolved_text(study, tmp_path / "r", planned=adapted))
    again = plan(read(tmp_path / "r" / "study.yaml"))
    assert set(again.runs) == set(adapted.runs)


@pytest.mark.parametrize(("said", "expected"), UNCHANGED)
def test_what_goes_together_is_left_alone(said, expected, planned):
    (run,) = planned(said)[1].runs.values()
    assert {name: run.labels[name] for name in expected} == expected


def test_what_followed_is_told(planned):
    study, adapted = planned("measure: {every: 500}\ntrain: {steps: 1000}")
    (line,) = say_followed(study.config, [run.labels for run in adapted.runs.values()])
    assert line.startswith("measure.evaluate_every is 500 rather than 100")
    study, plain = planned("measure: {every: 50, evaluate_every: 200}\ntrain: {batch_size: 8}")
    assert say_followed(study.config, [run.labels for run in plain.runs.values()]) == []


def test_a_resolved_study_says_what_did_not_follow(planned, tmp_path):
    study, adapted = planned("data: {name: iris, train_rows: 20}")
    train = YAML(typ="safe").load(resolved_text(study, tmp_path, planned=adapted))["train"]
    assert "batch_size" not in train
    assert train["steps"] == 500
    for said, kept in (
        ("every: 15", {"every": 15}),
        ("evaluate_every: 15", {"evaluate_every": 15}),
        ("probe_rows: 9", {}),
    ):
        study, adapted = planned(f"measure: {{{said}}}")
        (tmp_path / "study.yaml").write_text(resolved_text(study, tmp_path, planned=adapted))
        measure = YAML(typ="safe").load((tmp_path / "study.yaml").read_text())["measure"]
        assert {key: measure[key] for key in ("every", "evaluate_every") if key in measure} == kept
        assert set(plan(read(tmp_path / "study.yaml")).runs) == set(adapted.runs)
        for other in ("every=30", "evaluate_every=30"):  # no key stands against it that was never written
            if not kept or other.partition("=")[0] in kept:
                plan(read(tmp_path / "study.yaml", [f"measure.{other}"]))


@pytest.mark.parametrize(
    ("said", "overrides", "words"),
    [
        ("measure: {every: 3, evaluate_every: 10}", [], ["s.yaml:3", "evaluate_every (10)", "every (3)"]),
        ("measure: {evaluate_every: 10}", ["measure.every=3"], ["override measure.every=3", "evaluate_every (10)"]),
        ("train: {batch_size: 40}", ["data.train_rows=20"], ["override data.train_rows=20", "not 40"]),
        ("train: {steps: 5000000}\nmeasure: {every: 10}", [], ["s.yaml:4", "measure.every", "`every: 50`"]),
        ("train: {schedule: {warmup_steps: 9}}", ["train.steps=4"], ["override train.steps=4", "warmup_steps"]),
    ],
)
def test_what_was_written_is_refused_where_it_was_written_last(said, overrides, words, planned):
    with pytest.raises(StudyError) as refused:
        planned(said, *overrides)
    for word in words:
        assert word in str(refused.value)
