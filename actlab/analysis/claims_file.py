"""A study's claims file: what it lists is checked before anything is trained for it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from actlab import sources
from actlab.analysis.claims import SIGNATURE, Across, Claim, ClaimsError, name_of

MOST_CLAIMS = 1000
OUTDATED = f"""{SIGNATURE}.
A study's folder gets the current file by `actlab run CONFIG`, which trains only what is missing"""


def load(path: Path) -> tuple[Claim | Across, ...]:
    """Load the functions that a study's file lists in ``CLAIMS``.

    Raises:
        ClaimsError: there is no such file, it does not run, lists nothing, or is written for an earlier version.
    """
    if not os.path.isfile(path):
        raise ClaimsError(f"{path}: there is no such claims file")
    try:
        sources.tried(f"{__name__}:load", path)
        with sources.reading(), sources.contained():
            module = sources.import_file(path)
    except sources.SourceError as error:
        cause = error.__cause__
        if isinstance(cause, ImportError) and (cause.name or "").startswith(__name__.rpartition(".")[0]):
            raise ClaimsError(f"{error}; {OUTDATED}") from cause
        raise ClaimsError(str(error)) from cause
    listed: Any = vars(module).get("CLAIMS")
    claims = tuple(listed) if type(listed) in (list, tuple) else ()
    if not claims:
        raise ClaimsError(f"{path}: needs CLAIMS, a list; {SIGNATURE}")
    if len(claims) > MOST_CLAIMS:
        raise ClaimsError(f"{path}: CLAIMS holds {len(claims):,} claims; it may hold {MOST_CLAIMS:,}")
    for claim in claims:
        if isinstance(claim, Across):
            continue
        try:
            arguments = needed(claim) if callable(claim) else None
        except (TypeError, ValueError):  # a built-in one may not say
            arguments = None
        if arguments is None or len(arguments) != 1:
            takes = "is no function" if arguments is None else f"takes ({', '.join(arguments)})"
            raise ClaimsError(f"{path}: {name_of(claim)} {takes}; {OUTDATED}")
    return claims


def needed(claim: Callable[..., Any]) -> list[str]:
    """List the arguments that a claim must be given; none where that is not known."""
    try:
        return [one.name for one in inspect.signature(claim).parameters.values() if one.default is one.empty]
    except (TypeError, ValueError):  # of some that are written in C
        return []
