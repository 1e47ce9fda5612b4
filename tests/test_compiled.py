"""Compiled programs are kept where they belong, or not at all; what is no program of ours is never loaded, and healed.

One tiny function stands for all programs; ``ask`` wants it as a worker does, without tracing it or lowered.
"""

import logging
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import actlab
from actlab.engine import cache_folder, compiled, compiling
from actlab.engine.cache_folder import Refused, Unusable

FUNCTION = jax.jit(lambda x: jnp.tanh(x @ x.T).sum())
X = np.linspace(-2.0, 3.0, 1000, dtype=np.float32).reshape(10, 100)
SECONDS = 60  # in which a process that hangs is found out
FUZZED = 200  # damaged files; 20,000 were tried once


@pytest.fixture(autouse=True)
def hangs_are_failures():
    def give_up(*_):
        raise TimeoutError("it hangs")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of this process's programs, new."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(compiled, "given_to_jax", None)
    compiled.say_once.cache_clear()
    compiled.enable_compilation_cache()
    yield compiled.folder
    compiled.folder = None


def ask(lowered=False, made_from="a program"):
    """Return whether a program had to be compiled; it must compute what it should."""
    made = []

    def compile():
        made.append(FUNCTION.lower(X).compile())
        return made[-1]

    program = compiled.kept(made_from, compile, FUNCTION.lower(X) if lowered else None)
    assert program(X) == FUNCTION(X)
    return bool(made)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fifo(path, good, other):
    path.unlink()
    os.mkfifo(path)


def link_to(target):
    def link(path, good, other):
        path.unlink()
        path.symlink_to(target(path))

    return link


def folder_of_something(path, good, other):
    path.unlink()
    (path / "within").mkdir(parents=True)
    (path / "within" / "file").write_bytes(good)


def sparse(path, good, other):
    os.truncate(path, 10 * 2**30)


def elsewhere(path):
    target = path.parents[1] / "elsewhere"
    target.write_bytes(path.read_bytes() if path.exists() else b"")
    return target


def whole_elsewhere(path, good, other):
    """What is good in itself, reached through a link."""
    target = path.parents[1] / "elsewhere"
    path.rename(target)
    path.symlink_to(target)


FAULTS = {
    "empty": lambda path, good, other: path.write_bytes(b""),
    "torn": lambda path, good, other: path.write_bytes(good[:1000]),
    "only a digest": lambda path, good, other: path.write_bytes(good[:32]),
    "junk": lambda path, good, other: path.write_bytes(random.Random(1).randbytes(len(good))),
    "zeros, as after a full disk": lambda path, good, other: path.write_bytes(good[:4096] + bytes(len(good) - 4096)),
    "no program, with a digest": lambda path, good, other: path.write_bytes(cache_folder.digest(path, b"no") + b"no"),
    "another's name": lambda path, good, other: path.write_bytes(other),
    "longer": lambda path, good, other: path.write_bytes(good + b"\0"),
    "pipe": fifo,
    "folder": folder_of_something,
    "sparse": sparse,
    "endless": link_to(lambda path: "/dev/zero"),
    "random": link_to(lambda path: "/dev/urandom"),
    "dangling": link_to(lambda path: path.parents[1] / "nowhere"),
    "link to itself": link_to(lambda path: path),
    "link to a good one": whole_elsewhere,
    "group can write": lambda path, good, other: path.chmod(0o620),
    "others can write": lambda path, good, other: path.chmod(0o602),
    "cannot be read": lambda path, good, other: path.chmod(0o000),
}


@pytest.mark.parametrize("lowered", [False, True])
def test_what_is_no_program_of_ours_is_not_loaded_and_is_healed(cache, lowered, caplog):
    """Both kinds: found by what it was made from, and by what it was lowered to."""
    assert ask(lowered, "another")
    (other,) = files(cache).values()
    assert ask(lowered)
    (path,) = (cache / name for name, content in files(cache).items() if content != other)
    caplog.set_level(logging.INFO, "actlab.compiled")
    for fault, damage in FAULTS.items():
        assert not ask(lowered), fault
        damage(path, path.read_bytes(), other)
        caplog.clear()
        if fault == "cannot be read" and os.getuid() == 0:  # to whom everything is readable
            continue
        assert ask(lowered), fault
        (line,) = caplog.messages
        assert line.startswith(f"{path} cannot be used, and its program is compiled from scratch: "), fault
        assert "\n" not in line
        assert path.lstat().st_mode & 0o170777 == 0o100600, fault
    assert not ask(lowered)
    assert not (cache.parent / "nowhere").exists()
    assert sorted(path.name for path in cache.parent.iterdir()) == ["elsewhere", cache.name]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
def test_another_users_program_is_not_loaded(cache, monkeypatch):
    assert ask()
    with monkeypatch.context() as as_another:
        as_another.setattr(cache_folder.os, "getuid", lambda: 12345)
        assert ask()  # the folder is theirs, so that nothing of it is read
    (path,) = cache.iterdir()
    if os.getuid() == 0:
        os.chown(path, 12345, 12345)
        assert ask()
        assert path.stat().st_uid == 0
    assert not ask()


def test_two_that_were_exchanged(cache):
    assert ask(made_from="begin")
    assert ask(made_from="proceed")
    one, other = cache.iterdir()
    one.rename(cache / "third")
    other.rename(one)
    (cache / "third").rename(other)
    assert ask(made_from="begin")
    assert ask(made_from="proceed")
    assert not ask(made_from="begin")


def test_fuzzed(tmp_path):
    """Whatever happens to its bytes, it is read as it was written, or not at all."""
    path = tmp_path / "program"
    content = random.Random(0).randbytes(3000)
    cache_folder.write(path, content)
    good = path.read_bytes()
    for seed in range(FUZZED):
        dice = random.Random(seed)
        at, many = dice.randrange(len(good)), dice.randrange(1, 200)
        new = dice.choice((dice.randbytes(many), bytes(many), b"", good[:many], good[at : at + many] * 2))
        damaged = good[:at] + new + good[at + dice.choice((0, len(new), many)) :]
        path.write_bytes(damaged)
        if damaged == good:
            assert cache_folder.read(path) == content
        else:
            with pytest.raises(Unusable):
                cache_folder.read(path)


@pytest.mark.parametrize("most", [0, 10, 3000])
def test_a_disk_that_is_full(cache, most):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        assert ask()
        assert ask()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(cache.iterdir())
    assert ask()
    assert not ask()


def test_what_a_killed_process_left_is_removed_and_the_least_recently_used_go_first(cache, monkeypatch):
    for name in "abc":
        assert ask(made_from=name)
    paths = sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for path in paths:
        os.utime(path, (1, 1 + paths.index(path)))
    assert not ask(made_from="a")  # used again
    for name, age in {"new-old": 1, "new-now": None}.items():
        (cache / name).write_bytes(b"half")
        if age:
            os.utime(cache / name, (age, age))
    (cache / "junk").touch()
    os.truncate(cache / "junk", 10 * 2**30)  # does not take the others' room
    monkeypatch.setattr(cache_folder, "MOST_BYTES", int(paths[0].stat().st_size * 3.5))
    assert ask(made_from="d")
    assert len(list(cache.iterdir())) == 4
    assert (cache / "new-now").exists()
    assert paths[1] not in cache.iterdir()
    assert not ask(made_from="a")


MODES = (0o000, 0o022, 0o077, 0o777)


def test_the_folder_is_this_users_alone_whatever_the_umask(tmp_path, monkeypatch):
    for umask in MODES:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"{umask:o}" / "cache"))
        before = os.umask(umask)
        try:
            folder = cache_folder.programs_folder(None)
            cache_folder.write(folder / "program", b"content")
        finally:
            os.umask(before)
        folders = [folder, *folder.parents[:5]]
        assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
        assert (folder / "program").stat().st_mode & 0o777 == 0o600
        for path in folders[:4]:  # as an earlier version left it
            path.chmod(0o777)
        assert cache_folder.programs_folder(None) == folder
        assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


def open_to_all(path):
    path.mkdir(parents=True)
    path.chmod(0o777)


def to_nowhere(path):
    path.parent.mkdir(parents=True)
    path.symlink_to(path.with_name("nowhere"))


def around(path):
    path.parent.mkdir(parents=True)
    path.symlink_to(path)


def through_an_open_folder(path):
    open_to_all(path.with_name("open"))
    (path.with_name("open") / "mine").mkdir(mode=0o700)
    path.symlink_to(path.with_name("open") / "mine")


def a_file(path):
    path.parent.mkdir(parents=True)
    path.write_text("a file")


def of_another(path):
    path.mkdir(parents=True)
    os.chown(path, 12345, 12345)


def linked_by_another(path):
    path.with_name("mine").mkdir(parents=True)
    path.symlink_to(path.with_name("mine"))
    os.lchown(path, 12345, 12345)


REFUSED = {  # what is in the way of the cache folder, and what is said
    "open to all": (open_to_all, "can be written by others, who could put programs there; chmod go-w "),
    "a link to nowhere": (to_nowhere, "is a symbolic link to .*nowhere, which does not exist"),
    "a link to itself": (around, "too many symbolic links"),
    "a link to a folder that others can exchange": (through_an_open_folder, "/open can be written by others"),
    "a file": (a_file, "is not a folder"),
    "another's": (of_another, r"belongs to another user \(12345\), who could put programs there"),
    "another's link": (linked_by_another, r"belongs to another user \(12345\), who could lead elsewhere"),
}


@pytest.fixture
def entered_by_all():
    """A folder that other users can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
def test_a_folder_that_others_could_write_is_not_used(entered_by_all, monkeypatch, caplog):
    """One line says why, and once; nothing is made there."""
    tmp_path = entered_by_all
    for where, (make, why) in REFUSED.items():
        if make in (of_another, linked_by_another) and os.getuid() != 0:
            continue
        cache = tmp_path / where / "cache"
        make(cache)
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(Refused, match=why) as refused:
            cache_folder.programs_folder(None)
        assert "\n" not in str(refused.value)
        assert sorted(tmp_path.rglob("*")) == before, where
        caplog.clear()
        cache_folder.say_if_refused()
        (record,) = caplog.records
        assert record.levelname == "WARNING"  # which reaches stderr also where nobody listens
        assert record.message.startswith("actlab: compiled programs are not kept, so that every start compiles from")
        compiled.enable_compilation_cache()
        assert compiled.folder is None
        assert compiled.kept("a program", lambda: "compiled") == "compiled"
        monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "0")
        caplog.clear()
        cache_folder.say_if_refused()
        assert not caplog.records
        monkeypatch.delenv("JAX_ENABLE_COMPILATION_CACHE")
    actlabs = tmp_path / "actlabs" / "actlab"
    monkeypatch.setenv("XDG_CACHE_HOME", str(actlabs.parent))
    open_to_all(actlabs)
    if os.getuid() == 0:
        os.chown(actlabs, 12345, 12345)
        with pytest.raises(Refused, match=r"actlab belongs to another user \(12345\)$"):
            cache_folder.programs_folder(None)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files have no owners here")
def test_a_folder_that_is_safe_in_another_way_is_used(entered_by_all, monkeypatch):
    """Moved elsewhere by a link, below a folder with the sticky bit, or below one that no one else can enter."""
    tmp_path = entered_by_all
    (tmp_path / "scratch").mkdir()
    (tmp_path / "linked").symlink_to("./scratch/../scratch")
    open_to_all(tmp_path / "sticky" / "shared")
    (tmp_path / "sticky" / "shared").chmod(0o1777)
    (tmp_path / "closed").mkdir(mode=0o700)
    open_to_all(tmp_path / "closed" / "open")
    for where in ("linked", "sticky/shared", "closed/open"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / where))
        folder = cache_folder.programs_folder(None)
        cache_folder.write(folder / "program", b"content")
        assert cache_folder.read(folder / "program") == b"content"


def test_jax_itself_keeps_nothing_and_a_folder_of_the_users_is_looked_at_too(cache, entered_by_all):
    """JAX loads whatever it finds under the right name; its files of earlier versions are gone."""
    tmp_path = entered_by_all
    for name in ("jit_begin-0123-cache", "jit_begin-0123-atime", ".lockfile"):
        (cache.parent / name).touch()
    cache_folder.forget_what_jax_kept.cache_clear()
    compiled.enable_compilation_cache()
    assert list(cache.parent.iterdir()) == [cache]
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = [jax.config.values[name] for name in names]
    for name, value in zip(names, (str(tmp_path / "own"), 0.0), strict=True):
        jax.config.update(name, value)
    try:
        jax.jit(lambda x: x * 3 + 1)(3.0)  # of the user's: JAX has its folder open
        assert list((tmp_path / "own").glob("*-cache"))
        (tmp_path / "own").chmod(0o755)
        for path in (tmp_path / "own").iterdir():
            path.unlink()
        compiled.enable_compilation_cache()
        assert compiled.folder == tmp_path / "own" / "whole"
        jax.jit(lambda x: x * 2 + 1)(3.0)
        assert ask()
        compiled.enable_compilation_cache()  # for the next job
        assert not ask()
        assert [path.name for path in (tmp_path / "own").iterdir()] == ["whole"]
        assert not list(cache.iterdir())
        (tmp_path / "own").chmod(0o777)
        compiled.enable_compilation_cache()
        assert compiled.folder is None
        jax.config.update(names[0], "gs://bucket/programs")
        compiled.enable_compilation_cache()
        assert compiled.folder is None
        jax.config.update("jax_enable_compilation_cache", False)
        (tmp_path / "own").chmod(0o700)
        jax.config.update(names[0], str(tmp_path / "own"))
        compiled.enable_compilation_cache()
        assert compiled.folder is None
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
        for name, value in zip(names, before, strict=True):
            jax.config.update(name, value)


def test_a_folder_that_can_only_be_read_is_of_use(cache, monkeypatch):
    assert ask()

    def refused(*_, **__):
        raise PermissionError(13, "refused")

    monkeypatch.setattr(compiled.os, "utime", refused)
    monkeypatch.setattr(cache_folder.tempfile, "mkstemp", refused)
    assert not ask()
    assert ask(made_from="another")
    assert ask(made_from="another")


def test_a_program_depends_on_flags_settings_trees_and_actlab_itself(cache, monkeypatch):
    assert ask()
    with jax.default_matmul_precision("highest"):
        assert ask()
    for name, value in {
        "own_code": lambda: "edited",
        "version": lambda name, known=compiled.version: "99" if name == "jaxlib" else known(name),
    }.items():
        with monkeypatch.context() as patch:
            patch.setattr(compiled, name, value)
            assert ask()
    monkeypatch.setenv("XLA_FLAGS", f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_enable_fast_min_max=true")
    assert ask()
    assert len(list(cache.iterdir())) == 5

    def lowered(argument, result):
        made = jax.jit(lambda given: {result: given[argument] + 1}).lower({argument: X})
        program = compiled.kept("trees", made.compile, made)
        return program({argument: X})[result]

    for argument, result in (("a", "b"), ("a", "c"), ("d", "b")):  # the same text, called with other trees
        assert np.array_equal(lowered(argument, result), X + 1)


def test_what_calls_back_into_python_is_not_kept(cache):
    """It holds the address of a function in this process."""

    def back(x):
        return jax.pure_callback(lambda x: np.asarray(x) + 1, jax.ShapeDtypeStruct((), jnp.float32), x)

    lowered = jax.jit(back).lower(np.float32(1))
    assert compiled.kept("it calls back", lowered.compile, lowered)(np.float32(1)) == 2
    assert not list(cache.iterdir())


# Two devices, each with its program, and one whose program calls LAPACK, which JAX finds where it is lowered.
OTHER_PROCESS = """
import sys
import jax, numpy as np
from actlab.engine import compiled
compiled.enable_compilation_cache()
x = np.linspace(-2.0, 3.0, 1000, dtype=np.float32).reshape(10, 100)
def compile():
    print("compiled", end=" ")
    return jax.jit(lambda x: jax.numpy.linalg.svd(x)[1].sum()).lower(x).compile()
print(compiled.kept("a program", compile)(x).item())
made = compiled.on_first_call("doubled", jax.jit(lambda x: x * 2))
for device in jax.devices():
    print(made(jax.device_put(x, device)).devices() == {device})
"""


def test_another_process_finds_the_program_and_computes_the_same_bits(tmp_path):
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"

    def process():
        command = [sys.executable, "-c", OTHER_PROCESS]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120)
        return done.stdout.split(), {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("whole/*")}

    (first, *values), paths = process()
    assert first == "compiled"
    assert values[1:] == ["True", "True"]
    contents = {path: path.read_bytes() for path in tmp_path.rglob("whole/*")}
    assert len(contents) == 3
    again, there = process()
    assert again == values
    assert set(there) == set(paths)
    assert {path: path.read_bytes() for path in contents} == contents


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
    """One with a function of the user's is found once it is traced: it may use what no hash of its file knows of."""
    signal.alarm(0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "s.yaml").write_text(STUDY)
    (tmp_path / "mine.py").write_text("import jax.numpy as jnp\ndef own(z):\n    return jnp.tanh(z)\n")

    def part(name, *overrides):
        results = actlab.run(tmp_path / "s.yaml", overrides, out=tmp_path / name, workers=1)
        assert len(results.runs) == 2
        parts = [path.read_bytes() for path in sorted((tmp_path / name / "parts").glob("*.parquet"))]
        return parts, {path: path.stat().st_ino for path in tmp_path.rglob("whole/*")}

    # A process that finds a program has never lowered it, and JAX finds LAPACK where it lowers what needs it.
    factorised = ["model.weight_init=orthogonal", "measure.probes=stable_rank,effective_rank"]
    first, there = part("first", *factorised)
    assert len(there) == 4
    assert part("second", *factorised) == (first, there)
    own = ["measure.probes=signal_grad_norm", f"model.activation={tmp_path}/mine.py:own"]
    first, there = part("own", *own)
    assert len(there) == 8
    assert part("own-again", *own) == (first, there)


def test_a_commands_own_process_leaves_a_folder_given_to_jax_to_the_workers(tmp_path):
    """JAX would open what lies there unseen, and make it by the umask; a pipe would be read for ever."""
    os.mkfifo(tmp_path / "jit_f-cache")
    code = (
        "import sys; sys.argv = ['actlab', '--version']\nfrom actlab import cli\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "from actlab.engine import cache_folder\nimport jax; print(jax.config.jax_compilation_cache_dir, "
        "cache_folder.given())"
    )
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"None {tmp_path}"


def test_a_folder_of_an_unknown_user_is_not_used():
    with pytest.raises(cache_folder.Refused, match="~nosuchuser/x: is of an unknown user"):
        cache_folder.programs_folder("~nosuchuser/x")


@pytest.mark.parametrize(
    ("turn", "most", "first"), [(None, 2, None), (0, 1, "train"), (1, 1, "measure"), (2, 1, "train")]
)
def test_workers_that_share_the_cores_compile_one_program_at_a_time(monkeypatch, turn, most, first):
    """From opposite ends, so that one is done before another comes to it; a worker that is alone compiles two."""
    working, seen, order = [], [], []

    def kept(made_from, compile=None, lowered=None):
        if compile is None:
            return None
        name = made_from[0]
        order.append(name)
        working.append(name)
        if turn is None:
            both.wait(10)  # for another to begin
        else:
            time.sleep(0.05)  # in which another could
        seen.append(len(working))
        working.remove(name)
        return name

    both = threading.Barrier(2)
    shape = SimpleNamespace(activations=(), own_measures=(), optimizer=SimpleNamespace(source=None), spec=None)
    names = ("train", "start", "evaluate", "measure")
    monkeypatch.setattr(compiled, "kept", kept)
    monkeypatch.setattr(compiling, "programs", lambda *_: None)
    monkeypatch.setattr(compiling, "spec_of", lambda name, spec: spec)
    monkeypatch.setattr(compiling, "arguments_of", lambda *_: dict.fromkeys(names))
    made = compiling.compiled_programs(shape, None, None, None, (None, None), (2, 2), turn)
    assert sorted(order) == sorted(names)
    assert [getattr(made, name) for name in names] == list(names)
    assert max(seen) == most
    assert first in (None, order[0])
