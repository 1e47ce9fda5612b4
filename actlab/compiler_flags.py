"""The flag without which some versions of XLA give wrong numbers on a processor. No JAX here: it must be set before.

Since jaxlib 0.10.2 XLA hands reductions, and what it fuses into them, to YNNPACK, and some of them come back wrong
without a word: Σ (A x)² over many rows x (0.10.2), or Σ (E C) ∘ E over a batch of matrices E and a constant C, which is
read from uninitialised memory (all versions up to the newest that was tried). Where reductions are not handed over,
both are right. ``tests/test_compiled_numbers.py`` shows that, and holds all that actlab computes against it.
"""

import mmap
import os
import re
import sys
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

FLAG = "--xla_cpu_experimental_ynn_fusion_type"
SAFE = f"{FLAG}=-reduce"
FIRST_WRONG = (0, 10, 2)
LAST_TRIED = (0, 12, 0, 1)
# Set by the command line and for workers, where the user's environment says nothing else: by default XLA takes most of
# an accelerator's memory as soon as JAX starts.
CLIENT_DEFAULTS = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


@cache
def ensure() -> bool:
    """Set the flag, for this process and those that it starts, if the installed jaxlib needs it.

    Every room that computes with JAX calls this when it is imported. XLA reads its flags when JAX first computes
    something: where that was before, or where the user's own flags say otherwise, a warning says what to do, once.

    Returns:
        whether this process computes as it should.
    """
    try:
        jaxlib = version("jaxlib")
    except PackageNotFoundError:
        return True
    if not needs_flag(jaxlib):
        return True
    flags = as_text(os.environ.get("XLA_FLAGS", ""))
    own = setting(flags)
    is_late = own is None and has_started()
    os.environ["XLA_FLAGS"] = with_flag(flags)
    if not is_late and (own is None or reductions_stay(own)):
        return True
    current = f"with {FLAG}={own}" if own is not None else "without"
    warnings.warn(
        f"jaxlib {jaxlib} computes some reductions on a processor wrongly, unless JAX starts with {SAFE} in XLA_FLAGS. "
        f"Here it starts {current}: leave that to actlab, and import actlab before JAX computes anything.",
        stacklevel=2,
    )
    return False


def needs_flag(jaxlib: str) -> bool:
    """Whether a version of jaxlib is wrong without the flag; of one newer than any tried, whether it knows the flag.

    XLA ends the process over a flag that it does not know.

    >>> needs_flag("0.10.1"), needs_flag("0.10.2"), needs_flag("0.12.0.1")
    (False, True, True)
    """
    return numbers(jaxlib) >= FIRST_WRONG and (numbers(jaxlib) <= LAST_TRIED or installed_xla_knows_flag())


def numbers(release: str) -> tuple[int, ...]:
    """Parse the numbers of a version, to be compared.

    >>> numbers("0.12.0.1"), numbers("0.13.0.dev20270101+cuda12")
    ((0, 12, 0, 1), (0, 13, 0))
    """
    return tuple(int(number) for number in re.findall(r"\d+", release.partition(".dev")[0].partition("+")[0]))


@cache
def installed_xla_knows_flag() -> bool:
    """Whether the flag's name stands in the installed library, which takes a fifth of a second to say."""
    spec = find_spec("jaxlib")
    if spec is None or spec.origin is None:
        return False
    for library in Path(spec.origin).parent.glob("libjax_common.*"):
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if content.find(FLAG.lstrip("-").encode()) >= 0:
                return True
    return False


def as_text(flags: str) -> str:
    """Return the flags themselves, where XLA_FLAGS names a file that holds them, as it may.

    >>> as_text("--xla_dump_to=here")
    '--xla_dump_to=here'
    """
    if not flags.strip() or flags.lstrip().startswith("-"):
        return flags
    try:
        return Path(flags).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # XLA itself will say that there is no such file
        return flags


def with_flag(flags: str) -> str:
    """Return the user's flags and this one; what they say of it themselves stays.

    >>> with_flag(""), with_flag("--xla_dump_to=here --xla_cpu_experimental_ynn_fusion_type=")
    ('--xla_cpu_experimental_ynn_fusion_type=-reduce', '--xla_dump_to=here --xla_cpu_experimental_ynn_fusion_type=')
    """
    is_file = flags.strip() and not flags.lstrip().startswith("-")
    return flags if setting(flags) is not None or is_file else f"{flags} {SAFE}".strip()


def setting(flags: str) -> str | None:
    """Return what some flags say of this one: the last time, which is what XLA heeds; None if nothing.

    >>> setting("--xla_cpu_experimental_ynn_fusion_type=+dot --xla_dump_to=here")
    '+dot'
    """
    values = re.findall(rf"{FLAG}=(\S*)", flags)
    return values[-1].strip("'\"") if values else None


def reductions_stay(value: str) -> bool:
    """Whether a value of the flag keeps reductions from YNNPACK: takes them from the default, or lists only others.

    >>> [reductions_stay(value) for value in ("-reduce", "dot", "", "+dot", "dot,reduce")]
    [True, True, True, False, False]
    """
    kinds = {kind.lower().removeprefix("library_fusion_type_") for kind in value.split(",")}
    return "-reduce" in kinds if value.startswith(("+", "-")) else "reduce" not in kinds


def has_started() -> bool:
    """Whether JAX has already computed something in this process, and so read its flags."""
    bridge = sys.modules.get("jax._src.xla_bridge")
    return bool(getattr(bridge, "backends_are_initialized", bool)())
