"""What ``describe --html`` does: activations on a page for a browser, their story, a slider for each parameter."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from actlab import limits
from actlab.activations import STORY, Activation
from actlab.cli.output import at_work
from actlab.cli.terminal import one_line, say
from actlab.naming import counted
from actlab.outputs import making

if TYPE_CHECKING:
    from actlab.analysis.pages.graphs import Entry

ALL, SOME = Path("results/catalogue"), Path("results/described")  # where the page goes without --out


def write(words: list[str], story_only: bool, out_dir: Path | None) -> None:
    """Write the page of activations, by default of the whole catalogue, and say where it is.

    Args:
        words: as ``activations.asked`` takes them.
        story_only: without a word, of those alone of which there is a story.
        out_dir: the folder; ``results/catalogue`` without one, or ``results/described`` of what ``words`` name.

    Raises:
        ActivationError: see ``activations.asked``; or the story does not tell of an activation.
        ClaimsError: a study's table of claims cannot be read.
        OutputError: something stands in the way in the folder.
    """
    limits.require_addresses()
    from actlab.analysis.pages.catalogue import write_page
    from actlab.cli.activations import asked, in_story
    from actlab.engine import devices

    devices.check()
    out_dir = out_dir or (SOME if words or story_only else ALL)
    records = asked(words or (list(STORY) if story_only else []))
    if story_only:
        in_story(records)
    at_work(f"computing curves and theory of {counted(len(records), 'activation')}")
    text = page(records, out_dir, whole=not words)
    with making(out_dir) as made:
        path = write_page(text, made.at)
    say(one_line(made.final(path)))


def page(records: Sequence[Activation], out_dir: Path, whole: bool = False) -> str:
    """Compute what the page shows, and write it.

    Args:
        records: of the catalogue, or users' own.
        out_dir: the folder that it stands in.
        whole: with the claims about all activations of the story.

    Raises:
        ClaimsError: a study's table of claims cannot be read.
    """
    from dataclasses import asdict

    from actlab.activations import properties
    from actlab.analysis import story
    from actlab.analysis.catalogue import all_looks
    from actlab.analysis.pages import catalogue
    from actlab.cli.activations import gaussian_moments, looks
    from actlab.cli.theory_block import theory_row
    from actlab.later import pd
    from actlab.theory.story import CHAIN, ROWS

    styles = all_looks(looks(records))
    table = properties.table(records)
    moments = [gaussian_moments(record) for record in records]
    for column in moments[0]:
        table[column] = [one[column] for one in moments]
    return catalogue.page(
        [
            entry(record, kinks, styles[record.name].colour)
            for record, kinks in zip(records, table["kinks"], strict=True)
        ],
        table,
        pd.DataFrame(map(theory_row, records)),
        {name: asdict(row) for name, row in ROWS.items() if any(record.name == name for record in records)},
        {"name": "", "claims": CHAIN if whole else {}},
        story.verdicts(Path("results")),
        out_dir,
    )


def entry(record: Activation, kinks: str, colour: str) -> "Entry":
    """Compute an activation's curves, and put them beside what its record says.

    Args:
        record: the activation.
        kinks: where it has some, as the table of properties writes them.
        colour: its own.
    """
    from actlab.activations import parameter_grids
    from actlab.analysis.pages.graphs import Entry

    z = parameter_grids.points([float(one.replace("−", "-")) for one in kinks.split(", ") if one])
    over = parameter_grids.sliders(record)
    shared = ("name", "family", "formula", "latex", "cases", "derivative_formula", "derivative_latex", "reference")
    said = {name: getattr(record, name) for name in (*shared, "weight_init", "parameters", "learnable", "closed_form")}
    return Entry(**said, z=z, sliders=over, curves=tuple(parameter_grids.curves(record, z, over)), colour=colour)
