"""Several studies as one that asks for exactly what they do together."""

import json

import pytest

from actlab.study import plan as planning
from actlab.study import union
from actlab.study.reading import read


def of(seeds=1, **sweep):
    base = {"study": "s", "data": {"name": "iris"}, "model": {"activation": "relu", "depth": 2}}
    return {**base, "sweep": {"seeds": seeds, **sweep}}


def matrix(**keys):
    return {f"model.{key}": values for key, values in keys.items()}


UNIONS = {
    "seeds that follow": (of(2), of([2, 3]), (1, 4)),
    "seeds with a gap": (of([0, 7]), of([3]), (1, [0, 3, 7])),
    "one key": (of(matrix=matrix(depth=[2, 5])), of(matrix=matrix(depth=[5, 9])), (3, 1)),
    "another spelling": (
        of(matrix=matrix(activation=["leaky_relu"])),
        of([0, 1], matrix=matrix(activation=[{"name": "leaky_relu", "negative_slope": 0.01}])),
        (1, 2),
    ),
    "swept in one, left in the other": (of(), of(matrix=matrix(depth=[5, 9])), (3, 1)),
    "no rectangle": (
        of(matrix=matrix(activation=["relu", "tanh"])),
        of(matrix=matrix(activation=["relu"], depth=[5, 9])),
        (4, 1),
    ),
    "excluded there": (
        of(matrix=matrix(activation=["relu", "tanh"], depth=[2, 5]), exclude=[matrix(activation="tanh", depth=5)]),
        of(matrix=matrix(activation=["relu"], depth=[2, 5])),
        (3, 1),
    ),
    "excluded here, asked for there": (
        of(matrix=matrix(activation=["relu", "tanh"], depth=[2, 5]), exclude=[matrix(activation="tanh", depth=5)]),
        of(matrix=matrix(activation=["tanh"], depth=[5])),
        (4, 1),
    ),
    "options": (
        of(matrix={"model.activation": ["prelu"], "model.activation.alpha": [0.1, 0.2]}),
        of(matrix={"model.activation": ["relu", {"name": "prelu", "alpha": 0.3}]}),
        (4, 1),
    ),
    "included": (
        of(matrix=matrix(depth=[2, 5]), include=[matrix(activation="tanh", depth=9)]),
        of(matrix=matrix(depth=[2, 7])),
        (4, 1),
    ),
}


@pytest.mark.parametrize("case", UNIONS)
def test_a_union_asks_for_exactly_what_its_studies_do(case, tmp_path):
    *studies, (cells, seeds) = UNIONS[case]

    def runs(study):
        (tmp_path / "s.yaml").write_text(json.dumps(study))
        return planning.plan(read(tmp_path / "s.yaml")).runs

    for one in (studies, studies[::-1]):
        made = union.joined([(f"f{i}", study) for i, study in enumerate(one)])
        assert set(runs(made)) == {run for study in one for run in runs(study)}
        assert (len(runs(made)), made["sweep"]["seeds"]) == (
            cells * (len(seeds) if isinstance(seeds, list) else seeds),
            seeds,
        )
