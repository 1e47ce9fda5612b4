"""The command ``new``: a study to begin with, written out as a commented YAML file that runs as it is."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import actlab
from actlab.cli import completion
from actlab.cli.terminal import one_line, say
from actlab.naming import as_yaml, brief, nearest, shortened, show

if TYPE_CHECKING:
    from actlab.data.guess import Guess
    from actlab.data.splits import Data

TEMPLATES = Path(__file__).parents[1] / "templates"
WORDS = {
    "depth": "three activations at three depths: whose gradients vanish?",
    "dying": "which learning rates and biases kill ReLU units?",
    "own-activation": "a function of your own, with a learned parameter, beside relu and silu",
    "own-data": "your own rows; with --data the default",
}
"""Templates, and what each is about."""
BESIDE = {"own-activation": ("own_activation.py", "_act.py"), "own-data": ("own-data.csv", ".csv")}
"""Files that a template comes with: the name that it has in it, and what is added to a study's name for its own."""
COMPARED = {"dying": "--preset dying --by activation,learning_rate,bias_init"}
"""What to compare at the end, where that is not the performance on the test split."""
FIGURES = {"dying": "dying-bias_init=zeros", "own-activation": "learned_parameters"}
"""Which figure to look at first, where it is not that of gradient norms."""
MOST_COMMENT, MOST_LINE = 300, 117
"""Letters of a comment; of a key with its comment behind: a longer one stands above."""


@dataclass(frozen=True)
class Request:
    """What is asked for: a study's name, the folder that its files go to, and the template."""

    name: str
    folder: Path
    template: str

    @property
    def path(self) -> Path:
        """Where the YAML goes."""
        return self.folder / f"{self.name}.yaml"

    @property
    def beside(self) -> Path | None:
        """Where the file that the template comes with goes, if there is one."""
        return self.folder / f"{self.name}{BESIDE[self.template][1]}" if self.template in BESIDE else None


def new(
    name: Annotated[str, typer.Argument(help="of the study: mine writes mine.yaml", show_default=False)],
    template: Annotated[
        str | None,
        typer.Option(
            help=f"{', '.join(WORDS)} [default: depth; with --data own-data]",
            show_default=False,
            autocompletion=completion.among(WORDS),
        ),
    ] = None,
    rows: Annotated[
        Path | None, typer.Option("--data", help="your own .csv, .tsv, .parquet or .npz file", show_default=False)
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="its column to predict [default: what looks like one]", show_default=False)
    ] = None,
) -> None:
    """Write a study to begin with: NAME.yaml, each line explained, which runs as it is in under a minute.

    With --data it says how the file was understood, and what it was unsure of; both stand in the YAML too.
    """
    is_file = rows is not None and (rows.suffix != "" or rows.name != str(rows))
    asked = request(name, template or ("own-data" if is_file else "depth"))
    if target is not None and rows is None:
        raise typer.BadParameter("--target names a column of the file that --data names; give both")
    if target is not None and not is_file:
        raise typer.BadParameter(f"--target names a column of a file; {one_line(rows)} is no file, and has its own")
    texts = {asked.path: filled(asked)}
    refuse_existing(texts, asked)  # before anything is said of the data
    if rows is not None:
        texts[asked.path] = with_data(texts[asked.path], asked, rows, target)
    if asked.beside is not None and (asked.template != "own-data" or rows is None):
        own = (TEMPLATES / BESIDE[asked.template][0]).read_text(encoding="utf-8")
        texts[asked.beside] = own.replace(BESIDE[asked.template][0], asked.beside.name)
    refuse_existing(texts, asked)
    with ExitStack() as undo:
        for path, text in texts.items():
            write(path, text, undo)
        if rows is not None:
            check(asked)
        undo.pop_all()
    tell(asked, list(texts), rows is not None)


def request(name: str, template: str) -> Request:
    """Take a study's name apart, which may stand behind a folder and before ``.yaml``.

    Raises:
        typer.BadParameter: it cannot be a study's name, or there is no such template.
    """
    if template not in WORDS:
        raise typer.BadParameter(f"unknown template {brief(template)}{nearest(template, WORDS)}")
    path = Path(name)
    own = re.sub(r"\.ya?ml$", "", path.name, flags=re.IGNORECASE)
    if not re.fullmatch("[a-z0-9_-]+", own):
        raise typer.BadParameter(f"a study's name has only a-z, 0-9, _ and -, not {brief(own)}{better_name(path, own)}")
    if path.parent.exists() and not path.parent.is_dir():
        raise typer.BadParameter(f"{shortened(str(path.parent))}: is a file; a study goes into a folder")
    return Request(own, path.parent, template)


def better_name(path: Path, own: str) -> str:
    """End the message about a name with one that can be a study's."""
    from anyascii import anyascii

    plain = re.sub("[^a-z0-9_-]+", "_", anyascii(own).lower()).strip("_-")[:60]
    return f"; try {shlex.quote(str(path.parent / plain))}" if plain else ""


def filled(asked: Request) -> str:
    """Return a template with the study's name, and the names of its own files."""
    text = (TEMPLATES / f"{asked.template}.yaml").read_text(encoding="utf-8")
    names = {f"study: {asked.template.replace('-', '_')}": f"study: {as_yaml(asked.name)}"}
    if asked.beside is not None:
        names[BESIDE[asked.template][0]] = asked.beside.name
    for old, new in names.items():
        text = "\n".join(replaced(line, old, new) for line in text.split("\n"))
    return text


def replaced(line: str, old: str, new: str) -> str:
    """Replace a word of a line; the comment behind it stays where it stands, if it can.

    >>> replaced("study: depth       # its name", "depth", "mine")
    'study: mine        # its name'
    """
    value, mark, comment = line.partition("  #")
    value, column = value.replace(old, new), len(value) + 2
    if not mark:
        return value
    return f"{value.rstrip().ljust(column - 2)}  #{comment.replace(old, new)}"


def with_data(text: str, asked: Request, rows: Path, target: str | None) -> str:
    """Return a study's text with a file of rows as its data, after saying what was understood of it.

    Raises:
        DataError: it cannot be read.
        typer.BadParameter: it is no file.
    """
    from actlab import data
    from actlab.data.look import lines

    if str(rows) in data.DATASETS:
        loaded, doubtful, keys = (
            data.load(str(rows)),
            [],
            [f"data: {{name: {rows}}}".ljust(33) + " # or another of `actlab list`, or a file"],
        )
    else:
        understood = of_file(rows, target)
        loaded, doubtful, keys = understood.rows, doubts(understood), data_section(understood, beside(rows, asked))
    about = data.described(loaded)
    say(f"data {one_line(rows)}")
    for what, line in lines(about).items():
        say(f"  {what:<9} {one_line(line)}")
    for line in doubtful:
        say(f"  unsure    {one_line(line)}")
    say()
    section = [*keys, f"  # {learned(loaded)}"]
    training = about["rows"]["train"]
    text = re.sub(r"(?ms)^data:.*?(?=^\S)", lambda _: "\n".join([*section, "", ""]), text, count=1)
    batch = min(64, max(2 ** ((training // 6).bit_length() - 1), 1) if training >= 6 else 1)
    text = re.sub(r"batch_size: \d+ ?", f"batch_size: {batch}".ljust(15), text)
    if "probe_rows" not in text:
        text = re.sub(r"(?m)^(  evaluate_every:.*)$", r"\1" + "\n" + PROBE_ROWS, text)
    return re.sub(r"probe_rows: \d+ ?", f"probe_rows: {min(256, training)}".ljust(16), text)


PROBE_ROWS = "  probe_rows: 256                 # training rows on which gradients are measured layer by layer"


def of_file(rows: Path, target: str | None) -> "Guess":
    """Say how a file is to be read.

    Raises:
        DataError: it cannot be read.
        typer.BadParameter: it is a function.
    """
    from actlab import sources

    if sources.parse(str(rows)):
        raise typer.BadParameter(f"--data takes a file of rows; of a function write data: {{name: {rows}}} in the YAML")
    from actlab.data.files import expanded
    from actlab.data.guess import guess

    return guess(expanded(str(rows)), target)


def beside(rows: Path, asked: Request) -> str:
    """Return the path to a file of rows from the folder of the YAML."""
    from actlab.data.files import expanded

    folder = os.path.relpath(os.path.realpath(expanded(str(rows)).parent), os.path.realpath(asked.folder))
    return rows.name if folder == "." else os.path.join(folder, rows.name)


def learned(rows: "Data") -> str:
    """Say which column tells how well something is learned, and what one scores that has learned nothing."""
    from actlab.data.look import chance_accuracy, described

    score = chance_accuracy(described(rows))
    if score is not None:
        return (
            f"test_accuracy tells how well it learns; always the most frequent class of the training rows: {score:.2g}"
        )
    return "test_r2 tells how well it learns; always the mean: 0"


def doubts(understood: "Guess") -> list[str]:
    """List what was settled without being sure: of keys with their names, then the rest."""
    keyed = [f"{key}: {why.removeprefix('unsure: ')}" for key, why in understood.why.items() if "unsure: " in why]
    return [*keyed, *understood.unsure]


def data_section(understood: "Guess", name: str) -> list[str]:
    """Write the section ``data``, each key with what was understood, and what else it could be."""
    spec, why = understood.spec, understood.why
    section = ["data:", commented("name", yaml_value(name), "relative to this file")]
    for key in ("target", "task", "drop", "categorical", "missing", "na_values", "separator", "decimal", "header"):
        value = getattr(spec, key)
        if key in why or (key == "target" and value is not None):
            section += [commented(key, yaml_value(value), why.get(key, "what to predict"))]
    if spec.train_rows is not None:
        section.append(commented("train_rows", str(spec.train_rows), why["train_rows"]))
    for doubt in understood.unsure[:8]:
        section.append(f"  # unsure: {shortened(doubt, MOST_COMMENT)}")
    return section


def yaml_value(value: object) -> str:
    """Write a text, a truth value or a list as it stands in a YAML file."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(yaml_text, value))}]"
    return yaml_text(value) if isinstance(value, str) else "null" if value is None else show(value)


def yaml_text(text: str) -> str:
    """Write a text as it stands in a YAML file, what YAML does not print as an escape."""
    written = as_yaml(text)
    return "".join(one if one.isprintable() else escape(one) for one in written)


def escape(letter: str) -> str:
    """Write a letter as an escape of a quoted text."""
    return f"\\u{ord(letter):04x}" if ord(letter) < 2**16 else f"\\U{ord(letter):08x}"


def commented(key: str, value: str, comment: str) -> str:
    """Write a key and its value with a comment behind, or above where the value is long."""
    line, comment = f"  {key}: {value}", shortened(comment, MOST_COMMENT)
    if max(len(line), 33) + len(comment) < MOST_LINE:
        return f"{line.ljust(33)} # {comment}"
    return f"  # {key}: {comment}\n{line}"


def refuse_existing(paths: Mapping[Path, str], asked: Request) -> None:
    """Refuse to write over anything.

    Raises:
        typer.BadParameter: a file is there already.
    """
    for path in paths:
        if not os.path.lexists(path):
            continue
        shown = one_line(path)
        if path.suffix == ".csv":
            word = f"{program()} new {shlex.quote(str(asked.folder / asked.name))} --data {shlex.quote(str(path))}"
            raise typer.BadParameter(
                f"{shown}: is there already; `{word}` begins with it, another name leaves it alone"
            )
        raise typer.BadParameter(
            f"{shown}: is there already, and is not written over; give another name, or move it away"
        )


def write(path: Path, text: str, undo: ExitStack) -> None:
    """Write a file that is not there yet; it goes again where something fails after it.

    Raises:
        OutputError: it cannot be written.
    """
    from actlab.outputs import OutputError

    missing = [one for one in path.parents if not one.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir()
            undo.callback(remove, folder)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            undo.callback(remove, path)
            file.write(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def remove(path: Path) -> None:
    """Remove a file or an empty folder."""
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def check(asked: Request) -> None:
    """Plan what was written, with relu alone: it must be what ``plan`` and ``run`` take.

    Raises:
        StudyError: it is not, and why.
    """
    from actlab.study.plan import plan

    plan(actlab.study_of(asked.path, ["model.activation=relu"]))


def program() -> str:
    """Return what starts this command: its name, or the path to it where the shell would not find it.

    >>> program()  # doctest: +SKIP
    'actlab'
    """
    typed = sys.argv[0]
    if shutil.which("actlab") or os.path.basename(typed) not in ("actlab", "actlab.exe"):
        return "actlab"
    near = os.path.relpath(typed)
    return shlex.quote(near if len(near) < len(typed) else typed)


def tell(asked: Request, paths: list[Path], own_rows: bool) -> None:
    """Say what was written, and which commands come next."""
    results = f"results/{asked.name}"
    config = shlex.quote(str(asked.path))
    text = asked.path.read_text(encoding="utf-8")
    metric = "test_r2" if "test_r2" in text else "test_accuracy"
    by = COMPARED.get(asked.template, f"--metric {metric} --by activation,depth,learning_rate")
    for path in paths:
        say(f"wrote {one_line(path)}")
    if os.path.lexists(results):
        say(f"{results} is there already: --out with another folder keeps the two apart")
    say("\nNext:")
    say(f"  {program()} plan {config}")
    say(f"  {program()} run {config}")
    say(f"  {program()} compare {results} {by}")
    say(f"Then look at {results}/report.md and {results}/figures/{FIGURES.get(asked.template, 'gradient_norms')}.png.")
