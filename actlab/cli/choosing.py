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
    left_out = [name for name in results.left_out if name.startswith(begins)]
    if not names and left_out:
        from actlab.engine.earlier import reasons

        why = f"its study.yaml does not ask for it any more ({reasons([results.left_out[left_out[0]]])})"
        raise typer.BadParameter(f"{results.path}: {left_out[0]} is stored, and left out, since {why}")
    from actlab.naming import nearest

    several = f"{counted(len(names), 'run')} begin with '{begins}'"
    problem = several if names else f"there is no run '{begins}'"
    raise typer.BadParameter(f"{results.path}: {problem}{nearest(begins, names or list(results.runs['run'][:8]))}")
