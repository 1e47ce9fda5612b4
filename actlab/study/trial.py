"""A trial's file: the studies and computations whose claims together make one table, and how a quick one is smaller."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from actlab import commands
from actlab.naming import nearest
from actlab.study.fields import Section
from actlab.study.reading import EXPECTED, parse
from actlab.study.source import Source, StudyError, short_path

FILE, ALL, LINEAGE = "trial.yaml", "all", "lineage"
"""A trial's file; what overrides of all studies are under; and the folder of what is decided of the chain."""
QUICK = commands.QUICK
"""What the folder of a quick trial ends with: it never stands where the full one does."""


class Link(Section):
    """A fault, and what is said to repair it: ids of claims."""

    fault: str = Field(description="the claim that says of an activation that it has the fault")
    repair: str = Field(description="the claim that says of another that it repairs it")
    beside: bool = Field(
        False, description="whether that claim only stands beside the fault: it is shown, and counts as no repair"
    )


class TrialConfig(Section):
    """A whole trial file."""

    trial: str = Field(pattern=r"^[a-z0-9_-]+$", description="its name, and that of its folder, `results/<trial>`")
    question: str = Field("", description="what it is to decide")
    studies: list[str] = Field([], description="files of studies with claims, in the order in which they are trained")
    computed: list[str] = Field(
        [],
        description="files with claims on what they compute or measure themselves: a function `measure`, and `CLAIMS`",
    )
    lineage: list[Link] = Field([], description="the chain: faults and their repairs, by ids of claims")
    quick: dict[str, list[str]] = Field(
        {}, description="overrides that make studies small: `{all: [sweep.seeds=5], depth: [train.steps=100]}`"
    )
    quick_without: list[str] = Field([], description="studies that a quick trial has only where `--only` names them")


@dataclass(frozen=True)
class Trial:
    """A validated trial.

    Attributes:
        config: as its file says it.
        path: of the file.
        studies, computed: the files that it names; none is missing, no two have one name.
    """

    config: TrialConfig
    path: Path
    studies: tuple[Path, ...]
    computed: tuple[Path, ...]
    source: Source = field(repr=False, compare=False)

    def overrides(self, study: str, quick: bool) -> tuple[str, ...]:
        """Return what is overridden of a study: of a quick trial those of all, then its own."""
        return (*self.config.quick.get(ALL, ()), *self.config.quick.get(study, ())) if quick else ()

    def parts(self, quick: bool, only: Collection[str] = ()) -> tuple[Path, ...]:
        """Return the files to train or compute: those that are named, or all; of a quick trial those that it has."""
        without = self.config.quick_without if quick else ()
        files = (*self.studies, *self.computed)
        return tuple(path for path in files if (path.stem in only if only else path.stem not in without))


def read(folder: Path) -> Trial:
    """Read and validate a trial.

    Args:
        folder: with a ``trial.yaml``; or that file.

    Raises:
        StudyError: with file, line, key and what was expected.
    """
    path = folder / FILE if folder.is_dir() else folder
    if folder.is_dir() and not path.is_file():
        raise StudyError(f"{short_path(folder)}: has no {FILE}, which names the studies of a trial")
    raw, lines = parse(path)
    source = Source(path, lines, {})
    try:
        config = TrialConfig.model_validate(raw)
    except ValidationError as error:
        raise StudyError("\n".join(mistake(source, one) for one in error.errors())) from None
    if not config.studies and not config.computed:
        raise StudyError(f"{source.where()}: names neither studies nor computed claims")
    files = {key: tuple(path.parent / name for name in getattr(config, key)) for key in ("studies", "computed")}
    names: dict[str, Path] = {}
    for key, ones in files.items():
        for i, one in enumerate(ones):
            if not one.is_file():
                raise StudyError(f"{source.where(key, i)}: {key}: {short_path(one)}: no such file")
            if one.stem == LINEAGE:
                raise StudyError(
                    f"{source.where(key, i)}: {key}: '{LINEAGE}' is the name of the chain; rename the file"
                )
            if names.setdefault(one.stem, one) is not one:
                raise StudyError(f"{source.where(key, i)}: {key}: another file is called '{one.stem}'; rename one")
    there = [one.stem for one in files["studies"]]
    for name in config.quick:
        if name not in (ALL, *there):
            where = source.where("quick", name)
            raise StudyError(f"{where}: quick: {name}: is no study of this trial{nearest(name, [ALL, *there])}")
    for i, name in enumerate(config.quick_without):
        if name not in there:
            where = source.where("quick_without", i)
            raise StudyError(f"{where}: quick_without: {name}: is no study of this trial{nearest(name, there)}")
    return Trial(config, path, files["studies"], files["computed"], source)


def mistake(source: Source, one: Any) -> str:
    """Say what is wrong with a value of a trial's file, and what was expected."""
    place = tuple(one["loc"])
    key = ".".join(map(str, place))
    if one["type"] == "extra_forbidden":
        why = f"unknown key{nearest(key, TrialConfig.model_fields)}"
    elif one["type"] == "missing":
        why = "is missing"
    else:
        expected = EXPECTED.get(one["type"])
        why = f"expected {expected}" if expected else str(one["msg"]).lower()
    return f"{source.where(*place)}: {key}: {why}"
