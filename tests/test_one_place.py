"""What is added in one place is seen everywhere, in lists, runs and tables; every key of the YAML is declared."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import actlab
from actlab import data
from actlab.analysis import documents
from actlab.analysis.cells import build_cells
from actlab.analysis.parts import ReportError
from actlab.data.spec import CHOICES
from actlab.engine import run_data
from actlab.nn.blocks import Options
from actlab.nn.spec import ProgramSpec
from actlab.study import columns, settings
from actlab.study.fields import LABEL, NUMBER, STATIC
from actlab.study.plan import plan
from actlab.study.reading import StudyError, read
from actlab.study.sections import SECTIONS, DataConfig, run_keys
from tests.synthetic import frames
from tests.thinned import thinned
from tests.typed import typed

OWN = Path(__file__).parent / "own"
NAMES = "bent", "narrow", "lifted", "lookahead", "moons", "fourth", "slopes", "picture"


# The promise: a file outside the package adds what the package's own files add, by the same means


def command(folder, *words):
    """Return what the real command prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "actlab", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(actlab.__file__).parents[1]), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    shutil.copy(OWN / "mine.py", folder)
    shutil.copy(OWN / "study.yaml", folder)
    command(folder, "run", "study.yaml", "--workers", "1")
    return folder


def test_what_a_file_adds_is_listed(own, monkeypatch, capsys):
    monkeypatch.chdir(own)
    code, text, said = typed(capsys, "list", "mine.py")
    assert code == 0, said
    assert [name for name in NAMES if f"mine.py:{name}" not in text] == []


def test_what_a_file_adds_is_run(own):
    runs = actlab.load(own / "results" / "own").runs
    assert set(runs["status"]) == {"ok"}
    assert set(runs["activation"]) == {"relu", "bent"}
    labels = runs[["data", "weight_init", "bias_init", "optimizer"]].drop_duplicates()
    assert labels.to_numpy().tolist() == [["moons", "narrow", "lifted(by=0.01)", "lookahead"]]
    layers = actlab.load(own / "results" / "own").layers
    assert np.isfinite(layers["fourth"]).all()
    learned = layers[layers["run"].isin(runs.loc[runs["activation"] == "bent", "run"])]
    assert learned["slope"].nunique() > 1


def test_what_a_file_adds_is_in_tables_and_figures(own, monkeypatch, capsys):
    folder = own / "results" / "own"
    assert set(pd.read_csv(folder / "tables" / "slopes.csv")["activation"]) == {"relu", "bent"}
    assert (folder / "figures" / "picture.png").exists()
    report = (folder / "report.md").read_text(encoding="utf-8")
    for name in ("bent", "narrow", "lifted", "lookahead", "moons", "Slopes at the end", "picture.png"):
        assert name in report
    monkeypatch.chdir(own)
    code, compared, said = typed(capsys, "compare", "results/own", "--metric", "fourth", "--by", "activation,depth")
    assert code == 0, said
    assert "fourth moment of z" in compared


def test_a_study_with_parts_of_ones_own_is_whole_and_finished(own, tmp_path, monkeypatch, capsys):
    """It runs from its own folder alone, and a second time trains nothing."""
    shutil.copytree(own / "results" / "own", tmp_path / "copied")
    monkeypatch.chdir(tmp_path)
    code, planned, said = typed(capsys, "plan", "copied/study.yaml", "--out", "copied")
    assert code == 0, said
    assert "0 runs to train" in planned
    shutil.rmtree(tmp_path / "copied" / "tables")
    code, _, said = typed(capsys, "report", "copied")
    assert code == 0, said
    assert (tmp_path / "copied" / "tables" / "slopes.csv").exists()


# What is refused of one's own, before anything is trained


REFUSED = {
    "no such function": ("train.optimizer=mine.py:lokahead", "no function 'lokahead'; did you mean 'lookahead'"),
    "not declared": ("train.optimizer=mine.py:running_sum", "decorate it with @actlab.optimizer"),
    "an option that it has not": ("train.optimizer={name: mine.py:lookahead, pul: 1.0}", "did you mean 'pull'"),
    "a data set that fails": ("data.name=bad.py:broken", "line 6: RuntimeError: no rows today"),
    "data of another form": ("data.name=bad.py:number", "gives int; expected arrays x [N, F] and y [N]"),
    "data with a hole": ("data.name=bad.py:hole", "column 'x0', row 3: expected a number, found a missing value"),
    "data that changes": ("data.name=bad.py:restless", "gives other rows when it is called again"),
    "declared as something else": ("train.optimizer=mine.py:narrow", "is declared as initializer; decorate it with"),
    "swapped arguments": ("model.weight_init=swapped.py:f", "takes (fan_out, fan_in); expected the order (fan_in, fan"),
    "an initializer without a return": ("model.weight_init=bad.py:silent", "silent: gives None; expected a standard"),
    "an optimizer without a return": ("train.optimizer=bad.py:mute", "mute: gives no direction; it must return one"),
    "memory of another form": ("train.optimizer=bad.py:bare", "bare: remembers an array; expected {g: ...}"),
    "infinite at first": ("train.optimizer=bad.py:late", "late: the direction at t = 1 after a gradient of -2 is not"),
    "a table without cells": ("report.tables=[empty.py:t]", "t: expected a function t(cells, *, option=1.0)"),
    "an optimizer that mixes": ("train.optimizer=bad.py:mixed", "mixed: is not elementwise"),
    "one that forgets": ("train.optimizer=bad.py:forgetful", "forgetful: remembers a; it declares a, b"),
    "an initializer without weights": ("model.weight_init=bad.py:nothing", "expected positive numbers"),
    "an optimizer with a hole": ("train.optimizer=bad.py:holed", "holed: the direction at t = 1 after a gradient of 0"),
    "memory that it has not": ("train.optimizer=bad.py:confused", "confused: its memory has no 'm'; it declares g"),
    "an initializer that fails": ("model.weight_init=bad.py:lost", "line 20: KeyError: 'nowhere'"),
    "a bias without a width": (
        "model.bias_init=bad.py:half",
        "half: gives 0.5; expected a mean and a standard deviation",
    ),
    "two tables of one name": ("report.tables=[performance, bad.py:performance]", "another table of that name"),
    "a table in the verdicts' place": ("report.tables=[bad.py:claims]", "another table of that name"),
    "no such table": ("report.tables=[mine.py:slops]", "no function 'slops'; did you mean 'slopes'"),
}
SWAPPED = """
import actlab

@actlab.initializer("normal")
def f(fan_out, fan_in): return fan_in**-0.5
"""
EMPTY = """
import actlab

@actlab.table
def t(): return None
"""
FAILING = """
import actlab
import jax.numpy as jnp
import numpy as np

def broken(): raise RuntimeError("no rows today")
def number(): return 3
def hole(): return np.where(np.arange(60.0)[:, None] == 2, np.nan, 1.0), np.arange(60) % 2

@actlab.optimizer(memory=("g",), remember=lambda g, memory: {"g": g})
def mixed(memory, t): return memory["g"] / jnp.linalg.norm(memory["g"])

@actlab.optimizer(memory=("a", "b"), remember=lambda g, memory: {"a": g})
def forgetful(memory, t): return memory["a"]

@actlab.initializer("normal")
def nothing(fan_in, fan_out): return 0.0

@actlab.initializer("normal")
def lost(fan_in, fan_out): return {}["nowhere"]

@actlab.bias_initializer("normal")
def half(fan_in): return 0.5

@actlab.optimizer(memory=("g",), remember=lambda g, memory: {"g": g})
def holed(memory, t): return memory["g"] / jnp.abs(memory["g"])

@actlab.optimizer(memory=("g",), remember=lambda g, memory: {"g": g})
def confused(memory, t): return memory["m"]

def restless(): return np.random.normal(size=(60, 2)), np.arange(60) % 2

@actlab.initializer("normal")
def silent(fan_in, fan_out): fan_in**-0.5

@actlab.optimizer(memory=("g",), remember=lambda g, memory: {"g": g})
def mute(memory, t): memory["g"]

@actlab.optimizer(memory=("g",), remember=lambda g, memory: g)
def bare(memory, t): return memory["g"]

@actlab.optimizer(memory=("g",), remember=lambda g, memory: {"g": g})
def late(memory, t): return memory["g"] / (t - 1)

@actlab.table
def performance(cells): return None

@actlab.table
def claims(cells): return None
"""
BAD = {"bad.py": FAILING, "swapped.py": SWAPPED, "empty.py": EMPTY}


@pytest.mark.parametrize("case", thinned(REFUSED, 4))
def test_parts_of_ones_own_are_checked_before_training(case, tmp_path, monkeypatch):
    override, message = REFUSED[case]
    for name in ("mine.py", "study.yaml"):
        shutil.copy(OWN / name, tmp_path)
    for name, text in BAD.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=re.escape(message)):
        plan(actlab.study_of("study.yaml", [override]))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        *sorted([*BAD, "mine.py", "study.yaml"]),
    ]


def test_a_file_that_cannot_be_listed_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "actlab", "list", "nofile.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "actlab: nofile.py: no such file")


def test_a_table_that_fails_is_named_and_measurements_stay(own, tmp_path):
    shutil.copytree(own / "results" / "own", tmp_path / "r")
    file = tmp_path / "r" / "sources" / "mine.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('cells.selected["vanishing_slope"]', 'cells.selected["vanishing_slop"]'), "utf-8")
    shutil.rmtree(tmp_path / "r" / "tables")
    with pytest.raises(ReportError, match=r"slopes: .*mine\.py, line \d+: KeyError: 'vanishing_slop'") as failed:
        actlab.report(tmp_path / "r", trust=True)
    assert "All else is written" in str(failed.value)
    assert (tmp_path / "r" / "tables" / "performance.csv").exists()
    assert "mine.py:slopes` failed" in (tmp_path / "r" / "report.md").read_text(encoding="utf-8")


def test_what_is_no_table_is_named():
    @actlab.table
    def wrong(cells):
        return "a text"

    with pytest.raises(ReportError, match=r"wrong: gives str; expected a Table, made by actlab\.analysis\.layout"):
        wrong(build_cells(*frames()))


def test_a_data_set_is_known_by_its_rows_too(tmp_path):
    """A function that reads a file makes other data once the file is another."""
    (tmp_path / "mine.py").write_text(
        "import numpy as np\ndef rows():\n    x = np.loadtxt(FILE)\n    return x, np.arange(60) % 2\n"
        f"FILE = {str(tmp_path / 'x.txt')!r}\n"
    )
    checksums = []
    for scale in (1.0, 1.0 + 1e-12, 2.0):
        np.savetxt(tmp_path / "x.txt", scale * np.arange(120.0).reshape(60, 2))
        checksums.append(data.checksum(f"{tmp_path / 'mine.py'}:rows"))
    assert checksums[0] == checksums[1] != checksums[2]


CHANGES = {
    "optimizer": ("over = memory", "over = 1 + memory"),
    "its direction": ("(1.0 - pull)", "(2.0 - pull)"),
    "data": ("rng.normal(0, 0.1", "rng.normal(0, 0.2"),
    "initializer": ("share / fan_in**0.5", "share / fan_in"),
    "bias": ("return by, 0.0", "return by, 1.0"),
}


@pytest.mark.parametrize("change", thinned(CHANGES, 3))
def test_what_a_function_does_is_part_of_a_runs_identity(change, tmp_path):
    for name in ("mine.py", "study.yaml"):
        shutil.copy(OWN / name, tmp_path)
    before = set(plan(read(tmp_path / "study.yaml")).runs)
    text = (tmp_path / "mine.py").read_text(encoding="utf-8")
    old, new = CHANGES[change]
    assert text.count(old) == 1
    (tmp_path / "mine.py").write_text(text.replace(old, new), encoding="utf-8")
    assert not before & set(plan(read(tmp_path / "study.yaml")).runs)


def test_a_table_is_no_part_of_a_runs_identity(tmp_path):
    for name in ("mine.py", "study.yaml"):
        shutil.copy(OWN / name, tmp_path)
    before = set(plan(read(tmp_path / "study.yaml")).runs)
    assert set(plan(read(tmp_path / "study.yaml", ["report.tables=[performance]"])).runs) == before


# Keys of the YAML


BASE = """
study: s
data: {name: iris}
model: {activation: prelu, width: 8, depth: 3}
train: {steps: 20, batch_size: 16, optimizer: momentum}
measure: {every: 5, evaluate_every: 10, probe_rows: 50}
"""
# Two values of each key, and what else they need.
PAIRS = {
    "data.name": ("iris", "wine", []),
    "data.seed": ("0", "1", []),
    "data.standardize": ("true", "false", []),
    "data.train_rows": ("60", "70", []),
    "data.label_noise": ("0", "0.1", []),
    "data.target": ("a", "b", ["data.name=rows.csv"]),
    "data.task": ("regression", "classification", ["data.name=rows.csv", "data.target=b"]),
    "data.target_loss": ("0.1", "0.2", []),
    "data.drop": ("[]", "[x]", ["data.name=rows.csv", "data.target=a"]),
    "data.keep": ("[]", "[i]", ["data.name=rows.parquet"]),
    "data.separator": ('","', '";"', ["data.name=two.csv", "data.decimal=','"]),
    "data.decimal": ("'.'", "','", ["data.name=decimals.csv", "data.separator=';'"]),
    "data.header": ("true", "false", ["data.name=bare.csv"]),
    "data.categorical": ("refuse", "one_hot", ["data.name=kinds.csv"]),
    "data.missing": ("drop_rows", "mean", ["data.name=gaps.csv"]),
    "data.na_values": ("[]", "[2]", ["data.name=rows.csv", "data.target=a", "data.missing=drop_rows"]),
    "data.copy": ("true", "false", ["data.name=rows.csv", "data.target=a"]),
    "model.activation": ("prelu", "{name: prelu, per: unit}", []),
    "model.depth": ("2", "3", []),
    "model.width": ("8", "9", []),
    "model.weight_init": ("he_normal", "he_uniform", []),
    "model.weight_gain": ("1.0", "1.5", []),
    "model.bias_init": ("zeros", "normal", []),
    "model.dtype": ("float32", "float64", []),
    "model.norm": ("none", "layer", []),
    "model.residual": ("false", "true", []),
    "model.dropout.rate": ("0.0", "0.1", []),
    "model.dropout.kind": ("standard", "alpha", ["model.dropout={rate: 0.1}"]),
    "train.optimizer": ("{name: momentum, nesterov: false}", "{name: momentum, nesterov: true}", []),
    "train.learning_rate": ("0.1", "0.2", []),
    "train.schedule": ("constant", "cosine", []),
    "train.batch_size": ("16", "17", []),
    "train.steps": ("20", "30", []),
    "train.clip_norm": ("null", "1.0", []),
    "train.weight_decay": ("0.0", "0.1", []),
    "train.decay_activation_parameters": ("false", "true", []),
    "train.learn_activation_parameters": ("true", "false", []),
    "train.freeze_layers": ("0", "1", []),
    "measure.every": ("5", "10", []),
    "measure.evaluate_every": ("10", "20", []),
    "measure.probe_rows": ("50", "60", []),
    "measure.probes": ("default", "all", []),
    "measure.keep_layers": ("all", "ends", []),
    "measure.keep_weights": ("none", "final", []),
}
KEYS = {f"{section}.{name}": key for section, name, key in run_keys() if name != "dropout"}


def test_every_key_is_declared_and_tried_here():
    assert set(PAIRS) == set(KEYS)
    assert {key.role for key in KEYS.values()} == {STATIC, NUMBER, LABEL}


def test_a_key_of_the_data_is_a_field_of_what_workers_are_sent():
    """A worker reads data without pydantic: names, defaults and choices stand in both, and are the same."""
    section, spec = SECTIONS["data"].model_fields, {field.name: field for field in dataclasses.fields(data.DataSpec)}
    assert set(section) - {"copy"} == set(spec)  # whether a folder gets the file is nothing to a worker
    for name, field in spec.items():
        if name != "name":
            assert section[name].get_default() == field.default, name
    for name, choices in CHOICES.items():
        for choice in choices:
            DataConfig(name="iris", **{name: choice})
        with pytest.raises(ValueError, match="none of them"):
            DataConfig(name="iris", **{name: "none of them"})


def of_program(key, value, more, folder):
    """Return what a study's programs are compiled from, and what is in their arguments besides the data."""
    (folder / "s.yaml").write_text(BASE, encoding="utf-8")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=90), "a": np.arange(90) % 2, "b": np.arange(90) % 3})
    table.to_csv(folder / "rows.csv", index=False)
    table.set_index(pd.Index(rng.permutation(90), name="i")).to_parquet(folder / "rows.parquet")
    table.assign(b=[f"kind {b}" for b in table["b"]])[["x", "b", "a"]].to_csv(folder / "kinds.csv", index=False)
    table.assign(x=table["x"].where(table["b"] > 0))[["x", "a"]].to_csv(folder / "gaps.csv", index=False)
    for name, first, line in (
        ("two.csv", "one,two;y\n", "{0},{1};{2}\n"),
        ("decimals.csv", "x;y\n", "{0};{1},5\n"),
        ("bare.csv", "1.5,1\n", "{0}.5,{1}\n"),
    ):
        (folder / name).write_text(first + "".join(line.format(i % 7, i % 2, i % 3) for i in range(90)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        if value == "refuse":
            with pytest.raises(StudyError, match=r"data\.categorical: one_hot"):
                plan(read("s.yaml", [*more, f"{key}={value}"]))
            return ("refused",), ()
        (group,) = plan(read("s.yaml", [*more, f"{key}={value}"])).groups
    program = replace(group.shape.spec, depth_bound=0)  # which of a study's depths is the deepest
    rows = run_data.rows(group.shape, folder)
    forms = [split.x.shape for split in (rows.train, rows.validation, rows.test)]
    forms.append((min(group.shape.probe_rows, len(rows.train.y)), len(rows.classes)))
    (run,) = group.runs
    schedule = (group.depth, group.activation, group.steps, group.every, group.evaluate_every)
    content = [np.round(split.x.sum(0), 9).tolist() for split in (rows.train, rows.validation)]
    content.append(rows.train.y.tolist())
    return (program, group.shape.optimizer, forms), (run.numbers, schedule, group.shape.activations, content)


@pytest.mark.parametrize("key", thinned(PAIRS, 2))
def test_a_keys_role_is_what_it_says(key, tmp_path):
    one, other, more = PAIRS[key]
    (program, numbers), (other_program, other_numbers) = (of_program(key, v, more, tmp_path) for v in (one, other))
    role = KEYS[key].role
    assert (program != other_program) == (role == STATIC)
    if role != STATIC:
        assert (str(numbers) != str(other_numbers)) == (role == NUMBER)


def test_every_field_of_the_program_is_decided_somewhere():
    """By a static key, or by what a study as a whole has: one that is forgotten is no field, and planning fails."""
    decided = {key.spec or name for section, name, key in run_keys() if section != "data" and key.shapes_program}
    whole = {"task", "probes", "depth_bound", "static_depth", "runs_per_call", "eval_chunks"}
    fields = set(ProgramSpec.__dataclass_fields__) - {"block"} | {f"block.{name}" for name in vars(Options())}
    assert decided | whole == fields
    assert not decided & whole


def test_a_key_is_in_every_list_that_reads_it(tmp_path):
    (tmp_path / "s.yaml").write_text(BASE, encoding="utf-8")
    (run,) = plan(read(tmp_path / "s.yaml")).runs.values()
    document = documents.keys_table()
    known = {one.key: one.column for one in columns.settings() if one.key}
    for key, declared in KEYS.items():
        assert f"| `{key}` |" in document
        if declared.column != "":
            assert run.labels.keys() >= {known[key]}
    assert list(known.values()) == [name for name in run.labels if name in known.values()]


def test_settings_are_read_as_they_were_written():
    today = {one.column: one.key for one in columns.settings()}
    assert all(one.key == today[one.column] for one in settings.UNSTATED)
    assert settings.from_plain(settings.to_plain(columns.settings())) == columns.settings()
