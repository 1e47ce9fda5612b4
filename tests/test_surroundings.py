"""Where and how a command is started: terminals, variables of the environment, folders, names and sizes change nothing.

One disturbed process stands for many: what it prints and writes is compared byte for byte to an undisturbed one's.
"""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import matplotlib as mpl
import pandas as pd
import pytest

from actlab import cli
from actlab.analysis import drawings, parts, style
from actlab.analysis.figures import writing
from actlab.cli import output, terminal
from actlab.engine import devices, files, store, train_study
from actlab.naming import LONGEST, MOST_DRAWN, file_stem
from actlab.study import reading, sweep
from tests.thinned import thinned

ROOT = Path(__file__).parents[1]
STUDY = """study: s
data: {name: iris}
model: {depth: 2, width: 8}
train: {steps: 4, batch_size: 16}
measure: {every: 2, evaluate_every: 2}
"""
HIDDEN = set(map(chr, [*range(9), *range(11, 32), *range(0x7F, 0xA0), 0x202E, 0x2066, 0x2028]))


def run(folder, environment, *words, python=()):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, *python, "-m", "actlab", *words]
    here = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "COLUMNS")}
    done = subprocess.run(command, cwd=folder, env=here | environment, capture_output=True, timeout=300)
    written = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return done.returncode, done.stdout, done.stderr, written


def call(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["actlab", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code


# Environments


def disturbed(folder):
    """Everything at once that is none of a command's business."""
    (folder / "matplotlibrc").write_text(
        "text.usetex: True\nfont.family: serif\nlines.linewidth: 9\nbackend: TkAgg\nsvg.fonttype: path\nnonsense\n"
    )
    return {
        "MPLBACKEND": "module://a_notebook_that_is_not_here",
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "PYTHONHASHSEED": "7",
        "PYTHONINSPECT": "1",
        "HOME": "/nowhere",
        "XDG_CONFIG_HOME": "/proc/nowhere",
        "TZ": "Odd/Place:",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "COLUMNS": "0",
        "LC_ALL": "de_DE.UTF-8",
        "JAX_DEBUG_NANS": "True",
        "JAX_ENABLE_X64": "True",
        "JAX_DISABLE_JIT": "perhaps",
    }


def test_what_is_written_and_printed_is_the_same_in_any_environment(tmp_path):
    """Tables and graphs of the catalogue's entry: functions, labels from docstrings, numbers, pictures, exit code."""
    words = ("describe", "relu", "--out", "d")
    plain = run(tmp_path / "plain", {"MPLCONFIGDIR": mpl.get_cachedir()}, *words)
    other = run(tmp_path / "other", disturbed(tmp_path) | {"MPLCONFIGDIR": mpl.get_cachedir()}, *words)
    assert plain[0] == 0, plain[2].decode()
    assert {"d/figures/relu.png", "d/figures/relu.svg"} <= set(plain[3])
    assert other == plain


def test_help_and_schema_do_not_need_docstrings(tmp_path):
    for words, said in ((("run", "--help"), b"Train what a study lacks"), (("schema",), b"Which rows to lear")):
        plain, other = (run(tmp_path / "here", {}, *words, python=options) for options in ((), ("-OO",)))
        assert plain[0] == 0
        assert said in plain[1]
        assert other == plain


def test_a_sessions_own_settings_of_matplotlib_change_no_picture_and_stay(tmp_path):
    def drawn(folder):
        with style.apply():
            figure = style.new_figure(2, 2)
            figure.subplots().plot([0, 1], [1, 0], label="a_b")
            figure.suptitle("a_b")
            return [path.read_bytes() for path in style.save(figure, folder / "picture")]

    plain = drawn(tmp_path / "plain")
    with mpl.rc_context({"text.usetex": True, "lines.linewidth": 9.0, "svg.fonttype": "path", "font.family": "serif"}):
        before, backend = dict(mpl.rcParams), mpl.get_backend()
        assert drawn(tmp_path / "other") == plain
        assert dict(mpl.rcParams) == before
        assert mpl.get_backend() == backend


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("JAX_PLATFORMS", "cuda", "no device of the platform cuda"),
        ("XLA_FLAGS", "--xla_nosuch=1", "Unknown flag"),
        ("JAX_NUM_CPU_DEVICES", "many", "many"),
    ],
)
def test_settings_with_which_jax_does_not_start_are_one_sentence(name, value, said, monkeypatch, capsys):
    if name == "JAX_PLATFORMS" and (devices.has_accelerator() or jax.default_backend() != "cpu"):
        pytest.skip("JAX may well find one here")
    monkeypatch.setenv(name, value)
    devices.answer.cache_clear()
    assert call(monkeypatch, "describe", "relu") == 2
    told = capsys.readouterr().err
    devices.answer.cache_clear()
    assert told.startswith(f"actlab: {name}={value}: JAX does not start here: ")
    assert said in told
    assert told.count("\n") == 1


def test_a_folder_that_is_gone_is_one_sentence(monkeypatch, capsys, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for words in (["list"], ["plan", "s.yaml"], ["report", "r"], ["describe", "relu"], ["example"]):
        assert call(monkeypatch, *words) == 2
        assert "the current folder cannot be used" in capsys.readouterr().err
    os.chdir(tmp_path)


# Terminals


@pytest.mark.parametrize("encoding", thinned(["ascii", "cp1252", "utf-8"], 2))
def test_what_a_terminal_cannot_show_is_replaced_and_json_stays_json(encoding, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Ωé😀.csv").write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{'pφ'[i % 2]}\n" for i in range(80)))
    (tmp_path / "s.yaml").write_text(STUDY.replace("iris", "Ωé😀.csv"))
    for words in (["plan", "s.yaml", "--json"], ["plan", "s.yaml"], ["plan", "Ωé😀.yaml"], ["describe", "relu"]):
        streams = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
        for name, stream in streams.items():
            monkeypatch.setattr(sys, name, stream)
        code = call(monkeypatch, *words)
        for stream in streams.values():
            stream.flush()
        out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams.values())
        assert code == (2 if words[1].startswith("Ω") else 0), err
        assert "Traceback" not in err
        if "--json" in words:
            assert json.loads(out)["data"][0]["names"] == ["Ωé😀.csv"]
            assert "φ" in json.loads(out)["data"][0]["classes"]
    monkeypatch.undo()


NAMES = [
    ":smile:",
    "[red]x[/red]",
    "[/]",
    "\x1b[31mred",
    "x\x9b2J",
    "ab\u202egnp",
    "a\nactlab: done",
    "[link=http:x]y",
]


def test_names_are_shown_as_they_are_by_every_command(monkeypatch, capsys, tmp_path):
    """Markup, pictures, what moves a cursor or turns writing round, and a second line: of files and of what is not."""
    monkeypatch.chdir(tmp_path)
    rows = "a,b,y\n" + "".join(f"{i},{i * i % 7},{'pq'[i % 2]}\n" for i in range(80))
    for name in NAMES:
        shown = terminal.one_line(name)
        for words, code in (
            (["report", name], 2),
            (["compare", name], 2),
            (["show", name, "x"], 2),
            (["plan", f"{name}.yaml"], 2),
            (["run", f"{name}.yaml"], 2),
            (["describe", name], 2),
            (["list", f"{name}.py"], 2),
        ):
            assert call(monkeypatch, *words) == code
            printed = "".join(capsys.readouterr())
            assert not HIDDEN & set(printed), (words, printed)
            assert shown in printed.replace("\\x1b", "\\u001b").replace("\\x9b", "\\u009b").replace("\\n", "\\u000a")
            assert not any(line.startswith("actlab: done") for line in printed.splitlines())
            assert "Traceback" not in printed
        call(monkeypatch, name)
        call(monkeypatch, "list", f"--{name}")
        printed = "".join(capsys.readouterr())
        assert not HIDDEN & set(printed), printed
    for name in NAMES[:3]:
        file = tmp_path / f"{name.replace('/', '')}.csv"
        file.write_text(rows)
        (tmp_path / "s.yaml").write_text(STUDY.replace("iris", json.dumps(file.name)))
        assert call(monkeypatch, "plan", "s.yaml", "--out", name.replace("/", "")) == 0
        assert f"data {file.name}" in capsys.readouterr().out


def test_tables_and_bars_show_text_as_it_is(monkeypatch):
    from rich.table import Table

    shown = io.StringIO()
    console = terminal.PlainConsole(file=shown, width=100)
    table = Table()
    table.add_column(":smile: [red]x")
    table.add_row("[/] :smile: [bold]y")
    console.print(table)
    assert ":smile: [red]x" in shown.getvalue()
    assert "[/] :smile: [bold]y" in shown.getvalue()


def test_nothing_is_printed_but_through_the_terminal():
    """Else the next command would show names as it likes."""
    for path in (ROOT / "actlab" / "cli").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "typer.echo(" not in text, path
        printed = re.findall(r"^ +print\((?!f?\"\{printable\().*", text, re.MULTILINE)  # but what is made printable
        assert path.name == "terminal.py" or not printed, (path, printed)
        assert path.name == "terminal.py" or "import Console" not in text, path
    assert output.out is terminal.out


def test_a_terminal_without_width_shows_what_it_is_told(monkeypatch, capsys):
    for columns in ("0", "1", "100000", "wide"):
        monkeypatch.setenv("COLUMNS", columns)
        assert call(monkeypatch, "list") == 0
        assert "leaky_relu" in capsys.readouterr().out
        assert call(monkeypatch, "report", "nowhere") == 2
        assert "nowhere: there is no such folder" in capsys.readouterr().err


# Sizes


def test_names_of_files_are_short_different_and_those_that_are_short_stay():
    frame = pd.DataFrame({"mean": [1.0]})
    made = drawings.Drawing("t", "c", frame, {}, drawings.Spec("map", "x", "y"), name="dead_over_training")
    pages = ["data=" + "d" * 200 + end for end in "xy"]
    stems = [made.stem(page) for page in pages]
    assert len(set(stems)) == 2
    assert all(len(stem.encode()) <= LONGEST and stem.startswith("dead_over_training-data=d") for stem in stems)
    assert len(file_stem("Ω" * 300).encode()) <= LONGEST
    committed = [path.stem for path in (ROOT / "results").rglob("*") if path.parent.name in ("tables", "figures")]
    assert len(committed) > 100
    assert all(file_stem(stem) == stem for stem in committed)


def test_a_table_with_too_long_a_name_is_refused_when_it_is_declared():
    def long(cells):
        return None

    long.__name__ = "t" * 300
    with pytest.raises(parts.PartError, match="may have 80 bytes"):
        parts.table(long)
    with pytest.raises(parts.PartError, match="may have 80 bytes"):
        parts.figure(long)


def test_folders_too_long_are_refused_before_anything_is_trained(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_study, "follow", lambda *_: pytest.fail("it trains"))
    (tmp_path / "s.yaml").write_text(STUDY)
    deep = "/".join("d" * 200 for _ in range(30))
    nearly = "/".join(
        "d" * 99 for _ in range((4096 - len(str(tmp_path)) - 60) // 100)
    )  # only with figures/... too long
    for out in ("o" * 256, "Ω" * 128, deep, nearly, f"x/{'o' * 300}/y"):
        for command in ("plan", "run"):
            assert call(monkeypatch, command, "s.yaml", "--out", out) == 2, out
            assert "bytes" in capsys.readouterr().err
        for words in (["report", out], ["compare", out]):
            assert call(monkeypatch, *words) == 2
            capsys.readouterr()
    (tmp_path / "s.yaml").write_text(STUDY.replace("study: s", f"study: {'s' * 300}"))
    assert call(monkeypatch, "run", "s.yaml") == 2
    assert "bytes" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]
    with pytest.raises(files.StoreError, match="too long for the name of a file"):
        files.check_room(tmp_path / "r", [f"sources/{'a' * 250}.py"])
    store.Stored(tmp_path / ("o" * 255))


def test_a_sweep_is_counted_before_a_cell_of_it_is_made(monkeypatch, tmp_path):
    monkeypatch.setattr(reading, "expand", lambda *_: pytest.fail("it makes cells"))
    listed = {f"model.{key}": list(range(1, 65)) for key in ("depth", "width")} | {"train.steps": list(range(4, 68))}
    for section, told in (
        ({"matrix": listed}, "s.yaml:6: sweep.matrix: crosses 262,144 cells (64 × 64 × 64), and a study has at most"),
        (
            {"matrix": {"model.depth": listed["model.depth"]}, "seeds": 10_000},
            "sweep.seeds: 64 cells with 10,000 seeds",
        ),
        ({"matrix": {"model.depth": [2, 3]}, "seeds": 2**32 - 1}, "expected at most 10,000 seeds"),
    ):
        (tmp_path / "s.yaml").write_text(STUDY + "sweep: " + json.dumps(section) + "\n")
        with pytest.raises(reading.StudyError) as refused:
            reading.read(tmp_path / "s.yaml")
        assert told in str(refused.value)
    two = {f"model.activation.a{i}": [0, 1] for i in range(24)}
    entries = [{"model.depth": i} for i in range(1, 1100)]
    for config, told in (
        (sweep.SweepConfig(matrix=two), "crosses 16,777,216 cells (2 × 2"),
        (sweep.SweepConfig(matrix={f"a{i}": list(range(1000)) for i in range(4000)}), "crosses about 10^12000 cells"),
        (sweep.SweepConfig(include=[{"model.depth": 2}] * 20_001), "includes 20,001 more"),
        (sweep.SweepConfig(matrix={"a": list(range(sweep.MOST_CELLS - 2000))}, exclude=entries[:1]), None),
        (sweep.SweepConfig(matrix={"a": list(range(sweep.MOST_CELLS))}, exclude=entries), "1,099 entries for 20,000"),
    ):
        large = sweep.too_large(config)
        assert large is None if told is None else told in large[1]


@pytest.mark.filterwarnings("error")
def test_long_and_strange_names_leave_room_in_pictures(tmp_path):
    """Names that are alike but for their middle stay apart; ``$`` begins no formula; no letter is missing aloud."""
    names = ["f" * 300, "f" * 150 + "g" + "f" * 149, r"a$\frac$.csv", "☃Ωé", "relu", "two\nlines"]
    rows = pd.DataFrame([(name, x, x * 0.1, x * 0.09, x * 0.11) for name in names for x in (1, 2, 3)])
    rows.columns = ["data", "depth", "mean", "low", "high"]
    spec, short = writing.with_drawn_names(drawings.Spec(drawings.MAP, x="depth", lines="data"), rows)
    drawn = list(short["data"].unique())
    assert len(drawn) == len(names)
    assert max(map(len, drawn)) <= MOST_DRAWN
    assert drawn[4] == "relu"
    with style.apply():
        figure = style.new_figure(4, 3)
        axes = figure.subplots()
        for name, own in short.groupby(spec.lines):
            axes.plot(own["depth"], own["mean"], label=name)
        axes.legend()
        paths = style.save(figure, tmp_path / "picture")
        assert axes.get_position().width > 0.3
    assert all(path.stat().st_size > 1000 for path in paths)
