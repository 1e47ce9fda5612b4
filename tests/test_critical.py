"""Networks that start at a critical point: what a plan draws, what every layer then keeps, and what is refused."""

import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import erf

import actlab
from actlab import activations
from actlab.analysis.listing import listing
from actlab.study import criticals, initialization, resolve, started
from actlab.study import plan as planning
from actlab.study.reading import StudyError, read
from actlab.study.settings import Setting
from actlab.theory import points
from actlab.theory.criticality import CriticalPoint, critical_point
from tests.test_plan import BASE

OWN = """import actlab
import jax.numpy as jnp


def tanhexp(z):
    return z * jnp.tanh(jnp.exp(jnp.minimum(z, 20.0)))


@actlab.activation(learnable=("alpha",))
def leaned(z, *, alpha=0.3):
    return jnp.tanh(z) + alpha * z


def cubed(z):
    return z**3


def steep(z):
    return jnp.exp(jnp.minimum(z * z, 80.0))
"""


@pytest.fixture
def study(tmp_path):
    """Write a study beside a file of functions, and return what plans it."""
    (tmp_path / "act.py").write_text(OWN)

    def make(more="", overrides=(), base=BASE, **options):
        (tmp_path / "s.yaml").write_text(base + more)
        return planning.plan(read(tmp_path / "s.yaml", overrides), **options)

    return make


def all_labels(plan):
    return [run.labels for run in plan.runs.values()]


def matrix(activations, initializers="[critical]", more=""):
    return f"sweep: {{matrix: {{model.activation: {activations}, model.weight_init: {initializers}}}{more}}}\n"


def refused(study, *given, **options):
    with pytest.raises(StudyError) as caught:
        study(*given, **options)
    return str(caught.value)


# What is drawn, and what every layer then keeps

PHI = {  # φ and φ' in NumPy, float64: not the catalogue's
    "tanh": (np.tanh, lambda z: 1.0 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0.0), lambda z: (z > 0) * 1.0),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 / (2 + np.exp(-z) + np.exp(z))),
    "selu": (
        lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0.0))),
        lambda z: 1.0507009873554805 * np.where(z > 0, 1.0, 1.6732632423543772 * np.exp(np.minimum(z, 0.0))),
    ),
    "gelu": (
        lambda z: z * (1 + erf(z / math.sqrt(2))) / 2,
        lambda z: (1 + erf(z / math.sqrt(2))) / 2 + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "tanhexp": (
        lambda z: z * np.tanh(np.exp(z)),
        lambda z: np.tanh(np.exp(z)) + z * np.exp(z) / np.cosh(np.minimum(np.exp(z), 300.0)) ** 2,
    ),
}


def walked(numbers, phi, slope, x, seeds=3):
    """Draw networks with a plan's numbers; return each layer's mean z², and the signal's decades towards the input."""
    squares, decades = [], []
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        h, zs, kernels = x, [], []
        for std, bias in zip(numbers["weight_std"], numbers["bias_std"], strict=True):
            kernels.append(std * draw.standard_normal((h.shape[1], WIDTH)))
            zs.append(h @ kernels[-1] + bias * draw.standard_normal(WIDTH))
            h = phi(zs[-1])
        signal = slope(zs[-1]) * draw.standard_normal(WIDTH)
        norms = [np.sqrt(np.mean(np.sum(signal**2, axis=1)))]
        for z, kernel in zip(zs[-2::-1], kernels[:0:-1], strict=True):
            signal = slope(z) * (signal @ kernel.T)
            norms.append(np.sqrt(np.mean(np.sum(signal**2, axis=1))))
        squares.append([np.mean(z**2) for z in zs])
        decades.append(np.polyfit(range(len(norms)), np.log10(norms), 1)[0])
    return np.mean(squares, axis=0), np.mean(decades)


WIDTH, DEPTH = 300, 12
WIDE = BASE.replace("depth: 2, width: 8", f"depth: {DEPTH}, width: {WIDTH}")


def test_every_layer_keeps_q_and_gradients_keep_their_size(study):
    """By a network in NumPy from the plan's numbers; over rows of iris, of which none has the norm of another."""
    plan = study(matrix("[tanh, relu, sigmoid, selu, gelu, act.py:tanhexp]"), base=WIDE)
    x = planning.load_data(read_again(study), read_again(study).config.data)[0].train.x
    for run in plan.runs.values():
        name = run.labels["activation"]
        told = plan.started[name][0]
        squares, decades = walked(run.numbers, *PHI[name], np.asarray(x, np.float64))
        assert squares[0] == pytest.approx(told["q"], rel=0.1), name
        assert squares == pytest.approx(told["q"], rel=0.35), name
        assert abs(decades) < 0.012, name  # under He's init GELU loses .1 decades a layer in its median row


def read_again(study):
    """Read the file that was planned last."""
    path = study.__closure__[0].cell_contents / "s.yaml"
    return read(path)


def test_the_numbers_of_a_run_are_those_of_the_point(study):
    (run,) = study(overrides=["model.weight_init=critical", "model.activation=tanh", "model.depth=3"]).runs.values()
    one = points.critical(activations.CATALOGUE.find("tanh"), ())
    x = np.asarray(planning.load_data(read_again(study), read_again(study).config.data)[0].train.x, np.float64)
    first = math.sqrt((1.0 - one.sigma_b**2) / np.mean(np.sum(x**2, axis=1)))
    assert run.numbers["weight_std"] == pytest.approx((first, *[one.sigma_w / math.sqrt(8)] * 2), rel=1e-12)
    assert run.numbers["bias_std"] == (one.sigma_b,) * 3
    assert run.numbers["bias_mean"] == (0.0,) * 3
    # σ_w and σ_b² as the paper's line has them at q = 1
    assert (one.sigma_w, one.sigma_b**2) == pytest.approx((1.4674, 0.1510), abs=1e-4)


def test_weight_gain_multiplies_the_weights_of_every_layer(study):
    sweep = "sweep: {matrix: {model.weight_gain: [1.0, 1.25]}}\n"
    plan = study(sweep, ["model.weight_init=critical", "model.activation=tanh"])
    one, larger = (run.numbers for run in plan.runs.values())
    assert np.array(larger["weight_std"]) == pytest.approx(1.25 * np.array(one["weight_std"]))
    assert larger["bias_std"] == one["bias_std"]


def test_homogeneous_functions_have_no_biases_and_any_q(study):
    plan = study(matrix("[relu, {name: leaky_relu, negative_slope: 0.2}]", "[critical, {name: critical, q: 4.0}]"))
    of = {(one["activation"], one["weight_init"]): one for one in all_labels(plan)}
    assert {one["bias_init"] for one in of.values()} == {"zeros"}
    assert of["relu", "critical(q=4)"]["weight_init_used"] == "critical(q=4, sigma_w=1.41421)"
    told = plan.started["leaky_relu(negative_slope=0.2)"][0]
    assert (told["sigma_w"], told["stability"]) == (pytest.approx(math.sqrt(2 / 1.04), rel=1e-5), "homogeneous")


def test_labels_say_what_was_drawn(study):
    (one,) = all_labels(study(overrides=["model.weight_init=critical", "model.activation=tanh"]))
    assert one["weight_init"] == "critical"
    assert one["weight_init_used"] == "critical(q=1, sigma_w=1.46741)"
    assert one["bias_init"] == "normal(mean=0, std=0.388542)"


def test_learnable_and_the_users_own_start_at_their_own_points(study):
    leaned = "{name: act.py:leaned, alpha: 0.1}, {name: act.py:leaned, per: unit}"
    plan = study(matrix(f"[{leaned}]", "[{name: critical, q: 1.0}]"))
    of = {label: told["sigma_w"] for label, (told,) in plan.started.items()}
    assert len(of) == 2
    for alpha, label in ((0.1, "leaned(alpha=0.1)"), (0.3, "leaned(per=unit)")):
        # χ₁ = 1 by Gauss–Hermite: σ_w² = 1/E (sech² Z + α)²
        z, weight = np.polynomial.hermite_e.hermegauss(120)
        chi = np.sum(weight * (1 / np.cosh(z) ** 2 + alpha) ** 2) / np.sum(weight)
        assert of[label] == pytest.approx(1 / math.sqrt(chi), rel=1e-5)


def test_stored_points_are_todays():
    for record in (activations.CATALOGUE[name] for name in ("tanh", "sigmoid", "gelu")):
        stored = points.known()[record.name, points.checksum(), ""]
        assert stored == critical_point(record.exact)
    assert ("gelu", points.checksum(), "1") not in points.known()  # unstable there


def test_rows_are_drawn_to_the_point_up_to_the_bound_that_is_said_and_run_away_above_it():
    point = critical_point(activations.CATALOGUE["star_relu"].exact)
    scale, shift = 0.8944, -0.4472

    def after(q, layers=60):
        for _ in range(layers):  # E (s·relu² + b)²: E relu² = q/2, E relu⁴ = 3q²/2
            q = point.sigma_w**2 * (1.5 * scale**2 * q**2 + scale * shift * q + shift**2) + point.sigma_b**2
            if q > 100:
                break
        return q

    assert math.isfinite(point.attracts_to)
    assert after(0.98 * point.attracts_to) == pytest.approx(point.q, rel=1e-3)
    assert after(1.02 * point.attracts_to) > 100
    assert math.isinf(critical_point(activations.CATALOGUE["tanh"].exact).attracts_to)
    facts = {"q": point.q, "slope": point.slope, "stability": "stable", "sigma_w": point.sigma_w, "sigma_b": 0.1}
    (line,) = started.lines({"star_relu": [{"weight_init": "critical", "attracts_to": point.attracts_to} | facts]})
    assert line.endswith("(stable, V' = 0.817, attracts rows up to E z² = 0.455).")


# What is refused


def test_a_second_moment_beyond_all_numbers_is_named(study):
    message = refused(study, matrix("[act.py:steep]", "[variance_preserving]"))
    assert message.endswith(
        "variance_preserving needs second_moment of steep: 1.5e+51 is above 1e+30; name another initializer"
    )


def test_a_study_without_a_point_is_told_what_to_exclude(study):
    sweep = matrix("[tanh, softplus, gelu, act.py:cubed]", "[he_normal, critical, {name: critical, q: 1.0}]")
    message = refused(study, sweep)
    assert re.search(r"s\.yaml:\d+: model\.weight_init: softplus: no critical point: .* σ_b² would have to be", message)
    line = re.search(r"write `(exclude: .*)` below 'sweep:'", message).group(1)
    plan = study(sweep.replace("{matrix", f"{{{line}, matrix"))
    found = {(one["activation"], one["weight_init"]) for one in all_labels(plan)}
    assert found == {
        *((name, "he_normal") for name in ("tanh", "softplus", "gelu", "cubed")),
        *((name, "critical") for name in ("tanh", "gelu")),
        ("tanh", "critical(q=1)"),
    }


def test_what_was_excluded_before_stays_so_and_is_said_once(study):
    given, initializers = "[tanh, softplus, squareplus]", "[he_normal, critical]"
    before = ", exclude: [{model.activation: softplus, model.weight_init: critical}, {model.activation: tanh}]"
    line = re.search(r"`(exclude: .*)`", refused(study, matrix(given, initializers, before))).group(1)
    assert line.count("softplus") == 1
    plan = study(matrix(given, initializers, f", {line}"))
    left = {(one["activation"], one["weight_init"]) for one in all_labels(plan)}
    assert left == {("softplus", "he_normal"), ("squareplus", "he_normal")}


@pytest.mark.parametrize(
    ("overrides", "message", "mended"),
    [
        (
            ["model.activation=softplus", "model.weight_init=critical"],
            "override model.weight_init=critical: model.weight_init: softplus: no critical point",
            ["model.activation=softplus", "model.weight_init=variance_preserving"],
        ),
        (
            ["model.activation=gelu", "model.weight_init=critical:q=1"],
            "is unstable: V'(q) = 1.067, so second moments leave it with depth; leave q out: E z² = 10 is kept then",
            ["model.activation=gelu", "model.weight_init=critical"],
        ),
        (
            ["model.activation=tanh", "model.weight_init=critical:q=-2"],
            "critical: q: -2: expected E z² of a layer, a positive number; or leave q out",
            ["model.activation=tanh", "model.weight_init=critical"],
        ),
        (
            ["model.activation=tanh,softplus", "model.weight_init=critical"],
            "leave it out, or name another initializer, such as variance_preserving",
            ["model.activation=tanh", "model.weight_init=critical"],
        ),
        (
            ["model.activation=tanh", "model.weight_init=critical", "model.bias_init=normal:std=0.2"],
            "{name: normal, mean: 0, std: 0.2} does not go with critical, which draws the biases itself, N(0, σ_b²); "
            "leave model.bias_init out",
            ["model.activation=tanh", "model.weight_init=critical"],
        ),
        (
            ["model.activation=tanh", "model.weight_init=critical:sigma_w=2"],
            "initializer 'critical' has no option 'sigma_w'; its options are q",
            ["model.activation=tanh", "model.weight_init={name: gaussian, sigma_w: 2}"],
        ),
    ],
)
def test_each_refusal_names_what_helps(study, overrides, message, mended):
    assert message in refused(study, overrides=overrides)
    assert study(overrides=mended).runs


def test_biases_beside_critical_are_told_what_to_exclude(study):
    sweep = "{matrix: {model.weight_init: [he_normal, critical], model.bias_init: [zeros, {name: normal, std: 0.2}]}}\n"
    message = refused(study, f"sweep: {sweep}", ["model.activation=tanh"])
    assert re.search(r"s\.yaml:\d+: model\.bias_init: ", message)
    line = re.search(r"write `(exclude: .*)` below 'sweep:'", message).group(1)
    plan = study(f"sweep: {sweep}".replace("{matrix", f"{{{line}, matrix"), ["model.activation=tanh"])
    found = {(one["weight_init"], one["bias_init"]) for one in all_labels(plan)}
    assert found == {
        ("he_normal", "zeros"),
        ("he_normal", "normal(mean=0, std=0.2)"),
        ("critical", "normal(mean=0, std=0.388542)"),
    }


def test_rows_that_are_all_zero_scale_nothing():
    with pytest.raises(ValueError, match="by the training rows, and they are all 0"):
        initialization.first_std(1.0, 0.5, np.zeros((3, 2)))


# What defines a run


def test_what_a_point_resolves_to_defines_its_runs_and_no_other(study, monkeypatch):
    sweep = matrix("[tanh]", "[he_normal, critical]")
    before = {one["weight_init"]: one["run"] for one in all_labels(study(sweep))}
    moved = CriticalPoint(1.5, 0.4, 1.1, 0.5, "stable")
    for place in (initialization, criticals):
        monkeypatch.setattr(place, "critical", lambda record, parameters, q: moved)
    after = {one["weight_init"]: one["run"] for one in all_labels(study(sweep))}
    assert after["he_normal"] == before["he_normal"]
    assert after["critical"] != before["critical"]


def test_a_run_is_not_known_by_the_last_digits_of_its_point(study, monkeypatch):
    def run():
        return next(iter(study(overrides=["model.activation=tanh", "model.weight_init=critical"]).runs))

    before, one = run(), points.critical(activations.CATALOGUE.find("tanh"), ())
    near = CriticalPoint(one.sigma_w * (1 + 1e-12), one.sigma_b * (1 - 1e-12), 1.0, one.slope, one.stability)
    monkeypatch.setattr(initialization, "critical", lambda record, parameters, q: near)
    assert run() == before


def test_q_by_default_and_q_by_name_are_two_labels_and_two_runs(study):
    plan = study(matrix("[tanh]", "[critical, {name: critical, q: 1.0}]"))
    assert {one["weight_init"] for one in all_labels(plan)} == {"critical", "critical(q=1)"}
    one, other = (run.numbers["weight_std"] for run in plan.runs.values())
    assert one == other


# Weights that preserve a variance


def test_the_slope_of_preserved_variance_is_told_and_warned_of(study):
    plan = study(matrix("[relu, elu, gelu, act.py:tanhexp]", "[variance_preserving]"))
    told = {label: one["slope"] for label, (one,) in plan.started.items()}
    for name, (phi, slope) in ({name: PHI[name] for name in ("relu", "gelu", "tanhexp")}).items():
        z = np.linspace(-12, 12, 240_001)
        density = np.exp(-(z**2) / 2)
        by_hand = np.sum(density * z * phi(z) * slope(z)) / np.sum(density * phi(z) ** 2)
        assert told[name] == pytest.approx(by_hand, abs=1e-6), name
    (warning,) = started.warnings(plan.started)
    assert warning.startswith("variance_preserving: V'(1) exceeds 1 for gelu (1.144): a small departure ")
    assert told["relu"] == pytest.approx(1.0)
    assert told["elu"] < told["tanhexp"] < 1.0


@pytest.mark.parametrize(
    "other", ["model.weight_gain=1.5", "model.bias_init=normal", "model.norm=layer", "model.residual=true"]
)
def test_nothing_is_said_of_it_where_something_else_moves_the_second_moment(study, other):
    assert not study(overrides=["model.activation=gelu", "model.weight_init=variance_preserving", other]).started


def test_auto_is_told_by_what_it_stands_for(study):
    (told,) = study(overrides=["model.activation=elu"]).started["elu"]
    assert told["weight_init"] == "variance_preserving"
    assert resolve.AUTO not in started.lines({"elu": [told]})[0]


# Through everything


@pytest.mark.thorough
def test_a_study_measures_what_was_promised(tmp_path):
    """The engine's own measures, in a narrow network: the user's function and two of the catalogue."""
    (tmp_path / "act.py").write_text(OWN)
    base = BASE.replace("depth: 2, width: 8", "depth: 8, width: 128").replace("steps: 4", "steps: 2")
    sweep = matrix("[tanh, gelu, act.py:tanhexp]", "[critical, he_normal]", ", seeds: 3")
    (tmp_path / "s.yaml").write_text(base + sweep + "report: {tables: [], figures: []}\n")
    results = actlab.run(tmp_path / "s.yaml", out=tmp_path / "out", workers=1)
    begun = results.layers[results.layers["step"] == 0].merge(results.runs[["run", "activation", "weight_init"]])
    started_at = begun[begun["weight_init"] == "critical"]
    means = started_at.groupby(["activation", "layer"])["preact_second_moment"].mean().unstack()
    for name, q in (("tanh", 1.0), ("gelu", 10.0)):
        assert means.loc[name].to_numpy() == pytest.approx(q, rel=0.4)
    slopes = results.steps[results.steps["step"] == 0].merge(results.runs[["run", "activation", "weight_init"]])
    slopes = slopes.groupby(["weight_init", "activation"])["vanishing_slope"].mean()
    assert slopes["critical"].abs().max() < 0.03
    assert slopes["he_normal"]["tanh"] > slopes["critical"]["tanh"] or slopes["he_normal"]["tanh"] < -0.03
    report = (tmp_path / "out" / "report.md").read_text()
    assert "critical: " in report
    assert "gelu at σ_w = 1.399, σ_b = 0.5687, E z² = 10 (stable, V' = 0.982)" in report


def test_a_list_of_runs_says_no_bias_of_all_that_only_some_have():
    runs = pd.DataFrame({"run": ["a1", "b2"], "activation": ["tanh", "relu"], "weight_init": "critical", "seed": 0})
    runs = runs.assign(bias_init=["normal(mean=0, std=0.388542)", "zeros"], status="ok")
    settings = [Setting("activation"), Setting("weight_init"), Setting("bias_init", follows=True)]
    assert listing(runs, np.array([True, True]), settings=settings).alike == {"weight_init": "critical"}
