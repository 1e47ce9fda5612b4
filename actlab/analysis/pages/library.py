"""Vega, Vega-Lite and vega-embed as one script, kept in this user's cache: bundling takes three seconds."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

DIGEST = 64  # letters that stand before the script


@lru_cache(maxsize=1)
def library() -> str:
    """Return the script, from the cache where it is there whole, and this user's own."""
    path = place()
    kept = read(path)
    if kept:
        return kept
    import vl_convert

    script = str(vl_convert.javascript_bundle()).replace("\r", "")  # type: ignore[call-arg]
    with suppress(OSError):  # a page needs no cache
        write(path, script)
    return script


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
