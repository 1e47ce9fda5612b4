"""Which files of the user's a study's folder may have run, and what is said of them first.

``run`` notes in the manifest the checksum of every file that it copies to ``sources/``. Whoever is then asked to run
one of them out of the folder holds it to that (see ``sources.vetting``).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from actlab import commands, sources
from actlab.engine.files import StoreError
from actlab.engine.manifest import MANIFEST, read_manifest
from actlab.engine.results import Results
from actlab.study.overrides import override
from actlab.study.reading import StudyError, parse

TO_REPORT = "--trust runs it as it is, --no-claims runs none"
TO_MODEL = "trust=True runs it as it is"
TO_RUN = "a folder of results is a record: copy study.yaml and sources/ elsewhere to alter them, and run that"


def newly(folder: Path) -> str:
    """Say how a folder's files are written again."""
    command = commands.typed("run", "CONFIG", "--out", folder)
    return f"`{command}` with the study's own configuration for CONFIG writes them, and trains nothing"


def to_report(results: Results, trust: bool, tell: Callable[[str], Any]) -> dict[str, str] | None:
    """Vet the files that a report of a study runs, and say which they are.

    Returns:
        what may be run, for ``sources.only``.

    Raises:
        UntrustedError: see ``sources.vet``.
    """
    report = results.study.get("report") or {}
    asked = {"tables": report.get("tables"), "figures": report.get("figures"), "claims": results.study.get("claims")}
    named = sources.named_in(asked)
    files = None if trust else sources.vet(results.path, named, results.manifest, f"{TO_REPORT}; {newly(results.path)}")
    if named:
        listed = ", ".join(str(results.path / name) for name in named)
        why = (
            "They are run as they are, because --trust says so"
            if trust
            else "Checksums match: nothing was altered since `actlab run` copied them there, which does not say who "
            "wrote them"
        )
        tell(f"Runs {listed}, and what they import. {why}; --no-claims runs nothing.")
    return files


def to_model(folder: Path, study: Mapping[str, Any], trust: bool) -> dict[str, str] | None:
    """Vet every file that a study names; likewise."""
    try:
        manifest = read_manifest(folder)
    except StoreError:  # a study.yaml alone, with functions of the catalogue's
        manifest = {}
    return None if trust else sources.vet(folder, sources.named_in(study), manifest, f"{TO_MODEL}; {newly(folder)}")


def to_run(config: Path, overrides: Sequence[str] = ()) -> dict[str, str] | None:
    """Vet the files that a study names whose YAML file is that of a folder of results; None where it is none.

    Those that overrides name are held to the same: what lies in the folder's ``sources/`` may be put back.

    Of a folder of an older version, whose manifest has no checksums, nothing is known: it is run as any other file.

    Raises:
        UntrustedError: see ``sources.vet``.
    """
    if config.name != "study.yaml" or not config.with_name(MANIFEST).is_file():
        return None
    try:
        noted, (study, _) = read_manifest(config.parent), parse(config)
    except (StoreError, StudyError):  # whoever reads it as a study says why
        return None
    named = [*sources.named_in(study), *named_by(overrides, config.parent)]
    return sources.vet(config.parent, named, noted, TO_RUN) if sources.COPIES in noted else None


def named_by(overrides: Sequence[str], folder: Path) -> list[str]:
    """List the Python files that overrides name and that are there, as a folder's own study would name them."""
    changed: dict[str, Any] = {}
    with suppress(StudyError):  # whoever reads it as a study says why
        for text in overrides:
            override(changed, text, {})
    paths = [Path(name) for name in sources.named_in(changed) if Path(name).is_file()]
    real = folder.resolve()
    return [str(one.relative_to(real) if one.is_relative_to(real) else one) for one in paths]
