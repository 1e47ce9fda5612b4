"""The grammar of --where: what it reads it can write, it means what a filter by hand means, and a mistake is told."""

import math
import operator
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlab.where import Condition, Value, WhereError, items, matches, parse

KEYS = {"model.depth": "depth", "train.clip_norm": "clip_norm", "model.activation": "activation"}
LABELS = ["relu", "gelu", "leaky_relu(negative_slope=0.2)", "f(a=1, b=unit)", "v1.py:act", "none"]


def frame(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "run": [f"{i:012x}" for i in range(rows)],
            "activation": rng.choice(LABELS, rows),
            "data": rng.choice(["a,b.csv", "it's.csv", 'say "x"', "2..10", "*"], rows),
            "depth": rng.choice([2, 5, 10, 30], rows),
            "learning_rate": rng.choice([1e-4, 1e-3, 0.1], rows),
            "clip_norm": pd.Series(rng.choice(np.array([None, 1.0], object), rows), dtype=object),
            "dropout_kind": rng.choice(["", "alpha"], rows),
            "residual": rng.choice([True, False], rows),
            "status": "ok",
            "test_loss": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
        }
    )


FRAME = frame()

words = st.text(st.characters(codec="utf-8"), max_size=12).map(lambda text: Value(text, quoted=True))
bare = st.from_regex(r"[A-Za-z0-9_.*?+-]{1,10}(\([a-z]=[0-9.,]{1,4}\))?", fullmatch=True).map(Value)
several = st.builds(
    Condition,
    st.from_regex(r"[a-z_][a-z0-9_]{0,6}(\.[a-z]{1,4}){0,2}", fullmatch=True),
    st.sampled_from(["=", "!="]),
    st.lists(words | bare, min_size=1, max_size=4).map(tuple),
)
ordered = st.builds(
    Condition,
    st.just("depth"),
    st.sampled_from([">=", "<=", ">", "<"]),
    st.floats(allow_nan=False).map(lambda number: (Value(repr(number)),)),
)


@given(st.lists(several | ordered, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_again(conditions):
    assert list(parse(",".join(map(str, conditions)))) == conditions
    assert list(parse([str(one) for one in conditions])) == conditions


@given(st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        assert parse(text)
    except WhereError as error:
        told = str(error)
    else:
        told = "where "
    assert told.startswith("where ")
    assert "\n" not in told


COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


@given(
    st.sampled_from(["depth", "learning_rate", "test_loss"]),
    st.sampled_from(sorted(COMPARE)),
    st.floats(-40, 40) | st.sampled_from([2.0, 10.0, 0.1, 1e-3]),
)
@settings(max_examples=100, deadline=None)
def test_orders_are_those_of_numbers_and_nan_has_none(key, sign, bound):
    expected = COMPARE[sign](FRAME[key].to_numpy(float), bound)
    assert matches(FRAME, parse(f"{key}{sign}{bound!r}")).tolist() == expected.tolist()


@given(
    st.lists(st.sampled_from([2, 5, 10, 30]), min_size=1, max_size=3),
    st.lists(st.sampled_from(LABELS[:-1]), min_size=1, max_size=3),
    st.booleans(),
    st.floats(0, 40),
    st.floats(0, 40),
)
@settings(max_examples=100, deadline=None)
def test_conditions_mean_what_a_filter_by_hand_means(depths, labels, unequal, low, high):
    sign, (low, high) = "!=" if unequal else "=", sorted([low, high])
    text = f"model.depth=5,{','.join(map(str, depths))},{low}..{high},activation{sign}{','.join(labels)}"
    by_depth = FRAME["depth"].isin([5, *depths]) | FRAME["depth"].between(low, high)
    by_label = FRAME["activation"].isin(labels) ^ unequal
    assert matches(FRAME, parse(text), KEYS).tolist() == (by_depth & by_label).tolist()


MEANINGS = {
    "learning_rate=0.001": FRAME["learning_rate"] == 1e-3,
    "learning_rate=1e-3,.1": FRAME["learning_rate"].isin([1e-3, 0.1]),
    "learning_rate==1e-3": FRAME["learning_rate"] == 1e-3,
    "depth=10.0": FRAME["depth"] == 10,
    "depth=..5": FRAME["depth"] <= 5,
    "depth!=..5": FRAME["depth"] > 5,
    "depth = 2 .. 3": None,
    "depth=2,  activation = relu ": (FRAME["depth"] == 2) & (FRAME["activation"] == "relu"),
    "depth>=5,depth<30": FRAME["depth"].isin([5, 10]),
    "activation=leaky_relu(negative_slope=0.2)": FRAME["activation"] == LABELS[2],
    "activation=leaky_relu:negative_slope=2e-1,relu": FRAME["activation"].isin([LABELS[2], "relu"]),
    "activation=f:b=unit:a=1.0": FRAME["activation"] == LABELS[3],
    "activation=mine/acts.py:f:a=1:b=unit": FRAME["activation"] == LABELS[3],
    "activation=old/v1.py:act": FRAME["activation"] == "v1.py:act",
    "activation=*relu*": FRAME["activation"].isin(["relu", LABELS[2]]),
    "activation=?elu": FRAME["activation"].isin(["relu", "gelu"]),
    "activation!=*": FRAME["activation"] != FRAME["activation"],
    "activation=none": FRAME["activation"] == "none",
    "clip_norm=none": FRAME["clip_norm"].isna(),
    "train.clip_norm!=none": FRAME["clip_norm"].notna(),
    "clip_norm=1": FRAME["clip_norm"] == 1,
    "clip_norm>0": FRAME["clip_norm"].notna(),
    "dropout_kind=none": FRAME["dropout_kind"] == "",
    "dropout_kind=none,alpha": FRAME["dropout_kind"] == FRAME["dropout_kind"],
    "residual=true": FRAME["residual"],
    "residual!=true": ~FRAME["residual"],
    "status=diverged": FRAME["status"] == "diverged",
    "test_loss=none": FRAME["test_loss"].isna(),
    "test_loss!=none": FRAME["test_loss"].notna(),
    "test_loss<inf": FRAME["test_loss"].notna(),
    "test_loss!=100..": FRAME["run"] == FRAME["run"],  # what has no value has none of these
    "data='a,b.csv'": FRAME["data"] == "a,b.csv",
    "data=it's.csv,depth=2": (FRAME["data"] == "it's.csv") & (FRAME["depth"] == 2),
    r'data="say \"x\"",2..10': FRAME["data"].isin(['say "x"', "2..10"]),
    "data='*'": FRAME["data"] == "*",
    "run=00000000000a": FRAME["run"] == "00000000000a",
}


def test_meanings():
    for text, expected in MEANINGS.items():
        if expected is None:
            with pytest.raises(WhereError):
                matches(FRAME, parse(text), KEYS)
        else:
            assert matches(FRAME, parse(text), KEYS).tolist() == expected.tolist(), text


# a mistake: (what the message says, what works when it is followed)
MISTAKES = {
    "activation=rleu": ("did you mean 'relu'", "activation=relu"),
    "activation=relu,gleu": ("did you mean 'gelu'", "activation=relu,gelu"),
    "activation!=rleu": ("did you mean 'relu'", "activation!=relu"),
    "activation=leaky_relu": ("mean 'leaky_relu:negative_slope=0.2'", "activation=leaky_relu:negative_slope=0.2"),
    "dpeth=10": ("did you mean 'depth'", "depth=10"),
    "model.dpeth=10": ("did you mean 'model.depth'", "model.depth=10"),
    "depth=9": ("the nearest is 10, of 2, 5, 10, 30", "depth=10"),
    "depth=deep": ("expected a number", "depth=2..10"),
    "depth": ("expected a condition, as in depth=10", "depth=10"),
    "activation=relu,depth": ("depth is a key", "depth=10"),
    "depth>2,10": ("'10' is no condition", "depth=2..10,30"),
    "depth=>2": ("expected >= or", "depth>=2"),
    "depth>=": ("expected a value", "depth>=2"),
    "depth>=deep": ("expected a number after >=", "depth>=2"),
    "activation>2": ("activation is no number", None),
    "residual>0": ("residual is no number", None),
    "residual=yes": ("did you mean 'true'?", "residual=true"),
    "activation=relu depth=2": ("did you mean 'activation=relu,depth=2'", "activation=relu,depth=2"),
    "depth=2 and activation=relu": ("did you mean 'depth=2,activation=relu'", "depth=2,activation=relu"),
    "depth=2 && activation=relu": ("did you mean 'depth=2,activation=relu'", "depth=2,activation=relu"),
    "activation=relu or activation=gelu": ("several values of one key stand between commas", "activation=relu,gelu"),
    "negative_slope=0.2": (
        "did you mean 'activation=leaky_relu:negative_slope=0.2'",
        "activation=leaky_relu:negative_slope=0.2",
    ),
    "negative_slope=0.3": ("as in activation=leaky_relu:negative_slope=0.2", None),
    "depth=3..2": ("did you mean 'depth=2..3'", "depth=2..3"),
    "depth=nan": ("depth is 2, 5, 10, 30", "depth=2,5,10,30"),
    "depth=1e400": ("depth is 2, 5, 10, 30", "depth=2,5,10,30"),
    "activation=relu,,depth=2": ("expected a value", None),
    "relu": ("expected a condition", None),
    "": ("expected key=value", None),
    "data='a,b.csv": ("the quote ' is not closed", None),
    "activation=f(a=1": ("a bracket is not closed", None),
    "data='a'b": ("after the closing quote", None),
    "model.activation.negative_slope=0.2": (
        "as in activation=leaky_relu:negative_slope=0.2",
        "activation=leaky_relu:negative_slope=0.2",
    ),
    "test_loss=0.123": ("the nearest is ", "the nearest is (\\S+),"),
}  # fmt: skip


def test_mistakes_are_told_and_what_the_message_says_works():
    for text, (says, follow) in MISTAKES.items():
        with pytest.raises(WhereError) as error:
            matches(FRAME, parse(text), KEYS)
        message = str(error.value)
        assert says in message, (text, message)
        assert "\n" not in message
        if follow and follow.startswith("the nearest"):
            follow = f"test_loss={re.search(follow, message)[1]}"
        if follow:
            assert matches(FRAME, parse(follow), KEYS).any(), follow


def test_whole_numbers_are_exact_beyond_double_precision():
    large = pd.DataFrame({"seed": [2**53, 2**53 + 1]})
    assert matches(large, parse(f"seed={2**53 + 1}")).tolist() == [False, True]


def test_commas_split_outside_brackets_and_quotes_alone():
    assert items("a=f(x=1,y=[2,3]),b='c,d',e") == ["a=f(x=1,y=[2,3])", "b='c,d'", "e"]


def test_an_empty_frame_has_no_matches():
    assert matches(FRAME[:0], parse("depth>2")).shape == (0,)
    assert math.isfinite(matches(FRAME[:0], parse("activation!=none")).sum())
