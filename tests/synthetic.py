"""Frames like the ones that the store gives, made up from a few lines of arithmetic: a study without training."""

import hashlib
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# What each activation "does" here: slope of log10 ‖gradient‖ per layer, share of units that die, mean, variance of h.
NATURE: dict[str, tuple[float, float, float, float]] = {
    "sigmoid": (-0.6, 0.0, 0.5, 0.01),
    "tanh": (-0.03, 0.0, 0.0, 0.4),
    "relu": (-0.01, 0.25, 0.4, 0.5),
    "leaky_relu": (-0.01, 0.0, 0.38, 0.5),
    "leaky_relu(negative_slope=0.2)": (-0.012, 0.0, 0.3, 0.55),
    "prelu": (0.0, 0.0, 0.3, 0.6),
    "elu": (0.01, 0.0, 0.1, 0.8),
    "selu": (0.0, 0.0, 0.0, 1.0),
    "gelu": (-0.05, 0.0, 0.2, 0.3),
    "swish": (-0.09, 0.0, 0.15, 0.25),
    "mish": (-0.07, 0.0, 0.2, 0.35),
}


def frames(
    activations: tuple[str, ...] = ("sigmoid", "relu", "prelu"),
    depths: tuple[int, ...] = (2, 5),
    rates: tuple[float, ...] = (1e-3, 1e-2),
    seeds: int = 3,
    steps: int = 200,
    every: int = 50,
    evaluate_every: int = 100,
    task: str = "classification",
    **settings: Any,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Make ``runs``, ``steps`` and ``layers`` of a full grid; at the highest of several rates some deep runs diverge.

    ``settings`` are further columns of ``runs``: a tuple sweeps, anything else is constant.
    """
    swept = {"activation": activations, "depth": depths, "learning_rate": rates, "seed": tuple(range(seeds))}
    swept |= {name: value if isinstance(value, tuple) else (value,) for name, value in settings.items()}
    runs, all_steps, all_layers = [], [], []
    for values in itertools.product(*swept.values()):
        row, by_step, by_layer = one_run(
            dict(zip(swept, values, strict=True)), rates, steps, every, evaluate_every, task
        )
        runs.append(row)
        all_steps.append(by_step)
        all_layers.append(by_layer)
    return pd.DataFrame(runs), pd.concat(all_steps, ignore_index=True), pd.concat(all_layers, ignore_index=True)


def rows(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame) -> list[dict[str, Any]]:
    """Make of such frames what a worker hands to the store: one row per run."""
    made = []
    for row in runs.to_dict("records"):
        by_step, by_layer = (frame[frame["run"] == row["run"]] for frame in (steps, layers))
        row |= {f"steps.{name}": by_step[name].to_numpy() for name in by_step if name != "run"}
        row |= {f"layers.{name}": by_layer[name].to_numpy() for name in by_layer if name not in ("run", "step")}
        made.append(row | {"layers.layer": by_layer["layer"].unique()})
    return made


STUDY = """study: made
question: What was never trained?
data: {name: digits}
model: {activation: relu, depth: 5}
measure: {probes: [signal_grad_norm, dead_fraction, act_mean]}
sweep:
  matrix: {model.activation: [sigmoid, relu], train.learning_rate: [0.001, 0.01]}
  seeds: 2
report: {tables: [performance, dead_units], figures: []}
"""


def study(folder: Path, parts: int = 2, planned: tuple[str, ...] = (), **options: Any) -> list[str]:
    """Write a study's folder with some parts, as ``run`` would; returns the names of their files.

    Args:
        folder: the study's, to be made.
        parts: how many.
        planned: further runs that are planned.
        options: of ``frames``.
    """
    from actlab.engine import store
    from actlab.engine.manifest import write_manifest

    all_rows = rows(*frames(**{"activations": ("sigmoid", "relu"), "depths": (2, 3), "seeds": 2, **options}))
    manifest = {"versions": {"actlab": "1"}, "python": "3.11", "platform": "Linux x86_64", "seconds": 1.5}
    store.create(folder, STUDY, {}, manifest, [*planned, *(row["run"] for row in all_rows)])
    sums = {}
    for i in range(parts):
        name = f"{i:016x}"
        sums[f"{name}.parquet"] = store.write_part(folder, name, all_rows[i::parts])
    write_manifest(folder, {**store.read_manifest(folder), "parts": sums})
    return list(sums)


def one_run(
    cell: dict[str, Any], rates: tuple[float, ...], steps: int, every: int, evaluate_every: int, task: str
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    name, depth, rate = cell["activation"], cell["depth"], cell["learning_rate"]
    run = hashlib.sha256(repr(sorted(cell.items())).encode()).hexdigest()[:12]
    rng = np.random.default_rng(int(run, 16))
    slope, dies, mean, variance = NATURE.get(name, (-0.02, 0.0, 0.1, 0.5))
    diverges = len(rates) > 1 and rate == max(rates) and depth >= 5 and slope > -0.5 and rng.random() < 0.3
    at = np.array([*range(0, steps, every), steps])
    if diverges:
        at = at[: len(at) // 2 + 1]
    evaluated = (at % evaluate_every == 0) | (at == steps)
    t = at / steps
    layer = np.arange(1, depth + 1)

    difficulty = min(1.0, abs(slope) * depth / 3) + 0.1 * abs(np.log10(rate / 3e-3))
    floor = 2.3 * min(1.0, 0.05 + difficulty)
    train = floor + (2.3 - floor) * np.exp(-4 * t) + 0.03 * rng.normal(size=len(at)).cumsum() / (1 + at)
    accuracy = 1 - 0.9 * train / 2.3

    def split(loss: np.ndarray, hit: np.ndarray, name: str) -> dict[str, np.ndarray]:
        seen = np.full(len(at), True) if name == "train" else evaluated
        hit = hit if task == "classification" else np.full(len(at), np.nan)
        return {f"{name}_loss": np.where(seen, loss, np.nan), f"{name}_accuracy": np.where(seen, hit, np.nan)}

    noise = 0.01 * rng.normal(size=2)
    by_step: dict[str, Any] = {"run": run, "step": at} | split(train, accuracy, "train")
    by_step |= split(train + 0.1 + noise[0], accuracy - 0.03 + noise[0], "validation")
    by_step |= split(train + 0.12 + noise[1], accuracy - 0.04 + noise[1], "test")

    towards_input = depth - layer
    grown = np.minimum(1, t)[:, None]
    wobble = 0.03 * rng.normal(size=(len(at), depth))
    signal = 10.0 ** (-1 + slope * towards_input * (1 - 0.4 * grown) + wobble)
    weight = 10.0 ** (-1.3 + 0.3 * slope * towards_input - 0.5 * grown + wobble)
    dead_at_init = dies * 0.2 * layer / depth * np.ones((len(at), 1)) * rng.uniform(0.8, 1.2)
    died = dies * np.log10(1 + 1e3 * rate) * grown * layer / depth
    seen = evaluated[:, None]
    by_layer: dict[str, np.ndarray] = {
        "signal_grad_norm": signal,
        "weight_grad_norm": weight,
        "weight_grad_rms": weight / 64,
        "update_ratio": rate / 3 + 0 * weight,
        "dead_fraction": np.where(seen, dead_at_init + died, np.nan),
        "born_dead_fraction": np.where(seen, dead_at_init, np.nan),
        "died_fraction": np.where(seen, died, np.nan),
        "revived_fraction": np.where(seen, 0.05 * died, np.nan),
        "ever_dead_fraction": np.where(seen, dead_at_init + 1.05 * died, np.nan),
        "weak_fraction": dead_at_init + died + (0.2 * grown if slope < -0.5 else 0),
        "act_mean": mean * (1 + 0.1 * grown) + wobble,
        "act_var": variance * 10.0 ** (wobble - 0.02 * layer),
        "act_var_within": 0.7 * variance * 10.0 ** (wobble - 0.04 * layer),
        "preact_second_moment": 1 + wobble**2,
        "preact_mean_share": np.clip(mean + wobble, 0, 1),
        "correlation": np.clip(0.9 * layer / depth + wobble, -1, 1),
    }
    learns = name in ("prelu", "swish")
    if learns:
        by_layer["alpha" if name == "prelu" else "beta"] = (0.25 if name == "prelu" else 1.0) + 0.2 * grown * np.sin(
            layer + wobble
        )
    if diverges:
        for values in (*by_layer.values(), *(value for name, value in by_step.items() if name not in ("run", "step"))):
            values[-1] = np.nan
    for key in ("signal_grad_norm", "weight_grad_norm"):
        short = {"signal_grad_norm": "vanishing_slope", "weight_grad_norm": "weight_slope"}[key]
        logs = np.log10(by_layer[key])
        fit = [np.polyfit(towards_input, row, 1)[0] if depth > 2 and np.isfinite(row).all() else np.nan for row in logs]
        by_step |= {short: np.array(fit), f"{short}_residual": np.where(np.isfinite(fit), 0.03, np.nan)}
    by_step["vanishing_slope_median"] = by_step["vanishing_slope"] - 0.01
    by_step["network_dead"] = np.where(evaluated, 0.0, np.nan)
    by_step |= {key: value.mean(axis=1) for key, value in by_layer.items()}

    ok = not diverges
    last = {key: float(by_step[key][-1]) if ok else np.nan for key in by_step if key.endswith(("_loss", "_accuracy"))}
    reached = np.flatnonzero(evaluated & (by_step["validation_loss"] <= 1.0))
    constant_loss = 2.3
    row = {
        "run": run,
        "data": "digits",
        "task": task,
        "data_seed": 0,
        "standardize": True,
        "train_rows": 1078,
        "activation_family": "rectifier",
        "activation_order": [*NATURE].index(name) if name in NATURE else 99,
        "learnable_per": "layer" if learns else "",
        "learned": "alpha" if learns else "",
        "width": 64,
        "dtype": "float32",
        "weight_init": "auto",
        "weight_init_used": "glorot_normal" if name in ("sigmoid", "tanh") else "he_normal",
        "weight_gain": 1.0,
        "bias_init": "zeros",
        "optimizer": "adam",
        "batch_size": 64,
        "steps": steps,
        "weight_decay": 0.0,
        "decay_activation_parameters": False,
        "learn_activation_parameters": True,
        "every": every,
        "evaluate_every": evaluate_every,
        "probe_rows": 256,
        "runs_per_call": 1,
        "eval_chunks": 1,
        **cell,
        "status": "ok" if ok else "diverged",
        "diverged_step": np.nan if ok else float(at[-1]),
        **last,
        "generalization_gap_loss": last["test_loss"] - last["train_loss"],
        "generalization_gap_error": last["train_accuracy"] - last["test_accuracy"],
        "generalization_gap_loss_at_target": 0.12 + noise[1] if reached.size else np.nan,
        "generalization_gap_error_at_target": 0.04 - noise[1] if reached.size and task == "classification" else np.nan,
        "steps_to_target": float(at[reached[0]]) if reached.size else np.nan,
        "target_reached": bool(reached.size),
        "trained": bool(ok and last["train_loss"] <= 0.5 * constant_loss),
        **{key: float(by_step[key][-1]) if ok else np.nan for key in by_step if "_slope" in key},
        "target_loss": 1.0,
        "constant_loss": constant_loss,
    }
    by_step_frame = pd.DataFrame(by_step)
    by_layer_frame = pd.DataFrame(
        {"run": run, "step": np.repeat(at, depth), "layer": np.tile(layer, len(at))}
        | {key: np.broadcast_to(value, (len(at), depth)).ravel() for key, value in by_layer.items()}
    )
    return row, by_step_frame, by_layer_frame


def histograms(runs: pd.DataFrame, steps: pd.DataFrame, layers: pd.DataFrame, values: int = 400) -> pd.DataFrame:
    """Make counts in bins of such frames: of normal z, of its positive part, and of a δ that falls with depth."""
    from actlab.measures import EDGES

    found = []
    for run, depth in zip(runs["run"], runs["depth"], strict=True):
        rng = np.random.default_rng(int(run, 16) + 1)
        known = layers[(layers["run"] == run) & layers["act_mean"].notna()]
        for step, layer in known[["step", "layer"]].itertuples(index=False):
            z = rng.normal(size=values)
            delta = np.log10(np.abs(rng.normal(size=values))) - 0.5 * (depth - layer)
            for of, x in {"hist_z": z, "hist_h": z.clip(0), "hist_delta": delta}.items():
                bins, count = np.unique(np.digitize(x, EDGES[of]), return_counts=True)
                row = {"run": run, "step": step, "layer": layer, "of": of}
                found.append(pd.DataFrame(row | {"bin": bins, "count": count}))
    return pd.concat(found, ignore_index=True)
