"""The catalogue as a page: it has all that records and story say, its curves are the functions', and it is safe."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from actlab import cli
from actlab.activations import CATALOGUE, ActivationError, activation, parameter_grids
from actlab.activations.parameter_grids import Slider, slider
from actlab.analysis.pages.catalogue import write_page
from actlab.analysis.pages.graphs import CURVES, PHI, SLOPE
from actlab.analysis.pages.mathml import FormulaError, by_cases, mathml, parts
from actlab.cli import catalogue_page
from actlab.theory.story import CHAIN, ROWS
from tests.browser import asked_for, chromium, open_page, until
from tests.closed_forms import ALPHA, CLOSED_FORMS, LAMBDA, sigma

COMMITTED = Path(__file__).parents[1] / "results" / "catalogue" / "index.html"
EVIL = "<script>alert(1)</script>"
OWN = f'''
from actlab.activations import activation
from actlab.later import jnp

@activation(learnable=("beta",), formula="{EVIL}", latex=r"\\text{{{EVIL}}}\\href{{javascript:alert(1)}}{{z}}",
            flat=lambda z, *, beta=1.0, shift=0.25: jnp.zeros(jnp.shape(z), bool),
            reference="<img src=x onerror=alert(1)>", ranges={{"beta": (0.0, 4.0)}})
def f(z, *, beta=1.0, shift=0.25):
    return jnp.tanh(beta * z + shift)
'''
BY_PARAMETER = {  # (φ, φ′) at a value of the parameter
    "leaky_relu": lambda z, a: (np.where(z > 0, z, a * z), np.where(z > 0, 1.0, a)),
    "prelu": lambda z, a: (np.where(z > 0, z, a * z), np.where(z > 0, 1.0, a)),
    "elu": lambda z, a: (np.where(z > 0, z, a * np.expm1(z)), np.where(z > 0, 1.0, a * np.exp(z))),
    "swish": lambda z, b: (z * sigma(b * z), sigma(b * z) * (1.0 + b * z * sigma(-b * z))),
    "celu": lambda z, a: (np.where(z > 0, z, a * np.expm1(z / a)), np.exp(np.minimum(z, 0.0) / a)),
    "squareplus": lambda z, b: ((z + np.sqrt(z**2 + b)) / 2, (1.0 + z / np.sqrt(z**2 + b)) / 2),
    "sine": lambda z, w: (np.sin(w * z), w * np.cos(w * z)),
    "snake": lambda z, a: (z + np.sin(a * z) ** 2 / a, 1.0 + np.sin(2.0 * a * z)),
    "softshrink": lambda z, t: (np.sign(z) * np.maximum(np.abs(z) - t, 0.0), 1.0 * (np.abs(z) > t + 1e-9)),
    "star_relu": lambda z, s, b: (s * np.maximum(z, 0.0) ** 2 + b, 2.0 * s * np.maximum(z, 0.0)),
}


class Page(HTMLParser):
    """What a page holds: its texts, the ids and links of its elements, how often each element stands there."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.ids, self.links, self.counts, self.handlers, self.inside = [], [], [], {}, [], ""
        self.feed(text)
        self.text = " ".join("".join(self.texts).split())
        self.charts = json.loads(re.search(r'<script type="application/json" id="charts">(.*?)</script>', text)[1])

    def handle_starttag(self, tag, attrs):
        self.inside = tag
        self.counts[tag] = self.counts.get(tag, 0) + 1
        for name, value in attrs:
            self.ids += [value] if name == "id" else []
            self.links += [value] if name in ("href", "src") else []
            self.handlers += [name] if name.startswith("on") else []

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.texts.append(data)


@pytest.fixture(scope="module")
def committed():
    return Page(COMMITTED.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The page of a user's function, one of the catalogue's, and one with a name that no function can have."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "act.py").write_text(OWN)
    records = [CATALOGUE.find(f"{folder}/act.py:f"), CATALOGUE["prelu"], replace(CATALOGUE["linear"], name=EVIL)]
    return write_page(catalogue_page.page(records, folder), folder)


def bare(text):
    """A text without what a page sets in another way: code, indices, exponents."""
    return re.sub(r"[\s`_^]", "", text)


def test_the_committed_page_tells_of_every_activation_and_the_whole_story(committed):
    assert COMMITTED.stat().st_size < 5_000_000
    text = bare(committed.text)
    for name, record in CATALOGUE.items():
        assert name in committed.ids
        assert f"graph-{name}" in committed.charts
        assert bare(record.reference) in text, name
    for row in ROWS.values():
        said = [row.comparison, row.problem, row.solution, row.fact]
        said += [step.why for step in row.steps] + [part for one in row.corrections for part in (one.said, one.holds)]
        assert not [one for one in said if bare(one) not in text], row.name
        assert not [claim for claim in row.claims if not re.search(rf"\b{claim}", committed.text)], row.name
    assert not [claim for claim in CHAIN if not re.search(rf"\b{claim}", committed.text)]
    assert len(set(committed.ids)) == len(committed.ids)
    assert {one[1:] for one in committed.links if one.startswith("#")} <= set(committed.ids)
    for link in (one for one in committed.links if one.startswith("..")):
        assert (COMMITTED.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_committed_curves_are_the_functions(committed, name):
    """Against formulas of the tests' own, in float64: at the parameters' own values, and at the sliders' ends."""
    spec, record = committed.charts[f"graph-{name}"], CATALOGUE[name]
    grid, *sliders, at = spec["params"]
    z = np.array(grid["value"])
    assert (at["bind"]["min"], at["bind"]["max"]) == (z[0], z[-1])
    assert [one["value"] for one in sliders] == list(record.parameters.values())
    for one in sliders:
        steps = np.array([one["value"] - one["bind"]["min"], one["bind"]["max"] - one["bind"]["min"]])
        np.testing.assert_allclose(steps / one["bind"]["step"] % 1.0 % (1 - 1e-6), 0.0, atol=1e-5)
    chosen = [[one["value"] for one in sliders]] + [[one["bind"][end] for one in sliders] for end in ("min", "max")]
    for values in chosen if name in BY_PARAMETER else chosen[:1]:
        rows = [
            row
            for row in spec["data"]["values"]
            if all(abs(row[f"p{i}"] - value) < sliders[i]["bind"]["step"] / 2 for i, value in enumerate(values))
        ]
        wanted = BY_PARAMETER[name](z, *values) if name in BY_PARAMETER else [f(z) for f in CLOSED_FORMS[name]]
        for curve, y in zip((PHI, SLOPE), wanted, strict=True):
            found = np.full(len(z), np.nan)
            for row in (one for one in rows if one["curve"] == curve):
                found[row["from"] : row["from"] + len(row["y"])] = row["y"]
            at_kink = np.isin(z, record.kinks) if curve == SLOPE else np.zeros(len(z), bool)
            np.testing.assert_allclose(found[~at_kink], y[~at_kink], rtol=0, atol=6e-6, err_msg=f"{curve} {values}")


def test_selu_and_steps_break_where_they_jump():
    [curve] = parameter_grids.curves(CATALOGUE["selu"], np.round(np.arange(-3.0, 3.05, 0.1), 9), {})
    assert curve.jumps == ([], [31])  # behind z = 0
    assert curve.derivative[30:32] == pytest.approx([LAMBDA * ALPHA, LAMBDA])
    assert parameter_grids.jumps_of(np.exp(-(np.linspace(-3, 3, 961) ** 2))) == []


@pytest.mark.parametrize("most", [3, 21, 101])
@pytest.mark.parametrize(("value", "ends"), [(0.01, (0, 1)), (0.8944, (0, 2)), (1 / 3, (-7, 0.4)), (5.0, (5.0, 1e4))])
def test_a_slider_reaches_its_value_within_its_ends_in_few_steps(value, ends, most):
    one = slider(value, ends, most)
    assert min(abs(np.array(one.values) - value)) < 1e-8
    assert ends[0] - 1e-9 <= one.values[0] < one.values[-1] <= ends[1] + 1e-9
    assert len(one.values) <= most


@pytest.mark.parametrize("ranges", [{"beta": (0.0, 1.0)}, {"alpha": (2.0, 3.0)}, {"alpha": 3.0}, {"alpha": (3.0, 0.0)}])
def test_ranges_are_of_a_parameter_and_hold_its_default(ranges):
    with pytest.raises(ActivationError, match="ranges"):
        activation(ranges=ranges)(lambda z, *, alpha=1.0: alpha * z)


def all_latex():
    for record in CATALOGUE.values():
        yield from (by_cases(one) for one in (record.latex, record.cases, record.derivative_latex) if one)
    yield from (step.latex for row in ROWS.values() for step in row.steps)


def test_every_formula_is_set():
    for latex in all_latex():
        pieces = [mathml(piece) for piece in parts(latex)]
        assert pieces
        assert not [one for one in pieces if "\\" in one or "&amp;" in one], latex


def test_the_derivative_in_latex_states_the_same_numbers_and_as_many_cases():
    for name, record in CATALOGUE.items():
        text, latex = record.derivative_formula, record.derivative_latex
        assert latex, name
        assert sorted(re.findall(r"\d+\.\d+", text)) == sorted(re.findall(r"\d+\.\d+", latex)), name
        assert text.count(" if ") == latex.count("if"), name


@pytest.mark.parametrize("latex", [r"\frac{", "", r"\begin{cases}", "}{"])
def test_latex_that_is_none_is_said_to_be(latex):
    with pytest.raises(FormulaError):
        mathml(latex)


@pytest.mark.parametrize(
    "latex", [rf"\text{{{EVIL}}}", EVIL, r"\href{javascript:alert(1)}{x}", r"\class{a}{x}", r"\style{color:red}{x}"]
)
def test_a_formula_brings_nothing_but_mathematics(latex):
    page = mathml(latex)
    assert set(re.findall(r"<(\w+)", page)) <= {"math", "mrow", "mtext", "mi", "mo", "mn"}
    assert not re.search("href=|class=|style=", page)


def test_a_users_own_function_is_shown_and_harmless(own):
    text = own.read_text(encoding="utf-8")
    page = Page(text)
    assert EVIL not in text
    assert EVIL in page.text  # shown as what it is
    assert page.counts["script"] == 1 + text.count('<script type="module">')
    assert "img" not in page.counts
    assert "closed form in its record (of f by automatic differentiation), in float64" in page.text
    assert not page.handlers
    assert all(one.startswith(("#", "..", "data:,")) for one in page.links)
    *_, shift, z = page.charts["graph-f"]["params"]
    assert (shift["value"], shift["bind"]["name"], z["bind"]["name"]) == (0.25, "shift", "z")


def test_the_command_writes_the_same_bytes_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = []
    for _ in range(2):
        done = CliRunner().invoke(cli.app, ["describe", "linear", "--html"])
        assert done.output == "results/described/index.html\n"
        written.append(Path("results/described/index.html").read_bytes())
    assert written[0] == written[1]


def test_only_the_story_can_be_asked_for(tmp_path):
    done = CliRunner().invoke(cli.app, ["describe", "tanh", "--story", "--html", "--out", str(tmp_path / "page")])
    assert "does not tell of 'tanh'" in str(done.exception)
    assert not (tmp_path / "page").exists()


def drawn(browser):
    """What is drawn of the catalogue's function: paths of curves, and texts."""
    return browser.execute_script(
        "return [...document.querySelectorAll('#graph-prelu svg .mark-line path, #graph-prelu svg .mark-text text')]"
        ".map(one => one.getAttribute('d') ?? one.textContent)"
    )


def test_sliders_move_the_curve_and_its_derivative(own, tmp_path):
    move = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
    with chromium(tmp_path) as browser:
        open_page(browser, own)
        alpha, z = browser.find_elements("css selector", "#graph-prelu input[type=range]")
        before = drawn(browser)
        assert len(before) > len(CURVES)
        browser.execute_script(move, alpha, "0.5")
        browser.execute_script(move, z, "-2")
        until(lambda: any("φ(−2) = −1" in one for one in drawn(browser)))
        assert any("φ′(−2) = 0.5" in one for one in drawn(browser))
        z.send_keys("\ue014")  # an arrow key, to the right
        until(lambda: any("φ(−1.9) = −0.95" in one for one in drawn(browser)))
        assert browser.get_log("browser") == []
        assert set(asked_for(browser)) == {own.as_uri()}


def test_on_a_phone_a_sliders_value_stands_beside_it(own, tmp_path):
    script = """return [...document.querySelectorAll(".vega-bind label")].map(label => {
        const [name, slider, value] = [...label.children].map(one => one.getBoundingClientRect());
        return [slider.top < value.bottom && value.top < slider.bottom, value.left >= slider.right, value.right]})"""
    with chromium(tmp_path) as browser:
        phone = {"width": 390, "height": 850, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        open_page(browser, own)
        found = browser.execute_script(script)
    assert len(found) == 6
    assert all(level and behind and right <= 390 for level, behind, right in found), found


def test_properties_say_at_which_values_they_are_and_what_jumps(own, tmp_path):
    text = Page(own.read_text(encoding="utf-8")).text
    assert "At alpha = 0.25, the default, wherever the sliders stand:" in text
    assert text.count("wherever the sliders stand:") == 2  # linear has none
    path = write_page(catalogue_page.page([CATALOGUE["elu"], CATALOGUE["relu"]], tmp_path), tmp_path)
    text = Page(path.read_text(encoding="utf-8")).text
    for said in ("C1; φ″ jumps at 0", "C0; φ′ jumps at 0", "jumps: φ, φ′ or φ″"):
        assert said in text


def test_a_slider_is_data():
    assert Slider(-0.5, 1.5, 0.5, 0.0).values == [-0.5, 0.0, 0.5, 1.0, 1.5]
