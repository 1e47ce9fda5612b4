"""A user's file that gives other numbers when it is run again, under one name, is refused; nothing is left changed."""

import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from actlab.activations import CATALOGUE, ActivationError, check
from actlab.nn.initializers import BIASES, INITIALIZERS
from actlab.nn.optimizers import OPTIMIZERS
from actlab.sources import running
from actlab.study.choices import own_measure
from tests.thinned import thinned

HEAD = (
    "import os, random, time\nimport numpy as np\nimport jax, jax.numpy as jnp\n"
    "def phi(z, *, beta={beta}):\n    return beta * {slope} * jnp.tanh(z)\n"
)
OTHER = {
    "the environment": {"top": "K = float(os.environ.get('SLOPE', '0.1'))", "slope": "K"},
    "the environment, required": {"top": "K = float(os.environ['SLOPE'])", "slope": "K"},
    "the environment in the function": {"slope": "float(os.getenv('SLOPE', '0.1'))"},
    "the environment in a default": {"beta": "float(os.environ.get('SLOPE', '0.1'))"},
    "NumPy's global generator": {"top": "K = np.random.rand()", "slope": "K"},
    "a generator of no seed": {"top": "K = np.random.default_rng().uniform()", "slope": "K"},
    "Python's generator": {"top": "K = random.random()", "slope": "K"},
    "the clock": {"top": "K = time.time() % 7.0", "slope": "K"},
    "the day": {"top": "K = 1.0 + int(time.time() // 86400) % 7", "slope": "K"},
    "its own place": {"top": "K = 1.0 + len(__file__)", "slope": "K"},
    "its own name": {"top": "K = 1.0 + int(__name__.split('.')[0].rpartition('_')[2])", "slope": "K"},
    "a helper": {"top": "from helper import K", "slope": "K"},
}
SAME = {
    "seeded": {"top": "K = np.random.default_rng(3).uniform() + random.Random(3).random()", "slope": "K"},
    "seeded, globally": {
        "top": "np.random.seed(3)\nrandom.seed(3)\nK = np.random.rand() + random.random()",
        "slope": "K",
    },
    "drawn by JAX": {"top": "K = float(jax.random.uniform(jax.random.key(3)))", "slope": "K"},
    "timed": {"top": "BEGUN = time.time()\nos.environ['MINE'] = '1'\nprint(__file__, __name__)", "slope": "1.5"},
    "with a helper": {"top": "from steady import K\nfrom pk.more import K as L", "slope": "K * L"},
}
HELPERS = {
    "helper.py": "import os\nK = float(os.environ.get('SLOPE', '0.1'))\n",
    "steady.py": "K = 0.5\n",
    "pk/more.py": "from .deep import K\n",
    "pk/deep.py": "K = 0.5\n",
}


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setenv("SLOPE", "0.7")

    def make(top="", slope="1.0", beta="1.0"):
        for name, text in HELPERS.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        head, function = HEAD.format(slope=slope, beta=beta).split("def ")
        (tmp_path / "mine.py").write_text(f"{head}{top}\ndef {function}")
        return CATALOGUE.find(f"{tmp_path}/mine.py:phi")

    return make


@pytest.mark.parametrize("what", thinned(OTHER, 3))
def test_a_function_that_is_another_when_its_file_is_run_again_is_refused(what, record):
    mine = record(**OTHER[what])
    with pytest.raises(
        ActivationError, match=r"phi: (gives other values|fails .*) when its file is run again: it reads"
    ):
        check(mine)


@pytest.mark.parametrize("what", thinned(SAME, 2))
def test_a_function_that_is_the_same_is_taken_and_nothing_is_left_changed(what, record):
    mine = record(**SAME[what])
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    drawn = random.Random(5).random(), np.random.RandomState(5).rand()
    before = (os.environ, dict(os.environ), time.time, time.time_ns, sys.argv, list(sys.modules), list(running.MAIN))
    declared = len(CATALOGUE.declared)
    check(mine)
    after = (os.environ, dict(os.environ), time.time, time.time_ns, sys.argv, list(sys.modules), list(running.MAIN))
    assert [one for one in after[5] if one.startswith(running.PREFIX)] == [
        one for one in before[5] if one.startswith(running.PREFIX)
    ]
    assert after[:5] == before[:5]
    assert after[6] == before[6]
    assert os.environ is before[0]
    assert (random.random(), np.random.rand()) == drawn  # noqa: NPY002
    assert len(CATALOGUE.declared) == declared


KINDS = {
    "initializer": (
        INITIALIZERS.find,
        "@actlab.initializer('normal')\ndef own(fan_in, fan_out, *, by):\n    return by * K\n",
    ),
    "bias initializer": (BIASES.find, "@actlab.bias_initializer('normal')\ndef own(fan_in):\n    return 0.0, K\n"),
    "optimizer": (
        OPTIMIZERS.find,
        "@actlab.optimizer(memory=('m',), remember=lambda g, memory: {'m': g})\ndef own(memory, t):\n"
        "    return K * memory['m']\n",
    ),
    "measure": (
        lambda name: own_measure(Path(name.rpartition(":")[0]), "own"),
        "def own(z_MxW):\n    return K * z_MxW.mean()\n",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_so_is_any_other_function_of_a_users(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("SLOPE", "0.7")
    find, text = KINDS[kind]
    (tmp_path / "mine.py").write_text(f"import actlab, os\nK = float(os.environ.get('SLOPE', '0.1'))\n{text}")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"own: gives other values when its file is run again: it reads"):
            find(f"{tmp_path}/mine.py:own")
    (tmp_path / "mine.py").write_text(f"import actlab, os\nK = 0.7\n{text}")
    assert find(f"{tmp_path}/mine.py:own").name == "own"
