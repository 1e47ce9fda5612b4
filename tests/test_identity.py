"""What identifies a run: everything that defines it; not how that is written, where it lies or where it runs."""

import copy
import itertools
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Annotated, Literal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import create_model

from actlab import activations, data
from actlab.data.content import bundled_checksum
from actlab.engine import frames, store
from actlab.nn.initializers import BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.study import identity
from actlab.study import plan as planning
from actlab.study.fields import Choice, OptionDefaults, Section
from actlab.study.reading import StudyError, read
from actlab.study.sections import SECTIONS, MeasureConfig
from actlab.study.sweep import Cell
from tests.thinned import thinned

BASE = """
study: s
data: {name: iris}
model: {depth: 2, width: 8}
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 2}
"""
ACT = "from helper import twice\n\n\ndef f(z):\n    return twice(z) * z\n\n\ndef g(z):\n    return twice(z) + z\n"
HELPER = "def twice(z):\n    return 2.0 * z\n"
ROWS = "a,b,y\n" + "".join(f"{i},{i * i % 7},{'pq'[i % 2]}\n" for i in range(40))


@pytest.fixture
def planned(tmp_path):
    def make(more="", overrides=(), base=BASE, name="s.yaml", **where):
        (tmp_path / name).write_text(base + more)
        return planning.plan(read(tmp_path / name, overrides), **where)

    return make


@pytest.fixture
def runs(planned):
    return lambda *words, **more: set(planned(*words, **more).runs)


@pytest.fixture
def own(tmp_path, runs):
    """The runs of a study of the user's own: rows.csv, and act.py, which imports helper.py."""
    base = BASE.replace("iris", "rows.csv").replace("depth: 2", "depth: 2, activation: act.py:f")
    for name, text in (("rows.csv", ROWS), ("act.py", ACT), ("helper.py", HELPER)):
        (tmp_path / name).write_text(text)
    return lambda *words, **more: runs(*words, **{"base": base} | more)


# Settings

VALUES = {
    "data": {
        "name": ["iris", {"name": "spirals", "turns": 1.5}, "spirals", {"name": "spirals", "turns": 3}],
        "target": [None, "y"],
        "task": ["auto", "classification"],
        "standardize": [True, False],
        "seed": [0, 1],
        "train_rows": [None, 10],
        "label_noise": [0, 0.0, 0.1],
        "target_loss": [None, 0.5],
        "drop": [[], ["a"], ["a", "b"]],
        "keep": [[], ["id"]],
        "separator": [None, ",", ";"],
        "decimal": [None, ".", ","],
        "header": [None, True, False],
        "categorical": ["refuse", "one_hot"],
        "missing": ["refuse", "drop_rows", "mean"],
        "na_values": [None, [], ["NA", "?"]],
        "copy": [True, False],
    },
    "model": {
        "activation": ["relu", "prelu", {"name": "prelu", "alpha": 0.25}, {"name": "prelu", "alpha": 1, "per": "unit"}],
        "depth": [10, 1],
        "width": [64, 1],
        "weight_init": ["auto", "he_normal", {"name": "gaussian", "sigma_w": 1}, {"name": "gaussian", "sigma_w": 1.5}],
        "weight_gain": [1, 1.0, 1e0, 2, 1.5],
        "bias_init": ["zeros", "constant", {"name": "constant", "value": 0.1}, {"name": "normal", "std": 1}],
        "dtype": ["float32", "float64"],
        "norm": ["none", "layer", "batch"],
        "residual": [False, True],
        "dropout": [{"rate": 0}, {"rate": 0.0, "kind": "standard"}, {"rate": 0.1}, {"rate": 0.1, "kind": "alpha"}],
    },
    "train": {
        "optimizer": ["adam", {"name": "adam", "b1": 0.9}, {"name": "adam", "b1": 0.5}, "adamw", "momentum"],
        "learning_rate": [1e-3, 0.001, 1, 1.0],
        "batch_size": [64, 1],
        "steps": [500, 1],
        "weight_decay": [None, 0, 0.0, 1e-2],
        "decay_activation_parameters": [False, True],
        "learn_activation_parameters": [True, False],
        "schedule": [
            "constant",
            {"name": "constant", "warmup_steps": 0},
            "cosine",
            {"name": "cosine", "warmup_steps": 5},
        ],
        "clip_norm": [None, 1, 1.0, 0.5],
        "freeze_layers": [0, 1, 2],
    },
    "measure": {
        "every": [25, 1],
        "evaluate_every": [100, 25],
        "probe_rows": [256, 2],
        "probes": ["default", "all", ["act_mean", "act_var"], ["act_mean"]],
        "keep_layers": ["all", "log"],
        "keep_weights": ["none"],
    },
}


def sections(drawn):
    return {name: SECTIONS[name].model_validate(values) for name, values in drawn.items()}


def identity_of(**own):
    return identity.cell_identities([Cell(**own)], {})[0]


raw_cells = st.fixed_dictionaries(
    {
        section: st.fixed_dictionaries(
            {key: st.sampled_from(values) for key, values in keys.items() if key == "name"},
            optional={key: st.sampled_from(values) for key, values in keys.items() if key != "name"},
        )
        for section, keys in VALUES.items()
    }
)


def test_the_values_are_of_every_key():
    assert {section: set(keys) for section, keys in VALUES.items()} == {
        section: set(model.model_fields) for section, model in SECTIONS.items()
    }


@settings(max_examples=300, deadline=None)
@given(raw_cells, raw_cells, st.randoms())
def test_two_cells_are_one_where_all_their_settings_are(one, other, random):
    """Independent implementation: the settings with every default filled in, compared by Python; copying is none."""
    if random.random() < 0.8:  # else hardly any two would agree
        other = copy.deepcopy(one)
        section = random.choice(list(other))
        key = random.choice(list(VALUES[section]))
        other[section][key] = random.choice(VALUES[section][key])
    own, its = sections(one), sections(other)
    same = all(own[name].model_dump(exclude={"copy"}) == its[name].model_dump(exclude={"copy"}) for name in SECTIONS)
    assert (identity_of(**own) == identity_of(**its)) is same


@pytest.mark.parametrize("section", SECTIONS)
@settings(max_examples=20, deadline=None)
@given(raw=raw_cells)
def test_a_new_key_with_a_default_changes_no_identity_and_another_value_does(section, raw):
    noise = create_model("Noise", __base__=Section, rate=(float, 0.0), kind=(Literal["normal", "uniform"], "normal"))
    averaging = Annotated[Choice, OptionDefaults(lambda name: {"decay": 0.0, "biased": True})]
    new = create_model(
        "New",
        __base__=SECTIONS[section],
        pooling=(Literal["none", "mean"], "none"),
        jitter=(float | None, None),
        noise=(noise, noise()),
        averaging=(averaging, Choice(name="none", options={"decay": 0.0, "biased": True})),
        layers=(list[int], [1, 2]),
    )
    before = sections(raw)
    values = raw[section]
    assert identity_of(**before | {section: new.model_validate(values)}) == identity_of(**before)
    spelt = {"pooling": "none", "jitter": None, "noise": {"rate": 0, "kind": "normal"}, "layers": [1, 2]}
    spelt["averaging"] = {"name": "none", "options": {"decay": 0}}
    assert identity_of(**before | {section: new.model_validate(values | spelt)}) == identity_of(**before)
    others = [
        {"pooling": "mean"},
        {"jitter": 1.0},
        {"noise": {"rate": 0.5}},
        {"noise": {"kind": "uniform"}},
        {"averaging": {"name": "weights"}},
        {"averaging": {"name": "none", "options": {"decay": 0.1}}},
        {"averaging": {"name": "none", "options": {"biased": False}}},
        {"layers": [2, 1]},
    ]
    identities = {identity_of(**before | {section: new.model_validate(values | other)}) for other in others}
    assert len(identities | {identity_of(**before)}) == len(others) + 1


def test_a_new_section_at_its_defaults_changes_no_identity(monkeypatch):
    own = sections({"data": {"name": "iris"}, "model": {"depth": 3}, "train": {}, "measure": {}})
    before = identity_of(**own)
    new = create_model("New", __base__=Section, threshold=(float, 0.5))
    monkeypatch.setattr(identity, "SECTIONS", {**SECTIONS, "new": new})
    assert identity.cell_identities([SimpleNamespace(**own, new=new())], {})[0] == before
    assert identity.cell_identities([SimpleNamespace(**own, new=new(threshold=1))], {})[0] != before


@pytest.mark.parametrize("key", ["train.optimizer={name: adam, b1: 0.5}", "model.bias_init=normal"])
def test_a_new_option_with_a_default_changes_no_run(key, runs, monkeypatch):
    before = runs(overrides=[key])
    monkeypatch.setitem(OPTIMIZERS.records, "adam", replace(OPTIMIZERS["adam"], switches={"amsgrad": False}))
    normal = BIASES["normal"]
    changed = {"options": {**normal.options, "skew": 0.0}, "moments": lambda fan_in, *, mean, std, skew: (mean, std)}
    monkeypatch.setitem(BIASES.records, "normal", replace(normal, **changed))
    assert runs(overrides=[key]) == before


def test_he_asked_for_by_name_is_hes_for_relu(runs):
    assert runs(overrides=["model.weight_init=he_normal"]) == runs(
        overrides=["model.weight_init={name: he_normal, negative_slope: 0}"]
    )
    assert runs(overrides=["model.weight_init=he_normal"]) != runs(overrides=["model.weight_init=auto"])


def test_every_choice_says_what_its_options_are_by_default():
    for name, section in SECTIONS.items():
        for key, field in section.model_fields.items():
            if isinstance(field.get_default(), Choice):
                assert any(isinstance(extra, OptionDefaults) for extra in field.metadata), f"{name}.{key}"
    new = create_model("New", __base__=MeasureConfig, forgotten=(Choice, Choice(name="a")))
    own = sections({"data": {"name": "iris"}, "model": {}, "train": {}})
    with pytest.raises(TypeError, match="OptionDefaults"):
        identity_of(**own, measure=new())


def test_a_default_is_for_good():
    """Another one would give stored runs another meaning. New keys and options are added here, and none changed."""
    options = {
        name: {
            key: field.get_default(call_default_factory=True)
            for key, field in section.model_fields.items()
            if not field.is_required()
        }
        for name, section in SECTIONS.items()
    }
    assert json.loads(identity.canonical({k: {n: str(v) for n, v in keys.items()} for k, keys in options.items()})) == {
        "data": {
            "target": "None",
            "task": "auto",
            "standardize": "True",
            "seed": "0",
            "train_rows": "None",
            "label_noise": "0.0",
            "target_loss": "None",
            "drop": "()",
            "keep": "()",
            "separator": "None",
            "decimal": "None",
            "header": "None",
            "categorical": "refuse",
            "missing": "refuse",
            "na_values": "None",
            "copy": "True",
        },
        "model": {
            "activation": "name='relu' options={}",
            "depth": "10",
            "width": "64",
            "weight_init": "name='auto' options={}",
            "weight_gain": "1.0",
            "bias_init": "name='zeros' options={}",
            "dtype": "float32",
            "norm": "none",
            "residual": "False",
            "dropout": "rate=0.0 kind='standard'",
        },
        "train": {
            "optimizer": "name='adam' options={'b1': 0.9, 'b2': 0.999, 'eps': 1e-08}",
            "learning_rate": "0.001",
            "batch_size": "64",
            "steps": "500",
            "weight_decay": "None",
            "decay_activation_parameters": "False",
            "learn_activation_parameters": "True",
            "schedule": "name='constant' options={'warmup_steps': 0.0}",
            "clip_norm": "None",
            "freeze_layers": "0",
        },
        "measure": {
            "every": "25",
            "evaluate_every": "100",
            "probe_rows": "256",
            "probes": "default",
            "keep_layers": "all",
            "keep_weights": "none",
        },
    }
    adam = {"b1": 0.9, "b2": 0.999, "eps": 1e-8}
    optimizers = {"sgd": {}, "momentum": {"momentum": 0.9, "nesterov": False}, "adam": adam, "adamw": adam}
    optimizers["rmsprop"] = {"decay": 0.9, "eps": 1e-8}
    assert {name: OPTIMIZERS[name].options for name in optimizers} == optimizers
    biases = {"zeros": {}, "constant": {"value": 0.1}, "normal": {"mean": 0.0, "std": 0.1}}
    assert {name: dict(BIASES[name].options) for name in biases} == biases
    assert all(INITIALIZERS[f"he_{name}"].defaults == {"negative_slope": 0.0} for name in KINDS)
    assert not any(INITIALIZERS[f"{of}_{name}"].defaults for of in ("lecun", "glorot") for name in KINDS)
    assert {name: dict(activations.CATALOGUE[name].parameters) for name in PARAMETERS} == PARAMETERS


KINDS = ("normal", "uniform", "truncated_normal")
PARAMETERS = {
    "leaky_relu": {"negative_slope": 0.01},
    "prelu": {"alpha": 0.25},
    "elu": {"alpha": 1.0},
    "swish": {"beta": 1.0},
    "star_relu": {"scale": 0.8944, "bias": -0.4472},
    "celu": {"alpha": 1.0},
    "squareplus": {"b": 4.0},
    "sine": {"omega": 1.0},
    "snake": {"alpha": 1.0},
    "softshrink": {"threshold": 0.5},
}


def test_ids_that_were_given_are_for_good(planned):
    """Recorded: whoever changes how a run is identified has every stored study trained again."""
    ids = [list(planned("sweep: {seeds: 2}\n", overrides).runs) for overrides in ((), ["train.optimizer=adamw"])]
    assert ids == [["b96d529c1c31", "e5313a56670f"], ["3030c01df9f0", "6e0f93193ff8"]]


@pytest.mark.parametrize(
    "line",
    ["question: why?\n", "report: {tables: null}\n", "report: {select: null}\n", "sweep: {seeds: [0]}\n"],
    ids=["question", "tables", "select", "seeds"],
)
def test_words_change_no_run(line, runs):
    assert runs(line) == runs()


def test_one_setting_in_other_words_is_one(runs):
    spellings = [
        BASE.replace("depth: 2", "depth: 2, activation: {name: relu}, weight_gain: 1, bias_init: {name: zeros}"),
        BASE.replace("depth: 2", "weight_gain: 1.0, depth: 2").replace(
            "{steps: 4, batch_size: 8}", "{batch_size: 8, steps: 4}"
        ),
        BASE.replace("depth: 2", "weight_gain: 1e0, depth: 2").replace("steps: 4", "steps: 4, learning_rate: 0.001"),
        BASE.replace("steps: 4", "steps: 4, optimizer: {eps: 1e-8, b2: 0.9990, name: adam}, learning_rate: 1e-3"),
    ]
    assert {frozenset(runs(base=base)) for base in spellings} == {frozenset(runs())}
    parts = BASE.strip().split("\n")
    assert runs(base="\n".join(reversed(parts)) + "\n") == runs()
    assert runs(overrides=["measure.probes=act_mean,act_var"]) == runs(overrides=["measure.probes=act_var,act_mean"])
    warm = ["train.schedule.name=constant", "train.schedule.warmup_steps=2"]
    assert runs(overrides=warm[1:]) == runs(overrides=warm)
    assert runs(overrides=["train.learning_rate=1"]) == runs(overrides=["train.learning_rate=1.0"])


@pytest.mark.parametrize(
    "override", ["model.depth=3", "train.steps=6", "data.seed=1", "measure.keep_layers=ends", "sweep.seeds=[1]"]
)
def test_every_setting_is_identity(override, runs):
    assert not runs(overrides=[override]) & runs()


# Where a run is executed


def test_versions_platform_flags_and_runs_per_call_are_no_identity(planned, monkeypatch):
    here = planned()
    there = planned(platform="gpu")
    calls = [{group.shape.spec.runs_per_call for group in plan.groups} for plan in (here, there)]
    assert calls[0] != calls[1]
    assert list(there.runs) == list(here.runs)
    store.versions.cache_clear()
    monkeypatch.setattr(store, "version", lambda name: "99.0")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    try:
        assert store.versions()["jax"] == "99.0"
        assert list(planned().runs) == list(here.runs)
    finally:
        store.versions.cache_clear()


# Data


def test_data_is_known_by_its_content(tmp_path, own, runs, planned):
    here = own()
    (tmp_path / "a").mkdir()
    for name in ("rows.csv", "act.py", "helper.py"):
        (tmp_path / "a" / name).write_bytes((tmp_path / name).read_bytes())
    assert own(name="a/s.yaml") == here
    (tmp_path / "rows.csv").rename(tmp_path / "other.csv")
    assert own(overrides=["data.name=" + str(tmp_path / "other.csv")]) == here
    (tmp_path / "rows.csv").write_text(ROWS.replace("\n3,2,", "\n3,5,"))
    assert not own() & here
    two = planned("sweep: {matrix: {data.name: [a/rows.csv, other.csv, rows.csv]}, seeds: 2}\n")
    assert sorted(run.labels["data"] for run in two.runs.values()) == ["rows.csv"] * 4
    assert len({run.labels["data_content"] for run in two.runs.values()}) == 2


def test_bundled_data_is_known_by_its_arrays(runs, monkeypatch):
    before = runs()
    iris = data.DATASETS["iris"]
    monkeypatch.setitem(data.DATASETS.records, "flowers", replace(iris, name="flowers"))
    assert runs(overrides=["data.name=flowers"]) == before
    table = iris.load()
    monkeypatch.setitem(data.DATASETS.records, "iris", replace(iris, load=lambda: replace(table, x=table.x[::-1])))
    assert not runs() & before
    bundled_checksum.cache_clear()


# Functions of the user's


@pytest.mark.parametrize(
    ("name", "old", "new"),
    thinned(
        [
            ("act.py", "def f", "\n# The one.\n\ndef f"),
            ("act.py", "def f(z):\n", 'def f(z):\n    """Twice the square."""\n'),
            ("act.py", "return twice(z) + z", "return twice(z) - z"),
            ("helper.py", "return", "# half of four times\n    return"),
            ("helper.py", "    return", "  return"),
        ],
        2,
    ),
)
def test_what_changes_nothing_that_runs_changes_no_run(name, old, new, tmp_path, own):
    before = own()
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new, 1))
    assert own() == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("act.py", "return twice(z) * z", "return twice(z) * z * z"),
        ("helper.py", "2.0", "3.0"),
        ("helper.py", "def twice", "import other\n\n\ndef twice"),
    ],
)
def test_a_change_that_is_run_changes_every_run(name, old, new, tmp_path, own):
    before = own()
    (tmp_path / "other.py").write_text("")
    (tmp_path / name).write_text((tmp_path / name).read_text().replace(old, new))
    after = own()
    assert not after & before
    if "other" in new:
        (tmp_path / "other.py").write_text("k = 1\n")
        assert not own() & after


def test_a_function_is_loaded_again_when_what_it_imports_changes(tmp_path, own):
    own()
    name = f"{tmp_path}/act.py:f"
    assert activations.CATALOGUE.find(name).function(3.0) == 18.0
    assert activations.CATALOGUE.find(name) is activations.CATALOGUE.find(name)
    (tmp_path / "helper.py").write_text(HELPER.replace("2.0", "3.0"))
    assert activations.CATALOGUE.find(name).function(3.0) == 27.0


def test_an_indent_is_part_of_a_function(tmp_path, own):
    body = "def f(z):\n    for _ in range(2):\n        z = z * 0.5\n        z = z + 1.0\n    return z\n"
    (tmp_path / "act.py").write_text(body)
    before = own()
    (tmp_path / "act.py").write_text(body.replace("        z = z + 1.0", "    z = z + 1.0"))
    assert not own() & before


def test_one_function_under_two_names_is_one_run_and_two_of_one_file_are_two(tmp_path, planned, own):
    own()
    (tmp_path / "b.py").write_text("# a copy\n" + ACT)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "act.py").write_text(ACT)
    (tmp_path / "a" / "helper.py").write_text(HELPER + "# the same\n")
    plan = planned("sweep: {matrix: {model.activation: [act.py:f, b.py:f, a/act.py:f, act.py:g]}, seeds: 2}\n")
    assert [run.labels["activation"] for run in plan.runs.values()] == ["f", "f", "g", "g"]
    assert sum(len(group.runs) for group in plan.groups) == 4
    assert sorted(plan.sources) == ["act.py", "b.py", "helper.py"]
    (tmp_path / "a" / "helper.py").write_text(HELPER.replace("2.0", "3.0"))
    where = (
        r"s\.yaml:\d+: model\.activation: .*a/act\.py:g: another file of this study is named helper\.py too; rename one"
    )
    with pytest.raises(StudyError, match=where):
        planned("sweep: {matrix: {model.activation: [act.py:f, a/act.py:g]}}\n")


def test_a_function_goes_by_its_tokens_wherever_it_stands_in_the_settings(tmp_path):
    """A measure of the user's, once a study may name one."""
    named = create_model("Named", __base__=MeasureConfig, mine=(list[str], []))
    own = sections({"data": {"name": "iris"}, "model": {}, "train": {}})
    (tmp_path / "m.py").write_text("def gauss(z):\n    return z\n")
    cell = Cell(**own, measure=named(mine=[f"{tmp_path}/m.py:gauss", "act_mean"]))

    def of(cell):
        checksums, copies = identity.user_functions([cell])
        assert copies == {"m.py": tmp_path / "m.py"}
        return identity.cell_identities([cell], checksums)[0]

    before = of(cell)
    assert str(tmp_path) not in before
    (tmp_path / "m.py").write_text("def gauss(z):\n    return -z\n")
    assert of(cell) != before


# One name for one content when reading


def test_data_that_was_renamed_is_one_setting():
    rows = {"run": list("abcd"), "data": ["new", "old", "b", "digits"], "data_content": ["1", "1", "2", None]}
    assert frames.one_name(pd.DataFrame(rows))["data"].tolist() == ["new", "new", "b", "digits"]


def test_ids_differ_by_seed_and_cell():
    ids = [identity.run_id(cell, seed) for cell, seed in itertools.product(("{}", '{"a":1}'), (0, 1, 10))]
    assert len(set(ids)) == 6
    assert all(len(name) == 12 for name in ids)
