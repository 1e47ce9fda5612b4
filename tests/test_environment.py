"""Where a run is executed: what would change its draws is pinned, what may change its last bits is in its row."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import actlab
from actlab import compiler_flags, jax_settings, sources
from actlab.activations import CATALOGUE
from actlab.analysis import cells, notes
from actlab.analysis.tables import TABLES
from actlab.engine import environment, loading, run_data, scheduling, store, worker_pools
from actlab.sources import installed, refusing
from actlab.study import plan as planning
from actlab.study import reading
from tests.synthetic import frames, rows
from tests.thinned import thinned

ROOT = Path(__file__).parents[1]


def threefry(key, counts):
    """Compute Threefry-2x32, 20 rounds (Salmon et al. 2011): two words of 32 bits for each pair of counts."""
    x0, x1 = (np.asarray(count, np.uint32) for count in counts)
    k0, k1 = (np.uint32(word) for word in key)
    keys = (k0, k1, k0 ^ k1 ^ np.uint32(0x1BD11BDA))
    with np.errstate(over="ignore"):
        x0, x1 = x0 + k0, x1 + k1
        for group in range(5):
            for rotation in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
                x0 = x0 + x1
                x1 = ((x1 << np.uint32(rotation)) | (x1 >> np.uint32(32 - rotation))) ^ x0
            x0 = x0 + keys[(group + 1) % 3]
            x1 = x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


def test_the_reference_implementation_is_threefry():
    """The known answers that its authors publish with their library."""
    for key, count, answer in (
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ):
        assert tuple(int(word) for word in threefry(key, count)) == answer


def bits(seed, number):
    """Draw what JAX draws when it cuts a draw so that parts of it can be made apart: entry i depends on i alone."""
    high, low = threefry((0, seed), (np.zeros(number, np.uint32), np.arange(number, dtype=np.uint32)))
    return high ^ low


def printed(code, **variables):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


HOSTILE = {
    "jax_default_prng_impl": "rbg",
    "jax_threefry_partitionable": False,
    "jax_random_seed_offset": 5,
    "jax_enable_custom_prng": True,
    "jax_legacy_prng_key": "error",
    "jax_high_dynamic_range_gumbel": True,
    "jax_enable_x64": True,
    "jax_explicit_x64_dtypes": "allow",
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
    "jax_debug_nans": True,
    "jax_debug_infs": True,
    "jax_debug_key_reuse": True,
    "jax_disable_jit": True,
    "jax_enable_checks": True,
    "jax_check_tracer_leaks": True,
    "jax_check_static_indices": True,
    "jax_error_checking_behavior_nan": "raise",
    "jax_error_checking_behavior_divide": "raise",
    "jax_error_checking_behavior_oob": "raise",
    "jax_transfer_guard": "disallow",
    "jax_array_garbage_collection_guard": "fatal",
    "jax_thread_guard": True,
    "jax_no_tracing": True,
    "jax_no_execution": True,
}
VARIABLES = {name.upper(): str(value).replace("True", "1").replace("False", "0") for name, value in HOSTILE.items()}
KNOWN = [name for name in HOSTILE if name in jax.config.values]
# A draw; of the old kind of key, and its type; a shape that is stretched; a key that is used twice; a NaN.
USED = """
import jax
import jax.numpy as jnp
import numpy as np


def used():
    key = jax.random.key(3)
    old = jax.random.PRNGKey(3)
    drawn = [jax.random.bits(one, (7,)).tolist() for one in (key, key, old)]
    drawn.append(jax.random.gumbel(key, (5,)).tolist())
    types = [str(old.dtype), str(jnp.zeros(1).dtype), str((jnp.ones(1, "int8") + jnp.ones(1, "float32")).dtype)]
    shape = jax.jit(lambda x: x[:, None] * jnp.ones(3))(np.ones(2, "float32")).shape
    return [drawn, types, list(shape), bool(jnp.isnan(jnp.log(-jnp.ones(1)))[0]), int(jnp.arange(3)[jnp.array(7)])]
"""
NAMESPACE = {}
exec(USED, NAMESPACE)
used = NAMESPACE["used"]


@pytest.fixture
def config():
    before = {name: jax.config.values[name] for name in KNOWN}
    yield jax.config
    for name, value in before.items():
        jax.config.update(name, value)


def test_a_setting_of_each_kind_is_pinned():
    assert set(HOSTILE) == set(jax_settings.PINNED)


@pytest.mark.parametrize("name", thinned(KNOWN, 3))
def test_no_configuration_changes_what_is_computed_and_each_is_left_as_it_was(name, config):
    with jax_settings.pinned():
        expected = used()
    assert expected[0][0] == bits(3, 7).tolist()
    config.update(name, HOSTILE[name])
    process = jax.config.values
    assert jax_settings.spelt(process[name]) == jax_settings.spelt(HOSTILE[name])
    with jax_settings.pinned():
        assert used() == expected
    assert jax.config.values == process


def test_all_of_them_together_and_what_is_set_within(config):
    with jax_settings.pinned():
        expected = used()
    for name in KNOWN:
        config.update(name, HOSTILE[name])
    before = jax.config.values
    with jax_settings.pinned():
        for name in KNOWN:  # as a user's file does when it is run
            config.update(name, jax_settings.PINNED[name])
        config.update("jax_default_matmul_precision", "highest")
        assert used() == expected
    assert jax.config.values == before


@pytest.mark.parametrize(
    ("platform", "of_user", "expected"),
    [("gpu", None, "highest"), ("cpu", None, None), ("gpu", "default", "default"), ("gpu", "float32", "float32")],
)
def test_an_accelerator_multiplies_in_the_precision_of_the_numbers(platform, of_user, expected, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    with jax.default_matmul_precision(of_user), jax_settings.exact_products():
        assert jax.config.jax_default_matmul_precision == expected
        lowered = jax.jit(lambda x: x @ x).lower(jax.numpy.zeros((2, 2))).as_text()
        assert ("precision = [HIGHEST" in lowered) == (expected in ("highest", "float32"))
        recorded = [f"jax_default_matmul_precision={expected}"] if expected else []
        assert [one for one in jax_settings.recorded() if "matmul" in one] == recorded
    assert jax.config.jax_default_matmul_precision is None


def test_a_context_of_the_users_is_left_as_it_was():
    with jax.enable_x64(True), jax.default_prng_impl("rbg"):
        before = jax.config.values
        with jax_settings.pinned():
            assert str(jax.numpy.zeros(1).dtype) == "float32"
        assert jax.config.values == before
    assert str(jax.numpy.zeros(1).dtype) == "float32"


def test_no_variable_of_the_environment_changes_what_is_computed():
    """In a process that has not imported JAX, nor does so before it computes."""
    code = f"from actlab import jax_settings\nwith jax_settings.pinned():\n    exec({USED!r})\n    print(used())"
    with jax_settings.pinned():
        assert printed(code, **VARIABLES) == str(used())
    draw = "print(jax.random.bits(jax.random.key(3), (7,)).tolist())"
    hostile = printed(f"import jax; {draw}", **{name: VARIABLES[name] for name in ("JAX_DEFAULT_PRNG_IMPL",)})
    assert hostile != str(bits(3, 7).tolist())  # it would


def test_every_setting_of_jax_is_decided_and_has_the_default_that_is_pinned():
    """What is not known to be harmless is recorded; here stand those that this version has beyond the lists."""
    code = "import os; [os.environ.pop(name) for name in list(os.environ) if name.startswith('JAX_')]; "
    code += "import json, jax; from actlab.jax_settings import spelt; "
    code += "print(json.dumps({name: spelt(value) for name, value in jax.config.values.items()}))"
    values = json.loads(printed(code))
    implied = {"jax_transfer_guard", "jax_array_garbage_collection_guard"}  # None allows
    for name, default in (jax_settings.PINNED | jax_settings.ROUNDING).items():
        if name in values and name not in implied:
            assert values[name] == jax_settings.spelt(default), name
    decided = {*jax_settings.PINNED, *jax_settings.ROUNDING}
    left = {name for name in values if name not in decided and not jax_settings.HARMLESS.search(name)}
    suspect = re.compile("random|prng|threefry|x64|dtype|promotion|nan|precision|optimi|jit")
    assert {name for name in left if suspect.search(name)} <= {"jax_threefry_gpu_kernel_lowering"}
    harmless = {name for name in values if name not in decided | left}
    assert not {name for name in harmless if suspect.search(name)}


OWN = """
import actlab
import jax
import jax.numpy as jnp
import numpy as np


@actlab.initializer("normal")
def narrow(fan_in, fan_out):
    return float(jnp.sqrt(1.0 / jnp.asarray(fan_in + 0.1)))


def rows():
    x = np.asarray(jax.random.normal(jax.random.PRNGKey(0), (90, 3)))
    return x, np.where(x[:, 0] > 0, "a", "b")


def stretched(z):
    return z * jnp.ones(z.shape[-1])
"""
PLANNED = """
study: own
data: {name: own.py:rows}
model: {activation: own.py:stretched, weight_init: own.py:narrow, depth: 2, width: 8}
train: {batch_size: 16}
"""


def test_a_plan_of_functions_that_ask_jax_is_the_same_in_any_session(config, tmp_path, monkeypatch):
    """Rows, a standard deviation and a shape that is stretched; and the session stays as it was."""
    monkeypatch.setenv("JAX_NUMPY_RANK_PROMOTION", "allow")
    plans = []
    for number in range(2):
        folder = tmp_path / str(number)  # else what was loaded the first time would be taken
        write(folder, {"own.py": OWN, "s.yaml": PLANNED})
        if number:
            for name in KNOWN:
                config.update(name, HOSTILE[name])
        before = jax.config.values
        plans.append(planning.plan(reading.read(folder / "s.yaml")).runs)
        assert jax.config.values == before
    assert list(plans[0]) == list(plans[1])
    (one, other) = (next(iter(runs.values())).numbers for runs in plans)
    assert one == other


SETS = """
import locale, os, sys, warnings

import jax
import matplotlib
import numpy as np

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_default_prng_impl", "rbg")
jax.config.update("jax_default_matmul_precision", "highest")
np.seterr(all="raise")
warnings.simplefilter("error")
matplotlib.rcParams["lines.linewidth"] = 7.0
sys.path.insert(0, os.path.dirname(__file__))
locale.setlocale(locale.LC_NUMERIC, "C")
os.environ["XLA_FLAGS"] = "--xla_cpu_enable_fast_math=true"
os.environ["ACTLAB_TEST_VARIABLE"] = "1"
k = 1.0
"""


def test_what_a_users_file_sets_for_the_process_is_undone(tmp_path):
    """Else the runs of a worker would depend on which others it has run."""
    import matplotlib as mpl

    def state():
        return jax.config.values, np.geterr(), list(warnings.filters), dict(mpl.rcParams), [*sys.path], {**os.environ}

    write(tmp_path, {"mine.py": SETS})
    before = state()
    assert sources.import_file(tmp_path / "mine.py").k == 1.0
    assert state() == before
    code = "import os, sys, pathlib; from actlab import sources; sources.import_file(pathlib.Path(sys.argv[1])); "
    code += "import jax, numpy; print(os.environ['XLA_FLAGS'], jax.numpy.zeros(1).dtype, numpy.geterr(), "
    code += "jax.config.jax_default_matmul_precision)"
    flags = "--xla_cpu_enable_fast_math=false"
    command = [sys.executable, "-c", code, str(tmp_path / "mine.py")]
    here = os.environ | {"XLA_FLAGS": flags}
    done = subprocess.run(command, cwd=ROOT, env=here, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{flags} float32 {np.geterr()} None"


def test_the_flag_that_makes_sums_right_stays_where_a_users_file_is_what_asks_for_it(tmp_path):
    write(tmp_path, {"mine.py": "from actlab.activations import activation\n"})
    code = "import os, sys, pathlib; from actlab import sources; sources.import_file(pathlib.Path(sys.argv[1])); "
    code += "from actlab import compiler_flags as c; from importlib.metadata import version; "
    code += "print((c.SAFE in os.environ.get('XLA_FLAGS', '')) == c.needs_flag(version('jaxlib')))"
    command = [sys.executable, "-c", code, str(tmp_path / "mine.py")]
    clean = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


ACT = """
import jax.numpy as jnp
from helper import scale
from pkg.more import shift


def bent(z, *, beta=0.5):
    from later import bend

    return scale(z) + shift(beta * bend(z))
"""
FILES = {
    "act.py": ACT,
    "helper.py": "from scipy.special import expit\n\n\ndef scale(z):\n    return float(expit(0.0)) * z\n",
    "later.py": "import jax.numpy as jnp\n\n\ndef bend(z):\n    return jnp.sin(z)\n",
    "pkg/__init__.py": "",
    "pkg/more.py": "from .deep import SHIFT\n\n\ndef shift(z):\n    return z + SHIFT\n",
    "pkg/deep.py": "SHIFT = 0.25\n",
    "unused.py": "1 / 0\n",
}
STUDY = """
study: own
data: {name: iris}
model: {activation: act.py:bent, depth: 2, width: 8}
train: {steps: 4, batch_size: 16, learning_rate: 1e-2}
measure: {every: 2, evaluate_every: 2, probes: [signal_grad_norm]}
report: {tables: [performance], figures: [], html: false}
"""


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_real_run_of_several_files_draws_the_same_under_any_variables(tmp_path):
    """Real workers, who have the study's own copies alone: the originals are gone, and others of their names about."""
    write(tmp_path / "mine", FILES | {"s.yaml": STUDY})
    command = [sys.executable, "-m", "actlab", "run"]
    here = os.environ | {"PYTHONPATH": str(ROOT)}

    def run(config, out, **variables):
        done = subprocess.run(
            [*command, str(config), "--out", str(out), "--workers", "1"],
            cwd=tmp_path / "mine",
            env=here | variables,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return actlab.load(out)

    first = run("s.yaml", tmp_path / "r")
    copied = {str(path.relative_to(tmp_path / "r" / "sources")) for path in (tmp_path / "r" / "sources").rglob("*.*")}
    assert copied == set(FILES) - {"unused.py"}
    for name in FILES:
        (tmp_path / "mine" / name).unlink()
    write(tmp_path / "mine", {"helper.py": "1 / 0\n", "later.py": "1 / 0\n", "pkg/__init__.py": "1 / 0\n"})
    (tmp_path / "again").mkdir()
    (tmp_path / "r" / "sources").rename(tmp_path / "again" / "sources")
    (tmp_path / "r" / "study.yaml").rename(tmp_path / "again" / "study.yaml")
    second = run(
        tmp_path / "again" / "study.yaml", tmp_path / "again" / "r", **VARIABLES, XLA_FLAGS="--xla_dump_to=/x/y"
    )
    for name in ("runs", "steps", "layers"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name), check_exact=True)
    row = first.runs.iloc[0]
    assert row["jax"] == jax.__version__
    assert row["runs_per_call"] == 4
    assert row["packages"] == f"scipy {version('scipy')}"
    assert first.manifest["versions"]["scipy"] == version("scipy")
    assert row["flags"] == (compiler_flags.SAFE if compiler_flags.needs_flag(version("jaxlib")) else "")


# The columns


def test_a_row_says_where_its_run_was_executed(monkeypatch):
    jax.devices()  # it would end the process over a flag that it does not know
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=1  --xla_dump_to=/home/me/dump --xla_b --xla_tuned=/home/me/best.txt")
    with jax.default_matmul_precision("highest"):
        columns = environment.environment_columns(4, 2, ["jax", "json", "pandas"])
    assert columns["flags"] == "--xla_a=1 --xla_b --xla_tuned=best.txt jax_default_matmul_precision=highest"
    assert columns["numpy"] == np.__version__
    assert (columns["runs_per_call"], columns["eval_chunks"]) == (4, 2)
    assert columns["packages"] == f"pandas {version('pandas')}"
    assert set(columns) == set(cells.ENVIRONMENT)
    assert "packages" not in environment.environment_columns(4, 2, ["jax"])


@pytest.fixture
def mylab(tmp_path, monkeypatch):
    """Install a package of a version, in a folder that counts as one of packages or not."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def install(number, slope, library=True):
        write(site, {"mylab/__init__.py": f"SLOPE = {slope}\n"})
        shutil.rmtree(site / "mylab.dist-info", ignore_errors=True)
        if number:
            metadata = f"Metadata-Version: 2.1\nName: mylab\nVersion: {number}\n"
            write(site / "mylab.dist-info", {"METADATA": metadata, "top_level.txt": "mylab\n"})
        monkeypatch.setattr(installed, "library_folders", lambda: (f"{site.resolve()}{os.sep}",) if library else ())
        refusing.is_library.cache_clear()
        sys.modules.pop("mylab", None)
        environment.packages.cache_clear()
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("mylab", None)
    refusing.is_library.cache_clear()
    environment.packages.cache_clear()


OF_MYLAB = {
    "a statement": "import mylab\ndef bent(z):\n    return z * mylab.SLOPE\n",
    "inside": "def bent(z):\n    from mylab import SLOPE\n    return z * SLOPE\n",
    "by name": "import importlib\ndef bent(z):\n    return z * importlib.import_module('mylab').SLOPE\n",
    "a helper": "from beside import SLOPE\ndef bent(z):\n    return z * SLOPE\n",
}


@pytest.mark.parametrize("way", thinned(OF_MYLAB, 3))
def test_a_package_that_a_users_file_imports_stands_in_the_row_with_its_version(way, mylab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"act.py": OF_MYLAB[way], "beside.py": "from mylab import SLOPE\n", "s.yaml": STUDY})
    rows = []
    for number, slope in (("1.0", 0.5), ("2.0", 0.25)):
        mylab(number, slope)
        planned = planning.plan(reading.read("s.yaml"))
        (run,) = planned.runs.values()
        rows.append({"run": run.id, **environment.environment_columns(4, 1, run.modules)})
        assert scheduling.packages_of(planned) == {"mylab": number}
    assert rows[0]["run"] == rows[1]["run"]
    assert [row["packages"] for row in rows] == ["mylab 1.0", "mylab 2.0"]
    assert notes.made_with(pd.DataFrame(rows), []) == (
        "Runs of this table were made with the packages mylab 1.0 and mylab 2.0."
    )


def test_code_that_no_version_tells_apart_stands_in_the_row_by_a_digest(mylab):
    texts = []
    for number, slope in (("1.0", 0.5), ("1.0", 0.25), ("", 0.5)):
        mylab(number, slope, library=False)
        texts.append(sources.packages(["mylab"]))
    first, second, third = (text.rpartition(" ") for text in texts)
    assert (first[0], second[0], third[0]) == ("mylab 1.0 editable", "mylab 1.0 editable", "mylab unknown")
    assert first[2] != second[2]
    assert first[2] == third[2]
    assert len(first[2]) == 12


def test_functions_that_import_other_packages_are_not_worth_a_word():
    runs, *_ = mixed(packages=("mylab 1.0, other 2.3", "more 1.1"))
    assert notes.made_with(runs, []) == ""


def test_flags_in_a_file_settings_and_variables_of_libraries_are_recorded(monkeypatch, tmp_path):
    (tmp_path / "flags.txt").write_text("--xla_a=1\n--xla_b=2\n")
    monkeypatch.setenv("XLA_FLAGS", str(tmp_path / "flags.txt"))
    assert environment.flags() == "--xla_a=1 --xla_b=2"
    monkeypatch.setenv("XLA_FLAGS", "")
    assert environment.flags() == ""
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.setenv("JAX_LOG_COMPILES", "1")  # changes no number
    monkeypatch.setenv("JAX_ENABLE_X64", "1")  # is pinned
    assert environment.flags() == "NVIDIA_TF32_OVERRIDE=0"
    unknown = next(name for name in ("jax_softmax_custom_jvp", "jax_use_direct_linearize") if name in jax.config.values)
    monkeypatch.setenv(unknown.upper(), "1")
    assert environment.flags() == f"{unknown}={jax.config.values[unknown]} NVIDIA_TF32_OVERRIDE=0"


@pytest.mark.parametrize("name", jax_settings.ROUNDING)
def test_what_may_change_rounding_is_recorded(name, monkeypatch):
    if name not in jax.config.values:
        pytest.skip("this JAX has it not")
    assert name not in " ".join(jax_settings.recorded())
    others = {"jax_default_matmul_precision": "highest", "jax_optimization_level": "O1", "jax_num_cpu_devices": 2}
    value = others.get(name, {True: False, False: True}.get(jax_settings.ROUNDING[name], 0.5))
    values = jax.config.values | {name: value}
    monkeypatch.setattr(type(jax.config), "values", property(lambda self: values))
    assert jax_settings.recorded() == [f"{name}={value}"]


def mixed(**columns):
    """A study's frames, every other run with another value."""
    runs, steps, layers = frames()
    for name, (one, other) in columns.items():
        runs = runs.drop(columns=name, errors="ignore")
        runs.insert(1, name, [one if i % 2 else other for i in range(len(runs))])
    return runs, steps, layers


def test_runs_of_one_cell_may_differ_in_where_they_ran_and_the_note_says_so():
    one_place = cells.build_cells(*frames())
    plain = {name: part.make(one_place) for name, part in TABLES.items()}
    runs, steps, layers = mixed(
        jax=("0.10.2", "0.9.1"), jaxlib=("0.10.2", "0.9.1"), runs_per_call=(4, 1), flags=("", "-x")
    )
    two_places = cells.build_cells(runs, steps, layers)
    sentence = (
        "Runs of this table were made with JAX 0.9.1 and 0.10.2, with the flags -x and none and with 1 and 4 runs per "
        "call."
    )
    for name, part in TABLES.items():
        table = part.make(two_places)
        assert (table is None) == (plain[name] is None)
        if table is not None:
            pd.testing.assert_frame_equal(table.frame, plain[name].frame)
            assert sentence in table.note or name == "selection", name
            assert "were made" not in plain[name].note


def test_runs_per_call_that_go_with_the_width_are_not_worth_a_word():
    runs, *_ = mixed()
    runs["width"] = [16 if i % 2 else 64 for i in range(len(runs))]
    runs["runs_per_call"] = runs["width"].map({16: 4, 64: 1})
    assert notes.made_with(runs, ["width"]) == ""
    assert notes.made_with(runs, []) != ""
    runs["platform"] = runs["width"].map({16: "A", 64: "B"})
    assert notes.made_with(runs, ["width"]) == "Runs of this table were made on A and B."


def test_older_parts_are_read_under_todays_names(tmp_path):
    one, other = rows(*frames(("relu",), (2,), (1e-3,), seeds=2))
    store.create(tmp_path / "r", STUDY, {}, {}, [one["run"], other["run"]])
    older = {name: value for name, value in one.items() if name not in ("runs_per_call", "eval_chunks")}
    store.write_part(tmp_path / "r", "old", [{**older, "lane": 4, "pieces": 2}])
    store.write_part(tmp_path / "r", "new", [{**other, "runs_per_call": 1, "eval_chunks": 2, "jax": "1"}])
    runs = store.load(tmp_path / "r").runs
    assert runs["runs_per_call"].tolist() == [4, 1]
    assert runs["eval_chunks"].tolist() == [2, 2]
    assert not {"lane", "pieces"} & set(runs)
    assert cells.varying(runs) == []
    store.compact(store.Stored(tmp_path / "r"))
    pd.testing.assert_frame_equal(store.load(tmp_path / "r").runs, runs)


def test_a_worker_refuses_what_the_study_was_not_planned_with(tmp_path):
    write(tmp_path, FILES | {"s.yaml": STUDY})
    (group,) = planning.plan(reading.read(tmp_path / "s.yaml")).groups
    assert loading.record_of(CATALOGUE, group.shape.activations[0], tmp_path).name == "bent"
    (tmp_path / "pkg" / "deep.py").write_text("SHIFT = 0.25  # a quarter\n")
    loading.record_of(CATALOGUE, group.shape.activations[0], tmp_path)
    (tmp_path / "pkg" / "deep.py").write_text("SHIFT = 0.5\n")
    with pytest.raises(
        RuntimeError, match=r"act\.py: it, or a file that it imports, is not what this study was planned"
    ):
        loading.record_of(CATALOGUE, group.shape.activations[0], tmp_path)
    with pytest.raises(RuntimeError, match="is not the data that this study was planned with"):
        run_data.loaded(group.shape.data, "0" * 64, tmp_path)


ALLOCATION = "XLA_PYTHON_CLIENT_PREALLOCATE"


def test_a_library_call_leaves_the_environment_alone(monkeypatch, tmp_path):
    """What planning leaves of an accelerator's memory is for the command line, and for workers, to say."""
    (tmp_path / "s.yaml").write_text("study: s\ndata: {name: iris}\n")
    monkeypatch.delenv(ALLOCATION, raising=False)
    before = dict(os.environ)
    actlab.study_of(tmp_path / "s.yaml")
    assert dict(os.environ) == before


@pytest.mark.parametrize("own", [None, "true"])
def test_workers_and_the_command_line_take_memory_as_they_need_it(own, monkeypatch):
    """Unless the user's environment says otherwise."""
    monkeypatch.delenv(ALLOCATION, raising=False)
    if own is not None:
        monkeypatch.setenv(ALLOCATION, own)
    expected = own or "false"
    pool = worker_pools.local(1)
    try:
        assert pool.submit(os.getenv, ALLOCATION).result() == expected
    finally:
        pool.shutdown(kill_workers=True)
    code = f"import os; from actlab import cli; cli.app = lambda **_: print(os.environ['{ALLOCATION}']); cli.main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr
