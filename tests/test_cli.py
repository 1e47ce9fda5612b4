"""What the command line says of itself, and while it works."""

from importlib.metadata import version

import pytest
from rich.console import Console

from actlab import cli
from actlab.cli import output, terminal
from actlab.engine.control import Progress


def test_the_version_is_the_installed_one(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["actlab", "--version"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"actlab {version('actlab')} (JAX {version('jax')}, Python ")


def test_lines_tell_once_that_tables_and_figures_are_written(capsys):
    tell = output.PlainProgress()
    tell(Progress(1.0, 4, 4, 2, 2, {}))
    for written in range(3):
        tell(Progress(1.0, 4, 4, 2, 2, {}, written=written, to_write=3))
    trained, *writing = capsys.readouterr().out.splitlines()
    assert trained.startswith("4/4 runs, 2/2 jobs")
    assert writing == ["writing tables and figures (3)"]


def test_a_bar_tells_how_many_pictures_are_drawn(monkeypatch, capsys):
    monkeypatch.setattr(output, "out", Console(force_terminal=True, width=120))
    with output.progress_display() as tell:
        tell(Progress(0.5, 2, 4, 1, 2, {}))
        tell(Progress(1.0, 4, 4, 2, 2, {}, written=1, to_write=3))
    stdout = capsys.readouterr().out
    assert "writing tables and figures" in stdout
    assert "1/3" in stdout


def test_a_functions_name_is_no_emoji(capsys):
    terminal.err.print("mine.py:ring: fails", soft_wrap=True)
    assert capsys.readouterr().err == "mine.py:ring: fails\n"
