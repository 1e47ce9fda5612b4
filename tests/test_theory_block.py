"""What ``describe NAME`` prints of theory: numbers against closed forms, and a reason wherever there is none."""

import math
import re
from dataclasses import replace

import jax.numpy as jnp
import pytest
from typer.testing import CliRunner

from actlab import cli
from actlab.activations import CATALOGUE
from actlab.cli.theory_block import DEFINITIONS, normalising_text, theory_block, theory_row, weights

COLUMNS = ("σ_w", "q*", "V'", "χ", "c*", "ξ_q", "ξ_c", "decades")


@pytest.fixture(scope="module")
def texts():
    return {name: theory_block(CATALOGUE[name]) for name in ("relu", "gelu", "selu", "softplus")}


def row(text, name):
    """A row of the table, its cells by column."""
    (found,) = re.findall(rf"^  {name} +([0-9.]+ .+)$", text, re.MULTILINE)
    return dict(zip(COLUMNS, found.split(), strict=True))


def test_relu_by_closed_forms(texts):
    text, forgotten, lost = texts["relu"], 1.0 / math.log(2.0), 0.5 * math.log10(2.0)
    expected = ["1", "0", "0.5", "0.5", "–", f"{forgotten:.3f}", "–", f"−{lost:.3f}"]
    assert list(row(text, "lecun_normal").values()) == expected
    assert list(row(text, "he_normal").values()) == ["1.414", "1", "1", "1", "1", "∞", "∞", "0"]
    assert "he_normal: here the same as variance_preserving and critical" in text
    assert "lecun_normal: no c*, ξ_c: second moments shrink to 0" in text
    assert "critical      σ_w = 1.4142, σ_b = 0: every q is kept" in text


def test_gelu_shrinks_under_usual_weights_and_has_a_critical_point_far_out(texts):
    text = texts["gelu"]
    gain = 1.0 / math.sqrt(1.0 / 3.0 + 1.0 / (2.0 * math.pi * math.sqrt(3.0)))
    assert f"σ_w = 1/√(E φ²) = {gain:.4f}; V'(1) = 1.1441, above" in text
    assert (row(text, "he_normal")["q*"], row(text, "he_normal")["χ"]) == ("0", "0.5")
    assert "variance_preserving: fixed points of V: 0 (stable), 1 (unstable)" in text
    assert "critical      σ_w = 1.3985, σ_b = 0.56873 at q = 10: stable" in text
    critical = row(text, "critical")
    assert (critical["q*"], critical["χ"], critical["ξ_c"]) == ("10", "1", "∞")


def test_selu_normalises_and_its_gradients_grow(texts):
    text = " ".join(texts["selu"].split())
    assert "mean 0, variance 1 of h is a fixed point at σ_w = 1: attracting, largest eigenvalue 0.78265" in text
    assert row(texts["selu"], "lecun_normal")["χ"] == "1.072"
    assert "he_normal: no q*, c*, ξ_q, ξ_c: no fixed point q*" in text
    assert not [name for name, one in texts.items() if "normalises" in one and name != "selu"]


def test_a_fixed_point_that_does_not_attract_is_called_so():
    """With φ(z) = z every variance is one."""
    assert "not attracting" in normalising_text(CATALOGUE["linear"].exact)


def test_what_does_not_exist_says_why(texts):
    assert "no critical point: wherever χ₁ = 1" in texts["softplus"]
    assert not re.search("^  critical +[0-9]", texts["softplus"], re.MULTILINE)
    for text in texts.values():
        for name in re.findall(r"^  (\w+) .*–", text, re.MULTILINE):
            assert re.search(rf"\b{name}\b.*: no ", text)


def test_he_takes_the_functions_own_slope():
    record = replace(CATALOGUE["leaky_relu"], parameters={"negative_slope": 0.5})
    sigma_w = {name: at[0] for name, _, at in weights(record, CATALOGUE["tanh"].exact, 1.7)}
    assert sigma_w["he_normal"] == pytest.approx(math.sqrt(2.0 / 1.25))
    assert sigma_w["variance_preserving"] == 1.7


def test_it_fits_a_terminal(texts):
    for text in (*texts.values(), DEFINITIONS):
        assert max(map(len, text.splitlines())) <= 80
        assert len(text.splitlines()) <= 16


def test_a_function_of_ones_own():
    """A stable critical point is found for z·tanh(e^z)."""
    own = replace(CATALOGUE["relu"], name="own", exact=lambda z: z * jnp.tanh(jnp.exp(jnp.minimum(z, 20.0))))
    found = theory_row(own)
    assert found["stability"] == "stable"
    assert found["slope"] < 1.0 < found["sigma_w"]


def test_without_a_moment_the_reason_stands_there():
    steep = replace(CATALOGUE["relu"], name="steep", exact=lambda z: jnp.exp(z * z))
    assert re.match(r"  theory +none: no (finite )?Gaussian moment", theory_block(steep))
    assert "Gaussian moment" in theory_row(steep)["stability"]
    assert math.isnan(theory_row(steep)["sigma_w"])


def test_where_one_row_underflows_the_others_stand():
    """E φ(Z)² is 1.5e51: weights that keep it are so small that V(0), where φ(0) = 1, is next to nothing."""
    steep = replace(CATALOGUE["relu"], name="steep", exact=lambda z: jnp.exp(jnp.minimum(z * z, 80.0)))
    text = " ".join(theory_block(steep).split())
    assert "variance_preserving: fixed points of V: expected a variance from" in text
    assert "critical: fixed points of V: 1 (stable), 1.0337 (unstable)" in text


def test_a_row_of_the_table():
    found = theory_row(CATALOGUE["tanh"])
    assert (round(found["sigma_w"], 4), round(found["sigma_b"] ** 2, 4), found["q"]) == (1.4674, 0.1510, 1.0)
    assert found["stability"] == "stable"


def test_describe_tells_it_of_what_is_named():
    text = CliRunner().invoke(cli.app, ["describe", "tanh"]).output
    assert re.search(r"^  critical +σ_w = 1\.4674", text, re.MULTILINE)
    assert text.rstrip().endswith(DEFINITIONS)
