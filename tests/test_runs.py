"""actlab runs: what is in a study, for people as their terminal has room, for programs whole."""

import io
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from rich.console import ConsoleDimensions

import actlab
from actlab import cli
from actlab.analysis import listing
from actlab.cli import terminal
from actlab.study import columns
from tests import synthetic
from tests.typed import typed

ROOT = Path(__file__).parents[1]
LEAKY = "leaky_relu(negative_slope=0.2)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study of 72 runs, some of which diverged."""
    path = tmp_path_factory.mktemp("studies") / "made"
    synthetic.study(path, activations=("relu", LEAKY, "elu"), depths=(2, 5, 10), seeds=4)
    return path


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line in this process: code, standard output, standard error."""

    return partial(typed, capsys)


@pytest.fixture
def screen(monkeypatch):
    """Have standard output be a terminal of some size."""

    def screen(columns, lines):
        monkeypatch.setattr(terminal.PlainConsole, "is_terminal", property(lambda self: not self.stderr))
        monkeypatch.setattr(terminal.PlainConsole, "size", property(lambda self: ConsoleDimensions(columns, lines)))

    return screen


def test_json_has_every_run_with_every_column(folder, call):
    results = actlab.load(folder)
    code, out, err = call("runs", folder, "--json")
    rows = json.loads(out, parse_constant=lambda name: pytest.fail(name))  # no NaN, no Infinity
    assert (code, err) == (0, "")
    assert [row["run"] for row in rows] == results.runs["run"].tolist()
    assert list(rows[0]) == list(results.final().columns)
    assert {*results.runs, "dead_fraction", "act_mean"} <= set(rows[0])
    by_run = results.steps[results.steps["step"] == 200].set_index("run")["dead_fraction"]
    for row, own in zip(rows, results.runs.to_dict("records"), strict=True):
        lost = own["status"] != "ok"
        assert row["test_loss"] == (None if lost else own["test_loss"])
        assert row["dead_fraction"] == (None if lost else by_run[own["run"]])
        assert (row["diverged_step"] is None) == (own["status"] == "ok")
    assert {row["status"] for row in rows} == {"ok", "diverged"}
    code, out, err = call("runs", folder, "--json", "--format", "csv")
    assert (code, out) == (2, "")
    assert "--json and --format csv are two formats; give one of them" in " ".join(err.split())
    assert call("runs", folder, "--json", "--format", "json")[:2] == call("runs", folder, "--json")[:2]


def test_where_columns_and_order(folder, call):
    where = ["--where", f"activation=relu,{LEAKY.replace('(', ':').rstrip(')')},model.depth=5..", "--where", "seed<2"]
    columns = ["--columns", "run,activation,train.learning_rate,test_loss", "--sort", "-test_loss"]
    code, out, _ = call("runs", folder, *where, *columns, "--json")
    runs = actlab.load(folder).runs
    wanted = runs[runs["activation"].isin(["relu", LEAKY]) & (runs["depth"] >= 5) & (runs["seed"] < 2)]
    wanted = wanted.sort_values("test_loss", ascending=False, kind="stable", na_position="last")
    rows = json.loads(out)
    assert [row["run"] for row in rows] == wanted["run"].tolist()
    assert list(rows[0]) == ["run", "activation", "learning_rate", "test_loss"]
    assert (code, len(rows)) == (0, 16)
    code, out, _ = call("runs", folder, *where, *columns, "--format", "csv")
    assert pd.read_csv(io.StringIO(out))["run"].tolist() == wanted["run"].tolist()
    _, out, _ = call("runs", folder, "--sort", "activation,-depth,seed", "--columns", "activation,depth", "--json")
    assert list(dict.fromkeys(row["activation"] for row in json.loads(out))) == ["relu", LEAKY, "elu"]


def test_a_pipe_has_all_lines_and_a_screen_what_fits(folder, call, screen):
    _, out, _ = call("runs", folder)
    assert out.startswith("made: 72 runs: ")
    lines = out.splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("---"))
    heads = lines[rule - 1].split()
    assert heads[:6] == ["run", "activation", "depth", "learning_rate", "seed", "status"]
    assert heads[6:] == ["test_accuracy", "test_loss", "dead_fraction"]
    assert len(lines) - rule - 1 == 72
    screen(80, 24)
    _, out, _ = call("runs", folder)
    lines = out.splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    rule = next(i for i, line in enumerate(lines) if line.startswith("---"))
    below = [line for line in lines[rule + 1 :] if line.startswith("and ")]
    shown = lines[rule + 1 :].index(below[0])
    assert below == [f"and {72 - shown} more; --all shows them"]
    assert lines[rule - 1].split()[-1] == "accuracy"
    assert "without test_loss, dead_fraction, for want of room" in " ".join(lines[-2:])
    _, out, _ = call("runs", folder, "--all")
    assert len([line for line in out.splitlines() if "relu" in line or "elu" in line]) == 72
    _, out, _ = call("runs", folder, "--columns", "run,status", "--where", "seed=0")
    assert "without" not in out


def test_what_all_runs_share_is_told_once(folder, call):
    _, out, _ = call("runs", folder)
    assert out.count("optimizer adam") == 1
    assert "width 64" in out.splitlines()[1]
    assert "dtype" not in out  # a report would not list it either


def test_short_hashes_name_one_run_each(folder, call):
    _, out, _ = call("runs", folder)
    lines = out.splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("---"))
    names = actlab.load(folder).runs["run"]
    for line in lines[rule + 1 :]:
        assert names.str.startswith(line.split()[0]).sum() == 1


def test_what_is_wrong_is_told_with_the_nearest(folder, call, tmp_path):
    for words, says in {
        ("--where", "activation=rleu"): "did you mean 'relu'?",
        ("--where", "dpeth=3"): "did you mean 'depth'?",
        ("--where", "depth"): "or the shell takes it for a file",
        ("--columns", "tset_loss"): "unknown column 'tset_loss'; did you mean 'test_loss'?",
        ("--sort", "-sede"): "unknown column 'sede'; did you mean 'seed'?",
        ("--format", "yaml"): "'yaml'",
    }.items():
        code, out, err = call("runs", folder, *words)
        assert (code, out) == (2, ""), words
        assert says in err, (words, err)
        assert "Traceback" not in err
    assert call("runs", tmp_path / "nowhere")[0] == 2


def test_nothing_that_fits_is_an_answer(folder, call):
    code, out, err = call("runs", folder, "--where", "depth=2,depth>=10", "--json")
    assert (code, out) == (0, "[]\n")
    assert err == "of 72 runs none fits all conditions; alone: depth=2 24, depth>=10 24\n"
    code, out, _ = call("runs", folder, "--where", "depth>100")
    assert out.startswith("made: 0 of 72 runs: 0 ok, 0 diverged")
    assert code == 0


def test_damage_is_told_and_left_out_when_asked_for(call, tmp_path):
    first, *_ = synthetic.study(tmp_path / "r", parts=2)
    whole = json.loads(call("runs", tmp_path / "r", "--json")[1])
    (tmp_path / "r" / "parts" / first).write_bytes(b"no part")
    code, out, err = call("runs", tmp_path / "r", "--json")
    assert (code, out) == (1, "")
    assert first in err
    code, out, err = call("runs", tmp_path / "r", "--json", "--partial")
    assert code == 0
    assert first in err
    assert 0 < len(json.loads(out)) < len(whole)
    code, _, err = call("runs", tmp_path / "r", "--partial", "--columns", "tset_loss")
    assert code == 2
    assert err.startswith("actlab: unknown column 'tset_loss'")
    assert first not in err


def test_python_has_the_same_selection_in_every_frame(folder):
    results = actlab.load(folder)
    some = results.where(["activation=relu,depth=2..5", "status=ok"])
    runs = results.runs
    wanted = runs[(runs["activation"] == "relu") & (runs["depth"] <= 5) & (runs["status"] == "ok")]
    pd.testing.assert_frame_equal(some.runs, wanted.reset_index(drop=True))
    for name in ("steps", "layers"):
        frame = getattr(results, name)
        own = frame[frame["run"].isin(wanted["run"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(some, name), own)
    assert some.study == results.study
    few = results.where("dead_fraction>0.3")
    last = results.final()
    assert few.runs["run"].tolist() == last.loc[last["dead_fraction"] > 0.3, "run"].tolist()
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        results.where("activation=rleu")


def test_any_width_and_height_have_a_table():
    runs, steps, _ = synthetic.frames((LEAKY, "relu"), bias_init=("constant(value=-0.5)", "zeros"), seeds=12)
    every = runs.merge(steps.groupby("run").tail(1)[["run", "dead_fraction"]], on="run")
    made = listing.listing(every, np.ones(len(every), bool), settings=columns.settings())
    for width in (40, 60, 80, 100, 200):
        for height in (5, 10, 24, 1000):
            lines = listing.text("s", made, width, height).splitlines()
            assert max(map(len, lines)) <= width, (width, height)
            assert len(lines) <= max(height - 1, 15)
            assert "relu" in "".join(lines)


def options_of(command):
    return {one for parameter in command.params for one in parameter.opts}


def test_what_prints_json_has_the_option_json_and_the_page_on_it_names_the_command():
    """The page's first sentence names all commands that have it, and no other."""
    commands = typer.main.get_command(cli.app).commands
    having = {name for name, command in commands.items() if "--json" in options_of(command)}
    assert {name for name, command in commands.items() if "--format" in options_of(command)} <= having
    first = (ROOT / "docs" / "json.md").read_text().split("\n\n")[1].partition(" print one document")[0]
    assert set(re.findall(r"(\w+) --json", first)) == having


def test_a_comparison_is_json_by_either_option(folder, call):
    asked = ("compare", folder, "--metric", "train_loss", "--over", "learning_rate")
    short, long = call(*asked, "--json"), call(*asked, "--format", "json")
    assert short == long
    assert short[0] == 0
    assert isinstance(json.loads(short[1]), list)
    assert call(*asked, "--json", "--format", "csv")[0] == 2
