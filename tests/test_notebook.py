"""In a notebook: the one of docs/ runs and shows what it holds; results show themselves; errors are messages."""

import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

import actlab
from actlab import notebook, results
from actlab.analysis.parts import PartError
from actlab.engine.control import Progress
from actlab.study.plan import plan
from actlab.study.reading import StudyError, read
from tests import notebooks, synthetic

ROOT = Path(__file__).parents[1]
FIRST = ROOT / "docs" / "first_study.ipynb"
ABSOLUTE = re.compile(r"(?<![\w.:/<>~])/\w[\w.-]*/\w+")
"""A path from the root of a file system: whoever's it is, it does not belong into what is committed."""
HOSTILE = "<script>alert(1)</script> $x$ **b** `c` [a](javascript:b)"
GIVEN = {
    "study": "s",
    "data": {"name": "iris"},
    "model": {"width": 8},
    "train": {"steps": 4},
    "sweep": {"matrix": {"model.activation": ["relu", "tanh"], "model.depth": [2, 3]}, "seeds": 2},
}


# The notebook of docs/


def shown_by(path):
    """What cells show as text: pictures are letters and slashes."""
    for cell in nbformat.read(path, as_version=4).cells:
        yield cell.source
        for output in cell.get("outputs", ()):
            yield output.get("text", "")
            yield from (text for kind, text in output.get("data", {}).items() if not kind.startswith("image/"))


def test_the_first_study_shows_what_it_holds(tmp_path):
    """Numbers aside, whose last digits are the processor's: every text, and that there is a picture where there was."""
    command = [sys.executable, "-m", "tests.notebooks", str(FIRST), "--out", str(tmp_path / "now.ipynb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    held, now = (nbformat.read(path, as_version=4) for path in (FIRST, tmp_path / "now.ipynb"))
    assert notebooks.outputs(held) == notebooks.outputs(now)


def test_the_first_study_is_small_and_says_nothing_of_where_it_was_made():
    text = FIRST.read_text(encoding="utf-8")
    assert len(text) < 300_000
    for private in (str(Path.home()), str(ROOT), tempfile.gettempdir()):
        assert private not in text
    assert not [found for shown in shown_by(FIRST) for found in ABSOLUTE.findall(shown)]
    held = nbformat.read(FIRST, as_version=4)
    assert held == notebooks.cleaned(nbformat.from_dict(held))
    code = [cell for cell in held.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [
        one for cell in code for one in cell.outputs if one.output_type == "error" or one.get("name") == "stderr"
    ]


# A mapping is a study


def as_yaml(given, path):
    from actlab.study.yaml_text import dumped

    path.write_text(dumped(given), encoding="utf-8")
    return path


def test_a_mapping_is_the_study_that_its_yaml_is(tmp_path):
    numbers = pytest.importorskip("numpy")
    odd = GIVEN | {"train": {"steps": numbers.int64(4)}, "data": {"name": "iris", "seed": 0}}
    odd["sweep"] = {"matrix": {"model.activation": ("relu", "tanh"), "model.depth": numbers.array([2, 3])}, "seeds": 2}
    planned = [list(plan(read(one)).runs) for one in (as_yaml(GIVEN, tmp_path / "s.yaml"), GIVEN, odd)]
    assert planned[0] == planned[1] == planned[2]


WRONG = {
    "an unknown key": {"model": {"dpeth": 3}},
    "a value": {"train": {"steps": "many"}},
    "a name": {"model": {"activation": "rellu"}},
    "a key of the matrix": {"sweep": {"matrix": {"model.depht": [2, 3]}}},
    "no mapping": {"train": 3},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mapping_is_refused_in_the_words_of_its_yaml(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    for one in (as_yaml(GIVEN | WRONG[what], tmp_path / "s.yaml"), GIVEN | WRONG[what]):
        with pytest.raises(StudyError) as refused:
            read(one)
        said.append(str(refused.value))
    file, mapping = said
    assert mapping.startswith("config: ")
    assert re.sub(r"s\.yaml(:\d+)?", "config", file) == mapping


def test_what_no_yaml_can_hold_is_refused_by_its_key():
    endless = {}
    endless["model"] = endless
    for given, words in (
        ({"model": {"activation": abs}}, r"config: model\.activation: is a function; write it to a file"),
        ({"model": {3: 4}}, r"config: model: expected a text as a key, not 3"),
        ({"data": {"name": {1, 2}}}, r"config: data\.name: expected a text, a number, .* not set"),
        (endless, r"config: lists and mappings stand in each other more than"),
        ({"question": "\ud800"}, r"config: "),
    ):
        with pytest.raises(StudyError, match=words):
            read(given)


# Results show themselves


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook") / "made"
    synthetic.study(folder, activations=("sigmoid", "relu"), depths=(2, 5), seeds=3)
    return actlab.load(folder)


def test_results_say_what_their_report_says(made):
    said = made.findings()
    page, text = made._repr_html_(), repr(made)
    assert said.sentences
    assert said.doubts
    for head in ("What was found", "What to doubt"):
        assert head in page
        assert head in text
        assert head in repr(said)
        assert head in said._repr_html_()
    for sentence in said.sentences + said.doubts:
        assert re.sub(r"\W+", "", sentence.split("[")[0])[:40] in re.sub(r"\W+", "", text)
    assert "What was never trained?" in page
    assert "frames: runs" in text


def test_what_is_missing_or_damaged_is_shown_with_the_results(made):
    notes = replace(made, notes=("3 of 9 planned runs are not trained yet",), damage=(f"parts/1: {HOSTILE}",))
    for shown in (repr(notes), notes._repr_html_()):
        assert "3 of 9 planned runs are not trained yet" in shown
        assert "damaged: parts/1" in shown
    assert "<script" not in notes._repr_html_()


def test_a_part_of_the_runs_speaks_of_these_alone(made):
    part = made.where("activation=relu")
    assert isinstance(part, results.Results)
    assert part.is_part
    assert "sigmoid" not in repr(part.findings())
    assert "sigmoid" in repr(made.findings())
    empty = replace(made, runs=made.runs[:0])
    assert "0 runs" in repr(empty)
    assert "0 runs" in empty._repr_html_()


def test_texts_of_strangers_are_shown_as_they_are(made):
    runs = made.runs.assign(activation=made.runs["activation"].replace("relu", HOSTILE))
    strange = replace(made, runs=runs, study=made.study | {"question": HOSTILE, "study": HOSTILE})
    for page in (strange._repr_html_(), strange.findings()._repr_html_()):
        assert "<script" not in page
        assert "<strong>b</strong>" not in page
        assert 'href="javascript' not in page
        assert page.startswith('<div class="actlab tex2jax_ignore mathjax_ignore" ')
        assert "&lt;script&gt;" in page


def test_a_figure_is_one_call_and_shows_itself(made):
    from matplotlib.figure import Figure

    assert "vanishing_slopes" in made.figures
    drawn = made.figure("vanishing_slopes")
    content, size = drawn._repr_png_()
    assert isinstance(drawn, Figure)
    assert content.startswith(b"\x89PNG")
    assert 200 < size["width"] < 1400


def test_a_figure_that_there_is_not_is_answered_with_those_that_there_are(made):
    with pytest.raises(
        PartError, match=r"no figure 'vanishing_slop'; did you mean 'vanishing_slopes'\?; this study has"
    ):
        made.figure("vanishing_slop")
    with pytest.raises(PartError, match=r"this study has .*vanishing_slopes"):
        made.figure("zzz")
    with pytest.raises(PartError, match="figure learned_parameters: does not apply to this study; it has"):
        made.figure("learned_parameters")


# Errors and progress


def test_an_error_is_a_message():
    for name in ("StudyError", "StoreError", "PartError"):
        (text,) = getattr(actlab, name)("s.yaml:3: model.dpeth:\n  no \x1b[31m such key")._render_traceback_()
        assert text == f"{name}: s.yaml:3: model.dpeth:\n  no \\x1b[31m such key"


class Place:
    """Where IPython shows what it is given, again and again."""

    def __init__(self):
        self.seen = []

    def display(self, what, display_id):
        assert display_id is True
        self.update(what)
        return self

    def update(self, what):
        self.seen.append((repr(what), what._repr_html_()))


@pytest.fixture
def place(monkeypatch):
    from types import ModuleType

    made = ModuleType("IPython.display")
    made.place = Place()
    made.display = made.place.display
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", made)
    monkeypatch.setattr(notebook, "is_there", lambda: True)
    return made.place


def test_a_bar_ends_as_a_line_without_a_clock(place):
    half = Progress(0.5, 3, 6, 1, 2, {}, compiled=1, programs=1, training=1)
    with notebook.followed(None) as tell:
        tell(half)
        tell(replace(half, share=1.0, runs_done=6, jobs_done=2, to_write=4, written=4))
    assert '<progress max="1" value="0.500">' in place.seen[0][1]
    assert "3/6 runs" in place.seen[0][0]
    assert place.seen[-1][0] == "6 runs trained, tables and figures written"
    assert "<progress" not in place.seen[-1][1]


def test_an_interrupted_run_says_so_in_one_line(place):
    def run():
        with notebook.followed(None) as tell:
            tell(Progress(0.5, 3, 6, 1, 2, {}, training=1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stopped:
        run()
    assert stopped.value._render_traceback_() == [f"Interrupted. {notebook.KEPT}"]
    assert place.seen[-1][0] == "3 runs trained, then interrupted"


def test_without_anyone_to_look_on_nothing_is_shown(capsys):
    assert not notebook.is_there()
    with notebook.followed(None) as tell:
        tell(Progress(0.5, 3, 6, 1, 2, {}, training=1))
    assert capsys.readouterr() == ("", "")
    own = [].append
    with notebook.followed(own) as tell:
        assert tell is own


@pytest.mark.parametrize("config", [None, [1, 2], 5])
def test_what_is_no_study_is_answered(config):
    with pytest.raises(actlab.StudyError, match="config: expected the path of a YAML file, or a mapping, not"):
        actlab.study_of(config)
