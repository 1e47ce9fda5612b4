"""What others call what actlab has: for the end of a message about an unknown name, and for nothing else.

No name here is ever accepted: a study says ``swish`` or ``he_normal``, and stays readable to whoever reads it next.
"""

from collections.abc import Iterable
from difflib import get_close_matches

CUTOFF = 0.5  # how alike two names must be, of 1, for one to be taken for the other's misspelling

OTHER_NAMES: dict[str, str] = {
    # activations
    "identity none": "linear",
    "logistic logsig expit": "sigmoid",
    "lrelu leaky": "leaky_relu",
    "parametricrelu": "prelu",
    "sil swish1": "swish",
    "squaredrelu relu2 sqrrelu": "relu_squared",
    "gelunew gelufast geluapprox approximategelu": "gelu_tanh",
    "abs": "absolute",
    "sin": "sine",
    "atan": "arctan",
    "rbf": "gaussian",
    "lecuntanh": "scaled_tanh",
    # initializers of weights and biases
    "he kaiming msra henormalinitialization": "he_normal",
    "kaimingnormal": "he_normal",
    "kaiminguniform": "he_uniform",
    "xavier xaviernormal glorot": "glorot_normal",
    "xavieruniform": "glorot_uniform",
    "lecun": "lecun_normal",
    "truncatednormal truncnormal": "lecun_truncated_normal",
    "torch pytorch": "pytorch_default",
    "ortho": "orthogonal",
    "zero": "zeros",
    # optimizers
    "sgdmomentum momentumsgd heavyball": "momentum",
    "rms": "rmsprop",
    # data sets
    "mnist loaddigits sklearndigits": "digits",
    "cancer wdbc loadbreastcancer": "breast_cancer",
    "loadiris irisdataset": "iris",
    # measures, metrics, tables and figures
    "gradnorm gradientnorm gradnorms gradients gradient grads": "signal_grad_norm gradient_norms",
    "dead deadneurons deadunits deadrelu": "dead_fraction dead_units",
    "sparsity": "zero_fraction",
    "mean activationmean": "act_mean",
    "variance var activationvariance": "act_var",
    "rank": "effective_rank",
    "saturation saturated": "saturated_high",
    "histogram histograms hist": "hist_z",
    "acc accuracy testacc": "test_accuracy performance accuracy_by_depth",
    "valacc valaccuracy": "validation_accuracy",
    "loss testloss": "test_loss training_curves",
    "valloss": "validation_loss",
    "learningcurves losscurves curves": "training_curves",
    "results summary": "performance",
    "theory predicted prediction meanfield": "predictions",
    # keys of a study's file
    "lr stepsize eta": "learning_rate",
    "batch bs minibatch batchsizes": "batch_size",
    "epochs epoch iterations iters updates numsteps maxsteps nsteps trainsteps": "steps",
    "layers layer numlayers nlayers hiddenlayers numhiddenlayers": "depth",
    "hidden hiddensize hiddendim hiddenunits units neurons dim nunits layersize": "width",
    "act actfn nonlinearity activationfunction activationfn activations": "activation",
    "opt optim optimiser": "optimizer",
    "init initializer initialization initialisation kernelinit weightinitializer": "weight_init",
    "bias biasinitializer": "bias_init",
    "gain": "weight_gain",
    "wd decay l2": "weight_decay",
    "clip gradclip gradientclipping maxnorm clipgradnorm": "clip_norm",
    "freeze frozen frozenlayers nfrozen numfrozen freezefirst trainable": "freeze_layers",
    "warmup": "warmup_steps",
    "scheduler lrschedule lrscheduler": "schedule",
    "dtypes precision": "dtype",
    "normalization normalisation": "norm",
    "skip residuals skipconnections": "residual",
    "evalevery evaluationinterval": "evaluate_every",
    "logevery recordevery interval": "every",
    "measures": "probes",
    "beta1": "b1",
    "beta2": "b2",
    "slope alpha": "negative_slope alpha",
    "nseeds numseeds repeats": "seeds",
    "dataset datasets file csv": "data.name",
    "label labels y targetcolumn": "data.target",
    "dropna dropmissing remove": "drop_rows",
    "impute imputemean fillmean": "mean",
    "batchnorm": "model.norm=batch",
    "layernorm": "model.norm=layer",
    "float32 fp32 single f32": "float32",
    "float64 fp64 double f64": "float64",
    "cosineannealing cosinedecay": "cosine",
    "yes on y true": "true",
    "no off n false": "false",
}
"""{other names, folded: names of ours, the first that is valid counts}."""


def folded(name: str) -> str:
    """Write a name without case, hyphens, underscores and spaces.

    >>> folded("Leaky-ReLU"), folded("leaky_relu")
    ('leakyrelu', 'leakyrelu')
    """
    return "".join(one for one in name.casefold() if one.isalnum() or one == ".")


BY_NAME: dict[str, list[str]] = {}
for others, ours in OTHER_NAMES.items():
    for other in others.split():
        BY_NAME.setdefault(other, []).extend(ours.split())


def same(name: str, valid: Iterable[str]) -> str | None:
    """Find the valid name that is another one's in all but spelling, or what others call it; of dotted ones, the end.

    >>> same("ReLU", ["tanh", "relu"]), same("xavier", ["glorot_normal"]), same("lr", ["train.learning_rate"])
    ('relu', 'glorot_normal', 'train.learning_rate')
    >>> same("rleu", ["relu"])
    """
    names = list(valid)
    whole = {folded(one): one for one in reversed(names)}
    ends = {folded(one.rpartition(".")[2]): one for one in reversed(names)}
    for word in (folded(name), *map(folded, BY_NAME.get(folded(name), []))):
        if word and (found := whole.get(word) or ends.get(word)):
            return found
    return None


def close(name: str, valid: Iterable[str], cutoff: float = CUTOFF) -> str | None:
    """Find the valid name that another one is a misspelling of; one that begins with it is near, however long.

    >>> close("reulu", ["relu", "tanh"]), close("z", ["z_MxW"]), close("LeakyRelo", ["relu", "leaky_relu"])
    ('relu', 'z_MxW', 'leaky_relu')
    >>> close("learning_rat", ["train.learning_rate"]), close("x", ["relu"])
    ('train.learning_rate', None)
    """
    names = list(valid)
    if found := get_close_matches(name, names, n=1, cutoff=cutoff):
        return found[0]
    for shortening in (folded, lambda one: folded(one.rpartition(".")[2])):
        short = {shortening(one): one for one in reversed(names)}
        if found := get_close_matches(folded(name), list(short), n=1, cutoff=cutoff):
            return short[found[0]]
    return next((one for one in names if name and one.startswith(name)), None)
