"""The worked example: digits to check by hand, two ways to the gradients, a unit that stays dead; and its files."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from actlab.activations import CATALOGUE, properties
from actlab.analysis.catalogue import all_looks, write_catalogue
from actlab.analysis.worked_example import descent_figure, worked_example_text, write_worked_example
from actlab.nn import worked_example
from tests.typed import typed

COMMITTED = Path(__file__).parents[1] / "results" / "worked_example"


def tables_of(records):
    return map(pd.DataFrame, worked_example.rows(records))


@pytest.fixture(scope="module")
def tables():
    example, descent = tables_of(CATALOGUE.values())
    return example.set_index("activation"), descent.set_index(["activation", "step"])


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("relu", {"h1": 0.4, "h2": 0.0, "y": 0.12, "dy": -0.88, "dz1": -0.264, "dz2": 0.0}),
        (
            "sigmoid",
            {"h1": 0.5987, "h2": 0.5, "y": 0.3296, "dy": -0.6704, "dz1": -0.0483, "dz2": -0.0503},
        ),
    ],
)
def test_the_printed_digits(tables, name, digits):
    row = tables[0].loc[name]
    assert row["z1"] == 0.4
    assert row["z2"] == 0.0
    assert {key: round(row[key], 4) for key in digits} == digits


def test_by_hand_and_by_autodiff_agree_for_every_activation(tables):
    example, _ = tables
    assert list(example.index) == list(CATALOGUE)
    assert (example["largest_difference"] <= 1e-12).all()
    np.testing.assert_allclose(example[["dz1", "dz2"]], example[["autodiff_dz1", "autodiff_dz2"]], rtol=0, atol=1e-12)


def test_what_is_committed_regenerates(tables, tmp_path, capsys):
    """Here, where ``tables`` has compiled all of it."""
    assert typed(capsys, "example", "--out", tmp_path)[0] == 0
    made, stored = (
        {path.relative_to(at): path.read_bytes() for path in at.rglob("*") if path.suffix in (".csv", ".md", ".tex")}
        for at in (tmp_path, COMMITTED)
    )
    assert made == stored


@pytest.mark.parametrize("key", ["w1", "w2", "b1", "b2", "v1", "v2", "c"])
def test_gradients_are_slopes_of_the_loss(tables, key):
    # Central differences know nothing of derivatives; sigmoid has no kink near.
    phi = CATALOGUE.find("sigmoid").function
    name, i = (key, ()) if key == "c" else (key[0], int(key[1]) - 1)
    with jax.enable_x64(True):
        losses = []
        for step in (1e-5, -1e-5):
            parameters = {k: jnp.asarray(v, jnp.float64) for k, v in worked_example.START.items()}
            parameters[name] = parameters[name].at[i].add(step)
            losses.append(float(worked_example.forward(phi, parameters)["loss"]))
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(tables[0].loc["sigmoid", f"d{key}"], abs=1e-9)


def test_relus_second_unit_stays_dead(tables):
    _, descent = tables
    relu = descent.loc["relu"]
    assert (relu["z2"] == 0).all()
    assert (relu["h2"] == 0).all()
    assert (relu[["w2", "b2", "v2"]] == [-0.4, 0.2, 0.3]).all(axis=None)
    assert (descent.loc["leaky_relu"]["z2"].iloc[1:] > 0).all()


def test_the_verdict_hangs_on_the_convention():
    class OtherConvention:
        name = "relu with φ'(0) = 1"
        function = staticmethod(lambda z: jnp.where(z >= 0, z, 0.0))
        derivative = staticmethod(lambda z: jnp.where(z >= 0, 1.0, 0.0))

    example, descent = tables_of([OtherConvention])
    assert example.loc[0, "dz2"] == pytest.approx(-0.264)
    assert descent["z2"].iloc[-1] > 0.1


def test_descent_starts_at_the_example_follows_the_gradient_and_arrives(tables):
    example, descent = tables
    for name in CATALOGUE:
        curve = descent.loc[name]
        assert len(curve) == worked_example.STEPS + 1
        assert curve.loc[0, "loss"] == example.loc[name, "loss"]
        for key in ("w1", "b2", "v1", "c"):
            moved = curve.loc[1, key] - curve.loc[0, key]
            assert moved == pytest.approx(-worked_example.LEARNING_RATE * example.loc[name, f"d{key}"], abs=1e-15)
        assert curve.loc[worked_example.STEPS, "loss"] < 2e-4 * curve.loc[0, "loss"]


LINE_STYLES = {"relu": CATALOGUE["relu"].look, "gelu": None}  # as of a user's own function


def frames(names):
    records = [CATALOGUE.find(name) for name in names]
    return properties.table(records), properties.curves(records), *tables_of(records)


def test_tables_and_figures_are_the_same_bytes_again(tmp_path):
    table, curves, example, descent = frames(["relu", "gelu"])
    for folder in ("first", "second"):
        written = write_catalogue(table, curves, LINE_STYLES, tmp_path / folder)
        written += write_worked_example(example, descent, LINE_STYLES, tmp_path / folder)
        assert all(path.is_file() for path in written)
    names = {str(path.relative_to(tmp_path / "first")) for path in (tmp_path / "first").rglob("*.*")}
    assert {"tables/properties.csv", "tables/formulas.tex", "figures/relu.svg", "figures/overview.png"} <= names
    for name in names:
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("first", "second"))
        assert first == second, name
        if not name.endswith(".png"):
            assert not re.search(rb"20\d\d-\d\d-\d\d|[Mm]atplotlib v", first), name
        if name.endswith(".tex"):
            assert first.isascii(), name


def test_last_bits_do_not_reach_the_tables(tmp_path):
    table, curves, example, descent = frames(["gelu"])
    write_catalogue(table, curves, LINE_STYLES, tmp_path / "first")
    write_worked_example(example, descent, LINE_STYLES, tmp_path / "first")

    def shaken(frame: pd.DataFrame) -> pd.DataFrame:
        numbers = frame.select_dtypes("float").columns
        return frame.assign(**{name: frame[name] * (1 + 2e-16) for name in numbers})

    write_catalogue(shaken(table), shaken(curves), LINE_STYLES, tmp_path / "second")
    write_worked_example(shaken(example), shaken(descent), LINE_STYLES, tmp_path / "second")
    for first in (tmp_path / "first" / "tables").iterdir():
        assert first.read_bytes() == (tmp_path / "second" / "tables" / first.name).read_bytes(), first.name


def test_the_text_for_a_terminal_tells_the_convention():
    text = worked_example_text(*tables_of([CATALOGUE.find("sigmoid"), CATALOGUE.find("relu")]))
    assert re.search(r"relu +0\.4000 +0 +0\.1200 +−0\.8800 +−0\.2640 +0 ", text)
    assert "it would receive ∂L/∂z₂ = −0.2640" in text.replace("\n", " ")


def test_drawing_needs_no_jax():
    code = "from actlab.analysis import initial_weights, story, worked_example"
    code += "; import sys; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_picture_says_what_it_leaves_out():
    """How many, and of which of these the second unit never moves: a reader of the picture alone counts them too."""
    names = [f"act_{i}" for i in range(12)]
    rows = [(name, step, 1.0 / (1 + step), step * float(name != "act_10")) for name in names for step in (0, 1)]
    descent = pd.DataFrame(rows, columns=["activation", "step", "loss", "z2"])
    figure = descent_figure(descent, all_looks(dict.fromkeys(names)))
    assert len(figure.axes[0].lines) == 9
    assert figure.legends[0].get_title().get_text().replace("\n", " ") == (
        "Drawn: the first 9 of 12. The other 3 are in the tables; of these the second unit never moves with act_10."
    )
    few = descent_figure(descent[descent["activation"].isin(names[:9])], all_looks(dict.fromkeys(names)))
    assert few.legends[0].get_title().get_text() == ""


def test_pluses_and_crosses_of_the_picture_are_larger_than_other_marks():
    names = [f"act_{i}" for i in range(9)]  # the palette's marks in their order
    descent = pd.DataFrame([(name, step, 1.0, 0.5) for name in names for step in (0, 1)])
    descent.columns = ["activation", "step", "loss", "z2"]
    figure = descent_figure(descent, all_looks(dict.fromkeys(names)))
    sizes = {line.get_marker(): line.get_markersize() for line in figure.axes[0].lines}
    assert min(sizes["P"], sizes["X"]) > max(size for mark, size in sizes.items() if mark not in "PX")
