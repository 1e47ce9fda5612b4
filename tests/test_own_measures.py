"""A user's own measure: refused with the reason before training, and never the end of a run."""

import json
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab import measures
from actlab.measures import Measure, MeasureError
from actlab.nn import probes
from actlab.nn.own_measures import check_measure, load_measure
from actlab.study.reading import StudyError, read, resolved_yaml
from actlab.study.sections import MeasureConfig
from tests.core import measure_layers

GOOD = '''
import jax.numpy as jnp
from actlab import measure


@measure(label="excess kurtosis", unit="σ⁴", pooling="geometric")
def gaussianity(z_MxW):
    """Fourth standardised moment of z."""
    centred = z_MxW - jnp.mean(z_MxW)
    return jnp.mean(centred**4) / jnp.mean(centred**2) ** 2


def steep(slope_MxW, *, weak_threshold):
    """Share of slopes above the weak threshold.

    More is not said.
    """
    return jnp.mean(jnp.abs(slope_MxW) > weak_threshold)


def broken(h_MxW):
    return jnp.mean(h_MxW, axis=0)
'''


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "my_probes.py"
    path.write_text(GOOD, encoding="utf-8")
    return path


def loaded(tmp_path, body, name="mine"):
    path = tmp_path / "my_probes.py"
    path.write_text(f"import jax.numpy as jnp\nimport numpy as np\n\n{textwrap.dedent(body)}", encoding="utf-8")
    record, function = load_measure(path, name)
    check_measure(function, f"{path.name}:{name}")
    return record, function


def test_a_decorated_measure_says_what_reading_needs(good):
    record, function = load_measure(good, "gaussianity")
    assert record == Measure(
        "gaussianity",
        "Fourth standardised moment of z",
        label="excess kurtosis",
        unit="σ⁴",
        over_layers="geometric",
        over_seeds="geometric",
    )
    assert record.axis == "excess kurtosis [σ⁴]"
    assert record.column == "gaussianity"
    assert record.mean_column == "log10_gaussianity"
    check_measure(function, "gaussianity")
    assert measures.from_plain(json.loads(json.dumps(measures.to_plain([record])))) == {"gaussianity": record}


def test_a_plain_one_has_its_name_in_words_and_arithmetic_means(good):
    record, function = load_measure(good, "steep")
    assert record == Measure("steep", "Share of slopes above the weak threshold")
    check_measure(function, "steep")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("def other(z_MxW): return jnp.mean(z_MxW)", "no function 'mine'; choose from other"),
        ("def mines(z_MxW): return jnp.mean(z_MxW)", "no function 'mine'; did you mean 'mines'"),
        ("mine = 3", "no function 'mine'; there is none"),
        ("def mine(z): return jnp.mean(z)", "my_probes.py:mine: no argument 'z' is known; did you mean 'z_MxW'"),
        ("def mine(q, h_MxW): return 0.0", "no argument 'q' is known; choose from z_MxW, h_MxW"),
        ("def mine(z_MxW, weak_treshold=0.1): return 0.0", "did you mean 'weak_threshold'"),
        ("def mine(*values): return 0.0", "'\\*values' cannot be given by name"),
        ("def mine(z_MxW, /): return 0.0", "'z_MxW' cannot be given by name"),
        ("def mine(): return 0.0", "measures nothing; it needs one of z_MxW, h_MxW, u_MxW, slope_MxW"),
        ("def mine(weak_threshold): return weak_threshold", "measures nothing"),
        ("def mine(z_MxW): return z_MxW", r"returns shape \(7, 5\) for z of shape \(7, 5\); expected one number"),
        ("def mine(z_MxW): return jnp.mean(z_MxW, axis=1)", r"returns shape \(7,\)"),
        ("def mine(z_MxW): return z_MxW.sum(), 1.0", "returns tuple; expected one number"),
        ("def mine(z_MxW): return None", "returns NoneType; expected one number"),
        ("def mine(z_MxW): return jnp.sum(z_MxW) * 1j", "returns complex64; expected a real number"),
        ("def mine(z_MxW): return 1.0 if jnp.sum(z_MxW) > 0 else 0.0", "use jnp.where instead of `if`"),
        ("def mine(z_MxW): return np.linalg.norm(z_MxW)", "use jax.numpy instead of numpy"),
        ("def mine(z_MxW): return z_MxW.maen()", "fails on an array: AttributeError"),
        (
            "def mine(z_MxW): return jnp.sum(z_MxW.reshape(5, 7) @ z_MxW) * jnp.ones(5)[4]",
            "fails on an array: TypeError",
        ),
        ("def mine(z_MxW: return 0", "line 4: cannot be imported: SyntaxError"),
        ("import nothing_of_this_name", "line 4: cannot be imported: ModuleNotFoundError"),
        (
            "from actlab import measure\n@measure(pooling='geometrical')\ndef mine(z_MxW): return 0.0",
            "did you mean 'geometric'",
        ),
    ],
)
def test_what_is_wrong_is_reported_with_a_way_out(tmp_path, body, message):
    with pytest.raises(MeasureError, match=message):
        loaded(tmp_path, body)


@pytest.mark.parametrize("name", ["act_mean", "vanishing_slope", "step", "alpha", "beta_min", "log10_size"])
def test_a_name_that_is_taken_is_refused(tmp_path, name):
    with pytest.raises(MeasureError, match=f"'{name}' is the name of another column"):
        loaded(tmp_path, f"def {name}(z_MxW): return jnp.mean(z_MxW)", name)


def test_no_such_file(tmp_path):
    with pytest.raises(MeasureError, match="no such file"):
        load_measure(tmp_path / "no.py", "mine")


@pytest.mark.parametrize("value", ["0.5", "jnp.any(z_MxW > 0)", "jnp.sum(z_MxW > 0)", "jnp.mean(z_MxW)"])
def test_a_number_of_any_kind_is_one_number(tmp_path, value):
    _, function = loaded(tmp_path, f"def mine(z_MxW): return {value}")
    z = jnp.ones((2, 4, 3))
    measured = measure_layers(("mine",), z, z, z, {}, {"mine": function})["mine"]
    assert measured.dtype == z.dtype
    assert measured.shape == (2,)
    assert np.isfinite(measured).all()


# In the program


def test_own_measures_stand_beside_the_others_and_one_that_fails_is_nan(good):
    rng = np.random.default_rng(0)
    z = jnp.asarray(rng.normal(size=(3, 20, 5)), jnp.float32).at[1, 2, 3].set(jnp.nan)
    own = {name: load_measure(good, name)[1] for name in ("gaussianity", "steep", "broken")}
    own["raises"] = lambda h_MxW: h_MxW.no_such_thing
    reports = []
    thresholds = {"weak_threshold": jnp.float32(0.5)}
    names = ("act_mean", *own)
    measure = jax.jit(lambda z: measure_layers(names, z, z, z, thresholds, own, lambda *why: reports.append(why)))
    measured = {name: np.asarray(value) for name, value in measure(z).items()}
    assert set(measured) == set(names)
    for l in (0, 2):
        one = np.asarray(z[l], np.float64)
        fourth = np.mean((one - one.mean()) ** 4) / one.var() ** 2
        assert measured["gaussianity"][l] == pytest.approx(fourth, rel=1e-5)
        assert measured["steep"][l] == pytest.approx(np.mean(np.abs(one) > 0.5))
        assert measured["act_mean"][l] == pytest.approx(one.mean(), abs=1e-6)
    for name in ("act_mean", "gaussianity", "steep"):  # a layer that is not finite is NaN, here as everywhere
        assert np.isnan(measured[name][1])
    for name in ("broken", "raises"):
        assert np.isnan(measured[name]).all()
    reasons = dict(reports)
    assert set(reasons) == {"broken", "raises"}
    assert reasons["broken"] == "gives float32 of shape (5,); expected one real number per layer"
    assert reasons["raises"].startswith("AttributeError")


def test_without_anyone_to_tell_it_is_logged(caplog):
    z = jnp.ones((1, 4, 3))
    with caplog.at_level(logging.WARNING, "actlab.probes"):
        measure_layers(("mine",), z, z, z, {}, {"mine": lambda z_MxW: 1 / 0})
    assert caplog.messages == ["measure 'mine' is NaN: ZeroDivisionError: division by zero"]


def test_a_measure_of_the_house_that_fails_is_no_users_mistake(monkeypatch):
    monkeypatch.setitem(probes.PROBES, "act_mean", lambda h_MxW: 1 / 0)
    z = jnp.ones((1, 4, 3))
    with pytest.raises(ZeroDivisionError):
        measure_layers(("act_mean",), z, z, z, {})


# In a study

STUDY = """study: s
data: {name: iris}
train: {steps: 4, batch_size: 8}
measure:
  every: 2
  evaluate_every: 2
  probes: PROBES
"""


def study(folder, asked):
    folder.mkdir(exist_ok=True)
    path = folder / "s.yaml"
    path.write_text(STUDY.replace("PROBES", asked), encoding="utf-8")
    return path


def test_a_study_names_it_by_path(good):
    config = read(study(good.parent, "[default, zero_fraction, my_probes.py:gaussianity]")).config
    assert config.measure.names() == (*measures.DEFAULT_PROBES, "zero_fraction", "gaussianity")
    assert config.measure.own() == ((good.resolve(), "gaussianity"),)
    plain = resolved_yaml(config, good.parent)["measure"]
    assert plain["probes"] == ["default", "zero_fraction", "sources/my_probes.py:gaussianity"]


def test_an_override_is_relative_to_where_it_is_said(good, monkeypatch):
    elsewhere = study(good.parent / "configs", "default")
    monkeypatch.chdir(good.parent)
    for asked in ("act_mean,my_probes.py:steep", "[act_mean,my_probes.py:steep]"):
        config = read(elsewhere, [f"measure.probes={asked}"]).config
        assert config.measure.own() == ((good.resolve(), "steep"),)
        assert config.measure.names() == ("act_mean", "steep")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("[my_probes.py:gausianity]", "did you mean 'gaussianity'"),
        ("[my_probes.py:broken]", "my_probes.py:broken: returns shape"),
        ("[your_probes.py:gaussianity]", "your_probes.py: no such file"),
        ("[defualt]", "did you mean 'default'"),
        ("[hist_x]", "did you mean 'hist_z'"),
        ("[act_mean, act_mean]", "names the probe 'act_mean' twice"),
        ("[my_probes.py:steep, my_probes.py:steep]", "names the probe 'steep' twice"),
        ("[3]", "unknown probe 3"),
        ("[]", "expected default, all, or a list"),
        ("everything", "unknown probe 'everything'"),
    ],
)
def test_a_wrong_one_is_reported_with_its_line(good, asked, message):
    with pytest.raises(StudyError) as caught:
        read(study(good.parent, asked))
    assert message in str(caught.value)
    assert "s.yaml:7: measure.probes: " in str(caught.value)


def test_a_file_is_read_again_when_it_has_changed(good):
    path = study(good.parent, "[my_probes.py:steep]")
    read(path)
    good.write_text(GOOD.replace("def steep(slope_MxW", "def steep(slope"), encoding="utf-8")
    with pytest.raises(StudyError, match="did you mean 'slope_MxW'"):
        read(path)


def test_words_stand_for_sets():
    assert MeasureConfig().names() == measures.DEFAULT_PROBES
    assert MeasureConfig(probes="all").names() == measures.PROBES
    assert MeasureConfig(probes=["all", "hist_h"]).names() == (*measures.PROBES, "hist_h")
    assert MeasureConfig(probes=["correlation", "act_mean"]).names() == ("act_mean", "correlation")
    assert not {"zero_fraction", "hist_z"} & set(measures.DEFAULT_PROBES)


def test_the_command_refuses_a_wrong_one_in_one_line(good):
    path = study(good.parent, "[my_probes.py:broken]")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "actlab", "plan", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=good.parent)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        "actlab: s.yaml:7: measure.probes: my_probes.py:broken: returns shape (5,) for z of shape (7, 5); "
        "expected one number"
    ]
