"""The cluster file: what it may ask Slurm for, checked here: dask-jobqueue and Slurm would not say what is wrong.

dask-jobqueue takes a word for an amount of memory and then fails; Slurm takes it for days until a job runs.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from actlab.engine.cluster.common import ClusterError, shortened
from actlab.naming import brief, nearest
from actlab.study.fields import Section
from actlab.study.reading import Source, StudyError, parse, reason
from actlab.study.source import as_key

MOST_JOBS, MOST_CORES, MOST_LINES = 10_000, 4096, 1000  # more of either is a slip, and would be tried all the same
MOST_MISTAKES = 10  # that are listed
MEMORY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([kmgtp]i?)?b?", re.IGNORECASE)
OF_JOB = re.compile(r"\d{1,15}(?:[kmgt]b?)?", re.IGNORECASE)
WALLTIME = re.compile(r"\d{1,4}-\d{1,2}(?::\d{1,2}){0,2}|\d{1,6}(?::\d{1,2}){0,2}|unlimited|infinite", re.IGNORECASE)
LEAST, MOST = 2 * 10**6, 10**15  # bytes of a job
LONGEST, LONGEST_OF_SHELL = 1000, 10_000  # letters


def memory(value: Any) -> Any:
    """Check an amount of memory as dask reads it.

    >>> memory("2GB"), memory("1.5 TiB")
    ('2GB', '1.5 TiB')
    """
    found = MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
    power = "kmgtp".index(found[2][0].lower()) + 1 if found and found[2] else 0
    base = 1024 if found and (found[2] or "").lower().endswith("i") else 1000
    if found is None or not LEAST <= float(found[1]) * base**power <= MOST:
        raise ValueError(f"expected an amount from 2MB to 1PB, such as 2GB, not {brief(value)}")
    return value.strip()


def job_memory(value: Any) -> Any:
    """Check an amount of memory as Slurm reads it; 0 is all that a node has.

    >>> job_memory("4000"), job_memory("2G"), job_memory("0")
    ('4000', '2G', '0')
    """
    if not isinstance(value, str) or not OF_JOB.fullmatch(value):
        raise ValueError(f"expected an amount as Slurm reads it, such as 2G or 4000M, not {brief(value)}")
    return value


def walltime(value: Any) -> Any:
    """Check a time limit as Slurm reads it.

    >>> [walltime(one) for one in ("90", "02:00:00", "1-12", "7-00:00:00", "unlimited")][-1]
    'unlimited'
    """
    text = str(value) if type(value) is int else value  # minutes
    if not isinstance(text, str) or not WALLTIME.fullmatch(text) or not re.search("[1-9a-z]", text.lower()):
        raise ValueError(
            f"expected a time as Slurm reads it, as 02:00:00, 1-12:00:00, 90 (minutes) or unlimited, not {brief(value)}"
        )
    return text


def line(value: Any) -> Any:
    """Check a text that goes into one line of the script.

    >>> line("--gres=gpu:1")
    '--gres=gpu:1'
    """
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > LONGEST:
        raise ValueError(f"expected one line of at most {LONGEST} letters, not {brief(value)}")
    return value


def shell_line(value: Any) -> Any:
    """Check a command of the shell, which may have several lines."""
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_OF_SHELL:
        raise ValueError(f"expected a line of the shell of at most {LONGEST_OF_SHELL} letters, not {brief(value)}")
    return value


Memory = Annotated[str, BeforeValidator(memory)]
JobMemory = Annotated[str, BeforeValidator(job_memory)]
Walltime = Annotated[str, BeforeValidator(walltime)]
Line = Annotated[str, BeforeValidator(line)]
ShellLine = Annotated[str, BeforeValidator(shell_line)]


class SlurmConfig(Section):
    """A cluster file: what to ask Slurm for. The names are dask-jobqueue's; ``docs/cluster.md`` explains them."""

    jobs: int = Field(1, ge=1, le=MOST_JOBS)
    cores: int = Field(ge=1, le=MOST_CORES)
    memory: Memory
    platform: Literal["cpu", "gpu"] = "cpu"
    walltime: Walltime = "01:00:00"
    queue: Line | None = None
    account: Line | None = None
    interface: Line | None = None
    security: bool = True
    job_script_prologue: list[ShellLine] = Field([], max_length=MOST_LINES)
    job_extra_directives: list[Line] = Field([], max_length=MOST_LINES)
    job_directives_skip: list[Line] = Field([], max_length=MOST_LINES)
    job_cpu: int | None = Field(None, ge=1, le=MOST_CORES)
    job_mem: JobMemory | None = None
    python: Line | None = None
    local_directory: Line | None = None
    log_directory: Line | None = None
    shared_temp_directory: Line = "~"
    death_timeout: int = Field(60, ge=1, le=86400)


def promised(path: Path) -> tuple[str, int]:
    """Read what a cluster file says that its jobs train on, ``cpu`` or ``gpu``, and how many workers they hold."""
    config = read(path)
    return config.platform, config.jobs * config.cores


def log_directory(config: SlurmConfig, path: Path) -> Path | None:
    """Where Slurm writes what its jobs print, as the file says, relative to itself; None: where Slurm likes."""
    return None if config.log_directory is None else path.absolute().parent / config.log_directory


def read(path: Path) -> SlurmConfig:
    """Read and validate a cluster file.

    Raises:
        ClusterError: with file, line, key, what was expected and the nearest valid key.
    """
    try:
        raw, lines = parse(path)
    except StudyError as error:
        said = str(error).replace("the keys study, data, model, ...", "the keys cores, memory, ...")
        raise ClusterError(said) from None
    source = Source(path, lines, {})
    try:
        return SlurmConfig.model_validate(raw)
    except ValidationError as error:
        raise ClusterError("\n".join(mistake(source, one) for one in error.errors()[:MOST_MISTAKES])) from None


def mistake(source: Source, one: Any) -> str:
    """Put one mistake of a cluster file in words."""
    key = shortened(as_key(one["loc"]))
    if one["type"] == "extra_forbidden":
        why = f"unknown key{nearest(key, SlurmConfig.model_fields)}"
    elif one["type"] == "too_long":
        why = f"expected at most {one['ctx']['max_length']} lines, not {one['ctx']['actual_length']}"
    else:
        why = shortened(reason(one, one["loc"]))
    return f"{source.where(*one['loc'])}: {key}: {why}"


def place(path: Path, key: str) -> str:
    """``file:line`` of a key of a cluster file."""
    return Source(path, parse(path)[1], {}).where(key)
