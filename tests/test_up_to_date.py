"""A study that lacks no run, whose report is as it would be written, draws nothing; any change draws all of it."""

import re
import shutil

import pytest

import actlab
from actlab import reporting
from actlab.engine import report_stamp, scheduling, worker_pools
from tests.serial import SerialExecutor

STUDY = """
study: s
data: {name: iris}
model: {activation: relu, depth: 2, width: 4}
train: {steps: 2, batch_size: 8}
measure: {every: 1, evaluate_every: 2, probes: [act_mean]}
sweep: {seeds: 2}
report: {tables: [performance], figures: [], html: false}
claims: claims.py
"""
CLAIMS = """
from actlab.analysis.claims import AT_MOST, across, judge

LIMIT = 1e9


@across("s", "other")
def losses_are_small(cells_by_study):
    losses = {name: cells.selected["test_loss"] for name, cells in cells_by_study.items()}
    return judge("T1", "", "the losses are small", AT_MOST, LIMIT, losses, "test loss")


CLAIMS = [losses_are_small]
"""


@pytest.fixture(autouse=True)
def serial(monkeypatch):
    trains_here(monkeypatch)


def trains_here(patch):
    patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
    patch.setattr(scheduling, "git_revision", lambda: None)  # git is a process of its own


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a study, its claims and its results, and those of another, for which they ask."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "mine.yaml").write_text(STUDY)
    (folder / "claims.py").write_text(CLAIMS)
    (folder / "other.yaml").write_text(STUDY.replace("study: s", "study: other").replace("claims: claims.py\n", ""))
    with pytest.MonkeyPatch.context() as patch:
        trains_here(patch)
        actlab.run(folder / "other.yaml", ["train.steps=3"], out=folder / "other")
        actlab.run(folder / "mine.yaml", out=folder / "s")
    return folder


@pytest.fixture
def mine(trained, tmp_path, monkeypatch):
    shutil.copytree(trained, tmp_path / "t")
    monkeypatch.chdir(tmp_path / "t")
    return tmp_path / "t"


def drawn(monkeypatch, *overrides):
    """Run the study once more: whether its report was written, and what was told."""
    calls, told = [], []
    with monkeypatch.context() as patch:
        patch.setattr(actlab, "write_report", lambda *given: calls.append(reporting.write_report(*given)))
        actlab.run("mine.yaml", overrides, out="s", note=told.append)
    assert [report_stamp.UP_TO_DATE in line for line in told if "report" in line] == ([] if calls else [True])
    return bool(calls)


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def edited(name, text="x"):
    return lambda mine: (mine / name).write_text((mine / name).read_text() + text)


def replaced(name, old, new):
    return lambda mine: (mine / name).write_text((mine / name).read_text().replace(old, new))


def linked(mine):
    (mine / "s/report.md").rename(mine / "elsewhere.md")
    (mine / "s/report.md").symlink_to(mine / "elsewhere.md")


def trained_on(mine):
    actlab.run("other.yaml", ["train.steps=3", "sweep.seeds=3"], out="other")


CHANGES = {
    "a key of the report": replaced("mine.yaml", "tables: [performance]", "tables: [performance, convergence]"),
    "the question": edited("mine.yaml", "question: Why?\n"),
    "claims": replaced("claims.py", "LIMIT = 1e9", "LIMIT = 1e8"),
    "claims in other words alone": edited("claims.py", "# a remark\n"),
    "no claims": replaced("mine.yaml", "claims: claims.py\n", ""),
    "more seeds": replaced("mine.yaml", "seeds: 2", "seeds: 3"),
    "fewer seeds": replaced("mine.yaml", "seeds: 2", "seeds: 1"),
    "a table was edited": edited("s/tables/performance.csv"),
    "a table is gone": lambda mine: (mine / "s/tables/performance.tex").unlink(),
    "the report was edited": edited("s/report.md"),
    "the report is a link to the same": linked,
    "another study that claims ask for has grown": trained_on,
    "another study that claims ask for is gone": lambda mine: shutil.rmtree(mine / "other"),
    "the stamp is gone": lambda mine: (mine / "s/report.stamp").unlink(),
    "the stamp is cut": lambda mine: (mine / "s/report.stamp").write_text('{"inputs": '),
    "the stamp says nothing": lambda mine: (mine / "s/report.stamp").write_text("{}"),
    "the stamp is no mapping": lambda mine: (mine / "s/report.stamp").write_text("[1]"),
}


def test_where_nothing_changed_nothing_is_drawn(mine, monkeypatch):
    before = contents(mine / "s")
    for _ in range(2):
        assert not drawn(monkeypatch)
    assert contents(mine / "s") == before


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_drawn_once(change, mine, monkeypatch):
    CHANGES[change](mine)
    assert drawn(monkeypatch)
    assert not drawn(monkeypatch)


def test_another_version_draws(mine, monkeypatch):
    own = report_stamp.version_of
    for changed in ("actlab", "matplotlib"):
        with monkeypatch.context() as patch:
            patch.setattr(report_stamp, "version_of", lambda name, it=changed: "0" if name == it else own(name))
            report_stamp.code.cache_clear()
            assert drawn(monkeypatch)
        report_stamp.code.cache_clear()
        assert drawn(monkeypatch)


def test_another_line_of_our_own_code_draws(mine, monkeypatch, tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room/cells.py").write_text("a = 1\n")
    monkeypatch.setattr(report_stamp, "ROOM", tmp_path / "room")
    for text in ("a = 2\n", "a = 3\n"):
        (tmp_path / "room/cells.py").write_text(text)
        report_stamp.code.cache_clear()
        assert drawn(monkeypatch)
    assert not drawn(monkeypatch)
    report_stamp.code.cache_clear()


def test_the_command_report_draws_always_and_leaves_it_current(mine, monkeypatch):
    before = contents(mine / "s")
    (mine / "s/report.md").write_text("edited")
    actlab.report("s")
    assert contents(mine / "s") == before
    assert not drawn(monkeypatch)


def test_a_report_without_what_claims_say_is_not_the_one_of_a_run(mine, monkeypatch):
    actlab.report("s", own=False)
    assert drawn(monkeypatch)


def test_claims_that_fail_are_decided_again_each_time(mine):
    (mine / "claims.py").write_text(CLAIMS.replace("return judge", "raise ValueError('mine')\n    return judge"))
    for _ in range(2):
        with pytest.raises(actlab.ReportError, match="mine"):
            actlab.run("mine.yaml", out="s")


def test_what_draws_is_named_by_the_packages_we_ask_for():
    """What is not installed has no version to notice a change by."""
    assert all(report_stamp.version_of(name) for name in ("actlab", *report_stamp.PACKAGES))
    assert re.fullmatch("[0-9a-f]{64}", report_stamp.code())
