"""Selections that a verdict rests on: those that a widened grid made stale, those at its end, those outscored."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actlab.analysis import doubts, verdicts
from actlab.analysis.claims import AT_LEAST, DOUBT, INCONCLUSIVE, SUPPORTED, judge
from actlab.analysis.conditions import remark
from actlab.analysis.findings.decided import with_its_number
from actlab.analysis.judging import capped
from actlab.analysis.notes import selection_note
from actlab.analysis.report import study_cells
from actlab.analysis.sections import markdown
from actlab.analysis.stages import AGAIN, stale
from actlab.analysis.verdict_figures import axis
from actlab.study import trial
from actlab.study.selection import tuning_seeds
from benchmarks.judge import CASES, study_of
from benchmarks.judged.made import cells_of, runs_of
from tests.synthetic import frames

TUNING = tuning_seeds(3)
STUDY = {"sweep": {"select": {"over": "train.learning_rate", "by": "validation_loss", "seeds": 3}}}
RATES = (1e-4, 1e-3, 1e-2, 1e-1)
ABOVE = [0.9, 0.91, 0.92, 0.9, 0.92]

SAME = "each at its selected learning rate (the same wherever they are compared)"


def staged(chosen, losses, scores=None, of=RATES):
    """Cells of a study in two stages with the activations relu and elu.

    Args:
        chosen: {activation: the rate that is stored as selected}.
        losses: {activation: the validation loss of each rate on the tuning seeds}.
        scores: {(activation, rate): test accuracy}; 0.9 without.
        of: the rates that have tuning runs.
    """
    runs, steps, layers = frames(("relu", "elu"), (2,), of, seeds=8, steps=50, every=50)
    runs = runs.assign(seed=[TUNING[seed] if seed < 3 else seed - 3 for seed in runs["seed"]])
    at = runs["learning_rate"] == runs["activation"].map(chosen)
    runs = runs[at | runs["seed"].isin(TUNING)]
    keys = list(zip(runs["activation"], runs["learning_rate"], strict=True))
    loss = [losses[name][of.index(rate)] for name, rate in keys]
    score = [(scores or {}).get(key, 0.9) + 0.001 * (seed % 5) for key, seed in zip(keys, runs["seed"], strict=True)]
    runs = runs.assign(validation_loss=loss, test_accuracy=score, status="ok", trained=True)
    first = runs[runs["seed"].isin(TUNING)]
    entries = {
        name: {"selected": " ".join(rows.loc[rows["learning_rate"] == chosen[name], "run"]), "others": ""}
        for name, rows in first.groupby("activation")
    }
    return study_cells(STUDY, {"selection": entries}, runs, steps, layers)


def verdict_on(cells, *activations, samples=None):
    """A verdict that is supported, on the selected runs of some activations."""
    rows = cells.selected[cells.selected["activation"].isin(activations)]
    one = judge("T", "relu", "it is large", AT_LEAST, 0.5, samples or {"A": ABOVE, "B": ABOVE}, "size")
    return capped(one, cells, rows)


BEST_IS_3RD, BEST_IS_2ND = (0.9, 0.5, 0.1, 0.8), (0.9, 0.1, 0.5, 0.8)


def test_a_selection_that_todays_rule_would_not_make_is_stale():
    cells = staged({"relu": 1e-3, "elu": 1e-3}, {"relu": BEST_IS_3RD, "elu": BEST_IS_2ND})
    found = stale(cells)
    assert found.to_dict("records") == [{"activation": "relu", "learning_rate": 1e-3, "by_rule": 1e-2}]
    assert stale(staged({"relu": 1e-2, "elu": 1e-3}, {"relu": BEST_IS_3RD, "elu": BEST_IS_2ND})).empty
    assert stale(study_cells({}, {}, *frames(seeds=2))).empty  # of one stage


def test_a_widened_grid_that_is_half_tuned_makes_nothing_stale():
    cells = staged({"relu": 1e-3, "elu": 1e-3}, {"relu": BEST_IS_3RD, "elu": BEST_IS_2ND})
    few = cells.selection.assign(runs=np.where(cells.selection["learning_rate"] == 1e-2, 2, 3))
    assert stale(replace(cells, selection=few)).empty


def test_a_stale_selection_is_doubted_with_the_command_that_selects_again():
    cells = staged({"relu": 1e-3, "elu": 1e-3}, {"relu": BEST_IS_3RD, "elu": BEST_IS_2ND})
    said = [one for one in doubts.doubts_about(cells, {}) if AGAIN in one]
    assert said == [doubts.selected_before(cells, {})]
    assert said[0].startswith(
        "In 1 of 2 cells the learning rate was selected before all of today's tuning runs were there, which would "
        "select another: `relu` at 0.001, by today's 0.01."
    )
    assert "In 1 cell the tuning runs that there are now would select another" in selection_note(cells)
    sound = staged({"relu": 1e-2, "elu": 1e-3}, {"relu": BEST_IS_3RD, "elu": BEST_IS_2ND})
    assert doubts.selected_before(sound, {}) == ""


def test_a_verdict_on_a_stale_selection_is_capped_and_no_other():
    cells = staged({"relu": 1e-3, "elu": 1e-3}, {"relu": BEST_IS_3RD, "elu": BEST_IS_2ND})
    one = verdict_on(cells, "relu", "elu")
    assert one.verdict == INCONCLUSIVE
    assert remark(one) == (
        "would be 'supported', but for values selected before today's tuning runs, which would select others "
        f"({AGAIN} in the study's folder selects again): activation relu, learning_rate 0.001"
    )
    assert [row.verdict for row in one.under] == [SUPPORTED] * 2
    assert verdict_on(cells, "elu").verdict == SUPPORTED


def test_what_caps_is_told_of_a_verdict_that_is_inconclusive_anyway():
    at_end = staged({"relu": 1e-1, "elu": 1e-3}, {"relu": (0.9, 0.5, 0.4, 0.1), "elu": BEST_IS_2ND})
    both = verdict_on(at_end, "relu", "elu")
    assert both.condition.startswith("(would be 'supported', but for selected values at an end of their grid: ")
    assert DOUBT not in both.evidence
    wide = judge("T", "relu", "it is large", AT_LEAST, 0.5, {"A": ABOVE, "B": [0.1, 0.9, 0.5, 0.2, 0.8]}, "size")
    told = capped(wide, at_end, at_end.selected)
    assert (told.verdict, told.condition) == (wide.verdict, wide.condition) == (INCONCLUSIVE, wide.condition)
    doubt = told.evidence.partition(DOUBT)[2]
    assert doubt == "selected values at an end of their grid: activation relu, learning_rate 0.1"


@pytest.fixture(scope="module")
def outscored():
    scores = {("relu", 1e-2): 0.99}
    return staged({"relu": 1e-3, "elu": 1e-3}, dict.fromkeys(("relu", "elu"), BEST_IS_2ND), scores)


def test_an_outscored_selection_is_told_at_the_verdicts_that_rest_on_it_and_caps_none(outscored, monkeypatch):
    monkeypatch.setattr("actlab.analysis.outscored.LUCK", 0.02)  # of 5 fresh and 3 tuning runs
    one, other = verdict_on(outscored, "relu", "elu"), verdict_on(outscored, "elu")
    assert one.verdict == other.verdict == SUPPORTED
    said, _, doubt = one.evidence.partition(DOUBT)
    assert said == f"size; {SAME}; least favourable: A"
    assert other.evidence == "size; least favourable: A"  # of one activation: nothing is compared
    assert doubt.startswith("in 1 of 2 cells another learning rate has a clearly better test accuracy: relu 0.9")
    assert "at the selected 0.001" in doubt
    # Wherever evidence is shown in part, the doubt is no part of it.
    assert axis(one) == axis(verdict_on(outscored, "relu", samples=ABOVE)) == "size"
    assert with_its_number(one) == with_its_number(other)


def test_the_page_has_the_doubt_on_a_line_of_its_own(outscored, monkeypatch):
    monkeypatch.setattr("actlab.analysis.outscored.LUCK", 0.02)
    part = verdicts.Part("s", "digits", "../s.py", "actlab", ())
    one = verdict_on(outscored, "relu", "elu")
    text = markdown([verdicts.of_verdict(one, part, {})])
    assert f"- The number: size; {SAME}; least favourable: A." in text
    assert "- To doubt: in 1 of 2 cells another learning rate has a clearly better test accuracy: relu " in text
    assert "To doubt" not in markdown([verdicts.of_verdict(verdict_on(outscored, "elu"), part, {})])


AS_DRAWN = {"outputs_are_off_centre"}
"""Of networks before training, whatever rate is selected."""


def test_every_claim_of_the_trial_on_selected_runs_asks_what_its_selections_are_worth(monkeypatch):
    """Else a rule that was broken for one of its cells would go unsaid."""
    asked = []
    for path in trial.read(Path(__file__).parents[1] / "configs" / "trial").studies:
        if "\n  select: {over" not in path.read_text(encoding="utf-8"):
            continue
        for case in (one for one in CASES if study_of(one) == path.stem and one.claim.__name__ not in AS_DRAWN):
            seen = []
            module = sys.modules[case.claim.__module__]
            monkeypatch.setattr(
                module, "capped", lambda one, cells, rows, seen=seen, **_: seen.append(len(rows)) or one
            )
            runs = runs_of(case.factors, case.seeds)
            case.claim(cells_of(runs, **case.draw(np.random.default_rng(0), runs, case.planted)))
            assert seen, case.claim.__name__
            assert seen[0] > 0, case.claim.__name__
            asked.append(path.stem)
    assert len(set(asked)) >= 10
