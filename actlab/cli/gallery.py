"""``actlab gallery``: an index page over studies; folders are only read, and none of their code is run."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from actlab.cli import completion
from actlab.cli.output import at_work, note
from actlab.cli.terminal import one_line, say
from actlab.naming import MOST_LINE, shortened
from actlab.outputs import making

if TYPE_CHECKING:
    from actlab.analysis.pages.gallery import Card

Folders = Annotated[
    list[Path],
    typer.Argument(
        metavar="DIR",
        help="folders of studies, as results, or studies' own",
        show_default=False,
        autocompletion=completion.galleries,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE.html",
        help="the page [default: gallery.html in the first DIR, or beside it if that is a study's own]",
        show_default=False,
    ),
]


def gallery(folders: Folders, out_file: Out = None) -> None:
    """Write an index page over studies: what each asks, what was found, its headline figure, its numbers, and links.

    It is one file for a browser, which needs no network. Studies are only read, and no code of theirs is run. One that
    is damaged, or not finished, has a card that says so.
    """
    from actlab.analysis.pages.gallery import DAMAGED, page

    at = place(folders[0], out_file)
    studies = studies_of(folders)
    if len(studies) > 1:  # large ones take seconds each
        at_work(f"reading {len(studies)} studies")
    cards = [card_of(one) for one in studies.values()]
    for card in cards:
        if card.status == DAMAGED:
            note(f"{one_line(card.folder)}: is damaged; its card says what")
    text = page(cards, at.parent)
    with making(at.parent) as made:
        (made.at / at.name).write_text(text, encoding="utf-8", newline="\n")
    say(one_line(at))


def studies_of(folders: Sequence[Path]) -> dict[str, Path]:
    """Find the studies in some folders, each once: by its place on the disk, the folder as it was named.

    Raises:
        StoreError: a folder is no study, and holds none; all of these are named.
    """
    from actlab.engine.files import StoreError
    from actlab.engine.whereabouts import studies_in

    studies: dict[str, Path] = {}
    wrong = []
    for folder in folders:
        try:
            for one in studies_in(folder):
                studies.setdefault(os.path.realpath(one), one)
        except StoreError as error:
            wrong.append(str(error))
    if wrong:
        raise StoreError("\n".join(wrong))
    return studies


def place(first: Path, out_file: Path | None) -> Path:
    """Choose where the page goes.

    Args:
        first: the first folder that is named.
        out_file: the file that is asked for, or the folder.

    Raises:
        BadParameter: it has no name of a page: what has another name is something else.
    """
    from actlab.analysis.pages.gallery import PAGE
    from actlab.engine.setting_aside import is_study

    if out_file is None:
        return Path(os.path.normpath(first / "..") if is_study(first) else first) / PAGE
    if out_file.is_dir():
        return out_file / PAGE
    if out_file.suffix.lower() not in (".html", ".htm"):
        expected = "expected a name that ends in .html, or a folder that is there"
        raise typer.BadParameter(f"--out {shortened(str(out_file), MOST_LINE)}: {expected}")
    return out_file


def card_of(folder: Path) -> "Card":
    """Read what the page says of a study; whatever is wrong with one, the others have their cards."""
    from actlab.analysis.pages.gallery import DAMAGED, EMPTY, FINISHED, INCOMPLETE, Card, headline
    from actlab.engine.files import StoreError
    from actlab.engine.store import Stored, stored_study

    study: dict[str, Any] = {}
    try:
        study = stored_study(folder)
        stored = Stored(folder)
        contents = stored.read()
    except StoreError as error:
        lines = str(error).replace(f"{folder}/", "").replace(f"{folder}: ", "").splitlines()
        return Card(folder, name_of(folder, study), DAMAGED, asked(study), notes=tuple(lines))
    planned = None if contents.planned is None else len(contents.planned) + contents.later
    try:
        results = stored.results(partial=True)
    except StoreError:  # nothing of it is stored, or sound
        damage = tuple(contents.damage_lines())
        status = DAMAGED if damage else EMPTY
        return Card(folder, name_of(folder, study), status, asked(study), 0, planned, notes=damage)
    begun = results.untrained or (planned is None and not (folder / "report.md").is_file())  # as its frames were read
    wrong = list(results.damage)
    try:
        said = measured(results)
    except Exception as error:  # of tables that someone has altered, say: one study takes no other with it
        said, wrong = {}, [*wrong, f"what was found cannot be read ({type(error).__name__}: {error})"]
    return Card(
        folder,
        name_of(folder, study),
        DAMAGED if wrong else INCOMPLETE if begun else FINISHED,
        asked(study),
        len(results.runs),
        planned,
        int((results.runs["status"] == "diverged").sum()),
        figure=headline(study, folder),
        notes=(*wrong, *(line.partition(";")[0] for line in results.untrained)),
        **said,
    )


def measured(results: Any) -> dict[str, Any]:
    """Read what a study's frames say."""
    from actlab.analysis.pages.gallery import labels, numbers, sentences
    from actlab.analysis.report import study_cells

    frames = results.runs, results.steps, results.layers, results.lacking, results.predictions
    cells = study_cells(results.study, results.manifest, *frames)
    said = sentences(results.study, cells, results.path)
    return {"activations": labels(cells), "facts": numbers(cells), "findings": said}


def name_of(folder: Path, study: dict[str, Any]) -> str:
    """Return a study's name, or that of its folder."""
    return str(study.get("study") or Path(os.path.abspath(folder)).name)


def asked(study: dict[str, Any]) -> str:
    """Return a study's question."""
    return str(study.get("question") or "")
