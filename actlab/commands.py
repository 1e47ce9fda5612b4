"""Commands that messages name: whole, as they are typed, whatever letters a path has."""

import json
import shlex
from pathlib import Path

TRIAL, QUICK = "trial.json", "_quick"
"""What a trial's folder keeps of itself, beside the folders of its studies; and what that of a quick one ends with."""


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


def home(folder: Path, study: str) -> Path:
    """Return the folder that a report names in commands: where its study stands by default, not where it was copied to.

    Args:
        folder: the study's; that of a trial's study is in the trial's, which says what it is called.
        study: its name.

    >>> home(Path("/tmp/copy"), "depth").as_posix()
    'results/depth'
    """
    try:
        about = json.loads((folder.absolute().parent / TRIAL).read_text(encoding="utf-8"))
        trial = f"{about['config']['trial']}{QUICK * bool(about['quick'])}"
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
    ):  # of no trial, or of a damaged one, which says so
        return Path("results") / study
    return Path("results") / trial / folder.absolute().name
