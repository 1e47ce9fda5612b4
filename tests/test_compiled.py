"""Compiled programs are kept where they belong, or not at all; a run never fails for it."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
from actlab.engine import compiled
compiled.WORTH_SECONDS = 0.0
compiled.keep()
import jax
assert jax.jit(lambda x: x * 2 + 1)(3.0) == 7.0
"""


def kept(cache, **environment):
    """The programs below a cache folder after a process has compiled one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment = inherited | {"XDG_CACHE_HOME": str(cache)} | environment
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, capture_output=True, timeout=120)
    return sorted(path.relative_to(cache).parts[:2] for path in cache.rglob("*-cache")) if cache.is_dir() else []


def test_in_a_folder_of_this_kind_of_processor(tmp_path):
    assert set(kept(tmp_path)) == {("actlab", "compiled")}
    (folder,) = (tmp_path / "actlab" / "compiled").iterdir()
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*-cache")}
    kept(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*-cache")} == before  # found, not made again


def test_where_the_user_says_or_not_at_all(tmp_path):
    assert kept(tmp_path / "a", JAX_ENABLE_COMPILATION_CACHE="0") == []
    (tmp_path / "own").mkdir()
    own = {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "own"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    kept(tmp_path / "b", **own)
    assert list((tmp_path / "own").glob("*-cache"))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("damage", ["no folder", "torn"])
def test_what_cannot_be_used_is_compiled_anew(tmp_path, damage):
    cache = tmp_path / "cache"
    if damage == "no folder":
        cache.write_text("a file")
    else:
        kept(cache)
        for path in cache.rglob("*-cache"):
            path.write_bytes(path.read_bytes()[:100])
    kept(cache)
