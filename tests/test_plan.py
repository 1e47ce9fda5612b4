"""A study's plan: what is a shape and what a number, and which runs there are (``test_identity``: what they are)."""

import shutil

import pytest
from typer.testing import CliRunner

import actlab
from actlab import cli
from actlab.study import cost, warned
from actlab.study import plan as planning
from actlab.study.reading import StudyError, read, resolved_yaml
from actlab.study.sweep import combinations

BASE = """
study: s
data: {name: iris}
model: {depth: 2, width: 8}
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 2}
"""


@pytest.fixture
def planned(tmp_path):
    def make(more="", overrides=(), base=BASE, name="s.yaml", **options):
        (tmp_path / name).write_text(base + more)
        return planning.plan(read(tmp_path / name, overrides), **options)

    return make


BY_LAYER = {"name": "prelu", "alpha": [0.3, 0.2]}
NUMBERS = {
    "train.learning_rate": [1e-3, 1e-2],
    "model.weight_gain": [1.0, 1.5],
    "train.weight_decay": [0.0, 0.1],
    "train.steps": [4, 6],
    "model.weight_init": ["he_normal", "lecun_normal", {"name": "gaussian", "sigma_w": 1.2}],
    "model.bias_init": ["zeros", {"name": "constant", "value": 0.3}],
    "model.activation": [
        "leaky_relu",
        {"name": "leaky_relu", "negative_slope": 0.3},
        "relu",
        "tanh",
        "prelu",
        BY_LAYER,
    ],
    "model.depth": [2, 3, 200],
    "model.dropout": [{"rate": 0.1}, {"rate": 0.2}],
    "train.optimizer": ["adam", {"name": "adam", "b1": 0.5}],
    "train.schedule": ["constant", "cosine", {"name": "cosine", "warmup_steps": 2}],
    "train.clip_norm": [0.5, 1.0],
    "train.freeze_layers": [1, 2],
}
SHAPES = {
    "model.activation": ["prelu", {"name": "prelu", "per": "unit"}],
    "model.width": [8, 9],
    "model.norm": ["none", "layer", "batch"],
    "model.residual": [False, True],
    "model.dropout": [{"rate": 0.0}, {"rate": 0.1}, {"rate": 0.1, "kind": "alpha"}],
    "train.batch_size": [8, 9],
    "model.dtype": ["float32", "float64"],
    "train.optimizer": ["sgd", "adam"],
    "train.clip_norm": ["null", 1.0],
    "train.freeze_layers": [0, 1],
    "train.learn_activation_parameters": ["true", "false"],
    "model.weight_init": ["he_normal", "he_uniform"],
    "data.name": ["iris", "wine"],
}


def yaml_matrix(key, values):
    def spell(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}: {v}" for k, v in value.items()) + "}"
        return str(value)

    return f"sweep:\n  matrix:\n    {key}: [{', '.join(map(spell, values))}]\n  seeds: 3\n"


@pytest.mark.parametrize("key", NUMBERS)
def test_numbers_share_a_program(key, planned):
    plan = planned(yaml_matrix(key, NUMBERS[key]))
    assert len(plan.runs) == 3 * len(NUMBERS[key])
    assert len({group.shape for group in plan.groups}) == 1


@pytest.mark.parametrize("key", SHAPES)
def test_shapes_do_not(key, planned):
    plan = planned(yaml_matrix(key, SHAPES[key]))
    assert len({group.shape for group in plan.groups}) == len(SHAPES[key])


def test_a_shape_has_room_for_every_activation_and_depth_that_share_it(planned):
    more = "sweep: {matrix: {model.activation: [relu, prelu, tanh], model.depth: [5, 2], model.width: [8, 9]}}\n"
    plan = planned(more, ["model.weight_init=he_normal"])
    assert sorted(group.shape.spec.width for group in plan.groups) == [8] * 6 + [9] * 6
    for group in plan.groups:
        assert [key.name for key in group.shape.activations] == ["relu", "prelu", "tanh"]
        assert group.shape.spec.depth_bound == 5
        for run in group.runs:
            assert group.shape.activations[group.activation].name == run.labels["activation"]
            assert group.depth == run.labels["depth"]
            assert len(run.numbers["weight_std"]) == group.depth


def test_on_an_accelerator_each_depth_has_its_own_program(planned):
    plan = planned("sweep: {matrix: {model.activation: [relu, tanh], model.depth: [5, 2]}}\n", platform="gpu")
    assert {(group.depth, group.shape.spec.depth_bound) for group in plan.groups} == {(5, 5), (2, 2)}
    assert len({group.shape for group in plan.groups}) == 2
    assert all(group.shape.spec.static_depth and len(group.shape.activations) == 2 for group in plan.groups)


def test_adam_and_adamw_differ_in_their_decay_only(planned):
    plan = planned(yaml_matrix("train.optimizer", ["adam", "adamw"]))
    decays = {run.labels["optimizer"]: run.labels["weight_decay"] for run in plan.runs.values()}
    assert decays == {"adam": 0.0, "adamw": 0.01}


def test_more_seeds_and_cells_keep_the_old_runs(planned):
    few = planned("sweep: {matrix: {model.depth: [2]}, seeds: 2}\n")
    more = planned("sweep: {matrix: {model.depth: [3, 2]}, seeds: 4}\n")
    assert set(few.runs) < set(more.runs)


def test_a_resolved_study_reruns_itself(tmp_path, planned):
    from ruamel.yaml import YAML

    (tmp_path / "act.py").write_text("def f(z):\n    return z * z\n")
    more = "sweep:\n  matrix: {model.activation: [relu, act.py:f, {name: elu, alpha: 0.5}]}\n  seeds: [3, 1]\n"
    (tmp_path / "s.yaml").write_text(BASE + more)
    study = read(tmp_path / "s.yaml", ["train.learning_rate=1e-3,1e-2"])
    out = tmp_path / "results" / "s"
    (out / "sources").mkdir(parents=True)
    shutil.copy(tmp_path / "act.py", out / "sources")
    with (out / "study.yaml").open("w") as file:
        YAML().dump(resolved_yaml(study.config, out), file)
    assert str(tmp_path) not in (out / "study.yaml").read_text()
    again = planning.plan(read(out / "study.yaml"))
    assert list(again.runs) == list(planning.plan(study).runs)


def test_jobs_hold_every_wanted_run_once_and_whole_calls(planned):
    plan = planned("sweep: {matrix: {train.learning_rate: [1e-3, 1e-2], model.depth: [2, 3]}, seeds: 9}\n")
    wanted = set(list(plan.runs)[5:])
    jobs = planning.partition_into_jobs(plan.groups, wanted, workers=2)
    names = [run.id for job in jobs for run in job.runs]
    assert sorted(names) == sorted(wanted)
    assert len({job.id for job in jobs}) == len(jobs)
    assert {job.depth for job in jobs} == {2, 3}
    for depth in (2, 3):
        sizes = [len(job.runs) for job in jobs if job.depth == depth]
        assert sum(size % jobs[0].shape.spec.runs_per_call != 0 for size in sizes) <= 1
        assert all(run.labels["depth"] == depth for job in jobs if job.depth == depth for run in job.runs)


def test_one_shape_still_occupies_every_core(planned):
    plan = planned("sweep: {seeds: 40}\n")
    assert len(planning.partition_into_jobs(plan.groups, set(plan.runs), workers=2)) >= 4


def test_auto_initialisation(planned):
    names = "[sigmoid, tanh, relu, leaky_relu, prelu, elu, selu, gelu, swish, mish]"
    plan = planned(f"sweep: {{matrix: {{model.activation: {names}}}}}\n")
    used = {run.labels["activation"]: run.labels["weight_init_used"] for run in plan.runs.values()}
    assert used == {
        "sigmoid": "glorot_normal",
        "tanh": "glorot_normal",
        "relu": "he_normal",
        "leaky_relu": "he_normal(negative_slope=0.01)",
        "prelu": "he_normal(negative_slope=0.25)",
        "elu": "variance_preserving",
        "selu": "lecun_normal",
        "gelu": "he_normal",
        "swish": "he_normal",
        "mish": "he_normal",
    }


def test_an_activation_that_no_weights_preserve_the_variance_of_is_named(planned, tmp_path):
    (tmp_path / "act.py").write_text("def nought(z):\n    return 0.0 * z\n")
    where = r"model\.weight_init: variance_preserving needs E φ\(Z\)² > 0, and of nought it is 0; name another init"
    with pytest.raises(StudyError, match=where):
        planned(overrides=[f"model.activation={tmp_path}/act.py:nought", "model.weight_init=variance_preserving"])


def test_include_extends_or_adds():
    """The examples of a CI matrix's documentation: an include may extend cells, but never change a matrix value."""
    matrix = {"fruit": ["apple", "pear"], "animal": ["cat", "dog"]}
    include = [
        {"color": "green"},
        {"color": "pink", "animal": "cat"},
        {"fruit": "apple", "shape": "circle"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]
    assert combinations(matrix, [], include) == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_overrides_sweep_and_replace(planned):
    swept = "sweep: {matrix: {model.depth: [2, 3]}, seeds: 1}\n"
    assert {r.labels["depth"] for r in planned(swept, ["model.depth=4"]).runs.values()} == {4}
    assert {r.labels["depth"] for r in planned(swept, ["model.depth=4,5"]).runs.values()} == {4, 5}
    assert {r.labels["seed"] for r in planned(swept, ["sweep.seeds=7,9"]).runs.values()} == {7, 9}
    nested = planned("", ["model.activation=prelu", "model.activation.alpha=0.1,0.2"])
    assert {r.labels["activation"] for r in nested.runs.values()} == {"prelu(alpha=0.1)", "prelu(alpha=0.2)"}
    named = planned("", ["model.activation={name: leaky_relu, negative_slope: 0.2},relu"])
    assert {r.labels["activation"] for r in named.runs.values()} == {"leaky_relu(negative_slope=0.2)", "relu"}


def test_an_override_of_one_value_leaves_exclude_in_force(planned):
    swept = "sweep:\n  matrix: {model.activation: [relu, selu], model.depth: [2, 3]}\n"
    swept += "  exclude: [{model.activation: selu, model.depth: 2}]\n"
    runs = planned(swept, ["model.depth=2"]).runs.values()
    assert [(run.labels["activation"], run.labels["depth"]) for run in runs] == [("relu", 2)]


def test_two_files_of_one_name(tmp_path, planned):
    (tmp_path / "a").mkdir()
    for place, text in ((tmp_path, "z"), (tmp_path / "a", "z * z")):
        (place / "act.py").write_text(f"def f(z):\n    return {text}\n")
    with pytest.raises(StudyError, match=r"act\.py"):
        planned("sweep: {matrix: {model.activation: [act.py:f, a/act.py:f]}}\n")


def test_compiling_is_told_apart_from_training(planned):
    plan = planned(overrides=["model.depth=2", "sweep.seeds=4"])
    one, two = (cost.expected(plan.groups, workers, set(plan.runs)) for workers in (1, 2))
    assert one.seconds == 2 * two.seconds
    assert one.compile_seconds == 2 * two.compile_seconds > 0
    few, none = (cost.expected(plan.groups, 1, wanted) for wanted in ({next(iter(plan.runs))}, set()))
    assert 0 < few.compile_seconds <= one.compile_seconds
    assert none == cost.Cost(0.0, 0.0, 0.0)


def test_measuring_counts_what_is_not_a_training_step():
    """Of a network that is drawn and not trained, records and evaluations are the work but for one step."""
    (cell,) = actlab.study_of(
        {
            "study": "s",
            "data": {"name": "iris"},
            "model": {"depth": 3, "width": 8},
            "train": {"steps": 0, "batch_size": 16},
        }
    ).cells
    forward = 2 * 100 * (2 * 8**2 + 8 * 3 + 4 * 8)
    record = cost.training_flops(cell, 4, 3) * cell.measure.probe_rows / 16
    assert cost.measuring_flops(cell, 4, 3, 100) == record + forward


def test_a_rate_of_zero_is_planned_and_said(planned):
    """A control where it is meant; where a decimal comma was meant, no more than a line tells it."""
    (said,) = warned.warnings(planned("", ["train.learning_rate=0,5"]))
    assert said.startswith("train.learning_rate is 0 in 1 of 2 runs: ")
    assert warned.warnings(planned("", ["train.learning_rate=0.5"])) == []


def test_a_plan_says_how_a_comma_that_may_be_a_decimal_one_was_read(tmp_path):
    """Two whole numbers of a key that takes fractions are swept, and that is said; of a key of counts it is not."""
    config = tmp_path / "s.yaml"
    config.write_text("study: s\ndata: {name: digits}\n")
    words = ["plan", str(config), "model.weight_gain=1,5", "model.depth=2,5", "--out", str(tmp_path / "r")]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if "comma" in line]
    assert line == "'model.weight_gain=1,5': a comma separates values: 1 and 5; for 1.5 write 1.5"
