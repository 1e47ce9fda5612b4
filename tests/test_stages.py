"""A study in two stages: rates on tuning seeds, then fresh seeds at the selected ones; what is stored stays."""

import json
import shutil
from typing import ClassVar

import pandas as pd
import pytest

import actlab
from actlab.analysis.cells import selection_frame
from actlab.analysis.report import study_cells
from actlab.engine import handover, second_stage, worker_pools
from actlab.engine.manifest import read_manifest, write_manifest
from actlab.engine.planned import read_planned
from actlab.engine.store import Stored
from actlab.study.reading import StudyError, read
from actlab.study.selection import Select, preferred
from tests.serial import SerialExecutor
from tests.typed import typed

STUDY = """study: two
data: {name: iris}
model: {width: 8, depth: 3}
train: {steps: 20, batch_size: 16}
measure: {every: 20, evaluate_every: 20, probes: [signal_grad_norm, dead_fraction]}
sweep:
  matrix:
    model.activation: [relu, prelu]
    train.learning_rate: [0.0001, 0.003, 0.03]
  seeds: 3
  select: {over: train.learning_rate, by: validation_loss, seeds: 2}
report: {tables: [performance, selection, dead_units], figures: []}
"""
TUNING = [1000000, 1000001]


class Counting(SerialExecutor):
    """Trains here, and keeps which runs."""

    trained: ClassVar[list[str]] = []
    stop_after: ClassVar[int | None] = None

    def submit(self, function, /, *args, **kwargs):
        if function is handover.run_job:
            if self.stop_after is not None and len(Counting.trained) >= self.stop_after:
                raise KeyboardInterrupt
            Counting.trained.extend(run.id for run in args[0].runs)
        return super().submit(function, *args, **kwargs)


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(worker_pools, "local", lambda *_: Counting())
    monkeypatch.setattr(Counting, "stop_after", None)
    monkeypatch.setattr(Counting, "trained", [])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    (folder / "s.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_pools, "local", lambda *_: SerialExecutor())
        actlab.run(folder / "s.yaml", out=folder / "r")
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "c")
    return tmp_path / "c"


def numbers(results):
    return results.runs.sort_values("run").reset_index(drop=True)[["run", "seed", "learning_rate", "test_loss"]]


def selected(folder):
    return {name: one["selected"] for name, one in read_manifest(folder)["selection"].items()}


def test_two_stages_are_a_tuning_study_and_then_one_at_its_rates(whole, tmp_path, here):
    staged = actlab.load(whole / "r")
    assert sorted(set(staged.runs["seed"])) == [0, 1, 2, *TUNING]
    assert len(staged.runs) == 12 + 6
    assert (staged.runs["stage"] == staged.runs["seed"].map(lambda seed: "tuning" if seed in TUNING else "fresh")).all()
    by_hand = STUDY.replace("  select: {over: train.learning_rate, by: validation_loss, seeds: 2}\n", "")
    (tmp_path / "s.yaml").write_text(by_hand)
    tuned = actlab.run(tmp_path / "s.yaml", ["sweep.seeds=[1000000,1000001]"], out=tmp_path / "tuned")
    pd.testing.assert_frame_equal(numbers(staged.where(f"seed>={TUNING[0]}")), numbers(tuned))
    means = tuned.runs.groupby(["activation", "learning_rate"])["validation_loss"].mean()
    for activation in ("prelu",):
        rate = means[activation].idxmin()
        fixed = actlab.run(
            tmp_path / "s.yaml",
            [f"model.activation={activation}", f"train.learning_rate={rate}"],
            out=tmp_path / activation,
        )
        fresh = staged.where([f"activation={activation}", "stage=fresh"])
        pd.testing.assert_frame_equal(numbers(fresh), numbers(fixed))
    assert len(selected(whole / "r")) == 2


def test_tables_show_fresh_seeds_alone_and_say_so(whole):
    staged = actlab.load(whole / "r")
    performance = pd.read_csv(whole / "r/tables/performance.csv")
    fresh = staged.runs[staged.runs["stage"] == "fresh"]
    assert performance.set_index("activation")["mean"].to_dict() == pytest.approx(
        fresh.groupby("activation")["test_accuracy"].mean().to_dict()
    )
    assert (performance["n"] == 3).all()
    said = (whole / "r/tables/performance.md").read_text()
    assert "over 2 tuning seeds" in said
    assert "Shown: 3 fresh seeds, none of which chose." in said
    dead = pd.read_csv(whole / "r/tables/dead_units.csv")
    chosen = set(zip(fresh["activation"], fresh["learning_rate"], strict=True))
    n = {pair: set(rows["n"]) for pair, rows in dead.groupby(["activation", "learning_rate"])}
    assert n == {pair: {3} if pair in chosen else {2} for pair in n}
    assert len(n) == 6
    assert "fresh seeds; at the others: the 2 tuning seeds that chose" in (whole / "r/tables/dead_units.md").read_text()
    cells = study_cells(staged.study, staged.manifest, staged.runs, staged.steps, staged.layers)
    assert set(cells.selected["run"]) == set(fresh["run"])
    assert not set(TUNING) & set(
        cells.runs.merge(pd.DataFrame(chosen, columns=["activation", "learning_rate"]))["seed"]
    )
    assert set(cells.selection["n"]) == {2}
    assert cells.selection["selected"].sum() == 2


def test_a_comparison_is_of_fresh_seeds(whole):
    staged = actlab.load(whole / "r").runs
    fresh = staged[staged["stage"] == "fresh"]
    table = actlab.compare(whole / "r", metric="test_loss", by="activation")
    assert set(table["n"]) == {3}
    means = fresh.groupby("activation")["test_loss"].mean().to_dict()
    assert table.set_index("activation")["mean"].to_dict() == pytest.approx(means)
    by_rate = actlab.compare(whole / "r", metric="test_loss", by="activation,learning_rate")
    assert set(by_rate["n"]) == {2}  # of every rate the tuning seeds, at the selected ones too
    averaged = actlab.compare(whole / "r", metric="test_loss", by="activation", over="learning_rate")
    means = staged[staged["stage"] == "tuning"].groupby("activation")["test_loss"].mean().to_dict()
    assert averaged.set_index("activation")["mean"].to_dict() == pytest.approx(means)
    assert "Of two stages the first alone" in " ".join(averaged.attrs["runs"])


def test_the_rule_is_the_same_before_and_after_it_is_stored(whole):
    runs = actlab.load(whole / "r").runs
    first = runs[runs["stage"] == "tuning"]
    frame = selection_frame(first, ["activation", "learning_rate"], Select(), "learning_rate", {"relu": 0, "prelu": 1})
    by_rule = frame[frame["selected"]].set_index("activation")["learning_rate"].to_dict()
    fresh = runs[runs["stage"] == "fresh"].drop_duplicates("activation").set_index("activation")["learning_rate"]
    assert by_rule == fresh.to_dict()
    # Fewer diverged; then the mean of the others; then the smaller value; none that trained: still one.
    assert preferred([(0.1, [0.0, None]), (0.2, [9.0, 9.0])], Select()) == 1
    assert preferred([(0.2, [1.0, 2.0]), (0.1, [2.0, 1.0])], Select()) == 1
    assert preferred([(0.2, [None, None]), (0.1, [None, None])], Select()) == 1
    assert preferred([(0.1, [0.5]), (0.2, [0.9])], Select(by="validation_accuracy")) == 1


def test_what_chooses_is_never_the_test_split(whole, copy, here):
    before = selected(copy / "r")
    manifest = read_manifest(copy / "r")
    del manifest["selection"]
    write_manifest(copy / "r", manifest)
    table = Stored(copy / "r").read().tables
    losses = {
        run: loss
        for one in table.values()
        for run, loss in zip(*one.select(["run", "test_loss"]).to_pydict().values(), strict=True)
    }
    assert losses  # they are there, and differ from what chose
    actlab.run(copy / "s.yaml", out=copy / "r")
    assert selected(copy / "r") == before
    assert not Counting.trained
    for by in ("test_loss", "test_accuracy", "train_loss"):
        with pytest.raises(StudyError, match="validation_loss or validation_accuracy"):
            read(copy / "s.yaml", [f"sweep.select.by={by}"])


@pytest.mark.parametrize(
    "stop_after", [2, pytest.param(12, marks=pytest.mark.thorough), pytest.param(14, marks=pytest.mark.thorough)]
)
def test_interrupted_equals_uninterrupted(stop_after, whole, tmp_path, here, monkeypatch):
    monkeypatch.setattr(Counting, "stop_after", stop_after)
    with pytest.raises(KeyboardInterrupt):
        actlab.run(whole / "s.yaml", out=tmp_path / "r", workers=1)
    cut = set(Counting.trained)
    held = Stored(tmp_path / "r").read()
    assert held.missing == 18 - len(held.runs)
    monkeypatch.setattr(Counting, "stop_after", None)
    monkeypatch.setattr(Counting, "trained", [])
    again = actlab.run(whole / "s.yaml", out=tmp_path / "r")
    assert not held.runs & set(Counting.trained)
    assert cut
    pd.testing.assert_frame_equal(numbers(again), numbers(actlab.load(whole / "r")))
    assert selected(tmp_path / "r") == selected(whole / "r")
    assert "later" not in read_manifest(tmp_path / "r")
    for name in ("performance", "selection", "dead_units"):
        one, other = (folder / f"tables/{name}.md" for folder in (tmp_path / "r", whole / "r"))
        assert one.read_text() == other.read_text()


def test_more_seeds_train_these_alone_and_more_activations_are_tuned_first(copy, here):
    before = actlab.load(copy / "r").runs
    more = actlab.run(copy / "s.yaml", ["sweep.seeds=5"], out=copy / "r").runs
    new = more[~more["run"].isin(before["run"])]
    assert set(Counting.trained) == set(new["run"])
    assert sorted(new["seed"]) == [3, 3, 4, 4]
    pairs = ["activation", "learning_rate"]
    old = before.loc[before["stage"] == "fresh", pairs].drop_duplicates()
    assert len(new.merge(old, on=pairs)) == 4
    Counting.trained.clear()
    actlab.run(copy / "s.yaml", ["sweep.seeds=5", "model.activation=relu,prelu,gelu"], out=copy / "r")
    wider = actlab.load(copy / "r").runs
    assert set(wider.loc[wider["run"].isin(Counting.trained), "activation"]) == {"gelu"}
    assert len(Counting.trained) == 6 + 5
    assert len(selected(copy / "r")) == 3


def altered_selection(folder):
    """Store another selection than the rule has: as if fewer tuning runs had made it."""
    manifest = read_manifest(folder)
    entry = next(iter(manifest["selection"].values()))
    others = entry["others"].split()
    entry["others"] = " ".join([*others[2:], *entry["selected"].split()])
    del entry["value"]  # of an earlier version, or by hand
    entry["selected"] = " ".join(others[:2])
    write_manifest(folder, manifest)


def test_a_stored_selection_stays_until_it_is_asked_to_change(copy, here, capsys):
    before = selected(copy / "r")
    altered_selection(copy / "r")
    stored = selected(copy / "r")
    notes = []
    actlab.run(copy / "s.yaml", out=copy / "r", note=notes.append)
    assert selected(copy / "r") == stored != before
    assert len(Counting.trained) == 3  # fresh seeds at what is stored
    (said,) = [line for line in notes if "would now select another learning_rate in 1 of 2 cells" in line]
    assert said.endswith("what was selected stays, until it is run with --reselect")
    text = (copy / "r/report.md").read_text()
    assert "In 1 cell the tuning runs that there are now would select another" in text
    doubts = text.partition("## What to doubt")[2].partition("\n## ")[0]
    assert "`actlab run study.yaml --out . --reselect` in the study's folder selects again" in doubts
    code, _, err = typed(capsys, "plan", copy / "s.yaml", "--out", copy / "r")
    assert code == 0
    assert "would now select another learning_rate" in err
    Counting.trained.clear()
    code, _out, err = typed(capsys, "run", copy / "s.yaml", "--out", copy / "r", "--reselect")
    assert code == 0
    assert selected(copy / "r") == before
    assert not Counting.trained
    assert "would now select" not in err
    assert "in the study's folder selects again" not in (copy / "r/report.md").read_text()
    assert "3 stored runs are not asked for" in err


def test_what_a_study_cannot_go_on_with_is_refused_with_the_ways_out(copy, here, capsys):
    for override, why in (
        ("sweep.select.by=validation_accuracy", "put validation_loss back"),
        ("train.learning_rate=0.0001,0.001", "is none that"),
    ):
        code, _, err = typed(capsys, "plan", copy / "s.yaml", override, "--out", copy / "r")
        assert code == 2, err
        assert why in err
        assert "--reselect" in err
    assert not Counting.trained
    actlab.run(copy / "s.yaml", ["sweep.select.by=validation_accuracy"], out=copy / "r", reselect=True)
    assert {one["by"] for one in read_manifest(copy / "r")["selection"].values()} == {"validation_accuracy"}


WRONG = {
    "sweep.seeds=[0,1000001]": "1000001 is a tuning seed of sweep.select (1000000 to 1000001)",
    "report.select=null": "report.select: is null",
    "report.select={over: model.depth}": "override report.select={over: model.depth}: report.select: is {over: model",
    "sweep.select.seeds=0": "sweep.select.seeds",
    "sweep.select.over=train.learnig_rate": "did you mean 'train.learning_rate'",
    "sweep.select.sedes=3": "seeds",
}


@pytest.mark.parametrize("override", WRONG)
def test_wrong_requests_are_named(override, whole):
    with pytest.raises(StudyError) as error:
        read(whole / "s.yaml", [override])
    assert WRONG[override] in str(error.value)


def test_a_rule_without_seeds_is_the_reports(whole, tmp_path):
    (tmp_path / "s.yaml").write_text(
        STUDY.replace(", seeds: 2}", "}").replace("by: validation_loss", "by: validation_accuracy")
    )
    study = read(tmp_path / "s.yaml")
    assert study.config.report.select.by == "validation_accuracy"
    code = read(whole / "r/study.yaml")  # what is written says both, and they agree
    assert code.config.report.select.over == code.config.sweep.select.over == "train.learning_rate"


def test_plan_shows_both_stages_before_and_after(whole, tmp_path, capsys):
    code, out, _ = typed(capsys, "plan", whole / "s.yaml", "--out", tmp_path / "new", "--json")
    answer = json.loads(out)
    assert [(one["stage"], one["runs"], one["to_train"], one["not_selected"]) for one in answer["stages"]] == [
        ("tuning", 12, 12, 0),
        ("fresh", 6, 6, 6),
    ]
    assert answer["planned"] == 12
    assert {run["seed"] for run in answer["runs"]} == set(TUNING)
    code, out, _ = typed(capsys, "plan", whole / "s.yaml", "--out", whole / "r")
    assert code == 0
    assert "Stage 1, tuning: 12 runs (12 stored): every learning_rate, seeds 1000000, 1000001." in out
    assert (
        "Stage 2, fresh: 6 runs (6 stored): seeds 0 to 2 at each cell's own learning_rate, selected for 2 of 2" in out
    )


def test_a_tuning_study_is_adopted(whole, tmp_path, here):
    """What a study of the tuning seeds alone has stored is the first stage, whatever file it was run from."""
    (tmp_path / "t.yaml").write_text(
        STUDY.replace("seeds: 3", "seeds: [1000000, 1000001]").replace("  select:", "  # ")
    )
    actlab.run(tmp_path / "t.yaml", out=tmp_path / "r")
    Counting.trained.clear()
    adopted = actlab.run(whole / "s.yaml", out=tmp_path / "r")
    assert len(Counting.trained) == 6
    assert not {*TUNING} & set(adopted.runs.loc[adopted.runs["run"].isin(Counting.trained), "seed"])
    pd.testing.assert_frame_equal(numbers(adopted), numbers(actlab.load(whole / "r")))


def test_a_report_of_the_first_stage_shows_no_numbers_of_it(whole, tmp_path, here, monkeypatch, capsys):
    monkeypatch.setattr(second_stage.SecondStage, "jobs", lambda self: [])
    actlab.run(whole / "s.yaml", out=tmp_path / "r")
    code, out, err = typed(capsys, "report", tmp_path / "r")
    assert code == 0
    assert "6 of 18 planned runs are not trained yet" in err
    assert sorted(path.name for path in (tmp_path / "r/tables").iterdir()) == [
        f"selection.{end}" for end in ("csv", "md", "tex")
    ]
    code, out, err = typed(capsys, "watch", tmp_path / "r", "--once")
    assert "12 of 18 runs stored" in out


def test_merged_folders_must_have_selected_alike(whole, copy, tmp_path, here, capsys):
    actlab.run(copy / "s.yaml", ["sweep.seeds=[7,8]"], out=tmp_path / "other")
    code, _, err = typed(capsys, "merge", whole / "r", tmp_path / "other", "--out", tmp_path / "both")
    assert code == 0, err
    both = actlab.load(tmp_path / "both")
    assert sorted(set(both.runs["seed"])) == [0, 1, 2, 7, 8, *TUNING]
    assert selected(tmp_path / "both") == selected(whole / "r")
    assert not both.untrained
    altered_selection(tmp_path / "other")
    code, _out, err = typed(capsys, "merge", whole / "r", tmp_path / "other", "--out", tmp_path / "not")
    assert code == 2, err
    assert "selected another learning_rate for one cell" in err
    assert not (tmp_path / "not").exists()
    assert read_planned(tmp_path / "both")
