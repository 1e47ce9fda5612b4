"""Compiled programs are kept where they belong, or not at all; a run never fails for it."""

import os
import subprocess
import sys

import pytest

import actlab
from actlab.engine import compiled

SCRIPT = """
from actlab.engine import compiled
compiled.WORTH_SECONDS = 0.0
compiled.enable_compilation_cache()
import jax
assert jax.jit(lambda x: x * 2 + 1)(3.0) == 7.0
"""


def kept(cache, **environment):
    """List the programs below a cache folder after a process has compiled one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment = inherited | {"XDG_CACHE_HOME": str(cache)} | environment
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, capture_output=True, timeout=120)
    return sorted(path.relative_to(cache).parts[:2] for path in cache.rglob("*-cache")) if cache.is_dir() else []


def test_in_a_folder_of_this_kind_of_processor(tmp_path):
    assert set(kept(tmp_path)) == {("actlab", "programs")}
    (folder,) = (tmp_path / "actlab" / "programs").iterdir()
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
def test_what_cannot_be_used_is_compiled_from_scratch(tmp_path, damage):
    cache = tmp_path / "cache"
    if damage == "no folder":
        cache.write_text("a file")
    else:
        kept(cache)
        for path in cache.rglob("*-cache"):
            path.write_bytes(path.read_bytes()[:100])
    kept(cache)


# JAX itself keeps nothing here, however long a busy machine takes to compile: what it read cannot be written again.
WHOLE = """
import sys
from actlab.engine import compiled
compiled.WORTH_SECONDS = float("inf")
compiled.enable_compilation_cache()
import jax, numpy as np
x = np.linspace(-3.0, 3.0, 1000, dtype=np.float32).reshape(10, 100)
def compile():
    print("compiled", end=" ")
    return jax.jit(lambda x: jax.numpy.tanh(x @ x.T).sum()).lower(x).compile()
print(compiled.kept(("a program", x.shape), compile)(x).item())
"""


def whole(cache, script=WHOLE, **environment):
    """Return what a process prints that asks for one program, and where it is kept."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment = inherited | {"XDG_CACHE_HOME": str(cache)} | environment
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, timeout=120)
    return done.stdout.decode().split(), sorted(cache.rglob("whole/*"))


def test_a_program_is_found_whole_and_computes_the_same_bits(tmp_path):
    (first, value), (path,) = whole(tmp_path)
    assert first == "compiled"
    before = path.read_bytes()
    assert whole(tmp_path) == ([value], [path])
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["torn", "altered", "not a program", "another's name"])
def test_a_whole_program_that_cannot_be_used_is_compiled_from_scratch(tmp_path, damage):
    (_, value), (path,) = whole(tmp_path)
    good = path.read_bytes()
    middle = len(good) // 2
    altered = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    signed = compiled.digest(path, b"no pickle") + b"no pickle"
    named = compiled.digest(path.with_name("other"), good[32:]) + good[32:]
    damaged = {"torn": good[:1000], "altered": altered, "not a program": signed, "another's name": named}
    path.write_bytes(damaged[damage])
    assert whole(tmp_path) == (["compiled", value], [path])
    assert whole(tmp_path) == ([value], [path])


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
def test_another_users_program_is_not_read(tmp_path):
    whole(tmp_path)
    as_another = WHOLE.replace(
        "compiled.enable_compilation_cache()", "compiled.enable_compilation_cache(); compiled.os.getuid = lambda: 12345"
    )
    assert whole(tmp_path, as_another)[0][0] == "compiled"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
def test_a_program_that_others_can_write_is_not_read(tmp_path):
    (_, value), (path,) = whole(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o622)
    assert whole(tmp_path) == (["compiled", value], [path])
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_can_only_be_read_is_of_use(tmp_path):
    (_, value), _ = whole(tmp_path)
    utime = "def refused(*_): raise PermissionError\ncompiled.os.utime = refused\ncompiled.enable_compilation_cache()"
    assert whole(tmp_path, WHOLE.replace("compiled.enable_compilation_cache()", utime))[0] == [value]


def test_a_program_depends_on_flags_settings_and_actlab_itself(tmp_path):
    whole(tmp_path)
    flags = os.environ.get("XLA_FLAGS", "")
    assert whole(tmp_path, XLA_FLAGS=f"{flags} --xla_cpu_enable_fast_min_max=true")[0][0] == "compiled"
    assert whole(tmp_path, JAX_DEFAULT_MATMUL_PRECISION="highest")[0][0] == "compiled"
    edited = WHOLE.replace(
        "compiled.enable_compilation_cache()",
        "compiled.enable_compilation_cache(); compiled.own_code = lambda: 'edited'",
    )
    assert whole(tmp_path, edited)[0][0] == "compiled"
    upgraded = (
        "version = compiled.version\ncompiled.version = lambda name: '99' if name == 'jaxlib' else version(name)\n"
    )
    assert (
        whole(
            tmp_path,
            WHOLE.replace("compiled.enable_compilation_cache()", f"{upgraded}compiled.enable_compilation_cache()"),
        )[0][0]
        == "compiled"
    )
    assert len(whole(tmp_path)[1]) == 5


def test_what_jax_read_from_its_own_files_is_not_written_again(tmp_path):
    """Such a program would be found, and then fail for want of its machine code."""
    by_jax = WHOLE.replace(
        "compiled.enable_compilation_cache()", "compiled.WORTH_SECONDS = 0.0\ncompiled.enable_compilation_cache()"
    )
    (_, value), (path,) = whole(tmp_path, by_jax)
    path.unlink()
    assert whole(tmp_path, by_jax) == (["compiled", value], [])


def test_the_least_recently_used_programs_go_first(tmp_path):
    program = WHOLE.replace('"a program"', 'f"program {sys.argv[1:]}"')
    programs = {}
    for name in "abc":
        script = program.replace("sys.argv[1:]", repr(name))
        _, after = whole(tmp_path, script)
        programs[name] = (script, *(set(after) - {path for _, path in programs.values()}))
    os.utime(programs["a"][1], (1, 1))
    whole(tmp_path, programs["a"][0])  # used again
    size = programs["a"][1].stat().st_size
    script = program.replace("sys.argv[1:]", "'d'").replace(
        "cache()", f"cache(); compiled.MOST_BYTES = {int(size * 3.5)}"
    )
    _, after = whole(tmp_path, script)
    assert len(after) == 3
    assert programs["a"][1] in after
    assert programs["b"][1] not in after


STUDY = """
study: s
data: {name: iris}
model: {activation: tanh, width: 4}
train: {learning_rate: 1e-2, steps: 6, batch_size: 8}
measure: {every: 3, evaluate_every: 3}
sweep: {seeds: 1, matrix: {model.depth: [2, 3]}}
report: {tables: [], figures: []}
"""


def test_a_study_is_the_same_with_programs_from_the_disk(tmp_path, monkeypatch):
    """One with a function of the user's is not found whole: it may use what no hash of its file knows of."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "mine.py").write_text("import jax.numpy as jnp\ndef own(z):\n    return jnp.tanh(z)\n")

    def part(name, *overrides):
        results = actlab.run(tmp_path / "s.yaml", overrides, out=tmp_path / name, workers=1)
        return results, [path.read_bytes() for path in sorted((tmp_path / name / "parts").glob("*.parquet"))]

    (_, first), count = part("first"), len(list(tmp_path.rglob("whole/*")))
    assert count == 4
    assert part("second")[1] == first
    # A process that finds a program has never lowered it, and JAX finds LAPACK where it lowers what needs it.
    factorised = ["model.weight_init=orthogonal", "measure.probes=default,stable_rank,effective_rank"]
    (_, first), count = part("factorised", *factorised), len(list(tmp_path.rglob("whole/*")))
    assert count == 8
    assert part("factorised-again", *factorised)[1] == first
    own, _ = part("own", f"model.activation={tmp_path}/mine.py:own")
    assert len(own.runs) == 2
    assert len(list(tmp_path.rglob("whole/*"))) == count
