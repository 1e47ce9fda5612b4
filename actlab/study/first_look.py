"""What can be told of a study before any file of the user's is run for it: all of that is to be right first."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from actlab import sources
from actlab.registry import Withheld, withheld
from actlab.study.reading import error_message
from actlab.study.schema import StudyConfig
from actlab.study.sections import SECTIONS
from actlab.study.source import Source, StudyError, short_path
from actlab.study.sweep import Place


def look(raw: Mapping[str, Any], source: Source) -> None:
    """Validate what can be told of a study's plain data without running a file of the user's.

    A study that names none is left to ``read``. Of one that does, a section that holds a user's function is told wrong
    only by its other keys; what follows from the function waits until it is run.

    Raises:
        StudyError: see ``read``.
    """
    if not sources.named_in(raw):
        return
    claims = raw.get("claims")
    if isinstance(claims, str) and not Path(claims).is_file():
        if (word := Path(claims).name).lower() in ("none", "no", "off"):
            raise StudyError(f"{source.where('claims')}: claims: expected a file, not '{word}'; did you mean 'null'?")
        raise StudyError(f"{source.where('claims')}: claims: {short_path(Path(claims))}: there is no such claims file")
    token = withheld.set(True)
    try:
        for section, place, plain in ((None, None, dict(raw)), *each_value(raw)):
            try:
                (SECTIONS[section] if section else StudyConfig).model_validate(plain)
            except ValidationError as error:
                others = [one for one in error.errors() if not is_withheld(one)]
                if others:
                    raise StudyError(error_message(source, error, place, section, others)) from None
    finally:
        withheld.reset(token)


def is_withheld(one: Mapping[str, Any]) -> bool:
    """Whether a value is found wrong only because it names a function that was not run."""
    return isinstance(one.get("ctx", {}).get("error"), Withheld)


def each_value(raw: Mapping[str, Any]) -> Iterable[tuple[str, Place, dict[str, Any]]]:
    """Yield each value of a sweep in its section alone: the section's name, the value's place, the section's values."""
    sweep = raw.get("sweep")
    matrix = sweep.get("matrix") if isinstance(sweep, dict) else None
    for key, values in (matrix or {}).items():
        name, *keys = key.split(".")
        base = raw.get(name) or {}
        if not isinstance(base, dict) or len(keys) != 1:
            continue
        for i, value in enumerate(values):
            yield name, ("sweep", "matrix", key, i), {**base, keys[0]: value}
