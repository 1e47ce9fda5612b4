"""What JAX computes on here, asked of a process of its own: asking takes hold of an accelerator, or ends it."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import find_spec

from actlab.compiler_flags import CLIENT_DEFAULTS, SAFE
from actlab.jax_settings import PINNED
from actlab.study.reading import StudyError

ASK = "import jax; print(jax.default_backend(), jax.local_device_count())"
QUIET = {"JAX_COMPILATION_CACHE_DIR", *(name.upper() for name in PINNED)}  # any text will do, or none is heeded
SECONDS = 300  # the first accelerator of a cold machine takes its time


def unusual(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick what somebody has set for JAX or XLA, and may keep them from starting.

    >>> unusual({"JAX_PLATFORMS": "cuda", "JAX_ENABLE_X64": "1", "HOME": "/"}), unusual({"JAX_PLATFORMS": "cpu"})
    ({'JAX_PLATFORMS': 'cuda'}, {})
    """
    found = {name: value for name, value in environment.items() if name.startswith("JAX_") and name not in QUIET}
    if found.get("JAX_PLATFORMS") in ("", "cpu"):
        del found["JAX_PLATFORMS"]
    if flags := environment.get("XLA_FLAGS", "").replace(SAFE, "").strip():
        found["XLA_FLAGS"] = flags
    return found


def has_accelerator() -> bool:
    """Whether an accelerator's library is installed; of most installations that settles the matter."""
    return bool(find_spec("jax_plugins") or find_spec("libtpu") or entry_points(group="jax_plugins"))


def check() -> None:
    """Refuse settings with which JAX does not start, if any are set: it would say so without words, or end the process.

    Raises:
        StudyError: names them, and says what to do.
    """
    if unusual(os.environ):
        ask()


def ask() -> tuple[str, int]:
    """Ask JAX which platform it chooses, in a process as workers are, and the number of its devices.

    Raises:
        StudyError: it does not start.
    """
    flags = os.environ.get("XLA_FLAGS", "").replace(SAFE, "").strip()  # ours comes and goes, and decides nothing here
    return answer(tuple(sorted((CLIENT_DEFAULTS | os.environ | {"XLA_FLAGS": flags}).items())))


@lru_cache(maxsize=1)
def answer(environment: tuple[tuple[str, str], ...]) -> tuple[str, int]:
    """Return what JAX answers with some variables of the environment.

    Raises:
        StudyError: it finds no device, or not in time.
    """
    variables = dict(environment)
    safe = {"PYTHONSAFEPATH": "1", "PYTHONINSPECT": "", "PYTHONWARNINGS": ""}
    try:
        done = subprocess.run(
            [sys.executable, "-c", ASK],
            env=variables | safe,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise StudyError(f"{named(variables)}JAX has not found its devices in {SECONDS} seconds") from None
    found = re.search(r"^(\S+) (\d+)$", done.stdout, re.MULTILINE)
    if done.returncode == 0 and found:
        return found[1], int(found[2])
    asked = unusual(variables).get("JAX_PLATFORMS") or unusual(variables).get("JAX_PLATFORM_NAME")
    said = reason(done.stderr) or (f"no device of the platform {asked} is found" if asked else "no word of why")
    unset = f"unset {' and '.join(unusual(variables))}, or mend what is said there" if unusual(variables) else "see JAX"
    raise StudyError(f"{named(variables)}JAX does not start here: {said}; {unset}")


def named(variables: Mapping[str, str]) -> str:
    """Begin a message with what is set."""
    return "".join(f"{name}={value[:60]}: " for name, value in unusual(variables).items())


def reason(text: str) -> str:
    """Find the sentence that says why in what JAX or XLA has printed; empty where there is none.

    >>> reason("Traceback:\\n  File ...\\nRuntimeError: Unable to initialize backend 'tpu': no such file (set X)\\n")
    "Unable to initialize backend 'tpu': no such file"
    >>> reason("F1126 10:16:09.345068    9938 parse_flags_from_env.cc:234] Unknown flag in XLA_FLAGS: --xla_nosuch=1")
    'Unknown flag in XLA_FLAGS: --xla_nosuch=1'
    """
    said = re.findall(r"^(?:\w*Error: |F\d{4} .*?\] )(.+)$", text, re.MULTILINE)
    return re.sub(r" \(.*$", "", said[-1]).rstrip(".")[:300] if said else ""
