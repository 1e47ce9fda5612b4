"""The parts of a trial as they are stored: a study, or numbers that a file computed, with the verdicts on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actlab.analysis.verdicts import Part

PAGE = "report.html"
NUMBERS, MEASURED = "measured.csv", "measured.json"
"""What a computed part keeps: its numbers, and where and by which file they were made."""


def read_json(path: Path) -> dict[str, Any]:
    """Read what a trial keeps of itself.

    Raises:
        DamageError: it is not what was written.
    """
    from actlab.engine.files import DamageError

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamageError(f"{path}: cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise DamageError(f"{path}: is not what `actlab trial` wrote")
    return found


def part_of(folder: Path, about: Mapping[str, Any]) -> Part | None:
    """Read a part of a trial; None of one that was not run.

    Args:
        folder: the part's.
        about: what the trial keeps of itself.
    """
    from actlab.analysis import redrawn, scopes, verdict_pictures, verdicts
    from actlab.analysis.deciding import in_file
    from actlab.study.yaml_text import bounded_load

    found = verdicts.read(folder)
    if not found:
        return None
    again = verdicts.again(Path(about["of"]), folder.name, about["quick"])
    path = folder / "study.yaml"
    if not path.is_file():
        kept, rule = read_json(folder / MEASURED), f"sources/{folder.name}.py"
        machine = " and ".join(dict.fromkeys(kept[key] for key in ("processor", "platform") if key in kept))
        made = (f"{machine}, JAX {kept['jax']}", rule, again, found)
        return verdicts.Part(folder.name, *made, measured=NUMBERS, deciding=in_file(folder / rule, found))
    study, _ = bounded_load(path.read_text(encoding="utf-8"), str(path))
    figures = frozenset(one.stem for one in (folder / "figures").glob("*.png"))
    titles, drawn = verdict_pictures.titles(folder / "report.md"), redrawn.titles(found, folder)
    rule, html = str(study.get("claims")), (folder / PAGE).is_file()
    about_study = (scopes.scope_of(study), rule, again, found, figures, True, html, titles)
    deciding, on = in_file(folder / rule, found), scopes.splits_of(study)
    own = {one.id: scopes.scope_of(study, scopes.used(one.under)) for one in found}
    return verdicts.Part(folder.name, *about_study, redrawn=drawn, deciding=deciding, splits=on, narrower=own)
