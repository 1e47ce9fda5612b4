"""Which runs a study's folder was for once and is not any more, and why: kept, and left out of what is read.

``earlier.txt`` is written by ``run`` beside ``planned.txt``, where a study has changed: below a line with the number of
runs and their checksum, groups of runs, each below a line of JSON that says in the words of the YAML what today's plan
does not have of them: ``# {"model.activation": ["gelu"]}``. What is neither here nor planned is of another study.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from actlab import commands
from actlab.engine.files import content_of, write_text
from actlab.engine.planned import MOST_BYTES, RUN, PlannedError
from actlab.naming import listed

EARLIER = "earlier.txt"
HEAD = "# {} runs were planned here earlier; SHA-256 {}"
MOST_KEYS, MOST_VALUES = 4, 5
COMBINED = "a combination that it does not have"

Why = Mapping[str, tuple[str, ...]]
"""{key of the YAML: values that a run has and none of today's has}; empty where only their combination is none."""


def text_of(runs: Mapping[str, Why]) -> str:
    r"""Write runs with why they are not asked for.

    >>> print(text_of({"00000000000a": {"train.steps": ("12",)}}))
    # 1 runs were planned here earlier; SHA-256 b653ec3465febbbd9159f996755a0326
    # {"train.steps": ["12"]}
    00000000000a
    <BLANKLINE>
    """
    groups: dict[str, list[str]] = {}
    for run, why in runs.items():
        groups.setdefault(json.dumps({key: list(values) for key, values in why.items()}), []).append(run)
    lines = "".join(f"# {why}\n" + "".join(f"{run}\n" for run in sorted(groups[why])) for why in sorted(groups))
    return f"{HEAD.format(len(runs), hashlib.sha256(lines.encode()).hexdigest()[:32])}\n{lines}"


def read_earlier(folder: Path) -> dict[str, Why]:
    """Read the runs that were planned earlier; none in a folder whose study has not changed.

    Raises:
        PlannedError: they are not what was written.
    """
    try:
        text = content_of(folder / EARLIER, MOST_BYTES).decode()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise PlannedError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    runs: dict[str, Why] = {}
    why: Why = {}
    try:
        for line in text.splitlines()[1:]:
            if line.startswith("# "):
                why = {str(key): tuple(map(str, values)) for key, values in json.loads(line[2:]).items()}
            else:
                runs[line] = why
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise PlannedError("is not what was written") from None
    if not all(RUN.fullmatch(run) for run in runs) or text != text_of(runs):
        raise PlannedError("is not what was written")
    return runs


def write_earlier(folder: Path, runs: Mapping[str, Why]) -> None:
    """Write the runs that were planned earlier; without any there is no such file.

    Raises:
        StoreError: they cannot be written.
    """
    if runs:
        write_text(folder / EARLIER, text_of(runs))
    else:
        (folder / EARLIER).unlink(missing_ok=True)


def reasons(whys: Iterable[Why]) -> str:
    """Say in the words of the YAML why runs are not asked for.

    >>> reasons([{"model.activation": ("gelu",)}, {"model.activation": ("elu",), "train.steps": ("12",)}])
    'model.activation: gelu, elu; train.steps: 12'
    >>> reasons([{}])
    'a combination that it does not have'
    """
    joined: dict[str, dict[str, None]] = {}
    combined = False
    for why in dict.fromkeys(tuple(one.items()) for one in whys):
        combined |= not why
        for key, values in why:
            joined.setdefault(key, {}).update(dict.fromkeys(values))
    said = [f"{key}: {listed(values, MOST_VALUES)}" for key, values in joined.items()]
    hidden = [f"and {len(said) - MOST_KEYS} more keys"] if len(said) > MOST_KEYS else []
    return "; ".join([*said[:MOST_KEYS], *hidden, *([COMBINED] if combined else [])])


def why_left_out(left_out: Mapping[str, Why], begins: str) -> str:
    """Say why the first of the stored runs that begin so is left out; empty where none does.

    >>> why_left_out({"00ab": {"train.steps": ("12",)}}, "00")
    '00ab is stored, and left out, since its study.yaml does not ask for it any more (train.steps: 12)'
    """
    found = [name for name in left_out if name.startswith(begins)]
    if not found:
        return ""
    why = f"its study.yaml does not ask for it any more ({reasons([left_out[found[0]]])})"
    return f"{found[0]} is stored, and left out, since {why}"


def left_out_line(whys: Iterable[Why], by: str, prune: str) -> str:
    """Say of stored runs that they are not asked for, why, and how they are had removed.

    Args:
        whys: one for each run.
        by: the file that does not ask for them.
        prune: what to type, to have them removed.

    >>> print(left_out_line([{"train.steps": ("12",)}], "s.yaml", "--prune"))
    1 stored run is not asked for by s.yaml (train.steps: 12); kept, and left out of tables; `--prune` removes it
    """
    whys = list(whys)
    are, them = ("run is", "it") if len(whys) == 1 else ("runs are", "them")
    return (
        f"{len(whys)} stored {are} not asked for by {by} ({reasons(whys)}); kept, and left out of tables; "
        f"`{prune}` removes {them}"
    )


def pruning(folder: Path) -> str:
    """Return the command that removes what a folder's own study does not ask for."""
    return commands.typed("run", folder / "study.yaml", "--prune")
