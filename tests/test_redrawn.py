"""Figures that a trial draws again from a study's numbers: on one scale with δ, and one share apart from another."""

import pytest

from actlab.analysis import redrawn, verdicts
from actlab.analysis.claims import AT_LEAST, WITHIN, judge
from actlab.analysis.sections import Picture
from actlab.later import pd

SLOPES = [
    {"activation": name, "width": width, "weight_init": weights, "measure": "vanishing_slope", "at": "init"}
    | {"mean": mean, "low": mean - 0.01, "high": mean + 0.01}
    for width in (64, 256)
    for weights, means in {"critical": (0.0, 0.001), "glorot_normal": (-0.1, -0.6)}.items()
    for name, mean in zip(("relu", "sigmoid"), means, strict=True)
]
DEATH = [
    {"activation": "relu", "depth": depth, "optimizer": optimizer, "learning_rate": rate, "measure": measure}
    | {"mean": share, "low": share, "high": share, "n": 5, "runs": 5, "diverged": 0, "missing": 0}
    for depth in (2, 5)
    for optimizer in ("adam", "sgd")
    for rate in (0.01, 0.1)
    for measure, share in {"died_fraction": 0.4, "born_dead_fraction": 0.1, "dead_fraction": 0.5}.items()
]
OF_SLOPES = judge("R2a", "relu", "s", WITHIN, 0.03, [0.0, 0.01, 0.0], "e", "vanishing_slope", figure="vanishing_slopes")
OF_GAIN = judge("M2a", "relu", "s", AT_LEAST, 0.01, [0.0, 0.01, 0.0], "a difference", figure="vanishing_slopes")
OF_DEATH = judge("R3a", "relu", "units die", AT_LEAST, 0.01, [0.4, 0.41, 0.4], "e", "died_fraction", figure="dying")


@pytest.fixture
def folder(tmp_path):
    for name, rows in (("figures/vanishing_slopes.csv", SLOPES), ("tables/death.csv", DEATH)):
        (tmp_path / "mine" / name).parent.mkdir(parents=True)
        pd.DataFrame(rows).to_csv(tmp_path / "mine" / name, index=False)
    return tmp_path


def test_slopes_of_all_conditions_have_one_scale_with_the_band_that_decides(folder):
    figure = redrawn.draw(OF_SLOPES, folder / "mine")
    assert [axes.get_title().replace("\n", " ") for axes in figure.axes] == [
        *("width 64, critical", "width 64, glorot_normal", "width 256, critical", "width 256, glorot_normal")
    ]
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert low < -0.61
        assert high > 0.011
        assert {line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"} == {-0.03, 0.03}
    assert "claimed: within ±0.03 decades / layer" in [one.get_text() for one in figure.legends[0].get_texts()]


def test_the_band_of_a_difference_is_not_drawn_among_slopes(folder):
    figure = redrawn.draw(OF_GAIN, folder / "mine")
    assert {line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"} == {0.0}
    assert not any("claimed" in one.get_text() for one in figure.legends[0].get_texts())


def test_what_died_in_training_stands_apart_from_what_was_dead_at_the_start(folder):
    figure = redrawn.draw(OF_DEATH, folder / "mine")
    numbers = {axes.get_title().replace("\n", " "): {text.get_text() for text in axes.texts} for axes in figure.axes}
    assert numbers == {
        **{f"died: {name}": {"40"} for name in ("adam", "sgd")},
        **{f"dead at the start: {name}": {"10"} for name in ("adam", "sgd")},
    }


def test_the_page_shows_it_in_the_place_of_the_study_s_own_and_has_its_file(folder):
    kind = redrawn.kind_of(OF_DEATH, folder / "mine")
    assert redrawn.kind_of(OF_DEATH, folder) is None  # no numbers, so the study's own is shown
    assert redrawn.titles([OF_DEATH], folder / "mine") == {"R3a": kind.title}
    about = ("mine", "", "rule.py", "", (OF_DEATH,), frozenset({"dying"}))
    for again, file in (({"R3a": kind.title}, "figures/R3a-dying.png"), ({}, "mine/figures/dying.png")):
        part = verdicts.Part(*about, study=True, redrawn=again)
        named = verdicts.figures_of([part])
        shown = [one.file for one in verdicts.of_verdict(OF_DEATH, part, named).blocks if isinstance(one, Picture)]
        assert shown == ["figures/R3a.png", file]
        assert [name for name, _ in redrawn.figures([part], named, folder)] == ["R3a-dying"] * len(again)
