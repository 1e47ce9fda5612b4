"""Vega, Vega-Lite and vega-embed as one script, kept in this user's cache: bundling takes three seconds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

DIGEST = 64  # letters that stand before the script
BUNDLE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"


@lru_cache(maxsize=1)
def library() -> str:
    """Return the script, from the cache where it is there whole, and this user's own.

    Raises:
        ChildProcessError: it could not be bundled.
    """
    path = place()
    kept = read(path)
    if kept:
        return kept
    script = bundled()
    with suppress(OSError):  # a page needs no cache
        write(path, script)
    return script


def bundled() -> str:
    """Bundle the script in a process of its own: V8, which does it, may take the one that it runs in with it.

    Raises:
        ChildProcessError: it could not be.
    """
    made = subprocess.run([sys.executable, "-I", "-c", BUNDLE], capture_output=True, stdin=subprocess.DEVNULL)
    if made.returncode or not made.stdout:
        raise ChildProcessError(f"vl_convert could not bundle Vega (exit {made.returncode})")
    return made.stdout.decode().replace("\r", "")


def place() -> Path:
    """Return where the script of the installed vl-convert is kept."""
    from platformdirs import user_cache_path

    return user_cache_path("actlab") / "pages" / f"vega-{version('vl-convert-python')}.js"


def read(path: Path) -> str:
    """Read what ``write`` wrote; nothing where it is not there, is damaged, or could have been written by others."""
    try:
        about = path.lstat()
        text = path.read_text(encoding="utf-8") if about.st_uid == os.getuid() and not about.st_mode & 0o022 else ""
    except (OSError, UnicodeDecodeError):
        return ""
    digest, script = text[:DIGEST], text[DIGEST:]
    return script if hashlib.sha256(script.encode()).hexdigest() == digest else ""


def write(path: Path, script: str) -> None:
    """Keep a script behind its digest, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="new-")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(hashlib.sha256(script.encode()).hexdigest() + script)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
