"""A study in two stages, planned: splits choose together, and what is not tuned is said. Nothing is trained."""

import pytest

from actlab.engine import stages as selecting
from actlab.study.plan import plan
from actlab.study.reading import read
from actlab.study.stages import entry_of
from tests.test_stages import STUDY
from tests.typed import typed


@pytest.fixture
def file(tmp_path):
    (tmp_path / "s.yaml").write_text(STUDY)
    return tmp_path / "s.yaml"


def test_splits_choose_one_value_together(file):
    """A rate is selected by its mean over all splits and seeds: a split alone would have taken another."""
    splits = ["data.seed=0,1,2"]
    before = plan(read(file, splits))
    relu, tanh = before.stages.cells
    assert [len(runs) for runs in relu.tuning] == [3 * 2] * 3
    assert [len(own) for own in relu.candidates] == [3] * 3
    assert sum(len(job.runs) for job in before.later) == 2 * 3 * 3
    losses = {0.0001: (0.1, 0.9, 0.9), 0.003: (0.3, 0.3, 0.3), 0.03: (0.9, 0.1, 0.9)}  # by split
    finals = {
        run: losses[before.runs[run].labels["learning_rate"]][before.runs[run].labels["data_seed"]]
        for runs in relu.tuning
        for run in runs
    }
    best = selecting.best_of(relu, before, finals)
    entries = {one.name: entry_of(one, best, before.stages.select) for one in (relu, tanh)}
    after = plan(read(file, splits), selections=entries)
    fresh = [run.labels for run in after.runs.values() if run.labels["seed"] in (0, 1, 2)]
    assert {run["learning_rate"] for run in fresh} == {0.003}
    pairs = {(run["data_seed"], run["seed"]) for run in fresh if run["activation"] == "relu"}
    assert pairs == {(split, seed) for split in range(3) for seed in range(3)}
    assert len(fresh) == 2 * 9
    assert after.later == ()


def test_what_is_selected_stays_as_splits_are_added(file):
    first = plan(read(file))
    entries = {one.name: entry_of(one, 1, first.stages.select) for one in first.stages.cells}
    rates = {}
    for splits in ("0", "0,1", "5,6"):  # the last: none that chose
        wider = plan(read(file, [f"data.seed={splits}"]), selections=entries)
        assert not wider.stages.unlike()
        assert wider.stages.entries().keys() == entries.keys()
        fresh = [run.labels for run in wider.runs.values() if run.labels["seed"] < 3]
        assert len(fresh) == 2 * 3 * len(splits.split(","))
        rates[splits] = {(run["activation"], run["learning_rate"]) for run in fresh}
        joined = selecting.joined([("a", entries), ("b", wider.stages.entries())])
        assert {name: one["value"] for name, one in joined.items()} == {n: one["value"] for n, one in entries.items()}
    assert rates["0"] == rates["0,1"] == rates["5,6"]
    study = {
        "sweep": {
            "matrix": {"train.learning_rate": [1, 2], "data.seed": [0, 1], "model.depth": [2, 3]},
            "select": {"over": "train.learning_rate", "seeds": 2},
            "seeds": 5,
        }
    }
    assert selecting.still_to_select(study, {"one": {}}) == 2 * 5


def test_what_is_not_tuned_is_said(file, tmp_path, capsys):
    def said(*words):
        code, _, err = typed(capsys, "run", file, "--dry-run", "--out", tmp_path / "r", *words)
        return code, " ".join(err.split())

    assert "not used" not in said()[1]
    code, err = said("train.learning_rate=0.01")
    assert code == 0
    assert "s.yaml:11: sweep.select: train.learning_rate has one value in all cells" in err
    for words in (["sweep.select=null"], ["train.learning_rate=0.01"]):
        code, err = said("--reselect", *words)
        assert code == 2, err
        assert "leave --reselect out" in err
    assert said("--reselect")[0] == 0
    file.write_text(STUDY.replace("report: {", "report: {select: null, "))
    code, err = said()
    assert code == 2
    assert "s.yaml:12: report.select: is null, and sweep.select is" in err
