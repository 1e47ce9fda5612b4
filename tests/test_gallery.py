"""``actlab gallery``: one page over studies, whatever state they are in and whatever their texts and names are."""

import html
import os
import re
import shutil
import struct
import zlib
from contextlib import redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import actlab
from actlab import sources
from actlab.analysis import report
from actlab.analysis.escaping import bare
from actlab.analysis.pages import gallery
from actlab.analysis.pages.gallery import DAMAGED, EMPTY, FINISHED, INCOMPLETE, headline
from actlab.cli import completion
from actlab.cli.gallery import gallery as write
from tests import synthetic
from tests.browser import asked_for, chromium, open_page, until
from tests.typed import typed

ROOT = Path(__file__).parents[1]
EVIL = r"""<script>alert(1)</script> $\alpha_1^2$ \textbf{x} "it's" & </li> [a](javascript:alert(1)) *北京*"""
ODD = "<img src=x onerror=alert(1)> 50% #1?"  # a folder's name
STATUS = {"made": FINISHED, "half": INCOMPLETE, "torn": DAMAGED, "fresh": EMPTY, ODD: DAMAGED}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
PNG += chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


class Page(HTMLParser):
    """What a page holds: its links, the elements in it, handlers, texts."""

    def __init__(self, text):
        super().__init__()
        self.links, self.elements, self.handlers, self.texts = [], [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.texts.append(data)


def alter(path, *pairs):
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """A folder of studies, one in each state, and some that are none; the finished one asks a strange question."""
    place = tmp_path_factory.mktemp("gallery") / "results"
    synthetic.study(place / "made")
    asks = EVIL.replace("\\", "\\\\").replace('"', '\\"')
    alter(
        place / "made" / "study.yaml",
        ("What was never trained?", f'"{asks}"'),
        ("[performance, dead_units], figures: []", "[performance]"),
    )
    (place / "made" / "figures").mkdir()
    (place / "made" / "figures" / "accuracy_by_depth.png").write_bytes(PNG)
    (place / "made" / "report.md").write_text("# made\n")
    synthetic.study(place / "half", 1, ("a" * 12, "b" * 12), activations=("relu",))
    synthetic.study(place / "torn")
    part = next((place / "torn" / "parts").iterdir())
    part.write_bytes(part.read_bytes()[:-9])
    synthetic.study(place / "fresh", parts=0)
    synthetic.study(place / ODD, parts=1)
    (place / ODD / "study.yaml").write_text(f"study: {EVIL}")
    (place / "torn" / "tables").mkdir()
    (place / "torn" / "tables" / "claims.csv").write_text("not,a,table\n1,2,3\n")
    for name in ("half", "torn", "fresh"):  # without tables, which take time
        claims = ("report:", "claims: sources/claims.py\nreport:")
        alter(
            place / name / "study.yaml", ("study: made", f"study: {name}"), ("[performance, dead_units]", "[]"), claims
        )
    (place / "notes").mkdir()
    (place / "notes.txt").write_text("no study")
    return place


@pytest.fixture(scope="module")
def written(studies):
    """The page as the command writes it: its file, its text, what the command printed, what it noted, since when."""
    begin = max(path.stat().st_mtime_ns for path in studies.rglob("*"))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        patch.chdir(studies.parent)
        patch.setattr(sources, "import_file", lambda *_: pytest.fail("code is run"))
        write([Path("results")])
    path = studies / gallery.PAGE
    return path, path.read_text(encoding="utf-8"), out.getvalue(), err.getvalue(), begin


def cards(text):
    """The cards of a page by name: their HTML."""
    pieces = re.split(r'<li class="study"', text)[1:]
    return {html.unescape(re.search(r"<h2[^>]*>(?:<a[^>]*>)?([^<]*)<", one)[1]): one for one in pieces}


def test_every_study_has_a_card_that_says_how_it_stands(written):
    _, text, out, err, _ = written
    assert out == "results/gallery.html\n"
    made = cards(text)
    assert list(made) == sorted(STATUS)
    assert {name: re.search(r'class="status (\w+)"', one)[1] for name, one in made.items()} == STATUS
    assert "<dd>8 of 10 planned</dd>" in made["half"]
    assert "2 of 10 planned runs are not trained yet" in made["half"]
    assert re.search(r"<li>parts/\w+\.parquet .*</li>", made["torn"])
    assert "<li>what was found cannot be read (KeyError" in made["torn"]  # of its claims: the others have theirs
    assert "<dd>0 of 16 planned</dd>" in made["fresh"]
    assert "<dd>not known</dd>" in made[ODD]
    assert sorted(err.splitlines()) == sorted(
        f"results/{name}: is damaged; its card says what" for name in STATUS if STATUS[name] == DAMAGED
    )


def test_a_card_says_what_the_report_says(studies, written):
    results = actlab.load(studies / "made")
    frames = results.runs, results.steps, results.layers
    cells, _, tables = report.headline_tables(results.study, results.manifest, *frames)
    said = " ".join(Page(cards(written[1])["made"]).text.split())
    for sentence in report.answer(cells, tables)[0]:
        assert re.sub(r"\W+", "", bare(sentence)) in re.sub(r"\W+", "", said)
    for fact in ("16 of 16 planned", "sigmoid relu", "2, 3", "2 seeds"):
        assert fact in said


def test_links_lead_to_what_is_there_and_nothing_else_does(written):
    path, text, *_ = written
    links = [one for one in Page(text).links if not one.startswith(("data:", "#"))]
    paths = [path.parent / unquote(urlsplit(one).path) for one in links]
    assert {one.relative_to(path.parent).as_posix() for one in paths} == {
        "made/report.md",
        *(f"{name}/study.yaml" for name in STATUS),
    }
    assert all(one.is_file() for one in paths)
    assert not [one for one in links if ":" in one]


def test_texts_and_names_of_strangers_are_shown_as_they_are(written):
    text, page = written[1], Page(written[1])
    assert EVIL in page.text
    assert ODD in page.text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert not page.handlers
    assert page.elements.count("script") == text.count('<script type="module">') == 2
    assert page.elements.count("img") == 1


def test_the_same_studies_give_the_same_bytes(studies, written, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    out = studies / "again.html"
    write([*(studies / name for name in sorted(STATUS, reverse=True)), studies], out)
    assert out.read_text(encoding="utf-8") == written[1]
    out.unlink()


def test_the_page_goes_beside_the_studies_or_where_it_is_asked_for(studies, monkeypatch, tmp_path, capsys):
    shutil.copytree(studies / "fresh", tmp_path / "there" / "fresh")
    monkeypatch.chdir(tmp_path / "there" / "fresh")
    for words, where in {
        ("..",): "../gallery.html",
        (".",): "../gallery.html",
        (".", "--out", "../page.html"): "../page.html",
        (".", "--out", "../.."): "../../gallery.html",
    }.items():
        code, out, _ = typed(capsys, "gallery", *words)
        assert (code, out) == (0, f"{where}\n")
        assert "0 of 16 planned" in Path(where).read_text(encoding="utf-8")
        Path(where).unlink()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["results/notes"], "results/notes: is not a study's folder (it needs manifest.json and study.yaml), and"),
        (["results/notes.txt"], "results/notes.txt: is a file; a folder is wanted"),
        (["results", "results/mde"], "results/mde: there is no such folder; did you mean 'results/made'?"),
        (["results", "--out", "page.md"], "--out page.md: expected a name that ends in .html"),
        ([], "actlab: `actlab gallery` needs DIR (folders of studies"),
    ],
)
def test_a_wrong_request_is_one_message_and_no_page(words, said, studies, monkeypatch, capsys):
    monkeypatch.chdir(studies.parent)
    before = sorted(studies.parent.rglob("*"))
    code, out, err = typed(capsys, "gallery", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert sorted(studies.parent.rglob("*")) == before


def test_no_code_of_a_study_is_run_and_nothing_in_it_is_changed(studies, written):
    """Its claims are read from its report; ``written`` fails where a file of the user's is imported."""
    assert not [path for path in studies.rglob("*") if path.stat().st_mtime_ns > written[4] and path != written[0]]


def test_the_headline_is_the_first_figure_that_is_there_in_the_smaller_file(tmp_path, monkeypatch):
    study = {"report": {"figures": ["own.py:mine", "gradient_norms", "trained_by_depth"], "titles": {"mine": "T"}}}
    at = tmp_path / "figures"
    at.mkdir()
    assert headline(study, tmp_path) is None
    (at / "trained_by_depth.png").write_bytes(b"x" * 9)
    assert headline(study, tmp_path)[0].name == "trained_by_depth.png"
    for page in ("b", "a"):
        (at / f"gradient_norms-{page}.svg").write_bytes(b"x")
    assert headline(study, tmp_path)[0].name == "gradient_norms-a.svg"
    (at / "mine.svg").write_bytes(b"x" * 9)
    (at / "mine.png").write_bytes(b"x" * 8)
    assert headline(study, tmp_path) == (at / "mine.png", "T")
    (tmp_path / "report.md").write_text("![Drawn of one depth](figures/mine.png)\n")
    assert headline(study, tmp_path)[1] == "Drawn of one depth"
    (at / "mine.png").write_bytes(b"x" * 8)
    monkeypatch.setattr(gallery, "MOST_PICTURE", 7)
    assert headline(study, tmp_path)[0].name == "gradient_norms-a.svg"
    monkeypatch.undo()
    (at / "mine.png").unlink()
    (at / "mine.svg").unlink()
    (tmp_path / "secret").write_bytes(b"x")
    os.symlink(tmp_path / "secret", at / "mine.png")
    assert headline(study, tmp_path)[0].name == "gradient_norms-a.svg"


def test_a_folder_of_studies_is_completed(studies, monkeypatch):
    monkeypatch.chdir(studies.parent)
    assert "results" in completion.galleries("res")
    assert "results/made" in completion.galleries("results/m")


def test_filter_and_order_work_and_the_page_asks_for_nothing(written, tmp_path):
    path = written[0]
    with chromium(tmp_path) as browser:
        open_page(browser, path)

        def names():
            heads = browser.find_elements("css selector", ".study h2")
            return [one.text for one in heads if one.is_displayed()]

        assert sorted(names()) == sorted(STATUS)
        typed_in = browser.find_element("css selector", "input[type=search]")
        typed_in.send_keys("DAMAGED torn")
        until(lambda: names() == ["torn"])
        assert browser.find_element("id", "said").text == f"1 of {len(STATUS)} studies"
        typed_in.clear()
        typed_in.send_keys("finished 北京")
        until(lambda: names() == ["made"])
        typed_in.clear()
        typed_in.send_keys(" ")
        until(lambda: len(names()) == len(STATUS))
        order = browser.find_element("css selector", "select")
        order.send_keys("\ue015")  # an arrow key: down
        until(lambda: names()[0] == "made")
        order.send_keys("\ue013")
        until(lambda: names() == sorted(STATUS))
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        narrow = {"width": 390, "height": 850, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
        image, card = "document.images[0]", "document.images[0].closest('.study')"
        browser.execute_script(
            f"{image}.closest('figure').className = 'broad'; {image}.style.setProperty('--wide', '600px')"
        )
        sides = """const [a, b] = [{}, {}].map((one) => one.getBoundingClientRect());
            return [a.right - b.right, b.left - a.left]"""
        assert max(browser.execute_script(sides.format(image, card))) < 0  # no picture sticks out of its card
        assert browser.execute_script("return document.documentElement.scrollWidth <= 390")
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        empty = """const below = (one) => one.getBoundingClientRect().bottom;
            return [...document.querySelectorAll('.study')].filter((one) => one.checkVisibility()).map((one) =>
            below(one) - below(one.querySelector('article').lastElementChild))"""
        assert max(browser.execute_script(empty)) < 40  # no card is stretched
        assert browser.execute_script("return [...document.images].every((one) => one.naturalWidth > 0)")
        assert browser.get_log("browser") == []
        assert set(asked_for(browser)) == {path.as_uri()}
