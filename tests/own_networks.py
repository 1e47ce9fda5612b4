"""Small random networks in NumPy, float64, measured by the definitions: a witness for what theory says of them."""

import numpy as np

from actlab.activations.inspect import evaluate


def phi_and_slope(phi, z):
    return evaluate(phi, z.ravel()).reshape(2, *z.shape)


def drawn(stds, bias_means, bias_stds, features, width, outputs, rng):
    """Draw a network: hidden (W, b), and the readout."""
    fans = [features] + [width] * (len(stds) - 1)
    hidden = [
        (std * rng.standard_normal((fan, width)), mean + bias_std * rng.standard_normal(width))
        for std, mean, bias_std, fan in zip(stds, bias_means, bias_stds, fans, strict=True)
    ]
    return hidden, rng.standard_normal((width, outputs)) / np.sqrt(width)


def slope_towards_input(log_norm_L):
    towards_input = np.arange(len(log_norm_L), 0, -1.0)
    return np.polyfit(towards_input, log_norm_L, 1)[0]


def measured(phi, network, x_MxF, y_M, task):
    """Measure a network: {column: [L], or a slope}."""
    hidden, readout = network
    h, inputs, zs, slopes = x_MxF, [], [], []
    for W, b in hidden:
        inputs.append(h)
        zs.append(h @ W + b)
        h, slope = phi_and_slope(phi, zs[-1])
        slopes.append(slope)
    o = h @ readout
    if task == "classification":
        p = np.exp(o - o.max(axis=1, keepdims=True))
        e = p / p.sum(axis=1, keepdims=True) - np.eye(o.shape[1])[y_M]
    else:
        e = 2 / o.shape[1] * (o - y_M)
    delta, rows, found = e @ readout.T, len(x_MxF), []
    kernels = [*(W for W, _ in hidden[1:]), readout]
    for l in reversed(range(len(hidden))):
        delta = delta * slopes[l]
        z, out = zs[l], inputs[l + 1] if l + 1 < len(inputs) else h
        unit = z / np.linalg.norm(z, axis=1, keepdims=True)
        cosines = unit @ unit.T
        norm_M = np.linalg.norm(delta, axis=1)
        with np.errstate(divide="ignore"):  # where the network is certain to the last digit, a row's error is 0
            log10_norm_M = np.log10(norm_M)
        found.append(
            {
                "log10_signal_grad_norm": np.log10(np.sqrt(np.mean(norm_M**2))),
                "log10_median": np.median(log10_norm_M),
                "log10_weight_grad_norm": np.log10(np.linalg.norm(inputs[l].T @ delta) / rows),
                "preact_second_moment": np.mean(z**2),
                "preact_mean_share": np.var(z.mean(axis=0)) / np.mean(z**2),
                "correlation": (cosines.sum() - rows) / (rows * rows - rows),
                "log10_partial_jacobian_norm": np.log10(np.mean(slopes[l] ** 2 @ kernels[l] ** 2)),
                "act_mean": out.mean(),
                "act_var": out.var(),
                "act_var_within": out.var(axis=0).mean(),
            }
        )
        delta = delta @ hidden[l][0].T
    found = {name: np.array([one[name] for one in found[::-1]]) for name in found[0]}
    return found | {
        "vanishing_slope": slope_towards_input(found["log10_signal_grad_norm"]),
        "vanishing_slope_median": slope_towards_input(found["log10_median"]),
        "weight_slope": slope_towards_input(found["log10_weight_grad_norm"]),
    }
