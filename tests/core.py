"""The numerical core, driven as a worker drives it, on data and numbers made up here."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import jax
import numpy as np
import pyarrow as pa

from actlab.engine import run_batch
from actlab.engine.frames import explode
from actlab.nn import probes
from actlab.nn.blocks import Options
from actlab.nn.optimizers import OPTIMIZERS
from actlab.nn.programs import compile_programs, turned
from actlab.nn.spec import ProgramSpec
from actlab.nn.training import Program

FEATURES, OUTPUTS = 4, 3
ROWS, BATCH = 30, 7  # four batches per epoch; two rows of each permutation are left out


def nowhere(z, **_):
    return z != z


SPEC = {
    "task": "classification",
    "learnable_per": "layer",
    "depth_bound": 5,
    "static_depth": False,
    "width": 6,
    "weight_distribution": "normal",
    "bias_distribution": "normal",
    "dtype": "float32",
    "optimizer_switches": (),
    "batch_size": BATCH,
    "clip": False,
    "freeze": False,
    "decay_activation_parameters": False,
    "learn_activation_parameters": True,
    "probes": ("update_ratio", "act_mean", "dead_fraction"),
    "runs_per_call": 1,
    "eval_chunks": 1,
}


def a_program(*functions, optimizer="adam", own_measures=(), options=None, **changes):
    spec = ProgramSpec(**SPEC | {"block": options or Options()} | changes)
    return Program(spec, functions, OPTIMIZERS[optimizer], own_measures)


def some_numbers(depth=3, *, seed=3, gain=1.0, bias_mean=0.0, bias_std=0.1, fixed=None, learnable=None, **changes):
    """Make a run's numbers as a plan has them: ``fixed`` and ``learnable`` by name, other changes where they belong."""
    optimizer = {"learning_rate": 0.02, "weight_decay": 0.1, "momentum": 0.8, "decay": 0.7}
    optimizer |= {"b1": 0.8, "b2": 0.95, "eps": 1e-6, "warmup_steps": 0.0, "cosine": 0.0, "schedule_steps": 12.0}
    numbers = {
        "seed": seed,
        "weight_std": (gain * 0.4,) * depth,
        "bias_mean": (bias_mean,) * depth,
        "bias_std": (bias_std,) * depth,
        "fixed": fixed or {},
        "learnable": learnable or {},
        "optimizer": optimizer,
        "dropout_rate": 0.0,
        "clip_norm": np.inf,
        "freeze_layers": 0,
        "weak_threshold": 0.05,
        "saturation_low": -2.0,
        "saturation_high": 2.0,
    }
    for name, value in changes.items():
        (optimizer if name in optimizer else numbers)[name] = value
    return numbers


def some_data(dtype="float32", task="classification", features=FEATURES, probe=10):
    rng = np.random.default_rng(0)

    def split(rows):
        y = rng.integers(0, OUTPUTS, rows).astype(np.int32) if task == "classification" else rng.normal(size=(rows, 1))
        return rng.normal(size=(rows, features)).astype(dtype), y if task == "classification" else y.astype(dtype)

    return {"train": split(ROWS), "validation": split(8), "test": split(9), "probe": split(probe)}


@cache
def programs_of(program, features=FEATURES):
    return compile_programs(program, features, OUTPUTS if program.spec.task == "classification" else 1)


class Runs:
    """What a worker calls a batch, without a study: its programs, numbers and data are given.

    States that it takes and gives have the run axis first in every leaf; it leaves those that it is given.
    """

    def __init__(self, program, numbers, data, depth=3, activation=0):
        self.batch = batch = object.__new__(run_batch.RunBatch)
        batch.program, batch.data, batch.function = program, data, program.functions[activation]
        batch.call = (np.int32(depth), np.int32(activation))
        runs = [run_batch.numbers_for(program, batch.function, SimpleNamespace(numbers=one)) for one in numbers]
        batch.numbers = run_batch.stack(runs, np.dtype(program.spec.dtype))
        batch.programs = programs_of(program, data["train"][0].shape[1])

    def __getattr__(self, name):
        return getattr(self.batch, name)

    def begin(self):
        begun = self.batch.begin()
        return replace(begun, state=turned(begun.state, self.program.spec.runs_per_call))

    def train(self, state, *steps, **recorded):
        runs = self.program.spec.runs_per_call
        return turned(self.batch.train(own(turned(state, runs)), *steps, **recorded), runs)

    def record(self, state, *step, **evaluated):
        runs = self.program.spec.runs_per_call
        after, record = self.batch.record(own(turned(state, runs)), *step, **evaluated)
        return turned(after, runs), record


def own(tree):
    """Copy a tree, which may then be given away."""
    return jax.tree.map(np.array, tree)


def go(runs, schedule, longest=None):
    """Return the state at the end of a schedule of records (step, whether whole splits are evaluated), and the records.

    Between records training is cut into calls of at most ``longest`` steps.
    """
    state, records = runs.begin().state, []
    for (step, evaluated), end in zip(schedule, [step for step, _ in schedule[1:]] + [0], strict=True):
        state, record = runs.record(state, step, bool(evaluated))
        records.append(record)
        for begin in range(step + 1, end, longest or max(end, 1)):
            state = runs.train(state, begin, min(begin + (longest or end), end))
    return jax.tree.map(np.asarray, state), jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *records)


def of_run(tree, i):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[i], tree)


def network(parameters, i, depth):
    """Return one run's parameters, of the layers that it has."""
    own = of_run(parameters, i)
    return jax.tree.map(np.array, own | {"layers": jax.tree.map(lambda stack: stack[:depth], own["layers"])})


def kernels_of(parameters):
    """Return the kernel of each hidden layer."""
    return [parameters["input"]["kernel"], *parameters["layers"]["kernel"][1:]]


def frames_of(row):
    """Return a run's row as it is read from a part: the frames ``runs``, ``steps`` and ``layers``."""
    return explode(pa.table({name: pa.array([value]) for name, value in row.items()}))


def assert_same_bits(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for (path, a), b in zip(jax.tree.leaves_with_path(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype, path
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), path


def measure_layers(names, z_LxMxW, h_LxMxW, slope_LxMxW, thresholds, own=None, report=None):
    """Measure each layer [L]; φ's argument is z."""

    def layer(z, h, slope):
        return probes.measure_layer(names, z, h, z, slope, thresholds, own, report)

    return jax.vmap(layer)(z_LxMxW, h_LxMxW, slope_LxMxW)
