"""``report.html``: one file without a network, whose controls change what is drawn; texts do no harm."""

import json

import numpy as np
import pandas as pd
import pytest
from selenium.webdriver.support.ui import WebDriverWait

from actlab.analysis import report
from actlab.analysis.cells import build_cells
from actlab.analysis.drawings import as_drawn
from actlab.analysis.figures import FIGURES
from actlab.analysis.pages import document, explore, library, report_page, shell
from actlab.analysis.pages.layer_charts import layer_maps, shapes
from actlab.analysis.pages.run_list import run_list
from actlab.analysis.pages.thinning import Rule
from actlab.analysis.sections import Section
from actlab.engine.store import load
from actlab.measures import LOG10
from actlab.study.plan import plan
from actlab.study.reading import read
from tests.browser import asked_for, chromium, open_page, until
from tests.synthetic import frames

ALERT = "<script>alert(1)</script>"
LATEX = r"$\alpha_1^2$ \textbf{x} & </script><!-- %"
STUDY = {
    "study": "made",
    "question": f"{ALERT} {LATEX}?",
    "data": {"name": f"{ALERT}.csv"},
    "model": {"activation": "relu", "depth": 2},
    "train": {"learning_rate": 0.001},
    "sweep": {"matrix": {"model.activation": ["relu", ALERT]}},
    "report": {"tables": ["performance", "vanishing_slopes"], "figures": ["accuracy_by_depth"]},
}
MANIFEST = {"versions": {ALERT: "1"}, "platform": f"{LATEX}"}


@pytest.fixture(scope="module", autouse=True)
def page_is_made():
    """Elsewhere none is: see ``conftest.no_page_is_made``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write_report", report_page.write_report)
        yield


@pytest.fixture(scope="module")
def pages(tmp_path_factory, page_is_made):
    """Two studies' pages: one with strange texts, one without layers."""
    folder = tmp_path_factory.mktemp("pages")
    made = frames(("relu", ALERT, LATEX), (2, 5, 9), (1e-3,), data=f"{ALERT}.csv")
    report.write(folder / "strange", STUDY, MANIFEST, *made)
    runs, steps, layers = frames(("relu",), (2,), (1e-3,))
    plain = STUDY | {"report": {"tables": ["performance"], "figures": []}}
    report.write(folder / "bare", plain, MANIFEST, runs, steps, layers.iloc[:0])
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory, pages):
    with chromium(tmp_path_factory.mktemp("downloads")) as driver:
        open_page(driver, pages / "strange" / "report.html")
        yield driver


def drawn(driver, chart="by-layer", mark="line"):
    """Return the paths of a chart's lines or cells, but those that cannot be seen."""
    script = "return [...document.querySelectorAll(arguments[0])].filter(e => +getComputedStyle(e).opacity > 0)"
    return driver.execute_script(f"{script}.map(e => e.getAttribute('d'))", f"#{chart} .mark-{mark} path")


def test_a_page_draws_says_nothing_and_asks_for_nothing(browser, pages):
    page = pages / "strange" / "report.html"
    assert browser.execute_script("return document.documentElement.dataset.drawn") == "3"
    assert len(drawn(browser)) == 3
    assert drawn(browser, "map", "rect")
    assert browser.get_log("browser") == []
    assert set(asked_for(browser)) == {page.as_uri()}


def test_texts_of_strangers_are_shown_as_they_are(browser):
    assert browser.find_element("css selector", "h1").text == STUDY["question"]
    assert browser.execute_script("return document.querySelectorAll('main script').length") == 0
    assert {one.text.strip() for one in browser.find_elements("css selector", "fieldset label")} >= {"relu", ALERT}
    assert ALERT in browser.find_element("id", "run-table").text


def test_sliders_and_boxes_change_what_is_drawn(browser):
    before = drawn(browser), drawn(browser, "map", "rect")
    numbers = "return [...document.querySelectorAll('#by-layer .role-axis-label text')].map(e => e.textContent)"
    axes = browser.execute_script(numbers)
    for signal in ("d", "s"):
        old = drawn(browser)
        slider = browser.find_element("css selector", f"input[data-signal={signal}]")
        slider.send_keys("\ue012" if signal == "d" else "\ue014")  # left, right: by keyboard
        until(lambda old=old: drawn(browser) != old)
        said = browser.execute_script("return arguments[0].parentElement.querySelector('output').textContent", slider)
        assert slider.get_attribute("aria-valuetext") == said != ""
        assert browser.execute_script(numbers) == axes != []  # else motion would not be seen
    assert drawn(browser, "map", "rect") != before[1]  # of another depth
    browser.find_element("css selector", "fieldset input").click()
    until(lambda: len(drawn(browser)) == 2)
    browser.find_element("css selector", "input[data-signal=seeds]").click()
    until(lambda: len(drawn(browser)) == 2 + 2 * 3)
    browser.find_element("css selector", "input[data-signal=seeds]").click()
    browser.find_element("css selector", "fieldset input").click()
    until(lambda: len(drawn(browser)) == 3)


def test_on_a_phone_no_picture_is_much_smaller_than_on_paper(browser):
    """Its least text has 7 pt; the page is no wider than the screen, and a picture that is scrolls in a frame."""
    phone = {"width": 390, "height": 850, "deviceScaleFactor": 1, "mobile": True}
    script = """const wide = image => parseFloat(getComputedStyle(image).getPropertyValue("--wide"));
        const images = [...document.querySelectorAll("figure .wide img")];
        const shares = images.map(one => one.getBoundingClientRect().width / wide(one));
        return [document.documentElement.scrollWidth, shares]"""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page, shares = browser.execute_script(script)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert page <= 390
    assert shares
    assert min(shares) >= 7 / 7.2  # its least text has 7.2 pt


def test_on_a_phone_what_is_unfolded_is_no_wider_than_the_screen(browser):
    """Pictures as wide as may be, which stand beside one another where there is room."""
    phone = {"width": 390, "height": 850, "deviceScaleFactor": 1, "mobile": True}
    broad = '<figure class="broad"><div class="wide"><img style="--wide: 507px" height="30"></div></figure>'
    folded = document.others(broad * 3, 3)
    script = """document.querySelector("main").insertAdjacentHTML("beforeend", arguments[0]);
        document.querySelectorAll("main > details, main details.pictures").forEach(one => { one.open = true; });
        const figures = [...document.querySelectorAll("main > details.pictures:last-child figure")];
        return [document.documentElement.scrollWidth, figures.map(one => one.getBoundingClientRect().width)]"""
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        page, wide = browser.execute_script(script, folded)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        close = "main > details.pictures:last-child"
        browser.execute_script(f"document.querySelector('{close}').remove()")
        browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = false; })")
    assert page <= 390
    assert len(wide) == 3
    assert min(wide) > 300


def test_on_a_wide_screen_pictures_have_one_scale_and_maps_share_the_width(browser):
    script = """const wide = image => parseFloat(getComputedStyle(image).getPropertyValue("--wide"));
        const images = [...document.querySelectorAll("figure .wide img")];
        return images.map(one => [wide(one), one.getBoundingClientRect().width])"""
    for wide, width in browser.execute_script(script):
        assert width == pytest.approx(1.4 * wide, abs=1)
    boxes = "return [...document.querySelectorAll('#map .role-scope .background')].map(e => e.getBoundingClientRect())"
    row = [one for one in browser.execute_script(boxes) if one["width"] > 0]
    place = browser.find_element("id", "map").rect["width"]
    assert max(one["right"] for one in row) - min(one["left"] for one in row) > 0.85 * place
    ticks = "return [...document.querySelectorAll('#map .role-axis-label text')].map(e => e.textContent)"
    steps = [int(one) for one in browser.execute_script(ticks) if one.isdigit() and int(one) > 9]
    assert steps
    assert not [one for one in steps if one % 5]


def test_pointing_at_a_line_shows_its_seeds(browser):
    from selenium.webdriver import ActionChains

    chart = browser.find_element("css selector", "#by-layer svg")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    ActionChains(browser).move_to_element(chart).perform()
    until(lambda: len(drawn(browser)) == 3 + 3)


def test_on_paper_no_table_is_cut_or_lies_over_what_follows(browser):
    paper = {"width": 800, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", paper)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        script = "return [...document.querySelectorAll('.scroll')].map(e => [e.clientWidth, e.clientHeight, e])"
        for width, height, place in browser.execute_script(script):
            inner = browser.execute_script("return [arguments[0].scrollWidth, arguments[0].scrollHeight]", place)
            assert inner[0] <= width
            assert inner[1] <= height
        assert not browser.find_element("id", "run-table").is_displayed()
        assert browser.find_element("css selector", ".paper").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert not browser.find_element("css selector", ".paper").is_displayed()


def test_what_is_folded_on_a_screen_is_open_on_paper(browser, tmp_path):
    """Whatever page: a folded table cannot be unfolded on paper."""
    before = browser.current_url
    path = tmp_path / "folded.html"
    path.write_text(shell.html_page("folded", "<details><summary>30 rows</summary><p id=inside>them</p></details>"))
    browser.get(path.as_uri())
    seen = "return document.getElementById('inside').checkVisibility({contentVisibilityAuto: true})"
    try:
        assert not browser.execute_script(seen)
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        WebDriverWait(browser, 10).until(lambda _: browser.execute_script(seen))  # styles follow a frame later
        assert not browser.find_element("css selector", "summary").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.get(before)


def test_a_tables_rows_and_columns_are_sorted_and_filtered(browser):
    table = browser.find_element("css selector", "h3 + .controls + .scroll table")
    controls = browser.find_element("css selector", "h3 + .controls")

    def rows():
        found = table.find_elements("css selector", "tbody tr")
        return [one.find_element("css selector", "td").text for one in found]

    all_rows = rows()
    table.find_element("css selector", "th button").send_keys("\ue007")  # enter
    assert table.find_element("css selector", "th").get_attribute("aria-sort") == "ascending"
    ascending = rows()
    assert set(ascending) == set(all_rows)
    assert ascending != all_rows
    table.find_element("css selector", "th button").send_keys("\ue007")
    assert table.find_element("css selector", "th").get_attribute("aria-sort") == "descending"
    assert rows() == ascending[::-1]
    choices = controls.find_elements("css selector", "select")
    choices[0].send_keys("relu")
    assert rows() == ["relu"]
    heads = len([one for one in table.find_elements("css selector", "th") if one.is_displayed()])
    choices[1].send_keys("5")
    assert len([one for one in table.find_elements("css selector", "th") if one.is_displayed()]) < heads


def test_what_is_no_number_is_last_in_both_orders(browser):
    sort = """document.body.insertAdjacentHTML('beforeend', '<div class="scroll"><table id="sorted">'
      + '<thead><tr><th>v</th></tr></thead><tbody></tbody></table></div>');
      const made = document.getElementById('sorted');
      window.attach(made, arguments[0].map((text) => ({ texts: [text], make: () => {
        const row = document.createElement('tr'); row.insertCell().textContent = text; return row; } })));
      const rows = () => [...made.tBodies[0].rows].map((row) => row.textContent);
      const click = () => made.querySelector('th button').click();
      click(); const up = rows(); click(); const down = rows(); made.parentElement.remove(); return [up, down]"""
    none = {"20 of 20 diverged", "5 of 5 undefined", "–", "outside theory", "not run"}
    numbers = ["−3", "4 of 20 diverged: 0.5", "≥ 2", "30"]
    up, down = browser.execute_script(sort, ["30", *none, "−3", "≥ 2", "4 of 20 diverged: 0.5"])
    assert (up[:4], down[:4]) == (numbers, numbers[::-1])
    assert set(up[4:]) == set(down[4:]) == none


def test_a_click_on_a_run_shows_its_curves_and_yaml(browser):
    yaml = browser.find_element("css selector", "#run pre")  # folded
    before = drawn(browser, "curves"), yaml.get_attribute("textContent")
    button = browser.find_elements("css selector", "#run-table tbody button")[-1]
    button.send_keys("\ue007")
    until(lambda: drawn(browser, "curves") != before[0])
    assert button.text in browser.find_element("css selector", "#run h3").text
    assert yaml.get_attribute("textContent") != before[1] != ""


def test_pictures_and_numbers_can_be_kept(browser, pages):
    kept = browser.execute_script(
        "const got = []; HTMLAnchorElement.prototype.click = function () { got.push(this.download) };"
        "window.got = got; document.querySelectorAll('button.keep').forEach(b => b.click()); return got"
    )
    until(lambda: len(browser.execute_script("return window.got")) >= 3)
    kept = browser.execute_script("return window.got")
    assert {name.rpartition(".")[2] for name in kept} == {"svg", "csv"}


def test_a_study_without_layers_has_a_page(browser, pages):
    open_page(browser, pages / "bare" / "report.html")
    heads = [one.text for one in browser.find_elements("css selector", "h2")]
    assert heads == ["What was found", "What to doubt", "Tables", "The runs", "What was run", "How it was made"]
    assert browser.get_log("browser") == []


# Without a browser


def test_a_page_opens_at_the_deepest_networks_that_trained_and_joins_neighbours_alone():
    runs, steps, layers = frames(("relu", "elu"), (2, 5, 9), (1e-3,))
    runs["trained"] = (runs["depth"] < 9) & (runs["activation"] == "elu")
    cells = build_cells(runs, steps, layers[layers["layer"] != 3])
    part = explore.explore(cells, Rule())
    assert "It opens at depth 5, the deepest at which a network trained, at initialisation." in part.body
    assert "Dotted: of the layers between, nothing is kept." in part.body
    assert '"strokeDash": {"field"' not in json.dumps(part.charts)  # dashes say what is not kept, and nothing else
    points = next(one for one in part.charts["by-layer"]["layer"] if one.get("name") == "points")
    assert points["encoding"]["shape"]["scale"]["range"] == shapes({one: cells.looks[one] for one in ("relu", "elu")})
    assert {"name": "d", "value": 5} in part.charts["by-layer"]["params"]
    assert cells.runs.set_index("run").loc[opened_with(cells), ["activation", "depth"]].tolist() == ["elu", 5]
    whole = explore.explore(build_cells(runs, steps, layers), Rule())
    assert "Dotted" not in whole.body
    assert '"strokeDash": {"field"' in json.dumps(whole.charts)


def test_maps_have_few_ticks_of_steps_with_room_between_their_numbers():
    x = layer_maps({"names": {}}, ["relu"], ["layer"])["spec"]["encoding"]["x"]["axis"]
    assert x["tickCount"] <= 3  # of 0 to 1000: 0, 500, 1000
    assert x["labelOverlap"] is True
    assert x["labelSeparation"] >= 10


def test_of_how_many_runs_a_line_is_goes_with_it_and_a_cell_that_partly_trained_is_marked():
    runs, steps, layers = frames(("relu", "elu"), (2,), (1e-3,))
    runs["trained"] = (runs["activation"] == "relu") & (runs["seed"] > 0)
    one, last = runs["run"].iloc[0], layers["step"].max()
    layers.loc[(layers["run"] == one) & (layers["step"] == last), "dead_fraction"] = np.nan
    part = explore.explore(build_cells(runs, steps, layers), Rule())
    lines = {(row["a"], row["s"]): row for row in part.datasets["layers"] if row["seed"] < 0}
    measure = next(name for name in lines["relu", 0] if name.startswith("m") and lines["relu", last]["n"].get(name))
    assert lines["relu", last] | {"of": 3, "n": {measure: 2}, "mixed": True, "trained": 2} == lines["relu", last]
    assert {"n", "mixed"}.isdisjoint({*lines["relu", 0], *lines["elu", last]})
    seeds = [row for row in part.datasets["layers"] if row["seed"] >= 0 and "mixed" in row]
    assert {row["s"] for row in seeds} == {*steps["step"]} - {0}
    assert part.data["layers-cells"] == [{"a": "relu", "d": 2, "of": 3}, {"a": "elu", "d": 2, "of": 3}]


def test_of_shares_of_units_all_runs_count_that_did_not_diverge():
    """As in figures: units die in networks that do not train."""
    runs, steps, layers = frames(("relu", "elu"), (6,), (1e-3,), seeds=5)
    relu = runs["activation"] == "relu"
    lost, diverged = relu & (runs["seed"] < 2), relu & (runs["seed"] == 4)
    runs = runs.assign(trained=~lost & ~diverged, status=np.where(diverged, "diverged", "ok"))
    for which, share in ((lost, 1.0), (diverged, 0.5), (~lost & ~diverged, 0.0)):
        layers.loc[layers["run"].isin(runs.loc[which, "run"]), "dead_fraction"] = share
    cells = build_cells(runs, steps, layers)
    made, _ = explore.by_layer(cells, ["dead_fraction"], {}, Rule())
    last = made[(made["a"] == "relu") & (made["seed"] < 0) & (made["s"] == made["s"].max())]
    figure = FIGURES["layers_over_training"].make(cells).frame
    drawn = as_drawn(figure[(figure["measure"] == "dead_fraction") & (figure["activation"] == "relu")])
    drawn = drawn[drawn["step"] == drawn["step"].max()]
    np.testing.assert_allclose(last["dead_fraction"], drawn["mean"])
    assert (last["dead_fraction"] > 0).all()
    page = explore.explore(cells, Rule())
    place = {name: at for at, name in page.charts["map"]["params"][0]["value"].items()}["dead units"]
    rows = [one for one in page.datasets["layers"] if one["a"] == "relu" and one["seed"] < 0 and one["s"] > 0]
    assert {one["n"][place] for one in rows} == {4}
    assert f'data-shares="{place}' in page.body


@pytest.mark.parametrize("least", [-22.0, -1.0])
def test_maps_of_norms_are_finest_about_0_so_that_one_that_loses_many_decades_presses_none_flat(least):
    runs, steps, layers = frames(("relu", "sigmoid"), (6,), (1e-3,))
    layers[f"{LOG10}signal_grad_norm"] = np.where(
        layers["run"].isin(runs.loc[runs["activation"] == "sigmoid", "run"]), least, 0
    )
    spec = explore.explore(build_cells(runs, steps, layers), Rule()).charts["map"]
    values = {one["name"]: one["value"] for one in spec["params"] if "value" in one}
    assert spec["spec"]["encoding"]["color"]["scale"]["type"] == "symlog"
    assert spec["spec"]["encoding"]["color"]["scale"]["constant"] == {"expr": "bends[measure]"}
    assert values["bends"]["m0"] == 0.5
    assert values["bends"][values["shares"][0]] > 1000


def test_of_settings_in_which_as_many_activations_train_a_page_opens_at_the_first_in_the_studys_order():
    runs = pd.DataFrame({"rate": [2, 2, 1, 1], "trained": [True, True, True, False]})
    runs = runs.assign(depth=2, status="ok", activation="relu")
    assert explore.opening(runs, ["rate"], {"rate": ["2", "1"]})[1] == {"rate": 2}
    assert explore.opening(runs, ["rate"], {"rate": ["1", "2"]})[1] == {"rate": 1}


def opened_with(cells):
    """Return the run that is shown at first."""
    data = run_list(STUDY, cells, Rule()).data["run-data"]
    return data["rows"][data["first"]][0]


def test_the_rule_of_selection_stands_once_in_a_report(tmp_path):
    asked = {"tables": ["performance"], "figures": ["accuracy_by_depth"]}
    chosen = {"over": "train.learning_rate", "by": "validation_loss"}
    made = frames(("relu", "elu"), (2, 5), (1e-3, 1e-2))
    report.write(tmp_path, STUDY | {"report": asked | {"select": chosen, "html": False}}, MANIFEST, *made)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert text.count("lowest mean final validation loss") == 1
    assert text.index("lowest mean final validation loss") < text.index("## What was found")
    assert text.count("At each cell's selected learning rate.") == 2


def test_the_same_study_gives_the_same_bytes_in_few_of_them(tmp_path, monkeypatch):
    def made(order):
        runs, steps, layers = (frame.iloc[::order] for frame in frames(("relu", ALERT), (2, 30), (1e-3,), every=5))
        cells = build_cells(runs, steps, layers)
        return report_page.report_page([Section(1, "made")], STUDY, cells, tmp_path)

    text = made(1)
    assert made(-1) == text
    assert ALERT not in text
    monkeypatch.setattr(report_page, "MOST_BYTES", len(text.encode()) - 40_000)
    assert len(made(1).encode()) <= report_page.MOST_BYTES


def test_a_study_can_do_without_its_page(pages):
    made = frames(("relu",), (2,), (1e-3,))
    report.write(pages / "bare", STUDY | {"report": {"html": False, "tables": [], "figures": []}}, MANIFEST, *made)
    assert not (pages / "bare" / "report.html").exists()
    assert (pages / "bare" / "report.md").exists()


@pytest.mark.parametrize("name", ["depth", "depth_maps"])
def test_what_is_explored_is_what_figures_draw(name):
    """Where a seed's gradient is exactly 0, as of relu in ``depth_maps``, too: they had two rules for it."""
    results = load(f"results/{name}")
    cells = report.study_cells(results.study, results.manifest, results.runs, results.steps, results.layers)
    made, _ = explore.by_layer(cells, [f"{LOG10}signal_grad_norm", "act_var"], {}, Rule())
    ends = {"init": 0, "final": made["s"].max()}
    drawn = as_drawn(pd.read_csv(f"results/{name}/figures/gradient_norms.csv")).assign(s=lambda it: it["at"].map(ends))
    drawn = drawn[drawn["runs"] > 0]  # of the layers that were kept: theory is drawn between them, too
    both = drawn.merge(made[made["seed"] < 0].rename(columns={"a": "activation", "d": "depth"}))
    assert len(both) >= 0.8 * len(drawn) > 100
    np.testing.assert_allclose(10 ** both[f"{LOG10}signal_grad_norm"], both["mean"], rtol=1e-5)
    assert both["of_trained"].fillna("").ne("").any()  # in both studies some runs trained and others did not


def test_what_is_explored_is_what_figures_draw_where_some_seeds_have_no_norm():
    runs, steps, layers = frames(("relu", "tanh"), (6,), (1e-3,), seeds=5)
    lost = runs.loc[(runs["activation"] == "tanh") & (runs["seed"] < 2), "run"]
    column = next(name for name in (f"{LOG10}signal_grad_norm", "signal_grad_norm") if name in layers)
    nothing = -np.inf if column.startswith(LOG10) else 0.0
    layers.loc[layers["run"].isin(lost) & (layers["step"] > 0), column] = nothing
    runs = runs.assign(trained=True, status="ok")
    if not column.startswith(LOG10):
        with np.errstate(divide="ignore"):
            layers[f"{LOG10}signal_grad_norm"] = np.log10(layers["signal_grad_norm"])
    cells = build_cells(runs, steps, layers)
    made, _ = explore.by_layer(cells, [f"{LOG10}signal_grad_norm"], {}, Rule())
    drawn = as_drawn(FIGURES["gradient_norms"].make(cells).frame)
    drawn = drawn[drawn["at"] == "final"].assign(s=made["s"].max())
    both = drawn.merge(made[made["seed"] < 0].rename(columns={"a": "activation", "d": "depth"}))
    assert ((both["missing"] == 2) & both["mean"].notna()).sum() == 6  # of tanh, in each layer
    np.testing.assert_allclose(10 ** both[f"{LOG10}signal_grad_norm"], both["mean"], rtol=1e-9)


@pytest.mark.parametrize("name", ["born_dead", "gradient_decay"])
def test_a_runs_yaml_makes_that_run(name, tmp_path):
    results = load(f"results/{name}")
    cells = report.study_cells(results.study, results.manifest, results.runs, results.steps, results.layers)
    data = run_list(results.study, cells, Rule()).data["run-data"]
    for i in (0, len(data["rows"]) // 2, len(data["rows"]) - 1):
        slots = [json.dumps(one) for one in data["slots"][i]] + [""]
        text = "".join(piece + slot for piece, slot in zip(data["yaml"], slots, strict=True))
        (tmp_path / "one.yaml").write_text(text, encoding="utf-8")
        (run,) = plan(read(tmp_path / "one.yaml")).runs
        assert run == data["rows"][i][0]


def test_the_list_of_runs_says_which_are_none_of_it():
    results = load("results/depth")
    cells = report.study_cells(results.study, results.manifest, results.runs, results.steps, results.layers)
    said = f"Listed are {len(cells.runs):,} runs (all but the {len(results.runs) - len(cells.runs)} tuning runs"
    assert said in run_list(results.study, cells, Rule()).body


def test_a_damaged_library_is_made_again(tmp_path, monkeypatch):
    path = tmp_path / "vega.js"
    library.write(path, "draw()")
    assert library.read(path) == "draw()"
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert library.read(path) == ""
    library.write(path, "draw()")
    path.chmod(0o666)
    assert library.read(path) == ""


def test_pictures_that_are_pdfs_alone_are_files_to_keep(tmp_path):
    asked = {"tables": ["performance"], "figures": ["accuracy_by_depth"], "figure_format": ["pdf"]}
    report.write(tmp_path, STUDY | {"report": asked}, MANIFEST, *frames(("relu", "elu"), (2, 5), (1e-3,)))
    assert [path.suffix for path in sorted((tmp_path / "figures").iterdir())] == [".csv", ".pdf"]
    assert 'data-name="accuracy_by_depth.pdf"' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_without_the_library_of_charts_all_but_the_page_is_written(tmp_path, monkeypatch, caplog):
    def dies():
        raise ChildProcessError("it died")

    monkeypatch.setattr("actlab.analysis.pages.shell.library", dies)
    paths = report.write(tmp_path, STUDY, MANIFEST, *frames(("relu", "elu"), (2, 5), (1e-3,)))
    assert (tmp_path / "report.md") in paths
    assert not (tmp_path / "report.html").exists()
    assert "report.html is not written: it died" in caplog.text
