"""What the command line says of itself, and while it works."""

import ast
import itertools
import re
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from actlab import cli
from actlab.cli import progress, terminal
from actlab.engine import control, how_far, scheduling
from actlab.engine.control import Heartbeat, Progress

ROOT = Path(__file__).parents[1]


def test_the_version_is_the_installed_one(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["actlab", "--version"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"actlab {version('actlab')} (JAX {version('jax')}, Python ")


def test_lines_tell_once_that_tables_and_figures_are_written(capsys):
    tell = progress.PlainProgress()
    tell(Progress(1.0, 4, 4, 2, 2, {}))
    for written in range(4):
        tell(Progress(1.0, 4, 4, 2, 2, {}, written=written, to_write=3))
    printed = capsys.readouterr()
    trained, *writing = printed.err.splitlines()
    assert not printed.out  # which is for what was asked for
    assert trained.startswith("4/4 runs, 2/2 jobs")
    assert writing == ["writing tables and 3 figures", "writing tables and 3 figures (3/3)"]


def test_a_bar_tells_how_many_pictures_are_drawn(monkeypatch, capsys):
    monkeypatch.setattr(progress, "err", Console(force_terminal=True, width=120, stderr=True))
    with progress.progress_display(0.0) as tell:
        tell(Progress(0.5, 2, 4, 1, 2, {}))
        tell(Progress(1.0, 4, 4, 2, 2, {}, written=1, to_write=3))
    shown = capsys.readouterr()
    assert not shown.out
    assert "writing tables and figures" in shown.err
    assert "1/3" in shown.err


def test_a_message_takes_the_place_of_a_live_line(monkeypatch, capsys):
    consoles = [terminal.PlainConsole(force_terminal=True, stderr=True), terminal.PlainConsole(stderr=True)]
    for live, erased in ((False, ""), (True, terminal.ERASE)):
        monkeypatch.setattr(terminal.PlainConsole, "live", live)
        for console, before in zip(consoles, (erased, ""), strict=True):  # what goes to a file stays as it is
            console.print("12 stored runs")
            assert capsys.readouterr().err == f"{before}12 stored runs\n"
    monkeypatch.setattr(terminal.PlainConsole, "live", False)
    monkeypatch.setattr(progress, "err", Console(force_terminal=True, width=120, stderr=True))
    with progress.progress_display(0.0):
        assert terminal.PlainConsole.live
    assert not terminal.PlainConsole.live


def test_it_compiles_until_something_trains(capsys):
    """Also where one worker has all programs and no worker trains yet; whoever trains makes it training."""
    begun = replace(COMPILING, compiled=8)
    for state in (begun, replace(begun, compiling=0), replace(begun, runs_done=2, share=0.1)):
        for text in (how_far.line(state, 9.0, 100).plain, progress.PlainProgress().words(state, 9.0)):
            assert text.startswith("compiling"), text
            assert "8 of 8" not in text
            assert ("0/162" in text) is False
    assert progress.PlainProgress().words(TRAINING, 9.0).startswith("48/162 runs, 8/27 jobs, 0:09, 6.1 runs/s, 2 comp")
    assert replace(begun, compiling=0, share=0.1).phase == "training"  # between two jobs


def test_a_functions_name_is_no_emoji(capsys):
    terminal.err.print("mine.py:ring: fails", soft_wrap=True)
    assert capsys.readouterr().err == "mine.py:ring: fails\n"


COMPILING = Progress(0.0, 0, 162, 0, 27, {}, seconds=12.0, compiled=2, programs=8, compiling=2)
TRAINING = replace(COMPILING, share=0.3, runs_done=48, jobs_done=8, left=80.0, rate=6.1, compiled=8, training=2)
STATES = {
    "planning": None,
    "compiling": COMPILING,
    "training": TRAINING,
    "one job fails": replace(TRAINING, failures={"a": "why"}, compiling=1),
    "a hundred thousand": replace(TRAINING, runs_done=98765, runs=100000, jobs_done=9876, jobs=12345, left=360000.0),
    "saving": replace(TRAINING, stopping=True, left=None),
    "reporting": replace(TRAINING, share=1.0, runs_done=162, jobs_done=27, left=0.0),
    "writing": replace(TRAINING, share=1.0, runs_done=162, jobs_done=27, written=3, to_write=30),
}


def test_the_line_of_a_run_fits_every_terminal_and_says_what_it_is_at():
    for name, state in STATES.items():
        for width in (40, 60, 80, 100, 200):
            text = how_far.line(state, 65.0, width).plain
            assert len(text) <= width, (name, width, text)
            assert text.startswith(name.split()[0]) or state.phase == "training", (name, width, text)
            assert "…" not in text
            assert width < 80 or "1:05" in text, (name, width, text)
            if state is not None and state.phase == "training":
                assert f"{state.runs_done}/{state.runs} runs" in text
                assert " left" in text or (width == 40 and name != "training"), (name, width, text)
                assert ("1 failed" in text) == bool(state.failures)
            else:
                assert " left" not in text
                assert "runs/s" not in text
    assert how_far.line(COMPILING, 65.0, 40).plain == "compiling 2 of 8 programs  1:05"
    assert how_far.line(TRAINING, 65.0, 200, since=20.0).plain.endswith(
        "48/162 runs  8/27 jobs  2 compiling  6.1 runs/s  1:05  1:00 left"
    )


def test_plain_lines_grow_rarer_repeat_nothing_and_end_with_the_last(capsys):
    """A job of ten hours writes some two hundred lines, and a first minute says that programs compile."""
    now = 0.0
    lines = progress.PlainProgress(begin=0.0, now=lambda: now)
    hours = 10 * 3600
    while now < hours:
        share = max(now - 100, 0) / (hours - 100)
        training = replace(TRAINING, share=share, runs_done=int(162 * share), left=None if now < 110 else hours - now)
        lines(COMPILING if now < 100 else training)
        now += 0.5
    lines(STATES["reporting"])
    lines.close()
    said = capsys.readouterr().err.splitlines()
    assert len(said) < 250
    assert len(set(said)) == len(said)
    assert said[0] == "compiling 2 of 8 programs, 0:02"
    assert not [line for line in said if line.startswith("compiling") and ("runs/s" in line or "left" in line)]
    assert said[-1] == "162/162 runs, 27/27 jobs, 10:00:00, 6.1 runs/s"


def test_what_was_told_last_is_said_when_a_run_ends_early(capsys):
    lines = progress.PlainProgress(begin=0.0, now=lambda: 1.0)
    lines(TRAINING)
    lines(STATES["saving"])
    lines(replace(STATES["saving"], runs_done=50))
    lines.close()
    saving, last = capsys.readouterr().err.splitlines()
    assert saving.startswith("saving (Ctrl-C: at once), 48/162 runs")
    assert last.startswith("saving (Ctrl-C: at once), 50/162 runs")


def test_things_are_counted_by_one_function():
    """No message of the package has "1 runs" where it counts what there is."""
    found = []
    things = "runs|jobs|programs|workers|seeds|cells"
    for path in sorted((ROOT / "actlab").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                for value, after in itertools.pairwise(node.values):
                    counts = isinstance(value, ast.FormattedValue) and ast.unparse(value.value).startswith("len(")
                    if counts and isinstance(after, ast.Constant) and re.match(rf" ({things})\b", str(after.value)):
                        found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize("width", [40, 80, 110])
def test_sentences_are_broken_between_words_and_what_is_copied_stays_whole(width):
    said = (
        "  features  64; constant (4): pixel_0_0, pixel_4_0, pixel_4_7, pixel_7_0; whole numbers (58): pixel_0_1\n"
        "| a | " + "b " * 60 + "|\n"
        "so: `actlab run results/quickstart/study.yaml sweep.seeds=5 train.steps=4000 --out results/quickstart`\n"
        "Training: 232.6 GFLOP of matrix products; about 6 s (a rough guess for a laptop's cores); about 555 MiB each."
    )
    shown = terminal.broken(said, width)
    assert shown.split() == said.split()
    lines = shown.splitlines()
    assert all(len(line) <= width for line in lines if "|" not in line and "`" not in line)
    assert [line for line in lines if "|" in line or "`" in line] == said.splitlines()[1:3]


def test_a_count_of_runs_never_goes_down(tmp_path, monkeypatch):
    """A job that its worker has put down, at Ctrl-C or as its memory is short, is given out again: it was counted."""
    runs = tuple(SimpleNamespace(id=str(i), flops=1.0) for i in range(4))
    job = SimpleNamespace(id="job", runs=runs)
    monkeypatch.setattr(scheduling, "steps_saved", lambda folder: {})
    monkeypatch.setattr(scheduling.Pacing, "of", lambda self, job: None)
    monkeypatch.setattr(scheduling.Pacing, "look", lambda self, *rest: {})
    beats = iter([Heartbeat(1, True, 3.5, trained=3, of=4), Heartbeat(1, True, 0.0, trained=0, of=4)])
    monkeypatch.setattr(control, "read_heartbeat", lambda folder, name: next(beats))
    tracker = scheduling.JobTracker([job], SimpleNamespace(folder=tmp_path))
    tracker.waiting.clear()
    looks = [tracker.progress([(job, None)], stopping=False) for _ in range(2)]
    (tmp_path / "parts").mkdir()
    control.ask_to_stop(tmp_path)
    tracker.waiting.append(job)  # put down before anyone saw that it was to be
    looks.append(tracker.progress([], stopping=False))
    assert [look.runs_done for look in looks] == [3, 3, 3]
