"""Which of a study's runs a command means: by its name, or how that begins."""

from typing import TYPE_CHECKING

import typer

from actlab.naming import counted

if TYPE_CHECKING:
    from actlab.engine.results import Results


def one_run(results: "Results", begins: str) -> str:
    """Return the name of the only run that begins so.

    Raises:
        BadParameter: there is none, or several; one that is stored and not asked for any more is said to be left out.
    """
    names = [name for name in results.runs["run"] if name.startswith(begins)]
    if len(names) == 1:
        return str(names[0])
    from actlab.engine.earlier import why_left_out

    if not names and (why := why_left_out(results.left_out, begins)):
        raise typer.BadParameter(f"{results.path}: {why}")
    from actlab.naming import nearest

    several = f"{counted(len(names), 'run')} begin with '{begins}'"
    problem = several if names else f"there is no run '{begins}'"
    raise typer.BadParameter(f"{results.path}: {problem}{nearest(begins, names or list(results.runs['run'][:8]))}")
