"""Which of a study's runs a command means: by its name, or how that begins."""

from typing import TYPE_CHECKING

import typer

from actlab.aliases import close
from actlab.commands import typed
from actlab.naming import brief, counted, listed

if TYPE_CHECKING:
    from actlab.engine.results import Results


def runs_of(results: "Results", name: str) -> list[str]:
    """List the runs of an activation, by its label, or by what it is called in its file."""
    labels = results.runs["activation"].astype(str)
    called = labels.str.partition("(")[0]
    is_it = (labels == name) | (called == name) | (called.str.rpartition(":")[2] == name)
    return [str(one) for one in results.runs.loc[is_it, "run"]]


def one_run(results: "Results", begins: str) -> str:
    """Return the name of the only run that begins so.

    Raises:
        BadParameter: there is none, or several; one that is stored and not asked for any more is said to be left out.
    """
    names = [name for name in results.runs["run"] if name.startswith(begins)]
    of_activation = runs_of(results, begins)
    if len(names) == 1 and (not of_activation or of_activation == names):
        return str(names[0])
    if of_activation:
        also = f", and how {counted(len(names), 'run')} begin" if names else ""
        what = f"'{begins}' is the name of an activation, of {counted(len(of_activation), 'run')}{also}"
        hashes = listed([*dict.fromkeys([*names, *of_activation])], 8)
        raise typer.BadParameter(f"{results.path}: {what}; choose one by its hash: {hashes}")
    from actlab.engine.earlier import why_left_out

    if not names and (why := why_left_out(results.left_out, begins)):
        raise typer.BadParameter(f"{results.path}: {why}")
    if names:
        several = f"{counted(len(names), 'run')} begin with {brief(begins)}"
        raise typer.BadParameter(f"{results.path}: {several}; choose from {listed(names, 8)}")
    meant = close(begins, [*results.runs["run"], *dict.fromkeys(results.runs["activation"].astype(str))])
    way_out = f"did you mean '{meant}'?" if meant else f"its runs are listed by `{typed('runs', results.path)}`"
    raise typer.BadParameter(f"{results.path}: there is no run {brief(begins)}; {way_out}")
