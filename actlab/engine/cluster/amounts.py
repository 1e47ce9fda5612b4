"""What a cluster file may say of memory, time and text, checked here: dask-jobqueue and Slurm would not say how.

Slurm is asked days before a job runs, and dask-jobqueue takes a word for an amount of memory; so each is a type.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

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
        raise ValueError(f"expected an amount from 2MB to 1PB, such as 2GB, not {quoted(value)}")
    return value.strip()


def job_memory(value: Any) -> Any:
    """Check an amount of memory as Slurm reads it; 0 is all that a node has.

    >>> job_memory("4000"), job_memory("2G"), job_memory("0")
    ('4000', '2G', '0')
    """
    if not isinstance(value, str) or not OF_JOB.fullmatch(value):
        raise ValueError(f"expected an amount as Slurm reads it, such as 2G or 4000M, not {quoted(value)}")
    return value


def walltime(value: Any) -> Any:
    """Check a time limit as Slurm reads it.

    >>> [walltime(one) for one in ("90", "02:00:00", "1-12", "7-00:00:00", "unlimited")][-1]
    'unlimited'
    """
    text = str(value) if type(value) is int else value  # minutes
    if not isinstance(text, str) or not WALLTIME.fullmatch(text) or not re.search("[1-9a-z]", text.lower()):
        raise ValueError(
            f"expected a time as Slurm reads it, as 02:00:00, 1-12:00:00, 90 (minutes) or unlimited, "
            f"not {quoted(value)}"
        )
    return text


def line(value: Any) -> Any:
    """Check a text that goes into one line of the script.

    >>> line("--gres=gpu:1")
    '--gres=gpu:1'
    """
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > LONGEST:
        raise ValueError(f"expected one line of at most {LONGEST} letters, not {quoted(value)}")
    return value


def shell_line(value: Any) -> Any:
    """Check a command of the shell, which may have several lines."""
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_OF_SHELL:
        raise ValueError(f"expected a line of the shell of at most {LONGEST_OF_SHELL} letters, not {quoted(value)}")
    return value


def quoted(value: object) -> str:
    """Quote a value that may be anything, and as large.

    >>> quoted("x" * 100), quoted([1])
    ("'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…", '[1]')
    """
    try:
        text = repr(value[:50] if isinstance(value, str) else value)
    except (ValueError, RecursionError):  # an integer of thousands of digits; a list that holds itself
        text = f"this {type(value).__name__}"
    return text if len(text) <= 42 else f"{text[:41]}…"


Memory = Annotated[str, BeforeValidator(memory)]
JobMemory = Annotated[str, BeforeValidator(job_memory)]
Walltime = Annotated[str, BeforeValidator(walltime)]
Line = Annotated[str, BeforeValidator(line)]
ShellLine = Annotated[str, BeforeValidator(shell_line)]
