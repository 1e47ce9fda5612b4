"""What a user's file may not reach as it runs: what a study would neither copy nor hold a run to."""

import sys
from importlib.machinery import EXTENSION_SUFFIXES

import numpy as np
import pytest

from actlab import sources
from actlab.sources import refusing

LOADED = "import importlib\n\nk = importlib.import_module('helper').k"
REFUSED = {
    "importlib": (LOADED, "mine.py, line 3: 'helper' lies beside it, and this kind of import is not followed"),
    "importlib, with the folder on the path": (
        "import importlib, os, sys\nsys.path.insert(0, os.path.dirname(__file__))\n"
        "k = importlib.import_module('helper').k",
        "mine.py, line 3: 'helper' lies beside it, and this kind of import is not followed; write `import helper`",
    ),
    "__import__": ("k = __import__('helper').k", "line 1: 'helper' lies beside it, and this kind of import is not"),
    "relatively": (
        "import importlib\nk = importlib.import_module('.helper', __package__).k",
        "line 2: 'helper' lies beside it, and this kind of import is not followed; write `import helper`",
    ),
    "a module of a package": (
        "import pk, importlib\nk = importlib.import_module('pk.inner').k",
        "line 2: 'pk.inner' lies beside it, and this kind of import is not followed; write `import pk.inner`",
    ),
    "a module of a package by __import__": (
        "import pk\nk = __import__('pk.inner')",
        "line 2: 'pk.inner' lies beside it, and this kind of import is not followed; write `import pk.inner`",
    ),
    "from another folder": (
        "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))\n"
        "from other_helper import k",
        "mine.py, line 3: 'other_helper' lies in another folder, and is not copied; put it beside the file",
    ),
    "from another folder by importlib": (
        "import importlib, os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))\n"
        "k = importlib.import_module('other_helper').k",
        "mine.py, line 3: 'other_helper' lies in another folder, and is not copied",
    ),
    "by a helper": ("from third import k", "third.py, line 1: 'other_helper' lies in another folder"),
    "compiled": ("import fast", "mine.py, line 1: 'fast' is a compiled module, which is not copied"),
    "named as Python's own": ("import random", "line 1: 'random' is a file beside it and a module of Python's own"),
    "run": (
        "import os, runpy\nk = runpy.run_path(os.path.join(os.path.dirname(__file__), 'helper.py'))['k']",
        "line 2: reads 'helper.py', which is not copied and is no part of a run's identity",
    ),
    "executed": ("exec(open(__file__.replace('mine', 'helper')).read())", "line 1: reads 'helper.py', which is not"),
    "loaded by its place": (
        "import os\nfrom importlib.util import module_from_spec as made, spec_from_file_location as spec\n"
        "s = spec('h', os.path.join(os.path.dirname(__file__), 'helper.py'))\nm = made(s)\ns.loader.exec_module(m)",
        "line 5: reads 'helper.py', which is not copied",
    ),
    "a table of numbers": (
        "import os\nimport numpy as np\nk = np.loadtxt(os.path.join(os.path.dirname(__file__), 'k.txt'))",
        "line 3: reads 'k.txt', which is not copied and is no part of a run's identity; write what it holds into a .py",
    ),
    "by pathlib": (
        "from pathlib import Path\nk = Path(__file__).with_name('k.txt').read_text()",
        "line 2: reads 'k.txt'",
    ),
}


@pytest.fixture
def tempting(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "on_the_path")])
    texts = {
        "helper.py": "k = 2.0\n",
        "random.py": "k = 2.0\n",
        "third.py": "from other_helper import k\n",
        "on_the_path/other_helper.py": "k = 2.0\n",
        "lib/other_helper.py": "k = 2.0\n",
        "pk/__init__.py": "",
        "pk/inner.py": "k = 2.0\n",
        f"fast{EXTENSION_SUFFIXES[0]}": "",
        "k.txt": "2.0",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    refusing.is_library.cache_clear()
    yield tmp_path
    refusing.is_library.cache_clear()


@pytest.mark.parametrize("way", REFUSED)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "in the function"])
def test_what_is_neither_followed_nor_installed_is_refused_where_it_happens(way, late, tempting):
    """What a study does not copy and no run's identity holds would change its numbers under one name."""
    text, why = REFUSED[way]
    if late:
        why = why.partition(": ")[2]  # the lines are others
        text = "\n".join(f"    {line}" for line in text.split("\n"))
        text = f"def f(z):\n{text}\n    return z\n"
    (tempting / "mine.py").write_text(f"{text}\n")

    def run():
        getattr(sources.import_file(tempting / "mine.py"), "f", print)(1)

    with pytest.raises(sources.SourceError) as caught:
        run()
    assert why in str(caught.value)
    assert str(tempting) in str(caught.value)


def test_what_is_installed_is_left_alone_and_data_may_be_read_where_they_are_checked(tempting):
    text = (
        "import importlib, os, random as chance\nimport numpy as np\nimport scipy.special\n"
        "jax = importlib.import_module('jax.numpy')\ntorch = importlib.util.find_spec('no_such_package')\n"
        "def rows():\n    return np.loadtxt(os.path.join(os.path.dirname(__file__), 'k.txt'))\n"
    )
    (tempting / "random.py").unlink()
    (tempting / "mine.py").write_text(text)
    module = sources.import_file(tempting / "mine.py")
    with sources.reading():
        assert module.rows() == 2.0
    with pytest.raises(sources.SourceError, match=r"line 7: reads 'k.txt'"):
        module.rows()
    assert np.loadtxt(tempting / "k.txt") == 2.0  # who is no file of the user's reads what he likes
