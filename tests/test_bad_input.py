"""A wrong request is answered in one screen, with exit code 2, before anything is compiled; nothing changes on disk."""

import json
import os
import textwrap
from concurrent.futures import Executor, Future

import numpy as np
import pytest

from actlab import cli
from actlab.engine import handover, worker_pools

STUDY = """
study: s
data: {name: iris}
model:
  depth: 2
  width: 8
train: {steps: 4, batch_size: 8}
measure: {every: 2, evaluate_every: 2}
"""


def study(**replaced):
    """Write the sound study above with some lines replaced: study(**{'  depth: 2': '  depth: -1'})."""
    text = STUDY
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    return text


def with_sweep(sweep):
    return STUDY + "sweep:\n" + textwrap.indent(textwrap.dedent(sweep), "  ")


# name: (the YAML, overrides, what the message must say)
YAML_CASES = {
    "misspelt key": (study(**{"  depth: 2": "  dpeth: 2"}), [], ["s.yaml:5", "model.dpeth", "did you mean 'depth'"]),
    "unknown key with a name of ours": (STUDY + "options: 3", [], ["s.yaml:9", "options: unknown key"]),
    "misspelt section": (study(**{"train:": "trian:"}), [], ["s.yaml:7", "trian", "did you mean 'train'"]),
    "no study name": (study(**{"study: s\n": ""}), [], ["study", "missing"]),
    "no data": (study(**{"data: {name: iris}\n": ""}), [], ["data", "missing"]),
    "bad study name": (study(**{"study: s": "study: My Study"}), [], ["s.yaml:2", "study", "a-z"]),
    "misspelt activation": (
        study(**{"  depth: 2": "  activation: gelluu"}),
        [],
        ["s.yaml:5", "model.activation", "gelluu", "did you mean 'gelu'"],
    ),
    "unknown activation option": (
        study(**{"  depth: 2": "  activation: {name: leaky_relu, slope: 0.1}"}),
        [],
        ["s.yaml:5", "slope", "negative_slope"],
    ),
    "activation option not a number": (
        study(**{"  depth: 2": "  activation: {name: leaky_relu, negative_slope: steep}"}),
        [],
        ["s.yaml:5", "negative_slope", "number"],
    ),
    "activation without a name": (study(**{"  depth: 2": "  activation: {alpha: 0.1}"}), [], ["s.yaml:5", "name"]),
    "activation is a list": (
        study(**{"  depth: 2": "  activation: [relu, elu]"}),
        [],
        ["s.yaml:5", "model.activation"],
    ),
    "misspelt data set": (study(**{"iris": "irsi"}), [], ["s.yaml:3", "irsi", "did you mean 'iris'"]),
    "missing data file": (study(**{"iris": "no.csv"}), [], ["s.yaml:3", "no.csv"]),
    "misspelt optimizer": (study(**{"steps: 4": "optimizer: adma"}), [], ["s.yaml:7", "adma", "did you mean 'adam'"]),
    "unknown optimizer option": (
        study(**{"steps: 4": "optimizer: {name: adam, beta1: 0.9}"}),
        [],
        ["s.yaml:7", "beta1", "b1"],
    ),
    "misspelt initializer": (
        study(**{"  depth: 2": "  weight_init: he_norml"}),
        [],
        ["s.yaml:5", "he_norml", "did you mean 'he_normal'"],
    ),
    "initializer without its number": (study(**{"  depth: 2": "  weight_init: gaussian"}), [], ["s.yaml:5", "sigma_w"]),
    "misspelt bias": (study(**{"  depth: 2": "  bias_init: zero"}), [], ["s.yaml:5", "did you mean 'zeros'"]),
    "negative depth": (study(**{"  depth: 2": "  depth: -1"}), [], ["s.yaml:5", "model.depth", "≥ 1", "-1"]),
    "depth not whole": (
        study(**{"  depth: 2": "  depth: 2.5"}),
        [],
        ["s.yaml:5", "depth", "whole number", "2.5"],
    ),
    "depth a list": (study(**{"  depth: 2": "  depth: [2, 4]"}), [], ["s.yaml:5", "model.depth", "[2, 4]"]),
    "depth a truth value": (study(**{"  depth: 2": "  depth: true"}), [], ["s.yaml:5", "model.depth", "True"]),
    "width zero": (study(**{"  width: 8": "  width: 0"}), [], ["s.yaml:6", "model.width", "≥ 1"]),
    "learning rate a word": (study(**{"steps: 4": "learning_rate: fast"}), [], ["s.yaml:7", "learning_rate", "fast"]),
    "learning rate NaN": (study(**{"steps: 4": "learning_rate: .nan"}), [], ["s.yaml:7", "learning_rate", "finite"]),
    "learning rate infinite": (study(**{"steps: 4": "learning_rate: .inf"}), [], ["s.yaml:7", "finite"]),
    "negative weight decay": (study(**{"steps: 4": "weight_decay: -1"}), [], ["s.yaml:7", "weight_decay", "≥ 0"]),
    "gain zero": (study(**{"  width: 8": "  weight_gain: 0"}), [], ["s.yaml:6", "weight_gain", "> 0"]),
    "evaluations off the records": (
        study(**{"evaluate_every: 2": "evaluate_every: 3"}),
        [],
        ["s.yaml:8", "evaluate_every", "multiple of every"],
    ),
    "misspelt probe": (study(**{"every: 2,": "probes: [act_meen],"}), [], ["s.yaml:8", "did you mean 'act_mean'"]),
    "batch larger than the data": (
        study(**{"batch_size: 8": "batch_size: 4096"}),
        [],
        ["s.yaml:7", "at most the 90"],
    ),
    "duplicate key": (study(**{"  width: 8": "  width: 8\n  width: 16"}), [], ["s.yaml:7", "duplicate", "width"]),
    "not YAML": (study(**{"{name: iris}": "{name: iris"}), [], ["s.yaml:", "not valid YAML"]),
    "not a mapping": ("- study\n- data\n", [], ["s.yaml:1", "mapping"]),
    "empty file": ("", [], ["s.yaml", "mapping"]),
    "empty section": (study(**{"train: {steps: 4, batch_size: 8}": "train:"}), [], ["s.yaml:7", "train", "empty"]),
    "empty matrix": (with_sweep("matrix: {}"), [], ["s.yaml:10", "sweep.matrix"]),
    "empty list in the matrix": (with_sweep("matrix: {model.depth: []}"), [], ["s.yaml:10", "model.depth", "empty"]),
    "number where a list is meant": (with_sweep("matrix: {model.depth: 3}"), [], ["s.yaml:10", "model.depth", "list"]),
    "misspelt key in the matrix": (
        with_sweep("matrix: {model.dpeth: [1]}"),
        [],
        ["s.yaml:10", "model.dpeth", "did you mean 'model.depth'"],
    ),
    "bad value in the matrix": (with_sweep("matrix:\n  model.depth: [2, -3]"), [], ["s.yaml:11", "model.depth", "-3"]),
    "value twice in the matrix": (with_sweep("matrix: {model.depth: [2, 2]}"), [], ["s.yaml:10", "twice"]),
    "everything excluded": (
        with_sweep("matrix: {model.depth: [2]}\nexclude: [{model.depth: 2}]"),
        [],
        ["s.yaml:11", "no cell"],
    ),
    "misspelt value in exclude": (
        with_sweep("matrix: {model.activation: [relu, selu]}\nexclude: [{model.activation: seluu}]"),
        [],
        ["s.yaml:11", "model.activation", "did you mean 'selu'"],
    ),
    "bad value in include": (
        with_sweep("matrix: {model.depth: [2, 3]}\ninclude: [{model.depth: 4, model.activation: relo}]"),
        [],
        ["s.yaml:11", "model.activation", "did you mean 'relu'"],
    ),
    "misspelt option": (study(**{"  width: 8": "  residaul: true"}), [], ["s.yaml:6", "did you mean 'residual'"]),
    "misspelt norm": (
        study(**{"  width: 8": "  norm: bacth"}),
        [],
        ["s.yaml:6", "model.norm", "'bacth'", "did you mean 'batch'"],
    ),
    "residual a word": (study(**{"  width: 8": "  residual: yes"}), [], ["s.yaml:6", "true or false", "'yes'"]),
    "dropout a number": (
        study(**{"  width: 8": "  dropout: 0.2"}),
        [],
        ["s.yaml:6", "model.dropout", "did you mean '{rate: 0.2}'?"],
    ),
    "misspelt key of dropout": (
        study(**{"  width: 8": "  dropout: {rte: 0.2}"}),
        [],
        ["s.yaml:6", "model.dropout.rte", "did you mean 'rate'"],
    ),
    "everything dropped": (
        study(**{"  width: 8": "  dropout: {rate: 1}"}),
        [],
        ["s.yaml:6", "model.dropout.rate", "< 1"],
    ),
    "misspelt kind of dropout": (
        study(**{"  width: 8": "  dropout:\n    rate: 0.2\n    kind: alfa"}),
        [],
        ["s.yaml:8", "model.dropout.kind", "did you mean 'alpha'"],
    ),
    "misspelt schedule": (
        study(**{"steps: 4": "schedule: cosin"}),
        [],
        ["s.yaml:7", "train.schedule", "did you mean 'cosine'"],
    ),
    "unknown schedule option": (
        study(**{"steps: 4": "schedule: {name: cosine, warmup: 5}"}),
        [],
        ["s.yaml:7", "warmup", "did you mean 'warmup_steps'"],
    ),
    "half a step of warm-up": (
        study(**{"steps: 4": "schedule: {name: cosine, warmup_steps: 2.5}"}),
        [],
        ["s.yaml:7", "warmup_steps", "whole number", "2.5"],
    ),
    "warm-up without end": (
        study(**{"steps: 4": "steps: 4, schedule: {name: cosine, warmup_steps: 4}"}),
        [],
        ["s.yaml:7", "train.schedule", "fewer than the 4 steps"],
    ),
    "nothing left after clipping": (study(**{"steps: 4": "clip_norm: 0"}), [], ["s.yaml:7", "train.clip_norm", "> 0"]),
    "more frozen layers than there are": (
        study(**{"steps: 4": "steps: 4, freeze_layers: 3"}),
        [],
        ["s.yaml:7", "train.freeze_layers", "at most the 2 hidden layers", "write `freeze_layers: 2` in place of 3"],
    ),
    "misspelt norm in the matrix": (
        with_sweep("matrix:\n  model.norm:\n  - none\n  - bacth"),
        [],
        ["s.yaml:13", "model.norm", "did you mean 'batch'"],
    ),
    "misspelt option of an option in the matrix": (
        with_sweep("matrix:\n  model.norm: [none, batch]\n  model.dropout.rte: [0.0, 0.2]"),
        [],
        ["s.yaml:12", "model.dropout.rte", "did you mean 'rate'"],
    ),
    "bad option of an option in the matrix": (
        with_sweep("matrix:\n  model.norm: [none, batch]\n  model.dropout.rate:\n  - 0.0\n  - 1.5"),
        [],
        ["s.yaml:14", "model.dropout.rate", "< 1", "1.5"],
    ),
    "bad option of an option in include": (
        with_sweep("matrix: {model.norm: [none]}\ninclude:\n- {model.norm: batch, model.dropout.kind: alfa}"),
        [],
        ["s.yaml:12", "model.dropout.kind", "did you mean 'alpha'"],
    ),
    "decimal comma in place of a list": (
        with_sweep("matrix:\n  train.learning_rate: 0,01"),
        [],
        ["s.yaml:11", "train.learning_rate", "did you mean '[0.01]'"],
    ),
    "decimal comma in an override that cannot be two values": (
        STUDY,
        ["data.label_noise=0,2"],
        ["data.label_noise", "cannot be 2", "a comma separates values: 0 and 2", "for 0.2 write 0.2"],
    ),
    "a section without its colon": (
        "study: s\ndata {name: digits}\n",
        [],
        ["s.yaml:2", "a colon is missing", "did you mean 'data: {name: digits}'"],
    ),
    "misspelt key to select over": (
        STUDY + "report: {select: {over: train.learning_rte}}",
        [],
        ["s.yaml:9", "did you mean 'train.learning_rate'"],
    ),
    "override of a misspelt section": (
        STUDY,
        ["modl.depth=2"],
        ["override modl.depth=2", "did you mean 'model.depth=2'"],
    ),
    "misspelt key in exclude": (
        with_sweep("matrix: {model.depth: [2, 3]}\nexclude: [{model.depht: 2}]"),
        [],
        ["s.yaml:11", "model.depht"],
    ),
    "no seeds": (with_sweep("seeds: 0"), [], ["s.yaml:10", "seeds"]),
    "seeds twice": (with_sweep("seeds: [1, 1]"), [], ["s.yaml:10", "seeds"]),
    "misspelt table": (STUDY + "report: {tables: [performanc]}", [], ["s.yaml:9", "did you mean 'performance'"]),
    "misspelt figure": (STUDY + "report: {figures: [moment]}", [], ["s.yaml:9", "did you mean 'moments'"]),
    "test split chooses": (STUDY + "report: {select: {by: test_loss}}", [], ["s.yaml:9", "validation_loss"]),
    "misspelt override": (STUDY, ["model.dpeth=3"], ["override model.dpeth=3", "did you mean 'model.depth=3'"]),
    "override without a value": (STUDY, ["model.depth"], ["override model.depth", "key.sub=value"]),
    "override with a bad value": (STUDY, ["model.depth=2,x"], ["override model.depth=2,x", "whole number", "'x'"]),
    "override with an empty value": (STUDY, ["model.depth="], ["override model.depth=", "value"]),
    "override of nothing": (STUDY, ["depth=3"], ["override depth=3", "unknown key 'depth'"]),
}

ROWS = "a,b,y\n" + "".join(f"{i},{i * i % 7},{'pq'[i % 2]}\n" for i in range(40))
CSV_CASES = {
    "missing value": (ROWS.replace("\n5,4,", "\n5,,"), ["rows.csv", "b", "missing"]),
    "text in a feature": (ROWS.replace("\n5,4,", "\n5,red,"), ["rows.csv", "b", "red"]),
    "one class": (ROWS.replace("q", "p"), ["rows.csv", "class"]),
    "infinite feature": (ROWS.replace("\n5,4,", "\n5,inf,"), ["rows.csv", "b"]),
    "too few rows": ("".join(line + "\n" for line in ROWS.splitlines()[:5]), ["rows.csv"]),
    "fewer rows than a batch": ("".join(line + "\n" for line in ROWS.splitlines()[:12]), ["batch_size"]),
    "empty": ("", ["rows.csv", "empty"]),
    "duplicate column": (ROWS.replace("a,b,y", "a,a,y"), ["rows.csv", "a"]),
}

ACTIVATION_CASES = {
    "returns the wrong shape": ("def f(z):\n    return z.sum()\n", ["shape"]),
    "returns NaN": ("import jax.numpy as jnp\ndef f(z):\n    return jnp.sqrt(z)\n", ["nan"]),
    "fails to trace": ("def f(z):\n    return z if z > 0 else 0 * z\n", ["trace"]),
    "raises": ("def f(z):\n    return z.nonsense\n", ["nonsense"]),
    "has another name": ("def g(z):\n    return z\n", ["'f'", "g"]),
    "has a positional parameter": ("def f(z, alpha=1.0):\n    return alpha * z\n", ["alpha", "keyword-only"]),
    "is not Python": ("def f(z:\n", ["act.py", "SyntaxError"]),
    "has a NaN derivative": (
        "import jax.numpy as jnp\ndef f(z):\n    return jnp.where(z > 0, z, jnp.exp(z) - 1)\n",
        ["derivative"],
    ),
}


def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Waiting(Executor):
    """A worker that may get ready for a job, and must never get one."""

    def __init__(self):
        self.ended = False

    def submit(self, function, /, *args):
        assert function is handover.warm_up, "a wrong request must not reach the workers"
        return Future()

    def shutdown(self, wait=True, *, cancel_futures=False, kill_workers=False):
        assert kill_workers
        self.ended = True


def call(monkeypatch, capsys, *words):
    """Return exit code and all that a command prints; training is out of the question, and no worker outlives it."""
    opened = []
    monkeypatch.setattr(worker_pools, "local", lambda _: opened.append(Waiting()) or opened[-1])
    monkeypatch.setattr("sys.argv", ["actlab", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert all(worker.ended for worker in opened)
    printed = capsys.readouterr()
    return stop.value.code, printed.out + printed.err


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Assert that a command is refused in one screen, says all the given words, and changes nothing on disk."""
    monkeypatch.chdir(tmp_path)

    def check(words, *said):
        before = snapshot(tmp_path)
        code, text = call(monkeypatch, capsys, *words)
        assert code == 2, text
        flat = " ".join(text.split())
        for word in said:
            assert word in flat, text
        assert "Traceback" not in text
        assert len(text.splitlines()) <= 24
        assert str(tmp_path) not in text or "--out" in words, text
        assert snapshot(tmp_path) == before

    return check


@pytest.mark.parametrize("name", YAML_CASES)
def test_yaml(name, refused, tmp_path):
    text, overrides, said = YAML_CASES[name]
    (tmp_path / "s.yaml").write_text(text)
    refused(["run", "s.yaml", *overrides], *said)


@pytest.mark.parametrize("name", CSV_CASES)
def test_csv(name, refused, tmp_path):
    text, said = CSV_CASES[name]
    (tmp_path / "rows.csv").write_text(text)
    (tmp_path / "s.yaml").write_text(study(**{"iris": "rows.csv"}))
    refused(["run", "s.yaml"], "s.yaml:", *said)


@pytest.mark.parametrize("name", ACTIVATION_CASES)
def test_own_activation(name, refused, tmp_path):
    text, said = ACTIVATION_CASES[name]
    (tmp_path / "act.py").write_text(text)
    (tmp_path / "s.yaml").write_text(study(**{"  depth: 2": "  activation: act.py:f"}))
    refused(["run", "s.yaml"], "s.yaml:5", *said)


def test_missing_activation_file(refused, tmp_path):
    (tmp_path / "s.yaml").write_text(study(**{"  depth: 2": "  activation: no.py:f"}))
    refused(["run", "s.yaml"], "s.yaml:5", "no.py", "no such file")


def test_misspelt_config(refused, tmp_path):
    (tmp_path / "depth.yaml").write_text(STUDY)
    refused(["run", "dpeth.yaml"], "dpeth.yaml", "did you mean 'depth.yaml'")


@pytest.mark.parametrize("command", [["report"], ["compare"], ["show"]])
def test_not_a_results_folder(command, refused, tmp_path):
    (tmp_path / "stuff").mkdir()
    (tmp_path / "stuff" / "notes.txt").write_text("mine")
    more = ["abc"] if command == ["show"] else []
    refused([*command, "stuff", *more], "stuff", "not a study's folder")
    refused([*command, "nowhere", *more], "nowhere", "no such folder")


@pytest.mark.parametrize("fresh", [[], ["--fresh"]])
def test_out_is_somebody_elses_folder(fresh, refused, tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("three years of work")
    refused(["run", "s.yaml", "--out", "mine", *fresh], "mine", "not a study's folder")


def test_out_is_a_file(refused, tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "mine").write_text("a file")
    refused(["run", "s.yaml", "--out", "mine"], "mine")


def test_manifest_is_not_json(refused, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "study.yaml").write_text(STUDY)
    (tmp_path / "r" / "manifest.json").write_text(json.dumps({})[:-1])
    refused(["report", "r"], "manifest.json", "JSON")


@pytest.mark.parametrize("words", [["runn"], ["run"], ["run", "s.yaml", "--exekutor", "x"], ["describe", "rellu"]])
def test_command_line(words, refused):
    refused(words)


def test_npz_with_objects(refused, tmp_path):
    np.savez(tmp_path / "rows.npz", x=np.array([{}, {}], dtype=object), y=np.array([0, 1]))
    (tmp_path / "s.yaml").write_text(study(**{"iris": "rows.npz"}))
    refused(["run", "s.yaml"], "s.yaml:3", "rows.npz")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_unwritable_folder(refused, tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(["run", "s.yaml", "--out", "locked/r"], "cannot be written")
