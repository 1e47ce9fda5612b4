"""What is committed under results/ is what the program makes of the committed measurements, byte for byte."""

import re
import shutil
from itertools import chain
from pathlib import Path

import pytest

import actlab
from actlab import cli, trials
from actlab.analysis.verdicts import FIGURES
from actlab.engine import train_study
from actlab.engine.scheduling import missing_runs
from actlab.engine.store import Stored
from tests.thinned import thinned
from tests.typed import typed

RESULTS = Path(__file__).parents[1] / "results"
CONFIGS = RESULTS.parent / "configs"
TRIAL = RESULTS / "claims"
WORDS = rb"\\\\|[\s&~]+"  # what parts them in LaTeX
STUDIES = sorted(path.parent.name for path in RESULTS.glob("*/manifest.json") if path.parent.name != "quickstart")


def tables(folder):
    made = [path for path in sorted(folder.rglob("*")) if path.suffix in (".csv", ".md", ".tex")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in made}


def test_there_are_studies():
    assert {"depth", "dying_relu"} <= set(STUDIES)


@pytest.mark.parametrize("study", thinned(STUDIES, 2))
def test_tables_regenerate(study, tmp_path):
    shutil.copytree(RESULTS / study, tmp_path / study)
    for made in ("tables", "figures"):
        shutil.rmtree(tmp_path / study / made)
    (tmp_path / study / "report.md").unlink()
    actlab.report(tmp_path / study)
    assert tables(tmp_path / study) == tables(RESULTS / study)


@pytest.mark.parametrize("study", [name for name in STUDIES if not name.startswith("assess_")])
def test_the_config_asks_for_what_is_stored(study):
    stored = Stored(RESULTS / study)
    planned, _ = train_study.ExecutionConfig().plan(actlab.study_of(CONFIGS / f"{study}.yaml"), stored)
    assert missing_runs(stored, planned) == set()


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_small_and_whole(study):
    sizes = [
        path.stat().st_size for path in (RESULTS / study).rglob("*") if path.is_file() and path.name != "report.html"
    ]
    assert sum(sizes) < 8_000_000
    assert max(sizes) < 5_000_000
    assert (RESULTS / study / "report.md").exists()


def test_every_verdict_of_the_trial_is_decided_again_from_what_was_measured(tmp_path, undrawn):
    """Byte for byte, as `actlab report` does it, but for pictures."""
    out = tmp_path / "claims"
    shutil.copytree(TRIAL, out)
    for path in [path for path in tables(out) if not path.endswith(trials.NUMBERS)]:
        (out / path).unlink()
    trials.report(out)
    made, stored = tables(out), tables(TRIAL)
    pages = [
        [line for line in found.pop("report.md").splitlines() if line and not line.startswith(b"![")]
        for found in (made, stored)
    ]
    assert made == stored
    assert pages[0] == pages[1]


def test_the_trial_is_whole_and_small():
    """Full, with a verdict on every claim of the story, from the files of claims that stand in experiments/."""
    about = trials.read_json(TRIAL / trials.MANIFEST)
    assert not about["quick"]
    assert not [name for name in about["parts"] if not (TRIAL / name / "tables" / "claims.csv").is_file()]
    assert "Without a verdict" not in (TRIAL / "report.md").read_text(encoding="utf-8")
    for copy in TRIAL.glob("*/sources/*.py"):
        assert copy.read_bytes() == (RESULTS.parent / "experiments" / copy.name).read_bytes(), copy
    ignored = (TRIAL.rglob(name) for name in ("report.html", "*.stamp", "run.log"))  # by git, as the following are
    made = {*chain.from_iterable(ignored), *(TRIAL / FIGURES).glob("*.svg")}
    sizes = [path.stat().st_size for path in TRIAL.rglob("*") if path.is_file() and path not in made]
    assert sum(sizes) < 25_000_000
    assert max(sizes) < 5_000_000


@pytest.mark.parametrize("name", ["prelu", "gelu"])
def test_an_entry_of_the_catalogue_regenerates(name, tmp_path, monkeypatch, capsys):
    """What it says, the whole catalogue says: in CSV line by line; in LaTeX, laid out by all rows, by words."""
    monkeypatch.setattr("sys.argv", ["actlab", "describe", name, "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    made = {where: text for where, text in tables(tmp_path).items() if not where.endswith(".md")}
    assert len(made) >= 7
    for where, text in made.items():
        stored = (RESULTS / "catalogue" / where).read_bytes()
        own, whole = (text.splitlines(), stored.splitlines())
        if where.endswith(".tex"):
            (rows,) = re.findall(rb"\\midrule\n(.*?)\\bottomrule", text, re.DOTALL)[:1]
            own, whole = re.split(WORDS, rows), re.split(WORDS, stored)
            assert len(own) > 10
        assert not set(own) - set(whole), where


@pytest.mark.thorough
def test_the_catalogue_regenerates(tmp_path, capsys):
    """The worked example: tests/test_worked_example.py."""
    assert typed(capsys, "describe", "--out", tmp_path)[0] == 0
    of_others = {name for name in tables(RESULTS / "catalogue") if Path(name).stem == "story"}  # tests/test_story.py
    stored = {name: text for name, text in tables(RESULTS / "catalogue").items() if name not in of_others}
    assert tables(tmp_path) == stored
