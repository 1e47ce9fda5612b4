"""Commands that messages name: whole, as they are typed, whatever letters a path has."""

import shlex
from pathlib import Path


def typed(*words: object) -> str:
    """Write a command of actlab's as a shell takes it.

    >>> typed("report", Path("my results"))
    "actlab report 'my results'"
    """
    return shlex.join(["actlab", *map(str, words)])


def resume(folder: Path, *overrides: str) -> str:
    """Write the command that trains what a study's folder lacks.

    >>> resume(Path("my r"), "sweep.seeds=2")
    "actlab run 'my r/study.yaml' sweep.seeds=2 --out 'my r'"
    """
    return typed("run", Path(folder) / "study.yaml", *overrides, "--out", folder)
