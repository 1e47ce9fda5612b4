"""Completion: what TAB offers comes from the records by an index, in three shells."""

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
import typer

from actlab import activations, cli
from actlab.analysis.figures import FIGURES
from actlab.analysis.tables import TABLES
from actlab.cli import completion, index
from actlab.measures import MEASURES
from actlab.study.reading import StudyError, read
from actlab.study.schema import StudyConfig
from tests.test_bad_input import STUDY

ROOT = Path(__file__).parents[1]
COMMAND = Path(sys.executable).with_name("actlab")


def test_the_index_is_what_the_records_say():
    assert index.load() == json.loads(json.dumps(index.made())), "make index"


def test_names_and_their_options_are_completed():
    assert completion.activations("") == list(activations.CATALOGUE)
    assert completion.activations("gel") == ["gelu", "gelu_tanh"]
    assert completion.activations("prelu:") == ["prelu:alpha=", "prelu:alpha=0.25", *per("prelu:per=", "")]
    assert completion.activations("prelu:per=u") == ["prelu:per=unit"]
    assert completion.activations("prelu:per=unit:") == ["prelu:per=unit:alpha=", "prelu:per=unit:alpha=0.25"]
    assert completion.activations("relu:") == []
    assert completion.activations("no_such") == []
    assert completion.metrics("born_") == ["born_dead_fraction"]
    assert set(completion.metrics("")) == set(MEASURES)
    assert completion.groups("activation,de") == ["activation,depth", "activation,decay_activation_parameters"]
    assert completion.presets("") == ["dying"]


def test_conditions_columns_and_functions_of_a_file_are_completed(tmp_path, monkeypatch):
    assert completion.conditions("model.activ") == ["model.activation="]
    assert completion.conditions("activation=relu,gel") == ["activation=relu,gelu", "activation=relu,gelu_tanh"]
    assert completion.conditions("depth=2,status!=o") == ["depth=2,status!=ok"]
    assert completion.conditions("status=x,nothing=a") == []
    assert completion.columns("depth,test_ac") == ["depth,test_accuracy"]
    assert completion.columns("seed,-dept") == ["seed,-depth"]
    monkeypatch.chdir(tmp_path)
    Path("act.py").write_text("1 / 0\n\ndef mine(z):\n    return z\n\ndef _not(z):\n    return z\n")  # is not run
    assert completion.activations("act.py:") == completion.activations("act.py:m") == ["act.py:mine"]
    assert completion.activations("ac") == ["act.py:", "act.py:mine"]
    Path("broken.py").write_text("def (")
    assert completion.activations("broken.py:") == completion.activations("no.py:m") == []


def test_every_argument_that_can_be_completed_is():
    """And its help has the dots and brackets of what may be repeated once."""
    commands = typer.main.get_command(cli.app).commands
    told = {name: " ".join(one.get_usage(click.Context(one, info_name=name)).split()) for name, one in commands.items()}
    assert not [text for text in told.values() if "......" in text or "[[" in text or "...}" in text]
    for name, words in {
        "runs": {"folder", "where", "columns", "sort", "text"},
        "watch": {"folder"},
        "merge": {"folders"},
        "gallery": {"folders"},
        "trial": {"folder"},
        "assess": {"given", "against"},
        "new": {"template"},
        "compare": {"folders", "metric", "by", "preset", "text"},
    }.items():
        own = {one.name for one in commands[name].params if one._custom_shell_complete is not None}
        assert words <= own, name
    assert completion.among(cli.TextFormat)("m") == ["markdown"]


def per(before, begun):
    return [before, f"{before}layer", f"{before}unit"]


def test_overrides_are_completed():
    assert completion.overrides("model.de") == ["model.depth=", "model.depth=10"]
    assert completion.overrides("model.activation=re") == [
        "model.activation=relu",
        "model.activation=relu6",
        "model.activation=relu_squared",
    ]
    assert completion.overrides("model.activation=relu,ge") == [
        "model.activation=relu,gelu",
        "model.activation=relu,gelu_tanh",
    ]
    assert completion.overrides("model.activation=relu,elu:al")[0] == "model.activation=relu,elu:alpha="
    assert completion.overrides("model.weight_init=gauss") == ["model.weight_init=gaussian"]
    assert completion.overrides("model.activation.neg")[0] == "model.activation.negative_slope="
    assert completion.overrides("model.norm=") == [f"model.norm={one}" for one in ("none", "layer", "batch")]
    assert completion.overrides("model.residual=t") == ["model.residual=true"]
    assert completion.overrides("data.name=ir") == ["data.name=iris"]
    assert completion.overrides("report.tables=[death,perf") == [
        "report.tables=[death,performance,",
        "report.tables=[death,performance]",
    ]
    assert "measure.probes=[dead_fraction" in completion.overrides("measure.probes=")
    assert completion.overrides("sweep.seed") == ["sweep.seeds=", "sweep.seeds=1"]
    assert completion.overrides("no_such") == []
    assert completion.overrides("no.such=x") == []
    assert set(completion.known()["lists"]["report.tables"]) == set(TABLES)
    assert set(completion.known()["lists"]["report.figures"]) == set(FIGURES)


def test_what_is_offered_is_taken(tmp_path):
    """Every key and every value of it that completion offers is one that a study may have: the program reads it."""
    (tmp_path / "s.yaml").write_text(STUDY)
    tried = 0
    for key in completion.overrides(""):
        for word in completion.overrides(key):
            if word.endswith("=") or word in NOT_ALONE:
                continue
            try:
                read(tmp_path / "s.yaml", [word + ("]" if "=[" in word else "")])
            except StudyError as error:
                pytest.fail(f"{word}: {error}")
            tried += 1
    assert tried > 80
    offered = {key.rstrip("=").split(".")[0] for key in completion.overrides("")}
    assert offered == set(StudyConfig.model_fields)


NOT_ALONE = {"model.weight_init=gaussian"}
"""What needs an option behind it, which is offered next."""


def test_studies_at_hand_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("configs/a.yaml", "own.yaml", "elsewhere/b.yaml", "results/s/manifest.json", "old/t/manifest.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert completion.configs("") == ["configs/a.yaml", "own.yaml"]
    assert completion.configs("elsewhere/") == ["elsewhere/b.yaml"]
    assert completion.folders("") == ["results/s"]
    assert completion.folders("old/t") == ["old/t"]
    assert completion.configs("no/such/place") == []


@pytest.mark.parametrize(
    ("line", "replaced"),
    [
        ("actlab run s.yaml model.activation = relu,ge", "model.activation="),
        ("actlab run s.yaml model.activation =", "model.activation="),
        ("actlab describe leaky_relu : neg", "leaky_relu:"),
        ("actlab describe act.py : f : alpha =", "act.py:f:alpha="),
        ("actlab run s.yaml sweep.seeds = 3 model.de", ""),
        ("actlab run s.yaml sweep.seeds = 3 ", ""),
    ],
)
def test_words_that_bash_has_cut_are_put_together(line, replaced):
    words = line.split(" ")
    whole, before = completion.rejoined([word for word in words if word], len(words) - 1)
    assert before == replaced
    typed = re.sub(" ([=:]) ?", r"\1", line).split(" ")
    assert whole == typed


def answered(shell, line, cwd):
    """Return what the command answers when a shell asks it to complete a line."""
    about = {
        "bash": {
            "COMP_WORDS": re.sub("([=:])", r" \1 ", line),
            "COMP_CWORD": str(len(re.findall(r"[=:]|[^\s=:]+", line)) - 1),
        },
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    environment = os.environ | about | {"_ACTLAB_COMPLETE": f"complete_{shell}"}
    done = subprocess.run([COMMAND], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)
    return done.stdout


def test_each_shell_is_answered(tmp_path):
    line = "actlab run s.yaml model.activation=relu,ge"
    assert answered("bash", line, tmp_path) == "relu,gelu\nrelu,gelu_tanh\n"
    assert '"model.activation=relu,gelu"' in answered("zsh", line, tmp_path)
    assert answered("fish", line, tmp_path).splitlines()[0] == "model.activation=relu,gelu"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_tab_in_a_real_bash(tmp_path):
    """Bash itself, at a terminal: it cuts the word at = and :, asks, and puts the answer behind what was typed."""
    code, terminal = pty.openpty()
    environment = os.environ | {"PATH": f"{COMMAND.parent}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "ready> "}
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
    )
    os.close(terminal)
    seen = ""

    def type_until(text, expected):
        nonlocal seen
        before = len(seen)
        os.write(code, text.encode())
        end = time.monotonic() + 120
        while not re.search(expected, seen[before:]):
            assert time.monotonic() < end, seen[before:]
            if select.select([code], [], [], 1.0)[0]:
                seen += os.read(code, 4096).decode(errors="replace")

    try:
        type_until("", "ready> ")
        type_until(
            "bind 'set bell-style none'; eval \"$(_ACTLAB_COMPLETE=source_bash actlab)\"; echo so''urced\n", "sourced"
        )
        type_until("echo actlab; actlab describe leaky_relu:neg\t", "leaky_relu:negative_slope=")
        type_until("0.2 --no-such 2>/dev/null; echo do''ne\n", "done")
        type_until(": actlab; actlab run s.yaml model.activation=relu,mis\t", "model.activation=relu,mish ")
    finally:
        shell.kill()
        shell.wait()
        os.close(code)
