"""Output appears whole, is never written through a link, and leaves a strange name harmless where it is opened."""

import csv
import io
import re
import shutil
import subprocess
import sys
import unicodedata

import pandas as pd
import pytest

from actlab import cli, outputs
from actlab.analysis import compare, escaping, layout, report
from actlab.analysis.layout import Table
from actlab.analysis.pages import report_page
from actlab.analysis.pipe_tables import pipe_table
from actlab.engine import control, store
from actlab.engine.manifest import read_manifest
from tests.synthetic import frames

STRANGE = [
    "=cmd|' /C calc'!A0",
    "+1+cmd",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "＝1",
    "\ufeff=1",
    "<script>alert(1)</script>.csv",
    "# heading",
    "a\n\n# heading",
    "a\r## heading",
    "x\u2028# heading",
    "a|b\\|c",
    "`code` ``` ~~~",
    "[a](javascript:b) ![i](http://b/c.png)",
    "[a]: http://b",
    "*a* **b** _c_ __d__ ~~e~~",
    "&lt;b&gt; &#60;",
    "- item",
    "1. item",
    "===",
    "---",
    "> quote",
    "Ωé ☃ 😀 北京 Жук \u202eevil",
    "\x1b[31mred\x00",
    "[0, 1]",
    "* star",
    "{ } % $ & ~ ^ \\ \\input{/etc/passwd} \\end{document} $\\undefined$",
    "a } b { c **d *e** f*",
    "ế ą ș ı ĳ ß ½ ″ ℝ ﷺ \ue000 e\u0301",
    "",
]


def test_no_cell_is_a_formula_and_numbers_stay_numbers():
    frame = pd.DataFrame({"=name": STRANGE, "mean": [-1.5] * len(STRANGE), "label": ["-1"] * len(STRANGE)})
    text = layout.to_csv(frame)
    text.encode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["'=name", "mean", "label"]
    assert all(row[1:] == ["-1.5", "-1"] for row in rows[1:])
    for (cell, *_), written in zip(rows[1:], STRANGE, strict=True):
        visible = cell.lstrip(" \n\u00a0\ufeff")
        assert not visible.startswith(("=", "+", "-", "@", "\t", "\r", "＝")) or cell == "---" or visible == ""
        assert cell.removeprefix("'") == escaping.UNSEEN.sub("\ufffd", written.replace("\r", "\n"))
    assert layout.to_csv(pd.DataFrame({"label": ["-1", "+2.5e-3", "-.5"]})) == "label\n-1\n+2.5e-3\n-.5\n"


HALF = "\udce9.csv"  # of a file's name that is not UTF-8; no frame can hold it


def test_markdown_shows_a_strange_name_as_it_is_written():
    for name in (*STRANGE, HALF):
        for text in (escaping.plain(name), escaping.code(name)):
            assert "\n" not in text
            assert "\r" not in text
            outside = re.sub(r"\\[!-/:-@\[-`{-~]|&(lt|gt|amp);", "x", re.sub(r"(?<!\\)`[^`]*`", "x", text))
            assert not re.search(r"[<>*`]|\]\(|\]:|^#|^[-+=]+(\s|$)|^\d+[.)]\s|~~|&#?\w+;", outside), text
            assert escaping.bare(text) == escaping.one_line(name)
            text.encode()
    table = pipe_table(pd.DataFrame({"a": [escaping.plain("a|b\\|c")], "b|c": ["d"]}))
    cells = [re.split(r"(?<!\\)(?:\\\\)*\|", line) for line in table.splitlines()]
    assert len({len(row) for row in cells}) == 1


def test_a_strange_question_and_strange_labels_in_a_report(tmp_path):
    runs, steps, layers = frames(("relu",), (2,), (1e-2,), seeds=2)
    for name in STRANGE[9:-1:4]:
        again = {"activation": name, "data": name, "weight_init": name}
        study = {"study": name, "question": name, "report": {"tables": ["performance"], "figures": []}}
        manifest = {
            "versions": {name: name},
            "platform": name,
            "activations": {name: {"order": 1, "unknown_death": name}},
        }
        report.write(tmp_path, study, manifest, runs.assign(**again), steps, layers)
        text = (tmp_path / "report.md").read_text(encoding="utf-8")
        heads = [line for line in text.splitlines() if line.startswith("#")]
        assert heads[1:] == [
            "## What was found",
            "## What to doubt",
            "## Tables",
            "### Test accuracy by activation, depth 2",
            "## What was run",
            "## How it was made",
        ], name
        outside = re.sub(r"`[^`]*`", "", text).replace("<details>", "")
        assert "<script" not in outside
        assert not re.search(r"(?<!\\)\]\((?!tables/|#table-|#doubts\)|#reading\))", outside), name
        frame = compare.compare([("s", runs.assign(**again), steps, layers)], metric="test_loss", by=["data"])
        for style in ("markdown", "csv", "latex", "json"):
            compare.format(frame, style).encode()


def latex(tmp_path, body):
    """Typeset a document; gives what LaTeX complained of."""
    document = (
        "\\documentclass{article}\n\\usepackage{array,booktabs,longtable}\n\\begin{document}\n"
        + body
        + "\\end{document}\n"
    )
    (tmp_path / "t.tex").write_text(document, encoding="ascii")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]


COMMANDS = """
textbf texttt emph textbar sim textasciicircum textbackslash textless textgreater textasciigrave
textasteriskcentered pm dagger ddagger geq leq infty varphi cdot Vert surd to times cup emptyset partial frac
i j u r H v d c b
"""
KNOWN = {*COMMANDS.split(), *escaping.LETTERS.split()}


def test_latex_meets_only_ascii_and_known_commands_and_typesets_them(tmp_path):
    """Also without LaTeX at hand: every character of Unicode that has a name, in a few fixed commands."""
    every = [chr(code) for code in range(32, 0x30000) if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co")]
    every = every[:6000] + every[6000::97]
    texts = [escaping.tex(escaping.plain(text)) for text in (*every, *STRANGE, HALF)]
    for text in texts:
        assert text.isascii()
        assert set(re.findall(r"\\([A-Za-z]+)", text)) <= KNOWN, text
        bare = re.sub(r"\\[{}]", "", text)
        depths = [bare[:end].count("{") - bare[:end].count("}") for end in range(len(bare) + 1)]
        assert min(depths) == depths[-1] == 0, text
        assert not re.search(r"(?<!\\)[%#&_]", re.sub(r"(?<!\\)\$[^$]*\$", "", text)), text
    assert escaping.tex("Ωé ☃") == r"$\Omega$\'{e} :snowman2:"
    if shutil.which("pdflatex"):
        wide = pd.DataFrame(
            {escaping.plain(f"{name} x"): [escaping.plain(name), escaping.code(name)] for name in STRANGE[:6]}
        )
        long = pd.DataFrame({"a": [escaping.plain(name) for name in STRANGE] * 2, "b": STRANGE * 2})
        some = "\n\n".join(sorted(set(texts[:1500] + texts[-len(STRANGE) :])))
        note = " ".join(map(escaping.plain, STRANGE))
        tables = [Table("# ☃ é", note, frame, frame, "t") for frame in (wide, long)]
        latex(tmp_path, some + "\n\n" + "\n".join(map(layout.to_latex, tables)))


def command(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["actlab", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def contents(at):
    return {str(path.relative_to(at)): path.read_bytes() for path in sorted(at.rglob("*")) if path.is_file()}


def test_links_are_replaced_or_refused_and_never_written_through(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "write_report", report_page.write_report)  # elsewhere in the tests no page is made
    own = frames(("relu",), (2,), (1e-2,), seeds=2)
    study = {"study": "s", "report": {"tables": ["performance"], "figures": []}}
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("a.md", "b.csv"):
        (outside / name).write_text("of someone else's")
    (outside / "trained.csv").write_text("of someone else's")
    before = contents(outside)
    at = tmp_path / "s"
    (at / "tables").mkdir(parents=True)
    (at / "report.md").symlink_to(outside / "a.md")
    (at / "tables" / "performance.csv").symlink_to(outside / "b.csv")
    (at / "tables" / "performance.md").symlink_to(outside)  # a folder
    (at / "tables" / "trained.csv").symlink_to(outside / "trained.csv")  # outdated: the link alone goes
    report.write(at, study, {}, *own)
    assert contents(outside) == before
    assert not (at / "report.md").is_symlink()
    assert "mean" in (at / "tables" / "performance.csv").read_text()
    assert not (at / "tables" / "trained.csv").is_symlink()
    written = contents(at)
    ways = {
        "tables": lambda path: path.symlink_to(outside),
        "figures": lambda path: path.symlink_to(tmp_path / "nowhere"),
        "tables/performance.tex": lambda path: path.mkdir(),
        "report.md": lambda path: path.mkdir(),
    }
    for name, put in ways.items():
        there = tmp_path / name.replace("/", "-")
        shutil.copytree(at, there)
        shutil.rmtree(there / name, ignore_errors=True)
        (there / name).unlink(missing_ok=True)
        put(there / name)
        left = contents(there)
        with pytest.raises(outputs.OutputError, match=rf"{re.escape(name)}: is a (link|folder), .*(remove|move)"):
            report.write(there, study, {}, *own)
        assert contents(there) == left, name
        assert not list(there.glob(".outputs-*"))
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "tables").write_text("a file")
    with pytest.raises(outputs.OutputError, match="tables: is a file"):
        report.write(tmp_path / "f", study, {}, *own)
    assert contents(at) == written


def test_a_report_that_fails_half_way_deletes_nothing(tmp_path, monkeypatch):
    own = frames(("relu",), (2,), (1e-2,), seeds=2)
    study = {"study": "s", "report": {"tables": ["performance"], "figures": []}}
    report.write(tmp_path / "s", study, {}, *own)
    (tmp_path / "s" / "tables" / "trained.csv").write_text("outdated")
    before = contents(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    for where, name in ((report, "markdown"), (report, "write_table")):
        with monkeypatch.context() as patched:
            patched.setattr(where, name, full)
            with pytest.raises(outputs.OutputError, match="cannot be written"):
                report.write(tmp_path / "s", study, {}, *own)
            with pytest.raises(outputs.OutputError, match="cannot be written"):
                report.write(tmp_path / "new" / "er", study, {}, *own)
        assert contents(tmp_path) == before
        assert not (tmp_path / "new").exists()


def test_what_a_killed_one_left_goes_at_the_next_start(tmp_path):
    import socket

    for name in (f"{socket.gethostname()}-999999999-a", f"{socket.gethostname()}-1-b", "elsewhere-1-c"):
        (tmp_path / f".outputs-{name}").mkdir()
    (tmp_path / ".outputs-x-0-d").symlink_to(tmp_path.parent)
    with outputs.making(tmp_path):
        pass
    left = sorted(path.name.rpartition("-")[2] for path in tmp_path.glob(".outputs-*"))
    assert left == ["b", "c", "d"]


def test_describe_writes_likewise(tmp_path, monkeypatch, capsys):
    words = ["describe", "relu"]
    (tmp_path / "o" / "tables").mkdir(parents=True)
    (tmp_path / "victim").write_text("of someone else's")
    name = "formulas.csv"
    (tmp_path / "o" / "tables" / name).symlink_to(tmp_path / "victim")
    assert command(monkeypatch, *words, "--out", tmp_path / "o") == 0
    assert (tmp_path / "victim").read_text() == "of someone else's"
    assert not (tmp_path / "o" / "tables" / name).is_symlink()
    (tmp_path / "file").write_text("")
    shutil.rmtree(tmp_path / "o" / "tables")
    (tmp_path / "o" / "tables").symlink_to(tmp_path)
    for out in (tmp_path / "file", tmp_path / "o"):
        capsys.readouterr()
        assert command(monkeypatch, *words, "--out", out) == 1
        said = capsys.readouterr().err
        assert said.startswith("actlab: ")
        assert "Traceback" not in said


def test_a_study_is_not_begun_where_its_own_folders_are_links(tmp_path):
    (tmp_path / "away").mkdir()
    for name in ("parts", "sources", "tables", "run.log", "run.lock"):
        at = tmp_path / f"s-{name}"
        at.mkdir()
        (at / name).symlink_to(tmp_path / "away")
        with pytest.raises(store.StoreError, match=f"{name}: is a link"), control.study_lock(at):
            store.create(at, "study: s\n", {}, {}, [])
    at = tmp_path / "s"
    (at / "sources").mkdir(parents=True)
    (tmp_path / "victim.py").write_text("of someone else's")
    (tmp_path / "mine.py").write_text("mine")
    for name in ("sources/mine.py", "study.yaml", "manifest.json"):
        (at / name).symlink_to(tmp_path / "victim.py")
    store.create(at, "study: s\n", {"mine.py": tmp_path / "mine.py"}, {}, [])
    assert (tmp_path / "victim.py").read_text() == "of someone else's"
    assert (at / "sources" / "mine.py").read_text() == "mine"
    assert not (at / "sources" / "mine.py").is_symlink()
    assert "mine.py" in read_manifest(at)["sources"]
    assert not list((tmp_path / "away").iterdir())


def test_a_study_folder_that_is_a_link_itself_is_written(tmp_path):
    """Kept on a scratch disk, say: it was named by whoever asks, and is not in it."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "study").symlink_to(tmp_path / "scratch")
    with outputs.making(tmp_path / "study", ("tables",)) as made:
        (made.at / "tables").mkdir()
        (made.at / "tables" / "t.csv").write_text("1")
        (made.at / "report.md").write_text("2")
    assert (tmp_path / "scratch" / "report.md").read_text() == "2"
    assert (tmp_path / "scratch" / "tables" / "t.csv").read_text() == "1"


def test_a_limit_on_files_is_named(tmp_path):
    """In a process of its own: what a limit cuts short ends with a signal unless that is ignored, as Python does."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)); from pathlib import Path\n"
        "from actlab.outputs import OutputError, making\n"
        "try:\n    with making(Path('s')) as made: (made.at / 'report.md').write_text('x' * 5000)\n"
        "except OutputError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "s: cannot be written (File too large; the limit here: ulimit -f 2)\n"
    assert not list(tmp_path.iterdir())
