"""XLA's flag: reductions are wrong without it, and it is set wherever actlab computes, besides the user's own flags."""

import json
import os
import platform
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from actlab import compiler_flags
from actlab.compiler_flags import FLAG, SAFE, ensure, needs_flag
from actlab.engine import worker_pools

ROOT = Path(__file__).parents[1]
JAXLIB = version("jaxlib")
tried = pytest.mark.skipif(
    not compiler_flags.FIRST_WRONG <= compiler_flags.numbers(JAXLIB) <= compiler_flags.LAST_TRIED
    or platform.machine() != "x86_64",
    reason=f"jaxlib {JAXLIB} on {platform.machine()} is not one that was seen to be wrong without the flag",
)


def squares_of_products():
    """Compute Σ (A x)² of 40,000 rows x: in jaxlib 0.10.2 every fifth is wrong."""
    rng = np.random.default_rng(0)
    a, x = (rng.standard_normal(shape).astype(np.float32) for shape in ((3, 3), (40_000, 3)))
    actual = jax.jit(jax.vmap(lambda x: jnp.sum((a @ x) ** 2)))(x)
    return actual, np.sum((x.astype(float) @ a.T) ** 2, axis=1)


def products_with_a_constant():
    """Compute Σ (E C) ∘ E of five matrices E and a constant C: reads uninitialised memory, in all versions tried."""
    e = np.random.default_rng(0).standard_normal((5, 60, 60)).astype(np.float32)
    actual = jax.jit(lambda e: jnp.sum((e @ jnp.full_like(e, 2.0)) * e, axis=(1, 2)))(e)
    return actual, np.sum((e @ np.full_like(e, 2.0)) * e, axis=(1, 2), dtype=float)


def share_wrong(case):
    actual, expected = case()
    return float(np.mean(~np.isclose(actual, expected, rtol=1e-4, atol=1e-4 * np.mean(np.abs(expected)))))


def in_a_new_process(code, **environment):
    """Return what some code prints as JSON after this file was loaded as ``here``, and its warnings."""
    load = f"""
import importlib.util, json, sys
def load():
    spec = importlib.util.spec_from_file_location("here", {str(Path(__file__))!r})
    here = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(here)
    return here
"""
    clean = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, "-c", load + code], env=clean | environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


CASES = (
    "print(json.dumps([here.share_wrong(case) for case in (here.squares_of_products, here.products_with_a_constant)]))"
)


@pytest.mark.parametrize("case", [squares_of_products, products_with_a_constant])
def test_reductions_are_right_here(case):
    assert share_wrong(case) == 0


@tried
def test_reductions_are_wrong_where_jax_starts_first_and_a_warning_says_so_once():
    wrong, stderr = in_a_new_process(
        f"import jax; jax.devices(); here = load(); import actlab.nn, actlab.theory; {CASES}"
    )
    assert wrong[1] > 0.5
    assert (wrong[0] > 0.1) == (JAXLIB == "0.10.2")
    assert stderr.count("UserWarning") == 1
    assert f"jaxlib {JAXLIB} computes some reductions on a processor wrongly, unless JAX starts with {SAFE}" in stderr


@pytest.mark.parametrize("room", ["actlab.activations", "actlab.nn", "actlab.theory"])
@tried
def test_every_room_that_computes_sets_it_in_time(room):
    code = f"import warnings; warnings.simplefilter('error'); import jax, {room}; here = load(); {CASES}"
    assert in_a_new_process(code) == ([0, 0], "")


@tried
def test_the_users_flags_stay():
    code = "import jax, os, actlab.nn; print(json.dumps([jax.device_count(), os.environ['XLA_FLAGS']]))"
    own = "--xla_force_host_platform_device_count=2"
    (devices, flags), _ = in_a_new_process(code, XLA_FLAGS=own)
    assert (devices, flags) == (2, f"{own} {SAFE}")


@tried
def test_a_worker_sets_it_for_itself(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS")
    pool = worker_pools.local(1)
    try:
        assert pool.submit(eval, "__import__('actlab.nn') and __import__('os').environ['XLA_FLAGS']").result() == SAFE
    finally:
        pool.shutdown(kill_workers=True)


def outcome(monkeypatch, flags, jaxlib="0.12.0.1", started=False):
    """Whether ``ensure`` is content, the flags that it leaves, and what it warns of."""
    monkeypatch.setenv("XLA_FLAGS", flags)
    monkeypatch.setattr(compiler_flags, "version", lambda name: jaxlib)
    monkeypatch.setattr(compiler_flags, "has_started", lambda: started)
    ensure.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        content = [ensure(), ensure()][0]
    ensure.cache_clear()
    return content, os.environ["XLA_FLAGS"], [str(one.message) for one in caught]


@pytest.mark.parametrize("own", ["", "=", "=-reduce", "=-reduce,+dot", "=individual_dot", "=dot"])
def test_what_the_user_says_of_the_flag_wins(monkeypatch, own):
    flags = f"--xla_a=1 {FLAG}{own}" if own else "--xla_a=1"
    assert outcome(monkeypatch, flags) == (True, flags if own else f"{flags} {SAFE}", [])


@pytest.mark.parametrize("own", ["+dot", "-dot", "reduce", "individual_dot,REDUCE", "LIBRARY_FUSION_TYPE_REDUCE"])
def test_a_setting_known_to_be_wrong_is_reported_once_and_left(monkeypatch, own):
    content, flags, (message,) = outcome(monkeypatch, f"{SAFE} {FLAG}={own}")
    assert (content, flags) == (False, f"{SAFE} {FLAG}={own}")
    assert f"Here it starts with {FLAG}={own}:" in message


def test_too_late_for_this_process_is_in_time_for_those_that_it_starts(monkeypatch):
    content, flags, (message,) = outcome(monkeypatch, "--xla_a=1", started=True)
    assert (content, flags) == (False, f"--xla_a=1 {SAFE}")
    assert "Here it starts without:" in message
    assert outcome(monkeypatch, SAFE, started=True) == (True, SAFE, [])


def test_flags_may_stand_in_a_file(monkeypatch, tmp_path):
    (tmp_path / "flags").write_text("--xla_a=1\n--xla_b=2\n", encoding="utf-8")
    assert outcome(monkeypatch, str(tmp_path / "flags")) == (True, f"--xla_a=1\n--xla_b=2\n {SAFE}", [])
    assert outcome(monkeypatch, str(tmp_path / "none")) == (True, str(tmp_path / "none"), [])


@pytest.mark.parametrize("jaxlib", ["0.8.0", "0.9.2", "0.10.0", "0.10.1"])
def test_versions_that_are_right_are_left_alone(monkeypatch, jaxlib):
    assert outcome(monkeypatch, "", jaxlib, started=True) == (True, "", [])


def test_a_version_newer_than_any_tried_gets_the_flag_if_it_knows_it(monkeypatch):
    for knows in (True, False):
        monkeypatch.setattr(compiler_flags, "installed_xla_knows_flag", lambda knows=knows: knows)
        assert needs_flag("0.12.1") == needs_flag("1.0") == needs_flag("0.13.0.dev20270101+cuda") == knows
        assert needs_flag("0.10.2")


@tried
def test_the_installed_library_is_searched_for_the_flag(monkeypatch):
    assert compiler_flags.installed_xla_knows_flag.__wrapped__()
    monkeypatch.setattr(compiler_flags, "FLAG", f"{FLAG}_which_no_library_knows")
    assert not compiler_flags.installed_xla_knows_flag.__wrapped__()


def test_whether_jax_has_started_is_known():
    jax.devices()
    assert compiler_flags.has_started()
    fresh = "import jax; from actlab import compiler_flags; print(json.dumps(compiler_flags.has_started()))"
    assert in_a_new_process(fresh)[0] is False
