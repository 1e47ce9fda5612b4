"""What the README opens with: the rule by which verdicts surprise, on verdicts that are made up."""

import math

import pytest

from actlab.analysis.claims import (
    AT_LEAST,
    AT_MOST,
    CONTRADICTED,
    INCONCLUSIVE,
    ONLY_IF,
    SUPPORTED,
    WITHIN,
    Verdict,
    judge,
)
from actlab.analysis.intervals import Interval
from actlab.analysis.layout import write_table
from actlab.analysis.surprises import beyond, sentence, surprising
from actlab.analysis.verdicts import Part, table
from experiments.surprises import surprises


def verdict(claim, activation, word, low=-0.1, high=0.1, form=AT_LEAST, effect=0.2, condition="", evidence="a gain"):
    numbers = ((low + high) / 2, low, high, 20, "Student t")
    return Verdict(claim, activation, f"says {claim}", form, effect, *numbers, word, condition, evidence)


@pytest.mark.parametrize(
    ("form", "low", "high", "far"),
    [
        (AT_LEAST, -0.1, 0.1, 0.5),
        (AT_MOST, 0.3, 0.5, 0.5),
        (WITHIN, 0.3, 0.5, 0.5),
        (WITHIN, -0.5, -0.3, 0.5),
        (AT_LEAST, 0.3, 0.5, -1.5),
    ],
)
def test_how_far_the_whole_interval_lies_beyond_the_effect(form, low, high, far):
    assert beyond(verdict("S1", "sigmoid", CONTRADICTED, low, high, form)) == pytest.approx(far)


def test_a_ratio_is_as_far_beyond_in_either_direction():
    """3.04 times where at most 1/1.1 was claimed: log(3.3) in units of log(1.1), as 1/3.04 where at least 1.1 was."""
    more = verdict("M4b", "mish", CONTRADICTED, 3.0, 4.0, AT_MOST, 1 / 1.1, evidence="seconds of a over those of b")
    less = verdict("M4c", "mish", CONTRADICTED, 0.25, 1 / 3, AT_LEAST, 1.1, evidence="seconds of a over those of b")
    assert beyond(more) == pytest.approx(math.log(3.3) / math.log(1.1))
    assert beyond(less) == pytest.approx(beyond(more))


def test_what_is_contradicted_by_most_comes_first_once_for_each_activation_and_claim():
    verdicts = [
        verdict("S1a", "sigmoid", ONLY_IF, -9, -8),
        verdict("R1", "relu", CONTRADICTED),
        verdict("M2a", "mish", CONTRADICTED, -0.9, -0.8),
        verdict("M3b", "mish", CONTRADICTED, -0.5, -0.4),  # mish has one
        verdict("M2b", "gelu", CONTRADICTED, -0.4, -0.3),  # so has M2
        verdict("G1", "gelu", SUPPORTED, -99, -98),
        verdict("A1", "same", CONTRADICTED, -99, -98),  # of the trial itself
        verdict("L1", "leaky_relu", INCONCLUSIVE, -99, -98),
    ]
    assert [one.id for one in surprising(verdicts)] == ["M2a", "R1", "S1a"]
    assert [one.id for one in surprising(verdicts, 1)] == ["M2a"]


def test_a_line_has_the_claim_the_number_its_interval_and_a_link(tmp_path):
    samples = {"adam": Interval(0.3, 0.25, 0.35, 20, "logit t"), "sgd": Interval(0.0, -0.1, 0.1, 20, "logit t")}
    one = judge("L2a", "leaky_relu", "says L2a", AT_LEAST, 0.2, samples, "a gain")
    assert one.verdict == ONLY_IF
    part = Part("mine", "digits", "", "", (one,))
    write_table(table([part], {"L2": "it is crucial"}), tmp_path / "tables")  # as a trial has it
    text = surprises(tmp_path, "results/claims")
    sides = "it holds at adam: 0.300 [0.250, 0.350]; it does not at sgd: 0.00 [−0.10, 0.10]"
    assert f"“says L2a” is **true only under some conditions**: {sides}, where" in text
    assert "where at least 0.2 is claimed (a gain; [L2a](results/claims/report.md#l2a))" in text
    assert text.startswith("**1 verdict on what is taught of nine activations**, some on the same runs: 1 true")


def test_what_is_on_the_trial_itself_is_not_counted_among_what_is_taught(tmp_path):
    """A1 is said apart, whatever comes beside it; the counts by word are of all, as on the trial's page."""
    taught = (verdict("S1a", "sigmoid", CONTRADICTED, -1, -0.9), verdict("E1b", "elu", INCONCLUSIVE))
    parts = [Part("mine", "", "", "", (*taught, verdict("A1", "", INCONCLUSIVE)))]
    write_table(table(parts, {}), tmp_path / "tables")
    text = surprises(tmp_path, "results/claims")
    said = "**2 verdicts on what is taught of nine activations**, and one on the trial itself, some on the same runs: "
    assert text.startswith(f"{said}1 contradicted, 2 inconclusive.")


def test_what_is_doubted_of_a_selection_is_said_behind_what_the_number_is():
    one = verdict(
        "M2d", "mish", CONTRADICTED, evidence="a gain; least favourable: adam; to doubt: another rate scores better"
    )
    text = sentence(one, "results/report.md")
    assert "(a gain; adam; to doubt: another rate scores better; [M2d](results/report.md#m2d))" in text
