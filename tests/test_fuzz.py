"""Odd configs and command lines by fixed seeds: answered in one screen, no traceback, nothing written."""

import random

import pytest

from actlab import cli
from tests import fuzzing


def answer(monkeypatch, capsys, words):
    """Return exit code and all that a command prints."""
    monkeypatch.setattr("sys.argv", ["actlab", *words])
    try:
        cli.main()
    except SystemExit as stop:
        printed = capsys.readouterr()
        return stop.code, printed.out + printed.err
    raise AssertionError("a command exits")


def listing(folder):
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    fuzzing.prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_odd_configs(folder, monkeypatch, capsys, pytestconfig):
    sound, before = fuzzing.sound_configs(), listing(folder)
    wrong, codes = [], []
    for number in range(130 if pytestconfig.getoption("thorough") else 30):
        choose = random.Random(f"configs {number}")
        content = fuzzing.odd_config(choose, sound)
        (folder / fuzzing.NAME).write_bytes(content)
        code, text = answer(monkeypatch, capsys, [*choose.choice(fuzzing.PLANS), fuzzing.NAME])
        codes.append(code)
        if found := fuzzing.faults(code, text, fuzzing.NAME):
            wrong.append((number, found, text[-500:]))
        assert listing(folder) == before, (number, content)
    assert not wrong
    assert set(codes) == {0, 2}


def test_odd_command_lines(folder, monkeypatch, capsys):
    before, wrong = listing(folder), []
    for number in range(110):
        words = fuzzing.odd_words(random.Random(f"words {number}"))
        code, text = answer(monkeypatch, capsys, words)
        if found := fuzzing.faults(code, text):
            wrong.append((number, words, found, text[-500:]))
        assert listing(folder) == before, (number, words)
    assert not wrong
